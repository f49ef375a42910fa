"""The course of a turn, chosen by the `sim:` tags of the session: states, messages, pull requests and outputs.

A plan is made when a turn opens and reaches to its end; the engine cuts it off when something else happens.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from devin_jupyter.models.enums import SCENARIOS
from devin_jupyter.simulator import outputs
from devin_jupyter.simulator.sessions import Frame, Message, Pull, Session, Work
from devin_jupyter.simulator.values import Dice, opaque

IDLE = ("waiting_for_user", "finished", "waiting_for_approval")
"""The details of a running session that does nothing."""
STEPS = 24
"""In how many steps the ACUs of a whole turn grow."""
_SPEED = {"fast": 0.5, "lite": 0.75, "ultra": 1.5}
_PRICE = {"fast": 4.0, "lite": 0.4, "ultra": 2.5}
_SLOW = 10.0
_PR_MENTIONED, _PR_LISTED = 0.62, 0.72
"""Devin names a pull request a while before the session lists it."""
_REPO = re.compile(r"(?:github\.com/|\brepo(?:sitory)?s?:?\s+`?|\bin\s+`)([\w.-]+/[\w.-]*\w)")
_MODES = {"fast": " I'm in fast mode, so I'll keep the plan short.", "ultra": " In ultra mode I'll verify every step."}


@dataclass(frozen=True, slots=True)
class Ending:
    """Where a turn stops: after this part of its time, in this state."""

    after: float
    status: str
    detail: str | None
    text: str = ""
    """The name in `_LAST_TEXTS` of Devin's last message; empty for none."""

    @property
    def is_answer(self) -> bool:
        """Whether the work was completed."""
        return self.after == 1.0


_REGULAR = Ending(1.0, "running", "waiting_for_user", "closing")
_ENDINGS = {
    "finished": Ending(1.0, "running", "finished", "closing"),
    "exit": Ending(1.0, "exit", "finished", "closing"),
    "question": Ending(0.5, "running", "waiting_for_user", "question"),
    "approval": Ending(0.5, "running", "waiting_for_approval", "approval"),
    "fail": Ending(0.6, "error", "error"),
    "flaky": Ending(0.6, "error", "error"),
    "limit": Ending(0.6, "suspended", "usage_limit_exceeded", "limit"),
    "credits": Ending(0.6, "suspended", "out_of_credits"),
    "sleep": Ending(0.7, "suspended", "inactivity", "sleep"),
}
DESCRIPTIONS = {
    "finished": "ends running/finished with an answer",
    "exit": "ends exit/finished with an answer; takes no messages then",
    "question": "asks something halfway; the reply opens a turn that answers",
    "approval": "waits for an approval, unless created with bypass_approval",
    "fail": "fails: error/error",
    "flaky": "fails the first time; the same request started again works",
    "limit": "is suspended at its ACU limit, and again after every message",
    "credits": "is suspended without credits, and again after every message",
    "sleep": "falls asleep before it has an answer; a message wakes it",
    "partial-output": "submits an output that is filled in only in part, early; the final one follows",
    "invalid-output": "ends with an output that does not fit the schema",
    "no-output": "ends without the output that the schema asks for",
    "files": 'mentions a file in its last message, in the form of the API: `ATTACHMENT:{…}`, on v1 `ATTACHMENT:"…"`',
    "slow": "takes ten times as long",
    "unknown": "shows states, values and fields that no documentation names on the way",
}
"""What each scenario does; a session without one works, answers and waits for its user."""
NAMES = frozenset(SCENARIOS)
"""Every scenario. They can be combined; of several endings, the first in the table above that still applies counts."""


def scenarios_of(tags: Iterable[str] | None) -> frozenset[str]:
    """Return the scenarios that the tags of a create call name."""
    return NAMES.intersection(tag.removeprefix("sim:") for tag in tags or () if tag.startswith("sim:"))


