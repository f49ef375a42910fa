"""At most a few updates a second, the newest winning: what is offered in between is dropped, never queued."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

UPDATE_SECONDS = 0.25


class Pacer(Generic[T]):
    """Passes values on at most once per `seconds`; the last value offered always arrives."""

    def __init__(
        self,
        publish: Callable[[T], None],
        seconds: float = UPDATE_SECONDS,
        *,
        clock: Callable[[], float] = time.monotonic,
        timer: Callable[[float, Callable[[], None]], threading.Timer] = threading.Timer,
    ) -> None:
        """Publish nothing until a value is offered.

        Args:
            publish: called on the offering thread or a timer's.
            seconds: the least pause between two calls.
            clock: seconds that only grow, for tests.
            timer: calls a function so many seconds later, for tests.
        """
        self._publish, self._seconds = publish, seconds
        self._now, self._later = clock, timer
        self._lock = threading.Lock()
        self._publishing = threading.Lock()
        self._waiting: list[T] = []
        self._timer: threading.Timer | None = None
        self._last = float("-inf")
        self._closed = False

    def offer(self, value: T) -> None:
        """Publish the value now if the last one is long enough ago, else when it is."""
        with self._lock:
            if self._closed:
                return
            self._waiting = [value]
            if self._timer is not None:
                return
            pause = self._last + self._seconds - self._now()
            if pause > 0:
                self._timer = self._later(pause, self.flush)
                self._timer.daemon = True
                self._timer.start()
                return
        self.flush()

    def flush(self) -> None:
        """Publish what waits, at once."""
        with self._publishing:
            with self._lock:
                waiting, self._waiting = self._waiting, []
                self._timer, self._last = None, self._now()
            for value in waiting:
                self._publish(value)

    def close(self) -> None:
        """Publish what waits and accept nothing more."""
        with self._lock:
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()
        self.flush()
