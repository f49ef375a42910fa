"""The enums and limits of the API, written once for client, simulator and frames.

All enums are open: responses may hold values that are not here.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

DevinMode = Literal["normal", "fast", "lite", "ultra", "fusion"]
Status = Literal["new", "claimed", "running", "exit", "error", "suspended", "resuming"]
StatusDetail = Literal[
    "working",
    "waiting_for_user",
    "waiting_for_approval",
    "finished",
    "inactivity",
    "user_request",
    "usage_limit_exceeded",
    "out_of_credits",
    "out_of_quota",
    "no_quota_allocation",
    "payment_declined",
    "org_usage_limit_exceeded",
    "user_usage_limit_exceeded",
    "total_session_limit_exceeded",
    "error",
]
Origin = Literal[
    "webapp", "slack", "teams", "api", "linear", "jira", "automation", "cli", "desktop", "code_scan", "other"
]
Category = Literal[
    "bug_fixing",
    "ci_cd_and_devops",
    "code_quality_and_security",
    "code_review",
    "code_review_and_analysis",
    "data_and_automation",
    "documentation_and_content",
    "feature_development",
    "migrations_and_upgrades",
    "other",
    "production_investigation",
    "refactoring_and_optimization",
    "research_and_exploration",
    "security",
    "unit_test_generation",
]
SecretType = Literal["cookie", "key-value", "totp"]
SessionSize = Literal["xs", "s", "m", "l", "xl"]
StatusEnum = Literal[
    "working",
    "blocked",
    "expired",
    "finished",
    "suspend_requested",
    "suspend_requested_frontend",
    "resume_requested",
    "resume_requested_frontend",
    "resumed",
]
"""`status_enum` of v1."""

SEEN_STATUS = ("creating",)
"""Values that the specification does not list, but that were observed or are in newer or older versions of it."""
SEEN_STATUS_DETAIL = ("contract_expired",)
SEEN_ORIGIN = ("scheduled",)
SEEN_CATEGORY: tuple[str, ...] = ()

REVIEW_STATUS = ("pending", "running", "completed", "errored", "cancelled", "skipped")
PULL_REQUEST_STATES = ("open", "merged", "closed")


SCHEMA_BYTES = 64 * 1024
"""The largest structured output schema, serialized."""


# --- our own word for what a session is doing, over v1 and v3 -------------------------------------------------


class Phase(StrEnum):
    """The state of a session. Compares equal to its string."""

    QUEUED = "queued"
    """Waiting for a machine, or waking up."""
    WORKING = "working"
    """Devin is busy."""
    YOUR_TURN = "your_turn"
    """Devin replied and waits for a message: with a question, or with its work done where no schema was asked for."""
    NEEDS_APPROVAL = "needs_approval"
    """Devin waits for an approval, given in the web app or over the live channel."""
    DONE = "done"
    """The turn ended with the requested answer."""
    ASLEEP = "asleep"
    """Suspended without an answer; costs nothing; a message wakes it."""
    BLOCKED = "blocked"
    """Suspended by a limit, a quota or a payment problem."""
    STOPPED = "stopped"
    """Terminated, or over without the answer."""
    FAILED = "failed"
    """Failed on the service's side."""

    @property
    def turn_over(self) -> bool:
        """Whether Devin has stopped working on the last prompt or message."""
        return self in TURN_OVER

    @property
    def label(self) -> str:
        """The words shown to people; `Snapshot.label` distinguishes a reply from a question."""
        return _LABELS.get(self, self.value)


OPEN_PHASES = (Phase.QUEUED, Phase.WORKING)
"""The phases in which Devin is working on the last prompt or message."""
TURN_OVER = frozenset(Phase).difference(OPEN_PHASES)
"""The phases in which it is not."""
SCENARIOS = (
    *("finished", "exit", "question", "approval", "fail", "flaky", "limit", "credits", "sleep", "partial-output"),
    *("invalid-output", "no-output", "files", "slow", "unknown"),
)
"""What a tag `sim:…` chooses on the simulator."""

ASKS = "asks you"
"""In place of the label of `YOUR_TURN`, where the reply is a question."""
_LABELS = {Phase.YOUR_TURN: "replied", Phase.NEEDS_APPROVAL: "needs approval"}
