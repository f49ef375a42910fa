"""A `%%devin` cell in JupyterLab against the simulator: phases, a question, stop, and what the file holds."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from lab import picture

from devin_jupyter.recorded import RECORD_MIME

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
VIEW = "application/vnd.jupyter.widget-view+json"
CONNECT = """%load_ext devin_jupyter
import devin_jupyter as dj, httpx
client = dj.connect(simulator=True, speed=1)
def pass_time(s): httpx.post(client.settings.base_url + '/_sim/clock', json={'advance': s}, trust_env=False)"""
AUDIT = "%%devin --repos acme/api --schema 'severity:low|high, count:int' -o audit\nAudit the payment API."
ASK = "%%devin --tags sim:question -o ask\nTidy the workspace{}."
LONG = "%%devin --beside -o long\nTake your time{}."


@pytest.fixture
def lab(lab: Any) -> Any:
    """The notebook, connected to the simulator in its kernel."""
    lab.do(CONNECT)
    return lab


def _badge(page: Any, words: str) -> None:
    expect(page.locator(".dv-live .dv-badge")).to_contain_text(words)


def _at_work(lab: Any) -> None:
    """A turn takes 240 s by the simulator's clock; after a quarter of it Devin is at work and has said something."""
    expect(lab.page.locator(".dv-live .dv-badge")).to_be_visible()
    lab.do("pass_time(60)")
    _badge(lab.page, "working")


def _kinds(lab: Any) -> list[set[str]]:
    """The kinds of content that the saved outputs hold, and have something of."""
    outputs = lab.jupyter.saved(lab.page, lab.name).cells[0].outputs
    return [{kind for kind, value in output.get("data", {}).items() if value} for output in outputs]


def _html(lab: Any) -> str:
    outputs = lab.jupyter.saved(lab.page, lab.name).cells[0].outputs
    return "".join(output.get("data", {}).get("text/html", "") for output in outputs)


def _settled(lab: Any) -> None:
    """The widget's output is gone; the panel has moved into the static snapshot."""
    lab.page.locator(".dv-snapshot > .dv-live").wait_for()


def _copied(lab: Any, name: str) -> Any:
    """A copy of the file, opened beside the notebook."""
    shutil.copy(lab.jupyter.root / lab.name, lab.jupyter.root / name)
    return lab.jupyter.beside(lab.page, name)


def test_a_cell_goes_through_its_phases_and_the_file_holds_the_final_state(lab: Any) -> None:
    lab.show(AUDIT)
    _at_work(lab)
    expect(lab.page.locator(".dv-tempo")).to_contain_text("running")
    expect(lab.page.locator(".dv-label", has_text="simulated")).to_be_visible()
    expect(lab.page.locator(".dv-snapshot")).to_be_hidden()
    lab.picture("session-working", ".dv-live")
    lab.do("pass_time(300)")
    _badge(lab.page, "done")
    expect(lab.page.locator(".dv-live .dv-note")).to_contain_text("validated · copy · audit.frame()")
    expect(lab.page.locator(".dv-tempo")).to_contain_text("min")
    _settled(lab)
    lab.picture("session-done", ".dv-live")
    assert _kinds(lab) == [set(), {"text/plain", "text/html", RECORD_MIME}]
    assert "✓ done" in _html(lab)

    with _copied(lab, "reopened.ipynb") as copy:
        expect(copy.locator(".dv-snapshot")).to_contain_text("validated")
        assert copy.locator(".dv-live").count() == 0
        assert "model not found" not in copy.inner_html()
        picture(copy, "session-reopened", ".dv-snapshot")


def test_a_question_is_answered_in_the_panel_after_the_turn(lab: Any) -> None:
    lab.show(ASK.format(""))
    _at_work(lab)
    lab.do("pass_time(300)")
    _badge(lab.page, "asks you")
    expect(lab.page.locator(".dv-asks")).to_contain_text("?")
    _settled(lab)
    assert not any(VIEW in kinds for kinds in _kinds(lab)), "a question must not leave a dead widget in the file"
    assert "asks you" in _html(lab)

    lab.page.get_by_label("Message to Devin").fill("Yes, go ahead.")
    lab.picture("session-asks", ".dv-live")
    lab.page.keyboard.press("Control+Enter")
    expect(lab.page.get_by_label("Message to Devin")).to_have_value("")
    _at_work(lab)
    lab.page.get_by_role("tab", name="Conversation").click()
    expect(lab.page.locator(".dv-from-you").last).to_contain_text("Yes, go ahead.")
    lab.do("pass_time(300)")
    expect(lab.page.locator(".dv-live .dv-badge")).not_to_contain_text("working")
    assert lab.ask("len([m for m in ask.messages if m.source == 'user'])") == 2
    assert not any(VIEW in kinds for kinds in _kinds(lab))


