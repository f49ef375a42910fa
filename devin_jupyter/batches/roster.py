"""The books on the jobs of a batch: which wait, which are open, and who is told when one changes.

A thousand jobs change three thousand times, so nothing here goes through all of them at a change.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from devin_jupyter.batches.job import Job, Stage

logger = logging.getLogger("devin_jupyter.batches")
Listener = Callable[[Job], None]


class Roster:
    """All jobs of a batch. Changed on the loop's thread only."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        """Let all of them wait."""
        self.jobs = list(jobs)
        self.open: set[Job] = set()
        """Jobs that take up one of the parallel places."""
        self._waiting = dict.fromkeys(self.jobs)
        self._starting: set[Job] = set()
        self._listeners: list[Listener] = []

    def n_without_session(self, limit: int | None) -> int:
        """How many of the first so many jobs have no session yet: they wait, or are being started."""
        waiting = len(self._waiting) if limit is None else sum(1 for _ in self.waiting(limit))
        return waiting + len(self._starting)

    def waiting(self, limit: int | None) -> Iterator[Job]:
        """Go through those that wait: in the order of their rows, those that are tried again last.

        Args:
            limit: only the first so many jobs count.
        """
        most = len(self.jobs) if limit is None else limit
        return (job for job in self._waiting if job.index < most)

    def note(self, job: Job) -> None:
        """Keep the books on a job that changed, and tell the listeners."""
        if job.stage is Stage.WAITING:
            self._waiting.setdefault(job)
        else:
            self._waiting.pop(job, None)
        (self.open.add if job.is_open else self.open.discard)(job)
        (self._starting.add if job.stage is Stage.STARTING else self._starting.discard)(job)
        for listener in tuple(self._listeners):
            try:
                listener(job)
            except Exception:  # a broken display must not stop the batch
                logger.exception("a listener of a batch failed")

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Tell the listener of every job that changed; returns what ends that."""
        self._listeners.append(listener)

        def leave() -> None:
            with suppress(ValueError):
                self._listeners.remove(listener)

        return leave
