"""Every operation of the official Python SDK, with strict validation of the answer; nobody here wrote that client."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from contract.sample_organization import Ids, populate

devin_sdk = pytest.importorskip("devin_sdk")
Call = Callable[[Any, Callable[[str], str]], Any]
WINDOW = {"time_after": 0, "time_before": 4_000_000_000}
NOTE = {"name": "Style", "body": "Use ruff.", "trigger": "writing Python", "pinned_repo": "acme/api"}
PLAYBOOK = {"title": "Triage", "body": "Read the newest issues.", "macro": "!triage_2"}

CALLS: dict[str, Call] = {
    "attachments.upload": lambda org, the: org.attachments.upload(the("org_id"), file=("a.json", b"{}")),
    "attachments.download": lambda org, the: org.attachments.download("a.json", **_in(the), uuid=the("uuid")),
    "consumption.daily.get": lambda org, the: org.consumption.daily.get(the("org_id"), **WINDOW),
    "consumption.daily.get_session": lambda org, the: org.consumption.daily.get_session(the("devin_id"), **_in(the)),
    "consumption.daily.get_user": lambda org, the: org.consumption.daily.get_user(the("user_id"), **_in(the)),
    "consumption.daily.get_service_user": lambda org, the: org.consumption.daily.get_service_user(
        the("service_user_id"), **_in(the)
    ),
    "knowledge.get_folders": lambda org, the: org.knowledge.get_folders(the("org_id")),
    "knowledge.notes.create": lambda org, the: org.knowledge.notes.create(the("org_id"), **NOTE),
    "knowledge.notes.list": lambda org, the: org.knowledge.notes.list(the("org_id"), first=1, search="ruff"),
    "knowledge.notes.retrieve": lambda org, the: org.knowledge.notes.retrieve(the("note_id"), **_in(the)),
    "knowledge.notes.update": lambda org, the: org.knowledge.notes.update(the("note_id"), **_in(the), **NOTE),
    "knowledge.notes.delete": lambda org, the: org.knowledge.notes.delete(the("note_id"), **_in(the)),
    "metrics.get_active_users": lambda org, the: org.metrics.get_active_users(the("org_id"), **WINDOW),
    "metrics.get_daily_active_users": lambda org, the: org.metrics.get_daily_active_users(the("org_id"), **WINDOW),
    "metrics.get_weekly_active_users": lambda org, the: org.metrics.get_weekly_active_users(the("org_id"), **WINDOW),
    "metrics.get_monthly_active_users": lambda org, the: org.metrics.get_monthly_active_users(
        the("org_id"), **WINDOW, min_sessions=1
    ),
    "metrics.get_pr_metrics": lambda org, the: org.metrics.get_pr_metrics(the("org_id"), **WINDOW),
    "metrics.get_search_metrics": lambda org, the: org.metrics.get_search_metrics(the("org_id"), **WINDOW),
    "metrics.get_session_metrics": lambda org, the: org.metrics.get_session_metrics(the("org_id"), **WINDOW),
    "metrics.get_usage_metrics": lambda org, the: org.metrics.get_usage_metrics(the("org_id")),
    "playbooks.create": lambda org, the: org.playbooks.create(the("org_id"), **PLAYBOOK),
    "playbooks.list": lambda org, the: org.playbooks.list(the("org_id"), first=200),
    "playbooks.retrieve": lambda org, the: org.playbooks.retrieve(the("playbook_id"), **_in(the)),
    "playbooks.update": lambda org, the: org.playbooks.update(the("playbook_id"), **_in(the), **PLAYBOOK),
    "playbooks.delete": lambda org, the: org.playbooks.delete(the("playbook_id"), **_in(the)),
    "schedules.create": lambda org, the: org.schedules.create(
        the("org_id"),
        name="Once",
        prompt="Go",
        schedule_type="one_time",
        scheduled_at="2099-01-01T00:00:00Z",
        playbook_id=the("playbook_id"),
        tags=["weekly"],
    ),
    "schedules.list": lambda org, the: org.schedules.list(the("org_id"), limit=1, offset=0),
    "schedules.retrieve": lambda org, the: org.schedules.retrieve(the("schedule_id"), **_in(the)),
    "schedules.update": lambda org, the: org.schedules.update(the("schedule_id"), **_in(the), enabled=False),
    "schedules.delete": lambda org, the: org.schedules.delete(the("schedule_id"), **_in(the)),
    "secrets.create": lambda org, the: org.secrets.create(the("org_id"), key="K", type="totp", value="v"),
    "secrets.list": lambda org, the: org.secrets.list(the("org_id")),
    "secrets.delete": lambda org, the: org.secrets.delete(the("secret_id"), **_in(the)),
    "sessions.create": lambda org, the: org.sessions.create(the("org_id"), prompt="Count", tags=["a", "b"]),
    "sessions.list": lambda org, the: org.sessions.list(the("org_id"), tags=["demo"], origins=["api"]),
    "sessions.retrieve": lambda org, the: org.sessions.retrieve(the("devin_id"), **_in(the)),
    "sessions.list_attachments": lambda org, the: org.sessions.list_attachments(the("devin_id"), **_in(the)),
    "sessions.messages.list": lambda org, the: org.sessions.messages.list(the("devin_id"), **_in(the)),
    "sessions.messages.send": lambda org, the: org.sessions.messages.send(the("devin_id"), **_in(the), message="More"),
    "sessions.tags.retrieve": lambda org, the: org.sessions.tags.retrieve(the("devin_id"), **_in(the)),
    "sessions.tags.append": lambda org, the: org.sessions.tags.append(the("devin_id"), **_in(the), tags=["a", "b"]),
    "sessions.tags.replace": lambda org, the: org.sessions.tags.replace(the("devin_id"), **_in(the), tags=[]),
    "sessions.insights.list": lambda org, the: org.sessions.insights.list(the("org_id"), first=1),
    "sessions.insights.retrieve": lambda org, the: org.sessions.insights.retrieve(the("devin_id"), **_in(the)),
    "sessions.insights.generate": lambda org, the: org.sessions.insights.generate(the("devin_id"), **_in(the)),
    "sessions.events.list": lambda org, the: org.sessions.events.list(
        the("devin_id"), **_in(the), categories=["message"], direction="outgoing"
    ),
    "sessions.events.search": lambda org, the: org.sessions.events.search(the("devin_id"), **_in(the), query="count"),
    "sessions.events.retrieve_details": lambda org, the: org.sessions.events.retrieve_details(
        the("devin_id"), **_in(the), limit=50, max_content_length=10
    ),
    "sessions.archive": lambda org, the: org.sessions.archive(the("devin_id"), **_in(the)),
    "sessions.terminate": lambda org, the: org.sessions.terminate(the("devin_id"), **_in(the), archive=True),
}


def _in(the: Callable[[str], str]) -> dict[str, str]:
    return {"org_id": the("org_id")}


@pytest.fixture
def ids(simulator: Any) -> Ids:
    known = populate(simulator)
    with simulator.v3() as client:
        # strict validation takes no download but JSON
        known["uuid"] = [client.post("/attachments", files={"file": ("a.json", b'{"a": 1}')}).json()["attachment_id"]]
    return known


@pytest.fixture
def organizations(simulator: Any) -> Iterator[Any]:
    with httpx.Client(trust_env=False, follow_redirects=True) as http:
        sdk = devin_sdk.DevinSDK(
            api_key=simulator.api_key,
            base_url=simulator.url,
            http_client=http,
            max_retries=0,
            _strict_response_validation=True,
        )
        yield sdk.organizations


def operations(resource: Any, prefix: str = "") -> Iterator[str]:
    """The names of all operations of a resource of the SDK, those of its parts included."""
    for name in (name for name in dir(type(resource)) if not name.startswith(("_", "with_"))):
        value = getattr(resource, name)
        if inspect.ismethod(value):
            yield prefix + name
        else:
            yield from operations(value, f"{prefix}{name}.")


def test_no_operation_of_the_sdk_is_left_out(organizations: Any) -> None:
    assert set(operations(organizations)) == set(CALLS)


def test_every_operation_of_the_sdk_is_answered(organizations: Any, ids: Ids) -> None:
    wrong = {}
    for name in sorted(CALLS, key=lambda name: name.endswith(("delete", "archive", "terminate"))):
        try:
            assert CALLS[name](organizations, lambda kind: ids[kind][0]) is not None
        except (AssertionError, devin_sdk.DevinSDKError) as error:
            wrong[name] = repr(error)
    assert wrong == {}


def test_its_joined_arrays_are_one_value(organizations: Any, ids: Ids) -> None:
    org_id = ids["org_id"][0]
    assert organizations.sessions.list(org_id, tags=["demo"]).items
    assert organizations.sessions.list(org_id, tags=["demo", "other"]).items == []
    with pytest.raises(devin_sdk.UnprocessableEntityError):
        organizations.sessions.list(org_id, origins=["api", "slack"])
