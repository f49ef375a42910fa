"""Which last words of Devin ask something of a person."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from devin_jupyter.models.asking import asks
from devin_jupyter.models.enums import Phase
from devin_jupyter.models.snapshot import Facts, Record, Snapshot, Where, observe, read_message

ASKING = [
    "Which branch?",
    "Should I also fix `login.py`?\n\n- yes\n- no",
    "Before I go on in `acme/x`: should the change keep the old behavior behind a flag, or replace it?",
    "I found two ways to do this in the workspace. Do you prefer the small patch or the clean rewrite?",
    "One thing is unclear in `a/b`: may I touch the public interface, yes or no?",
    "I can do A or B. Which one do you want? Both take an hour.",
    "Please confirm the target branch.",
    "Let me know which branch to use.",
    "I'm waiting for your reply.",
    "どのブランチですか？",
    "¿Qué rama uso?",
    "I need you to log in to the VPN.",
    "Two questions:\n\n1. Which database?\n2. Which region?",
    "Done with the first part.\n\nShall I go on?\n\nI'll wait here.",
    "Which version of the database driver shall I use?",
    "I can't continue until you provide the API key.",
    "Which **branch**?",
    "Which branch should I use (main or dev)?",
    "Do you want v1.2 or v2.0?",
    "Shall I go on?",
    "Proceed? (y/n)",
    "Please let me know whether to merge.",
    "Well?",
]
REPORTING = [
    None,
    "",
    "Done: “Which one is the largest, and why?”. All checks pass.",
    "Done: “Tidy up module 0.”. All checks pass.",
    "That's finished in `acme/api`. I left the public interfaces as they were.",
    "Finished. I ran the test suite twice; it is green both times.",
    "I looked at “a?”, but I have no result in the form you asked for yet.",
    "The checks of the workspace are still running. I'll sleep until I hear from you.",
    "See https://a.example/?q=1",
    "```\nx ? y : z\nwhat?\n```",
    "`is it?`",
    "Opened a PR. Let me know if you have any questions.",
    "Opened a PR. Let me know if you'd like any changes!",
    "All done. Anything else?",
    "Is there anything else I can help with?",
    "Why did it fail? The cache was stale. I fixed it.",
    "## What changed?\n\nThe cache.",
    "**What changed?**\n\nThe cache.",
    "> Should I?\n\nYes, I did.",
    "Please review the PR.",
    "The PR awaits your review.",
    "Done.\n\nWhat was wrong?\nThe cache was stale.\n\nAll tests pass.\n\nMerged.",
    "All green.",
    "Half of it is *done*.",
    "the regex matches colou?r and a? b.",
]


@pytest.mark.parametrize("text", ASKING)
def test_a_question_or_a_request_asks(text: str) -> None:
    assert asks(text)


@pytest.mark.parametrize("text", REPORTING)
def test_a_report_a_quotation_and_a_polite_closing_ask_nothing(text: str | None) -> None:
    assert not asks(text)


@pytest.mark.parametrize("piece", ["`", '"', "<", "a?", "\n>", "“", "**a", " ", "\n ", "~~~\n```\n", ".", "please "])
def test_the_end_of_the_longest_text_decides(piece: str) -> None:
    assert asks(piece * 200_000 + "\n\nWhich branch do you want?") is (
        piece not in ("`", "~~~\n```\n")
    )  # in an open block of code


def _reply(version: str, text: str, **raw: object) -> Snapshot:
    """A session of either API version that has replied."""
    said = {"v3": {"source": "devin", "message": text}, "v1": {"type": "devin_message", "message": text}}[version]
    state = {
        "v3": {"status": "running", "status_detail": "waiting_for_user"},
        "v1": {"status_enum": "blocked", "status": "blocked"},
    }[version]
    record = Record(session_id="devin-1", facts=Facts(where=Where("https://api.devin.ai", None, version)))
    messages = [read_message(said | {"event_id": "e1"})]
    return observe({"session_id": "1"} | state | raw, record, at=datetime.now(UTC), messages=messages)


def test_a_word_of_any_length_is_judged_in_no_time() -> None:
    began = time.thread_time()
    assert not any(asks(letter * 100_000) for letter in "abcdefghij")
    assert time.thread_time() - began < 0.5  # a search at each letter up to the end took three times as long


@pytest.mark.parametrize("version", ["v1", "v3"])
def test_both_versions_tell_a_reply_from_a_question(version: str) -> None:
    asked, replied = _reply(version, "Which branch?"), _reply(version, "Done. All checks pass.")
    assert [(one.phase, one.label, one.needs_you) for one in (asked, replied)] == [
        (Phase.YOUR_TURN, "asks you", True),
        (Phase.YOUR_TURN, "replied", False),
    ]
    assert (asked.question, replied.question) == ("Which branch?", "Done. All checks pass.")
