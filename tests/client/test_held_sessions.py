"""Sessions that are archived, moved away or frozen: nothing is sent in vain, no wait hangs, nothing is paid twice."""

import pytest

from devin_jupyter.errors import Conflict, CreateUncertain, Forbidden, NotFound, RateLimited, Refused, SessionAsleep
from devin_jupyter.models.enums import Phase

pytestmark = pytest.mark.usefixtures("slow_lasts")
CREATE = {"method": "POST", "route": "/v3/organizations/{org_id}/sessions"}
SEND = "POST /v3/organizations/{org_id}/sessions/{devin_id}/messages"


def frozen(code, **where):
    return {"kind": "status", "status": 403, "error_code": code, **where}


def test_a_message_to_an_archived_session_is_refused_before_it_is_sent(devin, simulator):
    session = devin.create("say hello").wait(30)
    session.archive()

    with pytest.raises(Refused, match="is archived: it would take the message, and do nothing") as caught:
        session.send("and now?")
    assert "nothing was sent and nothing was paid" in caught.value.consequence
    assert ".unarchive()" in caught.value.hint
    assert simulator.requests(SEND) == 0
    assert session.wait(5).phase.turn_over
    answer = session.unarchive().send("and now?").result(30)
    assert answer
    assert simulator.requests(SEND) == 1


def test_what_somebody_else_archives_under_way_ends_the_wait_and_says_how_to_go_on(devin, simulator):
    session = devin.create("take long", tags=["sim:slow"])
    simulator.act(session.id, "archive")

    with pytest.raises(SessionAsleep) as caught:
        session.result(30)
    assert ".unarchive()" in caught.value.hint
    assert session.snapshot.is_archived
    with pytest.raises(Refused, match="archived"):
        devin.send(session.id, "go on")


def test_what_was_moved_away_ends_the_wait_with_the_reason(devin, simulator):
    sessions = [devin.create(f"take long {number}", tags=["sim:slow"]) for number in range(2)]
    simulator.act(sessions[0].id, "migrate")

    with pytest.raises(Forbidden) as caught:
        sessions[0].wait(30)
    assert caught.value.error_code == "migrated_session"
    assert "web app" in caught.value.hint
    with pytest.raises(Forbidden) as caught:
        sessions[0].send("go on")
    assert "nothing was sent" in caught.value.consequence
    assert sessions[1].phase in (Phase.QUEUED, Phase.WORKING)
    again = devin.create("take long 0", tags=["sim:slow"])
    assert (again.id, again.how) == (sessions[0].id, "attached")
    assert simulator.stats()["sessions"] == 2


@pytest.mark.parametrize("code", ["user_frozen", "storage_migration_freeze", "something_new"])
def test_a_frozen_service_refuses_and_a_rerun_starts_the_one_session(devin, simulator, code):
    simulator.faults(frozen(code, **CREATE))
    for _ in range(2):
        with pytest.raises(Forbidden) as caught:
            devin.create("say hello")
        assert caught.value.error_code == code
        assert "nothing was started and nothing was paid" in caught.value.consequence
    assert devin.journal.intents.all() == []
    simulator.faults()
    assert devin.create("say hello").how == "created"
    assert simulator.stats()["sessions"] == 1


def test_a_wait_through_a_short_freeze_goes_on(devin, simulator):
    session = devin.create("say hello")
    simulator.faults(frozen("user_frozen", method="GET", times=2))

    assert session.wait(30).phase is Phase.YOUR_TURN


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_under_way_every_wait_ends_and_nothing_is_started_twice(devin, simulator, seed):
    """A reply is lost, the account is frozen or the storage, and the session is archived or moved: in every order."""
    acts = ["archive", "archive_as_is", "migrate"]
    lost = {"kind": "drop_after", "times": 1, **CREATE}
    code = ("user_frozen", "storage_migration_freeze")[seed % 2]
    simulator.faults(lost, frozen(code, times=1 + seed % 3, method="GET"))
    try:
        session = devin.create("take long", tags=["sim:slow"])
    except (CreateUncertain, Forbidden):
        simulator.faults()
        session = devin.create("take long", tags=["sim:slow"])
    assert simulator.stats()["sessions"] == 1
    simulator.faults()
    act = acts[seed % 3]
    simulator.act(session.id, act)
    if act == "archive_as_is":  # two minutes of looking, on a fake clock in tests/monitor
        while not session.wait(0.1).snapshot.is_archived:
            pass
    else:
        with pytest.raises((SessionAsleep, Forbidden)):
            session.result(30)
    with pytest.raises((Refused, Forbidden, NotFound, Conflict)):
        session.send("go on")
    assert devin.create("take long", tags=["sim:slow"]).id == session.id
    assert simulator.requests(SEND) <= 1
    assert simulator.stats()["sessions"] == 1


def test_a_service_that_asks_for_a_long_wait_keeps_no_frame_for_ever(devin, simulator):
    simulator.faults({"kind": "status", "status": 429, "retry_after": 9999, "method": "GET"})

    with pytest.raises(RateLimited, match="asks to wait until 20") as caught:
        devin.sessions_frame(since="30d")
    assert caught.value.retry_after == 9999
