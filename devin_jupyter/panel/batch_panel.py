"""`BatchPanel`: up to a thousand sessions in one widget, as a board and as a table; changes travel row by row."""

from __future__ import annotations

import math
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import traitlets

from devin_jupyter.models.ids import session_id
from devin_jupyter.models.snapshot import Snapshot
from devin_jupyter.panel.assets import script
from devin_jupyter.panel.feed import Feed
from devin_jupyter.panel.pacing import Pacer
from devin_jupyter.panel.state import looks, row_state
from devin_jupyter.panel.widget import LiveWidget
from devin_jupyter.render import board_bundle, labels
from devin_jupyter.render.labels import totals
from devin_jupyter.text import one_line, safe_text

LIMIT = 1000


class BatchPanel(LiveWidget):
    """A live board of sessions.

    BatchPanel([dj.get("devin-…"), dj.last()], title="this week")
    """

    _esm = script("batch")
    home = traitlets.Unicode().tag(sync=True)
    about = traitlets.Dict().tag(sync=True)
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
    ) -> None:
        """Show the sessions and follow those that can be followed.

        Args:
            sessions: handles (`.snapshot`, `.subscribe`) or bare snapshots; rows beyond a thousand are only counted.
            title: the heading.
            names: what the rows are called, by session id; a batch gives its row's key.
            places: where the rows stand, by session id; those without one come after, as they were added.
            open_session: returns a handle for the session that a person opens; needed for bare snapshots.
        """
        self._lock, self._showing = threading.Lock(), threading.Lock()
        self._wanted: str | None = None
        self._rows: dict[str, dict[str, Any]] = {}
        self._snapshots: dict[str, Snapshot] = {}
        self._listeners: list[Callable[[], None]] = []
        self._handles: dict[str, Any] = {}
        self._names, self._places = dict(names or {}), dict(places or {})
        self._open_session = open_session
        self._changed: set[str] = set()
        self._beyond: set[str] = set()
        self._gone: set[str] = set()
        self._sequence = 0
        self._dropped = False
        self._waiting: int | None = None
        self._title = one_line(title)
        self._feed: Feed | None = None
        self._unsubscribe: list[Callable[[], None]] = []
        self._pacer: Pacer[None] = Pacer(self._publish)
        followed = [self._take(each) for each in sessions]
        super().__init__(about=self._about(), home=secrets.token_hex(6))
        self.on_msg(self._received)
        for handle in filter(None, followed):
            self.follow(handle)

    def follow(self, session: Any, name: str | None = None, place: int | None = None) -> None:
        """Add a session's row, under a name and at a place of its own, and keep it up to date."""
        if name is not None:
            self._names[session.snapshot.session_id] = name
        if place is not None:
            self._places[session.snapshot.session_id] = place
        self._gone.discard(session.snapshot.session_id)
        self._handles[session.snapshot.session_id] = session
        self._unsubscribe.append(session.subscribe(self.put, messages=False))
        self.put(session.snapshot)

    def put(self, snapshot: Snapshot) -> None:
        """Add or replace the row of this session; from any thread, passed on at most four times a second."""
        with self._lock:
            if self._store(snapshot):
                self._changed.add(snapshot.session_id)
        if self._changed:
            self._pacer.offer(None)

    def drop(self, session_id: str) -> None:
        """Take away the row of a session that another one stands for now."""
        with self._lock:
            self._rows.pop(session_id, None)
            self._snapshots.pop(session_id, None)
            self._changed.discard(session_id)
            self._gone.add(session_id)
            self._dropped = True
        self._pacer.offer(None)

    def waiting(self, count: int) -> None:
        """Say how many rows of the batch have no session yet."""
        self._waiting = count
        self._pacer.offer(None)

    def close(self) -> None:
        """Stop following every session and remove every view."""
        if hasattr(self, "_pacer"):  # Python also closes what it could not construct
            for unsubscribe in self._unsubscribe:
                unsubscribe()
            if self._feed is not None:
                self._feed.close()
            self._pacer.close()
        super().close()

    def saved_bundle(self, *, transcript: bool = False, live: bool = False) -> dict[str, Any]:
        """Return what a saved notebook keeps: totals and rows as text and static HTML, no view."""
        home, waiting = self.home if live else "", self._waiting or 0
        return board_bundle(self._title, self._shown(), names=self._names, waiting=waiting, home=home)

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back, on any thread, whenever a row changed."""
        self._listeners.append(callback)

    @property
    def turn_over(self) -> bool:
        """Whether nothing is at work any more."""
        return not self._waiting and all(snapshot.turn_over for snapshot in self._shown())

    @property
    def needs_you(self) -> bool:
        """Whether any session waits for a person."""
        return any(labels.needs_you(snapshot) for snapshot in self._shown())

    def __repr__(self) -> str:
        """Say the same for the same rows, so that it may stand in a saved output."""
        return f"<BatchPanel {self._title!r} {totals(self._shown(), self._waiting or 0)}>"

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = self.view_bundle()
        return {**data, **self.saved_bundle()}, metadata

    def _shown(self) -> list[Snapshot]:
        with self._lock:
            return sorted(self._snapshots.values(), key=lambda each: self._places.get(each.session_id, math.inf))

    def _take(self, each: Any) -> Any:
        """Store a row before the widget exists; returns the handle if there is one to follow."""
        snapshot = each if isinstance(each, Snapshot) else each.snapshot
        self._store(snapshot)
        return None if isinstance(each, Snapshot) else each

    def _store(self, snapshot: Snapshot) -> bool:
        identifier = snapshot.session_id
        row = row_state(snapshot, self._names.get(identifier), self._places.get(identifier))
        if row["id"] in self._gone or row == self._rows.get(row["id"]):
            return False
        if row["id"] not in self._rows and len(self._rows) >= LIMIT:
            self._beyond.add(row["id"])
            return False
        self._rows[row["id"]] = row
        self._snapshots[row["id"]] = snapshot
        return True

    def _about(self) -> dict[str, Any]:
        return {"title": self._title, "looks": looks(), "waiting": self._waiting, "beyond": len(self._beyond)}

    def _whole_table(self) -> dict[str, Any]:
        """Read by the widget machinery whenever a page asks for the state, so a reloaded page is up to date."""
        with self._lock:
            return {"sequence": self._sequence, "rows": list(self._rows.values())}

    def _publish(self, _: None) -> None:
        with self._lock:
            kind, self._dropped = "table" if self._dropped else "rows", False
            rows = list(self._rows.values()) if kind == "table" else [self._rows[key] for key in sorted(self._changed)]
            self._changed.clear()
            self._sequence += bool(rows)
            delta = {"kind": kind, "sequence": self._sequence, "rows": rows}
        if rows or kind == "table":
            self.send(delta)
        self.about = self._about()
        for listener in tuple(self._listeners):
            listener()

    def _received(self, _widget: Any, content: Any, buffers: Sequence[Any]) -> None:
        if not isinstance(content, Mapping):
            return
        action = content.get("action")
        if action == "table":
            self.send({"kind": "table", **self._whole_table()})
        elif action == "open":
            self._begin(str(content.get("session")), content.get("token"))
        elif action == "shut":
            self._wanted = None
            self._show(None)
        elif self._feed is not None:
            self._feed.receive(content, buffers)

    def _begin(self, identifier: str, token: Any) -> None:
        self._wanted = identifier
        threading.Thread(target=self._open, args=(identifier, token), name="devin-panel-open", daemon=True).start()

    def _open(self, identifier: str, token: Any) -> None:
        try:
            session = self._handle(session_id(identifier))
            if self._wanted == identifier:
                self._show(session)
            self.send({"kind": "outcome", "token": token})
        except Exception as problem:
            self.send({"kind": "outcome", "token": token, "error": safe_text(problem, 400)})

    def _show(self, session: Any) -> None:
        """Show this session below, in place of the one before; or none."""
        with self._showing:
            if self._feed is not None:
                self._feed.close()
            self._feed = None if session is None else Feed(session, publish=self._publish_detail, send=self.send)
            self.detail = None if self._feed is None else self._feed.state()
            if self._feed is not None:
                self._feed.follow()

    def _handle(self, identifier: str) -> Any:
        if identifier not in self._handles:
            if self._open_session is None:
                raise LookupError("this board cannot open sessions; use dj.get(id).panel()")
            self._handles[identifier] = self._open_session(identifier)
        return self._handles[identifier]

    def _publish_detail(self, state: dict[str, Any]) -> None:
        self.detail = state
