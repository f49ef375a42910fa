"""The halt flag: while it is set, no kernel on this journal posts anything that costs money. Batches have one each."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

from devin_jupyter.errors import Halted
from devin_jupyter.journal.database import Database, row
from devin_jupyter.text import format_utc

_HALT = "halt"


class Flags:
    """The part of the journal that can stop everybody."""

    def __init__(self, database: Database) -> None:
        """Read nothing yet."""
        self._database = database

    def halt(self, *, now: float, by: str = "") -> None:
        """Set the halt flag; the time of an earlier one is kept."""
        with self._database.write("halt") as db:
            db.execute("INSERT OR IGNORE INTO flags VALUES (?, ?, ?)", (_HALT, by, now))

    def resume(self) -> bool:
        """Lift the halt flag; tell whether it was set."""
        with self._database.write("resume") as db:
            return db.execute("DELETE FROM flags WHERE name = ?", (_HALT,)).rowcount > 0

    def halted_since(self) -> datetime | None:
        """Return since when everything is halted, or None."""
        with self._database.read() as db:
            return halted(db)

    def hold(self, batch: str, *, now: float) -> None:
        """Let no kernel start rows of a batch until `release`; the time of an earlier hold is kept."""
        with self._database.write("pause") as db:
            db.execute("INSERT OR IGNORE INTO flags VALUES (?, ?, ?)", (f"batch {batch}", "", now))

    def release(self, batch: str) -> bool:
        """Lift the hold on a batch; tell whether there was one."""
        with self._database.write("resume") as db:
            return db.execute("DELETE FROM flags WHERE name = ?", (f"batch {batch}",)).rowcount > 0

    def refuse_if_held(self, batch: str) -> None:
        """Raise `Halted` while a batch is held."""
        with self._database.read() as db:
            found = row(db, "SELECT set_at FROM flags WHERE name = ?", f"batch {batch}")
        if found is not None:
            raise Halted(
                f"the batch was paused or stopped in another kernel on {format_utc(found['set_at'])}",
                "nothing was sent and nothing was paid",
                ".resume() of the batch goes on",
            )

    def refuse(self) -> None:
        """Raise `Halted` while the halt flag is set."""
        with self._database.read() as db:
            refuse_if_halted(db)


def refuse_if_halted(db: sqlite3.Connection) -> None:
    """Inside a transaction: raise `Halted` while the halt flag is set."""
    since = halted(db)
    if since is not None:
        raise Halted(
            f"everything was halted on {format_utc(since)} (%devin stop --all)",
            "nothing was sent and nothing was paid",
            "%devin resume lifts it",
        )


def halted(db: sqlite3.Connection) -> datetime | None:
    """Inside a transaction: return since when everything is halted, or None."""
    found = row(db, "SELECT set_at FROM flags WHERE name = ?", _HALT)
    return datetime.fromtimestamp(found["set_at"], UTC) if found else None
