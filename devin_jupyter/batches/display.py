"""How a batch is shown: notices, the progress line, the frame, the static table of a saved notebook."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Collection, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from devin_jupyter.batches.jobs import BatchStats, Job, Stage, cost_line
from devin_jupyter.batches.plan import Plan
from devin_jupyter.batches.record import is_recorded
from devin_jupyter.batches.rows import Index, named
from devin_jupyter.batches.runner import ActionResult, Runner
from devin_jupyter.errors import DevinError, Refused, TurnError, WaitTimeout
from devin_jupyter.host import host
from devin_jupyter.models.enums import Phase
from devin_jupyter.render import BoardRow, BoardSummary, RowNotes, board_bundle, board_row
from devin_jupyter.render.labels import PHASE_STYLES, seconds_taken, turn_began
from devin_jupyter.text import one_line

if TYPE_CHECKING:
    import pandas as pd

    from devin_jupyter.frames.batch import BatchRow


# --- notices ------------------------------------------------------------------------------------------------


def opening_line(runner: Runner) -> str:
    """Return what a cell prints when its batch opens: `Starting 3 of 30 rows (--limit 3), 5 at a time. …`."""
    plan, n_rows = runner.plan, len(runner.plan.rows)
    waiting = [job for job in runner.wanted if job.stage in (Stage.WAITING, Stage.STARTING)]
    to_start = [job for job in waiting if not is_recorded(runner.core.recordings, job.item)]
    refused = sum(job.stage is Stage.REFUSED for job in runner.jobs)
    beyond = len(runner.jobs) - len(runner.wanted)
    duplicates = n_rows - len(plan.items)
    recorded = sum(job.snapshot is not None and job.snapshot.recorded is not None for job in runner.jobs)
    attached = runner.attached - recorded
    recorded += len(waiting) - len(to_start)
    parts = []
    if to_start:
        pilot = f" (--limit {runner.limit})" if beyond else ""
        some = f" of {n_rows}" if len(to_start) < n_rows - duplicates else ""
        parts.append(f"Starting {_rows(len(to_start), some)}{pilot}, {runner.gate.parallel} at a time.")
    if attached or recorded or not (to_start or refused):
        has = f"{attached} row{' has a session' if attached == 1 else 's have sessions'} already" if attached else ""
        replays = f"{recorded} replayed from {runner.core.lock.name if runner.core.lock else 'a lock file'}"
        there = ", ".join(part for part in (has, replays if recorded else "") if part) or "There are no rows"
        parts.append(f"{there}." if to_start or refused else f"{there}; nothing to start.")
    if to_start and runner.replays is None:
        cost = cost_line([job.item for job in to_start], plan.budget)
        parts.append(f"{cost[:1].upper()}{cost[1:]}.")
    shares = "shares" if duplicates == 1 else "share"
    parts += [f"{_rows(duplicates, ' duplicate')} {shares} a session with another one."] if duplicates else []
    parts += [f"{_rows(beyond)} beyond --limit can be started later."] if beyond and not to_start else []
    parts += [f"{runner.unseen} as last seen: the service cannot be reached."] if runner.unseen else []
    parts += [f"{_rows(refused)} refused."] if refused else []
    parts += [f"Paused: {runner.gate.paused}."] if runner.gate.paused else []
    parts += ["No longer paused: running it again resumed it."] if runner.was_held and to_start else []
    return " ".join([*parts, *(f"Note: {note}." for note in plan.notes)])


_RETRIED = {"failed": "has failed", "stopped": "was stopped", "refused": "was refused", "your_turn": "has replied"}
"""How a row got into a phase, where a form of "to be" would not say it."""


def retry_line(runner: Runner, take: str, chosen: Sequence[Job], n_attached: int, phases: Collection[str]) -> str:
    """Return what a retry prints; one that does nothing says so."""
    # some may already have been started
    to_start = [job.item for job in chosen if job.stage is not Stage.STARTED or job.how in ("created", "adopted")]
    if to_start:
        cost = cost_line(to_start, None)
        there = f" {_rows(n_attached)} had a session for it already." if n_attached else ""
        return f"Take {take}: starting {_rows(len(to_start))}.{there} {cost[:1].upper()}{cost[1:]}."
    if n_attached:
        return f"Take {take}: {_rows(n_attached)} had a session for it already; nothing to start."
    alike = [job for job in runner.wanted if job.phase in phases]
    if not alike:
        words = " or ".join(_RETRIED.get(phase, f"is {_label(phase)}") for phase in sorted(phases))
        again = [job for job in runner.wanted if job.take is not None and (job.is_open or job.stage is Stage.WAITING)]
        if not again:
            return f"Nothing to retry: no row {words}."
        where = named(label for job in again for label in runner.plan.labels(job.item))
        numbers = [int(job.take) for job in again if job.take and job.take.isdecimal()]
        then = f"; if it fails, take={max(numbers) + 1} tries once more" if numbers else ""
        return f"Nothing to retry: no row {words} now, and a retry of {where} is still running{then}."
    takes = [int(word) for job in alike for word in (job.take, *job.tried, take) if word and word.isdecimal()]
    where = named(label for job in alike for label in runner.plan.labels(job.item))
    return f"Nothing to retry: {where} had take {take} already; take={max(takes, default=1) + 1} tries once more."


def _label(phase: str) -> str:
    try:
        return Phase(phase).label
    except ValueError:  # a row without a session has a word of its own
        return phase


def _rows(count: int, kind: str = "") -> str:
    if kind.startswith(" of "):
        return f"{count}{kind} rows"
    return f"{count}{kind} row{'' if count == 1 else 's'}"


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
        return "Stopped waiting.", f"Every open session was stopped ({sums.text}).", ""
    started = sums.open - sums.starting
    keep = "session keeps" if started == 1 else "sessions keep"
    # what is being started has no session yet, and is started also where the batch has been paused since
    waiting = sums.starting + (0 if runner.gate.paused else sums.waiting)
    waits = f", and {_rows(waiting, ' waiting')} will be started" if waiting else ""
    return (
        "Stopped waiting.",
        f"{started} {keep} running{waits} ({sums.acus:.10g} ACU so far).",
        "Run the cell again to wait. .pause() starts no more rows, .stop() ends every session.",
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
    """Whether a person can see a line change: in a terminal, or in a notebook in which a person can click."""
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


def batch_frame(runner: Runner) -> pd.DataFrame:
    """Return one frame row per input row: input columns, output columns, session columns.

    Rows that share a session share everything but its cost, which stands in the first of them: the column adds up.
    """
    from devin_jupyter.frames.batch import Inputs, batch

    plan, rows = runner.plan, runner.plan.rows
    levels = rows.index.columns if rows.index else ()
    inputs = Inputs(
        columns=tuple(column for column in rows.columns if column not in levels),
        records=[rows.record(position) for position in range(len(rows))],
        labels=rows.labels,
        source=rows.source,
        dtypes=rows.dtypes,
    )
    made = [_frame_row(job, runner) for job in runner.jobs]
    shared = [replace(row, acus=0.0, acus_earlier=None) for row in made]
    first = [job.item.positions[0] for job in runner.jobs]
    every = [
        made[index] if first[index] == position else shared[index] for position, index in enumerate(plan.item_of_row)
    ]
    frame = batch(inputs, every, plan.schema, plan.prefix)
    if rows.source is None and rows.index is not None:
        frame.index = _restored_index(frame.index, rows.index)
    return frame


def _restored_index(index: pd.Index, kept: Index) -> pd.Index:
    """Return the index of a table that comes from the journal, as far as labels in JSON can tell."""
    with suppress(TypeError, ValueError):  # a dtype of a library that is not loaded, or a damaged value
        index = index.astype(kept.dtype)
    return index.set_names(list(kept.names)) if index.nlevels == len(kept.names) else index


def _frame_row(job: Job, runner: Runner) -> BatchRow:
    from devin_jupyter.frames.batch import BatchRow

    snapshot, schema, reviews = job.snapshot, job.item.request.schema, runner.reviews
    acus, earlier = cost_of(job, runner.costs)
    if snapshot is None:
        refused = job.error or job.item.problem
        error = refused.message if refused else None
        return BatchRow(phase=job.phase, schema=schema, error=error, acus=acus, acus_earlier=earlier)
    raw = snapshot.structured_output
    word = snapshot.last_word
    # why there is no answer, or what is wrong with it; where a person must answer first, `asked` says it
    wrong = schema.check(raw) if schema is not None and raw is not None and snapshot.turn_over else []
    problem = reason(job) if not wrong and job.question is None else job.error and job.error.message
    return BatchRow(
        phase=job.phase,
        session_id=snapshot.session_id,
        url=snapshot.url,
        needs_you=job.question is not None,
        asked=job.question,
        acus=acus,
        acus_earlier=earlier,
        n_prs=len(snapshot.pull_requests),
        review_status=", ".join(dict.fromkeys(reviews[pr.url] for pr in snapshot.pull_requests if pr.url in reviews))
        or None,
        provisional=None if raw is None else not snapshot.output_is_final,
        error="; ".join([*([problem] if problem else []), *wrong]) or None,
        raw=raw,
        answer=word.text if word and snapshot.turn_over else None,
        schema=schema,
    )


def cost_of(job: Job, costs: Mapping[str, float | None]) -> tuple[float | None, float | None]:
    """Return what all takes of a job cost so far, and the part of the earlier ones; None is unknown, or no take."""
    earlier = [costs.get(name, cost) for name, cost in job.earlier.items()]
    now = [costs.get(job.session_id)] if job.session_id else []
    known = [cost for cost in (*earlier, *now) if cost is not None]
    before = sum(cost for cost in earlier if cost is not None)
    return round(sum(known), 6) if known else None, round(before, 6) if earlier else None


def reason(job: Job) -> str | None:
    """Return why a job has no answer, without the name of its session; None where it has one, or may still."""
    problem = job.problem
    if problem is None:
        return None
    return re.sub(r"^devin-[0-9a-f]+(?: \(simulated\))?:? ", "", problem.message)


# --- the board and the saved form ---------------------------------------------------------------------------


def bundle(runner: Runner) -> dict[str, Any]:
    """Return what a batch shows at the end of a cell: a line with a link to its board; its answers once it is over."""
    summary, _ = summary_of(runner)
    board = runner.board.anchor if runner.board is not None and runner.board.is_shown else ""
    snapshots = [job.snapshot for job in runner.jobs if job.snapshot is not None]
    return board_bundle(
        runner.name, rows_of(runner), snapshots, summary, board=board, is_short=runner.is_running and bool(board)
    )


def rows_of(runner: Runner) -> list[BoardRow]:
    """Return the rows of the board that have a session or were refused, in their order."""
    rows = []
    for job in runner.jobs:
        if job.snapshot is not None:
            rows.append(board_row(job.snapshot, notes_of(runner, job)))
        elif (refused := refused_row(runner, job)) is not None:
            rows.append(refused)
    return rows


def notes_of(runner: Runner, job: Job) -> RowNotes:
    """Return what the batch knows of a job beside its session."""
    acus, _ = cost_of(job, runner.costs)
    why = None if job.question is not None else reason(job)
    return RowNotes(name=row_name(runner.plan, job), place=job.index, reason=why, acus=acus)


def refused_row(runner: Runner, job: Job) -> BoardRow | None:
    """Return the row of a job that could not be started; None for any other."""
    if job.stage is not Stage.REFUSED or job.error is None:
        return None
    acus, _ = cost_of(job, runner.costs)
    name = row_name(runner.plan, job)
    return BoardRow(
        id=f"row-{job.index}",
        name=name,
        title=name,
        place=job.index,
        phase=str(job.phase),
        label="refused",
        icon="✗",
        color=PHASE_STYLES[Phase.FAILED].color,
        group="failed",
        acus=acus,
        reason=one_line(job.error.message, 200),
    )


def summary_of(runner: Runner) -> tuple[BoardSummary, dict[str, Any]]:
    """Return what the board says of all rows together, and what its header needs beside."""
    sums, template = runner.stats(), runner.plan.prompt.strip().splitlines()
    is_held = runner.gate.paused is not None
    remarks = [runner.last_action or ""]
    if sums.rows > len(runner.jobs):
        shared = sums.rows - len(runner.jobs)
        remarks.append(f"{sums.rows} rows; {shared} of them share{'s' * (shared == 1)} a session with another one.")
    if (beyond := len(runner.jobs) - len(runner.wanted)) > 0:
        remarks.append(f"{_rows(beyond)} beyond the limit: .resume(all_rows=True) starts them.")
    if is_held and sums.waiting:
        remarks.append(f"Paused: {runner.gate.paused}.")
    elif runner.notice and not is_held:
        remarks.append(f"{runner.notice[:1].upper()}{runner.notice[1:]}.")
    summary = BoardSummary(
        subtitle=one_line(template[0], 120) if template else "",
        spent=sums.spent,
        waiting=runner.n_without_session,
        why=_why_waiting(runner) if sums.waiting else "",
        remarks=tuple(one_line(line, 400) for line in remarks if line),
    )
    seen = [job.snapshot for job in runner.jobs if job.snapshot is not None and not job.snapshot.simulated]
    began = [snapshot.created_at.timestamp() for snapshot in seen if snapshot.created_at is not None]
    ended = [
        began_turn.timestamp() + took
        for snapshot in seen
        if (began_turn := turn_began(snapshot)) is not None and (took := seconds_taken(snapshot)) is not None
    ]
    is_over = not sums.open and not (runner.is_running and runner.n_without_session)
    failed = [job for job in runner.wanted if job.group == "failed"]
    verbs = {
        "pause": runner.is_running and not is_held and sums.waiting > 0,
        "resume": is_held and sums.waiting > 0,
        "retry": bool(failed),
        "export": True,
        "stop_all": sums.open > 0,
    }
    return summary, {
        "can": [name for name, can in verbs.items() if can and runner.replays is None],
        "started": runner.began_at or min(began, default=None),
        "ended": (runner.ended_at or max(ended, default=None)) if is_over else None,
        "seconds_left": None if is_over else sums.seconds_left or None,
        "failed": len(failed),
        "open": sums.open,
    }


def _why_waiting(runner: Runner) -> str:
    gate = runner.gate
    if gate.paused is not None:
        return "paused"
    if gate.no_room is not None:
        return "room in the budget"
    if gate.seconds_closed:
        return "the service asks to slow down"
    return f"{gate.at_a_time} at a time"


def failed_rows(runner: Runner) -> tuple[set[str], list[Hashable], str]:
    """Return the phases and the labels of the rows without an answer, and the take that a retry of them would be."""
    jobs = [job for job in runner.wanted if job.group == "failed"]
    takes = [int(word) for job in jobs for word in (job.take, *job.tried) if word and word.isdecimal()]
    labels = [label for job in jobs for label in runner.plan.labels(job.item)]
    return {str(job.phase) for job in jobs}, labels, str(max(takes, default=1) + 1)


def export(runner: Runner) -> str:
    """Write the frame of a batch as CSV beside the notebook, under a name that is free, and say where."""
    from devin_jupyter.frames import write_csv

    frame = batch_frame(runner)
    stem = re.sub(r"[^\w.-]+", "-", runner.name).strip("-.") or "batch"
    path = Path(f"{stem}.csv")
    for number in range(2, 1000):
        if not path.exists():
            break
        path = Path(f"{stem}-{number}.csv")
    write_csv(frame, path)
    return f"Wrote {path} ({_rows(len(frame))})."


def row_name(plan: Plan, job: Job) -> str:
    """Return the name of a row: its label unless that is only a number, else its first text that a template uses."""
    rows, position = plan.rows, job.item.positions[0]
    label = rows.labels[position]
    cells = sorted(rows.record(position).items(), key=lambda cell: cell[0] not in rows.used)
    texts = [value for _, value in cells if isinstance(value, str)]
    return one_line(texts[0] if isinstance(label, int) and texts else label, 80)
