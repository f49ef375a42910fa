"""The frame of a batch: one row per input row, with its inputs, its outputs and its session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from devin_jupyter.frames.columns import Column, frame_of
from devin_jupyter.frames.outputs import Field, Path, fields_of, merge_fields, value_at
from devin_jupyter.frames.sessions import PHASE
from devin_jupyter.schema import Schema

ANSWER = "answer"
"""Without a schema: Devin's last message."""
BATCH_TAIL = (
    Column("phase", "word", (*PHASE, "waiting", "refused")),
    Column("acus", "number"),
    Column("error", "text"),
    Column("needs_you", "boolean"),
    Column("asked", "text"),
    Column("n_prs", "integer"),
    Column("review_status", "text"),
    Column("provisional", "boolean"),
    Column("acus_earlier", "number"),
    Column("session_id", "text"),
    Column("url", "text"),
)
"""The columns after inputs and outputs. `phase` is `waiting` or `refused` for rows without a session.

`review_status` is what `.review()` of the batch saw last.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The input rows."""

    columns: tuple[str, ...]
    records: Sequence[Mapping[str, Any]]
    labels: Sequence[Any]
    source: pd.DataFrame | None = None
    """The frame they came from, with its dtypes and index."""
    dtypes: Mapping[str, str] | None = None
    """The dtypes of that frame, where only these were stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRow:
    """The state of one row. Every field may be unknown."""

    phase: str
    session_id: str | None = None
    url: str | None = None
    needs_you: bool = False
    asked: str | None = None
    """The question a person must answer."""
    acus: float | None = None
    """What all takes of the row cost so far."""
    acus_earlier: float | None = None
    """The part of it that earlier takes cost; None without one."""
    n_prs: int | None = None
    review_status: str | None = None
    provisional: bool | None = None
    error: str | None = None
    """Why there is no answer, or what is wrong with it."""
    raw: Any = None
    """The structured output as the service returned it."""
    answer: str | None = None
    schema: Schema | None = None


def batch(inputs: Inputs, rows: Sequence[BatchRow], schema: Schema | None, prefix: str = "") -> pd.DataFrame:
    """Return the input columns, the output columns and the session columns, with the labels of the rows.

    Args:
        inputs: the input rows.
        rows: the state of each row, in the same order.
        schema: of all outputs; None where rows have their own, or none.
        prefix: put before the names of the output columns.
    """
    frame = _input_frame(inputs)
    schemas = {id(asked.wire): asked for asked in (*(row.schema for row in rows), schema) if asked is not None}
    fields = {key: fields_of_schema(asked) for key, asked in schemas.items()}
    by_name = {key: {field.column.name: field for field in found} for key, found in fields.items()}
    own = [by_name[id(row.schema.wire)] if row.schema is not None else {} for row in rows]
    columns = [replace(column, name=prefix + column.name) for column in merge_fields(list(fields.values()))]
    data: dict[str, Any] = {}
    for column in columns:
        found = [names.get(column.name.removeprefix(prefix)) for names in own]
        pairs = zip(rows, found, strict=True)
        values = [None if field is None else value_at(row.raw, field.path, field.default) for row, field in pairs]
        data[column.name] = values
    if not fields:
        columns.append(Column(prefix + ANSWER, "text"))
        data[prefix + ANSWER] = [row.answer for row in rows]
    data |= {column.name: [getattr(row, column.name) for row in rows] for column in BATCH_TAIL}
    named = {column.name: column for column in (*columns, *BATCH_TAIL)}
    added = frame_of(named.values(), data)
    added.index = frame.index  # not sooner: pandas would look for the rows of some columns by these labels
    return pd.concat([frame, added], axis=1)


def output_names(schema: Schema | None, prefix: str = "") -> list[str]:
    """Return the names of the output columns."""
    return [prefix + field.column.name for field in fields_of_schema(schema)] if schema else [prefix + ANSWER]


def fields_of_schema(schema: Schema) -> list[Field]:
    """Return the output fields of a schema. A list of rows stays one column, so that the frame keeps its rows."""
    inside: Path = (schema.item_key,) if schema.item_key and not schema.is_list else ()
    return fields_of(schema.wire, inside=inside)


def _input_frame(inputs: Inputs) -> pd.DataFrame:
    if inputs.source is not None:
        return inputs.source.rename(columns=str)
    index = pd.Index(list(inputs.labels), dtype=None if inputs.labels else "int64")
    frame = pd.DataFrame([dict(record) for record in inputs.records], columns=list(inputs.columns), index=index)
    for name, dtype in (inputs.dtypes or {}).items():
        # the dtype may be of a library that is not loaded, or not hold a value
        with suppress(TypeError, ValueError, KeyError):
            frame[name] = frame[name].astype(dtype)  # type: ignore[call-overload]  # any dtype, by its name
    return frame
