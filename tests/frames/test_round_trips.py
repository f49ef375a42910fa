"""From a schema to a simulated output, to a frame, to a file and back: the same, for schemas nobody thought of."""

from __future__ import annotations

import datetime as dt
import enum
import json
import os
import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from payloads import json_values
from pydantic import BaseModel, create_model

from devin_jupyter import frames
from devin_jupyter.errors import OutputInvalid, SchemaError
from devin_jupyter.schema import Schema, from_wire, load_schema
from devin_jupyter.simulator.outputs import output_for

NAMES = st.sampled_from(["a", "b", "file", "title", "$ref", "count", "a.b", "items", "ä ö", "url", "definitions"])
PLAIN: list[dict[str, Any]] = [
    {"type": "string"},
    {"type": "string", "format": "date"},
    {"type": "string", "format": "date-time"},
    {"type": "integer", "minimum": -5},
    {"type": "number"},
    {"type": "boolean"},
    {"type": ["string", "null"]},
    {"enum": ["low", "high"]},
    {"enum": [1, 2, 3]},
    {"enum": ["a", None, 2]},
    {"const": "fixed"},
    {},
]


def _object(properties: dict[str, Any], required: bool) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": sorted(properties) if required else []}


schemas = st.recursive(
    st.sampled_from(PLAIN),
    lambda inner: st.one_of(
        st.builds(_object, st.dictionaries(NAMES, inner, max_size=4), st.booleans()),
        inner.map(lambda items: {"type": "array", "items": items}),
        st.lists(inner, min_size=1, max_size=3).map(lambda options: {"anyOf": options}),
        inner.map(lambda schema: {"anyOf": [schema, {"type": "null"}]}),
    ),
    max_leaves=12,
)
objects = st.builds(_object, st.dictionaries(NAMES, schemas, min_size=1, max_size=5), st.booleans())
seeds = st.integers(0, 10**6).map(str)


def rows_of(schema: Schema, seed: str, count: int = 3) -> list[frames.Output]:
    made = [output_for(schema.wire, seed=f"{seed}/{number}", place="acme/api") for number in range(count)]
    return [
        frames.Output(
            session_id=f"devin-{number}",
            url="https://app.devin.ai",
            phase="done",
            acus=None if number else 1.5,
            raw=raw,
            provisional=False,
            schema=schema,
        )
        for number, raw in enumerate(made)
    ]


def there_and_back(frame: pd.DataFrame) -> pd.DataFrame:
    with tempfile.TemporaryDirectory() as folder:
        frames.write_parquet(frame, Path(folder) / "a.parquet")
        return frames.read_parquet(Path(folder) / "a.parquet")


@given(objects, seeds)
def test_a_simulated_output_of_any_schema_comes_back_from_parquet_as_it_was(source: dict[str, Any], seed: str) -> None:
    schema = load_schema(source)
    found = rows_of(schema, seed)
    assume(any(item.raw is not None for item in found))

    frame = frames.outputs(found, keep_empty=True, prefix="out.")

    assert frame["error"].isna().all(), frame["error"].tolist()
    assert len(frame) == 3
    pd.testing.assert_frame_equal(there_and_back(frame), frame)
    pd.testing.assert_series_equal(frames.outputs([], schema=schema, prefix="out.").dtypes, frame.dtypes)
    pd.testing.assert_series_equal(there_and_back(frame.head(0)).dtypes, frame.dtypes)


@given(schemas, seeds)
def test_a_list_of_anything_is_a_row_per_item(items: dict[str, Any], seed: str) -> None:
    schema = load_schema(
        "rows", {"rows": {"type": "object", "properties": {"rows": {"type": "array", "items": items}}}}
    )
    found = rows_of(schema, seed)
    assume(all(item.raw is not None for item in found))

    frame = frames.outputs(found, explode="rows", prefix="out.")

    assert len(frame) == sum(len(item.raw.get("rows") or ()) for item in found)
    assert frame["error"].isna().all()
    pd.testing.assert_series_equal(
        frames.outputs([], schema=schema, explode="rows", prefix="out.").dtypes, frame.dtypes
    )


class Severity(enum.Enum):
    LOW = "low"
    HIGH = "high"


class Inner(BaseModel):
    file: str
    line: int = 1


types = st.recursive(
    st.sampled_from(
        [str, int, float, bool, dt.date, dt.datetime, Severity, Inner, Literal["x", "y"], Literal[1, 2], Any]
    ),
    lambda inner: st.one_of(
        inner.map(lambda kind: list[kind]),  # type: ignore[valid-type]
        inner.map(lambda kind: dict[str, kind]),  # type: ignore[valid-type]
        inner.map(lambda kind: kind | None),
        st.tuples(inner, inner).map(lambda pair: pair[0] | pair[1] if pair[0] is not Any else pair[1]),
    ),
    max_leaves=4,
)
FIELDS = st.dictionaries(st.sampled_from(["one", "two", "three", "count", "title"]), types, min_size=1)


