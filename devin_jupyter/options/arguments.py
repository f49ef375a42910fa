"""The language of magic lines: what an argument is, and how a line is split, read, converted and explained.

`%%devin`, every `%devin` command and the keywords of `dj.create` are tables of `Argument`s. Nothing here does I/O.
"""

from __future__ import annotations

import argparse
import math
import re
import shlex
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, NoReturn

from devin_jupyter.errors import OptionError, TemplateError
from devin_jupyter.redaction import contains_key
from devin_jupyter.text import DASHES, nearest, parse_duration
from devin_jupyter.values import in_order, is_null

WIDTH = 110
"""Columns of a help text."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a magic line: an option (`--max-acu 5`) or a positional word."""

    name: str
    """The keyword in Python: `max_acu` for `--max-acu`."""
    help: str
    """One line, without a full stop."""
    kind: str = "word"
    """`flag`, `word`, `words`, `int` and `number` (above 0), `time` (seconds), `wait` (a time, or none: no limit),
    `optional` (a word that may be left out after its flag)."""
    metavar: str = ""
    example: str = ""
    default: str = ""
    """The default, as text for the help."""
    choices: tuple[str, ...] = ()
    is_open: bool = False
    """The service may know other values than these choices: one is sent as it is, and a line says so."""
    short: str = ""
    values: str = ""
    """What the completer offers: `tags`, `repos`, `playbooks`, `knowledge`, `sessions`, `files`, …."""
    is_positional: bool = False
    is_needed: bool = False
    takes_objects: bool = False
    """In Python, values that are not text are used as they are: a DataFrame, a model, a session."""
    api: str = "both"
    """`both`, or the only version that has it: `v3` or `v1`."""
    instead: str = ""
    """What to do on the other version."""
    needs: str = ""
    """The option without which this one means nothing."""
    excludes: str = ""
    """The option that contradicts this one."""
    allowed_with_to: bool = False
    """A `--to` cell, which sends a message to an existing session, may have it."""
    elsewhere: str = ""
    """What to use in Python instead, where `dj.create` does not take it."""
    field: str = ""
    """The field of the request body."""
    sent_flag: bool = True
    """What the field holds where a flag is given."""
    empties: str = ""
    """The option whose value this flag makes an empty list: none at all."""
    may_be_empty: bool = False
    """An empty list is sent and means none at all; otherwise it counts as not given."""
    identity: str = ""
    """The name under which it is hashed. Never change one: sessions that were paid for are found by the hash."""
    is_incidental: bool = False
    """A difference starts no other session; it attaches, and is named."""

    @property
    def flag(self) -> str:
        """The long form: `--max-acu`; nothing for a positional word."""
        return "" if self.is_positional else "--" + self.name.replace("_", "-")

    @property
    def flags(self) -> tuple[str, ...]:
        """Every form of the flag, the short one first."""
        return tuple(flag for flag in (self.short, self.flag) if flag)

    @property
    def bare(self) -> str:
        """How the help shows it: flags, and what follows them."""
        shown = self.metavar or "|".join(self.choices) or self.name.upper()
        tail = {"flag": "", "words": f"{shown} …", "wait": f"[{shown}]", "optional": f"[{shown}]"}.get(self.kind, shown)
        return " ".join(part for part in (", ".join(self.flags), tail) if part)

    @property
    def usage(self) -> str:
        """The same in a usage line, in brackets where it may be left out."""
        return self.bare if self.is_needed else f"[{self.bare}]"

    @property
    def is_text(self) -> bool:
        """Whether any text is a valid value; others are converted once their `{{ }}` are filled in."""
        return self.kind in ("word", "words", "optional") and (self.is_open or not self.choices)

    @property
    def explanation(self) -> str:
        """The help with the choices that the usage does not list, the default, and the API versions."""
        listed = f": {', '.join(self.choices)}" if self.choices and self.metavar else ""
        versions = self.versions if self.api != "both" else ""
        notes = "; ".join(note for note in (f"default: {self.default}" if self.default else "", versions) if note)
        return f"{self.help}{listed}" + (f" ({notes})" if notes else "")

    @property
    def versions(self) -> str:
        """Which API versions have it, and what to do on the one that has not."""
        if self.api == "both":
            return "v1, v3"
        return f"{self.api} only; on {'v1' if self.api == 'v3' else 'v3'}, {self.instead}"


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
class Syntax:
    """What a line may hold: of `%%devin`, or of one command."""

    title: str
    """`%%devin`, `%devin send`."""
    arguments: tuple[Argument, ...]
    example: str = ""
    hint: str = ""
    """The hint for an unknown option; by default the usage."""
    stray_hint: str = ""
    """The hint for a stray word; by default the usage."""

    @property
    def usage(self) -> str:
        """The title with every argument."""
        return " ".join([self.title, *(argument.usage for argument in self.arguments)])

    @property
    def by_name(self) -> dict[str, Argument]:
        """The arguments by their names."""
        return {argument.name: argument for argument in self.arguments}

    @property
    def by_flag(self) -> dict[str, Argument]:
        """The options by each of their flags."""
        return {flag: argument for argument in self.arguments for flag in argument.flags}

    def example_of(self, argument: Argument | None) -> str:
        """Return an example that has this argument; generated if the table has none."""
        if argument is None or argument.is_positional or argument.flag in self.example.split():
            return self.example
        if argument.example:
            return argument.example
        needed = [one.metavar for one in self.arguments if one.is_needed]
        sample = argument.choices[0] if argument.choices else _SAMPLES.get(argument.metavar, argument.metavar)
        return " ".join([self.title, *needed, argument.flag, *([] if argument.kind == "flag" else [sample])])

    def parse(self, words: list[str]) -> dict[str, Any]:
        """Return the texts that the words give for each argument; False, None or an empty list if not given.

        Raises:
            OptionError: an unknown option, an extra word, or an option without its value.
        """
        words = [self._usual_flag(word) for word in words]
        found, rest = _parser(self).parse_known_intermixed_args(words)
        if rest:
            self._refuse(words, rest)
        return vars(found)

    def read(self, words: list[str]) -> dict[str, Any]:
        """Return the value of each argument, converted; None where it is not given.

        Raises:
            OptionError: an unknown, missing or malformed argument.
        """
        said = self.parse(words)
        missing = [argument.bare for argument in self.arguments if argument.is_needed and not said[argument.name]]
        if missing:
            lists = (one for one in self.arguments if one.flag and one.kind == "words")
            greedy = next((one.flag for one in lists if said[one.name]), None)  # it may have taken the missing word
            hint = f"{greedy} takes every word after it: put it last" if greedy else f"for example {self.example}"
            raise OptionError(f"{self.title} needs {' and '.join(missing)}", hint=hint)
        return {
            argument.name: None if said[argument.name] is None else self.convert(argument, said[argument.name])
            for argument in self.arguments
        }

    def given(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what was given (None and False are not), converted; templates of numbers, times and choices wait.

        Raises:
            OptionError: a bad value, or arguments that do not go together.
        """
        given: dict[str, Any] = {}
        for argument in self.arguments:
            value = values.get(argument.name)
            if value is not None and value is not False:
                given[argument.name] = value if _is_pending(argument, value) else self.convert(argument, value)
        for argument in self.arguments:
            if argument.name not in given:
                continue
            if argument.excludes in given:
                other = self.by_name[argument.excludes].flag
                raise OptionError(f"{other} and {argument.flag} cannot be combined", hint="remove one of them")
            if argument.needs and argument.needs not in given:
                needed = self.by_name[argument.needs]
                raise OptionError(f"{argument.flag} needs {needed.flag}", hint=needed.help)
        return given

    def fill(self, values: Mapping[str, Any], render: Callable[[str], str | None] | None) -> dict[str, Any]:
        """Return values with every template filled in by `render`; None leaves texts as they are.

        What `render` returns None for is left out, as if it had not been given.

        Raises:
            OptionError: a template gives no number, time or choice where one is needed.
        """

        def filled(value: Any) -> Any:
            if isinstance(value, tuple):
                found = tuple(text for item in value if (text := filled(item)) is not None)
                return found if found or not value else None
            return render(value) if render is not None and is_template(value) else value

        ready: dict[str, Any] = {}
        by_name = self.by_name
        for name, value in values.items():
            argument = by_name[name]
            if not _is_pending(argument, value):
                found = filled(value) if argument.is_text else value
            elif (found := filled(value)) is not None:
                found = self.convert(argument, found)
            if found is not None:
                ready[name] = found
        return ready

    def templates(self, values: Mapping[str, Any]) -> Iterator[str]:
        """Yield the texts that `fill` fills in."""
        by_name = self.by_name
        for name, value in values.items():
            if by_name[name].is_text or _is_pending(by_name[name], value):
                yield from _texts(value)

    def convert(self, argument: Argument, value: Any) -> Any:
        """Return a value as the argument's kind; text is read as on the line.

        Raises:
            OptionError: it cannot be read, or is none of the choices.
        """
        label = argument.flag or argument.bare
        try:
            read = _READERS.get(argument.kind, _word)(value)
        except (ValueError, TypeError):
            expected = _EXPECTED.get(argument.kind, "a time such as 90, 30m, 4h or 6d")
            hint = f"for example {self.example_of(argument)}"
            raise OptionError(f"{label} takes {expected}, not {value!r}", hint=hint) from None
        if argument.choices:  # FAST is fast
            known = {choice.lower(): choice for choice in argument.choices}

            def usual(word: Any) -> Any:
                return known.get(word.strip().lower(), word) if isinstance(word, str) else word

            read = tuple(map(usual, read)) if isinstance(read, tuple) else usual(read)
        for word in read if isinstance(read, tuple) else (read,):
            if argument.is_text and not argument.takes_objects and not isinstance(word, str):
                hint = f"for example {self.example_of(argument)}"
                raise OptionError(f"{label} takes text, not {type(word).__name__}", hint=hint)
            if argument.choices and word not in argument.choices and not argument.is_open:
                spoken = _SPOKEN.get(argument.name, argument.name.replace("_", "-"))
                raise OptionError(
                    f"unknown {spoken} {word!r}{nearest(str(word), argument.choices)}",
                    hint=f"one of {', '.join(argument.choices)}",
                )
        return read

    def usual_name(self, name: str) -> str:
        """Return the documented name of an argument that was written in another unambiguous way."""
        usual = _OTHER_NAMES.get(name)
        return name if usual is None or name in self.by_name or usual not in self.by_name else usual

    def _usual_flag(self, word: str) -> str:
        flag, equals, value = word.partition("=")
        if not flag.startswith("--"):
            return word
        name = flag[2:].replace("-", "_")
        usual = self.usual_name(name)
        return word if usual == name else f"{self.by_name[usual].flag}{equals}{value}"

    def _refuse(self, words: Sequence[str], rest: list[str]) -> NoReturn:
        for each in rest:
            refuse_short_key(each)
        word = next((word for word in rest if word.startswith(DASHES)), rest[0]).split("=", 1)[0]
        if not word.startswith(DASHES):
            meant = _meant_duration(words, word)
            raise OptionError(f"unexpected word {word!r}{meant}", hint=self.stray_hint or self.usage)
        flags = [argument.flag for argument in self.arguments if argument.flag]
        raise OptionError(f"{self.title} has no option {word}{nearest(word, flags)}", hint=self.hint or self.usage)


_OTHER_NAMES = {
    **{"repo": "repos", "tag": "tags", "max_acus": "max_acu"},
    **{"attachment": "attach", "attachments": "attach", "files": "attach", "file": "attach"},
    **{"parallel": "max_parallel", "secret": "secrets", "output": "out"},
}
"""Other names that people try for an option, as a flag or a keyword, and its name."""


def _meant_duration(words: Sequence[str], stray: str) -> str:
    """Return ` (did you mean --wait 30m?)` where a time was written in two words without quotes."""
    at = list(words).index(stray) if stray in words else 0
    if at == 0 or not words[at - 1].isdigit():
        return ""
    with suppress(ValueError):
        parse_duration(f"{words[at - 1]} {stray}")
        flag = f"{words[at - 2]} " if at > 1 and words[at - 2].startswith("-") else ""
        return f" (did you mean {flag}{words[at - 1]}{stray[0].lower()}?)"
    return ""


def is_template(value: Any) -> bool:
    """Whether a value is a text with an expression to fill in."""
    return isinstance(value, str) and "{{" in value


def _is_pending(argument: Argument, value: Any) -> bool:
    """Whether the value of a number, time or choice is a template, converted once it is filled in."""
    return is_template(value) and not argument.is_text and argument.kind != "words"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for item in value if isinstance(value, tuple) else ():
        yield from _texts(item)


class _Parser(argparse.ArgumentParser):
    """Raises `OptionError` where argparse would print and exit; takes no abbreviations."""

    def __init__(self, syntax: Syntax) -> None:
        super().__init__(prog=syntax.title, add_help=False, allow_abbrev=False)
        self._syntax = syntax
        for argument in syntax.arguments:
            if argument.kind == "flag":
                self.add_argument(*argument.flags, dest=argument.name, action="store_true")
            elif argument.is_positional:
                self.add_argument(argument.name, nargs="*" if argument.kind == "words" else "?")
            elif argument.kind == "words":
                self.add_argument(*argument.flags, dest=argument.name, nargs="+", action="extend")
            elif argument.kind in ("wait", "optional"):
                self.add_argument(
                    *argument.flags, dest=argument.name, nargs="?", const=True if argument.kind == "wait" else ""
                )
            else:
                self.add_argument(*argument.flags, dest=argument.name)

    def error(self, message: str) -> NoReturn:
        match = re.match(r"argument (\S+): (.*)", message)
        if not match:
            raise OptionError(message[:1].lower() + message[1:], hint=f"{self.prog} --help shows the usage")
        flag = match[1].split("/")[-1]
        problem = _PROBLEMS.get(match[2].split(" '")[0], match[2])
        argument = self._syntax.by_flag.get(flag)
        raise OptionError(f"{flag} {problem}", hint=f"for example {self._syntax.example_of(argument)}")


_PROBLEMS = {
    "expected one argument": "needs a value",
    "expected at least one argument": "needs at least one value",
    "ignored explicit argument": "takes no value",
}
_parser = cache(_Parser)


def number(value: Any) -> float:
    """Return a number above 0; TypeError or ValueError for anything else."""
    if isinstance(value, bool):
        raise TypeError("not a number")
    found = float(value)
    if not 0 < found < math.inf:
        raise ValueError("not above 0")
    return found


def whole_number(value: Any) -> int:
    """Return a whole number above 0; TypeError or ValueError for anything else."""
    found = number(value)
    if found != int(found):
        raise ValueError("not a whole number")
    return int(found)


def seconds(timeout: Any) -> float | None:
    """Return a time-out in seconds, None for none; texts as in `--wait` are understood.

    Raises:
        OptionError: not a duration.
    """
    try:
        found = None if timeout is None else parse_duration(timeout)
    except (TypeError, ValueError):
        raise OptionError(
            f"a timeout is a number of seconds or a text such as '30m', not {timeout!r}",
            "nothing was changed; the session keeps running",
            "for example .wait(90), .wait('30m'), .wait('4h'), or .wait() for no limit",
        ) from None
    return None if found == math.inf else found


def _wait(value: Any) -> float:
    return math.inf if value is True else parse_duration(value)


def _words(value: Any) -> Any:
    if isinstance(value, Mapping):
        return value
    if isinstance(value, (set, frozenset)):
        value = in_order(value)
    if isinstance(value, (list, tuple)):
        return tuple(_word(item) for item in value)
    return (_word(value),)


def _word(value: Any) -> Any:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and not is_null(value)
    return str(value) if is_number else value


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "flag": bool,
    "int": whole_number,
    "number": number,
    "time": parse_duration,
    "wait": _wait,
    "words": _words,
}
_EXPECTED = {"int": "a whole number above 0", "number": "a number above 0", "flag": "no value"}


RAW = "correct it, or add --raw to send the text as it is"
_HOLE = re.compile("\ue000(\\d+)\ue001")


_UNUSUAL = re.compile(
    r"""(?P<quoted>'[^']*'|"(?:\\.|[^"\\])*")"""
    r"""|(?<![^\s=])(?P<curly>[“”„][^“”„"]*[“”]|[‘’][^‘’']*[‘’])(?=\s|$)"""
    r"""|(?<![^\s=])(?P<path>(?:[A-Za-z]:|\.{1,2}|\\)\\[^\s"']+)"""
    r"""|(?<!\S)(?P<comment>\#(?:\s.*)?$)|(?<!\S)(?P<hash>\#\S+)""",
    re.DOTALL,
)


