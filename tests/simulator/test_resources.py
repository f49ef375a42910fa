"""Playbooks, knowledge, secrets and schedules of v3 over plain HTTP: written, read, changed, forgotten."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

NOTE = {"name": "Style", "body": "Use ruff.", "trigger": "writing Python"}
SCHEDULE = {"name": "Weekly", "prompt": "Triage", "frequency": "0 9 * * 1"}


@pytest.fixture
def client(simulator):
    with simulator.v3() as client:
        yield client


def made(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()


def field_of(answer):
    """The field that a 422 complains about."""
    assert answer.status_code == 422, answer.text
    return answer.json()["detail"][0]["loc"][-1]


def test_a_playbook_has_a_schema_until_it_is_replaced_without_one(client):
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}}
    body = {"title": "Triage", "body": "Read."}
    playbook = made(client.post("/playbooks", json={**body, "structured_output_schema": schema}))
    assert playbook["structured_output_schema"] == schema
    path = f"/playbooks/{playbook['playbook_id']}"
    assert client.put(path, json=body).json()["structured_output_schema"] is None
    wrong = {**body, "structured_output_schema": {"type": "nothing"}}
    assert field_of(client.put(path, json=wrong)) == "structured_output_schema"


def test_a_playbook_from_its_creation_to_its_end(client, simulator):
    playbook = made(client.post("/playbooks", json={"title": "Triage", "body": "Read.", "macro": "!triage"}))
    assert playbook["playbook_id"].startswith("playbook-")
    assert (playbook["access_type"], playbook["org_id"]) == ("org", simulator.org_id)
    path = f"/playbooks/{playbook['playbook_id']}"
    simulator.clock(60)
    changed = made(client.put(path, json={"title": "Sort", "body": "Read well."}))
    assert (changed["title"], changed["macro"], changed["created_at"]) == ("Sort", None, playbook["created_at"])
    assert changed["updated_at"] > playbook["updated_at"]
    assert made(client.get(path)) == changed
    assert made(client.delete(path)) == changed
    assert client.get(path).status_code == client.put(path, json={"title": "a", "body": "b"}).status_code == 404


@pytest.mark.parametrize("macro", ["triage", "!", "!a b", "!ä", "!a\n", ""])
def test_a_macro_is_an_exclamation_mark_and_a_word(client, macro):
    assert field_of(client.post("/playbooks", json={"title": "a", "body": "b", "macro": macro})) == "macro"


def test_lists_are_paged_and_stay_valid_when_rows_come_and_go(client):
    ids = [made(client.post("/playbooks", json={"title": str(n), "body": "b"}))["playbook_id"] for n in range(5)]
    first = made(client.get("/playbooks", params={"first": 2}))
    assert [row["playbook_id"] for row in first["items"]] == ids[:2]
    assert (first["has_next_page"], first["total"]) == (True, 5)
    made(client.delete(f"/playbooks/{ids[1]}"))
    rest = made(client.get("/playbooks", params={"first": 200, "after": first["end_cursor"]}))
    assert [row["playbook_id"] for row in rest["items"]] in (ids[2:], ids[3:])
    assert (rest["has_next_page"], rest["end_cursor"]) == (False, None)
    for wrong in ({"first": 0}, {"first": 201}, {"first": "two"}, {"after": "nonsense"}):
        assert client.get("/playbooks", params=wrong).status_code == 422


def test_notes_are_found_by_words_repository_and_folder(client):
    folders = made(client.get("/knowledge/folders"))["folders"]
    nested = next(folder for folder in folders if folder["parent_folder_id"])
    style = made(client.post("/knowledge/notes", json={**NOTE, "folder_id": nested["folder_id"]}))
    other = made(
        client.post("/knowledge/notes", json={"name": "Ops", "body": "x", "trigger": "t", "pinned_repo": "a/b"})
    )
    assert style["folder_path"] == nested["path"]
    assert (style["is_enabled"], style["macro"]) == (True, None)
    for filters, expected in (
        ({"search": "RUFF"}, [style]),
        ({"search": "nothing"}, []),
        ({"pinned_repo": "a/b"}, [other]),
        ({"folder_path": nested["path"]}, [style]),
        ({}, [style, other]),
    ):
        assert made(client.get("/knowledge/notes", params=filters))["items"] == expected
    counts = made(client.get("/knowledge/folders"))
    assert counts["root_note_count"] == 1
    assert [folder["note_count"] for folder in counts["folders"] if folder["path"] == nested["path"]] == [1]


def test_a_note_from_its_creation_to_its_end(client):
    note = made(client.post("/knowledge/notes", json={**NOTE, "is_enabled": False}))
    assert note["is_enabled"] is False
    path = f"/knowledge/notes/{note['note_id']}"
    changed = made(client.put(path, json={**NOTE, "body": "Use ruff format."}))
    assert (changed["body"], changed["is_enabled"]) == ("Use ruff format.", True)
    assert made(client.delete(path)) == changed
    assert client.get(path).status_code == 404
    assert client.post("/knowledge/notes", json={**NOTE, "folder_id": "folder-0"}).status_code == 404


def test_a_secret_is_stored_once_and_its_value_never_comes_back(client):
    body = {"type": "key-value", "key": "NPM_TOKEN", "value": "hush-hush", "note": "for npm"}
    secret = made(client.post("/secrets", json=body))
    assert (secret["key"], secret["secret_type"], secret["is_sensitive"]) == ("NPM_TOKEN", "key-value", True)
    assert client.post("/secrets", json=body).status_code == 409
    listed = client.get("/secrets")
    assert listed.json()["items"] == [secret]
    assert "hush-hush" not in listed.text
    assert made(client.delete(f"/secrets/{secret['secret_id']}")) == secret
    assert client.delete(f"/secrets/{secret['secret_id']}").status_code == 404
    assert made(client.post("/secrets", json=body))["secret_id"] != secret["secret_id"]


def test_a_secret_of_an_unknown_type_or_too_long_is_invalid(client):
    body = {"type": "cookie", "key": "A", "value": "x"}
    assert field_of(client.post("/secrets", json={**body, "type": "dictionary"})) == "type"
    assert field_of(client.post("/secrets", json={**body, "value": "x" * 65537})) == "value"
    for key in ("", "K" * 257):
        assert field_of(client.post("/secrets", json={**body, "key": key})) == "key"
    assert made(client.post("/secrets", json={**body, "value": "x" * 65536}))["key"] == "A"


def test_a_schedule_keeps_its_data(client):
    playbook = made(client.post("/playbooks", json={"title": "Triage", "body": "b"}))
    body = {**SCHEDULE, "playbook_id": playbook["playbook_id"], "tags": ["weekly"], "notify_on": "always"}
    schedule = made(client.post("/schedules", json=body))
    assert schedule["scheduled_session_id"].startswith("sched-")
    assert schedule["playbook"] == {"playbook_id": playbook["playbook_id"], "title": "Triage"}
    assert (schedule["enabled"], schedule["agent"], schedule["schedule_type"]) == (True, "devin", "recurring")
    assert datetime.fromisoformat(schedule["created_at"]).tzinfo is not None
    assert made(client.get(f"/schedules/{schedule['scheduled_session_id']}")) == schedule


def test_a_change_of_a_schedule_touches_only_what_it_names(client):
    schedule = made(client.post("/schedules", json={**SCHEDULE, "tags": ["weekly"], "create_as_user_id": "user-ana"}))
    path = f"/schedules/{schedule['scheduled_session_id']}"
    changed = made(client.patch(path, json={"enabled": False, "tags": None, "name": None}))
    assert (changed["enabled"], changed["tags"], changed["name"]) == (False, None, "Weekly")
    assert changed["created_by"] == "user-ana"
    assert made(client.patch(path, json={"run_as_user_id": None}))["created_by"] == "service-user-simulator"
    assert field_of(client.patch(path, json={"schedule_type": "one_time"})) == "scheduled_at"


def test_a_deleted_schedule_is_gone(client):
    schedule = made(client.post("/schedules", json=SCHEDULE))
    path = f"/schedules/{schedule['scheduled_session_id']}"
    assert made(client.delete(path))["name"] == "Weekly"
    assert client.get(path).status_code == client.delete(path).status_code == 404
    assert made(client.get("/schedules"))["items"] == []


def test_schedules_page_by_limit_and_offset(client):
    names = [made(client.post("/schedules", json={**SCHEDULE, "name": str(n)}))["name"] for n in range(5)]
    page = made(client.get("/schedules", params={"limit": 2, "offset": 1}))
    assert [item["name"] for item in page["items"]] == names[1:3]
    assert (page["has_next_page"], page["total"]) == (True, 5)
    assert made(client.get("/schedules", params={"limit": 2, "offset": 4}))["has_next_page"] is False
    assert client.get("/schedules", params={"limit": 0}).status_code == 422


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"frequency": None}, "frequency"),
        ({"frequency": "every monday"}, "frequency"),
        ({"schedule_type": "one_time"}, "scheduled_at"),
        ({"schedule_type": "one_time", "scheduled_at": "2020-01-01T00:00:00Z"}, "scheduled_at"),
        ({"schedule_type": "one_time", "scheduled_at": "2099-01-01T00:00:00"}, "scheduled_at"),
        ({"schedule_type": "one_time", "scheduled_at": "tomorrow"}, "scheduled_at"),
        ({"target_devin_id": "devin-1"}, "target_devin_id"),
        ({"agent": "robot"}, "agent"),
        ({"name": None}, "name"),
    ],
)
def test_a_schedule_that_could_not_run_is_invalid(client, fields, field):
    assert field_of(client.post("/schedules", json={**SCHEDULE, **fields})) == field


def test_a_single_run_lies_in_the_simulated_future(client, simulator):
    soon = datetime.now().astimezone() + timedelta(hours=1)
    body = {"name": "Once", "prompt": "Go", "schedule_type": "one_time", "scheduled_at": soon.isoformat()}
    assert datetime.fromisoformat(made(client.post("/schedules", json=body))["scheduled_at"]) == soon
    simulator.clock(7200)
    assert field_of(client.post("/schedules", json=body)) == "scheduled_at"
