"""Clients over real HTTP, each with a journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from batches.batch_client import BatchClient

from devin_jupyter.batches import runner


@pytest.fixture(autouse=True)
def followers_look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "FOLLOW_SECONDS", 0.05)


@pytest.fixture
def new_client(simulator: Any, tmp_path: Path) -> Iterator[Callable[..., BatchClient]]:
    """Return a client on the simulator; by default all share one journal, as kernels on one machine do."""
    made: list[BatchClient] = []

    def make(journal: str = "journal.db") -> BatchClient:
        made.append(BatchClient(simulator.url, tmp_path / journal))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(new_client: Callable[..., BatchClient]) -> BatchClient:
    return new_client()
