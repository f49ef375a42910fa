"""What was spent, stacked by time and group, and what is written along the axis of time."""

from __future__ import annotations

from typing import Any

import pandas as pd

from devin_jupyter.errors import OptionError
from devin_jupyter.frames.summaries import Records, checked, link, words

MOST_GROUPS = 9
"""So many have a color of their own; of more, the cheapest share one."""
MOST_LABELS = 13
"""So many fit under the bars, and a year of months has them all."""
_UNITS = {"day": "%Y-%m-%d", "week": "week of %Y-%m-%d", "month": "%Y-%m"}
_PRODUCTS = ("devin", "cascade", "terminal", "review")


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
    return _stacked(_gathered(table), unit), unit


def spend_of_days(days: pd.DataFrame) -> Records:
    """Return stacked ACUs by day and product, from a consumption frame."""
    table: Any = days.melt(id_vars=["date"], value_vars=list(_PRODUCTS), var_name="group", value_name="cost").dropna()
    table["cost"] = table["cost"].astype("float64")
    table = table[table["cost"] > 0].assign(url="", title="", place=0)
    table["acus"] = table["cost"]
    return _stacked(_gathered(table.rename(columns={"date": "start"})), "day")


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
        raise OptionError(f"spend cannot be divided by {by!r}", hint=f"give one of {ways}")
    return columns[by]


def _labels(values: tuple[Any, ...], by: str, prefix: str) -> list[str]:
    if by == "tag":
        found = [tag.removeprefix(prefix) for tag in values[0] or () if tag.startswith(prefix)]
        return found or [f"no {prefix.rstrip(':') or 'tag'}"]
    if by == "repo":
        return list(values[0] or ()) or ["no repository"]
    return [next((str(value) for value in values if not pd.isna(value)), f"no {by}")]


def _gathered(table: Any) -> Any:
    """Order the groups, the dearest first, and gather those without a color of their own behind them as one."""
    totals = table.groupby("group")["cost"].sum().sort_index().sort_values(ascending=False, kind="stable")
    names = [str(name) for name in totals.index]
    if len(names) > MOST_GROUPS:
        shown = names[: MOST_GROUPS - 1]
        rest = f"and {len(names) - len(shown)} others"  # "other" alone is a category of the service
        table = table.assign(group=table["group"].where(table["group"].isin(shown), rest))
        names = [*shown, rest]
    return table.assign(group=pd.Categorical(table["group"], categories=names))


def _stacked(table: Any, unit: str) -> Records:
    records: Records = []
    order = {name: place for place, name in enumerate(table["group"].cat.categories)}
    for start, inside in table.groupby("start", sort=True):
        low = 0.0
        for name, part in inside.groupby("group", observed=True, sort=True):
            dearest = part.loc[part["acus"].astype("float64").idxmax()]
            cost = round(float(part["cost"].sum()), 4)
            records.append(
                {
                    "start": start.isoformat(),
                    "end": _end(start, unit).isoformat(),
                    "when": start.strftime(_UNITS[unit]),
                    "group": str(name),
                    "order": order[name],
                    "low": round(low, 4),
                    "high": round(low + cost, 4),
                    "acus": f"{cost:,.2f} ACU",
                    "sessions": int(part["place"].nunique()),
                    "dearest": words(dearest["title"], ""),
                    "url": link(dearest["url"]),
                }
            )
            low += cost
    return records


def _fitting(moments: pd.Series[Any]) -> str:
    span = (moments.max() - moments.min()).days if len(moments) else 0
    return "day" if span <= 62 else "week" if span <= 400 else "month"


def _starts(moments: pd.Series[Any], unit: str) -> Any:
    if unit not in _UNITS:
        raise OptionError(f"unit={unit!r} is unknown", hint=f"give one of {', '.join(_UNITS)}")
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


def unknown_costs(sessions: pd.DataFrame) -> int:
    """Return how many sessions have a cost that nobody knows."""
    return int(sessions["acus"].isna().sum())
