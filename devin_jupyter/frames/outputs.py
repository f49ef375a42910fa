"""Structured outputs as a frame: the schema's fields as columns, then which session they come from.

Nothing is thrown away: an output that does not fit keeps its row, with what is wrong in `error`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from devin_jupyter.errors import OptionError
from devin_jupyter.frames.columns import Column, array_of, frame_of
from devin_jupyter.frames.fields import Field, Path, fields_of, list_paths, merged
from devin_jupyter.frames.inferred import inferred
from devin_jupyter.frames.shapes import OUTPUT_TAIL
from devin_jupyter.models.phase import Phase
from devin_jupyter.models.snapshot import Record, judge_output
from devin_jupyter.schema import Schema, from_wire, json_path

Place = tuple[str | int, ...]
_OVER = frozenset(phase for phase in Phase if phase.turn_over)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """The structured output of one session, as the service holds it."""

    session_id: str
    url: str
    phase: str
    acus: float | None
    raw: Any
    provisional: bool
    """Whether `raw` is not the final answer; says nothing where `raw` is None."""
    schema: Schema | None = None
    """What was asked for; None takes the columns from the values."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """How the outputs of one schema become rows."""

    schema: Schema | None
    lists: tuple[Path, ...]
    """The lists that are taken apart, outer ones first."""
    fields: list[Field]


def outputs(
    found: Sequence[Output],
    *,
    schema: Schema | None = None,
    explode: str | None = None,
    keep_empty: bool = False,
    prefix: str = "",
) -> pd.DataFrame:
    """Return a row per output, or per item where the schema is a list of rows or `explode` names a list.

    Args:
        found: outputs; those of sessions without one have `raw` None, and nothing about them is `provisional`.
        schema: to read all outputs with, whatever they were asked for; decides the columns even without outputs.
        explode: the dotted path of a list to take apart; its items' fields stand in its place.
        keep_empty: also keep a row for sessions without an output, or with an empty list.
        prefix: put before the names of the schema's fields.

    Raises:
        OptionError: `explode` names no list, or a field has the name of one of the last columns.
    """
    plans = _plans(found, schema, explode)
    columns = [
        replace(column, name=prefix + column.name) for column in merged([plan.fields for plan in plans.values()])
    ]
    _check_names(columns)
    records: list[dict[str, Any]] = []
    for output in found:
        records += _records(output, plans[_key(output, schema)], keep_empty=keep_empty, prefix=prefix)
    whole = (*columns, *OUTPUT_TAIL)
    data: dict[str, Any] = {column.name: [record.get(column.name) for record in records] for column in whole}
    for column in columns:
        values = data[column.name]
        data[column.name] = array_of(column, values)
        _note_losses(column, values, data[column.name], data["error"])
    return frame_of(whole, data)


def outputs_of(
    sessions: pd.DataFrame,
    *,
    provisional: Mapping[str, bool],
    known: Mapping[str, Record],
    schemas: Mapping[str, Schema],
) -> list[Output]:
    """Return the outputs that a sessions frame holds.

    Args:
        sessions: a sessions frame.
        provisional: by session id, where a snapshot has told.
        known: by session id, what the service does not say; for the others.
        schemas: by session id, what was asked for.
    """
    columns = [sessions[name] for name in ("session_id", "url", "phase", "acus", "structured_output")]
    return [
        Output(
            session_id=name,
            url=url,
            phase=phase,
            acus=None if pd.isna(acus) else float(acus),
            raw=raw,
            provisional=provisional[name] if name in provisional else not _is_final(phase, raw, known.get(name)),
            schema=schemas.get(name),
        )
        for name, url, phase, acus, raw in zip(*columns, strict=True)
    ]


def _is_final(phase: str, raw: Any, known: Record | None) -> bool:
    """What `Snapshot.output_is_final` says, of a row of a frame."""
    return phase in _OVER and all(judge_output(raw, known or Record(session_id="")))


def _key(output: Output, schema: Schema | None) -> int:
    asked = schema or output.schema
    return id(asked.wire) if asked else 0


def _plans(found: Sequence[Output], schema: Schema | None, explode: str | None) -> dict[int, _Plan]:
    """One plan per schema; outputs without one share a plan that is read off their values."""
    groups: dict[int, tuple[Schema | None, list[Any]]] = {id(schema.wire): (schema, [])} if schema else {}
    for output in found:
        groups.setdefault(_key(output, schema), (schema or output.schema, []))[1].append(output.raw)
    plans, shapes = {}, []
    for key, (asked, raws) in groups.items():
        if asked is None and all(raw is None for raw in raws):  # nothing says what there might be
            plans[key] = _Plan(None, (), [])
            continue
        shape = asked or from_wire(inferred(raws))
        shapes.append(shape)
        lists = _lists(shape, explode)
        inside: Path = (shape.item_key,) if shape.item_key else ()
        plans[key] = _Plan(asked, lists, fields_of(shape.wire, exploded=lists, inside=inside))
    has_outputs = any(output.raw is not None for output in found) or schema is not None
    if explode and has_outputs and not any(_ends_in(plan.lists, explode) for plan in plans.values()):
        raise _no_list(explode, shapes)
    return plans


def _lists(schema: Schema, explode: str | None) -> tuple[Path, ...]:
    """The lists to take apart: the one that is the whole answer, those on the way, and the one that was asked for."""
    inside: Path = (schema.item_key,) if schema.item_key else ()
    lists: list[Path] = [inside] if schema.is_list else []
    if not explode or _path(explode) == inside:
        return tuple(lists)
    wanted = (*inside, *_path(explode))
    while wanted not in lists:
        on_the_way = [path for path in list_paths(schema.wire, lists) if path == wanted[: len(path)]]
        if not on_the_way:
            return tuple(path for path in lists if path == inside)
        lists.append(on_the_way[0])
    return tuple(lists)


def _path(explode: str) -> Path:
    return tuple(explode.split("."))


def _ends_in(lists: Sequence[Path], explode: str) -> bool:
    wanted = _path(explode)
    return bool(lists) and lists[-1][-len(wanted) :] == wanted


def _no_list(explode: str, shapes: Iterable[Schema]) -> OptionError:
    known = sorted({".".join(path) for shape in shapes for path in list_paths(shape.wire, [])})
    return OptionError(
        f"explode={explode!r} names no list of the output",
        hint=f"its lists are {', '.join(known)}" if known else "the output has no lists",
    )


def _check_names(columns: Sequence[Column]) -> None:
    tail = {column.name for column in OUTPUT_TAIL}
    both = [column.name for column in columns if column.name in tail]
    if both:
        raise OptionError(
            f"the output has a field {both[0]!r}, which is also a column of the frame",
            hint="give prefix='output.' to tell them apart",
        )


def _records(output: Output, plan: _Plan, *, keep_empty: bool, prefix: str) -> Iterator[dict[str, Any]]:
    tail = {
        "session_id": output.session_id,
        "url": output.url,
        "phase": output.phase,
        "acus": output.acus,
        "provisional": None if output.raw is None else output.provisional,
    }
    if output.raw is None:
        if keep_empty:
            yield tail
        return
    problems = plan.schema.check(output.raw) if plan.schema else []
    for value, places in _taken_apart(output.raw, plan.lists, keep_empty=keep_empty or bool(problems)):
        error = "; ".join(problem for problem in problems if _concerns(problem, places))
        cells = {prefix + field.column.name: _at(value, field.path, field.default) for field in plan.fields}
        yield {**cells, **tail, "error": error or None}


def _taken_apart(
    value: Any, lists: Sequence[Path], *, keep_empty: bool, done: Path = (), place: Place = ()
) -> Iterator[tuple[Any, list[Place]]]:
    """Yield the output once per item of its lists, the item standing in the list's place, with the items' places."""
    if not lists:
        yield value, []
        return
    path = lists[0]
    items = _at(value, path)
    listed = (*place, *path[len(done) :])
    if not isinstance(items, list) or not items:
        if keep_empty:
            yield _put(value, path, None), []
        return
    for index, item in enumerate(items):
        here: Place = (*listed, index)
        inner = _taken_apart(_put(value, path, item), lists[1:], keep_empty=keep_empty, done=path, place=here)
        yield from ((whole, [here, *places]) for whole, places in inner)


def _concerns(problem: str, places: Iterable[Place]) -> bool:
    """Whether a problem belongs to these items, or to no item in particular."""
    for place in places:
        own, siblings = json_path(place), json_path(place[:-1]) + "["
        if problem.startswith(siblings) and not problem.startswith(own):
            return False
    return True


def _at(value: Any, path: Path, default: Any = None) -> Any:
    """What stands at the path; the default where the object is there and the last name is not."""
    for index, step in enumerate(path):
        if not isinstance(value, Mapping):
            return None
        value = value.get(step, default if index == len(path) - 1 else None)
    return value


def _put(value: Any, path: Path, item: Any) -> Any:
    if not path:
        return item
    inner = value if isinstance(value, Mapping) else {}
    return {**inner, path[0]: _put(inner.get(path[0]), path[1:], item)}


def _note_losses(column: Column, values: list[Any], array: Any, errors: list[str | None]) -> None:
    """What the column cannot hold, such as an integer beyond 64 bits, is null there and named in `error`."""
    if column.kind in ("object", "text"):
        return
    for index in np.flatnonzero(np.asarray(pd.isna(array))):
        if values[index] is not None and errors[index] is None:
            errors[index] = f"$.{column.name}: {str(values[index])[:80]} cannot be held by a column of {array.dtype}"
