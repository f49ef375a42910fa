"""The files that Devin makes in a simulated session: a report and a table at the end of every turn."""

from __future__ import annotations

import csv
import io

from devin_jupyter.simulator.ids import Dice
from devin_jupyter.simulator.sessions import Session
from devin_jupyter.simulator.timeline import Frame

FILES = {"report.md": "text/markdown", "results.csv": "text/csv"}
"""Names and media types; the names repeat from turn to turn, as they may."""
_RESTING = ("waiting_for_user", "finished")
_PLACES = ("src/app.py", "src/models.py", "src/api/routes.py", "src/db/query.py", "tests/test_api.py", "setup.cfg")
_REMARKS = ("handled", "left alone, see the report", "fixed", "needs a decision", "covered by a new test")


def turn_ends(session: Session, now: float) -> list[Frame]:
    """Return the frames up to now in which Devin had just ended a turn with something to show."""
    ends: list[Frame] = []
    worked = False
    for frame in session.timeline.frames:
        if frame.at > now:
            break
        over = frame.status == "exit" or (frame.status == "running" and frame.detail in _RESTING)
        if worked and over:
            ends.append(frame)
        if over or frame.status in ("running", "resuming"):
            worked = not over
    return ends


def content(session: Session, turn: int, name: str) -> bytes:
    """Return the bytes of a file that was made in this turn, counted from 1."""
    rows = _rows(session, turn)
    return (_table(rows) if name == "results.csv" else _report(session, turn, rows)).encode("utf-8", "replace")


def _rows(session: Session, turn: int) -> list[tuple[str, int, str, str]]:
    dice = Dice(session.seed, "rows", turn)
    return [
        (place, 1 + dice.below(400), dice.pick(("low", "medium", "high")), dice.pick(_REMARKS))
        for place in dice.sample(_PLACES, 3 + dice.below(3))
    ]


def _table(rows: list[tuple[str, int, str, str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("file", "line", "severity", "remark"))
    writer.writerows(rows)
    return text.getvalue()


def _report(session: Session, turn: int, rows: list[tuple[str, int, str, str]]) -> str:
    repos = ", ".join(session.repos) or "no repository"
    lines = [f"# {session.title}", "", f"Simulated report of turn {turn} on {repos}.", ""]
    lines += [f"- `{place}:{line}` ({severity}): {remark}" for place, line, severity, remark in rows]
    return "\n".join(lines) + "\n"
