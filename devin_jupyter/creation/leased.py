"""Holding a lease while something is done: wait for it, renew it in the background, give it back at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from devin_jupyter.errors import JournalError
from devin_jupyter.journal import Journal
from devin_jupyter.paid import Run


@asynccontextmanager
async def leased(
    journal: Journal, name: str, run: Run, *, meanwhile: Callable[[], Awaitable[Any]]
) -> AsyncIterator[tuple[str | None, Any]]:
    """Take a lease, waiting for whoever holds it, and yield its token.

    Args:
        journal: where leases are kept.
        name: of the lease.
        run: the caller's clock.
        meanwhile: asked before every try; a result other than None ends the waiting and is yielded in place of a token.
    """
    token, result = await _take(journal, name, run, meanwhile)
    if token is None:
        yield None, result
        return
    renewing = asyncio.ensure_future(_renew(journal, name, token, run))
    try:
        yield token, None
    finally:
        renewing.cancel()
        with suppress(JournalError):  # it ends by itself
            await asyncio.to_thread(journal.leases.give_back, name, token)


async def _take(
    journal: Journal, name: str, run: Run, meanwhile: Callable[[], Awaitable[Any]]
) -> tuple[str | None, Any]:
    waiting = False
    while True:
        result = await meanwhile()
        if result is not None:
            return None, result
        token = await _try(journal, name, run)
        if token is not None:
            result = await meanwhile()  # the one before may have ended between the two questions
            if result is None:
                return token, None
            await asyncio.to_thread(journal.leases.give_back, name, token)
            return None, result
        if not waiting:
            run.say("another kernel is at the same request; waiting for its outcome")
            waiting = True
        await run.sleep(run.clock.poll_seconds)


async def _try(journal: Journal, name: str, run: Run) -> str | None:
    """Take it if it is free; a caller who leaves in that moment does not keep it."""
    seconds = run.clock.lease_seconds
    taking = asyncio.ensure_future(asyncio.to_thread(journal.leases.take, name, now=run.clock.now(), seconds=seconds))
    try:
        return await asyncio.shield(taking)
    except asyncio.CancelledError:
        token = await taking
        if token is not None:
            await asyncio.to_thread(journal.leases.give_back, name, token)
        raise


async def _renew(journal: Journal, name: str, token: str, run: Run) -> None:
    seconds = run.clock.lease_seconds
    while True:
        await asyncio.sleep(seconds / 3)  # real time: other processes count in it
        with suppress(JournalError):  # tried again; a POST is refused once the lease is lost
            await asyncio.to_thread(journal.leases.renew, name, token, now=run.clock.now(), seconds=seconds)
