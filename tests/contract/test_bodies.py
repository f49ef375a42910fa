"""The bodies as the simulator reads them, against the facts: the same fields, types, limits and defaults."""

from __future__ import annotations

from typing import Any

import pytest
from contract.openapi import document
from contract.plain import plain
from pydantic import BaseModel

from devin_jupyter.simulator import wire

BODIES: dict[str, dict[str, type[BaseModel]]] = {
    "v3": {
        "SessionCreateRequest": wire.SessionCreate,
        "SessionMessageCreateRequest": wire.MessageCreate,
        "SessionTagsUpdateRequest": wire.TagsUpdate,
        "PlaybookCreateRequest": wire.PlaybookWrite,
        "KnowledgeNoteCreateRequest": wire.NoteWrite,
        "SecretCreateRequest": wire.SecretWrite,
        "ScheduleCreateRequest": wire.ScheduleCreate,
        "ScheduleUpdateRequest": wire.ScheduleUpdate,
    },
    "v1": {
        "CreateSessionParams": wire.V1SessionCreate,
        "PostMessageParams": wire.V1Message,
        "UpdateTagsParams": wire.V1TagsUpdate,
        "CreateSecretRequest": wire.V1SecretWrite,
        "KnowledgeParams": wire.V1NoteWrite,
        "CreatePlaybookRequest": wire.V1PlaybookWrite,
    },
}


@pytest.mark.parametrize(
    ("version", "name", "model"),
    [(version, name, model) for version, models in BODIES.items() for name, model in models.items()],
)
def test_a_body_is_read_exactly_as_the_wire_has_it(version: str, name: str, model: type[BaseModel]) -> None:
    spec = document(version)
    assert _without_defaults(_own(model)) == _without_defaults(plain(spec["components"]["schemas"][name], spec))
    given = {field: info.default for field, info in model.model_fields.items() if not info.is_required()}
    facts = plain(spec["components"]["schemas"][name], spec)["properties"]
    assert given == {field: facts[field].get("default") for field in given}


def test_every_body_has_a_model() -> None:
    for version in ("v3", "v1"):
        operations = [one for methods in document(version)["paths"].values() for one in methods.values()]
        contents = [operation.get("requestBody", {}).get("content", {}) for operation in operations]
        schemas = [content["application/json"]["schema"] for content in contents if "application/json" in content]
        assert {schema["$ref"].rpartition("/")[2] for schema in schemas} == BODIES[version].keys()


def _own(model: type[BaseModel]) -> Any:
    schema = model.model_json_schema()
    return plain(schema, schema)


def _without_defaults(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: _without_defaults(value) for key, value in schema.items() if key != "default"}
    return [_without_defaults(item) for item in schema] if isinstance(schema, list) else schema
