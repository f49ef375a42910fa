"""Raw session and message objects of either API version, read so tolerantly that no answer can raise.

Whatever the service sends ends as a value of the right type, or as None; nothing is guessed and nothing is lost:
fields without a place go to `extra`, unknown words stay as they came.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from devin_jupyter.errors import OptionError
from devin_jupyter.models.ids import bare_id, session_id

FINGERPRINT_TAG = "nb-"
WEB_APP = "https://app.devin.ai/sessions/"
NO_ID = "devin-unknown"
_LONGEST_WORD = 80


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request of a session, as the service names it."""

    url: str
    state: str | None = None
    """`open`, `merged`, `closed` or whatever the service says; None where it does not (v1)."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the conversation."""

    event_id: str
    source: str
    """`"devin"` or `"user"`."""
    text: str
    created_at: datetime | None
    """UTC."""


def read_v3(raw: Mapping[str, Any], *, org_id: str | None, repos: tuple[str, ...]) -> dict[str, Any]:
    """Return the fields of a snapshot that a v3 `SessionResponse` tells."""
    session = identifier(raw)
    updated, created = _unix(raw.get("updated_at")), _unix(raw.get("created_at"))
    status = word(raw.get("status"))
    return {
        "session_id": session,
        "url": _url(raw, session),
        "status": status,
        "status_detail": word(raw.get("status_detail")),
        "title": word(raw.get("title"), longest=None),
        "acus": _acus(raw.get("acus_consumed"), status, created, updated),
        "created_at": created,
        "updated_at": updated,
        "tags": visible_tags(strings(raw.get("tags"))),
        "pull_requests": pull_requests(raw.get("pull_requests")),
        "structured_output": raw.get("structured_output"),
        "org_id": word(raw.get("org_id")) or org_id,
        "user_id": word(raw.get("user_id")),
        "service_user_id": word(raw.get("service_user_id")),
        "playbook_id": word(raw.get("playbook_id")),
        "parent_session_id": related_id(raw.get("parent_session_id")),
        "child_session_ids": tuple(filter(None, map(related_id, strings(raw.get("child_session_ids"))))),
        "is_archived": raw.get("is_archived") is True,
        "origin": word(raw.get("origin")),
        "category": word(raw.get("category")),
        "subcategory": word(raw.get("subcategory")),
        "mode": word(raw.get("devin_mode")),
        "repos": repos,
        "extra": {key: value for key, value in raw.items() if key not in V3_FIELDS},
    }


def read_v1(raw: Mapping[str, Any], *, org_id: str | None, repos: tuple[str, ...]) -> dict[str, Any]:
    """Return the fields of a snapshot that a v1 `SessionSummary` or `SessionDetails` tells."""
    session = identifier(raw)
    pull_request = raw.get("pull_request")
    return {
        "session_id": session,
        "url": _url(raw, session),
        "status": word(raw.get("status")),
        "status_detail": word(raw.get("status_enum")),
        "title": word(raw.get("title"), longest=None),
        "created_at": parse_time(raw.get("created_at")),
        "updated_at": parse_time(raw.get("updated_at")),
        "tags": visible_tags(strings(raw.get("tags"))),
        "pull_requests": pull_requests([pull_request] if pull_request else []),
        "structured_output": raw.get("structured_output"),
        "org_id": org_id,
        "user_id": word(raw.get("requesting_user_email")),
        "playbook_id": word(raw.get("playbook_id")),
        "repos": repos,
        "extra": {key: value for key, value in raw.items() if key not in V1_FIELDS},
    }


def read_message(raw: Mapping[str, Any]) -> Message:
    """Read a message object of either version; v1 spells its source as a `type`."""
    kind = word(raw.get("source")) or word(raw.get("type")) or ""
    created = parse_time(raw.get("created_at", raw.get("timestamp")))
    text = word(raw.get("message"), longest=None) or ""
    identifier = word(raw.get("event_id"), longest=None) or f"{kind}:{created}:{text[:40]}"
    source = "devin" if kind.startswith("devin") else "user" if "user" in kind else kind
    return Message(identifier, source, text, created)


def word(value: Any, *, longest: int | None = _LONGEST_WORD) -> str | None:
    """Return a value as the text it should have been; None stays None."""
    if value is None or isinstance(value, str):
        return value
    return str(value)[:longest]


def visible_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return the tags a person set: without the `nb-…` tag by which this package finds its sessions again."""
    return tuple(tag for tag in tags if not tag.startswith(FINGERPRINT_TAG))


def parse_time(value: Any) -> datetime | None:
    """Read a Unix time in seconds or an ISO 8601 string as UTC; None where there is no readable time."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            return None
    return _unix(value)


def _unix(value: Any) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def identifier(raw: Mapping[str, Any]) -> str:
    """Return the id of a raw session, prefixed; `NO_ID` where there is none."""
    return related_id(raw.get("session_id")) or NO_ID


def related_id(value: Any) -> str | None:
    """Return a session id as everything of ours spells it, or None."""
    if not value:
        return None
    try:
        return session_id(str(value))
    except OptionError:
        return None


def _url(raw: Mapping[str, Any], identifier: str) -> str:
    url = raw.get("url")
    return url if isinstance(url, str) and url else WEB_APP + bare_id(identifier)


def _acus(value: Any, status: str | None, created: datetime | None, updated: datetime | None) -> float | None:
    """Zero on a session that has worked means not reported, so it is unknown."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > 1e15 or not math.isfinite(value):
        return None
    untouched = status in ("new", "claimed", "creating") or (status is not None and created == updated)
    return float(value) if value or untouched else None


def strings(value: Any) -> tuple[str, ...]:
    """Return the texts of a list; nothing for what is no list."""
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, (list, tuple)) else ()


def pull_requests(value: Any) -> tuple[PullRequest, ...]:
    """Return the pull requests of a raw session."""
    if not isinstance(value, (list, tuple)):
        return ()
    found = (item for item in value if isinstance(item, Mapping))
    pairs = ((word(item.get("pr_url") or item.get("url"), longest=None), item.get("pr_state")) for item in found)
    return tuple(PullRequest(url, word(state)) for url, state in pairs if url)


V3_FIELDS = frozenset(
    {
        "session_id",
        "url",
        "org_id",
        "status",
        "status_detail",
        "created_at",
        "updated_at",
        "acus_consumed",
        "tags",
        "pull_requests",
        "title",
        "user_id",
        "service_user_id",
        "playbook_id",
        "parent_session_id",
        "child_session_ids",
        "is_archived",
        "origin",
        "category",
        "subcategory",
        "structured_output",
        "devin_mode",
    }
)
"""The fields of `SessionResponse` that a snapshot has a place for; the rest go to `extra`."""
V1_FIELDS = frozenset(
    {
        "session_id",
        "url",
        "status",
        "status_enum",
        "title",
        "created_at",
        "updated_at",
        "tags",
        "pull_request",
        "structured_output",
        "requesting_user_email",
        "playbook_id",
        "messages",
    }
)
"""The same for the session objects of v1."""
