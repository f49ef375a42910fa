"""One loop for all watched sessions: what it asks, how often, what it tells, and what it survives. On a fake clock."""

import asyncio

import httpx
import pytest
from records import record

from devin_jupyter import errors
from devin_jupyter.api.sessions import Messages, Sessions
from devin_jupyter.config import Pace
from devin_jupyter.models.enums import Phase
from devin_jupyter.models.snapshot import Snapshot, note_send, observe
from devin_jupyter.monitor import store as store_module
from devin_jupyter.monitor.poll import SAVED_EVERY, Poller
from devin_jupyter.monitor.store import SessionStore

V1_ENUM = {"working": "working", "waiting_for_user": "blocked", "finished": "finished"}


def hex_of(number):
    return f"{number:032x}"


def id_of(number):
    return "devin-" + hex_of(number)


class World:
    """A service with sessions that stay as they are until a test changes them; notes what it is asked."""

    def __init__(self, count, version="v3"):
        self.version = version
        self.sessions = {
            hex_of(n): {"status": "running", "detail": "working", "at": 0, "said": []} for n in range(count)
        }
        self.asked = []
        self.unlisted = set()
        self.fault = None

    def __call__(self, request):
        path, params = request.url.path, request.url.params
        self.asked.append(path.rsplit("/", 1)[-1])
        if self.fault is not None:
            return self.fault(request)
        if path.endswith("/messages"):
            return self.messages(path.split("/")[-2], params)
        if path.endswith("/sessions"):
            return self.listed(params)
        found = path.rsplit("/", 1)[-1].removeprefix("devin-")
        if found not in self.sessions:
            return httpx.Response(404, json={"detail": "Session not found"})
        return httpx.Response(200, json=self.raw(found, whole=True))

    def listed(self, params):
        wanted = [name.removeprefix("devin-") for name in params.get_list("session_ids")] or list(self.sessions)
        found = [self.raw(name) for name in wanted if name in self.sessions and name not in self.unlisted]
        if self.version == "v1":
            start = int(params["offset"])
            return httpx.Response(200, json={"sessions": found[start : start + int(params["limit"])]})
        return httpx.Response(200, json={"items": found, "has_next_page": False})

    def messages(self, name, params):
        said = self.sessions[name.removeprefix("devin-")]["said"]
        start = int(params.get("after", 0))
        more = start + 2 < len(said)
        page = {"items": said[start : start + 2], "has_next_page": more, "end_cursor": str(start + 2) if more else None}
        return httpx.Response(200, json=page)

    def raw(self, name, whole=False):
        now = self.sessions[name]
        if self.version == "v1":
            raw = {"session_id": "devin-" + name, "status": now["status"], "status_enum": V1_ENUM[now["detail"]]}
            said = [
                {"event_id": item["event_id"], "type": f"{item['source']}_message", "message": item["message"]}
                for item in now["said"]
            ]
            return raw | ({"messages": said} if whole else {})
        times = {"created_at": 1_700_000_000, "updated_at": 1_700_000_000 + now["at"]}
        shown = {"session_id": name, "status": now["status"], "status_detail": now["detail"], **times}
        return shown | {"is_archived": now.get("archived", False)}

    def change(self, number, detail=None, status="running", said=None):
        now = self.sessions[hex_of(number)]
        now |= {"status": status, "detail": detail or now["detail"], "at": now["at"] + 1}
        if said is not None:
            source, text = said
            now["said"].append({"event_id": f"e{len(now['said'])}", "source": source, "message": text, "created_at": 1})


class FakeJournal:
    """Keeps nothing, and notes what it is told."""

    def __init__(self):
        self.sweeps = []
        self.terminated = set()

    def record(self, session_id):
        return None

    def mark_terminating(self, session_id, *, is_terminating=True):
        (self.terminated.add if is_terminating else self.terminated.discard)(session_id)

    def mark_terminated(self, session_id):
        self.terminated.add(session_id)

    def save_snapshots(self, snapshots):
        self.sweeps.append([snapshot.session_id for snapshot in snapshots])

    def is_terminated(self, session_id):
        return session_id in self.terminated


