"""The frame of a batch: what went in, what came out, and which session did it; always a row per row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pandas as pd

from devin_jupyter.frames.columns import Column, array_of
from devin_jupyter.frames.fields import Field, Path, fields_of, merged
from devin_jupyter.frames.shapes import PHASE
from devin_jupyter.schema import Schema

ANSWER = "answer"
"""Without a schema: Devin's last message."""
BATCH_TAIL = (
    Column("session_id", "text"),
    Column("url", "text"),
    Column("phase", "word", (*PHASE, "waiting", "refused")),
    Column("needs_you", "boolean"),
    Column("asked", "text"),
    Column("acus", "number"),
    Column("n_prs", "integer"),
    Column("provisional", "boolean"),
    Column("error", "text"),
)
"""What stands behind the inputs and the outputs. `phase` is `waiting` or `refused` for rows without a session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The rows as they were given."""

    columns: tuple[str, ...]
    records: Sequence[Mapping[str, Any]]
    labels: Sequence[Any]
    source: pd.DataFrame | None = None
    """The frame they came from, which keeps its dtypes and index."""
    dtypes: Mapping[str, str] | None = None
    """The dtypes of such a frame, where only these were kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRow:
    """How one row stands. Every field may be unknown."""

    phase: str
    session_id: str | None = None
    url: str | None = None
    needs_you: bool = False
    asked: str | None = None
    """What a person must answer."""
    acus: float | None = None
    n_prs: int | None = None
    provisional: bool | None = None
    error: str | None = None
    raw: Any = None
    """The structured output, as the service holds it."""
    answer: str | None = None
    schema: Schema | None = None


def batch(inputs: Inputs, rows: Sequence[BatchRow], schema: Schema | None, prefix: str = "") -> pd.DataFrame:
    """Return the input columns, the output columns and the session columns, with the labels of the rows.

    Args:
        inputs: what went in.
        rows: how each row stands, in the same order.
        schema: of every answer; None where rows have their own, or none.
        prefix: put before the names of the output columns.
    """
    frame = _inputs(inputs)
    shapes = {id(row.schema.wire): fields_of_schema(row.schema) for row in rows if row.schema is not None}
    if schema is not None:
        shapes.setdefault(id(schema.wire), fields_of_schema(schema))
    made = {}
    for column in merged(list(shapes.values())):
        values = [_value(row, shapes, column.name) for row in rows]
        made[prefix + column.name] = array_of(Column(column.name, column.kind, column.values), values)
    if not shapes:
        made[prefix + ANSWER] = array_of(Column(ANSWER, "text"), [row.answer for row in rows])
    tail = {column.name: array_of(column, _tail(column.name, rows)) for column in BATCH_TAIL}
    told = pd.DataFrame({**made, **tail}, index=pd.RangeIndex(len(rows)), copy=False)
    told.index = frame.index  # not sooner: pandas would look for the rows of some columns by these labels
    return pd.concat([frame, told], axis=1)


def output_names(schema: Schema | None, prefix: str = "") -> list[str]:
    """Return the names of the output columns."""
    return [prefix + field.column.name for field in fields_of_schema(schema)] if schema else [prefix + ANSWER]


def fields_of_schema(schema: Schema) -> list[Field]:
    """Return the output columns of a schema; a list of rows stays one column, so that rows stay rows."""
    inside: Path = (schema.item_key,) if schema.item_key and not schema.is_list else ()
    return fields_of(schema.wire, inside=inside)


def _inputs(inputs: Inputs) -> pd.DataFrame:
    if inputs.source is not None:
        return inputs.source.rename(columns=str)
    index = pd.Index(list(inputs.labels), dtype=None if inputs.labels else "int64")
    frame = pd.DataFrame([dict(record) for record in inputs.records], columns=list(inputs.columns), index=index)
    for name, dtype in (inputs.dtypes or {}).items():
        with suppress(TypeError, ValueError, KeyError):  # a dtype of a library that is not loaded, or a damaged value
            frame[name] = frame[name].astype(dtype)  # type: ignore[call-overload]
    return frame


def _value(row: BatchRow, shapes: Mapping[int, Sequence[Field]], name: str) -> Any:
    fields = shapes.get(id(row.schema.wire), ()) if row.schema is not None else ()
    for field in fields:
        if field.column.name == name:
            return _at(row.raw, field)
    return None


def _at(raw: Any, field: Field) -> Any:
    value = raw
    for index, step in enumerate(field.path):
        if not isinstance(value, Mapping):
            return None
        value = value.get(step, field.default if index == len(field.path) - 1 else None)
    return value


def _tail(name: str, rows: Sequence[BatchRow]) -> list[Any]:
    return [getattr(row, name) for row in rows]
