"""`$ref` inside one document: found, moved along when keywords are renamed, and refused when it leads outside."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote

from devin_jupyter.errors import SchemaError
from devin_jupyter.schema.places import MANY, NAMED, ONE, Json, Place, all_schemas, json_path

_RENAMED = {"$defs": "definitions", "dependentSchemas": "dependencies", "prefixItems": "items"}
_UNQUOTED = "~!$&'()*+,;=:@?"
"""What may stand in a fragment of a URI as it is, besides letters and digits."""
_NOWHERE = object()


def anchors(source: Json) -> dict[str, str]:
    """Return the pointers that names stand for: `#name` of an `$anchor`, and the document's own `$id`."""
    found: dict[str, str] = {}
    for place, part in all_schemas(source):
        name = part.get("$anchor")
        if isinstance(name, str):
            found["#" + name] = _pointer(place)
        own = part.get("$id")
        if isinstance(own, str) and (not place or own.startswith("#")):
            found[own] = _pointer(place)
    return found


def target(reference: Any, root: Json) -> Any:
    """Return what a local reference points to, or None."""
    found = _follow(reference, root) if isinstance(reference, str) and reference.startswith("#") else _NOWHERE
    return None if found is _NOWHERE else found


def moved_reference(reference: str, place: Place, source: Json, named: dict[str, str]) -> str:
    """Return the reference as it reads once the keywords on its way have their Draft 7 names.

    Raises:
        SchemaError: it leads out of the schema, or nowhere.
    """
    base, _, fragment = reference.partition("#")
    if base and base in named:
        reference = f"#{fragment}"
    reference = named.get(reference, reference)
    if not reference.startswith("#"):
        raise SchemaError(
            f"the schema refers outside itself at {json_path(place)}: {reference!r}",
            "the API takes self-contained schemas",
            "copy what it refers to into definitions",
        )
    if _follow(reference, source) is _NOWHERE:
        raise SchemaError(f"{reference!r} at {json_path(place)} points to nothing in the schema")
    return _pointer(_moved(_steps(reference), source, place))


def checked_references(wire: Json) -> None:
    """Make sure that every reference leads somewhere and none leads only to itself.

    Raises:
        SchemaError: with the place.
    """
    for place, part in all_schemas(wire):
        seen: set[str] = set()
        node: Any = part
        while isinstance(node, dict) and isinstance(node.get("$ref"), str):
            reference = node["$ref"]
            if reference in seen:
                raise SchemaError(f"{reference!r} at {json_path(place)} refers to nothing but itself")
            seen.add(reference)
            node = _follow(reference, wire)
        if node is _NOWHERE:
            raise SchemaError(f"{part['$ref']!r} at {json_path(place)} points to nothing in the schema")


def _steps(reference: str) -> list[str]:
    pointer = unquote(reference[1:])
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def _pointer(place: Place | list[str | int]) -> str:
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in place)
    return "#" + "".join("/" + quote(step, safe=_UNQUOTED) for step in steps)


def _follow(reference: str, root: Any) -> Any:
    if reference not in ("", "#") and not reference.startswith("#/"):
        return _NOWHERE
    node = root
    for step in _steps(reference):
        if isinstance(node, dict) and step in node:
            node = node[step]
        elif isinstance(node, list) and step.isdecimal() and int(step) < len(node):
            node = node[int(step)]
        else:
            return _NOWHERE
    return node


def _moved(steps: list[str], source: Json, place: Place) -> list[str | int]:
    """Walk from schema to schema; a step that is no keyword for schemas means a place nothing translates."""
    moved: list[str | int] = []
    node: Any = source
    value: Any
    rest = list(steps)
    while rest:
        key = rest.pop(0)
        value = node.get(key) if isinstance(node, dict) else None
        is_tail = key == "items" and "prefixItems" in node
        moved.append("additionalItems" if is_tail else _RENAMED.get(key, key))
        if (key in MANY and isinstance(value, list)) or key in NAMED:
            if rest:
                name = rest.pop(0)
                moved.append(name)
                node = value[int(name)] if isinstance(value, list) else value[name]
                continue
        elif key in ONE:
            node = value
            continue
        raise SchemaError(
            f"the reference at {json_path(place)} leads to {_pointer(list(steps))!r}, which is no place for a schema",
            hint="move it into definitions",
        )
    return moved
