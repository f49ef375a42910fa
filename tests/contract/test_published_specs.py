"""The facts of this project against the OpenAPI documents in the folder `DEVIN_SPECS`, where there is one."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from contract.normalize import normalized
from contract.openapi import ORG, document, facts, read_yaml, statuses

SPECS = os.environ.get("DEVIN_SPECS", "")
pytestmark = pytest.mark.skipif(
    not SPECS, reason="DEVIN_SPECS names no folder with v3-openapi.yaml and v1-openapi.yaml"
)
UNPUBLISHED = {call.replace("{org}", ORG) for part in facts("v3") if part.get("unpublished") for call in part["calls"]}
"""What newer documents have, and the published ones have not."""
METHODS = ("get", "post", "put", "patch", "delete")


@cache
def published(version: str) -> dict[str, Any]:
    return read_yaml(Path(SPECS) / f"{version}-openapi.yaml")


@cache
def ours(version: str) -> dict[str, Any]:
    return document(version, newest=False)


def operations(spec: dict[str, Any]) -> dict[tuple[str, str], Any]:
    return {
        (method, path): paths[method]
        for path, paths in spec["paths"].items()
        for method in METHODS
        if method in paths and f"{method.upper()} {path}" not in UNPUBLISHED
    }


@pytest.mark.parametrize("version", ["v3", "v1"])
def test_the_same_operations_are_known(version: str) -> None:
    assert set(operations(ours(version))) == set(operations(published(version)))


@pytest.mark.parametrize("version", ["v3", "v1"])
def test_operations_are_written_down_as_published(version: str) -> None:
    mine, theirs = ours(version), published(version)
    for (method, path), their in operations(theirs).items():
        our, call = mine["paths"][path][method], f"{method} {path}"
        assert _parameters(our, mine) == _parameters(their, theirs), call
        assert _content(our.get("requestBody"), mine) == _content(their.get("requestBody"), theirs), call
        for status in ("200", "201", "204", "307"):
            answer = our["responses"].get(status), their["responses"].get(status)
            assert (answer[0] is None) == (answer[1] is None), call
            assert _content(answer[0], mine) == _content(answer[1], theirs), call
            assert set((answer[0] or {}).get("headers", ())) == set((answer[1] or {}).get("headers", ())), call


@pytest.mark.parametrize("version", ["v3", "v1"])
def test_operations_answer_the_published_statuses(version: str) -> None:
    known = {
        call.replace("{org}", ORG): {*(str(key) for key in fact if isinstance(key, int))}
        | {str(status) for status in statuses(fact, part, also=False)}
        for part in facts(version)
        for call, fact in part["calls"].items()
    }
    for (method, path), operation in operations(published(version)).items():
        assert known[f"{method.upper()} {path}"] == set(operation["responses"]), f"{method} {path}"


def _parameters(operation: dict[str, Any], spec: dict[str, Any]) -> dict[tuple[str, str], Any]:
    found = {}
    for parameter in operation.get("parameters", []):
        schema = {} if parameter["in"] == "path" else normalized(parameter["schema"], spec)
        found[parameter["in"], parameter["name"]] = (bool(parameter.get("required")), schema)
    return found


def _content(holder: dict[str, Any] | None, spec: dict[str, Any]) -> Any:
    content = (holder or {}).get("content") or {}
    media_type = next((kind for kind in ("application/json", "multipart/form-data") if kind in content), None)
    return normalized(content[media_type]["schema"], spec) if media_type else None
