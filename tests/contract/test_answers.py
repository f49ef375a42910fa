"""The simulator's answers against the facts, over real HTTP: good ones and refusals have the documented shape."""

from __future__ import annotations

import copy
import re
from typing import Any

import httpx
import pytest
from contract.openapi import document
from contract.sample_organization import BODIES, FILE, QUERIES, Ids, populate
from jsonschema_rs import Draft202012Validator

Call = tuple[str, str]
"""Method and path template."""


def calls(version: str) -> list[Call]:
    """Every known operation; what ends a session or removes a record comes last."""
    found = [(method, path) for path, operations in document(version)["paths"].items() for method in operations]
    return sorted(found, key=lambda call: (call[0] == "delete", call[1].endswith("/archive")))


def closed(version: str) -> dict[str, Any]:
    """The document with every shape closed: an answer may hold no field that nobody wrote down."""
    spec = copy.deepcopy(document(version))
    for schema in spec["components"]["schemas"].values():
        if schema["type"] == "object":
            schema["additionalProperties"] = False
    return spec


def problems(answer: httpx.Response, operation: dict[str, Any], spec: dict[str, Any]) -> list[str]:
    """What is wrong with an answer."""
    documented = operation["responses"].get(str(answer.status_code))
    if documented is None:
        return [f"{answer.status_code} is not documented"]
    found = [f"no {name} header" for name in documented.get("headers", ()) if name.lower() not in answer.headers]
    if "content" not in documented:
        return found + ([f"unexpected body {answer.text!r}"] if answer.content else [])
    media_type = answer.headers["content-type"].split(";")[0]
    if media_type not in documented["content"]:
        return [*found, f"undocumented {media_type}"]
    schema = {"components": spec["components"], **documented["content"][media_type]["schema"]}
    return found + [error.message for error in Draft202012Validator(schema).iter_errors(answer.json())]


def request(operation: dict[str, Any], path: str, ids: Ids) -> dict[str, Any]:
    """A sensible request for an operation."""
    filled = re.sub(r"{(\w+)}", lambda match: ids[match[1]][0], path)
    needed = {p["name"]: QUERIES[p["name"]] for p in operation["parameters"] if p["in"] == "query" and p["required"]}
    content = operation.get("requestBody", {}).get("content", {})
    if "multipart/form-data" in content:
        return {"url": filled, "params": needed, "files": FILE}
    if "application/json" in content:
        name = content["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
        return {"url": filled, "params": needed, "json": BODIES[name]}
    return {"url": filled, "params": needed}


@pytest.fixture
def simulators(simulator_with: Any) -> tuple[Any, Any]:
    """The one for the keys of an organization, and the one for the key of an enterprise."""
    return simulator_with(), simulator_with(api_key="cog_enterprise_test")


@pytest.mark.parametrize("version", ["v3", "v1"])
def test_a_sensible_call_gets_its_documented_answer(simulators: tuple[Any, Any], version: str) -> None:
    spec, found = closed(version), {}
    ids = [populate(simulator) for simulator in simulators]
    for method, path in calls(version):
        operation, is_enterprise = spec["paths"][path][method], "/enterprise/" in path
        simulator = simulators[is_enterprise]
        call = request(operation, path, ids[is_enterprise])
        with simulator.v3(follow_redirects=False) if version == "v3" else simulator.v1() as client:
            answer = client.request(method, simulator.url + call.pop("url"), **call)
        found[method, path] = [answer.text] if answer.status_code >= 400 else problems(answer, operation, spec)
    assert len(found) == len(calls(version))
    assert {call: wrong for call, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("version", ["v3", "v1"])
def test_an_unknown_id_is_not_found(simulators: tuple[Any, Any], version: str) -> None:
    spec, simulator, found = document(version), simulators[1], {}
    for method, path in calls(version):
        names = re.findall(r"{(\w+)}", path)
        if not names:
            continue
        ids = {name: ["nobody"] for name in names} | ({} if names == ["org_id"] else {"org_id": [simulator.org_id]})
        call = request(spec["paths"][path][method], path, ids)
        with simulator.v3() if version == "v3" else simulator.v1() as client:
            answer = client.request(method, simulator.url + call.pop("url"), **call)
        wrong = problems(answer, spec["paths"][path][method], spec)
        found[method, path] = wrong if answer.status_code == 404 else [f"{answer.status_code}: {answer.text}"]
    assert found
    assert {call: wrong for call, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("version", ["v3", "v1"])
@pytest.mark.parametrize("modern", [False, True], ids=["detail", "problem"])
def test_a_key_that_does_not_open_it_is_refused(simulator_with: Any, version: str, modern: bool) -> None:
    simulator = simulator_with(problem_json=modern)
    spec, found = document(version), {}
    other = simulator.v1_key if version == "v3" else simulator.api_key
    with httpx.Client(trust_env=False) as bare:
        for method, path in calls(version):
            operation = spec["paths"][path][method]
            operation["responses"].setdefault("403", operation["responses"]["401"])
            url = simulator.url + path.replace("{org_id}", simulator.org_id)
            for key, status in (("", 401), ("cog_unknown", 401 if version == "v3" else 403), (other, 403)):
                answer = bare.request(method, url, headers={"authorization": f"Bearer {key}"} if key else {})
                wrong = problems(answer, operation, spec)
                found[method, path, key] = wrong if answer.status_code == status else [f"{answer.status_code}"]
    assert len(found) == 3 * len(calls(version))
    assert {call: wrong for call, wrong in found.items() if wrong} == {}
