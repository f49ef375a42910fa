"""The wheel and the source archive hold everything that an installed package needs, and nothing else."""

from __future__ import annotations

import tarfile
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest
from install.environments import ROOT, build


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("wheel"), "wheel")


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(build(folder, "sdist")) as archive:
        archive.extractall(folder, filter="data")
    (root,) = [path for path in folder.iterdir() if path.is_dir()]
    return root


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def about(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return message_from_bytes(archive.read(name))


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    files = [path for path in (ROOT / "devin_jupyter").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    expected = {path.relative_to(ROOT).as_posix() for path in files}
    assert {name for name in names(wheel) if name.startswith("devin_jupyter/")} == expected
    assert {Path(name).suffix for name in expected} >= {".py", ".js", ".css"}
    assert "devin_jupyter/py.typed" in expected


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    assert {name.partition("/")[0].partition("-")[0] for name in names(wheel)} == {"devin_jupyter"}
    assert any(name.endswith("licenses/LICENSE") for name in names(wheel))


def test_its_metadata_name_the_license_and_show_the_readme(wheel: Path) -> None:
    read = about(wheel)
    assert (read["Name"], read["License-Expression"], read["Requires-Python"]) == (
        "devin-jupyter",
        "Apache-2.0",
        ">=3.11",
    )
    assert read["Description-Content-Type"] == "text/markdown"
    assert "%%devin" in read.get_payload()


def test_the_source_archive_builds_the_same_wheel(wheel: Path, unpacked: Path, tmp_path: Path) -> None:
    again = build(tmp_path, "wheel", source=unpacked)
    assert names(again) == names(wheel)


def test_the_source_archive_holds_the_tests_and_the_notebooks(unpacked: Path) -> None:
    top = {path.name for path in unpacked.iterdir()}
    assert top >= {"devin_jupyter", "tests", "notebooks", "README.md", "LICENSE", "pyproject.toml"}
    assert (unpacked / "tests" / "conftest.py").is_file()
    assert list((unpacked / "notebooks").glob("*.ipynb"))
