"""The state of all sessions a client knows, in one place, and the subscriptions to it.

Raw answers come in through `see`, acts through `note`; each becomes a snapshot, is kept in the journal and announced to
the subscribers. A session stays in memory as long as something holds it: a handle, a subscription, a wait, or the poll
loop while its turn is open. Everything here belongs to the thread of one event loop, except that attributes may be read
anywhere.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from devin_jupyter.errors import BadRequest, Conflict, DevinError, NotFound
from devin_jupyter.host import changed_file
from devin_jupyter.loop import jitter
from devin_jupyter.models.enums import TURN_OVER, Phase
from devin_jupyter.models.fields import session_id as prefixed
from devin_jupyter.models.fields import spelled
from devin_jupyter.models.snapshot import (
    Facts,
    Message,
    OutputVersion,
    PhaseChange,
    Record,
    Sent,
    Snapshot,
    after_send,
    may_be_a_flicker,
    observe,
    output_history,
    phase_history,
)
from devin_jupyter.models.steps import LiveView

if TYPE_CHECKING:
    from devin_jupyter.journal import Journal

logger = logging.getLogger("devin_jupyter.monitor")
SLOW_CALLBACK_SECONDS = 0.05
CONFIRMED_AFTER = 1.0
"""Seconds after which a second look confirms the end of a turn."""
SECOND_LOOK = 1.2
"""When that second look is taken, in seconds."""
HELD_SECONDS = 120.0
"""After so long without any change, an archived session counts as asleep, whatever the service calls it."""
Raw = Mapping[str, Any]


class Clock:
    """Time, replaced in tests."""

    def now(self) -> datetime:
        """Return the present time, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that only grow."""
        return time.monotonic()

    def jitter(self) -> float:
        """Return a factor near one, so that many kernels do not poll in step."""
        return jitter(0.1)

    async def sleep(self, seconds: float) -> None:
        """Sleep."""
        await asyncio.sleep(seconds)

    async def pause(self, seconds: float, wake: asyncio.Event) -> None:
        """Sleep until the time is up or `wake` is set."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):  # wait_for could swallow a cancellation on waking
                await wake.wait()
        except TimeoutError:
            return


@dataclass(frozen=True, slots=True)
class Connection:
    """How the last request to the service went. Times are UTC."""

    last_seen: datetime | None = None
    """When the service last answered."""
    troubled_since: datetime | None = None
    """When it stopped answering; None while it answers."""
    problem: str = ""
    """What went wrong last, in one line."""

    @property
    def is_ok(self) -> bool:
        """Whether the service answers."""
        return self.troubled_since is None

    def line(self, now: datetime) -> str:
        """Return the line to show a person; empty while the service answers."""
        if self.is_ok:
            return ""
        if self.last_seen is None:
            return "reconnecting, not seen yet"
        seconds = max(0, round((now - self.last_seen).total_seconds()))
        if seconds < 120:
            return f"reconnecting, last seen {seconds} s ago"
        ago = f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"
        return f"reconnecting, last seen {ago} ago"


Change = Snapshot | Connection | LiveView


