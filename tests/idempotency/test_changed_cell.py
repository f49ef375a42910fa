"""An edited cell does not start a second session while its first is at work, unless somebody says so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from kernels import CELL, CREATE, POST, budget, call_api, kill_after_post

from devin_jupyter.errors import BudgetExceeded, Forbidden, SessionChanged
from devin_jupyter.idempotency.dry_run import plan as plan_of
from devin_jupyter.models.snapshot import CellRef, Policy
from devin_jupyter.request import SessionRequest, read_attachments

REPLACE = Policy(guard=CELL, interactive=True, replace=True)
LONG = "audit every public endpoint of the API and list what lacks a test"


async def test_it_is_refused_before_the_post_with_its_size_and_three_ways(kernel: Any, simulator: Any) -> None:
    one = kernel()
    first = await one.start(LONG)
    with pytest.raises(SessionChanged) as caught:
        await one.start(LONG.replace("public endpoint", "private route quickly"))
    assert caught.value.message.startswith("You edited this cell while its session is still running (devin-")
    assert [line.split()[0] for line in caught.value.hint.splitlines()] == ["--to", "--replace", "--beside"]
    assert first.session_id in caught.value.message
    assert caught.value.consequence.endswith("nothing was sent and nothing was paid")
    assert all(way in caught.value.hint for way in (f"--to {first.session_id} ", "--replace ", "--beside "))
    assert simulator.requests(POST) == 1


async def test_the_text_changed_back_attaches_again(kernel: Any) -> None:
    one = kernel()
    first = await one.start(LONG)
    with pytest.raises(SessionChanged):
        await one.start("other")
    assert (await one.start(LONG)).session_id == first.session_id


async def test_beside_goes_ahead_and_says_so(kernel: Any, simulator: Any) -> None:
    one = kernel()
    first = await one.start(LONG)
    second = await one.start("other", policy=Policy(guard=CELL, interactive=True, beside=True))
    assert f"the earlier session of this cell, {first.session_id} (" in second.notice
    assert second.notice.endswith("keeps running")
    assert simulator.requests(POST) == 2


async def test_replace_stops_the_earlier_one_and_a_rerun_attaches(kernel: Any, simulator: Any) -> None:
    one = kernel()
    first = await one.start(LONG)
    second = await one.start("other", policy=REPLACE)
    assert second.notice.startswith(f"stopped the earlier session of this cell, {first.session_id} (")
    assert call_api(simulator, "GET", f"/sessions/{first.session_id}")["status"] == "exit"
    assert (await one.start("other", policy=REPLACE)).how == "attached"
    assert (simulator.requests(POST), one.journal.record(first.session_id).terminated) == (2, True)


def is_at_work(simulator: Any, session_id: str) -> bool:
    return bool(call_api(simulator, "GET", f"/sessions/{session_id}")["status"] != "exit")


async def test_a_budget_that_refuses_the_new_session_leaves_the_earlier_one_at_work(
    kernel: Any, simulator: Any
) -> None:
    one = kernel()
    budget(one.journal, CELL.notebook, 20, now=1.0)
    first = await one.start(LONG, max_acu=5)
    for cap in (None, 50):
        with pytest.raises(BudgetExceeded):
            await one.start("other", policy=REPLACE, max_acu=cap)
    assert is_at_work(simulator, first.session_id)


async def test_a_file_that_cannot_be_uploaded_leaves_the_earlier_one_at_work(kernel: Any, simulator: Any) -> None:
    one = kernel()
    first = await one.start(LONG)
    simulator.faults(
        {"method": "POST", "route": "/v3/organizations/{org_id}/attachments", "kind": "status", "status": 403}
    )
    with pytest.raises(Forbidden):
        await one.start("other", policy=REPLACE, attach=read_attachments([("a.csv", b"a")], {}))
    assert is_at_work(simulator, first.session_id)


async def test_what_the_stopped_session_has_reserved_is_free_for_the_new_one(kernel: Any, simulator: Any) -> None:
    one = kernel()
    budget(one.journal, CELL.notebook, 6, now=1.0)
    await one.start(LONG, max_acu=5)
    assert (await one.start("other", policy=REPLACE, max_acu=5)).how == "created"


async def test_an_error_after_the_stop_says_what_was_stopped(kernel: Any, simulator: Any) -> None:
    one = kernel()
    first = await one.start(LONG)
    simulator.faults({**CREATE, "kind": "status", "status": 403})
    with pytest.raises(Forbidden) as caught:
        await one.start("other", policy=REPLACE)
    assert f"{first.session_id} was stopped first" in caught.value.consequence
    assert caught.value.consequence in str(caught.value)


async def test_a_session_that_cannot_be_stopped_leaves_nothing_reserved(kernel: Any, simulator: Any) -> None:
    one = kernel()
    await one.start(LONG)
    simulator.faults({"method": "DELETE", "kind": "status", "status": 403})
    with pytest.raises(Forbidden):
        await one.start("other", policy=REPLACE)
    assert (simulator.requests(POST), one.journal.intents.all()) == (1, [])


async def test_an_edit_after_the_turn_says_that_it_started_a_new_session_and_how_to_get_the_earlier(
    kernel: Any, simulator: Any
) -> None:
    one = kernel()
    first = await one.start(LONG)
    simulator.clock(500)
    second = await one.start("other")
    assert second.how == "created"
    assert second.notice.startswith(
        f"started a new session (no cap), because this cell was edited; the earlier one, {first.session_id} (replied, "
    )
    assert second.notice.endswith(f' ACU), stays: undo the edit, or dj.get("{first.session_id}")')
    assert "\n" not in second.notice
    simulator.clock(500)
    capped = await one.start("a third", max_acu=5)
    assert capped.notice.startswith("started a new session (cap 5 ACU), because this cell was edited; ")


async def test_one_that_was_stopped_is_over(kernel: Any, simulator: Any) -> None:
    one = kernel()
    first = await one.start(LONG)
    simulator.clock(100)  # by now it has cost something; the cost of one that has hardly worked is unknown
    await one.api.sessions.terminate(first.session_id)
    one.journal.mark_terminated(first.session_id)
    second = await one.start("other")
    assert f"; the earlier one, {first.session_id} (stopped, " in second.notice


async def test_cells_without_an_id_are_called_by_the_name_they_bind(kernel: Any, simulator: Any) -> None:
    one, cell = kernel(), CellRef(notebook="/work", out="k")
    first = await one.start(LONG, policy=Policy(guard=cell))
    asked = SessionRequest(prompt="something else")
    at_keyboard = Policy(guard=cell, interactive=True)
    with pytest.raises(SessionChanged) as caught:
        await one.start("something else", policy=at_keyboard)
    assert caught.value.message.startswith(
        "the cell with -o k asked for something else before, and its session is still running (devin-"
    )
    plan = await plan_of(one.creator, asked, at_keyboard)
    assert plan.why.startswith("the cell with -o k asked for something else before, and devin-")
    assert plan.why.endswith(" is working (words: 2 added, 13 of 13 removed, first at 'something')")
    beside = await one.start("something else", policy=Policy(guard=cell))
    assert beside.notice.startswith(f"a second session of the cell with -o k: the earlier one, {first.session_id} (")
    assert f"; %devin stop {first.session_id} ends it" in beside.notice
    replaced = await one.start("a third", policy=Policy(guard=cell, replace=True))
    assert replaced.notice.startswith(f"stopped the earlier session of the cell with -o k, {beside.session_id} (")


async def test_where_nobody_can_click_it_goes_ahead(kernel: Any, simulator: Any) -> None:
    one = kernel()
    await one.start(LONG)
    assert (await one.start("other", policy=Policy(guard=CELL, interactive=False))).how == "created"


async def test_a_further_take_is_not_a_change(kernel: Any) -> None:
    one = kernel()
    await one.start(LONG)
    assert (await one.start(LONG, take="2")).how == "created"


async def test_without_a_cell_id_the_name_it_binds_tells_the_cell(kernel: Any) -> None:
    one = kernel()
    named = CellRef(notebook="/work/audit.ipynb", out="audit")
    await one.start(LONG, policy=Policy(guard=named, interactive=True))
    with pytest.raises(SessionChanged):
        await one.start("other", policy=Policy(guard=named, interactive=True))
    elsewhere = CellRef(notebook="/work/other.ipynb", out="audit")
    assert (await one.start("other", policy=Policy(guard=elsewhere, interactive=True))).how == "created"


async def test_cells_that_cannot_be_named_are_not_guarded(kernel: Any) -> None:
    one = kernel()
    nameless = Policy(guard=CellRef(notebook="/work/audit.ipynb"), interactive=True)
    await one.start(LONG, policy=nameless)
    assert (await one.start("other", policy=nameless)).how == "created"


async def test_changed_options_count_as_a_change_too(kernel: Any) -> None:
    one = kernel()
    await one.start(LONG)
    with pytest.raises(SessionChanged, match="You edited this cell"):
        await one.start(LONG, mode="fast")


async def test_a_session_that_a_dead_kernel_started_guards_its_cell(kernel: Any, simulator: Any) -> None:
    one = kernel()
    simulator.faults({**CREATE, "kind": "drop_after"})
    kill_after_post(one)
    with pytest.raises(RuntimeError):
        await one.start(LONG)
    simulator.faults()
    with pytest.raises(SessionChanged):
        await kernel().start("other")
    assert simulator.stats()["sessions"] == 1


def run(number: int, text: str = "the text", **fields: Any) -> Policy:
    """Return the policy of a run of the cell, by its number and its own text."""
    cell = replace(CELL, execution=f"run {number}", source=text)
    return Policy(guard=cell, interactive=True, **fields)


async def test_what_one_run_of_a_cell_starts_is_no_edit_of_each_other_and_a_rerun_attaches(
    kernel: Any, simulator: Any
) -> None:
    one = kernel()
    first = [await one.start(f"audit {name}", policy=run(1)) for name in "abc"]
    assert {item.how for item in first} == {"created"}
    again = [await one.start(f"audit {name}", policy=run(2)) for name in "abc"]
    assert [item.session_id for item in again] == [item.session_id for item in first]
    more = [await one.start(f"audit {name}", policy=run(3)) for name in "dabc"]  # a longer list, in another order
    assert [item.how for item in more] == ["created", "attached", "attached", "attached"]
    assert simulator.requests(POST) == 4


async def test_an_edit_of_a_loop_is_refused_while_its_sessions_work(kernel: Any, simulator: Any) -> None:
    one = kernel()
    for name in "ab":
        await one.start(f"audit {name}", policy=run(1))
    with pytest.raises(SessionChanged, match="You edited this cell"):
        await one.start("check a", policy=run(2, "another text"))
    assert simulator.requests(POST) == 2


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ("audit api", "audit web and app", "words: 3 added, 1 of 2 removed, first at 'web'"),
        ("audit\n- api\n- web", "audit\n  - api\n  - web", "line breaks or indentation differ"),
        ("audit", "audit", "the text is the same: mode differs"),
    ],
)
async def test_a_refusal_says_what_differs_also_where_only_values_changed(
    kernel: Any, simulator: Any, before: str, now: str, said: str
) -> None:
    one, options = kernel(), {"mode": "fast"} if before == now else {}
    await one.start(before, policy=run(1))
    with pytest.raises(SessionChanged) as caught:
        await one.start(now, policy=run(2), **options)
    assert caught.value.message.startswith("What is filled in here has changed while the session for it is still")
    assert said in caught.value.consequence
    assert caught.value.hint.endswith("dj.create or dj.map start one for each value")
    with pytest.raises(SessionChanged, match="You edited this cell") as caught:
        await one.start(now, policy=run(3, "another text"), **options)
    assert said in caught.value.consequence
    assert "dj.map" not in caught.value.hint
    assert simulator.requests(POST) == 1
