"""The emergency brake, and what a restarted kernel is told."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kernels import CELL, CREATE, FAST, POST, call_api, kill_after_post, until

from devin_jupyter.errors import Halted, NoOrganization
from devin_jupyter.idempotency.stop import live_line, still_live, table, within
from devin_jupyter.journal import Journal
from devin_jupyter.models.snapshot import CellRef, Policy

OTHER = Policy(guard=CellRef(notebook="/elsewhere/other.ipynb", cell_id="x"))
DELETE = "DELETE /v3/organizations/{org_id}/sessions/{devin_id}"


def status(simulator: Any, session_id: str) -> str:
    found: str = call_api(simulator, "GET", f"/sessions/{session_id}")["status"]
    return found


async def test_it_halts_first_and_then_ends_what_this_notebook_started(kernel: Any, simulator: Any) -> None:
    one = kernel()
    mine = await one.start("one", policy=Policy(guard=CELL), title="mine")
    others = await one.start("two", policy=OTHER)
    stopped = await one.stop_all(lambda notebook: notebook == CELL.notebook)
    assert [(item.session_id, item.result, item.title) for item in stopped] == [(mine.session_id, "stopped", "mine")]
    assert status(simulator, mine.session_id) == "exit"
    assert status(simulator, others.session_id) != "exit"
    with pytest.raises(Halted, match="no session can start until you run %devin resume"):
        await kernel().start("three")
    assert (await kernel().start("one", policy=Policy(guard=CELL))).how == "attached"
    assert one.journal.resume()
    assert (await kernel().start("three", policy=Policy())).how == "created"


async def test_everything_means_the_journals_sessions_and_no_others(kernel: Any, simulator: Any, folder: Path) -> None:
    one = kernel()
    ids = [(await one.start(text, policy=policy)).session_id for text, policy in (("1", Policy()), ("2", OTHER))]
    stranger = (await kernel(Journal(folder / "other")).start("3", policy=Policy())).session_id
    stopped = await one.stop_all()
    assert sorted(item.session_id for item in stopped) == sorted(ids)
    assert status(simulator, stranger) != "exit"
    assert table(stopped).endswith("2 stopped; nothing is started or sent until %devin resume")


async def test_sessions_whose_turn_is_over_are_left_alone(kernel: Any, simulator: Any) -> None:
    one = kernel()
    session_id = (await one.start()).session_id
    simulator.clock(500)
    stopped = await one.stop_all()
    assert [item.result for item in stopped] == ["was over"]
    assert (status(simulator, session_id), simulator.requests(DELETE)) == ("running", 0)


async def test_one_that_waits_for_an_approval_is_ended_since_a_click_elsewhere_lets_it_work_on(
    kernel: Any, simulator: Any
) -> None:
    one = kernel()
    session_id = (await one.start(tags=("sim:approval",))).session_id
    simulator.clock(500)
    assert (await one.start(tags=("sim:approval",))).snapshot.phase == "needs_approval"
    stopped = await one.stop_all()
    assert [(item.session_id, item.result) for item in stopped] == [(session_id, "stopped")]
    assert status(simulator, session_id) == "exit"


async def test_a_session_whose_answer_was_lost_with_its_kernel_is_ended_too(kernel: Any, simulator: Any) -> None:
    one = kernel()
    simulator.faults({**CREATE, "kind": "drop_after"})
    kill_after_post(one)
    with pytest.raises(RuntimeError):
        await one.start()
    simulator.faults()
    stopped = await kernel().stop_all(lambda notebook: notebook == CELL.notebook)
    assert [item.result for item in stopped] == ["stopped"]
    assert status(simulator, stopped[0].session_id) == "exit"


async def test_a_post_whose_outcome_stays_unknown_is_told_as_perhaps_at_work(kernel: Any, simulator: Any) -> None:
    one = kernel()
    simulator.faults({**CREATE, "kind": "drop_after"})
    kill_after_post(one)
    with pytest.raises(RuntimeError):
        await one.start(title="audit")
    simulator.faults({"method": "GET", "kind": "status", "status": 503})
    hasty = replace(FAST, settle_at=(0.0, 0.01), lease_seconds=0.1)
    (left,) = await kernel(timing=hasty).stop_all()
    (intent,) = one.journal.intents.all()
    assert (left.session_id, left.title, left.is_at_work) == (intent.tag, "audit", True)
    assert left.result == "may have been started with this tag; the service does not show it"
    assert "1 could not be stopped" in table([left])


async def test_it_halts_before_it_asks_the_service_for_anything(kernel: Any) -> None:
    one = kernel()

    async def unknown() -> Any:
        raise NoOrganization("it cannot be asked for", "nothing was sent")

    one.creator.where = unknown
    with pytest.raises(NoOrganization, match="the halt holds until %devin resume"):
        await one.stop_all()
    assert one.journal.halted_since() is not None


async def test_a_start_that_its_caller_left_is_ended_where_that_was_said(
    kernel: Any, simulator: Any, held: Any
) -> None:
    one = kernel()
    old = await one.start("old", policy=Policy())
    simulator.faults({**CREATE, "kind": "slow", "times": 1})
    starting = asyncio.create_task(one.start(policy=Policy(guard=CELL, stop_if_left=True)))
    await until(lambda: simulator.requests(POST) == 2)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    held.end.set()
    await until(lambda: any(entry.terminated for entry in one.journal.sessions()))
    (ended,) = (entry for entry in one.journal.sessions() if entry.session_id != old.session_id)
    assert (ended.terminated, status(simulator, ended.session_id)) == (True, "exit")
    assert status(simulator, old.session_id) != "exit"


async def test_what_cannot_be_stopped_is_said(kernel: Any, simulator: Any) -> None:
    one = kernel()
    await one.start()
    simulator.faults({"method": "DELETE", "kind": "status", "status": 403})
    stopped = await one.stop_all()
    assert stopped[0].is_at_work
    assert "403" in stopped[0].result
    assert "1 could not be stopped" in table(stopped)
    v1 = await kernel(api_version="v1", api_key=simulator.v1_key).stop_all()
    assert v1[0].result == "needs a key for v3 of org-simulator"


async def test_a_halt_set_between_intent_and_post_stops_the_post(kernel: Any, simulator: Any) -> None:
    one = kernel()
    write = one.journal.intents.write

    def write_then_halt(*args: Any, **kwargs: Any) -> Any:
        intent = write(*args, **kwargs)
        one.journal.halt(now=1.0)
        return intent

    one.journal.intents.write = write_then_halt
    with pytest.raises(Halted):
        await one.start()
    assert simulator.requests(POST) == 0
    assert one.journal.intents.all() == []


def test_the_command_line_stops_what_the_folder_started(simulator: Any, folder: Path) -> None:
    here = folder / "project"
    here.mkdir()
    environment = {
        **os.environ,
        "DEVIN_API_KEY": simulator.api_key,
        "DEVIN_ORG_ID": simulator.org_id,
        "DEVIN_API_URL": simulator.url,
        "DEVIN_JUPYTER_HOME": str(folder / "home"),
        "PYTHONPATH": os.getcwd(),
    }
    make = (
        "import asyncio, devin_jupyter as dj\n"
        "from devin_jupyter.models.snapshot import CellRef\n"
        "from devin_jupyter.models.snapshot import Policy\n"
        "from devin_jupyter.request import SessionRequest\n"
        "from devin_jupyter.client.aio import AsyncDevin\n"
        "from devin_jupyter.config import resolve_settings\n"
        "async def main():\n"
        "    client = AsyncDevin(settings=resolve_settings())\n"
        f"    for name, place in (('a', {str(here / 'a.ipynb')!r}), ('b', '/elsewhere/b.ipynb')):\n"
        "        cell = CellRef(notebook=place, cell_id='c')\n"
        "        await client.core.creator.start(SessionRequest(prompt=name), Policy(guard=cell))\n"
        "    await client.aclose()\n"
        "asyncio.run(main())\n"
    )
    run = {"cwd": here, "env": environment, "capture_output": True, "text": True, "timeout": 60}
    made = subprocess.run([sys.executable, "-c", make], **run)  # type: ignore[call-overload]
    assert made.returncode == 0, made.stderr
    command = [sys.executable, "-m", "devin_jupyter"]
    stop = subprocess.run([*command, "stop", "--all"], **run)  # type: ignore[call-overload]
    assert stop.returncode == 0, stop.stderr
    assert "1 stopped; nothing is started or sent until %devin resume" in stop.stdout
    stop = subprocess.run([*command, "stop", "--all", "--everything"], **run)  # type: ignore[call-overload]
    assert "1 stopped" in stop.stdout
    resume = subprocess.run([*command, "resume"], **run)  # type: ignore[call-overload]
    assert resume.stdout == "the halt is lifted\n"


def test_without_a_key_the_command_line_still_halts(folder: Path) -> None:
    environment = {**os.environ, "DEVIN_JUPYTER_HOME": str(folder), "PYTHONPATH": os.getcwd()}
    command = [sys.executable, "-m", "devin_jupyter", "stop", "--all"]
    stop = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert stop.returncode == 1
    assert "halted: nobody posts on" in stop.stdout
    assert "no Devin API key was found" in stop.stderr
    assert Journal(folder).halted_since() is not None


def test_within_means_a_folder_and_below() -> None:
    test = within(Path("/work"))
    assert test("/work/a.ipynb")
    assert test("/work/deep/a.ipynb")
    assert not test("/workshop/a.ipynb")


async def test_after_a_restart_one_line_says_what_is_live_and_what_it_cost_since(kernel: Any, simulator: Any) -> None:
    one = kernel()
    session_id = (await one.start()).session_id
    assert await still_live(one.creator, CELL.notebook) == []
    with one.journal.database.write("restart") as db:
        db.execute("UPDATE unsynced.sessions SET seen_by = 'a kernel that is gone'")
    simulator.clock(120)
    lives = await still_live(one.creator, CELL.notebook)
    line = live_line(lives)
    assert line is not None
    assert line.startswith(f"1 session of this notebook is still live: {session_id} (working, ")
    assert " of it since 20" in line
    assert line.endswith("%devin open ID -o NAME binds one")
    assert live_line(await still_live(one.creator, CELL.notebook)) is None


async def test_a_session_that_a_killed_kernel_paid_for_and_did_not_write_down_is_live_too(
    kernel: Any, simulator: Any
) -> None:
    dead = kernel()
    simulator.faults({**CREATE, "kind": "drop_after"})
    kill_after_post(dead)
    with pytest.raises(RuntimeError):
        await dead.start()
    simulator.faults({"kind": "hide_new", "seconds": 100.0})
    one = kernel()
    assert await still_live(one.creator, CELL.notebook) == []
    assert len(one.journal.intents.all()) == 1  # one look settles nothing
    simulator.faults()
    (live,) = await still_live(one.creator, CELL.notebook)
    (made,) = call_api(simulator, "GET", "/sessions")["items"]
    assert live.record.session_id == f"devin-{made['session_id']}"
    assert one.journal.intents.all() == []


async def test_a_session_that_ended_meanwhile_is_not_called_live(kernel: Any, simulator: Any) -> None:
    one = kernel()
    await one.start()
    with one.journal.database.write("restart") as db:
        db.execute("UPDATE unsynced.sessions SET seen_by = NULL")
    simulator.clock(500)
    assert await still_live(one.creator, CELL.notebook) == []
