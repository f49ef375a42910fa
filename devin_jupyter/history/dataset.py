"""The history of an organization as a folder of Parquet files, brought up to date instead of read again.

    sessions-2026-11.parquet   the sessions created in that month
    _sync.json                 which organization, up to when it is known, and in which files

Each file is replaced whole, `_sync.json` last: an interrupted sync is repeated by the next one.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devin_jupyter import frames, loop
from devin_jupyter.api.query import Query, Window
from devin_jupyter.errors import OptionError
from devin_jupyter.frames.storage import (
    last_update,
    merge_sessions,
    split_by_month,
    stack_sessions,
    with_open_pull_requests,
)
from devin_jupyter.history import fill, names_in, new_rows, read_journal, select
from devin_jupyter.text import replacing

if TYPE_CHECKING:
    import pandas as pd

    from devin_jupyter.session import Core

Where = tuple[str, str | None, str]
_DAY = 86400
_MOST_PARTITIONS = 120
_cores: dict[Where, Core] = {}
OVERLAP_SECONDS = 3600
"""Read again, in seconds: clocks differ, and sessions change while a list is read."""
_STATE = "_sync.json"
_STALE_SECONDS = 3600


async def sync(core: Core, folder: str | Path, **filters: Any) -> pd.DataFrame:
    """Bring the folder up to date and return all its sessions as a frame, the newest first.

    Only sessions that changed since are read, and those with pull requests that may have been merged since.

    Args:
        core: the client.
        folder: made where it does not exist.
        filters: see `SessionFilters`; the same every time.

    Raises:
        OptionError: the folder contains the sessions of another organization or of other filters, or cannot be used.
    """
    place = _place(folder)
    frames.require_pyarrow()
    _check_filters(filters)
    if not core.service.is_v1:
        await core.service.org_id()
    state = await asyncio.to_thread(_prepare, place, _owner(core, filters))
    started = time.time()
    rows = new_rows(core, await asyncio.to_thread(read_journal, core))
    known_until: float | None = state.get("known_until")
    since = None if known_until is None else datetime.fromtimestamp(known_until - OVERLAP_SECONDS, UTC)
    await fill(core, rows, Query.of({**filters, "updated_since": since}))
    if known_until is not None and not core.service.is_v1:  # v1 never says whether something was merged
        stored = await asyncio.to_thread(read_dataset, place)
        rows.add((await core.sessions.by_ids(with_open_pull_requests(stored))).existing())
    fresh = await asyncio.to_thread(rows.frame)
    newest = last_update(fresh)
    if newest is not None:
        state["known_until"] = max(known_until or 0.0, min(newest, started))
    await asyncio.to_thread(_store, place, fresh, state)
    # names are looked up, never stored: they are of people
    return await names_in(core, await asyncio.to_thread(read_dataset, place), Query.of(filters))


def read_dataset(folder: str | Path) -> pd.DataFrame:
    """Return the sessions of a folder that `sync` keeps, without asking the service."""
    return stack_sessions(_read(file) for file in _files(_place(folder)))


def _read(file: Path) -> pd.DataFrame:
    try:
        return frames.read_parquet(file)
    except (OSError, ValueError) as problem:  # what pyarrow raises are ValueErrors
        raise OptionError(
            f"{file} cannot be read: {str(problem).splitlines()[0]:.200}",
            "the service still has all of it",
            "delete it, and sync again",
        ) from None


def _place(folder: str | Path) -> Path:
    return Path(folder).expanduser()


def _check_filters(filters: Mapping[str, Any]) -> None:
    Query.of(filters)
    for name in ("phase", "updated_since"):
        if filters.get(name) is not None:
            raise OptionError(
                f"a folder cannot be synced by {name}, which changes over time",
                "nothing was read",
                "filter the frame that sync returns",
            )


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("sessions-*.parquet"))


def _owner(core: Core, filters: Mapping[str, Any]) -> dict[str, Any]:
    settings = core.settings
    given = {name: value for name, value in filters.items() if value is not None}
    return {
        "base_url": settings.base_url,
        "org_id": settings.org_id,
        "api_version": settings.api_version,
        "filters": json.loads(json.dumps(given, default=str, sort_keys=True)),
    }


def _prepare(folder: Path, owner: dict[str, Any]) -> dict[str, Any]:
    """Make the folder, remove what killed syncs left, and return its state; with a file gone, nothing is known."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise OptionError(
            f"{folder} cannot be used as a folder: {problem.strerror}", "nothing was read", "give another"
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
                f"{folder} contains sessions of {name} {kept!r}, not {value!r}",
                "nothing was read",
                "give another folder",
            )
    if not {file.name for file in _files(folder)}.issuperset(state.get("files", ())):
        return owner
    return {**state, **owner}


