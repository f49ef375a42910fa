"""How an act that costs money happens once: post, and when the answer is lost, look before posting again.

Knows nothing of sessions, messages or HTTP. What was begun is carried to its end even when the caller is
interrupted, since an abandoned POST would leave a bill that nobody knows of.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from devin_jupyter.errors import (
    ApiError,
    Conflict,
    ConnectionFailed,
    ConnectionTrouble,
    CreateUncertain,
    DevinError,
    RateLimited,
    Refused,
    ServerError,
    SetupError,
    UnreadableAnswer,
    UsageMistake,
)
from devin_jupyter.journal.intents import LeaseLost

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

SETTLE_AT = (0.0, 1.0, 3.0, 10.0)
"""When the service is looked at after an answer was lost, in seconds. A later appearance is not waited for."""
MOST_POSTS = 3
MOST_RATE_LIMIT_SECONDS = 90.0
"""A cell that waits longer looks hung; the error then says that nothing was started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Time as the paid acts see it, so that tests need not wait."""

    now: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    settle_at: tuple[float, ...] = SETTLE_AT
    poll_seconds: float = 0.25
    """How often another process's act is looked at."""
    lease_seconds: float = 15.0

    def refuse_if_late(self, since: float) -> None:
        """Raise `LeaseLost` when this process stood still since then: its lease may have passed to another."""
        if self.now() - since > self.lease_seconds / 2:
            raise LeaseLost


class Deed(Protocol, Generic[T_co]):
    """One paid act."""

    async def post(self) -> T_co:
        """Count the POST durably, then send it once."""

    async def look(self) -> T_co | None:
        """Return what the act has made, as the service shows it, or None."""

    async def clear(self) -> None:
        """Write down that the act certainly did not happen."""

    def is_certain(self, problem: DevinError) -> bool:
        """Tell whether, after this problem, nothing can have happened."""

    def uncertain(self, problem: DevinError) -> CreateUncertain:
        """Return the error for an act whose fate stays unknown."""


@dataclass(slots=True)
class Run:
    """One caller's attempt at a paid act: its clock, its voice, and whether it still wants the outcome."""

    clock: Clock
    say: Callable[[str], None] = lambda line: None
    is_patient: bool = True
    """Wait and try again where the service asks to slow down."""
    _given_up: asyncio.Event = field(default_factory=asyncio.Event)

    def give_up(self) -> None:
        """The caller is gone: finish what is in flight, begin nothing."""
        self._given_up.set()

    def check(self) -> None:
        """Raise CancelledError between two steps once the caller is gone."""
        if self._given_up.is_set():
            raise asyncio.CancelledError

    async def sleep(self, seconds: float) -> None:
        """Sleep, and wake up early when the caller is gone."""
        self.check()
        sleeping = asyncio.ensure_future(self.clock.sleep(seconds))
        leaving = asyncio.ensure_future(self._given_up.wait())
        try:
            await asyncio.wait((sleeping, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            leaving.cancel()
        self.check()


async def to_the_end(
    work: Callable[[Run], Coroutine[Any, Any, T]], run: Run, *, left: Callable[[T], Awaitable[None]] | None = None
) -> T:
    """Await `work(run)`; when the caller is cancelled, a POST in flight still ends and is written down.

    Args:
        work: the act.
        run: the caller's attempt.
        left: called with the outcome that the caller did not wait for.
    """
    task = asyncio.ensure_future(work(run))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        run.give_up()
        rest = task if left is None else asyncio.ensure_future(_then(task, left))
        _going_on.add(rest)
        rest.add_done_callback(_ended)
        raise


async def _then(task: asyncio.Future[T], left: Callable[[T], Awaitable[None]]) -> None:
    await left(await task)


_going_on: set[asyncio.Future[Any]] = set()


def _ended(task: asyncio.Future[Any]) -> None:
    _going_on.discard(task)
    if not task.cancelled():
        task.exception()  # seen: nobody is left to tell


async def once(deed: Deed[T], run: Run) -> tuple[T, bool]:
    """Do the act, and return what it made and whether its answer had been lost.

    Raises:
        CreateUncertain: three answers were lost, and the service shows nothing.
        DevinError: the act was refused, and certainly did not happen.
    """
    for number in range(1, MOST_POSTS + 1):
        run.check()
        try:
            return await _post(deed, run), False
        except DevinError as problem:
            if isinstance(problem, Refused | UsageMistake | SetupError) or deed.is_certain(problem):
                await deed.clear()
                raise
            trouble = problem
        run.say(f"the answer was lost ({trouble.message}); looking whether it happened before trying again")
        found = await settle(deed, run, trouble)
        if found is not None:
            return found, True
        if number < MOST_POSTS:
            run.say(f"nothing was made; trying again ({number + 1} of {MOST_POSTS})")
    raise deed.uncertain(trouble) from trouble


async def settle(deed: Deed[T], run: Run, trouble: DevinError | None = None) -> T | None:
    """Look at the service until it must show what was made; None when it shows nothing to the end.

    Raises:
        CreateUncertain: the service could not be looked at.
    """
    passed, problem = 0.0, trouble
    *early, last = run.clock.settle_at
    for moment in (*early, last, 2 * last, 4 * last):
        await run.sleep(moment - passed)
        passed = moment
        try:
            found = await deed.look()
        except (ApiError, ConnectionTrouble) as failed:
            problem = failed
            if is_refusal(failed):
                break
            continue
        if found is not None or moment >= last:
            return found
    assert problem is not None
    raise deed.uncertain(problem) from problem


def is_refusal(problem: DevinError) -> bool:
    """Tell whether the service understood the request and said no, so that nothing happened."""
    if isinstance(problem, ConnectionFailed):
        return True
    if not isinstance(problem, ApiError) or isinstance(problem, (ServerError, UnreadableAnswer, Conflict)):
        return False
    return 400 <= problem.status_code < 500 and problem.status_code != 408


async def _post(deed: Deed[T], run: Run) -> T:
    """Post, waiting as long as the service says that it is too early."""
    waited, pause = 0.0, 2.0
    while True:
        try:
            return await deed.post()
        except RateLimited as refused:
            asked = refused.retry_after
            pause = max(1.0, asked) if asked is not None else min(60.0, pause * 2)
            if not run.is_patient or waited + pause > MOST_RATE_LIMIT_SECONDS:
                raise
            run.say(f"the service asks to slow down; trying again in {pause:g} s")
            await _rest(deed, run, pause)
            waited += pause


async def _rest(deed: Deed[T], run: Run, seconds: float) -> None:
    try:
        await run.sleep(seconds)
    except asyncio.CancelledError:
        await deed.clear()
        raise
