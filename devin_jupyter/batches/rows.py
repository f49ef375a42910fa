"""The rows of a batch, read once from a table or a list, as plain values with labels.

Tables are recognized by what they can do, so that pandas is never imported here; nothing is rendered or sent.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from functools import cache
from typing import Any

from devin_jupyter.errors import OptionError, UsageMistake
from devin_jupyter.text import nearest
from devin_jupyter.values import in_order, is_null, kind_of_table, lasting_text, text_of

SCALAR = "row"
"""The input column of rows that are plain values and have no name of their own."""
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Index:
    """The names and the dtype of an index."""

    names: tuple[Any, ...]
    dtype: str
    columns: tuple[str, ...] = ()
    """Its levels that are columns for the template, but not of the frame."""


@dataclass(frozen=True, slots=True)
class Rows:
    """A label and a value for each row."""

    labels: tuple[Hashable, ...]
    """The index labels of a DataFrame or Series, else the positions."""
    values: tuple[Any, ...]
    """A mapping of column to value per row, or the plain value itself."""
    columns: tuple[str, ...]
    is_table: bool
    """Whether a row has columns; otherwise it is one plain value."""
    source: Any = None
    """A copy of the table as a frame; None where it was none."""
    dtypes: Mapping[str, str] = field(default_factory=dict)
    """The dtypes of the table by name, to restore it from the journal."""
    index: Index | None = None
    """The index of a table or Series, to restore it from the journal."""
    used: set[str] = field(default_factory=set, compare=False)
    """The columns that templates used so far; only these identify a row."""

    def __len__(self) -> int:
        return len(self.labels)

    def record(self, position: int) -> dict[str, Any]:
        """Return the row at this position as a mapping, also where it is a plain value."""
        value = self.values[position]
        return dict(value) if self.is_table else {self.columns[0]: value}

    def template_value(self, position: int, *, blank: str | None = None) -> Any:
        """Return what `row` stands for in the template: a `Row`, or the plain value.

        Args:
            position: of the row.
            blank: how a null is printed; by default that is an error.
        """
        value = self.values[position]
        if self.is_table:
            return Row(value, self.used, blank)
        return _null("row is null", blank) if is_null(value) else value


class Row:
    """One row in a template: `row.repo` or `row["repo"]`; a null can be tested and defaulted, not printed."""

    __slots__ = ("_blank", "_cells", "_used")

    def __init__(self, cells: Mapping[str, Any], used: set[str] | None = None, blank: str | None = None) -> None:
        # every name that is not a dunder is a column
        self._cells, self._used, self._blank = cells, set() if used is None else used, blank

    def __getitem__(self, column: Any) -> Any:
        """Return a cell; a null or missing one is an undefined value, which raises when it is printed."""
        column = column if column in self._cells else str(column)  # columns may be numbers; here they are texts
        if column not in self._cells:
            return _null(f"there is no column {column!r}{nearest(str(column), map(str, self._cells))}")
        self._used.add(column)
        value = self._cells[column]
        return _null(f"row.{column} is null", self._blank) if is_null(value) else value

    def __getattr__(self, column: str) -> Any:
        if column.startswith("__"):
            raise AttributeError(column)
        return self[column]

    def __contains__(self, column: object) -> bool:
        return column in self._cells

    def __iter__(self) -> Iterator[str]:
        self._used.update(self._cells)
        return iter(self._cells)

    def __len__(self) -> int:
        return len(self._cells)

    def __str__(self) -> str:
        """Return the whole row as JSON."""
        self._used.update(self._cells)
        return json.dumps(plain(self._cells, is_sent=True), ensure_ascii=False)

    def __template_text__(self) -> str:
        return str(self)

    def __repr__(self) -> str:
        return f"Row({dict(self._cells)!r})"


def read_rows(given: Any) -> Rows:
    """Return the rows of a DataFrame, a Series, a list of mappings or records, or a list of plain values.

    Raises:
        OptionError: anything else, a mixture, or column names that occur twice.
    """
    if isinstance(given, Rows):
        return given
    if isinstance(given, (set, frozenset)):
        given = in_order(given)
    elif hasattr(given, "to_pylist"):  # tables and arrays of pyarrow
        given = given.to_pylist()
    if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Iterable):
        raise OptionError(
            f"the rows of a batch cannot be of type {type(given).__name__}",
            hint="give a DataFrame, a Series, a list of dicts or a list of values",
        )
    if hasattr(given, "columns") and hasattr(given, "index"):
        return _from_frame(given)
    if hasattr(given, "index") and hasattr(given, "to_list"):
        return _from_series(given)
    return _from_items(given.to_dicts() if hasattr(given, "to_dicts") else list(given))


def _from_frame(frame: Any) -> Rows:
    names = [name for name in frame.index.names if name is not None and name not in frame.columns]
    whole = frame.reset_index(level=names) if names else frame
    columns = [str(column) for column in whole.columns]
    _check_columns(columns)
    records = [dict(zip(columns, record, strict=True)) for record in whole.to_dict("split")["data"]]
    dtypes = {str(name): str(dtype) for name, dtype in whole.dtypes.items()}
    labels, index = tuple(frame.index.tolist()), _index(frame.index, tuple(map(str, names)))
    return Rows(labels, tuple(records), tuple(columns), is_table=True, source=frame.copy(), dtypes=dtypes, index=index)


def _index(index: Any, columns: tuple[str, ...] = ()) -> Index:
    return Index(tuple(plain(name) for name in index.names), str(index.dtype), columns)


def _from_series(series: Any) -> Rows:
    column = SCALAR if series.name is None else str(series.name)
    labels, source = tuple(series.index.tolist()), series.to_frame(column)
    index = _index(series.index)
    return Rows(labels, tuple(series.to_list()), (column,), is_table=False, source=source, index=index)


def _from_items(items: Sequence[Any]) -> Rows:
    records = [_record(item) for item in items]
    labels = tuple(range(len(items)))
    if not any(record is not None for record in records):
        return Rows(labels, tuple(items), (SCALAR,), is_table=False)
    odd = [position for position, record in enumerate(records) if record is None]
    if odd:
        raise OptionError(
            f"some rows have columns and some are plain values: {named(odd)}",
            hint="make every row a dict, or every row a value",
        )
    tables = [{str(name): value for name, value in record.items()} for record in records if record is not None]
    columns = tuple(dict.fromkeys(name for record in tables for name in record))
    return Rows(labels, tuple(tables), columns, is_table=True)


def _record(item: Any) -> Mapping[Any, Any] | None:
    if isinstance(item, Mapping):
        return item
    if hasattr(item, "model_dump"):
        dumped: Mapping[Any, Any] = item.model_dump()
        return dumped
    if dataclasses.is_dataclass(item) and not isinstance(item, type):
        return {field.name: getattr(item, field.name) for field in dataclasses.fields(item)}
    if hasattr(item, "_asdict"):
        fields: Mapping[Any, Any] = item._asdict()
        return fields
    return None


def _check_columns(columns: Sequence[str]) -> None:
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise OptionError(f"the rows have more than one column {twice[0]!r}", hint="give every column its own name")


def plain(value: Any, *, is_sent: bool = False) -> Any:
    """Return a cell as the JSON value that is stored and compared; the same one in every process.

    Raises:
        UsageMistake: `is_sent`, and the cell has no text that lasts.
    """
    if not isinstance(value, (bool, int, str)) and is_null(value):
        return None
    if isinstance(value, (bool, int, float, str)):
        return _whole(value) if is_sent else value
    if isinstance(value, Mapping):
        return {_key(name): plain(item, is_sent=is_sent) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, is_sent=is_sent) for item in value]
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    scalar = getattr(value, "item", None)
    if callable(scalar) and getattr(value, "shape", None) == ():
        return plain(scalar(), is_sent=is_sent)
    return _as_text(value, is_sent=is_sent)


def _key(name: Any) -> str:
    try:
        return name if isinstance(name, str) else lasting_text(name)
    except UsageMistake:
        return str(name)


def _as_text(value: Any, *, is_sent: bool) -> Any:
    if is_sent and kind_of_table(value) == "array" and hasattr(value, "tolist"):
        return plain(value.tolist(), is_sent=True)  # the text of an array leaves out its middle
    try:
        return text_of(value)
    except UsageMistake:
        if is_sent:
            raise
        return str(value)


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def named(labels: Iterable[Any]) -> str:
    """Return `row 3` or `rows 3, 17 and 5 more`, for messages."""
    every = [str(label) for label in labels]
    shown = every if len(every) <= _SHOWN + 1 else every[:_SHOWN]
    rest = len(every) - len(shown)
    word = "row" if len(every) == 1 else "rows"
    return f"{word} {', '.join(shown)}" + (f" and {rest} more" if rest else "")


@cache
def _null_type(blank: str | None) -> type[Any]:
    from jinja2 import Undefined

    class Null(Undefined):
        """A cell without a value: false, equal to None, open to `default`, and an error where it would be printed."""

        __slots__ = ()

        def __str__(self) -> str:
            return self._fail_with_undefined_error() if blank is None else blank

        def __template_text__(self) -> str:
            return str(self)

        def __eq__(self, other: object) -> bool:
            return other is None or isinstance(other, Undefined)

        __hash__ = Undefined.__hash__

    return Null


def _null(hint: str, blank: str | None = None) -> Any:
    return _null_type(blank)(hint)
