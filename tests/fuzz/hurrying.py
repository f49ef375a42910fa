"""An event loop on which sleeping takes no time, so that every wait, retry and back-off is run through."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
_A_MOMENT = 0.002
"""How long other threads get to report before a sleep is skipped."""


class _Hurried(selectors.DefaultSelector):  # type: ignore[valid-type,misc]  # the default depends on the platform
    skipped = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None or timeout <= _A_MOMENT:
            return super().select(timeout)
        ready = super().select(_A_MOMENT)
        if not ready:
            self.skipped += timeout - _A_MOMENT
        return ready


class HurriedLoop(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to the next thing to do."""

    def __init__(self) -> None:
        self._hurried = _Hurried()
        super().__init__(self._hurried)

    def time(self) -> float:
        return super().time() + self._hurried.skipped


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine with no time for sleeping."""
    with asyncio.Runner(loop_factory=HurriedLoop) as runner:
        return runner.run(work)
