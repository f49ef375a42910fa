"""The organisations a key can see: an enterprise-level key lists them, any other is refused."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from devin_jupyter.models.v3 import PageQuery
from devin_jupyter.simulator.pages import page_of
from devin_jupyter.simulator.problems import Problem
from devin_jupyter.simulator.store import StoreDep

router = APIRouter()


@router.get("/v3/enterprise/organizations")
async def read_organizations(store: StoreDep, query: Annotated[PageQuery, Query()]) -> Response:
    """Answer a page of organisations, which holds the one there is."""
    if not store.config.is_enterprise:
        raise Problem(403, "This endpoint needs an enterprise service user")
    row = {"name": "Simulated organisation", "max_session_acu_limit": None, "max_cycle_acu_limit": None}
    return page_of("organizations", [store.config.org], query, str, lambda org_id: {"org_id": org_id, **row})
