"""Charts in JupyterLab and Notebook 7: as wide as the cell, also where that was outside the window or has changed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest
from lab import NotebookPage, picture, resize

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_spec("altair") is None, reason="altair is not installed"),
]
START = """import devin_jupyter as dj
from devin_jupyter.simulator.config import Config
from devin_jupyter.simulator.server import start
sim = start(Config(preload=300))
devin = dj.connect(api_key=sim.api_key, org_id=sim.org_id, base_url=sim.url)
sessions = dj.sessions_frame()"""
CHARTS = [
    "dj.charts.timeline(sessions.head(30))",
    "dj.charts.timeline(sessions)",
    "dj.charts.spend(sessions, by='repo')",
    "dj.charts.outcomes(sessions, by='repo')",
    "dj.charts.outcomes(sessions)",
    "dj.charts.durations(sessions)",
]
FITS = """count => { const drawn = [...document.querySelectorAll('.jp-OutputArea-output')].map(output =>
    [output, output.querySelector('canvas')]).filter(pair => pair[1]);
  return drawn.length === count && drawn.every(([output, canvas]) => {
    const left = output.clientWidth - canvas.getBoundingClientRect().width;
    return left >= 0 && left <= 80 && output.scrollWidth <= output.clientWidth }) }"""


def test_charts_are_as_wide_as_the_cell_in_any_window_and_theme(jupyter: Any, lab_page: Any) -> None:
    page = lab_page
    jupyter.notebook("charts.ipynb", START, *CHARTS)
    jupyter.open(page, "charts.ipynb")
    resize(page, 1300, 3200)
    jupyter.command(page, "notebook:run-all-cells")
    page.wait_for_function(FITS, arg=len(CHARTS), polling=200)
    shown = NotebookPage(page, jupyter, "charts.ipynb")
    for theme in ("dark", "light"):
        shown.theme(theme)
        for width in (520, 1300):
            page.evaluate(f"() => window.jupyterapp.shell.{'collapse' if width == 520 else 'expand'}Left()")
            resize(page, width, 3200)
            page.wait_for_function(FITS, arg=len(CHARTS), polling=200)
            picture(page, f"charts-{width}-{theme}", ".jp-Notebook")
    saved = jupyter.saved(page, "charts.ipynb")
    assert all("image/png" in cell.outputs[0].data for cell in saved.cells[1:])

    resize(page, 900, 600)  # most of the cells are drawn before they are on the page
    for address in ("notebooks/charts.ipynb", "lab/tree/charts.ipynb?reset"):  # the page is JupyterLab's for the next
        page.goto(f"{jupyter.url}/{address}")
        page.locator(".jp-OutputArea-output canvas").first.wait_for()
        resize(page, 900, 3200)
        page.wait_for_function(FITS, arg=len(CHARTS), polling=200)
