"""Loading costs nothing: what is heavy comes with the first use."""

import json
import subprocess
import sys

import pytest

HEAVY = ["pandas", "httpx", "pydantic", "ipywidgets", "anywidget", "jinja2", "fastapi", "rich.table", "sqlite3"]


def loaded(code: str) -> set[str]:
    """Return which heavy modules a fresh interpreter has after running the code."""
    program = (
        f"import json, sys\nbefore = set(sys.modules)\n{code}\nprint(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=True)
    return set(json.loads(done.stdout.splitlines()[-1])).intersection(HEAVY)


SHELL = """
from traitlets.config import Config
from IPython.core.interactiveshell import InteractiveShell
config = Config()
config.HistoryManager.enabled = False
shell = InteractiveShell.instance(config=config)
before = set(sys.modules)
"""


@pytest.mark.parametrize(
    "code",
    [
        "import devin_jupyter",
        "import devin_jupyter as dj; dir(dj); dj.Phase; dj.DevinError; dj.Snapshot",
        SHELL + "shell.run_line_magic('load_ext', 'devin_jupyter')",
        SHELL + "shell.run_line_magic('load_ext', 'devin_jupyter'); shell.run_line_magic('devin', 'help')",
        SHELL + "shell.run_line_magic('load_ext', 'devin_jupyter'); shell.run_cell('%%devin --repoz x\\nprompt')",
    ],
)
def test_nothing_heavy_is_imported(code):
    assert loaded(code) == set()
