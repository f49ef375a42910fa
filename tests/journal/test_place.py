"""What the journal calls a notebook."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from devin_jupyter.journal import Journal
from devin_jupyter.journal.place import here


def test_the_front_end_tells_the_notebook(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JPY_SESSION_NAME", "/work/audit.ipynb")
    assert here() == "/work/audit.ipynb"
    assert here({"__vsc_ipynb_file__": "/code/x.ipynb"}) == "/code/x.ipynb"
    monkeypatch.setenv("JPY_SESSION_NAME", "deep/audit.ipynb")
    assert here() == str(tmp_path / "audit.ipynb")


def test_a_script_is_its_own_place_and_else_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JPY_SESSION_NAME", "some-console-id")
    script = tmp_path / "nightly.py"
    script.write_text("")
    monkeypatch.setattr(sys, "argv", [str(script)])
    assert here() == str(script)
    for other in ("ipykernel_launcher.py", "", "-c"):
        monkeypatch.setattr(sys, "argv", [other])
        assert here() == str(tmp_path)


def test_batches_are_kept_by_name(folder: Path) -> None:
    journal = Journal(folder)
    journal.batches.save("a", {"rows": 1}, notebook="n", now=1.0)
    journal.batches.save("b", {"rows": 2}, notebook="m", now=2.0)
    journal.batches.save("a", {"rows": 3}, notebook="n", now=3.0)
    assert journal.batches.load("a") == {"rows": 3}
    assert journal.batches.load("c") is None
    assert (journal.batches.names(), journal.batches.names(notebook="m")) == (["a", "b"], ["b"])
