"""The canaries, and the search for them in everything that a run leaves behind."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter

V3_KEY = "cog_canaryAbCdEfGhIjKlMnOpQrStUvWxYz0123456789"
V1_KEY = "apk_canaryZyXwVuTsRqPoNmLkJiHgFeDcBa9876543210"
_LINES = "\n".join(f"{n:02}canary/7f3a9+{n:02}Qz" * 3 for n in range(8))
SESSION_SECRET = f'canary session secret / ünïcode "quoted" \\ 7f3a9\n{_LINES}\n'
"""Awkward to write, of several lines, and longer than any text that is cut."""
ORG_SECRET = "canary-org-secret-51c0ffee-7f3a9"
CANARIES = {"v3 key": V3_KEY, "v1 key": V1_KEY, "session secret": SESSION_SECRET, "org secret": ORG_SECRET}


def forms(secret: str) -> set[bytes]:
    """How a secret may look in a file: plain, in JSON, in HTML, in base64, as a repr, and in pieces."""
    plain = {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
    plain |= {text.replace("&", "&amp;").replace('"', "&quot;") for text in plain}
    middle = len(secret) // 2
    plain |= {secret[8:26], secret[middle : middle + 14]}
    coded = {base64.b64encode(secret.encode()[start:])[:24] for start in range(3)}
    return {text.encode() for text in plain} | coded


def leaks_in(things: Iterable[tuple[str, bytes]]) -> list[str]:
    """Return which canary is where."""
    wanted = {name: forms(secret) for name, secret in CANARIES.items()}
    return [
        f"{name} in {where}: …{content[max(0, content.index(form) - 60) : content.index(form) + 60]!r}…"
        for where, content in things
        for name, looks in wanted.items()
        for form in looks
        if form in content
    ]


def files(*folders: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of some folders, hidden ones too."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                yield str(path.relative_to(folder)), path.read_bytes()


def leftovers(notebook: nbformat.NotebookNode, folder: Path, home: Path) -> Iterator[tuple[str, bytes]]:
    """Everything a run leaves behind, with the cells' own text taken out of the notebook."""
    for number, cell in enumerate(notebook.cells):
        yield f"outputs of cell {number}: {cell.source[:60]}", json.dumps(cell.get("outputs")).encode()
    yield "metadata and widget state", json.dumps(notebook.metadata).encode()
    page, _ = HTMLExporter().from_notebook_node(notebook)
    yield "HTML export", page.encode()
    yield from files(folder, home)
