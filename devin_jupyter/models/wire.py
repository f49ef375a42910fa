"""What the service answers, as types: for type checkers and completion, without any cost at run time.

An operation returns the JSON it got, so a field may be missing, have an unknown value or hold something unexpected
nevertheless: read answers with `models.fields` where that matters. One type covers both API versions; a field is
required here where all versions always have it. Enums are open, hence `str`; the known values are in `models.enums`.
A test holds every type against the facts in `tests/contract`.
"""

# No `from __future__ import annotations` here: a class would compile each annotation first, which takes longer.

from typing import Any, NotRequired, TypedDict


class PullRequest(TypedDict):
    """A pull request of a session. v3 says `pr_url` and `pr_state`, v1 only `url`."""

    pr_url: NotRequired[str]
    pr_state: NotRequired[str | None]
    url: NotRequired[str]


class Message(TypedDict):
    """A message of a conversation. v3 says who wrote it in `source`, v1 in `type`; `created_at` is in Unix seconds,
    `timestamp` (v1) ISO 8601.
    """

    event_id: str
    source: NotRequired[str]
    message: str
    created_at: NotRequired[int]
    origin: NotRequired[str | None]
    user_id: NotRequired[str | None]
    username: NotRequired[str | None]
    type: NotRequired[str]
    timestamp: NotRequired[str]


class Session(TypedDict):
    """A session. Times are Unix seconds on v3, ISO 8601 on v1; `status_enum` and `messages` are v1's."""

    session_id: str
    url: NotRequired[str]
    org_id: NotRequired[str]
    status: str
    status_detail: NotRequired[str | None]
    created_at: str | int
    updated_at: str | int
    acus_consumed: NotRequired[float]
    tags: NotRequired[list[str] | None]
    pull_requests: NotRequired[list[PullRequest]]
    title: NotRequired[str | None]
    user_id: NotRequired[str | None]
    service_user_id: NotRequired[str | None]
    playbook_id: NotRequired[str | None]
    parent_session_id: NotRequired[str | None]
    child_session_ids: NotRequired[list[str] | None]
    is_archived: NotRequired[bool]
    origin: NotRequired[str | None]
    category: NotRequired[str | None]
    subcategory: NotRequired[str | None]
    structured_output: NotRequired[Any]
    devin_mode: NotRequired[str | None]
    automation_id: NotRequired[str | None]
    status_enum: NotRequired[str | None]
    snapshot_id: NotRequired[str | None]
    pull_request: NotRequired[PullRequest | None]
    requesting_user_email: NotRequired[str | None]
    messages: NotRequired[list[Message]]
    is_new_session: NotRequired[bool | None]


class Attachment(TypedDict):
    """An uploaded file; its `url` goes into a create call or a message. v1 returns the URL only."""

    attachment_id: str | None
    name: str
    url: str


class SessionAttachment(TypedDict):
    """A file of a session. `source` is `devin` or `user`."""

    attachment_id: str
    name: str
    url: str
    source: str
    content_type: NotRequired[str | None]


class ActionItem(TypedDict):
    """Something to do so that the next session goes better."""

    action_item: str
    type: NotRequired[str]
    issue_id: NotRequired[str | None]


class Issue(TypedDict):
    """Something that went wrong or took long."""

    issue: str
    impact: str
    label: str
    id: NotRequired[str]


class TimelineItem(TypedDict):
    """One step of a session."""

    title: str
    description: str
    color: NotRequired[str]
    issue_id: NotRequired[str | None]


class Classification(TypedDict):
    """The kind of work a session did."""

    category: str
    confidence: float
    programming_languages: NotRequired[list[str]]
    tools_and_frameworks: NotRequired[list[str]]


class FeedbackItem(TypedDict):
    """A remark on the prompt."""

    summary: str
    details: str
    excerpt: str
    issue_id: NotRequired[str | None]


class SuggestedPrompt(TypedDict):
    """A prompt that would have worked better."""

    original_prompt: str
    suggested_prompt: str
    feedback_items: NotRequired[list[FeedbackItem]]


