"""Structured outputs as a frame: the schema's fields as columns, then the session they come from.

The columns are decided by the schema alone, so that a frame has the same columns and dtypes with no rows as with many:
nested objects dotted, enums as categories, dates as dates; a field without one type, or one that refers to itself, is
an object column. Nothing is thrown away: an output that does not match keeps its row, with what is wrong in `error`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from devin_jupyter.errors import OptionError
from devin_jupyter.frames.columns import Column, array_of, frame_of
from devin_jupyter.frames.sessions import PHASE
from devin_jupyter.models.enums import TURN_OVER
from devin_jupyter.models.fields import Kind
from devin_jupyter.models.snapshot import Record, judge_output
from devin_jupyter.schema import Schema, from_wire, json_path
from devin_jupyter.schema.draft7 import target

Json = Mapping[str, Any]
Path = tuple[str, ...]
"""The names that lead to a value in an output."""
Place = tuple[str | int, ...]
"""A path with the indexes of list items."""

OUTPUT_TAIL = (
    Column("phase", "word", PHASE),
    Column("acus", "number"),
    Column("error", "text"),
    Column("provisional", "boolean"),
    Column("session_id", "text"),
    Column("url", "text"),
)
"""The columns after the fields of the schema."""
_MAX_COLUMNS = 500
"""With more, objects stay objects: definitions that refer to each other can stand for millions of fields."""
_MAX_DEPTH = 32
"""Objects within as many others stay one column."""
_MAX_RECORD_KEYS = 200
"""An object with more keys than this is a table of its own, not a record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """The structured output of one session, as the service returned it."""

    session_id: str
    url: str
    phase: str
    acus: float | None
    raw: Any
    provisional: bool
    """Whether `raw` is not the final answer; without meaning where `raw` is None."""
    schema: Schema | None = None
    """The schema the session was given; None takes the columns from the values."""


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
        found: the outputs; a session without one has `raw` None, and is not `provisional`.
        schema: read all outputs with this schema; it decides the columns even without outputs.
        explode: the dotted path of a list; each item becomes a row, its fields in place of the list.
        keep_empty: also keep a row for sessions without an output, or with an empty list.
        prefix: put before the names of the schema's fields.

    Raises:
        OptionError: `explode` is not a list of the output, or a field has the name of one of the last columns.
    """
    layouts = _layouts(found, schema, explode)
    merged = merge_fields([layout.fields for layout in layouts.values()])
    columns = [replace(column, name=prefix + column.name) for column in merged]
    tail = {column.name for column in OUTPUT_TAIL}
    for column in columns:
        if column.name in tail:
            raise OptionError(
                f"the output has a field {column.name!r}, which is also a column of the frame",
                hint="give prefix='output.' to tell them apart",
            )

    records: list[dict[str, Any]] = []
    for output in found:
        layout = layouts[_schema_key(output, schema)]
        records += _records(output, layout, keep_empty=keep_empty, prefix=prefix)
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
    with_empty: bool = True,
) -> list[Output]:
    """Return the outputs that a sessions frame holds.

    Args:
        sessions: a sessions frame.
        provisional: by session id, for the sessions that have a snapshot.
        known: by session id, what the service does not report, for the other sessions.
        schemas: by session id, the schema it was given.
        with_empty: also of sessions with neither an output nor a schema.
    """
    if not with_empty:
        there = [raw is not None for raw in sessions["structured_output"]]
        sessions = sessions[np.array(there, dtype=bool) | sessions["session_id"].isin([*schemas]).to_numpy(dtype=bool)]
    found = []
    columns = [sessions[name].tolist() for name in ("session_id", "url", "phase", "acus", "structured_output")]
    for name, url, phase, acus, raw in zip(*columns, strict=True):
        is_provisional = provisional.get(name)
        if is_provisional is None:  # what `Snapshot.output_is_final` says
            is_provisional = not (
                phase in TURN_OVER and all(judge_output(raw, known.get(name) or Record(session_id="")))
            )
        found.append(
            Output(
                session_id=name,
                url=url,
                phase=phase,
                acus=None if pd.isna(acus) else float(acus),
                raw=raw,
                provisional=is_provisional,
                schema=schemas.get(name),
            )
        )
    return found


# --- from outputs to rows --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Field:
    """A column of an outputs frame, and the path of its value in the output."""

    path: Path
    column: Column
    default: Any = None
    """The schema's default for a missing value."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """How the outputs of one schema become rows."""

    schema: Schema | None
    lists: tuple[Path, ...]
    """The lists to explode, outer ones first."""
    fields: list[Field]


