"""Looking once at sessions the journal knows, so that decisions rest on how they are now; offline, on how they were."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol

from devin_jupyter.creation.policy import Raw
from devin_jupyter.errors import ApiError, ConnectionTrouble, NotFound, Unauthorized
from devin_jupyter.journal import Journal
from devin_jupyter.models.snapshot import Record, Snapshot, observe
from devin_jupyter.paid import Clock

LOOK_SECONDS = 5.0
OFFLINE_SECONDS = 30.0


class Reader(Protocol):
    """The call that reads a session."""

    async def get(self, session_id: str, *, retries: bool = True) -> Raw:
        """Read a session."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one look brought."""

    snapshot: Snapshot | None
    """As it is, or as it was last seen."""
    raw: Raw | None = None
    """The service's answer; None when there was none."""
    why_not: str = ""
    """Why the service did not tell."""


@dataclass(slots=True)
class Eyes:
    """Reads sessions; after one failure it does not make the next cells wait for the same."""

    sessions: Reader
    journal: Journal
    clock: Clock
    simulated: bool = False
    api_version: str | None = None
    """Whose answers are read; None is the one that started the session."""
    _offline_until: float = field(default=0.0)

    async def look(self, entry: Record) -> Look:
        """Return a session as it is now, noted in the journal; as last seen when the service cannot be reached.

        Raises:
            ApiError, ConnectionTrouble: it was never seen before and cannot be now.
        """
        if entry.snapshot is not None and self.clock.now() < self._offline_until:
            return Look(entry.snapshot, None, "the service cannot be reached")
        try:
            get = self.sessions.get(entry.session_id, retries=entry.snapshot is None)
            raw = await asyncio.wait_for(get, LOOK_SECONDS if entry.snapshot else None)
        except NotFound:
            if entry.snapshot is None:
                raise
            return Look(entry.snapshot, None, "the service does not know it any more")
        except (ApiError, ConnectionTrouble, TimeoutError) as problem:
            if entry.snapshot is None or isinstance(problem, Unauthorized):
                raise
            if isinstance(problem, ApiError):
                return Look(entry.snapshot, None, f"the service does not tell ({problem.status_code})")
            self._offline_until = self.clock.now() + OFFLINE_SECONDS
            return Look(entry.snapshot, None, "the service cannot be reached")
        api_version = self.api_version or entry.facts.where.api_version
        facts = entry.facts.read_by(api_version, simulated=self.simulated)
        return Look(await self.note(raw, replace(entry, facts=facts)), raw)

    async def look_at_payers(self, scopes: Iterable[str]) -> None:
        """Look at the open sessions that count in some budgets, before one of them refuses.

        Raises:
            ApiError, ConnectionTrouble: as `look`.
        """
        for session_id in await asyncio.to_thread(self.journal.budgets.open_payers, scopes):
            entry = await asyncio.to_thread(self.journal.record, session_id)
            if entry is not None:
                await self.look(entry)

    async def note(self, raw: Raw, record: Record) -> Snapshot:
        """Return the snapshot of an answer, and keep it in the journal."""
        snapshot = observe(raw, record, at=datetime.fromtimestamp(self.clock.now(), UTC))
        await asyncio.to_thread(self.journal.save_snapshot, snapshot)
        return snapshot
