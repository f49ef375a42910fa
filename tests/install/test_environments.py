"""An installed wheel works in an empty environment of every Python that is declared, and with the oldest libraries."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from install.environments import Environment, build, interpreter, lowest

pytestmark = [pytest.mark.environments, pytest.mark.timeout(900)]
SMOKE = Path(__file__).with_name("smoke.py")


def smoke(environment: Environment) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(environment.run(SMOKE).splitlines()[-1])
    assert Path(report["home"]).is_relative_to(environment.folder)
    assert report["phase"] == "done"
    assert report["findings"] == ["Finding"]
    assert report["columns"] == ["file", "severity"]
    assert (report["sessions"], report["acus"]) == (1, "Float64")
    assert report["prompt"].startswith("Find 42 things.")
    return report


@pytest.fixture
def disk() -> Iterator[Path]:
    """A folder on the disk: environments are large, and have programs and libraries, which memory may not run."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("wheel"), "wheel")


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_it_installs_and_runs_a_cell_on_this_python(version: str, wheel: Path, disk: Path) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} here")
    environment = Environment(python, disk / "env")
    environment.install(f"{wheel}[simulator]")
    environment.check()
    assert ".".join(map(str, smoke(environment)["python"])) == version


def test_it_installs_with_the_lowest_versions_that_are_declared(wheel: Path, disk: Path) -> None:
    python = interpreter("3.11")
    if python is None:
        pytest.skip("the lowest versions are those of the lowest Python")
    environment = Environment(python, disk / "env")
    environment.install(f"{wheel}[simulator,charts,parquet]", *lowest("simulator", "charts", "parquet"))
    environment.check()
    smoke(environment)


def test_without_the_simulator_extra_both_ways_to_it_say_which_extra_to_install(wheel: Path, disk: Path) -> None:
    environment = Environment(interpreter("3.11") or "python3", disk / "env")
    environment.install(str(wheel))
    code = (
        "import devin_jupyter as dj\ntry: dj.connect(simulator=True)\nexcept dj.DevinError as problem: print(problem)"
    )
    assert "devin-jupyter[simulator]" in environment.run("-c", code)
    with pytest.raises(AssertionError, match=r"^the simulator needs \w+: pip install 'devin-jupyter\[simulator\]'$"):
        environment.run("-m", "devin_jupyter.simulator")
