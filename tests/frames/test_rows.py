"""Pages parsed to rows give the same frame as pages parsed to dicts, whatever is in them."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from payloads import V3, strange
from payloads import session as any_session
from records import record

from devin_jupyter.api import query
from devin_jupyter.api.query import RowParser, parsed
from devin_jupyter.errors import UnreadableAnswer
from devin_jupyter.frames import PullRequestRows, SessionRows
from devin_jupyter.models.fields import KNOWN_KEYS, as_raw, json_parsers, row_parser


def session(number: int, **changes: Any) -> dict[str, Any]:
    """A session without fields that have no row in our table."""
    known = {name: value for name, value in any_session(number).items() if name in KNOWN_KEYS["v3"]}
    return {**known, **changes}


def body(*items: Any, **page: Any) -> bytes:
    return json.dumps({"items": items, "has_next_page": True, "end_cursor": "c", "total": 3, **page}).encode()


def frame(items: list[Any]) -> pd.DataFrame:
    rows = SessionRows()
    rows.add(items)
    return rows.frame(newest_first=True)


PAGES = {
    "plain": [session(1), session(2, pull_requests=[], structured_output=None, tags=[])],
    "nulls": [session(1, **dict.fromkeys(name for name in V3 if name not in ("session_id", "created_at")))],
    "fields that are missing": [{"session_id": "1" * 32, "created_at": 1}],
    "an id with a prefix": [session(1, session_id="devin-x1"), session(2, parent_session_id="devin-y")],
    "new fields": [session(1, something="a", budget={"left": 2}), session(2), session(3, something=None)],
    "requests without a repository": [session(1, pull_requests=[{"pr_url": "x", "pr_state": "open"}])],
    "requests of one repository": [
        session(1, pull_requests=[{"pr_url": f"https://github.com/a/b/pull/{n}", "pr_state": "open"} for n in (1, 2)])
    ],
}


@pytest.mark.parametrize("items", PAGES.values(), ids=PAGES)
def test_rows_give_the_frame_of_dicts(items: list[Any]) -> None:
    parser, text = RowParser(), body(*items)
    parser.parsed(text)  # learns of new fields
    page = parser.parsed(text)
    assert not isinstance(page.items[0], dict)
    other = parsed(text)
    assert (page.created, page.cursor, page.total) == (other.created, other.cursor, other.total)
    pd.testing.assert_frame_equal(frame(page.items), frame(other.items))
    for version in (page.items, other.items):
        requests = PullRequestRows()
        requests.add(version)
        assert len(requests.frame()) == len({r["pr_url"] for item in items for r in item.get("pull_requests") or []})
    assert as_raw(page.items[0])["session_id"] == items[0]["session_id"]


@given(st.lists(strange(V3), min_size=1, max_size=3))
def test_every_page_gives_the_same_frame_as_its_dicts(items: list[Any]) -> None:
    text = body(*({**item, "session_id": f"{number:032x}"} for number, item in enumerate(items)))
    parser = RowParser()
    for _ in range(2):
        pd.testing.assert_frame_equal(frame(parser.parsed(text).items), frame(parsed(text).items))


@pytest.mark.parametrize("page", [body(session(1, created_at="2026-11-21")), body(session(1, title=7))])
def test_what_is_not_as_expected_is_read_as_dicts_from_then_on(page: bytes) -> None:
    parser = RowParser()
    assert parser.parsed(page).items == parsed(page).items
    assert isinstance(parser.parsed(body(session(1, new_field=1))).items[0], dict)


@pytest.mark.parametrize("page", [body(7), b'[{"session_id": "a"}]', b"[]", body({}), body({"created_at": 7})])
def test_what_is_no_page_of_sessions_is_an_error(page: bytes) -> None:
    for read in (RowParser().parsed, parsed):
        with pytest.raises(UnreadableAnswer):
            read(page)


def test_a_service_with_ever_new_fields_is_read_as_dicts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query, "_MOST_NEW", 1)
    parser = RowParser()
    parser.parsed(body({**session(1), "a": 1}))
    assert not isinstance(parser.parsed(body({**session(1), "a": 1})).items[0], dict)
    parser.parsed(body({**session(1), "b": 1}))
    assert isinstance(parser.parsed(body({**session(1), "a": 1})).items[0], dict)


def test_without_msgspec_pages_are_read_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = body(session(1))
    expected = frame(parsed(text).items)
    monkeypatch.setitem(sys.modules, "msgspec", None)
    for cached in (row_parser, json_parsers):
        cached.cache_clear()
    try:
        page = RowParser().parsed(text)
        assert isinstance(page.items[0], dict)
        pd.testing.assert_frame_equal(frame(page.items), expected)
    finally:
        for cached in (row_parser, json_parsers):
            cached.cache_clear()


def test_many_sessions_are_turned_into_arrays_piece_by_piece() -> None:
    rows = SessionRows()
    items = [
        session(number, created_at=1_000 + number, title=None if number % 3 else f"t{number}")
        for number in range(9_000)
    ]
    for at in range(0, 9_000, 100):
        rows.add(items[at : at + 100])
    found = rows.frame(newest_first=True)
    assert found["created_at"].is_monotonic_decreasing
    assert found["title"].dropna().tolist() == [f"t{number}" for number in range(8_997, -1, -3)]
    assert (found.dtypes == SessionRows().frame().dtypes).all()
    assert found["session_id"].iloc[0] == f"devin-{8_999:032x}"


def test_pages_of_every_kind_follow_each_other_in_one_frame() -> None:
    pages = [[session(10 * number + place) for place in range(3)] for number in range(8)]
    pages[2][1]["something"] = "new"  # from here on, rows have one more field
    pages[4][0]["title"] = 7  # from here on, pages are read as dicts
    identifier = f"devin-{pages[1][1]['session_id']}"
    known, moment = {identifier: record(identifier, org_id="org-known")}, datetime(2026, 11, 22, tzinfo=UTC)
    mixed, plain, parser = SessionRows(known=known), SessionRows(known=known), RowParser()
    kinds = set[type]()
    for page in pages:
        read = parser.parsed(body(*page)).items
        kinds.add(type(read[0]))
        assert mixed.add(read, at=moment) == plain.add(page, at=moment) == 3
    assert len(kinds) == 3
    assert mixed.add(RowParser().parsed(body(*pages[1])).items) == 0
    found = mixed.frame()
    assert found["extra"].dropna().tolist() == [{"something": "new"}]
    pd.testing.assert_frame_equal(found, plain.frame())
