"""The wire models against the facts: requests exactly, answers in names and types, open enums allowed."""

from __future__ import annotations

from typing import Any

import pytest
from contract.openapi import document
from contract.plain import plain
from pydantic import BaseModel

from devin_jupyter.models import figures, insights, resources, v1, v3

REQUESTS: dict[str, dict[str, type[BaseModel]]] = {
    "v3": {
        "SessionCreateRequest": v3.SessionCreate,
        "SessionMessageCreateRequest": v3.MessageCreate,
        "SessionTagsUpdateRequest": v3.TagsUpdate,
        "PlaybookCreateRequest": resources.PlaybookWrite,
        "KnowledgeNoteCreateRequest": resources.NoteWrite,
        "SecretCreateRequest": resources.SecretWrite,
        "ScheduleCreateRequest": resources.ScheduleCreate,
        "ScheduleUpdateRequest": resources.ScheduleUpdate,
    },
    "v1": {
        "CreateSessionParams": v1.CreateSessionParams,
        "PostMessageParams": v1.PostMessageParams,
        "UpdateTagsParams": v1.UpdateTagsParams,
        "CreateSecretRequest": v1.CreateSecretRequest,
        "KnowledgeParams": v1.KnowledgeParams,
        "CreatePlaybookRequest": v1.CreatePlaybookRequest,
    },
}
ANSWERS: dict[str, dict[str, type[BaseModel]]] = {
    "v3": {
        "SessionResponse": v3.SessionResponse,
        "SessionPullRequest": v3.SessionPullRequest,
        "SessionMessage": v3.SessionMessage,
        "SessionTagsResponse": v3.SessionTags,
        "SessionAttachment": resources.SessionAttachment,
        "AttachmentResponse": resources.Attachment,
        "PlaybookResponse": resources.Playbook,
        "KnowledgeNoteResponse": resources.Note,
        "KnowledgeFolder": resources.Folder,
        "KnowledgeFolderStructureResponse": resources.Folders,
        "SecretResponse": resources.Secret,
        "ScheduleResponse": resources.Schedule,
        "PlaybookInfo": resources.PlaybookInfo,
        "SessionInsightsResponse": insights.SessionInsights,
        "SessionInsightsAnalysis": insights.Analysis,
        "InsightsActionItem": insights.ActionItem,
        "InsightsIssue": insights.Issue,
        "InsightsTimelineItem": insights.TimelineItem,
        "InsightsClassification": insights.Classification,
        "InsightsSuggestedPrompt": insights.SuggestedPrompt,
        "InsightsFeedbackItem": insights.FeedbackItem,
        "InsightsNoteUsage": insights.NoteUsage,
        "SessionInsightsNoteUsageItem": insights.NoteUsageItem,
        "SessionInsightsGenerateResponse": insights.InsightsStarted,
        "EventSummary": insights.EventSummary,
        "EventSearchHit": insights.EventSearchHit,
        "EventDetail": insights.EventDetail,
        "EventDetailsResponse": insights.EventDetails,
        "ConsumptionResponse": figures.Consumption,
        "ConsumptionByDateResponse": figures.ConsumptionByDate,
        "AcusByProduct": figures.AcusByProduct,
        "UsageMetricsResponse": figures.UsageMetrics,
        "SessionMetricsResponse": figures.SessionMetrics,
        "SessionsCreatedByOrigin": figures.SessionsByOrigin,
        "SessionCountsBySize": figures.SessionsBySize,
        "PrMetricsResponse": figures.PrMetrics,
        "SearchMetricsResponse": figures.SearchMetrics,
        "ActiveUserMetrics": figures.ActiveUsers,
        "OrganizationInfo": figures.OrganizationInfo,
        "ConsumptionCycle": figures.ConsumptionCycle,
    },
    "v1": {
        "CreateSessionResponse": v1.CreateSessionResponse,
        "SessionSummary": v1.SessionSummary,
        "SessionListResponse": v1.SessionList,
        "SessionDetails": v1.SessionDetails,
        "PullRequestInfo": v1.PullRequestInfo,
        "SessionMessage": v1.SessionMessage,
        "MessageSentResponse": v1.Detail,
        "UpdateTagsResponse": v1.Detail,
        "TerminateSessionResponse": v1.Detail,
        "SecretCreatedResponse": v1.SecretCreated,
        "SecretMetadata": v1.SecretMetadata,
        "SecretListResponse": v1.SecretList,
        "KnowledgeEntry": v1.KnowledgeEntry,
        "KnowledgeCreatedBy": v1.KnowledgeCreatedBy,
        "KnowledgeFolderResponse": v1.KnowledgeFolder,
        "KnowledgeListResponse": v1.KnowledgeList,
        "PlaybookResponse": v1.Playbook,
        "PlaybookStatusResponse": v1.PlaybookStatus,
    },
}
WITHOUT_MODEL = ("Self", "ValidationError", "SessionSecretInput", "PageOf")


