"""Reading over many windows at once: nothing lost, nothing twice, whatever the service makes of the bounds."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devin_jupyter.api.query import Window
from devin_jupyter.api.windows import read_sessions
from devin_jupyter.errors import Forbidden, UnreadableAnswer
from devin_jupyter.frames import SessionRows

NOON = 1_790_000_000


class Service:
    """A list of sessions behind the two bounds, in pages of three. It has its own clock, which waits for nothing."""

    page_size = 3
    answer_seconds, work_seconds = 0.1, 0.01
    """How long an answer takes, and then, for who reads it, its page."""

    def __init__(
        self,
        created: list[int],
        *,
        is_inclusive: bool = True,
        is_ordered: bool = True,
        tells_total: bool = True,
        heeds_times: bool = True,
    ) -> None:
        self.items = [{"session_id": f"{number:032x}", "created_at": when} for number, when in enumerate(created)]
        self.items.sort(key=lambda item: item["created_at"], reverse=True)
        if not is_ordered:
            self.items = self.items[::2] + self.items[1::2]
        self.slack = 0 if is_inclusive else 1
        self.tells_total, self.heeds_times = tells_total, heeds_times
        self.requests: list[dict[str, Any]] = []
        self.running = self.most_running = 0
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    async def fetch(self, params: dict[str, Any]) -> bytes:
        self.requests.append(params)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        for _ in range(5):  # meanwhile the others ask
            await asyncio.sleep(0)
        self.running -= 1
        self.now += self.answer_seconds
        return json.dumps(self.page(params)).encode()

    def page(self, params: dict[str, Any]) -> dict[str, Any]:
        found = [item for item in self.items if not self.heeds_times or self._fits(item["created_at"], params)]
        start = int(params.get("after") or 0)
        end = start + self.page_size
        return {
            "items": found[start:end],
            "has_next_page": end < len(found),
            "end_cursor": str(end) if end < len(found) else None,
            "total": len(found) if self.tells_total else None,
        }

    def _fits(self, created: int, params: dict[str, Any]) -> bool:
        after, before = params["created_after"], params["created_before"]
        return (after is None or created >= after + self.slack) and (before is None or created <= before - self.slack)


async def read(service: Service, window: Window, at_once: int = 10) -> list[str]:
    rows = SessionRows()

    async def take(items: list[dict[str, Any]]) -> int:
        service.now += service.work_seconds
        return rows.add(items)

    await read_sessions(service.fetch, take, window, at_once=at_once, clock=service.clock)
    return rows.frame(newest_first=True)["session_id"].tolist()


async def ignore(items: list[dict[str, Any]]) -> int:
    return 0


def expected(service: Service, window: Window) -> set[str]:
    return {"devin-" + item["session_id"] for item in service.items if window.holds(item["created_at"])}


kinds = st.fixed_dictionaries(
    {
        "is_inclusive": st.booleans(),
        "is_ordered": st.booleans(),
        "tells_total": st.booleans(),
        "heeds_times": st.booleans(),
    }
)
moments = st.integers(NOON - 50, NOON + 50) | st.integers(NOON - 40_000_000, NOON)
bounds = st.none() | moments


@given(st.lists(moments, max_size=80), kinds, bounds, bounds, st.sampled_from([0.01, 0.03, 0.2]))
def test_every_session_of_the_window_is_read_and_comes_once(
    created: list[int], kind: dict[str, bool], start: int | None, end: int | None, work_seconds: float
) -> None:
    service, window = Service(created, **kind), Window(start, end)
    service.work_seconds = work_seconds

    found = asyncio.run(read(service, window))

    assert Counter(found) == Counter(expected(service, window))
    assert len(service.requests) < 40 + 4 * len(created)


def test_a_long_history_is_read_at_several_places_at_once() -> None:
    service = Service([NOON - 3600 * number for number in range(300)])

    found = asyncio.run(read(service, Window()))

    assert len(found) == 300
    assert service.most_running == 10
    assert len(service.requests) < 170


class Thinning(Service):
    """Three hundred sessions, the fewer the longer ago; how many there are is told only without bounds."""

    def __init__(self) -> None:
        super().__init__([NOON - 60 * number**2 for number in range(300)])

    def page(self, params: dict[str, Any]) -> dict[str, Any]:
        is_bounded = params["created_after"] is not None or params["created_before"] is not None
        return super().page(params) | ({"total": None} if is_bounded else {})


def test_the_beginning_of_a_history_that_thins_out_is_found_in_a_few_requests() -> None:
    service = Thinning()

    assert len(asyncio.run(read(service, Window()))) == 300
    assert sum(asked["created_after"] is None for asked in service.requests) < 12


@pytest.mark.parametrize(("tells_total", "most"), [(True, 130), (False, 150)])
def test_a_long_history_takes_few_more_requests_than_it_has_pages(tells_total: bool, most: int) -> None:
    service = Thinning()
    service.page_size, service.tells_total = 20, tells_total
    service.items = [{"session_id": f"{n:032x}", "created_at": NOON - 10 * n**2} for n in range(2000)]

    assert len(asyncio.run(read(service, Window()))) == 2000
    assert len(service.requests) < most, "there are 100 pages"


def test_a_service_that_answers_as_fast_as_pages_are_taken_is_hardly_divided() -> None:
    service = Thinning()
    service.answer_seconds, service.work_seconds = 0.002, 0.02

    assert len(asyncio.run(read(service, Window()))) == 300
    assert service.most_running == 2
    assert len(service.requests) < 100 + 25


@pytest.mark.parametrize(("work_seconds", "at_once"), [(0.0, 10), (0.01, 10), (0.03, 4), (0.2, 2)])
def test_as_many_requests_run_at_once_as_pages_are_taken_while_one_is_answered(
    work_seconds: float, at_once: int
) -> None:
    service = Service([NOON - 3600 * number for number in range(300)])
    service.work_seconds = work_seconds

    assert len(asyncio.run(read(service, Window()))) == 300
    assert service.most_running == at_once


def test_a_short_history_takes_no_more_requests_than_pages() -> None:
    service = Service([NOON - 3600 * number for number in range(12)])

    asyncio.run(read(service, Window()))

    assert len(service.requests) == 4


def test_no_more_requests_run_at_once_than_allowed() -> None:
    service = Service([NOON - 3600 * number for number in range(200)])

    asyncio.run(read(service, Window(), at_once=3))

    assert service.most_running <= 3


def test_a_thousand_sessions_of_one_second_are_read() -> None:
    service = Service([NOON] * 400 + [NOON - 1, NOON + 1])

    assert len(asyncio.run(read(service, Window(NOON - 5, NOON + 5)))) == 402
    assert len(service.requests) < 300


@pytest.mark.parametrize("is_inclusive", [True, False])
def test_sessions_just_outside_a_window_are_not_read_over_and_over(is_inclusive: bool) -> None:
    service = Service([NOON] * 200 + [NOON - 100] * 200 + [NOON - 50], is_inclusive=is_inclusive)

    assert len(asyncio.run(read(service, Window(NOON - 99, NOON)))) == 1
    assert len(service.requests) < 260


def test_sessions_that_arrive_meanwhile_hide_none() -> None:
    service = Service([NOON - 60 * number for number in range(120)])
    inner = service.page

    def busy(params: dict[str, Any]) -> dict[str, Any]:
        number = len(service.items)
        service.items.insert(0, {"session_id": f"{number:032x}", "created_at": NOON + number})
        return inner(params)

    service.page = busy  # type: ignore[method-assign]
    before = {f"devin-{number:032x}" for number in range(120)}

    assert before <= set(asyncio.run(read(service, Window())))


def test_a_cursor_that_goes_round_ends() -> None:
    service = Service([NOON - number for number in range(30)])
    inner = service.page
    service.page = lambda params: {**inner(params), "has_next_page": True, "end_cursor": "3"}  # type: ignore[method-assign]

    asyncio.run(read(service, Window()))

    assert len(service.requests) < 60


def test_times_that_are_no_whole_seconds_are_read_as_well() -> None:
    service = Service([NOON - 7200 * number for number in range(60)])
    for item in service.items[::2]:
        item["created_at"] += 0.5
    service.items[5]["created_at"] = None
    service.heeds_times = False

    assert len(asyncio.run(read(service, Window()))) == 60


@pytest.mark.parametrize("answer", [b"<html>", b"", b"3", b'{"items": 3}', b"\xff"])
def test_an_answer_that_is_not_a_page_is_an_error(answer: bytes) -> None:
    async def fetch(_: dict[str, Any]) -> bytes:
        return answer

    with pytest.raises(UnreadableAnswer):
        asyncio.run(read_sessions(fetch, ignore, Window()))


def test_the_first_failure_is_raised_as_it_is_and_stops_the_others() -> None:
    service = Service([NOON - 3600 * number for number in range(300)])
    inner = service.fetch

    async def fetch(params: dict[str, Any]) -> bytes:
        if len(service.requests) > 5:
            raise Forbidden("no")
        return await inner(params)

    with pytest.raises(Forbidden, match="no"):
        asyncio.run(read_sessions(fetch, ignore, Window(), clock=service.clock))
    assert len(service.requests) < 20


def test_a_failure_carries_no_group_which_ipython_would_print_with_all_its_frames() -> None:
    async def refused(_: object) -> bytes:
        raise Forbidden("no")

    service = Service([NOON - 3600 * number for number in range(300)])

    async def fetch(params: dict[str, Any]) -> bytes:
        return await service.fetch(params) if len(service.requests) < 4 else await refused(params)

    with pytest.raises(Forbidden) as caught:
        asyncio.run(read_sessions(fetch, ignore, Window(), clock=service.clock))
    assert caught.value.__context__ is None
