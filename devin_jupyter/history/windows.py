"""Long lists of sessions, read over many time windows at once instead of page after page.

Correct before fast: windows overlap, whoever collects drops what it has; where the service pays no heed to times the
list is read in order. What `created_after` and `created_before` include is not documented, so nothing rests on it.
"""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import Any

from devin_jupyter.api.paging import LARGEST_PAGE, items_of, next_cursor
from devin_jupyter.errors import UnreadableAnswer
from devin_jupyter.history.together import AT_ONCE, causes

SERIAL = 4
"""So many pages are always read one after another; more are divided."""
_PAGES_BETWEEN_COLLECTIONS = 250

Raw = dict[str, Any]
Fetch = Callable[[Raw], Awaitable[bytes]]
Take = Callable[[list[Raw]], object]


@dataclass(frozen=True, slots=True)
class Window:
    """Sessions created at or after `start` and before `end`, in Unix seconds; None is open."""

    start: int | None = None
    end: int | None = None

    def params(self) -> Raw:
        """The filters that hold at least this window, however the service reads its bounds."""
        after = None if self.start is None else self.start - 1
        return {"created_after": after, "created_before": self.end}

    def holds(self, created: int) -> bool:
        """Whether a session created at this second belongs here."""
        return (self.start is None or created >= self.start) and (self.end is None or created < self.end)

    def split(self, parts: int, span: int) -> list[Window]:
        """Divide it into equal parts, newest first; an open one into its last `span` seconds and one for the rest."""
        assert self.end is not None
        low = self.end - max(span, 1) if self.start is None else self.start
        parts = max(2, min(parts, self.end - low))
        edges = [low + (self.end - low) * index // parts for index in range(parts + 1)]
        inner = [Window(start, end) for start, end in pairwise(edges)]
        return [*reversed(inner), *([Window(None, low)] if self.start is None else [])]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the list."""

    items: list[Raw]
    created: list[int]
    cursor: str | None
    total: int | None

    @property
    def is_ordered(self) -> bool:
        """Whether it is newest first, so that the rest is older than its last session."""
        return bool(self.created) and self.created == sorted(self.created, reverse=True)


class _NoHeed(Exception):
    """The service answered with sessions from outside the window."""


async def read_sessions(fetch: Fetch, take: Take, window: Window, *, at_once: int = AT_ONCE) -> None:
    """Read all sessions of a window, handing each page to `take` once or more.

    Args:
        fetch: reads one page: given its parameters, returns the body.
        take: collects raw sessions; sees some of them twice.
        window: which sessions.
        at_once: the most requests under way.

    Raises:
        ApiError, ConnectionTrouble: of the first request that failed; the others are given up.
    """
    reader = _Reader(fetch, take, at_once)
    try:
        await reader.read(window)
    except (_NoHeed, ExceptionGroup) as problem:
        found = list(causes(problem))
        if not any(isinstance(cause, _NoHeed) for cause in found):
            raise found[0] from None
        await reader.read_in_order(window)


class _Reader:
    def __init__(self, fetch: Fetch, take: Take, at_once: int) -> None:
        self._fetch, self._take, self.at_once = fetch, take, at_once
        self._turn: asyncio.Semaphore | None = None
        self._pages = 0

    async def read(self, window: Window, serial: int = SERIAL) -> None:
        """Read a window: in order where about `serial` pages are left, divided where there are more."""
        page = await self._page(window)
        seen, count, cursors = len(page.items), 1, set[str]()
        while page.cursor is not None and page.cursor not in cursors:
            cursors.add(page.cursor)
            rest = _rest(window, page)
            left = _pages_left(rest, page, seen)
            if _is_worth(rest) and (count >= serial if left is None else left > serial):
                left = left or 4 * count
                parts = rest.split(min(self.at_once, ceil(left / SERIAL)), _span(page, left))
                share = max(SERIAL, 5 * left // (4 * len(parts)))  # fuller windows than that are divided again
                await _together(self.read(part, share if part.start is not None else 2) for part in parts)
                return
            page = await self._page(window, page.cursor)
            seen, count = seen + len(page.items), count + 1

    async def read_in_order(self, window: Window) -> None:
        """Page after page, whatever the service makes of the window."""
        cursors: set[str] = set()
        page = await self._page(window, check=False)
        while page.cursor is not None and page.cursor not in cursors:
            cursors.add(page.cursor)
            page = await self._page(window, page.cursor, check=False)

    async def _page(self, window: Window, cursor: str | None = None, *, check: bool = True) -> Page:
        params = {**window.params(), "first": LARGEST_PAGE, "after": cursor}
        if self._turn is None:
            return await self._first_page(window, params, check)
        async with self._turn:
            body = await self._fetch(params)
        return self._taken(window, body, check)

    async def _first_page(self, window: Window, params: Raw, check: bool) -> Page:
        """Find out how many requests at once keep this machine busy: more would only compete for it."""
        started = time.perf_counter()
        body = await self._fetch(params)
        answered = time.perf_counter()
        page = self._taken(window, body, check)
        worked = time.perf_counter() - answered
        self.at_once = min(self.at_once, max(2, ceil((answered - started) / max(worked, 1e-4))))
        self._turn = asyncio.Semaphore(self.at_once)
        return page

    def _taken(self, window: Window, body: bytes, check: bool) -> Page:
        page = parsed(body)
        items = page.items
        if items and not (window.holds(min(page.created)) and window.holds(max(page.created))):
            if check and not _only_edges(window, page.created):
                raise _NoHeed
            items = [item for item, created in zip(items, page.created, strict=True) if window.holds(created)]
        self._take(items)
        self._pages += 1
        if self._pages % _PAGES_BETWEEN_COLLECTIONS == 0 and not gc.isenabled():
            gc.collect(1)
        return page


def parsed(body: bytes) -> Page:
    """Read the body of a page."""
    try:
        answer = json.loads(body)
    except ValueError:
        raise UnreadableAnswer(
            "a page of sessions does not parse", "nothing was changed", "run it again in a while"
        ) from None
    items = items_of(answer)
    total = answer.get("total") if isinstance(answer, dict) else None
    times = (item.get("created_at") for item in items)
    created = [value if type(value) is int else _seconds(value) for value in times]
    return Page(items, created, next_cursor(answer), total if type(total) is int and total >= 0 else None)


def _seconds(value: Any) -> int:
    return int(value) if isinstance(value, (int, float)) and abs(value) < 1e18 else 0


def _only_edges(window: Window, created: Iterable[int]) -> bool:
    """The bounds may or may not be included."""
    low = -(10**18) if window.start is None else window.start - 1
    high = 10**18 if window.end is None else window.end
    return all(low <= moment <= high for moment in created)


def _rest(window: Window, page: Page) -> Window:
    """Where the sessions behind this page are. Those created in the page's last second are looked at again."""
    if page.is_ordered:
        return Window(window.start, page.created[-1] + 1)
    return Window(window.start, window.end if window.end is not None else max(page.created, default=0) + 1)


def _is_worth(window: Window) -> bool:
    return window.start is None or (window.end is not None and window.end - window.start > 1)


def _pages_left(rest: Window, page: Page, seen: int) -> int | None:
    """How many pages are behind this one: as the service says, or as the density of this page lets expect."""
    if page.total is not None:
        return -(-max(0, page.total - seen) // LARGEST_PAGE)
    if rest.start is None or rest.end is None or not page.is_ordered:
        return None
    width = max(1, page.created[0] - page.created[-1])
    return -(-max(0, rest.end - rest.start) // width)


def _span(page: Page, pages: int) -> int:
    """How far back so many pages reach, if the density stays the same; a little more."""
    width = max(page.created, default=1) - min(page.created, default=0)
    return max(1, width) * pages * 3 // 2


async def _together(reads: Iterable[Coroutine[Any, Any, None]]) -> None:
    async with asyncio.TaskGroup() as group:
        for read in reads:
            group.create_task(read)
