"""Values of a notebook as text: the same text in every process, the whole value, or a refusal.

Tables and arrays are recognized by the module of their class, so that pandas, polars and pyarrow are never imported.
"""

from __future__ import annotations

import csv
import dataclasses
import enum
import io
import os
import re
import sys
import types
from collections import ChainMap, UserDict, UserList, deque
from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, Mapping, Sequence, ValuesView
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from devin_jupyter.errors import ArgumentError, OptionError, UsageMistake
from devin_jupyter.text import kind_of

MOST_TABLE_BYTES = 64 * 1024
"""A table that takes more as CSV is a file to attach, not a part of a prompt."""
_ADDRESS = re.compile(r"<[^<>]* at 0x[0-9a-fA-F]+")
_TABLES = ("pandas", "polars", "pyarrow", "modin", "geopandas")
_WHOLE = 2**53
"""Up to this number, every whole number is exact as a float."""
_LEAVES = (str, bytes, int, float, complex, type(None))
_OPENED = (
    *(types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.GeneratorType, types.ModuleType),
    io.IOBase,
)
"""Types whose text in Python does not show their value."""


def is_null(value: Any) -> bool:
    """Whether a value is None, NaN, NaT or pandas' NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    differs = isinstance(value, float) or (
        type(value).__name__ in ("datetime64", "timedelta64", "float16", "float32", "longdouble", "Decimal")
    )
    return differs and bool(value != value)


def in_order(values: Iterable[Any]) -> list[Any]:
    """Return the members of a set in an order that is the same in every process."""
    members = list(values)
    if all(isinstance(one, str) for one in members) or all(isinstance(one, (int, float)) for one in members):
        return sorted(members)
    return sorted(members, key=lambda one: (type(one).__name__, _inside(one)))


class OrderedSet(frozenset[Any]):
    """A set as templates see it: its members come in order."""

    def __iter__(self) -> Iterator[Any]:
        return iter(in_order(super().__iter__()))

    def __sub__(self, other: AbstractSet[Any]) -> OrderedSet:
        return OrderedSet(frozenset(super().__iter__()) - other)

    def __repr__(self) -> str:
        return _rebuilt(self, [_inside(member) for member in self]) if self else "set()"


def ordered(value: Any) -> Any:
    """Return a set as an `OrderedSet`, and everything else as it is."""
    return OrderedSet(value) if type(value) in (set, frozenset) else value


def lasting_text(value: Any) -> str:
    """Return Python's own text of a value, with sets in order.

    Raises:
        UsageMistake: its text is a place in memory.
    """
    return _inside(value, shown=str)


def path_of(value: Any, name: str = "path") -> Path:
    """Return a path that was given to a call.

    Raises:
        ArgumentError: it is no path.
    """
    if isinstance(value, (str, os.PathLike)):
        try:
            os.fsencode(value)
        except UnicodeEncodeError:
            raise ArgumentError(f"{name} contains half a character (a lone surrogate)", "nothing was sent") from None
        return Path(value)
    raise ArgumentError(f"{name} is the path of a file or folder, not {kind_of(value)}", "nothing was sent")


def text_of(value: Any) -> str:
    """Return the text by which a value stands in a prompt or an option.

    Raises:
        UsageMistake: a null, a value that shows nothing but its address, or a table that is too large.
    """
    if isinstance(value, str):
        return str(value)
    if is_null(value):
        raise OptionError(f"it is {'None' if value is None else 'a missing value'}", hint=_A_VALUE)
    of_its_own = getattr(type(value), "__template_text__", None)
    if of_its_own is not None:
        return str(of_its_own(value))
    if kind_of_table(value):
        return _table_text(value)
    number = _scalar(value)
    if isinstance(number, float) and number.is_integer() and abs(number) < _WHOLE:
        return str(int(number))
    return _inside(value, shown=str)


_A_VALUE = "give it a value, or say what stands for it: {{ name or 'none' }}"


def _scalar(value: Any) -> Any:
    """The Python number of a numpy scalar or an array without dimensions."""
    item = getattr(value, "item", None)
    return item() if callable(item) and getattr(value, "shape", None) == () else value


def _inside(value: Any, shown: Callable[[Any], str] = repr) -> str:
    """Return Python's own text of a value, but with sets in order; refuse what has none that lasts."""
    if isinstance(value, _LEAVES) or (isinstance(value, enum.Enum) and shown is str):
        return shown(value)
    if isinstance(value, _OPENED) or type(value).__name__ == "_TemporaryFileWrapper":
        raise _nameless(value)
    if kind_of_table(value):
        is_shown = type(value).__module__ == "numpy" and value.size <= _most_shown()
        if not is_shown or (value.dtype == object and any(map(_holds_sets, value.flat))):
            hint = "fill in the table itself, or send it with --attach"
            raise OptionError(f"there is {kind_of(value)} inside it", hint=hint)
        return shown(value)
    members = _members(value)
    if members is None:
        text = shown(value)
        if _ADDRESS.search(text) or _is_told_by_place(value, text):
            raise _nameless(value)
        return text
    texts = [_inside(member) for member in members]
    return _rebuilt(value, texts) if _holds_sets(value) else shown(value)


