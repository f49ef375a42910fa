"""Every resource of both API versions, on the simulator over real HTTP, through the blocking client."""

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from devin_jupyter.api import sessions as insights
from devin_jupyter.api.analytics import Events
from devin_jupyter.api.client import OPERATIONS, operations_table
from devin_jupyter.api.library import Knowledge, Playbooks, Secrets
from devin_jupyter.errors import Conflict, NotFound, OptionError, ServerError, Unprocessable, Unsupported
from devin_jupyter.redaction import redact

NOW = datetime.now(UTC)
YEAR = {"since": NOW - timedelta(days=365), "until": NOW + timedelta(days=1)}


# --- account ------------------------------------------------------------------------------------------------------


def test_v3_returns_the_principal_of_the_key(devin):
    who = devin.self()

    assert who["principal_type"] == "service_user"


def test_v1_has_no_self(devin_v1):
    with pytest.raises(Unsupported, match="v1"):
        devin_v1.self()


def test_permissions_are_probed(either, version):
    found = either.permissions()

    assert found["ViewOrgSessions"] is True
    assert ("ManageBilling" in found) == (version == "v3")


def test_the_organization_is_asked_for_once_and_remembered(simulator):
    from devin_jupyter import Devin

    first = Devin(simulator.api_key, base_url=simulator.url)
    list(first.sessions.list(limit=1))
    second = Devin(simulator.api_key, base_url=simulator.url)
    list(second.sessions.list(limit=1))

    assert first.settings.org_id == second.settings.org_id == simulator.org_id
    assert second.settings.org_source == "remembered for this key"
    assert simulator.requests("GET /v3/self") == 1
    first.close(), second.close()


# --- sessions -----------------------------------------------------------------------------------------------------


def test_sessions_are_created_read_listed_and_ended(either):
    made = either.sessions.create({"prompt": "hello", "tags": ["one"]})
    identifier = made["session_id"]

    assert either.sessions.get(identifier)["title"]
    assert [item["session_id"].removeprefix("devin-") for item in either.sessions.list(tags=["one"])] == [
        identifier.removeprefix("devin-")
    ]
    either.sessions.terminate(identifier)
    either.sessions.terminate(identifier)  # a second time is no mistake


def test_every_form_of_an_id_is_taken(either):
    identifier = either.sessions.create({"prompt": "hello"})["session_id"].removeprefix("devin-")

    for form in (identifier, "devin-" + identifier, f"https://app.devin.ai/sessions/{identifier}"):
        assert either.sessions.get(form)["session_id"].removeprefix("devin-") == identifier


@pytest.mark.parametrize("wrong", ["", "two words", "https://app.devin.ai/", 5, None])
def test_a_value_that_is_not_an_id_is_refused_before_anything_is_sent(devin, wrong):
    with pytest.raises(OptionError, match="is not a session id"):
        devin.sessions.get(wrong)


def test_an_unknown_session_is_not_found(either):
    with pytest.raises(NotFound):
        either.sessions.get("f" * 32)


def test_archiving_is_for_v3(devin, devin_v1):
    identifier = devin.sessions.create({"prompt": "hello"})["session_id"]

    assert devin.sessions.archive(identifier)["is_archived"] is True
    assert devin.sessions.unarchive(identifier)["is_archived"] is False
    for act in (devin_v1.sessions.archive, devin_v1.sessions.unarchive):
        with pytest.raises(Unsupported, match="v1 has no archive"):
            act(identifier)
    with pytest.raises(Unsupported, match=r"v1 has no archive; use stop\(\)"):
        devin_v1.sessions.terminate(identifier, archive=True)


def test_long_lists_are_read_to_the_end(simulator_with):
    from devin_jupyter import Devin

    simulator = simulator_with(preload=450)
    devin = Devin(simulator.api_key, base_url=simulator.url)

    assert len({item["session_id"] for item in devin.sessions.list()}) == 450
    assert len(list(devin.sessions.list(limit=301))) == 301
    assert [len(page) for page in devin.sessions.pages(limit=250)] == [200, 50]
    devin.close()


