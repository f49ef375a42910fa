"""Work with Devin, the autonomous software engineer, from the notebook.

    %load_ext devin_jupyter
    import devin_jupyter as dj

Everything public is loaded when first used, so that loading the extension stays free.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the same names again, for type checkers and editors
    from IPython.core.interactiveshell import InteractiveShell

    from devin_jupyter import charts as charts
    from devin_jupyter.batches import Batch as Batch
    from devin_jupyter.client import AsyncDevin as AsyncDevin
    from devin_jupyter.devin import Devin as Devin
    from devin_jupyter.devin import batch as batch
    from devin_jupyter.devin import budget as budget
    from devin_jupyter.devin import compare as compare
    from devin_jupyter.devin import connect as connect
    from devin_jupyter.devin import consumption_frame as consumption_frame
    from devin_jupyter.devin import create as create
    from devin_jupyter.devin import from_notebook as from_notebook
    from devin_jupyter.devin import get as get
    from devin_jupyter.devin import insights_frame as insights_frame
    from devin_jupyter.devin import last as last
    from devin_jupyter.devin import map as map
    from devin_jupyter.devin import messages_frame as messages_frame
    from devin_jupyter.devin import outputs_frame as outputs_frame
    from devin_jupyter.devin import pull_requests_frame as pull_requests_frame
    from devin_jupyter.devin import sessions_frame as sessions_frame
    from devin_jupyter.devin import sync as sync
    from devin_jupyter.errors import ApiError as ApiError
    from devin_jupyter.errors import BadRequest as BadRequest
    from devin_jupyter.errors import BudgetExceeded as BudgetExceeded
    from devin_jupyter.errors import ColleaguesSession as ColleaguesSession
    from devin_jupyter.errors import Conflict as Conflict
    from devin_jupyter.errors import ConnectionFailed as ConnectionFailed
    from devin_jupyter.errors import ConnectionLost as ConnectionLost
    from devin_jupyter.errors import ConnectionTrouble as ConnectionTrouble
    from devin_jupyter.errors import CreateUncertain as CreateUncertain
    from devin_jupyter.errors import Detached as Detached
    from devin_jupyter.errors import DetachedAwait as DetachedAwait
    from devin_jupyter.errors import DevinError as DevinError
    from devin_jupyter.errors import Forbidden as Forbidden
    from devin_jupyter.errors import Halted as Halted
    from devin_jupyter.errors import JournalError as JournalError
    from devin_jupyter.errors import NeedsApproval as NeedsApproval
    from devin_jupyter.errors import NeedsReply as NeedsReply
    from devin_jupyter.errors import NoKey as NoKey
    from devin_jupyter.errors import NoOrganization as NoOrganization
    from devin_jupyter.errors import NotFound as NotFound
    from devin_jupyter.errors import NotRecorded as NotRecorded
    from devin_jupyter.errors import OptionError as OptionError
    from devin_jupyter.errors import OutputInvalid as OutputInvalid
    from devin_jupyter.errors import RateLimited as RateLimited
    from devin_jupyter.errors import RequestTimeout as RequestTimeout
    from devin_jupyter.errors import SchemaError as SchemaError
    from devin_jupyter.errors import ServerError as ServerError
    from devin_jupyter.errors import SessionAsleep as SessionAsleep
    from devin_jupyter.errors import SessionBlocked as SessionBlocked
    from devin_jupyter.errors import SessionChanged as SessionChanged
    from devin_jupyter.errors import SessionFailed as SessionFailed
    from devin_jupyter.errors import SessionStopped as SessionStopped
    from devin_jupyter.errors import TemplateError as TemplateError
    from devin_jupyter.errors import TurnError as TurnError
    from devin_jupyter.errors import TurnOpen as TurnOpen
    from devin_jupyter.errors import Unauthorized as Unauthorized
    from devin_jupyter.errors import Unprocessable as Unprocessable
    from devin_jupyter.errors import UnreadableAnswer as UnreadableAnswer
    from devin_jupyter.errors import Unsupported as Unsupported
    from devin_jupyter.errors import WaitTimeout as WaitTimeout
    from devin_jupyter.errors import WrongKeyFamily as WrongKeyFamily
    from devin_jupyter.models.phase import Phase as Phase
    from devin_jupyter.models.snapshot import Snapshot as Snapshot
    from devin_jupyter.session import Session as Session

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
        "NoOrganization",
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


if not TYPE_CHECKING:  # pragma: no branch  # a type checker shall miss a name that is mistyped

    def __getattr__(name: str) -> Any:
        name = {"NoOrganisation": "NoOrganization"}.get(name, name)  # the old spelling, for one release
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
