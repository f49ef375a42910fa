"""The rows of a batch: what may be given, and what `row` is in a template."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pydantic import BaseModel

from devin_jupyter import template
from devin_jupyter.batches.rows import named, plain, read_rows
from devin_jupyter.errors import OptionError, TemplateError


def fill(text: str, rows: object, position: int = 0) -> str:
    return template.render(text, {"row": read_rows(rows).template_value(position)})


def test_a_frame_gives_its_columns_and_its_index_labels() -> None:
    rows = read_rows(pd.DataFrame({"repo": ["a/b", "a/c"], "n": [1, 2]}, index=["x", "y"]))

    assert rows.labels == ("x", "y")
    assert rows.columns == ("repo", "n")
    assert rows.record(1) == {"repo": "a/c", "n": 2}
    assert type(rows.record(1)["n"]) is int


def test_a_named_index_is_a_column_too() -> None:
    frame = pd.DataFrame({"repo": ["a/b"], "n": [1]}).set_index("repo")

    assert fill("{{ row.repo }} {{ row.n }}", frame) == "a/b 1"
    assert read_rows(frame).labels == ("a/b",)


def test_plain_values_are_the_row_itself() -> None:
    assert fill("Upgrade {{ row }}", ["a/b", "a/c"], 1) == "Upgrade a/c"
    assert read_rows(["a/b"]).record(0) == {"row": "a/b"}


def test_a_series_keeps_its_labels_and_its_name() -> None:
    rows = read_rows(pd.Series(["a/b"], index=["first"], name="repo"))

    assert (rows.labels, rows.record(0)) == (("first",), {"repo": "a/b"})
    assert fill("{{ row }}", rows) == "a/b"


class Finding(BaseModel):
    file: str


@dataclass
class Place:
    file: str


Spot = namedtuple("Spot", "file")


@pytest.mark.parametrize("item", [{"file": "a.py"}, Finding(file="a.py"), Place("a.py"), Spot("a.py")])
def test_records_of_every_kind_have_columns(item: object) -> None:
    assert fill("Fix {{ row.file }}", [item]) == "Fix a.py"


def test_columns_named_like_methods_are_columns() -> None:
    assert fill("{{ row.items }} {{ row.keys }} {{ row['a b'] }}", [{"items": 1, "keys": 2, "a b": 3}]) == "1 2 3"


def test_a_whole_row_prints_as_json() -> None:
    assert fill("{{ row }}", [{"repo": "a/b", "n": None}]) == '{"repo": "a/b", "n": null}'


@pytest.mark.parametrize("null", [None, float("nan"), pd.NA, pd.NaT, np.datetime64("NaT")])
def test_a_null_can_be_defaulted_but_not_printed(null: object) -> None:
    rows = [{"branch": null}]

    assert fill("{{ row.branch or 'main' }}", rows) == "main"
    assert fill("{{ row.branch | default('main') }}", rows) == "main"
    assert fill("{{ 'yes' if row.branch else 'no' }}", rows) == "no"
    with pytest.raises(TemplateError, match=r"row\.branch is null"):
        fill("{{ row.branch }}", rows)
    with pytest.raises(TemplateError, match=r"row\.branch is null"):
        fill("{{ row.branch | upper }}", rows)


def test_a_missing_column_is_named_with_the_nearest_one() -> None:
    with pytest.raises(TemplateError, match=r"there is no column 'rpo' \(did you mean repo\?\)"):
        fill("{{ row.rpo }}", [{"repo": "a/b"}])


@pytest.mark.parametrize("given", ["a/b", b"a/b", {"repo": ["a/b"]}, 3, None])
def test_what_is_not_rows_is_refused_with_what_is(given: object) -> None:
    with pytest.raises(OptionError, match="cannot be of type") as refused:
        read_rows(given)
    assert "DataFrame" in refused.value.hint


def test_mixtures_and_repeated_columns_are_refused() -> None:
    with pytest.raises(OptionError, match="some rows have columns and some are plain values: row 1"):
        read_rows([{"repo": "a/b"}, "a/c"])
    with pytest.raises(OptionError, match="more than one column 'a'"):
        read_rows(pd.DataFrame([[1, 2]], columns=["a", "a"]))


def test_no_rows_are_rows() -> None:
    assert len(read_rows([])) == 0
    assert read_rows(pd.DataFrame({"repo": []})).columns == ("repo",)


def test_cells_become_json_by_which_they_are_known_again() -> None:
    cells = {
        "int": np.int64(3),
        "float": 0.5,
        "when": datetime(2026, 11, 22),
        "stamp": pd.Timestamp("2026-11-22"),
        "nothing": pd.NA,
        "money": Decimal("1.50"),
        "list": [np.bool_(True), {1: None}],
        "other": Spot,
    }

    stored = plain(cells)

    assert stored["int"] == 3
    assert stored["when"] == stored["stamp"] == "2026-11-22T00:00:00"
    assert stored["nothing"] is None
    assert stored["money"] == "1.50"
    assert stored["list"] == [True, {"1": None}]
    assert isinstance(stored["other"], str)


def test_many_labels_are_shortened() -> None:
    assert named([3]) == "row 3"
    assert named(range(3)) == "rows 0, 1, 2"
    assert named(range(40)).endswith("6, 7 and 32 more")


def test_tables_and_arrays_of_pyarrow_are_rows():
    table = read_rows(pa.table({"repo": ["a/b"], "pr": [418.0]}))
    assert (table.columns, table.values) == (("repo", "pr"), ({"repo": "a/b", "pr": 418.0},))
    assert read_rows(pa.array(["a/b", None])).values == ("a/b", None)


def test_keys_that_are_sets_have_the_same_text_in_every_process():
    assert plain({frozenset("ba"): 1, 2: 3}) == {"frozenset({'a', 'b'})": 1, "2": 3}
    assert list(plain({object: 1})) == ["<class 'object'>"]
