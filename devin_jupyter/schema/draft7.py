"""Any JSON Schema an author may hold → one self-contained Draft 7 schema with an object at the top; answers checked.

Pure: nothing is read, fetched or remembered. What Draft 7 cannot say is refused by name and place, never dropped.
jsonschema-rs, or the pure package where that has no wheel, is imported at the first check.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote, unquote

from devin_jupyter.errors import SchemaError
from devin_jupyter.models.enums import SCHEMA_BYTES
from devin_jupyter.redaction import is_whole
from devin_jupyter.text import nearest

Place = tuple[str | int, ...]
Json = dict[str, Any]

ONE = frozenset(
    {
        "additionalItems",
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
"""Keywords whose value is a schema."""
MANY = frozenset({"allOf", "anyOf", "oneOf", "items", "prefixItems"})
"""Keywords whose value is a list of schemas (`items` may be either)."""
NAMED = frozenset({"$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"})
"""Keywords whose value maps names of the author's choice to schemas."""

_WORD = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")


def json_path(place: Sequence[str | int]) -> str:
    """Return the place as a JSON path: `$.a[0].b`."""
    steps = (f"[{step}]" if isinstance(step, int) else _named(step) for step in place)
    return "$" + "".join(steps)


def _named(step: str) -> str:
    return f".{step}" if _WORD.fullmatch(step) else f"[{step!r}]"


def sub_schemas(schema: Any) -> Iterator[tuple[Place, Any]]:
    """Yield the direct sub-schemas of a schema with their places in it."""
    if not isinstance(schema, dict):
        return
    for key, value in schema.items():
        if key in MANY and isinstance(value, list):
            yield from (((key, index), item) for index, item in enumerate(value))
        elif key in ONE:
            yield (key,), value
        elif key in NAMED and isinstance(value, dict):
            yield from (((key, name), item) for name, item in value.items() if not isinstance(item, list))


def all_schemas(schema: Any, place: Place = ()) -> Iterator[tuple[Place, Json]]:
    """Yield every schema that is an object, outermost first, with its place."""
    if isinstance(schema, dict):
        yield place, schema
    for step, sub in sub_schemas(schema):
        yield from all_schemas(sub, place + step)


def rebuild(schema: Any, change: Callable[[Json, Place], Json], place: Place = ()) -> Any:
    """Return a copy in which `change` has replaced every schema, innermost first."""
    if not isinstance(schema, dict):
        return schema
    copy: Json = {key: _shell(key, value) for key, value in schema.items()}
    for step, sub in sub_schemas(schema):
        rebuilt = rebuild(sub, change, place + step)
        if len(step) == 1:
            copy[str(step[0])] = rebuilt
        else:
            copy[str(step[0])][step[1]] = rebuilt
    return change(copy, place)


def _shell(key: str, value: Any) -> Any:
    """A new container where sub-schemas are about to be replaced one by one."""
    if key in MANY and isinstance(value, list):
        return list(value)
    return dict(value) if key in NAMED and isinstance(value, dict) else value