class Scene:
    """A world, a store with a poll loop on it, and all that it told."""

    def __init__(self, answering, clock, count=1, version="v3", **options):
        self.world, self.clock, self.version = World(count, version), clock, version
        service = answering(self.world, version)
        self.journal = FakeJournal()
        self.store = SessionStore(self.journal, bare=lambda: record(api_version=version).facts, clock=clock)
        self.sessions = Sessions(service)
        self.poller = Poller(self.store, self.sessions, Messages(service), is_v1=version == "v1", **options)
        self.seen, self.troubles, self.subscriptions = [], [], []

    def watch(self, number=0, snapshot=None, **options):
        known = record(id_of(number), api_version=self.version, snapshot=snapshot)
        session = self.store.track(known) if snapshot is not None else id_of(number)
        self.subscriptions.append(self.store.subscribe([session], self.told, **options))
        return self.subscriptions[-1]

    def told(self, change):
        (self.seen if isinstance(change, Snapshot) else self.troubles).append(change)

    async def sweeps(self, count):
        """Let the monitor look so many more times."""
        wanted = len(self.clock.pauses) + count
        while len(self.clock.pauses) < wanted:  # noqa: ASYNC110 - one turn of the loop at a time
            await asyncio.sleep(0)

    async def ends(self):
        """Wait until the monitor has nothing left to do."""
        await self.poller.idle()


@pytest.fixture
async def scene(answering, fake_clock):
    scenes = []

    def make(*arguments, **options):
        scenes.append(Scene(answering, fake_clock, *arguments, **options))
        return scenes[-1]

    yield make
    for one in scenes:
        await one.poller.aclose()


# --- how often ------------------------------------------------------------------------------------------------------


async def test_the_pace_begins_at_a_second_and_grows_to_ten(scene):
    one = scene()
    one.watch()
    await one.sweeps(40)

    pauses = one.clock.pauses
    assert pauses[0] == 1.0
    assert pauses == sorted(pauses)
    assert pauses[-1] == 10.0


async def test_an_act_makes_it_look_at_once_and_often_again(scene):
    one = scene()
    one.watch()
    await one.sweeps(40)
    one.store.poll_now(id_of(0))
    before = len(one.world.asked)
    await one.sweeps(1)

    assert one.clock.pauses[-1] == 1.0
    assert len(one.world.asked) > before


async def test_the_pace_can_be_set(scene):
    one = scene(pace=Pace(fast=2.0, slow=2.0))
    one.watch()
    await one.sweeps(5)

    assert set(one.clock.pauses) == {2.0}


@pytest.mark.parametrize("version", ["v3", "v1"])
async def test_a_thousand_sessions_are_ten_requests_a_sweep(scene, version):
    one = scene(1000, version)
    for number in range(1000):
        one.watch(number)
    await one.sweeps(30)

    assert {path for path in one.world.asked} == {"sessions"}
    assert len(one.world.asked) <= 10 * (len(one.clock.pauses) + 1)
    assert len(one.seen) == 1000


async def test_what_hundreds_of_open_turns_show_is_written_every_minute_and_the_end_of_one_at_once(scene):
    one = scene(300, pace=Pace(fast=2.0, slow=6.0))
    for number in range(300):
        one.watch(number)
    await one.sweeps(3)
    one.journal.sweeps.clear()
    began = one.clock.seconds
    while one.clock.seconds < began + 5 * SAVED_EVERY:
        for number in range(300):
            one.world.change(number)
        await one.sweeps(1)

    assert 4 <= len(one.journal.sweeps) <= 6
    assert all(len(written) == 300 for written in one.journal.sweeps)  # each session once

    one.world.change(7, detail="finished")
    await one.store.turn_over(id_of(7))
    assert id_of(7) in one.journal.sweeps[-1]


async def test_a_look_at_a_single_session_of_a_thousand_takes_others_along_that_are_due_next(scene):
    one = scene(1000, pace=Pace(fast=0.5, slow=5.0))
    for number in range(1000):
        one.watch(number)
        if number % 100 == 99:
            await one.sweeps(1)
    await one.sweeps(20)
    one.world.asked.clear()
    began = one.clock.seconds
    for number in range(0, 1000, 37):
        one.world.change(number)
        one.store.poll_now(id_of(number))
        looked, before = len(one.clock.pauses), one.store.find(id_of(number)).seen
        while one.store.find(id_of(number)).seen is before:  # noqa: ASYNC110 - one turn of the loop at a time
            await asyncio.sleep(0)
        assert len(one.clock.pauses) == looked
        await one.sweeps(1)

    sweeps = (one.clock.seconds - began) / 5.0
    assert len(one.world.asked) <= 12 * sweeps
    assert {path for path in one.world.asked} == {"sessions"}


