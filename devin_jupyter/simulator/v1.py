"""The routes of v1, the legacy API: the same sessions and records in the older shapes.

Sessions answer under the singular path as well, which early clients use. Unlike the rest, secrets and playbooks answer
a wrong body with 400 and a sentence.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Body, File, Query, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response

from devin_jupyter.simulator import v3_resources, wire
from devin_jupyter.simulator.sessions import WEB_APP, Session
from devin_jupyter.simulator.store import FOLDERS, NOTES, PLAYBOOKS, SECRETS
from devin_jupyter.simulator.v3_sessions import Sim, check_schema, check_tags, find, matching_sessions, set_tags
from devin_jupyter.simulator.wire import Problem, Record, iso, json_response

USER_ID, USER_NAME, USER_EMAIL = "user-simulator", "Simulator", "simulator@example.com"
"""The person behind the v1 key."""
_OVER = ("exit", "error")
_STATUS_ENUMS: dict[tuple[str, str | None], str] = {
    ("running", "waiting_for_user"): "blocked",
    ("running", "waiting_for_approval"): "blocked",
    ("running", "finished"): "finished",
    ("suspended", "inactivity"): "suspend_requested",
    ("suspended", "user_request"): "suspend_requested_frontend",
    ("exit", "finished"): "finished",
}


class SentenceRoute(APIRoute):
    """A route whose validation errors are 400 with a sentence."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler with the errors rewritten."""
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                first = error.errors()[0]
                where = ".".join(str(step) for step in first["loc"][1:])
                raise Problem(400, f"{where}: {first['msg']}" if where else str(first["msg"])) from None
            except HTTPException as error:
                raise Problem(error.status_code, str(error.detail)) from None

        return handler


router = APIRouter()
sentences = APIRouter(route_class=SentenceRoute)

# --- sessions ---


def _status_enum(session: Session, status: str, detail: str | None) -> str | None:
    """The v1 word for what v3 says in two."""
    if (status, detail) in _STATUS_ENUMS:
        return _STATUS_ENUMS[status, detail]
    if status == "exit":
        return "expired" if any(act["kind"] == "terminate" for act in session.acts) else "finished"
    return {"running": "working", "suspended": "blocked", "resuming": "resume_requested"}.get(status)


def _email(session: Session) -> str | None:
    if session.user_id is None:
        return None
    return USER_EMAIL if session.user_id == USER_ID else f"{session.user_id.removeprefix('user-')}@example.com"


