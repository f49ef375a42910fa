"""What the two live panels have in common as widgets: when there is one at all, and how it is displayed."""

from __future__ import annotations

from typing import Any

import anywidget

from devin_jupyter.host import host
from devin_jupyter.panel import stage
from devin_jupyter.panel.assets import STYLES


class LiveWidget(anywidget.AnyWidget):  # type: ignore[misc]  # anywidget is not typed
    """A panel as a widget. In a run that only fills the file, which would keep the whole front end, it is none yet."""

    _css = STYLES
    _waits = False

    def open(self) -> None:
        """Meet the browser, where there is one."""
        self._waits = host().outputs == "file"
        if not self._waits:
            super().open()

    @property
    def model_id(self) -> str:
        """The id of the widget; whoever asks shows it, so it is there from now on."""
        if self._waits:
            self._waits = False
            super().open()
        return str(super().model_id)

    def view_bundle(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the widget's own view as a bundle: what a front end with a widget manager shows.

        Its text is empty: where the view is dead, the static form beside it says everything.
        """
        data, metadata = super()._repr_mimebundle_()
        return {**data, "text/plain": ""}, metadata

    def _ipython_display_(self) -> None:
        stage.Stage(self).open()
