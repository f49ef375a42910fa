"""What `logging` hears of an exchange: method, path, outcome and time; never a body, a query or the key."""

from __future__ import annotations

import logging
import time

from devin_jupyter.api.answers import Asked

logger = logging.getLogger("devin_jupyter.http")
logging.getLogger("devin_jupyter").addHandler(logging.NullHandler())


def exchanged(asked: Asked, outcome: int | str, started: float, retry: object = None) -> None:
    """Note an exchange that is over.

    Args:
        asked: the request.
        outcome: the status, or the name of what went wrong.
        started: as `time.perf_counter` said.
        retry: what the retrying transport left with the answer.
    """
    if not logger.isEnabledFor(logging.INFO):
        return
    seconds, retries = time.perf_counter() - started, getattr(retry, "attempts_made", 0)
    facts = {"method": asked.method, "path": asked.path, "status": outcome, "seconds": seconds, "retries": retries}
    logger.info("%(method)s %(path)s %(status)s in %(seconds).3f s, retries: %(retries)d", facts, extra={"http": facts})
