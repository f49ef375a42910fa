"""Moving from a key of v1 to one of v3, and from an earlier version of this package, costs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kernels import CREATE, POST, call_api

from devin_jupyter.errors import ColleaguesSession
from devin_jupyter.idempotency.dry_run import plan
from devin_jupyter.journal import Journal
from devin_jupyter.models.snapshot import Policy, Where
from devin_jupyter.request import SessionRequest

V1_POST = "POST /v1/sessions"
OPTIONS: list[dict[str, Any]] = [{}, {"take": "2"}, {"key": "week-47"}, {"tags": ("audit",)}]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("has_journal", [True, False])
async def test_from_v1_to_v3_is_one_session(
    kernel: Any, simulator: Any, folder: Path, options: dict[str, Any], has_journal: bool
) -> None:
    old = kernel(api_version="v1", api_key=simulator.v1_key)
    first = await old.start("Find it\n", policy=Policy(), **options)
    new = kernel(None if has_journal else Journal(folder / "elsewhere"))
    again = await new.start("Find it", policy=Policy(), **options)
    assert (again.session_id, again.how) == (first.session_id, "attached")
    assert again.snapshot.api_version == "v3"
    assert again.snapshot.status == "new"
    assert (simulator.requests(POST), simulator.requests(V1_POST)) == (0, 1)
    assert ("started by user-" in again.notice) is not has_journal
    assert (await new.start("Find it", policy=Policy(), **options)).session_id == first.session_id


@pytest.mark.parametrize("has_journal", [True, False])
async def test_from_v3_back_to_v1_is_one_session_as_well(
    kernel: Any, simulator: Any, folder: Path, has_journal: bool
) -> None:
    first = await kernel().start(policy=Policy())
    old = kernel(None if has_journal else Journal(folder / "elsewhere"), api_version="v1", api_key=simulator.v1_key)
    again = await old.start(policy=Policy())
    assert (again.session_id, again.how) == (first.session_id, "attached")
    assert simulator.requests(V1_POST) == 0


async def test_a_session_of_another_organization_that_a_key_of_v1_started_is_not_taken(
    kernel: Any, simulator: Any, simulator_with: Any
) -> None:
    old = kernel(api_version="v1", api_key=simulator.v1_key)
    first = await old.start(policy=Policy())
    simulator.reset()  # the session is in no organization that this key can read
    shown = await plan(kernel().creator, SessionRequest(prompt="audit the API"), Policy())
    assert (shown.action, shown.session_id) == ("attach", first.session_id)
    assert "if it is of this organization" in shown.why
    started = await kernel().start(policy=Policy())
    assert started.how == "created"
    assert simulator.requests(POST) == 1


async def test_a_session_that_a_colleague_started_with_a_key_of_v1_is_reported(
    kernel: Any, simulator: Any, folder: Path
) -> None:
    await kernel(api_version="v1", api_key=simulator.v1_key).start(policy=Policy())
    person = kernel(Journal(folder / "elsewhere"))
    person.creator.lookup.principal = {"principal_type": "pat_user", "user_id": "user-zoe"}
    with pytest.raises(ColleaguesSession):
        await person.start(policy=Policy())


async def test_a_session_with_the_tag_of_an_earlier_version_is_found_in_the_same_question(
    kernel: Any, simulator: Any, folder: Path
) -> None:
    one = kernel()
    identity = SessionRequest(prompt="audit the API").fingerprint(await one.where())
    before = simulator.requests("GET /v3/organizations/{org_id}/sessions")
    for tag in (identity.earlier[0].tag, identity.earlier[-1].tag):
        made = call_api(simulator, "POST", "/sessions", json={"prompt": "audit the API", "tags": [tag]})
        again = await kernel(Journal(folder / tag)).start(policy=Policy(refresh=False))
        assert again.session_id == f"devin-{made['session_id']}"
        call_api(simulator, "DELETE", f"/sessions/{made['session_id']}")
        call_api(simulator, "PUT", f"/sessions/{made['session_id']}/tags", json={"tags": []})
    assert simulator.requests(POST) == 2
    assert simulator.requests("GET /v3/organizations/{org_id}/sessions") - before == 2 * 2


async def test_what_an_earlier_version_was_about_to_pay_for_is_settled_first(kernel: Any, simulator: Any) -> None:
    one = kernel()
    request = SessionRequest(prompt="audit the API")
    identity = request.fingerprint(await one.where())
    old = identity.earlier[0]
    facts = request.facts(old, old, await one.where(), Policy())
    intent = one.journal.intents.write(facts, known_before=[], now=1.0)
    token = one.journal.leases.take(f"start {old.text}", now=1.0)
    one.journal.intents.about_to_post(intent, token, now=1.0)
    made = call_api(simulator, "POST", "/sessions", json={"prompt": "audit the API", "tags": [old.tag]})
    started = await one.start(policy=Policy())
    assert (started.session_id, started.how) == (f"devin-{made['session_id']}", "adopted")
    assert one.journal.intents.all() == []
    assert simulator.requests(POST) == 1


async def test_what_an_earlier_version_did_not_get_to_pay_for_is_posted_once(kernel: Any, simulator: Any) -> None:
    one = kernel()
    request = SessionRequest(prompt="audit the API")
    old = request.fingerprint(await one.where()).earlier[0]
    facts = request.facts(old, old, await one.where(), Policy())
    intent = one.journal.intents.write(facts, known_before=[], now=1.0)
    token = one.journal.leases.take(f"start {old.text}", now=1.0)
    one.journal.intents.about_to_post(intent, token, now=1.0)
    simulator.faults({**CREATE, "kind": "drop_after", "times": 1})
    assert (await one.start(policy=Policy())).how == "adopted"
    assert one.journal.intents.all() == []
    assert simulator.stats()["sessions"] == 1


async def test_the_takes_of_an_earlier_version_count(kernel: Any, simulator: Any) -> None:
    one, where = kernel(), Where("", None, "v3")
    where = await one.where()
    for take in (None, "2"):
        request = SessionRequest(prompt="audit the API").but(take=take)
        old = request.fingerprint(where).earlier[0]
        base = request.but(take=None).fingerprint(where).earlier[0]
        made = call_api(simulator, "POST", "/sessions", json={"prompt": "audit the API"})
        facts = request.facts(old, base, where, Policy())
        one.journal.remember(f"devin-{made['session_id']}", facts, how="created", started_at=1.0, now=1.0)
    assert (await one.start(policy=Policy())).notice.endswith("--take 3 starts another")


async def test_texts_that_differ_only_in_what_nobody_sees_are_one_session_and_one_message(
    kernel: Any, simulator: Any, folder: Path
) -> None:
    one = kernel()
    first = await one.start("Find it\n  and say why", policy=Policy())
    for text in ("Find it\r\n  and say why\r\n", "\ufeffFind it  \n  and say why\n\n"):
        assert (await one.start(text, policy=Policy())).session_id == first.session_id
        elsewhere = kernel(Journal(folder / str(len(text))))
        assert (await elsewhere.start(text, policy=Policy())).session_id == first.session_id
    assert simulator.requests(POST) == 1
    assert (await one.messenger.send(first.session_id, "more\nplease")).how == "sent"
    assert (await one.messenger.send(first.session_id, "more \r\nplease\n")).how == "already"
