"""The poll loop through an hour of trouble on a fake clock, and ten thousand looks: nothing lost, nothing kept."""

import asyncio
import gc
import itertools
import logging
import random
import sys
from collections import deque
from datetime import timedelta

import httpx
import pytest

from devin_jupyter.models.enums import Phase

from .conftest import FakeClock
from .test_poll import Scene, hex_of, id_of

HOUR = 3600.0
SESSIONS = 5
ENDS = {"working": Phase.WORKING, "waiting_for_user": Phase.YOUR_TURN, "finished": Phase.DONE}


class JumpingClock(FakeClock):
    """A clock that somebody sets, on a computer that falls asleep."""

    def __init__(self):
        super().__init__()
        self.set_by = timedelta(0)

    def now(self):
        return super().now() + self.set_by

    def jump(self, dice):
        if dice.random() < 0.5:
            self.set_by += timedelta(seconds=dice.choice((-86_400, -90, 90, 86_400)))
        else:
            self.seconds += dice.choice((30.0, 600.0))


def status(code, **headers):
    return lambda request: httpx.Response(code, json={"detail": "not now"}, headers=headers)


def says(content):
    return lambda request: httpx.Response(200, content=content)


def breaks(kind):
    def broken(request):
        raise kind("the line is gone")

    return broken


TROUBLE = {
    "dropped": breaks(httpx.ConnectError),
    "lost": breaks(httpx.RemoteProtocolError),
    "too slow": breaks(httpx.ReadTimeout),
    "429 at once": status(429),
    "429 for a while": status(429, **{"retry-after": "20"}),
    "429 until a day": status(429, **{"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}),
    "429 with junk": status(429, **{"retry-after": "soon"}),
    "500": status(500),
    "503": status(503, **{"retry-after": "5"}),
    "nothing": says(b""),
    "half": says(b'{"items": [{"session_id": "'),
    "a page for people": says(b"<html>maintenance</html>"),
    "no page": says(b'{"items": null}'),
    "a number for a page": says(b'{"items": 7, "sessions": 7, "messages": 7}'),
    "junk in a page": says(b'{"items": [null, 7, {"session_id": 5}], "sessions": [[]], "messages": [3]}'),
    "a page without an end": says(b'{"items": [], "has_next_page": true, "end_cursor": "again", "sessions": []}'),
    "a list": says(b"[]"),
    "text": says(b'"x"'),
    "not text": says(b"\xff\xfe\x00"),
}


async def reaches(condition, seconds=60):
    """Let the monitor go on until something holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0)


def conversation(world, number):
    return [item["message"] for item in world.sessions[hex_of(number)]["said"]]


def something_happens(world, dice):
    number = dice.randrange(SESSIONS)
    count = len(conversation(world, number))
    said = dice.choice((None, ("devin", f"{number}.{count}")))
    world.change(number, detail=dice.choice(("working", "working", "waiting_for_user")), said=said)


def is_well(scene):
    """Everything is as it is at the service, and the service counts as there."""
    return scene.store.connection.is_ok and all(is_up_to_date(scene, number) for number in range(SESSIONS))


def is_up_to_date(scene, number):
    latest, now = scene.store.record(id_of(number)).snapshot, scene.world.sessions[hex_of(number)]
    talk = [message.text for message in latest.messages] if latest is not None else None
    return latest is not None and latest.phase is ENDS[now["detail"]] and talk == conversation(scene.world, number)


@pytest.mark.parametrize("version", ["v3", "v1"])
@pytest.mark.parametrize("seed", range(3))
async def test_an_hour_of_outages_loses_no_update_and_breaks_nothing(answering, version, seed, caplog):
    dice, clock = random.Random(seed), JumpingClock()
    one = Scene(answering, clock, SESSIONS, version)
    for number in range(SESSIONS):
        one.watch(number, keep=True, messages=True)
    met = set()
    while clock.seconds < 1000.0 + HOUR:
        something_happens(one.world, dice)
        name = dice.choice((None, None, *TROUBLE))
        met.add(name)
        one.world.fault = TROUBLE.get(name)
        if dice.random() < 0.1:
            clock.jump(dice)
        looks = len(clock.pauses) + dice.randint(1, 3)
        await reaches(lambda looks=looks: len(clock.pauses) >= looks)
    one.world.fault = None
    for number in range(SESSIONS):
        one.world.change(number, detail="finished", said=("devin", "that was all"))
    await reaches(lambda: is_well(one))

    assert len(met) > 10
    assert [record.getMessage() for record in caplog.records if record.levelno > logging.INFO] == []
    assert max(clock.pauses) <= 300  # however long the service asks for
    for number in range(SESSIONS):
        told = [snapshot.messages for snapshot in one.seen if snapshot.session_id == id_of(number)]
        assert all(later[: len(earlier)] == earlier for earlier, later in itertools.pairwise(told))
        assert [message.text for message in told[-1]] == conversation(one.world, number)
    await one.poller.aclose()


@pytest.mark.parametrize("name", TROUBLE)
@pytest.mark.parametrize("version", ["v3", "v1"])
async def test_whatever_goes_wrong_for_an_hour_is_asked_about_seldom_and_heals(answering, fake_clock, version, name):
    one = Scene(answering, fake_clock, SESSIONS, version)
    for number in range(SESSIONS):
        one.watch(number)
    await reaches(lambda: len(one.seen) == SESSIONS)
    one.world.fault = TROUBLE[name]
    one.world.asked.clear()
    await reaches(lambda: fake_clock.seconds >= 1000.0 + HOUR)
    asked = len(one.world.asked)
    one.world.fault = None
    for number in range(SESSIONS):
        one.world.change(number, detail="finished")
    await reaches(lambda: is_well(one))

    assert 0 < asked <= (1 + SESSIONS) * HOUR / 10 + 60
    await one.poller.aclose()


@pytest.mark.parametrize("version", ["v3", "v1"])
@pytest.mark.parametrize(
    ("looks", "most"),
    [(500, 1_500), pytest.param(10_000, 8_000, marks=[pytest.mark.soak, pytest.mark.timeout(400)])],
)
async def test_looking_again_and_again_keeps_nothing(answering, fake_clock, version, looks, most):
    one, dice = Scene(answering, fake_clock, SESSIONS, version), random.Random(7)
    fake_clock.pauses = deque(maxlen=10)
    one.world.asked, one.seen, one.journal.sweeps = deque(maxlen=10), deque(maxlen=10), deque(maxlen=10)
    polls = 0

    def busy(request):
        """Every look finds something new, and every fiftieth fails."""
        nonlocal polls
        polls += 1
        one.world.change(polls % SESSIONS, detail=dice.choice(("working", "waiting_for_user")))
        if polls % 50 == 0:
            return TROUBLE["503"](request)
        one.world.fault = None
        answer = one.world(request)
        one.world.fault = busy
        return answer

    one.world.fault = busy
    for number in range(SESSIONS):
        one.watch(number, keep=True)
    await reaches(lambda: polls >= 200)
    before = _held()
    until = polls + looks
    await reaches(lambda: polls >= until, seconds=300)
    grown = _held() - before
    await one.poller.aclose()

    assert len(one.seen) == 10
    assert grown < most


def _held():
    """The blocks of memory in use: one object or more."""
    gc.collect()
    return sys.getallocatedblocks()
