"""Reading many sessions in few requests, and a conversation in pieces.

v3 is asked for a hundred ids a page; v1, which cannot be asked that, for its newest sessions. What a list leaves
out is read one by one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from devin_jupyter.api.sessions import Messages, Sessions, by_id
from devin_jupyter.errors import BadRequest, DevinError, Unprocessable
from devin_jupyter.models import wire
from devin_jupyter.models.fields import read_message
from devin_jupyter.models.snapshot import Message
from devin_jupyter.monitor.watched import Watched

PAGE = 100
"""Ids a request: more would make its URL too long for some proxies."""
_FEW = 2
"""So few sessions are read one by one."""
_AT_ONCE = 4
Raw = Mapping[str, Any]


@dataclass(slots=True)
class Sight:
    """What one round of looking brought."""

    raws: dict[str, Raw] = field(default_factory=dict)
    problems: dict[str, DevinError] = field(default_factory=dict)
    """Sessions that could not be read, each with the reason."""


class Reader:
    """Reads for the monitor, which paces itself: nothing here is tried twice."""

    def __init__(self, sessions: Sessions, messages: Messages, *, api_version: str) -> None:
        """Send nothing yet."""
        self._sessions, self._messages, self._is_v1 = sessions, messages, api_version == "v1"
        self._limit = asyncio.Semaphore(_AT_ONCE)

    async def look(self, session_ids: list[str]) -> Sight:
        """Read these sessions."""
        self._limit = asyncio.Semaphore(_AT_ONCE)  # a forked child inherits one whose holders are gone
        sight = Sight()
        if len(session_ids) > _FEW:
            await (self._newest(session_ids, sight) if self._is_v1 else self._by_id(session_ids, sight))
        rest = [name for name in session_ids if name not in sight.raws and name not in sight.problems]
        await asyncio.gather(*(self._one(identifier, sight) for identifier in rest))
        return sight

    async def conversation(self, entry: Watched, raw: Raw) -> list[Message]:
        """Read the messages of a session that may be new. On v1 they come with the session."""
        if self._is_v1:
            whole = raw if isinstance(raw.get("messages"), list) else await self._get(entry.session_id)
            listed = whole.get("messages")
            return [read_message(item) for item in listed if isinstance(item, Mapping)] if listed else []
        try:
            items, entry.cursor = await self._tail(entry.session_id, entry.cursor)
        except (BadRequest, Unprocessable):
            if entry.cursor is None:
                raise
            items, entry.cursor = await self._tail(entry.session_id, None)  # cursors need not last for ever
        return [read_message(item) for item in items]

    async def _tail(self, identifier: str, cursor: str | None) -> tuple[list[wire.Message], str | None]:
        async with self._limit:
            return await self._messages.tail(identifier, cursor)

    async def _by_id(self, session_ids: list[str], sight: Sight) -> None:
        chunks = [session_ids[start : start + PAGE] for start in range(0, len(session_ids), PAGE)]
        await asyncio.gather(*(self._chunk(chunk, sight) for chunk in chunks))

    async def _chunk(self, chunk: list[str], sight: Sight) -> None:
        async def read() -> None:
            found = await self._sessions.some(chunk, retries=False)
            sight.raws.update(found)

        await self._guarded(chunk, read, sight)

    async def _newest(self, session_ids: list[str], sight: Sight) -> None:
        wanted, most = set(session_ids), len(session_ids) + 2 * PAGE

        async def read() -> None:
            async for page in self._sessions.pages(limit=most, page_size=PAGE, retries=False):
                found = by_id(page)
                sight.raws.update({name: raw for name, raw in found.items() if name in wanted})
                if len(sight.raws) == len(wanted):
                    return

        await self._guarded(session_ids, read, sight)

    async def _one(self, identifier: str, sight: Sight) -> None:
        async def read() -> None:
            sight.raws[identifier] = await self._sessions.get(identifier, retries=False)

        await self._guarded([identifier], read, sight)

    async def _get(self, identifier: str) -> Raw:
        async with self._limit:
            return await self._sessions.get(identifier, retries=False)

    async def _guarded(self, session_ids: Iterable[str], read: Callable[[], Awaitable[None]], sight: Sight) -> None:
        async with self._limit:
            try:
                await read()
            except DevinError as problem:
                sight.problems.update((name, problem) for name in session_ids if name not in sight.raws)
