"""Pull requests as a frame, one row per distinct URL, and what an URL says: repository and number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import pandas as pd

from devin_jupyter.frames.columns import frame_of
from devin_jupyter.frames.shapes import PULL_REQUESTS
from devin_jupyter.models.fields import PullRequest, read_session
from devin_jupyter.models.fields import pull_requests as read_pull_requests

_KINDS = "(?:-/)?(?:pull|pulls|pull-requests|pullrequest|merge_requests)"
_PLACE = re.compile(rf"https?://[^/]+/(?P<repo>.+?)/{_KINDS}")
_REQUEST = re.compile(rf"(?P<place>https?://[^/]+/.+?/{_KINDS})/(?P<number>\d{{1,18}})(?:[/?#].*)?")
_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)

Counted = tuple[int, int | None, list[str]]
"""How many pull requests, how many of them merged (None where no state is known), and their repositories."""
Made = tuple[str, datetime | None, datetime | None, Iterable[PullRequest]]
"""A session's id, when it was created and updated, and its pull requests."""


def repository(url: str) -> str | None:
    """Return `owner/repo` for the URL of a pull request on any of the usual forges, or None."""
    place, _, number = url.rpartition("/")
    if number.isdecimal():
        return _repository_at(place)
    match = _REQUEST.fullmatch(url)
    return _repository_at(match["place"]) if match else None


@lru_cache(maxsize=10_000)
def _repository_at(place: str) -> str | None:
    match = _PLACE.fullmatch(place)
    return match["repo"].removesuffix("/_git").replace("/_git/", "/") if match else None


def _number(url: str) -> int | None:
    match = _REQUEST.fullmatch(url)
    return int(match["number"]) if match else None


def count(value: Any) -> Counted:
    """Return what there is to count in the pull requests of a raw session."""
    if not value:
        return 0, 0, []
    if type(value) is not list or len(value) != 1 or type(value[0]) is not dict:
        return counted(read_pull_requests(value))
    url, state = value[0].get("pr_url"), value[0].get("pr_state")
    if not url or type(url) is not str or type(state) is not str:
        return counted(read_pull_requests(value))
    repo = repository(url)
    return 1, int(state == "merged"), [repo] if repo else []


def counted(requests: Sequence[PullRequest]) -> Counted:
    """Return what there is to count in pull requests."""
    if not requests:
        return 0, 0, []
    states = [request.state for request in requests if request.state is not None]
    repos = dict.fromkeys(name for name in (repository(request.url) for request in requests) if name)
    return len(requests), states.count("merged") if states else None, list(repos)


class PullRequestRows:
    """Collects the pull requests of raw sessions, each session once."""

    def __init__(self, *, api_version: str = "v3") -> None:
        """Start empty."""
        self._api_version = api_version
        self._found: dict[str, Made] = {}

    def __len__(self) -> int:
        """Return the number of sessions so far."""
        return len(self._found)

    def add(self, items: Iterable[Mapping[str, Any]], *, at: datetime | None = None) -> int:
        """Add the raw sessions of a page and return how many were new."""
        before = len(self._found)
        for item in items:
            fields = read_session(item, self._api_version)
            made = (fields["session_id"], fields["created_at"], fields["updated_at"], fields["pull_requests"])
            self._found.setdefault(made[0], made)
        return len(self._found) - before

    def frame(self, limit: int | None = None) -> pd.DataFrame:
        """Return the pull requests of the newest `limit` sessions, or of all."""
        newest = sorted(self._found.values(), key=lambda made: made[1] or _LONG_AGO, reverse=True)
        return pull_requests(newest[:limit])


def pull_requests(sessions: Iterable[Made]) -> pd.DataFrame:
    """Return one row per distinct URL: the session that had it first, and the state that was seen last."""
    first: dict[str, tuple[datetime, str]] = {}
    last: dict[str, tuple[datetime, str]] = {}
    for session_id, created, updated, found in sessions:
        for request in found:
            born, seen = (created or _LONG_AGO, session_id), updated or _LONG_AGO
            first[request.url] = min(first.get(request.url, born), born)
            if request.state is not None and seen >= last.get(request.url, (_LONG_AGO, ""))[0]:
                last[request.url] = (seen, request.state)
    urls = sorted(first, key=lambda url: (first[url], url))
    data: dict[str, Any] = {
        "url": list(urls),
        "repo": [repository(url) for url in urls],
        "number": [_number(url) for url in urls],
        "state": [last[url][1] if url in last else None for url in urls],
        "session_id": [first[url][1] for url in urls],
    }
    return frame_of(PULL_REQUESTS, data)
