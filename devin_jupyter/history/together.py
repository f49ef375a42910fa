"""Several requests at once, but not too many, and none left running when one fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 10
"""Requests under way at a time."""


async def each(work: Callable[[T], Awaitable[R]], items: Iterable[T], *, at_once: int = AT_ONCE) -> list[R]:
    """Return the results for all items, in their order.

    Raises:
        Exception: of the first piece of work that failed; the others are cancelled.
    """
    turn = asyncio.Semaphore(at_once)

    async def one(item: T) -> R:
        async with turn:
            return await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(item)) for item in items]
    except ExceptionGroup as problems:
        first = next(causes(problems))
    else:
        return [task.result() for task in tasks]
    raise first  # out here, where no group is its context: IPython would print all frames of that


def causes(problem: Exception) -> Iterator[Exception]:
    """Yield the exceptions inside groups."""
    if isinstance(problem, ExceptionGroup):
        for inner in problem.exceptions:
            yield from causes(inner)
    else:
        yield problem
