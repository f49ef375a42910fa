"""Filling `{{ expression }}` in prompts and option values from the notebook's variables.

One strict, sandboxed pass over expressions only: text outside them is kept byte for byte (`{%`, `{#`, `$` and
line ends included), and what an expression gives is never rendered again. jinja2 is loaded only where `{{` occurs.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from devin_jupyter.errors import TemplateError
from devin_jupyter.options.expressions import RAW, expressions
from devin_jupyter.text import nearest

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment


def render(text: str, variables: Mapping[str, Any]) -> str:
    """Return `text` with every `{{ expression }}` replaced by its value.

    Raises:
        TemplateError: an unknown name, a broken expression, or one that raises.
    """
    parts, at = [], 0
    for start, end in expressions(text):
        parts += [text[at:start], _value(text[start:end], variables)]
        at = end
    return "".join([*parts, text[at:]])


def problems(text: str, variables: Mapping[str, Any]) -> list[TemplateError]:
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

    inner = expression[2:-2].removeprefix("-").removesuffix("-").strip()
    try:
        return str(_environment().compile_expression(inner, undefined_to_none=False)(dict(variables)))
    except TemplateSyntaxError as problem:
        raise _broken(expression, problem.message or "") from None
    except UndefinedError as problem:
        raise _unknown(expression, str(problem), variables) from None
    except Exception as problem:  # whatever the notebook's own objects raise, nothing may be sent
        raise _broken(expression, f"{type(problem).__name__}: {problem}") from None


def _unknown(expression: str, problem: str, variables: Mapping[str, Any]) -> TemplateError:
    missing = problem.split("'")[1] if problem.endswith("is undefined") and "'" in problem else ""
    known = [name for name in variables if not name.startswith("_")]
    hint = nearest(missing, known) if missing else ""
    return TemplateError(f"{expression} cannot be filled: {problem}{hint}", "nothing was sent", RAW)


def _broken(expression: str, problem: str) -> TemplateError:
    return TemplateError(f"{expression} cannot be read: {problem}", "nothing was sent", RAW)


@cache
def _environment() -> SandboxedEnvironment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    return SandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
