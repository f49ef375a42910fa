"""Where this code runs: which front end shows the outputs, which notebook and cell run, whether a person can click.

Everything is read from modules that are loaded already and from the environment; nothing is imported, but for psutil
where a kernel of macOS or Windows was started by no server.
"""

from __future__ import annotations

import importlib
import itertools
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

Outputs = Literal["page", "frames", "file"]


@dataclass(frozen=True, kw_only=True)
class Host:
    """The front end of this process at one moment; `host()` returns the current one."""

    kind: str
    """A name from `KINDS`."""
    outputs: Outputs
    """`page`: all outputs share one page and can be replaced. `frames`: each output is shown apart, or never replaced.
    `file`: outputs only go to the saved file or a terminal; updates are not seen."""
    notebook: str
    """The path of the notebook; of the script, or the working directory, where there is none."""
    in_kernel: bool = False
    """Whether a Jupyter kernel runs this code, rather than a terminal or a script."""
    cell_id: str | None = None
    """The id of the running cell, if the front end sends it."""
    request: str | None = None
    """The id of the running execute request."""

    @property
    def can_click(self) -> bool:
        """Whether a person can click in an output."""
        return self.outputs != "file"

    @property
    def takes_cells(self) -> bool:
        """Whether the text that `set_next_input` offers becomes a new cell, or the next line of a terminal."""
        return self.kind in TAKES_CELLS

    @property
    def is_headless(self) -> bool:
        """Whether a kernel runs the cells in a non-interactive run, such as `jupyter execute`."""
        return self.in_kernel and not self.can_click

    def secret(self, name: str) -> str | None:
        """Return a value that the host keeps for this user, such as Colab's user data; None where there is none."""
        if "google.colab" not in sys.modules:
            return None
        try:
            from google.colab import userdata

            value: str | None = userdata.get(name)
        except Exception:  # Colab raises its own types for a missing secret and for a refused one
            return None
        return value or None


class _Signs:
    """The signs by which `KINDS` recognizes a front end."""

    def __init__(self, shell: Any, kernel: Any, allows_input: bool, cell_id: str) -> None:
        self.shell, self.kernel, self.allows_input, self.cell_id = shell, kernel, allows_input, cell_id

    @property
    def is_of_server(self) -> bool:
        """Whether a Jupyter server started the kernel, which then may have inherited the variables of an editor.

        It names the notebook: https://github.com/jupyter-server/jupyter_server/pull/679
        """
        return self.has("JPY_SESSION_NAME")

    def is_made_by(self, *packages: str) -> bool:
        """Whether the kernel or the shell is a class of one of these packages."""
        modules = (type(one).__module__ for one in (self.kernel, self.shell))
        return any(module == name or module.startswith(f"{name}.") for module in modules for name in packages)

    def has(self, variable: str, prefix: str = "") -> bool:
        value = os.environ.get(variable)
        return value is not None and value.startswith(prefix)


KINDS: tuple[tuple[str, Outputs, Callable[[_Signs], bool]], ...] = (
    # The first that applies. Voila shows a live page although it allows no input.
    ("voila", "frames", lambda signs: signs.has("SERVER_SOFTWARE", "voila")),
    ("marimo", "frames", lambda signs: signs.kernel is None and _in_marimo()),
    ("terminal", "file", lambda signs: signs.kernel is None and signs.shell is not None),
    ("script", "file", lambda signs: signs.kernel is None),
    # JupyterLite has no threads, which a live panel needs.
    ("jupyterlite", "file", lambda signs: sys.platform == "emscripten"),
    # nbclient, and so papermill, nbconvert, nbval and `jupyter execute`: the request allows no input.
    ("headless", "file", lambda signs: not signs.allows_input),
    # The next four were read in their sources or manuals, not tried. Each output is an iframe in Colab; its kernel has
    # the module loaded: https://github.com/googlecolab/colabtools/blob/main/google/colab/_kernel.py
    ("colab", "frames", lambda signs: signs.is_made_by("google.colab") or "google.colab" in sys.modules),
    # Each widget is a web view of its own (https://github.com/posit-dev/positron/pull/11298). The kernel is a class of
    # its own; the variable alone may come from a terminal (https://github.com/posit-dev/positron/pull/3933).
    (
        "positron",
        "frames",
        lambda signs: (
            signs.is_made_by("positron", "positron_ipykernel") or (signs.has("POSITRON") and not signs.is_of_server)
        ),
    ),
    # Outputs are iframes, and widgets are not kept: https://docs.databricks.com/notebooks/ipywidgets.html
    (
        "databricks",
        "frames",
        lambda signs: (
            signs.has("DATABRICKS_RUNTIME_VERSION") and ("dbutils" in signs.shell.user_ns or not signs.is_of_server)
        ),
    ),
    # Outputs are in a web view that cannot be restyled from one output to the next. The variable is set in notebooks
    # only; in the interactive window too, the id of a cell is the address of its document:
    # https://github.com/microsoft/vscode-python/pull/13288
    (
        "vscode",
        "frames",
        lambda signs: "__vsc_ipynb_file__" in signs.shell.user_ns or signs.cell_id.startswith("vscode-"),
    ),
    # JupyterLab and Notebook 7, which a kernel cannot tell apart.
    ("jupyter", "page", lambda signs: True),
)


