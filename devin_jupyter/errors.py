"""The exceptions of this package, and how they show in a notebook.

DevinError
├── UsageMistake            nothing was sent
│   ├── OptionError         a mistyped option, value or command
│   │   └── ArgumentError   an argument that is missing, unknown or of a wrong type (a TypeError)
│   ├── NoAttribute         a handle has no such attribute (an AttributeError)
│   ├── TemplateError       a {{ placeholder }} that cannot be filled
│   ├── SchemaError         a schema the API would refuse
│   └── Unsupported         the other API version has this, ours has not
├── SetupError              nothing was sent
│   ├── NoKey
│   ├── WrongKeyFamily
│   ├── NoOrganization
│   ├── LiveUnavailable     this needs the live channel, which is not on
│   └── JournalError        the journal is damaged, read-only or locked
├── Refused                 nothing was paid: one of our own guards refused
│   ├── SessionChanged      an edited cell whose earlier session is still working
│   ├── ColleaguesSession   another principal already started the same request
│   ├── BudgetExceeded
│   ├── Halted              `%devin stop --all` is in force until `%devin resume`
│   └── NotRecorded         the lock file being replayed does not contain this cell
├── ApiError                the service answered with an error
│   ├── BadRequest 400 · Unauthorized 401 · Forbidden 403 · NotFound 404 · Conflict 409
│   ├── Unprocessable 422 · RateLimited 429 · ServerError 5xx
│   └── UnreadableAnswer    a response that does not parse
├── ConnectionTrouble       the service did not answer
│   ├── ConnectionFailed    no connection: the request was certainly not applied
│   ├── ConnectionLost      closed without an answer: it may have been applied
│   └── RequestTimeout      no answer in time: it may have been applied
├── CreateUncertain         the outcome of a create or a message is unknown
└── TurnError               the call worked, but the session has no answer
    ├── TurnOpen            `.output` was read before the end of the turn
    ├── WaitTimeout · NeedsReply · NeedsApproval · SessionAsleep
    ├── SessionBlocked · SessionStopped · SessionFailed
    └── OutputInvalid       an answer that does not match the schema

KeyboardInterrupt
└── Detached                the local wait was interrupted; the session keeps running
asyncio.CancelledError
└── DetachedAwait           the same for `await session`
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from devin_jupyter.redaction import redact, redact_tree, redacted_traceback
from devin_jupyter.text import INVISIBLE

__all__ = [
    "ApiError",
    "ArgumentError",
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
    "LiveUnavailable",
    "NeedsApproval",
    "NeedsReply",
    "NoAttribute",
    "NoKey",
    "NoOrganization",
    "NotCalled",
    "NotFound",
    "NotRecorded",
    "OptionError",
    "OutputInvalid",
    "RateLimited",
    "Refused",
    "RequestTimeout",
    "SchemaError",
    "ServerError",
    "SessionAsleep",
    "SessionBlocked",
    "SessionChanged",
    "SessionFailed",
    "SessionStopped",
    "SetupError",
    "TemplateError",
    "TurnError",
    "TurnOpen",
    "Unauthorized",
    "Unprocessable",
    "UnreadableAnswer",
    "Unsupported",
    "UsageMistake",
    "WaitTimeout",
    "WrongKeyFamily",
]


def __dir__() -> list[str]:
    return __all__


def _one_line(text: str) -> str:
    """One line in which nothing is hidden: what could turn a text around or cut it off is written as its code."""
    return INVISIBLE.sub(lambda found: f"\\u{ord(found[0]):04x}", " ".join(redact(text).split()))


class ThreeLines(BaseException):
    """What happened, what it means for the session and the bill, what to do: at most three lines."""

    _rendered_traceback: TracebackType | None = None
    _is_calm = False
    """An interrupt is intended, not an error: it shows without the name of the exception."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.__module__ == __name__:  # tracebacks and reprs name the class as a script imports it
            cls.__module__ = "devin_jupyter"

    def __init__(self, message: str, consequence: str = "", hint: str = "") -> None:
        self.message, self.consequence = _one_line(message), _one_line(consequence)
        self.hint = "\n".join(map(_one_line, hint.splitlines()))
        super().__init__("\n".join(self.lines))

    def note(self, further: str) -> None:
        """Extend the second line with something that the code that raised this could not know."""
        self.consequence = _one_line(f"{self.consequence}; {further}" if self.consequence else further)
        self.args = ("\n".join(self.lines),)

    def reword(self, change: Callable[[str], str]) -> None:
        """Change the text of each line."""
        self.message, self.consequence, self.hint = map(change, (self.message, self.consequence, self.hint))
        self.args = ("\n".join(self.lines),)

    @property
    def lines(self) -> list[str]:
        """The one to three lines, without the name of the exception; of several ways out, each has a line."""
        return [line for line in (self.message, self.consequence, *self.hint.splitlines()) if line]

    @property
    def what(self) -> str:
        """The former name of `.message`."""
        return self.message

    @property
    def means(self) -> str:
        """The former name of `.consequence`."""
        return self.consequence

    @property
    def do(self) -> str:
        """The former name of `.hint`."""
        return self.hint

    def _render_traceback_(self) -> list[str]:
        # The three lines the first time; every frame when `%tb` asks again for the same raise.
        is_for_history = sys._getframe(1).f_code.co_name == "_format_exception_for_storage"  # IPython 9 asks twice
        if not is_for_history and self.__traceback__ is not None and self.__traceback__ is self._rendered_traceback:
            return redacted_traceback(self)
        self._rendered_traceback = self.__traceback__
        first, *rest = self.lines
        if self._is_calm:
            return [first, *rest]
        return [f"{type(self).__name__}: {first}", *(f"  {line}" for line in rest)]


