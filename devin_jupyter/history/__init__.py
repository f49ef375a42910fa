"""Past sessions as frames: selected, read concurrently, and passed to the builders in `frames`.

Sessions are given as handles, ids, a sessions frame, or filters. Handles are used as last seen, without a request; all
others are read from the service now. What only the journal knows of a session (its schema, our last message, that we
stopped it) is added. Every function takes the core of a client and runs on its loop. Nothing
here imports pandas.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from devin_jupyter import frames
from devin_jupyter.api.analytics import Consumption
from devin_jupyter.api.query import Query, When, checked_limit, to_utc
from devin_jupyter.api.sessions import IDS_PER_PAGE, collect, whole_conversation
from devin_jupyter.errors import OptionError, Unsupported
from devin_jupyter.frames import PullRequestRows, SessionRows
from devin_jupyter.loop import gather_limited, paused_collector
from devin_jupyter.models import wire
from devin_jupyter.models.enums import Phase
from devin_jupyter.models.fields import Message, identifier, read_message
from devin_jupyter.models.fields import session_id as prefixed
from devin_jupyter.models.snapshot import Record, Snapshot
from devin_jupyter.schema import Schema, from_wire, load_schema
from devin_jupyter.text import kind_of

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
    """What the journal knows about the sessions of this organization."""

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


async def select(
    core: Core, sessions: Any, filters: Mapping[str, Any], limit: int | None, *, is_brief: bool = False
) -> Selection:
    """Return the selected sessions.

    Args:
        core: the client.
        sessions: handles, ids, a sessions frame, or None for what the filters select.
        filters: keywords, see `SessionFilters`.
        limit: the most sessions to return, the newest first.
        is_brief: without the names of users, which are looked up, and with fewer columns, see `SessionRows`.

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
        return _of_handles(handles) if handles else await _by_ids(core, identifiers(sessions), is_brief)
    journaled = await asyncio.to_thread(read_journal, core)
    rows = new_rows(core, journaled, is_brief=is_brief)
    with paused_collector():
        await fill(core, rows, query, limit)
        frame = await asyncio.to_thread(rows.frame, newest_first=True)
    if query.phases:
        frame = frame[frame["phase"].isin(query.phases)].reset_index(drop=True)
    frame = frame if limit is None else frame.head(limit)
    return Selection(frame if is_brief else await names_in(core, frame, query), rows.provisional, journaled)


async def names_in(core: Core, frame: pd.DataFrame, query: Query | None = None) -> pd.DataFrame:
    """Return a sessions frame with the names of its users, as far as the key may read them.

    Args:
        core: the client.
        frame: of sessions.
        query: what selected them: of an enterprise, or of the organization.
    """
    if core.service.is_v1 or not frame["user_id"].notna().any():
        return frame
    seen, is_enterprise = core.service.seen, query is not None and "org_ids" in query.filters
    names = seen.everybody if is_enterprise else seen.members
    if names is None:
        names = await (core.enterprise if is_enterprise else core.members).names()
    return frames.with_names(frame, names)


async def fill(core: Core, rows: SessionRows | PullRequestRows, query: Query, limit: int | None = None) -> None:
    """Read the sessions of a query into `rows`; with a limit at least the newest `limit`, if there are that many."""
    now = datetime.now(UTC)
    await collect(core.sessions, query, partial(rows.add, at=now), limit=None if query.phases else limit)


def new_rows(core: Core, journaled: Journaled, *, is_brief: bool = False) -> SessionRows:
    """Return rows for what this client reads; `is_brief` with fewer columns, see `SessionRows`."""
    settings, known = core.service.settings, journaled.records
    return SessionRows(api_version=settings.api_version, org_id=settings.org_id, known=known, is_brief=is_brief)


def only_handles(sessions: Any) -> list[Handle]:
    """Return the handles if only handles are given: they need no request."""
    listed = [] if sessions is None else _listed(sessions)
    handles = [item for item in listed if isinstance(item, Handle)]
    return handles if len(handles) == len(listed) else []


_PHASES = frozenset(phase.value for phase in Phase)


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
            if item in _PHASES:
                raise OptionError(
                    f"{item!r} is a phase, not a session id", "nothing was read", f"filter by phase={item!r}"
                )
            found[prefixed(item)] = None
        else:
            raise OptionError(f"{kind_of(item)} is not a session", hint="give handles, ids or a sessions frame")
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


