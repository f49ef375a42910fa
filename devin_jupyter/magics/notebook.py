"""What the magics need to know of the front end: who asks, whether somebody can click, which cell is running."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from devin_jupyter.errors import OptionError
from devin_jupyter.host import Host, host
from devin_jupyter.text import nearest

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from devin_jupyter.batches import Batch
    from devin_jupyter.magics.magic import DevinMagics
    from devin_jupyter.models.snapshot import CellRef


@dataclass(frozen=True, slots=True)
class Notebook:
    """The shell that runs a magic, seen as a notebook or a terminal."""

    shell: InteractiveShell
    config: DevinMagics

    @property
    def variables(self) -> dict[str, Any]:
        """The notebook's names, without those that IPython puts there: a template shall not find its `open`."""
        hidden, nothing = self.shell.user_ns_hidden, object()
        return {name: value for name, value in self.shell.user_ns.items() if hidden.get(name, nothing) is not value}

    @property
    def own_names(self) -> list[str]:
        """The names that a person gave."""
        return [name for name in self.variables if not name.startswith("_")]

    @property
    def host(self) -> Host:
        """The front end, the notebook and the running cell."""
        return host(self.shell)

    @property
    def is_terminal(self) -> bool:
        """Whether a person looks at a terminal."""
        return not self.host.in_kernel and sys.stdout.isatty()

    def defaults(self, api_version: str) -> dict[str, Any]:
        """Return what `%config DevinMagics` says for requests that do not say it, as far as the API has it."""
        config = self.config
        usual = {"max_acu": config.max_acu, "tags": tuple(config.tags)}
        return usual if api_version == "v1" else {"mode": config.mode, **usual}

    def cell(self, out: str | None) -> CellRef:
        """Return how the journal names the running cell."""
        from devin_jupyter.models.snapshot import CellRef

        here = self.host
        return CellRef(notebook=here.notebook, cell_id=here.cell_id, out=out)

    def session(self, word: Any) -> Any:
        """Return the session that a word means: a variable, an id or a URL; the last one for None.

        Raises:
            OptionError: it means none.
        """
        from devin_jupyter.client import default as devin
        from devin_jupyter.models.ids import is_session_id

        if word is None:
            return devin.last()
        found = self.variables.get(word) if isinstance(word, str) else word
        if hasattr(type(found), "send") and hasattr(found, "snapshot"):
            return found
        if isinstance(found, str) and is_session_id(found):
            return devin.get(found)
        if isinstance(word, str) and (is_session_id(word) or word.startswith("devin-") or "://" in word):
            return devin.get(word)
        raise OptionError(
            f"{word!r} is neither a session in this notebook nor an id{nearest(str(word), self._session_names())}",
            hint="give a variable by its bare name, without $ or braces"
            if str(word).startswith(("$", "{"))
            else "give the variable that -o has set, an id (devin-…) or the session's URL",
        )

    def batch(self, word: Any) -> Batch | None:
        """Return the batch that a word names, or None where it names none."""
        found = self.variables.get(word) if isinstance(word, str) else word
        return found if hasattr(type(found), "phase_counts") else None

    def _session_names(self) -> list[str]:
        return [name for name, value in self.variables.items() if hasattr(type(value), "send") and name[:1] != "_"]

    def bind(self, name: str | None, value: Any) -> None:
        """Set a variable of the notebook."""
        if name:
            self.shell.push({name: value})
