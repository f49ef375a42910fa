"""The sessions a client knows: one state for each, shared by all handles on it, fed by the monitor.

Everything here belongs to the loop's thread, except that a state's attributes may be read anywhere.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

from devin_jupyter.models.snapshot import Record, Snapshot, output_history
from devin_jupyter.monitor import Connection, Monitor, Watch

logger = logging.getLogger("devin_jupyter.client")


@dataclass(eq=False, slots=True)
class Listener:
    """Somebody who is told about a session."""

    on_snapshot: Callable[[Snapshot], None]
    on_trouble: Callable[[Connection], None] | None = None
    messages: bool = False
    keep: bool = False


class State:
    """One session as this client knows it."""

    def __init__(self, record: Record) -> None:
        """Keep what is known and what was last seen."""
        assert record.snapshot is not None
        self.record = record
        self.outputs = output_history((), record.snapshot)
        self.connection = Connection()
        self.listeners: list[Listener] = []
        self.watch: Watch | None = None

    @property
    def session_id(self) -> str:
        """Always `devin-…`."""
        return self.record.session_id

    @property
    def snapshot(self) -> Snapshot:
        """The session as last seen."""
        assert self.record.snapshot is not None
        return self.record.snapshot

    def take(self, snapshot: Snapshot) -> None:
        """Take a newer snapshot over and tell the listeners."""
        self.record, self.outputs = replace(self.record, snapshot=snapshot), output_history(self.outputs, snapshot)
        for listener in tuple(self.listeners):
            self._tell(listener.on_snapshot, snapshot)

    def trouble(self, connection: Connection) -> None:
        """Take over how the connection is and tell those who want to know."""
        self.connection = connection
        for listener in tuple(self.listeners):
            if listener.on_trouble is not None:
                self._tell(listener.on_trouble, connection)

    def _tell(self, tell: Callable[..., None], value: object) -> None:
        try:
            tell(value)
        except Exception:  # one broken display must not stop the others
            logger.exception("a listener of %s failed", self.session_id)


class Tracker:
    """Finds the state of a session, and has the monitor watch it while its turn is open."""

    def __init__(self, monitor: Monitor) -> None:
        """Track nothing yet."""
        self._monitor = monitor
        self._states: WeakValueDictionary[str, State] = WeakValueDictionary()

    def track(self, record: Record) -> State:
        """Return the state of a session, brought up to this record, and follow it while its turn is open."""
        state = self._states.get(record.session_id)
        if state is None:
            state = self._states[record.session_id] = State(record)
        else:
            self.update(state, record)
        self.follow(state)
        return state

    async def aclose(self) -> None:
        """Stop watching; whoever waits again later watches anew."""
        await self._monitor.aclose()
        for state in self.states():
            state.watch = None

    def find(self, session_id: str) -> State | None:
        """Return the state of a session that has a handle or is watched; None for others."""
        return self._states.get(session_id)

    def states(self) -> list[State]:
        """Return the states of all sessions that have a handle or are watched."""
        return list(self._states.values())

    def update(self, state: State, record: Record) -> None:
        """Something was done or read: take it over, and look again soon if the turn is open."""
        assert record.snapshot is not None
        state.record = record
        if state.watch is not None:
            self._monitor.nudge(state.session_id, record=record)
        else:
            state.take(record.snapshot)
        self.follow(state)

    def follow(self, state: State) -> None:
        """Watch a session as long as its turn is open, or somebody keeps it on screen."""
        wanted = not state.snapshot.turn_over or any(listener.keep for listener in state.listeners)
        if not wanted or state.snapshot.recorded is not None:
            return
        if state.watch is None:
            state.watch = self._monitor.watch(
                state.record,
                on_snapshot=lambda snapshot: self._seen(state, snapshot),
                on_trouble=state.trouble,
            )
        self._adjust(state)

    def listen(self, state: State, listener: Listener) -> Callable[[], None]:
        """Tell a listener every change of a session until the returned function is called."""
        state.listeners.append(listener)
        self.follow(state)

        def stop() -> None:
            if listener in state.listeners:
                state.listeners.remove(listener)
                self._adjust(state)
                self._let_go_if_over(state)

        return stop

    def _adjust(self, state: State) -> None:
        watch = state.watch
        if watch is None:
            return
        messages = any(listener.messages for listener in state.listeners)
        keep = any(listener.keep for listener in state.listeners)
        self._monitor.adjust(watch, messages=messages, keep=keep)

    def _seen(self, state: State, snapshot: Snapshot) -> None:
        state.take(snapshot)
        self._let_go_if_over(state)

    def _let_go_if_over(self, state: State) -> None:
        over = state.snapshot.turn_over and not any(listener.keep for listener in state.listeners)
        if over and state.watch is not None:
            state.watch.close()
            state.watch = None
