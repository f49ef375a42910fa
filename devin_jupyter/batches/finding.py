"""Which jobs of a batch have a session already: in the journal, or by one sweep over the service. Pays for nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from devin_jupyter.batches.job import Job
from devin_jupyter.batches.plan import Plan
from devin_jupyter.batches.record import complete
from devin_jupyter.client import Core
from devin_jupyter.creation import Sweep
from devin_jupyter.journal.lockfile import Lock
from devin_jupyter.request import Fingerprint, SessionRequest, fingerprint


class Finder:
    """Knows the requests of the jobs, and looks for their sessions."""

    def __init__(self, core: Core, plan: Plan) -> None:
        """Look for nothing yet."""
        self._core, self._plan = core, plan
        self.replays: Lock | None = None if core.settings.api_key else core.lock
        """The lock file that stands in for the service, where there is no key."""
        self.swept: Sweep | None = None
        """What the service held when it was asked."""

    def request_of(self, job: Job) -> SessionRequest:
        """Return the request of a job as it would be sent, with the take that counts.

        Raises:
            OptionError: the journal could not keep all of it.
        """
        request = complete(job.item)
        return request if job.take is None else replace(request, take=job.take)

    def fingerprint_of(self, job: Job) -> Fingerprint:
        """Return the identity of a job, with the take that counts."""
        return job.item.fingerprint if job.take is None else fingerprint(self.request_of(job), self._plan.where)

    async def known(self, jobs: Sequence[Job], *, sweep: bool) -> list[Job]:
        """Return the jobs that have a session; the service is asked once, if at all.

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
        asked = self.swept.found if self.swept else {}
        unasked = [job for job in rest if self.fingerprint_of(job).tag not in asked]
        if unasked:
            more = await self._core.creator.sweep([self.request_of(job) for job in unasked])
            self.swept = Sweep({**asked, **more.found})
        assert self.swept is not None
        if self._plan.options.given & {"max_age", "beside"}:
            return found  # what was found may not count: decided one by one, when its turn comes
        return [*found, *(job for job in rest if self.swept.found.get(self.fingerprint_of(job).tag))]

    def _in_journal(self, jobs: Iterable[Job]) -> list[Job]:
        jobs_by_print = {self.fingerprint_of(job).text: job for job in jobs}
        max_age = self._plan.options.max_age
        oldest = 0.0 if max_age is None else time.time() - max_age
        entries = self._core.journal.sessions_for(jobs_by_print)
        return [jobs_by_print[text] for text, entry in entries.items() if entry.started_at >= oldest]
