"""The records of batches in the journal."""

from __future__ import annotations

from pathlib import Path

from devin_jupyter.journal import Journal


def test_batches_are_kept_by_name(folder: Path) -> None:
    journal = Journal(folder)
    journal.batches.save("a", {"rows": 1}, notebook="n", now=1.0)
    journal.batches.save("b", {"rows": 2}, notebook="m", now=2.0)
    journal.batches.save("a", {"rows": 3}, notebook="n", now=3.0)
    assert journal.batches.load("a") == {"rows": 3}
    assert journal.batches.load("c") is None
    assert (journal.batches.names(), journal.batches.names(notebook="m")) == (["a", "b"], ["b"])
