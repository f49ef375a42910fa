"""The handle, on the simulator over real HTTP: the same on both API versions, blocking and awaited."""

import asyncio
import copy
import threading
from dataclasses import replace

import pytest

import devin_jupyter as dj
from devin_jupyter import AsyncDevin, Devin
from devin_jupyter.models.enums import Phase

pytestmark = pytest.mark.usefixtures("slow_lasts")
SCENARIOS = {
    "sim:question": (Phase.YOUR_TURN, dj.NeedsReply),
    "sim:fail": (Phase.FAILED, dj.SessionFailed),
    "sim:no-output": (Phase.YOUR_TURN, dj.NeedsReply),
    "sim:invalid-output": (Phase.YOUR_TURN, dj.OutputInvalid),
}
V3_SCENARIOS = {
    "sim:approval": (Phase.NEEDS_APPROVAL, dj.NeedsApproval),
    "sim:limit": (Phase.BLOCKED, dj.SessionBlocked),
    "sim:credits": (Phase.BLOCKED, dj.SessionBlocked),
}
ANSWERS = ("none", "sim:finished", "sim:exit", "sim:partial-output")


@pytest.mark.parametrize("scenario", ANSWERS)
def test_an_answer_is_typed_by_its_schema(either, scenario):
    tags = [] if scenario == "none" else [scenario]
    session = either.create(f"count them {scenario}", schema="count:int, names:[str]", tags=tags)
    answer = session.result(30)

    assert session.phase is Phase.DONE
    assert isinstance(answer["count"], int)
    assert session.output == answer
    assert session.snapshot.output_is_final


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_an_end_without_an_answer_raises_what_it_is(either, scenario):
    session = either.create(f"do {scenario}", schema="count:int", tags=[scenario]).wait(30)
    phase, kind = SCENARIOS[scenario]

    assert session.phase is phase
    with pytest.raises(kind) as problem:
        session.result()
    assert problem.value.session_id == session.id
    assert len(problem.value.lines) == 3


@pytest.mark.parametrize("scenario", V3_SCENARIOS)
def test_ends_that_only_v3_can_tell_apart(devin, scenario):
    session = devin.create(f"do {scenario}", schema="count:int", tags=[scenario]).wait(30)
    phase, kind = V3_SCENARIOS[scenario]

    assert session.phase is phase
    with pytest.raises(kind):
        session.result()


def test_without_a_schema_the_answer_is_the_last_message(either):
    session = either.create("say hello")

    assert session.result(30) == session.messages[-1].text
    assert session.output is None


def test_while_the_turn_is_open_the_output_points_to_result(either):
    session = either.create("count", schema="count:int", tags=["sim:slow"])

    with pytest.raises(dj.TurnOpen, match="result"):
        _ = session.output


def test_a_wait_ends_at_its_time_out_and_result_says_so(either):
    session = either.create("count", schema="count:int", tags=["sim:slow"])

    assert session.wait(0.05) is session
    assert not session.phase.turn_over
    with pytest.raises(dj.WaitTimeout, match=r"0\.05 s"):
        session.result(0.05)


@pytest.mark.parametrize("timeout", ["30m", "0s"])
def test_a_time_out_may_be_written_as_on_a_line(either, timeout):
    session = either.create("count", tags=["sim:slow" if timeout == "0s" else "sim:exit"])

    assert session.wait(timeout).phase.turn_over is (timeout == "30m")


@pytest.mark.parametrize("timeout", ["5x", -1, object()])
def test_a_time_out_that_is_no_time_is_refused_also_when_the_turn_is_over(either, timeout):
    session = either.create("count", tags=["sim:exit"]).wait(30)

    with pytest.raises(dj.OptionError, match="a timeout is a number of seconds"):
        session.wait(timeout)


