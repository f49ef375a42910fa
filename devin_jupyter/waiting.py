"""What is shown while somebody waits for a session: nothing, until a front end that can do so takes it over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

Show = Callable[[Any], AbstractContextManager[None]]
"""Given a session, returns what is entered before the wait and left after it."""

_show: Show | None = None
_is_quiet: ContextVar[bool] = ContextVar("is_quiet", default=False)


def shown_by(show: Show | None) -> None:
    """Choose what is shown during waits from now on; None for nothing."""
    global _show
    _show = show


def shown(session: Any) -> AbstractContextManager[None]:
    """Return what surrounds a wait for this session."""
    return nullcontext() if _show is None or _is_quiet.get() else _show(session)


@contextmanager
def quietly() -> Iterator[None]:
    """Show nothing during the waits in here."""
    before = _is_quiet.set(True)
    try:
        yield
    finally:
        _is_quiet.reset(before)
