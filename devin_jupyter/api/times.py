"""Moments as the API counts them: whole Unix seconds."""

from __future__ import annotations

from datetime import UTC, datetime

from devin_jupyter.errors import OptionError

Moment = datetime | int | float
"""A moment: a datetime (without a zone: UTC) or Unix seconds."""


def unix(moment: Moment | None) -> int | None:
    """Return whole Unix seconds.

    Raises:
        OptionError: it is no moment.
    """
    if moment is None:
        return None
    try:
        if isinstance(moment, datetime):
            moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        return int(moment)
    except (TypeError, ValueError, OverflowError):
        raise OptionError(f"a moment is a datetime or Unix seconds, not {moment!r}", "nothing was sent") from None
