"""What goes wrong on purpose goes wrong exactly as ordered."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

CREATE = "/v3/organizations/{org_id}/sessions"
ONE = CREATE + "/{devin_id}"


@pytest.fixture
def client(simulator):
    with simulator.v3() as client:
        yield client


def create(client, **fields):
    return client.post("/sessions", json={"prompt": "x", **fields})


def test_drop_before_closes_the_connection_and_applies_nothing(simulator, client):
    simulator.faults({"kind": "drop_before", "method": "post", "route": CREATE, "times": 2})
    for _ in range(2):
        with pytest.raises(httpx.TransportError):
            create(client)
    assert simulator.stats()["sessions"] == 0
    assert create(client).status_code == 200
    assert simulator.requests(f"POST {CREATE}") == 3


def test_drop_after_applies_and_closes_without_an_answer(simulator, client):
    simulator.faults({"kind": "drop_after", "method": "POST", "route": CREATE, "times": 1})
    with pytest.raises(httpx.TransportError):
        create(client, tags=["mine"])
    assert simulator.stats()["sessions"] == 1
    assert len(client.get("/sessions", params={"tags": "mine"}).json()["items"]) == 1


def test_status_refuses_with_a_wait(simulator, client):
    simulator.faults({"kind": "status", "status": 429, "retry_after": 2, "route": ONE, "times": 1})
    answer = client.get("/sessions/devin-x")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")
    assert client.get("/sessions/devin-x").status_code == 404


def test_a_rule_without_times_stays_until_the_rules_are_replaced(simulator, client):
    simulator.faults({"kind": "status", "status": 500})
    assert {client.get("/sessions").status_code for _ in range(3)} == {500}
    assert httpx.get(simulator.url + "/v1/sessions", trust_env=False).status_code == 500
    simulator.faults()
    assert client.get("/sessions").status_code == 200


def test_slow_applies_at_once_and_answers_late(simulator, client, held):
    simulator.faults({"kind": "slow", "seconds": 7, "method": "POST", "times": 1})
    with ThreadPoolExecutor() as pool:
        creating = pool.submit(create, client)
        while not held.lengths:
            time.sleep(0.005)
        assert simulator.stats()["sessions"] == 1
        assert not creating.done()
        held.end.set()
        assert creating.result().status_code == 200
    assert held.lengths == [7]


def test_a_lingering_cursor_leads_to_the_same_last_page_for_ever(simulator, client):
    for _ in range(3):
        create(client)
    first = client.get("/sessions", params={"first": 2}).json()
    simulator.faults({"kind": "linger", "method": "GET", "route": CREATE})
    pages = [client.get("/sessions", params={"first": 2, "after": first["end_cursor"]}).json() for _ in range(2)]

    assert [len(page["items"]) for page in pages] == [1, 1]
    assert [(page["has_next_page"], page["end_cursor"]) for page in pages] == [(True, first["end_cursor"])] * 2
    assert client.get("/sessions/devin-x").status_code == 404


def test_malformed_applies_and_answers_half_a_body(simulator, client):
    simulator.faults({"kind": "malformed", "times": 1})
    answer = create(client)
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()
    assert simulator.stats()["sessions"] == 1


def test_hide_new_keeps_the_next_session_out_of_the_list_for_a_while(simulator, client):
    simulator.faults({"kind": "hide_new", "seconds": 30, "times": 1})
    hidden, shown = create(client).json()["session_id"], create(client).json()["session_id"]
    listed = [item["session_id"] for item in client.get("/sessions").json()["items"]]
    assert listed == [shown]
    assert client.get(f"/sessions/{hidden}").status_code == 200
    assert client.get("/sessions", params={"session_ids": hidden}).json()["items"] == []
    simulator.clock(31)
    assert len(client.get("/sessions").json()["items"]) == 2


def test_a_lasting_hide_new_covers_young_sessions_and_ends_with_its_rule(simulator, client):
    create(client)
    simulator.faults({"kind": "hide_new", "seconds": 60})
    create(client)
    assert client.get("/sessions").json()["items"] == []
    simulator.faults()
    assert len(client.get("/sessions").json()["items"]) == 2


def test_stale_shows_the_old_state_for_a_number_of_reads(slow_simulator):
    with slow_simulator.v3() as client:
        path = f"/sessions/{create(client).json()['session_id']}"
        slow_simulator.clock(240)
        before = client.get(path).json()
        slow_simulator.faults({"kind": "stale", "polls": 2, "times": 1})
        assert client.post(path + "/messages", json={"message": "More"}).json()["status"] == "running"
        assert client.get(path + "/messages").json()["items"][-1]["source"] == "devin"
        assert client.get(path).json() == before
        assert client.get("/sessions").json()["items"] == [before]
        words = client.get(path + "/messages").json()["items"]
        assert client.get(path).json()["status_detail"] == "working"
        assert words[-1]["message"] == "More"


@pytest.mark.parametrize("rules", [[{"kind": "explode"}], [{"kind": "status", "status": 200}], "no list"])
def test_rules_that_make_no_sense_are_refused(simulator, rules):
    answer = httpx.post(simulator.url + "/_sim/faults", json={"rules": rules}, trust_env=False)
    assert answer.status_code == 422


@pytest.mark.parametrize("seconds", [-1, "x", None, 1e300])
def test_the_clock_only_goes_forward(simulator, seconds):
    answer = httpx.post(simulator.url + "/_sim/clock", json={"advance": seconds}, trust_env=False)
    assert answer.status_code == 422


def test_faults_hit_before_the_key_is_looked_at_and_never_the_control(simulator):
    simulator.faults({"kind": "status", "status": 503})
    assert httpx.get(simulator.url + "/v3/self", trust_env=False).status_code == 503
    assert simulator.stats()["requests"] == {"GET /v3/self": 1}


def test_latency_delays_every_answer(simulator_with, held):
    held.end.set()
    with simulator_with(latency_ms=50.0).v3() as client:
        client.get("/sessions")
        client.get("/self")
    assert held.lengths == [0.05, 0.05]


def test_a_refusal_carries_its_error_code(simulator, client):
    simulator.faults({"kind": "status", "status": 403, "error_code": "user_frozen"})
    assert client.get("/sessions").json() == {"detail": "simulated fault", "error_code": "user_frozen"}
