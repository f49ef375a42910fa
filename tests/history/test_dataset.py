"""The history as a folder: kept up to date, equal to a fresh frame, and never half written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow
import pytest

import devin_jupyter as dj
from devin_jupyter.api.sessions import Found
from devin_jupyter.errors import ConnectionTrouble, OptionError
from devin_jupyter.frames import storage
from devin_jupyter.frames.sessions import SessionRows
from devin_jupyter.history import dataset
from devin_jupyter.history.dataset import read_dataset
from devin_jupyter.journal import Journal

LIST = "GET /v3/organizations/{org_id}/sessions"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def year(simulator_with: Callable[..., Any]) -> Any:
    return simulator_with(preload=500)


@pytest.fixture
def devin(year: Any) -> Iterator[dj.Devin]:
    with dj.Devin(year.api_key, org_id=year.org_id, base_url=year.url, journal=Journal(":memory:")) as client:
        yield client


def test_the_folder_reads_back_as_a_fresh_frame(devin: dj.Devin, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "sessions"

    returned = devin.sync(folder)

    pd.testing.assert_frame_equal(returned, devin.sessions_frame())
    stored = read_dataset(folder)
    assert stored["user_name"].isna().all()  # names of people are looked up, never stored
    pd.testing.assert_frame_equal(stored.drop(columns="user_name"), returned.drop(columns="user_name"))
    assert len(list(folder.glob("sessions-*.parquet"))) >= 12


def test_a_second_sync_reads_what_changed_and_nothing_else(devin: dj.Devin, year: Any, tmp_path: Path) -> None:
    first = devin.sync(tmp_path)
    session = devin.create("One more", tags=["mine"]).wait()
    before = year.requests(LIST)

    second = devin.sync(tmp_path)

    assert second["session_id"].tolist() == [session.id, *first["session_id"]]
    assert second.loc[0, "phase"] == devin.sessions_frame([session.id]).loc[0, "phase"]
    assert year.requests(LIST) - before < 8
    assert len(devin.sync(tmp_path)) == 501


def test_sessions_with_unmerged_pull_requests_are_read_again(
    devin: dj.Devin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = devin.sync(tmp_path)
    asked: list[str] = []
    by_ids = devin.asynchronous.core.sessions.by_ids

    async def merges(names: list[str], **call: Any) -> Found:
        asked.extend(names)
        found = await by_ids(names, **call)
        for item in found.raws.values():
            item["pull_requests"] = [{**request, "pr_state": "merged"} for request in item["pull_requests"]]
        return found

    monkeypatch.setattr(devin.asynchronous.core.sessions, "by_ids", merges)

    second = devin.sync(tmp_path)

    listed_again = first["updated_at"].max() - pd.Timedelta(hours=2)  # as having changed of late
    waiting = first[(first["n_prs"] > first["n_merged"]).fillna(False) & (first["updated_at"] < listed_again)]
    assert len(waiting) > 1
    assert set(waiting["session_id"]) <= set(asked)
    quiet = second[second["updated_at"] < listed_again]
    assert (quiet["n_prs"] == quiet["n_merged"]).all()
    assert len(second) == len(first)


def test_words_that_are_new_this_month_do_not_spoil_the_others(
    devin: dj.Devin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    devin.sync(tmp_path)
    newest = max(tmp_path.glob("sessions-*.parquet"))
    month = storage.read_parquet(newest)
    month["status"] = month["status"].cat.add_categories(["parked"]).fillna("parked")
    month.loc[0, "status"] = "parked"
    storage.write_parquet(month, newest)

    whole = read_dataset(tmp_path)

    assert whole["status"].value_counts()["parked"] == 1
    assert list(whole["status"].cat.categories)[-1] == "parked"
    assert whole.dtypes.drop("status").equals(devin.sessions_frame(limit=1).dtypes.drop("status"))
    monkeypatch.setattr(storage, "_ROWS_AT_ONCE", 1)  # read column by column, as very many are
    pd.testing.assert_frame_equal(read_dataset(tmp_path), whole)


def test_a_sync_that_fails_on_the_way_is_done_over_by_the_next(
    devin: dj.Devin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, written = dataset.merge_into, []

    def fails_at_the_third(path: Path, new: pd.DataFrame) -> None:
        if len(written) == 2:
            raise OSError("disk full")
        written.append(path)
        write(path, new)

    monkeypatch.setattr(dataset, "merge_into", fails_at_the_third)
    with pytest.raises(OSError, match="disk full"):
        devin.sync(tmp_path)
    assert not (tmp_path / "_sync.json").exists()
    monkeypatch.undo()

    pd.testing.assert_frame_equal(devin.sync(tmp_path), devin.sessions_frame())


@pytest.mark.parametrize("full", [8192, 10])
def test_a_sync_that_is_killed_while_writing_leaves_whole_files(
    full: int, year: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "_FULL", full)
    script = f"""
