"""What slows a batch down, what pauses it, and what is refused before it spends."""

from __future__ import annotations

from typing import Any

import pytest

from devin_jupyter.batches.gate import Gate
from devin_jupyter.batches.jobs import Job, check_caps, cost_line
from devin_jupyter.batches.plan import Item, make_plan
from devin_jupyter.errors import BadRequest, BudgetExceeded, ConnectionFailed
from devin_jupyter.models.enums import Phase
from devin_jupyter.models.snapshot import Snapshot, Where
from devin_jupyter.options import from_keywords

WHERE = Where("https://api.devin.ai", "org-1", "v3")


def ended(phase: Phase = Phase.DONE, acus: float | None = 1.0, **fields: Any) -> Snapshot:
    return Snapshot(session_id="devin-1", url="https://app.devin.ai/sessions/1", phase=phase, acus=acus, **fields)


def items(count: int, cap: int | None = None) -> tuple[Item, ...]:
    said = from_keywords(each=[1], schema="none", max_acu=cap)
    return make_plan("{{ row }}", range(count), said, where=WHERE).items


def after(gate: Gate, *snapshots: Snapshot) -> list[str | None]:
    """Why the gate is paused after each of these turns."""
    reasons = []
    for snapshot in snapshots:
        gate.turn_ended(snapshot)
        reasons.append(gate.paused)
    return reasons


def test_five_failures_in_a_row_pause() -> None:
    reasons = after(Gate(5), *[ended(Phase.FAILED)] * 5)

    assert reasons[:4] == [None] * 4
    assert "5 consecutive rows failed" in (reasons[4] or "")


def test_a_success_between_failures_starts_the_count_again() -> None:
    phases = [Phase.FAILED] * 4 + [Phase.DONE] + [Phase.STOPPED] * 4

    assert after(Gate(5), *map(ended, phases)) == [None] * 9


def test_a_question_neither_fails_nor_succeeds() -> None:
    reasons = after(Gate(5, max_failures=2), *map(ended, [Phase.FAILED, Phase.YOUR_TURN, Phase.FAILED]))

    assert [reason is None for reason in reasons] == [True, True, False]


def test_a_report_of_failure_counts_as_one() -> None:
    output = {"outcome": "failed", "summary": "no tests", "question": None}

    assert after(Gate(5, max_failures=1), ended(structured_output=output)) != [None]


def test_starts_that_are_refused_count_as_failures() -> None:
    gate = Gate(5, max_failures=2)

    gate.start_failed(BadRequest("422"), is_alone=False)
    assert gate.paused is None
    gate.start_failed(BadRequest("422"), is_alone=False)
    assert "could not be started: 422" in (gate.paused or "")


def test_an_exhausted_account_pauses_at_once_and_a_session_at_its_own_cap_does_not() -> None:
    (exhausted,) = after(Gate(5), ended(Phase.BLOCKED, status_detail="out_of_credits"))
    (own_cap,) = after(Gate(5), ended(Phase.BLOCKED, status_detail="usage_limit_exceeded"))

    assert "out_of_credits" in (exhausted or "")
    assert own_cap is None


def test_a_median_above_the_limit_pauses_once_there_are_three_costs() -> None:
    gate = Gate(5, max_median=2.0)

    reasons = after(gate, *(ended(acus=cost) for cost in (3.0, None, 9.0, 1.0)))

    assert reasons[:3] == [None] * 3
    assert "the median cost of the 3 sessions so far is 3.00 ACU; the limit is 2" in (reasons[3] or "")
    gate.resume()
    assert after(gate, ended(acus=9.0)) == [None]


def test_without_room_in_the_budget_it_waits_for_the_end_of_a_turn_and_pauses_where_none_is_open() -> None:
    gate = Gate(5)
    gate.start_failed(BudgetExceeded("9 of 9 ACU"), is_alone=False)
    assert (gate.paused, gate.notice) == (None, "waiting for room in the budget: 9 of 9 ACU")
    gate.turn_ended(ended())
    assert gate.notice is None

    gate.start_failed(BudgetExceeded("9 of 9 ACU"), is_alone=True)

    assert gate.notice == "paused: 9 of 9 ACU"


