"""The stop button: a wait, blocking or awaited, ends at once, and the session goes on."""

import asyncio

import pytest
from interrupt import ctrl_c_once_blocked
from new_kernel import start_async_kernel

import devin_jupyter as dj
from devin_jupyter import loop
from devin_jupyter.client import sync

POST = "POST /v3/organizations/{org_id}/sessions"
SETUP = """
import pathlib, threading, time
import devin_jupyter as dj
client = dj.connect({key!r}, base_url={url!r})
session = client.create("count", tags=["sim:slow"])

def tell_when_it_waits():
    while not client.core.store.find(session.id).is_awaited:
        time.sleep(0.01)
    pathlib.Path({sign!r}).touch()
"""


def test_an_interrupted_wait_detaches_while_the_turn_is_open(simulator_with):
    simulator = simulator_with(speed=1.0)
    client = dj.Devin(simulator.api_key, base_url=simulator.url)
    session = client.create("count")

    with ctrl_c_once_blocked(), pytest.raises(KeyboardInterrupt) as problem:
        session.result()

    assert not session.refresh().phase.turn_over
    assert isinstance(problem.value, dj.Detached)
    _, line, how = problem.value.lines
    assert "keeps running" in line
    assert ".stop()" in how
    assert client.sessions.get(session.id)["status"] != "exit"
    simulator.clock(600)
    assert session.refresh().phase.turn_over
    client.close()


def test_an_interrupted_create_says_what_becomes_of_it(simulator_with, held):
    simulator = simulator_with(speed=1.0)
    client = dj.Devin(simulator.api_key, base_url=simulator.url)
    simulator.faults({"method": "POST", "kind": "slow", "times": 1})
    is_sent = ctrl_c_once_blocked(lambda: bool(held.lengths))

    with is_sent, pytest.raises(dj.Detached, match="completed and recorded in the background"):
        client.create("count")

    held.end.set()
    assert client.create("count").how == "attached"
    assert simulator.stats()["sessions"] == 1
    client.close()


def test_an_interrupted_call_shows_its_three_lines_and_no_variables(simulator_with, held):
    simulator = simulator_with(speed=1.0)
    client = dj.Devin(simulator.api_key, base_url=simulator.url)
    simulator.faults({"method": "POST", "kind": "slow"})
    is_sent = ctrl_c_once_blocked(lambda: bool(held.lengths))

    with is_sent, pytest.raises(dj.Detached, match="interrupted before the response came") as problem:
        client.secrets.create("TOKEN", "canary-secret-51c0ffee")

    assert len(problem.value._render_traceback_()) == 3
    client.close()


READS = {
    "a list": lambda client, folder: list(client.sessions.list()),
    "a frame": lambda client, folder: client.sessions_frame(since="30d"),
    "a sync": lambda client, folder: client.sync(folder),
    "one session": lambda client, folder: client.get("a" * 32),
}


@pytest.mark.parametrize("name", READS)
def test_an_interrupted_read_changed_nothing_and_says_so(simulator_with, held, name, tmp_path):
    simulator = simulator_with(preload=5)
    with dj.Devin(simulator.api_key, base_url=simulator.url, org_id=simulator.org_id) as client:
        simulator.faults({"method": "GET", "kind": "slow"})
        is_asked = ctrl_c_once_blocked(lambda: bool(held.lengths))

        with is_asked, pytest.raises(dj.Detached, match="interrupted while reading") as problem:
            READS[name](client, tmp_path)
        held.end.set()

    assert problem.value.consequence == "nothing was changed on the service"
    assert len(problem.value._render_traceback_()) == 3


def is_waited_for(client):
    """Whether a call waits for the end of a turn; asked on the loop, to which the sessions belong."""

    async def ask():
        return any(session.is_awaited for session in client.core.store.sessions())

    return loop.run(ask())


def test_an_interrupted_wait_of_create_stops_the_session_where_that_was_said(simulator_with):
    simulator = simulator_with(speed=1.0)
    client = dj.Devin(simulator.api_key, base_url=simulator.url)
    stopped = r"Stopped waiting\.\nThe session was stopped \(devin-.*, (ACU unknown|.* ACU so far)\)"
    waits = ctrl_c_once_blocked(lambda: is_waited_for(client))

    with waits, pytest.raises(dj.Detached, match=stopped):
        client.create("count", wait=60, on_interrupt="stop")

    (left,) = client.sessions.list()
    assert left["status"] == "exit"
    client.close()


def test_a_session_that_was_just_started_when_the_interrupt_came_is_stopped_where_that_was_said(
    simulator_with, monkeypatch
):
    simulator = simulator_with(speed=1.0)
    client = dj.Devin(simulator.api_key, base_url=simulator.url)

    def too_late(future):
        yield from slices(future)
        raise KeyboardInterrupt

    slices = loop.slices
    with monkeypatch.context() as patch:
        patch.setattr(loop, "slices", too_late)
        with pytest.raises(dj.Detached, match="a session that it starts is terminated"):
            client.create("count", wait=60, on_interrupt="stop")

    while [one["status"] for one in client.sessions.list()] != ["exit"]:
        pass
    client.close()


def test_an_interrupt_before_the_wait_stops_the_session_too(simulator_with, monkeypatch):
    def interrupted(session, told):
        raise KeyboardInterrupt

    simulator = simulator_with(speed=1.0)
    client = dj.Devin(simulator.api_key, base_url=simulator.url)
    monkeypatch.setattr(sync, "announce", interrupted)

    with pytest.raises(dj.Detached, match=r"Stopped waiting\.\nThe session was stopped"):
        client.create("count", wait=60, on_interrupt="stop")

    assert [one["status"] for one in client.sessions.list()] == ["exit"]
    client.close()


@pytest.fixture
def sign(tmp_path):
    """A file that is there once the kernel waits."""
    return tmp_path / "waits"


@pytest.fixture
async def kernel(simulator_with, sign):
    """A real kernel, with a session of a slow simulator in it."""
    simulator = simulator_with(speed=1.0)
    manager, client = await start_async_kernel()
    try:
        await run(client, SETUP.format(key=simulator.api_key, url=simulator.url, sign=str(sign)))
        yield manager, client
    finally:
        client.stop_channels()
        await manager.shutdown_kernel(now=True)


async def run(client, code, *, once_it_runs=None):
    """Run a cell and return its error output, or None."""
    request = client.execute(code, allow_stdin=False)
    error = None
    while True:
        message = await client.get_iopub_msg(timeout=300)
        if message["parent_header"].get("msg_id") != request:
            continue
        kind, content = message["msg_type"], message["content"]
        if kind == "execute_input" and once_it_runs is not None:
            interrupting = asyncio.create_task(once_it_runs())
        if kind == "error":
            error = content
        if kind == "status" and content["execution_state"] == "idle":
            if once_it_runs is not None:
                await interrupting
            return error


@pytest.mark.kernel
@pytest.mark.parametrize(("code", "kind"), [("session.wait()", "Detached"), ("await session", "DetachedAwait")])
async def test_the_stop_button_detaches_in_a_kernel_and_the_kernel_keeps_running(kernel, sign, code, kind):
    manager, client = kernel

    async def press():
        while not sign.exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.01)
        await manager.interrupt_kernel()

    error = await run(client, f"threading.Thread(target=tell_when_it_waits).start()\n{code}", once_it_runs=press)

    assert error["ename"] == kind
    assert "keeps running" in error["evalue"]
    assert len(error["traceback"]) == 3
    assert await run(client, "assert session.refresh().phase in ('queued', 'working')") is None
    assert await run(client, "assert session.stop().phase == 'stopped'") is None
