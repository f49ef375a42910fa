"""Session ids arrive bare, prefixed or inside an app URL; everything of ours speaks the prefixed form."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from devin_jupyter.errors import OptionError

_HEX = re.compile(r"(?:devin-)?([0-9a-fA-F]{32})")
_OPAQUE = re.compile(r"(?:devin-)?([A-Za-z0-9][A-Za-z0-9_-]*)")


def session_id(text: Any) -> str:
    """Return `devin-…` for a bare id, a prefixed id or the URL of a session in the web app.

    Raises:
        OptionError: when the text holds no id.
    """
    candidate = text.strip() if isinstance(text, str) else ""
    if "://" in candidate or candidate.startswith("app.devin.ai"):
        *_, place, candidate = ["", "", *filter(None, urlsplit(candidate).path.split("/"))]
        candidate = candidate if place == "sessions" or _HEX.fullmatch(candidate) else ""
    match = _HEX.fullmatch(candidate)
    if match:
        return "devin-" + match[1].lower()
    match = _OPAQUE.fullmatch(candidate)
    if not match:
        raise OptionError(
            f"{text!r} is not a session id", hint="give devin-<32 hex>, the bare id, or the session's URL"
        )
    return "devin-" + match[1]


def is_session_id(text: str) -> bool:
    """Return whether the text is certainly a session id: 32 hex digits, bare or prefixed, or a URL ending in them."""
    return _HEX.fullmatch(text.strip().rstrip("/").rsplit("/", 1)[-1]) is not None


def bare_id(prefixed: str) -> str:
    """Return the id as web URLs and v3 answers spell it: without `devin-`."""
    return prefixed.removeprefix("devin-")
