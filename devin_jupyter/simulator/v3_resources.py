"""The routes of v3 for what an organization keeps: files, playbooks, knowledge, secrets, schedules.

Records have the fields of the v3 answer; v1 reads the same ones.
"""

from __future__ import annotations

import csv
import io
import re
import uuid
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Body, File, Query, Request, UploadFile
from starlette.responses import Response

from devin_jupyter.simulator import wire
from devin_jupyter.simulator.engine import SERVICE_USER, Simulation
from devin_jupyter.simulator.scenarios import file_name
from devin_jupyter.simulator.sessions import Session
from devin_jupyter.simulator.store import FOLDERS, NOTES, PLAYBOOKS, SCHEDULES, SECRETS
from devin_jupyter.simulator.v3_sessions import ORG, SESSION, Sim, check_platform, check_schema, find
from devin_jupyter.simulator.values import Dice, digest
from devin_jupyter.simulator.wire import Problem, Record, invalid, iso, json_bytes, json_response, not_found, page_of

router = APIRouter()

# --- files ---
# A download is a redirect to a second path that takes no key: its address is signed and expires. What Devin made is
# never stored; it is written again, equal every time, from the session it belongs to.

SIGNED_SECONDS = 3600
"""How long the address of a download is good."""
MADE_FILES = {"report.md": "text/markdown", "results.csv": "text/csv"}
"""Names and media types of the files that Devin makes in every turn."""
_OURS = re.compile(r"/attachments/([0-9a-f-]{36})/")
_LINE = re.compile(r'^ATTACHMENT:"([^"\n]+)"\r?$', re.MULTILINE)
_PLACES = ("src/app.py", "src/models.py", "src/api/routes.py", "src/db/query.py", "tests/test_api.py", "setup.cfg")
_REMARKS = ("handled", "left alone, see the report", "fixed", "needs a decision", "covered by a new test")


async def keep_upload(sim: Simulation, file: UploadFile) -> Record:
    """Keep an uploaded file."""
    body = await file.read()
    identifier = _uuid(sim.store.fresh_id("attachment"), digest(body))
    kind = file.content_type or "application/octet-stream"
    record = {"uuid": identifier, "name": file.filename or "file", "content_type": kind, "size": len(body)}
    sim.store.keep_blob(identifier, body)
    sim.store.table("files")[identifier] = record
    return record


def file_url(request: Request, sim: Simulation, record: Record, *, v1: bool = False) -> str:
    """Return the URL by which a file is attached and downloaded."""
    family = "/v1" if v1 else ORG.format(org_id=quote(sim.config.org))
    return f"{str(request.base_url).rstrip('/')}{family}/attachments/{record['uuid']}/{_quoted(record['name'])}"


def attachment_lines(text: str) -> list[str]:
    """Return the URLs of the lines `ATTACHMENT:"url"`, by which v1 attaches files."""
    return _LINE.findall(text)


def redirect(request: Request, sim: Simulation, identifier: str) -> Response:
    """Answer a download with the way to the second step; raises the 404."""
    record = sim.store.table("files").get(identifier)
    if record is None:
        raise not_found("Attachment")
    expires = int(sim.now()) + SIGNED_SECONDS
    path = f"{str(request.base_url).rstrip('/')}/files/{identifier}/{_quoted(record['name'])}"
    location = f"{path}?expires={expires}&signature={_signature(sim, identifier, expires)}"
    return Response(status_code=307, headers={"location": location})


@router.post(ORG + "/attachments")
async def upload(request: Request, sim: Sim, file: Annotated[UploadFile, File()]) -> Response:
    record = await keep_upload(sim, file)
    url = file_url(request, sim, record)
    return json_response({"attachment_id": record["uuid"], "name": record["name"], "url": url})


@router.get(ORG + "/attachments/{uuid}/{name:path}")
async def download(request: Request, sim: Sim, uuid: str) -> Response:
    return redirect(request, sim, uuid)


