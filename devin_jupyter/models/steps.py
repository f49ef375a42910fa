"""What Devin does between two messages, as the live channel reports it: steps, plan, activity, an approval.

All of it is immutable and replaced as more arrives, never edited. It shows; it decides nothing: phase, answer and costs
are those of the `Snapshot`, which comes from the REST API.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntFlag
from typing import Literal

from devin_jupyter.models.enums import Phase

StepKind = Literal["thought", "tool", "message", "plan", "status", "pull_request"]
LiveState = Literal["on", "off", "connecting", "unavailable"]
DONE = ("completed", "failed")
"""The statuses of a tool call that has ended. Statuses are an open set; the others are `pending` and `in_progress`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that Devin did or said. Its texts are untrusted."""

    kind: StepKind
    """`thought`, `tool`, `message`, `plan`, `status` or `pull_request`."""
    title: str
    """One line: the command or tool, the beginning of a thought, who wrote the message, the status in words."""
    status: str | None = None
    """Of a tool call: `pending`, `in_progress`, `completed` or `failed`. Of a message: `devin` or `user`. Of a status:
    the service's own word."""
    text: str = ""
    """The thought, the message, the plan as lines, the URL of the pull request; of a tool call its output."""
    at: datetime | None = None
    """When it began, UTC; None where the service does not say."""
    id: str = ""
    """Stays the same while the step grows; unique within its session."""
    tool: str | None = None
    """What kind of tool call: `read`, `edit`, `search`, `execute`, `fetch` and others."""
    input: str = ""
    """What a tool call was given: a command as it is, anything else as JSON."""

    @property
    def is_running(self) -> bool:
        """Whether it is a tool call that has not ended."""
        return self.kind == "tool" and self.status not in DONE


TOO_MANY = "sessions are followed at a time"
"""How the reason ends why one session more is not followed."""


@dataclass(frozen=True, slots=True)
class PlanEntry:
    """One entry of Devin's plan."""

    text: str
    status: str
    """`pending`, `in_progress` or `completed`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Something that Devin may not do before a person approves it. Its texts are untrusted."""

    id: str
    title: str
    """One line: what it wants to do."""
    text: str = ""
    """The command, or whatever else is to be approved, in full."""
    kind: str | None = None
    """What kind of permission: `command`, `network` and others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveView:
    """All that the live channel tells of one session, at one instant."""

    session_id: str
    state: LiveState = "off"
    """Whether the channel follows this session. Approvals and the cancellation of a turn need `on`."""
    reason: str | None = None
    """Why it does not, in one line."""
    steps: tuple[Step, ...] = ()
    """The newest steps, oldest first."""
    plan: tuple[PlanEntry, ...] = ()
    activity: str | None = None
    """What it does at this moment, in a few words; None when it is not at work."""
    approval: Approval | None = None
    """What waits for a person's approval."""
    asks: str | None = None
    """What the service says that a person has to do, such as answering a question."""

    @property
    def plan_progress(self) -> tuple[int, int] | None:
        """How many entries of the plan are completed, and how many there are; None without a plan."""
        return (sum(each.status == "completed" for each in self.plan), len(self.plan)) if self.plan else None

    def approval_in(self, phase: Phase) -> Approval | None:
        """What waits for an approval, unless the turn is over for another reason, as the REST API alone says."""
        return None if phase.turn_over and phase is not Phase.NEEDS_APPROVAL else self.approval


class Hint(IntFlag):
    """What an update of the live channel may mean for the session's state, which the REST API alone tells."""

    NONE = 0
    MESSAGE = 1
    """There is a message that was not there before."""
    STATUS = 2
    """The status, a pull request or an approval has changed."""
    OVER = 4
    """The turn seems to be over."""
