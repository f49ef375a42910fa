"""Sessions and what belongs to one: messages, tags, insights."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar, cast

from devin_jupyter.api.client import (
    LARGEST_PAGE,
    LARGEST_V1_PAGE,
    MOST_EMPTY_PAGES,
    Service,
    at_most,
    cursor_pages,
    endless,
    flatten,
    items_of,
    next_cursor,
    offset_pages,
)
from devin_jupyter.api.query import (
    Parse,
    Query,
    RowParser,
    SessionFilters,
    Take,
    api_params,
    as_list,
    has_all_tags,
    parsed,
    read_newest,
)
from devin_jupyter.api.responses import unreadable
from devin_jupyter.api.windows import read_sessions
from devin_jupyter.errors import (
    BadRequest,
    Conflict,
    DevinError,
    Forbidden,
    NotFound,
    OptionError,
    RequestTimeout,
    Unprocessable,
    UnreadableAnswer,
    Unsupported,
)
from devin_jupyter.loop import REQUESTS_AT_ONCE, also_blocking, also_iterating, checked
from devin_jupyter.models import wire
from devin_jupyter.models.fields import NO_ID, bare_id, identifiers, is_ours, parse_time, read_message
from devin_jupyter.models.fields import identifier as own_id
from devin_jupyter.models.fields import session_id as prefixed

S = TypeVar("S", bound=Mapping[str, Any])

POLL_SECONDS = 5.0
"""Seconds between two reads of insights that are being generated."""
SessionList = list[wire.Session]
MessageList = list[wire.Message]
InsightsList = list[wire.Insights]
IDS_PER_PAGE = 100
"""More would make the URL too long for some proxies."""
_FEW = 2
"""Up to this many sessions are read one by one."""
_IDS_AT_ONCE = 4
"""Requests of a caller that paces itself."""


@dataclass(slots=True)
class Found:
    """What `by_ids` found."""

    raws: dict[str, wire.Session] = field(default_factory=dict)
    """By id (`devin-…`)."""
    problems: dict[str, DevinError] = field(default_factory=dict)
    """By id, why a session could not be read; `NotFound` where there is none."""

    @property
    def missing(self) -> list[str]:
        """The ids of sessions that do not exist for this key."""
        return [name for name, problem in self.problems.items() if isinstance(problem, NotFound)]

    def all(self) -> list[wire.Session]:
        """Return the sessions.

        Raises:
            DevinError: one of them could not be read.
        """
        for problem in self.problems.values():
            raise problem
        return [*self.raws.values()]

    def existing(self) -> list[wire.Session]:
        """Return the sessions, without those that are missing.

        Raises:
            DevinError: one could not be read for another reason.
        """
        for problem in self.problems.values():
            if not isinstance(problem, NotFound):
                raise problem
        return [*self.raws.values()]


def _is_new(name: Any, seen: set[str]) -> bool:
    """Whether a session was not seen before; one without an id always counts."""
    if not isinstance(name, str):
        return True
    is_new = name not in seen
    seen.add(name)
    return is_new


@checked
class Sessions:
    """The sessions of the organization, as raw objects of the API version in use. A session id is taken in any form.

    If the service refuses, calls raise an `ApiError`; if it cannot be reached, `ConnectionTrouble`.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        # which form of an id the filter of the list takes is not documented; the one that finds something is kept
        self._id_forms: tuple[Callable[[str], str], ...] = (str, bare_id)  # of a prefixed id

    @also_blocking
    async def create(self, body: Mapping[str, Any]) -> wire.Session:
        """Start a session from a complete body; never retried. (`POST …/sessions`)

        This is the bare call: `Devin.create` is the one that never pays twice.

        Raises:
            UnreadableAnswer: the response holds no session id; a session may have been started.
        """
        try:
            answer = await self._service.call("sessions.create", json=dict(body))
        except (BadRequest, Unprocessable) as refused:
            if body.get("platform"):
                self._service.seen.platforms |= frozenset(_platforms_named(refused.detail))
            raise
        if body.get("platform"):
            self._service.seen.platforms |= {str(body["platform"])}
        if not isinstance(answer, dict) or not isinstance(answer.get("session_id"), str):
            raise unreadable(await self._service.request_info("sessions.create"), 200, b"", "it contains no session id")
        return cast(wire.Session, answer)

    @also_blocking
    async def get(self, session_id: str, *, retries: bool = True) -> wire.Session:
        """Return one session; on v1 its messages come with it. (`GET …/sessions/{id}`)

        Some keys may list a session but not get it; then it is read from the list.

        Args:
            session_id: in any form.
            retries: False for callers with a pace of their own.

        Raises:
            NotFound: no such session, or not for this key.
        """
        identifier = prefixed(session_id)
        try:
            answer = await self._service.call_as(wire.Session, "sessions.get", session_id=identifier, retries=retries)
        except (Forbidden, NotFound) as refusal:
            if refusal.error_code is not None:  # such as a session that was migrated, which lists may still show
                raise
            try:
                listed = {} if self._service.is_v1 else await self.some([identifier], retries=retries)
            except (Forbidden, NotFound):
                listed = {}
            if identifier not in listed:
                raise refusal from None
            return listed[identifier]
        if not _id_of(answer):
            info = await self._service.request_info("sessions.get", session_id=identifier)
            raise unreadable(info, 200, b"", "it contains no session")
        return answer

    @also_blocking
    async def some(self, session_ids: Iterable[str], *, retries: bool = True) -> dict[str, wire.Session]:
        """Return up to 100 sessions by id (`devin-…`) from one request; unknown ones are left out. v3 only.

        Args:
            session_ids: in any form.
            retries: False for callers with a pace of their own.

        Raises:
            OptionError: an invalid session id.
        """
        return await self._some([prefixed(identifier) for identifier in session_ids], retries=retries)

    async def _some(self, wanted: list[str], *, retries: bool) -> dict[str, wire.Session]:
        for form in self._id_forms:
            params = {"session_ids": [*map(form, wanted)], "first": LARGEST_PAGE}
            page = await self._service.read("sessions.list", params=params, retries=retries)
            found = by_id(cast(SessionList, items_of(page)))
            named = {identifier: found[identifier] for identifier in wanted if identifier in found}
            if named:
                self._id_forms = (form,)
                return named
        return {}

    @also_blocking
    async def by_ids(self, session_ids: Iterable[str], *, retries: bool = True) -> Found:
        """Return sessions by id, archived or not, in as few requests as the API allows.

        v3 is asked for 100 at a time, v1 for its newest sessions; what these lists leave out is read one by one.

        Args:
            session_ids: in any form.
            retries: False for callers with a pace of their own.

        Raises:
            OptionError: an invalid session id.
        """
        wanted = list(dict.fromkeys(map(prefixed, session_ids)))
        found = Found()
        turn = asyncio.Semaphore(REQUESTS_AT_ONCE if retries else _IDS_AT_ONCE)

        async def read(names: list[str], request: Callable[[list[str]], Awaitable[None]]) -> None:
            async with turn:
                try:
                    await request(names)
                except DevinError as problem:
                    found.problems.update((name, problem) for name in names if name not in found.raws)

        async def some(names: list[str]) -> None:
            found.raws.update(await self._some(names, retries=retries))

        async def newest(names: list[str]) -> None:
            most, left = len(names) + 2 * IDS_PER_PAGE, set(names)
            async for page in self.pages(limit=most, page_size=IDS_PER_PAGE, retries=retries):
                found.raws.update({name: raw for name, raw in by_id(page).items() if name in left})
                if len(found.raws) == len(left):
                    return

        async def one(names: list[str]) -> None:
            found.raws[names[0]] = await self.get(names[0], retries=retries)

        if len(wanted) > _FEW and self._service.is_v1:
            await read(wanted, newest)
        elif len(wanted) > _FEW:
            chunks = [wanted[at : at + IDS_PER_PAGE] for at in range(0, len(wanted), IDS_PER_PAGE)]
            await asyncio.gather(*(read(chunk, some) for chunk in chunks))
        rest = [name for name in wanted if name not in found.raws and name not in found.problems]
        await asyncio.gather(*(read([name], one) for name in rest))
        return found

    @also_iterating("pages")
    async def scan(
        self, query: Query | SessionFilters, *, limit: int | None = None, parallel: bool = True
    ) -> AsyncIterator[SessionList]:
        """Iterate over the sessions that a query selects, archived or not, each once, in pages without any order.

        Long lists are read in many time windows at once. The next page is not waited for while one is processed, but
        no more than the requests under way are read ahead.

        Args:
            query: which sessions, or a dict of the filters of the frames. Phases are ignored: they are computed
                from more than a response says.
            limit: at least this many of the newest are returned; there may be more.
            parallel: False to read page after page.

        Raises:
            OptionError: an unknown filter, or a value that it does not take.
            Unsupported: v1, and a filter by what v1 does not return.
        """
        wanted = query if isinstance(query, Query) else Query.of(query)
        pages = asyncio.Queue[tuple[SessionList, asyncio.Future[None]] | None]()
        seen = set[str]()

        async def take(items: Sequence[Any]) -> int:
            kept = wanted.keep(items, self._service.api_version)
            names = [item.get("session_id") for item in kept]
            if set(map(type, names)) <= {str} and len(set(names)) == len(names) and seen.isdisjoint(names):
                seen.update(names)
            else:
                kept = [item for item, name in zip(kept, names, strict=True) if _is_new(name, seen)]
            if kept:
                processed = asyncio.get_running_loop().create_future()
                pages.put_nowait((kept, processed))
                await processed
            return len(kept)

        async def read() -> None:
            try:
                await self._scan(wanted, take, limit, parallel)
            finally:
                pages.put_nowait(None)

        reading = asyncio.create_task(read())
        try:
            while (page := await pages.get()) is not None:
                yield page[0]
                if not page[1].done():
                    page[1].set_result(None)
            await reading
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await reading

    async def _scan(
        self,
        query: Query,
        take: Take,
        limit: int | None,
        parallel: bool,
        parse: Parse = parsed,
        operation: str | None = None,
    ) -> None:
        if self._service.is_v1:
            await self._scan_v1(query, take, limit)
            return
        window, params = query.window(), query.params("v3")
        info = await self._service.request_info(operation or query.operation)
        get = partial(self._service.transport.get_bytes, info.path, info=info)

        async def read(extra: Mapping[str, Any]) -> None:
            async def fetch(paging: Mapping[str, Any]) -> bytes:
                return await get({**params, **extra, **paging})

            if limit is None or not await read_newest(fetch, take, window, limit, parse):
                at_once = REQUESTS_AT_ONCE if parallel else 1
                await read_sessions(fetch, take, window, at_once=at_once, parse=parse)

        if "archived" in query.filters:
            await read({})
            return
        # whether the list holds archived sessions by itself is not documented: look at the first of them
        archived = {"is_archived": "true"}
        first = {**window.params(), **params, **archived, "first": LARGEST_PAGE}
        looking = asyncio.create_task(get(first))
        try:
            await read({})
            page = parse(await looking)
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
        if await take(page.inside(window)) and page.cursor:
            await read(archived)

    async def _scan_v1(self, query: Query, take: Take, limit: int | None) -> None:
        count = 0
        async for page in self.pages(**query.params("v1")):
            count += await take(cast(list[Any], page))
            if limit is not None and count >= limit:  # v1 lists the newest first
                return

    @also_iterating("pages")
    def pages(
        self, /, *, limit: int | None = None, page_size: int = LARGEST_PAGE, retries: bool = True, **filters: Any
    ) -> AsyncIterator[SessionList]:
        """Iterate over the sessions page by page, each session once. (`GET …/sessions`)

        Args:
            limit: the most sessions to return.
            page_size: sessions per request, at most 200.
            retries: False for callers with a pace of their own.
            filters: on v3 `session_ids`, `tags`, `playbook_id`, `origins`, `schedule_id`, `user_ids`,
                `service_user_ids`, `repo_names`, `category`, `is_archived`, `automation_ids`, `parent_session_id`, and
                `created_after`, `created_before`, `updated_after`, `updated_before` (datetimes or Unix seconds); on v1
                `tags` and `user_email`. A session must carry all of several tags; the service itself lists those
                that carry any of them.

        Raises:
            Unsupported: a filter that this API version does not have.
            OptionError: a filter that is not a time, or not a session id.
        """
        if filters.get("org_ids") is not None:
            raise OptionError("sessions.list is of one organization", "nothing was sent", "use enterprise.sessions")
        params = api_params(filters, self._service.api_version)

        def read(most: int | None) -> AsyncIterator[SessionList]:
            return self._pages(params, limit=most, page_size=page_size, retries=retries)

        return _with_all_tags(read, params.get("tags"), limit)

    @also_blocking
    async def tagged(self, *tags: str) -> SessionList:
        """Return the sessions that the service lists for any of some tags, archived or not. (`GET …/sessions`)

        Look at their tags: whether the service filters by these is for the caller to check.

        Raises:
            UnreadableAnswer: the list cannot be read to its end, so that what is not in it may be there all the same.
        """
        return await _whole_list(self._service, tags=[*tags])

    def _pages(
        self,
        params: Mapping[str, Any],
        *,
        limit: int | None = None,
        page_size: int = LARGEST_PAGE,
        retries: bool = True,
    ) -> AsyncIterator[SessionList]:
        call: dict[str, Any] = {"key": "session_id", "limit": limit, "page_size": page_size}
        if not self._service.is_v1:
            return self._service.pages(wire.Session, "sessions.list", params=params, retries=retries, **call)

        async def fetch(paging: dict[str, Any]) -> Any:
            return await self._service.call("sessions.list", params={**params, **paging}, retries=retries)

        return cast(AsyncIterator[SessionList], offset_pages(fetch, items="sessions", **call))

    @also_iterating("sessions")
    def list(self, /, *, limit: int | None = None, **filters: Any) -> AsyncIterator[wire.Session]:
        """Iterate over the sessions one by one. (`GET …/sessions`)

        Args:
            limit: the most sessions to return.
            filters: see `pages`.

        Raises:
            Unsupported: a filter that this API version does not have.
            OptionError: a filter that is not a time, or not a session id.
        """
        return flatten(self.pages(limit=limit, **filters))

    @also_blocking
    async def terminate(self, session_id: str, *, archive: bool = False) -> wire.Session | None:
        """Terminate a session permanently; one that is already over is unchanged. (`DELETE …/sessions/{id}`)

        Args:
            session_id: in any form.
            archive: also archive it; v3 only.

        Raises:
            NotFound: no such session.
            Unsupported: `archive` on v1.
        """
        if archive and self._service.is_v1:
            raise Unsupported("v1 has no archive; use stop()")
        params = {"archive": "true"} if archive else None
        try:
            answer = await self._service.call("sessions.terminate", session_id=prefixed(session_id), params=params)
        except BadRequest as problem:
            if self._service.is_v1 and "already" in problem.detail.lower():
                return None
            raise
        return cast(wire.Session, answer) if isinstance(answer, dict) else None

    @also_blocking
    async def archive(self, session_id: str) -> wire.Session:
        """Archive a session, putting it to sleep if it runs. v3 only. (`POST …/archive`)"""
        return await self._service.call_as(wire.Session, "sessions.archive", session_id=prefixed(session_id))

    @also_blocking
    async def unarchive(self, session_id: str) -> wire.Session:
        """Take a session out of the archive; its children stay in it. v3 only. (`POST …/unarchive`)"""
        return await self._service.call_as(wire.Session, "sessions.unarchive", session_id=prefixed(session_id))


