"""`Batch` and `AsyncBatch`: the handles on many sessions that came from one template, blocking and for `await`.

Attributes never ask the service; methods do. The work itself runs in the background, in the process that started it;
another one takes over by running the same cell, or with `dj.batch(name).resume()`.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from devin_jupyter import loop
from devin_jupyter.api.client import at_most
from devin_jupyter.attributes import SuggestsNames, method
from devin_jupyter.batches import display
from devin_jupyter.batches.jobs import BatchStats, Job, check_caps, phases_of, positions_of
from devin_jupyter.batches.plan import BatchRequest, Plan, plan_batch
from devin_jupyter.batches.rows import plain
from devin_jupyter.batches.runner import Preview, Runner, find_batch, open_batch, preview, where_of
from devin_jupyter.errors import ArgumentError, Detached, DetachedAwait, OptionError
from devin_jupyter.host import check_package, host
from devin_jupyter.loop import (
    SLICE_SECONDS,
    Blocking,
    cancel_on_interrupt,
    checked,
    completing_requests,
    fluent,
    names_of_caller,
)
from devin_jupyter.models.snapshot import CellRef
from devin_jupyter.options import IN_PYTHON, from_keywords, in_keywords, in_python, not_filled_in, seconds
from devin_jupyter.request import check_message, read_attachments
from devin_jupyter.session import AsyncSession, Core, Session
from devin_jupyter.template import render
from devin_jupyter.text import kind_of

if TYPE_CHECKING:
    import pandas as pd

    from devin_jupyter.panel import BatchPanel

_MOST_REVIEWS = 10
"""More reviews than this need a limit."""
S = TypeVar("S")
V = TypeVar("V", bound="BatchView[Any]")


class BatchView(SuggestsNames, ABC, Generic[S]):
    """The attributes of a batch, as last seen: no request is sent."""

    notice: str | None
    _runner: Runner
    _OTHER_NAMES = {  # noqa: RUF012 a constant
        **dict.fromkeys(("cost", "costs", "spent", "usage"), "acus"),
        **dict.fromkeys(("df", "dataframe", "to_pandas", "table", "rows", "results", "result", "output"), "frame"),
        **dict.fromkeys(("outputs", "answers", "errors", "failed", "prs", "pull_requests"), "frame"),
        **dict.fromkeys(("phase", "phases", "state", "status", "counts"), "phase_counts"),
        **dict.fromkeys(("done", "is_done", "finished", "over"), "is_over"),
        **dict.fromkeys(("cancel", "kill", "terminate", "close"), "stop"),
        **dict.fromkeys(("board", "show", "display"), "panel"),
        **dict.fromkeys(("start", "run", "continue_"), "resume"),
        **dict.fromkeys(("message", "reply", "tell", "answer"), "send"),
        "needs_you": "questions",
    }

    def __init__(self) -> None:
        self._handles: dict[str, tuple[Any, S]] = {}

    # A batch pickles and copies as its name: `dj.batch(name)`.
    def __reduce__(self) -> tuple[Callable[..., Batch], tuple[str]]:
        return import_module("devin_jupyter").batch, (self.name,)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: Any) -> Self:
        return self

    @property
    def name(self) -> str:
        """What `dj.batch(name)` finds it by."""
        return self._runner.name

    @property
    def sessions(self) -> list[S]:
        """The sessions started so far, in the order of their rows; duplicate rows share one."""
        return [self.session_of(job) for job in self._runner.jobs if job.state is not None]

    @method
    def frame(self) -> pd.DataFrame:
        """Return one frame row per input row, at any time: inputs, outputs, then `phase`, `acus`, `error`, the ids.

        `phase` is `waiting` or `refused` without a session; `provisional` marks outputs of turns that are open. `acus`
        has all takes of a row, `acus_earlier` the part of earlier ones; rows that share a session have its cost once.
        `review_status` is what `.review()` saw last.
        """
        return display.batch_frame(self._runner)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The input columns of `.frame()`."""
        return self._runner.plan.rows.columns

    @property
    def phase_counts(self) -> dict[str, int]:
        """The number of rows by phase."""
        return dict(self.tally.counts)

    @property
    def questions(self) -> dict[Any, str]:
        """Devin's questions by row label, for the sessions that need a person."""
        plan = self._runner.plan
        asked = [(job, job.question) for job in self._runner.jobs]
        return {plan.labels(job.item)[0]: question for job, question in asked if question is not None}

    @property
    def acus(self) -> float:
        """ACUs consumed so far, as far as the service reports them."""
        return self.tally.acus

    @property
    def paused(self) -> str | None:
        """Why nothing more is started; None while it runs."""
        return self._runner.gate.paused

    @property
    def tally(self) -> BatchStats:
        """The totals of the batch."""
        return self._runner.stats()

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do: every turn is over, and nothing waits or the batch is paused."""
        return not self._runner.is_running

    def __len__(self) -> int:
        return len(self._runner.plan.rows)

    def __iter__(self) -> Iterator[S]:
        return iter(self.sessions)

    def __getitem__(self, label: Any) -> S:
        """Return the session of a row, by the label of the row."""
        runner = self._runner
        positions = positions_of(runner.plan.rows, [label], runner.jobs)
        job = runner.jobs[runner.plan.item_of_row[min(positions)]]
        if job.state is None:
            why = f": {job.error.message}" if job.error else ""
            hint = ".resume() starts waiting rows"
            raise OptionError(f"row {label!r} has no session, it is {job.phase}{why}", hint=hint)
        return self.session_of(job)

    def session_of(self, job: Job) -> S:
        """Return the handle on the session of a job that has one; the same one each time."""
        assert job.state is not None
        identifier, state = job.state.session_id, job.state
        if identifier not in self._handles or self._handles[identifier][0] is not state:
            self._handles[identifier] = state, self._new_handle(job)
        return self._handles[identifier][1]

    @abstractmethod
    def _new_handle(self, job: Job) -> S:
        """Return a handle on the session of a job that has one."""

    def check(self: V) -> V:
        """Return the batch if every row that was wanted came to an end, good or bad: for scripts, after `wait`.

        Raises:
            Refused: it is paused, and rows wait to be started.
            WaitTimeout: turns are still open.
            DevinError: not one row has an answer; it is what the first of them raises.
        """
        if (problem := display.incomplete(self._runner)) is not None:
            raise problem
        return self

    def panel(self) -> BatchPanel:
        """Return a live board of all rows, which join it as they are started; its buttons are methods of the batch."""
        from devin_jupyter.panel import BatchPanel

        runner = self._runner
        jobs = {job.session_id: job for job in runner.jobs if job.session_id}
        shown = {job.index: session_id for session_id, job in jobs.items()}
        board = BatchPanel(
            self.sessions,
            title=self.name,
            notes=lambda session_id: display.notes_of(runner, jobs[session_id]) if session_id in jobs else None,
            summary=lambda: display.summary_of(runner),
            actions=_verbs(self.aio),
        )

        def update(job: Job) -> None:
            before, row_id = shown.get(job.index), f"row-{job.index}"
            if before is not None and job.session_id != before:  # of an earlier take
                del shown[job.index], jobs[before]
                board.drop(before)
            if job.session_id is not None and job.index not in shown:
                shown[job.index], jobs[job.session_id] = job.session_id, job
                board.drop(row_id)  # of a start that was refused
                board.follow(self.session_of(job))
            elif job.snapshot is not None:
                board.put(job.snapshot)  # what its batch says of it may have changed
            elif (refused := display.refused_row(runner, job)) is not None:
                board.put_row(refused)
            board.redraw()

        for job in runner.jobs:
            if (refused := display.refused_row(runner, job)) is not None:
                board.put_row(refused)
        runner.board = board
        runner.listen(update)
        return board

    @property
    @abstractmethod
    def aio(self) -> AsyncBatch:
        """The batch with coroutine methods."""

    def listen(self, listener: Callable[[Job], None]) -> Callable[[], None]:
        """Call a function on the loop's thread with every job that changed, until the returned one is called."""
        return self._runner.listen(listener)

    def __repr__(self) -> str:
        rows = f"{len(self)} row{'' if len(self) == 1 else 's'}"
        return f"<{type(self).__name__} {self.name} {rows}: {self.tally.by_phase}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Mapping[str, Any]:
        return display.bundle(self._runner)

    def _mime_(self) -> tuple[str, str]:  # marimo shows the parts of a bundle as tabs
        return "text/html", str(self._repr_mimebundle_()["text/html"])


