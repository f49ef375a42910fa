"""Runs a batch on the loop: attaches to existing sessions, starts others as the gate allows, and follows them.

One kernel at a time starts the rows of a batch; it holds the batch's lease. The runner never pays itself: every
session comes from the creator, which attaches before it posts. It never prints.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any, Protocol

from devin_jupyter.batches.gate import FailureKind, Gate
from devin_jupyter.batches.jobs import BatchStats, Job, Stage, stats
from devin_jupyter.batches.plan import BatchRequest, Plan, has_name, name_of
from devin_jupyter.batches.record import (
    ChangedRow,
    check_plan,
    choose_key,
    complete,
    find_record,
    is_recorded,
    read_plan,
    restore_takes,
    save_record,
)
from devin_jupyter.errors import (
    ApiError,
    ConnectionTrouble,
    DevinError,
    Halted,
    JournalError,
    OptionError,
    Refused,
)
from devin_jupyter.idempotency.attach import CreateResult, replay
from devin_jupyter.idempotency.create import SWEPT_SECONDS
from devin_jupyter.idempotency.once import Attempt, Timing, lease
from devin_jupyter.loop import gather_limited
from devin_jupyter.models.enums import TURN_OVER, Phase
from devin_jupyter.models.snapshot import (
    CellRef,
    Policy,
    Snapshot,
    Where,
    batch_scope,
    notebook_scope,
    observe,
)
from devin_jupyter.monitor.store import Change
from devin_jupyter.request import Attachment
from devin_jupyter.session import AsyncSession, Core, open_session

logger = logging.getLogger("devin_jupyter.batches")

ATTACHED_AT_ONCE = 8
STARTED_AT_ONCE = 16
"""How many sessions are being started at a time, regardless of how many may be open: each start holds a lease."""
FOLLOW_SECONDS = 2.0
"""How often a kernel that follows another one looks for what that one started."""
_REFRESH_SECONDS = 5.0
"""Opening a batch waits no longer than this, in seconds, for news of its sessions."""
_UNFINISHED = (Phase.YOUR_TURN, Phase.NEEDS_APPROVAL, Phase.ASLEEP, Phase.BLOCKED)
_ENDED = ("exit", "error", "expired")

Listen = Callable[[Job], None]


class Board(Protocol):
    """What a batch needs of its board: the panel is above it."""

    anchor: str

    @property
    def is_shown(self) -> bool:
        """Whether it is in the notebook."""


@dataclass(frozen=True, slots=True)
class ActionResult:
    """How a message to one job's session, or stopping it, ended."""

    job: Job
    how: str
    """`sent`, `already`, `stopped`, or `failed`."""
    problem: DevinError | None = None


