"""Which sessions a frame is about: handles, ids, a sessions frame, or whatever the filters select.

Handles are taken as they stand, without a request; all others are read from the service now. What the journal knows
of a session and the service does not say (its schema, our last message, that we stopped it) is put to use.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from devin_jupyter.api.pagination import LARGEST_PAGE
from devin_jupyter.errors import OptionError
from devin_jupyter.frames import SessionRows
from devin_jupyter.history.filters import Filters, checked_limit
from devin_jupyter.history.windows import Page, Raw, Window, parsed, read_sessions
from devin_jupyter.loop import gather_limited
from devin_jupyter.models import wire
from devin_jupyter.models.ids import session_id as prefixed
from devin_jupyter.models.snapshot import Record, Snapshot
from devin_jupyter.schema import Schema, from_wire

if TYPE_CHECKING:
    import pandas as pd

    from devin_jupyter.client.core import Core

IDS_A_PAGE = 100
"""More would make the URL too long for some proxies."""


@runtime_checkable
class Handle(Protocol):
    """A handle on a session: it holds its last snapshot."""

    @property
    def snapshot(self) -> Snapshot:
        """The session as last seen."""


@dataclass(slots=True)
class Journalled:
    """What the journal knows of the sessions of this organization."""

    known: dict[str, Record] = field(default_factory=dict)
    """By session id, with the last look at it."""
    schemas: dict[str, Schema] = field(default_factory=dict)
    """By session id."""


@dataclass(slots=True)
class Found:
    """Sessions as a frame, with what a frame does not hold."""

    frame: pd.DataFrame
    provisional: Mapping[str, bool]
    """By session id, where a snapshot tells."""
    journalled: Journalled


async def find(core: Core, sessions: Any, filters: Mapping[str, Any], limit: int | None) -> Found:
    """Return the sessions that are meant.

    Args:
        core: the client.
        sessions: handles, ids, a sessions frame, or None for what the filters select.
        filters: keywords, see `Filters`.
        limit: at most so many, the newest.

    Raises:
        OptionError: sessions and filters at once, or something that names no session.
    """
    chosen, limit = Filters.of(filters), checked_limit(limit)
    if sessions is None:
        return await _selected(core, chosen, limit)
    given = [name for name, value in {**filters, "limit": limit}.items() if value is not None]
    if given:
        raise OptionError(f"{given[0]}= selects sessions, and sessions are given already", hint="give one or the other")
    handles = held(sessions)
    return _held(handles) if handles else await _named(core, [_identifier(item) for item in _listed(sessions)])


def held(sessions: Any) -> list[Handle]:
    """Return the handles, where nothing but handles is given: what they hold needs no request."""
    listed = [] if sessions is None else _listed(sessions)
    handles = [item for item in listed if isinstance(item, Handle)]
    return handles if len(handles) == len(listed) else []


def identifiers(sessions: Any) -> list[str]:
    """Return the ids of handles, ids or a sessions frame, each once."""
    return list(dict.fromkeys(_identifier(item) for item in _listed(sessions)))


def utc_now() -> datetime:
    """Return this moment."""
    return datetime.now(UTC)


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
            f"a {type(sessions).__name__} names no sessions", hint="give handles, ids or a sessions frame"
        )
    return list(sessions)


def _identifier(item: Any) -> str:
    if isinstance(item, Handle):
        return item.snapshot.session_id
    if isinstance(item, str):
        return prefixed(item)
    raise OptionError(f"a {type(item).__name__} names no session", hint="give handles, ids or a sessions frame")


def _held(handles: Sequence[Handle]) -> Found:
    rows = SessionRows()
    distinct = {handle.snapshot.session_id: handle for handle in handles}
    rows.add_snapshots(handle.snapshot for handle in distinct.values())
    schemas = {name: schema for name, handle in distinct.items() if (schema := _schema_of(handle))}
    return Found(rows.frame(), rows.provisional, Journalled(schemas=schemas))


def _schema_of(handle: Handle) -> Schema | None:
    schema = getattr(handle, "schema", None)
    if isinstance(schema, Schema):
        return schema
    return from_wire(handle.snapshot.schema) if handle.snapshot.schema else None


async def _named(core: Core, identifiers: list[str]) -> Found:
    wanted = list(dict.fromkeys(identifiers))
    journalled = await asyncio.to_thread(read_journal, core)
    rows = _rows(core, journalled)
    rows.add(await fetch_named(core, wanted), at=utc_now())
    return Found(rows.frame(order=wanted), rows.provisional, journalled)


async def fetch_named(core: Core, identifiers: Sequence[str]) -> list[Any]:
    """Return the raw sessions with these ids, in any order.

    Raises:
        NotFound: one of them is not there for this key.
    """
    found: dict[str, wire.Session] = {}
    if not core.service.is_v1:
        chunks = [list(identifiers[at : at + IDS_A_PAGE]) for at in range(0, len(identifiers), IDS_A_PAGE)]
        found = {name: item for page in await gather_limited(core.sessions.some, chunks) for name, item in page.items()}
    missing = [name for name in identifiers if name not in found]
    return [*found.values(), *await gather_limited(core.sessions.get, missing)]


async def _selected(core: Core, filters: Filters, limit: int | None) -> Found:
    journalled = await asyncio.to_thread(read_journal, core)
    rows = _rows(core, journalled)
    with _collector_paused():
        await fill(core, rows, filters, limit)
        frame = await asyncio.to_thread(rows.frame, newest_first=True)
    if filters.phases:
        frame = frame[frame["phase"].isin(filters.phases)].reset_index(drop=True)
    return Found(frame if limit is None else frame.head(limit), rows.provisional, journalled)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Keep Python from looking for garbage among thousands of new dicts, which takes as long as parsing them does."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _rows(core: Core, journalled: Journalled) -> SessionRows:
    return SessionRows(api_version=core.settings.api_version, org_id=core.settings.org_id, known=journalled.known)


class Collector(Protocol):
    """Takes raw sessions page by page, each once."""

    def add(self, items: Sequence[Raw], *, at: datetime | None = None) -> int:
        """Add a page and return how many of its sessions are new."""

    def __len__(self) -> int:
        """How many there are."""


async def fill(core: Core, rows: Collector, filters: Filters, limit: int | None = None) -> None:
    """Read the sessions that pass the filters into `rows`; with a limit at least the newest so many, if there are."""
    most = None if filters.phases else limit
    if core.service.is_v1:
        await _fill_v1(core, rows, filters, most)
        return
    now = utc_now()
    window, params = filters.window(now), filters.v3_params(now)
    reading = Reading(core, rows, filters, now)
    await reading.read(window, params, most)
    if filters.archived is None:
        # whether the list holds archived sessions by itself is not documented: look at the first of them
        archived = {**params, "is_archived": "true"}
        page = await reading.page({**window.params(), **archived, "first": LARGEST_PAGE})
        if reading.take([item for item in page.items if _holds(window, item)]) and page.cursor:
            await reading.read(window, archived, most)


async def _fill_v1(core: Core, rows: Collector, filters: Filters, limit: int | None) -> None:
    now = utc_now()
    async for page in core.sessions.pages(**filters.v1_params()):
        rows.add(filters.keep(page, now, api_version="v1"), at=now)
        if limit is not None and len(rows) >= limit:  # v1 lists the newest first
            return


class Reading:
    """The v3 list, read into rows."""

    def __init__(self, core: Core, rows: Collector, filters: Filters, now: datetime) -> None:
        """Read nothing yet."""
        self._core, self._rows, self._filters, self._now = core, rows, filters, now

    def take(self, items: list[Raw]) -> int:
        """Add what passes the filters, and return how many of them are new."""
        return self._rows.add(self._filters.keep(items, self._now, api_version="v3"), at=self._now)

    async def fetch(self, params: Raw) -> bytes:
        """Return the body of a page."""
        service = self._core.service
        info = await service.request_info("sessions.list")
        return await service.transport.get_bytes(info.path, params, info=info)

    async def page(self, params: Raw) -> Page:
        """Return a page."""
        return parsed(await self.fetch(params))

    async def read(self, window: Window, params: Raw, limit: int | None) -> None:
        """Read all sessions of the window, or at least the newest `limit`."""
        if limit is not None and await self._read_newest(window, params, limit):
            return

        async def fetch(paging: Raw) -> bytes:
            return await self.fetch({**params, **paging})

        await read_sessions(fetch, self.take, window)

    async def _read_newest(self, window: Window, params: Raw, limit: int) -> bool:
        """Read until there are enough; False where the newest do not come first, so that all must be read."""
        count, cursors, oldest = 0, set[str | None](), None
        cursor: str | None = None
        while count < limit and cursor not in cursors:
            cursors.add(cursor)
            first = max(1, min(LARGEST_PAGE, limit - count))
            page = await self.page({**window.params(), **params, "first": first, "after": cursor})
            if page.items and (not page.is_ordered or (oldest is not None and page.created[0] > oldest)):
                return False
            count += self.take([item for item in page.items if _holds(window, item)])
            cursor, oldest = page.cursor, page.created[-1] if page.created else oldest
            if cursor is None:
                break
        return True


def _holds(window: Window, item: Raw) -> bool:
    created = item.get("created_at")
    return window.holds(int(created) if isinstance(created, (int, float)) else 0)


def read_journal(core: Core) -> Journalled:
    """Return what the journal knows of the sessions of this host and organization."""
    found, settings = Journalled(), core.settings
    place, org_id = settings.known_as or settings.base_url, settings.org_id
    for record in core.journal.sessions():
        facts, there = record.facts, record.facts.where
        is_elsewhere = org_id is not None and there.org_id not in (None, org_id)  # None: not asked for yet
        if there.base_url not in ("", place) or is_elsewhere:
            continue
        if isinstance(facts.schema, Schema):
            found.schemas[record.session_id] = facts.schema
        facts = facts.read_by(settings.api_version, simulated=settings.simulated)
        found.known[record.session_id] = replace(record, facts=facts)
    return found
