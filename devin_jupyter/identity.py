"""Fingerprints: what makes two requests the same, as hashes. Sessions that were paid for are found again by them.

What goes into the hash of a version never changes; a change is a new version, and `fingerprints` keeps the old ones.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Protocol

from devin_jupyter.models.snapshot import Where

FINGERPRINT_VERSION = 1


class Request(Protocol):
    """Something with an identity: a `SessionRequest`."""

    def identity(self) -> dict[str, Any]:
        """Return what makes two requests the same, apart from where they are sent."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The identity of a request as hashes. A lock file matches on `what` alone."""

    version: int
    where: str
    """16 hex digits of base URL, organization and API version."""
    what: str
    """64 hex digits of everything else."""

    @property
    def text(self) -> str:
        """`version:where:what`, the form kept in the journal."""
        return f"{self.version}:{self.where}:{self.what}"

    @property
    def tag(self) -> str:
        """The tag by which the session is found again on the service."""
        return "nb-" + hashlib.sha256(self.text.encode()).hexdigest()[:16]

    @classmethod
    def parse(cls, text: str) -> Fingerprint:
        """Read `.text` again."""
        version, where, what = text.split(":")
        return cls(int(version), where, what)


def fingerprint(request: Request, where: Where) -> Fingerprint:
    """Return the fingerprint of `request` sent to `where`."""
    place = [where.base_url.rstrip("/").lower(), where.org_id, where.api_version]
    return Fingerprint(FINGERPRINT_VERSION, _sha256(place)[:16], _sha256(request.identity()))


def fingerprints(request: Request, where: Where) -> tuple[Fingerprint, ...]:
    """Return the fingerprint, then those that earlier versions of this package gave the same request."""
    return (fingerprint(request, where),)


def terms(request: Request) -> str:
    """Return a hash of what a request says besides its words and its take: repositories, schema, mode and the rest."""
    return _sha256({name: value for name, value in request.identity().items() if name not in ("prompt", "key", "take")})


def _sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
