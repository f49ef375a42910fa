"""A Python that cannot start threads, opens no sockets and lacks wheels, as in JupyterLite: here, with all packages."""

import asyncio
import json
import subprocess
import sys
import threading

import pytest

import devin_jupyter as dj
from devin_jupyter import loop
from devin_jupyter.client.sync import get_default
from devin_jupyter.loop import InlineLoop, ThreadlessLoop, _InlineThread
from devin_jupyter.schema import Checker, draft7
from devin_jupyter.schema.draft7 import compiled

SCHEMA = "[file:str, severity:low|high]"
AS_IN_PYODIDE = """
import sys, threading, socket, json
import asyncio, numpy, pandas, altair  # what they find out of the platform stays as it is
sys.platform = "emscripten"
def refuse(*_, **__): raise RuntimeError("can't start new thread")
threading.Thread.start = refuse
def closed(*_, **__): raise OSError("no sockets")
socket.socket.connect = closed
sys.modules["jsonschema_rs"] = None
import devin_jupyter as dj
audit = dj.create("Audit the code", schema=%r)
found = {"how": audit.how, "answer": audit.result(), "rows": len(audit.frame())}
found["sessions"] = list(map(str, dj.sessions_frame([audit]).dtypes[:3]))
found["outputs"] = len(dj.outputs_frame([audit]))
found["messages"] = len(dj.messages_frame([audit]))
found["chart"] = bool(dj.charts.spend(dj.sessions_frame([audit])).to_dict())
found["saved"] = [one.result() for one in dj.from_notebook(%r)]
def ask(): dj.connect("cog_a1b2c3d4e5f6g7h8", org_id="org-1").sessions.get("1" * 32)
for call in (lambda: dj.connect(simulator=True), ask):
    try: call()
    except dj.DevinError as problem: found.setdefault("refused", []).append(str(problem))
print(json.dumps(found))
"""


def test_replay_frames_and_charts_run_without_threads_network_and_missing_wheels(simulator, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEVIN_API_KEY", simulator.api_key)
    monkeypatch.setenv("DEVIN_API_URL", simulator.url)
    session = dj.create("Audit the code", schema=SCHEMA).wait(30)
    get_default().lock("audit.devin.json")
    output = {"output_type": "display_data", "metadata": {}, "data": session._repr_mimebundle_()}
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "execution_count": 1, "source": "x", "outputs": [output]}
    saved = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "saved.ipynb").write_text(json.dumps(saved), encoding="utf-8")
    monkeypatch.delenv("DEVIN_API_KEY")
    monkeypatch.delenv("DEVIN_API_URL")
    code = AS_IN_PYODIDE % (SCHEMA, str(tmp_path / "saved.ipynb"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    answer = json.loads(json.dumps(session.result()))
    assert (found["how"], found["answer"], found["saved"]) == ("recorded", answer, [answer])
    assert found["rows"] == found["outputs"] == len(answer)
    assert found["messages"] >= 1  # a lock file keeps the last one
    assert found["chart"]
    simulated, asked = found["refused"]
    assert simulated.startswith("the simulator needs threads and sockets, which pyodide (JupyterLite) does not have")
    assert asked.startswith("the Devin API cannot be reached from pyodide (JupyterLite), which has no sockets")


def test_work_runs_in_the_call_also_while_another_loop_waits():
    here = ThreadlessLoop()

    async def work():
        assert here.is_here()
        with pytest.raises(RuntimeError, match="blocking call"):
            here.run(asyncio.sleep(0))
        inner = here.submit(asyncio.sleep(0.01, 7))
        assert not inner.done()
        failing = here.submit(fail())
        cancelled = here.submit(asyncio.sleep(600))
        while not (inner.done() and failing.done()):  # noqa: ASYNC110 - futures of no thread tell nobody
            await asyncio.sleep(0)
        assert isinstance(failing.exception(), KeyError)
        assert not cancelled.done()
        return inner.result() + await asyncio.to_thread(lambda: 1)

    async def fail():
        raise KeyError("x")

    async def outer():
        result = here.run(work())
        await asyncio.sleep(0)
        assert asyncio.current_task() is not None
        return result + await asyncio.wrap_future(here.submit(asyncio.sleep(0, 1)))

    assert asyncio.run(outer()) == 9
    assert isinstance(here.submit(fail()).exception(), KeyError)
    assert not here.is_here()
    here.close()
    assert here.run(asyncio.sleep(0, 5)) == 5  # a later call starts again
    here.exit()


def test_a_failing_call_in_a_thread_that_is_none_fails_alone():
    inline = InlineLoop()

    def broken():
        raise ValueError("x")

    async def work():
        with pytest.raises(ValueError, match="x"):
            await asyncio.to_thread(broken)
        return "on"

    assert inline.run_until_complete(work()) == "on"
    inline.close()


def test_a_thread_that_cannot_be_started_works_at_once(monkeypatch):
    monkeypatch.setattr(loop, "HAS_THREADS", False)
    done = []
    thread = loop.new_thread(done.append, "devin-test", 1)
    assert isinstance(thread, _InlineThread)
    thread.start()
    thread.join(1)
    assert done == [1]
    assert threading.active_count() >= 1


@pytest.fixture
def pure(monkeypatch):
    """No jsonschema-rs here."""
    monkeypatch.setitem(sys.modules, "jsonschema_rs", None)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_pure_validator_judges_alike(pure):
    wire = {
        "type": "object",
        "properties": {"n": {"type": "integer", "minimum": 1}, "on": {"type": "string", "format": "date"}},
        "required": ["n"],
    }
    checker = Checker(wire)
    assert checker.is_valid({"n": 1, "on": "2026-11-30"})
    assert not checker.is_valid({"n": 1, "on": "soon"})
    assert checker.problems({"n": 0}) == ["$.n: 0 is less than the minimum of 1"]
    with pytest.raises(ValueError, match="is not valid under any of the given schemas"):
        compiled({"type": "strin"})
    assert Checker({"type": "strin"}).problems(1)[0].startswith("$: the schema itself cannot be read")
    with pytest.raises(dj.SchemaError):
        draft7.to_draft7({"type": "object", "properties": {"a": {"type": "strin"}}})
