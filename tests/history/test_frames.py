"""Frames of a client over real HTTP, against a simulated year of sessions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

import devin_jupyter as dj
from devin_jupyter.errors import Forbidden, NotFound, OptionError, Unsupported
from devin_jupyter.frames.sessions import SESSIONS
from devin_jupyter.journal import Journal

pytestmark = pytest.mark.usefixtures("slow_lasts")
LIST = "GET /v3/organizations/{org_id}/sessions"


@pytest.fixture
def year(simulator_with: Callable[..., Any]) -> Any:
    return simulator_with(preload=900)


@pytest.fixture
def devin(year: Any) -> Iterator[dj.Devin]:
    with dj.Devin(year.api_key, org_id=year.org_id, base_url=year.url, journal=Journal(":memory:")) as client:
        yield client


@pytest.fixture
def v1(year: Any) -> Iterator[dj.Devin]:
    with dj.Devin(year.v1_key, base_url=year.url, journal=Journal(":memory:")) as client:
        yield client


def raw_sessions(year: Any, **filters: Any) -> list[dict[str, Any]]:
    """The same sessions as plain httpx reads them, page after page."""
    found: list[dict[str, Any]] = []
    with year.v3() as client:
        after = None
        while True:
            params = {"first": 200, **filters, **({"after": after} if after else {})}
            page = client.get("/sessions", params=params).json()
            found += page["items"]
            after = page["end_cursor"]
            if not page["has_next_page"]:
                return found


def ids(sessions: list[dict[str, Any]]) -> list[str]:
    return ["devin-" + item["session_id"] for item in sessions]


def test_all_sessions_are_there_once_the_newest_first(devin: dj.Devin, year: Any) -> None:
    frame = devin.sessions_frame()

    assert frame["session_id"].tolist() == ids(raw_sessions(year))
    assert frame["created_at"].is_monotonic_decreasing
    assert list(frame.index) == list(range(900))


@pytest.mark.parametrize(
    ("filters", "query"),
    [
        ({"tags": "team:payments"}, {"tags": "team:payments"}),
        ({"repos": "acme/api"}, {"repo_names": "acme/api"}),
        ({"origin": ["slack", "jira"]}, {"origins": ["slack", "jira"]}),
        ({"category": "security"}, {"category": "security"}),
        ({"archived": True}, {"is_archived": True}),
        ({"archived": False}, {"is_archived": False}),
        ({"playbook": "playbook-audit"}, {"playbook_id": "playbook-audit"}),
        ({"user": "user-ana"}, {"user_ids": "user-ana"}),
    ],
)
def test_filters_select_what_the_service_selects(
    devin: dj.Devin, year: Any, filters: dict[str, Any], query: dict[str, Any]
) -> None:
    found = devin.sessions_frame(**filters)["session_id"].tolist()

    assert found == ids(raw_sessions(year, **query))
    assert 0 < len(found) < 900


def test_since_and_until_are_half_open(devin: dj.Devin) -> None:
    whole = devin.sessions_frame()
    since, until = whole.loc[300, "created_at"], whole.loc[100, "created_at"]

    found = devin.sessions_frame(since=since, until=until)

    expected = whole[(whole["created_at"] >= since) & (whole["created_at"] < until)].reset_index(drop=True)
    pd.testing.assert_frame_equal(found, expected)
    assert len(devin.sessions_frame(since="30d")) < 900


def test_a_limit_takes_the_newest(devin: dj.Devin, year: Any) -> None:
    before = year.requests(LIST)

    found = devin.sessions_frame(limit=7)

    assert found["session_id"].tolist() == ids(raw_sessions(year))[:7]
    assert len(devin.sessions_frame(limit=0)) == 0
    assert len(devin.sessions_frame(limit=250)) == 250
    assert year.requests(LIST) - before < 15


def test_phases_are_filtered_here(devin: dj.Devin) -> None:
    whole = devin.sessions_frame()

    found = devin.sessions_frame(phase=["failed", "blocked"], limit=3)

    assert found["session_id"].tolist() == whole[whole["phase"].isin(["failed", "blocked"])]["session_id"].tolist()[:3]


def test_a_limit_takes_the_newest_also_where_the_list_does_not_begin_with_them(
    devin: dj.Devin, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = devin.sessions_frame()
    transport = devin.core.transport
    ask = transport.get_bytes

    async def shuffled(*call: Any, **more: Any) -> bytes:
        page = json.loads(await ask(*call, **more))
        page["items"].sort(key=lambda item: item["session_id"])
        return json.dumps(page).encode()

    monkeypatch.setattr(transport, "get_bytes", shuffled)

    pd.testing.assert_frame_equal(devin.sessions_frame(limit=12), whole.head(12))


def test_a_batch_stands_for_its_sessions(devin: dj.Devin) -> None:
    batch = SimpleNamespace(sessions=[devin.create("One").wait(), devin.create("Two").wait()])

    assert devin.sessions_frame(batch)["session_id"].tolist() == [session.id for session in batch.sessions]


def test_what_the_journal_knows_of_another_organization_is_left_alone(devin: dj.Devin, year: Any) -> None:
    session = devin.create("Stop me", tags=["sim:slow"])
    devin.stop(session)
    with dj.Devin(year.api_key, org_id=year.org_id, base_url=year.url + "/", journal=devin.journal) as same:
        assert same.sessions_frame([session.id])["phase"].tolist() == ["stopped"]
    elsewhere = year.url.replace("127.0.0.1", "localhost")
    with dj.Devin(year.api_key, org_id=year.org_id, base_url=elsewhere, journal=devin.journal) as other:
        assert other.sessions_frame([session.id])["phase"].tolist() == ["done"]


def test_insights_of_our_own_sessions_use_what_the_journal_knows(devin: dj.Devin) -> None:
    session = devin.create("Stop me", tags=["sim:slow"])
    devin.stop(session)

    assert devin.insights_frame([session])["phase"].tolist() == ["stopped"]


@pytest.mark.parametrize("count", [900, 3000])
def test_archived_sessions_are_read_also_where_the_list_leaves_them_out(
    simulator_with: Callable[..., Any], count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    year = simulator_with(preload=count)
    devin = dj.Devin(year.api_key, org_id=year.org_id, base_url=year.url, journal=Journal(":memory:"))
    whole = devin.sessions_frame()
    transport = devin.core.transport
    ask = transport.get_bytes

    async def hides_archived(path: str, params: Any = None, **call: Any) -> bytes:
        return await ask(path, {"is_archived": "false", **{k: v for k, v in params.items() if v is not None}}, **call)

    monkeypatch.setattr(transport, "get_bytes", hides_archived)

    assert whole["is_archived"].sum() > 10
    pd.testing.assert_frame_equal(devin.sessions_frame(), whole)
    assert set(whole["session_id"][:20]) == set(devin.sessions_frame(limit=20)["session_id"])
    devin.close()


def test_named_sessions_come_in_the_order_they_are_named(devin: dj.Devin) -> None:
    names = devin.sessions_frame()["session_id"].tolist()[:240][::-1]

    frame = devin.sessions_frame([names[0].removeprefix("devin-"), *names])

    assert frame["session_id"].tolist() == names
    pd.testing.assert_frame_equal(devin.sessions_frame(frame), frame)
    assert devin.sessions_frame(names[5])["session_id"].tolist() == [names[5]]


def test_an_unknown_id_is_an_error(devin: dj.Devin) -> None:
    with pytest.raises(NotFound):
        devin.sessions_frame(["devin-" + "0" * 32])


@pytest.mark.parametrize(
    "call",
    [
        lambda devin: devin.sessions_frame(3),
        lambda devin: devin.sessions_frame([3]),
        lambda devin: devin.sessions_frame(pd.DataFrame({"a": [1]})),
        lambda devin: devin.sessions_frame(["devin-1"], since="7d"),
        lambda devin: devin.sessions_frame(["devin-1"], limit=3),
        lambda devin: devin.sessions_frame(tag="x"),
        lambda devin: devin.sessions_frame(since="whenever"),
        lambda devin: devin.sessions_frame(limit=-1),
        lambda devin: devin.sessions_frame(engine="polars"),
        lambda devin: devin.sessions_frame(["devin-1"], engine="dask"),
        lambda devin: devin.consumption_frame(user="u", session="devin-1"),
    ],
)
def test_invalid_values_are_refused_before_anything_is_sent(
    devin: dj.Devin, year: Any, call: Callable[[dj.Devin], Any]
) -> None:
    before = year.stats()

    with pytest.raises(OptionError) as caught:
        call(devin)

    assert len(caught.value.lines) <= 3
    assert year.stats() == before


def test_v1_has_the_same_frames(v1: dj.Devin, year: Any) -> None:
    made = [v1.create(f"Task {number}", tags=["mine"], schema="n:int").wait() for number in range(3)]

    frame = v1.sessions_frame(tags="mine")

    assert set(frame["session_id"]) == {session.id for session in made}
    assert set(frame["phase"]) == {"done"}
    assert list(v1.sessions_frame(limit=2)) == [column.name for column in SESSIONS]
    assert v1.sessions_frame([made[0].id])["session_id"].tolist() == [made[0].id]
    assert len(v1.sessions_frame(tags="mine", until="1d")) == 0
    assert "n" in v1.outputs_frame(tags="mine")
    assert len(v1.messages_frame(made)) >= 6
    assert len(v1.pull_requests_frame(tags="mine")) <= 3
    with pytest.raises(Unsupported):
        v1.sessions_frame(origin="slack")
    with pytest.raises(Unsupported):
        v1.insights_frame(tags="mine")


def test_handles_are_taken_as_they_stand_without_a_request(devin: dj.Devin, year: Any) -> None:
    session = devin.create("Audit acme/api", repos=["acme/api"], schema="[file:str, severity:low|high]").wait()
    before = year.stats()

    frame, outputs = devin.sessions_frame([session]), devin.outputs_frame(session)
    merged = devin.pull_requests_frame([session])

    assert year.stats() == before
    assert frame.loc[0, "session_id"] == session.id
    assert frame.loc[0, "repos"] == ["acme/api"]
    pd.testing.assert_frame_equal(outputs, session.frame())
    assert outputs["severity"].dtype == pd.CategoricalDtype(["low", "high"])
    assert merged["session_id"].tolist() == [session.id]


def test_what_the_journal_knows_is_put_to_use(devin: dj.Devin) -> None:
    stopped = devin.create("Stop me", tags=["sim:slow"])
    devin.stop(stopped)
    answered = devin.create("Count", schema="count:int").wait()

    frame = devin.sessions_frame(limit=2).set_index("session_id")
    outputs = devin.outputs_frame(limit=2)

    assert frame.loc[stopped.id, "phase"] == "stopped"
    assert frame.loc[answered.id, "phase"] == "done"
    assert str(outputs["count"].dtype) == "Int64"
    assert outputs["provisional"].tolist() == [False]


def test_outputs_of_a_sessions_frame_need_no_request(devin: dj.Devin, year: Any) -> None:
    sessions = devin.sessions_frame(limit=200)
    before = year.stats()

    whole, findings = devin.outputs_frame(sessions), devin.outputs_frame(sessions, explode="findings")

    assert year.stats() == before
    assert 0 < len(whole) < 200
    assert findings["session_id"].isin(whole["session_id"]).all()
    assert len(findings) == sum(len(found) for found in whole["findings"])


def test_outputs_say_the_same_however_the_sessions_are_named(devin: dj.Devin) -> None:
    options: list[dict[str, Any]] = [
        {},
        {"schema": "n:int", "schema_optional": True, "tags": ["sim:no-output"]},
        {"schema": "n:int", "tags": ["sim:invalid-output"]},
        {"schema": "n:int", "tags": ["sim:fail"]},
        {"schema": "n:int", "tags": ["sim:question"]},
    ]
    handles = [devin.create("Look around", **chosen, take=str(n)).wait() for n, chosen in enumerate(options)]
    handles.append(devin.create("Count", schema="n:int").wait().send("Count again").wait())

    held = devin.outputs_frame(handles, keep_empty=True)

    assert held["session_id"].tolist() == [handle.id for handle in handles]
    assert held["provisional"].isna().tolist() == [handle.snapshot.structured_output is None for handle in handles]
    assert held["provisional"].notna().sum() >= 2
    named = devin.outputs_frame([handle.id for handle in handles], keep_empty=True)
    framed = devin.outputs_frame(devin.sessions_frame(handles), keep_empty=True)
    pd.testing.assert_frame_equal(named, held)
    pd.testing.assert_frame_equal(framed, held)


def test_outputs_are_selected_with_filters_and_read_with_a_schema(devin: dj.Devin) -> None:
    frame = devin.outputs_frame(since="60d", schema="summary:str, findings:[severity:low|medium|high|critical]")

    assert frame["error"].isna().all()
    assert list(frame.columns)[:2] == ["summary", "findings"]


def test_messages_of_many_sessions_come_session_by_session(devin: dj.Devin) -> None:
    sessions = devin.sessions_frame(limit=30)

    frame = devin.messages_frame(sessions)

    assert frame["session_id"].drop_duplicates().tolist() == sessions["session_id"].tolist()
    assert (frame.groupby("session_id", sort=False)["source"].first() == "user").all()
    assert devin.messages_frame(limit=2)["session_id"].nunique() == 2


def test_pull_requests_of_filters_of_names_and_of_phases_agree(devin: dj.Devin) -> None:
    since = {"since": "60d"}
    selected = devin.pull_requests_frame(**since)

    assert selected["url"].is_unique
    assert len(selected) > 5
    pd.testing.assert_frame_equal(selected, devin.pull_requests_frame(devin.sessions_frame(**since)))
    done = devin.pull_requests_frame(phase="done", **since)
    assert set(done["url"]) <= set(selected["url"])
    assert devin.pull_requests_frame(limit=3)["session_id"].nunique() <= 3


def test_insights_of_a_session_that_is_not_there_are_an_error(devin: dj.Devin, year: Any) -> None:
    newest = raw_sessions(year)[0]["session_id"]

    assert devin.insights_frame([newest])["session_id"].tolist() == ["devin-" + newest]
    for named in ("devin-" + "0" * 32, [newest, "0" * 32], pd.DataFrame({"session_id": ["devin-" + "0" * 32]})):
        with pytest.raises(NotFound):
            devin.insights_frame(named)


def test_insights_tell_how_sessions_went(devin: dj.Devin) -> None:
    frame = devin.insights_frame(limit=40)

    assert len(frame) == 40
    assert frame["n_issues"].notna().any()
    assert frame["session_id"].tolist() == devin.sessions_frame(limit=40)["session_id"].tolist()


def test_consumption_can_be_limited_to_a_time_and_a_user(devin: dj.Devin) -> None:
    session = devin.sessions_frame(limit=1).loc[0]

    whole = devin.consumption_frame()

    assert whole["acus"].sum() > 100
    assert (whole["date"].dt.hour == 8).all()
    assert len(devin.consumption_frame(since="30d", until="2d")) < len(whole)
    assert devin.consumption_frame(user="user-ana")["acus"].sum() < whole["acus"].sum()
    assert devin.consumption_frame(service_user="service-user-ci")["acus"].sum() < whole["acus"].sum()
    assert devin.consumption_frame(session=session["session_id"])["acus"].sum() == pytest.approx(session["acus"])


def test_failures_of_the_service_are_raised_as_they_are(devin: dj.Devin, year: Any) -> None:
    year.faults({"method": "GET", "route": "/v3/organizations/{org_id}/sessions", "kind": "status", "status": 403})
    with pytest.raises(Forbidden):
        devin.sessions_frame()
    year.faults(
        {"method": "GET", "route": "/v3/organizations/{org_id}/sessions", "kind": "status", "status": 503, "times": 1}
    )
    assert len(devin.sessions_frame(since="5d"))


def test_the_functions_of_the_package_use_the_default_client(year: Any) -> None:
    dj.connect(api_key=year.api_key, org_id=year.org_id, base_url=year.url)

    assert len(dj.sessions_frame(limit=3)) == 3
    assert len(dj.outputs_frame(limit=30))
    assert len(dj.messages_frame(limit=1))
    assert len(dj.pull_requests_frame(limit=30))
    assert len(dj.insights_frame(limit=3)) == 3
    assert len(dj.consumption_frame(since="60d"))


def test_the_journal_is_put_to_use_in_the_simulator_of_the_process() -> None:
    with dj.connect(simulator=True, speed=2000) as client:
        session = client.create("Look into it", schema="severity:low|high, count:int", repos=["acme/api"]).wait(30)

        by_id = client.outputs_frame(session.id)

        pd.testing.assert_frame_equal(by_id, session.frame())
        assert list(by_id["severity"].cat.categories) == ["low", "high"]
        assert client.sessions_frame()["repos"].tolist() == [["acme/api"]]


def test_sessions_and_filters_at_once_are_refused_for_handles_too(devin: dj.Devin) -> None:
    session = devin.get(devin.sessions_frame(limit=1)["session_id"][0])

    with pytest.raises(OptionError, match="tags= selects"):
        devin.pull_requests_frame([session], tags="x")
    assert len(devin.sessions_frame([session], tags=None)) == 1


def test_the_frame_of_a_handle_is_read_like_the_frame_of_many(devin: dj.Devin) -> None:
    session = devin.create("Look into it", schema="url:str, hits:[line:int]").wait()
    how: dict[str, Any] = {"explode": "hits", "prefix": "said."}

    with pytest.raises(OptionError, match="prefix="):
        session.frame()
    pd.testing.assert_frame_equal(session.frame(**how), devin.outputs_frame(session.id, **how))
    assert list(session.frame(**how).columns[:2]) == ["said.url", "said.hits.line"]
