"""The panel in JupyterLab, moved by hand: looks, keyboard, accessibility, attention, and text that attacks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from accessibility import violations

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
PANEL = "s = fakes.audit(); panel = Panel(s, name='audit'); panel"
QUESTION = "Should I also fix `login.py`?\\n\\n- yes\\n- no"
ASKS = f"s.show(phase=fakes.Phase.YOUR_TURN, question='{QUESTION}', updated_at=fakes.END)"
DONE = "s.show(phase=fakes.Phase.DONE, question=None, updated_at=fakes.END)"
LIVE = ".dv-live"
SETTLED = ".dv-snapshot > .dv-live"


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


def _open(lab: Any, title: str) -> Any:
    """Open a tab, and return what is in it."""
    lab.page.get_by_role("tab", name=title).click()
    return lab.page.get_by_role("tabpanel", name=title)


def _menu(lab: Any, name: str) -> Any:
    """Open the menu, and return one of its buttons."""
    if not lab.page.locator(".dv-menu:popover-open").count():
        lab.page.get_by_role("button", name="More", exact=True).click()
    return lab.page.get_by_role("button", name=name, exact=True)


def _looked_at(lab: Any, name: str, selector: str) -> list[str]:
    """Take pictures in both themes and two widths, and return what axe finds; the theme is another one then."""
    found, now = [], "light" if lab.page.locator('body[data-jp-theme-light="true"]').count() else "dark"
    for theme in sorted(("light", "dark"), key=lambda theme: theme != now):  # a change takes longer than the pictures
        lab.theme(theme)
        for width in (520, 1300):
            lab.resize(width, 1700)
            lab.picture(f"{name}-{theme}-{width}", selector)
        found += [f"{theme}: {problem}" for problem in violations(lab.page, selector)]
    return found


def _next_picture_is_narrow(lab: Any, hidden: bool) -> None:
    """Fold the file browser away, so that 520 pixels are enough for a notebook."""
    lab.page.evaluate("hidden => window.jupyterapp.shell[hidden ? 'collapseLeft' : 'expandLeft']()", hidden)


def test_every_state_reads_well_and_passes_axe_in_both_themes(panel: Any) -> None:
    _next_picture_is_narrow(panel, hidden=True)
    assert _looked_at(panel, "panel-working", LIVE) == []

    panel.do("fakes.at_work(s, 9)")
    expect(panel.page.locator(".dv-plan li")).to_have_count(4)
    expect(panel.page.locator(".dv-work .dv-steps > li")).to_have_count(9)
    assert _looked_at(panel, "panel-live", LIVE) == []

    panel.do(ASKS)
    _badge(panel, "asks you")
    assert _looked_at(panel, "panel-asks", LIVE) == []

    panel.do("s.show(phase=fakes.Phase.NEEDS_APPROVAL, question=None); fakes.asks_approval(s)")
    expect(panel.page.locator(".dv-approval")).to_be_visible()
    assert _looked_at(panel, "panel-approval", LIVE) == []

    panel.do("s.tell(approval=None)")
    panel.do(DONE)
    _badge(panel, "done")
    for title in ("Conversation", "Steps", "Timeline", "Files", "Details"):
        pane = _open(panel, title)
        expect(pane).to_be_visible()
        assert violations(panel.page, LIVE) == [], title
        panel.picture(f"panel-tab-{title.lower()}", LIVE)
    assert _looked_at(panel, "panel-done", LIVE) == []
    _next_picture_is_narrow(panel, hidden=False)


def test_live_and_saved_have_the_same_order_words_and_table(lab: Any) -> None:
    """A follow-up cell: the message and the reply, then the answer as a table."""
    _next_picture_is_narrow(lab, hidden=True)
    shown = "s = fakes.finished(); m = 'Fix the first one, and add a test.'"
    lab.show(f"{shown}; Panel(s, message=m, name='audit')")
    live = lab.page.locator(SETTLED)
    expect(live.locator(".dv-records")).to_be_visible()
    assert _looked_at(lab, "followup", SETTLED) == []
    words = live.locator(".dv-panel").inner_text().split()

    lab.show(
        "import devin_jupyter.magics.display as d, devin_jupyter.render as r\n"
        "d.publish(r.bundle(s.snapshot, message=m, name='audit'))"
    )
    saved = lab.page.locator(".dv-snapshot")
    expect(saved).to_contain_text("validated")
    assert _looked_at(lab, "followup-saved", ".dv-snapshot") == []
    told = saved.inner_text().split()
    order = [
        "done",
        "Find",
        "1.84",
        "acme/api",
        "acme/api#418",
        "open",
        "You",
        "Fix",
        "Devin",
        "Done:",
        "file",
        "severity",
        "summary",
        "api/users.py",
        "high",
        "api/report.py",
        "low",
        "validated",
        "audit.frame()",
    ]
    for heard in (words, told):
        places, start = [], 0
        for word in order:
            start = heard.index(word, start)
            places.append(start)
        assert places == sorted(places)
        assert "items" not in " ".join(heard)
    heads = "els => els.map(el => el.innerText.trim())"
    assert saved.locator("th").evaluate_all(heads) == ["file", "severity", "summary"]
    lab.show("Panel(s, message=m)")
    assert live.locator(".dv-records th").evaluate_all(heads) == ["file", "severity", "summary"]
    more = lab.page.get_by_role("button", name="more", exact=True)
    more.click()
    expect(live.locator(".dv-said")).to_contain_text("coverage went up by a percent")
    lab.page.get_by_role("button", name="less", exact=True).click()
    expect(live.locator(".dv-said")).not_to_contain_text("coverage went up by a percent")
    _next_picture_is_narrow(lab, hidden=False)


def test_the_static_form_reads_well_and_passes_axe_in_both_themes(lab: Any) -> None:
    lab.show(
        f"s = fakes.audit(); fakes.at_work(s); {DONE}\n"
        "import devin_jupyter.magics.display as d, devin_jupyter.render as r"
    )
    lab.show("d.publish(r.bundle(s.snapshot, transcript=True, live=s.live_view))")
    expect(lab.page.locator(".dv-snapshot")).to_contain_text("validated")
    lab.page.evaluate("() => document.querySelectorAll('.dv-snapshot details').forEach(each => { each.open = true })")

    assert _looked_at(lab, "static", ".dv-snapshot") == []


def test_a_cell_that_runs_again_closes_the_panel_of_its_earlier_run(lab: Any) -> None:
    code = "earlier = globals().get('panel'); panel = Panel(globals().setdefault('kept', fakes.audit())); panel"
    lab.show(code)
    expect(lab.page.locator(LIVE)).to_have_count(1)
    lab.show(code)
    expect(lab.page.locator(LIVE)).to_have_count(1)
    assert lab.ask("[earlier.comm is None, panel.comm is None, len(kept.callbacks)]") == [True, False, 1]


def test_a_narrow_panel_keeps_everything_in_view(panel: Any) -> None:
    panel.resize(700, 1500)
    panel.do("fakes.at_work(s)")
    live = panel.page.locator(LIVE)
    fits = "el => el.scrollWidth <= el.clientWidth + 1"
    assert live.evaluate("el => el.clientWidth") < 420
    for title in ("Conversation", "Steps", "Timeline", "Files", "Answer so far", "Details"):
        _open(panel, title)
        assert live.evaluate(fits), title
    panel.do(DONE)
    _badge(panel, "done")
    assert live.evaluate(fits)
    panel.picture("panel-narrow", LIVE)


def test_enter_is_a_new_line_and_control_enter_sends(panel: Any) -> None:
    box, send = _reply_box(panel), panel.page.get_by_role("button", name="Send", exact=True)
    expect(send).to_be_disabled()
    expect(panel.page.locator(".dv-hint")).to_be_visible()
    expect(panel.page.locator(".dv-hint")).to_have_text("Ctrl+Enter sends")
    box.click()
    panel.page.keyboard.press("Control+Enter")
    panel.page.keyboard.type("   ")
    expect(send).to_be_disabled()
    box.fill("")
    panel.page.keyboard.type("ab")
    panel.page.keyboard.press("Enter")
    panel.page.keyboard.type("cd")
    panel.page.keyboard.press("Shift+Enter")
    panel.page.keyboard.type("x")
    expect(box).to_have_value("ab\ncd\nx")
    expect(send).to_be_enabled()
    assert panel.ask("s.asked") == []

    panel.page.keyboard.press("Control+Enter")
    expect(box).to_have_value("")
    expect(send).to_be_disabled()
    assert panel.ask("s.asked") == [["send", "ab\ncd\nx", None]]
    _badge(panel, "queued")
    box.fill("again")
    panel.page.keyboard.press("Meta+Enter")
    expect(box).to_have_value("")
    assert panel.ask("len(s.asked)") == 2
    assert panel.page.locator(".jp-Notebook .jp-Cell").count() == 1


def test_the_keyboard_reaches_everything_and_the_notebook_hears_none_of_it(panel: Any) -> None:
    panel.do(ASKS)
    _badge(panel, "asks you")
    _reply_box(panel).focus()
    panel.page.keyboard.type("add both")
    reached = []
    for _ in range(3):
        panel.page.keyboard.press("Tab")
        reached.append(panel.page.evaluate("() => document.activeElement.innerText.split('\\n')[0].trim()"))
    assert reached == ["Attach", "Send", "Conversation 3"]
    for key, name in (
        ("ArrowRight", "Timeline"),
        ("End", "Details"),
        ("ArrowRight", "Conversation"),
        ("ArrowLeft", "Details"),
    ):
        panel.page.keyboard.press(key)
        expect(panel.page.get_by_role("tab", name=name)).to_be_focused()
    panel.page.keyboard.press("Enter")
    expect(panel.page.get_by_role("tabpanel", name="Details")).to_be_visible()
    panel.page.keyboard.press("Space")
    expect(panel.page.get_by_role("tabpanel", name="Details")).to_be_hidden()

    more = panel.page.get_by_role("button", name="More", exact=True)
    more.focus()
    panel.page.keyboard.press("Enter")
    expect(panel.page.get_by_role("button", name="Copy id")).to_be_focused()
    panel.page.keyboard.press("ArrowUp")
    expect(panel.page.get_by_role("button", name="Stop", exact=True)).to_be_focused()
    panel.page.keyboard.press("Escape")
    expect(panel.page.locator(".dv-menu:popover-open")).to_have_count(0)
    expect(more).to_be_focused()
    for target in (more, panel.page.get_by_role("tab", name="Details"), panel.page.locator(".dv-panel")):
        target.focus()
        for key in ("d", "d", "x", "b", "a", "Shift+Enter", "Alt+Enter"):
            panel.page.keyboard.press(key)
    assert panel.page.locator(".jp-Notebook .jp-Cell").count() == 1


def test_a_phase_change_is_announced_and_the_panel_has_a_name(panel: Any) -> None:
    expect(panel.page.get_by_role("region", name="Devin session: Audit the payment API")).to_be_visible()
    status = panel.page.locator(f"{LIVE} .dv-hidden[role=status]")
    expect(status).to_have_text("")

    panel.do(DONE)
    expect(status).to_have_text("Audit the payment API for injection flaws: done")


NESTED = "{'name': 'audit', 'deep': {'rows': [{'a': {'b': 1}}]}}"


def test_an_update_leaves_what_a_person_is_doing_alone(panel: Any) -> None:
    _reply_box(panel).fill("half a sent")
    panel.do("s.show(acus=2.5, structured_output={**s.snapshot.structured_output, 'complete': True})")
    expect(panel.page.locator(".dv-money")).to_contain_text("2.5 of 5 ACU")

    _reply_box(panel).focus()
    panel.do(DONE)
    panel.page.locator(SETTLED).wait_for()
    panel.page.keyboard.press("End")
    panel.page.keyboard.type("ence")
    expect(_reply_box(panel)).to_have_value("half a sentence")

    panel.do(f"s.show(structured_output={NESTED})")
    tree = panel.page.locator(".dv-tree details").first
    tree.locator("> summary").click()
    panel.do("s.show(acus=2.75)")
    expect(panel.page.locator(".dv-money")).to_contain_text("2.75 of 5 ACU")
    assert tree.get_attribute("open") is None


def test_the_height_changes_at_most_twice_in_a_turn(lab: Any) -> None:
    """From the start of a turn to its answer, with and without the live channel, wide and narrow."""
    for width in (1300, 700):
        for is_live in (False, True):
            lab.show(
                "s = fakes.finished(phase=fakes.Phase.QUEUED, structured_output=None, pull_requests=(), "
                "messages=fakes.finished().snapshot.messages[:1], acus=None); Panel(s)"
            )
            lab.resize(width, 1200)
            expect(lab.page.locator(f"{LIVE} .dv-badge")).to_contain_text("queued")
            lab.page.evaluate("""() => { window.heights = [];
                const watch = new ResizeObserver(([entry]) => {
                  const height = Math.round(entry.contentRect.height);
                  if (height && window.heights.at(-1) !== height) window.heights.push(height) });
                watch.observe(document.querySelector('.dv-panel')) }""")
            lab.page.wait_for_function("() => window.heights.length === 1", polling=100)
            turn = ["s.show(phase=fakes.Phase.WORKING, acus=0.1)"]
            turn += ["fakes.at_work(s, 3)", "s.tell(plan=fakes.PLAN * 3)", "fakes.at_work(s, 30)"] if is_live else []
            turn += [
                "s.show(messages=fakes.finished().snapshot.messages[:2], acus=1.25)",
                "s.show(pull_requests=fakes.audit().snapshot.pull_requests * 3)",
                "s.trouble()",
                "s.trouble(False)",
                "s.show(structured_output={'items': list(fakes.FINDINGS)})",
                "s.show(structured_output={'items': list(fakes.FINDINGS) * 9})",
                "s.show(messages=fakes.finished().snapshot.messages[:1] + fakes.audit().snapshot.messages[1:])",
                "s.show(phase=fakes.Phase.DONE, updated_at=fakes.END)",
            ]
            for number, step in enumerate(turn):
                lab.do(f"{step}; s.show(tags=('step-{number}',))")
                lab.page.wait_for_timeout(120)
            expect(lab.page.locator(f"{LIVE} .dv-badge")).to_contain_text("done")
            lab.page.locator(SETTLED).wait_for()
            heights = lab.page.evaluate("() => window.heights")
            assert len(heights) - 1 <= 2, (width, is_live, heights)


def test_an_unfolded_step_keeps_its_place_while_more_arrive(panel: Any) -> None:
    panel.do("fakes.at_work(s, 30)")
    live = panel.page.locator(".dv-work")
    expect(live.locator(".dv-steps > li")).to_have_count(30)
    expect(live.locator(".dv-now")).to_contain_text("Running pytest tests/test_search.py · plan 1 of 4")
    step = live.locator(".dv-steps details").nth(2)
    step.locator("summary").click()
    expect(step.locator("pre").last).to_contain_text("passed")
    title = step.locator("summary .dv-step-title").inner_text()
    held = live.locator("details[open]")
    before = held.evaluate("el => el.getBoundingClientRect().top")
    panel.do("fakes.at_work(s, 36)")
    expect(live.locator(".dv-steps > li")).to_have_count(36)
    panel.drawn()
    assert held.locator("summary .dv-step-title").inner_text() == title
    assert abs(held.evaluate("el => el.getBoundingClientRect().top") - before) < 2

    panel.do(DONE)
    expect(live).to_be_hidden()
    pane = _open(panel, "Steps 36")
    expect(pane.locator(".dv-steps > li")).to_have_count(36)
    pane.locator("summary", has_text="The tests come first").click()
    expect(pane).to_contain_text("Then the fix.")


def test_an_approval_is_given_and_a_turn_canceled_each_asking_once(panel: Any) -> None:
    panel.do("fakes.at_work(s); fakes.asks_approval(s)")
    box = panel.page.locator(".dv-approval")
    expect(box).to_contain_text("git push origin fix-search")
    box.get_by_role("button", name="Reject", exact=True).click()
    box.get_by_role("button", name="Not yet").click()
    assert panel.ask("s.asked") == []
    box.get_by_role("button", name="Approve", exact=True).click()
    box.get_by_role("button", name="Yes, approve").click()
    expect(box).to_be_hidden()
    assert panel.ask("s.asked") == [["approve"]]

    _menu(panel, "Cancel this turn").click()
    panel.page.get_by_role("button", name="Cancel the turn").click()
    expect(panel.page.get_by_role("button", name="Cancel this turn")).to_be_visible()
    assert panel.ask("s.asked") == [["approve"], ["cancel_turn"]]


def test_the_files_of_a_session_are_listed_and_saved(panel: Any) -> None:
    panel.do(DONE)
    expect(panel.page.get_by_role("tab", name="Files 2")).to_be_visible()
    pane = _open(panel, "Files")
    expect(pane.get_by_role("listitem")).to_have_text(["report.csv from Devin", "coverage.html from Devin"])
    pane.get_by_role("button", name="Save all").click()
    expect(pane.locator(".dv-problem")).to_have_text("saved 2 files in devin-1")


def test_the_table_of_an_answer_is_copied(lab: Any) -> None:
    lab.show("s = fakes.finished(); Panel(s)")
    live = lab.page.locator(SETTLED)
    lab.page.evaluate(
        """() => { const clipboard = { writeText: async text => { window.copied = text } };
        Object.defineProperty(navigator, 'clipboard', { value: clipboard, configurable: true }) }"""
    )
    live.get_by_role("button", name="copy", exact=True).click()
    expect(live.get_by_role("button", name="copied", exact=True)).to_be_visible()
    assert lab.page.evaluate("() => window.copied").splitlines()[:2] == [
        "file\tseverity\tsummary",
        "api/users.py\thigh\tThe name goes into the statement by string formatting.",
    ]
    lab.page.evaluate("() => { delete navigator.clipboard }")


def test_a_long_conversation_stays_at_its_end_or_where_it_was_scrolled_to(panel: Any) -> None:
    more = "s.show(messages=(*s.snapshot.messages, *(fakes.message(n, 'line\\n' * 9) for n in range({0}, {0} + 5))))"
    chat, entries = panel.page.locator(".dv-chat"), panel.page.locator(".dv-chat > li")
    _open(panel, "Conversation")
    expect(entries).to_have_count(3)
    panel.do(more.format(100))
    expect(entries).to_have_count(8)
    panel.drawn()
    assert chat.evaluate("el => el.scrollHeight - el.scrollTop - el.clientHeight < 2")

    chat.evaluate("el => { el.scrollTop = 10 }")
    panel.do(more.format(200))
    expect(entries).to_have_count(13)
    panel.drawn()
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

    expect(panel.page.get_by_role("button", name="Send", exact=True)).to_be_disabled()
    _reply_box(panel).fill("see these")
    panel.page.get_by_role("button", name="Send", exact=True).click()
    expect(listed).to_have_count(0)
    assert panel.ask("[(n, len(c)) for n, c in s.asked[0][2]]") == [["notes.txt", 5], ["data.bin", 70_000]]


def test_an_error_of_an_act_is_shown_in_the_panel(panel: Any) -> None:
    expect(panel.page.get_by_role("button", name="Archive")).to_have_count(0)  # not while it is at work
    panel.do(DONE)
    archive = _menu(panel, "Archive")
    archive.click()

    expect(panel.page.locator(".dv-menu .dv-problem")).to_have_text("RuntimeError: archiving is closed today")
    expect(archive).to_be_enabled()
    panel.picture("panel-menu")


def test_a_click_while_the_kernel_is_busy_says_so_and_is_carried_out_later(panel: Any) -> None:
    panel.do("import threading; gate = threading.Event()")
    panel.do("panel.actions['stop'] = lambda: (gate.wait(600), s.show(phase=fakes.Phase.STOPPED))")
    _menu(panel, "Stop").click()
    sure = panel.page.get_by_role("button", name="Stop the session")
    sure.click()
    expect(panel.page.get_by_role("button", name="Stopping…")).to_be_disabled()
    expect(panel.page.locator(".dv-menu .dv-problem")).to_contain_text("Waiting for the kernel")

    panel.do("gate.set()")
    _badge(panel, "stopped")
    expect(panel.page.locator(".dv-menu .dv-problem")).to_be_hidden()


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
    lab.page.wait_for_function(starts, arg="● Devin needs you: Audit", polling=100)
    lab.do("s.show(acus=2)")
    lab.do("s.show(phase=fakes.Phase.WORKING, question=None)")
    lab.page.wait_for_function("() => !document.title.startsWith('●')", polling=100)
    lab.do(DONE)
    lab.page.wait_for_function(starts, arg="● Devin: done", polling=100)
    assert [note.partition(":")[0] for note in lab.page.evaluate("() => window.notes")] == ["Devin needs you", "Devin"]

    lab.page.evaluate("() => { delete document.hasFocus; window.dispatchEvent(new Event('focus')) }")
    assert not lab.page.title().startswith("●")


@pytest.fixture
def outside(lab: Any) -> Iterator[list[str]]:
    """The addresses that the page asks for, other than the server's."""
    asked: list[str] = []

    def note(request: Any) -> None:
        if request.url.startswith("http") and not request.url.startswith(lab.jupyter.url):
            asked.append(request.url)

    lab.page.on("request", note)
    yield asked
    lab.page.remove_listener("request", note)