def plain_json(value: Any, place: Place = ()) -> Any:
    """Return a deep copy made of JSON types only.

    Raises:
        SchemaError: a value that is not JSON, with its place.
    """
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str) or not (key.isascii() or is_whole(key)):
                raise SchemaError(f"the schema has a key that is not text at {json_path(place)}: {key!r}")
        return {str.__str__(key): plain_json(item, (*place, key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_json(item, (*place, index)) for index, item in enumerate(value)]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str) and (value.isascii() or is_whole(value)):
        return str.__str__(value)  # the text itself, also of an enum member
    if isinstance(value, float) and value - value == 0:  # neither NaN nor infinite
        return value
    name = repr(value) if isinstance(value, (float, str)) else type(value).__name__
    raise SchemaError(f"the schema holds something that is not JSON at {json_path(place)}: {name}")


_RENAMED = {"$defs": "definitions", "dependentSchemas": "dependencies", "prefixItems": "items"}
_UNQUOTED = "~!$&'()*+,;=:@?"
"""What may stand in a fragment of a URI as it is, besides letters and digits."""
_MISSING = object()


def anchors(source: Json) -> dict[str, str]:
    """Return the pointers that names stand for: `#name` of an `$anchor`, and the document's own `$id`."""
    found: dict[str, str] = {}
    for place, part in all_schemas(source):
        name = part.get("$anchor")
        if isinstance(name, str):
            found["#" + name] = _pointer(place)
        own = part.get("$id")
        if isinstance(own, str) and (not place or own.startswith("#")):
            found[own] = _pointer(place)
    return found


def target(reference: Any, root: Json) -> Any:
    """Return what a local reference points to, or None."""
    found = _follow(reference, root) if isinstance(reference, str) and reference.startswith("#") else _MISSING
    return None if found is _MISSING else found


def moved_reference(reference: str, place: Place, source: Json, named: dict[str, str]) -> str:
    """Return the reference as it reads once the keywords on its way have their Draft 7 names.

    Raises:
        SchemaError: it points outside the schema, or to nothing.
    """
    base, _, fragment = reference.partition("#")
    if base and base in named:
        reference = f"#{fragment}"
    reference = named.get(reference, reference)
    if not reference.startswith("#"):
        raise SchemaError(
            f"the schema refers outside itself at {json_path(place)}: {reference!r}",
            "the API requires self-contained schemas",
            "copy what it refers to into definitions",
        )
    if _follow(reference, source) is _MISSING:
        raise SchemaError(f"{reference!r} at {json_path(place)} points to nothing in the schema")
    return _pointer(_moved(_steps(reference), source, place))


def checked_references(wire: Json) -> None:
    """Check that every reference resolves and none refers only to itself.

    Raises:
        SchemaError: with the place.
    """
    for place, part in all_schemas(wire):
        seen: set[str] = set()
        node: Any = part
        while isinstance(node, dict) and isinstance(node.get("$ref"), str):
            reference = node["$ref"]
            if reference in seen:
                raise SchemaError(f"{reference!r} at {json_path(place)} refers only to itself")
            seen.add(reference)
            node = _follow(reference, wire)
        if node is _MISSING:
            raise SchemaError(f"{part['$ref']!r} at {json_path(place)} points to nothing in the schema")


def _steps(reference: str) -> list[str]:
    pointer = unquote(reference[1:])
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def _pointer(place: Place | list[str | int]) -> str:
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in place)
    return "#" + "".join("/" + quote(step, safe=_UNQUOTED) for step in steps)


def _follow(reference: str, root: Any) -> Any:
    if reference not in ("", "#") and not reference.startswith("#/"):
        return _MISSING
    node = root
    for step in _steps(reference):
        if isinstance(node, dict) and step in node:
            node = node[step]
        elif isinstance(node, list) and step.isdecimal() and int(step) < len(node):
            node = node[int(step)]
        else:
            return _MISSING
    return node


def _moved(steps: list[str], source: Json, place: Place) -> list[str | int]:
    """Walk from schema to schema; a step that is not a schema keyword leads to a place that is not translated."""
    moved: list[str | int] = []
    node: Any = source
    value: Any
    rest = list(steps)
    while rest:
        key = rest.pop(0)
        value = node.get(key) if isinstance(node, dict) else None
        is_tail = key == "items" and "prefixItems" in node
        moved.append("additionalItems" if is_tail else _RENAMED.get(key, key))
        if (key in MANY and isinstance(value, list)) or key in NAMED:
            if rest:
                name = rest.pop(0)
                moved.append(name)
                node = value[int(name)] if isinstance(value, list) else value[name]
                continue
        elif key in ONE:
            node = value
            continue
        raise SchemaError(
            f"the reference at {json_path(place)} leads to {_pointer(list(steps))!r}, where no schema can be",
            hint="move it into definitions",
        )
    return moved