def _session(session: Session, now: float) -> dict[str, Any]:
    is_stale = session.stale_polls > 0
    view = json.loads(session.read(now))
    pulls = view["pull_requests"]
    return {
        "session_id": f"devin-{session.id}",
        "status": view["status"],
        "status_enum": _status_enum(session, view["status"], view["status_detail"]),
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
    rows: list[dict[str, Any]] = []
    for message in session.timeline.messages_at(now):
        kind = "devin_message" if message.source == "devin" else "user_message" if rows else "initial_user_message"
        said = {"type": kind, "event_id": message.event_id, "message": message.text, "timestamp": iso(message.at)}
        user = {"username": _email(session), "origin": session.origin, "user_id": session.user_id}
        rows.append({**said, **(user if message.source == "user" else {})})
    return rows


@router.post("/v1/sessions")
async def create_session(sim: Sim, body: Annotated[wire.V1SessionCreate, Body()]) -> Response:
    """Start a session, or answer with an equivalent one if the request is `idempotent`."""
    check_schema(body.structured_output_schema)
    check_tags(sim, body.tags)
    names = [secret.key for secret in body.session_secrets or ()]
    may_differ = {"idempotent", "title", "tags", "max_acu_limit", "session_secrets"}
    alike = {**body.model_dump(exclude=may_differ), "secrets": names}
    session = None
    if body.idempotent:
        earlier = (one for one in sim.ordered if one.order >= 0 and one.api_version == "v1")
        session = next((one for one in earlier if one.request["alike"] == alike), None)
    is_new = session is None
    if session is None:  # kept with v3's fields, and without the values of secrets
        request = wire.SessionCreate(prompt=body.prompt).model_dump()
        request |= body.model_dump(include=set(request), exclude={"session_secrets"})
        request |= {"session_secrets": [{"key": name} for name in names]}
        request |= {"attachment_urls": v3_resources.attachment_lines(body.prompt), "alike": alike}
        request |= {"snapshot_id": body.snapshot_id, "unlisted": body.unlisted}
        session = sim.create(request, api_version="v1", user_id=USER_ID, service_user_id=None)
    answer = {"session_id": f"devin-{session.id}", "url": WEB_APP + session.id}
    return json_response({**answer, "is_new_session": is_new if body.idempotent else None})


@router.get("/v1/sessions")
async def read_sessions(sim: Sim, query: Annotated[wire.V1SessionsQuery, Query()]) -> Response:
    """Answer with a slice of the sessions, newest first; `skip` counts where no `offset` is given."""
    now = sim.now()
    found = matching_sessions(sim, wire.SessionsQuery(tags=query.tags), now)
    if query.user_email is not None:
        found = (session for session in found if _email(session) == query.user_email)
    start = query.offset or query.skip or 0
    page = [session for index, session in zip(range(start + query.limit), found, strict=False) if index >= start]
    rows = [{**_session(one, one.next_read_time(now)), "requesting_user_email": _email(one)} for one in page]
    return json_response({"sessions": rows})


@router.get("/v1/session/{session_id}")
@router.get("/v1/sessions/{session_id}")
async def read_session(sim: Sim, session_id: str) -> Response:
    session = find(sim, session_id)
    now = session.next_read_time(sim.now())
    return json_response({**_session(session, now), "messages": _messages(session, now)})


@router.delete("/v1/session/{session_id}")
@router.delete("/v1/sessions/{session_id}")
async def terminate_session(sim: Sim, session_id: str) -> Response:
    session = find(sim, session_id)
    if session.timeline.frame_at(sim.now()).status in _OVER:
        raise Problem(400, "Devin session already exited")
    sim.terminate(session)
    return json_response({"detail": "Session terminated successfully"})


@router.post("/v1/session/{session_id}/message")
@router.post("/v1/sessions/{session_id}/message")
async def send_message(sim: Sim, session_id: str, body: Annotated[wire.V1Message, Body()]) -> Response:
    """Give a message to a session; v1 does not wake a suspended one."""
    session = find(sim, session_id)
    status = session.timeline.frame_at(sim.now()).status
    if status in _OVER:
        raise Problem(400, "Devin session already exited")
    if status == "suspended":
        return json_response({"detail": "Session is suspended; the message was not delivered"})
    sim.send(session, body.message, user_id=USER_ID, files=v3_resources.attachment_lines(body.message))
    return json_response(None)


@router.put("/v1/session/{session_id}/tags")
@router.put("/v1/sessions/{session_id}/tags")
async def replace_tags(sim: Sim, session_id: str, body: Annotated[wire.V1TagsUpdate, Body()]) -> Response:
    set_tags(sim, find(sim, session_id), body.tags)
    return json_response({"detail": "Tags updated successfully"})


# --- files ---


@router.post("/v1/attachments")
async def upload(request: Request, sim: Sim, file: Annotated[UploadFile, File()]) -> Response:
    record = await v3_resources.keep_upload(sim, file)
    return json_response(v3_resources.file_url(request, sim, record, v1=True))


@router.get("/v1/attachments/{uuid}/{name:path}")
async def download(request: Request, sim: Sim, uuid: str) -> Response:
    return v3_resources.redirect(request, sim, uuid)


# --- secrets ---


@sentences.get("/v1/secrets")
async def read_secrets(sim: Sim) -> Response:
    rows = [
        {
            "secret_id": secret["secret_id"],
            "secret_type": secret["secret_type"],
            "secret_name": secret["key"],
            "created_at": iso(secret["created_at"]),
        }
        for secret in sim.store.all(SECRETS)
    ]
    return json_response({"secrets": rows})


@sentences.post("/v1/secrets")
async def create_secret(sim: Sim, body: Annotated[wire.V1SecretWrite, Body()]) -> Response:
    problem = v3_resources.secret_problem(body.key, body.value)
    if problem is not None:
        raise Problem(400, ": ".join(problem))
    fields = {**body.model_dump(exclude={"value", "sensitive"}), "is_sensitive": body.sensitive}
    return json_response({"id": v3_resources.add_secret(sim, fields, USER_ID)["secret_id"]}, 201)


@sentences.delete("/v1/secrets/{secret_id}")
async def delete_secret(sim: Sim, secret_id: str) -> Response:
    sim.store.delete(SECRETS, secret_id)
    return Response(status_code=204)


# --- knowledge ---


def _note(note: Record) -> Record:
    return {
        "id": note["note_id"],
        "name": note["name"],
        "body": note["body"],
        "trigger_description": note["trigger"],
        "parent_folder_id": note["folder_id"],
        "pinned_repo": note["pinned_repo"],
        "macro": note["macro"],
        "created_at": iso(note["created_at"]),
        "created_by": {"id": note["created_by"], "full_name": USER_NAME, "image_url": None},
    }


def _note_fields(body: wire.V1NoteWrite) -> Record:
    kept = body.model_dump(include={"name", "body", "macro", "pinned_repo"})
    return {**kept, "trigger": body.trigger_description, "folder_id": body.parent_folder_id}


@router.get("/v1/knowledge")
async def read_knowledge(sim: Sim) -> Response:
    folders = [
        {"id": row["folder_id"], "name": row["name"], "description": "", "created_at": iso(row["created_at"])}
        for row in sim.store.all(FOLDERS)
    ]
    return json_response({"knowledge": [_note(note) for note in sim.store.all(NOTES)], "folders": folders})


@router.post("/v1/knowledge")
async def create_knowledge(sim: Sim, body: Annotated[wire.V1NoteWrite, Body()]) -> Response:
    return json_response(_note(v3_resources.add_note(sim, {**_note_fields(body), "is_enabled": True}, USER_ID)))


@router.put("/v1/knowledge/{note_id}")
async def update_knowledge(sim: Sim, note_id: str, body: Annotated[wire.V1NoteWrite, Body()]) -> Response:
    return json_response(_note(v3_resources.change_note(sim, note_id, _note_fields(body))))


@router.delete("/v1/knowledge/{note_id}")
async def delete_knowledge(sim: Sim, note_id: str) -> Response:
    sim.store.delete(NOTES, note_id)
    return Response(status_code=204)


# --- playbooks ---


def _playbook(record: Record) -> Record:
    kept = {name: record[name] for name in ("playbook_id", "title", "body", "macro", "access_type", "org_id")}
    return {
        **kept,
        "status": "published",
        "created_at": iso(record["created_at"]),
        "updated_at": iso(record["updated_at"]),
        "created_by_user_id": record["created_by"],
        "created_by_user_name": USER_NAME,
        "updated_by_user_id": record["updated_by"],
        "updated_by_user_name": USER_NAME,
    }


@sentences.get("/v1/playbooks")
async def read_playbooks(sim: Sim) -> Response:
    return json_response([_playbook(record) for record in sim.store.all(PLAYBOOKS)])


@sentences.post("/v1/playbooks")
async def create_playbook(sim: Sim, body: Annotated[wire.V1PlaybookWrite, Body()]) -> Response:
    return json_response(_playbook(v3_resources.add_playbook(sim, body.model_dump(), USER_ID)))


@sentences.get("/v1/playbooks/{playbook_id}")
async def read_playbook(sim: Sim, playbook_id: str) -> Response:
    return json_response(_playbook(sim.store.read(PLAYBOOKS, playbook_id)))


@sentences.put("/v1/playbooks/{playbook_id}")
async def update_playbook(sim: Sim, playbook_id: str, body: Annotated[wire.V1PlaybookWrite, Body()]) -> Response:
    v3_resources.change_playbook(sim, playbook_id, body.model_dump(), USER_ID)
    return json_response({"status": "success"})


@sentences.delete("/v1/playbooks/{playbook_id}")
async def delete_playbook(sim: Sim, playbook_id: str) -> Response:
    sim.store.delete(PLAYBOOKS, playbook_id)
    return json_response({"status": "success"})