async def test_what_changes_in_a_thousand_sessions_is_kept_once_in_the_time_of_a_sweep(scene):
    one = scene(1000, pace=Pace(fast=0.5, slow=5.0))
    for number in range(1000):
        one.watch(number)
        if number % 100 == 99:
            await one.sweeps(1)
    one.journal.sweeps.clear()
    began = one.clock.seconds
    for turn in range(40):
        one.world.change(turn)
        await one.sweeps(1)
    assert len(one.journal.sweeps) <= (one.clock.seconds - began) / 5.0 + 1

    one.journal.sweeps.clear()
    one.world.change(7, detail="finished")
    while not any(id_of(7) in kept for kept in one.journal.sweeps):
        assert not one.store.find(id_of(7)).is_over
        await one.sweeps(1)


async def test_what_was_not_yet_kept_is_kept_when_the_client_is_closed(scene):
    one = scene(300)
    for number in range(300):
        one.watch(number)
    await one.sweeps(1)
    one.journal.sweeps.clear()
    one.world.change(5)
    one.store.poll_now(id_of(5))
    await one.sweeps(1)
    await one.poller.aclose()

    assert one.journal.sweeps == [[id_of(5)]]


async def test_many_sessions_are_asked_for_no_more_often_than_one(scene):
    one = scene(600)
    for number in range(600):
        one.watch(number)
    await one.sweeps(3)

    assert one.clock.pauses[0] == 6.0
    assert len(one.world.asked) / (one.clock.seconds - 1000.0) <= 1.5


async def test_sessions_of_different_ages_share_sweeps(scene):
    one = scene(5)
    for number in range(5):
        one.watch(number)
        await one.sweeps(3)
    one.world.asked.clear()
    await one.sweeps(20)
    one.world.asked.clear()
    began = one.clock.seconds
    await one.sweeps(10)

    assert len(one.world.asked) <= 12
    assert one.clock.seconds - began >= 60


async def test_unchanged_sessions_are_told_and_kept_once(scene):
    one = scene(3)
    for number in range(3):
        one.watch(number)
    await one.sweeps(10)

    assert len(one.seen) == 3
    assert one.journal.sweeps == [[id_of(0), id_of(1), id_of(2)]]


async def test_what_changed_is_kept_once_a_sweep(scene):
    one = scene(4)
    for number in range(4):
        one.watch(number)
    await one.sweeps(2)
    one.journal.sweeps.clear()
    one.world.change(1)
    one.world.change(3)
    await one.sweeps(3)

    assert one.journal.sweeps == [[id_of(1), id_of(3)]]


# --- the end of a turn ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["v3", "v1"])
@pytest.mark.parametrize("count", [1, 5])
async def test_at_the_end_of_a_turn_the_messages_are_there_and_watching_stops(scene, version, count):
    one = scene(count, version)
    for number in range(count):
        one.watch(number)
    await one.sweeps(3)
    for text in ("a", "b", "which branch?"):
        one.world.change(0, said=("devin", text))
    one.world.change(0, detail="waiting_for_user")
    waited = await one.store.turn_over(id_of(0))

    assert waited.phase is Phase.YOUR_TURN
    assert waited.question == "which branch?"
    assert [message.text for message in waited.messages] == ["a", "b", "which branch?"]
    assert sum(snapshot.phase is Phase.YOUR_TURN for snapshot in one.seen) == 1
    if count == 1:
        await one.ends()
        asked = len(one.world.asked)
        await asyncio.sleep(0.01)
        assert len(one.world.asked) == asked


async def test_waiting_for_a_turn_that_is_over_asks_nothing(scene):
    one = scene()
    over = observe({"session_id": hex_of(0), "status": "exit"}, record(), at=one.clock.now())
    one.watch(snapshot=over)

    assert await one.store.turn_over(id_of(0)) is over
    assert one.world.asked == []