@dataclass(frozen=True, slots=True)
class Opener:
    """What opens a turn: the prompt, or a message to a session in the state `before`."""

    at: float
    text: str
    files: Sequence[str] = ()
    """URLs of attachments."""
    before: Frame | None = None
    planned_end: float = 0.0
    """When the turn would have ended that the message interrupts."""
    approved: bool | None = None
    """The answer to an approval opens it, and this is what it says."""

    @property
    def steers(self) -> bool:
        """Whether Devin was at work when the message came."""
        busy = ("new", "claimed", "creating", "resuming")
        before = self.before
        return before is not None and (before.status in busy or before.detail in ("working", "pondering"))


def plan_turn(session: Session, opener: Opener, turn_seconds: float) -> None:
    """Add the turn to the session's timeline; `turn_seconds` is how long a default one takes."""
    plan = _Plan(session, opener, turn_seconds)
    frames, reached_limit = plan.frames()
    last = frames[-1]
    frames = plan.with_outputs(frames, answered=plan.ending.is_answer and not reached_limit)
    pulls = plan.pulls(until=last.at)
    session.timeline.extend(frames, plan.messages(pulls, last, reached_limit), pulls)
    ending = "limit" if reached_limit else plan.ending.text
    finishes = plan.ending.is_answer and not reached_limit
    session.timeline.work.append(Work(session.turns, opener.at, last.at, opener.text, finishes, ending))
    session.turns += 1


class _Plan:
    """The plan of one turn; parts of a turn are counted from 0.0 to 1.0."""

    def __init__(self, session: Session, opener: Opener, turn_seconds: float) -> None:
        self.session, self.opener = session, opener
        self.names = scenarios_of(session.request.get("tags"))
        self.ending = _ending_of(session, self.names)
        self.whole = turn_seconds * _SPEED.get(session.mode, 1.0) * (_SLOW if "slow" in self.names else 1.0)
        self.seconds = self.whole
        if opener.steers:
            self.seconds = max(0.5 * self.whole, opener.planned_end - opener.at)
        self.dice = Dice(session.seed, "turn", session.turns)
        self.schema: dict[str, Any] | None = session.request.get("structured_output_schema")
        self.spent = opener.before.acus if opener.before else 0.0
        self.output = opener.before.output if opener.before else None

    def _time(self, part: float) -> float:
        return self.opener.at + part * self.seconds

    def frames(self) -> tuple[list[Frame], bool]:
        """Return the states and the growing cost, up to the ending or (True) the session's own limit."""
        opening = _opening_of(self.opener.before, self.names)
        frames = [Frame(self._time(part), status, detail, self.spent, self.output) for part, status, detail in opening]
        start, status, detail = opening[-1]
        after = self.ending.after
        if self.opener.before and self.opener.before.status == self.ending.status == "suspended":
            after = 0.2  # a turn that reaches the same limit again does so sooner
        limit = self.session.request.get("max_acu_limit")
        cap = None if limit is None else float(min(max(0, limit), 10**9))
        if "limit" in self.names and cap is not None:
            cost = max(0.0, cap - self.spent)
        else:
            cost = _cost_of(self.session, self.dice.between(0, 1)) * after * self.seconds / self.whole
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

    def with_outputs(self, frames: list[Frame], *, answered: bool) -> list[Frame]:
        """Put the output, and the earlier submissions on the way to it, where the plan has them."""
        if self.schema is None or not answered or "no-output" in self.names:
            return frames
        seed = f"{self.session.seed}/{self.session.turns}"
        place = self.session.repos[0] if self.session.repos else "the code"
        if self.output is None or self.opener.steers:  # an output submitted before the end is not an answer yet
            final = outputs.output_for(self.schema, seed=seed, place=place, unlike=self.output)
        else:
            final = outputs.revised(self.output, self.schema, self.opener.text, seed=seed, place=place)
        if final is None:
            return frames
        final = outputs.with_corrected_cell(final, self.schema, self.opener.text)
        early = outputs.interim(final, self.schema)
        submissions = [(self._time(0.55), early)] if early is not None and self.output is None else []
        if "partial-output" in self.names:
            submissions = [(self._time(0.2), outputs.partial(final)), *submissions]
        last = outputs.broken(final, self.schema) if "invalid-output" in self.names else final
        submissions.append((self._time(1.0) - 1e-6, last))

        def submitted(frame: Frame) -> dict[str, Any] | None:
            return next((value for at, value in reversed(submissions) if at <= frame.at), frame.output)

        return [Frame(frame.at, frame.status, frame.detail, frame.acus, submitted(frame)) for frame in frames]

    def pulls(self, until: float) -> list[Pull]:
        """Return the pull requests: one for each repository, once in the life of a session."""
        session, at = self.session, self._time(_PR_LISTED)
        if session.timeline.pulls or at > until or self.ending.after < _PR_LISTED:
            return []
        return [_pull(session, repo, at) for repo in session.repos]

    def messages(self, pulls: list[Pull], last: Frame, reached_limit: bool) -> list[Message]:
        """Return what Devin says, up to the last frame."""
        opener, session = self.opener, self.session
        topic = _Topic(opener.text, session.repos, session.mode, opener.files, self.schema is not None, self.dice)
        first = _opening if opener.before is None else _steered if opener.steers else _waking
        if opener.approved is not None:
            first = _approved if opener.approved else _rejected
        said = [(0.12, first(topic)), (0.45, _progress(topic))]
        if pulls:
            said.append((_PR_MENTIONED, _opened([pull.url for pull in pulls])))
        texts = [(self._time(part), text) for part, text in said if self._time(part) < last.at]
        if reached_limit or self.ending.text == "limit":
            final = f"I stopped: the ACU limit of this session is reached ({last.acus:g} ACU)."
        elif self.ending.is_answer and self.schema is not None and "no-output" in self.names:
            final = f"I looked at “{topic.excerpt}”, but I have no result in the form you asked for yet."
        else:
            final = _LAST_TEXTS[self.ending.text](topic) if self.ending.text else ""
        if final and "files" in self.names:
            final += f"\n\nATTACHMENT:{_attachment_of(session)}"
        texts += [(last.at, final)] if final else []
        return [
            Message(at, "devin", text, opaque("event", session.seed, session.turns, index))
            for index, (at, text) in enumerate(texts)
        ]


