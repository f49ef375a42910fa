"""Notices that a template was edited over rows that have been answered already, before anything is paid twice."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from devin_jupyter.batches.money import most_of
from devin_jupyter.batches.plan import Item, Plan
from devin_jupyter.batches.record import known_rows
from devin_jupyter.batches.rows import named, plain
from devin_jupyter.errors import SessionChanged, redact_tree


@dataclass(frozen=True, slots=True)
class Paid:
    """A session that a row has from an earlier run."""

    session_id: str
    is_answered: bool
    is_alive: bool
    """It has no answer yet, and is at work or waits for a person."""
    acus: float | None
    started_at: float
    """Unix seconds."""


_WORD = re.compile(r"\{\{.*?\}\}|\S+", re.DOTALL)
_ALIKE = 0.5
"""From this share of common words on, a template counts as an edit of another one, not as another task."""


@dataclass(frozen=True, slots=True)
class Changed:
    """An item whose row is known, under an identity that it no longer has."""

    item: Item
    paid: Paid


def are_alike(before: str, now: str) -> bool:
    """Tell whether one template reads like an edit of the other; a `{{ … }}` is one word."""
    matcher = SequenceMatcher(None, _WORD.findall(before), _WORD.findall(now), autojunk=False)
    return matcher.real_quick_ratio() >= _ALIKE and matcher.quick_ratio() >= _ALIKE and matcher.ratio() >= _ALIKE


def changed_rows(plan: Plan, record: Mapping[str, Any], paid: Callable[[str], Paid | None]) -> list[Changed]:
    """Return the items that would pay for a row again that the record of an earlier run knows.

    A row is known by the cells of the columns that both runs have and one of them used. Rows whose identity is the
    same as before cost nothing and are left out, and so are rows that were never started.
    """
    known, used = known_rows(record), record.get("used", ())
    shared = [column for column in plan.rows.columns if all(column in row.cells for row in known)] if known else []
    columns = [column for column in shared if column in plan.rows.used or column in used] if used else shared
    columns = columns or shared
    if not columns:
        return []
    before: dict[str, dict[str, None]] = {}
    for row in known:
        before.setdefault(_cells(row.cells, columns), {})[row.fingerprint] = None
    found = []
    for item in plan.items:
        identities = before.get(_cells(redact_tree(plain(plan.rows.record(item.positions[0]))), columns), {})
        if item.fingerprint.text in identities:
            continue
        sessions = [session for session in map(paid, reversed(identities)) if session is not None]
        if sessions and paid(item.fingerprint.text) is None:
            found.append(Changed(item, max(sessions, key=lambda session: (session.is_answered, session.is_alive))))
    return found


def refuse_repeats(plan: Plan, changed: Sequence[Changed], *, is_named: bool) -> None:
    """Refuse to pay again for rows that are answered or at work, unless `--beside` or `--take` says so.

    Args:
        plan: the batch with its edit.
        changed: its rows that are known from before.
        is_named: a name or a cell says that it is the same batch as before, rather than how much alike they are.

    Raises:
        SessionChanged: with the arithmetic and the ways to go on.
    """
    again = [change for change in changed if change.paid.is_answered or change.paid.is_alive]
    if not again or plan.options.given & {"beside", "take", "new"}:
        return
    answered = sum(change.paid.is_answered for change in again)
    spent = sum(change.paid.acus or 0.0 for change in again)
    most = most_of([change.item for change in again])
    cost = f"up to {most:,} ACU" if most is not None else "an unlimited number of ACUs"
    at_work = f" and {len(again) - answered} are at work or wait for you" if answered < len(again) else ""
    labels = named(plan.rows.labels[change.item.positions[0]] for change in again)
    what = "the template or its options changed" if is_named else "a template much like this one ran over these rows"
    raise SessionChanged(
        f"{what}, and {answered} of {len(plan.items)} rows are answered already"
        f"{at_work} ({labels}; {spent:.2f} ACU paid)",
        f"nothing was sent; running these again would cost {cost}",
        "--key '{{ … }}' says what a row is and keeps the answers (only rows not started yet use the new text); "
        f"--beside runs all rows again; {'' if is_named else '--name NAME says it is another batch; '}or undo the edit",
    )


def _cells(cells: Mapping[str, Any], columns: Sequence[str]) -> str:
    return json.dumps([cells.get(column) for column in columns], sort_keys=True, ensure_ascii=False)
