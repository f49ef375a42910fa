"""What a schema may be written as, besides JSON: a Python type, the one-line shorthand, or a name of the notebook.

pydantic is imported only when a type is given.
"""

from __future__ import annotations

import ast
import datetime
import json
import re
import sys
import types
import typing
import warnings
from collections.abc import Callable, Mapping
from keyword import iskeyword
from typing import TYPE_CHECKING, Any

from devin_jupyter.errors import SchemaError
from devin_jupyter.schema.draft7 import Json, json_path
from devin_jupyter.text import nearest

if TYPE_CHECKING:
    from pydantic import TypeAdapter

Reader = Callable[[Any], tuple[Any, list[str]]]
"""A raw JSON value → the typed value and no problems, or None and the problems with their places."""

ITEMS, VALUE = "items", "value"
_MARKS = (typing.Required, typing.NotRequired)
_WRAPPED = "devin_jupyter: the answer is the property "


def is_type(source: object) -> bool:
    """Whether the object is something that describes values: a class, a generic alias, a union, an adapter."""
    if isinstance(source, type) or typing.get_origin(source) is not None:
        return True
    return source is Any or type(source).__name__ in ("TypeAdapter", "TypeAliasType", "NewType")


def type_schema(source: Any) -> tuple[Json, Reader]:
    """Return the JSON Schema of a type, not wrapped yet, and what reads JSON values into it.

    Raises:
        SchemaError: the type has no JSON form.
    """
    from pydantic import TypeAdapter
    from pydantic.errors import PydanticUserError

    named = getattr(source, "__name__", None) or str(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a default that is not JSON is only left out of the schema
            adapter = source if isinstance(source, TypeAdapter) else TypeAdapter(_acceptable(source))
            return adapter.json_schema(by_alias=True, mode="validation"), _reader(adapter)
    except (PydanticUserError, TypeError, ValueError, NameError, AttributeError, RecursionError) as problem:
        words = str(problem).splitlines()[0].partition(" Set `arbitrary_types_allowed=True`")[0]
        raise SchemaError(
            f"{named} cannot be a schema: {words}",
            hint="use types that JSON can hold: pydantic models, dataclasses, TypedDicts, lists, str, int, …",
        ) from None


def wrapped(schema: Json) -> Json:
    """Return an object with the schema as its one property, marked so that the answer is unwrapped again."""
    rest = {key: value for key, value in schema.items() if key not in ("$defs", "definitions", "$schema")}
    shared: Json = {key: schema[key] for key in ("$defs", "definitions") if key in schema}
    key = ITEMS if rest.get("type") == "array" and "prefixItems" not in rest else VALUE
    return {
        "$comment": _WRAPPED + key,
        "type": "object",
        "properties": {key: rest},
        "required": [key],
        **shared,
    }


def wrapped_key(wire: Json) -> str | None:
    """Return the property that holds the whole answer, or None where the object itself is the answer."""
    comment = wire.get("$comment")
    if not isinstance(comment, str) or not comment.startswith(_WRAPPED):
        return None
    key = comment.removeprefix(_WRAPPED)
    return key if key in wire.get("properties", {}) else None


def _reader(adapter: TypeAdapter[Any]) -> Reader:
    from pydantic import ValidationError

    def read(raw: Any) -> tuple[Any, list[str]]:
        try:
            return adapter.validate_json(json.dumps(raw)), []
        except ValidationError as problem:
            errors = problem.errors(include_url=False, include_context=False, include_input=False)
            return None, [f"{json_path(error['loc'])}: {error['msg']}" for error in errors]
        except Exception as problem:  # a validator of the author's own may raise anything
            return None, [f"$: {type(problem).__name__} in the type's own code: {problem}"]

    return read


def _acceptable(source: Any, twins: dict[Any, Any] | None = None) -> Any:
    """pydantic refuses `typing.TypedDict` before Python 3.12; everything else passes as it is."""
    if sys.version_info >= (3, 12):
        return source
    twins = {} if twins is None else twins
    if typing.is_typeddict(source) and type(source).__module__ == "typing":
        return _twin(source, twins)
    arguments = typing.get_args(source)
    if not arguments or not any(_holds_typed_dict(argument) for argument in arguments):
        return source
    changed = tuple(_acceptable(argument, twins) for argument in arguments)
    if isinstance(source, types.UnionType):
        return typing.Union[changed]  # noqa: UP007 - there is no operator for a tuple of types
    copy_with = getattr(source, "copy_with", None)
    return copy_with(changed) if copy_with else typing.get_origin(source)[changed]


def _holds_typed_dict(source: Any) -> bool:
    return typing.is_typeddict(source) or any(_holds_typed_dict(argument) for argument in typing.get_args(source))


def _twin(source: Any, twins: dict[Any, Any]) -> Any:
    """The same TypedDict of the kind that pydantic takes; made before its fields, which may refer to it."""
    from typing_extensions import TypedDict

    if source in twins:
        return twins[source]
    twin: Any = TypedDict(source.__name__, {})  # type: ignore[misc]
    twins[source] = twin
    fields: dict[str, Any] = {}
    required = set(source.__required_keys__)
    for name, hint in typing.get_type_hints(source, include_extras=True).items():
        origin = typing.get_origin(hint)
        if origin is typing.NotRequired:
            required.discard(name)  # which Python overlooks in annotations that are texts
        fields[name] = _acceptable(typing.get_args(hint)[0] if origin in _MARKS else hint, twins)
    twin.__annotations__ = fields
    twin.__required_keys__ = frozenset(required)
    twin.__optional_keys__ = frozenset(fields) - required
    twin.__doc__ = source.__doc__
    return twin


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
_EXAMPLE = "write name:type, … with str int float bool date datetime or low|high, and ? for a value that may be missing"


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
            raise SchemaError(f"{part.strip() or text!r} is not a schema field", hint=_EXAMPLE)
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
        raise SchemaError(
            f"{name}:{kind} mixes types and values", hint="use one or the other, such as low|high or int|str"
        )
    if len(words) == 1 and not known:
        raise SchemaError(f"{words[0]!r} is not a type of the field {name!r}{nearest(words[0], TYPES)}", hint=_EXAMPLE)
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
        f"this notebook has no {name!r} to use as a schema{nearest(name, fitting, n=3)}",
        "a word without :, { or .json names a model, dataclass, TypedDict or dict; nothing was sent",
        "run the cell that defines it, or give a .json file, JSON in braces, or name:type, …",
    )


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
        raise SchemaError(f"{text!r} is not a type: {problem}") from None


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
    return SchemaError(f"{text!r} cannot be read as a schema", "nothing was sent", f"give {_GOOD}")
