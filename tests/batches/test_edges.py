"""Batches at their edges: interrupts, halts, lost keys, the other API version, lock files, secrets, colleagues."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from batches.batch_client import LIST, POST, BatchClient
from interrupt import ctrl_c_once_blocked

from devin_jupyter import AsyncDevin, loop
from devin_jupyter.batches.batch import runner_of
from devin_jupyter.batches.display import StatusLine, progress_line, time_span
from devin_jupyter.batches.jobs import Job, phases_of, positions_of, stats
from devin_jupyter.batches.plan import make_plan
from devin_jupyter.batches.rows import read_rows
from devin_jupyter.config import Pace, replay_settings, simulator_settings
from devin_jupyter.errors import (
    ColleaguesSession,
    Detached,
    DetachedAwait,
    NotFound,
    NotRecorded,
    OptionError,
    Refused,
    SessionBlocked,
    SessionStopped,
    Unauthorized,
    WaitTimeout,
)
from devin_jupyter.journal import Journal, lockfile
from devin_jupyter.models.snapshot import Where
from devin_jupyter.options import from_keywords
from devin_jupyter.recorded import load_lock
from devin_jupyter.session import Core

pytestmark = pytest.mark.usefixtures("slow_lasts")
REPOS = ["acme/a", "acme/b", "acme/c"]


def upgrade(client: BatchClient, rows: Any = REPOS, **options: Any) -> Any:
    said = {"tags": ["sim:finished"], "max_acu": 5, "schema": "version:str", **options}
    return client.map("Upgrade {{ row }}", rows, **said)


def n_running(batch: Any) -> int:
    """How many rows have a session whose turn is open."""
    totals = batch.tally
    return int(totals.open - totals.starting)


@pytest.fixture
def endless(slow_simulator: Any, tmp_path: Path) -> Iterator[BatchClient]:
    """A client of a simulator whose turns outlast every test."""
    client = BatchClient(slow_simulator.url, tmp_path / "endless.db")
    yield client
    client.close()


def test_ctrl_c_detaches_from_all_at_once(endless: BatchClient) -> None:
    batch = upgrade(endless, range(9), max_parallel=3)

    with ctrl_c_once_blocked(lambda: n_running(batch) == 3), pytest.raises(Detached) as detached:
        batch.wait()

    assert batch.tally.waiting == 6
    assert detached.value.message == "Stopped waiting."
    assert "3 sessions keep running, and 6 waiting rows will be started (" in detached.value.consequence
    assert detached.value.hint.endswith(".pause() starts no more rows, .stop() ends every session.")
    assert batch.stop().wait().is_over


def test_ctrl_c_counts_a_row_that_is_being_started_among_those_that_will_be(
    endless: BatchClient, slow_simulator: Any, held: Any
) -> None:
    slow_simulator.faults({"method": "POST", "kind": "slow"})
    batch = upgrade(endless, range(9), max_parallel=3)

    with ctrl_c_once_blocked(lambda: len(held.lengths) == 3), pytest.raises(Detached) as detached:
        batch.wait()

    assert detached.value.consequence == "0 sessions keep running, and 9 waiting rows will be started (0 ACU so far)."
    held.end.set()
    assert batch.stop().wait().is_over


def test_ctrl_c_stops_everything_where_that_was_asked_for(endless: BatchClient) -> None:
    batch = upgrade(endless, range(9), max_parallel=3)

    with ctrl_c_once_blocked(), pytest.raises(Detached, match=r"Stopped waiting\.\nEvery open session was stopped"):
        batch.wait(on_interrupt="stop")

    assert batch.wait().tally.open == 0
    assert batch.paused is not None


async def test_cancelling_an_await_detaches_too(client: BatchClient, simulator: Any) -> None:
    batch = upgrade(client, tags=["sim:slow"])

    async def waiting() -> None:
        await batch

    task = asyncio.ensure_future(waiting())
    await asyncio.sleep(0)  # as far as its wait
    while n_running(batch) < 3:  # noqa: ASYNC110 - on the loop of the package
        await asyncio.sleep(0.005)
    task.cancel()

    with pytest.raises(DetachedAwait, match=r"3 sessions keep running \("):
        await task
    while not batch.wait(0.1).is_over:
        simulator.clock(5000)
    assert batch.phase_counts == {"done": 3}


def test_a_wait_that_runs_out_returns_the_batch_as_it_is(client: BatchClient) -> None:
    batch = upgrade(client, tags=["sim:slow"])

    assert batch.wait(0.01) is batch
    assert not batch.is_over
    with pytest.raises(WaitTimeout, match="3 of 3 sessions have not ended"):
        batch.check()
    with pytest.raises(Refused, match="were not started, the batch is paused: stopped") as refused:
        upgrade(client, range(9), name="more", tags=["sim:slow"], max_parallel=2).stop().wait().check()
    assert "dj.batch('more').resume()" in refused.value.hint
    with pytest.raises(SessionStopped, match=r"none of the 3 sessions has an answer \(3 failed\)"):
        batch.stop().wait().check()


def test_a_batch_without_a_single_answer_says_why_and_one_with_some_does_not(client: BatchClient) -> None:
    rows = pd.DataFrame({"repo": ["acme/a", "acme/b"], "how": ["sim:limit", "sim:fail"]})
    prompt, options = "Upgrade {{ row.repo }}", {"tags": ["{{ row.how }}"], "schema": "version:str", "max_acu": 5}

    with pytest.raises(SessionBlocked, match=r"none of the 2 sessions has an answer \(2 failed\); first: "):
        client.map(prompt, rows, **options).wait().check()

    rows.loc[1, ["repo", "how"]] = ["acme/c", "sim:finished"]
    batch = client.map(prompt, rows, **options).wait()
    assert batch.check() is batch


def test_the_halt_flag_pauses_a_batch(client: BatchClient, simulator: Any) -> None:
    client.core.journal.halt(now=time.time())

    batch = upgrade(client).wait()

    assert "until you run %devin resume" in batch.paused
    assert simulator.requests(POST) == 0
    client.core.journal.resume()
    assert batch.resume().wait().phase_counts == {"done": 3}


def test_a_key_that_is_refused_pauses_instead_of_failing_every_row(client: BatchClient, simulator: Any) -> None:
    simulator.faults({"method": "POST", "route": POST.split()[1], "kind": "status", "status": 401, "times": 3})

    batch = upgrade(client).wait()

    assert batch.phase_counts == {"waiting": 3}
    assert "401" in batch.paused
    simulator.faults()
    assert batch.resume().wait().phase_counts == {"done": 3}


def test_a_batch_that_cannot_be_watched_pauses_and_continues_later(client: BatchClient, simulator: Any) -> None:
    batch = upgrade(client, tags=["sim:slow"])
    simulator.faults({"method": "GET", "route": LIST.split()[1], "kind": "status", "status": 401, "times": 1000})

    batch.wait(30)

    assert batch.is_over
    assert "cannot be watched" in batch.paused
    assert batch.phase_counts.keys() <= {"queued", "working"}
    simulator.faults()
    simulator.clock(5000)
    assert batch.resume().wait().phase_counts == {"done": 3}


def test_a_service_that_is_away_is_waited_for(client: BatchClient, simulator: Any) -> None:
    batch = upgrade(client, max_parallel=1)
    loop.run(_slow_down(runner_of(batch).gate))

    assert runner_of(batch).notice == "slowed to 1 at a time: the line is down"
    assert batch.wait().phase_counts == {"done": 3}


async def _slow_down(gate: Any) -> None:
    gate.slow_down("the line is down", 0.5)


def test_v1_runs_batches_too(simulator: Any, tmp_path: Path) -> None:
    place = simulator_settings(simulator.url, api_version="v1", folder=tmp_path)
    client = BatchClient.__new__(BatchClient)
    client.core = Core(replace(place, pace=Pace(fast=0.05)), journal=Journal(tmp_path / "v1.db"))

    batch = upgrade(client).wait()
    again = upgrade(client)

    assert batch.phase_counts == {"done": 3}
    assert batch.frame()["acus"].isna().all()
    assert batch.tally.text == "3 finished · ACU unknown"
    assert again.notice == "3 rows have sessions already; nothing to start."
    client.close()


def test_what_cannot_be_looked_at_again_is_said_to_be_as_last_seen(client: BatchClient, simulator: Any) -> None:
    asked: dict[str, Any] = {"max_acu": 5, "tags": ["sim:question"]}
    client.map("ask {{ row }}", ["a", "b"], **asked).wait()
    simulator.faults({"method": "GET", "kind": "drop_before"})
    again = client.map("ask {{ row }}", ["a", "b"], **asked)
    assert (
        again.notice == "2 rows have sessions already; nothing to start. 2 as last seen: the service cannot be reached."
    )
    simulator.faults()
    assert client.map("ask {{ row }}", ["a", "b"], **asked).notice == "2 rows have sessions already; nothing to start."
    client.close()


def test_a_lock_file_replays_a_batch_without_a_key(client: BatchClient, simulator: Any, tmp_path: Path) -> None:
    recorded = upgrade(client).wait().frame()
    path = tmp_path / "up.devin.json"
    lockfile.write(path, client.core.journal.sessions(), [])
    client.close()  # it may still look at what the live channel told last
    before = simulator.stats()
    replaying = BatchClient.__new__(BatchClient)
    place = replace(replay_settings(path.name), home=tmp_path / "nowhere")
    replaying.core = Core(place, journal=Journal(), lock=load_lock(path))

    batch = upgrade(replaying).wait()

    assert batch.phase_counts == {"done": 3}
    assert batch.notice == "3 replayed from up.devin.json; nothing to start."
    assert " · recorded\n" in batch._repr_mimebundle_()["text/plain"]
    pd.testing.assert_frame_equal(batch.frame(), recorded)
    assert simulator.stats() == before
    assert upgrade(replaying, ["acme/new"]).wait().phase_counts == {"refused": 1}
    replaying.close()


def test_secrets_are_read_again_and_files_need_the_cell(
    new_client: Callable[..., BatchClient], simulator: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NPM_TOKEN", "npm-canary-value")
    upgrade(new_client(), name="secret", secrets=["NPM_TOKEN"], limit=1).wait()
    upgrade(new_client(), name="file", attach=[("notes.txt", "read this")], limit=1).wait()

    secret = new_client().find("secret").resume(all_rows=True).wait()
    file = new_client().find("file").resume(all_rows=True).wait()

    assert secret.phase_counts == {"done": 3}
    assert file.phase_counts == {"done": 1, "refused": 2}
    assert "run the cell" in runner_of(file).jobs[1].error.hint
    assert b"npm-canary-value" not in (tmp_path / "journal.db").read_bytes()


def test_a_colleagues_session_is_named_and_not_taken(new_client: Callable[..., BatchClient], simulator: Any) -> None:
    upgrade(new_client("zoe.db"), ["acme/a"]).wait()
    client = new_client()
    client.core.creator.lookup.principal = {"service_user_id": "service-user-bob"}

    batch = upgrade(client, ["acme/a", "acme/b"]).wait()

    assert batch.phase_counts == {"done": 1, "refused": 1}
    assert isinstance(runner_of(batch).jobs[0].error, ColleaguesSession)
    beside = upgrade(client, ["acme/a", "acme/b"], beside=True).wait()
    assert beside.phase_counts == {"done": 2}
    assert simulator.requests(POST) == 3


def test_old_sessions_do_not_count_where_an_age_is_given(
    new_client: Callable[..., BatchClient], simulator: Any
) -> None:
    upgrade(new_client(), name="up").wait()
    simulator.clock(10)

    assert upgrade(new_client(), name="up", max_age="1h").notice == "3 rows have sessions already; nothing to start."
    assert upgrade(new_client(), name="up", max_age=0.001).wait().phase_counts == {"done": 3}
    assert simulator.requests(POST) == 6


async def test_an_application_acts_on_its_batch_without_blocking(simulator: Any, tmp_path: Path) -> None:
    place = replace(simulator_settings(simulator.url, folder=tmp_path), pace=Pace(fast=0.05))
    rows = [{"repo": name, "how": how} for name, how in zip(REPOS, ["question", "fail", "finished"], strict=True)]
    async with AsyncDevin(settings=place, journal=Journal(tmp_path / "app.db")) as devin:
        batch = await devin.map(
            "Upgrade {{ row.repo }}", rows, tags=["sim:{{ row.how }}"], max_acu=5, schema="version:str", limit=2
        )
        await batch
        assert batch.phase_counts == {"your_turn": 1, "failed": 1, "waiting": 1}

        assert (await batch.send(batch.questions, "Use the LTS")).notice == "1 sent"
        assert (await batch.retry()).notice.startswith("Take 2: starting 1 row.")
        await batch
        assert (await batch.pause()).paused is not None
        await (await batch.resume(all_rows=True))
        assert batch.phase_counts == {"done": 2, "failed": 1}
        assert (await batch.stop()).notice == "nothing to do"
        assert batch.aio is batch


def test_messages_that_all_fail_raise_and_some_that_fail_are_counted(client: BatchClient) -> None:
    batch = upgrade(client, [*REPOS], tags=["sim:exit"]).wait()

    with pytest.raises(Exception, match="devin-") as refused:
        batch.send(0, "Go on")

    assert not isinstance(refused.value, (Unauthorized, NotFound, NotRecorded))


FRAME = pd.DataFrame({"repo": REPOS, "n": [1, 2, 3]}, index=["x", "y", "z"])


@pytest.mark.parametrize(
    ("chosen", "places"),
    [
        ("y", {1}),
        (["x", "z"], {0, 2}),
        (FRAME["n"] > 1, {1, 2}),
        (FRAME[FRAME["n"] == 3], {2}),
        (FRAME["n"], {0, 1, 2}),
        ([False, True, False], {1}),
        (lambda row: row["n"] < 3, {0, 1}),
        ({"z": "a question"}, {2}),
        ([], set()),
    ],
)
def test_rows_are_chosen_as_pandas_users_choose_them(chosen: Any, places: set[int]) -> None:
    assert positions_of(read_rows(FRAME), chosen, []) == places


def test_a_row_that_is_not_there_is_an_error() -> None:
    with pytest.raises(OptionError, match="no row 'w'"):
        positions_of(read_rows(FRAME), "w", [])


def test_a_phase_that_is_not_there_is_an_error() -> None:
    with pytest.raises(OptionError, match="did you mean failed"):
        phases_of("fail")


def _waiting(count: int) -> list[Job]:
    plan = make_plan("{{ row }}", range(count), from_keywords(each=[1], schema="none"), where=Where("u", "o", "v3"))
    return [Job(index, item) for index, item in enumerate(plan.items)]


def test_the_progress_is_one_line_that_replaces_itself(capsys: pytest.CaptureFixture[str]) -> None:
    sums = stats(_waiting(4), {}, rows=4, wanted=4, parallel=2, budget=None, now=0.0)
    text = progress_line("up", sums, "paused: you said so")

    assert text == "up ░░░░░░░░░░░░░░░░░░░░ 0/4  4 waiting · 0 ACU  [paused: you said so]"
    line = StatusLine()
    line.show("a long line")
    line.finish("short")
    assert capsys.readouterr().err == "\ra long line\rshort      \n"
    StatusLine().finish("nothing")  # nothing was shown
    assert capsys.readouterr().err == ""


def test_the_time_left_comes_from_the_turns_that_ended() -> None:
    jobs = _waiting(6)
    jobs[0].turn_seconds, jobs[1].turn_seconds = 100.0, 300.0

    assert stats(jobs, {}, rows=6, wanted=6, parallel=2, budget=None, now=0.0).seconds_left == 6 * 200 / 2


def test_durations_read_as_people_say_them() -> None:
    assert [time_span(seconds) for seconds in (40, 720, 12000)] == ["40 s", "12 min", "3 h 20 min"]


def test_a_closed_client_starts_nothing_more(new_client: Callable[..., BatchClient], simulator: Any) -> None:
    client = new_client()
    batch = upgrade(client, range(9), tags=["sim:slow"], max_parallel=2)

    client.close()
    before = simulator.requests(POST)
    batch.wait(60)

    assert batch.is_over
    assert simulator.requests(POST) == before


@pytest.mark.parametrize("rows", [[], pd.DataFrame({"repo": pd.Series([], dtype="string")})], ids=["list", "frame"])
def test_a_table_without_rows_makes_an_empty_batch_with_all_columns_and_keeps_nothing(
    client: BatchClient, rows: Any
) -> None:
    options: dict[str, Any] = {"schema": "version:str", "max_acu": 5}
    upgrade(client, name="up").wait()
    recorded = [client.core.journal.batches.load(key) for key in client.core.journal.batches.names()]

    batch = client.map("Upgrade {{ row }}", rows, name="up", **options)

    assert batch.notice == "There are no rows; nothing to start."
    assert batch.wait().is_over
    frame = batch.frame()
    assert len(frame) == 0
    assert {"version", "phase", "acus", "error", "session_id"} <= set(frame.columns)
    assert frame["acus"].dtype == "Float64"
    client.map("Upgrade {{ row }}", rows, name="nothing", **options)
    assert [client.core.journal.batches.load(key) for key in client.core.journal.batches.names()] == recorded


def test_notices_of_calls_name_keywords(client: BatchClient) -> None:
    pilot = client.map("Look at {{ row }}", ["a", "b"], limit=1)

    assert pilot.notice == "Starting 1 of 2 rows (limit=1), 5 at a time. No max_acu=: cost has no upper limit."
