"""What the journal keeps of a batch: its rows, its requests, its settings; enough to be finished by another process.

Values of secrets and contents of files stay out, so a row that needs them can only be started by its cell.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from devin_jupyter.attachments import Attachment, read_secrets
from devin_jupyter.batches.job import Job
from devin_jupyter.batches.plan import Item, Plan
from devin_jupyter.batches.rows import Index, Rows, plain
from devin_jupyter.errors import OptionError
from devin_jupyter.models.snapshot import Where
from devin_jupyter.options import from_keywords
from devin_jupyter.redaction import redact_tree
from devin_jupyter.request import Fingerprint, SessionRequest, fingerprint

if TYPE_CHECKING:
    from devin_jupyter.schema import Schema

VERSION = 1
SETTINGS = ("max_parallel", "limit", "max_failures", "max_median", "when_done", "prefix", "budget")
_APART = frozenset({"schema", "secrets", "attach"})
_STORED = {"knowledge": "knowledge_ids"}
"""What the file calls an option of a request, where it is not the option's name."""


@dataclass(frozen=True, slots=True)
class KnownRow:
    """A row of an earlier run: its cells, and the identity it had."""

    cells: Mapping[str, Any]
    fingerprint: str
    key: str | None
    """What `--key` said of it, if anything; redacted."""
    terms: str
    """As in `Item`; empty in records that did not keep it."""


def write_record(
    name: str, plan: Plan, jobs: Sequence[Job], earlier: list[KnownRow], *, is_named: bool = True
) -> dict[str, Any]:
    """Return the record of a batch as JSON, redacted.

    Args:
        name: what the batch is called.
        plan: as made from the cell or read from a record.
        jobs: one for each item, with the take that counts now.
        earlier: rows of earlier runs that this one has not.
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
        "labels": [_plain_label(label) for label in plan.rows.labels],
        "rows": [plain(plan.rows.record(position)) for position in range(len(plan.rows))],
        "schema": plan.schema.wire if plan.schema else None,
        "settings": {name: dict(plan.options).get(name) for name in SETTINGS},
        "items": [_job_to_json(job, plan.schema) for job in jobs],
        "earlier": [dataclasses.asdict(row) for row in earlier],
    }
    cleaned: dict[str, Any] = redact_tree(record)
    return cleaned


def read_plan(record: Mapping[str, Any], where: Where, from_wire: Callable[[Any], Schema]) -> Plan:
    """Return the plan of a record; requests that could not be kept whole become items that cannot be started."""
    schema = from_wire(record["schema"]) if record.get("schema") else None
    columns = tuple(record["columns"])
    cells, index = record["rows"], record.get("index")
    values = tuple(cells if record["is_table"] else (row[columns[0]] for row in cells))
    rows = Rows(
        tuple(_label(label) for label in record["labels"]),
        values,
        columns,
        is_table=record["is_table"],
        dtypes=record.get("dtypes", {}),
        index=_index(index) if index else None,
        used=set(record.get("used", ())),
    )
    said = {name: value for name, value in record["settings"].items() if value is not None}
    return Plan(
        prompt=record["prompt"],
        rows=rows,
        items=tuple(_item_from_json(item, schema, where, from_wire) for item in record["items"]),
        options=from_keywords(each=rows, **said),
        where=where,
        schema=schema,
        is_report=bool(record["is_report"]),
    )


def take_up(jobs: Sequence[Job], record: Mapping[str, Any]) -> None:
    """Leave the jobs that were tried again at the take that counted last."""
    tried = {item["fingerprint"]: item for item in record["items"] if item.get("take")}
    for job in jobs:
        item = tried.get(job.item.fingerprint.text, {})
        label, identity = item.get("take", (None, None))
        job.earlier, job.tried = dict(item.get("earlier", {})), set(item.get("tried", ()))
        job.take, job.identity_of_take = label, Fingerprint.parse(identity) if identity else None


def known_rows(record: Mapping[str, Any]) -> list[KnownRow]:
    """Return every row the record knows, those of earlier runs included; a row that was retried under both takes."""
    found = [_known(row["cells"], row["fingerprint"], row, row.get("key")) for row in record.get("earlier", ())]
    for item in record["items"]:
        prints = [item["fingerprint"], *(item["take"][1:] if item.get("take") else [])]
        rows = [record["rows"][position] for position in item["positions"]]
        found += [_known(row, text, item, item["request"].get("key")) for row in rows for text in prints]
    return found


def _known(cells: Mapping[str, Any], identity: str, kept: Mapping[str, Any], key: str | None) -> KnownRow:
    return KnownRow(cells, identity, key, kept.get("terms", ""))


def _job_to_json(job: Job, shared: Schema | None) -> dict[str, Any]:
    item, request = job.item, job.item.request
    fields: dict[str, Any] = {"prompt": request.prompt}
    for option, value in request.options.items():
        if option not in _APART:
            fields[_STORED.get(option, option)] = plain(value)
    if request.schema is not None and request.schema is not shared:
        fields["schema"] = request.schema.wire
    if request.secrets:
        fields["secrets"] = {name: secret.sensitive for name, secret in request.secrets.items()}
    if request.attachments:
        fields["attachments"] = [[file.name, file.url, file.sha256] for file in request.attachments]
    takes = {"take": [job.take, job.identity.text], "earlier": job.earlier, "tried": sorted(job.tried)}
    kept = {
        "fingerprint": item.fingerprint.text,
        "terms": item.terms,
        "positions": list(item.positions),
        "request": fields,
    }
    return {**kept, **takes} if job.take else kept


def _item_from_json(
    record: Mapping[str, Any], shared: Schema | None, where: Where, from_wire: Callable[[Any], Schema]
) -> Item:
    fields: dict[str, Any] = dict(record["request"])
    secrets, files = fields.pop("secrets", {}), fields.pop("attachments", [])
    own = fields.pop("schema", None)
    prompt = fields.pop("prompt")
    names = {stored: option for option, stored in _STORED.items()}
    said: dict[str, Any] = {
        names.get(key, key): tuple(value) if isinstance(value, list) else value for key, value in fields.items()
    }
    attached = tuple(Attachment(name, None, url, digest) for name, url, digest in files)
    request = SessionRequest(prompt=prompt).but(
        **said, schema=from_wire(own) if own else shared, attach=attached or None
    )
    print_ = Fingerprint.parse(record["fingerprint"])
    item = Item(request, print_, record.get("terms", ""), tuple(record["positions"]), secret_names=dict(secrets))
    lacks_file = any(file.url is None for file in request.attachments)
    is_whole = lacks_file or bool(secrets) or fingerprint(request, where) == print_
    return replace(item, is_whole=is_whole and not lacks_file)


def complete(item: Item, take: str | None = None) -> SessionRequest:
    """Return the request of an item as it can be sent; secrets are read from the environment again.

    Args:
        item: of a plan.
        take: in place of the one that the request says.

    Raises:
        OptionError: a file, a secret or a masked text is only in the cell it came from.
    """
    if not item.is_whole:
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


def _plain_label(label: Hashable) -> Any:
    return plain(label)


def _index(record: Mapping[str, Any]) -> Index:
    return Index(tuple(record["names"]), record["dtype"], tuple(record["columns"]))


def _label(label: Any) -> Hashable:
    return tuple(label) if isinstance(label, list) else label
