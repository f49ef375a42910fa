"""Python types as schemas: pydantic models, dataclasses, TypedDicts, generics, and the way back to typed values.

The only place here that imports pydantic, and only when a type is given.
"""

from __future__ import annotations

import json
import sys
import types
import typing
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from devin_jupyter.errors import SchemaError
from devin_jupyter.schema.places import Json, json_path

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
            warnings.simplefilter("ignore")  # a default that is no JSON only loses its mention in the schema
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
