"""Which front end shows the outputs, and which notebook, cell and request are running."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from devin_jupyter import host as hosts
from devin_jupyter.host import Hooks, Host, host, quiet_waits, replaced_by


class Kernel:
    """A kernel that carries out one request."""

    def __init__(self, request: Any) -> None:
        self.request = request

    def get_parent(self, channel: str) -> Any:
        assert channel == "shell"
        return self.request


def shell(request: Any = None, **names: str) -> Any:
    return SimpleNamespace(kernel=Kernel(request), user_ns=names)


CLICKS = {"header": {"msg_id": "m"}, "metadata": {"cellId": "c"}, "content": {"allow_stdin": True}}
IN_VSCODE = {**CLICKS, "metadata": {"cellId": "vscode-interactive-input:/InteractiveInput-1#W0sZmlsZQ=="}}
RUNS = {"content": {"allow_stdin": False}}


@pytest.mark.parametrize(
    ("kind", "outputs", "request_", "names", "environment"),
    [
        ("jupyter", "page", CLICKS, {}, {}),  # JupyterLab, Notebook 7
        ("headless", "file", RUNS, {}, {}),  # nbclient, papermill, nbconvert
        ("headless", "file", RUNS, {"__vsc_ipynb_file__": "/a.ipynb"}, {}),
        ("voila", "frames", RUNS, {}, {"SERVER_SOFTWARE": "voila/0.5.13"}),
        ("vscode", "frames", CLICKS, {"__vsc_ipynb_file__": "/a.ipynb"}, {}),
        ("vscode", "frames", IN_VSCODE, {}, {}),  # the interactive window, which sets no variable
        ("positron", "frames", CLICKS, {}, {"POSITRON": "1"}),
        # JupyterLab, started in Positron's terminal, and on a cluster of Databricks
        ("jupyter", "page", CLICKS, {}, {"POSITRON": "1", "JPY_SESSION_NAME": "/a.ipynb"}),
        ("jupyter", "page", CLICKS, {}, {"DATABRICKS_RUNTIME_VERSION": "16.4", "JPY_SESSION_NAME": "/a.ipynb"}),
        ("databricks", "frames", CLICKS, {}, {"DATABRICKS_RUNTIME_VERSION": "16.4"}),
        ("databricks", "frames", CLICKS, {"dbutils": "x"}, {"DATABRICKS_RUNTIME_VERSION": "16.4"}),
        ("jupyter", "page", None, {}, {}),  # a kernel that tells nothing of the request
    ],
)
def test_a_kernel_is_known_by_its_front_end(kind, outputs, request_, names, environment, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    here = host(shell(request_, **names))

    assert (here.kind, here.outputs, here.in_kernel) == (kind, outputs, True)
    assert here.can_click == (outputs != "file")
    assert here.is_headless == (outputs == "file")


def test_a_front_end_with_a_kernel_of_its_own_is_known_by_it():
    for module, kind in (
        ("positron.kernel.ipkernel", "positron"),
        ("positron_ipykernel.positron_ipkernel", "positron"),
        ("google.colab._kernel", "colab"),
        ("positronium", "jupyter"),
    ):
        kernel = type("Kernel", (Kernel,), {"__module__": module})(CLICKS)
        assert host(SimpleNamespace(kernel=kernel, user_ns={})).kind == kind


def test_colab_is_known_by_its_module_and_keeps_secrets(monkeypatch):
    assert host(shell(CLICKS)).secret("KEY") is None
    colab = ModuleType("google.colab")
    colab.userdata = SimpleNamespace(get={"KEY": "value"}.__getitem__)
    monkeypatch.setitem(sys.modules, "google", ModuleType("google"))
    monkeypatch.setitem(sys.modules, "google.colab", colab)

    here = host(shell(CLICKS))

    assert (here.kind, here.outputs) == ("colab", "frames")
    assert (here.secret("KEY"), here.secret("MISSING")) == ("value", None)


def test_without_a_kernel_nothing_can_be_clicked(monkeypatch):
    here = host(SimpleNamespace(user_ns={}))
    assert (here.kind, here.can_click, here.is_headless, here.cell_id) == ("terminal", False, False, None)
    monkeypatch.setitem(sys.modules, "marimo", ModuleType("marimo"))  # imported, and no notebook of its runs
    assert host(SimpleNamespace(user_ns={})).kind == "terminal"
    monkeypatch.delitem(sys.modules, "marimo")
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert host().kind == "script"


def test_jupyterlite_has_no_threads_for_a_live_panel(monkeypatch):
    monkeypatch.setattr(sys, "platform", "emscripten")
    pyodide = SimpleNamespace(user_ns={}, kernel=SimpleNamespace(get_parent=lambda: {}))
    assert (host(pyodide).kind, host(pyodide).outputs) == ("jupyterlite", "file")


def test_the_host_knows_the_running_cell_and_request():
    here = host(shell(CLICKS))
    assert (here.cell_id, here.request) == ("c", "m")
    assert (host(shell(None)).cell_id, host(shell({"header": None})).request) == (None, None)


def test_tests_replace_it_as_a_whole():
    other = Host(kind="colab", outputs="frames", notebook="a.ipynb")
    with replaced_by(other):
        assert host() is host(shell()) is other
    assert host() is not other


def test_the_front_end_names_the_notebook(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JPY_SESSION_NAME", "/work/audit.ipynb")
    assert host().notebook == "/work/audit.ipynb"
    assert host(shell(CLICKS, __vsc_ipynb_file__="/code/x.ipynb")).notebook == "/code/x.ipynb"
    monkeypatch.setenv("JPY_SESSION_NAME", "deep/audit.ipynb")
    assert host().notebook == str(tmp_path / "audit.ipynb")


def test_a_script_is_its_own_place_and_else_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JPY_SESSION_NAME", "some-console-id")
    script = tmp_path / "nightly.py"
    script.write_text("")
    monkeypatch.setattr(sys, "argv", [str(script)])
    assert host().notebook == str(script)
    for other in ("ipykernel_launcher.py", "", "-c"):
        monkeypatch.setattr(sys, "argv", [other])
        assert host().notebook == str(tmp_path)


def test_hooks_surround_waits_but_for_quiet_ones():
    hooks = Hooks(during_wait=lambda session: replaced_by(session))
    other = Host(kind="colab", outputs="frames", notebook="a.ipynb")
    with hooks.waiting(other):
        assert host() is other
    with quiet_waits(), hooks.waiting(other):
        assert host() is not other


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["python", "/bin/jupyter-execute", "x.ipynb"], "x.ipynb"),
        (["python", "/bin/jupyter", "execute", "--kernel_name=python3", "x.ipynb"], "x.ipynb"),
        (["python", "/bin/jupyter-nbconvert", "--execute", "x.ipynb", "--output", "y.ipynb"], "x.ipynb"),
        (["python", "/bin/papermill", "x.ipynb", "y.ipynb", "--cwd", "/"], "x.ipynb"),
        (["python", "/bin/jupyter-nbconvert", "--execute", "x.ipynb", "y.ipynb"], None),  # which of them is not known
        (["python", "/bin/jupyter-lab", "x.ipynb"], None),
        (["python", "/bin/papermill", "s3://bucket/x.ipynb", "y.ipynb"], None),
        (["python", "run.py"], None),
    ],
)
def test_a_notebook_that_a_program_runs_is_the_one_it_was_given(tmp_path, monkeypatch, words, expected):
    for name in ("x.ipynb", "y.ipynb"):
        (tmp_path / name).write_text("{}")
    process = tmp_path / "proc" / "17"
    process.mkdir(parents=True)
    (process / "cmdline").write_bytes("\0".join(words).encode() + b"\0")
    (process / "cwd").symlink_to("/" if "--cwd" in words else tmp_path)  # papermill has gone there
    monkeypatch.setenv("PWD", str(tmp_path))
    monkeypatch.setattr(hosts, "PROCESSES", tmp_path / "proc")
    hosts.executed_by_parent.cache_clear()
    assert hosts.executed_by_parent(17) == (None if expected is None else str(tmp_path / expected))
    assert hosts.executed_by_parent(18) is None  # not to be seen
    hosts.executed_by_parent.cache_clear()


class _Gone(Exception):
    """psutil's own error."""


