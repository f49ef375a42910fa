"""What the project says about itself is true: versions, public names, dependencies, the fixed top level."""

from __future__ import annotations

import inspect
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import devin_jupyter as dj

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
ALLOWED = {"pyproject.toml", "README.md", "LICENSE", "devin_jupyter", "notebooks", "tests"}


def test_the_version_is_the_same_wherever_it_is_written() -> None:
    assert PROJECT["version"] == dj.__version__ == metadata.version("devin-jupyter")
    assert f"### {dj.__version__}\n" in (ROOT / "README.md").read_text("utf-8")


def test_the_top_level_holds_only_what_was_agreed_and_dotfiles() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    names = {line.partition("/")[0] for line in listed.stdout.splitlines()}
    assert {name for name in names if not name.startswith(".")} == ALLOWED


def test_every_public_name_can_be_had_and_is_listed_once() -> None:
    assert dj.__all__ == sorted(set(dj.__all__))
    assert set(dir(dj)) < set(dj.__all__)
    assert {name for name in vars(dj.errors) if name in dj.__all__} == set(dj.errors.__all__)
    assert [name for name in dj.__all__ if getattr(dj, name) is None] == []


def test_every_public_name_explains_itself() -> None:
    assert [name for name in dj.__all__ if not inspect.getdoc(getattr(dj, name))] == []


def test_every_exception_is_public() -> None:
    from devin_jupyter import errors

    ours = {
        name for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, errors.DevinError)
    }
    inner = {"UsageMistake", "SetupError", "Refused"}  # groups that nobody raises; caught as DevinError
    assert ours - inner <= set(dj.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = dj.nothing


def test_every_dependency_has_a_lower_bound_and_no_upper_one() -> None:
    named = [Requirement(text) for texts in (PROJECT["dependencies"], *EXTRAS.values()) for text in texts]
    bare = {item.name for item in named if item.name != "devin-jupyter" and ">=" not in str(item.specifier)}
    capped = {item.name for item in named if "<" in str(item.specifier).replace(">=", "")}
    assert (bare, capped) == (set(), set())


def test_the_kernel_that_loses_updates_from_threads_is_excluded() -> None:
    (kernel,) = [Requirement(text) for text in EXTRAS["lab"] if Requirement(text).name == "ipykernel"]
    assert not kernel.specifier.contains(Version("7.0.1"))
    assert kernel.specifier.contains(Version("7.1.0"))
    assert kernel.specifier.contains(Version("6.30.0"))


def test_python_is_declared_as_it_is_classified() -> None:
    classified = [text.rpartition(" ")[2] for text in PROJECT["classifiers"] if "Python :: 3." in text]
    assert PROJECT["requires-python"] == f">={min(classified, key=Version)}"
