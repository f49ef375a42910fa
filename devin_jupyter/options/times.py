"""Times as people write them: `90`, `30m`, `4h`, `6d` or `2w`."""

from __future__ import annotations

import math
from typing import Any

from devin_jupyter.errors import OptionError
from devin_jupyter.text import parse_duration


def seconds(timeout: Any) -> float | None:
    """Return a time-out in seconds, None for none; texts as in `--wait` are understood.

    Raises:
        OptionError: it is no time.
    """
    try:
        found = None if timeout is None else parse_duration(timeout)
    except (TypeError, ValueError):
        raise OptionError(
            f"a time-out is seconds, or a text such as '30m', not {timeout!r}",
            "nothing was changed; the session goes on",
            ".wait(90), .wait('30m') and .wait('4h') wait that long, .wait() as long as it takes",
        ) from None
    return None if found == math.inf else found
