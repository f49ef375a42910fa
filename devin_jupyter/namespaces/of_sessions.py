"""Sessions and all that belongs to one, for blocking callers. Documented in `devin_jupyter.api`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from devin_jupyter.api.attachments import Attachments as AsyncAttachments
from devin_jupyter.api.events import Events as AsyncEvents
from devin_jupyter.api.insights import Insights as AsyncInsights
from devin_jupyter.api.messages import Messages as AsyncMessages
from devin_jupyter.api.paging import LARGEST_PAGE, Raw, Raws
from devin_jupyter.api.sessions import Sessions as AsyncSessions
from devin_jupyter.api.tags import Tags as AsyncTags
from devin_jupyter.api.times import Moment
from devin_jupyter.loop import iterate, run_request
from devin_jupyter.namespaces.documented import as_in

Strings = list[str]


@as_in(AsyncSessions)
class Sessions:
    def __init__(self, twin: AsyncSessions) -> None:
        self._twin = twin

    def create(self, body: Mapping[str, Any]) -> Raw:
        return run_request(self._twin.create(body))

    def get(self, session_id: str, *, retries: bool = True) -> Raw:
        return run_request(self._twin.get(session_id, retries=retries))

    def some(self, session_ids: Iterable[str], *, retries: bool = True) -> dict[str, Raw]:
        return run_request(self._twin.some(session_ids, retries=retries))

    def pages(
        self, *, limit: int | None = None, page_size: int = LARGEST_PAGE, retries: bool = True, **filters: Any
    ) -> Iterator[Raws]:
        return iterate(self._twin.pages(limit=limit, page_size=page_size, retries=retries, **filters), unit="pages")

    def list(self, *, limit: int | None = None, **filters: Any) -> Iterator[Raw]:
        return iterate(self._twin.list(limit=limit, **filters), unit="sessions")

    def terminate(self, session_id: str, *, archive: bool = False) -> Raw | None:
        return run_request(self._twin.terminate(session_id, archive=archive))

    def archive(self, session_id: str) -> Raw:
        return run_request(self._twin.archive(session_id))

    def unarchive(self, session_id: str) -> Raw:
        return run_request(self._twin.unarchive(session_id))


@as_in(AsyncMessages)
class Messages:
    def __init__(self, twin: AsyncMessages) -> None:
        self._twin = twin

    def pages(
        self, session_id: str, *, limit: int | None = None, after: str | None = None, retries: bool = True
    ) -> Iterator[Raws]:
        return iterate(self._twin.pages(session_id, limit=limit, after=after, retries=retries), unit="pages")

    def tail(self, session_id: str, cursor: str | None = None) -> tuple[Raws, str | None]:
        return run_request(self._twin.tail(session_id, cursor))

    def list(self, session_id: str, *, limit: int | None = None) -> Iterator[Raw]:
        return iterate(self._twin.list(session_id, limit=limit), unit="messages")

    def send(
        self, session_id: str, message: str, *, attachment_urls: Sequence[str] = (), as_user: str | None = None
    ) -> Raw | None:
        return run_request(self._twin.send(session_id, message, attachment_urls=attachment_urls, as_user=as_user))


@as_in(AsyncTags)
class Tags:
    def __init__(self, twin: AsyncTags) -> None:
        self._twin = twin

    def get(self, session_id: str) -> Strings:
        return run_request(self._twin.get(session_id))

    def append(self, session_id: str, tags: Iterable[str]) -> Strings:
        return run_request(self._twin.append(session_id, tags))

    def replace(self, session_id: str, tags: Iterable[str]) -> Strings:
        return run_request(self._twin.replace(session_id, tags))


@as_in(AsyncAttachments)
class Attachments:
    def __init__(self, twin: AsyncAttachments) -> None:
        self._twin = twin

    def upload(self, name: str, content: bytes) -> Raw:
        return run_request(self._twin.upload(name, content))

    def list(self, session_id: str) -> Raws:
        return run_request(self._twin.list(session_id))

    def fetch(self, attachment: Mapping[str, Any] | str) -> bytes:
        return run_request(self._twin.fetch(attachment))

    def download(self, session_id: str, folder: str | os.PathLike[str] | None = None) -> Sequence[Path]:
        return run_request(self._twin.download(session_id, folder))


@as_in(AsyncInsights)
class Insights:
    def __init__(self, twin: AsyncInsights) -> None:
        self._twin = twin

    def pages(self, *, limit: int | None = None, page_size: int = LARGEST_PAGE, **filters: Any) -> Iterator[Raws]:
        return iterate(self._twin.pages(limit=limit, page_size=page_size, **filters), unit="pages")

    def list(self, *, limit: int | None = None, **filters: Any) -> Iterator[Raw]:
        return iterate(self._twin.list(limit=limit, **filters), unit="sessions")

    def get(self, session_id: str) -> Raw:
        return run_request(self._twin.get(session_id))

    def generate(self, session_id: str, *, timeout: float = 300.0) -> Raw:
        return run_request(self._twin.generate(session_id, timeout=timeout))


@as_in(AsyncEvents)
class Events:
    def __init__(self, twin: AsyncEvents) -> None:
        self._twin = twin

    def list(
        self,
        session_id: str,
        *,
        categories: Sequence[str] | None = None,
        event_types: Sequence[str] | None = None,
        direction: str | None = None,
        created_after: Moment | None = None,
        created_before: Moment | None = None,
        limit: int | None = None,
    ) -> Iterator[Raw]:
        found = self._twin.list(
            session_id,
            categories=categories,
            event_types=event_types,
            direction=direction,
            created_after=created_after,
            created_before=created_before,
            limit=limit,
        )
        return iterate(found, unit="events")

    def search(
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
    ) -> Iterator[Raw]:
        found = self._twin.search(
            session_id,
            query,
            categories=categories,
            event_types=event_types,
            direction=direction,
            created_after=created_after,
            created_before=created_before,
            limit=limit,
        )
        return iterate(found, unit="events")

    def details(
        self,
        session_id: str,
        *,
        event_ids: Sequence[str] | None = None,
        offset: int | None = None,
        limit: int | None = None,
        max_content_length: int | None = None,
    ) -> Raws:
        found = self._twin.details(
            session_id, event_ids=event_ids, offset=offset, limit=limit, max_content_length=max_content_length
        )
        return run_request(found)
