"""From a template and rows to the sessions they ask for: all placeholders checked, duplicates merged, nothing sent."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from devin_jupyter.batches.rows import Rows, named, plain, read_rows
from devin_jupyter.errors import OptionError, UsageMistake
from devin_jupyter.models.snapshot import REPORT, CellRef, Where
from devin_jupyter.options import BY_NAME, CellOptions, fill, not_filled_in, templates
from devin_jupyter.options.arguments import expressions
from devin_jupyter.request import Fingerprint, SessionRequest, build, read_attachments
from devin_jupyter.request import fill as fill_in
from devin_jupyter.template import render, template_problems

if TYPE_CHECKING:
    from devin_jupyter.schema import Schema

WHOLE_BATCH = frozenset(
    {
        "name",
        "max_parallel",
        "limit",
        "max_failures",
        "max_median",
        "when_done",
        "prefix",
        "budget",
        "out",
        "wait",
        "on_interrupt",
        "on_done",
    }
)
"""Options given once for the batch; all others may differ from row to row."""
DEFAULT_PARALLEL = 5
_MAX_PROBLEMS = 8
_MAX_NOTES = 3
_ONE_SESSION = {
    "new": "--take LABEL runs all rows once more",
    "replace": "--beside runs an edited template for all rows; .stop() of the batch ends the old sessions",
    "save_transcript": "messages_frame(batch.sessions) has every conversation",
}
"""Options of a single session, and what to use instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRequest:
    """A batch as requested by a cell or a call."""

    prompt: str
    rows: Any
    options: CellOptions
    variables: Mapping[str, Any] | None = None
    defaults: Mapping[str, Any] | None = None
    cell: CellRef | None = None
    around: Mapping[str, Any] = field(default_factory=dict)
    """The names that the caller sees, where nothing is filled in from them."""
    is_call: bool = False
    """It comes from Python, where options are keywords."""


@dataclass(frozen=True, slots=True)
class Item:
    """One session of the plan: what all rows with the same identity share."""

    request: SessionRequest
    fingerprint: Fingerprint
    terms: str
    """A hash of the request without its prompt; an edit of the prompt alone does not change it."""
    positions: tuple[int, ...]
    """The rows it is for; more than one where rows are duplicates."""
    secret_names: Mapping[str, bool] = field(default_factory=dict)
    """In a plan read from a record: the secrets to read again before sending, and whether each is sensitive."""
    is_complete: bool = True
    """False for an item from a record that could not keep all of its request."""
    problem: UsageMistake | None = None
    """Why a row beyond `--limit` has no request yet; it raises this where it is to be started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A batch before anything is sent."""

    prompt: str
    """The template as written."""
    rows: Rows
    items: tuple[Item, ...]
    """In the order of their first rows."""
    options: CellOptions
    """The options, those of the whole batch rendered."""
    where: Where
    """Where the requests go."""
    schema: Schema | None
    """The shape of every answer; None without one, or where rows have different ones."""
    is_report: bool
    """The schema is the built-in report."""

    @property
    def max_parallel(self) -> int:
        """How many turns may be open at a time."""
        return cast("int", self.options.get("max_parallel") or DEFAULT_PARALLEL)

    @property
    def limit(self) -> int | None:
        """How many items to run; None is all."""
        return cast("int | None", self.options.get("limit"))

    @property
    def budget(self) -> float | None:
        """The ACUs that the batch may cost; None is no limit."""
        return cast("float | None", self.options.get("budget"))

    @property
    def max_age(self) -> float | None:
        """The age in seconds from which a session does not count; None is any age."""
        return cast("float | None", self.options.get("max_age"))

    @property
    def max_failures(self) -> int | None:
        """The failures in a row that pause the batch; None is the default."""
        return cast("int | None", self.options.get("max_failures"))

    @property
    def max_median(self) -> float | None:
        """The median cost in ACUs above which the batch pauses; None is no limit."""
        return cast("float | None", self.options.get("max_median"))

    @property
    def when_done(self) -> str:
        """`keep`, `archive` or `stop`."""
        return self.options.get("when_done") or "keep"

    @property
    def prefix(self) -> str:
        """What the output columns of the frame begin with."""
        return self.options.get("prefix") or ""

    def has(self, name: str) -> bool:
        """Whether an option was given."""
        return name in self.options

    @property
    def wanted(self) -> tuple[Item, ...]:
        """The items to be run: all of them, or the pilot."""
        return self.items[: self.limit]

    @property
    def notes(self) -> list[str]:
        """How parts of the requests were read, where that may surprise; the first few."""
        later = [(item, item.problem.message) for item in self.items if item.problem is not None]
        where = named(label for item, _ in later for label in self.labels(item)) if later else ""
        first = [f"{where} beyond --limit cannot be started yet: {later[0][1]}"] if later else []
        notes = (note for item in self.items for note in item.request.notes)
        return list(dict.fromkeys([*first, *notes]))[:_MAX_NOTES]

    @property
    def item_of_row(self) -> list[int]:
        """The index of the item of each row."""
        found = [0] * len(self.rows)
        for index, item in enumerate(self.items):
            for position in item.positions:
                found[position] = index
        return found

    def labels(self, item: Item) -> list[Hashable]:
        """Return the labels of the rows of an item."""
        return [self.rows.labels[position] for position in item.positions]


