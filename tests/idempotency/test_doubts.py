"""A service that cannot be read as it should: what cannot be told is a refusal, and never a second session."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from kernels import CREATE, FAST, POST, SEND, SEND_ROUTE, Kernel, texts

from devin_jupyter.errors import CreateUncertain, UnreadableAnswer
from devin_jupyter.journal import Journal
from devin_jupyter.models.snapshot import Policy
from devin_jupyter.request import SessionRequest

LIST = {"method": "GET", "route": "/v3/organizations/{org_id}/sessions"}
V1_LIST = {"method": "GET", "route": "/v1/sessions"}
ONE = {"method": "GET", "route": "/v3/organizations/{org_id}/sessions/{devin_id}"}
TAGS = {"method": "GET", "route": "/v3/organizations/{org_id}/sessions/{devin_id}/tags"}
ENDLESS = 10**6


@pytest.mark.parametrize(
    "rules",
    [[{**LIST, "kind": "empty_pages", "polls": 20}], [{**LIST, "kind": "tag_case"}], [{**LIST, "kind": "no_tags"}],
     [{**LIST, "kind": "no_tags"}, {**ONE, "kind": "no_tags"}]],
    ids=["empty pages", "tags in capitals", "no tags in the list", "tags of their own only"],
)  # fmt: skip
async def test_a_session_is_found_all_the_same(
    kernel: Any, simulator: Any, folder: Path, rules: list[dict[str, Any]]
) -> None:
    first = await kernel().start(policy=Policy())
    simulator.faults(*rules)
    again = await kernel(Journal(folder / "elsewhere")).start(policy=Policy(refresh=False))
    assert (again.session_id, again.how, simulator.requests(POST)) == (first.session_id, "attached", 1)
    simulator.faults(*rules, {**CREATE, "kind": "drop_after", "times": 1})
    lost = await kernel(Journal(folder / "elsewhere")).start("something else", policy=Policy())
    assert (lost.how, simulator.stats()["sessions"]) == ("adopted", 2)
    assert lost.snapshot.tags == ()


@pytest.mark.parametrize(
    "rules",
    [
        [{**LIST, "kind": "empty_pages", "polls": ENDLESS}],
        [{**LIST, "kind": "bare_list"}],
        [{**LIST, "kind": "malformed"}],
        [{**ONE, "kind": "no_tags"}, {**TAGS, "kind": "no_tags"}, {**LIST, "kind": "no_tags"}],
    ],
    ids=["endless", "a bare list", "half a page", "no tags anywhere"],
)
async def test_what_cannot_be_told_is_refused_before_the_post_and_uncertain_after_it(
    kernel: Any, simulator: Any, folder: Path, rules: list[dict[str, Any]]
) -> None:
    await kernel().start(policy=Policy())
    simulator.faults(*rules)
    with pytest.raises(UnreadableAnswer) as caught:
        await kernel(Journal(folder / "elsewhere")).start(policy=Policy())
    assert "nothing was" in "".join(caught.value.lines)
    assert simulator.requests(POST) == 1

    simulator.faults()
    other = kernel(Journal(folder / "third"))
    posted = other.api.sessions.create

    async def create(body: Any) -> Any:
        simulator.faults(*rules, {**CREATE, "kind": "drop_after", "times": 1})
        return await posted(body)

    other.api.sessions.create = create
    with pytest.raises(CreateUncertain):
        await other.start("something else", policy=Policy())
    simulator.faults()
    other.api.sessions.create = posted
    assert (await other.start("something else", policy=Policy())).how == "adopted"
    assert simulator.stats()["sessions"] == 2


@pytest.mark.parametrize("kind", ["bare_list", "malformed"])
async def test_v1_is_read_as_strictly(kernel: Any, simulator: Any, folder: Path, kind: str) -> None:
    def old(journal: Any = None) -> Kernel:
        one: Kernel = kernel(journal, api_version="v1", api_key=simulator.v1_key)
        return one

    await old().start(policy=Policy(), take="2")
    simulator.faults({**V1_LIST, "kind": kind})
    with pytest.raises(UnreadableAnswer):
        await old(Journal(folder / "elsewhere")).start(policy=Policy(), take="2")
    assert simulator.stats()["sessions"] == 1
    simulator.faults({**V1_LIST, "kind": "no_tags"})
    again = await old(Journal(folder / "elsewhere")).start(policy=Policy(), take="2")
    assert (again.how, simulator.stats()["sessions"]) == ("attached", 1)


class Rows(httpx.AsyncHTTPTransport):
    """Passes requests on; a list holds what is no session."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET" and request.url.path.endswith("/sessions"):
            return httpx.Response(200, json={"items": [{"id": 1}], "has_next_page": False, "end_cursor": None})
        return await super().handle_async_request(request)


