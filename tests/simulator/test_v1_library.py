"""Secrets, knowledge and playbooks of v1 over plain HTTP; v3 sees the same things."""

from __future__ import annotations

import pytest

SECRET = {"type": "cookie", "key": "SITE", "value": "hush-hush", "sensitive": True, "note": ""}
ENTRY = {"name": "Style", "body": "Use ruff.", "trigger_description": "writing Python"}


@pytest.fixture
def v1(simulator):
    with simulator.v1() as client:
        yield client


@pytest.fixture
def v3(simulator):
    with simulator.v3() as client:
        yield client


def test_a_secret_from_its_creation_to_its_end(v1, v3):
    made = v1.post("/secrets", json=SECRET)
    assert made.status_code == 201
    identifier = made.json()["id"]
    taken = v1.post("/secrets", json=SECRET)
    assert (taken.status_code, taken.json()) == (409, {"detail": "Secret name is not unique"})
    listed = v1.get("/secrets")
    (row,) = listed.json()["secrets"]
    assert (row["secret_id"], row["secret_type"], row["secret_name"]) == (identifier, "cookie", "SITE")
    assert "hush-hush" not in listed.text
    assert v3.get("/secrets").json()["items"][0]["key"] == "SITE"
    gone = v1.delete(f"/secrets/{identifier}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert v1.delete(f"/secrets/{identifier}").status_code == 404


@pytest.mark.parametrize("left_out", SECRET)
def test_every_field_of_a_secret_is_needed_and_the_error_is_a_sentence(v1, left_out):
    answer = v1.post("/secrets", json={name: value for name, value in SECRET.items() if name != left_out})
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(f"{left_out}: ")


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[]", b"null", b""])
def test_a_body_that_is_not_an_object_is_a_bad_request(v1, content):
    answer = v1.post("/playbooks", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert isinstance(answer.json()["detail"], str)


def test_knowledge_from_its_creation_to_its_end(v1, v3):
    entry = v1.post("/knowledge", json={**ENTRY, "macro": "!style", "pinned_repo": "all"}).json()
    assert (entry["macro"], entry["pinned_repo"], entry["created_by"]["id"]) == ("!style", "all", "user-simulator")
    changed = v1.put(f"/knowledge/{entry['id']}", json={**ENTRY, "body": "Use ruff format."}).json()
    assert (changed["body"], changed["created_at"]) == ("Use ruff format.", entry["created_at"])
    listed = v1.get("/knowledge").json()
    assert listed["knowledge"] == [changed]
    note = v3.get(f"/knowledge/notes/{entry['id']}").json()
    assert (note["trigger"], note["is_enabled"]) == ("writing Python", True)
    inside = v1.post("/knowledge", json={**ENTRY, "parent_folder_id": listed["folders"][0]["id"]}).json()
    assert v3.get(f"/knowledge/notes/{inside['id']}").json()["folder_path"] == "/" + listed["folders"][0]["name"]
    assert v1.delete(f"/knowledge/{entry['id']}").status_code == 204
    assert v1.delete(f"/knowledge/{entry['id']}").status_code == 404
    assert v1.post("/knowledge", json={"name": "x"}).status_code == 422


def test_playbooks_are_a_bare_array(v1, v3):
    made = v1.post("/playbooks", json={"title": "Triage", "body": "Read.", "macro": "!triage"}).json()
    assert (made["status"], made["access_type"], made["macro"]) == ("published", "org", "!triage")
    assert v1.get("/playbooks").json() == [made]
    path = f"/playbooks/{made['playbook_id']}"
    assert v1.put(path, json={"title": "Sort", "body": "Read well."}).json() == {"status": "success"}
    assert v1.get(path).json()["title"] == v3.get(path).json()["title"] == "Sort"
    assert v1.post("/playbooks", json={"title": "", "body": "x"}).status_code == 400
    assert v1.delete(path).json() == {"status": "success"}
    assert v1.get(path).status_code == v1.put(path, json={"title": "a", "body": "b"}).status_code == 404
