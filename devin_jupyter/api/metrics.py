"""Figures on the use of Devin in the organization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from devin_jupyter.api.paging import Raw, items_of
from devin_jupyter.api.service import Service
from devin_jupyter.api.times import Moment, unix


class Metrics:
    """Counts over a span of time. v3 only; many keys lack the permission. Moments are UTC.

    Where the service refuses, calls raise an `ApiError`; where it cannot be reached, `ConnectionTrouble`; on v1,
    `Unsupported`.
    """

    def __init__(self, service: Service) -> None:
        """Send nothing yet."""
        self._service = service

    async def usage(self, *, since: Moment | None = None, until: Moment | None = None) -> Raw:
        """Count sessions, searches and pull requests. v3 only. (`GET …/metrics/usage`)

        Args:
            since: a moment.
            until: a moment.

        Raises:
            Forbidden: the key lacks the permission.
            OptionError: what is no moment.
        """
        return await self._service.call_mapping("metrics.usage", params=_span(since, until))

    async def sessions(
        self,
        since: Moment,
        until: Moment,
        *,
        playbook_id: str | None = None,
        user_ids: Sequence[str] | None = None,
        service_user_ids: Sequence[str] | None = None,
    ) -> Raw:
        """Figures on the sessions of a span: by origin, by size, with merged pull requests. v3 only.

        (`GET …/metrics/sessions`)

        Args:
            since: a moment.
            until: a moment.
            playbook_id: only those started with it.
            user_ids: only theirs.
            service_user_ids: only theirs.

        Raises:
            Forbidden: the key lacks the permission.
            OptionError: what is no moment.
        """
        params = _span(since, until) | _who(playbook_id, user_ids, service_user_ids)
        return await self._service.call_mapping("metrics.sessions", params=params)

    async def prs(
        self,
        since: Moment,
        until: Moment,
        *,
        playbook_id: str | None = None,
        user_ids: Sequence[str] | None = None,
        service_user_ids: Sequence[str] | None = None,
    ) -> Raw:
        """Count pull requests created, opened, closed and merged. v3 only. (`GET …/metrics/prs`)

        Args:
            since: a moment.
            until: a moment.
            playbook_id: only from sessions started with it.
            user_ids: only theirs.
            service_user_ids: only theirs.

        Raises:
            Forbidden: the key lacks the permission.
            OptionError: what is no moment.
        """
        params = _span(since, until) | _who(playbook_id, user_ids, service_user_ids)
        return await self._service.call_mapping("metrics.prs", params=params)

    async def searches(self, since: Moment, until: Moment) -> Raw:
        """Count searches. v3 only. (`GET …/metrics/searches`)

        Args:
            since: a moment.
            until: a moment.

        Raises:
            Forbidden: the key lacks the permission.
            OptionError: what is no moment.
        """
        return await self._service.call_mapping("metrics.searches", params=_span(since, until))

    async def dau(
        self, since: Moment, until: Moment, *, min_sessions: int | None = None, min_searches: int | None = None
    ) -> list[Raw]:
        """Active users by day: `start_time`, `end_time`, `active_users`. v3 only. (`GET …/metrics/dau`)

        Args:
            since: a moment.
            until: a moment.
            min_sessions: sessions it takes to count as active.
            min_searches: searches it takes to count as active.

        Raises:
            Forbidden: the key lacks the permission.
            OptionError: what is no moment.
        """
        return await self._active("metrics.dau", since, until, min_sessions, min_searches)

    async def wau(
        self, since: Moment, until: Moment, *, min_sessions: int | None = None, min_searches: int | None = None
    ) -> list[Raw]:
        """Active users by week. v3 only. (`GET …/metrics/wau`)

        Args:
            since: a moment.
            until: a moment.
            min_sessions: sessions it takes to count as active.
            min_searches: searches it takes to count as active.

        Raises:
            Forbidden: the key lacks the permission.
            OptionError: what is no moment.
        """
        return await self._active("metrics.wau", since, until, min_sessions, min_searches)

    async def mau(
        self, since: Moment, until: Moment, *, min_sessions: int | None = None, min_searches: int | None = None
    ) -> list[Raw]:
        """Active users by month. v3 only. (`GET …/metrics/mau`)

        Args:
            since: a moment.
            until: a moment.
            min_sessions: sessions it takes to count as active.
            min_searches: searches it takes to count as active.

        Raises:
            Forbidden: the key lacks the permission.
            OptionError: what is no moment.
        """
        return await self._active("metrics.mau", since, until, min_sessions, min_searches)

    async def active_users(
        self, since: Moment, until: Moment, *, min_sessions: int | None = None, min_searches: int | None = None
    ) -> Raw:
        """Active users of the whole span. v3 only. (`GET …/metrics/active-users`)

        Args:
            since: a moment.
            until: a moment.
            min_sessions: sessions it takes to count as active.
            min_searches: searches it takes to count as active.

        Raises:
            Forbidden: the key lacks the permission.
            OptionError: what is no moment.
        """
        params = _span(since, until) | {"min_sessions": min_sessions, "min_searches": min_searches}
        return await self._service.call_mapping("metrics.active_users", params=params)

    async def _active(
        self, operation: str, since: Moment, until: Moment, min_sessions: int | None, min_searches: int | None
    ) -> list[Raw]:
        params = _span(since, until) | {"min_sessions": min_sessions, "min_searches": min_searches}
        return items_of(await self._service.call(operation, params=params))


def _span(since: Moment | None, until: Moment | None) -> dict[str, Any]:
    return {"time_after": unix(since), "time_before": unix(until)}


def _who(
    playbook_id: str | None, user_ids: Sequence[str] | None, service_user_ids: Sequence[str] | None
) -> dict[str, Any]:
    return {"playbook_id": playbook_id, "user_ids": user_ids, "service_user_ids": service_user_ids}
