"""Recorded sessions as JSON: for the journal, for lock files and for saved notebooks.

The names of stored fields never change, and a test lists them all: files of earlier versions are read by them, and
fields of later versions are skipped. Everything written is redacted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime
from operator import attrgetter
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any

from devin_jupyter.errors import JournalError, OptionError
from devin_jupyter.models.enums import Phase
from devin_jupyter.models.fields import FIELDS, bare_id, session_id
from devin_jupyter.models.snapshot import (
    WEB_APP,
    CellRef,
    Facts,
    Message,
    PullRequest,
    Record,
    Sent,
    Snapshot,
    Where,
    parse_time,
)
from devin_jupyter.redaction import redact, redact_tree
from devin_jupyter.text import one_line

if TYPE_CHECKING:
    from devin_jupyter.schema import Schema

_TEXT = (str,)
_TEXT_OR_NONE = (str, NoneType)
_NUMBER = (int, float, NoneType)
_INTEGER = (int, NoneType)
_FLAG = (bool,)
_OBJECT = (Mapping, NoneType)
_ANY = (object,)
_BY_COLUMN = {"text": _TEXT_OR_NONE, "word": _TEXT_OR_NONE, "number": _NUMBER, "boolean": _FLAG}
_OTHERS: Mapping[str, tuple[type, ...]] = {
    "session_id": _TEXT,
    "url": _TEXT,
    "phase": _TEXT,
    "max_acu_limit": _INTEGER,
    "output_is_fresh": _FLAG,
    "output_is_valid": _FLAG,
    "question": _TEXT_OR_NONE,
    "is_asked": _FLAG,
    "send_pending": _FLAG,
    "unanswered": _FLAG,
    "answer_after": _TEXT_OR_NONE,
    "stopped_after": _NUMBER,
    "api_version": _TEXT,
    "fingerprint": _TEXT_OR_NONE,
    "schema": _OBJECT,
    "simulated": _FLAG,
    "unsaved_answer": _INTEGER,
}
_COLUMNS = {row.name: row.column or "" for row in FIELDS}
_STORED: dict[str, tuple[type, ...]] = {
    item.name: _OTHERS.get(item.name, _BY_COLUMN.get(_COLUMNS.get(item.name, ""), _ANY)) for item in fields(Snapshot)
}
"""The fields of a snapshot as they are stored, flat, and what each may hold; `_ANY` are read one by one below."""
_ALWAYS = ("session_id", "url", "phase")
_BLANK = Snapshot(session_id="", url="", phase=Phase.WORKING)
_DEFAULTS = tuple((name, object() if name in _ALWAYS else getattr(_BLANK, name)) for name in _STORED)
_values = attrgetter(*_STORED)
_to_text = json.JSONEncoder(separators=(",", ":")).encode
_TIMES = ("created_at", "updated_at", "observed_at")
_TUPLES = ("tags", "child_session_ids", "repos")


def snapshot_to_json(snapshot: Snapshot, *, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the fields that differ from their defaults, redacted."""
    kept: dict[str, Any] = {}
    for (name, default), value in zip(_DEFAULTS, _values(snapshot), strict=True):
        # most fields are at their defaults, which the first comparison tells without a call
        if value is default or name in without or value == default or value in ((), {}):
            continue
        kept[name] = _plain(value)
    cleaned: dict[str, Any] = redact_tree(kept)
    return cleaned


def snapshot_to_text(snapshot: Snapshot, *, without: tuple[str, ...] = ()) -> str:
    """Return the same as text for the journal."""
    return _to_text(snapshot_to_json(snapshot, without=without))


def snapshot_from_json(record: Mapping[str, Any], **changes: Any) -> Snapshot:
    """Return the snapshot of a record; `changes` go over it.

    Raises:
        ValueError, TypeError: the record is not one that `snapshot_to_json` made.
    """
    values = {name: value for name, value in record.items() if name in _STORED} | changes
    for name, value in values.items():
        kinds = _STORED[name]
        if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not _ANY and bool not in kinds):
            raise TypeError(f"{name} is {type(value).__name__}")
    values["phase"] = Phase(values.get("phase", Phase.WORKING))
    for name in _TIMES:
        values[name] = parse_time(values.get(name)) if not isinstance(values.get(name), datetime) else values[name]
    for name in _TUPLES:
        values[name] = tuple(_text(item) for item in values.get(name) or ())
    values["pull_requests"] = tuple(_pull_request(item) for item in values.get("pull_requests") or ())
    values["messages"] = tuple(_message(item) for item in values.get("messages") or ())
    if isinstance(values.get("recorded"), str):
        values["recorded"] = date.fromisoformat(values["recorded"])
    return Snapshot(**values)


