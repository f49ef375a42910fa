"""The board of a thousand preloaded sessions in JupyterLab, and the panel on other pages: Notebook 7 and voila."""

from __future__ import annotations

import contextlib
import re
from typing import Any

import pytest
from accessibility import violations
from lab import picture

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
THOUSAND = """%load_ext devin_jupyter
import devin_jupyter as dj
from devin_jupyter.simulator.config import Config
from devin_jupyter.simulator.server import start
sim = start(Config(preload=1000, speed=20))
devin = dj.connect(api_key=sim.api_key, org_id=sim.org_id, base_url=sim.url)
%devin sessions --live --limit 1000"""
MANY = "rows = fakes.many(1000); board = BatchPanel(rows, title='Upgrade'); board"
EACH = "BatchPanel(fakes.many(52), title='Upgrade')"
"""Four cards of each phase: with all the parts that one can have. The rules of axe take a second for each hundred."""


def test_the_command_shows_a_thousand_preloaded_sessions_and_a_row_opens_its_panel(lab: Any) -> None:
    lab.show(THOUSAND)
    board = lab.page.locator(".dv-board-frame")
    expect(board.locator("strong", has_text=" of 1,000 finished")).to_have_count(1)
    expect(board.locator(".dv-label", has_text="simulated").first).to_be_visible()
    expect(lab.page.locator(".dv-card")).to_have_count(1000)

    lab.page.locator(".dv-card").nth(20).click()
    detail = lab.page.locator(".dv-detail .dv-panel")
    detail.wait_for()  # `expect` describes the whole page each time it does not find what it looks for: seconds here
    expect(lab.page.locator(".dv-card-open").nth(20)).to_have_attribute("aria-expanded", "true")
    detail.get_by_role("tab", name="Conversation").click()
    detail.locator(".dv-chat > li").first.wait_for()
    lab.page.locator(".dv-detail").get_by_role("button", name="Close").click()
    expect(detail).to_have_count(0)


def test_the_board_reads_well_and_passes_axe_in_both_themes(lab: Any) -> None:
    lab.show(EACH)
    expect(lab.page.locator(".dv-card")).to_have_count(52)
    lab.resize(1300, 1600)  # the whole board is in the window
    for theme in ("dark", "light"):
        lab.theme(theme)
        lab.picture(f"board-{theme}", ".dv-board-frame")
        assert violations(lab.page, ".dv-board-frame") == []


def test_a_board_of_a_thousand_moves_row_by_row_and_stacks_its_columns_where_it_is_narrow(lab: Any) -> None:
    lab.show(MANY)
    board = lab.page.locator(".dv-board-frame")
    expect(board.locator(".dv-card")).to_have_count(1000)
    heads = [" ".join(text.split()) for text in board.locator(".dv-column:visible h4").all_inner_texts()]
    assert heads == ["Needs you 154", "Working 230", "Failed 231", "Finished 385"]

    lab.page.evaluate("() => { window.cards = [...document.querySelectorAll('.dv-card')] }")
    lab.do("rows[12].show(phase=fakes.Phase.DONE); rows[13].show(phase=fakes.Phase.YOUR_TURN, question='Which?')")
    expect(board.locator(".dv-column", has_text="Working").locator("h4")).to_have_text("Working 228")
    expect(board.locator("strong", has_text="386 of 1,000 finished")).to_have_count(1)
    kept = "() => window.cards.filter(card => card.isConnected).length"
    assert lab.page.evaluate(kept) == 998

    lab.resize(700, 1500)
    assert board.evaluate("el => el.scrollWidth <= el.clientWidth + 1")
    tops = lab.page.locator(".dv-column:visible").evaluate_all("els => els.map(el => el.getBoundingClientRect().top)")
    assert len(tops) == 4
    assert tops == sorted(set(tops))
    left = "el => el.getBoundingClientRect().left"
    assert board.locator(".dv-title").evaluate(left) == board.locator("strong", has_text="finished").evaluate(left)
    lab.picture("board-narrow", ".dv-board-frame")


