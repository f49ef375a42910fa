"""Work with Devin, the autonomous software engineer, from the notebook.

    %load_ext devin_jupyter
    import devin_jupyter as dj

Everything public is loaded when first used, so that loading the extension stays free.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_HOMES = {
    "models.phase": ("Phase",),
    "models.snapshot": ("Snapshot",),
    "client": ("AsyncDevin",),
    "session": ("Session",),
    "batches": ("Batch",),
    "devin": (
        "Devin",
        "batch",
        "budget",
        "compare",
        "connect",
        "consumption_frame",
        "create",
        "from_notebook",
        "get",
        "insights_frame",
        "last",
        "map",
        "messages_frame",
        "outputs_frame",
        "pull_requests_frame",
        "sessions_frame",
        "sync",
    ),
    "errors": (
        "ApiError",
        "BadRequest",
        "BudgetExceeded",
        "ColleaguesSession",
        "Conflict",
        "ConnectionFailed",
        "ConnectionLost",
        "ConnectionTrouble",
        "CreateUncertain",
        "Detached",
        "DetachedAwait",
        "DevinError",
        "Forbidden",
        "Halted",
        "JournalError",
        "NeedsApproval",
        "NeedsReply",
        "NoKey",
        "NoOrganisation",
        "NotFound",
        "NotRecorded",
        "OptionError",
        "OutputInvalid",
        "RateLimited",
        "RequestTimeout",
        "SchemaError",
        "ServerError",
        "SessionAsleep",
        "SessionBlocked",
        "SessionChanged",
        "SessionFailed",
        "SessionStopped",
        "TemplateError",
        "TurnError",
        "TurnOpen",
        "Unauthorized",
        "Unprocessable",
        "UnreadableAnswer",
        "Unsupported",
        "WaitTimeout",
        "WrongKeyFamily",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
__all__ = sorted([*_HOME_OF, "charts", "load_ipython_extension", "unload_ipython_extension"])
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "charts":
        return import_module(".charts", __name__)
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register `%%devin` and `%devin`."""
    from devin_jupyter.magics.magic import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take the magics, the completer and the hooks away again; running sessions go on."""
    from devin_jupyter.magics.magic import unload

    unload(shell)
