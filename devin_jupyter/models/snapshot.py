"""What is known of a session: the facts of its request, its record, and immutable views of it at one instant.

`Facts` are written down before the POST and read back ever after. A `Record` is a session in the journal, in a lock
file, in a saved notebook or on the loop. `observe` reads one answer of either API version into a `Snapshot`. Nothing
here does I/O or remembers anything between calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from dataclasses import fields as dataclass_fields
from datetime import date, datetime, timedelta
from typing import Any, Protocol

from devin_jupyter.models.asking import asks
from devin_jupyter.models.enums import ASKS, TURN_OVER, Phase
from devin_jupyter.models.fields import (
    FINGERPRINT_TAG,
    KEYS,
    NO_ID,
    WEB_APP,
    Message,
    PullRequest,
    parse_time,
    read_message,
    read_session,
    visible_tags,
)
from devin_jupyter.redaction import as_returned

__all__ = [
    "FINGERPRINT_TAG",
    "WEB_APP",
    "CellRef",
    "Facts",
    "Message",
    "OutputVersion",
    "PhaseChange",
    "Policy",
    "PullRequest",
    "Record",
    "Sent",
    "SessionsByTag",
    "Snapshot",
    "Where",
    "after_send",
    "batch_scope",
    "exchange",
    "judge_output",
    "may_be_a_flicker",
    "note_send",
    "notebook_scope",
    "observe",
    "output_history",
    "parse_time",
    "phase_history",
    "read_message",
    "visible_tags",
    "with_messages",
]


# --- what is known before the service answers ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Where:
    """Where requests go; the first part of a fingerprint. Its repr is hashed into batch keys: never rename a field."""

    base_url: str
    org_id: str | None
    api_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRef:
    """A cell of a notebook, by all names that it has."""

    notebook: str
    """Its path, or the folder or script where there is none."""
    cell_id: str | None = None
    out: str | None = None
    """The name after `-o`."""
    execution: str | None = None
    """Which run of the cell this is; None where that is not known."""
    source: str | None = None
    """A hash of the text that is run."""

    @property
    def cell(self) -> str:
        """The cell's id, else the name it binds, else nothing."""
        if self.cell_id:
            return f"id:{self.cell_id}"
        return f"out:{self.out}" if self.out else ""


SessionsByTag = Mapping[str, Sequence[Mapping[str, Any]]]
"""The raw sessions that the service holds, by tag; also tags without any."""


def _ignored(line: str) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a request is to be started."""

    take_new: bool = False
    """The next free take (`--new`)."""
    max_age: float | None = None
    """Sessions older than this do not count; in seconds."""
    replace: bool = False
    """Stop the running session for the cell's earlier prompt."""
    beside: bool = False
    """Start another session even if the earlier one, or a colleague's, is running."""
    guard: CellRef | None = None
    """The cell that makes the request."""
    batch: str | None = None
    interactive: bool = False
    """A person can react: a changed cell is refused rather than started."""
    budget: float | None = None
    """The limit of this cell, in ACUs."""
    stop_if_left: bool = False
    """Terminate a session that is started although its caller was interrupted."""
    by_tag: SessionsByTag = field(default_factory=dict)
    """What a batch found on the service beforehand."""
    look_again_at: float = 0.0
    """When sessions that were not found must be looked up again (monotonic)."""
    refresh: bool = True
    """Read a session again when attaching to it."""
    say: Callable[[str], None] = field(default=_ignored, repr=False)
    """Called with what the request waits for, on the loop's thread; must not print."""
    is_patient: bool = True
    """Wait if the service asks to slow down; a batch slows down as a whole instead, and retries the row."""

    def scopes(self, base: str) -> tuple[str, ...]:
        """Return the budgets that a request counts in, whether or not they have a limit by now.

        Args:
            base: the fingerprint of the request without its take.
        """
        scopes = [notebook_scope(self.guard.notebook)] if self.guard else []
        scopes.append(batch_scope(self.batch) if self.batch else cell_scope(self.guard, base))
        return tuple(scopes)

    def limits(self, base: str) -> dict[str, float | None]:
        """Return the budget of the cell as it says it now, by its scope; a batch sets its own."""
        return {} if self.batch else {self.scopes(base)[-1]: self.budget}


