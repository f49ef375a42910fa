"""Batches by name, so that another kernel or a script can go on with one."""

from __future__ import annotations

import json
from typing import Any

from devin_jupyter.journal.database import Database, row, rows
from devin_jupyter.recorded import dumps
from devin_jupyter.redaction import redact_tree


class Batches:
    """The part of the journal that keeps what a batch is made of. The record is the batch's own business."""

    def __init__(self, database: Database) -> None:
        """Read nothing yet."""
        self._database = database

    def save(self, name: str, record: dict[str, Any], *, notebook: str | None, now: float) -> None:
        """Keep the record of a batch in the place of an earlier one of that name; None keeps the notebook it has."""
        with self._database.write("batch") as db:
            db.execute(
                "INSERT INTO batches VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET record = excluded.record, "
                "notebook = COALESCE(excluded.notebook, notebook), saved_at = excluded.saved_at",
                (name, notebook, dumps(redact_tree(record)), now),
            )

    def load(self, name: str) -> dict[str, Any] | None:
        """Return the record of a batch, or None."""
        with self._database.read() as db:
            found = row(db, "SELECT record FROM batches WHERE name = ?", name)
        record: dict[str, Any] | None = json.loads(found["record"]) if found else None
        return record

    def records(self, notebook: str) -> dict[str, dict[str, Any]]:
        """Return the records of a notebook's batches by their names, newest first."""
        with self._database.read() as db:
            query = "SELECT name, record FROM batches WHERE notebook = ? ORDER BY saved_at DESC, name"
            found = rows(db, query, notebook)
        return {item["name"]: json.loads(item["record"]) for item in found}

    def names(self, *, notebook: str | None = None) -> list[str]:
        """Return the names of all batches, or of a notebook's, newest first."""
        with self._database.read() as db:
            found = rows(db, "SELECT name, notebook FROM batches ORDER BY saved_at DESC, name")
        return [item["name"] for item in found if notebook in (None, item["notebook"])]
