"""The walls of the house and the list of dependencies hold, in every test run and not only in the hook."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["lint-imports", "--no-cache"], id="a file imports only from the rows below its own"),
        pytest.param(["deptry", "--no-ansi", "devin_jupyter"], id="no dependency is unused or undeclared"),
        pytest.param(["ruff", "check", "--no-cache", "."], id="ruff finds nothing"),
        pytest.param(["ruff", "format", "--no-cache", "--check", "."], id="the code is formatted"),
    ],
)
def test_it_is_clean(command: list[str]) -> None:
    done = subprocess.run([BIN / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_file_imports_from_a_row_above_its_own_for_its_types_either() -> None:
    configured = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    rows = next(contract["layers"] for contract in configured if contract["type"] == "layers")
    layers = [grimp.Layer(*(room.strip() for room in row.split("|"))) for row in rows]
    graph = grimp.build_graph("devin_jupyter", exclude_type_checking_imports=False, cache_dir=None)

    upward = graph.find_illegal_dependencies_for_layers(layers, containers=["devin_jupyter"])

    assert sorted((found.importer, found.imported) for found in upward) == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph("devin_jupyter", exclude_type_checking_imports=False, cache_dir=None)
    left = {module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules}

    while leaves := [module for module, imported in left.items() if not imported & left.keys()]:
        for module in leaves:
            del left[module]

    in_circles = sorted(module for module, imported in left.items() if imported & left.keys())
    assert in_circles == []
