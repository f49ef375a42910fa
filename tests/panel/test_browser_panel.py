"""The panel in JupyterLab, moved by hand: looks, keyboard, accessibility, attention, and text that attacks."""

from __future__ import annotations

from typing import Any

import pytest
from accessibility import violations

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
PANEL = "s = fakes.audit(); panel = Panel(s); panel"
QUESTION = "Should I also fix `login.py`?\\n\\n- yes\\n- no"
ASKS = f"s.show(phase=fakes.Phase.YOUR_TURN, question='{QUESTION}', updated_at=fakes.END)"
DONE = "s.show(phase=fakes.Phase.DONE, question=None, updated_at=fakes.END)"
LIVE = ".dv-live"


@pytest.fixture
def panel(lab: Any) -> Any:
    """A panel on a session at work; what it says is read from the page."""
    lab.show(PANEL)
    expect(lab.page.locator(LIVE)).to_have_count(1)
    expect(lab.page.locator(f"{LIVE} .dv-badge")).to_contain_text("working")
    return lab


def _reply_box(lab: Any) -> Any:
    return lab.page.get_by_label("Message to Devin")


def _badge(lab: Any, words: str) -> None:
    expect(lab.page.locator(f"{LIVE} .dv-badge")).to_contain_text(words)


def _unfold(lab: Any, *titles: str) -> None:
    for title in titles:
        lab.page.locator("summary", has_text=title).click()


def _looked_at(lab: Any, name: str, selector: str) -> list[str]:
    """Take pictures in both themes and return what axe finds."""
    found = []
    for theme in ("light", "dark"):
        lab.theme(theme)
        lab.picture(f"{name}-{theme}", selector)
        found += [f"{theme}: {problem}" for problem in violations(lab.page, selector)]
    lab.theme("light")
    return found


def test_every_state_reads_well_and_passes_axe_in_both_themes(panel: Any) -> None:
    panel.page.set_viewport_size({"width": 1300, "height": 1700})
    assert _looked_at(panel, "panel-working", LIVE) == []

    panel.do(ASKS)
    _badge(panel, "your turn")
    assert _looked_at(panel, "panel-asks", LIVE) == []

    panel.do(DONE)
    _badge(panel, "done")
    _unfold(panel, "Conversation", "Timeline", "Details")
    expect(panel.page.locator(".dv-chat > li")).to_have_count(3)
    assert _looked_at(panel, "panel-done", LIVE) == []


def test_the_static_form_reads_well_and_passes_axe_in_both_themes(lab: Any) -> None:
    lab.show(f"s = fakes.audit(); {DONE}\nimport devin_jupyter.magics.display as d, devin_jupyter.render as r")
    lab.show("d.publish(r.bundle(s.snapshot, transcript=True))")
    expect(lab.page.locator(".dv-snapshot")).to_contain_text("validated")

    assert _looked_at(lab, "static", ".dv-snapshot") == []


def test_a_cell_that_runs_again_closes_the_panel_of_its_earlier_run(lab: Any) -> None:
    code = "earlier = globals().get('panel'); panel = Panel(globals().setdefault('kept', fakes.audit())); panel"
    lab.show(code)
    expect(lab.page.locator(LIVE)).to_have_count(1)
    lab.show(code)
    expect(lab.page.locator(LIVE)).to_have_count(1)
    assert lab.ask("[earlier.comm is None, panel.comm is None, len(kept.callbacks)]") == [True, False, 1]


def test_a_narrow_panel_keeps_everything_in_view(panel: Any) -> None:
    panel.page.set_viewport_size({"width": 700, "height": 1500})
    _unfold(panel, "Conversation", "Timeline", "Details")
    expect(panel.page.locator(".dv-chat > li")).to_have_count(3)
    live = panel.page.locator(LIVE)

    assert live.evaluate("el => el.clientWidth") < 420
    assert live.evaluate("el => el.scrollWidth <= el.clientWidth + 1")
    panel.picture("panel-narrow", LIVE)


def test_the_keyboard_reaches_everything_and_the_notebook_hears_none_of_it(panel: Any) -> None:
    panel.do(ASKS)
    _badge(panel, "your turn")
    _reply_box(panel).focus()
    panel.page.keyboard.type("add both")
    reached = []
    for _ in range(9):
        panel.page.keyboard.press("Tab")
        reached.append(panel.page.evaluate("() => document.activeElement.innerText.split('\\n')[0].trim()"))
    assert reached[:4] == ["Send", "Attach files…", "acme/api#12", "acme/billing#7"]
    assert reached[4:] == ["Conversation3 messages", "Timeline", "Details", "Stop", "Archive"]

    panel.page.get_by_role("button", name="Copy id").focus()
    for key in ("d", "d", "x", "b", "a"):
        panel.page.keyboard.press(key)
    assert panel.page.locator(".jp-Notebook .jp-Cell").count() == 1

    _reply_box(panel).focus()
    panel.page.keyboard.press("Control+Enter")
    expect(_reply_box(panel)).to_have_value("")
    assert panel.ask("s.asked") == [["send", "add both", None]]
    expect(panel.page.locator(f"{LIVE} .dv-badge")).to_contain_text("queued")


