"""A dry run tells create or attach, why, and what it may cost, without a request."""

from __future__ import annotations

from typing import Any

import pytest
from kernels import CELL, budget

from devin_jupyter.errors import BudgetExceeded
from devin_jupyter.idempotency.dry_run import Plan
from devin_jupyter.idempotency.dry_run import plan as plan_of
from devin_jupyter.models.snapshot import Policy
from devin_jupyter.request import SecretValue, SessionRequest, read_attachments

POLICY = Policy(guard=CELL, interactive=True)


async def plan(one: Any, policy: Policy = POLICY, **fields: Any) -> Plan:
    found: Plan = await plan_of(
        one.creator, SessionRequest(prompt=fields.pop("prompt", "audit the API")).but(**fields), policy
    )
    return found


async def test_a_new_request_would_create_and_nothing_is_sent(kernel: Any, simulator: Any) -> None:
    found = await plan(kernel(), max_acu=5, mode="fast", secrets={"T": SecretValue("s3cret-value")})
    assert (found.action, found.session_id) == ("create", None)
    assert found.tag in found.why
    assert found.body["max_acu_limit"] == 5
    assert "s3cret" not in str(found)
    assert "at most 5 ACU (--max-acu)" in found.costs
    assert any("4 times the price" in line for line in found.costs)
    assert simulator.stats()["requests"] == {}


async def test_a_known_request_would_attach(kernel: Any) -> None:
    one = kernel()
    started = await one.start()
    found = await plan(one)
    assert (found.action, found.session_id) == ("attach", started.session_id)
    assert started.session_id in found.why
    assert (await plan(one, take="2")).action == "create"
    assert (await plan(one, Policy(guard=CELL, interactive=True, take_new=True))).action == "create"
    assert (await plan(one, Policy(max_age=0.0))).action == "create"


async def test_a_changed_cell_would_be_refused(kernel: Any) -> None:
    one = kernel()
    started = await one.start()
    found = await plan(one, prompt="other")
    assert (found.action, found.session_id) == ("refuse", started.session_id)
    assert (await plan(one, Policy(guard=CELL, interactive=True, beside=True), prompt="other")).action == "create"
    assert (await plan(one, Policy(guard=CELL), prompt="other")).action == "create"


async def test_a_replacement_says_which_session_it_would_stop_and_counts_that_ones_cap_as_free(kernel: Any) -> None:
    one = kernel()
    started = await one.start(max_acu=5)
    budget(one.journal, CELL.notebook, 6, now=1.0)
    found = await plan(one, Policy(guard=CELL, interactive=True, replace=True), prompt="other", max_acu=5)
    assert found.action == "create"
    assert f"; {started.session_id} of 20" in found.why
    assert found.why.endswith(" is stopped permanently first (--replace)")


async def test_it_shows_caps_budgets_and_what_similar_sessions_have_cost(kernel: Any, simulator: Any) -> None:
    one = kernel()
    assert "no cap: --max-acu N sets one" in (await plan(one)).costs
    for number in range(3):
        await one.start(f"row {number}", policy=Policy(guard=CELL), repos=("acme/api",))
    simulator.clock(500)
    for number in range(3):
        await one.start(f"row {number}", policy=Policy(guard=CELL), repos=("acme/api",))
    budget(one.journal, CELL.notebook, 50, now=1.0)
    costs = (await plan(one, Policy(guard=CELL, budget=9), prompt="row 4", repos=("acme/api",))).costs
    assert any(line.startswith("the budget of the notebook audit.ipynb: ") for line in costs)
    assert "refused beyond 9 ACU (--budget)" in costs
    assert any(
        line.startswith("past sessions on these repositories: ") and line.endswith("(3 finished)") for line in costs
    )
    assert any(
        line.startswith("past sessions of this request: ")
        for line in (await plan(one, prompt="row 1", repos=("acme/api",), take="2")).costs
    )


async def test_an_attempt_of_unknown_outcome_is_reported(kernel: Any) -> None:
    one = kernel()
    job = await one.creator.call(SessionRequest(prompt="audit the API"), POLICY)
    intent = one.journal.intents.write(job.facts, known_before=[], now=1.0)
    token = one.journal.leases.take(f"start {job.fingerprint}", now=1.0)
    one.journal.intents.about_to_post(intent, token, now=1.0)
    assert "unless an earlier attempt succeeded" in (await plan(one)).why


async def test_what_the_guards_would_refuse_is_not_said_to_start(kernel: Any) -> None:
    one = kernel()
    uncapped = await plan(one, Policy(guard=CELL, budget=9))
    assert (uncapped.action, uncapped.session_id) == ("refuse", None)
    assert "the budget of this cell is 9 ACU, and this session has no cap; give it one with --max-acu N" in uncapped.why
    assert "= 10" in (await plan(one, Policy(guard=CELL, budget=9), max_acu=10)).why
    assert (await plan(one, Policy(guard=CELL, budget=9), max_acu=9)).action == "create"
    budget(one.journal, CELL.notebook, 3, now=1.0)
    assert (await plan(one, max_acu=5)).action == "refuse"
    budget(one.journal, CELL.notebook, "off", now=1.0)
    one.journal.flags.halt(now=1.0)
    assert "until you run %devin resume" in (await plan(one)).why


async def test_a_budget_that_is_only_looked_at_is_not_set(kernel: Any) -> None:
    one = kernel()
    await plan(one, Policy(guard=CELL, budget=1), max_acu=5)
    assert (await plan(one, max_acu=5)).action == "create"


async def test_the_budget_of_a_cell_ends_with_its_option(kernel: Any) -> None:
    one = kernel()
    with pytest.raises(BudgetExceeded):
        await one.start(policy=Policy(guard=CELL, budget=2), max_acu=5)
    assert (await plan(one, Policy(guard=CELL), max_acu=5)).action == "create"
    assert (await one.start(policy=Policy(guard=CELL), max_acu=5)).how == "created"


async def test_attaching_costs_nothing(kernel: Any) -> None:
    one = kernel()
    await one.start(max_acu=5)
    assert (await plan(one, max_acu=5)).costs == ("nothing: the session is there already",)


async def test_the_body_holds_words_for_addresses_that_uploads_will_get(kernel: Any) -> None:
    files = read_attachments([("report.csv", b"a,b"), "https://example.com/x.pdf"], {})
    body = (await plan(kernel(), attach=files)).body
    assert body["attachment_urls"] == ["(the address of report.csv, once it is uploaded)", "https://example.com/x.pdf"]
