"""Completion of `%%devin` options and `%devin` commands: from the tables, names, files and what was seen.

Never a network call, and nothing inside the prompt: below the lines of options the completer is silent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from devin_jupyter.magics.offers import offers
from devin_jupyter.options import BY_FLAG, OPTIONS

if TYPE_CHECKING:
    from devin_jupyter.magics.notebook import Notebook

_LINE = re.compile(r"\s*(?:[\w.\[\], ]+=\s*)?%devin(?:\s+(.*))?$", re.DOTALL)
_WORD = re.compile(r"""(?:[^\s"']|"[^"]*"|'[^']*')+""")
Offer = tuple[str, str]
"""A completion, and what is shown beside it."""


def complete(notebook: Notebook, context: Any) -> dict[str, Any]:
    """Return what IPython's completer asks of a matcher."""
    from IPython.core.completer import SimpleCompletion

    before = _before(context.full_text.split("\n"), context.cursor_line, context.cursor_position)
    if before is None:
        return {"completions": []}
    found = _found(notebook, before)
    completions = [SimpleCompletion(text=text, type=label or "value") for text, label in found.offers]
    return {"completions": completions, "matched_fragment": found.fragment, "suppress": True, "ordered": True}


@dataclass(frozen=True, slots=True)
class Found:
    """What may stand where the cursor is, in place of `fragment`."""

    fragment: str
    offers: list[Offer]


@dataclass(frozen=True, slots=True)
class Before:
    """The line of a magic up to the cursor."""

    is_cell: bool
    text: str
    """After `%%devin` or `%devin`."""


def _before(lines: list[str], at: int, column: int) -> Before | None:
    """The text that the cursor ends, if it is in a line of options or of a command."""
    if lines and re.match(r"\s*%%devin(\s|$)", lines[0]):
        if any(not line.rstrip("\n").endswith("\\") for line in lines[:at]):
            return None
        joined = " ".join([*(line[:-1] for line in lines[:at]), lines[at][:column]])
        return Before(True, joined.split("%%devin", 1)[1]) if "%%devin" in joined else None
    if lines and lines[0].lstrip().startswith("%%"):
        return None
    match = _LINE.match(lines[at][:column])
    return Before(False, match[1]) if match and match[1] is not None else None


def _found(notebook: Notebook, before: Before) -> Found:
    *words, fragment = _words(before.text)
    if before.is_cell:
        if not before.text[:1].isspace():
            return Found("", [])
        return _cell(notebook, words, fragment)
    if not words:
        return Found(fragment, [offer for offer in _commands() if offer[0].startswith(fragment)])
    return _command(notebook, words, fragment)


def _words(text: str) -> list[str]:
    """Split as well as an unfinished line can be; the last word is the one at the cursor, perhaps empty."""
    words = _WORD.findall(text)
    return words if words and text.endswith(words[-1]) else [*words, ""]


def _cell(notebook: Notebook, words: list[str], fragment: str) -> Found:
    flag, _, start = fragment.partition("=")
    if start or fragment.endswith("="):
        option = BY_FLAG.get(flag)
        return _values(notebook, option.values if option else "", option.choices if option else (), start)
    wanted = _open_option(words)
    flags = [(one.flag, one.help) for one in OPTIONS if one.kind == "words" or one.flag not in words]
    if wanted is None or fragment.startswith("-"):
        return Found(fragment, [offer for offer in flags if offer[0].startswith(fragment)])
    found = _values(notebook, wanted.values, wanted.choices, fragment)
    several = wanted.kind == "words" and words[-1] not in BY_FLAG
    return Found(found.fragment, found.offers + (flags if several and not fragment else []))


def _open_option(words: list[str]) -> Any:
    """The option whose value may stand next: the last one, if it still takes one."""
    for distance, word in enumerate(reversed(words)):
        option = BY_FLAG.get(word)
        if option is not None:
            takes = {"flag": 0, "wait": 0, "words": len(words)}.get(option.kind, 1)
            return option if distance < takes else None
        if word.startswith("-"):
            return None
    return None


def _commands() -> list[Offer]:
    from devin_jupyter.magics.command_table import COMMANDS

    return [(command.name, command.help) for command in COMMANDS.values()]


def _command(notebook: Notebook, words: list[str], fragment: str) -> Found:
    from devin_jupyter.magics.command_table import COMMANDS

    command = COMMANDS.get(words[0])
    if command is None:
        return Found(fragment, [])
    if words[0] == "help":
        return Found(fragment, [offer for offer in _commands() if offer[0].startswith(fragment)])
    by_flag = {flag: one for one in command.arguments if one.is_option for flag in (one.name, one.short) if flag}
    if fragment.startswith("-"):
        return Found(fragment, [(one.name, one.help) for one in by_flag.values() if one.name.startswith(fragment)])
    last = by_flag.get(words[-1])
    if last is None or last.kind == "flag":
        places = [one for one in command.arguments if not one.is_option]
        taken = len([word for word in words[1:] if not word.startswith("-")])
        last = places[min(taken, len(places) - 1)] if places else None
    return _values(notebook, last.values, last.choices, fragment) if last else Found(fragment, [])


def _values(notebook: Notebook, kind: str, choices: Iterable[str], fragment: str) -> Found:
    known = [(choice, "") for choice in choices] or offers(notebook, kind, fragment)
    low = fragment.lower()
    starts = [offer for offer in known if offer[0].lower().startswith(low)]
    inside = [offer for offer in known if offer not in starts and low in " ".join(offer).lower()] if low[2:] else []
    return Found(fragment, starts + inside)
