"""Opening a batch: plan it, refuse what must be refused, attach to what there is, and set the runner going.

The order matters: nothing is paid for before every check has passed.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from devin_jupyter.attachments import lacking
from devin_jupyter.batches.edits import Changed, Paid, are_alike, changed_rows, refuse_repeats
from devin_jupyter.batches.money import check_caps
from devin_jupyter.batches.plan import Item, Plan, make_plan
from devin_jupyter.batches.record import known_rows, read_plan, take_up, write_record
from devin_jupyter.batches.runner import AT_ONCE, Runner
from devin_jupyter.batches.table import check_names
from devin_jupyter.client.core import Core
from devin_jupyter.errors import OptionError, Refused
from devin_jupyter.models.phase import Phase
from devin_jupyter.models.policy import Policy, batch_scope, notebook_scope
from devin_jupyter.models.snapshot import CellRef, Record, Where
from devin_jupyter.options import CellOptions
from devin_jupyter.text import nearest

_REPLIED = (Phase.YOUR_TURN, Phase.ASLEEP)
"""Without a schema this is how a turn ends that has an answer."""
_ONE_SESSION = {
    "new": "--take LABEL runs all rows once more",
    "replace": "--beside runs an edited template for all rows; .stop() of the batch ends the old sessions",
    "save_transcript": "messages_frame(batch.sessions) holds every conversation",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a cell or a call asks for."""

    prompt: str
    rows: Any
    options: CellOptions
    variables: Mapping[str, Any] | None = None
    defaults: Mapping[str, Any] | None = None
    cell: CellRef | None = None


@dataclass(slots=True)
class Opened:
    """A batch with its name, ready to be handled."""

    name: str
    runner: Runner
    was_held: bool = False
    """Somebody had paused or stopped it, and opening it lifted that."""


def plan_order(order: Order, where: Where) -> Plan:
    """Return the plan of an order, with every check that needs no journal.

    Raises:
        UsageMistake: something that cannot be meant.
    """
    for name in sorted(order.options.keys() & _ONE_SESSION.keys()):
        flag = name.replace("_", "-")
        raise OptionError(f"--{flag} is for one session, not for a batch", "nothing was sent", _ONE_SESSION[name])
    plan = make_plan(
        order.prompt,
        order.rows,
        order.options,
        where=where,
        variables=order.variables,
        defaults=order.defaults,
    )
    check_names(plan)
    return plan


def name_of(plan: Plan) -> str:
    """Return what a batch is called: its name, else the variable it is bound to, else a short hash of its template."""
    options = plan.options
    return options.get("name") or options.get("out") or "batch-" + _short(plan.prompt)[:6]


def has_name(plan: Plan, cell: CellRef | None) -> bool:
    """Tell whether a batch has a name or a cell that stays the same when its template is edited."""
    return "name" in plan.options or (cell is not None and bool(cell.cell))


def key_of(plan: Plan, name: str, cell: CellRef | None) -> str:
    """Return what the journal calls a batch: by its name if one was given, else by its cell, else by its content."""
    place = _short(repr(plan.where))
    if "name" in plan.options:
        return f"{place}/{name}"
    if cell is not None and cell.cell:
        return f"{place}/{cell.notebook} {cell.cell}"
    return f"{place}/{name} {_short(*sorted(item.fingerprint.text for item in plan.items))}"


def _short(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:8]


