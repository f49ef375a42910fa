"""Everything a client is made of, and what its handles ask of it. Belongs to one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from devin_jupyter.api.analytics import Account
from devin_jupyter.api.client import Service
from devin_jupyter.api.files import Attachments
from devin_jupyter.api.sessions import Insights, Messages, Sessions, Tags
from devin_jupyter.attachments import Attachment, read_attachments
from devin_jupyter.config import Settings
from devin_jupyter.creation import Api, Creator, Plan, Started, plan_replay, replay
from devin_jupyter.errors import ConnectionTrouble, DevinError, Forbidden, NotFound, NotRecorded
from devin_jupyter.host import host
from devin_jupyter.journal import Journal
from devin_jupyter.messages import Messenger
from devin_jupyter.models.ids import session_id as prefixed
from devin_jupyter.models.phase import Phase
from devin_jupyter.models.policy import Policy
from devin_jupyter.models.snapshot import (
    CellRef,
    Facts,
    Message,
    Snapshot,
    Where,
    read_message,
    visible_tags,
)
from devin_jupyter.monitor.poll import Poller
from devin_jupyter.monitor.store import SessionStore, WatchedSession
from devin_jupyter.options import seconds
from devin_jupyter.recorded import LockFile, message_key, record_of, schema_of
from devin_jupyter.request import SessionRequest
from devin_jupyter.stopping import Stopped, Stopper

if TYPE_CHECKING:
    from devin_jupyter.api.transport import Transport
    from devin_jupyter.schema import Schema

_STAY_AS_THEY_ARE = (Phase.DONE, Phase.FAILED)
"""Phases that a later stop does not change: the session was over, for better or worse."""


class Running(Protocol):
    """Something that goes on in the background."""

    async def retire(self) -> None:
        """Let go of it; its sessions go on."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that was looked up."""

    state: WatchedSession
    schema: Schema | None
    notice: str | None = None


