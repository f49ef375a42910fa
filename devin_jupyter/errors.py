"""The exceptions of this package, and how they show in a notebook.

DevinError
├── UsageMistake            nothing was sent
│   ├── OptionError         a mistyped option, value or command
│   ├── TemplateError       a {{ placeholder }} that cannot be filled
│   ├── SchemaError         a schema the API would refuse
│   └── Unsupported         the other API version has this, ours has not
├── SetupError              nothing was sent
│   ├── NoKey
│   ├── WrongKeyFamily
│   ├── NoOrganization
│   └── JournalError        the journal is damaged, read-only or locked
├── Refused                 nothing was paid: one of our own guards said no
│   ├── SessionChanged      an edited cell whose earlier session is still at work
│   ├── ColleaguesSession   the same request, already started by somebody else
│   ├── BudgetExceeded
│   ├── Halted              `%devin stop --all` was said, `%devin resume` was not
│   └── NotRecorded         replaying a lock file that does not hold this cell
├── ApiError                the service answered, and said no
│   ├── BadRequest 400 · Unauthorized 401 · Forbidden 403 · NotFound 404 · Conflict 409
│   ├── Unprocessable 422 · RateLimited 429 · ServerError 5xx
│   └── UnreadableAnswer    an answer that does not parse
├── ConnectionTrouble       the service did not answer
│   ├── ConnectionFailed    no connection: the request was certainly not applied
│   ├── ConnectionLost      closed without an answer: it may have been applied
│   └── RequestTimeout      no answer in time: it may have been applied
├── CreateUncertain         a create or a message whose fate could not be settled
└── TurnError               the call worked, the session has no answer
    ├── TurnOpen            `.output` was read before the end of the turn
    ├── WaitTimeout · NeedsReply · NeedsApproval · SessionAsleep
    ├── SessionBlocked · SessionStopped · SessionFailed
    └── OutputInvalid       an answer that does not fit the schema

KeyboardInterrupt
└── Detached                the local wait was interrupted; the session goes on
asyncio.CancelledError
└── DetachedAwait           the same for `await session`
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from devin_jupyter.redaction import keep_secret as keep_secret
from devin_jupyter.redaction import redact as redact
from devin_jupyter.redaction import redact_tree as redact_tree
from devin_jupyter.redaction import redacted_traceback


def _one_line(text: str) -> str:
    return " ".join(redact(text).split())


class _ThreeLines(BaseException):
    """What happened, what it means for the session and the bill, what to do: at most three lines."""

    _shown_traceback: TracebackType | None = None

    def __init__(self, what: str, means: str = "", do: str = "") -> None:
        """Keep the three sentences, each on one redacted line; empty ones are left out."""
        self.what, self.means, self.do = _one_line(what), _one_line(means), _one_line(do)
        super().__init__("\n".join(self.lines))

    def note(self, further: str) -> None:
        """Add to the second line what else has happened, which whoever raised this could not know."""
        self.means = _one_line(f"{self.means}; {further}" if self.means else further)
        self.args = ("\n".join(self.lines),)

    @property
    def lines(self) -> list[str]:
        """The one to three lines, without the name of the exception."""
        return [line for line in (self.what, self.means, self.do) if line]

    def _render_traceback_(self) -> list[str]:
        """Return the three lines the first time one raising is shown, and every frame when `%tb` asks again."""
        is_for_history = sys._getframe(1).f_code.co_name == "_format_exception_for_storage"  # IPython 9 asks twice
        if not is_for_history and self.__traceback__ is not None and self.__traceback__ is self._shown_traceback:
            return redacted_traceback(self)
        self._shown_traceback = self.__traceback__
        first, *rest = self.lines
        return [f"{type(self).__name__}: {first}", *(f"  {line}" for line in rest)]


class DevinError(_ThreeLines, Exception):
    """Base of every exception of this package. `.what`, `.means` and `.do` are its three lines."""


class Detached(_ThreeLines, KeyboardInterrupt):
    """A wait was interrupted here; the remote session goes on, and is paid for, until it ends or is stopped."""


class DetachedAwait(_ThreeLines, asyncio.CancelledError):
    """An `await session` was cancelled; the remote session goes on, as with `Detached`."""


class UsageMistake(DevinError):
    """The call cannot be meant as written. Nothing was sent."""

    def __init__(self, what: str, means: str = "nothing was sent", do: str = "") -> None:
        """Keep the three lines; the second says the same of all mistakes, unless more is known."""
        super().__init__(what, means, do)


class OptionError(UsageMistake):
    """An unknown, malformed, missing or contradictory option, value, name or command."""


class TemplateError(UsageMistake):
    """A `{{ placeholder }}` that cannot be filled from the notebook's variables."""


