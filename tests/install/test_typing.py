"""The public API is typed: editors complete it, and a type checker finds what is mistyped."""

from __future__ import annotations

import ast
from pathlib import Path

import devin_jupyter as dj


def test_type_checkers_are_told_every_name_that_is_loaded_when_first_used() -> None:
    stub = ast.parse(Path(dj.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    told = {alias.asname for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    told |= {node.name for node in stub.body if isinstance(node, ast.FunctionDef)}
    assert told - {None} == set(dj.__all__)
    assert Path(dj.__file__).with_name("py.typed").exists()