class NoteUsageItem(TypedDict):
    """How one knowledge note was used."""

    note_id: str
    reason: str
    message: str


class NoteUsage(TypedDict):
    """Knowledge notes that helped, and those that did not."""

    good_usages: NotRequired[list[NoteUsageItem]]
    bad_usages: NotRequired[list[NoteUsageItem]]


class Analysis(TypedDict):
    """The generated part of the insights."""

    action_items: NotRequired[list[ActionItem]]
    issues: NotRequired[list[Issue]]
    timeline: NotRequired[list[TimelineItem]]
    classification: NotRequired[Classification | None]
    suggested_prompt: NotRequired[SuggestedPrompt | None]
    note_usage: NotRequired[NoteUsage | None]


class Insights(TypedDict):
    """A session with its insights; `analysis` is None until it was generated."""

    session_id: str
    url: str
    org_id: str
    status: str
    status_detail: NotRequired[str | None]
    created_at: int
    updated_at: int
    acus_consumed: float
    tags: list[str]
    pull_requests: list[PullRequest]
    title: NotRequired[str | None]
    user_id: NotRequired[str | None]
    service_user_id: NotRequired[str | None]
    playbook_id: NotRequired[str | None]
    parent_session_id: NotRequired[str | None]
    child_session_ids: NotRequired[list[str] | None]
    is_archived: NotRequired[bool]
    origin: NotRequired[str | None]
    category: NotRequired[str | None]
    subcategory: NotRequired[str | None]
    structured_output: NotRequired[dict[str, Any] | None]
    devin_mode: NotRequired[str | None]
    automation_id: NotRequired[str | None]
    num_devin_messages: int
    num_user_messages: int
    session_size: str
    analysis: NotRequired[Analysis | None]


class Event(TypedDict):
    """One event of a session."""

    event_id: str
    event_type: str
    category: str
    direction: str
    created_at: int
    summary: str


class EventHit(TypedDict):
    """An event found by a search, with the text around the match."""

    event_id: str
    event_type: str
    category: str
    direction: str
    created_at: int
    summary: str
    match_context: str


class EventDetail(TypedDict):
    """One event in full."""

    event_id: str
    event_type: str
    category: str
    direction: str
    created_at: int
    contents: dict[str, Any]
    truncated_fields: NotRequired[list[str] | None]


class Playbook(TypedDict):
    """A playbook. Times are Unix seconds on v3, ISO 8601 on v1."""

    playbook_id: NotRequired[str]
    title: NotRequired[str]
    body: NotRequired[str]
    macro: NotRequired[str | None]
    access_type: NotRequired[str]
    org_id: NotRequired[str | None]
    created_at: NotRequired[str | int]
    updated_at: NotRequired[str | int]
    created_by: NotRequired[str]
    updated_by: NotRequired[str]
    structured_output_schema: NotRequired[dict[str, Any] | None]
    status: NotRequired[str]
    created_by_user_id: NotRequired[str | None]
    created_by_user_name: NotRequired[str | None]
    updated_by_user_id: NotRequired[str | None]
    updated_by_user_name: NotRequired[str | None]


class NoteAuthor(TypedDict):
    """Who wrote a knowledge note (v1)."""

    id: NotRequired[str]
    full_name: NotRequired[str | None]
    image_url: NotRequired[str | None]


class Note(TypedDict):
    """A knowledge note, in the field names of v3. Times are Unix seconds on v3, ISO 8601 on v1."""

    note_id: str
    name: str
    body: str
    trigger: str
    access_type: NotRequired[str]
    org_id: NotRequired[str | None]
    folder_id: NotRequired[str | None]
    folder_path: NotRequired[str]
    is_enabled: NotRequired[bool]
    macro: NotRequired[str | None]
    pinned_repo: NotRequired[str | None]
    created_at: str | int
    updated_at: NotRequired[int]
    created_by: NotRequired[NoteAuthor | None]


