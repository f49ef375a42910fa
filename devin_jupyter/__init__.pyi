"""The public names, for type checkers, and for `__init__.py`, which loads each from its module when first used."""

from IPython.core.interactiveshell import InteractiveShell

from . import charts as charts
from .batches.batch import AsyncBatch as AsyncBatch
from .batches.batch import Batch as Batch
from .client.aio import AsyncDevin as AsyncDevin
from .client.sync import Devin as Devin
from .client.sync import batch as batch
from .client.sync import budget as budget
from .client.sync import compare as compare
from .client.sync import connect as connect
from .client.sync import consumption_frame as consumption_frame
from .client.sync import create as create
from .client.sync import from_notebook as from_notebook
from .client.sync import get as get
from .client.sync import insights_frame as insights_frame
from .client.sync import last as last
from .client.sync import map as map
from .client.sync import messages_frame as messages_frame
from .client.sync import outputs_frame as outputs_frame
from .client.sync import pull_requests_frame as pull_requests_frame
from .client.sync import sessions_frame as sessions_frame
from .client.sync import sync as sync
from .errors import ApiError as ApiError
from .errors import BadRequest as BadRequest
from .errors import BudgetExceeded as BudgetExceeded
from .errors import ColleaguesSession as ColleaguesSession
from .errors import Conflict as Conflict
from .errors import ConnectionFailed as ConnectionFailed
from .errors import ConnectionLost as ConnectionLost
from .errors import ConnectionTrouble as ConnectionTrouble
from .errors import CreateUncertain as CreateUncertain
from .errors import Detached as Detached
from .errors import DetachedAwait as DetachedAwait
from .errors import DevinError as DevinError
from .errors import Forbidden as Forbidden
from .errors import Halted as Halted
from .errors import JournalError as JournalError
from .errors import NeedsApproval as NeedsApproval
from .errors import NeedsReply as NeedsReply
from .errors import NoKey as NoKey
from .errors import NoOrganization as NoOrganization
from .errors import NotFound as NotFound
from .errors import NotRecorded as NotRecorded
from .errors import OptionError as OptionError
from .errors import OutputInvalid as OutputInvalid
from .errors import RateLimited as RateLimited
from .errors import Refused as Refused
from .errors import RequestTimeout as RequestTimeout
from .errors import SchemaError as SchemaError
from .errors import ServerError as ServerError
from .errors import SessionAsleep as SessionAsleep
from .errors import SessionBlocked as SessionBlocked
from .errors import SessionChanged as SessionChanged
from .errors import SessionFailed as SessionFailed
from .errors import SessionStopped as SessionStopped
from .errors import SetupError as SetupError
from .errors import TemplateError as TemplateError
from .errors import TurnError as TurnError
from .errors import TurnOpen as TurnOpen
from .errors import Unauthorized as Unauthorized
from .errors import Unprocessable as Unprocessable
from .errors import UnreadableAnswer as UnreadableAnswer
from .errors import Unsupported as Unsupported
from .errors import UsageMistake as UsageMistake
from .errors import WaitTimeout as WaitTimeout
from .errors import WrongKeyFamily as WrongKeyFamily
from .models.enums import Phase as Phase
from .models.snapshot import Snapshot as Snapshot
from .session import AsyncSession as AsyncSession
from .session import Session as Session

__version__: str

def load_ipython_extension(shell: InteractiveShell) -> None: ...
def unload_ipython_extension(shell: InteractiveShell) -> None: ...
