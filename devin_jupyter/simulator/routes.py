"""Which route template a request belongs to, known before it is served: faults and counts are kept by template."""

from __future__ import annotations

from collections.abc import Iterable
from re import Pattern

from fastapi import APIRouter
from fastapi.routing import APIRoute

UNKNOWN = "(no such route)"


class RouteTable:
    """The templates of some routers, in the order in which they match."""

    def __init__(self, routers: Iterable[APIRouter]) -> None:
        """Collect every route of the routers."""
        self._fixed: dict[str, str] = {}
        self._patterns: list[tuple[Pattern[str], str]] = []
        self._methods: dict[str, set[str]] = {}
        for router in routers:
            for route in router.routes:
                assert isinstance(route, APIRoute)
                self._methods.setdefault(route.path_format, set()).update(route.methods or ())
                if "{" in route.path:
                    self._patterns.append((route.path_regex, route.path_format))
                else:
                    self._fixed[route.path] = route.path

    def template(self, path: str) -> str:
        """Return the template for a path, `"(no such route)"` where there is none."""
        if path in self._fixed:
            return self._fixed[path]
        return next((template for pattern, template in self._patterns if pattern.match(path)), UNKNOWN)

    def methods(self, path: str) -> list[str]:
        """Return the methods that are served on a path; no single route knows them all."""
        return sorted(self._methods.get(self.template(path), ()))
