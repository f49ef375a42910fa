"""Insights of v3: what was found out about a session, once somebody asked for it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from devin_jupyter.models.v3 import SessionsQuery
from devin_jupyter.simulator.ids import Dice
from devin_jupyter.simulator.listing import list_sessions
from devin_jupyter.simulator.problems import Problem, json_bytes, json_response
from devin_jupyter.simulator.resources.analysis import analysis_of
from devin_jupyter.simulator.sessions import Session
from devin_jupyter.simulator.sessions_v3 import SESSION, SESSIONS, find
from devin_jupyter.simulator.store import Store, StoreDep

router = APIRouter()
ANALYSIS_SECONDS = 60.0
"""How long an analysis takes at speed 1."""
_SIZES = (("xs", 1.0), ("s", 3.0), ("m", 10.0), ("l", 20.0))


def size_of(acus: float) -> str:
    """Return the size of a session that consumed so much."""
    return next((size for size, limit in _SIZES if acus <= limit), "xl")


def _counts(session: Session, now: float) -> dict[str, int]:
    sources = [word.source for word in session.timeline.said(now)]
    return {"num_devin_messages": sources.count("devin"), "num_user_messages": sources.count("user")}


def _asked(store: Store, session: Session) -> float | None:
    """Return when the analysis was asked for; many of the preloaded sessions have one already."""
    kept = store.table("insights").get(session.id)
    if kept is not None:
        return float(kept["asked"])
    return session.created_at if session.order < 0 and Dice(session.seed, "analysed").chance(0.6) else None


def _view(store: Store, session: Session, now: float) -> dict[str, Any]:
    asked = _asked(store, session)
    ready = asked is not None and now >= asked + ANALYSIS_SECONDS / store.config.speed
    return {
        **session.view(now),
        **_counts(session, now),
        "session_size": size_of(session.timeline.frame(now).acus),
        "analysis": analysis_of(session, now) if ready else None,
    }


@router.get(SESSIONS + "/insights")
async def read_all_insights(store: StoreDep, query: Annotated[SessionsQuery, Query()]) -> Response:
    """Answer a page of sessions with their insights."""
    return list_sessions(store, query, lambda session, now: json_bytes(_view(store, session, now)))


@router.get(SESSION + "/insights")
async def read_insights(store: StoreDep, devin_id: str) -> Response:
    """Answer one session with its insights."""
    return json_response(_view(store, find(store, devin_id), store.now()))


@router.post(SESSION + "/insights/generate")
async def generate_insights(store: StoreDep, devin_id: str) -> Response:
    """Start the analysis of a session, unless there is one or it is on its way."""
    session, now = find(store, devin_id), store.now()
    if not _counts(session, now)["num_devin_messages"]:
        raise Problem(409, "The session has no message by Devin yet and is not eligible for insights")
    status = "already_exists" if _asked(store, session) is not None else "started"
    if status == "started":
        store.table("insights")[session.id] = {"asked": now}
    return json_response({"session_id": session.id, "status": status})