async def own_tags(sessions: Sessions, session_id: str) -> list[str] | None:
    """Return the tags of a session as it shows them itself; None where it does not. (`GET …/sessions/{id}`)"""
    session = await sessions.get(session_id)
    if _tags_of(session):
        return _tags_of(session)
    try:
        answer = await sessions._service.call("tags.get", session_id=prefixed(session_id))
    except (Forbidden, NotFound):
        answer = session
    return _tags_of(answer) if isinstance(answer, dict) and shows_tags(answer) else None


def shows_tags(session: Mapping[str, Any]) -> bool:
    """Return whether an answer shows tags as texts, or that there are none; objects in their place tell nothing."""
    tags = session.get("tags")
    return isinstance(tags, list) and not any(isinstance(tag, (Mapping, list)) for tag in tags)


async def made_since(sessions: Sessions, moment: float) -> SessionList:
    """Return the sessions that were made at or after a Unix time, archived or not, from lists read to their end.

    Raises:
        UnreadableAnswer: there may be more that cannot be read.
    """
    if sessions._service.is_v1:  # it has no filter by time, and lists the newest first
        return await sessions_until(sessions, moment)
    return await _whole_list(sessions._service, created_after=int(moment) - 1)


async def _whole_list(service: Service, **params: Any) -> SessionList:
    """Return all sessions that a query lists, archived or not, from lists that were read to their certain end.

    For decisions that rest on what is *not* in a list: an empty page is no end while the answer says that there is
    more, and whatever is no page, or leads nowhere, is an error.

    Raises:
        UnreadableAnswer: there may be more that cannot be read.
    """

    async def read(**archived: str) -> SessionList:
        found: dict[str, wire.Session] = {}
        n_empty, places = 0, {""}
        # v1 counts in offsets, and a page shorter than any that it may have cut is its last
        paging: dict[str, Any] = {"limit": LARGEST_PAGE, "offset": 0} if service.is_v1 else {"first": LARGEST_PAGE}
        for _ in range(_MOST_PAGES):
            page = await service.call("sessions.list", params={**params, **archived, **paging})
            name = "sessions" if service.is_v1 else "items"
            listed = page.get(name) if isinstance(page, Mapping) else None
            if not isinstance(listed, list):
                raise _no_end(f"an answer is no page with its sessions under {name!r}")
            by_name = {_id_of(cast(wire.Session, item)) if isinstance(item, dict) else "": item for item in listed}
            if "" in by_name:
                raise _no_end("an item of it is no session")
            is_new = not by_name.keys() <= found.keys()
            found = {**by_name, **found}
            if not (len(listed) >= LARGEST_V1_PAGE if service.is_v1 else page.get("has_next_page")):
                return [*found.values()]
            if service.is_v1:
                place = str(len(listed) + paging["offset"]) if is_new else ""
                paging = {**paging, "offset": len(listed) + paging["offset"]}
            else:
                place = page.get("end_cursor") if isinstance(page.get("end_cursor"), str) else ""
                paging = {**paging, "after": place}
            if place in places:
                raise _no_end("it says that there is more, and does not say where")
            places.add(place)
            n_empty = 0 if is_new else n_empty + 1
            if n_empty >= MOST_EMPTY_PAGES:
                raise _no_end(f"it goes on after {n_empty} pages without a session")
        raise _no_end(f"it does not end within {_MOST_PAGES:,} pages")

    if service.is_v1:
        return await read()
    # whether the list holds archived sessions by itself is not documented
    listed = await asyncio.gather(read(is_archived="false"), read(is_archived="true"))
    return [item for items in listed for item in items]


