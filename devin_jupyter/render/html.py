"""All HTML of the package: one session, a board of sessions, tables, JSON values and Devin's Markdown.

Viewers of untrusted notebooks drop style and script tags, svg, aria and data attributes and `var()`; GitHub drops
inline styles as well. So: plain elements in reading order, inline styles only, and inherited colors except on filled
badges, which read on light and dark alike. Everything is escaped with `html.escape`: Jinja takes 45 ms to load, and
none of these pieces needs a template.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from html import escape, unescape
from typing import TYPE_CHECKING, Any, TypeVar

from devin_jupyter.models.enums import Phase
from devin_jupyter.models.snapshot import Snapshot
from devin_jupyter.models.steps import LiveView, Step
from devin_jupyter.render import labels
from devin_jupyter.render.answers import Section, n_rows, sections
from devin_jupyter.render.labels import web_address
from devin_jupyter.text import TEXT_LIMIT, one_line, safe_text

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

T = TypeVar("T")
BOX = "border:1px solid rgba(128,128,128,0.4);border-radius:6px;padding:10px 14px;margin:2px 0;line-height:1.5"
BADGE = "color:#ffffff;border-radius:10px;padding:1px 9px;font-weight:600;white-space:nowrap"
QUIET = "opacity:0.8"
QUOTE = "border-left:3px solid rgba(128,128,128,0.6);padding:0 0 0 10px;margin:8px 0"
LINE = "margin:4px 0"
CELL = "padding:2px 14px 2px 0;text-align:left;vertical-align:top;border:0"
_HEAD_CELL = f"{CELL};border-bottom:1px solid rgba(128,128,128,0.5)"
_ROW = '<tr style="background-color:transparent">'
_TABLE = "border-collapse:collapse;border:0;margin:2px 0"

ROWS, COLUMNS, DEPTH, SCALAR, ONE_LINE = 50, 12, 5, 2000, 80
"""Bounds of a JSON value: rows, columns, levels of nesting, characters of a scalar and of a list on one line."""
EXCERPT = 320
"""Characters of a message that are shown of one that is folded."""
SHOWN = 60_000
"""Characters of a JSON value, and of a conversation, that a page shows."""

_TAGS = frozenset(
    "a blockquote br code del em h4 h5 h6 hr li ol p pre s strong table tbody td th thead tr ul".split()  # noqa: SIM905 a list this long reads better as words
)


def session_html(
    snapshot: Snapshot,
    *,
    transcript: bool = False,
    anchor: str = "",
    message: str = "",
    name: str = "",
    live: LiveView | None = None,
) -> str:
    """Return the snapshot as static HTML, in the order of the live panel.

    Args:
        snapshot: the session.
        transcript: add the conversation, and what the live channel told, folded.
        anchor: the live panel with this id may move into this element.
        message: what the cell sent; the page begins with it and with Devin's reply.
        name: the variable that holds the session, for the line that says how to read the answer.
        live: what the live channel tells.
    """
    style, address = labels.style(snapshot), labels.link(snapshot)
    title = f"<strong>{link(address, labels.title(snapshot))}</strong>"
    notes = escape(" · ".join(labels.labels(snapshot)))
    at_right = f' <span style="margin-left:auto;white-space:nowrap;{QUIET}">{notes}</span>' if notes else ""
    parts = [
        f'<div style="display:flex;gap:10px;align-items:baseline">'
        f"{badge(f'{style.icon} {snapshot.label}', style.color)} {title}{at_right}</div>",
        f'<div style="{LINE}">{" · ".join(_facts_in_line(snapshot))}</div>',
    ]
    you, words = labels.spoken(snapshot, message)
    is_asked = words is not None and words.is_question
    said = [pair("<strong>You</strong>", _inline(markdown(you, SCALAR)))] if you else []
    if live is not None and not snapshot.turn_over and (now := _at_work(live)):
        parts += [_said(said), now]
        said = []
    said += [pair("<strong>Devin</strong>", _words(words))] if words is not None and not is_asked else []
    parts.append(_said(said))
    if sentence := labels.explanation(snapshot):
        approve = (
            f" {link(address, 'Approve it in Devin')}" if snapshot.phase is Phase.NEEDS_APPROVAL and address else ""
        )
        parts.append(f'<div style="{LINE}"><span style="{QUIET}">{escape(sentence)}</span>{approve}</div>')
    if (answer := labels.structured_answer(snapshot)) is not None:
        shown = _answer(snapshot, answer, name)
        is_interim = not snapshot.turn_over
        parts.append(f"<details><summary>Answer so far</summary>{shown}</details>" if is_interim else shown)
    if snapshot.unsaved_answer is not None:
        parts.append(f'<div style="{LINE}">{escape(labels.unsaved_answer(snapshot))}</div>')
    if words is not None and is_asked:
        parts.append(
            f'<div style="{QUOTE}">{table(pair("<strong>Devin asks</strong>", _inline(markdown(words.text))))}</div>'
        )
    if transcript and snapshot.messages:
        listed, note = labels.newest_messages(snapshot, SHOWN)
        spoken = "".join(_heading(labels.speaker(each)) + _quote(each.text) for each in listed)
        left_out = f'<div style="{LINE};{QUIET}">{escape(note)}</div>' if note else ""
        parts.append(_folded(f"Conversation ({len(snapshot.messages)})", left_out + spoken))
    if transcript and live is not None and live.steps:
        parts.append(_folded(f"Steps ({len(live.steps)})", _steps(live.steps)))
    times = None if snapshot.simulated else snapshot
    facts = [
        ("id", snapshot.session_id),
        ("mode", snapshot.mode),
        ("tags", ", ".join(snapshot.tags)),
        ("started", labels.timestamp(times.created_at) if times else None),
        ("last change", labels.timestamp(times.updated_at) if times else None),
    ]
    body = "".join(pair(escape(key), escape(one_line(value, 400))) for key, value in facts if value)
    parts.append(_folded("Details", table(body)))
    return boxed("".join(parts), anchor)


def _facts_in_line(snapshot: Snapshot) -> list[str]:
    """Cost, time, repositories and pull requests, each ready HTML."""
    found = [f'<span style="white-space:nowrap">{escape(labels.cost(snapshot))}</span>']
    took = None if snapshot.simulated else labels.seconds_taken(snapshot)
    # an open turn continues after the file is saved
    as_of = None if snapshot.simulated or snapshot.turn_over else labels.timestamp(snapshot.observed_at)
    found += [_quiet(labels.duration(took))] if took is not None else []
    found += [_quiet(f"as of {as_of}")] if as_of else []
    found += [_quiet(one_line(repo)) for repo in snapshot.repos]
    listed, note = labels.first_pull_requests(snapshot)
    for each in listed:
        state = one_line(each.state or "state unknown", 40)
        found.append(f"{link(web_address(each.url), labels.pull_request_name(each))} {_quiet(state)}")
    return [*found, _quiet(note)] if note else found


def _said(rows: Sequence[str]) -> str:
    return f'<div style="{QUOTE}">{table("".join(rows))}</div>' if rows else ""


def _inline(html: str) -> str:
    """A single paragraph without its margins."""
    inner = html.strip().removeprefix("<p>").removesuffix("</p>")
    return html if "<p>" in inner or not html.startswith("<p>") or not html.strip().endswith("</p>") else inner


def _words(words: labels.Words) -> str:
    """Return Devin's words: all of them, or the beginning, with the rest folded."""
    whole = _inline(markdown(words.text))
    beginning = None if words.is_whole else excerpt(words.text)
    return whole if beginning is None else f"{_inline(beginning)}<details><summary>more</summary>{whole}</details>"