def runner_of(batch: BatchView[Any]) -> Runner:
    """Return what runs a batch; it belongs to the loop's thread."""
    return batch._runner


def _verbs(batch: AsyncBatch) -> dict[str, Callable[[], Any]]:
    """Return what the buttons of a board do; a text that one returns is shown."""
    runner = batch._runner

    async def pause() -> None:
        await batch.pause()

    async def resume() -> None:
        await batch.resume()

    async def retry() -> str:
        phases, labels, take = display.failed_rows(runner)
        return str((await batch.retry(phases, take=take, rows=labels)).notice)

    async def stop_all() -> str:
        return str((await batch.stop()).notice)

    return {
        "pause": pause,
        "resume": resume,
        "retry": retry,
        "stop_all": stop_all,
        "export": lambda: display.export(runner),
    }


@checked
class AsyncBatch(BatchView[AsyncSession]):
    """Many Devin sessions from one template, for applications with an event loop of their own; see `Batch`."""

    __module__ = "devin_jupyter"

    def __init__(self, runner: Runner, words: Callable[[str], str] = str) -> None:
        super().__init__()
        self._runner, self._words = runner, words
        self.notice: str | None = words(display.opening_line(runner))
        """A line worth printing: how many were started, how many were there already."""

    @property
    def aio(self) -> AsyncBatch:
        """The batch itself; its actions are coroutines."""
        return self

    def add_notice(self, line: str) -> None:
        """Add to `.notice`."""
        self.notice = f"{self.notice}; {line}" if self.notice else line

    def _new_handle(self, job: Job) -> AsyncSession:
        return self._runner.handle(job)

    async def wait(self, timeout: float | str | None = None) -> AsyncBatch:
        """Wait until nothing is left to do, or the time-out, and return the batch.

        Args:
            timeout: seconds, or a text such as "30m"; None waits as long as it takes.
        """
        self._runner.check_process()
        limit = seconds(timeout)
        with suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await self._runner.over()
        return self

    def __await__(self) -> Generator[Any, None, AsyncBatch]:
        return _awaited(self, self.wait).__await__()

    async def pause(self) -> AsyncBatch:
        """Start nothing more, here and in other kernels that share the journal; what is open continues."""
        self._runner.check_process()
        await self._runner.hold("you paused it; .resume() continues")
        return self

    async def resume(self, *, all_rows: bool = False) -> AsyncBatch:
        """Start what waits.

        Args:
            all_rows: also the rows beyond `limit`: the pilot was good.

        Raises:
            BudgetExceeded: nothing limits what that may cost.
        """
        runner = self._runner
        runner.check_process()
        if all_rows:
            check_caps(runner.plan.items, runner.plan.budget)
        await runner.resume(all_rows=all_rows)
        return self

    async def retry(
        self, phase: str | Iterable[str] = "failed", *, take: int | str = 2, rows: Any = None
    ) -> AsyncBatch:
        """Start another take of the rows in a phase, once: the same call again starts nothing.

        In a batch that is paused only these are started; all others still wait for `.resume()`.

        Args:
            phase: `"failed"`, or several of them.
            take: which take that is; a third try of a row is `take=3`.
            rows: only these: labels, a mask, or a slice of `.frame()`.
        """
        runner = self._runner
        runner.check_process()
        phases, label, attached = phases_of(phase), runner.take_label(take), runner.attached
        positions = None if rows is None else positions_of(runner.plan.rows, rows, runner.jobs)
        chosen = await runner.retry(phases, label, positions)
        line = display.retry_line(runner, label, chosen, runner.attached - attached, phases)
        self.notice = runner.last_action = self._words(line)
        runner.is_last_action_passing = True
        return self

    async def send(
        self, rows: Any, text: str, attach: Any = None, *, again: bool = False, raw: bool = False
    ) -> AsyncBatch:
        """Send a message to the sessions of many rows, once each; `{{ row… }}` is filled in for each row.

        Args:
            rows: labels, a mask, a slice of `.frame()`, `.questions`, or sessions.
            text: the message.
            attach: a path, URL, DataFrame, bytes or `(name, content)`, or a list of them.
            again: send it even if it was already sent.
            raw: send the text as it is.

        Raises:
            TemplateError: it cannot be filled in for one of the rows; nothing was sent.
            DevinError: every message was refused.
        """
        check_message(text)
        runner = self._runner
        runner.check_process()
        table = runner.plan.rows
        positions = positions_of(table, rows, runner.jobs)
        jobs = [job for job in runner.jobs if positions & set(job.item.positions)]
        texts = [text for _ in jobs]
        if "{{" in text and not raw:
            texts = [render(text, {"row": table.template_value(job.item.positions[0])}) for job in jobs]
        is_pair = isinstance(attach, tuple) and len(attach) == 2 and isinstance(attach[0], str)
        items = attach if isinstance(attach, (list, tuple)) and not is_pair else [attach]
        with in_python():
            files = await asyncio.to_thread(read_attachments, [item for item in items if item is not None], {})
        results = await runner.send(jobs, texts, files, again=again)
        columns = dict.fromkeys(table.columns if table.is_table else ())
        around = {name: value for name, value in names_of_caller().items() if name not in (*columns, "row")}
        ways: list[tuple[Mapping[str, Any], str]] = [(columns, "{{ row.%s }}"), ({"row": None}, "{{ %s }}")]
        ways.append((around, IN_PYTHON if "{{" not in text else '.replace("{%s}", …)'))
        notes = [note for names, way in ways for note in ([] if raw else not_filled_in(text, {}, names, way))]
        line = "; ".join([display.action_line(results, runner.plan), *dict.fromkeys(notes)])
        self.notice = runner.last_action = line
        return self

    async def review(self, *, limit: int | None = None, take: str | int | None = None) -> AsyncBatch:
        """Request Devin's review of the open pull requests of all rows, once each; a repeated call shows their state.

        Reviews cost ACUs, and the service does not say how many: more than ten need a `limit`. `.frame` has the state
        of each row's reviews in `review_status`. v3 only.

        Args:
            limit: at most this many, in the order of the rows.
            take: further reviews, of newer commits for example: `"2"`.

        Raises:
            OptionError: more than ten pull requests without a limit; nothing was sent.
            BudgetExceeded: the batch or its notebook has a budget, which what a review costs cannot be counted in.
            DevinError: every review was refused.
        """
        runner = self._runner
        runner.check_process()
        wanted = runner.open_pull_requests()
        most = at_most(limit)
        if most is None and len(wanted) > _MOST_REVIEWS:
            raise OptionError(
                f"there are {len(wanted)} open pull requests, and each review costs ACUs",
                "nothing was sent and nothing was paid",
                f"give limit={len(wanted)} for all of them, or fewer",
            )
        results = await runner.review(dict(list(wanted.items())[:most]), take)
        self.notice = display.action_line(results, runner.plan) if results else "no pull request is open"
        return self

    async def stop(self) -> AsyncBatch:
        """Stop starting rows, and terminate every session whose turn is open; finished sessions are kept."""
        self._runner.check_process()
        results = await self._runner.stop("stopped; .resume() starts waiting rows")
        self.notice = self._runner.last_action = display.action_line(results, self._runner.plan)
        return self


