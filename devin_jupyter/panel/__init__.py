"""The live views of sessions: `Panel` for one, `BatchPanel` for up to a thousand, `Stage` for the outputs of a cell.

Given snapshots and callables, they know no client. Callbacks of the browser only submit work, errors are shown in
the panel, and everything the front end needs is in this folder: plain ES modules and CSS, no build, no network.
"""

from __future__ import annotations

from devin_jupyter.panel.batch_panel import BatchPanel
from devin_jupyter.panel.session_panel import Panel
from devin_jupyter.panel.stage import Stage

__all__ = ["BatchPanel", "Panel", "Stage"]
