"""Charts work on any frame, link to sessions, and carry their picture."""

from __future__ import annotations

import base64
import builtins
import html
import json
import re
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any
from unittest.mock import patch

import pandas as pd
import pytest
from payloads import V3, session

from devin_jupyter import charts, frames
from devin_jupyter.errors import OptionError
from devin_jupyter.frames import chart_data
from devin_jupyter.models.enums import Phase

pytestmark = pytest.mark.skipif(find_spec("altair") is None, reason="altair is not installed")
vl_convert = pytest.importorskip("vl_convert")

DAY = 86_400
START = 1_790_035_200  # 2026-09-22T00:00Z
CHARTS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "timeline": charts.timeline,
    "spend": charts.spend,
    "spend by team": lambda frame: charts.spend(frame, tag_prefix="team:"),
    "outcomes": charts.outcomes,
    "durations": charts.durations,
}


def frame_of(*items: dict[str, Any]) -> pd.DataFrame:
    rows = frames.SessionRows()
    rows.add(items)
    return rows.frame(newest_first=True)


def many(count: int) -> pd.DataFrame:
    teams = ("a", "b", None)
    return frame_of(
        *(
            session(
                number,
                created_at=START + number * 3600,
                updated_at=START + number * 3600 + 60 * number,
                acus_consumed=number % 5,
                tags=[f"team:{teams[number % 3]}"] if teams[number % 3] else [],
                title=f"Task {number}",
                status_detail=("finished", "working", "waiting_for_approval")[number % 3],
            )
            for number in range(count)
        )
    )


def bundle(chart: Any) -> dict[str, Any]:
    found: dict[str, Any] = chart._repr_mimebundle_()
    return found


def specification(chart: Any) -> dict[str, Any]:
    """What is shown, without the picture, which takes far longer to draw than all else."""
    with patch.dict(sys.modules, vl_convert=None):
        found: dict[str, Any] = bundle(chart)[charts.MIME]
    return found


def values(chart: Any) -> list[dict[str, Any]]:
    specification = chart.to_dict()
    layer = specification["layer"][0]
    found: list[dict[str, Any]] = layer.get("data", specification.get("data"))["values"]
    return found


@pytest.mark.parametrize("draw", CHARTS.values(), ids=CHARTS)
@pytest.mark.parametrize("count", [0, 1, 60])
def test_a_chart_of_any_frame_can_be_shown_and_is_the_same_every_time(
    draw: Callable[[pd.DataFrame], Any], count: int
) -> None:
    shown = bundle(draw(many(count)))

    assert count < 60 or shown == bundle(draw(many(count)))
    assert list(shown) == [charts.MIME, "text/plain", "image/png"]
    picture = base64.b64decode(shown["image/png"])
    assert picture.startswith(b"\x89PNG")
    assert shown[charts.MIME]["width"] == "container"
    assert int.from_bytes(picture[16:20], "big") == 2 * 640  # where nothing tells how wide the cell is
    assert "vega-lite/v5" in shown[charts.MIME]["$schema"]
    assert re.fullmatch(r"<chart: .+>", shown["text/plain"])
    assert ("no sessions" in json.dumps(shown[charts.MIME])) == (count == 0)


@pytest.mark.parametrize("draw", CHARTS.values(), ids=CHARTS)
def test_marks_link_to_sessions_and_only_to_web_pages(draw: Callable[[pd.DataFrame], Any]) -> None:
    safe, unsafe = draw(many(5)), draw(frame_of(session(1, url="javascript:alert(1)")))

    assert {item["url"] for item in values(safe)} == {V3["url"]}
    assert "javascript" not in json.dumps(specification(unsafe))
    shown = specification(safe)
    layer = shown["layer"][0]
    assert layer["encoding"]["href"]["field"] == "url"
    assert layer["encoding"]["tooltip"]
    assert shown["usermeta"]["embedOptions"]["loader"]["target"] == "_blank"


@pytest.mark.parametrize("draw", CHARTS.values(), ids=CHARTS)
def test_a_chart_can_be_changed_further_and_still_shows_itself(draw: Callable[[pd.DataFrame], Any]) -> None:
    import altair

    changed = draw(many(5)).properties(width=111)

    assert isinstance(changed, altair.LayerChart)
    assert specification(changed)["width"] == 111