def record_of(snapshot: Snapshot, *, schema: Schema | None = None) -> Record:
    """Return the record of a session that only a file shows.

    Args:
        snapshot: as it was recorded.
        schema: what its output is read as; by default the schema in the file.
    """
    return Record(
        session_id=snapshot.session_id,
        facts=Facts(
            fingerprint=snapshot.fingerprint,
            where=Where("", snapshot.org_id, snapshot.api_version),
            repos=snapshot.repos,
            max_acu=snapshot.max_acu_limit,
            schema=schema or schema_from_json(snapshot.schema),
            simulated=snapshot.simulated,
        ),
        how="recorded",
        snapshot=snapshot,
        is_open=not snapshot.turn_over,
        acus=snapshot.acus,
    )


def sent_to_json(sent: Sent | None) -> str | None:
    """Return a sent message as text for the journal, redacted."""
    if sent is None:
        return None
    record = {
        "text": sent.text,
        "at": sent.at,
        "phase_before": sent.phase_before,
        "output_before": sent.output_before,
        "updated_at": sent.updated_at,
        "last_event": sent.last_event,
        "service_at": sent.service_at,
    }
    return redacted(_plain(record))


def sent_from_json(text: str | None) -> Sent | None:
    """Read what `sent_to_json` wrote."""
    if not text:
        return None
    record = json.loads(text)
    return Sent(
        text=record["text"],
        at=parse_time(record["at"]) or datetime.fromtimestamp(0, UTC),
        phase_before=Phase(record["phase_before"]),
        output_before=record.get("output_before"),
        updated_at=parse_time(record.get("updated_at")),
        last_event=record.get("last_event"),
        service_at=parse_time(record.get("service_at")),
    )


def facts_to_json(facts: Facts) -> str:
    """Return the facts of a session that is about to be started as text for the journal, redacted."""
    cell = facts.cell
    record = {
        "fingerprint": facts.fingerprint,
        "base": facts.base,
        "tag": facts.tag,
        "take": facts.take,
        "base_url": facts.where.base_url,
        "org_id": facts.where.org_id,
        "api_version": facts.where.api_version,
        "batch": facts.batch,
        "prompt": clean(facts.prompt),
        "incidental": facts.incidental,
        "mode": facts.mode,
        "repos": facts.repos,
        "max_acu": facts.max_acu,
        "schema": facts.wire_schema,
        "scopes": facts.scopes,
        "secret_names": facts.secret_names,
        "cell": cell and {"notebook": cell.notebook, "cell_id": cell.cell_id, "out": cell.out},
    }
    return redacted(record)


def facts_from_json(text: str) -> Facts:
    """Read what `facts_to_json` wrote."""
    record = json.loads(text)
    cell = record.get("cell")
    return Facts(
        fingerprint=record["fingerprint"],
        base=record["base"],
        tag=record["tag"],
        take=record.get("take"),
        where=Where(record.get("base_url") or "", record.get("org_id"), record.get("api_version") or "v3"),
        cell=CellRef(notebook=cell["notebook"], cell_id=cell.get("cell_id"), out=cell.get("out")) if cell else None,
        batch=record.get("batch"),
        prompt=record.get("prompt") or "",
        incidental=record.get("incidental") or {},
        mode=record.get("mode"),
        repos=tuple(record.get("repos") or ()),
        max_acu=record.get("max_acu"),
        schema=schema_from_json(record.get("schema")),
        scopes=tuple(record.get("scopes") or ()),
        secret_names=tuple(record.get("secret_names") or ()),
    )


def schema_of(record: Record) -> Schema | None:
    """Return what the output of a session is read as, or None."""
    if record.facts.schema is None:
        return None
    from devin_jupyter.schema import Schema

    return record.facts.schema if isinstance(record.facts.schema, Schema) else None


def schema_from_json(wire: Mapping[str, Any] | None) -> Schema | None:
    """Return a schema that was sent once; loaded only where there is one."""
    if wire is None:
        return None
    from devin_jupyter.schema import from_wire

    return from_wire(wire)


def same_text(text: str) -> str:
    """Return a text without invisible differences: blanks at line ends, kinds of line ends, byte order marks."""
    text = text.replace("\ufeff", "").replace("\r\n", "\n").replace("\r", "\n")
    if not text.isascii():
        import unicodedata

        text = unicodedata.normalize("NFC", text)
    return "\n".join(line.rstrip() for line in text.rstrip().split("\n"))


def message_key(session_id: str, text: str, hashes: Iterable[str]) -> str:
    """Return the identity of a message as a hash: of the session, the text (see `same_text`) and the files."""
    return message_keys(session_id, text, hashes)[0]


