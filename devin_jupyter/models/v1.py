"""The wire models of v1, the legacy API; times are ISO 8601 strings. Nothing here does I/O."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from devin_jupyter.models.resources import Moment
from devin_jupyter.models.v3 import TAGS_MAX, Answer, PositiveInteger, Request, SessionSecret
from devin_jupyter.models.vocabulary import SecretType, StatusEnum


class CreateSessionParams(Request):
    """The body of `POST /v1/sessions`: all its 12 fields."""

    prompt: str
    title: str | None = None
    tags: Annotated[list[str], Field(max_length=TAGS_MAX)] | None = None
    idempotent: bool = False
    """Answer an equivalent earlier session instead of starting one."""
    max_acu_limit: PositiveInteger | None = None
    playbook_id: str | None = None
    snapshot_id: str | None = None
    knowledge_ids: list[str] | None = None
    """Null uses all, an empty list none."""
    secret_ids: list[str] | None = None
    """Null uses all, an empty list none."""
    session_secrets: list[SessionSecret] | None = None
    structured_output_schema: dict[str, Any] | None = None
    unlisted: bool = False


class CreateSessionResponse(Answer):
    """The answer to a create."""

    session_id: str
    url: str
    is_new_session: bool | None = None
    """Only set where `idempotent` was true."""


class SessionsQuery(BaseModel):
    """The filters of `GET /v1/sessions`."""

    model_config = ConfigDict(extra="ignore")

    limit: int = Field(default=100, ge=1, le=1000)
    offset: int = Field(default=0, ge=0)
    skip: int | None = Field(default=None, ge=0)
    tags: list[str] | None = None
    user_email: str | None = None


class PullRequestInfo(Answer):
    """The one pull request that v1 shows."""

    url: str


class SessionMessage(Answer):
    """A message of a session; who wrote it is in `type`."""

    type: Literal["initial_user_message", "user_message", "devin_message"] | str
    event_id: str
    message: str
    timestamp: Moment
    username: str | None = None
    origin: str | None = None
    user_id: str | None = None


class SessionFacts(Answer):
    """What list and get have in common."""

    session_id: str
    status: str
    status_enum: StatusEnum | str | None = None
    title: str | None = None
    created_at: Moment
    updated_at: Moment
    snapshot_id: str | None = None
    playbook_id: str | None = None
    tags: list[str] | None = None
    pull_request: PullRequestInfo | None = None
    structured_output: Any = None


class SessionSummary(SessionFacts):
    """A session as the list shows it."""

    requesting_user_email: str | None = None


class SessionDetails(SessionFacts):
    """A session as get shows it, with its whole conversation, oldest first."""

    messages: list[SessionMessage] = Field(default_factory=list)


class SessionList(Answer):
    """One stretch of the list: no total and no next marker."""

    sessions: list[SessionSummary]


class PostMessageParams(Request):
    """The body of a message."""

    message: str


class UpdateTagsParams(Request):
    """The body that replaces all tags."""

    tags: list[str]


class Detail(Answer):
    """A sentence: the answer to tags, terminate and some messages, and of every error but 422."""

    detail: str


class CreateSecretRequest(Request):
    """The body that stores a secret; every field is required."""

    type: SecretType
    key: str
    value: str = Field(repr=False)
    sensitive: bool
    note: str


class SecretCreated(Answer):
    """The answer to a stored secret."""

    id: str


class SecretMetadata(Answer):
    """A stored secret without its value."""

    secret_id: str
    secret_type: SecretType | Literal["dictionary"] | str
    secret_name: str
    created_at: Moment


class SecretList(Answer):
    """All stored secrets."""

    secrets: list[SecretMetadata]


class KnowledgeParams(Request):
    """The body of a create and of an update of a knowledge entry."""

    name: str
    body: str
    trigger_description: str
    macro: str | None = None
    parent_folder_id: str | None = None
    pinned_repo: str | None = None
    """`owner/repo`, `all`, or null for none."""


class KnowledgeCreatedBy(Answer):
    """Who wrote a knowledge entry."""

    id: str | None = None
    full_name: str | None = None
    image_url: str | None = None


class KnowledgeEntry(Answer):
    """A knowledge entry."""

    id: str
    name: str
    body: str
    trigger_description: str
    created_at: Moment
    created_by: KnowledgeCreatedBy | None = None
    macro: str | None = None
    parent_folder_id: str | None = None
    pinned_repo: str | None = None


class KnowledgeFolder(Answer):
    """A folder of knowledge entries."""

    id: str | None = None
    name: str | None = None
    description: str | None = None
    created_at: Moment | None = None


class KnowledgeList(Answer):
    """All knowledge entries and folders, not paged."""

    knowledge: list[KnowledgeEntry]
    folders: list[KnowledgeFolder]


class CreatePlaybookRequest(Request):
    """The body of a create and of an update of a playbook."""

    title: str = Field(min_length=1)
    body: str = Field(min_length=1)
    macro: str | None = None


class Playbook(Answer):
    """A playbook as v1 shows it."""

    playbook_id: str | None = None
    title: str | None = None
    body: str | None = None
    status: str | None = None
    access_type: str | None = None
    org_id: str | None = None
    created_at: Moment | None = None
    updated_at: Moment | None = None
    created_by_user_id: str | None = None
    created_by_user_name: str | None = None
    updated_by_user_id: str | None = None
    updated_by_user_name: str | None = None
    macro: str | None = None


class PlaybookStatus(Answer):
    """The answer to an update or a delete of a playbook."""

    status: str | None = None
