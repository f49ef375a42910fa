"""The simulator's routes against the facts: the same operations, the same parameters, the same bodies."""

from __future__ import annotations

import re
from typing import Any

import pytest
from contract.openapi import document
from contract.plain import plain
from fastapi.openapi.utils import get_openapi

from devin_jupyter.simulator.app import ROUTERS

NOT_READ = {"devin_id"}
"""Query parameters of unknown purpose: accepted and ignored."""
OWN = ("/_sim/", "/files/", "/v1/session/")
"""Control, the second step of a download, and the singular alias of v1."""
_ALL = [route for router in ROUTERS for route in router.routes]
ROUTES: dict[str, Any] = get_openapi(
    title="simulator",
    version="0",
    openapi_version="3.1.0",
    routes=_ALL,
)


def _template(path: str) -> str:
    return re.sub(r":path}", "}", path)


SERVED = {
    (method, _template(path)): operation
    for path, operations in ROUTES["paths"].items()
    for method, operation in operations.items()
    if not path.startswith(OWN)
}
CALLS = [
    pytest.param(version, method, path, id=f"{method.upper()} {path}")
    for version in ("v3", "v1")
    for path, operations in document(version)["paths"].items()
    for method in operations
]


def test_the_simulator_serves_the_known_operations_and_no_others() -> None:
    known = {
        (method, path)
        for version in ("v3", "v1")
        for path, operations in document(version)["paths"].items()
        for method in operations
    }
    assert set(SERVED) == known


@pytest.mark.parametrize(("version", "method", "path"), CALLS)
def test_a_route_reads_what_the_wire_carries(version: str, method: str, path: str) -> None:
    spec = document(version)
    fact, route = spec["paths"][path][method], SERVED[method, path]
    assert _query(route, ROUTES) == _query(fact, spec)
    assert _body(route, ROUTES) == _body(fact, spec)


def _query(operation: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    """Names, whether they are needed, and types; an absent parameter is a matter of `needed`, not of null."""
    return {
        parameter["name"]: (parameter["required"], _not_null(plain(parameter["schema"], spec)))
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "query" and parameter["name"] not in NOT_READ
    }


def _not_null(schema: dict[str, Any]) -> dict[str, Any]:
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    chosen = choices[0] if len(choices) == 1 else schema
    return {key: value for key, value in chosen.items() if key != "default"}


def _body(operation: dict[str, Any], spec: dict[str, Any]) -> Any:
    content = operation.get("requestBody", {}).get("content", {})
    return {media_type: plain(item["schema"], spec) for media_type, item in content.items()}
