"""A kernel that is killed at any one step of a paid act, and the kernel after it."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from kernels import call_api

from devin_jupyter.journal import Journal

from .fork_client import fork_server

Forking = Popen[bytes]
MOMENTS: list[dict[str, Any]] = [
    *({"die_at_step": number} for number in range(12)),  # a creation takes four transactions of three steps
    *({"die_at_call": moment} for moment in ("before", "after", 0.001)),
]


def place(simulator: Any, folder: Path, version: str) -> dict[str, Any]:
    key = simulator.v1_key if version == "v1" else simulator.api_key
    journal = str(folder / "home")
    return {"url": simulator.url, "api_key": key, "journal": journal, "version": version, "timeout": 60.0}


@pytest.mark.parametrize(("version", "moments"), [("v3", MOMENTS), ("v1", MOMENTS[2::6])])
async def test_a_creation_killed_at_any_step_is_paid_once(
    forking: Forking, simulator: Any, folder: Path, version: str, moments: Any
) -> None:
    simulator.faults({"kind": "hide_new", "seconds": 0.6})
    steps = folder / "steps"

    async def killed_then_run(number: int, accident: dict[str, Any]) -> None:
        act = {"kind": "create", "prompt": f"request {number}", "take": "2", **place(simulator, folder, version)}
        first = await server.perform({**act, **accident})
        assert first == {"number": first["number"], "error": "killed"}, accident
        assert (await server.perform(act))["how"] in ("created", "adopted", "attached")

    async with fork_server(forking, steps) as server:
        await asyncio.gather(*(killed_then_run(number, accident) for number, accident in enumerate(moments)))
    simulator.faults()
    page = call_api(simulator, "GET", "/sessions", params={"first": 200})
    tags = Counter(tag for item in page["items"] for tag in item["tags"])
    assert set(tags.values()) == {1}
    assert len(tags) == len(moments)
    acts = {name.partition(":")[0] for name in steps.read_text().split()}
    assert moments is not MOMENTS or {"lease-take", "intent", "about-to-post", "remember"} <= acts


@pytest.mark.parametrize(("version", "moments"), [("v3", [*MOMENTS[::2], {"die_at_step": 13}]), ("v1", MOMENTS[1::6])])
async def test_a_message_killed_at_any_step_arrives_once(
    forking: Forking, simulator: Any, folder: Path, version: str, moments: Any
) -> None:
    base = place(simulator, folder, version)
    sessions: list[str] = []

    async def killed_then_sent(number: int, accident: dict[str, Any]) -> None:
        session = await server.perform({"kind": "create", "prompt": f"request {number}", "take": None, **base})
        sessions.append(session["session_id"])
        act = {"kind": "send", "session_id": sessions[-1], "text": "more", **base}
        await server.perform({**act, **accident})
        assert (await server.perform(act))["how"] in ("sent", "already")
        assert (await server.perform(act))["how"] == "already"

    async with fork_server(forking, folder / "steps") as server:
        await asyncio.gather(*(killed_then_sent(number, accident) for number, accident in enumerate(moments)))
    for session_id in sessions:
        page = call_api(simulator, "GET", f"/sessions/{session_id}/messages", params={"first": 200})
        assert [item["message"] for item in page["items"] if item["source"] == "user"][1:] == ["more"]


@pytest.mark.parametrize("is_tagging", [True, False])
async def test_a_creation_killed_by_a_loss_of_power_is_paid_once(
    forking: Forking, simulator: Any, folder: Path, is_tagging: bool
) -> None:
    """What was never synced is gone, at whichever step: also right after the session was written down."""

    async def lost_then_run(number: int, accident: dict[str, Any]) -> None:
        home = folder / str(number)
        act = {"kind": "create", "prompt": f"request {number}", "take": "2", **place(simulator, home, "v3")}
        act["is_tagging"] = is_tagging
        await server.perform({**act, **accident})
        for ending in (".unsynced.db", ".unsynced.db-journal"):
            (home / "home" / f"journal{ending}").unlink(missing_ok=True)
        assert (await server.perform(act))["how"] in ("created", "adopted", "attached")
        journal = Journal(home / "home")
        assert (len(journal.sessions()), journal.intents.all()) == (1, [])
        journal.database.disconnect()

    accidents = [*MOMENTS, {}]
    async with fork_server(forking, folder / "steps") as server:
        await asyncio.gather(*(lost_then_run(number, accident) for number, accident in enumerate(accidents)))
    assert simulator.stats()["sessions"] == len(accidents)


async def test_the_next_kernel_waits_for_nobody_who_is_gone(forking: Forking, simulator: Any, folder: Path) -> None:
    act = {"kind": "create", "prompt": "one", "take": None, **place(simulator, folder, "v3")}
    async with fork_server(forking, folder / "steps") as server:
        assert (await server.perform({**act, "die_at_call": "before"}))["error"] == "killed"
        second = await server.perform(act)
    assert second["how"] == "created"
