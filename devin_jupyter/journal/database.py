"""One SQLite file that many kernels share: opening, migrating, transactions, and errors in plain words.

Rollback journal and full sync, because hub homes are often on NFS, where WAL does not work. It knows nothing of
sessions, and never opens the file but through SQLite: closing a plain handle would drop SQLite's locks.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakSet

from devin_jupyter.errors import JournalError
from devin_jupyter.redaction import redact_tree

IN_MEMORY = ":memory:"
BUSY_SECONDS = 30.0
_PAGES_CHECKED = 10_000
"""A journal of up to 40 MB is looked through when it is opened, which takes some 50 ms."""
_opening = threading.Lock()
_all: WeakSet[Database] = WeakSet()
_left_to_the_parent: list[sqlite3.Connection] = []
"""Connections found in a forked child: closing them there could disturb the parent's transaction."""

_forking = threading.Lock()
_held: list[threading.RLock] = []
"""Locks of databases that a thread holds while it forks."""
_STILL_SECONDS = 1.0
"""Longer than this a fork is not held up by a query that waits for another process."""

Step = Callable[[str], None]

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE sessions (
            session_id TEXT PRIMARY KEY,
            fingerprint TEXT,                 -- NULL: not started here, only looked at
            base TEXT,                        -- the fingerprint of the same request without its take
            tag TEXT,
            take TEXT,
            base_url TEXT, org_id TEXT, api_version TEXT NOT NULL,
            batch TEXT,
            prompt TEXT,
            incidental TEXT NOT NULL DEFAULT '{}',
            mode TEXT, repos TEXT NOT NULL DEFAULT '[]', max_acu INTEGER,
            schema_hash TEXT,
            how TEXT NOT NULL,
            started_at REAL NOT NULL,
            sent TEXT,                        -- the last message sent
            is_terminated INTEGER NOT NULL DEFAULT 0,
            snapshot TEXT, phase TEXT, is_open INTEGER NOT NULL DEFAULT 1, acus REAL, observed_at REAL,
            seen_by TEXT                      -- the process that looked last
        )
        """,
        "CREATE INDEX sessions_fingerprint ON sessions (fingerprint)",
        "CREATE INDEX sessions_batch ON sessions (batch)",
        """
        CREATE TABLE uses (
            notebook TEXT NOT NULL,
            cell TEXT NOT NULL,               -- `id:…` of the cell, else `out:…`, else empty
            session_id TEXT NOT NULL,
            used_at REAL NOT NULL,
            PRIMARY KEY (notebook, cell, session_id)
        )
        """,
        "CREATE INDEX uses_session ON uses (session_id)",
        "CREATE TABLE schemas (hash TEXT PRIMARY KEY, schema TEXT NOT NULL)",
        """
        CREATE TABLE intents (
            fingerprint TEXT PRIMARY KEY,
            tag TEXT NOT NULL,
            written_at REAL NOT NULL,
            posts INTEGER NOT NULL DEFAULT 0,
            posted_at REAL,
            known_before TEXT NOT NULL DEFAULT '[]',  -- sessions that carried the tag before the first POST
            details TEXT NOT NULL,
            max_acu INTEGER
        )
        """,
        """
        CREATE TABLE messages (
            key TEXT NOT NULL,
            nth INTEGER NOT NULL,             -- 1, and one more for every --again
            session_id TEXT NOT NULL,
            words TEXT NOT NULL,              -- the key of the same text without files
            written_at REAL NOT NULL,
            posts INTEGER NOT NULL DEFAULT 0,
            seen_before INTEGER,              -- how often the conversation held this text before
            before TEXT NOT NULL,             -- the session as it stood
            sent_at REAL,                     -- NULL: not known to have arrived
            PRIMARY KEY (key, nth)
        )
        """,
        "CREATE INDEX messages_session ON messages (session_id)",
        "CREATE TABLE budgets (scope TEXT PRIMARY KEY, acus REAL NOT NULL, set_at REAL NOT NULL)",
        """
        CREATE TABLE spending (
            scope TEXT NOT NULL,
            payer TEXT NOT NULL,              -- a session id, or the fingerprint of an intent
            baseline REAL NOT NULL DEFAULT 0, -- consumed before it counted here
            PRIMARY KEY (scope, payer)
        )
        """,
        """
        CREATE TABLE leases (
            name TEXT PRIMARY KEY,
            token TEXT NOT NULL,
            host TEXT NOT NULL, pid INTEGER NOT NULL, born TEXT NOT NULL,
            expires_at REAL NOT NULL
        )
        """,
        "CREATE TABLE flags (name TEXT PRIMARY KEY, value TEXT NOT NULL, set_at REAL NOT NULL)",
        "CREATE TABLE batches (name TEXT PRIMARY KEY, notebook TEXT, record TEXT NOT NULL, saved_at REAL NOT NULL)",
    ),
    ("ALTER TABLE sessions ADD COLUMN secret_names TEXT NOT NULL DEFAULT '[]'",),  # never a value
    (
        "ALTER TABLE sessions ADD COLUMN began_at REAL",  # when it was started, by this machine's clock
        "ALTER TABLE uses ADD COLUMN execution TEXT",  # of a cell: what is started in one is no edit of each other
        "ALTER TABLE uses ADD COLUMN source TEXT",  # a hash of the cell's text
    ),
)
"""The tables, as migrations: step N brings format N-1 to N. Steps that were released never change."""


class Database:
    """A lazily opened connection, shared by threads, reopened in a forked child and when the file was replaced."""

    def __init__(
        self, path: Path | str = IN_MEMORY, *, busy_seconds: float = BUSY_SECONDS, on_step: Step | None = None
    ) -> None:
        """Open nothing yet.

        Args:
            path: the file, or `":memory:"`.
            busy_seconds: how long to wait for other kernels.
            on_step: told `NAME:begin`, `NAME:commit` and `NAME:done` around every transaction (for tests).
        """
        self.path = IN_MEMORY if str(path) == IN_MEMORY else Path(path).expanduser().absolute()
        self._busy_seconds, self._on_step = busy_seconds, on_step or _silent
        self._lock = threading.RLock()
        _all.add(self)
        self._connection: sqlite3.Connection | None = None
        self._opened_as: tuple[int, tuple[int, int] | None] = (0, None)

    @contextmanager
    def write(self, step: str) -> Iterator[sqlite3.Connection]:
        """Run one durable transaction; an exception rolls it back.

        Raises:
            JournalError: the file is damaged, read-only, full or locked for too long.
        """
        with self._lock, self._explaining():
            self._on_step(f"{step}:begin")
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                self._on_step(f"{step}:commit")
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            self._on_step(f"{step}:done")

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Give the connection for reading. Errors as in `write`."""
        with self._lock, self._explaining():
            yield self._open()

    def rows(self, query: str, *values: Any) -> list[sqlite3.Row]:
        """Return all rows of one query. Errors as in `write`."""
        with self._lock, self._explaining():
            return self._open().execute(query, values).fetchall()

    def row(self, query: str, *values: Any) -> sqlite3.Row | None:
        """Return the first row of one query, or None. Errors as in `write`."""
        return next(iter(self.rows(query, *values)), None)

    def close(self) -> None:
        """Close the connection; the next use opens a new one. An in-memory journal is gone then."""
        with self._lock:
            if self._connection is not None and self._opened_as[0] == os.getpid():
                self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None and not self._is_stale():
            return self._connection
        if self._connection is not None:
            self._discard(self._connection)
            self._connection = None
        with _opening:
            if isinstance(self.path, Path):
                _create(self.path)
            connection = sqlite3.connect(
                self.path, timeout=self._busy_seconds, isolation_level=None, check_same_thread=False
            )
            try:
                connection.row_factory = sqlite3.Row
                _prepare(connection, str(self.path))
            except BaseException:
                connection.close()
                raise
            self._connection, self._opened_as = connection, (os.getpid(), _inode(self.path))
        return connection

    def _is_stale(self) -> bool:
        pid, inode = self._opened_as
        return pid != os.getpid() or (inode is not None and inode != _inode(self.path))

    def _discard(self, connection: sqlite3.Connection) -> None:
        if self._opened_as[0] == os.getpid():
            connection.close()
        else:
            _left_to_the_parent.append(connection)

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as problem:
            raise explain(problem, self.path) from problem


