"""How a turn goes: the plan of frames, messages and pull requests, by the `sim:` tags of the session."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from devin_jupyter.simulator.sessions import Session
from devin_jupyter.simulator.timeline import Frame

IDLE = ("waiting_for_user", "finished", "waiting_for_approval")


@dataclass(frozen=True, slots=True)
class Pace:
    turn_seconds: float


def scenarios_of(tags: Iterable[str] | None) -> frozenset[str]:
    return frozenset(tag.removeprefix("sim:") for tag in tags or () if tag.startswith("sim:"))


def unknown_fields(seed: str) -> dict[str, Any]:
    return {}


def plan_turn(
    session: Session,
    at: float,
    pace: Pace,
    *,
    before: Frame | None = None,
    planned_end: float = 0.0,
    message: dict[str, Any] | None = None,
) -> None:
    end = at + pace.turn_seconds
    session.timeline.extend(
        [Frame(at, "new"), Frame(at, "running", "working"), Frame(end, "running", "waiting_for_user", 1.0)]
    )
