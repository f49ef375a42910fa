"""What `logging` hears of an exchange: method, path, outcome and time; never a body, a query or the key.

The newest are kept for `%devin debug` as well, also where nobody has asked for a log.
"""

from __future__ import annotations

import collections
import logging
import time

from devin_jupyter.api.answers import Asked

logger = logging.getLogger("devin_jupyter.http")
logging.getLogger("devin_jupyter").addHandler(logging.NullHandler())
RECENT: collections.deque[str] = collections.deque(maxlen=100)
"""The newest exchanges, each a line that begins with the time of day."""
_LINE = "%(method)s %(path)s %(status)s in %(seconds).3f s, retries: %(retries)d"


def exchanged(asked: Asked, outcome: int | str, started: float, retry: object = None) -> None:
    """Note an exchange that is over.

    Args:
        asked: the request.
        outcome: the status, or the name of what went wrong.
        started: as `time.perf_counter` said.
        retry: what the retrying transport left with the answer.
    """
    seconds, retries = time.perf_counter() - started, getattr(retry, "attempts_made", 0)
    facts = {"method": asked.method, "path": asked.path, "status": outcome, "seconds": seconds, "retries": retries}
    RECENT.append(f"{time.strftime('%H:%M:%S')} {_LINE % facts}")
    logger.info(_LINE, facts, extra={"http": facts})
