"""`Devin`, and the functions of the package: the same methods on the default client."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from devin_jupyter.devin.default import connect, current, default, default_for, disconnect, in_use
from devin_jupyter.devin.facade import Devin
from devin_jupyter.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from devin_jupyter.batches import Batch
    from devin_jupyter.journal.budgets import Account

__all__ = [
    "Devin",
    "batch",
    "budget",
    "compare",
    "connect",
    "consumption_frame",
    "create",
    "current",
    "default",
    "disconnect",
    "from_notebook",
    "get",
    "insights_frame",
    "last",
    "map",
    "messages_frame",
    "outputs_frame",
    "pull_requests_frame",
    "sessions_frame",
    "sync",
]
F = TypeVar("F", bound="Callable[..., Any]")


def _as(method: Callable[..., Any]) -> Callable[[F], F]:
    """Return a decorator that gives a function the documentation of the method it calls."""

    def documented(function: F) -> F:
        function.__doc__ = f"{inspect.cleandoc(method.__doc__ or '')}\n\nWith the default client: see `connect`."
        return function

    return documented


@_as(Devin.create)
def create(prompt: str, **options: Any) -> Session:
    return in_use().create(prompt, **options)


@_as(Devin.get)
def get(id_or_url: str, schema: Any = None) -> Session:
    return in_use().get(id_or_url, schema)


@_as(Devin.last)
def last() -> Session:
    return in_use().last()


@_as(Devin.map)
def map(prompt: str, rows: Any, **options: Any) -> Batch:
    return in_use().map(prompt, rows, **options)


@_as(Devin.batch)
def batch(name: str) -> Batch:
    return in_use().batch(name)


@_as(Devin.budget)
def budget(acus: float | str | None = None, *, notebook: str | None = None) -> Account:
    return in_use().budget(acus, notebook=notebook)


@_as(Devin.sessions_frame)
def sessions_frame(sessions: Any = None, *, engine: str | None = None, limit: int | None = None, **filters: Any) -> Any:
    return default_for(sessions).sessions_frame(sessions, engine=engine, limit=limit, **filters)


@_as(Devin.outputs_frame)
def outputs_frame(
    sessions: Any = None,
    *,
    schema: Any = None,
    explode: str | None = None,
    keep_empty: bool = False,
    prefix: str = "",
    limit: int | None = None,
    **filters: Any,
) -> pd.DataFrame:
    return default_for(sessions).outputs_frame(
        sessions, schema=schema, explode=explode, keep_empty=keep_empty, prefix=prefix, limit=limit, **filters
    )


@_as(Devin.messages_frame)
def messages_frame(sessions: Any = None, *, limit: int | None = None, **filters: Any) -> pd.DataFrame:
    return default_for(sessions).messages_frame(sessions, limit=limit, **filters)


@_as(Devin.pull_requests_frame)
def pull_requests_frame(sessions: Any = None, *, limit: int | None = None, **filters: Any) -> pd.DataFrame:
    return default_for(sessions).pull_requests_frame(sessions, limit=limit, **filters)


@_as(Devin.insights_frame)
def insights_frame(sessions: Any = None, *, limit: int | None = None, **filters: Any) -> pd.DataFrame:
    return in_use().insights_frame(sessions, limit=limit, **filters)


@_as(Devin.consumption_frame)
def consumption_frame(
    *,
    since: Any = None,
    until: Any = None,
    user: str | None = None,
    service_user: str | None = None,
    session: Any = None,
) -> pd.DataFrame:
    return in_use().consumption_frame(since=since, until=until, user=user, service_user=service_user, session=session)


@_as(Devin.sync)
def sync(folder: str | Path, **filters: Any) -> pd.DataFrame:
    return in_use().sync(folder, **filters)


def compare(one: Batch | str, other: Batch | str, on: str | list[str]) -> pd.DataFrame:
    """Return two batches side by side: a row per key, columns in pairs named after the batches.

    Args:
        one: a batch, or its name.
        other: another one over the same kind of rows.
        on: the input column or columns that say what a row is.

    Raises:
        OptionError: a column that one of them has not, or a name that no batch has.
    """
    from devin_jupyter.batches import calls

    left, right = (batch(side) if isinstance(side, str) else side for side in (one, other))
    return calls.compare(left, right, on)


def from_notebook(path: str | Path) -> list[Session]:
    """Rebuild the sessions in a notebook file from its outputs alone: no key, journal or service is asked.

    Args:
        path: an `.ipynb` file that was saved with its outputs.

    Returns:
        A handle for each session, in the order of the cells: `.result()`, `.output` and `.frame()` give what was
        recorded.
    """
    from devin_jupyter.devin.recorded import sessions_in

    return sessions_in(Path(path))
