"""The magic in a notebook, in this process: what each front end is shown, what a rerun closes, what an interrupt does.

The kernel is a stand-in that tells who asks; everything else is real.
"""

import contextlib
import io
import sys
from types import ModuleType

import pytest
from interrupt import ctrl_c_once_blocked
from IPython.utils.capture import capture_output

from devin_jupyter.batches import display as batch_display
from devin_jupyter.host import host
from devin_jupyter.magics import display
from devin_jupyter.magics.frontend import Notebook
from devin_jupyter.magics.magic import DevinMagics
from devin_jupyter.models.enums import Phase
from devin_jupyter.panel import CellOutput, Panel, outputs
from devin_jupyter.session import Session

from .test_display import Handle as BareHandle

WIDGET = "application/vnd.jupyter.widget-view+json"
RECORD = "application/vnd.devin.session+json"
DELETE = "DELETE /v3/organizations/{org_id}/sessions/{devin_id}"


class Kernel:
    """What the package asks of a kernel: the request that is carried out."""

    def __init__(self):
        self._allow_stdin = True
        self.request = {"header": {"msg_id": "1"}, "metadata": {"cellId": "a"}, "content": {"allow_stdin": True}}

    def get_parent(self, channel):
        assert channel == "shell"
        return self.request

    def runs(self, message, cell):
        """Another request: a cell with this id, or none."""
        self.request = self.request | {"header": {"msg_id": message}, "metadata": {"cellId": cell} if cell else {}}


class Handle(BareHandle):
    """A session that a panel can follow too."""

    def subscribe(self, callback, **_):
        stop = super().subscribe(callback)
        stop.close, stop.want = stop, lambda **_: None
        return stop


@pytest.fixture
def kernel(shell, monkeypatch):
    """The shell belongs to a notebook in which a person can click."""
    found = Kernel()
    monkeypatch.setattr(shell.ipython, "kernel", found, raising=False)
    monkeypatch.setattr(outputs, "_shown", {})
    return found


@pytest.fixture
def headless(kernel):
    """The same, run where nobody can click."""
    kernel._allow_stdin = False
    kernel.request["content"] = {"allow_stdin": False}
    return kernel


@pytest.fixture
def notebook(shell):
    [magics] = [one for one in shell.ipython.configurables if isinstance(one, DevinMagics)]
    return Notebook(shell.ipython, magics)


def shown_by(notebook, handle, *, waiting=False, **options):
    """The bundles that a view of the session publishes; a board of an earlier test may still publish its own."""
    with capture_output() as captured, display.view(notebook, handle, {**options}, waiting=waiting):
        pass
    return [output.data for output in captured.outputs if "Count them" in output.data["text/plain"]]


# --- which form ------------------------------------------------------------------------------------------------------


def test_a_cell_that_waits_shows_a_widget_and_ends_in_the_static_form(shell, service, kernel):
    ran = shell.run("%%devin --schema 'n:int' --wait -o s\nCount")
    assert WIDGET in ran.shown[0]
    assert all(not {WIDGET, "text/html"} <= set(data) for data in ran.shown)
    assert {data["text/plain"][:6] for data in ran.shown if RECORD in data} >= {"✓ done"}


def test_an_answer_keyed_by_long_paths_is_shown_and_bound_like_any_other(shell, service, kernel):
    name = "services/payments/reconciliation/adapters/" + "x" * 60
    properties = {name: {"type": "array", "items": {"type": "string"}, "maxItems": 0}}
    shell.names.update({"Findings": {"type": "object", "properties": properties, "required": [name]}})
    ran = shell.run("%%devin --schema Findings --wait -o s\nCount")
    assert any(data.get(RECORD, {}).get("answer") == {name: []} for data in ran.shown)
    text = "".join(shell.run("%devin show s").shown[-1]["text/plain"].split())
    assert name[:40] in text
    assert "none" in text


