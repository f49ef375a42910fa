"""The README says what the code does: its tables are generated, its names exist."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import devin_jupyter as dj

README = Path(__file__).parents[1] / "README.md"
TEXT = README.read_text()


def _blocks():
    spec = importlib.util.spec_from_file_location("readme_blocks", Path(__file__).with_name("readme_blocks.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_tables_are_those_of_the_code():
    blocks = _blocks()

    assert all(f"<!-- generated: {name} -->" in TEXT for name in blocks.BLOCKS)
    assert blocks.filled(TEXT) == TEXT, "run: python tests/readme_blocks.py"


def test_every_name_the_readme_takes_from_the_package_exists():
    names = set(re.findall(r"\bdj\.([a-zA-Z_]+)", TEXT))

    assert names
    assert sorted(name for name in names if not hasattr(dj, name)) == []


def test_every_public_name_that_is_not_an_error_is_in_the_readme():
    hooks = {"load_ipython_extension", "unload_ipython_extension"}
    values = {name: getattr(dj, name) for name in set(dj.__all__) - hooks}
    errors = {name for name, value in values.items() if isinstance(value, type) and issubclass(value, BaseException)}

    assert sorted(name for name in values.keys() - errors if name not in TEXT) == []


def test_every_environment_variable_is_in_the_readme():
    assert all(name in TEXT for name in ("DEVIN_API_KEY", "DEVIN_ORG_ID", "DEVIN_API_URL", "DEVIN_JUPYTER_HOME"))


def test_the_first_hour_is_the_same_in_the_readme_and_in_its_notebook():
    blocks = _blocks()
    saved = json.loads(blocks.FIRST_HOUR.read_text())

    assert blocks.sources(saved) == blocks.first_hour(TEXT), (
        "run: python tests/readme_blocks.py, then the notebook once"
    )
    assert all(cell["execution_count"] for cell in saved["cells"] if cell["cell_type"] == "code")


def test_the_first_screen_is_the_beginning_of_the_first_hour():
    screen = re.findall(r"```python\n(.*?)```", TEXT.split("## Install")[0], re.DOTALL)
    hour = [source for kind, source in _blocks().first_hour(TEXT) if kind == "code"]

    assert [source.strip() for source in screen[:2]] == hour[:2]
