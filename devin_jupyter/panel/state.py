"""The state of a session for the browser: one JSON value per snapshot, equal for snapshots that look the same.

Nothing here grows with the conversation, and nothing changes merely because time passed; the browser's own clock
makes elapsed times tick.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from devin_jupyter.models.enums import Phase
from devin_jupyter.models.snapshot import Message, PullRequest, Snapshot
from devin_jupyter.render import labels
from devin_jupyter.render.html import markdown, markdown_line
from devin_jupyter.text import one_line, safe_tree

OUTPUT_BYTES = 60_000
MESSAGE_LIMIT = 20_000
_OVER_FOR_GOOD = (Phase.STOPPED, Phase.FAILED)


def session_state(snapshot: Snapshot) -> dict[str, Any]:
    """Return the state of a session's panel for this snapshot, as JSON."""
    style, last_text = labels.style(snapshot), labels.last_text(snapshot)
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
        "question": markdown(last_text, MESSAGE_LIMIT) if last_text else None,
        **_answer(snapshot),
        **_money_and_time(snapshot),
        "repos": [one_line(repo) for repo in snapshot.repos],
        "pull_requests": [_pull_request(each) for each in snapshot.pull_requests[:50]],
        "facts": [[name, _fact(value)] for name, value in _facts(snapshot) if value],
        "messages": len(snapshot.messages),
        "can": _possible(snapshot),
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


def timeline_entry(snapshot: Snapshot) -> dict[str, Any]:
    """Return the entry of this snapshot's phase in the timeline."""
    style = labels.style(snapshot)
    at = snapshot.updated_at or snapshot.observed_at
    return {"phase": snapshot.phase.value, "label": snapshot.label, "icon": style.icon, "at": seconds(at)}


def trouble_state(connection: Any) -> dict[str, Any]:
    """Return what the panel shows while the service does not answer."""
    return {"seen": seconds(connection.last_seen), "problem": one_line(connection.problem, 200)}


def row_state(snapshot: Snapshot, name: str | None = None, place: int | None = None) -> dict[str, Any]:
    """Return one row of the board for this snapshot, as JSON; those with a place come first, in that order."""
    return {
        "id": snapshot.session_id,
        "place": place,
        "name": one_line(name, 80) if name else "",
        "title": labels.title(snapshot),
        "phase": snapshot.phase.value,
        "label": snapshot.label,
        "color": labels.style(snapshot).color,
        "needs_you": labels.needs_you(snapshot),
        "turn_over": snapshot.turn_over,
        "acus": snapshot.acus,
        "created": seconds(snapshot.created_at),
        "updated": seconds(snapshot.updated_at),
        "repos": ", ".join(one_line(repo) for repo in snapshot.repos[:5]),
        "pull_requests": len(snapshot.pull_requests),
        "question": labels.question_line(snapshot, 200),
        "labels": labels.labels(snapshot),
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


def _answer(snapshot: Snapshot) -> dict[str, Any]:
    value = labels.answer(snapshot)
    output, note = snapshot.structured_output, None
    try:
        text = json.dumps(output, default=str)
        if output is not None and len(text) > OUTPUT_BYTES:
            output, note = None, "too long to show here; read it with .output"
        else:
            output = safe_tree(json.loads(text))
    except (ValueError, RecursionError):  # nested too deep, or a number of too many digits
        output, note = None, "it cannot be shown here; read it with .output"
    return {
        "answer": markdown(value, MESSAGE_LIMIT) if isinstance(value, str) else None,
        "output": output,
        "output_note": note,
        "standing": labels.output_status(snapshot),
    }


def _money_and_time(snapshot: Snapshot) -> dict[str, Any]:
    word = snapshot.last_word
    return {
        "cost": labels.cost(snapshot),
        "acus": snapshot.acus,
        "cap": snapshot.max_acu_limit,
        "started": seconds(snapshot.created_at),
        "ended": seconds(snapshot.updated_at) if snapshot.turn_over else None,
        "last_word": seconds(word.created_at) if word else None,
        "latest": markdown_line(word.text, 200) if word and not snapshot.turn_over else None,
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
    if snapshot.is_archived:  # a message would wake nothing
        return actions[1:]
    return actions if snapshot.api_version == "v1" else [*actions, "archive"]