import os
import devin_jupyter as dj
from devin_jupyter.frames import storage
from devin_jupyter.journal import Journal
storage._FULL = {full}
done = []
replace = storage.Path.replace
def dies(self, target):
    if len(done) == 4:
        os.kill(os.getpid(), 9)
    done.append(target)
    return replace(self, target)
storage.Path.replace = dies
devin = dj.Devin({year.api_key!r}, org_id={year.org_id!r}, base_url={year.url!r}, journal=Journal(":memory:"))
devin.sync({str(tmp_path)!r})
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    died = subprocess.run(
        [sys.executable, "-c", script], env=environment, check=False, capture_output=True, cwd=tmp_path
    )
    assert died.returncode == -9, died.stderr.decode()
    assert len(list(tmp_path.glob("sessions-*.parquet"))) == 4
    assert len(read_dataset(tmp_path)) > 0

    with dj.Devin(year.api_key, org_id=year.org_id, base_url=year.url, journal=Journal(":memory:")) as devin:
        pd.testing.assert_frame_equal(devin.sync(tmp_path), devin.sessions_frame())
        for left in tmp_path.glob(".*.tmp"):
            os.utime(left, (0, 0))
        devin.sync(tmp_path)
    assert list(tmp_path.glob(".*.tmp")) == []


def test_a_sync_that_loses_the_service_changes_nothing(devin: dj.Devin, year: Any, tmp_path: Path) -> None:
    first = devin.sync(tmp_path)
    before = (tmp_path / "_sync.json").read_text()
    year.faults({"method": "GET", "route": "/v3/organizations/{org_id}/sessions", "kind": "drop_before"})

    with pytest.raises(ConnectionTrouble):
        devin.sync(tmp_path)

    year.faults()
    assert (tmp_path / "_sync.json").read_text() == before
    stored = read_dataset(tmp_path).drop(columns="user_name")
    pd.testing.assert_frame_equal(stored, first.drop(columns="user_name"))


def test_the_folder_of_another_organization_is_refused(devin: dj.Devin, tmp_path: Path) -> None:
    devin.sync(tmp_path, tags="team:payments")

    with pytest.raises(OptionError, match="filters"):
        devin.sync(tmp_path)
    assert len(devin.sync(tmp_path, tags="team:payments")) == len(devin.sessions_frame(tags="team:payments"))
    state = json.loads((tmp_path / "_sync.json").read_text())
    (tmp_path / "_sync.json").write_text(json.dumps({**state, "org_id": "org-other"}))
    with pytest.raises(OptionError, match="org-other"):
        devin.sync(tmp_path, tags="team:payments")
    (tmp_path / "_sync.json").write_text("[]")
    with pytest.raises(OptionError):
        devin.sync(tmp_path)


def test_a_damaged_state_only_costs_a_full_read(devin: dj.Devin, tmp_path: Path) -> None:
    first = devin.sync(tmp_path)
    (tmp_path / "_sync.json").write_text("{half")

    pd.testing.assert_frame_equal(devin.sync(tmp_path), first)


def test_a_file_that_was_deleted_only_costs_a_full_read(devin: dj.Devin, year: Any, tmp_path: Path) -> None:
    first = devin.sync(tmp_path)
    min(tmp_path.glob("sessions-*.parquet")).unlink()

    pd.testing.assert_frame_equal(devin.sync(tmp_path), first)
    before = year.requests(LIST)
    devin.sync(tmp_path)
    assert year.requests(LIST) - before < 8


def _parts(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.glob("sessions-*.parquet")}


def test_a_full_file_takes_no_session_of_later_days_and_stays_as_it_is(
    devin: dj.Devin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "_FULL", 10)
    whole = devin.sync(tmp_path)
    before = _parts(tmp_path)

    session = devin.create("One more", tags=["mine"]).wait()
    second = devin.sync(tmp_path)

    pd.testing.assert_frame_equal(whole, devin.sessions_frame().iloc[1:].reset_index(drop=True))
    assert second["session_id"].tolist() == [session.id, *whole["session_id"]]
    after = _parts(tmp_path)
    assert len(before) > 20
    assert len({name for name, content in after.items() if before.get(name) != content}) <= 2
    for name in after:
        month = storage.read_parquet(tmp_path / name)
        per_day = month["created_at"].dt.date.value_counts()
        assert len(month) < 10 + per_day.max()
    rows = [storage.read_parquet(tmp_path / name)["session_id"] for name in after]
    assert pd.concat(rows).is_unique


