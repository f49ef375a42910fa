"""Whether the next row of a batch may start: the pause, the circuit breaker, the pace, and the room in the budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from enum import Enum
from statistics import median

from devin_jupyter.batches.jobs import Job
from devin_jupyter.errors import (
    ApiError,
    BudgetExceeded,
    ConnectionTrouble,
    DevinError,
    Forbidden,
    Halted,
    RateLimited,
    SetupError,
    Unauthorized,
)
from devin_jupyter.models.enums import Phase
from devin_jupyter.models.snapshot import Snapshot, reported_outcome


class FailureKind(Enum):
    """What a start that failed means for the rest of the batch."""

    BUSY = "busy"
    """The service asks to slow down: do so, and try this row again."""
    AWAY = "away"
    """The service cannot be reached: slow down and try this row again, but not forever."""
    NO_ROOM = "no room"
    """The budget has no room for it now: wait until open turns end."""
    PAUSE = "pause"
    """It would fail for every row: wait until a person has looked."""
    REFUSED = "refused"
    """It fails for this row only."""


def failure_kind(problem: DevinError) -> FailureKind:
    """Return what a failed start means for the batch."""
    if isinstance(problem, RateLimited):
        return FailureKind.BUSY
    if isinstance(problem, ConnectionTrouble):
        return FailureKind.AWAY
    if isinstance(problem, BudgetExceeded):
        return FailureKind.NO_ROOM
    is_unpaid = isinstance(problem, ApiError) and problem.status_code == _PAYMENT_REQUIRED
    if is_unpaid or isinstance(problem, (Halted, Unauthorized, Forbidden, SetupError)):
        return FailureKind.PAUSE
    return FailureKind.REFUSED


MAX_FAILURES = 5
"""Failures in a row that pause a batch, by default."""
_PAYMENT_REQUIRED = 402
_COSTS_BEFORE_JUDGING = 3
_OWN_CAP = "usage_limit_exceeded"
"""A session that reached its own cap says nothing about the sessions to come."""
_LONGEST_PAUSE = 120.0
_LONGEST_ASKED = 900.0
"""Seconds; where the service asks for a longer wait, the batch pauses until a person resumes it."""
_AWAY_TIMES = 6
"""After this many failed attempts in a row the service counts as unreachable."""


class Gate:
    """Whether a row may start now: a pause flag, a circuit breaker, a throttle and the room in the budget.

    Pausing holds back all rows but those that a retry let through. The circuit breaker pauses after failures in a row,
    when the account is exhausted, or when sessions cost too much. The throttle starts fewer at a time while the
    service answers 429 or cannot be reached, and recovers by itself.
    """

    def __init__(
        self,
        parallel: int,
        *,
        max_failures: int | None = None,
        max_median: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start open.

        Args:
            parallel: how many turns may be open at a time.
            max_failures: failures in a row that pause; None is five.
            max_median: median ACUs of the sessions that ended that pause; None is no limit.
            clock: in seconds.
        """
        self.parallel, self._clock = parallel, clock
        self._max_failures, self._max_median = max_failures or MAX_FAILURES, max_median
        self.paused: str | None = None
        """Why nothing more is started, or None."""
        self.no_room: str | None = None
        """Why the budget has no room for another session now, or None."""
        self._let_through: set[Job] = set()
        self._failures = 0
        self._costs: list[float] = []
        self._at_a_time = parallel
        self._slowdowns = 0
        self._closed_until = 0.0
        self._slow_because = ""

    @property
    def at_a_time(self) -> int:
        """How many turns may be open now."""
        return self._at_a_time

    @property
    def seconds_closed(self) -> float:
        """How long nothing may be started because the service asked to slow down."""
        return max(0.0, self._closed_until - self._clock())

    @property
    def notice(self) -> str | None:
        """What a person should know about the pace; None when it is as asked."""
        if self.paused is not None:
            return f"paused: {self.paused}"
        if self.no_room is not None or not self._slow_because:
            return self.no_room
        seconds = self.seconds_closed
        wait = f", next start in {seconds:.0f} s" if seconds >= 1 else ""
        return f"slowed to {self.at_a_time} at a time: {self._slow_because}{wait}"

    def lets_through(self, job: Job) -> bool:
        """Whether a pause does not hold back this row."""
        return self.paused is None or job in self._let_through

    def pause(self, why: str) -> None:
        """Start nothing more. The first reason counts, but one that ends a retry replaces the one before it."""
        self.paused = why if self._let_through else self.paused or why
        self._let_through.clear()

    def resume(self) -> None:
        """Lift a pause and forget what slowed the batch down."""
        self.paused = None
        self._let_through.clear()
        self.reset()

    def retry(self, jobs: Iterable[Job]) -> None:
        """Let these rows through, whether or not the batch is paused."""
        self._let_through.update(jobs)
        self.reset()

    def reset(self) -> None:
        """Count failures and costs from zero, at full speed."""
        self.no_room = None
        self._failures = 0
        self._costs.clear()
        self._at_a_time, self._slowdowns, self._closed_until, self._slow_because = self.parallel, 0, 0.0, ""

    def start_worked(self) -> None:
        """A session was created: there is room, and the throttle recovers by one."""
        self.no_room = None
        self._slowdowns = 0
        self._at_a_time = min(self.parallel, self._at_a_time + 1)
        if self._at_a_time == self.parallel:
            self._slow_because = ""

    def start_failed(self, problem: DevinError, *, is_alone: bool) -> FailureKind:
        """A session could not be created.

        Args:
            problem: why.
            is_alone: no other turn is open, whose end could make room in the budget.
        """
        kind = failure_kind(problem)
        if kind is FailureKind.REFUSED:
            self._failures += 1
            if self._failures >= self._max_failures:
                why = f"the last could not be started: {problem.message}"
                self.pause(f"{self._failures} consecutive rows failed; {why}")
        elif kind is FailureKind.PAUSE:
            self.pause(problem.message)
        elif kind is FailureKind.NO_ROOM:
            self.no_room = f"waiting for room in the budget: {problem.message}"
            if is_alone:
                self.pause(problem.message)
        else:
            self.slow_down(problem.message, getattr(problem, "retry_after", None))
            if kind is FailureKind.AWAY and self._slowdowns >= _AWAY_TIMES:
                self.pause(f"{problem.message} ({_AWAY_TIMES} times)")
        return kind

    def slow_down(self, why: str, retry_after: float | None = None) -> None:
        """Halve the pace and wait as long as the service asks, twice as long each time in a row.

        During such a wait this is the answer to a request sent before it: it may lengthen the wait, and no more.
        """
        asked = 2.0 if retry_after is None else max(1.0, retry_after)
        if asked > _LONGEST_ASKED:
            self.pause(f"{why}: the service asks for a pause of {asked / 60:,.0f} min")
            return
        if self.seconds_closed:
            self._closed_until = max(self._closed_until, self._clock() + asked)
            return
        self._slowdowns += 1
        self._at_a_time = max(1, self._at_a_time // 2)
        self._closed_until = self._clock() + max(asked, min(_LONGEST_PAUSE, asked * 2.0 ** (self._slowdowns - 1)))
        self._slow_because = why

    def turn_ended(self, snapshot: Snapshot) -> None:
        """A turn ended: there may be room again; pause if too many failed or they cost too much."""
        self.no_room = None
        if snapshot.phase is Phase.BLOCKED and snapshot.status_detail not in (None, _OWN_CAP):
            self.pause(f"the service reports {snapshot.status_detail}, which will stop every session")
            return
        if snapshot.acus is not None:
            self._costs.append(snapshot.acus)
        reports_failure = snapshot.phase is Phase.DONE and reported_outcome(snapshot.structured_output) == "failed"
        if reports_failure or snapshot.phase in (Phase.FAILED, Phase.STOPPED, Phase.BLOCKED):
            self._failures += 1
        elif snapshot.phase is Phase.DONE:
            self._failures = 0
        if self._failures >= self._max_failures:
            how = "reports that it failed" if reports_failure else f"is {snapshot.label}"
            self.pause(f"{self._failures} consecutive rows failed; the last {how} ({snapshot.url})")
            return
        if self._max_median is not None and len(self._costs) >= _COSTS_BEFORE_JUDGING:
            middle = median(self._costs)
            if middle > self._max_median:
                cost = f"the median cost of the {len(self._costs)} sessions so far is {middle:.2f} ACU"
                self.pause(f"{cost}; the limit is {self._max_median:g}")
