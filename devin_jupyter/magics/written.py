"""Files that a command writes where a person says."""

from __future__ import annotations

from pathlib import Path

from devin_jupyter.errors import OptionError


def write(place: str, text: str) -> Path:
    """Write a text file and return its path.

    Raises:
        OptionError: it cannot be written there.
    """
    path = Path(place).expanduser()
    try:
        path.write_text(text, encoding="utf-8")
    except (OSError, ValueError) as problem:  # ValueError: a zero byte in the name
        reason = getattr(problem, "strerror", None) or str(problem)
        raise OptionError(f"{path} cannot be written: {reason.lower()}", do="give another place") from None
    return path