def notebook_scope(notebook: str) -> str:
    """Return the scope of everything that a notebook pays for."""
    return f"notebook {notebook}"


def batch_scope(name: str) -> str:
    """Return the scope of a batch."""
    return f"batch {name}"


def cell_scope(cell: CellRef | None, base: str) -> str:
    """Return the scope of a cell; of the request itself where the cell cannot be named."""
    return f"cell {cell.notebook} {cell.cell}" if cell and cell.cell else f"cell {base}"


class OutputSchema(Protocol):
    """Validates an output: a `devin_jupyter.schema.Schema`, which is in a higher row than this module."""

    @property
    def wire(self) -> dict[str, Any]:
        """The Draft 7 schema that was sent."""

    def is_valid(self, value: Any) -> bool:
        """Return whether an output fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What we know of a session that the service does not say. Holds names of secrets, never their values.

    `SessionRequest.facts` makes them for a request; `Facts(where=…)` are those of a session that was started elsewhere.
    """

    fingerprint: str | None = None
    """None for a session that was only opened from here."""
    base: str | None = None
    """The fingerprint of the same request without its take."""
    tag: str | None = None
    take: str | None = None
    where: Where = Where("", None, "v3")
    cell: CellRef | None = None
    batch: str | None = None
    scopes: tuple[str, ...] = ()
    """The budgets it counts in."""
    prompt: str = ""
    incidental: Mapping[str, Any] = field(default_factory=dict)
    """Options that may differ between requests for the same session."""
    mode: str | None = None
    repos: tuple[str, ...] = ()
    max_acu: int | None = None
    schema: OutputSchema | None = None
    """None accepts any output that is not null."""
    simulated: bool = False
    secret_names: tuple[str, ...] = ()
    """Of its sensitive secrets, so that a later process knows what to mask."""

    @property
    def max_time(self) -> float | None:
        """How long a turn may take, in seconds; None for no limit."""
        limit = self.incidental.get("max_time")
        return float(limit) if isinstance(limit, (int, float)) and not isinstance(limit, bool) else None

    def limited_to(self, max_time: float) -> Facts:
        """Return the same facts with another limit on the time of a turn, in seconds."""
        return replace(self, incidental={**self.incidental, "max_time": max_time})

    @property
    def wire_schema(self) -> dict[str, Any] | None:
        """The Draft 7 schema as sent, or None."""
        return None if self.schema is None else self.schema.wire

    def read_by(self, api_version: str, *, simulated: bool) -> Facts:
        """Return the same facts for a client that reads the session with another version of the API."""
        return replace(self, where=replace(self.where, api_version=api_version), simulated=simulated)


@dataclass(frozen=True, slots=True)
class Sent:
    """The last message we sent, with what distinguishes its turn from the one before."""

    text: str
    at: datetime
    """When we sent it, by this machine's clock, UTC."""
    phase_before: Phase
    """The phase before the send, ignoring the output."""
    output_before: Any = None
    updated_at: datetime | None = None
    """`updated_at` in the answer to the send; None on v1, which answers null."""
    last_event: str | None = None
    """The newest message that was read before the send; clocks differ, the order of messages does not."""
    service_at: datetime | None = None
    """When the service accepted it, by the service's clock; None where that is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A session: its facts, what was done to it, and how it was last seen. Replaced, never edited."""

    session_id: str
    facts: Facts = Facts()
    how: str = "seen"
    """`created`, `adopted`, `attached` (found on the service), `recorded` (read from a file) or `seen`."""
    started_at: float = 0.0
    """Unix seconds: when the service made it, as far as known."""
    sent: Sent | None = None
    """The last message sent."""
    terminated: bool = False
    """We terminated it."""
    snapshot: Snapshot | None = None
    """As last seen."""
    is_open: bool = True
    """Its turn was not over when it was last read, or a message was sent since."""
    acus: float | None = None
    """The cost that was last known; a later snapshot may not have it."""
    seen_by: str | None = None
    """The process that read it last."""

    @property
    def turn_began(self) -> float:
        """When the turn began, in Unix seconds: our clock for a message, the service's for the prompt."""
        return self.started_at if self.sent is None else self.sent.at.timestamp()


