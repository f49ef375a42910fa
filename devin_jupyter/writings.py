"""All ways to write a text down, as one pattern: as it is, in JSON, a repr, HTML or a URL, with white space folded.

A secret is looked for with it in everything that leaves: a traceback shows reprs of JSON, a log folds lines.
"""

from __future__ import annotations

import re
import string

_SPACES = r"[ \t\n\r\f\v]+"
_PIECES = re.compile(rf"({_SPACES}|\\+)")
_IS_SPACE = re.compile(_SPACES)
_SLASHES = r"\\{1,8}"
_ANY_SPACES = rf"(?:\s|\+|%(?i:0[9a-d]|20)|{_SLASHES}(?:[nrtfv]|(?i:(?:u00|x)(?:0[9a-d]|20))))+"
_UNRESERVED = frozenset(string.ascii_letters + string.digits + "-._~")
"""Nothing writes these in any other way: not even a URL."""
_ENTITIES = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}
_SHORT = {"\0": "0", "\a": "a", "\b": "b", "\x1b": "e"}


def is_plain(text: str) -> bool:
    """Tell whether a text is written in one way only."""
    return set(text) <= _UNRESERVED


def writings(text: str) -> str:
    """Return the pattern of all ways to write a text. It matches the same in a string and in its UTF-8 bytes."""
    return "".join(map(_piece, filter(None, _PIECES.split(text))))


def _piece(text: str) -> str:
    if _IS_SPACE.fullmatch(text):
        return _ANY_SPACES
    return r"(?:\\+|%5[Cc])" if text[0] == "\\" else "".join(map(_character, text))


def _character(char: str) -> str:
    if char in _UNRESERVED:
        return re.escape(char)
    if char.isascii() and char.isprintable():
        return _sign(char)
    units = char.encode("utf-16-be", "surrogatepass").hex(" ", 2).split()
    escapes = [_SLASHES.join(f"u{unit}" for unit in units), f"U{ord(char):08x}", *_SHORT.get(char, "")]
    escapes += [f"x{ord(char):02x}"] if ord(char) < 0x100 else []
    quoted = "".join(f"%{byte:02x}" for byte in char.encode("utf-8", "surrogatepass"))
    return rf"(?:{re.escape(char)}|{_SLASHES}(?i:{'|'.join(escapes)})|(?i:{quoted}))"


def _sign(char: str) -> str:
    code = f"{ord(char):02x}"
    entity = f"&(?i:{_ENTITIES.get(char, '#' + str(ord(char)))}|#0*{ord(char)}|#x0*{code});"
    slashes = r"\\{0,8}" if char in "\"'/" else ""
    return rf"(?:{slashes}{re.escape(char)}|{_SLASHES}(?i:u00{code}|x{code})|%(?i:{code})|{entity})"
