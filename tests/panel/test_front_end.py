"""The front end without a browser: its modules fit together, fetch nothing, and their functions hold in node."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from devin_jupyter.panel.assets import FOLDER, STYLES, script

NODE = shutil.which("node")
TESTS = Path(__file__).parent / "js"
MODULES = sorted(FOLDER.glob("*.js"))
SHEETS = sorted(FOLDER.parent.glob("*.css"))
needs_node = pytest.mark.skipif(NODE is None, reason="no node here to run the front end's unit tests")


@needs_node
def test_the_unit_tests_of_the_front_end_pass() -> None:
    environment = {**os.environ, "PANEL_JS": FOLDER.as_uri(), "NODE_NO_WARNINGS": "1"}
    files = [str(path) for path in sorted(TESTS.glob("*.test.mjs"))]
    ran = subprocess.run([str(NODE), "--test", *files], env=environment, capture_output=True, text=True, timeout=300)

    assert ran.returncode == 0, ran.stdout + ran.stderr


@needs_node
@pytest.mark.parametrize("entry", ["panel", "batch"])
def test_the_script_of_a_widget_is_one_module_that_node_can_load(tmp_path: Path, entry: str) -> None:
    whole = tmp_path / "whole.mjs"
    whole.write_text(script(entry), encoding="utf-8")
    program = f"const made = (await import({whole.as_uri()!r})).default(); console.log(Object.keys(made).join())"
    ran = subprocess.run(
        [str(NODE), "--input-type=module", "-e", program], capture_output=True, text=True, timeout=300, check=True
    )

    assert ran.stdout.strip() == "initialize,render"


@pytest.mark.parametrize("entry", ["panel", "batch"])
def test_the_script_of_a_widget_imports_nothing(entry: str) -> None:
    assert not re.search(r"^\s*import\b", script(entry), re.MULTILINE)
    assert script(entry).count("export ") == 1


def test_nothing_is_fetched_and_html_is_set_in_one_place_only() -> None:
    source = {path.stem: path.read_text(encoding="utf-8") for path in MODULES}
    whole = "\n".join([*source.values(), STYLES])

    assert not re.search(r"\bfetch\(|XMLHttpRequest|WebSocket|@import|url\(|import\(|eval\(|new Function", whole)
    assert [name for name, text in source.items() if re.search(r"innerHTML|outerHTML|insertAdjacentHTML", text)] == [
        "dom"
    ]
    assert source["dom"].count("innerHTML") == 1


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_modules_stay_small_and_say_what_they_are_for(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()

    assert len(lines) <= 200
    assert lines[0].startswith("// ")


def test_every_color_variable_of_a_host_has_a_fallback() -> None:
    for name, rest in re.findall(r"var\((--(?:jp|vscode|colab)-[\w-]+)(.)", STYLES):
        assert rest == ",", name


def test_no_class_is_laid_out_by_two_stylesheets() -> None:
    """Both are loaded together: the same class in both would give the card of a session the layout of a board."""
    sheets = [set(re.findall(r"^  \.(dv-[\w-]+) \{", path.read_text(), re.MULTILINE)) for path in SHEETS]

    assert len(SHEETS) == 2
    assert sheets[0] & sheets[1] == set()
