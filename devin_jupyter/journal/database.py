"""The SQLite files that many kernels share: opening, migrating, transactions, and errors in plain words.

A rollback journal, because hub homes are often on NFS, where WAL does not work. A durable commit takes four syncs in
that mode, and a network home takes 100 ms for each, so there are three files:

- `journal.db` is written rarely and durably.
- `journal.unsynced.db` is written without a sync: leases, intents, and the rows of `journal.db` that have changed since
  they were last moved there ("staged"; they hide the older ones). What it holds survives the end of a process, and the
  loss of power may take it.
- `journal.intents.log` is what must survive that too: one line, and one sync, for each session that is about to be
  started, and one more for a session that has no tag by which the service would find it. It is read back when the
  journal is opened, and emptied once the sessions are in `journal.db`.

It knows nothing of sessions, and never opens a database but through SQLite: closing a plain handle would drop SQLite's
locks.
"""

from __future__ import annotations

import json
import os
import re
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
from devin_jupyter.host import working_directory
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
"""The locks of databases that the forking thread holds during a fork."""
_STILL_SECONDS = 1.0
"""The longest time, in seconds, that a fork waits for a query that waits for another process."""

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
            is_terminated INTEGER NOT NULL DEFAULT 0, -- 1: by us; 2: we were about to
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
    ("DROP TABLE leases", "ALTER TABLE intents RENAME TO earlier_intents"),  # in the unsynced file from here on
    (
        """
        CREATE TABLE reviews (
            key TEXT PRIMARY KEY,             -- of place, pull request and take
            place TEXT NOT NULL,
            pr_url TEXT NOT NULL,
            take TEXT,
            written_at REAL NOT NULL,
            posts INTEGER NOT NULL DEFAULT 0,
            known_before TEXT,                -- the review of the same commit that was there before
            made TEXT                         -- what the service answered; NULL: not known to have been requested
        )
        """,
    ),
)
"""The tables, as migrations: step N brings format N-1 to N. Steps that were released never change."""

