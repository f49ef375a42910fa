"""Sessions that waited for a person when they were last seen: somebody may have answered them elsewhere since."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from devin_jupyter.batches.job import Job
from devin_jupyter.batches.work import Task
from devin_jupyter.client.core import Core
from devin_jupyter.errors import ConnectionTrouble, DevinError
from devin_jupyter.models.phase import Phase
from devin_jupyter.models.snapshot import observe

AT_ONCE = 8
SECONDS = 5.0
"""Longer than this a batch does not hold up whoever opens it; offline it shows them as they were."""
_UNFINISHED = (Phase.YOUR_TURN, Phase.NEEDS_APPROVAL, Phase.ASLEEP, Phase.BLOCKED)


async def look_again(core: Core, jobs: Sequence[Job], spawn: Callable[[Coroutine[Any, Any, None]], Task]) -> int:
    """Bring jobs up to date that were attached to as they were last seen; never fails.

    The service is asked for a hundred at a time; what is new in a session, and what was never read, is read in the
    background where it takes long.

    Args:
        core: the client.
        jobs: those that were attached to.
        spawn: starts what may go on in the background.

    Returns:
        How many stay as they were last seen, since the service cannot be reached.
    """
    asked = {job.session_id: job for job in jobs if job.session_id and (_is_unfinished(job) or _is_unread(job))}
    if not asked or not core.settings.api_key:
        return 0
    try:
        async with asyncio.timeout(SECONDS):
            found = await core.poller.read([*asked])
    except TimeoutError:
        return len(asked)
    turns = asyncio.Semaphore(AT_ONCE)
    reading = [spawn(_renew(core, asked[name], raw, turns)) for name, raw in found.raws.items()]
    if reading:
        await asyncio.wait(reading, timeout=SECONDS)
    return sum(isinstance(problem, ConnectionTrouble) for problem in found.problems.values())


def _is_unfinished(job: Job) -> bool:
    return job.snapshot is not None and job.snapshot.recorded is None and job.snapshot.phase in _UNFINISHED


def _is_unread(job: Job) -> bool:
    """Whether the last message matters, as the question or as the answer, and was never read."""
    snapshot = job.snapshot
    if snapshot is None or snapshot.recorded is not None or not snapshot.turn_over or snapshot.last_word is not None:
        return False
    return snapshot.phase in _UNFINISHED or job.item.request.schema is None


async def _renew(core: Core, job: Job, raw: Mapping[str, Any], turns: asyncio.Semaphore) -> None:
    assert job.state is not None
    before = job.state.snapshot
    now = observe(raw, job.state.record, at=datetime.now(UTC))
    if (now.phase, now.updated_at) == (before.phase, before.updated_at) and not _is_unread(job):
        return
    with suppress(DevinError):
        async with turns:
            await core.refresh(job.state)
