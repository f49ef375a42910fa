"""Ctrl-C at the moment a test is about: while the main thread stands in a blocking call of the package."""

from __future__ import annotations

import _thread
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager

_main = threading.main_thread()


@contextmanager
def ctrl_c_once_blocked(and_also: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """Interrupt the main thread, in the way that wakes no lock, once it blocks and another condition holds.

    Python drops an interrupt that arrives while a finalizer runs, so a person would press again, and so does this.
    """
    left = threading.Event()

    def press() -> None:
        while not (_blocks() and and_also()):
            if left.wait(0.005):
                return
        _thread.interrupt_main()
        while not left.wait(5):
            if _blocks():
                _thread.interrupt_main()

    presser = threading.Thread(target=press, daemon=True)
    presser.start()
    try:
        yield
    finally:
        left.set()
        presser.join()


def _blocks() -> bool:
    frame = sys._current_frames().get(_main.ident or 0)
    while frame is not None and frame.f_code is not futures.wait.__code__:
        frame = frame.f_back
    return frame is not None
