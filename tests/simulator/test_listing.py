"""The list of sessions: filters, order, pages."""

from __future__ import annotations

import pytest


@pytest.fixture
def client(slow_simulator):
    with slow_simulator.v3() as client:
        yield client


def create(client, prompt, **fields) -> str:
    return client.post("/sessions", json={"prompt": prompt, **fields}).json()["session_id"]


def prompts(client, **params) -> list[str]:
    answer = client.get("/sessions", params=params)
    assert answer.status_code == 200, answer.text
    return [item["title"] for item in answer.json()["items"]]


def test_the_newest_come_first_and_pages_stay_valid_while_sessions_arrive(client):
    for name in "abcde":
        create(client, name)
    first = client.get("/sessions", params={"first": 2}).json()
    create(client, "f")
    second = client.get("/sessions", params={"first": 2, "after": first["end_cursor"]}).json()
    create(client, "g")
    third = client.get("/sessions", params={"first": 2, "after": second["end_cursor"]}).json()
    assert [[item["title"] for item in page["items"]] for page in (first, second, third)] == [
        ["e", "d"],
        ["c", "b"],
        ["a"],
    ]
    assert [page["has_next_page"] for page in (first, second, third)] == [True, True, False]
    assert third["end_cursor"] is None
    assert client.get("/sessions").json()["total"] == 7


def test_a_page_that_ends_with_the_last_session_says_so(client):
    for name in "ab":
        create(client, name)
    page = client.get("/sessions", params={"first": 2}).json()
    assert (page["has_next_page"], page["end_cursor"]) == (False, None)
    assert client.get("/sessions", params={"tags": "none"}).json() == {
        "items": [],
        "has_next_page": False,
        "end_cursor": None,
        "total": None,
    }


@pytest.mark.parametrize(
    "params", [{"first": 0}, {"first": 201}, {"first": "x"}, {"after": "nonsense"}, {"after": "é"}]
)
def test_a_page_size_or_cursor_out_of_range_is_a_422(client, params):
    answer = client.get("/sessions", params=params)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", next(iter(params))]


def test_every_filter_selects(client, slow_simulator):
    one = create(
        client, "fix one", tags=["x"], repos=["acme/api"], playbook_id="playbook-p", create_as_user_id="user-u"
    )
    slow_simulator.clock(1000)
    two = create(client, "write tests two", tags=["x", "y"], repos=["acme/web"])
    slow_simulator.clock(1000)
    client.post(f"/sessions/{one}/archive")
    cut = client.get(f"/sessions/{two}").json()["created_at"]
    for params, expected in (
        ({"session_ids": [one, "devin-" + two]}, ["write tests two", "fix one"]),
        ({"session_ids": [one, two, one, "unknown"], "first": 1}, ["write tests two"]),
        ({"session_ids": f"{one},{two}"}, []),
        ({"tags": "y"}, ["write tests two"]),
        ({"tags": ["x", "zzz"]}, ["write tests two", "fix one"]),
        ({"tags": "x,y"}, []),
        ({"repo_names": "acme/api"}, ["fix one"]),
        ({"playbook_id": "playbook-p"}, ["fix one"]),
        ({"user_ids": "user-u"}, ["fix one"]),
        ({"service_user_ids": ["service-user-simulator"]}, ["write tests two", "fix one"]),
        ({"service_user_ids": "service-user-else"}, []),
        ({"origins": ["api", "slack"]}, ["write tests two", "fix one"]),
        ({"origins": "slack"}, []),
        ({"category": "bug_fixing"}, ["fix one"]),
        ({"is_archived": "true"}, ["fix one"]),
        ({"is_archived": "false"}, ["write tests two"]),
        ({}, ["write tests two", "fix one"]),
        ({"created_after": cut}, ["write tests two"]),
        ({"created_before": cut - 1}, ["fix one"]),
        ({"updated_after": cut + 900}, ["fix one"]),
        ({"updated_before": cut + 900}, ["write tests two"]),
        ({"parent_session_id": "devin-" + one}, []),
        ({"automation_ids": "a"}, []),
        ({"schedule_id": "s"}, []),
    ):
        assert prompts(client, **params) == expected, params


@pytest.mark.parametrize("params", [{"origins": "carrier_pigeon"}, {"category": "x"}, {"is_archived": "perhaps"}])
def test_an_unknown_value_of_an_enum_is_a_422(client, params):
    assert client.get("/sessions", params=params).status_code == 422


def test_state_and_output_are_filled_in_the_list_too(client, slow_simulator):
    create(client, "x", structured_output_schema={"type": "object", "properties": {"n": {"type": "integer"}}})
    slow_simulator.clock(240)
    item = client.get("/sessions").json()["items"][0]
    assert item["status_detail"] == "waiting_for_user"
    assert item["structured_output"] is not None
    assert item["subcategory"] is not None


def test_a_past_year_is_preloaded_by_seed_and_not_counted(simulator_with):
    simulator = simulator_with(preload=300, seed=11)
    with simulator.v3() as client:
        page = client.get("/sessions", params={"first": 200}).json()
        rest = client.get("/sessions", params={"first": 200, "after": page["end_cursor"]}).json()
        again = client.get("/sessions", params={"session_ids": page["items"][5]["session_id"]}).json()["items"][0]
        path = f"/sessions/{again['session_id']}/messages"
        assert client.get(path).json()["items"][0]["source"] == "user"
    items = page["items"] + rest["items"]
    assert simulator.stats()["sessions"] == 0
    assert len({item["session_id"] for item in items}) == 300
    assert again == page["items"][5]
    assert page["total"] == 300
    created = [item["created_at"] for item in items]
    assert created == sorted(created, reverse=True)
    assert 300 * 86400 < created[0] - created[-1] < 367 * 86400
    for name in ("origin", "category", "status_detail", "user_id", "devin_mode", "playbook_id"):
        assert len({item[name] for item in items}) > 2, name
    states = {pull["pr_state"] for item in items for pull in item["pull_requests"]}
    assert states == {"open", "merged", "closed"}
    assert any(item["structured_output"] for item in items)
    assert any(item["parent_session_id"] for item in items)
