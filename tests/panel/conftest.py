"""A private JupyterLab and Debian's chromium for the browser tests, and a session that a test moves by hand."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sample_sessions import make_snapshot

from devin_jupyter import loop
from devin_jupyter.models.snapshot import Snapshot
from devin_jupyter.models.steps import LiveView
from devin_jupyter.monitor.store import Connection

sys.path.insert(0, str(Path(__file__).parent / "support"))  # modules that tests and the kernels in the browser share
from fakes import FakeSubscription
from lab import Jupyter, NotebookPage, served

CHROMIUM = next((path for path in map(Path, ("/usr/bin/chromium", "/usr/bin/chromium-browser")) if path.exists()), None)


def settle() -> None:
    """Wait until what was handed to the package's loop has been done."""

    async def nothing() -> None: ...

    loop.run(nothing())


@dataclass
class FakeHandle:
    """A session handle without a service: a test moves it with `show`, and reads what was asked of it."""

    snapshot: Snapshot
    asked: list[tuple[str, Any]] = field(default_factory=list)
    fails: Exception | None = None
    callbacks: list[Callable[[Snapshot], None]] = field(default_factory=list)
    wanted: list[bool] = field(default_factory=list)
    on_trouble: Callable[[Connection], None] | None = None
    on_live: Callable[[LiveView], None] | None = None

    def subscribe(
        self,
        callback: Callable[[Snapshot], None],
        *,
        on_trouble: Callable[[Connection], None] | None = None,
        on_live: Callable[[LiveView], None] | None = None,
        messages: bool = False,
        **_: Any,
    ) -> FakeSubscription:
        self.on_trouble = on_trouble or self.on_trouble
        self.on_live = on_live or self.on_live
        self.wanted.append(messages)
        return FakeSubscription(self, callback)

    def show(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        for callback in list(self.callbacks):
            callback(snapshot)
        settle()

    def send(self, text: str, attach: Any = None, again: bool = False) -> None:
        self._act("send", (text, attach, again))

    def stop(self) -> None:
        self._act("stop", None)

    def archive(self) -> None:
        self._act("archive", None)

    def _act(self, name: str, arguments: Any) -> None:
        self.asked.append((name, arguments))
        if self.fails is not None:
            raise self.fails


@pytest.fixture
def snapshot() -> Callable[..., Snapshot]:
    """Return a snapshot of a working session, with the given fields replaced."""
    return make_snapshot


@pytest.fixture
def fake(snapshot: Callable[..., Snapshot]) -> Callable[..., FakeHandle]:
    """Return a session that the test moves by hand."""
    return lambda number=1, **fields: FakeHandle(snapshot(number, **fields))


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    """A private Jupyter server, shared by the browser tests of this worker."""
    if CHROMIUM is None:
        pytest.skip("no chromium here: apt-get install chromium")
    root = tmp_path_factory.mktemp("jupyter")
    with served("lab", root) as url:
        yield Jupyter(url, root)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's chromium, headless."""
    if CHROMIUM is None:
        pytest.skip("no chromium here: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        playwright.expect.set_options(timeout=60_000)  # what is not there by then never comes
        chromium = driver.chromium.launch(executable_path=str(CHROMIUM), headless=True, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A fresh page; errors of the widgets' scripts fail the test."""
    with _opened_page(browser) as opened:
        yield opened


@contextlib.contextmanager
def _opened_page(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1300, "height": 1000})
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(f"{error}\n{error.stack}"))
    yield opened
    context.close()
    assert [error for error in errors if "blob:" in error or "anywidget" in error] == []


@pytest.fixture(scope="module")
def lab(browser: Any, jupyter: Jupyter, request: pytest.FixtureRequest) -> Iterator[NotebookPage]:
    """A notebook with stand-in sessions at hand; errors of the widgets' scripts fail the module."""
    name = f"{request.module.__name__.rpartition('.')[2]}.ipynb"
    jupyter.notebook(name, "")
    with _opened_page(browser) as page:
        jupyter.open(page, name)
        opened = NotebookPage(page, jupyter, name)
        opened.do("import fakes\nfrom devin_jupyter.panel import BatchPanel, CellOutput, Panel")
        yield opened
