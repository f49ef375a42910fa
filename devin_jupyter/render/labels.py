"""Words, icons and colors shared by every view of a session, and the filter for untrusted text.

Times are absolute. A simulated session shows none: its clock is made up, and a notebook that runs on the simulator
must repeat byte for byte.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from devin_jupyter.models.enums import Phase
from devin_jupyter.models.snapshot import Message, PullRequest, Snapshot, reported_question
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
    """Return the icon and color of a session: those of its phase, unless it replied with a question."""
    return _ASKS if snapshot.phase is Phase.YOUR_TURN and snapshot.needs_you else PHASE_STYLES[snapshot.phase]


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


def name(snapshot: Snapshot, names: Mapping[str, str], limit: int) -> str:
    """Return the row name of a session, or its title, as one safe line."""
    return one_line(names.get(snapshot.session_id) or title(snapshot), limit)


def link(snapshot: Snapshot) -> str | None:
    """Return the address of the session in the web app."""
    return web_address(snapshot.url)


def web_address(url: str) -> str | None:
    """Return the URL if it is plain http(s) with a host and no credentials or control characters, else None."""
    if INVISIBLE.search(url) or any(char.isspace() or char in "<>\"'`\\" for char in url) or len(url) > 2000:
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
        return "Devin waits for an approval that only the web app can give."
    if snapshot.is_archived and snapshot.phase in (Phase.ASLEEP, Phase.YOUR_TURN):
        return "Archived: a message wakes it only once %devin unarchive, or .unarchive(), has taken it out."
    if snapshot.phase is Phase.ASLEEP:
        return "A message wakes it; asleep it costs nothing."
    if snapshot.phase is Phase.BLOCKED:
        return f"Suspended by the service: {detail(snapshot)}."
    if snapshot.phase is Phase.FAILED:
        return f"The session broke on the service's side ({detail(snapshot)})."
    if snapshot.phase is Phase.STOPPED:
        has_answer = last_text(snapshot) is not None or answer(snapshot) is not None
        return "It was ended and cannot be resumed." if has_answer else "It was ended before there was an answer."
    return None


def board_column(snapshot: Snapshot) -> int:
    """Return the column of a board: 0 needs you, 1 working, 2 over."""
    return 0 if needs_you(snapshot) else 2 if snapshot.turn_over else 1


def totals(snapshots: Sequence[Snapshot], waiting: int = 0) -> str:
    """Return how many sessions there are, in which state, and what they cost together.

    Args:
        snapshots: one per session.
        waiting: rows that have no session yet.
    """
    columns = [board_column(snapshot) for snapshot in snapshots]
    count, needing = len(snapshots) + waiting, columns.count(0)
    phases = Counter(snapshot.phase for snapshot, column in zip(snapshots, columns, strict=True) if column == 2)
    known = [snapshot.acus for snapshot in snapshots if snapshot.acus is not None]
    unknown = len(snapshots) - len(known)
    words = [
        f"{count:,} session{'' if count == 1 else 's'}",
        f"{needing:,} need{'s' if needing == 1 else ''} you",
        f"{columns.count(1):,} working",
        *(f"{phases[phase]:,} {phase.label}" for phase in Phase if phases[phase] or phase is Phase.DONE),
        f"{waiting:,} waiting" if waiting else "",
        format_acus(sum(known)) + (f" + {unknown:,} unknown" if unknown else ""),
        "simulated" if any(snapshot.simulated for snapshot in snapshots) else "",
        "recorded" if any(snapshot.recorded is not None for snapshot in snapshots) else "",
    ]
    return " · ".join(filter(None, words))


def last_text(snapshot: Snapshot) -> str | None:
    """Return the message to show first: Devin's question, or its last message if the session was stopped."""
    last = snapshot.last_word if snapshot.phase is Phase.STOPPED else None
    return snapshot.question or (last.text if last else None)


def needs_you(snapshot: Snapshot) -> bool:
    """Return whether a board lists the session under "needs you"; archived sessions never do."""
    return (snapshot.needs_you or report_question(snapshot) is not None) and not snapshot.is_archived


def report_question(snapshot: Snapshot) -> str | None:
    """Return the question in the report of a batch session whose turn is over, or None."""
    return reported_question(snapshot.structured_output) if snapshot.turn_over and snapshot.output_is_fresh else None


def question_line(snapshot: Snapshot, limit: int) -> str:
    """Return Devin's question on one line, or an empty string."""
    question = snapshot.question or report_question(snapshot)
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


def output_status(snapshot: Snapshot) -> str:
    """Return `validated`, `provisional`, `does not fit the schema`, or an empty string for unchecked output."""
    if snapshot.structured_output is None:
        return ""
    if not snapshot.turn_over or not snapshot.output_is_fresh:
        return "provisional"
    if not snapshot.output_is_valid:
        return "does not fit the schema"
    return "validated" if snapshot.schema is not None else ""