def test_attributes_and_reprs_say_what_was_last_seen(devin):
    session = devin.create("Fix the login", repos=["acme/api"], title="Fix it", tags=["team:a"]).wait(30)

    assert session.id.startswith("devin-")
    assert session.url.startswith("http")
    assert (session.title, session.tags) == ("Fix it", ("team:a",))
    assert session.acus > 0
    assert session.pull_requests[0].url.startswith("https://github.com/acme/api/pull/")
    assert (session.status, session.status_detail) == ("running", "waiting_for_user")
    assert not session.needs_you  # it replied, and asked nothing
    assert repr(session) == f'<Session {session.id} your_turn {session.acus:g} ACU "Fix it" simulated>'
    assert repr(session) == repr(copy.copy(session))
    assert {"text/plain", "text/html"} <= set(session._repr_mimebundle_())


def test_v1_knows_no_costs(devin_v1):
    assert devin_v1.create("hello").wait(30).acus is None


def test_a_question_is_answered(either):
    session = either.create("do it", schema="count:int", tags=["sim:question"]).wait(30)
    assert session.question == session.messages[-1].text

    assert session.send("the first one") is session
    assert session.notice is None
    assert not session.phase.turn_over
    assert isinstance(session.result(30)["count"], int)
    assert [message.text for message in session.messages if message.source == "user"][-1] == "the first one"


def test_the_same_message_is_sent_once_and_says_so(either, simulator, version):
    session = either.create("do it", tags=["sim:question"]).wait(30)
    session.send("go on").wait(30)
    route = (
        "/v1/sessions/{session_id}/message"
        if version == "v1"
        else ("/v3/organizations/{org_id}/sessions/{devin_id}/messages")
    )

    assert session.send("go on").notice.startswith("already sent")
    assert simulator.requests(f"POST {route}") == 1
    session.send("go on", again=True).wait(30)
    assert simulator.requests(f"POST {route}") == 2


def test_a_message_takes_files(devin, simulator):
    session = devin.create("do it").wait(30)
    session.send("look at this", attach=[("rows.csv", b"a\n1\n")]).wait(30)

    assert simulator.requests("POST /v3/organizations/{org_id}/attachments") == 1
    assert "rows.csv" in {entry["name"] for entry in session.attachments()}


def test_a_sleeping_session_still_asks_and_is_woken_by_a_message(devin, simulator):
    session = devin.create("do it", tags=["sim:question"]).wait(30)
    question = session.question
    simulator.clock(3600)
    session.refresh()

    assert session.phase is Phase.ASLEEP
    assert (session.question, session.needs_you) == (question, True)
    session.send("the first one").wait(30)
    assert session.phase is Phase.YOUR_TURN
    assert session.question != question


@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize("schema", [None, "count:int"])
def test_stale_answers_after_a_message_do_not_end_the_wait(devin, simulator, moved, schema):
    session = devin.create("do it", schema=schema, tags=["sim:question"]).wait(30)
    before = session.question
    simulator.faults({"kind": "stale", "polls": 6, "moved": moved})
    session.send("the first one")

    answer = session.result(30)
    assert isinstance(answer["count"], int) if schema else answer != before


@pytest.mark.parametrize("schema", [None, "count:int"])
def test_a_message_of_which_nothing_comes_ends_its_turn_after_two_minutes_of_the_service(either, simulator, schema):
    session = either.create("do it", schema=schema, tags=["sim:question"]).wait(30)
    simulator.faults({"kind": "deaf"})
    before = session.question
    session.send("the first one")
    assert session.wait(0.5).phase is Phase.QUEUED
    simulator.clock(121)
    session.wait(30)

    assert session.phase is Phase.YOUR_TURN
    assert session.question is None
    with pytest.raises(dj.NeedsReply, match=r"the message arrived at devin-.*, and nothing came of it") as caught:
        session.result()
    assert before not in "".join(caught.value.lines)
    again = either.get(session.id)
    with pytest.raises(dj.NeedsReply, match="nothing came of it"):
        again.result()


def test_stopping_is_for_good_and_what_was_done_stays_done(either):
    running = either.create("first", schema="count:int", tags=["sim:slow"])
    done = either.create("second", schema="count:int")
    done.wait(30)

    assert running.stop().phase is Phase.STOPPED
    assert done.stop().phase is Phase.DONE
    assert done.result()
    with pytest.raises(dj.SessionStopped):
        running.result()


