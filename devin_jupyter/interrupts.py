"""What Ctrl-C does while something that costs money is on its way, and while a terminal awaits."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from devin_jupyter import loop
from devin_jupyter.errors import Detached

T = TypeVar("T")


def run(call: Coroutine[Any, Any, T]) -> T:
    """Wait for a call to the service; an interrupt shows no frames, whose variables may hold what is secret.

    Raises:
        Detached: in place of the bare KeyboardInterrupt.
    """
    try:
        return loop.run(call)
    except Detached:
        raise
    except KeyboardInterrupt:
        what = "interrupted before the answer came"
        raise Detached(what, "the request may be applied all the same", "look before you repeat it") from None


@contextmanager
def carried_to_its_end(*, stops: bool = False) -> Iterator[None]:
    """Say what an interrupt means while something that costs money is on its way.

    Args:
        stops: a session that is started all the same is ended then.

    Raises:
        Detached: in place of the bare KeyboardInterrupt.
    """
    try:
        yield
    except Detached:
        raise
    except KeyboardInterrupt:
        what = "interrupted on the way to Devin: what was being sent is still carried to its end and written down"
        again = "run the same again to attach to it, or %devin journal to see what there is"
        if stops:
            raise Detached(what, "a session that it starts is stopped for good, as --on-interrupt stop says") from None
        raise Detached(what, "it may go on, and cost; nothing is sent twice", again) from None


@contextmanager
def cancelling() -> Iterator[None]:
    """Have Ctrl-C cancel the awaiting task where it would be raised in the event loop, past whoever awaits.

    So it is in IPython's terminal. A kernel, and `asyncio.run`, cancel the task themselves.
    """
    is_main = threading.current_thread() is threading.main_thread()
    task = asyncio.current_task()
    if not is_main or task is None or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    loop = asyncio.get_running_loop()
    signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(task.cancel))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
