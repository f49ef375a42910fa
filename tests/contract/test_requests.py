"""What the client sends, held against the facts: every operation, every field of a create, of both versions."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from contract.openapi import shared
from contract.recorder import Recorder
from contract.sample_organization import BODIES, FILE, QUERIES, Ids, populate

from devin_jupyter.api.client import OPERATIONS, Operation
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
ENTERPRISE_WRITES = {
    ("post", "/v3/enterprise/sessions/{devin_id}/messages"),
    ("post", "/v3/enterprise/sessions/{devin_id}/insights/generate"),
    ("post", "/v3/enterprise/sessions/{devin_id}/tags"),
    ("put", "/v3/enterprise/sessions/{devin_id}/tags"),
}
"""A notebook only looks at the sessions of other organizations."""


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
async def clients(enterprise: Any, ids: Ids, tmp_path: Path) -> AsyncIterator[dict[str, Client]]:
    """A client of each API version."""
    clients = {version: Client(enterprise, version, tmp_path / version) for version in ("v3", "v1")}
    yield clients
    for client in clients.values():
        await client.devin.aclose()


PAGING = {"first", "after", "limit", "offset", "skip"}
"""What a list of the client decides itself."""
RENAMED = {
    "devin_id": "session_id",
    "time_after": "since",
    "time_before": "until",
    "message_as_user_id": "as_user",
    "trigger_description": "trigger",
    "parent_folder_id": "folder_id",
    "sensitive": "is_sensitive",
}
CAP = {"max_acu": 3}
"""A standing order is made only with a cap, which the service has among its limits."""
"""Parameters that the client gives another name; for ids of records it leaves `_id` out."""
EXCLUSIVE = {"events.list": "event_types", "events.search": "event_types", "events.details": "event_ids"}
"""Parameters that the service takes only without others."""


async def call(devin: AsyncDevin, operation: Operation, version: str, ids: Ids, *, exclusive: bool = False) -> None:
    """Call an operation with all that the facts let it send; `exclusive` with what goes alone, and what is required."""
    method, path = operation.route(version)
    spec = shared(version)
    facts = {_without_names(route): methods for route, methods in spec["paths"].items()}[_without_names(path)]
    query, body = _query(facts[method.lower()], ids), _body(facts[method.lower()])
    if method in ("PUT", "PATCH") and "body" in body:
        body["body"] = "Rewritten."  # nothing is sent where nothing changes
    sent = {RENAMED.get(name, name): value for name, value in {**query, **body}.items()}
    known = {RENAMED.get(name, name): values[0] for name, values in ids.items()}
    values = {name.removesuffix("_id"): value for name, value in known.items()} | known | CAP | sent
    function = attrgetter(operation.name)(devin)
    arguments: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        goes_alone = parameter.name == EXCLUSIVE.get(operation.name)
        is_required = parameter.default is parameter.empty
        if parameter.kind is parameter.VAR_KEYWORD:
            arguments = {name: value for name, value in sent.items() if name not in PAGING} | arguments
        elif parameter.name == "body" and "body" not in body:
            arguments["body"] = body
        elif parameter.name in values and (is_required or goes_alone == exclusive):
            arguments[parameter.name] = values[parameter.name]
        else:
            assert not is_required, f"the facts have no {parameter.name} of {operation.name}"
    result = function(**arguments)
    if inspect.isasyncgen(result):
        async for _ in result:
            pass
    else:
        await result


def _query(facts: dict[str, Any], ids: Ids) -> dict[str, Any]:
    given = {one["name"]: one["schema"] for one in facts["parameters"] if one["in"] == "query"}
    given.pop("devin_id", None)  # of unknown purpose
    there = {"session_ids": ids["devin_id"], "parent_session_id": ids["devin_id"][0], "org_id": ids["org_id"][0]}
    return {name: QUERIES.get(name, there.get(name, _sample(schema))) for name, schema in given.items()}


def _body(facts: dict[str, Any]) -> dict[str, Any]:
    content = facts.get("requestBody", {}).get("content", {})
    if "multipart/form-data" in content:
        name, file, _ = FILE["file"]
        return {"name": name, "content": file}
    schema = content.get("application/json", {}).get("schema", {})
    return dict(BODIES.get(schema.get("$ref", "").rpartition("/")[2], {}))


def _sample(schema: dict[str, Any]) -> Any:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return shared("v3")["components"]["schemas"][name]["enum"][0]
    if schema["type"] == "array":
        return [_sample(schema["items"])]
    return {"string": "x", "integer": 5, "boolean": False}[schema["type"]]


def _is_last(operation: Operation) -> bool:
    """What ends a session or removes a record."""
    return operation.name.endswith((".terminate", ".archive", ".unarchive", ".delete"))


async def test_v3_sends_every_field_of_a_create(clients: dict[str, Client]) -> None:
    v3 = clients["v3"]
    await v3.devin.create("Count", **BOTH, **V3_ONLY)
    await v3.devin.create("Count", no_knowledge=True, no_secrets=True)
    assert ("post", "/v3/organizations/{org_id}/sessions") in v3.check()
    sent = [request for request in v3.wire.requests if request.method == "post"]
    fields = set(shared("v3")["components"]["schemas"]["SessionCreateRequest"]["properties"])
    assert fields == {name for request in sent for name in fields if f'"{name}"'.encode() in request.body}


async def test_v1_sends_every_field_of_a_create(clients: dict[str, Client]) -> None:
    v1 = clients["v1"]
    await v1.devin.create("Count", **BOTH, **V1_ONLY)
    await v1.devin.create("Count", no_knowledge=True, no_secrets=True)
    assert ("post", "/v1/sessions") in v1.check()
    sent = [request for request in v1.wire.requests if request.method == "post"]
    fields = set(shared("v1")["components"]["schemas"]["CreateSessionParams"]["properties"])
    assert fields == {name for request in sent for name in fields if f'"{name}"'.encode() in request.body}


@pytest.mark.parametrize("version", ["v3", "v1"])
async def test_every_operation_is_called_as_documented(clients: dict[str, Client], ids: Ids, version: str) -> None:
    client = clients[version]
    if version == "v1":
        ids["devin_id"] = ids["session_id"]
    for operation in sorted(OPERATIONS, key=_is_last):
        if operation.name == "attachments.download":  # of one file, by its URL
            upload = await client.devin.attachments.upload("ü b.csv", b"1,2\n")
            assert await client.devin.attachments.fetch(upload["url"]) == b"1,2\n"
        elif operation.v3 if version == "v3" else operation.v1:
            await call(client.devin, operation, version, ids)
            if operation.name in EXCLUSIVE:
                await call(client.devin, operation, version, ids, exclusive=True)
    assert calls(version) - client.check() == set()


@pytest.mark.parametrize("version", ["v3", "v1"])
async def test_what_is_ensured_is_sent_as_documented(clients: dict[str, Client], version: str) -> None:
    client = clients[version]
    for text in ("Read.", "Read well."):
        await client.devin.playbooks.ensure("Sort", text, macro="!sort")
        await client.devin.knowledge.ensure("Lint", text, "always", pinned_repo="acme/api")
        await client.devin.secrets.ensure("KEY", "a value", note="n")
        if version == "v3":
            await client.devin.schedules.ensure("Monday", text, frequency="0 9 * * 1", tags=["weekly"])
    if version == "v3":
        await client.devin.schedules.update("Monday", enabled=False, run_as_user_id=None)
    assert {method for method, _ in client.check()} >= {"post", "put"}


@pytest.mark.parametrize("version", ["v3", "v1"])
def test_the_table_of_operations_names_documented_routes(version: str) -> None:
    routes = [operation.v3 if version == "v3" else operation.v1 for operation in OPERATIONS]
    named = {(method.lower(), _without_names(path)) for method, path in (route.split() for route in routes if route)}
    assert named == {(method, _without_names(path)) for method, path in calls(version)}


def calls(version: str) -> set[tuple[str, str]]:
    """The operations that a notebook has a use for."""
    paths = shared(version)["paths"]
    return {(method, path) for path, methods in paths.items() for method in methods} - ENTERPRISE_WRITES


def _without_names(path: str) -> str:
    return "/".join("{}" if step.startswith("{") else step for step in path.split("/"))
