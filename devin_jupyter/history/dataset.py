"""The history of an organization as a folder of Parquet files, brought up to date instead of read again.

    sessions-2026-11.parquet   the sessions created in that month
    _sync.json                 whose they are, up to when they are known, and in which files

Each file is replaced whole, `_sync.json` last: a sync that is interrupted, at any moment, is done over by the next.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devin_jupyter import frames
from devin_jupyter.errors import OptionError
from devin_jupyter.frames import parts
from devin_jupyter.history.filters import Filters
from devin_jupyter.history.reading import IDS_A_PAGE, fill, read_journal
from devin_jupyter.loop import gather_limited
from devin_jupyter.text import replacing

if TYPE_CHECKING:
    import pandas as pd

    from devin_jupyter.client.core import Core

OVERLAP_SECONDS = 3600
"""Looked at again: clocks differ, and sessions change while a list is read."""
_STATE = "_sync.json"
_STALE_SECONDS = 3600


async def sync(core: Core, folder: str | Path, **filters: Any) -> pd.DataFrame:
    """Bring the folder up to date and return all its sessions as a frame, the newest first.

    Only sessions that changed since are read, and those with pull requests that may have been merged meanwhile.

    Args:
        core: the client.
        folder: made where it does not exist.
        filters: see `Filters`; the same every time.

    Raises:
        OptionError: the folder holds the sessions of somebody else, or of other filters, or cannot be used.
    """
    place = _place(folder)
    frames.require_pyarrow()
    _check_filters(filters)
    if not core.service.is_v1:
        await core.service.org_id()
    state = await asyncio.to_thread(_prepare, place, _owner(core, filters))
    started = time.time()
    rows = frames.SessionRows(
        api_version=core.settings.api_version,
        org_id=core.settings.org_id,
        known=(await asyncio.to_thread(read_journal, core)).known,
    )
    known_until: float | None = state.get("known_until")
    since = None if known_until is None else datetime.fromtimestamp(known_until - OVERLAP_SECONDS, UTC)
    await fill(core, rows, Filters.of({**filters, "updated_since": since}))
    if known_until is not None and not core.service.is_v1:  # v1 never says whether something was merged
        rows.add(await _unmerged(core, place))
    fresh = await asyncio.to_thread(rows.frame)
    newest = parts.last_update(fresh)
    if newest is not None:
        state["known_until"] = max(known_until or 0.0, min(newest, started))
    await asyncio.to_thread(_store, place, fresh, state)
    return await asyncio.to_thread(read_dataset, place)


def read_dataset(folder: str | Path) -> pd.DataFrame:
    """Return the sessions of a folder that `sync` keeps, without asking the service."""
    return parts.stacked(_read(file) for file in _files(_place(folder)))


def _read(file: Path) -> pd.DataFrame:
    try:
        return frames.read_parquet(file)
    except (OSError, ValueError) as problem:  # what pyarrow raises are ValueErrors
        raise OptionError(
            f"{file} cannot be read: {str(problem).splitlines()[0]:.200}",
            "the service has all of it still",
            "delete it, and sync again",
        ) from None


def _place(folder: str | Path) -> Path:
    return Path(folder).expanduser()


def _check_filters(filters: Mapping[str, Any]) -> None:
    Filters.of(filters)
    for name in ("phase", "updated_since"):
        if filters.get(name) is not None:
            raise OptionError(
                f"a folder is not kept by {name}, which changes", "nothing was read", "filter the frame that sync gives"
            )


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("sessions-*.parquet"))


def _owner(core: Core, filters: Mapping[str, Any]) -> dict[str, Any]:
    settings = core.settings
    said = {name: value for name, value in filters.items() if value is not None}
    return {
        "base_url": settings.base_url,
        "org_id": settings.org_id,
        "api_version": settings.api_version,
        "filters": json.loads(json.dumps(said, default=str, sort_keys=True)),
    }


def _prepare(folder: Path, owner: dict[str, Any]) -> dict[str, Any]:
    """Make the folder, remove what killed syncs left, and return its state; with a file gone, nothing is known."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise OptionError(
            f"{folder} cannot be a folder: {problem.strerror}", "nothing was read", "give another"
        ) from None
    for left in folder.glob(".*.tmp"):
        if time.time() - left.stat().st_mtime > _STALE_SECONDS:
            left.unlink(missing_ok=True)
    try:
        state = json.loads((folder / _STATE).read_text("utf-8"))
    except FileNotFoundError:
        return owner
    except (ValueError, RecursionError):
        state = {}
    for name, value in owner.items():
        if not isinstance(state, dict) or state.get(name, value) != value:
            kept = state.get(name) if isinstance(state, dict) else None
            raise OptionError(
                f"{folder} holds sessions of {name} {kept!r}, not {value!r}", "nothing was read", "give another folder"
            )
    if not {file.name for file in _files(folder)}.issuperset(state.get("files", ())):
        return owner
    return {**state, **owner}


async def _unmerged(core: Core, folder: Path) -> list[Any]:
    stored = await asyncio.to_thread(read_dataset, folder)
    names = parts.unmerged(stored)
    chunks = [names[at : at + IDS_A_PAGE] for at in range(0, len(names), IDS_A_PAGE)]
    return [item for page in await gather_limited(core.sessions.some, chunks) for item in page.values()]


def _store(folder: Path, fresh: pd.DataFrame, state: dict[str, Any]) -> None:
    for month, new in parts.by_month(fresh).items():
        file = folder / f"sessions-{month}.parquet"
        old = _read(file) if file.exists() else None
        frames.write_parquet(parts.updated(old, new), file)
    state["files"] = [file.name for file in _files(folder)]
    with replacing(folder / _STATE) as place:
        place.write_text(json.dumps(state, indent=1, sort_keys=True), "utf-8")
