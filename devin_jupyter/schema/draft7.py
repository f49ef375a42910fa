"""Any JSON Schema an author may hold → one self-contained Draft 7 schema with an object at the top.

Pure: nothing is read, fetched or remembered. What Draft 7 cannot say is refused by name and place, never dropped.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any

from devin_jupyter.errors import SchemaError
from devin_jupyter.models.limits import SCHEMA_BYTES, schema_bytes
from devin_jupyter.schema.places import MANY, NAMED, Json, Place, all_schemas, json_path, plain_json, rebuild
from devin_jupyter.schema.references import anchors, checked_references, moved_reference, target

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
        wire = _translate(plain_json(dict(schema)))
        checked_references(wire)
    except RecursionError:
        raise SchemaError("the schema is nested too deeply, or contains itself") from None
    _check_top(wire)
    _check_vocabulary(wire)
    _check_size(wire)
    return wire


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
    """Draft 7 ignores what stands beside a `$ref`, and the service wants to see an object: unfold it at the top."""
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
                f"{key} at {json_path(place)} cannot be said in Draft 7, which the API takes", hint=instead
            )
        part.pop(key, None)
    if place and "$id" in part and not str(part["$id"]).startswith("#"):
        raise SchemaError(
            f"an $id of its own at {json_path(place)} changes what references mean", hint="use $ref to #/definitions/…"
        )


def _definitions(part: Json, place: Place) -> None:
    if "$defs" not in part:
        return
    fresh, old = part.pop("$defs"), part.get("definitions", {})
    both = [name for name in fresh if name in old and fresh[name] != old[name]]
    if both:
        raise SchemaError(f"{both[0]!r} stands in $defs and differently in definitions at {json_path(place)}")
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
            f"{key} at {json_path(place)} cannot be said in Draft 7, which the API takes", hint="leave it out"
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
        f"the top of the schema {said}; the API takes objects only",
        hint='put "type": "object" at the top, and a list into a property (list[Model] and [ … ] do so by themselves)',
    )


def _check_vocabulary(wire: Json) -> None:
    import jsonschema_rs

    for error in jsonschema_rs.Draft7Validator({"$ref": DRAFT_7}, validate_formats=True).iter_errors(wire):
        path = error.instance_path
        words = _unknown_type(error.instance) if path and path[-1] == "type" else error.message
        raise SchemaError(f"the schema is wrong at {json_path(path)}: {_short(words)}")
    try:
        jsonschema_rs.Draft7Validator(wire)
    except ValueError as problem:  # its ValidationError and ReferencingError are ValueErrors
        raise SchemaError(f"the schema cannot be used: {_short(str(problem).splitlines()[0])}") from None


def _unknown_type(said: Any) -> str:
    close = difflib.get_close_matches(str(said), _TYPES, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"{said!r} is none of {', '.join(_TYPES)}{hint}"


def _short(text: str) -> str:
    return text if len(text) <= 200 else text[:197] + "…"


def _check_size(wire: Json) -> None:
    size = schema_bytes(wire)
    if size <= SCHEMA_BYTES:
        return
    biggest = max(wire.items(), key=lambda item: len(json.dumps(item[1])))[0]
    raise SchemaError(
        f"the schema takes {size:,} bytes as JSON; the API takes {SCHEMA_BYTES:,} at most",
        hint=f"shorten it: most of it stands in {json_path((biggest,))}",
    )
