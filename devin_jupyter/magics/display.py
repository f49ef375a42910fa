"""How a session is shown under a cell: live panel, static output, terminal, or once at the end where nobody clicks.

The main thread opens a view and closes it; other threads only replace outputs that are there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from devin_jupyter import render

if TYPE_CHECKING:
    from types import TracebackType

    from devin_jupyter.magics.notebook import Notebook
    from devin_jupyter.options import CellOptions


class Front(Protocol):
    """A place where a session is shown."""

    def open(self) -> None:
        """Show the session as it is."""

    def close(self) -> None:
        """Leave the state that is to be saved."""


class View:
    """A front around a wait: opened before it, closed after it however it ends."""

    def __init__(self, front: Front) -> None:
        """Show nothing yet."""
        self._front = front

    def open(self) -> None:
        """Show the session and leave it to follow by itself."""
        self._front.open()

    def __enter__(self) -> None:
        """Show the session."""
        self._front.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the final state; a wait that was interrupted leaves a live panel alive."""
        if not isinstance(error, KeyboardInterrupt) or isinstance(self._front, AtTheEnd):
            self._front.close()


def view(notebook: Notebook, session: Any, options: CellOptions, *, waiting: bool) -> View:
    """Return how this front end shows a session.

    Args:
        notebook: where.
        session: what.
        options: `--quiet` and `--save-transcript` count.
        waiting: the cell is about to wait.
    """
    return View(_front(notebook, session, options.get("quiet", False), options.get("save_transcript", False), waiting))


def _front(notebook: Notebook, session: Any, quiet: bool, transcript: bool, waiting: bool) -> Front:
    if quiet:
        return Nothing()
    if notebook.host.is_headless or not notebook.host.in_kernel:
        return AtTheEnd(session, transcript, at_once=not waiting)
    if session.snapshot.turn_over and not session.snapshot.needs_you:
        return AtTheEnd(session, transcript, at_once=True)
    if not notebook.config.panel:
        return Replaced(session, transcript)
    from devin_jupyter.panel import CellOutput, Panel

    return CellOutput(Panel(session), transcript=transcript)


class Nothing:
    """`--quiet`."""

    def open(self) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Show nothing."""


class AtTheEnd:
    """One static output: at once, or when the wait is over."""

    def __init__(self, session: Any, transcript: bool, *, at_once: bool) -> None:
        """Show nothing yet."""
        self._session, self._transcript, self._at_once = session, transcript, at_once

    def open(self) -> None:
        """Show it, unless the end is waited for."""
        if self._at_once:
            self._publish()

    def close(self) -> None:
        """Show the final state, unless it was shown."""
        if not self._at_once:
            self._publish()

    def _publish(self) -> None:
        publish(render.bundle(self._session.snapshot, transcript=self._transcript))


class Replaced:
    """One static output that follows the session: `%config DevinMagics.panel = False`."""

    def __init__(self, session: Any, transcript: bool) -> None:
        """Show nothing yet."""
        self._session, self._transcript = session, transcript
        self._unsubscribe: Callable[[], None] | None = None

    def open(self) -> None:
        """Show the session and follow it to the end of its turn."""
        from devin_jupyter.panel.outputs import ReplaceableOutput

        self._output = ReplaceableOutput(self._bundle(self._session.snapshot))
        self._unsubscribe = self._session.subscribe(self._show)

    def close(self) -> None:
        """Leave the newest state."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        self._show(self._session.snapshot)

    def _show(self, snapshot: Any) -> None:
        self._output.replace(self._bundle(snapshot))

    def _bundle(self, snapshot: Any) -> dict[str, Any]:
        return render.bundle(snapshot, transcript=self._transcript)


def show(thing: Any) -> None:
    """Show something that is neither returned nor kept."""
    from IPython.display import display

    display(thing)


def publish(bundle: dict[str, Any]) -> None:
    """Publish a ready-made bundle as an output of the running cell."""
    from IPython.display import publish_display_data

    publish_display_data(bundle)
