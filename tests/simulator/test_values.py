"""What made-up values are made of: texts for patterns, schemas joined and followed, words by the name of a field."""

from __future__ import annotations

import math
import re

import pytest

from devin_jupyter.simulator import outputs
from devin_jupyter.simulator.outputs import Impossible, matching, merged, resolve
from devin_jupyter.simulator.values import TOPICS, Dice, text_for

PATTERNS = [
    r"^[A-Z]{2}-\d{3,5}(x|y)?$",
    r"a.c",
    r"^[^abc]{4}$",
    r"[^\W]\s\D\W\S",
    r"^(red|green|blue)$",
    r"^(\w+)-\1$",
    r"(?=ab)ab(?!c)",
    r"^x*?y+?z{2,}$",
    r"^[^x]$",
    r"^[a-f\d_]{8}$",
    r"^a++b$",
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_text_matches_its_pattern_and_repeats_with_its_seed(pattern):
    made = [matching(pattern, Dice("seed", number)) for number in range(20)]
    assert [text for text in made if text is None or not re.search(pattern, text)] == []
    assert made == [matching(pattern, Dice("seed", number)) for number in range(20)]


@pytest.mark.parametrize("pattern", ["(", r"a{3000}", r"(?:a{1500}){3}", r"(?>a)b", "(?P<x>a)(?(x)b|c)"])
def test_a_pattern_beyond_the_writer_gives_nothing(pattern):
    assert matching(pattern, Dice("seed")) is None


NOTHING_FITS = {
    "no alternative": {"anyOf": [False]},
    "all of it and nothing": {"allOf": [True, False]},
    "an empty choice of names": {"minProperties": 3, "propertyNames": {"enum": ["a"]}},
    "more different values than there are": {
        "required": ["l"],
        "properties": {"l": {"type": "array", "items": {"enum": [1]}, "minItems": 3, "uniqueItems": True}},
    },
    "what JSON has no word for": {"required": ["n"], "properties": {"n": {"const": math.nan}}},
}


@pytest.mark.parametrize("schema", NOTHING_FITS.values(), ids=NOTHING_FITS)
def test_where_no_value_is_found_there_is_no_output(schema):
    assert outputs.output_for(schema, seed="a", place="x") is None


def test_a_number_as_large_as_a_float_is_found():
    schema = {"required": ["n"], "properties": {"n": {"type": "number", "minimum": -1.79e308, "maximum": 0}}}
    made = outputs.output_for(schema, seed="a", place="x")
    assert made is not None
    assert outputs.validator(schema).is_valid(made)


def test_a_part_that_allows_anything_changes_nothing():
    schema = {"allOf": [True, {"properties": {"n": {"const": 3}}, "required": ["n"]}]}
    assert outputs.output_for(schema, seed="a", place="x") == {"n": 3}


def test_another_answer_differs_where_the_schema_leaves_room():
    schema = {"required": ["n"], "properties": {"n": {"type": "integer", "minimum": 1, "maximum": 1000}}}
    first = outputs.output_for(schema, seed="a", place="x")
    second = outputs.output_for(schema, seed="a", place="x", unlike=first)
    assert second is not None
    assert second != first
    fixed = {"required": ["n"], "properties": {"n": {"const": 1}}, "additionalProperties": False}
    assert outputs.output_for(fixed, seed="a", place="x", unlike={"n": 1}) == {"n": 1}


FINDING = {"file": {"type": "string"}, "severity": {"enum": ["low", "high"]}, "summary": {"type": "string"}}
FINDINGS = {
    "type": "object",
    "properties": {
        "items": {"type": "array", "items": {"type": "object", "properties": FINDING, "required": list(FINDING)}},
        "count": {"type": "integer"},
    },
    "required": ["items", "count"],
}


@pytest.mark.parametrize(
    ("message", "changed", "field"),
    [
        ("Fix the first one, and add a test.", [0], "summary"),
        ("Set the severity of the second to {other}", [1], "severity"),
        ("Is {file} really that bad? Rewrite its summary", [2], "summary"),
        ("Write every summary anew", [0, 1, 2], "summary"),
        ("Thanks, go on", [0], "summary"),
    ],
)
def test_a_follow_up_keeps_the_items_and_changes_what_was_asked(message, changed, field):
    whole = outputs.output_for(FINDINGS, seed="1", place="acme/api")
    before = {"items": whole["items"][:3], "count": 3}
    other = {"low": "high", "high": "low"}[before["items"][1]["severity"]]
    text = message.format(other=other, file=before["items"][2]["file"])
    after = outputs.revised(before, FINDINGS, text, seed="2", place="acme/api")
    pairs = list(zip(before["items"], after["items"], strict=True))
    assert [index for index, (old, new) in enumerate(pairs) if old != new] == changed
    assert all({name for name in old if old[name] != new[name]} == {field} for old, new in pairs if old != new)
    assert after == outputs.revised(before, FINDINGS, text, seed="2", place="acme/api")


def test_a_follow_up_may_ask_for_more_items_or_fewer_and_no_schema_is_broken():
    before = outputs.output_for(FINDINGS, seed="1", place="acme/api")
    items, last = before["items"], before["items"][-1]["file"]
    fewer = outputs.revised(before, FINDINGS, f"Drop {last}", seed="2", place="acme/api")
    assert fewer == {"items": items[:-1], "count": len(items) - 1}
    more = outputs.revised(before, FINDINGS, "Add another one", seed="2", place="acme/api")
    assert more["items"][:-1] == items
    assert more["count"] == len(items) + 1
    flat = {"type": "object", "properties": {"ok": {"type": "boolean"}, "n": {"const": 1}}, "required": ["ok", "n"]}
    assert outputs.revised({"ok": True, "n": 1}, flat, "is it ok?", seed="2", place="x") == {"ok": False, "n": 1}
    fixed = {"type": "object", "properties": {"n": {"const": 1}}, "required": ["n"]}
    assert outputs.revised({"n": 1}, fixed, "again", seed="2", place="x") == {"n": 1}
    none = {"type": "object", "properties": {"n": {"enum": []}}, "required": ["n"]}
    assert outputs.revised({"n": 1}, none, "again", seed="2", place="x") is None


@pytest.mark.parametrize("reference", ["other.json#/x", 5, None, "#nowhere", "#/a/b", "#/l/7"])
def test_an_unresolvable_reference_is_an_error(reference):
    with pytest.raises((Impossible, LookupError)):
        resolve({"a": {}, "l": [{"$id": "#other"}, 7]}, reference)


def test_an_anchor_is_found_wherever_it_stands():
    anchored = {"$id": "#here", "type": "string"}
    assert resolve({"l": [7, {"deep": [anchored]}], "definitions": {}}, "#here") is anchored


def test_joined_schemas_take_the_tighter_bound_and_what_both_allow():
    tight = {"minLength": 2, "maxItems": 5, "enum": [1, 2], "required": ["a"], "properties": {"a": {}}}
    loose = {"minLength": 1, "maxItems": 9, "enum": [2, 3], "required": ["a", "b"], "properties": {"b": {}}}
    both = {"minLength": 2, "maxItems": 5, "enum": [2], "required": ["a", "b"], "properties": {"a": {}, "b": {}}}
    assert merged(tight, loose) == both
    assert merged({}, tight) == tight


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("latest_version", r"\d+\.0\.0"),
        ("fixedIn", r"\d+\.0\.0"),
        ("commit", r"[0-9a-f]{10}"),
        ("author", r"\w+ \w+"),
        ("issue_url", r"https://example\.com/item/\d+"),
        ("contact_email", r"\w+@example\.com"),
        ("id", r"F-\d{3}"),
        ("repo", r"acme/api"),
        ("due_date", r"2026-\d\d-\d\d"),
        ("cwe", r"CWE-\d+"),
    ],
)
def test_a_field_gets_what_its_name_promises(name, shape):
    for number in range(10):
        text = text_for(name, TOPICS[number % len(TOPICS)], Dice(number), place="acme/api", at_top=False)
        assert re.fullmatch(shape, text)


def test_a_summary_inside_a_list_is_about_its_topic():
    assert text_for("summary", TOPICS[0], Dice("x"), place="acme/api", at_top=False) == TOPICS[0].text
    assert "acme/api" in text_for("summary", TOPICS[0], Dice("x"), place="acme/api", at_top=True)
