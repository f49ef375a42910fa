"""A key of an enterprise over plain HTTP: it belongs to no organization and sees all of them."""

from __future__ import annotations

import pytest

from devin_jupyter.simulator.config import Config
from devin_jupyter.simulator.engine import Simulation


@pytest.fixture
def enterprise(simulator_with):
    return simulator_with(api_key="cog_enterprise_test", preload=20, speed=1.0)


@pytest.fixture
def client(enterprise):
    with enterprise.v3() as client:
        client.base_url = enterprise.url + "/v3/enterprise"
        yield client


def test_its_key_names_no_organization_and_lists_the_only_one(client, enterprise):
    assert client.get(enterprise.url + "/v3/self").json()["org_id"] is None
    (row,) = client.get("/organizations").json()["items"]
    assert row["org_id"] == enterprise.org_id


@pytest.mark.parametrize("path", ["/organizations", "/sessions", "/consumption/daily", "/consumption/cycles"])
def test_any_other_key_is_refused(simulator, path):
    with simulator.v3() as client:
        answer = client.get(f"{simulator.url}/v3/enterprise{path}")
    assert (answer.status_code, answer.json()) == (403, {"detail": "This endpoint needs an enterprise service user"})


def test_sessions_are_the_same_as_those_of_the_organization(client, enterprise):
    with enterprise.v3() as org:
        made = org.post("/sessions", json={"prompt": "Count", "tags": ["a"]}).json()
        listed = [[item["session_id"] for item in one.get("/sessions").json()["items"]] for one in (client, org)]
    assert listed[0] == listed[1] != []
    path = f"/sessions/devin-{made['session_id']}"
    assert client.get(path, params={"org_id": enterprise.org_id}).json()["session_id"] == made["session_id"]
    assert client.get(path, params={"org_id": "org-0"}).status_code == 404
    assert client.get("/sessions", params={"org_ids": "org-0"}).json()["items"] == []
    assert client.post(path + "/tags", json={"tags": ["b"]}).json() == {"tags": ["a", "b"]}
    assert client.get(path + "/messages").json()["items"][0]["message"] == "Count"


def test_consumption_is_that_of_its_organizations(client, enterprise):
    total = client.get("/consumption/daily").json()
    assert total["total_acus"] > 0
    assert client.get(f"/consumption/daily/organizations/{enterprise.org_id}").json() == total
    assert client.get("/consumption/daily/organizations/org-0").status_code == 404


def test_cycles_follow_each_other(client):
    cycles = client.get("/consumption/cycles").json()["items"]
    assert len(cycles) == 12
    assert [cycle["after"] for cycle in cycles[:-1]] == [cycle["before"] for cycle in cycles[1:]]


def test_an_enterprise_has_several_organizations_whose_past_only_its_own_key_sees(simulator_with):
    simulator = simulator_with(organizations=3, preload=20, today="2026-11-01")
    with simulator.v3() as org:
        own = org.get("/sessions", params={"first": 200}).json()["items"]
        assert {item["org_id"] for item in own} == {simulator.org_id}
        assert org.get(simulator.url + "/v3/organizations/org-payments/sessions").status_code == 404
        everything = org.get(simulator.url + "/v3/enterprise/sessions", params={"first": 200}).json()["items"]
        assert {item["org_id"] for item in everything} == {simulator.org_id, "org-payments", "org-platform"}
        foreign = next(item for item in everything if item["org_id"] == "org-payments")
        assert org.get(f"/sessions/{foreign['session_id']}").status_code == 404
        first = org.get(simulator.url + "/v3/enterprise/sessions", params={"first": 1}).json()
        second = org.get(
            simulator.url + "/v3/enterprise/sessions", params={"first": 1, "after": first["end_cursor"]}
        ).json()
        assert [first["items"][0], second["items"][0]] == everything[:2]


def test_what_is_done_to_a_session_of_another_organization_survives_a_restart(tmp_path):
    config = Config(organizations=2, preload=10, today="2026-11-01", state=tmp_path / "state.db")
    one = Simulation(config)
    one.across().tag(one.others[0], ["kept"])
    one.store.close()
    two = Simulation(config)
    assert two.others[0].tags == ["kept"]
    two.store.close()


@pytest.mark.parametrize("count", [0, 13])
def test_an_enterprise_has_one_to_twelve_organizations(count):
    with pytest.raises(ValueError, match="1 to 12 organizations"):
        Config(organizations=count)


def test_a_log_refuses_a_span_that_is_too_long_or_has_no_beginning(client):
    assert client.get("/audit-logs", params={"time_before": 5}).status_code == 422
    assert client.get("/audit-logs", params={"time_after": 0, "time_before": 200 * 86400}).status_code == 422
