"""The v3 routes of consumption and metrics, for an organization and for the key of an enterprise.

Every ACU is counted once, when it was spent. Windows are half-open. There are no searches.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from math import fsum
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from devin_jupyter.simulator import v3_organization, v3_resources, v3_sessions, wire
from devin_jupyter.simulator.engine import DAY, SERVICE_USER, Simulation
from devin_jupyter.simulator.sessions import Pull, Session
from devin_jupyter.simulator.v3_sessions import ORG, Sim, find, size_of
from devin_jupyter.simulator.wire import json_response, not_found, page_of

router = APIRouter()
DAILY = ORG + "/consumption/daily"
METRICS = ORG + "/metrics"
DAY_STARTS = 8 * 3600
"""Days begin at 08:00 UTC, which is midnight in San Francisco in winter."""
PERIODS_MAX = 1000
"""A window of more periods than this is cut to the time in which there are sessions."""
_DIGITS = 6
_ORIGINS = ("webapp", "slack", "teams", "api", "linear", "jira", "automation", "desktop")
_SIZES = ("xs", "s", "m", "l", "xl")


def _day_of(moment: float) -> int:
    """When the day of a moment began."""
    return int((moment - DAY_STARTS) // DAY * DAY + DAY_STARTS)


def _in_window(moment: float, query: wire.DaysQuery | wire.WindowQuery) -> bool:
    after = query.time_after is None or moment >= query.time_after
    return after and (query.time_before is None or moment < query.time_before)


# --- consumption ---


def _consumption(sim: Simulation, sessions: Iterable[Session], query: wire.DaysQuery) -> Response:
    now = sim.now()
    days: defaultdict[int, list[float]] = defaultdict(list)
    for session in sessions:
        seen = 0.0
        for frame in session.timeline.frames:
            if frame.at > now:
                break
            if frame.acus != seen:
                if _in_window(frame.at, query):
                    days[_day_of(frame.at)].append(frame.acus - seen)
                seen = frame.acus
    sums = {day: round(fsum(parts), _DIGITS) for day, parts in sorted(days.items())}
    others = {"cascade": 0.0, "terminal": 0.0, "review": 0.0}
    by_date = [{"date": day, "acus": acus, "acus_by_product": {"devin": acus, **others}} for day, acus in sums.items()]
    return json_response({"total_acus": round(fsum(sums.values()), _DIGITS), "consumption_by_date": by_date})


@router.get(DAILY)
async def read_daily(sim: Sim, query: Annotated[wire.DaysQuery, Query()]) -> Response:
    return _consumption(sim, sim.ordered, query)


@router.get(DAILY + "/users/{user_id}")
async def read_user_daily(sim: Sim, user_id: str, query: Annotated[wire.DaysQuery, Query()]) -> Response:
    theirs = [session for session in sim.ordered if session.user_id == user_id]
    if not theirs:
        raise not_found("User")
    return _consumption(sim, theirs, query)


@router.get(DAILY + "/service-users/{service_user_id}")
async def read_service_user_daily(
    sim: Sim, service_user_id: str, query: Annotated[wire.DaysQuery, Query()]
) -> Response:
    theirs = [session for session in sim.ordered if session.service_user_id == service_user_id]
    if not theirs and service_user_id != SERVICE_USER:
        raise not_found("Service user")
    return _consumption(sim, theirs, query)


@router.get(DAILY + "/sessions/{session_id}")
async def read_session_daily(sim: Sim, session_id: str, query: Annotated[wire.DaysQuery, Query()]) -> Response:
    return _consumption(sim, [find(sim, session_id)], query)


# --- metrics ---


def _created(sim: Simulation, query: wire.DaysQuery | wire.WindowQuery) -> list[Session]:
    return [session for session in sim.ordered if _in_window(session.created_at, query)]


def _narrowed(sessions: list[Session], query: wire.MetricsQuery) -> list[Session]:
    if query.playbook_id is not None:
        sessions = [session for session in sessions if session.playbook_id == query.playbook_id]
    if query.user_ids is None and query.service_user_ids is None:
        return sessions
    people, machines = query.user_ids or [], query.service_user_ids or []
    return [session for session in sessions if session.user_id in people or session.service_user_id in machines]


def _opened(sessions: list[Session], query: wire.DaysQuery | wire.WindowQuery, now: float) -> list[Pull]:
    pulls = (pull for session in sessions for pull in session.timeline.pulls_at(now))
    return [pull for pull in pulls if _in_window(pull.at, query)]


@router.get(METRICS + "/usage")
async def read_usage(sim: Sim, query: Annotated[wire.DaysQuery, Query()]) -> Response:
    now = sim.now()
    states = [pull.state(now) for pull in _opened(sim.ordered, query, now)]
    counts = {"sessions_count": len(_created(sim, query)), "searches_count": 0}
    return json_response({**counts, "prs_created_count": len(states), "prs_merged_count": states.count("merged")})


@router.get(METRICS + "/sessions")
async def read_session_metrics(sim: Sim, query: Annotated[wire.MetricsQuery, Query()]) -> Response:
    now, sessions = sim.now(), _narrowed(_created(sim, query), query)
    merged = [
        session for session in sessions if any(pull.state(now) == "merged" for pull in session.timeline.pulls_at(now))
    ]
    origins = Counter(session.origin for session in sessions)
    acus = sum(session.timeline.frame_at(now).acus for session in sessions)

    def by_size(some: list[Session]) -> dict[str, int]:
        sizes = Counter(size_of(session.timeline.frame_at(now).acus) for session in some)
        return {size: sizes[size] for size in _SIZES}

    return json_response(
        {
            "sessions_created_count": len(sessions),
            "sessions_created_with_playbook_count": sum(session.playbook_id is not None for session in sessions),
            "sessions_created_with_search_count": 0,
            "sessions_created_by_origin": {origin: origins[origin] for origin in _ORIGINS},
            "sessions_created_by_size": by_size(sessions),
            "sessions_with_merged_prs_count": len(merged),
            "sessions_with_merged_prs_by_size": by_size(merged),
            "avg_acus_per_session": round(acus / len(sessions), 6) if sessions else 0.0,
        }
    )


@router.get(METRICS + "/prs")
async def read_pr_metrics(sim: Sim, query: Annotated[wire.MetricsQuery, Query()]) -> Response:
    now = sim.now()
    states = Counter(pull.state(now) for pull in _opened(_narrowed(sim.ordered, query), query, now))
    counts = {f"prs_{name}_count": states[state] for name, state in (("opened", "open"), ("closed", "closed"))}
    counts = {"prs_created_count": states.total(), **counts, "prs_merged_count": states["merged"]}
    taken_over = ("taken_over", "taken_over_opened", "taken_over_closed", "taken_over_merged")
    return json_response({**counts, **{f"prs_{name}_count": 0 for name in taken_over}})


@router.get(METRICS + "/searches")
async def read_search_metrics(query: Annotated[wire.WindowQuery, Query()]) -> Response:
    return json_response({"searches_created_count": 0})


@router.get(METRICS + "/dau")
async def read_daily_users(sim: Sim, query: Annotated[wire.ActiveQuery, Query()]) -> Response:
    return json_response(list(_by_period(sim, query, DAY)))


@router.get(METRICS + "/wau")
async def read_weekly_users(sim: Sim, query: Annotated[wire.ActiveQuery, Query()]) -> Response:
    return json_response(list(_by_period(sim, query, 7 * DAY)))


@router.get(METRICS + "/mau")
async def read_monthly_users(sim: Sim, query: Annotated[wire.ActiveQuery, Query()]) -> Response:
    return json_response(list(_by_period(sim, query, 30 * DAY)))


@router.get(METRICS + "/active-users")
async def read_active_users(sim: Sim, query: Annotated[wire.ActiveQuery, Query()]) -> Response:
    return json_response(_active(_created(sim, query), query, query.time_after, query.time_before))


def _by_period(sim: Simulation, query: wire.ActiveQuery, length: int) -> Iterator[dict[str, int]]:
    """Return the active users of every period of this length, in seconds."""
    sessions = _created(sim, query)
    start = _day_of(query.time_after)
    stop = query.time_before if query.time_before > query.time_after else start
    if (stop - start) // length > PERIODS_MAX:
        start = _day_of(sessions[0].created_at) if sessions else start
        stop = min(stop, int(sim.now()) + DAY) if sessions else start
    buckets: defaultdict[int, list[Session]] = defaultdict(list)
    for session in sessions:
        buckets[int(session.created_at - start) // length].append(session)
    for number, begin in enumerate(range(start, stop, length)):
        yield _active(buckets[number], query, begin, begin + length)


def _active(sessions: list[Session], query: wire.ActiveQuery, start: int, end: int) -> dict[str, int]:
    """A user is active who started enough sessions; there are no searches here."""
    enough = 1 if query.min_sessions is None else query.min_sessions
    started = Counter(session.user_id or session.service_user_id for session in sessions)
    active = sum(count >= enough for count in started.values()) if (query.min_searches or 0) <= 0 else 0
    return {"start_time": start, "end_time": end, "active_users": active}


# --- the enterprise: its routes are those of an organization under other paths, over the sessions of all ---

ENTERPRISE = "/v3/enterprise"
CYCLES = 12


async def _in_organization(sim: Sim, org_id: Annotated[str | None, Query()] = None) -> None:
    """Take the query `org_id`, which narrows the search to an organization."""
    if org_id is not None and org_id not in sim.config.names:
        raise not_found("Session")


enterprise = APIRouter(dependencies=[Depends(v3_organization.enterprise_only)])


@enterprise.get(ENTERPRISE + "/sessions")
async def read_enterprise_sessions(sim: Sim, query: Annotated[wire.EnterpriseSessionsQuery, Query()]) -> Response:
    if query.org_ids is not None:
        sim.ordered = [session for session in sim.ordered if session.org_id in query.org_ids]
        sim.sessions = {session.id: session for session in sim.ordered}
    return v3_sessions.list_sessions(sim, query)


@enterprise.get(ENTERPRISE + "/consumption/cycles")
async def read_cycles(sim: Sim, query: Annotated[wire.PageQuery, Query()]) -> Response:
    """Answer with a page of billing cycles, which are calendar months, newest first."""
    now = datetime.fromtimestamp(sim.now(), UTC)
    months = [divmod(now.year * 12 + now.month - back, 12) for back in range(CYCLES + 1)]
    starts = [int(datetime(year, month + 1, 1, tzinfo=UTC).timestamp()) + DAY_STARTS for year, month in months]
    cycles: list[dict[str, int]] = [{"after": start, "before": end} for end, start in pairwise(starts)]
    return page_of("cycles", cycles, query, lambda cycle: str(cycle["after"]))


async def read_organization_daily(sim: Sim, org_id: str, query: Annotated[wire.DaysQuery, Query()]) -> Response:
    await v3_organization.known_organization(sim, org_id)
    return _consumption(sim, [session for session in sim.ordered if session.org_id == org_id], query)


_OF_SESSIONS: tuple[tuple[str, str, Any], ...] = (
    ("GET", "", v3_sessions.read_session),
    ("GET", "/messages", v3_sessions.read_messages),
    ("POST", "/messages", v3_sessions.send_message),
    ("GET", "/attachments", v3_resources.read_session_files),
    ("GET", "/insights", v3_sessions.read_insights),
    ("POST", "/insights/generate", v3_sessions.generate_insights),
    ("GET", "/tags", v3_sessions.read_tags),
    ("POST", "/tags", v3_sessions.append_tags),
    ("PUT", "/tags", v3_sessions.replace_tags),
)
_OF_CONSUMPTION: tuple[tuple[str, Any], ...] = (
    ("", read_daily),
    ("/organizations/{org_id}", read_organization_daily),
    ("/users/{user_id}", read_user_daily),
    ("/service-users/{service_user_id}", read_service_user_daily),
    ("/sessions/{session_id}", read_session_daily),
)
for method, path, route in _OF_SESSIONS:
    enterprise.add_api_route(
        f"{ENTERPRISE}/sessions/{{devin_id}}{path}", route, methods=[method], dependencies=[Depends(_in_organization)]
    )
for path, route in _OF_CONSUMPTION:
    enterprise.add_api_route(f"{ENTERPRISE}/consumption/daily{path}", route, methods=["GET"])
