"""Starting a session, exactly once: the first of the paid acts.

`Creator` is the only caller of create. What happens is decided under a lease, from the journal first and the service
second: attach to the session there is, adopt the one whose answer was lost, or pay for one POST. On the service, our
sessions are found by their tag and told apart from a colleague's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from devin_jupyter.api.analytics import Account
from devin_jupyter.api.files import Attachments
from devin_jupyter.api.library import Playbooks
from devin_jupyter.api.sessions import Sessions, first_message, made_since, own_tags, service_time, shows_tags
from devin_jupyter.errors import (
    ApiError,
    BadRequest,
    BudgetExceeded,
    ColleaguesSession,
    Conflict,
    ConnectionTrouble,
    CreateUncertain,
    DevinError,
    Forbidden,
    JournalError,
    NoOrganization,
    NotFound,
    OptionError,
    SessionChanged,
    Unprocessable,
    UnreadableAnswer,
)
from devin_jupyter.idempotency.attach import (
    REFRESH_TIMEOUT,
    CreateResult,
    Observation,
    Refresher,
    attached,
    cell_name,
    difference,
    differences,
    next_take,
    recorded,
    state,
)
from devin_jupyter.idempotency.once import Attempt, PaidAct, Timing, in_seconds, once, settle, shielded
from devin_jupyter.journal import Journal
from devin_jupyter.journal.intents import Intent, start_lease
from devin_jupyter.models.enums import SCENARIOS
from devin_jupyter.models.fields import id_of, made_at, our_tags, same_tags
from devin_jupyter.models.fields import session_id as prefixed
from devin_jupyter.models.snapshot import (
    Facts,
    Policy,
    Record,
    Where,
    observe,
)
from devin_jupyter.monitor.store import SessionStore
from devin_jupyter.recorded import LockFile, clean, same_text
from devin_jupyter.request import Attachment, Fingerprint, SessionRequest, lacking
from devin_jupyter.text import LEFT_TO_THE_SERVICE, format_acus, format_utc, nearest

if TYPE_CHECKING:
    from devin_jupyter.schema import Schema

Raw = Mapping[str, Any]
T = TypeVar("T")

_AT_ONCE = 50
"""How many requests are looked up by one: each has a few tags, and some proxies take no longer URLs."""
_AT_A_TIME = 8
_MOST_SWEEPS = 10
_PLAYBOOK_SECONDS = 60.0
"""How long the schema of a playbook is taken for the present one."""
_MOST_READ = 100
"""How many listed sessions without tags are read one by one."""
SWEPT_SECONDS = 30.0
"""After this time a request that a sweep did not find is looked up again before its POST."""


@dataclass(frozen=True, slots=True)
class Api:
    """The operations that starting a session needs."""

    sessions: Sessions
    attachments: Attachments
    account: Account
    playbooks: Playbooks


class Creator:
    """Starts sessions exactly once. One for each client; any number of kernels share the journal."""

    def __init__(
        self,
        api: Api,
        journal: Journal,
        store: SessionStore,
        where: Callable[[], Awaitable[Where]],
        *,
        api_version: str = "v3",
        timing: Timing | None = None,
        simulated: bool = False,
        lock: LockFile | None = None,
    ) -> None:
        """Send nothing yet.

        Args:
            api: the operations.
            journal: what is remembered.
            store: what is known of sessions.
            where: returns base URL, organization and API version; asked at the first use.
            api_version: `"v3"` or `"v1"`.
            timing: for tests.
            simulated: the sessions are a simulator's.
            lock: recorded sessions, used for requests that the journal does not know. Those of a simulator are no
                answer for a client of the service.
        """
        self.api, self.journal, self.store, self.where = api, journal, store, where
        self.api_version, self.simulated, self.timing = api_version, simulated, timing or Timing()
        self.lock = lock if simulated or lock is None else lock.real
        self.lookup = Lookup(api.sessions, api.account, api_version)
        self.refresher = Refresher(api.sessions, store, self.timing)
        self._playbooks: dict[str, tuple[float, asyncio.Future[Schema | None]]] = {}
        """By id: when the schema of a playbook was asked for, and the schema."""
        self.is_tagging = True
        """Sessions get a tag by which they are found again; an organization may allow only listed tags."""
        self.has_tagged = False
        """The service has taken such a tag."""
        self._ahead: float | None = None
        """How far the service's clock is ahead of ours, in seconds."""
        self._here: set[str] = set()
        """Sessions that a key of v1 started, and that this one can read."""

    async def start(self, request: SessionRequest, policy: Policy | None = None) -> CreateResult:
        """Return the session of a request: attached to, adopted, or started by one POST.

        When the caller is cancelled, a POST in flight is still completed and written down.

        Raises:
            Refused: a check refused it; nothing was paid.
            CreateUncertain: it is not known whether a session was started.
            DevinError: the service refused, or could not be reached; no session was started.
        """
        policy = policy or Policy()
        try:
            call = await self.call(request, policy)
        except (ConnectionTrouble, NoOrganization):  # the organization could not be asked for
            found = recorded(request, self.lock) if self.lock is not None else None
            if found is None:
                raise
            return found
        if policy.take_new:
            call = CreateCall(self, await self._next_free_take(call), policy, call.facts.where)

        async def end_new(result: CreateResult) -> None:
            if result.is_new:
                await self.end(result.session_id)

        attempt = Attempt(self.timing, policy.say, policy.is_patient)
        left = end_new if policy.stop_if_left else None
        try:
            result = await shielded(once(call, self.journal, attempt), attempt, left=left)
        except DevinError as problem:
            if request.notes and isinstance(problem, (BadRequest, Unprocessable)):
                # such as a mode that the service does not know either
                problem.note("; ".join(note.removesuffix(LEFT_TO_THE_SERVICE) for note in request.notes))
            if call.stopped is not None:
                problem.note(f"{call.stopped} was stopped first")
            raise
        return await shielded(self._typed_by_playbook(result, request), attempt, left=left)

    async def _typed_by_playbook(self, result: CreateResult, request: SessionRequest) -> CreateResult:
        """Have the answer read by the schema of the playbook, where the request brings none.

        The session is there already, and paid for: whatever goes wrong here is a line and no error.
        """
        record, playbook = result.record, request.options.get("playbook")
        if not playbook or record.facts.schema is not None or result.how == "recorded":
            return result
        now = self.timing.now()
        asked, reading = self._playbooks.get(playbook, (0.0, None))
        if reading is None or now - asked > _PLAYBOOK_SECONDS:
            reading = asyncio.ensure_future(asyncio.wait_for(self._schema_of(playbook), REFRESH_TIMEOUT))
            self._playbooks[playbook] = now, reading
        try:
            schema = await asyncio.shield(reading)
            if schema is None:
                return result
            await asyncio.to_thread(self.journal.keep_schema, record.session_id, schema.wire)
        except (DevinError, TimeoutError) as problem:
            what = str(getattr(problem, "message", "")) or f"no answer within {REFRESH_TIMEOUT:g} s"
            line = f"the answer is not typed: the schema of the playbook cannot be read ({what})"
            return replace(result, notice="; ".join(filter(None, [result.notice, line])))
        record, raw = replace(record, facts=replace(record.facts, schema=schema)), result.raw
        if raw is None:  # what was seen without the schema is judged by it
            with suppress(DevinError, TimeoutError):
                get = self.api.sessions.get(record.session_id, retries=False)
                raw = await asyncio.wait_for(get, REFRESH_TIMEOUT)
        if raw is not None:
            raw = {**raw, "session_id": record.session_id}
            record = replace(record, snapshot=observe(raw, record, at=datetime.fromtimestamp(now, UTC)))
        return replace(result, record=record)

    async def _schema_of(self, playbook: str) -> Schema | None:
        wire = (await self.api.playbooks.get(playbook)).get("structured_output_schema")
        if not wire:
            return None
        from devin_jupyter.schema import load_schema

        return load_schema(wire)

    def service_time(self) -> float:
        """Return the present time by the service's clock, in Unix seconds; by ours where it has not told its own."""
        if self._ahead is not None:
            return self.timing.now() + self._ahead
        return service_time(self.api.sessions) or self.timing.now()

    def local_time(self, made: float | None) -> float:
        """Return a moment of the service's clock, such as when a session was made, by this machine's."""
        now = self.timing.now()
        return now if made is None else now - max(0.0, self.service_time() - made)

    def note_made(self, raw: Raw) -> None:
        """Learn the service's clock from a session that it has just made."""
        made = made_at(raw)
        self._ahead = self._ahead if made is None else made - self.timing.now()

    async def call(self, request: SessionRequest, policy: Policy) -> CreateCall:
        """Return the create call for a request, checked against this version of the API; nothing is sent."""
        request.check(self.api_version)
        return CreateCall(self, request, policy, await self.where())

    async def sweep(self, requests: Sequence[SessionRequest]) -> dict[str, list[Raw]]:
        """Look up on the service, once for a whole batch, the requests that the journal does not know."""
        calls = [await self.call(request, Policy()) for request in requests]
        known = await asyncio.to_thread(self.journal.sessions_for, [call.identity.texts for call in calls])
        return await self.lookup.sweep(call.identity for call in calls if call.fingerprint not in known)

    async def here(self, records: Iterable[Record]) -> set[str]:
        """Return which of these sessions are of this organization: a key of v1, which started some, does not tell.

        Raises:
            DevinError: the service cannot be asked.
        """
        org_id, records = (await self.where()).org_id, list(records)
        unsure = [one.session_id for one in records if one.facts.where.org_id != org_id]
        unasked = [name for name in unsure if name not in self._here]
        if len(unasked) == 1:
            with suppress(NotFound, Forbidden):
                await self.api.sessions.get(unasked[0])
                self._here.add(unasked[0])
        elif unasked:
            self._here |= {prefixed(str(raw["session_id"])) for raw in await self._existing(unasked)}
        return {one.session_id for one in records} - (set(unsure) - self._here)

    async def _existing(self, session_ids: Sequence[str]) -> Sequence[Raw]:
        found = await self.api.sessions.by_ids(session_ids)
        found.problems = {name: one for name, one in found.problems.items() if not isinstance(one, Forbidden)}
        return found.existing()

    async def end(self, session_id: str) -> None:
        """End a session for good: the earlier one for `--replace`, or one that its caller no longer wants."""
        with suppress(BadRequest, NotFound, Conflict):  # it is over already
            async with self.store.ending(session_id):
                await self.api.sessions.terminate(session_id)
        await self.store.note(session_id, terminated=True)

    async def adopt_orphan(self, intent: Intent, *, wait: bool = True) -> Raw | None:
        """Settle an intent that a dead process left behind, and keep the session that it made, if any.

        Args:
            intent: of the dead process.
            wait: look until the service must show it; else look once, and what is not found stays undecided.

        Raises:
            DevinError: the service cannot be asked.
        """

        def uncertain(problem: DevinError, seconds: float) -> CreateUncertain:
            return CreateUncertain(
                f"an earlier kernel was about to start a session, and the service cannot be asked: {problem.message}",
                f"there may be a session with {mark_of(intent)}; nothing was sent now",
                "run the cell again when the service can be reached",
            )

        journal, timing, name = self.journal, self.timing, start_lease(intent.fingerprint)
        seconds = 4 * timing.lease_seconds
        token = await asyncio.to_thread(journal.leases.take, name, now=timing.now(), seconds=seconds)
        if token is None:
            return None  # another process is at it
        try:
            find = partial(self.find_lost, intent, None)
            raw = (await settle(find, uncertain, Attempt(timing)))[0] if wait else await find()
            if raw is None and wait:
                await asyncio.to_thread(journal.intents.clear, intent.fingerprint)
            if raw is None:
                return None
            identifier, made = id_of(raw), made_at(raw)
            assert identifier is not None
            remember = partial(journal.remember, identifier, intent.facts, how="adopted")
            times = {"started_at": made or intent.written_at, "began_at": self.local_time(made)}
            await asyncio.to_thread(remember, now=intent.written_at, **times)
            return raw
        finally:
            await asyncio.to_thread(journal.leases.give_back, name, token)

    async def find_lost(self, intent: Intent, as_user: str | None) -> Raw | None:
        """Return the session that a POST of this intent has made, or None: found by its tag, else by what was asked.

        Raises:
            CreateUncertain: without a tag, several may be the one.
        """
        if intent.tag:
            return await self.lookup.find_new(intent.tag, intent.known_before, as_user)
        made_after = self.service_time() - max(0.0, self.timing.now() - intent.written_at) - _CLOCK_MARGIN

        async def is_other(identifier: str) -> bool:
            known = await asyncio.to_thread(self.journal.record, identifier)
            is_known = known is not None and known.facts.fingerprint not in (None, intent.fingerprint)
            return is_known or identifier in intent.known_before

        found = await self.lookup.asked_for(intent.facts.prompt, made_after, as_user, is_other)
        if len(found) > 1:
            names = ", ".join(str(id_of(raw)) for raw in found)
            raise CreateUncertain(
                f"it is not known which session was started: {names} were asked for the same at that time",
                "nothing more was sent",
                "%devin open ID attaches to one of them; --take 2 starts another",
            )
        return found[0] if found else None

    async def upload(self, files: Sequence[Attachment]) -> list[str]:
        """Return the addresses of files, uploaded where they have none yet."""
        return [
            item.url or str((await self.api.attachments.upload(item.name, item.content or b""))["url"])
            for item in files
        ]

    async def write_within_budget(self, write: Callable[[], T], scopes: Iterable[str]) -> T:
        """Write an intent; before a budget refuses it, look at the sessions in that budget again.

        Raises:
            BudgetExceeded: it is still refused.
        """
        try:
            return await asyncio.to_thread(write)
        except BudgetExceeded:
            payers = await asyncio.to_thread(self.journal.budgets.open_payers, scopes)
            await self.refresher.refresh_many(payers)
            return await asyncio.to_thread(write)

    async def _next_free_take(self, call: CreateCall) -> SessionRequest:
        if not call.policy.interactive:
            raise OptionError(
                "--new is for interactive use: a rerun would pay again",
                "nothing was sent",
                "write --take LABEL instead",
            )
        number = 1
        while True:
            request = call.request.but(take=str(number) if number > 1 else None)
            candidate = request.fingerprint(call.facts.where)
            intent = await asyncio.to_thread(self.journal.intents.get, candidate.text)
            if intent is not None and intent.posts:
                return request  # an earlier try at this take, to be settled
            known = await asyncio.to_thread(self.journal.session_for, *candidate.texts)
            if known is None and not await self.lookup.find(*candidate.tags):
                return request
            number += 1


