"""A handle that pools of other processes are given, and joblib's files and caches."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import joblib
import pytest
from joblib.externals.loky import get_reusable_executor

import devin_jupyter as dj


@pytest.fixture
def session(simulator: Any, monkeypatch: pytest.MonkeyPatch) -> dj.Session:
    monkeypatch.setenv("DEVIN_API_KEY", simulator.api_key)
    monkeypatch.setenv("DEVIN_API_URL", simulator.url)
    return dj.create("do it", schema="file:str, count:int").wait(30)


def read(session: dj.Session) -> tuple[str, Any]:
    """What a worker does: it has no client until the handle asks for one."""
    return session.id, session.result(30)


def test_workers_that_share_nothing_read_a_session_by_its_handle(session: dj.Session) -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        there = list(pool.map(read, [session, session]))
        again = pool.submit(dj.get, session.id).result()
    assert there == [(session.id, session.result())] * 2
    assert isinstance(again, dj.Session)  # a handle comes back as well
    assert again.result() == session.result()


def test_joblib_hands_a_handle_to_its_workers_keeps_it_in_files_and_knows_it_by_its_id(
    session: dj.Session, tmp_path: Path
) -> None:
    read_there = joblib.delayed(lambda one: (one.id, one.result(30)))  # by value: loky's workers do not see the tests
    try:
        found = joblib.Parallel(n_jobs=2, backend="loky")(read_there(one) for one in [session, session])
    finally:
        get_reusable_executor().shutdown(wait=True)
    assert found == [(session.id, session.result())] * 2
    joblib.dump({"audit": session}, tmp_path / "handles.joblib")
    assert joblib.load(tmp_path / "handles.joblib")["audit"].result() == session.result()
    cached = joblib.Memory(tmp_path, verbose=0).cache(read)
    assert cached(session) == cached(dj.get(session.id))
    assert cached.check_call_in_cache(dj.get(session.id))
