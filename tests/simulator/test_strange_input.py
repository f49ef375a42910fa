"""Input that nobody sends on purpose: never a server error, on any route."""

from __future__ import annotations

import json
from itertools import product

import pytest

HUGE = "9" * 4000
BODIES = [
    b"",
    b"null",
    b"[]",
    b'"x"',
    b"\xff",
    b"{",
    b'{"prompt": NaN}',
    b'{"prompt": "x", "max_acu_limit": 1e999}',
    b'{"prompt": "x", "max_acu_limit": ' + HUGE.encode() + b"}",
    b'{"prompt": "\\ud800", "title": "\\udfff", "tags": ["\\ud800\\u0000"]}',
    b'{"prompt": "x", "structured_output_schema": {"const": NaN}}',
    b'{"prompt": "x", "structured_output_schema": ' + b'{"not": ' * 950 + b"{}" + b"}" * 950 + b"}",
    b'{"prompt": "x", "structured_output_schema": {"examples": ' + b"[" * 5000 + b"]" * 5000 + b"}}",
    b'{"prompt": "ATTACHMENT:\\"http://[\\""}',
]
STEPS = ["%00", "%FF", "%ED%A0%80", "..%2F..", "a%20b", "%F0%9F%92%A9", "x" * 3000]


@pytest.fixture(params=["v3", "v1"])
def client(request, simulator):
    with getattr(simulator, request.param)() as client:
        client.headers["content-type"] = "application/json"
        yield client


def test_a_strange_body_is_taken_or_refused(client):
    for body in BODIES:
        answer = client.post("/sessions", content=body)
        assert answer.status_code in (200, 422), body[:100]
        if answer.status_code == 200:
            path = f"/sessions/{answer.json()['session_id']}"
            assert client.get(path).status_code == 200, body[:100]
            assert client.put(path + "/tags", content=b'{"tags": ["\\ud800"]}').status_code == 200, body[:100]
            assert client.get("/sessions").status_code == 200, body[:100]


def test_a_strange_id_is_not_found(client):
    kinds = ("sessions", "playbooks", "secrets", "knowledge/notes", "schedules", "attachments/a")
    for method, step, kind in product(("GET", "PUT", "PATCH", "DELETE"), STEPS, kinds):
        answer = client.request(method, f"/{kind}/{step}", content=b"{}" if method in ("PUT", "PATCH") else None)
        assert answer.status_code in (400, 404, 405, 422), (method, kind, step)
        assert json.loads(answer.content)["detail"], (method, kind, step)


def test_any_window_of_time_is_counted(simulator_with):
    paths = ("consumption/daily", "metrics/usage", "metrics/dau", "metrics/mau", "metrics/prs")
    windows = (("-" + HUGE, HUGE), (HUGE, "-" + HUGE), ("0", HUGE), ("-" + HUGE, "0"))
    with simulator_with(preload=5).v3() as client:
        for path, (after, before) in product(paths, windows):
            answer = client.get("/" + path, params={"time_after": after, "time_before": before})
            assert answer.status_code == 200, (path, after[:5], before[:5])
            assert len(answer.content) < 1_000_000, (path, after[:5], before[:5])


@pytest.mark.parametrize("content", [b"", b"garbage", b"--x\r\n\r\n--x--", b"--x--"])
def test_a_broken_form_is_refused(client, content):
    for kind in ("multipart/form-data; boundary=x", "multipart/form-data", "text/plain"):
        answer = client.post("/attachments", content=content, headers={"content-type": kind})
        assert answer.status_code == 422