def _is_told_by_place(value: Any, text: str) -> bool:
    """Whether a text holds the place in memory as a number, as reprs that were written by hand may."""
    return re.search(rf"(?<![0-9a-z])(?:{id(value)}|(?:0x)?0*{id(value):x})(?![0-9a-z])", text.lower()) is not None


def _rebuilt(value: Any, texts: list[str]) -> str:
    """Return the text of a container made of the texts of its members."""
    kind, inner = type(value), ", ".join(texts)
    if isinstance(value, (set, frozenset)):
        return f"{{{inner}}}" if kind in (set, OrderedSet) else f"{kind.__name__}({{{inner}}})"
    if isinstance(value, enum.Enum):
        return f"<{kind.__name__}.{value.name}: {inner}>"
    if isinstance(value, Mapping):
        inner = ", ".join(f"{key}: {one}" for key, one in zip(texts[::2], texts[1::2], strict=True))
        return f"{{{inner}}}" if kind is dict else f"{kind.__name__}({{{inner}}})"
    fields = _fields(value)
    if fields is not None:
        pairs = zip(fields, texts, strict=True)
        named = "namespace" if kind is types.SimpleNamespace else kind.__qualname__
        return f"{named}({', '.join(f'{name}={text}' for (name, _), text in pairs)})"
    if isinstance(value, BaseException):
        return f"{kind.__name__}({inner})"
    if kind is tuple:
        return f"({inner},)" if len(texts) == 1 else f"({inner})"
    return f"[{inner}]" if kind is list else f"{kind.__name__}([{inner}])"


def _members(value: Any) -> list[Any] | None:
    """Return the values inside a value, keys before their values; None if it has no parts."""
    if isinstance(value, (set, frozenset)):
        return in_order(value)
    if isinstance(value, enum.Enum):
        return [value.value]
    if isinstance(value, BaseException):
        return list(value.args)
    if isinstance(value, (dict, UserDict, ChainMap, types.MappingProxyType)):
        return [part for pair in value.items() for part in pair]
    fields = _fields(value)
    if fields is not None:
        return [one for _, one in fields]
    return list(value) if isinstance(value, (list, tuple, deque, UserList, KeysView, ValuesView, ItemsView)) else None


def _holds_sets(value: Any) -> bool:
    if isinstance(value, _LEAVES):
        return False
    if isinstance(value, (set, frozenset)):
        return len(value) > 1 or any(map(_holds_sets, value))
    return any(map(_holds_sets, _members(value) or ()))


def _fields(value: Any) -> list[tuple[str, Any]] | None:
    """The fields of a record whose repr is the one that was made for it: a dataclass, a pydantic model, a namespace."""
    if type(value) is types.SimpleNamespace:
        return [*vars(value).items()]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        made = hasattr(type(value).__repr__, "__wrapped__") and type(value).__str__ is object.__str__
        return [(one.name, getattr(value, one.name)) for one in dataclasses.fields(value) if one.repr] if made else None
    of_attrs, of_msgspec = (getattr(type(value), name, ()) for name in ("__attrs_attrs__", "__struct_fields__"))
    names = [*(one.name for one in of_attrs if one.repr), *of_msgspec]
    if names and not isinstance(value, type):
        return [(name, getattr(value, name)) for name in names]
    if hasattr(type(value), "model_fields") and hasattr(value, "__repr_args__"):
        return [(name, one) for name, one in value.__repr_args__() if name is not None]
    return None


