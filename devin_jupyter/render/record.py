"""The machine-readable record in a saved output: enough to reattach to the session, or to read its answer.

No transcript, no prompt, no secrets. The record of a simulated session has neither times nor addresses, which differ
between simulators.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from devin_jupyter.models.snapshot import Snapshot
from devin_jupyter.recorded import dumps
from devin_jupyter.redaction import redact, redact_tree
from devin_jupyter.render.labels import answer, output_status
from devin_jupyter.text import one_line, safe_text

RECORD_VERSION = 1
MOST_ANSWER, MOST_ANSWERS = 256_000, 2_000_000
"""Bytes of the answer of one session, and of all sessions of a board, that a notebook keeps."""
_LONGEST_ADDRESS, _MOST_PULL_REQUESTS = 2000, 500
_LONGEST_NAME, _MOST_NAMES = 400, 100


def session_record(snapshot: Snapshot) -> dict[str, Any]:
    """Return the redacted record of a session for the saved notebook; a JSON object without nulls."""
    record = {
        "version": RECORD_VERSION,
        "id": snapshot.session_id,
        "org": snapshot.org_id,
        "api_version": snapshot.api_version,
        "fingerprint": _fingerprint(snapshot),
        "phase": snapshot.phase.value,
        "title": one_line(snapshot.title, 400) if snapshot.title else None,
        "schema": None if snapshot.schema is None else dict(snapshot.schema),
        **_answer(snapshot, MOST_ANSWER),
        "answer_standing": output_status(snapshot) or None,
        "question": safe_text(snapshot.question) if snapshot.question else None,
        "acus": snapshot.acus,
        "max_acu_limit": snapshot.max_acu_limit,
        "pull_requests": _pull_requests(snapshot) or None,
        "repos": [repo[:_LONGEST_NAME] for repo in snapshot.repos[:_MOST_NAMES]] or None,
        "tags": [tag[:_LONGEST_NAME] for tag in snapshot.tags[:_MOST_NAMES]] or None,
        "simulated": snapshot.simulated or None,
        **({} if snapshot.simulated else _place_and_time(snapshot)),
    }
    clean: dict[str, Any] = redact_tree({key: value for key, value in record.items() if value is not None})
    return clean


def board_record(title: str, snapshots: Iterable[Snapshot]) -> dict[str, Any]:
    """Return the redacted record of a board; a schema shared by several sessions is stored once."""
    schemas: list[dict[str, Any]] = []
    sessions, room = [], MOST_ANSWERS
    for snapshot in snapshots:
        record = _short_record(snapshot, min(room, MOST_ANSWER))
        room -= len(dumps(record["answer"])) if "answer" in record else 0
        if snapshot.schema is not None:
            schema = dict(snapshot.schema)
            if schema not in schemas:
                schemas.append(schema)
            record["schema"] = schemas.index(schema)
        sessions.append(record)
    kept = {"schemas": redact_tree(schemas)} if schemas else {}
    return {"version": RECORD_VERSION, "title": one_line(title), **kept, "sessions": sessions}


def _short_record(snapshot: Snapshot, room: int) -> dict[str, Any]:
    """Return what a board keeps of one session: where to find it, its state and its answer."""
    record = {
        "id": snapshot.session_id,
        "org": snapshot.org_id,
        "api_version": snapshot.api_version,
        "fingerprint": _fingerprint(snapshot),
        "phase": snapshot.phase.value,
        "title": one_line(snapshot.title, 160) if snapshot.title else None,
        **_answer(snapshot, room),
        "answer_standing": output_status(snapshot) or None,
        "question": safe_text(snapshot.question) if snapshot.question else None,
        "acus": snapshot.acus,
        "simulated": snapshot.simulated or None,
        **({} if snapshot.simulated else _place_and_time(snapshot)),
    }
    clean: dict[str, Any] = redact_tree({key: value for key, value in record.items() if value is not None})
    return clean


def _pull_requests(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return as many pull requests as a notebook keeps, without addresses that no service gives."""
    found = [pr for pr in snapshot.pull_requests if len(pr.url) <= _LONGEST_ADDRESS]
    return [{"url": pr.url, "state": pr.state} for pr in found[:_MOST_PULL_REQUESTS]]


def _answer(snapshot: Snapshot, most: int) -> dict[str, Any]:
    """Return the answer, or the size of one that is too large to be kept."""
    found = answer(snapshot)
    try:
        kept = redact_tree(found)
        size = len(dumps(kept))
    except (RecursionError, ValueError):  # nested too deep, or a number of too many digits
        return {"answer_bytes": 0}
    return {"answer": kept} if size <= most else {"answer_bytes": size}


def _place_and_time(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "url": redact(snapshot.url),
        "created_at": _iso(snapshot.created_at),
        "updated_at": _iso(snapshot.updated_at),
    }


def _fingerprint(snapshot: Snapshot) -> str | None:
    """Return the fingerprint; for a simulated session without its first part, which differs between simulators."""
    text = snapshot.fingerprint
    if text is None or not snapshot.simulated:
        return text
    version, _, rest = text.partition(":")
    where, _, what = rest.partition(":")
    return f"{version}:simulator:{what}" if where and what else text


def _iso(at: datetime | None) -> str | None:
    return at.isoformat().replace("+00:00", "Z") if at else None
