"""The one line that says which session a cell has got, and why; times are absolute, money is in ACUs."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from devin_jupyter.models.phase import Phase
from devin_jupyter.models.snapshot import CellRef, Record, Snapshot
from devin_jupyter.text import format_acus, format_utc

_OVER = (Phase.DONE, Phase.STOPPED, Phase.FAILED)
_NAMES = {"max_acu": "cap", "bypass_approval": "approval", "schema_optional": "schema-optional"}


def state(snapshot: Snapshot | None, entry: Record | None = None) -> str:
    """Return `done, 1.4 ACU`."""
    if snapshot is not None:
        return f"{snapshot.phase.label}, {format_acus(snapshot.acus)}"
    return f"not seen since it was started, {format_acus(entry.acus if entry else None)}"


def cell_name(cell: CellRef | None) -> str:
    """Return how to call a cell: one without an id is known by the name it binds, which unrelated cells may share."""
    return f"the cell with -o {cell.out}" if cell is not None and cell.out and not cell.cell_id else "this cell"


def earlier_over(cell: CellRef | None, named: str, snapshot: Snapshot) -> str:
    """Return the note on an earlier session whose turn is over: a message may still wake it."""
    end = ", is over" if snapshot.phase in _OVER else ": its turn is over"
    return f"the earlier session of {cell_name(cell)}, {named}{end}"


def attached(
    session_id: str,
    *,
    started_at: float | None,
    acus: float | None,
    next_take: str,
    verb: str = "attached to",
    notes: Iterable[str] = (),
) -> str:
    """Return the line for a session that was there already."""
    said = "".join(f"; {note}" for note in notes if note)
    return (
        f"{verb} {session_id} of {format_utc(started_at)}, {format_acus(acus)}{said}; --take {next_take} starts another"
    )


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Name what differs without making another session: it stays as it was started."""
    names = [_NAMES.get(name, name) for name in now if name in before and before[name] != now[name]]
    if not names:
        return ""
    if len(names) == 1:
        return f"{names[0]} {'stay' if names[0].endswith('s') else 'stays'} as first given"
    return f"{', '.join(names[:-1])} and {names[-1]} stay as first given"


def next_take(take: str | None, taken: Iterable[str | None]) -> str:
    """Return a take that is free, as far as the journal knows: 2 after the first, else counting on."""
    used = set(taken)
    if take is None or take.isdigit():
        number = int(take or 1) + 1
        while str(number) in used:
            number += 1
        return str(number)
    number = 2
    while f"{take}-{number}" in used:
        number += 1
    return f"{take}-{number}"


def change(before: str, now: str) -> str:
    """Return the size of a change between two prompts, in words."""
    old, new = before.split(), now.split()
    if old == new:
        return "other options, same words"
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=len(old) + len(new) > 4000)  # else slow
    edits = [code for code in matcher.get_opcodes() if code[0] != "equal"]
    removed = sum(high - low for _, low, high, _, _ in edits)
    added = sum(high - low for _, _, _, low, high in edits)
    return f"words: {added} added, {removed} of {len(old)} removed"
