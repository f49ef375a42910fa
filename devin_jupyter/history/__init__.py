"""What happened so far, as frames: which sessions are meant, read concurrently, handed to the builders in `frames`.

Every function takes the core of a client and runs on its loop. Nothing here imports pandas.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from devin_jupyter import frames
from devin_jupyter.api.analytics import Consumption
from devin_jupyter.api.query import Query, When, checked_limit, to_utc
from devin_jupyter.api.sessions import IDS_PER_PAGE
from devin_jupyter.errors import OptionError, Unsupported
from devin_jupyter.history.dataset import dask_sessions, sync
from devin_jupyter.history.query import (
    Handle,
    Selection,
    fill,
    identifiers,
    only_handles,
    read_journal,
    select,
)
from devin_jupyter.loop import gather_limited
from devin_jupyter.models import wire
from devin_jupyter.models.fields import Message, identifier, read_message
from devin_jupyter.models.snapshot import Facts, Record, Snapshot, Where, observe
from devin_jupyter.schema import load_schema

if TYPE_CHECKING:
    import pandas as pd

    from devin_jupyter.session import Core

__all__ = ["consumption", "insights", "messages", "outputs", "pull_requests", "sessions", "sync"]

_IN_A_FRAME = {"session_id", "url", "phase", "acus", "structured_output"}


async def sessions(
    core: Core, sessions: Any = None, *, engine: str | None = None, limit: int | None = None, **filters: Any
) -> Any:
    """Return sessions as a frame, the newest first; named ones in the order they were named.

    Args:
        core: the client.
        sessions: handles, ids or a frame with `session_id`; None for what the filters select.
        engine: `"dask"` for a Dask DataFrame whose partitions are time windows.
        limit: the most to return.
        filters: see `SessionFilters`.
    """
    if engine not in (None, "pandas", "dask"):
        raise OptionError(f"engine={engine!r} is unknown", hint="leave it out for pandas, or give 'dask'")
    if engine != "dask":
        return (await select(core, sessions, filters, limit)).frame
    if sessions is not None or limit is not None:
        raise OptionError("engine='dask' reads whole time windows", hint="select with filters, without limit=")
    return await dask_sessions(core, filters)


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
        schema: what to read them with; by default what each session was asked for, where that is known.
        explode: the dotted path of a list to take apart, a row per item.
        keep_empty: also keep sessions without an output, or with an empty list.
        prefix: put before the names of the schema's fields.
        limit: the most sessions to return.
        filters: see `SessionFilters`.
    """
    asked = None if schema is None else load_schema(schema)
    found = await _with_outputs(core, sessions, filters, limit)
    schemas = found.journaled.schemas
    listed = frames.outputs_of(
        found.frame, provisional=found.provisional, known=found.journaled.records, schemas=schemas
    )
    return frames.outputs(listed, schema=asked, explode=explode, keep_empty=keep_empty, prefix=prefix)


async def _with_outputs(core: Core, sessions: Any, filters: Mapping[str, Any], limit: int | None) -> Selection:
    is_complete = hasattr(sessions, "columns") and _IN_A_FRAME.issubset(sessions.columns)
    if not is_complete or filters or limit is not None:
        return await select(core, sessions, filters, limit)
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
        return [read_message(raw) async for raw in core.messages.list(name)]

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
        rows = frames.PullRequestRows(api_version=core.settings.api_version)
        await fill(core, rows, chosen, limit)
        return rows.frame(limit)
    handles = only_handles(sessions) if not filters and limit is None else []
    if handles:
        looks = [handle.snapshot for handle in handles]
        made = ((look.session_id, look.created_at, look.updated_at, look.pull_requests) for look in looks)
        return frames.pull_requests(made)
    rows = frames.PullRequestRows(api_version=core.settings.api_version)
    found = await core.sessions.by_ids(await _names(core, sessions, filters, limit))
    rows.add(found.all())
    return rows.frame()


async def insights(core: Core, sessions: Any = None, *, limit: int | None = None, **filters: Any) -> pd.DataFrame:
    """Return how sessions went, as the service judges it, as a frame. v3 only.

    Args:
        core: the client.
        sessions: handles, ids or a sessions frame; None for what the filters select.
        limit: the most sessions to return.
        filters: see `SessionFilters`.

    Raises:
        NotFound: one of the named sessions is not there for this key.
    """
    if core.service.is_v1:
        raise Unsupported("v1 has no insights", "nothing was read", "use a v3 key (cog_…)")
    names = await _names(core, sessions, filters, limit)

    async def some(chunk: list[str]) -> list[wire.Insights]:
        return [raw async for raw in core.insights.list(session_ids=chunk)]

    chunks = [names[at : at + IDS_PER_PAGE] for at in range(0, len(names), IDS_PER_PAGE)]
    raws = {identifier(raw): raw for page in await gather_limited(some, chunks) for raw in page}
    missing = [name for name in names if name not in raws] if sessions is not None else []
    raws |= zip(missing, await gather_limited(core.insights.get, missing), strict=True)
    known = (await asyncio.to_thread(read_journal, core)).records

    def look(name: str) -> Snapshot:
        stranger = Record(session_id=name, facts=Facts(where=Where("", core.settings.org_id, "v3")))
        return observe(raws[name], known.get(name, stranger), at=datetime.now(UTC))

    return frames.insights((look(name), raws[name]) for name in names if name in raws)


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
    return [str(name) for name in (await select(core, sessions, filters, limit)).frame["session_id"]]
