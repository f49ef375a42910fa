"""What the magics show: a session under its cell, tables and texts of commands, the status line of a terminal.

The main thread opens a view and closes it; other threads only replace outputs that are there. Everything that came from
the service is escaped and made safe here; links go to http(s) only.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from devin_jupyter import render
from devin_jupyter.errors import DevinError, OptionError
from devin_jupyter.models.enums import Phase
from devin_jupyter.render import labels
from devin_jupyter.render.html import line_html, rows_html
from devin_jupyter.render.labels import web_address
from devin_jupyter.text import one_line, safe_text

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console, ConsoleOptions, RenderResult

    from devin_jupyter.magics.frontend import Notebook
    from devin_jupyter.models.snapshot import Snapshot
    from devin_jupyter.models.steps import LiveView
    from devin_jupyter.options import CellOptions
    from devin_jupyter.session import AsyncSession, Session


logger = logging.getLogger("devin_jupyter")


class Display(Protocol):
    """How a session is shown; the panel's `CellOutput` is one too."""

    def open(self) -> None:
        """Show the session once, without updates."""

    def close(self) -> None:
        """Show the state that is to be saved."""


class View:
    """A display around a wait: opened before it, and closed after it in any case.

    A fault of the display is never raised: a session that was started must not look as if it had failed to start.
    """

    def __init__(self, shown: Display, name: str = "the session") -> None:
        self.display, self._name = shown, name

    def open(self) -> None:
        """Show the session in a panel that updates on its own."""
        with showing(self._name):
            self.display.open()

    def __enter__(self) -> None:
        self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Show the final state; after an interrupted wait, a live panel stays live."""
        if not isinstance(error, KeyboardInterrupt) or isinstance(self.display, FinalDisplay):
            with showing(self._name):
                self.display.close()


@contextmanager
def showing(name: str) -> Iterator[None]:
    """Turn a fault of the display into a line that says that only the display failed."""
    try:
        yield
    except DevinError:
        raise
    except Exception as fault:
        logger.exception("%s could not be shown", name)
        print(render.not_shown(name, fault))


def view(notebook: Notebook, session: Session, options: CellOptions, *, waiting: bool, message: str = "") -> View:
    """Return how this front end shows a session.

    Args:
        notebook: where.
        session: what.
        options: `--quiet` and `--save-transcript` count.
        waiting: the cell is about to wait.
        message: what the cell sent to the session.
    """
    here = notebook.host
    how = Shown(options.get("save_transcript", False), message, options.get("out") or _variable(options.get("to")))
    name = session.snapshot.session_id
    if options.get("quiet"):
        return View(NullDisplay(), name)
    if here.is_headless or not here.in_kernel:
        return View(FinalDisplay(session, how, at_once=not waiting), name)
    seen = session.snapshot
    is_answerable = here.outputs == "page" or seen.needs_you or seen.phase is Phase.YOUR_TURN
    if seen.turn_over and (seen.recorded is not None or not is_answerable):
        return View(FinalDisplay(session, how, at_once=True), name)
    if not notebook.config.panel:
        return View(UpdatingDisplay(session, how), name)
    with showing(name):
        from devin_jupyter.panel import CellOutput, Panel

        panel = Panel(session, message=how.message, name=how.name)
        return View(CellOutput(panel, transcript=how.transcript), name)
    return View(FinalDisplay(session, how, at_once=not waiting), name)


@dataclass(frozen=True, slots=True)
class Shown:
    """How a cell shows its session."""

    transcript: bool = False
    """The conversation too."""
    message: str = ""
    """What the cell sent."""
    name: str = ""
    """The variable that holds the session."""

    def bundle(self, snapshot: Snapshot, live: LiveView | None) -> dict[str, Any]:
        """Return the static form of a session."""
        return render.bundle(snapshot, self.transcript, message=self.message, name=self.name, live=live)


def _variable(name: str | None) -> str:
    return name if name and name.isidentifier() else ""


class NullDisplay:
    """`--quiet`."""

    def open(self) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Show nothing."""


class FinalDisplay:
    """One static output: at once, or when the wait is over."""

    def __init__(self, session: Session, how: Shown, *, at_once: bool) -> None:
        self._session, self._how, self._at_once = session, how, at_once

    def open(self) -> None:
        """Show it now, unless the cell waits for the end."""
        if self._at_once:
            self._publish()

    def close(self) -> None:
        """Show the final state, unless it was shown."""
        if not self._at_once:
            self._publish()

    def _publish(self) -> None:
        publish(self._how.bundle(self._session.snapshot, getattr(self._session, "live_view", None)))