def test_stop_asks_once_and_stops(lab: Any) -> None:
    lab.show(LONG.format(""))
    _at_work(lab)
    stop = lab.page.get_by_role("button", name="Stop", exact=True)
    lab.page.get_by_role("button", name="More", exact=True).click()
    stop.click()
    expect(lab.page.get_by_role("button", name="Keep it")).to_be_focused()
    lab.page.keyboard.press("Escape")
    expect(stop).to_be_focused()
    _badge(lab.page, "working")

    stop.click()
    lab.page.get_by_role("button", name="Stop the session").click()
    _badge(lab.page, "stopped")
    expect(stop).to_be_hidden()
    _settled(lab)
    assert "stopped" in _html(lab)


def test_a_reloaded_page_finds_the_panel_alive(lab: Any) -> None:
    lab.show(ASK.format(" once more"))
    _at_work(lab)
    lab.do("pass_time(300)")
    _badge(lab.page, "asks you")
    _settled(lab)
    lab.jupyter.saved(lab.page, lab.name)

    lab.page.goto("about:blank")
    lab.jupyter.open(lab.page, lab.name)
    _badge(lab.page, "asks you")
    lab.page.get_by_role("tab", name="Conversation").click()
    expect(lab.page.locator(".dv-chat > li").first).to_contain_text("Tidy the workspace once more.")
    lab.page.get_by_label("Message to Devin").fill("Yes.")
    lab.page.get_by_role("button", name="Send", exact=True).click()
    expect(lab.page.locator(".dv-from-you").last).to_contain_text("Yes.")


def test_a_kernel_that_dies_leaves_a_readable_snapshot(lab: Any) -> None:
    lab.show(LONG.format(" again"))
    _at_work(lab)
    expect(lab.page.locator(".dv-latest")).not_to_be_empty()
    expect(lab.page.locator(".dv-snapshot")).to_contain_text("working")
    lab.page.evaluate(
        """() => { window.jupyterapp.shell.currentWidget.sessionContext.session.kernel
        .requestExecute({ code: "import os; os._exit(1)" }) }"""
    )
    lab.page.locator(".jp-Dialog button").last.click()
    assert "working" in _html(lab)

    with _copied(lab, "died.ipynb") as copy:
        expect(copy.locator(".dv-snapshot")).to_be_visible()
        expect(copy.locator(".dv-snapshot")).to_contain_text("working")


def test_a_finished_cell_that_runs_again_keeps_its_box_and_its_tabs(lab: Any) -> None:
    cell = "%%devin --schema 'n:int' -o again\nCount again."
    lab.show(cell)
    expect(lab.page.locator(".dv-live .dv-badge")).to_be_visible()
    lab.do("pass_time(300)")
    _badge(lab.page, "done")
    _settled(lab)
    before = lab.ask("again.id")
    lab.show(cell)
    _settled(lab)
    _badge(lab.page, "done")
    assert lab.ask("again.id") == before
    expect(lab.page.get_by_label("Message to Devin")).to_be_visible()
    expect(lab.page.get_by_role("tab", name="Conversation")).to_be_visible()
    assert not any(VIEW in kinds for kinds in _kinds(lab))
    lab.page.get_by_label("Message to Devin").fill("And once more.")
    lab.page.keyboard.press("Control+Enter")
    _at_work(lab)

    lab.show("%%devin --to again\nAnd once more.\n")
    said = lab.page.locator(".dv-live .dv-said")
    expect(said).to_contain_text("And once more.")
    lab.do("pass_time(600)")
    _badge(lab.page, "done")
    expect(said.locator(".dv-who")).to_have_text(["You", "Devin"])
    lab.picture("session-follow-up", ".dv-live")
    lab.page.get_by_role("tab", name="Timeline").click()
    rows = lab.page.get_by_role("tabpanel", name="Timeline").get_by_role("listitem")
    words = [line.split("\n")[-1].strip() for line in rows.all_inner_texts()]
    assert words.count("done") == 2
    assert words.index("done") < words.index("message sent") < len(words) - 1


def test_a_cell_that_waits_for_a_result_shows_a_moving_line(lab: Any) -> None:
    lab.do("other = dj.create('Count slowly', tags=['sim:slow'], title='Count slowly')")
    lab.page.evaluate(
        """() => { const notebook = window.jupyterapp.shell.currentWidget.content;
        notebook.widgets[0].model.sharedModel.setSource("other.result()"); notebook.activeCellIndex = 0;
        window.jupyterapp.commands.execute('notebook:run-cell') }"""
    )
    line = lab.page.locator(".jp-OutputArea-output", has_text="Count slowly")
    expect(line).to_contain_text("interrupt to stop waiting")
    first = line.inner_text()
    expect(line).not_to_have_text(first)
    picture(lab.page, "waiting-line", ".jp-Cell-outputArea")
    lab.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.interrupt()")
    area = lab.page.locator(".jp-Cell-outputArea")
    expect(area).to_contain_text("Stopped waiting.")
    expect(area).to_contain_text("Run the cell again to wait. .stop() ends it.")
    expect(area).not_to_contain_text("interrupt to stop waiting")
    picture(lab.page, "waiting-stopped", ".jp-Cell-outputArea")
