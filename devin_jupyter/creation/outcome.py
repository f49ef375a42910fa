"""From what was found or made to `Started`: kept in the journal, with the one line that says what happened."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from devin_jupyter.creation import wording
from devin_jupyter.creation.job import Job
from devin_jupyter.creation.lookup import id_of, made_at
from devin_jupyter.creation.policy import Raw, Started
from devin_jupyter.creation.seeing import Eyes, Look
from devin_jupyter.errors import JournalError
from devin_jupyter.journal import Journal
from devin_jupyter.models.snapshot import Record, Snapshot, observe, visible_tags
from devin_jupyter.paid import Clock
from devin_jupyter.text import format_utc


@dataclass(frozen=True, slots=True)
class Outcome:
    """Writes down how a start ended, and says it."""

    journal: Journal
    eyes: Eyes
    clock: Clock

    async def attached(self, job: Job, entry: Record) -> Started:
        """Return the session that the journal has for this request."""
        facts = replace(
            entry.facts,
            schema=job.facts.schema or entry.facts.schema,
            take=job.facts.take,
            simulated=job.facts.simulated,
        )
        entry = replace(entry, facts=facts)
        if job.policy.refresh or entry.snapshot is None:
            look = await self.eyes.look(entry)
        else:
            look = Look(entry.snapshot)
        assert look.snapshot is not None
        if job.policy.guard is not None:
            now = self.clock.now()
            await asyncio.to_thread(self.journal.use, entry.session_id, job.policy.guard, now=now)
        differs = wording.differences(entry.facts.incidental, job.request.incidental())
        offline = f"as of {format_utc(look.snapshot.observed_at)}, {look.why_not}" if look.why_not else ""
        notice = await self._attached_line(job, look.snapshot, entry.started_at, "attached to", [offline, differs])
        return _started(entry, look.snapshot, how="attached", raw=look.raw, notice=notice)

    async def found(self, job: Job, raw: Raw, *, how: str, note: str = "") -> Started:
        """Return a session that the service has for this request and the journal had not."""
        record = self._record(job, raw, how)
        snapshot = observe(raw, record, at=datetime.fromtimestamp(self.clock.now(), UTC))
        kept = await self._remember(job, record, snapshot)
        tags = [tag for tag in job.request.tags if tag not in visible_tags(raw.get("tags") or ())]
        differs = wording.differences({"tags": "other"}, {"tags": "these"}) if tags else ""
        verb = "attached to" if how == "attached" else "found again (its answer had been lost):"
        notice = await self._attached_line(job, snapshot, made_at(raw), verb, [note, differs, kept])
        return _started(record, snapshot, how=how, raw=raw, notice=notice)

    async def created(self, job: Job, raw: Raw, *, was_lost: bool, note: str) -> Started:
        """Return the session that our POST made."""
        if raw.get("is_new_session") is False and not was_lost:  # v1 knew an equivalent one
            return await self.found(job, raw, how="attached", note="the service had it for this request")
        record = self._record(job, raw, "adopted" if was_lost else "created")
        snapshot = observe(raw, record, at=datetime.fromtimestamp(self.clock.now(), UTC))
        kept = await self._remember(job, record, snapshot)
        notes = [note, kept]
        if was_lost:
            notes.append(f"the answer was lost; found {snapshot.session_id} by its tag, one session was started")
        if job.policy.take_new and job.request.take:
            notes.append(f"started as take {job.request.take}: write --take {job.request.take} in place of --new")
        notice = "; ".join(item for item in notes if item) or None
        return _started(record, snapshot, how=record.how, raw=raw, notice=notice)

    async def _attached_line(
        self, job: Job, snapshot: Snapshot, started_at: float | None, verb: str, notes: list[str]
    ) -> str:
        takes = await asyncio.to_thread(self.journal.takes, job.base)
        return wording.attached(
            snapshot.session_id,
            started_at=started_at,
            acus=snapshot.acus,
            next_take=wording.next_take(job.request.take, takes),
            verb=verb,
            notes=notes,
        )

    def _record(self, job: Job, raw: Raw, how: str) -> Record:
        identifier = id_of(raw)
        assert identifier is not None
        return Record(session_id=identifier, facts=job.facts, how=how, started_at=made_at(raw) or self.clock.now())

    async def _remember(self, job: Job, record: Record, snapshot: Snapshot) -> str:
        """Keep the session; a journal that fails now must not hide a session that is paid for."""
        try:
            await asyncio.to_thread(
                self.journal.remember,
                snapshot.session_id,
                record.facts,
                how=record.how,
                started_at=record.started_at,
                now=self.clock.now(),
                snapshot=snapshot,
            )
        except JournalError as problem:
            return f"not written down ({problem.message}), it will be found by its tag {job.tag}"
        return ""


def _started(record: Record, snapshot: Snapshot, *, how: str, raw: Raw | None, notice: str | None) -> Started:
    assert raw is None or id_of(raw) == snapshot.session_id
    return Started(record=replace(record, snapshot=snapshot), how=how, raw=raw, notice=notice)