def _attachment_of(session: Session) -> str:
    url = f"https://app.devin.ai/attachments/{session.id}/report%20{session.turns + 1}.md"
    return json.dumps(url if session.api_version == "v1" else {"url": url, "type": "file", "size": {"bytes": 2048}})


def _ending_of(session: Session, names: frozenset[str]) -> Ending:
    """Return how the next turn ends: a session asks once and falls asleep once; most other endings repeat."""
    past = session.timeline.frames
    over = {
        "question": any(frame.detail == "waiting_for_user" for frame in past),
        "sleep": any(frame.status == "suspended" for frame in past),
        "flaky": session.attempt > 1,
        "approval": session.request.get("bypass_approval") is True or session.approval_given is not None,
    }
    chosen = next((name for name in _ENDINGS if name in names and not over.get(name)), None)
    return _ENDINGS[chosen] if chosen else _REGULAR


def _cost_of(session: Session, chance: float) -> float:
    """The ACUs of a whole turn; later turns are cheaper than the first."""
    base = 0.35 + 0.5 * min(len(session.repos), 4) + 0.9 * chance
    return base * (0.4 if session.turns else 1.0) * _PRICE.get(session.mode, 1.0)


def _opening_of(before: Frame | None, names: frozenset[str]) -> list[tuple[float, str, str | None]]:
    """The states before the work as (part of the turn, status, detail); the last one is the work itself."""
    work = ("running", "pondering" if "unknown" in names else "working")
    if before is None:
        middle = "creating" if "unknown" in names else "claimed"
        return [(0.0, "new", None), (0.03, middle, None), (0.08, *work)]
    if before.status == "suspended":
        return [(0.0, "resuming", None), (0.08, *work)]
    return [(0.0, *work)]


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


# --- what Devin says about this prompt, these repositories, this mode ---


def repos_in(prompt: str) -> list[str]:
    """Return the repositories a prompt names: `repo owner/name`, an URL, or ``in `owner/name` ``."""
    return list(dict.fromkeys(_REPO.findall(prompt)))[:5]


def title_of(prompt: str) -> str:
    """Return the title the service would make up for a prompt."""
    return _excerpt(prompt, 60) or "Untitled session"


