"""How an act that costs money happens exactly once, whatever happened to earlier attempts.

`once` takes its steps in order: who may act, what is known already, the POST, and a lost answer settled. What was begun
is completed even when the caller is interrupted, since an abandoned POST could cost money without a record of it.
Creates, messages and reviews are such acts.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

from devin_jupyter.errors import (
    ApiError,
    Conflict,
    ConnectionFailed,
    ConnectionTrouble,
    CreateUncertain,
    DevinError,
    JournalError,
    RateLimited,
    Refused,
    RequestTimeout,
    ServerError,
    SetupError,
    UnreadableAnswer,
    UsageMistake,
)
from devin_jupyter.host import check_package
from devin_jupyter.journal import Journal
from devin_jupyter.journal.intents import LeaseLost

I = TypeVar("I")  # noqa: E741 - the intent as the journal keeps it
M = TypeVar("M")  # what the act made, as the service shows it
T = TypeVar("T")  # the outcome

SETTLE_AT = (0.0, 1.0, 3.0, 10.0)
"""When to check the service after a response was lost, in seconds."""
SETTLE_SECONDS = 120.0
"""How long an act may be settled in all, however slowly the service answers, or does not."""
MOST_POSTS = 3
MOST_RATE_LIMIT_SECONDS = 90.0
"""A cell that waits longer looks hung; the error then says that nothing was started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Time as the paid acts see it, so that tests need not wait."""

    now: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    settle_at: tuple[float, ...] = SETTLE_AT
    settle_seconds: float = SETTLE_SECONDS
    poll_seconds: float = 0.25
    """How often another process's act is checked, in seconds."""
    lease_seconds: float = 15.0

    def refuse_if_late(self, since: float) -> None:
        """Raise `LeaseLost` if this process was suspended since then: another may hold the lease now."""
        if self.now() - since > self.lease_seconds / 2:
            raise LeaseLost


