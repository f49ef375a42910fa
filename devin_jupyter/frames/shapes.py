"""The columns of every frame: names, order and dtypes, decided once. Names equal the handle's attributes."""

from __future__ import annotations

from typing import get_args

from devin_jupyter.frames.columns import Column
from devin_jupyter.models.enums import SessionSize
from devin_jupyter.models.fields import FIELDS

SESSIONS = tuple(Column(field.name, field.column, field.values) for field in FIELDS if field.column)
PHASE = next(column.values for column in SESSIONS if column.name == "phase")
PR_STATES = ("open", "merged", "closed")

OUTPUT_TAIL = (
    Column("session_id", "text"),
    Column("url", "text"),
    Column("phase", "word", PHASE),
    Column("acus", "number"),
    Column("provisional", "boolean"),
    Column("error", "text"),
)
"""What stands behind the fields of the schema in an outputs frame."""

MESSAGES = (
    Column("session_id", "text"),
    Column("event_id", "text"),
    Column("source", "word", ("devin", "user")),
    Column("text", "text"),
    Column("created_at", "time"),
)

PULL_REQUESTS = (
    Column("url", "text"),
    Column("repo", "text"),
    Column("number", "integer"),
    Column("state", "word", PR_STATES),
    Column("session_id", "text"),
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
"""`analysis` and what is taken from it is null until the insights were generated."""

CONSUMPTION = (
    Column("date", "time"),
    Column("acus", "number"),
    Column("devin", "number"),
    Column("cascade", "number"),
    Column("terminal", "number"),
    Column("review", "number"),
)
"""`date` is the moment the day begins: 08:00 UTC."""
