"""The schema of a structured answer: read from any source, sent as Draft 7, used to check and type answers.

A schema may be written as JSON, a Python type, the one-line shorthand, or a name of the notebook. Knows neither the
network nor the notebook. pydantic and jsonschema-rs are imported when first needed.
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
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from keyword import iskeyword
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devin_jupyter.errors import OutputInvalid, SchemaError
from devin_jupyter.host import working_directory
from devin_jupyter.schema.draft7 import Json, Validator, compiled, is_object, json_path, to_draft7, without_names
from devin_jupyter.text import kind_of, nearest

if TYPE_CHECKING:
    from pydantic import TypeAdapter


__all__ = ["Schema", "from_wire", "is_schema_like", "json_path", "load_schema"]


@dataclass(frozen=True)
class Schema:
    """A schema as sent, and the conversion of a raw answer to a typed one."""

    wire: Json
    """Self-contained Draft 7, an object at the top: what is sent."""
    source: object = field(default=None, compare=False, repr=False)
    """What it was made from: a type, a dict, a text, a path."""
    reader: Reader | None = field(default=None, compare=False, repr=False)
    """Reads the (unwrapped) answer into the source's type; None leaves dicts and lists."""

    @property
    def item_key(self) -> str | None:
        """The property that holds the whole answer, where a list or scalar was wrapped in an object."""
        return wrapped_key(self.wire)

    @property
    def is_list(self) -> bool:
        """Whether the answer is a list (of rows)."""
        return self.item_key == "items"

    @cached_property
    def identity(self) -> Json:
        """The schema as sent, without titles and `$schema`: equal for equal schemas."""
        return without_names(self.wire)

    def check(self, value: Any) -> list[str]:
        """Return every problem of a raw answer as `"$.json.path: what is wrong"`; none when it is valid."""
        return self._checker.problems(value)

    def is_valid(self, value: Any) -> bool:
        """Return whether a raw answer fits."""
        return self._checker.is_valid(value)

    def load(
        self,
        value: Any,
        *,
        session_id: str = "",
        named: str = "",
        status: str = "the session is not changed by this",
    ) -> Any:
        """Return the answer typed: an instance of the source, unwrapped, or plain dicts and lists.

        Args:
            value: the raw answer.
            session_id: whose it is, for the error.
            named: what its message calls the session, in place of the id.
            status: the state of the session and what it has cost, for the error.

        Raises:
            OutputInvalid: with every problem, and the raw value.
        """
        problems = self.check(value)
        if problems:
            raise invalid_output(problems, value, session_id, status, named)
        answer = self.unwrapped(value)
        if self.reader is None:
            return answer
        typed, problems = self.reader(answer)
        if problems:
            raise invalid_output(self._outside(problems), value, session_id, status, named)
        return typed

    def unwrapped(self, value: Any) -> Any:
        """Return the raw answer without the object around it, where there is one."""
        key = self.item_key
        return value[key] if key and isinstance(value, Mapping) and key in value else value

    def _outside(self, problems: list[str]) -> list[str]:
        key = self.item_key
        return [f"$.{key}{problem[1:]}" for problem in problems] if key else problems

    @cached_property
    def _checker(self) -> Checker:
        return Checker(self.wire)


def invalid_output(problems: list[str], raw: Any, session_id: str, status: str, named: str = "") -> OutputInvalid:
    """Return the exception for an answer that does not fit, naming the first problem and counting the rest."""
    more = f" (and {len(problems) - 1} more in .problems)" if len(problems) > 1 else ""
    start = f"{named or session_id}: " if session_id else ""
    return OutputInvalid(
        f"{start}the structured output does not fit the schema at {problems[0]}{more}",
        f"{status}; .snapshot.structured_output holds the raw answer",
        "ask for a correction with .send('…'), which costs more, then call .result()",
        session_id=session_id,
        problems=problems,
        raw=raw,
    )


_LONGEST_PROBLEM = 300


class Checker:
    """A compiled schema."""

    def __init__(self, wire: Json) -> None:
        """Compile the schema. One from an edited file may be invalid: then nothing matches it."""
        self._validator: Validator | None = None
        self._broken = ""
        try:
            self._validator = compiled(wire, _FORMATS)
        except (ValueError, RecursionError) as problem:
            self._broken = f"$: the schema itself cannot be read: {_middle_cut(str(problem))}"

    def is_valid(self, value: Any) -> bool:
        """Return whether the value fits; a value that is not JSON does not."""
        try:
            return self._validator is not None and self._validator.is_valid(value)
        except (ValueError, RecursionError):
            return False

    def problems(self, value: Any) -> list[str]:
        """Return every problem with its place, ordered as jsonschema-rs finds them."""
        if self._validator is None:
            return [self._broken]
        try:
            found = list(self._validator.iter_errors(value))
        except (ValueError, RecursionError) as problem:
            return [f"$: not a JSON value: {problem}"]
        return [f"{json_path(error.instance_path)}: {_middle_cut(error.message)}" for error in found]


