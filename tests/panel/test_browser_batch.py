"""The board of a real batch in JupyterLab: columns, money, reasons, answers, and what its buttons do."""

from __future__ import annotations

import re
from typing import Any

import pytest
from accessibility import violations

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
START = """%load_ext devin_jupyter
import os; os.chdir({folder!r})
import httpx
import pandas as pd
import devin_jupyter as dj
from devin_jupyter.simulator import scenarios
from devin_jupyter.simulator.config import Config
from devin_jupyter.simulator.server import start
scenarios._SLOW = 1e5  # at work until a test passes the time, however slow the machine is
sim = start(Config(speed=240))
devin = dj.connect(api_key=sim.api_key, org_id=sim.org_id, base_url=sim.url)
how = ["finished", "finished", "question", "fail", "finished", "invalid-output", "slow", "finished", "slow", "fail"]
rows = pd.DataFrame({{"repo": [f"acme/service-{{n}}" for n in range(14)], "how": how + ["finished"] * 4}})
options = dict(max_acu=3, budget=100, max_parallel=4, repos=["{{{{ row.repo }}}}"], tags=["sim:{{{{ row.how }}}}"])
schema = "outcome:upgraded|already_current|impossible, files_changed:int, notes:str"
task = "Upgrade {{{{ row.repo }}}} to Python 3.13\\nand open a pull request."
py313 = dj.map(task, rows, name="py313", schema=schema, **options)
py313.panel()"""
SIZES = {"wide": 1300, "narrow": 520}


@pytest.fixture(scope="module")
def batch(lab: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A board whose quick rows are over; two sessions still work."""
    lab.show(START.format(folder=str(tmp_path_factory.mktemp("exports"))))
    board = lab.page.locator(".dv-board-frame")
    expect(board.locator("strong", has_text="finished")).to_have_text("8 of 14 finished")
    expect(board.locator(".dv-waiting")).to_be_hidden()
    expect(board.locator(".dv-column:visible h4")).to_have_text(["Needs you 1", "Working 2", "Failed 3", "Finished 8"])
    return board


def test_columns_are_in_the_order_in_which_a_person_reads_them_and_cards_say_what_matters(lab: Any, batch: Any) -> None:
    failed = batch.locator(".dv-column", has_text="Failed")
    # not their inner text: a card outside the window is not laid out, and has none
    expect(failed.locator(".dv-card").first).to_contain_text("failed on the service's side")
    expect(failed).to_contain_text("does not fit the schema")
    finished = batch.locator(".dv-column", has_text="Finished").locator(".dv-card").first
    expect(finished).to_contain_text(
        re.compile(r"acme/service-0\s*(upgraded|already_current|impossible) · files_changed \d+[\d.]+ ACU")
    )
    expect(finished.get_by_role("link")).to_have_attribute(
        "href", re.compile(r"https://github.com/acme/service-0/pull/")
    )
    expect(batch.locator(".dv-subtitle")).to_have_text("Upgrade {{ row.repo }} to Python 3.13")
    expect(batch).to_contain_text(" of 100 ACU")
    assert "None." not in batch.inner_text()
    assert not re.search(r"\b0 (need|working|failed)", batch.inner_text())


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_reads_well_in_any_width_and_passes_axe(lab: Any, batch: Any, theme: str) -> None:
    lab.theme(theme)
    for name, width in SIZES.items():
        lab.resize(width + 432, 1400)
        batch.evaluate("(el, width) => { el.style.maxWidth = `${width}px` }", width)
        lab.picture(f"batch-{name}-{theme}", ".dv-board-frame")
        assert batch.evaluate("el => el.scrollWidth <= el.clientWidth + 1")
        assert violations(lab.page, ".dv-board-frame") == []
    batch.get_by_role("button", name="Table").click()
    expect(batch.get_by_role("columnheader", name="files_changed")).to_be_visible()
    expect(batch.locator("tbody tr")).to_have_count(14)
    assert batch.evaluate("el => el.scrollWidth <= el.clientWidth + 1")  # the table scrolls, its frame and page do not
    assert lab.page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
    lab.picture(f"batch-table-{theme}", ".dv-board-frame")
    assert violations(lab.page, ".dv-board-frame") == []
    batch.get_by_role("button", name="Board").click()
    lab.theme("light")


def test_its_buttons_export_and_retry(lab: Any, batch: Any) -> None:
    lab.resize(1300, 1400)
    batch.get_by_role("button", name="Export").click()
    expect(batch.get_by_role("alert")).to_have_text("Wrote py313.csv (14 rows).")
    assert lab.ask("pd.read_csv('py313.csv')['repo'].tolist() == rows['repo'].tolist()")

    before = lab.ask("py313.acus")
    batch.get_by_role("button", name="Retry 3 failed").click()
    expect(batch.locator("[role=alert]").first).to_contain_text("Take 2: starting 3 rows. At most 3 × 3 = 9 ACU.")
    lab.do("httpx.post(sim.url + '/_sim/clock', json={'advance': 1e6}, trust_env=False); py313.wait(600)")
    expect(batch).to_contain_text(" in earlier takes)")
    assert lab.ask("py313.acus") > before
    bundle = lab.ask("py313._repr_mimebundle_()['text/html']")
    assert "files_changed" in bundle


def test_stop_all_asks_and_a_running_batch_is_a_line_with_a_link_to_its_board(lab: Any) -> None:
    lab.show("again = dj.map('Slow {{ row }}', ['a', 'b'], name='slow', max_acu=2, tags=['sim:slow']); again.panel()")
    board = lab.page.locator(".dv-board-frame")
    expect(board.locator(".dv-column", has_text="Working").locator(".dv-card")).to_have_count(2)
    short = lab.ask("again._repr_mimebundle_()['text/html']")
    assert "<table" not in short
    anchor = re.search(r'href="#(dv-board-\w+)"', short)[1]
    assert lab.page.locator(f"#{anchor}").count() == 1

    board.get_by_role("button", name="Stop all…").click()
    expect(board.locator(".dv-sure")).to_contain_text("2 sessions are ended for good.")
    board.get_by_role("button", name="Keep them").click()
    expect(board.locator(".dv-sure")).to_be_hidden()
    assert lab.ask("again.tally.open") == 2
    board.get_by_role("button", name="Stop all…").click()
    board.get_by_role("button", name="Stop 2 sessions").click()
    expect(board.locator(".dv-column", has_text="Working")).to_be_hidden()
    expect(board).to_be_focused()
    assert lab.ask("again.tally.open") == 0
