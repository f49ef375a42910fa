"""What the store takes over, what it drops, whom it tells and how often. Nothing is polled here."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest
from records import record

from devin_jupyter.errors import DevinError
from devin_jupyter.models.enums import Phase
from devin_jupyter.models.snapshot import Snapshot, note_send
from devin_jupyter.monitor.store import Connection, SessionStore, Throttle

ID = "devin-" + "a" * 32


def raw(detail: str = "working", at: int = 0, status: str = "running") -> dict[str, Any]:
    return {"session_id": ID, "status": status, "status_detail": detail, "updated_at": 1_700_000_000 + at}


class FakeJournal:
    def __init__(self) -> None:
        self.saved: list[Phase] = []
        self.terminated: set[str] = set()

    def record(self, session_id: str) -> None:
        return None

    def save_snapshots(self, snapshots: list[Snapshot]) -> None:
        self.saved += [snapshot.phase for snapshot in snapshots]

    def is_terminated(self, session_id: str) -> bool:
        return session_id in self.terminated

    def mark_terminated(self, session_id: str) -> None:
        self.terminated.add(session_id)


@pytest.fixture
def journal() -> FakeJournal:
    return FakeJournal()


@pytest.fixture
def store(journal: FakeJournal) -> SessionStore:
    return SessionStore(journal)  # type: ignore[arg-type]


async def test_what_is_seen_is_kept_told_and_known_from_then_on(store: SessionStore, journal: FakeJournal) -> None:
    told: list[Any] = []
    store.subscribe([ID], told.append)

    seen = await store.see(raw())

    assert told == [seen]
    assert store.record(ID).snapshot is seen
    assert journal.saved == [Phase.WORKING]


async def test_a_session_that_nobody_holds_is_not_remembered(store: SessionStore) -> None:
    await store.see(raw())

    assert store.sessions() == []


async def test_an_answer_older_than_an_act_changes_nothing(store: SessionStore) -> None:
    subscription = store.subscribe([ID], lambda change: None)
    before = await store.see(raw("waiting_for_user"), messages=[])
    ticket = store.ticket()
    await store.note(ID, sent=note_send(before, "go on", at=store.clock.now(), answer=None))

    seen = await store.see(raw("waiting_for_user", at=1), ticket=ticket, messages=[])

    assert seen.phase is Phase.QUEUED
    subscription.close()


async def test_an_answer_to_an_earlier_request_does_not_replace_that_to_a_later_one(store: SessionStore) -> None:
    session = store.hold(ID)
    earlier, later = store.ticket(), store.ticket()
    await store.see(raw("finished", at=5), ticket=later, messages=[])

    await store.see(raw("working", at=5), ticket=earlier)

    assert session.snapshot.phase is Phase.DONE


async def test_a_lagging_replica_changes_nothing(store: SessionStore) -> None:
    session = store.hold(ID)
    await store.see(raw("finished", at=5), messages=[])

    assert (await store.see(raw("working", at=4))).phase is Phase.DONE
    assert (await store.see(raw("working", at=6))).phase is Phase.WORKING
    assert session.snapshot.phase is Phase.WORKING


async def test_the_end_of_a_turn_is_told_only_with_its_conversation(store: SessionStore, journal: FakeJournal) -> None:
    told: list[Any] = []
    subscription = store.subscribe([ID], told.append)
    await store.see(raw())

    await store.see(raw("waiting_for_user", at=1))
    assert [change.phase for change in told] == [Phase.WORKING]
    assert store.active()[0].is_hinted  # so the poll loop looks at once
    assert journal.saved[-1] is Phase.WORKING  # nor do other kernels read what is not believed yet

    await store.see(raw("waiting_for_user", at=1), messages=[])
    assert [change.phase for change in told] == [Phase.WORKING, Phase.YOUR_TURN]
    subscription.close()


async def test_who_waits_is_told_after_the_journal(store: SessionStore, journal: FakeJournal) -> None:
    session = store.hold(ID)
    waiting = asyncio.create_task(store.turn_over(session))
    await asyncio.sleep(0)
    assert session.is_awaited

    await store.see(raw("finished"), messages=[])

    assert journal.saved == [Phase.DONE]
    assert (await waiting).phase is Phase.DONE
    assert store.active() == []


async def test_a_session_that_was_ended_here_was_stopped(store: SessionStore, journal: FakeJournal) -> None:
    session = store.hold(ID)
    await store.see(raw())
    await store.note(session, terminated=True)

    assert (await store.see(raw("", at=1, status="exit"), messages=[])).phase is Phase.STOPPED
    assert journal.terminated == {ID}


async def test_a_handle_keeps_an_older_snapshot_from_replacing_a_newer_one(store: SessionStore) -> None:
    newer = await store.see(raw(at=5))
    session = store.track(record(ID, snapshot=newer))
    older = replace(newer, observed_at=store.clock.now().replace(year=2020), phase=Phase.QUEUED)

    assert store.track(record(ID, snapshot=older)) is session
    assert session.snapshot is newer


async def test_an_answer_that_makes_no_sense_is_an_error_of_that_session(
    store: SessionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> Snapshot:
        raise ZeroDivisionError

    monkeypatch.setattr("devin_jupyter.monitor.store.observe", fails)
    with pytest.raises(DevinError, match="a fault in devin_jupyter"):
        await store.see(raw())


async def test_trouble_is_told_once_to_a_subscription_of_many(store: SessionStore) -> None:
    told: list[Any] = []
    subscription = store.subscribe([ID, "devin-" + "b" * 32], told.append)
    trouble = Connection(problem="refused")

    store.set_connection(trouble)

    assert told == [trouble]
    assert subscription.connection is trouble
    subscription.close()


async def test_a_subscriber_that_takes_long_is_warned_of(store: SessionStore, caplog: pytest.LogCaptureFixture) -> None:
    subscription = store.subscribe([ID], lambda change: time.sleep(0.06))
    await store.see(raw())

    assert "a subscriber took" in caplog.text
    subscription.close()


# --- how often ------------------------------------------------------------------------------------------------------


async def test_of_many_changes_the_newest_of_each_session_is_told_at_most_every_so_often(
    store: SessionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    now = loop.time()
    monkeypatch.setattr(loop, "time", lambda: now)
    other = "devin-" + "b" * 32
    told: list[Any] = []
    subscription = store.subscribe([ID, other], told.append, every=5)
    for at in range(5):
        await store.see(raw(at=at))
        await store.see({**raw(at=at), "session_id": other})
    assert len(told) == 1
    now += 5
    for _ in range(2):
        await asyncio.sleep(0)

    assert [change.updated_at for change in told[1:]] == [told[-1].updated_at] * 2
    assert {change.session_id for change in told} == {ID, other}
    subscription.close()


async def test_the_end_of_a_turn_is_told_at_once(store: SessionStore) -> None:
    told: list[Any] = []
    subscription = store.subscribe([ID], told.append, every=60)
    for at in range(3):
        await store.see(raw(at=at))

    await store.see(raw("finished", at=9), messages=[])

    assert [change.phase for change in told] == [Phase.WORKING, Phase.DONE]
    subscription.close()


async def test_what_is_pending_is_told_when_a_subscription_is_closed_and_nothing_after(store: SessionStore) -> None:
    told: list[Any] = []
    subscription = store.subscribe([ID], told.append, every=60)
    for at in range(3):
        await store.see(raw(at=at))
    subscription.close()
    subscription()
    await store.see(raw(at=9))

    assert len(told) == 2


async def test_a_steady_stream_stays_at_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    now, times = 0.0, []
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "time", lambda: now)
    throttle = Throttle(lambda: times.append(now), 0.25)
    while now < 1.2:
        throttle.request()
        await asyncio.sleep(0)
        now += 1 / 128
        await asyncio.sleep(0)
    throttle.close()
    throttle.request()

    assert times == [0.0, 0.25, 0.5, 0.75, 1.0, now]


async def test_a_subscription_can_be_closed_on_any_thread(store: SessionStore) -> None:
    subscription = store.subscribe([ID], lambda change: None)
    await asyncio.to_thread(subscription.want, messages=True, keep=True)
    await asyncio.sleep(0)
    assert store.active()[0].wants_messages

    await asyncio.to_thread(subscription.close)
    await asyncio.sleep(0)
    assert store.active() == []