# --- what the service says -----------------------------------------------------------------------------------


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
    is_asked: bool = False
    """The live channel said that this reply waits for the user."""
    messages: tuple[Message, ...] = ()
    """What was read of the conversation so far, oldest first."""
    send_pending: bool = False
    unanswered: bool = False
    """The last message sent arrived and had no effect: the session did not change for two minutes."""
    answer_after: str | None = None
    """The `event_id` of the message after which an answer to the last message sent must stand; empty where the
    conversation that was read does not tell; None if nothing was sent."""
    stopped_after: float | None = None
    """The limit in seconds that its turn exceeded, for which it was ended (`--max-time`)."""
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
    unsaved_answer: int | None = None
    """The size in bytes of an answer that was too large for the saved notebook that the snapshot comes from."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the answer that this version of the package does not know."""

    @property
    def needs_you(self) -> bool:
        """Whether Devin waits for a person: its last words ask for something, or it needs an approval.

        The live channel may say so too. A question stays one when the session falls asleep.
        """
        if self.phase in (Phase.YOUR_TURN, Phase.ASLEEP):
            return self.is_asked or asks(self.question)
        return self.phase is Phase.NEEDS_APPROVAL

    @property
    def label(self) -> str:
        """The phase as shown to people; an answer that reports a question asks, as a reply with one does."""
        is_asking = (self.phase is Phase.YOUR_TURN and self.needs_you) or self.asked_in_report is not None
        return ASKS if is_asking else self.phase.label

    @property
    def asked_in_report(self) -> str | None:
        """The question in the report of a session that is done, or None."""
        is_fresh = self.phase is Phase.DONE and self.output_is_fresh
        return reported_question(self.structured_output) if is_fresh else None

    @property
    def turn_over(self) -> bool:
        """Whether Devin has stopped working on the last prompt or message."""
        return self.phase in TURN_OVER

    @property
    def output_is_final(self) -> bool:
        """Whether the output is fresh, valid and the turn is over; otherwise it is provisional."""
        return self.turn_over and self.output_is_fresh and self.output_is_valid

    @property
    def last_word(self) -> Message | None:
        """The newest message by Devin that was read, or None; after a send, only one that is newer than that."""
        for message in reversed(self.messages):
            if message.event_id == self.answer_after or self.answer_after == "":
                return None
            if message.source == "devin":
                return message
        return None


_ATTRIBUTES = frozenset(item.name for item in dataclass_fields(Snapshot))


