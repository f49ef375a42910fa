"""An immutable view of one session at one instant, read tolerantly from either API version.

Raw answers come in, `Snapshot` values go out; nothing here does I/O or remembers anything between calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from devin_jupyter.models.pending import Sent, bare_phase, is_pending
from devin_jupyter.models.phase import Facts, Phase, phase_of
from devin_jupyter.models.raw import (
    FINGERPRINT_TAG,
    NO_ID,
    WEB_APP,
    Message,
    PullRequest,
    parse_time,
    read_message,
    read_v1,
    read_v3,
    visible_tags,
)

__all__ = [
    "FINGERPRINT_TAG",
    "WEB_APP",
    "Known",
    "Message",
    "PullRequest",
    "Sent",
    "Snapshot",
    "after_send",
    "judge_output",
    "note_send",
    "observe",
    "parse_time",
    "read_message",
    "visible_tags",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What we know about a session that the service does not say."""

    api_version: str = "v3"
    org_id: str | None = None
    schema: Mapping[str, Any] | None = None
    """The Draft 7 schema that was sent, or None."""
    is_valid: Callable[[Any], bool] | None = None
    """Whether an output fits the schema; None accepts any output that is not null."""
    max_acu_limit: int | None = None
    repos: tuple[str, ...] = ()
    fingerprint: str | None = None
    sent: Sent | None = None
    terminated: bool = False
    simulated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A session at one instant. Replaced, never edited. Times are UTC, money is in ACUs."""

    session_id: str
    """Always `devin-…`."""
    url: str
    phase: Phase
    status: str | None = None
    status_detail: str | None = None
    """`status_detail` of v3, `status_enum` of v1."""
    title: str | None = None
    acus: float | None = None
    """ACUs consumed; None where unknown: v1, or zero on a session that has worked."""
    max_acu_limit: int | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    tags: tuple[str, ...] = ()
    """Without the `nb-…` tag of this package."""
    pull_requests: tuple[PullRequest, ...] = ()
    structured_output: Any = None
    """The latest submission, raw: it may be interim."""
    output_is_fresh: bool = False
    """The output is newer than the last message sent."""
    output_is_valid: bool = False
    """The output fits the schema (or there is no schema to fit)."""
    question: str | None = None
    """Devin's last message, when the turn ended without an answer."""
    messages: tuple[Message, ...] = ()
    """What was read of the conversation so far, oldest first."""
    send_pending: bool = False
    api_version: str = "v3"
    org_id: str | None = None
    user_id: str | None = None
    service_user_id: str | None = None
    playbook_id: str | None = None
    parent_session_id: str | None = None
    child_session_ids: tuple[str, ...] = ()
    is_archived: bool = False
    origin: str | None = None
    category: str | None = None
    subcategory: str | None = None
    mode: str | None = None
    repos: tuple[str, ...] = ()
    fingerprint: str | None = None
    schema: Mapping[str, Any] | None = None
    observed_at: datetime | None = None
    simulated: bool = False
    recorded: date | None = None
    """Set when the snapshot comes from a lock file or a saved notebook, not from the service."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the answer that this version of the package does not know."""

    @property
    def needs_you(self) -> bool:
        """Whether Devin waits for a person: a reply or an approval, also when it fell asleep meanwhile."""
        if self.phase is Phase.ASLEEP:
            return self.question is not None
        return self.phase in (Phase.YOUR_TURN, Phase.NEEDS_APPROVAL)

    @property
    def turn_over(self) -> bool:
        """Whether Devin has stopped working on the last prompt or message."""
        return self.phase.turn_over

    @property
    def output_is_final(self) -> bool:
        """Whether the output is fresh, valid and the turn is over; otherwise it is provisional."""
        return self.turn_over and self.output_is_fresh and self.output_is_valid

    @property
    def last_word(self) -> Message | None:
        """The newest message by Devin that was read, or None."""
        return next((message for message in reversed(self.messages) if message.source == "devin"), None)