def test_a_list_whose_cursor_lingers_is_read_once(simulator_with):
    from devin_jupyter import Devin

    simulator = simulator_with(preload=450)
    simulator.faults({"kind": "linger"})
    devin = Devin(simulator.api_key, base_url=simulator.url)

    assert len(list(devin.sessions.list())) == 450
    assert simulator.requests("GET /v3/organizations/{org_id}/sessions") == 3
    devin.close()


def test_v1_lists_are_read_to_the_end(simulator_with):
    from devin_jupyter import Devin

    simulator = simulator_with(preload=450)
    devin = Devin(simulator.v1_key, base_url=simulator.url)

    assert len({item["session_id"] for item in devin.sessions.list()}) == 450
    devin.close()


# --- messages and tags ----------------------------------------------------------------------------------------------


def test_messages_are_read_and_sent(either, version):
    identifier = either.sessions.create({"prompt": "hello"})["session_id"]
    answer = either.messages.send(identifier, "and more", attachment_urls=["https://files.example/a.csv"])
    texts = [item["message"] for item in either.messages.list(identifier)]
    [sent] = [text for text in texts if text.startswith("and more")]

    assert (answer is None) == (version == "v1")
    assert texts[0] == "hello"
    if version == "v1":
        assert sent == 'and more\nATTACHMENT:"https://files.example/a.csv"'


def test_sending_in_another_users_name_is_for_v3(devin_v1):
    with pytest.raises(Unsupported, match="name"):
        devin_v1.messages.send("f" * 32, "hello", as_user="user-1")


def test_tags_are_read_added_and_replaced(either):
    identifier = either.sessions.create({"prompt": "hello", "tags": ["one"]})["session_id"]

    assert either.tags.append(identifier, ["two", "one"]) == ["one", "two"]
    assert either.tags.replace(identifier, ["three"]) == ["three"]
    assert either.tags.get(identifier) == ["three"]


def test_a_tag_that_is_not_in_a_list_is_one_tag(either):
    identifier = either.sessions.create({"prompt": "hello", "tags": ["one"]})["session_id"]

    assert either.tags.append(identifier, "two") == ["one", "two"]
    assert either.tags.replace(identifier, "three") == ["three"]


def test_replacing_tags_keeps_the_one_that_finds_the_session_again(either):
    identifier = either.sessions.create({"prompt": "hello", "tags": ["nb-0011223344556677"]})["session_id"]

    assert either.tags.replace(identifier, ["x"]) == ["x", "nb-0011223344556677"]


# --- playbooks ------------------------------------------------------------------------------------------------------


def test_playbooks_live_through_their_whole_life(either):
    made = either.playbooks.create("Review", "Look twice.", macro="!review")

    assert either.playbooks.get("Review")["playbook_id"] == made["playbook_id"]
    changed = either.playbooks.update("Review", body="Look three times.")
    assert (changed["title"], changed["body"], changed["macro"]) == ("Review", "Look three times.", "!review")
    assert either.playbooks.delete(made["playbook_id"])["title"] == "Review"
    assert list(either.playbooks.list()) == []


def test_ensuring_a_playbook_twice_writes_once(either, simulator, version):
    for _ in range(3):
        found = either.playbooks.ensure("Review", "Look twice.")
    changed = either.playbooks.ensure("Review", "Look three times.")

    assert changed["playbook_id"] == found["playbook_id"]
    assert len(list(either.playbooks.list())) == 1
    prefix = "/v1/playbooks" if version == "v1" else "/v3/organizations/{org_id}/playbooks"
    assert simulator.requests(f"POST {prefix}") == 1
    assert simulator.requests(f"PUT {prefix}/{{playbook_id}}") == 1


def test_an_unknown_name_names_the_nearest(either):
    either.playbooks.create("Review", "Look twice.")

    with pytest.raises(NotFound, match="'Review'"):
        either.playbooks.get("Reveiw")


