"""Daily consumption of v3, summed from what the simulated sessions show: every ACU is counted once, when it was spent.

Days begin at 08:00 UTC, which is midnight in San Francisco in winter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from math import fsum
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from devin_jupyter.models.figures import DaysQuery, WindowQuery
from devin_jupyter.simulator.engine import SERVICE_USER
from devin_jupyter.simulator.problems import json_response, not_found
from devin_jupyter.simulator.resources.records import ORG
from devin_jupyter.simulator.sessions import Session
from devin_jupyter.simulator.sessions_v3 import find
from devin_jupyter.simulator.store import Store, StoreDep

router = APIRouter()
DAILY = ORG + "/consumption/daily"
DAY = 86400
DAY_STARTS = 8 * 3600
_DIGITS = 6


def day_of(moment: float) -> int:
    """Return when the day of a moment began."""
    return int((moment - DAY_STARTS) // DAY * DAY + DAY_STARTS)


def spending(session: Session, now: float) -> Iterator[tuple[float, float]]:
    """Yield when a session consumed how many ACUs, up to now."""
    seen = 0.0
    for frame in session.timeline.frames:
        if frame.at > now:
            return
        if frame.acus != seen:
            yield frame.at, frame.acus - seen
            seen = frame.acus


def in_window(moment: float, query: DaysQuery | WindowQuery) -> bool:
    """Tell whether a moment lies in the half-open window of a query."""
    after = query.time_after is None or moment >= query.time_after
    return after and (query.time_before is None or moment < query.time_before)


def _answer(store: Store, sessions: Iterable[Session], query: DaysQuery) -> Response:
    now = store.now()
    days: defaultdict[int, list[float]] = defaultdict(list)
    for session in sessions:
        for moment, acus in spending(session, now):
            if in_window(moment, query):
                days[day_of(moment)].append(acus)
    sums = {day: round(fsum(parts), _DIGITS) for day, parts in sorted(days.items())}
    by_date = [
        {
            "date": day,
            "acus": acus,
            "acus_by_product": {"devin": acus, "cascade": 0.0, "terminal": 0.0, "review": 0.0},
        }
        for day, acus in sums.items()
    ]
    return json_response({"total_acus": round(fsum(sums.values()), _DIGITS), "consumption_by_date": by_date})


@router.get(DAILY)
async def read_daily(store: StoreDep, query: Annotated[DaysQuery, Query()]) -> Response:
    """Answer what the organization consumed, by day."""
    return _answer(store, store.engine.ordered, query)


@router.get(DAILY + "/users/{user_id}")
async def read_user(store: StoreDep, user_id: str, query: Annotated[DaysQuery, Query()]) -> Response:
    """Answer what the sessions of a user consumed, by day."""
    mine = [session for session in store.engine.ordered if session.user_id == user_id]
    if not mine:
        raise not_found("User")
    return _answer(store, mine, query)


@router.get(DAILY + "/service-users/{service_user_id}")
async def read_service_user(store: StoreDep, service_user_id: str, query: Annotated[DaysQuery, Query()]) -> Response:
    """Answer what the sessions of a service user consumed, by day."""
    mine = [session for session in store.engine.ordered if session.service_user_id == service_user_id]
    if not mine and service_user_id != SERVICE_USER:
        raise not_found("Service user")
    return _answer(store, mine, query)


@router.get(DAILY + "/sessions/{session_id}")
async def read_session_daily(store: StoreDep, session_id: str, query: Annotated[DaysQuery, Query()]) -> Response:
    """Answer what one session consumed, by day."""
    return _answer(store, [find(store, session_id)], query)