def _schema_key(output: Output, schema: Schema | None) -> int:
    asked = schema or output.schema
    return id(asked.wire) if asked else 0


def _layouts(found: Sequence[Output], schema: Schema | None, explode: str | None) -> dict[int, _Layout]:
    """Return a layout per schema; outputs without one share a layout that is inferred from their values."""
    groups: dict[int, tuple[Schema | None, list[Any]]] = {id(schema.wire): (schema, [])} if schema else {}
    for output in found:
        groups.setdefault(_schema_key(output, schema), (schema or output.schema, []))[1].append(output.raw)
    layouts: dict[int, _Layout] = {}
    shapes = []
    for key, (asked, raws) in groups.items():
        if asked is None and all(raw is None for raw in raws):
            layouts[key] = _Layout(None, (), [])
            continue
        shape = asked or from_wire(infer_schema(raws))
        shapes.append(shape)
        lists = _lists_to_explode(shape, explode)
        inside: Path = (shape.item_key,) if shape.item_key else ()
        layouts[key] = _Layout(asked, lists, fields_of(shape.wire, exploded=lists, inside=inside))

    if explode and (schema is not None or any(output.raw is not None for output in found)):
        wanted = tuple(explode.split("."))
        if not any(layout.lists and layout.lists[-1][-len(wanted) :] == wanted for layout in layouts.values()):
            known = sorted({".".join(path) for shape in shapes for path in list_paths(shape.wire, [])})
            raise OptionError(
                f"explode={explode!r} is not a list in the output",
                hint=f"its lists are {', '.join(known)}" if known else "the output has no lists",
            )
    return layouts


def _lists_to_explode(schema: Schema, explode: str | None) -> tuple[Path, ...]:
    """Return the list that is the whole answer, those on the way to the one that was asked for, and that one."""
    inside: Path = (schema.item_key,) if schema.item_key else ()
    lists: list[Path] = [inside] if schema.is_list else []
    asked = tuple(explode.split(".")) if explode else inside
    if asked == inside:
        return tuple(lists)
    wanted = (*inside, *asked)
    while wanted not in lists:
        on_the_way = [path for path in list_paths(schema.wire, lists) if path == wanted[: len(path)]]
        if not on_the_way:
            return tuple(path for path in lists if path == inside)
        lists.append(on_the_way[0])
    return tuple(lists)


def _records(output: Output, layout: _Layout, *, keep_empty: bool, prefix: str) -> Iterator[dict[str, Any]]:
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
    problems = layout.schema.check(output.raw) if layout.schema else []
    for value, places in _explode(output.raw, layout.lists, keep_empty=keep_empty or bool(problems)):
        error = "; ".join(problem for problem in problems if _concerns(problem, places))
        cells = {prefix + field.column.name: value_at(value, field.path, field.default) for field in layout.fields}
        yield {**cells, **tail, "error": error or None}


def _explode(
    value: Any, lists: Sequence[Path], *, keep_empty: bool, done: Path = (), place: Place = ()
) -> Iterator[tuple[Any, list[Place]]]:
    """Yield the output once per item of its lists, with the item in place of the list, and the places of the items."""
    if not lists:
        yield value, []
        return
    path = lists[0]
    items = value_at(value, path)
    if not isinstance(items, list) or not items:
        if keep_empty:
            yield _replace_at(value, path, None), []
        return
    for index, item in enumerate(items):
        here: Place = (*place, *path[len(done) :], index)
        whole = _replace_at(value, path, item)
        for inner, places in _explode(whole, lists[1:], keep_empty=keep_empty, done=path, place=here):
            yield inner, [here, *places]


def _concerns(problem: str, places: Iterable[Place]) -> bool:
    """Whether a problem belongs to these items, or to no item in particular."""
    for place in places:
        own, siblings = json_path(place), json_path(place[:-1]) + "["
        if problem.startswith(siblings) and not problem.startswith(own):
            return False
    return True


def value_at(value: Any, path: Path, default: Any = None) -> Any:
    """Return the value at the path; `default` where only the last name is missing, None where more is."""
    for index, step in enumerate(path):
        if not isinstance(value, Mapping):
            return None
        value = value.get(step, default if index == len(path) - 1 else None)
    return value


def _replace_at(value: Any, path: Path, item: Any) -> Any:
    if not path:
        return item
    inner = value if isinstance(value, Mapping) else {}
    return {**inner, path[0]: _replace_at(inner.get(path[0]), path[1:], item)}


