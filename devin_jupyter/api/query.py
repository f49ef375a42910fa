"""Which sessions: the one table of filters, for the frames, the lists of the API and all that read many sessions; and
the pages of such a list, read newest first.

`since` and `until` are half-open on `created_at`, in UTC. Pure, except for the clock that "7d" is counted from.
"""

from __future__ import annotations

import warnings
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from math import ceil, floor
from operator import index
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict, TypeVar, get_args

from devin_jupyter.api.client import LARGEST_PAGE, MOST_EMPTY_PAGES, endless, items_of, next_cursor
from devin_jupyter.errors import OptionError, UnreadableAnswer, Unsupported
from devin_jupyter.models import enums
from devin_jupyter.models.enums import Phase
from devin_jupyter.models.fields import (
    KNOWN_KEYS,
    UNIX_SECONDS,
    parse_json,
    parse_time,
    row_parser,
    same_tags,
    spelled,
)
from devin_jupyter.models.fields import session_id as prefixed
from devin_jupyter.text import nearest, parse_ago, unknown_value

if TYPE_CHECKING:
    import numpy as np


When: TypeAlias = "str | int | float | date | datetime | timedelta | np.datetime64 | np.timedelta64 | None"
"""A time: a datetime or date (UTC where it has no zone), its ISO 8601 text, Unix seconds, or how long ago: "7d"."""
TimeLike = datetime | int | float
"""A time in the calls of the API: a datetime (UTC where it has no zone) or Unix seconds."""
Strings: TypeAlias = "str | Iterable[str] | None"
S = TypeVar("S", bound=Mapping[str, Any])
_FIRST = datetime.min.replace(tzinfo=UTC)