def plan_batch(asked: BatchRequest, where: Where) -> Plan:
    """Return the plan of a batch, after every check that needs no journal.

    Raises:
        UsageMistake: an option, a placeholder or a row that is not valid, with the rows it concerns.
    """
    for name in sorted(asked.options.keys() & _ONE_SESSION.keys()):
        flag = name.replace("_", "-")
        raise OptionError(f"--{flag} is for one session, not for a batch", hint=_ONE_SESSION[name])
    plan = make_plan(
        asked.prompt,
        asked.rows,
        asked.options,
        where=where,
        variables=asked.variables,
        defaults=asked.defaults,
        around=asked.around,
    )
    _check_columns(plan)
    return plan


def name_of(plan: Plan) -> str:
    """Return the name of a batch: its `--name`, else the variable it is bound to, else a hash of its template."""
    options = plan.options
    return options.get("name") or options.get("out") or "batch-" + short_hash(plan.prompt)[:6]


def has_name(plan: Plan, cell: CellRef | None) -> bool:
    """Whether a batch has a name or a cell that stays the same when its template is edited."""
    return "name" in plan.options or (cell is not None and bool(cell.cell))


def key_of(plan: Plan, name: str, cell: CellRef | None) -> str:
    """Return the key of a batch in the journal: by its `--name`, else by its cell, else by its content."""
    place = place_of(plan.where)
    if "name" in plan.options:
        return f"{place}/{name}"
    if cell is not None and cell.cell:
        return f"{place}/{cell.notebook} {cell.cell}"
    return f"{place}/{name} {short_hash(*sorted(item.fingerprint.first for item in plan.items))}"


def place_of(where: Where) -> str:
    """Return what the keys of all batches of an organization begin with."""
    # this text is hashed in every journal: it must stay what `repr` of the first `Where` was
    text = f"Where(base_url={where.base_url!r}, org_id={where.org_id!r}, api_version={where.api_version!r})"
    return short_hash(text)


