"""How a batch reads: notices, the progress line, the frame, the static table of a saved notebook."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

from devin_jupyter.batches.jobs import BatchStats, Job, Stage, cost_line
from devin_jupyter.batches.plan import Plan
from devin_jupyter.batches.rows import Index, named
from devin_jupyter.batches.runner import ActionResult, Runner
from devin_jupyter.errors import DevinError, Refused, TurnError, WaitTimeout
from devin_jupyter.host import host
from devin_jupyter.models.enums import Phase
from devin_jupyter.render import board_bundle
from devin_jupyter.render.html import line_html
from devin_jupyter.text import one_line

if TYPE_CHECKING:
    import pandas as pd

    from devin_jupyter.frames.batch import BatchRow

_LISTED = 12


# --- notices ------------------------------------------------------------------------------------------------


def opening_line(runner: Runner) -> str:
    """Return what a cell prints when its batch opens: `0 started, 300 attached, 0 ACU`."""
    to_start = [job for job in runner.wanted if job.stage in (Stage.WAITING, Stage.STARTING)]
    refused = sum(job.stage is Stage.REFUSED for job in runner.jobs)
    parts = [f"{runner.started} started, {runner.attached} attached"]
    if to_start:
        parts[0] = f"{len(to_start)} to start, {runner.attached} attached"
        cost = cost_line([job.item for job in to_start], runner.plan.budget)
        parts += [f"{runner.gate.parallel} at a time", "0 ACU" if runner.replays else cost]
    else:
        parts.append("0 ACU")
    beyond = len(runner.jobs) - len(runner.wanted)
    duplicates = len(runner.plan.rows) - len(runner.plan.items)
    recorded = sum(job.snapshot is not None and job.snapshot.recorded is not None for job in runner.jobs)
    parts += [f"{beyond} beyond --limit"] if beyond else []
    parts += [f"{duplicates} duplicate rows share a session"] if duplicates else []
    parts += [f"{recorded} of them recorded"] if recorded else []
    parts += [f"{runner.unseen} as last seen: the service cannot be reached"] if runner.unseen else []
    parts += [f"{refused} refused"] if refused else []
    parts += [f"paused: {runner.gate.paused}"] if runner.gate.paused else []
    parts += ["no longer paused: running it again resumed it"] if runner.was_held and to_start else []
    return "; ".join([", ".join(parts), *runner.plan.notes])


def retry_line(take: str, chosen: Sequence[Job], n_attached: int) -> str:
    """Return what a retry prints."""
    to_start = [job.item for job in chosen if job.stage in (Stage.WAITING, Stage.STARTING)]
    cost = cost_line(to_start, None) if to_start else "0 ACU"
    return f"take {take}: {len(to_start)} to start, {n_attached} attached, {cost}"


def action_line(results: Sequence[ActionResult], plan: Plan) -> str:
    """Return how an action on many rows ended.

    Raises:
        DevinError: it failed for all of them.
    """
    failed = [result for result in results if result.problem is not None]
    first = failed[0].problem if failed else None
    if first is not None and len(failed) == len(results):
        raise first
    words = {
        "sent": "sent",
        "already": "already sent (again=True repeats)",
        "stopped": "stopped",
        "requested": "requested",
        "attached": "requested before",
    }
    counts = [(word, sum(result.how == how for result in results)) for how, word in words.items()]
    parts = [f"{count} {word}" for word, count in counts if count]
    if first is not None:
        where = named(label for result in failed for label in plan.labels(result.job.item))
        parts.append(f"{len(failed)} failed ({where}): {first.message}")
    return ", ".join(parts) or "nothing to do"


def detached(runner: Runner, *, stopped: bool) -> tuple[str, str, str]:
    """Return the three lines of an interrupted wait."""
    sums = runner.stats()
    if stopped:
        return f"interrupted: {sums.text}", "every open session was stopped, as --on-interrupt stop says", ""
    waits = f", and {sums.waiting} waiting rows will be started" if sums.waiting and not runner.gate.paused else ""
    return (
        f"interrupted: {sums.open} sessions continue{waits} ({sums.acus:.2f} ACU so far)",
        "nothing was stopped, and the sessions continue to cost",
        ".wait() waits again, .pause() starts no more rows, .stop() ends every open session",
    )


def incomplete(runner: Runner) -> DevinError | None:
    """Return what is wrong with a batch after a wait: rows that were never started, open turns, no answer at all."""
    sums = runner.stats()
    if runner.is_running:
        what = f"{sums.wanted - sums.over} of {sums.wanted} sessions have not ended ({sums.text})"
        return WaitTimeout(what, "the sessions continue, and waiting rows are still started", ".wait() waits again")
    if sums.waiting:
        hint = f"run the cell again, or dj.batch({runner.name!r}).resume(), which attaches to existing sessions"
        hint = f"raise the budget, then {hint}" if runner.gate.no_room else hint
        what = f"{sums.waiting} of {sums.wanted} sessions were not started, the batch is paused: {runner.gate.paused}"
        return Refused(what, f"so far: {sums.text}", hint)
    problems = [job.problem for job in runner.wanted]
    first = problems[0] if problems else None
    if first is None or None in problems:  # one row without an answer is data
        return None
    if len(problems) == 1 or not isinstance(first, TurnError):
        return first
    what = f"none of the {len(problems)} sessions has an answer ({sums.words}); first: {first.message}"
    return type(first)(what, first.consequence, first.hint, session_id=first.session_id)


# --- the progress line --------------------------------------------------------------------------------------

_BAR_WIDTH = 20


def progress_line(name: str, sums: BatchStats, notice: str | None = None) -> str:
    """Return the progress of a batch in one line."""
    done = round(_BAR_WIDTH * sums.over / sums.wanted) if sums.wanted else _BAR_WIDTH
    bar = "█" * done + "░" * (_BAR_WIDTH - done)
    parts = [f"{name} {bar} {sums.over}/{sums.wanted}", sums.text]
    if sums.seconds_left is not None and sums.over < sums.wanted:
        parts.append(f"about {time_span(sums.seconds_left)} left")
    return "  ".join([*parts, *([f"[{notice}]"] if notice else [])])


def time_span(seconds: float) -> str:
    """Return a duration as people say it: `40 s`, `12 min`, `3 h 20 min`."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def is_watched() -> bool:
    """Whether a person sees a line move: in a terminal, or in a notebook in which a person can click."""
    here = host()
    return here.can_click if here.in_kernel else sys.stderr.isatty()


