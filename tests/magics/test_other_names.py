"""Words that people try, and that can mean one thing only, are taken; times may be written in words."""

from datetime import UTC, datetime

import pytest

from devin_jupyter.errors import OptionError
from devin_jupyter.magics.commands import find
from devin_jupyter.options import parse
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
