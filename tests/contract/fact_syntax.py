"""How a fact of the wire is written down in `facts/`, and how it reads as JSON Schema.

    str  int  num  bool  any  object  datetime  uri  file      the scalar types
    str(1..256)   int(1..200)   int(>0)   str(..65536)          limits, both ends included; > excludes
    str/^![a-z]+$/                                              a pattern
    [X]  [X](..50)                                              a list, and how long it may be
    Name                                                        a shape, or an enum of closed values
    'word'                                                      exactly this string
    X|null   X!   X~   X = value                                may be null; required; newer than the documents; default

It must not know any particular operation, and it must not import what it is held against.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

_SCALARS: dict[str, dict[str, Any]] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "num": {"type": "number"},
    "bool": {"type": "boolean"},
    "any": {},
    "object": {"type": "object", "additionalProperties": True},
    "datetime": {"type": "string", "format": "date-time"},
    "uri": {"type": "string", "format": "uri"},
    "file": {"type": "string", "format": "binary"},
}
_FACT = re.compile(
    r"(?P<base>\[.*\]|'[^']*'|[A-Za-z]\w*)(?:/(?P<pattern>.+)/)?(?:\((?P<limits>[^)]*)\))?"
    r"(?P<null>\|null)?(?P<marks>[!~]*)(?:\s*=\s*(?P<default>.+))?"
)
_LIMIT_WORDS = {
    "string": ("minLength", "maxLength"),
    "integer": ("minimum", "maximum"),
    "array": ("minItems", "maxItems"),
}


@dataclass(frozen=True)
class Fact:
    """One field, parameter or answer."""

    schema: dict[str, Any]
    required: bool
    newer: bool
    """Seen in the wild, absent from the documents this contract is held against."""


def read(text: str) -> Fact:
    """Read one fact."""
    match = _FACT.fullmatch(text.strip())
    if not match:
        raise ValueError(f"not a fact of the wire: {text!r}")
    schema = _with_limits(_base(match["base"]), match["limits"])
    if match["pattern"]:
        schema["pattern"] = match["pattern"]
    if match["null"]:
        schema = {"anyOf": [schema, {"type": "null"}]}
    if match["default"]:
        schema["default"] = json.loads(match["default"])
    return Fact(schema, "!" in match["marks"], "~" in match["marks"])


def _base(text: str) -> dict[str, Any]:
    if text.startswith("["):
        return {"type": "array", "items": read(text[1:-1]).schema}
    if text.startswith("'"):
        return {"type": "string", "const": text[1:-1]}
    return dict(_SCALARS[text]) if text in _SCALARS else {"$ref": f"#/components/schemas/{text}"}


def _with_limits(schema: dict[str, Any], limits: str | None) -> dict[str, Any]:
    if not limits:
        return schema
    if limits.startswith(">"):
        return {**schema, "exclusiveMinimum": int(limits[1:])}
    words = _LIMIT_WORDS[schema["type"]]
    ends = limits.split("..") if ".." in limits else [limits, limits]
    return schema | {word: int(end) for word, end in zip(words, ends, strict=True) if end}


def shape(fields: dict[str, str], *, newest: bool = True) -> dict[str, Any]:
    """Read a mapping of field names to facts as an object schema, with or without the fields marked as newer."""
    facts = {name: read(text) for name, text in fields.items()}
    facts = {name: fact for name, fact in facts.items() if newest or not fact.newer}
    schema: dict[str, Any] = {"type": "object", "properties": {name: fact.schema for name, fact in facts.items()}}
    required = [name for name, fact in facts.items() if fact.required]
    return schema | ({"required": required} if required else {})
