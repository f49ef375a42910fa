"""The board of many sessions: one widget, rows as deltas, one session opened below; no browser needed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import ipywidgets
import pytest
from wire import Wire

from devin_jupyter import loop
from devin_jupyter.models.enums import Phase
from devin_jupyter.models.snapshot import Message, Snapshot
from devin_jupyter.models.steps import LiveView
from devin_jupyter.panel import BatchPanel

from .conftest import settle

Make = Callable[..., Snapshot]


def _board(sessions: list[Any], **options: Any) -> tuple[BatchPanel, Wire]:
    panel = BatchPanel(sessions, **options)
    panel.comm = wire = Wire()
    return panel, wire


def _detail(wire: Wire, wanted: Callable[[Any], Any]) -> Any:
    """Wait for a state of the session opened below."""
    return wire.wait(lambda: [state for state in wire.trait("detail") if wanted(state)])[-1]


def _rows(panel: BatchPanel) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = panel.get_state("table")["table"]["rows"]
    return rows


def test_a_thousand_sessions_are_one_widget_whose_whole_state_is_one_message(snapshot: Make) -> None:
    alive = ipywidgets.widgets.widget._instances
    before = {id(widget) for widget in alive.values()}
    panel = BatchPanel([snapshot(number) for number in range(1, 1001)])
    assert panel.model_id

    made = {id(widget) for widget in alive.values()} - before
    assert len(made) == 2  # the widget and its layout
    assert len(_rows(panel)) == 1000
    assert len(json.dumps(panel.get_state("table"))) < 500_000


def test_rows_beyond_a_thousand_are_counted_not_shown(snapshot: Make) -> None:
    panel, _ = _board([snapshot(number) for number in range(1, 1021)])

    panel.put(snapshot(1020))
    settle()
    assert len(_rows(panel)) == 1000
    assert panel.header["beyond"] == 20


def test_only_the_rows_that_changed_travel(fake: Callable[..., Any]) -> None:
    sessions = [fake(number) for number in range(1, 301)]
    _, wire = _board(sessions)

    sessions[7].show(replace(sessions[7].snapshot, phase=Phase.DONE))
    delta = wire.last(kind="rows")

    assert [row["id"] for row in delta["rows"]] == [sessions[7].snapshot.session_id]
    assert len(json.dumps(delta)) < 1000


def test_equal_snapshots_send_nothing(fake: Callable[..., Any]) -> None:
    session = fake()
    _, wire = _board([session])

    session.show(replace(session.snapshot))
    session.show(replace(session.snapshot, phase=Phase.DONE))
    wire.last(kind="rows")

    assert len([data for data in wire.sent if data.get("method") == "custom"]) == 1


def test_a_board_says_for_how_many_sessions_at_work_the_live_channel_has_no_place(fake: Callable[..., Any]) -> None:
    sessions = [fake(number) for number in range(1, 5)]
    panel, wire = _board(sessions)
    assert panel.header["remarks"] == []

    def tell(sessions: list[Any], **said: Any) -> None:
        async def on_loop() -> None:
            for each in sessions:
                each.on_live(LiveView(session_id=each.snapshot.session_id, **said))

        loop.run(on_loop())

    tell(sessions[1:], reason="at most 128 sessions are followed at a time")
    sessions[1].show(replace(sessions[1].snapshot, phase=Phase.DONE))
    told = wire.wait(lambda: [one for one in wire.trait("header") if "; 2 more" in "".join(one["remarks"])])
    assert told[-1]["remarks"] == [
        "Live activity: at most 128 sessions are followed at a time; "
        "2 more are polled and follow as places become free."
    ]
    tell(sessions, state="on")
    wire.wait(lambda: [one for one in wire.trait("header")[-1:] if not one["remarks"]])


def test_a_page_that_is_loaded_again_gets_the_present_rows(fake: Callable[..., Any]) -> None:
    session = fake()
    panel, wire = _board([session])
    session.show(replace(session.snapshot, phase=Phase.FAILED))
    sequence = wire.last(kind="rows")["sequence"]

    table = panel.get_state("table")["table"]
    assert table["rows"][0]["phase"] == "failed"
    assert table["sequence"] == sequence

    panel.receive({"action": "table"})
    assert wire.last(kind="table")["rows"] == table["rows"]


def test_rows_carry_the_names_a_batch_gave_them(fake: Callable[..., Any]) -> None:
    first, second = fake(1), fake(2)
    panel, _ = _board([first], names={first.snapshot.session_id: "acme/api"})
    panel.follow(second, "acme/web")
    settle()

    assert [row["name"] for row in _rows(panel)] == ["acme/api", "acme/web"]


def test_a_row_opens_its_session_which_is_then_followed_and_can_be_answered(fake: Callable[..., Any]) -> None:
    sessions = [fake(1), fake(2, phase=Phase.YOUR_TURN, messages=(Message("e", "devin", "Well?", None),))]
    panel, wire = _board(sessions)
    identifier = sessions[1].snapshot.session_id

    panel.receive({"action": "open", "session": identifier, "token": "1"})
    assert _detail(wire, bool)["id"] == identifier
    wire.last(kind="outcome")
    panel.receive({"action": "messages", "have": 0})
    assert wire.last(kind="messages")["session"] == identifier

    panel.receive({"action": "send", "text": "yes", "token": "2"})
    wire.last(kind="outcome", token="2")
    sessions[1].show(replace(sessions[1].snapshot, phase=Phase.DONE))
    assert _detail(wire, lambda state: state["phase"] == "done")
    assert sessions[0].asked == []

    panel.receive({"action": "shut"})
    settle()
    assert panel.detail is None
    assert len(sessions[1].callbacks) == 1


def test_rows_stand_where_the_batch_has_them_whenever_they_start(fake: Callable[..., Any]) -> None:
    last, first = fake(1), fake(2)
    panel, _ = _board([last], places={last.snapshot.session_id: 7})
    panel.follow(first, "acme/first", 0)
    settle()

    assert {row["name"]: row["place"] for row in _rows(panel)} == {"": 7, "acme/first": 0}
    text = panel.saved_bundle()["text/plain"]
    assert text.index("acme/first") < text.index(last.snapshot.title)


def test_what_was_archived_asks_for_nobody(fake: Callable[..., Any]) -> None:
    panel, _ = _board([fake(1, phase=Phase.YOUR_TURN, is_archived=True)])

    assert not _rows(panel)[0]["needs_you"]
    assert not panel.needs_you
    assert "need" not in repr(panel)


def test_of_rows_opened_at_once_the_last_one_is_shown_and_no_other_followed(fake: Callable[..., Any]) -> None:
    sessions = [fake(number) for number in range(1, 9)]
    panel, wire = _board(sessions)

    for number, session in enumerate(sessions):
        panel.receive({"action": "open", "session": session.snapshot.session_id, "token": number})
    for number in range(len(sessions)):
        wire.last(kind="outcome", token=number)

    followed = [each.snapshot.session_id for each in sessions if len(each.callbacks) == 2]
    assert followed == [panel.detail["id"]] == [sessions[-1].snapshot.session_id]


def test_a_row_that_opens_late_is_not_shown_once_it_was_closed(snapshot: Make, fake: Callable[..., Any]) -> None:
    closed, session = threading.Event(), fake(4)
    panel, wire = _board([snapshot(4)], open_session=lambda _: closed.wait(10) and session)

    panel.receive({"action": "open", "session": snapshot(4).session_id, "token": "1"})
    panel.receive({"action": "shut"})
    closed.set()
    wire.last(kind="outcome", token="1")

    assert panel.detail is None
    assert session.callbacks == []


def test_a_bare_snapshot_is_opened_by_the_function_given(fake: Callable[..., Any], snapshot: Make) -> None:
    session = fake(4)
    panel, wire = _board([snapshot(4)], open_session=lambda identifier: session)

    panel.receive({"action": "open", "session": snapshot(4).session_id, "token": "1"})

    assert _detail(wire, bool)["id"] == session.snapshot.session_id


def test_a_session_that_cannot_be_opened_says_why(snapshot: Make) -> None:
    panel, wire = _board([snapshot(4)])

    panel.receive({"action": "open", "session": snapshot(4).session_id, "token": "1"})
    assert "dj.get" in wire.last(kind="outcome")["error"]

    panel.receive({"action": "open", "session": "<script>", "token": "2"})
    assert "not a session id" in wire.last(kind="outcome", token="2")["error"]


def test_the_repr_counts_and_is_stable(fake: Callable[..., Any]) -> None:
    panel, _ = _board([fake(1), fake(2, phase=Phase.DONE), fake(3, phase=Phase.YOUR_TURN, question="Go?")], title="up")

    assert repr(panel) == "<BatchPanel 'up' 3 sessions · 1 needs you · 1 working · 1 finished · ACU unknown>"


def test_a_closed_board_follows_nothing(fake: Callable[..., Any]) -> None:
    sessions = [fake(number) for number in (1, 2)]
    BatchPanel(sessions).close()

    assert [session.callbacks for session in sessions] == [[], []]


def test_unknown_keywords_are_refused() -> None:
    with pytest.raises(TypeError, match="color"):
        BatchPanel([], color="red")  # type: ignore[call-arg]
