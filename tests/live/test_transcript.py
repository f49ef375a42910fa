"""Updates of the protocol, read into steps, plan, activity and approval; whatever arrives, nothing fails or grows."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devin_jupyter.live import transcript
from devin_jupyter.live.transcript import Transcript
from devin_jupyter.models.steps import Hint, LiveView, Step
from devin_jupyter.redaction import keep_secret

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
ID = "devin-" + "1" * 32


def params(variant: str, meta: dict[str, Any] | None = None, /, **fields: Any) -> dict[str, Any]:
    keys = {f"cognition.ai/{name}": value for name, value in (meta or {}).items()}
    return {"sessionId": ID, "update": {"sessionUpdate": variant, **fields, "_meta": keys}}


def says(text: str, message: str | None = "m1", variant: str = "agent_message_chunk", **meta: Any) -> dict[str, Any]:
    named = {} if message is None else {"messageId": message}
    return params(variant, meta, content={"type": "text", "text": text}, **named)


def info(event: str, **meta: Any) -> dict[str, Any]:
    return params("session_info_update", {"eventType": event, **meta})


def status(word: str, **meta: Any) -> dict[str, Any]:
    return info("status_update", statusEnum=word, **meta)


def read(*updates: dict[str, Any], replay: bool = False) -> tuple[Transcript, list[Hint]]:
    found = Transcript(ID)
    if not replay:
        found.end_replay()
    return found, [found.apply(each, NOW) for each in updates]


def view(*updates: dict[str, Any]) -> LiveView:
    return read(*updates)[0].view("on")


def shown(*updates: dict[str, Any]) -> list[tuple[str, str, str | None, str]]:
    return [(step.kind, step.title, step.status, step.text) for step in view(*updates).steps]


THOUGHT = "agent_thought_chunk"
MESSAGES = {
    "pieces of a message are one message": ([says("Hel"), says("lo")], [("message", "Devin", "devin", "Hello")]),
    "a message of the user": (
        [says("Go on", variant="user_message_chunk")],
        [("message", "You", "user", "Go on")],
    ),
    "another id is another message": (
        [says("a", "m1"), says("b", "m2"), says("c", "m1")],
        [("message", "Devin", "devin", "ac"), ("message", "Devin", "devin", "b")],
    ),
    "without an id the event's id names the message": (
        [says("a", None, eventId="e1"), says("b", None, eventId="e1"), says("c", None, eventId="e2")],
        [("message", "Devin", "devin", "ab"), ("message", "Devin", "devin", "c")],
    ),
    "without both, pieces belong together until something else comes": (
        [says("a", None), says("b", None), info("note_used"), says("c", None)],
        [("message", "Devin", "devin", "ab"), ("message", "Devin", "devin", "c")],
    ),
    "a piece may replace what came": (
        [says("Helo"), says("Hello", overwrite=True)],
        [("message", "Devin", "devin", "Hello")],
    ),
    "a message may be taken back": ([says("Hel"), says("", abort=True)], []),
    "only the main chain counts": ([says("a"), says("b", "m2", chain="side")], [("message", "Devin", "devin", "a")]),
    "the same event again says nothing": (
        [says("a", eventId="e1"), says("a", eventId="e1"), says("b", eventId="e2")],
        [("message", "Devin", "devin", "ab")],
    ),
    "an array of blocks is read too": (
        [params("agent_message_chunk", content=[{"type": "text", "text": "a"}, {"type": "image"}], messageId="m")],
        [("message", "Devin", "devin", "a[image]")],
    ),
    "questions are part of the message": (
        [says("Well?", userQuestion=True, questions=[{"question": "Which?", "options": ["a", "b"]}])],
        [("message", "Devin", "devin", "Well?\n\nWhich? (a, b)")],
    ),
    "a thought is named by its beginning": (
        [says("Read\nthe ", "t", THOUGHT), says("tests.", "t", THOUGHT)],
        [("thought", "Read the tests.", None, "Read\nthe tests.")],
    ),
    "citations lose their tags, also in two pieces": (
        [says("See <ref_file fi"), says('le="/repo/src/a.py" /> and <ref_snippet file="b.py" lines="3-5" />.')],
        [("message", "Devin", "devin", "See a.py and b.py:3-5.")],
    ),
    "a tag that is not complete yet is not shown": (
        [says("See <ref_file fi")],
        [("message", "Devin", "devin", "See ")],
    ),
    "invisible characters are dropped": ([says("a\u202eb\x00c")], [("message", "Devin", "devin", "abc")]),
    "an empty beginning is no message": ([says("")], []),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_of_messages_and_thoughts(name: str) -> None:
    updates, expected = MESSAGES[name]
    assert shown(*updates) == expected


def call(variant: str = "tool_call", /, call_id: str = "c1", **fields: Any) -> dict[str, Any]:
    meta = fields.pop("meta", {})
    return params(variant, meta, toolCallId=call_id, **fields)


def text(value: str) -> list[dict[str, Any]]:
    return [{"type": "content", "content": {"type": "text", "text": value}}]


def first(*updates: dict[str, Any]) -> Step:
    return view(*updates).steps[0]


def test_a_tool_call_is_patched_by_its_updates() -> None:
    asked = call(title="Run the tests", kind="execute", rawInput={"command": "make test"})
    step = first(asked)
    assert (step.kind, step.title, step.tool, step.status, step.input) == (
        "tool", "Run the tests", "execute", "pending", "make test",
    )  # fmt: skip
    assert step.is_running
    running = call("tool_call_update", status="in_progress")
    assert first(asked, running).status == "in_progress"
    ended = call("tool_call_update", status="failed", content=text("2 failed"), meta={"exitCode": 1})
    step = first(asked, running, ended)
    assert (step.title, step.status, step.text) == ("Run the tests", "failed", "2 failed\nexit code 1")
    assert not step.is_running
    assert first(asked, ended, call(title="Again")).status == "pending"  # a call of the same id replaces


@pytest.mark.parametrize(
    ("fields", "given", "output"),
    [
        ({"rawInput": {"path": "a.py"}}, '{\n "path": "a.py"\n}', ""),
        ({"rawInput": "ls"}, "ls", ""),
        ({"meta": {"query": "def f"}}, "def f", ""),
        ({"rawOutput": "done"}, "", "done"),
        ({"rawOutput": {"n": 1}}, "", '{\n "n": 1\n}'),
        ({"content": [{"type": "terminal", "terminalId": "t"}]}, "", "[terminal]"),
        ({"content": ["odd"]}, "", ""),
    ],
)
def test_input_and_output_come_in_several_places(fields: dict[str, Any], given: str, output: str) -> None:
    step = first(call(title="x", **fields))
    assert (step.input, step.text) == (given, output)


def test_a_diff_shows_as_lines() -> None:
    change = {"type": "diff", "path": "a.py", "oldText": "one\ntwo\n", "newText": "one\n2\n"}
    assert first(call(title="Edit", content=[change])).text.splitlines()[2:] == [
        "@@ -1,2 +1,2 @@",
        " one",
        "-two",
        "+2",
    ]


def test_an_update_for_a_call_that_was_never_announced_is_a_step() -> None:
    assert shown(call("tool_call_update", status="completed", title="Index")) == [("tool", "Index", "completed", "")]
    assert shown(call("tool_call_update", status="completed")) == [("tool", "tool call", "completed", "")]


def test_updates_that_overtake_their_call_stay_as_they_are() -> None:
    ended = call("tool_call_update", status="completed", content=text("12 passed"))
    asked: dict[str, Any] = {"title": "Run", "kind": "execute", "rawInput": {"command": "make"}}
    step = first(ended, call(status="pending", meta={"command": "make", "exitCode": 0}, **asked))
    assert (step.title, step.tool, step.status, step.input, step.text) == (
        "Run", "execute", "completed", "make", "12 passed",
    )  # fmt: skip
    patch = call("tool_call_update", title="Run all", kind="other", rawInput="make all", status="in_progress")
    step = first(patch, call(status="pending", content=text("so far"), **asked))
    assert (step.title, step.tool, step.status, step.input, step.text) == (
        "Run all", "other", "in_progress", "make all", "so far",
    )  # fmt: skip
    assert first(ended, call(title="Run"), call(title="Again")).status == "pending"  # the second one replaces


def test_a_request_for_a_secret_says_where_to_give_it() -> None:
    assert "web app" in first(call(meta={"eventType": "request_secret", "secretName": "TOKEN"})).title


def plan(*entries: tuple[str, str]) -> dict[str, Any]:
    return params("plan", entries=[{"content": words, "priority": "high", "status": state} for words, state in entries])


def test_a_plan_is_replaced_and_its_progress_is_one_step() -> None:
    found = view(
        plan(("Read", "in_progress"), ("Write", "pending")),
        plan(("Read", "completed"), ("Write", "in_progress")),
        plan(("Ship", "completed")),
    )
    assert [(entry.text, entry.status) for entry in found.plan] == [("Ship", "completed")]
    assert found.plan_progress == (1, 1)
    assert [(step.title, step.text) for step in found.steps] == [
        ("Plan: 1 of 2 done", "[x] Read\n[~] Write"),
        ("Plan: 1 of 1 done", "[x] Ship"),
    ]
    assert view(plan()).steps == ()


def test_the_activity_is_what_was_said_last() -> None:
    running = call(title="Run the tests", status="in_progress")
    for updates, expected in (
        ([info("simple_activity_update", activityEnum="deciding_action")], "deciding what to do"),
        ([info("simple_activity_update", activityEnum="juggling_cats")], "juggling cats"),
        ([info("simple_activity_update", activityEnum="executing_actions"), running], "Run the tests"),
        ([running, call("tool_call_update", status="completed")], None),
        ([running, info("is_typing", isTyping=True)], "writing a message"),
        ([info("is_typing", isTyping=True), info("is_typing", isTyping=False)], None),
        ([status("queued", queuePosition=2)], "waiting for a machine, number 2"),
        ([running, status("blocked")], None),
    ):
        assert view(*updates).activity == expected, updates


def test_status_pull_request_and_message_are_hints_and_nothing_else_is() -> None:
    pr = info("pr_data_updated", prDataUpdated={"prUrl": "https://github.com/acme/api/pull/7"})
    cases = [
        (status("working"), Hint.STATUS),
        (status("blocked"), Hint.STATUS | Hint.OVER),
        (status("finished", finishedOutcome="completed"), Hint.STATUS | Hint.OVER),
        (status("finished", statusReason="resume_restored"), Hint.STATUS),
        (status("levitating"), Hint.STATUS),
        (info("devin_exited"), Hint.STATUS | Hint.OVER),
        (info("permission_resolved", approved=True), Hint.STATUS | Hint.OVER),
        (pr, Hint.STATUS),
        (says("a"), Hint.MESSAGE),
        (says("b"), Hint.NONE),  # more of the same message
        (says("a", "t", THOUGHT), Hint.NONE),
        (call(title="x"), Hint.NONE),
        (plan(("a", "pending")), Hint.NONE),
        (info("simple_activity_update", activityEnum="x"), Hint.NONE),
        (params("hologram"), Hint.NONE),
    ]
    found, hints = read(*(update for update, _ in cases))
    assert hints == [expected for _, expected in cases]
    assert [(step.title, step.text) for step in found.view("on").steps if step.kind == "pull_request"] == [
        ("acme/api#7", "https://github.com/acme/api/pull/7")
    ]
    assert read(*(update for update, _ in cases), replay=True)[1] == [Hint.NONE] * len(cases)


def test_a_status_beside_an_update_is_a_hint_when_it_changes_and_fills_in_for_the_updates_own() -> None:
    def beside(update: dict[str, Any], word: str) -> dict[str, Any]:
        return {**update, "_meta": {"cognition.ai/session": {"cognition.ai/statusEnum": word}}}

    thoughts = [says("a", f"t{number}", THOUGHT) for number in range(3)]
    found, hints = read(
        status("working"),
        beside(thoughts[0], "working"),
        beside(thoughts[1], "blocked"),
        beside(thoughts[2], "blocked"),
        beside(info("status_update"), "finished"),
        {**thoughts[0], "_meta": {"cognition.ai/session": 5}},
    )
    assert hints == [
        Hint.STATUS,
        Hint.NONE,
        Hint.STATUS | Hint.OVER,
        Hint.NONE,
        Hint.STATUS | Hint.OVER,
        Hint.NONE,
    ]
    assert found.word == "finished"


@pytest.mark.parametrize(
    ("result", "hint"),
    [
        ({}, Hint.NONE),
        (None, Hint.NONE),
        ({"_meta": {"cognition.ai/statusEnum": "working"}}, Hint.NONE),
        ({"_meta": {"cognition.ai/statusEnum": "blocked"}}, Hint.STATUS),
        ({"_meta": {"cognition.ai/session": {"cognition.ai/statusEnum": "finished"}}}, Hint.STATUS),
    ],
)
def test_a_turn_that_ended_while_it_was_loaded_is_looked_at(result: Any, hint: Hint) -> None:
    assert read(status("working"), replay=True)[0].loaded(result) == hint
    assert read(status("blocked"), replay=True)[0].loaded({}) == Hint.STATUS


def test_one_switch_leaves_out_what_one_program_alone_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> tuple[Any, ...]:
        secret = call(meta={"eventType": "request_secret", "secretName": "TOKEN", "note": "for the deploy"})
        restored = status("finished", statusReason="resume_restored")
        loaded = {"_meta": {"cognition.ai/statusEnum": "blocked"}}
        step = first(secret)
        _, hints = read(info("pause"), restored)
        return step.title, step.input, *hints, read(status("working"), replay=True)[0].loaded(loaded)

    over = Hint.STATUS | Hint.OVER
    title = "Asks for the secret TOKEN; give it in the web app"
    assert found() == (title, "for the deploy", over, Hint.STATUS, Hint.STATUS)
    monkeypatch.setattr(transcript, "READS_REPORTS", False)
    assert found() == ("tool call", "", Hint.NONE, over, Hint.NONE)


def test_a_status_is_a_step_only_when_it_changes() -> None:
    found = view(
        status("working"), status("working"), status("blocked", statusMessage="Your turn"), status("levitating")
    )
    assert [(step.title, step.status, step.text) for step in found.steps] == [
        ("working", "working", ""),
        ("its turn is over", "blocked", "Your turn"),
        ("levitating", "levitating", ""),
    ]


def test_an_approval_is_open_until_it_is_answered_or_the_work_goes_on() -> None:
    asked = call(
        title="Push",
        status="pending",
        rawInput={"command": "git push"},
        meta={"eventType": "permission_request", "permissionType": "command", "requestId": "r1"},
    )
    blocked = status("blocked", userActionRequired="Approve a command")
    found = view(asked, blocked)
    assert found.approval is not None
    assert (found.approval.id, found.approval.title, found.approval.text, found.approval.kind) == (
        "r1", "Push", "git push", "command",
    )  # fmt: skip
    assert found.asks == "Approve a command"
    for answer in (
        info("permission_resolved", approved=True),
        call("tool_call_update", status="failed"),
        status("working"),
    ):
        assert view(asked, blocked, answer).approval is None
    assert view(asked, status("blocked", userActionRequired=None)).asks is None
    without = call(call_id="c9", title="Push", status="pending", meta={"permissionType": "network"})
    assert (approval := view(without).approval) is not None
    assert approval.id == "c9"


def test_a_reload_completes_what_is_there_and_keeps_what_it_leaves_out() -> None:
    before, _ = read(
        says("Hello", "m1", eventId="e1"),
        says("Read the tests", "t1", THOUGHT, eventId="e2"),
        call(title="Run", status="in_progress", meta={"eventId": "e3"}),
        says("nameless", None),
    )
    after = Transcript(ID, before.view("on").steps, before.seen)
    assert after.view("connecting").steps == before.view("on").steps  # while it is replayed, nothing vanishes
    for each in (
        says("Hello", "m1", eventId="e1"),
        call(title="Run", status="completed", meta={"eventId": "e4"}),
        says("Bye", "m2", eventId="e5"),
    ):
        after.apply(each, NOW)
    after.end_replay()
    expected = [
        ("message", "Hello", "devin"),
        ("thought", "Read the tests", None),
        ("tool", "", "completed"),
        ("message", "Bye", "devin"),
    ]
    assert [(step.kind, step.text, step.status) for step in after.view("on").steps] == expected
    for again in (says("Read the tests", "t1", THOUGHT, eventId="e2"), says("Bye", "m2", eventId="e5")):
        assert after.apply(again, NOW) == Hint.NONE
    assert [(step.kind, step.text, step.status) for step in after.view("on").steps] == expected
    after.apply(says(" and more", "t1", THOUGHT, eventId="e6"), NOW)
    assert after.view("on").steps[1].text == "Read the tests and more"


def test_times_are_those_of_the_service_and_else_of_the_arrival() -> None:
    for stamp, expected in (
        ("2026-11-30T10:00:00Z", datetime(2026, 11, 30, 10, tzinfo=UTC)),
        ("2026-11-30T10:00:00", datetime(2026, 11, 30, 10, tzinfo=UTC)),
        (1796032800, datetime(2026, 11, 30, 10, tzinfo=UTC)),
        (1796032800000, datetime(2026, 11, 30, 10, tzinfo=UTC)),
        ("soon", NOW),
        (1e300, NOW),
        (None, NOW),
    ):
        assert first(says("a", timestamp=stamp)).at == expected, stamp
    assert read(says("a"), replay=True)[0].view("on").steps[0].at is None


def test_everything_is_bounded() -> None:
    found, _ = read()
    for number in range(2000):
        found.apply(says("x" * 300, f"m{number}", eventId=f"e{number}"), NOW)
    steps = found.view("on").steps
    assert len(steps) == transcript.MOST_STEPS
    assert steps[-1].id == "m1999"
    for number in range(100):
        found.apply(says("y" * 50_000, f"n{number}"), NOW)
    steps = found.view("on").steps
    assert sum(len(step.text) for step in steps) <= transcript.MOST_CHARACTERS + len(steps) * 40
    assert steps[-1].text.endswith("… (30,000 more characters)")
    assert found.characters == sum(draft.length for draft in found._drafts.values())
    output = first(call(title="x", content=text("a" * 100_000 + "the end")))
    assert len(output.text) <= transcript.LONGEST_TEXT
    assert output.text.endswith("the end")
    assert len(view(plan(*[("a" * 5000, "pending")] * 1000)).plan) == transcript.MOST_ENTRIES
    for number in range(10_000):
        found.apply(info("note_used", eventId=f"f{number}"), NOW)
    assert len(found.seen) == transcript.MOST_EVENT_IDS


def test_secrets_never_show(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "hunter2-hunter2-hunter2"
    keep_secret([secret])
    found = view(
        says(f"It is {secret[:9]}"),
        says(secret[9:]),
        call(title=f"echo {secret}", rawInput={"command": f"echo {secret}"}, content=text(secret)),
        plan((secret, "pending")),
        status("blocked", userActionRequired=f"use {secret}"),
        call(title="Push", call_id="c2", status="pending", rawInput={"command": secret}, meta={"permissionType": "x"}),
    )
    assert secret not in repr(found)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    [
        "eventType",
        "statusEnum",
        "eventId",
        "requestId",
        "prDataUpdated",
        "questions",
        "exitCode",
        "queuePosition",
        "timestamp",
    ]
)
FIELDS = st.sampled_from(
    ["content", "messageId", "toolCallId", "title", "kind", "status", "rawInput", "rawOutput", "entries", "locations"]
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*transcript.VARIANTS, "hologram"]),
            st.dictionaries(FIELDS, JSON | st.just("c1"), max_size=4),
            st.dictionaries(KEYS, JSON | st.sampled_from(["status_update", "permission_request"]), max_size=4),
        ),
        max_size=6,
    )
)
def test_no_update_is_too_odd(updates: list[tuple[str, dict[str, Any], dict[str, Any]]]) -> None:
    found, _ = read(*(params(variant, meta, **fields) for variant, fields, meta in updates))
    shown = found.view("on")
    assert all(isinstance(value, str) for step in shown.steps for value in (step.title, step.text, step.input, step.id))
    json.dumps([step.text for step in shown.steps]).encode()
    for odd in (
        {},
        {"update": None},
        {"update": {"sessionUpdate": []}},
        {"update": {"sessionUpdate": "plan", "_meta": 3}},
    ):
        assert found.apply(odd, NOW) == Hint.NONE