async def test_a_time_out_gives_the_session_as_it_is(scene):
    one = scene()
    one.watch()
    await one.sweeps(1)

    assert (await one.store.turn_over(id_of(0), timeout=0.01)).phase is Phase.WORKING


async def test_nobody_watching_means_nobody_asking(scene):
    one = scene()
    watch = one.watch()
    await one.sweeps(2)
    watch.close()
    await one.ends()

    assert one.store.active() == []


async def test_a_kept_subscription_polls_slowly_after_the_end(scene):
    one = scene()
    one.world.change(0, status="suspended", detail="inactivity")
    one.watch(keep=True)
    await one.sweeps(4)
    one.world.change(0, detail="working")
    await one.sweeps(2)

    assert one.clock.pauses[1:4] == [30.0, 30.0, 30.0]
    assert one.seen[-1].phase is Phase.WORKING


async def test_messages_are_read_while_they_come_only_for_those_who_show_them(scene):
    one = scene(2)
    one.watch(0, messages=True)
    one.watch(1)
    await one.sweeps(2)
    for number in (0, 1):
        for text in ("a", "b", "c"):
            one.world.change(number, said=("devin", text))
    await one.sweeps(2)

    talk = {snapshot.session_id: [message.text for message in snapshot.messages] for snapshot in one.seen}
    assert talk == {id_of(0): ["a", "b", "c"], id_of(1): []}


async def test_only_the_end_of_a_conversation_is_read_again_and_each_message_is_there_once(scene):
    one = scene()
    one.watch(messages=True)
    for number in range(6):
        one.world.change(0, said=("devin", str(number)))
        await one.sweeps(2)
    one.world.asked.clear()
    one.world.change(0, said=("devin", "last"))
    await one.sweeps(2)

    assert [message.text for message in one.seen[-1].messages] == ["0", "1", "2", "3", "4", "5", "last"]
    assert one.world.asked.count("messages") <= 2


# --- a message sent -----------------------------------------------------------------------------------------------


async def sent(one, text="go on"):
    """Send a message on a session whose turn is over, as the client does."""
    before = await one.store.turn_over(id_of(0))
    note = note_send(before, text, at=one.clock.now(), answer=None)
    await one.store.note(id_of(0), sent=note)
    return asyncio.create_task(one.store.turn_over(id_of(0)))


@pytest.mark.parametrize("version", ["v3", "v1"])
@pytest.mark.parametrize(("returned", "most"), [("go on, and mind the key ****", 5), ("****", 40)])
async def test_a_turn_between_two_polls_ends_the_wait_though_the_service_changed_the_text(
    scene, version, returned, most
):
    one = scene(version=version)
    one.world.change(0, detail="waiting_for_user", said=("devin", "done"))
    one.watch()
    before = await one.store.turn_over(id_of(0))
    within_one_second = one.world.sessions[hex_of(0)]["at"] + 1
    answer = {"updated_at": 1_700_000_000 + within_one_second} if version == "v3" else None
    sent_at = one.clock.seconds

    await one.store.note(id_of(0), sent=note_send(before, "go on", at=one.clock.now(), answer=answer))
    waiting = asyncio.create_task(one.store.turn_over(id_of(0)))
    one.world.change(0, said=("user", returned))
    one.world.change(0, said=("devin", "fine"))
    one.world.sessions[hex_of(0)]["at"] = within_one_second
    while not waiting.done() and one.clock.seconds < sent_at + 120:  # noqa: ASYNC110 - one turn of the loop at a time
        await asyncio.sleep(0)

    assert waiting.done()
    assert waiting.result().question == "fine"
    assert one.clock.seconds - sent_at <= most


@pytest.mark.parametrize("version", ["v3", "v1"])
async def test_after_a_message_the_old_state_does_not_end_the_wait(scene, version):
    one = scene(version=version)
    one.world.change(0, detail="waiting_for_user", said=("devin", "done"))
    one.watch()
    waiting = await sent(one)
    await one.sweeps(6)

    assert not waiting.done()
    one.world.change(0, said=("user", "go on"))
    await one.sweeps(3)
    assert not waiting.done()
    one.world.change(0, said=("devin", "done again"))
    assert (await waiting).question == "done again"


