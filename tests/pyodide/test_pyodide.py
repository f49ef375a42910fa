"""JupyterLite's Python under node: the wheel installs there, recorded notebooks work, and what cannot work says so."""

from __future__ import annotations

import json
import shutil
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import nbformat
import pytest
from install.environments import ROOT, build
from packaging.requirements import Requirement
from packaging.version import Version
from pyodide.wheelhouse import FROM_PYODIDE, PYODIDE, index_of, needed, pack

import devin_jupyter as dj
from devin_jupyter.client.sync import get_default

HERE = Path(__file__).parent
PLACE = ROOT / ".pyodide"
FOLDER = PLACE / "node_modules" / "pyodide"
HOW = "npm install --no-save --prefix .pyodide pyodide@314, and wheels as in .ci/run"
SCHEMA = "[file:str, severity:low|high]"


def wheel_of(name: str) -> Path:
    found = sorted((PLACE / "wheels").glob(f"{name}-*.whl"))
    if not found:
        pytest.skip(f"no wheel of {name} for pyodide in .pyodide/wheels: {HOW}")
    return found[-1]


@pytest.fixture(scope="module")
def node() -> str:
    found = shutil.which("node")
    if found is None:
        pytest.skip("no node here: apt-get install nodejs npm")
    if not (FOLDER / "pyodide.mjs").exists():
        pytest.skip(f"no pyodide here: {HOW}")
    return found


@pytest.fixture
def recorded(simulator: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A folder with a lock file and a saved notebook, and the session in both."""
    work = tmp_path / "shared" / "work"
    work.mkdir(parents=True)
    monkeypatch.chdir(work)
    monkeypatch.setenv("DEVIN_API_KEY", simulator.api_key)
    monkeypatch.setenv("DEVIN_API_URL", simulator.url)
    session = dj.create("Audit the code", schema=SCHEMA).wait(30)
    get_default().lock("audit.devin.json")
    bundle = session._repr_mimebundle_()
    output = nbformat.v4.new_output("display_data", data=bundle)
    cell = nbformat.v4.new_code_cell("%%devin\nAudit the code", outputs=[output])
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "shared" / "saved.ipynb")
    return session


def at_hand() -> list[str]:
    """What of pyodide's own distribution is beside its lock file; npm brings none of it."""
    files = json.loads((FOLDER / "pyodide-lock.json").read_text())["packages"]
    return [name for name in (*FROM_PYODIDE, "altair") if (FOLDER / files[name]["file_name"]).exists()]


def run_in_pyodide(node: str, tmp_path: Path) -> Any:
    """Install the wheel there, run `in_pyodide.py`, and return what it found."""
    shared, house = tmp_path / "shared", tmp_path / "house"
    house.mkdir()
    wheel = build(shared, "wheel")
    for distribution in ({"packaging": metadata.distribution("packaging")} | needed(wheel)).values():
        pack(distribution, house)
    core = wheel_of("pydantic_core")
    (house / "pydantic-core").mkdir()
    shutil.copy(core, house / "pydantic-core")
    shutil.copy(HERE / "rpds_stand_in.py", shared)
    (shared / "at_hand.json").write_text(json.dumps(at_hand()))
    with index_of(house) as url:
        places = [FOLDER, wheel_of("micropip"), HERE / "in_pyodide.py", shared, url]
        done = subprocess.run(
            [node, str(HERE / "run.mjs"), *map(str, places)], capture_output=True, text=True, timeout=300, check=False
        )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return json.loads(done.stdout.rpartition("FOUND ")[2])


@pytest.mark.kernel
@pytest.mark.timeout(900)
def test_recorded_notebooks_work_in_pyodide_and_the_rest_says_why_not(node: str, recorded: Any, tmp_path: Path) -> None:
    found = run_in_pyodide(node, tmp_path)
    answer = json.loads(json.dumps(recorded.result()))
    assert found["platform"] == "emscripten"
    assert Version(found["python"]) >= Version("3.14")
    assert found["loaded"] == []
    assert (found["how"], found["answer"], found["awaited"]) == ("recorded", answer, True)
    assert found["html"]
    assert recorded.id in found["repr"]
    assert found["told"] == [True]
    assert found["another"][0] == "NotRecorded"
    assert found["message"][0] == "NotRecorded"
    assert found["saved"] == [[recorded.id, answer]]
    assert found["valid"] == [True, False, False]
    assert found["no_schema"][0] == "SchemaError"
    assert found["magic"]
    assert found["simulator"][1].splitlines()[0] == (
        "the simulator needs threads and sockets, which pyodide (JupyterLite) does not have"
    )
    for name in ("create", "sessions_list"):
        kind, text = found[name]
        assert (kind, text.splitlines()[0]) == (
            "SetupError",
            "the Devin API cannot be reached from pyodide (JupyterLite), which has no sockets",
        )


@pytest.mark.kernel
@pytest.mark.timeout(900)
def test_frames_and_charts_work_in_pyodide(node: str, recorded: Any, tmp_path: Path) -> None:
    if not {"pandas", "altair"} <= {*at_hand()}:
        pytest.skip("pyodide's wheels of pandas and altair are not beside its lock file; npm does not bring them")
    found = run_in_pyodide(node, tmp_path)
    assert found["frame"][1] == len(recorded.result())
    assert found["sessions"] == 1
    assert found["messages"] >= 1
    assert found["chart"]


def test_what_a_dependency_has_no_wheel_for_there_is_marked() -> None:
    """Each is pure, in pyodide's distribution in a version that fits, or marked."""
    lock = FOLDER / "pyodide-lock.json"
    if not lock.exists():
        pytest.skip(f"no pyodide here: {HOW}")
    packages = json.loads(lock.read_text())["packages"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [Requirement(text) for text in project["dependencies"]]
    names = {one.name for one in wanted if one.marker is None or one.marker.evaluate(PYODIDE)}
    assert "jsonschema-rs" not in names
    assert "jsonschema" in names
    for one in wanted:
        if one.name in names and one.name in FROM_PYODIDE:
            assert one.specifier.contains(packages[one.name]["version"]), one
        elif one.name in names:
            files = metadata.distribution(one.name).files or ()
            assert not [path for path in files if path.suffix == ".so"], one