def observe(
    raw: Mapping[str, Any],
    record: Record,
    *,
    at: datetime,
    messages: Sequence[Message] | None = None,
    service_at: datetime | None = None,
) -> Snapshot:
    """Read one raw session object of either API version into a snapshot.

    Args:
        raw: a `SessionResponse` (v3) or a `SessionSummary`/`SessionDetails` (v1); unknown values are kept.
        record: what is known of the session. Its snapshot carries a pending send and a question over, unless the
            other API version reported it.
        at: when the answer came, UTC.
        messages: the conversation as read so far; None keeps that of the record's snapshot.
        service_at: when the answer came, by the service's clock; None where it does not tell the time, or where no
            message was sent whose answer is waited for.
    """
    facts, previous = record.facts, record.snapshot
    version = facts.where.api_version
    fields = read_session(raw, version, org_id=facts.where.org_id, repos=facts.repos)
    for name in fields.keys() - _ATTRIBUTES:
        fields["extra"][KEYS[version][name]] = fields.pop(name)
    if fields["session_id"] == NO_ID and previous is not None:
        fields |= {"session_id": previous.session_id, "url": previous.url}
    if previous is not None and previous.api_version != version:
        record, previous = replace(record, snapshot=None), None
    if messages is None:
        messages = previous.messages if previous else ()
    fresh, valid = judge_output(fields["structured_output"], record)

    def phase(*, send_pending: bool) -> Phase:
        return phase_of(
            PhaseInputs(
                api_version=version,
                status=fields["status"],
                detail=fields["status_detail"],
                has_schema=facts.schema is not None,
                has_answer=fresh and valid,
                terminated=record.terminated,
                send_pending=send_pending,
            )
        )

    seen = Snapshot(
        **fields,
        phase=phase(send_pending=False),
        output_is_fresh=fresh,
        output_is_valid=valid,
        messages=tuple(messages),
        api_version=version,
        max_acu_limit=facts.max_acu,
        fingerprint=facts.fingerprint,
        schema=facts.wire_schema,
        simulated=facts.simulated,
        stopped_after=previous.stopped_after if previous is not None and record.terminated else None,
        observed_at=at,
    )
    sent = record.sent
    if sent is None:
        question = _question(seen, previous)
        return seen if question is None else replace(seen, question=question)
    waited = service_at - sent.service_at if service_at and sent.service_at else at - sent.at
    if previous is not None and previous.observed_at is not None and previous.observed_at < sent.at:
        previous = None  # from before the send: a kernel may have ended between that and the look after it
    is_pending = _is_pending(seen, record, previous, waited)
    if is_pending:
        seen = replace(seen, phase=phase(send_pending=True), send_pending=True)
    seen = replace(seen, answer_after=_answer_after(sent, seen.messages, waited))
    is_silent = seen.turn_over and not is_pending and seen.last_word is None and not fresh
    was_silent = previous is not None and previous.unanswered
    is_given_up = (previous is None or previous.send_pending) and seen.phase not in _SPEAKS_FOR_ITSELF
    return replace(seen, unanswered=is_silent and (was_silent or is_given_up), question=_question(seen, previous))


def judge_output(output: Any, record: Record) -> tuple[bool, bool]:
    """Return whether an output is newer than the last message sent, and whether it fits the schema.

    Args:
        output: the raw structured output; None is neither.
        record: what was asked for and sent. What its snapshot says of the same output holds.
    """
    if output is None:
        return False, False
    fresh = record.sent is None or output != record.sent.output_before
    schema, previous = record.facts.schema, record.snapshot
    if previous is not None and previous.schema == record.facts.wire_schema and previous.structured_output == output:
        return fresh, previous.output_is_valid
    try:
        return fresh, schema is None or schema.is_valid(output)
    except (ValueError, TypeError, RecursionError):  # JSON that no validator accepts, such as NaN
        return fresh, False


def _question(seen: Snapshot, previous: Snapshot | None) -> str | None:
    if seen.phase in (Phase.YOUR_TURN, Phase.NEEDS_APPROVAL):
        word = seen.last_word
        return word.text if word else (previous.question if previous else None)
    if seen.phase is not Phase.ASLEEP:
        return None
    if previous is not None and previous.turn_over:
        return previous.question
    newest = seen.messages[-1] if seen.messages else None
    return newest.text if newest and newest is seen.last_word else None


# --- the turn that a message opens ---------------------------------------------------------------------------

