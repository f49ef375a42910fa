"""Columns with a fixed dtype, regardless of content: no rows, only nulls, or a million values.

pandas infers a dtype from the values, which differs from day to day; here every column names its own. Values come
from the network, so an invalid one becomes a null or a text, never an exception.
"""

from __future__ import annotations

import importlib
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd

from devin_jupyter.models.fields import UNIX_SECONDS, Kind, parse_time, spelled, word

TEXT = pd.StringDtype()
_arrow: Any = importlib.import_module("pyarrow") if TEXT.storage == "pyarrow" else None
DAY = np.dtype("datetime64[us]")
_PIECE = 100
"""So many values are worth a conversion."""
_INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class Column:
    """The name and kind of a column."""

    name: str
    kind: Kind
    values: tuple[Any, ...] = ()
    """For the kind `word` the known values: the first categories, in this order, before any others that occur. For the
    kind `choice` all values: any other is null."""


def frame_of(columns: Iterable[Column], data: dict[str, Any]) -> pd.DataFrame:
    """Return a frame with exactly these columns, taking their values out of `data`; absent ones are null.

    Args:
        columns: names and kinds.
        data: lists of equal length, or finished arrays, by column name. Emptied on the way, to save memory.
    """
    count = max((len(values) for values in data.values()), default=0)
    arrays = {}
    for column in columns:
        values = data.pop(column.name, None)
        values = [None] * count if values is None else values
        arrays[column.name] = array_of(column, values) if isinstance(values, list) else values
    return pd.DataFrame(arrays, index=pd.RangeIndex(count), copy=False)


def array_of(column: Column, values: list[Any]) -> Any:
    """Return the values as an array of the column's dtype."""
    if column.kind == "word":
        return words(values, column.values)
    if column.kind == "choice":
        return choices(values, column.values)
    if column.kind in _READERS:
        return _MAKERS[column.kind](*_READERS[column.kind](values))
    return texts(values) if column.kind == "text" else objects(values)


def words(values: list[Any], known: Sequence[Any]) -> Any:
    """Return a categorical with all known values, then the others that occur, sorted."""
    codes = Codes(known)
    codes.extend(values)
    return codes.array()


def choices(values: list[Any], known: Sequence[Any]) -> Any:
    """Return a categorical with exactly the known values, all texts or all integers; all others are null."""
    codes = {value: code for code, value in enumerate(known)}
    found = values if known and isinstance(known[0], str) else list(map(_integer, values))
    places = [codes.get(value, -1) if isinstance(value, (str, int)) else -1 for value in found]
    return pd.Categorical.from_codes(places, dtype=pd.CategoricalDtype(list(known)))


class Pieces:
    """Builds a column from pieces. Texts and numbers are read into arrays as they come, while they are near in memory,
    and forgotten.
    """

    def __init__(self, column: Column) -> None:
        self._column, self._values, self._pieces = column, list[Any](), list[Any]()
        self._is_arrow = column.kind == "text" and _arrow is not None
        self._read = _arrow_strings if self._is_arrow else _READERS.get(column.kind)
        """Makes an array, or several, of some values; None where only the whole column is made into one."""

    def extend(self, values: Iterable[Any]) -> None:
        """Append values as they came."""
        self._values += values
        if self._read is not None and len(self._values) >= _PIECE:
            self._convert(self._read)

    def array(self, order: Any = None) -> Any:
        """Return the column and forget it.

        Args:
            order: the positions to take, in this order; None is all as they came.
        """
        if self._read is None:
            values, self._values = self._values, []
            if self._column.kind == "object":
                return objects(values, order)
            whole = array_of(self._column, values)
            return whole if order is None else whole.take(order)
        if self._values or not self._pieces:
            self._convert(self._read)
        pieces, self._pieces = self._pieces, []
        if self._is_arrow:
            whole = _from_arrow(_arrow.concat_arrays(pieces))  # in one piece it is taken from faster
            return whole if order is None else whole.take(order)
        parts = [np.concatenate(part) for part in zip(*pieces, strict=True)]
        return _MAKERS[self._column.kind](*(part if order is None else part[order] for part in parts))

    def _convert(self, read: Callable[[list[Any]], Any]) -> None:
        self._pieces.append(read(self._values))
        self._values = []


class Codes:
    """Builds a categorical from pieces, so that equal words are not kept a million times.

    Known values are all texts or all integers.
    """

    def __init__(self, known: Sequence[Any]) -> None:
        self._known, self._codes = tuple(known), array("i")
        self._kind = type(known[0]) if known else str
        self._index = _Index(known, self._kind)

    def extend(self, values: Sequence[Any]) -> None:
        """Append values; one of another type is converted to text."""
        if self._kind is str:
            with suppress(TypeError):  # a list or an object
                self._codes.fromlist(list(map(self._index.__getitem__, values)))
                return
        self._codes.extend(self._index[value if type(value) is self._kind else word(value)] for value in values)

    def array(self, order: Any = None) -> Any:
        """Return the categorical, see `Pieces`."""
        found = [value for value in self._index if value is not None]
        shown = [_replace_surrogates(value) if isinstance(value, str) else value for value in found]
        categories = [*self._known, *sorted(set(shown) - set(self._known), key=str)]
        place = {value: code for code, value in enumerate(categories)}
        moved = np.array([*(place[value] for value in shown), -1], dtype="int32")
        codes = moved[np.frombuffer(self._codes, dtype="int32")] if self._codes else np.array([], dtype="int32")
        codes = codes if order is None else codes[order]
        return pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(categories))


