"""Sessions as plain text, for terminals, the `text/plain` of a saved notebook, and screen readers."""

from __future__ import annotations

import json
import textwrap
from typing import Any

from devin_jupyter.models.snapshot import Snapshot
from devin_jupyter.models.steps import LiveView
from devin_jupyter.redaction import redact_tree
from devin_jupyter.render import labels
from devin_jupyter.render.answers import Section, is_plain, n_rows, plain_text, sections
from devin_jupyter.text import TEXT_LIMIT, one_line, safe_text

ANSWER_LINES, ANSWER_COLUMNS = 60, 400
QUESTION_LIMIT, CONVERSATION = 4000, 60_000


def session_text(
    snapshot: Snapshot,
    *,
    columns: int = 100,
    transcript: bool = False,
    message: str = "",
    name: str = "",
    live: LiveView | None = None,
) -> str:
    """Return the snapshot as text of about `columns` characters a line; the same snapshot gives the same text.

    Args:
        snapshot: the session.
        columns: how wide the text may be.
        transcript: add the conversation, and the titles of the steps that the live channel told.
        message: what the cell sent; the text continues with it and with Devin's reply.
        name: the variable that holds the session, for the line that says how to read the answer.
        live: what the live channel tells.
    """
    phase = f"{labels.style(snapshot).icon} {snapshot.label}"
    took = None if snapshot.simulated else labels.seconds_taken(snapshot)
    times = [labels.duration(took)] if took is not None else []
    facts = " · ".join([labels.cost(snapshot), *times, *labels.labels(snapshot)])
    title = one_line(labels.title(snapshot), max(20, columns - len(phase) - len(facts) - 6))
    lines = [f"{phase} · {title} · {facts}"]
    listed, note = labels.first_pull_requests(snapshot)
    for each in listed:
        state = one_line(each.state or "state unknown", 40)
        address = labels.web_address(each.url) or ""
        lines.append(f"  {labels.pull_request_name(each)} {state}  {address}".rstrip())
    lines.append(f"  {note}" if note else "")
    you, words = labels.spoken(snapshot, message)
    is_asked = words is not None and words.is_question
    if you:
        lines += _said("You", you, columns, most=3)
    if words is not None and not is_asked:
        lines += _said("Devin", words.text, columns, most=None if words.is_whole else 3)
    if live is not None and not snapshot.turn_over:
        lines += _at_work(live, columns)
    if sentence := labels.explanation(snapshot):
        lines.append(f"  {sentence}")
    if (answer := labels.structured_answer(snapshot)) is not None and snapshot.turn_over:
        lines += _answer(snapshot, answer, columns, name)
    if snapshot.unsaved_answer is not None:
        lines.append(f"  {labels.unsaved_answer(snapshot)}")
    if words is not None and is_asked:
        lines += _said("Devin asks", words.text, columns, most=None)
    lines.append(f"  {snapshot.session_id}  {labels.link(snapshot) or ''}".rstrip())
    if transcript:
        lines += _transcript(snapshot, live, columns)
    return "\n".join(line for line in lines if line)


def _at_work(live: LiveView, columns: int) -> list[str]:
    icons = {"completed": "✓", "in_progress": "◐"}
    plan = [f"    {icons.get(each.status, '·')} {one_line(each.text, columns)}" for each in live.plan[:ANSWER_LINES]]
    return [*([f"  {one_line(live.activity, columns)}"] if live.activity else []), *plan]


def _transcript(snapshot: Snapshot, live: LiveView | None, columns: int) -> list[str]:
    lines: list[str] = []
    if snapshot.messages:
        messages, note = labels.newest_messages(snapshot, CONVERSATION)
        lines += [f"  conversation ({len(snapshot.messages)}):", *([f"  {note}"] if note else [])]
        for message in messages:
            lines += [f"  {labels.speaker(message)}:", *_wrap(safe_text(message.text).strip(), columns)]
    if live is not None and live.steps:
        lines.append(f"  steps ({len(live.steps)}):")
        for step in live.steps[-ANSWER_LINES:]:
            lines.append(
                "    "
                + " · ".join(filter(None, (step.kind, one_line(step.title, columns), one_line(step.status or "", 40))))
            )
    return lines


def _said(who: str, text: str, columns: int, *, most: int | None) -> list[str]:
    """Return a speaker's words as lines under the name; at most `most` of them."""
    lines = _wrap(safe_text(text, QUESTION_LIMIT if most else TEXT_LIMIT).strip(), columns)
    if most is not None and len(lines) > most:
        lines = [*lines[:most], "    …"]
    return [f"  {who}:", *lines]


def _answer(snapshot: Snapshot, answer: Any, columns: int, name: str) -> list[str]:
    """Return the answer as tables, names and values, and JSON for what is nested deeper."""
    room = max(30, columns - 4)
    parts = sections(answer)
    lines: list[str] = []
    is_whole = True
    for part in parts:
        lines += [one_line(part.title, 80)] if part.title else []
        if part.kind in ("table", "pairs"):
            cells = [cell for row in part.rows[:ANSWER_LINES] for cell in row]
            is_whole &= not part.more_columns and len(part.rows) <= ANSWER_LINES
            is_whole &= all(len(_cell(cell)) < ANSWER_COLUMNS for cell in cells)
            lines += _table_lines(part, room)
            continue
        value = part.rows[0][0] if part.kind == "value" else [item for (item,) in part.rows]
        try:
            folded = [plain_text(value)] if is_plain(value) else _fold_json(redact_tree(value), room)
        except (RecursionError, ValueError):
            folded, is_whole = ["… nested too deep to show"], False
        is_whole &= all(len(line) <= ANSWER_COLUMNS for line in folded)
        lines += [safe_text(line, ANSWER_COLUMNS) for line in folded]
    note = " · ".join(filter(None, (labels.answer_note(snapshot, n_rows(parts)), f"{name}.frame()")))
    rest = [] if is_whole and len(lines) <= ANSWER_LINES else [f"  {labels.whole_answer(snapshot)}"]
    return [*_indent(lines), f"  {note}", *rest]


def _table_lines(part: Section, room: int) -> list[str]:
    """Return a table, or names and values, in columns that share the width; long cells wrap."""
    rows = [[_cell(cell) for cell in cells] for cells in part.rows[:ANSWER_LINES]]
    heads = [[one_line(column, 80) for column in part.columns]] if part.kind == "table" else []
    if not rows:
        return ["none"]
    widths = [max(1, *map(len, column)) for column in zip(*heads, *rows, strict=True)]
    while sum(widths) + 2 * (len(widths) - 1) > room and max(widths) > 8:
        widths[widths.index(max(widths))] -= 1
    lines = []
    for cells in (*heads, *rows):
        wrapped = [textwrap.wrap(cell, width) or [""] for cell, width in zip(cells, widths, strict=True)]
        for number in range(max(map(len, wrapped))):
            pieces = [piece[number] if number < len(piece) else "" for piece in wrapped]
            lines.append("  ".join(piece.ljust(width) for piece, width in zip(pieces, widths, strict=True)).rstrip())
    rest = len(part.rows) - len(rows)
    return [*lines, f"… {rest:,} more rows"] if rest > 0 else lines


def _cell(value: Any) -> str:
    if is_plain(value):
        return one_line(plain_text(value), ANSWER_COLUMNS)
    try:
        return one_line(json.dumps(redact_tree(value), ensure_ascii=False, default=str), ANSWER_COLUMNS)
    except (RecursionError, ValueError):
        return "… nested too deep to show"


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
