"""The life of one item of a batch, and what all of them add up to. Plain state: no I/O, no loop, no clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median
from typing import TYPE_CHECKING

from devin_jupyter.batches.plan import Item
from devin_jupyter.errors import DevinError, TurnError
from devin_jupyter.models import batch_report as report
from devin_jupyter.models.phase import Phase
from devin_jupyter.models.snapshot import Snapshot
from devin_jupyter.request import Fingerprint
from devin_jupyter.session import answer_of

if TYPE_CHECKING:
    from devin_jupyter.monitor.store import WatchedSession


class Stage(StrEnum):
    """How far a row is, before the phase of its session says more."""

    WAITING = "waiting"
    """Not started yet."""
    STARTING = "starting"
    """Being started just now."""
    STARTED = "started"
    """It has a session."""
    REFUSED = "refused"
    """It could not be started; nothing was paid."""


@dataclass(eq=False, slots=True)
class Job:
    """One item on its way. Changed on the loop's thread only; other threads read."""

    index: int
    item: Item
    stage: Stage = Stage.WAITING
    take: str | None = None
    """The take that counts now; None is the one that the request says."""
    identity_of_take: Fingerprint | None = None
    """The identity that goes with that take."""
    how: str = ""
    """`created`, `attached`, `adopted` or `recorded`."""
    state: WatchedSession | None = None
    """Its session, shared with every handle on it."""
    error: DevinError | None = None
    """Why it was refused, or why its session cannot be watched."""
    earlier: dict[str, float | None] = field(default_factory=dict)
    """The sessions of earlier takes, and what each cost."""
    tried: set[str] = field(default_factory=set)
    """The labels of takes that counted before this one."""
    began: float | None = None
    """When its open turn was first seen here, on the batch's clock."""
    lasted: float | None = None
    """How many seconds that turn took, once it is over."""
    let_go: Callable[[], None] | None = None
    """Ends the runner's listening to the session."""

    def put_back(self, take: str | None) -> None:
        """Wait for a session again, under another take if one is given; what there was is remembered."""
        if self.state is not None:
            self.earlier[self.state.session_id] = self.state.snapshot.acus
        if self.let_go is not None:
            self.let_go()
        if take is not None:
            self.tried |= {self.take} if self.take else set()
            self.take = take
        self.stage = Stage.WAITING
        self.state = self.error = self.began = self.lasted = self.let_go = None

    @property
    def identity(self) -> Fingerprint:
        """What the session is known by, with the take that counts."""
        return self.identity_of_take or self.item.fingerprint

    @property
    def snapshot(self) -> Snapshot | None:
        """The session as last seen, or None without one."""
        return self.state.snapshot if self.state else None

    @property
    def session_id(self) -> str | None:
        """The session of the take that counts, or None."""
        return self.state.session_id if self.state else None

    @property
    def phase(self) -> str:
        """The phase of the session, or `waiting` or `refused` without one."""
        if self.stage is Stage.STARTED and self.snapshot is not None:
            return self.snapshot.phase
        return Stage.REFUSED if self.stage is Stage.REFUSED else Stage.WAITING

    @property
    def is_open(self) -> bool:
        """Whether it takes up one of the parallel places."""
        if self.stage is Stage.STARTING:
            return True
        return self.stage is Stage.STARTED and self.error is None and not self._is_turn_over

    @property
    def problem(self) -> DevinError | None:
        """Why there is no answer; None where there is one, or may still be."""
        if self.error is not None or self.snapshot is None or not self._is_turn_over:
            return self.error
        try:
            answer_of(self.snapshot, self.item.request.schema)
        except TurnError as problem:
            return problem
        return None

    @property
    def is_lost(self) -> bool:
        """Whether its turn was open when watching it was given up."""
        return self.stage is Stage.STARTED and self.error is not None and not self._is_turn_over

    @property
    def _is_turn_over(self) -> bool:
        return self.snapshot is not None and self.snapshot.turn_over

    @property
    def question(self) -> str | None:
        """What a person must answer: asked in the conversation, or in the report."""
        if self.snapshot is None or self.is_open:
            return None
        if self.snapshot.needs_you:
            return self.snapshot.question or "(no message)"
        return report.question(self.snapshot.structured_output)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What a batch adds up to at one instant."""

    rows: int
    counts: dict[str, int]
    """Rows by phase, in the order of the phases; `waiting` and `refused` for rows without a session."""
    sessions: dict[str, int]
    """The same, but rows that share a session count once."""
    wanted: int
    """Items that shall be run: all, or the pilot."""
    over: int
    """Of these, how many are over or refused."""
    waiting: int
    open: int
    acus: float
    """What all of it cost, earlier takes included."""
    acus_unknown: int
    """Sessions that worked and whose cost the service did not say."""
    needs_you: int
    seconds_left: float | None
    """From the turns that ended here; None while none did."""

    @property
    def text(self) -> str:
        """The counts and the cost in one line, without anything that changes by itself."""
        unknown = f" and {self.acus_unknown} unknown" if self.acus_unknown else ""
        return " · ".join([*([self.words] if self.words else []), f"{self.acus:.2f} ACU{unknown}"])

    @property
    def words(self) -> str:
        """The sessions in words, such as `35 done · 3 failed`."""
        return " · ".join(f"{count} {_word(phase)}" for phase, count in self.sessions.items() if count)


def tally(jobs: Sequence[Job], *, rows: int, wanted: int, parallel: int, now: float) -> Tally:
    """Add up the jobs; the first `wanted` are those to be run."""
    order = [str(phase) for phase in (*Phase, Stage.WAITING, Stage.REFUSED)]
    sessions = Counter(job.phase for job in jobs)
    counts = Counter(phase for job in jobs for phase in [job.phase] * len(job.item.positions))
    run = [job for index, job in enumerate(jobs) if index < wanted or job.stage is not Stage.WAITING]
    costs = [job.snapshot.acus for job in jobs if job.snapshot is not None]
    costs += [cost for job in jobs for cost in job.earlier.values()]
    return Tally(
        rows=rows,
        counts={phase: counts[phase] for phase in order if counts[phase]},
        sessions={phase: sessions[phase] for phase in order if sessions[phase]},
        wanted=len(run),
        over=sum(not job.is_open and job.stage is not Stage.WAITING for job in run),
        waiting=sum(job.stage is Stage.WAITING for job in run),
        open=sum(job.is_open for job in run),
        acus=sum(cost for cost in costs if cost is not None),
        acus_unknown=sum(cost is None for cost in costs),
        needs_you=sum(job.question is not None for job in jobs),
        seconds_left=_seconds_left(run, parallel, now),
    )


def _seconds_left(jobs: Sequence[Job], parallel: int, now: float) -> float | None:
    lasted = [job.lasted for job in jobs if job.lasted is not None]
    if not lasted:
        return None
    usual = median(lasted)
    at_work = [max(usual * 0.1, usual - (now - job.began)) for job in jobs if job.is_open and job.began is not None]
    waiting = sum(job.stage is Stage.WAITING for job in jobs)
    at_a_time = max(1, min(parallel, waiting + len(at_work)))
    return (sum(at_work) + waiting * usual) / at_a_time


def _word(phase: str) -> str:
    return Phase(phase).label if phase in Phase._value2member_map_ else phase
