"""What `Creator` is told and what it tells: policies, outcomes, plans, and what it needs of the API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from devin_jupyter.journal.entries import CellRef
from devin_jupyter.models.snapshot import Known, Snapshot

if TYPE_CHECKING:
    from devin_jupyter.creation.lookup import Sweep
    from devin_jupyter.schema import Schema

Raw = Mapping[str, Any]


class SessionsApi(Protocol):
    """The calls about sessions."""

    async def create(self, body: Mapping[str, Any]) -> Raw:
        """Start a session."""

    async def get(self, session_id: str, *, retries: bool = True) -> Raw:
        """Read a session."""

    def pages(self, **filters: Any) -> AsyncIterator[Sequence[Raw]]:
        """List sessions."""

    async def terminate(self, session_id: str, *, archive: bool = False) -> Any:
        """End a session for good."""


class AttachmentsApi(Protocol):
    """The call that uploads a file."""

    async def upload(self, name: str, content: bytes) -> Raw:
        """Upload, and return `{"url": …}`."""


class AccountApi(Protocol):
    """The call that tells who the key is."""

    async def self(self) -> Raw:
        """Return the principal."""


@dataclass(frozen=True, slots=True)
class Api:
    """Everything that creation asks of the service."""

    sessions: SessionsApi
    attachments: AttachmentsApi
    account: AccountApi


def _silent(said: object) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a request is to be started."""

    take_new: bool = False
    """The next free take (`--new`)."""
    max_age: float | None = None
    """An older session does not count as the same; seconds."""
    replace: bool = False
    """Stop the session at work of the cell's earlier text."""
    beside: bool = False
    """Go ahead beside a session at work, or beside a colleague's."""
    guard: CellRef | None = None
    """The cell that asks."""
    batch: str | None = None
    interactive: bool = False
    """Somebody can answer: a changed cell is refused rather than started."""
    budget: float | None = None
    """The limit of this cell, in ACUs."""
    stop_if_left: bool = False
    """End a session that is started although its caller was interrupted meanwhile."""
    swept: Sweep | None = None
    """What a batch found on the service beforehand."""
    refresh: bool = True
    """Look once at a session that is attached to."""
    say: Callable[[str], None] = field(default=_silent, repr=False)
    """Told what is waited for. Called on the loop's thread: must not print."""
    is_patient: bool = True
    """Wait where the service asks to slow down; a batch rather slows down as a whole, and tries again itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A session that stands for the request."""

    session_id: str
    how: str
    """`created`, `attached`, `adopted` (ours, its answer had been lost) or `recorded` (from a lock file)."""
    known: Known
    snapshot: Snapshot
    raw: Raw | None = None
    """The service's answer; None when it was not asked."""
    notice: str | None = None
    """The line to print."""
    schema: Schema | None = None
    take: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would be done, for `--dry-run`."""

    action: str
    """`create`, `attach`, `replay` (from a lock file) or `refuse`."""
    why: str
    session_id: str | None
    fingerprint: str
    tag: str
    body: Raw
    """The exact body; values of secrets masked."""
    costs: tuple[str, ...]
    """Cap, mode, budgets, and what similar sessions have cost."""
