"""What options hold once read: one frozen value, typed, the same from a magic line and from Python keywords."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from keyword import iskeyword
from types import MappingProxyType
from typing import Any

from devin_jupyter.errors import OptionError
from devin_jupyter.options.option import Option
from devin_jupyter.options.table import BY_NAME
from devin_jupyter.text import nearest, parse_duration

"""What an option begins with, also where an editor has made one long dash of two."""
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of one cell or call; `given` names those that were said."""

    repos: tuple[str, ...] = ()
    mode: str | None = None
    schema: Any = None
    schema_optional: bool = False
    title: str | None = None
    tags: tuple[str, ...] = ()
    max_acu: int | None = None
    playbook: str | None = None
    child_playbook: str | None = None
    knowledge: tuple[str, ...] | None = None
    no_knowledge: bool = False
    secret_ids: tuple[str, ...] | None = None
    no_secrets: bool = False
    secrets: tuple[str, ...] | Mapping[str, Any] = ()
    """Names as on the line, or in Python a mapping of names to values."""
    links: tuple[Any, ...] = ()
    attach: tuple[Any, ...] = ()
    platform: str | None = None
    disposable: bool = False
    bypass_approval: bool = False
    as_user: str | None = None
    snapshot: str | None = None
    unlisted: bool = False
    out: str | None = None
    wait: float | None = None
    """Seconds; infinity when no time was given; None without `--wait`."""
    on_interrupt: str | None = None
    quiet: bool = False
    save_transcript: bool = False
    dry_run: bool = False
    raw: bool = False
    help: bool = False
    to: Any = None
    again: bool = False
    take: str | None = None
    new: bool = False
    key: str | None = None
    max_age: float | None = None
    """Seconds."""
    replace: bool = False
    beside: bool = False
    budget: float | None = None
    each: Any = None
    name: str | None = None
    max_parallel: int | None = None
    limit: int | None = None
    max_failures: int | None = None
    max_median: float | None = None
    when_done: str | None = None
    prefix: str | None = None
    given: frozenset[str] = frozenset()
    pending: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    """Templates whose value must be a number, a time or a choice once rendered."""
    is_rendered: bool = False

    def templates(self) -> Iterator[str]:
        """Go through the texts that `render` fills in."""
        for name in self._textual():
            yield from _texts(getattr(self, name))
        yield from self.pending.values()

    def render(self, fill: Callable[[str], str] | None) -> Options:
        """Return the options with every template filled in by `fill`, once; None leaves texts as they are."""
        if self.is_rendered:
            return self
        fill = fill or _as_is
        changed: dict[str, Any] = {name: _filled(getattr(self, name), fill) for name in self._textual()}
        for name, text in self.pending.items():
            changed[name] = convert(BY_NAME[name], fill(text))
        return replace(self, **changed, pending=_NOTHING, is_rendered=True)

    def _textual(self) -> list[str]:
        return [name for name in sorted(self.given - self.pending.keys()) if _is_textual(BY_NAME[name])]


def _as_is(text: str) -> str:
    return text


def _is_textual(option: Option) -> bool:
    return option.kind in ("word", "words") and not option.choices