def test_a_name_that_several_have_is_refused(either):
    for _ in range(2):
        either.playbooks.create("Review", "Look twice.")

    with pytest.raises(OptionError, match="give the id"):
        either.playbooks.update("Review", body="x")


def test_a_macro_is_kept_unless_it_is_taken_away(either):
    either.playbooks.create("Review", "Look twice.", macro="!review")

    assert either.playbooks.update("Review", body="Look three times.")["macro"] == "!review"
    assert either.playbooks.ensure("Review", "Look three times.")["macro"] == "!review"
    assert either.playbooks.ensure("Review", "Look three times.", macro="")["macro"] is None
    assert either.playbooks.update("Review", macro="")["macro"] is None


def test_the_schema_of_a_playbook_is_set_kept_and_taken_away(devin, devin_v1):
    made = devin.playbooks.create("Audit", "Look twice.", schema="count:int")
    schema = made["structured_output_schema"]

    assert schema["properties"] == {"count": {"type": "integer"}}
    assert devin.playbooks.update("Audit", body="Look.")["structured_output_schema"] == schema
    assert devin.playbooks.ensure("Audit", "Look three times.")["structured_output_schema"] == schema
    changed = devin.playbooks.ensure("Audit", "Look three times.", schema="n:int")["structured_output_schema"]
    assert changed["properties"] == {"n": {"type": "integer"}}
    assert devin.playbooks.ensure("Audit", "Look three times.", schema="none")["structured_output_schema"] is None
    assert devin.playbooks.ensure("New", "Look.", schema="n:int")["structured_output_schema"] == changed
    assert devin.playbooks.update("New", schema="none")["structured_output_schema"] is None
    with pytest.raises(Unsupported, match="v1 playbooks have no schema"):
        devin_v1.playbooks.update("Audit", schema="n:int")


@pytest.mark.parametrize(
    ("namespace", "entry", "change"),
    [
        (Playbooks, {"playbook_id": "playbook-1", "title": "Audit", "body": "Look.", "macro": None}, {"body": "Go."}),
        (Knowledge, {"note_id": "note-1", "name": "Audit", "body": "Look.", "trigger": "now"}, {"body": "Go."}),
    ],
)
async def test_a_put_carries_back_every_field_also_one_that_is_not_known(answering, namespace, entry, change):
    theirs = {"access_type": "org", "org_id": "org-x", "created_at": 1, "updated_at": 2, "created_by": "user-1"}
    new = {"structured_output_schema": {"type": "object"}, "review_policy": {"by": ["user-1"]}, "is_pinned": True}
    written = []

    def handler(request):
        if request.method == "PUT":
            written.append(json.loads(request.content))
        if request.url.path.endswith(("/playbooks", "/notes")):  # the list shows less than the entry itself
            return httpx.Response(200, json={"items": [{**entry, **theirs}], "has_next_page": False})
        return httpx.Response(200, json={**entry, **theirs, **new})

    library = namespace(answering(handler))
    await library.update("Audit", **change)
    ensure = {"title": "Audit"} if namespace is Playbooks else {"name": "Audit", "trigger": "now"}
    await library.ensure(**ensure, **change)

    kept = {name: value for name, value in entry.items() if not name.endswith("_id") and value is not None}
    for body in written:
        assert {name: value for name, value in body.items() if value is not None} == {**kept, **new, **change}
    assert len(written) == 2


def test_a_name_that_looks_like_an_id_is_a_name_all_the_same(devin):
    playbook = devin.playbooks.create("playbook-x", "Look twice.")
    note = devin.knowledge.create("note-taking", "Use ruff.", "always")
    schedule = devin.schedules.create("sched-x", "Update", frequency="0 8 * * 1")

    assert devin.playbooks.update("playbook-x", body="Look.")["playbook_id"] == playbook["playbook_id"]
    assert devin.knowledge.update("note-taking", body="Use mypy.")["note_id"] == note["note_id"]
    changed = devin.schedules.update("sched-x", enabled=False)
    assert changed["scheduled_session_id"] == schedule["scheduled_session_id"]
    with pytest.raises(NotFound, match="'sched-x'"):
        devin.schedules.delete("sched-y")
    assert devin.schedules.delete("sched-x")["name"] == "sched-x"


