"""The state of a batch as rows for `.frame`, and the check of its column names before anything is spent."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from devin_jupyter.batches.job import Job
from devin_jupyter.batches.plan import Plan
from devin_jupyter.batches.rows import Index
from devin_jupyter.errors import OptionError

if TYPE_CHECKING:
    import pandas as pd

    from devin_jupyter.frames.batch import BatchRow
    from devin_jupyter.models.snapshot import Snapshot
    from devin_jupyter.schema import Schema


def check_names(plan: Plan) -> None:
    """Refuse names that would occur twice in `.frame`, before anything is spent.

    Raises:
        OptionError: naming them, and `--prefix`.
    """
    from devin_jupyter.frames.batch import BATCH_TAIL, output_names

    prefix = plan.options.get("prefix") or ""
    ours = {column.name: "session" for column in BATCH_TAIL}
    inputs = dict.fromkeys(plan.rows.columns, "input")
    shapes = {id(schema): schema for item in plan.items if (schema := item.request.schema) is not None}
    schemas: list[Schema | None] = [*shapes.values()] or [plan.schema]
    outputs = dict.fromkeys((name for schema in schemas for name in output_names(schema, prefix)), "output")
    for one, other in ((outputs, inputs), (outputs, ours), (inputs, ours)):
        both = [name for name in one if name in other]
        if both:
            raise OptionError(
                f"{', '.join(both)}: an {one[both[0]]} column and a column of the {other[both[0]]} have the same name",
                "nothing was sent",
                "--prefix devin_ renames the output columns"
                if one is outputs
                else "rename the column of the rows: frame.rename(columns={…})",
            )


def batch_frame(plan: Plan, jobs: Sequence[Job]) -> pd.DataFrame:
    """Return a row per row: input columns, output columns, session columns."""
    from devin_jupyter.frames.batch import Inputs, batch

    rows = plan.rows
    levels = rows.index.columns if rows.index else ()
    inputs = Inputs(
        columns=tuple(column for column in rows.columns if column not in levels),
        records=[rows.record(position) for position in range(len(rows))],
        labels=rows.labels,
        source=rows.source,
        dtypes=rows.dtypes,
    )
    made = [_row(job) for job in jobs]
    frame = batch(inputs, [made[index] for index in plan.item_of_row], plan.schema, plan.options.get("prefix") or "")
    if rows.source is None and rows.index is not None:
        frame.index = _restored(frame.index, rows.index)
    return frame


def _restored(index: pd.Index, kept: Index) -> pd.Index:
    """The index of a table that comes from the journal, as far as labels in JSON can tell."""
    with suppress(TypeError, ValueError):  # a dtype of a library that is not loaded, or a damaged value
        index = index.astype(kept.dtype)
    return index.set_names(list(kept.names)) if index.nlevels == len(kept.names) else index


def _row(job: Job) -> BatchRow:
    from devin_jupyter.frames.batch import BatchRow

    snapshot, schema = job.snapshot, job.item.request.schema
    if snapshot is None:
        return BatchRow(phase=job.phase, schema=schema, error=job.error.message if job.error else None)
    raw = snapshot.structured_output
    is_final = raw is not None and snapshot.output_is_final
    word = snapshot.last_word
    return BatchRow(
        phase=job.phase,
        session_id=snapshot.session_id,
        url=snapshot.url,
        needs_you=job.question is not None,
        asked=job.question,
        acus=snapshot.acus,
        n_prs=len(snapshot.pull_requests),
        provisional=None if raw is None else not is_final,
        error=_error(job, snapshot, schema),
        raw=raw,
        answer=word.text if word and snapshot.turn_over else None,
        schema=schema,
    )


def _error(job: Job, snapshot: Snapshot, schema: Schema | None) -> str | None:
    """Why there is no answer, or what is wrong with it; where a person must answer first, `asked` says it."""
    raw = snapshot.structured_output
    wrong = schema.check(raw) if schema is not None and raw is not None and snapshot.turn_over else []
    problem = job.problem if not wrong and job.question is None else job.error
    return "; ".join([*([problem.message] if problem else []), *wrong]) or None
