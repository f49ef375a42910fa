"""Reviews of pull requests are paid acts too: each is requested once, whatever happens to the cell or the response.

A review is known by the URL of its pull request and its take. The service has no list of reviews: a lost answer is
settled by asking for the review of the newest commit. What was asked for before a newer commit cannot be found so, and
is not asked for again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from devin_jupyter.api.organization import Reviews, pull_request_url
from devin_jupyter.errors import (
    ApiError,
    BudgetExceeded,
    ConnectionTrouble,
    CreateUncertain,
    DevinError,
    NotFound,
    OptionError,
)
from devin_jupyter.idempotency.create import Creator
from devin_jupyter.idempotency.once import Attempt, PaidAct, in_seconds, once, shielded
from devin_jupyter.journal.intents import name_of
from devin_jupyter.journal.reviews import ABSENT, Identity, PaidReview, review_lease
from devin_jupyter.models.enums import REVIEW_STATUS
from devin_jupyter.models.fields import spelled
from devin_jupyter.models.snapshot import notebook_scope, parse_time
from devin_jupyter.text import format_utc


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A review of a pull request, as last seen. What it says stands in the comments of the pull request."""

    pr_url: str
    status: str
    """`pending`, `running`, `completed`, `errored`, or what else the service says."""
    commit_sha: str
    created_at: datetime | None
    """When it was requested, UTC."""
    how: str
    """`requested`, `attached` (it was there) or `adopted` (ours, whose answer had been lost)."""
    take: str | None = None
    notice: str | None = None
    """A line worth printing."""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The service's answer."""

    def __repr__(self) -> str:
        about = [self.status, f"commit {self.commit_sha[:9]}", f"requested {format_utc(self.created_at)}"]
        return f"<Review {self.pr_url}: {', '.join(about)}{f'; {self.notice}' if self.notice else ''}>"


