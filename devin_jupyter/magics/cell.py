"""A `%%devin` cell: it starts or attaches to a session, sends a message, or runs a batch; then it shows and waits.

Everything that costs money is decided below, in the client.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from devin_jupyter import loop
from devin_jupyter.errors import Detached, DevinError, OptionError
from devin_jupyter.host import quiet_waits
from devin_jupyter.loop import completing_requests
from devin_jupyter.magics import display
from devin_jupyter.magics.completion import candidates
from devin_jupyter.magics.frontend import print_notice, warn_about_live_sessions
from devin_jupyter.options import CellOptions, continued, help_text, parse
from devin_jupyter.text import nearest, parse_duration

if TYPE_CHECKING:
    from devin_jupyter.batches.batch import Batch
    from devin_jupyter.magics.frontend import Notebook
    from devin_jupyter.session import Session

HEADLESS_SECONDS = 4 * 3600.0


def run(notebook: Notebook, line: str, body: str) -> None:
    """Run a `%%devin` cell.

    Raises:
        DevinError: with what happened, what it means and what to do; the cell fails.
    """
    line, body = continued(line, body)
    options = parse(line)
    if options.get("help"):
        print(help_text())
    elif "each" in options:
        _run_batch(notebook, body, options)
    elif "to" in options:
        _send(notebook, body, options)
    else:
        _start(notebook, body, options)


def fix(notebook: Notebook, hint: str, options: CellOptions) -> Session | None:
    """Ask about the last error of the notebook, wait, and show the corrected cell as a diff; it is never run.

    Returns:
        The session; None for a dry run.

    Raises:
        OptionError: no cell has failed.
        TurnError: the turn is over without an answer, or not over in time.
    """
    from devin_jupyter.client.aio import asked_to_fix

    prompt, answer = asked_to_fix(hint=hint)
    wait = options.get("wait", math.inf)  # the answer can still be read
    return _start(notebook, prompt, {**options, "schema": answer, "raw": True, "wait": wait}, is_guarded=False)


def _start(notebook: Notebook, body: str, options: CellOptions, *, is_guarded: bool = True) -> Session | None:
    from devin_jupyter.client.aio import policy_of
    from devin_jupyter.client.sync import start_session, warn_unlisted
    from devin_jupyter.options import not_filled_in
    from devin_jupyter.request import build, fill
    from devin_jupyter.session import stopped

    devin, variables = notebook.client, notebook.variables
    notes = not_filled_in(body, options, variables)
    prompt, options = fill(body, options, variables)
    request = build(prompt, options, variables, notebook.defaults(devin.settings.api_version), notes)
    options = {**options, "on_interrupt": _on_interrupt(notebook, options)}
    guard = notebook.cell(options.get("out")) if is_guarded else None
    policy = policy_of(options, guard=guard, interactive=is_guarded and not notebook.host.is_headless)
    warn_unlisted(devin, [request])
    if options.get("dry_run"):
        from devin_jupyter.magics.dry_run import DryRun

        display.show(DryRun(devin.plan(request, policy), devin.settings, request))
        return None
    told = _on_done(notebook, options)
    warn_about_live_sessions(notebook, devin)
    session = start_session(devin, devin.asynchronous.start(request, policy), stops=policy.stop_if_left)
    try:
        notebook.bind(options.get("out"), session)
        print_notice(session._cell_notice)
        _announce(session, told)
        follow(notebook, session, options)
    except Detached:
        raise
    except KeyboardInterrupt:  # before it waited, such as while the panel was made
        if not policy.stop_if_left:
            raise
        session.stop()
        raise stopped(session.snapshot) from None
    return session


def _send(notebook: Notebook, body: str, options: CellOptions) -> None:
    from devin_jupyter.options import not_filled_in
    from devin_jupyter.request import check_max_time, fill, read_attachments

    variables = notebook.variables
    notes = not_filled_in(body, options, variables)
    text, options = fill(body, options, variables)
    limit = check_max_time(options["max_time"]) if "max_time" in options else None  # type: ignore[arg-type]  # parsed: seconds
    files, again = read_attachments(options.get("attach") or (), variables), options.get("again", False)
    devin = notebook.client
    if options.get("dry_run"):
        from devin_jupyter.magics.dry_run import planned_message

        session = notebook.session(options["to"])
        print("\n".join([*notes, planned_message(devin.journal, notebook.host.notebook, session, text, files, again)]))
        return
    told = _on_done(notebook, options)
    warn_about_live_sessions(notebook, devin)
    session = notebook.session(options["to"])
    notebook.bind(options.get("out"), session)
    with completing_requests():
        session = devin.send(session, text, files, again, options.get("as_user"))
    if limit is not None:
        loop.run(devin.core.store.limit(session.id, limit))
    print_notice("; ".join(note for note in (session._cell_notice, *notes) if note))
    _announce(session, told)
    follow(notebook, session, options, message=text)


def _run_batch(notebook: Notebook, body: str, options: CellOptions) -> None:
    from devin_jupyter.batches import batch as batches
    from devin_jupyter.batches.plan import BatchRequest
    from devin_jupyter.client.sync import warn_unlisted

    devin = notebook.client
    request = BatchRequest(
        prompt=body,
        rows=_rows(notebook, options["each"]),
        options=options,
        variables=notebook.variables,
        defaults=notebook.defaults(devin.settings.api_version),
        cell=notebook.cell(options.get("out")),
    )
    plan = loop.run(batches.plan(devin.core, request))
    warn_unlisted(devin, [item.request for item in plan.items])
    if options.get("dry_run"):
        from devin_jupyter.magics.dry_run import BatchDryRun

        display.show(BatchDryRun(loop.run(batches.dry_run(devin.core, request, plan)), devin.settings))
        return
    told = _on_done(notebook, options)
    warn_about_live_sessions(notebook, devin)
    with completing_requests():
        batch = batches.Batch(loop.run(batches.start(devin.core, request, plan)))
    notebook.bind(options.get("out"), batch)
    print_notice(batch.notice)
    _announce(batch, told)
    follow_batch(notebook, batch, options)


def _rows(notebook: Notebook, rows: Any) -> Any:
    """Return the rows for `--each`: a variable, or the value of an expression such as `dj.repositories_frame()`."""
    variables = notebook.variables
    if not isinstance(rows, str):
        return rows
    if rows in variables:
        return variables[rows]
    if "(" in rows or "[" in rows:
        try:
            return eval(rows, dict(variables))  # the line is the user's own, as any line of a cell
        except DevinError:
            raise
        except Exception as problem:
            raise OptionError(
                f"--each {rows} raised {type(problem).__name__}: {problem}",
                hint="--each takes a DataFrame or a list: its name, or an expression such as dj.repositories_frame()",
            ) from None
    tables = [known for known, _ in candidates(variables, "tables")]
    there = f"; there {'is' if len(tables) == 1 else 'are'} {', '.join(tables[:5])}" if tables else ""
    others = (name for name in variables if not name.startswith("_"))
    raise OptionError(
        f"there is no variable {rows!r} for --each{nearest(rows, tables) or nearest(rows, others)}",
        hint=f"--each takes the name of a DataFrame or a list in this notebook{there}",
    )


def follow(notebook: Notebook, session: Session, options: CellOptions, message: str = "") -> None:
    """Show the session, and wait if requested or in a non-interactive run.

    Args:
        notebook: where.
        session: what.
        options: of the cell.
        message: what the cell sent to the session.

    Raises:
        TurnError: the turn is over without an answer, or not over in time.
        Detached: the wait was interrupted.
    """
    seconds = _wait_seconds(notebook, options)
    view = display.view(notebook, session, options, waiting=seconds is not None, message=message)
    if seconds is None:
        view.open()
        return
    is_shown = notebook.host.in_kernel  # by the panel; a terminal has its status line
    with view, quiet_waits() if options.get("quiet") or is_shown else nullcontext():
        try:
            session.result(None if seconds == math.inf else seconds)
        except KeyboardInterrupt:
            if _on_interrupt(notebook, options) != "stop":
                raise
            from devin_jupyter.session import stopped

            session.stop()
            raise stopped(session.snapshot) from None


def follow_batch(notebook: Notebook, batch: Batch, options: CellOptions) -> None:
    """Show the board of a batch, and wait if requested or in a non-interactive run.

    Raises:
        Detached: the wait was interrupted.
        Refused: it paused before every row was started.
        WaitTimeout: turns are open after the time given.
    """
    seconds, quiet = _wait_seconds(notebook, options), options.get("quiet", False)
    here = notebook.host
    board = here.in_kernel and not here.is_headless and notebook.config.panel and not batch.is_over
    if board and not quiet:
        with display.showing(batch.name):
            display.show(batch.panel())
    try:
        if seconds is not None:
            limit = None if seconds == math.inf else seconds
            batch.wait(limit, on_interrupt=_on_interrupt(notebook, options), quiet=quiet)
    finally:
        if not board and not quiet:
            with display.showing(batch.name):
                display.show(batch)
    if seconds is not None:
        batch.check()


def _on_done(notebook: Notebook, options: CellOptions) -> Any:
    """Return what to notify at the end: as the cell says, else as `%config DevinMagics.on_done` says; else None."""
    from devin_jupyter.client.on_done import check

    said = options.get("on_done", notebook.config.on_done)
    if isinstance(said, str) and said in notebook.variables:
        return check(notebook.variables[said])
    if isinstance(said, str) and said.isidentifier():
        functions = [name for name, _ in candidates(notebook.variables, "functions")]
        raise OptionError(
            f"there is no function {said!r} in this notebook{nearest(said, functions)}",
            "nothing was sent",
            "--on-done takes the name of a function of this notebook, or an https:// address",
        )
    return None if said is None else check(said)


def _announce(handle: Any, told: Any) -> None:
    """Have `on_done` notified when the turn or the batch is over."""
    if told is not None:
        from devin_jupyter.client import on_done

        on_done.announce(handle, told)


def _on_interrupt(notebook: Notebook, options: CellOptions) -> str:
    return options.get("on_interrupt") or str(notebook.config.on_interrupt)


def _wait_seconds(notebook: Notebook, options: CellOptions) -> float | None:
    """Return how many seconds to wait: infinity without a limit, None for not at all."""
    wait, is_headless = options.get("wait"), notebook.host.is_headless
    if wait is None:
        return HEADLESS_SECONDS if is_headless else None
    seconds = parse_duration(wait)
    return HEADLESS_SECONDS if seconds == math.inf and is_headless else seconds
