"""The sessions of a batch: how far each is, what they add up to, which a caller means, and when one may start.

Plain state: no I/O and no loop; the clock is passed in.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from statistics import median
from typing import TYPE_CHECKING

from devin_jupyter.batches.plan import Item
from devin_jupyter.batches.rows import Rows
from devin_jupyter.errors import (
    ApiError,
    BudgetExceeded,
    ConnectionTrouble,
    DevinError,
    Forbidden,
    Halted,
    OptionError,
    RateLimited,
    SetupError,
    TurnError,
    Unauthorized,
)
from devin_jupyter.models.enums import TURN_OVER, Phase
from devin_jupyter.models.fields import is_session_id, session_id
from devin_jupyter.models.snapshot import Snapshot, reported_outcome, reported_question
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
        return reported_question(snapshot.structured_output)


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
    """The cost of every session that the batch ever had, earlier takes included: it never shrinks."""
    acus_earlier: float
    """The part of `acus` that sessions of earlier takes and of earlier templates cost."""
    acus_unknown: int
    """Sessions whose cost the service did not report."""
    budget: float | None
    """The ACUs that the batch may cost; None is no limit."""
    needs_you: int
    seconds_left: float | None
    """Estimated from the turns that ended here; None while none did."""

    @property
    def text(self) -> str:
        """Counts and cost in one line, without anything that depends on the time."""
        return " · ".join([*([self.words] if self.words else []), self.spent])

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
        """The sessions as text, such as `35 done · 3 failed`."""
        labels = {phase: Phase(phase).label if phase in Phase._value2member_map_ else phase for phase in self.sessions}
        return " · ".join(f"{count} {labels[phase]}" for phase, count in self.sessions.items() if count)


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
    sessions = Counter(job.phase for job in jobs)
    counts = Counter(phase for job in jobs for phase in [job.phase] * len(job.item.positions))
    run = [job for index, job in enumerate(jobs) if index < wanted or job.stage is not Stage.WAITING]
    current = {job.session_id for job in jobs}
    return BatchStats(
        rows=rows,
        counts={phase: counts[phase] for phase in order if counts[phase]},
        sessions={phase: sessions[phase] for phase in order if sessions[phase]},
        wanted=len(run),
        over=sum(not job.is_open and job.stage is not Stage.WAITING for job in run),
        waiting=sum(job.stage is Stage.WAITING for job in run),
        open=sum(job.is_open for job in run),
        acus=round(sum(cost for cost in costs.values() if cost is not None), 6),
        acus_earlier=round(sum(cost or 0.0 for name, cost in costs.items() if name not in current), 6),
        acus_unknown=sum(cost is None for cost in costs.values()),
        budget=budget,
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
            f"--budget 100 --max-acu 5 starts only what 100 ACU can pay for; --limit 3 tries three first",
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


# --- the gate -----------------------------------------------------------------------------------------------


class FailureKind(Enum):
    """What a start that failed means for the rest of the batch."""

    BUSY = "busy"
    """The service asks to slow down: do so, and try this row again."""
    AWAY = "away"
    """The service cannot be reached: slow down and try this row again, but not forever."""
    NO_ROOM = "no room"
    """The budget has no room for it now: wait until open turns end."""
    PAUSE = "pause"
    """It would fail for every row: wait until a person has looked."""
    REFUSED = "refused"
    """It fails for this row only."""


def failure_kind(problem: DevinError) -> FailureKind:
    """Return what a failed start means for the batch."""
    if isinstance(problem, RateLimited):
        return FailureKind.BUSY
    if isinstance(problem, ConnectionTrouble):
        return FailureKind.AWAY
    if isinstance(problem, BudgetExceeded):
        return FailureKind.NO_ROOM
    is_unpaid = isinstance(problem, ApiError) and problem.status_code == _PAYMENT_REQUIRED
    if is_unpaid or isinstance(problem, (Halted, Unauthorized, Forbidden, SetupError)):
        return FailureKind.PAUSE
    return FailureKind.REFUSED


MAX_FAILURES = 5
"""Failures in a row that pause a batch, by default."""
_PAYMENT_REQUIRED = 402
_COSTS_BEFORE_JUDGING = 3
_OWN_CAP = "usage_limit_exceeded"
"""A session that reached its own cap says nothing about the sessions to come."""
_LONGEST_PAUSE = 120.0
_LONGEST_ASKED = 900.0
"""Seconds; where the service asks for a longer wait, the batch pauses until a person resumes it."""
_AWAY_TIMES = 6
"""After this many failed attempts in a row the service counts as unreachable."""


class Gate:
    """Whether a row may start now: a pause flag, a circuit breaker, a throttle and the room in the budget.

    Pausing holds back all rows but those that a retry let through. The circuit breaker pauses after failures in a row,
    when the account is exhausted, or when sessions cost too much. The throttle starts fewer at a time while the
    service answers 429 or cannot be reached, and recovers by itself.
    """

    def __init__(
        self,
        parallel: int,
        *,
        max_failures: int | None = None,
        max_median: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start open.

        Args:
            parallel: how many turns may be open at a time.
            max_failures: failures in a row that pause; None is five.
            max_median: median ACUs of the sessions that ended that pause; None is no limit.
            clock: in seconds.
        """
        self.parallel, self._clock = parallel, clock
        self._max_failures, self._max_median = max_failures or MAX_FAILURES, max_median
        self.paused: str | None = None
        """Why nothing more is started, or None."""
        self.no_room: str | None = None
        """Why the budget has no room for another session now, or None."""
        self._let_through: set[Job] = set()
        self._failures = 0
        self._costs: list[float] = []
        self._at_a_time = parallel
        self._slowdowns = 0
        self._closed_until = 0.0
        self._slow_because = ""

    @property
    def at_a_time(self) -> int:
        """How many turns may be open now."""
        return self._at_a_time

    @property
    def seconds_closed(self) -> float:
        """How long nothing may be started because the service asked to slow down."""
        return max(0.0, self._closed_until - self._clock())

    @property
    def notice(self) -> str | None:
        """What a person should know about the pace; None when it is as asked."""
        if self.paused is not None:
            return f"paused: {self.paused}"
        if self.no_room is not None or not self._slow_because:
            return self.no_room
        seconds = self.seconds_closed
        wait = f", next start in {seconds:.0f} s" if seconds >= 1 else ""
        return f"slowed to {self.at_a_time} at a time: {self._slow_because}{wait}"

    def lets_through(self, job: Job) -> bool:
        """Whether a pause does not hold back this row."""
        return self.paused is None or job in self._let_through

    def pause(self, why: str) -> None:
        """Start nothing more. The first reason counts, but one that ends a retry replaces the one before it."""
        self.paused = why if self._let_through else self.paused or why
        self._let_through.clear()

    def resume(self) -> None:
        """Lift a pause and forget what slowed the batch down."""
        self.paused = None
        self._let_through.clear()
        self.reset()

    def retry(self, jobs: Iterable[Job]) -> None:
        """Let these rows through, whether or not the batch is paused."""
        self._let_through.update(jobs)
        self.reset()

    def reset(self) -> None:
        """Count failures and costs from zero, at full speed."""
        self.no_room = None
        self._failures = 0
        self._costs.clear()
        self._at_a_time, self._slowdowns, self._closed_until, self._slow_because = self.parallel, 0, 0.0, ""

    def start_worked(self) -> None:
        """A session was created: there is room, and the throttle recovers by one."""
        self.no_room = None
        self._slowdowns = 0
        self._at_a_time = min(self.parallel, self._at_a_time + 1)
        if self._at_a_time == self.parallel:
            self._slow_because = ""

    def start_failed(self, problem: DevinError, *, is_alone: bool) -> FailureKind:
        """A session could not be created.

        Args:
            problem: why.
            is_alone: no other turn is open, whose end could make room in the budget.
        """
        kind = failure_kind(problem)
        if kind is FailureKind.REFUSED:
            self._failures += 1
            if self._failures >= self._max_failures:
                why = f"the last could not be started: {problem.message}"
                self.pause(f"{self._failures} consecutive rows failed; {why}")
        elif kind is FailureKind.PAUSE:
            self.pause(problem.message)
        elif kind is FailureKind.NO_ROOM:
            self.no_room = f"waiting for room in the budget: {problem.message}"
            if is_alone:
                self.pause(problem.message)
        else:
            self.slow_down(problem.message, getattr(problem, "retry_after", None))
            if kind is FailureKind.AWAY and self._slowdowns >= _AWAY_TIMES:
                self.pause(f"{problem.message} ({_AWAY_TIMES} times)")
        return kind

    def slow_down(self, why: str, retry_after: float | None = None) -> None:
        """Halve the pace and wait as long as the service asks, twice as long each time in a row.

        During such a wait this is the answer to a request sent before it: it may lengthen the wait, and no more.
        """
        asked = 2.0 if retry_after is None else max(1.0, retry_after)
        if asked > _LONGEST_ASKED:
            self.pause(f"{why}: the service asks for a pause of {asked / 60:,.0f} min")
            return
        if self.seconds_closed:
            self._closed_until = max(self._closed_until, self._clock() + asked)
            return
        self._slowdowns += 1
        self._at_a_time = max(1, self._at_a_time // 2)
        self._closed_until = self._clock() + max(asked, min(_LONGEST_PAUSE, asked * 2.0 ** (self._slowdowns - 1)))
        self._slow_because = why

    def turn_ended(self, snapshot: Snapshot) -> None:
        """A turn ended: there may be room again; pause if too many failed or they cost too much."""
        self.no_room = None
        if snapshot.phase is Phase.BLOCKED and snapshot.status_detail not in (None, _OWN_CAP):
            self.pause(f"the service reports {snapshot.status_detail}, which will stop every session")
            return
        if snapshot.acus is not None:
            self._costs.append(snapshot.acus)
        reports_failure = snapshot.phase is Phase.DONE and reported_outcome(snapshot.structured_output) == "failed"
        if reports_failure or snapshot.phase in (Phase.FAILED, Phase.STOPPED, Phase.BLOCKED):
            self._failures += 1
        elif snapshot.phase is Phase.DONE:
            self._failures = 0
        if self._failures >= self._max_failures:
            how = "reports that it failed" if reports_failure else f"is {snapshot.label}"
            self.pause(f"{self._failures} consecutive rows failed; the last {how} ({snapshot.url})")
            return
        if self._max_median is not None and len(self._costs) >= _COSTS_BEFORE_JUDGING:
            middle = median(self._costs)
            if middle > self._max_median:
                cost = f"the median cost of the {len(self._costs)} sessions so far is {middle:.2f} ACU"
                self.pause(f"{cost}; the limit is {self._max_median:g}")