class SessionFilters(TypedDict, total=False):
    """The filters of every frame, as keywords; all that are given must hold."""

    tags: Strings
    """A session must carry all of them."""
    repos: Strings
    """`owner/repo`; any of them. v3 only."""
    since: When
    """Created at or after."""
    until: When
    """Created before."""
    origin: Strings
    """Any of them. v3 only."""
    category: Strings
    """Any of them. v3 only."""
    archived: bool | None
    """None means both."""
    playbook: str | None
    user: Strings
    """User ids (on v1 the e-mail address of the user); any of them."""
    service_user: Strings
    """Any of them. v3 only."""
    parent: str | None
    """The session that started them. v3 only."""
    schedule: str | None
    """v3 only."""
    automation: Strings
    """Started by any of these automations, by id. v3 only."""
    org_ids: Strings
    """Of these organizations, or `"all"`: for the key of an enterprise. v3 only."""
    phase: Strings
    """Any of them; computed here, so it narrows nothing on the service."""
    updated_since: When
    """Updated at or after."""


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter of sessions."""

    name: str
    """The keyword of the frames; empty for what only the lists of the API take."""
    kind: Literal["words", "word", "session", "sessions", "time", "flag"]
    v3: str | None = None
    """The parameter in a v3 query."""
    v1: str | None = None
    """The same in v1; "" where v1 returns it but cannot filter by it, None where it does not even return it."""
    keep_v3: Callable[[Any, Mapping[str, Any]], bool] | None = None
    """Whether a session passes: for what the service does not filter by, or may read in another way."""
    keep_v1: Callable[[Any, Mapping[str, Any]], bool] | None = None
    values: tuple[str, ...] = ()
    """All that are known; empty if any will do."""
    is_open: bool = True
    """The service may know other values."""


def _has_all_tags(tags: Sequence[str], raw: Mapping[str, Any]) -> bool:
    return same_tags(tags) <= same_tags(raw.get("tags"))


def _time_of(raw: Mapping[str, Any], key: str) -> datetime:
    return parse_time(raw.get(key)) or _FIRST


_CATEGORIES = (*get_args(enums.Category), *enums.SEEN_CATEGORY)
FILTERS: tuple[Filter, ...] = (
    # of several tags a session must carry all; the service lists those that carry any
    Filter("tags", "words", "tags", "tags", _has_all_tags, _has_all_tags),
    Filter("repos", "words", "repo_names"),
    Filter("since", "time", "created_after", "", None, lambda when, raw: when <= _time_of(raw, "created_at")),
    Filter("until", "time", "created_before", "", None, lambda when, raw: _time_of(raw, "created_at") < when),
    Filter("origin", "words", "origins", values=(*get_args(enums.Origin), *enums.SEEN_ORIGIN)),
    Filter("category", "words", "category", None,
           lambda words, raw: spelled(raw.get("category"), _CATEGORIES) in words, values=_CATEGORIES),
    Filter("archived", "flag", "is_archived", None, lambda flag, raw: (raw.get("is_archived") is True) == flag),
    Filter("playbook", "word", "playbook_id", "", None, lambda word, raw: raw.get("playbook_id") == word),
    Filter("user", "words", "user_ids", "user_email", None,
           lambda users, raw: raw.get("requesting_user_email") in users),
    Filter("service_user", "words", "service_user_ids"),
    Filter("parent", "session", "parent_session_id"),
    Filter("schedule", "word", "schedule_id"),
    Filter("automation", "words", "automation_ids"),
    Filter("org_ids", "words", "org_ids"),
    Filter("phase", "words", None, "", values=tuple(phase.value for phase in Phase), is_open=False),
    Filter("updated_since", "time", "updated_after", "", None,
           lambda when, raw: when <= _time_of(raw, "updated_at")),
    Filter("", "sessions", "session_ids"),
    Filter("", "time", "updated_before"),
)  # fmt: skip
BY_KEYWORD = {one.name: one for one in FILTERS if one.name}
_BY_KEY = {
    "v3": {one.v3: one for one in FILTERS if one.v3},
    "v1": {one.v1: one for one in FILTERS if one.v1},
}
_TAKES_ONE = ("category", "user_email")
"""Parameters that take one value; of several, none is sent and we filter."""


@dataclass(frozen=True, slots=True)
class Query:
    """A selection of sessions. `Query.of({})` selects all."""

    filters: Mapping[str, Any]
    """Keyword → value: a tuple of words, one word, a datetime or a bool."""

    @classmethod
    def of(cls, given: Mapping[str, Any], now: datetime | None = None) -> Query:
        """Read keywords, see `SessionFilters`; None counts as not given.

        Raises:
            OptionError: an unknown keyword, or a value that it does not take.
        """
        moment = now or datetime.now(UTC)
        for name in given:
            if name not in BY_KEYWORD:
                hint = " (did you mean phase=?)" if name in ("status", "state") else nearest(name, BY_KEYWORD)
                raise OptionError(
                    f"sessions cannot be filtered by {name!r}{hint}",
                    "nothing was read",
                    f"filter by {', '.join(BY_KEYWORD)}, limit",
                )
        return cls(
            {name: _checked(BY_KEYWORD[name], value, moment) for name, value in given.items() if value is not None}
        )

    @property
    def phases(self) -> tuple[str, ...]:
        """The phases to keep; none for all. The service does not know them."""
        return tuple(self.filters.get("phase", ()))

    @property
    def operation(self) -> str:
        """The operation that lists the sessions: of the organization, or of an enterprise."""
        return "enterprise.sessions" if "org_ids" in self.filters else "sessions.list"

    def window(self) -> Window:
        """Return the time window of `since` and `until`."""
        return Window(_second(self.filters.get("since")), _second(self.filters.get("until")))

    def params(self, api_version: str) -> dict[str, Any]:
        """Return the query for all filters but the window.

        Raises:
            Unsupported: v1, and a filter by what v1 does not return.
        """
        found: dict[str, Any] = {}
        for name, value in self.filters.items():
            one = BY_KEYWORD[name]
            key = one.v1 if api_version == "v1" else one.v3
            if api_version == "v1" and key is None and value is not False:
                raise Unsupported(f"v1 has no {name} of a session", "nothing was read", "leave the filter out")
            if not key or name in ("since", "until") or (key in _TAKES_ONE and len(value) > 1):
                continue
            if name == "org_ids" and "all" in value:
                continue
            if key in _TAKES_ONE:
                value = value[0]
            if isinstance(value, datetime):
                value = ceil(value.timestamp()) - 1  # whether the service includes the second itself is not documented
            found[key] = (
                str(value).lower() if isinstance(value, bool) else [*value] if isinstance(value, tuple) else value
            )
        return found

    def keeps_all(self, api_version: str) -> bool:
        """Whether the service applies all filters, so that `keep` keeps every session."""
        used = [BY_KEYWORD[name] for name in self.filters]
        return not any(one.keep_v1 if api_version == "v1" else one.keep_v3 for one in used)

    def keep(self, items: Sequence[S], api_version: str) -> list[S]:
        """Return the sessions of a page that pass what the service does not filter by, or may read in another way."""
        for name, value in self.filters.items():
            one = BY_KEYWORD[name]
            passes = one.keep_v1 if api_version == "v1" else one.keep_v3
            if passes is not None:
                items = [item for item in items if passes(value, item)]
        return [*items]


def api_params(filters: Mapping[str, Any], api_version: str) -> dict[str, Any]:
    """Return the query for filters by their names in the API: `session_ids`, `created_after`, …; None is none.

    Raises:
        Unsupported: a filter that this API version does not have.
        OptionError: an invalid session id, or not a time.
    """
    known = _BY_KEY[api_version]
    found: dict[str, Any] = {}
    for name, value in filters.items():
        if value is None:
            continue
        if name not in known:
            unknown = [each for each in filters if filters[each] is not None and each not in known]
            raise Unsupported(
                f"{api_version} cannot filter sessions by {', '.join(unknown)}",
                hint=f"{api_version} filters by {', '.join(map(str, known))}",
            )
        kind = known[name].kind
        if kind == "time":
            value = unix(value)
        elif kind == "sessions":
            value = [prefixed(identifier) for identifier in as_list(value)]
        elif kind == "session":
            value = prefixed(value)
        found[name] = str(value).lower() if isinstance(value, bool) else value
    return found


def as_list(value: Any) -> list[Any]:
    """Return the values of an argument that takes one or several; a string is one."""
    if value is None:
        return []
    return list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]


def unix(moment: TimeLike | None) -> int | None:
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
        raise OptionError(f"a time is a datetime or Unix seconds, not {moment!r}") from None


def has_all_tags(items: Sequence[S], tags: Any) -> list[S]:
    """Return the sessions that carry all tags; all of them where there are no tags."""
    wanted = as_list(tags)
    return [item for item in items if _has_all_tags(wanted, item)] if wanted else [*items]


def to_utc(when: When, now: datetime, name: str = "since") -> datetime | None:
    """Return a time in UTC.

    Args:
        when: see `When`.
        now: what "7d" is counted back from.
        name: the keyword, for the message.

    Raises:
        OptionError: it is not a time.
    """
    if when is None:
        return None
    try:
        found = _utc(when, now)
    except (OverflowError, ValueError):  # before the year 1, or the NaT of pandas
        found = None
    if found is None:
        raise OptionError(
            f"{name}: cannot read {when!r:.80}",
            hint="give 7d, 12h, yesterday, a date such as 2026-11-21, 2026-11-21T08:00, or a datetime",
        )
    return found


def _utc(when: Any, now: datetime) -> datetime | None:
    numpy_kind = getattr(getattr(when, "dtype", None), "kind", "")  # numpy is not imported for this
    if numpy_kind and numpy_kind in "Mm":
        when = when.astype(f"{numpy_kind}8[us]").item()
        if isinstance(when, int):  # beyond the year 9999
            return None
    if isinstance(when, timedelta):
        return now - when
    if isinstance(when, datetime):
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
    if isinstance(when, date):
        return datetime(when.year, when.month, when.day, tzinfo=UTC)
    ago = parse_ago(when, now) if isinstance(when, str) else None
    return ago or parse_time(when)


def checked_limit(limit: Any) -> int | None:
    """Return how many sessions are wanted at most; None for all.

    Raises:
        OptionError: it is not a number of sessions.
    """
    if limit is None:
        return None
    if hasattr(limit, "__index__") and not isinstance(limit, bool) and limit >= 0:
        return index(limit)
    raise OptionError(f"limit: cannot read {limit!r:.80}", hint="give a whole number such as 100, or leave it out")


def org_ids_of(value: Any) -> tuple[str, ...]:
    """Return the ids in an argument `org_ids`.

    Raises:
        OptionError: it is neither a string nor several.
    """
    found: tuple[str, ...] = _checked(BY_KEYWORD["org_ids"], value, datetime.now(UTC))
    return found


def _second(when: datetime | None) -> int | None:
    return None if when is None else ceil(when.timestamp())


def _checked(one: Filter, value: Any, now: datetime) -> Any:
    """Return the value of a filter; an iterator is read here, as it can be read only once."""
    if one.kind == "time":
        return to_utc(value, now, one.name)
    if one.kind == "flag":
        if value not in (True, False):
            raise _unfit(one.name, value, "give True or False, or leave it out for both")
        return bool(value)
    if not isinstance(value, (str, Iterable)):
        raise _unfit(one.name, value, "give a string, or a list of strings")
    words = (value,) if isinstance(value, str) else tuple(value)
    if one.kind != "words" and len(words) != 1:
        raise _unfit(one.name, value, "give one string")
    for word in words:
        if not isinstance(word, str):
            raise _unfit(one.name, word, "give a string, or a list of strings")
        if one.values and word not in one.values:
            _unknown(one, word)
    if one.kind == "session":
        return prefixed(words[0])
    return words if one.kind == "words" else words[0]


def _unknown(one: Filter, word: str) -> None:
    if one.is_open:
        warnings.warn(unknown_value(one.name, word, one.values), stacklevel=2)
        return
    known = f"give one of {', '.join(one.values)}"
    what = f"{word!r:.80} is not a valid {one.name}{nearest(word, one.values)}"
    raise OptionError(what, "nothing was read", known)


def _unfit(name: str, value: Any, hint: str) -> OptionError:
    return OptionError(f"{name}={value!r:.80} is not a valid filter", "nothing was read", hint)


# --- the pages of the list -------------------------------------------------------------------------------------------

Raw = dict[str, Any]
Fetch = Callable[[Raw], Awaitable[bytes]]
Take = Callable[[list[Any]], Awaitable[int]]
"""Collects sessions, and returns how many of them were new."""
Parse: TypeAlias = "Callable[[bytes], Page]"
_MOST_NEW = 20
"""Fields that are not in our table: with more than this, pages are no longer read as rows."""


@dataclass(frozen=True, slots=True)
class Window:
    """Sessions created at or after `start` and before `end`, in Unix seconds; None is open."""

    start: int | None = None
    end: int | None = None

    def params(self, *, after_is_included: bool = False, before_is_included: bool = False) -> Raw:
        """The filters that hold this window and little more, for what is known of how the service reads them."""
        after = None if self.start is None else self.start - (not after_is_included)
        before = None if self.end is None else self.end - before_is_included
        return {"created_after": after, "created_before": before}

    def holds(self, created: int) -> bool:
        """Whether a session created at this second belongs here."""
        return (self.start is None or created >= self.start) and (self.end is None or created < self.end)

    @property
    def is_divisible(self) -> bool:
        """Whether it is longer than a second."""
        return self.start is None or self.end is None or self.end - self.start > 1

    def split(self, count: int) -> list[Window]:
        """Divide one with both bounds into about equal parts, the newest first."""
        assert self.start is not None
        assert self.end is not None
        length = self.end - self.start
        count = max(1, min(count, length))
        edges = [self.start + length * index // count for index in range(count + 1)]
        return [Window(start, end) for start, end in pairwise(edges)][::-1]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the list."""

    items: list[Any]
    """Dicts or rows."""
    created: list[int]
    cursor: str | None
    total: int | None
    has_integer_times: bool = True
    """All times are whole seconds, as they should be."""

    def inside(self, window: Window) -> list[Any]:
        """Return the sessions that belong to a window."""
        low, high = min(self.created, default=0), max(self.created, default=0)
        if window.holds(low) and window.holds(high):
            return self.items
        return [item for item, created in zip(self.items, self.created, strict=True) if window.holds(created)]

    @property
    def is_ordered(self) -> bool:
        """Whether it is newest first, so that the rest is older than its last session."""
        return bool(self.created) and self.created == sorted(self.created, reverse=True)


