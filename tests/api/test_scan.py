"""The two readers of many sessions: by a query, and by id."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from devin_jupyter import errors
from devin_jupyter.api.client import Service
from devin_jupyter.api.query import Query
from devin_jupyter.api.sessions import Found, Sessions

Answering = Callable[..., Service]
NOON = 1_790_000_000


def id_of(number: int) -> str:
    return f"{number:032x}"


class World:
    """A list of sessions, some archived, behind the filters that the readers use."""

    def __init__(self, count: int, *, archived: set[int] = frozenset(), hides_archived: bool = True) -> None:  # type: ignore[assignment]
        self.items = [
            {
                "session_id": id_of(number),
                "created_at": NOON - 60 * number,
                "tags": ["even" if number % 2 == 0 else "odd"],
                "is_archived": number in archived,
            }
            for number in range(count)
        ]
        self.hides_archived = hides_archived
        self.requests: list[httpx.Request] = []
        self.refuses: Callable[[httpx.Request], int | None] = lambda request: None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        status = self.refuses(request)
        if status is not None:
            return httpx.Response(status, json={"detail": "no"})
        *_, last = request.url.path.split("/")
        if last != "sessions":
            found = [item for item in self.items if item["session_id"] == last.removeprefix("devin-")]
            return httpx.Response(200, json=found[0]) if found else httpx.Response(404, json={"detail": "none"})
        params = request.url.params
        wanted = {name.removeprefix("devin-") for name in params.get_list("session_ids")}
        after, before = int(params.get("created_after", -1)), int(params.get("created_before", 2**62))
        flag = params.get("is_archived")
        found = [
            item
            for item in self.items
            if after <= int(str(item["created_at"])) <= before
            and (not wanted or item["session_id"] in wanted)
            and (item["is_archived"] is (flag == "true") if flag else not (self.hides_archived and item["is_archived"]))
        ]
        start, size = int(params.get("after", 0)), int(params.get("first", 100))
        end = start + size
        page = {"items": found[start:end], "has_next_page": end < len(found), "end_cursor": str(end)}
        return httpx.Response(200, json=page)


async def scanned(sessions: Sessions, *args: Any, **options: Any) -> list[str]:
    return [str(item["session_id"]) async for page in sessions.scan(*args, **options) for item in page]


@pytest.mark.parametrize("hides_archived", [True, False])
@pytest.mark.parametrize("parallel", [True, False])
async def test_a_scan_yields_each_session_once_archived_or_not(
    answering: Answering, hides_archived: bool, parallel: bool
) -> None:
    world = World(2500, archived=set(range(0, 2500, 7)), hides_archived=hides_archived)

    found = await scanned(Sessions(answering(world)), Query.of({}), parallel=parallel)

    assert len(found) == len(set(found)) == 2500


async def test_a_scan_takes_the_keywords_of_the_frames(answering: Answering) -> None:
    world = World(30, archived={2, 4})

    found = await scanned(Sessions(answering(world)), {"tags": "even", "archived": True})

    assert found == [id_of(2), id_of(4)]
    with pytest.raises(errors.OptionError, match="tag"):
        await scanned(Sessions(answering(world)), {"tag": "even"})


async def test_a_limit_reads_the_newest_only(answering: Answering) -> None:
    world = World(5000)

    found = await scanned(Sessions(answering(world)), Query.of({}), limit=250)

    assert {id_of(number) for number in range(250)} <= set(found)
    assert len(world.requests) == 3  # two pages, and a look at the archived ones


async def test_a_page_is_processed_before_much_more_is_read(answering: Answering) -> None:
    """Backpressure: no more requests than there are readers run ahead of whoever processes the pages."""
    world = World(20_000)
    pages = Sessions(answering(world)).scan(Query.of({}))
    async for _ in pages:
        for _ in range(50):
            await asyncio.sleep(0)
        break

    assert len(world.requests) <= 12
    await pages.aclose()  # type: ignore[attr-defined]
    count = len(world.requests)
    await asyncio.sleep(0.05)
    assert len(world.requests) == count


async def test_a_scan_that_is_refused_says_so(answering: Answering) -> None:
    world = World(3000)
    world.refuses = lambda request: 403 if len(world.requests) > 5 else None

    with pytest.raises(errors.Forbidden):
        await scanned(Sessions(answering(world)), Query.of({}))


async def test_many_are_read_a_hundred_at_a_time(answering: Answering) -> None:
    world = World(250)

    found = await Sessions(answering(world)).by_ids(map(id_of, range(250)))

    assert list(found.raws) == ["devin-" + id_of(number) for number in range(250)]
    assert len(world.requests) == 3
    assert not found.problems


async def test_a_session_that_a_list_leaves_out_is_read_on_its_own(answering: Answering) -> None:
    world = World(10, archived={3})

    found = await Sessions(answering(world)).by_ids([*map(id_of, range(10)), id_of(99), "devin-" + id_of(3)])

    assert set(found.raws) == {"devin-" + id_of(number) for number in range(10)}
    assert found.missing == ["devin-" + id_of(99)]
    assert len(found.existing()) == 10
    with pytest.raises(errors.NotFound):
        found.all()


async def test_a_problem_belongs_to_the_sessions_it_concerns(answering: Answering) -> None:
    world = World(150)
    world.refuses = lambda request: 500 if len(request.url.params.get_list("session_ids")) == 50 else None

    found = await Sessions(answering(world)).by_ids(map(id_of, range(150)), retries=False)

    assert len(found.raws) == 100
    assert len(found.problems) == 50
    assert found.missing == []
    with pytest.raises(errors.ServerError):
        found.existing()


async def test_nothing_is_asked_for_no_ids(answering: Answering) -> None:
    world = World(3)

    assert await Sessions(answering(world)).by_ids([]) == Found()
    assert world.requests == []


async def test_v1_is_read_by_its_newest_and_filtered_here(answering: Answering) -> None:
    items = [
        {"session_id": "devin-" + id_of(number), "created_at": f"2026-11-{20 - number:02d}T00:00:00Z"}
        for number in range(10)
    ]

    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"sessions": items if request.url.params.get("offset") == "0" else []})

    sessions = Sessions(answering(handler, "v1"))

    assert await scanned(sessions, {"since": "2026-11-18"}) == [item["session_id"] for item in items[:3]]
    found = await sessions.by_ids([id_of(1), id_of(2), id_of(3)])
    assert len(found.raws) == 3
