"""What is said once about an option, and the groups that the help shows them in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from devin_jupyter.models.enums import DevinMode

MODES: tuple[str, ...] = get_args(DevinMode)
WORK, NOTEBOOK, AGAIN, BATCH = (
    "What Devin gets",
    "What the notebook does",
    "Which session, and what it may cost",
    "Batches: one session per row",
)
GROUPS = (WORK, NOTEBOOK, AGAIN, BATCH)


@dataclass(frozen=True, slots=True)
class Option:
    """One option of `%%devin`, and the keyword of `dj.create` with the same name."""

    name: str
    """The keyword: `max_acu` for `--max-acu`."""
    kind: str
    """`flag`, `word`, `words`, `int` and `number` (positive), `time` (seconds), `wait` (a time or none given)."""
    group: str
    help: str
    """One line, without a full stop."""
    example: str
    metavar: str = ""
    short: str = ""
    api: str = "both"
    """`both`, or the only version that has it: `v3` or `v1`."""
    instead: str = ""
    """What to do on the other version."""
    field: str = ""
    """The field of the request body, v3's name where there are two."""
    default: str = ""
    """What holds when it is not given, in words."""
    choices: tuple[str, ...] = ()
    values: str = ""
    """What the completer offers: `tags`, `repos`, `playbooks`, `knowledge`, `sessions`, `names`, `files`, …."""

    @property
    def flag(self) -> str:
        """The long form: `--max-acu`."""
        return "--" + self.name.replace("_", "-")

    @property
    def usage(self) -> str:
        """The flag with what follows it, as the help shows it."""
        flags = f"{self.short}, {self.flag}" if self.short else self.flag
        shown = "|".join(self.choices) or self.metavar
        tail = {"flag": "", "words": f" {shown} …", "wait": f" [{shown}]"}.get(self.kind, f" {shown}")
        return flags + tail
