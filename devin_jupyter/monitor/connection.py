"""Whether the service answers, as a value that a panel can show, and how long to leave it alone when it does not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from devin_jupyter.errors import ApiError, DevinError, RateLimited
from devin_jupyter.monitor.clock import Clock

_LONGEST_BACKOFF = 30.0
_LONGEST_WAIT = 300.0
"""Whoever asks for more has another clock, or no limit in mind: nobody is left waiting for a day."""


@dataclass(frozen=True, slots=True)
class Connection:
    """How the last look at the service went. Times are UTC."""

    last_seen: datetime | None = None
    """When the service answered last."""
    troubled_since: datetime | None = None
    """When it stopped to; None while all is well."""
    problem: str = ""
    """What went wrong last, in one line."""

    @property
    def is_ok(self) -> bool:
        """Whether the service answers."""
        return self.troubled_since is None

    def line(self, now: datetime) -> str:
        """Return what a person is told: nothing while all is well."""
        if self.is_ok:
            return ""
        if self.last_seen is None:
            return "reconnecting, not seen yet"
        return f"reconnecting, last seen {_ago((now - self.last_seen).total_seconds())} ago"


class Line:
    """The line to the service: what became of the last try, and when the next one is due."""

    def __init__(self, clock: Clock) -> None:
        """Nothing was tried yet."""
        self._clock = clock
        self._failures = 0
        self.connection = Connection()
        self.not_before = 0.0
        """The monotonic time of the next try."""

    def heal(self) -> None:
        """The service answered."""
        self.connection, self._failures, self.not_before = Connection(last_seen=self._clock.now()), 0, 0.0

    def fail(self, trouble: DevinError, *, first_pause: float, answered: bool = False) -> None:
        """Wait twice as long as after the failure before, and no less than the service asks for.

        Args:
            trouble: what went wrong.
            first_pause: seconds after the first failure.
            answered: other requests were answered meanwhile, so that nothing but being asked too often calls for
                longer pauses: one session that cannot be read must not keep the others from being seen.
        """
        before, now = self.connection, self._clock.now()
        last_seen = now if answered else before.last_seen
        self.connection = Connection(last_seen, before.troubled_since or now, trouble.message)
        if answered and not isinstance(trouble, RateLimited):
            self._failures = 0
        pause = min(_LONGEST_BACKOFF, first_pause * 2 ** min(self._failures, 10))
        self._failures += 1
        self.not_before = self._clock.monotonic() + max(pause * self._clock.jitter(), _wait_asked_for(trouble))


def gravest(troubles: Iterable[DevinError]) -> DevinError | None:
    """Return the trouble that calls for the longest pause; of several alike the last."""
    last_first = reversed(list(troubles))
    return max(last_first, key=lambda one: (isinstance(one, RateLimited), _wait_asked_for(one)), default=None)


def _wait_asked_for(trouble: DevinError) -> float:
    return min(_LONGEST_WAIT, (trouble.retry_after if isinstance(trouble, ApiError) else None) or 0.0)


def _ago(seconds: float) -> str:
    seconds = max(0, round(seconds))
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"
