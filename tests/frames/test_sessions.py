"""The sessions frame says what a snapshot of the same answer says, in the same dtypes whatever it holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from payloads import HEX, V1, V3, session, strange
from records import record

from devin_jupyter.frames import PullRequestRows, SessionRows
from devin_jupyter.frames.sessions import SESSIONS
from devin_jupyter.models.enums import Phase
from devin_jupyter.models.fields import NO_ID
from devin_jupyter.models.snapshot import Sent, observe

NOW = datetime(2026, 11, 22, tzinfo=UTC)
EMPTY = SessionRows().frame()
DTYPES = {
    "title": "string",
    "phase": "category",
    "needs_you": "boolean",
    "acus": "Float64",
    "created_at": "datetime64[us, UTC]",
    "duration": "Float64",
    "repos": "object",
    "n_prs": "Int64",
    "n_merged": "Int64",
    "n_messages": "Int64",
    "mode": "category",
    "origin": "category",
    "category": "category",
    "subcategory": "string",
    "tags": "object",
    "status": "category",
    "status_detail": "category",
    "updated_at": "datetime64[us, UTC]",
    "is_archived": "boolean",
    "structured_output": "object",
    "extra": "object",
    "session_id": "string",
    "parent_session_id": "string",
    "child_session_ids": "object",
    "user_id": "string",
    "service_user_id": "string",
    "user_name": "string",
    "playbook_id": "string",
    "org_id": "string",
    "url": "string",
}


def frame_of(*items: dict[str, Any], **options: Any) -> pd.DataFrame:
    rows = SessionRows(**options)
    rows.add(items, at=NOW)
    return rows.frame()


def test_columns_and_dtypes_are_those_of_the_design() -> None:
    assert {name: str(dtype) for name, dtype in EMPTY.dtypes.items()} == DTYPES
    assert list(EMPTY["phase"].cat.categories) == [phase.value for phase in Phase]


def test_one_row_reads_as_the_service_says() -> None:
    row = frame_of(V3).iloc[0]

    assert row["session_id"] == f"devin-{HEX}"
    assert row["phase"] == "done"
    assert row["acus"] == 1.25
    assert row["created_at"] == pd.Timestamp(1_790_000_000, unit="s", tz="UTC")
    assert row["tags"] == ["team:a"]
    assert row["repos"] == ["acme/api", "acme/web"]
    assert (row["n_prs"], row["n_merged"]) == (2, 1)
    assert row["parent_session_id"] == "devin-" + "f" * 32
    assert row["child_session_ids"] == ["devin-" + "e" * 32]
    assert row["structured_output"] == {"n": 1}
    assert row["extra"] is None


def test_fields_that_we_do_not_know_are_kept() -> None:
    assert frame_of({**V3, "automation_id": "a-1", "new": [1]}).loc[0, "extra"] == {"automation_id": "a-1", "new": [1]}


@pytest.mark.parametrize(
    "items",
    [
        [],
        [V3],
        [{**dict.fromkeys(V3), "session_id": HEX}],
        [{"session_id": HEX}],
        [session(number) for number in range(1000)],
    ],
    ids=["no rows", "one row", "only nulls", "only an id", "many rows"],
)
def test_dtypes_do_not_depend_on_what_is_there(items: list[dict[str, Any]]) -> None:
    pd.testing.assert_series_equal(frame_of(*items).dtypes, EMPTY.dtypes)


def test_v1_has_the_same_columns() -> None:
    frame = frame_of(V1, api_version="v1", org_id="org-a")

    pd.testing.assert_series_equal(frame.dtypes, EMPTY.dtypes)
    row = frame.iloc[0]
    assert (row["status_detail"], row["phase"], row["user_id"], row["org_id"]) == (
        "blocked",
        "done",
        "a@acme.test",
        "org-a",
    )
    assert row["created_at"] == pd.Timestamp("2026-11-21T18:04:00.123456Z")
    assert pd.isna(row["acus"])
    assert row["n_prs"] == 1
    assert pd.isna(row["n_merged"]), "v1 does not say what became of a pull request"
    assert row["extra"] is None


def test_unknown_words_extend_the_categories_in_one_order() -> None:
    one = frame_of(session(1, status="zz"), session(2, status="aa"), session(3, origin="fax"))
    two = frame_of(session(2, status="aa"), session(3, origin="fax"), session(1, status="zz"))

    known = list(EMPTY["status"].cat.categories)
    assert list(one["status"].cat.categories) == [*known, "aa", "zz"]
    assert one["status"].dtype == two["status"].dtype
    assert one["status"].tolist() == ["zz", "aa", "running"]
    assert one["phase"].tolist()[0] == "working"


@pytest.mark.parametrize(
    ("changes", "acus"),
    [
        ({"acus_consumed": 0}, None),
        ({"acus_consumed": 0.0, "updated_at": 1_790_000_000}, 0.0),
        ({"acus_consumed": 0, "status": "new"}, 0.0),
        ({"acus_consumed": 0, "status": None, "updated_at": 1_790_000_000}, None),
        ({"acus_consumed": "many"}, None),
        ({"acus_consumed": True}, None),
        ({"acus_consumed": float("inf")}, None),
        ({"acus_consumed": 3}, 3.0),
    ],
)
def test_zero_acus_on_a_session_that_worked_are_unknown(changes: dict[str, Any], acus: float | None) -> None:
    value = frame_of({**V3, **changes}).loc[0, "acus"]

    assert pd.isna(value) if acus is None else value == acus


def test_words_in_other_case_are_the_known_ones() -> None:
    shouted = {name: V3[name].upper() for name in ("status", "status_detail", "origin", "category", "devin_mode")}
    requests = [{**each, "pr_state": each["pr_state"].title()} for each in V3["pull_requests"]]
    frame = frame_of({**V3, **shouted, "pull_requests": requests})
    pd.testing.assert_frame_equal(frame, frame_of(V3))
    rows = PullRequestRows()
    rows.add([{**V3, "pull_requests": requests}])
    assert rows.frame()["state"].tolist() == ["merged", "open"]


def test_a_session_comes_once() -> None:
    rows = SessionRows()

    assert rows.add([session(1), session(2)]) == 2
    assert rows.add([session(2), session(3), session(3)]) == 1
    assert len(rows) == 3
    assert len(rows.frame()) == 3


def test_the_newest_come_first_and_ties_in_the_order_of_their_ids() -> None:
    rows = SessionRows()
    rows.add(
        [session(3, created_at=5), session(1, created_at=5), session(2, created_at=9), session(4, created_at=None)]
    )

    order = [int(name[-1]) for name in rows.frame(newest_first=True)["session_id"]]

    assert order == [2, 1, 3, 4]


def test_rows_come_in_the_order_that_is_wanted() -> None:
    rows = SessionRows()
    rows.add([session(1), session(2), session(3)])
    names = [f"devin-{number:032x}" for number in (3, 1, 9)]

    assert rows.frame(order=names)["session_id"].tolist() == names[:2]


def test_what_the_journal_knows_decides_the_phase() -> None:
    silent = session(1, structured_output=None, status="exit", status_detail=None)
    asked = record(schema={"type": "object"}, repos=("acme/known",))
    stopped = record(terminated=True)
    names = [f"devin-{number:032x}" for number in (1, 2)]
    rows = SessionRows(known={names[0]: asked, names[1]: stopped})
    rows.add([session(3), silent, session(2)], at=NOW)

    frame = rows.frame(order=[*names, f"devin-{3:032x}"])

    assert frame["phase"].tolist() == ["stopped", "stopped", "done"]
    assert frame.loc[0, "repos"] == ["acme/known"]
    assert rows.provisional == {names[0]: True, names[1]: False}


def test_a_session_that_the_journal_knows_keeps_its_phase_among_pages_of_others() -> None:
    rows = SessionRows(known={f"devin-{150:032x}": record(terminated=True)})
    for start in range(0, 300, 100):
        rows.add([session(number) for number in range(start, start + 100)], at=NOW)

    frame = rows.frame()

    others = frame_of(*(session(number) for number in range(300))).set_index("session_id")["phase"]
    expected = others.where(others.index != f"devin-{150:032x}", "stopped")
    assert frame.set_index("session_id")["phase"].to_dict() == expected.to_dict()


def test_ids_are_distinguished_by_their_lengths_one_by_one() -> None:
    names = ["a" * 31, "b" * 33, "c" * 32]

    found = frame_of(*({**V3, "session_id": name} for name in names))

    assert found["session_id"].tolist() == [f"devin-{name}" for name in names]
    assert frame_of({**V3, "session_id": f"{'A' * 32}"}).loc[0, "session_id"] == f"devin-{'a' * 32}"


def test_an_output_from_before_our_last_message_is_not_an_answer() -> None:
    sent = Sent(text="more", at=NOW, phase_before=Phase.WORKING, output_before={"n": 1})
    name = f"devin-{1:032x}"
    for minutes, phase in ((0, "queued"), (3, "your_turn")):  # without a sign, the turn is open for two minutes
        rows = SessionRows(known={name: record(sent=sent)})
        rows.add([session(1)], at=NOW + timedelta(minutes=minutes))

        assert rows.frame().loc[0, "phase"] == phase
        assert rows.provisional == {name: True}


def _same(left: Any, right: Any) -> bool:
    """Equal, but for half surrogates, which a frame cannot hold, and the length of what should have been a text."""
    if isinstance(right, tuple):
        right = list(right)
    if isinstance(right, str) and isinstance(left, str):
        return left == right or left[:80] == right.encode("utf-8", "replace").decode()[:80]
    if isinstance(left, (list, dict)) or isinstance(right, (list, dict)):
        return bool(left == right) or repr(left) == repr(right)
    if left is None or left is pd.NaT or left is pd.NA or left != left:
        return right is None or right != right
    return bool(left == right)


@pytest.mark.parametrize(("version", "payload"), [("v3", V3), ("v1", V1)])
def test_a_row_equals_the_snapshot_whatever_the_service_sends(version: str, payload: dict[str, Any]) -> None:
    @given(st.lists(strange(payload), min_size=1, max_size=3))
    def check(items: list[dict[str, Any]]) -> None:
        frame = frame_of(*items, api_version=version)
        seen = [observe(item, record(api_version=version), at=NOW) for item in items]
        distinct = {}
        for snapshot in seen:
            distinct.setdefault(snapshot.session_id if snapshot.session_id != NO_ID else id(snapshot), snapshot)
        assert len(frame) == len(distinct)
        for (_, row), snapshot in zip(frame.iterrows(), distinct.values(), strict=True):
            for name in _COMPARED[version]:
                expected = getattr(snapshot, name)
                assert _same(row[name], expected), name

    check()


_SHARED = [
    "session_id",
    "title",
    "phase",
    "status",
    "status_detail",
    "acus",
    "created_at",
    "updated_at",
    "tags",
    "user_id",
    "playbook_id",
    "structured_output",
    "needs_you",
]
_COMPARED = {
    "v1": _SHARED,
    "v3": [
        *_SHARED,
        "url",
        "origin",
        "category",
        "mode",
        "subcategory",
        "service_user_id",
        "parent_session_id",
        "child_session_ids",
        "is_archived",
        "org_id",
    ],
}


@given(st.lists(strange(V3), max_size=4))
def test_no_answer_makes_the_frame_fail_or_change_its_shape(items: list[dict[str, Any]]) -> None:
    frame = frame_of(*items)

    assert list(frame.columns) == [column.name for column in SESSIONS]
    assert [str(dtype) for dtype in frame.dtypes] == list(DTYPES.values())


def test_what_v1_does_not_tell_is_null_for_snapshots_too() -> None:
    raw, held = SessionRows(api_version="v1"), SessionRows()
    raw.add([V1])
    held.add_snapshots([observe(V1, record(api_version="v1"), at=NOW)])

    pd.testing.assert_frame_equal(held.frame(), raw.frame())


def test_a_session_has_its_duration_and_number_of_messages_where_known() -> None:
    raw = {**V3, "created_at": 100, "updated_at": 220}
    frame = frame_of(raw, {**raw, "session_id": "b" * 32, "updated_at": None})
    assert frame["duration"].tolist()[0] == 120.0
    assert frame["duration"].isna().tolist() == [False, True]
    assert frame["n_messages"].isna().all()
    details = {"session_id": "c" * 32, "status": "finished", "messages": [{"type": "devin"}, {"type": "user"}]}
    assert frame_of(details, api_version="v1")["n_messages"].tolist() == [2]
    assert list(frame.columns)[:6] == ["title", "phase", "needs_you", "acus", "created_at", "duration"]
    assert frame.columns[-1] == "url"
