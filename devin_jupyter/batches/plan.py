"""From a template and rows to the sessions they ask for: every placeholder checked, duplicates found, nothing sent."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from devin_jupyter.attachments import read_attachments
from devin_jupyter.batches.rows import Rows, named, read_rows
from devin_jupyter.errors import UsageMistake
from devin_jupyter.models.batch_report import REPORT, is_off
from devin_jupyter.models.snapshot import Where
from devin_jupyter.options import CellOptions, fill, templates
from devin_jupyter.request import Fingerprint, SessionRequest, build, fingerprint, render, template_problems, terms
from devin_jupyter.request import fill as fill_in

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
    }
)
"""Options said once for the batch; all others may differ from row to row."""
DEFAULT_PARALLEL = 5
MAX_PROBLEMS = 8


@dataclass(frozen=True, slots=True)
class Item:
    """One session to be: what all rows with the same identity share."""

    request: SessionRequest
    fingerprint: Fingerprint
    terms: str
    """A hash of what the request says besides its words; equal for an edit of the words alone."""
    positions: tuple[int, ...]
    """The rows it is for; more than one where rows are duplicates."""
    secret_names: Mapping[str, bool] = field(default_factory=dict)
    """From a record: the secrets to read again before it can be sent, and whether each is sensitive."""
    is_whole: bool = True
    """False for an item from a record that could not keep all of its request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A batch before anything is sent."""

    prompt: str
    """The template, as it was written."""
    rows: Rows
    items: tuple[Item, ...]
    """In the order of their first rows."""
    options: CellOptions
    """What was said for the batch as a whole, rendered."""
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
        """How many items are to be run; None is all of them."""
        return cast("int | None", self.options.get("limit"))

    @property
    def max_age(self) -> float | None:
        """Sessions older than this many seconds do not count."""
        return cast("float | None", self.options.get("max_age"))

    @property
    def max_failures(self) -> int | None:
        """After how many failures in a row the batch pauses."""
        return cast("int | None", self.options.get("max_failures"))

    @property
    def max_median(self) -> float | None:
        """Above which median cost the batch pauses, in ACUs."""
        return cast("float | None", self.options.get("max_median"))

    @property
    def budget(self) -> float | None:
        """What the batch may cost, in ACUs."""
        return cast("float | None", self.options.get("budget"))

    @property
    def wanted(self) -> tuple[Item, ...]:
        """The items to be run: all of them, or the pilot."""
        return self.items[: self.limit]

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


def make_plan(
    prompt: str,
    rows: Any,
    options: CellOptions,
    *,
    where: Where,
    variables: Mapping[str, Any] | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> Plan:
    """Return the plan for one session per row; every template is filled in for every row first.

    Args:
        prompt: the template; `row` is the row in it.
        rows: a DataFrame, a Series, a list of mappings or a list of values.
        options: as parsed; templates in them may use `row` as well.
        where: the first part of every fingerprint.
        variables: the notebook's names, for the template and for `--schema` and `--attach`.
        defaults: as for `request.build`.

    Raises:
        UsageMistake: a placeholder, value or row that cannot be meant, with the rows it concerns.
    """
    table, names = read_rows(rows), variables or {}
    prepared, is_report = _once_for_all(options, names)
    requests = _requests(prompt, table, prepared, names, defaults, where)
    return Plan(
        prompt=prompt,
        rows=table,
        items=_merge(requests, where),
        options=_of_the_batch(options, names),
        where=where,
        schema=_shared_schema(requests, prepared),
        is_report=is_report,
    )


def _once_for_all(options: CellOptions, names: Mapping[str, Any]) -> tuple[CellOptions, bool]:
    """Read the schema and the files now, where they are the same for every row; the rows themselves are no option."""
    spec, files = options.get("schema"), options.get("attach")
    is_report = spec is None
    once = cast("CellOptions", {name: said for name, said in options.items() if name not in {*WHOLE_BATCH, "each"}})
    if is_off(spec):
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


def _requests(
    prompt: str,
    rows: Rows,
    options: CellOptions,
    names: Mapping[str, Any],
    defaults: Mapping[str, Any] | None,
    where: Where,
) -> list[SessionRequest]:
    requests: list[SessionRequest] = []
    problems: dict[str, tuple[UsageMistake, list[Hashable]]] = {}
    for position, label in enumerate(rows.labels):
        variables = {**names, "row": rows.template_value(position)}
        try:
            request = build(*fill_in(prompt, options, variables), variables, defaults)
            request.check(where.api_version)
            requests.append(request)
        except UsageMistake as first:
            for problem in _unfilled(prompt, options, variables) or [first]:
                problems.setdefault(problem.message, (problem, []))[1].append(label)
    if problems:
        raise _summed_up(list(problems.values()), len(rows))
    return requests


def _unfilled(prompt: str, options: CellOptions, variables: Mapping[str, Any]) -> Sequence[UsageMistake]:
    """Return what is wrong with every placeholder of a row, each once, where filling them in stopped at the first."""
    texts = [] if options.get("raw") else [prompt, *templates(options)]
    found = [problem for text in texts for problem in template_problems(text, variables)]
    return [*{problem.message: problem for problem in found}.values()]


def _summed_up(problems: list[tuple[UsageMistake, list[Hashable]]], total: int) -> UsageMistake:
    texts = [f"{problem.message} ({_in_rows(labels, total)})" for problem, labels in problems[:MAX_PROBLEMS]]
    rest = len(problems) - len(texts)
    first = problems[0][0]
    return type(first)("; ".join([*texts, *([f"and {rest} more"] if rest else [])]), "nothing was sent", first.hint)


def _in_rows(labels: list[Hashable], total: int) -> str:
    return f"in every one of {total} rows" if len(labels) == total > 1 else f"in {named(labels)}"


def _merge(requests: list[SessionRequest], where: Where) -> tuple[Item, ...]:
    found: dict[str, tuple[SessionRequest, Fingerprint, list[int]]] = {}
    for position, request in enumerate(requests):
        print_ = fingerprint(request, where)
        found.setdefault(print_.text, (request, print_, []))[2].append(position)
    return tuple(
        Item(request, print_, terms(request), tuple(positions)) for request, print_, positions in found.values()
    )


def _shared_schema(requests: list[SessionRequest], options: CellOptions) -> Schema | None:
    if not requests:
        loaded: Schema | None = options.get("schema")
        return None if isinstance(loaded, str) else loaded
    first = requests[0].schema
    if first is None or any(request.schema is not first for request in requests):
        return None
    return first
