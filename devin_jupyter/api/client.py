"""The operations of the Devin API and the service that calls them.

`OPERATIONS` is the one table behind the routes, the permission that a 403 names, the message where a version lacks an
operation, and the README. `Service` is the API as one key sees it: it picks the version, fills in the organization
and the ids, and knows nothing of what the responses mean.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from operator import index
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import quote

from devin_jupyter.api.responses import RequestInfo, unreadable
from devin_jupyter.config import Settings, no_key, remember_org
from devin_jupyter.errors import ApiError, NoOrganization, OptionError, UnreadableAnswer, Unsupported
from devin_jupyter.models import wire
from devin_jupyter.models.fields import parse_json
from devin_jupyter.text import nearest

if TYPE_CHECKING:
    from devin_jupyter.api.transport import Files, Transport

T = TypeVar("T")
Raw = dict[str, Any]
"""A JSON object of a response."""
Fetch = Callable[[Raw], Awaitable[Any]]
LARGEST_PAGE = 200
LARGEST_V1_PAGE = 100
"""A page of v1 of this length may be cut, however many were asked for: how many it gives at most is not documented."""
MOST_EMPTY_PAGES = 100
"""Empty pages in a row, each of which says that there is more, that count as a list that cannot be read."""
_REPEATED_PAGES = 3
"""Pages in a row of which every item was seen before that count as the end of a list."""

ORG = "/v3/organizations/{org_id}"
_S, _D = f"{ORG}/sessions", f"{ORG}/sessions/{{session_id}}"
_V1S, _V1D = "/v1/sessions", "/v1/sessions/{session_id}"
_NOTES, _PLAYBOOKS, _SECRETS = f"{ORG}/knowledge/notes", f"{ORG}/playbooks", f"{ORG}/secrets"
_SCHEDULES, _DAILY, _METRICS = f"{ORG}/schedules", f"{ORG}/consumption/daily", f"{ORG}/metrics"
_VIEW, _MANAGE = "ViewOrgSessions", "ManageOrgSessions"
_NOTE_ROLE, _PLAYBOOK_ROLE = "ManageAccountKnowledge", "ManageAccountPlaybooks"
_SECRET_ROLE, _SCHEDULE_ROLE = "ManageOrgSecrets", "ManageOrgSchedules"
_BILLING, _METRICS_ROLE = "ManageBilling", "ViewOrgMetrics"
_BETA = "/v3beta1/organizations/{org_id}"
_REPOS, _REPO = f"{_BETA}/repositories", f"{_BETA}/repositories/{{repository_path}}/indexing"
_AUTOMATIONS = f"{ORG}/automations"
_ENT, _ENT_BETA = "/v3/enterprise", "/v3beta1/enterprise"
_ENT_ORG, _ENT_SESSION = f"{_ENT}/organizations/{{org_id}}", f"{_ENT}/sessions/{{session_id}}"
_ORG_TAGS, _ENT_DAILY, _ENT_METRICS = f"{_ENT_ORG}/tags", f"{_ENT}/consumption/daily", f"{_ENT}/metrics"
_INDEX_ROLE, _REVIEW_ROLE, _MEMBER_ROLE = "IndexOrgRepositories", "UseReviewManual", "ViewOrgMembership"
_AUTOMATION_VIEW, _AUTOMATION_ROLE = "ViewOrgAutomations", "ManageOrgAutomations"
_ENT_SETTINGS, _ENT_VIEW, _ENT_METRICS_ROLE = "ManageEnterpriseSettings", "ViewAccountSessions", "ViewAccountMetrics"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation over both versions. A route is `"METHOD /path"`, or None where the version has none."""

    name: str
    """`namespace.method`, as on `Devin`."""
    does: str
    """In a few words, for the README."""
    v3: str | None
    v1: str | None
    permission: str | None = None
    """What the v3 reference lists for it; v1 has no permissions."""
    lacking: str = ""
    """The line for the version that lacks it."""

    @property
    def level(self) -> str:
        """Where the permission must have been given: `organization` or `enterprise`."""
        return "enterprise" if "/enterprise/" in (self.v3 or "") else "organization"

    def route(self, api_version: str) -> tuple[str, str]:
        """Return method and path template for a version.

        Raises:
            Unsupported: the version has no such operation.
        """
        route = self.v1 if api_version == "v1" else self.v3
        if route is None:
            raise Unsupported(self.lacking or f"{api_version} has no {self.name}")
        method, _, path = route.partition(" ")
        return method, path


def _op(
    name: str, does: str, v3: str | None, v1: str | None = None, permission: str | None = None, lacking: str = ""
) -> Operation:
    return Operation(name, does, v3, v1, permission, lacking)


