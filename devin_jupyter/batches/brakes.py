"""What slows a batch down or pauses it: too many requests, failures in a row, sessions that cost too much.

Pure bookkeeping on what the runner tells it; times are handed in, and every decision comes with its sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from devin_jupyter.models.batch_report import FAILED, outcome
from devin_jupyter.models.phase import Phase
from devin_jupyter.models.snapshot import Snapshot

FAILURES_IN_A_ROW = 5
COSTS_BEFORE_JUDGING = 3
OWN_CAP = "usage_limit_exceeded"
"""The session's own cap: says nothing about the sessions to come."""
_LONGEST_PAUSE = 120.0


@dataclass(slots=True)
class StopLoss:
    """Counts failures in a row and looks at the median cost of the sessions that ended in this run."""

    failures: int = FAILURES_IN_A_ROW
    median_acus: float | None = None
    _in_a_row: int = 0
    _costs: list[float] = field(default_factory=list)

    def reset(self) -> None:
        """Start counting afresh, after the person looked and went on."""
        self._in_a_row = 0
        self._costs.clear()

    def refused(self, why: str) -> str | None:
        """Count a session that could not be started; return why to pause, or None."""
        self._in_a_row += 1
        if self._in_a_row < self.failures:
            return None
        return f"{self._in_a_row} rows in a row failed; the last could not be started: {why}"

    def ended(self, snapshot: Snapshot) -> str | None:
        """Count the end of a turn; return why to pause, or None."""
        if is_account_limit(snapshot):
            return f"the service reports {snapshot.status_detail}, which will stop every session"
        if snapshot.acus is not None:
            self._costs.append(snapshot.acus)
        if is_failure(snapshot):
            self._in_a_row += 1
        elif snapshot.phase is Phase.DONE:
            self._in_a_row = 0
        if self._in_a_row >= self.failures:
            how = "reports that it failed" if snapshot.phase is Phase.DONE else f"is {snapshot.phase.label}"
            return f"{self._in_a_row} rows in a row failed; the last {how} ({snapshot.url})"
        return self._too_dear()

    def _too_dear(self) -> str | None:
        if self.median_acus is None or len(self._costs) < COSTS_BEFORE_JUDGING:
            return None
        middle = median(self._costs)
        if middle <= self.median_acus:
            return None
        limit = f"the limit is {self.median_acus:g}"
        return f"half of the {len(self._costs)} sessions so far cost {middle:.2f} ACU or more; {limit}"


def is_failure(snapshot: Snapshot) -> bool:
    """Tell whether a turn ended without the hope of an answer, or reports that it failed."""
    if snapshot.phase in (Phase.FAILED, Phase.STOPPED, Phase.BLOCKED):
        return True
    return snapshot.phase is Phase.DONE and outcome(snapshot.structured_output) == FAILED


def is_account_limit(snapshot: Snapshot) -> bool:
    """Tell whether credits, a quota or a payment stopped the session, and so will stop the others."""
    return snapshot.phase is Phase.BLOCKED and snapshot.status_detail not in (None, OWN_CAP)


@dataclass(slots=True)
class Throttle:
    """Starts fewer at a time while the service says 429 or cannot be reached, and recovers by itself."""

    most: int
    clock: Callable[[], float]
    _now: int = 0
    _streak: int = 0
    _until: float = 0.0
    _why: str = ""

    def __post_init__(self) -> None:
        """Begin at full speed."""
        self._now = self.most

    @property
    def at_a_time(self) -> int:
        """How many turns may be open now."""
        return min(self._now, self.most)

    @property
    def streak(self) -> int:
        """How many times in a row it was slowed down."""
        return self._streak

    def reset(self) -> None:
        """Go back to full speed."""
        self._now, self._streak, self._until, self._why = self.most, 0, 0.0, ""

    @property
    def pause_seconds(self) -> float:
        """How long nothing may be started yet."""
        return max(0.0, self._until - self.clock())

    @property
    def notice(self) -> str | None:
        """What to tell the person, while it is slower than it was asked to be."""
        if not self._why:
            return None
        pause = f", next start in {self.pause_seconds:.0f} s" if self.pause_seconds >= 1 else ""
        return f"slowed to {self.at_a_time} at a time: {self._why}{pause}"

    def slow_down(self, why: str, retry_after: float | None = None) -> None:
        """Halve the pace and wait as long as the service asks, twice as long each time in a row.

        During such a wait this is an answer to what was sent before it: it may lengthen the wait, and no more.
        """
        asked = 2.0 if retry_after is None else max(1.0, retry_after)
        if self.pause_seconds:
            self._until = max(self._until, self.clock() + asked)
            return
        self._streak += 1
        self._now = max(1, self.at_a_time // 2)
        self._until = self.clock() + max(asked, min(_LONGEST_PAUSE, asked * 2.0 ** (self._streak - 1)))
        self._why = why

    def went_well(self) -> None:
        """Recover by one after a start that worked."""
        self._streak = 0
        self._now = min(self.most, self._now + 1)
        if self._now == self.most:
            self._why = ""
