"""The help behind `%%devin?` and `%devin?`: made from the tables when somebody asks, not when the extension loads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class CellMagic:  # noqa: D101 its documentation is the help text
    _ipython_magic_no_var_expand = True
    __slots__ = ("_run",)

    def __init__(self, run: Callable[..., Any]) -> None:  # no docstring: IPython would show it below the help
        self._run = run

    def __call__(self, *args: Any) -> Any:  # noqa: D102 the same
        return self._run(*args)

    def getdoc(self) -> str:  # noqa: D102 IPython asks this before `__doc__`
        from devin_jupyter.options import help_text

        return help_text()

    def __repr__(self) -> str:  # the same
        return "<%%devin>"


class LineMagic(CellMagic):  # noqa: D101
    __slots__ = ()

    def getdoc(self) -> str:  # noqa: D102
        from devin_jupyter.magics.command_help import overview

        return overview()

    def __repr__(self) -> str:  # the same
        return "<%devin>"
