"""Writes the plan of one turn into a session's timeline: `scenarios` decide, `texts` say, `outputs` answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from devin_jupyter.simulator import outputs, texts
from devin_jupyter.simulator.ids import Dice, opaque
from devin_jupyter.simulator.scenarios import Ending, cost_of, ending_of, opening_of, scenarios_of, seconds_of
from devin_jupyter.simulator.sessions import Session
from devin_jupyter.simulator.timeline import Frame, Pull, Word

STEPS = 24
"""In how many steps the ACUs of a whole turn grow."""
_PR_SAID, _PR_LISTED = 0.62, 0.72
"""Devin names a pull request a while before the session lists it."""
_SAYS: dict[str, Callable[[texts.Told], str]] = {
    "closing": texts.closing,
    "question": texts.question,
    "approval": texts.approval,
    "tired": texts.tired,
}

Output = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Opener:
    """What opens a turn: the prompt, or a message to a session in the state `before`."""

    at: float
    text: str
    files: Sequence[str] = ()
    before: Frame | None = None
    planned_end: float = 0.0
    """When the turn would have ended that the message interrupts."""

    @property
    def steers(self) -> bool:
        """Whether Devin was at work when the message came."""
        busy = ("new", "claimed", "creating", "resuming")
        before = self.before
        return before is not None and (before.status in busy or before.detail in ("working", "pondering"))


def plan_turn(session: Session, opener: Opener, turn_seconds: float) -> None:
    """Add the turn to the session's timeline."""
    _Plan(session, opener, turn_seconds).write()
    session.turns += 1


