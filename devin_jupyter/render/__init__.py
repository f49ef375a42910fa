"""Sessions as text, static HTML and records, so that a saved notebook reads well without a kernel.

Pure functions of the snapshot: no clock, no widgets, no network. The same snapshot gives the same bytes, and every
string has passed the redactor. Devin's text is shown, never interpreted, except for Markdown, which is rendered with
HTML off and then cleaned.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

from devin_jupyter.models.snapshot import Snapshot
from devin_jupyter.models.steps import LiveView
from devin_jupyter.recorded import RECORD_MIME
from devin_jupyter.render.board import BoardRow, BoardSummary, RowNotes, board_bundle, board_row, notebook_text
from devin_jupyter.render.html import line_html, session_html
from devin_jupyter.render.labels import not_shown
from devin_jupyter.render.record import board_record, session_record
from devin_jupyter.render.text import session_text
from devin_jupyter.text import format_acus

__all__ = [
    "BoardRow",
    "BoardSummary",
    "RowNotes",
    "board_bundle",
    "board_record",
    "board_row",
    "bundle",
    "not_shown",
    "notebook_text",
    "session_html",
    "session_record",
    "session_text",
]


logger = logging.getLogger("devin_jupyter")


def bundle(
    snapshot: Snapshot,
    transcript: bool = False,
    anchor: str = "",
    *,
    message: str = "",
    name: str = "",
    live: LiveView | None = None,
) -> dict[str, Any]:
    """Return the display bundle of a session: plain text, static HTML and the record to reattach from.

    Whatever a session holds, it has a bundle: where one cannot be made, a line says that the session is fine.

    Args:
        snapshot: the session.
        transcript: add the conversation, and the steps that the live channel told, folded in the HTML.
        anchor: the live panel with this id may move into the HTML.
        message: what the cell sent; the view begins with it and with Devin's reply.
        name: the variable that holds the session.
        live: what the live channel tells.
    """
    try:
        return {
            "text/plain": session_text(snapshot, transcript=transcript, message=message, name=name, live=live),
            "text/html": session_html(
                snapshot, transcript=transcript, anchor=anchor, message=message, name=name, live=live
            ),
            RECORD_MIME: session_record(snapshot),
        }
    except Exception as fault:
        logger.exception("%s could not be shown", snapshot.session_id)
        line = f"{not_shown(snapshot.session_id, fault)} · {snapshot.phase.label} · {format_acus(snapshot.acus)}"
        bare = replace(snapshot, structured_output=None, question=None, messages=(), extra={}, schema=None)
        return {"text/plain": line, "text/html": line_html(line), RECORD_MIME: session_record(bare)}
