"""The official Python SDK, which nobody here wrote, with strict validation of every answer."""

from __future__ import annotations

import httpx
import pytest

devin_sdk = pytest.importorskip("devin_sdk")

SCHEMA = {"type": "object", "properties": {"summary": {"type": "string"}}, "required": ["summary"]}


@pytest.fixture
def sdk(slow_simulator):
    with httpx.Client(trust_env=False) as http:
        yield devin_sdk.DevinSDK(
            api_key=slow_simulator.api_key,
            base_url=slow_simulator.url,
            http_client=http,
            max_retries=0,
            _strict_response_validation=True,
        )


@pytest.fixture
def org(sdk, slow_simulator):
    return {"org_id": slow_simulator.org_id}


def test_a_session_from_its_creation_to_its_end(sdk, org, slow_simulator):
    sessions = sdk.organizations.sessions
    made = sessions.create(
        slow_simulator.org_id,
        prompt="Audit",
        title="Audit",
        repos=["acme/api"],
        tags=["a", "b"],
        max_acu_limit=9,
        attachment_urls=["https://example.com/x"],
        session_secrets=[{"key": "K", "value": "v"}],
        structured_output_schema=SCHEMA,
        bypass_approval=True,
    )
    devin_id = f"devin-{made.session_id}"
    assert (made.status, made.status_detail) == ("new", None)
    slow_simulator.clock(240)
    done = sessions.retrieve(devin_id, **org)
    assert (done.status, done.status_detail) == ("running", "waiting_for_user")
    assert done.structured_output["summary"]
    assert done.pull_requests[0].pr_state == "open"
    assert sessions.messages.list(devin_id, **org, first=200).items[0].message == "Audit"
    assert sessions.messages.send(devin_id, **org, message="More", message_as_user_id="user-u").status == "running"
    assert sessions.tags.retrieve(devin_id, **org).tags == ["a", "b"]
    assert sessions.tags.append(devin_id, **org, tags=["c"]).tags == ["a", "b", "c"]
    assert sessions.tags.replace(devin_id, **org, tags=["d"]).tags == ["d"]
    assert sessions.archive(devin_id, **org).is_archived
    assert sessions.terminate(devin_id, **org, archive=True).status == "exit"


def test_lists_with_filters_and_pages(sdk, org, slow_simulator):
    sessions = sdk.organizations.sessions
    ids = [sessions.create(slow_simulator.org_id, prompt=f"Task {n}", tags=["t"]).session_id for n in range(3)]
    first = sessions.list(slow_simulator.org_id, first=2, tags=["t"], origins=["api"], created_after=1)
    rest = sessions.list(slow_simulator.org_id, first=2, tags=["t"], after=first.end_cursor)
    assert [item.session_id for item in [*first.items, *rest.items]] == ids[::-1]
    assert (first.has_next_page, rest.has_next_page, rest.end_cursor) == (True, False, None)
    joined = sessions.list(slow_simulator.org_id, tags=["t", "u"])  # this SDK joins arrays with commas: one value
    assert joined.items == []


ENDS = {
    "finished": ("running", "finished"),
    "exit": ("exit", "finished"),
    "question": ("running", "waiting_for_user"),
    "approval": ("running", "waiting_for_approval"),
    "fail": ("error", "error"),
    "limit": ("suspended", "usage_limit_exceeded"),
    "credits": ("suspended", "out_of_credits"),
    "sleep": ("suspended", "inactivity"),
}


@pytest.mark.parametrize("tag", ENDS)
def test_every_documented_state_passes_its_validation(sdk, org, slow_simulator, tag):
    sessions = sdk.organizations.sessions
    made = sessions.create(slow_simulator.org_id, prompt="x", tags=[f"sim:{tag}"], repos=["a/b"])
    seen = set()
    for _ in range(12):
        slow_simulator.clock(21)
        alone = sessions.retrieve(made.session_id, **org)
        listed = sessions.list(slow_simulator.org_id).items[0]
        seen |= {(alone.status, alone.status_detail), (listed.status, listed.status_detail)}
    assert ENDS[tag] in seen


def test_errors_become_its_exceptions(sdk, org, slow_simulator):
    sessions = sdk.organizations.sessions
    with pytest.raises(devin_sdk.NotFoundError):
        sessions.retrieve("devin-unknown", **org)
    with pytest.raises(devin_sdk.UnprocessableEntityError):
        sessions.create(slow_simulator.org_id, prompt=None)
    with pytest.raises(devin_sdk.BadRequestError):
        sessions.create(slow_simulator.org_id, prompt="x", repos=["unconnected/x"])
    made = sessions.create(slow_simulator.org_id, prompt="x")
    sessions.terminate(made.session_id, **org)
    with pytest.raises(devin_sdk.ConflictError):
        sessions.messages.send(made.session_id, **org, message="x")
    with pytest.raises(devin_sdk.AuthenticationError):
        sdk.with_options(api_key="cog_wrong").organizations.sessions.list(slow_simulator.org_id)
    with pytest.raises(devin_sdk.PermissionDeniedError):
        sdk.with_options(api_key="apk_simulator").organizations.sessions.list(slow_simulator.org_id)


def test_its_blind_retry_of_a_lost_create_starts_a_second_session(sdk, slow_simulator):
    slow_simulator.faults({"kind": "drop_after", "method": "POST", "times": 1})
    sdk.with_options(max_retries=2).organizations.sessions.create(slow_simulator.org_id, prompt="Paid twice")
    assert slow_simulator.stats()["sessions"] == 2
