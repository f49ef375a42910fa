"""Simulated time: real Unix seconds plus what `/_sim/clock` added.

It also tells how much of a stretch of time was added rather than lived through, because idle sessions fall asleep
by added time only: nobody's session goes to sleep while they read.
"""

from __future__ import annotations

import time
from collections.abc import Callable


class Clock:
    """The time of one simulator."""

    def __init__(self, real: Callable[[], float] = time.time) -> None:
        """Start without any added time."""
        self._real = real
        self.jumps: list[tuple[float, float]] = []
        """The advances: simulated time before each, and its length."""

    @property
    def advanced(self) -> float:
        """All seconds added so far."""
        return sum(length for _, length in self.jumps)

    def now(self) -> float:
        """Return the simulated Unix time."""
        return self._real() + self._offset

    _offset = 0.0

    def advance(self, seconds: float) -> None:
        """Add seconds to the clock."""
        self.jumps.append((self.now(), seconds))
        self._offset += seconds

    def restore(self, jumps: list[tuple[float, float]]) -> None:
        """Take over the advances of an earlier run."""
        self.jumps = list(jumps)
        self._offset = self.advanced

    def reset(self) -> None:
        """Forget every advance."""
        self.restore([])

    def idle_deadline(self, since: float, patience: float) -> float | None:
        """Return when `patience` added seconds had passed after `since`; None if that has not happened yet."""
        for start, length in self.jumps:
            skipped = max(0.0, since - start)
            counted = length - skipped
            if counted <= 0:
                continue
            if counted >= patience:
                return start + skipped + patience
            patience -= counted
        return None
