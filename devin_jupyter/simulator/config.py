"""What a simulator is started with: one frozen value, so that equal ones can share a running server."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from pathlib import Path

ORGANIZATIONS = (
    *("Simulated organization", "Payments", "Platform", "Mobile", "Search", "Data", "Growth", "Security"),
    *("Infrastructure", "Design systems", "Support tools", "Research"),
)
"""The names of the organizations of an enterprise."""
TURN_SECONDS = 240.0
"""How long a default turn takes at speed 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The options of `python -m devin_jupyter.simulator`, under the same names."""

    host: str = "127.0.0.1"
    port: int = 0
    """0 takes a free one."""
    api_key: str = "cog_simulator"
    v1_key: str = "apk_simulator"
    pat: str = "cog_pat_simulator"
    """A personal access token: it may do what the v3 key may, and use the live channel."""
    org: str = "org-simulator"
    speed: float = 60.0
    """A default turn takes 240 s divided by this."""
    seed: int = 7
    preload: int = 0
    """Past sessions, spread over the year before the start."""
    today: str | None = None
    """The day on which that year ends, such as `2026-11-01`; the real one by default."""
    latency_ms: float = 0.0
    """Added to every answer."""
    state: Path | None = None
    """A SQLite file that keeps everything across restarts; None keeps it in memory."""
    strict_ids: bool = False
    """Answer session ids without `devin-` in paths with 404, as one reading of the documentation has it."""
    problem_json: bool = False
    """Answer v3 errors as RFC 9457 problem details instead of FastAPI's shape."""
    clock_offset: float = 0.0
    """Seconds by which the service's clock is ahead of this machine's: its times, and the `Date` of its answers."""
    allowed_tags: tuple[str, ...] | None = None
    """The only tags that sessions may have, where an enterprise enforces them; None allows all."""
    organizations: int = 1
    """How many the enterprise has. `org` is the first; the past of the others is preloaded, and only the key of an
    enterprise sees it."""
    events: bool = True
    """Whether the service has the events of a session; where it has not, they are unknown paths."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: a number out of its range, or a day that is none.
            TypeError: no number.
        """
        if self.today is not None:
            date.fromisoformat(self.today)
        if not 0 < self.speed < math.inf:
            raise ValueError("the speed must be greater than 0")
        if not 0 <= self.port <= 65535:
            raise ValueError("the port must be between 0 and 65535")
        if self.preload < 0 or not 0 <= self.latency_ms < math.inf:
            raise ValueError("neither preload nor latency may be negative")
        if not 1 <= self.organizations <= len(ORGANIZATIONS):
            raise ValueError(f"there are 1 to {len(ORGANIZATIONS)} organizations")

    @property
    def is_enterprise(self) -> bool:
        """Whether the v3 key is one of an enterprise: it belongs to no organization, and may list them all."""
        return self.api_key.startswith("cog_enterprise") or self.organizations > 1

    @property
    def names(self) -> dict[str, str]:
        """Ids and names of the organizations."""
        own, *others = ORGANIZATIONS[: self.organizations]
        return {self.org: own} | {f"org-{name.lower().replace(' ', '-')}": name for name in others}

    @property
    def turn_seconds(self) -> float:
        """How long a default turn takes here."""
        return TURN_SECONDS / self.speed
