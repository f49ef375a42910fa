"""A `%%devin` cell in JupyterLab against the simulator: phases, a question, stop, and what the file holds."""

from __future__ import annotations

from typing import Any

import pytest
from lab import picture

from devin_jupyter.render import RECORD_MIME

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
VIEW = "application/vnd.jupyter.widget-view+json"
SETUP = "%load_ext devin_jupyter\nimport devin_jupyter as dj\ndj.connect(simulator=True);"
AUDIT = "%%devin --repos acme/api --schema 'severity:low|high, count:int' -o audit\nAudit the payment API."
ASK = "%%devin --tags sim:question -o ask\nTidy the workspace."
SLOW = "%%devin --tags sim:slow -o slow\nTake your time."
EXPECT_MS = 30_000


def _kinds(cell: Any) -> list[set[str]]:
    """The kinds of content in every output of a cell that hold something."""
    return [{kind for kind, value in output.get("data", {}).items() if value} for output in cell.outputs]


def _html(cell: Any) -> str:
    return "".join(output.get("data", {}).get("text/html", "") for output in cell.outputs)


def _badge(page: Any, words: str) -> None:
    from playwright.sync_api import expect

    expect(page.locator(".dv-live .dv-badge").last).to_contain_text(words, timeout=EXPECT_MS)


def _settled(page: Any) -> None:
    """The widget's output is gone, the panel has moved into the static snapshot."""
    page.locator(".dv-snapshot > .dv-live").wait_for(timeout=EXPECT_MS)


def _restart(jupyter: Any, page: Any, name: str) -> None:
    """Shut every kernel down and open the file in a fresh page."""
    page.evaluate("() => window.jupyterapp.serviceManager.sessions.shutdownAll()")
    page.goto("about:blank")
    jupyter.open(page, name)


def test_a_cell_goes_through_its_phases_and_the_file_holds_the_final_state(jupyter: Any, page: Any) -> None:
    from playwright.sync_api import expect

    jupyter.notebook("audit.ipynb", SETUP, AUDIT)
    jupyter.open(page, "audit.ipynb")
    jupyter.run_all(page)

    _badge(page, "working")
    expect(page.locator(".dv-tempo")).to_contain_text("so far")
    expect(page.locator(".dv-label", has_text="simulated").first).to_be_visible()
    picture(page, "session-working", ".dv-live")
    _badge(page, "done")
    expect(page.locator("summary", has_text="Output")).to_contain_text("validated")
    expect(page.locator(".dv-tempo")).to_contain_text("took")
    picture(page, "session-done", ".dv-live")

    _settled(page)
    cell = jupyter.saved(page, "audit.ipynb").cells[1]
    assert not any(VIEW in kinds for kinds in _kinds(cell))
    assert {"text/plain", "text/html", RECORD_MIME} in _kinds(cell)
    assert "✓ done" in _html(cell)

    _restart(jupyter, page, "audit.ipynb")
    expect(page.locator(".dv-snapshot")).to_be_visible(timeout=EXPECT_MS)
    expect(page.locator(".dv-snapshot")).to_contain_text("validated")
    assert page.locator(".dv-live").count() == 0
    assert "model not found" not in page.content()
    picture(page, "session-reopened", ".dv-snapshot")


def test_a_question_is_answered_in_the_panel_after_the_turn(jupyter: Any, page: Any) -> None:
    from playwright.sync_api import expect

    jupyter.notebook("ask.ipynb", SETUP, ASK, "print(len(ask.messages), ask.phase)")
    jupyter.open(page, "ask.ipynb")
    jupyter.run(page, 0)
    jupyter.run(page, 1)
    _badge(page, "your turn")
    expect(page.locator(".dv-asks")).to_contain_text("?")
    _settled(page)
    cell = jupyter.saved(page, "ask.ipynb").cells[1]
    assert not any(VIEW in kinds for kinds in _kinds(cell)), "a question must not leave a dead widget in the file"
    assert "replied, your turn" in _html(cell)

    page.get_by_label("Message to Devin").fill("Yes, go ahead.")
    picture(page, "session-asks", ".dv-live")
    page.keyboard.press("Control+Enter")
    _badge(page, "working")
    expect(page.get_by_label("Message to Devin")).to_have_value("")
    page.locator("summary", has_text="Conversation").click()
    expect(page.locator(".dv-from-you").last).to_contain_text("Yes, go ahead.", timeout=EXPECT_MS)
    expect(page.locator(".dv-live .dv-badge")).not_to_contain_text("working", timeout=EXPECT_MS)

    assert page.evaluate("() => window.jupyterapp.shell.currentWidget.content.widgets[1].model.executionCount") == 2
    cell = jupyter.saved(page, "ask.ipynb").cells[1]
    assert not any(VIEW in kinds for kinds in _kinds(cell))


def test_stop_asks_once_and_stops(jupyter: Any, page: Any) -> None:
    from playwright.sync_api import expect

    jupyter.notebook("stop.ipynb", SETUP, SLOW, "slow.snapshot.status")
    jupyter.open(page, "stop.ipynb")
    jupyter.run(page, 0)
    jupyter.run(page, 1)
    _badge(page, "working")

    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_focused()
    _badge(page, "working")
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Stop the session").click()
    _badge(page, "stopped")
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_hidden()
    _settled(page)
    assert "stopped" in _html(jupyter.saved(page, "stop.ipynb").cells[1])


def test_a_kernel_that_dies_leaves_a_readable_snapshot(jupyter: Any, page: Any) -> None:
    from playwright.sync_api import expect

    jupyter.notebook("dies.ipynb", SETUP, SLOW, "import os; os._exit(1)")
    jupyter.open(page, "dies.ipynb")
    jupyter.run(page, 0)
    jupyter.run(page, 1)
    _badge(page, "working")
    saved = jupyter.saved(page, "dies.ipynb").cells[1]
    assert "working" in _html(saved)
    jupyter.run(page, 2)
    page.locator(".jp-Dialog button").last.wait_for(timeout=EXPECT_MS)

    _restart(jupyter, page, "dies.ipynb")
    expect(page.locator(".dv-snapshot")).to_be_visible(timeout=EXPECT_MS)
    expect(page.locator(".dv-snapshot")).to_contain_text("working")
    picture(page, "session-kernel-died", ".jp-Notebook")


def test_a_reloaded_page_finds_the_panel_alive(jupyter: Any, page: Any) -> None:
    from playwright.sync_api import expect

    jupyter.notebook("reload.ipynb", SETUP, ASK)
    jupyter.open(page, "reload.ipynb")
    jupyter.run_all(page)
    _badge(page, "your turn")
    jupyter.saved(page, "reload.ipynb")

    page.goto("about:blank")
    jupyter.open(page, "reload.ipynb")
    _badge(page, "your turn")
    page.locator("summary", has_text="Conversation").click()
    expect(page.locator(".dv-chat li").first).to_contain_text("Tidy the workspace.", timeout=EXPECT_MS)
    page.get_by_label("Message to Devin").fill("Yes.")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".dv-from-you").last).to_contain_text("Yes.", timeout=EXPECT_MS)
