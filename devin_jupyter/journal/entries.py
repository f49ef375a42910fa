"""What the journal holds about a session: plain frozen values, between the tables and everybody else."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from devin_jupyter.errors import JournalError
from devin_jupyter.journal.codec import clean, dumps, sent_from_json, snapshot_from_json
from devin_jupyter.models.snapshot import Known, Sent, Snapshot
from devin_jupyter.redaction import keep_secret, redact_tree


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRef:
    """A cell of a notebook, as well as it can be named."""

    notebook: str
    """Its path, or the folder or script where there is none."""
    cell_id: str | None = None
    out: str | None = None
    """The name after `-o`."""

    @property
    def cell(self) -> str:
        """The cell's id, else the name it binds, else nothing."""
        if self.cell_id:
            return f"id:{self.cell_id}"
        return f"out:{self.out}" if self.out else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What is written down before a session is started. Holds names of secrets, never their values."""

    fingerprint: str
    base: str
    """The fingerprint of the same request without its take."""
    tag: str
    take: str | None = None
    base_url: str = ""
    org_id: str | None = None
    api_version: str = "v3"
    cell: CellRef | None = None
    batch: str | None = None
    prompt: str = ""
    incidental: Mapping[str, Any] = field(default_factory=dict)
    """What may differ without making another session."""
    mode: str | None = None
    repos: tuple[str, ...] = ()
    max_acu: int | None = None
    schema: Mapping[str, Any] | None = None
    """As sent."""
    scopes: tuple[str, ...] = ()
    """The budgets it counts in."""
    secret_names: tuple[str, ...] = ()
    """Of its sensitive secrets, so that a later process knows what to mask."""

    def to_json(self) -> str:
        """Return everything as text for the journal, redacted."""
        cell = self.cell and {"notebook": self.cell.notebook, "cell_id": self.cell.cell_id, "out": self.cell.out}
        record = {name: getattr(self, name) for name in self.__slots__ if name != "cell"} | {"cell": cell}
        return dumps(redact_tree({**record, "prompt": clean(self.prompt)}))

    @classmethod
    def from_json(cls, text: str) -> Start:
        """Read what `to_json` wrote; fields of newer versions are skipped."""
        record = {name: value for name, value in json.loads(text).items() if name in cls.__slots__}
        cell = record.get("cell")
        record["cell"] = CellRef(**cell) if cell else None
        for name in ("repos", "scopes", "secret_names"):
            record[name] = tuple(record.get(name) or ())
        return cls(**record)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A session in the journal."""

    session_id: str
    fingerprint: str | None
    """None for sessions that were only looked at from here."""
    base: str | None = None
    tag: str | None = None
    take: str | None = None
    base_url: str | None = None
    org_id: str | None = None
    api_version: str = "v3"
    batch: str | None = None
    prompt: str = ""
    incidental: Mapping[str, Any] = field(default_factory=dict)
    mode: str | None = None
    repos: tuple[str, ...] = ()
    max_acu: int | None = None
    schema: Mapping[str, Any] | None = None
    how: str = "created"
    started_at: float = 0.0
    """Unix seconds: when the service made it, as far as known."""
    sent: Sent | None = None
    is_terminated: bool = False
    is_open: bool = True
    """Its turn was not over when it was last looked at."""
    acus: float | None = None
    snapshot: Snapshot | None = None
    """As last seen."""
    seen_by: str | None = None

    def known(
        self,
        api_version: str | None = None,
        *,
        is_valid: Callable[[Any], bool] | None = None,
        simulated: bool = False,
    ) -> Known:
        """Return what the service does not say about this session.

        Args:
            api_version: whose answers are read from now on; None is the one that started it.
            is_valid: whether an output fits the schema.
            simulated: whether the service is a simulator.
        """
        return Known(
            api_version=api_version or self.api_version,
            org_id=self.org_id,
            schema=self.schema,
            is_valid=is_valid,
            max_acu_limit=self.max_acu,
            repos=self.repos,
            fingerprint=self.fingerprint,
            sent=self.sent,
            terminated=self.is_terminated,
            simulated=simulated,
        )


def entry_of(row: sqlite3.Row) -> Entry:
    """Return the entry of a row of `sessions` joined with its schema; from here on its secrets are masked.

    Raises:
        JournalError: the row does not hold what was written.
    """
    try:
        keep_secret(os.environ.get(name, "") for name in json.loads(row["secret_names"]))
        return _entry(row)
    except (ValueError, TypeError, KeyError, AttributeError) as problem:
        raise JournalError(
            f"the journal's entry of {row['session_id']} is damaged: {problem}",
            "without a journal that can be trusted nothing is started",
            "move the journal away; sessions are found again by their tags",
        ) from None


def _entry(row: sqlite3.Row) -> Entry:
    schema = json.loads(row["schema"]) if row["schema"] else None
    snapshot = None
    if row["snapshot"]:
        snapshot = snapshot_from_json(json.loads(row["snapshot"]), schema=schema, fingerprint=row["fingerprint"])
    plain = (
        "session_id",
        "fingerprint",
        "base",
        "tag",
        "take",
        "base_url",
        "org_id",
        "api_version",
        "batch",
        "mode",
        "max_acu",
        "how",
        "started_at",
        "acus",
        "seen_by",
    )
    return Entry(
        **{name: row[name] for name in plain},
        prompt=row["prompt"] or "",
        incidental=json.loads(row["incidental"]),
        repos=tuple(json.loads(row["repos"])),
        schema=schema,
        sent=sent_from_json(row["sent"]),
        is_terminated=bool(row["is_terminated"]),
        is_open=bool(row["is_open"]),
        snapshot=snapshot,
    )
