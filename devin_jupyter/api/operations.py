"""Every operation of the Devin API that this package calls: where v3 and v1 have it, and what it needs.

The one table behind the routes, the permission named by a 403, the line for what a version lacks, and the README.
"""

from __future__ import annotations

from dataclasses import dataclass

from devin_jupyter.errors import Unsupported

ORG = "/v3/organizations/{org_id}"
_S, _D = f"{ORG}/sessions", f"{ORG}/sessions/{{session_id}}"
_V1S, _V1D = "/v1/sessions", "/v1/sessions/{session_id}"
_NOTES, _PLAYBOOKS, _SECRETS = f"{ORG}/knowledge/notes", f"{ORG}/playbooks", f"{ORG}/secrets"
_SCHEDULES, _DAILY, _METRICS = f"{ORG}/schedules", f"{ORG}/consumption/daily", f"{ORG}/metrics"
_VIEW, _MANAGE = "ViewOrgSessions", "ManageOrgSessions"
_NOTE_ROLE, _PLAYBOOK_ROLE = "ManageAccountKnowledge", "ManageAccountPlaybooks"
_SECRET_ROLE, _SCHEDULE_ROLE = "ManageOrgSecrets", "ManageOrgSchedules"
_BILLING, _METRICS_ROLE = "ManageBilling", "ViewOrgMetrics"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation over both versions. A route is `"METHOD /path"`, or None where the version has none."""

    name: str
    """`namespace.method`, as on `Devin`."""
    does: str
    v3: str | None
    v1: str | None
    permission: str | None = None
    """What the v3 reference lists for it; v1 has no permissions."""
    lacking: str = ""
    """The line for the version that lacks it."""

    def route(self, api_version: str) -> tuple[str, str]:
        """Return method and path template for a version.

        Raises:
            Unsupported: the version has no such operation.
        """
        route = self.v1 if api_version == "v1" else self.v3
        if route is None:
            raise Unsupported(self.lacking or f"{api_version} has no {self.name}", "nothing was sent")
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

OPERATIONS: tuple[Operation, ...] = (
    _op("self", "who this key is", "GET /v3/self", None, "ReadAccountMeta", "v1 has no self; its key tells nothing"),
    _op("organizations", "the organizations of an enterprise key", "GET /v3/enterprise/organizations", None,
        "ManageOrganizations", "v1 keys belong to one organization"),
    _op("sessions.create", "start a session", f"POST {_S}", f"POST {_V1S}", _MANAGE),
    _op("sessions.list", "list sessions", f"GET {_S}", f"GET {_V1S}", _VIEW),
    _op("sessions.get", "read one session", f"GET {_D}", f"GET {_V1D}", _VIEW),
    _op("sessions.terminate", "terminate a session for good", f"DELETE {_D}", f"DELETE {_V1D}", _MANAGE),
    _op("sessions.archive", "archive a session", f"POST {_D}/archive", None, _MANAGE, "v1 has no archive; use stop()"),
    _op("sessions.unarchive", "take a session out of the archive", f"POST {_D}/unarchive", None, _MANAGE,
        "v1 has no archive, so there is nothing to take out of it"),
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
    _op("insights.generate", "have the insights of a session made", f"POST {_D}/insights/generate", None, _MANAGE,
        _V1_NO_INSIGHTS),
    _op("events.list", "list the events of a session", f"GET {_D}/events", None, _VIEW, _V1_NO_EVENTS),
    _op("events.details", "read events in full", f"GET {_D}/events/details", None, _VIEW, _V1_NO_EVENTS),
    _op("events.search", "search the events of a session", f"GET {_D}/events/search", None, _VIEW, _V1_NO_EVENTS),
    _op("playbooks.list", "list playbooks", f"GET {_PLAYBOOKS}", "GET /v1/playbooks", _PLAYBOOK_ROLE),
    _op("playbooks.get", "read a playbook", f"GET {_PLAYBOOKS}/{{playbook_id}}", "GET /v1/playbooks/{playbook_id}",
        _PLAYBOOK_ROLE),
    _op("playbooks.create", "write a playbook", f"POST {_PLAYBOOKS}", "POST /v1/playbooks", _PLAYBOOK_ROLE),
    _op("playbooks.update", "rewrite a playbook", f"PUT {_PLAYBOOKS}/{{playbook_id}}",
        "PUT /v1/playbooks/{playbook_id}", _PLAYBOOK_ROLE),
    _op("playbooks.delete", "delete a playbook", f"DELETE {_PLAYBOOKS}/{{playbook_id}}",
        "DELETE /v1/playbooks/{playbook_id}", _PLAYBOOK_ROLE),
    _op("knowledge.list", "list knowledge notes", f"GET {_NOTES}", "GET /v1/knowledge", _NOTE_ROLE),
    _op("knowledge.get", "read a note", f"GET {_NOTES}/{{note_id}}", "GET /v1/knowledge", _NOTE_ROLE),
    _op("knowledge.create", "write a note", f"POST {_NOTES}", "POST /v1/knowledge", _NOTE_ROLE),
    _op("knowledge.update", "rewrite a note", f"PUT {_NOTES}/{{note_id}}", "PUT /v1/knowledge/{note_id}", _NOTE_ROLE),
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
    _op("schedules.create", "make a schedule", f"POST {_SCHEDULES}", None, _SCHEDULE_ROLE, _V1_NO_SCHEDULES),
    _op("schedules.update", "change a schedule", f"PATCH {_SCHEDULES}/{{schedule_id}}", None, _SCHEDULE_ROLE,
        _V1_NO_SCHEDULES),
    _op("schedules.delete", "delete a schedule", f"DELETE {_SCHEDULES}/{{schedule_id}}", None, _SCHEDULE_ROLE,
        _V1_NO_SCHEDULES),
    _op("consumption.daily", "ACUs a day", f"GET {_DAILY}", None, _BILLING, _V1_NO_USAGE),
    _op("consumption.user", "ACUs a day of a user", f"GET {_DAILY}/users/{{user_id}}", None, _BILLING, _V1_NO_USAGE),
    _op("consumption.service_user", "ACUs a day of a service user",
        f"GET {_DAILY}/service-users/{{service_user_id}}", None, _BILLING, _V1_NO_USAGE),
    _op("consumption.session", "ACUs a day of a session", f"GET {_DAILY}/sessions/{{session_id}}", None, _BILLING,
        _V1_NO_USAGE),
    _op("metrics.usage", "sessions, searches and pull requests", f"GET {_METRICS}/usage", None, _METRICS_ROLE,
        _V1_NO_METRICS),
    _op("metrics.sessions", "figures on sessions", f"GET {_METRICS}/sessions", None, _METRICS_ROLE, _V1_NO_METRICS),
    _op("metrics.prs", "figures on pull requests", f"GET {_METRICS}/prs", None, _METRICS_ROLE, _V1_NO_METRICS),
    _op("metrics.searches", "figures on searches", f"GET {_METRICS}/searches", None, _METRICS_ROLE, _V1_NO_METRICS),
    _op("metrics.dau", "active users by day", f"GET {_METRICS}/dau", None, _METRICS_ROLE, _V1_NO_METRICS),
    _op("metrics.wau", "active users by week", f"GET {_METRICS}/wau", None, _METRICS_ROLE, _V1_NO_METRICS),
    _op("metrics.mau", "active users by month", f"GET {_METRICS}/mau", None, _METRICS_ROLE, _V1_NO_METRICS),
    _op("metrics.active_users", "active users of a span", f"GET {_METRICS}/active-users", None, _METRICS_ROLE,
        _V1_NO_METRICS),
)  # fmt: skip
BY_NAME = {operation.name: operation for operation in OPERATIONS}


def operations_table() -> str:
    """Return the operations as a Markdown table: name, route on v3, route on v1, permission."""
    head = ("operation", "does", "v3", "v1", "permission (v3)")
    rows = [
        (f"`{op.name}`", op.does, _cell(op.v3), _cell(op.v1), f"`{op.permission}`" if op.permission else "")
        for op in OPERATIONS
    ]
    lines = [" | ".join(cells) for cells in (head, ("---",) * len(head), *rows)]
    return "\n".join(f"| {line} |" for line in lines)


def _cell(route: str | None) -> str:
    return f"`{route}`" if route else "–"
