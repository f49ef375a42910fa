"""The changed cell: an edit must not start a second session while the first is still at work, unless that is said."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from devin_jupyter.creation.deed import Lost
from devin_jupyter.creation.job import Job
from devin_jupyter.creation.lookup import Lookup, id_of, made_at
from devin_jupyter.creation.policy import Api, Raw
from devin_jupyter.creation.seeing import Eyes, Look
from devin_jupyter.creation.wording import cell_name, change, earlier_over, state
from devin_jupyter.errors import ApiError, BadRequest, Conflict, NotFound, SessionChanged
from devin_jupyter.journal import Journal
from devin_jupyter.journal.intents import Intent, start_lease
from devin_jupyter.models.snapshot import Record
from devin_jupyter.paid import Run, settle
from devin_jupyter.recorded import clean


@dataclass(frozen=True, slots=True)
class Passed:
    """What the guard lets happen."""

    note: str = ""
    """About the session that the cell had before."""
    ends: Record | None = None
    """That session, where it is to be ended right before the POST."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Looks at the session that a cell had before."""

    api: Api
    journal: Journal
    lookup: Lookup
    eyes: Eyes

    async def pass_or_refuse(self, job: Job, run: Run) -> Passed:
        """Return what is to be said of the earlier session, and whether `--replace` ends it; nothing is done yet.

        Raises:
            SessionChanged: it is still at work, and nobody said what shall become of it.
        """
        await self._settle_others(job, run)
        entry = await asyncio.to_thread(earlier, job, self.journal)
        if entry is None:
            return Passed()
        look = Look(entry.snapshot)
        if entry.is_open or look.snapshot is None or not look.snapshot.turn_over:  # ended since it was last seen
            look = await self._look(entry)
        named = f"{entry.session_id} ({state(look.snapshot, entry)})"
        if look.snapshot is not None and look.snapshot.turn_over:
            return Passed(earlier_over(job.policy.guard, named, look.snapshot))
        if job.policy.replace:
            return Passed(f"stopped the earlier session of {cell_name(job.policy.guard)}, {named}", entry)
        if job.policy.beside or not job.policy.interactive:
            return Passed(f"the earlier session of {cell_name(job.policy.guard)}, {named}, goes on")
        raise refusal(job, entry, named)

    async def _look(self, entry: Record) -> Look:
        try:
            return await self.eyes.look(entry)
        except ApiError:
            return Look(entry.snapshot)

    async def end(self, session_id: str) -> None:
        """End a session for good: the earlier one for `--replace`, or one that its caller wants no more."""
        with suppress(BadRequest, NotFound, Conflict):  # it is over already
            await self.api.sessions.terminate(session_id)
        await asyncio.to_thread(self.journal.mark_terminated, session_id)

    async def _settle_others(self, job: Job, run: Run) -> None:
        """Sessions of this cell whose answer was lost with their kernel may be at work without being known."""
        cell = job.policy.guard
        if cell is None or job.policy.batch is not None:  # the rows of a batch share a cell, and settle themselves
            return
        for intent in await asyncio.to_thread(lambda: self.journal.intents.all(cell=cell)):
            if intent.fingerprint != job.fingerprint and intent.posts:
                await adopt_lost(self.journal, self.lookup, intent, run)


def earlier(job: Job, journal: Journal) -> Record | None:
    """Return the session of the cell's earlier text, or None: also when only the take differs."""
    cell = job.policy.guard
    if cell is None or job.policy.batch is not None:
        return None
    entry = journal.last_used(cell)
    if (
        entry is None
        or entry.facts.base == job.base
        or entry.facts.fingerprint in {item.text for item in job.fingerprints}
    ):
        return None
    return entry


async def adopt_lost(
    journal: Journal, lookup: Lookup, intent: Intent, run: Run, *, in_passing: bool = False
) -> Raw | None:
    """Settle an intent that a dead process left behind, and keep the session that it made, if any.

    Args:
        journal: where the intent is.
        lookup: finds the session.
        intent: of the dead process.
        run: the caller's clock.
        in_passing: look once, without waiting; what is not found then stays undecided.

    Raises:
        DevinError: the service cannot be asked.
    """
    name, now = start_lease(intent.fingerprint), run.clock.now()
    token = await asyncio.to_thread(journal.leases.take, name, now=now, seconds=4 * run.clock.lease_seconds)
    if token is None:
        return None  # somebody is at it
    try:
        lost = Lost(journal=journal, lookup=lookup, intent=intent)
        raw = await (lost.look() if in_passing else settle(lost, run))
        if raw is None and not in_passing:
            await lost.clear()
        if raw is None:
            return None
        identifier, at = id_of(raw), made_at(raw) or intent.written_at
        assert identifier is not None
        await asyncio.to_thread(
            journal.remember, identifier, intent.facts, how="adopted", started_at=at, now=intent.written_at
        )
        return raw
    finally:
        await asyncio.to_thread(journal.leases.give_back, name, token)


def refusal(job: Job, entry: Record, named: str) -> SessionChanged:
    """Return the error for a changed cell, with the size of the change and the three ways on."""
    name, size = cell_name(job.policy.guard), change(entry.facts.prompt, clean(job.request.prompt))
    what = f"this cell was changed ({size}), and the session of its earlier text"
    if name != "this cell":  # perhaps another cell
        what = f"{name} had another text before ({size}), and the session of that text"
    return SessionChanged(
        f"{what} is still at work: {named}",
        "nothing was sent and nothing was paid",
        f"--to {entry.session_id} sends it the text, --replace stops it and starts this one, --beside runs both",
    )
