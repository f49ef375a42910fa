"""A journal, a lock file, a saved notebook and a synced folder of the past are read as on the day they were written."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from witness import readings, surface
from witness.service import BASE_URL, KEY, ORG, Service

import devin_jupyter as dj

DATA = Path(__file__).with_name("data")


@contextmanager
def kernel(folder: Path) -> Iterator[tuple[dj.Devin, Service]]:
    """A client on a copy of the journal, and the service it talks to."""
    home = folder / "home"
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "journal.db").exists():
        shutil.copy(DATA / "journal.db", home)
    before = {name: os.environ.get(name) for name in ("DEVIN_JUPYTER_HOME", "JPY_SESSION_NAME", "NPM_TOKEN")}
    os.environ |= {"DEVIN_JUPYTER_HOME": str(home), "JPY_SESSION_NAME": readings.NOTEBOOK}
    service = Service(DATA / "service.json")
    try:
        with surface.client(KEY, ORG, BASE_URL, service) as devin:
            yield devin, service
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            os.environ |= {} if value is None else {name: value}


def read_all(folder: Path) -> dict[str, Any]:
    """Return everything that is read of the recorded files: frozen by `freeze`, compared by the tests."""
    return {name: read(folder / name) for name, read in READ.items()}


def _sessions(folder: Path) -> Any:
    """What the journal alone says of each session, then what it says together with the service."""
    found = {}
    with kernel(folder) as (devin, service):
        ids = [
            identifier
            for one in json.loads((DATA / "service.json").read_text())["sessions"]
            for identifier in [f"devin-{one['session_id'].removeprefix('devin-')}"]
        ]
        for is_away in (True, False):
            service.is_away = is_away
            for identifier in ids:
                try:
                    found[f"{identifier} {'away' if is_away else 'there'}"] = readings.session(devin.get(identifier))
                except dj.ConnectionTrouble:
                    found[f"{identifier} away"] = "not in the journal"
        assert not service.posts
    return found


def _batches(folder: Path) -> Any:
    found = {}
    with kernel(folder) as (devin, service):
        for name in ("sweep", "batch-ebee0d"):
            batch = devin.batch(name)
            found[name] = readings.batch(batch) | {"paused": batch.paused, "notice": batch.notice}
        found["posts"] = service.posts
    return found


def _budget(folder: Path) -> Any:
    with kernel(folder) as (devin, _):
        return str(devin.budget(notebook=readings.NOTEBOOK))


def _lock_written(folder: Path) -> Any:
    with kernel(folder) as (devin, _):
        devin.lock(folder / "again.devin.json", notebook=readings.NOTEBOOK)
    return readings.lock_file(folder / "again.devin.json")


def _notebook(folder: Path) -> Any:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "saved.ipynb"  # under another name here, or nbval would run it
    shutil.copy(DATA / "saved_notebook.json", path)
    saved = datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp()
    os.utime(path, (saved, saved))  # the day it was saved is the day its sessions were recorded
    return [readings.session(one) for one in dj.from_notebook(path)]


def _dataset(folder: Path) -> Any:
    return readings.frame(surface.read_dataset(DATA / "sync"))


def _sync(folder: Path) -> Any:
    shutil.copytree(DATA / "sync", folder / "sync")
    with kernel(folder) as (devin, _):
        return readings.frame(devin.sync(folder / "sync"))


READ = {
    "sessions": _sessions,
    "batches": _batches,
    "budget": _budget,
    "lock_written": _lock_written,
    "notebook": _notebook,
    "dataset": _dataset,
    "sync": _sync,
}


@pytest.mark.parametrize("name", READ)
def test_it_is_read_as_it_was(name: str, tmp_path: Path) -> None:
    expected = json.loads((DATA / "expected.json").read_text("utf-8"))[name]
    assert json.loads(json.dumps(READ[name](tmp_path))) == expected


def test_nothing_is_paid_for_again(tmp_path: Path) -> None:
    with kernel(tmp_path) as (devin, service):
        for name, (prompt, options) in readings.CREATED.items():
            again = surface.create_in_cell(devin, prompt, readings.CELLS[name], **options)
            assert again.id in {f"devin-{one.removeprefix('devin-')}" for one in service.sessions}
        assert surface.is_held(devin, "sweep")  # paused by another kernel; running it again lifts that
        batch = devin.map(readings.SWEEP, readings.ROWS, **readings.SWEEP_OPTIONS)
        surface.map_in_cell(devin, *readings.NAMELESS[:2], readings.NAMELESS_CELL, **readings.NAMELESS[2])
        assert not surface.is_held(devin, "sweep")
        batch.retry(take=2)
        assert service.posts == []


def test_an_orphan_is_adopted_and_one_that_never_arrived_is_posted_once(tmp_path: Path) -> None:
    with kernel(tmp_path) as (devin, service):
        before = set(service.sessions)
        adopted = devin.create(readings.ARRIVED[0], **readings.ARRIVED[1])
        assert {adopted.id, adopted.id.removeprefix("devin-")} & before
        assert service.posts == []
        posted = devin.create(readings.NEVER_ARRIVED[0], **readings.NEVER_ARRIVED[1])
        assert service.posts == [readings.NEVER_ARRIVED[0]]
        assert devin.create(readings.NEVER_ARRIVED[0], **readings.NEVER_ARRIVED[1]).id == posted.id
        assert service.posts == [readings.NEVER_ARRIVED[0]]


def test_messages_are_sent_once(tmp_path: Path) -> None:
    with kernel(tmp_path) as (devin, service):
        said = {}
        for name, text in (
            ("audit", readings.SENT),
            ("audit", readings.SENT_UNCERTAINLY),
            ("asked", readings.NEVER_SENT),
        ):
            prompt, options = readings.CREATED[name]
            session = surface.create_in_cell(devin, prompt, readings.CELLS[name], **options)
            said[text] = str(session.send(text).notice)
        assert service.posts == [readings.NEVER_SENT]
        assert "already sent" in said[readings.SENT]
        prompt, options = readings.CREATED["audit"]
        session = surface.create_in_cell(devin, prompt, readings.CELLS["audit"], **options)
        assert "already sent" in str(session.send(readings.SENT_UNCERTAINLY).notice)  # its fate is known by now
        assert service.posts == [readings.NEVER_SENT]


def test_the_uses_of_cells_still_guard_them(tmp_path: Path) -> None:
    with kernel(tmp_path) as (devin, service):
        with pytest.raises(dj.SessionChanged, match="devin-"):
            surface.create_in_cell(devin, "Watch something else", readings.CELLS["watch"], max_acu=3)
        assert service.posts == []


def test_the_budget_remembers_what_was_spent(tmp_path: Path) -> None:
    with kernel(tmp_path) as (devin, service):
        with pytest.raises(dj.BudgetExceeded):
            devin.create("Something dear", max_acu=60)
        assert service.posts == []


def test_the_lock_file_replays_without_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(DATA / "lock.devin.json", tmp_path / "audit.devin.json")
    monkeypatch.chdir(tmp_path)
    expected = json.loads((DATA / "expected.json").read_text("utf-8"))["sessions"]
    devin = dj.connect()
    prompt, options = readings.CREATED["audit"]
    again = devin.create(prompt, **options)
    then = expected[f"{again.id} away"]
    now = readings.session(again)
    assert now["recorded"] != "None"
    assert {name: now[name] for name in ("output", "phase", "acus", "title", "url", "tags", "schema")} == {
        name: then[name] for name in ("output", "phase", "acus", "title", "url", "tags", "schema")
    }
    assert again.result() is not None
    assert "already sent" in str(again.send(readings.SENT).notice)
    with pytest.raises(dj.NotRecorded):
        devin.create("Never recorded")