_V1_READS_MESSAGES = "v1 has no list of messages of its own; they come with the session"
_V1_NO_INSIGHTS = "v1 has no insights; use a v3 key (cog_…)"
_V1_NO_EVENTS = "v1 has no events; use a v3 key (cog_…)"
_V1_NO_SCHEDULES = "v1 has no schedules; use a v3 key (cog_…)"
_V1_NO_USAGE = "v1 has no consumption figures; use a v3 key (cog_…)"
_V1_NO_METRICS = "v1 has no metrics; use a v3 key (cog_…)"
_V1_NO_REPOS = "v1 has no repositories; use a v3 key (cog_…)"
_V1_NO_REVIEWS = "v1 has no reviews of pull requests; use a v3 key (cog_…)"
_V1_NO_MEMBERS = "v1 has no members; use a v3 key (cog_…)"
_V1_NO_AUTOMATIONS = "v1 has no automations; use a v3 key (cog_…)"
_V1_NO_ORG_TAGS = "v1 has no list of allowed tags; use a v3 key (cog_…)"
_V1_NO_ENTERPRISE = "v1 knows no enterprise; use a v3 key (cog_…) of the enterprise"


def _enterprise(name: str, does: str, v3: str, permission: str | None) -> Operation:
    return _op(f"enterprise.{name}", does, v3, None, permission, _V1_NO_ENTERPRISE)


