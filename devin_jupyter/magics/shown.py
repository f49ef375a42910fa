"""What commands give back: plain texts and tables that show well in a notebook, a terminal and a saved file.

Everything that came from the service is escaped and made safe here; links go to http(s) only.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from devin_jupyter.render.html import CELL, table
from devin_jupyter.render.labels import web_address
from devin_jupyter.text import one_line, safe_text

WIDTH = 130
_GIVE_WAY = frozenset({"title", "value", "when", "note", "result"})
"""Columns that become narrower where room is short; ids, phases and figures are always whole."""
_GAP, _NARROWEST = 3, 9


class Text:
    """A text that shows as it is, without quotes."""

    def __init__(self, text: str) -> None:
        """Keep the text, made safe."""
        self.text = safe_text(text)

    def __repr__(self) -> str:
        """The text itself."""
        return self.text


class Link(str):
    """A cell of a table that leads somewhere; the text is what is read."""

    url: str | None

    def __new__(cls, text: str, url: str | None) -> Link:
        """Make the text, with a checked address."""
        made = super().__new__(cls, text)
        made.url = web_address(url) if url else None
        return made


class Table:
    """Rows under headings; `.rows` are plain dicts."""

    def __init__(self, rows: Sequence[Mapping[str, Any]], *, title: str = "", empty: str = "nothing to show") -> None:
        """Keep the rows; the keys of the first one are the headings.

        Args:
            rows: values are shown as text; None as a dash.
            title: a line above.
            empty: what is said where there are no rows.
        """
        self.rows = [dict(row) for row in rows]
        self.title, self.empty = title, empty

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.rows)

    @property
    def headings(self) -> list[str]:
        """The headings, in order."""
        return list(self.rows[0]) if self.rows else []

    def __repr__(self) -> str:
        """The table as aligned text."""
        return self._drawn(colors=False)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(self._drawn(colors=sys.stdout.isatty() and not cycle))

    def _repr_html_(self) -> str:
        if not self.rows:
            return f"<div>{escape(self.title or self.empty)}</div>"
        head = "".join(f'<th style="{CELL}"><strong>{escape(name)}</strong></th>' for name in self.headings)
        body = "".join(f"<tr>{''.join(_html_cell(value) for value in row.values())}</tr>" for row in self.rows)
        title = f'<div style="margin:4px 0"><strong>{escape(self.title)}</strong></div>' if self.title else ""
        return f'<div style="overflow-x:auto">{title}{table(body, f"<thead><tr>{head}</tr></thead>")}</div>'

    def _drawn(self, *, colors: bool) -> str:
        if not self.rows:
            return self.title or self.empty
        from io import StringIO

        from rich.console import Console

        into, share = StringIO(), self._share(_width(colors))
        width = max(_width(colors), self._least() + share * len(_GIVE_WAY.intersection(self.headings)))
        # left to itself in a kernel, rich displays what it prints at once
        console = Console(file=into, width=width, force_terminal=colors, no_color=not colors, force_jupyter=False)
        console.print(self._rich(share))
        lines = [line.rstrip() for line in into.getvalue().rstrip().split("\n")]
        return "\n".join(([self.title] if self.title else []) + [line for line in lines if line])

    def _longest(self, name: str) -> int:
        return max(len(name), *(len(_plain(row.get(name))) for row in self.rows))

    def _least(self) -> int:
        """How wide the columns are that stay whole, with the gaps between all of them."""
        whole = [name for name in self.headings if name not in _GIVE_WAY]
        return sum(map(self._longest, whole)) + _GAP * (len(self.headings) - 1)

    def _share(self, width: int) -> int:
        """How wide each of the others may be."""
        return max(_NARROWEST, (width - self._least()) // max(1, len(_GIVE_WAY.intersection(self.headings))))

    def _rich(self, share: int) -> Any:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table as RichTable
        from rich.text import Text as RichText

        drawn = RichTable(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for name in self.headings:
            if name not in _GIVE_WAY:
                drawn.add_column(name, min_width=self._longest(name), no_wrap=True)
            else:
                cut = name == "title"
                drawn.add_column(name, max_width=share, no_wrap=cut, overflow="ellipsis" if cut else "fold")
        for row in self.rows:
            drawn.add_row(*(RichText(_plain(value), style=_style(value)) for value in row.values()))
        return drawn


def labeled(title: str, simulated: bool) -> str:
    """Return a title that says when sessions are simulated."""
    return "; ".join(part for part in ("simulated sessions" if simulated else "", title) if part)


def _plain(value: Any) -> str:
    return "–" if value is None or value == "" else one_line(value, 200)


def _style(value: Any) -> str:
    return f"link {value.url}" if isinstance(value, Link) and value.url else ""


def _html_cell(value: Any) -> str:
    inner = escape(_plain(value))
    if isinstance(value, Link) and value.url:
        inner = f'<a href="{escape(value.url)}" target="_blank" rel="noopener noreferrer">{inner}</a>'
    return f'<td style="{CELL}">{inner}</td>'


def _width(colors: bool) -> int:
    if not colors:
        return WIDTH
    import shutil

    return shutil.get_terminal_size().columns
