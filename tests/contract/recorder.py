"""Listens to what the client really sends, and says what is wrong with it by the facts of the wire."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx
from contract.openapi import document, shared
from jsonschema_rs import Draft202012Validator

SECOND_STEP = "/files/"
"""Where a download is redirected to: a path of the simulator, which stands for another host."""


class Recorder(httpx.AsyncHTTPTransport):
    """Carries requests over the network and keeps them."""

    def __init__(self) -> None:
        super().__init__(trust_env=False)
        self.requests: list[Sent] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        self.requests.append(Sent(request.method.lower(), request.url, dict(request.headers), body))
        return await super().handle_async_request(request)


@dataclass(frozen=True)
class Sent:
    """One request."""

    method: str
    url: httpx.URL
    headers: dict[str, str] = field(repr=False)
    body: bytes

    @property
    def version(self) -> str:
        return "v1" if self.url.path.startswith("/v1/") else "v3"

    @property
    def template(self) -> str:
        """The path with the names of its ids."""
        paths = shared(self.version)["paths"]
        found = [path for path in paths if re.fullmatch(re.sub(r"{\w+}", "[^/]+", path), _path(self.url))]
        return min(found, key=lambda path: path.count("{"), default=_path(self.url))

    def problems(self) -> list[str]:
        """Return what is wrong with it; nothing that is not written down may be sent."""
        if self.url.path.startswith(SECOND_STEP):
            return ["the key was sent along a redirect"] if "authorization" in self.headers else []
        spec = _closed(self.version)
        operation = spec["paths"].get(self.template, {}).get(self.method)
        if operation is None:
            return [f"no such operation: {self.method} {self.url.path}"]
        return [*self._query_problems(operation, spec), *self._body_problems(operation, spec)]

    def _query_problems(self, operation: dict[str, Any], spec: dict[str, Any]) -> list[str]:
        known = {item["name"]: item for item in operation["parameters"] if item["in"] == "query"}
        found = [f"unknown parameter {name}" for name in self.url.params if name not in known]
        found += [f"missing {name}" for name, item in known.items() if item["required"] and name not in self.url.params]
        for name in set(self.url.params) & set(known):
            value = _read(self.url.params.get_list(name), known[name]["schema"])
            found += [f"{name}: {problem}" for problem in _misfits(value, known[name]["schema"], spec)]
        return found

    def _body_problems(self, operation: dict[str, Any], spec: dict[str, Any]) -> list[str]:
        content = operation.get("requestBody", {}).get("content", {})
        if not content:
            return ["an unexpected body"] if self.body else []
        media_type = self.headers.get("content-type", "").split(";")[0]
        if media_type not in content:
            return [f"undocumented content type {media_type!r}"]
        if media_type == "multipart/form-data":
            return [] if b'name="file"; filename=' in self.body else ["no file in the form"]
        return _misfits(json.loads(self.body), content[media_type]["schema"], spec)


def _path(url: httpx.URL) -> str:
    return url.raw_path.decode().partition("?")[0]


@cache
def _closed(version: str) -> dict[str, Any]:
    spec = copy.deepcopy(document(version))
    for schema in spec["components"]["schemas"].values():
        if schema["type"] == "object":
            schema["additionalProperties"] = False
    return spec


def _misfits(value: Any, schema: dict[str, Any], spec: dict[str, Any]) -> list[str]:
    validator = Draft202012Validator({"components": spec["components"], **schema}, validate_formats=True)
    return [error.message for error in validator.iter_errors(value)]


def _read(values: list[str], schema: dict[str, Any]) -> Any:
    if schema.get("type") == "array":
        return values
    (value,) = values
    readable = schema.get("type") in ("integer", "boolean", "number")
    return json.loads(value) if readable and re.fullmatch(r"-?\d+|true|false", value) else value
