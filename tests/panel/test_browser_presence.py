"""A panel in JupyterLab beside a person who reads and writes: focus, scroll, calls, and a kernel that goes away."""

from __future__ import annotations

from typing import Any

import pytest
from accessibility import violations
from lab import KERNEL_READY

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
PANEL = "s = fakes.audit({fields}); panel = Panel(s); panel"
LONG = "messages=tuple(fakes.message(n, 'line\\n' * 9) for n in range(12))"
ASKS = "s.show(phase=fakes.Phase.YOUR_TURN, question='Shall I go on?', updated_at=fakes.END)"
SETTLED = ".dv-snapshot > .dv-live"
MEANS = "Played by the local simulator: its pages and pull requests do not exist."


def _show(lab: Any, fields: str = "") -> Any:
    """Show one panel and return its place in the page."""
    lab.show(PANEL.format(fields=fields))
    live = lab.page.locator(".dv-live")
    expect(live).to_have_count(1)
    return live


def _saved_cost(lab: Any, words: str) -> None:
    """Wait until the snapshot in which the panel stands was replaced by one that says this."""
    expect(lab.page.locator(f".dv-snapshot:has(> .dv-live) > div:not(.dv-live) >> text={words}")).to_have_count(1)
    expect(lab.page.locator(f"{SETTLED} .dv-money")).to_contain_text(words)


def test_every_finished_panel_of_a_cell_is_seen(lab: Any) -> None:
    lab.show("for n in (1, 2, 3): display(Panel(fakes.audit(session_id=f'devin-{n}', phase=fakes.Phase.DONE)))")
    panels = lab.page.locator(SETTLED)
    expect(panels).to_have_count(3)
    for number in range(3):
        expect(panels.nth(number)).to_be_visible()


def test_a_settled_panel_keeps_scroll_and_focus_while_the_snapshot_around_it_moves(lab: Any) -> None:
    live = _show(lab, LONG)
    lab.page.get_by_role("tab", name="Conversation").click()
    chat, at_end = lab.page.locator(".dv-chat"), "el => el.scrollHeight - el.scrollTop - el.clientHeight < 2"
    expect(chat.locator("> li")).to_have_count(12)
    wide = live.evaluate("el => el.clientWidth")
    lab.page.get_by_label("Message to Devin").focus()
    lab.do(ASKS)
    lab.page.locator(SETTLED).wait_for()
    assert chat.evaluate(at_end)
    assert live.evaluate("el => el.clientWidth") == wide

    lab.do("s.show(acus=2.25)")
    _saved_cost(lab, "2.25 of 5 ACU")
    assert chat.evaluate(at_end)
    chat.evaluate(
        "el => new Promise(done => { el.addEventListener('scroll', done, { once: true }); el.scrollTop = 90 })"
    )
    lab.do("s.show(acus=2.5)")
    _saved_cost(lab, "2.5 of 5 ACU")
    assert chat.evaluate("el => el.scrollTop") == 90
    expect(lab.page.get_by_label("Message to Devin")).to_be_focused()


def test_the_focus_stays_with_the_control_that_acted_or_with_its_panel(lab: Any) -> None:
    live = _show(lab)
    box, more = lab.page.get_by_label("Message to Devin"), live.get_by_role("button", name="More", exact=True)
    box.fill("go on")
    lab.page.keyboard.press("Control+Enter")
    expect(box).to_have_value("")
    expect(box).to_be_focused()

    more.click()
    live.get_by_role("button", name="Stop", exact=True).click()
    expect(live.get_by_role("button", name="Keep it")).to_be_focused()
    live.get_by_role("button", name="Stop the session").focus()
    lab.page.keyboard.press("Enter")
    expect(live.locator(".dv-badge")).to_contain_text("stopped")
    held = "() => document.querySelector('.dv-live').contains(document.activeElement)"
    lab.page.wait_for_function(held, polling=100)

    lab.page.keyboard.press("Escape")
    expect(lab.page.locator(".dv-menu:popover-open")).to_have_count(0)
    more.click()
    archive = live.get_by_role("button", name="Archive")
    archive.focus()
    lab.page.keyboard.press("Enter")
    expect(live.locator(".dv-menu .dv-problem")).to_be_visible()
    expect(archive).to_be_focused()