DRAFT_7 = "http://json-schema.org/draft-07/schema#"
_NOTES = frozenset({"$comment", "$schema", "default", "deprecated", "description", "examples", "title"})
_DROPPED = ("$anchor", "$vocabulary", "contentSchema", "deprecated", "discriminator")
_REFUSED = ("$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor", "unevaluatedItems")
_SHAPES: dict[str, tuple[type, str]] = {
    **dict.fromkeys([*NAMED, "dependentRequired"], (dict, "an object")),
    **dict.fromkeys(MANY - {"items"}, (list, "a list")),
    "$ref": (str, "a text"),
}
"""What keywords must hold before anything is translated; all else is checked afterwards."""
_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
_OBJECT_KEYWORDS = frozenset({"additionalProperties", "patternProperties", "properties", "propertyNames", "required"})


def to_draft7(schema: Mapping[str, Any]) -> Json:
    """Return the schema as self-contained Draft 7, an object at the top, checked and within the size limit.

    Raises:
        SchemaError: for what the API would refuse or Draft 7 cannot say, with the place.
    """
    try:
        wire = _translate(_with_definitions(plain_json(dict(schema))))
        checked_references(wire)
    except RecursionError:
        raise SchemaError("the schema is nested too deeply, or contains itself") from None
    _check_top(wire)
    _check_vocabulary(wire)
    _check_size(wire)
    return wire


def _with_definitions(schema: Json) -> Json:
    """Copy referenced schemas that stand in other places, such as groups of definitions, to `definitions`."""
    copied: dict[str, str] = {}
    waiting: list[Any] = [schema]
    while waiting:
        for place, part in list(all_schemas(waiting.pop())):  # it grows meanwhile
            reference = part.get("$ref")
            if not isinstance(reference, str) or not reference.startswith("#/"):
                continue
            found = _follow(reference, schema)
            if (
                reference not in copied
                and isinstance(found, (dict, bool))
                and not _is_reachable(reference, schema, place)
            ):
                names = schema.setdefault("definitions", {})
                last = name = _steps(reference)[-1]
                number = 2
                while name in names or name in schema.get("$defs", {}):
                    name, number = f"{last}_{number}", number + 1
                names[name] = json.loads(json.dumps(found))
                copied[reference] = _pointer(["definitions", name])
                waiting.append(names[name])
            part["$ref"] = copied.get(reference, reference)
    return schema


def _is_reachable(reference: str, schema: Json, place: Place) -> bool:
    try:
        _moved(_steps(reference), schema, place)
    except (SchemaError, LookupError, TypeError, ValueError):
        return False
    return True


def is_object(schema: Any, root: Json, seen: frozenset[int] = frozenset()) -> bool:
    """Whether every value that fits the schema is an object."""
    if not isinstance(schema, dict) or id(schema) in seen:
        return False
    seen |= {id(schema)}
    if "type" in schema:
        return bool(schema["type"] in ("object", ["object"]))
    if "$ref" in schema:
        return is_object(target(schema["$ref"], root), root, seen)
    if _OBJECT_KEYWORDS & schema.keys():
        return True
    if any(is_object(part, root, seen) for part in schema.get("allOf", ())):
        return True
    options = schema.get("anyOf") or schema.get("oneOf") or ()
    return bool(options) and all(is_object(part, root, seen) for part in options)


def without_names(wire: Json) -> Json:
    """Return the schema without titles and `$schema`: what makes two schemas the same."""

    def change(part: Json, place: Place) -> Json:
        return {key: value for key, value in part.items() if key not in ("title", "$schema")}

    result: Json = rebuild(wire, change)
    return result


def _translate(schema: Json) -> Json:
    for place, part in all_schemas(schema):
        _check_shapes(part, place)
    source = _top_inlined(schema)
    named = anchors(source)
    translated: Json = rebuild(source, lambda part, place: _translated(part, place, source, named))
    rest = {key: value for key, value in translated.items() if key not in ("$schema", "$id")}
    if is_object(rest, rest):
        rest.setdefault("type", "object")
    return {"$schema": DRAFT_7, **rest}


def _check_shapes(part: Json, place: Place) -> None:
    for key, value in part.items():
        needed, words = _SHAPES.get(key, (object, ""))
        if not isinstance(value, needed):
            raise SchemaError(f"the schema is wrong at {json_path((*place, key))}: it must be {words}")


