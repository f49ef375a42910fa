"""How a batch is shown and previewed, and what it does with cells, schemas and troubles of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from batches.batch_client import POST, BatchClient

from devin_jupyter import loop
from devin_jupyter.batches.batch import Batch, dry_run, request_of, runner_of, start
from devin_jupyter.batches.display import progress_line, rows_of, summary_of
from devin_jupyter.batches.gate import FailureKind, failure_kind
from devin_jupyter.errors import (
    ApiError,
    BadRequest,
    BudgetExceeded,
    ConnectionFailed,
    DevinError,
    Halted,
    JournalError,
    RateLimited,
    SessionChanged,
)
from devin_jupyter.models.snapshot import CellRef

REPOS = ["acme/a", "acme/b", "acme/c"]
PROMPT = "Upgrade {{ row }}"


def upgrade(client: BatchClient, rows: Any = REPOS, **options: Any) -> Any:
    return client.map(PROMPT, rows, **{"tags": ["sim:finished"], "max_acu": 5, "schema": "version:str", **options})


def preview(client: BatchClient, prompt: str, rows: Any, **options: Any) -> Any:
    said = {"schema": "version:str", "name": "up", **options}
    return loop.run(dry_run(client.core, request_of(prompt, rows, said)))


def test_a_dry_run_tells_what_would_be_started_and_sends_nothing(
    new_client: Callable[..., BatchClient], simulator: Any
) -> None:
    former, client = new_client(), new_client()
    upgrade(former, REPOS[:1], name="up").wait()
    former.close()  # it may still look at what the live channel told last
    before = simulator.stats()

    seen = preview(client, PROMPT, REPOS, max_acu=5)

    assert (seen.n_known, len(seen.plan.wanted), seen.refusal) == (1, 3, None)
    assert isinstance(preview(client, PROMPT + "!", REPOS, max_acu=5).refusal, SessionChanged)
    assert isinstance(preview(client, PROMPT, range(20)).refusal, BudgetExceeded)
    assert preview(client, PROMPT + "!", REPOS, max_acu=5, key="{{ row }}").n_known == 1
    assert simulator.stats() == before
    assert client.core.journal.batches.names()[0].endswith("/up")


def test_rows_that_share_a_session_are_counted_as_rows_and_as_sessions(client: BatchClient) -> None:
    batch = upgrade(client, ["acme/a", "acme/b", "acme/a"]).wait()

    assert batch.phase_counts == {"done": 3}
    assert batch.tally.words == "2 finished"
    shown = batch._repr_mimebundle_()["text/plain"]
    assert ": 2 sessions · 2 finished · " in shown
    assert "3 rows; 1 of them shares a session with another one." in shown


def test_what_ended_badly_is_not_called_done(client: BatchClient) -> None:
    rows = pd.DataFrame({"repo": ["acme/a", "acme/b"], "how": ["sim:finished", "sim:fail"]})

    batch = client.map("Upgrade {{ row.repo }}", rows, tags=["{{ row.how }}"], max_acu=5, schema="version:str").wait()

    assert ": 2 sessions · 1 failed · 1 finished · " in batch._repr_mimebundle_()["text/plain"]


def test_a_row_that_is_tried_again_stays_one_row_of_the_board(client: BatchClient) -> None:
    batch = upgrade(client, tags=["sim:fail"]).wait()
    panel = batch.panel()

    batch.retry(rows=[0]).wait()

    assert ": 3 sessions · 3 failed" in panel.saved_bundle()["text/plain"]
    assert batch.sessions[0].id in panel.saved_bundle()["text/html"] + str(panel.get_state("table"))
    panel.close()


def test_the_clock_of_a_board_stands_still_once_nothing_is_at_work(client: BatchClient) -> None:
    batch = upgrade(client, name="clock", tags=["sim:fail"]).wait()
    runner = runner_of(batch)

    def header() -> dict[str, Any]:
        return summary_of(runner)[1]

    first = header()
    assert first["ended"] is not None
    assert first["seconds_left"] is None
    runner.began_at -= 3600  # as if that had been an hour ago
    runner.ended_at -= 3600
    assert header()["ended"] - header()["started"] == first["ended"] - first["started"]

    batch.retry(rows=[0]).wait()

    assert header()["ended"] > first["ended"]
    assert header()["ended"] - header()["started"] < 600  # the hour in which nothing was at work does not count


def test_a_retry_that_finds_nothing_says_so_until_a_turn_ends(client: BatchClient, simulator: Any) -> None:
    batch = upgrade(client, tags=["sim:flaky"]).wait(quiet=True)
    assert batch.retry(phase="stopped").notice == "Nothing to retry: no row was stopped."
    assert "no row was stopped" in batch._repr_mimebundle_()["text/plain"]

    assert batch.retry().notice.startswith("Take 2: starting 3 rows.")
    again = batch.retry().notice
    batch.wait(quiet=True)

    assert again.startswith("Nothing to retry: no row has failed now, and a retry of rows 0, 1, 2 is still running")
    assert again.endswith("; if it fails, take=3 tries once more.")
    shown = batch._repr_mimebundle_()["text/plain"]
    assert "Nothing to retry" not in shown
    assert "3 finished" in shown
    assert batch.retry().notice == "Nothing to retry: no row has failed."


def test_a_quiet_wait_shows_no_line(
    client: BatchClient, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr("devin_jupyter.batches.display.is_watched", lambda: True)
    monkeypatch.setattr("devin_jupyter.loop.SLICE_SECONDS", 0.01)

    upgrade(client, name="loud").wait()
    upgrade(client, ["acme/d"], name="silent").wait(quiet=True)

    shown = "".join(capfd.readouterr())
    assert "loud" in shown
    assert "silent" not in shown


def test_a_row_is_not_taken_for_a_phase(client: BatchClient) -> None:
    with pytest.raises(DevinError, match="rows="):
        upgrade(client).wait().retry(0)


def test_a_board_shows_the_rows_by_their_names_and_follows_new_ones(client: BatchClient) -> None:
    batch = upgrade(client, max_parallel=1)
    panel = batch.panel()

    batch.wait()

    saved = panel.saved_bundle()["text/plain"]
    assert "up" not in saved.split(":")[0]
    assert "3 sessions" in saved
    assert all(repo in saved for repo in REPOS)
    panel.close()


def test_a_board_is_open_while_its_first_sessions_are_being_started(
    client: BatchClient, simulator: Any, held: Any
) -> None:
    method, route = POST.split()
    simulator.faults({"method": method, "route": route, "kind": "slow", "times": 3})
    batch = upgrade(client)
    panel = batch.panel()

    assert not panel.turn_over
    assert ": 3 sessions · 3 waiting · " in panel.saved_bundle()["text/plain"]
    held.end.set()
    batch.wait()
    assert panel.turn_over
    panel.close()


def test_what_the_sessions_do_not_show_is_said_below_them(client: BatchClient, simulator: Any) -> None:
    rows = [{"repo": f"acme/r{n}", "platform": "plan9" if n < 14 else "linux"} for n in range(15)]
    options: dict[str, Any] = {
        "platform": "{{ row.platform }}",
        "max_acu": 5,
        "schema": "version:str",
        "max_parallel": 1,
    }

    text = client.map("Upgrade {{ row.repo }}", rows, **options).wait()._repr_mimebundle_()["text/plain"]

    assert ": 15 sessions · 5 failed · 10 waiting · 0 ACU" in text
    assert "Paused: 5 consecutive rows failed" in text
    assert "✗ refused                      acme/r0" in text


def test_a_cell_is_known_by_its_id_where_no_name_is_given(
    new_client: Callable[..., BatchClient], simulator: Any
) -> None:
    cell = CellRef(notebook="/home/ada/up.ipynb", cell_id="c1", out="up")
    said = {"schema": "version:str", "tags": ["sim:finished"], "max_acu": 5}

    def run(prompt: str) -> Any:
        asked = replace(request_of(prompt, REPOS, said), cell=cell)
        return Batch(loop.run(start(new_client().core, asked))).wait()

    assert run(PROMPT).phase_counts == {"done": 3}
    with pytest.raises(SessionChanged, match="3 of 3 rows"):
        run(PROMPT + " soon")
    assert simulator.requests(POST) == 3


def test_running_a_cell_again_takes_over_from_the_runner_before(client: BatchClient, simulator: Any) -> None:
    first = upgrade(client, name="up", max_parallel=1, tags=["sim:slow"])
    second = upgrade(client, name="up", max_parallel=3, tags=["sim:slow"])

    assert runner_of(client.find("up")) is runner_of(second)
    assert second.wait().phase_counts == {"done": 3}
    assert first.is_over
    assert simulator.requests(POST) == 3


def test_rows_may_have_schemas_of_their_own(client: BatchClient) -> None:
    rows = pd.DataFrame({"repo": ["acme/a", "acme/b"], "shape": ["version:str", "count:int"]})

    batch = client.map("Look at {{ row.repo }}", rows, schema="{{ row.shape }}", tags=["sim:finished"]).wait()

    frame = batch.frame()
    assert list(frame.columns[:4]) == ["repo", "shape", "version", "count"]
    assert frame["version"].notna().tolist() == [True, False]
    assert frame["count"].notna().tolist() == [False, True]


def test_lists_stay_lists_so_that_rows_stay_rows(client: BatchClient) -> None:
    batch = upgrade(client, schema="[file:str, line:int]").wait()

    assert len(batch.frame()) == 3
    assert all(isinstance(items, list) for items in batch.frame()["items"])


def test_putting_away_that_fails_spoils_nothing(client: BatchClient, simulator: Any) -> None:
    route = POST.split()[1] + "/{devin_id}"
    simulator.faults({"method": "DELETE", "route": route, "kind": "status", "status": 403, "times": 9})

    batch = upgrade(client, when_done="stop").wait()

    assert batch.phase_counts == {"done": 3}


@pytest.mark.parametrize(
    ("problem", "kind"),
    [
        (RateLimited("429"), FailureKind.BUSY),
        (ConnectionFailed("no line"), FailureKind.AWAY),
        (BudgetExceeded("9 of 9"), FailureKind.NO_ROOM),
        (Halted("halted"), FailureKind.PAUSE),
        (JournalError("read-only"), FailureKind.PAUSE),
        (ApiError("no credits", status_code=402), FailureKind.PAUSE),
        (BadRequest("plan9"), FailureKind.REFUSED),
    ],
)
def test_every_failure_has_its_consequence(problem: DevinError, kind: FailureKind) -> None:
    assert failure_kind(problem) is kind


def test_a_listener_can_leave(client: BatchClient) -> None:
    heard: list[object] = []
    batch = upgrade(client)
    leave = batch.listen(heard.append)
    leave()
    leave()

    batch.wait()

    assert heard == []


def test_a_batch_is_a_collection_of_its_sessions(client: BatchClient) -> None:
    batch = upgrade(client).wait()

    assert len(batch) == 3
    assert [session.id for session in batch] == [session.id for session in batch.sessions]
    assert batch[1] is batch.sessions[1]
    assert batch[batch.sessions[2].id] is batch.sessions[2]
    assert batch[1].result()["version"] == batch.frame()["version"][1]


def test_the_handle_its_progress_and_its_board_agree_on_who_asks(client: BatchClient) -> None:
    rows = pd.DataFrame({"repo": ["acme/a", "acme/b"], "how": ["sim:question", "sim:finished"]})

    batch = client.map("Upgrade {{ row.repo }}", rows, tags=["{{ row.how }}"], max_acu=5, schema="version:str").wait()

    assert ": 1 asks you · 1 done · " in repr(batch)
    assert progress_line(batch.name, batch.tally).endswith(f"2/2  1 needs you · 1 finished · {batch.tally.spent}")
    assert ": 2 sessions · 1 needs you · 1 finished · " in batch._repr_mimebundle_()["text/plain"]
    assert [row.label for row in rows_of(runner_of(batch))] == ["asks you", "done"]
