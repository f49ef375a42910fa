"""The attributes of handles: a wrong one is answered with the right one, and a method that is not called says so."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Concatenate, Generic, ParamSpec, TypeVar, cast

from devin_jupyter.errors import NoAttribute, NotCalled
from devin_jupyter.text import closest

P = ParamSpec("P")
T = TypeVar("T")


class SuggestsNames:
    """A handle whose wrong attributes are answered with the right ones."""

    _OTHER_NAMES: ClassVar[Mapping[str, str]] = {}
    """What people try, and what it is called."""

    if not TYPE_CHECKING:  # for a type checker, a wrong attribute is a mistake

        def __getattr__(self, name: str) -> Any:
            kind = type(self)
            if name.startswith("_"):  # protocols of Python and IPython ask for these all the time
                raise AttributeError(f"{kind.__name__!r} object has no attribute {name!r}")
            known = [each for each in dir(kind) if not each.startswith("_")]
            found = self._OTHER_NAMES.get(name.lower()) or next(iter(closest(name, known)), None)
            call = "()" if found and callable(getattr(kind, found)) else ""
            hint = f" (did you mean .{found}{call}?)" if found else ""
            rest = "" if found else f"it has {', '.join(known)}"
            raise NoAttribute(f"a {kind.__name__} has no attribute {name!r}{hint}", hint=rest)


class method(Generic[P, T]):
    """A method that used to be an attribute: used like one, it says that it is called now."""

    def __init__(self, function: Callable[Concatenate[Any, P], T]) -> None:
        self._function = self.__wrapped__ = function
        self.__doc__ = function.__doc__

    def __get__(self, owner: Any, kind: type) -> Callable[P, T]:
        """Return the function, or the method of a handle."""
        return cast("Callable[P, T]", self._function if owner is None else _Bound(self._function, owner))


class _Bound:
    def __init__(self, function: Callable[..., Any], owner: Any) -> None:
        functools.update_wrapper(self, function)
        self.__self__, self.__func__ = owner, function
        signature = inspect.signature(function)
        self.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.__func__(self.__self__, *args, **kwargs)

    def __repr__(self) -> str:
        return f"<bound method {self.__func__.__qualname__} of {self.__self__!r}>"

    def __getitem__(self, key: Any) -> Any:
        raise self._not_called(f"()[{key!r}]" if isinstance(key, (str, list)) else "()[…]")

    def __len__(self) -> int:
        raise self._not_called("()")

    def __iter__(self) -> Any:
        raise self._not_called("()")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise self._not_called(f"().{name}")

    def _not_called(self, rest: str) -> NotCalled:
        name = self.__func__.__name__
        return NotCalled(f".{name} is a method", hint=f"write .{name}{rest}")