async def open_batch(core: Core, order: Order, plan: Plan) -> Opened:
    """Check a plan against the journal, write it down, attach to what there is, and start what waits.

    Raises:
        SessionChanged: the template was edited over rows that are answered.
        BudgetExceeded: nothing bounds what it may cost.
        DevinError: the journal or the service said no; nothing was paid.
    """
    name = name_of(plan)
    key = key_of(plan, name, order.cell)
    record = await asyncio.to_thread(core.journal.batches.load, key)
    kept = await asyncio.to_thread(_check, core, plan, record, order.cell)
    await _retire(core, key)  # what is refused leaves the batch that runs alone
    record = await asyncio.to_thread(core.journal.batches.load, key)
    await _keep(core, key, plan.where, kept)
    runner = Runner(core, plan, key=key, cell=order.cell)
    if record is not None:
        take_up(runner.jobs, record)
    await asyncio.to_thread(_write_down, runner, name, record, has_name(plan, order.cell))
    was_held = await asyncio.to_thread(core.journal.flags.release, key)
    return await _begin(Opened(name, runner, was_held))


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What opening a batch would do, for a dry run."""

    plan: Plan
    n_known: int
    """So many of the wanted sessions are in the journal, and would be attached to."""
    n_recorded: int
    """So many of the others are in a lock file, and would be replayed."""
    refusal: Refused | None
    """Why it would be refused; None where it would not."""


def preview(core: Core, order: Order, plan: Plan) -> Preview:
    """Tell what opening would do, from the journal alone: nothing is sent, nothing is written."""
    refusal, kept = None, list[Changed]()
    try:
        record = core.journal.batches.load(key_of(plan, name_of(plan), order.cell))
        kept = _check(core, plan, record, order.cell)
    except Refused as problem:
        refusal = problem
    wanted = {item.fingerprint.text: item for item in plan.wanted}
    found = core.journal.sessions_for(wanted).keys() | {change.item.fingerprint.text for change in kept}
    n_recorded = sum(_is_recorded(core, item) for text, item in wanted.items() if text not in found)
    return Preview(plan=plan, n_known=len(found & wanted.keys()), n_recorded=n_recorded, refusal=refusal)


async def find_batch(core: Core, name: str, where: Where) -> Opened:
    """Return the batch that the journal knows by this name; nothing is started before `resume`.

    Raises:
        OptionError: it knows none.
    """
    key, record = await asyncio.to_thread(_look_up, core, name, where)
    running = core.running.get(key)
    if isinstance(running, Runner):
        return Opened(record["name"], running)
    from devin_jupyter.schema import from_wire

    plan = read_plan(record, where, from_wire)
    runner = Runner(core, plan, key=key)
    take_up(runner.jobs, record)
    runner.pause("found by its name; .resume() starts what waits")
    opened = await _begin(Opened(record["name"], runner))
    if next(runner.roster.waiting(runner.limit), None) is None:
        runner.paused = None
    return opened


def remember(opened: Opened) -> None:
    """Write down which takes count by now."""
    runner = opened.runner
    record = runner.core.journal.batches.load(runner.key)
    _write_down(runner, opened.name, record, record is None or record.get("is_named", True))


async def _begin(opened: Opened) -> Opened:
    runner = opened.runner
    runner.core.running[runner.key] = runner
    await runner.attach()
    runner.go()
    return opened


async def _retire(core: Core, key: str) -> None:
    """The same cell was run again: the new runner takes over from the old one."""
    old = core.running.pop(key, None)
    if isinstance(old, Runner):
        old.pause("the same batch was run again after this, which goes on")
        await old.retire()


def _check(core: Core, plan: Plan, record: dict[str, Any] | None, cell: CellRef | None) -> list[Changed]:
    """Return the rows of earlier runs that `--key` keeps.

    Raises:
        Refused: nothing bounds the cost, or an edit would pay for answered rows again.
        OptionError: a secret that a row needs has no value.
    """
    check_caps(plan.wanted, _budget(core, plan, cell))
    _check_secrets(core, plan)
    is_named = has_name(plan, cell)
    records = [record] if record else _alike(core, plan, cell)
    changed = changed_rows(plan, records, lambda text: _paid(core, text), is_named=is_named)
    kept = [] if "take" in plan.options else [change for change in changed if change.is_kept]
    refuse_repeats(plan, [change for change in changed if change not in kept], is_named=is_named)
    return kept


def _check_secrets(core: Core, plan: Plan) -> None:
    """A row that has a session, or a recorded one, needs no value."""
    for item in plan.wanted:
        problem = lacking(item.request.secrets)
        if problem and not _is_recorded(core, item) and core.journal.session_for(item.fingerprint.text) is None:
            raise problem


def _is_recorded(core: Core, item: Item) -> bool:
    return core.lock is not None and core.lock.find(item.fingerprint.what) is not None


def _alike(core: Core, plan: Plan, cell: CellRef | None) -> list[dict[str, Any]]:
    """Return the batches of this notebook whose template a nameless one may be an edit of, newest first."""
    if cell is None or has_name(plan, cell):
        return []
    place = _short(repr(plan.where))
    records = core.journal.batches.records(cell.notebook).items()
    there = [record for key, record in records if key.startswith(f"{place}/")]
    return [record for record in there if not record.get("is_named", True) and are_alike(record["prompt"], plan.prompt)]


def _budget(core: Core, plan: Plan, cell: CellRef | None) -> float | None:
    limits = [plan.budget]
    if cell is not None:
        limits.append(core.journal.budgets.account(notebook_scope(cell.notebook)).limit)
    said = [limit for limit in limits if limit is not None]
    return min(said) if said else None


def _paid(core: Core, fingerprint: str) -> Paid | None:
    entry: Record | None = core.journal.session_for(fingerprint)
    if entry is None:
        return None
    phase = entry.snapshot.phase if entry.snapshot is not None else None
    is_answered = phase is Phase.DONE or (entry.facts.schema is None and phase in _REPLIED)
    is_alive = not is_answered and (entry.is_open or phase in (*_REPLIED, Phase.NEEDS_APPROVAL))
    return Paid(entry.session_id, is_answered, is_alive, entry.acus, entry.started_at)


async def _keep(core: Core, key: str, where: Where, changed: list[Changed]) -> None:
    """`--key` says that these rows are the same as before: their sessions answer to the new identity from now on."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def keep(change: Changed) -> None:
        facts, paid = change.item.request.facts(where, Policy(batch=key)), change.paid
        assert facts.tag is not None
        async with turns:
            await core.tags.append(paid.session_id, [facts.tag])
            moment, now = paid.started_at, time.time()
            await asyncio.to_thread(
                core.journal.remember, paid.session_id, facts, how="attached", started_at=moment, now=now
            )

    await asyncio.gather(*map(keep, changed))


def _write_down(runner: Runner, name: str, before: dict[str, Any] | None, is_named: bool) -> None:
    journal, plan, cell, now = runner.core.journal, runner.plan, runner.cell, time.time()
    known = known_rows(before) if before else []
    prints = {text for job in runner.jobs for text in (job.item.fingerprint.text, job.identity.text)}
    earlier = list({row.fingerprint: row for row in known if row.fingerprint not in prints}.values())
    record = write_record(name, plan, runner.jobs, earlier, is_named=is_named)
    journal.batches.save(runner.key, record, notebook=cell.notebook if cell else None, now=now)
    journal.budgets.set(batch_scope(runner.key), plan.budget, now=now)


def _look_up(core: Core, name: str, where: Where) -> tuple[str, dict[str, Any]]:
    found = []
    place = _short(repr(where))
    for key in core.journal.batches.names():
        record = core.journal.batches.load(key) if key.startswith(f"{place}/") else None
        if record is not None and record.get("name") == name:
            return key, record
        found += [record["name"]] if record else []
    raise OptionError(
        f"the journal knows no batch {name!r}{nearest(str(name), found)}",
        hint=f"it knows {', '.join(found[:8])}" if found else "--name NAME gives one its name",
    )
