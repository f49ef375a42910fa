"""The README says what the code does: its tables are generated, its names exist."""

from __future__ import annotations

import importlib.util
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
