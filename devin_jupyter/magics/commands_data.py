"""`%devin tags`, `messages`, `files`, `insights`: what one session holds."""

from __future__ import annotations

from html import escape
from typing import Any

from devin_jupyter.magics import written
from devin_jupyter.magics.command import Call
from devin_jupyter.magics.seen import SEEN
from devin_jupyter.magics.shown import Table
from devin_jupyter.render import labels
from devin_jupyter.render.html import markdown
from devin_jupyter.text import safe_text


def tags(call: Call) -> None:
    """Show, add or replace a session's tags."""
    session = call.notebook.session(call.said.session)
    if call.said.replace:
        session.tag(*call.said.replace, replace=True)
    if call.said.add:
        session.tag(*call.said.add)
    if not call.said.add and not call.said.replace:
        session.refresh()
    SEEN.add("tags", ((tag, "") for tag in session.tags))
    print(", ".join(session.tags) or "no tags")


class Conversation:
    """Messages, oldest first, as text and as safe HTML."""

    def __init__(self, messages: list[Any], simulated: bool, before: int = 0) -> None:
        """Keep the messages; `before` were left out."""
        self.messages, self._simulated, self._before = messages, simulated, before

    def __repr__(self) -> str:
        """One block a message."""
        blocks = [f"{self._head(one)}\n{safe_text(one.text).strip()}" for one in self.messages]
        return "\n\n".join([*([self._left_out] if self._before else []), *blocks]) or "no messages"

    def _repr_html_(self) -> str:
        blocks = [
            f'<div style="margin:8px 0"><strong>{escape(self._head(one))}</strong>{markdown(one.text)}</div>'
            for one in self.messages
        ]
        left_out = f"<div>{self._left_out}</div>" if self._before else ""
        return f"<div>{left_out}{''.join(blocks) or 'no messages'}</div>"

    @property
    def _left_out(self) -> str:
        return f"({self._before:,} earlier messages left out)"

    def _head(self, message: Any) -> str:
        who = labels.speaker(message)
        at = None if self._simulated else labels.timestamp(message.created_at)
        return f"{who}, {at}" if at else who


def messages(call: Call) -> Conversation:
    """Show the conversation, oldest first."""
    session = call.notebook.session(call.said.session)
    session.refresh()
    found = list(session.messages)
    shown = found[-call.said.limit :] if call.said.limit else found
    return Conversation(shown, session.snapshot.simulated, len(found) - len(shown))


def files(call: Call) -> Any:
    """List a session's files, or download them."""
    session = call.notebook.session(call.said.session)
    if call.said.download is not None:
        with written.at(call.said.download or session.id):
            paths = session.download(call.said.download or None)
        for path in paths:
            print(path)
        return None
    rows = [
        {"name": item.get("name"), "from": item.get("source"), "type": item.get("content_type")}
        for item in session.attachments()
    ]
    return Table(rows, empty="no files")


def insights(call: Call) -> Any:
    """Show what the service says about how a session went."""
    session = call.notebook.session(call.said.session)
    found = session.insights(generate=call.said.generate)
    raw = found if isinstance(found, dict) else dict(found)
    analysis = raw.get("analysis") or {}
    rows: list[dict[str, Any]] = [
        {"fact": "size", "value": raw.get("session_size")},
        {
            "fact": "messages",
            "value": f"{raw.get('num_devin_messages')} by Devin, {raw.get('num_user_messages')} by you",
        },
        *({"fact": "issue", "value": one.get("issue")} for one in analysis.get("issues") or ()),
        *({"fact": "to do", "value": one.get("action_item")} for one in analysis.get("action_items") or ()),
        *({"fact": one.get("title"), "value": one.get("description")} for one in analysis.get("timeline") or ()),
    ]
    return Table(rows, title="" if analysis else "no analysis yet; --generate has it made, which takes about a minute")
