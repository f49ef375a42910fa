"""A snapshot as text, as static HTML and as a record, so that a saved notebook reads well without a kernel.

Everything here is a pure function of the snapshot: no clock, no widgets, no network. The same snapshot gives the
same bytes, and every string has passed the redactor. Text of the agent is shown, never interpreted, except for
Markdown that was rendered with HTML off and then cleaned.
"""

from __future__ import annotations

from typing import Any

from devin_jupyter.models.snapshot import Snapshot
from devin_jupyter.render.many import many_bundle
from devin_jupyter.render.markup import markdown, spoken
from devin_jupyter.render.page import html
from devin_jupyter.render.plain import text
from devin_jupyter.render.record import RECORD_MIME, notebook_record
from devin_jupyter.render.wording import acu, safe_text

__all__ = [
    "RECORD_MIME",
    "acu",
    "bundle",
    "html",
    "many_bundle",
    "markdown",
    "notebook_record",
    "safe_text",
    "spoken",
    "text",
]


def bundle(snapshot: Snapshot, transcript: bool = False, home: str = "") -> dict[str, Any]:
    """Return the display bundle of a snapshot: plain text, static HTML and the record to reattach from.

    Args:
        snapshot: what to show.
        transcript: keep the conversation too, folded in the HTML.
        home: names the place in the HTML where the live panel of that name may settle.
    """
    return {
        "text/plain": text(snapshot, transcript=transcript),
        "text/html": html(snapshot, transcript=transcript, home=home),
        RECORD_MIME: notebook_record(snapshot),
    }
