"""The state of a session for the browser: one JSON value per snapshot, equal for snapshots that look the same.

Nothing here grows with the conversation, and nothing changes merely because time passed; the browser's own clock
makes elapsed times tick.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import pairwise
from typing import Any

from devin_jupyter.models.enums import Phase
from devin_jupyter.models.snapshot import Message, PhaseChange, PullRequest, Snapshot
from devin_jupyter.models.steps import LiveView, Step
from devin_jupyter.render import BoardRow, labels
from devin_jupyter.render.answers import Section, is_plain, n_rows, plain_text, sections
from devin_jupyter.render.html import excerpt, markdown
from devin_jupyter.text import one_line, safe_text, safe_tree

OUTPUT_BYTES = 60_000
"""Characters of an answer that are sent to the browser; the rows beyond are counted."""
MESSAGE_LIMIT = 20_000
STEP_TEXT = 4000
"""Characters of a thought, or of the input and output of a tool, that are sent to the browser."""
_CELL, _ROWS, _TIMELINE = 2000, 500, 40
_OVER_FOR_GOOD = (Phase.STOPPED, Phase.FAILED)


def session_state(snapshot: Snapshot, *, message: str = "", name: str = "") -> dict[str, Any]:
    """Return the state of a session's panel for this snapshot, as JSON.

    Args:
        snapshot: the session.
        message: what the cell sent; the panel begins with it.
        name: the variable that holds the session.
    """
    style, (you, words) = labels.style(snapshot), labels.spoken(snapshot, message)
    return {
        "id": snapshot.session_id,
        "url": labels.link(snapshot),
        "title": labels.title(snapshot),
        "labels": labels.labels(snapshot),
        "phase": snapshot.phase.value,
        "label": snapshot.label,
        "icon": style.icon,
        "color": style.color,
        "needs_you": snapshot.needs_you,
        "turn_over": snapshot.turn_over,
        "explanation": labels.explanation(snapshot),
        "you": markdown(you, MESSAGE_LIMIT) if you else None,
        "words": _words(words) if words is not None else None,
        "answer": _answer(snapshot, name),
        **_money_and_time(snapshot),
        "repos": [one_line(repo) for repo in snapshot.repos],
        "pull_requests": [_pull_request(each) for each in snapshot.pull_requests[:50]],
        "facts": [[key, _fact(value)] for key, value in _facts(snapshot) if value],
        "messages": len(snapshot.messages),
        "files": snapshot.recorded is None and snapshot.api_version != "v1",
        "can": _possible(snapshot),
    }


def _words(words: labels.Words) -> dict[str, Any]:
    """Return a message of Devin as safe HTML, and its beginning if only that is shown at first."""
    return {
        "html": markdown(words.text, MESSAGE_LIMIT),
        "short": None if words.is_whole else excerpt(words.text),
        "asks": words.is_question,
    }


def message_item(message: Message) -> dict[str, Any]:
    """Return one message as the panel shows it: who, when, and safe HTML."""
    return {
        "id": message.event_id,
        "devin": message.source == "devin",
        "at": seconds(message.created_at),
        "html": markdown(message.text, MESSAGE_LIMIT),
        "long": len(message.text) > 1500 or message.text.count("\n") > 25,
    }


def timeline(snapshot: Snapshot, phases: Sequence[PhaseChange]) -> list[dict[str, Any]]:
    """Return the timeline: the phases seen here, and before them what the conversation tells of earlier turns."""
    first = next((change.at for change in phases if change.at is not None), None)
    told = [each for each in snapshot.messages if each.created_at and (first is None or each.created_at < first)]
    entries = [_entry("created", "started", "+", snapshot.created_at)]
    for before, after in pairwise(told):
        if after.source == "user" and before.source == "devin":
            entries.append(_entry("over", "replied", "✓", before.created_at))
        if after.source == "user":
            entries.append(_entry("sent", "message sent", "→", after.created_at))
    for change in phases:
        if change.is_sent:
            entries.append(_entry("sent", "message sent", "→", change.at))
            continue
        style = labels.phase_style(change.phase, needs_you=change.needs_you)
        word = labels.phase_label(change.phase, needs_you=change.needs_you)
        entries.append(_entry(change.phase.value, word, style.icon, change.at))
    return entries if len(entries) <= _TIMELINE else [entries[0], *entries[1 - _TIMELINE :]]


def _entry(phase: str, label: str, icon: str, at: datetime | None) -> dict[str, Any]:
    return {"phase": phase, "label": label, "icon": icon, "at": seconds(at)}


def live_state(view: LiveView, snapshot: Snapshot) -> dict[str, Any]:
    """Return what the live channel reports, except for the steps."""
    progress, approval = view.plan_progress, view.approval_in(snapshot.phase)
    return {
        "state": view.state,
        "reason": one_line(view.reason, 300) if view.reason else None,
        "activity": one_line(view.activity, 200) if view.activity and not snapshot.turn_over else None,
        "plan": [{"text": one_line(each.text, 200), "status": one_line(each.status, 20)} for each in view.plan[:100]],
        "progress": list(progress) if progress else None,
        "steps": len(view.steps),
        "approval": {"title": one_line(approval.title, 300)} if approval is not None else None,
    }


def step_item(step: Step) -> dict[str, Any]:
    """Return one step as the panel shows it; every value is text, none is HTML."""
    return {
        "id": step.id,
        "kind": step.kind,
        "title": one_line(step.title, 200),
        "status": one_line(step.status, 40) if step.status else None,
        "tool": one_line(step.tool, 40) if step.tool else None,
        "at": seconds(step.at),
        "input": safe_text(step.input, STEP_TEXT),
        "text": safe_text(step.text, STEP_TEXT),
    }


def file_item(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return one file of a session as the panel lists it."""
    url = entry.get("url")
    return {
        "name": one_line(entry.get("name") or "file", 120),
        "url": labels.web_address(url) if isinstance(url, str) else None,
        "devin": entry.get("source") == "devin",
    }