class Batch(BatchView[Session], Blocking[AsyncBatch]):
    """Many Devin sessions from one template.

        upgrade = dj.map("Upgrade {{ row.repo }} to Python 3.13", repos, repos=["{{ row.repo }}"], max_acu=5)
        upgrade.wait()                                  # one line of progress; Ctrl-C leaves all running
        upgrade.frame()                                 # inputs, answers, phases and costs, a row per row
        upgrade.send(upgrade.questions, "Use the LTS")  # answers everybody who asked
        upgrade.retry(phase="failed")                   # take 2 of those rows, once

    `.phase_counts` counts rows: by phase, `waiting` for those not started yet, `refused` for those that could not be.
    """

    __module__ = "devin_jupyter"

    def __init__(self, asynchronous: AsyncBatch) -> None:
        BatchView.__init__(self)
        Blocking.__init__(self, asynchronous)
        self._runner = asynchronous._runner

    @property
    def aio(self) -> AsyncBatch:
        """The batch with coroutine methods."""
        return self._async

    @property
    def notice(self) -> str | None:  # type: ignore[override]  # set by the actions of the async twin
        """A line worth printing: how many were started, how many were there already."""
        return self._async.notice

    def add_notice(self, line: str) -> None:
        """Add to `.notice`."""
        self._async.add_notice(line)

    def _new_handle(self, job: Job) -> Session:
        return Session(self._async.session_of(job))

    def wait(self, timeout: float | str | None = None, *, on_interrupt: str = "detach", quiet: bool = False) -> Batch:
        """Block until nothing is left to do, or the time-out, showing one line of progress; return the batch.

        Ctrl-C returns at once: what is open continues, and what waits is still started.

        Args:
            timeout: seconds, or a text such as "30m"; None waits as long as it takes.
            on_interrupt: `"stop"` stops everything on Ctrl-C.
            quiet: show no line.

        Raises:
            Detached: interrupted (a KeyboardInterrupt).
        """
        self._runner.check_process()
        line = None if quiet or not display.is_watched() else display.StatusLine()
        waiting = loop.submit(self._async.wait(timeout))
        try:
            for _ in loop.slices(waiting):
                if line is not None:
                    line.show(display.progress_line(self.name, self.tally, self._runner.notice))
            waiting.result()
        except KeyboardInterrupt:
            if on_interrupt == "stop":
                self.stop()
            raise Detached(*display.detached(self._runner, stopped=on_interrupt == "stop")) from None
        finally:
            waiting.cancel()
            if line is not None:
                line.finish(display.progress_line(self.name, self.tally, self._runner.notice))
        return self

    def __await__(self) -> Generator[Any, None, Batch]:
        return _awaited(self, lambda: asyncio.wrap_future(loop.submit(self._async.wait()))).__await__()

    pause = fluent(AsyncBatch.pause)
    resume = fluent(AsyncBatch.resume)
    retry = fluent(AsyncBatch.retry)
    send = fluent(AsyncBatch.send)
    review = fluent(AsyncBatch.review, guard=lambda _: completing_requests())
    stop = fluent(AsyncBatch.stop)


