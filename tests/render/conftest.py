"""Snapshots to render, and hostile texts shared with the browser tests."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sample_sessions import make_snapshot

from devin_jupyter.models.snapshot import Snapshot

sys.path.insert(0, str(Path(__file__).parents[1] / "panel" / "support"))


@pytest.fixture
def snapshot() -> Callable[..., Snapshot]:
    """Return a snapshot of a working session, with the given fields replaced."""
    return make_snapshot
