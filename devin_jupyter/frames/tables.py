"""The smaller frames: messages, insights, consumption."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from devin_jupyter.frames.columns import frame_of
from devin_jupyter.frames.shapes import CONSUMPTION, INSIGHTS, MESSAGES
from devin_jupyter.models.fields import Message, strings
from devin_jupyter.models.snapshot import Snapshot

Raw = Mapping[str, Any]


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


def insights(found: Iterable[tuple[Snapshot, Raw]]) -> pd.DataFrame:
    """Return one row per session: how big it was, how it went, what would have helped.

    Args:
        found: sessions, each with its raw `SessionInsights`.
    """
    rows = [{**_session(snapshot), **_counts(raw), **_analysis(raw.get("analysis"))} for snapshot, raw in found]
    return frame_of(INSIGHTS, {column.name: [row.get(column.name) for row in rows] for column in INSIGHTS})


def _session(snapshot: Snapshot) -> dict[str, Any]:
    return {name: getattr(snapshot, name) for name in ("session_id", "url", "title", "phase", "acus", "created_at")}


def _counts(raw: Raw) -> dict[str, Any]:
    return {name: raw.get(name) for name in ("num_devin_messages", "num_user_messages", "session_size")}


def _analysis(analysis: Any) -> dict[str, Any]:
    if not isinstance(analysis, Mapping):
        return {}
    kind, prompt = _part(analysis, "classification"), _part(analysis, "suggested_prompt")
    return {
        "classification": kind.get("category"),
        "confidence": kind.get("confidence"),
        "programming_languages": list(strings(kind.get("programming_languages"))),
        "tools_and_frameworks": list(strings(kind.get("tools_and_frameworks"))),
        "n_issues": _length(analysis.get("issues")),
        "n_action_items": _length(analysis.get("action_items")),
        "suggested_prompt": prompt.get("suggested_prompt"),
        "analysis": dict(analysis),
    }


def _part(analysis: Raw, name: str) -> Raw:
    part = analysis.get(name)
    return part if isinstance(part, Mapping) else {}


def _length(value: Any) -> int | None:
    return len(value) if isinstance(value, list) else None


def consumption(answer: Raw) -> pd.DataFrame:
    """Return one row per day; `date` is the moment the day begins, 08:00 UTC.

    Args:
        answer: what a `consumption` operation answers.
    """
    listed = answer.get("consumption_by_date")
    days = [day for day in listed if isinstance(day, Mapping)] if isinstance(listed, list) else []
    products = [_part(day, "acus_by_product") for day in days]
    data: dict[str, Any] = {name: [day.get(name) for day in days] for name in ("date", "acus")}
    for column in CONSUMPTION[2:]:
        data[column.name] = [product.get(column.name) for product in products]
    return frame_of(CONSUMPTION, data).sort_values("date", ignore_index=True)
