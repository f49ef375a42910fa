"""v1 answers a create call with an earlier session that it holds equivalent; of a request it knows less than we do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from devin_jupyter.journal import Journal
from devin_jupyter.models.snapshot import Policy

V1_POST = "POST /v1/sessions"


@pytest.fixture
def v1(kernel: Callable[..., Any], simulator: Any) -> Callable[..., Any]:
    """Make kernels with a v1 key."""
    return lambda *journal: kernel(*journal, api_version="v1", api_key=simulator.v1_key)


async def test_requests_that_differ_for_us_alone_get_a_session_each(v1: Any, simulator: Any) -> None:
    one = v1()
    found = [(await one.start("audit", policy=Policy(), key=key)) for key in ("w1", "w2", None)]
    assert [item.how for item in found] == ["created"] * 3
    assert len({item.session_id for item in found}) == simulator.stats()["sessions"] == 3
    again = await one.start("audit", policy=Policy(), key="w2")
    assert (again.session_id, again.how) == (found[1].session_id, "attached")


async def test_a_session_of_its_own_whose_answer_is_lost_is_found(v1: Any, simulator: Any) -> None:
    one = v1()
    await one.start("audit", policy=Policy(), key="w1")
    create = one.api.sessions.create

    async def lose_the_second(body: Any) -> Any:
        if body["idempotent"] is False:
            simulator.faults({"method": "POST", "route": "/v1/sessions", "kind": "drop_after", "times": 1})
        return await create(body)

    one.api.sessions.create = lose_the_second
    assert (await one.start("audit", policy=Policy(), key="w2")).how == "adopted"
    assert simulator.stats()["sessions"] == 2


async def test_an_equivalent_one_that_no_notebook_started_is_attached_with_its_time(v1: Any, simulator: Any) -> None:
    with simulator.v1() as somebody:
        made = somebody.post("/sessions", json={"prompt": "audit"}).json()["session_id"]
    started = await v1().start("audit", policy=Policy())
    assert (started.session_id, started.how) == (made, "attached")
    assert started.notice.startswith(f"attached to {made} of 20")
    assert "the service had it for this request" in started.notice


async def test_an_equivalent_one_that_is_not_listed_yet_is_ours(v1: Any, simulator: Any, folder: Any) -> None:
    first = await v1().start("audit", policy=Policy())
    other = v1(Journal(folder / "other"))

    async def nothing(*tags: str) -> list[Any]:
        return []

    other.creator.lookup.find = nothing
    again = await other.start("audit", policy=Policy())
    assert (again.session_id, again.how) == (first.session_id, "attached")
    assert simulator.stats()["sessions"] == 1
