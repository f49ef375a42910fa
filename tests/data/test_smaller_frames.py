"""Messages, pull requests, insights, consumption; single columns; files."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from data.payloads import V1, V3, json_values, session
from hypothesis import given
from hypothesis import strategies as st
from records import record

from devin_jupyter import frames
from devin_jupyter.errors import OptionError
from devin_jupyter.frames import parts
from devin_jupyter.frames.columns import Column, array_of, frame_of
from devin_jupyter.frames.pull_requests import repository
from devin_jupyter.models.fields import Message, PullRequest
from devin_jupyter.models.snapshot import observe
from devin_jupyter.text import replacing

DAY = datetime(2026, 11, 21, tzinfo=UTC)
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


def test_repositories_are_read_from_the_urls_of_all_forges() -> None:
    assert {url: repository(url) for url in FORGES} == FORGES


FORGES = {
    "https://github.com/acme/api/pull/7": "acme/api",
    "https://github.acme.test/acme/api/pull/new": None,
    "https://github.acme.test/acme/api/pull/7": "acme/api",
    "https://github.acme.test/acme/api/pull/7/files": "acme/api",
    "https://gitlab.com/group/sub/repo/-/merge_requests/3": "group/sub/repo",
    "https://bitbucket.org/team/repo/pull-requests/12": "team/repo",
    "https://dev.azure.com/org/project/_git/repo/pullrequest/9": "org/project/repo",
    "https://github.com/acme/api/issues/7": None,
    "not a url": None,
    "": None,
}


def test_pull_requests_are_one_row_per_url() -> None:
    early, late = DAY, DAY.replace(hour=5)
    url, other = "https://github.com/acme/api/pull/7", "https://example.test/x"

    frame = frames.pull_requests(
        [
            ("devin-late", late, early, [PullRequest(url, "open"), PullRequest(other)]),
            ("devin-early", early, late, [PullRequest(url, "merged")]),
            ("devin-unknown", None, None, [PullRequest(url, None)]),
        ]
    )

    assert frame["url"].tolist() == [url, other]
    assert frame["session_id"].tolist() == ["devin-unknown", "devin-late"]
    assert frame["state"].tolist()[0] == "merged"
    assert frame["repo"].isna().tolist() == [False, True]
    assert frame["number"].tolist()[0] == 7
    assert [str(dtype) for dtype in frame.dtypes] == ["string", "string", "Int64", "category", "string"]
    pd.testing.assert_series_equal(frames.pull_requests([]).dtypes, frame.dtypes)


def test_pull_requests_are_read_from_raw_sessions_of_both_versions() -> None:
    v3, v1 = frames.PullRequestRows(), frames.PullRequestRows(api_version="v1")

    assert v3.add([V3, V3]) == 1
    assert v1.add([V1]) == len(v1) == 1
    assert v3.frame()["number"].tolist() == [7, 8]
    assert v1.frame()["state"].isna().all()
    assert len(v3.frame(limit=0)) == 0


def test_messages_are_a_row_each() -> None:
    said = [Message("e1", "user", "do it", DAY), Message("e2", "devin", "done", None)]

    frame = frames.messages([("devin-a", said), ("devin-b", [])])

    assert frame["text"].tolist() == ["do it", "done"]
    assert frame["session_id"].tolist() == ["devin-a", "devin-a"]
    assert list(frame["source"].cat.categories) == ["devin", "user"]
    pd.testing.assert_series_equal(frames.messages([]).dtypes, frame.dtypes)


def test_insights_are_null_until_they_are_generated() -> None:
    look = observe(V3, record(), at=DAY)
    raw = {**V3, "num_devin_messages": 3, "num_user_messages": 1, "session_size": "s", "analysis": None}
    analysis = {
        "classification": {"category": "x", "confidence": 0.9, "programming_languages": ["Python"]},
        "issues": [{}, {}],
        "suggested_prompt": {"suggested_prompt": "better"},
    }

    frame = frames.insights([(look, raw), (look, {**raw, "analysis": analysis}), (look, {"analysis": "odd"})])

    assert frame["n_issues"].tolist()[1] == 2
    assert frame["n_issues"].isna().tolist() == [True, False, True]
    assert frame.loc[1, "programming_languages"] == ["Python"]
    assert frame.loc[1, "suggested_prompt"] == "better"
    assert frame["session_size"].tolist()[:2] == ["s", "s"]
    pd.testing.assert_series_equal(frames.insights([]).dtypes, frame.dtypes)


def test_consumption_is_a_row_per_day_which_begins_at_eight() -> None:
    days = [
        {"date": 1_790_064_000, "acus": 2, "acus_by_product": {"devin": 2.0, "cascade": 0, "terminal": 0}},
        {"date": 1_789_977_600, "acus": 1.5, "acus_by_product": {"devin": 1.0, "review": 0.5}},
        "odd",
    ]

    frame = frames.consumption({"total_acus": 3.5, "consumption_by_date": days})

    assert frame["acus"].tolist() == [1.5, 2.0]
    assert frame["review"].tolist()[0] == 0.5
    assert frame["date"].dt.hour.tolist() == [8, 8]
    pd.testing.assert_series_equal(frames.consumption({}).dtypes, frame.dtypes)


@pytest.fixture
def some() -> pd.DataFrame:
    rows = frames.SessionRows()
    rows.add(
        [V3, session(2, status="brand new", structured_output=None), session(3, tags=None, extra_field={"a": 1.5})]
    )
    return rows.frame()


def test_a_frame_survives_parquet(some: pd.DataFrame, tmp_path: Path) -> None:
    frames.write_parquet(some, tmp_path / "a.parquet")
    frames.write_parquet(some.head(0), tmp_path / "none.parquet")

    pd.testing.assert_frame_equal(frames.read_parquet(tmp_path / "a.parquet"), some)
    pd.testing.assert_frame_equal(frames.read_parquet(tmp_path / "none.parquet"), some.head(0))


def test_a_frame_can_be_written_by_pandas_alone(some: pd.DataFrame, tmp_path: Path) -> None:
    some.to_parquet(tmp_path / "a.parquet")
    read = pd.read_parquet(tmp_path / "a.parquet")

    plain = [name for name, dtype in some.dtypes.items() if str(dtype) != "object"]
    pd.testing.assert_frame_equal(read[plain], some[plain], check_categorical=False)


def test_a_file_of_others_is_read_as_pandas_reads_it(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1, 2]}).to_parquet(tmp_path / "a.parquet")

    assert frames.read_parquet(tmp_path / "a.parquet")["a"].tolist() == [1, 2]


def test_a_frame_survives_csv_when_its_kind_is_known(some: pd.DataFrame, tmp_path: Path) -> None:
    frames.write_csv(some, tmp_path / "a.csv")

    pd.testing.assert_frame_equal(frames.read_csv(tmp_path / "a.csv", like=some), some)
    with pytest.raises(OptionError, match="no column"):
        frames.read_csv(tmp_path / "a.csv", like=pd.DataFrame({"other": []}))


@pytest.mark.parametrize("rows", [slice(0, 0), slice(1, None), slice(None, None, -1)])
def test_parquet_keeps_the_index_of_a_part_and_objects_of_several_shapes(rows: slice, tmp_path: Path) -> None:
    kinds = [Column("phase", "word", ("done", "failed")), Column("output", "object")]
    part = frame_of(kinds, {"phase": ["done"] * 4, "output": [{"a": 1}, ["b"], 3, None]}).iloc[rows]
    frames.write_parquet(part, tmp_path / "a.parquet")
    frames.write_parquet(part.set_axis([f"row {n}" for n in part.index]), tmp_path / "b.parquet")

    pd.testing.assert_frame_equal(frames.read_parquet(tmp_path / "a.parquet"), part)
    named = frames.read_parquet(tmp_path / "b.parquet")
    assert named.index.tolist() == [f"row {n}" for n in part.index]
    assert named["output"].tolist() == part["output"].tolist()


def test_categories_that_are_numbers_survive_csv(tmp_path: Path) -> None:
    column = Column("level", "word", (1, 2, 3))
    frame = frame_of([column, Column("day", "day")], {"level": [3, None, 1], "day": ["2026-11-21", None, "odd"]})
    frames.write_csv(frame, tmp_path / "a.csv")

    pd.testing.assert_frame_equal(frames.read_csv(tmp_path / "a.csv", like=frame), frame)


def test_without_pyarrow_one_is_told_what_to_install(
    some: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(OptionError, match="pyarrow") as caught:
        frames.write_parquet(some, tmp_path / "a.parquet")
    assert "devin-jupyter[parquet]" in caught.value.hint


def test_a_file_that_cannot_be_written_whole_does_not_replace_the_old_one(some: pd.DataFrame, tmp_path: Path) -> None:
    target = tmp_path / "a.parquet"
    frames.write_parquet(some, target)
    broken = some.assign(tags=[{1: 2, "x": 3}, {(1, 2): 3}, None])

    with pytest.raises(TypeError):
        frames.write_parquet(broken, target)

    pd.testing.assert_frame_equal(frames.read_parquet(target), some)
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]


def test_a_file_that_was_half_written_is_removed(tmp_path: Path) -> None:
    def write() -> None:
        with replacing(tmp_path / "a") as place:
            place.write_text("half")
            raise KeyError("power")

    with pytest.raises(KeyError):
        write()

    assert list(tmp_path.iterdir()) == []


def test_parts_are_split_by_month_and_put_together_again(some: pd.DataFrame) -> None:
    rows = frames.SessionRows()
    rows.add([session(number, created_at=1_790_000_000 + number * 86_400 * 7) for number in range(20)])
    rows.add([session(77, created_at=None, status="odd")])
    whole = rows.frame(newest_first=True)

    months = parts.by_month(whole)

    assert sum(map(len, months.values())) == 21
    assert parts.UNKNOWN_MONTH in months
    pd.testing.assert_frame_equal(parts.stacked(months.values()), whole)
    pd.testing.assert_frame_equal(parts.stacked([]), some.head(0), check_categorical=False, check_index_type=False)


def test_newer_rows_take_the_place_of_older_ones() -> None:
    def frame(*items: dict[str, Any]) -> pd.DataFrame:
        rows = frames.SessionRows()
        rows.add(items)
        return rows.frame(newest_first=True)

    old = frame(session(1, created_at=3), session(2, created_at=2, title="old"))
    new = frame(session(2, created_at=2, title="new"), session(3, created_at=1))

    merged = parts.updated(old, new)

    assert merged["title"].tolist() == ["Fix it", "new", "Fix it"]
    assert parts.updated(None, new).equals(new)
    assert parts.unmerged(merged) == merged["session_id"].tolist()
    assert parts.last_update(merged) == 1_790_000_500
    assert parts.last_update(merged.head(0)) is None
