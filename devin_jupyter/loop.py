"""The one event loop of this package, on a daemon thread, so that work goes on while a cell blocks or none runs.

Everything asynchronous lives on it; other threads come in through `submit` and `run` only. It must never
keep a kernel from exiting, and code that runs on it never prints, displays or calls back into `run`.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import os
import threading
import weakref
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

SLICE_SECONDS = 0.2
"""How long the main thread sleeps at a time, so that an interrupt is seen at once."""
_CLOSE_SECONDS = 1.0
"""How long the exit of the process may wait for connections to close."""

_POOLS_ENDED = "cannot schedule new futures after"
"""What Python says when the process ends: it closes its thread pools before it tells anybody else."""


def _rest_for_ever() -> None:
    """The process ends: the traceback of a background thread would help nobody."""
    threading.Event().wait()


class LoopThread:
    """A lazily started event loop on a daemon thread, restarted in a forked child."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pid = 0
        self._is_exiting = False
        self._closers: list[weakref.WeakMethod[Callable[[], Coroutine[Any, Any, None]]]] = []

    def submit(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Start the coroutine on the loop and return its future at once; cancelled when the process is ending."""
        if self._is_exiting:  # a thread cannot be started any more: whoever tries, such as a `__del__`, hangs for ever
            work.close()
            future: concurrent.futures.Future[T] = concurrent.futures.Future()
            future.cancel()
            future.set_running_or_notify_cancel()  # or `wait` would not count it as done
            return future
        return asyncio.run_coroutine_threadsafe(work, self._running_loop())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run the coroutine on the loop and wait for it; Ctrl-C cancels it and is raised within a slice."""
        if self.is_here():
            work.close()
            raise RuntimeError("a blocking call was made on the loop's own thread; await the async form instead")
        future = self.submit(work)
        try:
            while not concurrent.futures.wait([future], timeout=SLICE_SECONDS).done:
                pass
        except BaseException:
            future.cancel()
            raise
        is_in_background = threading.current_thread().daemon
        if self._is_exiting and is_in_background:
            _rest_for_ever()
        try:
            return future.result()
        except RuntimeError as problem:
            if is_in_background and _POOLS_ENDED in str(problem):
                _rest_for_ever()
            raise

    def is_here(self) -> bool:
        """Tell whether the caller is on the loop's own thread, where nothing may block."""
        return threading.current_thread() is self._thread

    def at_close(self, closer: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Have an async method awaited before the loop ends; its object is not kept alive for that."""
        self._closers.append(weakref.WeakMethod(closer))

    def close(self) -> None:
        """Close connections, cancel what runs, and end the thread; a later call starts anew."""
        with self._lock:
            loop, thread, self._loop = self._loop, self._thread, None
            if loop is None or thread is None or not thread.is_alive() or self._pid != os.getpid():
                return
            ending = asyncio.run_coroutine_threadsafe(self._wind_up(), loop)
            concurrent.futures.wait([ending], timeout=_CLOSE_SECONDS)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(_CLOSE_SECONDS)
            if not thread.is_alive():
                loop.close()

    def exit(self) -> None:
        """Close for good, silently: the process ends."""
        self._is_exiting = True
        self.close()

    async def _wind_up(self) -> None:
        closers = [closer for reference in self._closers if (closer := reference()) is not None]
        self._closers.clear()
        await asyncio.gather(*(closer() for closer in closers), return_exceptions=True)
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

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
is_here = _shared.is_here
at_close = _shared.at_close
atexit.register(_shared.exit)
if hasattr(os, "register_at_fork"):  # a forked child has the lock's state, but neither the thread nor the loop
    os.register_at_fork(after_in_child=lambda: _shared.__init__())  # type: ignore[misc]
