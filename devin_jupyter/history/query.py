"""Which sessions a frame is about: handles, ids, a sessions frame, or what the filters select.

Handles are taken as they stand, without a request; all others are read from the service now. What the journal knows of
a session and the service does not say (its schema, our last message, that we stopped it) is used.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from devin_jupyter.api.query import Query, checked_limit
from devin_jupyter.errors import OptionError
from devin_jupyter.frames import PullRequestRows, SessionRows
from devin_jupyter.models.fields import session_id as prefixed
from devin_jupyter.models.snapshot import Record, Snapshot
from devin_jupyter.schema import Schema, from_wire

if TYPE_CHECKING:
    import pandas as pd

    from devin_jupyter.session import Core


@runtime_checkable
class Handle(Protocol):
    """A handle on a session: it holds its last snapshot."""

    @property
    def snapshot(self) -> Snapshot:
        """The session as last seen."""


@dataclass(slots=True)
class Journaled:
    """What the journal knows of the sessions of this organization."""

    records: dict[str, Record] = field(default_factory=dict)
    """By session id."""
    schemas: dict[str, Schema] = field(default_factory=dict)
    """By session id."""


@dataclass(slots=True)
class Selection:
    """Sessions as a frame, with what a frame does not hold."""

    frame: pd.DataFrame
    provisional: Mapping[str, bool]
    """By session id, where it is known from a snapshot."""
    journaled: Journaled


async def select(core: Core, sessions: Any, filters: Mapping[str, Any], limit: int | None) -> Selection:
    """Return the selected sessions.

    Args:
        core: the client.
        sessions: handles, ids, a sessions frame, or None for what the filters select.
        filters: keywords, see `SessionFilters`.
        limit: the most sessions to return, the newest first.

    Raises:
        OptionError: sessions and filters at once, or something that is not a session.
    """
    query, limit = Query.of(filters), checked_limit(limit)
    if sessions is not None:
        given = [name for name, value in {**filters, "limit": limit}.items() if value is not None]
        if given:
            raise OptionError(
                f"{given[0]}= selects sessions, but sessions are already given", hint="give one or the other"
            )
        handles = only_handles(sessions)
        return _of_handles(handles) if handles else await _by_ids(core, identifiers(sessions))
    journaled = await asyncio.to_thread(read_journal, core)
    rows = new_rows(core, journaled)
    # Python would look for garbage among thousands of new dicts, which takes as long as parsing them
    was_on = gc.isenabled()
    gc.disable()
    try:
        await fill(core, rows, query, limit)
        frame = await asyncio.to_thread(rows.frame, newest_first=True)
    finally:
        if was_on:
            gc.enable()
    if query.phases:
        frame = frame[frame["phase"].isin(query.phases)].reset_index(drop=True)
    return Selection(frame if limit is None else frame.head(limit), rows.provisional, journaled)


async def fill(core: Core, rows: SessionRows | PullRequestRows, query: Query, limit: int | None = None) -> None:
    """Read the sessions of a query into `rows`; with a limit at least the newest `limit`, if there are that many."""
    now = datetime.now(UTC)
    scan: Any = core.sessions.scan(query, limit=None if query.phases else limit)
    async with aclosing(scan) as pages:
        async for page in pages:
            rows.add(page, at=now)


def new_rows(core: Core, journaled: Journaled) -> SessionRows:
    """Return rows for what this client reads."""
    return SessionRows(api_version=core.settings.api_version, org_id=core.settings.org_id, known=journaled.records)


def only_handles(sessions: Any) -> list[Handle]:
    """Return the handles, if nothing but handles is given: what they hold needs no request."""
    listed = [] if sessions is None else _listed(sessions)
    handles = [item for item in listed if isinstance(item, Handle)]
    return handles if len(handles) == len(listed) else []


def identifiers(sessions: Any) -> list[str]:
    """Return the ids of handles, ids or a sessions frame, each once.

    Raises:
        OptionError: something that is not a session.
    """
    found: dict[str, None] = {}
    for item in _listed(sessions):
        if isinstance(item, Handle):
            found[item.snapshot.session_id] = None
        elif isinstance(item, str):
            found[prefixed(item)] = None
        else:
            raise OptionError(f"a {type(item).__name__} is not a session", hint="give handles, ids or a sessions frame")
    return list(found)


def _listed(sessions: Any) -> list[Any]:
    if hasattr(sessions, "columns"):
        if "session_id" not in sessions.columns:
            raise OptionError("the frame has no column 'session_id'", hint="give a sessions frame, handles or ids")
        return list(dict.fromkeys(str(name) for name in sessions["session_id"]))
    if isinstance(sessions, (str, Handle)):
        return [sessions]
    sessions = getattr(sessions, "sessions", sessions)  # those of a batch
    if not isinstance(sessions, Iterable):
        raise OptionError(
            f"expected sessions, ids or a sessions frame, got {type(sessions).__name__}",
            hint="give handles, ids or a sessions frame",
        )
    return list(sessions)


def _of_handles(handles: list[Handle]) -> Selection:
    rows, schemas = SessionRows(), dict[str, Schema]()
    distinct = {handle.snapshot.session_id: handle for handle in handles}
    rows.add_snapshots(handle.snapshot for handle in distinct.values())
    for name, handle in distinct.items():
        schema = getattr(handle, "schema", None)
        if isinstance(schema, Schema):
            schemas[name] = schema
        elif handle.snapshot.schema:
            schemas[name] = from_wire(handle.snapshot.schema)
    return Selection(rows.frame(), rows.provisional, Journaled(schemas=schemas))


async def _by_ids(core: Core, wanted: list[str]) -> Selection:
    journaled = await asyncio.to_thread(read_journal, core)
    rows = new_rows(core, journaled)
    rows.add((await core.sessions.by_ids(wanted)).all(), at=datetime.now(UTC))
    return Selection(rows.frame(order=wanted), rows.provisional, journaled)


def read_journal(core: Core) -> Journaled:
    """Return what the journal knows of the sessions of this host and organization."""
    found, settings = Journaled(), core.settings
    place, org_id = settings.known_as or settings.base_url, settings.org_id
    for record in core.journal.sessions():
        facts, there = record.facts, record.facts.where
        is_elsewhere = org_id is not None and there.org_id not in (None, org_id)  # None: not asked for yet
        if there.base_url not in ("", place) or is_elsewhere:
            continue
        if isinstance(facts.schema, Schema):
            found.schemas[record.session_id] = facts.schema
        facts = facts.read_by(settings.api_version, simulated=settings.simulated)
        found.records[record.session_id] = replace(record, facts=facts)
    return found
