"""Filters: times in every spelling, what is sent, and what is filtered here."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest
from payloads import V1, V3

from devin_jupyter.api.query import BY_KEYWORD, FILTERS, Query, SessionFilters, Window, checked_limit, to_utc
from devin_jupyter.errors import OptionError, Unsupported

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def query(**filters: Any) -> Query:
    return Query.of(filters, NOW)


def test_the_typed_keywords_are_those_of_the_table() -> None:
    assert list(SessionFilters.__annotations__) == list(BY_KEYWORD)
    keys = [key for one in FILTERS for key in (one.v3,) if key]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        (None, None),
        ("7d", datetime(2026, 11, 15, 12, tzinfo=UTC)),
        ("1.5 h", datetime(2026, 11, 22, 10, 30, tzinfo=UTC)),
        ("2w", datetime(2026, 11, 8, 12, tzinfo=UTC)),
        (timedelta(days=1), datetime(2026, 11, 21, 12, tzinfo=UTC)),
        ("2026-11-21", datetime(2026, 11, 21, tzinfo=UTC)),
        ("2026-11-21T08:00:00+02:00", datetime(2026, 11, 21, 6, tzinfo=UTC)),
        (date(2026, 11, 21), datetime(2026, 11, 21, tzinfo=UTC)),
        (datetime(2026, 11, 21, 8), datetime(2026, 11, 21, 8, tzinfo=UTC)),
        (datetime(2026, 11, 21, 8, tzinfo=timezone(timedelta(hours=2))), datetime(2026, 11, 21, 6, tzinfo=UTC)),
        (pd.Timestamp("2026-11-21T08:00Z"), datetime(2026, 11, 21, 8, tzinfo=UTC)),
        (np.datetime64("2026-11-21"), datetime(2026, 11, 21, tzinfo=UTC)),
        (np.datetime64("2026-11-21T08:00", "ns"), datetime(2026, 11, 21, 8, tzinfo=UTC)),
        (np.timedelta64(7, "D"), datetime(2026, 11, 15, 12, tzinfo=UTC)),
        (1_790_000_000, datetime.fromtimestamp(1_790_000_000, UTC)),
    ],
)
def test_a_moment_may_be_said_in_many_ways(when: Any, expected: datetime | None) -> None:
    assert to_utc(when, NOW) == expected


@pytest.mark.parametrize(
    "when",
    [
        *("last week", "7 moons ago", "", True, object(), "2026-13-01", "9" * 12 + "d", timedelta.max),
        *(pd.NaT, np.datetime64("NaT"), np.timedelta64("NaT"), np.datetime64("12026-11-21")),
    ],
)
def test_what_is_not_a_time_is_refused(when: Any) -> None:
    with pytest.raises(OptionError, match="since: cannot read"):
        to_utc(when, NOW)


def test_windows_are_half_open_on_whole_seconds() -> None:
    filters = query(since="2026-11-21T08:00:00.5", until="2026-11-21T09:00:00")

    window = filters.window()

    assert window == Window(1795248001, 1795251600)
    assert window.holds(1795248001)
    assert not window.holds(1795251600)
    assert window.params() == {"created_after": 1795248000, "created_before": 1795251600}


def test_filters_become_the_query_of_v3() -> None:
    filters = Query.of(
        {
            "tags": "a",
            "repos": ["acme/api"],
            "origin": ("slack", "api"),
            "category": "security",
            "archived": False,
            "playbook": "playbook-1",
            "user": "user-1",
            "service_user": "service-user-1",
            "parent": "devin-1",
            "schedule": "sched-1",
            "updated_since": "1d",
        },
        NOW,
    )

    assert filters.params("v3") == {
        "tags": ["a"],
        "repo_names": ["acme/api"],
        "origins": ["slack", "api"],
        "category": "security",
        "is_archived": "false",
        "playbook_id": "playbook-1",
        "user_ids": ["user-1"],
        "service_user_ids": ["service-user-1"],
        "parent_session_id": "devin-1",
        "schedule_id": "sched-1",
        "updated_after": int(NOW.timestamp()) - 86_401,
    }


def test_several_categories_are_filtered_here() -> None:
    filters = query(category=["security", "other"])

    assert filters.params("v3").get("category") is None
    kept = filters.keep([V3, {**V3, "category": "other"}, {**V3, "category": None}], "v3")
    assert [item["category"] for item in kept] == ["other"]


def test_of_several_tags_a_session_must_carry_all() -> None:
    items = [{**V3, "tags": tags} for tags in (["a", "b"], ["a"], None, "ab")]

    assert query(tags=["a", "b"]).keep(items, "v3") == items[:1]
    shouted = [{**V3, "tags": ["A ", "B"], "category": "Other"}]
    assert query(tags=["a", "b"], category="other").keep(shouted, "v3") == shouted  # the service found it


def test_archived_is_checked_here_as_well() -> None:
    items = [{**V3, "is_archived": flag} for flag in (True, False, None)]

    assert query(archived=True).keep(items, "v3") == items[:1]
    assert query(archived=False).keep(items, "v3") == items[1:]


@pytest.mark.parametrize(
    ("filters", "kept"),
    [
        (query(since="2026-11-21T18:04:00.123456Z"), True),
        (query(since="2026-11-21T18:04:00.123457Z"), False),
        (query(until="2026-11-21T18:04:00.123456Z"), False),
        (query(until="2026-11-22"), True),
        (query(updated_since="2026-11-21T18:04:00Z"), True),
        (query(updated_since="2026-11-21T18:04:01Z"), False),
        (query(playbook="playbook-a"), True),
        (query(playbook="playbook-b"), False),
        (query(user="a@acme.test"), True),
        (query(user=["b@acme.test", "c@acme.test"]), False),
        (query(tags="team:a", archived=False), True),
    ],
)
def test_v1_is_filtered_here(filters: Query, kept: bool) -> None:
    assert filters.keep([V1], "v1") == ([V1] if kept else [])


def test_v1_is_asked_what_it_can_be_asked() -> None:
    assert query(tags=["a"], user="x@y.z").params("v1") == {"tags": ["a"], "user_email": "x@y.z"}
    assert query(user=["x@y.z", "y@y.z"]).params("v1").get("user_email") is None


@pytest.mark.parametrize("name", ["repos", "origin", "category", "service_user", "parent", "schedule", "archived"])
def test_what_v1_does_not_tell_is_refused(name: str) -> None:
    value = {"origin": "slack", "category": "security", "archived": True}.get(name, "x")

    with pytest.raises(Unsupported, match=f"no {name}"):
        Query.of({name: value}).params("v1")


@pytest.mark.parametrize(
    "given",
    [
        {"tag": "a"},
        {"tags": 3},
        {"tags": ["a", None]},
        {"phase": "finished"},
        {"phase": ["done", "dune"]},
        {"archived": "yes"},
        {"playbook": ["a", "b"]},
    ],
)
def test_a_mistyped_filter_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="nothing was read"):
        Query.of(given)


def test_a_mistyped_word_names_the_nearest() -> None:
    with pytest.raises(OptionError, match=r"not a valid phase \(did you mean working\?\)"):
        Query.of({"phase": "wroking"})


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"origin": "Slakc"}, r"unknown origin 'Slakc' \(did you mean slack\?\): sent as it is"),
        ({"category": ["security", "time_travel"]}, r"unknown category 'time_travel' \(known: bug_fixing, .*sent as"),
    ],
)
def test_a_value_of_the_service_that_is_not_known_here_is_sent_and_a_line_says_so(
    given: dict[str, Any], line: str
) -> None:
    with pytest.warns(UserWarning, match=line):
        query = Query.of(given)
    assert query.filters == {
        name: (value,) if isinstance(value, str) else tuple(value) for name, value in given.items()
    }


def test_an_iterator_filters_every_page() -> None:
    filters = Query.of({"category": (name for name in ("security", "other"))})

    for _ in range(2):
        assert filters.keep([{**V3, "category": "other"}, {**V3, "category": None}], "v3")
        assert not filters.keep([{**V3, "category": None}], "v3")


@pytest.mark.parametrize("limit", [-1, "5", 2.0, True])
def test_what_is_no_number_of_sessions_is_refused(limit: Any) -> None:
    with pytest.raises(OptionError, match="limit: cannot read"):
        checked_limit(limit)


def test_a_limit_may_be_any_integer() -> None:
    assert checked_limit(np.int64(3)) == 3
    assert checked_limit(0) == 0
