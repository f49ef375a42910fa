"""The wire format of the simulator: request bodies and queries, errors, cursors and pages.

Bodies are strict about types and ignore unknown names, as the service does. Held against `tests/contract/facts`.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, AnyUrl, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, WithJsonSchema
from starlette.responses import Response

from devin_jupyter.models.enums import Category, DevinMode, Origin, SecretType

T = TypeVar("T")
Record = dict[str, Any]
TAGS_MAX = 50
"""The most tags a session has."""

# --- answers ---


class Problem(Exception):
    """Raised by a route to answer with an error; `detail` is a text or a list of field errors."""

    def __init__(self, status: int, detail: str | list[dict[str, Any]], error_code: str | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.error_code = status, detail, error_code


def not_found(what: str) -> Problem:
    """Return the 404 for an unknown id."""
    return Problem(404, f"{what} not found")


def invalid(loc: Sequence[str | int], message: str, kind: str = "value_error") -> Problem:
    """Return the 422 for one field, such as `invalid(("body", "macro"), "…")`."""
    return Problem(422, [{"loc": list(loc), "msg": message, "type": kind}])


def field_errors(errors: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return pydantic's errors with the three documented keys; inputs are left out, they may be secrets."""
    return [{"loc": list(error["loc"]), "msg": error["msg"], "type": error["type"]} for error in errors]


def json_bytes(value: Any) -> bytes:
    """Serialize compactly; everything beyond ASCII is escaped, so that any string survives."""
    return json.dumps(value, separators=(",", ":")).encode()


def json_response(value: Any, status: int = 200) -> Response:
    """Answer with a JSON value."""
    return Response(json_bytes(value), status, media_type="application/json")


def problem_response(
    status: int, detail: str | list[dict[str, Any]], path: str, *, rfc9457: bool, error_code: str | None = None
) -> Response:
    """Answer with an error: `{"detail": …}` as FastAPI has it, or RFC 9457 problem details (v3 only).

    `error_code` is the machine-readable reason of some refusals.
    """
    code = {"error_code": error_code} if error_code else {}
    if not (rfc9457 and path.startswith("/v3")):
        return json_response({"detail": detail, **code}, status)
    body: dict[str, Any] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    if isinstance(detail, str):
        body |= {"detail": detail}
    else:
        body |= {"detail": "The request has invalid fields.", "errors": detail}
    body |= {"instance": path, **code}
    return Response(json_bytes(body), status, media_type="application/problem+json")


def iso(moment: float) -> str:
    """Return a Unix time as schedules and v1 write it."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds")


# --- pages ---


def encode_cursor(kind: str, position: str | int) -> str:
    """Return the cursor for a position in a list of this kind."""
    return base64.urlsafe_b64encode(f"{kind}:{position}".encode()).decode().rstrip("=")


def decode_cursor(kind: str, cursor: str) -> str:
    """Return the position; raises the 422 for a cursor that was not made here."""
    try:
        text = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError):
        text = ""
    found, _, position = text.partition(":")
    if found != kind or not position:
        raise invalid(("query", "after"), "Invalid cursor", "cursor_invalid")
    return position


def page_response(rows: Sequence[bytes], end_cursor: str | None, total: int | None) -> Response:
    """Answer with a page of rows that are JSON already; a cursor says that there is more."""
    tail = {"has_next_page": end_cursor is not None, "end_cursor": end_cursor, "total": total}
    body = b'{"items":[' + b",".join(rows) + b"]," + json_bytes(tail)[1:]
    return Response(body, media_type="application/json")


def page_of(
    kind: str,
    rows: Sequence[T],
    query: PageQuery,
    id_of: Callable[[T], str],
    view: Callable[[T], Any] = lambda row: row,
) -> Response:
    """Answer with the page after the row that the cursor names; rows may come and go between pages."""
    start = 0
    if query.after:  # an empty cursor is none
        index, _, identifier = decode_cursor(kind, query.after).partition("/")
        if not index.isdecimal():
            raise invalid(("query", "after"), "Invalid cursor", "cursor_invalid")
        start = int(index)
        if start < len(rows) and id_of(rows[start]) == identifier:
            start += 1
        else:  # the row has moved since, or is gone: then its successor has taken its position
            moved = (place + 1 for place, row in enumerate(rows) if id_of(row) == identifier)
            start = next(moved, min(start, len(rows)))
    shown = rows[start : start + query.first]
    last = start + len(shown) - 1
    more = start + query.first < len(rows)
    cursor = encode_cursor(kind, f"{last}/{id_of(rows[last])}") if more else None
    return page_response([json_bytes(view(row)) for row in shown], cursor, len(rows))


# --- types of fields ---


_url = TypeAdapter(AnyUrl)


def _check_uri(text: str) -> str:
    _url.validate_python(text)
    return text


def _integral(value: object) -> object:
    """JSON has one kind of number: 5.0 is an integer too."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _check_datetime(text: str) -> str:
    if "T" not in text.upper():
        raise ValueError("not a date and a time")
    datetime.fromisoformat(text.upper())
    return text


