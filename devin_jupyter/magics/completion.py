"""Completion of `%%devin` options and `%devin` commands: from the tables, names, files and what was seen.

Never a network call, and nothing inside the prompt: below the lines of options nobody completes anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from devin_jupyter.magics.offers import offers
from devin_jupyter.options import CELL

if TYPE_CHECKING:
    from devin_jupyter.magics.notebook import Notebook

_CELL = re.compile(r"\s*%%devin(\s|$)")
_LINE = re.compile(r"\s*(?:[\w.\[\], ]+=\s*)?%devin(?:\s+(.*))?$", re.DOTALL)
_WORD = re.compile(r"""(?:[^\s"'\\]|\\.?|"[^"]*(?:"|$)|'[^']*(?:'|$))+""")
_NEEDS_QUOTES = re.compile(r"""[\s"'\\]""")
Offer = tuple[str, str]
"""A completion, and what is shown beside it."""


class Silence(list[Any]):
    """No completions, and none by others: IPython lets those that have some keep the rest quiet, and counts."""

    def __len__(self) -> int:
        """Count as one."""
        return 1


@dataclass(frozen=True, slots=True)
class Found:
    """What may stand where the cursor is, in place of `fragment`."""

    fragment: str
    offers: Sequence[Offer] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where the cursor is: in the options of a cell, in a command, or in a prompt."""

    kind: Literal["cell", "line", "prompt"]
    text: str = ""
    """What stands between the magic's name and the cursor."""


def complete(notebook: Notebook, context: Any) -> dict[str, Any]:
    """Return what IPython's completer asks of a matcher; where a place is ours, nobody else is asked."""
    from IPython.core.completer import SimpleCompletion

    lines, at = context.full_text.split("\n"), context.cursor_line
    place = _place(lines, at, context.cursor_position)
    if place is None:
        return {"completions": []}
    found = _found(notebook, place)
    if not lines[at][: context.cursor_position].endswith(found.fragment):  # a quote that was opened on a line before
        found = Found("")
    completions = [SimpleCompletion(text=text, type=label or "value") for text, label in found.offers]
    return {
        "completions": completions or Silence(),
        "matched_fragment": found.fragment,
        "suppress": True,
        "ordered": True,
    }


def _place(lines: list[str], at: int, column: int) -> Place | None:
    """Where the cursor is, if that is a matter of ours; IPython overlooks blank lines above a cell magic."""
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    if at < first:
        return None
    if _CELL.match(lines[first]):
        return _in_cell([line.removesuffix("\r") for line in lines[first:at]], lines[at][:column])
    if lines[first].lstrip().startswith("%%"):
        return None
    match = _LINE.match(lines[at][:column])
    return Place("line", match[1]) if match and match[1] is not None else None


def _in_cell(above: list[str], line: str) -> Place | None:
    if any(not one.endswith("\\") for one in above):
        return Place("prompt")
    _, _, text = " ".join([*(one[:-1] for one in above), line]).partition("%%devin")
    return Place("cell", text) if text[:1].isspace() else None


def _found(notebook: Notebook, place: Place) -> Found:
    if place.kind == "prompt":
        return Found("")
    *words, fragment = _words(place.text)
    if place.kind == "cell":
        return _next(notebook, CELL.by_flag, (), words, fragment)
    from devin_jupyter.magics.command_table import COMMANDS

    if not words:
        return Found(fragment, _fitting(((one.name, one.help) for one in COMMANDS.values()), fragment))
    command = COMMANDS.get(words[0])
    if command is None:
        return Found("")
    positions = [one for one in command.arguments if one.is_positional]
    return _next(notebook, command.syntax.by_flag, positions, words[1:], fragment)


def _words(text: str) -> list[str]:
    """Split as well as an unfinished line can be; the last word is the one at the cursor, perhaps empty."""
    words = _WORD.findall(text)
    return words if words and text.endswith(words[-1]) else [*words, ""]


def _next(
    notebook: Notebook, by_flag: Mapping[str, Any], positions: Sequence[Any], words: list[str], fragment: str
) -> Found:
    """What may follow the words: the value of an option, a positional argument, or the next option."""
    flag, is_joined, value = fragment.partition("=")
    if is_joined and flag in by_flag:
        return _values(notebook, by_flag[flag], value)
    given = {by_flag[word] for word in words if word in by_flag}
    flags = [
        (flag, one.help)
        for flag, one in by_flag.items()
        if flag.startswith("--") and (one.kind == "words" or one not in given)
    ]
    if fragment.startswith("-"):
        return Found(fragment, _fitting(flags, fragment))
    option, is_wanting, taken = _open_option(by_flag, words)
    wanted = option or (positions[min(taken, len(positions) - 1)] if positions else None)
    found = _values(notebook, wanted, fragment) if wanted else Found(fragment)
    return found if fragment or is_wanting else Found("", [*found.offers, *flags])


def _open_option(by_flag: Mapping[str, Any], words: list[str]) -> tuple[Any, bool, int]:
    """The option whose value may stand next, whether it must, and how many words belong to no option."""
    option, values, taken = None, 0, 0
    for word in words:
        if word in by_flag:
            option, values = by_flag[word], 0
        elif option is not None and values < _takes(option):
            values += 1
        else:
            option, taken = None, taken + (not word.startswith("-"))
    if option is None or values >= _takes(option):
        return None, False, taken
    return option, values == 0 and option.kind not in ("wait", "optional"), taken


def _takes(option: Any) -> float:
    """How many values an option may have."""
    return {"flag": 0, "words": float("inf")}.get(option.kind, 1)


def _values(notebook: Notebook, wanted: Any, fragment: str) -> Found:
    quote = fragment[:1] if fragment[:1] in ("'", '"') else ""
    typed = fragment.removeprefix(quote).removesuffix(quote)
    known = [(choice, "") for choice in wanted.choices] or offers(notebook, wanted.values, typed)
    low = typed.lower()
    starts = _fitting(known, low)
    inside = [offer for offer in known if offer not in starts and low in " ".join(offer).lower()] if low[2:] else []
    return Found(fragment, [(_written(value, quote), label) for value, label in starts + inside])


def _fitting(known: Iterable[Offer], start: str) -> list[Offer]:
    return [offer for offer in known if offer[0].lower().startswith(start)]


def _written(value: str, quote: str) -> str:
    """The value as it stands on the line: in quotes where it needs them; those of a folder are left open."""
    if not quote and not _NEEDS_QUOTES.search(value):
        return value
    if not quote or quote in value:
        quote = '"' if "'" in value else "'"
    return f"{quote}{value}" + ("" if value.endswith("/") else quote)
