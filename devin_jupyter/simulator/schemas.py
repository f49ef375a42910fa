"""Structured output schemas as the service takes them: Draft 7, at most 64 KB, self-contained."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from jsonschema_rs import Draft7Validator

from devin_jupyter.models.limits import SCHEMA_BYTES, schema_bytes

_DATA = ("const", "default", "enum", "examples")
"""Keywords that hold data, in which `$ref` is an ordinary key."""


def problem_of(schema: dict[str, Any]) -> str | None:
    """Return why the service refuses this schema, or None."""
    if schema_bytes(schema) > SCHEMA_BYTES:
        return f"Schema exceeds {SCHEMA_BYTES} bytes"
    reference = _external(schema)
    if reference is not None:
        return f"Schema must be self-contained: external $ref {reference!r}"
    try:
        validator(schema)
    except ValueError as error:
        return f"Not a valid JSON Schema (Draft 7): {str(error).splitlines()[0]}"
    return None


def validator(schema: dict[str, Any]) -> Draft7Validator:
    """Return the compiled schema; raises ValueError where it is none."""
    return _compiled(json.dumps(schema))


@lru_cache(maxsize=64)
def _compiled(text: str) -> Draft7Validator:
    return Draft7Validator(json.loads(text), validate_formats=True, retriever=_refuse)


def _refuse(uri: str) -> Any:
    raise ValueError(f"external $ref {uri}")


def _external(node: Any) -> str | None:
    todo = [node]
    while todo:
        node = todo.pop()
        if isinstance(node, list):
            todo.extend(node)
        elif isinstance(node, dict):
            reference = node.get("$ref")
            if isinstance(reference, str) and not reference.startswith("#"):
                return reference
            todo.extend(value for key, value in node.items() if key not in _DATA)
    return None
