"""The options of `%%devin`, which are the keywords of `dj.create` and `dj.map`: read, filled in, explained.

Once read, options travel as a dict of the table's names that holds only what was given. No I/O, no notebook.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from keyword import iskeyword
from types import ModuleType
from typing import Any, TypeVar, cast

from devin_jupyter.errors import DevinError, OptionError
from devin_jupyter.options.arguments import (
    Argument,
    Syntax,
    continued,
    explained,
    expressions,
    is_template,
    number,
    refuse_keys,
    seconds,
    split,
    whole_number,
)
from devin_jupyter.options.table import BY_NAME, GROUPS, MODES, OPTIONS, CellOptions, CreateOptions, MapOptions
from devin_jupyter.redaction import is_whole
from devin_jupyter.text import nearest

__all__ = [
    "BY_NAME",
    "CELL",
    "GROUPS",
    "IN_PYTHON",
    "MODES",
    "OPTIONS",
    "Argument",
    "CellOptions",
    "CreateOptions",
    "MapOptions",
    "OptionsT",
    "Syntax",
    "check_name",
    "continued",
    "explained",
    "fill",
    "from_keywords",
    "help_text",
    "in_python",
    "not_filled_in",
    "number",
    "parse",
    "readme_table",
    "refuse_keys",
    "seconds",
    "split",
    "templates",
    "whole_number",
]

CELL = Syntax(
    "%%devin",
    OPTIONS,
    hint="%%devin? lists the options",
    stray_hint="the prompt goes below the %%devin line; quote values with spaces; %%devin? lists the options",
)
OptionsT = TypeVar("OptionsT", bound=CreateOptions)
_HELP = frozenset(BY_NAME["help"].flags)


def parse(line: str) -> CellOptions:
    """Return the options of a `%%devin` line; templates in them are not filled in yet.

    Raises:
        OptionError: an unknown option or value, a bad quote, a key or a secret value on the line.
    """
    words = split(line)
    if not _HELP.isdisjoint(words):  # with --help, mistakes in the rest of the line do not matter
        return {"help": True}
    said = CELL.parse(words)
    _refuse_secret_values(said["secrets"] or ())
    return _read(said)


def from_keywords(**keywords: Any) -> CellOptions:
    """Return the options for keywords in Python: the same names with `_`; schema, secrets and attach take objects.

    Raises:
        OptionError: an unknown name, two names of one option, or a bad value.
    """
    keywords = _usually_named(keywords)
    for name in keywords:
        if name not in BY_NAME:
            raise OptionError(
                f"there is no option {name!r}{nearest(name, BY_NAME)}",
                hint="help(dj.create) and help(dj.map) list them",
            )
    secrets = keywords.get("secrets")
    if secrets is not None and not isinstance(secrets, Mapping):
        _refuse_secret_values(secrets if isinstance(secrets, (list, tuple, set, frozenset)) else [secrets])
    return _read(keywords)


_IN_TEXTS = re.compile(
    r"(%%?devin\b[^;,()\n]*)"  # a magic line stays one
    r"|--([a-z]+(?:-[a-z]+)*)((?: (?:'[^']*'|\{\{.*?\}\}|[A-Z0-9][\w./-]*|[\w.-]*[/_][\w./-]*|[\w.]+(?=:)))*)"
    r"|-o ([a-z]\w*)"
)


@contextmanager
def in_python() -> Iterator[None]:
    """Have errors about options name them as keywords: `max_acu=5` for `--max-acu 5`."""
    try:
        yield
    except DevinError as problem:
        problem.reword(in_keywords)
        raise


def in_keywords(text: str) -> str:
    """Return a text for a cell as it reads in Python: `max_acu=5` for `--max-acu 5`."""

    def keyword(found: re.Match[str]) -> str:
        line, flag, tail, out = found.groups()
        option = BY_NAME.get((flag or "").replace("-", "_"))
        if line or (option is None and out is None):
            return found[0]
        if option is None:
            return f"out={out!r}"
        words = re.findall(r"'[^']*'|\{\{.*?\}\}|\S+", tail or "")
        values = [word if word.isdigit() or word.isupper() else repr(word.strip("'")) for word in words]
        if option.kind == "flag":
            return f"{option.name}=True{tail}"
        if option.kind == "words" and values:
            return f"{option.name}=[{', '.join(values)}]"
        return f"{option.name}={values[0] if len(values) == 1 else tail}"

    changed = _IN_TEXTS.sub(keyword, text)
    return changed.replace("= (take= in Python)", "=").replace(
        "several are separated by spaces: ", "several are a list: "
    )


def _usually_named(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return keywords by the names they are documented under: `repo=` is `repos=`."""
    named: dict[str, Any] = {}
    written: dict[str, str] = {}
    for name, value in keywords.items():
        usual = CELL.usual_name(name)
        if usual in named:
            raise OptionError(f"{written[usual]}= and {name}= are the same option", hint=f"give {usual}= alone")
        named[usual], written[usual] = value, name
    return named