def test_archiving_is_undone(devin):
    session = devin.create("do it").wait(30)

    assert session.archive().snapshot.is_archived
    assert not session.unarchive().snapshot.is_archived
    assert devin.create("another").stop(archive=True).snapshot.is_archived


def test_v1_says_what_to_use_in_place_of_the_archive(devin_v1):
    session = devin_v1.create("do it").wait(30)

    for act in (session.archive, session.unarchive, lambda: session.stop(archive=True), session.insights):
        with pytest.raises(dj.Unsupported, match=r"^v1 has no"):
            act()
    assert session.phase is not Phase.STOPPED


def test_tags_are_added_and_replaced_without_losing_the_one_that_finds_it_again(either):
    session = either.create("do it", tags=["one"]).wait(30)

    assert session.tag("two") == ("one", "two")
    assert session.tag("three", replace=True) == ("three",)
    assert session.tags == ("three",)
    assert any(tag.startswith("nb-") for tag in either.tags.get(session.id))


def test_handles_on_the_same_session_show_the_same(either):
    one = either.create("do it", tags=["sim:question"]).wait(30)
    other = either.get(one.url)
    other.send("the first one")

    assert not one.phase.turn_over
    one.wait(30)
    assert one.snapshot is other.snapshot


def test_a_session_that_somebody_else_started_is_read_with_a_schema(either, simulator, version):
    raw = either.sessions.create({"prompt": "do it", "structured_output_schema": {"type": "object"}})
    session = either.get(raw["session_id"])

    assert isinstance(session.result(30), dict)
    with pytest.raises(dj.OutputInvalid):
        either.get(raw["session_id"], schema="nothing_like_it:int").result(30)


def test_an_unknown_session_is_not_found(either):
    with pytest.raises(dj.NotFound):
        either.get("f" * 32)


def test_the_last_session_is_the_one_started_or_opened_last(either):
    with pytest.raises(dj.OptionError, match="not started a session yet"):
        either.last()
    first, second = either.create("first"), either.create("second")

    assert either.last().id == second.id
    either.get(first.id)
    assert either.last().id == first.id


def test_after_a_restart_the_last_session_comes_from_the_journal(simulator):
    first = Devin(simulator.api_key, base_url=simulator.url)
    session = first.create("count", schema="count:int")
    answer = session.result(30)
    first.close()
    second = Devin(simulator.api_key, base_url=simulator.url)

    assert second.last().result() == answer
    second.close()


def test_a_session_is_shown_as_last_seen_when_the_service_is_gone(devin, simulator):
    session = devin.create("count", schema="count:int")
    answer = session.result(30)
    simulator.faults({"kind": "drop_before", "times": 1000})

    again = devin.get(session.id)

    assert again.result() == answer
    assert "as last seen" in again.notice


def test_listeners_hear_every_phase_and_the_conversation(devin, simulator, slow_lasts):
    phases, done = [], threading.Event()

    def heard(snapshot):
        phases.append(snapshot.phase)
        if snapshot.turn_over:
            done.set()

    session = devin.create("do it", tags=["sim:slow"])
    stop = session.subscribe(heard)
    simulator.clock(5000)
    assert done.wait(300)
    stop()
    assert phases[-1] is session.phase
    count = len(phases)
    session.send("the first one")
    simulator.clock(5000)
    session.wait(300)
    assert len(phases) == count


def test_frames_are_built_from_what_was_seen(either):
    session = either.create("count", schema="rows:[name:str]")
    session.wait(30)

    assert session.frame()["session_id"].tolist() == [session.id]
    assert session.messages_frame()["text"].iloc[0] == "count"


def test_create_waits_when_told_to_and_refuses_what_belongs_elsewhere(either):
    assert either.create("hello", wait=30).phase.turn_over
    assert either.create("hello again", wait="30s").phase.turn_over
    for keyword, instead in {"to": "send", "dry_run": "plan", "each": "map", "name": "each", "again": "send"}.items():
        with pytest.raises(dj.OptionError, match=instead):
            either.create("x", **{keyword: 1})
    with pytest.raises(dj.OptionError):
        either.create("   ")


