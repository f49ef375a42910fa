"""Sessions and their pull requests as frames: raw pages or snapshots in, one row a session out.

Hundreds of thousands of sessions pass through here, so they are read column by column and no object is made per row,
except for the few that the journal knows more about. A row equals the `Snapshot` of the same response.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import chain, islice
from operator import attrgetter, itemgetter
from typing import Any

import numpy as np
import pandas as pd

from devin_jupyter.frames.columns import Codes, Column, Pieces, frame_of, texts
from devin_jupyter.models.enums import PULL_REQUEST_STATES, Phase
from devin_jupyter.models.fields import (
    FIELDS,
    KEYS,
    KNOWN_KEYS,
    NO_ID,
    UNTOUCHED,
    WEB_APP,
    PullRequest,
    as_raw,
    bare_id,
    columns_of,
    parse_time,
    pull_request_state,
)
from devin_jupyter.models.fields import identifiers as identifiers_of
from devin_jupyter.models.fields import pull_requests as read_pull_requests
from devin_jupyter.models.snapshot import PhaseInputs, Record, Snapshot, observe, phase_of

Raw = Mapping[str, Any]

_READ_FIRST = (
    *("title", "phase", "needs_you", "acus", "created_at", "duration", "repos", "n_prs", "n_merged", "n_messages"),
    *("mode", "origin", "category", "subcategory", "tags", "status", "status_detail", "updated_at", "is_archived"),
)
_READ_LAST = (
    *("session_id", "parent_session_id", "child_session_ids", "user_id", "service_user_id", "user_name"),
    *("playbook_id", "org_id", "url"),
)
_ORDER = {name: place for place, name in enumerate(_READ_FIRST)} | {
    name: place for place, name in enumerate(_READ_LAST, 100)
}
SESSIONS = tuple(
    Column(field.name, field.column, field.values)
    for field in sorted(FIELDS, key=lambda field: _ORDER.get(field.name, 50))
    if field.column
)
"""What a person reads comes first, then what programs read, then ids; the address is last."""
PHASE = next(column.values for column in SESSIONS if column.name == "phase")
_BRIEF = (
    *("session_id", "url", "title", "phase", "needs_you", "status", "acus", "created_at", "updated_at"),
    "structured_output",
)
PULL_REQUESTS = (
    Column("url", "text"),
    Column("repo", "text"),
    Column("number", "integer"),
    Column("state", "word", PULL_REQUEST_STATES),
    Column("session_id", "text"),
)

_FIELD_COLUMNS = {
    version: [field for field in FIELDS if field.column and field.key(version)] for version in ("v3", "v1")
}
"""The columns that are a field of the response."""
_PAGE_KEYS = {
    version: [*(KEYS[version][field.name] for field in fields), KEYS[version]["pull_requests"]]
    for version, fields in _FIELD_COLUMNS.items()
}
"""The keys of these fields, and that of the pull requests."""
_DERIVED = ("phase", "needs_you", "duration")
"""The columns that follow from others, once these are there."""
_OF_PHASE = ("status", "status_detail")
_ROWS_AT_ONCE = 800
"""Rows wait until there are so many: a column of one page takes half its time for anything but its values. With many
more, the first are no longer near in memory.
"""


class SessionRows:
    """Collects sessions, each once, column by column.

    Args:
        api_version: of the raw sessions.
        org_id: the organization, where the responses do not name it.
        known: by session id, what the journal knows and the service does not report.
        is_brief: only with the columns that say which sessions these are, what became of them and their output.
    """

    def __init__(
        self,
        *,
        api_version: str = "v3",
        org_id: str | None = None,
        known: Mapping[str, Record] | None = None,
        is_brief: bool = False,
    ) -> None:
        self._version, self._org_id, self._known = api_version, org_id, known or {}
        self._kept = [column for column in SESSIONS if not is_brief or column.name in _BRIEF]
        self._forget()
        self._seen: set[str] = set()
        self.provisional: dict[str, bool] = {}
        """Of the sessions in `known`, whether their output is not the final answer."""

    def _forget(self) -> None:
        names = {column.name for column in self._kept}.union(_OF_PHASE).difference(_DERIVED)
        self._columns: dict[str, Codes | Pieces] = {
            column.name: Codes(column.values) if column.kind == "word" else Pieces(column)
            for column in SESSIONS
            if column.name in names
        }
        self._has_output = list[bool]()
        self._read_already: dict[int, Snapshot] = {}
        """By row."""
        self._waiting, self._waiting_identifiers = list[Any](), list[str]()
        """Rows that are not in the columns yet, all of one type."""

    def __len__(self) -> int:
        return len(self._seen)

    def add(self, items: Sequence[Any], *, at: datetime | None = None) -> int:
        """Add the raw sessions of a page and return how many were new.

        Args:
            items: `SessionResponse`s of v3, also as rows (see `row_parser`), or session objects of v1.
            at: when the response came, for the sessions in `known`.
        """
        identifiers = identifiers_of(items)
        before = len(self._seen)
        distinct = set(identifiers)
        if len(distinct) == len(items) and self._seen.isdisjoint(distinct):
            self._seen |= distinct
        else:
            items, identifiers = self._only_new(items, identifiers)
        if self._known and not self._known.keys().isdisjoint(identifiers):
            items, identifiers = self._without_known(items, identifiers, at)
        if items:
            self._add(items, identifiers)
        return len(self._seen) - before

    def add_snapshots(self, snapshots: Iterable[Snapshot]) -> None:
        """Add sessions that are read already."""
        self._add_waiting()
        for snapshot in snapshots:
            self._seen.add(snapshot.session_id)
            self.provisional[snapshot.session_id] = not snapshot.output_is_final
            self._read_already[len(self._has_output)] = snapshot
            self._has_output.append(False)
            n_prs, n_merged, repos = _count(snapshot.pull_requests)
            facts = {"n_prs": n_prs, "n_merged": n_merged, "repos": list(snapshot.repos) or repos}
            facts["n_messages"] = len(snapshot.messages) or None
            for name, column in self._columns.items():
                is_word = isinstance(column, Codes)
                value = (
                    getattr(snapshot, name) if is_word else _attribute(snapshot, name) if name not in facts else None
                )
                column.extend([facts.get(name, value)])

    def frame(self, *, newest_first: bool = False, order: Sequence[str] | None = None) -> pd.DataFrame:
        """Return the frame, and forget what was collected.

        Args:
            newest_first: sort by `created_at`.
            order: session ids in the wanted order, instead.
        """
        self._add_waiting()
        columns = self._columns
        found: dict[str, Any] = {name: columns[name].array() for name in ("session_id", "created_at", *_OF_PHASE)}
        found |= self._phases(found["status"], found["status_detail"])
        self._forget()
        places = None
        if newest_first:
            places = by_time(found["created_at"], found["session_id"])
        elif order is not None and (names := found["session_id"].tolist()) != list(order):
            rows = {name: row for row, name in enumerate(names)}
            places = np.array([rows[name] for name in order if name in rows], dtype="int64")
        data = {name: values if places is None else values.take(places) for name, values in found.items()}
        data |= {name: column.array(places) for name, column in columns.items() if name not in found}
        _mask_unreported(data)
        if "duration" in {column.name for column in self._kept}:
            data["duration"] = _seconds_between(data["created_at"], data["updated_at"])
        return frame_of(self._kept, data)

    def _phases(self, status: Any, detail: Any) -> dict[str, Any]:
        """Return how far the sessions are, from the columns that say it: there are far fewer combinations than rows."""
        words = [*status.categories, None], [*detail.categories, None]  # a null has the code -1
        n_details, has_output = len(words[1]), np.array(self._has_output, dtype="int64")
        combined = ((status.codes.astype("int64") + 1) * n_details + detail.codes + 1) * 2 + has_output
        places, distinct = pd.factorize(combined)
        found = []
        for number in distinct.tolist():
            said = words[0][number // 2 // n_details - 1], words[1][number // 2 % n_details - 1]
            facts = PhaseInputs(api_version=self._version, status=said[0], detail=said[1], has_answer=bool(number % 2))
            found.append(PHASE.index(phase_of(facts).value))
        codes = np.array(found, dtype="int8")[places]
        # a reply that asks needs a person, but only the conversation shows that, which lists do not have
        needs_you = codes == PHASE.index(Phase.NEEDS_APPROVAL.value)
        for row, snapshot in self._read_already.items():
            codes[row], needs_you[row] = PHASE.index(snapshot.phase.value), snapshot.needs_you
        return {
            "phase": pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype([*PHASE])),
            "needs_you": pd.arrays.BooleanArray(needs_you, np.zeros(len(needs_you), dtype=bool)),
        }

    def _only_new(self, items: Sequence[Any], identifiers: list[str]) -> tuple[list[Any], list[str]]:
        kept: list[Any] = []
        names: list[str] = []
        for item, name in zip(items, identifiers, strict=True):
            if name not in self._seen or name == NO_ID:
                self._seen.add(name)
                kept.append(item)
                names.append(name)
        return kept, names

    def _without_known(
        self, items: Sequence[Any], identifiers: list[str], at: datetime | None
    ) -> tuple[list[Any], list[str]]:
        pairs = list(zip(items, identifiers, strict=True))
        moment = at or datetime.now(UTC)
        for item, name in pairs:
            if name in self._known:
                self.add_snapshots([observe(as_raw(item), self._known[name], at=moment)])
        rest = [(item, name) for item, name in pairs if name not in self._known]
        return [item for item, _ in rest], [name for _, name in rest]

    def _add(self, items: Sequence[Any], identifiers: list[str]) -> None:
        if self._waiting and type(self._waiting[0]) is not type(items[0]):
            self._add_waiting()
        self._waiting += items
        self._waiting_identifiers += identifiers
        if isinstance(items[0], Mapping) or len(self._waiting) >= _ROWS_AT_ONCE:
            self._add_waiting()

    def _add_waiting(self) -> None:
        items, identifiers = self._waiting, self._waiting_identifiers
        self._waiting, self._waiting_identifiers = [], []
        if items:
            self._add_columns(items, identifiers)

    def _add_columns(self, items: Sequence[Any], identifiers: list[str]) -> None:
        cells: dict[str, Sequence[Any]] = {}
        fields, keys = _FIELD_COLUMNS[self._version], _PAGE_KEYS[self._version]
        *columns, requests = columns_of(items, keys)
        for field, values in zip(fields, columns, strict=True):
            cells[field.name] = field.cells(values) if field.cells else values
        cells["session_id"] = identifiers
        if set(map(type, cells["url"])) != {str} or not all(cells["url"]):
            urls = zip(cells["url"], identifiers, strict=True)
            cells["url"] = [url if url and type(url) is str else WEB_APP + bare_id(name) for url, name in urls]
        self._has_output += [output is not None for output in cells["structured_output"]]
        if "n_prs" in self._columns:
            cells["n_prs"], cells["n_merged"], cells["repos"] = _count_page(requests)
        if isinstance(items[0], Mapping) and "messages" in items[0]:  # in the details of v1
            cells["n_messages"] = [_length(item.get("messages")) for item in items]
        if "extra" in self._columns:
            cells["extra"] = _extras(items, KNOWN_KEYS[self._version])
        if "org_id" not in cells:
            cells["org_id"] = [self._org_id] * len(items)
        nulls = [None] * len(items)  # for the columns that this version does not have
        for name, column in self._columns.items():
            column.extend(cells.get(name, nulls))


def _extras(items: Sequence[Any], fields: Collection[str]) -> list[dict[str, Any] | None]:
    if not isinstance(items[0], Mapping):  # rows
        if not items[0].NEW:
            return [None] * len(items)
        columns = [list(map(attrgetter(place), items)) for place in items[0].NEW]
        names = items[0].NEW.values()
        rows = (zip(names, values, strict=True) for values in zip(*columns, strict=True))
        return [{name: value for name, value in row if value is not None} or None for row in rows]
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


def _mask_unreported(data: dict[str, Any]) -> None:
    # Zero on a session that has worked means not reported.
    acus = data["acus"]
    zero = (acus == 0).to_numpy(dtype=bool, na_value=False)
    if zero.any():
        status = data["status"]
        codes = status.categories.get_indexer(UNTOUCHED)
        untouched = np.isin(status.codes, codes) | ((status.codes >= 0) & (data["created_at"] == data["updated_at"]))
        acus[zero & ~untouched] = pd.NA


def _seconds_between(start: Any, end: Any) -> Any:
    """Return the seconds between two arrays of times; null where one is, or where the end is before the start."""
    seconds = pd.array((end.asi8 - start.asi8) / 1e6, dtype="Float64")
    seconds[start.isna() | end.isna() | (end < start)] = pd.NA
    return seconds


def _length(value: Any) -> int | None:
    return len(value) if isinstance(value, list) else None


def by_time(created: Any, session_ids: Any) -> Any:
    """Return the row numbers that sort sessions newest first; None where they are sorted already. Takes two arrays."""
    seconds = np.where(created.isna(), np.iinfo("int64").min + 1, created.asi8)
    order = np.argsort(-seconds, kind="stable")
    same = np.flatnonzero(np.diff(seconds[order]) == 0)
    if len(same):  # created in the same second: by id
        places = order[np.union1d(same, same + 1)]
        names = dict(zip(places.tolist(), session_ids.take(places).tolist(), strict=True))
        for run in np.split(same, np.flatnonzero(np.diff(same) > 1) + 1):
            second = slice(run[0], run[-1] + 2)
            order[second] = sorted(order[second].tolist(), key=names.__getitem__)
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
        return _repositories[place]
    match = _REQUEST.fullmatch(url)
    return _repositories[match["place"]] if match else None


class _Repositories(dict[str, str | None]):
    """The repository at each place that was seen: pull requests are many, repositories are few."""

    def __missing__(self, place: str) -> str | None:
        match = _REPOSITORY.fullmatch(place)
        found = match["repo"].removesuffix("/_git").replace("/_git/", "/") if match else None
        if len(self) < 10_000:
            self[place] = found
        return found


_repositories = _Repositories()


def _number(url: str) -> int | None:
    match = _REQUEST.fullmatch(url)
    return int(match["number"]) if match else None


def _count_page(values: Sequence[Any]) -> tuple[Sequence[int], Sequence[int | None], list[Any]]:
    """Count the pull requests of the raw sessions of a page, without an object for each."""
    found: list[list[Any]] = []
    with suppress(KeyError, TypeError, AttributeError):
        every = list(chain.from_iterable(values))
        get = itemgetter if every and isinstance(every[0], Mapping) else attrgetter
        found = [list(map(get(key), every)) for key in ("pr_url", "pr_state")]
    if not found or not {*map(type, found[0]), *map(type, found[1])} <= {str} or not all(found[0]):
        counts = [_count(read_pull_requests(value)) for value in values]
        return [item[0] for item in counts], [item[1] for item in counts], [item[2] for item in counts]
    names = [_repositories[url.rpartition("/")[0]] or repository(url) for url in found[0]]
    merged = {state for state in set(found[1]) if pull_request_state(state) == "merged"}
    each, are_merged = iter(names), iter([state in merged for state in found[1]])
    numbers, n_merged, repos = list(map(len, values)), list[int | None](), list[list[Any]]()
    for number in numbers:  # few sessions have more than one
        if not number:
            repos.append([])
            n_merged.append(0)
        elif number == 1:
            repos.append([next(each)])
            n_merged.append(int(next(are_merged)))
        else:
            repos.append([*dict.fromkeys(islice(each, number))])
            n_merged.append(sum(islice(are_merged, number)))
    if None in names:
        repos = [[name for name in listed if name] for listed in repos]
    return numbers, n_merged, repos


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

    def add(self, items: Sequence[Any], *, at: datetime | None = None) -> int:
        """Add the raw sessions of a page, or rows, and return how many were new."""
        if not items:
            return 0
        before, keys = len(self._found), KEYS[self._api_version]
        columns = columns_of(items, [keys[name] for name in ("created_at", "updated_at", "pull_requests")])
        for name, made, seen, found in zip(identifiers_of(items), *columns, strict=True):
            if name not in self._found or name == NO_ID:
                if not found:
                    requests: tuple[PullRequest, ...] = ()
                elif type(found) is list and not isinstance(found[0], Mapping):  # of rows
                    states = [pull_request_state(one.pr_state) for one in found]
                    requests = tuple(
                        PullRequest(one.pr_url, state) for one, state in zip(found, states, strict=True) if one.pr_url
                    )
                else:
                    requests = read_pull_requests(found)
                self._found[name] = (name, parse_time(made), parse_time(seen), requests)
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


def with_names(frame: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Return a sessions frame with the names of users and service users, as far as they are known."""
    if not names or not len(frame):
        return frame
    found: Any = None
    for column in ("service_user_id", "user_id"):  # users are few and sessions many: each name is looked up once
        places, ids = pd.factorize(frame[column])
        known = np.array([*map(names.get, ids), None], dtype=object)
        is_known = np.array([name is not None for name in known])
        found = known[places] if found is None else np.where(is_known[places], known[places], found)
    return frame.assign(user_name=pd.Series(texts(found.tolist()), index=frame.index))