class UpdatingDisplay:
    """One static output that follows the session: `%config DevinMagics.panel = False`."""

    def __init__(self, session: Session, how: Shown) -> None:
        self._session, self._how = session, how
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

    def _show(self, snapshot: Snapshot) -> None:
        self._output.replace(self._bundle(snapshot))

    def _bundle(self, snapshot: Snapshot) -> dict[str, Any]:
        return self._how.bundle(snapshot, getattr(self._session, "live_view", None))


def show(thing: Any) -> None:
    """Show something that is neither returned nor kept."""
    from IPython.display import display

    display(thing)


def publish(bundle: dict[str, Any]) -> None:
    """Publish a ready-made bundle as an output of the running cell."""
    from IPython.display import publish_display_data

    publish_display_data(bundle)


WIDTH = 130
_GIVE_WAY = frozenset({"title", "value", "when", "note", "result"})
"""The columns that are narrowed on a narrow terminal; ids, phases and numbers are never cut."""
_GAP, _NARROWEST = 3, 9


class Text:
    """A text that is shown without quotes."""

    def __init__(self, text: str) -> None:
        self.text = safe_text(text)

    def __repr__(self) -> str:
        return self.text


class Link(str):
    """A table cell with a link; its string value is the text."""

    url: str | None

    def __new__(cls, text: str, url: str | None) -> Link:  # noqa: D102
        made = super().__new__(cls, text)
        made.url = web_address(url) if url else None
        return made