@dataclass(eq=False, slots=True, weakref_slot=True)
class WatchedSession:
    """A session in memory, shared by all handles on it and all subscriptions to it."""

    record: Record
    """What is known of it, with the session as last seen."""
    doubted_at: float | None = None
    """When the end of the turn was first seen and not yet believed (monotonic)."""
    active_since: float = 0.0
    """When something was last done to it, or watching began (monotonic); the poll interval grows from here."""
    due: float = 0.0
    """When to look next (monotonic)."""
    early: float = 0.0
    """From when on it may be read along with sessions that are due (monotonic)."""
    connection: Connection = field(default_factory=Connection)
    session_id: str = field(init=False)
    """Always `devin-…`."""
    outputs: tuple[OutputVersion, ...] = field(init=False)
    """The structured outputs seen so far, oldest first."""
    phases: tuple[PhaseChange, ...] = field(init=False)
    """The phases seen so far, oldest first."""
    live: LiveView = field(init=False)
    """What the live channel reports of it; empty without the channel."""
    subscriptions: list[Subscription] = field(default_factory=list)
    waiters: list[asyncio.Future[Snapshot]] = field(default_factory=list)
    turn_began: float | None = None
    """When the turn began, if it began in this process (monotonic): clocks of machines differ."""
    is_followed: bool = False
    """There is a handle on it: it is polled until its turn is over."""
    is_hinted: bool = False
    """Something may have changed, so look again even if the turn is over."""
    newest: int = 0
    """The ticket of the last act or accepted answer; older answers are dropped."""
    raw: Raw | None = None
    """The last answer, to notice cheaply that nothing changed."""
    cursor: str | None = None
    """Where the last page of messages begins."""
    read_alone: float = 0.0
    """When it was last read on its own because the list showed no change (monotonic)."""
    held: tuple[Raw, float] | None = None
    """The answer that shows it archived and at work, and since when (monotonic)."""
    misses: int = 0
    """How often in a row the service did not know it or refused the key."""
    problem: DevinError | None = None
    """Why polling was given up; an act or a wait tries again at once."""
    retry_pause: float = 0.0
    """How long after that it is retried automatically, in seconds; 0 for never."""

    def __post_init__(self) -> None:
        self.session_id = self.record.session_id
        self.live = LiveView(session_id=self.session_id)
        self.outputs = output_history((), self.seen) if self.seen is not None else ()
        self.phases = phase_history((), self.seen, self.record.sent) if self.seen is not None else ()

    @property
    def seen(self) -> Snapshot | None:
        """The session as last seen; None before the first answer."""
        return self.record.snapshot

    @property
    def snapshot(self) -> Snapshot:
        """The session as last seen. Raises LookupError before the first answer."""
        if self.seen is None:
            raise LookupError(f"{self.session_id} has not been seen yet")
        return self.seen

    @property
    def is_over(self) -> bool:
        """Whether the turn is over, as last seen."""
        seen = self.record.snapshot
        return seen is not None and seen.phase in TURN_OVER

    def time_left(self, clock: Clock) -> float | None:
        """Return the seconds until its turn exceeds its limit, below 0 once it has; None where there is no limit."""
        seen, limit = self.seen, self.record.facts.max_time
        if limit is None or seen is None or seen.phase in TURN_OVER or seen.recorded is not None:
            return None
        if self.turn_began is not None:
            return limit - (clock.monotonic() - self.turn_began)
        return limit - (clock.now().timestamp() - self.record.turn_began)

    @property
    def is_awaited(self) -> bool:
        """Whether a call waits for the end of the turn."""
        return bool(self.waiters)

    @property
    def is_active(self) -> bool:
        """Whether there is a reason to poll it: a handle, a subscription or a wait, and something left to learn."""
        if self.problem is not None and not self.retry_pause:
            return False
        if self.seen is not None and self.seen.recorded is not None:
            return False
        if not (self.is_followed or self.subscriptions or self.waiters):
            return False
        return not self.is_over or self.is_hinted or any(each.keep for each in self.subscriptions)

    @property
    def wants_messages(self) -> bool:
        """Whether a subscription shows the conversation while it grows."""
        return any(each.messages for each in self.subscriptions)

    def poll_soon(self, now: float) -> None:
        """Poll it now, and often for a while."""
        self.active_since = self.due = self.early = now
        self.is_hinted = True
        self.raw, self.problem, self.misses, self.retry_pause = None, None, 0, 0.0

    def release(self, outcome: Snapshot | DevinError) -> None:
        """Wake all waiting calls with the snapshot, or with the reason why there will be none."""
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            if waiter.done():
                continue
            if isinstance(outcome, DevinError):
                waiter.set_exception(outcome)
            else:
                waiter.set_result(outcome)


