"""Names and type expressions of the notebook, such as `Finding`, `list[Finding]` or `models.Report | None`.

Read, not evaluated: only names, attributes, subscripts, `|` and literals are understood, so an option runs no code.
"""

from __future__ import annotations

import ast
import datetime
import difflib
import typing
from collections.abc import Iterable, Mapping
from keyword import iskeyword
from typing import Any

from devin_jupyter.errors import SchemaError
from devin_jupyter.schema.python_types import is_type

_GOOD = "the name of a model, a dict or list[Model] of the notebook, a .json file, JSON in braces, or name:type, …"
_BUILT_IN: dict[str, Any] = {
    **{kind.__name__: kind for kind in (str, int, float, bool, list, dict, tuple, set)},
    "date": datetime.date,
    "datetime": datetime.datetime,
    "Literal": typing.Literal,
    "Optional": typing.Optional,
    "Union": typing.Union,
}


def resolve(text: str, namespace: Mapping[str, Any]) -> Any:
    """Return the object that the expression names.

    Raises:
        SchemaError: an unknown name, with what was perhaps meant, or an expression of another kind.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _not_understood(text) from None
    return _value(tree, namespace, text)


def _value(node: ast.expr, namespace: Mapping[str, Any], text: str) -> Any:
    if isinstance(node, ast.Name):
        return _named(node.id, namespace)
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Attribute):
        return _attribute(_value(node.value, namespace, text), node.attr, text)
    if isinstance(node, ast.Tuple):
        return tuple(_value(part, namespace, text) for part in node.elts)
    if isinstance(node, ast.List) and len(node.elts) == 1:
        return _subscript(list, _value(node.elts[0], namespace, text), text)
    if isinstance(node, ast.Subscript):
        return _subscript(_value(node.value, namespace, text), _value(node.slice, namespace, text), text)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        sides = (_value(node.left, namespace, text), _value(node.right, namespace, text))
        return _subscript(typing.Union, sides, text)
    raise _not_understood(text)


def _named(name: str, namespace: Mapping[str, Any]) -> Any:
    if name in namespace:
        return namespace[name]
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    fitting = [key for key, value in namespace.items() if not key.startswith("_") and is_schema_like(value)]
    raise SchemaError(
        f"the notebook has no {name!r} to use as a schema{did_you_mean(name, fitting)}",
        "a word without : or { or .json is the name of a model, dataclass, TypedDict or dict; nothing was sent",
        "run the cell that defines it, or give a .json file, JSON in braces, or name:type, …",
    )


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ` (did you mean …?)` for the nearest known words, or nothing."""
    close = difflib.get_close_matches(word, list(known), n=3, cutoff=0.6)
    return f" (did you mean {' or '.join(close)}?)" if close else ""


def is_schema_like(value: object) -> bool:
    """Whether a variable of the notebook could be meant as a schema, for suggestions and completion."""
    return (isinstance(value, Mapping) and bool({"type", "properties", "$ref", "anyOf"} & value.keys())) or is_type(
        value
    )


def _attribute(owner: Any, name: str, text: str) -> Any:
    try:
        return getattr(owner, name)
    except AttributeError:
        raise SchemaError(f"there is no {name!r} in {text!r}, to use as a schema") from None


def _subscript(generic: Any, argument: Any, text: str) -> Any:
    if not (is_type(generic) or generic in (typing.Optional, typing.Union, typing.Literal)):
        raise _not_understood(text)
    try:
        return generic[argument]
    except TypeError as problem:
        raise SchemaError(f"{text!r} is no type: {problem}") from None


def not_a_schema(text: str, found: object) -> SchemaError:
    """Return the error for a text that stands for something else."""
    if not text.replace(".", "").isidentifier() or iskeyword(text):
        return _not_understood(text)
    return SchemaError(
        f"{text} is {named_kind(found)} in this notebook, not a schema", "nothing was sent", f"give {_GOOD}"
    )


def named_kind(value: object) -> str:
    """Return `an int`, `a list`: what kind of thing a value is."""
    kind = type(value).__name__
    return f"an {kind}" if kind[0].lower() in "aeiou" else f"a {kind}"


def _not_understood(text: str) -> SchemaError:
    return SchemaError(f"{text!r} is not understood as a schema", "nothing was sent", f"give {_GOOD}")
