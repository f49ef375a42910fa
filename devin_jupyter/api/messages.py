"""The conversation of a session: read it, add to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from devin_jupyter.api.arguments import at_most
from devin_jupyter.api.paging import LARGEST_PAGE, Raw, Raws, cursor_pages, flatten, items_of, next_cursor
from devin_jupyter.api.service import Service
from devin_jupyter.errors import Conflict, Unsupported
from devin_jupyter.models.ids import session_id as prefixed


class Messages:
    """The messages of sessions, oldest first, as raw objects of the API version in use.

    Where the service refuses, calls raise an `ApiError`; where it cannot be reached, `ConnectionTrouble`.
    """

    def __init__(self, service: Service) -> None:
        """Send nothing yet."""
        self._service = service

    async def pages(
        self, session_id: str, *, limit: int | None = None, after: str | None = None, retries: bool = True
    ) -> AsyncIterator[list[Raw]]:
        """Go through the messages page by page, each once. (`GET …/sessions/{id}/messages`)

        On v1, which sends them with the session, all come as one page.

        Args:
            session_id: in any form.
            limit: at most so many messages.
            after: the cursor to start behind; v3 only.
            retries: False for callers that pace themselves.

        Raises:
            NotFound: no such session.
        """
        identifier = prefixed(session_id)
        most = at_most(limit)
        if self._service.is_v1:
            session = await self._service.call_mapping("messages.list", session_id=identifier, retries=retries)
            listed = session.get("messages")
            yield ([item for item in listed if isinstance(item, dict)][:most] if isinstance(listed, list) else [])
            return

        async def fetch(paging: Raw) -> Any:
            return await self._service.call("messages.list", session_id=identifier, params=paging, retries=retries)

        async for page in cursor_pages(fetch, key="event_id", limit=most, page_size=LARGEST_PAGE, after=after):
            yield page

    async def tail(self, session_id: str, cursor: str | None = None) -> tuple[Raws, str | None]:
        """Read the messages from a place in the conversation to its end; v3 only, tried once.

        Args:
            session_id: in any form.
            cursor: the place, from the call before; None for the beginning.

        Returns:
            The messages, and the place to go on from: the beginning of the last page, since the cursor at its end
            may linger, repeat or be missing. So the last page is read again, and each message is to be taken once.

        Raises:
            NotFound: no such session.
        """
        items: Raws = []
        while True:
            params = {"first": LARGEST_PAGE, "after": cursor}
            page = await self._service.call(
                "messages.list", session_id=prefixed(session_id), params=params, retries=False
            )
            found = items_of(page)
            known = {item.get("event_id") for item in items}
            items += [item for item in found if item.get("event_id") not in known]
            following = next_cursor(page)
            if following is None or following == cursor or all(item.get("event_id") in known for item in found):
                return items, cursor
            cursor = following

    def list(self, session_id: str, *, limit: int | None = None) -> AsyncIterator[Raw]:
        """Go through the messages one by one, oldest first. (`GET …/sessions/{id}/messages`)

        Args:
            session_id: in any form.
            limit: at most so many messages.

        Raises:
            NotFound: no such session.
        """
        return flatten(self.pages(session_id, limit=limit))

    async def send(
        self, session_id: str, message: str, *, attachment_urls: Sequence[str] = (), as_user: str | None = None
    ) -> Raw | None:
        """Send a message; never repeated by itself. (`POST …/sessions/{id}/messages`, v1: `…/message`)

        This is the bare call: `Devin.send` is the one that never sends twice. A message wakes a sleeping session
        on v3; v1 does not promise it.

        Args:
            session_id: in any form.
            message: the text.
            attachment_urls: URLs of uploaded files; v1 gets them as `ATTACHMENT:"…"` lines.
            as_user: send in the name of this user (`message_as_user_id`); v3 only.

        Returns:
            The session after the message on v3; None on v1.

        Raises:
            Conflict: v1 did not take the message because the session is suspended.
        """
        identifier = prefixed(session_id)
        if not self._service.is_v1:
            body: Raw = {"message": message}
            if attachment_urls:
                body["attachment_urls"] = list(attachment_urls)
            if as_user:
                body["message_as_user_id"] = as_user
            return await self._service.call_mapping("messages.send", session_id=identifier, json=body)
        if as_user:
            raise Unsupported("v1 cannot send in another user's name", "nothing was sent", "leave as_user out")
        lines = [message, *(f'ATTACHMENT:"{url}"' for url in attachment_urls)]
        answer = await self._service.call("messages.send", session_id=identifier, json={"message": "\n".join(lines)})
        _check_v1_taken(identifier, answer)
        return None


def _check_v1_taken(identifier: str, answer: Any) -> None:
    """A session that is suspended answers 200 with words in place of null, and the message is not delivered."""
    words = str(answer.get("detail") or "") if isinstance(answer, dict) else ""
    if "suspend" in words.lower():
        raise Conflict(
            f"{identifier} did not take the message: {words}",
            "the message was not delivered",
            "wake the session in the web app, then send again",
            status_code=200,
            detail=words,
        )