async def test_a_turn_that_was_seen_working_ends_as_usual(scene):
    one = scene()
    one.world.change(0, detail="waiting_for_user")
    one.watch()
    waiting = await sent(one)
    await one.sweeps(1)
    one.world.change(0, detail="working")
    await one.sweeps(2)
    one.world.change(0, detail="waiting_for_user")

    assert (await waiting).phase is Phase.YOUR_TURN


@pytest.mark.parametrize("version", ["v3", "v1"])
async def test_a_state_that_flickers_ends_no_turn(scene, version):
    one = scene(version=version)
    one.world.change(0, said=("devin", "on it"))
    one.watch()
    await one.sweeps(1)
    waiting = asyncio.create_task(one.store.turn_over(id_of(0)))
    for _ in range(3):
        one.world.change(0, detail="waiting_for_user")
        await one.sweeps(1)
        one.world.change(0, detail="working")
        await one.sweeps(2)
    assert not waiting.done()
    assert {snapshot.phase for snapshot in one.seen} == {Phase.WORKING}
    one.world.change(0, detail="waiting_for_user")
    since = one.clock.seconds
    assert (await waiting).phase is Phase.YOUR_TURN
    assert 1.0 <= one.clock.seconds - since <= 1.0 + 1.2 + one.poller.pace.slow


# --- trouble ------------------------------------------------------------------------------------------------------


def status(code, **headers):
    return lambda request: httpx.Response(code, headers=headers, json={"detail": "no"})


def dropped(request):
    raise httpx.ReadError("reset")


FAULTS = {
    "down": status(503),
    "dropped": dropped,
    "malformed": lambda request: httpx.Response(200, content=b"{ broken"),
    "no list": lambda request: httpx.Response(200, json={"items": 5}),
    "an array": lambda request: httpx.Response(200, json=[1, None, "x"]),
    "rate limited": status(429),
}


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_trouble_is_told_waited_out_and_heals(scene, fault, count):
    one = scene(count)
    for number in range(count):
        one.watch(number)
    await one.sweeps(3)
    one.world.fault = fault
    await one.sweeps(6)
    during, line = one.store.connection, one.store.connection.line(one.clock.now())
    one.world.fault = None
    await one.sweeps(2)

    assert not during.is_ok
    assert "reconnecting, last seen" in line
    assert one.troubles[-1].is_ok
    assert one.store.connection.line(one.clock.now()) == ""
    one.world.change(0, detail="finished")
    assert (await one.store.turn_over(id_of(0))).phase is Phase.DONE


async def test_pauses_grow_while_there_is_trouble(scene):
    one = scene()
    one.watch()
    await one.sweeps(2)
    one.world.fault = status(503)
    before = len(one.clock.pauses)
    await one.sweeps(9)

    assert one.clock.pauses[-1] == 30.0
    assert one.clock.pauses[before:] == sorted(one.clock.pauses[before:])


def spoil_conversation(world, number, answer):
    """Let one conversation be refused, while everything else is answered."""
    real = world.messages
    world.messages = lambda name, params: answer if name.endswith(hex_of(number)) else real(name, params)


async def test_a_session_that_cannot_be_read_keeps_no_other_from_being_seen(scene):
    one = scene(2)
    spoil_conversation(one.world, 0, httpx.Response(500))
    one.world.change(0, detail="finished")
    for number in range(2):
        one.watch(number)
    await one.sweeps(20)

    connection = one.store.connection
    assert not connection.is_ok
    assert (one.clock.now() - connection.last_seen).total_seconds() <= 10.0
    assert max(one.clock.pauses) <= 10.0
    one.world.change(1, detail="finished")
    assert (await one.store.turn_over(id_of(1))).phase is Phase.DONE


async def test_being_asked_too_often_makes_pauses_grow_though_much_is_answered(scene):
    one = scene(2)
    spoil_conversation(one.world, 0, httpx.Response(429))
    one.world.change(0, detail="finished")
    for number in range(2):
        one.watch(number)
    await one.sweeps(9)

    assert one.clock.pauses[-1] == 30.0