class CreateCall(PaidAct[Intent, Raw, CreateResult]):
    """Starting the session of one request."""

    orphan_notice = "an earlier kernel was about to start this session; checking whether it did"

    def __init__(self, creator: Creator, request: SessionRequest, policy: Policy, where: Where) -> None:
        self.creator, self.request, self.policy = creator, request, policy
        self.identity = request.fingerprint(where)
        base = self.identity if request.take is None else request.but(take=None).fingerprint(where)
        self.bases = base.texts
        """The fingerprints of the same request without its take."""
        self.facts: Facts = request.facts(self.identity, base, where, policy, simulated=creator.simulated)
        self.fingerprint, self.tag = self.identity.text, self.identity.tag if creator.is_tagging else ""
        """`.tag` is empty where sessions get none."""
        self.facts = replace(self.facts, tag=self.tag)
        self.lease_name = start_lease(self.fingerprint)
        self._as_user: str | None = request.options.get("as_user")
        self.stopped: str | None = None
        """The session that was ended for this one."""
        self._others: frozenset[str] = frozenset()
        self._note, self._replaces, self._pending = "", None, None
        self._urls: list[str] = []
        self._is_same_text = False
        """The cell reads as it did when it was run before, so that what is filled in has changed."""

    _replaces: Record | None
    _pending: Intent | None

    @property
    def limits(self) -> dict[str, float | None]:
        """The budget that the cell sets, by its scope."""
        return self.policy.limits(self.facts.base or "")

    @property
    def not_before(self) -> float | None:
        """The time before which a session of the journal does not count as the same, by this machine's clock."""
        return None if self.policy.max_age is None else self.creator.timing.now() - self.policy.max_age

    async def known(self) -> CreateResult | None:
        """Return the session that the journal has for this request, else the one in a lock file."""
        journal = self.creator.journal
        not_before, texts = self.not_before, self.identity.texts

        def read() -> tuple[list[Record], Intent | None]:
            return journal.sessions_like(*texts, not_before=not_before), journal.intents.posted(texts)

        records, self._pending = await asyncio.to_thread(read)
        for record in records:
            if await self.creator.here([record]):
                return await self._attach(record)
        return self.recorded()

    def _is_young(self, raw: Raw) -> bool:
        """Whether a session of the service is not older than `--max-age`, by the service's own clock."""
        max_age, made = self.policy.max_age, made_at(raw)
        # created_at and Date are whole seconds
        return max_age is None or made is None or self.creator.service_time() - made <= max_age + 1.0

    def recorded(self) -> CreateResult | None:
        """Return the session in a lock file: a colleague's checkout may hold it. An unfinished one is asked for."""
        lock = self.creator.lock
        found = recorded(self.request, lock) if lock is not None else None
        if found is None or not found.snapshot.turn_over:
            return None
        made = found.snapshot.created_at
        if self.policy.max_age is None or (made and self._is_young({"created_at": made.timestamp()})):
            return found
        return None

    async def pending(self) -> Intent | None:
        """Return the intent that is kept for this request, if a POST was about to be sent: read when `known` was."""
        return self._pending

    async def look(self, orphan: Intent | None) -> CreateResult | None:
        """Attach to the session of another machine with this tag.

        Raises:
            ColleaguesSession: a colleague's.
        """
        if orphan is not None and orphan.fingerprint == self.fingerprint:
            self._others = orphan.known_before
            return None
        if orphan is not None and orphan.facts.where.org_id == self.facts.where.org_id:  # of an earlier version
            await self.clear(orphan)
        lookup, by_tag, tag = self.creator.lookup, self.policy.by_tag, self.identity.tag
        listed = list(by_tag.get(tag) or ())
        if not listed and (tag not in by_tag or time.monotonic() > self.policy.look_again_at):
            listed = await lookup.find(*self.identity.tags)
        mine: list[Raw] = []
        others: list[Raw] = []
        for raw in listed:
            if self._is_young(raw):
                (mine if await lookup.is_mine(raw, self._as_user, self.identity.v1_tags) else others).append(raw)
        if mine:
            rest = ", ".join(str(id_of(raw)) for raw in mine[1:])
            notes = [f"the oldest of {len(mine)} for this request; the others are {rest}" if rest else ""]
            notes.append(await lookup.doubt(mine[0], self._as_user, self.identity.v1_tags))
            return await self._adopt(mine[0], how="attached", note="; ".join(filter(None, notes)))
        if others and not self.policy.beside:
            other = id_of(others[0])
            raise ColleaguesSession(
                f"{owner_of(others[0])} started the same request on {format_utc(made_at(others[0]))}: {other}",
                "nothing was sent and nothing was paid",
                f"%devin open {other} -o NAME reads it; --beside starts one of your own",
            )
        self._others = frozenset(str(id_of(raw)) for raw in listed)
        return None

    async def reserve(self, attempt: Attempt) -> Intent:
        """Check the halt flag, the secrets, the cell's earlier session and the budgets; write the intent."""
        creator = self.creator

        def write() -> Intent:
            return creator.journal.intents.write(
                self.facts,
                known_before=self._others,
                now=creator.timing.now(),
                limits=self.limits,
                ending=self._replaces.session_id if self._replaces else None,
            )

        def write_unless_earlier() -> tuple[list[Intent], Record | None, Intent | None]:
            lost, earlier = self._look_back()
            if problem := lacking(self.request.secrets):
                raise problem
            return lost, earlier, write() if not lost and earlier is None else None

        self._note, self._replaces = "", None
        lost, earlier, written = await creator.write_within_budget(write_unless_earlier, self.facts.scopes)
        if written is not None:
            return written
        for intent in lost:
            await creator.adopt_orphan(intent)
        if lost:
            earlier = await asyncio.to_thread(self.earlier)
        await self._check(earlier)
        return await creator.write_within_budget(write, self.facts.scopes)

    async def prepare(self, intent: Intent) -> None:
        """Upload the files; then end the earlier session, since nothing of ours can refuse any more."""
        self._urls = await self.creator.upload(self.request.attachments)
        if self._replaces is not None:
            await self.creator.end(self._replaces.session_id)
            self.stopped = self._replaces.session_id

    async def post(self, intent: Intent, lease: str) -> Raw:
        """Count the POST in the journal, then send it.

        v1 may answer with an earlier session that it holds to be equivalent. What is another request to us, by `--key`
        for example, is asked for once more then, as a session of its own: nothing was paid for the first answer.
        """
        sessions, journal, timing = self.creator.api.sessions, self.creator.journal, self.creator.timing

        async def send(body: Mapping[str, Any]) -> Raw:
            now = timing.now()
            await asyncio.to_thread(journal.intents.about_to_post, intent, lease, now=now)
            timing.refuse_if_late(now)
            raw = await sessions.create(body)
            if not isinstance(raw, dict) or id_of(raw) is None:
                raise UnreadableAnswer(
                    "the answer to the create call holds no session id", "a session may have been made"
                )
            self.creator.note_made(raw)
            return raw

        version = self.facts.where.api_version
        idempotent = self._is_idempotent(intent) if version == "v1" else None
        body = self.request.body(version, tag=self.tag or None, attachment_urls=self._urls, idempotent=idempotent)
        try:
            raw = await send(body)
        except (BadRequest, Unprocessable) as refused:
            raise _told_of_tags(refused, self.tag) from None
        self.creator.has_tagged |= bool(self.tag) and self.tag in our_tags(raw)
        if self.tag and raw.get("tags") and self.tag not in our_tags(raw):
            self.creator.is_tagging = False
            self._note = "; ".join(filter(None, [self._note, f"the service did not keep the tag; {TAGGING_OFF}"]))
        if raw.get("is_new_session") is not False:
            return raw
        equivalent = await sessions.get(raw["session_id"])
        tags = set(our_tags(equivalent))
        if tags and tags.isdisjoint(self.identity.tags):
            return await send({**body, "idempotent": False})
        return {**equivalent, "is_new_session": False}

    def _is_idempotent(self, intent: Intent) -> bool:
        return self.request.take is None and not intent.known_before

    async def find(self, intent: Intent) -> Raw | None:
        """Return our session with the tag that was not there before; the oldest if the service shows several.

        Raises:
            CreateUncertain: the session is in no list, and posting again would start another.
        """
        if self.request.options.get("unlisted") and not (
            self.facts.where.api_version == "v1" and self._is_idempotent(intent)
        ):
            raise CreateUncertain(
                "it is not known whether a session was started: unlisted sessions are in no list",
                "if there is one, it costs ACUs",
                "look for it in the web app (%devin open ID attaches to it); another --take starts another",
            )
        return await self.creator.find_lost(intent, self._as_user)

    async def confirm(self, intent: Intent, made: Raw, how: str) -> CreateResult:
        """Keep the session in the journal, which ends the intent and moves its reservations."""
        if how == "orphaned":
            adopted = await self._adopt(made, how="adopted")
            if intent.fingerprint != self.fingerprint:  # of an earlier version of this package
                await self.clear(intent)
            return adopted
        if made.get("is_new_session") is False and how == "created":  # v1 knew an equivalent one
            return await self._adopt(made, how="attached", note="the service had it for this request")
        record, kept = await self._remember(made, how)
        notes = [self._note, kept, *self.request.notes]
        if self.creator.simulated:
            chosen = [tag for tag in self.request.tags if tag.startswith("sim:") and tag[4:] not in SCENARIOS]
            notes += [f"the simulator has no {tag}{nearest(tag, map('sim:{}'.format, SCENARIOS))}" for tag in chosen]
        if how == "adopted":
            notes.append(f"the answer was lost; found {record.session_id} by its tag, one session was started")
        if self.policy.take_new and self.request.take:
            notes.append(f"started as take {self.request.take}: write --take {self.request.take} in place of --new")
        notice = "; ".join(item for item in notes if item) or None
        return CreateResult(record=record, how=how, raw=made, notice=notice)

    async def clear(self, intent: Intent) -> None:
        """End the intent: nothing was started."""
        await asyncio.to_thread(self.creator.journal.intents.clear, intent.fingerprint)

    def uncertain(self, problem: DevinError, seconds: float) -> CreateUncertain:
        """Return the error that says what to check."""
        return CreateUncertain(
            f"it is not known whether a session was started: {problem.message}",
            f"{in_seconds(seconds)} of looking for {self.mark} showed none; if there is one, it costs ACUs",
            f"look for {self.mark} in the web app; rerunning the cell looks first and starts one only if there is none",
        )

    @property
    def is_findable(self) -> bool:
        """Whether the service lists its session by a tag of ours."""
        return bool(self.tag) and self.creator.is_tagging and not self.request.options.get("unlisted")

    @property
    def mark(self) -> str:
        """What its session is found by."""
        return f"the tag {self.tag}" if self.tag else "a session of yours with this prompt"

    # --- the session that the cell had before -------------------------------------------------------------------

    def earlier(self) -> Record | None:
        """Return the session of the cell's earlier text from the journal; None if only the take differs."""
        if self.policy.guard is None or self.policy.batch is not None:  # the rows of a batch share a cell
            return None
        before, source = self.creator.journal.used_before(self.policy.guard)
        self._is_same_text = source is not None and source == self.policy.guard.source
        if not before or (len(before) > 1 and self._is_same_text):  # a loop, or cells of another notebook
            return None
        if any(record.facts.base in self.bases for record in before):
            return None
        return next((record for record in before if record.is_open), before[0])

    def _look_back(self) -> tuple[list[Intent], Record | None]:
        """Return the sessions of this cell whose response was lost with their kernel, and its earlier session.

        Raises:
            Halted: the halt flag is set.
        """
        journal, cell = self.creator.journal, self.policy.guard
        journal.flags.refuse()
        intents = journal.intents.all(cell=cell) if cell is not None and self.policy.batch is None else []
        lost = [intent for intent in intents if intent.fingerprint not in self.identity.texts and intent.posts]
        return lost, self.earlier()

    async def _check(self, record: Record | None) -> None:
        """Note what to say of the cell's earlier session, and whether `--replace` ends it.

        An edit must not start a second session while the first is still working, unless asked to.

        Raises:
            SessionChanged: it is still working, and no option says what to do with it.
        """
        creator, policy, cell = self.creator, self.policy, self.policy.guard
        self._note, self._replaces = "", None
        if record is None:
            return
        seen = record.snapshot
        if record.is_open or seen is None or not seen.turn_over:  # ended since it was last seen
            with suppress(ApiError):
                seen = (await creator.refresher.look(record)).snapshot
        named, name = f"{record.session_id} ({state(seen, record)})", cell_name(cell)
        if seen is not None and seen.turn_over:
            cap = f"cap {self.request.max_acu} ACU" if self.request.max_acu else "no cap"
            undo = "undo the edit, or " if name == "this cell" and not self._is_same_text else ""
            edited = f"{name} was edited" if name == "this cell" else f"{name} asked for something else before"
            why = "what is filled in has changed" if self._is_same_text else edited
            back = f'{undo}dj.get("{record.session_id}")'
            self._note = f"started a new session ({cap}), because {why}; the earlier one, {named}, stays: {back}"
        elif policy.replace:
            self._note, self._replaces = f"stopped the earlier session of {name}, {named}", record
        elif policy.beside:
            self._note = f"the earlier session of {name}, {named}, keeps running"
        elif not policy.interactive:
            ends = f"%devin stop {record.session_id} ends it, and --replace would have stopped it first"
            self._note = f"a second session of {name}: the earlier one, {named}, keeps running; {ends}"
        else:
            running = f"{record.session_id}, {format_acus(seen.acus if seen is not None else record.acus)}"
            raise self._changed(record, running, name)

    def _changed(self, record: Record, running: str, name: str) -> SessionChanged:
        what, several = f"You edited this cell while its session is still running ({running}).", ""
        if self._is_same_text:
            what = f"What is filled in here has changed while the session for it is still running ({running})."
            several = "\ndj.create or dj.map start one for each value"
        elif name != "this cell":  # perhaps another cell
            what = f"{name} asked for something else before, and its session is still running ({running})."
        return SessionChanged(
            what,
            f"{difference(record.facts, self.facts)}; nothing was sent and nothing was paid",
            f"--to {record.session_id} sends it this text\n--replace stops it and starts a new session\n"
            f"--beside runs both{several}",
        )

    # --- from what was found or made to the result --------------------------------------------------------------

    async def _attach(self, record: Record) -> CreateResult:
        """Attach to the session that the journal has for this request."""
        creator, asked = self.creator, self.facts
        facts = replace(
            record.facts,
            where=replace(record.facts.where, api_version=asked.where.api_version),
            schema=asked.schema or record.facts.schema,
            take=asked.take,
            simulated=asked.simulated,
        )
        limit = asked.max_time
        if limit is not None and limit != facts.max_time:  # the newest limit counts, where one is given
            facts = facts.limited_to(limit)
            await asyncio.to_thread(creator.journal.limit, record.session_id, limit)
        record = replace(record, facts=facts)
        observed = Observation(record.snapshot)
        if self.policy.refresh or record.snapshot is None:
            observed = await creator.refresher.look(record)
        assert observed.snapshot is not None
        if self.policy.guard is not None:
            now = creator.timing.now()
            await asyncio.to_thread(creator.journal.use, record.session_id, self.policy.guard, now=now)
        as_of = f"as of {format_utc(observed.snapshot.observed_at)}, {observed.why_not}" if observed.why_not else ""
        notes = [as_of, differences(facts.incidental, self.request.incidental())]
        record = replace(record, snapshot=observed.snapshot)
        notice = await self._attached_notice(record, record.started_at, "attached to", notes)
        return CreateResult(record=record, how="attached", raw=observed.raw, notice=notice)

    async def _adopt(self, raw: Raw, *, how: str, note: str = "") -> CreateResult:
        """Keep a session that the service has for this request and the journal had not."""
        record, kept = await self._remember(raw, how)
        is_same = same_tags(self.request.tags) <= same_tags(raw.get("tags"))
        differs = "" if is_same else differences({"tags": "other"}, {"tags": "these"})
        verb = "attached to" if how == "attached" else "found again (its answer had been lost):"
        notice = await self._attached_notice(record, made_at(raw), verb, [note, differs, kept])
        return CreateResult(record=record, how=how, raw=raw, notice=notice)

    async def _remember(self, raw: Raw, how: str) -> tuple[Record, str]:
        """Keep the session; a journal that fails now must not hide a session that is paid for."""
        journal, now, identifier = self.creator.journal, self.creator.timing.now(), id_of(raw)
        assert identifier is not None
        made = made_at(raw)
        record = Record(session_id=identifier, facts=self.facts, how=how, started_at=made or now)
        snapshot = observe(raw, record, at=datetime.fromtimestamp(now, UTC))
        remember = partial(
            journal.remember,
            identifier,
            self.facts,
            how=how,
            started_at=record.started_at,
            began_at=self.creator.local_time(made),
            limits=self.limits,
            lasting=not self.is_findable,
        )
        kept = ""
        try:
            await asyncio.to_thread(remember, now=now, snapshot=snapshot)
            self.has_ended_lease = True
        except JournalError as problem:
            kept = f"not written down ({problem.message}), it can be found by {self.mark}"
        return replace(record, snapshot=snapshot), kept

    async def _attached_notice(self, record: Record, started_at: float | None, verb: str, notes: Sequence[str]) -> str:
        takes = await asyncio.to_thread(self.creator.journal.takes, *self.bases)
        acus = record.snapshot.acus if record.snapshot else None
        free, every = next_take(self.request.take, takes), [*notes, *self.request.notes]
        return attached(record.session_id, started_at=started_at, acus=acus, next_take=free, verb=verb, notes=every)


