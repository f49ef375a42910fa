"""The live channel over a real socket: what a session shows, who may, what happens when something goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from live.conftest import QUICK, TURN, Live, eventually

import devin_jupyter as dj
from devin_jupyter import Phase, Session
from devin_jupyter.host import Host, replaced_by
from devin_jupyter.live import channel
from devin_jupyter.live.channel import Timing
from devin_jupyter.models.steps import Hint, LiveView
from devin_jupyter.monitor.follow import Follower
from devin_jupyter.monitor.store import SessionStore
from devin_jupyter.session import Core


def kinds(session: Session) -> set[str]:
    return {step.kind for step in session.steps}


def said(session: Session) -> list[str]:
    return [step.text for step in session.steps if step.kind == "message"]


def is_told(session: Session) -> bool:
    """Whether the stream has told all that the REST API tells of a turn that is over."""
    return said(session) == [message.text for message in session.messages] and session.activity is None


def test_a_turn_shows_its_steps_while_it_goes_on_and_keeps_them(at_work: Live) -> None:
    session = at_work.create("Fix the tests", repos=["acme/api"])
    views: list[LiveView] = []
    closing = session.subscribe(lambda _: None, on_live=views.append)
    at_work.on(session)
    at_work.simulator.clock(TURN / 2)
    eventually(lambda: any(view.activity and view.plan and view.state == "on" for view in views))
    at_work.simulator.clock(TURN)
    session.wait()
    eventually(lambda: is_told(session) and views[-1].steps == session.steps)
    closing()
    assert max(map(len, (view.steps for view in views))) == len(session.steps)
    assert kinds(session) == {"thought", "tool", "message", "plan", "status", "pull_request"}
    assert session.plan
    assert {entry.status for entry in session.plan} == {"completed"}
    assert session.activity is None
    assert said(session) == [message.text for message in session.messages]  # as REST has them
    assert [step.text for step in session.steps if step.kind == "pull_request"] == [session.pull_requests[0].url]
    tools = {step.title: step for step in session.steps if step.kind == "tool"}
    assert tools["Run the tests"].status == "failed"
    assert tools["Run the tests again"].status == "completed"
    assert tools["Index the workspace"].status == "completed"
    assert not any("ref_file" in step.text for step in session.steps)
    times = [step.at for step in session.steps if step.at is not None]
    assert len(times) == len(session.steps)
    assert len({step.id for step in session.steps}) == len(session.steps)
    assert at_work.sent("session/load") == 1


@pytest.mark.parametrize(
    ("scenario", "word", "phase"),
    [
        ("question", "blocked", Phase.YOUR_TURN),
        ("approval", "blocked", Phase.NEEDS_APPROVAL),
        ("finished", "finished", Phase.DONE),
        ("exit", "finished", Phase.DONE),
        ("fail", "finished", Phase.FAILED),
        ("limit", "blocked", Phase.BLOCKED),
        ("sleep", "finished", Phase.ASLEEP),
        ("unknown", "blocked", Phase.YOUR_TURN),
    ],
)
def test_every_scenario_ends_as_rest_says(live: Live, scenario: str, word: str, phase: Phase) -> None:
    session = live.create(scenario, tags=[f"sim:{scenario}"])
    closing = session.subscribe(lambda _: None)
    assert session.wait(timeout=30).phase is phase
    eventually(lambda: [step.status for step in session.steps if step.kind == "status"][-1:] == [word])
    assert "tool" in kinds(session)
    assert session.activity is None
    assert (session.approval is not None) is (phase is Phase.NEEDS_APPROVAL)
    closing()


def test_a_wait_ends_when_the_stream_tells_of_it_although_polls_are_rare(at_work: Live) -> None:
    at_work.devin.core.poller.pace = replace(at_work.devin.core.poller.pace, fast=3600.0, slow=3600.0)
    session = at_work.create("Fix it")
    at_work.on(session)
    at_work.simulator.clock(TURN)
    assert session.wait(timeout=60).phase is Phase.YOUR_TURN


def test_a_message_opens_another_turn_and_its_steps_follow_the_earlier_ones(live: Live) -> None:
    session = live.create("Fix it").wait()
    eventually(lambda: is_told(session))
    before = session.steps
    session.send("Now the docs").wait()
    eventually(lambda: is_told(session))
    assert [step.id for step in session.steps[: len(before)]] == [step.id for step in before]
    assert "thought" in {step.kind for step in session.steps[len(before) :]}
    assert said(session) == [message.text for message in session.messages]
    frame = live.devin.steps_frame(session)
    assert frame["text"].tolist() == [step.text for step in session.steps]
    assert live.devin.steps_frame(session.id).equals(frame)
    assert live.devin.steps_frame([session, "devin-" + "0" * 32]).equals(frame)
    assert live.devin.steps_frame([]).dtypes.equals(frame.dtypes)


def test_sessions_are_followed_only_while_they_work_and_over_one_connection(live_with: Callable[..., Live]) -> None:
    live = live_with(seconds=TURN, grace=0.2)
    sessions = [live.create(f"Fix {number}") for number in range(12)]
    for session in sessions:
        live.on(session)
    assert live.simulator.requests("GET /acp/live") == 1
    assert live.devin.core.follower.state == ("on", None)
    for session in sessions:
        session.stop()
    eventually(lambda: live.devin.core.follower.state == ("off", "no session is followed"))
    assert {session.live for session in sessions} == {"off"}
    assert live.sent("session/load") == 12
    assert live.devin.get(sessions[0].id).steps


def test_a_session_that_someone_else_started_is_watched_with_all_that_was_before(at_work: Live) -> None:
    theirs = at_work.create("Fix it")
    at_work.on(theirs)
    at_work.simulator.clock(TURN / 2)
    eventually(lambda: "plan" in kinds(theirs))
    other = dj.Devin(at_work.simulator.api_key, base_url=at_work.simulator.url, org_id=at_work.simulator.org_id)
    other.core.follower.timing = QUICK
    ours = other.get(theirs.id)
    eventually(lambda: ours.live == "on")
    eventually(lambda: said(ours) == said(theirs) and ours.plan == theirs.plan)
    assert ours.plan
    other.close()


# --- acts ---------------------------------------------------------------------------------------------------------


@pytest.mark.acts
@pytest.mark.parametrize("approved", [True, False])
def test_an_approval_is_answered_and_the_turn_goes_on(live: Live, approved: bool) -> None:
    session = live.create("Push it", tags=["sim:approval"]).wait()
    assert session.phase is Phase.NEEDS_APPROVAL
    closing = session.subscribe(lambda _: None)
    asked = eventually(lambda: session.approval)
    assert (asked.title, asked.text, asked.kind) == ("Run git push", "git push origin HEAD", "command")
    closing()
    act = session.approve if approved else session.reject
    assert act().wait(timeout=30).phase is Phase.YOUR_TURN
    assert session.approval is None
    assert ("won't run" in session.messages[-3].text) is not approved
    ended = "completed" if approved else "failed"
    eventually(lambda: [step.status for step in session.steps if step.title == "Run git push"] == [ended])
    with pytest.raises(dj.OptionError, match="does not wait for an approval"):
        act()
    assert live.sent("_cognition.ai/permission/respond") == 1


@pytest.mark.acts
def test_a_turn_is_cancelled_and_the_session_stays_usable(at_work: Live) -> None:
    session = at_work.create("Fix it")
    at_work.simulator.clock(TURN / 2)
    eventually(lambda: session.phase is Phase.WORKING)
    assert session.cancel_turn().phase is Phase.YOUR_TURN
    assert at_work.sent("session/cancel") == 1
    session.send("Something else")
    assert session.phase in (Phase.WORKING, Phase.QUEUED)
    session.stop()


@pytest.mark.acts
def test_an_act_whose_answer_is_lost_is_not_repeated(live: Live) -> None:
    session = live.create("Push it", tags=["sim:approval"]).wait()
    live.simulator.faults({"kind": "live_no_method", "method": "_cognition.ai/permission/respond"})
    with pytest.raises(dj.DevinError, match="the service refused it: Method not found") as caught:
        session.approve()
    assert caught.value.consequence == "nothing was changed"
    live.simulator.faults({"kind": "live_refuse", "status": 403})
    assert live.sent("_cognition.ai/permission/respond") == 1


def test_nothing_acts_without_the_channel(live_with: Callable[..., Live]) -> None:
    live = live_with(live=False)
    session = live.create("Push it", tags=["sim:approval"]).wait()
    assert (session.live, session.live_reason) == ("off", "it is switched off (live=False)")
    for act in (session.approve, session.reject, session.cancel_turn):
        with pytest.raises(dj.LiveUnavailable, match="live=False"):
            act()
    assert live.simulator.requests("GET /acp/live") == 0


# --- which token --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pat", "state", "reason"),
    [
        ("cog_simulator", "unavailable", "the token from DEVIN_PAT is the key of a service user; it takes a person's"),
        ("cog_" + "w" * 20, "unavailable", "the service does not accept the token from DEVIN_PAT"),
        ("cog pat", "unavailable", "the token from DEVIN_PAT contains characters that are not valid in a token"),
        ("", "off", "there is no personal access token (DEVIN_PAT)"),
    ],
)
def test_a_token_that_may_not_be_used_is_never_sent(
    live_with: Callable[..., Live], pat: str, state: str, reason: str
) -> None:
    live = live_with(seconds=TURN, pat=pat)
    session = live.create("Fix it")
    eventually(lambda: session.live_reason == reason)
    assert live.devin.core.follower.state == (state, reason)
    assert live.simulator.requests("GET /acp/live") == 0
    with pytest.raises(dj.LiveUnavailable, match=reason.partition(" (")[0]):
        session.cancel_turn()


def test_an_older_key_is_followed_with_the_token_too(live_with: Callable[..., Live]) -> None:
    live = live_with(seconds=TURN, api_key="apk_simulator")
    session = live.create("Fix it")
    live.on(session)
    assert session.snapshot.api_version == "v1"


def test_a_run_that_nobody_watches_is_not_followed_unless_asked(live_with: Callable[..., Live]) -> None:
    headless = Host(kind="headless", outputs="file", notebook="x.ipynb", in_kernel=True)
    with replaced_by(headless):
        live = live_with()
        session = live.create("Fix it").wait()
        assert session.live_reason == "it is off in non-interactive runs; dj.connect(live=True) turns it on"
        live = live_with(seconds=TURN, live=True)
        live.on(live.create("Fix that"))


def test_a_key_that_is_a_persons_token_is_used_by_itself(live_with: Callable[..., Live]) -> None:
    live = live_with(seconds=TURN, pat="", api_key="cog_pat_simulator")
    session = live.create("Fix it")
    live.on(session)
    assert session.snapshot.user_id == "user-simulator"


def test_connect_with_live_true_works_or_fails(simulator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "Timing", partial(Timing, linger=600.0))  # it is looked at after it was needed
    place = {"api_key": simulator.api_key, "base_url": simulator.url, "org_id": simulator.org_id}
    with pytest.raises(dj.LiveUnavailable, match="no personal access token"):
        dj.connect(**place, live=True)
    monkeypatch.setenv("DEVIN_PAT", simulator.running.pat)
    devin = dj.connect(**place, live=True)
    assert devin.core.follower.state[0] == "on"
    devin.close()
    simulator.faults({"kind": "live_refuse", "status": 403})
    with pytest.raises(dj.LiveUnavailable, match="403"):
        dj.connect(**place, live=True)
    with pytest.raises(dj.OptionError, match="live is True, False or None"):
        dj.connect(**place, live="yes")  # type: ignore[arg-type]
    simulator.faults()
    here = dj.connect(simulator=True, speed=2400.0, live=True)
    assert here.core.follower.state[0] == "on"
    here.close()


async def test_the_async_client_fails_when_it_is_entered(
    simulator_with: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator = simulator_with(speed=1.0)
    place = {"base_url": simulator.url, "org_id": simulator.org_id, "live": True}
    with pytest.raises(dj.LiveUnavailable):
        async with dj.AsyncDevin(simulator.api_key, **place):
            pass
    monkeypatch.setenv("DEVIN_PAT", simulator.running.pat)
    async with dj.AsyncDevin(simulator.api_key, **place) as devin:
        session = await devin.create("Fix it")
        async with asyncio.timeout(60):
            while not session.steps:  # noqa: ASYNC110  # nothing tells of the first one
                await asyncio.sleep(0.01)


async def test_a_client_that_is_refused_the_channel_leaves_no_connection_open(
    simulator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[Core] = []
    close = Core.aclose

    async def noted(core: Core) -> None:
        await close(core)
        closed.append(core)

    monkeypatch.setattr(Core, "aclose", noted)
    place = {"api_key": simulator.api_key, "base_url": simulator.url, "org_id": simulator.org_id, "live": True}
    with pytest.raises(dj.LiveUnavailable):
        await asyncio.to_thread(dj.connect, **place)
    assert len(closed) == 1
    with pytest.raises(dj.LiveUnavailable):
        async with dj.AsyncDevin(**place):
            pass
    assert len(closed) == 2


# --- what goes wrong ----------------------------------------------------------------------------------------------

FATAL = {
    "401": ({"kind": "live_refuse", "status": 401}, "the service does not accept the personal access token (401)"),
    "403": ({"kind": "live_refuse", "status": 403}, "the service refuses the live channel to this token (403)"),
    "404": ({"kind": "live_refuse", "status": 404}, "this host has no live channel (404)"),
    "version": ({"kind": "live_version"}, "the service speaks another version of the protocol (2)"),
    "no load": ({"kind": "live_no_method", "method": "session/load"}, "Method not found (session/load: -32601)"),
    "not seen": ({"kind": "live_error", "code": -32002}, "Session not found (session/load: -32002)"),
}


@pytest.mark.parametrize("name", FATAL)
def test_a_refusal_is_final_and_the_session_is_polled(live: Live, name: str) -> None:
    fault, reason = FATAL[name]
    live.simulator.faults(fault)
    session = live.create("Fix it").wait(timeout=30)
    assert session.phase is Phase.YOUR_TURN
    eventually(lambda: (session.live, session.live_reason) == ("unavailable", reason))
    assert live.simulator.requests("GET /acp/live") == 1
    assert live.sent("session/load") <= 1


PASSING = {
    "503": [{"kind": "live_refuse", "status": 503, "times": 1}],
    "closed in the middle of a turn": [{"kind": "live_close", "count": 8, "times": 1}],
    "no pong": [{"kind": "live_half_open", "count": 8, "times": 1}],
    "unavailable": [{"kind": "live_error", "code": -32010, "times": 1}],
    "a load without an answer": [{"kind": "live_no_answer", "times": 1}],
    "events come twice": [{"kind": "live_repeat", "count": 50}],
    "no JSON": [{"kind": "live_garbage"}],
    "a frame of 5 MB": [{"kind": "live_big"}],
    "unknown variants": [{"kind": "live_unknown"}],
    "a status before the answer": [{"kind": "live_early"}],
    "a request for a permission": [{"kind": "live_permission"}],
    "no list": [{"kind": "live_no_method", "method": "session/list"}],
    "working for ever": [{"kind": "live_says", "word": "working"}],
    "finished from the start": [{"kind": "live_says", "word": "finished"}],
}


WAITED_FOR = {
    "no pong": replace(QUICK, ping=0.3, tries=1000),  # a slow machine may be late with others too
    "a load without an answer": replace(QUICK, answer=0.7, tries=1000),
}


@pytest.mark.parametrize("name", PASSING)
def test_what_passes_costs_nothing_but_time(live_with: Callable[..., Live], name: str) -> None:
    live = live_with(seconds=4.0 if name == "no pong" else 1.5, timing=WAITED_FOR.get(name, QUICK))
    live.simulator.faults(*PASSING[name])
    session = live.create("Fix it", repos=["acme/api"]).wait(timeout=30)
    assert session.phase is Phase.YOUR_TURN  # what the stream says decides nothing
    texts = [message.text for message in session.messages]
    eventually(lambda: [text for text in said(session) if "flood" not in text] == texts)
    live.devin.close()
    assert session.live == "off"
    assert len({step.id for step in session.steps}) == len(session.steps)
    assert session.activity is None
    tools = [step.title for step in session.steps if step.kind == "tool"]
    assert tools.count("Run the tests again") == 1
    assert live.sent("session/request_permission") == 0


def test_after_too_many_failures_it_stays_off_and_says_so(at_work: Live) -> None:
    at_work.simulator.faults({"kind": "live_refuse", "status": 503})
    session = at_work.create("Fix it")
    eventually(lambda: session.live == "unavailable")
    assert session.live_reason == "the service refused the connection (503); given up after 3 attempts"
    assert at_work.simulator.requests("GET /acp/live") == QUICK.tries
    at_work.simulator.faults()
    another = at_work.create("Fix that")  # a while later another session tries again
    at_work.on(another)
    at_work.on(session)


def test_a_long_history_is_replayed_as_it_comes(live_with: Callable[..., Live]) -> None:
    live = live_with(seconds=TURN, timing=Timing(publish=0.05))
    live.simulator.faults({"kind": "live_flood", "count": 3000})
    session = live.create("Fix it")
    live.on(session)
    assert len(session.steps) == 300
    session.stop()


def test_without_the_package_it_says_what_is_missing(
    live_with: Callable[..., Live], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devin_jupyter.monitor.follow.find_spec", lambda name: None)
    live = live_with()
    session = live.create("Fix it").wait()
    reason = "it needs the package websockets: pip install 'devin-jupyter[live]'"
    assert session.live_reason == reason
    assert live.devin.core.follower.state == ("unavailable", reason)
    with pytest.raises(dj.LiveUnavailable) as caught:
        session.cancel_turn()
    assert caught.value.hint == "pip install 'devin-jupyter[live]'"


async def test_what_is_told_of_many_sessions_at_once_leads_to_one_look_and_then_to_another() -> None:
    settings = SimpleNamespace(live=None, pat="cog_x", api_key="", api_version="v3")
    store = SessionStore()
    follower = Follower(store, SimpleNamespace(settings=settings))  # type: ignore[arg-type]
    names = [f"devin-{number:032d}" for number in range(100)]
    subscription = store.subscribe(names, lambda _: None)
    looked: list[str] = []
    store.poll_now = looked.append  # type: ignore[method-assign]
    for _ in range(3):
        for name in names:
            follower._on_hint(name, Hint.MESSAGE)
    assert looked == names[:1]
    async with asyncio.timeout(60):
        while len(looked) < len(names):  # noqa: ASYNC110  # nothing tells when it looks
            await asyncio.sleep(0.01)
    assert looked == names
    subscription.close()
    await follower.aclose()
