"""The journal's file in bad company, what dead kernels left, and texts that were never meant to be read back."""

from __future__ import annotations

import errno
import sqlite3
import threading
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kernels import CELL, FAST, POST, Kernel, call_api, facts_of, remember

from devin_jupyter import recorded
from devin_jupyter.errors import ConnectionLost, CreateUncertain, JournalError
from devin_jupyter.idempotency.attach import state
from devin_jupyter.journal import Journal, database
from devin_jupyter.journal import intents as process
from devin_jupyter.journal.database import Database, explain
from devin_jupyter.journal.intents import start_lease
from devin_jupyter.models.enums import Phase
from devin_jupyter.models.snapshot import Message, PullRequest, Snapshot
from devin_jupyter.text import format_utc

# --- the file ---------------------------------------------------------------------------------------------------------


def failure(code: int) -> sqlite3.OperationalError:
    problem = sqlite3.OperationalError("disk I/O error")
    problem.sqlite_errorcode = code
    return problem


@pytest.mark.parametrize(
    ("problem", "word"),
    [
        (failure(sqlite3.SQLITE_BUSY), "locked"),
        (failure(sqlite3.SQLITE_CORRUPT), "damaged"),
        (failure(sqlite3.SQLITE_READONLY), "cannot be written"),
        (OSError(errno.EACCES, "Permission denied"), "cannot be written"),
        (failure(sqlite3.SQLITE_FULL), "cannot grow"),
        (failure(sqlite3.SQLITE_IOERR), "failed"),
    ],
)
def test_every_failure_of_the_file_says_what_to_do(problem: Exception, word: str) -> None:
    told = explain(problem, "/home/me/journal.db")
    assert word in told.message
    assert "/home/me/journal.db" in told.message
    assert told.hint


def test_a_failed_statement_rolls_everything_back_and_is_explained(folder: Path) -> None:
    file = Database(folder / "journal.db")

    def half() -> None:
        with file.write("half") as db:
            db.execute("INSERT INTO flags VALUES ('halt', '', 0)")
            db.execute("INSERT INTO no_such_table VALUES (1)")

    with pytest.raises(JournalError, match="failed"):
        half()
    with file.read() as db:
        assert db.execute("SELECT count(*) FROM flags").fetchone()[0] == 0


def test_a_transaction_that_sqlite_has_ended_itself_is_not_rolled_back_twice(folder: Path) -> None:
    file = Database(folder / "journal.db")

    def gone() -> None:
        with file.write("gone") as db:
            db.execute("ROLLBACK")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        gone()
    with file.write("after") as db:
        db.execute("INSERT INTO flags VALUES ('halt', '', 0)")
    assert Journal(folder).halted_since() is not None


