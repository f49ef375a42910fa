"""The loop thread starts by itself, is interrupted at once and ends silently; iteration and gathering on it."""

import asyncio
import concurrent.futures
import gc
import os
import random
import subprocess
import sys
import textwrap
import threading

import pytest
from interrupt import ctrl_c_once_blocked

from devin_jupyter import loop
from devin_jupyter.errors import Forbidden
from devin_jupyter.loop import LoopThread, gather_limited, iterate


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
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=True, env=environment)


def test_the_shared_loop_is_the_one_the_package_uses():
    assert loop.run(answer()) == "devin-io"


def test_a_background_thread_blocks_when_python_has_closed_its_pools_and_any_other_gets_the_error(thread, monkeypatch):
    async def too_late():
        raise RuntimeError("cannot schedule new futures after interpreter shutdown")

    rested, for_ever = threading.Event(), threading.Event()
    monkeypatch.setattr(loop, "_block_forever", lambda: (rested.set(), for_ever.wait()))
    threading.Thread(target=lambda: thread.run(too_late()), daemon=True).start()

    assert rested.wait(10)
    with pytest.raises(RuntimeError, match="after interpreter shutdown"):
        thread.run(too_late())


# --- the loop --------------------------------------------------------------------------------------------------------


def test_when_the_process_ends_work_is_cancelled_instead_of_waited_for_for_ever(thread):
    assert thread.run(answer()) == "devin-io"
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
    assert thread.run(answer()) == "devin-io"


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


# --- gathering -------------------------------------------------------------------------------------------------------


async def test_no_more_than_the_limit_run_at_once_and_results_keep_their_order():
    running, most = 0, 0

    async def work(number):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return number * 2

    assert await gather_limited(work, range(20), limit=3) == [number * 2 for number in range(20)]
    assert most == 3
    assert await gather_limited(work, []) == []


async def test_the_first_failure_is_raised_bare_and_cancels_the_rest():
    cancelled = []

    async def work(number):
        if number == 1:
            raise Forbidden("one")
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(number)

    with pytest.raises(Forbidden, match="one") as caught:
        await gather_limited(work, range(3))
    assert caught.value.__context__ is None  # a group would be printed with all its frames
    assert sorted(cancelled) == [0, 2]


def test_jitter_leaves_the_random_numbers_of_a_notebook_alone():
    before = random.getstate()
    assert len({loop.jitter(0.1) for _ in range(9)}) > 1
    assert random.getstate() == before


def test_what_the_collector_ends_while_work_is_handed_over_may_hand_over_work_as_well(thread, monkeypatch):
    class Widget:
        def __del__(self):
            done.append(thread.submit(answer()))

    def is_alive_after_a_collection(thread):
        gc.collect()
        return is_alive(thread)

    thread.run(answer())
    done, lost = [], Widget()
    lost.itself = lost
    del lost
    is_alive = threading.Thread.is_alive
    monkeypatch.setattr(threading.Thread, "is_alive", is_alive_after_a_collection)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        done.append(pool.submit(thread.submit, answer()).result(60))
    assert [future.result(60) for future in done] == ["devin-io"] * 2