TAKES_CELLS = frozenset({"jupyter", "vscode", "colab", "terminal"})
"""Front ends that handle the payload `set_next_input` of an execute reply. Tried in JupyterLab and the terminal; read
of VS Code (https://github.com/microsoft/vscode-jupyter/pull/4715) and Colab
(https://github.com/googlecolab/colabtools/issues/5176)."""


def host(shell: Any = None) -> Host:
    """Return where this code runs now.

    Args:
        shell: the IPython shell; by default the running one.
    """
    if _replacement is not None:
        return _replacement
    shell = shell or running_shell()
    kernel = getattr(shell, "kernel", None)
    header, metadata, content = (_request(kernel).get(part) or {} for part in ("header", "metadata", "content"))
    allows_input = content.get("allow_stdin", getattr(kernel, "_allow_stdin", True))
    signs = _Signs(shell, kernel, allows_input is not False, _text(metadata.get("cellId")) or "")
    kind, outputs = next((kind, outputs) for kind, outputs, applies in KINDS if applies(signs))
    return Host(
        kind=kind,
        outputs=outputs,
        notebook=notebook_of(getattr(shell, "user_ns", {})),
        in_kernel=kernel is not None,
        cell_id=_text(metadata.get("cellId")),
        request=_text(header.get("msg_id")),
    )


def _in_marimo() -> bool:
    """Whether a marimo notebook runs this code; importing marimo in a script makes none."""
    marimo = sys.modules.get("marimo")
    try:
        return marimo is not None and bool(marimo.running_in_notebook())
    except AttributeError:  # it is being imported
        return False


def working_directory() -> Path:
    """Return the working directory; one that was deleted keeps its name, and nothing is found in it."""
    try:
        return Path.cwd()
    except OSError:
        return Path(os.environ.get("PWD") or Path(os.sep, "deleted-working-directory"))


def running_shell() -> Any:
    """Return the IPython shell, or None where there is none."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


_replacement: Host | None = None


@contextmanager
def replaced_by(other: Host) -> Iterator[None]:
    """Have `host()` return `other` inside the block; for tests."""
    global _replacement
    before, _replacement = _replacement, other
    try:
        yield
    finally:
        _replacement = before


def _request(kernel: Any) -> Mapping[str, Any]:
    """Return the execute request that a kernel carries out."""
    try:
        parent = kernel.get_parent("shell")
    except (AttributeError, TypeError, LookupError):  # no kernel, or pyodide's
        return {}
    return parent if isinstance(parent, Mapping) else {}


def _text(value: Any) -> str | None:
    return str(value) if value else None


_LAUNCHERS = frozenset({"ipykernel_launcher", "colab_kernel_launcher", "__main__"})


def notebook_of(names: Mapping[str, Any]) -> str:
    """Return the path of the notebook or script that runs, else its folder; `names` are the notebook's variables."""
    name = names.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME")
    if isinstance(name, str) and name.endswith(".ipynb"):
        path = Path(name)
        return os.path.realpath(path if path.is_absolute() else working_directory() / path.name)
    script = Path(sys.argv[0]) if sys.argv and sys.argv[0] else None
    if script is not None and script.suffix == ".py" and script.stem not in _LAUNCHERS and script.is_file():
        path = script.resolve()
        notebook = path.with_suffix(".ipynb")  # a script that was made of a notebook is run for it
        return str(notebook if notebook.is_file() else path)
    is_kernel = script is not None and script.stem in _LAUNCHERS
    return (executed_by_parent(os.getppid()) if is_kernel else None) or str(working_directory())


PROCESSES = Path("/proc")
"""Where Linux shows its processes; elsewhere psutil is asked."""
_EXECUTORS = ("papermill", "nbconvert", "execute", "jupyter-execute", "jupyter-nbconvert")
"""Programs and commands that run the notebook they are given."""


@cache
def executed_by_parent(parent: int) -> str | None:
    """Return the notebook that the program which started this kernel was given, where that can be seen."""
    words, folder = _command_of(parent)
    ran = [re.split(r"[/\\]", word)[-1] for word in words]
    programs = {name.removesuffix(".exe").removesuffix("-script.py") for name in ran} & {*_EXECUTORS}
    pairs = zip(words, ["", *words], strict=False)
    named = [word for word, before in pairs if not before.startswith("--output")]
    names = [word for word in named if word.endswith(".ipynb") and not word.startswith("-")]
    if not names or not programs or (len({*names}) > 1 and "papermill" not in programs):
        return None
    # papermill names its output second, and with --cwd it has already changed its folder
    paths = (os.path.realpath(os.path.join(place, names[0])) for place in (folder, os.environ.get("PWD", folder)))
    return next(filter(os.path.isfile, paths), None)


