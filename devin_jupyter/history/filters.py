"""Which sessions are meant: the keywords of the frames as filters of the API, and what the API cannot filter.

`since` and `until` are half-open on `created_at`, in UTC. Pure, but for the clock that "7d" is counted from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from math import ceil
from typing import Any

from devin_jupyter.errors import OptionError, Unsupported
from devin_jupyter.history.windows import Raw, Window
from devin_jupyter.models.phase import Phase
from devin_jupyter.models.raw import parse_time

When = str | int | float | date | datetime | timedelta | None
"""A moment: a datetime or date (UTC where it names no zone), its ISO 8601 text, Unix seconds, or how long ago: "7d"."""

_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
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
            OptionError: an unknown one.
        """
        known = [item.name for item in fields(cls)]
        unknown = [name for name in given if name not in known]
        if unknown:
            raise OptionError(
                f"sessions cannot be filtered by {unknown[0]!r}", do=f"filter by {', '.join(known)}, limit"
            )
        filters = cls(**given)
        unfit = set(_listed(filters.phase)) - {phase.value for phase in Phase}
        if unfit:
            raise OptionError(f"{min(unfit)!r} is no phase", do=f"phases are {', '.join(Phase)}")
        return filters

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
            "parent_session_id": self.parent,
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

    def keep(self, items: list[Raw], now: datetime, *, api_version: str) -> list[Raw]:
        """Return the raw sessions of a page that pass the filters which the service leaves, or may leave, to us."""
        tags, categories = set(_listed(self.tags)), set(_listed(self.category))
        if tags:
            items = [item for item in items if tags <= set(_texts(item.get("tags")))]
        if categories:
            items = [item for item in items if item.get("category") in categories]
        if self.archived is not None and api_version == "v3":
            items = [item for item in items if (item.get("is_archived") is True) == self.archived]
        return self._keep_v1(items, now) if api_version == "v1" else items

    def _keep_v1(self, items: list[Raw], now: datetime) -> list[Raw]:
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
    if isinstance(when, timedelta):
        return now - when
    if isinstance(when, date) and not isinstance(when, datetime):
        return datetime(when.year, when.month, when.day, tzinfo=UTC)
    if isinstance(when, datetime):
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
    ago = _AGO.fullmatch(when.strip()) if isinstance(when, str) else None
    if ago:
        return now - timedelta(seconds=float(ago[1]) * _SECONDS[ago[2]])
    found = parse_time(when)
    if found is None:
        raise OptionError(f"{name}={when!r} is no moment", do="give 2026-11-21, 2026-11-21T08:00, a datetime, or 7d")
    return found


def _second(when: When, now: datetime, name: str) -> int | None:
    found = moment(when, now, name)
    return None if found is None else ceil(found.timestamp())


def _listed(value: str | Iterable[str] | None) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else [str(item) for item in value]


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
