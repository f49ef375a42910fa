"""What `--when-done` asks for: archive or stop the sessions that are done. Neither costs anything."""

from __future__ import annotations

import logging

from devin_jupyter.batches.job import Job
from devin_jupyter.client.core import Core
from devin_jupyter.errors import DevinError
from devin_jupyter.models.phase import Phase
from devin_jupyter.models.snapshot import Snapshot

KEEP, ARCHIVE, STOP = "keep", "archive", "stop"
_OVER_FOR_GOOD = ("exit", "error", "expired")
logger = logging.getLogger("devin_jupyter.batches")


async def put_away(core: Core, job: Job, when_done: str) -> None:
    """Archive or stop the session of a job that is done.

    A failure is logged only: the answer is there all the same, and the next run tries again.
    """
    if job.state is None or not _is_to_be_put_away(job.state.snapshot, when_done):
        return
    try:
        if when_done == ARCHIVE:
            await core.archive(job.state)
        else:
            await core.stop(job.state)
    except DevinError as problem:
        logger.warning("%s was not put away: %s", job.session_id, problem.message)


def _is_to_be_put_away(snapshot: Snapshot, when_done: str) -> bool:
    if when_done == KEEP or snapshot.phase is not Phase.DONE or snapshot.recorded is not None:
        return False
    return not (snapshot.is_archived if when_done == ARCHIVE else snapshot.status in _OVER_FOR_GOOD)