def test_closing_in_a_forked_child_leaves_the_connection_to_the_parent(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = Database(folder / "journal.db")
    with file.read() as parents:
        pass
    with monkeypatch.context() as patch:
        patch.setattr("os.getpid", lambda: -1)
        file.close()
    assert parents.execute("SELECT 1").fetchone()[0] == 1
    parents.close()
    file.close()
    with file.read() as db:
        assert db.execute("SELECT 1").fetchone()[0] == 1
    file.close()


def test_a_lock_that_a_thread_of_the_parent_held_does_not_hang_a_forked_child(folder: Path) -> None:
    journal, held, done = Journal(folder), threading.Event(), threading.Event()

    def hold() -> None:
        with journal.database.read():
            held.set()
            assert done.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(30)
    database._renew_locks()  # what a fork does in the child
    assert journal.halted_since() is None
    done.set()
    holder.join()


def test_a_fork_waits_for_the_query_that_a_thread_is_at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_STILL_SECONDS", 30.0)
    journal, held, done, order = Journal(folder), threading.Event(), threading.Event(), list[str]()

    def query() -> None:
        with journal.database.read():
            held.set()
            assert done.wait(30)
            order.append("query")

    def fork() -> None:
        database._lock_before_fork()  # what a fork does before
        order.append("fork")
        database._unlock_after_fork()

    threads = [threading.Thread(target=query), threading.Thread(target=fork)]
    threads[0].start()
    assert held.wait(30)
    threads[1].start()
    done.set()
    for thread in threads:
        thread.join()
    assert order == ["query", "fork"]
    assert journal.halted_since() is None


def test_a_large_journal_is_not_looked_through_at_every_start(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(Journal(folder), "a")
    asked: list[str] = []

    class Watching(sqlite3.Connection):
        def execute(self, query: str, *values: Any) -> sqlite3.Cursor:  # type: ignore[override]
            asked.append(query)
            return super().execute(query, *values)

    for most, is_checked in ((10_000, True), (1, False)):
        monkeypatch.setattr(database, "_PAGES_CHECKED", most)
        asked.clear()
        connection = sqlite3.connect(folder / "journal.db", factory=Watching, isolation_level=None)
        database._prepare(connection, "journal")
        connection.close()
        assert any("quick_check" in query for query in asked) is is_checked


def test_damage_that_only_a_look_through_finds_is_damage(folder: Path) -> None:
    class Broken(sqlite3.Connection):
        def execute(self, query: str, *values: Any) -> Any:
            if "quick_check" in query:
                return SimpleNamespace(fetchone=lambda: ("row 7 missing from index",))
            return super().execute(query, *values)

    connection = sqlite3.connect(folder / "journal.db", factory=Broken, isolation_level=None)
    with pytest.raises(sqlite3.DatabaseError, match="row 7") as caught:
        database._prepare(connection, "journal")
    connection.close()
    assert database.is_damage(caught.value)


def test_a_migration_that_fails_leaves_the_version_before(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(Journal(folder), "a")
    before = len(database.MIGRATIONS)
    for statement in ("CREATE TABLE half (a); INSERT INTO nowhere VALUES (1)", "COMMIT"):
        steps = ["CREATE TABLE half (a)", *statement.split("; ")[1:]] if ";" in statement else [statement, "BROKEN"]
        with monkeypatch.context() as patch:
            patch.setattr(database, "MIGRATIONS", (*database.MIGRATIONS, steps))
            with pytest.raises(JournalError):
                Journal(folder).sessions()
    assert database._version(sqlite3.connect(folder / "journal.db")) == before
    assert len(Journal(folder).sessions()) == 1


def test_a_process_of_another_user_counts_as_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int, signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr("os.kill", refuse)
    assert process._exists(1)


# --- what is read back ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "record",
    [
        {"session_id": "devin-a", "url": "", "title": 5},
        {"session_id": "devin-a", "url": "", "tags": [5]},
        {"session_id": "devin-a", "url": "", "pull_requests": ["https://x"]},
        {"session_id": "devin-a", "url": "", "messages": [7]},
        {"session_id": "devin-a", "url": "", "phase": "asleep on the job"},
    ],
)
def test_a_record_that_we_did_not_make_is_refused(record: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        recorded.snapshot_from_json(record)


def test_a_snapshot_is_read_back_as_it_was_and_with_what_is_known_better() -> None:
    whole = Snapshot(
        session_id="devin-a",
        url="https://x",
        phase=Phase.DONE,
        tags=("a",),
        pull_requests=(PullRequest("https://x/1", "open"), PullRequest("https://x/2", None)),
        messages=(Message("e", "devin", "done", datetime(2026, 11, 1, tzinfo=UTC)),),
        recorded=date(2026, 11, 2),
    )
    assert recorded.snapshot_from_json(recorded.snapshot_to_json(whole)) == whole
    bare = {"session_id": "devin-a", "url": ""}
    newer = recorded.snapshot_from_json(bare, pull_requests=whole.pull_requests, messages=whole.messages)
    assert (newer.pull_requests, newer.messages) == (whole.pull_requests, whole.messages)


def test_times_and_costs_that_are_not_known_are_called_unknown() -> None:
    assert format_utc(None) == "an unknown time"
    assert "ACU unknown" in state(None)
    assert "not seen" in state(None)
    assert state(Snapshot(session_id="devin-a", url="", phase=Phase.DONE, acus=1.5)) == "done, 1.5 ACU"


# --- what dead kernels left -------------------------------------------------------------------------------------------


async def test_what_another_process_began_stays_undecided_while_the_service_cannot_be_asked(
    kernel: Any, simulator: Any
) -> None:
    one: Kernel = kernel()
    one.journal.intents.write(facts_of("a", cell=CELL), known_before=[], now=1.0)
    [intent] = one.journal.intents.all()

    async def find(tag: str) -> Any:
        raise ConnectionLost("no line")

    one.creator.lookup.find = find  # type: ignore[method-assign]
    with pytest.raises(CreateUncertain, match="an earlier kernel"):
        await one.creator.adopt_orphan(intent)
    assert one.journal.intents.all() == [intent]
    assert simulator.requests(POST) == 0


async def test_a_dead_kernels_session_is_adopted_once_and_not_taken_for_an_older_one(
    kernel: Any, simulator: Any
) -> None:
    one: Kernel = kernel()
    older, newer = (
        call_api(simulator, "POST", "/sessions", json={"prompt": text, "tags": ["nb-a"]})["session_id"]
        for text in ("older", "newer")
    )
    one.journal.intents.write(facts_of("a", cell=CELL), known_before=[f"devin-{older}"], now=1.0)
    [intent] = one.journal.intents.all()
    holder = one.journal.leases.take(start_lease(intent.fingerprint), now=FAST.now())
    assert await one.creator.adopt_orphan(intent) is None  # somebody is at it
    assert one.journal.sessions() == []
    one.journal.leases.give_back(start_lease(intent.fingerprint), holder or "")
    adopted = await one.creator.adopt_orphan(intent)
    assert adopted is not None
    assert [entry.session_id for entry in one.journal.sessions()] == [f"devin-{newer}"]
    assert one.journal.intents.all() == []


async def test_an_intent_that_made_nothing_is_cleared(kernel: Any, simulator: Any) -> None:
    one: Kernel = kernel()
    one.journal.intents.write(facts_of("a", cell=CELL), known_before=[], now=1.0)
    [intent] = one.journal.intents.all()
    assert await one.creator.adopt_orphan(intent) is None
    assert (one.journal.intents.all(), one.journal.sessions()) == ([], [])
