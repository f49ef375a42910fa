"""Building the package and making empty environments for it: interpreters, lowest declared versions."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]


def interpreter(version: str) -> str | None:
    """Return a working interpreter of this minor version, if this machine has one."""
    if f"{sys.version_info[0]}.{sys.version_info[1]}" == version:
        return sys.executable
    on_path = shutil.which(f"python{version}")
    installed = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for candidate in [on_path, *map(str, installed)]:
        if candidate and subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode == 0:
            return candidate
    return None


def lowest(*extras: str) -> list[str]:
    """Return the declared dependencies, each pinned to its lower bound."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    texts = [*project["dependencies"], *(text for extra in extras for text in project["optional-dependencies"][extra])]
    wanted = (item for item in map(Requirement, texts) if item.marker is None or item.marker.evaluate())
    return [f"{item.name}=={_bound(item)}" for item in wanted]


def _bound(item: Requirement) -> str:
    (bound,) = [part.version for part in item.specifier if part.operator == ">="]
    return bound


def build(into: Path, kind: str, source: Path = ROOT) -> Path:
    """Build a wheel or an sdist without the network, by the build backend itself."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(into)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (made,) = into.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return made


class Environment:
    """An empty virtual environment, filled by the pip of the tests: a pip of its own takes longer than the package."""

    def __init__(self, python: str, folder: Path) -> None:
        subprocess.run([python, "-m", "venv", "--without-pip", folder], check=True, capture_output=True)
        self.folder = folder
        self.python = folder / "bin" / "python"

    def run(self, *arguments: str | Path) -> str:
        """Run its interpreter outside the checkout, and return what it printed."""
        return self._run(self.python, *arguments)

    def install(self, *requirements: str) -> None:
        """Install with pip; wheels only, so that nothing is compiled, and modules when they are first imported."""
        self._pip("install", "--quiet", "--no-compile", "--only-binary=:all:", *requirements)

    def check(self) -> None:
        """Let pip look whether all requirements are met."""
        self._pip("check")

    def _pip(self, *arguments: str) -> None:
        self._run(sys.executable, "-m", "pip", "--python", self.python, *arguments)

    def _run(self, *command: str | Path) -> str:
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