def test_a_phase_change_is_announced_and_the_panel_has_a_name(panel: Any) -> None:
    expect(panel.page.get_by_role("region", name="Devin session: Audit the payment API")).to_be_visible()
    status = panel.page.locator(f"{LIVE} [role=status]")
    expect(status).to_have_text("")

    panel.do(DONE)
    expect(status).to_have_text("Audit the payment API for injection flaws: done")


def test_an_update_leaves_what_a_person_is_doing_alone(panel: Any) -> None:
    findings = panel.page.locator(".dv-tree > div > details")
    findings.locator("> summary").click()
    _reply_box(panel).fill("half a sent")
    panel.do("s.show(acus=2.5, structured_output={**s.snapshot.structured_output, 'complete': True})")
    expect(panel.page.locator(".dv-money")).to_contain_text("2.5 of 5 ACU")
    assert findings.get_attribute("open") is None

    _reply_box(panel).focus()
    panel.do(DONE)
    panel.page.locator(".dv-snapshot > .dv-live").wait_for()
    panel.page.keyboard.press("End")
    panel.page.keyboard.type("ence")
    expect(_reply_box(panel)).to_have_value("half a sentence")


def test_a_long_conversation_stays_at_its_end_or_where_it_was_scrolled_to(panel: Any) -> None:
    more = "s.show(messages=(*s.snapshot.messages, *(fakes.message(n, 'line\\n' * 9) for n in range({0}, {0} + 5))))"
    chat, entries = panel.page.locator(".dv-chat"), panel.page.locator(".dv-chat > li")
    _unfold(panel, "Conversation")
    expect(entries).to_have_count(3)
    panel.do(more.format(100))
    expect(entries).to_have_count(8)
    assert chat.evaluate("el => el.scrollHeight - el.scrollTop - el.clientHeight < 2")

    chat.evaluate("el => { el.scrollTop = 10 }")
    panel.do(more.format(200))
    expect(entries).to_have_count(13)
    assert chat.evaluate("el => el.scrollTop") == 10

    panel.page.get_by_role("button", name="Show all of it").click()
    expect(panel.page.get_by_role("button", name="Show less")).to_have_attribute("aria-expanded", "true")


def test_files_are_picked_listed_and_sent(panel: Any) -> None:
    files = {"notes.txt": b"hello", "gone.txt": b"x", "data.bin": bytes(70_000)}
    picked = [{"name": name, "mimeType": "text/plain", "buffer": content} for name, content in files.items()]
    panel.page.locator(f"{LIVE} input[type=file]").set_input_files(picked)
    panel.page.get_by_role("button", name="Remove gone.txt").click()
    listed = panel.page.locator(".dv-files li")
    expect(listed).to_have_count(2)

    panel.page.get_by_role("button", name="Send").click()
    expect(panel.page.locator(".dv-reply .dv-problem")).to_have_text("Write a message first.")
    _reply_box(panel).fill("see these")
    panel.page.get_by_role("button", name="Send").click()
    expect(listed).to_have_count(0)
    assert panel.ask("[(n, len(c)) for n, c in s.asked[0][2]]") == [["notes.txt", 5], ["data.bin", 70_000]]


def test_an_error_of_an_act_is_shown_in_the_panel(panel: Any) -> None:
    archive = panel.page.get_by_role("button", name="Archive")
    archive.click()

    expect(panel.page.locator(".dv-buttons .dv-problem")).to_have_text("RuntimeError: archiving is closed today")
    expect(archive).to_be_enabled()
    panel.picture("panel-error", LIVE)


def test_a_click_while_the_kernel_is_busy_says_so_and_is_carried_out_later(panel: Any) -> None:
    panel.do("import threading; gate = threading.Event()")
    panel.do("panel.actions['stop'] = lambda: (gate.wait(20), s.show(phase=fakes.Phase.STOPPED))")
    panel.page.get_by_role("button", name="Stop", exact=True).click()
    sure = panel.page.get_by_role("button", name="Stop the session")
    sure.click()
    expect(panel.page.get_by_role("button", name="Stopping…")).to_be_disabled()
    expect(panel.page.locator(".dv-buttons .dv-problem")).to_contain_text("Waiting for the kernel")

    panel.do("gate.set()")
    _badge(panel, "stopped")
    expect(panel.page.locator(".dv-buttons .dv-problem")).to_be_hidden()


