"""Metrics and logs: ACUs per day, metrics, the events inside a session, and the permissions of the key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, TypeVar, cast

from devin_jupyter.api.client import BY_NAME, LARGEST_PAGE, Service, cursor_pages, items_of
from devin_jupyter.api.query import TimeLike, unix
from devin_jupyter.api.sessions import Sessions
from devin_jupyter.errors import (
    DevinError,
    Forbidden,
    NotFound,
    OptionError,
    Unauthorized,
    UnreadableAnswer,
    Unsupported,
)
from devin_jupyter.loop import also_blocking, also_iterating, checked
from devin_jupyter.models import wire
from devin_jupyter.models.fields import session_id as prefixed

T = TypeVar("T")
EventDetails = list[wire.EventDetail]
_PROBES = ("sessions.list", "playbooks.list", "knowledge.list", "secrets.list", "schedules.list", "consumption.daily")


@checked
class Account:
    """The principal behind the key."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def self(self) -> wire.Principal:
        """Return the principal: `principal_type`, its id and name, `org_id`. v3 only. (`GET /v3/self`)"""
        principal = await self._service.call_as(wire.Principal, "self")
        self._service.principal = principal
        return principal

    async def permissions(self) -> dict[str, bool | None]:
        """Probe what the key may read, with one small request each: permission → yes, no, or None where unclear.

        Permissions to write are not probed, since that would write.
        """

        async def probe(operation: str) -> bool | None:
            size = "limit" if self._service.is_v1 or operation == "schedules.list" else "first"
            params = None if operation == "consumption.daily" else {size: 1}
            try:
                await self._service.call(operation, params=params, retries=False)
            except (Forbidden, Unauthorized) as refusal:
                return None if refusal.error_code is not None else False  # such as a frozen account
            except DevinError:
                return None
            return True

        names = [name for name in _PROBES if not self._service.is_v1 or BY_NAME[name].v1]
        answers = await asyncio.gather(*map(probe, names))
        return {BY_NAME[name].permission or name: may for name, may in zip(names, answers, strict=True)}