_MOST_PAGES = 2_000


def _no_end(why: str) -> UnreadableAnswer:
    return UnreadableAnswer(
        f"the service's list of sessions cannot be read to its end: {why}",
        "whether there is a session for this already cannot be told; nothing was sent",
        "try again later; if it stays so, the web app shows the sessions",
    )


async def sessions_until(sessions: Sessions, moment: float) -> SessionList:
    """Return the newest sessions of v1, up to the first page that is older than a Unix time."""
    found: SessionList = []
    async for page in sessions.pages():
        found += page
        times = [made.timestamp() for item in page if (made := parse_time(item.get("created_at")))]
        if times and min(times) < moment:
            break
    return found


async def first_message(sessions: Sessions, session_id: str) -> str | None:
    """Return the first message of a person in a session, which is its prompt; None before there is one."""
    async for raw in Messages(sessions._service).list(session_id):
        message = read_message(raw)
        if message.source == "user":
            return message.text
    return None


def service_time(sessions: Sessions) -> float | None:
    """Return the present time by the service's clock, in Unix seconds, as its answers tell it; None before."""
    return sessions._service.service_time()


async def collect(
    sessions: Sessions,
    query: Query,
    add: Callable[[list[Any]], int],
    *,
    limit: int | None = None,
    operation: str | None = None,
) -> None:
    """Hand the sessions that a query selects to a function, as `scan` does, page by page.

    Args:
        sessions: of the organization.
        query: which sessions.
        add: gets dicts, or rows where nothing has to be filtered here (see `row_parser`), and some of them twice;
            returns how many were new.
        limit: as in `scan`.
        operation: what lists them, where that is not the list of sessions; then `add` gets dicts.
    """

    async def take(items: list[Any]) -> int:
        return add(query.keep(items, sessions._service.api_version))

    is_plain = operation is None and not sessions._service.is_v1 and query.keeps_all("v3")
    await sessions._scan(query, take, limit, True, RowParser().parsed if is_plain else parsed, operation)