def _note_losses(column: Column, values: list[Any], array: Any, errors: list[str | None]) -> None:
    """Name in `error` a value that its column cannot hold and that is null there, such as an integer beyond 64 bits."""
    if column.kind in ("object", "text"):
        return
    for index in np.flatnonzero(np.asarray(pd.isna(array))):
        if values[index] is not None and errors[index] is None:
            errors[index] = f"$.{column.name}: {str(values[index])[:80]} does not fit a column of type {array.dtype}"


# --- from a schema to fields -----------------------------------------------------------------------------------------


def fields_of(wire: Json, *, exploded: Iterable[Path] = (), inside: Path = ()) -> list[Field]:
    """Return the fields that a schema describes, in its order.

    Args:
        wire: a self-contained Draft 7 schema.
        exploded: the paths of lists to explode: the fields of their items stand in place of the list.
        inside: a path that is left out of the names.
    """
    return _FieldReader(wire, frozenset(exploded), inside).fields


def list_paths(wire: Json, exploded: Iterable[Path]) -> list[Path]:
    """Return the paths of the lists in the schema that are not inside other lists, except exploded ones."""
    lists = frozenset(exploded)
    return [path for path in _FieldReader(wire, lists, ()).lists if path not in lists]


def merge_fields(groups: Sequence[list[Field]]) -> list[Column]:
    """Return the columns of several schemas together; a name with different types becomes an object column."""
    columns: dict[str, Column] = {}
    for field in (field for group in groups for field in group):
        column = field.column
        known = columns.get(column.name)
        columns[column.name] = column if known is None else Column(column.name, *_common_kind([known, column]))
    return list(columns.values())


@dataclass(frozen=True, slots=True)
class _Subschema:
    """A part of a schema, with the references that led to it."""

    schema: Json
    through: frozenset[str] = frozenset()


class _FieldReader:
    """Walks a schema and collects its fields and lists."""

    def __init__(self, wire: Json, exploded: frozenset[Path], inside: Path) -> None:
        self.fields: list[Field] = []
        self.lists: list[Path] = []
        self._wire, self._exploded, self._inside = wire, exploded, inside
        self._names: set[str] = set()
        self._read(list(_alternatives(_Subschema(wire), wire)), ())

    def _read(self, parts: list[_Subschema], path: Path) -> None:
        if parts and all(_types(part.schema) == {"array"} for part in parts):
            self.lists.append(path)
            if path in self._exploded:
                items = [(part.schema.get("items"), part.through) for part in parts]
                inner = [_Subschema(item if isinstance(item, Mapping) else {}, through) for item, through in items]
                parts = [found for item in inner for found in _alternatives(item, self._wire)]
        are_records = bool(parts) and all(
            part.schema.get("properties") and _types(part.schema) <= {"object"} for part in parts
        )
        if are_records and len(self.fields) < _MAX_COLUMNS and len(path) < _MAX_DEPTH:
            for name, inner in self._properties(parts).items():
                self._read(inner, (*path, name))
            return
        kind, values = _common_kind([_column_of(part.schema) for part in parts])
        default = next((part.schema["default"] for part in parts if "default" in part.schema), None)
        self.fields.append(Field(path, Column(self._name(path), kind, values), default))

    def _properties(self, parts: list[_Subschema]) -> dict[str, list[_Subschema]]:
        found: dict[str, list[_Subschema]] = {}
        for part in parts:
            for name, schema in part.schema["properties"].items():
                inner = _Subschema(schema if isinstance(schema, Mapping) else {}, part.through)
                found.setdefault(name, []).extend(_alternatives(inner, self._wire))
        return found

    def _name(self, path: Path) -> str:
        shown = path[len(self._inside) :] if path[: len(self._inside)] == self._inside else path
        name = ".".join(step if "." not in step else f"[{step!r}]" for step in shown or path[-1:] or ("value",))
        while name in self._names:
            name += "'"
        self._names.add(name)
        return name


