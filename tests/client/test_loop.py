"""The one loop thread: it starts by itself, is interrupted at once, survives, and ends without a word."""

import asyncio
import os
import subprocess
import sys
import textwrap
import threading

import pytest
from interrupt import ctrl_c_once_blocked

from devin_jupyter import loop
from devin_jupyter.loop import LoopThread


@pytest.fixture
def thread():
    made = LoopThread()
    yield made
    made.close()


async def answer():
    return threading.current_thread().name


def test_work_runs_on_a_daemon_thread_of_its_own(thread):
    assert thread.run(answer()) == "devin-io"
    assert next(item for item in threading.enumerate() if item.name == "devin-io").daemon


def test_exceptions_come_back_as_they_are(thread):
    async def fail():
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        thread.run(fail())


def test_a_blocking_call_on_the_loop_itself_is_refused_instead_of_hanging(thread):
    async def wrong():
        thread.run(answer())

    with pytest.raises(RuntimeError, match="own thread"):
        thread.run(wrong())


def test_an_interrupt_is_raised_within_a_slice_and_cancels_the_work(thread):
    begun, ended = threading.Event(), threading.Event()

    async def work():
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with ctrl_c_once_blocked(begun.is_set), pytest.raises(KeyboardInterrupt):
        thread.run(work())
    assert loop.SLICE_SECONDS <= 0.2
    assert ended.wait(60)
    assert thread.run(answer()) == "devin-io"


def test_after_closing_it_starts_anew(thread):
    thread.run(answer())
    thread.close()

    assert thread.run(answer()) == "devin-io"


def test_closing_awaits_what_asked_for_it_and_keeps_nothing_alive(thread):
    closed = []

    class Client:
        async def aclose(self):
            closed.append("client")

    kept, dropped = Client(), Client()
    thread.at_close(kept.aclose)
    thread.at_close(dropped.aclose)
    del dropped
    thread.run(answer())
    thread.close()

    assert closed == ["client"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this platform")
def test_a_forked_child_gets_a_loop_of_its_own():
    code = """
        import os, sys
        from devin_jupyter import loop
        async def answer(): return 7
        assert loop.run(answer()) == 7
        child = os.fork()
        if child == 0:
            os._exit(loop.run(answer()))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), loop.run(answer()))
    """
    assert run_python(code).stdout.split() == ["7", "7"]


def test_a_process_ends_quietly_while_sessions_are_watched():
    code = """
        import threading, time
        import devin_jupyter as dj
        client = dj.connect(simulator=True, speed=1)
        sessions = [dj.create(f"left running {number}") for number in range(3)]
        threading.Thread(target=sessions[0].wait, daemon=True).start()
        for _ in zip(range(3), client.sessions.list()): pass
        while not client.core.store.find(sessions[0].id).is_awaited: time.sleep(0.01)
    """
    done = run_python(code)

    assert done.stderr == ""


def run_python(code):
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=environment)


def test_the_shared_loop_is_the_one_the_package_uses():
    assert loop.run(answer()) == "devin-io"


def test_a_background_thread_rests_when_python_has_closed_its_pools_and_any_other_is_told(thread, monkeypatch):
    async def too_late():
        raise RuntimeError("cannot schedule new futures after interpreter shutdown")

    rested, for_ever = threading.Event(), threading.Event()
    monkeypatch.setattr(loop, "_block_forever", lambda: (rested.set(), for_ever.wait()))
    threading.Thread(target=lambda: thread.run(too_late()), daemon=True).start()

    assert rested.wait(10)
    with pytest.raises(RuntimeError, match="after interpreter shutdown"):
        thread.run(too_late())
