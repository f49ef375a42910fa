"""The newest lines of the `devin_jupyter` log, in memory for `%devin debug`. Levels stay as the user set them."""

from __future__ import annotations

import collections
import logging

from devin_jupyter.redaction import redact

LINES = 200
_LOG = logging.getLogger("devin_jupyter")


class Recent(logging.Handler):
    """Keeps the newest lines, redacted."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        super().__init__(logging.DEBUG)
        self.lines: collections.deque[str] = collections.deque(maxlen=LINES)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        self.lines.append(redact(self.format(record)))


def keep_recent() -> None:
    """Start keeping lines, once."""
    if not any(isinstance(handler, Recent) for handler in _LOG.handlers):
        _LOG.addHandler(Recent())


def recent_lines() -> list[str]:
    """Return the lines kept so far, oldest first."""
    return [line for handler in _LOG.handlers if isinstance(handler, Recent) for line in handler.lines]
