"""`%devin` commands about sessions: find, open, show, wait, send, stop, archive; and the contents of one session."""

from __future__ import annotations

import ast
import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from devin_jupyter import loop, render
from devin_jupyter.api.query import BY_KEYWORD
from devin_jupyter.errors import DevinError, OptionError, Unsupported
from devin_jupyter.loop import completing_requests
from devin_jupyter.magics import display
from devin_jupyter.magics.cell import fix as start_fix
from devin_jupyter.magics.cell import follow, follow_batch
from devin_jupyter.magics.completion import CACHE
from devin_jupyter.magics.display import Link, Table, labeled, writing
from devin_jupyter.magics.frontend import print_notice
from devin_jupyter.models.fields import bare_id, identifier
from devin_jupyter.models.snapshot import Snapshot, observe, parse_time
from devin_jupyter.options import CellOptions, check_name
from devin_jupyter.render import labels
from devin_jupyter.render.html import conversation_html, facts_html
from devin_jupyter.text import (
    INVISIBLE,
    format_acus,
    format_age,
    format_amount,
    nearest,
    one_line,
    parse_ago,
    parse_duration,
    safe_text,
)

if TYPE_CHECKING:
    from devin_jupyter.client.sync import Devin
    from devin_jupyter.magics.frontend import Notebook
    from devin_jupyter.panel import BatchPanel
    from devin_jupyter.session import Session

DEFAULT_LIMIT, SEARCH_LIMIT, BOARD_LIMIT = 20, 2000, 1000
SHORT_ID = 8


class SessionTable(Table):
    """Sessions as a table; `.frame` is the same as a DataFrame, `.ids` their ids.

    As text it ends with the first digits of the ids, which every command takes; on a page the titles are links.
    """

    def __init__(
        self, found: list[tuple[Mapping[str, Any], Snapshot]], title: str, empty: str = "no such sessions"
    ) -> None:
        title = labeled(title, any(snapshot.simulated for _, snapshot in found))
        now = datetime.now(UTC)
        super().__init__([_row(snapshot, now) for _, snapshot in found], title=title, empty=empty)
        self._raw = [raw for raw, _ in found]
        self.ids = [snapshot.session_id for _, snapshot in found]

    def _drawn(self, *, colors: bool) -> str:
        ids = [bare_id(identifier)[:SHORT_ID] for identifier in self.ids]
        named = Table([{**row, "id": short} for row, short in zip(self.rows, ids, strict=True)], title=self.title)
        return named._drawn(colors=colors) if self.rows else super()._drawn(colors=colors)

    @property
    def frame(self) -> Any:
        """The sessions as a DataFrame with the columns of `dj.sessions_frame()`."""
        from devin_jupyter.frames import SessionRows

        rows = SessionRows()
        rows.add(self._raw)
        return rows.frame()


def sessions(notebook: Notebook, args: Any) -> Any:
    """List sessions, newest first."""
    limit = args.limit
    if args.live and not notebook.is_terminal:
        return _board(notebook, args)
    found = _wanted(notebook, args, (limit or DEFAULT_LIMIT) + 1)
    CACHE.add_sessions(snapshot for _, snapshot in found)
    shown, rest = found[: limit or DEFAULT_LIMIT], len(found) > (limit or DEFAULT_LIMIT)
    is_filtered = any(said for name, said in vars(args).items() if name not in ("limit", "live"))
    return SessionTable(shown, _about(args, len(shown), rest), "no such sessions" if is_filtered else "no sessions")


def _about(args: Any, count: int, rest: bool) -> str:
    """The line above the table: what it leaves out, and why it does not update."""
    still = "the live board needs a notebook; this is a snapshot, %devin wait SESSION follows one session"
    more = f"the newest {count}; --limit N shows more, dj.sessions_frame() has all"
    none = "no match among the newest 2,000 sessions"
    parts = {still: args.live, more: rest and not args.limit, none: args.text and not count}
    return "; ".join(part for part, applies in parts.items() if applies)


