"""A private Jupyter server, and a notebook in JupyterLab as the browser tests use it."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_notebook
from sent_methods import note_for

SUPPORT = Path(__file__).parent
REPOSITORY = SUPPORT.parents[2]
ARTIFACTS = REPOSITORY / "tests" / "artifacts"
ARE_WANTED = "PICTURES" in os.environ
"""Screenshots are for a person to look at; a browser on a busy machine is slow to make one."""
TWO_FRAMES = "() => new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(() => drawn())))"
HAS_SIZE = "([width, height]) => innerWidth === width && innerHeight === height"
KERNEL_READY = """async () => {
  const app = window.jupyterapp; if (!app) return false; await app.restored;
  const widget = app.shell.currentWidget; if (!widget || !widget.sessionContext) return false;
  await widget.context.ready; await widget.sessionContext.ready;
  const kernel = widget.sessionContext.session && widget.sessionContext.session.kernel; if (!kernel) return false;
  await kernel.info; return kernel.status === 'idle' }"""

SPLASH = "@jupyterlab/apputils-extension:splash"
"""Moves over the page while a theme is loaded: without a GPU, drawing it takes as long as the change of themes."""
HAS_LAB = "() => 'jupyterapp' in window && location.pathname.startsWith('/lab')"
OPEN_INSTEAD = """async name => {
  const app = window.jupyterapp;
  for (const widget of [...app.shell.widgets('main')]) {
    const context = widget.sessionContext;
    if (context && context.session) await context.shutdown();
    widget.dispose() }
  await app.commands.execute('docmanager:open', { path: name }) }"""
OPEN_BESIDE = """async name => {
  const { shell, commands } = window.jupyterapp; const before = shell.currentWidget.id;
  const widget = await commands.execute('docmanager:open', { path: name });
  await widget.context.ready; await widget.sessionContext.ready; return [widget.id, before] }"""
CLOSE = """async ([id, before]) => {
  const { shell } = window.jupyterapp;
  const widget = [...shell.widgets('main')].find(each => each.id === id);
  await widget.sessionContext.shutdown(); widget.dispose(); shell.activateById(before) }"""
HAS_RETURNED = "id => window.jupyterapp.shell.currentWidget?.id === id"


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
        """Open a notebook in JupyterLab, in place of what is open in its page, and wait for its kernel."""
        if page.evaluate(HAS_LAB):  # loading it takes four times as long
            page.evaluate(OPEN_INSTEAD, name)
        else:
            page.goto(f"{self.url}/lab/tree/{name}?reset")
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=300_000)
        if kernel:
            page.wait_for_function(KERNEL_READY, timeout=300_000, polling=100)

    @contextlib.contextmanager
    def beside(self, page: Any, name: str) -> Iterator[Any]:
        """Open a notebook in a tab beside what is open, where no kernel knows of its outputs; give its place."""
        identifier, before = page.evaluate(OPEN_BESIDE, name)
        place = page.locator(f"[id='{identifier}']")
        place.locator(".jp-Notebook .jp-Cell").first.wait_for()
        yield place
        page.evaluate(CLOSE, [identifier, before])
        page.wait_for_function(HAS_RETURNED, arg=before, polling=100)

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


def resize(page: Any, width: int, height: int) -> None:
    """Give the window a size, and wait until what is in it has been laid out anew."""
    if page.viewport_size == {"width": width, "height": height}:
        return
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_function(HAS_SIZE, arg=[width, height], polling=100)
    page.evaluate(TWO_FRAMES)


def picture(page: Any, name: str, selector: str | None = None) -> None:
    """Have a part of the page drawn, and write a screenshot of it to the artifacts where somebody asked for them."""
    target = page
    if selector:
        target = page.locator(selector).first
        target.wait_for()
    page.evaluate(TWO_FRAMES)
    if ARE_WANTED:
        ARTIFACTS.mkdir(exist_ok=True)
        target.screenshot(path=str(ARTIFACTS / f"{name}.png"))


@dataclass
class NotebookPage:
    """One notebook in JupyterLab with one cell, which tests of a module use one after the other."""

    page: Any
    jupyter: Jupyter
    name: str

    def show(self, code: str) -> None:
        """Run code in the cell, in place of what was there."""
        self.resize(1300, 1000)
        self.page.evaluate(
            """code => { const notebook = window.jupyterapp.shell.currentWidget.content;
            notebook.widgets[0].model.sharedModel.setSource(code); notebook.activeCellIndex = 0 }""",
            code,
        )
        self.jupyter.command(self.page, "notebook:run-cell")

    def do(self, code: str) -> None:
        """Run code in the kernel, beside the notebook; the focus stays where it is."""
        self._execute(code, "None")

    def ask(self, expression: str) -> Any:
        """Return the value of an expression in the kernel."""
        return json.loads(ast.literal_eval(self._execute("", f"__import__('json').dumps({expression})")))

    def _execute(self, code: str, expression: str) -> str:
        text: str = self.page.evaluate(
            """async ([code, value]) => {
              const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
              const request = { code, user_expressions: { value }, store_history: false };
              const reply = (await kernel.requestExecute(request).done).content;
              const outcome = reply.status === 'ok' ? reply.user_expressions.value : reply;
              if (outcome.status !== 'ok') throw new Error(outcome.evalue);
              return outcome.data['text/plain'] }""",
            [code, expression],
        )
        return text

    def theme(self, name: str) -> None:
        """Change the theme, `light` or `dark`."""
        self.page.evaluate(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', { theme })",
            f"JupyterLab {name.title()}",
        )
        is_light = str(name == "light").lower()
        self.page.wait_for_selector(f'body[data-jp-theme-light="{is_light}"] > #main')  # hidden for a frame

    def resize(self, width: int, height: int) -> None:
        """Give the window a size; see `resize`."""
        resize(self.page, width, height)

    def drawn(self) -> None:
        """Wait until what was changed has been drawn, and what follows from that too."""
        self.page.evaluate(TWO_FRAMES)

    def picture(self, name: str, selector: str | None = None) -> None:
        """Have a part of the page drawn; see `picture`."""
        picture(self.page, name, selector)


def free_port() -> int:
    """Return a port below those that systems hand out, which a kernel of another worker may be given at once.

    Sixteen are this process's own: a server of another worker may be about to take what is free now.
    """
    first = 20_000 + os.getpid() % 750 * 16
    for port in range(first, first + 16):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no port is free")


@contextlib.contextmanager
def served(app: str, root: Path, *extra: str) -> Iterator[str]:
    port = free_port()
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
        *(lab if app == "lab" else []),
        *extra,
    ]


def _environment(root: Path) -> dict[str, str]:
    home = root / ".home"
    settings = home / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews":"false","checkForUpdates":false}')
    pages = home / "config" / "labconfig"
    pages.mkdir(parents=True, exist_ok=True)
    (pages / "page_config.json").write_text(json.dumps({"disabledExtensions": {SPLASH: True}}))
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
    note_for(home / "ipython")
    path = os.pathsep.join([str(SUPPORT), str(REPOSITORY)])
    outside = {name: value for name, value in os.environ.items() if not name.startswith("DEVIN_")}
    return {**outside, **folders, "JUPYTER_PLATFORM_DIRS": "1", "PYTHONPATH": path}


def _await_server(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(1000):
        try:
            opener.open(url, timeout=10).close()
            return
        except (urllib.error.URLError, OSError):
            if server.poll() is not None:
                raise RuntimeError(log.read_text()) from None
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(0.1)
    raise RuntimeError("the Jupyter server did not come up:\n" + log.read_text())
