"""Fingerprints: what makes two requests the same, as hashes. Sessions that were paid for are found again by them.

What goes into the hash of a version never changes; a change is a new version, which is looked up beside the old ones.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from devin_jupyter.models.snapshot import Where

FINGERPRINT_VERSION = 1


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
    def of(cls, identity: Mapping[str, Any], where: Where) -> Fingerprint:
        """Return the fingerprint of a request with this identity, sent to `where`."""
        place = [where.base_url.rstrip("/").lower(), where.org_id, where.api_version]
        return cls(FINGERPRINT_VERSION, sha256_of(place)[:16], sha256_of(identity))

    @classmethod
    def parse(cls, text: str) -> Fingerprint:
        """Read `.text` again."""
        version, where, what = text.split(":")
        return cls(int(version), where, what)


def sha256_of(value: Any) -> str:
    """Return the hash of a JSON value, in hex digits; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
