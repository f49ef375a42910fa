"""`%devin sessions`: find sessions of the organization, as a table or as a live board."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any

from devin_jupyter import loop
from devin_jupyter.errors import OptionError, Unsupported
from devin_jupyter.magics.command import Call
from devin_jupyter.magics.seen import SEEN
from devin_jupyter.magics.shown import Link, Table, labeled
from devin_jupyter.models.fields import identifier
from devin_jupyter.models.snapshot import Snapshot, observe, parse_time
from devin_jupyter.render import labels
from devin_jupyter.text import format_amount, parse_ago

SHOWN, SEARCHED, ON_BOARD = 20, 2000, 1000


class SessionTable(Table):
    """Sessions as a table; `.frame` is the same as a DataFrame, `.ids` their ids."""

    def __init__(self, found: list[tuple[dict[str, Any], Snapshot]], title: str) -> None:
        """Keep the raw sessions and their snapshots."""
        title = labeled(title, any(snapshot.simulated for _, snapshot in found))
        super().__init__([_row(snapshot) for _, snapshot in found], title=title, empty="no such sessions")
        self._raw = [raw for raw, _ in found]
        self.ids = [snapshot.session_id for _, snapshot in found]

    @property
    def frame(self) -> Any:
        """The sessions as a DataFrame with the columns of `dj.sessions_frame()`."""
        from devin_jupyter.frames import SessionRows

        rows = SessionRows()
        rows.add(self._raw)
        return rows.frame()


def sessions(call: Call) -> Any:
    """List sessions, newest first."""
    said, limit = call.said, call.said.limit
    if said.live and not call.notebook.is_terminal:
        return _board(call)
    found = _wanted(call, (limit or SHOWN) + 1)
    SEEN.add_sessions(snapshot for _, snapshot in found)
    shown, rest = found[: limit or SHOWN], len(found) > (limit or SHOWN)
    return SessionTable(shown, _about(said, len(shown), rest))


def _about(said: Any, count: int, rest: bool) -> str:
    """What is said above the table: what it leaves out, and why it stands still."""
    still = "the live board needs a notebook; this is how it is now, %devin wait SESSION follows one"
    more = f"the newest {count}; --limit N shows more, dj.sessions_frame() has all"
    none = "no session matches among the newest 2,000"
    parts = {still: said.live, more: rest and not said.limit, none: said.text and not count}
    return "; ".join(part for part, is_said in parts.items() if is_said)


def _board(call: Call) -> Any:
    """A live board; what is at work is followed, a row opens its session."""
    from devin_jupyter.panel import BatchPanel

    devin = call.devin
    found = _wanted(call, call.said.limit or ON_BOARD)
    snapshots = [snapshot for _, snapshot in found]
    return BatchPanel(loop.run(_handles(devin, snapshots)), open_session=partial(_opened, devin))


def _opened(devin: Any, identifier: str) -> Any:
    """A handle on the session of a row; a look at it leaves the session that the next cell goes on with."""
    from devin_jupyter.session import Session, open_session

    return Session(loop.run(open_session(devin.core, identifier)))


async def _handles(devin: Any, snapshots: list[Snapshot]) -> list[Any]:
    """Handles on what is at work, without asking for each; bare snapshots for the rest."""
    from devin_jupyter.session import AsyncSession, Session

    store = devin.core.store

    def handle(snapshot: Snapshot) -> Session:
        record = replace(store.record(snapshot.session_id), snapshot=snapshot)
        return Session(AsyncSession(devin.core, store.track(record)))

    return [snapshot if snapshot.turn_over else handle(snapshot) for snapshot in snapshots]


def _wanted(call: Call, count: int) -> list[tuple[dict[str, Any], Snapshot]]:
    """At most `count` sessions that fit, newest first, each with its raw object."""
    said, at = call.said, datetime.now(UTC)
    is_searched = said.text or said.phase
    raws = call.devin.sessions.list(limit=SEARCHED if is_searched else count, **_filters(call))
    record = call.devin.core.store.record
    found = [(raw, observe(raw, record(identifier(raw)), at=at)) for raw in raws]
    found.sort(key=lambda pair: pair[1].created_at or at, reverse=True)
    fitting = (pair for pair in found if not is_searched or _fits(pair[1], said.text, said.phase))
    return list(islice(fitting, count))


def _fits(snapshot: Snapshot, text: str | None, phases: list[str] | None) -> bool:
    if phases and snapshot.phase.value not in phases:
        return False
    return not text or text.lower() in _haystack(snapshot)


def _haystack(snapshot: Snapshot) -> str:
    places = (pull.url for pull in snapshot.pull_requests)
    return " ".join([snapshot.title or "", snapshot.session_id, *snapshot.tags, *snapshot.repos, *places]).lower()


def _filters(call: Call) -> dict[str, Any]:
    said = call.said
    filters = {
        "created_after": moment(said.since),
        "created_before": moment(said.until),
        "origins": said.origin,
        "tags": said.tags,
        "repo_names": said.repos,
        "playbook_id": said.playbook,
        "category": said.category,
        "is_archived": True if said.archived else None,
        **(_mine(call.devin) if said.mine else {}),
    }
    return {name: value for name, value in filters.items() if value}


def _mine(devin: Any) -> dict[str, Any]:
    if devin.settings.api_version == "v1":
        raise Unsupported("--mine needs the v3 API; this key speaks v1", hint="leave it out, or search by --tags")
    principal = devin.self()
    if principal.get("service_user_id"):
        return {"service_user_ids": [principal["service_user_id"]]}
    return {"user_ids": [principal["user_id"]]} if principal.get("user_id") else {}


def moment(text: str | None) -> int | None:
    """Return Unix seconds for `7d` (that long ago) or a date or time.

    Raises:
        OptionError: it is neither; a bare number, which may be a year, is not.
    """
    if text is None:
        return None
    at = parse_ago(text, datetime.now(UTC)) or (None if text.isdigit() else parse_time(text))
    if at is None:
        raise OptionError(f"{text!r} is no time", hint="for example 7d, 12h, 2026-11-01 or 2026-11-01T18:00")
    return int(at.timestamp())


def _row(snapshot: Snapshot) -> dict[str, Any]:
    address = labels.link(snapshot)
    merged = [pull for pull in snapshot.pull_requests if pull.state == "merged"]
    count = len(snapshot.pull_requests)
    row = {
        "title": Link(labels.title(snapshot), address),
        "phase": snapshot.phase.label,
        "ACU": None if snapshot.acus is None else format_amount(snapshot.acus),
        "started": None if snapshot.simulated else labels.timestamp(snapshot.created_at),
        "origin": snapshot.origin,
        "PRs": f"{count} ({len(merged)} merged)" if merged else count or None,
        "id": snapshot.session_id,
    }
    return {name: value for name, value in row.items() if not (snapshot.simulated and name == "started")}