@dataclass(slots=True)
class Attempt:
    """One caller's attempt at a paid act: its timing, where it reports to, and whether the outcome is still wanted."""

    timing: Timing
    say: Callable[[str], None] = lambda line: None
    is_patient: bool = True
    """Wait and try again where the service asks to slow down."""
    _abandoned: asyncio.Event = field(default_factory=asyncio.Event)

    def give_up(self) -> None:
        """The caller has left: finish what is in flight, start nothing new."""
        self._abandoned.set()

    def check(self) -> None:
        """Raise CancelledError between two steps once the caller has left."""
        if self._abandoned.is_set():
            raise asyncio.CancelledError

    async def sleep(self, seconds: float) -> None:
        """Sleep, and wake early when the caller leaves."""
        self.check()
        sleeping = asyncio.ensure_future(self.timing.sleep(seconds))
        leaving = asyncio.ensure_future(self._abandoned.wait())
        try:
            await asyncio.wait((sleeping, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            leaving.cancel()
        self.check()


class PaidAct(ABC, Generic[I, M, T]):
    """One act, as `once` needs it: the steps in the order in which they are taken.

    `I` is the intent as the journal keeps it, `M` what the act made as the service shows it, `T` the outcome.
    """

    lease_name: str
    """One process at a time acts on this name."""
    orphan_notice: str
    """The notice before an earlier process's POST is settled."""
    has_ended_lease = False
    """The lease has ended in the transaction that wrote the outcome down."""

    @abstractmethod
    async def known(self) -> T | None:
        """Return the outcome if the journal has it; asked again while another process acts."""

    @abstractmethod
    async def pending(self) -> I | None:
        """Return the intent of an earlier process that may have posted and wrote down no outcome."""

    @abstractmethod
    async def look(self, orphan: I | None) -> T | None:
        """Return the outcome if the service shows that another machine acted; remember what was there before.

        Args:
            orphan: what an earlier process intended, after the service showed nothing of it.
        """

    @abstractmethod
    async def reserve(self, attempt: Attempt) -> I:
        """Pass the guards, and write the intent with its reservations durably.

        Raises:
            Refused: a guard says no; nothing was paid.
        """

    @abstractmethod
    async def prepare(self, intent: I) -> None:
        """Do what must be done before the POST, such as uploads; a failure clears the intent."""

    @abstractmethod
    async def post(self, intent: I, lease: str) -> M:
        """Count the POST durably, then send it once."""

    @abstractmethod
    async def find(self, intent: I) -> M | None:
        """Return what the act has made, as the service shows it, or None."""

    @abstractmethod
    async def confirm(self, intent: I, made: M, how: str) -> T:
        """Write the outcome down and return it.

        Args:
            intent: what was intended.
            made: what the service shows.
            how: `created`, `adopted` (its answer had been lost) or `orphaned` (an earlier process's).
        """

    @abstractmethod
    async def clear(self, intent: I) -> None:
        """Write down that the act certainly did not happen."""

    async def note_absence(self, intent: I) -> None:
        """Write down that the service was asked after the last POST, and shows nothing of the act."""

    def is_certain(self, problem: DevinError) -> bool:
        """Return whether, after this problem, nothing can have happened."""
        return is_refusal(problem)

    @abstractmethod
    def uncertain(self, problem: DevinError, seconds: float) -> CreateUncertain:
        """Return the error for an act whose outcome stays unknown.

        Args:
            problem: what went wrong.
            seconds: for how long the service was asked what had happened.
        """


async def once(act: PaidAct[I, M, T], journal: Journal, attempt: Attempt) -> T:
    """Return the outcome of an act: known, found on the service, or made by one POST.

    Raises:
        Refused: a check refused it; nothing was paid.
        CreateUncertain: it could not be settled whether it happened.
        SetupError: the package has changed since this process loaded it; nothing was sent.
        DevinError: the service refused, or could not be reached; it did not happen.
    """
    check_package()
    while True:
        try:
            async with lease(
                journal, act.lease_name, attempt, unless=act.known, is_ended=lambda: act.has_ended_lease
            ) as (token, known):
                if token is None:
                    assert known is not None
                    return known
                orphan = await act.pending()
                if orphan is not None:
                    attempt.say(act.orphan_notice)
                    found, _ = await settle(partial(act.find, orphan), act.uncertain, attempt)
                    if found is not None:
                        return await act.confirm(orphan, found, "orphaned")
                elsewhere = await act.look(orphan)
                if elsewhere is not None:
                    return elsewhere
                intent = await act.reserve(attempt)
                try:
                    await act.prepare(intent)
                except BaseException:
                    await act.clear(intent)
                    raise
                made, was_lost = await post_and_settle(act, intent, token, attempt)
                return await act.confirm(intent, made, "adopted" if was_lost else "created")
        except LeaseLost:  # another process acts, or the journal was replaced: look again from the start
            await attempt.sleep(attempt.timing.poll_seconds)


async def post_and_settle(act: PaidAct[I, M, T], intent: I, token: str, attempt: Attempt) -> tuple[M, bool]:
    """Post, and return what was made and whether its answer had been lost.

    Raises:
        CreateUncertain: three answers were lost, and the service shows nothing.
        DevinError: the act was refused, and certainly did not happen.
    """
    seconds = 0.0
    for number in range(1, MOST_POSTS + 1):
        attempt.check()
        try:
            return await _post(act, intent, token, attempt), False
        except DevinError as problem:
            if isinstance(problem, Refused | UsageMistake | SetupError) or act.is_certain(problem):
                await act.clear(intent)
                raise
            trouble = problem
        attempt.say(f"the answer was lost ({trouble.message}); checking whether it happened before trying again")
        found, seconds = await settle(partial(act.find, intent), act.uncertain, attempt, trouble, seconds)
        if found is not None:
            return found, True
        if number < MOST_POSTS:
            attempt.say(f"it did not happen; trying again ({number + 1} of {MOST_POSTS})")
    await act.note_absence(intent)
    raise act.uncertain(trouble, seconds) from trouble


async def settle(
    find: Callable[[], Awaitable[M | None]],
    uncertain: Callable[[DevinError, float], CreateUncertain],
    attempt: Attempt,
    trouble: DevinError | None = None,
    spent: float = 0.0,
) -> tuple[M | None, float]:
    """Poll the service until it must show what was made.

    One deadline holds for all of it: a service that leaves each request hanging must not take its time-out many times.

    Args:
        find: looks once.
        uncertain: makes the error for a service that cannot be read, given the seconds that this took.
        attempt: the caller's.
        trouble: what went wrong with the POST.
        spent: the seconds that an earlier settling of the same act took.

    Returns:
        What was made, None if it is certainly not there, and the seconds spent by now.

    Raises:
        CreateUncertain: the service could not be read.
    """
    began, passed, problem = time.monotonic() - spent, 0.0, trouble
    *early, last = attempt.timing.settle_at
    for moment in (*early, last, 2 * last, 4 * last):
        left = attempt.timing.settle_seconds - (time.monotonic() - began)
        if left <= 0 or moment - passed > left:
            break
        await attempt.sleep(moment - passed)
        passed = moment
        try:
            async with asyncio.timeout(left) as deadline:
                found = await find()
        except TimeoutError:
            if not deadline.expired():
                raise
            problem = problem or RequestTimeout("the service does not answer")
            break
        except (ApiError, ConnectionTrouble) as failed:
            problem = failed
            if is_refusal(failed):
                break
            continue
        if found is not None or moment >= last:
            return found, time.monotonic() - began
    problem = problem or RequestTimeout("the service does not answer in time")
    raise uncertain(problem, time.monotonic() - began) from problem


def in_seconds(seconds: float) -> str:
    """Return how long something took, as text: `4 s`, `2 min`."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


async def _post(act: PaidAct[I, M, Any], intent: I, token: str, attempt: Attempt) -> M:
    """Post, waiting as long as the service says that it is too early."""
    waited, pause = 0.0, 2.0
    while True:
        try:
            return await act.post(intent, token)
        except RateLimited as refused:
            asked = refused.retry_after
            pause = max(1.0, asked) if asked is not None else min(60.0, pause * 2)
            if not attempt.is_patient or waited + pause > MOST_RATE_LIMIT_SECONDS:
                raise
            attempt.say(f"the service asks to slow down; trying again in {pause:g} s")
            try:
                await attempt.sleep(pause)
            except asyncio.CancelledError:
                await act.clear(intent)
                raise
            waited += pause


def is_refusal(problem: DevinError) -> bool:
    """Return whether the service understood the request and refused it, so that nothing happened."""
    if isinstance(problem, ConnectionFailed):
        return True
    if not isinstance(problem, ApiError) or isinstance(problem, (ServerError, UnreadableAnswer, Conflict)):
        return False
    return 400 <= problem.status_code < 500 and problem.status_code != 408


# --- one process at a time -----------------------------------------------------------------------------------


@asynccontextmanager
async def lease(
    journal: Journal,
    name: str,
    attempt: Attempt,
    *,
    unless: Callable[[], Awaitable[T | None]],
    is_ended: Callable[[], bool] = lambda: False,
) -> AsyncIterator[tuple[str | None, T | None]]:
    """Acquire a lease, waiting for the process that holds it, yield its token, and keep renewing it.

    Args:
        journal: where leases are kept.
        name: of the lease.
        attempt: the caller's.
        unless: asked before every try; a result ends the waiting and is yielded in place of a token.
        is_ended: whether the lease has ended by itself, asked where it would be given back.
    """
    seconds, token, is_waiting = attempt.timing.lease_seconds, None, False

    async def renew(token: str) -> None:
        while True:
            await asyncio.sleep(seconds / 3)  # real time: other processes count in it
            with suppress(JournalError):  # tried again; a POST is refused once the lease is lost
                now = attempt.timing.now()
                await asyncio.to_thread(journal.leases.renew, name, token, now=now, seconds=seconds)

    renewing: asyncio.Future[None] | None = None
    try:
        found = await unless()
        while found is None and token is None:
            acquiring = asyncio.to_thread(journal.leases.take, name, now=attempt.timing.now(), seconds=seconds)
            token = await _acquire(asyncio.ensure_future(acquiring), journal, name)
            if token is None:
                if not is_waiting:
                    attempt.say("another kernel is working on the same request; waiting for its result")
                    is_waiting = True
                await attempt.sleep(attempt.timing.poll_seconds)
            found = await unless()  # the process before may have ended between the two questions
        if token is not None and found is None:
            renewing = asyncio.ensure_future(renew(token))
        yield (token if found is None else None), found
    finally:
        if renewing is not None:
            renewing.cancel()
        if token is not None and not is_ended():
            with suppress(JournalError):  # it expires anyway
                await asyncio.to_thread(journal.leases.give_back, name, token)


async def _acquire(acquiring: asyncio.Future[str | None], journal: Journal, name: str) -> str | None:
    """Await a token; it is given back if the caller leaves while it is being acquired."""
    try:
        return await asyncio.shield(acquiring)
    except asyncio.CancelledError:
        token = await acquiring
        if token is not None:
            await asyncio.to_thread(journal.leases.give_back, name, token)
        raise


# --- interrupted callers -------------------------------------------------------------------------------------


async def shielded(
    work: Coroutine[Any, Any, T], attempt: Attempt, *, left: Callable[[T], Awaitable[None]] | None = None
) -> T:
    """Await an act; when the caller is cancelled, a POST in flight still ends and is written down.

    Args:
        work: the act.
        attempt: the caller's.
        left: called with the outcome that the caller did not wait for.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        attempt.give_up()

        async def rest(left: Callable[[T], Awaitable[None]]) -> None:
            await left(await task)

        completing: asyncio.Future[Any] = task if left is None else asyncio.ensure_future(rest(left))
        unattended.add(completing)
        completing.add_done_callback(_completed)
        raise


unattended: set[asyncio.Future[Any]] = set()


def _completed(task: asyncio.Future[Any]) -> None:
    unattended.discard(task)
    if not task.cancelled():
        task.exception()  # retrieved, so that asyncio does not log it: the caller has left
