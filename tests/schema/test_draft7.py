"""Whatever the author wrote, what is sent is self-contained Draft 7, or refused by name and place."""

from __future__ import annotations

import enum
import json
from typing import Any
from urllib.parse import quote

import pytest

from devin_jupyter.errors import SchemaError
from devin_jupyter.models.enums import SCHEMA_BYTES
from devin_jupyter.schema import load_schema
from devin_jupyter.schema.draft7 import DRAFT_7
from devin_jupyter.simulator.outputs import schema_problem

INSIDE = "#/properties/a/allOf/0"


def wire_of(**schema: Any) -> dict[str, Any]:
    return load_schema({"type": "object", **schema}).wire


def test_it_says_which_draft_it_is() -> None:
    wire = wire_of(**{"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "https://x.test/s"})

    assert wire == {"$schema": DRAFT_7, "type": "object"}


def test_definitions_and_references_to_them_move_together() -> None:
    wire = wire_of(
        properties={
            "a": {"$ref": "#/$defs/A"},
            "b": {"$ref": "#/properties/c/prefixItems/0"},
            "c": {"prefixItems": [{}]},
        },
        **{"$defs": {"A": {"type": "string"}}},
    )

    assert wire["definitions"] == {"A": {"type": "string"}}
    assert wire["properties"]["a"] == {"$ref": "#/definitions/A"}
    assert wire["properties"]["b"] == {"$ref": "#/properties/c/items/0"}


def test_what_stands_beside_a_reference_keeps_its_meaning() -> None:
    wire = wire_of(properties={"a": {"$ref": "#/$defs/A", "minLength": 2}}, **{"$defs": {"A": {"type": "string"}}})

    assert wire["properties"]["a"] == {"minLength": 2, "allOf": [{"$ref": "#/definitions/A"}]}
    assert load_schema(wire).check({"a": "x"})


def test_a_reference_at_the_top_is_unfolded() -> None:
    source = {"$ref": "#/$defs/N", "$defs": {"N": {"type": "object", "properties": {"n": {"$ref": "#/$defs/N"}}}}}

    wire = load_schema(source).wire

    assert wire["type"] == "object"
    assert wire["properties"] == {"n": {"$ref": "#/definitions/N"}}
    assert load_schema(source).check({"n": {"n": 3}}) == ['$.n.n: 3 is not of type "object"']


def test_a_reference_at_the_top_with_rules_of_its_own_keeps_both() -> None:
    source = {
        "$ref": "#/$defs/N",
        "required": ["b"],
        "$defs": {"N": {"type": "object", "properties": {"a": {}}, "required": ["a"]}},
    }

    schema = load_schema(source)

    assert len(schema.check({})) == 2


def test_tuples_dependencies_anchors_and_contains_are_translated() -> None:
    wire = wire_of(
        properties={
            "pair": {"prefixItems": [{"type": "integer"}], "items": False},
            "some": {"contains": {"type": "integer"}, "minContains": 1},
            "none": {"contains": {"type": "integer"}, "minContains": 0},
            "named": {"$ref": "#money"},
            "tail": {"$ref": "#/properties/pair/items"},
        },
        dependentRequired={"a": ["b"]},
        dependentSchemas={"c": {"required": ["d"]}},
        **{"$defs": {"M": {"$anchor": "money", "type": "number"}}},
    )

    properties = wire["properties"]
    assert properties["pair"] == {"items": [{"type": "integer"}], "additionalItems": False}
    assert properties["some"] == {"contains": {"type": "integer"}}
    assert properties["none"] == {}
    assert properties["named"] == {"$ref": "#/definitions/M"}
    assert properties["tail"] == {"$ref": "#/properties/pair/additionalItems"}
    schema = load_schema(wire)
    assert schema.check({"a": 1})
    assert schema.check({"c": 1})
    assert schema.is_valid({"a": 1, "b": 1, "c": 1, "d": 1})


def test_references_by_the_own_address_or_by_an_anchor_of_draft_7_are_local() -> None:
    wire = wire_of(
        properties={"a": {"$ref": "https://x.test/s#/definitions/A"}, "b": {"$ref": "#b"}},
        definitions={"A": {"type": "string"}, "B": {"$id": "#b", "type": "integer"}},
        **{"$id": "https://x.test/s"},
    )

    assert wire["properties"] == {"a": {"$ref": "#/definitions/A"}, "b": {"$ref": "#/definitions/B"}}
    assert wire["definitions"]["B"] == {"type": "integer"}


def test_dependencies_of_both_kinds_hold_together() -> None:
    schema = load_schema({"type": "object", "dependencies": {"a": ["b"]}, "dependentRequired": {"c": ["d"]}})

    assert schema.check({"a": 1})
    assert schema.check({"c": 1})
    assert schema.is_valid({"a": 1, "b": 1, "c": 1, "d": 1})


@pytest.mark.parametrize(
    ("part", "valid", "invalid"),
    [
        ({"type": "string", "nullable": True}, [None, "a"], [1]),
        ({"type": ["string", "integer"], "nullable": True}, [None, "a", 1], [1.5]),
        ({"enum": ["a"], "nullable": True}, [None, "a"], ["b"]),
        ({"const": "a", "nullable": True}, [None, "a"], ["b"]),
        ({"$ref": "#/definitions/S", "nullable": True}, [None, "a"], [1]),
        ({"anyOf": [{"type": "string"}], "nullable": True}, [None, "a"], [1]),
        ({"oneOf": [{"type": "string"}], "nullable": True}, [None, "a"], [1]),
        ({"type": "string", "nullable": False}, ["a"], [None]),
    ],
)
def test_nullable_of_openapi_allows_null(part: dict[str, Any], valid: list[Any], invalid: list[Any]) -> None:
    schema = load_schema({"type": "object", "properties": {"x": part}, "definitions": {"S": {"type": "string"}}})

    assert "nullable" not in json.dumps(schema.wire)
    assert all(schema.is_valid({"x": value}) for value in valid)
    assert not any(schema.is_valid({"x": value}) for value in invalid)


def test_properties_may_be_called_like_keywords() -> None:
    names = ["title", "$defs", "$ref", "nullable", "prefixItems", "unevaluatedProperties", "$schema", "discriminator"]
    schema = load_schema({"type": "object", "properties": {name: {"type": "string", "title": "x"} for name in names}})

    assert list(schema.wire["properties"]) == names
    assert list(schema.identity["properties"]) == names
    assert schema.identity["properties"]["title"] == {"type": "string"}


def test_values_are_not_taken_for_schemas() -> None:
    value = {"$ref": "http://elsewhere", "title": "t", "$defs": {}}
    part = {"const": value, "default": value, "examples": [value], "enum": [value]}

    wire = wire_of(properties={"a": part})

    assert wire["properties"]["a"] == part
    assert load_schema(wire).identity["properties"]["a"] == part


def test_identity_is_without_titles_and_draft() -> None:
    plain, titled = {"type": "object"}, {"type": "object", "title": "T", "$schema": DRAFT_7}

    assert load_schema(plain).identity == load_schema(titled).identity == {"type": "object"}


def test_discriminators_and_annotations_of_other_drafts_go() -> None:
    wire = wire_of(properties={"a": {"oneOf": [{}], "discriminator": {"propertyName": "k"}, "deprecated": True}})

    assert wire["properties"]["a"] == {"oneOf": [{}]}


class Word(enum.StrEnum):
    A = "a"


def test_members_of_enums_are_sent_as_their_values() -> None:
    assert json.dumps(wire_of(properties={"x": {"const": Word.A}})["properties"]) == '{"x": {"const": "a"}}'


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {}}},
        {"required": ["a"]},
        {"allOf": [{"type": "object"}]},
        {"anyOf": [{"type": "object"}, {"properties": {}}]},
        {"type": ["object"]},
        {"$ref": "#/definitions/A", "definitions": {"A": {"properties": {}}}},
    ],
)
def test_a_schema_that_only_objects_fit_gets_the_type_object(schema: dict[str, Any]) -> None:
    assert load_schema(schema).wire["type"] in ("object", ["object"])


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({}, "does not say that it is an object"),
        ({"type": "array"}, "is 'array'"),
        ({"type": ["object", "null"]}, "null"),
        ({"anyOf": [{"type": "object"}, {"type": "string"}]}, "does not say"),
        ({"type": "object", "unevaluatedProperties": False}, r"unevaluatedProperties at \$ has no equivalent"),
        (
            {"type": "object", "properties": {"a": {"unevaluatedItems": False}}},
            "unevaluatedItems at",
        ),
        ({"type": "object", "properties": {"a": {"$dynamicRef": "#x"}}}, r"\$dynamicRef at \$\.properties\.a"),
        ({"type": "object", "properties": {"a": {"contains": {}, "maxContains": 2}}}, "maxContains"),
        ({"type": "object", "properties": {"a": {"contains": {}, "minContains": 2}}}, "minContains"),
        ({"type": "object", "properties": {"a": {"$ref": "https://x.test/s.json"}}}, "refers outside itself at"),
        ({"type": "object", "properties": {"a": {"$ref": "other.json#/a"}}}, "refers outside itself at"),
        ({"type": "object", "properties": {"a": {"$ref": "#/definitions/B"}}}, "points to nothing"),
        ({"type": "object", "properties": {"a": {"$ref": "#nowhere"}}}, "points to nothing"),
        ({"type": "object", "properties": {"a": {"allOf": [{}], "nullable": True}, "b": {"$ref": INSIDE}}}, "nothing"),
        ({"allOf": [True]}, "does not say"),
        ({"allOf": [{"$ref": "#"}]}, "does not say"),
        ({"type": "object", "properties": []}, "must be an object"),
        ({"type": "object", "anyOf": {}}, "must be a list"),
        ({"type": "object", "properties": {"a": {"$ref": 3}}}, r"\$\.properties\.a\['\$ref'\]|must be a text"),
        (
            {"type": "object", "properties": {"a": {"$ref": "#/components/S"}}, "components": {"S": []}},
            "no schema can be",
        ),
        ({"type": "object", "properties": {"a": {"$id": "https://x.test/a"}}}, r"\$id at"),
        ({"type": "object", "definitions": {"A": {"$ref": "#/definitions/A"}}}, "only to itself"),
        ({"type": "object", "$defs": {"A": {"type": "string"}}, "definitions": {"A": {}}}, "is defined differently"),
        ({"type": "object", "properties": {"a": {"type": "strng"}}}, "did you mean string?"),
        ({"type": "object", "properties": {"a": {"minimum": "x"}}}, r"\$\.properties\.a\.minimum"),
        ({"type": "object", "properties": {"a": {"required": True}}}, r"\$\.properties\.a\.required"),
        ({"type": "object", "properties": {"a": {"pattern": "\\p{Foo}"}}}, "cannot be used"),
        (
            {"$ref": "#/definitions/A", "definitions": {"A": {"$ref": "#/definitions/A"}}},
            "only to itself|does not say",
        ),
        ({"type": "object", "properties": {"a": {"pattern": "(a"}}}, r"\$\.properties\.a\.pattern"),
        ({"type": "object", "x": {1, 2}}, r"not JSON at \$\.x"),
        ({"type": "object", "x": float("nan")}, r"not JSON at \$\.x: nan"),
        ({"type": "object", "x": "\ud800"}, r"not JSON at \$\.x"),
        ({"type": "object", 1: 2}, "a key that is not text"),
        ({"type": "object", "\ud800": {}}, "a key that is not text"),
        ({"type": "object", "description": "a" * SCHEMA_BYTES}, r"takes 65,\d\d\d bytes.*"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_its_place(schema: dict[str, Any], words: str) -> None:
    with pytest.raises(SchemaError, match=words) as caught:
        load_schema(schema)

    assert len(caught.value.lines) <= 3


@pytest.mark.parametrize("letter", ["a", "é", "語", "🦀"])
def test_the_largest_schema_that_passes_here_is_the_largest_that_the_simulator_takes(letter: str) -> None:
    room, taken = SCHEMA_BYTES - len(json.dumps(wire_of(description=""))), len(json.dumps(letter)) - 2
    largest = wire_of(description=letter * (room // taken) + "a" * (room % taken))

    assert schema_problem(load_schema(largest).wire) is None
    one_more = {**largest, "description": largest["description"] + "a"}
    assert "exceeds 65536 bytes" in (schema_problem(one_more) or "")
    with pytest.raises(SchemaError, match="takes 65,537 bytes as JSON; the API accepts 65,536 at most"):
        load_schema(one_more)


def test_a_schema_that_contains_itself_as_an_object_ends() -> None:
    loop: dict[str, Any] = {"type": "object"}
    loop["properties"] = {"a": loop}
    with pytest.raises(SchemaError, match="contains itself"):
        load_schema(loop)


def test_a_very_deep_schema_is_refused_and_not_a_crash() -> None:
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"type": "object", "properties": {"a": deep}}

    with pytest.raises(SchemaError, match="too deeply"):
        load_schema(deep)
    with pytest.raises(SchemaError):
        load_schema("{" + '"a":{' * 100_000)


@pytest.mark.parametrize("name", ["a/b c", "Größe", "Box[int]", "x%y", "a~1b"])
@pytest.mark.parametrize("is_quoted", [True, False])
def test_a_definition_may_have_any_name(name: str, is_quoted: bool) -> None:
    step = name.replace("~", "~0").replace("/", "~1")
    reference = "#/$defs/" + (quote(step) if is_quoted else step)

    schema = load_schema(
        {"type": "object", "properties": {"a": {"$ref": reference}}, "$defs": {name: {"type": "integer"}}}
    )

    assert schema.check({"a": "x"}) == ['$.a: "x" is not of type "integer"']