# --- knowledge ------------------------------------------------------------------------------------------------------


def test_notes_live_through_their_whole_life_in_one_vocabulary(either):
    made = either.knowledge.create("Style", "Use ruff.", "when writing Python", pinned_repo="acme/api")

    assert made["note_id"]
    assert (made["trigger"], made["pinned_repo"]) == ("when writing Python", "acme/api")
    assert either.knowledge.get(made["note_id"])["name"] == "Style"
    changed = either.knowledge.update("Style", body="Use ruff and mypy.")
    assert (changed["body"], changed["trigger"]) == ("Use ruff and mypy.", "when writing Python")
    assert either.knowledge.delete("Style")["note_id"] == made["note_id"]
    assert list(either.knowledge.list()) == []


def test_ensuring_a_note_twice_writes_once(either):
    first = either.knowledge.ensure("Style", "Use ruff.", "when writing Python")

    assert either.knowledge.ensure("Style", "Use ruff.", "when writing Python") == first
    assert either.knowledge.ensure("Style", "Use mypy.", "when writing Python")["note_id"] == first["note_id"]
    assert [note["body"] for note in either.knowledge.list()] == ["Use mypy."]


def test_folders_are_listed(either):
    assert all("folder_id" in folder for folder in either.knowledge.folders())


@pytest.mark.parametrize(("version", "field"), [("v1", {"is_enabled": True}), ("v3", {"macro": "!x"})])
def test_a_field_that_notes_of_this_version_lack_is_refused(either, field):
    with pytest.raises(Unsupported):
        either.knowledge.create("Style", "Use ruff.", "always", **field)


@pytest.mark.parametrize(("version", "field"), [("v1", {"is_enabled": True}), ("v3", {"macro": "!x"})])
def test_changing_a_field_that_notes_of_this_version_lack_is_refused_too(either, field):
    either.knowledge.create("Style", "Use ruff.", "always")

    with pytest.raises(Unsupported):
        either.knowledge.update("Style", **field)
    with pytest.raises(Unsupported):
        either.knowledge.ensure("Style", "Use mypy.", "always", **field)
    assert [note["body"] for note in either.knowledge.list()] == ["Use ruff."]


def test_a_mistyped_field_of_a_note_gets_the_nearest(either):
    either.knowledge.create("Style", "Use ruff.", "always")

    with pytest.raises(OptionError, match="did you mean name"):
        either.knowledge.update("Style", nme="x")
    with pytest.raises(OptionError, match="did you mean pinned_repo"):
        either.knowledge.ensure("Style", "Use ruff.", "always", pined_repo="acme/api")


def test_what_is_given_as_none_is_emptied_by_an_update_and_left_by_ensure(either):
    either.knowledge.create("Style", "Use ruff.", "always", pinned_repo="acme/api")

    assert either.knowledge.ensure("Style", "Use mypy.", "always", pinned_repo=None)["pinned_repo"] == "acme/api"
    assert either.knowledge.update("Style", pinned_repo=None)["pinned_repo"] is None


def test_notes_are_searched_on_v3(devin, devin_v1):
    devin.knowledge.create("Style", "Use ruff.", "when writing Python")
    devin.knowledge.create("Deploys", "Never on Friday.", "when deploying")

    assert [note["name"] for note in devin.knowledge.list(search="ruff")] == ["Style"]
    with pytest.raises(Unsupported):
        list(devin_v1.knowledge.list(search="ruff"))


# --- secrets --------------------------------------------------------------------------------------------------------


