"""`Journal`: the local record that makes paid acts exactly-once and sessions findable again.

Safe for many kernels and threads at once. Methods are short and synchronous; asynchronous callers run them in a
thread. No value of a secret, nor anything made from one, may come in here.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devin_jupyter.errors import JournalError
from devin_jupyter.host import check_package
from devin_jupyter.journal import database as files
from devin_jupyter.journal.database import BUSY_SECONDS, IN_MEMORY, Database, Repaired, Step, stage
from devin_jupyter.journal.intents import (
    Budgets,
    Flags,
    Intents,
    Leases,
    Messages,
    count_in,
    end_lease,
    start_lease,
    this_process,
)
from devin_jupyter.journal.reviews import Reviews
from devin_jupyter.models.enums import TURN_OVER
from devin_jupyter.models.snapshot import CellRef, Facts, Record, Snapshot, Where
from devin_jupyter.recorded import (
    clean,
    dumps,
    redacted,
    schema_from_json,
    sent_from_json,
    snapshot_from_json,
    snapshot_to_text,
)
from devin_jupyter.redaction import keep_secret
from devin_jupyter.text import format_utc

if TYPE_CHECKING:
    from devin_jupyter.schema import Schema

FILE_NAME = "journal.db"


def _select(condition: str, values: Sequence[Any], order: str = "") -> tuple[Any, ...]:
    """Return a query for the sessions of a condition on `s`, and its values.

    Staged rows hide durable ones (see `database`). Both parts are spelled out, since an index is of no use in a view,
    and each takes the values. Python 3.12.1 warns of numbered ones: https://github.com/python/cpython/issues/117995
    """
    parts = [
        f"SELECT s.*, COALESCE(c.schema, d.schema) AS schema, {staged} AS staged, s.rowid AS nth"
        f" FROM {place}.sessions s"
        " LEFT JOIN main.schemas c ON c.hash = s.schema_hash LEFT JOIN unsynced.schemas d ON d.hash = s.schema_hash"
        f" WHERE {condition}"
        for staged, place in ((1, "unsynced"), (0, "main"))
    ]
    newer = "SELECT 1 FROM unsynced.sessions u WHERE u.session_id = s.session_id"
    return f"{' UNION ALL '.join(parts)} AND NOT EXISTS ({newer}) {order}", *values, *values


_AGE = "COALESCE(s.began_at, s.started_at)"
"""When a session began, by this machine's clock where that was kept: the service may have another."""
_NEWEST_FIRST = "ORDER BY started_at DESC, staged DESC, nth DESC"
_KEPT_APART = ("schema", "fingerprint")
"""Fields of a snapshot that the session's row has already."""


