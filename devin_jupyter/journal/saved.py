"""Sessions read back from a notebook file alone: what its outputs carry, without journal, key or kernel."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from devin_jupyter.errors import OptionError
from devin_jupyter.models.ids import bare_id, session_id
from devin_jupyter.models.snapshot import WEB_APP, Message, Snapshot, parse_time
from devin_jupyter.recorded import snapshot_from_json

RECORD_MIME = "application/vnd.devin.session+json"
_SAME_NAMES = (
    "url",
    "api_version",
    "fingerprint",
    "title",
    "schema",
    "question",
    "acus",
    "max_acu_limit",
    "pull_requests",
    "repos",
    "tags",
    "created_at",
    "updated_at",
    "simulated",
)


@dataclass(frozen=True, slots=True)
class Saved:
    """A session as the file shows it."""

    snapshot: Snapshot
    """With `.recorded` set."""
    cell: int
    """The position of its cell in the file, from 0."""


def read_notebook(path: Path) -> list[Saved]:
    """Return the sessions in the outputs of a notebook file, each as last shown, in the order of their cells.

    Raises:
        OptionError: the file is not there, or is not a notebook.
    """
    try:
        content = json.loads(path.read_bytes())
        if not isinstance(content, dict) or not isinstance(content.get("cells"), list):
            raise ValueError("it has no cells")
        cells = content["cells"]
        seen = datetime.fromtimestamp(path.stat().st_mtime, UTC).date()
    except (OSError, ValueError, RecursionError) as problem:
        raise OptionError(
            f"{path} cannot be read as a notebook: {problem}", hint="give the path of an .ipynb file"
        ) from None
    found: dict[str, Saved] = {}
    for position, cell in enumerate(cells):
        for record in _records(cell):
            snapshot = _snapshot(record, seen)
            if snapshot is not None:
                found.pop(snapshot.session_id, None)
                found[snapshot.session_id] = Saved(snapshot, position)
    return sorted(found.values(), key=lambda saved: saved.cell)


def _records(cell: Any) -> Iterator[Mapping[str, Any]]:
    outputs = cell.get("outputs") if isinstance(cell, Mapping) else None
    for output in outputs if isinstance(outputs, list) else ():
        data = output.get("data") if isinstance(output, Mapping) else None
        record = data.get(RECORD_MIME) if isinstance(data, Mapping) else None
        if isinstance(record, str | list):
            record = _parsed(record)
        if isinstance(record, Mapping):
            board = record.get("sessions")
            yield from _of_board(board, record.get("schemas")) if isinstance(board, list) else (record,)


def _of_board(records: list[Any], schemas: Any) -> Iterator[Mapping[str, Any]]:
    """A board keeps each schema once; its sessions say which one is theirs."""
    known = schemas if isinstance(schemas, list) else []
    for record in records:
        if isinstance(record, Mapping):
            at = record.get("schema")
            schema = known[at] if isinstance(at, int) and 0 <= at < len(known) else None
            yield {**record, "schema": schema}


def _parsed(record: str | list[Any]) -> Any:
    """Some front ends store JSON types as text, or as lines of text."""
    try:
        return json.loads(record if isinstance(record, str) else "".join(map(str, record)))
    except (ValueError, RecursionError):
        return None


def _snapshot(record: Mapping[str, Any], seen: date) -> Snapshot | None:
    try:
        identifier = session_id(str(record.get("id") or ""))
        fields = {name: record[name] for name in _SAME_NAMES if record.get(name) is not None}
        return snapshot_from_json(
            {"url": WEB_APP + bare_id(identifier), **fields},
            session_id=identifier,
            phase=record.get("phase") or "working",
            org_id=record.get("org"),
            recorded=updated.date() if (updated := parse_time(record.get("updated_at"))) else seen,
            **_answer(record),
        )
    except (OptionError, ValueError, TypeError, AttributeError):
        return None  # an output that somebody edited, or of a newer version


def _answer(record: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of a session with a schema is data; without one it is Devin's last message, question or not."""
    answer, standing = record.get("answer"), record.get("answer_standing")
    word = record.get("question") if answer is None else answer
    if standing is None and isinstance(word, str):
        return {"messages": (Message("recorded", "devin", word, None),)}
    if answer is None:
        return {}
    is_valid = standing in (None, "validated", "provisional")
    return {"structured_output": answer, "output_is_fresh": True, "output_is_valid": is_valid}
