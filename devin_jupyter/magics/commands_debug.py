"""`%devin debug`: what a bug ticket needs, with every secret masked."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
import traceback
from typing import Any

from devin_jupyter.api.responses import RECENT
from devin_jupyter.errors import DevinError
from devin_jupyter.magics import written
from devin_jupyter.magics.command import Call
from devin_jupyter.magics.recent_log import recent_lines
from devin_jupyter.redaction import redact, redact_colored

_PACKAGES = (
    "devin-jupyter",
    "ipython",
    "ipykernel",
    "ipywidgets",
    "anywidget",
    "jupyterlab",
    "httpx",
    "pydantic",
    "pandas",
)
_NOTHING = "no warnings; logging.getLogger('devin_jupyter').setLevel('DEBUG') records more: then try again"


def debug(call: Call) -> None:
    """Write the report to a file, or show it."""
    text = report(call)
    if not call.said.file:
        print(text)
        return
    path = written.write(call.said.file, text + "\n")
    print(f"{path}: please read it before you attach it to a ticket")


def report(call: Call) -> str:
    """Return the report; every line has passed the redactor."""
    parts = {
        "versions": _versions(),
        "front end": _front_end(call),
        "connection": _connection(),
        "last error": _last_error(),
        "requests": "\n".join(RECENT) or "none in this kernel",
        "log": "\n".join(recent_lines()) or _NOTHING,
    }
    blocks = [f"== {name}\n{text}" for name, text in parts.items()]
    return redact("\n\n".join(["devin_jupyter report, redacted", *blocks]))


def _versions() -> str:
    lines = [f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"]
    for name in _PACKAGES:
        try:
            lines.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            lines.append(f"{name} is not installed")
    return "\n".join(lines)


def _front_end(call: Call) -> str:
    here = call.notebook.host
    kind = f"Jupyter kernel ({here.kind})" if here.in_kernel else here.kind
    return f"{kind}, {'headless' if here.is_headless else 'interactive'}, cell id {here.cell_id or 'not told'}"


def _connection() -> str:
    from devin_jupyter.client import default as devin

    client: Any = devin.current()
    if client is None:
        return "not connected"
    try:
        problems = client.journal.check()
    except DevinError as problem:
        problems = [problem.message]
    return "\n".join([repr(client.settings), f"journal {client.journal.path}: {'; '.join(problems) or 'sound'}"])


def _last_error() -> str:
    error = getattr(sys, "last_value", None)
    if error is None:
        return "none in this kernel"
    return redact_colored("".join(traceback.format_exception(error))).strip()
