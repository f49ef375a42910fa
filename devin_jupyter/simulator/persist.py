"""Keeps the simulator's records in a SQLite file, or in nothing at all; knows no meaning of what it keeps."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (kind TEXT, id TEXT, body TEXT NOT NULL, PRIMARY KEY (kind, id));
CREATE TABLE IF NOT EXISTS blobs (id TEXT PRIMARY KEY, body BLOB NOT NULL);
"""

Record = dict[str, Any]


class Keeper:
    """Records by kind and id, and blobs by id; every call is durable before it returns."""

    def __init__(self, path: Path | None) -> None:
        """Open or create the file; without a path nothing is kept."""
        self._db: sqlite3.Connection | None = None
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        try:
            self._db.execute("PRAGMA synchronous=OFF")  # survives a killed process; a power cut may lose a simulation
            self._db.executescript(_SCHEMA)
        except sqlite3.Error:  # it is no database
            self._db.close()
            raise

    def save(self, kind: str, identifier: str, body: Any) -> None:
        """Keep a JSON value under kind and id; a known id keeps its place."""
        if self._db is not None:
            self._db.execute(
                "INSERT INTO records VALUES (?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
                (_key(kind), _key(identifier), json.dumps(body)),
            )

    def remove(self, kind: str, identifier: str) -> None:
        """Forget one record."""
        if self._db is not None:
            self._db.execute("DELETE FROM records WHERE kind = ? AND id = ?", (_key(kind), _key(identifier)))

    def load(self, kind: str) -> Iterator[tuple[str, Any]]:
        """Yield the records of a kind, oldest first."""
        if self._db is not None:
            rows = self._db.execute("SELECT id, body FROM records WHERE kind = ? ORDER BY rowid", (_key(kind),))
            for identifier, body in rows.fetchall():
                yield identifier, json.loads(body)

    def save_blob(self, identifier: str, body: bytes) -> None:
        """Keep bytes under an id."""
        if self._db is not None:
            self._db.execute("INSERT OR REPLACE INTO blobs VALUES (?, ?)", (identifier, body))

    def load_blobs(self) -> dict[str, bytes]:
        """Return every blob."""
        if self._db is None:
            return {}
        return dict(self._db.execute("SELECT id, body FROM blobs").fetchall())

    def clear(self) -> None:
        """Forget everything."""
        if self._db is not None:
            self._db.executescript("DELETE FROM records; DELETE FROM blobs;")

    def close(self) -> None:
        """Close the file."""
        if self._db is not None:
            self._db.close()
            self._db = None


def _key(text: str) -> str:
    """SQLite takes no lone surrogates."""
    return text.encode("utf-8", "backslashreplace").decode()


class Table(MutableMapping[str, Record]):
    """The records of one kind, in order of creation: a mapping whose assignments are kept.

    Change a record by assigning a new one: `table[id] = {**table[id], "title": …}`.
    """

    def __init__(self, kind: str, keeper: Keeper) -> None:
        """Load what was kept before."""
        self._kind, self._keeper = kind, keeper
        self._records: dict[str, Record] = dict(keeper.load(kind))

    def __getitem__(self, identifier: str) -> Record:
        """Return one record."""
        return self._records[identifier]

    def __setitem__(self, identifier: str, body: Record) -> None:
        """Keep one record."""
        self._records[identifier] = body
        self._keeper.save(self._kind, identifier, body)

    def __delitem__(self, identifier: str) -> None:
        """Forget one record."""
        del self._records[identifier]
        self._keeper.remove(self._kind, identifier)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the ids, oldest first."""
        return iter(self._records)

    def __len__(self) -> int:
        """Count the records."""
        return len(self._records)


class Blobs:
    """Uploaded bytes by id."""

    def __init__(self, keeper: Keeper) -> None:
        """Load what was kept before."""
        self._keeper, self._blobs = keeper, keeper.load_blobs()

    def put(self, identifier: str, body: bytes) -> None:
        """Keep bytes."""
        self._blobs[identifier] = body
        self._keeper.save_blob(identifier, body)

    def get(self, identifier: str) -> bytes | None:
        """Return the bytes, or None."""
        return self._blobs.get(identifier)
