"""The frames of a client: methods of `AsyncDevin`, each one line into `history`.

pandas, Dask and the readers are imported when a frame is asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from devin_jupyter.client.asynchronous import AsyncDevin


async def sessions_frame(
    self: AsyncDevin, sessions: Any = None, *, engine: str | None = None, limit: int | None = None, **filters: Any
) -> Any:
    """Return sessions as a DataFrame, the newest first, with the same columns and dtypes however many there are.

        devin.sessions_frame(since="30d", tags="team:payments")

    Long histories are read over many time windows at once. A value that is new to this package, such as an unknown
    `origin`, is kept as it came and adds a category. `write_parquet` and `write_csv` of `devin_jupyter.frames` keep
    any of our frames in a file without loss, `read_parquet` and `read_csv` give it back.

    Args:
        sessions: handles, ids or a frame with `session_id`, kept in their order; None for what the filters select.
        engine: `"dask"` for a Dask DataFrame whose partitions are time windows.
        limit: at most so many.
        filters: all must hold: `tags` (all of them), `repos`, `origin`, `category`, `user`, `service_user`, `phase`
            (any of them), `playbook`, `parent`, `schedule`, `archived` (both by default), `since` and `until`
            (half-open on `created_at`, UTC, absolute or such as `"7d"`), `updated_since`.

    Raises:
        OptionError: a filter that does not exist, or sessions and filters at once.
        Unsupported: v1 knows nothing of what is filtered by.
    """
    from devin_jupyter import history

    return await history.sessions(self.core, sessions, engine=engine, limit=limit, **filters)


async def outputs_frame(
    self: AsyncDevin,
    sessions: Any = None,
    *,
    schema: Any = None,
    explode: str | None = None,
    keep_empty: bool = False,
    prefix: str = "",
    limit: int | None = None,
    **filters: Any,
) -> pd.DataFrame:
    """Return structured outputs as a DataFrame: the schema's fields as columns, then which session they come from.

    Nested objects are dotted, enums are categories, dates are dates. An output that does not fit its schema keeps its
    row, with the reason in `error`, and a null where its value is none that the column can hold; one that is not final
    is `provisional`.

    A session without an output has no row, unless `keep_empty` is set; its `phase` then says why, and nothing is
    `provisional` or an `error`.

        devin.outputs_frame(tags="audit", schema=Report, explode="findings")

    Args:
        sessions: handles, ids or a sessions frame; None for what the filters select.
        schema: what to read them with; by default what each session was asked for, where that is known.
        explode: the dotted path of a list to take apart, a row per item. A schema that is a list is taken apart anyway.
        keep_empty: also keep sessions without an output, or with an empty list.
        prefix: put before the names of the schema's fields.
        limit: of at most so many sessions.
        filters: those of `sessions_frame`.

    Raises:
        OptionError: `explode` names no list, or a field has the name of one of the last columns.
    """
    from devin_jupyter import history

    chosen = {"schema": schema, "explode": explode, "keep_empty": keep_empty, "prefix": prefix, "limit": limit}
    return await history.outputs(self.core, sessions, **chosen, **filters)


async def messages_frame(
    self: AsyncDevin, sessions: Any = None, *, limit: int | None = None, **filters: Any
) -> pd.DataFrame:
    """Return the messages of sessions as a DataFrame, a row a message, session by session, oldest first.

    The columns are `session_id`, `event_id`, `source` (`user` or `devin`), `text` and `created_at` (UTC).

    Args:
        sessions: handles, ids or a sessions frame; None for what the filters select.
        limit: of at most so many sessions.
        filters: those of `sessions_frame`.

    Raises:
        OptionError: a filter that does not exist, or sessions and filters at once.
        NotFound: no such session.
    """
    from devin_jupyter import history

    return await history.messages(self.core, sessions, limit=limit, **filters)


async def pull_requests_frame(
    self: AsyncDevin, sessions: Any = None, *, limit: int | None = None, **filters: Any
) -> pd.DataFrame:
    """Return pull requests as a DataFrame, a row per distinct URL, with the session that had it first.

    The columns are `url`, `repo`, `number`, `state` and `session_id`.

    Args:
        sessions: handles, ids or a sessions frame; None for what the filters select.
        limit: of at most so many sessions.
        filters: those of `sessions_frame`.

    Raises:
        OptionError: a filter that does not exist, or sessions and filters at once.
    """
    from devin_jupyter import history

    return await history.pull_requests(self.core, sessions, limit=limit, **filters)


async def insights_frame(
    self: AsyncDevin, sessions: Any = None, *, limit: int | None = None, **filters: Any
) -> pd.DataFrame:
    """Return how sessions went, as the service judges it, as a DataFrame, a row a session. v3 only.

    The columns are some of `sessions_frame`, then sizes, languages, tools and the counts of what was found; `analysis`
    holds the whole judgment, which sessions without one leave empty.

    Args:
        sessions: handles, ids or a sessions frame; None for what the filters select.
        limit: of at most so many sessions.
        filters: those of `sessions_frame`.

    Raises:
        NotFound: one of the named sessions is not there for this key.
        OptionError: a filter that does not exist, or sessions and filters at once.
        Unsupported: v1 has no insights.
    """
    from devin_jupyter import history

    return await history.insights(self.core, sessions, limit=limit, **filters)


async def consumption_frame(
    self: AsyncDevin,
    *,
    since: Any = None,
    until: Any = None,
    user: str | None = None,
    service_user: str | None = None,
    session: Any = None,
) -> pd.DataFrame:
    """Return the ACUs of each day as a DataFrame; a day begins at 08:00 UTC. v3 only; most keys lack the permission.

    There is a row a day: `date`, `acus`, and the part of each product: `devin`, `cascade`, `terminal`, `review`.

    Args:
        since: a moment, absolute or such as `"30d"`.
        until: a moment.
        user: of this user only.
        service_user: of this service user only.
        session: of this session only.

    Raises:
        OptionError: two subjects at once, or what is no moment.
        Forbidden: the key lacks the permission.
        Unsupported: v1 has no consumption figures.
    """
    from devin_jupyter import history

    chosen = {"since": since, "until": until, "user": user, "service_user": service_user, "session": session}
    return await history.consumption(self.core, **chosen)


async def sync(self: AsyncDevin, folder: str | Path, **filters: Any) -> pd.DataFrame:
    """Bring a folder of Parquet files up to date and return all its sessions as a DataFrame, the newest first.

    Rows and columns are those of `sessions_frame`. Only what changed is read. A sync that is interrupted loses
    nothing: the next one does it over.

    Args:
        folder: made where it does not exist.
        filters: those of `sessions_frame`; the same every time.

    Raises:
        OptionError: the folder holds the sessions of somebody else, or of other filters.
    """
    from devin_jupyter import history

    return await history.sync(self.core, folder, **filters)
