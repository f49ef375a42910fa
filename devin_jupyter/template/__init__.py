"""The `{{ expression }}` of a text: filled in, and checked beforehand.

jinja2 evaluates the expressions, and is loaded only where a text has one.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from devin_jupyter.errors import TemplateError, UsageMistake
from devin_jupyter.options.arguments import RAW, expressions
from devin_jupyter.text import nearest
from devin_jupyter.values import TooLarge, text_of

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
        raise _not_filled(expression, inner, str(problem), variables) from None
    except UsageMistake as problem:
        hint = problem.hint or RAW
        if isinstance(problem, TooLarge):
            attach = f"--attach {inner} sends it as a file; " if inner.isidentifier() else ""
            hint = f"{attach}{{{{ {inner}{problem.call} }}}} fills it in whole"
        raise TemplateError(f"{expression} cannot be filled: {problem.message}", hint=hint) from None
    except Exception as problem:  # the notebook's own objects may raise anything
        raise _broken(expression, f"{type(problem).__name__}: {problem}") from None


def _not_filled(expression: str, inner: str, said: str, variables: Mapping[str, Any]) -> TemplateError:
    """Return the error for what Jinja calls undefined: a name, an attribute or an item."""
    missing = said.split("'")[1] if said.endswith("is undefined") and "'" in said else ""
    hint = nearest(missing, (name for name in variables if not name.startswith("_"))) if missing else ""
    row = variables.get("row")  # of a batch
    if missing and isinstance(row, Container) and not isinstance(row, str) and missing in row:
        hint = f" (did you mean {{{{ row.{missing} }}}}?)"
    if "row" in variables and said.endswith(f"has no attribute {inner.removeprefix('row.')!r}"):
        hint = " (did you mean {{ row }}? The rows are plain values, without columns)"
    do = RAW
    if said.endswith(" is null"):
        do = f"give it a value, or write {{{{ {inner} or '…' }}}}"
    elif missing == "row":
        do = f"--each TABLE fills it in for each row (dj.map in Python); or {RAW}"
    elif missing and not hint:
        do = f"run the cell that defines it, {RAW}"
    return TemplateError(f"{expression} cannot be filled: {said}{hint}", hint=do)


def _broken(expression: str, problem: str) -> TemplateError:
    why = next((plain for said, plain in _PLAINLY.items() if said in problem), problem)
    return TemplateError(f"{expression} cannot be read: {why}", hint=RAW)
