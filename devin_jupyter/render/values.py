"""A JSON value of the agent as nested HTML tables: rows as a table, an object as pairs, bounded in size and depth."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from devin_jupyter.render.wording import one_line, safe_text

ROWS, COLUMNS, DEPTH, SCALAR, ONE_LINE = 50, 12, 5, 2000, 80
CELL = "padding:2px 14px 2px 0;text-align:left;vertical-align:top;border:0"
_HEAD = f"{CELL};border-bottom:1px solid rgba(128,128,128,0.5)"
_ROW = '<tr style="background-color:transparent">'
_TABLE = "border-collapse:collapse;border:0;margin:2px 0"


def table(rows: str, head: str = "") -> str:
    """Return a table of ready-made rows that no viewer's style sheet centers, stripes or floats to the right."""
    return f'<table style="{_TABLE}">{head}<tbody>{rows.replace("<tr>", _ROW)}</tbody></table>'


def value_html(value: Any, depth: int = 0) -> str:
    """Return nested HTML for a JSON value; everything is escaped, what is too deep or too long is cut and says so."""
    if isinstance(value, Mapping) and value:
        return _pairs(value, depth) if depth < DEPTH else _scalar(json.dumps(value, default=str, ensure_ascii=False))
    if isinstance(value, (list, tuple)) and value:
        return _items(value, depth) if depth < DEPTH else _scalar(json.dumps(value, default=str, ensure_ascii=False))
    return _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return escape(safe_text(value, SCALAR)).replace("\n", "<br>")
    words = {True: "yes", False: "no"}[value] if isinstance(value, bool) else _WORDS.get(str(value), value)
    return escape(safe_text(words, SCALAR))


_WORDS = {"None": "–", "[]": "none", "()": "none", "{}": "none"}


def _pairs(value: Mapping[str, Any], depth: int) -> str:
    shown = list(value.items())[:ROWS]
    rows = [
        f'<tr><td style="{CELL};opacity:0.8">{escape(one_line(key, 80))}</td>'
        f'<td style="{CELL}">{value_html(item, depth + 1)}</td></tr>'
        for key, item in shown
    ]
    return table("".join(rows) + _more(len(value) - len(shown), 2))


def _items(value: Sequence[Any], depth: int) -> str:
    columns = _columns(value)
    if columns:
        return _grid(value, columns, depth)
    if _is_short(value):
        return ", ".join(_scalar(item) for item in value)
    items = "".join(f"<li>{value_html(item, depth + 1)}</li>" for item in value[:ROWS])
    rest = f"<li>… {len(value) - ROWS:,} more</li>" if len(value) > ROWS else ""
    return f'<ul style="margin:0;padding-left:18px">{items}{rest}</ul>'


def _is_short(value: Sequence[Any]) -> bool:
    """Whether the items read well on one line."""
    plain = all(not isinstance(item, (Mapping, list, tuple)) and "," not in str(item) for item in value)
    return plain and len(value) <= ROWS and sum(len(str(item)) for item in value) <= ONE_LINE


def _columns(value: Sequence[Any]) -> list[str]:
    """The keys of a list of objects, in the order they first occur; none if it is not one, or too wide."""
    if not all(isinstance(item, Mapping) for item in value):
        return []
    keys = list(dict.fromkeys(str(key) for item in value[:ROWS] for key in item))
    return keys if len(keys) <= COLUMNS else []


def _grid(value: Sequence[Mapping[str, Any]], columns: list[str], depth: int) -> str:
    head = "".join(f'<th style="{_HEAD}">{escape(one_line(column, 80))}</th>' for column in columns)
    rows = ["".join(_cell(item, column, depth) for column in columns) for item in value[:ROWS]]
    body = "".join(f"<tr>{row}</tr>" for row in rows) + _more(len(value) - ROWS, len(columns))
    return table(body, f"<thead><tr>{head}</tr></thead>")


def _cell(item: Mapping[str, Any], column: str, depth: int) -> str:
    inner = value_html(item[column], depth + 1) if column in item else ""
    return f'<td style="{CELL}">{inner}</td>'


def _more(count: int, columns: int) -> str:
    return f'<tr><td colspan="{columns}" style="{CELL};opacity:0.8">… {count:,} more</td></tr>' if count > 0 else ""