def _board(notebook: Notebook, args: Any) -> BatchPanel:
    """A live board that follows open turns; a row opens its session."""
    from devin_jupyter.panel import BatchPanel

    devin = notebook.devin
    found = _wanted(notebook, args, args.limit or BOARD_LIMIT)
    snapshots = [snapshot for _, snapshot in found]
    return BatchPanel(loop.run(_handles(devin, snapshots)), open_session=partial(_opened, devin))


def _opened(devin: Devin, identifier: str) -> Session:
    """A handle on the session of a row; opening it does not change what `dj.last()` returns."""
    from devin_jupyter.session import Session, open_session

    return Session(loop.run(open_session(devin.core, identifier)))


async def _handles(devin: Devin, snapshots: list[Snapshot]) -> list[Session | Snapshot]:
    """Handles on running sessions, without a request for each; bare snapshots for the rest."""
    from devin_jupyter.session import AsyncSession, Session

    store = devin.core.store

    def handle(snapshot: Snapshot) -> Session:
        record = replace(store.record(snapshot.session_id), snapshot=snapshot)
        return Session(AsyncSession(devin.core, store.track(record)))

    return [snapshot if snapshot.turn_over else handle(snapshot) for snapshot in snapshots]


def _wanted(notebook: Notebook, args: Any, count: int) -> list[tuple[Mapping[str, Any], Snapshot]]:
    """At most `count` sessions that fit, newest first, each with its raw object."""
    at = datetime.now(UTC)
    is_searched = args.text or args.phase
    raws = notebook.devin.sessions.list(limit=SEARCH_LIMIT if is_searched else count, **_filters(notebook, args))
    record = notebook.devin.core.store.record
    found = [(raw, observe(raw, record(identifier(raw)), at=at)) for raw in raws]
    found.sort(key=lambda pair: pair[1].created_at or at, reverse=True)
    text, phases = (args.text or "").lower(), args.phase
    fitting = (
        (raw, one)
        for raw, one in found
        if (not phases or one.phase.value in phases) and (not text or text in _searchable(one))
    )
    return list(islice(fitting, count))


def _searchable(snapshot: Snapshot) -> str:
    places = (pull.url for pull in snapshot.pull_requests)
    return " ".join([snapshot.title or "", snapshot.session_id, *snapshot.tags, *snapshot.repos, *places]).lower()


def _filters(notebook: Notebook, args: Any) -> dict[str, Any]:
    """The parameters of the list, named by the table of filters."""
    given = {name: getattr(args, name) for name in ("origin", "tags", "repos", "playbook", "category")}
    given |= {"since": unix_time(args.since), "until": unix_time(args.until, "--until")}
    given["archived"] = args.archived or None
    filters: dict[str, Any] = {BY_KEYWORD[name].v3 or name: value for name, value in given.items() if value}
    return filters | (_mine(notebook.devin) if args.mine else {})


def _mine(devin: Devin) -> dict[str, Any]:
    if devin.settings.api_version == "v1":
        raise Unsupported("--mine needs the v3 API; this key speaks v1", hint="leave it out, or search by --tags")
    principal = devin.self()
    if principal.get("service_user_id"):
        return {"service_user_ids": [principal["service_user_id"]]}
    return {"user_ids": [principal["user_id"]]} if principal.get("user_id") else {}


def unix_time(text: str | None, name: str = "--since") -> int | None:
    """Return Unix seconds for `7d` (that long ago), `yesterday`, or a date or time.

    Raises:
        OptionError: it is none of these; a bare number, which may be a year, is not.
    """
    if text is None:
        return None
    at = parse_ago(text, datetime.now(UTC)) or (None if text.isdigit() else parse_time(text))
    if at is None:
        raise OptionError(
            f"{name}: cannot read {text!r}", hint="for example 7d, 12h, yesterday, 2026-11-01 or 2026-11-01T18:00"
        )
    return int(at.timestamp())


