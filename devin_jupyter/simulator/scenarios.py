"""How a turn goes: the plan of frames, messages and pull requests, by the `sim:` tags of the session.

A plan is made when a turn opens and reaches to its end; `engine` cuts it off when something else happens.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from devin_jupyter.simulator.sessions import Session
from devin_jupyter.simulator.timeline import Frame

IDLE = ("waiting_for_user", "finished", "waiting_for_approval")
"""The details of a running session that does nothing."""
ANSWERED = 1.0


@dataclass(frozen=True, slots=True)
class Ending:
    """Where a turn stops: after this part of its time, in this state."""

    after: float
    status: str
    detail: str | None
    words: str = ""
    """Which text of `texts` Devin leaves; none if empty."""

    @property
    def is_answer(self) -> bool:
        """Whether the work was done to the end."""
        return self.after == ANSWERED


_REGULAR = Ending(ANSWERED, "running", "waiting_for_user", "closing")
_ENDINGS = {
    "finished": Ending(ANSWERED, "running", "finished", "closing"),
    "exit": Ending(ANSWERED, "exit", "finished", "closing"),
    "question": Ending(0.5, "running", "waiting_for_user", "question"),
    "approval": Ending(0.5, "running", "waiting_for_approval", "approval"),
    "fail": Ending(0.6, "error", "error"),
    "flaky": Ending(0.6, "error", "error"),
    "limit": Ending(0.6, "suspended", "usage_limit_exceeded", "limit"),
    "credits": Ending(0.6, "suspended", "out_of_credits"),
    "sleep": Ending(0.7, "suspended", "inactivity", "tired"),
}
DESCRIPTIONS = {
    "finished": "ends running/finished with an answer",
    "exit": "ends exit/finished with an answer; takes no messages then",
    "question": "asks something halfway; the reply opens a turn that answers",
    "approval": "waits for an approval, unless created with bypass_approval",
    "fail": "breaks: error/error",
    "flaky": "breaks the first time; the same request started again works",
    "limit": "is suspended at its ACU limit, and again after every message",
    "credits": "is suspended without credits, and again after every message",
    "sleep": "falls asleep before it has an answer; a message wakes it",
    "partial-output": "submits an output that is filled in only in part, early; the final one follows",
    "invalid-output": "ends with an output that does not fit the schema",
    "no-output": "ends without the output that the schema asks for",
    "slow": "takes ten times as long",
    "unknown": "shows states, values and fields that no documentation names on the way",
}
"""What each scenario does; a session without one works, answers and waits for its user."""
NAMES = frozenset(DESCRIPTIONS)
"""Every scenario; they combine, and of several endings the first in the table above that still applies holds."""

_SPEED = {"fast": 0.5, "lite": 0.75, "ultra": 1.5}
_PRICE = {"fast": 4.0, "lite": 0.4, "ultra": 2.5}
_SLOW = 10.0


def scenarios_of(tags: Iterable[str] | None) -> frozenset[str]:
    """Return the scenarios that the tags of a create call name."""
    return NAMES.intersection(tag.removeprefix("sim:") for tag in tags or () if tag.startswith("sim:"))


def ending_of(session: Session, names: frozenset[str]) -> Ending:
    """Return how the next turn ends: a question is asked once, a nap is taken once, most else happens every time."""
    past = session.timeline.frames
    over = {"question": any(frame.detail == "waiting_for_user" for frame in past)}
    over["sleep"] = any(frame.status == "suspended" for frame in past)
    over["flaky"] = session.attempt > 1
    over["approval"] = session.request.get("bypass_approval") is True
    chosen = next((name for name in _ENDINGS if name in names and not over.get(name)), None)
    return _ENDINGS[chosen] if chosen else _REGULAR


def seconds_of(session: Session, names: frozenset[str], turn_seconds: float) -> float:
    """Return how long a whole turn of this session takes."""
    return turn_seconds * _SPEED.get(session.mode, 1.0) * (_SLOW if "slow" in names else 1.0)


def cost_of(session: Session, chance: float) -> float:
    """Return the ACUs of a whole turn; later turns are cheaper than the first."""
    base = 0.35 + 0.5 * min(len(session.repos), 4) + 0.9 * chance
    later = 0.4 if session.turns else 1.0
    return base * later * _PRICE.get(session.mode, 1.0)


def opening_of(before: Frame | None, names: frozenset[str]) -> list[tuple[float, str, str | None]]:
    """Return the states before the work as (part of the turn, status, detail); the last one is the work itself."""
    work = ("running", "pondering" if "unknown" in names else "working")
    if before is None:
        middle = "creating" if "unknown" in names else "claimed"
        return [(0.0, "new", None), (0.03, middle, None), (0.08, *work)]
    if before.status == "suspended":
        return [(0.0, "resuming", None), (0.08, *work)]
    return [(0.0, *work)]
