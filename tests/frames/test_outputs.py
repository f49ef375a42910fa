"""Outputs as a frame: columns and dtypes from the schema alone, nothing thrown away."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pytest
from payloads import session
from pydantic import BaseModel
from records import record

from devin_jupyter.errors import OptionError
from devin_jupyter.frames import Output, SessionRows, outputs, outputs_of, read_csv, write_csv
from devin_jupyter.frames.batch import BatchRow, Inputs, batch
from devin_jupyter.frames.outputs import fields_of, list_paths
from devin_jupyter.models.enums import Phase
from devin_jupyter.models.snapshot import Sent, observe
from devin_jupyter.schema import Schema, load_schema

TAIL = ["phase", "acus", "error", "provisional", "session_id", "url"]


class Finding(BaseModel):
    file: str
    severity: Literal["low", "high"]
    cves: list[str] = []


class Meta(BaseModel):
    tool: str
    version: float | int


class Report(BaseModel):
    summary: str
    day: dt.date
    at: dt.datetime | None = None
    count: int = 7
    meta: Meta | None = None
    findings: list[Finding]


class Node(BaseModel):
    name: str
    parent: Node | None = None
    children: list[Node] = []


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    lives: float
    name: str


NOW = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
ROW = Inputs(columns=("repo",), records=[{"repo": "acme/api"}], labels=[0])
REPORT, FINDINGS = load_schema(Report), load_schema(list[Finding])
RAW = {
    "summary": "two",
    "day": "2026-11-21",
    "at": "2026-11-21T10:00:00+02:00",
    "meta": {"tool": "ruff", "version": 1},
    "findings": [
        {"file": "a.py", "severity": "high", "cves": ["C-1", "C-2"]},
        {"file": "b.py", "severity": "low"},
    ],
}


def output(raw: Any, schema: Schema | None = REPORT, number: int = 0, **changes: Any) -> Output:
    facts = {"url": "https://x.test", "phase": "done", "acus": 1.5, "provisional": False, **changes}
    return Output(session_id=f"devin-{number}", raw=raw, schema=schema, **facts)


def columns_of(source: Any, **options: Any) -> list[tuple[str, str, tuple[Any, ...]]]:
    fields = fields_of(load_schema(source).wire, **options)
    return [(field.column.name, field.column.kind, field.column.values) for field in fields]


def test_a_row_per_output_with_the_fields_first() -> None:
    frame = outputs([output(RAW)])

    fields = ["summary", "day", "at", "count", "meta.tool", "meta.version", "findings"]
    assert list(frame.columns) == [*fields, *TAIL]
    assert [str(dtype) for dtype in frame.dtypes] == [
        *["string", "datetime64[us]", "datetime64[us, UTC]", "Int64", "string", "Float64", "object"],
        *["category", "Float64", "string", "boolean", "string", "string"],
    ]
    row = frame.iloc[0]
    assert row["day"] == pd.Timestamp("2026-11-21")
    assert row["at"] == pd.Timestamp("2026-11-21T08:00:00Z")
    assert (row["count"], row["meta.tool"], row["findings"]) == (7, "ruff", RAW["findings"])
    assert pd.isna(row["error"])


def test_dtypes_are_the_same_without_outputs() -> None:
    some = outputs([output(RAW)])

    pd.testing.assert_series_equal(outputs([], schema=REPORT).dtypes, some.dtypes)
    pd.testing.assert_series_equal(outputs([output(None)], keep_empty=True).dtypes, some.dtypes)
    pd.testing.assert_series_equal(outputs([output(RAW)] * 1000).dtypes, some.dtypes)


def test_a_list_of_rows_is_a_row_per_item() -> None:
    frame = outputs([output({"items": RAW["findings"]}, FINDINGS), output({"items": []}, FINDINGS, 1)])

    assert list(frame.columns) == ["file", "severity", "cves", *TAIL]
    assert frame["file"].tolist() == ["a.py", "b.py"]
    assert frame["severity"].dtype == pd.CategoricalDtype(["low", "high"])
    assert frame["cves"].tolist() == [["C-1", "C-2"], []]
    assert frame["session_id"].tolist() == ["devin-0", "devin-0"]


def test_exploding_gives_a_row_per_item_linked_by_the_session() -> None:
    frame = outputs([output(RAW), output({**RAW, "findings": []}, number=1)], explode="findings")

    assert list(frame.columns)[:8] == [
        "summary",
        "day",
        "at",
        "count",
        "meta.tool",
        "meta.version",
        "findings.file",
        "findings.severity",
    ]
    assert frame["findings.file"].tolist() == ["a.py", "b.py"]
    assert frame["session_id"].tolist() == ["devin-0", "devin-0"]


def test_sessions_without_items_are_kept_on_request() -> None:
    given = [output(RAW), output({**RAW, "findings": []}, number=1), output(None, number=2)]

    kept = outputs(given, explode="findings", keep_empty=True)
    assert kept["session_id"].tolist() == ["devin-0", "devin-0", "devin-1", "devin-2"]
    assert kept["findings.file"].isna().tolist() == [False, False, True, True]
    assert outputs(given, explode="findings")["session_id"].unique().tolist() == ["devin-0"]
    assert outputs(given)["session_id"].tolist() == ["devin-0", "devin-1"]


def test_lists_inside_lists_are_taken_apart_on_the_way() -> None:
    deep = outputs([output(RAW)], explode="findings.cves")
    wrapped = outputs([output({"items": RAW["findings"]}, FINDINGS)], explode="cves")

    assert deep["findings.cves"].tolist() == ["C-1", "C-2"]
    assert deep["findings.file"].tolist() == ["a.py", "a.py"]
    assert wrapped["cves"].tolist() == ["C-1", "C-2"]
    assert str(wrapped["cves"].dtype) == "string"
    assert len(outputs([output(RAW)], explode="findings.cves", keep_empty=True)) == 3


@pytest.mark.parametrize("explode", ["nothing", "summary", "meta", "findings.file", "findings.nothing"])
def test_a_path_that_is_not_a_list_is_refused_and_the_lists_are_named(explode: str) -> None:
    with pytest.raises(OptionError, match="is not a list in the output") as caught:
        outputs([output(RAW)], explode=explode)
    assert "findings" in caught.value.hint


def test_an_output_that_does_not_fit_keeps_its_row_and_says_why() -> None:
    wrong = {**RAW, "summary": 3, "count": "many", "at": "soon"}

    frame = outputs([output(wrong), output("not an object", number=1), output(RAW, number=2)])

    assert "$.count" in frame.loc[0, "error"]
    assert "$: " in frame.loc[1, "error"]
    assert pd.isna(frame.loc[2, "error"])
    assert frame.loc[0, "summary"] == "3"
    assert pd.isna(frame.loc[0, "count"])
    assert pd.isna(frame.loc[0, "at"])
    assert frame.loc[0, "meta.tool"] == "ruff"


def test_a_problem_of_one_item_stands_at_that_item() -> None:
    items = [{"file": "a", "severity": "low"}, {"file": 1, "severity": "low"}, {"file": "c", "severity": "huge"}]

    frame = outputs([output({"items": items}, FINDINGS)])

    assert frame["error"].isna().tolist() == [True, False, False]
    assert "$.items[1].file" in frame.loc[1, "error"]
    assert "huge" in frame.loc[2, "error"]
    assert frame["severity"].isna().tolist() == [False, False, True]


@pytest.mark.parametrize("level", ["huge", 1, True, None, ["low"], {"unexpected": ["shape"]}])
def test_a_choice_that_the_schema_does_not_offer_leaves_the_dtype_alone(level: Any) -> None:
    schema = load_schema("level:low|high, n:int")
    row = BatchRow(phase="done", raw={"level": level, "n": 1}, schema=schema)

    found, made = outputs([output({"level": level, "n": 1}, schema)]), batch(ROW, [row], schema)

    assert found.dtypes.equals(outputs([], schema=schema).dtypes)
    assert found["level"].dtype == made["level"].dtype == pd.CategoricalDtype(["low", "high"])
    assert (pd.isna(found.loc[0, "level"]), pd.isna(made.loc[0, "level"]), found.loc[0, "n"]) == (True, True, 1)
    assert "$.level" in found.loc[0, "error"]


def test_a_choice_of_numbers_is_the_number_however_it_is_written() -> None:
    schema = load_schema("level:1|2")

    frame = outputs([output({"level": level}, schema) for level in (2, 1.0, 3, "1", True)])

    assert frame["level"].dtype == pd.CategoricalDtype([1, 2])
    assert frame["level"].tolist()[:2] == [2, 1]
    assert frame["level"].isna().tolist() == frame["error"].notna().tolist() == [False, False, True, True, True]


def test_ten_items_are_distinguished_from_one() -> None:
    items: list[Any] = [{"file": "a", "severity": "low"} for _ in range(12)]
    items[1] = {"file": 1, "severity": "low"}
    items[11] = {"file": 1, "severity": "low"}

    frame = outputs([output({"items": items}, FINDINGS)])

    assert [index for index, error in enumerate(frame["error"]) if not pd.isna(error)] == [1, 11]
    assert frame.loc[1, "error"].count("$") == 1


def test_what_a_column_cannot_hold_is_named() -> None:
    frame = outputs([output({**RAW, "count": 10**30})])

    assert pd.isna(frame.loc[0, "count"])
    assert "$.count: 1000" in frame.loc[0, "error"]


def test_missing_values_are_what_the_schema_says_they_mean() -> None:
    assert outputs([output(RAW)]).loc[0, "count"] == 7
    assert pd.isna(outputs([output({**RAW, "meta": None})]).loc[0, "meta.tool"])


def test_a_scalar_or_an_optional_model_is_unwrapped() -> None:
    assert outputs([output({"value": 3}, load_schema(int))])["value"].tolist() == [3]
    frame = outputs([output({"value": {"tool": "x", "version": 1}}, load_schema(Meta | None))])
    assert list(frame.columns) == ["tool", "version", *TAIL]
    assert outputs([output({"items": [1, 2]}, load_schema(list[int]))])["items"].tolist() == [1, 2]


def test_a_field_with_the_name_of_a_column_is_refused_before_it_hides_one() -> None:
    schema = load_schema("url:str, error:str?")
    found = [output({"url": "mine", "error": None}, schema)]

    with pytest.raises(OptionError, match="'url'"):
        outputs(found)
    assert list(outputs(found, prefix="output.").columns) == ["output.url", "output.error", *TAIL]


def test_without_a_schema_the_values_decide() -> None:
    frame = outputs([output({"a": 1, "b": {"c": "x"}, "d": [1]}, None), output({"a": 2.5, "e": None}, None)])

    assert [str(dtype) for dtype in frame.dtypes][:5] == ["Float64", "string", "object", "object", "category"]
    assert list(frame.columns)[:4] == ["a", "b.c", "d", "e"]
    assert frame["a"].tolist() == [1.0, 2.5]


def test_without_a_schema_a_text_is_kept_and_not_an_error() -> None:
    frame = outputs([output("free text", None), output({"a": 1}, None), output([1], None)])

    assert frame["error"].isna().all()
    assert len(frame) == 3


def test_outputs_of_several_schemas_share_a_frame() -> None:
    other = load_schema("summary:int, extra:str")

    frame = outputs([output(RAW), output({"summary": 1, "extra": "x"}, other)])

    assert str(frame["summary"].dtype) == "object"
    assert frame["summary"].tolist() == ["two", 1]
    assert frame["extra"].isna().tolist() == [True, False]


def test_a_schema_that_is_given_reads_all() -> None:
    frame = outputs([output({"n": 1}, None), output({"n": 2}, REPORT)], schema=load_schema("n:int"))

    assert frame["n"].tolist() == [1, 2]
    assert frame["error"].isna().all()


@pytest.mark.parametrize(
    ("source", "columns"),
    [
        ("a:low|high?, b:1|2, c:int|float, d:int|str, e:[x:int]", ["choice", "choice", "number", "object", "object"]),
        (
            {"type": "object", "properties": {"a": {"enum": [True, False]}, "b": {"enum": ["a", 1]}}},
            ["boolean", "object"],
        ),
        (
            {"type": "object", "properties": {"a": {"const": "x"}, "b": {}, "c": {"type": "object"}}},
            ["choice", "object", "object"],
        ),
        ({"type": "object", "properties": {"a": {"type": "array", "items": [{"type": "integer"}]}}}, ["object"]),
        ({"type": "object", "properties": {"a": {"allOf": [{"type": "integer"}, {"minimum": 1}]}}}, ["integer"]),
        ({"type": "object", "properties": {"a": {"anyOf": [{"const": "x"}, {"type": "string"}]}}}, ["text"]),
        ({"type": "object", "properties": {"a": {"type": "null"}}}, ["object"]),
    ],
)
def test_kinds_follow_the_schema(source: Any, columns: list[str]) -> None:
    assert [kind for _, kind, _ in columns_of(source)] == columns


def test_models_that_refer_to_themselves_end_in_object_columns() -> None:
    assert columns_of(Node) == [
        ("name", "text", ()),
        ("parent.name", "text", ()),
        ("parent.parent", "object", ()),
        ("parent.children", "object", ()),
        ("children", "object", ()),
    ]


def test_alternatives_of_objects_share_their_columns() -> None:
    class Pet(BaseModel):
        pet: Cat | Dog

    assert columns_of(Pet) == [
        ("pet.kind", "choice", ("cat", "dog")),
        ("pet.lives", "number", ()),
        ("pet.name", "text", ()),
    ]


def test_names_with_dots_stay_apart() -> None:
    source = {
        "type": "object",
        "properties": {
            "a.b": {"type": "string"},
            "a": {"type": "object", "properties": {"b": {"type": "integer"}}},
        },
    }

    frame = outputs([output({"a.b": "x", "a": {"b": 1}}, load_schema(source))])

    assert list(frame.columns)[:2] == ["['a.b']", "a.b"]
    assert frame.iloc[0, :2].tolist() == ["x", 1]


def test_names_that_would_be_equal_are_made_distinct() -> None:
    nested = {"type": "object", "properties": {"b']": {"type": "integer"}}}
    schema = load_schema({"type": "object", "properties": {"a.b": {"type": "string"}, "['a": nested}})

    frame = outputs([output({"a.b": "x", "['a": {"b']": 1}}, schema)])

    assert list(frame.columns)[:2] == ["['a.b']", "['a.b']'"]
    assert frame.iloc[0, :2].tolist() == ["x", 1]


def test_an_object_with_very_many_keys_is_a_table_and_no_record() -> None:
    table = {f"k{number}": True for number in range(300)}

    frame = outputs([output({"table": table, "flag": False}, None)])

    assert list(frame.columns)[:2] == ["table", "flag"]
    assert frame.loc[0, "table"] == table
    assert str(frame["flag"].dtype) == "boolean"


def test_definitions_that_multiply_stay_bounded() -> None:
    levels = {
        f"L{level}": {
            "type": "object",
            "properties": {side: {"$ref": f"#/definitions/L{level + 1}"} for side in ("left", "right")},
        }
        for level in range(40)
    }
    levels["L40"] = {"type": "string"}
    source = {"type": "object", "properties": {"top": {"$ref": "#/definitions/L0"}}, "definitions": levels}

    assert len(columns_of(source)) < 600


def test_the_lists_of_a_schema_are_known() -> None:
    assert list_paths(REPORT.wire, []) == [("findings",)]
    assert list_paths(REPORT.wire, [("findings",)]) == [("findings", "cves")]


def test_outputs_are_taken_from_a_sessions_frame() -> None:
    rows = SessionRows()
    rows.add([session(1), session(2, status_detail="working"), session(3, structured_output=None, acus_consumed=0)])

    found = outputs_of(rows.frame(), provisional={f"devin-{1:032x}": True}, known={}, schemas={})

    assert [item.raw for item in found] == [{"n": 1}, {"n": 1}, None]
    assert [item.provisional for item in found[:2]] == [True, True]
    assert found[2].acus is None


def test_an_output_is_final_in_a_sessions_frame_where_a_snapshot_says_so() -> None:
    sent = Sent(text="more", at=NOW, phase_before=Phase.WORKING, output_before={"n": 1})
    facts = [
        record(),
        record(schema=load_schema("n:str")),
        record(sent=sent),
        record(terminated=True),
    ]
    raws = [session(number) for number in range(len(facts))]
    looks = [observe(raw, known, at=NOW) for raw, known in zip(raws, facts, strict=True)]
    rows = SessionRows()
    rows.add_snapshots(looks)

    known = {look.session_id: known for look, known in zip(looks, facts, strict=True)}
    found = outputs_of(rows.frame(), provisional={}, known=known, schemas={})

    assert [not item.provisional for item in found] == [look.output_is_final for look in looks]
    assert [item.provisional for item in found] == [False, True, True, False]


def test_where_there_is_no_output_none_is_provisional() -> None:
    frame = outputs([output(None, provisional=True), output(RAW, number=1, provisional=True)], keep_empty=True)

    assert frame["provisional"].isna().tolist() == [True, False]
    assert str(frame["provisional"].dtype) == "boolean"


def test_a_session_without_schema_and_output_adds_no_column() -> None:
    nothing = Output(session_id="devin-9", url="", phase="done", acus=None, raw=None, provisional=False)

    frame = outputs([output(RAW), nothing], keep_empty=True)

    assert list(frame.columns) == list(outputs([output(RAW)]).columns)
    assert len(frame) == 2


def test_the_lists_of_outputs_without_a_schema_are_named() -> None:
    loose = Output(session_id="devin-9", url="", phase="done", acus=None, raw={"hits": [1]}, provisional=False)

    with pytest.raises(OptionError, match="its lists are hits"):
        outputs([loose], explode="hit")


def test_a_field_without_a_name_goes_through_csv(tmp_path: Path) -> None:
    schema = load_schema({"type": "object", "properties": {"": {"type": "string"}, "Unnamed: 1": {"type": "integer"}}})
    frame = outputs([output({"": "NA", "Unnamed: 1": 3}, schema)])

    write_csv(frame, tmp_path / "outputs.csv")

    pd.testing.assert_frame_equal(read_csv(tmp_path / "outputs.csv", like=outputs([], schema=schema)), frame)


@pytest.mark.parametrize("wrap", [lambda value: {"a": value}, lambda value: [value]], ids=["objects", "lists"])
def test_an_answer_of_nine_hundred_levels_is_a_table_with_the_inner_ones_in_one_column(wrap: Any) -> None:
    deep: Any = 1
    for _ in range(900):
        deep = wrap(deep)
    table = outputs([output({"top": deep}, None)])
    (name,) = [column for column in table.columns if column not in TAIL]
    assert name.startswith("top")
    assert table[name].notna().all()
