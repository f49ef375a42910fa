"""The parts of the README that come from the code, and the notebook that comes from the README.

`python tests/readme_blocks.py` writes them anew; then run the notebook once, so that its saved outputs are current:
`jupyter execute --inplace notebooks/first_hour.ipynb`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

README = Path(__file__).parents[1] / "README.md"
FIRST_HOUR = README.parent / "notebooks" / "first_hour.ipynb"
TITLE = """# The first hour

One session, a question, a follow-up, a batch, a table and a lock file, on the simulator that ships with the package:
no account, no key, no cost. The text is that of the README."""


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


def first_hour(text: str) -> list[tuple[str, str]]:
    """Return the cells of the first hour, as (type, source): what stands between its marks, code where it is Python."""
    section = re.search(r"<!-- first hour -->\n(.*?)<!-- end of first hour -->", text, re.DOTALL)[1]
    cells = []
    for part in re.split(r"(^```python\n.*?^```$)", section, flags=re.MULTILINE | re.DOTALL):
        code = part.startswith("```python")
        source = (
            part.removeprefix("```python\n").removesuffix("\n```")
            if code
            else part.strip().replace("](notebooks/", "](")
        )
        if source:
            cells.append(("code" if code else "markdown", source))
    return [("markdown", TITLE), *cells]


def notebook(cells: list[tuple[str, str]], saved: dict[str, Any]) -> dict[str, Any]:
    """Return the notebook with these cells, and with the outputs of those that have not changed."""
    outputs: dict[str, list[dict[str, Any]]] = {}
    for cell in saved["cells"]:
        outputs.setdefault("".join(cell["source"]), []).append(cell)
    made, seen = [], set()
    for number, (kind, source) in enumerate(cells):
        # a cell that runs again says when its session was made
        metadata = {"tags": ["nbval-ignore-output"]} if source in seen else {}
        cell = {"cell_type": kind, "id": f"hour-{number}", "metadata": metadata, "source": source.splitlines(True)}
        if kind == "code":
            before = outputs[source].pop(0) if outputs.get(source) else {"outputs": [], "execution_count": None}
            cell |= {"outputs": before["outputs"], "execution_count": before["execution_count"]}
            seen.add(source)
        made.append(cell)
    return {**saved, "cells": made}


def sources(saved: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the cells of a saved notebook as `first_hour` does."""
    return [(cell["cell_type"], "".join(cell["source"])) for cell in saved["cells"]]


if __name__ == "__main__":
    README.write_text(filled(README.read_text()))
    if sources(saved := json.loads(FIRST_HOUR.read_text())) != (cells := first_hour(README.read_text())):
        FIRST_HOUR.write_text(json.dumps(notebook(cells, saved), indent=1, ensure_ascii=False) + "\n")