@pytest.mark.parametrize("is_redirected", [False, True])
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["C:\\py\\python.exe", "C:\\py\\Scripts\\jupyter-execute.exe", "x.ipynb"], "x.ipynb"),
        (["C:\\py\\python.exe", "C:\\py\\Scripts\\papermill-script.py", "x.ipynb", "y.ipynb"], "x.ipynb"),
        (["/usr/bin/python3", "-m", "papermill", "x.ipynb", "y.ipynb"], "x.ipynb"),
        (["/usr/bin/python3", "/opt/bin/jupyter-lab", "x.ipynb"], None),
    ],
)
def test_without_proc_the_program_that_runs_a_notebook_is_seen_by_psutil(
    tmp_path, monkeypatch, words, expected, is_redirected
):
    (tmp_path / "x.ipynb").write_text("{}")

    class Process:
        def __init__(self, number):
            if number == 18:
                raise _Gone
            self.number = number

        def cmdline(self):
            return ["C:\\venv\\python.exe", *sys.orig_argv[1:]] if is_redirected and self.number == 17 else words

        def cwd(self):
            return str(tmp_path)

        def parent(self):
            return Process(self.number - 1)

    monkeypatch.delenv("PWD", raising=False)
    monkeypatch.setattr(hosts, "PROCESSES", tmp_path / "no proc here")
    monkeypatch.setitem(sys.modules, "psutil", SimpleNamespace(Process=Process, Error=_Gone))
    hosts.executed_by_parent.cache_clear()
    assert hosts.executed_by_parent(17) == (None if expected is None else str(tmp_path / expected))
    assert hosts.executed_by_parent(18) is None
    monkeypatch.setitem(sys.modules, "psutil", None)  # not installed
    hosts.executed_by_parent.cache_clear()
    assert hosts.executed_by_parent(17) is None
    hosts.executed_by_parent.cache_clear()


def test_a_notebook_has_one_name_whichever_way_its_folder_is_reached(tmp_path, monkeypatch):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "link" / "x.ipynb"))
    assert hosts.notebook_of({}) == str(tmp_path / "real" / "x.ipynb")
    assert hosts.notebook_of({"__vsc_ipynb_file__": str(tmp_path / "real" / "x.ipynb")}) == hosts.notebook_of({})


def test_a_script_made_from_a_notebook_is_taken_for_that_notebook(tmp_path, monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    script = tmp_path / "audit.py"
    script.write_text("")
    monkeypatch.setattr(hosts.sys, "argv", [str(script)])
    assert hosts.notebook_of({}) == str(script)
    (tmp_path / "audit.ipynb").write_text("{}")
    assert hosts.notebook_of({}) == str(tmp_path / "audit.ipynb")
