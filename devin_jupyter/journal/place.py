"""Which notebook is this? The path it is known by in the journal, as well as the front end tells it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def here(namespace: Mapping[str, Any] | None = None) -> str:
    """Return the path of the running notebook; of the script, or the working directory, where there is none.

    Args:
        namespace: the names of the notebook: VS Code leaves its path among them.
    """
    told = (namespace or {}).get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME")
    if isinstance(told, str) and told.endswith(".ipynb"):
        path = Path(told)
        return str(path if path.is_absolute() else Path.cwd() / path.name)
    script = Path(sys.argv[0]) if sys.argv and sys.argv[0] else None
    if script is not None and script.suffix == ".py" and script.stem not in _LAUNCHERS and script.is_file():
        return str(script.resolve())
    return str(Path.cwd())


_LAUNCHERS = frozenset({"ipykernel_launcher", "colab_kernel_launcher", "__main__"})
