"""What a key of an enterprise may see: its organizations, and across them sessions and consumption.

The simulated enterprise has one organization, so the routes are those of the organization under other paths.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from itertools import pairwise
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from devin_jupyter.models.figures import DaysQuery
from devin_jupyter.models.v3 import PageQuery, SessionsQuery
from devin_jupyter.simulator import sessions_v3
from devin_jupyter.simulator.listing import list_sessions
from devin_jupyter.simulator.pages import page_of
from devin_jupyter.simulator.problems import Problem, not_found
from devin_jupyter.simulator.resources import consumption, files, insights
from devin_jupyter.simulator.store import Store, StoreDep

ENTERPRISE = "/v3/enterprise"
SESSION = ENTERPRISE + "/sessions/{devin_id}"
DAILY = ENTERPRISE + "/consumption/daily"
CYCLES = 12


class EnterpriseSessionsQuery(SessionsQuery):
    """The filters of sessions, and of organizations."""

    org_ids: list[str] | None = None


async def enterprise_only(store: StoreDep) -> None:
    """Refuse every key that belongs to an organization."""
    if not store.config.is_enterprise:
        raise Problem(403, "This endpoint needs an enterprise service user")


async def in_organization(store: StoreDep, org_id: Annotated[str | None, Query()] = None) -> None:
    """Take the query `org_id`, which narrows the search to an organization."""
    if org_id is not None and org_id != store.config.org:
        raise not_found("Session")


router = APIRouter(dependencies=[Depends(enterprise_only)])


@router.get(ENTERPRISE + "/organizations")
async def read_organizations(store: StoreDep, query: Annotated[PageQuery, Query()]) -> Response:
    """Answer a page of organizations, which holds the one there is."""
    row = {"name": "Simulated organization", "max_session_acu_limit": None, "max_cycle_acu_limit": None}
    return page_of("organizations", [store.config.org], query, str, lambda org_id: {"org_id": org_id, **row})


@router.get(ENTERPRISE + "/sessions")
async def read_sessions(store: StoreDep, query: Annotated[EnterpriseSessionsQuery, Query()]) -> Response:
    """Answer a page of sessions, newest first."""
    if query.org_ids is not None and store.config.org not in query.org_ids:
        query.session_ids = []
    return list_sessions(store, query)


@router.get(ENTERPRISE + "/consumption/cycles")
async def read_cycles(store: StoreDep, query: Annotated[PageQuery, Query()]) -> Response:
    """Answer a page of billing cycles, which are calendar months, newest first."""
    return page_of("cycles", _cycles(store), query, lambda cycle: str(cycle["after"]), dict)


def _cycles(store: Store) -> list[dict[str, int]]:
    now = datetime.fromtimestamp(store.now(), UTC)
    month = now.year * 12 + now.month
    starts = [_first_of(month + 1 - back) for back in range(CYCLES + 1)]
    return [{"after": start, "before": end} for end, start in pairwise(starts)]


def _first_of(month: int) -> int:
    """Return when a month begins, given as twelve times the year plus the month."""
    return int(datetime((month - 1) // 12, (month - 1) % 12 + 1, 1, tzinfo=UTC).timestamp()) + consumption.DAY_STARTS


async def read_organization_daily(store: StoreDep, org_id: str, query: Annotated[DaysQuery, Query()]) -> Response:
    """Answer what an organization consumed, by day."""
    if org_id != store.config.org:
        raise not_found("Organization")
    return await consumption.read_daily(store, query)


Route = Callable[..., Coroutine[Any, Any, Response]]
_TWINS: tuple[tuple[str, str, Route], ...] = (
    ("GET", "", sessions_v3.read_session),
    ("GET", "/messages", sessions_v3.read_messages),
    ("POST", "/messages", sessions_v3.send_message),
    ("GET", "/attachments", files.read_session_files),
    ("GET", "/insights", insights.read_insights),
    ("POST", "/insights/generate", insights.generate_insights),
    ("GET", "/tags", sessions_v3.read_tags),
    ("POST", "/tags", sessions_v3.append_tags),
    ("PUT", "/tags", sessions_v3.replace_tags),
)
_FIGURES: tuple[tuple[str, Route], ...] = (
    ("", consumption.read_daily),
    ("/organizations/{org_id}", read_organization_daily),
    ("/users/{user_id}", consumption.read_user),
    ("/service-users/{service_user_id}", consumption.read_service_user),
    ("/sessions/{session_id}", consumption.read_session_daily),
)
for method, path, route in _TWINS:
    router.add_api_route(SESSION + path, route, methods=[method], dependencies=[Depends(in_organization)])
for path, route in _FIGURES:
    router.add_api_route(DAILY + path, route, methods=["GET"])
