"""What a request gets, and the sessions there are already: read again, replayed from a lock file, told in a line."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from devin_jupyter.api.sessions import Sessions
from devin_jupyter.errors import ApiError, ConnectionTrouble, NotFound, NotRecorded, Unauthorized
from devin_jupyter.idempotency.once import Timing
from devin_jupyter.models.snapshot import CellRef, Facts, Record, Snapshot, Where
from devin_jupyter.monitor.store import SessionStore
from devin_jupyter.recorded import LockFile, clean, record_of, same_text
from devin_jupyter.request import SessionRequest
from devin_jupyter.text import format_acus, format_utc, one_line

REFRESH_TIMEOUT = 5.0
RETRY_AFTER_OFFLINE = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateResult:
    """How a request got its session."""

    record: Record
    """With the snapshot."""
    how: str
    """`created`, `attached`, `adopted` (ours, its answer had been lost) or `recorded` (from a lock file)."""
    raw: Mapping[str, Any] | None = None
    """The service's answer; None when it was not asked."""
    notice: str | None = None
    """The line to print."""

    @property
    def is_new(self) -> bool:
        """Whether this request started it."""
        return self.how in ("created", "adopted")

    @property
    def session_id(self) -> str:
        """Always `devin-…`."""
        return self.record.session_id

    @property
    def snapshot(self) -> Snapshot:
        """The current session."""
        assert self.record.snapshot is not None
        return self.record.snapshot


# --- rereading known sessions before a decision; offline, the last known state counts ------------------------


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
        self.sessions, self._store, self.timing = sessions, store, timing
        self._offline_until = 0.0

    async def look(self, record: Record) -> Observation:
        """Return a session as it is now, or as last seen when the service cannot be reached.

        Raises:
            ApiError, ConnectionTrouble: it was never seen before and cannot be now.
        """
        seen = record.snapshot
        if seen is not None and self.timing.now() < self._offline_until:
            return Observation(seen, None, "the service cannot be reached")
        ticket = self._store.ticket()
        try:
            get = self.sessions.get(record.session_id, retries=seen is None)
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
            self._offline_until = self.timing.now() + RETRY_AFTER_OFFLINE
            return Observation(seen, None, "the service cannot be reached")
        return Observation(await self._store.see({**raw, "session_id": record.session_id}, ticket=ticket), raw)

    async def refresh_many(self, session_ids: Iterable[str]) -> None:
        """Read many sessions again, such as those that count in a budget before it refuses."""
        ticket = self._store.ticket()
        found = await self.sessions.by_ids(session_ids)
        for raw in found.raws.values():
            await self._store.see(raw, ticket=ticket)


# --- replaying from a lock file ------------------------------------------------------------------------------

_ANY_ACCOUNT = Where("", None, "v3")
"""A lock file matches on the request, regardless of the account."""


def replay(request: SessionRequest, lock: LockFile) -> CreateResult:
    """Return the recorded session of a request: no key, no POST, no GET, the same values.

    Raises:
        NotRecorded: the lock file does not hold it.
    """
    found = recorded(request, lock)
    if found is None:
        raise not_recorded(lock)
    return found


def not_recorded(lock: LockFile) -> NotRecorded:
    """Return the error for a request that the lock file does not hold."""
    return NotRecorded(
        f"{lock.name} does not contain this cell, and there is no key to run it with",
        "nothing was sent and nothing was paid",
        "set DEVIN_API_KEY to run it, or ask the notebook's author to run %devin lock again",
    )


def recorded(request: SessionRequest, lock: LockFile) -> CreateResult | None:
    """Return the recorded session of a request, or None."""
    found = (lock.find(item.what) for item in request.fingerprints(_ANY_ACCOUNT))
    entry = next((item for item in found if item is not None), None)
    if entry is None:
        return None
    record = record_of(entry.snapshot, schema=request.schema)
    return CreateResult(
        record=replace(record, facts=replace(record.facts, take=request.take)),
        how="recorded",
        notice=f"replayed from {entry.file} (recorded {entry.date.isoformat()})",
    )


# --- notices: which session a cell has got, and why; times are absolute, money is in ACUs --------------------

_NAMES = {"max_acu": "cap", "max_time": "max-time", "bypass_approval": "approval", "schema_optional": "schema-optional"}


def state(snapshot: Snapshot | None, entry: Record | None = None) -> str:
    """Return `done, 1.4 ACU`."""
    if snapshot is not None:
        return f"{snapshot.label}, {format_acus(snapshot.acus)}"
    return f"not seen since it was started, {format_acus(entry.acus if entry else None)}"


def cell_name(cell: CellRef | None) -> str:
    """Return how to call a cell: one without an id is known by the name it binds, which unrelated cells may share."""
    return f"the cell with -o {cell.out}" if cell is not None and cell.out and not cell.cell_id else "this cell"


def attached(
    session_id: str,
    *,
    started_at: float | None,
    acus: float | None,
    next_take: str,
    verb: str = "attached to",
    notes: Iterable[str] = (),
) -> str:
    """Return the line for a session that was there already."""
    said = "".join(f"; {note}" for note in notes if note)
    return (
        f"{verb} {session_id} of {format_utc(started_at)}, {format_acus(acus)}{said}; --take {next_take} starts another"
    )


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Name what differs without making another session: it stays as it was started, and a cap is told."""
    names = [_NAMES.get(name, name) for name in now if name in before and before[name] != now[name]]
    if "cap" in names:
        first = before["max_acu"]
        names[names.index("cap")] = f"cap ({format_acus(first) if first else 'none'})"
    if not names:
        return ""
    if len(names) == 1:
        return f"{names[0]} {'stay' if names[0].endswith('s') else 'stays'} as first given"
    return f"{', '.join(names[:-1])} and {names[-1]} stay as first given"


def difference(before: Facts, now: Facts) -> str:
    """Return what differs between two requests, in a few words."""
    old, new = same_text(before.prompt), same_text(clean(now.prompt))
    if old.split() != new.split():
        matcher = difflib.SequenceMatcher(None, old.split(), new.split(), autojunk=len(old) + len(new) > 40_000)
        edits = [code for code in matcher.get_opcodes() if code[0] != "equal"]
        removed = sum(high - low for _, low, high, _, _ in edits)
        added = sum(high - low for _, _, _, low, high in edits)
        shown = [new.split()[low] for _, _, _, low, high in edits if high > low][:1]
        first = f", first at {one_line(shown[0], 30)!r}" if shown else ""
        counts = [f"{added} added"] * bool(added) + [f"{removed} of {len(old.split())} removed"] * bool(removed)
        return f"words: {', '.join(counts)}{first}"
    if old != new:
        return "the words are the same: line breaks or indentation differ"
    pairs = {
        "mode": (before.mode, now.mode),
        "repos": (sorted(before.repos), sorted(now.repos)),
        "schema": (before.wire_schema, now.wire_schema),
    }
    names = [name for name, (then, today) in pairs.items() if then != today]
    return f"the text is the same: {' and '.join(names) or 'other options or files'} differ{'s' * (len(names) == 1)}"


def next_take(take: str | None, taken: Iterable[str | None]) -> str:
    """Return a take that is free, as far as the journal knows: 2 after the first, else counting on."""
    used = set(taken)
    if take is None or take.isdigit():
        number = int(take or 1) + 1
        while str(number) in used:
            number += 1
        return str(number)
    number = 2
    while f"{take}-{number}" in used:
        number += 1
    return f"{take}-{number}"
