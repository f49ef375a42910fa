"""A `%%devin --each` cell: one session per row of a table, shown as a board, with one line while it waits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from devin_jupyter import loop
from devin_jupyter.errors import OptionError
from devin_jupyter.loop import completing_requests
from devin_jupyter.magics import display
from devin_jupyter.magics.cell import say, tell_what_goes_on, wait_seconds
from devin_jupyter.magics.offers import offers
from devin_jupyter.options import CellOptions
from devin_jupyter.text import nearest

if TYPE_CHECKING:
    from devin_jupyter.batches import Batch
    from devin_jupyter.batches.plan import BatchRequest
    from devin_jupyter.magics.notebook import Notebook


def run(notebook: Notebook, devin: Any, body: str, options: CellOptions) -> None:
    """Start the batch, or attach to what there is of it; bind, show and wait.

    Raises:
        DevinError: nothing was paid, or the wait was interrupted.
    """
    from devin_jupyter.batches import Batch
    from devin_jupyter.batches import batch as batches

    asked = _request(notebook, body, options, devin.settings.api_version)
    if options.get("dry_run"):
        from devin_jupyter.magics.dry_run import BatchDryRun

        display.show(BatchDryRun(loop.run(batches.dry_run(devin.core, asked)), devin.settings))
        return
    tell_what_goes_on(notebook, devin)
    with completing_requests():
        batch = Batch(loop.run(batches.start(devin.core, asked)))
    notebook.bind(options.get("out"), batch)
    say(batch.notice)
    follow(notebook, batch, options)


def follow(notebook: Notebook, batch: Batch, options: CellOptions) -> None:
    """Show the board, and wait where that was asked for or nobody can click.

    Raises:
        Detached: the wait was interrupted.
        Refused: it paused before every row was started.
        WaitTimeout: turns are open after the time given.
    """
    seconds = wait_seconds(notebook, options)
    on_interrupt = options.get("on_interrupt") or notebook.config.on_interrupt
    board = notebook.host.in_kernel and not notebook.host.is_headless and notebook.config.panel and not batch.is_over
    if board and not options.get("quiet"):
        display.show(batch.panel())
    try:
        if seconds is not None:
            limit = None if seconds == math.inf else seconds
            batch.wait(limit, on_interrupt=on_interrupt, quiet=options.get("quiet", False))
    finally:
        if not board and not options.get("quiet"):
            display.show(batch)
    if seconds is not None:
        batch.check()


def _request(notebook: Notebook, body: str, options: CellOptions, api_version: str) -> BatchRequest:
    from devin_jupyter.batches.plan import BatchRequest

    rows = options["each"]
    if isinstance(rows, str):
        rows = _rows(notebook, rows)
    return BatchRequest(
        prompt=body,
        rows=rows,
        options=options,
        variables=notebook.variables,
        defaults=notebook.defaults(api_version),
        cell=notebook.cell(options.get("out")),
    )


def _rows(notebook: Notebook, name: str) -> Any:
    if name not in notebook.variables:
        tables = [known for known, _ in offers(notebook, "tables", "")]
        there = f"; there {'is' if len(tables) == 1 else 'are'} {', '.join(tables[:5])}" if tables else ""
        raise OptionError(
            f"there is no variable {name!r} for --each{nearest(name, tables) or nearest(name, notebook.own_names)}",
            "nothing was sent",
            f"--each takes the name of a DataFrame or a list in this notebook{there}",
        )
    return notebook.variables[name]
