"""Python's garbage collector, paused while much is made that stays: pages of a long list, imported modules."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_MANY = 10_000
"""Objects that a collection looks at in a millisecond."""


class _Collector:
    """Pauses Python's garbage collector, for all reads and imports that are under way together.

    It would look for garbage among the objects of thousands of pages, which takes as long as parsing them; in an import
    of pandas it takes a quarter of the time.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._users = 0
        self._is_paused = False

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Pause it, if it is on, until the last of them is over."""
        with self._lock:
            self._users += 1
            if gc.isenabled():
                gc.disable()
                self._is_paused = True
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    self.resume()

    def resume(self) -> None:
        """End the pause now."""
        with self._lock:
            if self._is_paused:
                self._is_paused = False
                # What was made becomes old, or the next collection would look at it. What somebody froze stays frozen;
                # counting that takes 20 ms for a million objects, longer than it takes to look at a short read.
                if gc.get_count()[0] > _MANY and not gc.get_freeze_count():
                    gc.freeze()
                    gc.unfreeze()
                gc.enable()


_collector = _Collector()
paused_collector = _collector.paused
resume_collector = _collector.resume