def test_a_menu_takes_no_focus_from_where_a_person_went_before_its_first_frame(lab: Any) -> None:
    live = _show(lab, "phase=fakes.Phase.DONE")
    live.evaluate(
        """el => {
          const named = name => [...el.querySelectorAll('button')].find(each => each.textContent === name);
          el.querySelector('.dv-more').click(); const [copy, archive] = [named('Copy id'), named('Archive')];
          window.firstFocus = document.activeElement === copy; archive.focus(); archive.click() }"""
    )
    assert lab.page.evaluate("window.firstFocus")
    live.locator(".dv-menu .dv-problem").wait_for()
    lab.drawn()
    expect(live.get_by_role("button", name="Archive")).to_be_focused()

    lab.do("s.show(acus=2.25)")
    _saved_cost(lab, "2.25 of 5 ACU")  # the panel has moved, which closes a menu
    expect(live.locator(".dv-panel")).to_be_focused()


def test_nothing_of_a_message_can_be_changed_while_it_is_sent(lab: Any) -> None:
    live = _show(lab)
    lab.do("import threading; gate = threading.Event()")
    lab.do("panel.actions['send'] = lambda **_: gate.wait(600)")
    picked = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"hello"}
    live.locator("input[type=file]").set_input_files([picked])
    lab.page.get_by_label("Message to Devin").fill("see this")
    live.get_by_role("button", name="Send", exact=True).click()
    for control in (live.get_by_role("button", name="Sending…"), live.get_by_role("button", name="Remove notes.txt")):
        expect(control).to_be_disabled()
    lab.do("gate.set()")
    expect(live.locator(".dv-files li")).to_have_count(0)


def test_an_approval_of_a_simulated_session_links_to_where_it_would_be_given(lab: Any) -> None:
    live = _show(lab, "phase=fakes.Phase.NEEDS_APPROVAL, question='May I push?'")
    live.get_by_role("button", name="More", exact=True).click()
    for name in ("Approve it in Devin", "Open in Devin"):
        expect(live.get_by_role("link", name=name)).to_have_attribute("href", f"https://app.devin.ai/sessions/{1:032x}")
    expect(live.locator(".dv-label")).to_have_attribute("title", MEANS)


def test_the_id_is_copied_also_on_a_page_without_a_clipboard_of_its_own(lab: Any) -> None:
    live = _show(lab)
    lab.page.evaluate("() => Object.defineProperty(navigator, 'clipboard', { value: undefined, configurable: true })")
    live.get_by_role("button", name="More", exact=True).click()
    live.get_by_role("button", name="Copy id").click()
    expect(live.get_by_role("button", name="Copied")).to_be_focused()
    lab.page.evaluate("() => { delete navigator.clipboard }")
    lab.page.get_by_label("Message to Devin").focus()
    lab.page.keyboard.press("Control+V")
    expect(lab.page.get_by_label("Message to Devin")).to_have_value(f"devin-{1:032x}")


def test_a_call_stands_though_the_panel_moves_with_the_focus_in_it(lab: Any) -> None:
    _show(lab, "session_id='devin-moves'")
    lab.page.get_by_label("Message to Devin").focus()
    lab.do(ASKS)
    lab.page.wait_for_function("() => document.title.startsWith('●')", polling=100)
    lab.page.locator(SETTLED).wait_for()
    expect(lab.page.get_by_label("Message to Devin")).to_be_focused()
    assert lab.page.title().startswith("● Devin needs you: Audit")
    lab.page.keyboard.type("y")
    assert not lab.page.title().startswith("●")


