"""The wire models of v3 sessions: a field is written here once, for the client and for the simulator.

Requests are strict about types and ignore unknown names, as the service does; answers keep whatever they hold.
Nothing here does I/O.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AnyUrl,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    WithJsonSchema,
)

from devin_jupyter.models.vocabulary import Category, DevinMode, Origin, Status, StatusDetail

TAGS_MAX = 50
"""The most tags the tag endpoints take at once."""

_url = TypeAdapter(AnyUrl)


def _is_uri(text: str) -> str:
    _url.validate_python(text)
    return text


def _whole(value: object) -> object:
    """JSON has one kind of number: 5.0 is an integer too."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Integer = Annotated[int, BeforeValidator(_whole)]
PositiveInteger = Annotated[int, Field(gt=0), BeforeValidator(_whole)]
Uri = Annotated[
    str,
    Field(min_length=1, max_length=2083),
    AfterValidator(_is_uri),
    WithJsonSchema({"type": "string", "format": "uri", "minLength": 1, "maxLength": 2083}),
]


class Request(BaseModel):
    """Base of request bodies: JSON types are not coerced, unknown names are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore")


class Answer(BaseModel):
    """Base of answers: unknown names and unknown values of enums are kept."""

    model_config = ConfigDict(extra="allow")


class SessionSecret(Request):
    """A secret for one session only; it is not stored in the organization."""

    key: str = Field(min_length=1, max_length=256)
    """Becomes the name of an environment variable."""
    value: str = Field(max_length=65536, repr=False)
    sensitive: bool = True
    """Whether the service masks the value where it shows it."""


class SessionCreate(Request):
    """The body of `POST /v3/organizations/{org_id}/sessions`: all its 19 fields."""

    prompt: str
    title: str | None = None
    tags: list[str] | None = None
    devin_mode: DevinMode | None = None
    max_acu_limit: Integer | None = None
    structured_output_schema: dict[str, Any] | None = None
    structured_output_required: bool | None = None
    attachment_urls: list[Uri] | None = None
    repos: list[str] | None = None
    knowledge_ids: list[str] | None = None
    secret_ids: list[str] | None = None
    session_secrets: list[SessionSecret] | None = None
    playbook_id: str | None = None
    child_playbook_id: str | None = None
    session_links: list[str] | None = None
    platform: str | None = None
    resumable: bool = True
    bypass_approval: bool | None = None
    create_as_user_id: str | None = None


class MessageCreate(Request):
    """The body of `POST …/sessions/{devin_id}/messages`."""

    message: str
    attachment_urls: list[Uri] | None = None
    message_as_user_id: str | None = None


class TagsUpdate(Request):
    """The body of `POST` and `PUT …/sessions/{devin_id}/tags`."""

    tags: list[str] = Field(max_length=TAGS_MAX)


class PageQuery(BaseModel):
    """The two parameters of every cursor-paged list."""

    model_config = ConfigDict(extra="ignore")

    first: int = Field(default=100, ge=1, le=200)
    after: str | None = None


class SessionsQuery(PageQuery):
    """The filters of `GET /v3/organizations/{org_id}/sessions`; lists repeat their key."""

    session_ids: list[str] | None = None
    created_after: int | None = None
    created_before: int | None = None
    updated_after: int | None = None
    updated_before: int | None = None
    tags: list[str] | None = None
    playbook_id: str | None = None
    origins: list[Origin] | None = None
    schedule_id: str | None = None
    user_ids: list[str] | None = None
    service_user_ids: list[str] | None = None
    repo_names: list[str] | None = None
    category: Category | None = None
    is_archived: bool | None = None
    automation_ids: list[str] | None = None
    parent_session_id: str | None = None


class SessionPullRequest(Answer):
    """A pull request in a session answer."""

    pr_url: str
    pr_state: str | None = None


class SessionResponse(Answer):
    """A session as v3 answers it; enums are open, times are Unix seconds."""

    session_id: str
    url: str
    org_id: str
    status: Status | str
    status_detail: StatusDetail | str | None = None
    created_at: int
    updated_at: int
    acus_consumed: float
    tags: list[str]
    pull_requests: list[SessionPullRequest]
    title: str | None = None
    user_id: str | None = None
    service_user_id: str | None = None
    playbook_id: str | None = None
    parent_session_id: str | None = None
    child_session_ids: list[str] | None = None
    is_archived: bool = False
    origin: Origin | str | None = None
    category: Category | str | None = None
    subcategory: str | None = None
    structured_output: dict[str, Any] | None = None
    devin_mode: DevinMode | str | None = None
    automation_id: str | None = None


class SessionMessage(Answer):
    """One message of a session."""

    event_id: str
    source: Literal["devin", "user"] | str
    message: str
    created_at: int


class SessionTags(Answer):
    """The tags of a session."""

    tags: list[str]
