"""Messages, insights and consumption as frames."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
from payloads import V3, session

from devin_jupyter import frames
from devin_jupyter.models.fields import Message

DAY = datetime(2026, 11, 21, tzinfo=UTC)


def test_messages_are_a_row_each() -> None:
    said = [Message("e1", "user", "do it", DAY), Message("e2", "devin", "done", None)]

    frame = frames.messages([("devin-a", said), ("devin-b", [])])

    assert frame["text"].tolist() == ["do it", "done"]
    assert frame["session_id"].tolist() == ["devin-a", "devin-a"]
    assert list(frame["source"].cat.categories) == ["devin", "user"]
    pd.testing.assert_series_equal(frames.messages([]).dtypes, frame.dtypes)


def test_insights_are_null_until_they_are_generated() -> None:
    rows = frames.SessionRows()
    rows.add([V3, session(2), session(3)])
    sessions = rows.frame()
    raw = {**V3, "num_devin_messages": 3, "num_user_messages": 1, "session_size": "s", "analysis": None}
    analysis = {
        "classification": {"category": "x", "confidence": 0.9, "programming_languages": ["Python"]},
        "issues": [{}, {}],
        "suggested_prompt": {"suggested_prompt": "better"},
    }

    frame = frames.insights(sessions, [raw, {**raw, "analysis": analysis}, {"analysis": "odd"}])

    assert frame["n_issues"].tolist()[1] == 2
    assert frame["n_issues"].isna().tolist() == [True, False, True]
    assert frame.loc[1, "programming_languages"] == ["Python"]
    assert frame.loc[1, "suggested_prompt"] == "better"
    assert frame["session_size"].tolist()[:2] == ["s", "s"]
    pd.testing.assert_series_equal(frames.insights(sessions.head(0), []).dtypes, frame.dtypes)


def test_consumption_is_a_row_per_day_which_begins_at_eight() -> None:
    days = [
        {"date": 1_790_064_000, "acus": 2, "acus_by_product": {"devin": 2.0, "cascade": 0, "terminal": 0}},
        {"date": 1_789_977_600, "acus": 1.5, "acus_by_product": {"devin": 1.0, "review": 0.5}},
        "odd",
    ]

    frame = frames.consumption({"total_acus": 3.5, "consumption_by_date": days})

    assert frame["acus"].tolist() == [1.5, 2.0]
    assert frame["review"].tolist()[0] == 0.5
    assert frame["date"].dt.hour.tolist() == [8, 8]
    pd.testing.assert_series_equal(frames.consumption({}).dtypes, frame.dtypes)
