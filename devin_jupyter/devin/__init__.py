"""`Devin`, and the functions of the package: the same methods on the default client."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from devin_jupyter.devin.default import connect, current, default, disconnect
from devin_jupyter.devin.facade import Devin
from devin_jupyter.session import Session

if TYPE_CHECKING:
    from devin_jupyter.journal.budgets import Account

__all__ = [
    "Devin",
    "budget",
    "connect",
    "create",
    "current",
    "default",
    "disconnect",
    "from_notebook",
    "get",
    "last",
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