# --- looking on the service ----------------------------------------------------------------------------------


class Lookup:
    """Asks the service which sessions carry a tag. What cannot be told for certain is an error, never "none"."""

    def __init__(self, sessions: Sessions, account: Account, api_version: str) -> None:
        self._sessions, self._account, self._is_v1 = sessions, account, api_version == "v1"
        self.principal: Raw | None = None

    async def find(self, *tags: str) -> list[Raw]:
        """Return the sessions with any of these tags, oldest first; also archived ones.

        They are asked for in upper case too: a service that keeps tags so may look for them so only.

        Raises:
            UnreadableAnswer: there may be one that cannot be read, or whose tags are not shown.
        """
        return await self._find(tags, (*tags, *map(str.upper, tags)))

    async def _find(self, tags: Sequence[str], spelled: Sequence[str]) -> list[Raw]:
        listed = await self._sessions.tagged(*spelled)
        return _oldest_first(await self._with_tags(listed), tags)

    async def find_new(self, tag: str, known_before: Set[str], as_user: str | None) -> Raw | None:
        """Return the oldest session of this principal with this tag that was not there before, or None."""
        for raw in await self.find(tag):
            if id_of(raw) not in known_before and await self.is_mine(raw, as_user):
                return raw
        return None

    async def asked_for(
        self, prompt: str, made_after: float, as_user: str | None, is_other: Callable[[str], Awaitable[bool]]
    ) -> list[Raw]:
        """Return this principal's sessions whose first message is a prompt, oldest first.

        Args:
            prompt: as the journal keeps it.
            made_after: Unix time by the service's clock.
            as_user: in whose name ours are started.
            is_other: whether a session is known to be another request's.

        Raises:
            UnreadableAnswer: one of that time does not show its first message yet, and may be it.
        """
        said, found, unread = same_text(clean(prompt)), list[Raw](), list[str]()
        for raw in await made_since(self._sessions, made_after):
            if (made_at(raw) or made_after) < made_after or our_tags(raw) or not await self.is_mine(raw, as_user):
                continue
            if await is_other(str(id_of(raw))):
                continue
            first = await first_message(self._sessions, str(id_of(raw)))
            if first is None and (made_at(raw) or made_after) - made_after < _LONGEST_POST:
                unread.append(str(id_of(raw)))
            if first is not None and same_text(clean(without_files(first))) == said:
                found.append(raw)
        if unread and not found:
            raise UnreadableAnswer(f"{', '.join(unread)} was started at that time, and does not show its prompt yet")
        return sorted(found, key=lambda raw: (made_at(raw) or 0.0, str(id_of(raw))))

    async def sweep(self, identities: Iterable[Fingerprint]) -> dict[str, list[Raw]]:
        """Return the sessions of many requests by the tag of each, asked for in few requests.

        What is not found is asked for once more, as `find` does, since a session may move in a list while that is
        read; and again as long as that finds any.
        """
        wanted = {identity.tag: identity.tags for identity in identities}
        found: dict[str, list[Raw]] = {}
        turns = asyncio.Semaphore(_AT_A_TIME)

        async def ask(asked: Sequence[str], *, is_first: bool) -> None:
            every = [*dict.fromkeys(tag for name in asked for tag in wanted[name])]
            async with turns:
                listed = await (self._find(every, every) if is_first else self.find(*every))
            for name in asked:
                found[name] = _oldest_first(listed, wanted[name])

        missing = [*wanted]
        for number in range(_MOST_SWEEPS):
            size = _AT_ONCE if number == 0 else _AT_ONCE // 2
            chunks = [missing[at : at + size] for at in range(0, len(missing), size)]
            await asyncio.gather(*(ask(chunk, is_first=number == 0) for chunk in chunks))
            before, missing = missing, [name for name in missing if not found[name]]
            if number and len(missing) == len(before):
                break
        return found

    async def _with_tags(self, listed: Sequence[Raw]) -> list[Raw]:
        """Return listed sessions with their tags, which are read from the session itself where the list has none."""
        if any(raw.get("tags") and shows_tags(raw) for raw in listed):  # this list shows tags
            bare = [raw for raw in listed if not shows_tags(raw)]
        else:
            bare = list(listed)
        if len(bare) > _MOST_READ:
            raise UnreadableAnswer(
                f"the service lists {len(bare)} sessions without their tags, which are too many to read one by one",
                "whether one of them is for this already cannot be told; nothing was sent",
                "try again later; if it stays so, the web app shows the sessions",
            )
        turns = asyncio.Semaphore(_AT_A_TIME)

        async def read(raw: Raw) -> Raw:
            identifier = id_of(raw)
            assert identifier is not None
            async with turns:
                tags = await own_tags(self._sessions, identifier)
            if tags is None:
                raise UnreadableAnswer(
                    f"the service does not show the tags of {identifier}, which may be the session for this",
                    "nothing was sent",
                    f"%devin open {identifier} attaches to it; --take 2 starts another",
                )
            return {**raw, "tags": tags}

        own = dict(zip(map(id_of, bare), await asyncio.gather(*map(read, bare)), strict=True))
        return [own.get(id_of(raw), raw) for raw in listed]

    async def is_mine(self, raw: Mapping[str, Any], as_user: str | None, v1_tags: Set[str] = frozenset()) -> bool:
        """Return whether this key's principal started the session; True if the service does not tell.

        Args:
            raw: the session.
            as_user: in whose name ours are started.
            v1_tags: tags that only v1 gives: its keys are no principals of v3, so that only a user can be told apart.
        """
        owners = {raw.get("service_user_id"), raw.get("user_id")} - {None}
        if self._is_v1 or not owners or as_user in owners:
            return True
        mine = await self._my_names()
        if not mine or owners & mine:
            return True
        is_by_v1_key = not v1_tags.isdisjoint(our_tags(raw))
        return is_by_v1_key and not (self.principal or {}).get("user_id")

    async def doubt(self, raw: Mapping[str, Any], as_user: str | None, v1_tags: Set[str] = frozenset()) -> str:
        """Return what to say of a session that counts as ours though that is not certain; or nothing."""
        owners = {raw.get("service_user_id"), raw.get("user_id")} - {None}
        if self._is_v1 or not owners or as_user in owners:
            return ""
        mine = await self._my_names()
        if not mine:
            return f"{owner_of(raw)} started it, and this key may not ask whether that is you"
        is_by_v1_key = not owners & mine and not v1_tags.isdisjoint(our_tags(raw))
        return f"started by {owner_of(raw)} with a key of v1" if is_by_v1_key else ""

    async def _my_names(self) -> set[str]:
        if self.principal is None:
            try:
                self.principal = cast(Raw, await self._account.self())
            except Forbidden as refusal:
                if refusal.error_code is not None:  # such as a frozen account
                    return set()
                self.principal = {}
            except ApiError:
                return set()
        names = ("service_user_id", "user_id", "creator_service_user_id")
        return {str(self.principal[name]) for name in names if self.principal.get(name)}


