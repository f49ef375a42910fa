"""Ctrl-C at the moment a test is about: while the main thread stands in a blocking call of the package."""

from __future__ import annotations

import _thread
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from devin_jupyter import loop


@contextmanager
def ctrl_c_once_blocked(and_also: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """Interrupt the main thread once, in the way that wakes no lock, while it blocks and another condition holds.

    The handler of the signal decides, which runs on the main thread: on its way into a blocking call or out of it, or
    in a finalizer, which would drop the interrupt, it is not raised, and the key is pressed again.

    Args:
        and_also: once it holds, it must hold as long as the call blocks; asked on another thread.
    """
    is_over = threading.Event()

    def interrupt(_: int, frame: FrameType | None) -> None:
        if not is_over.is_set() and frame is not None and frame.f_code is loop.slices.__code__:
            is_over.set()
            raise KeyboardInterrupt

    def press() -> None:
        while not and_also():
            if is_over.wait(0.005):
                return
        while not is_over.wait(0.005):
            _thread.interrupt_main()

    before = signal.signal(signal.SIGINT, interrupt)
    presser = threading.Thread(target=press, daemon=True)
    presser.start()
    try:
        yield
    finally:
        is_over.set()
        presser.join()
        signal.signal(signal.SIGINT, before)