@router.get("/files/{uuid}/{name:path}")
async def fetch(sim: Sim, uuid: str, expires: Annotated[int, Query()], signature: Annotated[str, Query()]) -> Response:
    if signature != _signature(sim, uuid, expires) or expires < sim.now():
        raise Problem(403, "The address is not signed, or has expired")
    record = sim.store.table("files").get(uuid)
    if record is None:  # a reset came between
        raise not_found("Attachment")
    body = _made(sim.sessions[record["session"]], record) if "session" in record else sim.store.blob(uuid)
    kind = record["content_type"] if re.fullmatch(r"[\x20-\x7e]+", record["content_type"]) else None
    disposition = f"attachment; filename*=UTF-8''{_quoted(record['name'])}"
    return Response(body, media_type=kind or "application/octet-stream", headers={"content-disposition": disposition})


@router.get(SESSION + "/attachments")
async def read_session_files(request: Request, sim: Sim, devin_id: str) -> Response:
    """Answer with every file of a session: those it was given, and those Devin made by the end of a turn."""
    session, files = find(sim, devin_id), sim.store.table("files")

    def entry(record: Record, source: str, **other: Any) -> dict[str, Any]:
        named = {"attachment_id": record["uuid"], "name": record["name"], "url": file_url(request, sim, record)}
        return {**named, "source": source, "content_type": record["content_type"], **other}

    given: list[str] = [*(session.request.get("attachment_urls") or ())]
    given += [url for act in session.acts if act["kind"] == "message" for url in act["files"]]
    entries = []
    for url in given:
        match = _OURS.search(url)
        if match and match[1] in files:
            entries.append(entry(files[match[1]], "user"))
            continue
        identifier = _uuid(url)  # in place of the copy that the service makes of it; nothing is fetched
        if identifier not in files:
            sim.store.keep_blob(identifier, f"Simulated copy of {url}\n".encode("utf-8", "replace"))
            files[identifier] = {"uuid": identifier, "name": file_name(url), "content_type": "text/plain"}
        entries.append(entry(files[identifier], "user", url=url, content_type=None))
    for turn in range(1, _finished_turns(session, sim.now()) + 1):
        for name, kind in MADE_FILES.items():
            identifier = _uuid(session.id, turn, name)
            if identifier not in files:  # so that its download finds the session
                record = {"uuid": identifier, "name": name, "content_type": kind, "session": session.id, "turn": turn}
                files[identifier] = record
            entries.append(entry(files[identifier], "devin"))
    return json_response(entries)


def _finished_turns(session: Session, now: float) -> int:
    """Return how many turns have ended with an answer up to now."""
    turns, worked = 0, False
    for frame in session.timeline.frames:
        if frame.at > now:
            break
        is_resting = frame.status == "running" and frame.detail in ("waiting_for_user", "finished")
        over = frame.status == "exit" or is_resting
        turns += worked and over
        if over or frame.status in ("running", "resuming"):
            worked = not over
    return turns


def _made(session: Session, record: Record) -> bytes:
    """The bytes of a file that Devin made."""
    dice = Dice(session.seed, "rows", record["turn"])
    rows = [
        (place, 1 + dice.below(400), dice.pick(("low", "medium", "high")), dice.pick(_REMARKS))
        for place in dice.sample(_PLACES, 3 + dice.below(3))
    ]
    text = io.StringIO()
    if record["name"] == "results.csv":
        csv.writer(text, lineterminator="\n").writerows([("file", "line", "severity", "remark"), *rows])
    else:
        repos = ", ".join(session.repos) or "no repository"
        text.write(f"# {session.title}\n\nSimulated report of turn {record['turn']} on {repos}.\n\n")
        text.writelines(f"- `{place}:{line}` ({severity}): {remark}\n" for place, line, severity, remark in rows)
    return text.getvalue().encode("utf-8", "replace")


def _uuid(*parts: object) -> str:
    return str(uuid.UUID(hex=digest("file", *parts)[:32], version=4))


def _signature(sim: Simulation, identifier: str, expires: int) -> str:
    return digest("signed", sim.config.seed, identifier, expires)[:40]


def _quoted(name: str) -> str:
    return quote(name.encode("utf-8", "replace"), safe="")


# --- playbooks ---


