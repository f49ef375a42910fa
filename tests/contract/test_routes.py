"""The simulator's routes against the facts: the same operations, parameters, bodies, types, limits and defaults."""

from __future__ import annotations

import re
from typing import Any

import pytest
from contract.normalize import normalized
from contract.openapi import document
from fastapi.openapi.utils import get_openapi

from devin_jupyter.simulator.app import ROUTERS

NOT_READ = {"devin_id"}
"""Query parameters of unknown purpose: accepted and ignored."""
OWN = ("/_sim/", "/files/", "/v1/session/")
"""Control, the second step of a download, and the singular alias of v1."""
ROUTES: dict[str, Any] = get_openapi(
    title="simulator",
    version="0",
    openapi_version="3.1.0",
    routes=[route for router in ROUTERS for route in router.routes],
)


SERVED = {
    (method, re.sub(r":path}", "}", path)): operation
    for path, operations in ROUTES["paths"].items()
    for method, operation in operations.items()
    if not path.startswith(OWN)
}


@pytest.mark.parametrize("version", ["v3", "v1"])
def test_the_simulator_reads_what_the_wire_carries(version: str) -> None:
    spec = document(version)
    facts = {
        (method, path): operation
        for path, operations in spec["paths"].items()
        for method, operation in operations.items()
    }
    assert {call for call in SERVED if call[1].startswith((f"/{version}/", f"/{version}beta1/"))} == facts.keys()
    for call, fact in facts.items():
        assert _query(SERVED[call], ROUTES) == _query(fact, spec), call
        assert _body(SERVED[call], ROUTES) == _body(fact, spec), call


def _query(operation: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    """Names, whether they are required, and types; an absent parameter is a matter of `required`, not of null."""
    return {
        parameter["name"]: (parameter["required"], _not_null(normalized(parameter["schema"], spec)))
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "query" and parameter["name"] not in NOT_READ
    }


def _not_null(schema: dict[str, Any]) -> dict[str, Any]:
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    chosen = choices[0] if len(choices) == 1 else schema
    return {key: value for key, value in chosen.items() if key != "default"}


def _body(operation: dict[str, Any], spec: dict[str, Any]) -> Any:
    content = operation.get("requestBody", {}).get("content", {})
    return {media_type: normalized(item["schema"], spec) for media_type, item in content.items()}
