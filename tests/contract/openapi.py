"""Turns the facts of the wire into an OpenAPI document; simulator, models and client are held against it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from contract.fact_syntax import read, shape

FACTS = Path(__file__).with_name("facts")
ORG = "/v3/organizations/{org_id}"
REASONS = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict"} | {
    422: "Validation Error",
    429: "Too Many Requests",
    500: "Internal Server Error",
}
_DETAIL = {"type": "object", "properties": {"detail": {"type": "string"}}, "required": ["detail"]}
_PROBLEM = shape(
    {
        "type": "str",
        "title": "str!",
        "status": "int!",
        "detail": "str|null",
        "instance": "str|null",
        "errors": "[object]|null",
        "error_code": "str|null",
    }
)
_INVALID = shape({"detail": "[ValidationError]!"})
_FIELD_ERROR = {
    "type": "object",
    "properties": {"loc": {"type": "array"}, "msg": {"type": "string"}, "type": {"type": "string"}},
    "required": ["loc", "msg", "type"],
}


@cache
def read_yaml(path: Path) -> Any:
    """Parse a file with the fast loader, where PyYAML was built with it."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def facts(version: str) -> list[dict[str, Any]]:
    """Return the fact files of one API version."""
    documents = (read_yaml(path) for path in sorted(FACTS.glob("*.yaml")))
    return [document for document in documents if document["version"] == version]


def document(
    version: str,
    known: Mapping[str, list[str]] | None = None,
    examples: Mapping[str, Any] | None = None,
    *,
    newest: bool = True,
) -> dict[str, Any]:
    """Return the OpenAPI document of `version`, `"v3"` or `"v1"`.

    Args:
        known: for names of path parameters, ids that exist, so that generated requests reach something.
        examples: for names of shapes and of query parameters, a sensible value.
        newest: with the fields that were seen in the wild but are in no published document.
    """
    schemas: dict[str, Any] = {"ValidationError": _FIELD_ERROR}
    paths: dict[str, Any] = {}
    for part in facts(version):
        enums = part.get("enums", {}) | ({} if newest else part.get("published", {}))
        schemas |= {name: {"type": "string", "enum": words.split()} for name, words in enums.items()}
        schemas |= {name: shape(fields, newest=newest) for name, fields in part["shapes"].items()}
        for call, fact in part["calls"].items():
            method, path = call.replace("{org}", ORG).split(" ", 1)
            operation = _operation(call, path, fact, part, known or {}, newest=newest)
            paths.setdefault(path, {})[method.lower()] = operation
    _name_pages(paths, schemas)
    _show(paths, examples or {})
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Devin API {version}", "version": "the facts this project relies on"},
        "security": [{"bearer": []}],
        "components": {"schemas": schemas, "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
        "paths": paths,
    }


@cache
def shared(version: str) -> dict[str, Any]:
    """Return the document of a version, made once; it must not be changed."""
    return document(version)


def _operation(
    call: str, path: str, fact: dict[Any, Any], part: dict[str, Any], known: Mapping[str, list[str]], *, newest: bool
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": re.sub(r"\W+", "_", call).strip("_"),
        "parameters": [_path_parameter(name, known) for name in re.findall(r"{(\w+)}", path)]
        + [
            _query_parameter(name, text)
            for name, text in _query(fact.get("query"), part).items()
            if newest or not read(text).newer
        ],
        "responses": _answers(fact, part),
    }
    if "body" in fact:
        operation["requestBody"] = _body("application/json", {"$ref": f"#/components/schemas/{fact['body']}"})
    if "form" in fact:
        operation["requestBody"] = _body("multipart/form-data", shape(fact["form"]))
    return operation


def _show(paths: dict[str, Any], examples: Mapping[str, Any]) -> None:
    operations = [operation for methods in paths.values() for operation in methods.values()]
    for parameter in (parameter for operation in operations for parameter in operation["parameters"]):
        if parameter["in"] == "query" and parameter["name"] in examples:
            parameter["example"] = examples[parameter["name"]]
    for content in (operation.get("requestBody", {}).get("content", {}) for operation in operations):
        name = content.get("application/json", {}).get("schema", {}).get("$ref", "").rsplit("/", 1)[-1]
        if name in examples:
            content["application/json"]["example"] = examples[name]


def _body(media_type: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {media_type: {"schema": schema}}}


def _path_parameter(name: str, known: Mapping[str, list[str]]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "minLength": 1}
    if name in known:
        schema = {"anyOf": [{"type": "string", "enum": list(known[name])}] * 3 + [schema]}
    example = {"example": known[name][0]} if name in known else {}
    return {"name": name, "in": "path", "required": True, "schema": schema, **example}


def _query(given: Any, part: dict[str, Any]) -> dict[str, str]:
    if isinstance(given, list):
        return {name: text for one in given for name, text in _query(one, part).items()}
    return part["queries"][given] if isinstance(given, str) else given or {}


def _query_parameter(name: str, text: str) -> dict[str, Any]:
    fact = read(text)
    return {"name": name, "in": "query", "required": fact.required, "schema": fact.schema}


def _answers(fact: dict[Any, Any], part: dict[str, Any]) -> dict[str, Any]:
    answers: dict[str, Any] = {
        str(status): _answer(what, part["version"]) for status, what in fact.items() if isinstance(status, int)
    }
    for status in statuses(fact, part):
        answers[str(status)] = {"description": REASONS[status], "content": _error(status, part["version"])}
    return answers


def statuses(fact: dict[Any, Any], part: dict[str, Any], *, also: bool = True) -> list[int]:
    """Return the error statuses of a call, with or without those that only older documents and live reports know."""
    words = str(fact.get("errors", part["errors"])).split() + (str(fact.get("also", "")).split() if also else [])
    return [int(word) for word in words]


def _answer(what: str, version: str) -> dict[str, Any]:
    if what == "nothing":
        return {"description": "no content"}
    if what == "Location":
        headers = {"Location": {"required": True, "schema": {"type": "string", "format": "uri"}}}
        return {"description": "where the file is", "headers": headers}
    types = [_answer_type(one) for one in what.split(" | ")]
    schema = types[0] if len(types) == 1 else {"anyOf": types}
    return {"description": what, "content": {"application/json": {"schema": schema}}}


def _answer_type(text: str) -> dict[str, Any]:
    page = re.fullmatch(r"Page\[(\w+)\]", text)
    return {"$ref": f"#/components/schemas/PageOf{page[1]}"} if page else read(text).schema


def _error(status: int, version: str) -> dict[str, Any]:
    if version == "v1":
        return {"application/json": {"schema": _INVALID if status == 422 else _DETAIL}}
    either = {"schema": {"anyOf": [_INVALID if status == 422 else _DETAIL, _PROBLEM]}}
    return {"application/json": either, "application/problem+json": either}


def _name_pages(paths: dict[str, Any], schemas: dict[str, Any]) -> None:
    for name in set(re.findall(r"#/components/schemas/PageOf(\w+)", str(paths))):
        schemas[f"PageOf{name}"] = shape(
            {"items": f"[{name}]!", "end_cursor": "str|null", "has_next_page": "bool = false", "total": "int|null"}
        )
