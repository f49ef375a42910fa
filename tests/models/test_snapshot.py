"""What a raw answer becomes, what a message changes, and that no answer whatever can raise."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records import record

from devin_jupyter import redaction
from devin_jupyter.models.enums import Phase
from devin_jupyter.models.fields import KNOWN_KEYS
from devin_jupyter.models.snapshot import Message, after_send, may_be_a_flicker, note_send, observe, read_message

NOW = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
THEN = datetime.fromtimestamp(1_700_000_060, UTC)
"""The same moment by the clock of the service."""
HEX = "0123456789abcdef" * 2
ANSWER = {"count": 2}
SCHEMA = {"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"]}
KNOWN = record(schema=SCHEMA)


def v3(status="running", detail="working", **changes):
    return {
        "session_id": HEX,
        "url": "https://app.devin.ai/sessions/" + HEX,
        "org_id": "org-x",
        "status": status,
        "status_detail": detail,
        "created_at": 1_700_000_000,
        "updated_at": 1_700_000_060,
        "acus_consumed": 1.25,
        "tags": ["audit", "nb-0011223344556677"],
        "pull_requests": [{"pr_url": "https://github.com/a/b/pull/1", "pr_state": "open"}],
        **changes,
    }


def seen(raw, known=KNOWN, *, at=NOW, previous=None, messages=None):
    return observe(raw, replace(known, snapshot=previous), at=at, messages=messages)


def said(source, text, number, at=THEN):
    return Message(f"event-{number}", source, text, at)


def test_a_bare_id_becomes_prefixed_and_our_own_tag_is_hidden():
    snapshot = seen(v3())

    assert snapshot.session_id == "devin-" + HEX
    assert snapshot.tags == ("audit",)
    assert snapshot.acus == 1.25
    assert snapshot.pull_requests[0].state == "open"


def test_words_that_the_service_writes_in_other_case_mean_the_same():
    request = {"pr_url": "https://github.com/a/b/pull/1", "pr_state": " Merged"}
    snapshot = seen(v3("RUNNING", "Waiting_For_User", pull_requests=[request]))
    assert (snapshot.phase, snapshot.status, snapshot.status_detail) == ("your_turn", "running", "waiting_for_user")
    assert snapshot.pull_requests[0].state == "merged"
    assert seen(v3("Suspended", "USER_REQUEST")).phase is Phase.ASLEEP
    assert seen(v3("Exit", None)).phase is Phase.STOPPED
    assert seen(v3("Pondering", "Deeply")).status == "Pondering"


def test_a_waiting_session_with_a_valid_output_is_done():
    snapshot = seen(v3(detail="waiting_for_user", structured_output=ANSWER))

    assert snapshot.phase is Phase.DONE
    assert snapshot.output_is_final


def test_an_output_that_does_not_fit_is_no_answer():
    snapshot = seen(v3(detail="waiting_for_user", structured_output={"count": "two"}))

    assert snapshot.phase is Phase.YOUR_TURN
    assert not snapshot.output_is_valid


def test_an_output_of_a_working_session_is_provisional():
    snapshot = seen(v3(structured_output=ANSWER))

    assert snapshot.phase is Phase.WORKING
    assert not snapshot.output_is_final


def test_a_question_survives_falling_asleep():
    conversation = [said("user", "audit", 1), said("devin", "which branch?", 2)]
    asked = seen(v3(detail="waiting_for_user"), messages=conversation)
    asleep = seen(v3(status="suspended", detail="inactivity"), previous=asked)

    assert (asked.question, asked.needs_you) == ("which branch?", True)
    assert asleep.phase is Phase.ASLEEP
    assert (asleep.question, asleep.needs_you) == ("which branch?", True)


def test_a_session_put_to_sleep_while_working_asks_nothing():
    working = seen(v3(), messages=[said("user", "audit", 1)])
    asleep = seen(v3(status="suspended", detail="user_request"), previous=working)

    assert (asleep.question, asleep.needs_you) == (None, False)


def test_zero_acus_of_a_session_that_has_worked_are_unknown():
    assert seen(v3(acus_consumed=0)).acus is None
    assert seen(v3(status="new", detail=None, acus_consumed=0)).acus == 0.0
    assert seen(v3(acus_consumed="lots")).acus is None


# --- a message opens the turn again -----------------------------------------------------------------------------


def sent_to(snapshot, known=KNOWN, text="and the tests?", updated_at=1_700_000_060):
    """The session right after a message, and what is known from then on."""
    answer = None if updated_at is None else {"updated_at": updated_at}
    note = note_send(snapshot, text, at=NOW, answer=answer)
    return after_send(snapshot), replace(known, sent=note)


DONE = v3(detail="waiting_for_user", structured_output=ANSWER)
TALK = [said("user", "audit", 1), said("devin", "found two", 2)]


@pytest.fixture
def pending():
    return sent_to(seen(DONE, messages=TALK))


def test_right_after_a_send_the_turn_is_open_and_the_old_output_is_stale(pending):
    before, known = pending
    stale = seen(DONE, known, previous=before)

    assert before.phase is Phase.QUEUED
    assert stale.phase is Phase.QUEUED
    assert not stale.output_is_fresh


def test_it_stays_open_while_the_service_shows_the_old_state_again_and_again(pending):
    before, known = pending
    for _ in range(5):
        before = seen(DONE, known, previous=before)

    assert before.phase is Phase.QUEUED


def test_a_changed_phase_takes_the_message_as_noticed_and_the_end_counts_again(pending):
    before, known = pending
    working = seen(v3(structured_output=ANSWER), known, previous=before)
    waiting = seen(DONE, known, previous=working)

    assert working.phase is Phase.WORKING
    assert waiting.phase is Phase.YOUR_TURN  # the old output does not answer the new message
    answered = seen(v3(detail="waiting_for_user", structured_output={"count": 3}), known, previous=working)
    assert answered.phase is Phase.DONE


def test_a_later_updated_at_proves_nothing_and_a_new_output_does(pending):
    before, known = pending
    moved = DONE | {"updated_at": 1_700_000_061}

    assert seen(moved, known, previous=before).phase is Phase.QUEUED
    assert seen(moved | {"structured_output": {"count": 3}}, known, previous=before).phase is Phase.DONE


@pytest.mark.parametrize("known", [KNOWN, record()], ids=["with a schema", "without"])
def test_what_nothing_comes_of_is_over_after_two_minutes_and_quotes_nothing_from_before(known):
    before, sent = sent_to(seen(DONE, known, messages=TALK), known)
    talk = [*TALK, said("user", "and the tests?", 3)]
    soon = seen(DONE, sent, previous=before, messages=talk, at=NOW + timedelta(seconds=119))
    late = seen(DONE, sent, previous=soon, messages=talk, at=NOW + timedelta(seconds=120))

    assert (soon.phase, soon.unanswered) == (Phase.QUEUED, False)
    assert (late.phase, late.unanswered) == (Phase.YOUR_TURN, True)
    assert (late.question, late.last_word, late.output_is_fresh) == (None, None, False)
    assert seen(DONE, sent, previous=late, at=NOW + timedelta(seconds=300)).unanswered
    answered = seen(DONE, sent, previous=late, messages=[*talk, said("devin", "fine", 4)])
    assert (answered.unanswered, answered.question) == (False, "fine")


def test_two_minutes_are_those_of_the_service(pending):
    before, known = pending
    known = replace(known, sent=replace(known.sent, service_at=THEN))

    def at(local, there):
        now = {"at": NOW + timedelta(seconds=local), "service_at": THEN + timedelta(seconds=there)}
        return observe(DONE, replace(known, snapshot=before), **now).phase

    assert (at(local=7200, there=5), at(local=5, there=121)) == (Phase.QUEUED, Phase.YOUR_TURN)


def test_a_turn_that_ends_without_a_word_does_not_bring_back_the_words_before_it():
    plain, over = record(), v3(detail="waiting_for_user")
    before, known = sent_to(seen(over, plain, messages=TALK), plain)
    working = seen(v3(), known, previous=before)
    ended = seen(over, known, previous=working, messages=[*TALK, said("user", "and the tests?", 3)])

    assert (ended.phase, ended.question, ended.last_word, ended.unanswered) == (Phase.YOUR_TURN, None, None, False)


def test_the_end_of_a_turn_may_be_a_flicker_unless_devins_message_came_with_it():
    over, talk = v3(detail="waiting_for_user"), [said("user", "audit", 1, THEN), said("devin", "on it", 2, THEN)]
    working = seen(v3())

    def flickers(raw=over, messages=talk, previous=working, since=0, **keywords):
        later = NOW + timedelta(seconds=5)
        snapshot = seen(raw, messages=messages, at=later, previous=previous)
        return may_be_a_flicker(snapshot, previous, THEN + timedelta(seconds=since), **keywords)

    assert flickers(since=60)
    assert not flickers(since=6)  # it came after the last look, five seconds ago
    assert flickers(messages=talk[:1])
    assert not flickers(v3(detail="finished"), since=60)
    assert not flickers(previous=seen(over), since=60)  # it was over before
    assert flickers(v3(detail="waiting_for_user", structured_output=ANSWER), since=60)
    assert may_be_a_flicker(seen(over), previous=None, service_at=seen(over).updated_at + timedelta(seconds=2))
    assert not may_be_a_flicker(seen(over), previous=None, service_at=seen(over).updated_at + timedelta(hours=2))


def test_a_newer_word_by_devin_takes_the_message_as_noticed_even_with_clocks_apart(pending):
    before, known = pending
    conversation = [*TALK, said("user", "and the tests?", 3), said("devin", "fine", 4)]

    later = NOW + timedelta(seconds=11)
    assert seen(DONE, known, previous=before, messages=conversation, at=later).phase is Phase.YOUR_TURN
    assert seen(DONE, known, previous=before, messages=conversation[:3], at=later).phase is Phase.QUEUED
    assert seen(DONE, known, previous=before, messages=conversation[:2]).phase is Phase.QUEUED


def test_a_newer_word_waits_a_while_for_the_output_that_it_announces(pending):
    before, known = pending
    conversation = [*TALK, said("user", "and the tests?", 3), said("devin", "see the output", 4)]

    assert seen(DONE, known, previous=before, messages=conversation).phase is Phase.QUEUED
    fresh = DONE | {"structured_output": {"count": 3}}
    assert seen(fresh, known, previous=before, messages=conversation).phase is Phase.DONE


def test_without_a_schema_a_newer_word_is_all_there_is_to_wait_for():
    plain = record()
    before, known = sent_to(seen(v3(detail="waiting_for_user"), plain, messages=TALK), plain)
    conversation = [*TALK, said("user", "and the tests?", 3), said("devin", "fine", 4)]

    assert seen(v3(detail="waiting_for_user"), known, previous=before, messages=conversation).phase is Phase.YOUR_TURN


@pytest.mark.parametrize(
    ("returned", "soon"), [("and the tests? With ****", Phase.YOUR_TURN), ("and the ****?", Phase.QUEUED)]
)
def test_a_message_whose_text_the_service_changed_is_told_by_its_place(returned, soon):
    plain, over = record(), v3(detail="waiting_for_user")
    before, known = sent_to(seen(over, plain, messages=TALK), plain)
    talk = [*TALK, said("user", returned, 3), said("devin", "fine", 4)]

    def at(seconds, messages=talk):
        return seen(over, known, previous=before, messages=messages, at=NOW + timedelta(seconds=seconds)).phase

    assert (at(1), at(11)) == (soon, Phase.YOUR_TURN)
    assert at(11, talk[:3]) is Phase.QUEUED
    assert at(11, [*talk, said("user", "and the tests?", 5)]) is Phase.QUEUED  # the other one was somebody else's
    assert at(11, [said("user", returned, 3), said("devin", "fine", 4)]) is Phase.QUEUED  # perhaps from before


def test_a_secret_in_a_message_that_comes_back_masked_does_not_hide_its_answer():
    redaction.keep_secret(["hunter2-hunter2-hunter2"])
    plain, over = record(), v3(detail="waiting_for_user")
    text = "log in with hunter2-hunter2-hunter2"
    before, known = sent_to(seen(over, plain, messages=TALK), plain, text=text)
    talk = [*TALK, said("user", redaction.as_returned(text), 3), said("devin", "fine", 4)]

    assert redaction.as_returned(text) != text
    assert seen(over, known, previous=before, messages=talk).phase is Phase.YOUR_TURN


@pytest.mark.parametrize("known", [KNOWN, record()], ids=["with a schema", "without"])
def test_a_state_that_is_older_than_the_word_or_the_send_is_not_believed_for_a_minute(known):
    first = seen(v3(detail="waiting_for_user"), known, messages=TALK)
    answers = [said("user", "and the tests?", 3), said("devin", "on it", 4, THEN + timedelta(seconds=1))]
    for updated_at, word in ((1_700_000_060, answers[-1]), (1_700_000_062, said("devin", "on it", 4))):
        before, sent = sent_to(first, known, updated_at=updated_at)
        old = {"known": sent, "previous": before, "messages": [*TALK, answers[0], word]}

        assert seen(v3(detail="waiting_for_user"), **old, at=NOW + timedelta(seconds=40)).phase is Phase.QUEUED
        assert seen(v3(detail="waiting_for_user"), **old, at=NOW + timedelta(seconds=61)).phase is Phase.YOUR_TURN
        assert seen(v3(), **old, at=NOW + timedelta(seconds=40)).phase is Phase.WORKING


def test_old_messages_of_a_service_whose_clock_is_ahead_answer_nothing():
    ahead = NOW + timedelta(hours=3)
    conversation = [said("user", "audit", 1, ahead), said("devin", "found two", 2, ahead)]
    before, known = sent_to(seen(DONE, messages=conversation))

    assert seen(DONE, known, previous=before, messages=conversation).phase is Phase.QUEUED


def test_steering_a_working_session_ends_with_its_turn():
    before, known = sent_to(seen(v3()), updated_at=1_700_000_060)
    still = seen(v3(), known, previous=before)
    over = seen(v3(detail="waiting_for_user"), known, previous=still)

    assert (before.phase, still.phase, over.phase) == (Phase.WORKING, Phase.WORKING, Phase.YOUR_TURN)


def test_a_session_that_was_woken_counts_from_the_first_sign_of_life():
    asleep = seen(v3(status="suspended", detail="inactivity"), messages=TALK)
    before, known = sent_to(asleep)

    assert seen(v3(status="suspended", detail="inactivity"), known, previous=before).phase is Phase.QUEUED
    assert seen(v3(status="resuming", detail=None), known, previous=before).phase is Phase.QUEUED


def test_an_ended_session_is_not_kept_open_by_a_message(pending):
    before, known = pending

    assert seen(v3(status="error", detail=None), known, previous=before).phase is Phase.FAILED


def test_a_block_that_a_message_did_not_lift_is_believed_after_a_minute():
    blocked = v3(status="suspended", detail="out_of_credits")
    before, known = sent_to(seen(blocked))
    soon = seen(blocked, known, previous=before, at=NOW + timedelta(seconds=5))
    later = seen(blocked, known, previous=soon, at=NOW + timedelta(seconds=61))

    assert soon.phase is Phase.QUEUED
    assert later.phase is Phase.BLOCKED


def test_v1_tells_the_new_turn_by_its_messages():
    known = record(api_version="v1", schema={"type": "object"})
    raw = {"session_id": "devin-" + HEX, "status": "running", "status_enum": "blocked", "structured_output": ANSWER}
    before, known = sent_to(observe(raw, known, at=NOW, messages=TALK), known, updated_at=None)
    conversation = [*TALK, said("user", "and the tests?", 3), said("devin", "fine", 4)]

    assert seen(raw, known, previous=before).phase is Phase.QUEUED
    later = NOW + timedelta(seconds=11)
    assert seen(raw, known, at=later, previous=before, messages=conversation).phase is Phase.YOUR_TURN


# --- ended by us ------------------------------------------------------------------------------------------------


def test_a_session_that_we_ended_is_stopped_and_one_that_was_done_before_stays_done():
    over = v3(status="exit", detail=None, structured_output=ANSWER)

    assert seen(v3(status="exit", detail=None), replace(KNOWN, terminated=True)).phase is Phase.STOPPED
    assert seen(over, KNOWN).phase is Phase.DONE


# --- nothing raises ---------------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("version", ["v3", "v1"])
@settings(max_examples=2 * settings().max_examples)
@given(data=st.data())
def test_no_json_in_any_field_can_raise(version, data):
    names = sorted(KNOWN_KEYS[version])
    raw = data.draw(st.dictionaries(st.sampled_from([*names, "new_field"]), json_values))
    known = record(api_version=version, schema={})
    first = observe(raw, known, at=NOW)
    note = note_send(first, "x", at=NOW, answer=raw)
    second = seen(raw, replace(known, sent=note), previous=after_send(first))

    assert isinstance(first.phase, Phase)
    assert isinstance(second.phase, Phase)
    assert isinstance(hash(first.phase) ^ hash(second.session_id), int)


@settings(max_examples=2 * settings().max_examples)
@given(
    raw=st.dictionaries(
        st.sampled_from(["event_id", "source", "type", "message", "created_at", "timestamp"]), json_values
    )
)
def test_no_message_can_raise(raw):
    message = read_message(raw)

    assert isinstance(message.text, str)
    assert isinstance(message.event_id, str)


def test_an_answer_without_an_id_keeps_the_one_that_was_asked_for():
    before = seen(v3())

    assert seen({"status": "running"}, previous=before).session_id == "devin-" + HEX


def test_unknown_fields_and_values_are_kept_as_they_came():
    snapshot = seen(v3(status="dreaming", detail="vividly", is_advanced=True, devin_mode="swe-2-max"))

    assert (snapshot.status, snapshot.status_detail, snapshot.mode) == ("dreaming", "vividly", "swe-2-max")
    assert snapshot.extra == {"is_advanced": True}
    assert snapshot.phase is Phase.WORKING
