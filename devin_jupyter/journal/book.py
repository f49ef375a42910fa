"""`Journal`: the local record that makes paid acts exactly-once and sessions findable again.

Safe for many kernels and threads at once. Methods are short and synchronous; asynchronous callers run them in a
thread. No value of a secret, nor anything made from one, may come in here.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from devin_jupyter.journal import maintenance
from devin_jupyter.journal.batches import Batches
from devin_jupyter.journal.budgets import Budgets
from devin_jupyter.journal.database import BUSY_SECONDS, IN_MEMORY, Database, Step
from devin_jupyter.journal.flags import Flags
from devin_jupyter.journal.intents import Intents
from devin_jupyter.journal.leases import Leases
from devin_jupyter.journal.sends import Sends
from devin_jupyter.journal.sessions import SessionBook
from devin_jupyter.models.snapshot import CellRef, Facts, Record, Snapshot

FILE_NAME = "journal.db"


class Journal:
    """All that is remembered, in one file.

    Its parts are `.intents`, `.sends`, `.budgets`, `.leases`, `.flags` and `.batches`.
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
        self.sends = Sends(self.database)
        self.budgets = Budgets(self.database)
        self.leases = Leases(self.database)
        self.flags = Flags(self.database)
        self.batches = Batches(self.database)
        self._sessions = SessionBook(self.database)

    def __repr__(self) -> str:
        """Show where it is kept."""
        return f"<Journal {self.path}>"

    @property
    def path(self) -> Path | str:
        """The file, or `":memory:"`."""
        return self.database.path

    def session_for(self, fingerprint: str, *, not_before: float | None = None) -> Record | None:
        """Return the newest session with this fingerprint, not older than a Unix time, or None."""
        return self._sessions.session_for(fingerprint, not_before=not_before)

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
        """Keep a session that was started or found, and end its intent."""
        self._sessions.remember(session_id, facts, how=how, started_at=started_at, now=now, snapshot=snapshot)

    def sessions_for(self, fingerprints: Iterable[str]) -> dict[str, Record]:
        """Return the newest session of each of many fingerprints, where there is one."""
        return self._sessions.sessions_for(fingerprints)

    def use_many(self, session_ids: Iterable[str], cell: CellRef, *, now: float) -> None:
        """Note in one transaction that a cell uses many sessions."""
        self._sessions.use_many(session_ids, cell, now=now)

    def use(self, session_id: str, cell: CellRef, *, now: float) -> None:
        """Note that a cell uses a session."""
        self._sessions.use(session_id, cell, now=now)

    def save_snapshot(self, *snapshots: Snapshot) -> None:
        """Keep how sessions look now; older looks never replace newer ones."""
        self._sessions.save_snapshots(snapshots)

    def save_snapshots(self, snapshots: Iterable[Snapshot]) -> None:
        """Keep how many sessions look now, in one transaction."""
        self._sessions.save_snapshots(snapshots)

    def snapshot(self, session_id: str) -> Snapshot | None:
        """Return how a session looked last, or None."""
        return self._sessions.snapshot(session_id)

    def record(self, session_id: str) -> Record | None:
        """Return what is known of a session, or None."""
        return self._sessions.record(session_id)

    def sessions(
        self,
        *,
        notebook: str | None = None,
        cell: CellRef | None = None,
        batch: str | None = None,
        is_open: bool | None = None,
        ours: bool = True,
    ) -> list[Record]:
        """Return sessions, oldest first: all, or those of a notebook, a cell, a batch; open ones, ended ones."""
        return self._sessions.sessions(notebook=notebook, cell=cell, batch=batch, is_open=is_open, ours=ours)

    def notebooks_of(self, session_ids: Iterable[str]) -> dict[str, list[str]]:
        """Return the notebooks that use these sessions."""
        return self._sessions.notebooks_of(session_ids)

    def last_used(self, cell: CellRef) -> Record | None:
        """Return the session that a cell used last, or None."""
        return self._sessions.last_used(cell)

    def mark_terminated(self, session_id: str) -> None:
        """Keep that we ended a session."""
        self._sessions.mark_terminated(session_id)

    def is_terminated(self, session_id: str) -> bool:
        """Tell whether somebody on this journal ended a session before it was done."""
        record = self.record(session_id)
        return record is not None and record.terminated

    def takes(self, base: str) -> list[str | None]:
        """Return the takes there are of a request, whose fingerprint without its take is `base`."""
        return self._sessions.takes(base)

    def finished(self, *, base_url: str | None, org_id: str | None) -> list[Record]:
        """Return the newest finished sessions of an organization whose cost is known, for estimates."""
        return self._sessions.costs(base_url=base_url, org_id=org_id)

    def halt(self, *, now: float, by: str = "") -> None:
        """Set the halt flag: no kernel on this journal posts until `resume`."""
        self.flags.halt(now=now, by=by)

    def resume(self) -> bool:
        """Lift the halt flag; tell whether it was set."""
        return self.flags.resume()

    def halted_since(self) -> datetime | None:
        """Return since when everything is halted, or None."""
        return self.flags.halted_since()

    def check(self) -> list[str]:
        """Return what is wrong with the file; an empty list when nothing is."""
        return maintenance.check(self.database)

    def undecided(self, notebook: str | None = None) -> list[str]:
        """Return in words what was posted and is not known to have happened, of a notebook or of all."""
        return maintenance.undecided(self.intents, self.sends, self._sessions, notebook)

    def export(self) -> dict[str, Any]:
        """Return everything as plain JSON, redacted."""
        return maintenance.export(self.database)

    def repair(self) -> maintenance.Repaired:
        """Save what can be read of a damaged file into a new one; the damaged one is kept beside it."""
        return maintenance.repair(self.database)

    def close(self) -> None:
        """Close the file; the next use opens it again. An in-memory journal is gone then."""
        self.database.close()
