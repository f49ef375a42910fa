"""The keywords of `create`: which of the options belong there, and what they say about how to start."""

from __future__ import annotations

from typing import Any

from devin_jupyter.creation import CellRef, Policy
from devin_jupyter.errors import OptionError
from devin_jupyter.journal.place import here
from devin_jupyter.options import Options, from_keywords

_ELSEWHERE = {
    "to": "use session.send(…)",
    "again": "it belongs to session.send(…)",
    "dry_run": "use plan(prompt, …)",
    "help": "see help(dj.create), or %devin help in a notebook",
    "save_transcript": "it belongs to the cell: %%devin --save-transcript",
    "each": "use map(prompt, rows, …)",
    "name": "use map(prompt, rows, …)",
    "max_parallel": "use map(prompt, rows, …)",
    "limit": "use map(prompt, rows, …)",
    "max_failures": "use map(prompt, rows, …)",
    "max_median": "use map(prompt, rows, …)",
    "when_done": "use map(prompt, rows, …)",
    "prefix": "use map(prompt, rows, …)",
}


def read_options(keywords: dict[str, Any]) -> Options:
    """Return the options of a `create` in Python; those of other calls are refused, with the call they belong to."""
    options = from_keywords(**keywords)
    for name in sorted(options.given & _ELSEWHERE.keys()):
        raise OptionError(f"create has no {name}", "nothing was sent", _ELSEWHERE[name])
    return options


def policy_of(options: Options, *, interactive: bool = False) -> Policy:
    """Return how a request of Python code is to be started."""
    return Policy(
        take_new=options.new,
        max_age=options.max_age,
        replace=options.replace,
        beside=options.beside,
        guard=CellRef(notebook=here(), out=options.out),
        interactive=interactive,
        budget=options.budget,
        stop_if_left=options.on_interrupt == "stop",
    )


def finite(seconds: float) -> float | None:
    """Return a time-out; infinity is none."""
    return None if seconds == float("inf") else seconds
