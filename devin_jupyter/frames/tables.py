"""Messages, insights and consumption as frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

import pandas as pd

from devin_jupyter.frames.columns import Column, frame_of
from devin_jupyter.frames.sessions import PHASE
from devin_jupyter.models.enums import SessionSize
from devin_jupyter.models.fields import Message, strings
from devin_jupyter.models.snapshot import Snapshot
from devin_jupyter.models.steps import Step, StepKind

Raw = Mapping[str, Any]

MESSAGES = (
    Column("session_id", "text"),
    Column("event_id", "text"),
    Column("source", "word", ("devin", "user")),
    Column("text", "text"),
    Column("created_at", "time"),
)

INSIGHTS = (
    Column("session_id", "text"),
    Column("url", "text"),
    Column("title", "text"),
    Column("phase", "word", PHASE),
    Column("acus", "number"),
    Column("created_at", "time"),
    Column("num_devin_messages", "integer"),
    Column("num_user_messages", "integer"),
    Column("session_size", "word", get_args(SessionSize)),
    Column("classification", "text"),
    Column("confidence", "number"),
    Column("programming_languages", "object"),
    Column("tools_and_frameworks", "object"),
    Column("n_issues", "integer"),
    Column("n_action_items", "integer"),
    Column("suggested_prompt", "text"),
    Column("analysis", "object"),
)
"""`analysis` and the columns taken from it are null until the insights are generated."""

STEPS = (
    Column("session_id", "text"),
    Column("at", "time"),
    Column("kind", "word", get_args(StepKind)),
    Column("title", "text"),
    Column("status", "text"),
    Column("text", "text"),
)

CONSUMPTION = (
    Column("date", "time"),
    Column("acus", "number"),
    Column("devin", "number"),
    Column("cascade", "number"),
    Column("terminal", "number"),
    Column("review", "number"),
)
"""`date` is when the day begins: 08:00 UTC."""


def messages(conversations: Iterable[tuple[str, Sequence[Message]]]) -> pd.DataFrame:
    """Return one row per message, session by session, oldest first.

    Args:
        conversations: session ids with their messages.
    """
    rows = [(session_id, message) for session_id, found in conversations for message in found]
    data: dict[str, Any] = {"session_id": [session_id for session_id, _ in rows]}
    for name in ("event_id", "source", "text", "created_at"):
        data[name] = [getattr(message, name) for _, message in rows]
    return frame_of(MESSAGES, data)


def steps(found: Iterable[tuple[str, Sequence[Step]]]) -> pd.DataFrame:
    """Return one row per step, session by session, oldest first.

    Args:
        found: session ids with their steps.
    """
    rows = [(session_id, step) for session_id, listed in found for step in listed]
    data: dict[str, Any] = {"session_id": [session_id for session_id, _ in rows]}
    for name in ("at", "kind", "title", "status", "text"):
        data[name] = [getattr(step, name) for _, step in rows]
    return frame_of(STEPS, data)


def insights(found: Iterable[tuple[Snapshot, Raw]]) -> pd.DataFrame:
    """Return one row per session: its size, how it went, what would have helped.

    Args:
        found: sessions, each with its raw `SessionInsights`.
    """
    rows = []
    for snapshot, raw in found:
        of_session = ("session_id", "url", "title", "phase", "acus", "created_at")
        row = {name: getattr(snapshot, name) for name in of_session}
        row |= {name: raw.get(name) for name in ("num_devin_messages", "num_user_messages", "session_size")}
        analysis = raw.get("analysis")
        if isinstance(analysis, Mapping):
            kind, prompt = _mapping(analysis, "classification"), _mapping(analysis, "suggested_prompt")
            row |= {
                "classification": kind.get("category"),
                "confidence": kind.get("confidence"),
                "programming_languages": list(strings(kind.get("programming_languages"))),
                "tools_and_frameworks": list(strings(kind.get("tools_and_frameworks"))),
                "n_issues": _length(analysis.get("issues")),
                "n_action_items": _length(analysis.get("action_items")),
                "suggested_prompt": prompt.get("suggested_prompt"),
                "analysis": dict(analysis),
            }
        rows.append(row)
    return frame_of(INSIGHTS, {column.name: [row.get(column.name) for row in rows] for column in INSIGHTS})


def _mapping(value: Raw, name: str) -> Raw:
    part = value.get(name)
    return part if isinstance(part, Mapping) else {}


def _length(value: Any) -> int | None:
    return len(value) if isinstance(value, list) else None


def consumption(answer: Raw) -> pd.DataFrame:
    """Return one row per day; `date` is when the day begins, 08:00 UTC.

    Args:
        answer: the response of a `consumption` operation.
    """
    listed = answer.get("consumption_by_date")
    days = [day for day in listed if isinstance(day, Mapping)] if isinstance(listed, list) else []
    products = [_mapping(day, "acus_by_product") for day in days]
    data: dict[str, Any] = {name: [day.get(name) for day in days] for name in ("date", "acus")}
    for column in CONSUMPTION[2:]:
        data[column.name] = [product.get(column.name) for product in products]
    return frame_of(CONSUMPTION, data).sort_values("date", ignore_index=True)
