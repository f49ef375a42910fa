"""Where sub-schemas stand inside a schema, and how a place is written.

A property may be called `title` or `$defs`; a default may hold anything. So whoever changes schemas walks them by
position, through here, and never by searching for a key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from devin_jupyter.errors import SchemaError

Place = tuple[str | int, ...]
Json = dict[str, Any]

ONE = frozenset(
    {
        "additionalItems",
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
"""Keywords whose value is a schema."""
MANY = frozenset({"allOf", "anyOf", "oneOf", "items", "prefixItems"})
"""Keywords whose value is a list of schemas (`items` may be either)."""
NAMED = frozenset({"$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"})
"""Keywords whose value maps names of the author's choice to schemas."""

_WORD = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")


def json_path(place: Sequence[str | int]) -> str:
    """Return the place as a JSON path: `$.a[0].b`."""
    steps = (f"[{step}]" if isinstance(step, int) else _named(step) for step in place)
    return "$" + "".join(steps)


def _named(step: str) -> str:
    return f".{step}" if _WORD.fullmatch(step) else f"[{step!r}]"


def sub_schemas(schema: Any) -> Iterator[tuple[Place, Any]]:
    """Yield the direct sub-schemas of a schema with their places in it."""
    if not isinstance(schema, dict):
        return
    for key, value in schema.items():
        if key in MANY and isinstance(value, list):
            yield from (((key, index), item) for index, item in enumerate(value))
        elif key in ONE:
            yield (key,), value
        elif key in NAMED and isinstance(value, dict):
            yield from (((key, name), item) for name, item in value.items() if not isinstance(item, list))


def all_schemas(schema: Any, place: Place = ()) -> Iterator[tuple[Place, Json]]:
    """Yield every schema that is an object, outermost first, with its place."""
    if isinstance(schema, dict):
        yield place, schema
    for step, sub in sub_schemas(schema):
        yield from all_schemas(sub, place + step)


def rebuild(schema: Any, change: Callable[[Json, Place], Json], place: Place = ()) -> Any:
    """Return a copy in which `change` has replaced every schema, innermost first."""
    if not isinstance(schema, dict):
        return schema
    copy: Json = {key: _shell(key, value) for key, value in schema.items()}
    for step, sub in sub_schemas(schema):
        rebuilt = rebuild(sub, change, place + step)
        if len(step) == 1:
            copy[str(step[0])] = rebuilt
        else:
            copy[str(step[0])][step[1]] = rebuilt
    return change(copy, place)


def _shell(key: str, value: Any) -> Any:
    """A new container where sub-schemas are about to be replaced one by one."""
    if key in MANY and isinstance(value, list):
        return list(value)
    return dict(value) if key in NAMED and isinstance(value, dict) else value


def plain_json(value: Any, place: Place = ()) -> Any:
    """Return a deep copy made of JSON types only.

    Raises:
        SchemaError: for anything that is no JSON, with its place.
    """
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise SchemaError(f"the schema has a key that is no text at {json_path(place)}: {key!r}")
        return {str.__str__(key): plain_json(item, (*place, key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_json(item, (*place, index)) for index, item in enumerate(value)]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str) and _encodes(value):
        return str.__str__(value)  # the text itself, also of an enum member
    if isinstance(value, float) and value - value == 0:  # neither NaN nor infinite
        return value
    name = repr(value) if isinstance(value, float) else type(value).__name__
    raise SchemaError(f"the schema holds something that is no JSON at {json_path(place)}: {name}")


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
