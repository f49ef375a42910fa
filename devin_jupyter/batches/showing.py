"""How a batch reads: one line when it opens, a static table in the saved notebook, a live board, what a detach says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from devin_jupyter.batches.acts import Acted
from devin_jupyter.batches.job import Job, Stage
from devin_jupyter.batches.money import cost_line
from devin_jupyter.batches.plan import Plan
from devin_jupyter.batches.rows import named
from devin_jupyter.batches.runner import Runner
from devin_jupyter.errors import DevinError, Refused, TurnError, WaitTimeout
from devin_jupyter.models.phase import Phase
from devin_jupyter.render import board_bundle
from devin_jupyter.text import one_line

if TYPE_CHECKING:
    from devin_jupyter.batches.handle import Batch
    from devin_jupyter.panel import BatchPanel

_LISTED = 12


def opening_line(runner: Runner, *, was_held: bool = False) -> str:
    """Return what a cell prints when its batch opens: `0 started, 300 attached, 0 ACU`."""
    to_start = [job for job in runner.wanted if job.stage in (Stage.WAITING, Stage.STARTING)]
    refused = sum(job.stage is Stage.REFUSED for job in runner.jobs)
    parts = [f"{runner.started} started, {runner.attached} attached"]
    if to_start:
        parts[0] = f"{len(to_start)} to start, {runner.attached} attached"
        cost = cost_line([job.item for job in to_start], runner.plan.budget)
        parts += [f"{runner.throttle.most} at a time", "0 ACU" if runner.finder.replays else cost]
    else:
        parts.append("0 ACU")
    beyond = len(runner.jobs) - len(runner.wanted)
    duplicates = len(runner.plan.rows) - len(runner.plan.items)
    parts += [f"{beyond} beyond --limit"] if beyond else []
    parts += [f"{duplicates} duplicate rows share a session"] if duplicates else []
    recorded = sum(job.snapshot is not None and job.snapshot.recorded is not None for job in runner.jobs)
    parts += [f"{recorded} of them recorded"] if recorded else []
    parts += [f"{runner.unseen} as last seen: the service cannot be reached"] if runner.unseen else []
    parts += [f"{refused} refused"] if refused else []
    parts += [f"paused: {runner.paused}"] if runner.paused else []
    parts += ["no longer paused: running it again goes on"] if was_held and to_start else []
    return ", ".join(parts)


def retry_line(take: str, chosen: Sequence[Job], n_attached: int) -> str:
    """Return what a retry prints."""
    to_start = [job.item for job in chosen if job.stage in (Stage.WAITING, Stage.STARTING)]
    cost = cost_line(to_start, None) if to_start else "0 ACU"
    return f"take {take}: {len(to_start)} to start, {n_attached} attached, {cost}"


def detached(runner: Runner, *, stopped: bool) -> tuple[str, str, str]:
    """Return the three lines of a detach from everything."""
    sums = runner.tally()
    if stopped:
        return f"interrupted: {sums.text}", "every open session was stopped, as --on-interrupt stop says", ""
    waits = f", and {sums.waiting} rows that wait will be started" if sums.waiting and not runner.paused else ""
    return (
        f"interrupted: {sums.open} sessions go on{waits} ({sums.acus:.2f} ACU so far)",
        "nothing was stopped, and it goes on to cost",
        ".wait() waits again, .pause() starts no more, .stop() ends every open session",
    )


def incomplete(name: str, runner: Runner) -> DevinError | None:
    """Return what is wrong with a batch that was waited for: rows that were never started, turns that are open."""
    sums = runner.tally()
    go_on = f"run the cell again, or dj.batch({name!r}).resume(), which attaches to what there is"
    if runner.is_driving:
        what = f"{sums.wanted - sums.over} of {sums.wanted} sessions are not over ({sums.text})"
        return WaitTimeout(what, "the sessions go on, and what waits is still started", ".wait() waits again")
    if sums.waiting:
        go_on = f"raise the budget, then {go_on}" if runner.no_room else go_on
        what = f"{sums.waiting} of {sums.wanted} sessions were not started, the batch is paused: {runner.paused}"
        return Refused(what, f"so far: {sums.text}", go_on)
    return _nothing_answered(runner)


def _nothing_answered(runner: Runner) -> DevinError | None:
    """One row without an answer is data; where no row has one, say why as the first of them does."""
    problems = [job.problem for job in runner.wanted]
    first = problems[0] if problems else None
    if first is None or None in problems:
        return None
    if len(problems) == 1 or not isinstance(first, TurnError):
        return first
    what = f"none of the {len(problems)} sessions has an answer ({runner.tally().words}); first: {first.message}"
    return type(first)(what, first.consequence, first.hint, session_id=first.session_id)


def outcome_line(done: Sequence[Acted], plan: Plan) -> str:
    """Return what became of an act on many rows.

    Raises:
        DevinError: it failed for all of them.
    """
    failed = [acted for acted in done if acted.problem is not None]
    first = failed[0].problem if failed else None
    if first is not None and len(failed) == len(done):
        raise first
    words = {"sent": "sent", "already": "sent already (again=True repeats)", "stopped": "stopped"}
    counts = [(word, sum(acted.how == how for acted in done)) for how, word in words.items()]
    parts = [f"{count} {word}" for word, count in counts if count]
    if first is not None:
        where = named(label for acted in failed for label in plan.labels(acted.job.item))
        parts.append(f"{len(failed)} failed ({where}): {first.message}")
    return ", ".join(parts) or "nothing to do"


def bundle(name: str, runner: Runner) -> dict[str, Any]:
    """Return the saved form: plain text, static HTML and records, the same for the same state."""
    snapshots = [job.snapshot for job in runner.jobs if job.snapshot is not None]
    shown = board_bundle(name, snapshots, names=names_of(runner), waiting=runner.tally().waiting)
    for line in _remarks(runner):
        shown["text/plain"] += f"\n{line}"
        shown["text/html"] += f"<div>{escape(line)}</div>"
    return shown


def _remarks(runner: Runner) -> Iterator[str]:
    """What the sessions themselves do not show: rows by phase, why it is paused, what was refused, asked in reports."""
    sums = runner.tally()
    shared = sums.rows - len(runner.jobs)
    rows = f"{sums.rows} row{'' if sums.rows == 1 else 's'}"
    yield f"{rows}{f', {shared} of them duplicates' if shared else ''}: {sums.words}"
    if before := [cost for job in runner.jobs for cost in job.earlier.values()]:
        yield f"earlier takes: {len(before)}, {sum(cost or 0.0 for cost in before):.2f} ACU more"
    if runner.notice:
        yield one_line(runner.notice, 400)
    refused = [job for job in runner.jobs if job.stage is Stage.REFUSED and job.error is not None]
    asking = [job for job in runner.jobs if job.question is not None and job.phase == Phase.DONE]
    remarks = [f"{row_name(runner.plan, job)} was refused: {job.error.message}" for job in refused if job.error]
    remarks += [f"{row_name(runner.plan, job)} asks: {job.question}" for job in asking]
    yield from (one_line(remark, 200) for remark in remarks[:_LISTED])
    if len(remarks) > _LISTED:
        yield f"… and {len(remarks) - _LISTED} more, see .frame"


def names_of(runner: Runner) -> dict[str, str]:
    """Return what the rows are called, by session id."""
    return {job.session_id: row_name(runner.plan, job) for job in runner.jobs if job.session_id}


def row_name(plan: Plan, job: Job) -> str:
    """Return what a row is called: its label if that says something, else its first text, one that a template uses."""
    rows, position = plan.rows, job.item.positions[0]
    label = rows.labels[position]
    cells = sorted(rows.record(position).items(), key=lambda cell: cell[0] not in rows.used)
    texts = [value for _, value in cells if isinstance(value, str)]
    return one_line(texts[0] if isinstance(label, int) and texts else label, 80)


def panel(batch: Batch) -> BatchPanel:
    """Return a live board that rows join as they are started."""
    from devin_jupyter.panel import BatchPanel

    runner = batch._runner
    places = {job.session_id: job.index for job in runner.jobs if job.session_id}
    board = BatchPanel(batch.sessions, title=batch.name, names=names_of(runner), places=places)
    shown = {job.index: job.session_id for job in runner.jobs if job.session_id}

    def joined(job: Job) -> None:
        board.waiting(runner.roster.n_without_session(runner.limit))
        before = shown.get(job.index)
        if job.session_id is not None and job.session_id != before:
            shown[job.index] = job.session_id
            if before is not None and before not in shown.values():
                board.drop(before)  # of an earlier take
            board.follow(batch._session(job), row_name(runner.plan, job), job.index)

    board.waiting(runner.roster.n_without_session(runner.limit))
    batch.listen(joined)
    return board
