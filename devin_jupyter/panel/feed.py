"""The line from one session to a browser: snapshots become state, messages become appended chunks, clicks become acts.

Used by the panel of one session and by the session opened under a board; both only lend it a way to publish.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from devin_jupyter.models.snapshot import Message, Snapshot
from devin_jupyter.panel.acts import Act, Acts
from devin_jupyter.panel.pacing import Pacer
from devin_jupyter.panel.state import message_item, moment_of, seconds, session_state, trouble_state

CHUNK = 40
TIMELINE = 40


class SessionLike(Protocol):
    """What a panel needs of a session handle."""

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot."""

    @property
    def subscribe(self) -> Callable[..., Callable[[], None]]:
        """Call back with every new snapshot, on any thread, until the function it returns is called.

        `messages=True` asks for the conversation while it grows, `on_trouble` for the state of the connection.
        """


class Feed:
    """Keeps a browser's view of one session up to date."""

    def __init__(
        self,
        session: SessionLike,
        *,
        publish: Callable[[dict[str, Any]], None],
        send: Callable[[dict[str, Any]], None],
        acts: Mapping[str, Act] | None = None,
    ) -> None:
        """Read the session's present snapshot; nothing is published before `follow`."""
        self._publish, self._send = publish, send
        self._lock = threading.RLock()
        self.snapshot = session.snapshot
        self.timeline = [_beginning(self.snapshot), moment_of(self.snapshot)]
        self._trouble: dict[str, Any] | None = None
        length = len(self.snapshot.messages)
        self._told = length if length > CHUNK else 0  # a long conversation travels when somebody unfolds it
        self._acts = Acts(session_acts(session) if acts is None else acts, send)
        self._pacer: Pacer[Snapshot] = Pacer(self._show)
        self._session = session
        self._unsubscribe: Callable[[], None] | None = None
        self._reads_along = True
        self.listeners: list[Callable[[], None]] = []

    def follow(self) -> None:
        """Publish every further snapshot of the session until `close`."""
        before = self._unsubscribe
        self._unsubscribe = self._session.subscribe(
            self.offer, messages=self._reads_along, on_trouble=self._connection_changed
        )
        if before is not None:
            before()
        self.offer(self._session.snapshot)

    def offer(self, snapshot: Snapshot) -> None:
        """Take the next snapshot; published at most four times a second, and only if something changed."""
        with self._lock:
            if snapshot.phase is not self.snapshot.phase:
                self.timeline = [*self.timeline, moment_of(snapshot)][-TIMELINE:]
            if snapshot.turn_over and not snapshot.send_pending:
                self._acts.turn_moved()
            self.snapshot = snapshot
        self._pacer.offer(snapshot)
        for listener in tuple(self.listeners):
            listener()

    def state(self) -> dict[str, Any]:
        """Return the state for the newest snapshot."""
        with self._lock:
            return {**session_state(self.snapshot), "timeline": self.timeline, "trouble": self._trouble}

    def receive(self, content: Mapping[str, Any], buffers: Sequence[Any]) -> None:
        """Take a message of the browser."""
        if content.get("action") == "messages":
            self._tell(_index(content.get("have")))
        elif content.get("action") == "seen":
            self._on_screen(content.get("visible") is True)
        else:
            self._acts.start(content, buffers)

    def close(self) -> None:
        """Stop following the session."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        self._pacer.close()

    def _on_screen(self, visible: bool) -> None:
        """The conversation is read along only while somebody can see the panel."""
        if self._unsubscribe is not None and visible is not self._reads_along:
            self._reads_along = visible
            self.follow()

    def _connection_changed(self, connection: Any) -> None:
        with self._lock:
            self._trouble = None if connection.is_ok else trouble_state(connection)
        self._pacer.offer(self.snapshot)

    def _show(self, _newest: Snapshot) -> None:
        self._publish(self.state())
        with self._lock:
            count = len(self.snapshot.messages)
            first = min(self._told, count)
            self._told = count
        if count > first:
            self._tell(first)

    def _tell(self, first: int) -> None:
        messages = self.snapshot.messages
        for start in range(first, len(messages), CHUNK):
            self._send(chunk(self.snapshot.session_id, start, messages[start : start + CHUNK]))


def chunk(session_id: str, first: int, messages: Sequence[Message]) -> dict[str, Any]:
    """Return a part of the conversation as the browser appends it."""
    items = [message_item(message) for message in messages]
    return {"kind": "messages", "session": session_id, "from": first, "items": items}


def session_acts(session: Any) -> dict[str, Act]:
    """Return the acts of a session handle that the panel offers."""

    def send(text: str, files: list[tuple[str, bytes]]) -> Any:
        return session.send(text, attach=files or None, again=True)

    known: dict[str, Act] = {"send": send, "stop": lambda: session.stop(), "archive": lambda: session.archive()}
    return {name: act for name, act in known.items() if hasattr(session, name)}


def _beginning(snapshot: Snapshot) -> dict[str, Any]:
    return {"phase": "created", "label": "started", "icon": "+", "at": seconds(snapshot.created_at)}


def _index(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0
