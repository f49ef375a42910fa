"""The types of the answers against the facts: every field, whether it is always there, and what it may hold."""

from __future__ import annotations

import types
from typing import Any, NotRequired, Required, Union, get_args, get_origin, get_type_hints

import pytest
from contract.openapi import shared

from devin_jupyter.models import wire

SHAPES: dict[str, list[str]] = {
    "PullRequest": ["v3 SessionPullRequest", "v1 PullRequestInfo"],
    "Message": ["v3 SessionMessage", "v1 SessionMessage"],
    "Session": ["v3 SessionResponse", "v1 SessionSummary", "v1 SessionDetails", "v1 CreateSessionResponse"],
    "Attachment": ["v3 AttachmentResponse"],
    "SessionAttachment": ["v3 SessionAttachment"],
    "ActionItem": ["v3 InsightsActionItem"],
    "Issue": ["v3 InsightsIssue"],
    "TimelineItem": ["v3 InsightsTimelineItem"],
    "Classification": ["v3 InsightsClassification"],
    "FeedbackItem": ["v3 InsightsFeedbackItem"],
    "SuggestedPrompt": ["v3 InsightsSuggestedPrompt"],
    "NoteUsageItem": ["v3 SessionInsightsNoteUsageItem"],
    "NoteUsage": ["v3 InsightsNoteUsage"],
    "Analysis": ["v3 SessionInsightsAnalysis"],
    "Insights": ["v3 SessionInsightsResponse"],
    "Event": ["v3 EventSummary"],
    "EventHit": ["v3 EventSearchHit"],
    "EventDetail": ["v3 EventDetail"],
    "Playbook": ["v3 PlaybookResponse", "v1 PlaybookResponse"],
    "NoteAuthor": ["v1 KnowledgeCreatedBy"],
    "Note": ["v3 KnowledgeNoteResponse", "v1 KnowledgeEntry"],
    "Folder": ["v3 KnowledgeFolder", "v1 KnowledgeFolderResponse"],
    "Secret": ["v3 SecretResponse", "v1 SecretMetadata", "v1 SecretCreatedResponse"],
    "SchedulePlaybook": ["v3 PlaybookInfo"],
    "Schedule": ["v3 ScheduleResponse"],
    "AcusByProduct": ["v3 AcusByProduct"],
    "DailyConsumption": ["v3 ConsumptionByDateResponse"],
    "Consumption": ["v3 ConsumptionResponse"],
    "UsageMetrics": ["v3 UsageMetricsResponse"],
    "SessionsByOrigin": ["v3 SessionsCreatedByOrigin"],
    "SessionsBySize": ["v3 SessionCountsBySize"],
    "SessionMetrics": ["v3 SessionMetricsResponse"],
    "PullRequestMetrics": ["v3 PrMetricsResponse"],
    "SearchMetrics": ["v3 SearchMetricsResponse"],
    "ActiveUsers": ["v3 ActiveUserMetrics"],
    "Principal": ["v3 ServiceUserSelf", "v3 PatUserSelf", "v3 DevinBrainUserSelf", "v3 WindsurfSessionUserSelf"],
    "Organization": ["v3 OrganizationInfo"],
    "QueueLoad": ["v3 QueueResponse"],
    "Cycle": ["v3 ConsumptionCycle"],
    "AcuLimit": ["v3 AcuLimit"],
    "Repository": ["v3 RepositoryInfo"],
    "IndexJob": ["v3 IndexJob"],
    "IndexingStatus": ["v3 IndexingStatus"],
    "RepositoryIndexing": ["v3 RepositoryIndexing"],
    "GitConnection": ["v3 GitConnection"],
    "PrReview": ["v3 PrReviewResponse"],
    "Role": ["v3 RoleInfo"],
    "RoleAssignment": ["v3 RoleAssignment"],
    "IdpRoleAssignment": ["v3 IdpRoleAssignment"],
    "Member": ["v3 User"],
    "ServiceUser": ["v3 ServiceUserInfo"],
    "AutomationWebhook": ["v3 AutomationWebhook"],
    "AutomationTrigger": ["v3 AutomationTrigger"],
    "AutomationAuthor": ["v3 AutomationAuthor"],
    "AutomationInvocation": ["v3 AutomationInvocation"],
    "AutomationLimits": ["v3 AutomationLimits"],
    "Automation": ["v3 Automation"],
    "AutomationSchemas": ["v3 AutomationSchemas"],
    "AutomationTemplate": ["v3 AutomationTemplate"],
    "AuditLog": ["v3 AuditLog"],
    "GuardrailViolation": ["v3 GuardrailViolation"],
}
"""A type of `wire`, and the shapes of the facts that it stands for: one for each API version that has the thing."""
RENAMED = {
    "v1 KnowledgeEntry": {
        "id": "note_id",
        "trigger_description": "trigger",
        "parent_folder_id": "folder_id",
    }
}
"""Fields that this package gives the name they have in v3."""
ADDED = {
    ("Attachment", "attachment_id"): {"null"},  # v1 answers with the URL only
    ("Folder", "folder_id"): {"null"},  # v1 calls it `id`
    ("Secret", "key"): set[str](),  # v1 calls it `secret_name`
}
"""What this package adds to an answer of v1."""
COPIED = {
    "v1 SecretMetadata": {"key"},
    "v1 KnowledgeFolderResponse": {"folder_id"},
    "v1 SecretCreatedResponse": {"secret_id", "key", "secret_type"},
}
"""Fields that an answer of v1 has under two names, its own and that of v3."""
PARTIAL = {"v1 CreateSessionResponse"}
"""Answers with a few of the fields of what they are about; they make no field optional."""
NAMES = {shape.partition(" ")[2]: name for name, shapes in SHAPES.items() for shape in reversed(shapes)}


