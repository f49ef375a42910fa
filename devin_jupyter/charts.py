"""Charts of session histories: each takes a frame, works on no rows, and reads well on light and dark pages.

Altair comes with the extra `charts` and is imported at the first chart. Nothing here fetches anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import isnan
from typing import TYPE_CHECKING, Any

from devin_jupyter.errors import OptionError
from devin_jupyter.models.phase import Phase

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

__all__ = ["durations", "outcomes", "spend", "timeline"]

_INK = "#7b8088"
"""Readable on white and on near black."""
_PHASE_COLOURS = {
    Phase.QUEUED: "#9aa0a6",
    Phase.WORKING: "#3b82f6",
    Phase.YOUR_TURN: "#d69e2e",
    Phase.NEEDS_APPROVAL: "#b7791f",
    Phase.DONE: "#2f9e5b",
    Phase.ASLEEP: "#7c8db0",
    Phase.BLOCKED: "#dd6b20",
    Phase.STOPPED: "#a0705a",
    Phase.FAILED: "#e05252",
}
_GROUPS = ("tag", "repo", "category", "user")
_NONE = "(none)"
_MOST_NAMES = 40
_WIDTH = 640


def timeline(sessions: pd.DataFrame) -> alt.Chart:
    """Draw one bar per session, from its start to its last change, coloured by phase; a click opens it.

    Args:
        sessions: a sessions frame; its first row is drawn at the top. Times are UTC.

    Raises:
        OptionError: the frame lacks a column, or Altair is not installed.
    """
    alt = _altair()
    rows = _rows(sessions, "session_id", "url", "title", "phase", "acus", "created_at", "updated_at")
    for row in rows:
        row["name"] = _short(row["title"] or row["session_id"])
    phases = list(_PHASE_COLOURS)
    named = alt.Axis(title=None, labels=len(rows) <= _MOST_NAMES, ticks=False, labelLimit=260)
    return _dressed(
        alt.Chart(_data(alt, rows))
        .mark_bar(cornerRadius=2, height={"band": 0.7}, minBandSize=1)
        .encode(
            x=alt.X("created_at:T", title="UTC", scale=alt.Scale(type="utc")),
            x2="updated_at:T",
            y=alt.Y("session_id:N", sort=None, axis=_labelled(named, rows)),
            color=alt.Color(
                "phase:N",
                title="phase",
                scale=alt.Scale(domain=phases, range=[_PHASE_COLOURS[phase] for phase in phases]),
            ),
            href="url:N",
            tooltip=["title:N", "phase:N", "acus:Q", _time(alt, "created_at"), _time(alt, "updated_at"), "url:N"],
        ),
        "Sessions over time",
        height=max(60, min(18 * len(rows), 700)),
    )


def spend(frame: pd.DataFrame, *, by: str | None = None, tag_prefix: str | None = None) -> alt.Chart:
    """Draw ACUs a day: by the day a session started, or by true days from a consumption frame.

    Args:
        frame: a sessions frame, or a consumption frame, whose days begin at 08:00 UTC.
        by: `"tag"`, `"repo"`, `"category"` or `"user"`; the cost of a session on several repositories is shared
            evenly among them. Sessions frames only.
        tag_prefix: group by the first tag that begins so, such as `"team:"`; means `by="tag"`.

    Sessions whose cost is unknown are not in the bars; the subtitle counts them.

    Raises:
        OptionError: an unknown `by`, or one that this frame has no columns for.
    """
    alt = _altair()
    if "date" in frame.columns and "created_at" not in frame.columns:
        return _true_days(alt, frame, by or tag_prefix)
    by = "tag" if tag_prefix else by
    if by is not None and by not in _GROUPS:
        raise OptionError(f"spend cannot be shown by {by!r}", do=f"one of {', '.join(_GROUPS)}")
    rows = _rows(frame, "acus", "created_at", *_columns_of(by))
    known = [row for row in rows if row["acus"] is not None and row["created_at"]]
    bars = _bars(known, _grouping(by, tag_prefix or ""))
    chart = alt.Chart(_data(alt, bars)).mark_bar()
    encoded: dict[str, Any] = {
        "x": alt.X("yearmonthdate(day):T", title="day of the start (UTC)", scale=alt.Scale(type="utc")),
        "y": alt.Y("acus:Q", title="ACU"),
        "tooltip": [_time(alt, "day", "%Y-%m-%d"), alt.Tooltip("acus:Q", format=",.2f"), "sessions:Q"],
    }
    if by is not None:
        encoded["color"] = alt.Color("group:N", title=(tag_prefix or by).rstrip(":"))
        encoded["tooltip"].append("group:N")
    return _dressed(chart.encode(**encoded), "Spend by day of start", subtitle=_total(known, len(rows) - len(known)))


def outcomes(sessions: pd.DataFrame) -> alt.Chart:
    """Draw how many sessions there were, how many opened pull requests, and how many had one merged.

    Args:
        sessions: a sessions frame.
    """
    alt = _altair()
    rows = _rows(sessions, "n_prs", "n_merged")
    counts = (
        ("sessions", len(rows)),
        ("with pull requests", sum(bool(row["n_prs"]) for row in rows)),
        ("with one merged", sum(bool(row["n_merged"]) for row in rows)),
    )
    steps = [
        {"step": step, "sessions": count, "share": count / len(rows) if rows else 0.0, "label": _share(count, rows)}
        for step, count in counts
    ]
    base = alt.Chart(_data(alt, steps)).encode(
        x=alt.X("sessions:Q", title="sessions", axis=alt.Axis(tickMinStep=1, format=",d")),
        y=alt.Y("step:N", title=None, sort=None),
        tooltip=["step:N", alt.Tooltip("sessions:Q", format=",d"), alt.Tooltip("share:Q", format=".0%")],
    )
    bars = base.mark_bar(color=_PHASE_COLOURS[Phase.DONE], cornerRadiusEnd=3)
    words = base.mark_text(align="left", dx=5, color=_INK).encode(text="label:N")
    return _dressed(bars + words, "From sessions to merged pull requests", height=120)


def durations(sessions: pd.DataFrame) -> alt.Chart:
    """Draw how long sessions took, from start to last change, as a histogram in minutes; the median is marked.

    Args:
        sessions: a sessions frame; sessions still at work are left out, and counted in the subtitle.
    """
    alt = _altair()
    rows = _rows(sessions, "phase", "created_at", "updated_at")
    ended = [row for row in rows if row["phase"] and row["phase"] not in (Phase.QUEUED, Phase.WORKING)]
    for row in ended:
        row["minutes"] = _minutes(row)
    timed = [{"minutes": row["minutes"], "phase": row["phase"]} for row in ended if row["minutes"] is not None]
    phases = [phase for phase in _PHASE_COLOURS if any(row["phase"] == phase for row in timed)]
    colours = alt.Scale(domain=phases, range=[_PHASE_COLOURS[phase] for phase in phases])
    histogram = (
        alt.Chart(_data(alt, timed))
        .mark_bar()
        .encode(
            x=alt.X("minutes:Q", bin=alt.Bin(maxbins=30), title="minutes"),
            y=alt.Y("count():Q", title="sessions"),
            color=alt.Color("phase:N", title="phase", scale=colours),
            tooltip=[alt.Tooltip("minutes:Q", bin=alt.Bin(maxbins=30)), "phase:N", alt.Tooltip("count():Q")],
        )
    )
    middle = alt.Chart(_data(alt, timed)).mark_rule(color=_INK, strokeDash=[5, 4], size=2)
    middle = middle.encode(x="median(minutes):Q", tooltip=[alt.Tooltip("median(minutes):Q", format=",.1f")])
    left_out = len(rows) - len(timed)
    subtitle = f"{len(timed):,} sessions" + (f"; {left_out:,} without an end are left out" if left_out else "")
    return _dressed(histogram + middle, "How long sessions took", subtitle=subtitle)


def _true_days(alt: Any, frame: pd.DataFrame, by: str | None) -> alt.Chart:
    if by:
        raise OptionError(
            "a consumption frame holds days, not sessions, so it cannot be grouped",
            do="give a sessions frame: dj.charts.spend(dj.sessions_frame(…), by=…)",
        )
    rows = _rows(frame, "date", "acus")
    chart = (
        alt.Chart(_data(alt, rows))
        .mark_bar(color=_PHASE_COLOURS[Phase.WORKING])
        .encode(
            x=alt.X("yearmonthdate(date):T", title="day (from 08:00 UTC)", scale=alt.Scale(type="utc")),
            y=alt.Y("acus:Q", title="ACU"),
            tooltip=[_time(alt, "date"), alt.Tooltip("acus:Q", format=",.2f")],
        )
    )
    return _dressed(chart, "Spend by day", subtitle=_total([row for row in rows if row["acus"] is not None], 0))


def _altair() -> Any:
    try:
        import altair
    except ImportError:
        raise OptionError(
            "charts need Altair, which is not installed", do="pip install 'devin-jupyter[charts]'"
        ) from None
    return altair


def _rows(frame: pd.DataFrame, *columns: str) -> list[dict[str, Any]]:
    """Return the columns as plain rows: None for missing, ISO 8601 for times."""
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise OptionError(f"the frame has no column {', '.join(missing)}", do="give what dj.sessions_frame returns")
    lists = [[_plain(value) for value in frame[name].tolist()] for name in columns]
    return [dict(zip(columns, values, strict=True)) for values in zip(*lists, strict=True)]


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return list(value)
    if value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and isnan(value)):
        return None
    return value.isoformat() if hasattr(value, "isoformat") else value


def _data(alt: Any, rows: Sequence[dict[str, Any]]) -> Any:
    """Inline values are drawn whatever their number; data frames would be refused beyond 5,000 rows."""
    return alt.InlineData(values=list(rows))


def _dressed(chart: Any, title: str, *, subtitle: str = "", height: int = 260) -> Any:
    head = {"text": title, "anchor": "start", "color": _INK, "subtitle": subtitle, "subtitleColor": _INK}
    return (
        chart.properties(title=head, width=_WIDTH, height=height)
        .configure(background="transparent")
        .configure_view(stroke=None)
        .configure_axis(labelColor=_INK, titleColor=_INK, gridColor="#88888833", domainColor="#88888866")
        .configure_legend(labelColor=_INK, titleColor=_INK, symbolLimit=20)
    )


def _labelled(axis: Any, rows: Iterable[dict[str, Any]]) -> Any:
    """Show titles where the rows are told apart by id, since titles repeat."""
    import json

    names = json.dumps({row["session_id"]: row["name"] for row in rows})
    axis.labelExpr = f"({names})[datum.value]"
    return axis


def _time(alt: Any, name: str, form: str = "%Y-%m-%d %H:%M UTC") -> Any:
    return alt.Tooltip(f"{name}:T", formatType="utc", format=form)


def _columns_of(by: str | None) -> tuple[str, ...]:
    return {None: (), "tag": ("tags",), "repo": ("repos",), "category": ("category",)}.get(
        by, ("user_id", "service_user_id")
    )


def _grouping(by: str | None, prefix: str) -> Callable[[dict[str, Any]], list[str]]:
    def groups(row: dict[str, Any]) -> list[str]:
        if by == "tag":
            found = [tag for tag in row["tags"] or () if tag.startswith(prefix)]
            return [found[0].removeprefix(prefix) if found else _NONE]
        if by == "repo":
            return list(row["repos"] or (_NONE,))
        if by == "category":
            return [row["category"] or _NONE]
        return [row["user_id"] or row["service_user_id"] or _NONE] if by else [""]

    return groups


def _bars(rows: Iterable[dict[str, Any]], groups: Callable[[dict[str, Any]], list[str]]) -> list[dict[str, Any]]:
    sums: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        names = groups(row)
        for name in names:
            sums.setdefault((row["created_at"][:10], name), []).append(row["acus"] / len(names))
    return [
        {"day": day, "group": name, "acus": round(sum(costs), 4), "sessions": len(costs)}
        for (day, name), costs in sorted(sums.items())
    ]


def _total(rows: Sequence[dict[str, Any]], n_unknown: int) -> str:
    total = f"{sum(row['acus'] for row in rows):,.2f} ACU"
    return total + (f"; the cost of {n_unknown:,} more sessions is unknown" if n_unknown else "")


def _share(count: int, rows: Sequence[Any]) -> str:
    return f"{count:,} ({count / len(rows):.0%})" if rows else "0"


def _minutes(row: dict[str, Any]) -> float | None:
    from datetime import datetime

    if not (row["created_at"] and row["updated_at"]):
        return None
    taken = datetime.fromisoformat(row["updated_at"]) - datetime.fromisoformat(row["created_at"])
    return round(taken.total_seconds() / 60, 2)


def _short(text: str) -> str:
    return text if len(text) <= 48 else text[:47] + "…"
