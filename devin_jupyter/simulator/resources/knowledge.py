"""Knowledge notes and their folders, of v3. A record has the fields that are written; v1 reads the same records.

Folders have no write operation in either API, so a fresh simulator starts with a few.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query
from starlette.responses import Response

from devin_jupyter.models.resources import NotesQuery, NoteWrite
from devin_jupyter.simulator.engine import SERVICE_USER
from devin_jupyter.simulator.pages import page_of
from devin_jupyter.simulator.persist import Record
from devin_jupyter.simulator.problems import json_response, not_found
from devin_jupyter.simulator.resources.records import ORG, found, fresh_id, seconds
from devin_jupyter.simulator.store import Store, StoreDep

router = APIRouter()
NOTES = ORG + "/knowledge/notes"
NOTE = NOTES + "/{note_id}"
FOLDERS = (("Conventions", None), ("Python", "Conventions"), ("Operations", None))
"""Name and parent of the folders a fresh simulator has."""


def seed_folders(store: Store) -> None:
    """Make the folders of a fresh simulator."""
    ids: dict[str | None, str | None] = {None: None}
    for name, parent in FOLDERS:
        ids[name] = identifier = fresh_id(store, "folder")
        path = f"/{parent}/{name}" if parent else f"/{name}"
        store.table("folders")[identifier] = {
            "folder_id": identifier,
            "name": name,
            "path": path,
            "parent_folder_id": ids[parent],
            "created_at": seconds(store),
        }


def add_note(store: Store, fields: dict[str, Any], by: str) -> Record:
    """Keep a new note; `fields` are those of the v3 write body, and `macro` where v1 wrote it."""
    _check_folder(store, fields)
    identifier, now = fresh_id(store, "note"), seconds(store)
    record = {"note_id": identifier, "macro": None, **fields, "created_by": by, "created_at": now, "updated_at": now}
    store.table("notes")[identifier] = record
    return record


def change_note(store: Store, note_id: str, fields: dict[str, Any]) -> Record:
    """Replace what a note says."""
    old = found(store, "notes", note_id, "Note")
    _check_folder(store, fields)
    store.table("notes")[note_id] = {**old, **fields, "updated_at": seconds(store)}
    return store.table("notes")[note_id]


def remove_note(store: Store, note_id: str) -> Record:
    """Forget a note."""
    record = found(store, "notes", note_id, "Note")
    del store.table("notes")[note_id]
    return record


def _check_folder(store: Store, fields: dict[str, Any]) -> None:
    folder_id = fields.get("folder_id")
    if folder_id is not None and folder_id not in store.table("folders"):
        raise not_found("Folder")


def _view(store: Store, note: Record) -> dict[str, Any]:
    folder = store.table("folders").get(note["folder_id"] or "")
    return {
        **{name: note[name] for name in ("note_id", "name", "body", "trigger", "folder_id", "macro", "pinned_repo")},
        "access_type": "org",
        "org_id": store.config.org,
        "folder_path": folder["path"] if folder else "/",
        "is_enabled": note["is_enabled"] is not False,
        "created_at": note["created_at"],
        "updated_at": note["updated_at"],
    }


def _passes(note: dict[str, Any], query: NotesQuery) -> bool:
    if query.folder_path is not None and note["folder_path"].strip("/") != query.folder_path.strip("/"):
        return False
    if query.pinned_repo is not None and note["pinned_repo"] != query.pinned_repo:
        return False
    words = (query.search or "").casefold()
    return any(words in note[field].casefold() for field in ("name", "body", "trigger"))


@router.get(NOTES)
async def read_notes(store: StoreDep, query: Annotated[NotesQuery, Query()]) -> Response:
    """Answer a page of notes, oldest first."""
    views = [_view(store, note) for note in store.table("notes").values()]
    rows = [note for note in views if _passes(note, query)]
    return page_of("notes", rows, query, lambda row: row["note_id"], dict)


@router.post(NOTES)
async def create_note(store: StoreDep, body: Annotated[NoteWrite, Body()]) -> Response:
    """Keep a note."""
    return json_response(_view(store, add_note(store, body.model_dump(), SERVICE_USER)))


@router.get(NOTE)
async def read_note(store: StoreDep, note_id: str) -> Response:
    """Answer one note."""
    return json_response(_view(store, found(store, "notes", note_id, "Note")))


@router.put(NOTE)
async def update_note(store: StoreDep, note_id: str, body: Annotated[NoteWrite, Body()]) -> Response:
    """Replace a note."""
    return json_response(_view(store, change_note(store, note_id, body.model_dump())))


@router.delete(NOTE)
async def delete_note(store: StoreDep, note_id: str) -> Response:
    """Forget a note and answer what it was."""
    return json_response(_view(store, remove_note(store, note_id)))


@router.get(ORG + "/knowledge/folders")
async def read_folders(store: StoreDep) -> Response:
    """Answer every folder with how many notes it holds."""
    homes = [note["folder_id"] for note in store.table("notes").values()]
    fields = ("folder_id", "name", "path", "parent_folder_id")
    folders = [
        {**{name: folder[name] for name in fields}, "note_count": homes.count(folder["folder_id"])}
        for folder in store.table("folders").values()
    ]
    return json_response({"folders": folders, "root_note_count": homes.count(None)})
