"""The operations for the key of an enterprise, over all its organizations: spend, limits, sessions, metrics, logs.

Everything here only reads; limits are never written.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar, cast

from devin_jupyter.api.analytics import Metrics, read_consumption
from devin_jupyter.api.client import Service, at_most, flatten
from devin_jupyter.api.organization import listed_tags, names_of, without_email
from devin_jupyter.api.query import TimeLike, api_params, unix
from devin_jupyter.errors import DevinError, OptionError
from devin_jupyter.loop import also_blocking, also_iterating, checked
from devin_jupyter.models import wire
from devin_jupyter.models.fields import session_id as prefixed

Json = dict[str, Any]
T = TypeVar("T")
GroupLimits = dict[str, wire.OrgGroup]
TagList = list[str]
FileList = list[wire.SessionAttachment]
Order = Literal["asc", "desc"]
LONGEST_SPAN = 100 * 86400
"""The service takes spans of logs of at most 100 days, in seconds."""


@checked
class Enterprise:
    """All organizations of an enterprise, for the key of an enterprise-level service user. v3 only; it only reads.

    `.metrics` has the methods of `Devin.metrics`, over all organizations.

    If the service refuses, calls raise an `ApiError`, which names the missing permission; if it cannot be reached,
    `ConnectionTrouble`; on v1, `Unsupported`.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self.metrics = Metrics(service, "enterprise.")
        self._names: asyncio.Task[dict[str, str]] | None = None

    @also_iterating("organizations")
    async def organizations(self, *, limit: int | None = None) -> AsyncIterator[wire.Organization]:
        """Iterate over the organizations, with their limits in ACUs. (`GET …/organizations`)"""
        async for item in flatten(
            self._service.pages(wire.Organization, "enterprise.organizations", key="org_id", limit=limit)
        ):
            yield item

    @also_blocking
    async def group_limits(self) -> GroupLimits:
        """Return the groups of organizations that share a limit, by name. (`GET …/org-group-limits`)"""
        answer = await self._service.call_as(dict[str, Any], "enterprise.group_limits")
        groups = answer.get("groups")
        return cast(GroupLimits, groups if isinstance(groups, dict) else {})

    @also_blocking
    async def queue(self) -> wire.QueueLoad:
        """Return how loaded the queue of new sessions is: normal, elevated or high. (`GET …/queue`)"""
        return await self._service.call_as(wire.QueueLoad, "enterprise.queue")

    # --- spend ---

    @also_iterating("cycles")
    async def cycles(self, *, limit: int | None = None) -> AsyncIterator[wire.Cycle]:
        """Iterate over the billing cycles, as the service lists them. (`GET …/consumption/cycles`)"""
        async for item in flatten(self._service.pages(wire.Cycle, "enterprise.cycles", key="after", limit=limit)):
            yield item

    @also_iterating("limits")
    async def acu_limits(self, *, limit: int | None = None) -> AsyncIterator[wire.AcuLimit]:
        """Iterate over the limits of a cycle: of the enterprise, its organizations, users. (`GET …/acu-limits`)"""
        pages = self._service.pages(wire.AcuLimit, "enterprise.acu_limits", key="", limit=limit)
        async for item in flatten(pages):
            yield item

    @also_blocking
    async def daily(self, *, since: TimeLike | None = None, until: TimeLike | None = None) -> wire.Consumption:
        """Return the ACUs per day of the enterprise; a day begins at 08:00 UTC. (`GET …/consumption/daily`)"""
        return await self._consumption("daily", since, until)

    @also_blocking
    async def organization_daily(
        self, org_id: str, *, since: TimeLike | None = None, until: TimeLike | None = None
    ) -> wire.Consumption:
        """Return the ACUs per day of an organization. (`GET …/daily/organizations/{id}`)"""
        return await self._consumption("organization_daily", since, until, org_id=org_id)

    @also_blocking
    async def user_daily(
        self, user_id: str, *, since: TimeLike | None = None, until: TimeLike | None = None
    ) -> wire.Consumption:
        """Return the ACUs per day of a user, in all organizations. (`GET …/daily/users/{id}`)"""
        return await self._consumption("user_daily", since, until, user_id=user_id)

    @also_blocking
    async def service_user_daily(
        self, service_user_id: str, *, since: TimeLike | None = None, until: TimeLike | None = None
    ) -> wire.Consumption:
        """Return the ACUs per day of a service user. (`GET …/daily/service-users/{id}`)"""
        return await self._consumption("service_user_daily", since, until, service_user_id=service_user_id)

    @also_blocking
    async def session_daily(
        self, session_id: str, *, since: TimeLike | None = None, until: TimeLike | None = None
    ) -> wire.Consumption:
        """Return the ACUs per day of a session. (`GET …/daily/sessions/{id}`)"""
        return await self._consumption("session_daily", since, until, session_id=prefixed(session_id))

    async def _consumption(
        self, name: str, since: TimeLike | None, until: TimeLike | None, **ids: Any
    ) -> wire.Consumption:
        span = {"time_after": unix(since), "time_before": unix(until)}
        return await read_consumption(self._service, f"enterprise.{name}", params=span, **ids)

    # --- sessions of any organization ---

    @also_iterating("sessions")
    async def sessions(self, /, *, limit: int | None = None, **filters: Any) -> AsyncIterator[wire.Session]:
        """Iterate over sessions of all organizations, newest first. (`GET …/sessions`)

        Args:
            limit: the most to return.
            filters: those of `Devin.sessions.list`, and `org_ids`.

        Raises:
            OptionError: a filter that is not a time, or not a session id.
            Unsupported: a filter that the API does not have.
        """
        params = api_params(filters, self._service.api_version)
        pages = self._service.pages(
            wire.Session, "enterprise.sessions", key="session_id", limit=at_most(limit), params=params
        )
        async for item in flatten(pages):
            yield item

    @also_blocking
    async def session(self, session_id: str, *, org_id: str | None = None) -> wire.Session:
        """Return a session of any organization. (`GET …/sessions/{id}`)"""
        return await self._of_session(wire.Session, "session", session_id, org_id)

    @also_iterating("messages")
    async def messages(
        self, session_id: str, *, org_id: str | None = None, limit: int | None = None
    ) -> AsyncIterator[wire.Message]:
        """Iterate over its conversation, oldest first. (`GET …/sessions/{id}/messages`)"""
        pages = self._service.pages(
            wire.Message,
            "enterprise.messages",
            key="event_id",
            limit=limit,
            params={"org_id": org_id},
            session_id=prefixed(session_id),
        )
        async for item in flatten(pages):
            yield item

    @also_blocking
    async def attachments(self, session_id: str, *, org_id: str | None = None) -> FileList:
        """Return its files. (`GET …/sessions/{id}/attachments`)"""
        return await self._service.call_list(
            wire.SessionAttachment,
            "enterprise.attachments",
            bare=True,
            session_id=prefixed(session_id),
            params={"org_id": org_id},
        )

    @also_blocking
    async def insights(self, session_id: str, *, org_id: str | None = None) -> wire.Insights:
        """Return its insights. (`GET …/sessions/{id}/insights`)"""
        return await self._of_session(wire.Insights, "insights", session_id, org_id)

    @also_blocking
    async def tags(self, session_id: str, *, org_id: str | None = None) -> TagList:
        """Return its tags. (`GET …/sessions/{id}/tags`)"""
        return listed_tags(await self._of_session(dict[str, Any], "tags", session_id, org_id))

    @also_blocking
    async def review(self, pr_url: str, commit_sha: str | None = None) -> wire.PrReview:
        """Return the state of the review of a pull request of any organization. (`GET …/pr-reviews`)

        Args:
            pr_url: the URL of the pull or merge request.
            commit_sha: full or short; by default the newest commit.

        Raises:
            NotFound: no review was requested for this commit.
        """
        params = {"pr_url": pr_url, "commit_sha": commit_sha}
        return await self._service.call_as(wire.PrReview, "enterprise.review", params=params)

    async def _of_session(self, kind: type[T], name: str, session_id: str, org_id: str | None) -> T:
        return await self._service.call_as(
            kind, f"enterprise.{name}", session_id=prefixed(session_id), params={"org_id": org_id}
        )

    # --- logs: in spans of at most 100 days, which are joined ---

    @also_iterating("entries")
    async def audit_logs(
        self,
        *,
        since: TimeLike | None = None,
        until: TimeLike | None = None,
        action: str | None = None,
        order: Order = "desc",
        limit: int | None = None,
    ) -> AsyncIterator[wire.AuditLog]:
        """Iterate over what was done in the enterprise, and by whom. (`GET …/audit-logs`)

        Long spans are read 100 days at a time, which is the most that the service takes.

        Args:
            since: a time (UTC); by default from the beginning.
            until: a time (UTC).
            action: only this one, such as `create_session`.
            order: `desc`, the newest first, or `asc`.
            limit: the most to return.

        Raises:
            OptionError: not a time, or another order.
        """
        async for item in self._logs("audit_logs", "audit_log_id", since, until, order, limit, {"action": action}):
            yield item

    @also_iterating("entries")
    async def organization_audit_logs(
        self,
        org_id: str,
        *,
        since: TimeLike | None = None,
        until: TimeLike | None = None,
        action: str | None = None,
        order: Order = "desc",
        limit: int | None = None,
    ) -> AsyncIterator[wire.AuditLog]:
        """Iterate over what was done in an organization; as `audit_logs`. (`GET …/audit-logs`)"""
        params, ids = {"action": action}, {"org_id": org_id}
        async for item in self._logs(
            "organization_audit_logs", "audit_log_id", since, until, order, limit, params, ids
        ):
            yield item

    @also_iterating("violations")
    async def guardrail_violations(
        self,
        *,
        since: TimeLike | None = None,
        until: TimeLike | None = None,
        session_id: str | None = None,
        guardrail_id: str | None = None,
        order: Order = "desc",
        limit: int | None = None,
    ) -> AsyncIterator[wire.GuardrailViolation]:
        """Iterate over what guardrails logged, warned about, blocked or ended. (`GET …/guardrail-violations`)

        Args:
            since: a time (UTC); by default from the beginning.
            until: a time (UTC).
            session_id: only those in this session.
            guardrail_id: only those of this guardrail.
            order: `desc`, the newest first, or `asc`.
            limit: the most to return.

        Raises:
            OptionError: not a time, or another order.
        """
        params = _guards(session_id, guardrail_id)
        async for item in self._logs("guardrail_violations", "violation_id", since, until, order, limit, params):
            yield item

    @also_iterating("violations")
    async def organization_guardrail_violations(
        self,
        org_id: str,
        *,
        since: TimeLike | None = None,
        until: TimeLike | None = None,
        session_id: str | None = None,
        guardrail_id: str | None = None,
        order: Order = "desc",
        limit: int | None = None,
    ) -> AsyncIterator[wire.GuardrailViolation]:
        """Iterate over those of an organization; as `guardrail_violations`. (`GET …/guardrail-violations`)"""
        params, ids = _guards(session_id, guardrail_id), {"org_id": org_id}
        async for item in self._logs(
            "organization_guardrail_violations", "violation_id", since, until, order, limit, params, ids
        ):
            yield item

    async def _logs(
        self,
        name: str,
        key: str,
        since: TimeLike | None,
        until: TimeLike | None,
        order: str,
        limit: int | None,
        params: Json,
        ids: Json | None = None,
    ) -> AsyncIterator[Any]:
        if order not in ("asc", "desc"):
            raise OptionError(f"order={order!r} is unknown", "nothing was read", "give 'asc' or 'desc'")
        left, seen = at_most(limit), set[Any]()
        for start, end in spans(unix(since), unix(until), newest_first=order == "desc"):
            query = {**params, "order": order, "time_after": start, "time_before": end}
            pages = self._service.pages(
                dict[str, Any], f"enterprise.{name}", key=key, limit=left, params=query, **(ids or {})
            )
            async for item in flatten(pages):
                identifier = item.get(key)
                if isinstance(identifier, (str, int)):
                    if identifier in seen:  # at the border of two spans
                        continue
                    seen.add(identifier)
                yield item
                if left is not None:
                    left -= 1
                    if left == 0:
                        return

    # --- people and connections ---

    @also_iterating("members")
    async def members(
        self, *, email: str | None = None, emails: bool = False, limit: int | None = None
    ) -> AsyncIterator[wire.Member]:
        """Iterate over the members of the enterprise. (`GET …/members/users`)

        Args:
            email: only the one with exactly this address.
            emails: return addresses too.
            limit: the most to return.
        """
        pages = self._service.pages(
            wire.Member, "enterprise.members", key="user_id", limit=limit, params={"email": email}
        )
        async for member in flatten(pages):
            yield without_email(member, emails or email is not None)

    @also_iterating("service users")
    async def service_users(
        self, *, include_inactive: bool = False, limit: int | None = None
    ) -> AsyncIterator[wire.ServiceUser]:
        """Iterate over the service users. (`GET …/members/service-users`)

        Args:
            include_inactive: also those that expired or were deleted.
            limit: the most to return.
        """
        params = {"include_inactive": "true" if include_inactive else None}
        pages = self._service.pages(
            wire.ServiceUser, "enterprise.service_users", key="service_user_id", limit=limit, params=params
        )
        async for item in flatten(pages):
            yield item

    @also_blocking
    async def names(self) -> dict[str, str]:
        """Return the names of members and service users by id, as far as the key may read them. Read once."""
        if self._names is None:
            self._names = asyncio.ensure_future(names_of(self.members(), self.service_users(include_inactive=True)))
        try:
            self._service.seen.everybody = found = await asyncio.shield(self._names)
        except DevinError:  # only names are missing then; tried again the next time
            self._names = None
            return {}
        return found

    @also_iterating("connections")
    async def git_connections(self, *, limit: int | None = None) -> AsyncIterator[wire.GitConnection]:
        """Iterate over the connections to Git hosts. (`GET …/git-providers/connections`)"""
        pages = self._service.pages(
            wire.GitConnection, "enterprise.git_connections", key="git_connection_id", limit=limit
        )
        async for item in flatten(pages):
            yield item

    @also_iterating("repositories")
    async def git_repositories(
        self, connection_id: str, *, filter_name: str | None = None, limit: int | None = None
    ) -> AsyncIterator[wire.Repository]:
        """Iterate over the repositories of a connection. (`GET …/connections/{id}/repositories`)

        Args:
            connection_id: from `git_connections`.
            filter_name: only those with this text in their name.
            limit: the most to return.
        """
        pages = self._service.pages(
            wire.Repository,
            "enterprise.git_repositories",
            key="repo_path",
            limit=limit,
            params={"filter_name": filter_name},
            connection_id=connection_id,
        )
        async for item in flatten(pages):
            yield item


def _guards(session_id: str | None, guardrail_id: str | None) -> Json:
    return {"session_id": None if session_id is None else prefixed(session_id), "guardrail_id": guardrail_id}


def spans(since: int | None, until: int | None, *, newest_first: bool) -> list[tuple[int | None, int | None]]:
    """Return the spans of at most 100 days that a log is read in, in Unix seconds.

    Args:
        since: the beginning; None for the whole log up to `until`, which the service reads in one.
        until: the end.
        newest_first: the order of the spans.
    """
    if since is None and until is None:
        return [(None, None)]
    now = int(datetime.now(UTC).timestamp())
    end = now + 1 if until is None else min(until, now + LONGEST_SPAN)  # nothing is logged in the future
    since = max(since or 0, _FOUNDED)  # the service takes no end without a beginning
    starts = range(since, max(end, since + 1), LONGEST_SPAN)
    found: list[tuple[int | None, int | None]] = [(start, min(start + LONGEST_SPAN, end)) for start in starts]
    return found[::-1] if newest_first else found


_FOUNDED = 1_704_067_200
"""2024 began: no log of the service is older."""
