"""Files: uploads of both API versions, the files of a session, and the two steps of a download.

A download is a redirect to a second path that takes no key: its address is signed and expires. What Devin made is
never stored; it is written again, equal every time, from the session it belongs to.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, File, Query, Request, UploadFile
from starlette.responses import Response

from devin_jupyter.simulator.ids import digest
from devin_jupyter.simulator.persist import Record
from devin_jupyter.simulator.problems import Problem, json_response, not_found
from devin_jupyter.simulator.resources.made import FILES, content, turn_ends
from devin_jupyter.simulator.resources.records import ORG, fresh_id
from devin_jupyter.simulator.sessions import Session
from devin_jupyter.simulator.sessions_v3 import SESSION, find
from devin_jupyter.simulator.store import Store, StoreDep
from devin_jupyter.simulator.texts import file_name

router = APIRouter()
ATTACHMENTS = ORG + "/attachments"
ATTACHMENT = ATTACHMENTS + "/{uuid}/{name:path}"
SIGNED = "/files/{uuid}/{name:path}"
SIGNED_SECONDS = 3600
"""How long the address of a download is good."""
_OURS = re.compile(r"/attachments/([0-9a-f-]{36})/")
_LINE = re.compile(r'^ATTACHMENT:"([^"\n]+)"\r?$', re.MULTILINE)


async def keep_upload(store: Store, file: UploadFile) -> Record:
    """Keep an uploaded file."""
    body = await file.read()
    name = file.filename or "file"
    record: Record = {
        "uuid": _uuid(fresh_id(store, "attachment"), digest(body)),
        "name": name,
        "content_type": file.content_type or "application/octet-stream",
        "size": len(body),
    }
    store.blobs.put(record["uuid"], body)
    store.table("files")[record["uuid"]] = record
    return record


def address(request: Request, record: Record, *, v1: bool = False) -> str:
    """Return the URL by which a file is attached and downloaded."""
    store: Store = request.app.state.store
    family = "/v1" if v1 else ORG.format(org_id=quote(store.config.org))
    return f"{str(request.base_url).rstrip('/')}{family}/attachments/{record['uuid']}/{_quoted(record['name'])}"


def attachment_lines(text: str) -> list[str]:
    """Return the URLs of the lines `ATTACHMENT:"url"`, by which v1 attaches files."""
    return _LINE.findall(text)


def redirect(request: Request, store: Store, identifier: str) -> Response:
    """Answer a download with the way to the second step; raises the 404."""
    record = store.table("files").get(identifier)
    if record is None:
        raise not_found("Attachment")
    expires = int(store.now()) + SIGNED_SECONDS
    path = f"{str(request.base_url).rstrip('/')}/files/{identifier}/{_quoted(record['name'])}"
    location = f"{path}?expires={expires}&signature={_signature(store, identifier, expires)}"
    return Response(status_code=307, headers={"location": location})


@router.post(ATTACHMENTS)
async def upload(request: Request, store: StoreDep, file: Annotated[UploadFile, File()]) -> Response:
    """Keep a file."""
    record = await keep_upload(store, file)
    answer = {"attachment_id": record["uuid"], "name": record["name"], "url": address(request, record)}
    return json_response(answer)


@router.get(ATTACHMENT)
async def download(request: Request, store: StoreDep, uuid: str) -> Response:
    """Answer where a file is."""
    return redirect(request, store, uuid)


@router.get(SIGNED)
async def fetch(
    store: StoreDep, uuid: str, expires: Annotated[int, Query()], signature: Annotated[str, Query()]
) -> Response:
    """Answer the bytes of a file, to whoever knows the signed address."""
    if signature != _signature(store, uuid, expires) or expires < store.now():
        raise Problem(403, "The address is not signed, or has expired")
    record = store.table("files").get(uuid)
    if record is None:  # forgotten since the address was signed
        raise not_found("Attachment")
    body = _made_again(store, record) if "session" in record else store.blobs.get(uuid)
    disposition = f"attachment; filename*=UTF-8''{_quoted(record['name'])}"
    return Response(body, media_type=_header(record["content_type"]), headers={"content-disposition": disposition})


@router.get(SESSION + "/attachments")
async def read_session_files(request: Request, store: StoreDep, devin_id: str) -> Response:
    """Answer every file of a session: those it was given, and those Devin made by the end of a turn."""
    session = find(store, devin_id)
    given = [_given(request, store, url) for url in _given_urls(session)]
    made = [_entry(request, _register(store, session, *file), "devin") for file in _made(session, store.now())]
    return json_response([*given, *made])


def _given_urls(session: Session) -> Iterator[str]:
    yield from session.request.get("attachment_urls") or ()
    for deed in session.deeds:
        if deed["kind"] == "message":
            yield from deed["files"]


def _given(request: Request, store: Store, url: str) -> dict[str, Any]:
    match = _OURS.search(url)
    record = store.table("files").get(match[1]) if match else None
    if record is not None:
        return _entry(request, record, "user")
    return {**_entry(request, _copy(store, url), "user"), "url": url, "content_type": None}


def _copy(store: Store, url: str) -> Record:
    """Stand in for the copy that the service takes of a file from elsewhere; nothing is fetched."""
    identifier = _uuid(url)
    if identifier not in store.table("files"):
        store.blobs.put(identifier, f"Simulated copy of {url}\n".encode("utf-8", "replace"))
        store.table("files")[identifier] = {"uuid": identifier, "name": file_name(url), "content_type": "text/plain"}
    return store.table("files")[identifier]


def _entry(request: Request, record: Record, source: str) -> dict[str, Any]:
    return {
        "attachment_id": record["uuid"],
        "name": record["name"],
        "url": address(request, record),
        "source": source,
        "content_type": record["content_type"],
    }


def _made(session: Session, now: float) -> Iterable[tuple[int, str]]:
    turns = turn_ends(session, now)
    return [(turn, name) for turn in range(1, len(turns) + 1) for name in FILES]


def _register(store: Store, session: Session, turn: int, name: str) -> Record:
    """Note which session a made file belongs to, so that its download finds it."""
    identifier = _uuid(session.id, turn, name)
    known = store.table("files").get(identifier)
    if known is None:
        known = {"uuid": identifier, "name": name, "content_type": FILES[name], "session": session.id, "turn": turn}
        store.table("files")[identifier] = known
    return known


def _made_again(store: Store, record: Record) -> bytes:
    return content(store.sessions[record["session"]], record["turn"], record["name"])


def _uuid(*parts: object) -> str:
    return str(uuid.UUID(hex=digest("file", *parts)[:32], version=4))


def _signature(store: Store, identifier: str, expires: int) -> str:
    return digest("signed", store.config.seed, identifier, expires)[:40]


def _quoted(name: str) -> str:
    return quote(name.encode("utf-8", "replace"), safe="")


def _header(text: str) -> str:
    return text if re.fullmatch(r"[\x20-\x7e]+", text) else "application/octet-stream"