def _store(folder: Path, fresh: pd.DataFrame, state: dict[str, Any]) -> None:
    for month, new in split_by_month(fresh).items():
        file = folder / f"sessions-{month}.parquet"
        old = _read(file) if file.exists() else None
        frames.write_parquet(merge_sessions(old, new), file)
    state["files"] = [file.name for file in _files(folder)]
    with replacing(folder / _STATE) as place:
        place.write_text(json.dumps(state, indent=1, sort_keys=True), "utf-8")


# --- histories beyond one machine ---------------------------------------------------------------------------
# The graph holds windows and filters, never a key: a worker in this process uses the client that made the graph, a
# worker elsewhere connects with its own DEVIN_API_KEY.


async def dask_sessions(core: Core, filters: Mapping[str, Any]) -> Any:
    """Return the sessions that pass the filters as a Dask DataFrame, a partition for about a month.

    Raises:
        OptionError: Dask is not installed.
    """
    try:
        import dask
        import dask.dataframe as dd
    except ImportError:
        raise OptionError("engine='dask' needs Dask", hint="pip install 'devin-jupyter[dask]'") from None
    windows = await _windows(core, Query.of(filters))
    settings = core.settings
    where = (settings.base_url, settings.org_id, settings.api_version)
    _cores[where] = core
    rest = {name: value for name, value in filters.items() if name not in ("since", "until")}
    with dask.config.set({"dataframe.convert-string": False}):  # it would turn lists and dicts into their text
        return dd.from_map(read_window, windows, where=where, filters=rest, meta=frames.SessionRows().frame())


def read_window(window: Window, where: Where, filters: Mapping[str, Any]) -> pd.DataFrame:
    """Read one partition, on any thread or machine."""
    return loop.run(_read_partition(window, where, filters))


async def _read_partition(window: Window, where: Where, filters: Mapping[str, Any]) -> pd.DataFrame:
    from devin_jupyter.config import resolve_settings
    from devin_jupyter.session import Core

    near = _cores.get(where)
    settings = near.settings if near else resolve_settings(base_url=where[0], org_id=where[1], api_version=where[2])
    core = Core(settings, journal=near.journal if near else None)  # the near one may belong to another loop
    try:
        return (await select(core, None, {**filters, "since": window.start, "until": window.end}, None)).frame
    finally:
        await core.transport.aclose()


async def _windows(core: Core, query: Query) -> list[Window]:
    whole = query.window()
    end = whole.end if whole.end is not None else int(time.time()) + 1
    start = whole.start if whole.start is not None else await _before_all(core, query, end)
    count = max(1, min(_MOST_PARTITIONS, round((end - start) / (30 * _DAY))))
    windows = Window(start, end).split(count, end - 1, 0)[::-1]
    return [Window(whole.start, windows[0].end), *windows[1:]]


async def _before_all(core: Core, query: Query, end: int) -> int:
    """A time before which there are no sessions, found by going back twice as far each time."""
    if core.service.is_v1:
        return end - 365 * _DAY
    for months in (1, 2, 4, 8, 16, 32, 64):
        moment = end - months * 30 * _DAY
        earlier = core.sessions.list(limit=1, created_before=moment, **query.params("v3"))
        if [session async for session in earlier] == []:
            break
    return moment
