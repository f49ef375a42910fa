"""The one redactor: every string that leaves for an output, a repr, a log or the journal passes it.

Answers of the service pass it when they come in, so that neither an answer's value nor a frame can show a secret
that Devin repeats.
"""

from __future__ import annotations

import json
import re
import sys
import traceback
from collections.abc import Iterable
from typing import Any

# a key holds digits or is long; apk_output and "basic functionality" are words of prompts and answers, to be kept
_KEY = re.compile(r"\b(cog|apk)_(?:(?=[A-Za-z_\-]*[0-9])[A-Za-z0-9_\-]{8,}|[A-Za-z0-9_\-]{16,})")
_TOKEN = r"(?:(?=\S{10})(?=\S*[0-9=])|(?=\S{12})(?=\S*[a-z][A-Z])|(?=\S{20}))[A-Za-z0-9._~+/=\-]{6,}"
_BEARER = re.compile(rf"\b((?i:bearer|basic))\s+{_TOKEN}")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_MASK = "•••"
_SIMULATOR_KEYS = frozenset({"cog_simulator", "apk_simulator"})
_UNMISTAKABLE = 12
"""A shorter secret may be a word, such as `finished`; in the data of an answer it is left alone."""
_planted: set[str] = set()
_written: dict[bytes, None] = {}
"""Every way in which JSON may write the unmistakable ones."""


def keep_secret(values: Iterable[str]) -> None:
    """Remember values (keys in use, session secrets) that must be masked wherever they turn up."""
    planted = [value for value in values if len(value) >= 4 and value not in _SIMULATOR_KEYS]
    _planted.update(planted)
    for value in planted:
        if len(value) >= _UNMISTAKABLE:
            texts = (json.dumps(value), json.dumps(value, ensure_ascii=False))
            _written.update({text[1:-1].encode("utf-8", "replace"): None for text in texts})


def repeats_secrets(body: bytes) -> bool:
    """Tell whether the body of an answer may hold an unmistakable secret."""
    return any(written in body for written in tuple(_written))


def mask_answer(value: Any) -> Any:
    """Return a JSON value in which no text, keys included, holds an unmistakable secret."""
    if isinstance(value, str):
        return as_answered(value)
    if isinstance(value, dict):
        return {as_answered(key): mask_answer(item) for key, item in value.items()}
    return [mask_answer(item) for item in value] if isinstance(value, list) else value


def as_answered(text: str) -> str:
    """Return a text that was sent as it looks when the service repeats it."""
    for value in _longest_first():
        if len(value) >= _UNMISTAKABLE:
            text = text.replace(value, _MASK)
    return text


def redact(text: str) -> str:
    """Return `text` with API keys, bearer headers and every value given to `keep_secret` masked.

    The two keys of the simulator's defaults are public and stay readable.
    """
    for value in _longest_first():
        text = text.replace(value, _MASK)
    text = _KEY.sub(lambda m: m[0] if m[0] in _SIMULATOR_KEYS else f"{m[1]}_{_MASK}", text)
    return _BEARER.sub(lambda m: f"{m[1]} {_MASK}", text)


def _longest_first() -> list[str]:
    return sorted(tuple(_planted), key=len, reverse=True)


def redact_tree(value: Any) -> Any:
    """Return a copy of a JSON value in which every string, keys included, has passed `redact`."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact(str(key)): redact_tree(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [redact_tree(item) for item in value]
    return value


def redact_coloured(text: str) -> str:
    """Redact text with terminal colours, which may cut a key in two: what holds one loses its colours."""
    plain = _COLOUR.sub("", text)
    return text if redact(plain) == plain else redact(plain)


def redacted_traceback(error: BaseException) -> list[str]:
    """The traceback as the notebook's own formatter gives it, or Python's where there is no notebook."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None:
        return [redact(part) for part in traceback.format_exception(error)]
    parts: list[str] = shell.InteractiveTB.structured_traceback(type(error), error, error.__traceback__)
    return [redact_coloured(part) for part in parts]
