"""With a state file, what an organization keeps survives a restart, and nothing secret is in the file."""

from __future__ import annotations

from contextlib import closing

import httpx

from devin_jupyter.simulator.config import Config
from devin_jupyter.simulator.server import start

PATHS = ("/playbooks", "/knowledge/notes", "/knowledge/folders", "/secrets", "/schedules", "/sessions/insights")


def client_of(running):
    headers = {"authorization": f"Bearer {running.api_key}"}
    url = f"{running.url}/v3/organizations/{running.org_id}"
    return httpx.Client(base_url=url, headers=headers, trust_env=False)


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
