"""What the service finds out about a session afterwards: size, issues, a better prompt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from devin_jupyter.api.paging import LARGEST_PAGE, Raw, cursor_pages, flatten
from devin_jupyter.api.service import Service
from devin_jupyter.api.session_filters import query_of, with_all_tags
from devin_jupyter.errors import RequestTimeout
from devin_jupyter.models.ids import session_id as prefixed

POLL_SECONDS = 5.0


class Insights:
    """Sessions with `num_devin_messages`, `num_user_messages`, `session_size` and, once generated, `analysis`.

    Where the service refuses, calls raise an `ApiError`; where it cannot be reached, `ConnectionTrouble`; on v1,
    `Unsupported`.
    """

    def __init__(self, service: Service, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Send nothing yet."""
        self._service, self._sleep = service, sleep

    def pages(
        self, /, *, limit: int | None = None, page_size: int = LARGEST_PAGE, **filters: Any
    ) -> AsyncIterator[list[Raw]]:
        """Go through sessions with their insights page by page. v3 only. (`GET …/sessions/insights`)

        Args:
            limit: at most so many.
            page_size: sessions a request, at most 200.
            filters: those of `sessions.pages` on v3.

        Raises:
            Unsupported: a filter that there is not.
            OptionError: a filter that holds no moment, or no session id.
        """
        params = query_of(filters, "v3")

        async def fetch(paging: Raw) -> Any:
            return await self._service.call("insights.list", params={**params, **paging})

        def read(most: int | None) -> AsyncIterator[list[Raw]]:
            return cursor_pages(fetch, key="session_id", limit=most, page_size=page_size)

        return with_all_tags(read, params.get("tags"), limit)

    def list(self, /, *, limit: int | None = None, **filters: Any) -> AsyncIterator[Raw]:
        """Go through sessions with their insights one by one. v3 only. (`GET …/sessions/insights`)

        Args:
            limit: at most so many.
            filters: those of `sessions.list`.

        Raises:
            Unsupported: a filter that there is not, or v1.
            OptionError: a filter that holds no moment, or no session id.
        """
        return flatten(self.pages(limit=limit, **filters))

    async def get(self, session_id: str) -> Raw:
        """Read the insights of one session; `analysis` is None until generated. v3 only. (`GET …/insights`)

        Args:
            session_id: in any form.

        Raises:
            NotFound: no such session.
        """
        return await self._service.call_mapping("insights.get", session_id=prefixed(session_id))

    async def generate(self, session_id: str, *, timeout: float = 300.0) -> Raw:
        """Have the analysis made, wait for it (about a minute) and return the insights. v3 only.

        (`POST …/insights/generate`, then `GET …/insights`.) Asking again while it is made, or after, is harmless.

        Args:
            session_id: in any form.
            timeout: seconds to wait.

        Raises:
            RequestTimeout: it was not there in time; ask again later.
        """
        identifier = prefixed(session_id)
        await self._service.call("insights.generate", session_id=identifier)
        waited = 0.0
        while True:
            insights = await self.get(identifier)
            if insights.get("analysis") is not None:
                return insights
            if waited >= timeout:
                raise RequestTimeout(
                    f"the insights of {identifier} were not there within {timeout:g} s",
                    "the service may still be making them, or have failed to",
                    "ask again later; sessions without a message by Devin have none",
                )
            await self._sleep(min(POLL_SECONDS, timeout - waited))
            waited += POLL_SECONDS