OPERATIONS: tuple[Operation, ...] = (
    _op("self", "the principal behind the key", "GET /v3/self", None, "ReadAccountMeta", "v1 has no self"),
    _op("sessions.create", "start a session", f"POST {_S}", f"POST {_V1S}", _MANAGE),
    _op("sessions.list", "list sessions", f"GET {_S}", f"GET {_V1S}", _VIEW),
    _op("sessions.get", "read one session", f"GET {_D}", f"GET {_V1D}", _VIEW),
    _op("sessions.terminate", "terminate a session permanently", f"DELETE {_D}", f"DELETE {_V1D}", _MANAGE),
    _op("sessions.archive", "archive a session", f"POST {_D}/archive", None, _MANAGE, "v1 has no archive; use stop()"),
    _op("sessions.unarchive", "unarchive a session", f"POST {_D}/unarchive", None, _MANAGE,
        "v1 has no archive, so there is nothing to unarchive"),
    _op("messages.list", "read the conversation", f"GET {_D}/messages", f"GET {_V1D}", _VIEW, _V1_READS_MESSAGES),
    _op("messages.send", "send a message", f"POST {_D}/messages", f"POST {_V1D}/message", _MANAGE),
    _op("tags.get", "read the tags", f"GET {_D}/tags", f"GET {_V1D}", _VIEW),
    _op("tags.append", "add tags", f"POST {_D}/tags", f"PUT {_V1D}/tags", _MANAGE),
    _op("tags.replace", "replace the tags", f"PUT {_D}/tags", f"PUT {_V1D}/tags", _MANAGE),
    _op("attachments.upload", "upload a file", f"POST {ORG}/attachments", "POST /v1/attachments", "UseDevinSessions"),
    _op("attachments.list", "list the files of a session", f"GET {_D}/attachments", None, _VIEW,
        "v1 has no list of files; download one by its URL with attachments.download()"),
    _op("attachments.download", "download a file", f"GET {ORG}/attachments/{{uuid}}/{{name}}",
        "GET /v1/attachments/{uuid}/{name}", _VIEW),
    _op("insights.list", "list sessions with their insights", f"GET {_S}/insights", None, _VIEW, _V1_NO_INSIGHTS),
    _op("insights.get", "read the insights of a session", f"GET {_D}/insights", None, _VIEW, _V1_NO_INSIGHTS),
    _op("insights.generate", "generate the insights of a session", f"POST {_D}/insights/generate", None, _MANAGE,
        _V1_NO_INSIGHTS),
    _op("events.list", "list the events of a session", f"GET {_D}/events", None, _VIEW, _V1_NO_EVENTS),
    _op("events.details", "read events in full", f"GET {_D}/events/details", None, _VIEW, _V1_NO_EVENTS),
    _op("events.search", "search the events of a session", f"GET {_D}/events/search", None, _VIEW, _V1_NO_EVENTS),
    _op("playbooks.list", "list playbooks", f"GET {_PLAYBOOKS}", "GET /v1/playbooks", _PLAYBOOK_ROLE),
    _op("playbooks.get", "read a playbook", f"GET {_PLAYBOOKS}/{{playbook_id}}", "GET /v1/playbooks/{playbook_id}",
        _PLAYBOOK_ROLE),
    _op("playbooks.create", "create a playbook", f"POST {_PLAYBOOKS}", "POST /v1/playbooks", _PLAYBOOK_ROLE),
    _op("playbooks.update", "update a playbook", f"PUT {_PLAYBOOKS}/{{playbook_id}}",
        "PUT /v1/playbooks/{playbook_id}", _PLAYBOOK_ROLE),
    _op("playbooks.delete", "delete a playbook", f"DELETE {_PLAYBOOKS}/{{playbook_id}}",
        "DELETE /v1/playbooks/{playbook_id}", _PLAYBOOK_ROLE),
    _op("knowledge.list", "list knowledge notes", f"GET {_NOTES}", "GET /v1/knowledge", _NOTE_ROLE),
    _op("knowledge.get", "read a note", f"GET {_NOTES}/{{note_id}}", "GET /v1/knowledge", _NOTE_ROLE),
    _op("knowledge.create", "create a note", f"POST {_NOTES}", "POST /v1/knowledge", _NOTE_ROLE),
    _op("knowledge.update", "update a note", f"PUT {_NOTES}/{{note_id}}", "PUT /v1/knowledge/{note_id}", _NOTE_ROLE),
    _op("knowledge.delete", "delete a note", f"DELETE {_NOTES}/{{note_id}}", "DELETE /v1/knowledge/{note_id}",
        _NOTE_ROLE),
    _op("knowledge.folders", "list the folders of notes", f"GET {ORG}/knowledge/folders", "GET /v1/knowledge",
        _NOTE_ROLE),
    _op("secrets.list", "list secrets, never their values", f"GET {_SECRETS}", "GET /v1/secrets", _SECRET_ROLE),
    _op("secrets.create", "store a secret", f"POST {_SECRETS}", "POST /v1/secrets", _SECRET_ROLE),
    _op("secrets.delete", "delete a secret", f"DELETE {_SECRETS}/{{secret_id}}", "DELETE /v1/secrets/{secret_id}",
        _SECRET_ROLE),
    _op("schedules.list", "list schedules", f"GET {_SCHEDULES}", None, _SCHEDULE_ROLE, _V1_NO_SCHEDULES),
    _op("schedules.get", "read a schedule", f"GET {_SCHEDULES}/{{schedule_id}}", None, _SCHEDULE_ROLE,
        _V1_NO_SCHEDULES),
    _op("schedules.create", "create a schedule", f"POST {_SCHEDULES}", None, _SCHEDULE_ROLE, _V1_NO_SCHEDULES),
    _op("schedules.update", "update a schedule", f"PATCH {_SCHEDULES}/{{schedule_id}}", None, _SCHEDULE_ROLE,
        _V1_NO_SCHEDULES),
    _op("schedules.delete", "delete a schedule", f"DELETE {_SCHEDULES}/{{schedule_id}}", None, _SCHEDULE_ROLE,
        _V1_NO_SCHEDULES),
    _op("consumption.daily", "ACUs per day", f"GET {_DAILY}", None, _BILLING, _V1_NO_USAGE),
    _op("consumption.user", "ACUs per day of a user", f"GET {_DAILY}/users/{{user_id}}", None, _BILLING, _V1_NO_USAGE),
    _op("consumption.service_user", "ACUs per day of a service user",
        f"GET {_DAILY}/service-users/{{service_user_id}}", None, _BILLING, _V1_NO_USAGE),
    _op("consumption.session", "ACUs per day of a session", f"GET {_DAILY}/sessions/{{session_id}}", None, _BILLING,
        _V1_NO_USAGE),
    _op("metrics.usage", "sessions, searches and pull requests", f"GET {_METRICS}/usage", None, _METRICS_ROLE,
        _V1_NO_METRICS),
    _op("metrics.sessions", "figures on sessions", f"GET {_METRICS}/sessions", None, _METRICS_ROLE, _V1_NO_METRICS),
    _op("metrics.prs", "figures on pull requests", f"GET {_METRICS}/prs", None, _METRICS_ROLE, _V1_NO_METRICS),
    _op("metrics.searches", "figures on searches", f"GET {_METRICS}/searches", None, _METRICS_ROLE, _V1_NO_METRICS),
    _op("metrics.dau", "active users by day", f"GET {_METRICS}/dau", None, _METRICS_ROLE, _V1_NO_METRICS),
    _op("metrics.wau", "active users by week", f"GET {_METRICS}/wau", None, _METRICS_ROLE, _V1_NO_METRICS),
    _op("metrics.mau", "active users by month", f"GET {_METRICS}/mau", None, _METRICS_ROLE, _V1_NO_METRICS),
    _op("metrics.active_users", "active users of a period", f"GET {_METRICS}/active-users", None, _METRICS_ROLE,
        _V1_NO_METRICS),
    _op("repositories.list", "list the repositories the organization can see", f"GET {_REPOS}", None, None,
        _V1_NO_REPOS),
    _op("repositories.indexed", "list the repositories set up for indexing", f"GET {_REPOS}/indexing", None, None,
        _V1_NO_REPOS),
    _op("repositories.index", "index repositories", f"PUT {_REPOS}/indexing", None, _INDEX_ROLE, _V1_NO_REPOS),
    _op("repositories.unindex", "stop indexing repositories", f"DELETE {_REPOS}/indexing", None, _INDEX_ROLE,
        _V1_NO_REPOS),
    _op("repositories.indexing", "how far the indexing of a repository is", f"GET {_REPO}", None, None, _V1_NO_REPOS),
    _op("repositories.index_one", "index a repository", f"PUT {_REPO}", None, _INDEX_ROLE, _V1_NO_REPOS),
    _op("repositories.unindex_one", "stop indexing a repository", f"DELETE {_REPO}", None, _INDEX_ROLE, _V1_NO_REPOS),
    _op("reviews.create", "request a review of a pull request", f"POST {ORG}/pr-reviews", None, _REVIEW_ROLE,
        _V1_NO_REVIEWS),
    _op("reviews.get", "the state of a review", f"GET {ORG}/pr-reviews", None, _REVIEW_ROLE, _V1_NO_REVIEWS),
    _op("members.list", "list the direct members", f"GET {_BETA}/members/users", None, _MEMBER_ROLE, _V1_NO_MEMBERS),
    _op("members.get", "read a member", f"GET {_BETA}/members/users/{{user_id}}", None, _MEMBER_ROLE, _V1_NO_MEMBERS),
    _op("members.idp_users", "list the members through groups of the identity provider",
        f"GET {_BETA}/members/idp-users", None, _MEMBER_ROLE, _V1_NO_MEMBERS),
    _op("automations.list", "list automations", f"GET {_AUTOMATIONS}", None, _AUTOMATION_VIEW, _V1_NO_AUTOMATIONS),
    _op("automations.get", "read an automation", f"GET {_AUTOMATIONS}/{{automation_id}}", None, _AUTOMATION_VIEW,
        _V1_NO_AUTOMATIONS),
    _op("automations.create", "create an automation, with a cap", f"POST {_AUTOMATIONS}", None, _AUTOMATION_ROLE,
        _V1_NO_AUTOMATIONS),
    _op("automations.update", "change, enable or disable an automation", f"PATCH {_AUTOMATIONS}/{{automation_id}}",
        None, _AUTOMATION_ROLE, _V1_NO_AUTOMATIONS),
    _op("automations.delete", "delete an automation", f"DELETE {_AUTOMATIONS}/{{automation_id}}", None,
        _AUTOMATION_ROLE, _V1_NO_AUTOMATIONS),
    _op("automations.schemas", "the events that may trigger one", f"GET {_AUTOMATIONS}/schemas", None,
        _AUTOMATION_VIEW, _V1_NO_AUTOMATIONS),
    _op("automations.templates", "ready-made automations", f"GET {_AUTOMATIONS}/templates", None, _AUTOMATION_VIEW,
        _V1_NO_AUTOMATIONS),
    _op("org_tags.list", "the session tags that are allowed", f"GET {_ORG_TAGS}", None, _ENT_SETTINGS,
        _V1_NO_ORG_TAGS),
    _op("org_tags.append", "allow further tags", f"POST {_ORG_TAGS}", None, _ENT_SETTINGS, _V1_NO_ORG_TAGS),
    _op("org_tags.replace", "allow these tags only", f"PUT {_ORG_TAGS}", None, _ENT_SETTINGS, _V1_NO_ORG_TAGS),
    _op("org_tags.default", "the tag of sessions without one", f"GET {_ORG_TAGS}/default", None, _ENT_SETTINGS,
        _V1_NO_ORG_TAGS),
    _op("org_tags.set_default", "set that tag", f"PUT {_ORG_TAGS}/default", None, _ENT_SETTINGS, _V1_NO_ORG_TAGS),
    _op("org_tags.clear_default", "unset that tag", f"DELETE {_ORG_TAGS}/default", None, _ENT_SETTINGS,
        _V1_NO_ORG_TAGS),
    _op("org_tags.remove", "no longer allow a tag", f"DELETE {_ORG_TAGS}/{{tag}}", None, _ENT_SETTINGS,
        _V1_NO_ORG_TAGS),
    _op("org_tags.clear", "empty the list of allowed tags", f"DELETE {_ORG_TAGS}", None, _ENT_SETTINGS,
        _V1_NO_ORG_TAGS),
    _enterprise("organizations", "list the organizations", f"GET {_ENT}/organizations", "ManageOrganizations"),
    _enterprise("group_limits", "limits that organizations share", f"GET {_ENT}/org-group-limits",
                "ManageOrganizations"),
    _enterprise("queue", "how loaded the service's queue is", f"GET {_ENT}/queue", None),
    _enterprise("cycles", "list the billing cycles", f"GET {_ENT}/consumption/cycles", _BILLING),
    _enterprise("acu_limits", "list the limits of a cycle", f"GET {_ENT}/consumption/acu-limits/devin", _BILLING),
    _enterprise("daily", "ACUs per day of the enterprise", f"GET {_ENT_DAILY}", _BILLING),
    _enterprise("organization_daily", "of an organization", f"GET {_ENT_DAILY}/organizations/{{org_id}}", _BILLING),
    _enterprise("user_daily", "of a user", f"GET {_ENT_DAILY}/users/{{user_id}}", _BILLING),
    _enterprise("service_user_daily", "of a service user", f"GET {_ENT_DAILY}/service-users/{{service_user_id}}",
                _BILLING),
    _enterprise("session_daily", "of a session", f"GET {_ENT_DAILY}/sessions/{{session_id}}", _BILLING),
    _enterprise("sessions", "list sessions of all organizations", f"GET {_ENT}/sessions", _ENT_VIEW),
    _enterprise("session", "read one of them", f"GET {_ENT_SESSION}", _ENT_VIEW),
    _enterprise("messages", "its conversation", f"GET {_ENT_SESSION}/messages", _ENT_VIEW),
    _enterprise("attachments", "its files", f"GET {_ENT_SESSION}/attachments", _ENT_VIEW),
    _enterprise("insights", "its insights", f"GET {_ENT_SESSION}/insights", _ENT_VIEW),
    _enterprise("tags", "its tags", f"GET {_ENT_SESSION}/tags", _ENT_VIEW),
    *(
        _enterprise(f"metrics.{name}", f"{does}, of the enterprise", f"GET {_ENT_METRICS}/{name.replace('_', '-')}",
                    _ENT_METRICS_ROLE)
        for name, does in (
            ("usage", "sessions, searches and pull requests"),
            ("sessions", "figures on sessions"),
            ("prs", "figures on pull requests"),
            ("searches", "figures on searches"),
            ("dau", "active users by day"),
            ("wau", "active users by week"),
            ("mau", "active users by month"),
            ("active_users", "active users of a period"),
        )
    ),
    _enterprise("review", "the state of a review, in any organization", f"GET {_ENT}/pr-reviews", _REVIEW_ROLE),
    _enterprise("audit_logs", "what was done, and by whom", f"GET {_ENT}/audit-logs", _ENT_SETTINGS),
    _enterprise("organization_audit_logs", "the same in an organization", f"GET {_ENT_ORG}/audit-logs", _ENT_SETTINGS),
    _enterprise("guardrail_violations", "what guardrails logged, warned about or blocked",
                f"GET {_ENT_BETA}/guardrail-violations", _ENT_SETTINGS),
    _enterprise("organization_guardrail_violations", "the same in an organization",
                f"GET {_ENT_BETA}/organizations/{{org_id}}/guardrail-violations", _ENT_SETTINGS),
    _enterprise("members", "list the members of the enterprise", f"GET {_ENT}/members/users",
                "ManageAccountMembership"),
    _enterprise("service_users", "list the service users", f"GET {_ENT}/members/service-users",
                "ManageAccountMembership"),
    _enterprise("git_connections", "list the connections to Git hosts", f"GET {_ENT}/git-providers/connections",
                "ManageGitIntegrations"),
    _enterprise("git_repositories", "list the repositories of a connection",
                f"GET {_ENT}/git-providers/connections/{{connection_id}}/repositories", "ManageGitIntegrations"),
)  # fmt: skip
BY_NAME = {operation.name: operation for operation in OPERATIONS}


