"""The outputs of a live panel in a notebook cell, made so that the saved file can be read without a kernel.

While the turn is open there are two: the widget, and below it a static snapshot that is hidden as long as the widget
lives. One bundle with both would reopen as "model not found". When the turn is over, the widget's output is emptied and
the snapshot holds the final state; a panel whose page is still open moves into that output, so it can be answered
there. Front ends that show each output in a frame of its own get one output with the static HTML as fallback.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, Protocol

from devin_jupyter.host import host
from devin_jupyter.monitor.store import Throttle
from devin_jupyter.panel.sync import on_loop

SNAPSHOT_SECONDS = 1.0
Bundle = dict[str, Any]
EMPTY: Bundle = {"text/plain": "", "text/html": ""}


class PanelLike(Protocol):
    """What an output needs of a panel."""

    def view_bundle(self) -> tuple[Bundle, Bundle]:
        """The widget's view, as data and metadata."""

    def close(self) -> None:
        """Stop following and remove every view."""

    def saved_bundle(self, *, transcript: bool, live: bool) -> Bundle:
        """What the file keeps, static; if `live`, with an element that the panel may move into."""

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back, on any thread, after every change."""

    @property
    def turn_over(self) -> bool:
        """Whether no session is working any more."""

    @property
    def awaits_reply(self) -> bool:
        """Whether a person may want to answer in the panel."""


class ReplaceableOutput:
    """One output of a cell that can be replaced from any thread."""

    def __init__(self, data: Bundle, metadata: Bundle | None = None) -> None:
        """Show the bundle under the cell that is running."""
        self._id = "dv-" + os.urandom(8).hex()
        self._last = data
        self._lock = threading.Lock()
        _publish(data, metadata or {}, self._id, update=False)

    def replace(self, data: Bundle, metadata: Bundle | None = None) -> None:
        """Replace the bundle where it differs from the one shown."""
        with self._lock:
            if data != self._last:
                self._last = data
                _publish(data, metadata or {}, self._id, update=True)


class CellOutput:
    """Shows a panel in the cell that is running, and keeps the saved form of its output up to date."""

    def __init__(self, panel: PanelLike, *, transcript: bool = False, every: float = SNAPSHOT_SECONDS) -> None:
        """Show nothing yet.

        Args:
            panel: the panel to show.
            transcript: keep the conversation in the saved form too.
            every: replace the saved form at most once in this many seconds, and at once when the turn ends.
        """
        self._panel, self._transcript, self._is_live = panel, transcript, False
        self._widget: ReplaceableOutput | None = None
        self._static: ReplaceableOutput | None = None
        self._throttle = Throttle(self._show, every)

    def open(self) -> None:
        """Display the panel; call it on the main thread, in the cell that it belongs to."""
        kind = host().outputs
        self._is_live = kind == "page"
        if kind != "file":
            _replace_earlier(self._panel)
        if kind == "frames":
            data, metadata = self._panel.view_bundle()
            self._widget = ReplaceableOutput({**data, **self._saved()}, metadata)
        else:
            if kind == "page" and not self._panel.turn_over:
                self._widget = ReplaceableOutput(*self._panel.view_bundle())
            self._static = ReplaceableOutput(self._saved())
        if kind != "file":
            self._panel.on_change(self._changed)

    def close(self) -> None:
        """Write the newest state into the cell now; the panel continues to follow its session."""
        self._show()

    def _changed(self) -> None:
        on_loop(self._show_soon)

    def _show_soon(self) -> None:
        self._throttle.request(at_once=self._panel.turn_over)  # a file saved right after the end holds the end

    def _show(self) -> None:
        is_over = self._panel.turn_over
        if self._static is not None:
            self._static.replace(self._saved())
            if is_over and self._widget is not None:
                self._widget.replace(EMPTY)
        elif self._widget is not None and is_over and not self._panel.awaits_reply:
            self._widget.replace(self._saved())  # a frame keeps the widget as long as it may be answered in

    def _saved(self) -> Bundle:
        return self._panel.saved_bundle(transcript=self._transcript, live=self._is_live)


_shown: dict[str, tuple[str, list[PanelLike]]] = {}
"""By cell: its newest execute request, and the panels that it has shown."""


def _replace_earlier(panel: PanelLike) -> None:
    """Close the panels of an earlier run of this cell, which are no longer visible, unless another cell shows them."""
    here = host()
    request, cell = here.request or "", here.cell_id
    if cell is None:
        return
    earlier, panels = _shown.get(cell, (None, []))
    if earlier == request:
        panels.append(panel)
        return
    _shown[cell] = request, [panel]
    kept = {id(each) for _, shown in _shown.values() for each in shown}
    for each in panels:
        if id(each) not in kept:
            each.close()


def _publish(data: Bundle, metadata: Bundle, display_id: str, *, update: bool) -> None:
    from IPython.display import publish_display_data

    publish_display_data(data, metadata, transient={"display_id": display_id}, update=update)
