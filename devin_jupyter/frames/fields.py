"""The columns that a schema stands for: nested objects dotted, enums as categories, dates as dates.

Decided from the schema alone, so that an outputs frame has the same columns and dtypes with no rows as with many.
What has no one type, and what refers to itself, is an object column.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from devin_jupyter.frames.columns import Column
from devin_jupyter.models.fields import Kind
from devin_jupyter.schema.draft7 import target

Json = Mapping[str, Any]
Path = tuple[str, ...]
_MOST_COLUMNS = 500
"""Beyond so many, objects stay objects: definitions that refer to each other can stand for millions of fields."""


@dataclass(frozen=True, slots=True)
class Field:
    """A column of an outputs frame, and where its value stands in the output."""

    path: Path
    column: Column
    default: Any = None
    """What the schema says a missing value means."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A sub-schema with the references that led to it."""

    schema: Json
    through: frozenset[str] = frozenset()


def fields_of(wire: Json, *, exploded: Iterable[Path] = (), inside: Path = ()) -> list[Field]:
    """Return the fields that a schema describes, in its order.

    Args:
        wire: a self-contained Draft 7 schema.
        exploded: the paths of lists that are taken apart: their items' fields stand in the list's place.
        inside: the path that is left out of the names.
    """
    reader = _Reader(wire, frozenset(exploded), inside)
    reader.read(list(_alternatives(_Part(wire), wire)), ())
    return reader.fields


def list_paths(wire: Json, exploded: Iterable[Path]) -> list[Path]:
    """Return the paths of the lists in the schema that are not inside other lists, save those taken apart."""
    lists = frozenset(exploded)
    reader = _Reader(wire, lists, ())
    reader.read(list(_alternatives(_Part(wire), wire)), ())
    return [path for path in reader.lists if path not in lists]


def merged(groups: Sequence[list[Field]]) -> list[Column]:
    """Return the columns of several schemas together; a name that means different things is an object column."""
    columns: dict[str, Column] = {}
    for field in (field for group in groups for field in group):
        column = field.column
        known = columns.get(column.name)
        columns[column.name] = column if known is None else Column(column.name, *_common([known, column]))
    return list(columns.values())


class _Reader:
    def __init__(self, wire: Json, exploded: frozenset[Path], inside: Path) -> None:
        self.fields: list[Field] = []
        self.lists: list[Path] = []
        self._wire, self._exploded, self._inside = wire, exploded, inside
        self._names: set[str] = set()

    def read(self, parts: list[_Part], path: Path) -> None:
        if _are_lists(parts):
            self.lists.append(path)
            if path in self._exploded:
                items = [_Part(_items(part.schema), part.through) for part in parts]
                parts = [found for item in items for found in _alternatives(item, self._wire)]
        if _are_objects(parts) and len(self.fields) < _MOST_COLUMNS:
            for name, inner in self._properties(parts).items():
                self.read(inner, (*path, name))
            return
        kind, values = _common([_scalar(part.schema) for part in parts])
        default = next((part.schema["default"] for part in parts if "default" in part.schema), None)
        self.fields.append(Field(path, Column(self._name(path), kind, values), default))

    def _properties(self, parts: list[_Part]) -> dict[str, list[_Part]]:
        found: dict[str, list[_Part]] = {}
        for part in parts:
            for name, schema in part.schema["properties"].items():
                inner = _Part(schema if isinstance(schema, Mapping) else {}, part.through)
                found.setdefault(name, []).extend(_alternatives(inner, self._wire))
        return found

    def _name(self, path: Path) -> str:
        shown = path[len(self._inside) :] if path[: len(self._inside)] == self._inside else path
        name = ".".join(step if "." not in step else f"[{step!r}]" for step in shown or path[-1:] or ("value",))
        while name in self._names:
            name += "'"
        self._names.add(name)
        return name


def _alternatives(part: _Part, wire: Json) -> Iterator[_Part]:
    """Unfold references, `allOf`, `anyOf` and `oneOf` into plain ones, leaving null out: every column is nullable."""
    schema, through = part.schema, part.through
    while "$ref" in schema:
        reference = schema["$ref"]
        found = target(reference, dict(wire))
        if reference in through or not isinstance(found, Mapping):
            yield _Part({}, through)
            return
        schema, through = found, through | {reference}
    options = schema.get("anyOf") or schema.get("oneOf")
    whole = [_Part(schema, through)]
    if isinstance(options, list):
        rest = {key: value for key, value in schema.items() if key not in ("anyOf", "oneOf")}
        inner = [_Part(item, through) for item in options if isinstance(item, Mapping)]
        whole = [_with(_Part(rest, through), found) for item in inner for found in _alternatives(item, wire)]
    for item in schema.get("allOf", ()) if isinstance(schema.get("allOf"), list) else ():
        more = list(_alternatives(_Part(item, through), wire)) if isinstance(item, Mapping) else []
        whole = [_with(left, right) for left in whole for right in more[:8]][:64] or whole
    yield from (found for found in whole if found.schema.get("type") != "null")


def _with(left: _Part, right: _Part) -> _Part:
    properties = {**left.schema.get("properties", {}), **right.schema.get("properties", {})}
    both = {**left.schema, **right.schema, **({"properties": properties} if properties else {})}
    return _Part({key: value for key, value in both.items() if key != "allOf"}, left.through | right.through)


def _types(schema: Json) -> set[str]:
    said = schema.get("type")
    types = {said} if isinstance(said, str) else set(said) if isinstance(said, list) else set()
    return types - {"null"}


def _are_objects(parts: list[_Part]) -> bool:
    """Whether all alternatives are objects whose properties are named."""
    return bool(parts) and all(
        bool(part.schema.get("properties")) and _types(part.schema) <= {"object"} for part in parts
    )


def _are_lists(parts: list[_Part]) -> bool:
    return bool(parts) and all(_types(part.schema) == {"array"} for part in parts)


def _items(schema: Json) -> Json:
    items = schema.get("items")
    return items if isinstance(items, Mapping) else {}


def _scalar(schema: Json) -> Column:
    """The kind of a schema that is no object with named properties."""
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if isinstance(values, list):
        return _enumeration([value for value in values if value is not None])
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


def _enumeration(values: list[Any]) -> Column:
    types = set(map(type, values))
    if types <= {str} or types <= {int}:
        return Column("", "choice", tuple(dict.fromkeys(values)))
    return Column("", "boolean" if types == {bool} else "number" if types <= {int, float} else "object")


def _common(columns: Sequence[Column]) -> tuple[Kind, tuple[Any, ...]]:
    """The one kind that holds values of all these; an object column where there is none."""
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
    is_text = all(column.kind == "text" or _is_text_choice(column) for column in columns)
    return ("text", ()) if is_text else ("object", ())


def _is_text_choice(column: Column) -> bool:
    return column.kind == "choice" and all(isinstance(value, str) for value in column.values)
