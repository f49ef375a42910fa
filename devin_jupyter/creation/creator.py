"""`Creator`: from a request to the one session that stands for it, whatever happened to earlier tries."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from devin_jupyter.attachments import lacking
from devin_jupyter.creation import planning, replay
from devin_jupyter.creation.deed import Creation
from devin_jupyter.creation.guard import Guard
from devin_jupyter.creation.job import Job, make_job
from devin_jupyter.creation.leased import leased
from devin_jupyter.creation.lookup import Lookup, id_of, made_at, owner_of
from devin_jupyter.creation.outcome import Outcome
from devin_jupyter.creation.policy import Api, Plan, Raw, Started
from devin_jupyter.creation.seeing import Eyes
from devin_jupyter.errors import (
    BudgetExceeded,
    ColleaguesSession,
    ConnectionTrouble,
    DevinError,
    NoOrganization,
    OptionError,
)
from devin_jupyter.journal import Journal
from devin_jupyter.journal.intents import LeaseLost, start_lease
from devin_jupyter.models.policy import Policy
from devin_jupyter.models.snapshot import Record, Where
from devin_jupyter.paid import Clock, Run, once, settle, to_the_end
from devin_jupyter.recorded import LockFile
from devin_jupyter.request import SessionRequest, fingerprints
from devin_jupyter.text import format_utc

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Found:
    """What was there before the POST."""

    raw: Raw | None = None
    """Ours, to attach to."""
    others: frozenset[str] = frozenset()
    """Sessions with the tag that are not the one meant."""
    was_lost: bool = False
    note: str = ""


class Creator:
    """Starts sessions exactly once. One for each client; any number of kernels share the journal."""

    def __init__(
        self,
        api: Api,
        journal: Journal,
        where: Callable[[], Awaitable[Where]],
        *,
        api_version: str = "v3",
        clock: Clock | None = None,
        simulated: bool = False,
        lock: LockFile | None = None,
    ) -> None:
        """Ask nothing yet.

        Args:
            api: the calls it needs.
            journal: what is remembered.
            where: tells base URL, organization and API version; asked at the first use.
            api_version: `"v3"` or `"v1"`.
            clock: time, for tests.
            simulated: the sessions are a simulator's.
            lock: recorded sessions, used for requests that the journal does not know. Those of a simulator are no
                answer for a client of the service.
        """
        self.api, self.journal, self.clock = api, journal, clock or Clock()
        self.lookup = Lookup(api.sessions, api.account, api_version)
        self.lock = lock if simulated or lock is None else lock.real
        self._where, self.api_version, self._simulated = where, api_version, simulated
        self._eyes = Eyes(api.sessions, journal, self.clock, simulated, api_version)
        self._guard = Guard(api=api, journal=journal, lookup=self.lookup, eyes=self._eyes)
        self._outcome = Outcome(journal, self._eyes, self.clock)

    async def start(self, request: SessionRequest, policy: Policy | None = None) -> Started:
        """Return the session of a request: attached to, adopted, or started by one POST.

        When the caller is cancelled, a POST in flight is still carried to its end and written down.

        Raises:
            Refused: one of our guards said no; nothing was paid.
            CreateUncertain: it could not be settled whether a session was started.
            DevinError: the service refused, or could not be reached; no session was started.
        """
        policy = policy or Policy()
        run = Run(self.clock, policy.say, policy.is_patient)
        left = self._end_new if policy.stop_if_left else None
        return await to_the_end(lambda run: self._start(request, policy, run), run, left=left)

    async def _end_new(self, started: Started) -> None:
        if started.how in ("created", "adopted"):
            await self._guard.end(started.session_id)

    async def plan(self, request: SessionRequest, policy: Policy | None = None) -> Plan:
        """Tell what `start` would do, from the journal and the lock file alone: nothing is sent."""
        job = await self._job(request, policy or Policy())
        recorded = None if job.policy.take_new else self._recorded(job)
        return await asyncio.to_thread(planning.plan, job, self.journal, self.clock.now(), recorded)

    async def sweep(self, requests: Sequence[SessionRequest]) -> dict[str, list[Raw]]:
        """Look up on the service, once for a whole batch, the requests that the journal does not know."""
        jobs = [await self._job(request, Policy()) for request in requests]
        known = await asyncio.to_thread(self.journal.sessions_for, [job.fingerprint for job in jobs])
        return await self.lookup.sweep(job.tag for job in jobs if job.fingerprint not in known)

    async def _job(self, request: SessionRequest, policy: Policy) -> Job:
        request.check(self.api_version)
        return make_job(request, policy, await self._where(), simulated=self._simulated)

    async def _start(self, request: SessionRequest, policy: Policy, run: Run) -> Started:
        try:
            job = await self._job(request, policy)
        except (ConnectionTrouble, NoOrganization):  # the organization could not be asked for
            recorded = replay.recorded(request, self.lock) if self.lock is not None else None
            if recorded is None:
                raise
            return recorded
        if policy.take_new:
            job = make_job(await self._next_free_take(job), policy, job.where, simulated=self._simulated)
        while True:
            try:
                return await self._attach_or_create(job, run)
            except LeaseLost:  # somebody else acts, or the journal was replaced: look again from the start
                await run.sleep(run.clock.poll_seconds)

    async def _attach_or_create(self, job: Job, run: Run) -> Started:
        entry = await self._entry(job)
        if entry is not None:
            return await self._outcome.attached(job, entry)
        recorded = self._recorded(job)
        if recorded is not None:
            return recorded
        name = start_lease(job.fingerprint)
        async with leased(self.journal, name, run, meanwhile=lambda: self._entry(job)) as (lease, entry):
            if lease is None:
                return await self._outcome.attached(job, entry)
            return await self._create(job, lease, run)

    def _recorded(self, job: Job) -> Started | None:
        """A colleague's checkout may hold the answer; one that was not there yet is asked for."""
        found = replay.recorded(job.request, self.lock) if self.lock is not None else None
        if found is None or not found.snapshot.turn_over:
            return None
        made, not_before = found.snapshot.created_at, job.not_before(self.clock.now())
        return None if not_before and (made is None or made.timestamp() < not_before) else found

    async def _entry(self, job: Job) -> Record | None:
        not_before = job.not_before(self.clock.now())
        for item in job.fingerprints:
            found = await self._do(self.journal.session_for, item.text, not_before=not_before)
            if found is not None:
                return found
        return None

    async def _create(self, job: Job, lease: str, run: Run) -> Started:
        """Under the lease, without an entry in the journal."""
        found = await self._before(job, lease, run)
        if found.raw is not None:
            how = "adopted" if found.was_lost else "attached"
            return await self._outcome.found(job, found.raw, how=how, note=found.note)
        await self._do(self.journal.flags.refuse)
        if problem := lacking(job.request.secrets):
            raise problem
        passed = await self._guard.pass_or_refuse(job, run)
        await self._reserve(job, found.others, passed.ends)
        deed = self._deed(job, lease, found.others, await self._upload(job))
        raw, was_lost = await (once(deed, run) if passed.ends is None else self._replace(passed.ends, deed, run))
        return await self._outcome.created(job, raw, was_lost=was_lost, note=passed.note)

    async def _replace(self, earlier: Record, deed: Creation, run: Run) -> tuple[Raw, bool]:
        """End the earlier session once nothing of ours can refuse any more, then post."""
        try:
            await self._guard.end(earlier.session_id)
        except BaseException:
            await deed.clear()
            raise
        try:
            return await once(deed, run)
        except DevinError as problem:
            problem.note(f"{earlier.session_id} was stopped for it before")
            raise

    async def _before(self, job: Job, lease: str, run: Run) -> _Found:
        intent = await self._do(self.journal.intents.get, job.fingerprint)
        if intent is None or not intent.posts:
            return await self._look_up(job)
        run.say("an earlier kernel was about to start this session; looking whether it did")
        raw = await settle(self._deed(job, lease, intent.known_before, []), run)
        return _Found(raw, intent.known_before, was_lost=True)

    async def _look_up(self, job: Job) -> _Found:
        swept = job.policy.swept
        not_before = job.not_before(self.clock.now()) or 0.0
        mine: list[Raw] = []
        others: list[Raw] = []
        listed = [
            raw
            for item in job.fingerprints
            for raw in (swept[item.tag] if item.tag in swept else await self.lookup.find(item.tag))
        ]
        for raw in listed:
            if (made_at(raw) or self.clock.now()) >= not_before:
                is_mine = await self.lookup.is_mine(raw, job.request.options.get("as_user"))
                (mine if is_mine else others).append(raw)
        if mine:
            rest = ", ".join(str(id_of(raw)) for raw in mine[1:])
            notes = [f"the oldest of {len(mine)} for this request, beside {rest}" if rest else ""]
            notes.append(await self.lookup.doubt(mine[0], job.request.options.get("as_user")))
            return _Found(mine[0], note="; ".join(filter(None, notes)))
        if others and not job.policy.beside:
            raise _colleagues(others[0])
        return _Found(others=frozenset(str(id_of(raw)) for raw in listed))

    async def _reserve(self, job: Job, others: frozenset[str], ends: Record | None) -> None:
        """Write the intent; before a budget refuses, look how its open sessions are by now."""
        facts, now = job.facts, self.clock.now()
        write = partial(
            self.journal.intents.write,
            facts,
            known_before=others,
            now=now,
            limits=job.own_limit,
            ending=ends.session_id if ends else None,
        )
        try:
            await self._do(write)
        except BudgetExceeded:
            await self._eyes.look_at_payers(facts.scopes)
            await self._do(write)

    async def _upload(self, job: Job) -> list[str]:
        try:
            return [
                item.url or str((await self.api.attachments.upload(item.name, item.content or b""))["url"])
                for item in job.request.attachments
            ]
        except BaseException:
            await self._do(self.journal.intents.clear, job.fingerprint)
            raise

    def _deed(self, job: Job, lease: str, others: frozenset[str], urls: list[str]) -> Creation:
        version = job.where.api_version
        idempotent = (job.request.take is None and not others) if version == "v1" else None
        body = job.request.body(version, tag=job.tag, attachment_urls=urls, idempotent=idempotent)
        return Creation(
            api=self.api,
            journal=self.journal,
            lookup=self.lookup,
            clock=self.clock,
            job=job,
            lease=lease,
            body=body,
            known_before=others,
        )

    async def _next_free_take(self, job: Job) -> SessionRequest:
        if not job.policy.interactive:
            raise OptionError(
                "--new is for people at the keyboard: run again by itself it would pay again",
                "nothing was sent",
                "write --take LABEL instead",
            )
        number = 1
        while True:
            request = job.request.but(take=str(number) if number > 1 else None)
            candidate = fingerprints(request, job.where)[0]
            intent = await self._do(self.journal.intents.get, candidate.text)
            if intent is not None and intent.posts:
                return request  # an earlier try at this take, to be settled
            known = await self._do(self.journal.session_for, candidate.text)
            if known is None and not await self.lookup.find(candidate.tag):
                return request
            number += 1

    async def _do(self, work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        return await asyncio.to_thread(work, *args, **kwargs)


def _colleagues(raw: Raw) -> ColleaguesSession:
    session_id = id_of(raw)
    return ColleaguesSession(
        f"{owner_of(raw)} started the same request on {format_utc(made_at(raw))}: {session_id}",
        "nothing was sent and nothing was paid",
        f"%devin open {session_id} -o NAME reads it; --beside starts one of your own",
    )
