"""Moments as the API counts them: whole Unix seconds."""

from __future__ import annotations

from datetime import UTC, datetime

Moment = datetime | int | float
"""A moment: a datetime (without a zone: UTC) or Unix seconds."""


def unix(moment: Moment | None) -> int | None:
    """Return whole Unix seconds."""
    if isinstance(moment, datetime):
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return None if moment is None else int(moment)