def excerpt(text: str) -> str | None:
    """Return the beginning of a message as safe HTML, or None where all of it fits into a few lines."""
    if len(text) <= EXCERPT and text.strip().count("\n") <= 2 and "```" not in text:
        return None
    first = text.strip().split("\n\n", 1)[0]
    if 40 <= len(first) <= EXCERPT and "\n" not in first:
        return markdown(first)
    return f"<p>{escape(markdown_line(text, EXCERPT))}</p>"


def _at_work(live: LiveView) -> str:
    """The activity and the plan, which are shown while Devin works."""
    parts = []
    if live.activity:
        done, count = live.plan_progress or (0, 0)
        plan = f" · plan {done} of {count}" if count else ""
        parts.append(f'<div style="{LINE}"><strong>{escape(one_line(live.activity, 200))}</strong>{_quiet(plan)}</div>')
    icons = {"completed": "✓", "in_progress": "◐"}
    rows = [(icons.get(each.status, "·"), escape(one_line(each.text, 200))) for each in live.plan[:ROWS]]
    return "".join(parts) + (table("".join(map(row, rows))) if rows else "")


def _steps(steps: Sequence[Step]) -> str:
    """Return the steps of Devin, newest last, up to `SHOWN` characters in total."""
    blocks: list[str] = []
    room = SHOWN
    for step in reversed(steps):
        body = "\n\n".join(filter(None, (step.input, step.text)))
        head = " · ".join(filter(None, (step.kind, one_line(step.title, 200), one_line(step.status or "", 40))))
        text = safe_text(body, SCALAR)
        room -= len(head) + len(text)
        if room < 0:
            blocks.append(f'<div style="{QUIET}">… {len(steps) - len(blocks):,} earlier steps are left out</div>')
            break
        shown = f'<pre style="margin:4px 0;white-space:pre-wrap">{escape(text)}</pre>' if text else ""
        blocks.append(f'<div style="{LINE}">{escape(head)}{shown}</div>')
    return "".join(reversed(blocks))