def test_a_folder_of_one_file_a_month_goes_on_in_further_files(
    devin: dj.Devin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = devin.sync(tmp_path, until="12d")
    months = _parts(tmp_path)
    monkeypatch.setattr(storage, "_FULL", 5)
    (tmp_path / "_sync.json").unlink()

    pd.testing.assert_frame_equal(devin.sync(tmp_path), devin.sessions_frame())

    assert set(_parts(tmp_path)) > set(months)
    assert len(read_dataset(tmp_path)) == 500 > len(first)
    min(file for file in tmp_path.glob("sessions-*.parquet") if file.name not in months).unlink()
    pd.testing.assert_frame_equal(devin.sync(tmp_path), devin.sessions_frame())


def test_two_who_sync_at_once_hold_each_session_once(
    devin: dj.Devin, year: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "_FULL", 10)
    for _ in range(2):
        with (
            dj.Devin(year.api_key, org_id=year.org_id, base_url=year.url, journal=Journal(":memory:")) as other,
            ThreadPoolExecutor() as threads,
        ):
            for done in [threads.submit(client.sync, tmp_path) for client in (devin, other)]:
                done.result()
        stored = read_dataset(tmp_path).drop(columns="user_name")
        pd.testing.assert_frame_equal(stored, devin.sessions_frame().drop(columns="user_name"))


def test_dask_has_a_partition_for_a_month_of_several_files(
    devin: dj.Devin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("dask.dataframe")
    monkeypatch.setattr(storage, "_FULL", 10)

    lazy: Any = devin.sync(tmp_path, engine="dask")

    assert lazy.npartitions == len({name[:16] for name in _parts(tmp_path)}) < len(_parts(tmp_path))
    pd.testing.assert_frame_equal(lazy.compute().reset_index(drop=True), read_dataset(tmp_path))


def test_v1_is_kept_as_well(year: Any, tmp_path: Path) -> None:
    with dj.Devin(year.v1_key, base_url=year.url, journal=Journal(":memory:")) as v1:
        first = v1.sync(tmp_path)
        session = v1.create("One more").wait()

        assert v1.sync(tmp_path)["session_id"].tolist() == [session.id, *first["session_id"]]
        pd.testing.assert_frame_equal(read_dataset(tmp_path), v1.sessions_frame())


def test_an_empty_history_is_an_empty_frame(simulator: Any, tmp_path: Path) -> None:
    with dj.Devin(
        simulator.api_key, org_id=simulator.org_id, base_url=simulator.url, journal=Journal(":memory:")
    ) as devin:
        assert devin.sync(tmp_path).empty
        assert devin.sync(tmp_path).dtypes.equals(devin.sessions_frame().dtypes)


@pytest.mark.parametrize("filters", [{"phase": "done"}, {"updated_since": "7d"}, {"tag": "a"}])
def test_a_folder_cannot_be_kept_by_what_changes(devin: dj.Devin, tmp_path: Path, filters: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="nothing was read"):
        devin.sync(tmp_path / "new", **filters)
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_used_says_so(devin: dj.Devin, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OptionError, match="cannot be used as a folder"):
        devin.sync(tmp_path / "file")

    devin.sync(tmp_path / "kept", since="60d")
    half = next((tmp_path / "kept").glob("sessions-*.parquet"))
    half.write_bytes(b"half")
    with pytest.raises(OptionError, match="delete it, and sync again"):
        devin.sync(tmp_path / "kept", since="60d")
    half.unlink()
    assert len(devin.sync(tmp_path / "kept", since="60d")) == len(devin.sessions_frame(since="60d"))


def test_a_long_history_is_read_month_by_month_and_is_the_same(
    devin: dj.Devin, year: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = devin.sync(tmp_path / "at once")
    monkeypatch.setattr(dataset, "_FEW", 20)
    monkeypatch.setattr(dataset, "_MANY", 60)
    sizes, write = list[int](), dataset.merge_into
    monkeypatch.setattr(dataset, "merge_into", lambda path, new: (sizes.append(len(new)), write(path, new)))

    by_month = devin.sync(tmp_path / "by month")

    pd.testing.assert_frame_equal(by_month, whole)
    assert len(sizes) >= 12
    assert max(sizes) < 120
    files = {path.name for path in (tmp_path / "at once").iterdir()}
    assert {path.name for path in (tmp_path / "by month").iterdir()} == files
    some = devin.sync(tmp_path / "some", since="200d", until="20d", tags="team:growth")
    pd.testing.assert_frame_equal(some, devin.sessions_frame(since="200d", until="20d", tags="team:growth"))


def test_a_long_history_takes_the_memory_of_one_thread_and_arrow_allocates_as_before(
    devin: dj.Devin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "_FEW", 20)
    monkeypatch.setattr(dataset, "_MANY", 60)
    places = list[tuple[int, str]]()
    frame, write, usual = SessionRows.frame, dataset.merge_into, pyarrow.default_memory_pool().backend_name

    def note() -> None:
        places.append((threading.get_ident(), pyarrow.default_memory_pool().backend_name))

    def framed(rows: SessionRows, *, newest_first: bool = False) -> pd.DataFrame:
        if newest_first:  # not the few of which only the newest is asked for
            note()
        return frame(rows, newest_first=newest_first)

    monkeypatch.setattr(SessionRows, "frame", framed)
    monkeypatch.setattr(dataset, "merge_into", lambda path, new: (note(), write(path, new)))

    devin.sync(tmp_path)

    assert len(places) > 24
    ((thread, pool),) = set(places)
    assert (thread == threading.get_ident(), pool) == (False, "system")
    assert pyarrow.default_memory_pool().backend_name == usual


def test_a_history_that_is_dense_only_long_ago_is_never_in_memory_whole(
    devin: dj.Devin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "_FEW", 20)
    monkeypatch.setattr(dataset, "_MANY", 60)
    later = datetime.now(UTC) + timedelta(days=1500)

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return later

    monkeypatch.setattr(dataset, "datetime", Later)
    sizes, write = list[int](), dataset.merge_into
    monkeypatch.setattr(dataset, "merge_into", lambda path, new: (sizes.append(len(new)), write(path, new)))

    assert len(devin.sync(tmp_path)) == 500
    assert max(sizes) < 120


def test_dask_reads_a_folder_with_the_same_columns_and_dtypes(devin: dj.Devin, year: Any, tmp_path: Path) -> None:
    pytest.importorskip("dask.dataframe")
    whole = devin.sync(tmp_path)
    newest = max(tmp_path.glob("sessions-*.parquet"))
    month = storage.read_parquet(newest)
    month["status"] = month["status"].cat.add_categories(["parked"]).fillna("parked")
    month.loc[0, "status"] = "parked"
    storage.write_parquet(month, newest)

    lazy: Any = devin.sync(tmp_path, engine="dask")
    computed = lazy.compute()
    read = read_dataset(tmp_path)

    assert lazy.npartitions == len(list(tmp_path.glob("*.parquet")))
    assert lazy.dtypes.equals(computed.dtypes)
    assert computed.dtypes.equals(read.dtypes)
    assert "parked" in computed["status"].cat.categories
    pd.testing.assert_frame_equal(computed.reset_index(drop=True), read)
    assert computed.dtypes.drop("status").equals(whole.dtypes.drop("status"))
    assert lazy["acus"].sum().compute() == pytest.approx(whole["acus"].sum())
    assert devin.sync(tmp_path / "none", since="2001-01-01", until="2001-01-02", engine="dask").compute().empty
    with pytest.raises(OptionError, match="polars"):
        devin.sync(tmp_path, engine="polars")


@pytest.mark.parametrize("full", [8192, 10])
def test_open_pull_requests_take_turns_where_there_are_many(
    full: int, devin: dj.Devin, year: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "_FULL", full)
    first = devin.sync(tmp_path)
    monkeypatch.setattr(dataset, "MOST_ASKED_AGAIN", 60)
    asked = list[list[str]]()
    by_ids = devin.asynchronous.core.sessions.by_ids

    async def counted(names: Any, **call: Any) -> Any:
        asked.append(list(names))
        return await by_ids(names, **call)

    monkeypatch.setattr(devin.asynchronous.core.sessions, "by_ids", counted)
    waiting = first[(first["n_prs"] > first["n_merged"]).fillna(False)]["session_id"]

    for _ in range(len(waiting) // 30 + 2):
        pd.testing.assert_frame_equal(devin.sync(tmp_path), first)

    assert max(map(len, asked)) <= 60 < len(waiting)
    recently = set(first[first["updated_at"] >= first["updated_at"].max() - pd.Timedelta(hours=1)]["session_id"])
    assert set().union(*asked) >= set(waiting) - recently