class DevinError(ThreeLines, Exception):
    """Base of every exception of this package.

    Its three lines are `.message` (what happened), `.consequence` (what it means for the session and the bill) and
    `.hint` (what to do).
    """


class Detached(ThreeLines, KeyboardInterrupt):
    """A local wait was interrupted; the remote session keeps running, and costing, until it ends or is stopped."""

    _is_calm = True


class DetachedAwait(ThreeLines, asyncio.CancelledError):
    """An `await session` was cancelled; the remote session keeps running, as with `Detached`."""

    _is_calm = True


class UsageMistake(DevinError):
    """The call is not valid as written. Nothing was sent."""


class OptionError(UsageMistake):
    """An unknown, malformed, missing or contradictory option, value, name or command."""


class ArgumentError(OptionError, TypeError):
    """An argument of a call in Python is missing, unknown or of a wrong type."""


class NoAttribute(UsageMistake, AttributeError):
    """A session or batch has no attribute of this name; the message names the nearest."""


class NotCalled(UsageMistake, TypeError, AttributeError):
    """A method was used as if it were what it returns: `batch.frame["x"]` for `batch.frame()["x"]`."""


class TemplateError(UsageMistake):
    """A `{{ placeholder }}` that cannot be filled from the notebook's variables."""


class SchemaError(UsageMistake):
    """A schema that cannot be read, translated to Draft 7, or accepted by the API."""


class Unsupported(UsageMistake):
    """The API version of the key in use has no such field or operation."""


class SetupError(DevinError):
    """The client is not ready to talk to the service. Nothing was sent."""


class NoKey(SetupError):
    """No API key was found in any of the places that are searched."""


class WrongKeyFamily(SetupError):
    """A v1 key (`apk_…`) where v3 is needed, or a v3 key (`cog_…`) where v1 is."""


class NoOrganization(SetupError):
    """The v3 API needs an organization id and none could be resolved."""


class LiveUnavailable(SetupError):
    """The live channel, which this needs, is not on: no personal access token, refused, or not reachable."""


class JournalError(SetupError):
    """The journal cannot be read or written, so no paid call can be made safely."""


class Refused(DevinError):
    """One of our own guards stopped the call before anything was paid."""


class SessionChanged(Refused):
    """The cell was edited while the session of its earlier text is still working."""


class ColleaguesSession(Refused):
    """The same request was already started by another principal of the organization."""


class BudgetExceeded(Refused):
    """Starting or sending this would reserve more ACUs than the budget holds."""


class Halted(Refused):
    """`%devin stop --all` has halted this journal; no session starts until `%devin resume`."""


