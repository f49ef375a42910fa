"""`%devin open`, `show`, `wait`, `send`, `stop`, `archive`, `resume`: what is done with sessions that exist."""

from __future__ import annotations

import math
import time
from typing import Any

from devin_jupyter.errors import DevinError, OptionError
from devin_jupyter.loop import completing_requests
from devin_jupyter.magics import cell
from devin_jupyter.magics.command import Call
from devin_jupyter.magics.shown import Table, labeled
from devin_jupyter.options import CellOptions, check_name
from devin_jupyter.render import labels
from devin_jupyter.stopping import HALT_HOLDS
from devin_jupyter.text import format_acus, parse_duration


def open_session(call: Call) -> None:
    """Make a handle on a session that exists, bind it and show it."""
    said, notebook = call.said, call.notebook
    check_name(said.out)
    schema = None
    if said.schema:
        from devin_jupyter.schema import load_schema

        schema = load_schema(said.schema, notebook.variables)
    session = notebook.session(said.session) if schema is None else call.devin.get(said.session, schema=schema)
    notebook.bind(said.out, session)
    session.refresh()
    _show(call, session, {"quiet": said.quiet, "wait": 0.0 if notebook.host.is_headless else None})


def show(call: Call) -> None:
    """Show a session, or a batch, as it is now."""
    from devin_jupyter import render
    from devin_jupyter.magics import display

    batch = call.notebook.batch(call.said.session)
    if batch is not None:
        display.show(batch)
        return
    session = call.notebook.session(call.said.session)
    session.refresh()
    display.publish(render.bundle(session.snapshot, transcript=call.said.transcript))


def wait(call: Call) -> None:
    """Wait until the turn is over, or all rows of a batch; Ctrl-C detaches."""
    word, seconds = call.said.session, call.said.time
    if seconds is None and word and word not in call.notebook.variables and _is_time(word):
        word, seconds = None, parse_duration(word)
    options: CellOptions = {"wait": math.inf if seconds is None else seconds, "on_interrupt": call.said.on_interrupt}
    batch = call.notebook.batch(word)
    if batch is not None:
        from devin_jupyter.magics import batch_cell

        batch_cell.follow(call.notebook, batch, options)
        return
    cell.follow(call.notebook, call.notebook.session(word), options)


def send(call: Call) -> None:
    """Send a message; one that was sent before is not sent again."""
    from devin_jupyter.attachments import read_attachments

    said, notebook = call.said, call.notebook
    files = read_attachments(said.attach or (), notebook.variables)
    session = notebook.session(said.session)
    with completing_requests():
        session = call.devin.send(session, " ".join(said.text), files, said.again, said.as_user)
    cell.say(session.notice)
    cell.follow(notebook, session, {"wait": said.wait})


def stop(call: Call) -> Any:
    """End sessions for good; `--all` halts the journal first."""
    said = call.said
    if said.everything and not said.all:
        raise OptionError("--everything means nothing without --all", hint="%devin stop --all --everything")
    if said.all:
        if said.sessions:
            raise OptionError("--all stops every session: name none", hint="leave out --all, or the names")
        return _stop_all(call)
    for word in said.sessions:
        batch = call.notebook.batch(word)
        if batch is not None:
            batch.pause()
    return _each(call, lambda session: session.stop(archive=said.archive), "stopped")


def _stop_all(call: Call) -> Table:
    call.journal.halt(now=time.time(), by="%devin stop --all")  # it holds though no key is found
    try:
        devin = call.devin
    except DevinError as problem:
        problem.note(HALT_HOLDS)
        raise
    results = devin.stop_all(None if call.said.everything else call.notebook.host.notebook)
    rows = [
        {"session": one.session_id, "title": one.title, "result": one.result, "cost": format_acus(one.acus)}
        for one in results
    ]
    left = sum(one.is_at_work for one in results)
    rest = f"{left} could not be stopped, see the web app; " if left else ""
    done = "" if rows else "nothing was at work; "
    title = f"{done}{rest}halted: nobody on this journal posts until %devin resume"
    return Table(rows, title=labeled(title, bool(rows) and devin.settings.simulated))


def resume(call: Call) -> None:
    """Lift the halt."""
    lifted = call.journal.resume()
    print("the halt is lifted: sessions may be started again" if lifted else "there was no halt")


def archive(call: Call) -> Any:
    """Put sessions away, or take them out again."""
    if call.said.undo:
        return _each(call, lambda session: session.unarchive(), "out of the archive")
    return _each(call, lambda session: session.archive(), "archived")


def _each(call: Call, act: Any, done: str) -> Table | None:
    """Do one thing to every session named; a failure does not keep the rest from it."""
    sessions = [one for word in call.said.sessions or [None] for one in _sessions(call, word)]
    if len(sessions) == 1:
        act(sessions[0])
        seen = sessions[0].snapshot
        others = [label for label in labels.labels(seen) if label != done]
        print(", ".join([f"{seen.session_id} {done}", labels.cost(seen), *others]))
        return None
    rows, failed = [], 0
    for session in sessions:
        try:
            act(session)
            result = done
        except DevinError as problem:
            result, failed = problem.message, failed + 1
        rows.append({"session": session.id, "result": result, "cost": labels.cost(session.snapshot)})
    title = f"{failed} of {len(rows)} failed" if failed else ""
    return Table(rows, title=labeled(title, any(session.snapshot.simulated for session in sessions)))


def _sessions(call: Call, word: str | None) -> list[Any]:
    """What a word names: one session, or those of a batch."""
    batch = call.notebook.batch(word)
    return [call.notebook.session(word)] if batch is None else list(batch.sessions)


def _show(call: Call, session: Any, options: CellOptions) -> None:
    from devin_jupyter.magics import display

    cell.say(session.notice)
    display.view(call.notebook, session, options, waiting=False).open()


def _is_time(word: str) -> bool:
    try:
        parse_duration(word)
    except ValueError:
        return False
    return True