def _lock_before_fork() -> None:
    """Before a fork: a SQLite lock that is held during the fork stays held in the child."""
    _forking.acquire()
    locks = [database._lock for database in list(_all)]
    _held.extend(lock for lock in locks if lock.acquire(timeout=_STILL_SECONDS))


def _unlock_after_fork() -> None:
    """In the parent, after it."""
    while _held:
        _held.pop().release()
    _forking.release()


def _renew_locks() -> None:
    """In a forked child: the thread that held a lock in the parent does not exist here."""
    global _opening, _forking
    _opening, _forking = threading.Lock(), threading.Lock()
    _held.clear()
    for database in list(_all):
        database._lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock_before_fork, after_in_parent=_unlock_after_fork, after_in_child=_renew_locks)


def explain(problem: Exception, path: Path | str) -> JournalError:
    """Return the error for a failure of the file: what is wrong, what it means for the bill, what to do."""
    code = getattr(problem, "sqlite_errorcode", 0) & 0xFF
    means = "nothing that costs money is started without the journal"
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return JournalError(
            f"the journal {path} is locked by another process", means, "run it again; %devin journal shows who"
        )
    if is_damage(problem):
        return JournalError(
            f"the journal {path} is damaged: {problem}",
            means,
            "%devin journal repair keeps what can be read; sessions are found again by their tags",
        )
    elsewhere = "or set DEVIN_JUPYTER_HOME to a writable folder"
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM) or isinstance(problem, OSError):
        return JournalError(f"the journal {path} cannot be written: {problem}", means, f"make it writable, {elsewhere}")
    if code == sqlite3.SQLITE_FULL:
        return JournalError(f"the journal {path} cannot grow: {problem}", means, f"free some space, {elsewhere}")
    return JournalError(f"the journal {path} failed: {problem}", means, "%devin journal check examines it")