def test_a_panel_that_cannot_be_made_leaves_the_static_form(notebook, kernel):
    class Deaf(Handle):
        def subscribe(self, *_, **__):
            raise RuntimeError("no thread")

    with capture_output() as captured, display.view(notebook, Deaf(Phase.WORKING), {}, waiting=True):
        pass
    assert "is fine, only its display failed (RuntimeError: no thread)" in captured.stdout
    assert [output.data["text/plain"][:9] for output in captured.outputs] == ["◐ working"]


def test_a_rerun_of_a_cell_that_is_done_shows_the_static_form_only(shell, service, kernel):
    shell.run("%%devin --schema 'n:int' --wait -o s\nCount")
    kernel.runs("2", "a")
    [only] = shell.run("%%devin --schema 'n:int' --wait -o s\nCount").shown
    assert WIDGET not in only
    assert only["text/plain"].startswith("✓ done")


def test_without_clicks_a_cell_waits_and_shows_the_end_once(shell, service, headless):
    [only] = shell.run("%%devin -o s\nCount").shown
    assert WIDGET not in only
    assert shell.run("s.snapshot.turn_over").value is True


def test_a_batch_shows_its_board_in_a_notebook_and_its_end_where_nobody_clicks(shell, service, kernel):
    shell.run("rows = ['acme/api', 'acme/web']")
    [board] = shell.run("%%devin --each rows --max-acu 2 -o b\nUpgrade {{ row }}").shown[:1]
    assert WIDGET in board
    kernel.request["content"] = {"allow_stdin": False}
    assert "2 sessions" in shell.run("%devin wait b").shown[-1]["text/plain"]


def test_a_terminal_gets_a_moving_line_and_then_text(shell, notebook):
    class Teletype(io.StringIO):
        def isatty(self):
            return True

    terminal, handle = Teletype(), Handle()
    with contextlib.redirect_stdout(terminal), display.view(notebook, handle, {}, waiting=True):
        handle.move(Phase.DONE)
    assert "✓ done" in terminal.getvalue()


@pytest.mark.parametrize("phase", [Phase.DONE, Phase.FAILED, Phase.STOPPED])
def test_what_is_over_and_needs_nobody_is_shown_at_once_and_once(notebook, kernel, phase):
    [only] = shown_by(notebook, Handle(phase), waiting=True)
    assert phase.label in only["text/plain"]


def test_a_session_that_waits_for_a_person_gets_a_panel_although_its_turn_is_over(notebook, kernel):
    handle = Handle(Phase.YOUR_TURN)
    assert isinstance(display.view(notebook, handle, {}, waiting=False).display, CellOutput)


def test_without_the_panel_one_static_output_follows(shell, notebook, kernel):
    shell.run("%config DevinMagics.panel = False")
    try:
        shown = shown_by(notebook, Handle())
    finally:
        shell.run("%config DevinMagics.panel = True")
    assert [WIDGET in data for data in shown] == [False]


def test_quiet_shows_nothing_in_a_notebook_either(notebook, kernel):
    assert shown_by(notebook, Handle(), quiet=True) == []


# --- who looks -------------------------------------------------------------------------------------------------------


def test_a_kernel_is_looked_at_as_a_page_in_frames_or_not_at_all(shell, kernel, monkeypatch):
    assert host().outputs == "page"
    shell.names["__vsc_ipynb_file__"] = "/home/me/a.ipynb"
    assert host().outputs == "frames"
    del shell.names["__vsc_ipynb_file__"]
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    assert host().outputs == "frames"
    kernel.request["content"] = {"allow_stdin": False}
    assert host().outputs == "file"


def test_voila_allows_no_input_and_yet_shows_a_live_page(notebook, headless, monkeypatch):
    assert notebook.host.is_headless
    monkeypatch.setenv("SERVER_SOFTWARE", "voila/0.5.13")
    assert not notebook.host.is_headless


