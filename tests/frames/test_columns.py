"""Columns have their dtype whatever they hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from payloads import json_values

from devin_jupyter.frames.columns import Codes, Column, Pieces, array_of, frame_of

KINDS = [
    Column("x", "text"),
    Column("x", "word", ("b", "a")),
    Column("x", "word", (1, 2)),
    Column("x", "choice", ("b", "a")),
    Column("x", "choice", (1, 2)),
    Column("x", "time"),
    Column("x", "day"),
    Column("x", "integer"),
    Column("x", "number"),
    Column("x", "boolean"),
    Column("x", "object"),
]


@pytest.mark.parametrize("column", KINDS, ids=lambda column: f"{column.kind} {column.values}")
def test_a_column_has_its_dtype_with_no_values_with_nulls_and_with_anything(column: Column) -> None:
    empty = frame_of([column], {}).dtypes

    @given(st.lists(json_values | st.integers(-(2**70), 2**70) | st.dates().map(str), max_size=5))
    def check(values: list[Any]) -> None:
        made = array_of(column, values)
        assert len(made) == len(values)
        assert column.kind == "word" or made.dtype == empty["x"]

    check()
    assert frame_of([column], {"x": [None, None]}).dtypes.equals(empty)


def test_numbers_beyond_every_float_are_null() -> None:
    assert array_of(Column("x", "number"), [10**400, 1, None]).isna().tolist() == [True, False, True]
    assert array_of(Column("x", "number"), [10**400, "1"]).isna().all()


@pytest.mark.parametrize("column", [one for one in KINDS if one.kind != "choice"], ids=lambda one: f"{one.kind}")
def test_a_column_built_page_by_page_equals_one_built_at_once_in_any_order(column: Column) -> None:
    odd: list[Any] = [None, True, 0, -1, 7, 2**70, 1.0, 2.5, float("inf"), [], ["a"], {"a": 1}]
    odd += ["a", "b", "1", "\ud800", "2026-11-21"]
    values = [odd[number * number % 101 % len(odd)] for number in range(1000)]
    order = np.random.default_rng(0).permutation(len(values))[:700]
    for wanted in (None, order):
        made: Any = Codes(column.values) if column.kind == "word" else Pieces(column)
        for start, end in ((0, 1), (1, 350), (350, 351), (351, 900), (900, 1000)):
            made.extend(values[start:end])

        whole = pd.Series(array_of(column, values))

        found = pd.Series(made.array(wanted))
        pd.testing.assert_series_equal(found, whole if wanted is None else whole.take(wanted).reset_index(drop=True))