def add_playbook(sim: Simulation, fields: Record, by: str) -> Record:
    """Keep a new playbook."""
    now = int(sim.now())
    about = {"access_type": "org", "org_id": sim.config.org, "created_at": now, "updated_at": now}
    about |= {"created_by": by, "updated_by": by}
    about["structured_output_schema"] = fields.pop("structured_output_schema", None)
    return sim.store.create(PLAYBOOKS, {**fields, **about})


def change_playbook(sim: Simulation, playbook_id: str, fields: Record, by: str) -> Record:
    """Replace what a playbook says; raises the 404."""
    change = {"structured_output_schema": None, **fields, "updated_at": int(sim.now()), "updated_by": by}
    return sim.store.update(PLAYBOOKS, playbook_id, change)


@router.get(ORG + "/playbooks")
async def read_playbooks(sim: Sim, query: Annotated[wire.PageQuery, Query()]) -> Response:
    return page_of("playbooks", sim.store.all(PLAYBOOKS), query, lambda row: row["playbook_id"])


@router.post(ORG + "/playbooks")
async def create_playbook(sim: Sim, body: Annotated[wire.PlaybookWrite, Body()]) -> Response:
    check_schema(body.structured_output_schema)
    return json_response(add_playbook(sim, body.model_dump(), SERVICE_USER))


@router.get(ORG + "/playbooks/{playbook_id}")
async def read_playbook(sim: Sim, playbook_id: str) -> Response:
    return json_response(sim.store.read(PLAYBOOKS, playbook_id))


@router.put(ORG + "/playbooks/{playbook_id}")
async def update_playbook(sim: Sim, playbook_id: str, body: Annotated[wire.PlaybookWrite, Body()]) -> Response:
    check_schema(body.structured_output_schema)
    return json_response(change_playbook(sim, playbook_id, body.model_dump(), SERVICE_USER))


@router.delete(ORG + "/playbooks/{playbook_id}")
async def delete_playbook(sim: Sim, playbook_id: str) -> Response:
    return json_response(sim.store.delete(PLAYBOOKS, playbook_id))


# --- knowledge ---


def add_note(sim: Simulation, fields: Record, by: str) -> Record:
    """Keep a new note; `fields` are those of the v3 body, and `macro` where v1 wrote it. Raises the 404 of a folder."""
    _check_folder(sim, fields)
    now = int(sim.now())
    return sim.store.create(NOTES, {"macro": None, **fields, "created_by": by, "created_at": now, "updated_at": now})


def change_note(sim: Simulation, note_id: str, fields: Record) -> Record:
    """Replace what a note says; raises the 404 of the note or its folder."""
    sim.store.read(NOTES, note_id)
    _check_folder(sim, fields)
    return sim.store.update(NOTES, note_id, {**fields, "updated_at": int(sim.now())})


def _check_folder(sim: Simulation, fields: Record) -> None:
    if fields.get("folder_id") is not None:
        sim.store.read(FOLDERS, fields["folder_id"])


def _note(sim: Simulation, note: Record) -> Record:
    folder = sim.store.table("folders").get(note["folder_id"] or "")
    return {
        **{name: note[name] for name in ("note_id", "name", "body", "trigger", "folder_id", "macro", "pinned_repo")},
        "access_type": "org",
        "org_id": sim.config.org,
        "folder_path": folder["path"] if folder else "/",
        "is_enabled": note["is_enabled"] is not False,
        "created_at": note["created_at"],
        "updated_at": note["updated_at"],
    }


@router.get(ORG + "/knowledge/notes")
async def read_notes(sim: Sim, query: Annotated[wire.NotesQuery, Query()]) -> Response:
    words, path = (query.search or "").casefold(), query.folder_path
    rows = [
        note
        for note in (_note(sim, note) for note in sim.store.all(NOTES))
        if (path is None or note["folder_path"].strip("/") == path.strip("/"))
        and (query.pinned_repo is None or note["pinned_repo"] == query.pinned_repo)
        and any(words in note[field].casefold() for field in ("name", "body", "trigger"))
    ]
    return page_of("notes", rows, query, lambda row: row["note_id"])


@router.post(ORG + "/knowledge/notes")
async def create_note(sim: Sim, body: Annotated[wire.NoteWrite, Body()]) -> Response:
    return json_response(_note(sim, add_note(sim, body.model_dump(), SERVICE_USER)))


