"""Snapshots for tests that need no service."""

from __future__ import annotations

from typing import Any

from devin_jupyter.models.enums import Phase
from devin_jupyter.models.snapshot import Snapshot


def make_snapshot(number: int = 1, **fields: Any) -> Snapshot:
    """Return a snapshot of a working session, with the given fields replaced."""
    bare = f"{number:032x}"
    usual = {"session_id": f"devin-{bare}", "url": f"https://app.devin.ai/sessions/{bare}", "phase": Phase.WORKING}
    return Snapshot(**{**usual, "title": f"Session {number}", **fields})
