"""What the file holds after runs without anybody looking: nbclient, papermill, nbconvert."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from nbformat.v4 import new_code_cell, new_notebook

from devin_jupyter.recorded import RECORD_MIME

pytestmark = [pytest.mark.kernel, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
CELLS = [
    "%load_ext devin_jupyter\nimport devin_jupyter as dj\ndj.connect(simulator=True);",
    "%%devin --repos acme/api --schema 'severity:low|high, count:int' -o audit\nAudit the payment API.",
    "audit.panel()",
    "audit",
]


def _notebook() -> Any:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [new_code_cell(source, id=f"cell-{number}") for number, source in enumerate(CELLS)]
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})


def _outputs(notebook: Any) -> list[list[dict[str, Any]]]:
    return [[dict(output.get("data", {})) for output in cell.outputs] for cell in notebook.cells[1:]]


def _shown(notebook: Any) -> list[tuple[Any, ...]]:
    """Return of each output its forms, whether it says that the session is done, and the fields of the answer."""
    return [
        (sorted(data), "✓ done" in data["text/html"], sorted(data[RECORD_MIME]["answer"]))
        for outputs in _outputs(notebook)
        for data in outputs
    ]


FINAL = [(sorted(["text/plain", "text/html", RECORD_MIME]), True, ["count", "severity"])] * (len(CELLS) - 1)
"""One static output a cell."""


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    notebook = _notebook()
    NotebookClient(
        notebook,
        timeout=300,
        startup_timeout=300,
        resources={"metadata": {"path": str(tmp_path_factory.mktemp("run"))}},
    ).execute()
    return notebook


def test_nbclient_leaves_one_final_static_output_a_cell(executed: Any) -> None:
    assert _shown(executed) == FINAL


def test_no_widget_and_no_front_end_is_kept_where_nobody_looks(executed: Any) -> None:
    assert "widgets" not in executed.metadata


def test_papermill_leaves_the_same_bytes(executed: Any, tmp_path: Path) -> None:
    nbformat.write(_notebook(), tmp_path / "in.ipynb")
    ran = papermill.execute_notebook(tmp_path / "in.ipynb", tmp_path / "out.ipynb", cwd=tmp_path, progress_bar=False)
    made = nbformat.read(tmp_path / "out.ipynb", 4)

    assert json.dumps(_outputs(ran)) == json.dumps(_outputs(executed))  # of two runs: files are written in one order

    assert _shown(made) == FINAL
    assert _outputs(made) == _outputs(executed)


def test_nbconvert_shows_the_answer_without_a_widget(executed: Any) -> None:
    page, _ = HTMLExporter(template_name="lab").from_notebook_node(executed)

    assert page.count('class="dv-snapshot') == 3
    assert "Audit the payment API." in page
    assert '<script type="application/vnd.jupyter.widget-view+json">' not in page
