"""What the end of a turn is worth, in every phase, with and without a schema."""

from dataclasses import replace

import pytest

from devin_jupyter import errors, session
from devin_jupyter.models.enums import Phase
from devin_jupyter.models.fields import Message
from devin_jupyter.models.snapshot import Snapshot
from devin_jupyter.schema import load_schema
from devin_jupyter.text import INVISIBLE

SCHEMA = load_schema("count:int")
SAID = (Message("e1", "user", "count them", None), Message("e2", "devin", "there are two", None))
PLAIN = Snapshot(session_id="devin-x", url="https://app.devin.ai/sessions/x", phase=Phase.DONE, acus=1.4, messages=SAID)
ASKED = replace(PLAIN, schema=SCHEMA.wire)
ANSWERED = replace(ASKED, structured_output={"count": 2}, output_is_fresh=True, output_is_valid=True)
INVALID = replace(ASKED, structured_output={"count": "two"}, output_is_fresh=True)
PROBLEMS = {
    Phase.QUEUED: errors.WaitTimeout,
    Phase.WORKING: errors.WaitTimeout,
    Phase.YOUR_TURN: errors.NeedsReply,
    Phase.NEEDS_APPROVAL: errors.NeedsApproval,
    Phase.ASLEEP: errors.SessionAsleep,
    Phase.BLOCKED: errors.SessionBlocked,
    Phase.STOPPED: errors.SessionStopped,
    Phase.FAILED: errors.SessionFailed,
    Phase.DONE: errors.OutputInvalid,
}


def at(snapshot, phase):
    return replace(snapshot, phase=phase)


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_without_an_answer_has_its_exception_in_three_lines(phase):
    problem = session.turn_error(at(ASKED, phase))

    assert type(problem) is PROBLEMS[phase]
    assert len(problem.lines) == 3
    assert problem.session_id == "devin-x"
    assert "devin-x" in problem.message
    assert "1.4 ACU" in problem.consequence


@pytest.mark.parametrize("phase", [Phase.YOUR_TURN, Phase.ASLEEP])
def test_an_archived_session_must_be_taken_out_before_it_is_answered(phase):
    assert ".unarchive() first" in session.turn_error(replace(at(ASKED, phase), is_archived=True)).hint


@pytest.mark.parametrize("phase", [Phase.DONE, Phase.YOUR_TURN, Phase.ASLEEP])
def test_a_fresh_valid_output_is_the_answer(phase):
    assert session.answer_of(at(ANSWERED, phase), SCHEMA) == {"count": 2}


@pytest.mark.parametrize("kind", [int | None, type(None)])
def test_an_answer_may_be_none_where_the_schema_says_so(kind):
    schema = load_schema(kind)
    none = replace(ANSWERED, schema=schema.wire, structured_output={"value": None})

    assert session.answer_of(none, schema) is None
    assert session.output_of(none, schema) is None


@pytest.mark.parametrize("phase", [Phase.NEEDS_APPROVAL, Phase.BLOCKED, Phase.STOPPED, Phase.FAILED])
def test_an_output_does_not_hide_that_the_session_broke_off(phase):
    with pytest.raises(PROBLEMS[phase]):
        session.answer_of(at(ANSWERED, phase), SCHEMA)


@pytest.mark.parametrize("phase", [Phase.DONE, Phase.YOUR_TURN, Phase.ASLEEP])
def test_an_output_that_does_not_fit_says_where(phase):
    with pytest.raises(errors.OutputInvalid, match="count") as problem:
        session.answer_of(at(INVALID, phase), SCHEMA)
    assert problem.value.raw == {"count": "two"}


@pytest.mark.parametrize("phase", [Phase.DONE, Phase.YOUR_TURN, Phase.ASLEEP])
def test_an_output_from_before_the_last_message_is_no_answer(phase):
    stale = at(replace(ANSWERED, output_is_fresh=False), phase)

    assert session.output_of(stale, SCHEMA) is None
    with pytest.raises(PROBLEMS[phase]):
        session.answer_of(stale, SCHEMA)


@pytest.mark.parametrize("phase", [Phase.DONE, Phase.YOUR_TURN, Phase.ASLEEP])
def test_without_a_schema_the_answer_is_devins_last_message(phase):
    assert session.answer_of(at(PLAIN, phase), None) == "there are two"
    assert session.output_of(at(PLAIN, phase), None) is None


def test_a_done_session_that_said_nothing_answers_none():
    assert session.answer_of(replace(PLAIN, messages=()), None) is None


def test_a_session_that_sleeps_over_nothing_has_no_answer():
    with pytest.raises(errors.SessionAsleep):
        session.answer_of(at(replace(PLAIN, messages=SAID[:1]), Phase.ASLEEP), None)


def test_an_output_whose_schema_is_not_known_is_given_as_it_is():
    assert session.answer_of(replace(ANSWERED, schema=None), None) == {"count": 2}


@pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.WORKING])
def test_an_open_turn_has_no_output_yet(phase):
    with pytest.raises(errors.TurnOpen, match=r"\.result\(\)") as problem:
        session.output_of(at(ANSWERED, phase), SCHEMA)
    assert problem.value.session_id == "devin-x"


def test_a_question_is_quoted_without_what_a_terminal_would_obey():
    asked = at(replace(ASKED, question="which \x1b[31mbranch?\u202e" + "x" * 1000), Phase.YOUR_TURN)

    said = session.turn_error(asked).message

    assert "which [31mbranch?" in " ".join(said.split())
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert len(said) < 500


def test_a_block_gives_its_reason_in_words_and_as_the_service_says_it():
    words = session.turn_error(at(replace(ASKED, status_detail="out_of_credits"), Phase.BLOCKED)).message
    raw = session.turn_error(at(replace(ASKED, status_detail="something_new"), Phase.BLOCKED)).message

    assert "out of credits (out_of_credits)" in words
    assert raw.endswith("something_new")


def test_a_time_out_says_how_long_and_that_the_session_keeps_running():
    problem = session.turn_error(at(ASKED, Phase.WORKING), waited=90)

    assert "after 90 s" in problem.message
    assert "keeps running" in problem.consequence


def test_detaching_says_in_a_line_each_what_happened_what_goes_on_and_how_to_come_back():
    assert session.detached(at(ASKED, Phase.WORKING)).lines == [
        "Stopped waiting.",
        "The session keeps running (devin-x, 1.4 ACU so far).",
        "Run the cell again to wait. .stop() ends it.",
    ]
    over = session.detached(at(ASKED, Phase.YOUR_TURN)).lines
    assert over[0] == "Stopped waiting."
    assert "is unchanged" in over[1]


def test_unknown_costs_are_called_unknown():
    assert session.cost(replace(PLAIN, acus=None)) == "ACU unknown"


def test_no_error_text_holds_what_turns_it_around_or_hides_a_part():
    problem = errors.DevinError("file \u202egpj.exe\u2066 \x1b[2K", "zero\u200bwidth", "tag\U000e0041 \ud800")
    shown = ("\n".join(problem._render_traceback_()), str(problem), repr(problem), problem.message)
    for text in shown:
        assert not INVISIBLE.search(text.replace("\n", ""))
        assert "u202egpj.exe" in text
    problem.note("more\u202e")
    assert "more\\u202e" in str(problem)
