"""A request gets one session, whatever happened to the tries before."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from kernels import CELL, CREATE, FAST, POST, call_api, kill_after_post, until

from devin_jupyter.errors import (
    BadRequest,
    ColleaguesSession,
    ConnectionFailed,
    CreateUncertain,
    OptionError,
    RateLimited,
    Unprocessable,
)
from devin_jupyter.idempotency import once
from devin_jupyter.idempotency.once import Timing
from devin_jupyter.journal import Journal
from devin_jupyter.models.snapshot import Policy
from devin_jupyter.request import Attachment, SessionRequest


async def test_a_rerun_attaches_and_posts_nothing(kernel: Any, simulator: Any) -> None:
    one = kernel()
    first, second = await one.start(), await one.start()
    assert (first.how, second.how) == ("created", "attached")
    assert first.session_id == second.session_id
    assert simulator.requests(POST) == 1
    assert first.notice is None
    assert second.notice.startswith(f"attached to {first.session_id} of 20")
    assert second.notice.endswith(" UTC, 0 ACU; --take 2 starts another") or "ACU; --take 2" in second.notice


async def test_the_session_carries_the_tag_and_the_persons_tags(kernel: Any, simulator: Any) -> None:
    started = await kernel().start(tags=("audit", "team:web"))
    raw = call_api(simulator, "GET", f"/sessions/{started.session_id}")
    assert raw["tags"][:2] == ["audit", "team:web"]
    assert raw["tags"][2].startswith("nb-")
    assert len(raw["tags"][2]) == 19
    assert started.snapshot.tags == ("audit", "team:web")


async def test_another_machine_finds_the_session_by_its_tag(kernel: Any, simulator: Any, folder: Path) -> None:
    first = await kernel().start()
    elsewhere = await kernel(Journal(folder / "other")).start()
    assert (elsewhere.how, elsewhere.session_id) == ("attached", first.session_id)
    assert simulator.requests(POST) == 1


async def test_an_archived_session_is_found_by_its_tag_too(kernel: Any, simulator: Any, folder: Path) -> None:
    first = await kernel().start()
    call_api(simulator, "POST", f"/sessions/{first.session_id}/archive")
    elsewhere = await kernel(Journal(folder / "other")).start()
    assert elsewhere.session_id == first.session_id


async def test_takes_and_keys_are_sessions_of_their_own(kernel: Any, simulator: Any) -> None:
    one = kernel()
    sessions = [
        await one.start(policy=Policy()),
        await one.start(policy=Policy(), take="2"),
        await one.start(policy=Policy(), key="week-47"),
        await one.start("another text", policy=Policy(), key="week-47"),
    ]
    assert len({item.session_id for item in sessions}) == 3
    assert sessions[2].session_id == sessions[3].session_id
    assert simulator.requests(POST) == 3


async def test_what_is_not_identity_attaches_and_is_named(kernel: Any) -> None:
    one = kernel()
    await one.start(title="a", max_acu=3)
    again = await one.start(title="b", max_acu=5, tags=("x",))
    assert again.how == "attached"
    assert "title, tags and cap (3 ACU) stay as first given" in again.notice


@pytest.mark.parametrize(
    "rule",
    [
        {**CREATE, "kind": "drop_before", "times": 1},
        {**CREATE, "kind": "drop_after", "times": 1},
        {**CREATE, "kind": "malformed", "times": 1},
        {**CREATE, "kind": "status", "status": 503, "times": 1},
        {**CREATE, "kind": "status", "status": 500, "times": 2},
        {**CREATE, "kind": "status", "status": 408, "times": 1},
        {**CREATE, "kind": "status", "status": 409, "times": 1},
    ],
    ids=lambda rule: f"{rule['kind']}-{rule.get('status', '')}-{rule['times']}",
)
async def test_a_lost_answer_costs_one_session(kernel: Any, simulator: Any, rule: dict[str, Any]) -> None:
    simulator.faults(rule)
    started = await kernel().start()
    assert simulator.stats()["sessions"] == 1
    assert started.how == ("adopted" if rule["kind"] in ("drop_after", "malformed") else "created")
    if started.how == "adopted":
        assert "the answer was lost" in started.notice


class Late(httpx.AsyncHTTPTransport):
    """Passes requests on; the answer to the first POST comes too late."""

    is_late = True

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await super().handle_async_request(request)
        if request.method == "POST" and self.is_late:
            self.is_late = False
            await answer.aclose()
            raise httpx.ReadTimeout("too late", request=request)
        return answer


async def test_an_answer_that_comes_too_late_costs_one_session(kernel: Any, simulator: Any) -> None:
    started = await kernel(wire=Late(verify=False)).start()
    assert (started.how, simulator.requests(POST), simulator.stats()["sessions"]) == ("adopted", 1, 1)
    assert "the answer was lost" in started.notice


async def test_a_session_that_is_listed_late_is_waited_for(kernel: Any, simulator: Any) -> None:
    simulator.faults({**CREATE, "kind": "drop_after", "times": 1}, {"kind": "hide_new", "seconds": 0.1})
    started = await kernel().start()
    assert (started.how, simulator.stats()["sessions"]) == ("adopted", 1)


async def test_what_a_dead_kernel_posted_is_looked_for_to_the_end_before_any_post(kernel: Any, simulator: Any) -> None:
    simulator.faults({**CREATE, "kind": "drop_after", "times": 1}, {"kind": "hide_new", "seconds": 9.0})
    dead = kernel()
    kill_after_post(dead)
    with pytest.raises(RuntimeError):
        await dead.start()
    assert dead.journal.intents.all()[0].posts == 1

    async def sleep(seconds: float) -> None:
        simulator.clock(seconds)

    started = await kernel(timing=Timing(sleep=sleep)).start()
    assert (started.how, simulator.requests(POST), simulator.stats()["sessions"]) == ("adopted", 1, 1)
    assert started.notice.startswith(f"found again (its answer had been lost): {started.session_id} of 20")


async def test_what_a_dead_kernel_posted_is_found_though_it_was_archived_since(kernel: Any, simulator: Any) -> None:
    simulator.faults({**CREATE, "kind": "drop_after", "times": 1})
    dead = kernel()
    kill_after_post(dead)
    with pytest.raises(RuntimeError):
        await dead.start()
    (made,) = call_api(simulator, "GET", "/sessions")["items"]
    call_api(simulator, "POST", f"/sessions/{made['session_id']}/archive")
    started = await kernel().start()
    assert (started.session_id, started.how) == (f"devin-{made['session_id']}", "adopted")
    assert simulator.stats()["sessions"] == 1


async def test_three_lost_posts_end_in_uncertainty_that_says_what_to_check(kernel: Any, simulator: Any) -> None:
    simulator.faults({**CREATE, "kind": "drop_before"})
    one = kernel()
    with pytest.raises(CreateUncertain) as caught:
        await one.start()
    assert simulator.requests(POST) == 3
    assert len(caught.value.lines) == 3
    assert "nb-" in caught.value.hint
    simulator.faults()
    assert (await one.start()).how == "created"
    assert simulator.stats()["sessions"] == 1


async def test_settling_looks_at_0_1_3_and_10_seconds(kernel: Any, simulator: Any) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    simulator.faults({**CREATE, "kind": "drop_before"})
    with pytest.raises(CreateUncertain):
        await kernel(timing=Timing(sleep=sleep)).start()
    assert slept == [0.0, 1.0, 2.0, 7.0] * 3


@pytest.mark.parametrize(("status", "kind"), [(400, BadRequest), (422, Unprocessable)])
async def test_a_refusal_is_final_and_leaves_no_intent(
    kernel: Any, simulator: Any, status: int, kind: type[Exception]
) -> None:
    simulator.faults({**CREATE, "kind": "status", "status": status, "times": 1})
    one = kernel()
    with pytest.raises(kind):
        await one.start()
    assert simulator.requests(POST) == 1
    assert one.journal.intents.all() == []


async def test_no_connection_is_final_and_leaves_no_intent(kernel: Any, folder: Path, simulator: Any) -> None:
    one = kernel()
    real = one.api.sessions.create

    async def unreachable(body: Any) -> Any:
        raise ConnectionFailed("no connection")

    one.creator.api = replace(one.api, sessions=_Wrapped(one.api.sessions, unreachable))
    with pytest.raises(ConnectionFailed):
        await one.start()
    assert one.journal.intents.all() == []
    one.creator.api = replace(one.api, sessions=_Wrapped(one.api.sessions, real))
    assert (await one.start()).how == "created"


class _Wrapped:
    def __init__(self, sessions: Any, create: Any) -> None:
        self._sessions, self.create = sessions, create

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sessions, name)


async def test_429_waits_as_long_as_asked_and_does_not_count_as_a_post(kernel: Any, simulator: Any) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    simulator.faults({**CREATE, "kind": "status", "status": 429, "retry_after": 7, "times": 5})
    one = kernel(timing=Timing(sleep=sleep))
    started = await one.start()
    assert (started.how, slept) == ("created", [7.0] * 5)
    assert simulator.requests(POST) == 6
    assert one.said == ["the service asks to slow down; trying again in 7 s"] * 5


async def test_429_without_end_is_given_up_without_an_intent(kernel: Any, simulator: Any) -> None:
    async def sleep(seconds: float) -> None: ...

    simulator.faults({**CREATE, "kind": "status", "status": 429})
    one = kernel(timing=Timing(sleep=sleep))
    with pytest.raises(RateLimited):
        await one.start()
    assert one.journal.intents.all() == []


async def test_two_kernels_at_once_make_one_session(kernel: Any, simulator: Any, folder: Path, held: Any) -> None:
    simulator.faults({**CREATE, "kind": "slow", "times": 1})
    kernels = [kernel(Journal(folder / "home")) for _ in range(4)]
    starting = [asyncio.create_task(one.start()) for one in kernels]
    await until(lambda: sum(bool(one.said) for one in kernels) == 3)  # they wait for the one that posts
    held.end.set()
    started = await asyncio.gather(*starting)
    assert len({item.session_id for item in started}) == 1
    assert sorted(item.how for item in started) == ["attached", "attached", "attached", "created"]
    assert simulator.requests(POST) == 1


async def test_the_same_cell_twice_in_one_kernel_at_once_makes_one_session(kernel: Any, simulator: Any) -> None:
    one = kernel()
    await asyncio.gather(*(one.start() for _ in range(5)))
    assert simulator.requests(POST) == 1


async def test_a_cancelled_start_is_carried_to_its_end(kernel: Any, simulator: Any, held: Any) -> None:
    simulator.faults({**CREATE, "kind": "slow", "times": 1})
    one = kernel()
    starting = asyncio.create_task(one.start())
    await until(lambda: simulator.requests(POST) > 0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    held.end.set()
    started = await one.start()
    assert (started.how, simulator.stats()["sessions"]) == ("attached", 1)


async def test_a_start_cancelled_while_settling_posts_no_more(kernel: Any, simulator: Any) -> None:
    simulator.faults({**CREATE, "kind": "drop_before"})
    one = kernel(timing=replace(FAST, settle_at=(0.0, 60.0)))  # still settling, however late it is cancelled
    starting = asyncio.create_task(one.start())
    await until(lambda: simulator.requests(POST) > 0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await until(lambda: not once.unattended)
    assert simulator.requests(POST) == 1


async def test_an_older_session_than_max_age_does_not_count(kernel: Any, simulator: Any) -> None:
    one = kernel()
    weekly = Policy(max_age=3600.0)
    first = await one.start(policy=weekly)
    assert (await one.start(policy=weekly)).session_id == first.session_id
    simulator.clock(7200)
    later = kernel(Journal(), timing=replace(FAST, now=lambda: time.time() + 7200))
    second = await later.start(policy=weekly)
    assert (second.how, simulator.stats()["sessions"]) == ("created", 2)


async def test_a_lost_answer_never_adopts_the_session_that_was_too_old(kernel: Any, simulator: Any) -> None:
    one = kernel()
    first = await one.start(policy=Policy())
    simulator.faults({**CREATE, "kind": "drop_before", "times": 1})
    simulator.clock(7200)
    two = kernel(timing=replace(FAST, now=lambda: time.time() + 7200))
    second = await two.start(policy=Policy(max_age=3600.0))
    assert second.session_id != first.session_id
    assert (await kernel().start(policy=Policy())).session_id == second.session_id


async def test_new_takes_the_next_free_take_and_says_which(kernel: Any, simulator: Any, folder: Path) -> None:
    one = kernel()
    await one.start()
    await kernel(Journal(folder / "other")).start(take="2")
    started = await one.start(policy=Policy(take_new=True, interactive=True))
    assert started.record.facts.take == "3"
    assert "write --take 3 in place of --new" in started.notice
    assert (await one.start(take="3")).session_id == started.session_id


async def test_new_is_refused_where_nobody_can_click(kernel: Any, simulator: Any) -> None:
    with pytest.raises(OptionError, match="--new"):
        await kernel().start(policy=Policy(take_new=True, interactive=False))
    assert simulator.requests(POST) == 0


async def test_a_colleagues_session_stops_the_cell_and_is_named(kernel: Any, simulator: Any, folder: Path) -> None:
    first = await kernel().start(policy=Policy())
    other = kernel(Journal(folder / "other"))
    other.creator.lookup.principal = {"principal_type": "service_user", "service_user_id": "service-user-zoe"}
    with pytest.raises(ColleaguesSession) as caught:
        await other.start(policy=Policy())
    assert first.session_id in caught.value.message
    assert simulator.requests(POST) == 1
    mine = await other.start(policy=Policy(beside=True))
    assert (mine.how, simulator.requests(POST)) == ("created", 2)
    assert (await other.start(policy=Policy())).session_id == mine.session_id


async def test_of_two_sessions_with_the_tag_the_oldest_is_attached_and_both_are_named(
    kernel: Any, simulator: Any, folder: Path
) -> None:
    first = await kernel().start()
    tag = next(tag for tag in first.raw["tags"] if tag.startswith("nb-"))
    simulator.clock(60)
    second = call_api(simulator, "POST", "/sessions", json={"prompt": "audit the API", "tags": [tag]})
    elsewhere = await kernel(Journal(folder / "other")).start()
    assert elsewhere.session_id == first.session_id
    assert f"the oldest of 2 for this request; the others are devin-{second['session_id']}" in elsewhere.notice


async def test_attachments_are_uploaded_only_for_a_session_that_is_really_made(kernel: Any, simulator: Any) -> None:
    route = "POST /v3/organizations/{org_id}/attachments"
    one = kernel()
    report = Attachment("report.csv", b"a,b\n1,2\n", None, "0" * 64)
    await one.start(attach=(report,))
    await one.start(attach=(report,))
    assert simulator.requests(route) == 1


async def test_a_failed_upload_leaves_no_intent(kernel: Any, simulator: Any) -> None:
    simulator.faults({"method": "POST", "route": "/v3/organizations/{org_id}/attachments", "kind": "status"})
    one = kernel()
    with pytest.raises(Exception, match="503"):
        await one.start(attach=(Attachment("a.txt", b"a", None, "1" * 64),))
    assert one.journal.intents.all() == []
    assert simulator.requests(POST) == 0


async def test_a_finished_session_comes_from_the_journal_when_the_service_is_gone(
    kernel: Any, simulator: Any, folder: Path
) -> None:
    one = kernel()
    first = await one.start()
    simulator.clock(500)
    assert (await one.start()).snapshot.turn_over
    offline = kernel()
    offline.url = simulator.url
    offline.creator.refresher.sessions = _Gone(offline.api.sessions)
    again = await offline.start()
    assert (again.how, again.session_id, again.raw) == ("attached", first.session_id, None)
    assert "the service cannot be reached" in again.notice
    assert again.snapshot.turn_over


class _Gone:
    def __init__(self, sessions: Any) -> None:
        self._sessions = sessions

    async def get(self, session_id: str, *, retries: bool = True) -> Any:
        raise ConnectionFailed("no connection")


async def test_a_sweep_finds_many_requests_with_few_questions(kernel: Any, simulator: Any, folder: Path) -> None:
    one = kernel()
    requests = [SessionRequest(prompt=f"row {number}") for number in range(60)]
    for request in requests[:30]:
        await one.creator.start(request)
    other = kernel(Journal(folder / "other"))
    asked = "GET /v3/organizations/{org_id}/sessions"
    before = simulator.requests(asked)
    by_tag = await other.creator.sweep(requests)
    assert simulator.requests(asked) - before <= 8
    started = [await other.creator.start(item, Policy(by_tag=by_tag, refresh=False)) for item in requests]
    assert [item.how for item in started] == ["attached"] * 30 + ["created"] * 30
    assert simulator.stats()["sessions"] == 60


async def test_v1_asks_for_idempotence_on_the_first_take_only(kernel: Any, simulator: Any) -> None:
    one = kernel(api_version="v1", api_key=simulator.v1_key)
    bodies: list[dict[str, Any]] = []
    real = one.api.sessions.create

    async def create(body: Any) -> Any:
        bodies.append(dict(body))
        return await real(body)

    one.creator.api = replace(one.api, sessions=_Wrapped(one.api.sessions, create))
    await one.start(policy=Policy())
    await one.start(policy=Policy(), take="2")
    assert [body["idempotent"] for body in bodies] == [True, False]
    assert (await one.start(policy=Policy())).how == "attached"


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "malformed", "status"])
async def test_v1_survives_lost_answers_as_well(kernel: Any, simulator: Any, kind: str) -> None:
    simulator.faults({"method": "POST", "route": "/v1/sessions", "kind": kind, "times": 1})
    started = await kernel(api_version="v1", api_key=simulator.v1_key).start(policy=Policy(), take="2")
    assert simulator.stats()["sessions"] == 1
    assert started.how in ("created", "adopted")


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "malformed", "status"])
async def test_an_unlisted_session_whose_answer_was_lost_is_never_paid_twice(
    kernel: Any, simulator: Any, kind: str
) -> None:
    one = kernel(api_version="v1", api_key=simulator.v1_key)
    fault = {"method": "POST", "route": "/v1/sessions", "kind": kind, "times": 1}
    simulator.faults(fault)
    await one.start(policy=Policy(), unlisted=True)
    assert simulator.stats()["sessions"] == 1
    simulator.faults(fault)
    for _ in range(2):
        with pytest.raises(CreateUncertain, match="in no list"):
            await one.start(policy=Policy(), unlisted=True, take="2")
    assert simulator.requests("POST /v1/sessions") == 3


async def test_a_journal_that_fails_after_the_post_does_not_hide_the_session(
    kernel: Any, simulator: Any, folder: Path
) -> None:
    one = kernel()
    one.journal.remember = _full  # the disk fills up while the service answers
    started = await one.start(policy=Policy())
    assert "not written down" in started.notice
    assert "nb-" in started.notice
    again = await kernel(Journal(folder / "home")).start(policy=Policy())
    assert (again.how, again.session_id) == ("adopted", started.session_id)
    assert simulator.stats()["sessions"] == 1


def _full(*args: Any, **kwargs: Any) -> None:
    from devin_jupyter.errors import JournalError

    raise JournalError("the journal cannot grow")


async def test_the_journal_knows_which_notebook_uses_a_session(kernel: Any) -> None:
    one = kernel()
    started = await one.start()
    assert [entry.session_id for entry in one.journal.sessions(notebook=CELL.notebook)] == [started.session_id]


async def test_a_process_that_stood_still_after_counting_its_post_does_not_send_it(kernel: Any, simulator: Any) -> None:
    one = kernel()
    count, late = one.journal.intents.about_to_post, [0.0]

    def count_slowly(*args: Any, **kwargs: Any) -> None:
        count(*args, **kwargs)
        late[0] += 20.0 if late[0] == 0.0 else 0.0

    one.journal.intents.about_to_post = count_slowly
    slow = kernel(one.journal, timing=replace(FAST, now=lambda: time.time() + late[0]))
    assert (await slow.start(policy=Policy())).how == "created"
    assert simulator.requests(POST) == 1
