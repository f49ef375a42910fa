"""What Devin says in a simulated session: words about this prompt, these repositories, this mode."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from devin_jupyter.simulator.ids import Dice

_REPO = re.compile(r"(?:github\.com/|\brepo(?:sitory)?s?:?\s+`?|\bin\s+`)([\w.-]+/[\w.-]*\w)")
_MODES = {"fast": " I'm in fast mode, so I'll keep the plan short.", "ultra": " In ultra mode I'll verify every step."}


def repos_in(prompt: str) -> list[str]:
    """Return the repositories a prompt names: `repo owner/name`, an URL, or ``in `owner/name` ``."""
    return list(dict.fromkeys(_REPO.findall(prompt)))[:5]


def title_of(prompt: str) -> str:
    """Return the title the service would make up for a prompt."""
    return excerpt(prompt, 60) or "Untitled session"


def excerpt(text: str, length: int) -> str:
    """Return the first line that says something, cut at a word."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= length else line[: length - 1].rsplit(" ", 1)[0] + "…"


@dataclass(frozen=True, slots=True)
class Told:
    """What a turn is about."""

    prompt: str
    """The prompt, or the message that opened the turn."""
    repos: Sequence[str]
    mode: str
    files: Sequence[str]
    """URLs of attachments."""
    has_schema: bool
    dice: Dice

    @property
    def place(self) -> str:
        """Where the work is done, in words."""
        return " and ".join(f"`{repo}`" for repo in self.repos[:3]) or "the workspace"


def opening(told: Told) -> str:
    """First words of a session."""
    read = f"I read the attached {_names(told.files)}. " if told.files else ""
    plan = told.dice.sample(
        (
            f"Read the code in {told.place} that this touches",
            "Reproduce the present behavior with a test",
            "Make the smallest change that does it",
            "Check callers and documentation",
            "Run the whole test suite",
        ),
        3,
    )
    steps = "\n".join(f"{number}. {step}" for number, step in enumerate(plan, 1))
    return f"{read}I'll start on “{excerpt(told.prompt, 80)}”.{_MODES.get(told.mode, '')}\n\nMy plan:\n\n{steps}"


def waking(told: Told) -> str:
    """First words of a later turn."""
    read = f"I read {_names(told.files)}. " if told.files else ""
    return f"{read}Got it: “{excerpt(told.prompt, 80)}”. I'll take it from where I stopped in {told.place}."


def steered(told: Told) -> str:
    """Answer to a message that came while working."""
    return f"Understood. I'm changing course: “{excerpt(told.prompt, 80)}”."


def progress(told: Told) -> str:
    """Words from the middle of the work."""
    return told.dice.pick(
        (
            f"I've been through {told.place} and know where to act. {2 + told.dice.below(7)} files matter, "
            f"the rest only follows.",
            f"The {40 + told.dice.below(300)} existing tests of {told.place} pass here. Now the change itself.",
            f"Halfway. In {told.place} the surprising part is the configuration, which is read in two places.",
        )
    )


def opened(told: Told, urls: Sequence[str]) -> str:
    """Words about new pull requests."""
    links = "\n".join(f"- [{url.removeprefix('https://github.com/')}]({url})" for url in urls)
    return f"I opened {'a pull request' if len(urls) == 1 else f'{len(urls)} pull requests'}:\n\n{links}"


def closing(told: Told) -> str:
    """Last words of a turn that did what was asked."""
    answer = " The structured output holds the details." if told.has_schema else ""
    return told.dice.pick(
        (
            f"Done: “{excerpt(told.prompt, 80)}”. All checks pass.{answer}",
            f"That's finished in {told.place}. I left the public interfaces as they were.{answer}",
            f"Finished. I ran the test suite twice; it is green both times.{answer}",
        )
    )


def without_answer(told: Told) -> str:
    """Last words of a turn that ends without the structured output."""
    return f"I looked at “{excerpt(told.prompt, 80)}”, but I have no result in the form you asked for yet."


def question(told: Told) -> str:
    """A question that stops the work."""
    return told.dice.pick(
        (
            f"Before I go on in {told.place}: should the change keep the old behavior behind a flag, or replace it?",
            f"I found two ways to do this in {told.place}. Do you prefer the small patch or the clean rewrite?",
            f"One thing is unclear in {told.place}: may I touch the public interface, yes or no?",
        )
    )


def approval(told: Told) -> str:
    """Words before an action that needs an approval."""
    return f"I need an approval to run `git push` in {told.place}. It can be given in the web app."


def limit(acus: float) -> str:
    """Words at the ACU limit."""
    return f"I stopped: the ACU limit of this session is reached ({acus:g} ACU)."


def tired(told: Told) -> str:
    """Words before falling asleep in the middle of the work."""
    return f"The checks of {told.place} are still running. I'll sleep until I hear from you."


def _names(urls: Sequence[str]) -> str:
    names = [file_name(url) for url in urls]
    return ", ".join(f"`{name}`" for name in names)


def file_name(url: str) -> str:
    """Return the name of the file behind a URL; anything passes for one."""
    try:
        path = urlsplit(url).path
    except ValueError:  # such as a bracket that is never closed
        path = ""
    return unquote(path.rsplit("/", 1)[-1]) or "file"
