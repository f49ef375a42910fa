"""`%devin fix`: the last error as a prompt, and the answer as a diff of the cell. Nothing here runs anything."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import ClassVar

from devin_jupyter.notebook import Failure
from devin_jupyter.text import safe_text

_ASK = """\
A cell of a Jupyter notebook fails. Find out why, and correct the cell; change nothing that has no part in it.
{hint}
{failure}
Answer with the structured output only: `explanation` says in one or two sentences what was wrong, `patch` is the \
change as a unified diff, and `cell` is the whole corrected text of the cell, to be put in its place.
"""
_COLORS = {"+": "#1a7f37", "-": "#cf222e", "@": "#6e7781"}


@dataclass(frozen=True, repr=False)
class Fix:
    """A cell that Devin has corrected. It is shown as a diff and never run."""

    explanation: str
    """What was wrong."""
    patch: str
    """The change as a unified diff, as Devin wrote it."""
    cell: str
    """The whole text of the cell, corrected."""

    before: ClassVar[str] = ""
    """The text of the cell as it failed."""

    @property
    def diff(self) -> str:
        """The change as a unified diff, from the text that failed to `.cell`."""
        if not self.before:
            return safe_text(self.patch)
        lines = difflib.unified_diff(
            self.before.splitlines(), self.cell.splitlines(), "the cell", "the corrected cell", lineterm=""
        )
        return safe_text("\n".join(lines)) or "no difference"

    def __repr__(self) -> str:
        return f"{safe_text(self.explanation)}\n\n{self.diff}"

    def _repr_html_(self) -> str:
        return (
            f"<div>{escape(safe_text(self.explanation))}"
            f'<pre style="margin:6px 0;white-space:pre-wrap">{"".join(self._lines())}</pre></div>'
        )

    def _lines(self) -> Iterator[str]:
        for line in self.diff.splitlines():
            color = _COLORS.get(line[:1])
            yield (f'<span style="color:{color}">{escape(line)}</span>' if color else escape(line)) + "\n"


def answer_to(failure: Failure) -> type[Fix]:
    """Return the class of the answer, which knows the text that failed; its schema is that of `Fix`."""
    return type("Fix", (Fix,), {"before": failure.source, "__doc__": Fix.__doc__, "__annotations__": {}})


def prompt_for(failure: Failure, hint: str = "") -> str:
    """Return the prompt."""
    return _ASK.format(failure=failure.markdown, hint=f"\n{hint.strip()}\n" if hint.strip() else "")