def operations_table() -> str:
    """Return the operations as a Markdown table: name, purpose, route on v3, route on v1, permission."""
    head = ("operation", "does", "v3", "v1", "permission (v3)")
    rows = [
        (
            f"`{op.name}`",
            op.does,
            *(f"`{route}`" if route else "–" for route in (op.v3, op.v1)),
            f"`{op.permission}`" + (" (enterprise)" if op.level == "enterprise" else "") if op.permission else "",
        )
        for op in OPERATIONS
    ]
    lines = [" | ".join(cells) for cells in (head, ("---",) * len(head), *rows)]
    return "\n".join(f"| {line} |" for line in lines)


@dataclass(slots=True)
class Seen:
    """Lists that were read as a whole earlier, for warnings; None if a list was not read."""

    repositories: frozenset[str] | None = None
    """`owner/repo` of all repositories that the organization can see."""
    allowed_tags: frozenset[str] | None = None
    """The session tags that the enterprise allows; an empty list allows all."""
    members: dict[str, str] | None = None
    """The names of the members by id, as far as the key may read them."""
    everybody: dict[str, str] | None = None
    """The same of all members and service users of the enterprise."""
    platforms: frozenset[str] = frozenset()
    """Platforms and outpost pools that sessions were started on or a refusal has named: no operation lists them."""

    @property
    def is_useful(self) -> bool:
        """Whether a list was read."""
        return self.repositories is not None or bool(self.allowed_tags)

    def warnings(self, repos: Sequence[str], tags: Sequence[str]) -> list[str]:
        """Return a line for what a session names and these lists do not have. The key may see less than a session."""
        found = []
        known = {name.lower() for name in self.repositories or ()}
        if self.repositories is not None and (unknown := [name for name in repos if name.lower() not in known]):
            near = nearest(unknown[0], self.repositories)
            is_not = "is not among" if len(unknown) == 1 else "are not among"
            line = f"{', '.join(unknown)} {is_not} the repositories that this key can list{near}"
            found.append(f"{line}; the session may see more")
        if self.allowed_tags and (foreign := [tag for tag in tags if tag not in self.allowed_tags]):
            allowed = ", ".join(sorted(self.allowed_tags)[:10])
            found.append(f"the enterprise does not allow the tag {', '.join(foreign)}: its list has {allowed}")
        return found


