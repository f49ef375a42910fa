"""Devin, the autonomous software engineer, in the notebook. Start here:

%load_ext devin_jupyter            # once per notebook: %%devin cells and %devin commands
%devin simulator                   # try everything without a key; %devin connect takes yours
audit = dj.create("Audit acme/api for SQL injection", schema="file:str, severity:low|high", max_acu=5)
audit.result()                     # waits; audit.frame() is the answer as a table
audit.send("Fix the first one").result()
upgrades = dj.map("Upgrade {{ row.repo }} to Python 3.13", repos, max_acu=5)    # one session per row
upgrades.wait().frame()
dj.sessions_frame(since="7d")      # past sessions; dj.charts.spend(…) draws them
%devin help                        # every command; %%devin? explains the options, dj.errors lists the errors
"""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Everything public is loaded when first used, so that loading the extension stays free. The names and the modules that
# they are in are those of `__init__.pyi`.

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_MODULE_OF: dict[str, str | None] = {
    name.name: imported.module
    for imported in ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8")).body
    if isinstance(imported, ast.ImportFrom) and imported.level
    for name in imported.names
}
__all__ = sorted([*_MODULE_OF, "load_ipython_extension", "unload_ipython_extension"])
__version__ = "0.1.0"
_OFTEN_USED = [
    *("Batch", "Devin", "Phase", "Session", "batch", "budget", "charts", "commands", "compare", "connect"),
    *("consumption_frame", "create", "errors", "fix", "flat", "from_notebook", "get", "insights_frame"),
    *("last", "map", "messages_frame", "outputs_frame", "pull_requests_frame", "repositories_frame", "review"),
    *("sessions_frame", "sync"),
]
"""What Tab offers after `dj.`; the other names of `__all__` work as well, and errors are in `dj.errors`."""


def __getattr__(name: str) -> Any:
    name = {"NoOrganisation": "NoOrganization"}.get(name, name)  # the old spelling, for one release
    if name not in _MODULE_OF:
        if name.startswith("_"):  # what tools look for
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from devin_jupyter.errors import NoAttribute
        from devin_jupyter.text import nearest

        raise NoAttribute(f"devin_jupyter has no attribute {name!r}{nearest(name, __all__)}")
    module = _MODULE_OF[name]
    from devin_jupyter.loop import paused_collector

    with paused_collector():
        found = import_module(f".{module or name}", __name__)
    value = found if module is None else getattr(found, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return _OFTEN_USED


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register `%%devin` and `%devin`."""
    from devin_jupyter.magics.magic import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Unregister the magics, the completer and the hooks; running sessions keep running."""
    from devin_jupyter.magics.magic import unload

    unload(shell)
