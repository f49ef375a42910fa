"""Stop everything: block new POSTs first, then end every running session.

Sessions whose creation was cut off are searched for as well: they cost money and no cell knows them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from devin_jupyter.errors import BadRequest, Conflict, DevinError, NotFound
from devin_jupyter.idempotency.create import Creator
from devin_jupyter.journal import Journal
from devin_jupyter.journal.intents import Intent, this_process
from devin_jupyter.loop import gather_limited
from devin_jupyter.models.enums import Phase
from devin_jupyter.models.snapshot import Facts, Record, Snapshot, Where
from devin_jupyter.text import format_acus, format_seconds, format_utc

_AT_A_TIME = 8
HALT_HOLDS = (
    "the halt holds until %devin resume, but the running sessions were not stopped: they keep running and using ACUs"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StopResult:
    """What became of one session."""

    session_id: str
    """Its id; for a POST whose outcome is unknown, the tag by which the session is found if there is one."""
    title: str | None
    result: str
    """`stopped`, `was over`, or why not."""
    acus: float | None

    @property
    def is_at_work(self) -> bool:
        """Whether it may still cost money."""
        return self.result not in ("stopped", "was over")

    def __str__(self) -> str:
        return f"{self.session_id:<38}  {self.result:<10}  {format_acus(self.acus):>12}  {self.title or ''}".rstrip()


async def stop_all(creator: Creator, selects: Callable[[str], bool] | None = None) -> list[StopResult]:
    """Set the halt flag, then end every session whose turn is open, or that would continue once approved.

    Args:
        creator: of the client whose key is used.
        is_meant: given a notebook's path, returns whether to end its sessions; None means all of the journal.

    Returns:
        A row for each session, and for each POST whose outcome stays unknown.

    Raises:
        DevinError: it is not known what the key can reach; the halt holds, nothing was ended.
    """
    journal, timing = creator.journal, creator.timing
    await asyncio.to_thread(journal.halt, now=timing.now(), by="stop --all")
    try:
        where = await creator.where()
    except DevinError as problem:
        problem.note(HALT_HOLDS)
        raise

    async def end_those_at_work(but: Set[str] = frozenset()) -> list[StopResult]:
        records = [item for item in await asyncio.to_thread(_at_work, journal, selects) if item.session_id not in but]
        return await gather_limited(lambda record: _end(creator, where, record), records, limit=_AT_A_TIME)

    ended = await end_those_at_work()
    uncertain = await _settle_orphans(creator, where, selects)
    late = await end_those_at_work({item.session_id for item in ended})  # adopted, or created in the meantime
    return [*ended, *late, *uncertain]


def _at_work(journal: Journal, selects: Callable[[str], bool] | None) -> list[Record]:
    """Return the sessions that may cost money: open, waiting for an approval, or woken by a message in flight."""
    woken = {message.session_id for message in journal.messages.undecided()}
    open_ones = journal.sessions(is_open=True)
    approvals = [record for record in journal.sessions(is_open=False) if _waits_for_approval(record.snapshot)]
    others = map(journal.record, woken - {record.session_id for record in open_ones})
    ours = [record for record in others if record is not None and record.facts.fingerprint]
    candidates = [*open_ones, *approvals, *ours]
    if selects is None:
        return candidates
    used = journal.notebooks_of([record.session_id for record in candidates])
    return [record for record in candidates if any(map(selects, used.get(record.session_id, ())))]


async def _settle_orphans(creator: Creator, where: Where, selects: Callable[[str], bool] | None) -> list[StopResult]:
    """Wait for POSTs in flight in a live kernel, adopt what dead ones left behind, and return what stays unknown."""
    journal, timing = creator.journal, creator.timing

    async def adopt(intent: Intent) -> None:
        with suppress(DevinError):  # it stays among those that are open
            await creator.adopt_orphan(intent)

    until = timing.now() + timing.settle_at[-1] + timing.lease_seconds
    while True:
        pending = [
            intent
            for intent in await asyncio.to_thread(journal.intents.all)
            if intent.posts and (selects is None or (intent.facts.cell and selects(intent.facts.cell.notebook)))
        ]
        mine = [intent for intent in pending if _reaches(where, intent.facts)]
        if not mine or timing.now() >= until:
            return [_unknown(intent, where) for intent in pending]
        await asyncio.gather(*map(adopt, mine))
        await timing.sleep(timing.poll_seconds)


async def _end(creator: Creator, where: Where, record: Record) -> StopResult:
    title = record.snapshot.title if record.snapshot else None
    if not _reaches(where, record.facts):
        return StopResult(session_id=record.session_id, title=title, result=_needs_key(record.facts), acus=record.acus)
    try:
        observed = await creator.refresher.look(record)
        seen = observed.snapshot
        if observed.raw is not None and seen is not None and seen.turn_over and not _waits_for_approval(seen):
            return StopResult(session_id=record.session_id, title=seen.title, result="was over", acus=seen.acus)
        async with creator.store.ending(record.session_id):
            await creator.api.sessions.terminate(record.session_id)
    except (BadRequest, Conflict, NotFound):
        result = "was over"
    except DevinError as problem:
        return StopResult(session_id=record.session_id, title=title, result=problem.message, acus=record.acus)
    else:
        result = "stopped"
    await creator.store.note(record.session_id, terminated=True)
    now = await asyncio.to_thread(creator.journal.record, record.session_id)
    return StopResult(session_id=record.session_id, title=title, result=result, acus=now.acus if now else None)


def _waits_for_approval(snapshot: Snapshot | None) -> bool:
    """Its turn counts as over, but a click in the web app would let it continue."""
    return snapshot is not None and snapshot.phase is Phase.NEEDS_APPROVAL


def _reaches(where: Where, facts: Facts) -> bool:
    there = facts.where
    same_org = where.org_id is None or there.org_id in (None, where.org_id)
    return (there.base_url, there.api_version) == (where.base_url, where.api_version) and same_org


def _needs_key(facts: Facts) -> str:
    there = facts.where
    return f"needs a key for {there.api_version} of {there.org_id or there.base_url}"


def _unknown(intent: Intent, where: Where) -> StopResult:
    why = "the service does not show it" if _reaches(where, intent.facts) else _needs_key(intent.facts)
    title = intent.facts.incidental.get("title")
    return StopResult(
        session_id=intent.tag,
        title=title,
        result=f"may have been started {'with this tag' if intent.tag else 'without a tag'}; {why}",
        acus=None,
    )


def table(stopped: Sequence[StopResult]) -> str:
    """Return what became of all sessions, a line each, and what remains to be done."""
    if not stopped:
        return "no session was running; nothing is started or sent until %devin resume"
    left = sum(item.is_at_work for item in stopped)
    rest = f"; {left} could not be stopped: stop them in the web app" if left else ""
    n_stopped = sum(item.result == "stopped" for item in stopped)
    return "\n".join([*map(str, stopped), f"{n_stopped} stopped{rest}; nothing is started or sent until %devin resume"])


def within(folder: Path) -> Callable[[str], bool]:
    """Return a test for notebooks and scripts in a folder or below it, or for the one at that path."""
    root = folder.resolve()
    return lambda notebook: Path(notebook).is_relative_to(root)


# --- after a crash or a restart ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LiveSession:
    """A session that kept running while no kernel was watching."""

    record: Record
    phase: str
    acus: float | None
    since: float | None
    """ACUs consumed since it was last read; None where unknown."""


async def still_live(creator: Creator, notebook: str) -> list[LiveSession]:
    """Return the sessions of a notebook that were running when its last kernel ended, and still are.

    Sessions that this process has already read are left out; those that a dead kernel paid for and could not
    write down any more are among them.
    """
    me, journal = this_process().text, creator.journal
    for intent in await asyncio.to_thread(lambda: journal.intents.all(notebook=notebook)):
        if intent.posts:
            with suppress(DevinError):  # it stays undecided, and its cell settles it
                await creator.adopt_orphan(intent, wait=False)
    open_ones = await asyncio.to_thread(lambda: journal.sessions(notebook=notebook, is_open=True))

    async def look(record: Record) -> LiveSession | None:
        try:
            seen = (await creator.refresher.look(record)).snapshot
        except DevinError:
            return None
        if seen is None or seen.turn_over:
            return None
        since = seen.acus - record.acus if seen.acus is not None and record.acus is not None else None
        return LiveSession(record, seen.label, seen.acus, since)

    left = [record for record in open_ones if record.seen_by != me]
    return [item for item in await asyncio.gather(*map(look, left)) if item is not None]


def live_line(lives: Sequence[LiveSession]) -> str | None:
    """Return the one line about them, or None."""
    if not lives:
        return None
    named = ", ".join(f"{item.record.session_id} ({item.phase}, {_costs(item)})" for item in lives[:3])
    more = f" and {len(lives) - 3} more" if len(lives) > 3 else ""
    verb = "session of this notebook is" if len(lives) == 1 else "sessions of this notebook are"
    return f"{len(lives)} {verb} still live: {named}{more}; %devin open ID -o NAME binds one"


def _costs(live: LiveSession) -> str:
    seen, limit = live.record.snapshot.observed_at if live.record.snapshot else None, live.record.facts.max_time
    ends = f", ends after {format_seconds(limit)} (--max-time)" if limit is not None else ""
    if live.since is None or seen is None:
        return format_acus(live.acus) + ends
    since = f"{format_acus(live.since).removesuffix(' ACU')} of it since {format_utc(seen)}"
    return f"{format_acus(live.acus)}, {since}{ends}"
