"""Pure readings of Draft 7 keywords: types, bounds, joins and references. Nothing is made up here."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from devin_jupyter.simulator.ids import Dice

Schema = dict[str, Any]


class Impossible(Exception):
    """No value was found for a schema."""


def type_of(schema: Schema, dice: Dice, *, deep: bool) -> str:
    """Return the type to make: the one asked for, one of several, or the one that the other keywords speak of."""
    kind = schema.get("type")
    if isinstance(kind, list):
        solid = [name for name in kind if name != "null"]
        if "null" in kind and (deep or not solid or dice.chance(0.1)):
            return "null"
        kind = dice.pick(solid)
    return str(kind) if kind else _guessed(schema)


def _guessed(schema: Schema) -> str:
    hints = {
        "object": ("properties", "required", "additionalProperties", "patternProperties", "minProperties"),
        "array": ("items", "minItems", "maxItems", "contains", "uniqueItems"),
        "number": ("minimum", "maximum", "multipleOf", "exclusiveMinimum", "exclusiveMaximum"),
    }
    fallback = "integer" if schema.get("not") == {"type": "string"} else "string"
    return next((kind for kind, words in hints.items() if any(word in schema for word in words)), fallback)


def as_schema(node: Any) -> Schema:
    """Return a subschema as keywords; true allows anything."""
    if node is True:
        return {}
    if not isinstance(node, dict):
        raise Impossible
    return node


def without(schema: Schema, *words: str) -> Schema:
    """Return the schema less some keywords."""
    return {word: value for word, value in schema.items() if word not in words}


def merged(*parts: Schema) -> Schema:
    """Join schemas that must all hold; bounds take the tighter one, the rest the later one."""
    whole: Schema = {}
    for part in parts:
        for word, value in part.items():
            if word in ("properties", "patternProperties") and word in whole:
                value = {**whole[word], **value}
            elif word == "required":
                value = list(dict.fromkeys([*whole.get(word, []), *value]))
            elif word in ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties") and word in whole:
                value = max(value, whole[word])
            elif word in ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties") and word in whole:
                value = min(value, whole[word])
            elif word == "enum" and word in whole:
                value = [item for item in whole[word] if item in value]
            whole[word] = value
    return whole


def _anchored(root: Any, anchor: str) -> Any:
    todo = [root]
    while todo:
        node = todo.pop()
        if isinstance(node, dict):
            if node.get("$id") == anchor:
                return node
            todo.extend(node.values())
        elif isinstance(node, list):
            todo.extend(node)
    raise Impossible


def resolve(root: Schema, reference: Any) -> Schema:
    """Return what a local `$ref` points to."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        raise Impossible
    node: Any = root
    if reference.startswith("#/"):
        for part in unquote(reference[2:]).split("/"):
            part = part.replace("~1", "/").replace("~0", "~")
            node = node[int(part)] if isinstance(node, list) else node[part]
    elif reference != "#":
        node = _anchored(root, reference)
    return as_schema(node)
