"""Words, icons and colors shared by every view of a session, and the filter for untrusted text.

Times are absolute. A simulated session shows none: its clock is made up, and a notebook that runs on the simulator
must repeat byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any
from urllib.parse import urlsplit

from devin_jupyter.models.enums import ASKS, Phase
from devin_jupyter.models.snapshot import Message, PullRequest, Snapshot, exchange
from devin_jupyter.models.steps import LiveView
from devin_jupyter.redaction import redact
from devin_jupyter.text import INVISIBLE, TEXT_LIMIT, format_acus, format_amount, format_utc, one_line

_PULL_REQUEST = re.compile(r"/([^/]+/[^/]+)/(?:-/)?(?:pull|pulls|pull-requests|merge_requests)/(\d+)/?$")


@dataclass(frozen=True, slots=True)
class PhaseStyle:
    """The icon of a phase, and a background on which white text has AA contrast."""

    icon: str
    color: str


PHASE_STYLES = {
    Phase.QUEUED: PhaseStyle("○", "#57606a"),
    Phase.WORKING: PhaseStyle("◐", "#0860ca"),
    Phase.YOUR_TURN: PhaseStyle("✓", "#1a7432"),
    Phase.NEEDS_APPROVAL: PhaseStyle("!", "#8a5a00"),
    Phase.DONE: PhaseStyle("✓", "#1a7432"),
    Phase.ASLEEP: PhaseStyle("☾", "#57606a"),
    Phase.BLOCKED: PhaseStyle("■", "#b04400"),
    Phase.STOPPED: PhaseStyle("■", "#57606a"),
    Phase.FAILED: PhaseStyle("✗", "#c01f2b"),
}
_ASKS = PhaseStyle("?", "#8a5a00")


def style(snapshot: Snapshot) -> PhaseStyle:
    """Return the icon and color of a session: those of its phase, unless it ended with a question."""
    return _ASKS if snapshot.label == ASKS else PHASE_STYLES[snapshot.phase]


def phase_style(phase: Phase, *, needs_you: bool) -> PhaseStyle:
    """Return the icon and color of a phase."""
    return _ASKS if phase is Phase.YOUR_TURN and needs_you else PHASE_STYLES[phase]


def phase_label(phase: Phase, *, needs_you: bool) -> str:
    """Return the words for a phase."""
    return ASKS if phase is Phase.YOUR_TURN and needs_you else phase.label


def cost(snapshot: Snapshot) -> str:
    """Return the cost so far, with the cap if there is one."""
    if snapshot.max_acu_limit is None:
        return format_acus(snapshot.acus)
    if snapshot.acus is None:
        return f"ACU unknown, at most {snapshot.max_acu_limit}"
    return f"{format_amount(snapshot.acus)} of {snapshot.max_acu_limit} ACU"


def title(snapshot: Snapshot) -> str:
    """Return the title as one safe line."""
    return one_line(snapshot.title or "Devin session")


def link(snapshot: Snapshot) -> str | None:
    """Return the address of the session in the web app."""
    return web_address(snapshot.url)


SHOWN_PULL_REQUESTS = 50


def web_address(url: str) -> str | None:
    """Return the URL if it is plain http(s) with a host and no credentials or control characters, else None."""
    if len(url) > 2000 or INVISIBLE.search(url) or any(char.isspace() or char in "<>\"'`\\" for char in url):
        return None
    try:
        parts = urlsplit(url)
        usable = parts.scheme.lower() in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return None
    return redact(url) if usable else None


def timestamp(at: datetime | None) -> str | None:
    """Return an absolute time to the minute, in UTC."""
    return format_utc(at) if at else None


def speaker(message: Message) -> str:
    """Return who wrote a message."""
    return "Devin" if message.source == "devin" else "You"


def labels(snapshot: Snapshot) -> list[str]:
    """Return the labels that go with a session wherever it is shown: simulated, recorded, archived."""
    found = ["simulated"] if snapshot.simulated else []
    if snapshot.recorded is not None:
        found.append(f"recorded {snapshot.recorded:%Y-%m-%d}")
    return found + (["archived"] if snapshot.is_archived else [])


def explanation(snapshot: Snapshot) -> str | None:
    """Return a sentence that explains the phase, for phases whose label does not."""
    if snapshot.phase is Phase.NEEDS_APPROVAL:
        return "Devin waits for your approval: in the web app, or with .approve() where the live channel is on."
    if snapshot.is_archived and snapshot.phase in (Phase.ASLEEP, Phase.YOUR_TURN):
        return "Archived: a message wakes it only once %devin unarchive, or .unarchive(), has taken it out."
    if snapshot.phase is Phase.ASLEEP:
        return "A message wakes it; asleep it costs nothing."
    if snapshot.phase is Phase.BLOCKED:
        return f"Suspended by the service: {detail(snapshot)}."
    if snapshot.phase is Phase.FAILED:
        return f"The session failed on the service's side ({detail(snapshot)})."
    if snapshot.phase is Phase.STOPPED:
        has_answer = snapshot.last_word is not None or answer(snapshot) is not None
        return "It was ended and cannot be resumed." if has_answer else "It was ended before there was an answer."
    return None


def not_shown(name: str, fault: Exception) -> str:
    """Return the line for a session or a board that cannot be shown, but is otherwise fine."""
    kind = one_line(f"{type(fault).__name__}: {fault}")
    return f"{name} is fine, only its display failed ({kind}); .result() and .frame() work, %devin debug reports it"


@dataclass(frozen=True, slots=True)
class Words:
    """The part of Devin's words that a view shows."""

    text: str
    """In Markdown, untrusted."""
    is_question: bool = False
    """It asks the reader for something."""
    is_whole: bool = True
    """It is shown in full: it is a question, or all the answer there is. Otherwise a few lines of it are."""


