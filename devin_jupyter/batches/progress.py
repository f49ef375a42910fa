"""The one line that a waiting batch shows: a bar, the phases, the cost, the time left."""

from __future__ import annotations

import shutil
import sys
from typing import TextIO

from devin_jupyter.batches.job import Tally
from devin_jupyter.host import host

_CELLS = 20


def line(name: str, tally: Tally, notice: str | None = None) -> str:
    """Return the progress of a batch in one line."""
    done = round(_CELLS * tally.over / tally.wanted) if tally.wanted else _CELLS
    bar = "█" * done + "░" * (_CELLS - done)
    parts = [f"{name} {bar} {tally.over}/{tally.wanted}", tally.text]
    if tally.seconds_left is not None and tally.over < tally.wanted:
        parts.append(f"about {span(tally.seconds_left)} left")
    return "  ".join([*parts, *([f"[{notice}]"] if notice else [])])


def span(seconds: float) -> str:
    """Return a duration as people say it: `40 s`, `12 min`, `3 h 20 min`."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def is_watched() -> bool:
    """Tell whether somebody sees a line move: a terminal, or a notebook in which a person can click."""
    here = host()
    return here.can_click if here.in_kernel else sys.stderr.isatty()


class Ticker:
    """Writes a line over the one before it; writes nothing where nobody watches."""

    def __init__(self, stream: TextIO | None = None, *, is_watched: bool = True) -> None:
        """Write to `stream`, by default standard error; in a notebook, which paints that red, standard output."""
        if stream is None and host().in_kernel:
            stream = sys.stdout
        self._stream, self._is_watched, self._length, self._text = stream, is_watched, 0, ""

    def show(self, text: str) -> None:
        """Replace the line."""
        if not self._is_watched or text == self._text:
            return
        self._text = text
        stream = self._stream or sys.stderr
        text = text[: max(20, shutil.get_terminal_size((160, 24)).columns - 1)]
        stream.write("\r" + text + " " * max(0, self._length - len(text)))
        stream.flush()
        self._length = len(text)

    def finish(self, text: str) -> None:
        """Leave this line, and go on below it; nothing where none was shown."""
        if self._length:
            self.show(text)
            stream = self._stream or sys.stderr
            stream.write("\n")
            stream.flush()
            self._length = 0