async def whole_conversation(messages: Messages, session_id: str) -> MessageList:
    """Return all messages of a session, as `Messages.list` does, for callers that read many."""
    service = messages._service
    if service.is_v1:
        return [raw async for raw in messages.list(session_id)]

    async def fetch(paging: dict[str, Any]) -> Any:
        return await service.read("messages.list", params=paging, session_id=prefixed(session_id))

    return cast(MessageList, [raw async for page in cursor_pages(fetch, key="event_id") for raw in page])


def _platforms_named(refusal: str) -> list[str]:
    """Return the platforms that a refusal lists: nothing else in the API does."""
    listed = re.search(r"available platforms?[^:]*:\s*([^.\n]+)", refusal, re.IGNORECASE)
    return [name for part in listed[1].split(",") if (name := part.strip(" '\"[]`"))] if listed else []


@checked
class Messages:
    """The messages of sessions, oldest first, as raw objects of the API version in use.

    If the service refuses, calls raise an `ApiError`; if it cannot be reached, `ConnectionTrouble`.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    @also_iterating("pages")
    async def pages(
        self, session_id: str, *, limit: int | None = None, after: str | None = None, retries: bool = True
    ) -> AsyncIterator[MessageList]:
        """Iterate over the messages page by page, each once. (`GET …/sessions/{id}/messages`)

        On v1, which sends them with the session, all come as one page.

        Args:
            session_id: in any form.
            limit: the most messages to return.
            after: the cursor to start behind; v3 only.
            retries: False for callers with a pace of their own.

        Raises:
            NotFound: no such session.
        """
        identifier, most = prefixed(session_id), at_most(limit)
        if not self._service.is_v1:
            pages = self._service.pages(
                wire.Message,
                "messages.list",
                key="event_id",
                limit=most,
                after=after,
                retries=retries,
                session_id=identifier,
            )
            async for page in pages:
                yield page
            return
        session = await self._service.call_as(wire.Session, "messages.list", session_id=identifier, retries=retries)
        listed = session.get("messages")
        yield [item for item in listed if isinstance(item, dict)][:most] if isinstance(listed, list) else []

    @also_blocking
    async def tail(self, session_id: str, cursor: str | None = None) -> tuple[MessageList, str | None]:
        """Return the messages from a place in the conversation to its end. v3 only; never retried.

        Args:
            session_id: in any form.
            cursor: the place, from the call before; None for the beginning.

        Returns:
            The messages, and the cursor for the next call: that of the beginning of the last page, since the one at
            its end may stay, repeat or be missing. So the last page is read again, and messages come twice.

        Raises:
            NotFound: no such session.
        """
        identifier, items, n_empty = prefixed(session_id), MessageList(), 0
        while True:
            params = {"first": LARGEST_PAGE, "after": cursor}
            page = await self._service.call("messages.list", session_id=identifier, params=params, retries=False)
            found = cast(MessageList, items_of(page))
            known = {item.get("event_id") for item in items}
            items += [item for item in found if item.get("event_id") not in known]
            following = next_cursor(page)
            if following is None or following == cursor:
                return items, cursor
            if found and all(item.get("event_id") in known for item in found):
                return items, cursor
            n_empty = 0 if found else n_empty + 1
            if n_empty >= MOST_EMPTY_PAGES:
                raise endless(n_empty)
            cursor = following

    @also_iterating("messages")
    def list(self, session_id: str, *, limit: int | None = None) -> AsyncIterator[wire.Message]:
        """Iterate over the messages one by one, oldest first. (`GET …/sessions/{id}/messages`)

        Args:
            session_id: in any form.
            limit: the most messages to return.

        Raises:
            NotFound: no such session.
        """
        return flatten(self.pages(session_id, limit=limit))

    @also_blocking
    async def send(
        self, session_id: str, message: str, *, attachment_urls: Sequence[str] = (), as_user: str | None = None
    ) -> wire.Session | None:
        """Send a message; never retried. (`POST …/sessions/{id}/messages`, v1: `…/message`)

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
            Conflict: v1 did not accept the message because the session is suspended.
        """
        identifier = prefixed(session_id)
        if not self._service.is_v1:
            body: dict[str, Any] = {"message": message}
            if attachment_urls:
                body["attachment_urls"] = [*attachment_urls]
            if as_user:
                body["message_as_user_id"] = as_user
            return await self._service.call_as(wire.Session, "messages.send", session_id=identifier, json=body)
        if as_user:
            raise Unsupported("v1 cannot send in another user's name", hint="leave as_user out")
        lines = [message, *(f'ATTACHMENT:"{url}"' for url in attachment_urls)]
        answer = await self._service.call("messages.send", session_id=identifier, json={"message": "\n".join(lines)})
        # a suspended session answers 200 with words in place of null, and does not get the message
        words = str(answer.get("detail") or "") if isinstance(answer, dict) else ""
        if "suspend" in words.lower():
            raise Conflict(
                f"{identifier} did not accept the message: {words}",
                "the message was not delivered",
                "wake the session in the web app, then send again",
                status_code=200,
                detail=words,
            )
        return None


@checked
class Tags:
    """The tags of a session, at most 50.

    If the service refuses, calls raise an `ApiError`; if it cannot be reached, `ConnectionTrouble`.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    @also_blocking
    async def get(self, session_id: str) -> list[str]:
        """Return all tags, with the `nb-…` tag by which this package finds its sessions again. (`GET …/tags`)"""
        answer = await self._service.call_as(dict[str, Any], "tags.get", session_id=prefixed(session_id))
        return _tags_of(answer)

    @also_blocking
    async def append(self, session_id: str, tags: Iterable[str]) -> list[str]:
        """Add tags and return all of them; v1 reads them first. (`POST …/tags`, v1: `PUT`)

        Args:
            session_id: in any form.
            tags: one or several to add; one that is there already is not doubled.

        Raises:
            NotFound: no such session.
            Unprocessable: more than 50.
        """
        identifier, added = prefixed(session_id), list(dict.fromkeys(as_list(tags)))
        if self._service.is_v1:
            added = list(dict.fromkeys([*await self.get(identifier), *added]))
        return await self._write("tags.append", identifier, added)

    @also_blocking
    async def replace(self, session_id: str, tags: Iterable[str]) -> list[str]:
        """Replace the tags and return all of them. (`PUT …/tags`)

        The `nb-…` tag stays: without it the session could not be found again, and would be paid for twice.

        Args:
            session_id: in any form.
            tags: one or several to put in their place.

        Raises:
            NotFound: no such session.
            Unprocessable: more than 50.
        """
        identifier = prefixed(session_id)
        kept = [tag for tag in await self.get(identifier) if is_ours(tag)]
        return await self._write("tags.replace", identifier, list(dict.fromkeys([*as_list(tags), *kept])))

    async def _write(self, operation: str, identifier: str, tags: list[str]) -> list[str]:
        answer = await self._service.call(operation, session_id=identifier, json={"tags": tags})
        if self._service.is_v1:
            return tags
        if not isinstance(answer, dict):
            info = await self._service.request_info(operation, session_id=identifier)
            raise unreadable(info, 200, b"", "it contains no tags")
        return _tags_of(answer)