def shape_fields(version: str, name: str) -> set[str]:
    """The fields that the published documents have, too."""
    return set(document(version, newest=False)["components"]["schemas"][name]["properties"])


def _table(models: dict[str, dict[str, type[BaseModel]]]) -> list[Any]:
    return [
        pytest.param(version, name, model, id=f"{version} {name}")
        for version, named in models.items()
        for name, model in named.items()
    ]


@pytest.mark.parametrize(("version", "name", "model"), _table(REQUESTS))
def test_a_request_model_says_exactly_what_the_wire_takes(version: str, name: str, model: type[BaseModel]) -> None:
    spec = document(version)
    assert _without_defaults(_own(model)) == _without_defaults(plain(spec["components"]["schemas"][name], spec))
    given = {field: info.default for field, info in model.model_fields.items() if not info.is_required()}
    facts = plain(spec["components"]["schemas"][name], spec)["properties"]
    assert given == {field: facts[field].get("default") for field in given}


@pytest.mark.parametrize(("version", "name", "model"), _table(ANSWERS))
def test_an_answer_model_knows_every_field_and_value(version: str, name: str, model: type[BaseModel]) -> None:
    spec = document(version)
    facts, ours = plain(spec["components"]["schemas"][name], spec), _own(model)
    published = shape_fields(version, name)
    assert published <= set(ours["properties"]) <= set(facts["properties"])
    assert set(ours.get("required", ())) <= set(facts.get("required", ()))
    for field, known in ours["properties"].items():
        missing = _kinds(facts["properties"][field]) - _kinds(known)
        assert not missing, f"{name}.{field}: {missing}"


def test_an_answer_with_unknown_fields_and_values_is_kept_whole() -> None:
    answer = {"session_id": "a", "url": "u", "org_id": "o", "status": "dreaming", "created_at": 1, "updated_at": 2}
    answer |= {"acus_consumed": 0.5, "tags": [], "pull_requests": [{"pr_url": "u", "pr_mood": "good"}], "new": [1]}
    kept = v3.SessionResponse.model_validate(answer).model_dump(exclude_unset=True)
    assert kept == answer


def test_every_shape_has_a_model() -> None:
    for version in ("v3", "v1"):
        schemas = document(version)["components"]["schemas"]
        shapes = {name for name, schema in schemas.items() if schema["type"] == "object"}
        named = {*REQUESTS[version], *ANSWERS[version]}
        assert {name for name in shapes - named if not any(word in name for word in WITHOUT_MODEL)} == set()


def _own(model: type[BaseModel]) -> Any:
    schema = model.model_json_schema()
    return plain(schema, schema)


def _without_defaults(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: _without_defaults(value) for key, value in schema.items() if key != "default"}
    return [_without_defaults(item) for item in schema] if isinstance(schema, list) else schema


def _kinds(schema: dict[str, Any]) -> set[str]:
    """The leaves of a field: its types, and the values of its enum."""
    if "anyOf" in schema:
        return {kind for choice in schema["anyOf"] for kind in _kinds(choice)}
    if "const" in schema:
        return {f"value {schema['const']}"}
    if "enum" in schema:
        return {f"value {value}" for value in schema["enum"]}
    if schema.get("type") == "array":
        return {f"list of {kind}" for kind in _kinds(schema.get("items", {}))}
    return {str(schema.get("type", "anything"))}
