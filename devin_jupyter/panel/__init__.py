"""The live panels and their outputs in a cell."""

from devin_jupyter.panel.outputs import CellOutput
from devin_jupyter.panel.widgets import BatchPanel, Panel

__all__ = ["BatchPanel", "CellOutput", "Panel"]
