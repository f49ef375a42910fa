"""Panels and boards in marimo, in a real browser: they move while cells are idle, and buttons answer."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import free_port

pytestmark = pytest.mark.browser
APP = """
import marimo

app = marimo.App()


@app.cell
def _():
    import devin_jupyter as dj

    dj.connect(simulator=True, speed=120)
    return (dj,)


@app.cell
def _(dj):
    audit = dj.create("Audit", tags=["sim:question"], max_acu=5)
    audit.panel()
    return (audit,)


@app.cell
def _(dj):
    rows = dj.map("Say {{ row }}", ["hello", "goodbye"], name="few", max_acu=2)
    rows.panel()
    return


if __name__ == "__main__":
    app.run()
"""


@contextlib.contextmanager
def served(mode: str, folder: Path) -> Iterator[str]:
    """Serve the app with marimo on a free port."""
    (folder / "app.py").write_text(APP, encoding="utf-8")
    port = free_port()
    environment = {**os.environ, "HOME": str(folder), "DEVIN_JUPYTER_HOME": str(folder / "home")}
    command = [sys.executable, "-m", "marimo", mode, "app.py", "--headless", "--no-token", "--port", str(port)]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=folder, env=environment, stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        for _ in range(3000):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        process.kill()
        process.wait()


@pytest.mark.parametrize("mode", ["edit", "run"])
def test_a_panel_and_a_board_move_and_a_reply_is_sent(mode: str, page: Any, tmp_path: Path) -> None:
    pytest.importorskip("marimo", reason="marimo is not installed")
    from playwright.sync_api import expect

    with served(mode, tmp_path) as url:
        page.goto(url)
        if mode == "edit":  # an app runs as it is opened, a notebook when a person says so
            expect(page.locator(".cm-content").first).to_be_visible()
            page.locator("[data-testid=chrome-controls-bottom-right] [data-testid=run-button]").click()
        expect(page.get_by_text("asks you").first).to_be_visible()
        page.locator("textarea").first.fill("Keep the flag.")
        page.get_by_role("button", name="Send").first.click()
        expect(page.get_by_text("All checks pass.").first).to_be_visible()
        expect(page.get_by_text("goodbye", exact=True).first).to_be_visible()
        expect(page.get_by_text("Finished").first).to_be_visible()
