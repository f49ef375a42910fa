"""A cell whose answer is in the lock file, where the organization cannot be asked for; and cursors that wear out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from kernels import CELL, SCHEMA, write_lock

from devin_jupyter.api.sessions import Found
from devin_jupyter.config import Pace
from devin_jupyter.errors import BadRequest, ConnectionLost
from devin_jupyter.journal import Journal
from devin_jupyter.models.snapshot import Policy
from devin_jupyter.monitor.poll import Poller
from devin_jupyter.monitor.store import SessionStore
from devin_jupyter.recorded import load_lock


async def test_a_recorded_answer_needs_no_line_and_anything_else_does(
    kernel: Any, simulator: Any, folder: Path
) -> None:
    lock = load_lock(await write_lock(kernel(), simulator, folder))
    other = kernel(Journal(folder / "other"))

    async def unreachable() -> Any:
        raise ConnectionLost("the line is gone")

    for known in (lock, None):
        other.creator = other.new_creator(unreachable, simulated=False, lock=known)
        with pytest.raises(ConnectionLost):
            await other.start("new work", policy=Policy(guard=CELL))
    other.creator = other.new_creator(unreachable, lock=lock)
    assert (await other.start(policy=Policy(guard=CELL), schema=SCHEMA)).how == "recorded"


class Worn:
    """Messages whose cursors the service has forgotten."""

    def __init__(self) -> None:
        self.asked: list[str | None] = []

    async def tail(self, identifier: str, cursor: str | None = None) -> tuple[list[dict[str, Any]], str | None]:
        self.asked.append(cursor)
        if cursor is not None:
            raise BadRequest("400: no such cursor")
        return [{"event_id": "e1", "source": "devin", "message": "done"}], "worn out"


class Sessions:
    """A session that is always at work, and says something new each time."""

    def __init__(self) -> None:
        self.looks = 0

    async def get(self, identifier: str, *, retries: bool) -> dict[str, Any]:
        self.looks += 1
        detail = "finished" if self.looks > 3 else "working"
        times = {"created_at": 1_700_000_000, "updated_at": 1_700_000_000 + self.looks}
        return {"session_id": identifier, "status": "running", "status_detail": detail, **times}

    async def by_ids(self, session_ids: Iterable[str], *, retries: bool = True) -> Found:
        found: Any = {name: await self.get(name, retries=retries) for name in session_ids}
        return Found(raws=found)


async def test_a_conversation_is_read_from_its_beginning_when_the_cursor_wears_out() -> None:
    messages = Worn()
    store = SessionStore()
    poller = Poller(store, Sessions(), messages, pace=Pace(fast=0.01))  # type: ignore[arg-type]
    store.poll_now("devin-nobody")  # watched by nobody: nothing happens
    subscription = store.subscribe(["devin-a"], lambda change: None, messages=True)
    for _ in range(3):
        store.poll_now("devin-a")
    snapshot = await store.turn_over("devin-a", timeout=30)
    subscription.close()
    subscription.close()
    await poller.aclose()
    assert [message.text for message in snapshot.messages] == ["done"]
    assert messages.asked[:3] == [None, "worn out", None]
