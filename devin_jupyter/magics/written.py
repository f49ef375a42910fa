"""Files that a command writes where a person says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devin_jupyter.errors import OptionError


def write(place: str, text: str) -> Path:
    """Write a text file and return its path.

    Raises:
        OptionError: it cannot be written there.
    """
    path = Path(place).expanduser()
    with at(path):
        path.write_text(text, encoding="utf-8")
    return path


@contextmanager
def at(place: str | Path) -> Iterator[None]:
    """Turn the system's refusal to write in here into a mistake of the line that names the place.

    Raises:
        OptionError: it cannot be written there.
    """
    try:
        yield
    except (OSError, ValueError) as problem:  # ValueError: a zero byte in the name
        path = getattr(problem, "filename", None) or place
        reason = getattr(problem, "strerror", None) or str(problem)
        raise OptionError(
            f"{path} cannot be written: {reason.lower()}",
            "what was there is as it was",
            "name a place in a folder that exists and that you may write to",
        ) from None
