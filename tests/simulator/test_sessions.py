"""Create, get, message, tag, end: the session core of v3 as any HTTP client sees it."""

from __future__ import annotations

import httpx
import pytest

EVERY_FIELD = {
    "prompt": "Audit the dependencies",
    "title": "Weekly audit",
    "tags": ["team:security"],
    "devin_mode": "lite",
    "max_acu_limit": 5,
    "structured_output_schema": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
    "structured_output_required": False,
    "attachment_urls": ["https://example.com/notes.txt"],
    "repos": ["acme/api"],
    "knowledge_ids": ["note-1"],
    "secret_ids": [],
    "session_secrets": [{"key": "TOKEN", "value": "hush", "sensitive": False}],
    "playbook_id": "playbook-1",
    "child_playbook_id": "playbook-2",
    "session_links": ["devin-" + "0" * 32],
    "platform": "Windows",
    "resumable": False,
    "bypass_approval": True,
    "create_as_user_id": "user-ana",
}


@pytest.fixture
def client(simulator):
    with simulator.v3() as client:
        yield client


def create(client: httpx.Client, **fields) -> dict:
    answer = client.post("/sessions", json={"prompt": "Count the tests", **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_self_names_the_simulator_and_the_organization(simulator):
    answer = httpx.get(simulator.url + "/v3/self", headers={"authorization": "Bearer cog_simulator"}, trust_env=False)
    assert answer.json() == {
        "principal_type": "service_user",
        "service_user_id": "service-user-simulator",
        "service_user_name": "simulator",
        "org_id": "org-simulator",
    }


def test_a_create_with_every_field_answers_a_new_session(client):
    assert len(EVERY_FIELD) == 19
    session = create(client, **EVERY_FIELD)
    assert len(session["session_id"]) == 32
    assert session["url"] == f"https://app.devin.ai/sessions/{session['session_id']}"
    expected = {
        "status": "new",
        "status_detail": None,
        "structured_output": None,
        "category": None,
        "subcategory": None,
        "origin": "api",
        "title": "Weekly audit",
        "tags": ["team:security"],
        "playbook_id": "playbook-1",
        "user_id": "user-ana",
        "org_id": "org-simulator",
        "acus_consumed": 0.0,
        "pull_requests": [],
        "is_archived": False,
        "created_at": session["updated_at"],
        "devin_mode": "lite",
    }
    assert {name: session[name] for name in expected} == expected


def test_unknown_fields_and_parameters_are_ignored(client):
    session = create(client, snapshot_id="snap", idempotent=True)
    found = client.get(f"/sessions/{session['session_id']}", params={"include": "everything"})
    assert found.status_code == 200
    assert client.get("/sessions", params={"limit": 0, "qs[tags]": "x"}).json()["total"] == 1


def test_a_title_is_made_up_from_the_prompt(client):
    assert create(client, prompt="\n  Fix the login\nand the logout")["title"] == "Fix the login"


def test_texts_beyond_ascii_survive_even_half_a_surrogate_pair(client):
    session = create(client, prompt="Prüfe 🦦 \x00 \u2028", title="日本")
    words = client.get(f"/sessions/{session['session_id']}/messages").json()["items"]
    assert (session["title"], words[0]["message"]) == ("日本", "Prüfe 🦦 \x00 \u2028")
    half = rb'{"prompt": "\ud800", "tags": ["\udfff"], "structured_output_schema": {"title": "\ud800"}}'
    answer = client.post("/sessions", content=half, headers={"content-type": "application/json"})
    assert answer.status_code in (200, 422)
    assert client.get("/sessions").status_code == 200


@pytest.mark.parametrize(
    ("path", "header", "status", "detail"),
    [
        ("/v3/self", None, 401, "Not authenticated"),
        ("/v3/self", "Bearer cog_other", 401, "Invalid API key"),
        ("/v3/self", "Basic cog_simulator", 401, "Not authenticated"),
        ("/v3/self", "Bearer apk_simulator", 403, "Unauthorized"),
        ("/v1/sessions", "Bearer cog_simulator", 403, "Unauthorized"),
        ("/v3/organizations/org-other/sessions", "Bearer cog_simulator", 404, "Organization not found"),
        ("/v3/nothing", "Bearer cog_simulator", 404, "Not Found"),
    ],
)
def test_keys_of_the_wrong_kind_or_family_are_refused(simulator, path, header, status, detail):
    headers = {"authorization": header} if header else {}
    answer = httpx.get(simulator.url + path, headers=headers, trust_env=False)
    assert (answer.status_code, answer.json()) == (status, {"detail": detail})


def test_sessions_are_found_by_bare_and_by_prefixed_id(client):
    session = create(client)
    bare, prefixed = (client.get(f"/sessions/{prefix}{session['session_id']}") for prefix in ("", "devin-"))
    assert bare.json()["session_id"] == prefixed.json()["session_id"] == session["session_id"]
    assert client.get("/sessions/devin-" + "f" * 32).status_code == 404


def test_strict_ids_answers_bare_ones_with_404(simulator_with):
    with simulator_with(strict_ids=True).v3() as client:
        session = create(client)
        assert client.get(f"/sessions/{session['session_id']}").status_code == 404
        assert client.get(f"/sessions/devin-{session['session_id']}").status_code == 200


def test_errors_are_problem_details_by_a_switch(simulator_with):
    with simulator_with(problem_json=True).v3() as client:
        missing, wrong = client.get("/sessions/devin-x"), client.post("/sessions", json={})
    assert missing.headers["content-type"] == wrong.headers["content-type"] == "application/problem+json"
    assert missing.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "Session not found",
        "instance": "/v3/organizations/org-simulator/sessions/devin-x",
    }
    assert wrong.json()["errors"][0]["loc"] == ["body", "prompt"]


def test_messages_are_oldest_first_in_pages_that_survive_new_ones(slow_simulator):
    with slow_simulator.v3() as client:
        session = create(client, prompt="Hello")
        path = f"/sessions/devin-{session['session_id']}/messages"
        slow_simulator.clock(240)
        first = client.get(path, params={"first": 2}).json()
        client.post(path, json={"message": "And now?"})
        slow_simulator.clock(240)
        rest = client.get(path, params={"after": first["end_cursor"]}).json()
    words = first["items"] + rest["items"]
    assert first["has_next_page"]
    assert rest["end_cursor"] is None
    assert [words[0]["source"], words[0]["message"]] == ["user", "Hello"]
    assert [word["message"] for word in words].count("And now?") == 1
    assert len({word["event_id"] for word in words}) == len(words) >= 6
    assert [word["created_at"] for word in words] == sorted(word["created_at"] for word in words)
    assert words[-1]["source"] == "devin"


def test_tags_are_read_appended_once_and_replaced(client):
    path = f"/sessions/{create(client, tags=['a', 'a'])['session_id']}/tags"
    assert client.get(path).json() == {"tags": ["a"]}
    assert client.post(path, json={"tags": ["b", "a"]}).json() == {"tags": ["a", "b"]}
    assert client.put(path, json={"tags": []}).json() == {"tags": []}
    assert client.put(path, json={"tags": [str(n) for n in range(50)]}).status_code == 200
    for method, tags in (("PUT", 51), ("POST", 51)):
        assert client.request(method, path, json={"tags": [f"t{n}" for n in range(tags)]}).status_code == 422
    assert client.post(path, json={"tags": ["one more"]}).status_code == 422


def test_a_terminated_session_takes_no_messages_and_stays_ended(client):
    session = create(client)
    path = f"/sessions/{session['session_id']}"
    ended = client.delete(path)
    assert (ended.status_code, ended.json()["status"], ended.json()["is_archived"]) == (200, "exit", False)
    refused = client.post(path + "/messages", json={"message": "Come back"})
    assert refused.status_code == 409
    assert "has ended" in refused.json()["detail"]
    again = client.delete(path, params={"archive": True}).json()
    assert (again["status"], again["is_archived"]) == ("exit", True)


def test_archiving_puts_to_sleep_and_only_unarchiving_lets_a_message_wake_it(slow_simulator):
    with slow_simulator.v3() as client:  # in which it resumes for 19 s, not for 8 ms
        path = f"/sessions/{create(client)['session_id']}"
        assert client.post(path + "/archive").json()["is_archived"] is True
        state = client.get(path).json()
        assert (state["status"], state["status_detail"]) == ("suspended", "user_request")
        assert client.post(path + "/messages", json={"message": "?"}).status_code == 200
        state = client.get(path).json()
        assert (state["status"], state["status_detail"]) == ("suspended", "user_request")
        assert client.get(path + "/messages").json()["items"][-1]["message"] == "?"
        assert client.post(path + "/unarchive").json()["is_archived"] is False
        woken = client.post(path + "/messages", json={"message": "Go on"}).json()
        assert (woken["status"], woken["status_detail"]) == ("resuming", None)


def test_a_disposable_session_cannot_be_woken(client):
    path = f"/sessions/{create(client, resumable=False)['session_id']}"
    client.post(path + "/archive")
    client.post(path + "/unarchive")
    assert client.post(path + "/messages", json={"message": "?"}).status_code == 409


def test_a_message_carries_files_and_the_user_it_is_sent_for(slow_simulator):
    with slow_simulator.v3() as client:
        path = f"/sessions/{create(client)['session_id']}/messages"
        body = {
            "message": "See this",
            "attachment_urls": ["https://example.com/a%20b.csv"],
            "message_as_user_id": "user-x",
        }
        assert client.post(path, json=body).status_code == 200
        slow_simulator.clock(240)
        texts = [word["message"] for word in client.get(path).json()["items"]]
        assert client.post(path, json={}).status_code == 422
    assert any("a b.csv" in text or "changing course" in text for text in texts)


def test_requests_are_counted_by_route_template(simulator, client):
    session = create(client)
    client.get(f"/sessions/{session['session_id']}")
    client.get("/sessions/unknown")
    client.get("/nowhere")
    assert simulator.stats() == {
        "requests": {
            "POST /v3/organizations/{org_id}/sessions": 1,
            "GET /v3/organizations/{org_id}/sessions/{devin_id}": 2,
            "GET (no such route)": 1,
        },
        "sessions": 1,
    }
    simulator.reset()
    assert simulator.stats() == {"requests": {}, "sessions": 0}
