"""Many sessions as text, static HTML and a record: what a board leaves in the saved file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from devin_jupyter.models.phase import Phase
from devin_jupyter.models.snapshot import Snapshot
from devin_jupyter.render import wording
from devin_jupyter.render.page import BOX, LINE, QUIET, anchor, badge
from devin_jupyter.render.record import RECORD_MIME, board_record
from devin_jupyter.render.values import CELL, table

TEXT_ROWS, HTML_ROWS = 40, 200


def many_bundle(
    title: str,
    snapshots: Iterable[Snapshot],
    *,
    names: Mapping[str, str] | None = None,
    waiting: int = 0,
    home: str = "",
) -> dict[str, Any]:
    """Return the display bundle of a board: those who need somebody first, then the ones at work, then the rest.

    Args:
        title: the heading.
        snapshots: one per session.
        names: what the rows are called, by session id.
        waiting: rows that have no session yet.
        home: names the place in the HTML where the live board of that name may settle.
    """
    ordered = sorted(snapshots, key=_column)
    heading = f"{wording.one_line(title)}: {totals(ordered, waiting)}"
    return {
        "text/plain": _text(heading, ordered, names or {}),
        "text/html": _html(heading, ordered, names or {}, home),
        RECORD_MIME: board_record(title, ordered),
    }


def totals(snapshots: Sequence[Snapshot], waiting: int = 0) -> str:
    """Return how many sessions there are, in which state, and what they cost together."""
    columns = [_column(snapshot) for snapshot in snapshots]
    count, needy = len(snapshots) + waiting, columns.count(0)
    known = [snapshot.acus for snapshot in snapshots if snapshot.acus is not None]
    words = [
        f"{count:,} session{'' if count == 1 else 's'}",
        f"{needy:,} need{'s' if needy == 1 else ''} you",
        f"{columns.count(1):,} working",
        *_over(snapshots),
        f"{waiting:,} waiting" if waiting else "",
        wording.acu(sum(known))
        + (f" + {len(snapshots) - len(known):,} unknown" if len(known) < len(snapshots) else ""),
        "simulated" if any(snapshot.simulated for snapshot in snapshots) else "",
        "recorded" if any(snapshot.recorded is not None for snapshot in snapshots) else "",
    ]
    return " · ".join(filter(None, words))


def _over(snapshots: Sequence[Snapshot]) -> list[str]:
    """How many ended and need nobody, by phase; what failed is not called done."""
    counts = Counter(snapshot.phase for snapshot in snapshots if _column(snapshot) == 2)
    return [f"{counts[phase]:,} {phase.label}" for phase in Phase if counts[phase] or phase is Phase.DONE]


def _column(snapshot: Snapshot) -> int:
    if wording.needs_you(snapshot):
        return 0
    return 2 if snapshot.turn_over else 1


def _name(snapshot: Snapshot, names: Mapping[str, str], limit: int) -> str:
    return wording.one_line(names.get(snapshot.session_id) or wording.title(snapshot), limit)


def _text(heading: str, snapshots: Sequence[Snapshot], names: Mapping[str, str]) -> str:
    lines = [heading]
    for snapshot in snapshots[:TEXT_ROWS]:
        asked = f"  {wording.asked(snapshot, 60)}".rstrip()
        phase = f"{wording.LOOKS[snapshot.phase].icon} {snapshot.phase.label}"
        lines.append(f"  {phase:<22}{wording.acu(snapshot.acus):<13}{_name(snapshot, names, 50)}{asked}")
    rest = len(snapshots) - TEXT_ROWS
    return "\n".join([*lines, f"  … {rest:,} more"] if rest > 0 else lines)


def _html(heading: str, snapshots: Sequence[Snapshot], names: Mapping[str, str], home: str) -> str:
    rows = "".join(_row(snapshot, names) for snapshot in snapshots[:HTML_ROWS])
    rest = len(snapshots) - HTML_ROWS
    more = f'<tr><td colspan="4" style="{CELL};{QUIET}">… {rest:,} more</td></tr>' if rest > 0 else ""
    place = f" dv-home-{escape(home)}" if home else ""
    body = f'<div style="overflow-x:auto">{table(rows + more)}</div>' if rows else ""
    head = f'<div style="{LINE}"><strong>{escape(heading)}</strong></div>'
    return f'<div class="dv-snapshot{place}" style="{BOX}">{head}{body}</div>'


def _row(snapshot: Snapshot, names: Mapping[str, str]) -> str:
    look = wording.LOOKS[snapshot.phase]
    cells = [
        badge(f"{look.icon} {snapshot.phase.label}", look.color),
        anchor(wording.link(snapshot), _name(snapshot, names, 80)),
        f'<span style="white-space:nowrap">{escape(wording.acu(snapshot.acus))}</span>',
        escape(wording.asked(snapshot, 120)),
    ]
    return "<tr>" + "".join(f'<td style="{CELL}">{cell}</td>' for cell in cells) + "</tr>"
