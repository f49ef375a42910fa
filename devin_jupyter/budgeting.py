"""Budgets as people set them: for this notebook, with the arithmetic in the answer."""

from __future__ import annotations

from devin_jupyter.errors import OptionError
from devin_jupyter.journal import Journal
from devin_jupyter.journal.budgets import Account
from devin_jupyter.models.policy import notebook_scope


def budget(journal: Journal, notebook: str, acus: float | str | None = None, *, now: float) -> Account:
    """Set or show the budget of a notebook; what was spent stays spent.

    Args:
        journal: where it is kept.
        notebook: as `host().notebook` names it.
        acus: the limit, `"off"` for none, None to show it.
        now: Unix seconds.

    Raises:
        OptionError: not a number above 0.
    """
    scope = notebook_scope(notebook)
    if acus == "off":
        journal.budgets.set(scope, None, now=now)
    elif acus is not None:
        journal.budgets.set(scope, _acus(acus), now=now)
    return journal.budgets.account(scope)


def _acus(said: float | str) -> float:
    try:
        value = float(said)
    except (TypeError, ValueError):
        value = 0.0
    if isinstance(said, bool) or not 0 < value < float("inf"):
        raise OptionError(
            f"a budget is a number of ACUs above 0, or off, not {said!r}",
            hint="for example %devin budget 20; %devin budget --off lifts it",
        )
    return value
