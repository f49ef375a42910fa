"""Identifiers and choices that follow from their causes alone, so that a run can be repeated.

No clock and no random source: the same parts give the same digest on every machine and Python version.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

_MASK = (1 << 64) - 1


def digest(*parts: object) -> str:
    """Return 64 hex digits that stand for the parts."""
    text = "\x1f".join(str(part) for part in parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def opaque(prefix: str, *parts: object, length: int = 32) -> str:
    """Return an id such as `playbook-1f…` for the parts; with an empty prefix the bare hex digits."""
    code = digest(prefix, *parts)[:length]
    return f"{prefix}-{code}" if prefix else code


class Dice:
    """Repeatable choices from a seed (SplitMix64)."""

    __slots__ = ("_state",)

    def __init__(self, *parts: object) -> None:
        """Seed with the digest of the parts."""
        self._state = int(digest(*parts)[:16], 16)

    def _next(self) -> int:
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def below(self, bound: int) -> int:
        """Return an integer in `0 <= n < bound`."""
        return self._next() % bound

    def between(self, low: float, high: float) -> float:
        """Return a float in `low <= x < high`."""
        return low + (high - low) * ((self._next() >> 11) / (1 << 53))

    def chance(self, probability: float) -> bool:
        """Return True with this probability."""
        return self.between(0, 1) < probability

    def pick(self, options: Sequence[T]) -> T:
        """Return one of the options."""
        return options[self.below(len(options))]

    def sample(self, options: Sequence[T], count: int) -> list[T]:
        """Return up to `count` different options, in a shuffled order."""
        rest = list(options)
        return [rest.pop(self.below(len(rest))) for _ in range(min(count, len(rest)))]
