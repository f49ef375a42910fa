"""Sessions: create, list, get, stop, archive."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any

from devin_jupyter.api.answers import unreadable
from devin_jupyter.api.paging import LARGEST_PAGE, Raw, cursor_pages, flatten, items_of, offset_pages
from devin_jupyter.api.service import Service
from devin_jupyter.api.session_filters import query_of, with_all_tags
from devin_jupyter.errors import BadRequest, Forbidden, NotFound, OptionError, Unsupported
from devin_jupyter.models.ids import bare_id
from devin_jupyter.models.ids import session_id as prefixed


class Sessions:
    """The sessions of the organization, as raw objects of the API version in use.

    Where the service refuses, calls raise an `ApiError`; where it cannot be reached, `ConnectionTrouble`.
    """

    def __init__(self, service: Service) -> None:
        """Send nothing yet."""
        self._service = service
        # which form of an id the filter of the list takes is not documented; the one that finds something is kept
        self._id_forms: tuple[Callable[[str], str], ...] = (prefixed, bare_id)

    async def create(self, body: Mapping[str, Any]) -> Raw:
        """Start a session from a complete body; never repeated by itself. (`POST …/sessions`)

        This is the bare call: `Devin.create` is the one that never pays twice.

        Raises:
            UnreadableAnswer: the answer holds no session id; a session may have been started.
        """
        answer = await self._service.call("sessions.create", json=dict(body))
        if not isinstance(answer, dict) or not isinstance(answer.get("session_id"), str):
            raise unreadable(await self._service.asked("sessions.create"), 200, b"", "it holds no session id")
        return answer

    async def get(self, session_id: str, *, retries: bool = True) -> Raw:
        """Read one session; on v1 its messages come with it. (`GET …/sessions/{id}`)

        Some keys may list a session and not get it: then the list answers.

        Args:
            session_id: in any form.
            retries: False for callers that pace themselves.

        Raises:
            NotFound: no such session, or not for this key.
        """
        identifier = prefixed(session_id)
        try:
            answer = await self._service.call_mapping("sessions.get", session_id=identifier, retries=retries)
        except (Forbidden, NotFound):
            found = await self._from_list(identifier, retries=retries)
            if found is None:
                raise
            return found
        if not _id_of(answer):
            asked = await self._service.asked("sessions.get", session_id=identifier)
            raise unreadable(asked, 200, b"", "it holds no session")
        return answer

    async def _from_list(self, identifier: str, *, retries: bool) -> Raw | None:
        if self._service.is_v1:
            return None
        try:
            found = await self.some([identifier], retries=retries)
        except (Forbidden, NotFound):
            return None
        return found.get(identifier)

    async def some(self, session_ids: Iterable[str], *, retries: bool = True) -> dict[str, Raw]:
        """Read up to 100 sessions in one request: `devin-…` → session; unknown ones are left out. v3 only.

        Args:
            session_ids: in any form.
            retries: False for callers that pace themselves.

        Raises:
            OptionError: what is no session id.
        """
        wanted = [prefixed(identifier) for identifier in session_ids]
        for form in self._id_forms:
            params = {"session_ids": [form(identifier) for identifier in wanted], "first": LARGEST_PAGE}
            found = by_id(items_of(await self._service.call("sessions.list", params=params, retries=retries)))
            named = {identifier: found[identifier] for identifier in wanted if identifier in found}
            if named:
                self._id_forms = (form,)
                return named
        return {}

    def pages(
        self, /, *, limit: int | None = None, page_size: int = LARGEST_PAGE, retries: bool = True, **filters: Any
    ) -> AsyncIterator[list[Raw]]:
        """Go through the sessions page by page, each session once. (`GET …/sessions`)

        Args:
            limit: at most so many sessions.
            page_size: sessions a request, at most 200.
            retries: False for callers that pace themselves.
            filters: on v3 `session_ids`, `tags`, `playbook_id`, `origins`, `schedule_id`, `user_ids`,
                `service_user_ids`, `repo_names`, `category`, `is_archived`, `automation_ids`, `parent_session_id`, and
                `created_after`, `created_before`, `updated_after`, `updated_before` (datetimes or Unix seconds); on v1
                `tags` and `user_email`. Of several tags a session must carry all: what the service means by them is not
                documented.

        Raises:
            Unsupported: a filter that this API version does not have.
            OptionError: a filter that holds no moment, or no session id.
        """
        params = query_of(filters, self._service.api_version)

        async def fetch(paging: Raw) -> Any:
            return await self._service.call("sessions.list", params={**params, **paging}, retries=retries)

        def read(most: int | None) -> AsyncIterator[list[Raw]]:
            if self._service.is_v1:
                return offset_pages(fetch, key="session_id", items="sessions", limit=most, page_size=page_size)
            return cursor_pages(fetch, key="session_id", limit=most, page_size=page_size)

        return with_all_tags(read, params.get("tags"), limit)

    def list(self, /, *, limit: int | None = None, **filters: Any) -> AsyncIterator[Raw]:
        """Go through the sessions one by one, with the filters of `pages`. (`GET …/sessions`)

        Args:
            limit: at most so many sessions.
            filters: those of `pages`.

        Raises:
            Unsupported: a filter that this API version does not have.
            OptionError: a filter that holds no moment, or no session id.
        """
        return flatten(self.pages(limit=limit, **filters))

    async def terminate(self, session_id: str, *, archive: bool = False) -> Raw | None:
        """Terminate a session for good; one that is already over stays so. (`DELETE …/sessions/{id}`)

        Args:
            session_id: in any form.
            archive: also archive it; v3 only.

        Raises:
            NotFound: no such session.
            Unsupported: `archive` on v1.
        """
        if archive and self._service.is_v1:
            raise Unsupported("v1 has no archive; use stop()", "nothing was sent")
        params = {"archive": "true"} if archive else None
        try:
            answer = await self._service.call("sessions.terminate", session_id=prefixed(session_id), params=params)
        except BadRequest as problem:
            if self._service.is_v1 and "already" in problem.detail.lower():
                return None
            raise
        return answer if isinstance(answer, dict) else None

    async def archive(self, session_id: str) -> Raw:
        """Archive a session, putting it to sleep if it runs. v3 only. (`POST …/archive`)

        Args:
            session_id: in any form.

        Raises:
            NotFound: no such session.
            Unsupported: on v1.
        """
        return await self._service.call_mapping("sessions.archive", session_id=prefixed(session_id))

    async def unarchive(self, session_id: str) -> Raw:
        """Take a session out of the archive; its children stay. v3 only. (`POST …/unarchive`)

        Args:
            session_id: in any form.

        Raises:
            NotFound: no such session.
            Unsupported: on v1.
        """
        return await self._service.call_mapping("sessions.unarchive", session_id=prefixed(session_id))


def by_id(items: Iterable[Raw]) -> dict[str, Raw]:
    """Return raw sessions by their prefixed id; objects without a readable id are left out."""
    return {identifier: item for item in items if (identifier := _id_of(item))}


def _id_of(item: Raw) -> str:
    try:
        return prefixed(str(item.get("session_id") or ""))
    except OptionError:
        return ""
