"""The record of a batch in the journal, and the check of an edited batch against it, before anything is paid twice.

A record is enough for another process to finish the batch. Values of secrets and contents of files stay out, so a row
that needs them can only be started by its cell.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from devin_jupyter.batches.jobs import Job, check_caps, max_cost
from devin_jupyter.batches.plan import Item, Plan, has_name, key_of, place_of, short_hash
from devin_jupyter.batches.rows import Index, Rows, named, plain
from devin_jupyter.errors import OptionError, SessionChanged, UsageMistake
from devin_jupyter.journal import Journal
from devin_jupyter.models.enums import Phase
from devin_jupyter.models.snapshot import CellRef, Where, batch_scope, notebook_scope
from devin_jupyter.options import from_keywords
from devin_jupyter.options.arguments import expressions
from devin_jupyter.recorded import LockFile as Lock
from devin_jupyter.redaction import redact_tree
from devin_jupyter.request import Attachment, Fingerprint, SecretValue, SessionRequest, lacking, read_secrets
from devin_jupyter.text import nearest

if TYPE_CHECKING:
    from devin_jupyter.schema import Schema

VERSION = 1
_SETTINGS = ("max_parallel", "limit", "max_failures", "max_median", "when_done", "prefix", "budget")
_APART = frozenset({"schema", "secrets", "attach"})
_STORED = {"knowledge": "knowledge_ids"}
"""What records call an option, where it is not the option's name: names in records never change."""


# --- writing and reading ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RecordedRow:
    """A row of an earlier run: its cells, and the identity it had."""

    cells: Mapping[str, Any]
    fingerprint: str
    key: str | None
    """Its `--key`, if any; redacted."""
    terms: str
    """As in `Item`; empty in records that did not keep it."""


def write_record(
    name: str, plan: Plan, jobs: Sequence[Job], earlier: list[RecordedRow], *, is_named: bool = True
) -> dict[str, Any]:
    """Return the record of a batch as JSON, redacted.

    Args:
        name: of the batch.
        plan: as made from the cell or read from a record.
        jobs: one for each item, with its current take.
        earlier: rows of earlier runs that are not in this one.
        is_named: whether a name or a cell tells it from other batches of the notebook, rather than its content.
    """
    record = {
        "version": VERSION,
        "name": name,
        "is_named": is_named,
        "prompt": plan.prompt,
        "is_report": plan.is_report,
        "is_table": plan.rows.is_table,
        "columns": list(plan.rows.columns),
        "used": sorted(plan.rows.used),
        "dtypes": dict(plan.rows.dtypes),
        "index": dataclasses.asdict(plan.rows.index) if plan.rows.index else None,
        "labels": [plain(label) for label in plan.rows.labels],
        "rows": [plain(plan.rows.record(position)) for position in range(len(plan.rows))],
        "schema": plan.schema.wire if plan.schema else None,
        "settings": {name: dict(plan.options).get(name) for name in _SETTINGS},
        "items": [_write_item(job, plan.schema) for job in jobs],
        "earlier": [dataclasses.asdict(row) for row in earlier],
    }
    cleaned: dict[str, Any] = redact_tree(record)
    return cleaned


def _write_item(job: Job, shared: Schema | None) -> dict[str, Any]:
    item, request = job.item, job.item.request
    fields: dict[str, Any] = {"prompt": request.prompt}
    fields |= {_STORED.get(name, name): plain(value) for name, value in request.options.items() if name not in _APART}
    if request.schema is not None and request.schema is not shared:
        fields["schema"] = request.schema.wire
    if request.secrets:
        fields["secrets"] = {name: secret.sensitive for name, secret in request.secrets.items()}
    if request.attachments:
        fields["attachments"] = [[file.name, file.url, file.sha256] for file in request.attachments]
    kept = {
        "fingerprint": item.fingerprint.text,
        "terms": item.terms,
        "positions": list(item.positions),
        "request": fields,
    }
    if item.problem is not None:
        kept["problem"] = [item.problem.message, item.problem.hint]
    if not job.take:
        return kept
    return {**kept, "take": [job.take, job.identity.text], "earlier": job.earlier, "tried": sorted(job.tried)}


