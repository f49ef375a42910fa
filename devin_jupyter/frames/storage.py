"""Frames to files and back, without loss: Parquet keeps everything, CSV what text can hold.

Parquet cannot hold free-form objects, so they travel as JSON text, marked in the file's metadata; other readers see
that text. A file is complete or not there: it is written beside its place and moved.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from devin_jupyter.errors import OptionError
from devin_jupyter.frames.columns import Column, array_of, frame_of
from devin_jupyter.text import replacing

_MARK = b"devin_jupyter"


def write_parquet(frame: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a frame so that `read_parquet` gives back an equal one, its index included.

        frames.write_parquet(dj.sessions_frame(), "sessions.parquet")

    pandas' own `to_parquet` refuses lists and objects of several shapes in one column, and forgets categories that
    no row has.

    Raises:
        OptionError: pyarrow is not installed.
    """
    arrow, parquet = require_pyarrow()
    loose = _loose(frame)
    flat = frame.assign(**{name: _to_json(frame[name]) for name in loose})
    table = arrow.Table.from_pandas(flat)
    note = {"objects": loose, "categories": _categories(frame)}
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), _MARK: json.dumps(note).encode()})
    with replacing(Path(path)) as place:
        parquet.write_table(table, place)


def read_parquet(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a frame that `write_parquet` wrote; other files as pandas reads them.

    Raises:
        OptionError: pyarrow is not installed.
    """
    _, parquet = require_pyarrow()
    table = parquet.read_table(path, partitioning=None)
    note = json.loads((table.schema.metadata or {}).get(_MARK, b"{}"))
    frame: pd.DataFrame = table.to_pandas()
    for name in note.get("objects", ()):
        values = [None if pd.isna(text) else json.loads(text) for text in frame[name]]
        frame[name] = pd.Series(values, dtype=object, index=frame.index)
    for name, values in note.get("categories", {}).items():
        frame[name] = frame[name].astype(pd.CategoricalDtype(values))
    return frame


def write_csv(frame: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a frame as CSV without its index, objects as JSON; `read_csv` needs to be told its columns.

    frames.write_csv(dj.sessions_frame(), "sessions.csv")
    """
    loose = _loose(frame)
    with replacing(Path(path)) as place:
        frame.assign(**{name: _to_json(frame[name]) for name in loose}).to_csv(place, index=False)


def read_csv(path: str | os.PathLike[str], like: pd.DataFrame) -> pd.DataFrame:
    """Read a CSV that `write_csv` wrote into the dtypes of another frame with the same columns.

        frames.read_csv("sessions.csv", like=dj.sessions_frame(limit=0))

    Args:
        path: the file.
        like: any frame of the same kind, such as one with no rows.

    Raises:
        OptionError: the file has not the columns of that frame.
    """
    # the names are read as cells, because pandas makes up others for empty and repeated ones
    texts = pd.read_csv(path, dtype="string", keep_default_na=False, na_values=[""], header=None)
    texts = texts.set_axis(texts.iloc[0].fillna("").tolist(), axis="columns").iloc[1:]
    missing = [str(name) for name in like.columns if name not in texts]
    if missing:
        raise OptionError(f"{path} has no column {missing[0]!r}", hint="give the kind of frame that was written")
    columns = [_column(name, dtype) for name, dtype in like.dtypes.items()]
    data: dict[str, Any] = {}
    for column in columns:
        values = [None if pd.isna(text) else _read(text, column) for text in texts[column.name]]
        data[column.name] = array_of(column, values)
    return frame_of(columns, data)


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


def _read(text: str, column: Column) -> Any:
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


def _categories(frame: pd.DataFrame) -> dict[str, Sequence[Any]]:
    dtypes = {str(name): dtype for name, dtype in frame.dtypes.items()}
    return {name: list(dtype.categories) for name, dtype in dtypes.items() if isinstance(dtype, pd.CategoricalDtype)}


def _loose(frame: pd.DataFrame) -> list[str]:
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