class NotRecorded(Refused):
    """The notebook replays from a lock file, which does not contain this request."""


class ApiError(DevinError):
    """The service answered with an error.

    `.status_code` is the HTTP status, `.detail` the service's own text, `.method` and `.path` the request,
    `.errors` the list of field errors of a 422 (else empty), `.retry_after` seconds or None. `.error_code` is the
    service's own code, such as `user_frozen`, `migrated_session` or `storage_migration_freeze`, or None; new ones may
    come.
    """

    def __init__(
        self,
        message: str,
        consequence: str = "",
        hint: str = "",
        *,
        status_code: int = 0,
        detail: str = "",
        method: str = "",
        path: str = "",
        errors: Sequence[dict[str, Any]] = (),
        retry_after: float | None = None,
        error_code: str | None = None,
    ) -> None:
        super().__init__(message, consequence, hint)
        self.status_code, self.detail, self.method, self.path = status_code, redact(detail), method, redact(path)
        self.errors: list[dict[str, Any]] = redact_tree(list(errors))
        self.retry_after = retry_after
        self.error_code = None if error_code is None else _one_line(error_code)


class BadRequest(ApiError):
    """400: the service understood the request and refuses its content."""


class Unauthorized(ApiError):
    """401: the key is missing, mistyped, revoked or expired."""


class Forbidden(ApiError):
    """403: the key lacks the permission or belongs to the other API version; or `.error_code` says what is held."""


class NotFound(ApiError):
    """404: there is no such object, or this key may not see it."""


class Conflict(ApiError):
    """409: the request conflicts with the current state, such as a name that is taken."""


class Unprocessable(ApiError):
    """422: fields of the request failed validation; `.errors` lists them."""


class RateLimited(ApiError):
    """429: too many requests; `.retry_after` is the requested wait in seconds, or None."""


class ServerError(ApiError):
    """5xx: the service failed; a paid call may or may not have been applied."""


class UnreadableAnswer(ApiError):
    """The service answered with a success status and a body that does not parse."""


class ConnectionTrouble(DevinError):
    """The service could not be reached or did not answer."""


class ConnectionFailed(ConnectionTrouble):
    """No connection could be made, so the request was certainly not applied."""


class ConnectionLost(ConnectionTrouble):
    """The connection was closed without an answer; the request may have been applied."""


class RequestTimeout(ConnectionTrouble):
    """No answer came in time; the request may have been applied."""


class CreateUncertain(DevinError):
    """It is unknown whether a paid call was applied; the message says what to check."""


class TurnError(DevinError):
    """The call worked, but the session has no answer to give. `.session_id` is its id."""

    def __init__(self, message: str, consequence: str = "", hint: str = "", *, session_id: str = "") -> None:
        super().__init__(message, consequence, hint)
        self.session_id = session_id


class TurnOpen(TurnError):
    """`.output` was read while Devin is still working; `.result()` waits for it."""


class WaitTimeout(TurnError):
    """The turn was not over within the timeout of `.result()`; the session keeps running."""


class NeedsReply(TurnError):
    """Devin stopped to ask something; answer with `.send(…)`."""


class NeedsApproval(TurnError):
    """Devin waits for an approval: `.approve()` and `.reject()` where the live channel is on, else in the web app."""


class SessionAsleep(TurnError):
    """The session was put to sleep without an answer; a message wakes it."""


class SessionBlocked(TurnError):
    """A limit, quota or payment problem suspended the session."""


class SessionStopped(TurnError):
    """The session was terminated, or ended without an answer."""


class SessionFailed(TurnError):
    """The session failed on the service's side."""


class OutputInvalid(TurnError):
    """The structured output does not match the schema.

    `.problems` is a list of `"$.json.path: what is wrong"`, `.raw` the output as the service returned it.
    """

    def __init__(
        self,
        message: str,
        consequence: str = "",
        hint: str = "",
        *,
        session_id: str = "",
        problems: Sequence[str] = (),
        raw: Any = None,
    ) -> None:
        super().__init__(message, consequence, hint, session_id=session_id)
        self.problems = [redact(problem) for problem in problems]
        self.raw = raw
