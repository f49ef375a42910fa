"""Which sessions are meant: the keywords of the frames as filters of the API, and what the API cannot filter.

`since` and `until` are half-open on `created_at`, in UTC. Pure, but for the clock that "7d" is counted from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from math import ceil
from operator import index
from typing import Any, get_args

import numpy as np

from devin_jupyter.errors import OptionError, Unsupported
from devin_jupyter.history.windows import Raw, Window
from devin_jupyter.models import enums as words
from devin_jupyter.models.fields import parse_time
from devin_jupyter.models.ids import session_id as prefixed
from devin_jupyter.models.phase import Phase
from devin_jupyter.text import nearest, parse_ago

When = str | int | float | date | datetime | timedelta | np.datetime64 | np.timedelta64 | None
"""A moment: a datetime or date (UTC where it names no zone), its ISO 8601 text, Unix seconds, or how long ago: "7d"."""

_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_MOMENTS = ("since", "until", "updated_since")
_ONE = ("playbook", "parent", "schedule")
_WORDS: Mapping[str, tuple[str, ...]] = {
    "phase": tuple(phase.value for phase in Phase),
    "origin": (*get_args(words.Origin), *words.SEEN_ORIGIN),
    "category": (*get_args(words.Category), *words.SEEN_CATEGORY),
}
_V1_LACKS = ("repos", "origin", "category", "service_user", "parent", "schedule")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """The filters of every frame; all that are given must hold."""

    tags: str | Iterable[str] | None = None
    """A session must carry all of them."""
    repos: str | Iterable[str] | None = None
    """`owner/repo`; any of them. v3 only."""
    since: When = None
    """Created at or after."""
    until: When = None
    """Created before."""
    origin: str | Iterable[str] | None = None
    """Any of them. v3 only."""
    category: str | Iterable[str] | None = None
    """Any of them. v3 only."""
    archived: bool | None = None
    """None means both."""
    playbook: str | None = None
    user: str | Iterable[str] | None = None
    """User ids (on v1 the e-mail address of whoever asked); any of them."""
    service_user: str | Iterable[str] | None = None
    """Any of them. v3 only."""
    parent: str | None = None
    """The session that started them. v3 only."""
    schedule: str | None = None
    """v3 only."""
    phase: str | Iterable[str] | None = None
    """Any of them; computed here, so it narrows nothing on the service."""
    updated_since: When = None
    """Updated at or after."""

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Filters:
        """Return the filters for keywords.

        Raises:
            OptionError: an unknown one, or a value that cannot be one.
        """
        known = [item.name for item in fields(cls)]
        for name in given:
            if name not in known:
                raise OptionError(
                    f"sessions cannot be filtered by {name!r}{nearest(name, known)}",
                    "nothing was read",
                    f"filter by {', '.join(known)}, limit",
                )
        return cls(**{name: _checked(name, value) for name, value in given.items() if value is not None})

    def window(self, now: datetime) -> Window:
        """Return the time window of `since` and `until`."""
        return Window(_second(self.since, now, "since"), _second(self.until, now, "until"))

    def v3_params(self, now: datetime) -> Raw:
        """Return the query of v3 for all but the window; None stands for what is not filtered."""
        categories = _listed(self.category)
        updated = _second(self.updated_since, now, "updated_since")
        return {
            "tags": _listed(self.tags) or None,
            "repo_names": _listed(self.repos) or None,
            "origins": _listed(self.origin) or None,
            "category": categories[0] if len(categories) == 1 else None,
            "is_archived": None if self.archived is None else str(self.archived).lower(),
            "playbook_id": self.playbook,
            "user_ids": _listed(self.user) or None,
            "service_user_ids": _listed(self.service_user) or None,
            "parent_session_id": None if self.parent is None else prefixed(self.parent),
            "schedule_id": self.schedule,
            "updated_after": None if updated is None else updated - 1,
        }

    def v1_params(self) -> Raw:
        """Return the query of v1.

        Raises:
            Unsupported: a filter on what v1 does not tell.
        """
        lacking = [name for name in _V1_LACKS if getattr(self, name) is not None]
        if self.archived:
            lacking.append("archived")
        if lacking:
            raise Unsupported(f"v1 knows no {lacking[0]} of a session", "nothing was read", "leave the filter out")
        users = _listed(self.user)
        return {"tags": _listed(self.tags) or None, "user_email": users[0] if len(users) == 1 else None}

    def keep(self, items: Sequence[Any], now: datetime, *, api_version: str) -> list[Any]:
        """Return the raw sessions of a page that pass the filters which the service leaves, or may leave, to us."""
        tags, categories = set(_listed(self.tags)), set(_listed(self.category))
        if tags:
            items = [item for item in items if tags <= set(_texts(item.get("tags")))]
        if categories:
            items = [item for item in items if item.get("category") in categories]
        if self.archived is not None and api_version == "v3":
            items = [item for item in items if (item.get("is_archived") is True) == self.archived]
        return self._keep_v1(items, now) if api_version == "v1" else list(items)

    def _keep_v1(self, items: Sequence[Any], now: datetime) -> list[Any]:
        since, until = moment(self.since, now) or _FIRST, moment(self.until, now, "until") or _LAST
        updated, users = moment(self.updated_since, now, "updated_since") or _FIRST, set(_listed(self.user))
        return [
            item
            for item in items
            if since <= (parse_time(item.get("created_at")) or _FIRST) < until
            and updated <= (parse_time(item.get("updated_at")) or _FIRST)
            and (self.playbook is None or item.get("playbook_id") == self.playbook)
            and (not users or item.get("requesting_user_email") in users)
        ]

    @property
    def phases(self) -> list[str]:
        """The phases that are wanted; none for all."""
        return _listed(self.phase)


def moment(when: When, now: datetime, name: str = "since") -> datetime | None:
    """Return the moment in UTC.

    Args:
        when: see `When`.
        now: what "7d" is counted back from.
        name: the keyword, for the message.

    Raises:
        OptionError: it is no moment.
    """
    if when is None:
        return None
    try:
        found = _moment(when, now)
    except (OverflowError, ValueError):  # before the year 1, or the NaT of pandas
        found = None
    if found is None:
        raise OptionError(
            f"{name}={when!r:.80} is no moment",
            "nothing was read",
            "give 2026-11-21, 2026-11-21T08:00, a datetime, or 7d",
        )
    return found


def _moment(when: When, now: datetime) -> datetime | None:
    if isinstance(when, (np.datetime64, np.timedelta64)):
        when = when.astype("M8[us]" if isinstance(when, np.datetime64) else "m8[us]").item()
    if isinstance(when, timedelta):
        return now - when
    if isinstance(when, datetime):
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
    if isinstance(when, date):
        return datetime(when.year, when.month, when.day, tzinfo=UTC)
    return (parse_ago(when, now) if isinstance(when, str) else None) or parse_time(when)


def _second(when: When, now: datetime, name: str) -> int | None:
    found = moment(when, now, name)
    return None if found is None else ceil(found.timestamp())


def checked_limit(limit: Any) -> int | None:
    """Return how many sessions are wanted at most; None for all.

    Raises:
        OptionError: it is no number of sessions.
    """
    if limit is None:
        return None
    if hasattr(limit, "__index__") and not isinstance(limit, bool) and limit >= 0:
        return index(limit)
    raise OptionError(f"limit={limit!r:.80} is no number of sessions", "nothing was read", "give 100, or leave it out")


def _checked(name: str, value: Any) -> Any:
    """Return the value of a filter, lists as tuples: an iterator can be read once only."""
    if name in _MOMENTS:
        return value
    if name == "archived":
        if value not in (True, False):
            raise _unfit(name, value, "give True or False, or leave it out for both")
        return bool(value)
    if not isinstance(value, (str, Iterable)):
        raise _unfit(name, value, "give a text, or a list of texts")
    listed = (value,) if isinstance(value, str) else tuple(value)
    if name in _ONE and len(listed) != 1:
        raise _unfit(name, value, "give one text")
    for word in listed:
        _check_word(name, word)
    return listed[0] if name in _ONE else listed


def _check_word(name: str, word: Any) -> None:
    if not isinstance(word, str):
        raise _unfit(name, word, "give a text, or a list of texts")
    known = _WORDS.get(name, (word,))
    if word not in known:
        hint = nearest(word, known)
        raise OptionError(f"{word!r:.80} is no {name}{hint}", "nothing was read", f"give one of {', '.join(known)}")


def _unfit(name: str, value: Any, do: str) -> OptionError:
    return OptionError(f"{name}={value!r:.80} cannot be filtered by", "nothing was read", do)


def _listed(value: str | Iterable[str] | None) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else [str(item) for item in value]


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
