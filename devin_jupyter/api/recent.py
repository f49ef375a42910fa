"""The newest requests, kept in memory for `%devin debug`, also where nobody has asked for a log.

Method, path, status, duration and retries; neither queries nor bodies.
"""

from __future__ import annotations

import collections
import time

REQUESTS: collections.deque[str] = collections.deque(maxlen=100)


def keep(line: str) -> None:
    """Keep one request, with the time of day."""
    REQUESTS.append(f"{time.strftime('%H:%M:%S')} {line}")
