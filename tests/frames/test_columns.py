"""Columns have their dtype whatever they hold."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from payloads import json_values

from devin_jupyter.frames.columns import Column, array_of, frame_of

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
