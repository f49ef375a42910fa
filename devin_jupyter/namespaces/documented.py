"""A facade is documented once: where the work is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

C = TypeVar("C", bound=type)


def as_in(twin: type) -> Callable[[C], C]:
    """Return a class decorator that gives a facade the documentation of its async twin."""

    def documented(facade: C) -> C:
        facade.__doc__ = facade.__doc__ or twin.__doc__
        for name, method in vars(facade).items():
            if callable(method) and method.__doc__ is None:
                method.__doc__ = getattr(twin, name).__doc__
        return facade

    return documented
