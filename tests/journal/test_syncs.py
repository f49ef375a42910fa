"""What a paid act costs on a disk where a sync takes long, and what is left after a loss of power."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from batches.batch_client import BatchClient
from kernels import CELL, POST, facts_of, kill_after_post, remember
from syncs import counted, syncs_of_a_commit

from devin_jupyter.errors import BudgetExceeded, JournalError
from devin_jupyter.journal import Journal, database
from devin_jupyter.journal.database import MIGRATIONS
from devin_jupyter.models.snapshot import Policy, notebook_scope
from devin_jupyter.schema import load_schema

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the VFS that is counted in")


def test_the_counter_counts_what_sqlite_is_known_to_sync(folder: Path) -> None:
    rows = {"synchronous=EXTRA": 5, "synchronous=NORMAL": 3, "synchronous=OFF": 0}
    found = {}
    for number, pragma in enumerate(rows):
        (folder / str(number)).mkdir()
        found[pragma] = syncs_of_a_commit(folder / str(number), pragma)
    assert found == rows


@pytest.mark.parametrize("is_tagging", [True, False])
async def test_a_start_takes_at_most_four_syncs_and_a_rerun_one(kernel: Any, simulator: Any, is_tagging: bool) -> None:
    one, beside = kernel(), Policy(guard=CELL, beside=True)
    one.creator.is_tagging = is_tagging
    limits = replace(beside, budget=50.0)
    most = {"first": 4, "later": 4, "with a budget": 4, "rerun": 1, "another kernel": 1, "when it is over": 1}
    found = {}
    for name in most:
        if name == "when it is over":
            simulator.clock(500)
        with counted() as syncs:
            if name == "with a budget":  # all sessions of the cell have a cap
                await one.start(name, policy=limits, max_acu=5)
            elif name == "another kernel":
                await kernel(Journal(one.journal.path)).start("first", policy=beside, max_acu=5)
            else:
                await one.start(name if name == "later" else "first", policy=beside, max_acu=5)
        found[name] = syncs.total()
    assert simulator.requests(POST) == 3
    assert all(found[name] <= most[name] for name in most), found
    assert found["first"] >= found["later"] >= (1 if is_tagging else 2), found  # the intent, and what no tag would find


@pytest.mark.parametrize(("rows", "is_tagging"), [(1, True), (5, True), (5, False)])
def test_a_row_of_a_batch_takes_at_most_five_syncs_and_a_rerun_one(
    simulator_with: Any, tmp_path: Path, rows: int, is_tagging: bool
) -> None:
    simulator = simulator_with(speed=2000.0)
    client = BatchClient(simulator.url, tmp_path / "home" / "journal.db")
    client.core.creator.is_tagging = is_tagging
    try:
        for most in (5 * rows, 1):
            with counted() as syncs:
                client.map("Fix {{ row }}", [*range(rows)], max_acu=5, budget=100).wait()
            assert 0 <= syncs.total() <= most
        assert simulator.stats()["sessions"] == rows
    finally:
        client.close()


# --- a loss of power ---------------------------------------------------------------------------------------------


def _gone(journal: Path) -> None:
    database.beside(journal, ".unsynced.db").unlink()


def _garbled(journal: Path) -> None:
    database.beside(journal, ".unsynced.db").write_bytes(b"\0" * 40_000)


def _half_written(journal: Path) -> None:
    path = database.beside(journal, ".unsynced.db")
    content = path.read_bytes()
    path.write_bytes(content[:8192] + b"\xff" * 4096 + content[12288:])


@pytest.mark.parametrize("lose_power", [_gone, _garbled, _half_written])
async def test_after_a_loss_of_power_the_session_is_found_and_not_paid_for_again(
    kernel: Any, simulator: Any, folder: Path, lose_power: Callable[[Path], None]
) -> None:
    one = kernel()
    await one.start("remembered")
    kill_after_post(one)
    simulator.faults({"method": "POST", "kind": "drop_after", "times": 1})
    with pytest.raises(RuntimeError):
        await one.start("lost", max_acu=5, policy=Policy(guard=CELL, beside=True))
    one.journal.database.disconnect()
    lose_power(one.journal.path)
    later = kernel(Journal(one.journal.path))
    assert sorted((item.facts.prompt, item.posts) for item in later.journal.intents.all()) == [
        ("lost", 1),
        ("remembered", 1),
    ]
    assert later.journal.budgets.account(notebook_scope(CELL.notebook)).reserved == 5
    assert len(later.journal.undecided()) == 2
    assert {(await later.start(prompt)).how for prompt in ("remembered", "lost")} == {"adopted"}
    assert simulator.requests(POST) == 2
    assert (later.journal.intents.all(), later.journal.undecided()) == ([], [])


@pytest.mark.parametrize("version", ["v3", "v1"])
@pytest.mark.parametrize("lose_power", [_gone, _garbled, _half_written])
async def test_a_session_that_no_tag_finds_survives_a_loss_of_power(
    kernel: Any, simulator: Any, version: str, lose_power: Callable[[Path], None]
) -> None:
    key = simulator.v1_key if version == "v1" else simulator.api_key
    one = kernel(api_version=version, api_key=key)
    one.creator.is_tagging = version == "v1"
    options: dict[str, Any] = {"schema": load_schema("count:int"), "max_acu": 5}
    options |= {"unlisted": True, "take": "2"} if version == "v1" else {}
    policy = Policy(guard=CELL, beside=True)
    first = await one.start("audit", policy=policy, **options)
    await one.start("another", policy=policy, **options)
    one.journal.database.disconnect()
    lose_power(one.journal.path)
    later = kernel(Journal(one.journal.path), api_version=version, api_key=key)
    later.creator.is_tagging = one.creator.is_tagging
    assert later.journal.intents.all() == []
    assert later.journal.budgets.account(notebook_scope(CELL.notebook)).reserved == 10
    known = later.journal.record(first.session_id)
    assert known.facts.wire_schema == first.record.facts.wire_schema
    assert len(later.journal.sessions(cell=CELL)) == 2
    again = await later.start("audit", policy=policy, **options)
    assert (again.how, again.session_id) == ("attached", first.session_id)
    assert simulator.stats()["sessions"] == 2
    later.journal.database.fold()
    assert not database.beside(one.journal.path, ".intents.log").read_bytes()


def test_what_was_moved_survives_and_what_has_ended_does_not_come_back(folder: Path) -> None:
    journal = Journal(folder)
    for name in ("moved", "cleared", "again"):
        journal.intents.write(facts_of(name), known_before=[], now=1.0)
    journal.intents.clear(facts_of("cleared").fingerprint)
    journal.intents.clear(facts_of("again").fingerprint)
    journal.intents.write(facts_of("again"), known_before=["devin-x"], now=2.0)
    remember(journal, "moved")
    journal.database.fold()
    log = database.beside(journal.path, ".intents.log")
    log.write_bytes(log.read_bytes() + b'\n{"fingerprint": "1:w:cut o')  # the power went while it was written
    remember(journal, "staged")
    journal.database.disconnect()
    _gone(journal.path)
    later = Journal(folder)
    assert [item.facts.tag for item in later.sessions()] == ["nb-moved"]
    assert [(item.fingerprint, item.known_before) for item in later.intents.all()] == [
        (facts_of("again").fingerprint, {"devin-x"})
    ]
    later.intents.write(facts_of("next"), known_before=[], now=3.0)  # after the line that was cut off
    later.database.disconnect()
    _gone(journal.path)
    assert {item.tag for item in Journal(folder).intents.all()} == {"nb-again", "nb-next"}


def test_staged_rows_are_moved_when_there_are_many_or_after_a_while(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, other = Journal(folder), Journal(folder)

    def moved() -> int:
        with sqlite3.connect(folder / "journal.db") as db:
            count = int(db.execute("SELECT COUNT(*) FROM sessions").fetchone()[0])
        db.close()
        return count

    remember(journal, "a")
    other.save_snapshots([])
    assert (moved(), len(other.sessions())) == (0, 1)
    monkeypatch.setattr(database, "_FOLD_SECONDS", 0.0)
    other.save_snapshots([])
    assert (moved(), len(journal.sessions())) == (1, 1)
    monkeypatch.undo()
    monkeypatch.setattr(database, "_MOST_STAGED", 0)
    remember(other, "b")
    journal.save_snapshots([])
    assert (moved(), len(other.sessions())) == (2, 2)
    remember(other, "c")
    journal.halt(now=1.0)  # what is durable takes them along
    assert moved() == 3
    remember(journal, "d")
    journal.close()
    assert moved() == 4


def test_the_log_of_intents_stays_small(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(folder)
    log = database.beside(journal.path, ".intents.log")
    journal.intents.write(facts_of("open"), known_before=[], now=1.0)
    for number in range(5):
        journal.intents.write(facts_of(f"{number}"), known_before=[], now=1.0)
        remember(journal, f"{number}")
    journal.database.fold()
    assert len([*database._lines(log)]) == 6  # not worth while yet
    remember(journal, "more")
    monkeypatch.setattr(database, "_LARGE_LOG", 100)
    journal.database.fold()
    assert [line["fingerprint"] for line in database._lines(log)] == [facts_of("open").fingerprint]
    remember(journal, "open")
    journal.database.fold()
    assert log.read_bytes() == b""
    assert journal.intents.all() == []


def test_a_budget_that_was_lifted_stays_lifted(folder: Path) -> None:
    journal = Journal(folder)
    journal.budgets.set("cell x", 5.0, now=1.0)
    journal.budgets.set("cell x", None, now=2.0, lasting=False)
    assert journal.budgets.account("cell x").limit is None
    assert journal.export()["budgets"] == []
    journal.intents.write(facts_of("a", scopes=("cell x",)), known_before=[], now=1.0)
    with pytest.raises(BudgetExceeded, match="has no cap"):
        journal.intents.write(facts_of("b", scopes=("cell x",)), known_before=[], now=1.0, limits={"cell x": 1.0})
    journal.close()
    assert Journal(folder).budgets.account("cell x").limit is None


def test_an_intent_that_cannot_be_synced_stops_before_the_post(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(folder)
    journal.sessions()

    def full(file: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(JournalError, match="No space left"):
        journal.intents.write(facts_of("a"), known_before=[], now=1.0)
    assert journal.intents.all() == []


def test_the_intents_of_a_journal_of_an_earlier_format_are_kept(folder: Path) -> None:
    fresh = Journal(folder / "fresh")
    facts = facts_of("a", scopes=("cell x",), max_acu=7)
    fresh.intents.write(facts, known_before=["devin-x"], now=1.0)
    with fresh.database.read() as db:
        row = dict(db.execute("SELECT * FROM unsynced.intents").fetchone())
    old = sqlite3.connect(folder / "journal.db", isolation_level=None)
    before = next(number for number, step in enumerate(MIGRATIONS) if "DROP TABLE leases" in step)
    for step in MIGRATIONS[:before]:
        for statement in step:
            old.execute(statement)
    old.execute(f"PRAGMA user_version={before}")
    row |= {"posts": 2, "posted_at": 3.0}
    marks = ", ".join("?" * len(row))
    old.execute(f"INSERT INTO intents ({', '.join(row)}) VALUES ({marks})", (*row.values(),))
    old.execute("INSERT INTO spending VALUES ('cell x', ?, 0)", (row["fingerprint"],))
    old.close()
    journal = Journal(folder)
    (intent,) = journal.intents.all()
    assert (intent.posts, intent.posted_at, intent.known_before) == (2, 3.0, {"devin-x"})
    assert journal.budgets.account("cell x").reserved == 7
    journal.database.disconnect()
    _gone(journal.path)
    later = Journal(folder)
    assert [item.posts for item in later.intents.all()] == [1]
    assert later.budgets.account("cell x").reserved == 7
    later.intents.clear(facts.fingerprint)
    later.database.disconnect()
    assert Journal(folder).intents.all() == []
    assert Journal(folder).budgets.account("cell x").reserved == 0


def test_rows_that_an_earlier_version_staged_are_moved_before_the_tables_change(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(folder)
    remember(journal, "a")
    journal.database.disconnect()
    monkeypatch.setattr(database, "MIGRATIONS", (*MIGRATIONS, ("ALTER TABLE sessions ADD COLUMN more TEXT",)))
    later = Journal(folder)
    assert [item.facts.tag for item in later.sessions()] == ["nb-a"]
    remember(later, "b")
    assert len(later.sessions()) == 2
    with later.database.read() as db:
        assert [item["more"] for item in db.execute("SELECT more FROM sessions")] == [None, None]


def test_a_damaged_journal_is_repaired_without_losing_what_is_staged(folder: Path) -> None:
    journal = Journal(folder)
    journal.intents.write(facts_of("open"), known_before=[], now=1.0)
    remember(journal, "a")
    journal.database.disconnect()
    content = bytearray(journal.path.read_bytes())
    content[4096:12288] = b"\xff" * 8192
    journal.path.write_bytes(content)
    assert journal.repair().damaged is not None
    assert [item.facts.tag for item in journal.sessions()] == ["nb-a"]
    assert [item.fingerprint for item in journal.intents.all()] == [facts_of("open").fingerprint]
