"""The enums and limits of the API, written once for client, simulator and frames.

All enums are open: responses may hold values that are not here.
"""

from __future__ import annotations

from typing import Literal

DevinMode = Literal["normal", "fast", "lite", "ultra", "fusion"]
Status = Literal["new", "claimed", "running", "exit", "error", "suspended", "resuming"]
StatusDetail = Literal[
    "working",
    "waiting_for_user",
    "waiting_for_approval",
    "finished",
    "inactivity",
    "user_request",
    "usage_limit_exceeded",
    "out_of_credits",
    "out_of_quota",
    "no_quota_allocation",
    "payment_declined",
    "org_usage_limit_exceeded",
    "total_session_limit_exceeded",
    "error",
]
Origin = Literal[
    "webapp", "slack", "teams", "api", "linear", "jira", "automation", "cli", "desktop", "code_scan", "other"
]
Category = Literal[
    "bug_fixing",
    "ci_cd_and_devops",
    "code_quality_and_security",
    "code_review",
    "code_review_and_analysis",
    "data_and_automation",
    "documentation_and_content",
    "feature_development",
    "migrations_and_upgrades",
    "other",
    "refactoring_and_optimization",
    "research_and_exploration",
    "security",
    "unit_test_generation",
]
SecretType = Literal["cookie", "key-value", "totp"]
SessionSize = Literal["xs", "s", "m", "l", "xl"]
StatusEnum = Literal[
    "working",
    "blocked",
    "expired",
    "finished",
    "suspend_requested",
    "suspend_requested_frontend",
    "resume_requested",
    "resume_requested_frontend",
    "resumed",
]
"""`status_enum` of v1."""

SEEN_STATUS = ("creating",)
"""Values that the specification does not list, but that were observed or are in newer or older versions of it."""
SEEN_STATUS_DETAIL = ("user_usage_limit_exceeded", "contract_expired")
SEEN_ORIGIN = ("scheduled",)
SEEN_CATEGORY = ("production_investigation",)

SCHEMA_BYTES = 64 * 1024
"""The largest structured output schema, serialized."""
