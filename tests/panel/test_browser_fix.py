"""`%devin fix` in JupyterLab: the corrected cell is offered as the next cell, and nothing runs it."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
SOURCES = "() => window.jupyterapp.shell.currentWidget.content.widgets.map(cell => cell.model.sharedModel.getSource())"
COUNTS = "() => window.jupyterapp.shell.currentWidget.content.widgets.map(cell => cell.model.executionCount ?? null)"


def test_the_corrected_cell_is_offered_below_and_not_run(lab_page: Any, jupyter: Any) -> None:
    page = lab_page
    connect = "%load_ext devin_jupyter\nimport devin_jupyter as dj\ndj.connect(simulator=True, speed=240)"
    jupyter.notebook(
        "fix.ipynb", connect, "def price(name):\n    return {}[name]\nprice('tea')", "%devin fix", "%devin fix"
    )
    jupyter.open(page, "fix.ipynb")
    for index in (0, 1):
        jupyter.run(page, index)
    expect(page.get_by_text("KeyError").first).to_be_visible()
    page.wait_for_function(f"() => ({COUNTS})()[1] === 2", polling=100)
    expect(
        page.get_by_text("(ipykernel) | Idle").first
    ).to_be_visible()  # a kernel drops what comes right after an error
    jupyter.run(page, 2)
    expect(page.get_by_text("it was not run").first).to_be_visible()
    expect(page.get_by_text("+# simulated: the correction would stand here").first).to_be_visible()
    page.wait_for_function(f"() => ({SOURCES})().length === 5", polling=100)
    sources, counts = page.evaluate(SOURCES), page.evaluate(COUNTS)
    assert sources[2:4] == ["%devin fix", sources[3]]
    assert sources[3] not in ("", "%devin fix")
    assert counts[3] is None
    assert jupyter.saved(page, "fix.ipynb").cells[3].source == sources[3]
