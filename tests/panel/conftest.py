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
from lab import ARE_WANTED, Jupyter, NotebookPage, served

CHROMIUM = next((path for path in map(Path, ("/usr/bin/chromium", "/usr/bin/chromium-browser")) if path.exists()), None)


def _need_chromium() -> None:
    if CHROMIUM is None:
        pytest.skip("no chromium here: apt-get install chromium")


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
    _need_chromium()
    root = tmp_path_factory.mktemp("jupyter")
    with served("lab", root) as url:
        yield Jupyter(url, root)


class Chromium:
    """Debian's chromium, headless, and one page with JupyterLab, for browser tests that follow each other."""

    def __init__(self) -> None:
        self._opened = contextlib.ExitStack()
        self._launched: Any = None
        self._lab: Any = None

    def launched(self) -> Any:
        """Return the browser."""
        if self._launched is None:
            playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
            driver = self._opened.enter_context(playwright.sync_playwright())
            playwright.expect.set_options(timeout=WAITED)
            arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
            self._launched = driver.chromium.launch(
                executable_path=str(CHROMIUM), headless=True, args=arguments, timeout=WAITED
            )
            self._opened.callback(self._launched.close)
        return self._launched

    def opened(self) -> Any:
        """Return a new context for pages."""
        context = self.launched().new_context(viewport=VIEWPORT, device_scale_factor=SCALE)
        context.set_default_timeout(WAITED)
        return context

    def lab(self) -> Any:
        """Return the page for JupyterLab, in which one notebook is opened after the other."""
        if self._lab is None:
            self._lab = self.opened().new_page()
        return self._lab

    def close(self) -> None:
        """Close it; the next test in a browser launches another."""
        self._launched = self._lab = None
        self._opened.pop_all().close()


WAITED = 150_000
"""Milliseconds; what is not there by then never comes."""
VIEWPORT = {"width": 1300, "height": 1000}
SCALE = 1 if ARE_WANTED else 0.25
"""Pixels of the screen to one of a page, whose layout stays the same: without a GPU each of them takes CPU time."""
_chromium = Chromium()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Playwright runs an event loop in this thread, where tests of other kinds run theirs."""
    try:
        yield
    finally:
        if nextitem is None or nextitem.get_closest_marker("browser") is None:
            _chromium.close()


@pytest.fixture
def page() -> Iterator[Any]:
    """A fresh page; errors of the widgets' scripts fail the test."""
    _need_chromium()
    context = _chromium.opened()
    opened = context.new_page()
    with _without_errors(opened):
        yield opened
        context.close()


@contextlib.contextmanager
def _without_errors(page: Any) -> Iterator[None]:
    errors: list[str] = []

    def note(error: Any) -> None:
        errors.append(f"{error}\n{error.stack}")

    page.on("pageerror", note)
    yield
    page.remove_listener("pageerror", note)
    assert [error for error in errors if "blob:" in error or "anywidget" in error] == []


@pytest.fixture(scope="module")
def lab_page(jupyter: Jupyter) -> Iterator[Any]:
    """The page for JupyterLab; errors of the widgets' scripts fail the module."""
    page = _chromium.lab()
    with _without_errors(page):
        yield page


@pytest.fixture(scope="module")
def lab(lab_page: Any, jupyter: Jupyter, request: pytest.FixtureRequest) -> NotebookPage:
    """A notebook with stand-in sessions at hand."""
    name = f"{request.module.__name__.rpartition('.')[2]}.ipynb"
    jupyter.notebook(name, "")
    jupyter.open(lab_page, name)
    opened = NotebookPage(lab_page, jupyter, name)
    opened.do("import fakes\nfrom devin_jupyter.panel import BatchPanel, CellOutput, Panel")
    return opened
