"""A schema read off the values themselves, for outputs whose schema nobody remembers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

_MOST_KEYS = 200
"""An object with more keys than this is a table of its own, not a record."""


def inferred(values: Iterable[Any]) -> dict[str, Any]:
    """Return a schema that the values fit; texts stay texts, whatever they look like."""
    schema = _schema([value for value in values if value is not None])
    return schema if schema.get("type") == "object" else {"type": "object", "properties": {}}


def _schema(values: list[Any]) -> dict[str, Any]:
    kinds = sorted({_kind(value) for value in values if value is not None})
    if kinds == ["integer", "number"]:
        return {"type": "number"}
    if len(kinds) != 1:
        return {}
    if kinds == ["array"]:
        return {"type": "array", "items": _schema([item for value in values if value for item in value])}
    if kinds != ["object"]:
        return {"type": kinds[0]}
    names = dict.fromkeys(name for value in values if value for name in value)
    if len(names) > _MOST_KEYS:
        return {"type": "object"}
    records = [value for value in values if value is not None]
    return {
        "type": "object",
        "properties": {name: _schema([record[name] for record in records if name in record]) for name in names},
    }


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    kinds = {str: "string", int: "integer", float: "number", list: "array", dict: "object"}
    return kinds.get(type(value), "string")
