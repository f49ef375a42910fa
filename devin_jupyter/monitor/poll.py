"""The poll loop: reads the active sessions of a store and passes the responses to it.

Many sessions are read in few requests, see `Sessions.by_ids`. The loop runs while there is something to poll, survives
every kind of connection trouble, and never retries a request: the next sweep does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from heapq import nsmallest
from operator import attrgetter

from devin_jupyter.api.sessions import IDS_PER_PAGE, Found, Messages, Sessions
from devin_jupyter.config import Pace
from devin_jupyter.errors import (
    ApiError,
    BadRequest,
    Conflict,
    DevinError,
    Forbidden,
    NotFound,
    RateLimited,
    Unauthorized,
    Unprocessable,
)
from devin_jupyter.models.enums import TURN_OVER
from devin_jupyter.models.fields import read_message
from devin_jupyter.models.snapshot import Message, Snapshot
from devin_jupyter.monitor.store import (
    SECOND_LOOK,
    Clock,
    Connection,
    Raw,
    SessionStore,
    WatchedSession,
    internal_error,
    is_unchanged,
)

logger = logging.getLogger("devin_jupyter.monitor")

CONCURRENT = 4
"""Conversations that are read at a time."""
_REFUSALS = (NotFound, Forbidden, Unauthorized, BadRequest, Unprocessable)
"""What the service answers where it does not show a session, and will not at the next look."""
_PASSING = (408, 425)
"""Statuses of these that pass."""
MISSES = 4
"""How often in a row the service must not know a session, or refuse the key, before it is believed: a list may lag
behind a create, and some gateways answer 403 during maintenance."""
ALONE_SECONDS = 600.0
"""A session at work that looks the same for so long in the list is read by itself as well."""
FIRST_RETRY, LONGEST_RETRY = 30.0, 600.0
"""Seconds until a session that was given up is tried again: at first, and at most."""
FAILED_SWEEPS = 5
"""After this many sweeps in a row that failed because of a bug in this package, waiting calls raise it."""
TOGETHER = 0.5
"""Sessions due within this part of their interval are read along with those that are due, where a request has room."""
SAVED_EVERY = 60.0
"""Seconds between two writes of what open turns show, where they are more than a request reads: writing a session costs
as much as reading it, and the next kernel reads open turns anew. The end of a turn is written at once."""
LONGEST_BACKOFF = 30.0
LONGEST_RETRY_AFTER = 300.0
"""The longest pause in seconds; a service that asks for more probably has a wrong clock."""


class Backoff:
    """How the connection is, and when the next request is allowed after failures."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._failures = clock, 0
        self.connection = Connection()
        self.not_before = 0.0
        """The monotonic time of the next request."""

    def succeed(self) -> None:
        """The service answered."""
        self.connection, self._failures, self.not_before = Connection(last_seen=self._clock.now()), 0, 0.0

    def fail(self, problem: DevinError, *, first_pause: float, answered: bool = False) -> None:
        """Wait twice as long as after the failure before, and at least as long as the service asks for.

        Args:
            problem: what went wrong.
            first_pause: seconds after the first failure.
            answered: other requests were answered, so that only a rate limit makes pauses grow: one session that
                cannot be read must not keep the others from being seen.
        """
        before, now = self.connection, self._clock.now()
        last_seen = now if answered else before.last_seen
        self.connection = Connection(last_seen, before.troubled_since or now, problem.message)
        if answered and not isinstance(problem, RateLimited):
            self._failures = 0
        pause = min(LONGEST_BACKOFF, first_pause * 2 ** min(self._failures, 10))
        self._failures += 1
        self.not_before = self._clock.monotonic() + max(pause * self._clock.jitter(), _retry_after(problem))


