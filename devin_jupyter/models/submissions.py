"""The history of a session's structured outputs: the service keeps the latest one only, and calls none final."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from devin_jupyter.models.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Submission:
    """One structured output as it was seen here, with the moment it was first seen."""

    at: datetime | None
    """UTC; None for a recorded session."""
    value: Any
    """Raw."""
    is_final: bool
    """Fresh and valid at the end of a turn; otherwise it was interim."""


def submissions(before: tuple[Submission, ...], snapshot: Snapshot) -> tuple[Submission, ...]:
    """Return the history of outputs with what a newer snapshot adds to it: nothing, most of the time."""
    value = snapshot.structured_output
    if value is None:
        return before
    if before and before[-1].value == value:
        if before[-1].is_final or not snapshot.output_is_final:
            return before
        return (*before[:-1], Submission(before[-1].at, value, True))
    return (*before, Submission(snapshot.observed_at, value, snapshot.output_is_final))
