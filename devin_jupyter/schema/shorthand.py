"""The one-line schema: `severity:low|high, count:int, cve:str?`, with `[ … ]` around it for a list of rows.

A field may be a list too: `tests:[name:str, seconds:float], owners:[str]`.
"""

from __future__ import annotations

import difflib
import re

from devin_jupyter.errors import SchemaError
from devin_jupyter.schema.places import Json
from devin_jupyter.schema.python_types import wrapped

TYPES: dict[str, Json] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
}
_FIELD = re.compile(r"[^\s:,|?\[\]{}]+")
_DEEPEST = 20
_INTEGER = re.compile(r"-?(0|[1-9]\d*)")
_EXAMPLE = "write name:type, … with str int float bool date datetime or low|high, and ? where a value may be missing"


def read_shorthand(text: str) -> Json:
    """Return the JSON Schema of the shorthand; a list of rows is wrapped in an object.

    Raises:
        SchemaError: naming the field that cannot be read.
    """
    body = text.strip()
    if not body.startswith("["):
        return _row(body, text)
    if not body.endswith("]"):
        raise SchemaError(f"the list of rows is not closed: {text!r}", hint="end it with ]")
    return wrapped({"type": "array", "items": _row(body[1:-1], text)})


def _row(body: str, text: str) -> Json:
    properties: Json = {}
    required: list[str] = []
    for part in _fields(body, text):
        name, colon, kind = (piece.strip() for piece in part.partition(":"))
        if not colon or not kind or not _FIELD.fullmatch(name):
            raise SchemaError(f"{part.strip() or text!r} is no field of a schema", hint=_EXAMPLE)
        if name in properties:
            raise SchemaError(f"the field {name!r} occurs twice in the schema {text!r}")
        properties[name] = _type(kind.removesuffix("?").strip(), name, optional=kind.endswith("?"))
        if not kind.endswith("?"):
            required.append(name)
    return {"type": "object", "properties": properties, "required": required}


def _fields(body: str, text: str) -> list[str]:
    """Split at the commas that are in no inner list."""
    fields, depth = [""], 0
    for sign in body:
        depth += {"[": 1, "]": -1}.get(sign, 0)
        if sign == "," and depth == 0:
            fields.append("")
        else:
            fields[-1] += sign
        if depth < 0 or depth > _DEEPEST:
            break
    if depth:
        raise SchemaError(f"the brackets of the schema do not match: {text!r}", hint="close each [ with a ]")
    return fields


def _type(kind: str, name: str, *, optional: bool) -> Json:
    if kind.startswith("[") and kind.endswith("]"):
        inner = kind[1:-1].strip()
        items = _row(inner, inner) if ":" in inner else _type(inner, name, optional=False)
        return {"type": ["array", "null"] if optional else "array", "items": items}
    words = [word.strip() for word in kind.split("|")]
    if not all(words) or len(set(words)) < len(words):
        raise SchemaError(f"the alternatives of {name!r} are empty or repeated: {kind!r}", hint=_EXAMPLE)
    known = [word for word in words if word in TYPES]
    if known and len(known) < len(words):
        raise SchemaError(f"{name}:{kind} mixes types and values", hint="use either, such as low|high or int|str")
    if len(words) == 1 and not known:
        close = difflib.get_close_matches(words[0], TYPES, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise SchemaError(f"{words[0]!r} is not a type of the field {name!r}{hint}", hint=_EXAMPLE)
    return _typed(known, optional=optional) if known else _alternatives(words, optional=optional)


def _typed(known: list[str], *, optional: bool) -> Json:
    if len(known) == 1:
        schema = dict(TYPES[known[0]])
        return {**schema, "type": [schema["type"], "null"]} if optional else schema
    return {"anyOf": [*(TYPES[word] for word in known), *([{"type": "null"}] if optional else [])]}


def _alternatives(words: list[str], *, optional: bool) -> Json:
    is_integer = all(_INTEGER.fullmatch(word) for word in words)
    values: list[object] = [int(word) if is_integer else word for word in words]
    kind = "integer" if is_integer else "string"
    return {"type": [kind, "null"] if optional else kind, "enum": [*values, None] if optional else values}
