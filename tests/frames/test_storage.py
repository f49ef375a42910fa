"""Frames survive Parquet and CSV, and are split by month and put together again."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from payloads import V3, session

from devin_jupyter import frames
from devin_jupyter.errors import OptionError
from devin_jupyter.frames import storage
from devin_jupyter.frames.columns import Column, frame_of
from devin_jupyter.frames.storage import (
    UNKNOWN_MONTH,
    last_update,
    merge_sessions,
    split_by_month,
    stack_sessions,
)
from devin_jupyter.text import replacing


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


def test_csv_gives_back_the_dtypes_of_inputs_of_a_batch(tmp_path: Path) -> None:
    days = pd.to_datetime(["2026-01-01 00:00:00.123456", "2026-01-02"], format="ISO8601")
    frame = pd.DataFrame(
        {
            "repo": ["acme/api", None],
            "whole": [2**53 + 1, -(2**63)],
            "unsigned": np.array([1, 2**64 - 1], "uint64"),
            "float": [1.1, None],
            "single": np.array([0.1, 0.2], "float32"),
            "flag": [True, False],
            "moment": days,
            "local": days.tz_localize("Europe/Berlin"),
            "finer": days.astype("datetime64[ns]"),
            "took": pd.to_timedelta(["1s", "72h"]),
            "month": pd.period_range("2026-01", "2026-02", freq="M"),
            "python": pd.array(["x", None], "string[python]"),
            "small": pd.array([1, None], "Int8"),
            "half": pd.array([0.5, None], "Float32"),
            "ordered": pd.Categorical(["a", "b"], ["b", "a"], ordered=True),
            "ratios": pd.Categorical([0.5, 1.5]),
            "flags": pd.Categorical([True, False]),
            "objects": pd.Series([{"a": 1}, [1]], dtype=object),
        }
    )
    frames.write_csv(frame, tmp_path / "a.csv")
    for like in (frame, frame.iloc[:0]):
        back = frames.read_csv(tmp_path / "a.csv", like=like)
        pd.testing.assert_frame_equal(back, frame)
        assert back.equals(frame)


def test_without_pyarrow_the_error_names_what_to_install(
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


def test_a_file_says_between_which_times_its_sessions_are_and_nothing_of_the_kind_of_texts(
    some: pd.DataFrame, tmp_path: Path
) -> None:
    target = tmp_path / "a.parquet"
    frames.write_parquet(some, target)

    group = pq.read_metadata(target).row_group(0)
    ranges = {group.column(place).path_in_schema: group.column(place).statistics for place in range(group.num_columns)}
    assert ranges["created_at"].max == some["created_at"].max()
    assert ranges["session_id"] is ranges["title"] is None


def test_parts_are_split_by_month_and_put_together_again(some: pd.DataFrame) -> None:
    rows = frames.SessionRows()
    rows.add([session(number, created_at=1_790_000_000 + number * 86_400 * 7) for number in range(20)])
    rows.add([session(77, created_at=None, status="odd")])
    whole = rows.frame(newest_first=True)

    months = split_by_month(whole)

    assert sum(map(len, months.values())) == 21
    assert UNKNOWN_MONTH in months
    pd.testing.assert_frame_equal(stack_sessions(months.values()), whole)
    pd.testing.assert_frame_equal(stack_sessions([]), some.head(0), check_categorical=False, check_index_type=False)


def test_newer_rows_replace_older_ones() -> None:
    def frame(*items: dict[str, Any]) -> pd.DataFrame:
        rows = frames.SessionRows()
        rows.add(items)
        return rows.frame(newest_first=True)

    old = frame(session(1, created_at=3), session(2, created_at=2, title="old"))
    new = frame(session(2, created_at=2, title="new"), session(3, created_at=1))

    merged = merge_sessions(old, new)

    assert merged["title"].tolist() == ["Fix it", "new", "Fix it"]
    assert merge_sessions(None, new).equals(new)
    assert last_update(merged) == 1_790_000_500
    assert last_update(merged.head(0)) is None


@pytest.mark.parametrize("seed", range(4))
def test_a_file_is_merged_piece_by_piece_as_if_it_were_a_frame(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "_ROWS_AT_ONCE", 16)
    dice, file = random.Random(seed), tmp_path / "sessions-2026-11.parquet"
    expected = None
    for title in "abcd":
        rows = frames.SessionRows()
        numbers = dice.sample(range(400), dice.choice((1, 5, 100)))
        made = {number: None if number % 50 == 0 else 1_790_000_000 + number // 3 for number in numbers}
        rows.add([session(number, title=title, created_at=created) for number, created in made.items()])
        new = rows.frame()
        expected = merge_sessions(expected, new)
        storage.merge_into(file, new)

        pd.testing.assert_frame_equal(storage.read_sessions([file]), expected)
        assert sorted(pd.read_parquet(file)["session_id"]) == sorted(expected["session_id"])
    pieces = pq.ParquetFile(file).metadata
    assert max(pieces.row_group(number).num_rows for number in range(pieces.num_row_groups)) < 32


def test_of_open_pull_requests_only_as_much_is_read_as_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "_ROWS_AT_ONCE", 16)
    states = {0: [], 1: [{"pr_url": "https://github.com/acme/api/pull/1", "pr_state": "open"}]}
    rows = frames.SessionRows()
    rows.add(
        [session(number, created_at=1_790_000_000 + number, pull_requests=states[number % 2]) for number in range(400)]
    )
    newest, oldest = tmp_path / "sessions-2026-09.parquet", tmp_path / "sessions-2026-08.parquet"
    storage.merge_into(newest, rows.frame())
    oldest.write_bytes(b"not read, since the newest file has enough")
    waiting = [f"devin-{number:032x}" for number in range(399, 0, -2)]
    read, read_group = list[int](), pq.ParquetFile.read_row_group

    def noted(file: Any, number: int, **call: Any) -> Any:
        read.append(number)
        return read_group(file, number, **call)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", noted)
    first, after = storage.open_pull_requests([newest, oldest], 20, without=waiting[:4])
    assert first["session_id"].tolist() == waiting[4:24]
    assert read == [0, 1, 2]

    second, _ = storage.open_pull_requests([newest, oldest], 20, after)
    assert second["session_id"].tolist() == waiting[:10] + waiting[24:34]
    with pytest.raises(OptionError, match=r"2026-08\.parquet cannot be read"):
        storage.open_pull_requests([newest, oldest], 500)


def test_objects_that_are_equal_but_of_other_types_keep_their_own_text() -> None:
    values: list[Any] = [["a"], [True], [1], [1.0], ["a"], [["a"]], [{"a": 1}], [None], [], None, {"a": [1]}, "a", []]

    assert list(storage.to_json(values)) == [pd.NA if value is None else json.dumps(value) for value in values]


@pytest.mark.parametrize("at_once", [1, 8192])
def test_files_with_different_columns_and_words_are_read_with_the_dtypes_of_one(
    at_once: int, some: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "_ROWS_AT_ONCE", at_once)
    newer, older = tmp_path / "sessions-2026-11.parquet", tmp_path / "sessions-2026-10.parquet"
    left_out = ["n_messages", "acus", "category", "tags", "updated_at", "needs_you", "user_id"]
    words = pd.CategoricalDtype([*some["category"].cat.categories, *(f"word {number}" for number in range(200))])
    numbered = some.assign(category=pd.Categorical(["word 7"] * len(some), dtype=words), n_messages=2**62 + 1)
    numbered["n_messages"] = numbered["n_messages"].astype("Int64")
    storage.merge_into(newer, numbered.drop(columns=["mode"]))
    storage.merge_into(older, some.assign(session_id=some["session_id"] + "0").drop(columns=left_out))

    whole = storage.read_sessions([newer, older])

    assert whole.columns.tolist() == some.columns.tolist()
    assert whole.dtypes.drop("category").equals(some.dtypes.drop("category"))
    is_older = whole["session_id"].str.endswith("0").array
    assert whole.loc[is_older, left_out].isna().all(axis=None)
    assert set(whole.loc[~is_older, "n_messages"]) == {2**62 + 1}
    assert set(whole.loc[~is_older, "category"]) == {"word 7"}
    tags = dict(zip(whole["session_id"], whole["tags"], strict=True))
    assert [tags[name] for name in some["session_id"]] == some["tags"].tolist()
    assert whole.loc[~is_older, "mode"].isna().all()


def test_arrow_allocates_as_before_once_a_file_is_merged_or_cannot_be(some: pd.DataFrame, tmp_path: Path) -> None:
    usual, file = pa.default_memory_pool().backend_name, tmp_path / "sessions-2026-11.parquet"

    storage.merge_into(file, some)
    storage.merge_into(file, some.head(1))
    assert pa.default_memory_pool().backend_name == usual
    file.write_bytes(b"broken")
    with pytest.raises(OptionError, match="cannot be read"):
        storage.merge_into(file, some)
    assert pa.default_memory_pool().backend_name == usual


def test_what_a_merge_adds_is_sorted_as_frames_are_also_within_a_second_and_without_a_time(tmp_path: Path) -> None:
    rows = frames.SessionRows()
    rows.add([session(number, created_at=(None, 1_764_000_001, 1_764_000_000)[number % 3]) for number in range(30)])
    whole, file = rows.frame(newest_first=True), tmp_path / "sessions-2025-11.parquet"

    for start in range(4):
        storage.merge_into(file, whole.iloc[start::4].reset_index(drop=True))

    assert pq.read_table(file)["session_id"].to_pylist() == whole["session_id"].tolist()
    assert whole["created_at"].isna().tolist() == [False] * 20 + [True] * 10


def test_a_csv_without_a_frame_to_take_the_dtypes_from_says_what_to_give(tmp_path: Path) -> None:
    frames.write_csv(pd.DataFrame({"n": [1]}), tmp_path / "n.csv")
    for given, words in (({}, ""), ({"like": "n.csv"}, ", not str")):
        with pytest.raises(OptionError) as caught:
            frames.read_csv(tmp_path / "n.csv", **given)
        assert caught.value.message == f"read_csv needs like=, a frame with the same columns{words}"
        assert "like=dj.sessions_frame(limit=0)" in caught.value.hint


@pytest.mark.parametrize(
    ("call", "message", "hint"),
    [
        (
            lambda frame, at: frames.write_parquet(str(at), frame),
            "write_parquet takes a DataFrame and a path",
            "for example",
        ),
        (
            lambda frame, at: frames.write_csv(at / "a.csv", frame),
            "write_csv takes a DataFrame and a path",
            "for example",
        ),
        (lambda frame, at: frames.write_csv(frame, at / "no" / "a.csv"), "there is no folder", "create the folder"),
        (lambda frame, at: frames.write_parquet(frame, at / "no" / "a"), "there is no folder", "create the folder"),
        (lambda frame, at: frames.write_parquet(frame, at), "cannot be written: ", ""),
        (lambda frame, at: frames.read_parquet(at / "thre.parquet"), r"no such file \(did you mean three.parquet", ""),
        (lambda frame, at: frames.read_parquet(frame), "read_parquet takes a path, not DataFrame", "for example"),
        (lambda frame, at: frames.read_parquet(at / "a.csv"), "cannot be read: ", ""),
        (lambda frame, at: frames.read_csv(at / "none.csv", like=frame), "there is no such file", ""),
        (lambda frame, at: frames.read_csv(at / "empty.csv", like=frame), "cannot be read: ", ""),
    ],
)
def test_an_unusable_path_is_an_error_of_three_lines(tmp_path: Path, call: Any, message: str, hint: str) -> None:
    frame = pd.DataFrame({"a": [1, 2]})
    frames.write_parquet(frame, tmp_path / "three.parquet")
    frames.write_csv(frame, tmp_path / "a.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(OptionError, match=message) as refused:
        call(frame, tmp_path)
    assert refused.value.hint.startswith(hint)
    assert not list(tmp_path.glob(".*.tmp"))