class Service:
    """Calls operations with one key. `settings` gains the organization once it was looked up."""

    def __init__(self, transport: Transport | None, settings: Settings) -> None:
        """Keep the settings; without a `transport` the first request makes one."""
        self._transport, self.settings = transport, settings
        self.api_version = settings.api_version
        """`"v3"` or `"v1"`."""
        self.is_v1 = settings.api_version == "v1"
        """Whether the key is for the legacy API."""
        self._org_lock: asyncio.Lock | None = None
        self.principal: wire.Principal | None = None
        """Who the key belongs to, once the service has been asked."""
        self.seen = Seen()
        """What whole lists have shown of the organization."""

    @property
    def transport(self) -> Transport:
        """The transport, created at first use: a dry run must not import the HTTP library."""
        if self._transport is None:
            from devin_jupyter.api.transport import Transport

            self._transport = Transport(self.settings)
        return self._transport

    def service_time(self) -> float | None:
        """Return the present time by the service's clock, in Unix seconds; None before it has told it."""
        date = None if self._transport is None else self._transport.date
        if date is None:
            return None
        try:
            then = parsedate_to_datetime(date[0]).timestamp()
        except ValueError:
            return None
        return then + time.monotonic() - date[1]

    async def aclose(self) -> None:
        """Close the connections, if there are any."""
        if self._transport is not None:
            await self._transport.aclose()

    async def call(
        self,
        operation: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        files: Files | None = None,
        retries: bool = True,
        text: bool = False,
        **ids: str,
    ) -> Any:
        """Call an operation and return its parsed response.

        Args:
            operation: a name of `OPERATIONS`.
            params: the query.
            json: the body.
            files: the body as multipart.
            retries: False for callers with a pace of their own.
            text: return a body that is not JSON as it is.
            ids: values of the route's placeholders, without the organization.

        Raises:
            Unsupported: this API version has no such operation. Nothing is sent.
            ApiError, ConnectionTrouble: see `Transport.request`.
        """
        info = await self.request_info(operation, **ids)
        if isinstance(json, Mapping) and json.get("create_as_user_id"):
            info = replace(info, permission=f"{info.permission} and ImpersonateOrgSessions")
        return await self.transport.request(
            info.method, info.path, params=params, json=json, files=files, info=info, retries=retries, text=text
        )

    async def read(
        self, operation: str, *, params: Mapping[str, Any] | None = None, retries: bool = True, **ids: str
    ) -> Any:
        """Call an operation that only reads, like `call` at a third of the cost, for callers that read many pages."""
        info = await self.request_info(operation, **ids)
        body = await self.transport.get_bytes(info.path, params, info=info, retries=retries)
        try:
            return parse_json(body)
        except ValueError:
            raise unreadable(info, 200, body) from None

    async def call_as(self, kind: type[T], operation: str, *, retries: bool = True, **call: Any) -> T:
        """Call an operation whose response must be a JSON object, and return it as `kind`, a type of `models.wire`."""
        answer = await self.call(operation, retries=retries, **call)
        if not isinstance(answer, dict):
            ids = {name: value for name, value in call.items() if name not in ("params", "json", "files", "text")}
            raise unreadable(await self.request_info(operation, **ids), 200, b"", "expected a JSON object")
        return cast(T, answer)

    def pages(
        self,
        kind: type[T],
        operation: str,
        *,
        key: str,
        limit: int | None = None,
        page_size: int = LARGEST_PAGE,
        after: str | None = None,
        params: Mapping[str, Any] | None = None,
        retries: bool = True,
        **ids: Any,
    ) -> AsyncIterator[list[T]]:
        """Iterate over the pages of a v3 list; see `cursor_pages`. The items are returned as `kind`."""

        async def fetch(paging: dict[str, Any]) -> Any:
            return await self.call(operation, params={**(params or {}), **paging}, retries=retries, **ids)

        pages = cursor_pages(fetch, key=key, limit=limit, page_size=page_size, after=after)
        return cast(AsyncIterator[list[T]], pages)

    async def call_list(
        self, kind: type[T], operation: str, name: str = "items", *, bare: bool = False, **call: Any
    ) -> list[T]:
        """Call an operation that responds with a whole list, under `name` or `bare`, and return the items as `kind`."""
        return cast(list[T], items_of(await self.call(operation, **call), name, bare=bare))

    async def request_info(self, operation: str, **ids: str) -> RequestInfo:
        """Return method, path and what error messages need, for an operation in this API version."""
        known = BY_NAME[operation]
        if not self.settings.api_key:
            raise no_key()
        method, template = known.route(self.api_version)
        if "{org_id}" in template and "org_id" not in ids:
            ids["org_id"] = await self.org_id()
        # bare dots would lead out of the path
        steps = {
            name: value.replace(".", "%2E")
            if value in (".", "..")
            else quote(value, safe="", errors="replace")  # half a character is in no id
            for name, value in ids.items()
        }
        path = template.format(**steps)
        return RequestInfo(method, path, operation, known.permission, self.api_version, known.level)

    async def org_id(self) -> str:
        """Return the organization: as set, as remembered for this key, or as the service says (asked once).

        Raises:
            NoOrganization: the key belongs to none or to several.
        """
        if self.settings.org_id:
            return self.settings.org_id
        self._org_lock = self._org_lock or asyncio.Lock()
        async with self._org_lock:
            if not self.settings.org_id:
                found = await self._look_up_org()
                self.settings = await asyncio.to_thread(remember_org, self.settings, found)
        return self.settings.org_id or ""

    async def _look_up_org(self) -> str:
        principal = await self.call_as(wire.Principal, "self")
        self.principal = principal
        own = principal.get("org_id")
        if isinstance(own, str) and own:
            return own
        try:
            pages = self.pages(wire.Organization, "enterprise.organizations", key="org_id", limit=6)
            listed = [str(item["org_id"]) async for page in pages for item in page if item.get("org_id")]
        except ApiError:  # most keys may not list them
            listed = []
        if len(listed) == 1:
            return listed[0]
        several = f"the key may work in {', '.join(listed[:5])}" if listed else ""
        several += " and others" if len(listed) > 5 else ""
        raise NoOrganization(
            "the API needs an organization, and this key does not name one",
            several or "nothing was started",
            "set DEVIN_ORG_ID or give org_id='org-…' (Settings → Devin API shows it)",
        )