async def _awaited(batch: V, wait: Callable[[], Awaitable[Any]]) -> V:
    """Wait in the caller's loop, which stays free; cancelling detaches, the sessions continue."""
    future = asyncio.ensure_future(wait())
    try:
        with cancel_on_interrupt():
            while not (await asyncio.wait([future], timeout=SLICE_SECONDS))[0]:  # an interrupt is noticed in between
                pass
    except asyncio.CancelledError:
        raise DetachedAwait(*display.detached(batch._runner, stopped=False)) from None
    finally:
        future.cancel()
    future.result()
    return batch


# --- what clients and the magic call ------------------------------------------------------------------------

_ELSEWHERE = {
    "dry_run": "%%devin --each NAME --dry-run shows what a batch would do",
    "help": "see help(dj.map), or %devin help in a notebook",
    "each": "the rows are the second argument: map(prompt, rows, …)",
}


def request_of(prompt: str, rows: Any, options: Mapping[str, Any]) -> BatchRequest:
    """Return the request of a call of `map`.

    Raises:
        OptionError: an option that is not valid.
    """
    for name in sorted(options.keys() & _ELSEWHERE.keys()):
        raise OptionError(f"map has no {name}", hint=_ELSEWHERE[name])
    if not isinstance(prompt, str):
        raise ArgumentError(f"the prompt is text, not {kind_of(prompt)}", "nothing was sent", "map(prompt, rows, …)")
    given = from_keywords(each=rows, **options)
    here = host()
    cell = CellRef(notebook=here.notebook, out=given.get("out"), execution=here.request)
    return BatchRequest(
        prompt=prompt, rows=rows, options=given, variables={}, cell=cell, around=names_of_caller(), is_call=True
    )


