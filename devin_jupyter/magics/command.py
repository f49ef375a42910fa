"""`%devin COMMAND …`: reading the line by the command table, and running what it names.

The table holds names only; the module behind a command is imported when the command runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from devin_jupyter.errors import OptionError
from devin_jupyter.options import Argument, Syntax, split
from devin_jupyter.text import nearest

if TYPE_CHECKING:
    from devin_jupyter.journal import Journal
    from devin_jupyter.magics.notebook import Notebook


@dataclass(frozen=True, slots=True)
class Command:
    """One command of `%devin`."""

    name: str
    group: str
    help: str
    run: str
    """`module:function` in this package."""
    example: str
    arguments: tuple[Argument, ...] = ()
    api: str = "both"
    more: str = ""
    """What else the help of this one command says."""

    @property
    def syntax(self) -> Syntax:
        """How its line is read."""
        return Syntax(f"%devin {self.name}", self.arguments, self.example)


@dataclass(frozen=True, slots=True)
class Call:
    """A command line that was read: what the functions behind the commands get."""

    notebook: Notebook
    command: Command
    said: SimpleNamespace
    line: str = field(repr=False, default="")

    @property
    def devin(self) -> Any:
        """The default client; connects at first use, and says what went on without a kernel."""
        from devin_jupyter.magics.cell import client, tell_what_goes_on

        devin = client(self.notebook)
        tell_what_goes_on(self.notebook, devin)
        return devin

    @property
    def journal(self) -> Journal:
        """The journal of the default client; the one in the home folder where nothing is connected."""
        return journal()


def run(notebook: Notebook, line: str) -> Any:
    """Run a `%devin` line and return what the notebook shows."""
    words = split(line)
    if not words or words[0] in ("--help", "-h", "?"):
        words = ["help", *words[1:]]
    name, *rest = words
    command = find(name)
    if "--help" in rest or "-h" in rest:
        command, rest = find("help"), [name]
    is_topic = command.name == "help" and len(rest) == 1  # one with dashes is no option of the help itself
    said = {"topic": rest[0]} if is_topic else command.syntax.read(rest)
    module, _, function = command.run.partition(":")
    call = Call(notebook, command, SimpleNamespace(**said), line)
    return getattr(import_module(f"devin_jupyter.magics.{module}"), function)(call)


def journal() -> Journal:
    """Return the journal in use, without asking for a key."""
    from devin_jupyter.client import default as devin
    from devin_jupyter.config import data_folder
    from devin_jupyter.journal import Journal

    client = devin.current()
    return Journal(data_folder()) if client is None else client.journal


def find(name: str) -> Command:
    """Return the command of this name.

    Raises:
        OptionError: there is none; names the nearest.
    """
    from devin_jupyter.magics.command_table import COMMANDS

    if name not in COMMANDS:
        raise OptionError(
            f"there is no command {name!r}{nearest(name, COMMANDS)}",
            hint="%devin help lists the commands; a prompt for Devin goes in a %%devin cell",
        )
    return COMMANDS[name]
