"""One vocabulary over v1 and v3 for the state of a session, computed here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """The state of a session. Compares equal to its string."""

    QUEUED = "queued"
    """Waiting for a machine, or waking up."""
    WORKING = "working"
    """Devin is busy."""
    YOUR_TURN = "your_turn"
    """Devin stopped without a (new) valid answer and waits for a message."""
    NEEDS_APPROVAL = "needs_approval"
    """Devin waits for an approval that only the web app can give."""
    DONE = "done"
    """The turn ended with the requested answer."""
    ASLEEP = "asleep"
    """Suspended without an answer; costs nothing; a message wakes it."""
    BLOCKED = "blocked"
    """Suspended by a limit, a quota or a payment problem."""
    STOPPED = "stopped"
    """Terminated, or over without the answer."""
    FAILED = "failed"
    """Broken on the service's side."""

    @property
    def turn_over(self) -> bool:
        """Whether Devin has stopped working on the last prompt or message."""
        return self in TURN_OVER

    @property
    def label(self) -> str:
        """The words a person reads."""
        return _LABELS.get(self, self.value)


OPEN_PHASES = (Phase.QUEUED, Phase.WORKING)
"""The phases in which Devin is working on the last prompt or message."""
TURN_OVER = frozenset(Phase).difference(OPEN_PHASES)
"""The phases in which it is not."""
_LABELS = {Phase.YOUR_TURN: "replied, your turn", Phase.NEEDS_APPROVAL: "needs approval"}


@dataclass(frozen=True, slots=True)
class PhaseInputs:
    """All that decides a phase. For v1, `detail` is `status_enum`."""

    api_version: str
    """`"v3"` or `"v1"`."""
    status: str | None
    detail: str | None
    has_schema: bool = False
    """The session was asked for structured output."""
    has_answer: bool = False
    """There is an output that is fresh (newer than the last message) and valid."""
    terminated: bool = False
    """We ended it before it was done."""
    send_pending: bool = False
    """A message was sent, and there is no sign yet that Devin has read it."""


def phase_of(facts: PhaseInputs) -> Phase:
    """Return the phase for these facts; unknown values count as working, so that polling continues."""
    if facts.terminated:
        return Phase.STOPPED
    word = _deciding_word(facts)
    phase = _V1.get(word or "") if facts.api_version == "v1" else None
    phase = phase or _by_status(word, facts)
    if facts.has_answer and phase in (Phase.YOUR_TURN, Phase.ASLEEP) and not _v1_asleep(facts):
        phase = Phase.DONE
    if phase.turn_over and facts.send_pending and word not in ("exit", "error"):
        return Phase.QUEUED
    return phase


_V1 = {
    "working": Phase.WORKING,
    "resumed": Phase.WORKING,
    "blocked": Phase.YOUR_TURN,
    "finished": Phase.DONE,
    "suspend_requested": Phase.ASLEEP,
    "suspend_requested_frontend": Phase.ASLEEP,
    "resume_requested": Phase.QUEUED,
    "resume_requested_frontend": Phase.QUEUED,
}
_RUNNING = {
    "finished": Phase.DONE,
    "waiting_for_user": Phase.YOUR_TURN,
    "waiting_for_approval": Phase.NEEDS_APPROVAL,
}
_SUSPENDED = {
    None: Phase.ASLEEP,
    "inactivity": Phase.ASLEEP,
    "user_request": Phase.ASLEEP,
    "error": Phase.FAILED,
}
_QUEUED = frozenset({"new", "claimed", "creating", "resuming"})


def _deciding_word(facts: PhaseInputs) -> str | None:
    """On v1 the enum decides if its value is known, else the free-text status."""
    if facts.api_version == "v1" and (facts.detail in _V1 or facts.detail == "expired"):
        return facts.detail
    return facts.status


def _by_status(word: str | None, facts: PhaseInputs) -> Phase:
    detail = facts.detail if facts.api_version == "v3" else None
    if word in _QUEUED:
        return Phase.QUEUED
    if word == "suspended":
        return _SUSPENDED.get(detail, Phase.BLOCKED)
    if word == "error":
        return Phase.FAILED
    if word == "exit":
        return Phase.DONE if facts.has_answer or not facts.has_schema else Phase.STOPPED
    if word == "expired":
        return Phase.DONE if facts.has_answer else Phase.STOPPED
    if word == "running":
        return _RUNNING.get(detail or "", Phase.WORKING)
    return Phase.WORKING


def _v1_asleep(facts: PhaseInputs) -> bool:
    return facts.api_version == "v1" and (facts.detail or "").startswith("suspend_requested")
