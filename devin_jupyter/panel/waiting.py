"""The line under a cell that waits: what the session is doing, for as long as the wait takes.

It is there while somebody can see it, is updated in place, and leaves nothing behind. The main thread opens and closes
it; the package's loop moves it.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

from devin_jupyter import loop
from devin_jupyter.panel.outputs import EMPTY, Bundle, ReplaceableOutput
from devin_jupyter.render import labels
from devin_jupyter.text import one_line

_HINT = "interrupt to stop waiting; the session keeps running"
_EVERY_SECONDS = 1.0
_drawing = threading.Lock()
"""A cell has one line: of several waits at a time, the first has it."""


@contextmanager
def waiting_line(session: Any) -> Iterator[None]:
    """Show the line during a wait on the main thread; on another thread, or inside another wait, show nothing."""
    is_main = threading.current_thread() is threading.main_thread()
    if session.snapshot.turn_over or not is_main or not _drawing.acquire(blocking=False):
        yield
        return
    try:
        since, is_over = time.monotonic(), threading.Event()
        output = ReplaceableOutput(_line(session, 0.0))

        async def move() -> None:
            while not is_over.is_set():
                output.replace(_line(session, time.monotonic() - since))
                await asyncio.sleep(_EVERY_SECONDS)

        moving = loop.submit(move())
        try:
            yield
        finally:
            is_over.set()
            moving.cancel()
            output.replace(EMPTY, is_last=True)
    finally:
        _drawing.release()


def _line(session: Any, seconds: float) -> Bundle:
    snapshot, view = session.snapshot, getattr(session, "live_view", None)
    facts = [
        one_line(labels.title(snapshot), 60),
        labels.cost(snapshot),
        f"{int(seconds) // 60}:{int(seconds) % 60:02}",
    ]
    facts[1:1] = labels.at_work(view) if view is not None and not snapshot.turn_over else []
    facts += labels.labels(snapshot)
    phase, rest = f"{labels.style(snapshot).icon} {snapshot.label}", " · ".join(facts)
    return {
        "text/plain": f"{phase} · {rest} ({_HINT})",
        "text/html": f"<div><strong>{escape(phase)}</strong> · {escape(rest)} "
        f'<span style="opacity:0.7">({escape(_HINT)})</span></div>',
    }
