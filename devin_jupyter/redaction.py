"""The one redactor: every string that leaves for an output, a repr, a log or the journal passes it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

# a key holds digits or is long; apk_output and "basic functionality" are words of prompts and answers, to be kept
_KEY = re.compile(r"\b(cog|apk)_(?:(?=[A-Za-z_\-]*[0-9])[A-Za-z0-9_\-]{8,}|[A-Za-z0-9_\-]{16,})")
_TOKEN = r"(?:(?=\S{10})(?=\S*[0-9=])|(?=\S{12})(?=\S*[a-z][A-Z])|(?=\S{20}))[A-Za-z0-9._~+/=\-]{6,}"
_BEARER = re.compile(rf"\b((?i:bearer|basic))\s+{_TOKEN}")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_MASK = "•••"
_SIMULATOR_KEYS = frozenset({"cog_simulator", "apk_simulator"})
_planted: set[str] = set()


def keep_secret(values: Iterable[str]) -> None:
    """Remember values (keys in use, session secrets) that `redact` must mask wherever they turn up."""
    _planted.update(value for value in values if len(value) >= 4 and value not in _SIMULATOR_KEYS)


def redact(text: str) -> str:
    """Return `text` with API keys, bearer headers and every value given to `keep_secret` masked.

    The two keys of the simulator's defaults are public and stay readable.
    """
    for value in sorted(_planted, key=len, reverse=True):
        text = text.replace(value, _MASK)
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


def redact_coloured(text: str) -> str:
    """Redact text with terminal colours, which may cut a key in two: what holds one loses its colours."""
    plain = _COLOUR.sub("", text)
    return text if redact(plain) == plain else redact(plain)