def _alternatives(part: _Subschema, wire: Json) -> Iterator[_Subschema]:
    """Yield the plain schemas behind references, `allOf`, `anyOf` and `oneOf`, but not null: columns are nullable."""
    schema, through = part.schema, part.through
    while "$ref" in schema:
        reference = schema["$ref"]
        found = target(reference, dict(wire))
        if reference in through or not isinstance(found, Mapping):
            yield _Subschema({}, through)
            return
        schema, through = found, through | {reference}
    options = schema.get("anyOf") or schema.get("oneOf")
    whole = [_Subschema(schema, through)]
    if isinstance(options, list):
        rest = {key: value for key, value in schema.items() if key not in ("anyOf", "oneOf")}
        inner = [_Subschema(item, through) for item in options if isinstance(item, Mapping)]
        whole = [_combine(_Subschema(rest, through), found) for item in inner for found in _alternatives(item, wire)]
    for item in schema.get("allOf", ()) if isinstance(schema.get("allOf"), list) else ():
        more = list(_alternatives(_Subschema(item, through), wire)) if isinstance(item, Mapping) else []
        whole = [_combine(left, right) for left in whole for right in more[:8]][:64] or whole
    yield from (found for found in whole if found.schema.get("type") != "null")


def _combine(left: _Subschema, right: _Subschema) -> _Subschema:
    properties = {**left.schema.get("properties", {}), **right.schema.get("properties", {})}
    both = {**left.schema, **right.schema, **({"properties": properties} if properties else {})}
    return _Subschema({key: value for key, value in both.items() if key != "allOf"}, left.through | right.through)


def _types(schema: Json) -> set[str]:
    declared = schema.get("type")
    types = {declared} if isinstance(declared, str) else set(declared) if isinstance(declared, list) else set()
    return types - {"null"}


def _column_of(schema: Json) -> Column:
    """Return the nameless column of a schema that is not an object with named properties."""
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if isinstance(values, list):
        values = [value for value in values if value is not None]
        kinds_of_values = set(map(type, values))
        if kinds_of_values <= {str} or kinds_of_values <= {int}:
            return Column("", "choice", tuple(dict.fromkeys(values)))
        if kinds_of_values == {bool}:
            return Column("", "boolean")
        return Column("", "number" if kinds_of_values <= {int, float} else "object")
    types = _types(schema)
    if types == {"string"}:
        formats: dict[Any, Kind] = {"date": "day", "date-time": "time"}
        form = schema.get("format")
        return Column("", formats.get(form, "text") if isinstance(form, str) else "text")
    kinds: dict[frozenset[str], Kind] = {
        frozenset({"integer"}): "integer",
        frozenset({"number"}): "number",
        frozenset({"integer", "number"}): "number",
        frozenset({"boolean"}): "boolean",
    }
    return Column("", kinds.get(frozenset(types), "object"))


def _common_kind(columns: Sequence[Column]) -> tuple[Kind, tuple[Any, ...]]:
    """Return the kind that holds the values of all these columns; `object` where there is none."""
    kinds = {column.kind for column in columns}
    if not kinds:
        return "object", ()
    if kinds == {"choice"}:
        values = tuple(dict.fromkeys(value for column in columns for value in column.values))
        return ("choice", values) if len(set(map(type, values))) <= 1 else ("object", ())
    if len(kinds) == 1:
        return kinds.pop(), ()
    if kinds == {"integer", "number"}:
        return "number", ()
    is_text = all(
        column.kind == "text" or (column.kind == "choice" and all(isinstance(value, str) for value in column.values))
        for column in columns
    )
    return ("text", ()) if is_text else ("object", ())


def infer_schema(values: Iterable[Any]) -> dict[str, Any]:
    """Return a schema that the values match; strings stay strings, whatever they look like."""
    schema = _infer([value for value in values if value is not None])
    return schema if schema.get("type") == "object" else {"type": "object", "properties": {}}


def _infer(values: list[Any], depth: int = 0) -> dict[str, Any]:
    kinds = sorted({_JSON_TYPES.get(kind, "string") for kind in set(map(type, values)) - {type(None)}})
    if kinds == ["integer", "number"]:
        return {"type": "number"}
    if len(kinds) != 1:
        return {}
    if depth >= _MAX_DEPTH:
        return {"type": kinds[0]}
    if kinds == ["array"]:
        return {"type": "array", "items": _infer([item for value in values if value for item in value], depth + 1)}
    if kinds != ["object"]:
        return {"type": kinds[0]}
    names = dict.fromkeys(name for value in values if value for name in value)
    if len(names) > _MAX_RECORD_KEYS:
        return {"type": "object"}
    records = [value for value in values if value is not None]
    return {
        "type": "object",
        "properties": {
            name: _infer([record[name] for record in records if name in record], depth + 1) for name in names
        },
    }


_JSON_TYPES = {bool: "boolean", str: "string", int: "integer", float: "number", list: "array", dict: "object"}
