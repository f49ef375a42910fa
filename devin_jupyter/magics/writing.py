"""What a command says where a file cannot be written: a mistake of the line, not a fault of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devin_jupyter.errors import OptionError


@contextmanager
def writing(place: str | Path) -> Iterator[None]:
    """Name the place that the system refuses.

    Raises:
        OptionError: nothing can be written there.
    """
    try:
        yield
    except OSError as problem:
        reason = (problem.strerror or str(problem)).lower()
        raise OptionError(
            f"{problem.filename or place} cannot be written: {reason}",
            "what was there is as it was",
            "name a place in a folder that exists and that you may write to",
        ) from None
