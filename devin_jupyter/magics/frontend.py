"""The notebook that a magic runs in: its variables, its sessions, the default client, and the front end."""

from __future__ import annotations

import collections
import hashlib
import logging
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakSet

from devin_jupyter.host import Host, executions, host
from devin_jupyter.loop import local_names

if TYPE_CHECKING:
    from types import FrameType

    from IPython.core.interactiveshell import InteractiveShell

    from devin_jupyter.batches.batch import Batch
    from devin_jupyter.client.sync import Devin
    from devin_jupyter.journal import Journal
    from devin_jupyter.models.snapshot import CellRef
    from devin_jupyter.session import Session


def local_variables() -> dict[str, Any]:
    """Return the local variables of the function that runs a magic; none where a cell runs it at its top level."""
    frame = sys._getframe(1)
    while (back := frame.f_back) is not None and _is_between(frame):
        frame = back
    return local_names(frame)


def _is_between(frame: FrameType) -> bool:
    """Return whether a frame lies between the magic and the code that runs it."""
    return str(frame.f_globals.get("__name__")).partition(".")[0] in ("IPython", "devin_jupyter", "decorator")


@dataclass(frozen=True, slots=True)
class Notebook:
    """The shell that runs a magic, seen as a notebook or a terminal."""

    shell: InteractiveShell
    config: Any
    """The `DevinMagics`; traitlets is not typed."""
    local: Mapping[str, Any] = field(default_factory=dict)
    """The local variables of the function that runs the magic."""

    @property
    def variables(self) -> dict[str, Any]:
        """The local names, then the notebook's, without those that IPython puts there: a template must not find its
        `open`."""
        hidden, nothing = self.shell.user_ns_hidden, object()
        ours = {name: value for name, value in self.shell.user_ns.items() if hidden.get(name, nothing) is not value}
        return {**ours, **self.local}

    @property
    def host(self) -> Host:
        """The front end, the notebook and the running cell."""
        return host(self.shell)

    @property
    def is_terminal(self) -> bool:
        """Whether the output is a terminal with a person at it."""
        return not self.host.in_kernel and sys.stdout.isatty()

    @property
    def client(self) -> Devin:
        """The default client at the notebook's pace; connects at first use."""
        from devin_jupyter.client import sync

        client = sync.get_default()
        self.configure(client)
        return client

    def configure(self, client: Devin) -> None:
        """Apply `%config DevinMagics` to a client."""
        if self.config.poll_seconds is not None:
            client.core.poller.pace = replace(client.settings.pace, slow=self.config.poll_seconds)
        if self.config.tagging is not None:
            client.core.creator.is_tagging = self.config.tagging == "on"

    @property
    def devin(self) -> Devin:
        """The same, after printing once which sessions kept running without a kernel."""
        client = self.client
        warn_about_live_sessions(self, client)
        return client

    @property
    def journal(self) -> Journal:
        """The journal in use, without asking for a key."""
        from devin_jupyter.client import sync

        return sync.journal()

    def defaults(self, api_version: str) -> dict[str, Any]:
        """Return the defaults of `%config DevinMagics` for requests, as far as the API version has them."""
        config = self.config
        usual = {"max_acu": config.max_acu, "tags": tuple(config.tags)}
        return usual if api_version == "v1" else {"mode": config.mode, **usual}

    def cell(self, out: str | None) -> CellRef:
        """Return how the journal names the running cell."""
        from devin_jupyter.models.snapshot import CellRef

        here = self.host
        running = executions[-1] if executions and executions[-1].is_running else None
        execution = here.request or (f"{_PROCESS} {running.number}" if running else None)
        source = None if running is None else hashlib.sha256(running.source.strip().encode("utf-8", "replace"))
        return CellRef(
            notebook=here.notebook,
            cell_id=here.cell_id,
            out=out,
            execution=execution,
            source=source.hexdigest() if source else None,
        )

    def session(self, word: Any) -> Session:
        """Return the session that a word names: a variable, an id or a URL; the last one for None.

        Raises:
            OptionError: it names none.
        """
        from devin_jupyter.client import sync
        from devin_jupyter.errors import OptionError
        from devin_jupyter.models.fields import is_session_id
        from devin_jupyter.text import nearest

        if word is None:
            return sync.last()
        variables = self.variables
        found = variables.get(word) if isinstance(word, str) else word
        if hasattr(type(found), "send") and hasattr(found, "snapshot"):
            return cast("Session", found)
        if isinstance(found, str) and is_session_id(found):
            return sync.get(found)
        if isinstance(word, str) and (is_session_id(word) or word.startswith("devin-") or "://" in word):
            return sync.get(self._whole_id(word))
        if isinstance(word, str) and (whole := self._whole_id(word)) != word:
            return sync.get(whole)
        sessions = [name for name, value in variables.items() if hasattr(type(value), "send") and name[:1] != "_"]
        raise OptionError(
            f"{word!r} is neither a session in this notebook nor an id{nearest(str(word), sessions)}",
            hint="give the variable's bare name, without $ or braces"
            if str(word).startswith(("$", "{"))
            else "give the variable that -o has set, an id (devin-…) or the session's URL",
        )

    def _whole_id(self, word: str) -> str:
        """Return the id of which the word is the beginning, of those that were listed; else the word itself."""
        from devin_jupyter.errors import OptionError
        from devin_jupyter.magics.completion import CACHE

        start = word.removeprefix("devin-")
        if not re.fullmatch("[0-9a-f]{6,31}", start):
            return word
        found = [identifier for identifier, _ in CACHE.get("sessions") if identifier.startswith(f"devin-{start}")]
        if len(found) > 1:
            raise OptionError(f"{len(found)} session ids begin with {start}", hint="give more of its digits")
        return found[0] if found else word

    def batch(self, word: Any) -> Batch | None:
        """Return the batch that a word names, or None where it names none."""
        found = self.variables.get(word) if isinstance(word, str) else word
        return found if hasattr(type(found), "phase_counts") else None

    def bind(self, name: str | None, value: Any) -> None:
        """Set a variable of the notebook."""
        if name:
            self.shell.push({name: value})


_PROCESS = os.urandom(8).hex()
"""Tells the runs of cells in this process from those in another, where no front end numbers them."""
_warned: WeakSet[Any] = WeakSet()


def warn_about_live_sessions(notebook: Notebook, client: Devin) -> None:
    """Print once, after a restart, which sessions of this notebook kept running, and what they cost since."""
    if client in _warned or notebook.host.is_headless:
        return
    from devin_jupyter.magics.completion import prefetch

    prefetch(client)
    _warned.add(client)
    print_notice(client.still_live(notebook.host.notebook))


def print_notice(notice: str | None) -> None:
    """Print the one line on what was attached to or not sent, if there is one."""
    if notice:
        print(notice)


_LOG = logging.getLogger("devin_jupyter")


class RecentLog(logging.Handler):
    """Keeps the newest lines of the log in memory, redacted, for `%devin debug`. Levels stay as the user set them."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: collections.deque[str] = collections.deque(maxlen=200)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        from devin_jupyter.redaction import redact

        self.lines.append(redact(self.format(record)))


def keep_recent_log() -> None:
    """Start keeping lines, once."""
    if not any(isinstance(handler, RecentLog) for handler in _LOG.handlers):
        _LOG.addHandler(RecentLog())


def recent_lines() -> list[str]:
    """Return the lines kept so far, oldest first."""
    return [line for handler in _LOG.handlers if isinstance(handler, RecentLog) for line in handler.lines]