def observe(
    raw: Mapping[str, Any],
    known: Known,
    *,
    at: datetime,
    previous: Snapshot | None = None,
    messages: Sequence[Message] | None = None,
) -> Snapshot:
    """Read one raw session object of either API version into a snapshot.

    Args:
        raw: a `SessionResponse` (v3) or a `SessionSummary`/`SessionDetails` (v1); unknown values are kept.
        known: what the service does not say.
        at: when the answer came, UTC.
        previous: the snapshot before; carries a pending send and a question over, unless the other API told it.
        messages: the conversation as read so far; None keeps that of `previous`.
    """
    read = read_v1 if known.api_version == "v1" else read_v3
    fields = read(raw, org_id=known.org_id, repos=known.repos)
    if fields["session_id"] == NO_ID and previous is not None:
        fields |= {"session_id": previous.session_id, "url": previous.url}
    if previous is not None and previous.api_version != known.api_version:
        previous = None
    if messages is None:
        messages = previous.messages if previous else ()
    fresh, valid = judge_output(fields["structured_output"], known, previous)
    snapshot = Snapshot(
        **fields,
        phase=Phase.WORKING,
        output_is_fresh=fresh,
        output_is_valid=valid,
        messages=tuple(messages),
        api_version=known.api_version,
        max_acu_limit=known.max_acu_limit,
        fingerprint=known.fingerprint,
        schema=known.schema,
        simulated=known.simulated,
        observed_at=at,
    )
    phase = _phase(snapshot, known, send_pending=False)
    pending = is_pending(replace(snapshot, phase=phase), known, previous)
    phase = _phase(snapshot, known, send_pending=True) if pending else phase
    question = _question(phase, snapshot, previous)
    return replace(snapshot, phase=phase, send_pending=pending, question=question)


def note_send(snapshot: Snapshot, text: str, *, at: datetime, answer: Mapping[str, Any] | None) -> Sent:
    """Return what must be kept of a message to tell its turn from the one before.

    Args:
        snapshot: the session as last seen before the send.
        text: the message.
        at: when it was sent, UTC.
        answer: the session in the answer to the send (v3), or None.
    """
    return Sent(
        text=text,
        at=at,
        phase_before=bare_phase(snapshot.api_version, snapshot.status, snapshot.status_detail),
        output_before=snapshot.structured_output,
        updated_at=parse_time(answer.get("updated_at")) if isinstance(answer, Mapping) else None,
        last_event=snapshot.messages[-1].event_id if snapshot.messages else None,
    )


def after_send(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot as it stands right after a message was sent: the turn is open again."""
    phase = snapshot.phase if not snapshot.turn_over else Phase.QUEUED
    return replace(snapshot, phase=phase, send_pending=True, output_is_fresh=False, question=None)


def _phase(snapshot: Snapshot, known: Known, *, send_pending: bool) -> Phase:
    return phase_of(
        Facts(
            api_version=known.api_version,
            status=snapshot.status,
            detail=snapshot.status_detail,
            has_schema=known.schema is not None,
            has_answer=snapshot.output_is_fresh and snapshot.output_is_valid,
            terminated=known.terminated,
            send_pending=send_pending,
        )
    )


def judge_output(output: Any, known: Known, previous: Snapshot | None = None) -> tuple[bool, bool]:
    """Return whether an output is newer than the last message sent, and whether it fits the schema.

    Args:
        output: the raw structured output; None is neither.
        known: what was sent, and what judges the output.
        previous: the snapshot before, whose judgment of the same output holds.
    """
    if output is None:
        return False, False
    fresh = known.sent is None or output != known.sent.output_before
    if previous is not None and previous.schema is known.schema and previous.structured_output == output:
        return fresh, previous.output_is_valid
    try:
        return fresh, known.is_valid is None or known.is_valid(output)
    except (ValueError, TypeError, RecursionError):  # JSON that no validator can walk, such as NaN
        return fresh, False


def _question(phase: Phase, snapshot: Snapshot, previous: Snapshot | None) -> str | None:
    if phase in (Phase.YOUR_TURN, Phase.NEEDS_APPROVAL):
        word = snapshot.last_word
        return word.text if word else (previous.question if previous else None)
    if phase is not Phase.ASLEEP:
        return None
    if previous is not None and previous.turn_over:
        return previous.question
    newest = snapshot.messages[-1] if snapshot.messages else None
    return newest.text if newest and newest.source == "devin" else None
