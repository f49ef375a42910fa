"""The quickstart runs headless to exactly the outputs that are committed, and says which line to change."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

PATH = Path(__file__).parents[2] / "notebooks" / "quickstart.ipynb"


@pytest.mark.kernel
async def test_the_quickstart_gives_its_committed_outputs_under_nbclient():
    committed = nbformat.read(PATH, 4)
    fresh = nbformat.read(PATH, 4)
    for cell in fresh.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    resources = {"metadata": {"path": str(PATH.parent)}}
    await NotebookClient(
        fresh, startup_timeout=300, kernel_name="python3", record_timing=False, resources=resources
    ).async_execute()
    for before, after in zip(committed.cells, fresh.cells, strict=True):
        assert after.get("outputs") == before.get("outputs"), before.source


def test_the_quickstart_names_the_one_line_to_change():
    cells = nbformat.read(PATH, 4).cells
    said = next(index for index, cell in enumerate(cells) if cell.source == "%devin simulator") - 1
    assert "%devin connect" in cells[said].source
    assert not any("simulator" in cell.source for cell in cells[said + 2 :] if cell.cell_type == "code")
