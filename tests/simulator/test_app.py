"""The app without a server around it, as a test client mounts it, and the corners of paging and keeping."""

from __future__ import annotations

import inspect

import httpx
import pytest

from devin_jupyter.simulator.app import ROUTERS, create_app
from devin_jupyter.simulator.config import Config
from devin_jupyter.simulator.server import start
from devin_jupyter.simulator.wire import encode_cursor

KEY = {"authorization": "Bearer cog_simulator"}


def asgi(app, host):
    transport = httpx.ASGITransport(app=app, client=(host, 5000))
    return httpx.AsyncClient(transport=transport, base_url="http://simulator", headers=KEY)


@pytest.mark.parametrize(("host", "status"), [("127.0.0.1", 200), ("::1", 200), ("192.0.2.7", 403), ("somewhere", 403)])
async def test_the_control_answers_its_own_machine_only(host, status):
    async with asgi(create_app(Config()), host) as client:
        answer = await client.get("/_sim/stats")
        assert answer.status_code == status
        assert (await client.get("/v3/self")).status_code == 200


def test_everything_that_a_route_calls_runs_on_the_loop_that_the_state_belongs_to():
    waiting = [route.dependant for router in ROUTERS for route in router.routes]
    called = set()
    while waiting:
        needs = waiting.pop()
        called.add(needs.call)
        waiting += needs.dependencies
    assert len(called) > 100
    assert [call for call in called if not inspect.iscoroutinefunction(call)] == []


async def test_without_a_connection_to_close_a_lost_answer_is_an_error_of_the_connection():
    async with asgi(create_app(Config()), "127.0.0.1") as client:
        await client.post("/_sim/faults", json={"rules": [{"kind": "drop_before", "times": 1}]})
        with pytest.raises(ConnectionError, match="simulated"):
            await client.get("/v3/self")
        assert (await client.get("/v3/self")).status_code == 200


async def test_a_host_that_starts_and_stops_the_app_is_answered():
    asked, answered = [{"type": "lifespan.shutdown"}, {"type": "lifespan.startup"}], []

    async def receive():
        return asked.pop()

    async def send(message):
        answered.append(message["type"])

    await create_app(Config())({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)
    assert answered == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


@pytest.mark.parametrize(
    ("path", "cursor"),
    [("/sessions", encode_cursor("sessions", "x")), ("/playbooks", encode_cursor("playbooks", "x/y"))],
)
def test_a_cursor_that_no_page_gave_is_refused(simulator, path, cursor):
    with simulator.v3() as client:
        answer = client.get(path, params={"after": cursor})
    assert answer.status_code == 422
    assert "cursor" in answer.text


def test_a_v1_secret_that_is_too_long_is_refused_and_not_kept(simulator):
    with simulator.v1() as client:
        body = {"type": "key-value", "key": "LONG", "value": "x" * 65537, "sensitive": True, "note": ""}
        assert client.post("/secrets", json=body).status_code == 400
        assert client.get("/secrets").json() == {"secrets": []}


def test_what_was_deleted_stays_deleted_after_a_restart(tmp_path):
    config = Config(state=tmp_path / "state.db")
    titles = []
    for _ in range(2):
        running = start(config)
        organization = f"{running.url}/v3/organizations/{running.org_id}"
        with httpx.Client(base_url=organization, headers=KEY, trust_env=False) as client:
            listed = client.get("/playbooks").json()["items"]
            titles.append({playbook["title"] for playbook in listed})
            if len(titles) == 1:
                made = client.post("/playbooks", json={"title": "gone", "body": "x"}).json()
                kept = client.post("/playbooks", json={"title": "kept", "body": "x"}).json()
                assert client.delete(f"/playbooks/{made['playbook_id']}").status_code == 200
                assert kept["title"] == "kept"
        running.stop()
    assert titles[1] - titles[0] == {"kept"}