def _answer(snapshot: Snapshot, answer: Any, name: str) -> str:
    """The answer as tables, pairs and trees, with the line below it."""
    parts, room = sections(answer), _Room()
    blocks = []
    for part in parts:
        heading = _heading(one_line(part.title, 80)) if part.title else ""
        blocks.append(f'{heading}<div style="overflow-x:auto">{_section(part, room)}</div>')
    note, code = labels.answer_note(snapshot, n_rows(parts)), f"<code>{escape(name)}.frame()</code>"
    blocks.append(f'<div style="{LINE};{QUIET}">{escape(note)}{" · " if note else ""}{code}</div>')
    if room.is_exceeded:
        blocks.append(f'<div style="{LINE};{QUIET}">{escape(labels.whole_answer(snapshot))}</div>')
    return "".join(blocks)


def _section(part: Section, room: _Room) -> str:
    if part.kind == "table":
        names = [*part.columns, *([f"… {part.more_columns} more"] if part.more_columns else [])]
        head = "".join(f'<th style="{_HEAD_CELL}">{escape(one_line(column, 80))}</th>' for column in names)
        rows = [
            row(value_html(cell, room, 1) if cell != "" else "" for cell in cells) for cells in room.some(part.rows)
        ]
        body = "".join(rows) + more_rows(len(part.rows) - len(rows), len(part.columns))
        return table(body, f"<thead><tr>{head}</tr></thead>")
    if part.kind == "pairs":
        pairs = [pair(escape(one_line(key, 80)), value_html(cell, room, 1)) for key, cell in room.some(part.rows)]
        return table("".join(pairs) + more_rows(len(part.rows) - len(pairs), 2)) if part.rows else "none"
    return value_html(part.rows[0][0] if part.kind == "value" else [item for (item,) in part.rows], room)


def rows_html(title: str, headings: Iterable[str], rows: Iterable[Iterable[tuple[str, str | None]]]) -> str:
    """Return a table under headings.

    Args:
        title: a line above; empty for none.
        headings: of the columns.
        rows: a text and a checked address, or None, for each cell.
    """
    head = "".join(f'<th style="{CELL}"><strong>{escape(name)}</strong></th>' for name in headings)
    body = "".join(row(link(url, text) for text, url in cells) for cells in rows)
    above = _heading(title) if title else ""
    return f'<div style="overflow-x:auto">{above}{table(body, f"<thead><tr>{head}</tr></thead>")}</div>'


def facts_html(facts: Iterable[tuple[str, str]], body: str, note: str) -> str:
    """Return names and values, a preformatted text below, and a line at the end."""
    rows = "".join(pair(escape(name), escape(safe_text(value))) for name, value in facts)
    shown = f'<pre style="margin:6px 0;white-space:pre-wrap">{escape(body)}</pre>'
    return f"<div>{table(rows)}{shown}<div>{escape(note)}</div></div>"


