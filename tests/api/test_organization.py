"""What belongs to an organization, and what an enterprise sees, on the simulator over real HTTP."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from devin_jupyter import Devin
from devin_jupyter.api.enterprise import LONGEST_SPAN, spans
from devin_jupyter.api.organization import (
    Automations,
    HiddenSecret,
    OrgTags,
    Repositories,
    Reviews,
    pull_request_url,
)
from devin_jupyter.errors import (
    ApiError,
    Forbidden,
    NotFound,
    OptionError,
    Unprocessable,
    UnreadableAnswer,
    Unsupported,
)
from devin_jupyter.redaction import redact

PR = "https://github.com/acme/api/pull/12"


@pytest.fixture
def company(simulator_with: Any) -> Iterator[Devin]:
    """The key of an enterprise of four organizations with a past."""
    simulator = simulator_with(api_key="cog_enterprise_test", organizations=4, preload=40, today="2026-11-01")
    client = Devin(simulator.api_key, base_url=simulator.url)
    yield client
    client.close()


# --- repositories -------------------------------------------------------------------------------------------------


def test_repositories_are_listed_filtered_and_read(devin: Devin) -> None:
    listed = [item["repo_path"] for item in devin.repositories.list()]
    assert "acme/api" in listed
    assert len(list(devin.repositories.list(limit=3))) == 3
    assert [item["repo_path"] for item in devin.repositories.list(filter_name="billing")] == ["acme/billing"]
    assert "acme/api" not in [item["repo_path"] for item in devin.repositories.list(exclude_repo_paths=["acme/api"])]
    assert devin.repositories.get("acme/api")["repo_name"] == "api"


def test_an_unknown_repository_names_the_nearest(devin: Devin) -> None:
    with pytest.raises(NotFound, match="does not list the repository acme/billling"):
        devin.repositories.get("acme/billling")
    with pytest.raises(NotFound, match=r"did you mean acme/billing\?"):
        devin.repositories.get("acne/billing")


def test_repositories_are_indexed_once_and_no_longer(devin: Devin) -> None:
    assert not devin.repositories.indexing("acme/api")["indexing_enabled"]
    devin.repositories.index(["acme/api", {"repository_path": "acme/web", "branch_names": ["main", "next"]}])
    jobs = [devin.repositories.indexing("acme/api")["indexing_status"]]
    devin.repositories.index_one("acme/api")
    jobs += [devin.repositories.indexing("acme/api")["indexing_status"]]
    assert len({job["job_id"] for status in jobs if status for job in status["latest_indexes"]}) == 1
    assert [item["repository_path"] for item in devin.repositories.indexed()] == ["acme/api", "acme/web"]
    assert devin.repositories.index_one("acme/web", ["main"])["branches"] == ["main"]
    assert devin.repositories.get("acme/web")["indexing_status"]
    assert not devin.repositories.unindex_one("acme/web")["indexing_enabled"]
    devin.repositories.unindex("acme/api")
    assert list(devin.repositories.indexed()) == []
    with pytest.raises(NotFound):
        devin.repositories.index("acme/none")


# --- what a key may not do, and v1 --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "permission", "level"),
    [
        (lambda devin: devin.org_tags.list(), "ManageEnterpriseSettings", "enterprise"),
        (lambda devin: list(devin.enterprise.organizations()), "ManageOrganizations", "enterprise"),
        (lambda devin: devin.enterprise.metrics.usage(), "ViewAccountMetrics", "enterprise"),
        (lambda devin: list(devin.enterprise.guardrail_violations()), "ManageEnterpriseSettings", "enterprise"),
    ],
)
def test_a_missing_permission_is_named_with_its_level(
    devin: Devin, call: Callable[[Devin], Any], permission: str, level: str
) -> None:
    with pytest.raises(Forbidden, match=f"needs the permission {permission} at {level} level") as caught:
        call(devin)
    assert f"a role with {permission} at enterprise level" in caught.value.hint


def test_a_permission_whose_name_is_not_known_has_a_level_too(devin: Devin, simulator: Any) -> None:
    simulator.faults({"kind": "status", "status": 403, "route": "/v3beta1/organizations/{org_id}/repositories"})
    with pytest.raises(Forbidden, match="needs a permission at organization level"):
        list(devin.repositories.list())


@pytest.mark.parametrize("name", ["repositories", "members", "automations"])
def test_v1_has_none_of_them(devin_v1: Devin, name: str) -> None:
    with pytest.raises(Unsupported, match="use a v3 key"):
        next(iter(getattr(devin_v1, name).list()))
    assert devin_v1.members.names() == {}


# --- members ------------------------------------------------------------------------------------------------------


def test_addresses_of_members_are_left_out_unless_asked_for(devin: Devin) -> None:
    people = list(devin.members.list())
    assert {one["email"] for one in people} == {None}
    assert all(one["email"] for one in devin.members.list(emails=True))
    assert [one["user_id"] for one in devin.members.list(email="ana@example.com")] == ["user-ana"]
    assert devin.members.get("user-ana")["email"] is None
    assert devin.members.get("user-lena", emails=True)["idp_role_assignments"]


def test_names_are_read_once_and_include_those_through_groups(devin: Devin, simulator: Any) -> None:
    names = devin.members.names()
    assert devin.members.names() == names
    assert (names["user-ana"], names["user-lena"]) == ("Ana Costa", "Lena Novak")
    assert simulator.requests("GET /v3beta1/organizations/{org_id}/members/users") == 1


@pytest.mark.parametrize(("status", "again"), [(403, 1), (500, 2)])
def test_names_that_cannot_be_read_are_left_out(devin: Devin, simulator: Any, status: int, again: int) -> None:
    """A refusal is remembered; a failure is asked again."""
    route = "/v3beta1/organizations/{org_id}/members/users"
    for refused in (route, "/v3beta1/organizations/{org_id}/members/idp-users"):
        simulator.faults({"kind": "status", "status": status, "route": refused})
    simulator.faults({"kind": "status", "status": status})
    assert devin.members.names() == {}
    simulator.faults()
    assert bool(devin.members.names()) == (again == 2)


# --- allowed tags -------------------------------------------------------------------------------------------------


def test_allowed_tags_are_changed_by_the_key_of_the_enterprise(company: Devin) -> None:
    tags, org_id = company.org_tags, "org-simulator"
    assert tags.list(org_id) == []
    assert tags.append(["a", "b"], org_id) == ["a", "b"]
    assert tags.append("c", org_id) == ["a", "b", "c"]
    assert (tags.set_default("b", org_id), tags.default(org_id)) == ("b", "b")
    with pytest.raises(Unprocessable):
        tags.set_default("z", org_id)
    assert tags.remove("a", org_id) == ["b", "c"]
    assert tags.clear_default(org_id) is None
    assert tags.replace(["x"], org_id) == ["x"]
    assert tags.clear(org_id) == []
    assert tags.list("org-payments") == []
    with pytest.raises(NotFound):
        tags.list("org-none")


# --- automations --------------------------------------------------------------------------------------------------


def test_automations_live_through_their_whole_life(devin: Devin) -> None:
    made = devin.automations.create(
        "Triage", ["github:issue_opened"], "Triage it.", max_acu=3, limits={"invocations": {"max_per_window": 2}}
    )
    assert made["limits"] == {"invocations": {"max_per_window": 2}, "max_acu_limit": 3}
    assert made["run_as"] == {"type": "organization"}
    assert made["actions"] == [{"type": "start_session", "prompt": "Triage it."}]
    assert not devin.automations.disable("Triage")["enabled"]
    before = {"Nightly dependency audit", "Triage new issues", "Repair red builds", "First look at incidents"}
    assert {item["name"] for item in devin.automations.list()} == {"Triage", *before}
    assert {item["name"] for item in devin.automations.list(enabled=False)} == {"Triage", "First look at incidents"}
    assert devin.automations.enable(made["automation_id"])["enabled"]
    changed = devin.automations.update("Triage", name="Sort", triggers="schedule:recurring", limits=None)
    assert (changed["name"], changed["limits"]) == ("Sort", None)
    assert devin.automations.get("Sort")["triggers"][0]["event_type"] == "schedule:recurring"
    assert list(devin.automations.list(search="sor", event_type="schedule:recurring", metadata={"a": "b"}))
    assert devin.automations.schemas()["update_semantics"] == "merge_patch"
    assert devin.automations.templates()[0]["template_id"]
    assert devin.automations.delete("Sort")["name"] == "Sort"
    with pytest.raises(NotFound):
        devin.automations.get("Sort")


def test_an_automation_that_is_made_sure_of_again_is_not_created_again(devin: Devin, simulator: Any) -> None:
    routes = (
        "POST /v3/organizations/{org_id}/automations",
        "PATCH /v3/organizations/{org_id}/automations/{automation_id}",
    )

    def ensure(prompt: str = "Triage it.", **fields: Any) -> Any:
        return devin.automations.ensure("Triage", ["webhook:incoming"], prompt, max_acu=3, **fields)

    made = ensure()
    secret = made["triggers"][0]["webhook"]["secret"].reveal()
    assert ensure()["automation_id"] == made["automation_id"]
    assert [simulator.requests(route) for route in routes] == [1, 0]
    changed = ensure("Sort it.", enabled=False, limits={"invocations": {"max_per_window": 2}})
    assert (changed["automation_id"], changed["enabled"]) == (made["automation_id"], False)
    assert changed["limits"] == {"invocations": {"max_per_window": 2}, "max_acu_limit": 3}
    assert ensure("Sort it.")["limits"] == changed["limits"]  # what is not given stays
    assert [simulator.requests(route) for route in routes] == [1, 1]
    for field in ({"max_acu": 0}, {"max_acu": 3, "enabeld": False}):
        with pytest.raises(OptionError):
            devin.automations.ensure("Triage", ["webhook:incoming"], "Triage it.", **field)
    devin.automations.create("Triage", ["webhook:incoming"], "Triage it.", max_acu=3)
    with pytest.raises(OptionError, match="2 automations are called 'Triage'"):
        ensure()
    assert secret


@pytest.mark.parametrize("cap", [0, True, "5", None])
def test_an_automation_needs_a_cap(devin: Devin, simulator: Any, cap: Any) -> None:
    with pytest.raises(OptionError, match="no cap"):
        devin.automations.create("Triage", ["github:issue_opened"], "Triage it.", max_acu=cap)
    assert simulator.requests("POST /v3/organizations/{org_id}/automations") == 0


def test_a_mistyped_field_of_an_automation_gets_the_nearest(devin: Devin) -> None:
    with pytest.raises(OptionError, match="did you mean enabled"):
        devin.automations.create("Triage", ["a:b"], "Triage it.", max_acu=3, enabeld=False)
    with pytest.raises(Unprocessable):
        devin.automations.create("Triage", [{"conditions": None}], "Triage it.", max_acu=3)


def test_the_secret_of_a_webhook_is_shown_only_when_it_is_revealed(devin: Devin) -> None:
    made = devin.automations.create("Incidents", ["webhook:incoming"], "Look.", max_acu=3)
    webhook = made["triggers"][0]["webhook"]
    assert webhook is not None
    secret = webhook["secret"]
    value = secret.reveal()
    assert value.startswith("whsec-")
    assert value not in f"{made} {secret!r} {secret}"
    assert value not in redact(value)
    with pytest.raises(TypeError):
        json.dumps(made)
    for keep in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            keep(made)
    assert isinstance(secret, HiddenSecret)
    later = devin.automations.get("Incidents")["triggers"][0]["webhook"]
    assert later is not None
    assert "secret" not in later


def test_the_sessions_of_an_automation_are_listed(simulator_with: Any) -> None:
    simulator = simulator_with(preload=60, today="2026-11-01")
    with Devin(simulator.api_key, base_url=simulator.url) as devin:
        found = list(devin.automations.sessions("Nightly dependency audit"))
        assert {item["origin"] for item in found} == {"automation"}
        assert len(list(devin.automations.sessions("automation-nightly", limit=1))) == 1
        assert len(devin.sessions_frame(automation="automation-nightly")) == len(found)


# --- reviews ------------------------------------------------------------------------------------------------------


def test_a_review_is_requested_and_read(devin: Devin, simulator: Any) -> None:
    with pytest.raises(NotFound):
        devin.reviews.get(PR)
    made = devin.reviews.create(PR)
    assert (made["status"], made["repo_path"], made["pr_number"]) == ("pending", "github.com/acme/api", 12)
    simulator.clock(1)
    assert devin.reviews.get(PR, made["commit_sha"][:8])["status"] == "completed"
    with pytest.raises(ApiError):
        devin.reviews.create("https://example.com/elsewhere")


@pytest.mark.parametrize(
    "text",
    [
        PR,
        "github.com/acme/api/pull/12",
        "https://GitHub.com/acme/api/pull/12/files?w=1#diff",
        " https://user:secret@github.com/acme/api/pull/12 ",
        "https://www.github.com:443/acme/api/pull/012",
    ],
)
def test_the_url_of_a_pull_request_has_one_spelling(text: str) -> None:
    assert pull_request_url(text) == PR


@pytest.mark.parametrize("text", ["", "acme/api#12", "https://github.com/acme/api", "https://github.com/acme/pull/x"])
def test_what_is_no_pull_request_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="not the URL of a pull request"):
        pull_request_url(text)


def test_merge_requests_have_urls_too() -> None:
    url = "https://gitlab.example.com/a/b/c/-/merge_requests/7"
    assert pull_request_url(url + "/diffs") == url


# --- an enterprise ------------------------------------------------------------------------------------------------


def test_an_enterprise_sees_the_sessions_of_all_organizations(company: Devin) -> None:
    ids = [item["org_id"] for item in company.enterprise.organizations()]
    assert len(ids) == 4
    everything = list(company.enterprise.sessions())
    assert {item["org_id"] for item in everything} == set(ids)
    some = list(company.enterprise.sessions(org_ids=ids[1:3]))
    assert {item["org_id"] for item in some} == set(ids[1:3])
    one = some[0]
    assert company.enterprise.session(one["session_id"])["title"] == one["title"]
    assert company.enterprise.tags(one["session_id"]) == one["tags"]
    assert next(iter(company.enterprise.messages(one["session_id"])))["source"] == "user"
    assert company.enterprise.attachments(one["session_id"], org_id=one["org_id"]) == []
    assert company.enterprise.insights(one["session_id"])["session_id"] == one["session_id"]
    with pytest.raises(OptionError, match=r"enterprise\.sessions"):
        list(company.sessions.list(org_ids=ids))


def test_figures_of_an_enterprise_add_up(company: Devin) -> None:
    ids = [item["org_id"] for item in company.enterprise.organizations()]
    parts = [company.enterprise.organization_daily(org_id)["total_acus"] for org_id in ids]
    assert sum(parts) == pytest.approx(company.enterprise.daily()["total_acus"])
    assert company.enterprise.metrics.usage()["sessions_count"] == len(list(company.enterprise.sessions()))
    assert len(list(company.enterprise.cycles(limit=2))) == 2
    limits = list(company.enterprise.acu_limits())
    assert {item["scope"] for item in limits} == {"enterprise", "org"}
    assert company.enterprise.group_limits()["product"]["org_ids"] == ids[1:4]
    assert company.enterprise.queue() == {"status": "normal"}
    (connection,) = company.enterprise.git_connections()
    assert list(company.enterprise.git_repositories(connection["git_connection_id"], filter_name="bill"))
    assert company.enterprise.names()["service-user-ci"] == "ci"
    assert next(iter(company.enterprise.members()))["email"] is None


def test_logs_are_read_in_spans_that_the_service_takes(company: Devin) -> None:
    since, until = datetime(2025, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)
    newest = list(company.enterprise.audit_logs(since=since, until=until))
    everything = list(company.enterprise.audit_logs())
    assert [item["audit_log_id"] for item in newest] == [item["audit_log_id"] for item in everything]
    oldest = list(company.enterprise.audit_logs(since=since, until=until, order="asc"))
    assert [item["created_at"] for item in oldest] == sorted(item["created_at"] for item in newest)
    assert {item["action"] for item in company.enterprise.audit_logs(since=since, action="login")} == {"login"}
    assert len(list(company.enterprise.audit_logs(until=until, limit=5))) == 5
    own = list(company.enterprise.organization_audit_logs("org-payments", since=since))
    assert {item["org_id"] for item in own} == {"org-payments"}
    with pytest.raises(OptionError, match="order"):
        list(company.enterprise.audit_logs(order="up"))  # type: ignore[arg-type]


def test_violations_of_guardrails_are_read(company: Devin) -> None:
    found = list(company.enterprise.guardrail_violations())
    assert found
    one = found[0]
    named = company.enterprise.guardrail_violations(guardrail_id=one["guardrail_id"])
    assert {item["guardrail_id"] for item in named} == {one["guardrail_id"]}
    own = company.enterprise.organization_guardrail_violations(one["org_id"], session_id=one["session_id"])
    assert one["violation_id"] in [item["violation_id"] for item in own]


def test_a_span_is_at_most_a_hundred_days() -> None:
    assert spans(None, None, newest_first=True) == [(None, None)]
    began = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp())
    found = spans(began, began + 250 * 86400, newest_first=True)
    assert [end - start for start, end in found if start is not None and end is not None] == [
        50 * 86400,
        LONGEST_SPAN,
        LONGEST_SPAN,
    ]
    now = datetime.now(UTC)
    (only,) = spans(int((now - timedelta(days=1)).timestamp()), None, newest_first=False)
    assert only[1] is not None
    assert len(spans(0, 4_000_000_000, newest_first=True)) < 20  # no log is that long


async def test_unknown_fields_survive(answering: Any) -> None:
    answer = {"status": "on_fire", "shade": 3, "triggers": [{"event_type": "x:y", "webhook": {"signing_secret": "s3"}}]}
    service = answering(lambda request: httpx.Response(200, json=answer))
    review = await Reviews(service).get(PR)
    assert (review["status"], review["shade"]) == ("on_fire", 3)  # type: ignore[typeddict-item]
    assert "s3" not in str(await Automations(service).get("automation-1"))


async def test_secrets_are_hidden_wherever_an_automation_shows_them_and_what_was_read_can_be_sent_back(
    answering: Callable[..., Any],
) -> None:
    sent: list[Any] = []
    webhook = {"url": "https://hooks.devin.ai/in/1", "signing_key": "s3cr3t-1", "secret_id": "sec-1"}
    trigger = {"event_type": "webhook:incoming", "conditions": None}
    action = {"type": "start_session", "prompt": "Look.", "reply_token": "s3cr3t-2"}
    present = {
        "automation_id": "automation-1",
        "triggers": [{**trigger, "trigger_id": "trigger-1", "webhook": webhook}],
        "actions": [action],
        "webhook": {"secrets": ["s3cr3t-3"]},
        "webhook_secret": "s3cr3t-4",
        "metadata": {"secret_owner": "ada"},
    }

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(json.loads(request.content or "null"))
        return httpx.Response(200, json=present)

    automations = Automations(answering(answer))
    found: dict[str, Any] = {**await automations.get("automation-1")}
    assert "s3cr3t" not in str(found)
    assert "sec-1" in str(found)
    await automations.update("automation-1", triggers=found["triggers"], actions=found["actions"], metadata={"a": "b"})
    metadata = {"secret_owner": "ada", "a": "b"}
    assert sent[-1] == {"triggers": [trigger], "actions": [action], "metadata": metadata}
    await automations.update("automation-1", triggers=[{**trigger, "webhook": webhook}])
    assert sent[-1] == {"triggers": [{**trigger, "webhook": webhook}]}  # written by hand: the service decides


@pytest.mark.parametrize("item", [{}, {"repo_path": None}, {"repo_path": {"owner": "acme"}}])
async def test_a_repository_without_a_path_is_not_the_nearest(answering: Callable[..., Any], item: Any) -> None:
    with pytest.raises(NotFound, match="does not list the repository acme/api"):
        await Repositories(answering(lambda request: httpx.Response(200, json={"items": [item]}))).get("acme/api")


@pytest.mark.parametrize("tags", ["team", 3, {"a": 1}])
async def test_a_list_of_tags_that_is_none_is_an_unreadable_answer(answering: Callable[..., Any], tags: Any) -> None:
    with pytest.raises(UnreadableAnswer, match="list of tags"):
        await OrgTags(answering(lambda request: httpx.Response(200, json={"tags": tags}))).list("org-1")


async def test_of_a_group_of_an_automation_only_what_is_given_changes(answering: Callable[..., Any]) -> None:
    """A service that replaces groups would drop the cap with the rest of one."""
    sent: list[Any] = []
    present = {
        "automation_id": "automation-1",
        "limits": {"max_acu_limit": 3, "invocations": {"max_per_window": 5, "window_seconds": 60, "new": 1}},
        "run_as": {"type": "service_user", "service_user_id": "s"},
        "metadata": {"team": "web"},
        "concurrency": None,
    }

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(json.loads(request.content or "null"))
        return httpx.Response(200, json=present)

    automations = Automations(answering(answer))
    given: dict[str, Any] = {
        "limits": {"invocations": {"max_per_window": 9}},
        "run_as": {"type": "organization"},
        "metadata": {"week": "47", "team": None},
        "concurrency": {"max_concurrent_runs": 1},
    }
    await automations.update("automation-1", **given)
    limits = {"max_acu_limit": 3, "invocations": {"max_per_window": 9, "window_seconds": 60, "new": 1}}
    assert sent[-1] == {**given, "limits": limits}
    await automations.update("automation-1", limits=None)
    assert sent[-1] == {"limits": None}
