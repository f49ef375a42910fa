"""Snapshots and what belongs to them as JSON, for the journal and for lock files; unknown fields are skipped."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from types import NoneType
from typing import Any

from devin_jupyter.models.phase import Phase
from devin_jupyter.models.snapshot import Message, PullRequest, Sent, Snapshot, parse_time
from devin_jupyter.redaction import redact, redact_tree

_FIELDS = {field.name: field for field in dataclasses.fields(Snapshot)}
_TIMES = ("created_at", "updated_at", "observed_at")
_TUPLES = ("tags", "child_session_ids", "repos")
_KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "str | None": (str, NoneType),
    "int | None": (int, NoneType),
    "float | None": (int, float, NoneType),
    "bool": (bool,),
    "Mapping[str, Any] | None": (Mapping, NoneType),
}
"""What a field may hold, by its annotation; those of other annotations are read one by one."""


def snapshot_to_json(snapshot: Snapshot, *, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the fields that differ from their defaults, redacted."""
    kept: dict[str, Any] = {}
    for name, field in _FIELDS.items():
        value = getattr(snapshot, name)
        if name in without or value == field.default or value in ((), {}):
            continue
        kept[name] = _plain(value)
    cleaned: dict[str, Any] = redact_tree(kept)
    return cleaned


def snapshot_from_json(record: Mapping[str, Any], **changes: Any) -> Snapshot:
    """Return the snapshot of a record; `changes` go over it.

    Raises:
        ValueError, TypeError: the record is not one that `snapshot_to_json` made.
    """
    known = {name: value for name, value in record.items() if name in _FIELDS}
    values = {name: _checked(name, value) for name, value in (known | changes).items()}
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


def sent_to_json(sent: Sent | None) -> str | None:
    """Return a sent message as text for the journal, redacted."""
    if sent is None:
        return None
    return dumps(redact_tree({field.name: _plain(getattr(sent, field.name)) for field in dataclasses.fields(Sent)}))


def sent_from_json(text: str | None) -> Sent | None:
    """Read what `sent_to_json` wrote."""
    if not text:
        return None
    names = {field.name for field in dataclasses.fields(Sent)}
    record = {name: value for name, value in json.loads(text).items() if name in names}
    record["at"] = parse_time(record["at"]) or datetime.fromtimestamp(0, UTC)
    record["updated_at"] = parse_time(record.get("updated_at"))
    return Sent(**{**record, "phase_before": Phase(record["phase_before"])})


def dumps(value: Any) -> str:
    """Return compact JSON in ASCII: broken Unicode from anywhere can be kept, and so is the order of an answer."""
    return json.dumps(value, separators=(",", ":"))


def canonical(value: Any) -> str:
    """Return JSON that is equal for equal values, for hashes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def clean(text: str) -> str:
    """Return text that can be kept: redacted, and broken Unicode escaped."""
    return redact(text).encode("utf-8", "backslashreplace").decode()


def _plain(value: Any) -> Any:
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.value if isinstance(value, Phase) else value


def _checked(name: str, value: Any) -> Any:
    kinds = _KINDS.get(str(_FIELDS[name].type))
    if kinds is not None and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
        raise TypeError(f"{name} is {type(value).__name__}")
    return value


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
