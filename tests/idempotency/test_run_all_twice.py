"""The notebook about Run All: twice, on another machine, offline, and from its lock file, it pays once."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from kernels import POST, SEND
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "run_all_twice.ipynb"
NOWHERE = "http://127.0.0.1:9"


class Runs:
    """Executes the notebook in fresh kernels, in one working directory."""

    def __init__(self, folder: Path, simulator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.simulator, self.patch = folder / "work", simulator, monkeypatch
        self.folder.mkdir()
        shutil.copy(NOTEBOOK, self.folder)
        self.settings(home="home-1")

    def settings(self, *, home: str, url: str | None = None, key: str | None = "cog_simulator") -> None:
        self.patch.setenv("DEVIN_JUPYTER_HOME", str(self.folder.parent / home))
        self.patch.setenv("DEVIN_API_URL", url or self.simulator.url)
        self.patch.setenv("DEVIN_ORG_ID", self.simulator.org_id)
        if key is None:
            self.patch.delenv("DEVIN_API_KEY")
        else:
            self.patch.setenv("DEVIN_API_KEY", key)

    async def run(self, *more: str) -> Any:
        notebook = nbformat.read(self.folder / NOTEBOOK.name, 4)
        notebook.cells += [nbformat.v4.new_code_cell(line) for line in more]
        resources = {"metadata": {"path": str(self.folder)}}
        await NotebookClient(notebook, timeout=300, startup_timeout=300, resources=resources).async_execute()
        return notebook

    def paid(self) -> tuple[int, int]:
        requests = self.simulator.stats()["requests"]
        return requests.get(POST, 0), requests.get(f"{SEND['method']} {SEND['route']}", 0)


def values(notebook: Any) -> list[str]:
    """What the cells return, in words."""
    return [
        output.data["text/plain"]
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output.output_type == "execute_result"
    ]


def printed(notebook: Any) -> str:
    streams = (output for cell in notebook.cells for output in cell.get("outputs", ()))
    return "".join(output.text for output in streams if output.output_type == "stream")


@pytest.mark.kernel
@pytest.mark.filterwarnings("ignore")  # what jupyter_client says about ports and loops is not ours
async def test_it_pays_once_however_it_is_run_again(
    simulator_with: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Runs(folder, simulator_with(speed=600.0), monkeypatch)
    first = await runs.run()
    assert runs.paid() == (2, 1)
    assert len(values(first)) == 2

    again = await runs.run()
    assert values(again) == values(first)
    assert "already sent on 20" in printed(again)
    assert printed(again).count("attached to devin-") == 2

    runs.settings(home="home-2")
    elsewhere = await runs.run("%devin lock")
    assert values(elsewhere) == values(first)
    assert printed(elsewhere).count("attached to devin-") == 2
    assert runs.paid() == (2, 1)

    lock = runs.folder / "run_all_twice.devin.json"
    lock.rename(lock.with_suffix(".aside"))
    runs.settings(home="home-1")
    runs.simulator.faults({"kind": "drop_before"})
    offline = await runs.run()
    assert values(offline) == values(first)
    assert printed(offline).count("the service cannot be reached") == 2

    lock.with_suffix(".aside").rename(lock)
    runs.settings(home="home-3", url=NOWHERE, key=None)
    recorded = await runs.run()
    assert values(recorded) == values(first)
    assert printed(recorded).count("recorded 20") >= 2

    runs.settings(home="home-4", url=NOWHERE)
    monkeypatch.delenv("DEVIN_ORG_ID")
    with_a_key = await runs.run()
    assert values(with_a_key) == values(first)
