"""Records of sessions, as tests need them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from devin_jupyter.models.snapshot import Facts, Record, Sent, Snapshot, Where, observe
from devin_jupyter.schema import Schema, from_wire


def record(
    session_id: str = "devin-a",
    *,
    api_version: str = "v3",
    org_id: str | None = None,
    schema: Schema | Mapping[str, Any] | None = None,
    sent: Sent | None = None,
    terminated: bool = False,
    snapshot: Snapshot | None = None,
    **facts: Any,
) -> Record:
    """Return the record of a session with these facts."""
    typed = schema if schema is None or isinstance(schema, Schema) else from_wire(schema)
    known = Facts(where=Where("", org_id, api_version), schema=typed, **facts)
    return Record(session_id=session_id, facts=known, sent=sent, terminated=terminated, snapshot=snapshot)


def seen(raw: Mapping[str, Any], at: datetime, **facts: Any) -> Snapshot:
    """Return what one answer shows of a session with these facts."""
    return observe(raw, record(**facts), at=at)
