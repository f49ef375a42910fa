"""A private JupyterLab and Debian's chromium for the browser tests, and a session that a test moves by hand."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from devin_jupyter.models.phase import Phase
from devin_jupyter.models.snapshot import Snapshot

CHROMIUM = next((path for path in map(Path, ("/usr/bin/chromium", "/usr/bin/chromium-browser")) if path.exists()), None)
ARTEFACTS = Path(__file__).parents[1] / "artefacts"
SUPPORT = Path(__file__).parent / "support"
REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(SUPPORT))  # modules that tests and the notebooks in the browser import alike
KERNEL_READY = """async () => {
  const app = window.jupyterapp; if (!app) return false; await app.restored;
  const widget = app.shell.currentWidget; if (!widget || !widget.sessionContext) return false;
  await widget.context.ready; await widget.sessionContext.ready;
  const kernel = widget.sessionContext.session && widget.sessionContext.session.kernel; if (!kernel) return false;
  await kernel.info; return kernel.status === 'idle' }"""


@dataclass
class StandIn:
    """A session handle without a service: a test moves it with `show`, and reads what was asked of it."""

    snapshot: Snapshot
    asked: list[tuple[str, Any]] = field(default_factory=list)
    fails: Exception | None = None
    callbacks: list[Callable[[Snapshot], None]] = field(default_factory=list)

    def subscribe(self, callback: Callable[[Snapshot], None], **_: Any) -> Callable[[], None]:
        self.callbacks.append(callback)
        return lambda: self.callbacks.remove(callback)

    def show(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        for callback in list(self.callbacks):
            callback(snapshot)

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
    """Return a snapshot of a session at work, with the given fields replaced."""

    def make(number: int = 1, **fields: Any) -> Snapshot:
        bare = f"{number:032x}"
        usual = {"session_id": f"devin-{bare}", "url": f"https://app.devin.ai/sessions/{bare}", "phase": Phase.WORKING}
        return Snapshot(**{**usual, "title": f"Session {number}", **fields})

    return make


@pytest.fixture
def stand_in(snapshot: Callable[..., Snapshot]) -> Callable[..., StandIn]:
    """Return a session that the test moves by hand."""
    return lambda number=1, **fields: StandIn(snapshot(number, **fields))


@dataclass
class Jupyter:
    """A running Jupyter server and the folder it serves."""

    url: str
    root: Path

    def notebook(self, name: str, *cells: str) -> Path:
        """Write a notebook without outputs."""
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        made = new_notebook(cells=[new_code_cell(cell) for cell in cells], metadata={"kernelspec": kernel})
        nbformat.write(made, self.root / name)
        return self.root / name

    def open(self, page: Any, name: str, *, kernel: bool = True) -> None:
        """Open a notebook in JupyterLab and wait for its kernel."""
        page.goto(f"{self.url}/lab/tree/{name}?reset")
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60000)
        if kernel:
            page.wait_for_function(KERNEL_READY, timeout=60000)

    @staticmethod
    def command(page: Any, name: str) -> None:
        """Run a command of JupyterLab and wait until it is through."""
        page.evaluate("name => window.jupyterapp.commands.execute(name)", name)

    def run_all(self, page: Any) -> None:
        """Run every cell, without waiting."""
        page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")

    def run(self, page: Any, index: int) -> None:
        """Run one cell, without waiting for it."""
        page.evaluate(
            """index => { const app = window.jupyterapp; app.shell.currentWidget.content.activeCellIndex = index;
            app.commands.execute('notebook:run-cell') }""",
            index,
        )

    def saved(self, page: Any, name: str) -> Any:
        """Save the open notebook and return what the file holds."""
        self.command(page, "docmanager:save")
        return nbformat.read(self.root / name, 4)


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    """A private Jupyter server, shared by the browser tests of this worker."""
    if CHROMIUM is None:
        pytest.skip("no chromium here: apt-get install chromium")
    root = tmp_path_factory.mktemp("jupyter")
    with _served("lab", root) as url:
        yield Jupyter(url, root)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's chromium, headless."""
    if CHROMIUM is None:
        pytest.skip("no chromium here: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        chromium = driver.chromium.launch(executable_path=str(CHROMIUM), headless=True, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A fresh page; uncaught errors of its scripts fail the test."""
    context = browser.new_context(viewport={"width": 1300, "height": 1000})
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert [error for error in errors if "devin" in error.lower() or "dv-" in error] == []


@pytest.fixture
def picture(page: Any) -> Callable[..., None]:
    """Write a screenshot of a part of the page to the artefacts."""
    ARTEFACTS.mkdir(exist_ok=True)

    def take(name: str, selector: str | None = None) -> None:
        target = page.locator(selector).first if selector else page
        target.screenshot(path=str(ARTEFACTS / f"{name}.png"))

    return take


@contextlib.contextmanager
def _served(app: str, root: Path, *extra: str) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = root / "server.log"
    with log.open("w") as sink:
        server = subprocess.Popen(
            _command(app, root, port, *extra), env=_environment(root), stdout=sink, stderr=sink, start_new_session=True
        )
        try:
            _await_server(f"http://127.0.0.1:{port}/api/status", server, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(10)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _command(app: str, root: Path, port: int, *extra: str) -> list[str]:
    lab = ["--LabApp.expose_app_in_browser=True", "--LabApp.news_url=None"]
    return [
        *(sys.executable, "-m", "jupyter", app, "--no-browser", "--ServerApp.ip=127.0.0.1"),
        *(f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={root}"),
        *("--IdentityProvider.token=", "--ServerApp.password=", "--ServerApp.allow_root=True"),
        *("--ServerApp.disable_check_xsrf=True",),
        *(lab if app == "lab" else []),
        *extra,
    ]


def _environment(root: Path) -> dict[str, str]:
    home = root / ".home"
    settings = home / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews":"false","checkForUpdates":false}')
    places = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
        "DEVIN_JUPYTER_HOME": "devin",
    }
    folders = {name: str(home / folder) for name, folder in places.items()}
    path = os.pathsep.join([str(SUPPORT), str(REPOSITORY)])
    return {**os.environ, **folders, "JUPYTER_PLATFORM_DIRS": "1", "PYTHONPATH": path}


def _await_server(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(300):
        try:
            opener.open(url, timeout=1).close()
            return
        except (urllib.error.URLError, OSError):
            if server.poll() is not None:
                raise RuntimeError(log.read_text()) from None
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(0.1)
    raise RuntimeError("the Jupyter server did not come up:\n" + log.read_text())
