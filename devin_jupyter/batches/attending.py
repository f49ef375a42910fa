"""Sessions that waited for a person when they were last seen: somebody may have answered them elsewhere since."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from devin_jupyter.batches.job import Job
from devin_jupyter.client import Core
from devin_jupyter.errors import ConnectionTrouble, DevinError
from devin_jupyter.models.phase import Phase
from devin_jupyter.models.snapshot import observe
from devin_jupyter.monitor.reading import Reader

AT_ONCE = 8
SECONDS = 5.0
"""Longer than this a batch does not wait to see them: offline it shows them as they were."""
_UNFINISHED = (Phase.YOUR_TURN, Phase.NEEDS_APPROVAL, Phase.ASLEEP, Phase.BLOCKED)


async def look_again(core: Core, jobs: Sequence[Job]) -> int:
    """Bring the jobs up to date that the journal remembers as unfinished, in a request per hundred; never fails.

    Returns:
        How many stay as they were last seen, since the service cannot be reached.
    """
    asked = {job.session_id: job for job in jobs if job.session_id and _is_unfinished(job)}
    if not asked or not core.settings.api_key:
        return 0
    try:
        async with asyncio.timeout(SECONDS):
            sight = await Reader(core.sessions, core.messages, api_version=core.settings.api_version).look([*asked])
            turns = asyncio.Semaphore(AT_ONCE)
            await asyncio.gather(*(_renew(core, asked[name], raw, turns) for name, raw in sight.raws.items()))
    except TimeoutError:
        return len(asked)
    return sum(isinstance(problem, ConnectionTrouble) for problem in sight.problems.values())


def _is_unfinished(job: Job) -> bool:
    return job.snapshot is not None and job.snapshot.recorded is None and job.snapshot.phase in _UNFINISHED


async def _renew(core: Core, job: Job, raw: Mapping[str, Any], turns: asyncio.Semaphore) -> None:
    assert job.state is not None
    before = job.state.snapshot
    now = observe(raw, job.state.known, at=datetime.now(UTC), previous=before)
    if (now.phase, now.updated_at) == (before.phase, before.updated_at):
        return
    with suppress(DevinError):
        async with turns:
            await core.refresh(job.state)
