"""Past sessions of a busy year, so that frames, charts and filters have something to show; all follow from the seed."""

from __future__ import annotations

from devin_jupyter.simulator.sessions import Session


def preloaded(count: int, *, seed: int, today: int, org_id: str) -> list[Session]:
    """Return `count` sessions of the year before `today`, oldest first, with orders from `-count` to -1."""
    return []
