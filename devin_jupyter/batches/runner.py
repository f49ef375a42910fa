"""Runs a batch on the loop: attaches what there is, starts what fits, follows every open turn, and stops in time.

One runner at a time drives a batch, whichever kernels know it. It pays for nothing itself: every start goes through
the creator, which attaches before it posts. It never prints.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice

from devin_jupyter.batches.attending import look_again
from devin_jupyter.batches.brakes import FAILURES_IN_A_ROW, StopLoss, Throttle
from devin_jupyter.batches.finding import Finder
from devin_jupyter.batches.job import Job, Stage, Tally, tally
from devin_jupyter.batches.leading import Lead
from devin_jupyter.batches.plan import Plan
from devin_jupyter.batches.record import complete
from devin_jupyter.batches.roster import Roster
from devin_jupyter.batches.setbacks import Setback, setback_of
from devin_jupyter.batches.starting import note_uses, policy_for, start
from devin_jupyter.batches.tidying import put_away
from devin_jupyter.batches.work import Work
from devin_jupyter.client.core import Core
from devin_jupyter.creation import Started
from devin_jupyter.errors import DevinError
from devin_jupyter.models.snapshot import CellRef, Snapshot
from devin_jupyter.monitor.store import Change
from devin_jupyter.request import fingerprint

AT_ONCE = 8
"""So many sessions are attached to at a time; attaching costs nothing."""
STARTS_AT_ONCE = 16
"""So many sessions are being started at a time, however many may be open: each start holds a lease while it lasts."""
AWAY_TIMES = 6
"""After so many tries in a row the service counts as away."""


class Runner:
    """The jobs of one batch, and the task that moves them on. Every method is for the loop's thread."""

    def __init__(self, core: Core, plan: Plan, *, key: str, cell: CellRef | None = None) -> None:
        """Start nothing yet.

        Args:
            core: the client.
            plan: what shall be run.
            key: what the journal calls the batch.
            cell: the cell that asks.
        """
        self.core, self.plan, self.key, self.cell = core, plan, key, cell
        self.finder = Finder(core, plan)
        self.roster = Roster([Job(index, item) for index, item in enumerate(plan.items)])
        self.limit = plan.limit
        self.paused: str | None = None
        """Why nothing more is started but what a retry chose, or None."""
        self._retried: set[Job] = set()
        self.started = 0
        """Sessions that this runner paid for."""
        self.attached = self.unseen = 0
        """Sessions that were there, and how many of them could not be looked at when it opened."""
        self.brakes = StopLoss(plan.max_failures or FAILURES_IN_A_ROW, plan.max_median)
        self.throttle = Throttle(plan.max_parallel, clock=time.monotonic)
        self._lead = Lead(core.journal, key, partial(self.attach, sweep=False))
        self.no_room: str | None = None
        """Why the budget holds no further session now, or None."""
        self._own = Work(self._faulted)

    @property
    def jobs(self) -> list[Job]:
        """One for each item of the plan."""
        return self.roster.jobs

    @property
    def wanted(self) -> list[Job]:
        """The jobs to be run: all of them, or the pilot."""
        return self.jobs[: self.limit]

    @property
    def is_driving(self) -> bool:
        """Whether something is still to be started or to be waited for."""
        return self._work.is_driving or (self._work.is_left_behind and not self._is_over())

    @property
    def notice(self) -> str | None:
        """What the person should know about the pace, or None when all is as asked."""
        if self.paused is not None:
            return f"paused: {self.paused}"
        if self._lead.is_elsewhere and self.is_driving:
            return "another kernel runs this batch; following it"
        return self.no_room or self.throttle.notice

    def tally(self) -> Tally:
        """Add everything up."""
        limit = len(self.jobs) if self.limit is None else self.limit
        now, parallel = time.monotonic(), self.throttle.at_a_time
        return tally(self.jobs, rows=len(self.plan.rows), wanted=limit, parallel=parallel, now=now)

    async def attach(self, *, sweep: bool = True) -> None:
        """Find the sessions that there are already: in the journal, and with one sweep over the service."""
        waiting = [job for job in self.wanted if job.stage is Stage.WAITING]
        known = await self.finder.known(waiting, sweep=sweep)
        turns = asyncio.Semaphore(AT_ONCE)

        for job in known:
            job.stage = Stage.STARTING  # nobody else may start it meanwhile
            self.roster.note(job)

        async def attach(job: Job) -> None:
            async with turns:
                await self._begin(job, pays=False)

        await asyncio.gather(*map(attach, known))
        self.unseen = await look_again(self.core, known, self._work.spawn)
        if used := [job.session_id for job in self.jobs if job.session_id]:
            await asyncio.to_thread(note_uses, self.core.journal, self.key, self.cell, used)

    def go(self) -> None:
        """Start what waits, and go on until nothing is left to do; harmless while it is under way."""
        work = self._work
        work.wake.set()
        if work.is_driving or self._is_over():
            return
        for job in [*self.roster.open] if work.is_left_behind else ():
            work.spawn(self._watch(job))
        work.drive(self._drive(), name=f"devin-batch {self.key}")

    async def over(self) -> None:
        """Wait until nothing is left to do: every turn is over, and nothing waits or the batch is paused."""
        if self._work.is_left_behind:
            self.go()
        await self._work.over()

    def pause(self, why: str) -> None:
        """Start nothing more; open turns go on."""
        self.paused = why if self._retried else self.paused or why  # what ended a retry is newer than what was before
        self._retried.clear()
        self._work.wake.set()

    def retry(self, jobs: Iterable[Job]) -> None:
        """Start these again; what waits besides is started only where nothing is paused."""
        self._retried.update(jobs)
        self._let_loose()
        self.go()

    def resume(self) -> None:
        """Lift a pause and start what waits."""
        self.paused = None
        self._retried.clear()
        self._let_loose()
        for job in self.jobs:
            if job.is_lost and job.snapshot is not None:
                job.error = None
                self._seen(job, job.snapshot)
        self.go()

    def _let_loose(self) -> None:
        self.no_room = None
        self.brakes.reset()
        self.throttle.reset()

    async def starts_settled(self) -> None:
        """Wait until no start is under way."""
        while self._work.starts:
            await asyncio.wait(self._work.starts)

    async def retire(self) -> None:
        """Let go of the batch without touching its sessions: a POST in flight still ends and is written down."""
        await self._work.cancel()
        for job in self.jobs:
            if job.let_go is not None:
                job.let_go()

    def again(self, job: Job, take: str | None = None) -> None:
        """Put a job back in the queue, under another take if one is given."""
        if take is not None:
            job.identity_of_take = fingerprint(complete(job.item, take), self.plan.where)
        job.put_back(take)
        self.roster.note(job)

    @property
    def _work(self) -> Work:
        """In a forked child begin anew: the parent goes on with what it was starting."""
        if not self._own.is_here:
            self._own = Work(self._faulted, self._own)
            for job in self.jobs:
                job.stage = Stage.WAITING if job.stage is Stage.STARTING else job.stage
                self.roster.note(job)
        return self._own

    async def _drive(self) -> None:
        """Start what fits until nothing is left; while another kernel leads the batch, follow it."""
        wake = self._work.wake
        async with self._lead.held():
            while not self._is_over():
                wake.clear()
                self._fill()
                with suppress(TimeoutError):  # not wait_for, which would swallow a cancellation at the moment of waking
                    async with asyncio.timeout(self.throttle.pause_seconds or None):
                        await wake.wait()

    def _is_over(self) -> bool:
        return not self.roster.open and next(self._startable(), None) is None

    def _startable(self) -> Iterator[Job]:
        waiting = self.roster.waiting(self.limit)
        return waiting if self.paused is None else (job for job in waiting if job in self._retried)

    def _fill(self) -> None:
        """Start as many as have room."""
        if self.throttle.pause_seconds or (self.no_room and self.roster.open):
            return
        room = min(self.throttle.at_a_time - len(self.roster.open), STARTS_AT_ONCE - len(self._work.starts))
        for job in list(islice(self._startable(), max(0, room))):
            job.stage = Stage.STARTING
            self.roster.note(job)
            self._work.start(self._begin(job, pays=True))

    async def _begin(self, job: Job, *, pays: bool) -> None:
        try:
            if pays:
                self.core.journal.flags.refuse_if_held(self.key)
            policy = policy_for(self.plan.options, self.key, self.cell if pays else None, self.finder.swept)
            started = await start(self.core, self.finder, job, policy)
        except DevinError as problem:
            self._set_back(job, problem)
        except Exception as fault:  # whatever it is, it must not leave the row hanging
            self._set_back(job, DevinError(f"a fault in devin_jupyter: {type(fault).__name__}: {fault}"))
        except asyncio.CancelledError:
            job.stage = Stage.WAITING
            self.roster.note(job)
            raise
        else:
            self._took(job, started)
            if pays:  # it may have been there all the same, and be over
                self._work.spawn(look_again(self.core, [job], self._work.spawn))
        self._work.wake.set()

    def _took(self, job: Job, started: Started) -> None:
        job.stage, job.how, job.error = Stage.STARTED, started.how, None
        job.state = self.core.store.track(started.record)
        is_new = started.how in ("created", "adopted")
        self.started, self.attached = self.started + is_new, self.attached + (not is_new)
        if is_new:
            self.throttle.went_well()
            self.no_room = None
        job.let_go = self.core.store.subscribe([job.state], partial(self._changed, job)).close
        if job.state.snapshot.turn_over:
            self._work.spawn(self._put_away(job))
        self._seen(job, job.state.snapshot)

    def _set_back(self, job: Job, problem: DevinError) -> None:
        kind = setback_of(problem)
        job.stage = Stage.REFUSED if kind is Setback.REFUSED else Stage.WAITING
        if kind is Setback.REFUSED:
            job.error = problem
            self._pause_if(self.brakes.refused(problem.message))
        elif kind is Setback.PAUSE:
            self.pause(problem.message)
        elif kind is Setback.NO_ROOM:
            self.no_room = f"waiting for room in the budget: {problem.message}"
            if self.roster.open <= {job}:
                self.pause(problem.message)
        else:
            self.throttle.slow_down(problem.message, getattr(problem, "retry_after", None))
            is_away = kind is Setback.AWAY and self.throttle.streak >= AWAY_TIMES
            self._pause_if(f"{problem.message} ({AWAY_TIMES} times)" if is_away else None)
        self.roster.note(job)

    def _changed(self, job: Job, change: Change) -> None:
        if isinstance(change, Snapshot):
            self._seen(job, change)

    def _seen(self, job: Job, snapshot: Snapshot) -> None:
        """A session looks different: its turn may have ended, or a message may have opened another."""
        if not snapshot.turn_over and job.began is None:
            job.began, job.lasted = time.monotonic(), None
            self.roster.note(job)
            self._work.spawn(self._watch(job))
            self.go()
            return
        if snapshot.turn_over and job.began is not None:
            job.lasted, job.began = time.monotonic() - job.began, None
            self.no_room = None
            self._pause_if(self.brakes.ended(snapshot))
            self._work.spawn(self._put_away(job))
        self.roster.note(job)
        self._work.wake.set()

    async def _watch(self, job: Job) -> None:
        """Notice when an open turn cannot be watched any more."""
        assert job.state is not None
        try:
            await self.core.wait(job.state)
        except DevinError as problem:
            job.error, job.began = problem, None
            self.pause(f"{job.session_id} cannot be watched: {problem.message}")
            self.roster.note(job)

    async def _put_away(self, job: Job) -> None:
        await put_away(self.core, job, self.plan.options.get("when_done") or "keep")
        self.roster.note(job)

    def _pause_if(self, why: str | None) -> None:
        if why is not None:
            self.pause(why)

    def _faulted(self, fault: BaseException) -> None:
        """The batch pauses over a fault, and `over` raises it."""
        self.pause(f"{type(fault).__name__}: {fault}")
