"""Messages, insights and consumption as frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

import pandas as pd

from devin_jupyter.frames.columns import Column, frame_of
from devin_jupyter.frames.sessions import PHASE
from devin_jupyter.models.enums import SessionSize
from devin_jupyter.models.fields import Message, strings
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


def insights(sessions: pd.DataFrame, raws: Sequence[Raw]) -> pd.DataFrame:
    """Return one row per session: its size, how it went, what would have helped.

    Args:
        sessions: as a sessions frame.
        raws: the raw `SessionInsights` of each.
    """
    data: dict[str, Any] = {
        name: sessions[name].array for name in ("session_id", "url", "title", "phase", "acus", "created_at")
    }
    for name in ("num_devin_messages", "num_user_messages", "session_size"):
        data[name] = [raw.get(name) for raw in raws]
    found = [raw.get("analysis") for raw in raws]
    analyses = [analysis if isinstance(analysis, Mapping) else None for analysis in found]
    kinds = [None if one is None else _mapping(one, "classification") for one in analyses]
    data["classification"] = [kind.get("category") if kind else None for kind in kinds]
    data["confidence"] = [kind.get("confidence") if kind else None for kind in kinds]
    for name in ("programming_languages", "tools_and_frameworks"):
        data[name] = [None if kind is None else list(strings(kind.get(name))) for kind in kinds]
    data["n_issues"] = [_length(one.get("issues")) if one else None for one in analyses]
    data["n_action_items"] = [_length(one.get("action_items")) if one else None for one in analyses]
    prompts = [None if one is None else _mapping(one, "suggested_prompt") for one in analyses]
    data["suggested_prompt"] = [prompt.get("suggested_prompt") if prompt else None for prompt in prompts]
    data["analysis"] = [None if one is None else dict(one) for one in analyses]
    return frame_of(INSIGHTS, data)


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
