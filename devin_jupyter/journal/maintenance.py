"""Looking after the journal: check it, export it, and save what can be read of a damaged one."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devin_jupyter.errors import JournalError
from devin_jupyter.journal.database import Database, explain, is_damage, row, rows
from devin_jupyter.journal.intents import Intents
from devin_jupyter.journal.sends import Sends
from devin_jupyter.journal.sessions import SessionBook
from devin_jupyter.journal.tables import MIGRATIONS
from devin_jupyter.redaction import redact_tree
from devin_jupyter.text import format_utc

TABLES = ("sessions", "uses", "schemas", "intents", "messages", "budgets", "spending", "leases", "flags", "batches")
_PASSING = ("leases",)
"""Tables that mean nothing to a later process."""
_NOT_ON_THE_SERVICE = {"budgets": "budgets", "flags": "the halt", "messages": "messages sent"}
"""What no tag brings back, by the table it was in."""


class _Undone(Exception):
    """Ends a transaction that was only tried."""


@dataclass(frozen=True, slots=True)
class Repaired:
    """What `repair` did."""

    damaged: Path | None
    """Where the damaged file is kept; None when nothing was wrong."""
    kept: dict[str, int]
    """Rows saved, by table."""

    def __str__(self) -> str:
        """Return one line."""
        if self.damaged is None:
            return "the journal is sound; nothing was changed"
        rows_kept = ", ".join(f"{count} {name}" for name, count in self.kept.items() if count) or "nothing"
        missing = "sessions missing here are found by their tags"
        gone = [what for name, what in _NOT_ON_THE_SERVICE.items() if not self.kept.get(name)]
        rest = f"; nothing could be kept of: {', '.join(gone)}" if gone else ""
        return f"kept {rows_kept}; the damaged file is {self.damaged}; {missing}{rest}"


def check(database: Database) -> list[str]:
    """Return what is wrong with the journal, an empty list when nothing is.

    Acts without outcome are not wrong, only worth knowing: `undecided` has them.
    """
    try:
        problems = _damage(database) or _broken_references(database)
        with suppress(_Undone), database.write("check") as db:
            db.execute("INSERT OR REPLACE INTO flags VALUES ('check', '', 0)")  # only a write tells that one may write
            raise _Undone
    except JournalError as problem:
        return ["; ".join(problem.lines)]
    return problems


def undecided(intents: Intents, sends: Sends, sessions: SessionBook, notebook: str | None) -> list[str]:
    """Return a sentence for each act that was posted and has no outcome: those of a notebook, or all."""
    of_whom = None if notebook is None else {entry.session_id for entry in sessions.sessions(notebook=notebook)}
    starts = [
        f"perhaps a session was started on {format_utc(intent.posted_at)}: its tag is {intent.facts.tag};"
        " the cell that asked for it looks, and finds it or starts it"
        for intent in intents.all(notebook=notebook)
        if intent.posts
    ]
    messages = [
        f"perhaps a message arrived at {message.session_id} after {format_utc(message.written_at)};"
        " sending it again looks first"
        for message in sends.undecided()
        if of_whom is None or message.session_id in of_whom
    ]
    return starts + messages


def export(database: Database) -> dict[str, Any]:
    """Return every row as plain JSON, redacted once more."""
    with database.read() as db:
        tables = {name: [dict(item) for item in rows(db, f"SELECT * FROM {name}")] for name in TABLES}
        cleaned: dict[str, Any] = redact_tree({"format": len(MIGRATIONS), **tables})
    return cleaned


def repair(database: Database) -> Repaired:
    """Move a damaged journal aside and start a new one with every row that can still be read.

    Raises:
        JournalError: it is not damaged but locked, out of reach, or of a newer version.
    """
    if not isinstance(database.path, Path) or not _damage(database):
        return Repaired(None, {})
    path = database.path
    saved = _readable_rows(path)
    database.close()
    damaged = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
    try:
        path.rename(damaged)
        for side_file in (f"{path.name}-journal", f"{path.name}-wal", f"{path.name}-shm"):
            with suppress(FileNotFoundError):
                path.with_name(side_file).rename(damaged.with_name(damaged.name + side_file.removeprefix(path.name)))
    except OSError as problem:
        raise explain(problem, path) from problem
    kept = dict.fromkeys(TABLES, 0)
    with database.write("repair") as db:
        for name, record in saved:
            marks = ", ".join("?" * len(record))
            with suppress(sqlite3.Error):
                db.execute(f"INSERT OR IGNORE INTO {name} ({', '.join(record)}) VALUES ({marks})", (*record.values(),))
                kept[name] += 1
    return Repaired(damaged, kept)


def _damage(database: Database) -> list[str]:
    """Return what is broken in the file itself, read anew rather than from the connection's cache."""
    if isinstance(database.path, Path):
        database.close()
    try:
        with database.read() as db:
            return [item[0] for item in rows(db, "PRAGMA integrity_check") if item[0] != "ok"]
    except JournalError as problem:
        if is_damage(problem.__cause__):
            return ["; ".join(problem.lines)]
        raise


def _readable_rows(path: Path) -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = []
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
        db.row_factory = sqlite3.Row
        db.text_factory = lambda raw: raw.decode("utf-8", "replace")
        for name in TABLES:
            if name not in _PASSING:
                found += [(name, record) for record in _rows_until_damage(db, name)]
    return found


def _rows_until_damage(db: sqlite3.Connection, name: str) -> Iterator[dict[str, Any]]:
    """Read a table from both ends, since one broken page stops a scan."""
    seen: set[Any] = set()
    for order in ("ASC", "DESC"):
        with suppress(sqlite3.Error):
            for record in db.execute(f"SELECT rowid AS _row, * FROM {name} ORDER BY rowid {order}"):
                values = dict(record)
                if values.pop("_row") not in seen:
                    seen.add(record["_row"])
                    yield values


def _broken_references(database: Database) -> list[str]:
    query = (
        "SELECT COUNT(*) AS n FROM sessions"
        " WHERE schema_hash IS NOT NULL AND schema_hash NOT IN (SELECT hash FROM schemas)"
    )
    with database.read() as db:
        lost = row(db, query)
    return [f"{lost['n']} sessions have lost their schema"] if lost and lost["n"] else []