def _top_inlined(schema: Json) -> Json:
    """Draft 7 ignores the siblings of a `$ref`, and the service requires an object: unfold it at the top."""
    seen: set[str] = set()
    while "$ref" in schema:
        reference = schema["$ref"]
        if reference in seen:
            break
        seen.add(reference)
        found = target(reference, schema) if reference.startswith("#/") else None
        if not isinstance(found, dict):
            break
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        if not found.keys() & rest.keys() <= _NOTES:
            return {**rest, "allOf": [*rest.get("allOf", []), {"$ref": reference}]}
        schema = {**found, **rest}
    return schema


def _translated(part: Json, place: Place, source: Json, named: dict[str, str]) -> Json:
    _refuse(part, place)
    for key in _DROPPED:
        part.pop(key, None)
    if isinstance(part.get("$ref"), str):
        part["$ref"] = moved_reference(part["$ref"], place, source, named)
        if part.keys() - {"$ref"}:
            part["allOf"] = [*part.get("allOf", []), {"$ref": part.pop("$ref")}]
    if "$id" in part and place:
        part.pop("$id")
    for rule in (_definitions, _tuples, _dependencies, _contains, _nullable):
        rule(part, place)
    return part


def _refuse(part: Json, place: Place) -> None:
    for key in (*_REFUSED, "unevaluatedProperties"):
        if key in part and not (key.startswith("unevaluated") and part[key] is True):
            instead = "use additionalProperties" if key == "unevaluatedProperties" else "write it with $ref and items"
            raise SchemaError(
                f"{key} at {json_path(place)} has no equivalent in Draft 7, which the API requires", hint=instead
            )
        part.pop(key, None)
    if place and "$id" in part and not str(part["$id"]).startswith("#"):
        raise SchemaError(
            f"the $id at {json_path(place)} changes what references mean", hint="use $ref to #/definitions/…"
        )


def _definitions(part: Json, place: Place) -> None:
    if "$defs" not in part:
        return
    fresh, old = part.pop("$defs"), part.get("definitions", {})
    both = [name for name in fresh if name in old and fresh[name] != old[name]]
    if both:
        raise SchemaError(f"{both[0]!r} is defined differently in $defs and in definitions at {json_path(place)}")
    part["definitions"] = {**old, **fresh}


def _tuples(part: Json, place: Place) -> None:
    if "prefixItems" not in part:
        return
    rest = part.pop("items", None)
    part["items"] = part.pop("prefixItems")
    if rest is not None:
        part["additionalItems"] = rest


def _dependencies(part: Json, place: Place) -> None:
    required, schemas = part.pop("dependentRequired", {}), part.pop("dependentSchemas", {})
    if schemas:
        part["dependencies"] = {**part.get("dependencies", {}), **schemas}
    if required and part.keys() & {"dependencies"}:
        part["allOf"] = [*part.get("allOf", []), {"dependencies": required}]
    elif required:
        part["dependencies"] = required


def _contains(part: Json, place: Place) -> None:
    least, most = part.pop("minContains", 1), part.pop("maxContains", None)
    if "contains" not in part:
        return
    if most is not None or least not in (0, 1):
        key = "maxContains" if most is not None else "minContains"
        raise SchemaError(
            f"{key} at {json_path(place)} has no equivalent in Draft 7, which the API requires", hint="leave it out"
        )
    if least == 0:
        part.pop("contains")


def _nullable(part: Json, place: Place) -> None:
    """`nullable` of OpenAPI 3.0."""
    if part.pop("nullable", False) is not True:
        return
    if "const" in part:
        part["enum"] = [part.pop("const")]
    if isinstance(part.get("enum"), list) and None not in part["enum"]:
        part["enum"] = [*part["enum"], None]
    null = {"type": "null"}
    if "type" in part:
        kinds = part["type"] if isinstance(part["type"], list) else [part["type"]]
        part["type"] = [*kinds, *(["null"] if "null" not in kinds else [])]
        return
    for key in ("anyOf", "oneOf"):
        if key in part and null not in part[key]:
            part[key] = [*part[key], null]
            return
    for key in ("$ref", "allOf"):
        if key in part:
            part["anyOf"] = [{key: part.pop(key)}, null]
            return


