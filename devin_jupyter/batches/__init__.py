"""One prompt template over many rows, one session a row: planning, running, and the handle on the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from devin_jupyter.batches.batch import AsyncBatch, Batch

__all__ = ["AsyncBatch", "Batch"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from devin_jupyter.batches import batch

    return getattr(batch, name)