class StatusLine:
    """A line that replaces the one before it."""

    def __init__(self) -> None:
        # notebooks paint standard error red
        self._stream: TextIO | None = sys.stdout if host().in_kernel else None
        self._length, self._text = 0, ""

    def show(self, text: str) -> None:
        """Replace the line."""
        if text == self._text:
            return
        self._text = text
        stream = self._stream or sys.stderr
        text = text[: max(20, shutil.get_terminal_size((160, 24)).columns - 1)]
        stream.write("\r" + text + " " * max(0, self._length - len(text)))
        stream.flush()
        self._length = len(text)

    def finish(self, text: str) -> None:
        """Leave this as the last line; nothing if none was shown."""
        if self._length:
            self.show(text)
            stream = self._stream or sys.stderr
            stream.write("\n")
            stream.flush()
            self._length = 0


# --- the frame ----------------------------------------------------------------------------------------------


def batch_frame(plan: Plan, jobs: Sequence[Job], reviews: Mapping[str, str]) -> pd.DataFrame:
    """Return a row per row: input columns, output columns, session columns.

    Args:
        plan: of the batch.
        jobs: its jobs.
        reviews: the state of the reviews of pull requests, by URL.
    """
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
    made = [_frame_row(job, reviews) for job in jobs]
    frame = batch(inputs, [made[index] for index in plan.item_of_row], plan.schema, plan.prefix)
    if rows.source is None and rows.index is not None:
        frame.index = _restored_index(frame.index, rows.index)
    return frame