def _nameless(value: Any) -> UsageMistake:
    kind = type(value).__name__
    if isinstance(value, io.IOBase) or kind == "_TemporaryFileWrapper":
        return OptionError("it is an open file", hint="read it into a variable, and fill in that")
    if kind == "generator":
        hint = "make a list of it: {{ values | list }}, or {{ values | join(', ') }}"
        return OptionError("it is a generator, which has no text", hint=hint)
    if callable(value) and isinstance(value, _OPENED):
        return OptionError("it is a function", hint="call it: {{ name() }}")
    return OptionError(
        f"it is a {kind}, whose text is a place in memory, different in every kernel",
        hint="fill in one of its attributes, or a text of it",
    )


def kind_of_table(value: Any) -> str:
    """Return `frame`, `series`, `index` or `array` for a table or an array of whichever library; else nothing."""
    if isinstance(value, type):
        return ""
    for kind in type(value).__mro__:
        root, name = kind.__module__.partition(".")[0], kind.__name__
        if root in _TABLES and name in _KINDS:
            return _KINDS[name]
        if root == "numpy" and name == "ndarray" and value.shape != ():
            return "array"
        if root in _TABLES and name in ("ExtensionArray", "Categorical"):
            return "array"
    is_foreign = hasattr(type(value), "__array__") or hasattr(type(value), "__dataframe__")
    return "array" if is_foreign and getattr(value, "shape", ()) != () else ""


_KINDS = {
    "DataFrame": "frame",
    "LazyFrame": "lazy",
    "Table": "frame",
    "RecordBatch": "frame",
    "Series": "series",
    "Index": "index",
    "ChunkedArray": "array",
    "Array": "array",
}


def _most_shown() -> int:
    numpy = sys.modules.get("numpy")
    return int(numpy.get_printoptions()["threshold"]) if numpy is not None else 0


class TooLarge(OptionError):
    """A table that is too large for a prompt; `call` would write it in full."""

    call = ""


_WHOLE_TABLE = ("to_csv", "write_csv", "to_pylist", "tolist")
"""What writes a table or an array whole, by the library it is of."""


def _table_text(table: Any) -> str:
    text = to_csv(table, in_text=True)
    size = len(text.encode())
    if size > MOST_TABLE_BYTES:
        problem = TooLarge(f"it takes {size:,} bytes as CSV; a prompt takes a table of up to {MOST_TABLE_BYTES:,}")
        problem.call = next((f".{name}()" for name in _WHOLE_TABLE if hasattr(table, name)), "")
        raise problem
    return text.removesuffix("\n")


def to_csv(table: Any, *, in_text: bool = False) -> str:
    """Return a table, a series, an index or an array as CSV, whole.

    Args:
        table: of pandas, polars, pyarrow or numpy.
        in_text: for a prompt: an index without a name is kept where it is no row number.

    Raises:
        OptionError: it has no rows to write.
    """
    kind = kind_of_table(table)
    if kind == "lazy":
        raise OptionError("it is a LazyFrame, which has no rows yet", hint="collect it: frame.collect()")
    if hasattr(table, "to_csv"):
        table = _ordered_cells(table)
        if in_text:
            table = _whole_columns(table) if kind == "frame" else _whole_numbers(table)
        names = table.index.names
        is_kept = any(name is not None for name in names)
        if in_text and not is_kept:
            is_kept = len(names) > 1 or table.index.dtype.kind not in "iu"
        has_names = kind == "frame" or table.name is not None
        return str(table.to_csv(index=is_kept, header=has_names, lineterminator="\n"))
    if kind == "index" and hasattr(table, "to_frame"):
        has_names = any(name is not None for name in table.names)
        frame = table.to_frame(index=False)
        frame = _whole_columns(frame) if in_text else frame
        return str(frame.to_csv(index=False, header=has_names, lineterminator="\n"))
    header, rows = _header_and_rows(table)
    if in_text and rows:
        rows = [*zip(*map(_whole_cells, zip(*rows, strict=True)), strict=True)]
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerows(([header] if header is not None else []) + [[_cell(cell) for cell in row] for row in rows])
    return written.getvalue()


