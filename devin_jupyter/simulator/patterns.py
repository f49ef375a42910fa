"""A string that matches a regular expression, best effort: the final word has the validator."""

from __future__ import annotations

import re
import string
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

from devin_jupyter.simulator.ids import Dice

_LONGEST = 2000
_CLASSES = {
    op.CATEGORY_DIGIT: string.digits,
    op.CATEGORY_WORD: string.ascii_lowercase + string.digits,
    op.CATEGORY_SPACE: " ",
    op.CATEGORY_NOT_DIGIT: string.ascii_lowercase,
    op.CATEGORY_NOT_WORD: "-",
    op.CATEGORY_NOT_SPACE: string.ascii_lowercase,
}
_PRINTABLE = string.ascii_letters + string.digits + "-_. "


def matching(pattern: str, dice: Dice) -> str | None:
    """Return a text that should match, or None where the pattern is beyond this little writer."""
    try:
        return _Writer(dice).sequence(_parser.parse(pattern))
    except (re.error, ValueError, OverflowError, RecursionError, KeyError):
        return None


class _Writer:
    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self._groups: dict[int, str] = {}
        self._written = 0

    def sequence(self, nodes: Any) -> str:
        return "".join(self._node(code, value) for code, value in nodes)

    def _node(self, code: Any, value: Any) -> str:
        if code is op.LITERAL:
            return self._count(chr(value))
        if code in (op.AT, op.ASSERT, op.ASSERT_NOT):
            return ""
        if code is op.ANY:
            return self._count("a")
        if code in (op.NOT_LITERAL, op.IN):
            members = [(op.NEGATE, None), (op.LITERAL, value)] if code is op.NOT_LITERAL else value
            return self._count(self._dice.pick(_letters(members)))
        if code is op.BRANCH:
            return self.sequence(self._dice.pick(value[1]))
        if code is op.SUBPATTERN:
            text = self.sequence(value[3])
            self._groups[value[0]] = text
            return text
        if code is op.GROUPREF:
            return self._groups[value]
        return self._repeat(code, value)

    def _repeat(self, code: Any, value: Any) -> str:
        if code not in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            raise ValueError(code)
        low, high, inner = value
        times = low + self._dice.below(min(int(high), low + 4) - low + 1)
        if times > _LONGEST:
            raise ValueError("too long")
        return "".join(self.sequence(inner) for _ in range(times))

    def _count(self, text: str) -> str:
        self._written += 1
        if self._written > _LONGEST:
            raise ValueError("too long")
        return text


def _letters(members: Any) -> str:
    negated = members[0][0] is op.NEGATE
    letters = ""
    for code, value in members:
        if code is op.LITERAL:
            letters += chr(value)
        elif code is op.RANGE:
            letters += "".join(map(chr, range(value[0], min(value[1], value[0] + 200) + 1)))
        elif code is op.CATEGORY:
            letters += _CLASSES[value]
    return "".join(letter for letter in _PRINTABLE if letter not in letters) if negated else letters
