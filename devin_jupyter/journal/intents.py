"""What is about to be paid for: written down durably before the POST, so that no crash can lose it.

An intent that is found later without an outcome is settled by looking at the service, never by posting first.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from devin_jupyter.journal import budgets, leases
from devin_jupyter.journal.database import Database, row, rows
from devin_jupyter.journal.flags import refuse_if_halted
from devin_jupyter.journal.sessions import session_for
from devin_jupyter.models.snapshot import CellRef, Facts
from devin_jupyter.recorded import dumps, facts_from_json, facts_to_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A session that was about to be started."""

    facts: Facts
    written_at: float
    posts: int
    """How many POSTs were about to be sent, the last one perhaps never."""
    posted_at: float | None
    known_before: frozenset[str]
    """Sessions that carried the tag before: never taken for the one meant here."""

    @property
    def fingerprint(self) -> str:
        """What it is kept by."""
        return self.facts.fingerprint or ""

    @property
    def tag(self) -> str:
        """What its session is found by on the service."""
        return self.facts.tag or ""


class Intents:
    """The part of the journal that knows what is under way."""

    def __init__(self, database: Database) -> None:
        """Read nothing yet."""
        self._database = database

    def write(
        self,
        facts: Facts,
        *,
        known_before: Iterable[str],
        now: float,
        limits: Mapping[str, float | None] | None = None,
        ending: str | None = None,
    ) -> None:
        """Write an intent and reserve its cap in every budget it counts in: all or nothing.

        Args:
            facts: of the session that is to be started.
            known_before: sessions that carry the tag already.
            now: Unix seconds.
            limits: budgets that are set with it, by scope; None is no limit any more.
            ending: a session that is ended before the POST: no budget counts on what it might still consume.

        Raises:
            Halted: the halt flag is set.
            BudgetExceeded: a budget does not hold it; the message has the arithmetic.
        """
        with self._database.write("intent") as db:
            refuse_if_halted(db)
            ours = rows(db, "SELECT session_id FROM sessions WHERE fingerprint = ?", facts.fingerprint)
            before = sorted({*known_before, *(item["session_id"] for item in ours)})
            for scope, limit in (limits or {}).items():
                budgets.set_limit(db, scope, limit, now=now)
            budgets.check(db, facts.scopes, payer=facts.fingerprint or "", cap=facts.max_acu, ending=ending)
            db.execute(
                "INSERT OR REPLACE INTO intents (fingerprint, tag, written_at, known_before, details, max_acu)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (facts.fingerprint, facts.tag, now, dumps(before), facts_to_json(facts), facts.max_acu),
            )
            for scope in facts.scopes:
                db.execute("INSERT OR IGNORE INTO spending VALUES (?, ?, 0)", (scope, facts.fingerprint))

    def about_to_post(self, fingerprint: str, lease: str, *, now: float) -> None:
        """Count a POST, right before it.

        Raises:
            Halted: the halt flag was set meanwhile.
            LeaseLost: another process acts on this fingerprint or has made its session, or the journal was replaced.
        """
        with self._database.write("about-to-post") as db:
            refuse_if_halted(db)
            if not leases.keep(db, leases.of_start(fingerprint), lease, now=now):
                raise leases.LeaseLost
            found = session_for(db, fingerprint)
            intent = row(db, "SELECT known_before FROM intents WHERE fingerprint = ?", fingerprint)
            if intent is None:
                raise leases.LeaseLost
            if found is not None and found.session_id not in json.loads(intent["known_before"]):
                raise leases.LeaseLost
            db.execute("UPDATE intents SET posts = posts + 1, posted_at = ? WHERE fingerprint = ?", (now, fingerprint))

    def clear(self, fingerprint: str) -> None:
        """End an intent that certainly started nothing, and free what it reserved."""
        with self._database.write("intent-clear") as db:
            db.execute("DELETE FROM intents WHERE fingerprint = ?", (fingerprint,))
            db.execute("DELETE FROM spending WHERE payer = ?", (fingerprint,))

    def get(self, fingerprint: str) -> Intent | None:
        """Return the intent that has no outcome yet, or None."""
        with self._database.read() as db:
            found = row(db, "SELECT * FROM intents WHERE fingerprint = ?", fingerprint)
        return _intent(found) if found else None

    def all(self, *, cell: CellRef | None = None, notebook: str | None = None) -> list[Intent]:
        """Return all intents without outcome, or those of a cell or a notebook, oldest first."""
        with self._database.read() as db:
            found = [_intent(item) for item in rows(db, "SELECT * FROM intents ORDER BY written_at")]
        if cell is not None:
            found = [item for item in found if item.facts.cell and _same_cell(item.facts.cell, cell)]
        if notebook is not None:
            found = [item for item in found if item.facts.cell and item.facts.cell.notebook == notebook]
        return found


def _same_cell(one: CellRef, other: CellRef) -> bool:
    return bool(one.cell) and (one.notebook, one.cell) == (other.notebook, other.cell)


def _intent(found: sqlite3.Row) -> Intent:
    return Intent(
        facts=facts_from_json(found["details"]),
        written_at=found["written_at"],
        posts=found["posts"],
        posted_at=found["posted_at"],
        known_before=frozenset(json.loads(found["known_before"])),
    )
