"""A review of a pull request is requested once, whatever happens to the kernel, the journal or the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clients import devin

from devin_jupyter import Devin
from devin_jupyter.api.organization import Reviews
from devin_jupyter.errors import (
    BudgetExceeded,
    CreateUncertain,
    Forbidden,
    Halted,
    NotFound,
    OptionError,
    ServerError,
    Unsupported,
)
from devin_jupyter.idempotency.reviews import Reviewer
from devin_jupyter.journal import Journal
from devin_jupyter.models.snapshot import notebook_scope
from devin_jupyter.simulator import v3_organization

PR = "https://github.com/acme/api/pull/12"
ROUTE = "/v3/organizations/{org_id}/pr-reviews"
POST = {"method": "POST", "route": ROUTE}
NOTEBOOK = "/work/audit.ipynb"
__all__ = ["devin"]


@pytest.fixture
def reviewer(kernel: Callable[..., Any]) -> Callable[..., Reviewer]:
    """Make what one kernel requests reviews with; without a journal of their own they share one."""

    def make(journal: Journal | None = None, kind: type[Reviews] = Reviews, **options: Any) -> Reviewer:
        one = kernel(journal, **options)
        return Reviewer(kind(one.service), one.creator)

    return make


def posts(simulator: Any) -> int:
    return int(simulator.requests(f"POST {ROUTE}"))


async def test_a_rerun_attaches_and_shows_the_present_state(reviewer: Any, simulator: Any) -> None:
    first = await reviewer().review(PR)
    assert (first.how, first.status, first.notice) == ("requested", "pending", None)
    simulator.clock(1000)
    again = await reviewer().review(PR + "/files")
    assert (again.how, again.status, again.commit_sha) == ("attached", "completed", first.commit_sha)
    assert "take='2' requests another" in again.notice
    assert posts(simulator) == 1
    assert await reviewer().urls() == [PR]
    assert f"{PR}: completed" in repr(again)


async def test_a_state_in_other_case_is_the_known_one(
    reviewer: Any, simulator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = v3_organization._review
    monkeypatch.setattr(v3_organization, "_review", lambda *asked: {**real(*asked), "status": "Completed"})
    assert (await reviewer().review(PR)).status == "completed"


async def test_a_lost_answer_is_settled_by_asking_for_the_review(reviewer: Any, simulator: Any) -> None:
    simulator.faults({**POST, "kind": "drop_after", "times": 1})
    found = await reviewer().review(PR)
    assert (found.how, posts(simulator)) == ("adopted", 1)
    simulator.faults()
    assert (await reviewer().review(PR)).how == "attached"
    assert posts(simulator) == 1


@pytest.mark.parametrize("fault", [{"kind": "drop_before"}, {"kind": "status", "status": 503}])
async def test_a_request_that_never_arrived_is_posted_again(reviewer: Any, simulator: Any, fault: Any) -> None:
    simulator.faults({**POST, **fault, "times": 2})
    assert (await reviewer().review(PR)).how == "requested"
    assert posts(simulator) == 3


async def test_three_lost_posts_end_in_uncertainty_and_the_next_run_looks_first(reviewer: Any, simulator: Any) -> None:
    simulator.faults({**POST, "kind": "drop_before"})
    one = reviewer()
    with pytest.raises(CreateUncertain, match="whether the review was requested"):
        await one.review(PR)
    assert posts(simulator) == 3
    (line,) = one.creator.journal.undecided()
    assert PR in line
    simulator.faults()
    assert (await one.review(PR)).how == "requested"
    assert one.creator.journal.undecided() == []


class Dying(Reviews):
    """Looks once, before the POST; the kernel is gone when it looks for what the POST has made."""

    looks = 0

    async def get(self, pr_url: str, commit_sha: str | None = None) -> Any:
        self.looks += 1
        if self.looks > 1:
            raise RuntimeError("the kernel is gone")
        return await super().get(pr_url, commit_sha)


async def test_what_a_dead_kernel_requested_is_adopted(reviewer: Any, simulator: Any) -> None:
    simulator.faults({**POST, "kind": "drop_after", "times": 1})
    one = reviewer(kind=Dying)
    with pytest.raises(RuntimeError, match="gone"):
        await one.review(PR)
    found = await reviewer().review(PR)
    assert (found.how, posts(simulator)) == ("adopted", 1)


async def test_what_a_dead_kernel_requested_before_a_newer_commit_is_not_requested_again(
    reviewer: Any, simulator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service has no list of reviews, and the one for the earlier commit is not found by the newest."""
    simulator.faults({**POST, "kind": "drop_after", "times": 1})
    one = reviewer(kind=Dying)
    with pytest.raises(RuntimeError, match="gone"):
        await one.review(PR)
    simulator.faults()
    push(monkeypatch)
    for _ in range(2):
        with pytest.raises(CreateUncertain, match=r"a kernel that ended requested this review on .* UTC") as refused:
            await reviewer().review(PR)
        assert "take='2'" in str(refused.value)
    assert posts(simulator) == 1
    assert (await reviewer().review(PR, take="2")).how == "requested"