def _usual(match: re.Match[str], comments: bool) -> str:
    """Write a part of a line as a shell takes it: curly quotes, a path of Windows, a comment."""
    text = match[0]
    if match["curly"]:
        mark = "'" if text[0] in "‘’" else '"'
        return mark + text[1:-1] + mark
    if match["path"]:
        return text.replace("\\", "\\\\")
    if comments and match["comment"]:
        return ""
    if comments and match["hash"]:
        raise OptionError(
            f"{text} on the option line may be a comment or a value",
            hint=f"put a blank after the # of a comment, or quote the value: '{text}'",
        )
    return text


def split(line: str, *, comments: bool = True) -> list[str]:
    """Split a magic line as a shell would; a `{{ … }}` stays in one word, and a `# comment` at the end is left out.

    Args:
        line: without the name of the magic.
        comments: False takes a `#` as it is, where the line holds free text.

    Raises:
        OptionError: a quote that is never closed, or an API key on the line.
    """
    refuse_keys(line)
    held: list[str] = []
    parts, at = [], 0
    for start, end in expressions(line, strict=False):
        parts += [line[at:start], f"\ue000{len(held)}\ue001"]
        held.append(line[start:end])
        at = end
    try:
        plain = _UNUSUAL.sub(lambda match: _usual(match, comments), "".join([*parts, line[at:]]))
        words = shlex.split(plain)
    except ValueError:
        raise OptionError(
            "a quote on the option line is never closed", hint="close it, or write \\' for a literal quote"
        ) from None
    return [_HOLE.sub(lambda match: held[int(match[1])], word) for word in words]


