"""Going through an asynchronous list from blocking code, with a progress bar on long ones and none on short ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypeVar

from devin_jupyter import loop

T = TypeVar("T")
_AT_A_TIME = 100
_LONG = 1000
"""A list of more items than this shows a bar."""


def walk(items: AsyncIterator[T], *, unit: str = "items") -> Iterator[T]:
    """Yield the items, read in chunks on the loop's thread.

    Args:
        items: what to go through; closed when the caller stops early.
        unit: what the bar counts.
    """
    count = 0
    bar: Any = None
    try:
        while chunk := loop.run(_take(items)):
            count += len(chunk)
            if count > _LONG:
                bar = _bar(unit) if bar is None else bar  # an empty bar is false, or has no truth at all
                bar.update(count - bar.n)
            yield from chunk
    finally:
        if bar is not None:
            bar.close()
        _let_go(items)


async def _take(items: AsyncIterator[T]) -> list[T]:
    taken: list[T] = []
    async for item in items:
        taken.append(item)
        if len(taken) == _AT_A_TIME:
            break
    return taken


def _let_go(items: AsyncIterator[Any]) -> None:
    """Without waiting: a generator that was given up may end on any thread, and at the end of the process."""
    closing = _close(items)
    try:
        loop.submit(closing)
    except RuntimeError:
        closing.close()


async def _close(items: AsyncIterator[Any]) -> None:
    close: Callable[[], Any] | None = getattr(items, "aclose", None)
    if close is not None:
        await close()


def _bar(unit: str) -> Any:
    from tqdm.auto import tqdm

    return tqdm(unit=f" {unit}", leave=False)
