"""The records behind the charts, one per mark, aggregated from frames of any size so that a saved chart stays small.

Texts are ready to read and times are UTC texts, so that a picture is the same on every machine.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from devin_jupyter.errors import OptionError
from devin_jupyter.models.enums import Phase
from devin_jupyter.text import format_utc, kind_of

Records = list[dict[str, Any]]

MOST_BARS = 40
"""More cannot be read: sessions are counted together, times become longer, and the rest becomes one bar."""
MAX_GROUPS = 9
"""With more groups, the least expensive ones share one color."""
_MAX_TICK_LABELS = 13
"""This many fit under the bars, and a year of months has them all."""
PHASES = [*(phase.value for phase in Phase), UNKNOWN := "unknown"]
UNITS = {"day": "%Y-%m-%d", "week": "week of %Y-%m-%d", "month": "%Y-%m", "year": "%Y"}
"""From the shortest to the longest, and how the start of one is written."""
_HOURS = (1, 3, 6, 12)
_GROUP_COLUMNS = {
    "tag": ("tags",),
    "repo": ("repos",),
    "user": ("user_name", "user_id", "service_user_id"),
    "playbook": ("playbook_id",),
    **{name: (name,) for name in ("category", "origin", "mode", "phase")},
}
_PRODUCTS = ("devin", "cascade", "terminal", "review")
_DURATIONS = {
    0: "under 5 min",
    5: "5–15 min",
    15: "15–30 min",
    30: "30–60 min",
    60: "1–2 h",
    120: "2–4 h",
    240: "4–8 h",
    480: "8–24 h",
    1440: "over a day",
}
DURATION_LABELS = list(_DURATIONS.values())


def timeline_records(sessions: pd.DataFrame) -> Records:
    """Return a record per session, newest first: when it ran, and its tooltip. None has one if there are too many."""
    sessions = _prepare(sessions, "created_at", "updated_at", "phase", "title", "acus", "url")
    shown = sessions[sessions["created_at"].notna()].sort_values("created_at", ascending=False, kind="stable")
    if len(shown) > MOST_BARS:
        return []
    ends = shown["updated_at"].where(shown["updated_at"] > shown["created_at"], shown["created_at"])
    rows = zip(shown["created_at"], ends, *(shown[name] for name in ("phase", "title", "acus", "url")), strict=True)
    records = []
    for place, (start, end, phase, title, acus, url) in enumerate(rows):
        minutes = int((end - start).total_seconds() // 60)
        hours = f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"
        records.append(
            {
                "place": place,
                "start": start.isoformat(),
                "end": end.isoformat(),
                "phase": str(phase),
                "title": _text(title, "(untitled)"),
                "acus": _acus(acus),
                "took": hours if minutes < 2880 else f"{minutes // 1440} days",
                "started": format_utc(start),
                "url": _link(url),
            }
        )
    return records


def start_records(sessions: pd.DataFrame) -> tuple[Records, str]:
    """Return how many sessions were started when, by phase, and the unit: `hour`, `6 hours`, `day`, `week`, …."""
    sessions = _prepare(sessions, "created_at", "phase", "title", "acus", "url")
    known = sessions[sessions["created_at"].notna()]
    started = known["created_at"]
    unit, start, length = "", started, None
    for hours in _HOURS:
        floors = started.dt.floor(f"{hours}h")
        if (floors.max() - floors.min()) / pd.Timedelta(hours=hours) < MOST_BARS:
            unit, start, length = f"{hours} hours" if hours > 1 else "hour", floors, pd.Timedelta(hours=hours)
            break
    else:
        unit = _unit(started, None)
        start = _starts(started.dt.floor("D"), unit)
    table: Any = known.assign(start=start)
    records = []
    for (at, phase), part in table.groupby(["start", "phase"], observed=True, sort=True):
        newest = part.loc[part["created_at"].idxmax()]
        records.append(
            {
                "start": at.isoformat(),
                "end": (_end(at, unit) if length is None else at + length).isoformat(),
                "when": format_utc(at) if length is not None else at.strftime(UNITS[unit]),
                "phase": str(phase),
                "order": PHASES.index(phase),
                "count": len(part),
                "acus": _acus(part["acus"].astype("float64").sum(min_count=1)),
                "newest": _text(newest["title"], "(untitled)"),
                "url": _link(newest["url"]),
            }
        )
    return records, unit


def spend_records(
    sessions: pd.DataFrame, by: str | None, tag_prefix: str | None, unit: str | None
) -> tuple[Records, str]:
    """Return the ACUs by day, week, month or year of the start of sessions, and the unit.

    A session of several groups is divided between them. Sessions with unknown cost are left out. The unit is a longer
    one where this one gave more bars than can be read.
    """
    if by is not None and by not in _GROUP_COLUMNS:
        raise OptionError(f"spend cannot be divided by {by!r}", hint=f"give one of {', '.join(_GROUP_COLUMNS)}")
    columns = _GROUP_COLUMNS[by] if by else ()
    if "user_name" not in getattr(sessions, "columns", ()):  # of an earlier version
        columns = tuple(name for name in columns if name != "user_name")
    sessions = _prepare(sessions, "created_at", "acus", "url", "title", *columns)
    known = sessions[sessions["created_at"].notna() & sessions["acus"].notna()]
    unit = _unit(known["created_at"], unit)
    start = _starts(known["created_at"].dt.floor("D"), unit)

    cells = zip(*(known[name] for name in columns), strict=True)
    groups = [_groups(values, by, tag_prefix or "") for values in cells] if by else [["ACUs"]] * len(known)
    table: Any = known[["acus", "url", "title"]].assign(
        start=start,
        group=pd.Series(groups, index=known.index, dtype=object),
        share=[1 / len(found) for found in groups],
        session=range(len(known)),
    )
    table = table.explode("group", ignore_index=True)
    table["cost"] = table["acus"].astype("float64") * table["share"]
    return _cost_records(table, unit), unit


def consumption_records(days: pd.DataFrame, unit: str | None) -> tuple[Records, str]:
    """Return the ACUs by day, week, month or year and product of a consumption frame, and the unit."""
    table: Any = days.melt(id_vars=["date"], value_vars=list(_PRODUCTS), var_name="group", value_name="cost").dropna()
    table["cost"] = table["cost"].astype("float64")
    table = table[table["cost"] > 0].assign(url="", title="", session=0)
    table["acus"] = table["cost"]
    unit = _unit(table["date"], unit)
    date = table["date"].dt.floor("D")
    table["start"] = _starts(date, unit) + (table["date"] - date)  # a day of the service begins at 08:00 UTC
    return _cost_records(table, unit), unit


def _unit(times: Any, unit: str | None) -> str:
    """Return the shortest unit, from this one on, that divides these times into bars that can be read."""
    if unit is not None and unit not in UNITS:
        raise OptionError(f"unit={unit!r} is unknown", hint=f"give one of {', '.join(UNITS)}")
    names = list(UNITS)
    names = names[names.index(unit or names[0]) :]
    if not len(times):
        return names[0]
    first, last = times.min(), times.max()
    days = (last.floor("D") - first.floor("D")).days
    months = (last.year - first.year) * 12 + last.month - first.month
    bars = {"day": days + 1, "week": (days + first.day_of_week) // 7 + 1, "month": months + 1}
    return next((name for name in names if bars.get(name, 0) <= MOST_BARS), names[-1])


def _starts(days: Any, unit: str) -> Any:
    """Return when the week, month or year of each day began."""
    if unit == "week":
        return days - pd.to_timedelta(days.dt.day_of_week, unit="D")
    if unit == "month":
        return days - pd.to_timedelta(days.dt.day - 1, unit="D")
    return days - pd.to_timedelta(days.dt.day_of_year - 1, unit="D") if unit == "year" else days


def organization_records(frame: pd.DataFrame) -> Records:
    """Return what each organization has consumed in a cycle, of its limit; the most expensive first.

    Those beyond the bars that can be read are one.
    """
    needed = ("org_id", "name", "acus", "limit", "date")
    if not isinstance(frame, pd.DataFrame) or not set(needed) <= set(frame.columns):
        hint = "give a frame of dj.enterprise_consumption_frame(…)"
        raise OptionError("spend by organization needs its consumption", hint=hint)
    table: Any = frame.assign(acus=frame["acus"].astype("float64").fillna(0.0), limit=frame["limit"].astype("float64"))
    records: Records = []
    for (org_id, name), part in table.groupby(["org_id", "name"], dropna=False, sort=True):
        spent, limit = float(part["acus"].sum()), part["limit"].iloc[0]
        has_limit = not pd.isna(limit)
        share = spent / limit if has_limit and limit else None
        used = f" of {limit:,.0f}" + (f" · {share:.0%}" if share is not None else "") if has_limit else ""
        records.append(
            {
                "organization": _text(name, _text(org_id, "unknown")),
                "org_id": _text(org_id, ""),
                "spent": round(spent, 4),
                "limit": float(limit) if has_limit else None,
                "label": f"{spent:,.0f}{used}",
                "state": _state(share),
                "days": int(part["date"].notna().sum()),
            }
        )
    records.sort(key=lambda record: (-record["spent"], record["organization"]))
    if len(records) > MOST_BARS:
        shown, others = records[: MOST_BARS - 1], records[MOST_BARS - 1 :]
        spent = sum(record["spent"] for record in others)
        rest = {"organization": f"and {len(others):,} others", "org_id": "", "spent": round(spent, 4), "limit": None}
        days = max(record["days"] for record in others)
        records = [*shown, {**rest, "label": f"{spent:,.0f}", "state": _state(None), "days": days}]
    return records


LIMIT_STATES = ("no limit", "below 80 %", "80 % or more", "over the limit")


def _state(share: float | None) -> str:
    if share is None:
        return LIMIT_STATES[0]
    return LIMIT_STATES[1] if share < 0.8 else LIMIT_STATES[2] if share <= 1 else LIMIT_STATES[3]


def cycle_text(frame: pd.DataFrame) -> str:
    """Return the bounds of the cycle of a consumption frame, as text."""
    if not len(frame) or frame["cycle_after"].isna().all():
        return ""
    return f"{format_utc(frame['cycle_after'].iloc[0])} to {format_utc(frame['cycle_before'].iloc[0])}"


def outcome_records(sessions: pd.DataFrame) -> Records:
    """Return how many sessions there are, how many made a pull request, and how many had one merged."""
    sessions = _prepare(sessions, "n_prs", "n_merged", "url", "created_at")
    stages = {
        "sessions": sessions,
        "with a pull request": sessions[(sessions["n_prs"] > 0).fillna(False)],
        "with one merged": sessions[(sessions["n_merged"] > 0).fillna(False)],
    }
    total = len(sessions)
    return [
        {
            "stage": name,
            "place": place,
            "count": len(found),
            "share": f"{len(found):,}" + (f" · {len(found) / total:.0%}" if place and total else ""),
            "url": _link(found.sort_values("created_at")["url"].iloc[-1]) if len(found) else "",
        }
        for place, (name, found) in enumerate(stages.items())
    ]


def merge_records(sessions: pd.DataFrame) -> Records:
    """Return the share of sessions with a merged pull request for each repository.

    Only sessions that made a pull request count. The repositories with most of them come first; those beyond the bars
    that can be read are one.
    """
    sessions = _prepare(sessions, "n_prs", "n_merged", "repos", "url", "created_at")
    made = sessions[(sessions["n_prs"] > 0).fillna(False)]
    table: Any = made.assign(merged=(made["n_merged"] > 0).fillna(False)).explode("repos")
    table = table[table["repos"].notna()]
    groups = [(str(repo), part) for repo, part in table.groupby("repos", sort=True)]
    groups.sort(key=lambda group: -len(group[1]))
    if len(groups) > MOST_BARS:
        others = [part for _, part in groups[MOST_BARS - 1 :]]
        rest = pd.concat(others)
        rest = rest[~rest.index.duplicated()]  # a session of several of them counts once
        groups = [*groups[: MOST_BARS - 1], (f"and {len(others):,} others", rest)]
    records = []
    for place, (repo, part) in enumerate(groups):
        n_merged = int(part["merged"].sum())
        records.append(
            {
                "repo": repo,
                "place": place,
                "rate": round(n_merged / len(part), 4),
                "label": f"{n_merged} of {len(part)} · {n_merged / len(part):.0%}",
                "url": _link(part.sort_values("created_at")["url"].iloc[-1]),
            }
        )
    return records


def duration_records(sessions: pd.DataFrame) -> Records:
    """Return how many sessions took how long from start to last activity, by phase."""
    sessions = _prepare(sessions, "created_at", "updated_at", "phase", "acus", "url", "title")
    known = sessions[sessions["created_at"].notna() & sessions["updated_at"].notna()]
    minutes = (known["updated_at"] - known["created_at"]).dt.total_seconds() / 60
    edges = [-float("inf"), *list(_DURATIONS)[1:], float("inf")]
    table: Any = known.assign(took=pd.cut(minutes, edges, right=False, labels=DURATION_LABELS), minutes=minutes)
    records = []
    for (took, phase), part in table.groupby(["took", "phase"], observed=True, sort=True):
        longest = part.loc[part["minutes"].idxmax()]
        records.append(
            {
                "took": took,
                "phase": str(phase),
                "order": PHASES.index(phase),
                "count": len(part),
                "acus": _acus(part["acus"].median()) + " (median)",
                "example": _text(longest["title"], "(untitled)"),
                "url": _link(longest["url"]),
            }
        )
    return records


def tick_labels(records: Records, unit: str) -> dict[int, list[str]]:
    """Return the labels under the middle of bars: the day or month, and its year where that changes.

    Middles are Unix milliseconds. Days without a bar, between the first and the last, have a label too.
    """
    if not records:
        return {}
    step = {"day": "D", "week": "7D", "month": "MS", "year": "YS"}[unit]
    starts = pd.date_range(records[0]["start"], records[-1]["start"], freq=step)
    labels, year = dict[int, list[str]](), 0
    for start in starts[:: -(-len(starts) // _MAX_TICK_LABELS)]:
        middle = start + (_end(start, unit) - start) / 2
        name = start.month_name()[:3] + ("" if unit == "month" else f" {start.day}")
        label = [name] if start.year == year else [name, str(start.year)]
        labels[int(middle.timestamp() * 1000)] = [str(start.year)] if unit == "year" else label
        year = start.year
    return labels


def count_missing(sessions: pd.DataFrame, column: str) -> int:
    """Return how many sessions have no value in a column."""
    return int(sessions[column].isna().sum())


def _prepare(frame: Any, *names: str) -> pd.DataFrame:
    """Check that the frame has these columns, and return it with times in UTC, known phases and a fresh index."""
    if not isinstance(frame, pd.DataFrame):
        hint = "give its .compute()" if hasattr(frame, "compute") else "give a frame of dj.sessions_frame(…)"
        raise OptionError(f"{kind_of(frame)} cannot be drawn", hint=hint)
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise OptionError(f"the frame has no column {missing[0]!r}", hint="give a frame of dj.sessions_frame(…)")
    changed: dict[str, Any] = {
        name: pd.to_datetime(frame[name], utc=True, errors="coerce")
        for name in ("created_at", "updated_at")
        if name in names
    }
    if "phase" in names:
        phases = frame["phase"].astype(object)
        changed["phase"] = pd.Categorical(phases.where(phases.isin(PHASES), UNKNOWN), categories=PHASES)
    return frame.assign(**changed).reset_index(drop=True)


def _groups(values: tuple[Any, ...], by: str, prefix: str) -> list[str]:
    if by == "tag":
        found = [tag.removeprefix(prefix) for tag in values[0] or () if tag.startswith(prefix)]
        return found or [f"no {prefix.rstrip(':') or 'tag'}"]
    if by == "repo":
        return list(values[0] or ()) or ["no repository"]
    return [next((str(value) for value in values if not pd.isna(value)), f"no {by}")]


def _cost_records(table: Any, unit: str) -> Records:
    """Return a record per start and group, the most expensive group first; groups beyond the colors become one."""
    totals = table.groupby("group")["cost"].sum().sort_index().sort_values(ascending=False, kind="stable")
    names = [str(name) for name in totals.index]
    if len(names) > MAX_GROUPS:
        shown = names[: MAX_GROUPS - 1]
        rest = f"and {len(names) - len(shown)} others"  # "other" alone is a category of the service
        table = table.assign(group=table["group"].where(table["group"].isin(shown), rest))
        names = [*shown, rest]
    table = table.assign(group=pd.Categorical(table["group"], categories=names))
    records = []
    for (start, group), part in table.groupby(["start", "group"], observed=True, sort=True):
        top = part.loc[part["acus"].astype("float64").idxmax()]
        cost = float(part["cost"].sum())
        records.append(
            {
                "start": start.isoformat(),
                "end": _end(start, unit).isoformat(),
                "when": start.strftime(UNITS[unit]),
                "group": group,
                "order": names.index(group),
                "cost": round(cost, 4),
                "acus": f"{cost:,.2f} ACU",
                "sessions": int(part["session"].nunique()),
                "top": _text(top["title"], ""),
                "url": _link(top["url"]),
            }
        )
    return records


def _end(start: Any, unit: str) -> Any:
    if unit in ("month", "year"):
        return start + pd.DateOffset(months=1 if unit == "month" else 12)
    return start + pd.Timedelta(days=7 if unit == "week" else 1)


def _text(value: Any, otherwise: str) -> str:
    return otherwise if value is None or pd.isna(value) else str(value)


def _link(value: Any) -> str:
    # only web pages: a mark of the chart links to it
    text = _text(value, "")
    return text if text.startswith(("https://", "http://")) else ""


def _acus(value: Any) -> str:
    return "unknown" if pd.isna(value) else f"{float(value):,.2f} ACU"
