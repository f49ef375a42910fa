"""A sessions frame in parts: split by month, brought up to date, put together again with the dtypes intact."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from devin_jupyter.frames.columns import words
from devin_jupyter.frames.sessions import SessionRows, by_time
from devin_jupyter.frames.shapes import SESSIONS

UNKNOWN_MONTH = "unknown"


def by_month(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the parts of a frame by the month in which the sessions were created: `2026-11` → frame."""
    months = frame["created_at"].dt.strftime("%Y-%m").fillna(UNKNOWN_MONTH)
    return {str(month): part for month, part in frame.groupby(months.astype(str), sort=True)}


def updated(old: pd.DataFrame | None, new: pd.DataFrame) -> pd.DataFrame:
    """Return the sessions of both, each once, those of `new` as they are there."""
    if old is None:
        return stacked([new])
    return stacked([old[~old["session_id"].isin(new["session_id"])], new])


def stacked(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Return the parts as one frame, the newest first, as if its sessions had been read at once."""
    filled = [part for part in parts if len(part)]
    if not filled:
        return SessionRows().frame()
    columns = {name: _joined([part[name] for part in filled]) for name in filled[0].columns}
    frame = pd.DataFrame(columns)
    order = by_time(frame["created_at"].array, frame["session_id"].tolist())
    return frame if order is None else frame.take(order).reset_index(drop=True)


def _joined(pieces: Sequence[pd.Series[Any]]) -> Any:
    """Values that are in no list of known values make categories differ, which pandas would turn into objects."""
    if all(piece.dtype == pieces[0].dtype for piece in pieces):
        return pd.concat(pieces, ignore_index=True)
    known = next(column.values for column in SESSIONS if column.name == pieces[0].name)
    return words([None if pd.isna(value) else value for piece in pieces for value in piece], known)


def unmerged(frame: pd.DataFrame) -> list[str]:
    """Return the ids of sessions with pull requests that may still be merged."""
    waiting = (frame["n_prs"] > 0) & (frame["n_merged"].fillna(0) < frame["n_prs"])
    return [str(name) for name in frame.loc[waiting.fillna(False), "session_id"]]


def last_update(frame: pd.DataFrame) -> float | None:
    """Return when the session that was updated last was updated, in Unix seconds."""
    newest = frame["updated_at"].max()
    return None if pd.isna(newest) else float(newest.timestamp())
