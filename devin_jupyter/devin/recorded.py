"""Handles on sessions that a saved notebook shows: they hold what was recorded and ask nobody."""

from __future__ import annotations

from pathlib import Path

from devin_jupyter import loop, settings
from devin_jupyter.client import Core, State
from devin_jupyter.journal import Journal
from devin_jupyter.journal.saved import read_notebook
from devin_jupyter.models.snapshot import Known, Snapshot
from devin_jupyter.schema import from_wire
from devin_jupyter.session import Session


def sessions_in(path: Path) -> list[Session]:
    """Return a handle for each session in the outputs of a notebook file, in the order of its cells."""
    core = Core(settings.replaying(path.name), journal=Journal())
    return [_handle(core, saved.snapshot) for saved in read_notebook(path)]


def _handle(core: Core, snapshot: Snapshot) -> Session:
    known = Known(api_version=snapshot.api_version, org_id=snapshot.org_id, schema=snapshot.schema)
    schema = from_wire(snapshot.schema) if snapshot.schema is not None else None
    return Session(core, State(known, snapshot), schema=schema, how="recorded", bridge=loop)
