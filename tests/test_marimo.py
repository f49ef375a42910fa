"""marimo: its own exports run the notebook, threads are its own where that is right, and commands are functions."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from clients import no_default_client

import devin_jupyter as dj
from devin_jupyter import loop
from devin_jupyter.host import host
from devin_jupyter.magics.commands import COMMANDS

__all__ = ["no_default_client"]
NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "marimo_quickstart.py"


ENTERPRISE = {"org_tags", "organizations", "audit"}
"""Commands for another kind of key."""
PRINTS = {"resume", "tags", "journal", "lock", "debug", "help"}


EXPORTS = """
import runpy
import sys

for arguments in (
    ["script", "{name}", "-o", "out.py"],
    ["html", "{name}", "-o", "out.html"],
    ["ipynb", "{name}", "-o", "out.ipynb", "--include-outputs"],
):
    sys.argv = ["marimo", "export", *arguments]
    try:
        runpy.run_module("marimo", run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise
"""
"""The commands of marimo one after another: importing it takes longer than what they do here."""
SCRIPTS = """
import runpy

for path in ("out.py", "{name}"):
    runpy.run_path(path, run_name="__main__")
"""


@pytest.fixture
def run_beside(tmp_path):
    """Return a function that runs code in a folder that has the notebook, and with settings of its own."""
    pytest.importorskip("marimo", reason="marimo is not installed")
    environment = {**os.environ, "HOME": str(tmp_path), "DEVIN_JUPYTER_HOME": str(tmp_path / "home")}
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        environment[name] = str(tmp_path / name)
    (tmp_path / NOTEBOOK.name).write_text(NOTEBOOK.read_text(encoding="utf-8"), encoding="utf-8")

    def run(code):
        command = [sys.executable, "-c", code.format(name=NOTEBOOK.name)]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=300
        )
        assert done.returncode == 0, done.stderr.decode()

    return run


@pytest.mark.kernel
def test_the_quickstart_runs_in_every_export_of_marimo_and_as_a_script(run_beside, tmp_path):
    run_beside(EXPORTS)
    run_beside(SCRIPTS)

    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "marimo-anywidget" in page
    assert "1 pull request" in page or "acme/api#" in page
    assert "service user simulator" in page
    cells = json.loads((tmp_path / "out.ipynb").read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    assert not [output for output in outputs if output["output_type"] == "error"]
    shown = "".join("".join(output.get("data", {}).get("text/html", "")) for output in outputs)
    assert "severity" in shown
    assert "simulated" in shown


@pytest.fixture
def marimo(monkeypatch):
    """A stand-in for marimo that says which kind of notebook runs."""

    class Thread(threading.Thread):
        pass

    module = ModuleType("marimo")
    module.Thread = Thread
    module.running_in_notebook = lambda: True
    module.mode = "edit"
    module.app_meta = lambda: SimpleNamespace(mode=module.mode)
    monkeypatch.setitem(sys.modules, "marimo", module)
    return module


def test_threads_are_those_of_marimo_where_a_notebook_is_edited(marimo):
    done = []
    thread = loop.new_thread(done.append, "devin-test", 1)
    assert isinstance(thread, marimo.Thread)
    assert thread.daemon
    thread.start()
    thread.join()
    assert done == [1]
    assert host().kind == "marimo"
    assert host().can_click
    assert not host().is_headless


def test_an_app_that_is_served_and_a_script_get_plain_threads(marimo, monkeypatch):
    marimo.mode = "run"  # one process for all visitors
    assert type(loop.new_thread(print, "devin-test")) is threading.Thread
    marimo.running_in_notebook = lambda: False
    assert type(loop.new_thread(print, "devin-test")) is threading.Thread
    assert host().kind != "marimo"
    del marimo.running_in_notebook
    assert type(loop.new_thread(print, "devin-test")) is threading.Thread
    assert host().kind != "marimo"


def test_every_command_is_a_function_and_says_how_python_says_it(simulator, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEVIN_API_KEY", simulator.api_key)
    monkeypatch.setenv("DEVIN_API_URL", simulator.url)
    audit = dj.create("Audit", max_acu=2).wait(30)
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError as error:
        sys.last_value = error
    placed = {"https://app.devin.ai/sessions/1a2b…": audit.url, 'profile="work"': "", "dj.commands.insights": ""}
    for command in COMMANDS.values():
        said = command.python
        for before, after in placed.items():
            said = said.replace(before, after)
        try:
            value = eval(said, {"dj": dj, "audit": audit})  # what the README says, as it says it
        except dj.Forbidden:
            assert command.name in ENTERPRISE, said
        else:
            assert value is not None or command.name in PRINTS, said
    del sys.last_value
    assert set(dir(dj.commands)) == set(COMMANDS)
    assert "whoami" in repr(dj.commands)


def test_a_command_refuses_what_it_does_not_take():
    with pytest.raises(AttributeError, match=r"there is no command 'usagee' \(did you mean usage\?\)"):
        dj.commands.usagee()
    with pytest.raises(dj.OptionError, match="unexpected keyword argument 'sinc'"):
        dj.commands.usage(sinc="3d")
    with pytest.raises(dj.OptionError, match="needs session"):
        dj.commands.send()
    with pytest.raises(dj.OptionError, match="limit= takes a whole number"):
        dj.commands.sessions(limit="many")


def test_errors_of_commands_name_the_functions(simulator, monkeypatch, tmp_path):
    monkeypatch.setenv("DEVIN_API_KEY", simulator.api_key)
    monkeypatch.setenv("DEVIN_API_URL", simulator.url)
    monkeypatch.setenv("DEVIN_JUPYTER_HOME", str(tmp_path))
    said = {}

    def call(name, *args, **options):
        with pytest.raises(dj.errors.DevinError) as refused:
            getattr(dj.commands, name)(*args, **options)
        said[name] = str(refused.value)
        assert "%devin" not in said[name]
        return said[name]

    assert "dj.commands.stop() needs a session\ndj.commands.stop(NAME); dj.commands.sessions() lists" in call("stop")
    assert "everything=True needs all=True\ndj.commands.stop(all=True, everything=True)" in call(
        "stop", everything=True
    )
    session = dj.create("Audit", max_acu=2).wait(30)
    assert f"dj.commands.stop({session.id!r}) ends it for good" in call("stop")
    assert 'for example audit.send("' in call("send")
    assert "dj.commands.budget(20); dj.commands.budget(off=True) lifts it" in call("budget", "x")
    assert "dj.commands.whoami() shows" in call("organizations")
    assert "save=True, profile=NAME" in call("connect", profile="none")
    assert "dj.commands.whoami()" in call("wait", "devin-" + "1" * 32)
    assert "until you run dj.commands.resume()" in repr(dj.commands.stop(all=True))
    dj.commands.resume()


CARDS = """
import json
import sys
import marimo
import devin_jupyter as dj

url, key, org = sys.argv[1:]
with dj.Devin(key, base_url=url, org_id=org) as client:
    session = client.create("Count", tags=["sim:finished"]).wait()
    batch = client.map("Count {{ row }}", ["a"], max_acu=2).wait()
    print(json.dumps([session.url, marimo.as_html(session).text, marimo.as_html(batch).text]))
"""


def test_handles_are_shown_as_their_cards_and_not_as_tabs_of_formats(simulator, run_python):
    pytest.importorskip("marimo", reason="marimo is not installed")

    # a process of its own: marimo takes the place of IPython's display function, for good
    url, of_session, of_batch = json.loads(run_python(CARDS, simulator.url, simulator.api_key, simulator.org_id))

    assert url in of_session
    assert "1 session" in of_batch
    assert "marimo+mimebundle" not in of_session + of_batch  # which marimo shows as tabs