FOUND = """() => {
  const html = (test) => [...document.querySelectorAll(':is(.dv-live, .dv-snapshot) *')].filter(test)
    .map(each => each.outerHTML.slice(0, 200));
  const forbidden = 'script, iframe, object, embed, form:not(.dv-reply), img, svg, style, link, base, meta';
  return {
    forbidden: html(each => each.matches(forbidden)),
    links: html(each => each.matches('a[href]') && !/^https?:/.test(each.getAttribute('href'))),
    handlers: html(each => each.getAttributeNames().some(name => name.startsWith('on'))),
    pwned: window.pwned ?? null } }"""
"""What an attack would have left in the views; one look, since each goes through thousands of elements."""


def _nothing_changed(lab: Any, outside: list[str]) -> None:
    assert lab.page.evaluate(FOUND) == {"forbidden": [], "links": [], "handlers": [], "pwned": None}
    assert outside == []


def test_text_that_attacks_does_nothing_in_any_view(lab: Any, outside: list[str]) -> None:
    count = lab.ask("len(fakes.hostile_sessions())")
    for first in (0, 24):
        number = min(24, count - first)
        lab.show(f"many = fakes.hostile_sessions({first}, {first + 24})\nfor s in many: display(Panel(s))")
        expect(lab.page.locator(f"{LIVE} .dv-panel")).to_have_count(number)
        for title in ("Conversation", "Steps", "Timeline", "Files", "Details"):
            lab.page.evaluate(
                "title => document.querySelectorAll('[role=tab]').forEach(each => "
                "{ if (each.textContent.startsWith(title)) each.click() })",
                title,
            )
            if title == "Conversation":
                expect(lab.page.locator(".dv-chat > li")).to_have_count(2 * number)
            lab.page.evaluate(
                "() => document.querySelectorAll('.dv-live details').forEach(each => { each.open = true })"
            )
            _nothing_changed(lab, outside)
        for phase, part in (("WORKING", ".dv-now"), ("NEEDS_APPROVAL", ".dv-approval")):
            lab.do(f"for s in many: s.show(phase=fakes.Phase.{phase})")
            expect(lab.page.locator(f"{LIVE} {part}").filter(visible=True)).to_have_count(number)
            _nothing_changed(lab, outside)
            assert "native code" not in lab.page.locator("body").inner_text()

    lab.show("BatchPanel(fakes.hostile_sessions())")
    lab.page.locator(".dv-card").nth(count // 2).click()
    lab.page.locator(".dv-detail .dv-panel").wait_for()
    _nothing_changed(lab, outside)
    lab.page.get_by_role("button", name="Table").click()
    expect(lab.page.locator(".dv-table tbody tr")).to_have_count(count)
    _nothing_changed(lab, outside)
    lab.picture("board-hostile_sessions", ".dv-board-frame")


def test_text_that_attacks_does_nothing_in_a_saved_file_whether_trusted_or_not(lab: Any, outside: list[str]) -> None:
    name, count = "hostile_sessions.ipynb", lab.ask("len(fakes.hostile_sessions())")
    lab.do(f"fakes.write_saved({name!r})")
    with lab.jupyter.beside(lab.page, name) as saved:
        expect(saved.locator(".dv-snapshot")).to_have_count(count)

        assert lab.page.evaluate("() => window.pwned") is None
        assert saved.locator(".dv-snapshot :is(script, img, svg, iframe, style, form, object)").count() == 0
        assert outside == []
