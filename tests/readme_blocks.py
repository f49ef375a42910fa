"""The parts of the README that come from the code: `python tests/readme_blocks.py` writes them anew."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def _options() -> str:
    from devin_jupyter.options import readme_table

    return readme_table()


def _commands() -> str:
    from devin_jupyter.magics.commands import readme_table

    return readme_table()


def _operations() -> str:
    from devin_jupyter.api.client import operations_table

    return operations_table()


BLOCKS: dict[str, Callable[[], str]] = {"options": _options, "commands": _commands, "operations": _operations}


def filled(text: str) -> str:
    """Return the README with every generated block as the code has it now."""
    for name, make in BLOCKS.items():
        pattern = re.compile(rf"(<!-- generated: {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        content = f"\n{make().strip()}\n\n"
        text = pattern.sub(lambda m, content=content: m[1] + content + m[2], text)
    return text


if __name__ == "__main__":
    README.write_text(filled(README.read_text()))
