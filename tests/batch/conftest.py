"""Clients over real HTTP, each with a journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from batch.desk import Desk


@pytest.fixture
def simulator(simulator_with: Callable[..., Any]) -> Any:
    """A fresh simulator whose default turn takes 0.1 s."""
    return simulator_with(speed=2400.0)


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