def test_a_service_that_stays_away_pauses() -> None:
    now = [0.0]
    gate = Gate(4, clock=lambda: now[0])

    for _ in range(5):
        gate.start_failed(ConnectionFailed("no line"), is_alone=False)
        now[0] += gate.seconds_closed
    assert gate.paused is None
    gate.start_failed(ConnectionFailed("no line"), is_alone=False)

    assert gate.paused == "no line (6 times)"


def test_a_retry_is_let_through_a_pause_until_something_ends_it() -> None:
    one, other = (Job(index, item) for index, item in enumerate(items(2)))
    gate = Gate(5)
    gate.pause("you said so")
    gate.pause("and again")
    assert gate.paused == "you said so"

    gate.retry([one])

    assert (gate.lets_through(one), gate.lets_through(other)) == (True, False)
    gate.pause("5 rows failed")
    assert (gate.lets_through(one), gate.paused) == (False, "5 rows failed")
    gate.resume()
    assert gate.lets_through(other)


def test_429_halves_the_pace_waits_as_asked_and_recovers() -> None:
    now = [100.0]
    gate = Gate(8, clock=lambda: now[0])
    assert gate.notice is None

    gate.slow_down("the service answered 429", 12.0)

    assert (gate.at_a_time, gate.seconds_closed) == (4, 12.0)
    assert gate.notice == "slowed to 4 at a time: the service answered 429, next start in 12 s"
    now[0] += 12
    for _ in range(4):
        gate.start_worked()
    assert (gate.at_a_time, gate.seconds_closed, gate.notice) == (8, 0, None)


@pytest.mark.parametrize(("asked", "first"), [(None, [2, 4, 8, 16]), (1.0, [1, 2, 4, 8]), (0.0, [1, 2, 4, 8])])
def test_the_pause_doubles_for_as_long_as_the_service_says_no(asked: float | None, first: list[int]) -> None:
    now = [0.0]
    gate = Gate(1, clock=lambda: now[0])

    pauses = []
    for _ in range(9):
        gate.slow_down("429", asked)
        pauses.append(gate.seconds_closed)
        now[0] += gate.seconds_closed

    assert pauses[:4] == first
    assert max(pauses) == 120
    assert gate.at_a_time == 1


def test_a_longer_wait_that_the_service_asks_for_is_kept() -> None:
    gate = Gate(1, clock=lambda: 0.0)

    gate.slow_down("429", 300.0)

    assert gate.seconds_closed == 300


def test_answers_to_what_was_sent_before_the_wait_slow_down_once() -> None:
    gate = Gate(8, clock=lambda: 0.0)

    for asked in (1.0, 1.0, 3.0, 1.0):
        gate.slow_down("429", asked)

    assert (gate.at_a_time, gate.seconds_closed) == (4, 3.0)


def test_ten_rows_may_run_without_a_cap_and_eleven_may_not() -> None:
    check_caps(items(10), None)
    with pytest.raises(BudgetExceeded) as refused:
        check_caps(items(11), None)

    assert "11 × 5 = 55 ACU" in refused.value.message
    assert "--max-acu" in refused.value.hint
    assert "--budget" in refused.value.hint


def test_with_a_cap_any_number_may_run() -> None:
    check_caps(items(40, cap=5), None)

    assert cost_line(items(40, cap=5), 100) == "at most 40 × 5 = 200 ACU, budget 100 ACU"


def test_a_budget_needs_a_cap_on_each_session_and_says_which_fits() -> None:
    with pytest.raises(BudgetExceeded, match="needs one") as refused:
        check_caps(items(3), 10)
    assert "--max-acu 3 lets all 3 run within it" in refused.value.hint

    with pytest.raises(BudgetExceeded) as refused:
        check_caps(items(20), 10)
    assert "below 1 ACU" in refused.value.hint


def test_a_very_long_wait_pauses_the_batch_until_a_person_resumes_it() -> None:
    gate = Gate(8, clock=lambda: 0.0)
    gate.slow_down("the service answered 429", 9999.0)

    assert gate.seconds_closed == 0
    assert gate.paused == "the service answered 429: the service asks for a pause of 167 min"
