"""One simulated session and what it looks like from outside, in the shape of a v3 answer.

The shape only: what happens over time is planned by `engine`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from devin_jupyter.simulator.problems import json_bytes
from devin_jupyter.simulator.timeline import Timeline

WEB_APP = "https://app.devin.ai/sessions/"
ONLY_LATER = ("status_detail", "structured_output", "category", "subcategory")
"""Fields that are null on the answers to a create and to a message; only get and list fill them."""


@dataclass(slots=True, eq=False)
class Session:
    """A session: who asked for what, when, and the timeline that follows from it. Times are Unix seconds."""

    id: str
    """Bare, 32 hex digits."""
    order: int
    """Position in the order of creation; preloaded ones are negative."""
    created_at: float
    request: dict[str, Any]
    """The body of the create call (v3 names), with every field."""
    seed: str
    """What its texts, costs and outputs follow from."""
    title: str
    mode: str
    tags: list[str]
    attempt: int = 1
    """How often this was asked for so far, itself included."""
    repos: tuple[str, ...] = ()
    org_id: str = ""
    origin: str = "api"
    api_version: str = "v3"
    user_id: str | None = None
    service_user_id: str | None = None
    playbook_id: str | None = None
    schedule_id: str | None = None
    parent_session_id: str | None = None
    child_session_ids: list[str] | None = None
    category: str | None = None
    subcategory: str | None = None
    categorised_at: float = 0.0
    archived: bool = False
    touched: float = 0.0
    """When tags, archive flag or the like changed last."""
    hidden_until: float = 0.0
    """Not listed before this (the fault `hide_new`)."""
    stale_polls: int = 0
    """How many more reads show the state of `stale_at` (the fault `stale`)."""
    stale_at: float = 0.0
    extra: dict[str, Any] = field(default_factory=dict)
    """Fields of the answer that no documentation names."""
    timeline: Timeline = field(default_factory=Timeline)
    deeds: list[dict[str, Any]] = field(default_factory=list)
    """What was done to it after its creation, oldest first: enough to make it again."""
    turns: int = 0
    """How many turns were planned."""
    _valid_until: float = 0.0
    _bytes: bytes = b""

    def touch(self, now: float) -> None:
        """Note a change that the timeline does not hold, so that `updated_at` moves."""
        self.touched = max(self.touched, now)

    def forget_rendering(self) -> None:
        """Let the next read be made anew."""
        self._valid_until = 0.0

    def updated_at(self, now: float) -> float:
        """Return when something visible changed last."""
        moment = max(self.created_at, self.touched, self.timeline.changed(now))
        return max(moment, self.categorised_at) if self.categorised_at <= now else moment

    def view(self, now: float) -> dict[str, Any]:
        """Return the v3 answer as it is now."""
        frame = self.timeline.frame(now)
        categorised = now >= self.categorised_at
        return {
            "session_id": self.id,
            "url": WEB_APP + self.id,
            "status": frame.status,
            "status_detail": frame.detail,
            "title": self.title,
            "tags": list(self.tags),
            "org_id": self.org_id,
            "user_id": self.user_id,
            "service_user_id": self.service_user_id,
            "created_at": int(self.created_at),
            "updated_at": int(self.updated_at(now)),
            "acus_consumed": frame.acus,
            "pull_requests": [{"pr_url": p.url, "pr_state": p.state(now)} for p in self.timeline.opened(now)],
            "playbook_id": self.playbook_id,
            "parent_session_id": self.parent_session_id,
            "child_session_ids": self.child_session_ids,
            "is_archived": self.archived,
            "origin": self.origin,
            "category": self.category if categorised else None,
            "subcategory": self.subcategory if categorised else None,
            "structured_output": frame.output,
            "devin_mode": self.mode,
            **self.extra,
        }

    def answer(self, now: float) -> dict[str, Any]:
        """Return the view as the answers to acts show it: with nulls where only get and list know more."""
        return {**self.view(now), **dict.fromkeys(ONLY_LATER)}

    def rendered(self, now: float) -> bytes:
        """Return the view as JSON, made once for as long as nothing changes."""
        if now >= self._valid_until:
            self._bytes = json_bytes(self.view(now))
            self._valid_until = self.timeline.next_change(now)
            if now < self.categorised_at:
                self._valid_until = min(self._valid_until, self.categorised_at)
        return self._bytes

    def moment(self, now: float) -> float:
        """Return the time whose state a reader gets to see: now, unless the fault `stale` holds it back."""
        return self.stale_at if self.stale_polls > 0 else now

    def next_moment(self, now: float) -> float:
        """Return the same for one read of get or list, and count it."""
        moment = self.moment(now)
        self.stale_polls -= moment != now
        return moment

    def read(self, now: float) -> bytes:
        """Return what one read of get or list shows."""
        moment = self.next_moment(now)
        return self.rendered(now) if moment == now else json_bytes(self.view(moment))