class Journal:
    """The local record of sessions and everything paid for, in one file.

    Its parts are `.intents`, `.messages`, `.budgets`, `.leases`, `.flags` and `.batches`.
    """

    def __init__(
        self, path: Path | str = IN_MEMORY, *, busy_seconds: float = BUSY_SECONDS, on_step: Step | None = None
    ) -> None:
        """Open nothing yet.

        Args:
            path: the folder it is in, the `.db` file itself, or `":memory:"` for one that ends with the process.
            busy_seconds: how long to wait for other kernels.
            on_step: told about every transaction (for tests).
        """
        is_file = str(path) == IN_MEMORY or Path(path).suffix == Path(FILE_NAME).suffix
        place = path if is_file else Path(path) / FILE_NAME
        self.database = Database(place, busy_seconds=busy_seconds, on_step=on_step)
        self.intents = Intents(self.database)
        self.messages, self.reviews = Messages(self.database), Reviews(self.database)
        self.budgets = Budgets(self.database)
        self.leases = Leases(self.database)
        self.flags = Flags(self.database)
        self.batches = Batches(self.database)

    def __repr__(self) -> str:
        return f"<Journal {self.path}>"

    @property
    def path(self) -> Path | str:
        """The file, or `":memory:"`."""
        return self.database.path

    def mask_secrets(self) -> None:
        """Mask secrets of earlier sessions after a restart: the values of those names in the environment."""
        if not isinstance(self.path, Path) or not self.path.exists():
            return
        try:
            found = self.database.rows("SELECT DISTINCT secret_names FROM sessions WHERE secret_names != '[]'")
            names = {name for row in found for name in json.loads(row["secret_names"])}
        except (JournalError, ValueError):  # said where the journal is needed
            return
        keep_secret(os.environ.get(name, "") for name in names)

    def session_for(self, *fingerprints: str, not_before: float | None = None) -> Record | None:
        """Return the newest session with one of these fingerprints, not older than a Unix time."""
        return next(iter(self.sessions_like(*fingerprints, not_before=not_before)), None)

    def sessions_like(self, *fingerprints: str, not_before: float | None = None) -> list[Record]:
        """Return the sessions with one of these fingerprints, newest first, not older than a Unix time."""
        return [*map(_record_of, self.database.rows(*_with_fingerprints(fingerprints, not_before)))]

    def remember(
        self,
        session_id: str,
        facts: Facts,
        *,
        how: str,
        started_at: float,
        now: float,
        began_at: float | None = None,
        snapshot: Snapshot | None = None,
        limits: Mapping[str, float | None] | None = None,
        lasting: bool = False,
    ) -> None:
        """Keep a session that was started or found, end its intent, and move its reservations to it: all or nothing.

        Args:
            session_id: of the session.
            facts: of its request.
            how: as in `Record`.
            started_at: when the service made it, in Unix seconds.
            now: the present time by this machine's clock.
            began_at: when the service made it, by this machine's clock; None where that is not known.
            snapshot: as it looks.
            limits: budgets that are set with it, by scope; None is no limit any more.
            lasting: keep it through a loss of power too: nothing on the service would tell whose it is.
        """
        with self.database.write("remember") as db:
            if how == "created":
                # what is written under its id belongs to another service, such as an earlier simulator
                db.execute("DELETE FROM unsynced.sessions WHERE session_id = ?", (session_id,))
                db.execute("DELETE FROM main.messages WHERE session_id = ?", (session_id,))
            else:
                stage(db, session_id)
            _insert(db, session_id, facts, how, started_at, began_at)
            if snapshot is not None:
                _save_snapshot(db, snapshot, this_process().text)
            for scope in facts.scopes:
                count_in(db, scope, session_id)
            db.execute("DELETE FROM unsynced.spending WHERE payer = ?", (facts.fingerprint,))
            db.execute("DELETE FROM unsynced.intents WHERE fingerprint = ?", (facts.fingerprint,))
            end_lease(db, start_lease(facts.fingerprint or ""))  # a process that waits finds the session now
            if facts.cell is not None:
                _use(db, session_id, facts.cell, now)
            if lasting:
                self.database.log_rows(db, session_id, facts.fingerprint or "")
        for scope, limit in (limits or {}).items():
            self.budgets.set(scope, limit, now=now, lasting=False)

    def keep_schema(self, session_id: str, schema: Mapping[str, Any]) -> None:
        """Note the schema that reads the answer of a session that was started without one."""
        with self.database.write("schema") as db:
            kept = _keep_schema(db, schema)
            stage(db, session_id)
            db.execute("UPDATE unsynced.sessions SET schema_hash = ? WHERE session_id = ?", (kept, session_id))

    def use(self, session_id: str, cell: CellRef, *, now: float) -> None:
        """Note that a cell uses a session."""
        with self.database.write("use") as db:
            _use(db, session_id, cell, now)

    def save_snapshots(self, snapshots: Iterable[Snapshot]) -> None:
        """Save snapshots in one transaction; an older one never replaces a newer one."""
        seen_by = this_process().text
        with self.database.write("snapshots") as db:
            for snapshot in snapshots:
                _save_snapshot(db, snapshot, seen_by)
        self.database.fold(if_due=True)

    def sessions_for(
        self, identities: Iterable[Sequence[str]], *, not_before: float | None = None
    ) -> dict[str, Record]:
        """Return the newest session of each of many requests, where there is one, by its first fingerprint.

        Args:
            identities: the fingerprints of each request.
            not_before: the Unix time from which sessions count.
        """
        with self.database.read() as db:
            found = {
                texts[0]: db.execute(query, values).fetchone()
                for texts in identities
                for query, *values in [_with_fingerprints(texts, not_before)]
            }
        return {text: _record_of(item) for text, item in found.items() if item is not None}

    def use_many(self, uses: Iterable[str], cell: CellRef, *, now: float) -> None:
        """Note in one transaction that a cell uses many sessions."""
        with self.database.write("use") as db:
            for session_id in uses:
                _use(db, session_id, cell, now)

    def snapshot(self, session_id: str) -> Snapshot | None:
        """Return the last snapshot of a session, or None."""
        record = self.record(session_id)
        return record.snapshot if record else None

    def record(self, session_id: str) -> Record | None:
        """Return what is known of a session, or None."""
        found = self.database.row(*_select("s.session_id = ?", [session_id]))
        return _record_of(found) if found else None

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
            ours: only those started from this journal's notebooks, not those that were only opened.
        """
        where = cell.notebook if cell else notebook
        uses = f"SELECT session_id FROM uses WHERE notebook = ?{' AND cell = ?' if cell else ''}"
        asked = {
            f"s.session_id IN ({uses})": (where, *([cell.cell] if cell else [])),
            "s.batch = ?": (batch,),
            "s.is_open = ?": (is_open,),
        }
        conditions, values = (["s.fingerprint IS NOT NULL"] if ours else ["1"]), list[Any]()
        for condition, wanted in asked.items():
            if wanted[0] is not None:
                conditions.append(condition)
                values += wanted
        query = _select(" AND ".join(conditions), values, "ORDER BY started_at, session_id")
        return [_record_of(found) for found in self.database.rows(*query)]

    def notebooks_of(self, session_ids: Iterable[str]) -> dict[str, list[str]]:
        """Return the notebooks that use these sessions."""
        query = "SELECT DISTINCT notebook FROM uses WHERE session_id = ? ORDER BY notebook"
        with self.database.read() as db:
            return {name: [item["notebook"] for item in db.execute(query, (name,)).fetchall()] for name in session_ids}

    def used_before(self, cell: CellRef) -> tuple[list[Record], str | None]:
        """Return the sessions that a cell used when it was run before this time, newest first, and its text then.

        Nothing where this run of the cell has used a session already: what one run starts is no edit of each other.

        Returns:
            The sessions, and a hash of the text that was run; None where that is not known.
        """
        if not cell.cell:
            return [], None
        query = "SELECT session_id, execution, source FROM uses WHERE notebook = ? AND cell = ? ORDER BY used_at DESC"
        uses = self.database.rows(query, cell.notebook, cell.cell)
        if not uses or (cell.execution is not None and any(use["execution"] == cell.execution for use in uses)):
            return [], None
        last = uses[0]["execution"]
        uses = uses[:1] if last is None else [use for use in uses if use["execution"] == last]
        found = [record for use in uses if (record := self.record(use["session_id"])) is not None]
        return found, uses[0]["source"]

    def mark_terminating(self, session_id: str, *, is_terminating: bool = True) -> None:
        """Note that we are about to terminate a session, or that this was refused; it counts once the session is over.

        Args:
            session_id: of the session.
            is_terminating: False takes the note back.
        """
        with self.database.write("mark-terminating") as db:
            stage(db, session_id)
            change = "is_terminated = ? WHERE session_id = ? AND is_terminated != 1"
            db.execute(f"UPDATE unsynced.sessions SET {change}", (2 if is_terminating else 0, session_id))

    def mark_terminated(self, session_id: str) -> None:
        """Note that we terminated a session."""
        with self.database.write("mark-terminated") as db:
            stage(db, session_id)
            changes = "is_terminated = 1, is_open = 0"
            db.execute(f"UPDATE unsynced.sessions SET {changes} WHERE session_id = ?", (session_id,))

    def limit(self, session_id: str, max_time: float) -> None:
        """Set how long a turn of a session may take, in seconds."""
        with self.database.write("limit") as db:
            stage(db, session_id)
            change = "incidental = json_set(incidental, '$.max_time', ?)"
            db.execute(f"UPDATE unsynced.sessions SET {change} WHERE session_id = ?", (max_time, session_id))

    def takes(self, *bases: str) -> list[str | None]:
        """Return the takes that exist of a request, by its fingerprints without a take."""
        query = f"SELECT take FROM sessions WHERE base IN ({', '.join('?' * len(bases))})"
        return [item["take"] for item in self.database.rows(query, *bases)]

    def finished(self, *, base_url: str | None, org_id: str | None) -> list[Record]:
        """Return the newest finished sessions of an organization whose cost is known, for estimates."""
        condition = "s.is_open = 0 AND s.acus > 0 AND s.base_url IS ? AND s.org_id IS ?"
        found = self.database.rows(*_select(condition, [base_url, org_id], "ORDER BY started_at DESC LIMIT 500"))
        return [_record_of(item) for item in found]

    def is_terminated(self, session_id: str) -> bool:
        """Return whether a process on this journal ended a session that is over now, or was about to."""
        found = self.database.row(*_select("s.session_id = ?", [session_id]))
        return found is not None and bool(found["is_terminated"])

    def halt(self, *, now: float, by: str = "") -> None:
        """Set the halt flag: no kernel on this journal posts until `resume`."""
        self.flags.halt(now=now, by=by)

    def resume(self) -> bool:
        """Lift the halt flag and return whether it was set."""
        return self.flags.resume()

    def halted_since(self) -> datetime | None:
        """Return since when everything is halted, or None."""
        return self.flags.halted_since()

    def check(self) -> list[str]:
        """Return what is wrong with the file; an empty list when nothing is."""
        return files.check(self.database)

    def undecided(self, notebook: str | None = None) -> list[str]:
        """Return, as text, the POSTs of a notebook or of all whose outcome is unknown."""
        of_whom = None if notebook is None else {entry.session_id for entry in self.sessions(notebook=notebook)}
        starts = [
            f"a session may have been started on {format_utc(intent.posted_at)}: its tag is {intent.tag or 'none'};"
            " rerun its cell to find it or start it"
            for intent in self.intents.all(notebook=notebook)
            if intent.posts
        ]
        messages = [
            f"a message may have arrived at {message.session_id} after {format_utc(message.written_at)};"
            " sending it again checks first"
            for message in self.messages.undecided()
            if of_whom is None or message.session_id in of_whom
        ]
        reviews = [
            f"a review of {review.pr_url} may have been requested on {format_utc(review.written_at)};"
            " requesting it again checks first"
            for review in self.reviews.undecided()
            if notebook is None
        ]
        return starts + messages + reviews

    def export(self) -> dict[str, Any]:
        """Return everything as plain JSON, redacted."""
        return files.export(self.database)

    def repair(self) -> Repaired:
        """Save what can be read of a damaged file into a new one; the damaged one is kept beside it."""
        return files.repair(self.database)

    def close(self) -> None:
        """Close the files; the next use opens them again. An in-memory journal is gone then."""
        self.database.close()


class Batches:
    """The part of the journal with the records of batches. Only batches know what is in a record."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, name: str, record: dict[str, Any], *, notebook: str | None, now: float) -> None:
        """Keep the record of a batch in the place of an earlier one of that name; None keeps the notebook it has."""
        with self._database.write("batch") as db:
            kept = db.execute("SELECT notebook FROM batches WHERE name = ?", (name,)).fetchone()
            values = (name, notebook or (kept and kept["notebook"]), redacted(record), now)
            db.execute("INSERT OR REPLACE INTO unsynced.batches VALUES (?, ?, ?, ?)", values)

    def load(self, name: str) -> dict[str, Any] | None:
        """Return the record of a batch, or None."""
        found = self._database.row("SELECT record FROM batches WHERE name = ?", name)
        record: dict[str, Any] | None = json.loads(found["record"]) if found else None
        return record

    def of_cell(self, key: str, between: str) -> dict[str, dict[str, Any]]:
        """Return the records of all batches of a cell by their names, oldest first.

        Args:
            key: the name of the first of them.
            between: what follows that in the names of the others.
        """
        query = "SELECT name, record FROM batches WHERE name = ? OR substr(name, 1, length(?)) = ? ORDER BY saved_at"
        found = self._database.rows(query, key, key + between, key + between)
        return {item["name"]: json.loads(item["record"]) for item in found}

    def records(self, notebook: str) -> dict[str, dict[str, Any]]:
        """Return the records of a notebook's batches by their names, newest first."""
        query = "SELECT name, record FROM batches WHERE notebook = ? ORDER BY saved_at DESC, name"
        found = self._database.rows(query, notebook)
        return {item["name"]: json.loads(item["record"]) for item in found}

    def names(self, *, notebook: str | None = None) -> list[str]:
        """Return the names of all batches, or of a notebook's, newest first."""
        found = self._database.rows("SELECT name, notebook FROM batches ORDER BY saved_at DESC, name")
        return [item["name"] for item in found if notebook in (None, item["notebook"])]