def read_plan(record: Mapping[str, Any], where: Where) -> Plan:
    """Return the plan of a record; requests that could not be kept whole become items that cannot be started."""
    from devin_jupyter.schema import from_wire

    schema = from_wire(record["schema"]) if record.get("schema") else None
    columns = tuple(record["columns"])
    cells, index = record["rows"], record.get("index")
    rows = Rows(
        tuple(tuple(label) if isinstance(label, list) else label for label in record["labels"]),
        tuple(cells if record["is_table"] else (row[columns[0]] for row in cells)),
        columns,
        is_table=record["is_table"],
        dtypes=record.get("dtypes", {}),
        index=Index(tuple(index["names"]), index["dtype"], tuple(index["columns"])) if index else None,
        used=set(record.get("used", ())),
    )
    settings = {name: value for name, value in record["settings"].items() if value is not None}
    return Plan(
        prompt=record["prompt"],
        rows=rows,
        items=tuple(_read_item(item, schema, where, from_wire) for item in record["items"]),
        options=from_keywords(each=rows, **settings),
        where=where,
        schema=schema,
        is_report=bool(record["is_report"]),
    )


def _read_item(
    record: Mapping[str, Any], shared: Schema | None, where: Where, from_wire: Callable[[Any], Schema]
) -> Item:
    kept = record["request"]
    secrets, files, schema = kept.get("secrets", {}), kept.get("attachments", []), kept.get("schema")
    names = {stored: name for name, stored in _STORED.items()}
    options = {
        names.get(stored, stored): tuple(value) if isinstance(value, list) else value
        for stored, value in kept.items()
        if stored not in ("prompt", "secrets", "attachments", "schema")
    }
    attached = tuple(Attachment(name, None, url, digest) for name, url, digest in files)
    request = SessionRequest(prompt=kept["prompt"]).but(
        **options, schema=from_wire(schema) if schema else shared, attach=attached or None
    )
    message, hint = record.get("problem") or ("", "")
    lacks_file = any(file.url is None for file in request.attachments)
    named = request.but(secrets={name: SecretValue(None, sensitive) for name, sensitive in secrets.items()} or None)
    identity, now = Fingerprint.parse(record["fingerprint"]), named.fingerprint(where)
    is_complete = identity in (now, *now.earlier)  # else redaction has masked something
    return Item(
        request,
        now if is_complete else identity,
        record.get("terms", ""),
        tuple(record["positions"]),
        secret_names=dict(secrets),
        is_complete=is_complete and not lacks_file,
        problem=UsageMistake(message, hint=hint) if message else None,
    )


def complete(item: Item, take: str | None = None) -> SessionRequest:
    """Return the request of an item as it can be sent; secrets are read from the environment again.

    Args:
        item: of a plan.
        take: in place of the one in the request.

    Raises:
        UsageMistake: the template cannot be filled in for its row.
        OptionError: a file, a secret or a masked text is only in the cell it came from.
    """
    if item.problem is not None:
        raise item.problem
    if not item.is_complete:
        raise OptionError(
            "the journal keeps no files and no secret values, and this row needs one",
            "nothing was sent for it",
            "run the cell of the batch again",
        )
    request = item.request if take is None else item.request.but(take=take)
    if not item.secret_names:
        return request
    words = tuple(name if is_sensitive else f"{name}:plain" for name, is_sensitive in item.secret_names.items())
    return request.but(secrets=read_secrets(words))


def restore_takes(jobs: Sequence[Job], record: Mapping[str, Any], where: Where) -> None:
    """Give the jobs that were retried their last take."""
    retried = {item["fingerprint"]: item for item in record["items"] if item.get("take")}
    for job in jobs:
        item: Mapping[str, Any] = next((retried[one] for one in job.item.fingerprint.texts if one in retried), {})
        label, text = item.get("take", (None, None))
        job.earlier, job.tried = dict(item.get("earlier", {})), set(item.get("tried", ()))
        job.take, identity = label, Fingerprint.parse(text) if text else None
        if identity is not None and job.item.is_complete:
            secrets = {name: SecretValue(None, sensitive) for name, sensitive in job.item.secret_names.items()}
            now = job.item.request.but(take=label, **({"secrets": secrets} if secrets else {})).fingerprint(where)
            identity = now if identity in (now, *now.earlier) else identity
        job.identity_of_take = identity


