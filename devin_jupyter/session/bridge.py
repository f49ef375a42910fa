"""What a handle needs of the thread that its client lives on."""

from __future__ import annotations

from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

from devin_jupyter.errors import OptionError

T = TypeVar("T")


class Bridge(Protocol):
    """The way from any thread to the loop that a client lives on: the module `loop`."""

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there and wait for it."""

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine there."""

    def is_here(self) -> bool:
        """Tell whether the caller is there already."""


def blocking(bridge: Bridge | None, work: Coroutine[Any, Any, T]) -> T:
    """Run what a handle asks of the service, and wait for it.

    Raises:
        OptionError: there is no way there: the client is an `AsyncDevin`.
    """
    if bridge is not None:
        return bridge.run(work)
    work.close()
    raise OptionError(
        "this handle belongs to an AsyncDevin, whose loop must not be blocked",
        hint="`await session` waits; all else is asked of the client: await devin.send(session, …), "
        "devin.result(session), devin.stop(session), devin.sessions.archive(session.id), "
        "devin.tags.append(session.id, …), devin.attachments.download(session.id), devin.insights.get(session.id)",
    )