_NOTHING_COMES_AFTER = timedelta(minutes=2)
"""How long a session may stay unchanged after a message before the message counts as without effect."""
_SPEAKS_FOR_ITSELF = (Phase.BLOCKED, Phase.NEEDS_APPROVAL, Phase.STOPPED, Phase.FAILED)
_BELIEVE_STALE_AFTER = timedelta(seconds=60)
"""How long a state older than the message is taken for a lagging one."""
_BELIEVE_BLOCKED_AFTER = timedelta(seconds=60)
"""How long a message to a blocked session may go unnoticed before the block is believed."""
_OUTPUT_LAG = timedelta(seconds=10)
"""How long the output may lag behind the message that announces it, without another sign of the new turn."""
_BELIEVE_OTHER_TEXT_AFTER = timedelta(seconds=10)
"""How long a message may be missing from the conversation before one with another text is taken for it."""


def note_send(snapshot: Snapshot, text: str, *, at: datetime, answer: Mapping[str, Any] | None) -> Sent:
    """Return what must be kept of a message to distinguish its turn from the one before.

    Args:
        snapshot: the session as last seen before the send.
        text: the message.
        at: when it was sent, UTC.
        answer: the session in the answer to the send (v3), or None.
    """
    return Sent(
        text=text,
        at=at,
        phase_before=_bare_phase(snapshot),
        output_before=snapshot.structured_output,
        updated_at=parse_time(answer.get("updated_at")) if isinstance(answer, Mapping) else None,
        last_event=snapshot.messages[-1].event_id if snapshot.messages else None,
    )


