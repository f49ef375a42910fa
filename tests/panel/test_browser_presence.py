"""A panel in JupyterLab beside a person who reads and writes: focus, scroll, calls, and a kernel that goes away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
PANEL = "s = play.audit({fields}); panel = Panel(s); panel"
LONG = "messages=tuple(play.message(n, 'line\\n' * 9) for n in range(12))"
ASKS = "s.show(phase=play.Phase.YOUR_TURN, question='Shall I go on?', updated_at=play.END)"
SETTLED = ".dv-snapshot > .dv-live"
MEANS = "Played by the local simulator: its pages and pull requests do not exist."


@pytest.fixture(autouse=True)
def long_waits() -> Iterator[None]:
    expect.set_options(timeout=20_000)
    yield
    expect.set_options(timeout=5_000)


def _show(desk: Any, fields: str = "") -> Any:
    """Show one panel and return its place in the page."""
    desk.show(PANEL.format(fields=fields))
    live = desk.page.locator(".dv-live")
    expect(live).to_have_count(1)
    return live


def _saved_cost(desk: Any, words: str) -> None:
    """Wait until the snapshot in which the panel stands was replaced by one that says this."""
    expect(desk.page.locator(f".dv-snapshot:has(> .dv-live) > div:not(.dv-live) >> text={words}")).to_have_count(1)
    expect(desk.page.locator(f"{SETTLED} .dv-money")).to_contain_text(words)


def test_every_finished_panel_of_a_cell_is_seen(desk: Any) -> None:
    desk.show("for n in (1, 2, 3): display(Panel(play.audit(session_id=f'devin-{n}', phase=play.Phase.DONE)))")
    panels = desk.page.locator(SETTLED)
    expect(panels).to_have_count(3)
    for number in range(3):
        expect(panels.nth(number)).to_be_visible()


def test_a_settled_panel_keeps_scroll_and_focus_while_the_snapshot_around_it_moves(desk: Any) -> None:
    live = _show(desk, LONG)
    live.locator("summary", has_text="Conversation").click()
    chat, at_end = desk.page.locator(".dv-chat"), "el => el.scrollHeight - el.scrollTop - el.clientHeight < 2"
    expect(chat.locator("> li")).to_have_count(12)
    wide = live.evaluate("el => el.clientWidth")
    desk.page.get_by_label("Message to Devin").focus()
    desk.do(ASKS)
    desk.page.locator(SETTLED).wait_for()
    assert chat.evaluate(at_end)
    assert live.evaluate("el => el.clientWidth") == wide

    desk.do("s.show(acus=2.25)")
    _saved_cost(desk, "2.25 of 5 ACU")
    assert chat.evaluate(at_end)
    chat.evaluate(
        "el => new Promise(done => { el.addEventListener('scroll', done, { once: true }); el.scrollTop = 90 })"
    )
    desk.do("s.show(acus=2.5)")
    _saved_cost(desk, "2.5 of 5 ACU")
    assert chat.evaluate("el => el.scrollTop") == 90
    expect(desk.page.get_by_label("Message to Devin")).to_be_focused()


def test_the_focus_stays_with_the_control_that_acted_or_with_its_panel(desk: Any) -> None:
    live = _show(desk)
    box, archive = desk.page.get_by_label("Message to Devin"), live.get_by_role("button", name="Archive")
    box.fill("go on")
    desk.page.keyboard.press("Control+Enter")
    expect(box).to_have_value("")
    expect(box).to_be_focused()

    archive.focus()
    desk.page.keyboard.press("Enter")
    expect(live.locator(".dv-buttons .dv-problem")).to_be_visible()
    expect(archive).to_be_focused()

    live.get_by_role("button", name="Stop", exact=True).click()
    live.get_by_role("button", name="Stop the session").focus()
    desk.page.keyboard.press("Enter")
    expect(live.locator(".dv-badge")).to_contain_text("stopped")
    expect(live.locator(".dv-panel")).to_be_focused()


def test_nothing_of_a_message_can_be_changed_while_it_is_sent(desk: Any) -> None:
    live = _show(desk)
    desk.do("import threading; gate = threading.Event()")
    desk.do("panel.actions['send'] = lambda **_: gate.wait(20)")
    picked = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"hello"}
    live.locator("input[type=file]").set_input_files([picked])
    desk.page.get_by_label("Message to Devin").fill("see this")
    live.get_by_role("button", name="Send").click()
    for control in (live.get_by_role("button", name="Sending…"), live.get_by_role("button", name="Remove notes.txt")):
        expect(control).to_be_disabled()
    desk.do("gate.set()")
    expect(live.locator(".dv-files li")).to_have_count(0)


def test_an_approval_of_a_simulated_session_links_to_where_it_would_be_given(desk: Any) -> None:
    live = _show(desk, "phase=play.Phase.NEEDS_APPROVAL, question='May I push?'")
    for name in ("Approve it in Devin", "Open in Devin"):
        expect(live.get_by_role("link", name=name)).to_have_attribute("href", f"https://app.devin.ai/sessions/{1:032x}")
    expect(live.locator(".dv-label")).to_have_attribute("title", MEANS)


def test_the_id_is_copied_also_on_a_page_without_a_clipboard_of_its_own(desk: Any) -> None:
    live = _show(desk)
    desk.page.evaluate("() => Object.defineProperty(navigator, 'clipboard', { value: undefined, configurable: true })")
    copy = live.get_by_role("button", name="Copy id")
    copy.click()
    expect(live.get_by_role("button", name="Copied")).to_be_focused()
    desk.page.evaluate("() => { delete navigator.clipboard }")
    desk.page.get_by_label("Message to Devin").focus()
    desk.page.keyboard.press("Control+V")
    expect(desk.page.get_by_label("Message to Devin")).to_have_value(f"devin-{1:032x}")


def test_a_call_stands_though_the_panel_moves_with_the_focus_in_it(desk: Any) -> None:
    _show(desk, "session_id='devin-moves'")
    desk.page.get_by_label("Message to Devin").focus()
    desk.do(ASKS)
    desk.page.wait_for_function("() => document.title.startsWith('●')")
    desk.page.locator(SETTLED).wait_for()
    expect(desk.page.get_by_label("Message to Devin")).to_be_focused()
    assert desk.page.title().startswith("● Devin needs you: Audit")
    desk.page.keyboard.type("y")
    assert not desk.page.title().startswith("●")


def test_a_board_calls_for_a_row_that_needs_the_person_before_it_tells_of_others(desk: Any) -> None:
    desk.show("plays = [play.Play(700 + n, title=f'Row {n}') for n in range(3)]; BatchPanel(plays, title='Upgrade')")
    board = desk.page.locator(".dv-board-frame")
    expect(board).to_contain_text("3 working")
    desk.do("plays[1].show(phase=play.Phase.YOUR_TURN, question='Which?', updated_at=play.END)")
    expect(board).to_contain_text("1 needs you")
    assert desk.page.title() == "● Devin needs you: Row 1"
    desk.do("for p in plays[::2]: p.show(phase=play.Phase.DONE, updated_at=play.END)")
    expect(board).to_contain_text("2 done")
    expect(board.get_by_role("progressbar", name="Sessions done")).to_have_js_property("value", 2)
    assert desk.page.title() == "● Devin needs you: Row 1"

    desk.page.keyboard.press("Shift")
    desk.do("plays[0].show(phase=play.Phase.WORKING)")
    expect(board).to_contain_text("1 working")
    desk.do("plays[0].show(phase=play.Phase.DONE, updated_at=play.datetime.now(play.UTC))")
    expect(board).to_contain_text("0 working")
    assert desk.page.title() == "● Devin: all 3 over: Upgrade"
    desk.page.keyboard.press("Shift")


def test_a_row_opens_with_the_focus_in_its_panel_and_closing_leads_back(desk: Any) -> None:
    desk.show("BatchPanel(play.many(20), title='Upgrade')")
    for view, rows in (("Board", ".dv-card"), ("Table", ".dv-table td button")):
        desk.page.get_by_role("button", name=view, exact=True).click()
        row = desk.page.locator(rows).nth(2)
        row.focus()
        desk.page.keyboard.press("Enter")
        expect(desk.page.locator(".dv-detail .dv-panel")).to_be_focused()
        expect(row).to_have_attribute("aria-expanded", "true")
        desk.page.get_by_role("button", name="Close").click()
        expect(row).to_have_attribute("aria-expanded", "false")
        expect(row).to_be_focused()


def test_a_panel_whose_kernel_is_gone_says_so_and_lets_go_of_its_controls(desk: Any) -> None:
    live = _show(desk)
    desk.page.evaluate(
        """() => { window.jupyterapp.shell.currentWidget.sessionContext.session.kernel
        .requestExecute({ code: "import os; os._exit(1)" }) }"""
    )
    desk.page.locator(".jp-Dialog button").last.click(timeout=30_000)
    expect(live.locator(".dv-trouble")).to_have_text("The kernel is gone; run the cell again.")

    box = desk.page.get_by_label("Message to Devin")
    box.fill("still there?")
    desk.page.keyboard.press("Control+Enter")
    expect(live.locator(".dv-reply .dv-problem")).to_have_text("The kernel is gone; run the cell again.")
    expect(box).to_be_enabled()
    expect(box).to_have_value("still there?")
