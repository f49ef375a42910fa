"""Sessions in the journal: which fingerprint has which, where they are used, and how they were last seen."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from devin_jupyter.journal import leases
from devin_jupyter.journal.database import Database, row, rows
from devin_jupyter.journal.entries import record_of
from devin_jupyter.journal.process import this_process
from devin_jupyter.models.snapshot import CellRef, Facts, Record, Snapshot
from devin_jupyter.recorded import clean, dumps, snapshot_to_json
from devin_jupyter.redaction import redact_tree

_SELECT = "SELECT s.*, c.schema FROM sessions s LEFT JOIN schemas c ON c.hash = s.schema_hash"
_KEPT_APART = ("schema", "fingerprint")
"""Fields of a snapshot that the session's row has already."""


class SessionBook:
    """The part of the journal that knows sessions."""

    def __init__(self, database: Database) -> None:
        """Read nothing yet."""
        self._database = database

    def session_for(self, fingerprint: str, *, not_before: float | None = None) -> Record | None:
        """Return the newest session with this fingerprint, not older than a Unix time."""
        with self._database.read() as db:
            return session_for(db, fingerprint, not_before=not_before)

    def remember(
        self,
        session_id: str,
        facts: Facts,
        *,
        how: str,
        started_at: float,
        now: float,
        snapshot: Snapshot | None = None,
    ) -> None:
        """Keep a session that was started or found, end its intent, and move its reservations to it: all or nothing."""
        with self._database.write("remember") as db:
            if (
                how == "created"
            ):  # what is written under its id belongs to another service, such as an earlier simulator
                db.execute("DELETE FROM sessions WHERE session_id = ?", (session_id,))
                db.execute("DELETE FROM messages WHERE session_id = ?", (session_id,))
            _insert(db, session_id, facts, how, started_at)
            if snapshot is not None:
                _save_snapshot(db, snapshot, this_process().text)
            for scope in facts.scopes:
                db.execute("INSERT OR IGNORE INTO spending VALUES (?, ?, 0)", (scope, session_id))
            db.execute("DELETE FROM spending WHERE payer = ?", (facts.fingerprint,))
            db.execute("DELETE FROM intents WHERE fingerprint = ?", (facts.fingerprint,))
            leases.end(db, leases.of_start(facts.fingerprint or ""))  # whoever waits finds the session now
            if facts.cell is not None:
                _use(db, session_id, facts.cell, now)

    def use(self, session_id: str, cell: CellRef, *, now: float) -> None:
        """Note that a cell uses a session."""
        with self._database.write("use") as db:
            _use(db, session_id, cell, now)

    def save_snapshots(self, snapshots: Iterable[Snapshot]) -> None:
        """Keep how sessions look now, all in one transaction; older looks never replace newer ones."""
        seen_by = this_process().text
        with self._database.write("snapshots") as db:
            for snapshot in snapshots:
                _save_snapshot(db, snapshot, seen_by)

    def sessions_for(self, fingerprints: Iterable[str]) -> dict[str, Record]:
        """Return the newest session of each of many fingerprints, where there is one."""
        with self._database.read() as db:
            found = {text: session_for(db, text) for text in fingerprints}
        return {text: record for text, record in found.items() if record is not None}

    def use_many(self, uses: Iterable[str], cell: CellRef, *, now: float) -> None:
        """Note in one transaction that a cell uses many sessions."""
        with self._database.write("use") as db:
            for session_id in uses:
                _use(db, session_id, cell, now)

    def snapshot(self, session_id: str) -> Snapshot | None:
        """Return how a session looked last, or None."""
        record = self.record(session_id)
        return record.snapshot if record else None

    def record(self, session_id: str) -> Record | None:
        """Return what is known of a session, or None."""
        with self._database.read() as db:
            found = row(db, f"{_SELECT} WHERE s.session_id = ?", session_id)
        return record_of(found) if found else None

    def sessions(
        self,
        *,
        notebook: str | None = None,
        cell: CellRef | None = None,
        batch: str | None = None,
        is_open: bool | None = None,
        ours: bool = True,
    ) -> list[Record]:
        """Return sessions, oldest first.

        Args:
            notebook: only those used by it.
            cell: only those used by this cell.
            batch: only those of it.
            is_open: only those whose turn was open, or over, when last seen.
            ours: only those started from this journal's notebooks, not those merely looked at.
        """
        query, values = f"{_SELECT} WHERE 1", list[Any]()
        where = cell.notebook if cell else notebook
        if where is not None:
            named = " AND cell = ?" if cell else ""
            query += f" AND s.session_id IN (SELECT session_id FROM uses WHERE notebook = ?{named})"
            values += [where, cell.cell] if cell else [where]
        for condition, value in (("s.batch = ?", batch), ("s.is_open = ?", is_open)):
            if value is not None:
                query += f" AND {condition}"
                values.append(value)
        if ours:
            query += " AND s.fingerprint IS NOT NULL"
        with self._database.read() as db:
            return [record_of(found) for found in rows(db, f"{query} ORDER BY s.started_at, s.session_id", *values)]

    def notebooks_of(self, session_ids: Iterable[str]) -> dict[str, list[str]]:
        """Return the notebooks that use these sessions."""
        query = "SELECT DISTINCT notebook FROM uses WHERE session_id = ? ORDER BY notebook"
        with self._database.read() as db:
            return {name: [item["notebook"] for item in rows(db, query, name)] for name in session_ids}

    def last_used(self, cell: CellRef) -> Record | None:
        """Return the session that this cell used last; None for a cell that cannot be named."""
        if not cell.cell:
            return None
        query = f"{_SELECT} JOIN uses u ON u.session_id = s.session_id WHERE u.notebook = ? AND u.cell = ?"
        with self._database.read() as db:
            found = row(db, f"{query} ORDER BY u.used_at DESC LIMIT 1", cell.notebook, cell.cell)
        return record_of(found) if found else None

    def mark_terminated(self, session_id: str) -> None:
        """Keep that we ended a session."""
        with self._database.write("mark-terminated") as db:
            db.execute("UPDATE sessions SET is_terminated = 1, is_open = 0 WHERE session_id = ?", (session_id,))

    def takes(self, base: str) -> list[str | None]:
        """Return the takes that exist of a request, also those whose fate is unknown."""
        with self._database.read() as db:
            found = rows(db, "SELECT take FROM sessions WHERE base = ?", base)
        return [item["take"] for item in found]

    def costs(self, *, base_url: str | None, org_id: str | None) -> list[Record]:
        """Return the newest finished sessions of an organization whose cost is known, for estimates."""
        query = f"{_SELECT} WHERE s.is_open = 0 AND s.acus > 0 AND s.base_url IS ? AND s.org_id IS ?"
        with self._database.read() as db:
            found = rows(db, f"{query} ORDER BY s.started_at DESC LIMIT 500", base_url, org_id)
        return [record_of(item) for item in found]