def _with_fingerprints(texts: Sequence[str], not_before: float | None) -> tuple[Any, ...]:
    """Return a query for the sessions with one of these fingerprints, newest first, and its values."""
    condition = f"s.fingerprint IN ({', '.join('?' * len(texts))}) AND {_AGE} >= ?"
    return _select(condition, [*texts, not_before or 0.0], _NEWEST_FIRST)


def _insert(
    db: sqlite3.Connection, session_id: str, facts: Facts, how: str, started_at: float, began_at: float | None
) -> None:
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
        "incidental": redacted(dict(facts.incidental)),
        "mode": facts.mode,
        "repos": dumps(list(facts.repos)),
        "secret_names": dumps(list(facts.secret_names)),
        "max_acu": facts.max_acu,
        "schema_hash": _keep_schema(db, facts.wire_schema),
        "how": how,
        "started_at": started_at,
        "began_at": began_at,
    }
    names = ", ".join(values)
    changes = ", ".join(f"{name} = excluded.{name}" for name in values)
    marks = ", ".join("?" * (len(values) + 1))
    db.execute(
        f"INSERT INTO unsynced.sessions (session_id, {names}) VALUES ({marks})"
        f" ON CONFLICT (session_id) DO UPDATE SET {changes}",
        (session_id, *values.values()),
    )