class Table:
    """Rows under headings; `.rows` are plain dicts."""

    def __init__(self, rows: Sequence[Mapping[str, Any]], *, title: str = "", empty: str = "nothing to show") -> None:
        """Keep the rows; the keys of the first one are the headings.

        Args:
            rows: values are shown as text; None as a dash.
            title: a line above.
            empty: what to say when there are no rows.
        """
        self.rows = [dict(row) for row in rows]
        self.title, self.empty = title, empty

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def headings(self) -> list[str]:
        """The headings, in order."""
        return list(self.rows[0]) if self.rows else []

    def __repr__(self) -> str:
        return self._drawn(colors=False)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(self._drawn(colors=sys.stdout.isatty() and not cycle))

    def _repr_html_(self) -> str:
        if not self.rows:
            return line_html(self.title or self.empty)
        cells = (
            ((_plain(value), value.url if isinstance(value, Link) else None) for value in row.values())
            for row in self.rows
        )
        return rows_html(self.title, self.headings, cells)

    def _drawn(self, *, colors: bool) -> str:
        if not self.rows:
            return self.title or self.empty
        from io import StringIO

        from rich.console import Console

        into, share = StringIO(), self._share(_width(colors))
        width = max(_width(colors), self._least() + share * len(_GIVE_WAY.intersection(self.headings)))
        # in a kernel, rich would by default display what it prints at once
        console = Console(file=into, width=width, force_terminal=colors, no_color=not colors, force_jupyter=False)
        console.print(self._rich(share))
        lines = [line.rstrip() for line in into.getvalue().rstrip().split("\n")]
        return "\n".join(([self.title] if self.title else []) + [line for line in lines if line])

    def _longest(self, name: str) -> int:
        return max(len(name), *(len(_plain(row.get(name))) for row in self.rows))

    def _least(self) -> int:
        """Return the width of the columns that are never cut, with the gaps between all columns."""
        whole = [name for name in self.headings if name not in _GIVE_WAY]
        return sum(map(self._longest, whole)) + _GAP * (len(self.headings) - 1)

    def _share(self, width: int) -> int:
        """Return how wide each of the other columns may be."""
        return max(_NARROWEST, (width - self._least()) // max(1, len(_GIVE_WAY.intersection(self.headings))))

    def _rich(self, share: int) -> Any:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table as RichTable
        from rich.text import Text as RichText

        drawn = RichTable(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for name in self.headings:
            if name not in _GIVE_WAY:
                drawn.add_column(name, min_width=self._longest(name), no_wrap=True)
            else:
                cut = name == "title"
                drawn.add_column(name, max_width=share, no_wrap=cut, overflow="ellipsis" if cut else "fold")
        for row in self.rows:
            drawn.add_row(*(RichText(_plain(value), style=_style(value)) for value in row.values()))
        return drawn


def labeled(title: str, simulated: bool) -> str:
    """Return a title that says when sessions are simulated."""
    return "; ".join(part for part in ("simulated sessions" if simulated else "", title) if part)


def _plain(value: Any) -> str:
    return "–" if value is None or value == "" else one_line(value, 200)


def _style(value: Any) -> str:
    return f"link {value.url}" if isinstance(value, Link) and value.url else ""


def _width(colors: bool) -> int:
    if not colors:
        return WIDTH
    import shutil

    return shutil.get_terminal_size().columns


_COLORS = {
    "queued": "bright_black",
    "working": "blue",
    "your_turn": "yellow",
    "needs_approval": "yellow",
    "done": "green",
    "blocked": "red",
    "failed": "red",
}


_drawing = threading.Lock()
"""A terminal has one status line: of several waits at a time, the first has it."""


@contextmanager
def status_line(session: Session | AsyncSession) -> Iterator[None]:
    """Draw the line while the main thread waits at a terminal; anywhere else, draw nothing."""
    at_prompt = threading.current_thread() is threading.main_thread() and sys.stdout.isatty()
    if session.snapshot.turn_over or not at_prompt or not _drawing.acquire(blocking=False):
        yield
        return
    line = StatusLine(session.snapshot, session.live_view)
    try:
        unsubscribe = session.subscribe(line.show, on_live=line.follow)
        line.start()
        try:
            yield
        finally:
            line.stop()
            unsubscribe()
    finally:
        _drawing.release()


class StatusLine:
    """The moving line. `show` may be called from any thread."""

    def __init__(self, snapshot: Snapshot, view: LiveView) -> None:
        self._snapshot, self._view = snapshot, view
        self._since = time.monotonic()
        from rich.console import Console
        from rich.live import Live
        from rich.spinner import Spinner

        self._spinner = Spinner("dots")
        self._live = Live(self, console=Console(force_jupyter=False), refresh_per_second=8, transient=True)

    def start(self) -> None:
        """Start drawing."""
        self._live.start()

    def stop(self) -> None:
        """Stop drawing and take the line away."""
        self._live.stop()

    def show(self, snapshot: Snapshot) -> None:
        """Take the next snapshot."""
        self._snapshot = snapshot

    def follow(self, view: LiveView) -> None:
        """Take the next view of the live channel."""
        self._view = view

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text as RichText

        snapshot = self._snapshot
        minutes, seconds = divmod(int(time.monotonic() - self._since), 60)
        facts = [one_line(labels.title(snapshot), 60), labels.cost(snapshot), f"{minutes}:{seconds:02}"]
        if progress := self._view.plan_progress:
            facts.insert(0, "plan {} of {}".format(*progress))
        if self._view.activity and not snapshot.turn_over:
            facts.insert(0, one_line(self._view.activity, 60))
        line = RichText.assemble(
            (snapshot.label, f"bold {_COLORS.get(snapshot.phase.value, 'default')}"),
            *(f" · {fact}" for fact in facts),
            *((f" · {label}", "bright_black") for label in labels.labels(snapshot)),
            ("  Ctrl-C detaches", "bright_black"),
        )
        line.truncate(options.max_width - 2, overflow="ellipsis")
        self._spinner.update(text=line)
        yield self._spinner

    def __repr__(self) -> str:
        return f"<StatusLine {self._snapshot.session_id}>"


def write_file(place: str, text: str) -> Path:
    """Write a text file and return its path.

    Raises:
        OptionError: it cannot be written there.
    """
    path = Path(place).expanduser()
    with writing(path):
        path.write_text(text, encoding="utf-8")
    return path


@contextmanager
def writing(place: str | Path) -> Iterator[None]:
    """Turn an error of the system while writing into an `OptionError` that names the path.

    Raises:
        OptionError: it cannot be written there.
    """
    try:
        yield
    except (OSError, ValueError) as problem:  # ValueError: a zero byte in the name
        path = getattr(problem, "filename", None) or place
        reason = getattr(problem, "strerror", None) or str(problem)
        raise OptionError(
            f"{path} cannot be written: {reason.lower()}",
            "nothing was changed",
            "give a path in a folder that exists and is writable",
        ) from None