def _contrast(one: str, other: str) -> float:
    def light(color: str) -> float:
        parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted([light(one), light(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("page", ["#ffffff", "#111111"])
def test_colors_can_be_seen_on_light_and_on_dark_pages(page: str) -> None:
    marks = [*charts.PHASE_COLORS.values(), *charts.GROUP_COLORS]

    assert min(_contrast(color, page) for color in marks) >= 2.5
    assert _contrast("#808488", page) >= 3.5
    assert specification(charts.timeline(many(3)))["config"]["background"] == "transparent"


def test_every_phase_has_a_color() -> None:
    assert set(charts.PHASE_COLORS) == set(Phase)


def test_a_timeline_has_a_bar_per_session_from_start_to_last_activity() -> None:
    records = values(charts.timeline(many(3)))

    assert [item["title"] for item in records] == ["Task 2", "Task 1", "Task 0"]
    assert records[0]["start"] == "2026-09-22T02:00:00+00:00"
    assert records[0]["end"] == "2026-09-22T02:02:00+00:00"
    assert records[0]["started"] == "2026-09-22 02:00 UTC"
    assert [item["took"] for item in records] == ["2 min", "1 min", "0 min"]
    assert records[2]["phase"] == "done"


@pytest.mark.parametrize(
    ("count", "hours", "unit"),
    [
        *((41, 0.5, "hour"), (41, 2, "3 hours"), (60, 10, "day"), (60, 24, "week")),
        *((60, 24 * 15, "month"), (60, 24 * 200, "year")),
    ],
)
def test_a_timeline_of_many_sessions_counts_all_of_them_in_at_most_40_bars(count: int, hours: float, unit: str) -> None:
    starts = [START + int(number * hours * 3600) for number in range(count)]
    chart = charts.timeline(frame_of(*(session(number, created_at=at) for number, at in enumerate(starts))))
    records = values(chart)

    assert sum(record["count"] for record in records) == count
    assert 1 < len({record["start"] for record in records}) <= 40
    assert repr(chart) == f"<chart: Sessions over time ({count:,} sessions by their start, one bar per {unit})>"
    assert all(record["start"] < record["end"] for record in records)
    assert bundle(chart)["image/png"]


def test_a_timeline_of_40_sessions_has_a_title_beside_every_bar() -> None:
    chart = charts.timeline(many(40))
    svg = vl_convert.vegalite_to_svg(specification(chart), vl_version=charts.VEGA_LITE)

    assert [record["place"] for record in values(chart)] == list(range(40))
    assert [f">Task {number}<" in svg for number in range(40)] == [True] * 40


def test_any_title_is_a_text() -> None:
    title = '"][datum.value]; `${x}` \\ \U0001f600 </text>'
    chart = charts.timeline(frame_of(session(1, title=title)))
    svg = vl_convert.vegalite_to_svg(specification(chart), vl_version=charts.VEGA_LITE)

    axis = svg[svg.index("Y-axis") :]
    assert re.search(r"<text[^>]*>(.*?)</text>", axis, re.DOTALL)[1] == html.escape(title, quote=False)  # type: ignore[index]


def labels(chart: Any) -> list[str]:
    """What is written along the axis of time; lines below one another are joined."""
    svg = vl_convert.vegalite_to_svg(specification(chart), vl_version=charts.VEGA_LITE)
    axis = re.search(r'aria-label="X-axis.*?role-axis-label.*?</g>', svg, re.DOTALL)
    assert axis
    written = re.findall(r"<text[^>]*>(.*?)</text>", axis[0])
    return [" ".join(re.sub(r"<[^>]+>", " ", text).split()) for text in written]


def lasting(days: float, *, start: int = START) -> pd.DataFrame:
    return frame_of(session(1, created_at=start, updated_at=int(start + days * DAY)))


def test_a_timeline_says_where_the_day_changes() -> None:
    hours = labels(charts.timeline(lasting(0.2, start=START + 20 * 3600)))
    halves = labels(charts.timeline(lasting(3.5, start=START + 7 * 3600)))
    days = labels(charts.timeline(lasting(7, start=START + 97 * DAY)))

    assert (hours[0], "Sep 23" in hours) == ("20:00 Sep 22", True)
    assert halves == ["12:00 Sep 22", "Sep 23", "12:00", "Sep 24", "12:00", "Sep 25", "12:00"]
    assert days == ["Dec 28 2026", "Dec 29", "Dec 30", "Dec 31", "Jan 1 2027", "Jan 2", "Jan 3", "Jan 4"]


def test_an_end_before_the_start_is_no_bar_backwards() -> None:
    record = values(charts.timeline(frame_of(session(1, updated_at=5))))[0]

    assert record["end"] == record["start"]


def test_spending_adds_up_for_every_grouping() -> None:
    frame = many(90)
    total = frame["acus"].sum()

    for division in ({}, {"tag_prefix": "team:"}, {"by": "repo"}, {"by": "user"}, {"by": "phase"}, {"unit": "month"}):
        records = values(charts.spend(frame, **division))
        assert sum(item["cost"] for item in records) == pytest.approx(total)


def test_the_groups_of_a_day_are_stacked_the_most_expensive_below() -> None:
    frame = frame_of(session(1, tags=["cheap"], acus_consumed=1), session(2, tags=["dear"], acus_consumed=3))

    svg = vl_convert.vegalite_to_svg(specification(charts.spend(frame, by="tag")), vl_version=charts.VEGA_LITE)

    bars = re.findall(r'aria-roledescription="bar" d="M0,([\d.]+)h\d+v([\d.]+)h-\d+Z" fill="(#\w+)"', svg)
    assert bars == [("55", "165", charts.GROUP_COLORS[0]), ("0", "55", charts.GROUP_COLORS[1])]


def test_a_session_of_several_groups_is_divided_between_them() -> None:
    records = values(charts.spend(frame_of(session(1, acus_consumed=3)), by="repo"))

    assert {item["group"]: item["acus"] for item in records} == {"acme/api": "1.50 ACU", "acme/web": "1.50 ACU"}
    assert {item["sessions"] for item in records} == {1}


def test_sessions_without_a_group_are_named() -> None:
    bare = session(1, tags=[], pull_requests=[], user_id=None, category=None, playbook_id=None)

    for division, name in (
        ({"tag_prefix": "team:"}, "no team"),
        ({"by": "tag"}, "no tag"),
        ({"by": "repo"}, "no repository"),
        ({"by": "user"}, "no user"),
        ({"by": "category"}, "no category"),
        ({"by": "playbook"}, "no playbook"),
    ):
        assert [item["group"] for item in values(charts.spend(frame_of(bare), **division))] == [name]


def test_a_service_user_is_a_user_too() -> None:
    records = values(charts.spend(frame_of(session(1, user_id=None, service_user_id="service-user-ci")), by="user"))

    assert records[0]["group"] == "service-user-ci"


def test_groups_beyond_the_most_expensive_are_one() -> None:
    frame = frame_of(*(session(number, tags=[f"t{number}"], acus_consumed=number + 1) for number in range(12)))

    groups = [item["group"] for item in values(charts.spend(frame, by="tag"))]

    assert groups == [*(f"t{number}" for number in range(11, 3, -1)), "and 4 others"]


def test_as_many_groups_as_colors_are_all_named() -> None:
    frame = frame_of(*(session(number, tags=[f"t{number}"], acus_consumed=number + 1) for number in range(9)))

    records = values(charts.spend(frame, by="tag"))

    assert [item["group"] for item in records] == [f"t{number}" for number in range(8, -1, -1)]
    assert len(records) == chart_data.MAX_GROUPS == len(charts.GROUP_COLORS)


@pytest.mark.parametrize("by", ["category", "origin"])
def test_what_the_service_calls_other_is_not_what_is_left_over(by: str) -> None:
    words = ["other", *(f"w{number}" for number in range(11))]
    frame = frame_of(*(session(n, **{by: word}, acus_consumed=20 - n) for n, word in enumerate(words)))

    costs = {item["group"]: item["acus"] for item in values(charts.spend(frame, by=by))}

    assert costs["other"] == "20.00 ACU"
    assert costs["and 4 others"] == f"{12 + 11 + 10 + 9}.00 ACU"


def test_unknown_costs_are_counted_and_named() -> None:
    chart = charts.spend(frame_of(session(1), session(2, acus_consumed=0), session(3, acus_consumed=0)))

    assert "2 sessions of unknown cost not included" in repr(chart)
    assert "unknown" not in repr(charts.spend(frame_of(session(1))))


@pytest.mark.parametrize(("days", "unit"), [(3, "day"), (100, "week"), (500, "month")])
def test_the_unit_suits_the_span(days: int, unit: str) -> None:
    frame = frame_of(session(1, created_at=START), session(2, created_at=START + days * DAY))

    assert f"by the {unit} sessions" in repr(charts.spend(frame))


def test_weeks_begin_on_mondays_and_months_on_the_first() -> None:
    frame = frame_of(session(1, created_at=START + 4 * DAY))

    week, month = (values(charts.spend(frame, unit=unit))[0] for unit in ("week", "month"))

    assert (week["when"], week["end"]) == ("week of 2026-09-21", "2026-09-28T00:00:00+00:00")
    assert (month["when"], month["end"]) == ("2026-09", "2026-10-01T00:00:00+00:00")


@pytest.mark.parametrize(
    ("unit", "days", "written"),
    [
        ("day", [0, 3], ["Sep 22 2026", "Sep 23", "Sep 24", "Sep 25"]),
        ("week", [90, 104], ["Dec 21 2026", "Dec 28", "Jan 4 2027"]),
        ("month", [60, 110], ["Nov 2026", "Dec", "Jan 2027"]),
        ("month", [0], ["Sep 2026"]),
    ],
)
def test_spending_is_labeled_in_the_middle_of_every_bar(unit: str, days: list[int], written: list[str]) -> None:
    chart = charts.spend(frame_of(*(session(day, created_at=START + day * DAY) for day in days)), unit=unit)
    records = values(chart)

    places = chart.to_dict()["layer"][0]["encoding"]["x"]["axis"]["values"]
    tick_labels = [
        (pd.Timestamp(item["start"]).timestamp() + pd.Timestamp(item["end"]).timestamp()) * 500 for item in records
    ]

    assert labels(chart) == written
    assert [places[0], places[-1]] == [tick_labels[0], tick_labels[-1]]


def test_of_many_bars_as_many_are_labeled_as_fit() -> None:
    chart = charts.spend(frame_of(*(session(day, created_at=START + day * DAY) for day in range(31))))

    assert labels(chart)[:4] == ["Sep 22 2026", "Sep 25", "Sep 28", "Oct 1"]
    assert len(labels(chart)) == 11


def test_true_days_come_from_a_consumption_frame() -> None:
    days = [{"date": START + 8 * 3600, "acus": 3, "acus_by_product": {"devin": 2, "cascade": 1, "terminal": 0}}]
    frame = frames.consumption({"consumption_by_date": days})

    records = values(charts.spend(frame))

    assert [(item["group"], item["cost"]) for item in records] == [("devin", 2), ("cascade", 1)]
    assert len(bundle(charts.spend(frame.head(0)))["image/png"]) > 100
    with pytest.raises(OptionError, match="by day and product"):
        charts.spend(frame, by="category")


def test_outcomes_count_sessions_pull_requests_and_merges() -> None:
    nothing = session(2, pull_requests=[])
    still_open = session(3, pull_requests=[{"pr_url": "https://github.com/a/b/pull/1", "pr_state": "open"}])

    records = values(charts.outcomes(frame_of(session(1), nothing, still_open)))

    assert [item["share"] for item in records] == ["3", "2 · 67%", "1 · 33%"]


def test_durations_are_counted_in_classes_by_phase() -> None:
    minutes = [1, 7, 7, 90, 5000]
    items = [session(number, created_at=START, updated_at=START + 60 * took) for number, took in enumerate(minutes)]

    records = values(charts.durations(frame_of(*items)))

    assert [(item["took"], item["count"]) for item in records] == [
        ("under 5 min", 1),
        ("5–15 min", 2),
        ("1–2 h", 1),
        ("over a day", 1),
    ]


@pytest.mark.parametrize(
    "draw",
    [
        lambda frame: charts.spend(frame, by="color"),
        lambda frame: charts.spend(frame, unit="decade"),
        lambda frame: charts.timeline(frame[["url"]]),
        lambda frame: charts.outcomes(frame[["url"]]),
        lambda frame: charts.durations(frame[["url"]]),
        lambda frame: charts.spend(frame[["url"]]),
    ],
)
def test_a_chart_that_cannot_be_drawn_explains_why(draw: Callable[[pd.DataFrame], Any]) -> None:
    with pytest.raises(OptionError):
        draw(many(3))


def _without(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    real = builtins.__import__

    def refuse(wanted: str, *details: Any) -> Any:
        if wanted == name:
            raise ImportError(name)
        return real(wanted, *details)

    monkeypatch.setattr(builtins, "__import__", refuse)


def test_without_altair_the_error_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    _without(monkeypatch, "altair")

    with pytest.raises(OptionError, match="Altair") as caught:
        charts.timeline(many(1))
    assert "devin-jupyter[charts]" in caught.value.hint


def test_without_vl_convert_a_chart_has_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    chart = charts.timeline(many(1))
    _without(monkeypatch, "vl_convert")

    assert list(bundle(chart)) == [charts.MIME, "text/plain"]


def test_the_picture_is_the_one_that_vl_convert_draws() -> None:
    chart = charts.outcomes(many(9))
    shown = bundle(chart)

    drawn = vl_convert.vegalite_to_png(shown[charts.MIME], vl_version=charts.VEGA_LITE, scale=2)

    packed = base64.b64decode(shown["image/png"])
    assert len(packed) < len(drawn) / 2
    assert _pixels(packed) == _pixels(drawn)


def _pixels(png: bytes) -> bytes:
    import zlib

    found, at = b"", 8
    while at < len(png):
        size = int.from_bytes(png[at : at + 4], "big")
        kind, content = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        assert int.from_bytes(png[at + 8 + size : at + 12 + size], "big") == zlib.crc32(kind + content)
        found += content if kind == b"IDAT" else b""
        at += 12 + size
    return zlib.decompress(found)


def test_times_of_another_zone_or_of_none_are_shown_in_utc() -> None:
    frame = frame_of(session(1))
    expected = values(charts.timeline(frame)), values(charts.spend(frame)), values(charts.durations(frame))

    for zone in ("Asia/Tokyo", None):
        moved = frame.copy()
        for name in ("created_at", "updated_at"):
            moved[name] = moved[name].dt.tz_convert(zone)
        assert (
            values(charts.timeline(moved)),
            values(charts.spend(moved)),
            values(charts.durations(moved)),
        ) == expected


def test_frames_put_together_can_be_drawn() -> None:
    frame = frame_of(session(1))

    for draw in (charts.timeline, charts.spend, charts.outcomes, charts.durations):
        assert values(draw(pd.concat([frame, frame])))


@pytest.mark.parametrize("draw", [charts.timeline, charts.spend, charts.durations])
def test_where_nothing_is_known_the_chart_does_not_say_that_there_are_no_sessions(draw: Callable[..., Any]) -> None:
    frame = frame_of(session(1, created_at=None, updated_at=None, acus_consumed=None))

    text = json.dumps(draw(frame).to_dict())

    assert "no sessions with a known" in text
    assert "of 1 sessions" not in text


def test_what_cannot_be_drawn_is_refused() -> None:
    for draw in (charts.timeline, charts.spend, charts.outcomes, charts.durations):
        with pytest.raises(OptionError, match="cannot be drawn"):
            draw([])
    with pytest.raises(OptionError, match="one or the other"):
        charts.spend(frame_of(session(1)), by="repo", tag_prefix="team:")


@pytest.mark.parametrize("draw", [charts.timeline, charts.durations])
def test_a_phase_that_is_none_is_drawn_as_unknown(draw: Callable[..., Any]) -> None:
    frame = frame_of(session(1))
    frame["phase"] = pd.Categorical([None], dtype=frame["phase"].dtype)

    chart = draw(frame)

    assert [record["phase"] for record in values(chart)] == [chart_data.UNKNOWN]
    assert "image/png" in bundle(chart)


def test_outcomes_by_repository_are_merge_rates_and_spend_takes_its_unit_as_by() -> None:
    rows = frames.SessionRows()
    for number in range(45):
        repo, state = f"acme/r{number}", "merged" if number % 2 else "open"
        pulls = [{"pr_url": f"https://github.com/{repo}/pull/1", "pr_state": state}] * (1 + (number == 0))
        rows.add([{"session_id": f"{number:032x}", "status": "exit", "created_at": 1, "pull_requests": pulls}])
    frame = rows.frame()
    chart = charts.outcomes(frame, by="repo").to_dict()
    records = chart_data.merge_records(frame)
    assert len(records) == 40
    assert {record["label"] for record in records[:-1]} == {"0 of 1 · 0%", "1 of 1 · 100%"}
    assert (records[-1]["repo"], records[-1]["label"]) == ("and 6 others", "3 of 6 · 50%")
    assert chart["title"]["subtitle"] == "of the sessions that made a pull request"
    assert charts.spend(frame, by="week").to_dict()["title"]["text"] == "ACUs by the week sessions were started"
    refused = [({"by": "user"}, "cannot be divided by 'user'"), ({"bye": "repo"}, r"no bye= \(did you mean by")]
    for wrong, words in refused:
        with pytest.raises(OptionError, match=words):
            charts.outcomes(frame, **wrong)


def test_a_session_of_several_repositories_counts_once_among_the_others() -> None:
    pulls = [{"pr_url": f"https://github.com/acme/r{number:02}/pull/1", "pr_state": "merged"} for number in range(45)]

    records = chart_data.merge_records(frame_of(session(1, pull_requests=pulls)))

    assert (len(records), records[-1]["label"]) == (40, "1 of 1 · 100%")


@pytest.mark.parametrize(
    ("days", "asked", "unit", "note"),
    [
        (39, "day", "day", None),
        (40, "day", "week", "by the week: more than 40 days"),
        (400, "week", "month", "by the month: more than 40 weeks"),
        (2000, "month", "year", "by the year: more than 40 months"),
        (2000, "year", "year", None),
        (2000, None, "year", None),
    ],
)
def test_spending_has_at_most_40_bars_and_says_where_the_unit_is_a_longer_one(
    days: int, asked: str | None, unit: str, note: str | None
) -> None:
    frame = frame_of(*(session(day, created_at=START + day * DAY, acus_consumed=1) for day in range(0, days + 1, 3)))
    last = frame_of(session(9000, created_at=START + days * DAY, acus_consumed=1))
    frame = pd.concat([frame, last])

    chart = charts.spend(frame, unit=asked)

    title = chart.to_dict()["title"]
    assert title["text"] == f"ACUs by the {unit} sessions were started"
    assert (title.get("subtitle") or None) == note
    assert len({record["start"] for record in values(chart)}) <= 40
    assert sum(record["cost"] for record in values(chart)) == pytest.approx(len(frame))
    assert len(labels(chart)) > 1


def test_many_billed_days_become_weeks() -> None:
    days = [{"date": START + day * DAY + 8 * 3600, "acus": 1, "acus_by_product": {"devin": 1}} for day in range(90)]

    chart = charts.spend(frames.consumption({"consumption_by_date": days}))

    assert chart.to_dict()["title"]["text"] == "ACUs by week, which begins at 08:00 UTC"
    assert values(chart)[0]["start"] == "2026-09-21T08:00:00+00:00"
    assert sum(record["cost"] for record in values(chart)) == 90


def test_organizations_beyond_40_bars_are_one() -> None:
    frame = pd.DataFrame(
        [
            {"org_id": f"org-{number}", "name": f"Team {number:02}", "acus": 100.0 - number, "limit": 200.0}
            | {"date": pd.Timestamp(START, unit="s"), "cycle_after": pd.NaT, "cycle_before": pd.NaT}
            for number in range(45)
        ]
    )

    records = chart_data.organization_records(frame)

    assert (len(records), records[-1]["organization"]) == (40, "and 6 others")
    assert records[-1]["spent"] == sum(100.0 - number for number in range(39, 45))
    assert bundle(charts.organizations(frame))["image/png"]