Integer = Annotated[int, BeforeValidator(_integral)]
PositiveInteger = Annotated[int, Field(gt=0), BeforeValidator(_integral)]
Uri = Annotated[
    str,
    Field(min_length=1, max_length=2083),
    AfterValidator(_check_uri),
    WithJsonSchema({"type": "string", "format": "uri", "minLength": 1, "maxLength": 2083}),
]
DateTime = Annotated[str, AfterValidator(_check_datetime), WithJsonSchema({"type": "string", "format": "date-time"})]
"""An ISO 8601 time, kept as it was written."""
Agent = Literal["devin", "data_analyst"]
NotifyOn = Literal["always", "failure", "never"]
ScheduleType = Literal["recurring", "one_time"]
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


class Body(BaseModel):
    """Base of request bodies."""

    model_config = ConfigDict(strict=True, extra="ignore")


class Parameters(BaseModel):
    """Base of query parameters; lists repeat their key."""

    model_config = ConfigDict(extra="ignore")


# --- v3 sessions ---


class SessionSecret(Body):
    """A secret for one session only."""

    key: str = Field(min_length=1, max_length=256)
    value: str = Field(max_length=65536, repr=False)
    sensitive: bool = True


class SessionCreate(Body):
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


class MessageCreate(Body):
    message: str
    attachment_urls: list[Uri] | None = None
    message_as_user_id: str | None = None


class TagsUpdate(Body):
    tags: list[str] = Field(max_length=TAGS_MAX)


class PageQuery(Parameters):
    """The two parameters of every cursor-paged list."""

    first: int = Field(default=100, ge=1, le=200)
    after: str | None = None


class SessionsQuery(PageQuery):
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


class EnterpriseSessionsQuery(SessionsQuery):
    org_ids: list[str] | None = None


class EventsQuery(PageQuery):
    categories: list[EventCategory] | None = None
    event_types: list[str] | None = None
    direction: Literal["incoming", "outgoing"] | None = None
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


# --- v3 resources ---


class PlaybookWrite(Body):
    title: str
    body: str
    macro: Annotated[str, Field(pattern=r"^![A-Za-z0-9_-]+$")] | None = None
    structured_output_schema: dict[str, Any] | None = None


class NotesQuery(PageQuery):
    folder_path: str | None = None
    pinned_repo: str | None = None
    search: str | None = None


class NoteWrite(Body):
    name: str
    body: str
    trigger: str
    folder_id: str | None = None
    is_enabled: bool | None = None
    pinned_repo: str | None = None


class SecretWrite(Body):
    type: SecretType
    key: str
    value: str = Field(repr=False)
    is_sensitive: bool = True
    note: str | None = None


class SchedulesQuery(Parameters):
    """Schedules page by offset."""

    limit: int | None = Field(default=None, ge=1)
    offset: int = Field(default=0, ge=0)


class ScheduleCreate(Body):
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
    scheduled_at: DateTime | None = None
    slack_channel_id: str | None = None
    slack_team_id: str | None = None
    tags: list[str] | None = None
    target_devin_id: str | None = None
    platform: str | None = None


class ScheduleUpdate(Body):
    """The body that changes a schedule: what is not named stays."""

    name: str | None = None
    prompt: str | None = None
    enabled: bool | None = None
    agent: Agent | None = None
    bypass_approval: bool | None = None
    interval_count: Integer | None = None
    notify_on: NotifyOn | None = None
    run_as_user_id: str | None = None
    schedule_type: ScheduleType | None = None
    playbook_id: str | None = None
    frequency: str | None = None
    scheduled_at: DateTime | None = None
    slack_channel_id: str | None = None
    slack_team_id: str | None = None
    tags: list[str] | None = None
    target_devin_id: str | None = None
    platform: str | None = None


# --- v3 consumption and metrics ---


class DaysQuery(Parameters):
    """An optional window of time, half-open; Unix seconds."""

    time_after: int | None = None
    time_before: int | None = None


class WindowQuery(Parameters):
    """A window of time that must be given, half-open; Unix seconds."""

    time_after: int
    time_before: int