# --- lists ---------------------------------------------------------------------------------------------------
# Read to the end, each item once, and never in circles: cursors may repeat or stay on the last page, and pages overlap
# while new items arrive, so a page yields only items not seen before. A page without any is no end where it says that
# there is more; many in a row are an error, since what is left out may be what was looked for.


async def cursor_pages(
    fetch: Fetch, *, key: str, limit: int | None = None, page_size: int = LARGEST_PAGE, after: str | None = None
) -> AsyncIterator[list[Raw]]:
    """Yield the pages of a v3 list, each without items seen before.

    Args:
        fetch: reads one page; is given `first` and `after`.
        key: the field that holds an item's id.
        limit: the most items to return.
        page_size: how many to ask for at a time, at most 200.
        after: the cursor to start behind.
    """
    dedup, cursors = _Deduplicator(key, limit), {after}
    while True:
        page = await fetch({"first": dedup.wanted(min(page_size, LARGEST_PAGE)), "after": after})
        fresh = dedup.fresh(items_of(page))
        if fresh:
            yield fresh
        after = next_cursor(page)
        if after is None or after in cursors or dedup.is_done:
            return
        if dedup.n_empty >= MOST_EMPTY_PAGES:
            raise endless(dedup.n_empty)
        cursors.add(after)


async def offset_pages(
    fetch: Fetch, *, key: str, items: str = "items", limit: int | None = None, page_size: int = LARGEST_PAGE
) -> AsyncIterator[list[Raw]]:
    """Yield the pages of a list that counts in `limit` and `offset`.

    The answer says whether there is more (v3); where it does not say (v1), a page shorter than asked for is the last,
    unless it is as long as v1 may make any page.

    Args:
        fetch: reads one page; is given `limit` and `offset`.
        key: the field that holds an item's id.
        items: the field of the answer that holds the items.
        limit: the most items to return.
        page_size: how many to ask for at a time.
    """
    dedup, offset = _Deduplicator(key, limit), 0
    while True:
        page = await fetch({"limit": page_size, "offset": offset})
        found = items_of(page, items)
        fresh = dedup.fresh(found)
        if fresh:
            yield fresh
        flag = page.get("has_next_page") if isinstance(page, Mapping) else None
        more = flag if isinstance(flag, bool) else len(found) >= min(page_size, LARGEST_V1_PAGE)
        if not more or not fresh or dedup.is_done:
            return
        offset += len(found)