def _keep_schema(db: sqlite3.Connection, schema: Mapping[str, Any] | None) -> str | None:
    if schema is None:
        return None
    text = redacted(dict(schema))
    digest = hashlib.sha256(text.encode()).hexdigest()
    known = "SELECT 1 FROM main.schemas WHERE hash = ?"
    query = f"INSERT OR IGNORE INTO unsynced.schemas SELECT ?, ? WHERE NOT EXISTS ({known})"
    db.execute(query, (digest, text, digest))
    return digest


def _use(db: sqlite3.Connection, session_id: str, cell: CellRef, now: float) -> None:
    values = (cell.notebook, cell.cell, session_id, now, cell.execution, cell.source)
    columns = "notebook, cell, session_id, used_at, execution, source"
    db.execute(f"INSERT OR REPLACE INTO unsynced.uses ({columns}) VALUES (?, ?, ?, ?, ?, ?)", values)


_SEE = (
    "UPDATE unsynced.sessions SET snapshot = ?, phase = ?, is_open = ?, acus = COALESCE(?, acus), observed_at = ?,"
    " seen_by = ?, max_acu = COALESCE(max_acu, ?), schema_hash = COALESCE(schema_hash, ?)"
    " WHERE session_id = ? AND COALESCE(observed_at, 0) <= ?"
)
_HAS_SCHEMA = "EXISTS (SELECT 1 FROM schemas WHERE hash = schema_hash)"