def _read(values: Mapping[str, Any]) -> CellOptions:
    given = CELL.given(values)
    if "name" in given and not is_whole(str(given["name"])):  # under which the journal keeps a batch
        raise OptionError("--name contains half a character (a lone surrogate)", "nothing was sent")
    if "to" in given:
        for name in sorted(given):
            if not BY_NAME[name].allowed_with_to:
                raise OptionError(
                    f"{BY_NAME[name].flag} cannot be combined with --to, which sends a message to an existing session",
                    hint="remove one of them",
                )
    if not is_template(given.get("out")):
        check_name(given.get("out"))
    return cast("CellOptions", given)


def check_name(out: Any) -> None:
    """Refuse an `--out` that cannot be a variable; None is none.

    Raises:
        OptionError: not a valid name.
    """
    if out is not None and not (isinstance(out, str) and out.isidentifier() and not iskeyword(out)):
        raise OptionError(f"--out takes the name of a variable, not {out!r}", hint="for example -o audit")


def _refuse_secret_values(words: Any) -> None:
    if any("=" in str(word) for word in words):
        raise OptionError(
            "--secrets takes names only, never a value",
            "the value was not sent, but it is in this cell: remove it before you save",
            "put it in an environment variable and write --secrets NAME, or in Python secrets={'NAME': value}",
        )


def templates(options: CreateOptions) -> Iterator[str]:
    """Yield the texts that `fill` fills in."""
    return CELL.templates(cast("Mapping[str, Any]", options))


def fill(options: OptionsT, render: Callable[[str], str | None] | None) -> OptionsT:
    """Return the options with every template filled in by `render`; None leaves texts as they are.

    What `render` returns None for is left out.

    Raises:
        OptionError: a template gives no number, time or choice where one is needed.
    """
    return cast("OptionsT", CELL.fill(cast("Mapping[str, Any]", options), render))


_INTRO = """\
%%devin [options]
the prompt, below the line of options

Start a Devin session that works on the prompt, and show it here. Running the cell again attaches to the same
session, so it is never billed twice. A backslash at the end of the line continues it. {{ expressions }} in the
prompt and in option values are filled in from the notebook's variables. Options work with both versions of the
API unless they name one.

    %%devin --repos acme/api --schema 'severity:low|high, count:int' -o audit
    Audit the error handling.

    audit.result()"""
_OUTRO = """\
In Python the options are keywords of dj.create, those of batches of dj.map: --max-acu 5 is max_acu=5.
`%devin help` lists the other commands; defaults for this notebook: %config DevinMagics"""


IN_PYTHON = "{%s} in an f-string"
"""How a value comes into a text in Python, where nothing is filled in."""

