"""A row of the journal's sessions as a `Record`."""

from __future__ import annotations

import json
import os
import sqlite3
from functools import lru_cache
from typing import TYPE_CHECKING

from devin_jupyter.errors import JournalError
from devin_jupyter.models.snapshot import Facts, Record, Where
from devin_jupyter.recorded import schema_from_json, sent_from_json, snapshot_from_json
from devin_jupyter.redaction import keep_secret

if TYPE_CHECKING:
    from devin_jupyter.schema import Schema


def record_of(row: sqlite3.Row) -> Record:
    """Return the record of a row of `sessions` joined with its schema; from here on its secrets are masked.

    Raises:
        JournalError: the row does not hold what was written.
    """
    try:
        secret_names = tuple(json.loads(row["secret_names"]))
        keep_secret(os.environ.get(name, "") for name in secret_names)
        schema = _schema(row["schema"]) if row["schema"] else None
        facts = Facts(
            fingerprint=row["fingerprint"],
            base=row["base"],
            tag=row["tag"],
            take=row["take"],
            where=Where(row["base_url"] or "", row["org_id"], row["api_version"]),
            batch=row["batch"],
            prompt=row["prompt"] or "",
            incidental=json.loads(row["incidental"]),
            mode=row["mode"],
            repos=tuple(json.loads(row["repos"])),
            max_acu=row["max_acu"],
            schema=schema,
            secret_names=secret_names,
        )
        snapshot = None
        if row["snapshot"]:
            stored = json.loads(row["snapshot"])
            wire = facts.wire_schema
            snapshot = snapshot_from_json(stored, schema=wire, fingerprint=facts.fingerprint)
        return Record(
            session_id=row["session_id"],
            facts=facts,
            how=row["how"],
            started_at=row["started_at"],
            sent=sent_from_json(row["sent"]),
            terminated=bool(row["is_terminated"]),
            snapshot=snapshot,
            is_open=bool(row["is_open"]),
            acus=row["acus"],
            seen_by=row["seen_by"],
        )
    except (ValueError, TypeError, KeyError, AttributeError) as problem:
        raise JournalError(
            f"the journal's entry of {row['session_id']} is damaged: {problem}",
            "without a journal that can be trusted nothing is started",
            "move the journal away; sessions are found again by their tags",
        ) from None


@lru_cache(maxsize=256)
def _schema(text: str) -> Schema | None:
    """Sessions that were asked for the same share a schema, so that it is compiled once."""
    return schema_from_json(json.loads(text))
