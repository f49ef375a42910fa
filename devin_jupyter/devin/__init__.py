"""`Devin`, and the functions of the package: the same methods on the default client."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from devin_jupyter.devin.default import connect, current, default, disconnect
from devin_jupyter.devin.facade import Devin
from devin_jupyter.session import Session

if TYPE_CHECKING:
    import pandas as pd

    from devin_jupyter.journal.budgets import Account

__all__ = [
    "Devin",
    "budget",
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
    "messages_frame",
    "outputs_frame",
    "pull_requests_frame",
    "sessions_frame",
    "sync",
]


def create(prompt: str, **options: Any) -> Session:
    """Start a session with the default client, or attach to the one that this request has already.

    Returns as soon as its id is known; `.result()` waits for the answer. Never pays twice for the same request.

    Args:
        prompt: what Devin shall do; sent byte for byte.
        options: those of `%%devin` with `_`, such as `repos`, `mode`, `schema`, `max_acu`, `take`: see `Devin.create`.
    """
    return default().create(prompt, **options)


def get(id_or_url: str, schema: Any = None) -> Session:
    """Return a handle on a session that exists, looked up with the default client.

    Args:
        id_or_url: its id, bare or prefixed, or its URL.
        schema: what its output is to be read as; else the one it was started with, where known.
    """
    return default().get(id_or_url, schema)


def last() -> Session:
    """Return the session that was started or opened last: by the default client, else in this notebook."""
    return default().last()


def budget(acus: float | str | None = None) -> Account:
    """Set or show the budget of this notebook, in ACUs; its repr is the arithmetic. `"off"` lifts it."""
    return default().budget(acus)


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


def sessions_frame(sessions: Any = None, **chosen: Any) -> Any:
    """Return sessions as a DataFrame, read with the default client: see `Devin.sessions_frame`.

    Args:
        sessions: handles, ids or a frame with `session_id`; None for what the filters select.
        chosen: filters such as `since="30d"`, `tags`, `repos`, `origin`, `category`, `archived`, `playbook`; `limit`;
            `engine="dask"`.
    """
    return default().sessions_frame(sessions, **chosen)


def outputs_frame(sessions: Any = None, **chosen: Any) -> pd.DataFrame:
    """Return structured outputs as a DataFrame, read with the default client: see `Devin.outputs_frame`.

    Args:
        sessions: handles, ids or a sessions frame; None for what the filters select.
        chosen: `schema`, `explode`, `keep_empty`, `prefix`, `limit`, and the filters of `sessions_frame`.
    """
    return default().outputs_frame(sessions, **chosen)


def messages_frame(sessions: Any = None, **chosen: Any) -> pd.DataFrame:
    """Return the messages of sessions as a DataFrame, read with the default client: see `Devin.messages_frame`."""
    return default().messages_frame(sessions, **chosen)


def pull_requests_frame(sessions: Any = None, **chosen: Any) -> pd.DataFrame:
    """Return pull requests as a DataFrame, read with the default client: see `Devin.pull_requests_frame`."""
    return default().pull_requests_frame(sessions, **chosen)


def insights_frame(sessions: Any = None, **chosen: Any) -> pd.DataFrame:
    """Return how sessions went as a DataFrame, read with the default client: see `Devin.insights_frame`."""
    return default().insights_frame(sessions, **chosen)


def consumption_frame(**chosen: Any) -> pd.DataFrame:
    """Return the ACUs of each day as a DataFrame, read with the default client: see `Devin.consumption_frame`."""
    return default().consumption_frame(**chosen)


def sync(folder: str | Path, **filters: Any) -> pd.DataFrame:
    """Bring a folder of Parquet files up to date with the default client: see `Devin.sync`."""
    return default().sync(folder, **filters)
