"""What the panel tells the browser, and what it does with what the browser asks; no browser needed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from wire import Wire

from devin_jupyter import render
from devin_jupyter.errors import BudgetExceeded
from devin_jupyter.models.enums import Phase
from devin_jupyter.models.snapshot import Message, Sent, Snapshot, after_send, phase_history
from devin_jupyter.models.steps import Approval, LiveView, PlanEntry, Step
from devin_jupyter.monitor.store import Connection
from devin_jupyter.panel import Panel
from devin_jupyter.panel.sync import downloaded

from .conftest import settle

AT = datetime(2026, 11, 21, 18, 4, tzinfo=UTC)


@pytest.fixture
def shown(fake: Callable[..., Any]) -> Iterator[Callable[..., tuple[Any, Panel, Wire]]]:
    """Return a session, its panel, and the wire to the browser."""
    panels = []

    def make(**fields: Any) -> tuple[Any, Panel, Wire]:
        session = fake(**fields)
        panel = Panel(session)
        settle()
        panels.append(panel)
        panel.comm = wire = Wire()
        return session, panel, wire

    yield make
    for panel in panels:
        panel.comm = None
        panel.close()


def _states(wire: Wire, count: int = 0) -> list[dict[str, Any]]:
    """The states sent so far, once there are this many."""
    return wire.wait(lambda: len(wire.trait("state")) >= count) and wire.trait("state")


def _outcome(wire: Wire, token: str) -> dict[str, Any]:
    return wire.last(kind="outcome", token=token)


def _messages(count: int, length: int = 40) -> tuple[Message, ...]:
    return tuple(Message(f"e{number}", "devin", "word " * (length // 5), AT) for number in range(count))


def test_a_changed_snapshot_is_one_message_and_an_equal_one_is_none(shown: Any) -> None:
    session, _, wire = shown()

    session.show(replace(session.snapshot, phase=Phase.DONE))
    _states(wire, 1)
    session.show(replace(session.snapshot, observed_at=AT))
    session.show(replace(session.snapshot, observed_at=datetime.now(UTC)))

    assert [state["phase"] for state in wire.trait("state")] == ["done"]
    assert len(wire.sent) == 1


def test_the_size_of_an_update_does_not_depend_on_the_length_of_the_conversation(shown: Any) -> None:
    sizes = []
    for count in (2, 5000):
        session, _, wire = shown(messages=_messages(count))
        session.show(replace(session.snapshot, phase=Phase.DONE, messages=_messages(count)))
        _states(wire, 1)
        sizes.append(len(json.dumps(wire.trait("state")[-1])))

    assert abs(sizes[0] - sizes[1]) <= 4


def test_new_messages_travel_once_as_an_appended_chunk(shown: Any) -> None:
    session, panel, wire = shown(messages=_messages(3))
    panel.receive({"action": "messages", "have": 0})

    session.show(replace(session.snapshot, messages=_messages(5)))
    wire.wait(lambda: len(wire.custom) >= 2)

    assert [(chunk["from"], len(chunk["items"])) for chunk in wire.custom] == [(0, 3), (3, 2)]


def test_a_page_that_comes_later_asks_for_what_it_lacks_and_gets_it_in_parts(shown: Any) -> None:
    _, panel, wire = shown(messages=_messages(100))

    panel.receive({"action": "messages", "have": 10})

    assert [(chunk["from"], len(chunk["items"])) for chunk in wire.custom] == [(10, 40), (50, 40), (90, 10)]


def test_the_timeline_remembers_every_phase(shown: Any) -> None:
    session, _, wire = shown(phase=Phase.QUEUED, created_at=AT)

    for phase in (Phase.WORKING, Phase.YOUR_TURN, Phase.WORKING, Phase.DONE):
        session.show(replace(session.snapshot, phase=phase))
    wire.wait(lambda: wire.trait("state") and wire.trait("state")[-1]["phase"] == "done")

    told = [entry["phase"] for entry in wire.trait("state")[-1]["timeline"]]
    assert told == ["created", "queued", "working", "your_turn", "working", "done"]


def test_a_reply_calls_send_with_words_and_files(shown: Any) -> None:
    session, panel, wire = shown(phase=Phase.YOUR_TURN)

    panel.receive({"action": "send", "token": "t", "text": " yes ", "files": ["a.txt"]}, [memoryview(b"abc")])

    assert _outcome(wire, "t") == {"kind": "outcome", "token": "t"}
    assert session.asked == [("send", ("yes", [("a.txt", b"abc")], True))]


def test_a_second_click_on_the_same_words_is_not_paid_again_until_devin_took_them_up(shown: Any) -> None:
    session, panel, wire = shown(phase=Phase.YOUR_TURN)
    reply = {"action": "send", "text": "yes"}

    panel.receive({**reply, "token": "1"})
    _outcome(wire, "1")
    panel.receive({**reply, "token": "2"})
    assert "already sent" in _outcome(wire, "2")["error"]

    session.show(replace(session.snapshot, phase=Phase.WORKING))
    session.show(replace(session.snapshot, phase=Phase.YOUR_TURN))
    panel.receive({**reply, "token": "3"})
    assert "error" not in _outcome(wire, "3")
    assert len(session.asked) == 2


def test_an_error_of_an_act_is_shown_in_its_three_lines_and_the_act_can_be_tried_again(shown: Any) -> None:
    session, panel, wire = shown(phase=Phase.YOUR_TURN)
    session.fails = BudgetExceeded("over budget", "nothing was sent", "raise the budget")

    panel.receive({"action": "send", "token": "1", "text": "go on"})
    assert _outcome(wire, "1")["error"] == "over budget\nnothing was sent\nraise the budget"

    session.fails = None
    panel.receive({"action": "send", "token": "2", "text": "go on"})
    assert "error" not in _outcome(wire, "2")


def test_an_unexpected_error_is_shown_redacted_instead_of_vanishing(shown: Any) -> None:
    session, panel, wire = shown()
    session.fails = RuntimeError("bad key cog_abcdef0123456789")

    panel.receive({"action": "stop", "token": "1"})

    assert _outcome(wire, "1")["error"] == "RuntimeError: bad key cog_•••"


@pytest.mark.parametrize(
    "content",
    [
        {"action": "send", "text": "   "},
        {"action": "send", "text": "x", "files": ["a", "b"]},
        {"action": "__class__"},
        {"action": None},
        {},
    ],
)
def test_a_request_that_makes_no_sense_is_answered_and_does_nothing(shown: Any, content: dict[str, Any]) -> None:
    session, panel, wire = shown()

    panel.receive({**content, "token": "t"})

    assert _outcome(wire, "t")["error"]
    assert session.asked == []


def test_a_callback_returns_before_the_act_is_through(shown: Any) -> None:
    session, panel, wire = shown(phase=Phase.YOUR_TURN)
    release = threading.Event()
    session.stop = lambda: release.wait(60)

    panel.receive({"action": "stop", "token": "1"})
    panel.receive({"action": "stop", "token": "2"})
    assert "already running" in _outcome(wire, "2")["error"]
    release.set()

    assert "error" not in _outcome(wire, "1")


def test_coroutine_functions_are_acts_too(fake: Callable[..., Any]) -> None:
    done = []

    async def send(**_: Any) -> str:
        done.append(True)
        return "had been sent before"

    panel = Panel(fake(), actions={"send": send})
    panel.comm = wire = Wire()
    panel.receive({"action": "send", "text": "go", "token": "1"})

    assert _outcome(wire, "1")["notice"] == "had been sent before"
    assert done == [True]


def test_trouble_with_the_connection_is_shown_and_heals(shown: Any) -> None:
    session, _, wire = shown()

    session.on_trouble(Connection(last_seen=AT, troubled_since=AT, problem="refused"))
    _states(wire, 1)
    assert wire.trait("state")[-1]["trouble"] == {"seen": AT.timestamp(), "problem": "refused"}

    session.on_trouble(Connection(last_seen=AT))
    _states(wire, 2)
    assert wire.trait("state")[-1]["trouble"] is None


def test_the_conversation_is_read_along_only_while_the_panel_is_on_screen(fake: Callable[..., Any]) -> None:
    session = fake()
    panel = Panel(session)
    for visible in (True, False, False, True):
        panel.receive({"action": "seen", "visible": visible})

    assert session.wanted == [True, False, True]
    assert len(session.callbacks) == 1


def test_a_closed_panel_follows_nothing(fake: Callable[..., Any]) -> None:
    session = fake()
    Panel(session).close()

    assert session.callbacks == []


def test_the_repr_is_the_same_for_the_same_snapshot(fake: Callable[..., Any]) -> None:
    session = fake(phase=Phase.DONE)

    assert repr(Panel(session)) == repr(Panel(session)) == f'<Panel {session.snapshot.session_id} done "Session 1">'


def test_unknown_keywords_are_refused(fake: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match="color"):
        Panel(fake(), color="red")  # type: ignore[call-arg]


def test_the_buttons_offered_are_those_that_make_sense(snapshot: Callable[..., Snapshot]) -> None:
    from devin_jupyter.panel.state import session_state

    def can(**fields: Any) -> list[str]:
        return list(session_state(snapshot(**fields))["can"])

    assert can() == ["send", "stop", "archive"]
    assert can(phase=Phase.DONE, status="exit") == ["archive"]
    assert can(phase=Phase.FAILED, is_archived=True) == []
    assert can(api_version="v1") == ["send", "stop"]
    assert can(recorded=AT.date()) == []


def test_an_answer_too_long_for_the_panel_is_told_in_part_and_says_so(snapshot: Callable[..., Snapshot]) -> None:
    from devin_jupyter.panel.state import session_state

    long = snapshot(structured_output={"rows": [{"text": "x" * 100}] * 5000}, output_is_fresh=True)
    state = session_state(long)

    [part] = state["answer"]["parts"]
    assert 100 < len(part["rows"]) < 5000
    assert len(part["rows"]) + part["more"] == 5000
    assert ".result() returns all of it" in state["answer"]["rest"]
    assert len(json.dumps(state)) < 70_000


def test_an_answer_that_json_cannot_write_is_shown_as_words(snapshot: Callable[..., Snapshot]) -> None:
    from devin_jupyter.panel.state import session_state

    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    state = session_state(snapshot(structured_output={"deep": deep}, output_is_fresh=True))

    assert "cannot be shown here" in json.dumps(state["answer"])


RECORDS = [{"file": "a.py", "n": 1}, {"file": "b.py", "more": [{"x": 1}]}]


@pytest.mark.parametrize(
    ("output", "kinds"),
    [
        (RECORDS, [("table", "")]),
        ({"items": RECORDS}, [("table", "")]),
        ({"findings": RECORDS}, [("table", "findings")]),
        ({"repo": "acme/api", "ok": True, "todos": RECORDS}, [("pairs", ""), ("table", "todos")]),
        ({"a": 1, "b": [1, 2], "c": None, "d": []}, [("pairs", "")]),
        ({"a": {"b": 1, "c": "x"}}, [("pairs", "a")]),
        ({"a": {"b": {"c": 1}}}, [("value", "a")]),
        ({"items": ["one, two", "three"]}, [("list", "")]),
        ({"items": []}, [("value", "")]),
        ({}, [("pairs", "")]),
        ([{}], [("value", "")]),
        ([1, {"a": 2}], [("value", "")]),
        ({"items": RECORDS, "note": "x"}, [("pairs", ""), ("table", "items")]),
        ("text", [("value", "")]),
    ],
)
def test_an_answer_is_a_table_when_it_is_a_list_of_records_and_pairs_when_it_is_flat(
    snapshot: Callable[..., Snapshot], output: Any, kinds: list[tuple[str, str]]
) -> None:
    from devin_jupyter.panel.state import session_state

    shown = snapshot(phase=Phase.DONE, structured_output=output, output_is_fresh=True, output_is_valid=True)
    assert [(part["kind"], part["title"]) for part in session_state(shown)["answer"]["parts"]] == kinds
    if isinstance(output, dict) and list(output) == ["items"]:
        for form in (render.session_html(shown), render.session_text(shown)):
            assert "items" not in form.replace("align-items:baseline", "")


def _view(session_id: str, **fields: Any) -> LiveView:
    return LiveView(session_id=session_id, **{"state": "on", **fields})


def test_steps_travel_once_and_again_when_they_grow(shown: Any) -> None:
    session, panel, wire = shown()
    first, second = (Step(kind="tool", title=name, id=name, status="in_progress") for name in "ab")
    tell = session.on_live
    tell(_view("devin-1", steps=(first,), activity="reading"))
    tell(_view("devin-1", steps=(first, second)))
    grown = replace(first, status="completed", text="cog_abcdef0123456789")
    tell(_view("devin-1", steps=(grown, second), activity="testing"))
    tell(_view("devin-1", steps=(grown, second), plan=(PlanEntry("Read", "completed"), PlanEntry("Test", "pending"))))

    told = [[step["id"] for step in each["items"]] for each in wire.custom if each["kind"] == "steps"]
    assert told == [["a"], ["b"], ["a"]]
    assert "abcdef0123456789" not in json.dumps(wire.custom)
    live = wire.trait("state")[-1]["live"]
    assert (live["progress"], live["steps"]) == ([1, 2], 2)
    panel.receive({"action": "steps"})
    assert [step["id"] for step in wire.custom[-1]["items"]] == ["a", "b"]
    assert wire.custom[-1]["fresh"]


def test_the_live_channel_gives_buttons_only_where_it_is_on_and_there_is_something_to_do(shown: Any) -> None:
    session, panel, wire = shown()
    for name in ("approve", "reject", "cancel_turn"):
        panel.actions[name] = lambda: None
    approval = Approval(id="r", title="Push", text="git push")

    def can(view: LiveView) -> set[str]:
        session.on_live(view)
        return set(wire.trait("state")[-1]["can"]) & {"approve", "reject", "cancel_turn"}

    assert can(_view("devin-1", steps=(Step(kind="tool", title="x", id="x"),))) == {"cancel_turn"}
    assert can(_view("devin-1", approval=approval)) == {"approve", "reject", "cancel_turn"}
    assert [each["text"] for each in wire.custom if each["kind"] == "approval"] == ["git push"]
    assert "git push" not in str(wire.trait("state"))  # which some front ends save with the notebook
    assert can(_view("devin-1", state="unavailable", approval=approval)) == set()
    session.show(replace(session.snapshot, phase=Phase.NEEDS_APPROVAL))
    assert can(_view("devin-1", approval=approval)) == {"approve", "reject"}
    session.show(replace(session.snapshot, phase=Phase.STOPPED))  # whatever the channel told last
    assert can(_view("devin-1", approval=approval)) == set()
    assert wire.trait("state")[-1]["live"]["approval"] is None


def test_files_are_listed_on_request_and_saved_by_a_button(shown: Any) -> None:
    session, panel, wire = shown()
    listed = [{"name": "a\u202eb.csv", "url": "javascript:x", "source": "devin"}]
    panel.actions["files"] = lambda: listed
    panel.actions["download"] = lambda: downloaded([Path("devin-1/a.csv"), Path("devin-1/b.csv")])

    panel.receive({"action": "files", "token": "1"})
    assert _outcome(wire, "1") == {"kind": "outcome", "token": "1"}
    told = {"session": session.snapshot.session_id, "items": [{"name": "ab.csv", "url": None, "devin": True}]}
    assert wire.last(kind="files") == {"kind": "files", **told}
    panel.receive({"action": "download", "token": "2"})
    assert _outcome(wire, "2")["notice"] == "saved 2 files in devin-1"
    assert downloaded([]) == "this session has no files"


AT_TURNS = tuple(
    Message(f"m{minute}", source, text, AT + timedelta(minutes=minute))
    for minute, source, text in ((0, "user", "Do it"), (4, "devin", "Done."), (30, "user", "And now?"))
)


def test_the_timeline_has_earlier_turns_also_in_a_panel_that_came_later(snapshot: Callable[..., Snapshot]) -> None:
    from devin_jupyter.panel.state import timeline

    seen = snapshot(phase=Phase.WORKING, created_at=AT, updated_at=AT + timedelta(minutes=31), messages=AT_TURNS)
    told = timeline(seen, phase_history((), seen, None))
    minutes = [(entry["label"], round((entry["at"] - AT.timestamp()) / 60)) for entry in told]
    assert minutes == [("started", 0), ("replied", 4), ("message sent", 30), ("working", 31)]


def test_the_turn_that_a_message_opens_begins_when_it_was_sent(snapshot: Callable[..., Snapshot]) -> None:
    """The snapshot right after a send still has the times of the end of the turn before."""
    done = snapshot(phase=Phase.DONE, created_at=AT, updated_at=AT + timedelta(minutes=4))
    sent = Sent("And now?", AT + timedelta(minutes=30), Phase.DONE)
    phases = phase_history((), replace(done, phase=Phase.WORKING, updated_at=AT + timedelta(minutes=1)), None)
    phases = phase_history(phases, done, None)
    for later in (
        after_send(done),
        replace(after_send(done), phase=Phase.WORKING, observed_at=AT + timedelta(minutes=31)),
    ):
        phases = phase_history(phases, later, sent)
    minutes = [(change.phase, (change.at - AT) // timedelta(minutes=1)) for change in phases if change.at]
    assert minutes == [(Phase.WORKING, 1), (Phase.DONE, 4), (Phase.QUEUED, 30), (Phase.WORKING, 31)]
    assert [change.is_sent for change in phases] == [False, False, True, False]


def test_a_cell_that_sent_a_message_begins_with_it_and_shows_the_reply_to_it(snapshot: Callable[..., Snapshot]) -> None:
    from devin_jupyter.panel.state import session_state

    def told(message: str, **fields: Any) -> tuple[str, str | None]:
        seen = snapshot(**{"phase": Phase.DONE, "messages": (*AT_TURNS, *later), **fields})
        for form in (render.session_html(seen, message=message), render.session_text(seen, message=message)):
            assert message in form
        state = session_state(seen, message=message)
        return state["you"].strip(), state["words"] and state["words"]["html"].strip()

    later: tuple[Message, ...] = (Message("m5", "devin", "It is **green**.", AT + timedelta(minutes=33)),)
    assert told("And now?") == ("<p>And now?</p>", "<p>It is <strong>green</strong>.</p>")
    assert told("Do it") == ("<p>Do it</p>", "<p>Done.</p>")
    later = ()
    assert told("And now?", phase=Phase.WORKING) == ("<p>And now?</p>", None)
    assert told("Not there yet", phase=Phase.QUEUED, send_pending=True) == ("<p>Not there yet</p>", None)
