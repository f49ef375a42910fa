"""Notices that a template was edited over rows that have been answered already, before anything is paid twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from devin_jupyter.batches.money import most_of
from devin_jupyter.batches.plan import Item, Plan
from devin_jupyter.batches.record import KnownRow, known_rows
from devin_jupyter.batches.rows import named, plain
from devin_jupyter.errors import SessionChanged
from devin_jupyter.options.arguments import expressions
from devin_jupyter.redaction import redact_tree


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


_ALIKE = 0.75
"""From this share of common words on, a template counts as an edit of another one, not as another task."""
_ENOUGH = 3
"""Fewer common words say nothing: `Fix {{ row }}` and `Test {{ row }}` differ in all that matters."""


@dataclass(frozen=True, slots=True)
class Changed:
    """An item whose row is known, under an identity that it no longer has."""

    item: Item
    paid: Paid
    can_be_kept: bool
    """Only the words differ, and no key said what the row was: a key may say that it is the same."""

    @property
    def is_kept(self) -> bool:
        """Whether a key says so."""
        return self.can_be_kept and "key" in self.item.request.options


def are_alike(before: str, now: str) -> bool:
    """Tell whether one template reads like an edit of the other; what is filled in does not count."""
    matcher = SequenceMatcher(None, _words(before), _words(now), autojunk=False)
    if matcher.real_quick_ratio() < _ALIKE or matcher.quick_ratio() < _ALIKE or matcher.ratio() < _ALIKE:
        return False
    return sum(block.size for block in matcher.get_matching_blocks()) >= _ENOUGH


def _words(template: str) -> list[str]:
    parts, at = [], 0
    for start, end in expressions(template, strict=False):
        parts.append(template[at:start])
        at = end
    return " ".join([*parts, template[at:]]).split()


def changed_rows(
    plan: Plan, records: Sequence[Mapping[str, Any]], paid: Callable[[str], Paid | None], *, is_named: bool
) -> list[Changed]:
    """Return the items that would pay for a row again that an earlier run knows.

    Rows whose identity is the same as before cost nothing and are left out, and so are rows that were never started.

    Args:
        plan: the batch now.
        records: the batch as it was, or batches that it may be an edit of, newest first.
        paid: tells which session an identity has.
        is_named: a name or a cell says that it is the same batch; without one, other options make another task.
    """
    books = [_Known(plan, record) for record in reversed(records)]
    found = []
    for item in plan.items:
        cells = redact_tree(plain(plan.rows.record(item.positions[0])))
        rows = {text: row for book in books for text, row in book.rows(cells).items()}
        if not rows or item.fingerprint.text in rows or paid(item.fingerprint.text) is not None:
            continue
        meant = [row for row in _meant(item, [*rows.values()]) if is_named or row.terms == item.terms]
        changes = [
            Changed(item, session, row.key is None and row.terms == item.terms)
            for row in reversed(meant)
            if (session := paid(row.fingerprint)) is not None
        ]
        if changes:
            found.append(max(changes, key=_weight))
    return found


def _weight(change: Changed) -> tuple[bool, ...]:
    """What is kept costs nothing; of the others, the one whose answer would be paid for again."""
    return change.is_kept, change.paid.is_answered, change.paid.is_alive, change.can_be_kept


class _Known:
    """The rows of a record by the cells of the columns that both runs have and one of them used."""

    def __init__(self, plan: Plan, record: Mapping[str, Any]) -> None:
        known, used = known_rows(record), record.get("used", ())
        shared = [column for column in plan.rows.columns if all(column in row.cells for row in known)] if known else []
        columns = [column for column in shared if column in plan.rows.used or column in used] if used else shared
        self._columns = columns or shared
        self._rows: dict[str, dict[str, KnownRow]] = {}
        for row in known if self._columns else ():
            self._rows.setdefault(self._place(row.cells), {})[row.fingerprint] = row

    def rows(self, cells: Mapping[str, Any]) -> Mapping[str, KnownRow]:
        """Return the rows with these cells by their identities, the newest last."""
        return self._rows.get(self._place(cells), {})

    def _place(self, cells: Mapping[str, Any]) -> str:
        return json.dumps([cells.get(column) for column in self._columns], sort_keys=True, ensure_ascii=False)


def _meant(item: Item, known: Sequence[KnownRow]) -> Sequence[KnownRow]:
    """Return what an item may be an edit of, of the rows with its cells; another key makes it deliberately new."""
    key = redact_tree(item.request.options.get("key"))
    if key is None:
        return known
    same = [row for row in known if row.key == key]
    return same or ([] if any(row.key is not None for row in known) else known)


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
    if not again or plan.options.keys() & {"beside", "take", "new"}:
        return
    answered = sum(change.paid.is_answered for change in again)
    spent = sum(change.paid.acus or 0.0 for change in again)
    most = most_of([change.item for change in again])
    cost = f"up to {most:,} ACU" if most is not None else "an unlimited number of ACUs"
    at_work = f" and {len(again) - answered} are at work or wait for you" if answered < len(again) else ""
    labels = named(plan.rows.labels[change.item.positions[0]] for change in again)
    what = "the template or its options changed" if is_named else "a template much like this one ran over these rows"
    key = "--key '{{ … }}' says what a row is and keeps the answers (only rows not started yet use the new text); "
    raise SessionChanged(
        f"{what}, and {answered} of {len(plan.items)} rows are answered already"
        f"{at_work} ({labels}; {spent:.2f} ACU paid)",
        f"nothing was sent; running these again would cost {cost}",
        f"{key if all(change.can_be_kept for change in again) else ''}"
        f"--beside runs all rows again; {'' if is_named else '--name NAME says it is another batch; '}or undo the edit",
    )
