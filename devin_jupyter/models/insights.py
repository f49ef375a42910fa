"""The wire models of what v3 tells about a session afterwards: insights and, where the service has them, events."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from devin_jupyter.models.v3 import Answer, PageQuery, SessionResponse
from devin_jupyter.models.vocabulary import SessionSize

ActionType = Literal["machine_setup", "repo_config", "knowledge", "prompt_improvement", "external", "other"]
EventCategory = Literal[
    "shell",
    "file",
    "search",
    "browser",
    "mcp",
    "git",
    "message",
    "status",
    "secret",
    "todo",
    "recording",
    "knowledge",
    "playbook",
    "webhook",
    "lifecycle",
    "other",
]
Direction = Literal["incoming", "outgoing"]


class ActionItem(Answer):
    """Something to do so that the next session goes better."""

    action_item: str
    type: ActionType | str = "other"
    issue_id: str | None = None


class Issue(Answer):
    """Something that went wrong or slowly."""

    issue: str
    impact: str
    label: str
    id: str = ""


class TimelineItem(Answer):
    """One step of the session."""

    title: str
    description: str
    color: str = ""
    issue_id: str | None = None


class Classification(Answer):
    """What kind of work it was."""

    category: str
    confidence: float
    programming_languages: list[str] = Field(default_factory=list)
    tools_and_frameworks: list[str] = Field(default_factory=list)


class FeedbackItem(Answer):
    """One remark on the prompt."""

    summary: str
    details: str
    excerpt: str
    issue_id: str | None = None


class SuggestedPrompt(Answer):
    """A prompt that would have served better."""

    original_prompt: str
    suggested_prompt: str
    feedback_items: list[FeedbackItem] = Field(default_factory=list)


class NoteUsageItem(Answer):
    """How one knowledge note was used."""

    note_id: str
    reason: str
    message: str


class NoteUsage(Answer):
    """Which knowledge notes helped, and which did not."""

    good_usages: list[NoteUsageItem] = Field(default_factory=list)
    bad_usages: list[NoteUsageItem] = Field(default_factory=list)


class Analysis(Answer):
    """The generated part of the insights."""

    action_items: list[ActionItem] = Field(default_factory=list)
    issues: list[Issue] = Field(default_factory=list)
    timeline: list[TimelineItem] = Field(default_factory=list)
    classification: Classification | None = None
    suggested_prompt: SuggestedPrompt | None = None
    note_usage: NoteUsage | None = None


class SessionInsights(SessionResponse):
    """A session with what was found out about it; `analysis` is null until it was generated."""

    num_devin_messages: int
    num_user_messages: int
    session_size: SessionSize | str
    analysis: Analysis | None = None


class InsightsStarted(Answer):
    """The answer to `…/insights/generate`: `started` or `already_exists`."""

    session_id: str
    status: str


class EventsQuery(PageQuery):
    """The filters of the events of a session."""

    categories: list[EventCategory] | None = None
    event_types: list[str] | None = None
    direction: Direction | None = None
    created_after: int | None = None
    created_before: int | None = None


class EventSearchQuery(EventsQuery):
    """The same, with the words to look for."""

    query: str


class EventDetailsQuery(BaseModel):
    """Which events to show in full: by id, or by position."""

    event_ids: list[str] | None = Field(default=None, max_length=20)
    offset: int | None = None
    limit: int = Field(default=20, ge=1, le=50)
    max_content_length: int = Field(default=10000, ge=1)


class EventSummary(Answer):
    """One event in a line."""

    event_id: str
    event_type: str
    category: EventCategory | str
    direction: Direction | str
    created_at: int
    summary: str


class EventSearchHit(EventSummary):
    """One event that was found, with the words around the match."""

    match_context: str


class EventDetail(Answer):
    """One event in full."""

    event_id: str
    event_type: str
    category: EventCategory | str
    direction: Direction | str
    created_at: int
    contents: dict[str, Any]
    truncated_fields: list[str] | None = None


class EventDetails(Answer):
    """The events asked for."""

    items: list[EventDetail]
