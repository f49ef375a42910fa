"""What a create call may not say, and how the service says so."""

from __future__ import annotations

import pytest


@pytest.fixture
def client(simulator):
    with simulator.v3() as client:
        yield client


WRONG = [
    ({}, ["body", "prompt"], "missing"),
    ({"prompt": 5}, ["body", "prompt"], "string_type"),
    ({"prompt": None}, ["body", "prompt"], "string_type"),
    ({"prompt": "x", "devin_mode": "turbo"}, ["body", "devin_mode"], "literal_error"),
    ({"prompt": "x", "max_acu_limit": 1.5}, ["body", "max_acu_limit"], "int_type"),
    ({"prompt": "x", "tags": "one"}, ["body", "tags"], "list_type"),
    ({"prompt": "x", "resumable": None}, ["body", "resumable"], "bool_type"),
    ({"prompt": "x", "attachment_urls": ["not an url"]}, ["body", "attachment_urls", 0], "url_parsing"),
    ({"prompt": "x", "attachment_urls": [""]}, ["body", "attachment_urls", 0], "string_too_short"),
    ({"prompt": "x", "attachment_urls": ["http://x/" + "a" * 2080]}, ["body", "attachment_urls", 0], "string_too_long"),
    ({"prompt": "x", "session_secrets": [{"key": ""}]}, ["body", "session_secrets", 0, "key"], "string_too_short"),
    (
        {"prompt": "x", "session_secrets": [{"key": "K" * 257, "value": ""}]},
        ["body", "session_secrets", 0, "key"],
        "string_too_long",
    ),
    (
        {"prompt": "x", "session_secrets": [{"key": "K", "value": "v" * 65537}]},
        ["body", "session_secrets", 0, "value"],
        "string_too_long",
    ),
    ({"prompt": "x", "structured_output_schema": []}, ["body", "structured_output_schema"], "dict_type"),
    (
        {"prompt": "x", "structured_output_schema": {"type": "blob"}},
        ["body", "structured_output_schema"],
        "value_error",
    ),
    (
        {"prompt": "x", "structured_output_schema": {"$ref": "https://example.com/s.json"}},
        ["body", "structured_output_schema"],
        "value_error",
    ),
    (
        {"prompt": "x", "structured_output_schema": {"$ref": "#/definitions/nowhere"}},
        ["body", "structured_output_schema"],
        "value_error",
    ),
    (
        {"prompt": "x", "structured_output_schema": {"description": "d" * 65536}},
        ["body", "structured_output_schema"],
        "value_error",
    ),
]


@pytest.mark.parametrize(("body", "loc", "kind"), WRONG)
def test_a_wrong_field_is_a_422_that_names_it_and_repeats_no_value(client, body, loc, kind):
    answer = client.post("/sessions", json=body)
    assert answer.status_code == 422
    first = answer.json()["detail"][0]
    assert set(first) == {"loc", "msg", "type"}
    assert (first["loc"], first["type"]) == (loc, kind)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[1]", b'"text"', b"[" * 100_000, b'{"prompt": NaN}'])
def test_a_body_that_is_no_json_object_is_a_422(client, body):
    answer = client.post("/sessions", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][0] == "body"


def test_an_unknown_platform_is_a_400_that_lists_the_labels(client):
    answer = client.post("/sessions", json={"prompt": "x", "platform": "amiga"})
    assert answer.status_code == 400
    assert "linux, windows" in answer.json()["detail"]
    assert client.post("/sessions", json={"prompt": "x", "platform": "inherit"}).status_code == 200


def test_a_repository_that_is_not_connected_is_a_400(client):
    answer = client.post("/sessions", json={"prompt": "x", "repos": ["acme/api", "unconnected/thing"]})
    assert answer.status_code == 400
    assert "unconnected/thing" in answer.json()["detail"]
