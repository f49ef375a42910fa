"""Insights and events of v3 over plain HTTP."""

from __future__ import annotations

import pytest


@pytest.fixture
def client(slow_simulator):
    with slow_simulator.v3() as client:
        yield client


def create(client, **fields):
    answer = client.post("/sessions", json={"prompt": "Count the TODO comments", "repos": ["acme/api"], **fields})
    assert answer.status_code == 200, answer.text
    return f"/sessions/devin-{answer.json()['session_id']}"


def test_insights_count_messages_and_measure_the_session(client, slow_simulator):
    path = create(client)
    before = client.get(path + "/insights").json()
    assert (before["num_devin_messages"], before["num_user_messages"]) == (0, 1)
    assert (before["session_size"], before["analysis"]) == ("xs", None)
    slow_simulator.clock(240)
    after = client.get(path + "/insights").json()
    assert after["num_devin_messages"] == len(client.get(path + "/messages").json()["items"]) - 1
    assert after["acus_consumed"] == client.get(path).json()["acus_consumed"]


def test_an_analysis_is_started_takes_a_minute_and_is_made_once(client, slow_simulator):
    path = create(client)
    slow_simulator.clock(240)
    session_id = path.removeprefix("/sessions/devin-")
    started = client.post(path + "/insights/generate")
    assert started.json() == {"session_id": session_id, "status": "started"}
    slow_simulator.clock(30)
    assert client.get(path + "/insights").json()["analysis"] is None
    assert client.post(path + "/insights/generate").json()["status"] == "already_exists"
    slow_simulator.clock(30)
    analysis = client.get(path + "/insights").json()["analysis"]
    assert analysis["classification"]["category"]
    assert analysis["suggested_prompt"]["original_prompt"] == "Count the TODO comments"
    assert {"title", "description"} <= set(analysis["timeline"][0])
    assert client.post(path + "/insights/generate").json()["status"] == "already_exists"


def test_a_session_without_a_word_by_devin_is_not_eligible(client):
    answer = client.post(create(client) + "/insights/generate")
    assert answer.status_code == 409
    assert "not eligible" in answer.json()["detail"]


def test_insights_are_listed_with_the_filters_of_sessions(client, slow_simulator):
    paths = [create(client, tags=[tag]) for tag in ("a", "b", "a")]
    page = client.get("/sessions/insights", params={"tags": "a", "first": 1}).json()
    rest = client.get("/sessions/insights", params={"tags": "a", "after": page["end_cursor"]}).json()
    found = [f"/sessions/devin-{item['session_id']}" for item in page["items"] + rest["items"]]
    assert found == [paths[2], paths[0]]
    assert rest["items"][0]["session_size"] == "xs"


def test_past_sessions_have_insights_too(simulator_with):
    simulator = simulator_with(preload=40)
    with simulator.v3() as client:
        items = client.get("/sessions/insights").json()["items"]
    assert len(items) == 40
    assert 10 < sum(item["analysis"] is not None for item in items) < 40
    assert len({item["session_size"] for item in items}) > 1


def test_events_tell_the_session_in_order(client, slow_simulator):
    path = create(client)
    slow_simulator.clock(240)
    events = client.get(path + "/events").json()["items"]
    assert events[0]["event_type"] == "user_message"
    assert events[0]["direction"] == "incoming"
    assert [event["created_at"] for event in events] == sorted(event["created_at"] for event in events)
    assert {"message", "status"} <= {event["category"] for event in events}
    assert len({event["event_id"] for event in events}) == len(events)
    messages = client.get(path + "/events", params={"categories": "message", "direction": "outgoing"}).json()["items"]
    assert [event["category"] for event in messages] == ["message"] * len(messages) != []


def test_events_are_paged_searched_and_shown_in_full(client, slow_simulator):
    path = create(client)
    slow_simulator.clock(240)
    events = client.get(path + "/events").json()["items"]
    page = client.get(path + "/events", params={"first": 2}).json()
    rest = client.get(path + "/events", params={"after": page["end_cursor"]}).json()
    assert page["items"] + rest["items"] == events
    hit = client.get(path + "/events/search", params={"query": "todo COMMENTS"}).json()["items"][0]
    assert "TODO comments" in hit["match_context"]
    params = {"event_ids": hit["event_id"], "max_content_length": 5}
    (detail,) = client.get(path + "/events/details", params=params).json()["items"]
    assert detail["contents"]["message"] == "Count"
    assert detail["truncated_fields"] == ["message"]
    stretch = client.get(path + "/events/details", params={"offset": 1, "limit": 2}).json()["items"]
    assert [event["event_id"] for event in stretch] == [event["event_id"] for event in events[1:3]]


@pytest.mark.parametrize(
    ("route", "params", "status"),
    [
        ("", {"categories": "shell", "event_types": "x"}, 400),
        ("", {"categories": "weather"}, 422),
        ("/search", {}, 422),
        ("/details", {"event_ids": "a", "offset": 1}, 400),
        ("/details", {"event_ids": "a", "limit": 3}, 400),
        ("/details", {"event_ids": ["a"] * 21}, 422),
        ("/details", {"limit": 51}, 422),
    ],
)
def test_contradictory_questions_about_events_are_refused(client, route, params, status):
    assert client.get(create(client) + "/events" + route, params=params).status_code == status


def test_a_service_without_events_does_not_know_their_paths(simulator_with):
    with simulator_with(events=False).v3() as client:
        path = create(client)
        for route in ("/events", "/events/details", "/events/search?query=x"):
            assert client.get(path + route).status_code == 404