def _row(snapshot: Snapshot, now: datetime) -> dict[str, Any]:
    merged = [pull for pull in snapshot.pull_requests if pull.state == "merged"]
    count = len(snapshot.pull_requests)
    pulls = (labels.pull_request_name(pull).rpartition("#")[0] for pull in snapshot.pull_requests)
    repos = list(dict.fromkeys(repo for repo in (*snapshot.repos, *pulls) if repo))
    more = f" +{len(repos) - 1}" if len(repos) > 1 else ""
    return {
        "title": Link(labels.title(snapshot), labels.link(snapshot)),
        "phase": snapshot.label,
        "ACU": None if snapshot.acus is None else format_amount(snapshot.acus),
        "age": None if snapshot.created_at is None else format_age((now - snapshot.created_at).total_seconds()),
        "repository": f"{one_line(repos[0], 60)}{more}" if repos else None,
        "origin": snapshot.origin,
        "PRs": f"{count} ({len(merged)} merged)" if merged else count or None,
    }


def open_session(notebook: Notebook, args: Any) -> None:
    """Make a handle on a session that exists, bind it and show it."""
    check_name(args.out)
    schema = None
    if args.schema:
        from devin_jupyter.schema import load_schema

        schema = load_schema(args.schema, notebook.variables)
    session = notebook.session(args.session) if schema is None else notebook.devin.get(args.session, schema=schema)
    notebook.bind(args.out, session)
    session.refresh()
    print_notice(session._cell_notice)
    display.view(notebook, session, {"quiet": args.quiet}, waiting=False).open()


def show(notebook: Notebook, args: Any) -> None:
    """Show a session, or a batch, as it is now."""
    batch = notebook.batch(args.session)
    if batch is not None:
        display.show(batch)
        return
    session = notebook.session(args.session)
    session.refresh()
    name = args.session if isinstance(args.session, str) and args.session in notebook.variables else ""
    display.publish(render.bundle(session.snapshot, transcript=args.transcript, name=name, live=session.live_view))


def wait(notebook: Notebook, args: Any) -> None:
    """Wait until the turn is over, or all rows of a batch; Ctrl-C detaches."""
    word, seconds = args.session, args.time
    if seconds is None and word and word not in notebook.variables:
        with suppress(ValueError):  # `%devin wait 30m` names no session
            word, seconds = None, parse_duration(word)
    options: CellOptions = {"wait": math.inf if seconds is None else seconds, "on_interrupt": args.on_interrupt}
    batch = notebook.batch(word)
    if batch is not None:
        follow_batch(notebook, batch, options)
    else:
        follow(notebook, notebook.session(word), options)


def send(notebook: Notebook, args: Any) -> None:
    """Send a message; one that was sent before is not sent again."""
    from devin_jupyter.options import not_filled_in
    from devin_jupyter.request import read_attachments

    files, text = read_attachments(args.attach or (), notebook.variables), " ".join(args.text)
    session = notebook.session(args.session)
    with completing_requests():
        session = notebook.devin.send(session, text, files, args.again, args.as_user)
    way = "{{ %s }} in a cell with %%%%devin --to"
    notes = not_filled_in(text, {}, notebook.variables, way, fills=False)
    print_notice("; ".join(note for note in (session._cell_notice, *notes) if note))
    follow(notebook, session, {"wait": args.wait})


def fix(notebook: Notebook, args: Any) -> None:
    """Ask Devin about the last error and offer the corrected cell; nothing is run."""
    said = {name: value for name, value in vars(args).items() if name != "text" and value not in (None, False)}
    session = start_fix(notebook, " ".join(args.text or ()), cast("CellOptions", said))
    if session is None:
        return
    answer = session.answer()
    display.show(answer)
    if answer.before.strip() == answer.cell.strip():
        return
    if not _is_code(notebook, answer.cell):
        print("the corrected cell is not valid Python, and is not offered as the next input")
        display.show(Copyable(answer.cell))
    elif notebook.host.takes_cells:
        notebook.shell.set_next_input(INVISIBLE.sub("", answer.cell))
        print("the corrected cell is offered as the next input; it was not run")
    else:
        display.show(Copyable(answer.cell))