def _save_snapshot(db: sqlite3.Connection, snapshot: Snapshot, seen_by: str) -> None:
    observed, session_id = snapshot.observed_at.timestamp() if snapshot.observed_at else 0.0, snapshot.session_id
    values = (
        snapshot_to_text(snapshot, without=_KEPT_APART),
        snapshot.phase.value,
        snapshot.phase not in TURN_OVER,
        snapshot.acus,
        observed,
        seen_by,
        snapshot.max_acu_limit,
    )
    # a session that is watched is staged already, and its schema is kept
    is_kept = "" if snapshot.schema is None else f" AND {_HAS_SCHEMA}"
    if db.execute(_SEE + is_kept, (*values, None, session_id, observed)).rowcount:
        return
    created = snapshot.created_at.timestamp() if snapshot.created_at else observed
    stage(db, session_id)
    db.execute(
        "INSERT OR IGNORE INTO unsynced.sessions (session_id, api_version, org_id, how, started_at)"
        " VALUES (?, ?, ?, 'seen', ?)",
        (session_id, snapshot.api_version, snapshot.org_id, created),
    )
    query = f"SELECT schema_hash FROM unsynced.sessions WHERE session_id = ? AND {_HAS_SCHEMA}"
    known = db.execute(query, (session_id,)).fetchone()  # what a session was started with stays
    schema_hash = known["schema_hash"] if known else _keep_schema(db, snapshot.schema)
    db.execute(_SEE, (*values, schema_hash, session_id, observed))