def conversation_html(messages: Iterable[tuple[str, str]], note: str = "") -> str:
    """Return messages as a heading and Markdown each, below a line if there is one."""
    blocks = [
        f'<div style="margin:8px 0"><strong>{escape(head)}</strong>{markdown(text)}</div>' for head, text in messages
    ]
    return f"<div>{f'<div>{escape(note)}</div>' if note else ''}{''.join(blocks) or 'no messages'}</div>"


def line_html(text: str) -> str:
    """Return a line of text."""
    return f"<div>{escape(text)}</div>"


class _Room:
    """How much more of a value may be shown on a page."""

    def __init__(self) -> None:
        self._left = SHOWN
        self.is_exceeded = False

    def some(self, items: Iterable[T]) -> Iterator[T]:
        """Yield the first items, as long as there is room for them."""
        for number, item in enumerate(items):
            if number == ROWS or self._left <= 0:
                self.is_exceeded = True
                return
            yield item

    def scalar(self, value: Any) -> str:
        text = value if isinstance(value, str) else _WORDS.get(str(value), str(value))
        self.is_exceeded |= len(text) > SCALAR
        shown = escape(safe_text(text, SCALAR)).replace("\n", "<br>")
        self._left -= len(shown) + len(CELL)
        return shown


_WORDS = {"None": "–", "[]": "none", "()": "none", "{}": "none", "True": "yes", "False": "no"}


def value_html(value: Any, room: _Room | None = None, depth: int = 0) -> str:
    """Return a JSON value as nested HTML: an object as pairs, a list of objects as a table.

    Everything is escaped; what is too deep or too long is cut and says so.
    """
    room = room or _Room()
    if not isinstance(value, (Mapping, list, tuple)) or not value:
        return room.scalar(value)
    if depth >= DEPTH:
        return room.scalar(_flat(value))
    if isinstance(value, Mapping):
        names = [
            pair(escape(one_line(key, 80)), value_html(item, room, depth + 1)) for key, item in room.some(value.items())
        ]
        return table("".join(names) + more_rows(len(value) - len(names), 2))
    if columns := _columns(value):
        head = "".join(f'<th style="{_HEAD_CELL}">{escape(one_line(column, 80))}</th>' for column in columns)
        rows = [
            row(value_html(item[column], room, depth + 1) if column in item else "" for column in columns)
            for item in room.some(value)
        ]
        body = "".join(rows) + more_rows(len(value) - len(rows), len(columns))
        return table(body, f"<thead><tr>{head}</tr></thead>")
    is_plain = all(not isinstance(item, (Mapping, list, tuple)) and "," not in str(item) for item in value[: ROWS + 1])
    if is_plain and len(value) <= ROWS and sum(len(str(item)) for item in value) <= ONE_LINE:
        return ", ".join(room.scalar(item) for item in value)
    items = [f"<li>{value_html(item, room, depth + 1)}</li>" for item in room.some(value)]
    rest = f"<li>… {len(value) - len(items):,} more</li>" if len(value) > len(items) else ""
    return f'<ul style="margin:0;padding-left:18px">{"".join(items)}{rest}</ul>'


def _flat(value: Any) -> str:
    try:
        return json.dumps(value, default=str, ensure_ascii=False)
    except RecursionError:
        return "… nested too deep to show"


def markdown(text: str, limit: int = TEXT_LIMIT) -> str:
    """Return safe HTML for untrusted Markdown, cut at `limit` characters.

    HTML is off in the parser, and the result is cleaned again. Links lead to full http(s) addresses only and open in
    a new tab; pictures become links, so that reading a message fetches nothing.
    """
    import nh3

    return nh3.clean(
        _parser().render(safe_text(text, limit)),
        tags=set(_TAGS),
        attributes={"a": {"href"}, "ol": {"start"}},
        attribute_filter=lambda _tag, attribute, value: value if attribute != "href" else web_address(value),
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
        clean_content_tags={"script", "style"},
    )


