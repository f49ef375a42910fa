"""An event loop on which sleeping takes no time, so that waits, retries and back-offs run through at once."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
_GRACE = 0.002
"""How long other threads get to report before a sleep is skipped."""


class _SkippingSelector(selectors.DefaultSelector):  # type: ignore[valid-type,misc]  # the default depends on the platform
    skipped = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None or timeout <= _GRACE:
            return super().select(timeout)
        ready = super().select(_GRACE)
        if not ready:
            self.skipped += timeout - _GRACE
        return ready


class InstantLoop(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to the next thing to do."""

    def __init__(self) -> None:
        self._clock_selector = _SkippingSelector()
        super().__init__(self._clock_selector)

    def time(self) -> float:
        return super().time() + self._clock_selector.skipped


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine with no time for sleeping."""
    with asyncio.Runner(loop_factory=InstantLoop) as runner:
        return runner.run(work)
