"""What a `%%devin` cell does: start or attach, or send a message, or run a batch; bind, show, wait.

Reads as the order of events. Everything that costs money is decided below, in the client.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from devin_jupyter.host import quiet_waits
from devin_jupyter.loop import completing_requests
from devin_jupyter.magics import display
from devin_jupyter.magics.seen import warm
from devin_jupyter.options import CellOptions, continued, parse
from devin_jupyter.text import parse_duration

if TYPE_CHECKING:
    from devin_jupyter.magics.notebook import Notebook

HEADLESS_SECONDS = 4 * 3600.0


def run(notebook: Notebook, line: str, body: str) -> None:
    """Run a `%%devin` cell.

    Raises:
        DevinError: with what happened, what it means and what to do; the cell fails.
    """
    line, body = continued(line, body)
    options = parse(line)
    if options.get("help"):
        from devin_jupyter.options import help_text

        print(help_text())
    elif "each" in options:
        from devin_jupyter.magics import batch_cell

        batch_cell.run(notebook, client(notebook), body, options)
    elif "to" in options:
        _message(notebook, body, options)
    else:
        _start(notebook, body, options)


def _start(notebook: Notebook, body: str, options: CellOptions) -> None:
    from devin_jupyter import request
    from devin_jupyter.client.aio import policy_of

    devin = client(notebook)
    body, options = request.fill(body, options, notebook.variables)
    wanted = request.build(body, options, notebook.variables, notebook.defaults(devin.settings.api_version))
    options = {**options, "on_interrupt": _on_interrupt(notebook, options)}
    policy = policy_of(options, guard=notebook.cell(options.get("out")), interactive=not notebook.host.is_headless)
    if options.get("dry_run"):
        from devin_jupyter.magics.dry_run import DryRun

        display.show(DryRun(devin.plan(wanted, policy), devin.settings, wanted))
        return
    tell_what_goes_on(notebook, devin)
    with completing_requests(stops=policy.stop_if_left):
        session = devin.start(wanted, policy)
    notebook.bind(options.get("out"), session)
    say(session.notice)
    follow(notebook, session, options)


def _message(notebook: Notebook, body: str, options: CellOptions) -> None:
    from devin_jupyter import request
    from devin_jupyter.attachments import read_attachments

    text, options = request.fill(body, options, notebook.variables)
    files, again = read_attachments(options.get("attach") or (), notebook.variables), options.get("again", False)
    devin = client(notebook)
    if not options.get("dry_run"):
        tell_what_goes_on(notebook, devin)
    session = notebook.session(options["to"])
    if options.get("dry_run"):
        from devin_jupyter.magics.dry_run import message

        print(message(devin.journal, notebook.host.notebook, session, text, files, again))
        return
    notebook.bind(options.get("out"), session)
    with completing_requests():
        session = devin.send(session, text, files, again, options.get("as_user"))
    say(session.notice)
    follow(notebook, session, options)


def follow(notebook: Notebook, session: Any, options: CellOptions) -> None:
    """Show the session, and wait where that was asked for or nobody can click.

    Raises:
        TurnError: the turn is over without an answer, or not over in time.
        Detached: the wait was interrupted.
    """
    seconds = wait_seconds(notebook, options)
    view = display.view(notebook, session, options, waiting=seconds is not None)
    if seconds is None:
        view.open()
        return
    with view, quiet_waits() if options.get("quiet") else nullcontext():
        wait(session, None if seconds == math.inf else seconds, _on_interrupt(notebook, options))


def _on_interrupt(notebook: Notebook, options: CellOptions) -> str:
    return options.get("on_interrupt") or str(notebook.config.on_interrupt)


def wait(session: Any, seconds: float | None, on_interrupt: str) -> None:
    """Wait for the answer; Ctrl-C detaches, or stops the session where that was asked for.

    Raises:
        TurnError: there is none.
        Detached: the wait was interrupted.
    """
    try:
        session.result(seconds)
    except KeyboardInterrupt:
        if on_interrupt != "stop":
            raise
        from devin_jupyter.session import stopped

        session.stop()
        raise stopped(session.snapshot) from None


def say(notice: str | None) -> None:
    """Print the one line on what was attached to or not sent, if there is one."""
    if notice:
        print(notice)


def tell_what_goes_on(notebook: Notebook, devin: Any) -> None:
    """Say once, after a restart, which sessions of this notebook went on meanwhile, and what they cost since."""
    if devin in _told or notebook.host.is_headless:
        return
    warm(devin)
    _told.add(devin)
    say(devin.still_live(notebook.host.notebook))


_told: WeakSet[Any] = WeakSet()


def client(notebook: Notebook) -> Any:
    """Return the default client at the notebook's pace, connecting at first use."""
    from devin_jupyter.client import default as devin

    found = devin.default()
    if notebook.config.poll_seconds is not None:
        pace = replace(found.settings.pace, slow=notebook.config.poll_seconds)
        found.core.poller.pace = pace
    return found


def wait_seconds(notebook: Notebook, options: CellOptions) -> float | None:
    """How long to wait: infinity without a limit, None not at all."""
    wait = options.get("wait")
    if wait is not None:
        seconds = parse_duration(wait)
        return HEADLESS_SECONDS if seconds == math.inf and notebook.host.is_headless else seconds
    return HEADLESS_SECONDS if notebook.host.is_headless else None
