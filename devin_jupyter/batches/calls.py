"""What the clients and the magic call: open a batch from a template and rows, find one by its name, compare two."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from devin_jupyter.batches import opening
from devin_jupyter.batches.handle import Batch
from devin_jupyter.batches.opening import Order, Preview
from devin_jupyter.batches.plan import Plan
from devin_jupyter.batches.rows import plain
from devin_jupyter.batches.waiting import until_over
from devin_jupyter.client.core import Core
from devin_jupyter.errors import OptionError
from devin_jupyter.host import host
from devin_jupyter.models.snapshot import CellRef, Where
from devin_jupyter.options import from_keywords, seconds

if TYPE_CHECKING:
    import pandas as pd


_ELSEWHERE = {
    "dry_run": "%%devin --each NAME --dry-run shows what a batch would do",
    "help": "see help(dj.map), or %devin help in a notebook",
    "each": "the rows are the second argument: map(prompt, rows, …)",
}


def order_of(prompt: str, rows: Any, options: Mapping[str, Any]) -> Order:
    """Return the order that keywords of `map` stand for.

    Raises:
        OptionError: an option that cannot be meant.
    """
    for name in sorted(options.keys() & _ELSEWHERE.keys()):
        raise OptionError(f"map has no {name}", "nothing was sent", _ELSEWHERE[name])
    said = from_keywords(each=rows, **options)
    cell = CellRef(notebook=host().notebook, out=said.get("out"))
    return Order(prompt=prompt, rows=rows, options=said, variables={}, cell=cell)


async def plan_batch(core: Core, order: Order) -> Plan:
    """Return the plan of a batch, every row checked; nothing is paid for.

    Raises:
        UsageMistake: something that cannot be meant, with the rows it concerns.
    """
    where = await _where(core)
    return await asyncio.to_thread(opening.plan_order, order, where)  # a thousand rows would hold up the loop


async def preview_batch(core: Core, order: Order) -> Preview:
    """Return what `start_batch` would do, every row checked: nothing is paid for and nothing is written down.

    Raises:
        UsageMistake: something that cannot be meant, with the rows it concerns.
    """
    plan = await plan_batch(core, order)
    return await asyncio.to_thread(opening.preview, core, order, plan)


async def start_batch(core: Core, order: Order, bridge: Any = None) -> Batch:
    """Start a batch, or attach to what there is of it; returns as soon as that is known.

    Raises:
        UsageMistake: something that cannot be meant; nothing was sent.
        Refused: a guard said no; nothing was paid.
        DevinError: the journal or the service said no; nothing was paid.
    """
    plan = await plan_batch(core, order)
    return Batch(await opening.open_batch(core, order, plan), bridge)


async def map_rows(core: Core, prompt: str, rows: Any, options: Mapping[str, Any], bridge: Any = None) -> Batch:
    """Do what `map` of a client says: start a batch, and wait for it where `wait` asks for that.

    Raises:
        DevinError: as for `start_batch`.
    """
    order = order_of(prompt, rows, options)
    batch = await start_batch(core, order, bridge)
    if "wait" in order.options:
        await until_over(batch._runner, seconds(order.options["wait"]))
    return batch


async def find_batch(core: Core, name: str, bridge: Any = None) -> Batch:
    """Return the batch of this name, from the journal; nothing is started before `.resume()`.

    Raises:
        OptionError: the journal knows none.
    """
    return Batch(await opening.find_batch(core, name, await _where(core)), bridge)


def compare(one: Batch, other: Batch, on: str | list[str]) -> pd.DataFrame:
    """Return two batches side by side, a row per key, columns in pairs named after the batches.

    Args:
        one: a batch.
        other: another one over the same kind of rows.
        on: the input column or columns that say what a row is.

    Raises:
        OptionError: a column that one of them has not.
    """
    keys = [on] if isinstance(on, str) else list(on)
    if not keys:
        raise OptionError("on= names no column", hint="on= names an input column of both")
    names = (one.name, other.name) if one.name != other.name else (f"{one.name}_1", f"{other.name}_2")
    for batch in (one, other):
        lacking = [key for key in keys if key not in batch.frame.columns]
        if lacking:
            raise OptionError(f"{batch.name} has no column {lacking[0]!r}", hint="on= names an input column of both")
    left, right = (batch.frame.reset_index(drop=True) for batch in (one, other))
    suffixes = f"_{names[0]}", f"_{names[1]}"
    try:
        merged = left.merge(right, on=keys, how="outer", suffixes=suffixes)
    except ValueError as problem:
        raise OptionError(f"the two cannot be set side by side: {problem}", hint="give both the same type") from None
    for column in set(one.inputs) & set(other.inputs) - set(keys):
        mine, theirs = merged[column + suffixes[0]], merged[column + suffixes[1]]
        if _agree(mine, theirs):
            merged[column] = merged.pop(column + suffixes[0]).combine_first(merged.pop(column + suffixes[1]))
    inputs = [column for column in (*keys, *one.inputs, *other.inputs) if column in merged.columns]
    return merged[list(dict.fromkeys([*inputs, *_paired(list(merged.columns), suffixes)]))]


def _agree(mine: pd.Series, theirs: pd.Series) -> bool:
    """An input is the same on both sides, or on one only; where it differs, both are shown."""
    both = mine.notna() & theirs.notna()
    return [plain(value) for value in mine[both]] == [plain(value) for value in theirs[both]]


def _paired(columns: list[str], suffixes: tuple[str, str]) -> list[str]:
    """The columns with those of one name beside each other."""
    first, second = suffixes
    ordered: dict[str, None] = {}
    for column in columns:
        ordered[column] = None
        twin = column.removesuffix(first) + second
        if column.endswith(first) and twin in columns:
            ordered[twin] = None
    return list(ordered)


async def _where(core: Core) -> Where:
    settings = core.settings
    if not settings.api_key:  # replaying a lock file, which matches on what is asked, wherever it was sent
        return Where(settings.base_url, settings.org_id, settings.api_version)
    return await core.where()
