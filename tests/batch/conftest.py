"""Clients over real HTTP, each with a journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from batch.desk import Desk

from devin_jupyter.batches import leading


@pytest.fixture(autouse=True)
def followers_look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leading, "LOOK_SECONDS", 0.05)


@pytest.fixture
def new_desk(simulator: Any, tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """Return a client on the simulator; by default all share one journal, as kernels on one machine do."""
    made: list[Desk] = []

    def make(journal: str = "journal.db") -> Desk:
        made.append(Desk(simulator.url, tmp_path / journal))
        return made[-1]

    yield make
    for desk in made:
        desk.close()


@pytest.fixture
def desk(new_desk: Callable[..., Desk]) -> Desk:
    return new_desk()
