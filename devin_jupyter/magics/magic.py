"""`%%devin` and `%devin` for IPython, and the notebook that runs them: its variables, its running cell, its client.

Loading it must stay free: nothing heavy is imported before the first magic runs.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from traitlets import Any as TraitAny
from traitlets import Bool, Enum, Float, Integer, List, TraitError, Unicode, observe
from traitlets.config import Configurable

from devin_jupyter.host import Execution, changed_file, check_package, executions, hooks

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from IPython.core.interactiveshell import InteractiveShell

    from devin_jupyter.client.sync import Devin
    from devin_jupyter.magics.frontend import Notebook
    from devin_jupyter.session import AsyncSession, Session


_MATCHER = "devin_jupyter"
_ALWAYS: tuple[list[str], ...] = ([], ["help"], ["debug"], ["stop"])
"""Commands that also run if the package has changed since the kernel loaded it."""
_MOST_CELLS, _MOST_SHOWN, _LONGEST_SHOWN = 1000, 20, 10_000
"""How much is remembered: cells, displays of each, characters of each."""


class DevinMagics(Configurable):  # type: ignore[misc]  # traitlets is not typed
    """The magics of devin_jupyter; the defaults below hold for every `%%devin` cell that does not say otherwise."""

    mode = Unicode(None, allow_none=True, help="The --mode of cells that give none.").tag(config=True)
    max_acu = Integer(None, allow_none=True, min=1, help="The --max-acu of cells that give none.").tag(config=True)
    tags = List(Unicode(), help="Tags of every session that a cell starts.").tag(config=True)
    tagging = Enum(
        ("on", "off"),
        None,
        allow_none=True,
        help="off: put no tag of this package on sessions, where an organization allows only listed tags.",
    ).tag(config=True)
    on_interrupt = Enum(
        ("detach", "stop"), "detach", help="What Ctrl-C does to the remote session while a cell waits."
    ).tag(config=True)
    on_done = TraitAny(
        None,
        allow_none=True,
        help="A function, or an https:// address, that is told when the turn of a cell, or its batch, is over.",
    ).tag(config=True)
    panel = Bool(True, help="Show the live panel; otherwise text and static HTML only.").tag(config=True)
    poll_seconds = Float(
        None,
        allow_none=True,
        min=1.0,
        help="The longest pause between two polls of a running session, in seconds (default 10).",
    ).tag(config=True)

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(parent=shell)
        self.shell = shell

    def run_cell(self, line: str, cell: str) -> None:
        """Start, attach to or message a Devin session with the cell as the prompt."""
        from devin_jupyter.magics import cell as cells

        check_package()
        _guarded(cells.run, self._notebook_of_caller(), line, cell)

    def run_line(self, line: str) -> Any:
        """Run one of the commands that `%devin help` lists."""
        from devin_jupyter.magics import commands

        if line.split()[:1] not in _ALWAYS:
            check_package()
        return _guarded(commands.run, self._notebook_of_caller(), line)

    def before_use(self, client: Devin) -> None:
        """Configure a client before it is first used, and print which sessions kept running without a kernel."""
        from devin_jupyter.magics.frontend import warn_about_live_sessions

        notebook = self.notebook
        notebook.configure(client)
        warn_about_live_sessions(notebook, client)
        # a front end may open a notebook that ran without one: it has to be notified then
        hooks.told = None if notebook.host.is_headless else client

    @observe("poll_seconds", "tagging")  # type: ignore[untyped-decorator]  # traitlets is not typed
    def configure_again(self, _: Any) -> None:
        """Have the client in use take over a changed default at its next use."""
        hooks.told = None

    def complete(self, context: Any) -> Any:
        """Return what the completer asks for at Tab."""
        from devin_jupyter.magics.commands import COMMANDS
        from devin_jupyter.magics.completion import complete

        in_terminal = getattr(self.shell, "kernel", None) is None
        return complete(self.notebook.variables, context, COMMANDS, annotated=in_terminal)

    def before_cell(self, info: Any) -> None:
        """Note that a cell runs, for `--attach :cell` and the like."""
        cell_id = getattr(info, "cell_id", None)
        is_stored = bool(info.store_history and not info.silent)
        executions.append(Execution(info.raw_cell, cell_id, is_stored))
        del executions[:-_MOST_CELLS]

    def after_cell(self, result: Any) -> None:
        """Note how it ended."""
        ran = executions[-1] if executions else None
        if ran is None or not ran.is_running or ran.source != result.info.raw_cell:
            return  # it began before the extension was loaded
        ran.is_running, ran.count, error = (
            False,
            result.execution_count,
            result.error_before_exec or result.error_in_exec,
        )
        if error is not None:
            from devin_jupyter.notebook import OURS, formatted

            if isinstance(error, OURS):
                ran.own_error = type(error).__name__
            else:
                ran.error = formatted(error)

    @staticmethod
    def on_display(message: dict[str, Any]) -> dict[str, Any]:
        """Record what a cell displays, which is missing from IPython's history; the message is passed on unchanged."""
        text = message.get("content", {}).get("data", {}).get("text/plain")
        if executions and isinstance(text, str) and len(executions[-1].shown) < _MOST_SHOWN:
            executions[-1].shown.append(text[:_LONGEST_SHOWN] + "\n")
        return message

    @property
    def notebook(self) -> Notebook:
        """The notebook that runs a magic now."""
        from devin_jupyter.magics.frontend import Notebook, keep_recent_log

        keep_recent_log()
        return Notebook(self.shell, self)

    def _notebook_of_caller(self) -> Notebook:
        from devin_jupyter.magics.frontend import local_variables

        return replace(self.notebook, local=local_variables())


