"""The frame of a batch, whatever its rows are called and whatever came out of them."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from batches.batch_client import BatchClient

from devin_jupyter.frames.batch import BatchRow, Inputs, batch
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


def test_an_answer_outside_the_schema_changes_no_dtype(client: BatchClient) -> None:
    rows = pd.DataFrame({"repo": ["a", "b"], "how": ["finished", "invalid-output"]})

    frames = [
        client.map("Upgrade {{ row.repo }}", part, name=f"up{len(part)}", tags=["sim:{{ row.how }}"]).wait().frame()
        for part in (rows, rows[:1])
    ]

    assert frames[0].dtypes.tolist() == frames[1].dtypes.tolist()
    assert pd.isna(frames[0].loc[1, "outcome"])
    assert "unexpected" in frames[0].loc[1, "error"]


def test_rows_without_an_answer_say_why_and_rows_that_ask_say_what(client: BatchClient) -> None:
    ends = ["fail", "limit", "question", "finished"]
    rows = pd.DataFrame({"repo": ends, "how": ends})

    batch = client.map(
        "Upgrade {{ row.repo }}", rows, tags=["sim:{{ row.how }}"], max_acu=5, schema="version:str"
    ).wait()

    frame = batch.frame().set_index("repo")
    assert "failed on the service's side" in frame.loc["fail", "error"]
    assert "its own cap, --max-acu 5, is reached" in frame.loc["limit", "error"]
    assert pd.isna(frame.loc["question", "error"])
    assert frame.loc["question", "asked"] == batch.questions[2]
    assert frame.loc["finished", ["error", "asked"]].isna().all()