def file_name(url: str) -> str:
    """Return the name of the file behind a URL; anything passes for one."""
    try:
        path = urlsplit(url).path
    except ValueError:  # such as a bracket that is never closed
        path = ""
    return unquote(path.rsplit("/", 1)[-1]) or "file"


def _excerpt(text: str, length: int) -> str:
    """The first line that says something, cut at a word."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= length else line[: length - 1].rsplit(" ", 1)[0] + "…"


@dataclass(frozen=True, slots=True)
class _Topic:
    """What a turn is about; `prompt` is the message that opened it."""

    prompt: str
    repos: Sequence[str]
    mode: str
    files: Sequence[str]
    has_schema: bool
    dice: Dice

    @property
    def place(self) -> str:
        return " and ".join(f"`{repo}`" for repo in self.repos[:3]) or "the workspace"

    @property
    def excerpt(self) -> str:
        return _excerpt(self.prompt, 80)

    @property
    def file_names(self) -> str:
        return ", ".join(f"`{file_name(url)}`" for url in self.files)


def _opening(topic: _Topic) -> str:
    read = f"I read the attached {topic.file_names}. " if topic.files else ""
    plan = topic.dice.sample(
        (
            f"Read the code in {topic.place} that this touches",
            "Reproduce the present behavior with a test",
            "Make the smallest change that does it",
            "Check callers and documentation",
            "Run the whole test suite",
        ),
        3,
    )
    steps = "\n".join(f"{number}. {step}" for number, step in enumerate(plan, 1))
    return f"{read}I'll start on “{topic.excerpt}”.{_MODES.get(topic.mode, '')}\n\nMy plan:\n\n{steps}"


def _waking(topic: _Topic) -> str:
    read = f"I read {topic.file_names}. " if topic.files else ""
    return f"{read}Got it: “{topic.excerpt}”. I'll take it from where I stopped in {topic.place}."


def _approved(topic: _Topic) -> str:
    return f"Thanks for the approval. I'm running `git push` in {topic.place} now."


def _rejected(topic: _Topic) -> str:
    return f"Understood, I won't run `git push` in {topic.place}. I'll finish what I can without it."


def _steered(topic: _Topic) -> str:
    return f"Understood. I'm changing course: “{topic.excerpt}”."


def _progress(topic: _Topic) -> str:
    place, dice = topic.place, topic.dice
    return dice.pick(
        (
            f"I've been through {place} and know where to act. {2 + dice.below(7)} files matter, "
            "the rest only follows.",
            f"The {40 + dice.below(300)} existing tests of {place} pass here. Now the change itself.",
            f"Halfway. In {place} the surprising part is the configuration, which is read in two places.",
        )
    )


def _opened(urls: Sequence[str]) -> str:
    links = "\n".join(f"- [{url.removeprefix('https://github.com/')}]({url})" for url in urls)
    return f"I opened {'a pull request' if len(urls) == 1 else f'{len(urls)} pull requests'}:\n\n{links}"


def _closing(topic: _Topic) -> str:
    answer = " The structured output holds the details." if topic.has_schema else ""
    return topic.dice.pick(
        (
            f"Done: “{topic.excerpt}”. All checks pass.{answer}",
            f"That's finished in {topic.place}. I left the public interfaces as they were.{answer}",
            f"Finished. I ran the test suite twice; it is green both times.{answer}",
        )
    )


def _question(topic: _Topic) -> str:
    place = topic.place
    return topic.dice.pick(
        (
            f"Before I go on in {place}: should the change keep the old behavior behind a flag, or replace it?",
            f"I found two ways to do this in {place}. Do you prefer the small patch or the clean rewrite?",
            f"One thing is unclear in {place}: may I touch the public interface, yes or no?",
        )
    )


def _approval(topic: _Topic) -> str:
    return f"I need an approval to run `git push` in {topic.place}. It can be given in the web app."


def _sleep(topic: _Topic) -> str:
    return f"The checks of {topic.place} are still running. I'll sleep until I hear from you."


_LAST_TEXTS: dict[str, Callable[[_Topic], str]] = {
    "closing": _closing,
    "question": _question,
    "approval": _approval,
    "sleep": _sleep,
}