def _check_top(wire: Json) -> None:
    if wire.get("type") in ("object", ["object"]):
        return
    kind = wire.get("type")
    said = f"is {kind!r}" if kind else "does not say that it is an object"
    raise SchemaError(
        f"the top of the schema {said}; the API accepts only objects",
        hint='put "type": "object" at the top, and a list into a property (list[Model] and [ … ] do this for you)',
    )


def _check_vocabulary(wire: Json) -> None:
    for error in compiled({"$ref": DRAFT_7}).iter_errors(wire):
        path = error.instance_path
        words = _unknown_type(error.instance) if path and path[-1] == "type" else error.message
        raise SchemaError(f"the schema is wrong at {json_path(path)}: {_short(words)}")
    try:
        compiled(wire)
    except ValueError as problem:  # its ValidationError and ReferencingError are ValueErrors
        raise SchemaError(f"the schema cannot be used: {_short(str(problem).splitlines()[0])}") from None


def _unknown_type(said: Any) -> str:
    return f"{said!r} is none of {', '.join(_TYPES)}{nearest(str(said), _TYPES)}"


def _short(text: str) -> str:
    return text if len(text) <= 200 else text[:197] + "…"


def _check_size(wire: Json) -> None:
    size = len(json.dumps(wire))  # how the service counts is not documented: with spaces and escapes is the most
    if size <= SCHEMA_BYTES:
        return
    biggest = max(wire.items(), key=lambda item: len(json.dumps(item[1])))[0]
    raise SchemaError(
        f"the schema takes {size:,} bytes as JSON; the API accepts {SCHEMA_BYTES:,} at most",
        hint=f"shorten it; the largest part is {json_path((biggest,))}",
    )


class Problem(Protocol):
    """What a validator finds wrong."""

    @property
    def instance_path(self) -> Sequence[Any]:
        """Where."""

    @property
    def instance(self) -> Any:
        """The value."""

    @property
    def message(self) -> str:
        """What."""


class Validator(Protocol):
    """A compiled schema of jsonschema-rs, or of the pure package where that has no wheel."""

    def is_valid(self, value: Any) -> bool:
        """Return whether a value fits."""

    def iter_errors(self, value: Any) -> Iterator[Problem]:
        """Yield every problem."""


def compiled(wire: Json, formats: Mapping[str, Callable[[str], bool]] | None = None) -> Validator:
    """Return a validator.

    Args:
        wire: the schema.
        formats: the checks of formats that Python knows better.

    Raises:
        ValueError: it is no schema.
    """
    try:
        import jsonschema_rs
    except ImportError:  # pyodide has no wheel of it
        return _PureValidator(wire, formats or {})
    made: Validator = jsonschema_rs.Draft7Validator(wire, validate_formats=True, formats=dict(formats or {}))
    return made


@dataclass(frozen=True)
class _PureProblem:
    instance_path: Sequence[Any]
    instance: Any
    message: str


class _PureValidator:
    """The same by the package `jsonschema`, which takes seconds to load elsewhere."""

    def __init__(self, wire: Json, formats: Mapping[str, Callable[[str], bool]]) -> None:
        from jsonschema import Draft7Validator, FormatChecker

        if wire.get("$ref") == DRAFT_7:
            wire = Draft7Validator.META_SCHEMA
        else:
            for error in Draft7Validator(Draft7Validator.META_SCHEMA).iter_errors(wire):
                raise ValueError(error.message)
        checker = FormatChecker()
        for name, check in formats.items():
            checker.checks(name)(lambda value, check=check: not isinstance(value, str) or check(value))
        self._validator = Draft7Validator(wire, format_checker=checker)

    def is_valid(self, value: Any) -> bool:
        return bool(self._validator.is_valid(value))

    def iter_errors(self, value: Any) -> Iterator[Problem]:
        for error in self._validator.iter_errors(value):
            yield _PureProblem(list(error.absolute_path), error.instance, error.message)
