"""What a batch has cost never shrinks and is the same everywhere; under a budget rows start in their order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from batches.batch_client import POST, BatchClient

from devin_jupyter.batches.batch import runner_of
from devin_jupyter.errors import NoAttribute, NotCalled, OptionError, TemplateError
from devin_jupyter.models.snapshot import batch_scope

ROWS = pd.DataFrame({"repo": [f"acme/r{n}" for n in range(4)], "how": ["finished", "fail", "fail", "finished"]})


def upgrade(client: BatchClient, rows: Any = ROWS, **options: Any) -> Any:
    said = {"tags": ["sim:{{ row.how }}"], "max_acu": 5, "name": "up", **options}
    return client.map("Upgrade {{ row.repo }}", rows, **said)


def test_spend_only_grows_and_is_one_number_everywhere(new_client: Callable[..., BatchClient]) -> None:
    client = new_client()
    batch = upgrade(client, budget=100).wait()
    seen = [batch.acus]
    for take in (2, 3):
        batch.retry(take=take).wait()
        seen.append(batch.acus)
    again = upgrade(new_client(), budget=100).wait()

    assert seen == sorted(set(seen))
    account = client.core.journal.budgets.account(batch_scope(runner_of(batch).key))
    earlier = batch.tally.acus_earlier
    spent = f"{batch.acus:.2f}".rstrip("0").rstrip(".") + f" of 100 ACU ({earlier:g} in earlier takes)"
    assert earlier > 0
    for one in (batch, again):
        assert one.acus == pytest.approx(account.consumed)
        assert one.frame()["acus"].sum() == pytest.approx(one.acus)
        assert one.frame()["acus_earlier"].sum() == pytest.approx(earlier)
        assert spent in repr(one)
        assert spent in one._repr_mimebundle_()["text/plain"]
        assert one.panel().header["spent"] == spent


def test_rows_that_share_a_session_have_its_cost_once(client: BatchClient) -> None:
    batch = upgrade(client, pd.concat([ROWS.iloc[:1]] * 3, ignore_index=True)).wait()

    assert batch.frame()["acus"].tolist() == [batch.acus, 0.0, 0.0]


def test_what_an_earlier_template_cost_still_counts(client: BatchClient) -> None:
    first = upgrade(client).wait().acus
    edited = client.map("Lift {{ row.repo }}", ROWS, name="up", max_acu=5, beside=True).wait()

    assert edited.acus > first
    assert edited.tally.acus_earlier == pytest.approx(first)


@pytest.mark.parametrize("where", ["batch", "notebook"])
def test_under_a_budget_rows_start_in_their_order(client: BatchClient, simulator: Any, where: str) -> None:
    rows = pd.DataFrame({"repo": [f"acme/r{n}" for n in range(9)], "how": ["finished"] * 9})
    options: dict[str, Any] = {"budget": 6} if where == "batch" else {}
    if where == "notebook":
        from devin_jupyter.host import host
        from devin_jupyter.models.snapshot import notebook_scope

        client.core.journal.budgets.set(notebook_scope(host().notebook), 6, now=1.0)
    batch = upgrade(client, rows, max_acu=4, max_parallel=9, **options).wait()

    has_session = batch.frame()["session_id"].notna().tolist()
    assert has_session == sorted(has_session, reverse=True)
    assert not all(has_session)
    started = [session.snapshot.created_at for session in batch.sessions]
    assert started == sorted(started)
    assert simulator.requests(POST) == sum(has_session)


def test_a_template_that_does_not_use_the_row_is_refused(client: BatchClient, simulator: Any) -> None:
    with pytest.raises(OptionError, match="the prompt does not use the row: all 4 rows would be one session") as no:
        client.map("Upgrade", ROWS)
    assert no.value.hint == "write {{ row.repo }} in the prompt; for one session: %%devin without --each, or dj.create"
    with pytest.raises(OptionError, match="only --tags uses the row, and gives every row the same session"):
        client.map("Upgrade", ROWS, tags=["{{ row.repo }}"])
    with pytest.raises(OptionError, match=r"write \{\{ row \}\}|all 2 rows"):
        client.map("Upgrade", ["a", "b"])
    assert simulator.requests(POST) == 0
    assert len(client.map("Upgrade", ["a", "a"]).wait().sessions) == 1


def test_an_empty_cell_leaves_the_option_out_for_its_row(client: BatchClient) -> None:
    rows = pd.DataFrame(
        {
            "repo": ["acme/a", "acme/b", "acme/c"],
            "team": ["web", None, ""],
            "title": [None, "B", "C"],
            "cap": [3, None, 4],
        }
    )
    options: dict[str, Any] = {
        "tags": ["all", "team:{{ row.team }}"],
        "title": "{{ row.title }}",
        "repos": "{{ row.repo }}",
    }
    batch = client.map("Upgrade {{ row.repo }}", rows, max_acu="{{ row.cap }}", **options)

    requests = [job.item.request for job in runner_of(batch.wait()).jobs]
    assert [request.options["tags"] for request in requests] == [("all", "team:web"), ("all",), ("all", "team:")]
    assert [request.options.get("title") for request in requests] == [None, "B", "C"]
    assert [request.max_acu for request in requests] == [3, None, 4]


def test_only_rows_that_would_run_are_checked_first(new_client: Callable[..., BatchClient], simulator: Any) -> None:
    rows = pd.DataFrame({"repo": ["acme/a", "acme/b", None, "acme/d", None]})
    pilot = new_client().map("Upgrade {{ row.repo }}", rows, limit=2, name="up").wait()

    assert "rows 2, 4 beyond limit= cannot be started yet: {{ row.repo }} cannot be filled" in pilot.notice
    assert pilot.frame()["phase"].tolist() == ["done", "done", "waiting", "waiting", "waiting"]
    assert pilot.frame()["error"].notna().tolist() == [False, False, True, False, True]
    found = new_client().find("up").resume(all_rows=True).wait()
    assert found.phase_counts == {"done": 3, "refused": 2}
    assert simulator.requests(POST) == 3
    with pytest.raises(TemplateError) as refused:
        new_client().map("Upgrade {{ row.repo }}", rows, limit=3, name="up")
    assert "(in row 2)" in refused.value.message
    assert refused.value.hint == "give it a value, or write {{ row.repo or '…' }}"


def test_a_retry_without_anything_to_do_says_so(client: BatchClient) -> None:
    batch = upgrade(client, ROWS.iloc[:2]).wait()
    assert batch.retry(phase="asleep").notice == "Nothing to retry: no row is asleep."
    batch.retry().wait().retry()
    assert batch.notice == "Nothing to retry: row 1 had take 2 already; take=3 tries once more."
    assert batch.notice in batch._repr_mimebundle_()["text/plain"]


def test_frame_is_a_method_and_wrong_names_are_answered_with_right_ones(client: BatchClient) -> None:
    batch = upgrade(client, ROWS.iloc[:1]).wait()
    for use, hint in [
        (lambda: batch.frame["acus"], "write .frame()['acus']"),
        (lambda: batch.frame.phase, "write .frame().phase"),
        (lambda: len(batch.frame), "write .frame()"),
        (lambda: list(batch.frame), "write .frame()"),
    ]:
        with pytest.raises(NotCalled) as refused:
            use()
        assert refused.value.lines == [".frame is a method", hint]
    assert "bound method" in repr(batch.frame)
    assert not hasattr(batch.frame, "_missing")
    session = batch.sessions[0]
    for thing, wrong, right in [
        (session, "cost", ".acus"),
        (session, "prs", ".pull_requests"),
        (session, "state", ".phase"),
        (session, "cancel", ".stop()"),
        (session, "tittle", ".title"),
        (batch, "df", ".frame()"),
        (batch, "cost", ".acus"),
    ]:
        with pytest.raises(NoAttribute) as unknown:
            getattr(thing, wrong)
        assert isinstance(unknown.value, AttributeError)
        assert unknown.value.message.endswith(f"has no attribute '{wrong}' (did you mean {right}?)")
    with pytest.raises(NoAttribute, match="no attribute 'qqq'") as nothing:
        session.qqq  # noqa: B018
    assert "pull_requests" in nothing.value.hint
    assert not hasattr(session, "_private")