class _Plan:
    """The plan while it is written; parts of a turn are counted from 0.0 to 1.0."""

    def __init__(self, session: Session, opener: Opener, turn_seconds: float) -> None:
        self.session, self.opener = session, opener
        self.names = scenarios_of(session.request.get("tags"))
        self.ending = ending_of(session, self.names)
        self.whole = seconds_of(session, self.names, turn_seconds)
        self.seconds = self.whole
        if opener.steers:
            self.seconds = max(0.5 * self.whole, opener.planned_end - opener.at)
        self.dice = Dice(session.seed, "turn", session.turns)
        self.schema: dict[str, Any] | None = session.request.get("structured_output_schema")
        self.told = texts.Told(
            opener.text, session.repos, session.mode, opener.files, self.schema is not None, self.dice
        )
        self.spent = opener.before.acus if opener.before else 0.0
        self.output = opener.before.output if opener.before else None

    def write(self) -> None:
        work, reached_limit = self._frames()
        last = work[-1]
        frames = self._with_outputs(work, answered=self.ending.is_answer and not reached_limit)
        pulls = self._pulls(until=last.at)
        self.session.timeline.extend(frames, self._words(pulls, last, reached_limit), pulls)

    def _time(self, part: float) -> float:
        return self.opener.at + part * self.seconds

    def _frames(self) -> tuple[list[Frame], bool]:
        """The states and the growing cost, up to the ending or (True) the session's own limit."""
        opening = opening_of(self.opener.before, self.names)
        frames = [Frame(self._time(part), status, detail, self.spent, self.output) for part, status, detail in opening]
        start, status, detail = opening[-1]
        after = self._after()
        cap = self._cap()
        cost = self._cost(cap, after)
        steps = max(1, round(STEPS * after * self.seconds / self.whole))
        for step in range(1, steps + 1):
            at = self._time(start + (after - start) * step / steps)
            acus = round(self.spent + cost * step / steps, 2)
            if cap is not None and acus >= cap:
                frames.append(Frame(at, "suspended", "usage_limit_exceeded", max(cap, self.spent), self.output))
                return frames, True
            frames.append(Frame(at, status, detail, acus, self.output))
        last = frames.pop()
        frames.append(Frame(last.at, self.ending.status, self.ending.detail, last.acus, self.output))
        return frames, False

    def _after(self) -> float:
        """A turn that runs into the same wall again does so sooner."""
        was_blocked = self.opener.before is not None and self.opener.before.status == "suspended"
        return 0.2 if was_blocked and self.ending.status == "suspended" else self.ending.after

    def _cap(self) -> float | None:
        limit = self.session.request.get("max_acu_limit")
        return None if limit is None else float(min(max(0, limit), 10**9))

    def _cost(self, cap: float | None, after: float) -> float:
        if "limit" in self.names and cap is not None:
            return max(0.0, cap - self.spent)
        return cost_of(self.session, self.dice.between(0, 1)) * after * self.seconds / self.whole

    def _with_outputs(self, frames: list[Frame], *, answered: bool) -> list[Frame]:
        """Put the output, and the earlier submissions on the way to it, where the plan has them."""
        if self.schema is None or not answered or "no-output" in self.names:
            return frames
        seed = f"{self.session.seed}/{self.session.turns}"
        place = self.session.repos[0] if self.session.repos else "the code"
        final = outputs.output_for(self.schema, seed=seed, place=place, unlike=self.output)
        if final is None:
            return frames
        submissions = self._submissions(final, self.schema)
        return [_submit(frame, submissions) for frame in frames]

    def _submissions(self, final: Output, schema: dict[str, Any]) -> list[tuple[float, Output]]:
        early = outputs.interim(final, schema)
        found = [(self._time(0.55), early)] if early is not None and self.output is None else []
        if "partial-output" in self.names:
            found = [(self._time(0.2), outputs.partial(final)), *found]
        last = outputs.broken(final, schema) if "invalid-output" in self.names else final
        return [*found, (self._time(1.0) - 1e-6, last)]

    def _pulls(self, until: float) -> list[Pull]:
        session, at = self.session, self._time(_PR_LISTED)
        if session.timeline.pulls or at > until or self.ending.after < _PR_LISTED:
            return []
        return [_pull(session, repo, at) for repo in session.repos]

    def _words(self, pulls: list[Pull], last: Frame, reached_limit: bool) -> list[Word]:
        told = self.told
        said: list[tuple[float, str]]
        if self.opener.before is None:
            said = [(0.12, texts.opening(told))]
        else:
            said = [(0.12, texts.steered(told) if self.opener.steers else texts.waking(told))]
        said.append((0.45, texts.progress(told)))
        if pulls:
            said.append((_PR_SAID, texts.opened(told, [pull.url for pull in pulls])))
        words = [(self._time(part), text) for part, text in said if self._time(part) < last.at]
        final = self._last_words(self.ending, last, reached_limit)
        words += [(last.at, final)] if final else []
        return [
            Word(at, "devin", text, opaque("event", self.session.seed, self.session.turns, index))
            for index, (at, text) in enumerate(words)
        ]

    def _last_words(self, ending: Ending, last: Frame, reached_limit: bool) -> str:
        if reached_limit or ending.words == "limit":
            return texts.limit(last.acus)
        if ending.is_answer and self.schema is not None and "no-output" in self.names:
            return texts.without_answer(self.told)
        return _SAYS[ending.words](self.told) if ending.words else ""


def _submit(frame: Frame, submissions: list[tuple[float, Output]]) -> Frame:
    output = next((value for at, value in reversed(submissions) if at <= frame.at), frame.output)
    return Frame(frame.at, frame.status, frame.detail, frame.acus, output)


def _pull(session: Session, repo: str, at: float) -> Pull:
    """Of ten pull requests six are merged within two days, one is closed, the others stay open."""
    dice = Dice(session.seed, "pull", repo)
    path = repo.removeprefix("https://github.com/").removesuffix(".git").strip("/")
    url = f"https://github.com/{quote(path)}/pull/{100 + dice.below(2900)}"
    fate = dice.below(10)
    settled_at = at + dice.between(1, 48) * 3600
    if fate < 6:
        return Pull(at, url, settled_at, "merged")
    return Pull(at, url, settled_at, "closed") if fate == 6 else Pull(at, url, math.inf)
