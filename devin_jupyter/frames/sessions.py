"""Sessions and their pull requests as frames: raw pages or snapshots in, one row a session out.

Hundreds of thousands of sessions pass through here, so they are read column by column and no object is made per row,
except for the few that the journal knows more about. A row equals the `Snapshot` of the same response.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any

import numpy as np
import pandas as pd

from devin_jupyter.frames.columns import Codes, Column, frame_of, numbers, times
from devin_jupyter.models.enums import Phase
from devin_jupyter.models.fields import (
    FIELDS,
    KEYS,
    KNOWN_KEYS,
    NO_ID,
    UNTOUCHED,
    WEB_APP,
    PullRequest,
    bare_id,
    identifier,
    read_session,
    word,
)
from devin_jupyter.models.fields import pull_requests as read_pull_requests
from devin_jupyter.models.snapshot import PhaseInputs, Record, Snapshot, observe, phase_of

Raw = Mapping[str, Any]

SESSIONS = tuple(Column(field.name, field.column, field.values) for field in FIELDS if field.column)
PHASE = next(column.values for column in SESSIONS if column.name == "phase")
PULL_REQUESTS = (
    Column("url", "text"),
    Column("repo", "text"),
    Column("number", "integer"),
    Column("state", "word", ("open", "merged", "closed")),
    Column("session_id", "text"),
)

_FIELD_COLUMNS = {
    version: [(field, key) for field in FIELDS if field.column and (key := field.key(version))]
    for version in ("v3", "v1")
}
"""The columns that are a field of the response, with its key."""
_PULL_REQUEST_KEY = {version: KEYS[version]["pull_requests"] for version in KEYS}
_BARE_ID = re.compile("[0-9a-f]{32}")


class SessionRows:
    """Collects sessions, each once, column by column.

    Args:
        api_version: of the raw sessions.
        org_id: the organization, where the responses do not name it.
        known: by session id, what the journal knows and the service does not report.
    """

    def __init__(
        self, *, api_version: str = "v3", org_id: str | None = None, known: Mapping[str, Record] | None = None
    ) -> None:
        self._version, self._org_id, self._known = api_version, org_id, known or {}
        self._words = {column.name: Codes(column.values) for column in SESSIONS if column.kind == "word"}
        self._data: dict[str, list[Any]] = {column.name: [] for column in SESSIONS if column.kind != "word"}
        self._seen: set[str] = set()
        self.provisional: dict[str, bool] = {}
        """Of the sessions in `known`, whether their output is not the final answer."""
        self._phases = _Phases(api_version)

    def __len__(self) -> int:
        return len(self._seen)

    def add(self, items: Sequence[Raw], *, at: datetime | None = None) -> int:
        """Add the raw sessions of a page and return how many were new.

        Args:
            items: `SessionResponse`s of v3 or session objects of v1.
            at: when the response came, for the sessions in `known`.
        """
        identifiers = list(map(identifier, items))
        before = len(self._seen)
        if self._seen.isdisjoint(identifiers) and len(set(identifiers)) == len(items):
            self._seen.update(identifiers)
        else:
            items, identifiers = self._only_new(items, identifiers)
        if self._known and not self._known.keys().isdisjoint(identifiers):
            items, identifiers = self._without_known(items, identifiers, at)
        if items:
            self._add_columns(items, identifiers)
        return len(self._seen) - before

    def add_snapshots(self, snapshots: Iterable[Snapshot]) -> None:
        """Add sessions that are read already."""
        for snapshot in snapshots:
            self._seen.add(snapshot.session_id)
            self.provisional[snapshot.session_id] = not snapshot.output_is_final
            for name, codes in self._words.items():
                codes.extend([getattr(snapshot, name)])
            facts = dict(zip(("n_prs", "n_merged", "repos"), _count(snapshot.pull_requests), strict=True))
            for name, column in self._data.items():
                column.append(facts.get(name) if name in facts else _attribute(snapshot, name))
            self._data["repos"][-1] = list(snapshot.repos) or facts["repos"]

    def frame(self, *, newest_first: bool = False, order: Sequence[str] | None = None) -> pd.DataFrame:
        """Return the frame, and forget what was collected.

        Args:
            newest_first: sort by `created_at`.
            order: session ids in the wanted order, instead.
        """
        data: dict[str, Any] = dict(self._data)
        self._data = {}
        data |= {name: codes.categorical() for name, codes in self._words.items()}
        for name in ("created_at", "updated_at"):
            data[name] = times(data[name])
        data["acus"] = _mask_unreported(numbers(data["acus"]), data)
        found, places = data["session_id"], None
        if newest_first:
            places = by_time(data["created_at"], found)
        elif order is not None and found != list(order):
            rows = {name: row for row, name in enumerate(found)}
            places = [rows[name] for name in order if name in rows]
        frame = frame_of(SESSIONS, data)
        return frame if places is None else frame.take(places).reset_index(drop=True)

    def _only_new(self, items: Sequence[Raw], identifiers: list[str]) -> tuple[list[Raw], list[str]]:
        kept: list[Raw] = []
        names: list[str] = []
        for item, name in zip(items, identifiers, strict=True):
            if name not in self._seen or name == NO_ID:
                self._seen.add(name)
                kept.append(item)
                names.append(name)
        return kept, names

    def _without_known(
        self, items: Sequence[Raw], identifiers: list[str], at: datetime | None
    ) -> tuple[list[Raw], list[str]]:
        pairs = list(zip(items, identifiers, strict=True))
        moment = at or datetime.now(UTC)
        for item, name in pairs:
            if name in self._known:
                self.add_snapshots([observe(item, self._known[name], at=moment)])
        rest = [(item, name) for item, name in pairs if name not in self._known]
        return [item for item, _ in rest], [name for _, name in rest]

    def _add_columns(self, items: Sequence[Raw], identifiers: list[str]) -> None:
        cells: dict[str, list[Any]] = {}
        for field, key in _FIELD_COLUMNS[self._version]:
            values = _values(items, key)
            cells[field.name] = list(map(field.cell, values)) if field.cell else values
        cells["session_id"] = identifiers
        urls = zip(cells["url"], identifiers, strict=True)
        cells["url"] = [url if url and type(url) is str else WEB_APP + bare_id(name) for url, name in urls]
        has_output = [output is not None for output in cells["structured_output"]]
        cells["phase"] = self._phases.of(zip(cells["status"], cells["status_detail"], has_output, strict=True))
        # a reply needs somebody where it asks something: that stands in the conversation, which a list does not hold
        cells["needs_you"] = [phase == Phase.NEEDS_APPROVAL for phase in cells["phase"]]
        counts = map(_count_raw, _values(items, _PULL_REQUEST_KEY[self._version]))
        cells["n_prs"], cells["n_merged"], cells["repos"] = map(list, zip(*counts, strict=True))
        cells["extra"] = _extras(items, KNOWN_KEYS[self._version])
        if "org_id" not in cells:
            cells["org_id"] = [self._org_id] * len(items)
        nulls = [None] * len(items)  # for the columns that this version does not have
        for name, codes in self._words.items():
            codes.extend(cells.get(name, nulls))
        for name, column in self._data.items():
            column += cells.get(name, nulls)


class _Phases(dict[tuple[Any, Any, bool], str]):
    """Phases of sessions that the journal does not know, by status, detail and whether there is an output."""

    def __init__(self, api_version: str) -> None:
        super().__init__()
        self._version = api_version

    def of(self, keys: Iterable[tuple[Any, Any, bool]]) -> list[str]:
        keys = list(keys)
        try:
            return [self[key] for key in keys]
        except TypeError:  # unhashable
            return [self[word(status), word(detail), has_output] for status, detail, has_output in keys]

    def __missing__(self, key: tuple[Any, Any, bool]) -> str:
        status, detail, has_output = key
        facts = PhaseInputs(api_version=self._version, status=word(status), detail=word(detail), has_answer=has_output)
        phase = self[key] = phase_of(facts).value
        return phase


def _values(items: Sequence[Raw], field: str) -> list[Any]:
    try:
        return list(map(itemgetter(field), items))
    except KeyError:
        return [item.get(field) for item in items]


def _extras(items: Sequence[Raw], fields: Collection[str]) -> list[dict[str, Any] | None]:
    unknown = set[str]().union(*items).difference(fields)
    if not unknown:
        return [None] * len(items)
    found = [{name: item[name] for name in item if name in unknown and item[name] is not None} for item in items]
    return [extra or None for extra in found]


def _attribute(snapshot: Snapshot, name: str) -> Any:
    version = snapshot.api_version
    if name == "extra":
        known = KNOWN_KEYS[version]
        return {key: found for key, found in snapshot.extra.items() if found is not None and key not in known} or None
    if name in KEYS["v3"] and name not in KEYS[version] and name != "org_id":
        return None  # unknown on v1, though the attribute may have a default
    if not hasattr(snapshot, name):
        return snapshot.extra.get(KEYS[version].get(name, ""))
    value = getattr(snapshot, name)
    if isinstance(value, datetime) and not value.microsecond:
        return int(value.timestamp())  # a column of integers is made many times faster
    return list(value) if isinstance(value, tuple) else value


def _mask_unreported(acus: Any, data: Mapping[str, Any]) -> Any:
    # Zero on a session that has worked means not reported.
    zero = (acus == 0).to_numpy(dtype=bool, na_value=False)
    if zero.any():
        status = pd.Series(data["status"])
        untouched = status.isin(UNTOUCHED) | (status.notna() & (data["created_at"] == data["updated_at"]))
        acus[zero & ~untouched.to_numpy()] = pd.NA
    return acus


def by_time(created: Any, session_ids: Sequence[str]) -> Any:
    """Return the row numbers that sort sessions newest first; None where they are sorted already."""
    seconds = np.where(created.isna(), np.iinfo("int64").min + 1, created.asi8)
    order = np.argsort(-seconds, kind="stable")
    same = np.flatnonzero(np.diff(seconds[order]) == 0)
    for run in np.split(same, np.flatnonzero(np.diff(same) > 1) + 1) if len(same) else ():
        second = slice(run[0], run[-1] + 2)  # created in the same second: by id
        order[second] = sorted(order[second], key=lambda place: session_ids[place])
    return None if (np.diff(order) == 1).all() else order


_PATHS = "(?:-/)?(?:pull|pulls|pull-requests|pullrequest|merge_requests)"
_REPOSITORY = re.compile(rf"https?://[^/]+/(?P<repo>.+?)/{_PATHS}")
_REQUEST = re.compile(rf"(?P<place>https?://[^/]+/.+?/{_PATHS})/(?P<number>\d{{1,18}})(?:[/?#].*)?")
_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)

PullRequestCounts = tuple[int, int | None, list[str]]
"""How many pull requests, how many are merged (None where no state is known), and their repositories."""
SessionPullRequests = tuple[str, datetime | None, datetime | None, Iterable[PullRequest]]
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
    match = _REPOSITORY.fullmatch(place)
    return match["repo"].removesuffix("/_git").replace("/_git/", "/") if match else None


def _number(url: str) -> int | None:
    match = _REQUEST.fullmatch(url)
    return int(match["number"]) if match else None


def _count_raw(value: Any) -> PullRequestCounts:
    # Reads one pull request, by far the most frequent number, without making an object of it.
    if not value:
        return 0, 0, []
    if type(value) is not list or len(value) != 1 or type(value[0]) is not dict:
        return _count(read_pull_requests(value))
    url, state = value[0].get("pr_url"), value[0].get("pr_state")
    if not url or type(url) is not str or type(state) is not str:
        return _count(read_pull_requests(value))
    repo = repository(url)
    return 1, int(state == "merged"), [repo] if repo else []


def _count(requests: Sequence[PullRequest]) -> PullRequestCounts:
    if not requests:
        return 0, 0, []
    states = [request.state for request in requests if request.state is not None]
    repos = dict.fromkeys(name for name in (repository(request.url) for request in requests) if name)
    return len(requests), states.count("merged") if states else None, list(repos)


class PullRequestRows:
    """Collects the pull requests of raw sessions, each session once."""

    def __init__(self, *, api_version: str = "v3") -> None:
        self._api_version = api_version
        self._found: dict[str, SessionPullRequests] = {}

    def __len__(self) -> int:
        return len(self._found)

    def add(self, items: Iterable[Mapping[str, Any]], *, at: datetime | None = None) -> int:
        """Add the raw sessions of a page and return how many were new."""
        before = len(self._found)
        for item in items:
            fields = read_session(item, self._api_version)
            found = (fields["session_id"], fields["created_at"], fields["updated_at"], fields["pull_requests"])
            self._found.setdefault(found[0], found)
        return len(self._found) - before

    def frame(self, limit: int | None = None) -> pd.DataFrame:
        """Return the pull requests of the newest `limit` sessions, or of all."""
        newest = sorted(self._found.values(), key=lambda found: found[1] or _LONG_AGO, reverse=True)
        return pull_requests(newest[:limit])


def pull_requests(sessions: Iterable[SessionPullRequests]) -> pd.DataFrame:
    """Return one row per distinct URL, with the session that had it first and the state that was seen last."""
    first: dict[str, tuple[datetime, str]] = {}
    last: dict[str, tuple[datetime, str]] = {}
    for session_id, created, updated, found in sessions:
        for request in found:
            origin, seen = (created or _LONG_AGO, session_id), updated or _LONG_AGO
            first[request.url] = min(first.get(request.url, origin), origin)
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
