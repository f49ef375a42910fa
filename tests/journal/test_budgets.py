"""A budget counts what is consumed and what open turns may still consume, and refuses before a POST."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from kernels import CELL, POST, budget, remember, save_snapshot

from devin_jupyter.errors import BudgetExceeded, OptionError
from devin_jupyter.journal import Journal
from devin_jupyter.models.snapshot import CellRef, Policy, batch_scope, notebook_scope

ROUTE = "POST /v3/organizations/{org_id}/sessions/{devin_id}/messages"
SCOPE = notebook_scope(CELL.notebook)
NO_GUARD = Policy(guard=CELL)


def test_open_turns_reserve_their_caps_and_ended_ones_what_they_cost(folder: Path) -> None:
    journal = Journal(folder)
    fields: dict[str, Any] = {"scopes": (SCOPE,), "max_acu": 5}
    for name, acus, over in (("a", 2.0, True), ("b", 1.5, False), ("c", None, False), ("d", None, True)):
        save_snapshot(journal, remember(journal, name, **fields), acus=acus, over=over)
    account = budget(journal, CELL.notebook, 30, now=1.0)
    assert (account.consumed, account.reserved, account.n_open, account.left) == (8.5, 8.5, 2, 13.0)
    assert str(account) == (
        "the budget of the notebook audit.ipynb: 8.5 of 30 ACU spent, 2 running may take 8.5 more; 13 left"
    )


async def test_it_refuses_before_the_post_with_the_arithmetic(kernel: Any, simulator: Any) -> None:
    one = kernel()
    budget(one.journal, CELL.notebook, 8, now=1.0)
    await one.start("one", policy=NO_GUARD, max_acu=5)
    with pytest.raises(BudgetExceeded) as caught:
        await one.start("two", policy=NO_GUARD, max_acu=4)
    assert caught.value.message.startswith("the budget of the notebook audit.ipynb is 8 ACU: ")
    assert caught.value.message.endswith(" + 4 for this one = 9")
    assert caught.value.hint == "raise the budget to 9, or lower --max-acu to 3, or wait until open turns are over"
    assert simulator.requests(POST) == 1
    assert (await one.start("three", policy=NO_GUARD, max_acu=3)).how == "created"


async def test_a_turn_that_ended_meanwhile_frees_what_it_did_not_use(kernel: Any, simulator: Any) -> None:
    one = kernel()
    budget(one.journal, CELL.notebook, 8, now=1.0)
    await one.start("one", policy=NO_GUARD, max_acu=5)
    simulator.clock(500)
    assert (await one.start("two", policy=NO_GUARD, max_acu=5)).how == "created"


async def test_attaching_costs_nothing(kernel: Any) -> None:
    one = kernel()
    await one.start(policy=NO_GUARD, max_acu=5)
    budget(one.journal, CELL.notebook, 1, now=1.0)
    assert (await one.start(policy=NO_GUARD, max_acu=5)).how == "attached"


async def test_a_session_without_a_cap_cannot_start_under_a_budget(kernel: Any, simulator: Any) -> None:
    one = kernel()
    budget(one.journal, CELL.notebook, 100, now=1.0)
    with pytest.raises(BudgetExceeded, match="this session has no cap") as caught:
        await one.start(policy=NO_GUARD)
    assert "--max-acu" in caught.value.hint
    assert simulator.requests(POST) == 0


async def test_an_open_session_without_a_cap_lets_nothing_be_promised(kernel: Any) -> None:
    one = kernel()
    first = await one.start("one", policy=NO_GUARD)
    budget(one.journal, CELL.notebook, 100, now=1.0)
    with pytest.raises(BudgetExceeded, match=f"{first.session_id} is running without a cap"):
        await one.start("two", policy=NO_GUARD, max_acu=5)
    said = str(budget(one.journal, CELL.notebook, now=2.0))
    assert said.endswith(f"100 left; {first.session_id} is running without a cap, so nothing can start")
    assert "nothing can start" not in str(budget(one.journal, CELL.notebook, "off", now=3.0))


async def test_setting_it_again_never_resets_what_was_spent_and_it_survives_restarts(
    kernel: Any, simulator: Any
) -> None:
    one = kernel()
    await one.start("one", policy=NO_GUARD, max_acu=5)
    simulator.clock(500)
    spent = (await one.start("one", policy=NO_GUARD, max_acu=5)).snapshot.acus
    budget(one.journal, CELL.notebook, 20, now=1.0)
    budget(one.journal, CELL.notebook, 20, now=2.0)
    account = budget(kernel().journal, CELL.notebook, now=3.0)
    assert (account.limit, account.consumed) == (20, pytest.approx(spent))
    assert budget(one.journal, CELL.notebook, "off", now=4.0).limit is None


async def test_a_cells_own_budget_counts_its_takes(kernel: Any, simulator: Any) -> None:
    one = kernel()
    cell = Policy(guard=CELL, budget=8)
    await one.start(policy=cell, max_acu=5)
    with pytest.raises(BudgetExceeded, match="the budget of this cell is 8 ACU"):
        await one.start(policy=cell, max_acu=5, take="2")
    other = Policy(guard=CellRef(notebook=CELL.notebook, cell_id="c2"), budget=8)
    assert (await one.start("other", policy=other, max_acu=5)).how == "created"


async def test_a_batch_has_a_budget_of_its_own(kernel: Any) -> None:
    one = kernel()
    one.journal.budgets.set(batch_scope("upgrade"), 6, now=1.0)
    policy = Policy(guard=CELL, batch="upgrade")
    await one.start("row 1", policy=policy, max_acu=5)
    with pytest.raises(BudgetExceeded, match="the budget of the batch upgrade"):
        await one.start("row 2", policy=policy, max_acu=5)


async def test_two_kernels_cannot_both_have_the_last_acu(kernel: Any, simulator: Any) -> None:
    budget(kernel().journal, CELL.notebook, 12, now=1.0)
    starts = [kernel().start(f"row {number}", policy=NO_GUARD, max_acu=5) for number in range(6)]
    results = await asyncio.gather(*starts, return_exceptions=True)
    assert sum(isinstance(item, BudgetExceeded) for item in results) == 4
    assert simulator.stats()["sessions"] == 2


async def test_a_refused_start_frees_its_reservation(kernel: Any, simulator: Any) -> None:
    one = kernel()
    budget(one.journal, CELL.notebook, 8, now=1.0)
    route = {"method": "POST", "route": "/v3/organizations/{org_id}/sessions"}
    simulator.faults({**route, "kind": "status", "status": 422, "times": 1})
    with pytest.raises(Exception, match="422"):
        await one.start("one", policy=NO_GUARD, max_acu=5)
    assert one.journal.budgets.account(SCOPE).reserved == 0


async def test_a_message_reserves_again(kernel: Any, simulator: Any) -> None:
    one = kernel()
    first = await one.start("one", policy=NO_GUARD, max_acu=5)
    simulator.clock(500)
    await one.start("one", policy=NO_GUARD, max_acu=5)
    account = budget(one.journal, CELL.notebook, 5, now=1.0)
    assert (account.reserved, account.n_open) == (0, 0)
    await one.messenger.send(first.session_id, "more", cell=CELL)
    account = one.journal.budgets.account(SCOPE)
    assert account.consumed + account.reserved == pytest.approx(5)
    budget(one.journal, CELL.notebook, 3, now=1.0)
    with pytest.raises(BudgetExceeded):
        await one.messenger.send(first.session_id, "and more", cell=CELL)
    assert simulator.requests(ROUTE) == 1


async def test_before_a_budget_refuses_a_message_the_open_sessions_are_looked_at(kernel: Any, simulator: Any) -> None:
    one = kernel()
    first = await one.start("one", policy=NO_GUARD, max_acu=5)
    await one.start("two", policy=NO_GUARD, max_acu=5)
    budget(one.journal, CELL.notebook, 8, now=1.0)
    with pytest.raises(BudgetExceeded):
        await one.messenger.send(first.session_id, "more", cell=CELL)
    simulator.clock(500)  # the second is over by now, for less than its cap
    assert (await one.messenger.send(first.session_id, "more", cell=CELL)).how == "sent"


async def test_a_message_to_a_session_of_another_notebook_counts_from_there_on(kernel: Any, simulator: Any) -> None:
    one = kernel()
    elsewhere = CellRef(notebook="/work/other.ipynb", cell_id="x")
    first = await one.start("one", policy=Policy(guard=elsewhere), max_acu=5)
    simulator.clock(500)
    before = (await one.start("one", policy=Policy(guard=elsewhere), max_acu=5)).snapshot.acus
    budget(one.journal, CELL.notebook, 5, now=1.0)
    await one.messenger.send(first.session_id, "more", cell=CELL)
    account = one.journal.budgets.account(SCOPE)
    assert account.consumed + account.reserved == pytest.approx(5 - before)


async def test_a_message_to_a_session_without_a_cap_is_refused_under_a_budget(kernel: Any, simulator: Any) -> None:
    one = kernel()
    first = await one.start("one", policy=NO_GUARD)
    budget(one.journal, CELL.notebook, 50, now=1.0)
    with pytest.raises(BudgetExceeded, match="has no cap that is known here"):
        await one.messenger.send(first.session_id, "more", cell=CELL)
    assert simulator.requests(ROUTE) == 0


@pytest.mark.parametrize("said", [0, -1, "lots", float("nan"), float("inf"), True])
def test_a_budget_is_a_number_above_0(folder: Path, said: Any) -> None:
    with pytest.raises(OptionError):
        budget(Journal(folder), "n", said, now=1.0)


async def test_v1_reports_no_cost_so_every_cap_counts_in_full(kernel: Any, simulator: Any) -> None:
    one = kernel(api_version="v1", api_key=simulator.v1_key)
    budget(one.journal, CELL.notebook, 8, now=1.0)
    await one.start("one", policy=NO_GUARD, max_acu=5)
    simulator.clock(500)
    with pytest.raises(BudgetExceeded, match="5 spent"):
        await one.start("two", policy=NO_GUARD, max_acu=5)
