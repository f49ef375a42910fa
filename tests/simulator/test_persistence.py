"""With a state file everything comes back after a restart, in the state that time has brought it to."""

from __future__ import annotations

import httpx

from devin_jupyter.simulator.config import Config
from devin_jupyter.simulator.server import start


def everything(url: str) -> dict:
    with httpx.Client(
        base_url=url + "/v3/organizations/org-simulator",
        headers={"authorization": "Bearer cog_simulator"},
        trust_env=False,
    ) as client:
        sessions = client.get("/sessions", params={"first": 200}).json()["items"]
        words = {one["session_id"]: client.get(f"/sessions/{one['session_id']}/messages").json() for one in sessions}
    return {"sessions": sessions, "words": words}


def test_sessions_and_clock_survive_a_restart(tmp_path):
    config = Config(speed=1.0, preload=20, state=tmp_path / "deep" / "state.db")
    first = start(config)
    control = f"{first.url}/_sim"
    with httpx.Client(
        base_url=first.url + "/v3/organizations/org-simulator",
        headers={"authorization": "Bearer cog_simulator"},
        trust_env=False,
    ) as client:
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
    before = everything(first.url)
    first.stop()

    second = start(config)
    assert second is not first
    assert everything(second.url) == before
    with httpx.Client(
        base_url=second.url + "/v3/organizations/org-simulator",
        headers={"authorization": "Bearer cog_simulator"},
        trust_env=False,
    ) as client:
        repeated = client.post("/sessions", json={"prompt": "Task 3", "tags": ["y"], "repos": ["a/b"]}).json()
    assert repeated["session_id"] not in ids
    httpx.post(second.url + "/_sim/reset", trust_env=False)
    assert len(everything(second.url)["sessions"]) == 20
    second.stop()


def test_the_seed_of_a_state_file_wins_over_a_later_one(tmp_path):
    first = start(Config(preload=5, seed=1, state=tmp_path / "state.db"))
    before = everything(first.url)
    first.stop()
    second = start(Config(preload=9, seed=2, state=tmp_path / "state.db"))
    assert everything(second.url) == before
    second.stop()
