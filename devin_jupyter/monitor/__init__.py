"""One poll loop for all watched sessions; emits snapshots to whoever listens.

It lives on the loop's thread, looks at a session until its turn is over, and stops when nobody watches. It knows
no panel and no IPython, never raises into a listener, and rides out whatever the connection does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from devin_jupyter.api.sessions import Messages, Sessions
from devin_jupyter.config import Pace
from devin_jupyter.errors import DevinError, Forbidden, NotFound, Unauthorized
from devin_jupyter.models.snapshot import Record, Snapshot, observe
from devin_jupyter.monitor.clock import Clock
from devin_jupyter.monitor.connection import Connection, Line, gravest
from devin_jupyter.monitor.keeping import Keeper, ended_elsewhere, keep
from devin_jupyter.monitor.reading import PAGE, Raw, Reader, Sight
from devin_jupyter.monitor.watched import Watch, Watched, merged, same_look

__all__ = ["Clock", "Connection", "Monitor", "Watch"]
logger = logging.getLogger("devin_jupyter.monitor")
_MISSES = 4
"""So often in a row must the service not know a session, or refuse the key, before it is believed: a list may lag
behind a create, and a gateway says 403 in its maintenance."""
_BUGS = 5
"""After so many sweeps in a row that failed by a mistake of ours, whoever waits is told."""
_TOGETHER = 0.5
"""Sessions due within this part of their interval are looked at in the same sweep."""


class Monitor:
    """Watches any number of sessions. Every method is for the loop's thread."""

    def __init__(
        self,
        sessions: Sessions,
        messages: Messages,
        *,
        api_version: str = "v3",
        keeper: Keeper | None = None,
        pace: Pace | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Watch nothing yet.

        Args:
            sessions: how to read sessions.
            messages: how to read their conversations.
            api_version: of both.
            keeper: gets the snapshots that changed, once a sweep.
            pace: how often to look.
            clock: time, for tests.
        """
        self._reader = Reader(sessions, messages, api_version=api_version)
        self._keeper, self._pace, self._clock = keeper, pace or Pace(), clock or Clock()
        self._entries: dict[str, Watched] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._line, self._pages = Line(self._clock), 1.0

    def watch(
        self,
        record: Record,
        *,
        on_snapshot: Callable[[Snapshot], None] | None = None,
        on_trouble: Callable[[Connection], None] | None = None,
        messages: bool = False,
        keep: bool = False,
    ) -> Watch:
        """Look at a session until its turn is over, and tell the listener every change.

        Args:
            record: what is known of it. A snapshot whose turn is over is believed, `nudge` has it looked at all the
                same.
            on_snapshot: called on the loop's thread with each new snapshot.
            on_trouble: called when the connection fails, at every further try, and when it heals.
            messages: read the conversation while it grows, not only at the end of the turn.
            keep: go on slowly after the end of the turn.
        """
        entry = self._entries.get(record.session_id)
        if entry is None:
            now = self._clock.monotonic()
            entry = Watched(record, acted_at=now, due=now)
            entry.is_settled = record.snapshot is not None and record.snapshot.turn_over
            self._entries[record.session_id] = entry
        watch = Watch(record.session_id, on_snapshot, on_trouble, False, keep, self._let_go)
        entry.watches.append(watch)
        self.adjust(watch, messages=messages, keep=keep)
        return watch

    def adjust(self, watch: Watch, *, messages: bool, keep: bool) -> None:
        """Change what a listener wants, as `watch` says it."""
        entry = self._entries.get(watch.session_id)
        wants_now = messages and not watch.messages
        watch.messages, watch.keep = messages, keep
        if entry is not None and wants_now:
            entry.due, entry.raw = self._clock.monotonic(), None
        self._stir()

    def latest(self, session_id: str) -> Snapshot | None:
        """Return the session as last seen, or None."""
        entry = self._entries.get(session_id)
        return entry.snapshot if entry else None

    @property
    def connection(self) -> Connection:
        """How the last look at the service went."""
        return self._line.connection

    def set_pace(self, pace: Pace) -> None:
        """Look more or less often from now on."""
        self._pace = pace

    def nudge(self, session_id: str, *, record: Record | None = None) -> None:
        """Something was done to a session: take over what is known now, and look again at once.

        Args:
            session_id: `devin-…`.
            record: in place of what was known, with the session as it stands after the act; listeners are told.
        """
        entry = self._entries.get(session_id)
        if entry is None:
            return
        entry.is_settled = False
        entry.nudge(self._clock.monotonic())
        if record is not None:
            entry.record = record
        if record is not None and record.snapshot is not None:
            entry.accept(record.snapshot)
        self._stir()

    async def turn_over(self, session_id: str, timeout: float | None = None) -> Snapshot | None:
        """Wait for the end of the turn, or the time-out, and return the session as last seen.

        Raises:
            DevinError: the session cannot be watched: unknown, or refused to this key.
        """
        entry = self._entries[session_id]
        if entry.problem is not None:
            entry.nudge(self._clock.monotonic())
        if entry.is_settled:
            return entry.snapshot
        waiter: asyncio.Future[Snapshot] = asyncio.get_running_loop().create_future()
        entry.waiters.append(waiter)
        self._stir()
        try:
            return await asyncio.wait_for(waiter, timeout)
        except TimeoutError:
            return entry.snapshot
        finally:
            if waiter in entry.waiters:
                entry.waiters.remove(waiter)
            self._forget_if_alone(entry)

    async def aclose(self) -> None:
        """Stop watching; whoever waits is told that the client was closed."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        for entry in self._entries.values():
            entry.give_up(DevinError("the client was closed while the session was watched", "the session goes on"))
        self._entries.clear()

    def _let_go(self, watch: Watch) -> None:
        entry = self._entries.get(watch.session_id)
        if entry is None or watch not in entry.watches:
            return
        entry.watches.remove(watch)
        self._forget_if_alone(entry)
        self._wake.set()

    def _forget_if_alone(self, entry: Watched) -> None:
        if not entry.watches and not entry.waiters and self._entries.get(entry.session_id) is entry:
            del self._entries[entry.session_id]

    def _stir(self) -> None:
        self._wake.set()
        here = asyncio.get_running_loop()  # another one in a forked child
        if self._task is None or self._task.done() or self._task.get_loop() is not here:
            self._wake = asyncio.Event()
            self._task = here.create_task(self._run(), name="devin-monitor")

    async def _run(self) -> None:
        bugs = 0
        while active := [entry for entry in self._entries.values() if entry.is_active]:
            self._wake.clear()
            self._pages = max(1.0, len(active) / PAGE)
            now = self._clock.monotonic()
            first = max(min(entry.due for entry in active), self._line.not_before)
            if first > now:
                await self._clock.pause(first - now, self._wake)
                continue
            try:
                await self._sweep([item for item in active if item.due <= now + _TOGETHER * self._interval(item, now)])
                bugs = 0
            except Exception as bug:
                logger.exception("a sweep failed")
                bugs += 1
                self._set_connection(_our_mistake(bug))
                for entry in active if bugs >= _BUGS else ():
                    entry.give_up(_our_mistake(bug))

    async def _sweep(self, entries: list[Watched]) -> None:
        before = [entry.snapshot for entry in entries]
        sight = await self._reader.look([entry.session_id for entry in entries])
        changed: list[Snapshot] = []
        talking: list[tuple[Watched, Raw]] = []
        for entry, seen in zip(entries, before, strict=True):
            raw = sight.raws.get(entry.session_id)
            if raw is None:
                continue
            entry.misses = 0
            if entry.snapshot is not seen or self._unchanged(entry, raw):
                continue  # something was done meanwhile, and this answer may be older than that; or nothing is new
            snapshot = self._observed(entry, raw, None)
            if snapshot is None:
                continue
            if entry.wants_messages or snapshot.turn_over or snapshot.send_pending:
                talking.append((entry, raw))
            elif self._accept(entry, raw, snapshot):
                changed.append(snapshot)
        listened = await asyncio.gather(*(self._listen(entry, raw, sight) for entry, raw in talking))
        self._judge_problems(entries, sight)
        now, jitter = self._clock.monotonic(), self._clock.jitter()
        for entry in entries:
            entry.due = now + self._interval(entry, now) * jitter
        await keep(self._keeper, [*changed, *(snapshot for snapshot in listened if snapshot is not None)])
        for entry in entries:  # whoever waited finds the end of the turn in the journal too
            if entry.is_settled and entry.snapshot is not None:
                entry.release(entry.snapshot)

    def _interval(self, entry: Watched, now: float) -> float:
        return entry.interval(self._pace, now, pages=self._pages)

    def _unchanged(self, entry: Watched, raw: Raw) -> bool:
        if entry.snapshot is None or entry.snapshot.send_pending or raw != entry.raw:
            return False
        return entry.is_settled or not entry.snapshot.turn_over

    async def _listen(self, entry: Watched, raw: Raw, sight: Sight) -> Snapshot | None:
        """Take an answer together with the conversation; None where nothing changed or it could not be read."""
        before = entry.record
        try:
            read = await self._reader.conversation(entry, raw)
        except (Forbidden, NotFound):
            read = []  # a key may see a session and not its conversation; the state is known all the same
        except DevinError as problem:
            sight.problems[entry.session_id] = problem
            return None
        is_ended = await ended_elsewhere(self._keeper, entry, raw, self._clock)
        if entry.record is not before:
            return None  # something was done meanwhile: this answer may be older than that
        entry.record = replace(before, terminated=True) if is_ended else before
        snapshot = self._observed(entry, raw, merged(before.snapshot.messages if before.snapshot else (), read))
        return snapshot if snapshot is not None and self._accept(entry, raw, snapshot) else None

    def _accept(self, entry: Watched, raw: Raw, snapshot: Snapshot) -> bool:
        """Take a snapshot over and tell whether it says anything new."""
        before = entry.snapshot
        entry.raw, entry.is_settled = raw, snapshot.turn_over
        if not same_look(before, snapshot):
            entry.accept(snapshot)
            return True
        entry.record = replace(entry.record, snapshot=snapshot)
        return False

    def _observed(self, entry: Watched, raw: Raw, messages: Any) -> Snapshot | None:
        """Read an answer; a session of which we cannot make sense is given up, and no other waits for it."""
        now = self._clock.now()
        try:
            seen = observe(raw, entry.record, at=now, messages=messages)
        except Exception as bug:
            logger.exception("the state of %s could not be read", entry.session_id)
            entry.give_up(_our_mistake(bug))
            return None
        return seen if seen.session_id == entry.session_id else replace(seen, session_id=entry.session_id)

    def _judge_problems(self, entries: list[Watched], sight: Sight) -> None:
        troubles: list[DevinError] = []
        for entry in entries:
            problem = sight.problems.get(entry.session_id)
            if problem is not None and isinstance(problem, (NotFound, Forbidden, Unauthorized)):
                entry.misses += 1
            if problem is not None and entry.misses >= _MISSES:
                entry.give_up(problem)
                entry.tell_trouble(Connection(self.connection.last_seen, self._clock.now(), problem.message))
            elif problem is not None and not isinstance(problem, NotFound):
                troubles.append(problem)
        self._set_connection(gravest(troubles), answered=not sight.raws.keys() <= sight.problems.keys())

    def _set_connection(self, trouble: DevinError | None, *, answered: bool = False) -> None:
        was_ok = self.connection.is_ok
        if trouble is None:
            self._line.heal()
        else:
            self._line.fail(trouble, first_pause=self._pace.fast, answered=answered)
            logger.info("trouble while watching: %s", trouble.message)
        if trouble is not None or not was_ok:
            for entry in self._entries.values():
                entry.tell_trouble(self.connection)


def _our_mistake(bug: Exception) -> DevinError:
    return DevinError(
        f"a fault in devin_jupyter: {bug!r}", "the session goes on", "%devin debug writes a report for a bug ticket"
    )
