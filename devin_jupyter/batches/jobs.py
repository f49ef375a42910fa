"""The jobs of a batch: the stage of each, their totals, the selection of rows, and the limits of their cost.

Plain state: no I/O and no loop; the clock is passed in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median
from typing import TYPE_CHECKING

from devin_jupyter.batches.plan import Item
from devin_jupyter.batches.rows import Rows
from devin_jupyter.errors import (
    BudgetExceeded,
    DevinError,
    OptionError,
    TurnError,
)
from devin_jupyter.models.enums import TURN_OVER, Phase
from devin_jupyter.models.fields import is_session_id, session_id
from devin_jupyter.models.snapshot import Snapshot
from devin_jupyter.render.board import GROUPS, counted, group_of
from devin_jupyter.request import Fingerprint
from devin_jupyter.session import answer_of
from devin_jupyter.text import format_amount, nearest

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
    _grouped: tuple[tuple[Snapshot, DevinError | None], str] | None = None
    """For what was last seen: its column. A thousand rows are not judged anew for each line of progress."""

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
        return self.state.record.snapshot if self.state else None

    @property
    def session_id(self) -> str | None:
        """The session of the current take, or None."""
        return self.state.session_id if self.state else None

    @property
    def phase(self) -> str:
        """The phase of the session, or `waiting` or `refused` without one."""
        snapshot = self.snapshot
        if self.stage is Stage.STARTED and snapshot is not None:
            return snapshot.phase
        return Stage.REFUSED if self.stage is Stage.REFUSED else Stage.WAITING

    @property
    def label(self) -> str:
        """The phase as shown to people: `asks you` where it ended with a question."""
        snapshot = self.snapshot
        return snapshot.label if self.stage is Stage.STARTED and snapshot is not None else str(self.phase)

    @property
    def is_open(self) -> bool:
        """Whether it occupies one of the parallel places."""
        if self.stage is not Stage.STARTED or self.state is None:
            return self.stage is Stage.STARTING
        snapshot = self.state.record.snapshot
        return self.error is None and (snapshot is None or snapshot.phase not in TURN_OVER)

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
        return snapshot.asked_in_report

    @property
    def group(self) -> str:
        """The column of a board in which it stands: one of `board.GROUPS`."""
        snapshot = self.snapshot
        if snapshot is None:
            return "failed" if self.stage is Stage.REFUSED else "waiting"
        seen = (snapshot, self.error)
        if self._grouped is None or any(a is not b for a, b in zip(self._grouped[0], seen, strict=True)):
            has_failed = self.question is None and self.problem is not None
            self._grouped = seen, group_of(snapshot, has_failed=has_failed)
        return self._grouped[1]


# --- what they add up to ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStats:
    """The totals of a batch at one instant."""

    rows: int
    counts: dict[str, int]
    """Rows by phase, in the order of the phases; `waiting` and `refused` for rows without a session."""
    labels: dict[str, int]
    """Sessions by the label of their card, in the order of the phases; rows that share one count once."""
    wanted: int
    """Sessions to run: all, or the pilot."""
    over: int
    """Of these, how many are over or refused."""
    waiting: int
    open: int
    starting: int
    """Of those that are open, how many have no session yet."""
    acus: float
    """The cost of every session that the batch ever had, earlier takes included: it never shrinks."""
    acus_earlier: float
    """The part of `acus` that sessions of earlier takes and of earlier templates cost."""
    acus_unknown: int
    """Sessions whose cost the service did not report."""
    budget: float | None
    """The ACUs that the batch may cost; None is no limit."""
    groups: dict[str, int]
    """The sessions to run by the columns of their board, in its order."""
    seconds_left: float | None
    """Estimated from the turns that ended here; None while none did."""

    @property
    def text(self) -> str:
        """Counts and cost in one line, without anything that depends on the time."""
        return " · ".join([*([self.words] if self.words else []), self.spent])

    @property
    def by_phase(self) -> str:
        """Phases and cost in one line, for those who ask the handle rather than its board."""
        return " · ".join([*(f"{count} {label}" for label, count in self.labels.items()), self.spent])

    @property
    def spent(self) -> str:
        """The cost so far, such as `41.2 of 100 ACU (3.1 in earlier takes)`."""
        if not self.acus and self.acus_unknown:
            return "ACU unknown"
        total = format_amount(self.acus) if self.budget is None else f"{format_amount(self.acus)} of {self.budget:g}"
        notes = [f"{format_amount(self.acus_earlier)} in earlier takes"] if self.acus_earlier else []
        notes += [f"{self.acus_unknown} of unknown cost"] if self.acus_unknown else []
        return f"{total} ACU" + (f" ({', '.join(notes)})" if notes else "")

    @property
    def words(self) -> str:
        """The sessions as text, in the words of their board: `1 needs you · 3 failed · 35 finished`."""
        return " · ".join(counted(self.groups))


def stats(
    jobs: Sequence[Job],
    costs: Mapping[str, float | None],
    *,
    rows: int,
    wanted: int,
    parallel: int,
    budget: float | None,
    now: float,
) -> BatchStats:
    """Add up the jobs.

    Args:
        jobs: the first `wanted` are those to run.
        costs: the ACUs of every session that the batch ever had, by session id; None is unknown.
        rows: how many rows the table has.
        wanted: how many jobs are to run.
        parallel: how many turns may be open at a time.
        budget: the ACUs that the batch may cost.
        now: the clock of the jobs, in seconds.
    """
    order = [str(phase) for phase in (*Phase, Stage.WAITING, Stage.REFUSED)]
    labels = Counter(job.label for job in sorted(jobs, key=lambda job: order.index(job.phase)))
    counts = Counter(phase for job in jobs for phase in [job.phase] * len(job.item.positions))
    run = [job for index, job in enumerate(jobs) if index < wanted or job.stage is not Stage.WAITING]
    stages = [(job.stage, job.is_open) for job in run]  # once: the loop moves them meanwhile
    current, groups = {job.session_id for job in jobs}, Counter(job.group for job in run)
    return BatchStats(
        rows=rows,
        counts={phase: counts[phase] for phase in order if counts[phase]},
        labels=dict(labels),
        wanted=len(run),
        over=sum(not is_open and stage is not Stage.WAITING for stage, is_open in stages),
        waiting=sum(stage is Stage.WAITING for stage, _ in stages),
        open=sum(is_open for _, is_open in stages),
        starting=sum(stage is Stage.STARTING for stage, _ in stages),
        acus=round(sum(cost for cost in costs.values() if cost is not None), 6),
        acus_earlier=round(sum(cost or 0.0 for name, cost in costs.items() if name not in current), 6),
        acus_unknown=sum(cost is None for cost in costs.values()),
        budget=budget,
        groups={group: groups[group] for group in GROUPS if groups[group]},
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
        raise OptionError(f"unknown phase {given!r}", hint="rows=[…] chooses rows; phase='failed' says which of them")
    words = {given} if isinstance(given, str) else {str(word) for word in given}
    for word in words.difference(PHASES):
        raise OptionError(f"unknown phase {word!r}{nearest(word, PHASES)}", hint=f"one of {', '.join(PHASES)}")
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
            hint = "give labels of its index, a mask, or a slice of .frame()"
            raise OptionError(f"the batch has no row {item!r}", hint=hint)
        found.update(positions)
    return found


def _is_mask(values: Sequence[object]) -> bool:
    return bool(values) and all(type(value).__name__ in ("bool", "bool_", "NAType") for value in values)


FREE_ROWS = 10
"""How many sessions may start without a cap or a budget."""


def check_caps(items: Sequence[Item], budget: float | None) -> None:
    """Refuse sessions whose cost is unlimited.

    Args:
        items: what would be run.
        budget: the ACUs that limit this batch, from `--budget` or the notebook's; None without one.

    Raises:
        BudgetExceeded: more than ten sessions without a cap or a budget, or a session without a cap under a budget.
    """
    uncapped = sum(item.request.max_acu is None for item in items)
    if not uncapped or (budget is None and len(items) <= FREE_ROWS):
        return
    count = len(items)
    which = "all" if uncapped == count else str(uncapped)
    if budget is None:
        raise BudgetExceeded(
            f"{count} sessions, {which} without a cap: nothing limits their cost "
            f"(at 5 ACU each, {count} × 5 = {count * 5:,} ACU)",
            "nothing was sent",
            f"--max-acu 5 caps each one ({count} × 5 = {count * 5:,} ACU at most); "
            f"--budget 100 with --max-acu 5 starts only what 100 ACU can pay for; --limit 3 tries three first",
        )
    share = int(budget // count)
    fits = (
        f"--max-acu {share} lets all {count} run within it"
        if share
        else f"the budget is below 1 ACU for each of {count}"
    )
    raise BudgetExceeded(
        f"{which} of {count} sessions have no cap; the budget of {budget:g} ACU needs one",
        "nothing was sent",
        f"add --max-acu N ({fits})",
    )


def max_cost(items: Sequence[Item]) -> int | None:
    """Return the most ACUs that these sessions can cost together; None where one has no cap."""
    caps = [item.request.max_acu for item in items]
    return None if any(cap is None for cap in caps) else sum(cap for cap in caps if cap is not None)


def cost_line(items: Sequence[Item], budget: float | None) -> str:
    """Return one line of arithmetic: sessions × cap, and the budget beside it."""
    most = max_cost(items)
    caps = {item.request.max_acu for item in items}
    if most is None:
        text = "no --max-acu: cost has no upper limit"
    elif len(caps) == 1:
        text = f"at most {len(items)} × {caps.pop()} = {most:,} ACU"
    else:
        text = f"at most {most:,} ACU"
    return text if budget is None else f"{text}, budget {budget:g} ACU"