def test_a_kernel_that_tells_nothing_of_the_request_is_one_without_a_cell(notebook, kernel):
    kernel.request = None
    assert notebook.host.cell_id is None
    assert not notebook.host.is_headless
    assert host().request is None


def test_progress_is_written_where_a_person_can_click(kernel, monkeypatch):
    assert batch_display.is_watched()
    kernel.request["content"] = {"allow_stdin": False}
    assert not batch_display.is_watched()


# --- a rerun ---------------------------------------------------------------------------------------------------------


def staged():
    handle = Handle()
    panel = Panel(handle)
    with capture_output():
        CellOutput(panel).open()
    return panel, handle


def test_a_rerun_of_a_cell_closes_the_panels_that_its_earlier_run_has_shown(kernel):
    earlier = [staged(), staged()]  # one run may show several
    assert [len(handle.listeners) for _, handle in earlier] == [1, 1]
    kernel.runs("2", "a")
    _, now = staged()
    assert [handle.listeners for _, handle in earlier] == [[], []]
    assert len(now.listeners) == 1


def test_a_panel_that_another_cell_shows_too_outlives_the_rerun(kernel):
    panel, handle = staged()
    kernel.runs("2", "b")
    with capture_output():
        CellOutput(panel).open()
    kernel.runs("3", "a")
    staged()
    assert len(handle.listeners) == 1


def test_a_front_end_that_does_not_name_its_cells_keeps_every_panel(kernel):
    kernel.runs("1", None)
    _, first = staged()
    kernel.runs("2", None)
    staged()
    assert len(first.listeners) == 1


# --- interrupts and settings -----------------------------------------------------------------------------------------


@pytest.fixture
def interrupted(monkeypatch):
    """Every wait for an answer is interrupted at once."""

    def result(self, timeout=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(Session, "result", result)


def test_an_interrupt_leaves_the_session_at_work(shell, slow_service, interrupted):
    ran = shell.run("%%devin --wait -o s\nTake your time", fails=True)
    assert isinstance(ran.error, KeyboardInterrupt)
    assert slow_service.requests(DELETE) == 0
    assert shell.run("s.phase.turn_over").value is False


def test_an_interrupt_stops_the_session_where_that_was_asked_for(shell, slow_service, interrupted):
    ran = shell.run("%%devin --wait --on-interrupt stop -o s\nTake your time", fails=True)
    assert type(ran.error).__name__ == "Detached"
    assert "The session was stopped" in ran.out
    assert slow_service.requests(DELETE) == 1
    assert shell.run("s.phase").value == "stopped"


def test_an_interrupt_while_sending_says_what_happens_to_the_request(shell, slow_service, held):
    slow_service.faults({"method": "POST", "kind": "slow", "times": 1})
    with ctrl_c_once_blocked(lambda: bool(held.lengths)):
        ran = shell.run("%%devin -o s\nTake your time", fails=True)
    held.end.set()
    assert type(ran.error).__name__ == "Detached"
    assert "interrupted while sending" in ran.out
    assert "s" not in shell.names
    assert "attached to" in shell.run("%%devin --quiet -o s\nTake your time").out
    assert slow_service.stats()["sessions"] == 1


def test_the_pace_of_looking_can_be_set_in_the_notebook(shell, service):
    shell.run("%config DevinMagics.poll_seconds = 3.5")
    try:
        shell.run("%%devin --quiet -o s\nCount")
        assert shell.run("s._async._core.poller.pace.slow").value == 3.5
    finally:
        shell.run("%config DevinMagics.poll_seconds = None")


def test_a_variable_that_holds_an_id_names_its_session(shell, service):
    shell.run("%%devin --quiet --wait -o s\nCount")
    shell.run("name = s.id")
    assert "Count" in repr(shell.run("%devin messages name").value)


def test_what_is_no_notebook_has_no_cell(notebook):
    assert notebook.host.cell_id is None
    assert notebook.defaults("v1").keys() < notebook.defaults("v3").keys()