class Reviewer:
    """Requests reviews exactly once. Any number of kernels share the journal."""

    def __init__(self, reviews: Reviews, creator: Creator) -> None:
        self.reviews, self.creator = reviews, creator

    async def review(
        self,
        pr_url: str,
        *,
        take: str | int | None = None,
        notebook: str | None = None,
        batch: str | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> Review:
        """Request the review of a pull request, or attach to the one there is.

        When the caller is cancelled, a POST in flight is still completed and written down.

        Args:
            pr_url: its address.
            take: a further review, of a newer commit for example.
            notebook: whose budget counts.
            batch: the scope of a batch whose budget counts too.
            say: told what is waited for, on the loop's thread.

        Raises:
            OptionError: no such URL; nothing was sent.
            Halted, BudgetExceeded: a check refused it; nothing was paid.
            CreateUncertain: it is not known whether a review was requested.
            DevinError: the service refused, or could not be reached; nothing was requested.
        """
        label = _label(take)
        url, place = pull_request_url(pr_url), await self._place()
        scopes = [notebook_scope(notebook)] if notebook is not None else []
        call = ReviewCall(self, url, place, label, [*scopes, *([batch] if batch is not None else [])])
        attempt = Attempt(self.creator.timing, say)
        return await shielded(once(call, self.creator.journal, attempt), attempt)

    async def urls(self) -> list[str]:
        """Return the pull requests whose reviews were requested from this machine, the newest first."""
        known = await asyncio.to_thread(self.creator.journal.reviews.all, await self._place())
        return list(dict.fromkeys(review.pr_url for review in known))

    async def _place(self) -> str:
        where = await self.creator.where()
        return f"{where.base_url} {where.org_id}"


class ReviewCall(PaidAct[PaidReview, Mapping[str, Any], Review]):
    """Requesting one review."""

    orphan_notice = "an earlier kernel was about to request this review; checking whether it did"

    def __init__(self, reviewer: Reviewer, url: str, place: str, take: str | None, scopes: Sequence[str]) -> None:
        self._reviews, self._creator = reviewer.reviews, reviewer.creator
        self._journal, self._timing = self._creator.journal, self._creator.timing
        self.url, self._place, self._take, self._scopes = url, place, take, scopes
        self.key = hashlib.sha256(json.dumps([place, url, take]).encode()).hexdigest()
        self.lease_name = review_lease(self.key)
        self._before: Identity | None = None
        self._is_absent = False

    async def known(self) -> Review | None:
        """Return the review that the journal has, in its present state."""
        kept = await asyncio.to_thread(self._journal.reviews.get, self.key)
        if kept is None or kept.made is None:
            return None
        made, note = kept.made, ""
        sha = str(made.get("commit_sha"))
        try:
            newest = await self._newest()
            if newest is None or newest.get("commit_sha") != sha:
                note = "the pull request has a newer commit"
                newest = await self._reviews.get(self.url, sha)
            made = newest
        except (ApiError, ConnectionTrouble) as problem:  # what was paid for is known all the same
            note = f"as of its request: {problem.message}"
        moment = format_utc(parse_time(made.get("created_at")) or kept.written_at)
        notice = f"attached to the review of {moment}; take={_next(self._take)!r} requests another"
        return self._review(made, "attached", "; ".join(filter(None, [note, notice])))

    async def pending(self) -> PaidReview | None:
        """Return the review that an earlier process was about to request."""
        kept = await asyncio.to_thread(self._journal.reviews.get, self.key)
        return kept if kept is not None and kept.posts and kept.made is None else None

    async def look(self, orphan: PaidReview | None) -> Review | None:
        """Attach to a review of the newest commit that was requested elsewhere; a later take asks for another.

        Raises:
            CreateUncertain: an earlier process died before it could ask for what its POST had made.
        """
        if orphan is not None and orphan.known_before != ABSENT:
            moment = format_utc(parse_time(orphan.written_at))
            raise CreateUncertain(
                f"it is not known whether a kernel that ended requested this review on {moment}",
                "the newest commit has none, but one of that time may; another may cost ACUs",
                f"look at the pull request; take={_next(self._take)!r} requests one all the same",
            )
        found = await self._newest()
        self._before = None if found is None else _identity(found)
        if found is None or self._take is not None:
            return None
        now = self._timing.now()
        kept = PaidReview(
            key=self.key,
            place=self._place,
            pr_url=self.url,
            take=None,
            written_at=now,
            posts=1,
            known_before=None,
            made=found,
        )
        await asyncio.to_thread(self._journal.reviews.requested, kept, found)
        moment = format_utc(parse_time(found.get("created_at")))
        notice = f"the newest commit has a review of {moment}; take={_next(None)!r} requests another"
        return self._review(found, "attached", notice)

    async def reserve(self, attempt: Attempt) -> PaidReview:
        """Check the halt flag and the budgets of the notebook and the batch; write the review down.

        Raises:
            BudgetExceeded: there is a budget, and nobody knows what a review costs.
        """
        for scope in self._scopes:
            account = await asyncio.to_thread(self._journal.budgets.account, scope)
            if account.limit is not None:
                without = "lift the budget (%devin budget --off), or request the review from a notebook without one"
                if not scope.startswith("notebook "):
                    without = "run the batch again without a budget, or request single reviews with dj.review(URL)"
                raise BudgetExceeded(
                    f"{name_of(scope)} is {account.limit:g} ACU, and the service does not say what a review costs",
                    "nothing was sent and nothing was paid",
                    without,
                )
        journal, now = self._journal.reviews, self._timing.now()
        return await asyncio.to_thread(
            lambda: journal.write(self.key, self._place, self.url, self._take, known_before=self._before, now=now)
        )

    async def prepare(self, intent: PaidReview) -> None:
        """There is nothing to prepare."""

    async def post(self, intent: PaidReview, lease: str) -> Mapping[str, Any]:
        """Count the POST in the journal, then send it."""
        now = self._timing.now()
        await asyncio.to_thread(self._journal.reviews.about_to_post, intent, lease, now=now)
        self._timing.refuse_if_late(now)
        return await self._reviews.create(self.url)

    async def find(self, intent: PaidReview) -> Mapping[str, Any] | None:
        """Return the review of the newest commit, unless it was there before.

        Raises:
            CreateUncertain: that one is all there is: whether the service joined it cannot be told.
        """
        found = await self._newest()
        if found is None and intent.known_before not in (None, ABSENT):
            raise CreateUncertain(
                "it is not known whether a further review was requested",
                f"{self.url} has a newer commit since, which has none; another may cost ACUs",
                "look at the comments of the pull request; another take= requests one more",
            )
        if found is not None and _identity(found) == intent.known_before:
            raise CreateUncertain(
                "it is not known whether a further review was requested",
                f"the newest commit of {self.url} shows the review of before; another may cost ACUs",
                "look at the comments of the pull request; another take= requests one more",
            )
        return found

    async def confirm(self, intent: PaidReview, made: Mapping[str, Any], how: str) -> Review:
        """Keep that the review was requested."""
        await asyncio.to_thread(self._journal.reviews.requested, intent, made)
        if how == "created":
            return self._review(made, "requested", None)
        return self._review(made, "adopted", "the answer was lost; the service shows one review")

    async def clear(self, intent: PaidReview) -> None:
        """Forget the review: it was not requested."""
        await asyncio.to_thread(self._journal.reviews.clear, intent.key)

    async def note_absence(self, intent: PaidReview) -> None:
        """Write down that there is no review: a rerun may request it, whatever is committed in between."""
        await asyncio.to_thread(self._journal.reviews.absent, intent.key)
        self._is_absent = True

    def uncertain(self, problem: DevinError, seconds: float) -> CreateUncertain:
        """Return the error that says what to check."""
        again = "checks first, and requests one only if there is none"
        showed = "showed none" if self._is_absent else "did not tell"
        again = again if self._is_absent else f"looks for it once more; take={_next(self._take)!r} requests another"
        return CreateUncertain(
            f"it is not known whether the review was requested: {problem.message}",
            f"{in_seconds(seconds)} of asking for it {showed}; one costs ACUs",
            f"look at the pull request; running it again {again}",
        )

    async def _newest(self) -> Mapping[str, Any] | None:
        try:
            return await self._reviews.get(self.url)
        except NotFound:
            return None

    def _review(self, made: Mapping[str, Any], how: str, notice: str | None) -> Review:
        return Review(
            pr_url=self.url,
            status=str(spelled(made.get("status"), REVIEW_STATUS)),
            commit_sha=str(made.get("commit_sha") or ""),
            created_at=parse_time(made.get("created_at")),
            how=how,
            take=self._take,
            notice=notice,
            raw=made,
        )


def _identity(review: Mapping[str, Any]) -> Identity:
    return str(review.get("commit_sha")), str(review.get("created_at"))


def _label(take: str | int | None) -> str | None:
    if take is None or str(take) == "1":
        return None
    if not isinstance(take, (str, int)) or isinstance(take, bool) or not str(take).strip():
        raise OptionError(f"take={take!r} is no label", "nothing was sent", 'give take="2"')
    return str(take).strip()


def _next(take: str | None) -> str:
    return str(int(take) + 1) if take is not None and take.isdecimal() else "2"