def trouble_state(connection: Any) -> dict[str, Any]:
    """Return what the panel shows while the service does not answer."""
    return {"seen": seconds(connection.last_seen), "problem": one_line(connection.problem, 200)}


def row_state(row: BoardRow) -> dict[str, Any]:
    """Return one row of the board, as JSON."""
    state = asdict(row)
    answer, pulls = state.pop("answer"), state.pop("pulls")
    return {
        **state,
        "told": row.told,
        "answer": [list(pair) for pair in answer],
        "pulls": [{"name": name, "url": url, "state": now} for name, url, now in pulls],
        "labels": list(row.labels),
        "needs_you": row.group == "needs_you",
        "turn_over": row.group not in ("working", "waiting"),
    }


def phase_styles() -> dict[str, dict[str, str]]:
    """Return the label, icon and color of every phase."""
    return {
        phase.value: {"label": phase.label, "icon": style.icon, "color": style.color}
        for phase, style in labels.PHASE_STYLES.items()
    }


def seconds(at: datetime | None) -> float | None:
    """Return a time as Unix seconds."""
    return None if at is None else round(at.timestamp(), 3)


def _answer(snapshot: Snapshot, name: str) -> dict[str, Any] | None:
    """Return the answer in the sections of its layout, as many as fit."""
    value = labels.structured_answer(snapshot)
    if value is None:
        return None
    try:
        parts = sections(value)
    except ValueError:  # a list with a number of too many digits
        parts = [Section("value", rows=[(value,)])]
    room, shown, is_whole = OUTPUT_BYTES, [], True
    for part in parts:
        rows: list[list[Any]] = []
        for cells in part.rows[:_ROWS]:
            kept = [_cell(cell) for cell in cells]
            room -= len(json.dumps(kept))
            if room < 0:
                break
            rows.append(kept)
        is_whole &= len(rows) == len(part.rows) and not part.more_columns
        columns = [one_line(column, 80) for column in part.columns]
        counts = {"more": len(part.rows) - len(rows), "more_columns": part.more_columns}
        shown.append({"kind": part.kind, "title": one_line(part.title, 80), "columns": columns, "rows": rows, **counts})
    rest = None if is_whole else "This is a part of the answer; .result() returns all of it."
    note = labels.answer_note(snapshot, n_rows(parts))
    return {"parts": shown, "note": note, "code": f"{name}.frame()", "rest": rest}


def _cell(value: Any) -> Any:
    """A plain value as text; what is nested as JSON with safe texts."""
    try:
        if is_plain(value):
            return safe_text(plain_text(value), _CELL)
        return safe_tree(json.loads(json.dumps(value, default=str)))
    except (ValueError, RecursionError):  # nested too deep, or a number of too many digits
        return "it cannot be shown here; .result() returns it"


def _money_and_time(snapshot: Snapshot) -> dict[str, Any]:
    word = snapshot.last_word
    return {
        "cost": labels.cost(snapshot),
        "acus": snapshot.acus,
        "cap": snapshot.max_acu_limit,
        "created": seconds(snapshot.created_at),
        "started": seconds(labels.turn_began(snapshot)),
        "took": labels.seconds_taken(snapshot),
        "last_word": seconds(word.created_at) if word else None,
    }


def _pull_request(pull_request: PullRequest) -> dict[str, Any]:
    return {
        "name": labels.pull_request_name(pull_request),
        "url": labels.web_address(pull_request.url),
        "state": one_line(pull_request.state or "state unknown", 40),
    }


def _fact(value: str | float) -> str | float:
    return one_line(value, 400) if isinstance(value, str) else value


def _facts(snapshot: Snapshot) -> Iterable[tuple[str, str | float | None]]:
    """Name and value; times are Unix seconds, which the browser shows in the person's own zone."""
    yield "session", snapshot.session_id
    yield "organization", snapshot.org_id
    yield "mode", snapshot.mode
    yield "tags", ", ".join(snapshot.tags)
    yield "status", " / ".join(filter(None, (snapshot.status, snapshot.status_detail)))
    yield "category", " / ".join(filter(None, (snapshot.category, snapshot.subcategory)))
    yield "playbook", snapshot.playbook_id
    yield "parent session", snapshot.parent_session_id
    yield "child sessions", ", ".join(snapshot.child_session_ids)
    yield "started", seconds(snapshot.created_at)
    yield "last change", seconds(snapshot.updated_at)


def _possible(snapshot: Snapshot) -> list[str]:
    if snapshot.recorded is not None:
        return []
    over = snapshot.phase in _OVER_FOR_GOOD or snapshot.status in ("exit", "error")
    actions = [] if over else ["send", "stop"]
    if snapshot.is_archived:  # a message would not wake it
        return actions[1:]
    return actions if snapshot.api_version == "v1" else [*actions, "archive"]
