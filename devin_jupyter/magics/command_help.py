"""The command table as words: the overview of `%devin help`, one command explained, and the README's table."""

from __future__ import annotations

from textwrap import wrap

from devin_jupyter.magics.command import Call, Command, find
from devin_jupyter.magics.command_table import COMMANDS, GROUPS
from devin_jupyter.options import CELL, Argument, explained, help_text


def show(call: Call) -> None:
    """`%devin help [COMMAND|OPTION]`."""
    topic = call.said.topic
    if topic is None:
        print(overview())
    elif topic.lstrip("%") == "devin":
        print(help_text())
    elif (option := _option(topic)) is not None:
        print(f"%%devin\n{explained([option])}")
    else:
        print(command_help(find(topic)))


def _option(topic: str) -> Argument | None:
    """The option of `%%devin` that a topic names; a command of that name goes first, unless there are dashes."""
    return CELL.by_flag.get(topic if topic.startswith("-") or topic in COMMANDS else f"--{topic.replace('_', '-')}")


def overview() -> str:
    """Return every command with one line, and where the options of `%%devin` are explained."""
    lines = ["%devin COMMAND …", ""]
    width = max(map(len, COMMANDS)) + 2
    for group in GROUPS:
        lines.append(f"{group}:")
        lines += [f"    {one.name:{width}}{summary(one)}" for one in COMMANDS.values() if one.group == group]
        lines.append("")
    return "\n".join([*lines, "%devin help COMMAND explains one. A session is started by a %%devin cell: see %%devin?"])


def command_help(command: Command) -> str:
    """Return usage, arguments and an example of one command."""
    usage = wrap(command.syntax.usage, 100, subsequent_indent="    ")
    more = wrap(command.more, 100, initial_indent="    ", subsequent_indent="    ")
    parts = [
        [*usage, "", f"    {summary(command)}"],
        [explained(command.arguments)],
        [f"    e.g. {command.example}"],
        more,
    ]
    return "\n\n".join("\n".join(part) for part in parts if any(part))


def summary(command: Command) -> str:
    """Return the line on a command, with the API version where there is only one."""
    return command.help + (f" ({command.api} only)" if command.api != "both" else "")


def readme_table() -> str:
    """Return the Markdown table of all commands for the README."""
    lines = ["| command | what it does | example |", "| --- | --- | --- |"]
    for command in COMMANDS.values():
        cells = [f"`{command.syntax.usage}`", summary(command), f"`{command.example}`"]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)
