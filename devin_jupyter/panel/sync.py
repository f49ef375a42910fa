"""From one session to a browser and back: snapshots become state, new messages appended chunks, clicks actions.

Used by the panel of one session and by the session that is opened under a board.
"""

from __future__ import annotations

import hashlib
import inspect
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from devin_jupyter import loop
from devin_jupyter.errors import DevinError
from devin_jupyter.models.snapshot import Message, Snapshot, phase_history
from devin_jupyter.models.steps import LiveView, Step
from devin_jupyter.monitor.store import Connection, Subscription
from devin_jupyter.panel.state import (
    STEP_TEXT,
    file_item,
    live_state,
    message_item,
    session_state,
    step_item,
    timeline,
    trouble_state,
)
from devin_jupyter.redaction import redact
from devin_jupyter.text import safe_text

CHUNK = 40
UPDATE_SECONDS = 0.25
"""The browser is updated at most four times a second."""
FILES_BYTES = 8 * 1024 * 1024
Action = Callable[..., Any]


class SessionLike(Protocol):
    """What a panel needs of a session handle; its methods become buttons, `live_view` and `phases` are shown."""

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot."""

    @property
    def subscribe(self) -> Callable[..., Subscription]:
        """As `Session.subscribe`."""


class SessionSync:
    """Keeps a browser's view of one session up to date."""

    def __init__(
        self,
        session: SessionLike,
        *,
        publish: Callable[[dict[str, Any]], None],
        send: Callable[[dict[str, Any]], None],
        actions: Mapping[str, Action] | None = None,
        message: str = "",
        name: str = "",
    ) -> None:
        """Read the session's snapshot; nothing is published before `follow`.

        Args:
            session: what to show.
            publish: sets the state in the browser.
            send: sends a custom message to the browser.
            actions: what the buttons call; by default the methods of the session.
            message: what the cell sent; the panel begins with it.
            name: the variable that holds the session.
        """
        self._session, self._publish, self._send = session, publish, send
        self.message, self.name = message, name
        self.snapshot = session.snapshot
        self.live: LiveView = getattr(session, "live_view", None) or LiveView(session_id=self.snapshot.session_id)
        self._steps: dict[str, Step] = {}
        """The steps as last sent to the browser, by id."""
        self._asked = ""
        """What is to be approved, as last sent to the browser."""
        self._phases = phase_history((), self.snapshot, None)
        self._trouble: dict[str, Any] | None = None
        length = len(self.snapshot.messages)
        self._sent = length if length > CHUNK else 0  # a long conversation is sent when a person unfolds it
        self.actions = dict(session_actions(session) if actions is None else actions)
        self._runner = ActionRunner(self.actions, send, self.snapshot.session_id)
        self._subscription: Subscription | None = None
        self._is_visible = True
        self.listeners: list[Callable[[], None]] = []
        """Called after every change."""

    def follow(self) -> None:
        """Publish every further snapshot until `close`."""
        first = self.snapshot

        def catch_up() -> None:
            if self.snapshot is first:  # it may have changed before we listened
                self._changed(self._session.snapshot)

        self._subscription = self._session.subscribe(
            self._changed,
            on_trouble=self._connection_changed,
            on_live=self._live_changed,
            messages=True,
            every=UPDATE_SECONDS,
        )
        on_loop(catch_up)

    def state(self) -> dict[str, Any]:
        """Return the state for the newest snapshot."""
        shown = session_state(self.snapshot, message=self.message, name=self.name)
        acts = [*shown["can"], *self._live_acts()]
        return {
            **shown,
            "can": [name for name in acts if name in self.actions],
            "files": shown["files"] and "files" in self.actions,
            "timeline": timeline(self.snapshot, getattr(self._session, "phases", None) or self._phases),
            "trouble": self._trouble,
            "live": live_state(self.live, self.snapshot),
        }

    def _live_acts(self) -> list[str]:
        if self.live.state != "on" or self.snapshot.recorded is not None:
            return []
        acts = ["approve", "reject"] if self.live.approval_in(self.snapshot.phase) is not None else []
        return acts if self.snapshot.turn_over else [*acts, "cancel_turn"]

    def receive(self, content: Mapping[str, Any], buffers: Sequence[Any]) -> None:
        """Take a message of the browser."""
        action = content.get("action")
        if action == "messages":
            have = content.get("have")
            self._send_messages(have if isinstance(have, int) and not isinstance(have, bool) and have >= 0 else 0)
        elif action == "steps":
            self._steps, self._asked = {}, ""
            self._send_steps()
        elif action == "seen":
            is_visible = content.get("visible") is True
            subscription = self._subscription  # `close`, on another thread, may take it away meanwhile
            if subscription is not None and is_visible is not self._is_visible:
                self._is_visible = is_visible
                subscription.want(messages=is_visible, keep=False)
        else:
            self._runner.start(content, buffers)

    def close(self) -> None:
        """Stop following the session; closing again, as Python does with what it collects, does nothing."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            subscription.close()

    def _changed(self, snapshot: Snapshot) -> None:
        self._phases = phase_history(self._phases, snapshot, None)
        if snapshot.turn_over and not snapshot.send_pending:
            self._runner.forget_last_message()
        self.snapshot = snapshot
        self._publish(self.state())
        count = len(snapshot.messages)
        first, self._sent = min(self._sent, count), count
        if count > first:
            self._send_messages(first)
        for listener in tuple(self.listeners):
            listener()

    def _live_changed(self, view: LiveView) -> None:
        self.live = view
        self._publish(self.state())
        self._send_steps()
        for listener in tuple(self.listeners):
            listener()

    def _connection_changed(self, connection: Connection) -> None:
        self._trouble = None if connection.is_ok else trouble_state(connection)
        self._publish(self.state())

    def _send_steps(self) -> None:
        """Send the steps that are new or have grown since the last time, and what is to be approved.

        The first steps replace all others.
        """
        changed = [step for step in self.live.steps if self._steps.get(step.id) != step]
        is_first = not self._steps
        self._steps = {step.id: step for step in self.live.steps}
        for start in range(0, len(changed), CHUNK):
            items = [step_item(step) for step in changed[start : start + CHUNK]]
            whole = {"fresh": True} if is_first and start == 0 else {}
            self._send({"kind": "steps", "session": self.snapshot.session_id, "items": items, **whole})
        asked = self.live.approval.text if self.live.approval is not None else ""
        if asked != self._asked:  # no part of the state, which some front ends save with the notebook
            self._asked = asked
            text = safe_text(asked, STEP_TEXT)
            self._send({"kind": "approval", "session": self.snapshot.session_id, "text": text})

    def _send_messages(self, first: int) -> None:
        messages = self.snapshot.messages
        for start in range(first, len(messages), CHUNK):
            self._send(message_chunk(self.snapshot.session_id, start, messages[start : start + CHUNK]))


class ActionRunner:
    """Runs the actions of one session, each at most once at a time, and answers with the outcome.

    Exceptions and prints in widget callbacks vanish, and callbacks may run on any thread: so a callback only starts a
    thread, and an exception of the action is shown in the panel.
    """

    def __init__(
        self, actions: Mapping[str, Action], answer: Callable[[dict[str, Any]], None], session_id: str = ""
    ) -> None:
        """Take the callables by name, the way to answer the browser, and whose actions they are."""
        self._actions, self._answer, self._session_id = actions, answer, session_id
        self._lock = threading.Lock()
        self._running: set[str] = set()
        self._last_message: str | None = None

    def forget_last_message(self) -> None:
        """Note that Devin has read the last message, so that the same text counts as a new message."""
        self._last_message = None

    def start(self, content: Mapping[str, Any], buffers: Sequence[Any]) -> None:
        """Start what a message of the browser asks for; returns at once and never raises."""
        name, token = str(content.get("action")), content.get("token")
        try:
            action = self._actions.get(name)
            if action is None:
                raise _Refused(f"this panel has no action {safe_text(name, 40)!r}")
            arguments = _message_arguments(content, buffers) if name == "send" else {}
            digest = hashlib.sha256(repr(sorted(arguments.items())).encode()).hexdigest()
            with self._lock:
                if name in self._running:
                    raise _Refused("this is already running")
                # a second click with the same text before Devin has read it is a mistake, and would be paid for
                if name == "send" and digest == self._last_message:
                    raise _Refused("already sent; Devin has not answered it yet")
                self._last_message = digest if name == "send" else self._last_message
                self._running.add(name)
        except _Refused as refusal:
            self._reply(token, error=str(refusal))
            return
        work = (name, token, action, arguments)
        loop.new_thread(self._run, f"devin-panel-{name}", *work).start()

    def _run(self, name: str, token: Any, action: Action, arguments: Mapping[str, Any]) -> None:
        try:
            result = action(**arguments)
            if inspect.iscoroutine(result):
                result = loop.run(result)
            if name == "files":
                self._answer(
                    {
                        "kind": "files",
                        "session": self._session_id,
                        "items": [file_item(entry) for entry in list(result)[:200]],
                    }
                )
            notice = result if isinstance(result, str) or name != "send" else getattr(result, "notice", None)
            self._reply(token, notice=safe_text(notice, 400) if isinstance(notice, str) else None)
        except Exception as problem:
            self._last_message = None if name == "send" else self._last_message
            if isinstance(problem, DevinError):
                words = "\n".join(problem.lines)
            else:
                words = safe_text(redact(f"{type(problem).__name__}: {problem}"), 600)
            self._reply(token, error=words)
        finally:
            with self._lock:
                self._running.discard(name)

    def _reply(self, token: Any, **outcome: str | None) -> None:
        self._answer({"kind": "outcome", "token": token, **{key: text for key, text in outcome.items() if text}})


class _Refused(Exception):
    """A refused request of the browser; the panel shows the message."""


def _message_arguments(content: Mapping[str, Any], buffers: Sequence[Any]) -> dict[str, Any]:
    text = str(content.get("text") or "").strip()
    names = [str(name) for name in content.get("files") or ()]
    if not text:
        raise _Refused("write a message first")
    if len(names) != len(buffers):
        raise _Refused("the files did not arrive complete; choose them again")
    files = [(name, bytes(buffer)) for name, buffer in zip(names, buffers, strict=True)]
    if sum(len(file) for _, file in files) > FILES_BYTES:
        raise _Refused("more than 8 MB of files; send them with .send(text, attach=[…])")
    return {"text": text, "files": files}


def session_actions(session: Any) -> dict[str, Action]:
    """Return the methods of a session handle that the panel has buttons for."""

    def send(text: str, files: list[tuple[str, bytes]]) -> Any:
        return session.send(text, attach=files or None, again=True)

    known: dict[str, tuple[str, Action]] = {
        "send": ("send", send),
        "stop": ("stop", lambda: session.stop()),
        "archive": ("archive", lambda: session.archive()),
        "approve": ("approve", lambda: session.approve()),
        "reject": ("reject", lambda: session.reject()),
        "cancel_turn": ("cancel_turn", lambda: session.cancel_turn()),
        "files": ("attachments", lambda: session.attachments()),
        "download": ("download", lambda: downloaded(session.download())),
    }
    return {name: action for name, (method, action) in known.items() if hasattr(session, method)}


def downloaded(paths: Sequence[Path]) -> str:
    """Return the line that says where the files of a session are now."""
    if not paths:
        return "this session has no files"
    return f"saved {len(paths)} file{'' if len(paths) == 1 else 's'} in {paths[0].parent}"


def message_chunk(session_id: str, first: int, messages: Sequence[Message]) -> dict[str, Any]:
    """Return a part of the conversation as the browser appends it."""
    items = [message_item(message) for message in messages]
    return {"kind": "messages", "session": session_id, "from": first, "items": items}


def on_loop(call: Callable[..., None], *arguments: Any) -> None:
    """Call a function on the package's loop: now if this is its thread, else soon, in the order of the calls."""
    if loop.is_here():
        call(*arguments)
        return

    async def there() -> None:
        call(*arguments)

    loop.submit(there())