class Folder(TypedDict):
    """A folder of knowledge notes."""

    folder_id: str | None
    name: NotRequired[str]
    path: NotRequired[str]
    note_count: NotRequired[int]
    parent_folder_id: NotRequired[str | None]
    id: NotRequired[str]
    description: NotRequired[str]
    created_at: NotRequired[str]


class Secret(TypedDict):
    """A stored secret, without its value. Times are Unix seconds on v3, ISO 8601 on v1."""

    secret_id: str
    key: str | None
    note: NotRequired[str | None]
    secret_type: str
    access_type: NotRequired[str]
    is_sensitive: NotRequired[bool]
    created_at: NotRequired[str | int]
    created_by: NotRequired[str]
    updated_at: NotRequired[int | None]
    updated_by: NotRequired[str | None]
    secret_name: NotRequired[str]
    id: NotRequired[str]


class SchedulePlaybook(TypedDict):
    """The playbook of a schedule."""

    playbook_id: str
    title: str | None


class Schedule(TypedDict):
    """A schedule. Its times are ISO 8601."""

    scheduled_session_id: str
    org_id: str
    name: str
    prompt: str
    agent: str
    enabled: bool
    frequency: str | None
    notify_on: str
    playbook: SchedulePlaybook | None
    created_by: str | None
    created_at: str
    updated_at: str
    last_executed_at: str | None
    last_error_at: str | None
    last_error_message: str | None
    consecutive_failures: int
    bypass_approval: NotRequired[bool]
    interval_count: NotRequired[int]
    schedule_type: NotRequired[str]
    scheduled_at: NotRequired[str | None]
    slack_channel_id: NotRequired[str | None]
    slack_team_id: NotRequired[str | None]
    tags: NotRequired[list[str] | None]
    target_devin_id: NotRequired[str | None]
    platform: NotRequired[str | None]
    last_edited_by: NotRequired[str | None]


class AcusByProduct(TypedDict):
    """ACUs by product."""

    devin: float
    cascade: float
    terminal: float
    review: NotRequired[float | None]


class DailyConsumption(TypedDict):
    """The ACUs of one day, which begins at `date` (Unix seconds, 08:00 UTC)."""

    date: int
    acus: float
    acus_by_product: AcusByProduct


class Consumption(TypedDict):
    """ACUs in total and by day."""

    total_acus: float
    consumption_by_date: list[DailyConsumption]


class UsageMetrics(TypedDict):
    """Numbers of sessions, searches and pull requests."""

    sessions_count: int
    searches_count: int
    prs_created_count: int
    prs_merged_count: int


class SessionsByOrigin(TypedDict):
    """Numbers of sessions by origin."""

    webapp: NotRequired[int]
    slack: NotRequired[int]
    teams: NotRequired[int]
    api: NotRequired[int]
    linear: NotRequired[int]
    jira: NotRequired[int]
    automation: NotRequired[int]
    desktop: NotRequired[int]


class SessionsBySize(TypedDict):
    """Numbers of sessions by size."""

    xs: NotRequired[int]
    s: NotRequired[int]
    m: NotRequired[int]
    l: NotRequired[int]  # noqa: E741  # the name on the wire
    xl: NotRequired[int]


class SessionMetrics(TypedDict):
    """Figures on the sessions of a period."""

    sessions_created_count: int
    sessions_created_with_playbook_count: int
    sessions_created_with_search_count: int
    sessions_created_by_origin: SessionsByOrigin
    sessions_created_by_size: SessionsBySize
    sessions_with_merged_prs_count: int
    sessions_with_merged_prs_by_size: SessionsBySize
    avg_acus_per_session: float


class PullRequestMetrics(TypedDict):
    """Numbers of pull requests in a period."""

    prs_created_count: int
    prs_opened_count: int
    prs_closed_count: int
    prs_merged_count: int
    prs_taken_over_count: NotRequired[int]
    prs_taken_over_opened_count: NotRequired[int]
    prs_taken_over_closed_count: NotRequired[int]
    prs_taken_over_merged_count: NotRequired[int]


class SearchMetrics(TypedDict):
    """The number of searches in a period."""

    searches_created_count: int


