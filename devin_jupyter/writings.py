"""All ways to write a text down, as one pattern: as it is, in JSON, in a repr, with its white space folded.

A secret is looked for with it in everything that leaves: a traceback shows reprs of JSON, a log folds lines.
"""

from __future__ import annotations

import re

_SPACES = r"[ \t\n\r\f\v]+"
_PIECES = re.compile(rf"({_SPACES}|\\+)")
_IS_SPACE = re.compile(_SPACES)
_SLASHES = r"\\{1,8}"
_ANY_SPACES = rf"(?:\s|{_SLASHES}(?:[nrtfv]|(?i:(?:u00|x)(?:0[9a-d]|20))))+"
_SHORT = {"\0": "0", "\a": "a", "\b": "b", "\x1b": "e"}


def is_plain(text: str) -> bool:
    """Tell whether a text is written in one way only."""
    return text.isascii() and text.isprintable() and not set(text) & set(" \\\"'/")


def writings(text: str) -> str:
    """Return the pattern of all ways to write a text. It matches the same in a string and in its UTF-8 bytes."""
    return "".join(map(_piece, filter(None, _PIECES.split(text))))


def _piece(text: str) -> str:
    if _IS_SPACE.fullmatch(text):
        return _ANY_SPACES
    return r"\\+" if text[0] == "\\" else "".join(map(_character, text))


def _character(char: str) -> str:
    if char in "\"'/":
        return rf"\\{{0,8}}{char}"
    if char.isascii() and char.isprintable():
        return re.escape(char)
    units = char.encode("utf-16-be", "surrogatepass").hex(" ", 2).split()
    escapes = [_SLASHES.join(f"u{unit}" for unit in units), f"U{ord(char):08x}", *_SHORT.get(char, "")]
    escapes += [f"x{ord(char):02x}"] if ord(char) < 0x100 else []
    return rf"(?:{re.escape(char)}|{_SLASHES}(?i:{'|'.join(escapes)}))"
