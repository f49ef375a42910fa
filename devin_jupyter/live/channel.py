"""Many sessions over one connection: attaches to those that are watched, reconnects, and gives up in one line.

A failure of the channel is never an error of the caller: the sessions are polled anyway. It is said in the `reason` of
their views, and only an act of the user, or `live=True`, raises it.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from devin_jupyter.errors import DevinError, LiveUnavailable, OptionError
from devin_jupyter.live.socket import (
    CANCEL,
    NO_METHOD,
    RESPOND,
    ChannelLost,
    Refused,
    Socket,
    agreed,
    hello,
    log,
)
from devin_jupyter.live.transcript import Transcript
from devin_jupyter.loop import jitter
from devin_jupyter.models.steps import TOO_MANY, Hint, LiveState, LiveView, Step

logger = logging.getLogger("devin_jupyter.live")
MOST_SESSIONS = 128
"""How many sessions are followed at a time."""
LOADS_AT_ONCE = 8
_MOST_PARKED = 64
"""Of so many sessions that are no longer followed the event ids are remembered."""
_MOST_KEPT = 12_000_000
"""So many characters the steps of sessions that are no longer followed may hold together: the oldest lose theirs."""
_PASSING = frozenset({-32010, -32011, -32012, -32013, -32014})
_NO_AUTHENTICATION = -32000
_LASTED = 20.0
"""A connection that lasted so many seconds was a good one: the next failure is the first in a row."""
Raw = Mapping[str, Any]
Connect = Callable[[Callable[[str, Raw], None]], Awaitable[Socket]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds; tests use shorter ones."""

    first_pause: float = 1.0
    """After the first failure; twice as long after each further one."""
    longest_pause: float = 60.0
    tries: int = 5
    """Failures in a row after which the channel stays off."""
    answer: float = 20.0
    """How long a request may go unanswered; for a load, how long nothing may arrive."""
    linger: float = 2.0
    """How long the connection outlives the last session that is followed."""
    publish: float = 0.2
    """The shortest time between two views of a session."""
    ping: float = 15.0
    """Between two pings; a pong that takes as long counts as the end of the connection."""
    again: float = 60.0
    """How long after giving up another session may try again."""