class ActiveUsers(TypedDict):
    """The number of users who were active between two times (Unix seconds)."""

    start_time: int
    end_time: int
    active_users: int


class Principal(TypedDict):
    """The principal behind a key; `principal_type` says which of the fields there are."""

    principal_type: str
    service_user_id: NotRequired[str]
    service_user_name: NotRequired[str]
    org_id: NotRequired[str | None]
    user_id: NotRequired[str]
    user_name: NotRequired[str | None]
    api_key_id: NotRequired[str]
    api_key_name: NotRequired[str]
    devin_id: NotRequired[str]
    creator_service_user_id: NotRequired[str | None]


class Organization(TypedDict):
    """An organization that an enterprise key can see, with its limits in ACUs; times are Unix seconds."""

    org_id: str
    name: str
    created_at: NotRequired[int | None]
    updated_at: NotRequired[int | None]
    max_session_acu_limit: NotRequired[int | None]
    max_cycle_acu_limit: NotRequired[int | None]


class Cycle(TypedDict):
    """A billing cycle, from `after` to `before` (Unix seconds); the newest may end in the future."""

    after: int
    before: int


class AcuLimit(TypedDict):
    """How many ACUs a cycle may cost: of the enterprise, of an organization or of a user, as `scope` says."""

    scope: str
    cycle_acu_limit: int
    org_id: NotRequired[str | None]
    user_id: NotRequired[str | None]


class QueueLoad(TypedDict, total=False):
    """How loaded the queue is. No document names the fields: the answer is returned as it is."""

    status: str


class OrgGroup(TypedDict):
    """Organizations that share a limit, in ACUs per cycle."""

    org_ids: list[str]
    max_cycle_acus: NotRequired[int | None]


class Repository(TypedDict):
    """A repository that the organization can see; `indexing_status` is filled only where it was asked for."""

    repo_name: str
    repo_path: str
    provider_repository_id: str
    git_connection_id: str
    git_connection_host: str
    repo_description: str | None
    repo_language: str | None
    last_updated_at: int | None
    indexing_status: dict[str, Any] | None


class IndexJob(TypedDict):
    """A job that indexes a branch: `completed`, `failed` or `in_progress`."""

    job_id: str
    branch_name: NotRequired[str | None]
    commit: NotRequired[str | None]
    created_at: int
    status: str


class IndexingStatus(TypedDict):
    """How far the indexing of a repository is."""

    indexing_enabled: bool
    latest_completed_search_index_job: NotRequired[IndexJob | None]
    latest_completed_wiki_index_job: NotRequired[IndexJob | None]
    latest_indexes: NotRequired[list[IndexJob]]


class RepositoryIndexing(TypedDict):
    """Whether and on which branches a repository is indexed."""

    repository_path: str
    branches: list[str]
    indexing_enabled: bool
    indexing_status: NotRequired[IndexingStatus | None]


class GitConnection(TypedDict):
    """A connection of the enterprise to a Git host."""

    git_connection_id: str
    git_provider_type: str
    host: str
    name: NotRequired[str | None]
    created_at: NotRequired[Any]


class PrReview(TypedDict):
    """A review of a commit of a pull request: `pending`, `running`, `completed`, `errored`, …; `created_at` is
    ISO 8601.
    """

    status: str
    repo_path: str
    pr_number: int
    commit_sha: str
    created_at: str


class Role(TypedDict):
    """A role."""

    role_id: str
    role_name: str
    role_type: NotRequired[str | None]


class RoleAssignment(TypedDict):
    """A role in an organization, or in the enterprise."""

    org_id: NotRequired[str | None]
    role: Role


class IdpRoleAssignment(TypedDict):
    """A role that comes with a group of the identity provider."""

    idp_group_name: str
    org_id: NotRequired[str | None]
    role: Role


class Member(TypedDict):
    """A person of the organization. `email` is None unless it was asked for."""

    user_id: str
    name: NotRequired[str | None]
    email: NotRequired[str | None]
    role_assignments: NotRequired[list[RoleAssignment]]
    idp_role_assignments: NotRequired[list[IdpRoleAssignment]]


