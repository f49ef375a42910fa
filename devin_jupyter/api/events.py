"""The log of what Devin did inside a session, where the service offers it at all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from devin_jupyter.api.paging import LARGEST_PAGE, Raw, Raws, cursor_pages, items_of
from devin_jupyter.api.service import Service
from devin_jupyter.api.sessions import Sessions
from devin_jupyter.api.times import Moment, unix
from devin_jupyter.errors import Forbidden, NotFound, OptionError, Unsupported
from devin_jupyter.models.ids import session_id as prefixed


class Events:
    """Shell, file, git and other events. They were in one SDK only: 403 and 404 are told as "not offered".

    Where the service refuses, calls raise an `ApiError`; where it cannot be reached, `ConnectionTrouble`; on v1,
    `Unsupported`.
    """

    def __init__(self, service: Service) -> None:
        """Send nothing yet."""
        self._service = service

    async def list(
        self,
        session_id: str,
        *,
        categories: Sequence[str] | None = None,
        event_types: Sequence[str] | None = None,
        direction: str | None = None,
        created_after: Moment | None = None,
        created_before: Moment | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Raw]:
        """Go through the events, oldest first. v3 only. (`GET …/events`)

        Args:
            session_id: in any form.
            categories: such as `shell`, `file`, `git`; not together with `event_types`.
            event_types: the finer names.
            direction: `incoming` or `outgoing`.
            created_after: a moment, UTC.
            created_before: a moment, UTC.
            limit: at most so many.

        Raises:
            Unsupported: the service does not offer events.
            OptionError: both categories and event types, or what is no moment.
        """
        filters = _filters(categories, event_types, direction, created_after, created_before)
        async for item in self._items("events.list", session_id, filters, limit):
            yield item

    async def search(
        self,
        session_id: str,
        query: str,
        *,
        categories: Sequence[str] | None = None,
        event_types: Sequence[str] | None = None,
        direction: str | None = None,
        created_after: Moment | None = None,
        created_before: Moment | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Raw]:
        """Search the events; each hit has a `match_context`. v3 only. (`GET …/events/search`)

        Args:
            session_id: in any form.
            query: the words to look for.
            categories: as for `list`.
            event_types: as for `list`.
            direction: as for `list`.
            created_after: a moment, UTC.
            created_before: a moment, UTC.
            limit: at most so many.

        Raises:
            Unsupported: the service does not offer events.
            OptionError: both categories and event types, or what is no moment.
        """
        filters = _filters(categories, event_types, direction, created_after, created_before)
        async for item in self._items("events.search", session_id, {"query": query, **filters}, limit):
            yield item

    async def details(
        self,
        session_id: str,
        *,
        event_ids: Sequence[str] | None = None,
        offset: int | None = None,
        limit: int | None = None,
        max_content_length: int | None = None,
    ) -> Raws:
        """Read events in full: by id (at most 20), or a stretch of them. v3 only. (`GET …/events/details`)

        Args:
            session_id: in any form.
            event_ids: which; not together with `offset` and `limit`.
            offset: how many to leave out.
            limit: how many, at most 50.
            max_content_length: characters a field before it is cut, 10,000 by default.

        Raises:
            Unsupported: the service does not offer events.
            OptionError: ids and a stretch at once.
        """
        if event_ids is not None and (offset is not None or limit is not None):
            raise OptionError("give event_ids, or offset and limit, not both", "nothing was sent")
        params = {"event_ids": event_ids, "offset": offset, "limit": limit, "max_content_length": max_content_length}
        return items_of(await self._offered("events.details", session_id, params))

    async def _items(self, operation: str, session_id: str, filters: Raw, limit: int | None) -> AsyncIterator[Raw]:
        async def fetch(paging: Raw) -> Any:
            return await self._offered(operation, session_id, {**filters, **paging})

        async for page in cursor_pages(fetch, key="event_id", limit=limit, page_size=LARGEST_PAGE):
            for item in page:
                yield item

    async def _offered(self, operation: str, session_id: str, params: Raw) -> Any:
        identifier = prefixed(session_id)
        try:
            return await self._service.call(operation, session_id=identifier, params=params)
        except (Forbidden, NotFound) as problem:
            await Sessions(self._service).get(identifier)  # an unknown session says so itself
            raise Unsupported(
                f"the service does not offer the events of sessions ({problem.status_code})",
                "nothing was changed",
                "messages.list() and insights.get() are what is offered everywhere",
            ) from None


def _filters(
    categories: Sequence[str] | None,
    event_types: Sequence[str] | None,
    direction: str | None,
    created_after: Moment | None,
    created_before: Moment | None,
) -> Raw:
    if categories and event_types:
        raise OptionError("give categories or event_types, not both", "nothing was sent")
    return {
        "categories": categories,
        "event_types": event_types,
        "direction": direction,
        "created_after": unix(created_after),
        "created_before": unix(created_before),
    }
