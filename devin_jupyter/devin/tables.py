"""The frames of a client for blocking callers: methods of `Devin`. Documented in `client.tables`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from devin_jupyter.loop import run_request

if TYPE_CHECKING:
    import pandas as pd

    from devin_jupyter.devin.facade import Devin


def sessions_frame(
    self: Devin, sessions: Any = None, *, engine: str | None = None, limit: int | None = None, **filters: Any
) -> Any:
    return run_request(self.asynchronous.sessions_frame(sessions, engine=engine, limit=limit, **filters))


def outputs_frame(
    self: Devin,
    sessions: Any = None,
    *,
    schema: Any = None,
    explode: str | None = None,
    keep_empty: bool = False,
    prefix: str = "",
    limit: int | None = None,
    **filters: Any,
) -> pd.DataFrame:
    found = self.asynchronous.outputs_frame(
        sessions, schema=schema, explode=explode, keep_empty=keep_empty, prefix=prefix, limit=limit, **filters
    )
    return run_request(found)


def messages_frame(self: Devin, sessions: Any = None, *, limit: int | None = None, **filters: Any) -> pd.DataFrame:
    return run_request(self.asynchronous.messages_frame(sessions, limit=limit, **filters))


def pull_requests_frame(self: Devin, sessions: Any = None, *, limit: int | None = None, **filters: Any) -> pd.DataFrame:
    return run_request(self.asynchronous.pull_requests_frame(sessions, limit=limit, **filters))


def insights_frame(self: Devin, sessions: Any = None, *, limit: int | None = None, **filters: Any) -> pd.DataFrame:
    return run_request(self.asynchronous.insights_frame(sessions, limit=limit, **filters))


def consumption_frame(
    self: Devin,
    *,
    since: Any = None,
    until: Any = None,
    user: str | None = None,
    service_user: str | None = None,
    session: Any = None,
) -> pd.DataFrame:
    found = self.asynchronous.consumption_frame(
        since=since, until=until, user=user, service_user=service_user, session=session
    )
    return run_request(found)


def sync(self: Devin, folder: str | Path, **filters: Any) -> pd.DataFrame:
    return run_request(self.asynchronous.sync(folder, **filters))
