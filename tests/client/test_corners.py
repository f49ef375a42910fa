"""The loop at its end, lists of other libraries, listeners that fail, what an old lock file or a lost line leaves."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading

import pytest
from clients import some_settings

import devin_jupyter as dj
from devin_jupyter import loop
from devin_jupyter.api import transport
from devin_jupyter.loop import LoopThread, iterate

MESSAGES = "/v3/organizations/{org_id}/sessions/{devin_id}/messages"
ONE = "/v3/organizations/{org_id}/sessions/{devin_id}"


@pytest.fixture
def thread():
    made = LoopThread()
    yield made
    made.close()


async def answer():
    return 7


# --- the loop --------------------------------------------------------------------------------------------------------


def test_when_the_process_ends_work_is_cancelled_instead_of_waited_for_for_ever(thread):
    assert thread.run(answer()) == 7
    thread.exit()
    work = answer()
    future = thread.submit(work)
    assert future.cancelled()
    assert concurrent.futures.wait([future], timeout=60).not_done == set()
    with pytest.raises(concurrent.futures.CancelledError):
        thread.run(answer())


def test_closing_cancels_what_runs_and_waits_for_its_end(thread):
    began, ended = threading.Event(), threading.Event()

    async def work():
        began.set()
        try:
            await asyncio.sleep(600)
        finally:
            ended.set()

    future = thread.submit(work())
    assert began.wait(60)
    thread.close()
    assert ended.is_set()
    with pytest.raises(concurrent.futures.CancelledError):
        future.result(timeout=60)


def test_closing_a_loop_that_never_ran_or_was_closed_does_nothing(thread):
    thread.close()
    thread.run(answer())
    thread.close()
    thread.close()
    assert thread.run(answer()) == 7


def test_an_object_that_cannot_be_closed_keeps_no_other_from_closing(thread):
    closed = []

    class Client:
        def __init__(self, fails):
            self.fails = fails

        async def aclose(self):
            if self.fails:
                raise OSError("the line is gone")
            closed.append(self)

    clients = [Client(True), Client(False)]
    for client in clients:
        thread.at_close(client.aclose)
    thread.run(answer())
    thread.close()
    assert closed == clients[1:]


# --- lists -----------------------------------------------------------------------------------------------------------


class Numbers:
    """An asynchronous iterator of somebody else's, without an `aclose`."""

    def __init__(self, count):
        self._numbers = iter(range(count))

    def __aiter__(self):
        return self

    async def __anext__(self):
        try:
            return next(self._numbers)
        except StopIteration:
            raise StopAsyncIteration from None


@pytest.mark.parametrize("count", [0, 1, 100, 101, 250])
def test_a_list_of_any_length_is_gone_through_in_order(count):
    assert list(iterate(Numbers(count))) == list(range(count))


def test_a_list_that_is_given_up_when_the_loop_is_gone_leaves_nothing_behind(monkeypatch):
    def refuse(work):
        raise RuntimeError("cannot schedule new futures after shutdown")

    items = iterate(Numbers(250))
    assert next(items) == 0
    with monkeypatch.context() as patch:
        patch.setattr(loop, "submit", refuse)
        items.close()
    assert list(items) == []


# --- listeners -------------------------------------------------------------------------------------------------------


def test_to_stop_listening_twice_is_harmless(devin):
    session = devin.create("listen", tags=["sim:finished"])
    seen = []
    stop = session.subscribe(seen.append)
    session.wait(30)
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


def test_attaching_goes_on_where_the_conversation_cannot_be_read(devin, simulator, tmp_path, monkeypatch):
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
