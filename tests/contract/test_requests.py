"""What the client sends, held against the facts: every operation, every field of a create, of both versions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from contract.openapi import document
from contract.recording import Recorder
from contract.world import Ids, populate

from devin_jupyter.api.client import OPERATIONS
from devin_jupyter.api.transport import Transport
from devin_jupyter.client.aio import AsyncDevin
from devin_jupyter.config import resolve_settings
from devin_jupyter.journal import Journal

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
BOTH = {
    "title": "A title",
    "tags": ["weekly"],
    "max_acu": 5,
    "playbook": "playbook-1",
    "schema": SCHEMA,
    "secrets": {"TOKEN": "a value"},
    "knowledge": ["note-1"],
    "secret_ids": ["secret-1"],
    "attach": ["https://example.com/a.csv"],
}
V3_ONLY = {
    "repos": ["acme/api"],
    "mode": "fast",
    "schema_optional": True,
    "child_playbook": "playbook-2",
    "links": ["devin-0123456789abcdef0123456789abcdef"],
    "platform": "windows",
    "disposable": True,
    "bypass_approval": True,
    "as_user": "user-1",
}
V1_ONLY = {"snapshot": "snapshot-1", "unlisted": True}
TWINS = ("/v3/enterprise/sessions", "/v3/enterprise/consumption")
"""The same once more, for administrators of many organizations."""


class Client:
    """A client, what it sent, and where it talks to."""

    def __init__(self, simulator: Any, version: str, home: Path) -> None:
        self.wire = Recorder()
        key = simulator.api_key if version == "v3" else simulator.v1_key
        settings = resolve_settings(key, base_url=simulator.url)
        transport = Transport(settings, wire=self.wire)
        self.devin = AsyncDevin(settings=settings, transport=transport, journal=Journal(home))

    def check(self) -> set[tuple[str, str]]:
        """Hold everything that was sent against the facts, and return the operations."""
        wrong = {f"{sent.method} {sent.url}": sent.problems() for sent in self.wire.requests if sent.problems()}
        assert wrong == {}
        return {(sent.method, sent.template) for sent in self.wire.requests}


@pytest.fixture
def enterprise(simulator_with: Any) -> Any:
    return simulator_with(api_key="cog_enterprise_test")


@pytest.fixture
def ids(enterprise: Any) -> Ids:
    return populate(enterprise)


@pytest.fixture
async def v3(enterprise: Any, ids: Ids, tmp_path: Path) -> AsyncIterator[Client]:
    client = Client(enterprise, "v3", tmp_path)
    yield client
    await client.devin.aclose()


@pytest.fixture
async def v1(enterprise: Any, ids: Ids, tmp_path: Path) -> AsyncIterator[Client]:
    client = Client(enterprise, "v1", tmp_path)
    yield client
    await client.devin.aclose()


async def every(items: Any) -> list[Any]:
    return [item async for item in items]


async def sessions_story(client: Client, session_id: str, *, v3: bool) -> None:
    devin = client.devin
    await every(devin.sessions.list(tags=["demo"], limit=3))
    await devin.sessions.get(session_id)
    await every(devin.messages.list(session_id))
    await devin.messages.send(session_id, "More", attachment_urls=["https://example.com/b.csv"])
    await devin.tags.get(session_id)
    await devin.tags.append(session_id, ["x"])
    await devin.tags.replace(session_id, ["y"])
    upload = await devin.attachments.upload("ü b.csv", b"1,2\n")
    assert await devin.attachments.fetch(upload["url"]) == b"1,2\n"
    if v3:
        await devin.sessions.archive(session_id)
        await devin.sessions.unarchive(session_id)
    await devin.sessions.terminate(session_id)


async def library_story(client: Client, *, v3: bool) -> None:
    devin = client.devin
    for text in ("Read.", "Read well."):
        await devin.playbooks.ensure("Sort", text, macro="!sort")
        await devin.knowledge.ensure("Lint", text, "always", pinned_repo="acme/api")
        await devin.secrets.ensure("KEY", "a value", note="n")
    playbook = await devin.playbooks.get("Sort")
    await devin.playbooks.get(playbook["playbook_id"])
    await devin.playbooks.delete("Sort")
    note = await devin.knowledge.get("Lint")
    await devin.knowledge.get(note["note_id"])
    await devin.knowledge.folders()
    await devin.knowledge.delete("Lint")
    await devin.secrets.delete("KEY")
    if v3:
        await every(devin.knowledge.list(search="ruff", folder_path="/", pinned_repo="acme/api"))


async def v3_story(devin: AsyncDevin, session_id: str) -> None:
    await devin.core.where()
    filters = {"origins": ["api", "slack"], "category": "other", "is_archived": False, "created_after": 1}
    await every(devin.sessions.list(session_ids=[session_id], repo_names=["acme/api"], **filters))
    await every(devin.insights.list(tags=["a", "b"], limit=1))
    await devin.insights.get(session_id)
    await devin.insights.generate(session_id)
    await every(devin.events.list(session_id, categories=["shell", "git"], direction="outgoing", created_after=1))
    await every(devin.events.search(session_id, "count"))
    await devin.events.details(session_id, offset=0, limit=50, max_content_length=9)
    await devin.attachments.list(session_id)
    weekly = {"frequency": "0 9 * * 1", "tags": ["weekly"]}
    for prompt in ("Triage", "Triage well"):
        schedule = await devin.schedules.ensure("Monday", prompt, **weekly)
    await devin.schedules.get(schedule["scheduled_session_id"])
    await devin.schedules.update("Monday", enabled=False, run_as_user_id=None)
    await devin.schedules.delete("Monday")


async def v3_figures(devin: AsyncDevin, session_id: str) -> None:
    window = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    await devin.consumption.daily(since=window[0], until=window[1])
    await devin.consumption.user("user-simulator")
    await devin.consumption.service_user("service-user-simulator")
    await devin.consumption.session(session_id)
    await devin.metrics.usage()
    await devin.metrics.sessions(*window, user_ids=["user-simulator", "user-1"])
    await devin.metrics.prs(*window, playbook_id="playbook-1")
    await devin.metrics.searches(*window)
    for metric in (devin.metrics.dau, devin.metrics.wau, devin.metrics.mau, devin.metrics.active_users):
        await metric(*window, min_sessions=1, min_searches=0)


async def test_v3_sends_every_field_of_a_create(v3: Client) -> None:
    await v3.devin.create("Count", **BOTH, **V3_ONLY)
    await v3.devin.create("Count", no_knowledge=True, no_secrets=True)
    assert ("post", "/v3/organizations/{org_id}/sessions") in v3.check()
    sent = [request for request in v3.wire.requests if request.method == "post"]
    fields = set(document("v3")["components"]["schemas"]["SessionCreateRequest"]["properties"])
    assert fields == {name for request in sent for name in fields if f'"{name}"'.encode() in request.body}


async def test_v1_sends_every_field_of_a_create(v1: Client) -> None:
    await v1.devin.create("Count", **BOTH, **V1_ONLY)
    await v1.devin.create("Count", no_knowledge=True, no_secrets=True)
    assert ("post", "/v1/sessions") in v1.check()
    sent = [request for request in v1.wire.requests if request.method == "post"]
    fields = set(document("v1")["components"]["schemas"]["CreateSessionParams"]["properties"])
    assert fields == {name for request in sent for name in fields if f'"{name}"'.encode() in request.body}


async def test_v3_calls_every_operation_as_documented(v3: Client, ids: Ids) -> None:
    await v3.devin.create("Count")
    await v3_story(v3.devin, ids["devin_id"][0])
    await v3_figures(v3.devin, ids["devin_id"][0])
    await library_story(v3, v3=True)
    await sessions_story(v3, ids["devin_id"][0], v3=True)
    assert calls("v3") - v3.check() == set()


async def test_v1_calls_every_operation_as_documented(v1: Client, ids: Ids) -> None:
    await v1.devin.create("Count")
    await library_story(v1, v3=False)
    await sessions_story(v1, ids["session_id"][0], v3=False)
    assert calls("v1") - v1.check() == set()


@pytest.mark.parametrize("version", ["v3", "v1"])
def test_the_table_of_operations_names_documented_routes(version: str) -> None:
    routes = [operation.v3 if version == "v3" else operation.v1 for operation in OPERATIONS]
    named = {(method.lower(), _without_names(path)) for method, path in (route.split() for route in routes if route)}
    assert named == {(method, _without_names(path)) for method, path in calls(version)}


def calls(version: str) -> set[tuple[str, str]]:
    """The operations that a notebook has a use for."""
    paths = document(version)["paths"]
    return {(method, path) for path, methods in paths.items() for method in methods if not path.startswith(TWINS)}


def _without_names(path: str) -> str:
    return "/".join("{}" if step.startswith("{") else step for step in path.split("/"))
