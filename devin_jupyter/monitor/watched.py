"""One session under watch: what is known and last seen of it, who listens, and when to look again.

Plain state of the loop thread; no I/O.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from devin_jupyter.config import Pace
from devin_jupyter.errors import DevinError
from devin_jupyter.models.snapshot import Message, Record, Snapshot
from devin_jupyter.monitor.connection import Connection

logger = logging.getLogger("devin_jupyter.monitor")


@dataclass(eq=False, slots=True)
class Watch:
    """One listener's hold on a session. `close()` lets go."""

    session_id: str
    on_snapshot: Callable[[Snapshot], None] | None
    on_trouble: Callable[[Connection], None] | None
    messages: bool
    """The listener shows the conversation, so it is read while it grows."""
    keep: bool
    """Go on after the end of the turn, slowly."""
    _let_go: Callable[[Watch], None]

    def close(self) -> None:
        """Stop listening. To be called on the loop's thread; again is harmless."""
        self._let_go(self)


@dataclass(eq=False, slots=True)
class Watched:
    """A session and all that listen to it."""

    record: Record
    """What is known of it, with the session as last seen."""
    acted_at: float
    """When something was done to it, or watching began; the pace grows from here."""
    due: float
    """When to look next."""
    watches: list[Watch] = field(default_factory=list)
    waiters: list[asyncio.Future[Snapshot]] = field(default_factory=list)
    is_settled: bool = False
    """The turn is over and its messages were read: nothing to look for until something is done."""
    raw: Mapping[str, Any] | None = None
    """The last answer, to see at once that nothing changed."""
    cursor: str | None = None
    """Where the last page of messages begins."""
    misses: int = 0
    """How often in a row the service did not know it."""
    problem: DevinError | None = None
    """Why watching was given up."""

    @property
    def session_id(self) -> str:
        """Always `devin-…`."""
        return self.record.session_id

    @property
    def snapshot(self) -> Snapshot | None:
        """The session as last seen."""
        return self.record.snapshot

    @property
    def is_active(self) -> bool:
        """Whether somebody wants to know, and there may be something to learn."""
        if self.problem is not None or not (self.watches or self.waiters):
            return False
        return not self.is_settled or any(watch.keep for watch in self.watches)

    @property
    def wants_messages(self) -> bool:
        """Whether a listener shows the conversation."""
        return any(watch.messages for watch in self.watches)

    def interval(self, pace: Pace, now: float, *, pages: float = 1.0) -> float:
        """Return the pause until the next look.

        Args:
            pace: how often to look.
            now: the monotonic time.
            pages: requests a sweep; with many sessions the service is asked no more often than with few.
        """
        if self.is_settled:
            return pace.asleep
        return max(pace.fast * pages, min(pace.slow, pace.growth * (now - self.acted_at)))

    def nudge(self, now: float) -> None:
        """Something was done: look again at once, and often for a while."""
        self.acted_at, self.due, self.raw, self.problem, self.misses = now, now, None, None, 0

    def accept(self, snapshot: Snapshot) -> None:
        """Take a snapshot over and tell the listeners."""
        self.record = replace(self.record, snapshot=snapshot)
        for watch in tuple(self.watches):
            if watch.on_snapshot is not None:
                _tell(watch.on_snapshot, snapshot)

    def release(self, outcome: Snapshot | DevinError) -> None:
        """Give everyone who waits the outcome."""
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            if waiter.done():
                continue
            if isinstance(outcome, DevinError):
                waiter.set_exception(outcome)
            else:
                waiter.set_result(outcome)

    def give_up(self, problem: DevinError) -> None:
        """Stop looking: the service will not tell any more."""
        self.problem = problem
        self.release(problem)

    def tell_trouble(self, connection: Connection) -> None:
        """Tell the listeners how the connection is."""
        for watch in tuple(self.watches):
            if watch.on_trouble is not None:
                _tell(watch.on_trouble, connection)


def _tell(listener: Callable[[Any], None], value: Any) -> None:
    try:
        listener(value)
    except Exception:  # a listener of somebody else must not stop the watching of a thousand sessions
        logger.exception("a listener failed")


def merged(before: tuple[Message, ...], read: list[Message]) -> tuple[Message, ...]:
    """Return the conversation with newly read messages added, each once, in the order of the service."""
    places = {message.event_id: index for index, message in enumerate(before)}
    together = list(before)
    for message in read:
        if message.event_id in places:
            together[places[message.event_id]] = message
        else:
            places[message.event_id] = len(together)
            together.append(message)
    return tuple(together)


def same_look(before: Snapshot | None, after: Snapshot) -> bool:
    """Tell whether two snapshots differ in nothing but the time they were taken."""
    return before is not None and replace(before, observed_at=after.observed_at) == after
