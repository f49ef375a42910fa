"""The v3 routes of an enterprise: limits, logs, guardrails, members and Git connections of its organizations.

Logs follow from the sessions; nothing here can be changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from devin_jupyter.simulator import v3_metrics, wire
from devin_jupyter.simulator.engine import SERVICE_USER, Simulation
from devin_jupyter.simulator.preload import LISTED, SERVICE_USERS, USERS, member
from devin_jupyter.simulator.sessions import Session
from devin_jupyter.simulator.v3_organization import enterprise_only, known_organization, read_review, repository
from devin_jupyter.simulator.v3_sessions import Sim
from devin_jupyter.simulator.values import Dice, digest
from devin_jupyter.simulator.wire import Record, invalid, json_response, not_found, page_of

ENTERPRISE, BETA = "/v3/enterprise", "/v3beta1/enterprise"
router = APIRouter(dependencies=[Depends(enterprise_only)])
of_organization = [Depends(known_organization)]
DAY, LONGEST_SPAN = 86400, 100 * 86400


def cycle_limit(sim: Simulation, org_id: str) -> int | None:
    """Return how many ACUs a cycle may cost in an organization; every sixth has no limit of its own."""
    place = [*sim.config.names].index(org_id)
    if place % 6 == 5:
        return None
    sessions = sum(session.org_id == org_id for session in sim.ordered)
    return max(2, int(sessions * Dice(sim.config.seed, org_id, "limit").between(0.05, 0.12))) * 10


@router.get(ENTERPRISE + "/organizations")
async def read_organizations(sim: Sim, query: Annotated[wire.PageQuery, Query()]) -> Response:
    began = int(min((session.created_at for session in sim.ordered), default=sim.now())) // DAY * DAY
    rows = [
        {
            "org_id": org_id,
            "name": name,
            "max_session_acu_limit": None,
            "max_cycle_acu_limit": cycle_limit(sim, org_id) if sim.config.organizations > 1 else None,
            "created_at": began,
            "updated_at": began,
        }
        for org_id, name in sim.config.names.items()
    ]
    return page_of("organizations", rows, query, lambda row: str(row["org_id"]))


@router.get(ENTERPRISE + "/org-group-limits")
async def read_group_limits(sim: Sim) -> Response:
    names = [*sim.config.names]
    groups = {"product": {"org_ids": names[1:4], "max_cycle_acus": 500}} if len(names) > 3 else {}
    return json_response({"groups": groups})


@router.get(ENTERPRISE + "/queue")
async def read_queue() -> Response:
    return json_response({"status": "normal"})  # no document names the field


@router.get(ENTERPRISE + "/consumption/acu-limits/devin")
async def read_acu_limits(sim: Sim, query: Annotated[wire.PageQuery, Query()]) -> Response:
    limits = {org_id: cycle_limit(sim, org_id) for org_id in sim.config.names} if sim.config.organizations > 1 else {}
    rows: list[Record] = [
        {"scope": "org", "cycle_acu_limit": limit, "org_id": org_id, "user_id": None}
        for org_id, limit in limits.items()
        if limit is not None
    ]
    total = {"scope": "enterprise", "cycle_acu_limit": 5000, "org_id": None, "user_id": None}
    return page_of("acu-limits", [total, *rows], query, lambda row: str(row["org_id"]))


# --- logs ---


def _page(
    kind: str, key: str, rows: list[Record], query: wire.LogsQuery, org_id: str | None, *tests: Callable[[Record], bool]
) -> Response:
    """Answer with a page of a log; its span is checked as the service does."""
    after, before = query.time_after, query.time_before
    if before is not None and after is None:
        raise invalid(("query", "time_before"), "time_before needs time_after")
    if after is not None and before is not None and before - after > LONGEST_SPAN:
        raise invalid(("query", "time_after"), "The time range must not exceed 100 days")
    found = [
        row
        for row in rows
        if org_id in (None, row["org_id"])
        and (after is None or row["created_at"] >= after)
        and (before is None or row["created_at"] < before)
        and all(test(row) for test in tests)
    ]
    found.sort(key=lambda row: (row["created_at"], str(row[key])), reverse=query.order != "asc")
    return page_of(kind, found, query, lambda row: str(row[key]))


def _audit_rows(sim: Simulation) -> Iterator[Record]:
    now, seen = sim.now(), set[tuple[str, str, int]]()
    for session in sim.ordered:
        user, machine = session.user_id, session.service_user_id
        who = {
            "org_id": session.org_id,
            "user_id": user,
            "user_email": f"{user.removeprefix('user-')}@example.com" if user else None,
            "service_user_id": machine,
            "service_user_name": machine.removeprefix("service-user-") if machine else None,
        }
        day = int(session.created_at) // DAY
        if user and (session.org_id, user, day) not in seen:
            seen.add((session.org_id, user, day))
            yield _audit(session, "login", session.created_at - 300, {}, who)
        yield _audit(session, "create_session", session.created_at, {"session_id": f"devin-{session.id}"}, who)
        last = session.timeline.frame_at(now)
        if last.status == "exit":
            yield _audit(session, "terminate_session", last.at, {"session_id": f"devin-{session.id}"}, who)
        elif last.status == "suspended" and last.at <= now:
            yield _audit(session, "sleep_session", last.at, {"session_id": f"devin-{session.id}"}, who)


def _audit(session: Session, action: str, at: float, data: Record, who: Record) -> Record:
    identifier = f"audit-{digest(session.id, action)[:24]}"
    return {"audit_log_id": identifier, "action": action, "created_at": int(at), "data": data, **who}


async def _read_audit_logs(sim: Sim, query: Annotated[wire.AuditLogsQuery, Query()]) -> Response:
    return _audit_page(sim, query, None)


async def _read_organization_audit_logs(
    sim: Sim, org_id: str, query: Annotated[wire.AuditLogsQuery, Query()]
) -> Response:
    return _audit_page(sim, query, org_id)


def _audit_page(sim: Simulation, query: wire.AuditLogsQuery, org_id: str | None) -> Response:
    rows = [*_audit_rows(sim)]
    return _page("audit-logs", "audit_log_id", rows, query, org_id, lambda row: query.action in (None, row["action"]))


_GUARDRAILS = (
    ("guardrail-secrets", "No secrets in messages", "block_message", "The message holds what looks like a password"),
    ("guardrail-production", "No changes in production", "kill_session", "The message asks for a change in production"),
    ("guardrail-personal", "No personal data", "warn_user", "The message names a customer"),
    ("guardrail-scope", "Stay with the task", "log_only", "The message leaves the task of the session"),
)


def _violations(sim: Simulation) -> Iterator[Record]:
    for session in sim.ordered:
        dice = Dice(session.seed, "guardrail")
        if session.order >= 0 or not dice.chance(0.03):
            continue
        identifier, name, action, why = dice.pick(_GUARDRAILS)
        yield {
            "violation_id": int(session.id[:12], 16),
            "guardrail_id": identifier,
            "guardrail_name": name,
            "action_taken": action,
            "confidence_score": round(dice.between(0.7, 0.99), 2),
            "reasoning": why,
            "user_message": str(session.request["prompt"]),
            "event_id": session.timeline.messages[0].event_id,
            "session_id": None if action == "block_message" else f"devin-{session.id}",
            "org_id": session.org_id,
            "created_at": int(session.created_at),
        }


def _violations_page(sim: Simulation, query: wire.GuardrailsQuery, org_id: str | None) -> Response:
    def fits(row: Record) -> bool:
        wanted = query.session_id and f"devin-{query.session_id.removeprefix('devin-')}"
        return wanted in (None, row["session_id"]) and query.guardrail_id in (None, row["guardrail_id"])

    return _page("violations", "violation_id", [*_violations(sim)], query, org_id, fits)


async def _read_violations(sim: Sim, query: Annotated[wire.GuardrailsQuery, Query()]) -> Response:
    return _violations_page(sim, query, None)


async def _read_organization_violations(
    sim: Sim, org_id: str, query: Annotated[wire.GuardrailsQuery, Query()]
) -> Response:
    return _violations_page(sim, query, org_id)


# --- people and Git hosts ---

_MACHINES: dict[str, Record] = {
    name: {
        "service_user_id": name,
        "name": name.removeprefix("service-user-"),
        "expires_at": None,
        "deleted_at": None,
        "role_assignments": [],
    }
    for name in (SERVICE_USER, *SERVICE_USERS)
}


@router.get(ENTERPRISE + "/members/users")
async def read_enterprise_members(sim: Sim, query: Annotated[wire.MembersQuery, Query()]) -> Response:
    rows = [member(user, sim.config.org) for user in ("user-simulator", *USERS)]
    found = [row for row in rows if query.email in (None, row["email"])]
    return page_of("members", found, query, lambda row: str(row["user_id"]))


@router.get(ENTERPRISE + "/members/service-users")
async def read_service_users(query: Annotated[wire.ServiceUsersQuery, Query()]) -> Response:
    return page_of("service-users", [*_MACHINES.values()], query, lambda row: str(row["service_user_id"]))


CONNECTION = {
    "git_connection_id": "git-connection-simulator",
    "git_provider_type": "github_app",
    "host": "github.com",
    "name": "acme",
    "created_at": 1_735_689_600,
}


@router.get(ENTERPRISE + "/git-providers/connections")
async def read_connections(query: Annotated[wire.PageQuery, Query()]) -> Response:
    return page_of("connections", [CONNECTION], query, lambda row: str(row["git_connection_id"]))


@router.get(ENTERPRISE + "/git-providers/connections/{connection_id}/repositories")
async def read_connection_repositories(
    sim: Sim, connection_id: str, query: Annotated[wire.ConnectionRepositoriesQuery, Query()]
) -> Response:
    if connection_id != CONNECTION["git_connection_id"]:
        raise not_found("Connection")
    word = (query.filter_name or "").lower()
    found = [path for path in sorted(LISTED) if word in path.lower()]
    return page_of("connection-repositories", found, query, str, lambda path: repository(sim, path))


_METRICS: tuple[tuple[str, Any], ...] = (
    ("usage", v3_metrics.read_usage),
    ("sessions", v3_metrics.read_session_metrics),
    ("prs", v3_metrics.read_pr_metrics),
    ("searches", v3_metrics.read_search_metrics),
    ("dau", v3_metrics.read_daily_users),
    ("wau", v3_metrics.read_weekly_users),
    ("mau", v3_metrics.read_monthly_users),
    ("active-users", v3_metrics.read_active_users),
)
for path, route in (
    *((f"{ENTERPRISE}/metrics/{name}", route) for name, route in _METRICS),
    (ENTERPRISE + "/audit-logs", _read_audit_logs),
    (ENTERPRISE + "/pr-reviews", read_review),
    (BETA + "/guardrail-violations", _read_violations),
):
    router.add_api_route(path, route, methods=["GET"])
for path, route in (
    (ENTERPRISE + "/organizations/{org_id}/audit-logs", _read_organization_audit_logs),
    (BETA + "/organizations/{org_id}/guardrail-violations", _read_organization_violations),
):
    router.add_api_route(path, route, methods=["GET"], dependencies=of_organization)
