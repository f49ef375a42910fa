"""Cursor pages: opaque cursors that stay valid while rows arrive, and pages joined from rows that are JSON already."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from starlette.responses import Response

from devin_jupyter.models.v3 import PageQuery
from devin_jupyter.simulator.problems import invalid, json_bytes

T = TypeVar("T")


def encode_cursor(kind: str, place: str | int) -> str:
    """Return the cursor that stands behind a place in a list of this kind."""
    return base64.urlsafe_b64encode(f"{kind}:{place}".encode()).decode().rstrip("=")


def decode_cursor(kind: str, cursor: str) -> str:
    """Return the place; raises the 422 for a cursor that was not made here."""
    try:
        text = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError):
        text = ""
    found, _, place = text.partition(":")
    if found != kind or not place:
        raise invalid(("query", "after"), "Invalid cursor", "cursor_invalid")
    return place


def page_response(rows: Sequence[bytes], end_cursor: str | None, total: int | None) -> Response:
    """Answer with a page of rows that are serialized already; a cursor says that there is more."""
    tail = {"has_next_page": end_cursor is not None, "end_cursor": end_cursor, "total": total}
    body = b'{"items":[' + b",".join(rows) + b"]," + json_bytes(tail)[1:]
    return Response(body, media_type="application/json")


def page_of(
    kind: str, rows: Sequence[T], query: PageQuery, id_of: Callable[[T], str], view: Callable[[T], Any]
) -> Response:
    """Answer with the page after the row that the cursor names; rows may come and go between pages."""
    start = 0
    if query.after:  # an empty cursor is none
        index, _, identifier = decode_cursor(kind, query.after).partition("/")
        if not index.isdecimal():
            raise invalid(("query", "after"), "Invalid cursor", "cursor_invalid")
        start = _after(rows, int(index), identifier, id_of)
    shown = rows[start : start + query.first]
    last = start + len(shown) - 1
    more = start + query.first < len(rows)
    cursor = encode_cursor(kind, f"{last}/{id_of(rows[last])}") if more else None
    return page_response([json_bytes(view(row)) for row in shown], cursor, len(rows))


def _after(rows: Sequence[T], index: int, identifier: str, id_of: Callable[[T], str]) -> int:
    """The row may have moved since the cursor was made, or be gone; then its successor has its place."""
    if index < len(rows) and id_of(rows[index]) == identifier:
        return index + 1
    return next((place + 1 for place, row in enumerate(rows) if id_of(row) == identifier), min(index, len(rows)))