class MetricsQuery(WindowQuery):
    """A window, and whose sessions count."""

    playbook_id: str | None = None
    user_ids: list[str] | None = None
    service_user_ids: list[str] | None = None


class ActiveQuery(WindowQuery):
    """A window, and how much makes a user active."""

    min_sessions: int | None = None
    min_searches: int | None = None


# --- v3: what belongs to an organization, and what an enterprise sees ---

Name = Annotated[str, Field(min_length=1, max_length=500)]
Objects = list[dict[str, Any]]
Order = Literal["asc", "desc"]


class RepositoriesQuery(PageQuery):
    filter_name: str | None = None
    only_repo_paths: list[str] | None = None
    exclude_repo_paths: list[str] | None = None
    load_indexing_status: bool | None = None


class IndexRepository(Body):
    branch_names: list[str] | None = None


class IndexingItem(IndexRepository):
    repository_path: str


class IndexRepositories(Body):
    repositories: list[IndexingItem]


class RemoveRepositories(Body):
    repository_paths: list[str]


class PrReviewCreate(Body):
    pr_url: str


class PrReviewQuery(Parameters):
    pr_url: str
    commit_sha: str | None = None


class MembersQuery(PageQuery):
    email: str | None = None


class AutomationsQuery(PageQuery):
    search: str | None = None
    creator_id: str | None = None
    enabled: bool | None = None
    event_type: str | None = None
    agent_types: list[str] | None = None


class SchemasQuery(Parameters):
    security_profile_id: str | None = None


class _AutomationGroups(Body):
    """Parts of an automation; unknown ones are refused by the route."""

    model_config = ConfigDict(strict=True, extra="allow")

    metadata: dict[str, Any] | None = None
    limits: dict[str, Any] | None = None
    concurrency: dict[str, Any] | None = None
    notifications: dict[str, Any] | None = None
    tools: dict[str, Any] | None = None
    session_settings: dict[str, Any] | None = None
    security_profile: Any = None
    slack_reply_access: str | None = None
    teams_reply_access: str | None = None


class AutomationCreate(_AutomationGroups):
    name: Name
    triggers: Objects
    actions: Annotated[Objects, Field(min_length=1)]
    run_as: dict[str, Any]
    enabled: bool = True
    template_id: str | None = None


class AutomationUpdate(_AutomationGroups):
    name: Name | None = None
    triggers: Objects | None = None
    actions: Objects | None = None
    run_as: dict[str, Any] | None = None
    enabled: bool | None = None


class OrgTagsWrite(Body):
    tags: list[str]


class DefaultTagWrite(Body):
    tag: str


class LogsQuery(PageQuery):
    """A log, the newest first; a span of at most 100 days."""

    time_after: int | None = None
    time_before: int | None = None
    order: Order | None = None


class AuditLogsQuery(LogsQuery):
    action: str | None = None


class GuardrailsQuery(LogsQuery):
    session_id: str | None = None
    guardrail_id: str | None = None


class ServiceUsersQuery(PageQuery):
    include_inactive: bool | None = None


class ConnectionRepositoriesQuery(PageQuery):
    filter_name: str | None = None


# --- v1 ---


class V1SessionCreate(Body):
    prompt: str
    title: str | None = None
    tags: Annotated[list[str], Field(max_length=TAGS_MAX)] | None = None
    idempotent: bool = False
    """Answer an equivalent earlier session instead of starting one."""
    max_acu_limit: PositiveInteger | None = None
    playbook_id: str | None = None
    snapshot_id: str | None = None
    knowledge_ids: list[str] | None = None
    secret_ids: list[str] | None = None
    session_secrets: list[SessionSecret] | None = None
    structured_output_schema: dict[str, Any] | None = None
    unlisted: bool = False


class V1SessionsQuery(Parameters):
    limit: int = Field(default=100, ge=1, le=1000)
    offset: int = Field(default=0, ge=0)
    skip: int | None = Field(default=None, ge=0)
    tags: list[str] | None = None
    user_email: str | None = None


class V1Message(Body):
    message: str


class V1TagsUpdate(Body):
    tags: list[str]


class V1SecretWrite(Body):
    """The body that stores a secret; every field is required."""

    type: SecretType
    key: str
    value: str = Field(repr=False)
    sensitive: bool
    note: str


class V1NoteWrite(Body):
    name: str
    body: str
    trigger_description: str
    macro: str | None = None
    parent_folder_id: str | None = None
    pinned_repo: str | None = None


class V1PlaybookWrite(Body):
    title: str = Field(min_length=1)
    body: str = Field(min_length=1)
    macro: str | None = None