async def test_of_several_troubles_the_longest_wait_that_is_asked_for_is_honored(scene):
    one = scene(3)
    for number, answer in enumerate(
        [status(429, **{"retry-after": "40"}), status(429, **{"retry-after": "70"}), status(503)]
    ):
        spoil_conversation(one.world, number, answer(None))
        one.world.change(number, detail="finished")
        one.watch(number)
    await one.sweeps(2)

    assert 70.0 in one.clock.pauses


@pytest.mark.parametrize("asked", ["99999999", "1e400", "Fri, 31 Dec 9999 23:59:59 GMT"])
async def test_a_wait_of_days_is_not_waited(scene, asked):
    one = scene()
    one.watch()
    await one.sweeps(2)
    one.world.fault = status(429, **{"retry-after": asked})
    await one.sweeps(3)

    assert max(one.clock.pauses) == 300.0


@pytest.mark.parametrize("code", [401, 403, 404])
@pytest.mark.parametrize("count", [1, 5])
async def test_a_gateway_in_its_maintenance_is_waited_out(scene, code, count):
    one = scene(count)
    for number in range(count):
        one.watch(number)
    await one.sweeps(2)
    one.world.fault = status(code)
    await one.sweeps(3)
    one.world.fault = None
    one.world.change(0, detail="finished")

    assert (await one.store.turn_over(id_of(0))).phase is Phase.DONE


async def test_the_wait_that_the_service_asks_for_is_honored(scene):
    one = scene()
    one.watch()
    await one.sweeps(2)
    one.world.fault = status(429, **{"retry-after": "77"})
    await one.sweeps(3)

    assert 77.0 in one.clock.pauses


async def test_before_the_first_answer_nothing_was_seen(scene):
    one = scene()
    one.world.fault = dropped
    one.watch()
    await one.sweeps(2)

    assert one.troubles[-1].line(one.clock.now()) == "reconnecting, not seen yet"


async def test_a_session_that_the_list_leaves_out_is_read_by_itself(scene):
    one = scene(5)
    one.world.unlisted = {hex_of(3)}
    for number in range(5):
        one.watch(number)
    await one.sweeps(2)

    assert len(one.seen) == 5
    assert one.world.asked.count(id_of(3)) == 2


@pytest.mark.parametrize("version", ["v3", "v1"])
async def test_waiting_calls_learn_that_a_session_does_not_exist(scene, version):
    one = scene(4, version)
    for number in (0, 1, 2, 99):
        one.watch(number)

    with pytest.raises(errors.NotFound):
        await one.store.turn_over(id_of(99))
    assert "404" in one.troubles[-1].problem
    await one.sweeps(2)
    assert one.store.connection.is_ok


@pytest.mark.parametrize(("code", "kind"), [(401, errors.Unauthorized), (403, errors.Forbidden)])
async def test_waiting_calls_learn_that_the_key_is_refused_and_a_watch_tries_ever_more_rarely(scene, code, kind):
    one = scene()
    one.world.fault = status(code)
    watch = one.watch()

    with pytest.raises(kind):
        await one.store.turn_over(id_of(0))
    one.clock.pauses.clear()
    await one.sweeps(8)
    assert one.clock.pauses == [30.0, 60.0, 120.0, 240.0, 480.0, 600.0, 600.0, 600.0]
    watch.close()
    await one.ends()


async def test_waiting_again_after_a_refusal_tries_again(scene):
    one = scene()
    one.world.fault = status(401)
    one.watch()
    with pytest.raises(errors.Unauthorized):
        await one.store.turn_over(id_of(0))
    one.world.fault = None
    one.world.change(0, detail="finished")

    assert (await one.store.turn_over(id_of(0))).phase is Phase.DONE


async def test_a_conversation_that_may_not_be_read_keeps_nothing_from_ending(scene):
    one = scene()
    one.world.change(0, detail="finished")
    one.world.messages = lambda name, params: httpx.Response(403, json={"detail": "no"})
    one.watch()

    assert (await one.store.turn_over(id_of(0))).messages == ()