async def test_a_further_take_of_a_dead_kernel_is_not_requested_again_after_a_newer_commit(
    reviewer: Any, simulator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await reviewer().review(PR)
    simulator.faults({**POST, "kind": "drop_after", "times": 1})
    one = reviewer(kind=Dying)
    with pytest.raises(RuntimeError, match="gone"):
        await one.review(PR, take="2")
    simulator.faults()
    push(monkeypatch)
    with pytest.raises(CreateUncertain, match="a newer commit since"):
        await reviewer().review(PR, take="2")
    assert posts(simulator) == 2


async def test_lost_posts_that_were_looked_for_do_not_hold_up_the_review_of_a_newer_commit(
    reviewer: Any, simulator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator.faults({**POST, "kind": "drop_before"})
    with pytest.raises(CreateUncertain, match="requests one only if there is none"):
        await reviewer().review(PR)
    simulator.faults()
    push(monkeypatch)
    assert (await reviewer().review(PR)).how == "requested"
    assert posts(simulator) == 4


def push(monkeypatch: pytest.MonkeyPatch) -> None:
    """Push a commit to every pull request of the simulator."""
    monkeypatch.setattr(v3_organization, "_head", lambda sim, path, number: f"{number:040x}")


async def test_two_kernels_at_once_request_one(reviewer: Any, simulator: Any) -> None:
    found = await asyncio.gather(*(reviewer().review(PR) for _ in range(4)))
    assert sorted(one.how for one in found) == ["attached", "attached", "attached", "requested"]
    assert posts(simulator) == 1


async def test_another_machine_attaches_to_it(reviewer: Any, simulator: Any, folder: Path) -> None:
    await reviewer().review(PR)
    other = await reviewer(Journal(folder / "other")).review(PR)
    assert (other.how, posts(simulator)) == ("attached", 1)
    assert "the newest commit has a review" in other.notice


async def test_a_further_take_is_asked_for_once(reviewer: Any, simulator: Any) -> None:
    await reviewer().review(PR)
    assert (await reviewer().review(PR, take=2)).how == "requested"
    again = await reviewer().review(PR, take="2")
    assert (again.how, again.take, posts(simulator)) == ("attached", "2", 2)
    assert "take='3'" in again.notice


async def test_a_lost_answer_to_a_further_take_is_not_asked_for_again(reviewer: Any, simulator: Any) -> None:
    """The service shows one review for the commit: whether it joined the second request cannot be told."""
    await reviewer().review(PR)
    simulator.faults({**POST, "kind": "drop_after", "times": 1})
    with pytest.raises(CreateUncertain, match="a further review"):
        await reviewer().review(PR, take="2")
    assert posts(simulator) == 2


async def test_a_refusal_leaves_nothing_undecided(reviewer: Any, simulator: Any) -> None:
    one = reviewer()
    with pytest.raises(NotFound):
        await one.review("https://github.com/unconnected/api/pull/1")
    simulator.faults({**POST, "kind": "status", "status": 403})
    with pytest.raises(Forbidden, match="UseReviewManual at organization level; no review was requested"):
        await one.review(PR)
    assert one.creator.journal.undecided() == []
    simulator.faults()
    with pytest.raises(OptionError, match="not the URL of a pull request"):
        await one.review("acme/api#12")
    with pytest.raises(OptionError, match="no label"):
        await one.review(PR, take=" ")
    with pytest.raises(Unsupported, match="v1 has no reviews"):
        await reviewer(api_version="v1", api_key=simulator.v1_key).review(PR)
    assert await one.urls() == []


async def test_a_halt_and_a_budget_refuse_it(reviewer: Any, simulator: Any) -> None:
    one = reviewer()
    one.creator.journal.budgets.set(notebook_scope(NOTEBOOK), 5.0, now=0.0)
    with pytest.raises(BudgetExceeded, match="does not say what a review costs"):
        await one.review(PR, notebook=NOTEBOOK)
    one.creator.journal.halt(now=0.0)
    with pytest.raises(Halted):
        await one.review(PR)
    assert posts(simulator) == 0


async def test_what_was_paid_for_is_known_where_the_service_cannot_be_asked(reviewer: Any, simulator: Any) -> None:
    one = reviewer()
    made = await one.review(PR)
    simulator.faults({"method": "GET", "route": ROUTE, "kind": "status", "status": 500})
    again = await one.review(PR)
    assert (again.how, again.commit_sha) == ("attached", made.commit_sha)
    assert "as of its request" in again.notice


async def test_a_newer_commit_is_named(reviewer: Any, simulator: Any) -> None:
    one = reviewer()
    made = await one.review(PR)

    async def newest() -> None:
        return None

    from devin_jupyter.idempotency.reviews import ReviewCall

    call = ReviewCall(one, PR, f"{simulator.url} org-simulator", None, None)
    call._newest = newest  # type: ignore[method-assign]  # the simulator cannot be pushed to
    found = await call.known()
    assert found is not None
    assert found.commit_sha == made.commit_sha
    assert "a newer commit" in str(found.notice)


def test_the_blocking_client_requests_one_and_lists_it(devin: Devin, simulator: Any) -> None:
    assert devin.review(PR).how == "requested"
    assert devin.review(PR).how == "attached"
    frame = devin.reviews_frame()
    assert frame["pr_url"].tolist() == [PR]
    other = "https://github.com/acme/api/pull/99"
    both = devin.reviews_frame([PR, other, PR])
    assert both["status"].isna().tolist() == [False, True]
    assert both["repo"].tolist() == ["acme/api"] * 2
    assert both["number"].tolist() == [12, 99]
    simulator.faults({"method": "GET", "route": ROUTE, "kind": "status", "status": 500})
    assert devin.reviews_frame(PR)["error"].notna().all()
    simulator.faults()
    assert devin.journal.export()["reviews"]
    simulator.faults({**POST, "kind": "status", "status": 500})
    with pytest.raises(ServerError):
        devin.reviews.create(PR)