def test_trouble_with_the_connection_shows_and_heals(panel: Any) -> None:
    trouble = panel.page.locator(".dv-trouble")
    panel.do("s.trouble()")
    expect(trouble).to_contain_text("reconnecting, last seen")
    panel.picture("panel-trouble", LIVE)

    panel.do("s.trouble(False)")
    expect(trouble).to_be_hidden()


WATCHED = """() => {
  window.notes = [];
  window.Notification = class {
    static permission = 'granted';
    constructor(words) { window.notes.push(words) }
    addEventListener() {} };
  Object.defineProperty(document, 'hasFocus', { value: () => false, configurable: true }) }"""


def test_a_person_is_called_back_once_however_many_panels_show_the_session(lab: Any) -> None:
    lab.show("s = fakes.audit(session_id='devin-called')\ndisplay(Panel(s)); display(Panel(s))")
    expect(lab.page.locator(LIVE)).to_have_count(2)
    lab.page.keyboard.press("Shift")  # what earlier sessions called for is read
    lab.page.evaluate(WATCHED)
    starts = "words => document.title.startsWith(words)"

    lab.do(ASKS)
    lab.page.wait_for_function(starts, arg="● Devin needs you: Audit")
    lab.do("s.show(acus=2)")
    lab.do("s.show(phase=fakes.Phase.WORKING, question=None)")
    lab.page.wait_for_function("() => !document.title.startsWith('●')")
    lab.do(DONE)
    lab.page.wait_for_function(starts, arg="● Devin: done")
    assert [note.partition(":")[0] for note in lab.page.evaluate("() => window.notes")] == ["Devin needs you", "Devin"]

    lab.page.evaluate("() => { delete document.hasFocus; window.dispatchEvent(new Event('focus')) }")
    assert not lab.page.title().startswith("●")


def _nothing_changed(lab: Any, outside: list[str]) -> None:
    views = ":is(.dv-live, .dv-snapshot)"
    forbidden = "script, iframe, object, embed, form:not(.dv-reply), img, svg, style, link, base, meta"
    assert lab.page.locator(f"{views} :is({forbidden})").count() == 0
    links = "els => els.map(el => el.getAttribute('href')).filter(href => !/^https?:/.test(href))"
    assert lab.page.locator(f"{views} a[href]").evaluate_all(links) == []
    handlers = "els => els.filter(el => el.getAttributeNames().some(name => name.startsWith('on'))).length"
    assert lab.page.locator(f"{views} *").evaluate_all(handlers) == 0
    assert lab.page.evaluate("() => window.pwned") is None
    assert [url for url in outside if url.startswith("http") and lab.jupyter.url not in url] == []


def test_text_that_attacks_does_nothing_in_any_view(lab: Any) -> None:
    outside: list[str] = []
    lab.page.on("request", lambda request: outside.append(request.url))
    count = lab.ask("len(fakes.hostile_sessions())")
    for first in (0, 24):
        number = min(24, count - first)
        lab.show(f"for s in fakes.hostile_sessions({first}, {first + 24}): display(Panel(s))")
        expect(lab.page.locator(f"{LIVE} .dv-panel")).to_have_count(number)
        lab.page.evaluate("() => document.querySelectorAll('.dv-live details').forEach(each => { each.open = true })")
        expect(lab.page.locator(".dv-chat > li")).to_have_count(2 * number)
        _nothing_changed(lab, outside)

    lab.show("BatchPanel(fakes.hostile_sessions())")
    lab.page.locator(".dv-card").nth(count // 2).click()
    expect(lab.page.locator(".dv-detail .dv-panel")).to_be_visible()
    _nothing_changed(lab, outside)
    lab.page.get_by_role("button", name="Table").click()
    expect(lab.page.locator(".dv-table tbody tr")).to_have_count(count)
    _nothing_changed(lab, outside)
    lab.picture("board-hostile_sessions", ".dv-board-frame")


def test_text_that_attacks_does_nothing_in_a_saved_file_whether_trusted_or_not(lab: Any) -> None:
    outside: list[str] = []
    lab.page.on("request", lambda request: outside.append(request.url))
    name, count = "hostile_sessions.ipynb", lab.ask("len(fakes.hostile_sessions())")
    lab.do(f"fakes.write_saved({name!r})")
    other = lab.page.context.new_page()
    other.on("request", lambda request: outside.append(request.url))
    lab.jupyter.open(other, name, kernel=False)
    expect(other.locator(".dv-snapshot")).to_have_count(count)

    assert other.evaluate("() => window.pwned") is None
    assert other.locator(".dv-snapshot :is(script, img, svg, iframe, style, form, object)").count() == 0
    assert [url for url in outside if url.startswith("http") and lab.jupyter.url not in url] == []
    other.close()
