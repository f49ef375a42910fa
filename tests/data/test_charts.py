"""Charts are drawn from frames: from empty ones too, and what is unknown is counted, not left out in silence."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from data.payloads import session

from devin_jupyter import charts
from devin_jupyter.errors import OptionError
from devin_jupyter.frames import SessionRows, consumption

DAY = 86_400
EVERY_CHART = (charts.timeline, charts.spend, charts.outcomes, charts.durations)


def frame_of(*sessions: dict[str, Any]) -> Any:
    rows = SessionRows()
    rows.add(sessions)
    return rows.frame()


def values_of(chart: Any) -> list[dict[str, Any]]:
    """The inline rows, in the specification or in its only data set."""
    said = chart.to_dict()
    layers = [said, *said.get("layer", [])]
    found = [layer["data"]["values"] for layer in layers if "values" in layer.get("data", {})]
    found += list(said.get("datasets", {}).values())
    return found[0]


MANY = frame_of(
    session(1, tags=["team:web"], acus_consumed=2.0),
    session(2, tags=["team:api", "team:late"], acus_consumed=3.0, created_at=1_790_000_000 + DAY),
    session(3, tags=[], acus_consumed=0, status_detail="working", pull_requests=[], title=None),
    session(4, tags=["team:web"], acus_consumed=1.0, pull_requests=[{"pr_url": "https://github.com/acme/api/pull/1"}]),
)


@pytest.mark.parametrize("draw", EVERY_CHART)
def test_a_chart_of_no_sessions_is_a_chart(draw: Any) -> None:
    said = draw(frame_of()).to_dict()

    assert said["title"]["text"]
    json.dumps(said, allow_nan=False)


@pytest.mark.parametrize("draw", EVERY_CHART)
def test_a_chart_holds_nothing_that_json_cannot(draw: Any) -> None:
    json.dumps(draw(MANY).to_dict(), allow_nan=False)


@pytest.mark.parametrize("draw", EVERY_CHART)
def test_a_chart_can_be_drawn_as_a_picture(draw: Any, tmp_path: Any) -> None:
    draw(MANY).save(tmp_path / "chart.svg")

    assert "<svg" in (tmp_path / "chart.svg").read_text()


def test_more_sessions_than_altair_takes_from_a_frame_are_drawn() -> None:
    many = frame_of(*(session(number) for number in range(5_500)))

    assert len(values_of(charts.timeline(many))) == 5_500


def test_bars_of_the_timeline_lead_to_their_session() -> None:
    said = charts.timeline(MANY).to_dict()

    assert said["encoding"]["href"]["field"] == "url"
    assert {row["url"] for row in values_of(charts.timeline(MANY))} == set(MANY["url"])


def test_spend_of_unknown_cost_is_counted_in_words() -> None:
    assert charts.spend(MANY).to_dict()["title"]["subtitle"] == "6.00 ACU; the cost of 1 more sessions is unknown"


def test_spend_by_team_adds_up_to_the_whole() -> None:
    rows = values_of(charts.spend(MANY, tag_prefix="team:"))

    assert {(row["group"], row["acus"]) for row in rows} == {("web", 3.0), ("api", 3.0)}


@pytest.mark.parametrize("by", ["tag", "repo", "category", "user"])
def test_every_grouping_shares_out_the_same_sum(by: str) -> None:
    assert sum(row["acus"] for row in values_of(charts.spend(MANY, by=by))) == pytest.approx(6.0)


def test_spend_takes_true_days_from_a_consumption_frame() -> None:
    days = consumption({"consumption_by_date": [{"date": 1_790_000_000, "acus": 4.5, "acus_by_product": {}}]})

    assert charts.spend(days).to_dict()["title"]["subtitle"] == "4.50 ACU"
    with pytest.raises(OptionError, match="days, not sessions"):
        charts.spend(days, by="repo")


def test_outcomes_count_sessions_and_not_pull_requests() -> None:
    assert [row["sessions"] for row in values_of(charts.outcomes(MANY))] == [4, 3, 2]


def test_durations_leave_out_what_is_still_at_work_and_say_so() -> None:
    chart = charts.durations(MANY)

    assert chart.to_dict()["title"]["subtitle"] == "3 sessions; 1 without an end are left out"
    assert {row["minutes"] for row in values_of(chart)} >= {8.33}


def test_an_unknown_grouping_names_those_there_are() -> None:
    with pytest.raises(OptionError, match="tag, repo, category, user"):
        charts.spend(MANY, by="colour")


def test_a_frame_of_something_else_is_refused_by_its_columns() -> None:
    with pytest.raises(OptionError, match="no column"):
        charts.outcomes(MANY.drop(columns="n_prs"))


def test_without_altair_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "altair", None)

    with pytest.raises(OptionError, match=r"devin-jupyter\[charts\]"):
        charts.timeline(MANY)
