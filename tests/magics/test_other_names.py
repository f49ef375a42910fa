"""Words that people try, and that can mean one thing only, are taken; times may be written in words."""

import inspect
from datetime import UTC, datetime
from typing import Any

import pytest

from devin_jupyter import AsyncDevin, Devin
from devin_jupyter.errors import OptionError
from devin_jupyter.magics.commands import find
from devin_jupyter.options import from_keywords, parse
from devin_jupyter.text import format_age, parse_ago, parse_duration

NOW = datetime(2026, 11, 30, 7, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("--repo acme/api", "repos", ("acme/api",)),
        ("--max-acus 5", "max_acu", 5),
        ("--max-acus=5", "max_acu", 5),
        ("--tag a b", "tags", ("a", "b")),
        ("--files a.csv", "attach", ("a.csv",)),
        ("--wait '30 minutes'", "wait", 1800.0),
    ],
)
def test_other_flags_are_taken(line: str, name: str, value: object) -> None:
    assert parse(line)[name] == value


@pytest.mark.parametrize(
    ("other", "name", "value"),
    [
        ({"repo": "acme/api"}, "repos", ("acme/api",)),
        ({"repo": ["acme/api", "acme/web"]}, "repos", ("acme/api", "acme/web")),
        ({"max_acus": 5}, "max_acu", 5),
        ({"tag": "a"}, "tags", ("a",)),
        ({"file": "a.csv"}, "attach", ("a.csv",)),
        ({"files": ["a.csv"]}, "attach", ("a.csv",)),
        ({"attachment": "a.csv"}, "attach", ("a.csv",)),
        ({"attachments": ["a.csv"]}, "attach", ("a.csv",)),
        ({"secret": {"TOKEN": "x"}}, "secrets", {"TOKEN": "x"}),
        ({"output": "audit"}, "out", "audit"),
        ({"wait": "30 minutes"}, "wait", 1800.0),
    ],
)
def test_other_keywords_are_the_documented_option(other: dict[str, Any], name: str, value: object) -> None:
    assert from_keywords(**other) == {name: value}


def test_two_names_of_one_option_are_refused_even_where_they_agree() -> None:
    with pytest.raises(OptionError, match="repos= and repo= are the same option") as caught:
        from_keywords(repos="acme/api", repo="acme/api")
    assert caught.value.hint == "give repos= alone"


def test_sessions_and_batches_are_started_by_other_keywords_which_no_signature_shows(simulator: Any) -> None:
    other: dict[str, Any] = {"repo": "acme/api", "max_acus": 5}
    with Devin(simulator.api_key, base_url=simulator.url) as client:
        planned = client.plan("Other names", **other)
        session = client.create("Other names", **other, wait="30 minutes")
        usual = client.create("Other names", repos="acme/api", max_acu=5)
        batch = client.map("Other {{ row }}", ["a"], **other, tag="others", parallel=1, wait="30 minutes")
    assert (planned.body["repos"], planned.body["max_acu_limit"]) == (["acme/api"], 5)
    assert session.snapshot.turn_over  # it was waited for
    assert usual.id == session.id
    assert [(one.snapshot.turn_over, list(one.tags)) for one in batch.sessions] == [(True, ["others"])]
    for call in (Devin.create, Devin.map, Devin.fix, AsyncDevin.create):
        assert not set(inspect.signature(call).parameters) & {"repo", "max_acus", "files", "parallel", "tag"}
        assert {"repos", "max_acu", "attach"} <= set(inspect.signature(call).parameters)


def test_other_commands_are_taken() -> None:
    names = ("status", "get", "list", "consumption", "attachments")
    assert [find(name).name for name in names] == ["show", "open", "sessions", "usage", "files"]
    with pytest.raises(OptionError, match="looks like an API key"):
        find("cog_abc")


def test_a_time_in_two_words_is_understood_or_explained() -> None:
    with pytest.raises(OptionError, match=r"unexpected word 'minutes' \(did you mean --wait 30m\?\)"):
        parse("--wait 30 minutes")
    assert parse_duration("2 hours") == 7200
    assert parse_ago("yesterday", NOW) == datetime(2026, 11, 29, tzinfo=UTC)
    assert parse_ago("today", NOW) == datetime(2026, 11, 30, tzinfo=UTC)
    assert parse_ago("7 days ago", NOW) == datetime(2026, 11, 23, 7, 20, tzinfo=UTC)
    assert [format_age(seconds) for seconds in (5, 600, 7200, 86400 * 3)] == ["5 s", "10 min", "2 h", "3 days"]