_NAMED = re.compile(
    r"(?<![\w${\\])(?:\{(?P<braces>[A-Za-z_]\w*)(?:\.\w+|\[[^\]{}]*\])*(?:![rsa])?(?::[^\s{}]+)?\}(?!\})"
    r"|\$(?:\{(?P<shell>[A-Za-z_]\w*)\}|(?P<dollar>[A-Za-z_]\w*)))"
)
"""`{name}`, `{name.attribute:.2f}`, `$name` and `${name}`, as other tools fill them in."""
_STATEMENT = re.compile(
    r"\{%[-+]?\s*(?:if|elif|else|endif|for|endfor|set|include|macro|endmacro|block|endblock|raw|endraw)\b.*?%\}"
    r"|\{#(?:\s.*?)?#\}",
    re.DOTALL,
)
"""`{% if … %}` and `{# … #}` of Jinja, which a cell does not know."""
_ROOT = re.compile(r"""'[^']*'|"[^"]*"|(?<![\w.])([A-Za-z_]\w*)""")
"""The names that an expression starts from."""
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")


def not_filled_in(
    prompt: str,
    options: CreateOptions,
    variables: Mapping[str, Any],
    way: str = "{{ %s }}",
    *,
    fills: bool = True,
) -> tuple[str, ...]:
    """Return a line for the `{name}` and `$name` of existing variables, which are sent as they are; else nothing.

    Args:
        prompt: as written, before anything is filled in.
        options: as parsed.
        variables: the notebook's names.
        way: how `%s` is filled in.
        fills: whether `{{ }}` is filled in: if so, the statements and comments of Jinja are named, and if not, the
            `{{ name }}` of existing variables.
    """
    found: dict[str, str] = {}
    for text in () if options.get("raw") else (prompt, *templates(options)):
        if "{" not in text and "$" not in text:
            continue
        for shown, name in _left_as_it_is(text, variables, fills=fills):
            found.setdefault(shown, way % name if name else "")
    values, statements = [one for one in found if found[one]], [one for one in found if not found[one]]
    notes = []
    if values:
        ways = ", ".join(dict.fromkeys(found[one] for one in values[:3]))
        notes.append(f"{_are_sent(values)}; to fill in a value, write {ways}")
    if statements:
        notes.append(f"{_are_sent(statements)}: only {{{{ }}}} is filled in")
    return tuple(notes)


def _left_as_it_is(text: str, variables: Mapping[str, Any], *, fills: bool) -> Iterator[tuple[str, str]]:
    """Yield what looks like a template and is sent as it is, with what it means; nothing for a statement of Jinja."""

    def is_value(name: str) -> bool:
        value = variables.get(name, print)
        return not (name.startswith("_") or callable(value) or isinstance(value, ModuleType))

    at, plain = 0, []
    for start, end in expressions(text, strict=False):
        plain.append(text[at:start])
        at, inner = end, text[start + 2 : end - 2].strip()
        name = next((one for one in _ROOT.findall(inner) if one and is_value(one)), None)
        if not fills and name is not None and not text[:start].endswith(("$", "\\")):  # ${{ }} is GitHub's
            yield " ".join(text[start:end].split()), inner if _DOTTED.fullmatch(inner) else name
    for part in (*plain, text[at:]):
        for match in _NAMED.finditer(part):
            name = str(match["braces"] or match["shell"] or match["dollar"])
            if is_value(name):
                yield match[0], re.split("[!:]", match[0][1:-1])[0] if match["braces"] else name
        for match in _STATEMENT.finditer(part) if fills else ():
            yield " ".join(match[0].split()), ""


def _are_sent(texts: Sequence[str]) -> str:
    shown = ", ".join(text if len(text) <= 40 else f"{text[:39]}…" for text in texts[:3])
    are = "is sent as it is" if len(texts) == 1 else "are sent as they are"
    return f"{shown}{', …' if len(texts) > 3 else ''} {are}"


def help_text() -> str:
    """Return the help of `%%devin`: every option in its group."""
    groups = (f"{group}:\n{explained(options)}" for group, options in GROUPS.items())
    return "\n\n".join([_INTRO, *groups, _OUTRO])


def readme_table() -> str:
    """Return the Markdown table of all options, group by group, for the README."""
    lines = []
    for group, options in GROUPS.items():
        lines += [
            f"**{group}**",
            "",
            "| option | what it does | default | API | example |",
            "| --- | --- | --- | --- | --- |",
        ]
        for option in options:
            cells = [f"`{option.bare}`", option.help, option.default or "–", option.versions, f"`{option.example}`"]
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines)
