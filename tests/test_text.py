"""Suggestions, durations, costs and times in words, text made safe, and files that are written whole or not at all."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta

import pytest

from devin_jupyter.models.enums import Phase
from devin_jupyter.text import (
    closest,
    format_acus,
    format_utc,
    nearest,
    one_line,
    parse_ago,
    parse_duration,
    replacing,
    safe_text,
    write_atomically,
)

NOW = datetime(2026, 11, 21, 18, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("word", "phase"),
    [
        ("finished", "done"),
        ("needs you", "your_turn"),
        ("Replied", "your_turn"),
        ("running", "working"),
        ("error", "failed"),
    ],
)
def test_a_phase_by_another_name_is_suggested(word, phase):
    assert nearest(word, [*Phase]) == f" (did you mean {phase}?)"
    assert nearest(word, ["other", "names"]) == ""


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("--repoz", ["--repos", "--mode"], " (did you mean --repos?)"),
        ("—Mod", ["--repos", "--mode"], " (did you mean --mode?)"),
        ("xyz", ["--repos", "--mode"], ""),
        ("a", [], ""),
    ],
)
def test_the_nearest_word_is_suggested_whatever_its_case_and_dashes(word, known, hint):
    assert nearest(word, known) == hint


def test_several_near_words_are_suggested_where_asked_for():
    assert closest("finding", ["Findings", "Finding", "other"], n=3) == ["Finding", "Findings"]
    assert nearest("finding", ["Findings", "Finding"], n=3) == " (did you mean Finding or Findings?)"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [(90, 90), ("90", 90), ("1.5m", 90), (" 4H ", 14400), ("6d", 518400), ("2 w", 1209600), (timedelta(hours=1), 3600)],
)
def test_a_duration_is_read_as_seconds(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("wrong", [True, "", "m", "-1", -1, "1y", float("nan")])
def test_what_is_no_duration_is_refused(wrong):
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(wrong)


def test_ago_needs_a_unit_and_a_day_there_was():
    assert parse_ago("7d", NOW) == NOW - timedelta(days=7)
    assert parse_ago("2026", NOW) is None
    assert parse_ago("2026-11-21", NOW) is None
    assert parse_ago("999999999w", NOW) is None


def test_costs_and_times_are_put_in_words():
    assert [format_acus(acus) for acus in (None, 0, 1.4, 2.0, 1.234, 100)] == [
        "ACU unknown",
        "0 ACU",
        "1.4 ACU",
        "2 ACU",
        "1.23 ACU",
        "100 ACU",
    ]
    assert format_utc(NOW) == format_utc(NOW.timestamp()) == "2026-11-21 18:04 UTC"
    assert format_utc(None) == "an unknown time"


def test_text_is_made_safe_before_it_is_cut():
    assert safe_text("a\x1b\u202eb") == "ab"
    assert safe_text("x" * 20, 5) == "xxxxx… (15 more characters)"
    assert one_line(" a \n b ") == "a b"
    assert one_line("word " * 99, 10) == "word word…"


def test_a_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, b"one")
    write_atomically(path, b"two", mode=0o600)
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(IsADirectoryError), replacing(path) as place:
        (place.write_bytes(b"half"), tmp_path.read_bytes())
    assert path.read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["file"]