def test_a_plan_sends_nothing_and_says_what_would_be_sent(either, simulator):
    plan = either.plan("count", schema="count:int", tags=["x"])

    assert plan.action == "create"
    assert plan.body["prompt"] == "count"
    assert simulator.stats()["sessions"] == 0


# --- awaiting -----------------------------------------------------------------------------------------------------


async def test_a_handle_of_the_blocking_client_is_awaited_without_blocking(slow_simulator):
    client = await asyncio.to_thread(Devin, slow_simulator.api_key, base_url=slow_simulator.url)
    session = await asyncio.to_thread(client.create, "count", schema="count:int")

    async def end_the_turn():  # which cannot end otherwise
        await until_awaited(client, session)
        slow_simulator.clock(240)

    ending = asyncio.create_task(end_the_turn())
    assert (await session) is session
    await ending
    assert session.phase is Phase.DONE
    await asyncio.to_thread(client.close)


async def test_cancelling_an_await_detaches_and_the_session_keeps_running(simulator):
    client = await asyncio.to_thread(Devin, simulator.api_key, base_url=simulator.url)
    session = await asyncio.to_thread(client.create, "count", tags=["sim:slow"])

    async def wait():
        await session

    waiting = asyncio.create_task(wait())
    await until_awaited(client, session)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError) as problem:
        await waiting
    assert isinstance(problem.value, dj.DetachedAwait)
    assert "keeps running" in str(problem.value)
    simulator.clock(5000)
    await session
    assert session.phase.turn_over
    await asyncio.to_thread(client.close)


async def test_an_await_that_is_cancelled_by_a_time_out_is_a_time_out(slow_simulator):
    async with AsyncDevin(slow_simulator.api_key, base_url=slow_simulator.url) as client:
        session = await client.create("count")

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_waited(session), 0.01)


async def _waited(session):
    return await session


async def until_awaited(client, session):
    while not client.core.store.find(session.id).is_awaited:  # noqa: ASYNC110 - perhaps of another loop
        await asyncio.sleep(0.005)


async def test_the_async_client_does_all_on_the_loop_it_is_used_on(core_client):
    session = await core_client.create("do it", schema="count:int", tags=["sim:question"])

    assert (await core_client.wait(session, 30)).phase is Phase.YOUR_TURN
    with pytest.raises(dj.NeedsReply):
        await core_client.result(session)
    await core_client.send(session.id, "the first one")
    assert isinstance((await core_client.result(session))["count"], int)
    assert (await core_client.last()).id == session.id
    assert (await core_client.stop(session)).phase is Phase.DONE
    assert [item async for item in core_client.sessions.list(limit=1)]


def test_a_handle_waits_again_after_its_client_was_closed(devin):
    session = devin.create("count", schema="count:int")
    devin.close()

    assert isinstance(session.result(30)["count"], int)


async def test_the_async_client_reads_frames_budgets_and_lock_files_too(core_client, tmp_path):
    session = await core_client.create("do it", schema="count:int", tags=["frames"], max_acu=5)
    await session

    assert list((await core_client.sessions_frame(tags="frames"))["session_id"]) == [session.id]
    assert list((await core_client.outputs_frame(session))["count"]) == [session.output["count"]]
    assert set((await core_client.messages_frame(session))["source"]) == {"user", "devin"}
    assert list((await core_client.pull_requests_frame(session))["session_id"]) == [session.id] * len(
        session.pull_requests
    )
    assert list((await core_client.insights_frame(session))["session_id"]) == [session.id]
    assert (await core_client.consumption_frame(session=session))["acus"].sum() > 0
    assert list((await core_client.sync(tmp_path / "history"))["session_id"]) == [session.id]
    assert (await core_client.budget(20)).limit == 20
    assert (await core_client.lock(tmp_path / "x.devin.json")).startswith(f"{tmp_path / 'x.devin.json'}: 1 session")


