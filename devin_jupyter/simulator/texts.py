"""What Devin says in a simulated session: words about this prompt, these repositories, this mode."""

from __future__ import annotations

import re

_REPO = re.compile(r"(?:github\.com/|\brepo(?:sitory)?s?:?\s+`?|\bin\s+`)([\w.-]+/[\w.-]*\w)")


def repos_in(prompt: str) -> list[str]:
    """Return the repositories a prompt names: `repo owner/name`, an URL, or `in `owner/name``."""
    return list(dict.fromkeys(_REPO.findall(prompt)))[:5]


def title_of(prompt: str) -> str:
    """Return the title the service would make up for a prompt."""
    line = next((line.strip() for line in prompt.splitlines() if line.strip()), "Untitled session")
    return line if len(line) <= 60 else line[:59].rsplit(" ", 1)[0] + "…"
