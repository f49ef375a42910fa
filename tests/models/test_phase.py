"""Every combination of the table of phases, held against the table as written for people."""

import itertools

import pytest

from devin_jupyter.models.enums import Phase
from devin_jupyter.models.snapshot import PhaseInputs, phase_of

QUEUED = ("new", "claimed", "creating", "resuming")
BLOCKS = (
    "usage_limit_exceeded",
    "out_of_credits",
    "out_of_quota",
    "no_quota_allocation",
    "payment_declined",
    "org_usage_limit_exceeded",
    "user_usage_limit_exceeded",
    "total_session_limit_exceeded",
    "something_new",
)
V3_STATUSES = (*QUEUED, "running", "suspended", "exit", "error", "something_new", "", None)
V3_DETAILS = ("working", "finished", "waiting_for_user", "waiting_for_approval", "inactivity", "user_request", "error")
V3_DETAILS = (*V3_DETAILS, *BLOCKS, "", None)
V1_ENUMS = (
    "working",
    "blocked",
    "finished",
    "expired",
    "suspend_requested",
    "suspend_requested_frontend",
    "resume_requested",
    "resume_requested_frontend",
    "resumed",
    "something_new",
    "",
    None,
)


def table_v3(status, detail, has_schema, has_answer):
    """The v3 column of the table, row by row; unknown words count as working, unknown reasons to suspend as blocks."""
    done_or_sleeping = Phase.DONE if has_answer else Phase.ASLEEP
    rows = {
        **{(word, None): Phase.QUEUED for word in QUEUED},
        ("running", "waiting_for_user"): Phase.DONE if has_answer else Phase.YOUR_TURN,
        ("running", "waiting_for_approval"): Phase.NEEDS_APPROVAL,
        ("running", "finished"): Phase.DONE,
        ("exit", None): Phase.DONE if has_answer or not has_schema else Phase.STOPPED,
        ("error", None): Phase.FAILED,
        ("suspended", "error"): Phase.FAILED,
        **{("suspended", word): done_or_sleeping for word in ("inactivity", "user_request", None)},
    }
    if status == "suspended":
        return rows.get((status, detail), Phase.BLOCKED)
    return rows.get((status, detail), rows.get((status, None), Phase.WORKING))


BOTH = (True, False)


def test_every_v3_combination_is_in_the_table():
    wrong = {}
    for status, detail, has_schema, has_answer in itertools.product(V3_STATUSES, V3_DETAILS, BOTH, BOTH):
        inputs = PhaseInputs("v3", status, detail, has_schema=has_schema, has_answer=has_answer)
        expected = table_v3(status, detail, has_schema, has_answer)
        if phase_of(inputs) != expected:
            wrong[inputs] = f"{phase_of(inputs)}, not {expected}"
    assert wrong == {}


def table_v1(enum, status, has_schema, has_answer):
    """The v1 column; what the enum does not know falls back to the status."""
    if enum in ("working", "resumed"):
        return Phase.WORKING
    if enum == "finished":
        return Phase.DONE
    if enum == "blocked":
        return Phase.DONE if has_answer else Phase.YOUR_TURN
    if enum == "expired":
        return Phase.DONE if has_answer else Phase.STOPPED
    if enum in ("suspend_requested", "suspend_requested_frontend"):
        return Phase.ASLEEP
    if enum in ("resume_requested", "resume_requested_frontend"):
        return Phase.QUEUED
    return table_v3(status, None, has_schema, has_answer)


def test_every_v1_combination_is_in_the_table():
    wrong = {}
    for enum, status, has_schema, has_answer in itertools.product(V1_ENUMS, V3_STATUSES, BOTH, BOTH):
        inputs = PhaseInputs("v1", status, enum, has_schema=has_schema, has_answer=has_answer)
        expected = table_v1(enum, status, has_schema, has_answer)
        if phase_of(inputs) != expected:
            wrong[inputs] = f"{phase_of(inputs)}, not {expected}"
    assert wrong == {}


@pytest.mark.parametrize("version", ["v3", "v1"])
def test_a_session_we_terminated_is_stopped_in_every_status(version):
    phases = {status: phase_of(PhaseInputs(version, status, None, terminated=True)) for status in V3_STATUSES}
    assert phases == dict.fromkeys(V3_STATUSES, Phase.STOPPED)


def test_a_pending_send_keeps_the_turn_open_unless_the_session_is_over_for_good():
    for status, detail in itertools.product(V3_STATUSES, V3_DETAILS):
        inputs = PhaseInputs("v3", status, detail, send_pending=True, has_answer=True)
        assert phase_of(inputs).turn_over == (status in ("exit", "error")), inputs


def test_the_turn_is_open_in_exactly_two_phases():
    assert [phase for phase in Phase if not phase.turn_over] == [Phase.QUEUED, Phase.WORKING]


def test_a_phase_is_its_word():
    assert Phase.YOUR_TURN == "your_turn"
    assert Phase.YOUR_TURN.label == "replied"
    assert [phase.value for phase in Phase] == [
        "queued",
        "working",
        "your_turn",
        "needs_approval",
        "done",
        "asleep",
        "blocked",
        "stopped",
        "failed",
    ]
