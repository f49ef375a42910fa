"""Whatever somebody types is understood, or refused with an error of ours."""

from __future__ import annotations

import json
from typing import Any

from fuzz.strategies import JSON, ErrorText, check_examples, short_and_long, value_or_error
from hypothesis import strategies as st

from devin_jupyter import template
from devin_jupyter.errors import OutputInvalid, SchemaError, TemplateError
from devin_jupyter.magics import commands
from devin_jupyter.options import OPTIONS, from_keywords, parse, split
from devin_jupyter.request import build, fill
from devin_jupyter.schema import load_schema

FLAGS = [option.flag for option in OPTIONS]
ODD = [
    "4h",
    "90",
    "{{ x }}",
    "{{ x",
    "}}",
    "'",
    '"',
    "\\",
    "a/b",
    "-1",
    "--",
    "=",
    "--repos=a",
    "1e9",
    "nan",
    "inf",
    "x:y",
]
COMMANDS = ["sessions", "open", "show", "send", "stop", "tags", "journal", "budget", "lock", "help", "--all", "--limit"]
NAMES: dict[str, Any] = {"x": 1, "row": {"a": "b"}, "nothing": None, "self": "me", "__name__": "n"}
HOLES = ["{{", "}}", " x ", "row.a", "|upper", "{%", "%}", "{#", "(", ")", "'", "nope", "x.__class__", "\n", "-"]
SHORTHAND = ["a:int", "b:str?", "c:x|y", "[", "]", ",", ":", "?", "|", "d:[e:int]", " ", "f:date", "{", "}"]
KEYWORDS = """type properties items required enum const $ref $defs definitions anyOf allOf oneOf not pattern format if
    minimum maxLength additionalProperties prefixItems dependentRequired then unevaluatedProperties title $id""".split()  # noqa: SIM905
VALUES = ["string", "object", "array", "#/$defs/a", "#", "http://x/y", "[a-z", "date-time", 3, -1]


def mixed_texts(pieces: list[Any], between: str = "", most: int = 10) -> st.SearchStrategy[str]:
    """Texts put together from pieces that mean something, and others."""
    word = st.sampled_from(pieces) | st.text(max_size=6)
    return st.text(max_size=60) | st.lists(word, max_size=most).map(between.join)


@short_and_long
def test_an_option_line(examples: int) -> None:
    def sent(line: str) -> None:
        build(*fill("prompt", parse(line), {}), {}, {}).check("v3")

    check_examples(examples, lambda line: value_or_error(sent, line), mixed_texts(FLAGS + ODD, " "))


@short_and_long
def test_keywords(examples: int) -> None:
    def sent(keywords: dict[str, Any]) -> None:
        body = build(*fill("prompt", from_keywords(**keywords), {}), {}, {}).body("v3", tag="nb-0")
        json.dumps(body)

    names = st.sampled_from([option.name for option in OPTIONS])
    check_examples(examples, lambda keywords: value_or_error(sent, keywords), st.dictionaries(names, JSON, max_size=4))


@short_and_long
def test_a_command_line(examples: int) -> None:
    def read(line: str) -> None:
        name, *words = split(line) or ["help"]
        commands.find(name).syntax.read(words)

    check_examples(examples, lambda line: value_or_error(read, line), mixed_texts(COMMANDS + ODD, " "))


@short_and_long
def test_a_prompt(examples: int) -> None:
    def check(text: str) -> None:
        filled = value_or_error(template.render, text, NAMES, kind=TemplateError)
        if isinstance(filled, ErrorText):
            assert "--raw" in filled.text
        else:
            assert "{{" in text or filled == text

    check_examples(examples, check, mixed_texts(HOLES))


@short_and_long
def test_a_schema_in_words(examples: int) -> None:
    check_examples(
        examples, lambda text: value_or_error(load_schema, text, NAMES, kind=SchemaError), mixed_texts(SHORTHAND)
    )


SCHEMAS = st.recursive(
    JSON | st.sampled_from(VALUES),
    lambda inner: st.dictionaries(st.sampled_from(KEYWORDS), inner, max_size=5) | st.lists(inner, max_size=3),
    max_leaves=15,
)


@short_and_long
def test_a_json_schema_and_any_answer_to_it(examples: int) -> None:
    def check(spec: dict[str, Any], answer: Any) -> None:
        schema = value_or_error(load_schema, {"type": "object", **spec}, NAMES, kind=SchemaError)
        if isinstance(schema, ErrorText):
            return
        problems = schema.check(answer)
        assert schema.is_valid(answer) is (not problems)
        assert isinstance(value_or_error(schema.load, answer, kind=OutputInvalid), ErrorText) is bool(problems)

    check_examples(examples, check, st.dictionaries(st.sampled_from(KEYWORDS), SCHEMAS, max_size=6), JSON)
