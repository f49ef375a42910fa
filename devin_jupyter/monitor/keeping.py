"""What the monitor tells the journal, and what it asks it. A journal that fails does not stop the watching."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Protocol

from devin_jupyter.models.snapshot import Snapshot
from devin_jupyter.monitor.clock import Clock
from devin_jupyter.monitor.reading import Raw
from devin_jupyter.monitor.watched import Watched

logger = logging.getLogger("devin_jupyter.monitor")
_WRITTEN_WITHIN = 0.3
"""Seconds after the end of a session in which the process that ended it has written that down."""


class Keeper(Protocol):
    """Where snapshots are kept: the journal."""

    def save_snapshots(self, snapshots: Iterable[Snapshot]) -> None:
        """Keep how sessions look now."""

    def is_terminated(self, session_id: str) -> bool:
        """Tell whether somebody on this journal ended a session before it was done."""


async def keep(keeper: Keeper | None, snapshots: list[Snapshot]) -> None:
    """Keep how sessions look now."""
    if keeper is None or not snapshots:
        return
    try:
        await asyncio.to_thread(keeper.save_snapshots, snapshots)
    except Exception as problem:  # the journal speaks up where money is spent; watching goes on without it
        logger.warning("snapshots were not kept: %s", problem)


async def ended_elsewhere(keeper: Keeper | None, entry: Watched, raw: Raw, clock: Clock) -> bool:
    """Tell whether another process ended a session: the service says only that it is over."""
    if keeper is None or entry.record.terminated or raw.get("status") != "exit":
        return False
    try:
        for pause in (0.0, _WRITTEN_WITHIN):
            await clock.sleep(pause)
            if await asyncio.to_thread(keeper.is_terminated, entry.session_id):
                return True
    except Exception as problem:
        logger.warning("the journal was not asked who ended %s: %s", entry.session_id, problem)
    return False
