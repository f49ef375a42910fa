"""A facade is documented once: where the work is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

C = TypeVar("C", bound=type)


def as_in(twin: type) -> Callable[[C], C]:
    """Return a class decorator that gives a facade the documentation of its async twin, and a repr with its methods."""

    def documented(facade: C) -> C:
        facade.__doc__ = facade.__doc__ or twin.__doc__
        for name, method in vars(facade).items():
            if callable(method) and method.__doc__ is None:
                method.__doc__ = getattr(twin, name).__doc__
        if "__repr__" not in vars(facade):
            facade.__repr__ = _listed  # type: ignore[method-assign, assignment]
        return facade

    return documented


def _listed(self: object) -> str:
    methods = [name for name, value in vars(type(self)).items() if callable(value) and not name.startswith("_")]
    return f"<{type(self).__name__}: {', '.join(methods)}>"
