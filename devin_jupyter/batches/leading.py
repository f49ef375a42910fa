"""One kernel leads a batch; the others follow what it starts, and the next one takes over when it is gone."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from devin_jupyter.creation import Clock
from devin_jupyter.creation.leased import leased
from devin_jupyter.journal import Journal
from devin_jupyter.paid import Run

LOOK_SECONDS = 2.0
"""How often a kernel that does not lead looks for what the other one started."""


class Lead:
    """The right to start rows of one batch."""

    def __init__(self, journal: Journal, key: str, look: Callable[[], Awaitable[None]]) -> None:
        """Take nothing yet.

        Args:
            journal: where the lease is kept.
            key: of the batch.
            look: attaches to what another kernel started.
        """
        self._journal, self._name, self._look = journal, f"batch {key}", look
        self._looked_at = 0.0
        self.is_elsewhere = False
        """Another kernel leads just now."""

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Wait for the right, following whoever has it, and hold it."""
        run = Run(Clock(), say=self._somebody_leads)
        async with leased(self._journal, self._name, run, meanwhile=self._follow):
            self.is_elsewhere = False
            yield

    def _somebody_leads(self, line: str) -> None:
        self.is_elsewhere = True

    async def _follow(self) -> None:
        if self.is_elsewhere and time.monotonic() - self._looked_at > LOOK_SECONDS:
            await self._look()
            self._looked_at = time.monotonic()