def _is_code(notebook: Notebook, text: str) -> bool:
    """Whether a text is a cell that IPython could run, magics included; nothing is run."""
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as of invalid escapes, which the cell itself will tell
            compile(notebook.shell.transform_cell(text), "<cell>", "exec", flags, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return bool(text.strip())


_LONGEST_CELL = 200_000


class Copyable:
    """A text to copy into a cell."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"the corrected cell, which was not run:\n\n{safe_text(self.text, _LONGEST_CELL)}"

    def _repr_html_(self) -> str:
        return facts_html([], safe_text(self.text, _LONGEST_CELL), "the corrected cell, to copy; it was not run")


def stop(notebook: Notebook, args: Any) -> Any:
    """End sessions for good; `--all` halts the journal first."""
    if args.everything and not args.all:
        raise OptionError("--everything needs --all", hint="%devin stop --all --everything")
    if args.all:
        if args.sessions:
            raise OptionError("--all stops every session and takes no names", hint="leave out --all, or the names")
        return _stop_all(notebook, everything=args.everything)
    if not args.sessions:
        raise _which_to_stop(notebook)
    for word in args.sessions:
        batch = notebook.batch(word)
        if batch is not None:
            batch.pause()
    return _each(notebook, args.sessions, lambda session: session.stop(archive=args.archive), "stopped")


def _which_to_stop(notebook: Notebook) -> OptionError:
    """Return the error for a `stop` without a name, as ending is final; it suggests the newest session."""
    try:
        last = notebook.session(None)
    except DevinError:
        return OptionError("%devin stop needs a session", hint="%devin stop NAME; %devin sessions lists them")
    seen = last.snapshot
    word = next(
        (
            name
            for name, value in notebook.variables.items()
            if isinstance(value, type(last)) and value.id == last.id and not name.startswith("_")
        ),
        seen.session_id,
    )
    about = f"{labels.title(seen)} ({seen.phase.label}, {labels.cost(seen)})"
    return OptionError(
        f"%devin stop needs a session; the last one is {about}", hint=f"%devin stop {word} ends it for good"
    )


def _stop_all(notebook: Notebook, *, everything: bool) -> Table:
    notebook.journal.halt(now=time.time(), by="%devin stop --all")  # it holds though no key is found
    try:
        devin = notebook.devin
    except DevinError as problem:
        from devin_jupyter.idempotency.stop import HALT_HOLDS

        problem.note(HALT_HOLDS)
        raise
    results = devin.stop_all(None if everything else notebook.host.notebook)
    rows = [
        {"session": one.session_id, "title": one.title, "result": one.result, "cost": format_acus(one.acus)}
        for one in results
    ]
    left = sum(one.is_at_work for one in results)
    rest = f"{left} could not be stopped, see the web app; " if left else ""
    done = "" if rows else "nothing was running; "
    title = f"{done}{rest}halted: no session can start until you run %devin resume"
    return Table(rows, title=labeled(title, bool(rows) and devin.settings.simulated))


def resume(notebook: Notebook, args: Any) -> None:
    """Lift the halt."""
    lifted = notebook.journal.resume()
    print("the halt is lifted: sessions can start again" if lifted else "nothing was halted")


def archive(notebook: Notebook, args: Any) -> Any:
    """Archive sessions, or unarchive them with `--undo`."""
    if args.undo:
        return _each(notebook, args.sessions, lambda session: session.unarchive(), "out of the archive")
    return _each(notebook, args.sessions, lambda session: session.archive(), "archived")


def unarchive(notebook: Notebook, args: Any) -> Any:
    """Take sessions out of the archive."""
    return _each(notebook, args.sessions, lambda session: session.unarchive(), "out of the archive")


def _each(notebook: Notebook, words: Sequence[str | None], act: Callable[[Any], object], done: str) -> Table | None:
    """Apply an action to every session named; after a failure, the others still get it."""
    sessions: list[Any] = []
    for word in words or (None,):
        batch = notebook.batch(word)
        sessions += [notebook.session(word)] if batch is None else list(batch.sessions)
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


def tags(notebook: Notebook, args: Any) -> None:
    """Show, add, remove or replace a session's tags."""
    session = notebook.session(args.session)
    if args.replace:
        session.tag(*args.replace, replace=True)
    if args.add:
        session.tag(*args.add)
    if args.remove or not (args.add or args.replace):
        session.refresh()
    if args.remove:
        unknown = [tag for tag in args.remove if tag not in session.tags]
        if unknown:
            raise OptionError(
                f"{session.id} has no tag {unknown[0]!r}{nearest(unknown[0], session.tags)}",
                hint=f"its tags: {', '.join(session.tags) or 'none'}",
            )
        session.tag(*(tag for tag in session.tags if tag not in args.remove), replace=True)
    CACHE.add("tags", ((tag, "") for tag in session.tags))
    print(", ".join(session.tags) or "no tags")


class Conversation:
    """Messages, oldest first, as text and as safe HTML."""

    def __init__(self, messages: list[Any], simulated: bool, before: int = 0) -> None:
        self.messages, self._simulated, self._before = messages, simulated, before

    def __repr__(self) -> str:
        blocks = [f"{self._head(one)}\n{safe_text(one.text).strip()}" for one in self.messages]
        return "\n\n".join([*([self._left_out] if self._before else []), *blocks]) or "no messages"

    def _repr_html_(self) -> str:
        blocks = [(self._head(each), each.text) for each in self.messages]
        return conversation_html(blocks, self._left_out if self._before else "")

    @property
    def _left_out(self) -> str:
        return f"({self._before:,} earlier messages left out)"

    def _head(self, message: Any) -> str:
        who = labels.speaker(message)
        at = None if self._simulated else labels.timestamp(message.created_at)
        return f"{who}, {at}" if at else who


def messages(notebook: Notebook, args: Any) -> Conversation:
    """Show the conversation, oldest first."""
    session = notebook.session(args.session)
    session.refresh()
    found = list(session.messages)
    shown = found[-args.limit :] if args.limit else found
    return Conversation(shown, session.snapshot.simulated, len(found) - len(shown))


def files(notebook: Notebook, args: Any) -> Any:
    """List a session's files, or download them."""
    session = notebook.session(args.session)
    if args.download is not None:
        with writing(args.download or session.id):
            paths = session.download(args.download or None)
        for path in paths:
            print(path)
        return None
    rows = [
        {"name": item.get("name"), "from": item.get("source"), "type": item.get("content_type")}
        for item in session.attachments()
    ]
    return Table(rows, empty="no files")


def insights(notebook: Notebook, args: Any) -> Any:
    """Show the service's analysis of a session."""
    session = notebook.session(args.session)
    found = session.insights(generate=args.generate)
    raw = found if isinstance(found, dict) else dict(found)
    analysis = raw.get("analysis") or {}
    rows: list[dict[str, Any]] = [
        {"fact": "size", "value": raw.get("session_size")},
        {
            "fact": "messages",
            "value": f"{raw.get('num_devin_messages')} by Devin, {raw.get('num_user_messages')} by you",
        },
        *({"fact": "issue", "value": one.get("issue")} for one in analysis.get("issues") or ()),
        *({"fact": "to do", "value": one.get("action_item")} for one in analysis.get("action_items") or ()),
        *({"fact": one.get("title"), "value": one.get("description")} for one in analysis.get("timeline") or ()),
    ]
    return Table(rows, title="" if analysis else "no analysis yet; --generate creates one, which takes about a minute")
