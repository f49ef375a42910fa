"""Going through lists page by page, to the end and never round in circles.

The service's cursors may linger on the last page or repeat, and pages may overlap while new items arrive: a page
hands out only what was not seen before, and going on needs something new.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from devin_jupyter.api.arguments import at_most
from devin_jupyter.errors import UnreadableAnswer

LARGEST_PAGE = 200
_EMPTY_PAGES = 3
"""So many pages in a row without anything new, and the end is taken for reached."""

Raw = dict[str, Any]
"""One object of an answer."""
Raws = list[Raw]
"""Several; classes with a method called `list` need another word for the type."""
Fetch = Callable[[Raw], Awaitable[Any]]


async def cursor_pages(
    fetch: Fetch, *, key: str, limit: int | None = None, page_size: int = LARGEST_PAGE, after: str | None = None
) -> AsyncIterator[list[Raw]]:
    """Yield the pages of a v3 list, each without items seen before.

    Args:
        fetch: reads one page; is given `first` and `after`.
        key: the field that holds an item's id.
        limit: at most so many items in all.
        page_size: how many to ask for at a time, at most 200.
        after: the cursor to start behind.
    """
    sieve, cursors = _Sieve(key, limit), {after}
    while True:
        page = await fetch({"first": sieve.wanted(min(page_size, LARGEST_PAGE)), "after": after})
        fresh = sieve.fresh(items_of(page))
        if fresh:
            yield fresh
        after = next_cursor(page)
        if after is None or after in cursors or sieve.is_done:
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
        limit: at most so many items in all.
        page_size: how many to ask for at a time.
    """
    sieve, offset = _Sieve(key, limit), 0
    while True:
        page = await fetch({"limit": page_size, "offset": offset})
        found = items_of(page, items)
        fresh = sieve.fresh(found)
        if fresh:
            yield fresh
        more = page["has_next_page"] if _says_more(page) else len(found) >= page_size
        if not more or not fresh or sieve.is_done:
            return
        offset += len(found)


def _says_more(page: Any) -> bool:
    return isinstance(page, Mapping) and isinstance(page.get("has_next_page"), bool)


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
            f"a list was expected, with its entries under {name!r}", "nothing was changed", "run it again in a while"
        )
    return [item for item in listed if isinstance(item, dict)]


def next_cursor(page: Any) -> str | None:
    """Return where the next page begins; None on the last one."""
    if not isinstance(page, Mapping) or not page.get("has_next_page"):
        return None
    cursor = page.get("end_cursor")
    return cursor if isinstance(cursor, str) and cursor else None


async def flatten(pages: AsyncIterator[list[Raw]]) -> AsyncIterator[Raw]:
    """Yield the items of pages one by one."""
    async for page in pages:
        for item in page:
            yield item


class _Sieve:
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
