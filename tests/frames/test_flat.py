"""`dj.flat`: frames as SQL databases, spreadsheets, plots and pandas' own grouping take them."""

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

import devin_jupyter as dj
from devin_jupyter.frames import SessionRows, messages
from devin_jupyter.models.fields import Message

AT = 1_764_500_000
RAW = {
    "session_id": "a" * 32,
    "status": "running",
    "title": "one\x1b[31m \x00two\nthree",
    "created_at": AT,
    "updated_at": AT + 5,
    "acus_consumed": 1.5,
    "tags": ["b", "a, c"],
    "structured_output": {"b": [1, {"x": None}], "a": "ü"},
    "is_archived": False,
}


def sessions(*raws):
    rows = SessionRows()
    rows.add([*raws])
    return rows.frame()


@pytest.fixture
def frame():
    other = {
        **RAW,
        "session_id": "b" * 32,
        "acus_consumed": None,
        "structured_output": {"a": "ü", "b": [1, {"x": None}]},
    }
    return sessions(RAW, other)


@pytest.mark.parametrize("raws", [[], [RAW], [{"session_id": "c" * 32}], [RAW, {"session_id": "c" * 32}]])
def test_every_column_is_hashable_and_the_dtypes_do_not_depend_on_the_rows(raws):
    flat = dj.flat(sessions(*raws))

    assert {str(dtype) for dtype in flat.dtypes} <= {"string", "datetime64[us]", "float64", "Int64", "boolean"}
    assert flat.dtypes.equals(dj.flat(sessions(RAW)).dtypes)
    assert list(flat.columns) == list(sessions().columns)
    for name in flat:
        assert all(hash(value) is not None for value in flat[name])


def test_values_stay_readable(frame):
    flat = dj.flat(frame)

    assert flat["tags"].tolist() == ['["b", "a, c"]'] * 2
    assert flat["structured_output"].tolist() == ['{"a": "ü", "b": [1, {"x": null}]}'] * 2
    assert flat["created_at"].tolist() == [pd.Timestamp(datetime.fromtimestamp(AT, UTC)).tz_localize(None)] * 2
    assert flat["title"].tolist() == ["one[31m two\nthree"] * 2
    assert flat["acus"].tolist()[0] == 1.5
    assert np.isnan(flat["acus"].tolist()[1])
    assert frame["tags"].tolist()[0] == ["b", "a, c"]  # the frame itself is as before


def test_pandas_databases_and_plots_take_it(frame):
    flat = dj.flat(frame)

    assert len(flat.drop(columns=["session_id", "url", "acus"]).drop_duplicates()) == 1
    assert flat.groupby(["tags", "structured_output"]).size().tolist() == [2]
    with sqlite3.connect(":memory:") as connection:
        flat.to_sql("sessions", connection, index=False)
        rows = connection.execute("select tags, acus from sessions").fetchall()
    connection.close()
    assert rows == [('["b", "a, c"]', 1.5), ('["b", "a, c"]', None)]
    assert np.nanmax(np.asarray(flat["acus"])) == 1.5
    assert np.asarray(flat["acus"]).dtype == "float64"  # what plots ask for


def test_a_spreadsheet_takes_it(frame, tmp_path):
    pytest.importorskip("openpyxl")
    dj.flat(frame).to_excel(tmp_path / "sessions.xlsx", index=False)

    again = pd.read_excel(tmp_path / "sessions.xlsx")
    assert again["created_at"].tolist() == dj.flat(frame)["created_at"].tolist()
    assert again["title"].tolist() == ["one[31m two\nthree"] * 2


def test_any_frame_is_taken_with_its_index_and_names():
    talk = [("s", [Message("1", "devin", "hi", datetime(2026, 11, 30, tzinfo=UTC))])]
    assert str(dj.flat(messages(talk))["created_at"].dtype) == "datetime64[us]"
    odd = pd.DataFrame(
        [[{1, 2}, np.nan, pd.NA, "\ud800", (1,)]], columns=["a", "a", 3, "b", "c"], index=["row"], dtype=object
    )
    flat = dj.flat(odd)
    assert (list(flat.columns), list(flat.index)) == (["a", "a", 3, "b", "c"], ["row"])
    assert flat.iloc[0].isna().tolist() == [False, True, True, False, False]
    assert flat["c"].tolist() == ["[1]"]


def test_columns_of_every_kind_that_rows_may_have_are_flat_too() -> None:
    """Arrow, sparse, periods, intervals, lengths of time, and what Parquet files give back for lists."""
    pa = pytest.importorskip("pyarrow")
    arrow = {
        "list": pd.Series([["b", "a"], None], dtype=pd.ArrowDtype(pa.list_(pa.string()))),
        "struct": pd.Series([{"a": 1}, None], dtype=pd.ArrowDtype(pa.struct([("a", pa.int64())]))),
        "text": pd.Series(["x", None], dtype=pd.ArrowDtype(pa.string())),
        "count": pd.Series([1, None], dtype=pd.ArrowDtype(pa.int64())),
        "share": pd.Series([1.5, None], dtype=pd.ArrowDtype(pa.float64())),
        "day": pd.Series([date(2026, 1, 1), None], dtype=pd.ArrowDtype(pa.date32())),
        "at": pd.Series(pd.to_datetime(["2026-01-01T01:00+01:00", None])).astype(
            pd.ArrowDtype(pa.timestamp("us", tz="Europe/Berlin"))
        ),
    }
    frame = pd.DataFrame(
        {
            **arrow,
            "period": pd.period_range("2026-01", periods=2, freq="M"),
            "interval": pd.interval_range(0, 2),
            "took": pd.to_timedelta(["90s", None]),
            "sparse": pd.arrays.SparseArray([0, 1]),
            "complex": [1 + 2j, 2j],
            "array": pd.Series([np.array(["b", "a"]), np.array([1.5])], dtype=object),
            "set": pd.Series([{"b", "a"}, None], dtype=object),
            "money": pd.Series([Decimal("1.10"), date(2026, 1, 1)], dtype=object),
            "mixed": pd.Series([{1: "a", "b": {None: 2}}, True], dtype=object),
        }
    )
    flat = dj.flat(frame)
    assert {name: flat[name].tolist()[0] for name in flat} == {
        "list": '["b", "a"]',
        "struct": '{"a": 1}',
        "text": "x",
        "count": 1,
        "share": 1.5,
        "day": "2026-01-01",
        "at": pd.Timestamp("2026-01-01"),
        "period": "2026-01",
        "interval": "(0, 1]",
        "took": 90.0,
        "sparse": 0,
        "complex": "(1+2j)",
        "array": '["b", "a"]',
        "set": '["a", "b"]',
        "money": "1.10",
        "mixed": '{"1": "a", "b": {"None": 2}}',
    }
    assert flat[list(arrow)].iloc[1].isna().all()
    with closing(sqlite3.connect(":memory:")) as connection:
        flat.to_sql("rows", connection, index=False)
    assert len(flat.drop_duplicates()) == 2
