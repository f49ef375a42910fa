"""A board of sessions: in which column a row stands, what its card says, the totals, and the saved form.

The live board and the saved one are made of the same rows, so that they say the same.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

from devin_jupyter.models.enums import Phase
from devin_jupyter.models.snapshot import Snapshot, reported_outcome
from devin_jupyter.recorded import RECORD_MIME
from devin_jupyter.render import html, labels
from devin_jupyter.render.record import board_record
from devin_jupyter.text import format_acus, format_amount, one_line

logger = logging.getLogger("devin_jupyter")

GROUPS = {
    "needs_you": "needs you",
    "working": "working",
    "failed": "failed",
    "finished": "finished",
    "waiting": "waiting",
}
"""The columns of a board, in the order in which a person reads them."""
LISTED, TEXT_LISTED = 200, 40
"""The rows of the saved form, as HTML and as text."""
COLUMNS = 4
"""The columns of the answer in the saved table."""
_FAILED = (Phase.FAILED, Phase.STOPPED, Phase.BLOCKED)
_SHORT = 24
"""Texts of up to this many characters are shown before longer ones, and such lists of texts in full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowNotes:
    """What a batch knows of a row besides its session."""

    name: str = ""
    place: int | None = None
    """Rows with a place come first, in that order."""
    reason: str | None = None
    """Why there is no answer."""
    acus: float | None = None
    """The cost of all takes of the row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardRow:
    """One row, ready to be shown: texts are safe and on one line."""

    id: str
    name: str
    title: str
    place: int | None = None
    url: str | None = None
    phase: str = ""
    label: str = ""
    icon: str = ""
    color: str = "#57606a"
    group: str = "waiting"
    acus: float | None = None
    reason: str = ""
    """Why it failed, or what Devin asks."""
    answer: tuple[tuple[str, str], ...] = ()
    """Names and values of the answer, the most telling first."""
    activity: str = ""
    """What Devin does now."""
    pulls: tuple[tuple[str, str | None, str], ...] = ()
    """Name, address and state of its pull requests."""
    repos: str = ""
    labels: tuple[str, ...] = ()
    created: float | None = None
    """Unix seconds, as `updated`."""
    updated: float | None = None

    @property
    def told(self) -> str:
        """The two most telling values of the answer, as a card shows them: `upgraded · files 6`."""
        return " · ".join(value if is_word(value) else f"{name} {value}" for name, value in self.answer[:2])


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardSummary:
    """The summary of all rows of a board."""

    subtitle: str = ""
    """The first line of the template."""
    spent: str = ""
    """The cost of everything, such as `41.2 of 100 ACU (3.1 in earlier takes)`; by default the sum of the rows."""
    waiting: int = 0
    """Rows that have no session yet."""
    why: str = ""
    """Why they wait."""
    remarks: tuple[str, ...] = ()
    """Lines below the heading: why it is paused, what the last action did."""


def board_row(snapshot: Snapshot, notes: RowNotes | None = None, activity: str = "") -> BoardRow:
    """Return the row of a session."""
    notes, style = notes or RowNotes(), labels.style(snapshot)
    group = group_of(snapshot, has_failed=bool(notes.reason))
    asked = labels.question_line(snapshot, 200) if group == "needs_you" else ""
    return BoardRow(
        id=snapshot.session_id,
        place=notes.place,
        name=one_line(notes.name, 80) if notes.name else "",
        title=labels.title(snapshot),
        url=labels.link(snapshot),
        phase=snapshot.phase.value,
        label=_label(snapshot, group),
        icon="✗" if group == "failed" and snapshot.phase not in _FAILED else style.icon,
        color=labels.PHASE_STYLES[Phase.FAILED].color if group == "failed" else style.color,
        group=group,
        acus=snapshot.acus if notes.acus is None else notes.acus,
        reason=asked or (_reason(snapshot, notes.reason) if group == "failed" else ""),
        answer=telling(snapshot) if group in ("finished", "failed") else (),
        activity=one_line(activity, 120) if group == "working" else "",
        pulls=tuple(
            (labels.pull_request_name(each), labels.web_address(each.url), one_line(each.state or "", 40))
            for each in snapshot.pull_requests[:5]
        ),
        repos=", ".join(one_line(repo) for repo in snapshot.repos[:5]),
        labels=tuple(labels.labels(snapshot)),
        created=_seconds(snapshot.created_at),
        updated=_seconds(snapshot.updated_at),
    )


def _label(snapshot: Snapshot, group: str) -> str:
    """Return the label of the phase; a finished row without its answer is not labeled as done."""
    if group != "failed" or snapshot.phase in _FAILED:
        return snapshot.label
    if reported_outcome(snapshot.structured_output) == "failed":
        return "reports failure"
    return "no answer" if snapshot.structured_output is None else "invalid answer"


def _seconds(at: Any) -> float | None:
    return None if at is None else round(at.timestamp(), 3)


def group_of(snapshot: Snapshot, *, has_failed: bool = False) -> str:
    """Return the column of a session: a finished one without its answer, or that reports a failure, has failed."""
    if labels.needs_you(snapshot):
        return "needs_you"
    if not snapshot.turn_over:
        return "working"
    reports = reported_outcome(snapshot.structured_output) if snapshot.output_is_fresh else None
    return "failed" if snapshot.phase in _FAILED or has_failed or reports == "failed" else "finished"


def _reason(snapshot: Snapshot, reason: str | None) -> str:
    if reason:
        return one_line(reason, 200)
    if reported_outcome(snapshot.structured_output) == "failed":
        return one_line(str(snapshot.structured_output.get("summary") or "reports that it failed"), 200)
    last = snapshot.last_word
    if snapshot.phase is Phase.BLOCKED or last is None:
        return labels.detail(snapshot)
    return one_line(last.text, 200)


def telling(snapshot: Snapshot) -> tuple[tuple[str, str], ...]:
    """Return names and values of an answer for a table: words of a choice first, then figures, short texts, others."""
    found = labels.answer(snapshot)
    if found is None and snapshot.schema is None and not snapshot.needs_you:
        found = snapshot.question  # Devin's last message, where the conversation was not read
    if isinstance(found, str):
        return (("answer", one_line(found, 200)),)
    fields = (snapshot.schema or {}).get("properties", {}) if isinstance(snapshot.schema, Mapping) else {}
    if not isinstance(found, Mapping):
        found = {} if found is None else {"answer": found}
    named = [(str(name), value, _weight(value, fields.get(name))) for name, value in list(found.items())[:40]]
    shown = [(name, value, weight) for name, value, weight in named if weight is not None]
    shown.sort(key=lambda each: each[2] or 0)
    return tuple((one_line(name, 40), _cell(value)) for name, value, _ in shown[:12])


def _weight(value: Any, field: Any) -> int | None:
    if value is None or value == "":
        return None
    if isinstance(field, Mapping) and "enum" in field:
        return 0
    if isinstance(value, (bool, int, float)):
        return 1
    if isinstance(value, str):
        return 2 if len(value) <= _SHORT else 4
    return 3


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        if value and all(isinstance(item, str) for item in value) and len(", ".join(value)) <= _SHORT:
            return one_line(", ".join(value))
        return str(len(value))
    if isinstance(value, Mapping):
        return one_line(", ".join(map(str, value)), 80)
    return one_line(value, 200)


def is_word(value: str) -> bool:
    """Whether a value is clear without its name: `upgraded` is, `6` and `yes` are not."""
    return value not in ("yes", "no") and not value.replace(".", "", 1).lstrip("-").isdigit()


def ordered(rows: Iterable[BoardRow]) -> list[BoardRow]:
    """Return rows by column: what needs a person first, then what is at work, then what failed."""
    places = {group: index for index, group in enumerate(GROUPS)}
    return sorted(rows, key=lambda row: places[row.group])


def counts(rows: Iterable[BoardRow], waiting: int = 0) -> dict[str, int]:
    """Return how many rows are in each column; columns without rows are left out."""
    found = Counter(row.group for row in rows)
    found["waiting"] += waiting
    return {group: found[group] for group in GROUPS if found[group]}


def counted(found: Mapping[str, int]) -> list[str]:
    """Return counts by column as words, in the order of the columns: `1 needs you`, `3 working`."""
    names = {**GROUPS, "needs_you": "needs you" if found.get("needs_you") == 1 else "need you"}
    return [f"{found[group]:,} {name}" for group, name in names.items() if found.get(group)]


def totals(rows: Sequence[BoardRow], summary: BoardSummary | None = None) -> str:
    """Return how many rows there are in which column, and what they cost: `40 sessions · 2 need you · … · 41.2 ACU`."""
    summary = summary or BoardSummary()
    found = counts(rows, summary.waiting)
    count = sum(found.values())
    known = [row.acus for row in rows if row.acus is not None]
    unknown = sum(row.acus is None and row.phase != "refused" for row in rows)
    sums = format_acus(sum(known)) if known else "ACU unknown" if unknown else ""
    sums += f" ({unknown:,} of unknown cost)" if known and unknown else ""
    marks = [label for label in ("simulated", "recorded") if any(_has(row, label) for row in rows)]
    words = [f"{count:,} session{'' if count == 1 else 's'}"]
    return " · ".join(filter(None, [*words, *counted(found), summary.spent or sums, *marks]))


def _has(row: BoardRow, label: str) -> bool:
    return any(each.startswith(label) for each in row.labels)


# --- the saved form ------------------------------------------------------------------------------------------


def board_bundle(
    title: str,
    rows: Iterable[BoardRow],
    snapshots: Sequence[Snapshot],
    summary: BoardSummary | None = None,
    *,
    anchor: str = "",
    board: str = "",
    is_short: bool = False,
) -> dict[str, Any]:
    """Return the display bundle of a board: a heading, then the rows as a table with their answers.

    Args:
        title: the heading.
        rows: one per session, and one per row that could not be started.
        snapshots: the sessions, for the record.
        summary: of all rows.
        anchor: the live board with this id may move into the HTML.
        board: the live board with this id is in the notebook, and is linked to.
        is_short: leave out the table.
    """
    summary, shown = summary or BoardSummary(), ordered(rows)
    heading = f"{one_line(title)}: {totals(shown, summary)}"
    listed = [] if is_short else shown
    try:
        return {
            "text/plain": "\n".join([heading, *summary.remarks, *_text_rows(listed)]),
            "text/html": _html(heading, listed, summary, anchor, board),
            RECORD_MIME: board_record(title, snapshots),
        }
    except Exception as fault:
        logger.exception("%s could not be shown", title)
        line = f"{labels.not_shown(one_line(title), fault)} · {heading}"
        bare = [replace(one, structured_output=None, question=None, messages=(), schema=None) for one in snapshots]
        return {"text/plain": line, "text/html": html.line_html(line), RECORD_MIME: board_record(title, bare)}


def notebook_text(name: str, saved: Sequence[tuple[int, str, Snapshot]]) -> str:
    """Return what a notebook file holds: a line for each session, and one for each board.

    Args:
        name: of the file.
        saved: the position of the cell, the title of the board (empty for a session on its own), and the session.
    """
    boards: dict[tuple[str, str], list[BoardRow]] = {}
    cells: dict[tuple[str, str], int] = {}
    for cell, board, snapshot in saved:
        key = (board, "" if board else snapshot.session_id)
        boards.setdefault(key, []).append(board_row(snapshot))
        cells.setdefault(key, cell)
    lines = [f"{name}: {len(saved):,} session{'' if len(saved) == 1 else 's'}"]
    for (board, identifier), rows in boards.items():
        row, place = rows[0], f"  cell {cells[board, identifier] + 1:<4}"
        if not board:
            lines.append(f"{place}{f'{row.icon} {row.label}':<18}{_cost(row):<13}{one_line(row.title, 60)}")
        else:
            lines.append(f"{place}{one_line(board, 40)}: {totals(rows)}")
    return "\n".join(lines)


def _text_rows(rows: Sequence[BoardRow]) -> list[str]:
    lines = []
    for row in rows[:TEXT_LISTED]:
        said = one_line(row.reason or row.told or row.activity, 70)
        head = f"  {f'{row.icon} {row.label}':<18}{_cost(row):<13}{one_line(row.name or row.title, 40):<26}"
        lines.append(f"{head}  {said}".rstrip())
    rest = len(rows) - TEXT_LISTED
    return [*lines, f"  … {rest:,} more"] if rest > 0 else lines


def _cost(row: BoardRow) -> str:
    return "" if row.phase == "refused" and row.acus is None else format_acus(row.acus)


def _html(heading: str, rows: Sequence[BoardRow], summary: BoardSummary, anchor: str, board: str) -> str:
    link = f' · <a href="#dv-board-{escape(board)}">board</a>' if board else ""
    parts = [f'<div style="{html.LINE}"><strong>{escape(heading)}</strong>{link}</div>']
    parts += [f'<div style="{html.LINE};{html.QUIET}">{escape(line)}</div>' for line in summary.remarks]
    if rows:
        parts.append(f'<div style="overflow-x:auto">{_table(rows)}</div>')
    return html.boxed("".join(parts), anchor)


def _table(rows: Sequence[BoardRow]) -> str:
    columns = list(dict.fromkeys(name for row in rows for name, _ in row.answer))[:COLUMNS]
    has_pulls, has_reason = any(row.pulls for row in rows), any(row.reason for row in rows)
    head = ["", "", *columns, "ACU", *(["pull request"] if has_pulls else []), *(["reason"] if has_reason else [])]
    body = []
    for row in rows[:LISTED]:
        values = dict(row.answer)
        pulls = ", ".join(f"{html.link(url, name)} {escape(state)}".strip() for name, url, state in row.pulls)
        cells = [
            html.badge(f"{row.icon} {row.label}", row.color),
            html.link(row.url, row.name or row.title),
            *(escape(one_line(values.get(name, ""), 120)) for name in columns),
            f'<span style="white-space:nowrap">{"" if row.acus is None else format_amount(row.acus)}</span>',
            *([pulls] if has_pulls else []),
            *([escape(row.reason)] if has_reason else []),
        ]
        body.append(html.row(cells))
    body.append(html.more_rows(len(rows) - LISTED, len(head)))
    return html.table("".join(body), html.table_head(head))