class Runner:
    """The jobs of one batch. Every method is for the loop's thread; attributes may be read anywhere."""

    def __init__(self, core: Core, plan: Plan, *, name: str, key: str, cell: CellRef | None, is_named: bool) -> None:
        """Start nothing yet.

        Args:
            core: of the client.
            plan: what to run.
            name: of the batch.
            key: of the batch in the journal.
            cell: the cell that runs it.
            is_named: whether a name or a cell tells it from other batches, rather than its content.
        """
        self.core, self.plan, self.name, self.key, self.cell = core, plan, name, key, cell
        self._is_named = is_named
        self.jobs = [Job(index, item) for index, item in enumerate(plan.items)]
        self.gate = Gate(plan.max_parallel, max_failures=plan.max_failures, max_median=plan.max_median)
        self.limit = plan.limit
        self.replays = None if core.settings.api_key else core.lock
        """The lock file that stands in for the service where there is no key."""
        self.started = self.attached = 0
        """How many sessions this runner created, and to how many it attached."""
        self.began_at: float | None = None
        """When this runner started its first session, as Unix seconds."""
        self.board: Board | None = None
        """The newest board of this batch."""
        self.ended_at: float | None = None
        """When the last turn ended here, as Unix seconds."""
        self.last_action: str | None = None
        """What the last retry, message or stop did; that of a retry is dropped once a turn has ended after it."""
        self.is_last_action_passing = False
        self.unseen = 0
        """Attached sessions that could not be read when the batch was opened."""
        self.reviews: dict[str, str] = {}
        """The state of the reviews of pull requests, by URL, as last seen."""
        self.costs: dict[str, float | None] = {}
        """The ACUs of every session that the batch ever had, whichever take, by session id; None is unknown."""
        self.was_held = False
        """Whether opening it lifted a pause."""
        self._waiting = dict.fromkeys(self.jobs)
        self._is_in_order = True
        self._starting: set[Job] = set()
        self._open: set[Job] = set()
        self._running: set[Job] = set()
        self._listeners: list[Listen] = []
        self._by_session: dict[str, Job] = {}
        self._subscription = core.store.subscribe([], self._on_change)
        self._by_tag: dict[str, list[Mapping[str, Any]]] = {}
        self._look_again_at = 0.0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._leading: asyncio.Task[None] | None = None
        self._is_led_elsewhere = False
        self._followed_at = 0.0
        self._wake, self._none_starting = asyncio.Event(), asyncio.Event()
        self._pid = os.getpid()

    # --- what is known --------------------------------------------------------------------------------------

    @property
    def wanted(self) -> list[Job]:
        """The jobs to run: all of them, or the pilot."""
        return self.jobs[: self.limit]

    @property
    def is_running(self) -> bool:
        """Whether something is still to be started or to be waited for."""
        return self._leading is not None and not self._leading.done()

    @property
    def is_inherited(self) -> bool:
        """Whether this process was forked from the one that runs the batch."""
        return self._pid != os.getpid()

    @property
    def notice(self) -> str | None:
        """What a person should know about the pace; None when it is as asked."""
        if self.gate.paused is None and self._is_led_elsewhere and self.is_running:
            return "another kernel runs this batch; following it"
        return self.gate.notice

    @property
    def n_without_session(self) -> int:
        """How many of the wanted jobs wait or are being started."""
        return sum(job.stage in (Stage.WAITING, Stage.STARTING) for job in self.wanted)

    def stats(self) -> BatchStats:
        """Add everything up."""
        wanted = len(self.jobs) if self.limit is None else self.limit
        return stats(
            self.jobs,
            dict(self.costs),
            rows=len(self.plan.rows),
            wanted=wanted,
            parallel=self.gate.at_a_time,
            budget=self.plan.budget,
            now=time.monotonic(),
        )

    def listen(self, listener: Listen) -> Callable[[], None]:
        """Call a function with every job that changed; returns what ends that."""
        self._listeners.append(listener)

        def leave() -> None:
            with suppress(ValueError):
                self._listeners.remove(listener)

        return leave

    def handle(self, job: Job, cell: CellRef | None = None) -> AsyncSession:
        """Return a handle on the session of a job that has one.

        Args:
            job: of this batch.
            cell: the cell that its messages count for; by default the notebook's own.
        """
        assert job.state is not None
        schema, take = job.item.request.schema, job.take or job.item.request.take
        return AsyncSession(self.core, job.state, schema=schema, how=job.how, take=take, cell=cell)

    def check_process(self) -> None:
        """Refuse to work in a forked child, where the loop and its tasks are missing.

        Raises:
            OptionError: this process was forked from the one that runs the batch.
        """
        if self.is_inherited:
            raise OptionError(
                f"this process was forked from the one that runs the batch {self.name!r}",
                "the batch continues there; here it shows what was last seen",
                f"dj.batch({self.name!r}) makes a handle for this process",
            )

    # --- the life of the batch ------------------------------------------------------------------------------

    def run(self) -> None:
        """Start what waits, and continue until nothing is left to do. Calling it again changes nothing."""
        self._wake.set()
        if not self.is_running and not self._is_over():
            self._leading = asyncio.get_running_loop().create_task(
                self._run_as_leader(), name=f"devin-batch {self.key}"
            )
            self._leading.add_done_callback(self._task_ended)

    async def over(self) -> None:
        """Wait until every turn is over, and nothing waits or the batch is paused. Raises what stopped the runner."""
        while self._tasks or self.is_running:
            if self.is_running:
                assert self._leading is not None
                await asyncio.shield(self._leading)
            else:
                await asyncio.wait(self._tasks)

    async def retire(self) -> None:
        """End everything here without touching the sessions: a POST in flight still ends and is written down."""
        if self.is_inherited:  # its tasks belong to the parent's loop; kept, or Python would report them as lost
            _inherited.append(self)
            return
        tasks = [*self._tasks, *([self._leading] if self._leading else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._subscription.close()

    async def attach(self, *, sweep: bool = True) -> None:
        """Attach to existing sessions: of the journal and, with `sweep`, those that one search on the service finds."""
        known = await self._find([job for job in self.wanted if job.stage is Stage.WAITING], sweep=sweep)
        known = [job for job in known if job.stage is Stage.WAITING]  # the leader may have started one meanwhile
        for job in known:
            self._set_stage(job, Stage.STARTING)  # so that nothing else starts it meanwhile
        await gather_limited(partial(self._obtain, pays=False), known, limit=ATTACHED_AT_ONCE)
        for job in known:
            if job.is_open:
                self._spawn_row(job)
        self.unseen = await self._refresh(known)
        if used := [job.session_id for job in self.jobs if job.session_id]:
            await asyncio.to_thread(self._note_uses, used)

    def save(self) -> None:
        """Write down the rows and the takes that count by now. Blocks: for a worker thread."""
        journal, plan = self.core.journal, self.plan
        save_record(journal, self.key, self.name, plan, self.jobs, cell=self.cell, is_named=self._is_named)

    async def _run_as_leader(self) -> None:
        """Start what fits until nothing is left; while another kernel leads the batch, follow it."""

        def other_leads(_: str) -> None:
            self._is_led_elsewhere = True

        async def follow() -> None:
            if self._is_led_elsewhere and time.monotonic() - self._followed_at > FOLLOW_SECONDS:
                await self.attach(sweep=False)
                self._followed_at = time.monotonic()

        async with lease(self.core.journal, f"batch {self.key}", Attempt(Timing(), say=other_leads), unless=follow):
            self._is_led_elsewhere = False
            while not self._is_over():
                self._wake.clear()
                waits = next(self._startable(), None) is not None
                seconds_closed = self.gate.seconds_closed if waits else 0.0
                is_shut = seconds_closed or (self.gate.no_room and self._open)
                if waits and not is_shut and self.gate.at_a_time > len(self._open):
                    has_budget, is_held = await asyncio.to_thread(self._read_journal)
                    # under a budget one row at a time, or a later row could reserve what an earlier one needs
                    at_once = 1 if has_budget else STARTED_AT_ONCE
                    room = min(self.gate.at_a_time - len(self._open), at_once - len(self._starting))
                    if is_held is not None:
                        self.pause(is_held.message)
                    for job in list(islice(self._startable(), max(0, room))):
                        self._set_stage(job, Stage.STARTING)
                        self._spawn_row(job)
                with suppress(TimeoutError):  # not wait_for, which could swallow a cancellation on waking
                    async with asyncio.timeout(seconds_closed or None):
                        await self._wake.wait()

    def _is_over(self) -> bool:
        return not self._open and next(self._startable(), None) is None

    def _startable(self) -> Iterator[Job]:
        waiting = self._wanted_waiting()
        return waiting if self.gate.paused is None else (job for job in waiting if self.gate.lets_through(job))

    def _read_journal(self) -> tuple[bool, Halted | None]:
        """Whether the batch or its notebook has a budget, and what holds it in another kernel. For a worker thread."""
        journal = self.core.journal
        scopes = [batch_scope(self.key), *([notebook_scope(self.cell.notebook)] if self.cell else [])]
        try:
            journal.flags.refuse_if_held(self.key)
        except Halted as held:
            return journal.budgets.is_limited(scopes), held
        return journal.budgets.is_limited(scopes), None

    def _wanted_waiting(self) -> Iterator[Job]:
        """The waiting jobs in the order of their rows, retried ones last."""
        most = len(self.jobs) if self.limit is None else self.limit
        if not self._is_in_order:
            self._waiting = dict.fromkeys(sorted(self._waiting, key=lambda job: (job.take is not None, job.index)))
            self._is_in_order = True
        return (job for job in self._waiting if job.index < most)

    # --- the life of a row ----------------------------------------------------------------------------------

    async def _run_row(self, job: Job) -> None:
        """Take a row from its slot to the end of its turn. Runs again when a message reopens the turn."""
        try:
            if job.state is None:
                if not await self._obtain(job, pays=True):
                    return
                self._spawn(self._refresh([job]))  # it may be an existing session that has changed since
            while job.state is not None and job.is_open and job.state.snapshot.recorded is None:
                job.turn_began, job.turn_seconds = time.monotonic(), None
                if self.ended_at is not None and self.began_at is not None and not self._running - {job}:
                    self.began_at += time.time() - self.ended_at  # nothing ran in between
                    self.ended_at = None
                self._changed(job)
                snapshot = await self.core.store.turn_over(job.state)
                job.turn_seconds, job.turn_began = time.monotonic() - job.turn_began, None
                self.gate.turn_ended(snapshot)
                self._spawn(self._clean_up(job))
        except DevinError as problem:
            job.error, job.turn_began = problem, None
            if isinstance(problem, ApiError) and problem.error_code == "migrated_session":
                return  # it says nothing about the other rows
            self.gate.pause(f"{job.session_id} cannot be watched: {problem.message}")
        finally:
            self.ended_at = time.time()
            if self.is_last_action_passing:
                self.last_action, self.is_last_action_passing = None, False
            self._running.discard(job)
            self._changed(job)

    def _spawn_row(self, job: Job) -> None:
        if job not in self._running:
            self._running.add(job)
            self._spawn(self._run_row(job))

    def _on_change(self, change: Change) -> None:
        """Called when a session has changed: its turn may have ended, or a message may have opened another one."""
        if not isinstance(change, Snapshot):
            return
        job = self._by_session[change.session_id]
        self.note_cost(change.session_id, change.acus)
        if job.state is not None:
            job.error = None  # it could not be watched for a while
        self._changed(job)
        if change.phase not in TURN_OVER and job.error is None:
            self._spawn_row(job)  # it takes its slot without waiting: it is already working
            self.run()

    async def _obtain(self, job: Job, *, pays: bool) -> bool:
        """Get the session of a job: replayed, looked up, or from the creator. Returns whether it has one now.

        Args:
            job: at the stage `STARTING`.
            pays: whether a session may be created; else it is known that there is one.
        """
        options = self.plan
        try:
            policy = Policy(
                max_age=options.max_age,
                beside=options.has("beside"),
                guard=self.cell if pays else None,
                batch=self.key,
                by_tag=self._by_tag,
                look_again_at=self._look_again_at,
                refresh=False,
                is_patient=False,
            )
            started = await self._session_of(job, policy)
        except asyncio.CancelledError:
            self._set_stage(job, Stage.WAITING)
            raise
        except Exception as fault:  # no error may leave the row hanging
            is_fault = not isinstance(fault, DevinError)
            text = f"a fault in devin_jupyter: {type(fault).__name__}: {fault}"
            problem = DevinError(text) if is_fault else fault
            assert isinstance(problem, DevinError)
            kind = self.gate.start_failed(problem, is_alone=self._open <= {job})
            if kind is FailureKind.REFUSED:
                job.error = problem
            self._set_stage(job, Stage.REFUSED if kind is FailureKind.REFUSED else Stage.WAITING)
            return False
        self.started, self.attached = self.started + started.is_new, self.attached + (not started.is_new)
        if started.is_new:
            self.began_at = self.began_at or time.time()
            self.gate.start_worked()
        job.how, job.error = started.how, None
        job.state = self.core.store.track(started.record)
        self._by_session[job.state.session_id] = job
        self._subscription.add(job.state)
        self.note_cost(job.state.session_id, job.state.snapshot.acus)
        if job.state.snapshot.turn_over:
            self._spawn(self._clean_up(job))
        self._set_stage(job, Stage.STARTED)
        return True

    async def _session_of(self, job: Job, policy: Policy) -> CreateResult:
        if self.replays is not None:
            return replay(complete(job.item, job.take), self.replays)
        entry = None if job.item.is_complete else self.core.journal.session_for(*job.identity.texts)
        if entry is None:
            return await self.core.creator.start(complete(job.item, job.take), policy)
        # the journal could not keep the request whole: its session is looked up, and never created
        schema = job.item.request.schema
        opened = await open_session(self.core, entry.session_id, schema)
        return CreateResult(record=self.core.store.record(opened.id), how="attached", notice=opened.notice)

    async def _find(self, jobs: Sequence[Job], *, sweep: bool) -> list[Job]:
        """Return the jobs that have a session; the service is asked at most once for each of them."""
        if self.replays is not None:
            return list(jobs)
        by_identity = {job.identity.text: job for job in jobs}
        creator, max_age = self.core.creator, self.plan.max_age
        oldest = None if max_age is None else time.time() - max_age
        identities = [job.identity.texts for job in jobs]
        entries = await asyncio.to_thread(self.core.journal.sessions_for, identities, not_before=oldest)
        here = await creator.here(entries.values()) if entries else set()
        found = [by_identity[text] for text, entry in entries.items() if entry.session_id in here]
        rest = [job for job in jobs if job not in found]
        if not sweep or not rest:
            return found
        unasked = [job.identity for job in rest if job.identity.tag not in self._by_tag]
        if unasked:
            self._by_tag |= await creator.lookup.sweep(unasked)
            self._look_again_at = time.monotonic() + SWEPT_SECONDS
        if self.plan.has("max_age") or self.plan.has("beside"):
            return found  # what was found may not count: decided for each row when its turn comes
        return [*found, *(job for job in rest if self._by_tag[job.identity.tag])]

    async def _refresh(self, jobs: Sequence[Job]) -> int:
        """Read sessions again that waited for a person when last seen, and last messages that were never read.

        Someone may have answered them elsewhere. Never fails; slow reads continue in the background.

        Returns:
            How many stay as they were last seen because the service cannot be reached.
        """
        core = self.core
        asked: dict[str, Job] = {}
        for job in jobs:
            snapshot = job.snapshot
            if snapshot is None or snapshot.recorded is not None:
                continue
            if snapshot.phase in _UNFINISHED or _lacks_last_message(job):
                asked[snapshot.session_id] = job
        if not asked or not core.settings.api_key:
            return 0
        try:
            async with asyncio.timeout(_REFRESH_SECONDS):
                seen = await core.sessions.by_ids([*asked], retries=False)
        except TimeoutError:
            return len(asked)

        async def read(job: Job) -> None:
            assert job.state is not None
            with suppress(DevinError):
                await self.handle(job).refresh()

        changed = []
        for identifier, raw in seen.raws.items():
            job = asked[identifier]
            assert job.state is not None
            before = job.state.snapshot
            now = observe(raw, job.state.record, at=datetime.now(UTC))
            if (now.phase, now.updated_at) != (before.phase, before.updated_at) or _lacks_last_message(job):
                changed.append(job)
        if changed:
            reading = self._spawn(gather_limited(read, changed, limit=ATTACHED_AT_ONCE))
            await asyncio.wait([reading], timeout=_REFRESH_SECONDS)
        return sum(isinstance(problem, ConnectionTrouble) for problem in seen.problems.values())

    async def _clean_up(self, job: Job) -> None:
        """Archive or stop the session of a job that is done, as `--when-done` says. A failure is logged, not raised."""
        when_done, state = self.plan.when_done, job.state
        if state is None or when_done == "keep":
            return
        snapshot = state.snapshot
        is_clean = snapshot.is_archived if when_done == "archive" else snapshot.status in _ENDED
        if is_clean or snapshot.phase is not Phase.DONE or snapshot.recorded is not None:
            return
        try:
            session = self.handle(job)
            await (session.archive() if when_done == "archive" else session.stop())
        except DevinError as problem:  # the answer is there all the same, and the next run tries again
            logger.warning("%s: --when-done %s failed: %s", state.session_id, when_done, problem.message)
        self._changed(job)

    def _note_uses(self, session_ids: Sequence[str]) -> None:
        """Write down that sessions belong to the batch, whichever run created them: they count in its budget."""
        journal, cell = self.core.journal, self.cell
        journal.budgets.count(batch_scope(self.key), session_ids)
        if cell is not None:
            journal.use_many(session_ids, cell, now=time.time())

    def _set_stage(self, job: Job, stage: Stage) -> None:
        job.stage = stage
        self._changed(job)

    def note_cost(self, session_id: str, acus: float | None) -> None:
        """Record what a session has cost. The recorded cost never goes down."""
        before = self.costs.get(session_id)
        self.costs[session_id] = acus if before is None else max(before, acus or 0.0)

    def _changed(self, job: Job) -> None:
        # a thousand jobs change three thousand times, so nothing here goes through all of them
        if job.stage is Stage.WAITING and job not in self._waiting:
            self._waiting[job] = None
            self._is_in_order = False
        elif job.stage is not Stage.WAITING:
            self._waiting.pop(job, None)
        (self._starting.add if job.stage is Stage.STARTING else self._starting.discard)(job)
        (self._none_starting.clear if self._starting else self._none_starting.set)()
        # a row keeps its place until its end is counted, so that the gate has seen a failure before the next start
        (self._open.add if job in self._running or job.is_open else self._open.discard)(job)
        self._wake.set()
        self._tell(job)

    def _tell(self, job: Job) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(job)
            except Exception:  # a broken display must not stop the batch
                logger.exception("a listener of a batch failed")

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(self._task_ended)
        return task

    def _task_ended(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and (fault := task.exception()) is not None:
            self.pause(f"{type(fault).__name__}: {fault}")

    # --- actions --------------------------------------------------------------------------------------------

    def pause(self, why: str) -> None:
        """Start nothing more in this process; open turns continue."""
        self.gate.pause(why)
        self._wake.set()
        for job in self.jobs[:1]:  # what is shown of the batch has changed
            self._tell(job)

    async def hold(self, why: str) -> None:
        """Start nothing more, in no kernel that shares the journal; open turns continue."""
        self.pause(why)
        with suppress(JournalError):  # then at least this kernel starts nothing
            await asyncio.to_thread(self.core.journal.flags.hold, self.key, now=time.time())

    async def resume(self, *, all_rows: bool = False) -> None:
        """Start what waits, whichever kernel paused it; with `all_rows` also what is beyond `limit`."""
        await asyncio.to_thread(self.core.journal.flags.release, self.key)
        self.limit = None if all_rows else self.limit
        self.gate.resume()
        for job in self.jobs:
            if job.is_lost:
                job.error = None
                self._spawn_row(job)
                self._changed(job)
        self.run()
        for job in self.jobs[:1]:
            self._tell(job)

    async def retry(self, phases: Collection[str], take: str, rows: set[int] | None) -> list[Job]:
        """Start the wanted jobs in these phases again under another take, and return them.

        Jobs that have or had this take already are left alone, so that the same call again starts nothing. A job that
        could not be started has paid for nothing: it is tried again under the take it has.

        Args:
            phases: of the jobs.
            take: its label.
            rows: positions; None is all rows.
        """
        chosen = []
        for job in self.wanted:
            if rows is not None and not rows & set(job.item.positions):
                continue
            if job.phase not in phases or take in (job.take, *job.tried) or job.is_open:
                continue
            is_refused = job.stage is Stage.REFUSED
            if not is_refused:
                job.identity_of_take = complete(job.item, take).fingerprint(self.plan.where)
            if job.session_id is not None:
                self._subscription.discard(job.session_id)
            job.reset(None if is_refused else take)
            self._changed(job)
            chosen.append(job)
        if chosen:
            await asyncio.to_thread(self.save)
            await self.attach()
            await asyncio.to_thread(self.core.journal.flags.release, self.key)
            self.gate.retry(chosen)
            self.run()
        return chosen

    def take_label(self, take: int | str) -> str:
        """Return the label of a take, which continues the batch's own `--take`.

        Raises:
            OptionError: it is no label, or it is the first take, which the rows have.
        """
        if isinstance(take, bool) or not isinstance(take, (int, str)) or str(take).strip() in ("", "0", "1"):
            raise OptionError(f"a retry cannot be take {take!r}", hint="take=3 is a third try of a row")
        own = next((job.item.request.take for job in self.jobs if job.item.request.take), None)
        return f"{own}-{take}" if own else str(take)

    async def send(
        self, jobs: Sequence[Job], texts: Sequence[str], files: Sequence[Attachment], *, again: bool
    ) -> list[ActionResult]:
        """Send each job's session its message, once; turns that open count like any other."""

        async def one(pair: tuple[Job, str]) -> ActionResult:
            job, text = pair
            if job.state is None:
                hint = ".resume() starts waiting rows"
                return ActionResult(job, "failed", OptionError(f"it has no session, it is {job.phase}", hint=hint))
            try:
                how = await self.handle(job, cell=self.cell)._deliver(text, files, again=again)
            except DevinError as problem:
                return ActionResult(job, "failed", problem)
            return ActionResult(job, how)

        return await gather_limited(one, zip(jobs, texts, strict=True), limit=ATTACHED_AT_ONCE)

    def open_pull_requests(self) -> dict[str, Job]:
        """Return the pull requests that are open, or whose state is unknown, each with its job."""
        found: dict[str, Job] = {}
        for job in self.jobs:
            for pull in job.snapshot.pull_requests if job.snapshot else ():
                if pull.state in ("open", None):
                    found.setdefault(pull.url, job)
        return found

    async def review(self, pull_requests: Mapping[str, Job], take: str | int | None) -> list[ActionResult]:
        """Request the review of each pull request, once."""
        notebook = self.cell.notebook if self.cell else None

        async def one(pair: tuple[str, Job]) -> ActionResult:
            url, job = pair
            try:
                own = batch_scope(self.key)
                review = await self.core.reviewer.review(url, take=take, notebook=notebook, batch=own)
            except DevinError as problem:
                return ActionResult(job, "failed", problem)
            self.reviews[url] = review.status
            return ActionResult(job, "attached" if review.how == "attached" else "requested")

        return await gather_limited(one, pull_requests.items(), limit=ATTACHED_AT_ONCE)

    async def stop(self, why: str) -> list[ActionResult]:
        """Stop starting rows and terminate every session whose turn is open; finished sessions are kept."""
        await self.hold(why)
        while self._starting:
            await self._none_starting.wait()
        if self.replays is None:
            await self.attach(sweep=False)  # to what another kernel started meanwhile

        async def one(job: Job) -> ActionResult:
            assert job.state is not None
            try:
                await self.handle(job).stop()
            except DevinError as problem:
                return ActionResult(job, "failed", problem)
            return ActionResult(job, "stopped")

        still_open = [job for job in self.jobs if job.is_open or job.is_lost]
        return await gather_limited(one, still_open, limit=ATTACHED_AT_ONCE)


_inherited: list[Runner] = []


def _lacks_last_message(job: Job) -> bool:
    """Whether the last message matters, as the question or as the answer, and was never read."""
    snapshot = job.snapshot
    if snapshot is None or not snapshot.turn_over or snapshot.last_word is not None:
        return False
    return snapshot.phase in _UNFINISHED or job.item.request.schema is None


# --- opening ------------------------------------------------------------------------------------------------


async def open_batch(core: Core, asked: BatchRequest, plan: Plan) -> Runner:
    """Check a plan against the journal, record it, attach to existing sessions, and start waiting rows.

    Nothing is paid for before every check has passed. A table without rows, as a filter may leave it, makes an empty
    batch that is over; nothing is written down, and a batch of that name stays as it is.

    Raises:
        SessionChanged: the template was edited over rows that are answered.
        BudgetExceeded: nothing limits what it may cost.
        DevinError: the journal or the service refused; nothing was paid.
    """
    name, cell = name_of(plan), asked.cell
    key = await asyncio.to_thread(choose_key, core.journal, plan, name, cell)
    kept = await asyncio.to_thread(check_plan, core.journal, plan, key, cell, core.recordings)
    if not plan.items:
        return Runner(core, plan, name=name, key=key, cell=cell, is_named=has_name(plan, cell))
    before = core.running.pop(key, None)  # a plan that is refused leaves it alone
    if isinstance(before, Runner):
        before.pause("the batch was run again, and the new run continues it")
        await before.retire()
    await gather_limited(partial(_keep_answer, core, key, plan.where), kept, limit=ATTACHED_AT_ONCE)
    runner = Runner(core, plan, name=name, key=key, cell=cell, is_named=has_name(plan, cell))
    record = await asyncio.to_thread(core.journal.batches.load, key)
    if record is not None:
        restore_takes(runner.jobs, record, plan.where)
    await asyncio.to_thread(runner.save)
    runner.was_held = await asyncio.to_thread(core.journal.flags.release, key)
    await _begin(runner)
    return runner


async def _keep_answer(core: Core, key: str, where: Where, change: ChangedRow) -> None:
    """Give the session of a row that kept its key the identity of the changed row."""
    request, mine, paid = change.item.request, change.item.fingerprint, change.paid
    base = mine if request.take is None else request.but(take=None).fingerprint(where)
    facts = request.facts(mine, base, where, Policy(batch=key))
    if facts.tag and core.creator.is_tagging:
        await core.tags.append(paid.session_id, [facts.tag])
    remember = partial(core.journal.remember, how="attached", started_at=paid.started_at, now=time.time())
    await asyncio.to_thread(remember, paid.session_id, facts)


async def find_batch(core: Core, name: str, where: Where) -> Runner:
    """Return the batch with this name; nothing is started before `resume`.

    Raises:
        OptionError: the journal knows no such batch.
    """
    key, record = await asyncio.to_thread(find_record, core.journal, name, where)
    running = core.running.get(key)
    if isinstance(running, Runner) and not running.is_inherited:
        return running
    plan, is_named = await asyncio.to_thread(read_plan, record, where), record.get("is_named", True)
    runner = Runner(core, plan, name=record["name"], key=key, cell=None, is_named=is_named)
    restore_takes(runner.jobs, record, where)
    runner.pause("opened by name; .resume() starts waiting rows")
    await _begin(runner)
    if next(runner._wanted_waiting(), None) is None:
        runner.gate.paused = None
    return runner


async def _begin(runner: Runner) -> None:
    runner.core.running[runner.key] = runner
    paid = await asyncio.to_thread(runner.core.journal.budgets.costs, batch_scope(runner.key))
    for session_id, acus in [*paid.items(), *(cost for job in runner.jobs for cost in job.earlier.items())]:
        runner.note_cost(session_id, acus)
    await runner.attach()
    runner.run()


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What opening a batch would do, for a dry run."""

    plan: Plan
    n_known: int
    """How many of the wanted sessions are in the journal, and would be attached to."""
    n_recorded: int
    """How many of the others are in a lock file, and would be replayed."""
    refusal: Refused | None
    """Why it would be refused, or None."""


def preview(core: Core, asked: BatchRequest, plan: Plan) -> Preview:
    """Return what opening would do, from the journal alone: nothing is sent, nothing is written."""
    refusal, kept = None, list[ChangedRow]()
    try:
        key = choose_key(core.journal, plan, name_of(plan), asked.cell)
        kept = check_plan(core.journal, plan, key, asked.cell, core.recordings)
    except Refused as problem:
        refusal = problem
    wanted = {item.fingerprint.text: item for item in plan.wanted}
    known = core.journal.sessions_for([item.fingerprint.texts for item in plan.wanted])
    found = known.keys() | {change.item.fingerprint.text for change in kept}
    n_recorded = sum(is_recorded(core.recordings, item) for text, item in wanted.items() if text not in found)
    return Preview(plan=plan, n_known=len(found & wanted.keys()), n_recorded=n_recorded, refusal=refusal)


async def where_of(core: Core) -> Where:
    """Return where the requests of a client go, asking for the organization if need be."""
    settings = core.settings
    if not settings.api_key:  # replaying a lock file, which matches on the request, wherever it was sent
        return Where(settings.base_url, settings.org_id, settings.api_version)
    return await core.where()