def _header_and_rows(table: Any) -> tuple[list[Any] | None, list[Any]]:
    """Read a table of polars or pyarrow, or an array."""
    if hasattr(table, "iter_rows"):
        return list(table.columns), list(table.iter_rows())
    if hasattr(table, "column_names"):
        columns = [column.to_pylist() for column in table.columns]
        return list(table.column_names), [*zip(*columns, strict=True)]
    ways = ("to_pylist", "to_list", "tolist")
    cells = next((getattr(table, way) for way in ways if hasattr(table, way)), None)
    if cells is None:
        hint = "make a list of it first"
        raise OptionError(f"it is {kind_of(table)}, which cannot be written", hint=hint)
    dimensions = len(getattr(table, "shape", (0,)))
    if dimensions > 2:
        hint = "fill in {{ array.tolist() }}, or a part with two dimensions"
        raise OptionError(f"it is an array of {dimensions} dimensions", hint=hint)
    name = getattr(table, "name", None)
    header = [name] if isinstance(name, str) and name else None
    return header, cells() if dimensions == 2 else [(cell,) for cell in cells()]


def _cell(value: Any) -> str:
    return "" if is_null(value) else _inside(value, shown=str)


def _whole_columns(table: Any) -> Any:
    """The same frame with columns of floats that are whole numbers as such, as a single value is filled in."""
    columns = {place: table.iloc[:, place] for place in range(len(table.columns))}
    whole = {place: one for place, column in columns.items() if (one := _whole_numbers(column)) is not column}
    if whole:
        table = table.copy()
    for place, column in whole.items():
        table.isetitem(place, column)
    return table


def _whole_numbers(column: Any) -> Any:
    """The same series, as whole numbers where its floats are; in a series of all kinds, each cell by itself."""
    if str(column.dtype) == "object" and any(isinstance(cell, float) for cell in column):
        known = [cell for cell in column if not is_null(cell)]
        is_mixed = not all(isinstance(cell, float) for cell in known)
        parts = [[cell] for cell in column] if is_mixed else [list(column)]
        cells = [cell for part in parts for cell in _whole_cells(part)]
        return column.__class__(cells, index=column.index, name=column.name, dtype=object)
    if getattr(column.dtype, "kind", "") != "f":
        return column
    known = column.dropna()
    is_whole = known.size and bool(((known % 1 == 0) & (known.abs() < _WHOLE)).all())
    return column.astype("Int64") if is_whole else column


def _whole_cells(column: Sequence[Any]) -> Sequence[Any]:
    """The same cells, as whole numbers where all numbers among them are."""
    known = [cell for cell in column if not is_null(cell)]
    is_whole = all(isinstance(cell, float) and cell.is_integer() and abs(cell) < _WHOLE for cell in known)
    return [cell if is_null(cell) else int(cell) for cell in column] if known and is_whole else column


def _ordered_cells(table: Any) -> Any:
    """The same table with its sets in order; cells without a text that lasts are refused."""

    def is_open(value: Any) -> bool:
        return not isinstance(value, _LEAVES) and not is_null(value)

    def cell(value: Any) -> Any:
        return _inside(value, shown=str) if is_open(value) else value

    if not hasattr(table, "columns"):
        return table.map(cell) if str(table.dtype) == "object" and any(map(is_open, table)) else table
    columns = [place for place, dtype in enumerate(table.dtypes) if str(dtype) == "object"]
    columns = [place for place in columns if any(map(is_open, table.iloc[:, place]))]
    if columns:
        table = table.copy()
    for place in columns:
        table.isetitem(place, table.iloc[:, place].map(cell))
    return table