@checked
class Consumption:
    """ACUs per day: `total_acus` and `consumption_by_date`. v3 only; most keys lack the permission.

    A day runs from 08:00 UTC to 08:00 UTC. Summing `acus` over a sessions frame needs no permission.

    If the service refuses, calls raise an `ApiError`; if it cannot be reached, `ConnectionTrouble`; on v1,
    `Unsupported`.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    @also_blocking
    async def daily(self, *, since: TimeLike | None = None, until: TimeLike | None = None) -> wire.Consumption:
        """Return the ACUs per day of the organization between `since` and `until` (UTC). (`GET …/consumption/daily`)"""
        return await read_consumption(self._service, "consumption.daily", params=_span(since, until))

    @also_blocking
    async def user(
        self, user_id: str, *, since: TimeLike | None = None, until: TimeLike | None = None
    ) -> wire.Consumption:
        """Return the ACUs per day of a user, `user-…`. (`GET …/consumption/daily/users/{id}`)"""
        params = _span(since, until)
        return await read_consumption(self._service, "consumption.user", user_id=user_id, params=params)

    @also_blocking
    async def service_user(
        self, service_user_id: str, *, since: TimeLike | None = None, until: TimeLike | None = None
    ) -> wire.Consumption:
        """Return the ACUs per day of a service user. (`GET …/consumption/daily/service-users/{id}`)"""
        return await read_consumption(
            self._service, "consumption.service_user", service_user_id=service_user_id, params=_span(since, until)
        )

    @also_blocking
    async def session(
        self, session_id: str, *, since: TimeLike | None = None, until: TimeLike | None = None
    ) -> wire.Consumption:
        """Return the ACUs per day of a session. (`GET …/consumption/daily/sessions/{id}`)"""
        return await read_consumption(
            self._service, "consumption.session", session_id=prefixed(session_id), params=_span(since, until)
        )


async def read_consumption(service: Service, operation: str, **call: Any) -> wire.Consumption:
    """Call an operation that responds with ACUs per day.

    Raises:
        UnreadableAnswer: the response has no days: it must not pass for one that says that nothing was spent.
    """
    answer = await service.call_as(wire.Consumption, operation, **call)
    if not isinstance(answer.get("consumption_by_date"), list):
        raise UnreadableAnswer(
            "expected ACUs by day, under 'consumption_by_date'", "nothing was changed", "try again later"
        )
    return answer


@checked
class Metrics:
    """Figures on the use of Devin between two times, `since` and `until` (UTC). v3 only; many keys may not read them.

    `playbook_id`, `user_ids` and `service_user_ids` count only the sessions of these. `min_sessions` and
    `min_searches` are what it takes to count as an active user.

    If the service refuses, calls raise an `ApiError`; if it cannot be reached, `ConnectionTrouble`; on v1,
    `Unsupported`; what is not a time is an `OptionError`.
    """

    def __init__(self, service: Service, scope: str = "", org_id: str | None = None) -> None:
        """Keep the service; `scope` is `enterprise.` for all organizations, `org_id` another than that of the key."""
        self._service, self._scope = service, scope
        self._ids: dict[str, Any] = {} if org_id is None else {"org_id": org_id}

    @also_blocking
    async def usage(self, *, since: TimeLike | None = None, until: TimeLike | None = None) -> wire.UsageMetrics:
        """Count sessions, searches and pull requests. (`GET …/metrics/usage`)"""
        return await self._one(wire.UsageMetrics, "usage", _span(since, until))

    @also_blocking
    async def sessions(
        self,
        since: TimeLike,
        until: TimeLike,
        *,
        playbook_id: str | None = None,
        user_ids: Sequence[str] | None = None,
        service_user_ids: Sequence[str] | None = None,
    ) -> wire.SessionMetrics:
        """Count sessions by origin and by size, and those with merged pull requests. (`GET …/metrics/sessions`)"""
        params = _span(since, until, playbook_id=playbook_id, user_ids=user_ids, service_user_ids=service_user_ids)
        return await self._one(wire.SessionMetrics, "sessions", params)

    @also_blocking
    async def prs(
        self,
        since: TimeLike,
        until: TimeLike,
        *,
        playbook_id: str | None = None,
        user_ids: Sequence[str] | None = None,
        service_user_ids: Sequence[str] | None = None,
    ) -> wire.PullRequestMetrics:
        """Count pull requests created, opened, closed and merged. (`GET …/metrics/prs`)"""
        params = _span(since, until, playbook_id=playbook_id, user_ids=user_ids, service_user_ids=service_user_ids)
        return await self._one(wire.PullRequestMetrics, "prs", params)

    @also_blocking
    async def searches(self, since: TimeLike, until: TimeLike) -> wire.SearchMetrics:
        """Count searches. (`GET …/metrics/searches`)"""
        return await self._one(wire.SearchMetrics, "searches", _span(since, until))

    @also_blocking
    async def dau(
        self, since: TimeLike, until: TimeLike, *, min_sessions: int | None = None, min_searches: int | None = None
    ) -> list[wire.ActiveUsers]:
        """Count active users by day. (`GET …/metrics/dau`)"""
        params = _span(since, until, min_sessions=min_sessions, min_searches=min_searches)
        return await self._list(wire.ActiveUsers, "dau", params)

    @also_blocking
    async def wau(
        self, since: TimeLike, until: TimeLike, *, min_sessions: int | None = None, min_searches: int | None = None
    ) -> list[wire.ActiveUsers]:
        """Count active users by week. (`GET …/metrics/wau`)"""
        params = _span(since, until, min_sessions=min_sessions, min_searches=min_searches)
        return await self._list(wire.ActiveUsers, "wau", params)

    @also_blocking
    async def mau(
        self, since: TimeLike, until: TimeLike, *, min_sessions: int | None = None, min_searches: int | None = None
    ) -> list[wire.ActiveUsers]:
        """Count active users by month. (`GET …/metrics/mau`)"""
        params = _span(since, until, min_sessions=min_sessions, min_searches=min_searches)
        return await self._list(wire.ActiveUsers, "mau", params)

    @also_blocking
    async def active_users(
        self, since: TimeLike, until: TimeLike, *, min_sessions: int | None = None, min_searches: int | None = None
    ) -> wire.ActiveUsers:
        """Count the active users of the whole period. (`GET …/metrics/active-users`)"""
        params = _span(since, until, min_sessions=min_sessions, min_searches=min_searches)
        return await self._one(wire.ActiveUsers, "active_users", params)

    async def _one(self, kind: type[T], name: str, params: dict[str, Any]) -> T:
        return await self._service.call_as(kind, f"{self._scope}metrics.{name}", params=params, **self._ids)

    async def _list(self, kind: type[T], name: str, params: dict[str, Any]) -> list[T]:
        return await self._service.call_list(
            kind, f"{self._scope}metrics.{name}", bare=True, params=params, **self._ids
        )


def _span(since: TimeLike | None, until: TimeLike | None, **more: Any) -> dict[str, Any]:
    return {"time_after": unix(since), "time_before": unix(until), **more}


@checked
class Events:
    """Shell, file, git and other events of a session. v3 only, and only one SDK ever had them.

    Where the service answers 403 or 404 to them, calls raise `Unsupported`, as they do on v1. Otherwise they raise an
    `ApiError` if the service refuses, and `ConnectionTrouble` if it cannot be reached.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    @also_iterating("events")
    async def list(
        self,
        session_id: str,
        *,
        categories: Sequence[str] | None = None,
        event_types: Sequence[str] | None = None,
        direction: str | None = None,
        created_after: TimeLike | None = None,
        created_before: TimeLike | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[wire.Event]:
        """Iterate over the events, oldest first. v3 only. (`GET …/events`)

        Args:
            session_id: in any form.
            categories: such as `shell`, `file`, `git`; not together with `event_types`.
            event_types: the finer names.
            direction: `incoming` or `outgoing`.
            created_after: a time, UTC.
            created_before: a time, UTC.
            limit: the most to return.

        Raises:
            Unsupported: the service does not offer events.
            OptionError: both categories and event types, or not a time.
        """
        filters = _event_filters(categories, event_types, direction, created_after, created_before)
        async for item in self._items("events.list", session_id, filters, limit):
            yield item

    @also_iterating("events")
    async def search(
        self,
        session_id: str,
        query: str,
        *,
        categories: Sequence[str] | None = None,
        event_types: Sequence[str] | None = None,
        direction: str | None = None,
        created_after: TimeLike | None = None,
        created_before: TimeLike | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[wire.EventHit]:
        """Search the events; each hit has a `match_context`. v3 only. (`GET …/events/search`)

        Args:
            session_id: in any form.
            query: the words to search for.
            categories: as for `list`.
            event_types: as for `list`.
            direction: as for `list`.
            created_after: as for `list`.
            created_before: as for `list`.
            limit: the most to return.

        Raises:
            Unsupported: the service does not offer events.
            OptionError: both categories and event types, or not a time.
        """
        filters = _event_filters(categories, event_types, direction, created_after, created_before)
        async for item in self._items("events.search", session_id, {"query": query, **filters}, limit):
            yield item

    @also_blocking
    async def details(
        self,
        session_id: str,
        *,
        event_ids: Sequence[str] | None = None,
        offset: int | None = None,
        limit: int | None = None,
        max_content_length: int | None = None,
    ) -> EventDetails:
        """Return events in full: by id (at most 20), or a range of them. v3 only. (`GET …/events/details`)

        Args:
            session_id: in any form.
            event_ids: which; not together with `offset` and `limit`.
            offset: how many to skip.
            limit: how many, at most 50.
            max_content_length: characters per field before it is cut, 10,000 by default.

        Raises:
            Unsupported: the service does not offer events.
            OptionError: ids and a range at once.
        """
        if event_ids is not None and (offset is not None or limit is not None):
            raise OptionError("give event_ids, or offset and limit, not both")
        params = {"event_ids": event_ids, "offset": offset, "limit": limit, "max_content_length": max_content_length}
        return cast(EventDetails, items_of(await self._call("events.details", session_id, params)))

    async def _items(
        self, operation: str, session_id: str, filters: dict[str, Any], limit: int | None
    ) -> AsyncIterator[Any]:
        async def fetch(paging: dict[str, Any]) -> Any:
            return await self._call(operation, session_id, {**filters, **paging})

        async for page in cursor_pages(fetch, key="event_id", limit=limit, page_size=LARGEST_PAGE):
            for item in page:
                yield item

    async def _call(self, operation: str, session_id: str, params: dict[str, Any]) -> Any:
        identifier = prefixed(session_id)
        try:
            return await self._service.call(operation, session_id=identifier, params=params)
        except (Forbidden, NotFound) as problem:
            await Sessions(self._service).get(identifier)  # raises NotFound for an unknown session
            raise Unsupported(
                f"the service does not offer the events of sessions ({problem.status_code})",
                "nothing was changed",
                "use messages.list() and insights.get() instead",
            ) from None


def _event_filters(
    categories: Sequence[str] | None,
    event_types: Sequence[str] | None,
    direction: str | None,
    created_after: TimeLike | None,
    created_before: TimeLike | None,
) -> dict[str, Any]:
    if categories and event_types:
        raise OptionError("give categories or event_types, not both")
    return {
        "categories": categories,
        "event_types": event_types,
        "direction": direction,
        "created_after": unix(created_after),
        "created_before": unix(created_before),
    }