def save_record(
    journal: Journal, key: str, name: str, plan: Plan, jobs: Sequence[Job], *, cell: CellRef | None, is_named: bool
) -> None:
    """Replace the earlier record of a batch, keeping its other rows, and set its budget."""
    now, before = time.time(), journal.batches.load(key)
    known = recorded_rows(before) if before else []
    prints = {text for job in jobs for text in (*job.item.fingerprint.texts, *job.identity.texts)}
    earlier = list({row.fingerprint: row for row in known if row.fingerprint not in prints}.values())
    record = write_record(name, plan, jobs, earlier, is_named=is_named)
    record["cell"] = {"execution": cell.execution, "source": cell.source} if cell else (before or {}).get("cell")
    journal.budgets.set(batch_scope(key), plan.budget, now=now, lasting=False)
    journal.batches.save(key, record, notebook=cell.notebook if cell else None, now=now)


_OTHERS = " & "
"""Separates the key of a cell's first batch from what distinguishes further batches of the same cell."""


def choose_key(journal: Journal, plan: Plan, name: str, cell: CellRef | None) -> str:
    """Return the key of the record of a batch. Batches of one execution of a cell, as by a loop, have one each.

    A rerun finds its record by the sessions that both have; else it is an edit of one that this execution has not
    opened yet. Where the cell reads as before and has several, the values filled in are new, and so is the batch.

    Raises:
        OptionError: this execution has started another batch of the same `--name`.
    """
    key, here = key_of(plan, name, cell), cell.execution if cell is not None else None
    if cell is None or here is None or not has_name(plan, cell):
        return key
    is_given = "name" in plan.options
    known = {key: record} if is_given and (record := journal.batches.load(key)) else {}
    known = known if is_given else journal.batches.of_cell(key, _OTHERS)
    mine = {text for item in plan.items for text in item.fingerprint.texts}
    shared, free = dict[str, int](), list[str]()
    for other, record in known.items():
        its = {item["fingerprint"] for item in record["items"]}
        is_opened = (record.get("cell") or {}).get("execution") == here
        if its <= mine or (not is_opened and its & mine):
            shared[other] = len(its & mine)
        elif not is_opened:
            free.append(other)
    if shared:
        return max(shared, key=lambda other: shared[other])
    is_same_text = any((record.get("cell") or {}).get("source") == cell.source for record in known.values())
    if not known or (free and (len(known) == 1 or not is_same_text)):
        return free[0] if free else key
    if is_given:
        raise OptionError(
            f"this cell has started another batch named {name!r}, with other rows or another prompt",
            "nothing was sent",
            "give each a name of its own, such as --name '{{ name }}'",
        )
    return f"{key}{_OTHERS}{short_hash(*sorted(mine))}"


def find_record(journal: Journal, name: str, where: Where) -> tuple[str, dict[str, Any]]:
    """Return the key and the record of the newest batch with this name.

    Raises:
        OptionError: there is none.
    """
    found = []
    for key in journal.batches.names():
        record = journal.batches.load(key) if key.startswith(f"{place_of(where)}/") else None
        if record is not None and record.get("name") == name:
            return key, record
        found += [record["name"]] if record else []
    raise OptionError(
        f"the journal has no batch {name!r}{nearest(str(name), found)}",
        hint=f"it has {', '.join(found[:8])}" if found else "--name NAME names a batch",
    )


def recorded_rows(record: Mapping[str, Any]) -> list[RecordedRow]:
    """Return all rows in a record, those of earlier runs included; a row that was retried with both identities."""
    found = [
        RecordedRow(row["cells"], row["fingerprint"], row.get("key"), row.get("terms", ""))
        for row in record.get("earlier", ())
    ]
    for item in record["items"]:
        key, terms = item["request"].get("key"), item.get("terms", "")
        prints = [item["fingerprint"], *(item["take"][1:] if item.get("take") else [])]
        rows = [record["rows"][position] for position in item["positions"]]
        found += [RecordedRow(row, text, key, terms) for row in rows for text in prints]
    return found