def markdown_line(text: str, limit: int) -> str:
    """Return Markdown as one line of plain text, cut at `limit` characters."""
    import nh3

    return one_line(unescape(nh3.clean(markdown(text, limit * 4), tags=set())), limit)


def link(url: str | None, label: str) -> str:
    """Return a link to a checked http(s) address, or the bare label without one; both are escaped."""
    if url is None:
        return escape(label)
    return f'<a href="{escape(url)}" target="_blank" rel="noopener noreferrer">{escape(label)}</a>'


def badge(words: str, color: str) -> str:
    """Return a filled badge that reads on light and dark."""
    return f'<span style="background-color:{color};{BADGE}">{escape(words)}</span>'


def table(rows: str, head: str = "") -> str:
    """Return a table of ready rows, with styles against viewers that center, stripe or float tables."""
    return f'<table style="{_TABLE}">{head}<tbody>{rows.replace("<tr>", _ROW)}</tbody></table>'


def table_head(names: Iterable[str]) -> str:
    """Return the head of a table."""
    cells = "".join(f'<th style="{_HEAD_CELL}">{escape(one_line(name, 80))}</th>' for name in names)
    return f"<thead><tr>{cells}</tr></thead>"


def row(cells: Iterable[str]) -> str:
    """Return a table row of ready cells."""
    return "<tr>" + "".join(f'<td style="{CELL}">{cell}</td>' for cell in cells) + "</tr>"


def pair(name: str, value: str) -> str:
    """Return a table row of a dimmed name and its value, both ready HTML."""
    return f'<tr><td style="{CELL};{QUIET}">{name}</td><td style="{CELL}">{value}</td></tr>'


def boxed(content: str, anchor: str) -> str:
    """Return the frame of a saved card or board; the live one with this id may move into it."""
    mark = f" dv-home-{escape(anchor)}" if anchor else ""  # the class name in saved notebooks
    return f'<div class="dv-snapshot{mark}" style="{BOX}">{content}</div>'


def _heading(words: str, more: str = "") -> str:
    return f'<div style="{LINE}"><strong>{escape(words)}</strong>{more}</div>'


def _folded(title: str, body: str) -> str:
    return f'<details><summary style="{QUIET}">{escape(title)}</summary>{body}</details>'


def _quiet(text: str) -> str:
    return f'<span style="{QUIET}">{escape(text)}</span>'


def _quote(text: str) -> str:
    return f'<div style="{QUOTE}">{markdown(text)}</div>'


def more_rows(count: int, columns: int) -> str:
    """Return the last row of a table that leaves out some; nothing where it leaves out none."""
    return f'<tr><td colspan="{columns}" style="{CELL};{QUIET}">… {count:,} more</td></tr>' if count > 0 else ""


def _columns(value: Sequence[Any]) -> list[str]:
    """Return the keys of a list of objects in order of appearance; none if it is something else, or too wide."""
    if not all(isinstance(item, Mapping) for item in value):
        return []
    keys = list(dict.fromkeys(str(key) for item in value[:ROWS] for key in item))
    return keys if len(keys) <= COLUMNS else []


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

    def replace_picture(token: Any) -> list[Any]:
        if token.type != "image":
            return [token]
        opening = Token("link_open", "a", 1, attrs={"href": token.attrGet("src") or ""})
        label = Token("text", "", 0, content=f"picture: {token.content or 'without a name'}")
        return [opening, label, Token("link_close", "a", -1)]

    def restrict(state: Any) -> None:
        """Keep headings below the panel's own, and turn pictures into links."""
        for token in state.tokens:
            if token.type in ("heading_open", "heading_close"):
                token.tag = f"h{min(6, int(token.tag[1]) + 3)}"
            if token.children:
                token.children = [part for child in token.children for part in replace_picture(child)]

    parser = MarkdownIt("commonmark", {"html": False, "linkify": False, "breaks": True, "maxNesting": 20})
    parser.enable(["table", "strikethrough"])
    parser.validateLink = lambda url: web_address(url) is not None  # type: ignore[method-assign]  # the parser's own way to be stricter
    parser.core.ruler.push("restrict", restrict)
    return parser