class Throttle:
    """Calls a function at most once per `seconds` and always after the last request, by one timer of the loop."""

    def __init__(self, call: Callable[[], None], seconds: float) -> None:
        self._call, self._seconds = call, seconds
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._last = float("-inf")
        self._is_closed = False

    def request(self, *, at_once: bool = False) -> None:
        """Call the function now if the last call is long enough ago, else when it is. On the loop's thread only."""
        if self._is_closed:
            return
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # a forked child inherits a timer that never fires
            self._loop, self._timer, self._last = loop, None, float("-inf")
        pause = self._last + self._seconds - loop.time()
        if at_once or pause <= 0:
            self.flush()
        elif self._timer is None:
            self._timer = loop.call_later(pause, self.flush)

    def flush(self) -> None:
        """Call the function now. On the loop's thread only."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._loop is not None:
            self._last = self._loop.time()
        self._call()

    def close(self) -> None:
        """Accept no more requests; a pending one is carried out now."""
        is_waiting, self._is_closed = self._timer is not None, True
        if is_waiting:
            self.flush()


class Subscription:
    """A hold on some sessions: a function is called with their changes until `close`.

    Panels, batches and users hold one each. `want` and `close` may be called from any thread; calling the subscription
    itself closes it too.
    """

    def __init__(
        self,
        store: SessionStore,
        on_change: Callable[[Change], None],
        *,
        messages: bool = False,
        keep: bool = False,
        every: float = 0.0,
    ) -> None:
        self._store, self._on_change = store, on_change
        self.messages, self.keep = messages, keep
        self._sessions: dict[str, WatchedSession] = {}
        self._pending: dict[tuple[str, type[Change]], Change] = {}
        self._loop, self._pid = asyncio.get_running_loop(), os.getpid()
        self._throttle = Throttle(self._publish, every) if every > 0 else None

    @property
    def connection(self) -> Connection:
        """How the last request to the service went."""
        return self._store.connection

    def add(self, session: str | WatchedSession) -> None:
        """Follow another session too."""
        entry = self._store.hold(session)
        if self not in entry.subscriptions:
            self.discard(entry.session_id)
            self._sessions[entry.session_id] = entry
            entry.subscriptions.append(self)
            self._want_messages(entry)
            self._store.update(entry)

    def discard(self, session_id: str) -> None:
        """Stop following a session."""
        entry = self._sessions.pop(session_id, None)
        if entry is not None:
            entry.subscriptions.remove(self)
            self._store.update(entry)

    def want(self, *, messages: bool, keep: bool) -> None:
        """Change what is wanted, such as no messages while the panel is scrolled away."""

        def change() -> None:
            wants_more = messages and not self.messages
            self.messages, self.keep = messages, keep
            for entry in self._sessions.values():
                if wants_more:
                    self._want_messages(entry)
                self._store.update(entry)

        self._on_loop(change)

    def publish(self, session_id: str, change: Change, *, at_once: bool) -> None:
        """Pass a change on, or keep it until the next call is due."""
        if self._throttle is None:
            self._call(change)
            return
        self._pending[session_id, type(change)] = change
        self._throttle.request(at_once=at_once)

    def close(self) -> None:
        """Stop, after a last call with pending changes; closing again does nothing."""

        def unsubscribe() -> None:
            if self._throttle is not None:
                self._throttle.close()
            for session_id in list(self._sessions):
                self.discard(session_id)

        self._on_loop(unsubscribe)

    __call__ = close

    def _on_loop(self, call: Callable[[], None]) -> None:
        try:
            is_here = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            is_here = False
        if is_here or os.getpid() != self._pid:  # the loop of a forked child's parent never runs
            call()
            return
        with suppress(RuntimeError):  # the loop is closed: the process ends
            self._loop.call_soon_threadsafe(call)

    def _want_messages(self, entry: WatchedSession) -> None:
        if self.messages and not entry.is_over:  # the messages so far should not have to wait for a poll interval
            entry.due = entry.early = self._store.clock.monotonic()
            entry.raw = None

    def _publish(self) -> None:
        pending, self._pending = self._pending, {}
        for change in pending.values():
            self._call(change)

    def _call(self, change: Change) -> None:
        began = time.perf_counter()
        try:
            self._on_change(change)
        except Exception:  # one broken display must not stop the polling of a thousand sessions
            logger.exception("a subscriber failed")
        took = time.perf_counter() - began
        if took > SLOW_CALLBACK_SECONDS:
            logger.warning("a subscriber took %.0f ms; polls wait meanwhile", took * 1000)


class SessionStore:
    """What one client knows of sessions."""

    def __init__(
        self,
        journal: Journal | None = None,
        *,
        bare: Callable[[], Facts] = Facts,
        clock: Clock | None = None,
    ) -> None:
        """Start empty.

        Args:
            journal: where snapshots are kept, and where facts of other sessions come from.
            bare: the facts of a session that neither memory nor journal knows.
            clock: time, for tests.
        """
        self._journal, self._bare, self.clock = journal, bare, clock or Clock()
        self._sessions: WeakValueDictionary[str, WatchedSession] = WeakValueDictionary()
        self._active: dict[WatchedSession, None] = {}
        self._tickets = itertools.count(1)
        self.connection = Connection()
        self.service_time: Callable[[], float | None] = lambda: None
        """Returns the present time by the service's clock, in Unix seconds."""
        self.wake: Callable[[], None] = lambda: None
        """Called when there may be something to poll."""
        self.follow: Callable[[WatchedSession], None] | None = None
        """Called when the live channel may have to follow a session, or no longer; None without the channel."""
        self.live_reason: str | None = None
        """Why the live channel follows none."""

    # --- what is known --------------------------------------------------------------------------------------

    def record(self, session_id: str) -> Record:
        """Return what is known of a session: from memory, else the journal, else the bare facts of this client.

        Reads the journal on the calling thread.
        """
        identifier = prefixed(session_id)
        entry = self._sessions.get(identifier)
        if entry is not None:
            return entry.record
        bare, written = self._bare(), self._journal.record(identifier) if self._journal is not None else None
        if written is None:
            return Record(session_id=identifier, facts=bare)
        facts = written.facts.read_by(bare.where.api_version, simulated=bare.simulated)
        return replace(written, facts=facts)

    def find(self, session_id: str) -> WatchedSession | None:
        """Return the session if it is in memory."""
        return self._sessions.get(session_id)

    def sessions(self) -> list[WatchedSession]:
        """Return all sessions in memory."""
        return list(self._sessions.values())

    def active(self) -> list[WatchedSession]:
        """Return the sessions to poll."""
        return list(self._active)

    def hold(self, session: str | WatchedSession) -> WatchedSession:
        """Return the session; it stays in memory while the caller holds it. May read the journal on this thread."""
        if isinstance(session, WatchedSession):
            self._sessions.setdefault(session.session_id, session)
            return session
        identifier = prefixed(session)
        entry = self._sessions.get(identifier)
        return entry if entry is not None else self._add(self.record(identifier))

    async def load(self, session: str | WatchedSession) -> WatchedSession:
        """Return the session as `hold` does, reading the journal off the loop."""
        if isinstance(session, WatchedSession):
            return self.hold(session)
        identifier = prefixed(session)
        entry = self._sessions.get(identifier)
        if entry is None:
            record = await asyncio.to_thread(self.record, identifier)
            entry = self._sessions.get(identifier)  # it may have been added in the meantime
            entry = entry if entry is not None else self._add(record)
        return entry

    def track(self, record: Record) -> WatchedSession:
        """Return the session for a handle, and poll it until its turn is over.

        A snapshot that is older than the one in memory changes nothing.
        """
        entry = self._sessions.get(record.session_id)
        if entry is None:
            entry = self._add(record)
        before, snapshot = entry.seen, record.snapshot
        entry.record, entry.is_followed, entry.problem = replace(record, snapshot=before), True, None
        if snapshot is not None and (before is None or not _is_earlier(snapshot, before)):
            self.accept(entry, snapshot, ticket=self.ticket())
        if not entry.is_over:
            entry.poll_soon(self.clock.monotonic())
        self.update(entry)
        return entry

    # --- what happens ---------------------------------------------------------------------------------------

    def ticket(self) -> int:
        """Return a number to take before a request; `see` drops its answer if something newer is known by then."""
        return next(self._tickets)

    async def see(self, raw: Raw, *, ticket: int | None = None, messages: Sequence[Message] | None = None) -> Snapshot:
        """Process a response: make a snapshot of it, write it to the journal, tell the subscribers.

        An answer that is older than an act, than a later request's answer or, by its `updated_at`, than what was seen
        (a lagging replica) changes nothing. The end of a followed turn is announced only together with the
        conversation; without `messages` it makes the poll loop read it at once.

        Args:
            raw: the session as the service returned it.
            ticket: taken before the request; None for the answer to an act.
            messages: the conversation, if it was read.

        Returns:
            The session as now known.

        Raises:
            DevinError: the answer cannot be read as a session.
        """
        entry = await self.load(str(raw.get("session_id") or ""))
        ticket = self.ticket() if ticket is None else ticket
        await self.check_terminated(entry, raw, ticket)
        snapshot = self.observe(entry, raw, messages)
        if snapshot is None:
            raise entry.problem or DevinError(f"{entry.session_id} could not be read")
        if self.is_outdated(entry, snapshot, ticket):
            return entry.snapshot
        is_followed = entry.is_followed or entry.subscriptions or entry.waiters
        if snapshot.phase in TURN_OVER and messages is None and not entry.is_over and is_followed:
            entry.poll_soon(self.clock.monotonic())
            self.update(entry)
        else:
            self.accept(entry, snapshot, ticket=ticket, raw=raw)
            await self.save([snapshot])
        self.release([entry])
        return snapshot

    async def note(
        self,
        session: str | WatchedSession,
        *,
        sent: Sent | None = None,
        terminated: bool = False,
        stopped_after: float | None = None,
        tags: Sequence[str] | None = None,
    ) -> None:
        """Record an act: responses to earlier requests are dropped from now on, and the session is polled soon.

        Args:
            session: an id in any form, or the session in memory.
            sent: a message was sent; its turn is open.
            terminated: the session was ended before it was done; written to the journal too.
            stopped_after: it was ended since its turn took longer than these seconds.
            tags: its tags now, without ours.
        """
        entry = await self.load(session)
        entry.newest, snapshot = self.ticket(), entry.seen
        if sent is not None:
            entry.record = replace(entry.record, sent=sent, terminated=False)
            entry.turn_began = self.clock.monotonic()
            snapshot = after_send(replace(snapshot, recorded=None)) if snapshot is not None else None
        if terminated:
            entry.record = replace(entry.record, terminated=True)
            if self._journal is not None:
                await asyncio.to_thread(self._journal.mark_terminated, entry.session_id)
        if stopped_after is not None and snapshot is not None:
            snapshot = replace(snapshot, stopped_after=stopped_after)
        if tags is not None and snapshot is not None:
            snapshot = replace(snapshot, tags=tuple(tags))
        if not entry.is_over or sent is not None or terminated:
            entry.poll_soon(self.clock.monotonic())
        if snapshot is not None and snapshot is not entry.seen:
            self._set(entry, snapshot)
            if sent is not None or stopped_after is not None:
                await self.save([snapshot])
        self.update(entry)

    @asynccontextmanager
    async def ending(self, session: str | WatchedSession, *, stopped_after: float | None = None) -> AsyncIterator[None]:
        """Record that a session is about to be ended, by the request made within: the kernel may die right after it.

        `note` follows. If the service refuses, as it does for a session that is over, this is taken back; any other
        failure may have ended the session.

        Args:
            session: an id in any form, or the session in memory.
            stopped_after: its turn took longer than these seconds.
        """
        entry = await self.load(session)
        await self._mark_terminating(entry)
        if stopped_after is not None and entry.seen is not None:
            self._set(entry, seen := replace(entry.seen, stopped_after=stopped_after))
            await self.save([seen])
        try:
            yield
        except (BadRequest, Conflict, NotFound):
            await self._mark_terminating(entry, is_terminating=False)
            raise

    async def _mark_terminating(self, entry: WatchedSession, *, is_terminating: bool = True) -> None:
        """Tell the journal that a session is about to be ended, or was not; its failure does not keep it running."""
        try:
            if self._journal is not None:
                mark = self._journal.mark_terminating
                await asyncio.to_thread(mark, entry.session_id, is_terminating=is_terminating)
        except Exception as problem:
            logger.warning("the journal does not say that %s was about to be ended: %s", entry.session_id, problem)

    async def limit(self, session: str | WatchedSession, max_time: float) -> None:
        """Set how long a turn may take from now on, in seconds; written to the journal too."""
        entry = await self.load(session)
        entry.record = replace(entry.record, facts=entry.record.facts.limited_to(max_time))
        if self._journal is not None:
            await asyncio.to_thread(self._journal.limit, entry.session_id, max_time)

    def poll_now(self, session_id: str) -> None:
        """Poll the session at once if it is active: something may have changed."""
        entry = self._sessions.get(session_id)
        if entry is not None:
            entry.poll_soon(self.clock.monotonic())
            self.update(entry)

    def subscribe(
        self,
        sessions: Iterable[str | WatchedSession],
        on_change: Callable[[Change], None],
        *,
        messages: bool = False,
        keep: bool = False,
        every: float = 0.0,
    ) -> Subscription:
        """Have a function called with new snapshots of these sessions, live views, and changes of the connection.

        Args:
            sessions: ids in any form, or sessions in memory; `Subscription.add` takes more.
            on_change: called on the loop's thread; must not block, print or display.
            messages: read the conversation while it grows, not only at the end of the turn.
            keep: continue after the end of the turn, slowly.
            every: call at most once in this many seconds, with the newest snapshot and the newest live view of each
                session; the end of a turn is told at once.
        """
        subscription = Subscription(self, on_change, messages=messages, keep=keep, every=every)
        for session in sessions:
            subscription.add(session)
        return subscription

    async def turn_over(self, session: str | WatchedSession, timeout: float | None = None) -> Snapshot:
        """Wait for the end of the turn, or the time-out, and return the session as last seen.

        Raises:
            DevinError: the session cannot be watched: unknown, or refused to this key.
            TimeoutError: the time is up, and the session was never seen.
        """
        entry = await self.load(session)
        if entry.seen is not None and (entry.is_over or entry.seen.recorded is not None):
            return entry.seen
        if entry.problem is not None:
            entry.poll_soon(self.clock.monotonic())
        waiter: asyncio.Future[Snapshot] = asyncio.get_running_loop().create_future()
        entry.waiters.append(waiter)
        self.update(entry)
        try:
            return await asyncio.wait_for(waiter, timeout)
        except TimeoutError:
            if entry.seen is None:
                raise
            return entry.seen
        finally:
            if waiter in entry.waiters:
                entry.waiters.remove(waiter)
            self.update(entry)

    def close(self) -> None:
        """Stop watching; waiting calls raise that the client was closed."""
        for entry in self.active():
            self.give_up(
                entry, DevinError("the client was closed while the session was watched", "the session keeps running")
            )
        self._active.clear()

    # --- the steps of `see`, which a sweep takes for many sessions at a time -----------------------------------

    def observe(self, entry: WatchedSession, raw: Raw, messages: Sequence[Message] | None = None) -> Snapshot | None:
        """Return the snapshot of an answer; None if it cannot be read, in which case the session is given up."""
        service_at = None if entry.record.sent is None else self.service_now()  # how long ago that was
        try:
            seen = observe(raw, entry.record, at=self.clock.now(), messages=messages, service_at=service_at)
        except Exception as bug:
            logger.exception("the state of %s could not be read", entry.session_id)
            self.give_up(entry, internal_error(bug))
            return None
        seen = seen if seen.session_id == entry.session_id else replace(seen, session_id=entry.session_id)
        return self._at_rest(entry, seen, raw)

    def _at_rest(self, entry: WatchedSession, seen: Snapshot, raw: Raw) -> Snapshot:
        """Let the turn of an archived session end, which the service may leave as it is for good."""
        if not seen.is_archived or seen.turn_over:
            entry.held = None
            return seen
        now = self.clock.monotonic()
        if entry.held is None or entry.held[0] != raw:
            entry.held = (raw, now)
        if now - entry.held[1] < HELD_SECONDS:
            return seen
        return replace(seen, phase=Phase.ASLEEP, send_pending=False)

    def service_now(self) -> datetime | None:
        """Return the present time by the service's clock; None where it does not tell it."""
        seconds = self.service_time()
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)

    def is_to_be_confirmed(self, entry: WatchedSession, snapshot: Snapshot) -> bool:
        """Return whether the end of the turn is believed only if a look a second later says the same."""
        if not may_be_a_flicker(snapshot, entry.seen, self.service_now()):
            entry.doubted_at = None
            return False
        now = self.clock.monotonic()
        if entry.doubted_at is not None and now - entry.doubted_at >= CONFIRMED_AFTER:
            entry.doubted_at = None
            return False
        entry.doubted_at = now if entry.doubted_at is None else entry.doubted_at
        return True

    async def check_terminated(self, entry: WatchedSession, raw: Raw, ticket: int) -> None:
        """Check the journal for whether another process terminated the session: the service says only that it is over.

        Args:
            entry: the session.
            raw: the answer that may say so.
            ticket: the ticket of that answer.
        """
        if self._journal is None or entry.record.terminated or spelled(raw.get("status"), ("exit",)) != "exit":
            return
        try:
            if await asyncio.to_thread(self._journal.is_terminated, entry.session_id) and ticket >= entry.newest:
                entry.record = replace(entry.record, terminated=True)
        except Exception as problem:
            logger.warning("the journal was not asked who ended %s: %s", entry.session_id, problem)

    def is_outdated(self, entry: WatchedSession, snapshot: Snapshot, ticket: int) -> bool:
        """Return whether something newer than this answer is known."""
        before = entry.seen
        if before is None:
            return False
        if ticket < entry.newest:
            return True
        is_lagging = (
            before.updated_at is not None
            and snapshot.updated_at is not None
            and snapshot.updated_at < before.updated_at
        )
        return is_lagging and before.recorded is None and before.api_version == snapshot.api_version

    def accept(self, entry: WatchedSession, snapshot: Snapshot, *, ticket: int, raw: Raw | None = None) -> bool:
        """Set the current snapshot, and return whether it differs from the one before."""
        entry.doubted_at = None
        before, entry.newest = entry.seen, max(entry.newest, ticket)
        snapshot = _with_asking(entry, snapshot)
        entry.raw, entry.is_hinted, entry.problem, entry.misses = raw, False, None, 0
        is_news = not is_unchanged(before, snapshot)
        if is_news:
            self._set(entry, snapshot)
        else:
            entry.record = replace(entry.record, snapshot=snapshot)
        self.update(entry, may_be_due=False)
        return is_news

    async def save(self, snapshots: Sequence[Snapshot]) -> None:
        """Write snapshots to the journal. A failing journal does not stop the polling."""
        if self._journal is None or not snapshots:
            return
        try:
            await asyncio.to_thread(self._journal.save_snapshots, snapshots)
        except Exception as problem:  # where money is spent, the journal's failure is an error; here it is not
            logger.warning("snapshots were not kept: %s", problem)

    def release(self, entries: Iterable[WatchedSession]) -> None:
        """Wake the calls that wait for a turn that is over; called once its snapshot is in the journal."""
        for entry in entries:
            if (seen := entry.seen) is not None and seen.phase in TURN_OVER:
                entry.release(seen)
                self.update(entry)

    def give_up(self, entry: WatchedSession, problem: DevinError, *, retry_pause: float = 0.0) -> None:
        """Stop polling a session; waiting calls raise the problem.

        Args:
            entry: the session.
            problem: why.
            retry_pause: try again after so many seconds, as long as there is a handle; 0 for never.
        """
        entry.problem, entry.retry_pause = problem, retry_pause
        entry.release(problem)
        self.update(entry)

    def set_connection(self, connection: Connection, entries: Iterable[WatchedSession] = ()) -> None:
        """Note how the last request went, and tell every subscription once.

        Args:
            connection: as it is now.
            entries: the sessions that were asked for; their turns may just have ended.
        """
        self.connection = connection
        notified: dict[Subscription, None] = {}
        for entry in (*self.active(), *entries):
            entry.connection = connection
            notified |= dict.fromkeys(entry.subscriptions)
        for subscription in notified:
            subscription.publish("", connection, at_once=False)

    def publish_connection(self, entry: WatchedSession, connection: Connection) -> None:
        """Tell the subscribers of one session why it cannot be watched."""
        entry.connection = connection
        for subscription in tuple(entry.subscriptions):
            subscription.publish(entry.session_id, connection, at_once=True)

    def set_live(self, session: str | WatchedSession, view: LiveView) -> None:
        """Set what the live channel tells of a session, and tell the subscribers. On the loop's thread only."""
        entry = self.hold(session)
        if entry.live == view:
            return
        entry.live = view
        if entry.seen is not None and (seen := _with_asking(entry, entry.seen)) is not entry.seen:
            self._set(entry, seen)
        for subscription in tuple(entry.subscriptions):
            subscription.publish(entry.session_id, view, at_once=False)

    def update(self, entry: WatchedSession, *, may_be_due: bool = True) -> None:
        """Start or stop polling a session, as its state requires.

        Args:
            entry: the session.
            may_be_due: False where the time of its next look stays as it is.
        """
        if not entry.is_active:
            self._active.pop(entry, None)
        elif may_be_due or entry not in self._active:
            self._active[entry] = None
            self.wake()
        if self.follow is not None:
            self.follow(entry)

    def _add(self, record: Record) -> WatchedSession:
        now = self.clock.monotonic()
        entry = WatchedSession(record, active_since=now, due=now, early=now)
        entry.live = replace(entry.live, reason=self.live_reason)
        self._sessions[record.session_id] = entry
        return entry

    def _set(self, entry: WatchedSession, snapshot: Snapshot) -> None:
        is_end = snapshot.phase in TURN_OVER and not entry.is_over
        entry.record, entry.outputs = replace(entry.record, snapshot=snapshot), output_history(entry.outputs, snapshot)
        entry.phases = phase_history(entry.phases, snapshot, entry.record.sent)
        for subscription in tuple(entry.subscriptions):
            subscription.publish(entry.session_id, snapshot, at_once=is_end)


