"""`dj.commands`: every `%devin` command as a function, for marimo and scripts, where there are no magics."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Mapping
from functools import cache
from types import SimpleNamespace
from typing import Any

from devin_jupyter.errors import DevinError, OptionError
from devin_jupyter.host import running_shell
from devin_jupyter.magics.commands import COMMANDS, Command, command_help
from devin_jupyter.magics.display import Table
from devin_jupyter.magics.frontend import Notebook
from devin_jupyter.magics.magic import DevinMagics
from devin_jupyter.options.arguments import Argument
from devin_jupyter.text import nearest


class Commands:
    """The `%devin` commands as functions: `dj.commands.usage(since="30d")` is `%devin usage --since 30d`.

    Options are keywords, with `_` for `-`; a list may be given where several values are taken, and a session itself in
    place of its name. What a command prints is printed, what it shows is returned.
    """

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in COMMANDS:
            raise AttributeError(f"there is no command {name!r}{nearest(name, COMMANDS)}")
        return _function(name)

    def __dir__(self) -> list[str]:
        return list(COMMANDS)

    def __repr__(self) -> str:
        return f"<Commands: {', '.join(COMMANDS)}>"


commands = Commands()


@cache
def _function(name: str) -> Callable[..., Any]:
    command = COMMANDS[name]
    signature = inspect.Signature(
        [
            inspect.Parameter(one.name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None)
            if one.is_positional
            else inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=None)
            for one in sorted(command.arguments, key=lambda one: not one.is_positional)
        ]
    )

    def call(*args: Any, **options: Any) -> Any:
        try:
            given = signature.bind(*args, **options).arguments
        except TypeError as mistake:
            raise OptionError(f"commands.{name}: {mistake}", hint=f"help(dj.commands.{name})") from None
        try:
            shown = command.run(_notebook(), SimpleNamespace(**_values(command, given)))
        except DevinError as problem:
            problem.reword(lambda line: as_calls(line, command))
            raise
        if isinstance(shown, Table):
            shown.title = as_calls(shown.title, command)
        return shown

    call.__name__ = call.__qualname__ = name
    call.__module__ = "devin_jupyter.commands"
    call.__doc__ = command_help(command)
    call.__signature__ = signature  # type: ignore[attr-defined]  # inspect reads it
    return call


_LINE = re.compile(r"%devin (?P<name>\w+)")
_WORD = re.compile(
    r" (?P<flag>--[a-z][a-z-]*)| (?P<word>[A-Z][A-Z_]*\b|devin-\w+|\d+|'[^']*'|\"[^\"]*\"|\S+?(?= ends |$|[;,]))"
)


def as_calls(text: str, command: Command) -> str:
    """Return a text that names lines and flags as it reads in Python: `dj.commands.stop(all=True)`.

    Args:
        text: of an error.
        command: whose flags it names by themselves.
    """
    parts, at = list[str](), 0
    while found := _LINE.search(text, at):
        parts.append(_flags_as_keywords(text[at : found.start()], command))
        named, at = COMMANDS.get(found["name"]), found.end()
        if named is None:
            parts.append(found[0])
            continue
        values, places = list[str](), sum(one.is_positional for one in named.arguments)
        while word := _WORD.match(text, at):
            argument = next((one for one in named.arguments if word["flag"] and word["flag"] in one.flags), None)
            if argument is None and (word["flag"] or not places):
                break
            at = word.end()
            if argument is None:
                given, places = word["word"], places - 1
                is_plain = given.isidentifier() or given.isdecimal() or given[0] in "'\""
                values.insert(0, given if is_plain else repr(given))
            elif argument.kind == "flag":
                values.append(f"{argument.name}=True")
            elif value := _WORD.match(text, at):
                given = value["word"]
                values.append(f"{argument.name}={given if given.isupper() or given.isdecimal() else repr(given)}")
                at = value.end()
        parts.append(f"dj.commands.{named.name}({', '.join(values)})")
    return "".join([*parts, _flags_as_keywords(text[at:], command)])


def _flags_as_keywords(text: str, command: Command) -> str:
    for argument in command.arguments:
        if argument.flag:
            value = "=True" if argument.kind == "flag" else "="
            text = re.sub(rf"(?<![\w-]){argument.flag}(?![\w-])", argument.name + value, text)
    return text


def _values(command: Command, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of every argument as a magic line gives it: None where it is not given."""
    values: dict[str, Any] = {}
    for argument in command.arguments:
        value = given.get(argument.name)
        if value is None or value is False:
            if argument.is_needed:
                raise OptionError(
                    f"commands.{command.name} needs {argument.name}", hint=f"for example {command.python}"
                )
            is_list = argument.kind == "words" and argument.is_positional
            values[argument.name] = () if is_list else False if argument.kind == "flag" else None
        elif argument.values == "sessions" and not isinstance(value, str):
            is_one = argument.kind == "words" and not isinstance(value, (list, tuple))
            values[argument.name] = (value,) if is_one else value
        else:
            values[argument.name] = _converted(command, argument, value)
    return values


def _converted(command: Command, argument: Argument, value: Any) -> Any:
    """Return a value as a line gives it; an error names the argument as it is called in Python."""
    try:
        return command.syntax.convert(argument, value)
    except OptionError as problem:
        if problem.message.startswith(argument.flag or " "):
            problem.message = f"{argument.name}={problem.message.removeprefix(argument.flag)}"
            problem.args = ("\n".join(problem.lines),)
        raise


def _notebook() -> Notebook:
    """Return the notebook of the running shell; without one, the names of `__main__` and no person to click."""
    shell = running_shell() or _NoShell()
    loaded = next((one for one in getattr(shell, "configurables", ()) if isinstance(one, DevinMagics)), None)
    return Notebook(shell, loaded or _defaults())


class _NoShell:
    """Takes the place of IPython's shell where there is none; false, as `None` would be."""

    user_ns_hidden: Mapping[str, Any] = {}

    def __bool__(self) -> bool:
        return False

    @property
    def user_ns(self) -> dict[str, Any]:
        return vars(sys.modules["__main__"])

    def push(self, names: Mapping[str, Any]) -> None:
        self.user_ns.update(names)


@cache
def _defaults() -> Any:
    """Return the defaults of `%config DevinMagics`."""
    traits = DevinMagics.class_traits(config=True)
    return SimpleNamespace(**{name: trait.default() for name, trait in traits.items()})