def after_send(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot for right after a message was sent: the turn is open again."""
    phase = snapshot.phase if not snapshot.turn_over else Phase.QUEUED
    return replace(snapshot, phase=phase, send_pending=True, output_is_fresh=False, question=None, is_asked=False)


def _bare_phase(snapshot: Snapshot) -> Phase:
    """Return the phase that the service shows, ignoring outputs and messages."""
    return phase_of(
        PhaseInputs(api_version=snapshot.api_version, status=snapshot.status, detail=snapshot.status_detail)
    )


def _is_pending(snapshot: Snapshot, record: Record, previous: Snapshot | None, waited: timedelta) -> bool:
    """Return whether there is no sign yet that Devin has read the last message, so that its turn counts as open.

    What the service shows may be older than the message, and a moved `updated_at` proves nothing: services move it
    before they change the state. The turn is under way once an open phase was seen; else it must have ended between two
    looks, with a newer word by Devin, a new output, or a state that speaks for itself. After two minutes the session is
    believed to stay as it is.

    Args:
        snapshot: as read just now, with the phase that it has without regard to the message.
        record: with the message.
        previous: the snapshot before, if it was taken after the send.
        waited: since the message was sent.
    """
    sent = record.sent
    if sent is None or (previous is not None and not previous.send_pending):
        return False
    now = _bare_phase(snapshot)
    is_older = snapshot.updated_at is not None and sent.updated_at is not None and snapshot.updated_at < sent.updated_at
    if now not in TURN_OVER:
        return is_older and waited < _BELIEVE_STALE_AFTER
    if snapshot.phase in (Phase.STOPPED, Phase.FAILED) or waited >= _NOTHING_COMES_AFTER:
        return False
    if now in (Phase.BLOCKED, Phase.NEEDS_APPROVAL) and (now != sent.phase_before or waited >= _BELIEVE_BLOCKED_AFTER):
        return False
    place = _place_of(sent, snapshot.messages, waited)
    reply = place is not None and next((one for one in snapshot.messages[place:] if one.source == "devin"), None)
    if not reply:
        return not (snapshot.output_is_fresh and snapshot.output_is_valid)
    lags = record.facts.schema is not None and not snapshot.output_is_fresh
    is_older |= bool(snapshot.updated_at and reply.created_at and snapshot.updated_at < reply.created_at)
    return (lags and waited < _OUTPUT_LAG) or (is_older and waited < _BELIEVE_STALE_AFTER)


def _place_of(sent: Sent, messages: Sequence[Message], waited: timedelta) -> int | None:
    """Return where the message we sent stands in the conversation. Goes by order and text: clocks differ.

    A service may add to a text or mask a part of it; if the turn began and ended between two polls, nothing but the
    conversation shows that. A message after those that were there before the send is therefore taken for ours, if
    there is none with its text, when it begins with that, or after a while.
    """
    places = [index for index, message in enumerate(messages) if message.event_id == sent.last_event]
    first = places[0] + 1 if places else 0
    text = _compared(as_returned(sent.text))
    said = [
        (index, _compared(message.text))
        for index, message in enumerate(messages)
        if index >= first and message.source == "user"
    ]
    ours = [index for index, words in said if words == text]
    if places and not ours:
        ours = [index for index, words in said if words.startswith(text) or waited >= _BELIEVE_OTHER_TEXT_AFTER]
    return ours[-1] if ours else None


def _answer_after(sent: Sent, messages: Sequence[Message], waited: timedelta) -> str:
    """Return the message after which an answer to the one we sent stands: ours, else the last one before."""
    place = _place_of(sent, messages, waited)
    if place is not None:
        return messages[place].event_id
    is_known = any(message.event_id == sent.last_event for message in messages)
    return sent.last_event or "" if is_known else ""


def with_messages(snapshot: Snapshot, sent: Sent | None, messages: Sequence[Message]) -> Snapshot:
    """Return a snapshot with the conversation, which was read after it."""
    waited = snapshot.observed_at - sent.at if sent is not None and snapshot.observed_at else timedelta(0)
    after = None if sent is None else _answer_after(sent, messages, waited)
    return replace(snapshot, messages=tuple(messages), answer_after=after)


_NEW_WITHIN = timedelta(seconds=2)
_STABLE_AFTER = timedelta(seconds=10)


def may_be_a_flicker(snapshot: Snapshot, previous: Snapshot | None, service_at: datetime | None) -> bool:
    """Return whether the end of a turn should be looked at again before it is believed.

    Services show `waiting_for_user` for a moment while Devin works. Believed at once is a turn that was over before,
    and one that ends with a message by Devin that was not there at the last look.

    Args:
        snapshot: with the conversation.
        previous: as it was seen before.
        service_at: the present time by the service's clock; None where it does not tell it.
    """
    if not snapshot.turn_over or snapshot.status_detail not in ("waiting_for_user", "blocked"):
        return False
    if previous is None:
        updated_at = snapshot.updated_at
        return service_at is not None and updated_at is not None and service_at - updated_at < _STABLE_AFTER
    if previous.turn_over:
        return False
    newest = snapshot.messages[-1] if snapshot.messages else None
    if newest is None or newest.source != "devin" or newest.created_at is None or service_at is None:
        return True
    times = snapshot.observed_at, previous.observed_at
    since = times[0] - times[1] if times[0] and times[1] else timedelta(0)
    return service_at - newest.created_at > since + _NEW_WITHIN


def _compared(text: str) -> str:
    """White space may change on the way, v1 adds lines for files, and the journal keeps beginnings only."""
    lines = (line for line in text.splitlines() if not line.startswith('ATTACHMENT:"'))
    return " ".join(" ".join(lines).split())[:160]


def exchange(messages: Sequence[Message], text: str) -> Sequence[Message]:
    """Return our last message with this text and those up to our next one; empty if it is not there.

    Args:
        messages: the conversation, oldest first.
        text: the message, as it was sent.
    """
    wanted = _compared(as_returned(text))
    said = [index for index, message in enumerate(messages) if message.source == "user"]
    first = next((index for index in reversed(said) if _compared(messages[index].text).startswith(wanted)), None)
    if first is None or not wanted:
        return ()
    after = next((index for index in said if index > first), len(messages))
    return messages[first:after]


# --- the structured outputs over time ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OutputVersion:
    """One structured output as it was seen here: the service keeps the latest one only, and calls none final."""

    at: datetime | None
    """When it was first seen, UTC; None for a recorded session."""
    value: Any
    """Raw."""
    is_final: bool
    """Fresh and valid at the end of a turn; otherwise it was interim."""


def output_history(before: tuple[OutputVersion, ...], snapshot: Snapshot) -> tuple[OutputVersion, ...]:
    """Return the history of outputs with what a newer snapshot adds to it: nothing, most of the time."""
    value = snapshot.structured_output
    if value is None:
        return before
    if before and before[-1].value == value:
        if before[-1].is_final or not snapshot.output_is_final:
            return before
        return (*before[:-1], OutputVersion(before[-1].at, value, True))
    return (*before, OutputVersion(snapshot.observed_at, value, snapshot.output_is_final))


# --- the phases over time --------------------------------------------------------------------------------------

_PHASES_KEPT = 100


@dataclass(frozen=True, slots=True)
class PhaseChange:
    """The beginning of a phase, as it was seen here."""

    at: datetime | None
    """By the service's clock where it says, UTC."""
    phase: Phase
    needs_you: bool = False
    is_sent: bool = False
    """A message sent from here opened it."""


def phase_history(before: tuple[PhaseChange, ...], snapshot: Snapshot, sent: Sent | None) -> tuple[PhaseChange, ...]:
    """Return the history of phases with what a newer snapshot adds to it: nothing, most of the time.

    Args:
        before: the history so far.
        snapshot: as read, or as it stands right after a message was sent, when it still has its earlier times.
        sent: the last message that was sent.
    """
    last = before[-1] if before else None
    if last is not None and (last.phase, last.needs_you) == (snapshot.phase, snapshot.needs_you):
        return before
    is_sent = snapshot.send_pending and sent is not None and last is not None and last.phase in TURN_OVER
    at = snapshot.updated_at or snapshot.observed_at
    if sent is not None and is_sent:
        at = sent.updated_at or sent.at
    elif last is not None and last.at is not None and (at is None or at <= last.at):
        at = max(last.at, snapshot.observed_at or last.at)
    if last is not None and last.phase is snapshot.phase:  # the words of a reply came after its state
        return (*before[:-1], replace(last, needs_you=snapshot.needs_you))
    return (*before, PhaseChange(at, snapshot.phase, snapshot.needs_you, is_sent))[-_PHASES_KEPT:]


# --- the phase: computed here and nowhere else ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PhaseInputs:
    """Everything that decides a phase. For v1, `detail` is `status_enum`."""

    api_version: str
    """`"v3"` or `"v1"`."""
    status: str | None
    detail: str | None
    has_schema: bool = False
    """The session was asked for structured output."""
    has_answer: bool = False
    """There is an output that is fresh (newer than the last message) and valid."""
    terminated: bool = False
    """We terminated it before it was done."""
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
    if phase in TURN_OVER and facts.send_pending and word not in ("exit", "error"):
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


# --- the report ----------------------------------------------------------------------------------------------
# Asked for by a batch without a schema, so that every row ends in something countable.

_OUTCOMES = ("done", "needs_input", "failed")
REPORT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "outcome": {
            "type": "string",
            "enum": [*_OUTCOMES],
            "description": "done: what was asked for is finished; needs_input: a person must answer first; "
            "failed: it could not be done",
        },
        "summary": {"type": "string", "description": "what was done, in one to three sentences"},
        "question": {"type": ["string", "null"], "description": "what a person must answer, if outcome is needs_input"},
    },
    "required": ["outcome", "summary", "question"],
    "additionalProperties": False,
}
"""Draft 7, as it is sent."""


def reported_outcome(output: Any) -> str | None:
    """Return the outcome that an output reports, where it is a report."""
    word = output.get("outcome") if isinstance(output, dict) else None
    return word if word in _OUTCOMES else None


def reported_question(output: Any) -> str | None:
    """Return the question that a report asks, where it asks one."""
    if reported_outcome(output) != "needs_input":
        return None
    text = output.get("question") or output.get("summary")
    return text if isinstance(text, str) else None
