"""`%%devin` in a real kernel: what a front end gets to show and to save, headless runs, and the stop button."""

import threading

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = pytest.mark.kernel
WIDGET = "application/vnd.jupyter.widget-view+json"
RECORD = "application/vnd.devin.session+json"


@pytest.fixture
def live(kernel):
    """A kernel whose environment holds the simulator's key."""
    return kernel


@pytest.fixture
def slow(slow_simulator, kernel_of):
    """The same with turns of 240 s."""
    return kernel_of(slow_simulator)


def data_of(outputs):
    return [output["data"] for output in outputs if output["output_type"] == "display_data"]


def test_a_live_cell_shows_the_panel_and_a_static_snapshot_and_keeps_the_final_state(slow, slow_simulator):
    outputs, request = [], slow.send("%%devin --schema 'n:int' --wait -o s\nCount")
    while len(data_of(outputs)) < 2:
        slow.apply(slow.next(), outputs)
    slow_simulator.clock(240)
    assert slow.gather(request, outputs)["status"] == "ok"
    widget, static = data_of(outputs)
    assert WIDGET not in widget
    assert widget["text/html"] == ""
    assert "✓ done" in static["text/plain"]
    assert static[RECORD]["phase"] == "done"


def test_a_live_cell_that_does_not_wait_returns_at_once_with_a_view(slow):
    outputs = slow.run("%%devin -o s\nCount")
    widget, static = data_of(outputs)
    assert WIDGET in widget
    assert "dv-snapshot" in static["text/html"]
    assert WIDGET not in static


def test_the_outputs_of_a_cell_that_does_not_wait_still_reach_their_final_state(slow, slow_simulator):
    outputs = slow.run("%%devin --schema 'n:int' -o s\nCount")
    widget, static = data_of(outputs)
    slow_simulator.clock(240)
    request = slow.send("s.wait()")
    while "✓ done" not in static["text/plain"] or WIDGET in widget:
        slow.apply(slow.next(), outputs)
        widget, static = data_of(outputs)
    slow.gather_reply(request)
    assert widget["text/html"] == ""
    assert "✓ done" in static["text/plain"]


def test_without_the_panel_there_is_one_static_output(live):
    live.run("%config DevinMagics.panel = False")
    [static] = data_of(live.run("%%devin --schema 'n:int' --wait -o s\nCount"))
    assert "✓ done" in static["text/plain"]


def test_a_rerun_of_a_finished_cell_shows_it_without_a_widget(live):
    live.run("%%devin --schema 'n:int' --wait -o s\nCount")
    outputs = live.run("%%devin --schema 'n:int' --wait -o s\nCount")
    [static] = data_of(outputs)
    assert "✓ done" in static["text/plain"]


def test_a_headless_cell_waits_and_shows_once_at_the_end(live):
    outputs = live.run("%%devin --schema 'n:int' -o s\nCount", headless=True)
    assert [output["output_type"] for output in outputs] == ["display_data"]
    assert "✓ done" in outputs[0]["data"]["text/plain"]
    [value] = live.run("s.result()", headless=True)
    assert value["output_type"] == "execute_result"


def test_a_headless_cell_without_an_answer_fails(live):
    outputs = live.run("%%devin --tags sim:fail -o s\nCount", headless=True, fails=True)
    shown, error = outputs
    assert "failed" in shown["data"]["text/plain"]
    assert error["ename"] == "SessionFailed"
    assert len(error["traceback"]) <= 3
    assert live.run("s.id", headless=True)[0]["output_type"] == "execute_result"


def test_new_is_for_people_only(live):
    [error] = live.run("%%devin --new\nCount", headless=True, fails=True)
    assert error["ename"] == "OptionError"
    assert "--take" in error["traceback"][-1]
    live.run("%%devin --new --wait --quiet\nCount")
    outputs = live.run("%%devin --new --wait --quiet\nCount")
    assert "--take 2" in outputs[0]["text"]


