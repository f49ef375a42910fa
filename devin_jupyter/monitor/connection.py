"""Whether the service answers, as a value that a panel can show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Connection:
    """How the last look at the service went. Times are UTC."""

    last_seen: datetime | None = None
    """When the service answered last."""
    troubled_since: datetime | None = None
    """When it stopped to; None while all is well."""
    problem: str = ""
    """What went wrong last, in one line."""

    @property
    def is_ok(self) -> bool:
        """Whether the service answers."""
        return self.troubled_since is None

    def line(self, now: datetime) -> str:
        """Return what a person is told: nothing while all is well."""
        if self.is_ok:
            return ""
        if self.last_seen is None:
            return "reconnecting, not seen yet"
        return f"reconnecting, last seen {_ago((now - self.last_seen).total_seconds())} ago"


def _ago(seconds: float) -> str:
    seconds = max(0, round(seconds))
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"
