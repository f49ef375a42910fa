"""Every notebook of the repository, run in an environment full of secrets, leaves none of them anywhere."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from canaries.echo_service import echo_service
from canaries.leaks import ORG_SECRET, SESSION_SECRET, V1_KEY, V3_KEY, leaks_in, leftovers
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SECRETS = {
    "DEVIN_API_KEY": V3_KEY,
    "OTHER_KEY": V1_KEY,
    "NPM_TOKEN": SESSION_SECRET,
    "DEPLOY_KEY": SESSION_SECRET,
    "ORG_TOKEN": ORG_SECRET,
}


@pytest.mark.canaries
@pytest.mark.kernel
@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_no_notebook_leaves_a_secret(path: Path, tmp_path: Path, simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "notebooks"
    shutil.copytree(NOTEBOOKS, folder, ignore=shutil.ignore_patterns("*.devin.json", "*.parquet", "__pycache__"))
    notebook = nbformat.read(folder / path.name, as_version=4)
    with echo_service(simulator) as (url, _):  # for a notebook that uses the key it finds
        monkeypatch.setenv("DEVIN_API_URL", url)
        NotebookClient(
            notebook, timeout=300, startup_timeout=300, resources={"metadata": {"path": str(folder)}}
        ).execute()
    assert leaks_in(leftovers(notebook, folder, tmp_path / "home")) == []


@pytest.mark.canaries
@pytest.mark.kernel
def test_running_the_notebooks_as_tests_uses_nobodys_key(simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEVIN_API_KEY", simulator.api_key)
    monkeypatch.setenv("DEVIN_API_URL", simulator.url)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0"]
    command.append(str(NOTEBOOKS / "run_all_twice.ipynb"))
    done = subprocess.run(command, cwd=NOTEBOOKS.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert simulator.stats() == {"requests": {}, "sessions": 0}