async def test_nbclient_runs_a_notebook_to_its_answers(simulator, monkeypatch):
    monkeypatch.setenv("DEVIN_API_KEY", simulator.api_key)
    monkeypatch.setenv("DEVIN_API_URL", simulator.url)
    cells = ["%load_ext devin_jupyter", "%%devin --schema 'n:int' -o s\nCount", "type(s.result()['n']).__name__"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    await NotebookClient(notebook, startup_timeout=300, kernel_name="python3").async_execute()
    [shown] = notebook.cells[1].outputs
    assert shown.data[RECORD]["phase"] == "done"
    assert notebook.cells[2].outputs[0].data["text/plain"] == "'int'"
    assert simulator.requests("POST /v3/organizations/{org_id}/sessions") == 1


STOP_ONCE_IT_WAITS = """
import os, signal, threading, time
import devin_jupyter as dj
from devin_jupyter import loop
async def waits(store):
    return any(session.is_awaited for session in store.sessions())
def stop(store):
    while not loop.run(waits(store)):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=stop, args=[dj.connect().core.store], daemon=True).start()
"""


def interrupted(kernel, code):
    """Run a cell, interrupt it once it waits, and return its outputs."""
    kernel.run(STOP_ONCE_IT_WAITS)
    return kernel.run(code, fails=True)


def test_the_stop_button_detaches_and_the_session_keeps_running(slow, slow_simulator):
    outputs = interrupted(slow, "%%devin --wait -o s\nCount")
    error = outputs[-1]
    assert error["ename"] == "Detached"
    assert error["traceback"][0] == "Stopped waiting."
    assert "keeps running" in error["traceback"][1]
    slow_simulator.clock(240)
    [value] = slow.run("s.wait(30).phase.turn_over")
    assert value["data"]["text/plain"] == "True"


def test_on_interrupt_stop_ends_the_remote_session(slow):
    outputs = interrupted(slow, "%%devin --wait --on-interrupt stop -o s\nCount")
    assert "The session was stopped" in outputs[-1]["traceback"][1]
    [value] = slow.run("s.phase.value")
    assert value["data"]["text/plain"] == "'stopped'"


def test_an_interrupt_while_a_session_is_being_started_loses_nothing(live, simulator, held):
    create = "POST /v3/organizations/{org_id}/sessions"
    simulator.faults({"method": "POST", "route": create.removeprefix("POST "), "kind": "slow"})
    outputs, request = [], live.send("%%devin --quiet -o s\nCount")
    while not simulator.requests(create):
        threading.Event().wait(0.05)
    live.interrupt()
    assert live.gather(request, outputs)["status"] == "error"
    assert outputs[-1]["ename"] == "Detached"
    assert "completed and recorded" in outputs[-1]["traceback"][0]
    held.end.set()
    outputs = live.run("%%devin --quiet -o s\nCount")
    assert "attached to devin-" in outputs[0]["text"]
    assert simulator.requests(create) == 1


def test_tab_and_help_work_in_a_kernel(live):
    assert live.complete("%%devin --mo|\nprompt") == ["--mode"]
    assert live.complete("%devin sess|") == ["sessions"]
    live.run("%devin playbooks")
    assert live.complete("%%devin --on-interrupt |\nprompt") == ["detach", "stop"]


def test_the_badges_of_a_list_of_completions_are_single_words(live):
    for code in ("%%devin |\nprompt", "%%devin --ma|\nprompt", "%devin |", "%devin stop |", "%%devin --mode |\nprompt"):
        kinds = live.kinds(code)
        assert kinds, code
        assert [kind for kind in kinds if not kind.isalpha() or len(kind) > 12] == [], code
    assert live.kinds("%%devin --ma|\nprompt") == {"option"}
    assert live.kinds("%devin |") == {"command"}
    assert live.kinds("%%devin --mode fa|\nprompt") == {"value"}


def test_a_table_has_text_and_html_and_a_board_is_live(slow):
    slow.run("%%devin -o s --title 'Count them' --quiet\nCount")
    [table] = slow.run("%devin sessions")
    assert table["output_type"] == "execute_result"
    assert {"text/plain", "text/html"} <= set(table["data"])
    assert any(WIDGET in data for data in data_of(slow.run("%devin sessions --live")))


def test_a_batch_shows_a_board_and_waits_headless(live):
    live.run("rows = ['acme/api', 'acme/web']")
    cell = "%%devin --each rows --max-acu 2 -o b\nUpgrade {{ row }}"
    outputs = live.run(cell, headless=True)
    assert [output["output_type"] for output in outputs] == ["stream", "display_data"]
    assert "2 sessions" in outputs[1]["data"]["text/plain"]
