"""The one redactor: every string that leaves for an output, a repr, a log or the journal passes it.

Answers of the service pass it when they come in, so that neither an answer's value nor a frame can show a secret
that Devin repeats.
"""

from __future__ import annotations

import re
import sys
import threading
import traceback
from collections.abc import Iterable
from typing import Any

from devin_jupyter.writings import is_plain, writings

# a key holds digits or is long; apk_output and "basic functionality" are words of prompts and answers, to be kept
_KEY = re.compile(r"\b(cog|apk)_(?:(?=[A-Za-z_\-]*[0-9])[A-Za-z0-9_\-]{8,}|[A-Za-z0-9_\-]{16,})")
_TOKEN = r"(?:(?=\S{10})(?=\S*[0-9=])|(?=\S{12})(?=\S*[a-z][A-Z])|(?=\S{20}))[A-Za-z0-9._~+/=\-]{6,}"
_BEARER = re.compile(rf"\b((?i:bearer|basic))\s+{_TOKEN}")
_COLOR = re.compile(r"\x1b\[[0-9;]*m")
_ESCAPED = re.compile(rb"\\u00([2-7][0-9A-Fa-f])")
_MASK = "•••"
_SIMULATOR_KEYS = frozenset({"cog_simulator", "apk_simulator"})
_SHORTEST, _UNMISTAKABLE = 4, 12
"""A secret below the second length may be a word, such as `finished`; in the data of an answer it is left alone."""

_LONG, _END = 80, 8
"""A longer value may be shown by its ends alone; by so many characters they are recognized."""


class _Masker:
    """Finds some values in texts, in whatever way Python, JSON or a log has written them."""

    def __init__(self, values: Iterable[str]) -> None:
        ordered = sorted(values, key=len, reverse=True)
        self._plain = [value for value in ordered if is_plain(value)]
        self._plain_bytes = [value.encode() for value in self._plain]
        patterns = [writings(_core(value)) for value in ordered if not is_plain(value)]
        pattern = "|".join([*patterns, *(_cut(_core(value)) for value in ordered if len(value) > _LONG)])
        self._other = re.compile(pattern) if pattern else None
        self._other_bytes = re.compile(pattern.encode("utf-8", "surrogatepass")) if pattern else None

    def mask(self, text: str) -> str:
        if self._other is not None:
            text = self._other.sub(_MASK, text)
        for value in self._plain:
            text = text.replace(value, _MASK)
        return text

    def finds(self, body: bytes) -> bool:
        is_other = self._other_bytes is not None and self._other_bytes.search(body) is not None
        return is_other or any(value in body for value in self._plain_bytes)


def _cut(value: str) -> str:
    """A traceback that shows variables cuts long ones in the middle."""
    return rf"{writings(value[:_END])}[\s\S]{{0,{_LONG}}}?\.\.\.[\s\S]{{0,{_LONG}}}?{writings(value[-_END:])}"


def _core(value: str) -> str:
    """The line end of a key file is gone from a text that was stripped."""
    core = value.strip()
    return core if len(core) >= _UNMISTAKABLE else value


class _Secrets:
    """All that was planted, as one value: `keep_secret` replaces it."""

    def __init__(self, values: frozenset[str] = frozenset()) -> None:
        self.values = values
        self.all = _Masker(values)
        self.unmistakable = _Masker(value for value in values if len(value) >= _UNMISTAKABLE)


_secrets = _Secrets()
_planting = threading.Lock()


def keep_secret(values: Iterable[str]) -> None:
    """Remember values (keys in use, session secrets) that must be masked wherever they turn up."""
    global _secrets
    new = {str(value) for value in values if len(value) >= _SHORTEST and value not in _SIMULATOR_KEYS}
    with _planting:
        if not new <= _secrets.values:
            _secrets = _Secrets(_secrets.values | new)


def repeats_secrets(body: bytes) -> bool:
    """Tell whether the JSON of an answer may hold an unmistakable secret, also with letters written as `\\u0041`."""
    finds = _secrets.unmistakable.finds
    return finds(body) or (b"\\u00" in body and finds(_ESCAPED.sub(_unescaped, body)))


def _unescaped(escape: re.Match[bytes]) -> bytes:
    return bytes([int(escape[1], 16)])


def mask_answer(value: Any) -> Any:
    """Return a JSON value in which no text, keys included, holds an unmistakable secret."""
    if isinstance(value, str):
        return as_answered(value)
    if isinstance(value, dict):
        return {as_answered(key): mask_answer(item) for key, item in value.items()}
    return [mask_answer(item) for item in value] if isinstance(value, list) else value


def as_answered(text: str) -> str:
    """Return a text that was sent as it looks when the service repeats it."""
    return _secrets.unmistakable.mask(text)


def holds_key(text: str) -> bool:
    """Tell whether something in `text` looks like an API key; the two of the simulator do not count."""
    return any(match[0] not in _SIMULATOR_KEYS for match in _KEY.finditer(text))


def redact(text: str) -> str:
    """Return `text` with API keys, bearer headers and every value given to `keep_secret` masked.

    The two keys of the simulator's defaults are public and stay readable.
    """
    text = _secrets.all.mask(text)
    text = _KEY.sub(lambda m: m[0] if m[0] in _SIMULATOR_KEYS else f"{m[1]}_{_MASK}", text)
    return _BEARER.sub(lambda m: f"{m[1]} {_MASK}", text)


def redact_tree(value: Any) -> Any:
    """Return a copy of a JSON value in which every string, keys included, has passed `redact`."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact(str(key)): redact_tree(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [redact_tree(item) for item in value]
    return value


def redact_colored(text: str) -> str:
    """Redact text with terminal colors, which may cut a key in two: what holds one loses its colors."""
    plain = _COLOR.sub("", text)
    return text if redact(plain) == plain else redact(plain)


def redacted_traceback(error: BaseException) -> list[str]:
    """The traceback as the notebook's own formatter gives it, or Python's where there is no notebook."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None:
        return [redact(part) for part in traceback.format_exception(error)]
    parts: list[str] = shell.InteractiveTB.structured_traceback(type(error), error, error.__traceback__)
    return [redact_colored(part) for part in parts]