async def test_items_that_are_no_sessions_are_an_unreadable_answer(kernel: Any, simulator: Any) -> None:
    with pytest.raises(UnreadableAnswer, match="no session"):
        await kernel(wire=Rows(verify=False)).start(policy=Policy())
    assert simulator.requests(POST) == 0


async def test_a_batch_looks_up_again_what_its_sweep_did_not_find_once_that_is_old(
    kernel: Any, simulator: Any, folder: Path
) -> None:
    one, other = kernel(), kernel(Journal(folder / "other"))
    request = SessionRequest(prompt="row 1")
    swept = await one.creator.sweep([request])
    first = await other.creator.start(request, Policy())
    late = Policy(by_tag=swept, look_again_at=time.monotonic() - 1)
    assert (await one.creator.start(request, late)).session_id == first.session_id
    assert simulator.requests(POST) == 1


@pytest.mark.parametrize("act", ["create", "message"])
async def test_one_deadline_holds_for_settling_where_every_read_hangs(kernel: Any, simulator: Any, act: str) -> None:
    one = kernel(timing=replace(FAST, settle_seconds=0.5), timeout=20.0)
    session_id = (await one.start("at work", policy=Policy())).session_id
    real = one.messages.send if act == "message" else one.api.sessions.create

    async def hanging(*args: Any, **keywords: Any) -> Any:
        lost = {**(SEND if act == "message" else CREATE), "kind": "drop_after", "times": 1}
        simulator.faults(lost, {"method": "GET", "kind": "hang"})
        return await real(*args, **keywords)

    if act == "message":
        one.messages.send = hanging
        acting = one.messenger.send(session_id, "more")
    else:
        one.api.sessions.create = hanging
        acting = one.start(policy=Policy())
    started = time.monotonic()
    with pytest.raises(CreateUncertain) as caught:
        await acting
    took = time.monotonic() - started
    assert took < 20, "less than one read may hang"
    assert int(caught.value.consequence.partition(" s of ")[0]) <= round(took)
    simulator.faults()
    patient = kernel()
    if act == "message":
        await patient.messenger.send(session_id, "more")
        assert (texts(simulator, session_id), simulator.requests(SEND_ROUTE)) == (["more"], 1)
    else:
        assert (await patient.start(policy=Policy())).how == "adopted"
        assert (simulator.requests(POST), simulator.stats()["sessions"]) == (2, 2)


@pytest.mark.parametrize("offset", [-86400.0, 86400.0])
async def test_an_age_is_told_by_the_clock_that_measured_it(simulator_with: Any, folder: Path, offset: float) -> None:
    simulator, weekly = simulator_with(speed=1.0, clock_offset=offset), Policy(max_age=6 * 3600.0)
    made: list[Kernel] = []

    def kernel(name: str, ahead: float = 0.0) -> Kernel:
        timing = replace(FAST, now=lambda: time.time() + ahead)
        made.append(Kernel(simulator.url, Journal(folder / name), timing=timing))
        return made[-1]

    first = await kernel("home").start(policy=weekly)
    for name in ("home", "elsewhere", "home", "elsewhere"):
        again = await kernel(name).start(policy=weekly)
        assert (again.session_id, again.how) == (first.session_id, "attached")
    simulator.clock(7 * 3600)
    later = await kernel("third", ahead=7 * 3600).start(policy=weekly)
    assert later.how == "created"
    assert (await kernel("home", ahead=7 * 3600).start(policy=weekly)).session_id == later.session_id
    assert simulator.requests(POST) == 2
    for one in made:
        await one.transport.aclose()
        one.journal.close()