@checked
class Insights:
    """Sessions with `num_devin_messages`, `num_user_messages`, `session_size` and, once generated, `analysis`. v3 only.

    If the service refuses, calls raise an `ApiError`; if it cannot be reached, `ConnectionTrouble`; on v1,
    `Unsupported`.
    """

    def __init__(self, service: Service, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._service, self._sleep = service, sleep

    @also_iterating("pages")
    def pages(
        self, /, *, limit: int | None = None, page_size: int = LARGEST_PAGE, **filters: Any
    ) -> AsyncIterator[InsightsList]:
        """Iterate over sessions with their insights page by page. v3 only. (`GET …/sessions/insights`)

        Args:
            limit: the most to return.
            page_size: sessions per request, at most 200.
            filters: those of `sessions.pages` on v3.

        Raises:
            Unsupported: an unknown filter.
            OptionError: a filter that is not a time, or not a session id.
        """
        params = api_params(filters, "v3")

        def read(most: int | None) -> AsyncIterator[InsightsList]:
            return self._service.pages(
                wire.Insights, "insights.list", key="session_id", limit=most, page_size=page_size, params=params
            )

        return _with_all_tags(read, params.get("tags"), limit)

    @also_iterating("sessions")
    def list(self, /, *, limit: int | None = None, **filters: Any) -> AsyncIterator[wire.Insights]:
        """Iterate over sessions with their insights one by one. v3 only. (`GET …/sessions/insights`)

        Args:
            limit: the most to return.
            filters: those of `sessions.list`.

        Raises:
            Unsupported: an unknown filter, or v1.
            OptionError: a filter that is not a time, or not a session id.
        """
        return flatten(self.pages(limit=limit, **filters))

    @also_blocking
    async def get(self, session_id: str) -> wire.Insights:
        """Return the insights of one session; `analysis` is None until generated. v3 only. (`GET …/insights`)"""
        return await self._service.call_as(wire.Insights, "insights.get", session_id=prefixed(session_id))

    @also_blocking
    async def generate(self, session_id: str, *, timeout: float = 300.0) -> wire.Insights:
        """Have the analysis generated, wait for it (about a minute) and return the insights. v3 only.

        (`POST …/insights/generate`, then `GET …/insights`.) Repeating the call is harmless.

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
                    f"the insights of {identifier} were not ready within {timeout:g} s",
                    "the service may still be generating them, or have failed",
                    "try again later; sessions without a message by Devin have none",
                )
            await self._sleep(min(POLL_SECONDS, timeout - waited))
            waited += POLL_SECONDS


def by_id(items: Sequence[wire.Session]) -> dict[str, wire.Session]:
    """Return raw sessions by their prefixed id, without those that have no readable id."""
    found = dict(zip(identifiers(items), items, strict=True))
    found.pop(NO_ID, None)
    return found


def _id_of(item: wire.Session) -> str:
    found = own_id(item)
    return "" if found == NO_ID else found


def _tags_of(answer: Mapping[str, Any]) -> list[str]:
    tags = answer.get("tags")
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []


def _with_all_tags(
    read: Callable[[int | None], AsyncIterator[list[S]]], tags: Any, limit: int | None
) -> AsyncIterator[list[S]]:
    """Iterate over pages with what `read` reads up to a limit, without the sessions that lack one of the tags."""

    async def tagged() -> AsyncIterator[list[S]]:
        left = at_most(limit)
        async for page in read(None):
            kept = has_all_tags(page, tags)[:left]
            if kept:
                yield kept
            left = None if left is None else left - len(kept)
            if left == 0:
                return

    return tagged() if as_list(tags) else read(limit)
