"""What a start that failed means for the rest of a batch: try later, wait for room, pause, or give this row up."""

from __future__ import annotations

from enum import Enum

from devin_jupyter.errors import (
    ApiError,
    BudgetExceeded,
    ConnectionTrouble,
    DevinError,
    Forbidden,
    Halted,
    RateLimited,
    SetupError,
    Unauthorized,
)

PAYMENT_REQUIRED = 402


class Setback(Enum):
    """The five ways a start can fail."""

    BUSY = "busy"
    """The service asks to slow down: do so, and try this row again."""
    AWAY = "away"
    """The service cannot be reached: slow down and try this row again, but not for ever."""
    NO_ROOM = "no room"
    """The budget does not hold it now: wait until open turns end."""
    PAUSE = "pause"
    """It would fail for every row: stop until the person looked."""
    REFUSED = "refused"
    """It fails for this row."""


def setback_of(problem: DevinError) -> Setback:
    """Return what this problem means for the batch."""
    if isinstance(problem, RateLimited):
        return Setback.BUSY
    if isinstance(problem, ConnectionTrouble):
        return Setback.AWAY
    if isinstance(problem, BudgetExceeded):
        return Setback.NO_ROOM
    if isinstance(problem, (Halted, Unauthorized, Forbidden, SetupError)):
        return Setback.PAUSE
    if isinstance(problem, ApiError) and problem.status_code == PAYMENT_REQUIRED:
        return Setback.PAUSE
    return Setback.REFUSED
