"""What the simulator keeps: JSON records by kind and id, and uploaded bytes; in memory, or in a SQLite file as well."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any, NamedTuple

from devin_jupyter.simulator.values import opaque
from devin_jupyter.simulator.wire import Record, not_found

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (kind TEXT, id TEXT, body TEXT NOT NULL, PRIMARY KEY (kind, id));
CREATE TABLE IF NOT EXISTS blobs (id TEXT PRIMARY KEY, body BLOB NOT NULL);
"""


class Resource(NamedTuple):
    """A kind of record that is created, read, updated and deleted, and does nothing else."""

    kind: str
    prefix: str
    """What its ids begin with."""
    id_field: str
    noun: str
    """How a 404 calls it."""


PLAYBOOKS = Resource("playbooks", "playbook", "playbook_id", "Playbook")
NOTES = Resource("notes", "note", "note_id", "Note")
FOLDERS = Resource("folders", "folder", "folder_id", "Folder")
SECRETS = Resource("secrets", "secret", "secret_id", "Secret")
SCHEDULES = Resource("schedules", "sched", "scheduled_session_id", "Schedule")
AUTOMATIONS = Resource("automations", "automation", "automation_id", "Automation")


class Store:
    """All records and blobs of one simulator; every change is in the file before the call returns."""

    def __init__(self, path: Path | None, *, seed: int) -> None:
        """Open or create the file; without a path everything is in memory only."""
        self._seed = seed
        self._tables: dict[str, Table] = {}
        self._db: sqlite3.Connection | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            try:
                # survives a killed process; a power cut may lose a simulation
                self._db.execute("PRAGMA synchronous=OFF")
                self._db.executescript(_SCHEMA)
            except sqlite3.Error:  # it is no database
                self._db.close()
                raise
        self._blobs: dict[str, bytes] = dict(self._query("SELECT id, body FROM blobs"))

    def table(self, kind: str) -> Table:
        """Return the records of one kind, such as `playbooks`."""
        if kind not in self._tables:
            self._tables[kind] = Table(kind, self)
        return self._tables[kind]

    def create(self, resource: Resource, fields: Record) -> Record:
        """Keep a new record; its id follows from the seed and from how many there were before."""
        identifier = self.fresh_id(resource.prefix)
        self.table(resource.kind)[identifier] = record = {resource.id_field: identifier, **fields}
        return record

    def read(self, resource: Resource, identifier: str) -> Record:
        """Return one record; raises the 404."""
        record = self.table(resource.kind).get(identifier)
        if record is None:
            raise not_found(resource.noun)
        return record

    def update(self, resource: Resource, identifier: str, fields: Record) -> Record:
        """Change some fields of a record; raises the 404."""
        record = {**self.read(resource, identifier), **fields}
        self.table(resource.kind)[identifier] = record
        return record

    def delete(self, resource: Resource, identifier: str) -> Record:
        """Remove a record and return what it was; raises the 404."""
        record = self.read(resource, identifier)
        del self.table(resource.kind)[identifier]
        return record

    def all(self, resource: Resource) -> list[Record]:
        """Return every record, oldest first."""
        return [*self.table(resource.kind).values()]

    def fresh_id(self, prefix: str) -> str:
        """Return the next id with this prefix."""
        counts = self.table("counts")
        number = counts.get(prefix, {"given": 0})["given"] + 1
        counts[prefix] = {"given": number}
        return opaque(prefix, self._seed, number)

    def blob(self, identifier: str) -> bytes | None:
        """Return uploaded bytes, or None."""
        return self._blobs.get(identifier)

    def keep_blob(self, identifier: str, body: bytes) -> None:
        """Keep uploaded bytes."""
        self._blobs[identifier] = body
        self._query("INSERT OR REPLACE INTO blobs VALUES (?, ?)", identifier, body)

    def save(self, kind: str, identifier: str, body: Any) -> None:
        """Write a JSON value to the file; a known id keeps its position."""
        sql = "INSERT INTO records VALUES (?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body"
        self._query(sql, kind, _storable(identifier), json.dumps(body))

    def load(self, kind: str) -> Iterator[tuple[str, Any]]:
        """Yield the values of a kind from the file, oldest first."""
        for identifier, body in self._query("SELECT id, body FROM records WHERE kind = ? ORDER BY rowid", kind):
            yield identifier, json.loads(body)

    def remove(self, kind: str, identifier: str) -> None:
        """Remove one value from the file."""
        self._query("DELETE FROM records WHERE kind = ? AND id = ?", kind, _storable(identifier))

    def clear(self) -> None:
        """Remove everything."""
        self._query("DELETE FROM records")
        self._query("DELETE FROM blobs")
        self._tables, self._blobs = {}, {}

    def close(self) -> None:
        """Close the file."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _query(self, sql: str, *values: Any) -> list[Any]:
        return [] if self._db is None else self._db.execute(sql, values).fetchall()


def _storable(text: str) -> str:
    """SQLite takes no lone surrogates."""
    return text.encode("utf-8", "backslashreplace").decode()


class Table(MutableMapping[str, Record]):
    """The records of one kind, in order of creation: a mapping whose assignments are kept.

    Change a record by assigning a new one: `table[id] = {**table[id], "title": …}`.
    """

    def __init__(self, kind: str, store: Store) -> None:
        self._kind, self._store = kind, store
        self._records: dict[str, Record] = dict(store.load(kind))

    def __getitem__(self, identifier: str) -> Record:
        return self._records[identifier]

    def __setitem__(self, identifier: str, body: Record) -> None:
        self._records[identifier] = body
        self._store.save(self._kind, identifier, body)

    def __delitem__(self, identifier: str) -> None:
        del self._records[identifier]
        self._store.remove(self._kind, identifier)

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)
