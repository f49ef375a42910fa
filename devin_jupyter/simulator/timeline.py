"""The life of one session as values over time: what it shows at an instant follows from these alone.

A timeline reaches into the future. A message cuts off what has not happened yet and plans anew; nobody's reading
ever changes it.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

_at = attrgetter("at")


@dataclass(frozen=True, slots=True)
class Frame:
    """What the machine shows from `at` on, until the next frame."""

    at: float
    status: str
    detail: str | None = None
    acus: float = 0.0
    output: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Word:
    """One message."""

    at: float
    source: str
    """`"devin"` or `"user"`."""
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


@dataclass(slots=True)
class Timeline:
    """Frames, messages and pull requests, each in order of time."""

    frames: list[Frame] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    pulls: list[Pull] = field(default_factory=list)

    def extend(self, frames: Iterable[Frame] = (), words: Iterable[Word] = (), pulls: Iterable[Pull] = ()) -> None:
        """Add to the plan; times must not lie before what is already there."""
        self.frames.extend(frames)
        self.words.extend(words)
        self.words.sort(key=_at)
        self.pulls.extend(pulls)

    def cut(self, now: float) -> None:
        """Forget everything that has not happened yet; pull requests that are open keep their fate."""
        self.frames = self.frames[: bisect_right(self.frames, now, key=_at)]
        self.words = self.words[: bisect_right(self.words, now, key=_at)]
        self.pulls = [pull for pull in self.pulls if pull.at <= now]

    def frame(self, now: float) -> Frame:
        """Return the frame that holds now."""
        return self.frames[max(0, bisect_right(self.frames, now, key=_at) - 1)]

    def said(self, now: float) -> list[Word]:
        """Return the messages up to now, oldest first."""
        return self.words[: bisect_right(self.words, now, key=_at)]

    def opened(self, now: float) -> list[Pull]:
        """Return the pull requests up to now."""
        return [pull for pull in self.pulls if pull.at <= now]

    def changed(self, now: float) -> float:
        """Return when something visible changed last, up to now."""
        moments = [self.frame(now).at, *(word.at for word in self.said(now)[-1:])]
        moments += [at for pull in self.pulls for at in (pull.at, pull.settled_at) if at <= now]
        return max(moments)

    def next_change(self, now: float) -> float:
        """Return when something visible changes next; infinity if nothing is planned."""
        moments = [item[index].at for item in (self.frames, self.words) if (index := _after(item, now)) < len(item)]
        moments += [at for pull in self.pulls for at in (pull.at, pull.settled_at) if at > now]
        return min(moments, default=math.inf)


def _after(items: list[Any], now: float) -> int:
    return bisect_right(items, now, key=_at)
