"""Who may act on a name just now, among all kernels on this journal. A lease ends by itself when nobody renews it."""

from __future__ import annotations

import sqlite3
import uuid

from devin_jupyter.journal.database import Database, row
from devin_jupyter.journal.process import Process, this_process

LEASE_SECONDS = 15.0


class LeaseLost(Exception):
    """Somebody else may act on this name by now; look again before doing anything."""


def of_start(fingerprint: str) -> str:
    """Return the name under which one process at a time acts on a fingerprint."""
    return f"start {fingerprint}"


def of_send(session_id: str) -> str:
    """Return the name under which one process at a time sends to a session."""
    return f"send {session_id}"


class Leases:
    """Short exclusive rights, broken at once when the process that holds one is gone."""

    def __init__(self, database: Database) -> None:
        """Take nothing yet."""
        self._database = database

    def take(self, name: str, *, now: float, seconds: float = LEASE_SECONDS) -> str | None:
        """Return a token for the name, or None while somebody else holds it."""
        me, token = this_process(), uuid.uuid4().hex
        with self._database.write("lease-take") as db:
            holder = row(db, "SELECT * FROM leases WHERE name = ?", name)
            if holder is not None and not _is_free(holder, now):
                return None
            db.execute(
                "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?, ?)",
                (name, token, me.host, me.pid, me.born, now + seconds),
            )
        return token

    def renew(self, name: str, token: str, *, now: float, seconds: float = LEASE_SECONDS) -> bool:
        """Prolong a lease that is still ours; False when it was lost."""
        with self._database.write("lease-renew") as db:
            return keep(db, name, token, now=now, seconds=seconds)

    def give_back(self, name: str, token: str) -> None:
        """End a lease of ours; nothing happens when it was lost."""
        with self._database.write("lease-end") as db:
            db.execute("DELETE FROM leases WHERE name = ? AND token = ?", (name, token))


def keep(db: sqlite3.Connection, name: str, token: str, *, now: float, seconds: float = LEASE_SECONDS) -> bool:
    """Inside a transaction: prolong a lease unless somebody else holds it by now; one that vanished is taken again."""
    holder = row(db, "SELECT token FROM leases WHERE name = ?", name)
    if holder is not None and holder["token"] != token:
        return False
    me = this_process()
    db.execute(
        "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?, ?)",
        (name, token, me.host, me.pid, me.born, now + seconds),
    )
    return True


def end(db: sqlite3.Connection, name: str) -> None:
    """Inside a transaction: end a lease, whoever holds it, because what it was for is done."""
    db.execute("DELETE FROM leases WHERE name = ?", (name,))


def _is_free(holder: sqlite3.Row, now: float) -> bool:
    # a lease that runs far longer than any was given comes from a clock that was set back since
    expired = not now < holder["expires_at"] <= now + 20 * LEASE_SECONDS
    return expired or Process(holder["host"], holder["pid"], holder["born"]).is_gone
