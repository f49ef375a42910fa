"""Consumption and metrics of v3: every figure agrees with the sessions it was computed from."""

from __future__ import annotations

import pytest

DAY = 86400
FOREVER = {"time_after": 0, "time_before": 10_000_000_000}


@pytest.fixture
def client(simulator_with):
    with simulator_with(preload=120, speed=1.0).v3() as client:
        yield client


def sessions(client):
    return client.get("/sessions", params={"first": 200}).json()["items"]


def test_the_organization_consumed_what_its_sessions_did(client):
    answer = client.get("/consumption/daily").json()
    days = answer["consumption_by_date"]
    total = sum(item["acus_consumed"] for item in sessions(client))
    assert total > 0
    assert answer["total_acus"] == pytest.approx(total, abs=1e-6)
    assert sum(day["acus"] for day in days) == pytest.approx(total, abs=1e-6)
    assert [day["date"] for day in days] == sorted({day["date"] for day in days})
    assert all(day["acus_by_product"]["devin"] == day["acus"] for day in days)


def test_days_begin_at_eight_in_the_morning_utc(client):
    days = client.get("/consumption/daily").json()["consumption_by_date"]
    assert {day["date"] % DAY for day in days} == {8 * 3600}


def test_subjects_add_up_to_the_organization(client):
    items = sessions(client)
    users = {item["user_id"] for item in items if item["user_id"]}
    machines = {item["service_user_id"] for item in items if item["service_user_id"] and not item["user_id"]}
    parts = [client.get(f"/consumption/daily/users/{user}").json()["total_acus"] for user in users]
    rest = sum(item["acus_consumed"] for item in items if not item["user_id"])
    assert machines or users
    assert sum(parts) + rest == pytest.approx(client.get("/consumption/daily").json()["total_acus"], abs=1e-6)
    item = max(items, key=lambda item: item["acus_consumed"])
    for identifier in (item["session_id"], f"devin-{item['session_id']}"):
        answer = client.get(f"/consumption/daily/sessions/{identifier}").json()
        assert answer["total_acus"] == pytest.approx(item["acus_consumed"], abs=1e-6)


def test_a_window_is_half_open_and_splits_the_sum(client):
    days = client.get("/consumption/daily").json()["consumption_by_date"]
    middle = days[len(days) // 2]["date"]
    early = client.get("/consumption/daily", params={"time_before": middle}).json()
    late = client.get("/consumption/daily", params={"time_after": middle}).json()
    assert early["consumption_by_date"] + late["consumption_by_date"] == days


def test_unknown_subjects_are_not_found(client):
    for path in ("users/user-0", "service-users/service-user-0", "sessions/devin-0"):
        assert client.get(f"/consumption/daily/{path}").status_code == 404
    assert client.get("/consumption/daily/service-users/service-user-simulator").status_code == 200


def test_a_running_session_is_counted_as_far_as_it_got(simulator_with):
    simulator = simulator_with(speed=1.0)
    with simulator.v3() as client:
        session = client.post("/sessions", json={"prompt": "Count"}).json()
        path = f"/sessions/{session['session_id']}"
        for _ in range(4):
            simulator.clock(61)
            shown = client.get(path).json()["acus_consumed"]
            counted = client.get("/consumption/daily" + path).json()["total_acus"]
            assert counted == pytest.approx(shown, abs=0.03)
        assert counted > 0


def test_a_key_without_the_permission_is_simulated_by_a_fault(simulator):
    route = "/v3/organizations/{org_id}/consumption/daily"
    simulator.faults({"kind": "status", "status": 403, "route": route})
    with simulator.v3() as client:
        assert client.get("/consumption/daily").status_code == 403
        assert client.get("/metrics/usage").status_code == 200


def test_session_metrics_agree_with_the_list(client):
    items = sessions(client)
    metrics = client.get("/metrics/sessions", params=FOREVER).json()
    assert metrics["sessions_created_count"] == len(items) == sum(metrics["sessions_created_by_size"].values())
    origins = metrics["sessions_created_by_origin"]
    assert origins == {origin: sum(item["origin"] == origin for item in items) for origin in origins}
    merged = [item for item in items if any(pr["pr_state"] == "merged" for pr in item["pull_requests"])]
    assert metrics["sessions_with_merged_prs_count"] == len(merged) > 0
    average = sum(item["acus_consumed"] for item in items) / len(items)
    assert metrics["avg_acus_per_session"] == pytest.approx(average, abs=1e-5)
    with_playbook = sum(item["playbook_id"] is not None for item in items)
    assert metrics["sessions_created_with_playbook_count"] == with_playbook


def test_pull_request_metrics_agree_with_the_list(client):
    states = [pr["pr_state"] for item in sessions(client) for pr in item["pull_requests"]]
    prs = client.get("/metrics/prs", params=FOREVER).json()
    assert prs["prs_created_count"] == len(states)
    assert prs["prs_merged_count"] == states.count("merged")
    assert prs["prs_opened_count"] == states.count("open")
    assert prs["prs_closed_count"] == states.count("closed")
    usage = client.get("/metrics/usage").json()
    assert usage == {
        "sessions_count": 120,
        "searches_count": 0,
        "prs_created_count": len(states),
        "prs_merged_count": states.count("merged"),
    }


def test_metrics_can_be_narrowed_to_people_and_playbooks(client):
    items = sessions(client)
    user = next(item["user_id"] for item in items if item["user_id"])
    mine = client.get("/metrics/sessions", params={**FOREVER, "user_ids": [user, "user-0"]}).json()
    assert mine["sessions_created_count"] == sum(item["user_id"] == user for item in items)
    none = client.get("/metrics/sessions", params={**FOREVER, "playbook_id": "playbook-0"}).json()
    assert (none["sessions_created_count"], none["avg_acus_per_session"]) == (0, 0.0)


def test_active_users_by_day_week_and_month(client):
    items = sessions(client)
    newest = max(item["created_at"] for item in items)
    window = {"time_after": newest - 70 * DAY, "time_before": newest + DAY}
    for name, length in (("dau", 1), ("wau", 7), ("mau", 30)):
        rows = client.get(f"/metrics/{name}", params=window).json()
        assert {row["end_time"] - row["start_time"] for row in rows} == {length * DAY}
        for row in rows:
            inside = [item for item in items if row["start_time"] <= item["created_at"] < row["end_time"]]
            inside = [item for item in inside if window["time_after"] <= item["created_at"] < window["time_before"]]
            assert row["active_users"] == len({item["user_id"] or item["service_user_id"] for item in inside})
    whole = client.get("/metrics/active-users", params=window).json()
    assert (whole["start_time"], whole["end_time"]) == (window["time_after"], window["time_before"])
    assert client.get("/metrics/active-users", params={**window, "min_sessions": 999}).json()["active_users"] == 0
    assert client.get("/metrics/active-users", params={**window, "min_searches": 1}).json()["active_users"] == 0


def test_an_endless_window_is_cut_to_the_time_with_sessions(client):
    rows = client.get("/metrics/dau", params={"time_after": -(10**15), "time_before": 10**15}).json()
    assert 0 < len(rows) < 500
    assert client.get("/metrics/dau", params={"time_after": 5, "time_before": 1}).json() == []


@pytest.mark.parametrize("name", ["sessions", "prs", "searches", "dau", "wau", "mau", "active-users"])
def test_a_window_must_be_given(client, name):
    assert client.get(f"/metrics/{name}", params={"time_after": 1}).status_code == 422
