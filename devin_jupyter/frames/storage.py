"""Frames to files and back without loss, frames in monthly parts, and files that Devin made.

Parquet cannot hold free-form objects, so they travel as JSON text, marked in the file's metadata; other readers see
that text. A file is complete or not there: it is written beside its final path and moved.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from devin_jupyter.errors import OptionError
from devin_jupyter.frames.columns import Column, array_of, frame_of, words
from devin_jupyter.frames.sessions import SESSIONS, SessionRows, by_time
from devin_jupyter.text import nearest, replacing

_METADATA_KEY = b"devin_jupyter"
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
    arrow, parquet = require_pyarrow()
    target = _target(frame, path, "write_parquet")
    objects = _object_columns(frame)
    flat = frame.assign(**{name: _to_json(frame[name]) for name in objects})
    table = arrow.Table.from_pandas(flat)
    categories = {
        str(name): list(dtype.categories)
        for name, dtype in frame.dtypes.items()
        if isinstance(dtype, pd.CategoricalDtype)
    }
    note = {"objects": objects, "categories": categories}
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), _METADATA_KEY: json.dumps(note).encode()})
    with _told(target, "written"), replacing(target) as place:
        parquet.write_table(table, place)


def read_parquet(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a frame that `write_parquet` wrote; other files as pandas reads them.

    Raises:
        OptionError: pyarrow is not installed, or the file cannot be read.
    """
    arrow, parquet = require_pyarrow()
    with _told(_readable(path, "read_parquet"), "read", arrow.ArrowInvalid):
        table = parquet.read_table(path, partitioning=None)
    note = json.loads((table.schema.metadata or {}).get(_METADATA_KEY, b"{}"))
    frame: pd.DataFrame = table.to_pandas()
    for name in note.get("objects", ()):
        values = [None if pd.isna(text) else json.loads(text) for text in frame[name]]
        frame[name] = pd.Series(values, dtype=object, index=frame.index)
    for name, values in note.get("categories", {}).items():
        frame[name] = frame[name].astype(pd.CategoricalDtype(values))
    return frame


def write_csv(frame: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a frame as CSV without its index, objects as JSON; `read_csv` needs a frame with the same columns.

        frames.write_csv(dj.sessions_frame(), "sessions.csv")

    Raises:
        OptionError: the file cannot be written.
    """
    target = _target(frame, path, "write_csv")
    objects = _object_columns(frame)
    with _told(target, "written"), replacing(target) as place:
        frame.assign(**{name: _to_json(frame[name]) for name in objects}).to_csv(place, index=False)


def read_csv(path: str | os.PathLike[str], like: pd.DataFrame | None = None) -> pd.DataFrame:
    """Read a CSV that `write_csv` wrote, with the dtypes of another frame with the same columns.

        frames.read_csv("sessions.csv", like=dj.sessions_frame(limit=0))

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
    for column in columns:
        values = [None if pd.isna(text) else _parse(text, column) for text in texts[column.name]]
        data[column.name] = array_of(column, values)
    return frame_of(columns, data)


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


def _to_json(values: pd.Series[Any]) -> pd.Series[Any]:
    texts = [None if value is None else json.dumps(value, ensure_ascii=True, default=str) for value in values]
    return pd.Series(texts, dtype="string", index=values.index)


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


def flat(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a copy of a frame in which every column holds texts, numbers, booleans or times, as other tools take them.

        flat = dj.flat(dj.sessions_frame(since="30d"))
        flat.drop_duplicates()
        flat.to_excel("sessions.xlsx")
        flat.to_sql("sessions", connection)
        flat.plot.bar("title", "acus")

    Lists and objects become JSON text (dtype string; equal values give equal texts), categories become strings, times
    UTC without a zone, nullable floats NumPy's with NaN. Control characters, which spreadsheets refuse, are dropped.
    Names, order and index stay.

    Args:
        frame: one of our frames, or any other.
    """
    columns = {}
    for place, dtype in enumerate(frame.dtypes):
        column: Any = frame.iloc[:, place]
        if isinstance(dtype, pd.DatetimeTZDtype):
            column = column.dt.tz_convert("UTC").dt.tz_localize(None)
        elif isinstance(dtype, pd.Float64Dtype):
            column = column.astype("float64")
        elif pd.api.types.is_object_dtype(dtype):
            column = pd.Series(list(map(_as_text, column)), dtype="string", index=frame.index)
        elif isinstance(dtype, (pd.CategoricalDtype, pd.StringDtype)):
            column = column.astype("string")
        if isinstance(column.dtype, pd.StringDtype):
            column = column.str.replace(_CONTROLS, "", regex=True)
        columns[place] = column
    found = pd.DataFrame(columns, index=frame.index)
    return found.set_axis(frame.columns, axis="columns")


def _as_text(value: Any) -> str | None:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if value is None or (not isinstance(value, (list, tuple, dict)) and pd.isna(value) is True):
        return None
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return text.encode("utf-8", "replace").decode()


def split_by_month(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Split a sessions frame by the month of `created_at`: `2026-11` → frame."""
    months = frame["created_at"].dt.strftime("%Y-%m").fillna(UNKNOWN_MONTH)
    return {str(month): part for month, part in frame.groupby(months.astype(str), sort=True)}


def merge_sessions(old: pd.DataFrame | None, new: pd.DataFrame) -> pd.DataFrame:
    """Return the sessions of both frames, each once; a row of `new` replaces one of `old`."""
    if old is None:
        return stack_sessions([new])
    return stack_sessions([old[~old["session_id"].isin(new["session_id"])], new])


def stack_sessions(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Return the parts as one frame, newest first, as if all sessions had been read at once."""
    filled = [_complete(part) for part in parts if len(part)]
    if not filled:
        return SessionRows().frame()
    columns = {name: _concatenate([part[name] for part in filled]) for name in filled[0].columns}
    frame = pd.DataFrame(columns)
    order = by_time(frame["created_at"].array, frame["session_id"].tolist())
    return frame if order is None else frame.take(order).reset_index(drop=True)


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


def with_open_pull_requests(frame: pd.DataFrame) -> list[str]:
    """Return the ids of the sessions with pull requests that may still be merged."""
    is_open = (frame["n_prs"] > 0) & (frame["n_merged"].fillna(0) < frame["n_prs"])
    return [str(name) for name in frame.loc[is_open.fillna(False), "session_id"]]


def last_update(frame: pd.DataFrame) -> float | None:
    """Return the newest `updated_at` in Unix seconds."""
    newest = frame["updated_at"].max()
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
