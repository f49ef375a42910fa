"""A history as a Dask DataFrame: partitions are time windows, and the graph holds no key."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import pandas as pd
import pytest

import devin_jupyter as dj
from devin_jupyter.api.query import Window
from devin_jupyter.errors import OptionError
from devin_jupyter.history import dataset
from devin_jupyter.journal import Journal

pytestmark = pytest.mark.skipif(find_spec("dask") is None, reason="dask is not installed")


@pytest.fixture
def year(simulator_with: Callable[..., Any]) -> Any:
    return simulator_with(preload=500)


@pytest.fixture
def devin(year: Any) -> Iterator[dj.Devin]:
    with dj.Devin(year.api_key, org_id=year.org_id, base_url=year.url, journal=Journal(":memory:")) as client:
        yield client


def test_computed_it_is_the_frame_that_pandas_would_hold(devin: dj.Devin) -> None:
    whole = devin.sessions_frame()

    lazy = devin.sessions_frame(engine="dask")
    computed = lazy.compute()

    assert lazy.npartitions >= 12
    assert computed.dtypes.equals(whole.dtypes)
    assert computed.loc[computed["session_id"] == whole.loc[0, "session_id"], "tags"].iloc[0] == whole.loc[0, "tags"]
    assert sorted(computed["session_id"]) == sorted(whole["session_id"])


def test_reductions_run_on_partitions(devin: dj.Devin) -> None:
    whole = devin.sessions_frame(since="100d", tags="team:growth")

    lazy = devin.sessions_frame(engine="dask", since="100d", tags="team:growth")

    assert lazy["acus"].sum().compute() == pytest.approx(whole["acus"].sum())
    assert len(lazy) == len(whole)


def test_the_graph_can_be_sent_and_holds_no_key(devin: dj.Devin, year: Any) -> None:
    lazy = devin.sessions_frame(engine="dask", since="60d")

    sent = pickle.dumps(lazy.__dask_graph__())

    assert year.api_key.encode() not in sent


def test_a_worker_elsewhere_connects_with_its_own_key(
    devin: dj.Devin, year: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    devin.sessions_frame(engine="dask", since="60d")
    monkeypatch.setattr(dataset, "_cores", {})
    monkeypatch.setenv("DEVIN_API_KEY", year.api_key)

    frame = dataset.read_window(Window(None, 2_000_000_000), (year.url, year.org_id, "v3"), {})

    pd.testing.assert_frame_equal(frame, devin.sessions_frame())


def test_partitions_cover_all_time_without_overlap(devin: dj.Devin) -> None:
    lazy = devin.sessions_frame(engine="dask", until="10d")

    assert lazy.map_partitions(len).compute().sum() == len(devin.sessions_frame(until="10d"))


def test_v1_has_partitions_too(year: Any) -> None:
    with dj.Devin(year.v1_key, base_url=year.url, journal=Journal(":memory:")) as v1:
        assert len(v1.sessions_frame(engine="dask", since="60d")) == len(v1.sessions_frame(since="60d"))
        assert v1.sessions_frame(engine="dask").npartitions == 12


def test_without_dask_the_error_names_what_to_install(devin: dj.Devin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dask", None)

    with pytest.raises(OptionError, match="Dask") as caught:
        devin.sessions_frame(engine="dask")
    assert "devin-jupyter[dask]" in caught.value.hint
