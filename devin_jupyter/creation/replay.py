"""Running a notebook from its lock file: no key, no POST, no GET, the same values, labeled as recorded."""

from __future__ import annotations

from dataclasses import replace

from devin_jupyter.creation.policy import Started
from devin_jupyter.errors import NotRecorded
from devin_jupyter.models.snapshot import Where
from devin_jupyter.recorded import LockFile, RecordedSession, record_of
from devin_jupyter.request import SessionRequest, fingerprints

_NOWHERE = Where("", None, "v3")
"""A lock file matches on what is asked, wherever it was sent."""


def replay(request: SessionRequest, lock: LockFile) -> Started:
    """Return the recorded session of a request.

    Raises:
        NotRecorded: the lock file does not hold it.
    """
    found = recorded(request, lock)
    if found is None:
        raise not_recorded(lock)
    return found


def not_recorded(lock: LockFile) -> NotRecorded:
    """Return the error for a request that the lock file does not hold."""
    return NotRecorded(
        f"{lock.name} does not hold this cell, and there is no key to run it with",
        "nothing was sent and nothing was paid",
        "set DEVIN_API_KEY to run it, or ask who recorded the notebook to run %devin lock again",
    )


def recorded(request: SessionRequest, lock: LockFile) -> Started | None:
    """Return the recorded session of a request, or None."""
    for item in fingerprints(request, _NOWHERE):
        entry = lock.find(item.what)
        if entry is not None:
            return _started(request, entry)
    return None


def _started(request: SessionRequest, entry: RecordedSession) -> Started:
    record = record_of(entry.snapshot, schema=request.schema)
    return Started(
        record=replace(record, facts=replace(record.facts, take=request.take)),
        how="recorded",
        notice=f"recorded {entry.date.isoformat()}: {record.session_id}, replayed from {entry.file}",
    )
