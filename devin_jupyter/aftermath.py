"""After a crash or a restart: which sessions of this notebook went on meanwhile, and what they have cost since."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from devin_jupyter.creation import Creator
from devin_jupyter.creation.guard import adopt_lost
from devin_jupyter.creation.seeing import Eyes
from devin_jupyter.errors import DevinError
from devin_jupyter.journal.intents import this_process
from devin_jupyter.models.snapshot import Record
from devin_jupyter.paid import Run
from devin_jupyter.text import format_acus, format_utc


@dataclass(frozen=True, slots=True)
class Live:
    """A session that went on while no kernel looked."""

    entry: Record
    phase: str
    acus: float | None
    since: float | None
    """ACUs consumed since it was last looked at; None where unknown."""


async def still_live(creator: Creator, notebook: str) -> list[Live]:
    """Return the sessions of a notebook that were at work when its last kernel ended, and are still.

    Sessions that this process has looked at already are left out; those that a dead kernel paid for and could not
    write down any more are among them.
    """
    me, journal = this_process().text, creator.journal
    await _adopt(creator, notebook)
    open_ones = await asyncio.to_thread(lambda: journal.sessions(notebook=notebook, is_open=True))
    left = [entry for entry in open_ones if entry.seen_by != me]
    eyes = Eyes(creator.api.sessions, journal, creator.clock, api_version=creator.api_version)

    async def one(entry: Record) -> Live | None:
        try:
            look = await eyes.look(entry)
        except DevinError:
            return None
        seen = look.snapshot
        if seen is None or seen.turn_over:
            return None
        since = seen.acus - entry.acus if seen.acus is not None and entry.acus is not None else None
        return Live(entry, seen.phase.label, seen.acus, since)

    return [item for item in await asyncio.gather(*map(one, left)) if item is not None]


async def _adopt(creator: Creator, notebook: str) -> None:
    for intent in await asyncio.to_thread(lambda: creator.journal.intents.all(notebook=notebook)):
        if intent.posts:
            with suppress(DevinError):  # it stays undecided, and its cell settles it
                await adopt_lost(creator.journal, creator.lookup, intent, Run(creator.clock), in_passing=True)


def live_line(lives: Sequence[Live]) -> str | None:
    """Return the one line about them, or None."""
    if not lives:
        return None
    named = ", ".join(f"{item.entry.session_id} ({item.phase}, {_costs(item)})" for item in lives[:3])
    more = f" and {len(lives) - 3} more" if len(lives) > 3 else ""
    verb = "session of this notebook is" if len(lives) == 1 else "sessions of this notebook are"
    return f"{len(lives)} {verb} still live: {named}{more}; %devin open ID -o NAME binds one"


def _costs(live: Live) -> str:
    seen = live.entry.snapshot.observed_at if live.entry.snapshot else None
    if live.since is None or seen is None:
        return format_acus(live.acus)
    return f"{format_acus(live.acus)}, {format_acus(live.since).removesuffix(' ACU')} of it since {format_utc(seen)}"
