"""Reviews of pull requests, recorded before they are requested, as sessions are."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from devin_jupyter.journal.database import Database
from devin_jupyter.journal.intents import LeaseLost, keep_lease, refuse_if_halted

Identity = tuple[str, str]
"""The commit of a review, and when it was requested, as the service says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidReview:
    """A review in the journal."""

    key: str
    place: str
    """The service and the organization."""
    pr_url: str
    take: str | None
    written_at: float
    posts: int
    known_before: Identity | None
    """The earlier review of the same commit, which is not this one."""
    made: Mapping[str, Any] | None
    """What the service answered; None while it is not known to have been requested."""


def review_lease(key: str) -> str:
    """Return the name under which one process at a time requests a review."""
    return f"review {key}"


ABSENT: Identity = ("", "none was there")
"""In place of the earlier review: after the last POST the service was asked, and showed no review."""


class Reviews:
    """The part of the journal that knows reviews."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: str) -> PaidReview | None:
        """Return a review that was requested or is under way."""
        found = self._database.row("SELECT * FROM reviews WHERE key = ?", key)
        return _review(found) if found else None

    def all(self, place: str) -> list[PaidReview]:
        """Return the reviews that were requested in an organization, the newest first."""
        query = "SELECT * FROM reviews WHERE place = ? AND made IS NOT NULL ORDER BY written_at DESC, key"
        return [_review(item) for item in self._database.rows(query, place)]

    def undecided(self) -> list[PaidReview]:
        """Return the reviews that were posted and are not known to have been requested."""
        found = self._database.rows("SELECT * FROM reviews WHERE made IS NULL AND posts > 0 ORDER BY written_at")
        return [_review(item) for item in found]

    def write(
        self, key: str, place: str, pr_url: str, take: str | None, *, known_before: Identity | None, now: float
    ) -> PaidReview:
        """Write down a review before it is requested.

        Raises:
            Halted: the halt flag is set.
        """
        before = None if known_before is None else json.dumps(known_before)
        with self._database.write("review", lasting=True) as db:
            refuse_if_halted(db)
            db.execute(
                "INSERT OR REPLACE INTO reviews (key, place, pr_url, take, written_at, known_before)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (key, place, pr_url, take, now, before),
            )
        return PaidReview(
            key=key,
            place=place,
            pr_url=pr_url,
            take=take,
            written_at=now,
            posts=0,
            known_before=known_before,
            made=None,
        )

    def about_to_post(self, review: PaidReview, lease: str, *, now: float) -> None:
        """Count a POST, right before it.

        Raises:
            Halted: the halt flag was set in the meantime.
            LeaseLost: another process requests this review, or the journal was replaced.
        """
        with self._database.write("review-about-to-post", lasting=True) as db:
            refuse_if_halted(db)
            if not keep_lease(db, review_lease(review.key), lease, now=now):
                raise LeaseLost
            changed = db.execute("UPDATE reviews SET posts = posts + 1 WHERE key = ? AND made IS NULL", (review.key,))
            if changed.rowcount == 0:
                raise LeaseLost

    def absent(self, key: str) -> None:
        """Note that the service was asked after the last POST of a review, and shows none."""
        with self._database.write("review-absent", lasting=True) as db:
            db.execute("UPDATE reviews SET known_before = ? WHERE key = ? AND made IS NULL", (json.dumps(ABSENT), key))

    def requested(self, review: PaidReview, made: Mapping[str, Any]) -> None:
        """Note that a review was requested, here or elsewhere."""
        with self._database.write("review-requested", lasting=True) as db:
            db.execute(
                "INSERT INTO reviews (key, place, pr_url, take, written_at, posts, made) VALUES (?, ?, ?, ?, ?, 1, ?)"
                " ON CONFLICT (key) DO UPDATE SET made = excluded.made",
                (review.key, review.place, review.pr_url, review.take, review.written_at, json.dumps(dict(made))),
            )

    def clear(self, key: str) -> None:
        """Forget a review that certainly was not requested."""
        with self._database.write("review-clear", lasting=True) as db:
            db.execute("DELETE FROM reviews WHERE key = ? AND made IS NULL", (key,))


def _review(found: sqlite3.Row) -> PaidReview:
    values = dict(found)
    before, made = values.pop("known_before"), values.pop("made")
    known = None if before is None else (str(json.loads(before)[0]), str(json.loads(before)[1]))
    return PaidReview(**values, known_before=known, made=None if made is None else json.loads(made))