_CLOCK_MARGIN = 5.0
"""Seconds by which the service may say a session to be older than the intent for it."""
_LONGEST_POST = 600.0
"""Seconds after an intent within which its session, if there is one, was made."""
TAGGING_OFF = (
    'where an organization allows only listed tags, %config DevinMagics.tagging = "off" or dj.connect(tagging="off")'
    " starts sessions without one"
)


def _told_of_tags(refused: ApiError, tag: str) -> ApiError:
    """Return a refusal that says what to do where it is the tag of this package that is not allowed."""
    words = f"{refused.message} {refused.detail}".lower()
    if "tag" in words:
        hint = "give --tags that the organization allows"
        refused.hint = TAGGING_OFF if tag else hint
        refused.args = ("\n".join(refused.lines),)
    return refused


def mark_of(intent: Intent) -> str:
    """Return what the session of an intent is found by."""
    return f"the tag {intent.tag}" if intent.tag else "the prompt of that cell"


def without_files(text: str) -> str:
    """Return a first message without the lines that v1 adds for files."""
    return "\n".join(line for line in text.splitlines() if not line.startswith('ATTACHMENT:"'))


def owner_of(raw: Mapping[str, Any]) -> str:
    """Return who started a session, in the service's words."""
    return str(raw.get("user_id") or raw.get("service_user_id") or raw.get("requesting_user_email") or "another user")


def _oldest_first(listed: Iterable[Raw], tags: Iterable[str]) -> list[Raw]:
    """The filter may mean any or all tags, or be ignored: what counts is the tag on the session."""
    wanted = frozenset(tags)
    of_these = (item for item in listed if not wanted.isdisjoint(our_tags(item)))
    found = {identifier: item for item in of_these if (identifier := id_of(item))}
    return [found[key] for key in sorted(found, key=lambda key: (made_at(found[key]) or 0.0, key))]
