"""Work with Devin, the autonomous software engineer, from the notebook.

    %load_ext devin_jupyter
    import devin_jupyter as dj

Everything public is loaded when first used, so that loading the extension stays free. The names and the modules that
they are in are those of `__init__.pyi`.
"""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

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


def __getattr__(name: str) -> Any:
    name = {"NoOrganisation": "NoOrganization"}.get(name, name)  # the old spelling, for one release
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = _MODULE_OF[name]
    value = (
        import_module(f".{name}", __name__) if module is None else getattr(import_module(f".{module}", __name__), name)
    )
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register `%%devin` and `%devin`."""
    from devin_jupyter.magics.magic import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Unregister the magics, the completer and the hooks; running sessions keep running."""
    from devin_jupyter.magics.magic import unload

    unload(shell)