def _middle_cut(message: str) -> str:
    if len(message) <= _LONGEST_PROBLEM:
        return message
    half = _LONGEST_PROBLEM // 2
    return f"{message[:half]} … {message[-half:]}"  # the value comes first, the problem last


def _reads(read: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            read(text)
        except ValueError:
            return False
        return True

    return check


_FORMATS = {
    "date": _reads(datetime.date.fromisoformat),
    "date-time": _reads(datetime.datetime.fromisoformat),
    "time": _reads(datetime.time.fromisoformat),
}


def load_schema(spec: object, namespace: Mapping[str, Any] | None = None, *, folder: Path | None = None) -> Schema:
    """Return the schema for anything that describes one.

    Args:
        spec: a `Schema`, a type (pydantic model, dataclass, TypedDict, `list[Model]`, scalar), a JSON Schema dict, a
            path, or a text: JSON in braces, a `.json` file, the shorthand `name:type, …`, or a name in `namespace`.
        namespace: the notebook's variables.
        folder: what relative paths start from; the working directory by default.

    Raises:
        SchemaError: it cannot be read, translated or sent; the message points to the place.
    """
    if isinstance(spec, Schema):
        return spec
    if isinstance(spec, Mapping):
        return Schema(to_draft7(spec), spec)
    if isinstance(spec, Path):
        return Schema(to_draft7(_file(spec, folder)), spec)
    if isinstance(spec, str):
        return _from_text(spec.strip(), namespace or {}, folder)
    if is_type(spec):
        return _from_type(spec)
    raise SchemaError(
        f"{kind_of(spec)} is not a schema",
        hint="give a pydantic model, a dataclass, a TypedDict, list[Model], JSON Schema, a .json file or name:type, …",
    )


def from_wire(wire: Mapping[str, Any]) -> Schema:
    """Return the schema that was once sent, to read answers as plain dicts and lists; nothing is translated again."""
    return Schema(dict(wire), wire)


def _from_text(text: str, namespace: Mapping[str, Any], folder: Path | None) -> Schema:
    if not text:
        raise SchemaError("the schema is empty", hint="name a model, a .json file, JSON in braces, or name:type, …")
    if text.endswith(".json") and not text.startswith("{"):
        return Schema(to_draft7(_file(Path(text), folder)), text)
    if text.startswith("{") or ":" in text:
        return _spelled_out(text)
    found = resolve(text, namespace)
    if isinstance(found, str):
        return _from_text(found.strip(), {}, folder)
    if found is None or not (isinstance(found, (Mapping, Path, Schema)) or is_type(found)):
        raise not_a_schema(text, found)
    return load_schema(found, namespace, folder=folder)


@lru_cache(maxsize=64)
def _spelled_out(text: str) -> Schema:
    """Return the schema of a text that says everything itself; the rows of a batch and reruns share one."""
    return Schema(to_draft7(_parsed(text, "the schema") if text.startswith("{") else read_shorthand(text)), text)


def _from_type(spec: object) -> Schema:
    schema, reader = type_schema(spec)
    whole = schema if is_object(schema, schema) else wrapped(schema)
    return Schema(to_draft7(whole), spec, reader)


def _file(path: Path, folder: Path | None) -> Json:
    place = (folder or Path()) / path.expanduser()
    try:
        text = place.read_text("utf-8-sig")
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        beside = [entry.name for entry in place.parent.glob("*.json")] if isinstance(problem, OSError) else []
        raise SchemaError(
            f"the schema file {path} cannot be read: {reason.lower()}{nearest(path.name, beside, n=3)}",
            f"looked for at {working_directory() / place}",
            "a path starts at the working directory of the kernel; %pwd shows it",
        ) from None
    return _parsed(text, str(path))


def _parsed(text: str, name: str) -> Json:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as problem:
        place = f"line {problem.lineno}, column {problem.colno}"
        lost = "quote JSON on the option line with single quotes; otherwise its double quotes are lost"
        do = lost if '"' not in text else "correct it; a JSON Schema is an object in braces"
        raise SchemaError(f"{name} is not valid JSON: {problem.msg} at {place}", hint=do) from None
    except RecursionError:
        raise SchemaError(f"{name} is nested too deeply") from None
    if not isinstance(value, dict):
        raise SchemaError(f"{name} is JSON but not an object", hint="a JSON Schema is an object in braces")
    return value


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
            old = _of_pydantic_1(adapter.core_schema)
            if old is not None:
                name = old.__name__
                raise SchemaError(
                    f"{name} is a model of pydantic.v1, which cannot be a schema here",
                    hint=f"derive it from pydantic.BaseModel, or give its JSON Schema: {name}.schema()",
                )
            schema = adapter.json_schema(by_alias=True, mode="validation")
    except (PydanticUserError, TypeError, ValueError, NameError, AttributeError, RecursionError) as problem:
        words = str(problem).splitlines()[0].partition(" Set `arbitrary_types_allowed=True`")[0]
        raise SchemaError(
            f"{named} cannot be a schema: {words}",
            hint="use types that JSON can hold: pydantic models, dataclasses, TypedDicts, lists, str, int, …",
        ) from None
    apart = _read_elsewhere(adapter.core_schema)
    if apart is not None:
        raise SchemaError(
            f"{named} reads its field {apart[0]!r} {apart[1]}",
            "no answer could be read",
            "give the field a plain alias, or an AliasChoices with a plain name first; or none",
        )
    return schema, _reader(adapter)


def _of_pydantic_1(core: Any) -> Any:
    """Return the model of `pydantic.v1` that a core schema validates with, however deep; None where there is none."""
    if isinstance(core, Mapping):
        core = [value for key, value in core.items() if key != "metadata"]
    if isinstance(core, (list, tuple)):
        return next((found for one in core if (found := _of_pydantic_1(one)) is not None), None)
    model = getattr(core, "__self__", core)
    is_old = isinstance(model, type) and any(base.__module__ == "pydantic.v1.main" for base in model.__mro__)
    return model if is_old else None


def _read_elsewhere(
    core: Any, name: str = "", *, by_name: bool = False, by_alias: bool = True
) -> tuple[str, str] | None:
    """Return the first field of a core schema that is not read from where the JSON Schema shows it, and why."""
    named: Iterable[tuple[str, Any]]
    if isinstance(core, (list, tuple)):
        named = ((name, one) for one in core)
    elif isinstance(core, Mapping):
        config = core.get("config")
        if isinstance(config, Mapping):
            by_name = bool(config.get("populate_by_name") or config.get("validate_by_name"))
            by_alias = config.get("validate_by_alias") is not False
        alias, name = core.get("validation_alias"), str(core.get("name", name))
        paths = [] if not alias else [[alias]] if isinstance(alias, str) else alias
        paths = [paths] if paths and isinstance(paths[0], str) else paths
        is_shown = any(len(path) == 1 for path in paths)  # else the JSON Schema shows the field's own name
        if paths and not is_shown and not by_name:
            return name, "from a path (AliasPath) that its JSON Schema does not show"
        if is_shown and not by_alias:
            return name, "by its name only (validate_by_alias=False), and its JSON Schema shows the alias"
        named = ((key, value) for key, value in core.items() if key != "metadata")
    else:
        return None
    found = (_read_elsewhere(value, key, by_name=by_name, by_alias=by_alias) for key, value in named)
    return next((one for one in found if one is not None), None)


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
    """Return the same TypedDict in the form that pydantic takes; made before its fields, which may refer to it."""
    from typing_extensions import TypedDict

    if source in twins:
        return twins[source]
    twin: Any = TypedDict(source.__name__, {})  # type: ignore[misc]  # mypy wants a literal name
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
        SchemaError: an unknown name, with the nearest known one, or an expression of another kind.
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
        f"--schema {name}: there is no variable {name} in this notebook{nearest(name, fitting, n=3)}",
        hint="run the cell that defines it; or give a .json file, JSON in braces, or fields such as 'count:int'",
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
    """Return the error for a text of another kind."""
    if not text.replace(".", "").isidentifier() or iskeyword(text):
        return _not_understood(text)
    return SchemaError(f"{text} is {kind_of(found)} in this notebook, not a schema", hint=f"give {_GOOD}")


def _not_understood(text: str) -> SchemaError:
    return SchemaError(f"{text!r} cannot be read as a schema", hint=f"give {_GOOD}")
