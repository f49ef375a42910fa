"""A lock file replays a notebook without a key, a POST or a GET, and reads well in a diff."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from kernels import CELL, POST, SCHEMA, write_lock

from devin_jupyter.errors import JournalError, NotRecorded
from devin_jupyter.idempotency.attach import replay
from devin_jupyter.journal import Journal, lockfile
from devin_jupyter.models.enums import Phase
from devin_jupyter.models.snapshot import Message, Policy, PullRequest, Snapshot
from devin_jupyter.recorded import LockFile, load_lock, locks_beside
from devin_jupyter.request import SessionRequest


async def test_it_replays_the_same_answer_without_a_request(kernel: Any, simulator: Any, folder: Path) -> None:
    one = kernel()
    began = datetime.now(UTC).date()
    path = await write_lock(one, simulator, folder)
    live = (await one.start(policy=Policy(guard=CELL), schema=SCHEMA)).snapshot
    simulator.reset()
    started = replay(SessionRequest(prompt="audit the API").but(schema=SCHEMA), load_lock(path))
    day = started.snapshot.recorded
    assert day is not None
    assert began <= day <= datetime.now(UTC).date()
    assert (started.how, started.notice) == ("recorded", f"replayed from audit.devin.json (recorded {day})")
    for name in ("session_id", "phase", "structured_output", "acus", "pull_requests", "created_at", "tags", "schema"):
        assert getattr(started.snapshot, name) == getattr(live, name), name
    assert started.snapshot.output_is_final
    assert simulator.stats()["requests"] == {}


async def test_a_cell_that_is_not_in_it_fails_in_three_lines(kernel: Any, simulator: Any, folder: Path) -> None:
    path = await write_lock(kernel(), simulator, folder)
    with pytest.raises(NotRecorded) as caught:
        replay(SessionRequest(prompt="something else"), load_lock(path))
    assert caught.value.message == "audit.devin.json does not contain this cell, and there is no key to run it with"
    assert len(caught.value.lines) == 3


async def test_it_matches_on_what_is_asked_wherever_it_was_sent(kernel: Any, simulator: Any, folder: Path) -> None:
    lock = load_lock(await write_lock(kernel(), simulator, folder))
    elsewhere = SessionRequest(prompt="audit the API \n").but(schema=SCHEMA, title="other", tags=("x",))
    assert replay(elsewhere, lock).how == "recorded"
    for other in (SessionRequest(prompt="audit the API"), SessionRequest(prompt="audit the API").but(take="2")):
        with pytest.raises(NotRecorded):
            replay(other, lock)


async def test_messages_are_recorded_as_sent(kernel: Any, simulator: Any, folder: Path) -> None:
    from devin_jupyter.recorded import message_key

    lock = load_lock(await write_lock(kernel(), simulator, folder))
    session_id = lock.sessions[0].snapshot.session_id
    assert lock.was_sent(message_key(session_id, "and the tests", ())) is not None
    assert lock.was_sent(message_key(session_id, "and more", ())) is None


async def test_with_a_key_it_stands_in_for_what_this_journal_does_not_know(
    kernel: Any, simulator: Any, folder: Path
) -> None:
    lock = load_lock(await write_lock(kernel(), simulator, folder))
    other = kernel(Journal(folder / "other"))
    other.creator = other.new_creator(simulated=True, lock=lock)
    posts = simulator.requests(POST)
    assert (await other.start(policy=Policy(guard=CELL), schema=SCHEMA)).how == "recorded"
    assert simulator.requests(POST) == posts
    assert (await other.start("new work", policy=Policy(guard=CELL))).how == "created"
    assert (await other.start(policy=Policy(max_age=0.001), schema=SCHEMA)).how == "created"


async def test_a_simulated_answer_is_none_where_a_key_reaches_the_service(
    kernel: Any, simulator: Any, folder: Path
) -> None:
    lock = load_lock(await write_lock(kernel(), simulator, folder))
    other = kernel(Journal(folder / "other"))
    other.creator = other.new_creator(simulated=False, lock=lock)
    assert (await other.start(policy=Policy(guard=CELL), schema=SCHEMA)).how != "recorded"
    real = [replace(item, snapshot=replace(item.snapshot, simulated=False)) for item in lock.sessions]
    lock = LockFile(lock.name, dict(zip(lock.by_what, real, strict=True)))
    again = kernel(Journal(folder / "again"))
    again.creator = again.new_creator(simulated=False, lock=lock)
    assert (await again.start(policy=Policy(guard=CELL), schema=SCHEMA)).how == "recorded"


def test_a_file_that_has_only_the_default_name_keeps_what_others_recorded(folder: Path) -> None:
    path = lockfile.default_path(None, folder)
    path.write_bytes(written(folder, snapshot_of()).read_bytes())
    content = json.loads(path.read_text())
    record = next(iter(content["sessions"].values()))
    later = {**record, "session_id": "devin-" + "b" * 32, "created_at": "2026-11-22T00:00:00+00:00"}
    content["sessions"] = {"0" * 64: later, **content["sessions"]}
    path.write_text(json.dumps(content))
    entries = Journal(folder / "home").sessions()
    kept = lockfile.others(path, entries)
    assert list(kept) == ["0" * 64]
    assert lockfile.write(path, entries, kept=kept) == 2
    assert json.loads(path.read_text())["sessions"]["0" * 64] == later
    first = path.read_bytes()
    lockfile.write(path, entries, kept=lockfile.others(path, entries))
    assert path.read_bytes() == first
    path.write_text("{}")
    assert lockfile.others(path, entries) == {}
    assert lockfile.others(folder / "nowhere.devin.json", entries) == {}


async def test_writing_it_again_changes_no_byte(kernel: Any, simulator: Any, folder: Path) -> None:
    one = kernel()
    path = await write_lock(one, simulator, folder)
    first = path.read_bytes()
    await write_lock(one, simulator, folder)
    assert path.read_bytes() == first
    await write_lock(one, simulator, folder, "another cell")
    old, new = first.decode().splitlines(), path.read_text().splitlines()
    assert [line for line in old if line.rstrip(",") not in {item.rstrip(",") for item in new}] == []


def snapshot_of(**fields: Any) -> Snapshot:
    moment = datetime(2026, 11, 21, 18, 4, tzinfo=UTC)
    plain: dict[str, Any] = {
        "session_id": "devin-" + "a" * 32,
        "url": "https://app.devin.ai/sessions/" + "a" * 32,
        "phase": Phase.DONE,
        "observed_at": moment,
        "created_at": moment,
    }
    return Snapshot(**{**plain, **fields})


def written(folder: Path, snapshot: Snapshot) -> Path:
    from kernels import facts_of

    journal = Journal(folder / "home")
    start = facts_of("f" * 64, cell=CELL)
    journal.remember(snapshot.session_id, start, how="created", started_at=1.0, now=1.0, snapshot=snapshot)
    path = folder / "audit.devin.json"
    assert lockfile.write(path, journal.sessions()) == 1
    return path


def test_secrets_of_an_answer_are_masked_and_the_date_is_when_it_was_seen(folder: Path) -> None:
    word = Message("e1", "devin", "your key is cog_abcdefgh1234", datetime(2026, 11, 21, tzinfo=UTC))
    path = written(
        folder,
        snapshot_of(
            messages=(word,),
            structured_output={"token": "cog_abcdefgh1234"},
            pull_requests=(PullRequest("https://github.com/acme/api/pull/1", "open"),),
        ),
    )
    assert "cog_abcdefgh" not in path.read_text()
    recorded = load_lock(path).sessions[0]
    assert recorded.date == date(2026, 11, 21)
    assert recorded.snapshot.last_word is not None
    assert recorded.snapshot.last_word.text == "your key is cog_•••"
    assert recorded.snapshot.pull_requests[0].state == "open"


def test_broken_unicode_of_an_answer_can_be_written_and_read(folder: Path) -> None:
    path = written(folder, snapshot_of(structured_output={"text": "half \ud83d"}))
    assert load_lock(path).sessions[0].snapshot.structured_output == {"text": "half \ud83d"}


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"devin_lock": 99, "sessions": {}}', '{"devin_lock": 1, "sessions": {"x": {}}}']
)
def test_a_file_that_is_no_lock_file_is_named(folder: Path, content: str) -> None:
    path = folder / "x.devin.json"
    path.write_text(content)
    with pytest.raises(JournalError, match=r"x\.devin\.json"):
        locks_beside(folder)


def test_all_lock_files_of_a_folder_count(folder: Path) -> None:
    assert locks_beside(folder) is None
    written(folder, snapshot_of())
    content = json.loads((folder / "audit.devin.json").read_text())
    content["sessions"] = {"0" * 64: {**next(iter(content["sessions"].values())), "session_id": "devin-" + "b" * 32}}
    (folder / "other.devin.json").write_text(json.dumps(content))
    lock = locks_beside(folder)
    assert lock is not None
    assert len(lock.sessions) == 2
    assert lock.session("devin-" + "b" * 32) is not None
    assert lock.name == "audit.devin.json, other.devin.json"


def test_it_lies_beside_its_notebook(folder: Path) -> None:
    assert lockfile.default_path("/work/audit.ipynb", folder) == folder / "audit.devin.json"
    assert lockfile.default_path("/work", folder) == folder / "notebook.devin.json"
    (folder / "only.ipynb").write_text("{}")
    assert lockfile.default_path(None, folder) == folder / "only.devin.json"


async def test_a_notebook_that_is_replayed_has_nothing_to_write_whatever_its_file_is_called(
    kernel: Any, simulator: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await write_lock(kernel(), simulator, folder)
    before = path.read_bytes()
    monkeypatch.chdir(path.parent)
    assert str(lockfile.record(Journal(), str(path.parent), None)).startswith(f"{path} is unchanged")
    assert path.read_bytes() == before
