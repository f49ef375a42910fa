"""Whether the turn that a message opens has begun: what the service shows may be older than the message.

Closed by a phase that changed, by `updated_at` after that of the answer to the send, or by a newer word of Devin's,
unless the state that comes with it is still the old one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from devin_jupyter.models.phase import Facts, Phase, phase_of
from devin_jupyter.models.raw import Message

if TYPE_CHECKING:
    from devin_jupyter.models.snapshot import Known, Snapshot

_PATIENCE = timedelta(seconds=60)
"""How long a state that is older than the message may be shown before it is believed."""
_PATIENCE_WITH_BLOCKED = timedelta(seconds=60)
"""How long a message to a blocked session may go unnoticed before the block is believed."""
_PATIENCE_WITH_OUTPUT = timedelta(seconds=10)
"""How long the output may lag behind the message that announces it, where nothing else tells that the turn is new."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The last message we sent, with what is needed to tell its turn from the one before."""

    text: str
    at: datetime
    """When we sent it, by this machine's clock, UTC."""
    phase_before: Phase
    """The phase before the send, without regard to the output."""
    output_before: Any = None
    updated_at: datetime | None = None
    """`updated_at` in the answer to the send; None on v1, which answers null."""
    last_event: str | None = None
    """The newest message that was read before the send; clocks differ, the order of messages does not."""


def bare_phase(api_version: str, status: str | None, detail: str | None) -> Phase:
    """Return the phase that the service shows, without regard to outputs and messages."""
    return phase_of(Facts(api_version=api_version, status=status, detail=detail))


def is_pending(snapshot: Snapshot, known: Known, previous: Snapshot | None) -> bool:
    """Tell whether nothing shows yet that Devin took up the last message, so that its turn counts as open.

    Args:
        snapshot: as read just now, with the phase that it has without regard to the message.
        known: with the message, if one was sent.
        previous: the snapshot before.
    """
    sent = known.sent
    if sent is None:
        return False
    if previous is not None and not previous.send_pending and not _is_older(previous, sent):
        return False
    moved = bool(sent.updated_at and snapshot.updated_at and snapshot.updated_at > sent.updated_at)
    if moved or _changed(sent, snapshot):
        return False
    waited = snapshot.observed_at - sent.at if snapshot.observed_at else timedelta(0)
    reply = _reply(sent, snapshot.messages)
    if reply is not None:
        lags = known.schema is not None and not snapshot.output_is_fresh
        return (lags and waited < _PATIENCE_WITH_OUTPUT) or (_is_stale(sent, snapshot, reply) and waited < _PATIENCE)
    return snapshot.phase is not Phase.BLOCKED or waited < _PATIENCE_WITH_BLOCKED


def _is_older(previous: Snapshot, sent: Sent) -> bool:
    """A kernel may have ended between a send and the snapshot after it."""
    return previous.observed_at is not None and previous.observed_at < sent.at


def _changed(sent: Sent, snapshot: Snapshot) -> bool:
    """Tell whether the service shows another phase than before the send; the output plays no part in it."""
    now = bare_phase(snapshot.api_version, snapshot.status, snapshot.status_detail)
    if sent.phase_before is Phase.DONE and now in (Phase.YOUR_TURN, Phase.ASLEEP):
        return False  # it may have counted as done for its output
    return now != sent.phase_before


def _is_stale(sent: Sent, snapshot: Snapshot, reply: Message) -> bool:
    """Tell whether a state is older than what the service has said of it since, by the service's own clock."""
    later = (moment for moment in (sent.updated_at, reply.created_at) if moment is not None)
    return snapshot.updated_at is not None and any(snapshot.updated_at < moment for moment in later)


def _reply(sent: Sent, messages: Sequence[Message]) -> Message | None:
    """Return the first that Devin wrote after the message we sent. Goes by order and text: clocks differ."""
    identifiers = [message.event_id for message in messages]
    first = identifiers.index(sent.last_event) + 1 if sent.last_event in identifiers else 0
    ours = [index for index in range(first, len(messages)) if _is_ours(sent, messages[index])]
    return next((item for item in messages[ours[-1] :] if item.source == "devin"), None) if ours else None


def _is_ours(sent: Sent, message: Message) -> bool:
    return message.source == "user" and _essence(message.text) == _essence(sent.text)


def _essence(text: str) -> str:
    """White space may change on the way, v1 adds lines for files, and the journal keeps beginnings only."""
    lines = (line for line in text.splitlines() if not line.startswith('ATTACHMENT:"'))
    return " ".join(" ".join(lines).split())[:160]