def spoken(snapshot: Snapshot, message: str = "") -> tuple[str, Words | None]:
    """Return the message that a view begins with, and the words of Devin that belong below it.

    Without a message these are Devin's last words in the present turn; what was said before the last message of a
    person does not answer it.

    Args:
        snapshot: the session.
        message: the message that a cell sent; empty for a view of the whole session.
    """
    said = exchange(snapshot.messages, message) if message else ()
    if said and said[-1] is not snapshot.messages[-1]:  # a later message has opened a turn of its own
        reply = next((each for each in reversed(said) if each.source == "devin"), None)
        return message, Words(reply.text) if reply else None
    if snapshot.send_pending and not said:
        return message, None
    has_output = snapshot.structured_output is not None and snapshot.output_is_fresh
    if snapshot.question:
        return message, Words(snapshot.question, needs_you(snapshot), needs_you(snapshot) or not has_output)
    turn = takewhile(lambda each: each.source != "user", reversed(snapshot.messages))
    last = next((each for each in turn if each.source == "devin"), None)
    return message, Words(last.text, is_whole=snapshot.turn_over and not has_output) if last else None


def seconds_taken(snapshot: Snapshot) -> float | None:
    """Return how long the last turn took; None while it is open, or where the service does not say."""
    asked = [each.created_at for each in snapshot.messages if each.source == "user" and each.created_at is not None]
    last, began = snapshot.last_word, turn_began(snapshot)
    has_words = last is not None and last.created_at is not None and bool(asked) and last.created_at > asked[-1]
    is_cut = snapshot.phase in (Phase.STOPPED, Phase.FAILED, Phase.BLOCKED)
    ended = last.created_at if last is not None and has_words and not is_cut else snapshot.updated_at
    if not snapshot.turn_over or began is None or ended is None:
        return None
    return max(0.0, (ended - began).total_seconds())


def turn_began(snapshot: Snapshot) -> datetime | None:
    """Return when the last message of a person was sent, or when the session was started."""
    asked = (each.created_at for each in reversed(snapshot.messages) if each.source == "user")
    return next(asked, None) or snapshot.created_at


def duration(seconds: float) -> str:
    """Return a duration as `4 min 2 s`."""
    whole = max(0, round(seconds))
    minutes, hours = whole // 60, whole // 3600
    if whole < 60:
        return f"{whole} s"
    if minutes < 60:
        return f"{minutes} min" + (f" {whole % 60} s" if minutes < 10 and whole % 60 else "")
    if hours < 48:
        return f"{hours} h" + (f" {minutes % 60} min" if minutes % 60 else "")
    return f"{hours // 24} days"