def facts_of(name: str) -> dict[str, tuple[set[str], bool]]:
    """Return field → what it may hold, and whether every answer has it."""
    found: dict[str, set[str]] = {}
    always: list[set[str]] = []
    for shape in SHAPES[name]:
        version, _, fact = shape.partition(" ")
        schema = shared(version)["components"]["schemas"][fact]
        new = RENAMED.get(shape, {})
        for field, kind in schema["properties"].items():
            found.setdefault(new.get(field, field), set()).update(kinds(kind, version))
        if shape not in PARTIAL:
            always.append({new.get(field, field) for field in schema.get("required", ())} | COPIED.get(shape, set()))
    for (kind, field), more in ADDED.items():
        if kind == name:
            found[field] |= more
    required = set.intersection(*always)
    anything = {"anything"}
    return {field: (anything if anything <= kinds else kinds, field in required) for field, kinds in found.items()}


def kinds(schema: dict[str, Any], version: str) -> set[str]:
    """What a fact allows, in words that both sides share; enums are open, so they are texts."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        target = shared(version)["components"]["schemas"][name]
        return {NAMES[name]} if target.get("type") == "object" else {"string"}
    if "anyOf" in schema:
        return {kind for choice in schema["anyOf"] for kind in kinds(choice, version)}
    if schema.get("type") == "array":
        return {f"list of {kind}" for kind in kinds(schema["items"], version)}
    return {"string" if "const" in schema else str(schema.get("type", "anything"))}


_WORDS = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null", Any: "anything"}


def kinds_of_type(hint: Any) -> set[str]:
    if get_origin(hint) in (Required, NotRequired):
        return kinds_of_type(get_args(hint)[0])
    if get_origin(hint) in (Union, types.UnionType):
        return {kind for choice in get_args(hint) for kind in kinds_of_type(choice)}
    if get_origin(hint) is list:
        return {f"list of {kind}" for kind in kinds_of_type(get_args(hint)[0])}
    if get_origin(hint) is dict:
        return {"object"}
    return {_WORDS.get(hint) or hint.__name__}


@pytest.mark.parametrize("name", SHAPES)
def test_an_answer_type_says_what_the_facts_say(name: str) -> None:
    ours = getattr(wire, name)
    facts = facts_of(name)
    hints = get_type_hints(ours)
    assert {field: kinds_of_type(hint) for field, hint in hints.items()} == {
        field: kinds for field, (kinds, _) in facts.items()
    }
    assert ours.__required_keys__ == {field for field, (_, required) in facts.items() if required}
    assert ours.__doc__


def test_every_shape_of_an_answer_has_a_type() -> None:
    shapes = {shape for shapes in SHAPES.values() for shape in shapes}
    without = ("Request", "Params", "SecretInput", "ValidationError", "PageOf")  # bodies, and envelopes of lists
    unwrapped = {  # answers of which an operation returns a part, or nothing
        "v3 SessionTagsResponse",
        "v3 KnowledgeFolderStructureResponse",
        "v3 SessionInsightsGenerateResponse",
        "v3 EventDetailsResponse",
        "v3 OrgTagsResponse",
        "v3 DefaultTagResponse",
        "v3 AutomationTemplatesResponse",
        "v3 OrgGroupLimitsResponse",
        "v1 SessionListResponse",
        "v1 MessageSentResponse",
        "v1 UpdateTagsResponse",
        "v1 TerminateSessionResponse",
        "v1 SecretListResponse",
        "v1 KnowledgeListResponse",
        "v1 PlaybookStatusResponse",
    }
    for version in ("v3", "v1"):
        schemas = shared(version)["components"]["schemas"]
        answers = {f"{version} {name}" for name, schema in schemas.items() if schema["type"] == "object"}
        assert {name for name in answers if not any(word in name for word in without)} - unwrapped <= shapes