def test_the_table_sorts_filters_and_opens(lab: Any) -> None:
    lab.show(MANY)
    tools, heads = lab.page.locator(".dv-tools"), lab.page.locator(".dv-table thead")  # a thousand rows have roles too
    tools.get_by_role("button", name="Table").click()
    rows = lab.page.locator(".dv-table tbody tr")
    expect(rows).to_have_count(1000)
    heads.get_by_role("button", name="ACU", exact=True).click()
    expect(heads.get_by_role("columnheader", name="ACU")).to_have_attribute("aria-sort", "descending")
    assert rows.first.locator("td.dv-number").inner_text() == "4.43"
    assert rows.last.locator("td.dv-number").inner_text() == "unknown"

    tools.get_by_label("Filter sessions").fill("service-99 upgrade")
    expect(rows).to_have_count(11)
    expect(lab.page.get_by_role("status").first).to_have_text("11 of 1,000 shown.")
    tools.get_by_label("Column").select_option("failed")
    expect(rows).to_have_count(2)
    lab.picture("board-table", ".dv-board-frame")
    assert violations(lab.page, ".dv-board-frame") == []
    rows.first.get_by_role("button").click()
    lab.page.locator(".dv-detail .dv-panel").wait_for()

    tools.get_by_label("Filter sessions").fill("nothing at all")
    expect(lab.page.get_by_role("status").first).to_contain_text("No session matches the filter.")


def test_an_empty_board_says_so_and_a_finished_one_leaves_a_table_in_the_file(lab: Any) -> None:
    lab.show("BatchPanel([])")
    expect(lab.page.locator(".dv-board-frame")).to_contain_text("No sessions yet.")

    lab.show("rows = fakes.many(3); board = BatchPanel(rows, title='Upgrade'); board")
    expect(lab.page.locator(".dv-card")).to_have_count(3)
    lab.do("for p in rows: p.show(phase=fakes.Phase.DONE, question=None)")
    lab.page.locator(".dv-snapshot > .dv-live").wait_for()
    outputs = lab.jupyter.saved(lab.page, lab.name).cells[0].outputs
    saved = [output.data for output in outputs if output.data.get("text/html")]
    assert len(saved) == 1
    assert "Upgrade: 3 sessions · 3 finished" in saved[0]["text/html"]
    assert not any("application/vnd.jupyter.widget-view+json" in output.data for output in outputs)


def run(page: Any, cell: Any) -> None:
    """Run a cell by hand; a page that is still being drawn may lose the keys, so until they are heard."""
    prompt = cell.locator(".jp-InputPrompt")
    for _ in range(10):
        cell.locator(".cm-content").click()
        page.keyboard.press("Shift+Enter")
        with contextlib.suppress(AssertionError):
            expect(prompt).to_contain_text(re.compile(r"\[(\d+|\*)\]"), timeout=3000)
            break
    expect(prompt).to_contain_text(re.compile(r"\[\d+\]"))


def test_notebook_7_shows_the_panel_and_takes_the_reply(jupyter: Any, page: Any) -> None:
    code = "import fakes\nfrom devin_jupyter.panel import Panel\ns = fakes.audit(); Panel(s)"
    asks = "s.show(phase=fakes.Phase.YOUR_TURN, question='Go on?')"
    jupyter.notebook("seven.ipynb", code, asks, "print(s.asked)")
    page.goto(f"{jupyter.url}/notebooks/seven.ipynb")
    cells = page.locator(".jp-Notebook .jp-CodeCell")
    expect(page.locator(".jp-Notebook-ExecutionIndicator")).to_have_attribute("data-status", "idle")
    for index in (0, 1):
        run(page, cells.nth(index))
    expect(page.locator(".dv-live .dv-badge")).to_contain_text("asks you")
    page.get_by_label("Message to Devin").click()
    page.keyboard.type("Go")
    page.keyboard.press("Enter")
    page.keyboard.type("on.")
    expect(page.get_by_label("Message to Devin")).to_have_value("Go\non.")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_label("Message to Devin")).to_have_value("")
    run(page, cells.nth(2))
    expect(page.locator(".jp-OutputArea-output", has_text="('send', 'Go\\non.', None)")).to_be_visible()
    picture(page, "notebook-7", ".dv-live")
    assert violations(page, ".dv-live") == []


def test_voila_shows_the_panel_and_takes_the_reply(jupyter: Any, page: Any) -> None:
    asked = "s = fakes.audit(phase=fakes.Phase.YOUR_TURN, question='Go on?'); Panel(s)"
    jupyter.notebook("dashboard.ipynb", f"import fakes\nfrom devin_jupyter.panel import Panel\n{asked}")
    page.goto(f"{jupyter.url}/voila/render/dashboard.ipynb")
    expect(page.locator(".dv-live .dv-badge")).to_contain_text("asks you")
    page.get_by_label("Message to Devin").fill("Go on.")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator(".dv-live .dv-badge")).to_contain_text("queued")
    picture(page, "voila")
