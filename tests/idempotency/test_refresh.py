"""One look at a session the journal knows: as it is, or as it was when the service does not tell."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from kernels import remember, save_snapshot

from devin_jupyter.errors import ConnectionLost, Forbidden, NotFound, Unauthorized
from devin_jupyter.idempotency.attach import Refresher
from devin_jupyter.idempotency.once import Timing
from devin_jupyter.journal import Journal
from devin_jupyter.models.enums import Phase
from devin_jupyter.monitor.store import SessionStore

RAW = {"session_id": "a" * 32, "status": "running", "status_detail": "working", "acus_consumed": 2.5, "tags": []}


class Service:
    def __init__(self, answer: Any) -> None:
        self.answer, self.asked = answer, 0

    async def get(self, session_id: str, *, retries: bool = True) -> Any:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return {**self.answer, "session_id": session_id}


class Api:
    def __init__(self, answer: Any) -> None:
        self.sessions = Service(answer)


def refresher_and_record(folder: Path, answer: Any, *, was_seen: bool = True) -> tuple[Refresher, Any, Api]:
    journal, api = Journal(folder), Api(answer)
    session_id = remember(journal, "a")
    if was_seen:
        save_snapshot(journal, session_id, acus=1.0, over=True)
    refresher = Refresher(api.sessions, SessionStore(journal), Timing())  # type: ignore[arg-type]
    return refresher, journal.record(session_id), api


async def test_what_is_seen_is_kept(folder: Path) -> None:
    refresher, record, _ = refresher_and_record(folder, RAW)
    look = await refresher.look(record)
    assert look.snapshot is not None
    assert (look.snapshot.phase, look.why_not) == (Phase.WORKING, "")
    kept = Journal(folder).record(record.session_id)
    assert kept is not None
    assert (kept.acus, kept.is_open) == (2.5, True)


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (ConnectionLost("closed"), "the service cannot be reached"),
        (Forbidden("403", status_code=403), "the service does not show it (403)"),
        (NotFound("404", status_code=404), "the service does not know it any more"),
    ],
)
async def test_else_it_is_as_last_seen(folder: Path, problem: Exception, words: str) -> None:
    refresher, record, _ = refresher_and_record(folder, problem)
    look = await refresher.look(record)
    assert (look.snapshot, look.raw, look.why_not) == (record.snapshot, None, words)


async def test_a_refused_key_is_not_passed_over(folder: Path) -> None:
    refresher, record, _ = refresher_and_record(folder, Unauthorized("401", status_code=401))
    with pytest.raises(Unauthorized):
        await refresher.look(record)


@pytest.mark.parametrize("problem", [ConnectionLost("closed"), NotFound("404", status_code=404)])
async def test_a_session_never_seen_cannot_be_made_up(folder: Path, problem: Exception) -> None:
    refresher, record, _ = refresher_and_record(folder, problem, was_seen=False)
    with pytest.raises(type(problem)):
        await refresher.look(record)


async def test_the_next_cells_do_not_wait_for_the_same_failure(folder: Path) -> None:
    refresher, record, api = refresher_and_record(folder, ConnectionLost("closed"))
    for _ in range(3):
        await refresher.look(record)
    assert api.sessions.asked == 1
    refresher.timing = Timing(now=lambda: time.time() + 60)
    await refresher.look(record)
    assert api.sessions.asked == 2
