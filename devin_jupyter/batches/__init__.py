"""One prompt template over many rows, one session a row: planning, running, and the handle on the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from devin_jupyter.batches.handle import Batch

__all__ = ["Batch"]


def __getattr__(name: str) -> Any:
    if name != "Batch":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from devin_jupyter.batches.handle import Batch

    return Batch