def is_damage(problem: BaseException | None) -> bool:
    """Return whether the file itself is broken, rather than locked, full or out of reach."""
    code = getattr(problem, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or type(problem) is sqlite3.DatabaseError


def _silent(step: str) -> None:
    pass


def _inode(path: Path | str) -> tuple[int, int] | None:
    if not isinstance(path, Path):
        return None
    try:
        facts = os.stat(path)
    except OSError:
        return (0, 0)
    return facts.st_dev, facts.st_ino


def _create(path: Path) -> None:
    """Make folder and file with access for their owner only; SQLite gives its side files the same mode."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _prepare(connection: sqlite3.Connection, path: str) -> None:
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute("PRAGMA synchronous=EXTRA")
    mode: str = connection.execute("PRAGMA journal_mode").fetchone()[0]
    if mode == "wal":
        connection.execute("PRAGMA journal_mode=DELETE")
    if connection.execute("PRAGMA page_count").fetchone()[0] <= _PAGES_CHECKED:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise sqlite3.DatabaseError(found)
    _migrate(connection, path)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _migrate(connection: sqlite3.Connection, path: str) -> None:
    version = _version(connection)
    if version == len(MIGRATIONS):
        return
    if version > len(MIGRATIONS):
        raise JournalError(
            f"the journal {path} was written by a newer version of devin-jupyter (format {version})",
            "this version cannot keep it consistent, so nothing is started",
            "update with pip install -U devin-jupyter, or set DEVIN_JUPYTER_HOME to another folder",
        )
    connection.execute("BEGIN IMMEDIATE")
    try:
        for number in range(_version(connection), len(MIGRATIONS)):  # another kernel may have been faster
            for statement in MIGRATIONS[number]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={number + 1}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


# --- check, export, repair -----------------------------------------------------------------------------------

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
            db.execute(
                "INSERT OR REPLACE INTO flags VALUES ('check', '', 0)"
            )  # only a write shows that the file is writable
            raise _Undone
    except JournalError as problem:
        return ["; ".join(problem.lines)]
    return problems


def export(database: Database) -> dict[str, Any]:
    """Return every row as plain JSON, redacted once more."""
    with database.read() as db:
        tables = {name: [dict(item) for item in db.execute(f"SELECT * FROM {name}")] for name in TABLES}
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
    """Return what is broken in the file itself, read from disk rather than from the connection's cache."""
    if isinstance(database.path, Path):
        database.close()
    try:
        with database.read() as db:
            return [item[0] for item in db.execute("PRAGMA integrity_check") if item[0] != "ok"]
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
        lost = db.execute(query).fetchone()
    return [f"{lost['n']} sessions have lost their schema"] if lost and lost["n"] else []
