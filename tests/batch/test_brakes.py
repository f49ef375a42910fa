"""What slows a batch down, what pauses it, and what is refused before it spends."""

from __future__ import annotations

from typing import Any

import pytest

from devin_jupyter.batches.brakes import StopLoss, Throttle
from devin_jupyter.batches.money import check_caps, cost_line
from devin_jupyter.batches.plan import Item, make_plan
from devin_jupyter.errors import BudgetExceeded
from devin_jupyter.models.phase import Phase
from devin_jupyter.models.snapshot import Snapshot, Where
from devin_jupyter.options import from_keywords

WHERE = Where("https://api.devin.ai", "org-1", "v3")


def ended(phase: Phase = Phase.DONE, acus: float | None = 1.0, **fields: Any) -> Snapshot:
    return Snapshot(session_id="devin-1", url="https://app.devin.ai/sessions/1", phase=phase, acus=acus, **fields)


def items(count: int, cap: int | None = None) -> tuple[Item, ...]:
    said = from_keywords(each=[1], schema="none", max_acu=cap)
    return make_plan("{{ row }}", range(count), said, where=WHERE).items


def test_five_failures_in_a_row_pause() -> None:
    brakes = StopLoss()

    reasons = [brakes.ended(ended(Phase.FAILED)) for _ in range(5)]

    assert reasons[:4] == [None] * 4
    assert "5 rows in a row failed" in (reasons[4] or "")


def test_a_success_between_failures_starts_the_count_again() -> None:
    brakes = StopLoss()

    reasons = [brakes.ended(ended(phase)) for phase in [Phase.FAILED] * 4 + [Phase.DONE] + [Phase.STOPPED] * 4]

    assert reasons == [None] * 9


def test_a_question_neither_fails_nor_succeeds() -> None:
    brakes = StopLoss(failures=2)

    assert brakes.ended(ended(Phase.FAILED)) is None
    assert brakes.ended(ended(Phase.YOUR_TURN)) is None
    assert brakes.ended(ended(Phase.FAILED)) is not None


def test_a_report_of_failure_counts_as_one() -> None:
    brakes = StopLoss(failures=1)
    output = {"outcome": "failed", "summary": "no tests", "question": None}

    assert brakes.ended(ended(structured_output=output)) is not None


def test_starts_that_are_refused_count_as_failures() -> None:
    brakes = StopLoss(failures=2)

    assert brakes.refused("422") is None
    assert "could not be started: 422" in (brakes.refused("422") or "")


def test_an_exhausted_account_pauses_at_once_and_a_session_at_its_own_cap_does_not() -> None:
    assert "out_of_credits" in (StopLoss().ended(ended(Phase.BLOCKED, status_detail="out_of_credits")) or "")
    assert StopLoss().ended(ended(Phase.BLOCKED, status_detail="usage_limit_exceeded")) is None


def test_a_median_above_the_limit_pauses_once_there_are_three_costs() -> None:
    brakes = StopLoss(median_acus=2.0)

    reasons = [brakes.ended(ended(acus=cost)) for cost in (3.0, None, 9.0, 1.0)]

    assert reasons[:3] == [None] * 3
    assert "half of the 3 sessions so far cost 3.00 ACU or more; the limit is 2" in (reasons[3] or "")
    brakes.reset()
    assert brakes.ended(ended(acus=9.0)) is None


def test_429_halves_the_pace_waits_as_asked_and_recovers() -> None:
    now = [100.0]
    throttle = Throttle(8, clock=lambda: now[0])
    assert throttle.notice is None

    throttle.slow_down("the service answered 429", 12.0)

    assert (throttle.at_a_time, throttle.pause_seconds) == (4, 12.0)
    assert throttle.notice == "slowed to 4 at a time: the service answered 429, next start in 12 s"
    now[0] += 12
    for _ in range(4):
        throttle.went_well()
    assert (throttle.at_a_time, throttle.pause_seconds, throttle.notice) == (8, 0, None)


@pytest.mark.parametrize(("asked", "first"), [(None, [2, 4, 8, 16]), (1.0, [1, 2, 4, 8]), (0.0, [1, 2, 4, 8])])
def test_the_pause_doubles_for_as_long_as_the_service_says_no(asked: float | None, first: list[int]) -> None:
    now = [0.0]
    throttle = Throttle(1, clock=lambda: now[0])

    pauses = []
    for _ in range(9):
        throttle.slow_down("429", asked)
        pauses.append(throttle.pause_seconds)
        now[0] += throttle.pause_seconds

    assert pauses[:4] == first
    assert max(pauses) == 120
    assert throttle.at_a_time == 1


def test_a_longer_wait_that_the_service_asks_for_is_kept() -> None:
    throttle = Throttle(1, clock=lambda: 0.0)

    throttle.slow_down("429", 300.0)

    assert throttle.pause_seconds == 300


def test_answers_to_what_was_sent_before_the_wait_slow_down_once() -> None:
    throttle = Throttle(8, clock=lambda: 0.0)

    for asked in (1.0, 1.0, 3.0, 1.0):
        throttle.slow_down("429", asked)

    assert (throttle.streak, throttle.at_a_time, throttle.pause_seconds) == (1, 4, 3.0)


def test_ten_rows_may_run_without_a_cap_and_eleven_may_not() -> None:
    check_caps(items(10), None)
    with pytest.raises(BudgetExceeded) as refused:
        check_caps(items(11), None)

    assert "11 × 5 = 55 ACU" in refused.value.message
    assert "--max-acu" in refused.value.hint
    assert "--budget" in refused.value.hint


def test_with_a_cap_any_number_may_run() -> None:
    check_caps(items(40, cap=5), None)

    assert cost_line(items(40, cap=5), 100) == "40 × 5 = 200 ACU at most; budget 100 ACU"


def test_a_budget_needs_a_cap_on_each_session_and_says_which_fits() -> None:
    with pytest.raises(BudgetExceeded, match="needs one") as refused:
        check_caps(items(3), 10)
    assert "--max-acu 3 lets all 3 run under it" in refused.value.hint

    with pytest.raises(BudgetExceeded) as refused:
        check_caps(items(20), 10)
    assert "below 1 ACU" in refused.value.hint