async def _by_ids(core: Core, wanted: list[str], is_brief: bool) -> Selection:
    journaled = await asyncio.to_thread(read_journal, core)
    rows = new_rows(core, journaled, is_brief=is_brief)
    rows.add((await core.sessions.by_ids(wanted)).all(), at=datetime.now(UTC))
    frame = rows.frame(order=wanted)
    return Selection(frame if is_brief else await names_in(core, frame), rows.provisional, journaled)


def read_journal(core: Core) -> Journaled:
    """Return what the journal knows of the sessions of this host and organization."""
    found, settings = Journaled(), core.service.settings
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


# --- the frames -----------------------------------------------------------------------------------------------

_IN_A_FRAME = {"session_id", "url", "phase", "acus", "structured_output"}


async def outputs(
    core: Core,
    sessions: Any = None,
    *,
    schema: Any = None,
    explode: str | None = None,
    keep_empty: bool = False,
    prefix: str = "",
    limit: int | None = None,
    **filters: Any,
) -> pd.DataFrame:
    """Return structured outputs as a frame: the schema's fields, then which session they come from.

    Args:
        core: the client.
        sessions: handles, ids or a sessions frame; None for what the filters select.
        schema: what to read them with; by default the schema of each session, where known.
        explode: the dotted path of a list to unnest, one row per item.
        keep_empty: also keep sessions without an output, or with an empty list.
        prefix: added to the names of the schema's fields.
        limit: the most sessions to return.
        filters: see `SessionFilters`.
    """
    asked = None if schema is None else load_schema(schema)
    found = await _with_outputs(core, sessions, filters, limit)
    schemas = found.journaled.schemas
    listed = frames.outputs_of(
        found.frame,
        provisional=found.provisional,
        known=found.journaled.records,
        schemas=schemas,
        with_empty=keep_empty,
    )
    return frames.outputs(listed, schema=asked, explode=explode, keep_empty=keep_empty, prefix=prefix)


async def _with_outputs(core: Core, sessions: Any, filters: Mapping[str, Any], limit: int | None) -> Selection:
    is_complete = hasattr(sessions, "columns") and _IN_A_FRAME.issubset(sessions.columns)
    if not is_complete or filters or limit is not None:
        return await select(core, sessions, filters, limit, is_brief=True)
    return Selection(sessions.drop_duplicates("session_id"), {}, await asyncio.to_thread(read_journal, core))


async def messages(core: Core, sessions: Any = None, *, limit: int | None = None, **filters: Any) -> pd.DataFrame:
    """Return the messages of sessions as a frame, session by session, oldest first.

    Args:
        core: the client.
        sessions: handles, ids or a sessions frame; None for what the filters select.
        limit: the most sessions to return.
        filters: see `SessionFilters`.
    """

    looks = [item.snapshot for item in only_handles(sessions)]
    recorded = {look.session_id: look.messages for look in looks if look.recorded is not None}

    async def conversation(name: str) -> list[Message]:
        if name in recorded:
            return list(recorded[name])
        if filters.get("org_ids") is not None:
            return [read_message(raw) async for raw in core.enterprise.messages(name)]
        return list(map(read_message, await whole_conversation(core.messages, name)))

    names = await _names(core, sessions, filters, limit)
    return frames.messages(zip(names, await gather_limited(conversation, names), strict=True))


async def pull_requests(core: Core, sessions: Any = None, *, limit: int | None = None, **filters: Any) -> pd.DataFrame:
    """Return pull requests as a frame, one row per distinct URL.

    Args:
        core: the client.
        sessions: handles, ids or a sessions frame; None for what the filters select.
        limit: of the most sessions to return.
        filters: see `SessionFilters`.
    """
    chosen, limit = Query.of(filters), checked_limit(limit)
    if sessions is None and not chosen.phases:
        rows = frames.PullRequestRows(api_version=core.service.settings.api_version)
        with paused_collector():
            await fill(core, rows, chosen, limit)
            return await asyncio.to_thread(rows.frame, limit)
    handles = only_handles(sessions) if not filters and limit is None else []
    if handles:
        looks = [handle.snapshot for handle in handles]
        made = ((look.session_id, look.created_at, look.updated_at, look.pull_requests) for look in looks)
        return frames.pull_requests(made)
    rows = frames.PullRequestRows(api_version=core.service.settings.api_version)
    found = await core.sessions.by_ids(await _names(core, sessions, filters, limit))
    rows.add(found.all())
    return rows.frame()


