"""Reading lists page by page: to the end, each item once, and never in circles.

Cursors of the service may stay on the last page or repeat, and pages overlap while new items arrive. So a page yields
only items that were not seen before, and a page without any ends the list.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from operator import index
from typing import Any, TypeVar

from devin_jupyter.errors import OptionError, UnreadableAnswer

LARGEST_PAGE = 200
_EMPTY_PAGES = 3
"""Pages in a row without a new item that count as the end of a list."""

T = TypeVar("T")
Raw = dict[str, Any]
"""A JSON object of a response."""
Fetch = Callable[[Raw], Awaitable[Any]]


async def cursor_pages(
    fetch: Fetch, *, key: str, limit: int | None = None, page_size: int = LARGEST_PAGE, after: str | None = None
) -> AsyncIterator[list[Raw]]:
    """Yield the pages of a v3 list, each without items seen before.

    Args:
        fetch: reads one page; is given `first` and `after`.
        key: the field that holds an item's id.
        limit: the most items to return.
        page_size: how many to ask for at a time, at most 200.
        after: the cursor to start behind.
    """
    dedup, cursors = _Deduplicator(key, limit), {after}
    while True:
        page = await fetch({"first": dedup.wanted(min(page_size, LARGEST_PAGE)), "after": after})
        fresh = dedup.fresh(items_of(page))
        if fresh:
            yield fresh
        after = next_cursor(page)
        if after is None or after in cursors or dedup.is_done:
            return
        cursors.add(after)


async def offset_pages(
    fetch: Fetch, *, key: str, items: str = "items", limit: int | None = None, page_size: int = LARGEST_PAGE
) -> AsyncIterator[list[Raw]]:
    """Yield the pages of a list that counts in `limit` and `offset`.

    The answer says whether there is more (v3); where it does not say (v1), a page shorter than asked for is the last.

    Args:
        fetch: reads one page; is given `limit` and `offset`.
        key: the field that holds an item's id.
        items: the field of the answer that holds the items.
        limit: the most items to return.
        page_size: how many to ask for at a time.
    """
    dedup, offset = _Deduplicator(key, limit), 0
    while True:
        page = await fetch({"limit": page_size, "offset": offset})
        found = items_of(page, items)
        fresh = dedup.fresh(found)
        if fresh:
            yield fresh
        flag = page.get("has_next_page") if isinstance(page, Mapping) else None
        more = flag if isinstance(flag, bool) else len(found) >= page_size
        if not more or not fresh or dedup.is_done:
            return
        offset += len(found)


def items_of(page: Any, name: str = "items") -> list[Raw]:
    """Return the objects of a page, which may also be a bare array.

    Raises:
        UnreadableAnswer: it is no page at all.
    """
    listed = page if isinstance(page, list) else page.get(name) if isinstance(page, Mapping) else None
    if listed is None and isinstance(page, Mapping) and isinstance(page.get("items"), list):
        listed = page["items"]
    if not isinstance(listed, list):
        raise UnreadableAnswer(
            f"expected a list, with its items under {name!r}", "nothing was changed", "try again later"
        )
    return [item for item in listed if isinstance(item, dict)]


def next_cursor(page: Any) -> str | None:
    """Return where the next page begins; None on the last one."""
    if not isinstance(page, Mapping) or not page.get("has_next_page"):
        return None
    cursor = page.get("end_cursor")
    return cursor if isinstance(cursor, str) and cursor else None


async def flatten(pages: AsyncIterator[list[T]]) -> AsyncIterator[T]:
    """Yield the items of pages one by one."""
    async for page in pages:
        for item in page:
            yield item


def at_most(limit: int | None) -> int | None:
    """Return a `limit`, None for no limit.

    Raises:
        OptionError: it is not a whole number, or below 0.
    """
    try:
        most = None if limit is None else index(limit)
    except TypeError:
        most = -1
    if most is not None and most < 0:
        raise OptionError(f"limit is a whole number of 0 or more, not {limit!r}", "nothing was sent")
    return most


class _Deduplicator:
    """Lets each item through once, and no more than `limit` in all."""

    def __init__(self, key: str, limit: int | None) -> None:
        self._key, self._left, self._seen, self._empty = key, at_most(limit), set[Any](), 0

    @property
    def is_done(self) -> bool:
        return self._left == 0 or self._empty >= _EMPTY_PAGES

    def wanted(self, page_size: int) -> int:
        return page_size if self._left is None else max(1, min(page_size, self._left))

    def fresh(self, items: Sequence[Raw]) -> list[Raw]:
        new = [item for item in items if self._is_new(item)]
        self._empty = 0 if new else self._empty + 1
        if self._left is not None:
            new = new[: self._left]
            self._left -= len(new)
        return new

    def _is_new(self, item: Raw) -> bool:
        identifier = item.get(self._key)
        if not isinstance(identifier, (str, int)):
            return True
        if identifier in self._seen:
            return False
        self._seen.add(identifier)
        return True
