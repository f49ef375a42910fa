"""`%devin playbooks`, `knowledge`, `secrets`, `schedules`: what the organization has, by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from devin_jupyter.magics.command import Call
from devin_jupyter.magics.seen import SEEN
from devin_jupyter.magics.shown import Table, Text


def playbooks(call: Call) -> Any:
    """List playbooks, or show one."""
    if call.said.show:
        one = call.devin.playbooks.get(call.said.show)
        return Text(f"{one.get('title')} ({one.get('playbook_id')})\n\n{one.get('body')}")
    found = list(call.devin.playbooks.list())
    SEEN.add("playbooks", _pairs(found, "playbook_id", "title"))
    rows = [
        {"title": one.get("title"), "macro": one.get("macro"), "id": one.get("playbook_id")}
        for one in _with_text(call, found, "title")
    ]
    return Table(rows, empty="no playbooks")


def knowledge(call: Call) -> Any:
    """List knowledge notes, or show one."""
    if call.said.show:
        one = call.devin.knowledge.get(call.said.show)
        return Text(f"{one.get('name')} ({_note_id(one)})\nwhen: {_trigger(one)}\n\n{one.get('body')}")
    found = list(call.devin.knowledge.list())
    SEEN.add("knowledge", ((_note_id(one), str(one.get("name") or "")) for one in found))
    rows = [
        {"name": one.get("name"), "when": _trigger(one), "id": _note_id(one)} for one in _with_text(call, found, "name")
    ]
    return Table(rows, empty="no knowledge notes")


def secrets(call: Call) -> Table:
    """List the names of secrets; the service never tells values."""
    found = list(call.devin.secrets.list())
    SEEN.add("secrets", _pairs(found, "secret_id", "key", "secret_name"))
    rows = [
        {
            "name": one.get("key") or one.get("secret_name"),
            "type": one.get("secret_type"),
            "note": one.get("note"),
            "id": one.get("secret_id"),
        }
        for one in _with_text(call, found, "key", "secret_name")
    ]
    return Table(rows, empty="no secrets")


def schedules(call: Call) -> Table:
    """List scheduled sessions."""
    rows = [
        {
            "name": one.get("name"),
            "when": one.get("frequency") or one.get("scheduled_at"),
            "on": "yes" if one.get("enabled", True) else "no",
            "id": one.get("scheduled_session_id"),
        }
        for one in _with_text(call, list(call.devin.schedules.list()), "name")
    ]
    return Table(rows, empty="no schedules")


def _with_text(call: Call, found: Iterable[dict[str, Any]], *fields: str) -> list[dict[str, Any]]:
    text = (call.said.text or "").lower()
    return [one for one in found if any(text in str(one.get(name) or "").lower() for name in fields)]


def _pairs(found: Iterable[dict[str, Any]], key: str, *labels: str) -> list[tuple[str, str]]:
    return [(str(one.get(key)), next((str(one[name]) for name in labels if one.get(name)), "")) for one in found]


def _note_id(note: dict[str, Any]) -> str:
    return str(note.get("note_id") or note.get("id") or "")


def _trigger(note: dict[str, Any]) -> Any:
    return note.get("trigger") or note.get("trigger_description")