# --- what an edit would repeat ------------------------------------------------------------------------------

_REPLIED = (Phase.YOUR_TURN, Phase.ASLEEP)
"""Without a schema this is how a turn with an answer ends."""
_ALIKE = 0.75
"""From this share of common words on, a template counts as an edit of another one."""
_ENOUGH = 3
"""Fewer common words say nothing: `Fix {{ row }}` and `Test {{ row }}` are different tasks."""


@dataclass(frozen=True, slots=True)
class PaidRow:
    """The session that a row has from an earlier run."""

    session_id: str
    is_answered: bool
    is_alive: bool
    """It has no answer yet, and is working or waiting for a person."""
    acus: float | None
    started_at: float
    """Unix seconds."""


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """An item whose row is known under another identity."""

    item: Item
    paid: PaidRow
    can_be_kept: bool
    """Only the prompt differs and the row had no key before: a key may say that it is the same."""

    @property
    def is_kept(self) -> bool:
        """Whether a key says that it is the same."""
        return self.can_be_kept and "key" in self.item.request.options

    @property
    def weight(self) -> tuple[bool, ...]:
        """The rank among several changes: a kept row costs nothing, an answered one would be paid for again."""
        return self.is_kept, self.paid.is_answered, self.paid.is_alive, self.can_be_kept


def check_plan(journal: Journal, plan: Plan, key: str, cell: CellRef | None, lock: Lock | None) -> list[ChangedRow]:
    """Check a plan against the journal, and return the rows of earlier runs whose answers `--key` keeps.

    Raises:
        Refused: the cost has no limit, or an edit would pay again for rows that have answers or are running.
        OptionError: a secret that a row needs has no value.
    """
    limits = [plan.budget]
    if cell is not None:
        limits.append(journal.budgets.account(notebook_scope(cell.notebook)).limit)
    budget = min((limit for limit in limits if limit is not None), default=None)
    check_caps(plan.wanted, budget)
    for item in plan.wanted:  # an item that has a session, or a recorded one, needs no secret
        problem = lacking(item.request.secrets)
        if problem and not is_recorded(lock, item) and journal.session_for(*item.fingerprint.texts) is None:
            raise problem
    is_named = has_name(plan, cell)
    record = journal.batches.load(key)
    records = [record] if record else []
    if record is None and cell is not None and not is_named:
        there = journal.batches.records(cell.notebook).items()
        ours = [other for name, other in there if name.startswith(f"{place_of(plan.where)}/")]
        nameless = [other for other in ours if not other.get("is_named", True)]
        records = [other for other in nameless if are_alike(other["prompt"], plan.prompt)]
    changed = changed_rows(plan, records, lambda text: _paid(journal, text), is_named=is_named)
    kept = [] if plan.has("take") else [change for change in changed if change.is_kept]
    refuse_repeats(plan, [change for change in changed if change not in kept], is_named=is_named)
    return kept


def is_recorded(lock: Lock | None, item: Item) -> bool:
    """Whether a lock file holds the session of an item."""
    whats = {one.what for one in (item.fingerprint, *item.fingerprint.earlier)}
    return lock is not None and any(lock.find(what) is not None for what in whats)


def _paid(journal: Journal, fingerprint: str) -> PaidRow | None:
    entry = journal.session_for(fingerprint)
    if entry is None:
        return None
    phase = entry.snapshot.phase if entry.snapshot is not None else None
    is_answered = phase is Phase.DONE or (entry.facts.schema is None and phase in _REPLIED)
    is_alive = not is_answered and (entry.is_open or phase in (*_REPLIED, Phase.NEEDS_APPROVAL))
    return PaidRow(entry.session_id, is_answered, is_alive, entry.acus, entry.started_at)


def are_alike(before: str, now: str) -> bool:
    """Whether one template reads like an edit of the other; placeholders do not count."""
    matcher = SequenceMatcher(None, _words(before), _words(now), autojunk=False)
    if matcher.real_quick_ratio() < _ALIKE or matcher.quick_ratio() < _ALIKE or matcher.ratio() < _ALIKE:
        return False
    return sum(block.size for block in matcher.get_matching_blocks()) >= _ENOUGH