class CellMagic:  # noqa: D101 IPython shows the documentation of the object as the help
    _ipython_magic_no_var_expand = True
    __slots__ = ("_run",)

    def __init__(self, run: Callable[..., Any]) -> None:
        self._run = run

    def __call__(self, *args: Any) -> Any:  # noqa: D102
        return self._run(*args)

    def getdoc(self) -> str:  # noqa: D102 IPython calls this before it reads `__doc__`: the help is built on demand
        from devin_jupyter.options import help_text

        return help_text()

    def __repr__(self) -> str:
        return "<%%devin>"


class LineMagic(CellMagic):  # noqa: D101 the same
    __slots__ = ()

    def getdoc(self) -> str:  # noqa: D102
        from devin_jupyter.magics.commands import overview

        return overview()

    def __repr__(self) -> str:
        return "<%devin>"


def _guarded(work: Callable[..., Any], *args: Any) -> Any:
    """Run `work`; any exception that is not ours is a bug in this package, and is also shown in three lines."""
    from devin_jupyter.errors import DevinError

    try:
        return work(*args)
    except DevinError:
        raise
    except Exception as fault:
        if changed := changed_file():
            raise DevinError(
                f"devin_jupyter has changed while this kernel runs ({changed}): {type(fault).__name__}: {fault}",
                "something may have been sent; a rerun finds it",
                "restart the kernel and run the cell again",
            ) from fault
        raise DevinError(
            f"internal error in devin_jupyter: {type(fault).__name__}: {fault}",
            "something may have been sent; %devin sessions lists what exists",
            "%tb shows where it happened; %devin debug writes a report for a bug ticket, without secrets",
        ) from fault


def load(shell: InteractiveShell) -> None:
    """Register the magics, the help on `%%devin?` and the completer."""
    magics = _configured(shell)
    unload(shell)
    shell.configurables.append(magics)
    shell.magics_manager.register_function(CellMagic(magics.run_cell), "cell", "devin")
    shell.magics_manager.register_function(LineMagic(magics.run_line), "line", "devin")
    shell.Completer.custom_matchers.append(_matcher(magics))
    shell.input_transformers_cleanup.append(_plain_first_line)
    shell.events.register("pre_run_cell", magics.before_cell)
    shell.events.register("post_run_cell", magics.after_cell)
    if hasattr(shell.display_pub, "register_hook"):
        shell.display_pub.register_hook(magics.on_display)
    hooks.before_use = magics.before_use
    if getattr(shell, "kernel", None) is None:
        hooks.during_wait = _status_line


def _configured(shell: InteractiveShell) -> DevinMagics:
    try:
        return DevinMagics(shell)
    except TraitError as problem:
        from devin_jupyter.errors import OptionError

        raise OptionError(
            f"invalid DevinMagics configuration: {problem}",
            "the magics were not loaded, because a wrong default could cost money",
            "correct it in ipython_config.py or with get_ipython().config.DevinMagics.NAME = …, then "
            "%load_ext devin_jupyter",
        ) from None


def unload(shell: InteractiveShell) -> None:
    """Take the magics and the completer away again."""
    hooks.before_use = hooks.told = None
    for kind in ("cell", "line"):
        shell.magics_manager.magics[kind].pop("devin", None)
    for magics in [item for item in shell.configurables if isinstance(item, DevinMagics)]:
        shell.events.unregister("pre_run_cell", magics.before_cell)
        shell.events.unregister("post_run_cell", magics.after_cell)
        if hasattr(shell.display_pub, "unregister_hook"):
            shell.display_pub.unregister_hook(magics.on_display)
    shell.configurables[:] = [item for item in shell.configurables if not isinstance(item, DevinMagics)]
    matchers = shell.Completer.custom_matchers
    matchers[:] = [item for item in matchers if getattr(item, "matcher_identifier", "") != _MATCHER]
    cleanup = shell.input_transformers_cleanup
    cleanup[:] = [item for item in cleanup if getattr(item, "__module__", "") != __name__]
    hooks.during_wait = None


_PASTED = re.compile("[\ufeff\u200b\u2060\\s]*(%%?devin(?:\\s.*)?)", re.DOTALL)
_QUOTED_OR_BLANK = re.compile("\"[^\"]*\"|'[^']*'|[\u00a0\u2000-\u200a\u202f\u3000]")


def _plain_first_line(lines: list[str]) -> list[str]:
    """Let a cell that was pasted from a web page be ours: without a byte order mark, and with plain blanks."""
    found = _PASTED.fullmatch(lines[0]) if lines and not lines[0].isascii() else None
    if found is None:
        return lines
    return [_QUOTED_OR_BLANK.sub(lambda part: part[0] if part[0][0] in "\"'" else " ", found[1]), *lines[1:]]


def _status_line(session: Session | AsyncSession) -> AbstractContextManager[None]:
    from devin_jupyter.magics.display import status_line

    return status_line(session)


def _matcher(magics: DevinMagics) -> Callable[[Any], Any]:
    def match(context: Any) -> Any:
        return magics.complete(context)

    for name, value in (("matcher_api_version", 2), ("matcher_identifier", _MATCHER), ("matcher_priority", 200)):
        setattr(match, name, value)
    return match
