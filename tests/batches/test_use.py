"""Batches as they are used from day to day: odd tables, edits, answers given elsewhere, two batches side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from batches.batch_client import POST, SEND, BatchClient

from devin_jupyter import Devin
from devin_jupyter.batches.batch import compare
from devin_jupyter.errors import OptionError, Refused, SessionChanged

REPOS = ["acme/a", "acme/b", "acme/c"]


def ask(client: BatchClient, rows: Any = REPOS, **options: Any) -> Any:
    said = {"tags": ["sim:question"], "max_acu": 5, "schema": "version:str", "name": "up", **options}
    return client.map("Upgrade {{ row }}", rows, **said)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"schema": "none"}, "3 of 3 rows already have answers"),
        ({"schema": "none", "tags": []}, "3 of 3 rows already have answers"),
        ({}, "0 of 3 rows already have answers and 3 are working or waiting for you"),
    ],
)
def test_rows_that_replied_or_ask_are_not_paid_again_by_an_edit(
    client: BatchClient, simulator: Any, options: dict[str, Any], text: str
) -> None:
    batch = ask(client, **options).wait()
    assert batch.phase_counts == {"your_turn": 3}

    with pytest.raises(SessionChanged, match=text):
        client.map("Upgrade {{ row }} now", REPOS, max_acu=5, name="up", **{"schema": "version:str", **options})

    assert simulator.requests(POST) == 3


@pytest.mark.parametrize("option", [{"dry_run": True}, {"each": ["x"]}, {"new": True}, {"replace": True}])
def test_what_only_makes_sense_elsewhere_is_refused_before_anything_is_sent(
    client: BatchClient, simulator: Any, option: dict[str, Any]
) -> None:
    with pytest.raises(OptionError) as refused:
        ask(client, **option)

    assert refused.value.consequence == ""
    assert simulator.requests(POST) == 0


def test_wait_is_heard_in_python_too(client: BatchClient) -> None:
    with Devin(settings=client.core.settings, journal=client.core.journal) as devin:
        batch = devin.map("Upgrade {{ row }}", REPOS, tags=["sim:finished"], wait="1m")

        assert batch.phase_counts == {"done": 3}


def test_columns_that_are_numbers_can_be_named_as_such(client: BatchClient) -> None:
    batch = client.map("Upgrade {{ row[0] }}", pd.DataFrame([["acme/a", 1], ["acme/b", 2]]), tags=["sim:finished"])

    assert [session.messages[0].text for session in batch.wait().sessions] == ["Upgrade acme/a", "Upgrade acme/b"]


def test_names_are_checked_for_every_schema_of_the_rows(client: BatchClient, simulator: Any) -> None:
    rows = [{"repo": "acme/a", "shape": "version:str"}, {"repo": "acme/b", "shape": "repo:str"}]

    with pytest.raises(OptionError, match="repo: an output column and a column of the input"):
        client.map("Upgrade {{ row.repo }}", rows, schema="{{ row.shape }}")

    assert simulator.requests(POST) == 0


def test_rows_without_a_session_do_not_stop_a_message_to_the_others(client: BatchClient, simulator: Any) -> None:
    batch = ask(client, limit=2).wait()

    batch.send(batch.frame(), "The small one")
    assert batch.notice == "2 sent, 1 failed (row 2): it has no session, it is waiting"
    with pytest.raises(OptionError, match="it has no session"):
        batch.send([2], "The small one")

    assert simulator.requests(SEND) == 2


def test_a_row_can_be_named_by_its_url_or_by_all_levels_of_its_index(client: BatchClient) -> None:
    index = pd.MultiIndex.from_tuples([("web", 1), ("api", 2)], names=["team", "n"])
    table = pd.DataFrame({"repo": REPOS[:2]}, index=index)
    batch = client.map("Upgrade {{ row.repo }}", table, tags=["sim:question"], schema="version:str").wait()

    assert batch.send(("api", 2), "The small one").notice == "1 sent"
    assert batch.send(batch[("web", 1)].url, "The small one").notice == "1 sent"


def test_an_answer_given_elsewhere_is_seen_when_the_cell_runs_again(
    new_client: Callable[..., BatchClient], simulator: Any
) -> None:
    here = new_client()
    assert ask(here).wait().phase_counts == {"your_turn": 3}
    here.close()  # it would look again before long
    other = new_client("elsewhere.db")  # as a person in the web app, of whom this journal knows nothing
    ask(other).send([0], "The small one").wait()

    again = ask(new_client()).wait()

    assert again.phase_counts == {"done": 1, "your_turn": 2}
    assert list(again.questions) == [1, 2]


def test_a_batch_that_is_found_has_the_frame_it_had(new_client: Callable[..., BatchClient]) -> None:
    days = pd.DatetimeIndex(["2026-01-01", "2026-01-02"], name="day")
    pairs = pd.MultiIndex.from_tuples([("web", 1), ("api", 2)], names=["team", "n"])
    client = new_client()
    for name, index in (("days", days), ("pairs", pairs)):
        made = client.map("Upgrade {{ row.repo }}", pd.DataFrame({"repo": REPOS[:2]}, index=index), name=name).wait()

        found = new_client().find(name)

        pd.testing.assert_frame_equal(found.frame(), made.frame())
        assert found.paused is None  # nothing waits


def test_inputs_that_differ_are_both_shown_side_by_side(client: BatchClient) -> None:
    def over(target: str) -> Any:
        rows = [{"repo": repo, "owner": "me", "target": target} for repo in REPOS]
        options: dict[str, Any] = {"schema": "version:str", "tags": ["sim:finished"], "name": f"py{target}"}
        return client.map("Upgrade {{ row.repo }} to {{ row.target }}", rows, **options).wait()

    frame = compare(over("3"), over("4"), on="repo")

    assert list(frame.columns[:4]) == ["repo", "owner", "target_py3", "target_py4"]
    assert frame["target_py4"].tolist() == ["4"] * 3


def test_batches_that_do_not_fit_together_are_an_error_in_our_words(client: BatchClient) -> None:
    one = client.map("One {{ row.repo }}", [{"repo": 1}], name="one").wait()
    two = client.map("Two {{ row.repo }}", [{"repo": "1"}], name="two").wait()

    with pytest.raises(OptionError, match="cannot be compared"):
        compare(one, two, on="repo")
    with pytest.raises(OptionError, match="names no column"):
        compare(one, two, on=[])


def test_what_a_second_take_answered_is_not_paid_again_by_an_edit(
    new_client: Callable[..., BatchClient], simulator: Any
) -> None:
    ask(new_client(), tags=["sim:fail"]).wait()
    retried = ask(new_client(), tags=["sim:finished"]).retry(phase="failed").wait()
    assert retried.phase_counts == {"done": 3}

    edited: dict[str, Any] = {"max_acu": 5, "schema": "version:str", "name": "up"}
    with pytest.raises(SessionChanged, match="3 of 3 rows already have answers"):
        new_client().map("Upgrade {{ row }} now", REPOS, **edited)
    kept = new_client().map("Upgrade {{ row }} now", REPOS, key="{{ row }}", **edited)
    with pytest.raises(SessionChanged, match="3 of 3 rows already have answers"):
        new_client().map("Upgrade {{ row }} at once", REPOS, **edited)

    assert [session.id for session in kept.sessions] == [session.id for session in retried.sessions]
    assert simulator.requests(POST) == 6


def test_what_earlier_takes_cost_stays_in_the_sum(new_client: Callable[..., BatchClient]) -> None:
    failed = ask(new_client(), tags=["sim:fail"]).wait()
    paid = failed.acus
    retried = ask(new_client(), tags=["sim:finished"]).retry(phase="failed").wait()
    frame = retried.frame()
    assert retried.acus == pytest.approx(frame["acus"].sum())
    assert frame["acus_earlier"].sum() == pytest.approx(paid)
    assert retried.acus > paid

    found = new_client().find("up")

    assert found.acus == pytest.approx(retried.acus)
    assert f"({paid:.2f} in earlier takes)" in found._repr_mimebundle_()["text/plain"]


def test_columns_that_no_template_uses_do_not_hide_an_edit(client: BatchClient, simulator: Any) -> None:
    def over(stars: int, prompt: str, **options: Any) -> Any:
        rows = [{"repo": repo, "stars": stars} for repo in REPOS]
        return client.map(prompt, rows, name="up", max_acu=5, tags=["sim:finished"], **options)

    over(1, "Upgrade {{ row.repo }}").wait()

    assert over(2, "Upgrade {{ row.repo }}").notice == "3 rows have sessions already; nothing to start."
    with pytest.raises(SessionChanged, match="3 of 3 rows"):
        over(3, "Upgrade {{ row.repo }} now")
    assert (
        over(4, "Upgrade {{ row.repo }} now", key="{{ row.repo }}").notice
        == "3 rows have sessions already; nothing to start."
    )
    assert simulator.requests(POST) == 3


def test_a_cell_that_retried_stays_without_effect_after_a_third_take(
    new_client: Callable[..., BatchClient], simulator: Any
) -> None:
    batch = ask(new_client(), tags=["sim:fail"]).wait()
    batch.retry().wait().retry(take=3).wait()
    third = [session.id for session in batch.sessions]

    again = ask(new_client(), tags=["sim:fail"]).wait().retry().wait()

    assert again.notice == "Nothing to retry: rows 0, 1, 2 had take 2 already; take=4 tries once more."
    assert [session.id for session in again.sessions] == third
    assert simulator.requests(POST) == 9
    for take in (None, 0, 1, "", True):
        with pytest.raises(OptionError, match="a retry cannot be take"):
            again.retry(take=take)


def test_a_batch_name_that_is_no_text_is_an_unknown_one(client: BatchClient) -> None:
    with pytest.raises(OptionError, match="has no batch None"):
        client.find(None)  # type: ignore[arg-type]


def test_a_row_is_called_by_a_text_that_its_template_uses(client: BatchClient) -> None:
    rows = [{"added": "2026-01-01", "repo": "acme/a"}, {"added": "2026-01-01", "repo": "acme/b"}]

    batch = client.map("Upgrade {{ row.repo }}", rows, tags=["sim:finished"]).wait()

    assert "acme/b" in batch._repr_mimebundle_()["text/plain"]
    assert "2026" not in batch._repr_mimebundle_()["text/plain"]


@pytest.mark.parametrize("act", ["pause", "stop"])
def test_a_batch_is_paused_and_stopped_from_another_kernel_too(
    new_client: Callable[..., BatchClient], simulator: Any, act: str
) -> None:
    rows = [f"acme/r{n}" for n in range(30)]
    running = ask(new_client(), rows, tags=["sim:finished"], max_parallel=1)

    other = new_client().find("up")
    getattr(other, act)()
    posted = simulator.requests(POST)
    running.wait()
    assert "paused or stopped in another kernel" in running.paused
    assert simulator.requests(POST) <= posted + 1 < 30  # one may have been on its way

    other.resume().wait()
    assert simulator.requests(POST) == 30


def test_a_batch_that_its_budget_paused_says_that_the_budget_must_grow(client: BatchClient) -> None:
    batch = ask(client, tags=["sim:finished"], budget=5).wait()

    with pytest.raises(Refused) as refused:
        batch.check()

    assert refused.value.hint.startswith("raise the budget, then run the cell again")


def test_a_batch_says_once_what_its_rows_sent_as_it_is_and_left_out(client: BatchClient) -> None:
    batch = client.map("Upgrade {row}", ["acme/a#main", "acme/b"], repos=["{{ row }}"], key="{{ row }}", schema="none")

    assert batch.notice is not None
    assert "{row} is sent as it is; to fill in a value, write {{ row }}" in batch.notice
    assert "#main of acme/a#main is left out" in batch.notice
