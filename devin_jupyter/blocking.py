"""Blocking twins of asynchronous classes: a call is written and documented once, on the async class.

    class Playbooks(Blocking[api.Playbooks]):
        get = blocking(api.Playbooks.get)
        list = iterating(api.Playbooks.list, "playbooks")

Type checkers, `help`, Tab and the texts of TypeErrors see the parameters of the async method on the blocking class.
An async method that takes `**keywords` must be written with `(self, /, …)`, or mypy cannot match it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractContextManager
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, get_args, get_origin, overload

from devin_jupyter import loop
from devin_jupyter.loop import iterate, run_request

A = TypeVar("A")
B = TypeVar("B", bound="Blocking[Any]")
F = TypeVar("F", bound=Callable[..., Any])
P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")
U = TypeVar("U")

Guard = Callable[[Any], AbstractContextManager[None]]
"""Given the blocking object, makes the context manager that its call waits in: it says what Ctrl-C means there."""

_SELF = "Self"


class Blocking(Generic[A]):
    """The blocking twin of an async object that lives on the loop's thread."""

    def __init__(self, asynchronous: A) -> None:
        self._async = asynchronous

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, value in vars(cls).items():
            if getattr(value, "__wrapped__", None) is None:
                continue
            value.__module__, value.__qualname__ = cls.__module__, f"{cls.__qualname__}.{name}"
            signature = inspect.signature(value)
            if signature.return_annotation == _SELF:
                value.__signature__ = signature.replace(return_annotation=cls.__qualname__)
        if cls.__doc__ is None:
            bases = [base for base in getattr(cls, "__orig_bases__", ()) if get_origin(base) is Blocking]
            cls.__doc__ = get_args(bases[0])[0].__doc__ if bases else None

    def __repr__(self) -> str:
        methods = [name for name, value in vars(type(self)).items() if callable(value) and not name.startswith("_")]
        return f"<{type(self).__name__}: {', '.join(methods)}>"


@overload
def blocking(
    method: Callable[Concatenate[A, P], Coroutine[Any, Any, T]], *, guard: Guard | None = None
) -> Callable[Concatenate[Blocking[A], P], T]: ...
@overload
def blocking(
    method: Callable[Concatenate[A, P], Coroutine[Any, Any, T]],
    returns: Callable[[T], U],
    *,
    guard: Guard | None = None,
) -> Callable[Concatenate[Blocking[A], P], U]: ...
def blocking(
    method: Callable[..., Any], returns: Callable[[Any], Any] | None = None, *, guard: Guard | None = None
) -> Callable[..., Any]:
    """Derive a method that waits for the answer.

    Args:
        method: of the async class.
        returns: makes the blocking answer from the async one, such as the class of a handle.
        guard: what the call waits in; by default an interrupt raises `Detached`.
    """

    def finish(self: Any, work: Coroutine[Any, Any, Any]) -> Any:
        answer = _wait(self, work, guard)
        return answer if returns is None else returns(answer)

    if returns is None or isinstance(returns, type):
        return _derived(method, finish, getattr(returns, "__name__", None))
    return _derived(method, finish, str(inspect.signature(returns).return_annotation))


def fluent(
    method: Callable[Concatenate[A, P], Coroutine[Any, Any, object]], *, guard: Guard | None = None
) -> Callable[Concatenate[B, P], B]:
    """Derive a method that waits and returns the blocking object itself, so that calls can be chained."""

    def finish(self: Any, work: Coroutine[Any, Any, Any]) -> Any:
        _wait(self, work, guard)
        return self

    return _derived(method, finish, _SELF)


def iterating(
    method: Callable[Concatenate[A, P], AsyncIterator[T]], unit: str
) -> Callable[Concatenate[Blocking[A], P], Iterator[T]]:
    """Derive an iterator; long ones show a progress bar.

    Args:
        method: of the async class, which returns an async iterator.
        unit: what the bar counts.
    """
    return _derived(method, lambda _, items: iterate(items, unit=unit), "Iterator")


def documented_by(twin: Callable[..., Any]) -> Callable[[F], F]:
    """Return a decorator that gives a method written by hand the documentation of its async twin."""

    def document(method: F) -> F:
        method.__doc__ = twin.__doc__
        return method

    return document


def same_arguments(
    twin: Callable[P, Any],
) -> Callable[[Callable[Concatenate[S, ...], None]], Callable[Concatenate[S, P], None]]:
    """Return a decorator that gives an `__init__` the parameters and the documentation of an async class."""

    def derive(init: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(twin.__init__)
        def call(*args: Any, **kwargs: Any) -> None:
            init(*args, **kwargs)

        return call

    return derive


def on_default(client: Callable[..., B], method: Callable[Concatenate[B, P], T]) -> Callable[P, T]:
    """Derive a function of the package: a method of the default client.

    Args:
        client: returns the client; it is called with the arguments of the call.
        method: of the class of that client.
    """

    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        return method(client(*args, **kwargs), *args, **kwargs)

    functools.update_wrapper(call, method)
    call.__module__, call.__qualname__ = "devin_jupyter", method.__name__
    call.__doc__ = f"{inspect.getdoc(method) or ''}\n\nWith the default client: see `connect`."
    signature = inspect.signature(method)
    without_self = list(signature.parameters.values())[1:]
    call.__signature__ = signature.replace(parameters=without_self)  # type: ignore[attr-defined]  # inspect reads it
    return call


def _wait(blocking: Any, work: Coroutine[Any, Any, T], guard: Guard | None) -> T:
    if guard is None:
        return run_request(work)
    with guard(blocking):
        return loop.run(work)


def _derived(method: Callable[..., Any], finish: Callable[[Any, Any], Any], returns: str | None) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        try:
            work = method(self._async, *args, **kwargs)  # an async function only binds its arguments here
        except TypeError as mistake:
            if mistake.__traceback__ is not None and mistake.__traceback__.tb_next is not None:
                raise  # from inside the method
            args, kwargs = (), {}  # a verbose traceback shows what this frame was called with, perhaps a secret
            raise TypeError(str(mistake).replace(method.__qualname__, call.__qualname__)) from None
        return finish(self, work)

    # without it `help` would promise an AsyncIterator, or the async handle
    signature = inspect.signature(method)
    answer = str(signature.return_annotation)
    if returns == "Iterator":
        answer = answer.replace("AsyncIterator", returns)
    this, *parameters = signature.parameters.values()
    call.__signature__ = signature.replace(  # type: ignore[attr-defined]  # inspect reads it
        parameters=[this.replace(kind=inspect.Parameter.POSITIONAL_OR_KEYWORD), *parameters],
        return_annotation=answer if returns in (None, "Iterator") else returns,
    )
    return call