_OF_A_SESSION = {
    "sessions": "session_id = ?",
    "uses": "session_id = ?",
    "spending": "payer = ?",
    "schemas": "hash IN (SELECT schema_hash FROM unsynced.sessions WHERE session_id = ?)",
}
"""What the log keeps of a session, by table."""
STAGED = {
    "sessions": ("session_id",),
    "uses": ("notebook", "cell", "session_id"),
    "schemas": ("hash",),
    "spending": ("scope", "payer"),
    "budgets": ("scope",),
    "batches": ("name",),
}
"""Tables whose changes are staged in the unsynced file, with their keys. In `journal.db` only `fold` writes them."""
NO_LIMIT = float("inf")
"""Stands for a budget that was lifted, until it is gone from the durable file too."""
_HIDDEN = {"budgets": "WHERE acus < 9e999"}
_UNSYNCED_ONLY = (
    """
    CREATE TABLE unsynced.intents (
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
    CREATE TABLE unsynced.leases (
        name TEXT PRIMARY KEY,
        token TEXT NOT NULL,
        host TEXT NOT NULL, pid INTEGER NOT NULL, born TEXT NOT NULL,
        expires_at REAL NOT NULL
    )
    """,
)
_FOLD_SECONDS = 600.0
_MOST_STAGED = 500
"""Staged rows are moved after ten minutes or once there are this many, or with anything else that is durable."""
_LARGE_LOG = 256 * 1024


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
        self.path = IN_MEMORY if str(path) == IN_MEMORY else working_directory() / Path(path).expanduser()
        self._busy_seconds, self._on_step = busy_seconds, on_step or _silent
        self._lock = threading.RLock()
        _all.add(self)
        self._connection: sqlite3.Connection | None = None
        self._opened_as: tuple[int, tuple[tuple[int, int] | None, ...]] = (0, ())
        self._log: list[tuple[dict[str, Any], bool]] = []
        self._folded_at = time.monotonic()

    @property
    def _files(self) -> tuple[Path, ...]:
        return (self.path, beside(self.path, ".unsynced.db")) if isinstance(self.path, Path) else ()

    @contextmanager
    def write(self, step: str, *, lasting: bool = False) -> Iterator[sqlite3.Connection]:
        """Run one transaction; an exception rolls it back. It survives the end of the process.

        Args:
            step: its name.
            lasting: it survives a loss of power too; staged rows are moved with it. Only such a transaction may write
                to `main`, others to `unsynced`.

        Raises:
            JournalError: the file is damaged, read-only, full or locked for too long.
        """
        with self._lock, self._explaining():
            self._on_step(f"{step}:begin")
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                if lasting:
                    _fold(connection)
                self._on_step(f"{step}:commit")
                if self._log and isinstance(self.path, Path):
                    _append(beside(self.path, ".intents.log"), self._log)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            finally:
                self._log.clear()
            if lasting:
                self._folded_at = time.monotonic()
                self._shorten_log(connection)
            self._on_step(f"{step}:done")

    def log(self, line: dict[str, Any], *, durable: bool) -> None:
        """Inside a transaction: keep a line about an intent, with a sync before the commit if `durable`."""
        self._log.append((line, durable))

    def log_rows(self, db: sqlite3.Connection, session_id: str, fingerprint: str) -> None:
        """Inside a transaction: keep the staged rows of a session in the log, with a sync before the commit."""
        found = {
            name: [dict(row) for row in db.execute(f"SELECT * FROM unsynced.{name} WHERE {condition}", (session_id,))]
            for name, condition in _OF_A_SESSION.items()
        }
        self.log({"fingerprint": fingerprint, "session_id": session_id, "rows": found}, durable=True)

    def fold(self, *, if_due: bool = False) -> None:
        """Move staged rows into the durable file; with `if_due` only when that was long ago or there are many."""
        with self.read() as db:
            staged = [db.execute(f"SELECT COUNT(*) FROM unsynced.{name}").fetchone()[0] for name in STAGED]
        is_due = time.monotonic() - self._folded_at > _FOLD_SECONDS or sum(staged) > _MOST_STAGED
        if any(staged) and (is_due or not if_due):
            with self.write("fold", lasting=True):
                pass

    def _shorten_log(self, connection: sqlite3.Connection) -> None:
        """Drop the lines whose sessions are in the durable file, and those whose intents have ended."""
        path = beside(self.path, ".intents.log") if isinstance(self.path, Path) else None
        if path is None or not path.exists() or not path.stat().st_size:
            return
        connection.execute("BEGIN IMMEDIATE")  # no other process adds a line meanwhile
        try:
            needed = {item[0] for item in connection.execute("SELECT fingerprint FROM unsynced.intents")}
            needed |= {item[0] for item in connection.execute("SELECT fingerprint FROM unsynced.sessions")}
            if not needed:
                os.truncate(path, 0)
            elif path.stat().st_size > _LARGE_LOG:
                fresh = path.with_name(path.name + ".new")
                _remove(fresh)
                _append(fresh, [(line, True) for line in _lines(path) if line["fingerprint"] in needed])
                fresh.replace(path)
                _sync(path.parent)
        finally:
            connection.execute("COMMIT")

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
        if self._connection is not None and isinstance(self.path, Path) and not self._is_stale():
            with suppress(JournalError):  # staged rows stay staged
                self.fold()
        self.disconnect()

    def disconnect(self) -> None:
        """Close the connection as it is."""
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
                _attach(connection, self.path)
            except BaseException:
                connection.close()
                raise
            self._connection, self._opened_as = connection, (os.getpid(), tuple(map(_inode, self._files)))
        return connection

    def _is_stale(self) -> bool:
        pid, inodes = self._opened_as
        return pid != os.getpid() or inodes != tuple(map(_inode, self._files))

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


def beside(path: Path, ending: str) -> Path:
    """Return the path of one of the other files of a journal."""
    return path.with_name(path.stem + ending)


def _inode(path: Path) -> tuple[int, int]:
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


