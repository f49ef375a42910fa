"""The wire models of what an organization keeps besides its sessions: files, playbooks, knowledge, secrets, schedules.

They are those of v3; where v1 has the same thing in another shape, `v1.py` says so. Nothing here does I/O.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from devin_jupyter.models.v3 import Answer, Integer, PageQuery, Request
from devin_jupyter.models.vocabulary import SecretType

AccessType = Literal["enterprise", "org"]
Agent = Literal["devin", "data_analyst", "advanced"]
NotifyOn = Literal["always", "failure", "never"]
ScheduleType = Literal["recurring", "one_time"]


def _is_moment(text: str) -> str:
    if "T" not in text.upper():
        raise ValueError("not a date and a time")
    datetime.fromisoformat(text.upper())
    return text


Moment = Annotated[str, AfterValidator(_is_moment), WithJsonSchema({"type": "string", "format": "date-time"})]
"""An ISO 8601 time, kept as it was written."""


class Attachment(Answer):
    """An uploaded file; its `url` is what `attachment_urls` takes."""

    attachment_id: str
    name: str
    url: str


class SessionAttachment(Answer):
    """A file of a session, from the user or made by Devin."""

    attachment_id: str
    name: str
    url: str
    source: Literal["devin", "user"] | str
    content_type: str | None = None


class PlaybookWrite(Request):
    """The body of a create and of an update: an update replaces everything."""

    title: str
    body: str
    macro: Annotated[str, Field(pattern=r"^![A-Za-z0-9_-]+$")] | None = None
    structured_output_schema: dict[str, Any] | None = None


class Playbook(Answer):
    """A playbook. Times are Unix seconds."""

    playbook_id: str
    title: str
    body: str
    macro: str | None
    access_type: AccessType | str
    org_id: str | None
    created_at: int
    updated_at: int
    created_by: str
    updated_by: str
    structured_output_schema: dict[str, Any] | None = None


class NotesQuery(PageQuery):
    """The filters of the knowledge notes."""

    folder_path: str | None = None
    pinned_repo: str | None = None
    search: str | None = None


class NoteWrite(Request):
    """The body of a create and of an update of a knowledge note."""

    name: str
    body: str
    trigger: str
    """When Devin should remember this."""
    folder_id: str | None = None
    is_enabled: bool | None = None
    pinned_repo: str | None = None


class Note(Answer):
    """A knowledge note. Times are Unix seconds."""

    note_id: str
    name: str
    body: str
    trigger: str
    access_type: AccessType | str
    org_id: str | None
    folder_id: str | None
    folder_path: str
    is_enabled: bool
    macro: str | None
    pinned_repo: str | None
    created_at: int
    updated_at: int


class Folder(Answer):
    """A folder of knowledge notes."""

    folder_id: str
    name: str
    path: str
    note_count: int
    parent_folder_id: str | None


class Folders(Answer):
    """All folders, and how many notes are in none of them."""

    folders: list[Folder]
    root_note_count: int


class SecretWrite(Request):
    """The body that stores a secret; its value is never answered again."""

    type: SecretType
    key: str
    value: str = Field(repr=False)
    is_sensitive: bool = True
    note: str | None = None


class Secret(Answer):
    """A stored secret without its value. Times are Unix seconds."""

    secret_id: str
    key: str | None
    note: str | None
    secret_type: SecretType | str
    access_type: Literal["org", "personal"] | str
    is_sensitive: bool
    created_at: int
    created_by: str
    updated_at: int | None = None
    updated_by: str | None = None


class SchedulesQuery(BaseModel):
    """Schedules page by offset, inside the same envelope as everything else."""

    model_config = ConfigDict(extra="ignore")

    limit: int | None = Field(default=None, ge=1)
    offset: int = Field(default=0, ge=0)


class ScheduleCreate(Request):
    """The body that creates a schedule: `frequency` (cron) for a recurring one, `scheduled_at` for a single run."""

    name: str
    prompt: str
    agent: Agent = "devin"
    bypass_approval: bool = False
    create_as_user_id: str | None = None
    interval_count: Integer = 1
    notify_on: NotifyOn = "failure"
    schedule_type: ScheduleType = "recurring"
    playbook_id: str | None = None
    frequency: str | None = None
    scheduled_at: Moment | None = None
    slack_channel_id: str | None = None
    slack_team_id: str | None = None
    tags: list[str] | None = None
    target_devin_id: str | None = None
    platform: str | None = None


class ScheduleUpdate(Request):
    """The body that changes a schedule: what is not named stays."""

    name: str | None = None
    prompt: str | None = None
    enabled: bool | None = None
    agent: Agent | None = None
    bypass_approval: bool | None = None
    interval_count: Integer | None = None
    notify_on: NotifyOn | None = None
    run_as_user_id: str | None = None
    """Null goes back to the bot user."""
    schedule_type: ScheduleType | None = None
    playbook_id: str | None = None
    frequency: str | None = None
    scheduled_at: Moment | None = None
    slack_channel_id: str | None = None
    slack_team_id: str | None = None
    tags: list[str] | None = None
    target_devin_id: str | None = None
    platform: str | None = None


class PlaybookInfo(Answer):
    """The playbook of a schedule."""

    playbook_id: str
    title: str | None


class Schedule(Answer):
    """A schedule. Its times are ISO 8601, unlike everywhere else in v3."""

    scheduled_session_id: str
    org_id: str
    name: str
    prompt: str
    agent: Agent | str
    enabled: bool
    frequency: str | None
    notify_on: NotifyOn | str
    playbook: PlaybookInfo | None
    created_by: str | None
    created_at: Moment
    updated_at: Moment
    last_executed_at: Moment | None
    last_error_at: Moment | None
    last_error_message: str | None
    consecutive_failures: int
    bypass_approval: bool = False
    interval_count: int = 1
    schedule_type: ScheduleType | str = "recurring"
    scheduled_at: Moment | None = None
    slack_channel_id: str | None = None
    slack_team_id: str | None = None
    tags: list[str] | None = None
    target_devin_id: str | None = None
    platform: str | None = None
