"""The option table as words: the help of `%%devin`, one option explained, and the table of the README."""

from __future__ import annotations

import textwrap

from devin_jupyter.options.option import GROUPS, Option
from devin_jupyter.options.table import OPTIONS

_WIDTH = 100
_INTRO = """\
%%devin [options]
the prompt, below the line of options

Start a Devin session that works on the prompt, and show it here. Running the cell again attaches to the same
session: it is never paid for twice. A backslash at the end of the line continues it. {{ expressions }} in the
prompt and in option values are filled in from the notebook's variables.

    %%devin --repos acme/api --schema 'severity:low|high, count:int' -o audit
    Audit the error handling.

    audit.result()"""
_OUTRO = """\
In Python the options are keywords of dj.create, those of batches of dj.map: --max-acu 5 is max_acu=5.
`%devin help` lists the other commands; defaults for this notebook: %config DevinMagics"""


def help_text() -> str:
    """Return the help of `%%devin`: every option in its group, with default, API version and example."""
    return "\n\n".join([_INTRO, *(_group(group) for group in GROUPS), _OUTRO])


def _group(group: str) -> str:
    return "\n".join([f"{group}:", *(entry(option) for option in OPTIONS if option.group == group)])


def entry(option: Option) -> str:
    """Return the help of one option: usage, explanation, example."""
    lines = textwrap.wrap(sentence(option), _WIDTH - 8)
    lines.append(f"e.g. {option.example}")
    return "\n".join([f"    {option.usage}", *(f"        {line}" for line in lines)])


def sentence(option: Option) -> str:
    """Return the explanation with the default and the API versions."""
    notes = [f"default: {option.default}"] if option.default else []
    return f"{option.help} ({'; '.join([*notes, version_note(option)])})"


def version_note(option: Option) -> str:
    """Return which API versions have the option, and what to do on the one that has not."""
    if option.api == "both":
        return "v1, v3"
    other = "v1" if option.api == "v3" else "v3"
    return f"{option.api} only; on {other}, {option.instead}"


def readme_table() -> str:
    """Return the Markdown table of all options, group by group, for the README."""
    lines = []
    for group in GROUPS:
        lines += [
            f"**{group}**",
            "",
            "| option | what it does | default | API | example |",
            "| --- | --- | --- | --- | --- |",
        ]
        lines += [_row(option) for option in OPTIONS if option.group == group]
        lines.append("")
    return "\n".join(lines)


def _row(option: Option) -> str:
    cells = [f"`{option.usage}`", option.help, option.default or "–", version_note(option), f"`{option.example}`"]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