def _record_of(row: sqlite3.Row) -> Record:
    """Return the record of a row of `sessions` joined with its schema; from here on its secrets are masked.

    Raises:
        JournalError: the row does not hold what was written.
    """
    try:
        secret_names = tuple(json.loads(row["secret_names"]))
        keep_secret(os.environ.get(name, "") for name in secret_names)
        schema = _schema(row["schema"]) if row["schema"] else None
        facts = Facts(
            fingerprint=row["fingerprint"],
            base=row["base"],
            tag=row["tag"],
            take=row["take"],
            where=Where(row["base_url"] or "", row["org_id"], row["api_version"]),
            batch=row["batch"],
            prompt=row["prompt"] or "",
            incidental=json.loads(row["incidental"]),
            mode=row["mode"],
            repos=tuple(json.loads(row["repos"])),
            max_acu=row["max_acu"],
            schema=schema,
            secret_names=secret_names,
        )
        snapshot = None
        if row["snapshot"]:
            stored = json.loads(row["snapshot"])
            wire = facts.wire_schema
            snapshot = snapshot_from_json(stored, schema=wire, fingerprint=facts.fingerprint)
        return Record(
            session_id=row["session_id"],
            facts=facts,
            how=row["how"],
            started_at=row["started_at"],
            sent=sent_from_json(row["sent"]),
            terminated=row["is_terminated"] == 1,
            snapshot=snapshot,
            is_open=bool(row["is_open"]),
            acus=row["acus"],
            seen_by=row["seen_by"],
        )
    except (ValueError, TypeError, KeyError, AttributeError) as problem:
        check_package()
        raise JournalError(
            f"the journal's entry of {row['session_id']} is damaged: {problem}",
            "nothing is started without a reliable journal",
            "move the journal away; sessions are found again by their tags",
        ) from None


@lru_cache(maxsize=256)
def _schema(text: str) -> Schema | None:
    """Sessions that were asked for the same share a schema, so that it is compiled once."""
    return schema_from_json(json.loads(text))
