"""Batches without a name, a variable or a cell: what says that one is an edit of another is how much alike they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from batches.batch_client import POST, BatchClient

from devin_jupyter.batches.record import are_alike
from devin_jupyter.errors import SessionChanged

REPOS = ["acme/api", "acme/web", "acme/cli"]


def test_an_edited_template_is_refused_in_the_same_process_and_in_another(
    new_client: Callable[..., BatchClient], simulator: Any
) -> None:
    new_client().map("Upgrade {{ row }} to Python 3.13", REPOS).wait()

    for _ in range(2):
        with pytest.raises(SessionChanged) as refused:
            new_client().map("Upgrade {{ row }} to Python 3.14", REPOS)
        assert refused.value.message.startswith(
            "a similar template already ran over these rows, and 3 of 3 rows already"
        )
        assert "--name NAME makes it another batch" in refused.value.hint
    assert simulator.requests(POST) == 3


@pytest.mark.parametrize("other", [{"mode": "fast"}, {"schema": "version:str"}, {"repos": ["{{ row }}"]}])
def test_other_options_over_the_same_rows_are_another_task(client: BatchClient, other: dict[str, Any]) -> None:
    client.map("Upgrade {{ row }} to Python 3.13", REPOS).wait()

    assert client.map("Upgrade {{ row }} to Python 3.13", REPOS, **other).notice.startswith("Starting 3 rows")


def test_short_prompts_that_share_a_placeholder_are_not_alike(client: BatchClient) -> None:
    client.map("Default {{ row }}", REPOS).wait()

    assert client.map("Limited {{ row }}", REPOS).notice.startswith("Starting 3 rows")


def test_rows_added_to_it_cost_only_themselves(client: BatchClient, simulator: Any) -> None:
    client.map("Upgrade {{ row }}", REPOS).wait()

    assert client.map("Upgrade {{ row }}", [*REPOS, "acme/docs"]).notice.startswith("Starting 1 of 4 rows")


def test_another_task_over_the_same_rows_is_no_edit(client: BatchClient, simulator: Any) -> None:
    client.map("Upgrade {{ row }} to Python 3.13", REPOS).wait()

    assert client.map("Which license has {{ row }}? Quote its file.", REPOS).notice.startswith("Starting 3 rows")


@pytest.mark.parametrize("way", [{"name": "py314"}, {"beside": True}, {"take": "2"}])
def test_there_are_ways_to_run_both(client: BatchClient, simulator: Any, way: dict[str, Any]) -> None:
    client.map("Upgrade {{ row }} to Python 3.13", REPOS).wait()

    client.map("Upgrade {{ row }} to Python 3.14", REPOS, **way).wait()

    assert simulator.requests(POST) == 6
    assert client.map("Upgrade {{ row }} to Python 3.13", REPOS).notice.startswith("3 rows have sessions already")


def test_a_key_keeps_the_answers(client: BatchClient, simulator: Any) -> None:
    client.map("Upgrade {{ row }} to Python 3.13", REPOS).wait()

    kept = client.map("Upgrade {{ row }} to Python 3.14", [*REPOS, "acme/docs"], key="{{ row }}")

    assert kept.notice.startswith("Starting 1 of 4 rows")


def test_another_key_starts_anew_also_after_one_that_kept_the_answers(client: BatchClient, simulator: Any) -> None:
    prompt = "Look for passwords in {{ row }} and its history"
    client.map(prompt, REPOS).wait()
    assert client.map(prompt, REPOS, key="w48 {{ row }}").notice.startswith("3 rows have sessions already")

    client.map(prompt, REPOS, key="w49 {{ row }}").wait()

    assert simulator.requests(POST) == 6
    assert client.map(prompt, REPOS, key="w48 {{ row }}").notice.startswith("3 rows have sessions already")


def test_one_that_was_found_by_its_short_name_still_recognizes_an_edit(
    new_client: Callable[..., BatchClient], simulator: Any
) -> None:
    batch = new_client().map("Upgrade {{ row }} to Python 3.13", REPOS).wait()
    client = new_client()
    client.find(batch.name).retry(phase="done").wait()

    with pytest.raises(SessionChanged, match="3 of 3 rows"):
        new_client().map("Upgrade {{ row }} to Python 3.14", REPOS)


def test_what_was_spent_counts_when_a_row_is_added(client: BatchClient, simulator: Any) -> None:
    said: dict[str, Any] = {"schema": "version:str", "max_acu": 3, "budget": 3}
    client.map("Upgrade {{ row }}", REPOS[:1], **said).wait()

    batch = client.map("Upgrade {{ row }}", REPOS[:2], **said).wait()

    assert "+ 3 for this one" in batch.paused
    assert simulator.requests(POST) == 1


@pytest.mark.parametrize(
    ("before", "now", "alike"),
    [
        ("Upgrade {{ row.repo }} to 3.13", "Upgrade {{ row.repo }} to 3.13 now", True),
        ("Upgrade acme/{{ row.a }} to {{ row.b }} at once", "Upgrade acme/{{ row['x'] }} to {{ 1 }} at last", True),
        ("Default {{ row }}", "Limited {{ row }}", False),
        ("Fix {{ row }}", "Fix {{ row }}", False),
        ("{{ row.prompt }}", "{{ row.prompt }}", False),
        ("Count the TODOs in {{ row }}", "Which license has {{ row }}?", False),
        ("Find the flaky tests of {{ row }}", "Delete the flaky tests of {{ row }} or skip them", False),
        ("Upgrade {{ row }}", "", False),
    ],
)
def test_templates_that_share_most_of_their_words_are_alike(before: str, now: str, alike: bool) -> None:
    assert are_alike(before, now) is alike
