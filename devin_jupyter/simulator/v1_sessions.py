"""Sessions as v1 speaks of them: the same simulated sessions, in the older shapes, under the singular path as well."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query
from starlette.responses import Response

from devin_jupyter.models.v1 import CreateSessionParams, PostMessageParams, SessionsQuery, UpdateTagsParams
from devin_jupyter.models.v3 import TAGS_MAX, SessionCreate
from devin_jupyter.models.v3 import SessionsQuery as Filters
from devin_jupyter.simulator import schemas
from devin_jupyter.simulator.listing import matching
from devin_jupyter.simulator.problems import Problem, invalid, json_response
from devin_jupyter.simulator.resources.files import attachment_lines
from devin_jupyter.simulator.resources.records import iso
from devin_jupyter.simulator.sessions import WEB_APP, Session
from devin_jupyter.simulator.sessions_v3 import find
from devin_jupyter.simulator.store import Store, StoreDep

router = APIRouter()
SESSIONS = "/v1/sessions"
PATHS = ("/v1/sessions/{session_id}", "/v1/session/{session_id}")
"""The second is an alias that early clients use."""
USER_ID, USER_EMAIL = "user-simulator", "simulator@example.com"
"""The person behind the v1 key."""
_UNLIKE = ("idempotent", "title", "tags", "max_acu_limit")
"""Fields that equivalent requests may differ in."""
_OVER = ("exit", "error")
_ENUMS: dict[tuple[str, str | None], str] = {
    ("running", "waiting_for_user"): "blocked",
    ("running", "waiting_for_approval"): "blocked",
    ("running", "finished"): "finished",
    ("suspended", "inactivity"): "suspend_requested",
    ("suspended", "user_request"): "suspend_requested_frontend",
    ("exit", "finished"): "finished",
}


def status_enum(session: Session, status: str, detail: str | None) -> str | None:
    """Return the v1 word for what v3 says in two."""
    if (status, detail) in _ENUMS:
        return _ENUMS[status, detail]
    if status == "exit":
        return "expired" if _was_terminated(session) else "finished"
    return {"running": "working", "suspended": "blocked", "resuming": "resume_requested"}.get(status)


def _was_terminated(session: Session) -> bool:
    return any(deed["kind"] == "terminate" for deed in session.deeds)


def _email(session: Session) -> str | None:
    if session.user_id is None:
        return None
    return USER_EMAIL if session.user_id == USER_ID else f"{session.user_id.removeprefix('user-')}@example.com"


def _facts(session: Session, now: float) -> dict[str, Any]:
    is_stale = session.stale_polls > 0
    view = json.loads(session.read(now))
    pulls = view["pull_requests"]
    return {
        "session_id": f"devin-{session.id}",
        "status": view["status"],
        "status_enum": status_enum(session, view["status"], view["status_detail"]),
        "title": session.title,
        "created_at": iso(session.created_at),
        "updated_at": iso(view["updated_at"] if is_stale else session.updated_at(now)),
        "snapshot_id": session.request.get("snapshot_id"),
        "playbook_id": session.playbook_id,
        "tags": list(session.tags),
        "pull_request": {"url": pulls[0]["pr_url"]} if pulls else None,
        "structured_output": view["structured_output"],
    }


def _messages(session: Session, now: float) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    for word in session.timeline.said(now):
        kind = "devin_message" if word.source == "devin" else "user_message" if messages else "initial_user_message"
        message: dict[str, Any] = {
            "type": kind,
            "event_id": word.event_id,
            "message": word.text,
            "timestamp": iso(word.at),
        }
        if word.source == "user":
            message |= {"username": _email(session), "origin": session.origin, "user_id": session.user_id}
        messages.append(message)
    return messages


def _equivalent(store: Store, body: CreateSessionParams) -> Session | None:
    wanted = _alike(body)
    mine = (session for session in store.engine.ordered if session.order >= 0 and session.api_version == "v1")
    return next((session for session in mine if session.request["alike"] == wanted), None)


def _alike(body: CreateSessionParams) -> dict[str, Any]:
    return body.model_dump(exclude={*_UNLIKE, "session_secrets"}) | {"secrets": _secret_names(body)}


def _secret_names(body: CreateSessionParams) -> list[str]:
    return [secret.key for secret in body.session_secrets or ()]


def _as_v3(body: CreateSessionParams) -> dict[str, Any]:
    """Return the request as the engine keeps it: with v3's fields, and without the values of secrets."""
    request = SessionCreate(prompt=body.prompt).model_dump()
    request |= body.model_dump(include=set(SessionCreate.model_fields), exclude={"session_secrets"})
    request["session_secrets"] = [{"key": name} for name in _secret_names(body)]
    own = {"snapshot_id": body.snapshot_id, "unlisted": body.unlisted, "alike": _alike(body)}
    return {**request, "attachment_urls": attachment_lines(body.prompt), **own}


