"""The words, icons and colors every view of a session shares, and the filter for text somebody else wrote.

Absolute times only, and none at all for a simulated session: its clock is made up, and a notebook that runs on
the simulator has to repeat byte for byte. Its links are shown like any other's, with "simulated" beside them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from devin_jupyter.models import report
from devin_jupyter.models.phase import Phase
from devin_jupyter.models.snapshot import Message, PullRequest, Snapshot
from devin_jupyter.redaction import redact

TITLE_LIMIT = 160
TEXT_LIMIT = 20_000

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # controls but tab, newline, return
    "\u00ad\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # bidi and hidden marks
    "\ud800-\udfff\U000e0000-\U000e007f]"  # lone surrogates, and tags that smuggle text
)
_PULL_REQUEST = re.compile(r"/([^/]+/[^/]+)/(?:-/)?(?:pull|pulls|pull-requests|merge_requests)/(\d+)/?$")


@dataclass(frozen=True, slots=True)
class Look:
    """How a phase is drawn: an icon, and a background on which white text has AA contrast."""

    icon: str
    color: str


LOOKS = {
    Phase.QUEUED: Look("○", "#57606a"),
    Phase.WORKING: Look("◐", "#0860ca"),
    Phase.YOUR_TURN: Look("?", "#8a5a00"),
    Phase.NEEDS_APPROVAL: Look("!", "#8a5a00"),
    Phase.DONE: Look("✓", "#1a7432"),
    Phase.ASLEEP: Look("☾", "#57606a"),
    Phase.BLOCKED: Look("■", "#b04400"),
    Phase.STOPPED: Look("■", "#57606a"),
    Phase.FAILED: Look("✗", "#c01f2b"),
}


def safe_text(value: object, limit: int = TEXT_LIMIT) -> str:
    """Return text that can only be read: redacted, without control, bidi and hidden characters, and cut at `limit`."""
    text = redact(_INVISIBLE.sub("", str(value)))  # before it is cut
    if len(text) <= limit:
        return text
    return f"{text[:limit].rstrip()}… ({len(str(value)) - limit:,} more characters)"


def safe_tree(value: Any) -> Any:
    """Return a copy of a JSON value in which every string, keys included, is safe text."""
    if isinstance(value, str):
        return safe_text(value)
    if isinstance(value, dict):
        return {safe_text(key): safe_tree(item) for key, item in value.items()}
    return [safe_tree(item) for item in value] if isinstance(value, list) else value


def one_line(value: object, limit: int = TITLE_LIMIT) -> str:
    """Return the text as one safe line, cut at `limit`."""
    line = " ".join(safe_text(value, limit * 4).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def acu(value: float | None) -> str:
    """Return the cost in words: `1.4 ACU`, or `ACU unknown` where the service does not say."""
    return "ACU unknown" if value is None else f"{amount(value)} ACU"


def amount(value: float) -> str:
    """Return an amount of ACUs with two decimals at most and no trailing zeros."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if value else "0"


def cost(snapshot: Snapshot) -> str:
    """Return what the session cost so far, against its cap where it has one."""
    if snapshot.max_acu_limit is None:
        return acu(snapshot.acus)
    if snapshot.acus is None:
        return f"ACU unknown, at most {snapshot.max_acu_limit}"
    return f"{amount(snapshot.acus)} of {snapshot.max_acu_limit} ACU"


def title(snapshot: Snapshot) -> str:
    """Return the title as one safe line."""
    return one_line(snapshot.title or "Devin session")


def link(snapshot: Snapshot) -> str | None:
    """Return the address of the session in the web app."""
    return web_address(snapshot.url)


def web_address(url: str) -> str | None:
    """Return the URL if it is plain http or https with a host and without tricks, else None."""
    if _INVISIBLE.search(url) or any(char.isspace() or char in "<>\"'`\\" for char in url) or len(url) > 2000:
        return None
    try:
        parts = urlsplit(url)
        usable = parts.scheme.lower() in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return None
    return redact(url) if usable else None


