"""What a page should never send, and what comes after a panel was closed: nothing happens, and nothing breaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from wire import Wire

from devin_jupyter.models.enums import Phase
from devin_jupyter.panel import BatchPanel, Panel, sync

from .conftest import settle

Make = Callable[..., Any]
ODD = [None, 7, "send", [], {}, {"action": None}, {"action": 5}, {"action": "dance"}, {"action": "seen", "visible": 1}]


def with_wire(panel: Any) -> Wire:
    panel.comm = wire = Wire()
    return wire


@pytest.mark.parametrize("content", ODD)
def test_an_odd_message_of_the_page_does_nothing_to_the_session(fake: Make, content: Any) -> None:
    session = fake()
    for panel in (Panel(session), BatchPanel([session])):
        with_wire(panel)
        panel.receive(content)
        panel.close()
    assert session.asked == []


def test_a_board_that_is_closed_lets_go_of_the_session_opened_below(fake: Make) -> None:
    session = fake()
    panel = BatchPanel([session])
    wire = with_wire(panel)
    panel.receive({"action": "open", "session": session.snapshot.session_id, "token": "1"})
    wire.last(kind="outcome", token="1")
    assert len(session.callbacks) == 2
    panel.close()
    settle()
    assert session.callbacks == []


def test_a_board_tells_what_is_left_and_who_is_needed(fake: Make) -> None:
    first, second = fake(1), fake(2, phase=Phase.YOUR_TURN, question="Which branch?")
    panel = BatchPanel([first, second])
    changes: list[str] = []
    panel.on_change(lambda: changes.append("changed"))
    wire = with_wire(panel)
    assert (panel.turn_over, panel.needs_you) == (False, True)
    first.show(replace(first.snapshot, phase=Phase.DONE))
    second.show(replace(second.snapshot, phase=Phase.DONE))
    assert (panel.turn_over, panel.needs_you) == (True, False)
    panel.waiting(3)
    wire.wait(lambda: panel.header["waiting"] == 3)
    assert panel.turn_over is False
    assert panel.header["waiting"] == 3
    assert changes
    panel.close()


@pytest.mark.parametrize("kind", [Panel, lambda session: BatchPanel([session])], ids=["panel", "board"])
def test_a_panel_inside_another_widget_has_its_view_and_its_readable_form(fake: Make, kind: Make) -> None:
    panel = kind(fake(title="Count them"))
    data, _ = panel._repr_mimebundle_()
    assert {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"} <= set(data)
    assert "Count them" in data["text/html"]
    panel.close()


def test_a_panel_says_whether_it_is_over_and_whom_it_waits_for(fake: Make) -> None:
    session = fake(phase=Phase.YOUR_TURN, question="Which branch?")
    panel = Panel(session)
    assert (panel.turn_over, panel.needs_you, panel.awaits_reply) == (True, True, True)
    session.show(replace(session.snapshot, question="All done."))
    assert (panel.turn_over, panel.needs_you, panel.awaits_reply) == (True, False, True)
    session.show(replace(session.snapshot, phase=Phase.WORKING))
    assert (panel.turn_over, panel.needs_you, panel.awaits_reply) == (False, False, False)
    panel.close()


def test_a_view_that_follows_nothing_can_be_closed(fake: Make) -> None:
    session, told = fake(), []
    view = sync.SessionSync(session, publish=told.append, send=told.append)
    view.close()
    session.show(replace(session.snapshot, phase=Phase.DONE))
    assert told == []


def test_a_view_may_be_closed_by_another_thread_while_the_page_tells_what_is_seen(fake: Make) -> None:
    class ClosedMeanwhile(sync.SessionSync):
        @property
        def _is_visible(self) -> bool:  # read after it was looked up whether the session is still followed
            self.close()
            return True

        @_is_visible.setter
        def _is_visible(self, value: bool) -> None: ...

    session = fake()
    view = ClosedMeanwhile(session, publish=lambda _: None, send=lambda _: None)
    view.follow()
    view.receive({"action": "seen", "visible": False}, [])
    settle()
    assert session.callbacks == []


def test_files_that_are_too_large_for_the_page_are_refused_with_another_way(
    fake: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync, "FILES_BYTES", 10)
    session = fake(phase=Phase.YOUR_TURN)
    panel = Panel(session)
    wire = with_wire(panel)
    for token, size in (("1", 11), ("2", 10)):
        content = {"action": "send", "text": "look", "files": ["a.bin"], "token": token}
        panel.receive(content, [memoryview(b"x" * size)])
        outcome = wire.last(kind="outcome", token=token)
        assert ("attach=" in outcome.get("error", "")) is (size > 10)
    assert [name for name, _ in session.asked] == ["send"]
    panel.close()
