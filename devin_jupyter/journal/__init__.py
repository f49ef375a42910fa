"""The journal: what was paid for, what is about to be, and where to find it. Imports neither httpx nor IPython."""

from __future__ import annotations

from devin_jupyter.journal.sessions import Journal

__all__ = ["Journal"]