class ServiceUser(TypedDict):
    """A service user."""

    service_user_id: str
    name: str
    expires_at: NotRequired[Any]
    deleted_at: NotRequired[Any]
    role_assignments: NotRequired[list[RoleAssignment]]


class AutomationWebhook(TypedDict):
    """Where outside systems report an event. The secret comes once, hidden: see `HiddenSecret`."""

    url: NotRequired[str | None]
    secret: NotRequired[Any]


class AutomationTrigger(TypedDict):
    """An event that starts an automation."""

    event_type: str
    conditions: NotRequired[dict[str, Any] | None]
    replies: NotRequired[list[dict[str, Any]] | None]
    trigger_id: NotRequired[str]
    webhook: NotRequired[AutomationWebhook | None]


class AutomationAuthor(TypedDict):
    """Who made or edited an automation: a `user` or a `service_user`."""

    type: str
    id: str
    name: NotRequired[str | None]


class AutomationInvocation(TypedDict):
    """The last time an automation fired (Unix seconds): `succeeded`, `failed`, `skipped`, …"""

    fired_at: int
    status: str


class AutomationLimits(TypedDict):
    """What an automation may start: ACUs per session, and sessions per window of time."""

    max_acu_limit: NotRequired[int | None]
    invocations: NotRequired[dict[str, Any] | None]


class Automation(TypedDict):
    """Sessions that start by themselves when one of the triggers fires. Times are Unix seconds."""

    automation_id: str
    name: str
    enabled: bool
    triggers: list[AutomationTrigger]
    actions: list[dict[str, Any]]
    run_as: NotRequired[dict[str, Any] | None]
    metadata: NotRequired[dict[str, Any] | None]
    limits: NotRequired[AutomationLimits | None]
    concurrency: NotRequired[dict[str, Any] | None]
    notifications: NotRequired[dict[str, Any] | None]
    tools: NotRequired[dict[str, Any] | None]
    session_settings: NotRequired[dict[str, Any] | None]
    security_profile: NotRequired[Any]
    slack_reply_access: NotRequired[str | None]
    teams_reply_access: NotRequired[str | None]
    created_at: int
    updated_at: int
    created_by: AutomationAuthor
    last_edited_by: NotRequired[AutomationAuthor | None]
    last_invocation: NotRequired[AutomationInvocation | None]
    next_run_at: NotRequired[int | None]


class AutomationSchemas(TypedDict):
    """The events that may trigger an automation, by source, with the fields of their conditions."""

    sources: dict[str, Any]
    update_semantics: str
    default_net_policy: NotRequired[Any]
    security_profile: NotRequired[Any]


class AutomationTemplate(TypedDict):
    """A ready-made automation."""

    template_id: str
    name: str
    description: NotRequired[str | None]
    category: NotRequired[str | None]
    featured: NotRequired[bool]
    docs_url: NotRequired[str | None]
    required_integrations: NotRequired[list[str]]
    required_mcps: NotRequired[list[str]]
    triggers: NotRequired[list[dict[str, Any]]]
    actions: NotRequired[list[dict[str, Any]]]


class AuditLog(TypedDict):
    """Something that was done in the enterprise, and by whom. `created_at` is in Unix seconds."""

    audit_log_id: str
    action: str
    created_at: int
    data: NotRequired[dict[str, Any] | None]
    org_id: NotRequired[str | None]
    user_id: NotRequired[str | None]
    user_email: NotRequired[str | None]
    service_user_id: NotRequired[str | None]
    service_user_name: NotRequired[str | None]


class GuardrailViolation(TypedDict):
    """A message that a guardrail logged, warned about, blocked, or ended its session for."""

    violation_id: int
    guardrail_id: str
    guardrail_name: NotRequired[str | None]
    action_taken: str
    confidence_score: NotRequired[float | None]
    reasoning: NotRequired[str | None]
    user_message: NotRequired[str | None]
    event_id: NotRequired[str | None]
    session_id: NotRequired[str | None]
    org_id: str
    created_at: int
