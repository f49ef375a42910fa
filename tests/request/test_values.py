"""What a value of the notebook becomes in a prompt: the same text in every process, the whole of it, or a refusal."""

from __future__ import annotations

import dataclasses
import enum
import tempfile
from types import MappingProxyType, SimpleNamespace

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from devin_jupyter import options
from devin_jupyter.batches.rows import read_rows
from devin_jupyter.errors import OptionError, TemplateError, UsageMistake
from devin_jupyter.request import build, fill, read_attachments
from devin_jupyter.template import render

REPOS = {"acme/web", "acme/api", "acme/docs"}
IN_ORDER = "{'acme/api', 'acme/docs', 'acme/web'}"


class Plain:
    """Has the default repr."""


class Numbered:
    """Shows its place in memory in words of its own."""

    def __init__(self, shown: str) -> None:
        self.shown = shown

    def __repr__(self) -> str:
        return self.shown % id(self)


@dataclasses.dataclass
class Job:
    repos: set[str]


def refusal(text: str, **variables: object) -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        render(text, variables)
    assert caught.value.consequence == ""
    return caught.value


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{{ s }}", IN_ORDER),
        ("{{ [s] }}", f"[{IN_ORDER}]"),
        ("{{ (s,) }}", f"({IN_ORDER},)"),
        ("{{ {'k': s} }}", "{'k': " + IN_ORDER + "}"),
        ("{{ job }}", f"Job(repos={IN_ORDER})"),
        ("{{ job.repos | list }}", "['acme/api', 'acme/docs', 'acme/web']"),
        ("{{ s | join(', ') }}", "acme/api, acme/docs, acme/web"),
        ("{{ s | first }}", "acme/api"),
        ("{{ (s - other) | list }}", "['acme/docs', 'acme/web']"),
        ("{{ s.union(other) | list }}", "['acme/api', 'acme/docs', 'acme/web']"),
        ("{{ 'for ' ~ s }}", f"for {IN_ORDER}"),
        ("{{ other }} {{ [other] }} {{ 'for ' ~ other }}", "{'acme/api'} [{'acme/api'}] for {'acme/api'}"),
        ("{{ s - s }}", "set()"),
        ("{{ space }}", f"namespace(repos={IN_ORDER})"),
        ("{{ proxy }}", f"mappingproxy({{'k': {IN_ORDER}}})"),
        ("{{ [error] }}", f"[KeyError({IN_ORDER})]"),
        ("{{ record }}", f"Record(repos={IN_ORDER})"),
        ("{{ choice }} {{ [choice] }}", f"Choice.ALL [<Choice.ALL: {IN_ORDER}>]"),
    ],
)
def test_sets_are_filled_in_in_order_wherever_they_are(text: str, filled: str) -> None:
    others: dict[str, object] = {
        "space": SimpleNamespace(repos=REPOS),
        "proxy": MappingProxyType({"k": REPOS}),
        "error": KeyError(REPOS),
    }
    others |= {
        "record": msgspec.defstruct("Record", ["repos"])(REPOS),
        "choice": enum.Enum("Choice", {"ALL": REPOS}).ALL,
    }
    assert render(text, {"s": REPOS, "other": {"acme/api"}, "job": Job(REPOS), **others}) == filled