def message_keys(session_id: str, text: str, hashes: Iterable[str]) -> tuple[str, ...]:
    """Return the key of a message; then the one that earlier versions of this package gave it, if it was another."""
    files = sorted(hashes)
    texts = dict.fromkeys([same_text(text).strip(), text.strip()])
    return tuple(hashlib.sha256(canonical([session_id, one, files]).encode()).hexdigest() for one in texts)


def dumps(value: Any) -> str:
    """Return compact JSON in ASCII, which can hold broken Unicode; the order of keys is kept."""
    return json.dumps(value, separators=(",", ":"))


def redacted(value: Any) -> str:
    """Return the same with secrets masked."""
    return json.dumps(redact_tree(value), separators=(",", ":"))


def canonical(value: Any) -> str:
    """Return JSON that is equal for equal values, for hashes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def clean(text: str) -> str:
    """Return text that can be kept: redacted, and broken Unicode escaped."""
    return redact(text).encode("utf-8", "backslashreplace").decode()


def _plain(value: Any) -> Any:
    if type(value) is str:  # most are
        return value
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, Message):
        return {
            "event_id": value.event_id,
            "source": value.source,
            "text": value.text,
            "created_at": _plain(value.created_at),
        }
    if isinstance(value, PullRequest):
        return {"url": value.url, "state": value.state}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.value if isinstance(value, Phase) else value


def _text(item: Any) -> str:
    if not isinstance(item, str):
        raise TypeError(f"{type(item).__name__} where text belongs")
    return item


def _pull_request(item: Any) -> PullRequest:
    if isinstance(item, PullRequest):
        return item
    return PullRequest(_text(item["url"]), None if item.get("state") is None else _text(item["state"]))


def _message(item: Any) -> Message:
    if isinstance(item, Message):
        return item
    if not isinstance(item, Mapping):
        raise TypeError(f"{type(item).__name__} where a message belongs")
    return Message(
        str(item.get("event_id", "")),
        str(item.get("source", "")),
        str(item.get("text", "")),
        parse_time(item.get("created_at")),
    )


# --- lock files ----------------------------------------------------------------------------------------------

LOCK_SUFFIX = ".devin.json"
LOCK_FORMAT = 1


@dataclass(frozen=True, slots=True)
class RecordedSession:
    """One recorded session."""

    snapshot: Snapshot
    """With `.recorded` set."""
    date: date
    """When it was last seen on the service."""
    file: str
    """The lock file's name."""
    sent: Mapping[str, str] = field(default_factory=dict)
    """Messages that had arrived: key → time."""


@dataclass(frozen=True, slots=True)
class LockFile:
    """The recorded sessions of one or more lock files."""

    name: str
    by_what: Mapping[str, RecordedSession]

    def find(self, what: str) -> RecordedSession | None:
        """Return the session recorded for the second part of a fingerprint, or None."""
        return self.by_what.get(what)

    def session(self, session_id: str) -> RecordedSession | None:
        """Return a recorded session by its id, or None."""
        return next((item for item in self.by_what.values() if item.snapshot.session_id == session_id), None)

    @property
    def sessions(self) -> list[RecordedSession]:
        """Every recorded session, in the order of the file."""
        return list(self.by_what.values())

    @property
    def api_version(self) -> str:
        """The version of the API that was recorded; v3 where there are both."""
        versions = {item.snapshot.api_version for item in self.by_what.values()}
        return versions.pop() if len(versions) == 1 else "v3"

    @property
    def real(self) -> LockFile:
        """Without the sessions of a simulator."""
        return LockFile(self.name, {what: item for what, item in self.by_what.items() if not item.snapshot.simulated})

    def was_sent(self, *keys: str) -> str | None:
        """Return when the message with one of these keys had arrived, or None."""
        return next((item.sent[key] for item in self.by_what.values() for key in keys if key in item.sent), None)


def load_lock(path: Path) -> LockFile:
    """Read a lock file.

    Raises:
        JournalError: it is not one, or of a newer format.
    """
    try:
        content = json.loads(path.read_bytes())
        if content["devin_lock"] > LOCK_FORMAT:
            raise JournalError(
                f"{path} was written by a newer devin-jupyter", hint="update with pip install -U devin-jupyter"
            )
        return LockFile(path.name, {what: _recorded(record, path.name) for what, record in content["sessions"].items()})
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as problem:
        raise JournalError(
            f"the lock file {path} cannot be read: {problem}",
            "nothing was sent",
            "take the version from your repository's history, or record it again with %devin lock",
        ) from None


def locks_beside(folder: Path, on_broken: Callable[[JournalError], None] | None = None) -> LockFile | None:
    """Return all lock files of a folder as one, or None where there is none.

    Args:
        folder: the working directory.
        on_broken: told of a file that cannot be read, which is left out then.

    Raises:
        JournalError: a file cannot be read, and there is no `on_broken`.
    """
    found = []
    for path in sorted(folder.glob(f"*{LOCK_SUFFIX}")):
        try:
            found += [load_lock(path)] if path.is_file() else []
        except JournalError as problem:
            if on_broken is None:
                raise
            on_broken(problem)
    if not found:
        return None
    every = {what: item for lock in found for what, item in lock.by_what.items()}
    return LockFile(", ".join(lock.name for lock in found), every)


