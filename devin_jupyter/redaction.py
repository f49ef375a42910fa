"""The one redactor: every string that leaves for an output, a repr, a log or the journal passes through it.

Responses of the service pass through it when they come in, so that neither a value nor a frame can show a secret that
Devin repeats.

A secret is looked for in all the ways in which Python, JSON, HTML, a URL or a log may write it, one inside the other
too: a traceback shows reprs of JSON, a log folds lines.
"""

from __future__ import annotations

import re
import string
import sys
import threading
import traceback
from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import Any

_MASK = "•••"
# A key has digits or is long: apk_output and "basic functionality" are words of prompts and answers.
_KEY = re.compile(r"\b(cog|apk)_(?:(?=[A-Za-z_\-]*[0-9])[A-Za-z0-9_\-]{8,}|[A-Za-z0-9_\-]{16,})")
_TOKEN = r"(?:(?=\S{10})(?=\S*[0-9=])|(?=\S{12})(?=\S*[a-z][A-Z])|(?=\S{20}))[A-Za-z0-9._~+/=\-]{6,}"
_BEARER = re.compile(rf"\b((?i:bearer|basic))\s+{_TOKEN}")
_SIMULATOR_KEYS = frozenset({"cog_simulator", "apk_simulator", "cog_pat_simulator"})
_ANSI_COLOR = re.compile(r"\x1b\[[0-9;]*m")
_ASCII_ESCAPE = re.compile(rb"\\u00([2-7][0-9A-Fa-f])")

_SHORTEST, _UNMISTAKABLE = 4, 12
"""A secret shorter than the second may be a word, such as `finished`; in the data of a response it is left alone."""
_BASE64_LINE = 76
_LONG, _END = 80, 8
"""A longer value may be shown by its ends alone; this many characters of each identify it."""


def keep_secret(values: Iterable[str]) -> None:
    """Remember values (keys in use, session secrets) that must be masked wherever they turn up."""
    global masked
    new = {str(value) for value in values if len(value) >= _SHORTEST and value not in _SIMULATOR_KEYS}
    with _lock:
        if not new <= masked.values:
            masked = Masked(masked.values | new)


def redact(text: str) -> str:
    """Return `text` with API keys, bearer headers and every value given to `keep_secret` masked.

    The keys of the simulator's defaults are public and stay readable.
    """
    text = masked.all.mask(text)
    if "cog_" in text or "apk_" in text:  # the expressions take ten times as long as this
        text = _KEY.sub(lambda m: m[0] if m[0] in _SIMULATOR_KEYS else f"{m[1]}_{_MASK}", text)
    lowered = text.lower()
    if "bearer" in lowered or "basic" in lowered or not lowered.isascii():  # other alphabets may write these letters
        text = _BEARER.sub(lambda m: f"{m[1]} {_MASK}", text)
    return text


def is_whole(text: str) -> bool:
    """Return whether a text can be written: it holds no half of a character, a lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def redact_tree(value: Any) -> Any:
    """Return a copy of a JSON value with every string, keys included, passed through `redact`."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact(str(key)): redact_tree(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [redact_tree(item) for item in value]
    return value


def redact_colored(text: str) -> str:
    """Redact text with terminal colors. A color may cut a key in two, so text that holds a key loses its colors."""
    plain = _ANSI_COLOR.sub("", text)
    return text if redact(plain) == plain else redact(plain)


