"""The `{{ expression }}` of a text: filled in, checked, and distinguished from text that is sent as it is.

jinja2 evaluates the expressions, and is loaded only where a text has one.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

from devin_jupyter.errors import TemplateError, UsageMistake
from devin_jupyter.options import CreateOptions, templates
from devin_jupyter.options.arguments import RAW, expressions
from devin_jupyter.text import nearest
from devin_jupyter.values import TooLarge, text_of

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
_PLAINLY = {
    "chunk after expression": "it holds more than one expression",
    "end of template": "the expression is incomplete",
    "expected name or number": "a name must follow the dot",
}
"""Messages of Jinja, and what they mean for a single expression."""


def render(text: str, variables: Mapping[str, Any]) -> str:
    """Return `text` with every `{{ expression }}` replaced by its value, in one pass.

    Text outside of expressions is kept byte for byte (`{%`, `{#`, `$` and line ends included), and what an expression
    gives is never rendered again. jinja2, sandboxed and strict, is loaded only where `{{` occurs.

    Raises:
        TemplateError: an unknown name, a broken expression, or one that raises.
    """
    parts, at = [], 0
    for start, end in expressions(text):
        parts += [text[at:start], _value(text[start:end], variables)]
        at = end
    return "".join([*parts, text[at:]])


def template_problems(text: str, variables: Mapping[str, Any]) -> list[TemplateError]:
    """Return what `render` would raise for each `{{ expression }}`; nothing where all of them can be filled."""
    found = []
    try:
        for start, end in expressions(text):
            try:
                _value(text[start:end], variables)
            except TemplateError as problem:
                found.append(problem)
    except TemplateError as problem:
        found.append(problem)
    return found


def _value(expression: str, variables: Mapping[str, Any]) -> str:
    from jinja2 import TemplateSyntaxError, UndefinedError

    from devin_jupyter.template.sandbox import evaluate

    inner = expression[2:-2].removeprefix("-").removesuffix("-").strip()
    try:
        return text_of(evaluate(inner, variables))
    except TemplateSyntaxError as problem:
        raise _broken(expression, problem.message or "") from None
    except UndefinedError as problem:
        said = str(problem)
        missing = said.split("'")[1] if said.endswith("is undefined") and "'" in said else ""
        hint = nearest(missing, (name for name in variables if not name.startswith("_"))) if missing else ""
        row = variables.get("row")  # of a batch
        if missing and isinstance(row, Container) and not isinstance(row, str) and missing in row:
            hint = f" (did you mean {{{{ row.{missing} }}}}?)"
        if "row" in variables and said.endswith(f"has no attribute {inner.removeprefix('row.')!r}"):
            hint = " (did you mean {{ row }}? The rows are plain values, without columns)"
        do = f"give it a value, or write {{{{ {inner} or '…' }}}}" if said.endswith(" is null") else RAW
        raise TemplateError(f"{expression} cannot be filled: {said}{hint}", hint=do) from None
    except UsageMistake as problem:
        hint = problem.hint or RAW
        if isinstance(problem, TooLarge):
            attach = f"--attach {inner} sends it as a file; " if inner.isidentifier() else ""
            hint = f"{attach}{{{{ {inner}{problem.call} }}}} fills it in whole"
        raise TemplateError(f"{expression} cannot be filled: {problem.message}", hint=hint) from None
    except Exception as problem:  # the notebook's own objects may raise anything
        raise _broken(expression, f"{type(problem).__name__}: {problem}") from None


def _broken(expression: str, problem: str) -> TemplateError:
    why = next((plain for said, plain in _PLAINLY.items() if said in problem), problem)
    return TemplateError(f"{expression} cannot be read: {why}", hint=RAW)


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
