"""The control endpoints for tests: counts, clock, faults, reset. No key; the gate lets this machine in only."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body
from pydantic import BaseModel, Field
from starlette.responses import Response

from devin_jupyter.simulator.faults import Rules
from devin_jupyter.simulator.problems import json_response
from devin_jupyter.simulator.store import StoreDep

router = APIRouter(prefix="/_sim")


class Advance(BaseModel):
    """The body of `POST /_sim/clock`."""

    advance: float = Field(ge=0, le=1e9, allow_inf_nan=False)


@router.get("/stats")
async def stats(store: StoreDep) -> Response:
    """Answer how often each route was asked, and how many sessions were created."""
    created = sum(session.order >= 0 for session in store.sessions.values())
    return json_response({"requests": dict(store.requests), "sessions": created})


@router.post("/clock")
async def clock(store: StoreDep, body: Annotated[Advance, Body()]) -> Response:
    """Add seconds to the simulated time."""
    store.advance(body.advance)
    return json_response({"now": store.now(), "advanced": store.clock.advanced})


@router.post("/faults")
async def faults(store: StoreDep, body: Annotated[Rules, Body()]) -> Response:
    """Replace all fault rules."""
    store.faults.replace(body.rules)
    store.engine.apply_faults()
    return json_response({"rules": [rule.model_dump(exclude_none=True) for rule in store.faults.rules]})


@router.post("/reset")
async def reset(store: StoreDep) -> Response:
    """Forget everything but the preloaded sessions."""
    store.reset()
    return json_response({"reset": True})
