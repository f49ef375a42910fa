"""The history of an organization as a folder of Parquet files that a sync updates instead of reading everything again.

    sessions-2026-11.parquet      the sessions created in that month, or the first of many
    sessions-2026-11-17.parquet   those created from that day on
    _sync.json                    the organization, the time of the last sync, and the names of the files

Each file is replaced whole, `_sync.json` last, and no session moves from file to file: an interrupted sync is repeated
by the next one.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devin_jupyter import frames, loop
from devin_jupyter.api.query import Query, Window
from devin_jupyter.api.sessions import collect
from devin_jupyter.errors import OptionError
from devin_jupyter.frames.storage import (
    UNKNOWN_MONTH,
    differing,
    empty_like,
    last_update,
    merge_into,
    month_of,
    open_pull_requests,
    plain_memory,
    read_month,
    read_sessions,
    split_by_file,
)
from devin_jupyter.history import Journaled, names_in, new_rows, read_journal, select
from devin_jupyter.text import replacing
from devin_jupyter.values import path_of

if TYPE_CHECKING:
    import pandas as pd

    from devin_jupyter.session import Core

InThread = Callable[..., Awaitable[Any]]
"""Calls a function with its arguments on a thread."""
Where = tuple[str, str | None, str]
_DAY = 86400
_MOST_PARTITIONS = 120
_AT_ONCE = 100
_cores: dict[Where, Core] = {}
OVERLAP_SECONDS = 3600
"""Read again, in seconds: clocks differ, and sessions change while a list is read."""
MOST_ASKED_AGAIN = 500
"""The most unchanged sessions that a sync reads again because their pull requests may have been merged."""
_FEW, _MANY = 2000, 20_000
"""Up to this many sessions are read at once; more are read month by month, each month as a whole."""
_MOST_MONTHS = 12
_STATE = "_sync.json"
_STALE_SECONDS = 3600


async def sync(core: Core, folder: str | Path, *, engine: str | None = None, **filters: Any) -> pd.DataFrame:
    """Update the folder and return all its sessions as a frame, newest first.

    Only sessions that changed since are read, and of those with pull requests that may have been merged since at most
    `MOST_ASKED_AGAIN`: the newest and, in turn, the others. Long histories are read and stored month by
    month, so that no more than a month is in memory.

    Args:
        core: the client.
        folder: created if it does not exist.
        engine: "dask" for a Dask DataFrame of the files, without the names of users.
        filters: see `SessionFilters`; the same every time.

    Raises:
        OptionError: the folder contains the sessions of another organization or of other filters, or cannot be used.
    """
    place = _place(folder)
    frames.require_pyarrow()
    if engine == "dask":
        require_dask()
    _check_filters(filters)
    if not core.service.is_v1 and filters.get("org_ids") is None:
        await core.service.org_id()
    state = await asyncio.to_thread(_prepare, place, _owner(core, filters))
    started = time.time()
    known_until: float | None = state.get("known_until")
    since = None if known_until is None else datetime.fromtimestamp(known_until - OVERLAP_SECONDS, UTC)
    changed = Query.of({**filters, "updated_since": since})
    journaled = await asyncio.to_thread(read_journal, core)
    newest, read = known_until or 0.0, set[str]()
    with plain_memory.used(), _one_thread() as in_thread:
        async for fresh in _parts(core, journaled, changed, in_thread, most=_FEW if known_until is None else _MANY):
            newest = max(newest, min(last_update(fresh) or 0.0, started))
            await in_thread(_store, place, fresh)
            if known_until is not None:
                read.update(fresh["session_id"].tolist())
            del fresh  # before the next one is read
        if known_until is not None and not core.service.is_v1:  # v1 never says whether something was merged
            await in_thread(_store, place, await _merged(core, journaled, place, state, read, changed))
    state["known_until"] = newest or None
    await asyncio.to_thread(_write_state, place, state)
    if engine == "dask":
        return await asyncio.to_thread(_dask_files, place)
    # names are personal data: looked up, never stored
    return await names_in(core, await asyncio.to_thread(read_dataset, place), Query.of(filters))


def read_dataset(folder: str | Path) -> pd.DataFrame:
    """Return the sessions of a folder that `sync` keeps, without asking the service."""
    with loop.paused_collector():
        return read_sessions(_files(_place(folder)))


async def _parts(
    core: Core, journaled: Journaled, query: Query, in_thread: InThread, most: int
) -> AsyncIterator[pd.DataFrame]:
    """Read what a query selects: at once up to `most` sessions, else about a month at a time, back from the newest."""
    whole = query.window()
    start, end, months = whole.start, whole.end, 0
    if core.service.is_v1:  # it has no filter by time
        most = sys.maxsize
    while True:
        try:
            part, most_of_it = _within(query, start, end), sys.maxsize if months == 1 else most
            fresh = await _read(core, journaled, part, in_thread, most_of_it)
        except _TooMany as found:
            months, most = 1, _MANY
            start = _months_before(found.newest, 0)
        else:
            count = len(fresh)
            yield fresh
            del fresh
            if start is None or start == whole.start:
                return
            end, months = start, 2 * months if count < _FEW else 1
            start = _months_before(end, months) if months <= _MOST_MONTHS else None
        if start is None or (whole.start is not None and start < whole.start):
            start = whole.start


async def _read(core: Core, journaled: Journaled, query: Query, in_thread: InThread, most: int) -> pd.DataFrame:
    rows, too_many = new_rows(core, journaled), list[_TooMany]()

    def add(items: list[Any], at: datetime) -> int:
        count = 0 if too_many else rows.add(items, at=at)
        if len(rows) > most:  # several pages may be under way
            too_many[:] = too_many or [_TooMany(rows.frame())]
            raise too_many[0]
        return count

    with loop.paused_collector():
        await collect(core.sessions, query, partial(add, at=datetime.now(UTC)))
        found: pd.DataFrame = await in_thread(partial(rows.frame, newest_first=True))
        return found


class _TooMany(Exception):
    """More sessions were found than are read at once."""

    def __init__(self, some: pd.DataFrame) -> None:
        super().__init__()
        self.newest = int(last_update(some, "created_at") or 0)
        """When the newest session found so far was created, in Unix seconds."""


def _within(query: Query, start: int | None, end: int | None) -> Query:
    bounds = {"since": start, "until": end}
    times = {name: datetime.fromtimestamp(at, UTC) for name, at in bounds.items() if at is not None}
    return Query({**query.filters, **times})


def _months_before(moment: int, months: int) -> int:
    """Return the start of the month that is `count` months before that of a time, in Unix seconds."""
    at = datetime.fromtimestamp(moment, UTC)
    year, month = divmod(12 * at.year + at.month - 1 - months, 12)
    return int(datetime(year, month + 1, 1, tzinfo=UTC).timestamp())


async def _merged(
    core: Core, journaled: Journaled, folder: Path, state: dict[str, Any], read: set[str], query: Query
) -> pd.DataFrame:
    """Return sessions, other than those just read, whose pull requests have changed since they were stored."""
    after = state.get("asked_until")
    after = (int(after[0]), str(after[1])) if isinstance(after, list) and len(after) == 2 else None
    stored, state["asked_until"] = await asyncio.to_thread(
        open_pull_requests, _files(folder), MOST_ASKED_AGAIN, after, read
    )
    rows, names = new_rows(core, journaled), stored["session_id"].tolist()
    if query.operation == "enterprise.sessions":
        for chunk in (names[at : at + _AT_ONCE] for at in range(0, len(names), _AT_ONCE)):
            rows.add([raw async for raw in core.enterprise.sessions(session_ids=chunk)])
    else:
        rows.add((await core.sessions.by_ids(names)).existing())
    return differing(rows.frame(), stored)


@contextmanager
def _one_thread() -> Iterator[InThread]:
    """Give what calls functions on one thread: the threads of a pool would each keep the memory that a month takes."""
    thread, running = ThreadPoolExecutor(1), asyncio.get_running_loop()
    try:
        yield partial(running.run_in_executor, thread)
    finally:
        thread.shutdown(wait=False)


def _place(folder: str | Path) -> Path:
    return path_of(folder, "folder").expanduser()


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
    """Return the files of a folder, the newest first and that of an unknown month last."""
    files = sorted(folder.glob("sessions-*.parquet"), key=lambda file: file.stem, reverse=True)
    return sorted(files, key=lambda file: file.stem.endswith(UNKNOWN_MONTH))


def _owner(core: Core, filters: Mapping[str, Any]) -> dict[str, Any]:
    settings = core.settings
    given = {name: value for name, value in filters.items() if value is not None}
    return {
        "base_url": settings.base_url,
        "org_id": settings.org_id if filters.get("org_ids") is None else None,
        "api_version": settings.api_version,
        "filters": json.loads(json.dumps(given, default=str, sort_keys=True)),
    }


def _prepare(folder: Path, owner: dict[str, Any]) -> dict[str, Any]:
    """Create the folder, remove the leftovers of killed syncs, and return its state; empty if a file is missing."""
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


def _store(folder: Path, fresh: pd.DataFrame) -> None:
    for file, new in split_by_file(fresh, folder):
        merge_into(file, new)


def _write_state(folder: Path, state: dict[str, Any]) -> None:
    state["files"] = [file.name for file in reversed(_files(folder))]
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
    dask, dd = require_dask()
    windows = await _windows(core, Query.of(filters))
    settings = core.settings
    where = (settings.base_url, settings.org_id, settings.api_version)
    _cores[where] = core
    rest = {name: value for name, value in filters.items() if name not in ("since", "until")}
    with dask.config.set({"dataframe.convert-string": False}):  # it would turn lists and dicts into their text
        return dd.from_map(read_window, windows, where=where, filters=rest, meta=frames.SessionRows().frame())


def require_dask() -> tuple[Any, Any]:
    """Return Dask and its DataFrames.

    Raises:
        OptionError: it is not installed.
    """
    try:
        import dask
        import dask.dataframe as dd
    except ImportError:
        raise OptionError("engine='dask' needs Dask", hint="pip install 'devin-jupyter[dask]'") from None
    return dask, dd


def _dask_files(folder: Path) -> Any:
    dask, dd = require_dask()
    files = _files(folder.resolve())
    like = empty_like(files)
    months = [[*some] for _, some in groupby(files, key=month_of)]
    with dask.config.set({"dataframe.convert-string": False}):  # it would turn lists and dicts into their text
        if not files:
            return dd.from_pandas(like, npartitions=1)
        return dd.from_map(read_month, months, like=like, meta=like)


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
    windows = Window(start, end).split(count)[::-1]
    return [Window(whole.start, windows[0].end), *windows[1:]]


async def _before_all(core: Core, query: Query, end: int) -> int:
    """Return a time before which there are no sessions, found by going back twice as far each time."""
    if core.service.is_v1:
        return end - 365 * _DAY
    for months in (1, 2, 4, 8, 16, 32, 64):
        moment = end - months * 30 * _DAY
        listed = core.enterprise.sessions if "org_ids" in query.filters else core.sessions.list
        earlier = listed(limit=1, created_before=moment, **query.params("v3"))
        if [session async for session in earlier] == []:
            break
    return moment