def moment(at: datetime | None) -> str | None:
    """Return an absolute time to the minute, in UTC."""
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else None


def speaker(message: Message) -> str:
    """Return who wrote a message."""
    return "Devin" if message.source == "devin" else "You"


def labels(snapshot: Snapshot) -> list[str]:
    """Return what must be said wherever this session is shown: that it is simulated, recorded or archived."""
    found = ["simulated"] if snapshot.simulated else []
    if snapshot.recorded is not None:
        found.append(f"recorded {snapshot.recorded:%Y-%m-%d}")
    return found + (["archived"] if snapshot.is_archived else [])


def explanation(snapshot: Snapshot) -> str | None:
    """Return one sentence on what the phase means for the reader, where the word alone does not say it."""
    if snapshot.phase is Phase.NEEDS_APPROVAL:
        return "Devin waits for an approval that only the web app can give."
    if snapshot.is_archived and snapshot.phase in (Phase.ASLEEP, Phase.YOUR_TURN):
        return "Archived, it takes no messages: %devin archive --undo, or .unarchive(), takes it out."
    if snapshot.phase is Phase.ASLEEP:
        return "A message wakes it; asleep it costs nothing."
    if snapshot.phase is Phase.BLOCKED:
        return f"Suspended by the service: {detail(snapshot)}."
    if snapshot.phase is Phase.FAILED:
        return f"The session broke on the service's side ({detail(snapshot)})."
    if snapshot.phase is Phase.STOPPED:
        is_empty = said(snapshot) is None and answer(snapshot) is None
        return "It was ended before there was an answer." if is_empty else "It was ended and cannot be resumed."
    return None


def said(snapshot: Snapshot) -> str | None:
    """Return what Devin said last where that is what counts: its question, or its last word before it was ended."""
    word = snapshot.last_word if snapshot.phase is Phase.STOPPED else None
    return snapshot.question or (word.text if word else None)


def needs_you(snapshot: Snapshot) -> bool:
    """Return whether a board asks for a person; what was archived was put away."""
    return (snapshot.needs_you or asked_in_report(snapshot) is not None) and not snapshot.is_archived


def asked_in_report(snapshot: Snapshot) -> str | None:
    """Return what a session of a batch asks in its report: its turn is over and done, and a person must answer."""
    return report.question(snapshot.structured_output) if snapshot.turn_over and snapshot.output_is_fresh else None


def asked(snapshot: Snapshot, longest: int) -> str:
    """Return what Devin asks, on one line; empty where it asks nothing."""
    question = snapshot.question or asked_in_report(snapshot)
    return one_line(question, longest) if question else ""


def detail(snapshot: Snapshot) -> str:
    """Return the service's own word for the state, readable."""
    return one_line(snapshot.status_detail or snapshot.status or "no reason given", 80).replace("_", " ")


def pull_request_name(pull_request: PullRequest) -> str:
    """Return `owner/name#12` where the URL has that form, else the URL."""
    match = _PULL_REQUEST.search(urlsplit_path(pull_request.url))
    return one_line(f"{match[1]}#{match[2]}" if match else pull_request.url, 120)


def urlsplit_path(url: str) -> str:
    """Return the path of a URL, empty for what is none."""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def answer(snapshot: Snapshot) -> Any:
    """Return what Devin answered: the structured output, or the last message of a session that is done."""
    if snapshot.structured_output is not None and snapshot.output_is_fresh:
        return snapshot.structured_output
    word = snapshot.last_word
    return word.text if snapshot.phase is Phase.DONE and word else None


def standing(snapshot: Snapshot) -> str:
    """Return how far the structured output can be trusted: `validated`, `provisional`, `invalid` or empty."""
    if snapshot.structured_output is None:
        return ""
    if not snapshot.turn_over or not snapshot.output_is_fresh:
        return "provisional"
    return "validated" if snapshot.output_is_valid and snapshot.schema is not None else _unchecked(snapshot)


def _unchecked(snapshot: Snapshot) -> str:
    return "" if snapshot.output_is_valid else "does not fit the schema"