async def insights(core: Core, sessions: Any = None, *, limit: int | None = None, **filters: Any) -> pd.DataFrame:
    """Return the service's insights on sessions as a frame. v3 only.

    Args:
        core: the client.
        sessions: handles, ids or a sessions frame; None for what the filters select.
        limit: the most sessions to return.
        filters: see `SessionFilters`.

    Raises:
        NotFound: one of the named sessions does not exist, or this key cannot access it.
    """
    if core.service.is_v1:
        raise Unsupported("v1 has no insights", "nothing was read", "use a v3 key (cog_…)")
    query, limit = Query.of(filters), checked_limit(limit)
    names: list[str] | None = None
    raws: dict[str, Any] = {}
    if sessions is None and "org_ids" not in query.filters:

        def add(items: Iterable[Any]) -> int:
            before = len(raws)
            raws.update((identifier(raw), raw) for raw in items)
            return len(raws) - before

        with paused_collector():
            at_least = None if query.phases else limit
            await collect(core.sessions, query, add, limit=at_least, operation="insights.list")
    else:
        names = await _names(core, sessions, filters, limit)
        raws = await _insights_of(core, names, one_by_one="org_ids" in query.filters, must_be=sessions is not None)
    rows = new_rows(core, await asyncio.to_thread(read_journal, core), is_brief=True)
    rows.add([*raws.values()], at=datetime.now(UTC))
    frame = rows.frame(order=names, newest_first=names is None)
    if query.phases:
        frame = frame[frame["phase"].isin(query.phases)]
    frame = (frame if limit is None else frame.head(limit)).reset_index(drop=True)
    return await asyncio.to_thread(frames.insights, frame, [raws[name] for name in frame["session_id"]])


async def _insights_of(core: Core, names: list[str], *, one_by_one: bool, must_be: bool) -> dict[str, Any]:
    if one_by_one:  # those of an enterprise
        return dict(zip(names, await gather_limited(core.enterprise.insights, names), strict=True))

    async def some(chunk: list[str]) -> list[wire.Insights]:
        return [raw async for raw in core.insights.list(session_ids=chunk)]

    chunks = [names[at : at + IDS_PER_PAGE] for at in range(0, len(names), IDS_PER_PAGE)]
    found = {identifier(raw): raw for page in await gather_limited(some, chunks) for raw in page}
    raws: dict[str, Any] = {name: found[name] for name in names if name in found}
    missing = [name for name in names if name not in raws] if must_be else []
    return raws | dict(zip(missing, await gather_limited(core.insights.get, missing), strict=True))


async def consumption(
    core: Core,
    *,
    since: When = None,
    until: When = None,
    user: str | None = None,
    service_user: str | None = None,
    session: str | Handle | None = None,
) -> pd.DataFrame:
    """Return the ACUs of each day, which begins at 08:00 UTC, as a frame. v3 only; most keys lack the permission.

    Args:
        core: the client.
        since: a time, see `When`.
        until: a time, see `When`.
        user: of this user only.
        service_user: of this service user only.
        session: of this session only.
    """
    if sum(item is not None for item in (user, service_user, session)) > 1:
        raise OptionError("consumption is for one of user, service_user and session", hint="give one of them")
    daily, now = Consumption(core.service), datetime.now(UTC)
    span = {"since": to_utc(since, now), "until": to_utc(until, now, "until")}
    if user is not None:
        return frames.consumption(await daily.user(user, **span))
    if service_user is not None:
        return frames.consumption(await daily.service_user(service_user, **span))
    if session is not None:
        name = session.snapshot.session_id if isinstance(session, Handle) else session
        return frames.consumption(await daily.session(name, **span))
    return frames.consumption(await daily.daily(**span))


async def _names(core: Core, sessions: Any, filters: Mapping[str, Any], limit: int | None) -> list[str]:
    if sessions is not None and not filters and limit is None:
        return identifiers(sessions)
    return [str(name) for name in (await select(core, sessions, filters, limit, is_brief=True)).frame["session_id"]]
