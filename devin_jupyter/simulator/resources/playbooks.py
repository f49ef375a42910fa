"""Playbooks of v3. A record has the fields of the v3 answer; v1 reads the same records."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query
from starlette.responses import Response

from devin_jupyter.models.resources import PlaybookWrite
from devin_jupyter.models.v3 import PageQuery
from devin_jupyter.simulator import schemas
from devin_jupyter.simulator.engine import SERVICE_USER
from devin_jupyter.simulator.pages import page_of
from devin_jupyter.simulator.persist import Record
from devin_jupyter.simulator.problems import invalid, json_response
from devin_jupyter.simulator.resources.records import ORG, found, fresh_id, seconds
from devin_jupyter.simulator.store import Store, StoreDep

router = APIRouter()
PLAYBOOKS = ORG + "/playbooks"
PLAYBOOK = PLAYBOOKS + "/{playbook_id}"


def add_playbook(
    store: Store,
    *,
    title: str,
    body: str,
    macro: str | None,
    by: str,
    structured_output_schema: dict[str, Any] | None = None,
) -> Record:
    """Keep a new playbook."""
    identifier, now = fresh_id(store, "playbook"), seconds(store)
    record = {
        "playbook_id": identifier,
        "title": title,
        "body": body,
        "macro": macro,
        "access_type": "org",
        "org_id": store.config.org,
        "created_at": now,
        "updated_at": now,
        "created_by": by,
        "updated_by": by,
        "structured_output_schema": structured_output_schema,
    }
    store.table("playbooks")[identifier] = record
    return record


def change_playbook(store: Store, playbook_id: str, *, by: str, **content: Any) -> Record:
    """Replace the content of a playbook."""
    old = found(store, "playbooks", playbook_id, "Playbook")
    change = {"structured_output_schema": None, **content, "updated_at": seconds(store), "updated_by": by}
    store.table("playbooks")[playbook_id] = {**old, **change}
    return store.table("playbooks")[playbook_id]


def remove_playbook(store: Store, playbook_id: str) -> Record:
    """Forget a playbook."""
    record = found(store, "playbooks", playbook_id, "Playbook")
    del store.table("playbooks")[playbook_id]
    return record


def _check_schema(body: PlaybookWrite) -> None:
    problem = body.structured_output_schema is not None and schemas.problem_of(body.structured_output_schema)
    if problem:
        raise invalid(("body", "structured_output_schema"), problem)


@router.get(PLAYBOOKS)
async def read_playbooks(store: StoreDep, query: Annotated[PageQuery, Query()]) -> Response:
    """Answer a page of playbooks, oldest first."""
    rows = list(store.table("playbooks").values())
    return page_of("playbooks", rows, query, lambda row: row["playbook_id"], dict)


@router.post(PLAYBOOKS)
async def create_playbook(store: StoreDep, body: Annotated[PlaybookWrite, Body()]) -> Response:
    """Keep a playbook."""
    _check_schema(body)
    return json_response(add_playbook(store, **body.model_dump(), by=SERVICE_USER))


@router.get(PLAYBOOK)
async def read_playbook(store: StoreDep, playbook_id: str) -> Response:
    """Answer one playbook."""
    return json_response(found(store, "playbooks", playbook_id, "Playbook"))


@router.put(PLAYBOOK)
async def update_playbook(store: StoreDep, playbook_id: str, body: Annotated[PlaybookWrite, Body()]) -> Response:
    """Replace a playbook."""
    _check_schema(body)
    return json_response(change_playbook(store, playbook_id, **body.model_dump(), by=SERVICE_USER))


@router.delete(PLAYBOOK)
async def delete_playbook(store: StoreDep, playbook_id: str) -> Response:
    """Forget a playbook and answer what it was."""
    return json_response(remove_playbook(store, playbook_id))
