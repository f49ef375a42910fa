"""Text of others can do nothing: not in the saved file, not in the panel's state, not in a terminal."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hostile import ADDRESSES, HOSTILE

from devin_jupyter import render
from devin_jupyter.models.enums import Phase
from devin_jupyter.models.snapshot import Message, PullRequest, Snapshot
from devin_jupyter.models.steps import LiveView, PlanEntry, Step
from devin_jupyter.panel.state import message_item, row_state, session_state
from devin_jupyter.render.html import markdown
from devin_jupyter.render.labels import web_address
from devin_jupyter.text import safe_text

Make = Callable[..., Snapshot]
WORDS = "a blockquote br code del em h4 h5 h6 hr li ol p pre s strong table tbody td th thead tr ul"
SAFE_TAGS = {*WORDS.split(), "div", "span", "details", "summary"}


class _Audit(HTMLParser):
    """Collects whatever could do something."""

    def __init__(self) -> None:
        super().__init__()
        self.bad: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in SAFE_TAGS:
            self.bad.append(f"<{tag}>")
        for name, value in attributes:
            if name == "href" and not re.match(r"https?://", value or ""):
                self.bad.append(f"href={value}")
            elif name not in ("href", "class", "style", "rel", "target", "start", "colspan"):
                self.bad.append(f"{name}={value}")
            elif name == "style" and re.search(r"url|position|expression|var\(", value or ""):
                self.bad.append(f"style={value}")


def _audit(html: str) -> list[str]:
    audit = _Audit()
    audit.feed(html)
    return audit.bad


def test_markdown_becomes_words_and_web_links_only() -> None:
    assert {text: found for text in HOSTILE if (found := _audit(markdown(text)))} == {}


def test_the_saved_page_is_safe_wherever_the_text_stands(snapshot: Make) -> None:
    for text in HOSTILE:
        shown = snapshot(
            phase=Phase.YOUR_TURN,
            title=text,
            question=text,
            structured_output={text: text, "rows": [{text: text}]},
            output_is_fresh=True,
            repos=(text,),
            tags=(text,),
            mode=text,
            status_detail=text,
            pull_requests=(PullRequest(text, text), PullRequest(f"https://github.com/a/b/pull/1?{text}", text)),
            messages=(Message("e", "devin", text, None),),
        )
        steps = tuple(Step(kind=kind, title=text, text=text, input=text, status=text) for kind in ("thought", "tool"))
        live = LiveView(session_id="devin-1", activity=text, plan=(PlanEntry(text, text),), steps=steps)
        for seen in (shown, replace(shown, phase=Phase.WORKING)):
            page = render.session_html(seen, transcript=True, message=text, name="audit", live=live)
            assert (_audit(page), len(page) < 250_000) == ([], True), text[:200]
            printed = render.session_text(seen, transcript=True, message=text, live=live)
            kinds = {unicodedata.category(character) for character in printed if character != "\n"}
            assert kinds.isdisjoint({"Cc", "Cf", "Cs", "Zl", "Zp"}), text[:200]


def test_the_terminal_gets_no_control_and_no_bidi_characters(snapshot: Make) -> None:
    for text in HOSTILE:
        shown = snapshot(phase=Phase.YOUR_TURN, title=text, question=text, structured_output={text: text})
        printed = render.session_text(shown)
        kinds = {unicodedata.category(character) for character in printed if character != "\n"}
        assert kinds.isdisjoint({"Cc", "Cf", "Cs", "Zl", "Zp"}), text[:200]
        assert len(printed.splitlines()[0]) <= 110, text[:200]


@pytest.mark.parametrize("address", ADDRESSES)
def test_only_plain_web_addresses_become_links(snapshot: Make, address: str) -> None:
    assert web_address(address) is None
    assert session_state(snapshot(url=address))["url"] is None


def test_the_state_of_a_panel_holds_html_only_where_it_was_cleaned(snapshot: Make) -> None:
    for text in HOSTILE:
        state = session_state(snapshot(phase=Phase.YOUR_TURN, title=text, question=text))
        item = message_item(Message("e", "devin", text, None))
        assert _audit(state["words"]["html"]) + _audit(item["html"]) == [], text[:200]
        assert len(json.dumps(state)) < 150_000, text[:200]
        assert len(row_state(render.board_row(snapshot(title=text)))["title"]) <= 160, text[:200]


def test_a_picture_becomes_a_link_so_that_reading_fetches_nothing() -> None:
    html = markdown("![chart](https://a.example/c.png)")

    assert "<img" not in html
    assert 'href="https://a.example/c.png"' in html
    assert "picture: chart" in html


@pytest.mark.parametrize("address", ["/hub/logout", "//evil.example/x", "files/evil.html", "?token=1", "#x", "http:x"])
def test_a_link_never_leads_into_the_server_that_shows_it(address: str) -> None:
    text = f"[a]({address}) ![b]({address}) [c][1]\n\n[1]: {address}"

    assert "href" not in markdown(text)
    assert "<a" not in markdown(text)


def test_an_answer_holds_no_character_that_turns_a_name_around(snapshot: Make) -> None:
    nested = {"file\u202e": ["invoice\u202efdp.exe", 1, None], "deep\u202e": {"a\u202e": [{"b\u202e": "c\u202e"}]}}
    told = json.dumps(session_state(snapshot(structured_output=nested, output_is_fresh=True))["answer"])

    assert "invoicefdp.exe, 1" in told
    assert "202e" not in told


@pytest.mark.parametrize("is_open", [True, False])
def test_long_words_beside_an_answer_are_told_as_a_safe_beginning(snapshot: Make, is_open: bool) -> None:
    for text in HOSTILE:
        said = Message("e", "devin", f"{text} {'and so on ' * 40}\n\n{text}", None)
        phase = Phase.WORKING if is_open else Phase.DONE
        state = session_state(
            snapshot(messages=(said,), phase=phase, structured_output={"a": text}, output_is_fresh=True)
        )
        assert _audit(state["words"]["short"]) == [], text[:200]
        assert len(state["words"]["short"]) < 3000, text[:200]


def test_headings_stay_below_those_of_the_panel() -> None:
    assert markdown("# Title") == "<h4>Title</h4>\n"


def test_ordinary_text_in_any_script_is_left_alone() -> None:
    text = "naïve café – 日本語 – עברית – العربية – 👩‍💻\n\ttabs too"

    assert safe_text(text) == text
