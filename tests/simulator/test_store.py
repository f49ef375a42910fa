"""With a state file everything comes back after a restart, and nothing secret is in the file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import httpx

from devin_jupyter.simulator.config import Config
from devin_jupyter.simulator.server import start

HEADERS = {"authorization": "Bearer cog_simulator"}
PATHS = ("/playbooks", "/knowledge/notes", "/knowledge/folders", "/secrets", "/schedules", "/sessions/insights")


def client_of(running):
    url = f"{running.url}/v3/organizations/{running.org_id}"
    return httpx.Client(base_url=url, headers=HEADERS, trust_env=False)


def everything(running) -> dict:
    with client_of(running) as client:
        sessions = client.get("/sessions", params={"first": 200}).json()["items"]
        words = {one["session_id"]: client.get(f"/sessions/{one['session_id']}/messages").json() for one in sessions}
    return {"sessions": sessions, "words": words}


def test_sessions_and_clock_survive_a_restart(tmp_path):
    config = Config(speed=1.0, preload=20, state=tmp_path / "deep" / "state.db")
    first = start(config)
    control = f"{first.url}/_sim"
    with client_of(first) as client:
        ids = [
            client.post("/sessions", json={"prompt": f"Task {n}", "tags": tags, "repos": ["a/b"]}).json()["session_id"]
            for n, tags in enumerate((["sim:question"], ["x"], ["x"], ["y"]))
        ]
        past = client.get("/sessions", params={"first": 200}).json()["items"][-1]["session_id"]
        client.put(f"/sessions/{past}/tags", json={"tags": ["kept"]})
        httpx.post(control + "/clock", json={"advance": 130}, trust_env=False)
        client.post(f"/sessions/{ids[0]}/messages", json={"message": "Replace it", "message_as_user_id": "user-u"})
        client.delete(f"/sessions/{ids[1]}")
        client.post(f"/sessions/{ids[2]}/archive")
    httpx.post(control + "/clock", json={"advance": 4000}, trust_env=False)
    before = everything(first)
    first.stop()

    second = start(config)
    assert second is not first
    assert everything(second) == before
    with client_of(second) as client:
        repeated = client.post("/sessions", json={"prompt": "Task 3", "tags": ["y"], "repos": ["a/b"]}).json()
    assert repeated["session_id"] not in ids
    httpx.post(second.url + "/_sim/reset", trust_env=False)
    assert len(everything(second)["sessions"]) == 20
    second.stop()


def test_the_seed_of_a_state_file_wins_over_a_later_one(tmp_path):
    first = start(Config(preload=5, seed=1, state=tmp_path / "state.db"))
    before = everything(first)
    first.stop()
    second = start(Config(preload=9, seed=2, state=tmp_path / "state.db"))
    assert everything(second) == before
    second.stop()


def test_every_resource_comes_back_after_a_restart(tmp_path):
    config = Config(speed=1.0, state=tmp_path / "state.db")
    first = start(config)
    with client_of(first) as client:
        upload = client.post("/attachments", files={"file": ("notes.csv", b"1,2\n")}).json()
        session = client.post("/sessions", json={"prompt": "x", "attachment_urls": [upload["url"]]}).json()
        path = f"/sessions/{session['session_id']}"
        httpx.post(first.url + "/_sim/clock", json={"advance": 240}, trust_env=False)
        client.post(path + "/insights/generate")
        httpx.post(first.url + "/_sim/clock", json={"advance": 240}, trust_env=False)
        playbook = client.post("/playbooks", json={"title": "Triage", "body": "Read."}).json()
        client.post("/knowledge/notes", json={"name": "a", "body": "b", "trigger": "c"})
        client.post("/secrets", json={"type": "totp", "key": "K", "value": "hush-hush"})
        client.post("/sessions", json={"prompt": "y", "session_secrets": [{"key": "K", "value": "hush-hush"}]})
        client.post("/schedules", json={"name": "a", "prompt": "b", "frequency": "0 9 * * 1"})
        before = [client.get(path).json() for path in PATHS]
        files = [item["attachment_id"] for item in client.get(path + "/attachments").json()]
    first.stop()
    assert b"hush-hush" not in (tmp_path / "state.db").read_bytes()

    second = start(config)
    with closing(client_of(second)) as client:
        after = [client.get(path).json() for path in PATHS]
        assert [stable(answer) for answer in after] == [stable(answer) for answer in before]
        items = client.get(path + "/attachments").json()
        assert [item["attachment_id"] for item in items] == files
        assert all(item["url"].startswith(second.url) for item in items)
        contents = [client.get(item["url"], follow_redirects=True).content for item in items]
        assert contents[0] == b"1,2\n"
        assert all(contents)
        other = client.post("/playbooks", json={"title": "Other", "body": "x"}).json()
        assert other["playbook_id"] != playbook["playbook_id"]
    httpx.post(second.url + "/_sim/reset", trust_env=False)
    with closing(client_of(second)) as client:
        assert client.get("/playbooks").json()["items"] == []
        assert len(client.get("/knowledge/folders").json()["folders"]) == 3
    second.stop()


def stable(answer):
    """Without the second session, which is still at work."""
    items = answer.get("items")
    done = [item for item in items if item.get("status_detail") != "working"] if items else items
    return {**answer, "items": done}


def test_a_file_of_the_first_release_is_read(tmp_path):
    path = tmp_path / "state.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(Path(__file__).with_name("state_of_first_release.sql").read_text(encoding="utf-8"))
    running = start(Config(speed=1.0, state=path))
    kept = everything(running)
    session = kept["sessions"][0]
    assert (len(kept["sessions"]), session["tags"], session["is_archived"]) == (3, ["kept"], True)
    assert session["pull_requests"]
    said = [message["message"] for message in kept["words"][session["session_id"]]["items"]]
    assert {"Count in repo a/b", "Replace it"} < set(said)
    with client_of(running) as client:
        assert [playbook["title"] for playbook in client.get("/playbooks").json()["items"]] == ["Triage"]
    running.stop()
