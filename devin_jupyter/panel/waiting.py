"""The line under a cell that waits: what the session is doing, for as long as the wait takes.

It appears once a wait takes longer than a moment, is updated in place, and is empty at the end. The package's
loop opens and moves it: the thread that waits is blocked, and its cell is the one that runs, so it lands there.
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
_AFTER_SECONDS, _EVERY_SECONDS = 2.0, 1.0
_drawing = threading.Lock()
"""A cell has one line; of several waits at a time, the first one uses it."""


@contextmanager
def waiting_line(session: Any) -> Iterator[None]:
    """Show the line during a wait; inside another wait show nothing."""
    if not _drawing.acquire(blocking=False):
        yield
        return
    try:
        since, shown, is_over = time.monotonic(), list[ReplaceableOutput](), False

        async def move() -> None:
            await asyncio.sleep(_AFTER_SECONDS)
            while not is_over:
                if not shown:
                    shown.append(ReplaceableOutput(_line(session, time.monotonic() - since)))
                shown[0].replace(_line(session, time.monotonic() - since))
                await asyncio.sleep(_EVERY_SECONDS)

        async def end() -> None:
            moving.cancel()
            for output in shown:
                output.replace(EMPTY)

        moving = loop.submit(move())
        try:
            yield
        finally:
            is_over = True
            loop.run(end())
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
