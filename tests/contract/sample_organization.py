"""A small organization on a simulator: something to find under every path, and a sensible body for every write."""

from __future__ import annotations

from typing import Any, Protocol

import httpx

Ids = dict[str, list[str]]
DAY = 86400
SCHEMA = {"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"]}


class Simulator(Protocol):
    """What is needed of the fixture `simulator`."""

    org_id: str
    url: str

    def v3(self) -> httpx.Client: ...
    def v1(self) -> httpx.Client: ...
    def clock(self, seconds: float) -> None: ...


BODIES: dict[str, dict[str, Any]] = {
    "SessionCreateRequest": {"prompt": "Count the TODO comments in acme/api", "tags": ["demo"], "repos": ["acme/api"]},
    "SessionMessageCreateRequest": {"message": "And the FIXME comments?"},
    "SessionTagsUpdateRequest": {"tags": ["demo", "weekly"]},
    "PlaybookCreateRequest": {"title": "Triage", "body": "Read the newest issues.", "macro": "!triage"},
    "KnowledgeNoteCreateRequest": {"name": "Style", "body": "Use ruff.", "trigger": "writing Python"},
    "SecretCreateRequest": {"type": "key-value", "key": "NPM_TOKEN", "value": "s3cret"},
    "ScheduleCreateRequest": {"name": "Weekly", "prompt": "Triage the issues", "frequency": "0 9 * * 1"},
    "ScheduleUpdateRequest": {"enabled": False, "notify_on": "never"},
    "PrReviewCreateRequest": {"pr_url": "https://github.com/acme/api/pull/12"},
    "BulkIndexRepositoriesRequest": {"repositories": [{"repository_path": "acme/api", "branch_names": ["main"]}]},
    "RemoveRepositoriesRequest": {"repository_paths": ["acme/api"]},
    "IndexRepositoryRequest": {"branch_names": ["main"]},
    "AutomationCreateRequest": {
        "name": "Triage",
        "triggers": [{"event_type": "github:issue_opened"}],
        "actions": [{"type": "start_session", "prompt": "Triage it."}],
        "run_as": {"type": "organization"},
        "limits": {"max_acu_limit": 3},
    },
    "AutomationUpdateRequest": {"enabled": False},
    "OrgTagsRequest": {"tags": ["demo", "weekly"]},
    "DefaultTagRequest": {"tag": "demo"},
    "CreateSessionParams": {"prompt": "Count the TODO comments", "tags": ["demo"], "idempotent": True},
    "PostMessageParams": {"message": "And the FIXME comments?"},
    "UpdateTagsParams": {"tags": ["demo", "weekly"]},
    "CreateSecretRequest": {"type": "cookie", "key": "SITE", "value": "s3cret", "sensitive": True, "note": ""},
    "KnowledgeParams": {"name": "Style", "body": "Use ruff.", "trigger_description": "writing Python"},
    "CreatePlaybookRequest": {"title": "Triage", "body": "Read the newest issues."},
}
"""A body for every request shape of the facts."""
QUERIES: dict[str, Any] = {
    "time_after": 0,
    "time_before": 4_000_000_000,
    "query": "count",
    "pr_url": "https://github.com/acme/api/pull/12",
    "commit_sha": "dcce4fa87782",
}
"""A value for every required query parameter."""
FILE = {"file": ("notes.csv", b"a,b\n1,2\n", "text/csv")}


def populate(simulator: Simulator) -> Ids:
    """Make one of everything, let the first turn end, and return the ids by the name of their path parameter."""
    with simulator.v3() as v3, simulator.v1() as v1:
        upload = _made(v3.post("/attachments", files=FILE))
        session = _made(v3.post("/sessions", json={**BODIES["SessionCreateRequest"], **_extras(upload["url"])}))
        simulator.clock(DAY)
        _made(v3.post(f"/sessions/devin-{session['session_id']}/insights/generate"))
        simulator.clock(DAY)
        ids = {
            "org_id": [simulator.org_id],
            "devin_id": [f"devin-{session['session_id']}"],
            "uuid": [upload["attachment_id"]],
            "name": [upload["name"]],
            "service_user_id": ["service-user-simulator"],
            "user_id": ["user-simulator"],
            "playbook_id": [_made(v3.post("/playbooks", json=BODIES["PlaybookCreateRequest"]))["playbook_id"]],
            "note_id": [_made(v3.post("/knowledge/notes", json=BODIES["KnowledgeNoteCreateRequest"]))["note_id"]],
            "secret_id": [_made(v3.post("/secrets", json={**BODIES["SecretCreateRequest"], "key": "A"}))["secret_id"]],
            "repository_path": ["acme/api"],
            "connection_id": ["git-connection-simulator"],
            "tag": ["weekly"],
            "automation_id": [_made(v3.post("/automations", json=BODIES["AutomationCreateRequest"]))["automation_id"]],
            "schedule_id": [_made(v3.post("/schedules", json=BODIES["ScheduleCreateRequest"]))["scheduled_session_id"]],
        }
        _made(v3.post("/pr-reviews", json=BODIES["PrReviewCreateRequest"]))
        if v3.get(simulator.url + "/v3/self").json()["org_id"] is None:  # the key of an enterprise
            path = f"/v3/enterprise/organizations/{simulator.org_id}/tags"
            _made(v3.post(simulator.url + path, json={"tags": ["demo", "weekly"]}))
        old = _made(v1.post("/sessions", json=BODIES["CreateSessionParams"]))
        return {**ids, "session_id": [old["session_id"]]}


def _extras(url: str) -> dict[str, Any]:
    secret = {"key": "TOKEN", "value": "s3cret"}
    return {"structured_output_schema": SCHEMA, "attachment_urls": [url], "session_secrets": [secret]}


def _made(answer: httpx.Response) -> Any:
    assert answer.status_code in (200, 201), answer.text
    return answer.json()
