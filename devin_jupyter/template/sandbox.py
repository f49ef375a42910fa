"""The jinja2 environment of expressions: sandboxed, strict, and with the same text for the same values in any process.

Sets come in order, and a value becomes text as it is filled in: jinja2 would take Python's `str`, with addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from inspect import unwrap
from typing import Any

from jinja2 import StrictUndefined, UndefinedError, pass_environment
from jinja2.compiler import CodeGenerator
from jinja2.filters import do_format, make_attrgetter
from jinja2.nodes import Name
from jinja2.runtime import Context, Undefined
from jinja2.sandbox import SandboxedEnvironment
from typing_extensions import override

from devin_jupyter.values import in_order, ordered, text_of

_TEXT_FILTERS = (
    *("capitalize", "center", "e", "escape", "forceescape", "format", "indent", "lower", "replace", "striptags"),
    *("title", "trim", "truncate", "upper", "urlize", "wordcount", "wordwrap"),
)
"""The filters that make a text of whatever they get: of a null too, and of a value's address."""
_SELF = "_self_of_a_method"
"""What `self` is called for jinja2, to which it is the template."""


def evaluate(expression: str, variables: Mapping[str, Any]) -> Any:
    """Return the value of what stands between `{{` and `}}`; raises what jinja2 or a value of the notebook raises."""
    try:
        return _ENVIRONMENT.compile_expression(expression, undefined_to_none=False)(dict(variables))
    except UndefinedError as problem:
        raise UndefinedError(str(problem).replace(_SELF, "self")) from None


class _CodeGenerator(CodeGenerator):
    @override
    def visit_Template(self, node: Any, frame: Any = None) -> None:
        for name in node.find_all(Name):  # in a method, `self` is a name as any other
            name.name = _SELF if name.name == "self" else name.name
        super().visit_Template(node, frame)

    def visit_Concat(self, node: Any, frame: Any) -> None:
        """Join the parts of `a ~ b` by `_Environment.joined`."""
        self.write("environment.joined((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")


class _Context(Context):
    @override
    def resolve_or_missing(self, key: str) -> Any:
        return ordered(super().resolve_or_missing("self" if key == _SELF else key))


class _Environment(SandboxedEnvironment):
    code_generator_class = _CodeGenerator
    context_class = _Context
    intercepted_binops = frozenset({"%"})

    @override
    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if isinstance(left, str):
            right = tuple(map(_filled, right)) if isinstance(right, tuple) else _filled(right)
        return super().call_binop(context, operator, left, right)

    @override
    def getattr(self, obj: Any, attribute: str) -> Any:
        return ordered(super().getattr(obj, attribute))

    @override
    def getitem(self, obj: Any, argument: Any) -> Any:
        return ordered(super().getitem(obj, argument))

    @override
    def call(self, context: Any, obj: Any, *arguments: Any, **keywords: Any) -> Any:
        if isinstance(getattr(unwrap(obj), "__self__", None), str):  # "{}".format(…)
            arguments = tuple(map(_filled, arguments))
            keywords = {name: _filled(value) for name, value in keywords.items()}
        return ordered(super().call(context, obj, *arguments, **keywords))

    @staticmethod
    def joined(parts: Iterable[Any]) -> str:
        return "".join(map(_written, parts))


def _written(value: Any) -> str:
    """Return a value as text; of an undefined one, what jinja2 raises for it."""
    return str(value) if isinstance(value, Undefined) else text_of(value)


def _filled(value: Any) -> Any:
    """Return what goes into a text: numbers and texts as they are, all else as it is filled in, or refused."""
    text = _written(value)
    return value if isinstance(value, (str, int, float)) and not isinstance(value, bool) else text


def _join(context: Any, value: Any, d: str = "", attribute: str | int | None = None) -> str:
    """Join as the `join` filter of jinja2, whose parameters these are."""
    value = in_order(value) if isinstance(value, (set, frozenset)) else value
    if attribute is not None:
        value = map(make_attrgetter(context, attribute), value)
    return _written(d).join(map(_written, value))


def _on_text(make_text: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter that is given text; its own first argument may be what jinja2 passes to it."""
    passed = 1 if hasattr(make_text, "jinja_pass_arg") else 0

    @wraps(make_text)
    def run(*arguments: Any, **keywords: Any) -> Any:
        before, first, rest = arguments[:passed], arguments[passed], arguments[passed + 1 :]
        if make_text is do_format:
            rest, keywords = tuple(map(_filled, rest)), {name: _filled(each) for name, each in keywords.items()}
        return make_text(*before, _written(first), *rest, **keywords)

    return run


def _environment() -> SandboxedEnvironment:
    environment = _Environment(undefined=StrictUndefined, autoescape=False)
    del environment.filters["random"], environment.globals["lipsum"]  # another text each time is another session
    for name in _TEXT_FILTERS:
        environment.filters[name] = _on_text(environment.filters[name])
    environment.filters["join"] = pass_environment(_join)
    environment.filters["string"] = _written
    return environment


_ENVIRONMENT = _environment()
