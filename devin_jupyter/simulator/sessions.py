"""One simulated session: its life as values over time, and what it looks like from outside, in the shape of v3.

A timeline reaches into the future; what a session shows at an instant follows from it alone. A message cuts off what
has not happened yet and plans anew; reading never changes anything.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any

from devin_jupyter.simulator.wire import json_bytes

WEB_APP = "https://app.devin.ai/sessions/"
ONLY_LATER = ("status_detail", "structured_output", "category", "subcategory")
"""Fields that are null on the answers to a create and to a message; only get and list fill them."""
_at = attrgetter("at")


@dataclass(frozen=True, slots=True)
class Frame:
    """What the session shows from `at` on, until the next frame."""

    at: float
    status: str
    detail: str | None = None
    acus: float = 0.0
    output: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One message; `source` is `"devin"` or `"user"`."""

    at: float
    source: str
    text: str
    event_id: str
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class Pull:
    """A pull request: open from `at`, merged or closed from `settled_at`."""

    at: float
    url: str
    settled_at: float = math.inf
    settled_as: str | None = None

    def state(self, now: float) -> str | None:
        """Return `open`, or what became of it by now."""
        return self.settled_as if now >= self.settled_at else "open"


@dataclass(frozen=True, slots=True)
class Work:
    """The work of one turn, from its opening to where it stops; the live channel shows its steps."""

    number: int
    at: float
    until: float
    prompt: str
    finishes: bool
    """It comes to the end of its plan."""
    ends_as: str = ""
    """What keeps it from that: `question`, `approval` and others."""
    cut: float = math.inf
    """When something else interrupted it."""


@dataclass(slots=True)
class Timeline:
    """Frames, messages and pull requests, each in order of time."""

    frames: list[Frame] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    pulls: list[Pull] = field(default_factory=list)
    work: list[Work] = field(default_factory=list)

    def extend(
        self, frames: Iterable[Frame] = (), messages: Iterable[Message] = (), pulls: Iterable[Pull] = ()
    ) -> None:
        """Add to the plan; times must not lie before what is already there."""
        self.frames.extend(frames)
        self.messages.extend(messages)
        self.messages.sort(key=_at)
        self.pulls.extend(pulls)

    def cut(self, now: float) -> None:
        """Drop everything that has not happened yet; pull requests that are open keep their fate."""
        self.frames = self.frames[: bisect_right(self.frames, now, key=_at)]
        self.messages = self.messages_at(now)
        self.pulls = self.pulls_at(now)
        self.work = [replace(each, cut=min(each.cut, now)) if now < each.until else each for each in self.work]

    def frame_at(self, now: float) -> Frame:
        """Return the frame that holds now."""
        return self.frames[max(0, bisect_right(self.frames, now, key=_at) - 1)]

    def messages_at(self, now: float) -> list[Message]:
        """Return the messages up to now, oldest first."""
        return self.messages[: bisect_right(self.messages, now, key=_at)]

    def pulls_at(self, now: float) -> list[Pull]:
        """Return the pull requests up to now."""
        return [pull for pull in self.pulls if pull.at <= now]

    def changed(self, now: float) -> float:
        """Return when something visible changed last, up to now."""
        moments = [self.frame_at(now).at, *(message.at for message in self.messages_at(now)[-1:])]
        moments += [at for pull in self.pulls for at in (pull.at, pull.settled_at) if at <= now]
        return max(moments)

    def next_change(self, now: float) -> float:
        """Return when something visible changes next; infinity if nothing is planned."""
        planned: list[list[Any]] = [self.frames, self.messages]
        moments = [item[index].at for item in planned if (index := bisect_right(item, now, key=_at)) < len(item)]
        moments += [at for pull in self.pulls for at in (pull.at, pull.settled_at) if at > now]
        return min(moments, default=math.inf)


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
    categorized_at: float = 0.0
    archived: bool = False
    migrated: bool = False
    """It was moved elsewhere: lists show it as it was, everything else is refused."""
    touched: float = 0.0
    """When tags, archive flag or the like changed last."""
    hidden_until: float = 0.0
    """Not listed before this (the fault `hide_new`)."""
    stale_polls: int = 0
    """How many more reads show the state of `stale_at` (the fault `stale`)."""
    stale_at: float = 0.0
    stale_moved: bool = False
    """Whether those reads show when something really changed last."""
    extra: dict[str, Any] = field(default_factory=dict)
    """Fields of the answer that no documentation names."""
    timeline: Timeline = field(default_factory=Timeline)
    acts: list[dict[str, Any]] = field(default_factory=list)
    """What was done to it after its creation, oldest first: enough to make it again."""
    turns: int = 0
    """How many turns were planned."""
    _valid_until: float = 0.0
    _bytes: bytes = b""

    @property
    def approval_given(self) -> bool | None:
        """What was answered to its approval; None before that."""
        return next((act["approved"] for act in self.acts if act["kind"] == "approval"), None)

    def touch(self, now: float) -> None:
        """Note a change that the timeline does not hold, so that `updated_at` moves."""
        self.touched = max(self.touched, now)

    def drop_rendering(self) -> None:
        """Drop the cached response, so that the next read renders it again."""
        self._valid_until = 0.0

    def updated_at(self, now: float) -> float:
        """Return when something visible changed last."""
        moment = max(self.created_at, self.touched, self.timeline.changed(now))
        return max(moment, self.categorized_at) if self.categorized_at <= now else moment

    def view(self, now: float) -> dict[str, Any]:
        """Return the v3 answer as it is now."""
        frame = self.timeline.frame_at(now)
        categorized = now >= self.categorized_at
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
            "pull_requests": [{"pr_url": p.url, "pr_state": p.state(now)} for p in self.timeline.pulls_at(now)],
            "playbook_id": self.playbook_id,
            "parent_session_id": self.parent_session_id,
            "child_session_ids": self.child_session_ids,
            "is_archived": self.archived,
            "origin": self.origin,
            "category": self.category if categorized else None,
            "subcategory": self.subcategory if categorized else None,
            "structured_output": frame.output,
            "devin_mode": self.mode,
            **self.extra,
        }

    def answer(self, now: float) -> dict[str, Any]:
        """Return the view as the answers to acts show it: with nulls where only get and list know more."""
        return {**self.view(now), **dict.fromkeys(ONLY_LATER)}

    def visible_time(self, now: float) -> float:
        """Return the time whose state a reader gets to see: now, unless the fault `stale` holds it back."""
        return self.stale_at if self.stale_polls > 0 else now

    def next_read_time(self, now: float) -> float:
        """Return the same for one read of get or list, and count it."""
        moment = self.visible_time(now)
        self.stale_polls -= moment != now
        return moment

    def read(self, now: float) -> bytes:
        """Return what one read of get or list shows, as JSON rendered once for as long as nothing changes."""
        moment = self.next_read_time(now)
        if moment != now:
            moved = {"updated_at": int(self.updated_at(now))} if self.stale_moved else {}
            return json_bytes(self.view(moment) | moved)
        if now >= self._valid_until:
            self._bytes = json_bytes(self.view(now))
            self._valid_until = self.timeline.next_change(now)
            if now < self.categorized_at:
                self._valid_until = min(self._valid_until, self.categorized_at)
        return self._bytes
