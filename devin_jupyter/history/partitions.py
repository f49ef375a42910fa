"""Histories beyond one machine: a Dask DataFrame whose partitions are time windows, each read by whoever computes it.

The graph holds windows and filters, never a key: a worker in this process uses the client that made the graph, a
worker elsewhere connects with its own `DEVIN_API_KEY`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from devin_jupyter import loop
from devin_jupyter.errors import OptionError
from devin_jupyter.frames import SessionRows
from devin_jupyter.history.filters import Filters
from devin_jupyter.history.reading import Reading, find, utc_now
from devin_jupyter.history.windows import Window

if TYPE_CHECKING:
    import pandas as pd

    from devin_jupyter.client.core import Core

Where = tuple[str, str | None, str]
_DAY = 86400
_MOST_PARTITIONS = 120
_cores: dict[Where, Core] = {}


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
    windows = await _windows(core, Filters.of(filters))
    settings = core.settings
    where = (settings.base_url, settings.org_id, settings.api_version)
    _cores[where] = core
    rest = {name: value for name, value in filters.items() if name not in ("since", "until")}
    with dask.config.set({"dataframe.convert-string": False}):  # it would turn lists and dicts into their text
        return dd.from_map(read_window, windows, where=where, filters=rest, meta=SessionRows().frame())


def read_window(window: Window, where: Where, filters: Mapping[str, Any]) -> pd.DataFrame:
    """Read one partition, on whatever thread or machine."""
    return loop.run(_read(window, where, filters))


async def _read(window: Window, where: Where, filters: Mapping[str, Any]) -> pd.DataFrame:
    from devin_jupyter.client.core import Core
    from devin_jupyter.config import resolve_settings

    near = _cores.get(where)
    settings = near.settings if near else resolve_settings(base_url=where[0], org_id=where[1], api_version=where[2])
    core = Core(settings, journal=near.journal if near else None)  # the near one may belong to another loop
    try:
        return (await find(core, None, {**filters, "since": window.start, "until": window.end}, None)).frame
    finally:
        await core.transport.aclose()


async def _windows(core: Core, filters: Filters) -> list[Window]:
    now = utc_now()
    whole = filters.window(now)
    end = whole.end if whole.end is not None else int(now.timestamp()) + 1
    start = whole.start if whole.start is not None else await _before_all(core, filters, end)
    count = max(1, min(_MOST_PARTITIONS, round((end - start) / (30 * _DAY))))
    parts = Window(start, end).split(count, end - 1, 0)[::-1]
    return [Window(whole.start, parts[0].end), *parts[1:]]


async def _before_all(core: Core, filters: Filters, end: int) -> int:
    """A moment before which there are no sessions, found by going back twice as far each time."""
    if core.service.is_v1:
        return end - 365 * _DAY
    reading = Reading(core, SessionRows(), filters, datetime.now(UTC))
    for months in (1, 2, 4, 8, 16, 32, 64):
        moment = end - months * 30 * _DAY
        page = await reading.page({**filters.v3_params(utc_now()), "created_before": moment, "first": 1})
        if not page.items:
            break
    return moment
