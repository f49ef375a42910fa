"""Many sessions on a bad line: every wait ends, with the phase that the session really has."""

import asyncio
import random
import time

import pytest
from clients import key_of

from devin_jupyter import AsyncDevin
from devin_jupyter.config import Pace, Settings
from devin_jupyter.errors import Forbidden
from devin_jupyter.models.enums import Phase

ENDS = {
    "sim:plain": Phase.YOUR_TURN,
    "sim:finished": Phase.DONE,
    "sim:exit": Phase.DONE,
    "sim:question": Phase.YOUR_TURN,
    "sim:fail": Phase.FAILED,
    "sim:slow": Phase.YOUR_TURN,
    "sim:unknown": Phase.YOUR_TURN,
}
KINDS = (
    {"kind": "drop_before"},
    {"kind": "drop_after"},
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 429, "retry_after": 1},
    {"kind": "status", "status": 500},
    {"kind": "malformed"},
    {"kind": "slow", "seconds": 1},
)
COUNT, SECONDS, BAD_SECONDS = 120, 150, 60


@pytest.mark.soak
@pytest.mark.parametrize("version", ["v3", "v1"])
async def test_every_wait_on_a_bad_line_ends_as_the_session_does(simulator_with, version, tmp_path):
    dice = random.Random(7)
    simulator = simulator_with(speed=80.0)
    settings = Settings(
        api_key=key_of(simulator, version),
        org_id=None if version == "v1" else simulator.org_id,
        base_url=simulator.url,
        api_version=version,
        home=tmp_path,
        simulated=True,
        pace=Pace(fast=0.2, slow=1.0),
        timeout_seconds=5.0,
    )
    async with AsyncDevin(settings=settings) as client:
        plans = [dice.choice(list(ENDS)) for _ in range(COUNT)]
        sessions = []
        for first in range(0, COUNT, 20):  # what is tested are the waits: the creates leave room in the pool
            some = list(enumerate(plans))[first : first + 20]
            sessions += await asyncio.gather(*(client.create(f"{number} {tag}", tags=[tag]) for number, tag in some))
        waits = [asyncio.create_task(_ended(client, session)) for session in sessions]
        faults = asyncio.create_task(_trouble(simulator, dice))
        ended = await asyncio.gather(*waits)
        faults.cancel()
        await asyncio.gather(faults, return_exceptions=True)
        simulator.faults()
        now = [(await client.get(session.id)).phase for session in sessions]

    assert [snapshot.phase for snapshot in ended] == now == [ENDS[plan] for plan in plans]
    assert all(snapshot.messages for snapshot in ended)
    assert simulator.stats()["sessions"] == COUNT


async def _ended(client, session):
    return (await client.wait(session, SECONDS)).snapshot


async def _trouble(simulator, dice):
    """Now one fault, now another, on everything that is read; a bad line gets better in the end."""
    until = time.monotonic() + BAD_SECONDS
    while time.monotonic() < until:
        rules = [
            {"method": "GET", "times": dice.randint(1, 5), **dice.choice(KINDS)} for _ in range(dice.randint(0, 2))
        ]
        await asyncio.to_thread(simulator.faults, *rules)
        await asyncio.sleep(dice.uniform(0.2, 1.5))
    await asyncio.to_thread(simulator.faults)


ACTS = ("archive", "archive_as_is", "migrate")
CODES = ("user_frozen", "storage_migration_freeze")


@pytest.mark.soak
async def test_every_wait_ends_though_sessions_are_archived_moved_or_frozen(simulator_with, tmp_path, monkeypatch):
    monkeypatch.setattr("devin_jupyter.monitor.poll.ALONE_SECONDS", 3.0)  # ten minutes and two, else
    monkeypatch.setattr("devin_jupyter.monitor.store.HELD_SECONDS", 5.0)
    dice, count, simulator = random.Random(11), 40, simulator_with(speed=40.0)
    place = {"api_key": simulator.api_key, "org_id": simulator.org_id, "base_url": simulator.url}
    settings = Settings(**place, home=tmp_path, simulated=True, pace=Pace(fast=0.2, slow=1.0), timeout_seconds=5.0)
    async with AsyncDevin(settings=settings) as client:
        creates = (client.create(f"{number} take long", tags=["sim:slow"]) for number in range(count))
        sessions = await asyncio.gather(*creates)
        acts = {session.id: dice.choice((None, *ACTS)) for session in sessions}
        disturbing = asyncio.create_task(_disturb(simulator, acts, dice))
        waits = (_through_a_freeze(client, session) for session in sessions)
        ended = await asyncio.gather(*waits, return_exceptions=True)
        await disturbing

    expected = {None: Phase.YOUR_TURN, "archive": Phase.ASLEEP, "archive_as_is": Phase.ASLEEP, "migrate": Forbidden}
    found = [type(end) if isinstance(end, Exception) else end.phase for end in ended]
    assert found == [expected[acts[session.id]] for session in sessions]
    assert {end.error_code for end in ended if isinstance(end, Forbidden)} == {"migrated_session"}
    assert simulator.stats()["sessions"] == count


async def _through_a_freeze(client, session):
    """A freeze that lasts ends the wait, with its reason; a person would wait again."""
    while True:
        try:
            return await client.wait(session, 150)
        except Forbidden as refusal:
            if refusal.error_code not in CODES:
                raise
            await asyncio.sleep(0.5)


async def _disturb(simulator, acts, dice):
    for identifier, act in acts.items():
        if act is not None:
            await asyncio.to_thread(simulator.act, identifier, act)
        if dice.random() < 0.2:
            rule = {"kind": "status", "status": 403, "error_code": dice.choice(CODES), "method": "GET", "times": 2}
            await asyncio.to_thread(simulator.faults, rule)
        await asyncio.sleep(0.2)
    await asyncio.to_thread(simulator.faults)