def _restored_index(index: pd.Index, kept: Index) -> pd.Index:
    """Return the index of a table that comes from the journal, as far as labels in JSON can tell."""
    with suppress(TypeError, ValueError):  # a dtype of a library that is not loaded, or a damaged value
        index = index.astype(kept.dtype)
    return index.set_names(list(kept.names)) if index.nlevels == len(kept.names) else index


def _frame_row(job: Job, reviews: Mapping[str, str]) -> BatchRow:
    from devin_jupyter.frames.batch import BatchRow

    snapshot, schema = job.snapshot, job.item.request.schema
    if snapshot is None:
        return BatchRow(phase=job.phase, schema=schema, error=job.error.message if job.error else None)
    raw = snapshot.structured_output
    word = snapshot.last_word
    # why there is no answer, or what is wrong with it; where a person must answer first, `asked` says it
    wrong = schema.check(raw) if schema is not None and raw is not None and snapshot.turn_over else []
    problem = job.problem if not wrong and job.question is None else job.error
    return BatchRow(
        phase=job.phase,
        session_id=snapshot.session_id,
        url=snapshot.url,
        needs_you=job.question is not None,
        asked=job.question,
        acus=snapshot.acus,
        n_prs=len(snapshot.pull_requests),
        review_status=", ".join(dict.fromkeys(reviews[pr.url] for pr in snapshot.pull_requests if pr.url in reviews))
        or None,
        provisional=None if raw is None else not snapshot.output_is_final,
        error="; ".join([*([problem.message] if problem else []), *wrong]) or None,
        raw=raw,
        answer=word.text if word and snapshot.turn_over else None,
        schema=schema,
    )


# --- the saved form -----------------------------------------------------------------------------------------


def bundle(runner: Runner) -> dict[str, Any]:
    """Return the saved form: plain text, static HTML and records, the same for the same state."""
    snapshots = [job.snapshot for job in runner.jobs if job.snapshot is not None]
    shown = board_bundle(runner.name, snapshots, names=names_of(runner), waiting=runner.stats().waiting)
    for line in _remarks(runner):
        shown["text/plain"] += f"\n{line}"
        shown["text/html"] += line_html(line)
    return shown


def _remarks(runner: Runner) -> Iterator[str]:
    """What the sessions themselves do not show: rows by phase, why it is paused, what was refused, asked in reports."""
    sums = runner.stats()
    shared = sums.rows - len(runner.jobs)
    rows = f"{sums.rows} row{'' if sums.rows == 1 else 's'}"
    yield f"{rows}{f', {shared} of them duplicates' if shared else ''}: {sums.words}"
    if before := [cost for job in runner.jobs for cost in job.earlier.values()]:
        yield f"earlier takes: {len(before)}, {sum(cost or 0.0 for cost in before):.2f} ACU more"
    if runner.notice:
        yield one_line(runner.notice, 400)
    remarks = [
        f"{row_name(runner.plan, job)} was refused: {job.error.message}"
        for job in runner.jobs
        if job.stage is Stage.REFUSED and job.error is not None
    ]
    remarks += [
        f"{row_name(runner.plan, job)} asks: {job.question}"
        for job in runner.jobs
        if job.question is not None and job.phase == Phase.DONE
    ]
    yield from (one_line(remark, 200) for remark in remarks[:_LISTED])
    if len(remarks) > _LISTED:
        yield f"… and {len(remarks) - _LISTED} more, see .frame"


def names_of(runner: Runner) -> dict[str, str]:
    """Return the names of the rows by session id."""
    return {job.session_id: row_name(runner.plan, job) for job in runner.jobs if job.session_id}


def row_name(plan: Plan, job: Job) -> str:
    """Return the name of a row: its label unless that is only a number, else its first text that a template uses."""
    rows, position = plan.rows, job.item.positions[0]
    label = rows.labels[position]
    cells = sorted(rows.record(position).items(), key=lambda cell: cell[0] not in rows.used)
    texts = [value for _, value in cells if isinstance(value, str)]
    return one_line(texts[0] if isinstance(label, int) and texts else label, 80)
