"""A batch from the first row to the frame, against the simulator over HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from batches.batch_client import POST, SEND, BatchClient

from devin_jupyter.batches.batch import compare, runner_of
from devin_jupyter.batches.jobs import Stage
from devin_jupyter.errors import BudgetExceeded, OptionError, SessionChanged, TemplateError

pytestmark = pytest.mark.usefixtures("slow_lasts")
REPOS = pd.DataFrame({"repo": [f"acme/r{n}" for n in range(6)], "scenario": ["sim:finished"] * 6})


def upgrade(client: BatchClient, rows: Any = REPOS, **options: Any) -> Any:
    said = {"tags": ["{{ row.scenario }}"], "max_acu": 5, **options}
    return client.map("Upgrade {{ row.repo }}", rows, **said)


def acts(simulator: Any) -> dict[str, int]:
    """Every request that changed something, counted."""
    return {name: count for name, count in simulator.stats()["requests"].items() if not name.startswith("GET")}


def scenarios(*names: str) -> pd.DataFrame:
    return pd.DataFrame({"repo": [f"acme/r{n}" for n in range(len(names))], "scenario": [f"sim:{n}" for n in names]})


def test_every_row_ends_in_an_answer_beside_its_inputs(client: BatchClient, simulator: Any) -> None:
    batch = upgrade(client, schema="version:str, tests:passed|failed").wait()

    frame = batch.frame()
    assert list(frame.columns[:4]) == ["repo", "scenario", "version", "tests"]
    assert frame["phase"].tolist() == ["done"] * 6
    assert frame["provisional"].tolist() == [False] * 6
    assert frame["session_id"].is_unique
    assert simulator.stats()["sessions"] == 6
    assert batch.phase_counts == {"done": 6}
    assert batch.is_over


def test_running_the_cell_again_attaches_to_everything(new_client: Callable[..., BatchClient], simulator: Any) -> None:
    client = new_client()
    first = upgrade(client).wait()
    frame = first.frame()
    client.close()  # it may still look at what the live channel told last
    before = simulator.stats()

    again = upgrade(new_client())

    assert again.is_over
    assert again.notice == "6 rows have sessions already; nothing to start."
    assert simulator.stats() == before
    assert [s.id for s in again.sessions] == [s.id for s in first.sessions]
    pd.testing.assert_frame_equal(again.frame(), frame)


def test_another_machine_finds_everything_by_one_sweep(new_client: Callable[..., BatchClient], simulator: Any) -> None:
    upgrade(new_client()).wait()

    again = upgrade(new_client("elsewhere.db")).wait()

    assert again.notice.startswith("6 rows have sessions already")
    assert simulator.requests(POST) == 6
    assert again.frame()["phase"].tolist() == ["done"] * 6


@pytest.mark.parametrize("how", [{}, {"max_age": "1h"}], ids=["together", "one by one"])
def test_questions_and_answers_are_read_again_where_the_journal_is_new(
    new_client: Callable[..., BatchClient], simulator: Any, how: dict[str, Any]
) -> None:
    rows = scenarios("question", "finished", "question", "fail")
    one, other = new_client(), new_client("elsewhere.db")
    here = upgrade(one, rows, schema="none").wait()

    there = upgrade(other, rows, schema="none", **how).wait()

    assert there.questions == here.questions
    pd.testing.assert_frame_equal(there.frame(), here.frame())
    assert there[0].result() == here[0].result()
    one.close()
    other.close()  # it may still look at what the live channel told last
    before = simulator.stats()["requests"]["GET " + SEND.split()[1]]
    assert upgrade(new_client("elsewhere.db"), rows, schema="none").questions == here.questions
    assert simulator.stats()["requests"]["GET " + SEND.split()[1]] == before


def test_rows_added_later_cost_only_themselves(client: BatchClient, simulator: Any) -> None:
    upgrade(client, REPOS.iloc[:4]).wait()

    batch = upgrade(client, REPOS.iloc[::-1])

    assert batch.notice.startswith(
        "Starting 2 of 6 rows, 5 at a time. 4 rows have sessions already. At most 2 × 5 = 10 ACU."
    )
    batch.wait()
    assert simulator.requests(POST) == 6
    assert batch.frame()["repo"].tolist() == REPOS["repo"].tolist()[::-1]


def test_duplicate_rows_share_one_session(client: BatchClient, simulator: Any) -> None:
    rows = pd.concat([REPOS, REPOS.iloc[:2]], ignore_index=True)

    batch = upgrade(client, rows).wait()

    assert simulator.requests(POST) == 6
    assert len(batch.sessions) == 6
    assert len(batch.frame()) == 8
    assert batch.frame()["session_id"].tolist()[:2] == batch.frame()["session_id"].tolist()[6:]
    assert "2 duplicate rows share a session with another one." in batch.notice


def test_a_pilot_is_not_paid_again(client: BatchClient, simulator: Any) -> None:
    pilot = upgrade(client, limit=2).wait()
    assert pilot.phase_counts == {"done": 2, "waiting": 4}
    assert "Starting 2 of 6 rows (limit=2), 5 at a time." in pilot.notice

    rest = upgrade(client)

    assert rest.notice.startswith("Starting 4 of 6 rows")
    rest.wait()
    assert simulator.requests(POST) == 6


def test_a_pilot_can_go_on_by_itself(client: BatchClient, simulator: Any) -> None:
    batch = upgrade(client, limit=2).wait().resume(all_rows=True).wait()

    assert batch.phase_counts == {"done": 6}
    assert simulator.requests(POST) == 6


def test_without_a_schema_every_row_ends_in_the_report(client: BatchClient) -> None:
    batch = upgrade(client).wait()

    assert list(batch.frame().columns[2:5]) == ["outcome", "summary", "question"]
    assert set(batch.frame()["outcome"].dropna()) <= {"done", "needs_input", "failed"}


def test_with_schema_none_the_last_message_is_the_answer(client: BatchClient) -> None:
    batch = upgrade(client, schema="none").wait()

    assert batch.frame()["answer"].notna().all()


def test_no_more_turns_are_open_than_asked(client: BatchClient) -> None:
    seen = [0]
    batch = upgrade(client, max_parallel=2)
    batch.listen(lambda job: seen.append(batch.tally.open))

    batch.wait()

    assert max(seen) == 2


def test_many_at_a_time_are_started_a_few_at_once(client: BatchClient) -> None:
    seen = [0]
    batch = client.map("Upgrade {{ row }}", range(24), max_acu=5, max_parallel=24)
    batch.listen(lambda job: seen.append(sum(one.stage is Stage.STARTING for one in runner_of(batch).jobs)))

    batch.wait()

    assert batch.phase_counts == {"done": 24}
    assert max(seen) <= 16


def test_a_missing_column_stops_the_cell_before_anything_is_sent(client: BatchClient, simulator: Any) -> None:
    with pytest.raises(TemplateError, match="no column 'scenario'"):
        upgrade(client, REPOS[["repo"]])

    assert simulator.requests(POST) == 0


def test_a_column_that_occurs_twice_stops_the_cell_and_a_prefix_helps(client: BatchClient, simulator: Any) -> None:
    rows = REPOS.assign(version="3.11")
    with pytest.raises(OptionError, match="version") as refused:
        upgrade(client, rows, schema="version:str")
    assert "--prefix" in refused.value.hint
    assert simulator.requests(POST) == 0

    batch = upgrade(client, rows, schema="version:str", prefix="new_").wait()

    assert list(batch.frame().columns[:4]) == ["repo", "scenario", "version", "new_version"]


def test_more_than_ten_rows_without_a_bound_are_refused(client: BatchClient, simulator: Any) -> None:
    with pytest.raises(BudgetExceeded, match="11 sessions, all without a cap"):
        client.map("Upgrade {{ row }}", range(11))

    assert simulator.requests(POST) == 0


def test_an_edited_template_over_answered_rows_is_refused_with_the_arithmetic(
    client: BatchClient, simulator: Any
) -> None:
    batch = client.map("Upgrade {{ row.repo }}", REPOS, name="up", max_acu=5).wait()

    with pytest.raises(SessionChanged) as refused:
        client.map("Upgrade {{ row.repo }} at once", REPOS, name="up", max_acu=5)

    assert "6 of 6 rows already have answers" in refused.value.message
    assert "up to 30 ACU" in refused.value.consequence
    assert batch.paused is None
    assert "--key" in refused.value.hint
    assert "--beside" in refused.value.hint
    assert simulator.requests(POST) == 6


def test_with_a_key_answered_rows_stay_and_only_the_others_use_the_new_text(
    new_client: Callable[..., BatchClient], simulator: Any
) -> None:
    client = new_client()
    client.map("Upgrade {{ row.repo }}", REPOS, name="up", max_acu=5, limit=4).wait()

    edited: dict[str, Any] = {"name": "up", "max_acu": 5, "key": "{{ row.repo }}"}
    batch = client.map("Upgrade {{ row.repo }} at once", REPOS, **edited)

    assert batch.notice.startswith("Starting 2 of 6 rows")
    batch.wait()
    assert simulator.requests(POST) == 6
    prompts = [session.messages[0].text for session in batch.sessions]
    assert [prompt.endswith("at once") for prompt in prompts] == [False] * 4 + [True] * 2
    elsewhere = new_client("elsewhere.db").map("Upgrade {{ row.repo }} now", REPOS, **edited)
    assert elsewhere.notice.startswith("6 rows have sessions already")


def test_another_key_starts_every_row_anew(client: BatchClient, simulator: Any) -> None:
    weekly: dict[str, Any] = {"name": "audit", "max_acu": 5}
    first = client.map("Audit {{ row.repo }}", REPOS, key="w49 {{ row.repo }}", **weekly).wait()

    second = client.map("Audit {{ row.repo }} again", REPOS, key="w50 {{ row.repo }}", **weekly).wait()

    assert simulator.requests(POST) == 12
    assert not {session.id for session in first} & {session.id for session in second}
    assert client.map("Audit {{ row.repo }}", REPOS, key="w49 {{ row.repo }}", **weekly).notice.startswith(
        "6 rows have sessions already"
    )


@pytest.mark.parametrize("earlier", [{"key": "{{ row.repo }}"}, {}])
def test_a_key_keeps_no_answers_to_another_schema(client: BatchClient, simulator: Any, earlier: dict[str, Any]) -> None:
    client.map("Upgrade {{ row.repo }}", REPOS, name="up", max_acu=5, **earlier).wait()

    with pytest.raises(SessionChanged, match="6 of 6 rows already have answers") as refused:
        client.map("Upgrade {{ row.repo }}", REPOS, name="up", max_acu=5, key="{{ row.repo }}", schema="ok:bool")

    assert "--key" not in refused.value.hint
    assert simulator.requests(POST) == 6


def test_beside_runs_the_edited_template_for_every_row(client: BatchClient, simulator: Any) -> None:
    client.map("Upgrade {{ row.repo }}", REPOS, name="up", max_acu=5).wait()

    client.map("Upgrade {{ row.repo }} at once", REPOS, name="up", max_acu=5, beside=True).wait()

    assert simulator.requests(POST) == 12


def test_rows_that_were_never_started_may_be_edited_freely(client: BatchClient, simulator: Any) -> None:
    client.map("Upgrade {{ row.repo }}", REPOS, name="up", max_acu=5, limit=1).wait()

    with pytest.raises(SessionChanged, match="1 of 6 rows"):
        client.map("Upgrade {{ row.repo }}!", REPOS, name="up", max_acu=5)
    client.map("Upgrade {{ row.repo }}!", REPOS.iloc[1:], name="up", max_acu=5).wait()

    assert simulator.requests(POST) == 6


def test_a_retry_is_take_two_once(new_client: Callable[..., BatchClient], simulator: Any) -> None:
    rows = scenarios("finished", "fail", "fail")
    batch = upgrade(new_client(), rows).wait()
    assert batch.phase_counts == {"done": 1, "failed": 2}

    batch.retry(phase="failed").wait()
    assert batch.notice == "Take 2: starting 2 rows. At most 2 × 5 = 10 ACU."
    assert simulator.requests(POST) == 5

    batch.retry(phase="failed").wait()
    assert batch.notice == "Nothing to retry: rows 1, 2 had take 2 already; take=3 tries once more."
    again = upgrade(new_client(), rows).wait()
    again.retry(phase="failed").wait()
    assert again.notice == "Nothing to retry: rows 1, 2 had take 2 already; take=3 tries once more."
    assert [s.id for s in again.sessions] == [s.id for s in batch.sessions]
    elsewhere = upgrade(new_client("elsewhere.db"), rows).wait().retry(phase="failed").wait()
    assert elsewhere.notice == "Take 2: 2 rows had a session for it already; nothing to start."
    assert [s.id for s in elsewhere.sessions] == [s.id for s in batch.sessions]
    assert simulator.requests(POST) == 5

    again.retry(phase="failed", take=3).wait()
    assert simulator.requests(POST) == 7


def test_a_retry_in_a_paused_batch_starts_no_other_row_than_those_it_is_about(
    client: BatchClient, simulator: Any
) -> None:
    batch = upgrade(client, scenarios(*["fail"] * 9), max_parallel=1, max_failures=2).wait()
    first = {session.id for session in batch.sessions}

    batch.retry(phase="failed").wait()

    assert batch.phase_counts == {"failed": 2, "waiting": 7}
    assert first.isdisjoint(session.id for session in batch.sessions)
    assert "2 consecutive rows failed" in batch.paused
    assert simulator.requests(POST) == 4
    batch.resume().wait()
    assert batch.phase_counts == {"failed": 4, "waiting": 5}


def test_what_ends_a_retry_is_said_and_not_what_paused_the_batch_before(client: BatchClient, simulator: Any) -> None:
    batch = upgrade(client, scenarios(*["fail"] * 4), max_parallel=1, max_failures=2).wait()
    client.core.journal.halt(now=1.0)

    batch.retry(phase="failed").wait()

    assert "until you run %devin resume" in batch.paused
    assert simulator.requests(POST) == 2


def test_five_failures_in_a_row_pause_the_batch_until_it_is_resumed(client: BatchClient, simulator: Any) -> None:
    batch = upgrade(client, scenarios(*["fail"] * 9), max_parallel=1).wait()

    assert "5 consecutive rows failed" in batch.paused
    assert batch.phase_counts == {"failed": 5, "waiting": 4}
    batch.resume().wait()
    assert batch.phase_counts == {"failed": 9}
    assert simulator.requests(POST) == 9


def test_an_exhausted_account_pauses_the_batch(client: BatchClient) -> None:
    batch = upgrade(client, scenarios(*["credits"] * 4), max_parallel=1).wait()

    assert "out_of_credits" in batch.paused
    assert batch.phase_counts == {"blocked": 1, "waiting": 3}


def test_a_median_above_the_limit_pauses_the_batch(client: BatchClient) -> None:
    batch = upgrade(client, max_parallel=1, max_median=0.001).wait()

    assert "median cost of the 3 sessions" in batch.paused
    assert batch.phase_counts == {"done": 3, "waiting": 3}


def test_questions_are_listed_and_answered_together_once(client: BatchClient, simulator: Any) -> None:
    rows = scenarios("question", "finished", "question").set_index("repo", drop=False).rename_axis(None)
    batch = upgrade(client, rows, schema="version:str").wait()

    assert list(batch.questions) == ["acme/r0", "acme/r2"]
    assert batch.frame().loc["acme/r0", "needs_you"]
    assert batch.frame().loc["acme/r0", "asked"] == batch.questions["acme/r0"]
    asked = batch.questions
    batch.send(asked, "Use the LTS in {{ row.repo }}").wait()

    assert batch.notice == "2 sent"
    assert batch.phase_counts == {"done": 3}
    assert batch.questions == {}
    batch.send(asked, "Use the LTS in {{ row.repo }}")
    assert batch.notice == "2 already sent (again=True repeats)"
    assert simulator.requests(SEND) == 2
    assert "Use the LTS in acme/r2" in [message.text for message in batch["acme/r2"].messages]


def test_a_message_to_one_session_reopens_the_batch(slow_simulator: Any, tmp_path: Path) -> None:
    with closing(BatchClient(slow_simulator.url, tmp_path / "journal.db")) as client:
        batch = upgrade(client, scenarios("question"), schema="version:str")
        while not slow_simulator.stats()["sessions"]:
            time.sleep(0.01)
        slow_simulator.clock(300)
        assert batch.wait().is_over

        batch.sessions[0].send("Use the LTS")

        assert not batch.is_over
        slow_simulator.clock(300)
        assert batch.wait().phase_counts == {"done": 1}


def test_a_budget_starts_no_more_than_it_holds_and_says_why(client: BatchClient, simulator: Any) -> None:
    batch = upgrade(client, max_acu=4, budget=5, max_parallel=6).wait(30)

    assert batch.paused is not None
    assert "+ 4 for this one" in batch.paused
    assert batch.acus <= 5
    assert simulator.requests(POST) < 6
    more = upgrade(client, max_acu=4, budget=100, max_parallel=6).wait()
    assert more.phase_counts == {"done": 6}
    assert simulator.requests(POST) == 6


def test_pause_starts_no_more_and_resume_continues(client: BatchClient, simulator: Any) -> None:
    batch = upgrade(client, max_parallel=1).pause().wait()
    started = simulator.requests(POST)

    assert started < 6
    assert "you paused it" in batch.paused
    batch.resume().wait()
    assert batch.paused is None
    assert batch.phase_counts == {"done": 6}


def test_running_a_paused_batch_again_resumes_it_and_says_so(new_client: Callable[..., BatchClient]) -> None:
    upgrade(new_client(), max_parallel=1, tags=["sim:slow"], name="up").pause()

    again = upgrade(new_client(), max_parallel=1, tags=["sim:slow"], name="up")

    assert again.notice.endswith("No longer paused: running it again resumed it.")
    assert again.paused is None
    assert "paused" not in upgrade(new_client(), max_parallel=1, tags=["sim:slow"], name="up").notice


def test_stop_ends_what_is_open_and_keeps_what_is_done(client: BatchClient, simulator: Any) -> None:
    done = upgrade(client, REPOS.iloc[:2], name="up").wait()
    rows = REPOS.assign(scenario=["sim:finished"] * 2 + ["sim:slow"] * 4)

    batch = upgrade(client, rows, name="up", max_parallel=2).stop().wait()

    assert batch.frame()["phase"].tolist()[:2] == ["done", "done"]
    assert set(batch.frame()["phase"].tolist()[2:]) <= {"stopped", "waiting"}
    assert batch.paused == "stopped; .resume() starts waiting rows"
    assert done.phase_counts == {"done": 2}


@pytest.mark.parametrize("when_done", ["archive", "stop"])
def test_finished_sessions_are_archived_or_stopped(
    new_client: Callable[..., BatchClient], simulator: Any, when_done: str
) -> None:
    rows = scenarios("finished", "question")
    batch = upgrade(new_client(), rows, when_done=when_done, schema="version:str").wait()

    assert batch.phase_counts == {"done": 1, "your_turn": 1}
    done = batch.sessions[0].snapshot
    assert done.is_archived if when_done == "archive" else done.status == "exit"
    before = acts(simulator)
    again = upgrade(new_client(), rows, when_done=when_done, schema="version:str").wait()
    assert again.phase_counts == {"done": 1, "your_turn": 1}
    assert acts(simulator) == before


def test_a_batch_is_found_again_by_its_name_and_continues(
    new_client: Callable[..., BatchClient], simulator: Any
) -> None:
    rows = REPOS.assign(when=pd.Timestamp("2026-11-22"), size=[1, 2, 3, 4, 5, None])
    started = upgrade(new_client(), rows, name="up", limit=2, schema="version:str").wait()

    found = new_client().find("up")

    assert found.name == "up"
    assert found.phase_counts == {"done": 2, "waiting": 4}
    pd.testing.assert_frame_equal(found.frame(), started.frame(), check_dtype=True)
    assert simulator.requests(POST) == 2
    found.resume(all_rows=True).wait()
    assert found.phase_counts == {"done": 6}
    assert simulator.requests(POST) == 6


def test_a_batch_that_nobody_knows_is_an_error_with_the_nearest_name(client: BatchClient) -> None:
    upgrade(client, REPOS.iloc[:1], name="upgrade").wait()

    with pytest.raises(OptionError, match=r"no batch 'upgrad' \(did you mean upgrade\?\)"):
        client.find("upgrad")


def test_two_kernels_never_drive_the_same_rows(new_client: Callable[..., BatchClient], simulator: Any) -> None:
    one = upgrade(new_client(), name="up", max_parallel=2)
    other = upgrade(new_client(), name="up", max_parallel=2)

    other.wait(60)
    one.wait(60)

    assert simulator.requests(POST) == 6
    assert one.phase_counts == other.phase_counts == {"done": 6}


def test_slowing_down_is_obeyed_and_said(client: BatchClient, simulator: Any) -> None:
    rule = {"method": "POST", "route": POST.split()[1], "kind": "status", "status": 429, "retry_after": 1, "times": 2}
    simulator.faults(rule)
    said = set()
    batch = upgrade(client, max_parallel=4)
    batch.listen(lambda job: said.add(runner_of(batch).notice))

    batch.wait()

    assert batch.phase_counts == {"done": 6}
    assert any("slowed to" in (line or "") for line in said)


def test_while_the_service_asks_to_slow_down_no_row_tries_by_itself(client: BatchClient, simulator: Any) -> None:
    rule = {"method": "POST", "route": POST.split()[1], "kind": "status", "status": 429, "retry_after": 1}
    simulator.faults({**rule, "times": 1000})
    batch, are_back = upgrade(client, max_parallel=4), threading.Event()
    batch.listen(lambda job: are_back.set() if batch.tally.waiting == 6 else None)

    assert batch.tally.waiting == 6 or are_back.wait(30)

    simulator.faults()
    assert batch.wait().phase_counts == {"done": 6}


def test_a_row_the_service_refuses_does_not_stop_the_others(client: BatchClient, simulator: Any) -> None:
    rows = REPOS.assign(platform=["linux", "plan9", *["linux"] * 4])

    batch = upgrade(client, rows, platform="{{ row.platform }}").wait()

    assert batch.phase_counts == {"done": 5, "refused": 1}
    assert "plan9" in batch.frame().loc[1, "error"]
    assert pd.isna(batch.frame().loc[1, "session_id"])
    with pytest.raises(OptionError, match="row 1 has no session"):
        batch[1]


def test_the_frame_is_valid_at_any_time_with_the_same_columns(client: BatchClient) -> None:
    batch = upgrade(client, schema="version:str")
    early = batch.frame()
    batch.wait()

    assert list(early.columns) == list(batch.frame().columns)
    assert early.dtypes.tolist() == batch.frame().dtypes.tolist()
    empty = upgrade(client, REPOS.iloc[:0], schema="version:str").wait()
    assert empty.frame().dtypes.tolist() == batch.frame().dtypes.tolist()
    assert len(empty.frame()) == 0
    assert empty.notice == "There are no rows; nothing to start."


async def test_a_batch_can_be_awaited(client: BatchClient) -> None:
    batch = upgrade(client)

    assert (await batch) is batch
    assert batch.phase_counts == {"done": 6}


def test_the_saved_form_is_the_same_for_the_same_state(new_client: Callable[..., BatchClient]) -> None:
    rows = scenarios("finished", "question", "fail")
    first = upgrade(new_client(), rows, schema="version:str").wait()
    again = upgrade(new_client(), rows, schema="version:str").wait()

    assert repr(first) == repr(again)
    assert first._repr_mimebundle_() == again._repr_mimebundle_()
    assert "acme/r1" in first._repr_mimebundle_()["text/plain"]
    assert "simulated" in first._repr_mimebundle_()["text/html"]


def test_two_batches_side_by_side(client: BatchClient) -> None:
    rows = REPOS.assign(owner="me")
    one = client.map("Upgrade {{ row.repo }}", rows.iloc[:2], name="old", tags=["sim:finished"], schema="version:str")
    two = client.map("Lift {{ row.repo }}", rows.iloc[1:3], name="new", tags=["sim:finished"], schema="version:str")

    frame = compare(one.wait(), two.wait(), on="repo")

    assert list(frame.columns[:6]) == ["repo", "scenario", "owner", "version_old", "version_new", "phase_old"]
    assert frame["owner"].tolist() == ["me"] * 3
    assert frame["version_old"].notna().tolist() == [True, True, False]
    assert frame["version_new"].notna().tolist() == [False, True, True]
    assert frame["phase_new"].dtype == two.frame()["phase"].dtype
    with pytest.raises(OptionError, match="no column 'repository'"):
        compare(one, two, on="repository")
