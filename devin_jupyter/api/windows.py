"""Long lists of sessions, read in many time windows at once instead of page after page.

Windows overlap, and the collector drops duplicates; if the service ignores the times, the list is read in order.
Whether `created_after` and `created_before` include their second is not documented, so nothing relies on it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable
from math import ceil, inf
from typing import Any

from devin_jupyter.api.client import LARGEST_PAGE
from devin_jupyter.api.query import EmptyPages, Fetch, Page, Parse, Raw, Take, Window, parsed
from devin_jupyter.loop import REQUESTS_AT_ONCE, leaf_exceptions

SERIAL = 4
"""Pages that are always read one after another; more are divided."""
_BLIND = 12
"""The same where nothing says how many there are: the pages that were read are read again by the parts."""
NEAR = 5
"""If no more concurrent requests than this are worthwhile, windows are divided only once: each costs one more page."""
_SHARE = 1.5
"""A part is so many times smaller than what each of the requests at once would have to read of the rest."""
_MOST_GROWTH = 4
"""How many times longer than a part with few sessions the ones behind it are."""
_EMPTY_PAGE = b'{"items": [], "has_next_page": false, "end_cursor": null}'


class _FilterIgnored(Exception):
    """The service returned sessions from outside the window."""


async def read_sessions(
    fetch: Fetch,
    take: Take,
    window: Window,
    *,
    at_once: int = REQUESTS_AT_ONCE,
    parse: Parse | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> None:
    """Read all sessions of a window, handing each page to `take` once or more.

    Args:
        fetch: reads one page: given its parameters, returns the body.
        take: collects raw sessions; sees some of them twice.
        window: which sessions.
        at_once: the most requests under way; with one, the list is read in order.
        parse: reads the body of a page; `parsed` by default.
        clock: tells the time in seconds: how many requests at once are worthwhile follows from those of the first page.

    Raises:
        ApiError, ConnectionTrouble: of the first request that failed; the others are given up.
    """
    reader = _Reader(fetch, take, at_once, parse or parsed, clock)
    if at_once == 1:
        await reader.read_in_order(window)
        return
    try:
        await reader.read(window)
    except (_FilterIgnored, ExceptionGroup) as problem:
        found = list(leaf_exceptions(problem))
    else:
        return
    if not any(isinstance(cause, _FilterIgnored) for cause in found):
        raise found[0]
    await reader.read_in_order(window)


class _Reader:
    def __init__(self, fetch: Fetch, take: Take, at_once: int, parse: Parse, clock: Callable[[], float]) -> None:
        self._fetch, self._take, self.at_once, self._parse, self._clock = fetch, take, at_once, parse, clock
        self._turn: asyncio.Semaphore | None = None
        self._included = {"after_is_included": False, "before_is_included": False}

    async def read(self, window: Window, expected: int | None = None) -> int:
        """Read a window: in order where it has a few pages, divided where it has more.

        Args:
            window: which sessions.
            expected: about how many pages a part was thought to have; it is divided if there are far more.

        Returns:
            How many sessions it has.
        """
        bounds = window.params(**self._included)
        page = await self._page(window, bounds)
        outside = len(page.items) - len(page.inside(window))
        if page.cursor is not None and 2 * outside > len(page.items) and bounds != window.params(**self._included):
            bounds = window.params(**self._included)  # learned meanwhile: without the sessions of the next window
            page = await self._page(window, bounds)
        seen, count, cursors, empty = len(page.items), 1, set[str](), EmptyPages()
        created = [*page.created]
        while page.cursor is not None and page.cursor not in cursors:
            cursors.add(page.cursor)
            left = _pages_left(window, page, seen) if expected is None else None
            is_much = count >= _BLIND if left is None else left > SERIAL
            if expected is not None:
                is_much = self._has_far_more(window, created, count, expected)
            if is_much and page.created and window.is_divisible:
                return await self._read_parts(_Parts(window, created, count, left, self.at_once))
            page = await self._page(window, {**bounds, "after": page.cursor})
            seen, count = seen + len(page.items), count + 1
            created += page.created
            empty.see(page)
        return seen

    def _has_far_more(self, window: Window, created: list[int], count: int, expected: int) -> bool:
        """Whether a part has far more pages than expected, as far as these pages of it say: to divide it costs them."""
        if self.at_once <= NEAR and window.start is not None:
            return False
        if count > 3 * expected:
            return True
        if window.start is None or window.end is None or count != max(SERIAL, expected // 4):
            return False
        read = max(1, window.end - min(created))
        return count * (window.end - window.start) / read > 3 * expected

    async def _read_parts(self, parts: _Parts) -> int:
        """Read the parts of a window, as many at once as is worthwhile, and return how many sessions they have."""
        counts = list[int]()

        async def work() -> None:
            while (part := parts.next()) is not None:
                counts.append(await self.read(*part))
                parts.learn(*part, counts[-1])

        await _together(work() for _ in range(parts.readers))
        return sum(counts)

    async def read_in_order(self, window: Window) -> None:
        """Read page after page, even if the service ignores the window."""
        bounds, cursors, empty = window.params(), set[str](), EmptyPages()
        page = await self._page(window, bounds, check=False)
        while page.cursor is not None and page.cursor not in cursors:
            cursors.add(page.cursor)
            page = await self._page(window, {**bounds, "after": page.cursor}, check=False)
            empty.see(page)

    async def _page(self, window: Window, params: Raw, *, check: bool = True) -> Page:
        params = {**params, "first": LARGEST_PAGE}
        if self._turn is None:
            return await self._first_page(window, params, check)
        async with self._turn:
            body = await self._fetch(params)
        return await self._process_page(window, body, check)

    async def _first_page(self, window: Window, params: Raw, check: bool) -> Page:
        """Find out how many requests at once keep this machine busy: more would only compete for it."""
        self._parse(_EMPTY_PAGE)  # loads the parser, so that this does not count as work on a page
        started = self._clock()
        body = await self._fetch(params)
        answered = self._clock()
        page = await self._process_page(window, body, check)
        worked = self._clock() - answered
        self.at_once = min(self.at_once, max(2, ceil((answered - started) / max(worked, 1e-4))))
        self._turn = asyncio.Semaphore(self.at_once)
        return page

    async def _process_page(self, window: Window, body: bytes, check: bool) -> Page:
        page = self._parse(body)
        items = page.items
        if items and not (window.holds(min(page.created)) and window.holds(max(page.created))):
            if check and not _only_edges(window, page.created):
                raise _FilterIgnored
            self._learn_bounds(window, page)
            items = page.inside(window)
        await self._take(items)
        return page

    def _learn_bounds(self, window: Window, page: Page) -> None:
        """Learn from sessions that were created on a bound whether the service includes it."""
        if page.has_integer_times:
            self._included["after_is_included"] |= window.start is not None and min(page.created) < window.start
            self._included["before_is_included"] |= window.end is not None and max(page.created) >= window.end


class _Parts:
    """The parts of a window, from the newest back: all together are the whole, however sessions are spread in it.

    Histories thin out toward their beginning, which may not be known: how long a part is follows from how many
    sessions those before it had. It holds more pages while much is left, and fewer toward the end.
    """

    def __init__(self, window: Window, created: list[int], count: int, left: float | None, at_once: int) -> None:
        """Begin with what is known from the pages that were read.

        Args:
            window: what to divide.
            created: when the sessions of these pages were created.
            count: how many pages these are.
            left: about how many pages follow; None where nothing says so.
            at_once: the most requests under way.
        """
        self._window, self._left, self._at_once = window, left, at_once
        newest = max(created)
        self._end = newest + 1 if window.end is None else min(newest + 1, window.end)
        """Before this nothing has been given out."""
        self._longest = inf if window.start is None else (self._end - window.start) // 2
        """Of a part, in seconds: one that is divided in turn has to become shorter."""
        self._has_newer = window.end is None or self._end < window.end
        self._is_done = False
        self._page_size = ceil(len(created) / count)
        self._page_seconds = max(1.0, (newest - min(created)) / count)
        """How much time a page covers."""
        self._oldest = self._end
        """The start of the part that this is known from."""
        self._given, self._truth = 0, 1.0
        """How many pages the parts under way were thought to have, and what came of it, as a share, of those before."""
        self._is_beyond = False
        """A part had no sessions, so there may be none before it."""
        self.readers = at_once if left is None else max(2, min(at_once, ceil(left / SERIAL)))

    def next(self) -> tuple[Window, int] | None:
        """Return the next part and about how many pages it has; None if there is no more."""
        if self._has_newer:
            self._has_newer = False
            return Window(self._end, self._window.end), 1
        if self._is_done:
            return None
        end, start = self._end, self._window.start
        left = None if self._left is None else self._left - self._given * self._truth
        if start is not None:
            left = (end - start) / self._page_seconds
        pages = SERIAL if left is None else max(SERIAL, ceil(left / self._at_once / _SHARE))
        low = end - max(1, int(min(pages * self._page_seconds, self._longest)))
        if start is None:
            self._is_done = self._is_beyond or low <= 0 or (left is not None and left <= pages)
        else:
            self._is_done = 2 * (low - start) < end - low
        if self._is_done:
            return Window(start, end), pages if start is not None or left is None else 2 * SERIAL
        self._given += pages
        self._end = low
        return Window(low, end), pages

    def learn(self, part: Window, pages: int, count: int) -> None:
        """Take note of how many sessions a part had."""
        if part.start is None or part.end is None:
            return
        self._given -= pages
        self._truth = (self._truth + min(1.0, count / self._page_size / pages)) / 2
        if self._left is not None:
            self._left -= count / self._page_size
        if part.start < self._oldest:
            self._oldest, self._is_beyond = part.start, not count
            seconds = (part.end - part.start) * self._page_size / max(1, count)
            self._page_seconds = max(1.0, self._page_seconds + min(seconds, _MOST_GROWTH * self._page_seconds)) / 2


def _only_edges(window: Window, created: Iterable[int]) -> bool:
    """The bounds may or may not be included."""
    low = -(10**18) if window.start is None else window.start - 1
    high = 10**18 if window.end is None else window.end
    return all(low <= moment <= high for moment in created)


def _pages_left(window: Window, page: Page, seen: int) -> int | None:
    """How many pages are behind this one: by the service's total, or estimated from the density of this page."""
    if page.total is not None:
        return -(-max(0, page.total - seen) // max(1, len(page.items)))
    if window.start is None or not page.is_ordered:
        return None
    width = max(1, page.created[0] - page.created[-1])
    return -(-max(0, page.created[-1] - window.start) // width)


async def _together(reads: Iterable[Coroutine[Any, Any, None]]) -> None:
    async with asyncio.TaskGroup() as group:
        for read in reads:
            group.create_task(read)
