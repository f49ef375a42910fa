"""Every known call, made over real HTTP: the good answer, and the refusals, have the documented shape."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from contract.openapi import document
from contract.world import BODIES, FILE, QUERIES, Ids, populate
from jsonschema_rs import Draft202012Validator

CALLS = [
    pytest.param(version, method, path, id=f"{method.upper()} {path}")
    for version in ("v3", "v1")
    for path, operations in document(version)["paths"].items()
    for method in operations
]
NAMING = [call for call in CALLS if "{" in call.values[2]]
ENTERPRISE = "/v3/enterprise/"


@pytest.fixture(scope="module")
def bare() -> Iterator[httpx.Client]:
    """A client without a key."""
    with httpx.Client(trust_env=False) as client:
        yield client


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


@pytest.mark.parametrize(("version", "method", "path"), CALLS)
def test_a_sensible_call_gets_its_documented_answer(simulator_with: Any, version: str, method: str, path: str) -> None:
    simulator = simulator_with(api_key="cog_enterprise_test") if path.startswith(ENTERPRISE) else simulator_with()
    spec = closed(version)
    operation = spec["paths"][path][method]
    call = request(operation, path, populate(simulator))
    with simulator.v3(follow_redirects=False) if version == "v3" else simulator.v1() as client:
        answer = client.request(method, simulator.url + call.pop("url"), **call)
    assert answer.status_code < 400, answer.text
    assert problems(answer, operation, spec) == []


@pytest.mark.parametrize(("version", "method", "path"), NAMING)
def test_an_unknown_id_is_not_found(simulator_with: Any, version: str, method: str, path: str) -> None:
    simulator = simulator_with(api_key="cog_enterprise_test")
    spec = document(version)
    operation = spec["paths"][path][method]
    names = re.findall(r"{(\w+)}", path)
    ids = {name: ["nobody"] for name in names} | ({} if names == ["org_id"] else {"org_id": [simulator.org_id]})
    call = request(operation, path, ids)
    with simulator.v3() if version == "v3" else simulator.v1() as client:
        answer = client.request(method, simulator.url + call.pop("url"), **call)
    assert answer.status_code == 404
    assert problems(answer, operation, spec) == []


@pytest.mark.parametrize(("version", "method", "path"), CALLS)
@pytest.mark.parametrize("modern", [False, True], ids=["detail", "problem"])
def test_a_key_that_does_not_open_it_is_refused(
    simulator_with: Any, bare: httpx.Client, version: str, method: str, path: str, modern: bool
) -> None:
    simulator = simulator_with(problem_json=modern)
    spec = document(version)
    operation = spec["paths"][path][method]
    operation["responses"].setdefault("403", operation["responses"]["401"])
    url = simulator.url + re.sub(r"{org_id}", simulator.org_id, path)
    other = simulator.v1_key if version == "v3" else simulator.api_key
    for key, status in (("", 401), ("cog_unknown", 401 if version == "v3" else 403), (other, 403)):
        headers = {"authorization": f"Bearer {key}"} if key else {}
        answer = bare.request(method, url, headers=headers)
        assert answer.status_code == status
        assert problems(answer, operation, spec) == []