async def test_a_handle_of_the_async_client_acts_by_awaiting(core_client, tmp_path):
    session = await core_client.create("do it", attach=[("rows.csv", b"a,b\n1,2\n")], tags=["sim:slow"])
    heard = []
    session.subscribe(heard.append)

    assert await session.send("faster") is session
    assert (await session.send("faster")).notice.startswith("already sent")
    assert await session.tag("new") == ("sim:slow", "new")
    assert "rows.csv" in [path.name for path in await session.download(tmp_path)]
    assert list(await session.read("rows.csv")) == ["a", "b"]
    assert (await session.insights())["num_user_messages"] == 2
    assert (await session.stop()).phase is Phase.STOPPED
    assert await session is session
    assert heard[-1].turn_over
    assert (await session.archive()).snapshot.is_archived is True
    assert (await session.unarchive()).snapshot.is_archived is False
    with pytest.raises(dj.SessionStopped):
        await session.result()
    assert repr(session).startswith(f"<AsyncSession {session.id} stopped")


async def test_both_handles_on_a_session_show_the_same(core_client):
    session = await core_client.create("do it", schema="count:int")
    blocking = dj.Session(session)

    await core_client.wait(blocking, 30)
    assert blocking.phase is session.phase is Phase.DONE
    assert await core_client.result(blocking) == await session.result()
    assert (blocking.how, blocking.take, blocking.schema) == (session.how, session.take, session.schema)


async def test_the_buttons_of_an_async_panel_act_on_its_loop(core_client):
    session = await core_client.create("do it", tags=["sim:slow"])
    panel = session.panel()
    buttons = panel.actions

    await asyncio.to_thread(buttons["send"], text="faster", files=[])
    assert (await session.send("faster")).notice.startswith("already sent")
    await asyncio.to_thread(buttons["stop"])
    assert session.phase is Phase.STOPPED
    panel.close()


def test_a_recorded_handle_asks_nobody(tmp_path, simulator):
    from datetime import date

    from devin_jupyter.config import replay_settings
    from devin_jupyter.journal import Journal
    from devin_jupyter.models.snapshot import Snapshot
    from devin_jupyter.monitor.store import WatchedSession
    from devin_jupyter.recorded import record_of
    from devin_jupyter.session import AsyncSession, Core, Session

    seen = Snapshot(
        session_id="devin-x", url="https://app.devin.ai/sessions/x", phase=Phase.DONE, recorded=date.today()
    )
    seen = replace(seen, structured_output={"count": 2}, output_is_fresh=True, output_is_valid=True)
    core = Core(replay_settings("a.devin.json"), journal=Journal())
    session = Session(AsyncSession(core, WatchedSession(record_of(seen)), how="recorded"))

    assert session.wait().result() == {"count": 2}
    assert session.refresh().output == {"count": 2}
    for act in (session.stop, lambda: session.send("x")):
        with pytest.raises(dj.NotRecorded):
            act()


def test_a_session_that_a_changed_cell_replaced_was_stopped_and_did_not_end_by_itself(devin):
    earlier = devin.create("count the files", out="audit", tags=["sim:slow"])

    devin.create("count the lines", out="audit", tags=["sim:slow"], replace=True)

    assert earlier.phase is Phase.STOPPED
    assert earlier.refresh().phase is Phase.STOPPED
    assert devin.journal.snapshot(earlier.id).phase is Phase.STOPPED


def test_a_session_that_another_kernel_ended_was_stopped_here_too(devin):
    session = devin.create("count the files", tags=["sim:slow"])
    with Devin(settings=devin.settings, journal=devin.journal) as other:
        other.stop(session.id)

    assert session.wait(30).phase is Phase.STOPPED
    assert session.refresh().phase is Phase.STOPPED
    assert devin.get(session.id).phase is Phase.STOPPED
    with pytest.raises(dj.SessionStopped):
        session.result()


def test_the_handle_shows_the_history_up_to_the_answer(devin):
    session = devin.create("Count them", schema="count:int").wait(30)

    assert session.outputs[-1].value == session.output
    assert [one.is_final for one in session.outputs] == [False] * (len(session.outputs) - 1) + [True]
