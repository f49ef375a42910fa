"""`max_time`: a session whose turn takes longer is ended, also after a restart, and the error says why."""

import time
from contextlib import suppress
from typing import Any

import pytest

from devin_jupyter import ConnectionTrouble, Devin, DevinError, JournalError, OptionError, Phase, SessionStopped
from devin_jupyter.errors import Conflict
from devin_jupyter.journal import Journal

DELETE = "DELETE /v3/organizations/{org_id}/sessions/{devin_id}"
POST = "POST /v3/organizations/{org_id}/sessions"


@pytest.fixture
def slow(slow_simulator, tmp_path):
    """Return a function that makes a client, as after a restart: each has the same journal."""
    made = []

    def client(version="v3"):
        key = slow_simulator.v1_key if version == "v1" else slow_simulator.api_key
        made.append(Devin(key, base_url=slow_simulator.url, journal=Journal(tmp_path / "shared.db")))
        return made[-1]

    yield client
    for one in made:
        one.close()


@pytest.mark.parametrize("version", ["v3", "v1"])
def test_a_turn_that_takes_too_long_ends_the_session_and_says_so(slow, slow_simulator, version):
    session = slow(version).create("count the stars", max_time=0.3)
    with pytest.raises(SessionStopped, match=r"was stopped: its turn took longer than 0.3 s \(--max-time\)"):
        session.result(30)
    assert session.phase is Phase.STOPPED
    assert session.snapshot.stopped_after == 0.3
    again = slow(version).create("count the stars", max_time=0.3)
    assert again.id == session.id
    with pytest.raises(SessionStopped, match="--max-time"):
        again.answer()


def test_a_turn_in_time_is_left_alone(devin, simulator):
    assert devin.create("say hello", max_time="2h").result(30)
    assert simulator.requests(DELETE) == 0


def test_the_limit_survives_a_restart_and_the_newest_one_counts(slow, slow_simulator):
    first = slow()
    session = first.create("count the stars", max_time="2h")
    first.close()
    second = slow()
    assert not second.create("count the stars").snapshot.turn_over
    assert "max-time stays as first given" in second.create("count the stars").notice
    assert second.create("count the stars", max_time=0.2).id == session.id
    second.close()
    third = slow().get(session.id)  # only the journal knows the limit
    with pytest.raises(SessionStopped, match=r"longer than 0.2 s"):
        third.result(30)
    assert slow_simulator.requests(POST) == 1


ENDINGS: dict[str, tuple[float | None, Any]] = {
    "limit": (0.2, lambda client, session: session.result(30)),
    "session": (None, lambda client, session: session.stop()),
    "all": (None, lambda client, session: client.stop_all()),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_session_that_a_kernel_ended_without_hearing_so_is_not_called_done_by_the_next(slow, slow_simulator, ending):
    limit, end = ENDINGS[ending]
    first = slow()
    session = first.create("count the stars", **({"max_time": limit} if limit else {}))
    slow_simulator.faults({"method": "DELETE", "kind": "drop_after", "times": 1000})
    with suppress(DevinError):
        end(first, session)
    first.close()
    assert slow_simulator.requests(DELETE) > 0

    with pytest.raises(SessionStopped, match=r"longer than 0.2 s" if limit else "was stopped, or exited"):
        slow().get(session.id).result(30)


def test_a_session_is_ended_also_where_the_journal_cannot_note_it_before(slow, slow_simulator, monkeypatch, caplog):
    session = slow().create("count the stars")
    monkeypatch.setattr(Journal, "mark_terminating", lambda *_, **__: 1 / 0)
    assert session.stop().phase is Phase.STOPPED
    assert slow_simulator.requests(DELETE) == 1
    assert "about to be ended" in caplog.text


def test_a_session_that_took_a_message_after_it_could_not_be_ended_is_done_once_it_ends_itself(slow, slow_simulator):
    first = slow()
    session = first.create("count the stars", tags=["sim:exit"])
    slow_simulator.faults({"method": "DELETE", "kind": "drop_before", "times": 1000})
    with pytest.raises(ConnectionTrouble):
        session.stop()
    slow_simulator.faults()
    session.send("And the planets.")
    first.close()
    slow_simulator.clock(1000)
    assert slow().get(session.id).wait(30).phase is Phase.DONE


def test_stop_all_tells_of_a_journal_that_cannot_record_what_was_ended(slow, slow_simulator, monkeypatch):
    client = slow()
    client.create("count the stars")

    def full(*_):
        raise JournalError("the disk is full", "nothing was written", "make room")

    monkeypatch.setattr(Journal, "mark_terminated", full)
    with pytest.raises(JournalError, match="the disk is full"):
        client.stop_all()
    assert slow_simulator.requests(DELETE) == 1


def test_a_session_that_the_service_did_not_end_and_that_ends_itself_is_done(slow, slow_simulator):
    session = slow().create("count the stars", tags=["sim:exit"])
    slow_simulator.faults({"method": "DELETE", "kind": "status", "status": 409, "times": 1000})
    with pytest.raises(Conflict):
        session.stop()
    slow_simulator.faults()
    slow_simulator.clock(240)
    assert session.wait(30).phase is Phase.DONE


def test_after_a_restart_the_line_about_live_sessions_has_the_limit_watched(slow, slow_simulator, tmp_path):
    first = slow()
    first.create("count the stars", max_time=300)
    first.close()
    with first.journal.database.write("test") as db:
        db.execute("UPDATE unsynced.sessions SET seen_by = 'another process', started_at = started_at - 300")
    second = slow()
    assert "ends after 5 min (--max-time)" in second.still_live()
    until = time.monotonic() + 30
    while slow_simulator.requests(DELETE) == 0 and time.monotonic() < until:
        time.sleep(0.02)
    assert slow_simulator.requests(DELETE) == 1


def test_a_service_that_does_not_answer_is_told_again(slow, slow_simulator):
    slow_simulator.faults(
        {"method": "DELETE", "route": "/v3/organizations/{org_id}/sessions/{devin_id}", "kind": "status"}
        | {"status": 403, "times": 2}
    )
    with pytest.raises(SessionStopped, match="--max-time"):
        slow().create("count the stars", max_time=0.2).result(30)
    assert slow_simulator.requests(DELETE) >= 3


def test_rows_of_a_batch_have_the_limit_too(slow, slow_simulator):
    batch = slow().map("count {{ row }}", ["stars", "clouds"], max_time="{{ 0.3 }}", name="counted", max_acu=1)
    batch.wait(30)
    assert batch.phase_counts.get("stopped") == 2
    assert slow_simulator.requests(DELETE) == 2


def test_a_limit_that_is_no_time_is_refused(devin):
    for wrong in (0, "0s"):
        with pytest.raises(OptionError, match="max_time= must be above 0"):
            devin.create("x", max_time=wrong)
    with pytest.raises(OptionError, match="max_time= takes a time"):
        devin.create("x", max_time="soon")
    assert devin.create("x", max_time=float("inf")).result(30)