@dataclass(eq=False, slots=True)
class Attached:
    """A session that is followed, or to be followed."""

    session_id: str
    transcript: Transcript
    state: LiveState = "connecting"
    reason: str | None = None
    failures: int = 0
    due: float = 0.0
    """When it may be attached, by the loop's clock."""
    was_on: bool = False
    is_lost: bool = False
    """The service refused to attach it; it is not tried again."""
    arrived: float = 0.0
    """When its last update arrived, by the loop's clock."""
    loading: asyncio.Task[None] | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set at every change of the state."""


class Channel:
    """Follows sessions over one connection. Every method is for the loop's thread."""

    def __init__(
        self,
        connect: Connect,
        *,
        publish: Callable[[LiveView], None],
        on_hint: Callable[[str, Hint], None],
        earlier: Callable[[str], Sequence[Step]] = lambda _: (),
        timing: Timing | None = None,
    ) -> None:
        """Open nothing yet.

        Args:
            connect: opens a connection, given what is called with each notification; raises ChannelLost.
            publish: called with the new view of a session, at most every `timing.publish` seconds.
            on_hint: called with a session's id when its state may have changed.
            earlier: returns the steps of a session that are known from before.
            timing: how long to wait for what.
        """
        self._connect, self._publish, self._on_hint, self._earlier = connect, publish, on_hint, earlier
        self._timing = timing or Timing()
        self.failed: str | None = None
        """Why the channel is off for good."""
        self._gave_up: float | None = None
        self._watched: list[str] = []
        self._held: dict[str, int] = {}
        self._openers = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._forget()

    def _forget(self) -> None:
        """Begin without a connection: in a forked child it is the parent's, and must not be touched."""
        if self._loop is not None:
            _left_to_the_parent.append((self._task, self._socket, self._attached))
        self._attached: dict[str, Attached] = {}
        self._beyond: set[str] = set()
        """The sessions that were told that there are too many."""
        self._parked: OrderedDict[str, Mapping[Any, None]] = OrderedDict()
        self._kept: OrderedDict[str, int] = OrderedDict()
        self._socket: Socket | None = None
        self._task: asyncio.Task[None] | None = None
        self._pid = os.getpid()
        self._wake, self._moved = asyncio.Event(), asyncio.Event()
        self._dirty: dict[Attached, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._failures = 0

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._socket is not None

    def watch(self, session_ids: Iterable[str]) -> None:
        """Follow these sessions and no others; those that come first have precedence."""
        added = set(new := list(session_ids)) - set(self._watched)
        self._watched = new
        self._update(is_new=bool(added))

    async def open(self) -> None:
        """Connect now, and stay connected for a moment.

        Raises:
            LiveUnavailable: it did not come about.
        """
        self._openers += 1
        try:
            self._update(is_act=True)
            with suppress(TimeoutError):
                async with asyncio.timeout(2 * self._timing.answer):
                    while self._socket is None and self.failed is None:
                        await self._moved.wait()
            if self._socket is None:
                raise _unavailable(self.failed or "the service did not answer in time")
        finally:
            self._openers -= 1
            self._wake.set()

    async def cancel(self, session_id: str) -> None:
        """Cancel the turn of a session.

        Raises:
            LiveUnavailable: the channel is not on.
        """
        async with self._holding(session_id) as (socket, _):
            await self._act(socket, CANCEL, {"sessionId": session_id})

    async def respond(self, session_id: str, *, approved: bool) -> None:
        """Answer the approval that a session waits for.

        Raises:
            LiveUnavailable: the channel is not on.
            OptionError: nothing waits for an approval.
        """
        async with self._holding(session_id) as (socket, attached):
            approval = attached.transcript.approval
            if approval is None:
                raise OptionError(f"{session_id} does not wait for an approval", hint="see .approval and .phase")
            said = {"sessionId": session_id, "permissionRequestId": approval.id, "approved": approved}
            await self._act(socket, RESPOND, said)
            if attached.transcript.approval == approval:
                attached.transcript.approval = None
                self._mark(attached)

    async def aclose(self) -> None:
        """Close the connection and follow nothing any more."""
        self._watched = []
        if self._pid != os.getpid():
            return
        task, self._task = self._task, None
        if task is not None:
            await _cancelled(task)
        for session_id in list(self._attached):
            self._release(session_id, "the client was closed")
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # --- what is followed -------------------------------------------------------------------------------------

    def _update(self, *, is_new: bool = False, is_act: bool = False) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._forget()
            self._loop = loop
        waited = self._gave_up is not None and loop.time() - self._gave_up > self._timing.again
        if self._gave_up is not None and (is_act or (is_new and waited)):
            self._gave_up, self._failures, self.failed = None, 0, None
            for attached in self._attached.values():
                if not attached.is_lost:
                    self._set(attached, "connecting", None)
        wanted = list(dict.fromkeys([*self._held, *self._watched]))
        for session_id in set(self._attached) - set(wanted[:MOST_SESSIONS]):
            self._release(session_id)
        self._tell_there_are_too_many(wanted[MOST_SESSIONS:])
        for session_id in wanted[:MOST_SESSIONS]:
            if session_id not in self._attached:
                self._attached[session_id] = attached = Attached(session_id, self._transcript(session_id))
                self._set(attached, "connecting" if self.failed is None else "unavailable", self.failed)
        self._wake.set()
        is_wanted = bool(wanted or self._openers) and self.failed is None
        if is_wanted and (self._task is None or self._task.done()):
            self._task = loop.create_task(self._run(), name="devin-live")

    def _tell_there_are_too_many(self, beyond: list[str]) -> None:
        """Tell it those that were not told: else a thousand are at every start and end of one of them."""
        for session_id in beyond:
            if session_id not in self._beyond:
                reason, steps = f"at most {MOST_SESSIONS} {TOO_MANY}", tuple(self._earlier(session_id))
                self._publish(LiveView(session_id=session_id, reason=reason, steps=steps))
        self._beyond = set(beyond)

    def _transcript(self, session_id: str) -> Transcript:
        self._kept.pop(session_id, None)
        return Transcript(session_id, self._earlier(session_id), self._parked.pop(session_id, {}))

    def _release(self, session_id: str, why: str = "the session is not at work, or nobody watches it") -> None:
        attached = self._attached.pop(session_id)
        if attached.loading is not None:
            attached.loading.cancel()
        attached.transcript.end_replay()
        self._parked[session_id] = attached.transcript.seen
        if len(self._parked) > _MOST_PARKED:
            self._parked.popitem(last=False)
        if attached.state != "unavailable":
            attached.state, attached.reason = "off", why
        self._dirty.pop(attached, None)
        self._publish(attached.transcript.view(attached.state, attached.reason))
        attached.changed.set()
        self._kept[session_id] = attached.transcript.characters
        while sum(self._kept.values()) > _MOST_KEPT:
            oldest, _ = self._kept.popitem(last=False)
            steps = tuple(replace(step, text="", input="") for step in self._earlier(oldest))
            self._publish(LiveView(session_id=oldest, reason=why, steps=steps))
            self._beyond.discard(oldest)

    def _set(self, attached: Attached, state: LiveState, reason: str | None) -> None:
        attached.state, attached.reason = state, reason
        attached.changed.set()
        attached.changed = asyncio.Event()
        self._mark(attached)

    def _mark(self, attached: Attached) -> None:
        self._dirty[attached] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._timing.publish, self._flush)

    def _flush(self) -> None:
        dirty, self._dirty, self._timer = self._dirty, {}, None
        for attached in dirty:
            self._publish(attached.transcript.view(attached.state, attached.reason))

    # --- the connection ---------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            await self._follow()
        except Exception as bug:
            logger.exception("the live channel failed")
            self._fail(f"a fault in devin_jupyter: {bug!r}")

    async def _follow(self) -> None:
        """Keep a connection while something is followed."""
        loop = asyncio.get_running_loop()
        lost: ChannelLost | None
        while self._attached or self._openers:
            began = loop.time()
            try:
                socket = await self._connect(self._notified)
            except ChannelLost as problem:
                if not await self._pause(problem):
                    return
                continue
            listening = loop.create_task(socket.listen(), name="devin-live-socket")
            serving = loop.create_task(self._serve(socket), name="devin-live-sessions")
            try:
                await asyncio.wait({listening, serving}, return_when=asyncio.FIRST_COMPLETED)
                lost = next((one for task in (serving, listening) if (one := _lost(task)) is not None), None)
            finally:
                self._socket = None
                await _cancelled(listening, serving, *(each.loading for each in self._attached.values()))
                await socket.close()
            if lost is None:
                continue  # nothing was followed for a while; something may be by now
            for attached in self._attached.values():
                attached.transcript.end_replay()
            if loop.time() - began >= _LASTED:
                self._failures = 0
            if not await self._pause(lost):
                return

    async def _pause(self, lost: ChannelLost) -> bool:
        """Wait after a failure, and return whether to try again."""
        self._failures += 1
        gives_up = self._failures >= self._timing.tries
        if lost.is_final or gives_up:
            self._gave_up = None if lost.is_final else asyncio.get_running_loop().time()
            self._fail(lost.reason if lost.is_final else f"{lost.reason}; given up after {self._failures} attempts")
            return False
        for attached in self._attached.values():
            if not attached.is_lost:
                self._set(attached, "connecting", f"{lost.reason}; trying again")
        await asyncio.sleep(self._backoff(self._failures) * jitter(0.2))
        return True

    def _backoff(self, failures: int) -> float:
        return min(self._timing.longest_pause, self._timing.first_pause * 2.0 ** (failures - 1))

    def _fail(self, reason: str) -> None:
        self.failed = reason
        logger.info("the live channel is off, sessions are polled: %s", reason)
        for attached in self._attached.values():
            self._set(attached, "unavailable", attached.reason if attached.is_lost else reason)
        self._moved.set()

    async def _serve(self, socket: Socket) -> None:
        """Introduce ourselves, and attach what is to be followed, until nothing is."""
        try:
            agreed(await self._within(socket.request("initialize", hello())))
        except Refused as refusal:
            is_final = refusal.code not in _PASSING
            raise ChannelLost(str(refusal), is_final=is_final) from None
        self._socket = socket
        self._moved.set()
        self._moved = asyncio.Event()
        loop, limit = asyncio.get_running_loop(), asyncio.Semaphore(LOADS_AT_ONCE)
        while True:
            self._wake.clear()
            for attached in self._attached.values():
                loading = attached.loading
                if loading is not None and loading.done() and (lost := _lost(loading)) is not None:
                    raise lost
                is_idle = loading is None or loading.done()
                if attached.state == "connecting" and is_idle and attached.due <= loop.time():
                    attached.loading = loop.create_task(self._load(socket, attached, limit), name="devin-live-load")
                    attached.loading.add_done_callback(lambda _: self._wake.set())
            if self._attached or self._openers:
                await self._wake.wait()
                continue
            try:
                async with asyncio.timeout(self._timing.linger):
                    await self._wake.wait()
            except TimeoutError:
                return

    async def _load(self, socket: Socket, attached: Attached, limit: asyncio.Semaphore) -> None:
        """Attach one session: everything that arrives before the answer is a replay."""
        params = {"sessionId": attached.session_id, "cwd": "/", "mcpServers": []}
        if not (before := attached.transcript).is_replaying:
            attached.transcript = Transcript(attached.session_id, before.view("off").steps, before.seen)
        try:
            async with limit:
                result = await self._answered(attached, socket.request("session/load", params))
        except ChannelLost as lost:
            if lost.is_final:
                raise
            return  # the connection is gone; the next one attaches it again
        except Refused as refusal:
            self._refused(attached, refusal)
            return
        hint = attached.transcript.loaded(result)
        was_on, attached.was_on, attached.failures = attached.was_on, True, 0
        self._set(attached, "on", None)
        log(f"attached {attached.session_id}")
        if hint or was_on:  # something may have happened since the connection was lost
            self._on_hint(attached.session_id, Hint.STATUS)

    async def _answered(self, attached: Attached, request: Awaitable[Any]) -> Any:
        """Wait for the answer to a load for as long as something arrives for the session, and return it.

        Raises:
            Refused: as the request, or nothing arrived in time.
        """
        loop = asyncio.get_running_loop()
        answer, attached.arrived = asyncio.ensure_future(request), loop.time()
        try:
            while not answer.done():
                left = attached.arrived + self._timing.answer - loop.time()
                if left <= 0:
                    raise Refused("session/load", {"code": -32012, "message": "the service did not answer"})
                await asyncio.wait([answer], timeout=left)
            return answer.result()
        finally:
            answer.cancel()

    def _refused(self, attached: Attached, refusal: Refused) -> None:
        attached.failures += 1
        attached.transcript.end_replay()
        retryable = refusal.data.get("cognition.ai/retryable")
        passes = retryable if isinstance(retryable, bool) else refusal.code in _PASSING
        log(f"not attached {attached.session_id}: {refusal.code}")
        if refusal.code in (NO_METHOD, _NO_AUTHENTICATION):
            raise ChannelLost(str(refusal), is_final=True) from refusal
        if passes and attached.failures < self._timing.tries:
            loop, pause = asyncio.get_running_loop(), self._backoff(attached.failures)
            attached.due = loop.time() + pause
            loop.call_later(pause, self._wake.set)
            self._set(attached, "connecting", f"{refusal}; trying again")
            return
        attached.is_lost = True
        self._set(attached, "unavailable", str(refusal))

    async def _within(self, request: Awaitable[Any]) -> Any:
        try:
            async with asyncio.timeout(self._timing.answer):
                return await request
        except TimeoutError:
            raise ChannelLost("the service did not answer") from None

    # --- what arrives -----------------------------------------------------------------------------------------

    def _notified(self, method: str, params: Raw) -> None:
        named = params.get("sessionId")
        if not isinstance(named, str):
            return
        attached = self._attached.get(named) or self._attached.get(f"devin-{named}")
        if attached is None:
            return  # of a session that nobody watches any more
        attached.arrived = asyncio.get_running_loop().time()
        if method == "session/update":
            transcript = attached.transcript
            before = transcript.word, transcript.approval
            try:
                hint = transcript.apply(params, datetime.now(UTC))
            except Exception:  # one odd update must not end the others
                logger.exception("an update of %s could not be read", attached.session_id)
                return
            self._mark(attached)
            if before != (transcript.word, transcript.approval) and not transcript.is_replaying:
                self._dirty.pop(attached, None)  # a wait may end now, and its caller look at once
                self._publish(transcript.view(attached.state, attached.reason))
        elif method in _STOPPED:
            hint = Hint.STATUS | Hint.OVER
        else:
            return
        if hint:
            self._on_hint(attached.session_id, hint)

    # --- the other door ---------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _holding(self, session_id: str) -> AsyncIterator[tuple[Socket, Attached]]:
        """Follow a session for the length of an act, whether or not anybody watches it."""
        self._held[session_id] = self._held.get(session_id, 0) + 1
        try:
            self._update(is_act=True)
            attached = self._attached[session_id]
            with suppress(TimeoutError):
                async with asyncio.timeout(2 * self._timing.answer):
                    while attached.state == "connecting":
                        await attached.changed.wait()
            if self._socket is None or attached.state != "on":
                raise _unavailable(attached.reason or "the service did not answer in time")
            yield self._socket, attached
        finally:
            self._held[session_id] -= 1
            if not self._held[session_id]:
                del self._held[session_id]
            self._update()

    async def _act(self, socket: Socket, method: str, params: Raw) -> None:
        try:
            async with asyncio.timeout(self._timing.answer):
                await socket.act(method, params)
        except Refused as refusal:
            raise DevinError(
                f"the service refused it: {refusal}", "nothing was changed", "look at the session, then decide"
            ) from None
        except (ChannelLost, TimeoutError) as problem:
            why = problem.reason if isinstance(problem, ChannelLost) else "the service did not answer"
            raise DevinError(
                f"it is not known whether this arrived: {why}",
                "it is not sent again",
                "look at the session with .refresh(), then decide",
            ) from None


_left_to_the_parent: list[Any] = []
"""What a forked child inherits and must not touch; dropping it would close it."""
_STOPPED = frozenset({"_cognition.ai/agent_stopped"})


def _unavailable(reason: str) -> LiveUnavailable:
    return LiveUnavailable(f"the live channel is not on: {reason}", "nothing was sent", "do it in the web app")


def _lost(task: asyncio.Task[None]) -> ChannelLost | None:
    """Return why a task found the connection lost; None if it has not."""
    if not task.done() or task.cancelled():
        return None
    problem = task.exception()
    if problem is None or isinstance(problem, ChannelLost):
        return problem
    raise problem


async def _cancelled(*tasks: asyncio.Task[None] | None) -> None:
    ours = [task for task in tasks if task is not None]
    for task in ours:
        task.cancel()
    await asyncio.gather(*ours, return_exceptions=True)