@router.post(SESSIONS)
async def create_session(store: StoreDep, body: Annotated[CreateSessionParams, Body()]) -> Response:
    """Start a session, or answer an equivalent one where the caller said `idempotent`."""
    problem = body.structured_output_schema is not None and schemas.problem_of(body.structured_output_schema)
    if problem:
        raise invalid(("body", "structured_output_schema"), problem)
    session = _equivalent(store, body) if body.idempotent else None
    is_new = session is None
    if session is None:
        session = store.engine.create(_as_v3(body), api_version="v1", user_id=USER_ID, service_user_id=None)
    answer = {"session_id": f"devin-{session.id}", "url": WEB_APP + session.id}
    return json_response({**answer, "is_new_session": is_new if body.idempotent else None})


@router.get(SESSIONS)
async def read_sessions(store: StoreDep, query: Annotated[SessionsQuery, Query()]) -> Response:
    """Answer a stretch of the sessions, newest first; `skip` stands in where no `offset` is given."""
    now = store.now()
    found = matching(store, Filters(tags=query.tags), now)
    if query.user_email is not None:
        found = (session for session in found if _email(session) == query.user_email)
    start = query.offset or query.skip or 0
    page = [session for index, session in zip(range(start + query.limit), found, strict=False) if index >= start]
    rows = [{**_facts(one, one.next_moment(now)), "requesting_user_email": _email(one)} for one in page]
    return json_response({"sessions": rows})


async def read_session(store: StoreDep, session_id: str) -> Response:
    """Answer one session with its whole conversation."""
    session = find(store, session_id)
    now = session.next_moment(store.now())
    return json_response({**_facts(session, now), "messages": _messages(session, now)})


async def terminate_session(store: StoreDep, session_id: str) -> Response:
    """End a session for good."""
    session = find(store, session_id)
    if session.timeline.frame(store.now()).status in _OVER:
        raise Problem(400, "Devin session already exited")
    store.engine.terminate(session)
    return json_response({"detail": "Session terminated successfully"})


async def send_message(store: StoreDep, session_id: str, body: Annotated[PostMessageParams, Body()]) -> Response:
    """Give a message to a session; v1 does not wake a suspended one."""
    session = find(store, session_id)
    status = session.timeline.frame(store.now()).status
    if status in _OVER:
        raise Problem(400, "Devin session already exited")
    if status == "suspended":
        return json_response({"detail": "Session is suspended; the message was not delivered"})
    store.engine.send(session, body.message, user_id=USER_ID, files=attachment_lines(body.message))
    return json_response(None)


async def replace_tags(store: StoreDep, session_id: str, body: Annotated[UpdateTagsParams, Body()]) -> Response:
    """Replace the tags of a session."""
    session = find(store, session_id)
    if len(body.tags) > TAGS_MAX:
        raise invalid(("body", "tags"), f"A session has at most {TAGS_MAX} tags", "too_long")
    store.engine.tag(session, body.tags)
    return json_response({"detail": "Tags updated successfully"})


for path in PATHS:
    router.add_api_route(path, read_session, methods=["GET"])
    router.add_api_route(path, terminate_session, methods=["DELETE"])
    router.add_api_route(f"{path}/message", send_message, methods=["POST"])
    router.add_api_route(f"{path}/tags", replace_tags, methods=["PUT"])
