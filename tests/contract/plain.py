"""Brings JSON Schemas from different hands into one plain form, in which equal meaning is equal text."""

from __future__ import annotations

import json
from typing import Any

_TALK = ("title", "description", "example", "examples", "contentMediaType")


def plain(schema: Any, spec: dict[str, Any]) -> Any:
    """Return the schema with references followed, talk dropped, and everything in a fixed order."""
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return plain({**_follow(schema["$ref"], spec), **beside}, spec)
    kept = {key: value for key, value in schema.items() if key not in _TALK and not key.startswith("x-")}
    if kept.get("additionalProperties") is True:
        del kept["additionalProperties"]
    if "default" in kept and kept["default"] is None:
        del kept["default"]
    for several in ("anyOf", "oneOf"):
        if several in kept:
            choices = [plain(choice, spec) for choice in kept.pop(several)]
            kept["anyOf"] = sorted(choices, key=json.dumps)
    if "items" in kept:
        kept["items"] = plain(kept["items"], spec)
    if "properties" in kept:
        fields = {name: plain(field, spec) for name, field in kept["properties"].items()}
        kept["properties"] = {name: fields[name] for name in sorted(fields)}
    for words in ("required", "enum"):
        if words in kept:
            kept[words] = sorted(kept[words])
    return {key: kept[key] for key in sorted(kept)}


def _follow(reference: str, spec: dict[str, Any]) -> Any:
    found: Any = spec
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found
