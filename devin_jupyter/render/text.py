"""Sessions as plain text, for terminals, the `text/plain` of a saved notebook, and screen readers."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from devin_jupyter.models.snapshot import Snapshot
from devin_jupyter.redaction import redact_tree
from devin_jupyter.render import labels
from devin_jupyter.text import TEXT_LIMIT, format_acus, one_line, safe_text

ANSWER_LINES, ANSWER_COLUMNS, BOARD_ROWS = 60, 400, 40
QUESTION_LIMIT, CONVERSATION = 4000, 60_000


def session_text(snapshot: Snapshot, *, columns: int = 100, transcript: bool = False) -> str:
    """Return the snapshot as text of about `columns` characters a line; the same snapshot gives the same text.

    Args:
        snapshot: the session.
        columns: how wide the text may be.
        transcript: add the conversation.
    """
    phase = f"{labels.style(snapshot).icon} {snapshot.label}"
    facts = " · ".join([labels.cost(snapshot), *labels.labels(snapshot)])
    title = one_line(labels.title(snapshot), max(20, columns - len(phase) - len(facts) - 6))
    lines = [f"{phase} · {title} · {facts}", f"  {snapshot.session_id}  {labels.link(snapshot) or ''}".rstrip()]
    if sentence := labels.explanation(snapshot):
        lines.append(f"  {sentence}")
    if last_text := labels.last_text(snapshot):
        lines += ["  Devin wrote:", *_wrap(safe_text(last_text, QUESTION_LIMIT), columns)]
    if (answer := labels.answer(snapshot)) is not None:
        lines += _answer(snapshot, answer, columns)
    if snapshot.unsaved_answer is not None:
        lines.append(f"  {labels.unsaved_answer(snapshot)}")
    for each in snapshot.pull_requests:
        state = one_line(each.state or "state unknown", 40)
        address = labels.web_address(each.url) or ""
        lines.append(f"  pull request {labels.pull_request_name(each)} ({state})  {address}".rstrip())
    if transcript and snapshot.messages:
        lines.append(f"  conversation ({len(snapshot.messages)}):")
        messages, note = labels.newest_messages(snapshot, CONVERSATION)
        lines += [f"  {note}"] if note else []
        for message in messages:
            lines += [f"  {labels.speaker(message)}:", *_wrap(safe_text(message.text).strip(), columns)]
    return "\n".join(line for line in lines if line)


def board_text(heading: str, snapshots: Sequence[Snapshot], names: Mapping[str, str]) -> str:
    """Return a board of sessions as text, a line each, in the order given; the first `BOARD_ROWS` are listed."""
    lines = [heading]
    for snapshot in snapshots[:BOARD_ROWS]:
        phase = f"{labels.style(snapshot).icon} {snapshot.label}"
        question = f"  {labels.question_line(snapshot, 60)}".rstrip()
        lines.append(f"  {phase:<22}{format_acus(snapshot.acus):<13}{labels.name(snapshot, names, 50)}{question}")
    rest = len(snapshots) - BOARD_ROWS
    return "\n".join([*lines, f"  … {rest:,} more"] if rest > 0 else lines)


def _answer(snapshot: Snapshot, answer: Any, columns: int) -> list[str]:
    status = labels.output_status(snapshot)
    if isinstance(answer, str):
        shown, is_whole = _wrap(safe_text(answer), columns), len(answer) <= TEXT_LIMIT
    else:
        try:
            folded = _fold_json(redact_tree(answer), max(30, columns - 4))
            is_whole = all(len(line) <= ANSWER_COLUMNS for line in folded)
        except RecursionError:
            folded, is_whole = ["… nested too deep to show"], False
        shown = _indent([safe_text(line, ANSWER_COLUMNS) for line in folded])
    rest = [] if is_whole and len(shown) <= ANSWER_LINES else [f"  {labels.whole_answer(snapshot)}"]
    return [f"  answer ({status}):" if status else "  answer:", *shown, *rest]


def _fold_json(value: Any, room: int) -> list[str]:
    """Return JSON in as few lines as fit: what does not fit on its line is opened, one item a line."""
    flat = json.dumps(value, ensure_ascii=False, default=str)
    if len(flat) <= room or not isinstance(value, (dict, list)) or not value:
        return [flat]
    pairs = value.items() if isinstance(value, dict) else ((None, item) for item in value)
    lines: list[str] = []
    for key, item in pairs:
        start = "" if key is None else f"{json.dumps(key, ensure_ascii=False)}: "
        first, *rest = _fold_json(item, room - 2 - len(start))
        lines += [f"  {start}{first}", *(f"  {line}" for line in rest)]
        lines[-1] += ","
    lines[-1] = lines[-1][:-1]
    return ["{", *lines, "}"] if isinstance(value, dict) else ["[", *lines, "]"]


def _wrap(paragraphs: str, columns: int) -> list[str]:
    lines: list[str] = []
    for paragraph in paragraphs.splitlines():
        lines += textwrap.wrap(paragraph, max(30, columns - 4), replace_whitespace=False) or [""]
    return _indent(lines)


def _indent(lines: list[str]) -> list[str]:
    rest = len(lines) - ANSWER_LINES
    shown = [*lines[:ANSWER_LINES], f"… {rest:,} more lines"] if rest > 0 else lines
    return [f"    {line}".rstrip() or " " for line in shown]
