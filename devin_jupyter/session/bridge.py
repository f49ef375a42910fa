"""What a handle needs of the thread that its client lives on."""

from __future__ import annotations

from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Bridge(Protocol):
    """The way from any thread to the loop that a client lives on: the module `loop`."""

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there and wait for it."""

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine there."""

    def is_here(self) -> bool:
        """Tell whether the caller is there already."""
