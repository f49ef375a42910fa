"""From a magic line, or from Python keywords, to `Options`: shlex and argparse, with errors that help.

What is read here is not rendered yet; a key or a secret value on the line is refused without repeating it.
"""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NoReturn

from devin_jupyter.errors import OptionError
from devin_jupyter.options.expressions import expressions
from devin_jupyter.options.table import BY_FLAG, BY_NAME, OPTIONS
from devin_jupyter.options.values import Options, of
from devin_jupyter.redaction import contains_key
from devin_jupyter.text import DASHES, nearest

_HELP = frozenset((BY_NAME["help"].flag, BY_NAME["help"].short))
_HOLE = re.compile("\ue000(\\d+)\ue001")


def parse(line: str) -> Options:
    """Return the options of a `%%devin` line.

    Raises:
        OptionError: an unknown option or value, a bad quote, a key or a secret value on the line.
    """
    words = split(line)
    if not _HELP.isdisjoint(words):  # whoever asks for help may have mistyped the rest
        return of({"help": True})
    found, rest = _parser().parse_known_args(words)
    if rest:
        _refuse_rest(rest)
    values = {option.name: getattr(found, option.name) for option in OPTIONS}
    _refuse_secret_values(values["secrets"] or ())
    return of(values)


def from_keywords(**keywords: Any) -> Options:
    """Return the options for keywords of `dj.create`: the same names with `_`; schema, secrets and attach take objects.

    Raises:
        OptionError: an unknown name or a value that cannot be meant.
    """
    for name in keywords:
        if name not in BY_NAME:
            raise OptionError(
                f"there is no option {name!r}{nearest(name, BY_NAME)}",
                hint="%%devin --help lists them: --max-acu there is max_acu here",
            )
    secrets = keywords.get("secrets")
    if secrets is not None and not isinstance(secrets, Mapping):
        _refuse_secret_values(secrets if isinstance(secrets, (list, tuple, set, frozenset)) else [secrets])
    return of(keywords)


def split(line: str) -> list[str]:
    """Split a magic line as a shell would; a `{{ … }}` stays in one word. Refuses API keys."""
    refuse_keys(line)
    held: list[str] = []

    def hold(expression: str) -> str:
        held.append(expression)
        return f"\ue000{len(held) - 1}\ue001"

    parts, at = [], 0
    for start, end in expressions(line, strict=False):
        parts += [line[at:start], hold(line[start:end])]
        at = end
    try:
        words = shlex.split("".join([*parts, line[at:]]))
    except ValueError:
        raise OptionError(
            "a quote is opened on the line of options and never closed", hint="close it, or write \\' for a plain one"
        ) from None
    return [_HOLE.sub(lambda match: held[int(match[1])], word) for word in words]


def refuse_keys(line: str) -> None:
    """Refuse a line that holds something like an API key, without repeating it."""
    if contains_key(line):
        raise OptionError(
            "the line holds a word that looks like an API key (cog_… or apk_…)",
            "a notebook keeps every line it is given; nothing was sent",
            "take it off the line, set DEVIN_API_KEY or run %devin connect; rotate the key if the notebook was saved",
        )


def continued(line: str, body: str) -> tuple[str, str]:
    """Return the line with the body's first lines joined on, for as long as a line ends in one backslash."""
    while (len(line) - len(line.rstrip("\\"))) % 2:
        more, _, body = body.partition("\n")
        line = f"{line[:-1].rstrip()} {more.strip()}"
    return line, body


class Parser(argparse.ArgumentParser):
    """An argparse parser that raises `OptionError` where argparse would print and exit."""

    def __init__(self, prog: str = "%%devin", example: Callable[[str], str] | None = None) -> None:
        """Make a parser without abbreviations and without its own help; `example` gives one of a flag."""
        super().__init__(prog=prog, add_help=False, allow_abbrev=False)
        self._example = example or _example

    def error(self, message: str) -> NoReturn:
        """Turn argparse's message into an `OptionError` with an example."""
        match = re.match(r"argument (\S+): (.*)", message)
        if not match:
            raise OptionError(message[:1].lower() + message[1:], hint=f"{self.prog} --help shows the usage")
        flag = match[1].split("/")[-1]
        do = f"for example {self._example(flag)}"
        words = _PLAIN_WORDS.get(match[2].split(" '")[0], match[2])
        raise OptionError(f"{flag} {words}", hint=do)


_PLAIN_WORDS = {
    "expected one argument": "needs a value",
    "expected at least one argument": "needs at least one value",
    "ignored explicit argument": "takes no value",
}


def _example(flag: str) -> str:
    return BY_FLAG[flag].example


@cache
def _parser() -> Parser:
    parser = Parser()
    for option in OPTIONS:
        flags = [option.short, option.flag] if option.short else [option.flag]
        if option.kind == "flag":
            parser.add_argument(*flags, dest=option.name, action="store_true")
        elif option.kind == "words":
            parser.add_argument(*flags, dest=option.name, nargs="+", action="extend")
        elif option.kind == "wait":
            parser.add_argument(*flags, dest=option.name, nargs="?", const=True)
        else:
            parser.add_argument(*flags, dest=option.name)
    return parser


def _refuse_rest(rest: list[str]) -> NoReturn:
    word = next((word for word in rest if word.startswith(DASHES)), rest[0])
    if not word.startswith(DASHES):
        raise OptionError(
            f"{word!r} belongs to no option",
            hint="the prompt goes below the %%devin line; quote values that hold spaces; %%devin? lists the options",
        )
    flag = word.split("=", 1)[0]
    raise OptionError(
        f"there is no option {flag}{nearest(flag, [flag for flag in BY_FLAG if flag.startswith('--')])}",
        hint="%%devin? lists the options",
    )


def _refuse_secret_values(words: Any) -> None:
    if any("=" in str(word) for word in words):
        raise OptionError(
            "--secrets takes names only, never a value",
            "the value is in this cell now, and was not sent; remove it before you save",
            "put it in an environment variable and write --secrets NAME, or in Python secrets={'NAME': value}",
        )