class Core:
    """The parts of a client and the acts on sessions, which work on states and know no handles."""

    def __init__(
        self,
        settings: Settings,
        *,
        journal: Journal | None = None,
        transport: Transport | None = None,
        lock: LockFile | None = None,
    ) -> None:
        """Send nothing yet."""
        self.journal = journal if journal is not None else Journal(settings.home)
        self.lock = lock
        self.service = Service(transport, settings)
        self.account = Account(self.service)
        self.sessions, self.messages = Sessions(self.service), Messages(self.service)
        self.attachments, self.tags = Attachments(self.service), Tags(self.service)
        self.insights = Insights(self.service)
        version = settings.api_version
        api = Api(self.sessions, self.attachments, self.account)
        self.creator = Creator(
            api, self.journal, self.where, api_version=version, simulated=settings.simulated, lock=lock
        )
        self.messenger = Messenger(self.messages, self.sessions, self.attachments, self.journal)
        self.store = SessionStore(self.journal, bare=self._bare_facts)
        self.poller = Poller(self.store, self.sessions, self.messages, is_v1=version == "v1", pace=settings.pace)
        self.running: dict[str, Running] = {}
        """What goes on in the background, by name, and must not outlive the client: batches."""

    @property
    def transport(self) -> Transport:
        """What carries the requests."""
        return self.service.transport

    @property
    def settings(self) -> Settings:
        """Key, organization, host; the organization once it was asked for."""
        return self.service.settings

    async def where(self) -> Where:
        """Return where requests go, asking for the organization if need be."""
        org_id = None if self.service.is_v1 else await self.service.org_id()
        settings = self.settings
        return Where(settings.known_as or settings.base_url, org_id, settings.api_version)

    async def aclose(self) -> None:
        """End what goes on in the background, stop watching and close the connections."""
        running, self.running = list(self.running.values()), {}
        await asyncio.gather(*(one.retire() for one in running))
        await self.poller.aclose()
        await self.service.aclose()

    async def start(self, request: SessionRequest, policy: Policy | None) -> tuple[Started, WatchedSession]:
        """Attach to the session of a request, adopt it, or start it with one POST."""
        if not self.settings.api_key and self.lock is not None:
            started = replay(request, self.lock)
        else:
            try:
                started = await self.creator.start(request, policy)
            finally:
                if policy is not None and policy.replace:
                    await asyncio.gather(*map(self._note_end, self.store.sessions()), return_exceptions=True)
        snapshot = started.snapshot
        if snapshot.turn_over and started.raw is not None and snapshot.last_word is None:
            snapshot = await self._with_conversation(snapshot)
        return started, self.store.track(replace(started.record, snapshot=snapshot))

    async def plan(self, request: SessionRequest, policy: Policy) -> Plan:
        """Tell what `start` would do; nothing is sent."""
        if not self.settings.api_key and self.lock is not None:
            return plan_replay(request, policy, self.lock, self.settings.api_version)
        return await self.creator.plan(request, policy)

    async def open(self, session: str, schema: Schema | None) -> Opened:
        """Look a session up by its id or URL, in the journal and on the service."""
        identifier = prefixed(session)
        recorded = self.lock.session(identifier) if self.lock is not None and not self.settings.api_key else None
        if recorded is not None:
            state = self.store.track(record_of(recorded.snapshot))
            return Opened(state, schema or schema_of(state.record))
        state = await self.store.load(identifier)
        asked = schema_of(state.record)
        if asked is None and schema is not None:  # a schema to read it by does not change what was asked for
            state.record = replace(state.record, facts=replace(state.record.facts, schema=schema))
        notice = None
        try:
            await self.poller.look(state, retries=state.seen is None)
        except ConnectionTrouble as problem:
            if state.seen is None:
                raise
            notice = f"{identifier} as last seen: {problem.message}"
        return Opened(self.store.track(state.record), schema or asked, notice)

    def _bare_facts(self) -> Facts:
        settings = self.settings
        return Facts(where=Where("", settings.org_id, settings.api_version), simulated=settings.simulated)

    async def refresh(self, state: WatchedSession) -> None:
        """Read a session now, whatever the poll loop does."""
        if state.snapshot.recorded is None:
            await self.poller.look(state)

    async def wait(self, state: WatchedSession, timeout: float | str | None = None) -> Snapshot:
        """Wait for the end of the turn or the time-out, and return the session as last seen."""
        await self.store.turn_over(state, seconds(timeout))
        return state.snapshot

    async def send(
        self,
        state: WatchedSession,
        text: str,
        attach: Any = None,
        *,
        again: bool = False,
        as_user: str | None = None,
        cell: CellRef | None = None,
    ) -> str | None:
        """Send a message once, and return the line to print, if any."""
        files = await asyncio.to_thread(read_attachments, _listed(attach), {})
        if not self.settings.api_key or state.snapshot.recorded is not None:
            replayed = self._replayed_send(state, text, files)
            if replayed is not None:
                return replayed
        result = await self.messenger.send(
            state.session_id,
            text,
            files,
            again=again,
            as_user=as_user,
            record=state.record,
            cell=cell or CellRef(notebook=host().notebook),
        )
        if result.how == "sent" and result.sent is not None:
            await self.store.note(state, sent=result.sent)
        return result.notice

    def _replayed_send(self, state: WatchedSession, text: str, files: Sequence[Attachment]) -> str | None:
        """Answer a recorded session's message from the lock file; None when a key can send it for real."""
        key = message_key(state.session_id, text, (item.sha256 for item in files))
        at = self.lock.was_sent(key) if self.lock is not None else None
        if at is None and self.settings.api_key:
            return None
        if at is None:
            raise NotRecorded(
                f"this message to {state.session_id} is not recorded, and there is no key to send it with",
                "nothing was sent",
                "set DEVIN_API_KEY to send it",
            )
        return f"already sent on {at} (recorded)"

    async def stop(self, state: WatchedSession, *, archive: bool = False) -> None:
        """Terminate a session for good. One that was done before stays done."""
        before = await self.poller.look(state)
        await self.sessions.terminate(state.session_id, archive=archive)
        await self.store.note(state, terminated=before.phase not in _STAY_AS_THEY_ARE)
        await self.poller.look(state)

    async def stop_all(self, is_meant: Callable[[str], bool] | None) -> list[Stopped]:
        """Set the halt flag and end every session at work, of some notebooks or of the whole journal."""
        stopper = Stopper(api=self.creator.api, journal=self.journal, where=self.where)
        results = await stopper.stop_all(is_meant)
        for result in results:
            state = self.store.find(result.session_id)
            if state is not None:
                await self._note_end(state)
        return results

    async def _note_end(self, state: WatchedSession) -> None:
        """A session that was ended on the way to something else did not end by itself: its handle must know."""
        kept = await asyncio.to_thread(self.journal.record, state.session_id)
        if kept is not None and kept.terminated and not state.record.terminated:
            await self.store.note(state, terminated=True)
            await self.refresh(state)

    async def archive(self, state: WatchedSession, *, undo: bool = False) -> None:
        """Archive a session, which puts it to sleep if it runs; or take it out of the archive."""
        await (self.sessions.unarchive if undo else self.sessions.archive)(state.session_id)
        await self.refresh(state)

    async def tag(self, state: WatchedSession, tags: Sequence[str], *, replace_all: bool) -> tuple[str, ...]:
        """Add tags, or replace all but our own, and return what a person set."""
        write = self.tags.replace if replace_all else self.tags.append
        visible = visible_tags(await write(state.session_id, tags))
        await self.store.note(state, tags=visible)
        return visible

    async def _with_conversation(self, snapshot: Snapshot) -> Snapshot:
        """A session that was attached to must have its question and its last message at hand."""
        try:
            messages = await self._conversation(snapshot.session_id)
        except DevinError:
            return snapshot
        question = messages[-1].text if messages and snapshot.needs_you and messages[-1].source == "devin" else None
        return replace(snapshot, messages=tuple(messages), question=snapshot.question or question)

    async def _conversation(self, session_id: str) -> list[Message]:
        try:
            return [read_message(raw) async for raw in self.messages.list(session_id)]
        except (Forbidden, NotFound):
            return []  # a key may see a session and not its conversation


def _listed(attach: Any) -> list[Any]:
    """One thing or several; a pair of a name and a content is one."""
    if attach is None:
        return []
    is_pair = isinstance(attach, tuple) and len(attach) == 2 and isinstance(attach[0], str)
    return list(attach) if isinstance(attach, (list, tuple)) and not is_pair else [attach]
