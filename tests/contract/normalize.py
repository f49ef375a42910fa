"""Brings JSON Schemas from different hands into one plain form, in which equal meaning is equal text."""

from __future__ import annotations

import json
from typing import Any

_CONVERSATION = ("title", "description", "example", "examples", "$defs")


def normalized(schema: Any, spec: dict[str, Any]) -> Any:
    """Return the schema with references followed, talk dropped, and everything in a fixed order."""
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return normalized({**_follow(schema["$ref"], spec), **beside}, spec)
    kept = {key: value for key, value in schema.items() if key not in _CONVERSATION and not key.startswith("x-")}
    if kept.pop("contentMediaType", None):
        kept["format"] = "binary"
    for word, default in (("additionalProperties", True), ("default", None)):
        if word in kept and kept[word] is default:
            del kept[word]
    return _sorted(_inside(kept, spec))


def _inside(kept: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    choices = kept.pop("anyOf", kept.pop("oneOf", None))
    if choices is not None:
        kept["anyOf"] = sorted((normalized(choice, spec) for choice in choices), key=json.dumps)
    if "items" in kept:
        kept["items"] = normalized(kept["items"], spec)
    if "properties" in kept:
        kept["properties"] = _sorted({name: normalized(field, spec) for name, field in kept["properties"].items()})
    return kept | {word: sorted(kept[word]) for word in ("required", "enum") if word in kept}


def _sorted(mapping: dict[str, Any]) -> dict[str, Any]:
    return {key: mapping[key] for key in sorted(mapping)}


def _follow(reference: str, spec: dict[str, Any]) -> Any:
    found: Any = spec
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found