def endless(n_pages: int) -> UnreadableAnswer:
    """Return the error for a list whose pages are empty and never end."""
    why = f"it goes on after {n_pages} empty pages"
    return UnreadableAnswer(
        f"a list of the service cannot be read to its end: {why}", "nothing was changed", "try again later"
    )


def items_of(page: Any, name: str = "items", *, bare: bool = False) -> list[Raw]:
    """Return the objects of a page.

    Args:
        page: the answer.
        name: of the field that holds them, if that is not `items`.
        bare: the documents of this operation show a bare array; elsewhere one is no page, not even an empty one.

    Raises:
        UnreadableAnswer: it is no page, or one of its items is no object.
    """
    listed = page if isinstance(page, list) and bare else page.get(name) if isinstance(page, Mapping) else None
    if listed is None and isinstance(page, Mapping) and isinstance(page.get("items"), list):
        listed = page["items"]
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise UnreadableAnswer(
            f"expected a list of objects, with its items under {name!r}", "nothing was changed", "try again later"
        )
    return listed


def next_cursor(page: Any) -> str | None:
    """Return where the next page begins; None on the last one."""
    if not isinstance(page, Mapping) or not page.get("has_next_page"):
        return None
    cursor = page.get("end_cursor")
    return cursor if isinstance(cursor, str) and cursor else None