def _words(template: str) -> list[str]:
    parts, at = [], 0
    for start, end in expressions(template, strict=False):
        parts.append(template[at:start])
        at = end
    return " ".join([*parts, template[at:]]).split()


def changed_rows(
    plan: Plan, records: Sequence[Mapping[str, Any]], paid: Callable[[str], PaidRow | None], *, is_named: bool
) -> list[ChangedRow]:
    """Return the items that would pay again for a row of an earlier run.

    Rows whose identity is the same as before cost nothing and are left out, and so are rows that were never started.

    Args:
        plan: the batch now.
        records: the batch as it was, or batches that it may be an edit of, newest first.
        paid: returns the session of an identity.
        is_named: a name or a cell says that it is the same batch; without one, other options make another task.
    """
    indexes = [_row_index(plan, record) for record in reversed(records)]
    found = []
    for item in plan.items:
        if item.problem is not None:
            continue
        cells = redact_tree(plain(plan.rows.record(item.positions[0])))
        rows: dict[str, RecordedRow] = {}
        for columns, by_cells in indexes:
            rows |= by_cells.get(_cells_key(cells, columns), {})
        texts = item.fingerprint.texts
        if not rows or any(text in rows or paid(text) is not None for text in texts):
            continue
        known, key = [*rows.values()], redact_tree(item.request.options.get("key"))
        if key is not None:  # an edit keeps the key or adds one; another key makes the row deliberately new
            same = [row for row in known if row.key == key]
            known = same or ([] if any(row.key is not None for row in known) else known)
        changes = [
            ChangedRow(item, session, row.key is None and row.terms == item.terms)
            for row in reversed(known)
            if (is_named or row.terms == item.terms) and (session := paid(row.fingerprint)) is not None
        ]
        if changes:
            found.append(max(changes, key=lambda change: change.weight))
    return found


def _row_index(plan: Plan, record: Mapping[str, Any]) -> tuple[list[str], dict[str, dict[str, RecordedRow]]]:
    """Return the columns that identify a row in both runs, and the recorded rows by their cells and identities."""
    known, used = recorded_rows(record), record.get("used", ())
    shared = [column for column in plan.rows.columns if all(column in row.cells for row in known)] if known else []
    columns = [column for column in shared if column in plan.rows.used or column in used] if used else shared
    columns = columns or shared
    by_cells: dict[str, dict[str, RecordedRow]] = {}
    for row in known if columns else ():
        by_cells.setdefault(_cells_key(row.cells, columns), {})[row.fingerprint] = row
    return columns, by_cells


def _cells_key(cells: Mapping[str, Any], columns: Sequence[Hashable]) -> str:
    return json.dumps([cells.get(str(column)) for column in columns], sort_keys=True, ensure_ascii=False)


def refuse_repeats(plan: Plan, changed: Sequence[ChangedRow], *, is_named: bool) -> None:
    """Refuse to pay again for rows that have answers or are running, unless `--beside` or `--take` is given.

    Raises:
        SessionChanged: with the arithmetic and the ways to continue.
    """
    again = [change for change in changed if change.paid.is_answered or change.paid.is_alive]
    if not again or any(plan.has(name) for name in ("beside", "take", "new")):
        return
    answered = sum(change.paid.is_answered for change in again)
    spent = sum(change.paid.acus or 0.0 for change in again)
    most = max_cost([change.item for change in again])
    cost = f"up to {most:,} ACU" if most is not None else "an unlimited number of ACUs"
    at_work = f" and {len(again) - answered} are working or waiting for you" if answered < len(again) else ""
    labels = named(plan.rows.labels[change.item.positions[0]] for change in again)
    what = "the template or its options changed" if is_named else "a similar template already ran over these rows"
    key = "--key '{{ … }}' identifies a row and keeps its answer (only rows not started yet use the new prompt); "
    raise SessionChanged(
        f"{what}, and {answered} of {len(plan.items)} rows already have answers"
        f"{at_work} ({labels}; {spent:.2f} ACU paid)",
        f"nothing was sent; running these again would cost {cost}",
        f"{key if all(change.can_be_kept for change in again) else ''}"
        f"--beside runs all rows again; {'' if is_named else '--name NAME makes it another batch; '}or undo the edit",
    )
