"""Files, secrets, knowledge and playbooks as v1 speaks of them: the records of v3 in the older shapes.

Unlike the rest, secrets and playbooks answer a wrong body with 400 and a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Body, File, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response

from devin_jupyter.models.resources import SecretWrite
from devin_jupyter.models.v1 import CreatePlaybookRequest, CreateSecretRequest, KnowledgeParams
from devin_jupyter.simulator.persist import Record
from devin_jupyter.simulator.problems import Problem, json_response
from devin_jupyter.simulator.resources.files import address, keep_upload, redirect
from devin_jupyter.simulator.resources.knowledge import add_note, change_note, remove_note
from devin_jupyter.simulator.resources.playbooks import add_playbook, change_playbook, remove_playbook
from devin_jupyter.simulator.resources.records import found, iso
from devin_jupyter.simulator.resources.secrets import add_secret, problem_of, remove_secret
from devin_jupyter.simulator.store import StoreDep
from devin_jupyter.simulator.v1_sessions import USER_ID

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
USER_NAME = "Simulator"


class SentenceRoute(APIRoute):
    """A route whose validation errors are 400 with a sentence."""

    def get_route_handler(self) -> Handler:
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


@router.post("/v1/attachments")
async def upload(request: Request, store: StoreDep, file: Annotated[UploadFile, File()]) -> Response:
    """Keep a file and answer nothing but its URL."""
    return json_response(address(request, await keep_upload(store, file), v1=True))


@router.get("/v1/attachments/{uuid}/{name:path}")
async def download(request: Request, store: StoreDep, uuid: str) -> Response:
    """Answer where a file is."""
    return redirect(request, store, uuid)


@sentences.get("/v1/secrets")
async def read_secrets(store: StoreDep) -> Response:
    """Answer all secrets without values."""
    rows = [
        {
            "secret_id": secret["secret_id"],
            "secret_type": secret["secret_type"],
            "secret_name": secret["key"],
            "created_at": iso(secret["created_at"]),
        }
        for secret in store.table("secrets").values()
    ]
    return json_response({"secrets": rows})


@sentences.post("/v1/secrets")
async def create_secret(store: StoreDep, body: Annotated[CreateSecretRequest, Body()]) -> Response:
    """Keep a secret."""
    problem = problem_of(body.key, body.value)
    if problem is not None:
        raise Problem(400, ": ".join(problem))
    secret = SecretWrite(type=body.type, key=body.key, value=body.value, is_sensitive=body.sensitive, note=body.note)
    return json_response({"id": add_secret(store, secret, USER_ID)["secret_id"]}, 201)


@sentences.delete("/v1/secrets/{secret_id}")
async def delete_secret(store: StoreDep, secret_id: str) -> Response:
    """Forget a secret."""
    remove_secret(store, secret_id)
    return Response(status_code=204)


def _entry(note: Record) -> dict[str, Any]:
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


def _note_fields(body: KnowledgeParams) -> dict[str, Any]:
    kept = body.model_dump(include={"name", "body", "macro", "pinned_repo"})
    return {**kept, "trigger": body.trigger_description, "folder_id": body.parent_folder_id}


@router.get("/v1/knowledge")
async def read_knowledge(store: StoreDep) -> Response:
    """Answer all entries and folders."""
    folders = [
        {"id": row["folder_id"], "name": row["name"], "description": "", "created_at": iso(row["created_at"])}
        for row in store.table("folders").values()
    ]
    return json_response({"knowledge": [_entry(note) for note in store.table("notes").values()], "folders": folders})


@router.post("/v1/knowledge")
async def create_knowledge(store: StoreDep, body: Annotated[KnowledgeParams, Body()]) -> Response:
    """Keep an entry."""
    return json_response(_entry(add_note(store, {**_note_fields(body), "is_enabled": True}, USER_ID)))


@router.put("/v1/knowledge/{note_id}")
async def update_knowledge(store: StoreDep, note_id: str, body: Annotated[KnowledgeParams, Body()]) -> Response:
    """Replace an entry."""
    return json_response(_entry(change_note(store, note_id, _note_fields(body))))


@router.delete("/v1/knowledge/{note_id}")
async def delete_knowledge(store: StoreDep, note_id: str) -> Response:
    """Forget an entry."""
    remove_note(store, note_id)
    return Response(status_code=204)


def _playbook(record: Record) -> dict[str, Any]:
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
async def read_playbooks(store: StoreDep) -> Response:
    """Answer all playbooks as a bare array."""
    return json_response([_playbook(record) for record in store.table("playbooks").values()])


@sentences.post("/v1/playbooks")
async def create_playbook(store: StoreDep, body: Annotated[CreatePlaybookRequest, Body()]) -> Response:
    """Keep a playbook."""
    return json_response(_playbook(add_playbook(store, **body.model_dump(), by=USER_ID)))


@sentences.get("/v1/playbooks/{playbook_id}")
async def read_playbook(store: StoreDep, playbook_id: str) -> Response:
    """Answer one playbook."""
    return json_response(_playbook(found(store, "playbooks", playbook_id, "Playbook")))


@sentences.put("/v1/playbooks/{playbook_id}")
async def update_playbook(
    store: StoreDep, playbook_id: str, body: Annotated[CreatePlaybookRequest, Body()]
) -> Response:
    """Replace a playbook."""
    change_playbook(store, playbook_id, **body.model_dump(), by=USER_ID)
    return json_response({"status": "success"})


@sentences.delete("/v1/playbooks/{playbook_id}")
async def delete_playbook(store: StoreDep, playbook_id: str) -> Response:
    """Forget a playbook."""
    remove_playbook(store, playbook_id)
    return json_response({"status": "success"})
