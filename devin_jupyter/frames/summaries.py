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
UNKNOWN = "unknown"
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


def checked(frame: Any, *names: str) -> pd.DataFrame:
    """Return the frame with its times in UTC and a fresh index, made sure to have these columns.

    Raises:
        OptionError: it has not, or it is no frame.
    """
    if not isinstance(frame, pd.DataFrame):
        do = "give its .compute()" if hasattr(frame, "compute") else "give a frame of dj.sessions_frame(…)"
        raise OptionError(f"a {type(frame).__name__} cannot be drawn", hint=do)
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise OptionError(f"the frame has no column {missing[0]!r}", hint="give a frame of dj.sessions_frame(…)")
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
            "title": words(title, "(untitled)"),
            "acus": _acus(acus),
            "took": _took((end - start).total_seconds()),
            "started": _utc(start),
            "url": link(url),
        }
        for place, (start, end, phase, title, acus, url) in enumerate(rows)
    ]


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
            "url": link(found.sort_values("created_at")["url"].iloc[-1]) if len(found) else "",
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
                    "example": words(longest["title"], "(untitled)"),
                    "url": link(longest["url"]),
                }
            )
            low += len(part)
    return records


def duration_labels() -> list[str]:
    """Return the classes of duration, the shortest first."""
    return [label for _, label in _DURATIONS]


def undated(sessions: pd.DataFrame) -> int:
    """Return how many sessions there are of which nobody knows when they began."""
    return int(sessions["created_at"].isna().sum())


def words(value: Any, otherwise: str) -> str:
    """Return a text to show, where there is none something else."""
    return otherwise if value is None or pd.isna(value) else str(value)


def link(value: Any) -> str:
    """Return a web address that may be followed, or nothing."""
    text = words(value, "")
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


def present(records: Iterable[dict[str, Any]], name: str, order: Iterable[str]) -> list[str]:
    """Return the values that occur, in the given order."""
    found = {record[name] for record in records}
    return [value for value in order if value in found]
