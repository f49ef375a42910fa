"""Getting the session of one job: replayed, looked up again, or by the creator, which attaches before it pays."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from devin_jupyter.batches.finding import Finder
from devin_jupyter.batches.job import Job
from devin_jupyter.batches.record import complete
from devin_jupyter.client.core import Core
from devin_jupyter.creation import Started, replay
from devin_jupyter.journal import Journal
from devin_jupyter.models.policy import Policy, batch_scope
from devin_jupyter.models.snapshot import CellRef, Record
from devin_jupyter.options import CellOptions
from devin_jupyter.text import parse_duration

if TYPE_CHECKING:
    from devin_jupyter.schema import Schema


def policy_for(
    options: CellOptions, key: str, cell: CellRef | None, swept: Mapping[str, list[Mapping[str, Any]]]
) -> Policy:
    """Return how the sessions of a batch are started; without a cell they are only attached to."""
    max_age = options.get("max_age")
    return Policy(
        max_age=None if max_age is None else parse_duration(max_age),
        beside=options.get("beside", False),
        guard=cell,
        batch=key,
        swept=swept,
        refresh=False,
        is_patient=False,
    )


def note_uses(journal: Journal, key: str, cell: CellRef | None, sessions: Sequence[str]) -> None:
    """Write down that sessions belong to a batch, whichever run paid for them: they count in its budget."""
    journal.budgets.count(batch_scope(key), sessions)
    if cell is not None:
        journal.use_many(sessions, cell, now=time.time())


async def start(core: Core, finder: Finder, job: Job, policy: Policy) -> Started:
    """Return the session of a job.

    Raises:
        DevinError: there is none, and none was started.
    """
    if finder.replays is not None:
        return replay(complete(job.item, job.take), finder.replays)
    entry = None if job.item.is_whole else core.journal.session_for(job.identity.text)
    if entry is not None:
        return await _reopened(core, entry, job.item.request.schema)
    return await core.creator.start(complete(job.item, job.take), policy)


async def _reopened(core: Core, entry: Record, schema: Schema | None) -> Started:
    """Return the session of a job whose request the journal could not keep whole: looked up, never started."""
    opened = await core.open(entry.session_id, schema)
    return Started(
        record=opened.state.record,
        how="attached",
        notice=opened.notice,
    )