def _with_asking(entry: WatchedSession, snapshot: Snapshot) -> Snapshot:
    """Note in a snapshot whether the live channel says that the reply waits for its user; it holds for that reply."""
    is_asked = entry.live.asks is not None
    if entry.live.state != "on":
        is_asked = entry.seen is not None and entry.seen.is_asked
    is_asked &= snapshot.phase in (Phase.YOUR_TURN, Phase.ASLEEP)
    return snapshot if snapshot.is_asked is is_asked else replace(snapshot, is_asked=is_asked)


_shown = attrgetter(*(item.name for item in fields(Snapshot) if item.name != "observed_at"))


def is_unchanged(before: Snapshot | None, after: Snapshot) -> bool:
    """Return whether two snapshots differ only in the time they were taken."""
    return before is not None and bool(_shown(before) == _shown(after))


def _is_earlier(snapshot: Snapshot, other: Snapshot) -> bool:
    """Return whether a snapshot was taken no later than the other, of the same kind."""
    if snapshot is other:
        return True
    if snapshot.observed_at is None or other.observed_at is None or snapshot.recorded != other.recorded:
        return False
    return snapshot.observed_at <= other.observed_at


def internal_error(bug: Exception) -> DevinError:
    """Return the error for a bug in this package, or for one that has changed while it runs."""
    if changed := changed_file():
        return DevinError(
            f"devin_jupyter has changed while this kernel runs ({changed}): {bug!r}",
            "the session keeps running",
            "restart the kernel and run the cell again: it finds its session",
        )
    return DevinError(
        f"a fault in devin_jupyter: {bug!r}",
        "the session keeps running",
        "%devin debug writes a report for a bug ticket",
    )