def test_secrets_are_written_and_never_read(either):
    made = either.secrets.create("DB_PASSWORD", "hunter2-hunter2", note="for tests")

    listed = list(either.secrets.list())
    assert [secret["key"] for secret in listed] == ["DB_PASSWORD"]
    assert listed[0]["secret_id"] == made["secret_id"]
    assert "hunter2" not in repr(listed)
    assert "hunter2" not in redact("the value was hunter2-hunter2")
    assert either.secrets.delete("DB_PASSWORD")["secret_id"] == made["secret_id"]
    assert list(either.secrets.list()) == []


def test_ensuring_a_secret_changes_nothing_without_replace(either):
    first = either.secrets.ensure("DB_PASSWORD", "one-one-one")

    assert either.secrets.ensure("DB_PASSWORD", "two-two-two")["secret_id"] == first["secret_id"]
    assert either.secrets.ensure("DB_PASSWORD", "two-two-two", replace=True)["secret_id"] != first["secret_id"]
    assert len(list(either.secrets.list())) == 1


def test_a_name_that_is_taken_conflicts_on_v1(devin_v1):
    devin_v1.secrets.create("DB_PASSWORD", "one-one-one")

    with pytest.raises(Conflict):
        devin_v1.secrets.create("DB_PASSWORD", "two-two-two")


@pytest.mark.parametrize("wrong", [{"value": "v" * 65537}, {"type": "password"}])
def test_a_secret_that_the_service_would_refuse_does_not_cost_the_one_that_is_there(either, wrong):
    first = either.secrets.ensure("DB_PASSWORD", "one-one-one")

    with pytest.raises(OptionError):
        either.secrets.ensure(**{"key": "DB_PASSWORD", "value": "two-two-two", "replace": True, **wrong})

    assert [secret["secret_id"] for secret in either.secrets.list()] == [first["secret_id"]]


def test_a_replacement_that_fails_says_that_the_old_secret_is_gone(devin, simulator):
    devin.secrets.create("DB_PASSWORD", "one-one-one")
    simulator.faults({"kind": "status", "method": "POST", "route": "/v3/organizations/{org_id}/secrets"})

    with pytest.raises(ServerError, match="the previous secret DB_PASSWORD is already deleted") as caught:
        devin.secrets.ensure("DB_PASSWORD", "two-two-two", replace=True)

    assert "already deleted" in caught.value.consequence


async def test_a_secret_that_somebody_else_stores_meanwhile_is_the_one_that_is_there(answering):
    stored = []

    def handler(request):
        if request.method == "GET":
            return httpx.Response(200, json={"items": list(stored)})
        stored.append({"secret_id": "theirs", "key": "DB_PASSWORD"})
        return httpx.Response(409, json={"detail": "Secret name is not unique"})

    assert (await Secrets(answering(handler)).ensure("DB_PASSWORD", "one-one-one"))["secret_id"] == "theirs"


# --- schedules --------------------------------------------------------------------------------------------------------


def test_schedules_live_through_their_whole_life(devin):
    made = devin.schedules.create("Weekly", "Update the dependencies", frequency="0 8 * * 1", tags=["deps"])
    identifier = made["scheduled_session_id"]

    assert devin.schedules.get("Weekly")["scheduled_session_id"] == identifier
    assert devin.schedules.update(identifier, enabled=False)["enabled"] is False
    assert [item["name"] for item in devin.schedules.list()] == ["Weekly"]
    devin.schedules.delete("Weekly")
    assert list(devin.schedules.list()) == []


def test_a_moment_goes_out_with_its_zone(devin):
    moment = datetime.now() + timedelta(days=1)

    made = devin.schedules.create("Once", "Check", schedule_type="one_time", scheduled_at=moment)

    assert made["name"] == "Once"


def test_ensuring_a_schedule_twice_writes_once(devin, simulator):
    for _ in range(2):
        devin.schedules.ensure("Weekly", "Update the dependencies", frequency="0 8 * * 1")
    devin.schedules.ensure("Weekly", "Update everything", frequency="0 8 * * 1")

    assert [item["prompt"] for item in devin.schedules.list()] == ["Update everything"]
    assert simulator.requests("POST /v3/organizations/{org_id}/schedules") == 1
    assert simulator.requests("PATCH /v3/organizations/{org_id}/schedules/{schedule_id}") == 1


