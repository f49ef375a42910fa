"""Frames to files and back without loss, frames in monthly parts, and files that Devin made.

Parquet cannot hold free-form objects, so they travel as JSON text, marked in the file's metadata; other readers see
that text. A file is complete or not there: it is written beside its final path and moved.
"""

from __future__ import annotations

import io
import json
import os
import re
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from devin_jupyter.errors import ArgumentError, OptionError
from devin_jupyter.frames.columns import TEXT, Column, array_of, frame_of, words
from devin_jupyter.frames.sessions import SESSIONS, SessionRows, by_time
from devin_jupyter.loop import understood
from devin_jupyter.models.fields import parse_json
from devin_jupyter.text import kind_of, nearest, replacing

_METADATA_KEY = b"devin_jupyter"
_ROWS_AT_ONCE = 8192
"""The text of more is never in memory together."""
_FULL = 8192
"""A file with so many sessions takes none of later days: a few changes cost as much as it takes to write it anew."""
_PAGE_BYTES = 64 * 1024
"""Of a column in a file: with the usual 1 MB each thread that writes keeps 15 MB more, and nothing is faster."""
_DIFFERING = ("session_id", "url", "title", "structured_output", "created_at", "updated_at", "duration", "acus")
"""Columns whose values are nearly all different, so that a file does not look for equal ones."""
_TEXT_SUFFIXES = ("txt", "md", "log", "py", "html", "xml", "yaml", "yml", "toml", "diff", "patch", "sql", "sh")
UNKNOWN_MONTH = "unknown"


