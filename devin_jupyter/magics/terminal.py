"""The live view of a session in a terminal: one status line that moves while the prompt is blocked, drawn by rich.

`session.wait()`, `.result()`, `await session` and the magics all wait below it.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from devin_jupyter.models.snapshot import Snapshot
from devin_jupyter.render import labels
from devin_jupyter.text import one_line

_COLORS = {
    "queued": "bright_black",
    "working": "blue",
    "your_turn": "yellow",
    "needs_approval": "yellow",
    "done": "green",
    "blocked": "red",
    "failed": "red",
}


_drawing = threading.Lock()
"""A terminal has one status line: of several waits at a time, the first has it."""


@contextmanager
def following(session: Any) -> Iterator[None]:
    """Draw the line while the main thread waits at a terminal; anywhere else, draw nothing."""
    at_prompt = threading.current_thread() is threading.main_thread() and sys.stdout.isatty()
    if session.snapshot.turn_over or not at_prompt or not _drawing.acquire(blocking=False):
        yield
        return
    line = Following(session.snapshot)
    try:
        unsubscribe = session.subscribe(line.show)
        line.start()
        try:
            yield
        finally:
            line.stop()
            unsubscribe()
    finally:
        _drawing.release()


class Following:
    """The moving line. `show` may be called from any thread."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Draw nothing yet."""
        self._snapshot = snapshot
        self._since = time.monotonic()
        self._spinner = Spinner("dots")
        self._live = Live(self, console=Console(force_jupyter=False), refresh_per_second=8, transient=True)

    def start(self) -> None:
        """Start drawing."""
        self._live.start()

    def stop(self) -> None:
        """Stop drawing and take the line away."""
        self._live.stop()

    def show(self, snapshot: Snapshot) -> None:
        """Take the next snapshot."""
        self._snapshot = snapshot

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The line as it is now."""
        snapshot = self._snapshot
        minutes, seconds = divmod(int(time.monotonic() - self._since), 60)
        facts = [one_line(labels.title(snapshot), 60), labels.cost(snapshot), f"{minutes}:{seconds:02}"]
        line = Text.assemble(
            (snapshot.phase.label, f"bold {_COLORS.get(snapshot.phase.value, 'default')}"),
            *(f" · {fact}" for fact in facts),
            *((f" · {label}", "bright_black") for label in labels.labels(snapshot)),
            ("  Ctrl-C detaches", "bright_black"),
        )
        line.truncate(options.max_width - 2, overflow="ellipsis")
        self._spinner.update(text=line)
        yield self._spinner

    def __repr__(self) -> str:
        """Name the session."""
        return f"<Following {self._snapshot.session_id}>"
