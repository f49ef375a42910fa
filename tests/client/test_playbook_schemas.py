"""A session with a playbook and without a schema of its own: its answer has the type that the playbook says."""

import pytest

from devin_jupyter import Devin
from devin_jupyter.journal import Journal
from devin_jupyter.models.enums import Phase

READ = "GET /v3/organizations/{org_id}/playbooks/{playbook_id}"


@pytest.fixture
def playbook(devin):
    made = devin.playbooks.create("Audit", "Look twice.", schema="count:int, severity:low|high")
    return made["playbook_id"]


def test_the_answer_is_typed_by_the_schema_of_the_playbook(devin, simulator, playbook):
    session = devin.create("audit it", playbook=playbook)

    assert session.schema.wire["required"] == ["count", "severity"]
    assert sorted(session.result(30)) == ["count", "severity"]
    assert session.phase is Phase.DONE
    assert str(session.frame()["severity"].dtype) == "category"
    again = devin.create("audit it", playbook=playbook)
    assert (again.id, again.how, again.result(30)) == (session.id, "attached", session.result(30))
    assert devin.get(session.id).frame()["severity"].dtype == session.frame()["severity"].dtype
    with Devin(simulator.api_key, base_url=simulator.url, journal=Journal()) as elsewhere:
        assert elsewhere.create("audit it", playbook=playbook).schema == session.schema
    assert simulator.stats()["sessions"] == 1


def test_the_schema_of_the_playbook_is_no_part_of_the_request_or_its_identity(devin, simulator, playbook):
    plan = devin.plan("audit it", playbook=playbook)
    session = devin.create("audit it", playbook=playbook)

    assert "structured_output_schema" not in plan.body
    assert plan.notes == (f"without schema= the answer is read by the schema of {playbook}, if it has one",)
    assert session.snapshot.fingerprint == plan.fingerprint
    devin.playbooks.update(playbook, schema="none")
    assert devin.plan("audit it", playbook=playbook).fingerprint == plan.fingerprint


def test_a_schema_of_its_own_counts_and_the_playbook_is_not_asked(devin, simulator, playbook):
    session = devin.create("audit it", playbook=playbook, schema="n:int")

    assert sorted(session.result(30)) == ["n"]
    assert simulator.requests(READ) == 0
    assert devin.plan("audit it again", playbook=playbook, schema="n:int").notes == ()


@pytest.mark.parametrize(
    ("fault", "seconds", "words"),
    [
        ({"kind": "status", "status": 403}, 5, "403 from GET"),
        ({"kind": "slow", "seconds": 30}, 0.2, "no answer within 0.2 s"),
    ],
)
def test_a_playbook_that_cannot_be_read_is_a_line_and_the_session_starts(
    devin, simulator, playbook, monkeypatch, fault, seconds, words
):
    simulator.faults({**fault, "method": "GET", "route": READ.removeprefix("GET ")})
    with monkeypatch.context() as patch:
        patch.setattr("devin_jupyter.idempotency.create.REFRESH_TIMEOUT", seconds)
        session = devin.create("audit it", playbook=playbook)

    assert session.how == "created"
    assert "the answer is not typed: the schema of the playbook cannot be read" in session.notice
    assert words in session.notice
    assert sorted(session.result(30)) == ["count", "severity"]
    simulator.faults()
    later = devin.create("audit it", playbook=playbook)
    assert "not typed" in later.notice  # not asked again for a minute
    assert simulator.stats()["sessions"] == 1
    with Devin(simulator.api_key, base_url=simulator.url, org_id=simulator.org_id, journal=devin.journal) as restarted:
        typed = restarted.create("audit it", playbook=playbook)
        assert (typed.phase, typed.schema.wire["required"]) == (Phase.DONE, ["count", "severity"])


def test_a_playbook_without_a_schema_says_nothing(devin, simulator):
    playbook = devin.playbooks.create("Plain", "Look.")["playbook_id"]
    session = devin.create("audit it", playbook=playbook)

    assert (session.schema, session.notice) == (None, None)
    devin.create("audit that", playbook=playbook)
    assert simulator.requests(READ) == 1
