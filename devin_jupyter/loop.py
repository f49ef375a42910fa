"""The one event loop of this package, on a daemon thread, so that work goes on while a cell blocks or none runs.

Everything asynchronous lives on it; other threads come in through `submit` and `run` only. It must never
keep a kernel from exiting, and code that runs on it never prints, displays or calls back into `run`.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

SLICE_SECONDS = 0.2
"""How long the main thread sleeps at a time, so that an interrupt is seen at once."""


class LoopThread:
    """A lazily started event loop on a daemon thread, restarted in a forked child."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pid = 0

    def submit(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Start the coroutine on the loop and return its future at once."""
        return asyncio.run_coroutine_threadsafe(work, self._running_loop())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run the coroutine on the loop and wait for it; Ctrl-C cancels it and is raised within a slice."""
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("a blocking call was made on the loop's own thread; await the async form instead")
        future = self.submit(work)
        try:
            while not concurrent.futures.wait([future], timeout=SLICE_SECONDS).done:
                pass
        except BaseException:
            future.cancel()
            raise
        return future.result()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            alive = self._thread is not None and self._thread.is_alive() and self._pid == os.getpid()
            if self._loop is None or not alive:
                self._start()
            assert self._loop is not None
            return self._loop

    def _start(self) -> None:
        ready = threading.Event()
        loop = asyncio.new_event_loop()

        def serve() -> None:
            asyncio.set_event_loop(loop)
            loop.call_soon(ready.set)
            loop.run_forever()

        self._loop, self._pid = loop, os.getpid()
        self._thread = threading.Thread(target=serve, name="devin-io", daemon=True)
        self._thread.start()
        ready.wait()


_shared = LoopThread()
submit = _shared.submit
run = _shared.run
if hasattr(os, "register_at_fork"):  # a forked child has the lock's state, but neither the thread nor the loop
    os.register_at_fork(after_in_child=lambda: _shared.__init__())  # type: ignore[misc]