class _Index(dict[Any, int]):
    """The codes of words that were seen, of one type or texts; another value has the code of its text."""

    def __init__(self, known: Sequence[Any], kind: type) -> None:
        super().__init__({**{value: code for code, value in enumerate(known)}, None: -1})
        self._known, self._kind = frozenset(known), kind

    def __missing__(self, value: Any) -> int:
        if not isinstance(value, (str, self._kind)):
            return self[word(value)]
        if (usual := spelled(value, self._known)) in self:
            return self[usual]
        code = self[value] = len(self) - 1  # None has a place without a code
        return code


def texts(values: list[Any]) -> Any:
    """Return a string array."""
    if _arrow is not None:  # pandas would make an array of objects first, and look at each of them twice
        return _from_arrow(_arrow_strings(values))
    return pd.array([_whole_text(value) for value in values], dtype=TEXT)


def _whole_text(value: Any) -> str | None:
    return value if type(value) is str or value is None else word(value, longest=None)


def _arrow_strings(values: Sequence[Any]) -> Any:
    try:
        return _arrow.array(values, type=_arrow.large_string())
    except (TypeError, ValueError):  # not all are texts, or there is half a character
        found = [_replace_surrogates(_whole_text(value)) for value in values]
        return _arrow.array(found, type=_arrow.large_string())


def _from_arrow(strings: Any) -> Any:
    dtype: Any = TEXT  # its stubs do not know this part of the protocol for extension types
    return dtype.__from_arrow__(strings)


def _replace_surrogates(value: str | None) -> str | None:
    # JSON can hold half of a surrogate pair and Arrow cannot.
    return None if value is None else value.encode("utf-8", "replace").decode()


Arrays = tuple[Any, ...]
"""Of numpy, all of one length: the values and, where a value cannot say that it is null, which ones are."""


def _times(values: list[Any]) -> Arrays:
    """Read times from whatever `parse_time` reads, or datetimes."""
    if set(map(type, values)) == {int}:
        with suppress(OverflowError):
            seconds = np.array(values, dtype="int64")
            if seconds.min() >= 0 and seconds.max() < UNIX_SECONDS:
                return ((seconds * 1_000_000).view("M8[us]"),)
    return (np.array([_datetime64(value) for value in values], dtype="M8[us]"),)


def _utc(moments: Any) -> Any:
    return pd.DatetimeIndex(moments).tz_localize("UTC").array


def _datetime64(value: Any) -> Any:
    if isinstance(value, datetime):
        moment: datetime | None = value.astimezone(UTC) if value.tzinfo else value
    else:
        moment = parse_time(value)
    return np.datetime64("NaT", "us") if moment is None or pd.isna(moment) else moment.replace(tzinfo=None)


def _days(values: list[Any]) -> Arrays:
    return (np.array([_day(value) for value in values], dtype="M8[us]"),)


def _midnights(days: Any) -> Any:
    return pd.DatetimeIndex(days).array


def _day(value: Any) -> Any:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        return np.datetime64("NaT", "us")


def _integers(values: list[Any]) -> Arrays:
    kinds = set(map(type, values))
    if kinds == {int}:
        with suppress(OverflowError):  # beyond 64 bits
            return np.array(values, dtype="int64"), np.zeros(len(values), dtype=bool)
    if kinds == {type(None)}:
        return np.zeros(len(values), dtype="int64"), np.ones(len(values), dtype=bool)
    return _nullable(map(_integer, values), "int64")


def _integer(value: Any) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value in _INT64 else None


def _numbers(values: list[Any]) -> Arrays:
    """Read floats; infinities and NaN are null."""
    try:
        is_plain = set(map(type, values)) <= {int, float, type(None)}
        found = np.array(values if is_plain else list(map(_number, values)), dtype="float64")
    except OverflowError:  # an integer beyond the largest float
        found = np.array(list(map(_number, values)), dtype="float64")
    mask = ~np.isfinite(found)
    found[mask] = 0.0  # values behind nulls take no part in comparisons, but in hashes of the buffer
    return found, mask


def _number(value: Any) -> float:
    try:
        return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else float("nan")
    except OverflowError:
        return float("nan")


def _booleans(values: list[Any]) -> Arrays:
    if set(map(type, values)) == {bool}:
        return np.array(values, dtype=bool), np.zeros(len(values), dtype=bool)
    return _nullable((value if isinstance(value, bool) else None for value in values), "bool")


def _nullable(values: Iterable[Any], dtype: str) -> Arrays:
    found = [*values]
    mask = np.array([value is None for value in found], dtype=bool)
    return np.array([value or 0 for value in found], dtype=dtype), mask


def objects(values: Sequence[Any], order: Any = None) -> Any:
    """Return Python objects as they are; pandas would otherwise turn texts into a string array."""
    found = np.fromiter(values, dtype=object, count=len(values))
    return pd.Series(found if order is None else found[order], dtype=object, copy=False)


_READERS: Mapping[Kind, Callable[[list[Any]], Arrays]] = {
    "time": _times,
    "day": _days,
    "integer": _integers,
    "number": _numbers,
    "boolean": _booleans,
}
_MAKERS: Mapping[Kind, Callable[..., Any]] = {
    "time": _utc,
    "day": _midnights,
    "integer": pd.arrays.IntegerArray,
    "number": pd.arrays.FloatingArray,
    "boolean": pd.arrays.BooleanArray,
}
"""Make a column of what the readers return."""
