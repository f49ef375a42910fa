"""Outputs fit any schema that can be satisfied, look like answers, and say nothing where nothing fits."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devin_jupyter.simulator import outputs

TREE = {
    "type": "object",
    "required": ["name", "children"],
    "properties": {"name": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#/definitions/tree"}}},
}
FITTING = {
    "nothing asked": {},
    "an object": {"type": "object"},
    "at least three fields": {"type": "object", "minProperties": 3},
    "a map of numbers": {"type": "object", "additionalProperties": {"type": "integer", "multipleOf": 7}},
    "named by pattern": {
        "patternProperties": {"^x-": {"type": "boolean"}},
        "additionalProperties": False,
        "minProperties": 2,
    },
    "recursive": {"$ref": "#/definitions/tree", "definitions": {"tree": TREE}},
    "alternatives": {"properties": {"v": {"anyOf": [{"type": "null"}, {"type": "string"}]}}, "required": ["v"]},
    "one of": {
        "oneOf": [{"required": ["x"]}, {"required": ["y"]}],
        "properties": {"x": {"const": 5}, "y": {"type": "null"}},
    },
    "all of": {
        "allOf": [
            {"properties": {"n": {"type": "integer"}}, "required": ["n"]},
            {"properties": {"m": {"enum": [1]}}, "required": ["m"]},
        ]
    },
    "if then": {"properties": {"k": {"enum": ["a"]}}, "required": ["k"], "if": {}, "then": {"required": ["z"]}},
    "long text": {"properties": {"t": {"type": "string", "minLength": 500, "maxLength": 501}}, "required": ["t"]},
    "short text": {"properties": {"t": {"type": "string", "maxLength": 3}}, "required": ["t"]},
    "pattern": {"properties": {"t": {"type": "string", "pattern": r"^[A-Z]{2}-\d{3,5}(x|y)?$"}}, "required": ["t"]},
    "between": {"properties": {"n": {"exclusiveMinimum": 3, "maximum": 3.5}}, "required": ["n"]},
    "integer bounds": {
        "properties": {"n": {"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5}},
        "required": ["n"],
    },
    "unique": {
        "properties": {"l": {"items": {"enum": [1, 2, 3]}, "minItems": 3, "uniqueItems": True, "type": "array"}},
        "required": ["l"],
    },
    "a tuple": {
        "properties": {"l": {"type": "array", "items": [{"type": "integer"}, {"type": "string"}], "minItems": 2}}
    },
    "contains": {
        "properties": {"l": {"type": "array", "contains": {"const": 9}, "items": {"type": "integer"}}},
        "required": ["l"],
    },
    "nullable list of types": {"properties": {"v": {"type": ["integer", "null"]}}, "required": ["v"]},
    "dependencies": {"properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "dependencies": {"a": ["b"]}},
    "an anchor": {
        "properties": {"v": {"$ref": "#item"}},
        "required": ["v"],
        "definitions": {"i": {"$id": "#item", "type": "boolean"}},
    },
    "an escaped pointer into a list": {
        "properties": {"v": {"$ref": "#/definitions/a~1b%25/oneOf/1"}},
        "required": ["v"],
        "definitions": {"a/b%": {"oneOf": [{"const": 1}, {"const": 2}]}},
    },
    "joined bounds": {
        "properties": {
            "v": {"allOf": [{"minimum": 3, "type": "integer"}, {"minimum": 5}, {"maximum": 9}, {"maximum": 6}]}
        },
        "required": ["v"],
    },
    "joined enums": {"properties": {"v": {"allOf": [{"enum": [1, 2]}, {"enum": [2, 3]}]}}, "required": ["v"]},
    "names by rule": {
        "propertyNames": {"pattern": "^[a-c]{4}$"},
        "minProperties": 2,
        "additionalProperties": {"type": "null"},
    },
    "no more items": {"properties": {"l": {"type": "array", "items": False}}, "required": ["l"]},
    "otherwise": {"properties": {"k": {"type": "integer"}}, "if": {"required": ["z"]}, "else": {"required": ["k"]}},
    "not a string": {"properties": {"v": {"not": {"type": "string"}}}, "required": ["v"]},
    **{
        name: {"properties": {"t": {"type": "string", "format": name}}, "required": ["t"]}
        for name in (
            "date",
            "date-time",
            "time",
            "email",
            "uri",
            "uuid",
            "ipv4",
            "ipv6",
            "hostname",
            "regex",
            "json-pointer",
        )
    },
}


@pytest.mark.parametrize("name", FITTING)
def test_an_output_fits_its_schema_and_repeats_with_its_seed(name):
    schema = FITTING[name]
    assert outputs.schema_problem(schema) is None
    made = [outputs.output_for(schema, seed=seed, place="acme/api") for seed in ("a", "a", "b", "c", "d")]
    schema_validator = outputs.validator(schema)
    assert all(schema_validator.is_valid(value) for value in made)
    assert made[0] == made[1]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array"},
        {"$ref": "#"},
        {"required": ["a"], "properties": {"a": False}},
        {"required": ["a"], "properties": {"a": {"type": "array", "minItems": 10**9}}},
        {"required": ["a"], "properties": {"a": {"type": "string", "minLength": 10**9}}},
        {"allOf": [{"type": "object"}, {"type": "string"}]},
        {"required": ["a"], "properties": {"a": {"type": "integer", "minimum": 5, "maximum": 4}}},
    ],
)
def test_a_schema_that_no_object_fits_gets_no_output(schema):
    assert outputs.output_for(schema, seed="a", place="x") is None


def test_the_fields_of_an_item_fit_together():
    item = {name: {"type": "string"} for name in ("title", "file", "cve", "severity", "fixed_in")}
    schema = {
        "properties": {
            "findings": {"type": "array", "items": {"properties": item, "required": list(item)}},
            "count": {"type": "integer"},
        },
        "required": ["findings", "count"],
    }
    made = outputs.output_for(schema, seed="s", place="acme/api")
    assert made["count"] == len(made["findings"]) >= 2
    assert len({finding["title"] for finding in made["findings"]}) == len(made["findings"])
    assert all(finding["cve"].startswith("CVE-2099-") for finding in made["findings"])
    assert all("." in finding["file"] for finding in made["findings"])


def test_partial_interim_and_broken_outputs_are_what_they_say():
    schema = FITTING["unique"] | {
        "properties": {"l": {"type": "array"}, "m": {"type": "string"}},
        "required": ["l", "m"],
    }
    final = {"l": [1, 2, 3], "m": "x"}
    schema_validator = outputs.validator(schema)
    assert outputs.interim(final, schema) == {"l": [1], "m": "x"}
    assert outputs.partial(final) == {"l": [1, 2, 3], "m": None}
    assert not schema_validator.is_valid(outputs.broken(final, schema))
    assert outputs.broken({"a": 1}, {}) == {"a": 1}


_scalars = st.none() | st.booleans() | st.integers(-5, 70) | st.text(max_size=4)
_words = st.sampled_from(
    [
        "type",
        "properties",
        "required",
        "items",
        "enum",
        "const",
        "minimum",
        "maximum",
        "minLength",
        "pattern",
        "format",
        "allOf",
        "anyOf",
        "oneOf",
        "not",
        "if",
        "then",
        "additionalProperties",
        "patternProperties",
        "minItems",
        "uniqueItems",
        "contains",
        "multipleOf",
        "dependencies",
        "$ref",
    ]
)
_values = st.recursive(
    _scalars
    | st.sampled_from(["object", "array", "string", "integer", "number", "#", "#/properties/a", "date", "^a+$"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_words | st.sampled_from("ab"), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=4 * settings().max_examples)
@given(st.dictionaries(_words, _values, max_size=5))
def test_no_schema_breaks_the_maker(schema):
    if outputs.schema_problem(schema) is None:
        made = outputs.output_for(schema, seed="h", place="x")
        assert made is None or outputs.validator(schema).is_valid(json.loads(json.dumps(made)))
