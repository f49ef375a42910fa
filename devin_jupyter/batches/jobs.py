"""The sessions of a batch: how far each is, what they add up to, and which of them a caller means.

Plain state: no I/O, no loop, no clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median
from typing import TYPE_CHECKING

from devin_jupyter.batches.plan import Item
from devin_jupyter.batches.rows import Rows
from devin_jupyter.errors import DevinError, OptionError, TurnError
from devin_jupyter.models import batch_report as report
from devin_jupyter.models.fields import is_session_id, session_id
from devin_jupyter.models.phase import Phase
from devin_jupyter.models.snapshot import Snapshot
from devin_jupyter.request import Fingerprint
from devin_jupyter.session import answer_of
from devin_jupyter.text import nearest

if TYPE_CHECKING:
    from devin_jupyter.monitor.store import WatchedSession


class Stage(StrEnum):
    """How far a job is; once it has a session, the session's phase says more."""

    WAITING = "waiting"
    """Not started yet."""
    STARTING = "starting"
    """A session is being looked up or created for it."""
    STARTED = "started"
    """It has a session."""
    REFUSED = "refused"
    """It could not be started; nothing was paid."""


@dataclass(eq=False, slots=True)
class Job:
    """One session of a batch. Changed on the loop's thread only; other threads read."""

    index: int
    item: Item
    stage: Stage = Stage.WAITING
    take: str | None = None
    """The current take; None is the one in the request."""
    identity_of_take: Fingerprint | None = None
    how: str = ""
    """`created`, `attached`, `adopted` or `recorded`."""
    state: WatchedSession | None = None
    """Its session, shared with all handles on it."""
    error: DevinError | None = None
    """Why it was refused, or why its session cannot be watched."""
    earlier: dict[str, float | None] = field(default_factory=dict)
    """The sessions of earlier takes and their cost in ACUs."""
    tried: set[str] = field(default_factory=set)
    """The labels of earlier takes."""
    turn_began: float | None = None
    """When its open turn was first seen here, on the batch's clock."""
    turn_seconds: float | None = None
    """How long the turn took, once it is over."""

    def reset(self, take: str | None) -> None:
        """Drop the session and wait for another one, under another take if one is given."""
        if self.state is not None:
            self.earlier[self.state.session_id] = self.state.snapshot.acus
        if take is not None:
            self.tried |= {self.take} if self.take else set()
            self.take = take
        self.stage = Stage.WAITING
        self.state = self.error = self.turn_began = self.turn_seconds = None

    @property
    def identity(self) -> Fingerprint:
        """The fingerprint of the current take."""
        return self.identity_of_take or self.item.fingerprint

    @property
    def snapshot(self) -> Snapshot | None:
        """The session as last seen, or None without one."""
        return self.state.snapshot if self.state else None

    @property
    def session_id(self) -> str | None:
        """The session of the current take, or None."""
        return self.state.session_id if self.state else None

    @property
    def phase(self) -> str:
        """The phase of the session, or `waiting` or `refused` without one."""
        if self.stage is Stage.STARTED and self.state is not None:
            return self.state.snapshot.phase
        return Stage.REFUSED if self.stage is Stage.REFUSED else Stage.WAITING

    @property
    def is_open(self) -> bool:
        """Whether it occupies one of the parallel places."""
        if self.stage is not Stage.STARTED or self.state is None:
            return self.stage is Stage.STARTING
        return self.error is None and not self.state.is_over

    @property
    def is_lost(self) -> bool:
        """Whether its turn was open when watching it failed."""
        return self.state is not None and self.error is not None and not self.state.is_over

    @property
    def problem(self) -> DevinError | None:
        """Why there is no answer; None where there is one, or may still be."""
        if self.error is not None or self.state is None or not self.state.is_over:
            return self.error
        try:
            answer_of(self.state.snapshot, self.item.request.schema)
        except TurnError as problem:
            return problem
        return None

    @property
    def question(self) -> str | None:
        """What a person must answer: asked in the conversation, or in the report."""
        snapshot = None if self.is_open else self.snapshot
        if snapshot is None:
            return None
        if snapshot.needs_you:
            return snapshot.question or "(no message)"
        return report.question(snapshot.structured_output)


