"""Metrics of v3, counted over the simulated sessions. Windows are half-open; nobody searches in a simulation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from devin_jupyter.models.figures import ActiveQuery, DaysQuery, MetricsQuery, SessionsByOrigin, WindowQuery
from devin_jupyter.simulator.problems import json_response
from devin_jupyter.simulator.resources.consumption import DAY, day_of, in_window
from devin_jupyter.simulator.resources.insights import size_of
from devin_jupyter.simulator.resources.records import ORG
from devin_jupyter.simulator.sessions import Session
from devin_jupyter.simulator.store import Store, StoreDep
from devin_jupyter.simulator.timeline import Pull

router = APIRouter()
METRICS = ORG + "/metrics"
STRETCHES_MAX = 1000
"""A window of more stretches than this is cut to the time in which there are sessions."""
_SIZES = ("xs", "s", "m", "l", "xl")


def _created(store: Store, query: DaysQuery | WindowQuery) -> list[Session]:
    return [session for session in store.engine.ordered if in_window(session.created_at, query)]


def _of(sessions: list[Session], query: MetricsQuery) -> list[Session]:
    if query.playbook_id is not None:
        sessions = [session for session in sessions if session.playbook_id == query.playbook_id]
    if query.user_ids is None and query.service_user_ids is None:
        return sessions
    people, machines = query.user_ids or [], query.service_user_ids or []
    return [session for session in sessions if session.user_id in people or session.service_user_id in machines]


def _opened(sessions: list[Session], query: DaysQuery | WindowQuery, now: float) -> list[Pull]:
    pulls = (pull for session in sessions for pull in session.timeline.opened(now))
    return [pull for pull in pulls if in_window(pull.at, query)]


def _is_merged(session: Session, now: float) -> bool:
    return any(pull.state(now) == "merged" for pull in session.timeline.opened(now))


@router.get(METRICS + "/usage")
async def read_usage(store: StoreDep, query: Annotated[DaysQuery, Query()]) -> Response:
    """Answer the counts of a window."""
    now = store.now()
    states = [pull.state(now) for pull in _opened(store.engine.ordered, query, now)]
    counts = {"sessions_count": len(_created(store, query)), "searches_count": 0}
    return json_response({**counts, "prs_created_count": len(states), "prs_merged_count": states.count("merged")})


@router.get(METRICS + "/sessions")
async def read_session_metrics(store: StoreDep, query: Annotated[MetricsQuery, Query()]) -> Response:
    """Answer what was started in a window."""
    now, sessions = store.now(), _of(_created(store, query), query)
    merged = [session for session in sessions if _is_merged(session, now)]
    origins = Counter(session.origin for session in sessions)
    acus = sum(session.timeline.frame(now).acus for session in sessions)
    return json_response(
        {
            "sessions_created_count": len(sessions),
            "sessions_created_with_playbook_count": sum(session.playbook_id is not None for session in sessions),
            "sessions_created_with_search_count": 0,
            "sessions_created_by_origin": {origin: origins[origin] for origin in SessionsByOrigin.model_fields},
            "sessions_created_by_size": _by_size(sessions, now),
            "sessions_with_merged_prs_count": len(merged),
            "sessions_with_merged_prs_by_size": _by_size(merged, now),
            "avg_acus_per_session": round(acus / len(sessions), 6) if sessions else 0.0,
        }
    )


def _by_size(sessions: list[Session], now: float) -> dict[str, int]:
    sizes = Counter(size_of(session.timeline.frame(now).acus) for session in sessions)
    return {size: sizes[size] for size in _SIZES}


@router.get(METRICS + "/prs")
async def read_pr_metrics(store: StoreDep, query: Annotated[MetricsQuery, Query()]) -> Response:
    """Answer what became of the pull requests of a window."""
    now = store.now()
    states = Counter(pull.state(now) for pull in _opened(_of(store.engine.ordered, query), query, now))
    return json_response(
        {
            "prs_created_count": states.total(),
            "prs_opened_count": states["open"],
            "prs_closed_count": states["closed"],
            "prs_merged_count": states["merged"],
            "prs_taken_over_count": 0,
            "prs_taken_over_opened_count": 0,
            "prs_taken_over_closed_count": 0,
            "prs_taken_over_merged_count": 0,
        }
    )


@router.get(METRICS + "/searches")
async def read_search_metrics(query: Annotated[WindowQuery, Query()]) -> Response:
    """Answer the searches of a window."""
    return json_response({"searches_created_count": 0})


@router.get(METRICS + "/dau")
async def read_daily_users(store: StoreDep, query: Annotated[ActiveQuery, Query()]) -> Response:
    """Answer the active users of every day."""
    return json_response(list(_by_stretch(store, query, DAY)))


@router.get(METRICS + "/wau")
async def read_weekly_users(store: StoreDep, query: Annotated[ActiveQuery, Query()]) -> Response:
    """Answer the active users of every stretch of seven days."""
    return json_response(list(_by_stretch(store, query, 7 * DAY)))


@router.get(METRICS + "/mau")
async def read_monthly_users(store: StoreDep, query: Annotated[ActiveQuery, Query()]) -> Response:
    """Answer the active users of every stretch of thirty days."""
    return json_response(list(_by_stretch(store, query, 30 * DAY)))


@router.get(METRICS + "/active-users")
async def read_active_users(store: StoreDep, query: Annotated[ActiveQuery, Query()]) -> Response:
    """Answer the active users of the whole window."""
    return json_response(_active(_created(store, query), query, query.time_after, query.time_before))


def _by_stretch(store: Store, query: ActiveQuery, length: int) -> Iterator[dict[str, Any]]:
    sessions = _created(store, query)
    start = day_of(query.time_after)
    stop = query.time_before if query.time_before > query.time_after else start
    if (stop - start) // length > STRETCHES_MAX:
        start = day_of(sessions[0].created_at) if sessions else start
        stop = min(stop, int(store.now()) + DAY) if sessions else start
    buckets: dict[int, list[Session]] = {}
    for session in sessions:
        buckets.setdefault(int(session.created_at - start) // length, []).append(session)
    for number, begin in enumerate(range(start, stop, length)):
        yield _active(buckets.get(number, []), query, begin, begin + length)


def _active(sessions: list[Session], query: ActiveQuery, start: int, end: int) -> dict[str, int]:
    """A user is active who started enough sessions, and searched enough, which nobody does here."""
    sessions_min = 1 if query.min_sessions is None else query.min_sessions
    started = Counter(session.user_id or session.service_user_id for session in sessions)
    active = sum(count >= sessions_min for count in started.values()) if (query.min_searches or 0) <= 0 else 0
    return {"start_time": start, "end_time": end, "active_users": active}
