"""Stop everything: first nobody posts any more, then every session at work is ended, whoever started it here.

Sessions whose creation was cut off are looked for as well: they cost money and no cell knows them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from devin_jupyter.creation.guard import adopt_lost
from devin_jupyter.creation.lookup import Lookup
from devin_jupyter.creation.policy import Api
from devin_jupyter.creation.seeing import Eyes
from devin_jupyter.errors import BadRequest, Conflict, DevinError, NotFound
from devin_jupyter.journal import Journal
from devin_jupyter.journal.intents import Intent
from devin_jupyter.models.phase import Phase
from devin_jupyter.models.snapshot import Facts, Record, Snapshot, Where
from devin_jupyter.paid import Clock, Run
from devin_jupyter.text import format_acus

_AT_A_TIME = 8
HALT_HOLDS = "the halt holds until %devin resume, but the sessions at work were not ended: they go on, and cost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
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
        """Return one line of the table."""
        return f"{self.session_id:<38}  {self.result:<10}  {format_acus(self.acus):>12}  {self.title or ''}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopper:
    """Ends the sessions that one key reaches."""

    api: Api
    journal: Journal
    where: Callable[[], Awaitable[Where]]
    """Tells where the key reaches; asked only once the halt holds."""
    clock: Clock = field(default_factory=Clock)

    async def stop_all(self, is_meant: Callable[[str], bool] | None = None) -> list[Stopped]:
        """Set the halt flag, then end every session whose turn is open, or that goes on once it is approved.

        Args:
            is_meant: tells by a notebook's path whether its sessions are meant; None means all of the journal.

        Returns:
            A row for each session, and for each POST whose outcome stays unknown.

        Raises:
            DevinError: it cannot be told where the key reaches; the halt holds, nothing was ended.
        """
        await asyncio.to_thread(self.journal.halt, now=self.clock.now(), by="stop --all")
        try:
            place = await self.where()
        except DevinError as problem:
            problem.note(HALT_HOLDS)
            raise
        known = await self._end_all(await asyncio.to_thread(self._at_work, is_meant), place)
        lost = await self._settle(is_meant, place)
        done = {item.session_id for item in known}
        late = [entry for entry in await asyncio.to_thread(self._at_work, is_meant) if entry.session_id not in done]
        return [*known, *await self._end_all(late, place), *lost]

    def _at_work(self, is_meant: Callable[[str], bool] | None) -> list[Record]:
        woken = {message.session_id for message in self.journal.messages.undecided()}
        at_work = self.journal.sessions(is_open=True)
        others = (self.journal.record(session_id) for session_id in woken - {record.session_id for record in at_work})
        approvals = [entry for entry in self.journal.sessions(is_open=False) if _waits_for_approval(entry.snapshot)]
        ours = [record for record in others if record is not None and record.facts.fingerprint]
        candidates = [*at_work, *approvals, *ours]
        if is_meant is None:
            return candidates
        used = self.journal.notebooks_of([entry.session_id for entry in candidates])
        return [entry for entry in candidates if any(map(is_meant, used.get(entry.session_id, ())))]

    async def _settle(self, is_meant: Callable[[str], bool] | None, place: Where) -> list[Stopped]:
        """Wait for POSTs in flight in a live kernel, adopt what dead ones left behind, and return what stays open."""
        lookup = Lookup(self.api.sessions, self.api.account, place.api_version)

        async def adopt(intent: Intent) -> None:
            with suppress(DevinError):  # it stays among those that are open
                await adopt_lost(self.journal, lookup, intent, Run(self.clock))

        until = self.clock.now() + self.clock.settle_at[-1] + self.clock.lease_seconds
        while True:
            pending = [intent for intent in await asyncio.to_thread(self.journal.intents.all) if intent.posts]
            open_ones = [intent for intent in pending if _is_of(intent, is_meant)]
            mine = [intent for intent in open_ones if _reaches(place, intent.facts)]
            if not mine or self.clock.now() >= until:
                return [_lost(intent, place) for intent in open_ones]
            await asyncio.gather(*map(adopt, mine))
            await self.clock.sleep(self.clock.poll_seconds)

    async def _end_all(self, entries: Iterable[Record], place: Where) -> list[Stopped]:
        turns = asyncio.Semaphore(_AT_A_TIME)

        async def one(entry: Record) -> Stopped:
            async with turns:
                return await self._end(entry, place)

        return list(await asyncio.gather(*map(one, entries)))

    async def _end(self, entry: Record, place: Where) -> Stopped:
        title = entry.snapshot.title if entry.snapshot else None
        if not _reaches(place, entry.facts):
            return Stopped(session_id=entry.session_id, title=title, result=_needs_key(entry.facts), acus=entry.acus)
        try:
            look = await Eyes(self.api.sessions, self.journal, self.clock).look(entry)
            seen = look.snapshot
            if look.raw is not None and seen is not None and seen.turn_over and not _waits_for_approval(seen):
                return Stopped(session_id=entry.session_id, title=seen.title, result="was over", acus=seen.acus)
            await self.api.sessions.terminate(entry.session_id)
        except (BadRequest, Conflict, NotFound):
            result = "was over"
        except DevinError as problem:
            return Stopped(session_id=entry.session_id, title=title, result=problem.message, acus=entry.acus)
        else:
            result = "stopped"
        await asyncio.to_thread(self.journal.mark_terminated, entry.session_id)
        now = await asyncio.to_thread(self.journal.record, entry.session_id)
        return Stopped(session_id=entry.session_id, title=title, result=result, acus=now.acus if now else None)


def _waits_for_approval(snapshot: Snapshot | None) -> bool:
    """Its turn counts as over, and yet a click in the web app lets it work on."""
    return snapshot is not None and snapshot.phase is Phase.NEEDS_APPROVAL


def _reaches(place: Where, facts: Facts) -> bool:
    there = facts.where
    same_org = place.org_id is None or there.org_id in (None, place.org_id)
    return (there.base_url, there.api_version) == (place.base_url, place.api_version) and same_org


def _needs_key(facts: Facts) -> str:
    there = facts.where
    return f"needs a key for {there.api_version} of {there.org_id or there.base_url}"


def _lost(intent: Intent, place: Where) -> Stopped:
    facts = intent.facts
    why = "the service does not show it" if _reaches(place, facts) else _needs_key(facts)
    title = facts.incidental.get("title")
    return Stopped(session_id=intent.tag, title=title, result=f"perhaps started under this tag; {why}", acus=None)


def table(stopped: Sequence[Stopped]) -> str:
    """Return what became of all sessions, a line each, and what remains to be done."""
    if not stopped:
        return "nothing was at work; nobody on this journal posts until %devin resume"
    left = sum(item.is_at_work for item in stopped)
    rest = f"; {left} could not be stopped: open them in the web app" if left else ""
    n_stopped = sum(item.result == "stopped" for item in stopped)
    return "\n".join(
        [*map(str, stopped), f"{n_stopped} stopped{rest}; nobody on this journal posts until %devin resume"]
    )


def within(folder: Path) -> Callable[[str], bool]:
    """Return a test for notebooks and scripts in a folder or below it, or for the one at that path."""
    root = folder.resolve()
    return lambda notebook: Path(notebook).is_relative_to(root)


def _is_of(intent: Intent, is_meant: Callable[[str], bool] | None) -> bool:
    if is_meant is None:
        return True
    return intent.facts.cell is not None and is_meant(intent.facts.cell.notebook)
