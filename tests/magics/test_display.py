"""The places where a session is shown, one by one, with a handle that is moved by hand."""

import dataclasses
import io

import pytest
from IPython.utils.capture import capture_output
from live_views import live_view
from rich.console import Console

from devin_jupyter.magics import display
from devin_jupyter.magics.display import StatusLine, status_line
from devin_jupyter.models.enums import Phase
from devin_jupyter.models.snapshot import Snapshot
from devin_jupyter.models.steps import LiveView


class Handle:
    """A session that the test moves."""

    def __init__(self, phase=Phase.WORKING):
        self.snapshot = Snapshot(
            session_id="devin-" + "a" * 32, url="", phase=phase, title="Count them", simulated=True
        )
        self.live_view = LiveView(session_id=self.snapshot.session_id)
        self.listeners = []

    def subscribe(self, callback, on_live=None):
        self.listeners.append(callback)
        return lambda: self.listeners.remove(callback)

    def move(self, phase):
        self.snapshot = dataclasses.replace(self.snapshot, phase=phase)
        for listener in list(self.listeners):
            listener(self.snapshot)


def texts(captured):
    return [output.data["text/plain"].splitlines()[0] for output in captured.outputs]


def test_a_view_at_the_end_shows_once(shell):
    handle = Handle()
    with capture_output() as captured, display.View(display.FinalDisplay(handle, display.Shown(), at_once=False)):
        handle.move(Phase.DONE)
    assert [text[:6] for text in texts(captured)] == ["✓ done"]


def test_a_view_at_the_end_is_shown_although_the_wait_failed_or_was_interrupted(shell):
    for problem in (ValueError, KeyboardInterrupt):
        view = display.View(display.FinalDisplay(Handle(), display.Shown(), at_once=False))
        with capture_output() as captured, pytest.raises(problem), view:
            raise problem
        assert len(captured.outputs) == 1


def test_a_replaced_output_follows_the_session_and_lets_go_at_the_end(shell):
    handle = Handle()
    with capture_output() as captured, display.View(display.UpdatingDisplay(handle, display.Shown())):
        handle.move(Phase.YOUR_TURN)
        handle.move(Phase.DONE)
    assert [text[:6] for text in texts(captured)] == ["◐ work", "✓ repl", "✓ done"]
    assert handle.listeners == []


def test_a_fault_in_showing_is_a_line_and_neither_hides_the_session_nor_its_problem(shell):
    class Broken(display.NullDisplay):
        def open(self):
            raise IndexError("list index out of range")

        close = open

    with capture_output() as captured, display.View(Broken(), "devin-1"):
        pass
    line = "devin-1 is fine, only its display failed (IndexError: list index out of range)"
    assert captured.stdout.count(line) == 2
    with capture_output(), pytest.raises(ValueError, match="the turn"), display.View(Broken(), "devin-1"):
        raise ValueError("the turn")


def test_an_interrupted_wait_leaves_a_live_output_alive(shell):
    handle = Handle()
    with (
        capture_output(),
        pytest.raises(KeyboardInterrupt),
        display.View(display.UpdatingDisplay(handle, display.Shown())),
    ):
        raise KeyboardInterrupt
    with capture_output() as captured:
        handle.move(Phase.DONE)
    assert len(captured.outputs) == 1


class Screen(io.StringIO):
    """A terminal that keeps what is written."""

    def isatty(self):
        return True


def test_a_terminal_follows_one_wait_at_a_time_and_lets_go(monkeypatch):
    monkeypatch.setattr("sys.stdout", Screen())
    one, other = Handle(), Handle()
    with status_line(one), status_line(other):
        assert (len(one.listeners), len(other.listeners)) == (1, 0)
        one.move(Phase.DONE)
    assert one.listeners == []
    with status_line(other):
        assert len(other.listeners) == 1


def test_what_is_over_or_not_at_a_terminal_is_not_followed(monkeypatch):
    anywhere, over = Handle(), Handle(Phase.DONE)
    with status_line(anywhere):
        assert anywhere.listeners == []
    monkeypatch.setattr("sys.stdout", Screen())
    with status_line(over):
        assert over.listeners == []


@pytest.mark.parametrize("columns", [30, 60, 200])
def test_the_moving_line_fits_the_terminal(columns):
    into = io.StringIO()
    console = Console(file=into, width=columns, force_terminal=False)
    line = StatusLine(Handle().snapshot, Handle().live_view)
    console.print(line)
    [shown] = into.getvalue().strip().splitlines()
    assert len(shown) <= columns
    assert "working" in shown
    assert repr(line) == f"<StatusLine {Handle().snapshot.session_id}>"


def test_the_moving_line_shows_activity_and_plan_while_devin_works():
    def shown(line):
        into = io.StringIO()
        Console(file=into, width=200, force_terminal=False).print(line)
        return into.getvalue()

    handle = Handle()
    line = StatusLine(handle.snapshot, handle.live_view)
    assert "plan" not in shown(line)
    line.follow(live_view(handle.snapshot.session_id, activity="running\x1b[31m the tests"))
    assert "working · running[31m the tests · plan 1 of 3 · Count them" in shown(line)
    handle.move(Phase.YOUR_TURN)
    line.show(handle.snapshot)
    assert "running" not in shown(line)


def test_quiet_is_quiet(shell):
    with capture_output() as captured, display.View(display.NullDisplay()):
        pass
    assert (captured.outputs, captured.stdout) == ([], "")
