"""Times as people write them: `90`, `30m`, `4h`, `6d` or `2w`."""

from __future__ import annotations

import math
import re
from typing import Any

from devin_jupyter.errors import OptionError

_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d|w|)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def duration(value: Any) -> float:
    """Return seconds for a number, `90`, `30m`, `4h`, `6d` or `2w`; ValueError for anything else."""
    if isinstance(value, bool):
        raise ValueError("not a time")
    if isinstance(value, str):
        match = _TIME.fullmatch(value.strip().lower())
        if not match:
            raise ValueError("not a time")
        return float(match[1]) * _SECONDS[match[2]]
    found = float(value.total_seconds() if hasattr(value, "total_seconds") else value)
    if not found >= 0:
        raise ValueError("not a time")
    return found


def seconds(timeout: Any) -> float | None:
    """Return a time-out in seconds, None for none; texts as in `--wait` are understood.

    Raises:
        OptionError: it is no time.
    """
    try:
        found = None if timeout is None else duration(timeout)
    except (TypeError, ValueError):
        raise OptionError(
            f"a time-out is seconds, or a text such as '30m', not {timeout!r}",
            "nothing was changed; the session goes on",
            ".wait(90), .wait('30m') and .wait('4h') wait that long, .wait() as long as it takes",
        ) from None
    return None if found == math.inf else found