async def plan(core: Core, asked: BatchRequest) -> Plan:
    """Return the plan of a batch, every row checked: nothing is paid for and nothing is written down.

    Raises:
        UsageMistake: an option or a row that is not valid.
    """
    where = await where_of(core)
    return await asyncio.to_thread(plan_batch, asked, where)  # a thousand rows would block the loop


async def start(core: Core, asked: BatchRequest, planned: Plan | None = None) -> AsyncBatch:
    """Start a batch, or attach to the one that exists; returns as soon as that is known.

    Args:
        core: of the client.
        asked: what to run.
        planned: its plan, where it was made already.

    Raises:
        UsageMistake: an option or a row that is not valid; nothing was sent.
        Refused: a guard refused; nothing was paid.
        DevinError: the journal or the service refused; nothing was paid.
    """
    check_package()
    runner = await open_batch(core, asked, planned or await plan(core, asked))
    return AsyncBatch(runner, in_keywords if asked.is_call else str)


async def dry_run(core: Core, asked: BatchRequest, planned: Plan | None = None) -> Preview:
    """Return what `start` would do, every row checked: nothing is paid for and nothing is written down.

    Raises:
        UsageMistake: an option or a row that is not valid.
    """
    return await asyncio.to_thread(preview, core, asked, planned or await plan(core, asked))


