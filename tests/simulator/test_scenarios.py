"""How sessions live: the state machine, the scenarios, money, pull requests, outputs, sleep."""

from __future__ import annotations

import jsonschema_rs
import pytest

SCHEMA = {
    "type": "object",
    "required": ["summary", "findings"],
    "additionalProperties": False,
    "properties": {
        "summary": {"type": "string"},
        "findings": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["title", "severity", "line"],
                "properties": {
                    "title": {"type": "string"},
                    "severity": {"enum": ["low", "high"]},
                    "line": {"type": "integer", "minimum": 1},
                },
            },
        },
    },
}
IS_VALID = jsonschema_rs.validator_for(SCHEMA).is_valid


class Life:
    """One session at speed 1, moved by the clock."""

    def __init__(self, simulator, client, tags=(), **fields):
        self.simulator, self.client = simulator, client
        body = {"prompt": "Audit acme/api", "tags": list(tags), "structured_output_schema": SCHEMA, **fields}
        self.path = "/sessions/devin-" + client.post("/sessions", json=body).json()["session_id"]

    def after(self, seconds: float) -> dict:
        self.simulator.clock(seconds)
        return self.client.get(self.path).json()

    def watch(self, seconds: float = 245, step: float = 5) -> list[dict]:
        return [self.after(step) for _ in range(int(seconds / step))]

    def say(self, text: str):
        return self.client.post(self.path + "/messages", json={"message": text})

    def words(self) -> list[str]:
        return [word["message"] for word in self.client.get(self.path + "/messages").json()["items"]]


@pytest.fixture
def life(slow_simulator):
    with slow_simulator.v3() as client:
        yield lambda *tags, **fields: Life(slow_simulator, client, tags, **fields)


def state(session: dict) -> tuple:
    return session["status"], session["status_detail"]


def test_a_session_is_queued_works_and_then_waits_for_its_user(life):
    session = life(repos=["acme/api", "acme/web"])
    seen = [session.after(0), *session.watch()]
    assert list(dict.fromkeys(map(state, seen))) == [
        ("new", None),
        ("claimed", None),
        ("running", "working"),
        ("running", "waiting_for_user"),
    ]
    costs = [one["acus_consumed"] for one in seen]
    assert costs == sorted(costs)
    assert len(set(costs)) > 10
    assert any(cost % 1 for cost in costs)
    assert [one["updated_at"] for one in seen] == sorted(one["updated_at"] for one in seen)
    assert {one["category"] for one in seen} == {None, "code_quality_and_security"}
    last = seen[-1]
    assert IS_VALID(last["structured_output"])
    assert [pull["pr_url"].rpartition("/pull/")[0] for pull in last["pull_requests"]] == [
        "https://github.com/acme/api",
        "https://github.com/acme/web",
    ]
    assert {pull["pr_state"] for pull in last["pull_requests"]} == {"open"}
    assert session.words()[0] == "Audit acme/api"
    assert any("acme/web" in text for text in session.words())


def test_a_pull_request_is_named_before_it_is_listed(life):
    session = life(repos=["acme/api"])
    listed = session.after(0.65 * 240)["pull_requests"]
    assert listed == []
    assert any("I opened a pull request" in text for text in session.words())
    assert len(session.after(0.1 * 240)["pull_requests"]) == 1


def test_pull_requests_are_merged_or_closed_as_time_passes(life):
    sessions = [life(repos=["acme/api"], prompt=f"Task {number}") for number in range(12)]
    sessions[0].after(3 * 86400)
    fates = {session.after(0)["pull_requests"][0]["pr_state"] for session in sessions}
    assert {"merged", "open"} <= fates


def test_what_is_flaky_breaks_the_first_time_only(life):
    first, second = life("sim:flaky"), life("sim:flaky")
    assert state(first.after(245)) == ("error", "error")
    assert state(second.after(0)) == ("running", "waiting_for_user")


ENDS = {
    "sim:finished": ("running", "finished"),
    "sim:exit": ("exit", "finished"),
    "sim:question": ("running", "waiting_for_user"),
    "sim:approval": ("running", "waiting_for_approval"),
    "sim:fail": ("error", "error"),
    "sim:limit": ("suspended", "usage_limit_exceeded"),
    "sim:credits": ("suspended", "out_of_credits"),
    "sim:sleep": ("suspended", "inactivity"),
    "sim:partial-output": ("running", "waiting_for_user"),
    "sim:invalid-output": ("running", "waiting_for_user"),
    "sim:no-output": ("running", "waiting_for_user"),
    "sim:unknown": ("running", "waiting_for_user"),
    "sim:files": ("running", "waiting_for_user"),
    "sim:nothing-of-the-kind": ("running", "waiting_for_user"),
}
ANSWERED = {"sim:files", "sim:finished", "sim:exit", "sim:partial-output", "sim:unknown", "sim:nothing-of-the-kind"}


@pytest.mark.parametrize("tag", ENDS)
def test_a_scenario_ends_its_turn_in_its_own_state(life, tag):
    last = life(tag).after(245)
    assert state(last) == ENDS[tag]
    output = last["structured_output"]
    if tag in ANSWERED:
        assert IS_VALID(output)
    elif tag == "sim:invalid-output":
        assert output is not None
        assert not IS_VALID(output)
    else:
        assert output is None


def test_a_question_is_answered_once_and_then_the_work_is_done(life):
    session = life("sim:question")
    assert state(session.after(125)) == ("running", "waiting_for_user")
    assert "?" in session.words()[-1]
    answer = session.say("Replace it.")
    assert (answer.status_code, answer.json()["status"], answer.json()["status_detail"]) == (200, "running", None)
    assert state(session.after(5)) == ("running", "working")
    last = session.after(240)
    assert state(last) == ("running", "waiting_for_user")
    assert IS_VALID(last["structured_output"])


