"""What the magics need to know of the front end: who asks, whether somebody can click, which cell is running."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from devin_jupyter.magics.magic import DevinMagics


@dataclass(frozen=True, slots=True)
class Notebook:
    """The shell that runs a magic, seen as a notebook or a terminal."""

    shell: InteractiveShell
    config: DevinMagics

    @property
    def variables(self) -> dict[str, Any]:
        """The notebook's names."""
        names: dict[str, Any] = self.shell.user_ns
        return names

    @property
    def in_kernel(self) -> bool:
        """Whether a Jupyter front end shows the outputs, rather than a terminal."""
        return getattr(self.shell, "kernel", None) is not None

    @property
    def is_headless(self) -> bool:
        """Whether nobody can click: the execute request allows no stdin, as nbclient's, papermill's and nbval's."""
        content = self._request().get("content") or {}
        return self.in_kernel and content.get("allow_stdin") is False

    @property
    def is_terminal(self) -> bool:
        """Whether a person looks at a terminal."""
        return not self.in_kernel and sys.stdout.isatty()

    @property
    def cell_id(self) -> str | None:
        """The id of the running cell, where the front end tells it."""
        found = (self._request().get("metadata") or {}).get("cellId")
        return str(found) if found else None

    @property
    def name(self) -> str:
        """The notebook's path, where the front end tells it; else the working directory."""
        told = self.variables.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME")
        return str(told or Path.cwd())

    def defaults(self, api_version: str) -> dict[str, Any]:
        """Return what `%config DevinMagics` says for requests that do not say it, as far as the API has it."""
        config = self.config
        usual = {"max_acu": config.max_acu, "tags": tuple(config.tags)}
        return usual if api_version == "v1" else {"mode": config.mode, **usual}

    def bind(self, name: str | None, value: Any) -> None:
        """Set a variable of the notebook."""
        if name:
            self.shell.push({name: value})

    def _request(self) -> Mapping[str, Any]:
        if not self.in_kernel:
            return {}
        parent = self.shell.kernel.get_parent("shell")
        return parent if isinstance(parent, Mapping) else {}