def _command_of(process: int) -> tuple[list[str], str]:
    """Return the command line of a process and its folder; nothing where that cannot be seen."""
    here = PROCESSES / str(process)
    if PROCESSES.is_dir():
        try:
            return [os.fsdecode(word) for word in (here / "cmdline").read_bytes().split(b"\0")], os.readlink(
                here / "cwd"
            )
        except OSError:
            return [], ""
    try:
        psutil = importlib.import_module("psutil")
    except ImportError:
        return [], ""
    try:
        found = psutil.Process(process)
        if found.cmdline()[1:] == sys.orig_argv[1:]:  # python.exe of a virtual environment only starts another one
            found = found.parent() or found
        return found.cmdline(), found.cwd()
    except (OSError, psutil.Error):
        return [], ""


@dataclass(slots=True)
class Execution:
    """A cell that this kernel has run, or runs."""

    source: str
    cell_id: str | None
    is_stored: bool
    """Whether IPython keeps it in its history."""
    count: int | None = None
    """The execution count, once it has run."""
    is_running: bool = True
    error: str = ""
    """The traceback of the error it ended with, unless that is one of this package."""
    own_error: str = ""
    """The name of an error of this package that it ended with."""
    shown: list[str] = field(default_factory=list)
    """What it displayed, as text; printed text and values are in IPython's history."""
    number: int = field(default_factory=itertools.count(1).__next__)
    """Different for each run of a cell in this process."""


executions: list[Execution] = []
"""Oldest first; the magics note them from when they are loaded."""


class Hooks:
    """Callbacks of the front end; the magics set them when they are loaded.

    Args:
        before_use: called with a client before it is used on the main thread; other threads must not print.
        during_wait: given a session, returns what surrounds a wait for it.
    """

    def __init__(
        self,
        before_use: Callable[[Any], None] | None = None,
        during_wait: Callable[[Any], AbstractContextManager[None]] | None = None,
    ) -> None:
        self.before_use, self.during_wait = before_use, during_wait
        self.told: Any = None
        """The client that `before_use` was called with, and need not be called with again."""

    @property
    def is_quiet(self) -> bool:
        """Whether waits show nothing here; see `quiet_waits`."""
        return _is_quiet.get()

    def waiting(self, session: Any) -> AbstractContextManager[None]:
        """Return the context manager to enter while waiting for a session."""
        return nullcontext() if self.during_wait is None or self.is_quiet else self.during_wait(session)


hooks = Hooks()
_is_quiet: ContextVar[bool] = ContextVar("is_quiet", default=False)


@contextmanager
def quiet_waits() -> Iterator[None]:
    """Show nothing during the waits in here."""
    before = _is_quiet.set(True)
    try:
        yield
    finally:
        _is_quiet.reset(before)


# --- the package itself: an upgrade, or %autoreload, may change it while it runs -------------------------------------

_LOOK_SECONDS = 1.0


def changed_file() -> str:
    """Return the first file of this package that has changed since this process loaded it, else an empty text."""
    now = time.monotonic()
    if now - _last_look[0] >= _LOOK_SECONDS:
        present = _stamps()
        names = sorted(_at_start.keys() | present.keys())
        found = next((name for name in names if _at_start.get(name) != present.get(name)), "")
        _last_look[:] = [now, found]
    return str(_last_look[1])


def check_package() -> None:
    """Refuse to continue with modules of two versions, which would misread each other's data.

    Raises:
        SetupError: the package has changed since this process loaded it.
    """
    changed = changed_file()
    if changed:
        from devin_jupyter.errors import SetupError

        raise SetupError(
            f"devin_jupyter has changed while this kernel runs ({changed}): its parts do not fit together",
            "nothing was sent, and nothing is wrong with the journal",
            "restart the kernel and run the cell again: it finds its session",
        )


def _stamps() -> dict[str, tuple[int, int]]:
    """Time and size of every source file of this package; nothing where it is not in a folder."""
    found: dict[str, tuple[int, int]] = {}
    folders = [os.path.dirname(__file__)]
    with suppress(OSError):
        start = len(folders[0]) + 1
        while folders:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.name.endswith(".py"):
                        about = entry.stat()
                        found[entry.path[start:]] = (about.st_mtime_ns, about.st_size)
                    elif not entry.name.startswith("__") and entry.is_dir():
                        folders.append(entry.path)
    return found


_at_start: dict[str, tuple[int, int]] = globals().get("_at_start") or _stamps()  # %autoreload runs this module again
_last_look: list[Any] = [time.monotonic(), ""]
