"""What belongs to an organization or an enterprise, as frames: repositories, people, reviews, spend, logs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from devin_jupyter.frames.columns import Column, frame_of
from devin_jupyter.frames.tables import consumption
from devin_jupyter.models.enums import REVIEW_STATUS
from devin_jupyter.models.fields import strings

Raw = Mapping[str, Any]

REPOSITORIES = (
    Column("repo", "text"),
    Column("host", "text"),
    Column("language", "text"),
    Column("description", "text"),
    Column("last_updated_at", "time"),
    Column("is_indexed", "boolean"),
    Column("index_status", "text"),
    Column("git_connection_id", "text"),
    Column("extra", "object"),
)
"""`repo` is `owner/repo`, as `--repos` takes it; the index is null unless it was asked for."""

REVIEWS = (
    Column("pr_url", "text"),
    Column("repo", "text"),
    Column("number", "integer"),
    Column("status", "word", REVIEW_STATUS),
    Column("commit_sha", "text"),
    Column("created_at", "time"),
    Column("error", "text"),
    Column("extra", "object"),
)
"""`status` is null for a pull request whose newest commit has no review."""

MEMBERS = (
    Column("user_id", "text"),
    Column("name", "text"),
    Column("kind", "word", ("member", "group member", "service user")),
    Column("roles", "object"),
    Column("groups", "object"),
    Column("extra", "object"),
)
EMAIL = Column("email", "text")

AUTOMATIONS = (
    Column("automation_id", "text"),
    Column("name", "text"),
    Column("enabled", "boolean"),
    Column("triggers", "object"),
    Column("next_run_at", "time"),
    Column("last_run_at", "time"),
    Column("last_status", "word", ("succeeded", "failed", "skipped")),
    Column("max_acu", "integer"),
    Column("max_runs", "integer"),
    Column("window_seconds", "integer"),
    Column("run_as", "text"),
    Column("tags", "object"),
    Column("prompt", "text"),
    Column("created_by", "text"),
    Column("created_at", "time"),
    Column("updated_at", "time"),
)
"""`triggers` are event types, `tags` and `prompt` those of the first action, `max_acu` the cap of each session."""

ORGANIZATIONS = (
    Column("org_id", "text"),
    Column("name", "text"),
    Column("max_session_acu", "integer"),
    Column("max_cycle_acu", "integer"),
    Column("created_at", "time"),
    Column("updated_at", "time"),
    Column("extra", "object"),
)
"""Limits in ACUs; null where there is none."""

ENTERPRISE_CONSUMPTION = (
    Column("org_id", "text"),
    Column("name", "text"),
    Column("date", "time"),
    Column("acus", "number"),
    Column("devin", "number"),
    Column("cascade", "number"),
    Column("terminal", "number"),
    Column("review", "number"),
    Column("cycle_after", "time"),
    Column("cycle_before", "time"),
    Column("limit", "number"),
)
"""A row per organization and day; an organization that consumed nothing has one row without a `date`."""

AUDIT_LOGS = (
    Column("audit_log_id", "text"),
    Column("action", "text"),
    Column("created_at", "time"),
    Column("org_id", "text"),
    Column("user_id", "text"),
    Column("user_name", "text"),
    Column("service_user_id", "text"),
    Column("service_user_name", "text"),
    Column("data", "object"),
    Column("extra", "object"),
)

VIOLATIONS = (
    Column("violation_id", "integer"),
    Column("created_at", "time"),
    Column("guardrail_id", "text"),
    Column("guardrail_name", "text"),
    Column("action_taken", "word", ("log_only", "warn_user", "block_message", "kill_session")),
    Column("confidence_score", "number"),
    Column("session_id", "text"),
    Column("event_id", "text"),
    Column("org_id", "text"),
    Column("extra", "object"),
)
VIOLATION_TEXTS = (Column("user_message", "text"), Column("reasoning", "text"))


def repositories(found: Sequence[Raw]) -> pd.DataFrame:
    """Return one row per repository."""
    rows = []
    for raw in found:
        status = raw.get("indexing_status")
        known = isinstance(status, Mapping)
        jobs = status.get("latest_indexes") if isinstance(status, Mapping) else None
        latest = jobs[0] if isinstance(jobs, list) and jobs and isinstance(jobs[0], Mapping) else {}
        rows.append(
            {
                "repo": raw.get("repo_path"),
                "host": raw.get("git_connection_host"),
                "language": raw.get("repo_language"),
                "description": raw.get("repo_description"),
                "last_updated_at": raw.get("last_updated_at"),
                "is_indexed": status.get("indexing_enabled") if known and isinstance(status, Mapping) else None,
                "index_status": latest.get("status"),
                "git_connection_id": raw.get("git_connection_id"),
                "extra": _extra(
                    raw,
                    *("repo_name", "repo_path", "provider_repository_id", "git_connection_id", "git_connection_host"),
                    *("repo_description", "repo_language", "last_updated_at", "indexing_status"),
                ),
            }
        )
    return _frame(REPOSITORIES, rows)


def reviews(found: Iterable[tuple[str, Raw | None, str | None]]) -> pd.DataFrame:
    """Return one row per pull request.

    Args:
        found: its URL, its review if there is one, and why it could not be read.
    """
    rows = []
    for url, raw, error in found:
        review = raw or {}
        row = {name: review.get(name) for name in ("status", "commit_sha", "created_at")}
        parts = url.removeprefix("https://").split("/")
        place = next((at for at, step in enumerate(parts) if step.isdecimal()), len(parts))
        path = [step for step in parts[: max(0, place - 1)] if step != "-"]
        number = parts[place] if place < len(parts) else None
        known = ("status", "repo_path", "pr_number", "commit_sha", "created_at")
        row |= {
            "pr_url": url,
            "repo": "/".join(path[1:]) or None,
            "number": int(number) if number and len(number) < 18 else None,
            "error": error,
            "extra": _extra(review, *known),
        }
        rows.append(row)
    return _frame(REVIEWS, rows)


def members(found: Sequence[tuple[str, Raw]], *, emails: bool) -> pd.DataFrame:
    """Return one row per member, each once.

    Args:
        found: what kind of member, with the raw object.
        emails: with a column of addresses.
    """
    rows: dict[str, dict[str, Any]] = {}
    for kind, raw in found:
        identifier = str(raw.get("user_id") or raw.get("service_user_id") or "")
        roles = [_role(item) for item in _list(raw.get("role_assignments")) + _list(raw.get("idp_role_assignments"))]
        groups = [item.get("idp_group_name") for item in _list(raw.get("idp_role_assignments"))]
        known = ("user_id", "service_user_id", "name", "email", "role_assignments", "idp_role_assignments")
        rows.setdefault(
            identifier,
            {
                "user_id": identifier or None,
                "name": raw.get("name"),
                "kind": kind,
                "roles": sorted({role for role in roles if role}),
                "groups": list(strings([group for group in groups if group])),
                "email": raw.get("email") if emails else None,
                "extra": _extra(raw, *known),
            },
        )
    return _frame((*MEMBERS[:2], EMAIL, *MEMBERS[2:]) if emails else MEMBERS, [*rows.values()])


def automations(found: Sequence[Raw]) -> pd.DataFrame:
    """Return one row per automation; without webhooks, which have secrets."""
    rows = []
    for raw in found:
        limits, invocation = _mapping(raw.get("limits")), _mapping(raw.get("last_invocation"))
        window, author = _mapping(limits.get("invocations")), _mapping(raw.get("created_by"))
        run_as = _mapping(raw.get("run_as"))
        action = next(iter(_list(raw.get("actions"))), {})
        rows.append(
            {
                **{name: raw.get(name) for name in ("automation_id", "name", "enabled", "next_run_at")},
                **{name: raw.get(name) for name in ("created_at", "updated_at")},
                "triggers": [str(item.get("event_type")) for item in _list(raw.get("triggers"))],
                "last_run_at": invocation.get("fired_at"),
                "last_status": invocation.get("status"),
                "max_acu": limits.get("max_acu_limit"),
                "max_runs": window.get("max_per_window"),
                "window_seconds": window.get("window_seconds"),
                "run_as": run_as.get("service_user_id") or run_as.get("type"),
                "tags": list(strings(_mapping(action.get("session")).get("tags"))),
                "prompt": action.get("prompt") or action.get("setup_prompt"),
                "created_by": author.get("name") or author.get("id"),
            }
        )
    return _frame(AUTOMATIONS, rows)


def organizations(found: Sequence[Raw]) -> pd.DataFrame:
    """Return one row per organization."""
    names = {"max_session_acu": "max_session_acu_limit", "max_cycle_acu": "max_cycle_acu_limit"}
    rows = [
        {
            **{name: raw.get(name) for name in ("org_id", "name", "created_at", "updated_at")},
            **{name: raw.get(key) for name, key in names.items()},
            "extra": _extra(raw, "org_id", "name", "created_at", "updated_at", *names.values()),
        }
        for raw in found
    ]
    return _frame(ORGANIZATIONS, rows)


def enterprise_consumption(
    found: Iterable[tuple[Raw, Raw]], cycle: tuple[int | None, int | None], limits: Mapping[str, Any]
) -> pd.DataFrame:
    """Return one row per organization and day.

    Args:
        found: organizations with the answers of their consumption.
        cycle: its bounds in Unix seconds.
        limits: ACUs per cycle, by organization.
    """
    parts = []
    for organization, answer in found:
        days = consumption(answer)
        records = days.to_dict("records") or [{"acus": 0.0}]
        org_id = organization.get("org_id")
        about = {"org_id": org_id, "name": organization.get("name"), "limit": limits.get(str(org_id))}
        parts += [{**about, "cycle_after": cycle[0], "cycle_before": cycle[1], **_plain(day)} for day in records]
    return _frame(ENTERPRISE_CONSUMPTION, parts)


def audit_logs(found: Sequence[Raw], names: Mapping[str, str], *, emails: bool) -> pd.DataFrame:
    """Return one row per entry, in the order given.

    Args:
        found: the entries.
        names: of users, by id.
        emails: with addresses: a column, and those inside `data`.
    """
    columns = [column.name for column in AUDIT_LOGS if column.name not in ("user_name", "extra")]
    rows = [
        {
            **{name: raw.get(name) for name in columns},
            "user_name": names.get(str(raw.get("user_id"))),
            "email": raw.get("user_email"),
            "data": raw.get("data") if emails else without_addresses(raw.get("data")),
            "extra": _extra(raw, *columns, "user_email"),
        }
        for raw in found
    ]
    return _frame((*AUDIT_LOGS[:6], EMAIL, *AUDIT_LOGS[6:]) if emails else AUDIT_LOGS, rows)


def guardrail_violations(found: Sequence[Raw], *, texts: bool) -> pd.DataFrame:
    """Return one row per violation, in the order given.

    Args:
        found: the violations.
        texts: with what people wrote, and why that is a violation.
    """
    names = [column.name for column in (*VIOLATIONS, *VIOLATION_TEXTS)]
    rows = [{**{name: raw.get(name) for name in names}, "extra": _extra(raw, *names)} for raw in found]
    return _frame((*VIOLATIONS, *VIOLATION_TEXTS) if texts else VIOLATIONS, rows)


METRICS = (
    Column("start", "time"),
    Column("end", "time"),
    Column("org_id", "text"),
    Column("sessions", "integer"),
    Column("sessions_with_playbook", "integer"),
    Column("sessions_with_merged_prs", "integer"),
    Column("acus_per_session", "number"),
    Column("prs_created", "integer"),
    Column("prs_opened", "integer"),
    Column("prs_closed", "integer"),
    Column("prs_merged", "integer"),
    Column("searches", "integer"),
    Column("active_users", "integer"),
    Column("by_origin", "object"),
    Column("by_size", "object"),
    Column("extra", "object"),
)
"""`org_id` is null for the whole enterprise; `by_origin` and `by_size` count sessions."""
_METRIC_KEYS = {
    "sessions": "sessions_created_count",
    "sessions_with_playbook": "sessions_created_with_playbook_count",
    "sessions_with_merged_prs": "sessions_with_merged_prs_count",
    "acus_per_session": "avg_acus_per_session",
    "prs_created": "prs_created_count",
    "prs_opened": "prs_opened_count",
    "prs_closed": "prs_closed_count",
    "prs_merged": "prs_merged_count",
    "searches": "searches_created_count",
    "active_users": "active_users",
    "by_origin": "sessions_created_by_origin",
    "by_size": "sessions_created_by_size",
}


def metrics(found: Sequence[Raw]) -> pd.DataFrame:
    """Return one row per period, in the order given.

    Args:
        found: what the service counts in each, with `since`, `until` and `org_id` (None: all of an enterprise).
    """
    known = ("start_time", "end_time", "since", "until", "org_id", *_METRIC_KEYS.values())
    rows = [
        {
            **{name: raw.get(key) for name, key in _METRIC_KEYS.items()},
            **{"start": raw["since"], "end": raw["until"], "org_id": raw["org_id"], "extra": _extra(raw, *known)},
        }
        for raw in found
    ]
    return _frame(METRICS, rows)


def without_addresses(value: Any) -> Any:
    """Return a JSON value without what is called an e-mail in it, or looks like an address."""
    if isinstance(value, Mapping):
        kept = {key: without_addresses(inner) for key, inner in value.items() if "email" not in str(key).lower()}
        return kept
    if isinstance(value, list):
        return [without_addresses(inner) for inner in value]
    return "•••" if isinstance(value, str) and _is_address(value) else value


def _is_address(text: str) -> bool:
    name, at, host = text.strip().partition("@")
    return bool(name and at and "." in host and " " not in text.strip())


def _frame(columns: Sequence[Column], rows: Sequence[Raw]) -> pd.DataFrame:
    return frame_of(columns, {column.name: [row.get(column.name) for row in rows] for column in columns})


def _plain(day: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): None if pd.isna(value) else value for name, value in day.items()}


def _role(assignment: Raw) -> str | None:
    name = _mapping(assignment.get("role")).get("role_name")
    return None if name is None else str(name)


def _mapping(value: Any) -> Raw:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Raw]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _extra(raw: Raw, *known: str) -> dict[str, Any] | None:
    """Return the fields that have no column."""
    return {key: value for key, value in raw.items() if key not in known and value is not None} or None
