"""Whatever stands in a file that is read back, it is used or refused with an error of ours."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from fuzz.strategies import JSON, ErrorText, check_examples, corrupted, short_and_long, value_or_error
from hypothesis import strategies as st

import devin_jupyter as dj
from devin_jupyter import render
from devin_jupyter.config import resolve_settings, saved_profile
from devin_jupyter.errors import NoKey
from devin_jupyter.journal import Journal, lockfile
from devin_jupyter.recorded import load_lock, read_notebook

BYTES = st.binary(max_size=60)


@pytest.fixture
def saved(simulator: Any, tmp_path: Path) -> tuple[Path, Path]:
    """A lock file and a notebook with a session in it."""
    with dj.Devin(simulator.api_key, base_url=simulator.url, org_id=simulator.org_id) as devin:
        session = devin.create("Count", schema="count:int", max_acu=5).wait()
        session.send("And?").wait()
        lock = tmp_path / "nb.devin.json"
        lockfile.write(lock, devin.journal.sessions())
        output = {"output_type": "display_data", "data": render.bundle(session.snapshot), "metadata": {}}
    cell = {"cell_type": "code", "source": "%%devin", "outputs": [output], "metadata": {}, "execution_count": 1}
    notebook = tmp_path / "nb.ipynb"
    notebook.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return lock, notebook


def written(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


@short_and_long
def test_a_lock_file(examples: int, saved: tuple[Path, Path], tmp_path: Path) -> None:
    sound = json.loads(saved[0].read_text())
    path = tmp_path / "odd.devin.json"

    def check(value: Any) -> None:
        lock = value_or_error(load_lock, written(path, value))
        if not isinstance(lock, ErrorText):
            for recorded in lock.sessions:
                json.dumps(render.bundle(recorded.snapshot))

    assert len(load_lock(saved[0]).sessions) == 1
    check_examples(examples, check, corrupted(sound) | JSON)


@short_and_long
def test_a_notebook(examples: int, saved: tuple[Path, Path], tmp_path: Path) -> None:
    sound = json.loads(saved[1].read_text())
    path = tmp_path / "odd.ipynb"

    def check(value: Any) -> None:
        found = value_or_error(dj.from_notebook, written(path, value))
        if not isinstance(found, ErrorText):
            for session in found:
                value_or_error(session.answer)
                json.dumps(render.bundle(session.snapshot))

    assert len(read_notebook(saved[1])) == 1
    check_examples(examples, check, corrupted(sound) | JSON)


@short_and_long
def test_files_that_hold_anything(examples: int, tmp_path: Path) -> None:
    lock, notebook = tmp_path / "odd.devin.json", tmp_path / "odd.ipynb"

    def check(content: bytes) -> None:
        lock.write_bytes(content)
        notebook.write_bytes(content)
        value_or_error(load_lock, lock)
        value_or_error(dj.from_notebook, notebook)

    check_examples(examples, check, BYTES)


@short_and_long
def test_the_settings_file_and_the_env_file(examples: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, folder = tmp_path / "home", tmp_path / "work"
    home.mkdir(exist_ok=True)
    folder.mkdir(exist_ok=True)
    monkeypatch.chdir(folder)

    def check(value: Any, env: bytes) -> None:
        (home / "settings.json").write_text(json.dumps(value))
        (folder / ".env").write_bytes(b"DEVIN_API_KEY=" + env)
        found = value_or_error(resolve_settings)
        assert isinstance(found, ErrorText) or found.api_key.strip()
        value_or_error(resolve_settings, "cog_0123456789abcdefghij")
        saved_profile(home, "default")

    check_examples(examples, check, st.dictionaries(st.sampled_from(["profiles", "organisations"]), JSON) | JSON, BYTES)
    (folder / ".env").write_text("")
    with pytest.raises(NoKey):
        resolve_settings()


@short_and_long
def test_a_journal_with_damaged_rows(examples: int, simulator: Any, tmp_path: Path) -> None:
    home = tmp_path / "journal"
    with dj.Devin(simulator.api_key, base_url=simulator.url, journal=Journal(home)) as devin:
        devin.create("Count", schema="count:int", max_acu=5).wait()
    path = next(home.glob("*.db"))
    with sqlite3.connect(path) as database:
        names = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
        columns = [
            (name, column[1])
            for name in names
            for column in database.execute(f"pragma table_info({name})")
            if database.execute(f"select count(*) from {name}").fetchone()[0]
        ]
    sound = path.read_bytes()

    def check(place: tuple[str, str], value: Any) -> None:
        path.write_bytes(sound)
        table, column = place
        with sqlite3.connect(path) as database:
            try:
                database.execute(f"update {table} set {column} = ?", (value,))
            except (sqlite3.IntegrityError, OverflowError, UnicodeEncodeError):
                return
        database.close()
        journal = Journal(home)
        entries = value_or_error(journal.sessions)
        if not isinstance(entries, ErrorText):
            for entry in entries:
                value_or_error(journal.record, entry.session_id)
                value_or_error(lambda entry=entry: entry.snapshot and render.bundle(entry.snapshot))
        value_or_error(journal.check)
        value_or_error(journal.halted_since)

    values = st.none() | st.integers() | st.floats() | st.text(max_size=10) | BYTES | JSON.map(json.dumps)
    check_examples(examples, check, st.sampled_from(columns), values)