def _prepare(connection: sqlite3.Connection, path: str, *, is_repaired: bool = False) -> None:
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute("PRAGMA temp_store=MEMORY")
    # zeroing the header of the side file is synced too: as durable as `EXTRA` with one sync less
    connection.execute("PRAGMA journal_mode=PERSIST")
    connection.execute("PRAGMA journal_size_limit=1048576")
    connection.execute("PRAGMA synchronous=NORMAL")
    if connection.execute("PRAGMA page_count").fetchone()[0] <= _PAGES_CHECKED:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise sqlite3.DatabaseError(found)
    _migrate(connection, path, is_repaired=is_repaired)


def _attach(connection: sqlite3.Connection, path: Path | str) -> None:
    """Attach the unsynced file, and read the log of intents back: a loss of power may have taken its rows."""
    place: str = IN_MEMORY
    if isinstance(path, Path):
        unsynced = beside(path, ".unsynced.db")
        place = str(unsynced)
        _create(unsynced)
        if _is_broken(unsynced):
            connection.execute("BEGIN IMMEDIATE")  # one kernel at a time
            try:
                if _is_broken(unsynced):
                    _remove(unsynced, unsynced.with_name(unsynced.name + "-journal"))
                    _create(unsynced)
            finally:
                connection.execute("COMMIT")
    connection.execute("ATTACH ? AS unsynced", (place,))
    connection.execute("PRAGMA unsynced.journal_mode=TRUNCATE")
    connection.execute("PRAGMA unsynced.synchronous=OFF")
    if connection.execute("PRAGMA unsynced.user_version").fetchone()[0] != len(MIGRATIONS):
        _make_unsynced(connection)
    for name, key in STAGED.items():
        same = " AND ".join(f"u.{column} = m.{column}" for column in key)
        newer = f"SELECT 1 FROM unsynced.{name} AS u WHERE {same}"
        connection.execute(
            f"CREATE TEMP VIEW {name} AS SELECT * FROM unsynced.{name} {_HIDDEN.get(name, '')}"
            f" UNION ALL SELECT * FROM main.{name} AS m WHERE NOT EXISTS ({newer})"
        )
    if isinstance(path, Path):
        _read_back(connection, beside(path, ".intents.log"))


