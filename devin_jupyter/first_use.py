"""Who is told before a client is used: the magics, once they are loaded, say then what went on without a kernel.

Below everything, and free to load.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

_listener: Callable[[Any], None] | None = None


def tell(listener: Callable[[Any], None] | None) -> None:
    """Have a function called with the client before each use on the main thread; None ends that."""
    global _listener
    _listener = listener


def of(client: Any) -> None:
    """Say that a client is about to be used."""
    if _listener is not None and threading.current_thread() is threading.main_thread():  # others must not print
        _listener(client)
