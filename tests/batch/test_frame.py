"""The frame of a batch, whatever its rows are called and whatever came out of them."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from devin_jupyter.frames.batches import BatchRow, Inputs, batch
from devin_jupyter.schema import load_schema

FINDINGS = load_schema(
    {
        "type": "object",
        "properties": {
            "files": {"type": "array", "items": {"type": "string"}},
            "counts": {"type": "object"},
            "score": {"type": "integer"},
        },
    },
    {},
)


def frame_of(source: pd.DataFrame, answers: list[Any], schema: Any = FINDINGS) -> pd.DataFrame:
    inputs = Inputs(columns=tuple(source.columns), records=[], labels=source.index.tolist(), source=source)
    rows = [BatchRow(phase="done", raw=answer, schema=schema) for answer in answers]
    return batch(inputs, rows, schema)


@pytest.mark.parametrize(
    "labels",
    [
        [2, 0, 1],
        [0, 0, 1],
        ["x", "y", "z"],
        pd.MultiIndex.from_tuples([("acme", 1), ("acme", 0), ("beta", 0)]),
        pd.date_range("2026-11-22", periods=3),
    ],
)
def test_lists_and_dicts_stand_in_their_own_rows_whatever_the_index(labels: Any) -> None:
    source = pd.DataFrame({"repo": ["a", "b", "c"]}, index=labels)

    frame = frame_of(source, [{"files": [name], "counts": {name: n}, "score": n} for n, name in enumerate("abc")])

    assert frame["files"].tolist() == [["a"], ["b"], ["c"]]
    assert frame["counts"].tolist() == [{"a": 0}, {"b": 1}, {"c": 2}]
    assert frame["score"].tolist() == [0, 1, 2]
    assert frame["repo"].tolist() == ["a", "b", "c"]
    pd.testing.assert_index_equal(frame.index, source.index)
