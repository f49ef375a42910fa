"""A snapshot as plain text: for terminals, `text/plain` of a saved notebook, and screen readers of both."""

from __future__ import annotations

import json
import textwrap
from typing import Any

from devin_jupyter.models.snapshot import Snapshot
from devin_jupyter.redaction import redact_tree
from devin_jupyter.render import wording

ANSWER_LINES = 60
QUESTION_LIMIT = 4000


def text(snapshot: Snapshot, *, columns: int = 100, transcript: bool = False) -> str:
    """Return the snapshot as text of about `columns` characters a line; the same snapshot gives the same text.

    Args:
        snapshot: what to show.
        columns: how wide it may be.
        transcript: add the conversation.
    """
    lines = [
        _headline(snapshot, columns),
        _place(snapshot),
        *_explained(snapshot),
        *_question(snapshot, columns),
        *_answer(snapshot, columns),
        *_pull_requests(snapshot),
        *(_transcript(snapshot, columns) if transcript else []),
    ]
    return "\n".join(line for line in lines if line)


def _headline(snapshot: Snapshot, columns: int) -> str:
    look = wording.LOOKS[snapshot.phase]
    facts = " · ".join([wording.cost(snapshot), *wording.labels(snapshot)])
    start = f"{look.icon} {snapshot.phase.label}"
    room = max(20, columns - len(start) - len(facts) - 6)
    return f"{start} · {wording.one_line(wording.title(snapshot), room)} · {facts}"


def _place(snapshot: Snapshot) -> str:
    address = wording.link(snapshot)
    return f"  {snapshot.session_id}" + (f"  {address}" if address else "")


def _explained(snapshot: Snapshot) -> list[str]:
    sentence = wording.explanation(snapshot)
    return [f"  {sentence}"] if sentence else []


def _question(snapshot: Snapshot, columns: int) -> list[str]:
    said = wording.said(snapshot)
    return ["  Devin wrote:", *_wrapped(wording.safe_text(said, QUESTION_LIMIT), columns)] if said else []


def _answer(snapshot: Snapshot, columns: int) -> list[str]:
    value = wording.answer(snapshot)
    if value is None:
        return []
    standing = wording.standing(snapshot)
    heading = f"  answer ({standing}):" if standing else "  answer:"
    if isinstance(value, str):
        return [heading, *_wrapped(wording.safe_text(value), columns)]
    return [heading, *_json_lines(value, columns)]


def _json_lines(value: Any, columns: int) -> list[str]:
    lines = [wording.safe_text(line, 400) for line in _unfold(redact_tree(value), max(30, columns - 4))]
    return _indented(lines)


def _unfold(value: Any, room: int) -> list[str]:
    """JSON in as few lines as fit: what does not fit on its line is opened, one item a line."""
    flat = json.dumps(value, ensure_ascii=False, default=str)
    if len(flat) <= room or not isinstance(value, (dict, list)):
        return [flat]
    pairs = value.items() if isinstance(value, dict) else ((None, item) for item in value)
    lines: list[str] = []
    for key, item in pairs:
        start = "" if key is None else f"{json.dumps(key, ensure_ascii=False)}: "
        first, *rest = _unfold(item, room - 2 - len(start))
        lines += [f"  {start}{first}", *(f"  {line}" for line in rest)]
        lines[-1] += ","
    lines[-1] = lines[-1][:-1]
    return ["{", *lines, "}"] if isinstance(value, dict) else ["[", *lines, "]"]


def _wrapped(paragraphs: str, columns: int) -> list[str]:
    lines: list[str] = []
    for paragraph in paragraphs.splitlines():
        lines += textwrap.wrap(paragraph, max(30, columns - 4), replace_whitespace=False) or [""]
    return _indented(lines)


def _indented(lines: list[str]) -> list[str]:
    rest = len(lines) - ANSWER_LINES
    shown = [*lines[:ANSWER_LINES], f"… {rest:,} more lines"] if rest > 0 else lines
    return [f"    {line}".rstrip() or " " for line in shown]


def _pull_requests(snapshot: Snapshot) -> list[str]:
    lines = []
    for pull_request in snapshot.pull_requests:
        state = wording.one_line(pull_request.state or "state unknown", 40)
        address = wording.web_address(pull_request.url) or ""
        lines.append(f"  pull request {wording.pull_request_name(pull_request)} ({state})  {address}".rstrip())
    return lines


def _transcript(snapshot: Snapshot, columns: int) -> list[str]:
    lines = [f"  conversation ({len(snapshot.messages)}):"] if snapshot.messages else []
    for message in snapshot.messages:
        said = _wrapped(wording.safe_text(message.text).strip(), columns)
        lines += [f"  {wording.speaker(message)}:", *said]
    return lines
