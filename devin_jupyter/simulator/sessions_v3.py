"""The routes of the v3 session core: self, sessions, messages, tags, terminate, archive."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Query
from starlette.responses import Response

from devin_jupyter.models.v3 import TAGS_MAX, MessageCreate, PageQuery, SessionCreate, SessionsQuery, TagsUpdate
from devin_jupyter.simulator import schemas
from devin_jupyter.simulator.engine import SERVICE_USER
from devin_jupyter.simulator.listing import list_sessions
from devin_jupyter.simulator.pages import page_of
from devin_jupyter.simulator.problems import Problem, invalid, json_response, not_found
from devin_jupyter.simulator.sessions import Session
from devin_jupyter.simulator.store import Store, StoreDep
from devin_jupyter.simulator.timeline import Word

router = APIRouter()
SESSIONS = "/v3/organizations/{org_id}/sessions"
SESSION = SESSIONS + "/{devin_id}"
PLATFORMS = ("linux", "windows")
"""The platform labels of the simulated organization; `inherit` means none."""
UNCONNECTED = "unconnected/"
"""Repositories of this owner are not connected to the simulated organization."""


def find(store: Store, devin_id: str) -> Session:
    """Return the session for the id of a path; raises the 404."""
    if store.config.strict_ids and not devin_id.startswith("devin-"):
        raise not_found("Session")
    session = store.sessions.get(devin_id.removeprefix("devin-"))
    if session is None:
        raise not_found("Session")
    return session


def check_create(body: SessionCreate) -> None:
    """Raise what the service answers to a body that is well-formed and still wrong."""
    if body.structured_output_schema is not None:
        problem = schemas.problem_of(body.structured_output_schema)
        if problem:
            raise invalid(("body", "structured_output_schema"), problem)
    if body.platform is not None and body.platform.lower() not in (*PLATFORMS, "inherit"):
        raise Problem(400, f"Unknown platform {body.platform!r}. Available platforms: {', '.join(PLATFORMS)}")
    for repo in body.repos or ():
        if repo.startswith(UNCONNECTED):
            raise Problem(400, f"Repository {repo!r} is not connected to this organization")


@router.get("/v3/self")
async def read_self(store: StoreDep) -> Response:
    """Answer who the key belongs to."""
    return json_response(
        {
            "principal_type": "service_user",
            "service_user_id": SERVICE_USER,
            "service_user_name": "simulator",
            "org_id": None if store.config.is_enterprise else store.config.org,
        }
    )


@router.post(SESSIONS)
async def create_session(store: StoreDep, body: Annotated[SessionCreate, Body()]) -> Response:
    """Start a session."""
    check_create(body)
    session = store.engine.create(body.model_dump(exclude={"session_secrets": {"__all__": {"value"}}}))
    return json_response(session.answer(session.created_at))


@router.get(SESSIONS)
async def read_sessions(store: StoreDep, query: Annotated[SessionsQuery, Query()]) -> Response:
    """Answer a page of sessions, newest first."""
    return list_sessions(store, query)


@router.get(SESSION)
async def read_session(store: StoreDep, devin_id: str) -> Response:
    """Answer one session."""
    return Response(find(store, devin_id).read(store.now()), media_type="application/json")


@router.delete(SESSION)
async def terminate_session(store: StoreDep, devin_id: str, archive: bool = False) -> Response:
    """End a session for good."""
    session = find(store, devin_id)
    store.engine.terminate(session, archive=archive)
    return json_response(session.answer(store.now()))


@router.post(SESSION + "/archive")
async def archive_session(store: StoreDep, devin_id: str) -> Response:
    """Archive a session."""
    session = find(store, devin_id)
    store.engine.archive(session)
    return json_response(session.answer(store.now()))


@router.post(SESSION + "/unarchive")
async def unarchive_session(store: StoreDep, devin_id: str) -> Response:
    """Take a session out of the archive."""
    session = find(store, devin_id)
    store.engine.unarchive(session)
    return json_response(session.answer(store.now()))


@router.get(SESSION + "/messages")
async def read_messages(store: StoreDep, devin_id: str, query: Annotated[PageQuery, Query()]) -> Response:
    """Answer a page of messages, oldest first."""
    session = find(store, devin_id)
    words = session.timeline.said(session.moment(store.now()))
    return page_of("messages", words, query, lambda word: word.event_id, _message)


@router.post(SESSION + "/messages")
async def send_message(store: StoreDep, devin_id: str, body: Annotated[MessageCreate, Body()]) -> Response:
    """Give a message to a session."""
    session = find(store, devin_id)
    store.engine.send(session, body.message, user_id=body.message_as_user_id, files=body.attachment_urls)
    return json_response(session.answer(store.now()))


@router.get(SESSION + "/tags")
async def read_tags(store: StoreDep, devin_id: str) -> Response:
    """Answer the tags of a session."""
    return json_response({"tags": find(store, devin_id).tags})


@router.post(SESSION + "/tags")
async def append_tags(store: StoreDep, devin_id: str, body: Annotated[TagsUpdate, Body()]) -> Response:
    """Add tags to a session."""
    session = find(store, devin_id)
    tags = list(dict.fromkeys([*session.tags, *body.tags]))
    if len(tags) > TAGS_MAX:
        raise invalid(("body", "tags"), f"A session has at most {TAGS_MAX} tags", "too_long")
    store.engine.tag(session, tags)
    return json_response({"tags": session.tags})


@router.put(SESSION + "/tags")
async def replace_tags(store: StoreDep, devin_id: str, body: Annotated[TagsUpdate, Body()]) -> Response:
    """Replace the tags of a session."""
    session = find(store, devin_id)
    store.engine.tag(session, body.tags)
    return json_response({"tags": session.tags})


def _message(word: Word) -> dict[str, object]:
    return {"event_id": word.event_id, "source": word.source, "message": word.text, "created_at": int(word.at)}
