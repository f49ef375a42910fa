"""Time as the monitor sees it, so that its tests run on a clock of their own."""

from __future__ import annotations

import asyncio
import random
import time
from datetime import UTC, datetime


class Clock:
    """The real one."""

    def now(self) -> datetime:
        """The present moment, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return time.monotonic()

    def jitter(self) -> float:
        """A factor near one, so that many kernels do not ask in step."""
        return random.uniform(0.9, 1.1)

    async def sleep(self, seconds: float) -> None:
        """Sleep so long."""
        await asyncio.sleep(seconds)

    async def pause(self, seconds: float, wake: asyncio.Event) -> None:
        """Sleep so long, or until `wake` is set."""
        try:
            async with asyncio.timeout(
                max(0.0, seconds)
            ):  # wait_for would swallow a cancellation at the moment of waking
                await wake.wait()
        except TimeoutError:
            return
