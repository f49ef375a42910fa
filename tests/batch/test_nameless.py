"""Batches without a name, a variable or a cell: what says that one is an edit of another is how much alike they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from batch.desk import POST, Desk

from devin_jupyter.batches.edits import are_alike
from devin_jupyter.errors import SessionChanged

REPOS = ["acme/api", "acme/web", "acme/cli"]


def test_an_edited_template_is_refused_in_the_same_process_and_in_another(
    new_desk: Callable[..., Desk], simulator: Any
) -> None:
    new_desk().map("Upgrade {{ row }} to Python 3.13", REPOS).wait()

    for _ in range(2):
        with pytest.raises(SessionChanged) as refused:
            new_desk().map("Upgrade {{ row }} to Python 3.14", REPOS)
        assert refused.value.what.startswith("a template much like this one ran over these rows, and 3 of 3 rows are")
        assert "--name NAME says it is another batch" in refused.value.do
    assert simulator.requests(POST) == 3


def test_changed_options_are_an_edit_too(desk: Desk, simulator: Any) -> None:
    desk.map("Upgrade {{ row }}", REPOS).wait()

    with pytest.raises(SessionChanged, match="3 of 3 rows"):
        desk.map("Upgrade {{ row }}", REPOS, mode="fast")
    assert simulator.requests(POST) == 3


def test_rows_added_to_it_cost_only_themselves(desk: Desk, simulator: Any) -> None:
    desk.map("Upgrade {{ row }}", REPOS).wait()

    assert desk.map("Upgrade {{ row }}", [*REPOS, "acme/docs"]).notice.startswith("1 to start, 3 attached")


def test_another_task_over_the_same_rows_is_no_edit(desk: Desk, simulator: Any) -> None:
    desk.map("Upgrade {{ row }} to Python 3.13", REPOS).wait()

    assert desk.map("Which licence has {{ row }}? Quote its file.", REPOS).notice.startswith("3 to start")


@pytest.mark.parametrize("way", [{"name": "py314"}, {"beside": True}, {"take": "2"}])
def test_there_are_ways_to_run_both(desk: Desk, simulator: Any, way: dict[str, Any]) -> None:
    desk.map("Upgrade {{ row }} to Python 3.13", REPOS).wait()

    desk.map("Upgrade {{ row }} to Python 3.14", REPOS, **way).wait()

    assert simulator.requests(POST) == 6
    assert desk.map("Upgrade {{ row }} to Python 3.13", REPOS).notice.startswith("0 started, 3 attached")


def test_a_key_keeps_the_answers(desk: Desk, simulator: Any) -> None:
    desk.map("Upgrade {{ row }} to Python 3.13", REPOS).wait()

    kept = desk.map("Upgrade {{ row }} to Python 3.14", [*REPOS, "acme/docs"], key="{{ row }}")

    assert kept.notice.startswith("1 to start, 3 attached")


def test_one_that_was_found_by_its_short_name_still_recognises_an_edit(
    new_desk: Callable[..., Desk], simulator: Any
) -> None:
    batch = new_desk().map("Upgrade {{ row }}", REPOS).wait()
    desk = new_desk()
    desk.find(batch.name).retry(phase="done").wait()

    with pytest.raises(SessionChanged, match="3 of 3 rows"):
        new_desk().map("Upgrade {{ row }} now", REPOS)


@pytest.mark.parametrize(
    ("before", "now", "alike"),
    [
        ("Upgrade {{ row.repo }}", "Upgrade {{ row.repo }} now", True),
        ("A {{ row }}", "B {{ row }}", True),
        ("{{ row.prompt }}", "{{ row.prompt }}", True),
        ("Count the TODOs in {{ row }}", "Which licence has {{ row }}?", False),
        ("Upgrade {{ row }}", "", False),
    ],
)
def test_templates_that_share_half_of_their_words_are_alike(before: str, now: str, alike: bool) -> None:
    assert are_alike(before, now) is alike