@router.get(ORG + "/knowledge/notes/{note_id}")
async def read_note(sim: Sim, note_id: str) -> Response:
    return json_response(_note(sim, sim.store.read(NOTES, note_id)))


@router.put(ORG + "/knowledge/notes/{note_id}")
async def update_note(sim: Sim, note_id: str, body: Annotated[wire.NoteWrite, Body()]) -> Response:
    return json_response(_note(sim, change_note(sim, note_id, body.model_dump())))


@router.delete(ORG + "/knowledge/notes/{note_id}")
async def delete_note(sim: Sim, note_id: str) -> Response:
    return json_response(_note(sim, sim.store.delete(NOTES, note_id)))


@router.get(ORG + "/knowledge/folders")
async def read_folders(sim: Sim) -> Response:
    homes = [note["folder_id"] for note in sim.store.all(NOTES)]
    fields = ("folder_id", "name", "path", "parent_folder_id")
    folders = [
        {**{name: folder[name] for name in fields}, "note_count": homes.count(folder["folder_id"])}
        for folder in sim.store.all(FOLDERS)
    ]
    return json_response({"folders": folders, "root_note_count": homes.count(None)})


# --- secrets: the values are dropped on arrival ---


def secret_problem(key: str, value: str) -> tuple[str, str] | None:
    """Return the field that is too short or too long, and why; None for a secret that can be kept."""
    if not 1 <= len(key) <= 256:
        return "key", "A key has 1 to 256 characters"
    if len(value) > 65536:
        return "value", "A secret has at most 65536 characters"
    return None


def add_secret(sim: Simulation, fields: Record, by: str) -> Record:
    """Keep a new secret; raises the 409 for a key that is taken: keys name environment variables."""
    if any(secret["key"] == fields["key"] for secret in sim.store.all(SECRETS)):
        raise Problem(409, "Secret name is not unique")
    about = {"created_at": int(sim.now()), "created_by": by, "updated_at": None, "updated_by": None}
    return sim.store.create(
        SECRETS,
        {
            **{"key": fields["key"], "note": fields["note"], "secret_type": fields["type"], "access_type": "org"},
            "is_sensitive": fields["is_sensitive"],
            **about,
        },
    )


@router.get(ORG + "/secrets")
async def read_secrets(sim: Sim, query: Annotated[wire.PageQuery, Query()]) -> Response:
    return page_of("secrets", sim.store.all(SECRETS), query, lambda row: row["secret_id"])


@router.post(ORG + "/secrets")
async def create_secret(sim: Sim, body: Annotated[wire.SecretWrite, Body()]) -> Response:
    problem = secret_problem(body.key, body.value)
    if problem is not None:
        raise invalid(("body", problem[0]), problem[1])
    return json_response(add_secret(sim, body.model_dump(exclude={"value"}), SERVICE_USER))


@router.delete(ORG + "/secrets/{secret_id}")
async def delete_secret(sim: Sim, secret_id: str) -> Response:
    return json_response(sim.store.delete(SECRETS, secret_id))


# --- schedules: they never run. Their times are ISO 8601, their pages go by offset ---

_CRON = re.compile(r"[\w*/,\-#?]+( +[\w*/,\-#?]+){4}", re.ASCII)
_CLEARED_BY_NULL = (
    *("playbook_id", "frequency", "scheduled_at", "slack_channel_id", "slack_team_id"),
    *("tags", "target_devin_id", "platform"),
)
"""Fields that a null in a change empties; anywhere else null means unchanged."""