class EmptyPages:
    """Counts pages in a row without a session that say that there is more."""

    def __init__(self) -> None:
        self._count = 0

    def see(self, page: Page) -> None:
        """Count a page. Raises UnreadableAnswer where there seems to be no end."""
        self._count = 0 if page.items else self._count + 1
        if self._count >= MOST_EMPTY_PAGES and page.cursor is not None:
            raise endless(self._count)


async def read_newest(fetch: Fetch, take: Take, window: Window, limit: int, parse: Parse | None = None) -> bool:
    """Read the newest `limit` sessions of a window; False if the newest do not come first, so all must be read."""
    count, cursors, oldest, empty = 0, set[str | None](), None, EmptyPages()
    cursor: str | None = None
    while count < limit and cursor not in cursors:
        cursors.add(cursor)
        first = max(1, min(LARGEST_PAGE, limit - count))
        page = (parse or parsed)(await fetch({**window.params(), "first": first, "after": cursor}))
        empty.see(page)
        if page.items and (not page.is_ordered or (oldest is not None and page.created[0] > oldest)):
            return False
        count += await take(page.inside(window))
        cursor, oldest = page.cursor, page.created[-1] if page.created else oldest
        if cursor is None:
            break
    return True


def parsed(body: bytes) -> Page:
    """Read the body of a page."""
    try:
        answer = parse_json(body)
    except ValueError:
        problem = "a page of sessions cannot be parsed"
        raise UnreadableAnswer(problem, "nothing was changed", "try again later") from None
    items = items_of(answer)
    if not all(isinstance(item.get("session_id"), str) for item in items):
        raise UnreadableAnswer("an item of a page is no session", "nothing was changed", "try again later")
    total = answer.get("total") if isinstance(answer, dict) else None
    times: list[Any] = [item.get("created_at") for item in items]
    has_integer_times = set(map(type, times)) <= {int} and max(times, default=0) < UNIX_SECONDS
    created: list[int] = times if has_integer_times else [_seconds(value) for value in times]
    return Page(items, created, next_cursor(answer), _total(total), has_integer_times)


class RowParser:
    """Reads pages as rows for as long as they are as expected, see `row_parser`; then as dicts."""

    def __init__(self) -> None:
        self._parse, self._new = row_parser(), set[str]()

    def parsed(self, body: bytes) -> Page:
        """Read the body of a page."""
        if self._parse is None:
            return parsed(body)
        try:
            answer = self._parse(body)
            created: list[int] = [row.created_at for row in answer.items]
            if set(map(type, created)) <= {int} and max(created, default=0) < UNIX_SECONDS:
                cursor = next_cursor({"has_next_page": answer.has_next_page, "end_cursor": answer.end_cursor})
                return Page(answer.items, created, cursor, _total(answer.total))
        except (ValueError, RecursionError):
            pass  # a page with fields of other kinds, or none: the general reader takes it, or says what is wrong
        page = parsed(body)
        new = set[str]().union(*page.items) - KNOWN_KEYS["v3"] - self._new
        self._new |= new
        self._parse = row_parser(*sorted(self._new)) if new and len(self._new) <= _MOST_NEW else None
        return page


def _total(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _seconds(value: Any) -> int:
    moment = parse_time(value)
    return 0 if moment is None else floor(moment.timestamp())
