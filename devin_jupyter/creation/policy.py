"""What `Creator` is told and what it tells: policies, outcomes, plans, and what it needs of the API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from devin_jupyter.models.snapshot import Record, Snapshot

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """How a request got its session."""

    record: Record
    """With the snapshot."""
    how: str
    """`created`, `attached`, `adopted` (ours, its answer had been lost) or `recorded` (from a lock file)."""
    raw: Raw | None = None
    """The service's answer; None when it was not asked."""
    notice: str | None = None
    """The line to print."""

    @property
    def session_id(self) -> str:
        """Always `devin-…`."""
        return self.record.session_id

    @property
    def snapshot(self) -> Snapshot:
        """The session as it stands."""
        assert self.record.snapshot is not None
        return self.record.snapshot


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