def test_a_board_calls_for_a_row_that_needs_the_person_before_it_tells_of_others(lab: Any) -> None:
    lab.show(
        "rows = [fakes.FakeSession(700 + n, title=f'Row {n}') for n in range(3)]; BatchPanel(rows, title='Upgrade')"
    )
    board = lab.page.locator(".dv-board-frame")
    working = board.locator(".dv-column", has_text="Working")
    expect(working.locator(".dv-column-count")).to_have_text("3")
    lab.do("rows[1].show(phase=fakes.Phase.YOUR_TURN, question='Which?', updated_at=fakes.END)")
    expect(board.get_by_role("heading", name="Needs you 1")).to_be_visible()
    assert lab.page.title() == "● Devin needs you: Row 1"
    lab.do("for p in rows[::2]: p.show(phase=fakes.Phase.DONE, updated_at=fakes.END)")
    expect(board).to_contain_text("2 of 3 finished")
    expect(board.get_by_role("img", name="2 finished")).to_be_visible()
    assert lab.page.title() == "● Devin needs you: Row 1"

    lab.page.keyboard.press("Shift")
    lab.do("rows[0].show(phase=fakes.Phase.WORKING)")
    expect(working.locator(".dv-column-count")).to_have_text("1")
    lab.do("rows[0].show(phase=fakes.Phase.DONE, updated_at=fakes.datetime.now(fakes.UTC))")
    expect(working).to_be_hidden()
    assert lab.page.title() == "● Devin: all 3 over: Upgrade"
    lab.page.keyboard.press("Shift")


def test_a_row_opens_with_the_focus_in_its_panel_and_closing_leads_back(lab: Any) -> None:
    lab.show("BatchPanel(fakes.many(20), title='Upgrade')")
    for view, rows in (("Board", ".dv-card-open"), ("Table", ".dv-table td button")):
        lab.page.get_by_role("button", name=view, exact=True).click()
        row = lab.page.locator(rows).nth(2)
        row.focus()
        lab.page.keyboard.press("Enter")
        expect(lab.page.locator(".dv-detail .dv-panel")).to_be_focused()
        expect(row).to_have_attribute("aria-expanded", "true")
        lab.page.get_by_role("button", name="Close").click()
        expect(row).to_have_attribute("aria-expanded", "false")
        expect(row).to_be_focused()


DIES = """() => { window.jupyterapp.shell.currentWidget.sessionContext.session.kernel
        .requestExecute({ code: "import os; os._exit(1)" }) }"""
GONE = "The kernel is gone; run the cell again."


def test_a_panel_whose_kernel_is_gone_is_gray_and_its_buttons_are_disabled(lab: Any) -> None:
    live = _show(lab)
    lab.do("fakes.at_work(s); fakes.asks_approval(s)")
    lab.page.get_by_label("Message to Devin").fill("still there?")
    expect(live.get_by_role("button", name="Send", exact=True)).to_be_enabled()
    lab.page.evaluate(DIES)
    lab.page.locator(".jp-Dialog button").last.click()
    expect(live.locator(".dv-trouble")).to_have_text(GONE)

    assert "grayscale" in live.locator(".dv-panel").evaluate("el => getComputedStyle(el).filter")
    for name in ("Send", "Attach", "Approve", "Reject"):
        expect(live.get_by_role("button", name=name, exact=True)).to_be_disabled()
    live.get_by_role("button", name="More", exact=True).click()
    for name in ("Stop", "Cancel this turn"):
        expect(live.get_by_role("button", name=name, exact=True)).to_be_disabled()
    expect(live.get_by_role("button", name="Copy id")).to_be_enabled()  # it leads back to the session
    lab.page.keyboard.press("Escape")
    box = lab.page.get_by_label("Message to Devin")
    box.focus()
    lab.page.keyboard.press("Control+Enter")
    expect(box).to_have_value("still there?")
    assert violations(lab.page, ".dv-live") == []
    lab.picture("panel-gone", ".dv-live")


def test_a_restarted_kernel_leaves_no_panel_that_looks_alive(lab: Any) -> None:
    lab.page.wait_for_function(KERNEL_READY, polling=100)
    lab.do("import fakes\nfrom devin_jupyter.panel import Panel")  # the test before has ended the kernel
    live = _show(lab, "phase=fakes.Phase.DONE")
    expect(live.locator(".dv-reply")).to_be_visible()
    lab.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    expect(live.locator(".dv-trouble")).to_have_text(GONE)
    expect(live.get_by_role("button", name="Attach")).to_be_disabled()