def session_for(db: sqlite3.Connection, fingerprint: str, *, not_before: float | None = None) -> Record | None:
    """Inside a transaction: return the newest session with this fingerprint."""
    query = f"{_SELECT} WHERE s.fingerprint = ? AND s.started_at >= ? ORDER BY s.started_at DESC, s.rowid DESC LIMIT 1"
    found = row(db, query, fingerprint, not_before or 0.0)
    return record_of(found) if found else None


def _insert(db: sqlite3.Connection, session_id: str, facts: Facts, how: str, started_at: float) -> None:
    values = {
        "fingerprint": facts.fingerprint,
        "base": facts.base,
        "tag": facts.tag,
        "take": facts.take,
        "base_url": facts.where.base_url,
        "org_id": facts.where.org_id,
        "api_version": facts.where.api_version,
        "batch": facts.batch,
        "prompt": clean(facts.prompt),
        "incidental": dumps(redact_tree(dict(facts.incidental))),
        "mode": facts.mode,
        "repos": dumps(list(facts.repos)),
        "secret_names": dumps(list(facts.secret_names)),
        "max_acu": facts.max_acu,
        "schema_hash": _keep_schema(db, facts.wire_schema),
        "how": how,
        "started_at": started_at,
    }
    names = ", ".join(values)
    changes = ", ".join(f"{name} = excluded.{name}" for name in values)
    marks = ", ".join("?" * (len(values) + 1))
    db.execute(
        f"INSERT INTO sessions (session_id, {names}) VALUES ({marks}) ON CONFLICT (session_id) DO UPDATE SET {changes}",
        (session_id, *values.values()),
    )


def _keep_schema(db: sqlite3.Connection, schema: Mapping[str, Any] | None) -> str | None:
    if schema is None:
        return None
    cleaned = redact_tree(dict(schema))
    digest = hashlib.sha256(dumps(cleaned).encode()).hexdigest()
    db.execute("INSERT OR IGNORE INTO schemas VALUES (?, ?)", (digest, dumps(cleaned)))
    return digest


def _use(db: sqlite3.Connection, session_id: str, cell: CellRef, now: float) -> None:
    db.execute("INSERT OR REPLACE INTO uses VALUES (?, ?, ?, ?)", (cell.notebook, cell.cell, session_id, now))


def _save_snapshot(db: sqlite3.Connection, snapshot: Snapshot, seen_by: str) -> None:
    observed = snapshot.observed_at.timestamp() if snapshot.observed_at else 0.0
    values = (
        dumps(snapshot_to_json(snapshot, without=_KEPT_APART)),
        snapshot.phase.value,
        not snapshot.turn_over,
        snapshot.acus,
        observed,
        seen_by,
    )
    created = snapshot.created_at.timestamp() if snapshot.created_at else observed
    schema_hash = _keep_schema(db, snapshot.schema)
    db.execute(
        "INSERT OR IGNORE INTO sessions (session_id, api_version, org_id, how, started_at, schema_hash)"
        " VALUES (?, ?, ?, 'seen', ?, ?)",
        (snapshot.session_id, snapshot.api_version, snapshot.org_id, created, schema_hash),
    )
    db.execute(
        "UPDATE sessions SET snapshot = ?, phase = ?, is_open = ?, acus = COALESCE(?, acus), observed_at = ?,"
        " seen_by = ?, max_acu = COALESCE(max_acu, ?), schema_hash = COALESCE(schema_hash, ?)"
        " WHERE session_id = ? AND COALESCE(observed_at, 0) <= ?",
        (*values, snapshot.max_acu_limit, schema_hash, snapshot.session_id, observed),
    )