def test_an_approval_cannot_be_given_by_message_but_bypassed_from_the_start(life):
    asking = life("sim:approval")
    asking.after(125)
    asking.say("Approved!")
    assert state(asking.after(245)) == ("running", "waiting_for_approval")
    assert state(life("sim:approval", bypass_approval=True).after(245)) == ("running", "waiting_for_user")


def test_a_sleeping_session_wakes_by_a_message_and_does_its_work(life):
    session = life("sim:sleep")
    session.after(245)
    assert session.say("Wake up").json()["status"] == "resuming"
    assert state(session.after(25)) == ("running", "working")
    assert IS_VALID(session.after(240)["structured_output"])


@pytest.mark.parametrize("tag", ["sim:limit", "sim:credits"])
def test_a_blocked_session_takes_a_message_and_is_blocked_again(life, tag):
    session = life(tag)
    before = session.after(245)
    assert session.say("Go on").status_code == 200
    after = session.after(245)
    assert state(after) == state(before) == ENDS[tag]
    assert after["updated_at"] > before["updated_at"]


@pytest.mark.parametrize("tag", ["sim:fail", "sim:exit"])
def test_a_session_that_is_over_refuses_messages(life, tag):
    session = life(tag)
    session.after(245)
    assert session.say("Hello?").status_code == 409


def test_the_cap_stops_a_session_exactly_at_its_limit(life):
    last = life(repos=["acme/a", "acme/b"], max_acu_limit=1).after(245)
    assert state(last) == ("suspended", "usage_limit_exceeded")
    assert last["acus_consumed"] == 1
    assert last["structured_output"] is None
    assert life(max_acu_limit=10**400).after(245)["status"] == "running"
    assert life("sim:limit", max_acu_limit=3).after(245)["acus_consumed"] == 3


def test_modes_change_pace_and_price(life):
    fast, normal = life(devin_mode="fast"), life(devin_mode="normal")
    fast.after(125)
    assert state(fast.after(0)) == ("running", "waiting_for_user")
    assert state(normal.after(0)) == ("running", "working")
    assert fast.after(120)["acus_consumed"] > 1.3 * normal.after(0)["acus_consumed"]
    assert fast.after(0)["devin_mode"] == "fast"


def test_slow_takes_ten_times_as_long_and_combines_with_other_scenarios(life):
    session = life("sim:slow", "sim:finished")
    assert state(session.after(2000)) == ("running", "working")
    assert state(session.after(500)) == ("running", "finished")


def test_interim_outputs_come_before_the_final_one(life):
    session = life("sim:partial-output")
    outputs = [one["structured_output"] for one in session.watch()]
    different = [output for index, output in enumerate(outputs) if output and output != outputs[index - 1]]
    assert not IS_VALID(different[0])
    assert IS_VALID(different[-1])
    assert len(different) == 3


def test_the_old_output_stays_until_a_follow_up_replaces_it(life):
    session = life()
    old = session.after(245)["structured_output"]
    session.say("Look again, more closely")
    seen = [one["structured_output"] for one in session.watch()]
    assert seen[0] == old
    assert seen[-1] != old
    assert IS_VALID(seen[-1])


def test_a_message_during_work_steers_and_keeps_the_turn_open(life):
    session = life()
    session.after(100)
    answer = session.say("Only the lock file, please").json()
    assert answer["status"] == "running"
    assert state(session.after(60)) == ("running", "working")
    assert any("changing course" in text for text in session.words())
    assert state(session.after(120)) == ("running", "waiting_for_user")


def test_unknown_values_and_fields_show_up(life):
    session = life("sim:unknown")
    seen = session.watch()
    assert ("creating", None) in map(state, seen)
    assert ("running", "pondering") in map(state, seen)
    last = seen[-1]
    assert (last["category"], last["origin"], last["devin_mode"]) == ("time_travel", "carrier_pigeon", "swe-2-preview")
    assert last["weather"] == "fair"


def test_idle_sessions_sleep_after_half_an_hour_of_added_time(life):
    session = life()
    assert state(session.after(240 + 1790)) == ("running", "waiting_for_user")
    asleep = session.after(20)
    assert state(asleep) == ("suspended", "inactivity")
    assert asleep["updated_at"] == pytest.approx(asleep["created_at"] + 240 + 1800, abs=2)
    assert IS_VALID(asleep["structured_output"])
    session.say("Still there?")
    assert state(session.after(1)) == ("resuming", None)


def test_what_a_session_shows_does_not_depend_on_who_polls(life, slow_simulator):
    def run(steps: int) -> tuple:
        slow_simulator.reset()
        session = life(repos=["acme/api"])
        for _ in range(steps):
            seen = session.after(300 / steps)
        session.say("More")  # after the turn: in the midst of it, a part of a second would count
        for _ in range(steps):
            seen = session.after(300 / steps)
        still = {name: value for name, value in seen.items() if not name.endswith("_at")}
        return still, session.words()

    assert run(1) == run(40)


def test_equal_requests_differ_and_a_reset_repeats_them(life, slow_simulator):
    def three() -> list:
        slow_simulator.reset()
        sessions = [life(), life(), life(prompt="Else")]
        sessions[0].after(245)
        return [
            (one["session_id"], one["acus_consumed"], one["structured_output"])
            for one in [s.after(0) for s in sessions]
        ]

    first = three()
    assert len({one[0] for one in first}) == 3
    assert three() == first


def test_the_order_of_different_requests_does_not_change_them(life, slow_simulator):
    def run(*prompts: str) -> set:
        slow_simulator.reset()
        return {life(f"nb-{place}", prompt=prompt).path for place, prompt in enumerate(prompts)}

    assert run("a", "b", "c") == run("c", "a", "b")