def refuse_keys(line: str) -> None:
    """Refuse a line that holds something like an API key, without repeating it."""
    if contains_key(line):
        raise OptionError(_HAS_KEY, "notebooks store every line", _INSTEAD_OF_KEY)


def refuse_short_key(word: str) -> None:
    """Refuse a stray word that begins like an API key, however short, without repeating it."""
    if word.lower().startswith(_KEY_STARTS):
        raise OptionError(_HAS_KEY, "notebooks store every line", _INSTEAD_OF_KEY)


_KEY_STARTS = ("cog_", "apk_")
_HAS_KEY = "the line holds a word that looks like an API key (cog_… or apk_…)"
_INSTEAD_OF_KEY = "remove it, then set DEVIN_API_KEY or run %devin connect; rotate the key if the notebook was saved"


def continued(line: str, body: str) -> tuple[str, str]:
    """Return the line with the body's first lines joined on, for as long as a line ends in one backslash."""
    while (len(line) - len(line.rstrip("\\"))) % 2:
        more, _, body = body.partition("\n")
        line = f"{line[:-1].rstrip()} {more.strip()}"
    return line, body


_SPOKEN = {"act": "action"}
"""What an argument is called in errors, where its name would not be understood."""


def expressions(text: str, *, strict: bool = True) -> Iterator[tuple[int, int]]:
    """Yield where each `{{ … }}` starts and ends, evaluating none; quotes and brackets inside are respected.

    Raises:
        TemplateError: a `{{` that is never closed, where `strict`; otherwise it counts as plain text.
    """
    at = text.find("{{")
    while at >= 0:
        end = _end(text, at + 2)
        if end < 0:
            if strict:
                raise TemplateError("a {{ is never closed", hint=RAW)
            return
        yield at, end
        at = text.find("{{", end)


def _end(text: str, at: int) -> int:
    depth, quote = 0, ""
    while at < len(text):
        char = text[at]
        if quote:
            at += char == "\\"
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif not depth and text.startswith("}}", at):
            return at + 2
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth = max(0, depth - 1)
        at += 1
    return -1


def explained(arguments: Iterable[Argument]) -> str:
    """Return the help of arguments: how each is written, what it does, and an example where there is one."""
    arguments = list(arguments)
    column = min(max((len(argument.bare) for argument in arguments), default=0) + 2, 26)
    lines = []
    for argument in arguments:
        words = textwrap.wrap(argument.explanation, WIDTH - column - 4)
        if argument.example and argument.example != argument.flag:  # of a flag it would say nothing new
            words.append(f"e.g. {argument.example}")
        head = f"    {argument.bare:{column}}"
        if len(argument.bare) + 2 > column:
            lines += [head.rstrip()]
            head = " " * (column + 4)
        lines += [head + words[0], *(" " * (column + 4) + line for line in words[1:])]
    return "\n".join(lines)
