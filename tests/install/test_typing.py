"""The public API is typed: editors complete it, and a type checker finds what is mistyped."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import devin_jupyter as dj

ROOT = Path(__file__).parents[2]
MYPY = Path(sys.executable).parent / "mypy"


def test_the_public_names_have_the_types_that_the_documentation_promises() -> None:
    command = [MYPY, "--no-error-summary", "tests/typing_api.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout + done.stderr == ""


def test_type_checkers_are_told_every_name_that_is_loaded_when_first_used() -> None:
    tree = ast.parse(Path(dj.__file__).read_text(encoding="utf-8"))
    told: set[str] = set()
    for block in [node for node in tree.body if isinstance(node, ast.If) and isinstance(node.test, ast.Name)]:
        imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
        told |= {alias.asname for node in imports for alias in node.names if alias.asname == alias.name}
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert told == set(dj.__all__) - defined
    assert Path(dj.__file__).with_name("py.typed").exists()