class Poller:
    """Polls the sessions of a store. Every method is for the loop's thread."""

    def __init__(
        self,
        store: SessionStore,
        sessions: Sessions,
        messages: Messages,
        *,
        is_v1: bool = False,
        pace: Pace | None = None,
    ) -> None:
        """Poll nothing yet.

        Args:
            store: whose sessions.
            sessions: how to read sessions.
            messages: how to read their conversations.
            is_v1: these are of API version 1.
            pace: how often to look.
        """
        self.store, self.pace = store, pace or Pace()
        self._sessions, self._messages, self._is_v1 = sessions, messages, is_v1
        self._clock, self._backoff, self._pages = store.clock, Backoff(store.clock), 1.0
        self._read_alone_at = self._saved_at = float("-inf")
        self._unsaved: dict[str, Snapshot] = {}
        """What has changed since the journal was written, by id."""
        self._limit = asyncio.Semaphore(CONCURRENT)
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        store.wake = self.wake

    def wake(self) -> None:
        """Check whether there is something to poll now."""
        self._wake.set()
        here = asyncio.get_running_loop()  # another one in a forked child
        if self._task is None or self._task.done() or self._task.get_loop() is not here:
            self._wake = asyncio.Event()
            self._task = here.create_task(self._run(), name="devin-monitor")

    async def idle(self) -> None:
        """Wait until there is nothing left to poll."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def aclose(self) -> None:
        """Stop polling; waiting calls raise that the client was closed."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self._save(self._clock.monotonic())
        self.store.close()

    async def look(self, session: str | WatchedSession, *, retries: bool = True) -> Snapshot:
        """Read a session now, with its conversation if the turn is over, and return it.

        Args:
            session: an id in any form, or the session in memory.
            retries: try again after failures; False where an older snapshot is at hand.

        Raises:
            DevinError: it could not be read.
        """
        entry = await self.store.load(session)
        for pause in (0.0, SECOND_LOOK):
            await self._clock.sleep(pause)
            ticket, entry.raw = self.store.ticket(), None
            raw = await self._sessions.get(entry.session_id, retries=retries)
            if self._take(entry, raw, ticket):
                await self._take_with_conversation(entry, raw, ticket, is_sweep=False)
            if entry.doubted_at is None:
                break
        if entry.problem is not None:
            raise entry.problem
        await self.store.save([entry.snapshot])
        self.store.release([entry])
        return entry.snapshot

    # --- the loop -------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        failed = 0
        while (active := self.store.active()) or self._unsaved:
            self._wake.clear()
            if not active:
                await self._save(self._clock.monotonic())
                continue
            self._pages = max(1.0, len(active) / IDS_PER_PAGE)
            now = self._clock.monotonic()
            first = max(min(map(_due_at, active)), self._backoff.not_before)
            if first > now:
                await self._clock.pause(first - now, self._wake)
                continue
            try:
                await self._sweep(self._due(active, now))
                failed = 0
            except Exception as bug:
                logger.exception("a sweep failed")
                failed += 1
                self._set_connection(internal_error(bug), active)
                for entry in active if failed >= FAILED_SWEEPS else ():
                    self.store.give_up(entry, internal_error(bug))

    def _due(self, active: list[WatchedSession], now: float) -> list[WatchedSession]:
        """Return the sessions that are due, and as many of the next ones as fit into the same requests."""
        if self._is_v1:  # which reads its newest pages, whatever is looked for
            return [entry for entry in active if entry.early <= now]
        due, next_ones = list[WatchedSession](), list[WatchedSession]()
        for entry in active:
            if entry.early <= now:
                (due if entry.due <= now else next_ones).append(entry)
        return [*due, *nsmallest(-len(due) % IDS_PER_PAGE, next_ones, key=_due_at)]

    async def _sweep(self, entries: list[WatchedSession]) -> None:
        self._limit = asyncio.Semaphore(CONCURRENT)  # a forked child inherits one without its holders
        before = [(entry.seen, entry.active_since) for entry in entries]
        ticket = self.store.ticket()
        found = await self._sessions.by_ids([entry.session_id for entry in entries], retries=False)
        await self._read_alone(entries, found)

        # no task for each of a thousand unchanged sessions
        news = [(entry, raw) for entry in entries if (raw := self._news(entry, found, ticket)) is not None]
        talking = [(entry, raw) for entry, raw in news if self._take(entry, raw, ticket)]

        async def take_with_conversation(entry: WatchedSession, raw: Raw) -> None:
            try:
                await self._take_with_conversation(entry, raw, ticket)
            except DevinError as problem:
                found.problems[entry.session_id] = problem

        if talking:
            await asyncio.gather(*(take_with_conversation(entry, raw) for entry, raw in talking))
        self._judge(entries, found)
        await self._settle(entries, before)

    async def _settle(self, entries: list[WatchedSession], before: list[tuple[Snapshot | None, float]]) -> None:
        """Plan the next sweeps, keep what has changed, and wake those that wait.

        Args:
            entries: the sessions that were read.
            before: of each, the snapshot and since when it was active, before they were.
        """
        now, jitter = self._clock.monotonic(), 1.0
        exceeded, has_ended = list[WatchedSession](), False
        for place, (entry, (seen, active_since)) in enumerate(zip(entries, before, strict=True)):
            if place % IDS_PER_PAGE == 0:  # a request's sessions stay together, and requests part in time
                jitter = self._clock.jitter()
            current, left = entry.seen, entry.time_left(self._clock)
            if entry.doubted_at is not None:
                entry.due = entry.early = now + SECOND_LOOK
            elif entry.active_since == active_since:  # else it is due at once
                self._plan(entry, now, left, jitter)
            if current is not None and current is not seen and not is_unchanged(seen, current):
                self._unsaved[entry.session_id] = current
                has_ended |= current.turn_over
            if left is not None and left <= 0:
                exceeded.append(entry)
        if has_ended or self._pages <= 1 or now - self._saved_at >= SAVED_EVERY:
            await self._save(now)
        for entry in exceeded:
            await self._end(entry)
        self.store.release(entries)  # those who wait find the end of the turn in the journal too

    async def _save(self, now: float) -> None:
        """Write what has changed to the journal, many sessions in one transaction."""
        unsaved, self._unsaved, self._saved_at = [*self._unsaved.values()], {}, now
        await self.store.save(unsaved)

    async def _end(self, entry: WatchedSession) -> None:
        """End a session whose turn exceeded its limit; a failure is tried again at the next look."""
        limit = entry.record.facts.max_time
        try:
            async with self.store.ending(entry, stopped_after=limit):
                await self._sessions.terminate(entry.session_id)
        except (BadRequest, NotFound, Conflict):
            return  # it is over already: the next look says how
        except DevinError as problem:
            logger.warning("%s exceeds --max-time and cannot be stopped yet: %s", entry.session_id, problem.message)
            return
        await self.store.note(entry, terminated=True, stopped_after=limit)

    async def _read_alone(self, entries: list[WatchedSession], found: Found) -> None:
        """Read one session by itself that has looked the same in the list for long: it may be gone from the service."""
        now = self._clock.monotonic()
        if now - self._read_alone_at < self.pace.fast * self._pages:
            return
        for entry in entries:
            name = entry.session_id
            if entry.raw is None or entry.is_over or now - max(entry.read_alone, entry.active_since) < ALONE_SECONDS:
                continue
            if found.raws.get(name) != entry.raw:
                continue
            entry.read_alone = self._read_alone_at = now
            try:
                found.raws[name] = await self._sessions.get(name, retries=False)
            except DevinError as problem:
                found.problems[name] = problem
            return

    def _news(self, entry: WatchedSession, found: Found, ticket: int) -> Raw | None:
        """Return the response for a session; None if there is none, or it is outdated, or as before."""
        raw = found.raws.get(entry.session_id)
        if raw is None:
            return None
        entry.misses = 0
        if entry.problem is not None:  # it was given up
            entry.problem, entry.raw, entry.retry_pause = None, None, 0.0
            self.store.publish_connection(entry, Connection(last_seen=self._clock.now()))
        if ticket < entry.newest:
            return None  # an action came in between
        seen = entry.seen
        if seen is None or seen.send_pending or raw != entry.raw:
            return raw
        if seen.is_archived and not entry.is_over:  # which is held for a time
            return raw
        entry.doubted_at = None  # it is as it was before that look
        if entry.is_hinted:
            entry.is_hinted = False
            self.store.update(entry)
        return None

    def _take(self, entry: WatchedSession, raw: Raw, ticket: int) -> bool:
        """Pass a response to the store, unless its conversation has to be read first; return whether it has."""
        snapshot = self.store.observe(entry, raw)
        if snapshot is None:
            return False
        if snapshot.phase in TURN_OVER or snapshot.send_pending or entry.wants_messages:
            return True
        if not self.store.is_outdated(entry, snapshot, ticket):
            self.store.accept(entry, snapshot, ticket=ticket, raw=raw)
        return False

    async def _take_with_conversation(
        self, entry: WatchedSession, raw: Raw, ticket: int, *, is_sweep: bool = True
    ) -> None:
        """Read the conversation, and pass it to the store together with the response.

        Raises:
            DevinError: the conversation could not be read.
        """
        cursor = entry.cursor
        try:
            messages = await self._conversation(entry, raw, retries=not is_sweep)
        except (Forbidden, NotFound) as refusal:
            if refusal.error_code is not None:  # it is held back for now
                raise
            messages = []  # some keys may read a session and not its conversation
        await self.store.check_terminated(entry, raw, ticket)
        snapshot = self.store.observe(entry, raw, merged(entry.seen.messages if entry.seen else (), messages))
        if snapshot is None:
            return
        if self.store.is_outdated(entry, snapshot, ticket) or self.store.is_to_be_confirmed(entry, snapshot):
            entry.cursor = cursor  # what was read is read again
            return
        self.store.accept(entry, snapshot, ticket=ticket, raw=raw)

    def _plan(self, entry: WatchedSession, now: float, left: float | None, jitter: float) -> None:
        """Set when to read a session next."""
        interval = self._interval(entry, now, left)
        entry.due, entry.early = now + interval * jitter, now + (1 - TOGETHER) * interval * jitter

    def _interval(self, entry: WatchedSession, now: float, left: float | None) -> float:
        """Return the pause until the next look; many sessions are read no more often than few.

        Args:
            entry: the session.
            now: the present time (monotonic).
            left: the seconds until its turn exceeds its limit.
        """
        if entry.problem is not None:
            return entry.retry_pause
        if not entry.is_hinted and entry.is_over:
            return self.pace.asleep
        grown = min(self.pace.slow, self.pace.growth * (now - entry.active_since))
        grown = grown if left is None or left <= 0 else min(grown, left)
        return max(self.pace.fast * self._pages, grown)

    def _judge(self, entries: list[WatchedSession], found: Found) -> None:
        troubles: list[DevinError] = []
        for entry in entries if found.problems else ():
            problem = found.problems.get(entry.session_id)
            if isinstance(problem, _REFUSALS) and problem.status_code not in _PASSING:
                entry.misses += MISSES if problem.error_code == "migrated_session" else 1
            if problem is not None and entry.misses >= MISSES:
                if entry.problem is None:
                    last_seen = self.store.connection.last_seen
                    self.store.publish_connection(entry, Connection(last_seen, self._clock.now(), problem.message))
                pause = min(LONGEST_RETRY, max(FIRST_RETRY, 2 * entry.retry_pause))
                self.store.give_up(entry, problem, retry_pause=pause)
            elif problem is not None and not isinstance(problem, NotFound):
                troubles.append(problem)
        # of several problems the one that calls for the longest pause counts, of several alike the last
        worst = max(
            reversed(troubles), key=lambda each: (isinstance(each, RateLimited), _retry_after(each)), default=None
        )
        self._set_connection(worst, entries, answered=not found.raws.keys() <= found.problems.keys())

    def _set_connection(
        self, trouble: DevinError | None, entries: Iterable[WatchedSession], *, answered: bool = False
    ) -> None:
        was_ok = self._backoff.connection.is_ok
        if trouble is None:
            self._backoff.succeed()
            if not was_ok:
                logger.info("the service answers again")
        else:
            self._backoff.fail(trouble, first_pause=self.pace.fast, answered=answered)
            logger.log(logging.INFO if was_ok else logging.DEBUG, "trouble while watching: %s", trouble.message)
        if trouble is None and was_ok:
            self.store.connection = self._backoff.connection
        else:
            self.store.set_connection(self._backoff.connection, entries)

    # --- reading --------------------------------------------------------------------------------------------

    async def _conversation(self, entry: WatchedSession, raw: Raw, *, retries: bool) -> list[Message]:
        """Read the messages: in a sweep those that may be new, which on v1 come with the session; else all."""
        if retries:
            return [read_message(item) async for item in self._messages.list(entry.session_id)]
        if self._is_v1:
            if not isinstance(raw.get("messages"), list):
                async with self._limit:
                    raw = await self._sessions.get(entry.session_id, retries=False)
            return [read_message(item) for item in raw.get("messages") or [] if isinstance(item, dict)]
        async with self._limit:
            try:
                items, entry.cursor = await self._messages.tail(entry.session_id, entry.cursor)
            except (BadRequest, Unprocessable):
                if entry.cursor is None:
                    raise
                items, entry.cursor = await self._messages.tail(entry.session_id)  # cursors may expire
        return [read_message(item) for item in items]


def merged(before: tuple[Message, ...], read: Iterable[Message]) -> tuple[Message, ...]:
    """Return the conversation with newly read messages added, each once, in the order of the service."""
    together = {message.event_id: message for message in before}
    return tuple((together | {message.event_id: message for message in read}).values())


_due_at = attrgetter("due")


def _retry_after(problem: DevinError) -> float:
    return min(LONGEST_RETRY_AFTER, (problem.retry_after if isinstance(problem, ApiError) else None) or 0.0)
