"""Arguments that can be written in several ways, read in one, and checked before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from operator import index
from typing import Any

from devin_jupyter.errors import OptionError
from devin_jupyter.text import closest

Moment = datetime | int | float
"""A time: a datetime (UTC where it has no zone) or Unix seconds."""


def as_list(value: Any) -> list[Any]:
    """Return the values of an argument that takes one or several; a string is one."""
    if value is None:
        return []
    return list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]


def at_most(limit: int | None) -> int | None:
    """Return a `limit`, None for no limit.

    Raises:
        OptionError: it is not a whole number, or below 0.
    """
    try:
        most = None if limit is None else index(limit)
    except TypeError:
        most = -1
    if most is not None and most < 0:
        raise OptionError(f"limit is a whole number of 0 or more, not {limit!r}", "nothing was sent")
    return most


def unix(moment: Moment | None) -> int | None:
    """Return whole Unix seconds, as the API counts time.

    Raises:
        OptionError: it is not a time.
    """
    if moment is None:
        return None
    try:
        if isinstance(moment, datetime):
            moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        return int(moment)
    except (TypeError, ValueError, OverflowError):
        raise OptionError(f"a moment is a datetime or Unix seconds, not {moment!r}", "nothing was sent") from None


def query_pairs(params: Mapping[str, Any] | None) -> list[tuple[str, Any]]:
    """Return a query as the API takes it: a list repeats its key, None leaves a key out."""
    pairs: list[tuple[str, Any]] = []
    for key, value in (params or {}).items():
        values = value if isinstance(value, (list, tuple, set, frozenset)) else (value,)
        pairs.extend((key, item) for item in values if item is not None)
    return pairs


def check_fields(what: str, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Refuse keywords that are not fields.

    Raises:
        OptionError: an unknown field; names the nearest.
    """
    for name in given:
        if name not in known:
            near = closest(name, known)
            raise OptionError(
                f"a {what} has no field {name!r}",
                "nothing was sent",
                f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}",
            )