def write_parquet(frame: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a frame so that `read_parquet` gives back an equal one, its index included.

        frames.write_parquet(dj.sessions_frame(), "sessions.parquet")

    pandas' own `to_parquet` refuses lists and objects of several shapes in one column, and forgets categories that
    no row has.

    Raises:
        OptionError: pyarrow is not installed, or the file cannot be written.
    """
    require_pyarrow()
    target = _target(frame, path, "write_parquet")
    objects = _object_columns(frame)
    flat = _with_json(frame, objects)
    with _told(target, "written"):
        _write([flat], objects, target)


def _write(parts: Iterable[pd.DataFrame], objects: list[str], path: Path, *, index: bool | None = None) -> None:
    """Write parts of a frame with the same dtypes, whose objects are JSON text; without its index if that is False."""
    _write_tables((_table_of(part, objects, index=index) for part in parts), path)


def _table_of(part: pd.DataFrame, objects: list[str], *, index: bool | None = None) -> Any:
    """Return a frame whose objects are JSON text as an Arrow table, with the note in its metadata."""
    table = require_pyarrow()[0].Table.from_pandas(part, preserve_index=index)
    categories = {
        str(name): list(dtype.categories)
        for name, dtype in part.dtypes.items()
        if isinstance(dtype, pd.CategoricalDtype)
    }
    note = json.dumps({"objects": objects, "categories": categories}).encode()
    return table.replace_schema_metadata({**(table.schema.metadata or {}), _METADATA_KEY: note})


def _write_tables(tables: Iterable[Any], path: Path) -> None:
    with replacing(path) as place, ExitStack() as stack:
        writer = None
        for table in tables:
            if writer is None:
                dictionaries = [name for name in table.schema.names if name not in _DIFFERING]
                # the least and the greatest of texts are what nobody selects by, and take a quarter of the time
                measured = [field.name for field in table.schema if not _is_text(field.type)]
                made = require_pyarrow()[1].ParquetWriter(
                    place,
                    table.schema,
                    use_dictionary=dictionaries,
                    write_statistics=measured,
                    data_page_size=_PAGE_BYTES,
                )
                writer = stack.enter_context(made)
            writer.write_table(table.cast(writer.schema))


def _is_text(kind: Any) -> bool:
    types = require_pyarrow()[0].types
    return bool(types.is_string(kind) or types.is_large_string(kind))


def read_parquet(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a frame that `write_parquet` wrote; other files as pandas reads them.

    Raises:
        OptionError: pyarrow is not installed, or the file cannot be read.
    """
    arrow, parquet = require_pyarrow()
    with _told(_readable(path, "read_parquet"), "read", arrow.ArrowInvalid):
        table = parquet.read_table(path, partitioning=None)
    frame, note = _frame_in(table)
    for name in note.get("objects", ()):
        frame[name] = pd.Series(from_json(table[name]), dtype=object, index=frame.index)
    return frame


def _frame_in(table: Any) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the frame in an Arrow table with its objects as JSON text, and the note in its metadata."""
    note = _note_of(table.schema)
    frame: pd.DataFrame = table.to_pandas()
    for name, values in note.get("categories", {}).items():
        frame[name] = frame[name].astype(pd.CategoricalDtype(values))
    return frame, note


def _note_of(schema: Any) -> dict[str, Any]:
    note: dict[str, Any] = json.loads((schema.metadata or {}).get(_METADATA_KEY, b"{}"))
    return note


def write_csv(frame: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a frame as CSV without its index, objects as JSON; `read_csv` needs a frame with the same columns.

        frames.write_csv(dj.sessions_frame(), "sessions.csv")

    Raises:
        OptionError: the file cannot be written.
    """
    target = _target(frame, path, "write_csv")
    objects = _object_columns(frame)
    with _told(target, "written"), replacing(target) as place:
        _with_json(frame, objects).to_csv(place, index=False)


def read_csv(path: str | os.PathLike[str], like: pd.DataFrame | None = None) -> pd.DataFrame:
    """Read a CSV that `write_csv` wrote, with the dtypes of another frame with the same columns.

        frames.read_csv("sessions.csv", like=dj.sessions_frame(limit=0))

    An empty text comes back as null: a CSV writes both alike.

    Args:
        path: the file.
        like: any frame of the same kind, such as one with no rows; a CSV itself knows no dtypes.

    Raises:
        OptionError: no frame is given, or the file cannot be read or lacks a column of it.
    """
    if not isinstance(like, pd.DataFrame):
        given = "" if like is None else f", not {type(like).__name__}"
        raise OptionError(
            f"read_csv needs like=, a frame with the same columns{given}",
            hint="for sessions like=dj.sessions_frame(limit=0), for a batch like=batch.frame(); "
            "a Parquet file keeps the dtypes: frames.write_parquet",
        )
    # the names are read as cells, because pandas makes up others for empty and repeated ones
    with _told(_readable(path, "read_csv"), "read", pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeError):
        texts = pd.read_csv(path, dtype="string", keep_default_na=False, na_values=[""], header=None)
    texts = texts.set_axis(texts.iloc[0].fillna("").tolist(), axis="columns").iloc[1:]
    missing = [str(name) for name in like.columns if name not in texts]
    if missing:
        raise OptionError(f"{path} has no column {missing[0]!r}", hint="give the kind of frame that was written")
    columns = [_column(name, dtype) for name, dtype in like.dtypes.items()]
    data: dict[str, Any] = {}
    for column, dtype in zip(columns, like.dtypes, strict=True):
        found = texts[column.name].reset_index(drop=True)
        if column.kind in ("text", "day") or (column.kind == "word" and not _is_ours(dtype)):
            data[column.name] = _as_dtype(found, dtype)
        else:
            data[column.name] = array_of(column, [None if pd.isna(text) else _parse(text, column) for text in found])
    return frame_of(columns, data)


def _is_ours(dtype: pd.CategoricalDtype) -> bool:
    """Whether a column of words is as this package makes them: without an order, of texts or whole numbers."""
    return not dtype.ordered and all(type(value) in (str, int) for value in dtype.categories)


def _as_dtype(texts: pd.Series[Any], dtype: Any) -> Any:
    """Return texts of a CSV as a column of some dtype, such as that of an input of a batch."""
    if isinstance(dtype, pd.CategoricalDtype):
        return pd.Categorical(_as_dtype(texts, dtype.categories.dtype), dtype=dtype)
    kind = getattr(dtype, "kind", "")
    values: Any = texts
    if kind == "b":
        values = texts.map({"True": True, "False": False})
    elif kind == "M":
        values = pd.to_datetime(texts, utc=getattr(dtype, "tz", None) is not None, format="ISO8601")
    elif kind == "m":
        values = pd.to_timedelta(texts)
    elif kind in ("i", "u"):
        values = texts.astype("Int64" if kind == "i" else "UInt64")
    elif kind == "f":
        values = texts.astype("Float64")
        if not isinstance(dtype, pd.api.extensions.ExtensionDtype):
            values = values.to_numpy("float64", na_value=float("nan"))
    return pd.Series(values).astype(dtype).array


def _target(frame: Any, path: Any, call: str) -> Path:
    """Return the path to write to; arguments in the wrong order are refused."""
    if not isinstance(frame, pd.DataFrame) or not isinstance(path, (str, os.PathLike)):
        given = f"{type(frame).__name__} and {type(path).__name__}"
        raise OptionError(
            f"{call} takes a DataFrame and a path, not {given}",
            "nothing was written",
            f'for example frames.{call}(frame, "sessions.{call.removeprefix("write_")}")',
        )
    return Path(path)


def _readable(path: Any, call: str) -> Path:
    if isinstance(path, (str, os.PathLike)):
        return Path(path)
    raise OptionError(
        f"{call} takes a path, not {type(path).__name__}",
        hint=f'for example frames.{call}("sessions.{call.removeprefix("read_")}")',
    )


@contextmanager
def _told(path: Path, what: str, *also: type[Exception]) -> Iterator[None]:
    """Turn what the file system says into an error in three lines."""
    try:
        yield
    except Exception as problem:
        if not isinstance(problem, (OSError, *also)):
            raise
        reason = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
        hint = ""
        if not path.parent.is_dir():
            reason, hint = f"there is no folder {path.parent}", "create the folder, or give another path"
        elif what == "read" and not path.exists():
            reason = f"there is no such file{nearest(path.name, (found.name for found in path.parent.iterdir()))}"
        raise OptionError(f"{path} cannot be {what}: {reason}", hint=hint) from problem


def _column(name: Any, dtype: Any) -> Column:
    if isinstance(dtype, pd.CategoricalDtype):
        return Column(name, "word", tuple(dtype.categories))
    kinds: dict[str, Any] = {
        "Int64": "integer",
        "Float64": "number",
        "boolean": "boolean",
        "object": "object",
        "datetime64[us]": "day",
        "datetime64[us, UTC]": "time",
    }
    return Column(name, kinds.get(str(dtype), "text"))


def _parse(text: str, column: Column) -> Any:
    if column.kind in ("object", "integer", "number"):
        return json.loads(text)
    if column.kind == "boolean":
        return text == "True"
    if column.kind == "word" and column.values and isinstance(column.values[0], int):
        return int(text)
    return text


def _with_json(frame: pd.DataFrame, objects: Iterable[str]) -> pd.DataFrame:
    return frame.assign(**{name: pd.Series(to_json(frame[name]), index=frame.index) for name in objects})


_encode = json.JSONEncoder(default=str).encode


def to_json(values: Iterable[Any]) -> Any:
    """Return a string array of values as JSON; None is null."""
    seen: dict[Any, str] = {}  # of lists of texts, such as tags: there are few that differ
    texts: list[str | None] = []
    for value in values:
        if value is None:
            texts.append(None)
            continue
        try:
            text = seen.get(tuple(value)) if type(value) is list else None
        except TypeError:  # lists and objects within
            text = None
        if text is None:
            text = _encode(value)
            if type(value) is list and set(map(type, value)) <= {str}:
                seen[tuple(value)] = text
        texts.append(text)
    return array_of(Column("", "text"), texts)


def from_json(texts: Any) -> list[Any]:
    """Return what the JSON of a column of an Arrow table says; null is None."""
    import pyarrow.compute as compute

    arrow, found = require_pyarrow()[0], list[Any]()
    for chunk in texts.chunks:
        filled = compute.fill_null(chunk.cast(arrow.large_string()), "null")
        whole = arrow.LargeListArray.from_arrays([0, len(filled)], filled)
        joined = compute.binary_join(whole, arrow.scalar(",", filled.type))[0]
        found += parse_json(b"[%b]" % joined.as_buffer().to_pybytes())
    return found


def _object_columns(frame: pd.DataFrame) -> list[str]:
    return [str(name) for name, dtype in frame.dtypes.items() if pd.api.types.is_object_dtype(dtype)]


def require_pyarrow() -> tuple[Any, Any]:
    """Return pyarrow and its Parquet part.

    Raises:
        OptionError: it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet as parquet
    except ImportError:
        raise OptionError("Parquet needs pyarrow", hint="pip install 'devin-jupyter[parquet]'") from None
    return pyarrow, parquet


_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")


@understood
def flat(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a copy of a frame in which every column holds texts, numbers, booleans or times, as other tools take them.

        flat = dj.flat(dj.sessions_frame(since="30d"))
        flat.drop_duplicates()
        flat.to_excel("sessions.xlsx")
        flat.to_sql("sessions", connection)
        flat.plot.bar("title", "acus")

    Lists and objects become JSON text (dtype string; equal values give equal texts), categories, periods and intervals
    strings, times UTC without a zone, lengths of time seconds, nullable floats NumPy's with NaN. Control characters,
    which spreadsheets refuse, are dropped.
    Names, order and index stay.

    Args:
        frame: one of our frames, or any other.
    """
    if not isinstance(frame, pd.DataFrame):
        raise ArgumentError(f"flat takes a DataFrame, not {kind_of(frame)}", hint="give its .frame(), or another frame")
    columns = {place: _flat(frame.iloc[:, place]) for place in range(frame.shape[1])}
    found = pd.DataFrame(columns, index=frame.index)
    return found.set_axis(frame.columns, axis="columns")


def _flat(column: Any) -> Any:
    if isinstance(column.dtype, pd.ArrowDtype):
        column = _without_arrow(column)
    elif isinstance(column.dtype, pd.SparseDtype):
        column = column.sparse.to_dense()
    dtype = column.dtype
    if isinstance(dtype, pd.DatetimeTZDtype):
        return column.dt.tz_convert("UTC").dt.tz_localize(None)
    if isinstance(dtype, pd.Float64Dtype):
        return column.astype("float64")
    if pd.api.types.is_timedelta64_dtype(dtype):
        return column.dt.total_seconds()
    if pd.api.types.is_object_dtype(dtype) or pd.api.types.is_complex_dtype(dtype):
        column = pd.Series(list(map(_as_text, column)), dtype="string", index=column.index)
    elif isinstance(dtype, (pd.CategoricalDtype, pd.PeriodDtype, pd.IntervalDtype)):
        column = column.astype("string")
    if isinstance(column.dtype, pd.StringDtype):
        column = column.astype("string").str.replace(_CONTROLS, "", regex=True)
    return column


def _as_text(value: Any) -> str | None:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if value is None or (not isinstance(value, (list, tuple, dict)) and pd.isna(value) is True):
        return None
    if not isinstance(value, (list, tuple, dict, set, frozenset, int, float)) and not hasattr(value, "tolist"):
        text = str(value)  # a date, a decimal
    else:
        try:
            text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=_as_json)
        except TypeError:  # names that are no texts
            text = json.dumps(_with_names(value), sort_keys=True, ensure_ascii=False, default=_as_json)
    return text.encode("utf-8", "replace").decode()