async def test_a_conversation_that_fails_is_tried_again_before_the_turn_counts_as_over(scene):
    one = scene()
    one.world.change(0, detail="waiting_for_user", said=("devin", "well?"))
    real, failures = one.world.messages, [httpx.Response(503), httpx.Response(200, content=b"{")]
    one.world.messages = lambda name, params: failures.pop() if failures else real(name, params)
    one.watch()

    assert (await one.store.turn_over(id_of(0))).question == "well?"


async def test_junk_in_every_field_is_survived(scene):
    one = scene(3)
    for number in range(3):
        one.watch(number)
    await one.sweeps(1)
    junk = [{"session_id": [1]}, {"session_id": hex_of(0), "status": {}, "tags": 5}, None, 7, {"session_id": hex_of(1)}]
    one.world.fault = lambda request: httpx.Response(200, json={"items": junk, "session_id": None})
    await one.sweeps(3)
    one.world.fault = None
    one.world.change(2, detail="finished")

    assert (await one.store.turn_over(id_of(2))).phase is Phase.DONE


async def test_a_listener_that_fails_harms_nobody_else(scene, caplog):
    one = scene()

    def broken(snapshot):
        raise RuntimeError("mine")

    one.store.subscribe([id_of(0)], broken)
    one.watch()
    await one.sweeps(2)

    assert len(one.seen) == 1
    assert "a subscriber failed" in caplog.text


async def test_a_mistake_of_ours_does_not_end_the_watching(scene, caplog, monkeypatch):
    one = scene()
    one.watch()
    await one.sweeps(1)
    with monkeypatch.context() as patch:
        patch.setattr(one.sessions, "by_ids", None)
        await one.sweeps(2)
    one.world.change(0, detail="finished")

    assert (await one.store.turn_over(id_of(0))).phase is Phase.DONE
    assert "a sweep failed" in caplog.text


async def test_a_session_that_we_cannot_read_holds_up_no_other(scene, monkeypatch):
    one = scene(count=2)
    real = store_module.observe

    def observe(raw, known, **rest):
        if raw["session_id"].endswith(id_of(0).removeprefix("devin-")):
            raise ZeroDivisionError
        return real(raw, known, **rest)

    monkeypatch.setattr(store_module, "observe", observe)
    one.world.change(1, detail="finished")
    one.watch(0)
    one.watch(1)

    assert (await one.store.turn_over(id_of(1))).phase is Phase.DONE
    with pytest.raises(errors.DevinError, match="a fault in devin_jupyter: ZeroDivisionError"):
        await one.store.turn_over(id_of(0))


async def test_waiting_calls_raise_when_polling_fails_permanently(scene, monkeypatch):
    one = scene()
    one.watch()
    monkeypatch.setattr(one.sessions, "by_ids", None)

    with pytest.raises(errors.DevinError, match="a fault in devin_jupyter: TypeError"):
        await one.store.turn_over(id_of(0))


async def test_a_journal_that_fails_does_not_end_the_watching(scene, caplog):
    one = scene()

    def refuse(snapshots):
        raise errors.JournalError("the journal is read-only")

    one.journal.save_snapshots = refuse
    one.world.change(0, detail="finished")
    one.watch()

    assert (await one.store.turn_over(id_of(0))).phase is Phase.DONE
    await one.ends()
    assert "read-only" in caplog.text


async def test_closing_releases_waiting_calls(scene):
    one = scene()
    one.watch()
    waiting = asyncio.create_task(one.store.turn_over(id_of(0)))
    await one.sweeps(1)
    await one.poller.aclose()

    with pytest.raises(errors.DevinError, match="closed"):
        await waiting


async def test_an_act_during_a_look_is_not_undone_by_the_older_answer(scene):
    one = scene()
    one.world.change(0, detail="waiting_for_user", said=("devin", "done"))
    one.watch()
    before = await one.store.turn_over(id_of(0))
    one.store.poll_now(id_of(0))
    real = one.world.messages

    def meanwhile(name, params):
        if not one.store.find(id_of(0)).snapshot.send_pending:
            note = note_send(before, "go on", at=one.clock.now(), answer=None)
            asyncio.get_running_loop().create_task(one.store.note(id_of(0), sent=note))
        return real(name, params)

    one.world.messages = meanwhile
    await one.sweeps(4)

    assert one.store.find(id_of(0)).snapshot.phase is Phase.QUEUED
