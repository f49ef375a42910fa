"""Every source of a schema, and the typed answers it gives back."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import json
import typing
from typing import Any, Generic, Literal, NamedTuple, NotRequired, TypedDict, TypeVar

import pydantic
import pytest
from pydantic import BaseModel, ConfigDict, Field

from devin_jupyter.errors import OutputInvalid, SchemaError
from devin_jupyter.schema import Schema, from_wire, is_schema_like, load_schema

T = TypeVar("T")


class Severity(enum.Enum):
    LOW = "low"
    HIGH = "high"


class Finding(BaseModel):
    file: str
    severity: Severity
    title: str | None = None
    seen: dt.datetime
    line: int = Field(ge=1, description="where")


class Tree(BaseModel):
    name: str
    children: list[Tree] = []


class Page(BaseModel, Generic[T]):
    rows: list[T]
    kind: Literal["a", "b"] = "a"


class Aliased(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    from_: str = Field(alias="from")


@dataclasses.dataclass
class Plain:
    count: int
    finding: Finding


@pydantic.dataclasses.dataclass
class Checked:
    count: int


class Old(TypedDict, total=False):
    count: typing.Required[int]
    day: dt.date


class Branch(TypedDict):
    """Refers to itself; its marks are texts, as in a module that postpones annotations."""

    name: str
    children: NotRequired[list[Branch]]


class Nested(TypedDict):
    one: Old
    many: list[Old]


class Pair(NamedTuple):
    left: int
    right: str


NAMES: dict[str, Any] = {**globals(), "shape": {"type": "object", "properties": {"a": {"type": "integer"}}}}
FINDING = {"file": "a.py", "severity": "low", "seen": "2026-01-02T03:04:05", "line": 3}
TYPED = Finding(file="a.py", severity=Severity.LOW, seen=dt.datetime(2026, 1, 2, 3, 4, 5), line=3)


@pytest.mark.parametrize(
    ("spec", "raw", "typed"),
    [
        ("Finding", FINDING, TYPED),
        ("list[Finding]", {"items": [FINDING]}, [TYPED]),
        ("[Finding]", {"items": [FINDING]}, [TYPED]),
        ("Finding | None", {"value": None}, None),
        ("Optional[Finding]", {"value": FINDING}, TYPED),
        ("Page[Finding]", {"rows": [FINDING]}, Page[Finding](rows=[TYPED])),
        ("Tree", {"name": "a", "children": [{"name": "b"}]}, Tree(name="a", children=[Tree(name="b")])),
        ("Aliased", {"from": "x"}, Aliased(from_="x")),
        ("Plain", {"count": 1, "finding": FINDING}, Plain(1, TYPED)),
        ("Checked", {"count": 1}, Checked(1)),
        ("Old", {"count": 1, "day": "2026-01-02"}, {"count": 1, "day": dt.date(2026, 1, 2)}),
        ("Nested", {"one": {"count": 1}, "many": [{"count": 2}]}, {"one": {"count": 1}, "many": [{"count": 2}]}),
        ("list[Old | None]", {"items": [None, {"count": 1}]}, [None, {"count": 1}]),
        ("Pair", {"value": [1, "a"]}, Pair(1, "a")),
        ("Severity", {"value": "high"}, Severity.HIGH),
        ("Literal['a', 'b']", {"value": "b"}, "b"),
        ("int", {"value": 3}, 3),
        ("dict[str, int]", {"a": 1}, {"a": 1}),
        ("shape", {"a": 1}, {"a": 1}),
        ('{"type": "object"}', {"x": 1}, {"x": 1}),
        ("severity:low|high, count:int", {"severity": "low", "count": 1}, {"severity": "low", "count": 1}),
        ("[name:str]", {"items": [{"name": "a"}]}, [{"name": "a"}]),
    ],
)
def test_an_answer_comes_back_as_what_was_asked_for(spec: str, raw: Any, typed: Any) -> None:
    schema = load_schema(spec, NAMES)

    assert schema.check(raw) == []
    assert schema.load(raw) == typed
    assert type(schema.load(raw)) is type(typed)
    assert schema.wire["type"] == "object"


@pytest.mark.parametrize("spec", ["Finding", "list[Finding]", "Finding | None", "Page[Finding]", "[name:str]"])
def test_a_schema_that_was_sent_reads_answers_without_the_type(spec: str) -> None:
    sent = json.loads(json.dumps(load_schema(spec, NAMES).wire))

    schema = from_wire(sent)

    assert schema.wire == sent
    assert schema.identity == load_schema(spec, NAMES).identity


def test_a_list_that_was_sent_is_unwrapped_without_the_type_too() -> None:
    schema = from_wire(load_schema("list[Finding]", NAMES).wire)

    assert schema.is_list
    assert schema.load({"items": [FINDING]}) == [FINDING]


def test_an_object_with_a_list_called_items_is_not_unwrapped() -> None:
    schema = load_schema({"type": "object", "properties": {"items": {"type": "array"}}, "required": ["items"]})

    assert schema.item_key is None
    assert schema.load({"items": [1]}) == {"items": [1]}


@pytest.mark.parametrize(
    "source", [Finding, list[Finding], Plain, int, Finding | None, pydantic.TypeAdapter(Finding), Old | None, list[Old]]
)
def test_types_are_taken_as_objects(source: Any) -> None:
    assert isinstance(load_schema(source), Schema)


def test_a_schema_is_taken_as_it_is() -> None:
    schema = load_schema(Finding)

    assert load_schema(schema) is schema
    assert load_schema("name", {"name": schema}) is schema


def test_a_name_may_stand_for_another_text() -> None:
    assert load_schema("short", {"short": "count:int"}).load({"count": 1}) == {"count": 1}


def test_a_name_that_stands_for_itself_ends() -> None:
    with pytest.raises(SchemaError):
        load_schema("loop", {"loop": "loop"})


def test_a_file_is_read_from_its_folder(tmp_path: Any) -> None:
    (tmp_path / "s.json").write_text('\ufeff{"type": "object"}', "utf-8")

    assert load_schema("s.json", folder=tmp_path).wire["type"] == "object"
    assert load_schema(tmp_path / "s.json").wire["type"] == "object"


def test_a_later_change_of_the_dict_changes_nothing() -> None:
    source = {"type": "object", "properties": {"a": {"type": "integer"}}}
    schema = load_schema(source)

    source["properties"]["a"]["type"] = "string"

    assert schema.wire["properties"]["a"]["type"] == "integer"


def test_shorthand_has_all_its_types_and_optional_fields() -> None:
    wire = load_schema(
        "s:str, i:int, f:float, b:bool, d:date, t:datetime, e:1|2|3, m:int|str, o:low|high?, l:[x:str]?"
    ).wire

    properties = wire["properties"]
    assert properties["d"] == {"type": "string", "format": "date"}
    assert properties["t"] == {"type": "string", "format": "date-time"}
    assert properties["e"] == {"type": "integer", "enum": [1, 2, 3]}
    assert properties["m"] == {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    assert properties["o"] == {"type": ["string", "null"], "enum": ["low", "high", None]}
    assert properties["l"]["items"]["properties"] == {"x": {"type": "string"}}
    assert wire["required"] == ["s", "i", "f", "b", "d", "t", "e", "m"]


def test_every_problem_is_listed_with_its_place() -> None:
    schema = load_schema(list[Finding])
    raw = {"items": [FINDING, {"file": 3, "severity": "x", "seen": "soon", "line": 0}, 7]}

    assert sorted(schema.check(raw)) == [
        '$.items[1].file: 3 is not of type "string"',
        "$.items[1].line: 0 is less than the minimum of 1",
        '$.items[1].seen: "soon" is not a "date-time"',
        '$.items[1].severity: "x" is not one of "low" or "high"',
        '$.items[2]: 7 is not of type "object"',
    ]
    with pytest.raises(OutputInvalid, match="4 more") as caught:
        schema.load(raw, session_id="devin-1")
    assert caught.value.raw == raw
    assert len(caught.value.problems) == 5
    assert caught.value.session_id == "devin-1"


class Picky(BaseModel):
    name: str

    @pydantic.field_validator("name")
    @classmethod
    def check(cls, value: str) -> str:
        if value == "raise":
            raise KeyError(value)
        if value == "refuse":
            raise ValueError("not this name")
        return value


@pytest.mark.parametrize(("name", "words"), [("refuse", "not this name"), ("raise", "KeyError")])
def test_validators_of_the_author_make_an_output_invalid_too(name: str, words: str) -> None:
    schema = load_schema(list[Picky])

    with pytest.raises(OutputInvalid, match=words) as caught:
        schema.load({"items": [{"name": "fine"}, {"name": name}]})

    assert caught.value.problems[0].startswith("$.items")


@pytest.mark.parametrize("raw", [None, 5, "x", [], {"items": {1, 2}}, {1: 2}, {"items": "\ud800"}, {"items": object()}])
def test_anything_at_all_can_be_checked(raw: Any) -> None:
    schema = load_schema(list[Finding])

    assert schema.check(raw)
    assert not schema.is_valid(raw)


def test_what_is_wrong_with_a_long_value_is_shown_without_the_whole_of_it() -> None:
    (problem,) = load_schema("a:int").check({"a": "x" * 5000})

    assert problem.endswith('is not of type "integer"')
    assert len(problem) < 400


def test_a_date_time_without_a_zone_is_one() -> None:
    assert load_schema("at:datetime").is_valid({"at": "2026-01-02T03:04:05"})
    assert load_schema("at:date").check({"at": "2026-13-01"}) == ['$.at: "2026-13-01" is not a "date"']


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("Findng", r"did you mean Finding\?"),
        ("", "empty"),
        ("{", "line 1, column 2"),
        ("[1, 2", "not closed|cannot be read"),
        ("missing.json", "cannot be read"),
        ("a:strng", r"did you mean str\?"),
        ("a:low|int", "mixes types and values"),
        ("a:int, a:str", "occurs twice"),
        ("a:low|low", "repeated"),
        ("a:, b:int", "not a schema field"),
        ("[a:int", "not closed"),
        ("a:[b", "brackets"),
        ("a:]b[", "brackets"),
        ("a:" + "[" * 30 + "int" + "]" * 30, "brackets"),
        ("1 + 1", "cannot be read"),
        ("Finding()", "cannot be read"),
        ("shape['type']", "cannot be read"),
        ("Finding.nothing", "there is no 'nothing'"),
        ("list[Findng]", r"did you mean Finding\?"),
        ("int[str]", "not a type"),
        ("json", "is a module"),
        ("dt", "is a module"),
    ],
)
def test_a_text_that_is_not_a_schema_is_refused_with_the_place(spec: str, words: str) -> None:
    with pytest.raises(SchemaError, match=words) as caught:
        load_schema(spec, NAMES)

    assert len(caught.value.lines) <= 3


@pytest.mark.parametrize("source", [None, 3, TYPED, print, b"{}", ["a"]])
def test_an_object_that_is_not_a_schema_is_refused(source: Any) -> None:
    with pytest.raises(SchemaError, match="is not a schema"):
        load_schema(source)


class Opaque:
    pass


@pytest.mark.parametrize("source", [Opaque, list[Opaque], dict[str, Opaque]])
def test_a_type_without_a_json_form_is_refused(source: Any) -> None:
    with pytest.raises(SchemaError, match="cannot be a schema"):
        load_schema(source)


def test_a_file_that_is_not_an_object_is_refused(tmp_path: Any) -> None:
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "broken.json").write_bytes(b"\xff\xfe")

    for name, words in (("list.json", "not an object"), ("broken.json", "cannot be read")):
        with pytest.raises(SchemaError, match=words):
            load_schema(name, folder=tmp_path)


def test_names_that_could_be_schemas_are_known() -> None:
    names = [name for name, value in NAMES.items() if not name.startswith("_") and is_schema_like(value)]

    assert {"Finding", "shape", "Plain", "Old"} <= set(names)
    assert "json" not in names


def test_a_typed_dict_may_refer_to_itself() -> None:
    schema = load_schema(Branch)
    tree = {"name": "a", "children": [{"name": "b"}]}

    assert schema.wire["required"] == ["name"]
    assert schema.load(tree) == tree
    assert schema.check({"name": "a", "children": [{}]}) == ['$.children[0]: "name" is a required property']
    assert load_schema(list[Branch]).load({"items": [tree]}) == [tree]


def test_a_model_that_reads_a_field_from_a_path_is_refused_before_it_is_paid_for():
    class Inner(pydantic.BaseModel):
        a: int = pydantic.Field(validation_alias=pydantic.AliasPath("x", 0))

    class Outer(pydantic.BaseModel):
        inner: list[Inner]

    class Choice(pydantic.BaseModel):
        a: int = pydantic.Field(validation_alias=pydantic.AliasChoices("q", pydantic.AliasPath("x", 0)))

    @pydantic.dataclasses.dataclass
    class Record:
        a: int = pydantic.Field(validation_alias=pydantic.AliasPath("x", 0))

    for model in (Inner, Outer, list[Inner], Record, dict[str, Record]):
        with pytest.raises(SchemaError, match=r"field 'a' from a path \(AliasPath\)"):
            load_schema(model)
    assert load_schema(Choice).load({"q": 1}).a == 1


@pytest.mark.parametrize("alias", ["q", pydantic.AliasChoices("q", "r")])
def test_a_model_that_is_read_by_name_while_its_schema_shows_an_alias_is_refused(alias):
    class Named(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(validate_by_name=True, validate_by_alias=False)
        a: int = pydantic.Field(validation_alias=alias)

    class Both(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(validate_by_name=True, validate_by_alias=True)
        a: int = pydantic.Field(validation_alias=alias)

    with pytest.raises(SchemaError, match=r"field 'a' by its name only"):
        load_schema(Named)
    assert load_schema(Both).load({"q": 1}).a == 1


def test_a_model_of_pydantic_v1_is_refused_in_words_that_say_so_however_deep_it_is():
    from pydantic.v1 import BaseModel as OldModel

    class Old(OldModel):
        a: int

    @dataclasses.dataclass
    class Record:
        rows: dict[str, list[Old]]

    class Row(TypedDict):
        row: Old | None

    class Pair(NamedTuple):
        first: Old

    globals()["Old"] = Old  # the annotations of this file are texts, and are looked up here
    with pytest.warns(UserWarning, match="Mixing V1 models"):
        outer = pydantic.create_model("Outer", records=(list[Record], ...), __module__=__name__)
    new = typing.NewType("new", Old)
    try:
        for spec in (Old, list[Old], Record, Row, Pair, new, dict[str, Row], outer, list[outer]):
            with pytest.raises(SchemaError, match=r"Old is a model of pydantic\.v1"):
                load_schema(spec)
    finally:
        del globals()["Old"]


@pytest.mark.parametrize("key", ["definitions", "$defs"])
def test_any_reference_within_the_schema_is_resolved(key):
    spec = {
        "type": "object",
        key: {"group": {"Inner": {"type": "object", "properties": {"n": {"$ref": "#/x-more/N"}}}}},
        "x-more": {"N": {"type": "integer"}},
        "properties": {"a": {"$ref": f"#/{key}/group/Inner"}, "b": {"$ref": "#/properties/a"}},
    }
    schema = load_schema(spec)
    assert schema.is_valid({"a": {"n": 1}, "b": {"n": 2}})
    assert not schema.is_valid({"a": {"n": "x"}})
    assert not schema.is_valid({"b": {"n": "x"}})