def _as_json(value: Any) -> Any:
    if hasattr(value, "tolist"):  # an array in place of a list, as Parquet files are read
        return value.tolist()
    return sorted(value, key=str) if isinstance(value, (set, frozenset)) else str(value)


def _with_names(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _with_names(inner) for name, inner in value.items()}
    return [*map(_with_names, value)] if isinstance(value, (list, tuple)) else value


_OF_ARROW = {"f": "float64", "i": "Int64", "u": "UInt64", "b": "boolean", "m": "timedelta64[us]"}


def _without_arrow(column: Any) -> Any:
    """Return a column of an Arrow type as pandas' own; texts, lists and structs as objects."""
    kind = column.dtype.kind
    if kind == "M" and hasattr(column.dtype.pyarrow_dtype, "tz"):  # not a date
        return column.astype("datetime64[us]" if column.dtype.pyarrow_dtype.tz is None else "datetime64[us, UTC]")
    return column.astype(_OF_ARROW.get(kind, object))


def split_by_month(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Split a sessions frame by the month of `created_at`: `2026-11` → frame."""
    made = frame["created_at"].dt
    numbers = (12 * made.year + made.month - 1).fillna(-1).astype("int64")
    different = sorted(set(numbers))
    return {
        UNKNOWN_MONTH if number < 0 else f"{number // 12:04}-{number % 12 + 1:02}": (
            frame if len(different) == 1 else frame[(numbers == number).array]
        )
        for number in different
    }


class _PlainMemory:
    """Lets Arrow allocate as the rest of Python does, for all that read and write histories together.

    Its own allocator takes memory from the system in large pieces, which costs more than merging a month into its file,
    and keeps what is free for the thread that had it. What writes Parquet uses that nevertheless.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count, self._usual = 0, None

    @contextmanager
    def used(self) -> Iterator[None]:
        arrow, _ = require_pyarrow()
        with self._lock:
            if not self._count:
                self._usual = arrow.default_memory_pool()
                arrow.set_memory_pool(arrow.system_memory_pool())
            self._count += 1
        try:
            yield
        finally:
            with self._lock:
                self._count -= 1
                if not self._count:
                    arrow.set_memory_pool(self._usual)


plain_memory = _PlainMemory()


def split_by_file(frame: pd.DataFrame, folder: Path) -> Iterator[tuple[Path, pd.DataFrame]]:
    """Split a sessions frame by the file of a folder that each session belongs in, which need not exist.

    A month begins with `sessions-2026-11.parquet`. Once a file is full, the sessions of later days go into the next,
    `sessions-2026-11-17.parquet` for those from the 17th on, so that no session ever moves from file to file. Where a
    day belongs depends only on what was created before it: two who write at once, or again, agree.

    Args:
        frame: sessions.
        folder: with files of `merge_into`.

    Raises:
        OptionError: a file cannot be read.
    """
    for month, new in split_by_month(frame).items():
        if month == UNKNOWN_MONTH:
            yield folder / f"sessions-{month}.parquet", new
            continue
        new = _newest_first(new)
        days = new["created_at"].dt.day.to_numpy()
        files = {1: folder / f"sessions-{month}.parquet"}
        files |= {int(file.stem[-2:]): file for file in folder.glob(f"sessions-{month}-[0-3][0-9].parquet")}
        count, last = _stored_days(files[max(files)])
        for day, more in enumerate(np.bincount(days, minlength=32).tolist()):
            if day > max(last, max(files) - 1):
                if more and count >= _FULL:
                    files[day], count = folder / f"sessions-{month}-{day:02}.parquet", 0
                count += more
        for start, end in pairwise([*sorted(files), 32]):
            newer, all_since = int((days >= end).sum()), int((days >= start).sum())
            if newer < all_since:
                yield files[start], new.iloc[newer:all_since]  # no copy, of which a large month would need much


def month_of(file: Path) -> str:
    """Return the month whose sessions a file of `split_by_file` holds: `2026-11`."""
    return file.stem.removeprefix("sessions-")[:7]


@plain_memory.used()
def _stored_days(file: Path) -> tuple[int, int]:
    """Return how many sessions a file of one month holds, and the day of the newest; zeros if there is no file."""
    if not file.exists():
        return 0, 0
    import pyarrow.compute as compute

    with naming(file), require_pyarrow()[1].ParquetFile(file) as opened:
        created = opened.read(columns=["created_at"], use_threads=False)["created_at"]
    newest = compute.max(created).as_py()
    return len(created), newest.day if newest else 0


@plain_memory.used()
def merge_into(path: Path, new: pd.DataFrame) -> None:
    """Put sessions into a Parquet file, which need not exist; a row of `new` replaces one of the file.

    Raises:
        OptionError: the file cannot be read.
    """
    objects = _object_columns(new)
    if path.exists():
        fresh = _with_json(_newest_first(new), objects)
        table = _table_of(fresh, objects, index=False)
        with naming(path):
            stored = require_pyarrow()[1].read_schema(path)
        if stored.names == table.schema.names and stored.metadata == table.schema.metadata:
            _write_tables(_merged_pieces(path, table), path)
        else:  # written before there was some column, or with other categories
            with naming(path):
                old, _ = _frame_in(require_pyarrow()[1].read_table(path, partitioning=None))
            _write([merge_sessions(old, fresh)], objects, path, index=False)
        return
    new = _newest_first(new)
    slices = (_with_json(new.iloc[start:end], objects) for start, end in _slices(len(new)))
    _write(slices, objects, path, index=False)


def _slices(count: int) -> Iterator[tuple[int, int]]:
    """Yield where slices of some thousands begin and end, of about one length; at least one, which may be empty."""
    length = max(1, -(-count // max(1, -(-count // _ROWS_AT_ONCE))))
    return ((start, start + length) for start in range(0, max(1, count), length))


def _merged_pieces(path: Path, new: Any) -> Iterator[Any]:
    """Yield the sessions of a file and a table as `merge_sessions` does, some thousands at a time to save memory.

    Args:
        path: a file with these columns, the newest first.
        new: Arrow table of what replaces and adds, the newest first.
    """
    import pyarrow.compute as compute

    arrow, parquet = require_pyarrow()
    names = new["session_id"].combine_chunks()
    with naming(path), parquet.ParquetFile(path) as opened:
        last = max(0, opened.num_row_groups - 1)
        for number in range(last + 1):
            groups = [number] if opened.num_row_groups else []
            piece = opened.read_row_groups(groups, use_threads=False)
            new = new.cast(piece.schema)
            count = len(new)
            if number < last and len(piece):
                oldest = piece["created_at"][-1]
                is_newer = compute.fill_null(compute.greater_equal(new["created_at"], oldest), False)
                count = compute.sum(is_newer).as_py() or 0
            added, new = new.slice(0, count), new.slice(count)
            is_replaced = compute.is_in(piece["session_id"], value_set=names)
            if compute.any(is_replaced).as_py():
                piece = piece.filter(compute.invert(is_replaced))
            if len(added):
                piece = _sorted(arrow.concat_tables([piece, added]).unify_dictionaries())
            for start, end in _slices(len(piece)):
                yield piece.slice(start, end - start)


def _sorted(table: Any) -> Any:
    """Return an Arrow table of sessions in the order of `by_time`."""
    import pyarrow.compute as compute

    keys = [("created_at", "descending"), ("session_id", "ascending")]
    return table.take(compute.sort_indices(table, sort_keys=keys))


def merge_sessions(old: pd.DataFrame | None, new: pd.DataFrame) -> pd.DataFrame:
    """Return the sessions of both frames, each once; a row of `new` replaces one of `old`."""
    if old is None:
        return stack_sessions([new])
    return stack_sessions([old, new], without=old["session_id"].isin(new["session_id"]))


def stack_sessions(parts: Iterable[pd.DataFrame], without: pd.Series[Any] | None = None) -> pd.DataFrame:
    """Return the parts as one frame, newest first, as if all sessions had been read at once.

    Args:
        parts: frames of sessions.
        without: which rows of the first part to leave out.
    """
    filled = [_complete(part) for part in parts if len(part)]
    if not filled:
        return SessionRows().frame()
    if without is not None and without.all():
        filled, without = filled[1:], None
    if len(filled) == 1:
        return _newest_first(filled[0].reset_index(drop=True))
    columns = {name: _concatenate([part[name] for part in filled]) for name in filled[0].columns}
    return _newest_first(pd.DataFrame(columns), without)


def _newest_first(frame: pd.DataFrame, without: pd.Series[Any] | None = None) -> pd.DataFrame:
    kept = None
    if without is not None:
        left_out = np.zeros(len(frame), dtype=bool)
        left_out[: len(without)] = without
        kept = np.flatnonzero(~left_out)
    created, names = frame["created_at"].array, frame["session_id"].array
    if kept is not None:
        created, names = created.take(kept), names.take(kept)
    order = by_time(created, names)
    if kept is not None:
        order = kept if order is None else kept[order]
    return frame if order is None else frame.take(order).reset_index(drop=True)


def read_sessions(files: Sequence[Path], names: Sequence[str] = ()) -> pd.DataFrame:
    """Return the sessions of several files; of many, column by column, so that there is never a second copy of all.

    Args:
        files: those of `merge_into`, the newest first.
        names: only these columns, `session_id` and `created_at` among them; by default those that any file has.

    Raises:
        OptionError: a file cannot be read.
    """
    _, parquet = require_pyarrow()
    if not files:
        return SessionRows().frame()[[*names] or [column.name for column in SESSIONS]]
    with ExitStack() as stack:
        opened = {}
        for file in files:
            with naming(file):
                opened[file] = stack.enter_context(parquet.ParquetFile(file))
        schemas = [one.schema_arrow for one in opened.values()]
        there = set(names) or {"user_name"}.union(*(schema.names for schema in schemas))
        columns = [column for column in SESSIONS if column.name in there]
        types = _categories(schemas)
        are_few = sum(one.metadata.num_rows for one in opened.values()) <= _ROWS_AT_ONCE
        data: dict[str, Any] = {}
        for some in [columns] if are_few else [[column] for column in columns]:
            data |= _read_columns(opened, some, types)
    return _newest_first(pd.DataFrame(data, copy=False))


def _read_columns(
    opened: Mapping[Path, Any], columns: Sequence[Column], types: Mapping[str, pd.CategoricalDtype]
) -> dict[str, Any]:
    """Return columns of several files, one after the other, as if they were in one."""
    arrow, _ = require_pyarrow()
    kinds = {field.name: field.type for one in opened.values() for field in one.schema_arrow}
    wanted = [column.name for column in columns if column.name in kinds]
    tables = []
    for file, one in opened.items():
        missing = set(wanted).difference(one.schema_arrow.names)  # written before there was such a column
        with naming(file):
            table = one.read(columns=[name for name in wanted if name not in missing], use_threads=False)
        for name in missing:
            table = table.append_column(name, arrow.nulls(one.metadata.num_rows, kinds[name]))
        tables.append(table)
    table = arrow.concat_tables(tables, promote_options="permissive").unify_dictionaries()
    objects = [column.name for column in columns if column.kind == "object" and column.name in kinds]
    frame = table.drop_columns(objects).to_pandas(ignore_metadata=True, types_mapper=_dtype_of)
    found: dict[str, Any] = {}
    for column in columns:
        name = column.name
        if name not in kinds:
            found[name] = array_of(column, [None] * sum(one.metadata.num_rows for one in opened.values()))
        elif name in objects:
            found[name] = pd.Series(from_json(table[name]), dtype=object)
        else:
            found[name] = frame[name].astype(types[name]) if name in types else frame[name]
    return found


def _dtype_of(kind: Any) -> Any:
    """Return the dtype that frames have for an Arrow type; None where pandas chooses it."""
    if _is_text(kind):
        return TEXT
    types = require_pyarrow()[0].types
    if types.is_boolean(kind):
        return pd.BooleanDtype()
    return pd.Int64Dtype() if types.is_integer(kind) else pd.Float64Dtype() if types.is_floating(kind) else None


def _categories(schemas: Iterable[Any]) -> dict[str, pd.CategoricalDtype]:
    """Return the types of the columns of words that hold what occurs in any of some files."""
    notes = [_note_of(schema).get("categories", {}) for schema in schemas]
    found = {}
    for column in SESSIONS:
        if column.kind == "word":
            others = {value for note in notes for value in note.get(column.name, ())} - {*column.values}
            found[column.name] = pd.CategoricalDtype([*column.values, *sorted(others, key=str)])
    return found


def empty_like(files: Sequence[Path]) -> pd.DataFrame:
    """Return a frame without rows, with the dtypes of the sessions of all files.

    Raises:
        OptionError: a file cannot be read.
    """
    _, parquet = require_pyarrow()
    schemas = []
    for file in files:
        with naming(file):
            schemas.append(parquet.read_schema(file))
    there = {"user_name"}.union(*(schema.names for schema in schemas)) if files else {one.name for one in SESSIONS}
    found = _no_sessions()
    types = {name: dtype for name, dtype in _categories(schemas).items() if dtype != found[name].dtype}
    found = found.astype(types) if types else found
    return found[[name for name in found.columns if name in there]]


def read_month(files: Sequence[Path], like: pd.DataFrame, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Return the sessions of the files of a month, with the dtypes of those of all.

    Args:
        files: some of those of `merge_into`, the newest first.
        like: a frame with these dtypes.
        columns: only these; Dask says which ones it needs.

    Raises:
        OptionError: one cannot be read.
    """
    names = [*like.columns] if columns is None else [*columns]
    types = {name: like[name].dtype for name in names if isinstance(like[name].dtype, pd.CategoricalDtype)}
    found = read_sessions(files, [*{"session_id", "created_at", *names}])  # by which they are sorted
    return found[names].astype(types)


@contextmanager
def naming(file: Path) -> Iterator[None]:
    """Say which file cannot be read, and what to do.

    Raises:
        OptionError: it cannot be read.
    """
    try:
        yield
    except (OSError, ValueError) as problem:  # what pyarrow raises are ValueErrors
        raise OptionError(
            f"{file} cannot be read: {str(problem).splitlines()[0]:.200}",
            "the service still has all of it",
            "delete it, and sync again",
        ) from None


def _complete(part: pd.DataFrame) -> pd.DataFrame:
    """Add the columns that an earlier version of this package did not have."""
    if "user_name" in part.columns:
        return part
    place = part.columns.get_loc("service_user_id")
    assert isinstance(place, int)
    whole = part.copy(deep=False)
    whole.insert(place + 1, "user_name", pd.Series([pd.NA] * len(part), index=part.index, dtype=pd.StringDtype()))
    return whole


def _concatenate(pieces: Sequence[pd.Series[Any]]) -> Any:
    # Unknown words make categories differ, and pandas would turn such columns into objects.
    if all(piece.dtype == pieces[0].dtype for piece in pieces):
        return pd.concat(pieces, ignore_index=True)
    known = next(column.values for column in SESSIONS if column.name == pieces[0].name)
    return words([None if pd.isna(value) else value for piece in pieces for value in piece], known)


_OF_PULL_REQUESTS = ("session_id", "created_at", "updated_at", "n_prs", "n_merged")
Place = tuple[int, str]
"""Where a session stands in the order of frames: when it was created, in microseconds, and its id."""


@plain_memory.used()
def open_pull_requests(
    files: Sequence[Path], most: int, after: Place | None = None, without: Collection[str] = ()
) -> tuple[pd.DataFrame, Place | None]:
    """Return stored sessions with pull requests that may still be merged, and where the next call shall go on.

    Half of them are the newest, the others take turns. No more is read of the files than that takes.

    Args:
        files: those of `merge_into`, the newest first.
        most: how many sessions.
        after: where the last call said to go on.
        without: ids to leave out.

    Raises:
        OptionError: a file cannot be read.
    """
    _, parquet = require_pyarrow()
    with ExitStack() as stack:

        @cache
        def opened(file: Path) -> Any:
            with naming(file):
                return stack.enter_context(parquet.ParquetFile(file))

        @cache
        def piece(file: Path, number: int) -> pd.DataFrame:
            with naming(file):
                return _with_open_requests(opened(file), number, without)

        def waiting(after: Place | None) -> Iterator[pd.DataFrame]:
            day = "" if after is None else f"sessions-{_day(after[0])}"
            for file in files:
                if after is not None and file.stem > day and not file.stem.endswith(UNKNOWN_MONTH):
                    continue
                for number in range(opened(file).num_row_groups):
                    part = piece(file, number)
                    if after is not None:
                        created = part["created_at"].array.asi8
                        is_later = (created == after[0]) & (part["session_id"] > after[1]).array
                        part = part[(created < after[0]) | is_later]
                    yield part

        recent = _first(most // 2, waiting(None))
        bound = _place(recent)
        turn = _first(most - len(recent), waiting(after or bound))
        again = _first(most - len(recent) - len(turn), waiting(bound))
    found = pd.concat([recent, turn, again], ignore_index=True).drop_duplicates("session_id", ignore_index=True)
    return found, _place(again) or _place(turn)


def _with_open_requests(file: Any, number: int, without: Collection[str]) -> pd.DataFrame:
    """Return those sessions of a row group, newest first, that have pull requests which are not merged."""
    import pyarrow.compute as compute

    table = file.read_row_group(number, columns=[*_OF_PULL_REQUESTS], use_threads=False)
    merged = compute.fill_null(table["n_merged"], 0)
    names = require_pyarrow()[0].array([*without], type=table.schema.field("session_id").type)
    is_named = compute.is_in(table["session_id"], value_set=names)
    is_open = compute.and_not(compute.less(merged, table["n_prs"]), is_named)
    return _newest_first(table.filter(is_open).to_pandas())


def _first(count: int, parts: Iterator[pd.DataFrame]) -> pd.DataFrame:
    found = _no_sessions()[[*_OF_PULL_REQUESTS]]
    while len(found) < count and (part := next(parts, None)) is not None:
        found = pd.concat([found, part.head(count - len(found))], ignore_index=True)
    return found


@cache
def _no_sessions() -> pd.DataFrame:
    return SessionRows().frame()


def _place(part: pd.DataFrame) -> Place | None:
    return None if part.empty else (int(part["created_at"].array.asi8[-1]), str(part["session_id"].iloc[-1]))


def _day(microseconds: int) -> str:
    moment = np.datetime64(microseconds, "us")
    return "" if np.isnat(moment) else str(moment.astype("M8[D]"))


def differing(fresh: pd.DataFrame, stored: pd.DataFrame) -> pd.DataFrame:
    """Return the sessions of `fresh` whose pull requests or time of change differ from what is stored."""
    known = set(_states(stored))
    is_different = np.array([state not in known for state in _states(fresh)], dtype=bool)
    return fresh[is_different].reset_index(drop=True)


def _states(frame: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    updated = frame["updated_at"].dt.as_unit("us").array.asi8.tolist()
    counts = (frame[name].to_numpy("int64", na_value=-1).tolist() for name in ("n_prs", "n_merged"))
    return zip(frame["session_id"].tolist(), updated, *counts, strict=True)


def last_update(frame: pd.DataFrame, column: str = "updated_at") -> float | None:
    """Return the newest time in a column in Unix seconds."""
    newest = frame[column].max()
    return None if pd.isna(newest) else float(newest.timestamp())


def read_file(name: str, content: bytes) -> Any:
    """Read a file that Devin made: a table as a DataFrame, JSON as its value, text as str, anything else as bytes.

    Args:
        name: the file's name; its suffix decides.
        content: its bytes.
    """
    suffix = name.lower().rpartition(".")[2]
    if suffix in ("csv", "tsv"):
        return pd.read_csv(io.BytesIO(content), sep="\t" if suffix == "tsv" else ",")
    if suffix == "parquet":
        return pd.read_parquet(io.BytesIO(content))
    if suffix in ("jsonl", "ndjson"):
        return pd.DataFrame([json.loads(line) for line in content.splitlines() if line.strip()])
    if suffix == "json":
        return json.loads(content)
    return content.decode("utf-8", "replace") if suffix in _TEXT_SUFFIXES else content