def _filled(value: Any, fill: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return fill(value)
    if isinstance(value, tuple):
        return tuple(_filled(item, fill) for item in value)
    return value


def _texts(value: Any) -> Iterator[str]:
    for item in value if isinstance(value, tuple) else ():
        yield from _texts(item)
    if isinstance(value, str):
        yield value


def of(values: Mapping[str, Any]) -> Options:
    """Return options for `values` (names as in the table; None is not given), each converted to its kind.

    Raises:
        OptionError: a value that cannot be meant, or options that contradict each other.
    """
    given = {name: value for name, value in values.items() if value is not None and value is not False}
    ready: dict[str, Any] = {}
    pending: dict[str, Any] = {}
    for name, value in given.items():
        option = BY_NAME[name]
        if isinstance(value, str) and "{{" in value and option.kind != "words" and not _is_textual(option):
            pending[name] = value
        else:
            ready[name] = convert(option, value)
    options = Options(**ready, given=frozenset(given), pending=MappingProxyType(pending))
    _check_together(options)
    return options


def convert(option: Option, value: Any) -> Any:
    """Return `value` as the option's kind; text is read as on the magic line."""
    try:
        read = _READERS.get(option.kind, _word)(value)
    except (ValueError, TypeError):
        wanted = {"int": "a whole number above 0", "number": "a number above 0", "flag": "no value"}
        meant = wanted.get(option.kind, "a time such as 90, 30m, 4h or 6d")
        raise OptionError(f"{option.flag} takes {meant}, not {value!r}", hint=f"for example {option.example}") from None
    if option.kind in ("word", "words") and option.name not in _TAKE_OBJECTS:
        _refuse_objects(option, read)
    if option.choices and read not in option.choices:
        raise OptionError(
            f"{option.flag} has no {read!r}{nearest(str(read), option.choices)}",
            hint=f"one of: {', '.join(option.choices)}",
        )
    return read


_TAKE_OBJECTS = frozenset(("schema", "secrets", "attach", "links", "to", "each", "out"))


def _refuse_objects(option: Option, read: Any) -> None:
    for item in read if isinstance(read, tuple) else (read,):
        if not isinstance(item, str):
            raise OptionError(
                f"{option.flag} takes text, not {type(item).__name__}",
                "nothing was sent",
                f"for example {option.example}",
            )


def _wait(value: Any) -> float:
    return math.inf if value is True else parse_duration(value)


def _whole(value: Any) -> int:
    found = number(value)
    if found != int(found):
        raise ValueError("not a whole number")
    return int(found)


def number(value: Any) -> float:
    """Return a number above 0; TypeError or ValueError for anything else."""
    if isinstance(value, bool):
        raise TypeError("not a number")
    found = float(value)
    if not 0 < found < math.inf:
        raise ValueError("not above 0")
    return found


def _words(value: Any) -> Any:
    if isinstance(value, Mapping):
        return value
    if isinstance(value, (list, tuple, set, frozenset)):
        return tuple(_word(item) for item in value)
    return (_word(value),)


def _word(value: Any) -> Any:
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "flag": bool,
    "int": _whole,
    "number": number,
    "time": parse_duration,
    "wait": _wait,
    "words": _words,
}


_APART = (
    ("knowledge", "no_knowledge"),
    ("secret_ids", "no_secrets"),
    ("new", "take"),
    ("replace", "beside"),
    ("to", "each"),
)
_NEEDS = {
    "schema_optional": "schema",
    "again": "to",
    "name": "each",
    "max_parallel": "each",
    "limit": "each",
    "max_failures": "each",
    "max_median": "each",
    "when_done": "each",
    "prefix": "each",
}
_WITH_TO = frozenset(
    (
        "to",
        "again",
        "attach",
        "wait",
        "on_interrupt",
        "quiet",
        "save_transcript",
        "out",
        "raw",
        "dry_run",
        "help",
        "as_user",
    )
)


def _check_together(options: Options) -> None:
    for one, other in _APART:
        if one in options.given and other in options.given:
            raise OptionError(f"{_flag(one)} and {_flag(other)} contradict each other", hint="keep one of them")
    for name, needed in _NEEDS.items():
        if name in options.given and needed not in options.given and "help" not in options.given:
            raise OptionError(f"{_flag(name)} means nothing without {_flag(needed)}", hint=BY_NAME[needed].help)
    stray = sorted(options.given - _WITH_TO) if "to" in options.given else []
    if stray:
        raise OptionError(
            f"{_flag(stray[0])} cannot go with --to: a message goes to a session that exists already",
            hint="leave one of them out",
        )
    if not (isinstance(options.out, str) and "{{" in options.out):
        check_name(options.out)


def check_name(out: Any) -> None:
    """Refuse an `--out` that cannot be a variable; None is none.

    Raises:
        OptionError: it is no name.
    """
    if out is not None and not (isinstance(out, str) and out.isidentifier() and not iskeyword(out)):
        raise OptionError(f"--out takes the name of a variable, not {out!r}", hint="for example -o audit")


def _flag(name: str) -> str:
    return BY_NAME[name].flag
