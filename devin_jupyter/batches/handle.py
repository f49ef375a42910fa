"""`Batch`: the handle on many sessions that came from one template, one a row.

Attributes never ask the service; methods do. The work itself goes on in the background, led by the process that
started it; another one takes over by running the same cell, or with `dj.batch(name).resume()`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from devin_jupyter.batches import acts, opening, showing, waiting
from devin_jupyter.batches.acting import Acting
from devin_jupyter.batches.job import Job, Tally
from devin_jupyter.batches.runner import Runner
from devin_jupyter.batches.table import batch_frame
from devin_jupyter.errors import Detached, DetachedAwait, OptionError
from devin_jupyter.session import AsyncSession, Session

if TYPE_CHECKING:
    import pandas as pd

    from devin_jupyter.panel import BatchPanel

T = TypeVar("T")


class Batch:
    """Many Devin sessions from one template.

        upgrade = dj.map("Upgrade {{ row.repo }} to Python 3.13", repos, repos=["{{ row.repo }}"], max_acu=5)
        upgrade.wait()                                  # one line of progress; Ctrl-C leaves all running
        upgrade.frame                                   # inputs, answers, phases and costs, a row per row
        upgrade.send(upgrade.questions, "Use the LTS")  # answers everybody who asked
        upgrade.retry(phase="failed")                   # take 2 of those rows, once

    `.phase_counts` counts rows: by phase, `waiting` for those not started yet, `refused` for those that could not be.
    """

    def __init__(self, opened: opening.Opened, bridge: Any = None) -> None:
        """Made by `map` and `batch`, not by hand."""
        self._opened, self._bridge = opened, bridge
        self._sessions: dict[str, Any] = {}
        self.name = opened.name
        """What `dj.batch(name)` finds it by."""
        self.notice: str | None = showing.opening_line(opened.runner, was_held=opened.was_held)
        """A line worth printing: how many were started, how many were there already."""

    # --- what was last seen ---------------------------------------------------------------------------------

    @property
    def sessions(self) -> list[Session]:
        """The sessions that there are, in the order of their rows; duplicates share one."""
        return [self._session(job) for job in self._runner.jobs if job.state is not None]

    @property
    def frame(self) -> pd.DataFrame:
        """A row per row at any time: input columns, output columns, session columns.

        `provisional` marks outputs of turns that are open; `phase` is `waiting` or `refused` without a session.
        """
        return batch_frame(self._runner.plan, self._runner.jobs)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The input columns of `.frame`."""
        return self._runner.plan.rows.columns

    @property
    def phase_counts(self) -> dict[str, int]:
        """How many rows are in which phase."""
        return dict(self.tally.counts)

    @property
    def questions(self) -> dict[Any, str]:
        """What Devin asks, by row label: the sessions that need a person."""
        plan = self._runner.plan
        asked = [(job, job.question) for job in self._runner.jobs]
        return {plan.labels(job.item)[0]: question for job, question in asked if question is not None}

    @property
    def acus(self) -> float:
        """ACUs consumed so far, as far as the service tells."""
        return self.tally.acus

    @property
    def paused(self) -> str | None:
        """Why nothing more is started; None while it goes on."""
        return self._runner.paused

    @property
    def tally(self) -> Tally:
        """All of it added up."""
        return self._runner.tally()

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do: every turn is over, and nothing waits or the batch is paused."""
        return not self._runner.is_driving

    def __len__(self) -> int:
        """Count the rows."""
        return len(self._runner.plan.rows)

    def __iter__(self) -> Iterator[Session]:
        """Go through the sessions."""
        return iter(self.sessions)

    def __getitem__(self, label: Any) -> Session:
        """Return the session of a row, by the label of the row."""
        positions = acts.positions_of(self._runner.plan.rows, [label], self._runner.jobs)
        job = self._runner.jobs[self._runner.plan.item_of_row[min(positions)]]
        if job.state is None:
            why = f": {job.error.message}" if job.error else ""
            raise OptionError(
                f"row {label!r} has no session, it is {job.phase}{why}", hint=".resume() starts what waits"
            )
        session: Session = self._session(job)
        return session

    # --- waiting --------------------------------------------------------------------------------------------

    def wait(self, timeout: float | str | None = None, *, on_interrupt: str = "detach", quiet: bool = False) -> Batch:
        """Block until nothing is left to do, or the time-out, showing one line of progress; return the batch.

        Ctrl-C returns at once: what is open goes on, and what waits is still started.

        Args:
            timeout: seconds, or a text such as "30m"; None waits as long as it takes.
            on_interrupt: `"stop"` stops everything on Ctrl-C.
            quiet: show no line.

        Raises:
            Detached: interrupted (a KeyboardInterrupt).
        """
        bridge = self._blocking()
        try:
            waiting.block(self.name, self._runner, bridge, timeout, quiet=quiet)
        except KeyboardInterrupt:
            if on_interrupt == "stop":
                self.stop()
            raise Detached(*showing.detached(self._runner, stopped=on_interrupt == "stop")) from None
        return self

    def check(self) -> Batch:
        """Return the batch if every row that was wanted came to an end, good or bad: for scripts, after `wait`.

        Raises:
            Refused: it is paused, and rows wait to be started.
            WaitTimeout: turns are still open.
            DevinError: not one row has an answer; what the first of them raises says why.
        """
        if (problem := showing.incomplete(self.name, self._runner)) is not None:
            raise problem
        return self

    def __await__(self) -> Generator[Any, None, Batch]:
        """Wait without blocking; cancelling detaches, the sessions go on."""
        return self._awaited().__await__()

    async def _awaited(self) -> Batch:
        try:
            await waiting.tick(self._runner, self._bridge)
        except asyncio.CancelledError:
            raise DetachedAwait(*showing.detached(self._runner, stopped=False)) from None
        return self

    # --- acting ---------------------------------------------------------------------------------------------

    def pause(self) -> Batch:
        """Start nothing more, here and in other kernels that share the journal; what is open goes on."""
        return self._run(Acting(self).pause())

    def resume(self, *, all_rows: bool = False) -> Batch:
        """Start what waits.

        Args:
            all_rows: also the rows beyond `limit`: the pilot was good.

        Raises:
            BudgetExceeded: nothing bounds what that may cost.
        """
        return self._run(Acting(self).resume(all_rows=all_rows))

    def retry(self, phase: str | Iterable[str] = "failed", *, take: int | str = 2, rows: Any = None) -> Batch:
        """Start another take of the rows in a phase, once: the same call again starts nothing.

        In a batch that is paused only these are started; all others wait on, for `.resume()`.

        Args:
            phase: `"failed"`, or several of them.
            take: which take that is; a third try of a row is `take=3`.
            rows: only these: labels, a mask, or a slice of `.frame`.
        """
        return self._run(Acting(self).retry(phase, take=take, rows=rows))

    def send(self, rows: Any, text: str, attach: Any = None, *, again: bool = False, raw: bool = False) -> Batch:
        """Send a message to the sessions of many rows, once each; `{{ row… }}` is filled in for each row.

        Args:
            rows: labels, a mask, a slice of `.frame`, `.questions`, or sessions.
            text: what to say.
            attach: a path, URL, DataFrame, bytes or `(name, content)`, or a list of them.
            again: send it though it was sent before.
            raw: send the text as it is.

        Raises:
            TemplateError: it cannot be filled in for one of the rows; nothing was sent.
            DevinError: every message was refused.
        """
        return self._run(Acting(self).send(rows, text, attach, again=again, raw=raw))

    def stop(self) -> Batch:
        """Start nothing more, and terminate every session whose turn is open; what is done stays done."""
        return self._run(Acting(self).stop())

    @property
    def aio(self) -> Acting:
        """The same acts as coroutines, for a batch of an `AsyncDevin`: `await batch.aio.stop()`.

        Raises:
            OptionError: it belongs to a client whose calls block, and lives on a loop of its own.
        """
        if self._bridge is not None:
            raise OptionError("this batch is no AsyncDevin's, its methods block", hint="batch.stop() without await")
        return Acting(self)

    # --- showing --------------------------------------------------------------------------------------------

    def panel(self) -> BatchPanel:
        """Return a live board of all rows."""
        return showing.panel(self)

    def listen(self, listener: Callable[[Job], None]) -> Callable[[], None]:
        """Have a function called on the loop's thread with every job that changed, until the returned one is called."""
        return self._runner.roster.listen(listener)

    def __repr__(self) -> str:
        """Show name, phases and cost: the same for the same state."""
        return f"<Batch {self.name} {len(self)} row{'' if len(self) == 1 else 's'}: {self.tally.text}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Mapping[str, Any]:
        return showing.bundle(self.name, self._runner)

    @property
    def _runner(self) -> Runner:
        return self._opened.runner

    def _session(self, job: Job) -> Any:
        assert job.state is not None
        known = self._sessions.get(job.state.session_id)
        if known is None or known.snapshot is not job.state.snapshot:
            schema, take = job.item.request.schema, job.take or job.item.request.take
            handle = AsyncSession(self._runner.core, job.state, schema=schema, how=job.how, take=take)
            known = self._sessions[handle.id] = handle if self._bridge is None else Session(handle)
        return known

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._bridge is None:
            work.close()
        result: T = self._blocking().run(work)
        return result

    def _blocking(self) -> Any:
        if self._bridge is None:
            raise OptionError(
                "this batch belongs to an AsyncDevin, whose loop must not be blocked",
                hint="`await batch` waits; await batch.aio.stop(), and so for pause, resume, retry and send",
            )
        return self._bridge
