"""The wire models of what v3 counts: consumption, metrics, organizations. Times are Unix seconds."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from devin_jupyter.models.v3 import Answer


class DaysQuery(BaseModel):
    """An optional window of time, half-open."""

    model_config = ConfigDict(extra="ignore")

    time_after: int | None = None
    time_before: int | None = None


class WindowQuery(BaseModel):
    """A window of time that must be given, half-open."""

    model_config = ConfigDict(extra="ignore")

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


class AcusByProduct(Answer):
    """ACUs by product."""

    devin: float
    cascade: float
    terminal: float
    review: float | None = None


class ConsumptionByDate(Answer):
    """The ACUs of one day; days begin at 08:00 UTC."""

    date: int
    """When the day begins."""
    acus: float
    acus_by_product: AcusByProduct


class Consumption(Answer):
    """ACUs of an organization, a user, a service user or a session, by day."""

    total_acus: float
    consumption_by_date: list[ConsumptionByDate]


class UsageMetrics(Answer):
    """Counts over a window."""

    sessions_count: int
    searches_count: int
    prs_created_count: int
    prs_merged_count: int


class SessionsByOrigin(Answer):
    """Sessions by where they were started."""

    webapp: int = 0
    slack: int = 0
    teams: int = 0
    api: int = 0
    linear: int = 0
    jira: int = 0
    automation: int = 0
    desktop: int = 0


class SessionsBySize(Answer):
    """Sessions by size."""

    xs: int = 0
    s: int = 0
    m: int = 0
    l: int = 0  # noqa: E741  # the name on the wire
    xl: int = 0


class SessionMetrics(Answer):
    """What was started in a window."""

    sessions_created_count: int
    sessions_created_with_playbook_count: int
    sessions_created_with_search_count: int
    sessions_created_by_origin: SessionsByOrigin
    sessions_created_by_size: SessionsBySize
    sessions_with_merged_prs_count: int
    sessions_with_merged_prs_by_size: SessionsBySize
    avg_acus_per_session: float


class PrMetrics(Answer):
    """What became of the pull requests of a window."""

    prs_created_count: int
    prs_opened_count: int
    prs_closed_count: int
    prs_merged_count: int
    prs_taken_over_count: int = 0
    prs_taken_over_opened_count: int = 0
    prs_taken_over_closed_count: int = 0
    prs_taken_over_merged_count: int = 0


class SearchMetrics(Answer):
    """Searches in a window."""

    searches_created_count: int


class ActiveUsers(Answer):
    """How many users were active in a stretch of time."""

    start_time: int
    end_time: int
    active_users: int


class OrganizationInfo(Answer):
    """An organization that an enterprise key can see."""

    org_id: str
    name: str
    max_session_acu_limit: int | None = None
    max_cycle_acu_limit: int | None = None


class ConsumptionCycle(Answer):
    """A billing cycle, half-open."""

    after: int
    before: int