@pytest.mark.parametrize("spelled", ["2099-01-02T00:00:00Z", "2099-01-02T02:00:00+02:00", datetime(2099, 1, 2)])
def test_a_single_run_is_the_same_however_its_moment_is_spelt(devin, simulator, spelled):
    first = devin.schedules.ensure("Once", "Check", schedule_type="one_time", scheduled_at=spelled)

    assert first["scheduled_at"] == "2099-01-02T00:00:00.000000+00:00"
    assert devin.schedules.ensure("Once", "Check", schedule_type="one_time", scheduled_at=spelled) == first
    assert simulator.requests("PATCH /v3/organizations/{org_id}/schedules/{schedule_id}") == 0


def test_a_single_run_that_is_past_may_be_described_anew(devin, simulator):
    soon = datetime.now(UTC) + timedelta(hours=1)
    devin.schedules.ensure("Once", "Check", schedule_type="one_time", scheduled_at=soon)
    simulator.clock(7200)

    assert devin.schedules.ensure("Once", "Look", schedule_type="one_time", scheduled_at=soon)["prompt"] == "Look"


def test_the_session_that_a_schedule_is_for_may_be_given_by_its_url(devin, simulator):
    identifier = devin.sessions.create({"prompt": "hello"})["session_id"].removeprefix("devin-")
    url = f"https://app.devin.ai/sessions/{identifier}"
    fields = {"schedule_type": "one_time", "scheduled_at": "2099-01-02T00:00:00Z", "target_devin_id": url}

    assert devin.schedules.create("Once", "Check", **fields)["target_devin_id"] == "devin-" + identifier
    devin.schedules.ensure("Once", "Check", **{**fields, "target_devin_id": identifier})
    assert devin.schedules.update("Once", target_devin_id=url)["target_devin_id"] == "devin-" + identifier
    assert simulator.requests("PATCH /v3/organizations/{org_id}/schedules/{schedule_id}") == 1


def test_a_mistyped_field_of_a_schedule_gets_the_nearest(devin):
    with pytest.raises(OptionError, match="frequency"):
        devin.schedules.create("Weekly", "x", frequenzy="0 8 * * 1")


# --- insights, events, figures ------------------------------------------------------------------------------------


def test_insights_are_listed_read_and_generated(devin, monkeypatch):
    monkeypatch.setattr(insights, "POLL_SECONDS", 0.01)
    session = devin.create("hello", wait=30)

    assert session.insights()["analysis"] is None
    assert session.insights(generate=True)["analysis"] is not None
    assert devin.insights.generate(session.id)["analysis"] is not None
    assert [item["num_user_messages"] for item in devin.insights.list(session_ids=[session.id])] == [1]


def test_events_are_listed_searched_and_read_in_full(devin):
    session = devin.create("hello", wait=30)

    found = list(devin.events.list(session.id, limit=5))
    assert len(found) == 5
    assert devin.events.details(session.id, event_ids=[found[0]["event_id"]])[0]["contents"] is not None
    list(devin.events.search(session.id, "hello"))
    with pytest.raises(OptionError, match="not both"):
        list(devin.events.list(session.id, categories=["shell"], event_types=["x"]))


def test_events_are_searched_among_some(devin):
    session = devin.create("hello", wait=30)
    told = list(devin.events.search(session.id, "hello", categories=["message"], direction="incoming"))

    assert [event["direction"] for event in told] == ["incoming"]
    assert list(devin.events.search(session.id, "hello", categories=["shell"])) == []
    assert list(devin.events.search(session.id, "hello", created_after=NOW + timedelta(days=1))) == []
    with pytest.raises(OptionError, match="not both"):
        list(devin.events.search(session.id, "hello", categories=["shell"], event_types=["x"]))


