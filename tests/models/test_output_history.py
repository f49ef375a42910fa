"""Interim outputs are kept with their times; the answer is the last of them, marked as final."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from devin_jupyter.models.enums import Phase
from devin_jupyter.models.snapshot import OutputVersion, Snapshot, output_history

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
BLANK = Snapshot(session_id="devin-1", url="https://app.devin.ai/sessions/1", phase=Phase.WORKING, observed_at=NOON)


def seen(minute, value, *, phase=Phase.WORKING):
    over = phase.turn_over
    at = NOON + timedelta(minutes=minute)
    return replace(
        BLANK, observed_at=at, structured_output=value, phase=phase, output_is_fresh=over, output_is_valid=over
    )


def history(*snapshots):
    found = ()
    for snapshot in snapshots:
        found = output_history(found, snapshot)
    return found


def test_a_session_without_output_has_no_history():
    assert history(BLANK, BLANK) == ()


def test_every_change_is_kept_with_the_time_it_was_first_seen():
    found = history(BLANK, seen(1, {"n": 1}), seen(2, {"n": 1}), seen(3, {"n": 2}))

    assert found == (
        OutputVersion(NOON + timedelta(minutes=1), {"n": 1}, False),
        OutputVersion(NOON + timedelta(minutes=3), {"n": 2}, False),
    )


def test_an_interim_output_that_stays_becomes_the_answer():
    found = history(seen(1, {"n": 1}), seen(2, {"n": 1}, phase=Phase.DONE), seen(3, {"n": 1}, phase=Phase.DONE))

    assert found == (OutputVersion(NOON + timedelta(minutes=1), {"n": 1}, True),)
