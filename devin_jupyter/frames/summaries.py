"""The small tables behind the charts: plain records, counted and stacked, from frames of any size.

Texts are ready to read and times are UTC texts, so that a picture is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from devin_jupyter.errors import OptionError
from devin_jupyter.models.phase import Phase

Records = list[dict[str, Any]]

MOST_BARS = 1000
"""A timeline shows so many sessions, the newest."""
MOST_GROUPS = 8
MOST_LABELS = 13
"""So many fit under the bars, and a year of months has them all."""
OTHER, UNKNOWN = "other", "unknown"
_DURATIONS = (
    (0, "under 5 min"),
    (5, "5–15 min"),
    (15, "15–30 min"),
    (30, "30–60 min"),
    (60, "1–2 h"),
    (120, "2–4 h"),
    (240, "4–8 h"),
    (480, "8–24 h"),
    (1440, "over a day"),
)
_UNITS = {"day": "%Y-%m-%d", "week": "week of %Y-%m-%d", "month": "%Y-%m"}
_PRODUCTS = ("devin", "cascade", "terminal", "review")


def checked(frame: Any, *names: str) -> pd.DataFrame:
    """Return the frame with its times in UTC and a fresh index, made sure to have these columns.

    Raises:
        OptionError: it has not, or it is no frame.
    """
    if not isinstance(frame, pd.DataFrame):
        do = "give its .compute()" if hasattr(frame, "compute") else "give a frame of dj.sessions_frame(…)"
        raise OptionError(f"a {type(frame).__name__} cannot be drawn", do=do)
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise OptionError(f"the frame has no column {missing[0]!r}", do="give a frame of dj.sessions_frame(…)")
    moments = [name for name in ("created_at", "updated_at") if name in names]
    times = {name: pd.to_datetime(frame[name], utc=True, errors="coerce") for name in moments}
    phases = {"phase": _phases(frame["phase"])} if "phase" in names else {}
    return frame.assign(**times, **phases).reset_index(drop=True)


def _phases(values: pd.Series[Any]) -> Any:
    """The phases in their order, those that are none as unknown."""
    known = [phase.value for phase in Phase]
    return pd.Categorical(values.astype(object).where(values.isin(known), UNKNOWN), categories=[*known, UNKNOWN])


def timeline(sessions: pd.DataFrame) -> Records:
    """Return a record per session, the newest first: when it ran, and what a tooltip says."""
    sessions = checked(sessions, "created_at", "updated_at", "phase", "title", "acus", "url")
    known = sessions[sessions["created_at"].notna()].sort_values("created_at", ascending=False, kind="stable")
    shown = known.head(MOST_BARS)
    ends = shown["updated_at"].where(shown["updated_at"] > shown["created_at"], shown["created_at"])
    rows = zip(shown["created_at"], ends, *(shown[name] for name in ("phase", "title", "acus", "url")), strict=True)
    return [
        {
            "place": place,
            "start": start.isoformat(),
            "end": end.isoformat(),
            "phase": str(phase),
            "title": _shown(title, "(untitled)"),
            "acus": _acus(acus),
            "took": _took((end - start).total_seconds()),
            "started": _utc(start),
            "url": _link(url),
        }
        for place, (start, end, phase, title, acus, url) in enumerate(rows)
    ]


def spend(sessions: pd.DataFrame, by: str | None, tag_prefix: str | None, unit: str | None) -> tuple[Records, str]:
    """Return stacked ACUs by the day, week or month in which sessions started, and the unit.

    A session that belongs to several groups is divided between them. Sessions of unknown cost are left out.
    """
    sessions = checked(sessions, "created_at", "acus", "url", "title", *_needed(by))
    known = sessions[sessions["created_at"].notna() & sessions["acus"].notna()]
    unit = unit or _fitting(known["created_at"])
    cells = zip(*(known[name] for name in _needed(by)), strict=True)
    labels = [_labels(values, by, tag_prefix or "") for values in cells] if by else [["ACUs"]] * len(known)
    table: Any = known[["created_at", "acus", "url", "title"]].assign(
        start=_starts(known["created_at"], unit),
        group=pd.Series(labels, index=known.index, dtype=object),
        share=[1 / len(found) for found in labels],
        place=range(len(known)),
    )
    table = table.explode("group", ignore_index=True)
    table["cost"] = table["acus"].astype("float64") * table["share"]
    return _stacked(table, _largest(table), unit), unit


def spend_of_days(days: pd.DataFrame) -> Records:
    """Return stacked ACUs by day and product, from a consumption frame."""
    table: Any = days.melt(id_vars=["date"], value_vars=list(_PRODUCTS), var_name="group", value_name="cost").dropna()
    table["cost"] = table["cost"].astype("float64")
    table = table[table["cost"] > 0].assign(url="", title="", place=0)
    table["acus"] = table["cost"]
    return _stacked(table.rename(columns={"date": "start"}), _largest(table), "day")


def outcomes(sessions: pd.DataFrame) -> Records:
    """Return how many sessions there are, how many made a pull request, and how many had one merged."""
    sessions = checked(sessions, "n_prs", "n_merged", "url", "created_at")
    stages = (
        ("sessions", sessions),
        ("with a pull request", sessions[(sessions["n_prs"] > 0).fillna(False)]),
        ("with one merged", sessions[(sessions["n_merged"] > 0).fillna(False)]),
    )
    total = len(sessions)
    return [
        {
            "stage": name,
            "place": place,
            "count": len(found),
            "share": f"{len(found):,}" + (f" · {len(found) / total:.0%}" if place and total else ""),
            "url": _link(found.sort_values("created_at")["url"].iloc[-1]) if len(found) else "",
        }
        for place, (name, found) in enumerate(stages)
    ]


def durations(sessions: pd.DataFrame) -> Records:
    """Return how many sessions took how long from start to last activity, stacked by phase."""
    sessions = checked(sessions, "created_at", "updated_at", "phase", "acus", "url", "title")
    known = sessions[sessions["created_at"].notna() & sessions["updated_at"].notna()]
    minutes = (known["updated_at"] - known["created_at"]).dt.total_seconds() / 60
    edges = [-float("inf"), *(low for low, _ in _DURATIONS[1:]), float("inf")]
    table: Any = known.assign(bin=pd.cut(minutes, edges, right=False, labels=False).astype("int64"), minutes=minutes)
    records: Records = []
    for place, label in enumerate(label for _, label in _DURATIONS):
        low = 0
        inside = table[table["bin"] == place]
        for phase, part in inside.groupby("phase", observed=True, sort=True):
            longest = part.loc[part["minutes"].idxmax()]
            records.append(
                {
                    "took": label,
                    "place": place,
                    "phase": str(phase),
                    "low": low,
                    "high": low + len(part),
                    "count": len(part),
                    "acus": _acus(part["acus"].median()) + " (median)",
                    "example": _shown(longest["title"], "(untitled)"),
                    "url": _link(longest["url"]),
                }
            )
            low += len(part)
    return records


def duration_labels() -> list[str]:
    """Return the classes of duration, the shortest first."""
    return [label for _, label in _DURATIONS]


def _needed(by: str | None) -> tuple[str, ...]:
    columns: dict[str | None, tuple[str, ...]] = {
        "tag": ("tags",),
        "repo": ("repos",),
        "user": ("user_id", "service_user_id"),
        "playbook": ("playbook_id",),
        **{name: (name,) for name in ("category", "origin", "mode", "phase")},
        None: (),
    }
    if by not in columns:
        ways = ", ".join(str(name) for name in columns if name)
        raise OptionError(f"spend cannot be divided by {by!r}", do=f"give one of {ways}")
    return columns[by]


def _labels(values: tuple[Any, ...], by: str, prefix: str) -> list[str]:
    if by == "tag":
        found = [tag.removeprefix(prefix) for tag in values[0] or () if tag.startswith(prefix)]
        return found or [f"no {prefix.rstrip(':') or 'tag'}"]
    if by == "repo":
        return list(values[0] or ()) or ["no repository"]
    return [next((str(value) for value in values if not pd.isna(value)), f"no {by}")]


def _largest(table: Any) -> list[str]:
    """The groups worth a colour of their own, the dearest first."""
    totals = table.groupby("group")["cost"].sum().sort_index().sort_values(ascending=False, kind="stable")
    return [str(name) for name in totals.index[:MOST_GROUPS]]


def _stacked(table: Any, groups: list[str], unit: str) -> Records:
    shown = table["group"].where(table["group"].isin(groups), OTHER)
    order = {name: place for place, name in enumerate([*groups, OTHER])}
    records: Records = []
    for start, inside in table.assign(group=shown).groupby("start", sort=True):
        low = 0.0
        for name, part in sorted(inside.groupby("group"), key=lambda item: order[str(item[0])]):
            dearest = part.loc[part["acus"].astype("float64").idxmax()]
            cost = round(float(part["cost"].sum()), 4)
            records.append(
                {
                    "start": start.isoformat(),
                    "end": _end(start, unit).isoformat(),
                    "when": start.strftime(_UNITS[unit]),
                    "group": str(name),
                    "order": order[str(name)],
                    "low": round(low, 4),
                    "high": round(low + cost, 4),
                    "acus": f"{cost:,.2f} ACU",
                    "sessions": int(part["place"].nunique()),
                    "dearest": _shown(dearest["title"], ""),
                    "url": _link(dearest["url"]),
                }
            )
            low += cost
    return records


def _fitting(moments: pd.Series[Any]) -> str:
    span = (moments.max() - moments.min()).days if len(moments) else 0
    return "day" if span <= 62 else "week" if span <= 400 else "month"


def _starts(moments: pd.Series[Any], unit: str) -> Any:
    if unit not in _UNITS:
        raise OptionError(f"unit={unit!r} is unknown", do=f"give one of {', '.join(_UNITS)}")
    days = moments.dt.floor("D")
    if unit == "week":
        return days - pd.to_timedelta(days.dt.day_of_week, unit="D")
    return days - pd.to_timedelta(days.dt.day - 1, unit="D") if unit == "month" else days


def _end(start: Any, unit: str) -> Any:
    return start + (pd.DateOffset(months=1) if unit == "month" else pd.Timedelta(days=7 if unit == "week" else 1))


def middles(records: Records, unit: str) -> dict[int, list[str]]:
    """Return what to write under the middle of which bars: the day or the month, and its year where that changes.

    Middles are UNIX milliseconds. Between the first bar and the last, days without one have a label as well.
    """
    if not records:
        return {}
    step = {"day": "D", "week": "7D", "month": "MS"}[unit]
    starts = pd.date_range(records[0]["start"], records[-1]["start"], freq=step)
    labels, year = dict[int, list[str]](), 0
    for start in starts[:: -(-len(starts) // MOST_LABELS)]:
        middle = start + (_end(start, unit) - start) / 2
        name = start.month_name()[:3] + ("" if unit == "month" else f" {start.day}")
        labels[int(middle.timestamp() * 1000)] = [name] if start.year == year else [name, str(start.year)]
        year = start.year
    return labels


def undated(sessions: pd.DataFrame) -> int:
    """Return how many sessions there are of which nobody knows when they began."""
    return int(sessions["created_at"].isna().sum())


def _shown(value: Any, otherwise: str) -> str:
    return otherwise if value is None or pd.isna(value) else str(value)


def _link(value: Any) -> str:
    text = _shown(value, "")
    return text if text.startswith(("https://", "http://")) else ""


def _acus(value: Any) -> str:
    return "unknown" if pd.isna(value) else f"{float(value):,.2f} ACU"


def _utc(moment: pd.Timestamp) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def _took(seconds: float) -> str:
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes < 2880 else f"{minutes // 1440} days"


def unknown_costs(sessions: pd.DataFrame) -> int:
    """Return how many sessions have a cost that nobody knows."""
    return int(sessions["acus"].isna().sum())


def present(records: Iterable[dict[str, Any]], name: str, order: Iterable[str]) -> list[str]:
    """Return the values that occur, in the given order."""
    found = {record[name] for record in records}
    return [value for value in order if value in found]