def test_a_set_gives_the_same_text_in_every_process(run_python, monkeypatch) -> None:
    code = "from devin_jupyter.template import render; print(render('{{ s }} {{ s | list }}', {'s': set('abcdefgh')}))"
    found = set()
    for seed in ("1", "2", "3"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        found.add(run_python(code))
    assert len(found) == 1


def test_containers_without_sets_keep_the_text_they_had() -> None:
    values = {"a": [1.0, None, "x"], "b": {"k": (1,)}, "c": Job(set()), "d": [np.float64(1.5)], "e": np.int64(3)}
    for name, value in values.items():
        assert render(f"{{{{ {name} }}}}", values) == str(value)


@pytest.mark.parametrize(
    "value",
    [
        *(Plain(), [Plain()], {"k": Plain()}, Numbered("Job(id=%d)"), [Numbered("<Job %x>")], Numbered("Job-%X")),
        *(len, render, lambda: 1, (n for n in "ab"), map(str, "ab"), [].append, pytest),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_without_a_text_that_lasts_is_refused(value: object) -> None:
    said = refusal("Look at {{ x }}", x=value)
    assert "{{ x }} cannot be filled: it is a" in said.message
    for line in ("--title '{{ x }}'", "--key 'k-{{ x }}'", "--tags '{{ x }}'"):
        with pytest.raises(TemplateError):
            fill("p", options.parse(line), {"x": value})


def test_open_files_are_refused() -> None:
    with tempfile.NamedTemporaryFile() as file:
        assert "an open file" in refusal("{{ x }}", x=file).message
        assert "an open file" in refusal("{{ x }}", x=file.file).message


def test_rows_hold_to_the_same_rules() -> None:
    rows = read_rows([{"s": REPOS, "o": Plain(), "n": 418.0}])
    assert render("{{ row.s }}", {"row": rows.template_value(0)}) == IN_ORDER
    for text in ("{{ row.o }}", "{{ row }}"):
        with pytest.raises(TemplateError):
            render(text, {"row": rows.template_value(0)})
    assert [*read_rows(REPOS).values] == sorted(REPOS)


def test_sets_in_python_options_are_sent_in_order() -> None:
    request = build(*fill("p", options.from_keywords(tags=REPOS, repos=REPOS)))
    assert request.tags == request.repos == ("acme/api", "acme/docs", "acme/web")
    with pytest.raises(OptionError):
        options.from_keywords(key=float("nan"))


FRAME = pd.DataFrame({"file": [f"src/{'x' * 80}{n}.py" for n in range(100)], "n": range(100)})
WHOLE = FRAME.to_csv(index=False).removesuffix("\n")


class Polars:
    """Stands in for a frame of polars, which the tests do not need installed."""

    columns = ("file", "n")

    def iter_rows(self):
        return FRAME.itertuples(index=False, name=None)


Polars.__module__, Polars.__name__ = "polars.dataframe.frame", "DataFrame"


@pytest.mark.parametrize("table", [FRAME, pa.Table.from_pandas(FRAME), Polars()], ids=["pandas", "pyarrow", "polars"])
def test_a_table_is_filled_in_whole_as_csv(table: object) -> None:
    assert render("{{ df }}", {"df": table}) == WHOLE


@pytest.mark.parametrize(
    "values",
    [FRAME.n, pd.Index(FRAME.n, name="n"), np.arange(100), pa.array(range(100)), pa.chunked_array([range(100)])],
    ids=lambda value: type(value).__name__,
)
def test_series_indexes_and_arrays_are_whole_too(values: object) -> None:
    lines = render("{{ x }}", {"x": values}).split("\n")
    assert [line for line in lines if line != "n"] == [str(n) for n in range(100)]


def test_labels_of_rows_stay_with_a_table() -> None:
    assert render("{{ x }}", {"x": pd.DataFrame({"a": [1]}, index=["mean"])}) == ",a\nmean,1"
    assert render("{{ x }}", {"x": np.array([[1, 2], [3, 4]])}) == "1,2\n3,4"
    assert "tolist" in refusal("{{ x }}", x=np.zeros((2, 2, 2))).hint


def test_a_table_above_64_kb_is_refused_with_both_ways_out() -> None:
    said = refusal("{{ df }}", df=pd.concat([FRAME] * 10))
    assert "bytes as CSV" in said.message
    assert "--attach df" in said.hint
    assert "{{ df.to_csv() }}" in said.hint
    assert len(render("{{ df.to_csv() }}", {"df": pd.concat([FRAME] * 10)})) > 65536
    assert "{{ x.tolist() }}" in refusal("{{ x }}", x=np.arange(100_000)).hint


def test_a_table_inside_of_something_is_refused() -> None:
    assert "there is a DataFrame inside it" in refusal("{{ x }}", x=[FRAME]).message
    assert "ndarray" in refusal("{{ x }}", x={"a": np.arange(5000)}).message


def test_every_table_can_be_attached() -> None:
    names = {"a": FRAME, "b": pa.Table.from_pandas(FRAME), "c": Polars()}
    assert {item.content for item in read_attachments(list(names), names)} == {WHOLE.encode() + b"\n"}


def test_long_strings_in_rows_are_never_cut() -> None:
    text = "x" * 100_000
    for rows in (pd.DataFrame({"log": [text]}), pd.Series([text], name="log"), [{"log": text}]):
        row = read_rows(rows).template_value(0)
        assert text in render("{{ row }}", {"row": row})
    frame = pd.DataFrame({"files": [np.array([f"f{n}" for n in range(5000)])]})
    assert "f2500" in render("{{ row }}", {"row": read_rows(frame).template_value(0)})
    assert "f2500" in render("{{ row.files }}", {"row": read_rows(frame).template_value(0)})


@pytest.mark.parametrize("number", [418.0, np.float64(418), np.float32(418)])
def test_whole_numbers_of_a_float_column_have_no_point(number: object) -> None:
    assert render("PR {{ n }} {{ '#' ~ n }} {{ [n] | join }}", {"n": number}) == "PR 418 #418 418"
    assert render("{{ n / 4 }}", {"n": number}) == "104.5"
    frame = pd.DataFrame({"pr": [number, None]}).dropna()
    row = read_rows(frame).template_value(0)
    assert render("{{ row.pr }} {{ row }}", {"row": row}) == '418 {"pr": 418}'
    assert render("{{ row }}", {"row": read_rows(frame.pr).template_value(0)}) == "418"


@pytest.mark.parametrize("null", [None, float("nan"), np.float32("nan"), pd.NaT, pd.NA, np.datetime64("NaT")])
def test_nothing_is_refused_in_a_single_cell_as_in_rows(null: object) -> None:
    for text in ("{{ x }}", "{{ 'a' ~ x }}", "{{ [x] | join }}", "{{ d.x }}"):
        said = refusal(text, x=null, d={"x": null})
        assert "None" in said.message or "a missing value" in said.message
    with pytest.raises(UsageMistake):
        fill("p", options.parse("--key 'audit-{{ x }}'"), {"x": null})
    assert render("{{ x or 'none' }}", {"x": None}) == "none"


@pytest.mark.parametrize("value", [None, float("nan"), pd.NaT, Plain(), print, iter([])])
@pytest.mark.parametrize(
    "text",
    [
        "{{ x|upper }}",
        "{{ x|trim|title }}",
        "{{ '%s of 3'|format(x) }}",
        "{{ '%s of %s' % (1, x) }}",
        "{{ '%s' % x }}",
        "{{ 'n: {}'.format(x) }}",
        "{{ 'n: {n}'.format(n=x) }}",
        "{{ 'a' ~ x }}",
        "{{ [1, x]|join(', ') }}",
    ],
)
def test_a_value_without_a_text_is_refused_inside_a_text_too(text: str, value: object) -> None:
    assert "{{" in refusal(text, x=value).message


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{{ x|upper }}", "418"),
        ("{{ '%d of %.1f'|format(x, x) }}", "418 of 418.0"),
        ("{{ '%05d' % x }}", "00418"),
        ("{{ 'n: {:.2f}'.format(x) }}", "n: 418.00"),
        ("{{ 'a b'|truncate(3, True, '', none) }}", "a b"),
        ("{{ ('%s'|format(s))|replace('acme', 'x') }}", IN_ORDER.replace("acme", "x")),
        ("{{ none|default('nothing', true)|upper }}", "NOTHING"),
    ],
)
def test_filters_and_formats_take_plain_values(text: str, filled: str) -> None:
    assert render(text, {"x": 418.0, "s": REPOS}) == filled


def test_a_column_of_floats_that_are_whole_numbers_is_filled_in_without_points():
    frame = pd.DataFrame({"pr": [418.0, None], "share": [0.5, 1.0], "huge": [1e300, 1.0]})
    assert render("{{ frame }}", {"frame": frame}) == "pr,share,huge\n418,0.5,1e+300\n,1.0,1.0"
    columns = [frame.pr.dropna(), pd.Index([418.0], name="pr"), pa.table({"pr": [418.0]})]
    assert {render("{{ values }}", {"values": values}) for values in columns} == {"pr\n418"}
    assert render("{{ values }}", {"values": np.array([[418.0, 0.5], [np.nan, 1.0]])}) == "418,0.5\n,1.0"
    assert list(frame.dtypes.astype(str)) == ["float64"] * 3


def test_the_cells_of_a_table_row_are_filled_in_like_single_values() -> None:
    table = pd.DataFrame({"number": [418.0, 7.0], "share": [0.5, 1.5], "repo": ["acme/api", "acme/web"]})
    assert render("{{ table.iloc[0] }}", {"table": table}) == ",0\nnumber,418\nshare,0.5\nrepo,acme/api"
    assert render("{{ table }}", {"table": table.astype(object)}) == render("{{ table }}", {"table": table})


@pytest.mark.parametrize(
    ("text", "why"),
    [("{{ repos | random }}", "No filter named 'random'"), ("{{ lipsum() }}", "'lipsum' is undefined")],
)
def test_what_gives_another_text_each_time_is_refused(text: str, why: str) -> None:
    assert why in refusal(text, repos=["acme/api"]).message


def test_self_is_a_name_as_any_other() -> None:
    assert render("{{ self.repos | first }} {{ self }}", {"self": Job(REPOS)}) == f"acme/api Job(repos={IN_ORDER})"
    assert "'self' is undefined" in refusal("{{ self.repos }}").message


def test_a_name_without_a_value_says_which_cell_to_run_and_a_row_what_fills_it() -> None:
    assert refusal("{{ report }}").hint.startswith("run the cell that defines it, ")
    assert refusal("{{ repos }}", repo=1).hint.startswith("correct it")
    assert refusal("{{ row.repo }}").hint.startswith("--each TABLE fills it in for each row (dj.map in Python); ")
