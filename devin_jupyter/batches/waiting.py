"""Waiting for a batch: blocking with one line of progress, or in ticks that an interrupt of the kernel gets through."""

from __future__ import annotations

import asyncio
from concurrent import futures
from contextlib import suppress
from typing import Any

from devin_jupyter.batches.progress import Ticker, is_watched, line
from devin_jupyter.batches.runner import Runner
from devin_jupyter.loop import SLICE_SECONDS, cancel_on_interrupt
from devin_jupyter.options import seconds


async def until_over(runner: Runner, timeout: float | str | None) -> None:
    """Wait, on the loop, until nothing is left to do, or the time-out."""
    limit = seconds(timeout)
    with suppress(TimeoutError):
        async with asyncio.timeout(limit):
            await runner.over()


def block(name: str, runner: Runner, bridge: Any, timeout: float | str | None, *, quiet: bool = False) -> None:
    """Wait in the calling thread, in slices, redrawing one line where somebody watches."""
    ticker = Ticker(is_watched=not quiet and is_watched())
    waiting = bridge.submit(until_over(runner, timeout))
    try:
        while not futures.wait([waiting], timeout=SLICE_SECONDS).done:
            ticker.show(line(name, runner.tally(), runner.notice))
        waiting.result()
    finally:
        waiting.cancel()
        ticker.finish(line(name, runner.tally(), runner.notice))


async def tick(runner: Runner, bridge: Any) -> None:
    """Wait in the caller's loop, which stays free."""
    waiting = until_over(runner, None)
    future = asyncio.wrap_future(bridge.submit(waiting)) if bridge else asyncio.ensure_future(waiting)
    try:
        with cancel_on_interrupt():
            while not (await asyncio.wait([future], timeout=SLICE_SECONDS))[0]:
                pass
    finally:
        future.cancel()
    future.result()
