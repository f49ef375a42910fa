"""Planning a batch: every row is checked, duplicates are found, and nothing is sent."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
import pytest

from devin_jupyter import options
from devin_jupyter.batches.plan import Plan, make_plan
from devin_jupyter.errors import OptionError, TemplateError, Unsupported
from devin_jupyter.models.snapshot import Where

WHERE = Where("https://api.devin.ai", "org-1", "v3")


def plan(prompt: str, rows: Any, where: Where = WHERE, variables: Any = None, **keywords: Any) -> Plan:
    said = options.from_keywords(each=rows, **{"schema": "none", **keywords})
    return make_plan(prompt, rows, said, where=where, variables=variables)


def test_the_prompt_and_the_options_are_filled_in_for_each_row() -> None:
    made = plan(
        "Upgrade {{ row.repo }} to {{ version }}",
        pd.DataFrame({"repo": ["a/b", "a/c"], "cap": [3, 4]}),
        variables={"version": "3.13", "row": "shadowed"},
        repos=["{{ row.repo }}"],
        title="Upgrade of {{ row.repo }}",
        tags=["upgrade", "repo:{{ row.repo }}"],
        max_acu="{{ row.cap }}",
        key="up-{{ row.repo }}",
    )

    second = made.items[1].request
    assert second.prompt == "Upgrade a/c to 3.13"
    assert second.repos == ("a/c",)
    assert second.options["title"] == "Upgrade of a/c"
    assert second.tags == ("upgrade", "repo:a/c")
    assert second.max_acu == 4
    assert second.options["key"] == "up-a/c"


def test_rows_that_ask_for_the_same_are_made_once() -> None:
    made = plan("Upgrade {{ row }}", ["a/b", "a/c", "a/b"])

    assert [item.positions for item in made.items] == [(0, 2), (1,)]
    assert made.item_of_row == [0, 1, 0]


def test_a_row_is_known_by_what_it_says_not_by_where_it_stands() -> None:
    before = {item.fingerprint.text for item in plan("Upgrade {{ row }}", ["a/b", "a/c"]).items}
    after = {item.fingerprint.text for item in plan("Upgrade {{ row }}", ["a/new", "a/c", "a/b"]).items}

    assert before < after


def test_a_missing_column_stops_everything_and_names_its_rows() -> None:
    with pytest.raises(TemplateError) as refused:
        plan("Upgrade {{ row.repo }} on {{ row.branch }}", [{"repo": "a/b"}, {"repo": "a/c"}])

    assert "there is no column 'branch'" in refused.value.message
    assert "in every one of 2 rows" in refused.value.message
    assert refused.value.consequence == "nothing was sent"


def test_nulls_are_reported_with_the_labels_of_their_rows() -> None:
    frame = pd.DataFrame({"repo": ["a/b", None, "a/c", None], "note": [None] * 4}, index=list("wxyz"))

    with pytest.raises(TemplateError, match=r"row\.repo is null \(in rows x, z\)"):
        plan("Upgrade {{ row.repo }} ({{ row.note or 'no note' }})", frame)


def test_several_problems_are_reported_together() -> None:
    rows = [{"repo": "a/b", "n": n} for n in "1abcdefghij"]

    with pytest.raises(OptionError, match=r"--max-acu.*row 1.*row 2.*row 8.*and 2 more"):
        plan("Upgrade", rows, max_acu="{{ row.n }}")


def test_every_placeholder_is_reported_with_its_rows_in_the_prompt_and_empty_options_are_none() -> None:
    rows = [{"repo": "a/b", "n": 1, "team": None}, {"repo": None, "n": None, "team": None}]
    options: dict[str, Any] = {"tags": ["{{ row.team }}", "{{ row.repo }}"], "max_acu": "{{ row.n }}"}

    with pytest.raises(TemplateError) as refused:
        plan("Upgrade {{ row.repo }} on {{ row.branch }} for {{ row.n }}", rows, **options)

    found = re.findall(r"{{ (row\.\w+) }} [^;]*\((in [^)]*)\)(?=;|$)", refused.value.message)
    assert sorted(found) == [
        ("row.branch", "in every one of 2 rows"),
        ("row.n", "in row 1"),
        ("row.repo", "in row 1"),
    ]


@pytest.mark.parametrize("rows", [["a {{ b }}", "c"], ("a {{ b }}", "c"), ["a {{ b }}", ""]])
def test_rows_are_values_and_never_templates(rows: Any) -> None:
    made = plan("Do {{ row }}", rows)

    assert [item.request.prompt for item in made.items] == [f"Do {row}" for row in rows]


def test_a_field_of_the_other_version_is_refused() -> None:
    with pytest.raises(Unsupported):
        plan("Upgrade {{ row }}", ["a/b"], where=Where("https://api.devin.ai", None, "v1"), mode="lite")


def test_options_of_the_whole_batch_are_rendered_without_a_row() -> None:
    made = plan("{{ row }}", [1], variables={"week": 47}, name="week-{{ week }}", max_parallel="{{ 2 + 6 }}", limit=1)

    assert made.options["name"] == "week-47"
    assert made.max_parallel == 8
    with pytest.raises(TemplateError):
        plan("{{ row }}", [1], name="batch-{{ row }}")


def test_a_pilot_is_the_first_few_sessions() -> None:
    made = plan("{{ row }}", ["a", "a", "b", "c"], limit=2)

    assert [item.request.prompt for item in made.wanted] == ["a", "b"]


def test_no_rows_make_an_empty_plan() -> None:
    assert plan("{{ row.repo }}", pd.DataFrame({"repo": []})).items == ()


def test_raw_text_is_left_alone() -> None:
    assert plan("{{ row }}", [1], raw=True).items[0].request.prompt == "{{ row }}"


def test_labels_of_an_item_are_those_of_all_its_rows() -> None:
    made = plan("{{ row.a }}", pd.DataFrame({"a": [1, 1]}, index=["x", "y"]))

    assert made.labels(made.items[0]) == ["x", "y"]


def test_a_column_in_plain_braces_is_told_with_the_way_to_fill_it_in() -> None:
    table = pd.DataFrame({"repo": ["a/b", "a/c"]})
    made = plan("Upgrade {repo} of {{ row.repo }} for {team}", table, variables={"repo": "x", "team": "web"})

    assert made.notes == [
        "{repo} is sent as it is; to fill in a value, write {{ row.repo }}",
        "{team} is sent as it is; to fill in a value, write {{ team }}",
    ]
