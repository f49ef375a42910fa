"""Templates: one strict pass over expressions, everything else byte for byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devin_jupyter.errors import TemplateError
from devin_jupyter.options import IN_PYTHON, not_filled_in
from devin_jupyter.template import render


def refusal(text, **variables):
    with pytest.raises(TemplateError) as caught:
        render(text, variables)
    assert "--raw" in str(caught.value)
    assert len(caught.value.lines) <= 3
    return str(caught.value)


def test_expressions_are_filled_in():
    assert render(
        "Fix {{ repo }} in {{ days + 1 }} days, {{ who | upper }}", {"repo": "a/b", "days": 2, "who": "x"}
    ) == ("Fix a/b in 3 days, X")


def test_text_around_expressions_keeps_every_byte():
    text = "{% raw %}\r\n${x} {# note #} {{ n }} %s {a: {b: 1}}\t\r\n\n"
    assert render(text, {"n": 1}) == text.replace("{{ n }}", "1")


@given(st.text().filter(lambda text: "{{" not in text))
def test_a_text_without_double_braces_is_untouched(text):
    assert render(text, {}) == text


@given(st.text(), st.text())
def test_values_are_never_rendered_again(before, value):
    assert render("{{ x }}", {"x": value + "{{ y }}"}) == value + "{{ y }}"


def test_braces_and_quotes_inside_an_expression_do_not_end_it():
    assert render("""{{ {"}}": 1}["}}"] }} {{ "}}" }} {{ '{{' }}""", {}) == "1 }} {{"


def test_an_unknown_name_names_the_nearest_and_the_way_out():
    said = refusal("{{ reop }}", repo=1)
    assert "did you mean repo?" in said


@pytest.mark.parametrize("text", ["{{ a +* b }}", "{{ }}", "{{ 1 / 0 }}", "{{ x.y }}", "{{ x.__class__ }}"])
def test_what_cannot_be_filled_in_is_an_error_that_quotes_it(text):
    assert text in refusal(text, x=1)


def test_an_expression_that_is_never_closed_is_an_error():
    assert "never closed" in refusal("{{ open")


def test_an_object_that_raises_while_it_is_shown_is_an_error():
    class Broken:
        def __str__(self):
            raise RuntimeError("no text for you")

    assert "no text for you" in refusal("{{ x }}", x=Broken())


def test_the_sandbox_refuses_to_reach_behind_objects():
    assert "__globals__" in refusal("{{ f.__globals__ }}", f=render)
    assert "__class__" in refusal("{{ ().__class__.__base__.__subclasses__() }}")


def test_jinja_is_not_loaded_for_a_text_without_expressions(run_python):
    out = run_python(
        "import sys; from devin_jupyter.template import render; render('{% x %}', {}); print('jinja2' in sys.modules)"
    )
    assert out.strip() == "False"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Fix {repo}", "{repo} is sent as it is; to fill in a value, write {{ repo }}"),
        ("Fix $repo", "$repo is sent as it is; to fill in a value, write {{ repo }}"),
        ("Fix ${repo}", "${repo} is sent as it is; to fill in a value, write {{ repo }}"),
        ("{row.n:.2f}", "{row.n:.2f} is sent as it is; to fill in a value, write {{ row.n }}"),
        ("{repo} $n {repo}", "{repo}, $n are sent as they are; to fill in a value, write {{ repo }}, {{ n }}"),
    ],
)
def test_a_name_that_another_tool_would_fill_in_is_noted_in_one_line(text, said):
    assert not_filled_in(text, {}, {"repo": "a/b", "n": 1, "row": None}) == (said,)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Look at {{ repo }}", "{{ repo }} is sent as it is; to fill in a value, write {repo} in an f-string"),
        ("{{ row.n | round }}", "{{ row.n | round }} is sent as it is; to fill in a value, write {row} in an f-string"),
        ("{{ row.n }}", "{{ row.n }} is sent as it is; to fill in a value, write {row.n} in an f-string"),
        ("${{ repo }} {{ secrets.X }} {{ 'repo' }} {{ x.repo }} {{ print }} {% if n %}", None),
    ],
)
def test_where_nothing_is_filled_in_a_double_brace_with_a_name_is_noted(text, said):
    known = {"repo": "a/b", "n": 1, "row": None, "print": print}
    assert not_filled_in(text, {}, known, IN_PYTHON, fills=False) == ((said,) if said else ())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{% if x %}a{% endif %}", "{% if x %}, {% endif %} are sent as they are: only {{ }} is filled in"),
        ("{# todo #} now", "{# todo #} is sent as it is: only {{ }} is filled in"),
        ("{{ '{% if x %}' }} {#if x} {% x %} {%", None),
    ],
)
def test_statements_and_comments_of_jinja_are_noted(text, said):
    assert not_filled_in(text, {}, {}) == ((said,) if said else ())


@pytest.mark.parametrize(
    "text",
    [
        "{{ repo }}",
        "{other} $other",
        "{repo: 1}",
        "{% repo %}",
        "a$repo",
        "{print}",
        "costs $5",
        "\\{repo}",
        "{ repo }",
    ],
)
def test_what_names_no_variable_is_not_noted(text):
    assert not_filled_in(text, {}, {"repo": "a/b", "print": print}) == ()


def test_names_in_options_are_noted_and_raw_is_meant():
    assert not_filled_in("p", {"title": "{repo}"}, {"repo": 1})
    assert not not_filled_in("{repo}", {"raw": True}, {"repo": 1})