def _check_schedule(schedule: Record, given: set[str], now: float) -> None:
    """Raise the 422 for a schedule that could not run."""
    single = schedule["schedule_type"] == "one_time"
    if single and schedule["scheduled_at"] is None:
        raise invalid(("body", "scheduled_at"), "A one_time schedule needs scheduled_at")
    if not single and schedule["frequency"] is None:
        raise invalid(("body", "frequency"), "A recurring schedule needs frequency, a cron expression")
    if schedule["frequency"] is not None and not _CRON.fullmatch(schedule["frequency"].strip()):
        raise invalid(("body", "frequency"), "Not a cron expression of five fields")
    if schedule["target_devin_id"] is not None and not single:
        raise invalid(("body", "target_devin_id"), "Only a one_time schedule can have a target session")
    if "scheduled_at" in given and schedule["scheduled_at"] is not None:
        moment = datetime.fromisoformat(schedule["scheduled_at"].upper())
        if moment.tzinfo is None:
            raise invalid(("body", "scheduled_at"), "The time needs a zone")
        if moment <= datetime.fromtimestamp(now, UTC):
            raise invalid(("body", "scheduled_at"), "The time must lie in the future")


def _schedule(sim: Simulation, schedule: Record) -> Record:
    playbook_id, moment = schedule["playbook_id"], schedule["scheduled_at"]
    title = sim.store.table("playbooks").get(playbook_id or "", {}).get("title")
    hidden = ("playbook_id", "run_as_user_id", "deleted")
    return {
        **{name: value for name, value in schedule.items() if name not in hidden},
        "scheduled_at": None if moment is None else iso(datetime.fromisoformat(moment.upper()).timestamp()),
        "playbook": None if playbook_id is None else {"playbook_id": playbook_id, "title": title},
        "last_executed_at": None,
        "last_error_at": None,
        "last_error_message": None,
        "consecutive_failures": 0,
    }


def _find_schedule(sim: Simulation, schedule_id: str) -> Record:
    schedule = sim.store.read(SCHEDULES, schedule_id)
    if schedule["deleted"]:
        raise not_found("Schedule")
    return schedule


@router.get(ORG + "/schedules")
async def read_schedules(sim: Sim, query: Annotated[wire.SchedulesQuery, Query()]) -> Response:
    rows = [schedule for schedule in sim.store.all(SCHEDULES) if not schedule["deleted"]]
    stop = query.offset + (query.limit or 100)
    page = [json_bytes(_schedule(sim, schedule)) for schedule in rows[query.offset : stop]]
    return wire.page_response(page, str(stop) if stop < len(rows) else None, len(rows))


@router.post(ORG + "/schedules")
async def create_schedule(sim: Sim, body: Annotated[wire.ScheduleCreate, Body()]) -> Response:
    check_platform(body.platform)
    fields = body.model_dump(exclude={"create_as_user_id"})
    _check_schedule(fields, set(fields), sim.now())
    now = iso(sim.now())
    about = {"enabled": True, "created_by": body.create_as_user_id or SERVICE_USER, "created_at": now}
    about["last_edited_by"] = None
    schedule = {"org_id": sim.config.org, **fields, **about, "updated_at": now, "deleted": False}
    return json_response(_schedule(sim, sim.store.create(SCHEDULES, schedule)))


@router.get(ORG + "/schedules/{schedule_id}")
async def read_schedule(sim: Sim, schedule_id: str) -> Response:
    return json_response(_schedule(sim, _find_schedule(sim, schedule_id)))


@router.patch(ORG + "/schedules/{schedule_id}")
async def update_schedule(sim: Sim, schedule_id: str, body: Annotated[wire.ScheduleUpdate, Body()]) -> Response:
    check_platform(body.platform)
    old, given = _find_schedule(sim, schedule_id), body.model_dump(exclude_unset=True)
    change = {name: value for name, value in given.items() if value is not None or name in _CLEARED_BY_NULL}
    if "run_as_user_id" in given:
        change["created_by"] = given["run_as_user_id"] or SERVICE_USER
    _check_schedule({**old, **change}, set(given), sim.now())
    change |= {"updated_at": iso(sim.now()), "last_edited_by": SERVICE_USER}
    schedule = sim.store.update(SCHEDULES, schedule_id, change)
    return json_response(_schedule(sim, schedule))


@router.delete(ORG + "/schedules/{schedule_id}")
async def delete_schedule(sim: Sim, schedule_id: str) -> Response:
    schedule = _find_schedule(sim, schedule_id)
    # the record stays, as the service deletes softly
    sim.store.update(SCHEDULES, schedule_id, {"deleted": True, "updated_at": iso(sim.now())})
    return json_response(_schedule(sim, schedule))
