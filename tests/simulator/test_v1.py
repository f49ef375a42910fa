"""The legacy API over plain HTTP: sessions, with the odd answers and the odd errors."""

from __future__ import annotations

from datetime import datetime

import httpx
import pytest

EVERY_FIELD = {
    "prompt": "Audit the dependencies",
    "title": "Weekly audit",
    "tags": ["team:security"],
    "idempotent": False,
    "max_acu_limit": 5,
    "playbook_id": "playbook-1",
    "snapshot_id": "snapshot-1",
    "knowledge_ids": [],
    "secret_ids": None,
    "session_secrets": [{"key": "TOKEN", "value": "hush", "sensitive": False}],
    "structured_output_schema": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
    "unlisted": True,
}


@pytest.fixture
def client(slow_simulator):
    with slow_simulator.v1() as client:
        yield client


def create(client, **fields):
    answer = client.post("/sessions", json={"prompt": "Count the tests", **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_create_with_every_field(client, slow_simulator):
    assert len(EVERY_FIELD) == 12
    made = create(client, **EVERY_FIELD)
    bare = made["session_id"].removeprefix("devin-")
    assert len(bare) == 32
    assert made == {
        "session_id": f"devin-{bare}",
        "url": f"https://app.devin.ai/sessions/{bare}",
        "is_new_session": None,
    }
    slow_simulator.clock(240)
    session = client.get(f"/sessions/{made['session_id']}").json()
    assert (session["title"], session["tags"]) == ("Weekly audit", ["team:security"])
    assert (session["snapshot_id"], session["playbook_id"]) == ("snapshot-1", "playbook-1")
    assert isinstance(session["structured_output"]["n"], int)
    assert (session["status"], session["status_enum"]) == ("running", "blocked")


def test_an_unlisted_session_is_in_no_list_and_found_by_its_id(client, slow_simulator):
    bare = create(client, unlisted=True, tags=["mine"])["session_id"].removeprefix("devin-")
    create(client, tags=["mine"])

    assert len(client.get("/sessions", params={"tags": "mine"}).json()["sessions"]) == 1
    assert client.get(f"/sessions/devin-{bare}").json()["tags"] == ["mine"]
    with slow_simulator.v3() as v3:
        assert len(v3.get("/sessions").json()["items"]) == 1
        (named,) = v3.get("/sessions", params={"session_ids": bare}).json()["items"]
    assert named["session_id"] == bare


def test_both_versions_show_the_same_session(client, slow_simulator):
    made = create(client, tags=["shared"])
    with slow_simulator.v3() as v3:
        (seen,) = v3.get("/sessions", params={"tags": "shared"}).json()["items"]
        other = v3.post("/sessions", json={"prompt": "From v3", "repos": ["acme/api"]}).json()
    assert f"devin-{seen['session_id']}" == made["session_id"]
    slow_simulator.clock(240)
    session = client.get(f"/sessions/{other['session_id']}").json()
    assert session["pull_request"]["url"].startswith("https://github.com/acme/api/pull/")


def test_an_idempotent_create_returns_the_equivalent_session(client):
    first = create(client, idempotent=True, tags=["a"])
    again = create(client, idempotent=True, tags=["b"], title="Other", session_secrets=[])
    assert (first["is_new_session"], again["is_new_session"]) == (True, False)
    assert again["session_id"] == first["session_id"]
    assert create(client, idempotent=True, prompt="Something else")["is_new_session"] is True
    fresh = create(client)
    assert fresh["session_id"] != first["session_id"]
    assert fresh["is_new_session"] is None


@pytest.mark.parametrize(
    ("fields", "loc"),
    [
        ({"prompt": None}, ["body", "prompt"]),
        ({"tags": ["x"] * 51}, ["body", "tags"]),
        ({"max_acu_limit": 0}, ["body", "max_acu_limit"]),
        ({"max_acu_limit": "5"}, ["body", "max_acu_limit"]),
        ({"session_secrets": [{"key": "", "value": "x"}]}, ["body", "session_secrets", 0, "key"]),
        ({"session_secrets": [{"key": "K" * 257, "value": "x"}]}, ["body", "session_secrets", 0, "key"]),
        ({"session_secrets": [{"key": "K", "value": "x" * 65537}]}, ["body", "session_secrets", 0, "value"]),
        ({"structured_output_schema": {"$ref": "https://example.com"}}, ["body", "structured_output_schema"]),
        ({"structured_output_schema": {"enum": ["x" * 70_000]}}, ["body", "structured_output_schema"]),
        ({"idempotent": "yes"}, ["body", "idempotent"]),
    ],
)
def test_wrong_fields_are_named(client, fields, loc):
    answer = client.post("/sessions", json={"prompt": "x", **fields})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == loc


def test_the_list_is_newest_first_in_stretches(client):
    ids = [create(client, tags=[f"t{n % 2}"])["session_id"] for n in range(5)][::-1]

    def listed(**params):
        return [item["session_id"] for item in client.get("/sessions", params=params).json()["sessions"]]

    assert listed() == ids
    assert listed(limit=2) == ids[:2]
    assert listed(limit=2, offset=4) == listed(limit=2, skip=4) == ids[4:]
    assert listed(tags=["t1", "nothing"]) == [ids[1], ids[3]]
    assert listed(user_email="simulator@example.com") == ids
    assert listed(user_email="nobody@example.com") == listed(offset=99) == []
    for wrong in ({"limit": 0}, {"limit": 1001}, {"offset": -1}):
        assert client.get("/sessions", params=wrong).status_code == 422


def test_messages_come_with_the_session_oldest_first(client, slow_simulator):
    path = f"/sessions/{create(client)['session_id']}"
    slow_simulator.clock(240)
    assert client.post(path + "/message", json={"message": "And now?"}).content == b"null"
    slow_simulator.clock(240)
    messages = client.get(path).json()["messages"]
    kinds = [message["type"] for message in messages]
    assert kinds[0] == "initial_user_message"
    assert kinds.count("user_message") == 1
    assert kinds[-1] == "devin_message"
    times = [datetime.fromisoformat(message["timestamp"]) for message in messages]
    assert times == sorted(times)
    assert times[0].tzinfo is not None
    mine = messages[kinds.index("user_message")]
    assert (mine["username"], mine["origin"], mine["user_id"]) == ("simulator@example.com", "api", "user-simulator")


@pytest.mark.parametrize(
    ("tag", "status", "enum"),
    [
        ("sim:finished", "running", "finished"),
        ("sim:exit", "exit", "finished"),
        ("sim:question", "running", "blocked"),
        ("sim:approval", "running", "blocked"),
        ("sim:limit", "suspended", "blocked"),
    ],
)
def test_the_two_words_for_the_state(client, slow_simulator, tag, status, enum):
    path = f"/sessions/{create(client, tags=[tag])['session_id']}"
    new = client.get(path).json()
    assert (new["status"], new["status_enum"], new["structured_output"]) == ("new", None, None)
    slow_simulator.clock(120)
    assert client.get(path).json()["status_enum"] in ("working", enum)
    slow_simulator.clock(240)
    session = client.get(path).json()
    assert (session["status"], session["status_enum"]) == (status, enum)


def test_a_sleeping_session_does_not_take_a_message(client, slow_simulator):
    path = f"/sessions/{create(client)['session_id']}"
    slow_simulator.clock(240)
    slow_simulator.clock(7200)
    assert client.get(path).json()["status_enum"] == "suspend_requested"
    answer = client.post(path + "/message", json={"message": "Wake up"})
    assert answer.status_code == 200
    assert "suspended" in answer.json()["detail"]


def test_a_terminated_session_is_over(client):
    path = f"/sessions/{create(client)['session_id']}"
    assert client.delete(path).json() == {"detail": "Session terminated successfully"}
    session = client.get(path).json()
    assert (session["status"], session["status_enum"]) == ("exit", "expired")
    again = client.delete(path)
    assert (again.status_code, again.json()) == (400, {"detail": "Devin session already exited"})
    assert client.post(path + "/message", json={"message": "x"}).status_code == 400


def test_tags_are_replaced(client):
    path = f"/sessions/{create(client, tags=['a'])['session_id']}"
    assert set(client.put(path + "/tags", json={"tags": ["b", "b", "c"]}).json()) == {"detail"}
    assert client.get(path).json()["tags"] == ["b", "c"]
    assert client.put(path + "/tags", json={"tags": ["x"] * 51}).status_code == 422


def test_the_singular_path_is_an_alias(client):
    made = create(client)
    path = f"/session/{made['session_id']}"
    assert client.get(path).json()["session_id"] == made["session_id"]
    assert client.post(path + "/message", json={"message": "x"}).content == b"null"
    assert client.put(path + "/tags", json={"tags": ["y"]}).status_code == 200
    assert client.get(f"/session/{made['session_id'].removeprefix('devin-')}").json()["tags"] == ["y"]


def test_attachment_lines_attach(client, slow_simulator):
    upload = client.post("/attachments", files={"file": ("notes.csv", b"1,2\n")})
    assert upload.headers["content-type"] == "application/json"
    url = upload.json()
    assert upload.text == f'"{url}"'
    prompt = f'Read this\nATTACHMENT:"{url}"\nATTACHMENTS:"https://example.com/ignored"\n see ATTACHMENT:"inline"'
    made = create(client, prompt=prompt)
    client.post(f"/sessions/{made['session_id']}/message", json={"message": f'ATTACHMENT:"{url}"'})
    with slow_simulator.v3() as v3:
        files = v3.get(f"/sessions/{made['session_id']}/attachments").json()
    assert [(item["name"], item["source"]) for item in files] == [("notes.csv", "user")] * 2
    step = client.get(url, follow_redirects=False)
    assert step.status_code == 307
    assert httpx.get(step.headers["location"], trust_env=False).content == b"1,2\n"
    assert client.get("/attachments/nobody/x.txt").json() == {"detail": "Attachment not found"}


def test_a_lost_message_and_a_hidden_session_are_simulated_too(client, slow_simulator):
    slow_simulator.faults({"kind": "hide_new", "seconds": 30})
    path = f"/sessions/{create(client)['session_id']}"
    assert client.get("/sessions").json()["sessions"] == []
    slow_simulator.clock(240)
    assert len(client.get("/sessions").json()["sessions"]) == 1
    slow_simulator.faults({"kind": "stale", "polls": 1})
    client.post(path + "/message", json={"message": "x"})
    assert [client.get(path).json()["status_enum"] for _ in range(2)] == ["blocked", "working"]