def redacted_traceback(error: BaseException) -> list[str]:
    """Return the traceback as the notebook's own formatter gives it, or Python's where there is no notebook."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None:
        return [redact(part) for part in traceback.format_exception(error)]
    parts: list[str] = shell.InteractiveTB.structured_traceback(type(error), error, error.__traceback__)
    return [redact_colored(part) for part in parts]


def contains_key(text: str) -> bool:
    """Whether something in `text` looks like an API key; those of the simulator do not count."""
    return any(match[0] not in _SIMULATOR_KEYS for match in _KEY.finditer(text))


def contains_secret(body: bytes) -> bool:
    """Whether the JSON of a response may hold an unmistakable secret, also with letters written as `\\u0041`."""
    finds = masked.unmistakable.finds
    if finds(body):
        return True
    return _ASCII_ESCAPE.search(body) is not None and finds(
        _ASCII_ESCAPE.sub(lambda escape: bytes([int(escape[1], 16)]), body)
    )


def redact_response(value: Any) -> Any:
    """Return a JSON value in which no text, keys included, holds an unmistakable secret."""
    if isinstance(value, str):
        return as_returned(value)
    if isinstance(value, dict):
        return {as_returned(key): redact_response(item) for key, item in value.items()}
    return [redact_response(item) for item in value] if isinstance(value, list) else value


def as_returned(text: str) -> str:
    """Return a text that was sent as it looks when the service returns it."""
    return masked.unmistakable.mask(text)


class _Masker:
    """Finds some values in texts, in all the ways in which they may be written."""

    def __init__(self, values: Iterable[str]) -> None:
        ordered = sorted(values, key=len, reverse=True)
        self._plain = [value for value in ordered if set(value) <= _UNRESERVED]
        self._plain_bytes = [value.encode() for value in self._plain]
        patterns = [_spellings(_core(value)) for value in ordered if not set(value) <= _UNRESERVED]
        pattern = "|".join([*patterns, *(_abbreviations(_core(value)) for value in ordered if len(value) > _LONG)])
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


class Masked:
    """All values given to `keep_secret`; replaced as a whole, so that readers need no lock."""

    def __init__(self, values: frozenset[str] = frozenset()) -> None:
        self.values = values
        parts = {part for value in values if not _KEY.fullmatch(value) for part in _parts(value)}
        self.all = _Masker(values | parts)
        self.unmistakable = _Masker(value for value in values | parts if len(value) >= _UNMISTAKABLE)


def _parts(value: str) -> Iterator[str]:
    """Yield the lines of a secret of many lines, and what base64 makes of it, in one line or wrapped, at any offset."""
    if len(value) < _UNMISTAKABLE:
        return
    lines = [line.strip() for line in value.splitlines()]
    if len(lines) > 1:
        yield from (line for line in lines if len(line) >= _UNMISTAKABLE and not line.startswith("-----"))
    content = value.encode("utf-8", "surrogatepass")
    for ends in {content, content.strip(), content.strip() + b"\n"}:
        for offset in range(3):
            coded = b64encode(b"0" * offset + ends).decode()
            whole = coded[-(-offset * 8 // 6) : (offset + len(ends)) * 8 // 6]
            lines = [coded[at : at + _BASE64_LINE] for at in range(0, len(coded), _BASE64_LINE)] if not offset else []
            for text in (whole, *(line.rstrip("=") for line in lines if len(lines) > 1)):
                if len(text) >= _UNMISTAKABLE:
                    yield from {text, text.replace("+", "-").replace("/", "_")}


def _core(value: str) -> str:
    # The line end of a key file is missing from a text that was stripped.
    core = value.strip()
    return core if len(core) >= _UNMISTAKABLE else value


_UNRESERVED = frozenset(string.ascii_letters + string.digits + "-._~")
"""No encoding writes these in any other way, not even a URL."""
_SPACES = r"[ \t\n\r\f\v]+"
_PIECES = re.compile(rf"({_SPACES}|\\+)")
_IS_SPACE = re.compile(_SPACES)
_SLASHES = r"\\{1,8}"
_ANY_SPACES = rf"(?:\s|\+|%(?i:0[9a-d]|20)|{_SLASHES}(?:[nrtfv]|(?i:(?:u00|x)(?:0[9a-d]|20))))+"
_ENTITIES = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}
_SHORT_ESCAPES = {"\0": "0", "\a": "a", "\b": "b", "\x1b": "e"}


def _spellings(text: str) -> str:
    """Return the pattern of all ways to write a text; it matches in a string and in its UTF-8 bytes alike."""
    found = []
    for piece in filter(None, _PIECES.split(text)):
        if _IS_SPACE.fullmatch(piece):
            found.append(_ANY_SPACES)
        elif piece[0] == "\\":
            found.append(r"(?:\\+|%5[Cc])")
        else:
            found += map(_character, piece)
    return "".join(found)


def _character(char: str) -> str:
    if char in _UNRESERVED:
        return re.escape(char)
    if char.isascii() and char.isprintable():
        code = f"{ord(char):02x}"
        entity = f"&(?i:{_ENTITIES.get(char, '#' + str(ord(char)))}|#0*{ord(char)}|#x0*{code});"
        slashes = r"\\{0,8}" if char in "\"'/" else ""
        return rf"(?:{slashes}{re.escape(char)}|{_SLASHES}(?i:u00{code}|x{code})|%(?i:{code})|{entity})"
    units = char.encode("utf-16-be", "surrogatepass").hex(" ", 2).split()
    escapes = [_SLASHES.join(f"u{unit}" for unit in units), f"U{ord(char):08x}", *_SHORT_ESCAPES.get(char, "")]
    escapes += [f"x{ord(char):02x}"] if ord(char) < 0x100 else []
    quoted = "".join(f"%{byte:02x}" for byte in char.encode("utf-8", "surrogatepass"))
    return rf"(?:{re.escape(char)}|{_SLASHES}(?i:{'|'.join(escapes)})|(?i:{quoted}))"


def _abbreviations(value: str) -> str:
    """Return the pattern of a long value cut in the middle, as a traceback that shows variables does."""
    start, end = _spellings(value[:_END]), _spellings(value[-_END:])
    return rf"{start}[\s\S]{{0,{_LONG}}}?\.\.\.[\s\S]{{0,{_LONG}}}?{end}"


masked = Masked()
_lock = threading.Lock()
