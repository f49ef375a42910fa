"""The one-line schema: `severity:low|high, count:int, cve:str?`, with `[ … ]` around it for a list of rows."""

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
_INTEGER = re.compile(r"-?(0|[1-9]\d*)")
_EXAMPLE = "write name:type, … with str int float bool date datetime or low|high, and ? where a value may be missing"


def read_shorthand(text: str) -> Json:
    """Return the JSON Schema of the shorthand; a list of rows is wrapped in an object.

    Raises:
        SchemaError: naming the field that cannot be read.
    """
    body, is_list = text.strip(), False
    if body.startswith("["):
        if not body.endswith("]"):
            raise SchemaError(f"the list of rows is not closed: {text!r}", do="end it with ]")
        body, is_list = body[1:-1], True
    row = _row(body, text)
    return wrapped({"type": "array", "items": row}) if is_list else row


def _row(body: str, text: str) -> Json:
    properties: Json = {}
    required: list[str] = []
    for part in body.split(","):
        name, colon, kind = (piece.strip() for piece in part.partition(":"))
        if not colon or not kind or not _FIELD.fullmatch(name):
            raise SchemaError(f"{part.strip() or text!r} is no field of a schema", do=_EXAMPLE)
        if name in properties:
            raise SchemaError(f"the field {name!r} occurs twice in the schema {text!r}")
        properties[name] = _type(kind.removesuffix("?").strip(), name, optional=kind.endswith("?"))
        if not kind.endswith("?"):
            required.append(name)
    return {"type": "object", "properties": properties, "required": required}


def _type(kind: str, name: str, *, optional: bool) -> Json:
    words = [word.strip() for word in kind.split("|")]
    if not all(words) or len(set(words)) < len(words):
        raise SchemaError(f"the alternatives of {name!r} are empty or repeated: {kind!r}", do=_EXAMPLE)
    known = [word for word in words if word in TYPES]
    if known and len(known) < len(words):
        raise SchemaError(f"{name}:{kind} mixes types and values", do="use either, such as low|high or int|str")
    if len(words) == 1 and not known:
        close = difflib.get_close_matches(words[0], TYPES, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise SchemaError(f"{words[0]!r} is not a type of the field {name!r}{hint}", do=_EXAMPLE)
    if known:
        return _typed(known, optional=optional)
    return _alternatives(words, optional=optional)


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
