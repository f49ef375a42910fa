"""Panels on handles of a client, over real HTTP: they follow, they reply, and rows of a batch join their board."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from wire import Wire

import devin_jupyter as dj
from devin_jupyter.panel import Panel

pytestmark = pytest.mark.usefixtures("slow_lasts")


@pytest.fixture
def devin(simulator: Any) -> Iterator[Any]:
    client = dj.Devin(api_key=simulator.api_key, org_id=simulator.org_id, base_url=simulator.url)
    yield client
    client.close()


def test_a_panel_follows_its_session_to_the_end_and_reads_the_conversation_along(devin: Any) -> None:
    session = devin.create("Count the files")
    panel = Panel(session)
    panel.comm = wire = Wire()
    session.wait()

    final = wire.wait(lambda: [state for state in wire.trait("state") if state["turn_over"]])[-1]
    assert final["phase"] == session.phase
    assert final["words"]["html"]
    chunks = wire.wait(lambda: [c for c in wire.custom if c["from"] + len(c["items"]) == final["messages"]])
    assert chunks[-1]["items"][-1]["devin"]


def test_a_reply_in_the_panel_reaches_the_service_once(devin: Any, simulator: Any) -> None:
    session = devin.create("Tidy up", tags=["sim:question"]).wait()
    panel = Panel(session)
    panel.comm = wire = Wire()

    reply = {"action": "send", "text": "Yes, go ahead.", "files": ["notes.txt"]}
    panel.receive({**reply, "token": "1"}, [b"three words here"])
    panel.receive({**reply, "token": "2"}, [b"three words here"])
    assert "error" not in wire.last(kind="outcome", token="1")
    assert "error" in wire.last(kind="outcome", token="2")
    session.wait()

    route = "/v3/organizations/{org_id}/sessions/{devin_id}/messages"
    assert simulator.requests(f"POST {route}") == 1
    assert [item["name"] for item in session.attachments() if item["source"] == "user"] == ["notes.txt"]


def test_stop_and_archive_in_the_panel_reach_the_service(devin: Any) -> None:
    session = devin.create("Take your time", tags=["sim:slow"])
    panel = Panel(session)
    panel.comm = wire = Wire()

    panel.receive({"action": "stop", "token": "1"})
    assert "error" not in wire.last(kind="outcome", token="1")
    assert session.phase == "stopped"

    panel.receive({"action": "archive", "token": "2"})
    assert "error" not in wire.last(kind="outcome", token="2")
    assert session.refresh().snapshot.is_archived


def test_an_act_the_service_refuses_is_explained_in_the_panel(devin: Any, simulator: Any) -> None:
    session = devin.create("Tidy up", tags=["sim:question"]).wait()
    panel = Panel(session)
    panel.comm = wire = Wire()
    route = "/v3/organizations/{org_id}/sessions/{devin_id}/messages"
    simulator.faults({"method": "POST", "route": route, "kind": "status", "status": 403, "times": 1})

    panel.receive({"action": "send", "text": "Yes.", "token": "1"})
    lines = wire.last(kind="outcome", token="1")["error"].splitlines()
    assert 1 <= len(lines) <= 3
    assert simulator.api_key not in lines[0] or simulator.api_key == "cog_simulator"


def test_rows_of_a_batch_join_its_board_as_they_are_started(devin: Any) -> None:
    rows = [{"n": f"task-{number}"} for number in range(6)]
    batch = devin.map("Do {{ row.n }}", rows, max_parallel=2, max_acu=2, name="joining")
    board = batch.panel()
    batch.wait()

    names = {row["name"] for row in board.get_state("table")["table"]["rows"]}
    assert names == {row["n"] for row in rows}
    assert board.turn_over
    assert "6 sessions" in board.saved_bundle()["text/plain"]
