"""A snapshot as static HTML that survives what notebook viewers do to it.

Untrusted notebooks lose style and script tags, svg, aria, data attributes and `var()`; GitHub drops inline styles
as well. So: plain elements in reading order, inline styles only, colors inherited except on filled badges, which
read on light and dark alike.
"""

from __future__ import annotations

from html import escape

from devin_jupyter.models.phase import Phase
from devin_jupyter.models.snapshot import Message, PullRequest, Snapshot
from devin_jupyter.render import wording
from devin_jupyter.render.markup import markdown
from devin_jupyter.render.values import CELL, table, value_html

BOX = "border:1px solid rgba(128,128,128,0.4);border-radius:6px;padding:10px 14px;margin:2px 0;line-height:1.5"
_BADGE = "color:#ffffff;border-radius:10px;padding:1px 9px;font-weight:600;white-space:nowrap"
QUIET = "opacity:0.8"
_QUOTE = "border-left:3px solid rgba(128,128,128,0.6);padding:0 0 0 10px;margin:8px 0"
LINE = "margin:4px 0"


def html(snapshot: Snapshot, *, transcript: bool = False, home: str = "") -> str:
    """Return the snapshot as static HTML with inline styles.

    Args:
        snapshot: what to show.
        transcript: add the conversation, folded.
        home: names the place where the live panel of that name may settle.
    """
    parts = [
        _headline(snapshot),
        _explained(snapshot),
        _question(snapshot),
        _answer(snapshot),
        _pull_requests(snapshot),
        _about(snapshot),
        _transcript(snapshot.messages) if transcript else "",
    ]
    place = f" dv-home-{escape(home)}" if home else ""
    return f'<div class="dv-snapshot{place}" style="{BOX}">{"".join(parts)}</div>'


def anchor(url: str | None, label: str) -> str:
    """Return a link to a checked http(s) address, or the bare label where there is none; escapes both."""
    if url is None:
        return escape(label)
    return f'<a href="{escape(url)}" target="_blank" rel="noopener noreferrer">{escape(label)}</a>'


def _headline(snapshot: Snapshot) -> str:
    look = wording.LOOKS[snapshot.phase]
    phase = badge(f"{look.icon} {snapshot.phase.label}", look.color)
    notes = "".join(f" {badge(label, '#57606a')}" for label in wording.labels(snapshot))
    title = anchor(wording.link(snapshot), wording.title(snapshot))
    cost = f'<span style="{QUIET};white-space:nowrap">{escape(wording.cost(snapshot))}</span>'
    return f'<div style="{LINE}">{phase}{notes} <strong>{title}</strong> · {cost}{_as_of(snapshot)}</div>'


def _as_of(snapshot: Snapshot) -> str:
    """When it stood so, while it may go on: the file may be read long after."""
    at = None if snapshot.simulated or snapshot.turn_over else wording.moment(snapshot.observed_at)
    return f' <span style="{QUIET}">· as of {escape(at)}</span>' if at else ""


def badge(words: str, color: str) -> str:
    """Return a filled badge that reads on light and dark."""
    return f'<span style="background-color:{color};{_BADGE}">{escape(words)}</span>'


def _explained(snapshot: Snapshot) -> str:
    sentence = wording.explanation(snapshot)
    address = wording.link(snapshot) if snapshot.phase is Phase.NEEDS_APPROVAL else None
    way = f" {anchor(address, 'Approve it in Devin')}" if address else ""
    return f'<div style="{LINE}"><span style="{QUIET}">{escape(sentence)}</span>{way}</div>' if sentence else ""


def _question(snapshot: Snapshot) -> str:
    said = wording.said(snapshot)
    return f'<div style="{LINE}"><strong>Devin wrote</strong></div>{_quote(said)}' if said else ""


def _quote(text: str) -> str:
    return f'<div style="{_QUOTE}">{markdown(text)}</div>'


def _answer(snapshot: Snapshot) -> str:
    value = wording.answer(snapshot)
    if value is None:
        return ""
    standing = wording.standing(snapshot)
    note = f' <span style="{QUIET}">({escape(standing)})</span>' if standing else ""
    body = _quote(value) if isinstance(value, str) else f'<div style="overflow-x:auto">{value_html(value)}</div>'
    return f'<div style="{LINE}"><strong>Answer</strong>{note}</div>{body}'


def _pull_requests(snapshot: Snapshot) -> str:
    rows = "".join(_pull_request(each) for each in snapshot.pull_requests)
    return f'<div style="{LINE}"><strong>Pull requests</strong></div>{table(rows)}' if rows else ""


def _pull_request(pull_request: PullRequest) -> str:
    name = anchor(wording.web_address(pull_request.url), wording.pull_request_name(pull_request))
    state = escape(wording.one_line(pull_request.state or "state unknown", 40))
    return f'<tr><td style="{CELL}">{name}</td><td style="{CELL}">{state}</td></tr>'


def _about(snapshot: Snapshot) -> str:
    rows = "".join(_fact(name, value) for name, value in _facts(snapshot) if value)
    return f'<details><summary style="{QUIET}">Session</summary>{table(rows)}</details>'


def _facts(snapshot: Snapshot) -> list[tuple[str, str | None]]:
    timed = not snapshot.simulated
    return [
        ("id", snapshot.session_id),
        ("repositories", ", ".join(snapshot.repos)),
        ("mode", snapshot.mode),
        ("tags", ", ".join(snapshot.tags)),
        ("started", wording.moment(snapshot.created_at) if timed else None),
        ("last change", wording.moment(snapshot.updated_at) if timed else None),
    ]


def _fact(name: str, value: str | None) -> str:
    label, fact = escape(name), escape(wording.one_line(value, 400))
    return f'<tr><td style="{CELL};{QUIET}">{label}</td><td style="{CELL}">{fact}</td></tr>'


def _transcript(messages: tuple[Message, ...]) -> str:
    said = "".join(
        f'<div style="{LINE}"><strong>{wording.speaker(each)}</strong></div>{_quote(each.text)}' for each in messages
    )
    return f"<details><summary>Conversation ({len(messages)})</summary>{said}</details>" if messages else ""
