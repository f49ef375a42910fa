"""An immutable view of one session at one instant, read tolerantly from either API version.

Raw answers come in, `Snapshot` values go out; nothing here does I/O or remembers anything between calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

from devin_jupyter.models.ids import bare_id, session_id
from devin_jupyter.models.phase import Facts, Phase, phase_of

FINGERPRINT_TAG = "nb-"
SIMULATED_HOSTS = ("127.0.0.1", "localhost", "[::1]")
WEB_APP = "https://app.devin.ai/sessions/"


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request of a session, as the service names it."""

    url: str
    state: str | None = None
    """`open`, `merged`, `closed` or whatever the service says; None where it does not (v1)."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the conversation."""

    event_id: str
    source: str
    """`"devin"` or `"user"`."""
    text: str
    created_at: datetime | None
    """UTC."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The last message we sent, with what is needed to tell its turn from the one before."""

    text: str
    at: datetime
    phase_before: Phase
    output_before: Any = None
    updated_at: datetime | None = None
    """`updated_at` in the answer to the send; None on v1, which answers null."""


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
        previous: the snapshot before; carries a pending send and a question over.
        messages: the conversation as read so far; None keeps that of `previous`.
    """
    read = _read_v1 if known.api_version == "v1" else _read_v3
    fields = read(raw, known)
    if messages is None:
        messages = previous.messages if previous else ()
    fresh, valid = _judge_output(fields["structured_output"], known, previous)
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
    pending = _still_pending(phase, snapshot, known, previous)
    phase = _phase(snapshot, known, send_pending=pending) if pending else phase
    question = _question(phase, snapshot, previous)
    return replace(snapshot, phase=phase, send_pending=pending, question=question)


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


def _judge_output(output: Any, known: Known, previous: Snapshot | None) -> tuple[bool, bool]:
    if output is None:
        return False, False
    fresh = known.sent is None or output != known.sent.output_before
    if previous is not None and previous.schema is known.schema and previous.structured_output == output:
        return fresh, previous.output_is_valid
    return fresh, known.is_valid is None or known.is_valid(output)


def _still_pending(phase: Phase, snapshot: Snapshot, known: Known, previous: Snapshot | None) -> bool:
    sent = known.sent
    if sent is None or (previous is not None and not previous.send_pending):
        return False
    moved = bool(sent.updated_at and snapshot.updated_at and snapshot.updated_at > sent.updated_at)
    return not (phase != sent.phase_before or moved or _answered(sent, snapshot.messages))


def _answered(sent: Sent, messages: Sequence[Message]) -> bool:
    for message in reversed(messages):
        if message.source == "user":
            return False
        if message.source == "devin" and message.created_at and message.created_at >= sent.at:
            return True
    return False


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


def _read_v3(raw: Mapping[str, Any], known: Known) -> dict[str, Any]:
    identifier = session_id(str(raw.get("session_id") or ""))
    tags = _strings(raw.get("tags"))
    updated, created = _unix(raw.get("updated_at")), _unix(raw.get("created_at"))
    return {
        "session_id": identifier,
        "url": str(raw.get("url") or WEB_APP + bare_id(identifier)),
        "status": raw.get("status"),
        "status_detail": raw.get("status_detail"),
        "title": raw.get("title"),
        "acus": _acus(raw.get("acus_consumed"), raw.get("status"), created, updated),
        "created_at": created,
        "updated_at": updated,
        "tags": visible_tags(tags),
        "pull_requests": _pull_requests(raw.get("pull_requests")),
        "structured_output": raw.get("structured_output"),
        "org_id": raw.get("org_id") or known.org_id,
        "user_id": raw.get("user_id"),
        "service_user_id": raw.get("service_user_id"),
        "playbook_id": raw.get("playbook_id"),
        "parent_session_id": raw.get("parent_session_id"),
        "child_session_ids": _strings(raw.get("child_session_ids")),
        "is_archived": bool(raw.get("is_archived")),
        "origin": raw.get("origin"),
        "category": raw.get("category"),
        "subcategory": raw.get("subcategory"),
        "mode": raw.get("devin_mode"),
        "repos": known.repos,
        "extra": {key: value for key, value in raw.items() if key not in V3_FIELDS},
    }


def _read_v1(raw: Mapping[str, Any], known: Known) -> dict[str, Any]:
    identifier = session_id(str(raw.get("session_id") or ""))
    pull_request = raw.get("pull_request")
    return {
        "session_id": identifier,
        "url": str(raw.get("url") or WEB_APP + bare_id(identifier)),
        "status": raw.get("status"),
        "status_detail": raw.get("status_enum"),
        "title": raw.get("title"),
        "created_at": parse_time(raw.get("created_at")),
        "updated_at": parse_time(raw.get("updated_at")),
        "tags": visible_tags(_strings(raw.get("tags"))),
        "pull_requests": _pull_requests([pull_request] if pull_request else []),
        "structured_output": raw.get("structured_output"),
        "org_id": known.org_id,
        "user_id": raw.get("requesting_user_email"),
        "playbook_id": raw.get("playbook_id"),
        "repos": known.repos,
        "extra": {key: value for key, value in raw.items() if key not in V1_FIELDS},
    }


V3_FIELDS = frozenset(
    {
        "session_id",
        "url",
        "org_id",
        "status",
        "status_detail",
        "created_at",
        "updated_at",
        "acus_consumed",
        "tags",
        "pull_requests",
        "title",
        "user_id",
        "service_user_id",
        "playbook_id",
        "parent_session_id",
        "child_session_ids",
        "is_archived",
        "origin",
        "category",
        "subcategory",
        "structured_output",
        "devin_mode",
    }
)
"""The fields of `SessionResponse` that a snapshot has a place for; the rest go to `extra`."""
V1_FIELDS = frozenset(
    {
        "session_id",
        "url",
        "status",
        "status_enum",
        "title",
        "created_at",
        "updated_at",
        "tags",
        "pull_request",
        "structured_output",
        "requesting_user_email",
        "playbook_id",
        "messages",
    }
)
"""The same for the session objects of v1."""


def visible_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return the tags a person set: without the `nb-…` tag by which this package finds its sessions again."""
    return tuple(tag for tag in tags if not tag.startswith(FINGERPRINT_TAG))


def parse_time(value: Any) -> datetime | None:
    """Read a Unix time in seconds or an ISO 8601 string as UTC; None where there is no readable time."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return None
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return _unix(value)


def _unix(value: Any) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _acus(value: Any, status: Any, created: datetime | None, updated: datetime | None) -> float | None:
    """Zero on a session that has worked means not reported, so it is unknown."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    untouched = status in ("new", "claimed", "creating") or (status is not None and created == updated)
    return float(value) if value or untouched else None


def _strings(value: Any) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, (list, tuple)) else ()


def _pull_requests(value: Any) -> tuple[PullRequest, ...]:
    if not isinstance(value, (list, tuple)):
        return ()
    found = (item for item in value if isinstance(item, Mapping))
    pairs = ((item.get("pr_url") or item.get("url"), item.get("pr_state")) for item in found)
    return tuple(PullRequest(str(url), None if state is None else str(state)) for url, state in pairs if url)