def short_hash(*texts: str) -> str:
    """Return eight hex digits of the hash of a text."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:8]


def make_plan(
    prompt: str,
    rows: Any,
    options: CellOptions,
    *,
    where: Where,
    variables: Mapping[str, Any] | None = None,
    defaults: Mapping[str, Any] | None = None,
    around: Mapping[str, Any] | None = None,
) -> Plan:
    """Return the plan for one session per row; every template is filled in for every row first.

    Args:
        prompt: the template; `row` is the row in it.
        rows: a DataFrame, a Series, a list of mappings or a list of values.
        options: as parsed; templates in them may use `row` as well.
        where: the first part of every fingerprint.
        variables: the notebook's names, for the template and for `--schema` and `--attach`.
        defaults: as for `request.build`.
        around: names that are not filled in, which a note then says.

    Raises:
        UsageMistake: a placeholder, value or row that is not valid, with the rows it concerns.
    """
    table, names = read_rows(rows), variables or {}
    prepared, is_report = _once_for_all(options, names)
    whole = _of_the_batch(options, names)
    notes = _not_filled_in(prompt, table, prepared, names, around or {})
    items = _items(prompt, table, prepared, names, defaults, where, cast("int | None", whole.get("limit")), notes)
    good = [item.request for item in items if item.problem is None]
    plan = Plan(
        prompt=prompt,
        rows=table,
        items=items,
        options=whole,
        where=where,
        schema=_shared_schema(good, prepared),
        is_report=is_report,
    )
    _check_differences(plan, prepared)
    return plan


def _once_for_all(options: CellOptions, names: Mapping[str, Any]) -> tuple[CellOptions, bool]:
    """Read the schema and the files now, where they are the same for every row; the rows themselves are no option."""
    spec, files = options.get("schema"), options.get("attach")
    is_report = spec is None
    once = cast("CellOptions", {name: said for name, said in options.items() if name not in {*WHOLE_BATCH, "each"}})
    if isinstance(spec, str) and spec.strip().lower() == "none":
        del once["schema"]
    elif is_report or not _is_template(spec):
        from devin_jupyter.schema import load_schema

        once["schema"] = load_schema(REPORT if is_report else spec, names)
    if files and not any(_is_template(item) for item in files):
        once["attach"] = read_attachments(files, names)
    return once, is_report


def _is_template(value: Any) -> bool:
    return isinstance(value, str) and "{{" in value


def _of_the_batch(options: CellOptions, names: Mapping[str, Any]) -> CellOptions:
    whole = cast("CellOptions", {name: said for name, said in options.items() if name in WHOLE_BATCH})
    filled = fill(whole, None if options.get("raw") else lambda text: render(text, names))
    return cast("CellOptions", {**options, **filled})


def _not_filled_in(
    prompt: str, rows: Rows, options: CellOptions, names: Mapping[str, Any], around: Mapping[str, Any]
) -> list[str]:
    """Name what is sent as it is, and how each is filled in: columns, variables, and names that only Python sees."""
    seen: dict[str, Any] = {}
    notes: list[str] = []
    columns = dict.fromkeys(rows.columns if rows.is_table else ())
    for known, way in (
        (columns, "{{ row.%s }}"),
        ({**names, "row": None}, "{{ %s }}"),
        (around, "{{ row.%s }} and give the rows such a column"),
    ):
        notes += not_filled_in(prompt, options, {name: known[name] for name in known if name not in seen}, way)
        seen |= dict.fromkeys(known)
    return list(dict.fromkeys(notes))  # what is no name is found each time


def _items(
    prompt: str,
    rows: Rows,
    options: CellOptions,
    names: Mapping[str, Any],
    defaults: Mapping[str, Any] | None,
    where: Where,
    limit: int | None,
    notes: Sequence[str],
) -> tuple[Item, ...]:
    """Fill the template in for every row, and merge rows that ask for the same; those beyond the limit may wait."""
    found: dict[str, tuple[SessionRequest, Fingerprint, str, list[int], UsageMistake | None]] = {}
    problems: dict[str, tuple[UsageMistake, list[Hashable]]] = {}
    for position, label in enumerate(rows.labels):
        variables = {**names, "row": rows.template_value(position)}
        blanks = {**names, "row": rows.template_value(position, blank=_BLANK)}
        problem = None
        try:
            filled = fill_in(prompt, options, variables, partial(_unless_empty, variables=blanks))
            request = build(*filled, variables, defaults, notes)
            request.check(where.api_version)
        except UsageMistake as first:
            if limit is None or len(found) < limit:
                for each in _unfilled(prompt, options, variables, blanks) or [first]:
                    problems.setdefault(each.message, (each, []))[1].append(label)
                continue
            request, problem = SessionRequest(prompt=f"{prompt}\0{position}"), first
        print_ = request.fingerprint(where)
        found.setdefault(print_.text, (request, print_, request.options_hash(), [], problem))[3].append(position)
    if problems:
        raise _summed_up(list(problems.values()), len(rows))
    return tuple(
        Item(request, print_, terms, tuple(positions), problem=problem)
        for request, print_, terms, positions, problem in found.values()
    )


_BLANK = "\ue002"
"""Stands for a null in an option, until the option is left out."""


def _unless_empty(text: str, variables: Mapping[str, Any]) -> str | None:
    """Fill in an option, or leave it out where its cell is null or empty."""
    shown = render(text, variables)
    return None if _BLANK in shown or not shown.strip() else shown


def _check_differences(plan: Plan, options: CellOptions) -> None:
    """Refuse a template that asks the same for different rows: one session would run, without a cap of its own."""
    rows = plan.rows
    if len(plan.items) > 1 or len(rows) < 2:
        return
    if len({json.dumps(plain(rows.record(position)), sort_keys=True) for position in range(len(rows))}) == 1:
        return
    named_by = [BY_NAME[name].flag for name, value in options.items() if any(map(_uses_row, _words_of(value)))]
    example = f"row.{rows.columns[0]}" if rows.is_table else "row"
    why = "the prompt does not use the row"
    if named_by or _uses_row(plan.prompt):
        what = " and ".join(named_by) or "the prompt"
        why = f"only {what} uses the row, and gives every row the same session"
    raise OptionError(
        f"{why}: all {len(rows)} rows would be one session",
        hint=f"write {{{{ {example} }}}} in the prompt; for one session: %%devin without --each, or dj.create",
    )


def _uses_row(text: str) -> bool:
    return any(re.search(r"\brow\b", text[start:end]) for start, end in expressions(text, strict=False))


def _words_of(value: Any) -> list[str]:
    return [word for word in (value if isinstance(value, tuple) else (value,)) if isinstance(word, str)]


def _unfilled(
    prompt: str, options: CellOptions, variables: Mapping[str, Any], blanks: Mapping[str, Any]
) -> Sequence[UsageMistake]:
    """Return what is wrong with every placeholder of a row, each once, where filling them in stopped at the first."""
    if options.get("raw"):
        return []
    found = template_problems(prompt, variables)
    found += [problem for text in templates(options) for problem in template_problems(text, blanks)]
    return [*{problem.message: problem for problem in found}.values()]


def _summed_up(problems: list[tuple[UsageMistake, list[Hashable]]], total: int) -> UsageMistake:
    texts = [f"{problem.message} ({_in_rows(labels, total)})" for problem, labels in problems[:_MAX_PROBLEMS]]
    rest = len(problems) - len(texts)
    first = problems[0][0]
    return type(first)("; ".join([*texts, *([f"and {rest} more"] if rest else [])]), "nothing was sent", first.hint)


def _in_rows(labels: list[Hashable], total: int) -> str:
    return f"in every one of {total} rows" if len(labels) == total > 1 else f"in {named(labels)}"


def _shared_schema(requests: list[SessionRequest], options: CellOptions) -> Schema | None:
    if not requests:
        loaded: Schema | None = options.get("schema")
        return None if isinstance(loaded, str) else loaded
    first = requests[0].schema
    if first is None or any(request.schema is not first for request in requests):
        return None
    return first


def _check_columns(plan: Plan) -> None:
    """Refuse names that would occur twice in the frame."""
    from devin_jupyter.frames.batch import BATCH_TAIL, output_names

    ours = {column.name: "session" for column in BATCH_TAIL}
    inputs = dict.fromkeys(plan.rows.columns, "input")
    shapes = {id(schema): schema for item in plan.items if (schema := item.request.schema) is not None}
    schemas: list[Schema | None] = [*shapes.values()] or [plan.schema]
    outputs = dict.fromkeys((name for schema in schemas for name in output_names(schema, plan.prefix)), "output")
    for one, other in ((outputs, inputs), (outputs, ours), (inputs, ours)):
        both = [name for name in one if name in other]
        if both:
            raise OptionError(
                f"{', '.join(both)}: an {one[both[0]]} column and a column of the {other[both[0]]} have the same name",
                hint="--prefix devin_ renames the output columns"
                if one is outputs
                else "rename the column of the rows: frame.rename(columns={…})",
            )
