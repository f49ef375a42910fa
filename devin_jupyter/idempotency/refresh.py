"""Rereads known sessions before a decision; offline, the last known state counts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from devin_jupyter.api.sessions import Sessions
from devin_jupyter.errors import ApiError, ConnectionTrouble, NotFound, Unauthorized
from devin_jupyter.idempotency.once import Timing
from devin_jupyter.models.snapshot import Record, Snapshot
from devin_jupyter.monitor.store import SessionStore

REFRESH_TIMEOUT = 5.0
RETRY_AFTER_OFFLINE = 30.0


@dataclass(frozen=True, slots=True)
class Observation:
    """The result of one read."""

    snapshot: Snapshot | None
    """As it is now, or as last seen."""
    raw: Mapping[str, Any] | None = None
    """The service's answer; None when there was none."""
    why_not: str = ""
    """Why the service did not answer."""


class Refresher:
    """Reads sessions; after one failure it does not make the next cells wait for the same."""

    def __init__(self, sessions: Sessions, store: SessionStore, timing: Timing) -> None:
        self._sessions, self._store, self._timing = sessions, store, timing
        self._offline_until = 0.0

    async def look(self, record: Record) -> Observation:
        """Return a session as it is now, or as last seen when the service cannot be reached.

        Raises:
            ApiError, ConnectionTrouble: it was never seen before and cannot be now.
        """
        seen = record.snapshot
        if seen is not None and self._timing.now() < self._offline_until:
            return Observation(seen, None, "the service cannot be reached")
        ticket = self._store.ticket()
        try:
            get = self._sessions.get(record.session_id, retries=seen is None)
            raw = await asyncio.wait_for(get, REFRESH_TIMEOUT if seen else None)
        except NotFound:
            if seen is None:
                raise
            return Observation(seen, None, "the service does not know it any more")
        except (ApiError, ConnectionTrouble, TimeoutError) as problem:
            if seen is None or isinstance(problem, Unauthorized):
                raise
            if isinstance(problem, ApiError):
                return Observation(seen, None, f"the service does not show it ({problem.status_code})")
            self._offline_until = self._timing.now() + RETRY_AFTER_OFFLINE
            return Observation(seen, None, "the service cannot be reached")
        return Observation(await self._store.see({**raw, "session_id": record.session_id}, ticket=ticket), raw)

    async def refresh_many(self, session_ids: Iterable[str]) -> None:
        """Read many sessions again, such as those that count in a budget before it refuses."""
        ticket = self._store.ticket()
        found = await self._sessions.by_ids(session_ids)
        for raw in found.raws.values():
            await self._store.see(raw, ticket=ticket)
