"""The columns of every frame: names, order and dtypes, decided here once. Names equal the handle's attributes."""

from __future__ import annotations

from typing import get_args

from devin_jupyter.frames.columns import Column
from devin_jupyter.models import vocabulary as words
from devin_jupyter.models.phase import Phase

_STATUS = (*get_args(words.Status), *words.SEEN_STATUS)
_V1_DETAIL = tuple(word for word in get_args(words.StatusEnum) if word not in get_args(words.StatusDetail))
_STATUS_DETAIL = (*get_args(words.StatusDetail), *words.SEEN_STATUS_DETAIL, *_V1_DETAIL)
_CATEGORY = (*get_args(words.Category), *words.SEEN_CATEGORY)
PHASE = tuple(phase.value for phase in Phase)
PR_STATES = ("open", "merged", "closed")

SESSIONS = (
    Column("session_id", "text"),
    Column("url", "text"),
    Column("title", "text"),
    Column("phase", "word", PHASE),
    Column("needs_you", "boolean"),
    Column("status", "word", _STATUS),
    Column("status_detail", "word", _STATUS_DETAIL),
    Column("acus", "number"),
    Column("created_at", "time"),
    Column("updated_at", "time"),
    Column("origin", "word", (*get_args(words.Origin), *words.SEEN_ORIGIN)),
    Column("category", "word", _CATEGORY),
    Column("subcategory", "text"),
    Column("mode", "word", get_args(words.DevinMode)),
    Column("tags", "object"),
    Column("repos", "object"),
    Column("n_prs", "integer"),
    Column("n_merged", "integer"),
    Column("user_id", "text"),
    Column("service_user_id", "text"),
    Column("playbook_id", "text"),
    Column("parent_session_id", "text"),
    Column("child_session_ids", "object"),
    Column("is_archived", "boolean"),
    Column("org_id", "text"),
    Column("structured_output", "object"),
    Column("extra", "object"),
)
"""`acus` is null where unknown. `repos` are those asked for, where known, else those of the pull requests."""

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
    Column("session_size", "word", get_args(words.SessionSize)),
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
