"""Listeners that stop twice, a client on a bad connection, and a client in a forked child."""

from __future__ import annotations

import pytest
from clients import some_settings

import devin_jupyter as dj
from devin_jupyter.api import transport
from devin_jupyter.loop import LoopThread

MESSAGES = "/v3/organizations/{org_id}/sessions/{devin_id}/messages"
ONE = "/v3/organizations/{org_id}/sessions/{devin_id}"


@pytest.fixture
def thread():
    made = LoopThread()
    yield made
    made.close()


# --- listeners -------------------------------------------------------------------------------------------------------


def test_to_stop_listening_twice_is_harmless(devin, simulator, slow_lasts):
    session = devin.create("listen", tags=["sim:slow"])
    seen = []
    stop = session.subscribe(seen.append)
    simulator.clock(5000)
    session.wait(300)
    stop()
    stop()
    assert seen[-1].phase is session.phase


# --- a client on a bad line ------------------------------------------------------------------------------------------


def test_a_known_session_opens_as_last_seen_when_the_service_is_gone(devin, simulator):
    session = devin.create("look", tags=["sim:finished"]).wait(30)
    simulator.faults({"method": "GET", "kind": "drop_before"})
    again = devin.get(session.id)
    assert again.phase is session.phase
    assert "as last seen" in (again.notice or "")


def test_an_unknown_session_cannot_be_opened_when_the_service_is_gone(devin, simulator):
    simulator.faults({"method": "GET", "route": ONE, "kind": "drop_before"})
    with pytest.raises(dj.DevinError):
        devin.get("devin-" + "0" * 32)


def test_a_key_that_may_not_read_a_conversation_still_reads_its_session(devin, simulator):
    session = devin.create("look", tags=["sim:finished"]).wait(30)
    simulator.faults({"method": "GET", "route": MESSAGES, "kind": "status", "status": 403})
    session.refresh()
    assert session.phase is dj.Phase.DONE


def test_attaching_succeeds_where_the_conversation_cannot_be_read(devin, simulator, tmp_path, monkeypatch):
    made = devin.create("attach to it", tags=["sim:finished"]).wait(30)
    monkeypatch.setenv("DEVIN_JUPYTER_HOME", str(tmp_path / "another machine"))
    simulator.faults({"method": "GET", "route": MESSAGES, "kind": "status", "status": 400})
    with dj.Devin(simulator.api_key, base_url=simulator.url, org_id=simulator.org_id) as elsewhere:
        again = elsewhere.create("attach to it", tags=["sim:finished"])
        assert again.id == made.id
        assert again.phase is dj.Phase.DONE


# --- after a fork -----------------------------------------------------------------------------------------------------


def test_a_forked_child_opens_connections_of_its_own_and_leaves_the_parents(simulator, thread, monkeypatch):
    chosen = some_settings(base_url=simulator.url, api_key=simulator.api_key)
    carrier, parent = transport.Transport(chosen), LoopThread()
    monkeypatch.setattr(transport, "_left_to_the_parent", [])
    try:
        assert parent.run(carrier.request("GET", "/v3/self"))["org_id"] == simulator.org_id
        with pytest.raises(RuntimeError, match="another event loop"):
            thread.run(carrier.request("GET", "/v3/self"))
        monkeypatch.setattr(carrier, "_pid", -1)
        assert thread.run(carrier.request("GET", "/v3/self"))["org_id"] == simulator.org_id
        [left] = transport._left_to_the_parent
        assert not left.is_closed
        parent.run(left.aclose())
        thread.run(carrier.aclose())
    finally:
        parent.close()