@given(FIELDS, st.booleans(), seeds)
def test_an_output_of_any_model_is_loaded_as_that_model(fields: dict[str, Any], optional: bool, seed: str) -> None:
    definition: dict[str, Any] = {name: (kind, None) if optional else (kind, ...) for name, kind in fields.items()}
    model = create_model("Random", **definition)
    schema = load_schema(list[model])  # type: ignore[valid-type]
    found = rows_of(schema, seed)
    assume(all(item.raw is not None for item in found))

    for item in found:
        loaded = schema.load(item.raw)
        assert all(isinstance(one, model) for one in loaded)
        assert from_wire(json.loads(json.dumps(schema.wire))).load(item.raw) == item.raw["items"]
    frame = frames.outputs(found, prefix="out.")
    pd.testing.assert_frame_equal(there_and_back(frame), frame)
    pd.testing.assert_series_equal(frames.outputs([], schema=schema, prefix="out.").dtypes, frame.dtypes)


@pytest.mark.parametrize("kind", [dt.timedelta, Decimal, Decimal | None, list[Decimal]])
def test_what_json_has_no_word_for_is_simulated_as_its_type_reads_it(kind: Any) -> None:
    schema = load_schema(kind)

    for seed in range(20):
        output = output_for(schema.wire, seed=str(seed), place="acme/api")
        assert schema.check(output) == []
        schema.load(output)


def loaded_or_refused(source: Any, names: dict[str, Any] | None = None) -> Schema | None:
    try:
        return load_schema(source, names)
    except SchemaError as problem:
        refused = problem
    assert 1 <= len(refused.lines) <= 3
    return None


@given(json_values | objects, json_values)
@example({"type": "object", "properties": {"a": {"$ref": "#"}}}, {"a": {"a": 3}})
@example({"type": "object", "$ref": "#"}, {})
@example({"type": "object", "items": [{}], "prefixItems": [{}]}, {})
@example({"type": "object", "allOf": 3, "anyOf": {}, "properties": []}, {})
@example({"type": "object", "dependentRequired": 3, "$defs": 3, "definitions": None}, {})
@example({"type": "object", "$defs": {"a": 3}, "definitions": {"a": 4}}, {})
@example({"type": ["object"], "enum": 3, "nullable": True}, {})
@example({"type": "object", "properties": {"a": {"$ref": "#/properties/a/items/9"}}}, {})
@example({"type": "object", "$id": 3, "properties": {"a": {"$id": 4, "$anchor": {}}}}, {})
def test_any_json_is_a_schema_or_refused_in_words(source: Any, value: Any) -> None:
    schema = loaded_or_refused(source if isinstance(source, (dict, str)) else {"type": "object", "x": source})
    if schema is None:
        return
    assert schema.wire["type"] in ("object", ["object"])
    assert isinstance(schema.check(value), list)
    assert isinstance(schema.identity, dict)
    frames.outputs([], schema=schema, prefix="out.")


@given(objects, json_values)
def test_any_answer_is_typed_or_its_problems_are_listed(source: dict[str, Any], value: Any) -> None:
    schema = load_schema(source)
    if schema.is_valid(value):
        assert schema.load(value) == value
    else:
        with pytest.raises(OutputInvalid) as caught:
            schema.load(value)
        assert caught.value.problems
    odd = frames.Output(
        session_id="devin-1", url="", phase="done", acus=None, raw=value, provisional=True, schema=schema
    )
    assert len(frames.outputs([odd], keep_empty=True, prefix="out.")) == 1


@given(st.text(max_size=30) | st.from_regex(r"\[?[a-z]+:[a-z|?,: \[\]]*", fullmatch=True))
def test_any_text_is_a_schema_or_refused_in_words(text: str) -> None:
    schema = loaded_or_refused(text, {"Inner": Inner, "text": "Inner"})

    assert schema is None or schema.wire["type"] == "object"


@pytest.mark.fuzz
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "test",
    [
        test_a_simulated_output_of_any_schema_comes_back_from_parquet_as_it_was,
        test_a_list_of_anything_is_a_row_per_item,
        test_an_output_of_any_model_is_loaded_as_that_model,
        test_any_json_is_a_schema_or_refused_in_words,
        test_any_answer_is_typed_or_its_problems_are_listed,
        test_any_text_is_a_schema_or_refused_in_words,
    ],
)
def test_it_holds_for_many_more(test: Callable[[], None]) -> None:
    settings(
        max_examples=1000,
        derandomize="FUZZ_ANEW" not in os.environ,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )(test)()
