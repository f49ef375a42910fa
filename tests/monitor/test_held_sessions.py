"""Sessions that are archived, moved away or refused under way: no wait hangs, and a watch starts again by itself."""

import logging

import httpx
import pytest

from devin_jupyter import errors
from devin_jupyter.models.enums import Phase
from devin_jupyter.monitor.poll import ALONE_SECONDS, FIRST_RETRY, LONGEST_RETRY
from devin_jupyter.monitor.store import HELD_SECONDS

from .conftest import FakeClock
from .test_poll import Scene, World, hex_of, id_of


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def refusing(code: str | None, status: int = 403):
    body = {"detail": "held", **({"error_code": code} if code else {})}
    return lambda request: httpx.Response(status, json=body)


def archive(world: World, number: int, **now: str) -> None:
    """Archive a session as somebody else does; `now` is what it shows then."""
    world.sessions[hex_of(number)] |= {"archived": True, **now}


@pytest.fixture
def scene(answering, clock):
    return lambda count=1: Scene(answering, clock, count)


@pytest.mark.parametrize("count", [1, 5])
async def test_a_session_that_is_archived_under_way_and_stays_as_it_is_counts_as_asleep(scene, clock, count):
    one = scene(count)
    for number in range(count):
        one.watch(number)
    await one.sweeps(2)
    archive(one.world, 0)
    began = clock.monotonic()
    ended = await one.store.turn_over(id_of(0))

    assert (ended.phase, ended.is_archived) == (Phase.ASLEEP, True)
    assert HELD_SECONDS <= clock.monotonic() - began < HELD_SECONDS + 30
    assert all(one.store.record(id_of(number)).snapshot.phase is Phase.WORKING for number in range(1, count))
    one.world.sessions[hex_of(0)]["archived"] = False
    again = await one.poller.look(id_of(0))
    assert again.phase is Phase.WORKING


async def test_an_archived_session_that_goes_on_is_believed(scene, clock):
    one = scene()
    one.watch()
    await one.sweeps(2)
    archive(one.world, 0)
    for _ in range(20):
        one.world.change(0)
        await one.sweeps(3)
        assert one.seen[-1].phase is Phase.WORKING
    one.world.change(0, detail="finished")
    assert (await one.store.turn_over(id_of(0))).phase is Phase.DONE


async def test_a_session_that_was_moved_away_ends_its_wait_though_the_list_still_shows_it(scene, clock):
    one = scene(5)
    for number in range(5):
        one.watch(number)
    await one.sweeps(2)
    usual = one.world.listed

    def moved(request):
        if request.url.path.endswith("/sessions"):
            return usual(request.url.params)
        return refusing("migrated_session")(request)

    one.world.fault = moved
    began = clock.monotonic()
    with pytest.raises(errors.Forbidden) as caught:
        await one.store.turn_over(id_of(2))

    assert caught.value.error_code == "migrated_session"
    assert "was moved by the service" in caught.value.consequence
    assert clock.monotonic() - began < 5 * (ALONE_SECONDS + 60)


REFUSALS = (403, 404, 401, 400, 410, 422)


@pytest.mark.parametrize("fault", [refusing("user_frozen"), *(refusing(None, status) for status in REFUSALS)])
@pytest.mark.parametrize("count", [1, 4])
async def test_a_watch_that_was_given_up_starts_again_when_the_service_answers(scene, clock, fault, count):
    one = scene(count)
    for number in range(count):
        one.watch(number)
    await one.sweeps(2)
    one.world.fault = fault
    with pytest.raises(errors.ApiError):
        await one.store.turn_over(id_of(0))
    told = len(one.troubles)
    before = len(clock.pauses)
    await one.sweeps(12)
    pauses = clock.pauses[before + 3 :]

    assert len(one.troubles) - told <= count  # said once for each, not at every try
    assert all(FIRST_RETRY <= pause <= LONGEST_RETRY for pause in pauses)
    assert pauses[-1] == LONGEST_RETRY
    one.world.fault = None
    one.world.change(0, said=("devin", "still here"))
    await one.sweeps(4)
    assert one.troubles[-1].is_ok
    one.world.change(0, detail="finished")
    assert (await one.store.turn_over(id_of(0))).phase is Phase.DONE
    assert one.seen[-1].phase is Phase.DONE


async def test_what_was_given_up_is_not_tried_again_for_nobody(scene, clock):
    one = scene()
    watch = one.watch()
    await one.sweeps(2)
    one.world.fault = refusing("user_frozen")
    with pytest.raises(errors.Forbidden):
        await one.store.turn_over(id_of(0))
    watch.close()
    await one.ends()

    assert one.store.active() == []


async def test_a_quiet_hour_is_a_handful_of_lines_in_the_log(scene, clock, caplog):
    caplog.set_level(logging.INFO)
    one = scene(3)
    for number in range(3):
        one.watch(number)
    await one.sweeps(5)
    one.world.fault = refusing(None, 503)
    await one.sweeps(30)
    one.world.fault = None
    while clock.seconds < 1000.0 + 3600:
        await one.sweeps(1)

    assert len(one.world.asked) > 300
    assert [record.getMessage()[:32] for record in caplog.records] == [
        "trouble while watching: 503 from",
        "the service answers again",
    ]
