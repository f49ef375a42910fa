"""A handle that a pool of other processes is given, as joblib's, and one that IPython's `%store` keeps."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest

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
