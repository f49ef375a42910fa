"""What the panel tells the browser, and what it does with what the browser asks; no browser needed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from wire import Wire

from devin_jupyter.errors import BudgetExceeded
from devin_jupyter.models.enums import Phase
from devin_jupyter.models.snapshot import Message, Snapshot
from devin_jupyter.monitor.store import Connection
from devin_jupyter.panel import Panel

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


def test_an_output_too_long_for_the_panel_is_named_instead(snapshot: Callable[..., Snapshot]) -> None:
    from devin_jupyter.panel.state import session_state

    state = session_state(snapshot(structured_output={"rows": ["x" * 100] * 1000}, output_is_fresh=True))

    assert state["output"] is None
    assert ".output" in state["output_note"]
    assert len(json.dumps(state)) < 5000