class SchemaError(UsageMistake):
    """A schema that cannot be read, translated to Draft 7, or accepted by the API."""


class Unsupported(UsageMistake):
    """The API version of the key in use has no such field or operation."""


class SetupError(DevinError):
    """The client is not ready to talk to the service. Nothing was sent."""


class NoKey(SetupError):
    """No API key was found in any of the places a key may come from."""


class WrongKeyFamily(SetupError):
    """A v1 key (`apk_…`) where v3 is needed, or a v3 key (`cog_…`) where v1 is."""


class NoOrganization(SetupError):
    """The v3 API needs an organization id and none could be resolved."""


class JournalError(SetupError):
    """The journal cannot be read or written, so nothing that costs money can be done safely."""


class Refused(DevinError):
    """One of our own guards stopped the act before anything was paid."""


class SessionChanged(Refused):
    """The cell was edited while the session of its earlier text is still at work."""


class ColleaguesSession(Refused):
    """The same request was already started by another principal of the organization."""


class BudgetExceeded(Refused):
    """Starting or sending this would reserve more ACUs than the budget holds."""


class Halted(Refused):
    """The halt flag of this journal is set; nothing is posted until it is lifted."""


class NotRecorded(Refused):
    """The notebook replays from a lock file, which does not hold this request."""


class ApiError(DevinError):
    """The service answered with an error.

    `.status_code` is the HTTP status, `.detail` the service's own words, `.method` and `.path` the request,
    `.errors` the list of field errors of a 422 (else empty), `.retry_after` seconds or None.
    """

    def __init__(
        self,
        what: str,
        means: str = "",
        do: str = "",
        *,
        status_code: int = 0,
        detail: str = "",
        method: str = "",
        path: str = "",
        errors: Sequence[dict[str, Any]] = (),
        retry_after: float | None = None,
    ) -> None:
        """Keep the three lines and the facts of the answer."""
        super().__init__(what, means, do)
        self.status_code, self.detail, self.method, self.path = status_code, redact(detail), method, redact(path)
        self.errors: list[dict[str, Any]] = redact_tree(list(errors))
        self.retry_after = retry_after


class BadRequest(ApiError):
    """400: the service understood the request and refuses its content."""


class Unauthorized(ApiError):
    """401: the key is missing, mistyped, revoked or expired."""


class Forbidden(ApiError):
    """403: the key lacks the permission, or belongs to the other API version."""


class NotFound(ApiError):
    """404: there is no such object, or this key may not see it."""


class Conflict(ApiError):
    """409: the request contradicts the present state, such as a name that is taken."""


class Unprocessable(ApiError):
    """422: fields of the request failed validation; `.errors` lists them."""


class RateLimited(ApiError):
    """429: too many requests; `.retry_after` is the wait asked for, in seconds, or None."""


class ServerError(ApiError):
    """5xx: the service failed; a paid act may or may not have been applied."""


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
    """The fate of a paid act could not be settled; the message says what to check."""


class TurnError(DevinError):
    """The call worked, but the session has no answer to give. `.session_id` names it."""

    def __init__(self, what: str, means: str = "", do: str = "", *, session_id: str = "") -> None:
        """Keep the three lines and the session they speak of."""
        super().__init__(what, means, do)
        self.session_id = session_id


class TurnOpen(TurnError):
    """`.output` was read while Devin is still working; `.result()` waits for it."""


class WaitTimeout(TurnError):
    """The turn was not over within the time given to `.result()`; the session goes on."""


class NeedsReply(TurnError):
    """Devin stopped and asks something; `.send(…)` answers."""


class NeedsApproval(TurnError):
    """Devin waits for an approval that only the web app can give."""


class SessionAsleep(TurnError):
    """The session was put to sleep without an answer; a message wakes it."""


class SessionBlocked(TurnError):
    """A limit, quota or payment problem suspended the session."""


class SessionStopped(TurnError):
    """The session was terminated, or ended without an answer."""


class SessionFailed(TurnError):
    """The session broke on the service's side."""


class OutputInvalid(TurnError):
    """The structured output does not fit the schema.

    `.problems` is a list of `"$.json.path: what is wrong"`, `.raw` the output as the service holds it.
    """

    def __init__(
        self,
        what: str,
        means: str = "",
        do: str = "",
        *,
        session_id: str = "",
        problems: Sequence[str] = (),
        raw: Any = None,
    ) -> None:
        """Keep the three lines, every problem and the raw value."""
        super().__init__(what, means, do, session_id=session_id)
        self.problems = [redact(problem) for problem in problems]
        self.raw = raw
