"""The reviews of a batch's pull requests: requested once each, their state in its frame."""

from __future__ import annotations

from typing import Any

import pytest
from clients import devin

from devin_jupyter import Devin
from devin_jupyter.errors import BudgetExceeded, Forbidden, OptionError
from devin_jupyter.simulator import sessions

__all__ = ["devin"]
REVIEW = "POST /v3/organizations/{org_id}/pr-reviews"


@pytest.fixture
def batch(devin: Devin) -> Any:
    repos = [f"acme/{name}" for name in ("api", "web", "billing")]
    made = devin.map("Fix the tests of {{ row }}", repos, repos=["{{ row }}"], max_acu=20, name="fix")
    return made.wait(60)


def test_open_pull_requests_are_reviewed_once_and_show_in_the_frame(batch: Any, simulator: Any) -> None:
    assert batch.frame()["review_status"].isna().all()
    assert batch.review(limit=1).notice == "1 requested"
    assert batch.frame()["review_status"].notna().sum() == 1
    assert batch.review().notice == "2 requested, 1 requested before"
    assert simulator.requests(REVIEW) == 3
    simulator.clock(100)
    assert batch.review().notice == "3 requested before"
    assert set(batch.frame()["review_status"]) <= {"completed", "errored"}
    assert batch.review(limit=0).notice == "no pull request is open"
    assert simulator.requests(REVIEW) == 3


def test_an_open_pull_request_is_open_in_whatever_case(
    devin: Devin, simulator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions.Pull, "state", lambda *_: "OPEN")
    made = devin.map("Fix {{ row }}", ["acme/api"], repos=["{{ row }}"], max_acu=20, name="loud").wait(60)
    assert made.review().notice == "1 requested"


def test_a_refusal_of_all_is_raised_and_of_some_is_counted(batch: Any, simulator: Any) -> None:
    fault = {"method": "POST", "route": REVIEW.removeprefix("POST "), "kind": "status", "status": 403}
    simulator.faults({**fault, "times": 1})
    assert "2 requested, 1 failed" in batch.review().notice
    simulator.faults(fault)
    with pytest.raises(Forbidden):
        batch.review(take="2")


def test_many_reviews_need_a_limit(devin: Devin, simulator: Any) -> None:
    many = devin.map("Fix {{ row }}", [f"acme/r{n}" for n in range(11)], repos=["{{ row }}"], max_acu=20, name="many")
    many.wait(90)
    with pytest.raises(OptionError, match="11 open pull requests"):
        many.review()
    assert simulator.requests(REVIEW) == 0
    assert many.review(limit=11).notice == "11 requested"


def test_under_a_budget_of_the_batch_no_review_is_requested(devin: Devin, simulator: Any) -> None:
    repos = ["acme/api", "acme/web"]
    made = devin.map("Fix {{ row }}", repos, repos=["{{ row }}"], max_acu=20, budget=100, name="capped").wait(60)
    with pytest.raises(BudgetExceeded, match="budget of the batch capped is 100 ACU, and the service does not say"):
        made.review()
    assert simulator.requests(REVIEW) == 0
    again = devin.map("Fix {{ row }}", repos, repos=["{{ row }}"], max_acu=20, name="capped").wait(60)
    assert again.review().notice == "2 requested"
