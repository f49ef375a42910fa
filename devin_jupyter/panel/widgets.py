"""The live widgets: `Panel` shows one session, `BatchPanel` up to a thousand, as a board and as a table."""

from __future__ import annotations

import math
import secrets
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import anywidget
import traitlets
from typing_extensions import override

from devin_jupyter import loop, render
from devin_jupyter.host import host
from devin_jupyter.models.enums import Phase
from devin_jupyter.models.fields import session_id
from devin_jupyter.models.snapshot import Snapshot
from devin_jupyter.models.steps import TOO_MANY, LiveView
from devin_jupyter.monitor.store import Throttle
from devin_jupyter.panel.assets import STYLES, script
from devin_jupyter.panel.outputs import CellOutput
from devin_jupyter.panel.state import phase_styles, row_state
from devin_jupyter.panel.sync import UPDATE_SECONDS, Action, ActionRunner, SessionLike, SessionSync, on_loop
from devin_jupyter.render import BoardRow, BoardSummary, RowNotes, board, labels
from devin_jupyter.text import one_line, safe_text

LIMIT = 1000


def _place(place: int | None) -> float:
    return math.inf if place is None else place


class LiveWidget(anywidget.AnyWidget):  # type: ignore[misc]  # anywidget is not typed
    """A panel as a widget, not connected yet in a run that only fills the file: the file would keep its front end.

    A subclass defines what is abstract; the metaclass of traitlets leaves no room for `ABC`, which would check it.
    """

    _css = STYLES
    _is_deferred = False

    def open(self) -> None:
        """Connect to the browser, if there is one."""
        self._is_deferred = host().outputs == "file"
        if not self._is_deferred:
            super().open()

    @property
    def model_id(self) -> str:
        """The id of the widget; asking for it connects a widget that is not connected yet."""
        if self._is_deferred:
            self._is_deferred = False
            super().open()
        return str(super().model_id)

    @abstractmethod
    def receive(self, content: Any, buffers: Sequence[Any] = ()) -> None:
        """Take a message of the browser; returns at once and never raises."""

    @abstractmethod
    def saved_bundle(self, *, transcript: bool = False, live: bool = False) -> dict[str, Any]:
        """Return what a saved notebook keeps: text, static HTML and the record, no view.

        Args:
            transcript: keep the conversation too, if the panel shows one.
            live: the panel is alive and may move into the HTML.
        """

    def view_bundle(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the widget's own view as a bundle: what a front end with a widget manager shows.

        Its text is empty: where the view does not work, the static output next to it shows everything.
        """
        data, metadata = super()._repr_mimebundle_()
        return {**data, "text/plain": ""}, metadata

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = self.view_bundle()
        return {**data, **self.saved_bundle()}, metadata

    def _ipython_display_(self) -> None:
        CellOutput(self).open()


class Panel(LiveWidget):
    """A live view of one session, with a reply box.

    dj.last().panel()         # the same as Panel(dj.last())
    """

    _esm = script("panel")
    state = traitlets.Dict().tag(sync=True)
    anchor = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        session: SessionLike,
        *,
        actions: Mapping[str, Action] | None = None,
        message: str = "",
        name: str = "",
    ) -> None:
        """Follow the session until `close`.

        Args:
            session: anything with `.snapshot` and `.subscribe`; `.send`, `.stop` and other methods become buttons.
            actions: what the buttons call instead; plain or coroutine functions.
            message: what a cell sent; the panel begins with it and with Devin's reply.
            name: the variable that holds the session, for the line that says how to read the answer.
        """
        publish = partial(setattr, self, "state")
        self._sync = SessionSync(session, publish=publish, send=self.send, actions=actions, message=message, name=name)
        super().__init__(state=self._sync.state(), anchor=secrets.token_hex(6))
        self.session = session
        self.on_msg(lambda _, content, buffers: self.receive(content, buffers))
        self._sync.follow()

    @property
    def actions(self) -> dict[str, Action]:
        """What the buttons call, by name; may be changed."""
        return self._sync.actions

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot shown."""
        return self._sync.snapshot

    @property
    def turn_over(self) -> bool:
        """Whether Devin has stopped working on the last prompt or message."""
        return self.snapshot.turn_over

    @property
    def needs_you(self) -> bool:
        """Whether Devin waits for a person: it asked something, or needs an approval."""
        return self.snapshot.needs_you

    @property
    def awaits_reply(self) -> bool:
        """Whether a person may want to answer: a question, or a reply that a message can follow."""
        return self.snapshot.needs_you or self.snapshot.phase is Phase.YOUR_TURN

    def close(self) -> None:
        """Stop following the session and remove every view."""
        if hasattr(self, "_sync"):  # also called where `__init__` failed
            self._sync.close()
        super().close()

    @override
    def receive(self, content: Any, buffers: Sequence[Any] = ()) -> None:
        if isinstance(content, Mapping):
            self._sync.receive(content, buffers)

    @override
    def saved_bundle(self, *, transcript: bool = False, live: bool = False) -> dict[str, Any]:
        shown = self._sync
        return render.bundle(
            self.snapshot,
            transcript=transcript,
            anchor=self.anchor if live else "",
            message=shown.message,
            name=shown.name,
            live=shown.live,
        )

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back, on any thread, after every further snapshot."""
        self._sync.listeners.append(callback)

    def __repr__(self) -> str:  # the same for the same snapshot, so that it may stand in a saved output
        return f'<Panel {self.snapshot.session_id} {self.snapshot.phase.value} "{labels.title(self.snapshot)}">'


class BatchPanel(LiveWidget):
    """A live board of sessions.

    BatchPanel([dj.get("devin-…"), dj.last()], title="this week")

    Only rows that changed are sent. The rows belong to the thread of the package's loop; methods may be called from any
    thread and take effect there, in order.
    """

    _esm = script("batch")
    anchor = traitlets.Unicode().tag(sync=True)
    header = traitlets.Dict().tag(sync=True)
    detail = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    table = traitlets.Any(None).tag(sync=True, to_json=lambda _value, panel: panel._whole_table())

    def __init__(
        self,
        sessions: Iterable[Any] = (),
        *,
        title: str = "Sessions",
        names: Mapping[str, str] | None = None,
        places: Mapping[str, int] | None = None,
        open_session: Callable[[str], Any] | None = None,
        notes: Callable[[str], RowNotes | None] | None = None,
        summary: Callable[[], tuple[BoardSummary, Mapping[str, Any]]] | None = None,
        actions: Mapping[str, Action] | None = None,
    ) -> None:
        """Show the sessions and follow those that can be followed.

        Args:
            sessions: handles (`.snapshot`, `.subscribe`) or bare snapshots; rows beyond a thousand are only counted.
            title: the heading.
            names: row names, by session id; a batch gives its row's key.
            places: row positions, by session id; rows without one come after, as they were added.
            open_session: returns a handle for the session that a person opens; needed for bare snapshots.
            notes: returns what a batch knows of a session's row, by session id; in place of names and places.
            summary: returns what the board says of all rows, and further fields of the header; asked when it is drawn.
            actions: what the buttons of the board call: `pause`, `resume`, `retry`, `stop_all`, `export`.
        """
        self._title, self._open_session = one_line(title), open_session
        self.is_shown = False
        """Whether it is in the notebook."""
        self._names, self._places = dict(names or {}), dict(places or {})
        self._notes, self._summary = notes or self._named, summary
        self._actions = ActionRunner({name: act for name, act in (actions or {}).items()}, self.send)
        self._verbs = tuple(actions or ())
        self._rows: dict[str, BoardRow] = {}
        self._snapshots: dict[str, Snapshot] = {}
        self._activities: dict[str, str] = {}
        self._polled_only: dict[str, str] = {}
        """The sessions for which the live channel has no place, and the reason that it gives."""
        self._changed: set[str] = set()
        self._beyond: set[str] = set()
        self._dropped: set[str] = set()
        self._is_reset = False
        """A row was dropped, so the whole table is sent."""
        self._sequence = 0
        self._waiting: int | None = None
        self._listeners: list[Callable[[], None]] = []
        self._handles: dict[str, Any] = {}
        self._opened: SessionSync | None = None
        self._wanted: str | None = None
        """The session that a person wants to see below."""
        self._unsubscribe: list[Callable[[], Any]] = []
        self._throttle = Throttle(self._publish, UPDATE_SECONDS)
        handles = []
        for each in sessions:
            is_bare = isinstance(each, Snapshot)
            self._store(each if is_bare else each.snapshot)
            handles += [] if is_bare else [each]
        super().__init__(header=self._header(), anchor=secrets.token_hex(6))
        self.on_msg(lambda _, content, buffers: self.receive(content, buffers))
        for handle in handles:
            self.follow(handle)

    def _ipython_display_(self) -> None:
        self.is_shown = True
        super()._ipython_display_()

    @property
    def turn_over(self) -> bool:
        """Whether no session is working any more, and none waits to be started."""
        waits = self._waiting or self._totals()[0].waiting
        return not waits and all(snapshot.turn_over for snapshot in self._shown())

    @property
    def needs_you(self) -> bool:
        """Whether any session waits for a person."""
        return any(labels.needs_you(snapshot) for snapshot in self._shown())

    @property
    def awaits_reply(self) -> bool:
        """Whether a person may want to answer any session."""
        return self.needs_you

    def follow(self, session: Any, name: str | None = None, place: int | None = None) -> None:
        """Add a session's row and keep it up to date.

        Args:
            session: a handle.
            name: of the row.
            place: the position of the row.
        """
        identifier = session.snapshot.session_id
        self._handles[identifier] = session
        if name is not None:
            self._names[identifier] = name
        if place is not None:
            self._places[identifier] = place
        on_loop(self._dropped.discard, identifier)
        on_live = partial(self._live_changed, identifier)
        self._unsubscribe.append(session.subscribe(self.put, on_live=on_live, messages=False))
        self.put(session.snapshot)

    def put(self, snapshot: Snapshot) -> None:
        """Add or replace the row of this session."""
        on_loop(self._put, snapshot)

    def put_row(self, row: BoardRow) -> None:
        """Add or replace a row without a session, such as one that was refused."""
        on_loop(self._put_row, row)

    def drop(self, row_id: str) -> None:
        """Remove the row of a session that another session has replaced, or a row that has a session now."""
        on_loop(self._drop, row_id)

    def redraw(self) -> None:
        """Draw the header again, after something in it has changed."""
        on_loop(self._throttle.request)

    def waiting(self, count: int) -> None:
        """Set how many rows of the batch have no session yet."""
        self._waiting = count
        on_loop(self._throttle.request)

    def close(self) -> None:
        """Stop following every session and remove every view."""
        if hasattr(self, "_throttle"):  # also called where `__init__` failed
            for unsubscribe in self._unsubscribe:
                unsubscribe()
            self._wanted = None
            on_loop(self._show, None)
            on_loop(self._throttle.close)
        super().close()

    @override
    def receive(self, content: Any, buffers: Sequence[Any] = ()) -> None:
        if not isinstance(content, Mapping):
            return
        action = content.get("action")
        if action == "table":
            self.send({"kind": "table", **self._whole_table()})
        elif action == "open":
            self._wanted = identifier = str(content.get("session"))
            work = (identifier, content.get("token"))
            loop.new_thread(self._open, "devin-panel-open", *work).start()
        elif action == "shut":
            self._wanted = None
            on_loop(self._show, None)
        elif action in self._verbs:
            self._actions.start(content, ())
        elif self._opened is not None:
            self._opened.receive(content, buffers)

    @override
    def saved_bundle(self, *, transcript: bool = False, live: bool = False) -> dict[str, Any]:
        anchor, summary = self.anchor if live else "", self._totals()[0]
        return render.board_bundle(self._title, self._rows_shown(), self._shown(), summary, anchor=anchor)

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back, on any thread, whenever a row changed."""
        self._listeners.append(callback)

    def __repr__(self) -> str:  # the same for the same rows, so that it may stand in a saved output
        return f"<BatchPanel {self._title!r} {board.totals(self._rows_shown(), self._totals()[0])}>"

    def _named(self, identifier: str) -> RowNotes:
        return RowNotes(name=self._names.get(identifier, ""), place=self._places.get(identifier))

    def _shown(self) -> list[Snapshot]:
        places = {name: row.place for name, row in list(self._rows.items())}
        return sorted(list(self._snapshots.values()), key=lambda each: _place(places.get(each.session_id)))

    def _rows_shown(self) -> list[BoardRow]:
        return sorted(list(self._rows.values()), key=lambda row: _place(row.place))

    def _totals(self) -> tuple[BoardSummary, Mapping[str, Any]]:
        return (BoardSummary(waiting=self._waiting or 0), {}) if self._summary is None else self._summary()

    def _header(self) -> dict[str, Any]:
        summary, more = self._totals()
        return {
            "title": self._title,
            "styles": phase_styles(),
            "subtitle": summary.subtitle,
            "spent": summary.spent,
            "waiting": summary.waiting,
            "why": summary.why,
            "remarks": [*summary.remarks, *self._left_out()],
            "beyond": len(self._beyond),
            "can": [],
            **more,
        }

    def _left_out(self) -> list[str]:
        """Return a line about the sessions at work for which the live channel has no place."""
        found = {
            name: why
            for name, why in list(self._polled_only.items())
            if (snapshot := self._snapshots.get(name)) is not None and not snapshot.turn_over
        }
        why = next(iter(found.values()), "")
        return [f"Live activity: {why}; {len(found)} more are polled and follow as places become free."] if why else []

    def _whole_table(self) -> dict[str, Any]:
        """Return the table, which the widget machinery reads whenever a page asks for the state."""
        sequence = self._sequence  # first: rows newer than it are sent again, older ones would be lost
        return {"sequence": sequence, "rows": [row_state(row) for row in list(self._rows.values())]}

    # --- on the loop's thread -------------------------------------------------------------------------------

    def _put(self, snapshot: Snapshot) -> None:
        if self._store(snapshot):
            self._changed.add(snapshot.session_id)
        if self._changed:
            self._throttle.request()

    def _put_row(self, row: BoardRow) -> None:
        self._dropped.discard(row.id)
        if row != self._rows.get(row.id):
            self._rows[row.id] = row
            self._changed.add(row.id)
            self._throttle.request()

    def _live_changed(self, identifier: str, view: LiveView) -> None:
        before = len(self._polled_only)
        self._polled_only.pop(identifier, None)
        if view.reason is not None and view.reason.endswith(TOO_MANY):
            self._polled_only[identifier] = view.reason
        if len(self._polled_only) != before:
            self._throttle.request()
        progress = view.plan_progress
        words = [view.activity or "", f"plan {progress[0]} of {progress[1]}" if progress else ""]
        said = " · ".join(filter(None, words))
        is_same, self._activities[identifier] = said == self._activities.get(identifier, ""), said
        if identifier in self._snapshots and not is_same:
            self._put(self._snapshots[identifier])

    def _store(self, snapshot: Snapshot) -> bool:
        """Store a row and return whether it changed."""
        identifier = snapshot.session_id
        word = snapshot.last_word
        activity = self._activities.get(identifier) or (word.text if word and not snapshot.turn_over else "")
        row = board.board_row(snapshot, self._notes(identifier), activity)
        if identifier in self._dropped or row == self._rows.get(identifier):
            return False
        if identifier not in self._rows and len(self._rows) >= LIMIT:
            self._beyond.add(identifier)
            return False
        self._rows[identifier], self._snapshots[identifier] = row, snapshot
        return True

    def _drop(self, row_id: str) -> None:
        self._dropped.add(row_id)
        self._changed.discard(row_id)
        self._snapshots.pop(row_id, None)
        if self._rows.pop(row_id, None) is not None:
            self._is_reset = True
            self._throttle.request()

    def _publish(self) -> None:
        kind, self._is_reset = "table" if self._is_reset else "rows", False
        rows = list(self._rows.values()) if kind == "table" else [self._rows[key] for key in sorted(self._changed)]
        self._changed.clear()
        self._sequence += bool(rows)
        if rows or kind == "table":
            self.send({"kind": kind, "sequence": self._sequence, "rows": [row_state(row) for row in rows]})
        self.header = self._header()
        for listener in tuple(self._listeners):
            listener()

    # --- the session opened below the board -----------------------------------------------------------------

    def _open(self, identifier: str, token: Any) -> None:
        """Get a handle, on a thread of its own, and show it unless another session has been selected by then."""
        try:
            known = session_id(identifier)
            if known not in self._handles:
                if self._open_session is None:
                    raise LookupError("this board cannot open sessions; use dj.get(id).panel()")
                self._handles[known] = self._open_session(known)
            loop.run(self._show_if_wanted(identifier, self._handles[known]))
            self.send({"kind": "outcome", "token": token})
        except Exception as problem:
            self.send({"kind": "outcome", "token": token, "error": safe_text(problem, 400)})

    async def _show_if_wanted(self, identifier: str, session: Any) -> None:
        if self._wanted == identifier:
            self._show(session)

    def _show(self, session: Any) -> None:
        """Show this session below, in place of the one before; None shows none."""
        if self._opened is not None:
            self._opened.close()
        self._opened = None
        if session is not None:
            self._opened = SessionSync(session, publish=partial(setattr, self, "detail"), send=self.send)
        self.detail = None if self._opened is None else self._opened.state()
        if self._opened is not None:
            self._opened.follow()