def at_work(view: LiveView) -> list[str]:
    """Return what Devin does at this moment, and how far its plan is, each as a few words; nothing where unknown."""
    done, count = view.plan_progress or (0, 0)
    return [
        *([one_line(view.activity, 60)] if view.activity else []),
        *([f"plan {done} of {count}"] if count else []),
    ]


def answer_note(snapshot: Snapshot, rows: int | None) -> str:
    """Return the line below an answer: how many rows, and whether it is valid."""
    counted = f"{rows:,} row{'' if rows == 1 else 's'}" if rows else ""
    return " · ".join(filter(None, (counted, output_status(snapshot))))


def needs_you(snapshot: Snapshot) -> bool:
    """Return whether a board lists the session under "needs you"; archived sessions never do."""
    return (snapshot.needs_you or snapshot.asked_in_report is not None) and not snapshot.is_archived


def question_line(snapshot: Snapshot, limit: int) -> str:
    """Return Devin's question as one line, or an empty string."""
    question = snapshot.question or snapshot.asked_in_report
    return one_line(question, limit) if question else ""


def detail(snapshot: Snapshot) -> str:
    """Return the service's own status text in readable form."""
    return one_line(snapshot.status_detail or snapshot.status or "no reason given", 80).replace("_", " ")


def pull_request_name(pull_request: PullRequest) -> str:
    """Return `owner/name#12` if the URL has that form, else the URL."""
    try:
        match = _PULL_REQUEST.search(urlsplit(pull_request.url).path)
    except ValueError:  # not a URL
        match = None
    return one_line(f"{match[1]}#{match[2]}" if match else pull_request.url, 120)


def answer(snapshot: Snapshot) -> Any:
    """Return the structured output, or the last message of a session that is done."""
    if snapshot.structured_output is not None and snapshot.output_is_fresh:
        return snapshot.structured_output
    last = snapshot.last_word
    return last.text if snapshot.phase is Phase.DONE and last else None


def whole_answer(snapshot: Snapshot) -> str:
    """Return where the whole of an answer is, of which a part is shown."""
    return f"This is a part of the answer; .result() returns all of it (in a new kernel: {_reopened(snapshot)})."


def unsaved_answer(snapshot: Snapshot) -> str:
    """Return where the answer is that was too large for the notebook file."""
    size = f"{(snapshot.unsaved_answer or 0) / 1e6:.2g} MB"
    return f"The answer ({size}) is not saved in the notebook; {_reopened(snapshot)} reads it."


def _reopened(snapshot: Snapshot) -> str:
    return f"dj.get({snapshot.session_id!r}).result()"


def first_pull_requests(snapshot: Snapshot) -> tuple[Sequence[PullRequest], str]:
    """Return the pull requests that a card shows, and a line on those that are left out."""
    shown = snapshot.pull_requests[:SHOWN_PULL_REQUESTS]
    left_out = len(snapshot.pull_requests) - len(shown)
    return shown, f"{left_out:,} more pull requests: .pull_requests" if left_out else ""


def newest_messages(snapshot: Snapshot, most: int) -> tuple[Sequence[Message], str]:
    """Return the newest messages of up to `most` characters together, and a line on those that are left out."""
    shown: list[Message] = []
    for message in reversed(snapshot.messages):
        most -= min(len(message.text), TEXT_LIMIT)
        if most < 0 and shown:
            break
        shown.append(message)
    left_out = len(snapshot.messages) - len(shown)
    note = f"{left_out:,} earlier messages are left out: %devin messages {snapshot.session_id} shows them."
    return shown[::-1], note if left_out else ""


def structured_answer(snapshot: Snapshot) -> Any:
    """Return the structured output that answers the last message, or None."""
    return snapshot.structured_output if snapshot.output_is_fresh else None


def output_status(snapshot: Snapshot) -> str:
    """Return `validated`, `provisional`, `does not fit the schema`, or an empty string for unchecked output."""
    if snapshot.structured_output is None:
        return ""
    if not snapshot.turn_over or not snapshot.output_is_fresh:
        return "provisional"
    if not snapshot.output_is_valid:
        return "does not fit the schema"
    return "validated" if snapshot.schema is not None else ""
