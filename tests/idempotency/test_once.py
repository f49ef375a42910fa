"""Posting, and looking before posting again, by an act that costs nothing."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest

from devin_jupyter.errors import (
    ApiError,
    BadRequest,
    ConnectionFailed,
    ConnectionLost,
    CreateUncertain,
    DevinError,
    Forbidden,
    Halted,
    JournalError,
    RateLimited,
    RequestTimeout,
    ServerError,
    UnreadableAnswer,
)
from devin_jupyter.idempotency import once as module
from devin_jupyter.idempotency.once import Attempt, Timing, is_refusal, post_and_settle, settle, shielded

LOST = ConnectionLost("closed")
DOWN = ServerError("503", status_code=503)


class Act:
    """Answers posts and looks from two scripts; exceptions are raised."""

    def __init__(self, posts: list[Any], looks: list[Any]) -> None:
        self.posts, self.looks, self.cleared = posts, looks, 0

    async def post(self, intent: None, lease: str) -> str:
        return self._next(self.posts)

    async def find(self, intent: None) -> str | None:
        found: str | None = self._next(self.looks)
        return found

    def _next(self, script: list[Any]) -> Any:
        answer = script.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def clear(self, intent: None) -> None:
        self.cleared += 1

    def is_certain(self, problem: DevinError) -> bool:
        return is_refusal(problem)

    def uncertain(self, problem: DevinError, seconds: float) -> CreateUncertain:
        return CreateUncertain(problem.message)


def attempt_with(slept: list[float] | None = None) -> Attempt:
    async def sleep(seconds: float) -> None:
        if slept is not None:
            slept.append(seconds)

    return Attempt(Timing(sleep=sleep))


async def test_a_look_that_fails_is_not_taken_for_nothing_there() -> None:
    slept: list[float] = []
    act = Act([LOST, "second"], [None, None, None, DOWN, LOST, None])
    assert await post_and_settle(act, None, "lease", attempt_with(slept)) == ("second", False)
    assert slept == [0.0, 1.0, 2.0, 7.0, 10.0, 20.0]


async def test_without_one_good_look_after_the_last_moment_nothing_is_posted_again() -> None:
    act = Act([LOST], [None, None, None, DOWN, DOWN, DOWN])
    with pytest.raises(CreateUncertain, match="503"):
        await post_and_settle(act, None, "lease", attempt_with())
    assert (act.posts, act.cleared) == ([], 0)


async def test_a_service_that_refuses_to_be_looked_at_ends_in_uncertainty_at_once() -> None:
    act = Act([LOST], [Forbidden("403", status_code=403)])
    with pytest.raises(CreateUncertain, match="403"):
        await post_and_settle(act, None, "lease", attempt_with())


async def test_what_is_found_late_counts_as_lost_and_found() -> None:
    assert await post_and_settle(Act([LOST], [None, DOWN, "made"]), None, "lease", attempt_with()) == ("made", True)


@pytest.mark.parametrize("problem", [Halted("no"), JournalError("full"), ConnectionFailed("no route")])
async def test_what_was_refused_before_the_post_clears_the_intent(problem: DevinError) -> None:
    act = Act([problem], [])
    with pytest.raises(type(problem)):
        await post_and_settle(act, None, "lease", attempt_with())
    assert act.cleared == 1


async def test_an_error_of_our_own_leaves_the_intent_to_be_settled() -> None:
    act = Act([RuntimeError("a bug")], [])
    with pytest.raises(RuntimeError):
        await post_and_settle(act, None, "lease", attempt_with())
    assert act.cleared == 0


async def test_429_backs_off_when_no_wait_is_asked_for() -> None:
    slept: list[float] = []
    act = Act([*(RateLimited("429", status_code=429) for _ in range(4)), "made"], [])
    assert await post_and_settle(act, None, "lease", attempt_with(slept)) == ("made", False)
    assert slept == [4.0, 8.0, 16.0, 32.0]


@pytest.mark.parametrize(("asked", "waits"), [(None, [4.0, 8.0, 16.0, 32.0]), (40.0, [40.0, 40.0]), (600.0, [])])
async def test_429_is_not_waited_out_for_more_than_a_minute_and_a_half(asked: float | None, waits: list[float]) -> None:
    slept: list[float] = []
    act = Act([RateLimited("429", status_code=429, retry_after=asked) for _ in range(9)], [])
    with pytest.raises(RateLimited):
        await post_and_settle(act, None, "lease", attempt_with(slept))
    assert slept == waits
    assert act.cleared == 1


async def test_a_wait_of_no_seconds_is_not_a_storm() -> None:
    slept: list[float] = []
    act = Act([RateLimited("429", status_code=429, retry_after=0.0), "made"], [])
    await post_and_settle(act, None, "lease", attempt_with(slept))
    assert slept == [1.0]


async def test_giving_up_while_slowed_down_clears_the_intent() -> None:
    attempt = Attempt(Timing())
    act = Act([RateLimited("429", status_code=429, retry_after=60.0)], [])
    starting = asyncio.create_task(post_and_settle(act, None, "lease", attempt))
    for _ in range(5):
        await asyncio.sleep(0)
    attempt.give_up()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert act.cleared == 1


@pytest.mark.parametrize(
    ("problem", "certain"),
    [
        (ConnectionFailed(""), True),
        (ConnectionLost(""), False),
        (RequestTimeout(""), False),
        (UnreadableAnswer("", status_code=200), False),
        *((ApiError("", status_code=status), status not in (408,)) for status in (400, 401, 403, 404, 408, 410, 422)),
        (ServerError("", status_code=500), False),
        (BadRequest("", status_code=400), True),
        (RateLimited("", status_code=429), True),
    ],
)
def test_which_failures_are_certain(problem: DevinError, certain: bool) -> None:
    assert is_refusal(problem) is certain


async def test_an_outcome_that_nobody_waits_for_any_more_makes_no_noise() -> None:
    noise: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: noise.append(context))
    arrived = asyncio.Event()

    async def fails() -> None:
        await arrived.wait()
        raise LOST

    task = asyncio.create_task(shielded(fails(), Attempt(Timing())))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    arrived.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del task
    gc.collect()
    assert noise == []
    assert not module.unattended


async def test_settling_finds_nothing_only_at_the_end() -> None:
    say: Callable[[str], None] = lambda line: None  # noqa: E731 - the shape of the parameter is the point
    act = Act([], [None] * 4)
    found, _ = await settle(
        lambda: act.find(None), act.uncertain, Attempt(Timing(sleep=attempt_with().timing.sleep), say)
    )
    assert found is None
    assert act.looks == []
