"""The journal as a file: private, durable, shared by many, and clear about what is wrong with it."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import stat
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from kernels import CELL, CREATE, POST, SEND, facts_of, remember

from devin_jupyter import redaction
from devin_jupyter.errors import CreateUncertain, JournalError
from devin_jupyter.journal import Journal
from devin_jupyter.journal.database import MIGRATIONS
from devin_jupyter.models.snapshot import CellRef, Policy
from devin_jupyter.request import read_secrets


def test_its_files_are_private_and_it_uses_a_rollback_journal(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "deep" / "home")
    remember(journal, "a")
    path = tmp_path / "deep" / "home" / "journal.db"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with journal.database.read() as db:
        assert db.execute("PRAGMA main.journal_mode").fetchone()[0] == "persist"
        assert db.execute("PRAGMA main.synchronous").fetchone()[0] == 1
    journal.intents.write(facts_of("b"), known_before=[], now=1.0)
    with journal.database.write("look", lasting=True) as db:
        db.execute("UPDATE unsynced.sessions SET mode = 'x'")
        ends = (".db", ".db-journal", ".unsynced.db", ".unsynced.db-journal", ".intents.log")
        modes = {item.name: stat.S_IMODE(item.stat().st_mode) for item in path.parent.iterdir()}
        assert modes == {f"journal{end}": 0o600 for end in ends}


def test_a_failed_transaction_leaves_nothing(folder: Path) -> None:
    journal = Journal(folder)

    def half() -> None:
        with journal.database.write("half") as db:
            db.execute("INSERT INTO flags VALUES ('halt', '', 0)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert journal.halted_since() is None


def test_many_threads_share_one_journal(folder: Path) -> None:
    journal = Journal(folder)

    def work(number: int) -> None:
        for step in range(5):
            remember(journal, f"{number}a{step}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(journal.sessions()) == 40


def _work_elsewhere(folder: Path, number: int) -> None:
    journal = Journal(folder)
    for step in range(10):
        remember(journal, f"{number}b{step}")


def test_many_processes_share_one_journal(folder: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_work_elsewhere, args=(folder, number)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert len(Journal(folder).sessions()) == 30
    assert Journal(folder).check() == []


def test_a_forked_child_opens_its_own_connection(folder: Path) -> None:
    journal = Journal(folder)
    remember(journal, "parent")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            remember(journal, "child")
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    remember(journal, "after")
    assert len(journal.sessions()) == 3


def test_a_deleted_journal_is_begun_afresh(folder: Path) -> None:
    journal = Journal(folder)
    remember(journal, "a")
    Path(journal.path).unlink()
    assert journal.sessions() == []
    remember(journal, "b")
    assert len(Journal(folder).sessions()) == 1


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:3000])


def _scribble(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:12288] = b"\xff" * 8192
    path.write_bytes(content)


def _replace(path: Path) -> None:
    path.write_text("this is no database at all, and long enough to be looked at as one" * 99)


def _by_a_newer_version(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version={len(MIGRATIONS) + 1}")
    db.close()


@pytest.mark.parametrize("spoil", [_truncate, _scribble, _replace, _by_a_newer_version])
async def test_a_journal_that_cannot_be_trusted_stops_everything_in_three_lines_before_a_post(
    kernel: Any, simulator: Any, folder: Path, spoil: Callable[[Path], None]
) -> None:
    remember(Journal(folder / "home"), "a")
    path = folder / "home" / "journal.db"
    spoil(path)
    with pytest.raises(JournalError) as caught:
        await kernel().start()
    assert len(caught.value.lines) == 3
    assert str(path) in caught.value.message
    assert simulator.requests(POST) == 0


async def test_a_read_only_journal_stops_everything_before_a_post(kernel: Any, simulator: Any, folder: Path) -> None:
    remember(Journal(folder / "home"), "a")
    one = kernel()
    one.journal.sessions()
    with one.journal.database.read() as db:
        db.execute("PRAGMA query_only=1")  # as a file system mounted read-only answers; tests may run as root
    with pytest.raises(JournalError) as caught:
        await one.start()
    assert "cannot be written" in caught.value.message
    assert "DEVIN_JUPYTER_HOME" in caught.value.hint
    assert simulator.requests(POST) == 0


def test_the_check_reports_a_journal_that_cannot_be_written(folder: Path) -> None:
    def mounted_read_only(step: str) -> None:  # tests may run as root, whom no mode of a file stops
        if step == "check:begin":
            journal.database._connection.close()
            uri = f"file:{journal.path}?mode=ro"
            journal.database._connection = sqlite3.connect(uri, uri=True, isolation_level=None)

    journal = Journal(folder, on_step=mounted_read_only)
    (problem,) = journal.check()
    assert "cannot be written" in problem
    journal = Journal(folder)
    assert (journal.check(), journal.halted_since()) == ([], None)


async def test_acts_without_outcome_are_listed(kernel: Any, simulator: Any) -> None:
    one = kernel()
    session_id = (await one.start()).session_id
    simulator.faults({**SEND, "kind": "drop_before"})
    with pytest.raises(CreateUncertain):
        await one.messenger.send(session_id, "more")
    other = CellRef(notebook="/work/other.ipynb", cell_id="x")
    simulator.faults({**CREATE, "kind": "drop_before"})
    with pytest.raises(CreateUncertain):
        await one.start("two", policy=Policy(guard=other))
    start, message = one.journal.undecided()
    assert start.startswith("a session may have been started on 20")
    assert one.journal.intents.all()[0].tag in start
    assert message.startswith(f"a message may have arrived at {session_id} after 20")
    assert one.journal.undecided(CELL.notebook) == [message]
    assert one.journal.undecided(other.notebook) == [start]
    assert one.journal.check() == []


def test_a_folder_that_cannot_be_made_is_an_error_of_three_lines(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(JournalError) as caught:
        Journal(tmp_path / "file" / "home").sessions()
    assert len(caught.value.lines) == 3


def test_a_journal_locked_for_too_long_is_an_error(folder: Path) -> None:
    remember(Journal(folder), "a")
    holder = sqlite3.connect(folder / "journal.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(JournalError, match="locked by another process"):
            remember(Journal(folder, busy_seconds=0.05), "b")
    finally:
        holder.close()


def test_repair_keeps_what_can_be_read_and_the_damaged_file(folder: Path) -> None:
    journal = Journal(folder)
    for number in range(200):
        remember(journal, f"{number}", prompt="words " * 50, schema={"type": "object", "title": str(number)})
    journal.close()
    path = folder / "journal.db"
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 4096] = b"\xff" * 4096
    path.write_bytes(content)
    assert journal.check() != []
    repaired = journal.repair()
    assert repaired.damaged is not None
    assert repaired.damaged.exists()
    assert 100 < len(journal.sessions()) <= 200
    assert journal.check() == [] or journal.check()[0].endswith("lost their schema")
    assert "the damaged file is" in str(repaired)
    assert str(repaired).endswith("; nothing could be kept of: budgets, the halt, messages sent")


def test_repair_of_a_sound_journal_changes_nothing(folder: Path) -> None:
    journal = Journal(folder)
    remember(journal, "a")
    assert str(journal.repair()) == "the journal is sound; nothing was changed"
    assert len(journal.sessions()) == 1


def test_an_export_is_plain_and_redacted(folder: Path) -> None:
    journal = Journal(folder)
    remember(journal, "a", prompt="use cog_abcdefgh12345678 please", cell=CellRef(notebook="n", cell_id="c"))
    exported = journal.export()
    assert exported["format"] == len(MIGRATIONS)
    assert "cog_abcdefgh" not in str(exported)
    use = {"notebook": "n", "cell": "id:c", "session_id": journal.sessions()[0].session_id, "used_at": 1.0}
    assert exported["uses"] == [{**use, "execution": None, "source": None}]


def test_broken_unicode_can_be_kept(folder: Path) -> None:
    journal = Journal(folder)
    remember(journal, "a", prompt="half a \ud83d smile", incidental={"title": "\udcff"})
    assert journal.sessions()[0].facts.incidental == {"title": "\udcff"}


def test_a_journal_in_memory_keeps_nothing(folder: Path) -> None:
    journal = Journal()
    remember(journal, "a")
    assert len(journal.sessions()) == 1
    assert journal.path == ":memory:"
    assert list(folder.iterdir()) == []
    journal.close()
    assert journal.sessions() == []


def test_a_write_ahead_journal_is_turned_into_a_rollback_journal(folder: Path) -> None:
    with sqlite3.connect(folder / "journal.db") as db:
        db.execute("PRAGMA journal_mode=WAL")
    db.close()
    journal = Journal(folder)
    with journal.database.read() as read:
        assert read.execute("PRAGMA main.journal_mode").fetchone()[0] == "persist"


async def test_no_value_of_a_secret_is_in_the_file(kernel: Any, folder: Path) -> None:
    one = kernel()
    started = await one.start(
        "the token is s3cr3t-canary-value and the key cog_canary12345678",
        secrets=read_secrets({"NPM_TOKEN": "s3cr3t-canary-value"}),
        title="s3cr3t-canary-value",
    )
    await one.messenger.send(started.session_id, "again: s3cr3t-canary-value")
    one.journal.halt(now=1.0)
    content = (folder / "home" / "journal.db").read_bytes()
    assert b"s3cr3t" not in content
    assert b"cog_canary" not in content


async def test_a_later_process_masks_the_secrets_of_the_sessions_it_loads(
    kernel: Any, simulator: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = "s3cr3t-canary-value"
    monkeypatch.setenv("NPM_TOKEN", value)
    one = kernel()
    started = await one.start("publish", secrets=read_secrets(("NPM_TOKEN",)))
    monkeypatch.setattr(redaction, "masked", redaction.Masked())  # another process has planted nothing yet
    assert redaction.redact(value) == value
    later = kernel()
    assert later.journal.sessions(notebook=CELL.notebook)[0].session_id == started.session_id
    await later.messenger.send(started.session_id, f"the token is {value}")
    now = datetime.now(UTC)
    later.journal.save_snapshots([replace(started.snapshot, question=f"is it {value}?", observed_at=now)])
    assert later.journal.snapshot(started.session_id).question == "is it •••?"
    assert value.encode() not in (folder / "home" / "journal.db").read_bytes()
    assert "NPM_TOKEN" in str(later.journal.export())


def test_a_journal_of_the_first_format_is_brought_up_to_date(folder: Path) -> None:
    old = sqlite3.connect(folder / "journal.db", isolation_level=None)
    for statement in MIGRATIONS[0]:
        old.execute(statement)
    old.execute("PRAGMA user_version=1")
    old.execute("INSERT INTO sessions (session_id, api_version, how, started_at) VALUES ('devin-a', 'v3', 'seen', 1.0)")
    old.close()
    entry = Journal(folder).record("devin-a")
    assert entry is not None
    assert entry.session_id == "devin-a"


def test_a_home_with_a_dot_in_its_name_is_a_folder(folder: Path) -> None:
    assert Journal(folder / "my.home").path == folder / "my.home" / "journal.db"
    assert Journal(folder / "other.db").path == folder / "other.db"


def test_repair_leaves_a_journal_alone_that_is_only_locked_or_newer(folder: Path) -> None:
    remember(Journal(folder), "a")
    path = folder / "journal.db"
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(JournalError, match="locked by another process"):
            Journal(folder, busy_seconds=0.05).repair()
    finally:
        holder.close()
    _by_a_newer_version(path)
    with pytest.raises(JournalError, match="newer version"):
        Journal(folder).repair()
    assert not list(folder.glob("*damaged*"))


def test_a_relative_home_stays_where_it_was_when_the_notebook_changes_folders(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.chdir(folder)
    journal = Journal(Path("home"))
    remember(journal, "a")
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    assert len(journal.sessions()) == 1
    assert journal.path == folder / "home" / "journal.db"
    _scribble(folder / "home" / "journal.db")
    assert journal.repair().damaged is not None
