"""How a request is to be started, and the budgets it counts in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from devin_jupyter.models.snapshot import CellRef

Swept = Mapping[str, Sequence[Mapping[str, Any]]]
"""The raw sessions that the service holds, by tag; also tags without any."""


def _ignored(line: str) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a request is to be started."""

    take_new: bool = False
    """The next free take (`--new`)."""
    max_age: float | None = None
    """An older session does not count as the same; seconds."""
    replace: bool = False
    """Stop the session at work of the cell's earlier text."""
    beside: bool = False
    """Go ahead beside a session at work, or beside a colleague's."""
    guard: CellRef | None = None
    """The cell that asks."""
    batch: str | None = None
    interactive: bool = False
    """Somebody can answer: a changed cell is refused rather than started."""
    budget: float | None = None
    """The limit of this cell, in ACUs."""
    stop_if_left: bool = False
    """End a session that is started although its caller was interrupted meanwhile."""
    swept: Swept = field(default_factory=dict)
    """What a batch found on the service beforehand."""
    refresh: bool = True
    """Look once at a session that is attached to."""
    say: Callable[[str], None] = field(default=_ignored, repr=False)
    """Told what is waited for. Called on the loop's thread: must not print."""
    is_patient: bool = True
    """Wait where the service asks to slow down; a batch rather slows down as a whole, and tries again itself."""

    def scopes(self, base: str) -> tuple[str, ...]:
        """Return the budgets that a request counts in, whether or not they have a limit by now.

        Args:
            base: the fingerprint of the request without its take.
        """
        scopes = [notebook_scope(self.guard.notebook)] if self.guard else []
        scopes.append(batch_scope(self.batch) if self.batch else cell_scope(self.guard, base))
        return tuple(scopes)

    def limits(self, base: str) -> dict[str, float | None]:
        """Return the budget of the cell as it says it now, by its scope; a batch sets its own."""
        return {} if self.batch else {self.scopes(base)[-1]: self.budget}


def notebook_scope(notebook: str) -> str:
    """Return the scope of everything that a notebook pays for."""
    return f"notebook {notebook}"


def batch_scope(name: str) -> str:
    """Return the scope of a batch."""
    return f"batch {name}"


def cell_scope(cell: CellRef | None, base: str) -> str:
    """Return the scope of a cell; of the request itself where the cell cannot be named."""
    return f"cell {cell.notebook} {cell.cell}" if cell and cell.cell else f"cell {base}"
