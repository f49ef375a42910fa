"""Which jobs of a batch have a session already: in the journal, or by one sweep over the service. Pays for nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from devin_jupyter.batches.job import Job
from devin_jupyter.batches.plan import Plan
from devin_jupyter.client.core import Core
from devin_jupyter.recorded import LockFile


class Finder:
    """Looks for the sessions of jobs, by their identities."""

    def __init__(self, core: Core, plan: Plan) -> None:
        """Look for nothing yet."""
        self._core, self._plan = core, plan
        self.replays: LockFile | None = None if core.settings.api_key else core.lock
        """The lock file that stands in for the service, where there is no key."""
        self.swept: dict[str, list[Mapping[str, Any]]] = {}
        """What the service held when it was asked, by tag."""

    async def known(self, jobs: Sequence[Job], *, sweep: bool) -> list[Job]:
        """Return the jobs that have a session; the service is asked once for each, if at all.

        Args:
            jobs: those in question.
            sweep: also ask the service.
        """
        if self.replays is not None:
            return list(jobs)
        found = await asyncio.to_thread(self._in_journal, jobs)
        rest = [job for job in jobs if job not in found]
        if not sweep or not rest:
            return found
        unasked = [job.identity.tag for job in rest if job.identity.tag not in self.swept]
        if unasked:
            self.swept |= await self._core.creator.lookup.sweep(unasked)
        if self._plan.options.keys() & {"max_age", "beside"}:
            return found  # what was found may not count: decided one by one, when its turn comes
        return [*found, *(job for job in rest if self.swept[job.identity.tag])]

    def _in_journal(self, jobs: Iterable[Job]) -> list[Job]:
        jobs_by_print = {job.identity.text: job for job in jobs}
        max_age = self._plan.max_age
        oldest = 0.0 if max_age is None else time.time() - max_age
        entries = self._core.journal.sessions_for(jobs_by_print)
        return [jobs_by_print[text] for text, entry in entries.items() if entry.started_at >= oldest]
