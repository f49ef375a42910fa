"""How an answer is laid out, decided once for the panel, the saved page and the terminal.

A list of records is a table, a flat object is names and values, and only what is nested deeper stays a tree. The
object in which a list is sent as `items` is never seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

COLUMNS = 12
_ITEMS, _ONE_LINE = 20, 80
_WRAPPER = "items"


@dataclass(frozen=True, slots=True)
class Section:
    """A part of an answer."""

    kind: Literal["table", "pairs", "list", "value"]
    title: str = ""
    """The name of the field; empty for the answer itself."""
    columns: tuple[str, ...] = ()
    """Of a table."""
    rows: Sequence[Sequence[Any]] = ()
    """The raw cells: a row for each record; name and value; one item; or the one value."""
    more_columns: int = 0


def sections(answer: Any) -> list[Section]:
    """Return the parts of an answer, what is flat first."""
    value = answer
    if isinstance(value, Mapping) and list(value) == [_WRAPPER] and isinstance(value[_WRAPPER], (list, tuple)):
        value = value[_WRAPPER]
    if not isinstance(value, Mapping):
        return [_section("", value)]
    flat = [(str(name), item) for name, item in value.items() if is_plain(item)]
    pairs = [Section("pairs", rows=flat)] if flat or not value else []
    return [*pairs, *(_section(str(name), item) for name, item in value.items() if not is_plain(item))]


def _section(title: str, value: Any) -> Section:
    if isinstance(value, Mapping) and all(map(is_plain, value.values())):
        return Section("pairs", title, rows=[(str(name), item) for name, item in value.items()])
    if isinstance(value, (list, tuple)) and value:
        if all(isinstance(item, Mapping) for item in value) and any(value):
            names = list(dict.fromkeys(str(name) for item in value for name in item))
            shown = tuple(names[:COLUMNS])
            rows = [[item.get(name, ABSENT) for name in shown] for item in value]
            return Section("table", title, shown, rows, more_columns=len(names) - len(shown))
        if not is_plain(value) and all(not isinstance(item, (Mapping, list, tuple)) for item in value):
            return Section("list", title, rows=[(item,) for item in value])
    return Section("value", title, rows=[(value,)])


ABSENT = ""
"""The cell of a record that lacks the field."""


def is_plain(value: Any) -> bool:
    """Return whether a value reads well on one line: a scalar, something empty, or a short list of scalars."""
    if not isinstance(value, (Mapping, list, tuple)) or not value:
        return True
    if isinstance(value, Mapping) or len(value) > _ITEMS:
        return False
    is_flat = all(not isinstance(item, (Mapping, list, tuple)) and "," not in str(item) for item in value)
    return is_flat and sum(len(str(item)) + 2 for item in value) <= _ONE_LINE


_WORDS = {"None": "–", "[]": "none", "()": "none", "{}": "none", "True": "yes", "False": "no"}


def plain_text(value: Any) -> str:
    """Return a plain value as text, as it came: not yet safe to show."""
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)) and value:
        return ", ".join(map(plain_text, value))
    text = str(value)
    return _WORDS.get(text, text)


def n_rows(parts: Sequence[Section]) -> int | None:
    """Return the number of rows where the answer has one table, else None."""
    tables = [part for part in parts if part.kind == "table"]
    return len(tables[0].rows) if len(tables) == 1 else None