# --- what they add up to ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStats:
    """What a batch adds up to at one instant."""

    rows: int
    counts: dict[str, int]
    """Rows by phase, in the order of the phases; `waiting` and `refused` for rows without a session."""
    sessions: dict[str, int]
    """The same, but rows that share a session count once."""
    wanted: int
    """Sessions to run: all, or the pilot."""
    over: int
    """Of these, how many are over or refused."""
    waiting: int
    open: int
    acus: float
    """The cost of everything, earlier takes included."""
    acus_unknown: int
    """Sessions that worked and whose cost the service did not report."""
    needs_you: int
    seconds_left: float | None
    """Estimated from the turns that ended here; None while none did."""

    @property
    def text(self) -> str:
        """Counts and cost in one line, without anything that depends on the time."""
        unknown = f" and {self.acus_unknown} unknown" if self.acus_unknown else ""
        return " · ".join([*([self.words] if self.words else []), f"{self.acus:.2f} ACU{unknown}"])

    @property
    def words(self) -> str:
        """The sessions as text, such as `35 done · 3 failed`."""
        labels = {phase: Phase(phase).label if phase in Phase._value2member_map_ else phase for phase in self.sessions}
        return " · ".join(f"{count} {labels[phase]}" for phase, count in self.sessions.items() if count)


def stats(jobs: Sequence[Job], *, rows: int, wanted: int, parallel: int, now: float) -> BatchStats:
    """Add up the jobs; the first `wanted` are those to run."""
    order = [str(phase) for phase in (*Phase, Stage.WAITING, Stage.REFUSED)]
    sessions = Counter(job.phase for job in jobs)
    counts = Counter(phase for job in jobs for phase in [job.phase] * len(job.item.positions))
    run = [job for index, job in enumerate(jobs) if index < wanted or job.stage is not Stage.WAITING]
    costs = [job.snapshot.acus for job in jobs if job.snapshot is not None]
    costs += [cost for job in jobs for cost in job.earlier.values()]
    return BatchStats(
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
    ended = [job.turn_seconds for job in jobs if job.turn_seconds is not None]
    if not ended:
        return None
    usual = median(ended)
    # a turn that takes longer than usual is taken to need a tenth of the usual time more
    at_work = [max(usual * 0.1, usual - (now - job.turn_began)) for job in jobs if job.is_open and job.turn_began]
    waiting = sum(job.stage is Stage.WAITING for job in jobs)
    at_a_time = max(1, min(parallel, waiting + len(at_work)))
    return (sum(at_work) + waiting * usual) / at_a_time


# --- which of them a caller means ---------------------------------------------------------------------------

PHASES = (*(str(phase) for phase in Phase), str(Stage.WAITING), str(Stage.REFUSED))


def phases_of(given: str | Iterable[str]) -> set[str]:
    """Return the phases that a caller names.

    Raises:
        OptionError: there is no such phase.
    """
    if not isinstance(given, Iterable):
        raise OptionError(f"{given!r} is no phase", hint="rows=[…] chooses rows; phase='failed' says which of them")
    words = {given} if isinstance(given, str) else {str(word) for word in given}
    for word in words.difference(PHASES):
        raise OptionError(f"there is no phase {word!r}{nearest(word, PHASES)}", hint=f"one of {', '.join(PHASES)}")
    return words


def positions_of(rows: Rows, chosen: object, jobs: Sequence[Job]) -> set[int]:
    """Return the positions of rows given by labels, a mask, a slice of the frame, sessions or a function.

    Raises:
        OptionError: a label or session that is not in the batch.
    """
    if isinstance(chosen, tuple) and chosen in rows.labels:  # a row of a table with more than one index level
        chosen = [chosen]
    if callable(chosen):
        return {position for position in range(len(rows)) if chosen(rows.record(position))}
    if hasattr(chosen, "columns") and hasattr(chosen, "index"):
        chosen = chosen.index.tolist()
    if hasattr(chosen, "index") and hasattr(chosen, "to_list"):
        mask = chosen.to_list()
        labels = chosen.index.tolist()
        chosen = [label for label, yes in zip(labels, mask, strict=True) if yes] if _is_mask(mask) else labels
    if isinstance(chosen, (str, bytes)) or not isinstance(chosen, Iterable):
        chosen = [chosen]
    wanted = list(chosen)
    if _is_mask(wanted) and len(wanted) == len(rows):
        return {position for position, yes in enumerate(wanted) if yes}
    found: set[int] = set()
    for item in wanted:
        positions = [position for position, label in enumerate(rows.labels) if label == item]
        if not positions:
            identifier = str(getattr(item, "id", item))
            identifier = session_id(identifier) if is_session_id(identifier) else identifier
            positions = [place for job in jobs if job.session_id == identifier for place in job.item.positions]
        if not positions:
            hint = "give labels of its index, a mask, or a slice of .frame"
            raise OptionError(f"the batch has no row {item!r}", hint=hint)
        found.update(positions)
    return found


def _is_mask(values: Sequence[object]) -> bool:
    return bool(values) and all(type(value).__name__ in ("bool", "bool_", "NAType") for value in values)