def _is_broken(path: Path) -> bool:
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as db:
        try:
            return bool(db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok")
        except sqlite3.Error as problem:
            if is_damage(problem):
                return True
            raise


def _make_unsynced(connection: sqlite3.Connection) -> None:
    """Give the unsynced file the tables of the durable one; rows that an earlier version staged are moved first."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute("PRAGMA unsynced.user_version").fetchone()[0] != len(
            MIGRATIONS
        ):  # not done by another process
            if connection.execute("PRAGMA unsynced.user_version").fetchone()[0]:
                _fold(connection)
            for name in (*STAGED, "intents", "leases"):
                connection.execute(f"DROP TABLE IF EXISTS unsynced.{name}")
            marks = ", ".join("?" * len(STAGED))
            query = (
                f"SELECT sql FROM main.sqlite_master WHERE tbl_name IN ({marks}) AND sql NOT NULL ORDER BY type DESC"
            )
            for (statement,) in connection.execute(query, (*STAGED,)).fetchall():
                connection.execute(re.sub(r"^CREATE (TABLE|INDEX) ", r"CREATE \1 unsynced.", statement))
            for statement in _UNSYNCED_ONLY:
                connection.execute(statement)
            connection.execute(f"PRAGMA unsynced.user_version={len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def stage(connection: sqlite3.Connection, session_id: str) -> None:
    """Inside a transaction: copy a session's row into the unsynced file, where it may be changed."""
    connection.execute(
        "INSERT OR IGNORE INTO unsynced.sessions SELECT * FROM main.sessions WHERE session_id = ?", (session_id,)
    )


def _fold(connection: sqlite3.Connection) -> None:
    """Inside a transaction: move staged rows into the durable file.

    A process that ends between the two commits leaves rows staged that are moved already, which changes nothing.
    """
    ended = "payer NOT IN (SELECT fingerprint FROM unsynced.intents)"  # what an intent reserves stays with it
    for name in STAGED:
        columns = ", ".join(item[1] for item in connection.execute(f"PRAGMA unsynced.table_info({name})"))
        condition = ended if name == "spending" else "1"
        connection.execute(
            f"INSERT OR REPLACE INTO main.{name} ({columns}) SELECT {columns} FROM unsynced.{name} WHERE {condition}"
        )
        connection.execute(f"DELETE FROM unsynced.{name} WHERE {condition}")
    connection.execute("DELETE FROM main.budgets WHERE acus = ?", (NO_LIMIT,))


# --- the log of intents --------------------------------------------------------------------------------------


def _append(path: Path, lines: list[tuple[dict[str, Any], bool]]) -> None:
    is_new = not path.exists()
    # a line that a loss of power cut off must not spoil the next one
    text = "".join(f"\n{json.dumps(line)}\n" for line, _ in lines)
    file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    try:
        content = text.encode()
        while content:
            content = content[os.write(file, content) :]
        if any(durable for _, durable in lines):
            os.fsync(file)
    finally:
        os.close(file)
    if is_new:
        _sync(path.parent)


def _sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():  # folders cannot be opened there
        return
    file = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for text in path.read_bytes().splitlines() if path.exists() else ():
        with suppress(ValueError):  # cut off: its sync never returned, so nothing was sent
            line = json.loads(text) if text else None
            if isinstance(line, dict):
                yield line


def _read_back(connection: sqlite3.Connection, path: Path) -> None:
    """Write down again the intents in the log that have no outcome, as if their POST had been sent."""
    is_earlier = connection.execute("SELECT EXISTS (SELECT 1 FROM main.earlier_intents)").fetchone()[0]
    is_lost = next(_lost(connection, path), None) is not None or next(_lost_rows(connection, path), None) is not None
    if not is_earlier and not is_lost:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        last = {line["fingerprint"]: line for line in _lines(path)}
        for line in list(_lost_rows(connection, path)):
            if last[line["fingerprint"]] == line:  # the process ended before it could end the intent
                connection.execute("DELETE FROM unsynced.intents WHERE fingerprint = ?", (line["fingerprint"],))
                connection.execute("DELETE FROM unsynced.spending WHERE payer = ?", (line["fingerprint"],))
            for name, rows in line["rows"].items():
                for row in rows:
                    columns, marks = ", ".join(row), ", ".join("?" * len(row))
                    query = f"INSERT OR IGNORE INTO unsynced.{name} ({columns}) VALUES ({marks})"
                    connection.execute(query, (*row.values(),))
        for line in list(_lost(connection, path)):
            scopes = line.pop("scopes")
            names = ", ".join((*line, "posts", "posted_at"))
            marks = ", ".join("?" * len(line))
            values = (*line.values(), line["written_at"])
            connection.execute(f"INSERT INTO unsynced.intents ({names}) VALUES ({marks}, 1, ?)", values)
            reserved = [(scope, line["fingerprint"]) for scope in scopes]
            connection.executemany("INSERT OR IGNORE INTO unsynced.spending VALUES (?, ?, 0)", reserved)
        if is_earlier:
            _move_earlier(connection, path)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _move_earlier(connection: sqlite3.Connection, path: Path) -> None:
    """Inside a transaction: move the intents of a journal of an earlier format."""
    names = "fingerprint, tag, written_at, known_before, details, max_acu"
    lines = [dict(item) for item in connection.execute(f"SELECT {names} FROM main.earlier_intents").fetchall()]
    for line in lines:
        payer = (line["fingerprint"],)
        found = connection.execute("SELECT scope FROM main.spending WHERE payer = ?", payer).fetchall()
        line["scopes"] = [item["scope"] for item in found]
    connection.execute("INSERT OR IGNORE INTO unsynced.intents SELECT * FROM main.earlier_intents")
    for place in ("INSERT OR IGNORE INTO unsynced.spending SELECT *", "DELETE"):
        connection.execute(f"{place} FROM main.spending WHERE payer IN (SELECT fingerprint FROM main.earlier_intents)")
    connection.execute("DELETE FROM main.earlier_intents")
    _append(path, [(line, True) for line in lines])


def _lost_rows(connection: sqlite3.Connection, path: Path) -> Iterator[dict[str, Any]]:
    """The lines of the log whose sessions have no row."""
    for line in _lines(path):
        query = "SELECT 1 FROM sessions WHERE session_id = ?"
        if "rows" in line and connection.execute(query, (line["session_id"],)).fetchone() is None:
            yield line


def _lost(connection: sqlite3.Connection, path: Path) -> Iterator[dict[str, Any]]:
    """The lines of the log whose intents have neither an outcome nor a row."""
    last = {line["fingerprint"]: line for line in _lines(path)}
    for fingerprint, line in last.items():
        if "details" not in line:
            continue  # it ended, without a session or with one whose rows follow
        is_there = connection.execute("SELECT 1 FROM unsynced.intents WHERE fingerprint = ?", (fingerprint,)).fetchone()
        found = connection.execute("SELECT session_id FROM sessions WHERE fingerprint = ?", (fingerprint,)).fetchall()
        known = json.loads(line["known_before"])
        if is_there is None and all(item["session_id"] in known for item in found):
            yield dict(line)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _migrate(connection: sqlite3.Connection, path: str, *, is_repaired: bool) -> None:
    version = _version(connection)
    if version == len(MIGRATIONS):
        return
    if version > len(MIGRATIONS):
        raise JournalError(
            f"the journal {path} was written by a newer version of devin-jupyter (format {version})",
            "this version cannot keep it consistent, so nothing is started",
            "update with pip install -U devin-jupyter, or set DEVIN_JUPYTER_HOME to another folder",
        )
    if version == 0:  # nothing is in it yet: one sync at the end is enough
        connection.execute("PRAGMA synchronous=OFF")
    connection.execute("BEGIN IMMEDIATE")
    try:
        is_new = _version(connection) == 0 and path != IN_MEMORY
        if is_new and not is_repaired:  # the other files belong to a journal that was deleted
            unsynced = beside(Path(path), ".unsynced.db")
            side_file = unsynced.with_name(unsynced.name + "-journal")
            _remove(unsynced, side_file, beside(Path(path), ".intents.log"))
        for number in range(_version(connection), len(MIGRATIONS)):  # another kernel may have been faster
            for statement in MIGRATIONS[number]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={number + 1}")
        connection.execute("COMMIT")
        if is_new:
            _sync(Path(path))  # nothing else of this process has it open, so that no lock is lost
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    finally:
        connection.execute("PRAGMA synchronous=NORMAL")


def _remove(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


# --- check, export, repair -----------------------------------------------------------------------------------

TABLES = (
    *("sessions", "uses", "schemas", "intents", "messages", "reviews"),
    *("budgets", "spending", "leases", "flags", "batches"),
)
_PASSING = ("leases",)
"""Tables without meaning for a later process."""
_NOT_ON_THE_SERVICE = {"budgets": "budgets", "flags": "the halt", "messages": "messages sent"}
"""What cannot be recovered through tags, by the table it was in."""


class _Undone(Exception):
    """Rolls back a transaction that was only a test."""


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
        with suppress(_Undone), database.write("check", lasting=True) as db:
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
    database.disconnect()
    damaged = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
    try:
        path.rename(damaged)
        for side_file in (f"{path.name}-journal", f"{path.name}-wal", f"{path.name}-shm"):
            with suppress(FileNotFoundError):
                path.with_name(side_file).rename(damaged.with_name(damaged.name + side_file.removeprefix(path.name)))
        _create(path)
        with closing(sqlite3.connect(path, isolation_level=None)) as fresh:
            _prepare(fresh, str(path), is_repaired=True)  # what is staged and the log of intents stay
    except (OSError, sqlite3.Error) as problem:
        raise explain(problem, path) from problem
    kept = dict.fromkeys(TABLES, 0)
    with database.write("repair", lasting=True) as db:
        for name, record in saved:
            place = "unsynced" if name == "intents" else "main"
            marks, columns = ", ".join("?" * len(record)), ", ".join(record)
            with suppress(sqlite3.Error):
                db.execute(f"INSERT OR IGNORE INTO {place}.{name} ({columns}) VALUES ({marks})", (*record.values(),))
                kept[name] += 1
    return Repaired(damaged, kept)


def _damage(database: Database) -> list[str]:
    """Return what is broken in the file itself, read from disk rather than from the connection's cache."""
    if isinstance(database.path, Path):
        database.disconnect()
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