async def find(core: Core, name: str) -> AsyncBatch:
    """Return the batch of this name, from the journal; nothing is started before `.resume()`.

    Raises:
        OptionError: the journal knows none.
    """
    return AsyncBatch(await find_batch(core, name, await where_of(core)))


def compare(one: BatchView[Any], other: BatchView[Any], on: str | list[str]) -> pd.DataFrame:
    """Return two batches side by side, a row per key, columns in pairs named after the batches.

    Args:
        one: a batch.
        other: another one over the same kind of rows.
        on: the input column or columns that identify a row.

    Raises:
        OptionError: a column that one of them does not have.
    """
    keys = [on] if isinstance(on, str) else list(on)
    if not keys:
        raise OptionError("on= names no column", hint="on= names an input column of both")
    names = (one.name, other.name) if one.name != other.name else (f"{one.name}_1", f"{other.name}_2")
    left, right = (batch.frame().reset_index(drop=True) for batch in (one, other))
    for batch, table in ((one, left), (other, right)):
        lacking = [key for key in keys if key not in table.columns]
        if lacking:
            raise OptionError(f"{batch.name} has no column {lacking[0]!r}", hint="on= names an input column of both")
    first, second = f"_{names[0]}", f"_{names[1]}"
    try:
        merged = left.merge(right, on=keys, how="outer", suffixes=(first, second))
    except ValueError as problem:
        raise OptionError(f"the two batches cannot be compared: {problem}", hint="give both the same type") from None
    for column in set(one.inputs) & set(other.inputs) - set(keys):
        # an input is the same on both sides, or on one only; where it differs, both are shown
        mine, theirs = merged[column + first], merged[column + second]
        both = mine.notna() & theirs.notna()
        if [plain(value) for value in mine[both]] == [plain(value) for value in theirs[both]]:
            merged[column] = merged.pop(column + first).combine_first(merged.pop(column + second))
    ordered = [column for column in (*keys, *one.inputs, *other.inputs) if column in merged.columns]
    for column in list(merged.columns):
        ordered.append(column)
        twin = column.removesuffix(first) + second
        if column.endswith(first) and twin in merged.columns:
            ordered.append(twin)
    return merged[list(dict.fromkeys(ordered))]