def _recorded(record: Mapping[str, Any], name: str) -> RecordedSession:
    seen = date.fromisoformat(record["recorded"])
    word = record.get("last_word")
    messages: tuple[Message, ...] = ()
    if word:
        moment = datetime.fromisoformat(word["created_at"]) if word.get("created_at") else None
        messages = (Message("recorded", "devin", word["text"], moment),)
    return RecordedSession(
        snapshot_from_json(record, recorded=seen, messages=messages), seen, name, dict(record.get("sent") or {})
    )


# --- saved notebooks -----------------------------------------------------------------------------------------

RECORD_MIME = "application/vnd.devin.session+json"
_SAVED_AS_THEY_ARE = (
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
class SavedSession:
    """A session as the file shows it."""

    snapshot: Snapshot
    """With `.recorded` set."""
    cell: int
    """The position in the file of the first cell that shows it, from 0."""
    board: str = ""
    """The title of the board that shows it, such as the name of its batch; empty where it is shown on its own."""


def read_notebook(path: Path) -> list[SavedSession]:
    """Return the sessions in the outputs of a notebook file, each in its last state, in the order of their cells.

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
    found: dict[str, SavedSession] = {}
    for position, cell in enumerate(cells):
        for board, record in _saved_records(cell):
            snapshot = _saved_snapshot(record, seen)
            if snapshot is None:
                continue
            saved = found.setdefault(snapshot.session_id, SavedSession(snapshot, position, board))
            if not _is_before(snapshot, saved.snapshot):
                found[snapshot.session_id] = replace(saved, snapshot=snapshot)
    return list(found.values())


def _is_before(one: Snapshot, other: Snapshot) -> bool:
    return one.updated_at is not None and other.updated_at is not None and one.updated_at < other.updated_at


def _saved_records(cell: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    outputs = cell.get("outputs") if isinstance(cell, Mapping) else None
    for output in outputs if isinstance(outputs, list) else ():
        data = output.get("data") if isinstance(output, Mapping) else None
        record = data.get(RECORD_MIME) if isinstance(data, Mapping) else None
        if isinstance(record, str | list):
            record = _parsed_output(record)
        if isinstance(record, Mapping):
            board = record.get("sessions")
            if isinstance(board, list):
                title = one_line(str(record.get("title") or "sessions"))
                yield from ((title, one) for one in _of_board(board, record.get("schemas")))
            else:
                yield "", record


def _of_board(records: list[Any], schemas: Any) -> Iterator[Mapping[str, Any]]:
    """Return the records of a board, which holds each schema once and refers to it from its sessions."""
    known = schemas if isinstance(schemas, list) else []
    for record in records:
        if isinstance(record, Mapping):
            at = record.get("schema")
            schema = known[at] if isinstance(at, int) and 0 <= at < len(known) else None
            yield {**record, "schema": schema}


def _parsed_output(record: str | list[Any]) -> Any:
    """Return the JSON of an output; some front ends store it as text, or as lines of text."""
    try:
        return json.loads(record if isinstance(record, str) else "".join(map(str, record)))
    except (ValueError, RecursionError):
        return None


def _saved_snapshot(record: Mapping[str, Any], seen: date) -> Snapshot | None:
    try:
        identifier = session_id(str(record.get("id") or ""))
        fields = {name: record[name] for name in _SAVED_AS_THEY_ARE if record.get(name) is not None}
        return snapshot_from_json(
            {"url": WEB_APP + bare_id(identifier), **fields},
            session_id=identifier,
            phase=record.get("phase") or "working",
            org_id=record.get("org"),
            recorded=updated.date() if (updated := parse_time(record.get("updated_at"))) else seen,
            **_saved_answer(record),
        )
    except (OptionError, ValueError, TypeError, AttributeError):
        return None  # an output that was edited, or of a newer version


def _saved_answer(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer: data for a session with a schema, else Devin's last message, question or not."""
    answer, standing = record.get("answer"), record.get("answer_standing")
    if answer is None and isinstance(record.get("answer_bytes"), int):
        return {"unsaved_answer": record["answer_bytes"]}
    word = record.get("question") if answer is None else answer
    if standing is None and isinstance(word, str):
        return {"messages": (Message("recorded", "devin", word, None),)}
    if answer is None:
        return {}
    is_valid = standing in (None, "validated", "provisional")
    return {"structured_output": answer, "output_is_fresh": True, "output_is_valid": is_valid}