async def flatten(pages: AsyncIterator[list[T]]) -> AsyncIterator[T]:
    """Yield the items of pages one by one."""
    async for page in pages:
        for item in page:
            yield item


def at_most(limit: int | None) -> int | None:
    """Return a `limit`, None for no limit.

    Raises:
        OptionError: it is not a whole number, or below 0.
    """
    try:
        most = None if limit is None else index(limit)
    except TypeError:
        most = -1
    if most is not None and most < 0:
        raise OptionError(f"limit is a whole number of 0 or more, not {limit!r}")
    return most


class _Deduplicator:
    """Passes each item once, and at most `limit` in total."""

    def __init__(self, key: str, limit: int | None) -> None:
        self._key, self._left, self._seen = key, at_most(limit), set[Any]()
        self.n_empty = self._repeated = 0

    @property
    def is_done(self) -> bool:
        return self._left == 0 or self._repeated >= _REPEATED_PAGES

    def wanted(self, page_size: int) -> int:
        return page_size if self._left is None else max(1, min(page_size, self._left))

    def fresh(self, items: Sequence[Raw]) -> list[Raw]:
        new = [item for item in items if self._is_new(item)]
        self.n_empty = 0 if items else self.n_empty + 1
        self._repeated = 0 if new or not items else self._repeated + 1
        if self._left is not None:
            new = new[: self._left]
            self._left -= len(new)
        return new

    def _is_new(self, item: Raw) -> bool:
        identifier = item.get(self._key)
        if self._key == "session_id" and not isinstance(identifier, str):
            raise UnreadableAnswer("an item of a page is no session", "nothing was changed", "try again later")
        if not isinstance(identifier, (str, int)):
            return True
        if identifier in self._seen:
            return False
        self._seen.add(identifier)
        return True
