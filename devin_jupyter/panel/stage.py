"""The outputs of a live panel in a notebook cell, such that the saved file never needs a kernel to be read.

While the turn is open there are two: the widget, and below it a static snapshot, hidden as long as the widget
lives. A bundle that holds both would reopen as "model not found". When the turn is over the widget's output is
emptied and the snapshot holds the final state; a panel whose page is still open moves into that output, so it can
be answered there. Front ends that show each output in a frame of its own get one output with the static HTML as
fallback.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, Protocol

from devin_jupyter.host import host
from devin_jupyter.panel.pacing import Pacer

SNAPSHOT_SECONDS = 1.0
Bundle = dict[str, Any]
_EMPTY: Bundle = {"text/plain": "", "text/html": ""}


class PanelLike(Protocol):
    """What a stage needs of a panel."""

    def view_bundle(self) -> tuple[Bundle, Bundle]:
        """The widget's view, as data and metadata."""

    def close(self) -> None:
        """Stop following and remove every view."""

    def saved_bundle(self, *, transcript: bool, live: bool) -> Bundle:
        """What the file keeps, static; with a place where the panel may settle as long as it is live."""

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back, on any thread, when something changed."""

    @property
    def turn_over(self) -> bool:
        """Whether nothing is at work any more."""

    @property
    def needs_you(self) -> bool:
        """Whether somebody may want to answer in the panel."""


class Output:
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


class Stage:
    """Shows a panel in the cell that is running, and keeps the saved form of its output up to date."""

    def __init__(self, panel: PanelLike, *, transcript: bool = False) -> None:
        """Show nothing yet.

        Args:
            panel: the panel to show.
            transcript: keep the conversation in the saved form too.
        """
        self._panel, self._transcript, self._is_live = panel, transcript, False
        self._widget: Output | None = None
        self._static: Output | None = None
        self._pacer: Pacer[None] = Pacer(self._show, SNAPSHOT_SECONDS)

    def open(self) -> None:
        """Display the panel; call it on the main thread, in the cell that it belongs to."""
        kind = host().outputs
        self._is_live = kind == "page"
        if kind != "file":
            _replace_earlier(self._panel)
        if kind == "frames":
            data, metadata = self._panel.view_bundle()
            self._widget = Output({**data, **self._saved()}, metadata)
        else:
            if kind == "page" and not self._panel.turn_over:
                self._widget = Output(*self._panel.view_bundle())
            self._static = Output(self._saved())
        if kind != "file":
            self._panel.on_change(self._changed)

    def close(self) -> None:
        """Leave the newest state in the cell at once; what goes on is still followed."""
        self._pacer.flush()
        self._show(None)

    def _changed(self) -> None:
        self._pacer.offer(None)
        if self._panel.turn_over:
            self._pacer.flush()  # whoever saves right after the end saves the end

    def _show(self, _: None) -> None:
        if self._static is None:
            self._show_framed()
            return
        self._static.replace(self._saved())
        if self._panel.turn_over and self._widget is not None:
            self._widget.replace(_EMPTY)

    def _show_framed(self) -> None:
        """Frames keep the widget as long as somebody may want to answer in it."""
        if self._widget is not None and self._panel.turn_over and not self._panel.needs_you:
            self._widget.replace(self._saved())

    def _saved(self) -> Bundle:
        return self._panel.saved_bundle(transcript=self._transcript, live=self._is_live)


class _Run:
    """The panels that the newest run of a cell has shown."""

    def __init__(self, request: str) -> None:
        self.request = request
        self.panels: list[PanelLike] = []


_runs: dict[str, _Run] = {}


def _replace_earlier(panel: PanelLike) -> None:
    """Close what an earlier run of this cell has shown, unless another cell shows it too: nobody sees it any more."""
    here = host()
    request, cell = here.request or "", here.cell_id
    if cell is None:
        return
    before = _runs.get(cell)
    if before is None or before.request != request:
        _runs[cell] = _Run(request)
    _runs[cell].panels.append(panel)
    shown = [each for run in _runs.values() for each in run.panels]
    for earlier in before.panels if before is not None and before is not _runs[cell] else ():
        if not any(earlier is each for each in shown):
            earlier.close()


def _publish(data: Bundle, metadata: Bundle, display_id: str, *, update: bool) -> None:
    from IPython.display import publish_display_data

    publish_display_data(data, metadata, transient={"display_id": display_id}, update=update)