def test_events_in_full_are_named_or_a_stretch(devin):
    for stretch in ({"offset": 1}, {"limit": 3}):
        with pytest.raises(OptionError, match="not both"):
            devin.events.details("f" * 32, event_ids=["event-1"], **stretch)


async def test_a_key_that_may_list_sessions_and_not_get_them_is_told_that_there_are_no_events(answering):
    def handler(request):
        if request.url.path.endswith("/sessions"):
            return httpx.Response(200, json={"items": [{"session_id": "f" * 32}]})
        return httpx.Response(403, json={"detail": "no"})

    with pytest.raises(Unsupported, match="does not offer the events"):
        [event async for event in Events(answering(handler)).list("f" * 32)]


def test_a_service_without_events_says_so_plainly(simulator_with):
    from devin_jupyter import Devin

    simulator = simulator_with(events=False)
    devin = Devin(simulator.api_key, base_url=simulator.url)
    identifier = devin.sessions.create({"prompt": "hello"})["session_id"]

    with pytest.raises(Unsupported, match="does not offer the events"):
        list(devin.events.list(identifier))
    with pytest.raises(NotFound):
        list(devin.events.list("f" * 32))
    devin.close()


def test_consumption_is_read_for_all_three_subjects(devin):
    session = devin.create("hello", wait=30)
    who = devin.self()["service_user_id"]

    assert devin.consumption.daily()["total_acus"] > 0
    assert devin.consumption.session(session.id)["total_acus"] == pytest.approx(session.acus)
    assert devin.consumption.service_user(who, since=NOW - timedelta(days=2))["consumption_by_date"]
    with pytest.raises(NotFound, match="User"):
        devin.consumption.user("user-nobody")


def test_metrics_are_read(devin):
    devin.create("hello", wait=30)

    assert devin.metrics.usage()["sessions_count"] == 1
    assert devin.metrics.sessions(**YEAR)["sessions_created_count"] == 1
    assert "prs_created_count" in devin.metrics.prs(**YEAR)
    assert "searches_created_count" in devin.metrics.searches(**YEAR)
    for period in (devin.metrics.dau, devin.metrics.wau, devin.metrics.mau):
        assert {"start_time", "end_time", "active_users"} <= set(period(**YEAR)[0])
    assert "active_users" in devin.metrics.active_users(**YEAR, min_sessions=1)


def test_what_is_not_a_time_is_refused(devin):
    for wrong in ("30d", float("nan"), [1]):
        with pytest.raises(OptionError, match="a time is"):
            devin.metrics.sessions(wrong, NOW)


# --- what a version lacks -----------------------------------------------------------------------------------------

LACKING = [operation.name for operation in OPERATIONS if operation.v1 is None and "." in operation.name]


@pytest.mark.parametrize("name", LACKING)
async def test_what_v1_lacks_is_one_clear_line_and_nothing_is_sent(name, answering):
    service = answering(lambda request: pytest.fail("it was sent"), "v1")

    with pytest.raises(Unsupported) as problem:
        await service.call(name)
    assert problem.value.message.startswith("v1 ")


def test_the_table_of_operations_has_a_row_for_each():
    lines = operations_table().splitlines()

    assert len(lines) == len(OPERATIONS) + 2
    assert all(line.count("|") == 6 for line in lines)


def test_a_long_list_shows_its_progress_and_a_short_one_does_not(simulator_with, capsys):
    from devin_jupyter import Devin

    simulator = simulator_with(preload=1200)
    devin = Devin(simulator.api_key, base_url=simulator.url)

    list(devin.sessions.list(limit=300))
    assert capsys.readouterr().err == ""
    list(devin.sessions.list())
    assert "sessions" in capsys.readouterr().err
    devin.close()


def test_an_unknown_type_of_secret_is_sent_as_it_is_and_a_line_says_so(devin):
    with pytest.warns(UserWarning, match="unknown secret type 'passkey'.*sent as it is"), pytest.raises(Unprocessable):
        devin.secrets.create("DB_PASSWORD", "one-one-one", type="passkey")
