"""`%devin COMMAND …`: reading the line by the command table, and running what it names.

The table holds names only; the module behind a command is imported when the command runs.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

from devin_jupyter.errors import OptionError
from devin_jupyter.options import Parser, split
from devin_jupyter.text import nearest, parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from devin_jupyter.journal import Journal
    from devin_jupyter.magics.notebook import Notebook


@dataclass(frozen=True, slots=True)
class Argument:
    """A positional argument (`session`) or an option (`--limit`) of one command."""

    name: str
    help: str
    kind: str = "word"
    """`flag`, `word`, `words`, `int` (above 0), `time`; `optional` is a word that may be left out after its flag."""
    metavar: str = ""
    needed: bool = False
    """Positional arguments only."""
    choices: tuple[str, ...] = ()
    short: str = ""
    values: str = ""
    """What the completer offers, as in the option table."""

    @property
    def dest(self) -> str:
        """The attribute of the parsed line."""
        return self.name.lstrip("-").replace("-", "_")

    @property
    def is_option(self) -> bool:
        """Whether it is given by a flag."""
        return self.name.startswith("-")

    @property
    def bare(self) -> str:
        """How the help shows it: flags and what follows them."""
        shown = self.metavar or "|".join(self.choices) or self.dest.upper()
        shown = {"flag": "", "words": f"{shown} …", "optional": f"[{shown}]"}.get(self.kind, shown)
        flags = f"{self.short}, {self.name}" if self.short else self.name
        return f"{flags} {shown}".rstrip() if self.is_option else shown

    @property
    def usage(self) -> str:
        """The same in the usage line, in brackets where it may be left out."""
        return self.bare if self.needed else f"[{self.bare}]"

    @property
    def sample(self) -> str:
        """A value, for examples."""
        return self.choices[0] if self.choices else _SAMPLES.get(self.metavar, self.metavar)

    @property
    def explanation(self) -> str:
        """The help, with the choices where the usage does not list them."""
        return f"{self.help}: {', '.join(self.choices)}" if self.choices and self.metavar else self.help


_SAMPLES = {
    "TIME": "7d",
    "N": "10",
    "TAG": "audit",
    "OWNER/REPO": "acme/api",
    "NAME": "audit",
    "SPEC": "Finding",
    "FILE": "report.pdf",
    "ORG": "org-1a2b",
    "URL": "https://api.company.devinenterprise.com",
}


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
    def usage(self) -> str:
        """The command with its arguments."""
        return " ".join(["%devin", self.name, *(argument.usage for argument in self.arguments)])

    def example_of(self, flag: str) -> str:
        """Return the example if it has this flag, else one made for it."""
        found = next((one for one in self.arguments if flag in (one.name, one.short)), None)
        if found is None or not found.is_option or flag in self.example.split():
            return self.example
        needed = [one.metavar for one in self.arguments if one.needed]
        return " ".join(["%devin", self.name, *needed, flag, *([] if found.kind == "flag" else [found.sample])])


@dataclass(frozen=True, slots=True)
class Call:
    """A command line that was read: what the functions behind the commands get."""

    notebook: Notebook
    command: Command
    said: argparse.Namespace
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
    call = Call(notebook, command, _topic(rest) if command.name == "help" else parse(command, rest), line)
    module, _, function = command.run.partition(":")
    return getattr(import_module(f"devin_jupyter.magics.{module}"), function)(call)


def _topic(words: list[str]) -> argparse.Namespace:
    """What help is asked for: a command, or an option with its dashes, which a parser would take for its own."""
    return argparse.Namespace(topic=words[0]) if len(words) == 1 else parse(find("help"), words)


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


def parse(command: Command, words: list[str]) -> argparse.Namespace:
    """Return the arguments of one command.

    Raises:
        OptionError: an unknown, missing or malformed argument.
    """
    parser = _parser(command)
    said, rest = parser.parse_known_intermixed_args(words)
    if rest:
        _refuse(command, rest)
    missing = [argument.bare for argument in command.arguments if argument.needed and not getattr(said, argument.dest)]
    if missing:
        raise OptionError(f"%devin {command.name} needs {' and '.join(missing)}", hint=_where_to(command, said))
    for argument in command.arguments:
        setattr(said, argument.dest, _converted(command, argument, getattr(said, argument.dest)))
    return said


def _where_to(command: Command, said: argparse.Namespace) -> str:
    """What to do about a missing word: an option that takes several may have taken it."""
    lists = (one for one in command.arguments if one.is_option and one.kind == "words")
    greedy = next((one.name for one in lists if getattr(said, one.dest)), None)
    return f"{greedy} takes every word after it: put it last" if greedy else f"for example {command.example}"


@cache
def _parser(command: Command) -> Parser:
    parser = Parser(f"%devin {command.name}", command.example_of)
    for argument in command.arguments:
        flags = [argument.short, argument.name] if argument.short else [argument.name]
        if argument.kind == "flag":
            parser.add_argument(*flags, action="store_true")
        elif not argument.is_option:
            parser.add_argument(argument.name, nargs="*" if argument.kind == "words" else "?")
        elif argument.kind == "words":
            parser.add_argument(*flags, nargs="+", action="extend")
        elif argument.kind == "optional":
            parser.add_argument(*flags, nargs="?", const="")
        else:
            parser.add_argument(*flags)
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError("not above 0")
    return number


_READERS: dict[str, Callable[[Any], Any]] = {"int": _count, "time": parse_duration}


def _converted(command: Command, argument: Argument, value: Any) -> Any:
    if value is None or argument.kind == "flag":
        return value
    for word in value if isinstance(value, list) else [value]:
        if argument.choices and word not in argument.choices:
            place = argument.name if argument.is_option else f"%devin {command.name}"
            raise OptionError(
                f"{place} has no {word!r}{nearest(word, argument.choices)}",
                hint=f"one of: {', '.join(argument.choices)}",
            )
    try:
        return _READERS[argument.kind](value) if argument.kind in _READERS else value
    except ValueError:
        wanted = "a whole number above 0" if argument.kind == "int" else "a time such as 90, 30m or 4h"
        example = f"for example {command.example_of(argument.name)}"
        raise OptionError(f"{argument.bare} takes {wanted}, not {value!r}", hint=example) from None


def _refuse(command: Command, rest: list[str]) -> NoReturn:
    word = rest[0].split("=", 1)[0]
    flags = [argument.name for argument in command.arguments if argument.is_option]
    if word.startswith("-"):
        raise OptionError(f"%devin {command.name} has no option {word}{nearest(word, flags)}", hint=command.usage)
    raise OptionError(f"%devin {command.name} cannot take {word!r} as well", hint=command.usage)
