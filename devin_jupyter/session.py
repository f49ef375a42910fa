"""`Session` and `AsyncSession`: the blocking and the async handle on one remote session.

Attributes show the latest snapshot and send no requests; methods do. A turn ends with an answer, or with a typed error
that says why there is none and what to do.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

from devin_jupyter import loop
from devin_jupyter.api.analytics import Account
from devin_jupyter.api.client import Service
from devin_jupyter.api.enterprise import Enterprise
from devin_jupyter.api.files import Attachments
from devin_jupyter.api.library import Playbooks
from devin_jupyter.api.organization import Members, Reviews
from devin_jupyter.api.sessions import Insights, Messages, Sessions, Tags
from devin_jupyter.attributes import SuggestsNames
from devin_jupyter.config import Settings
from devin_jupyter.errors import (
    ConnectionTrouble,
    Detached,
    DetachedAwait,
    DevinError,
    NeedsApproval,
    NeedsReply,
    NoKey,
    NotFound,
    NotRecorded,
    OptionError,
    OutputInvalid,
    ServerError,
    SessionAsleep,
    SessionBlocked,
    SessionFailed,
    SessionStopped,
    TurnError,
    TurnOpen,
    WaitTimeout,
)
from devin_jupyter.host import hooks, host
from devin_jupyter.idempotency.attach import CreateResult, replay
from devin_jupyter.idempotency.create import Api, Creator
from devin_jupyter.idempotency.messages import Messenger
from devin_jupyter.idempotency.reviews import Reviewer
from devin_jupyter.journal import Journal
from devin_jupyter.loop import (
    SLICE_SECONDS,
    Blocking,
    blocking,
    cancel_on_interrupt,
    checked,
    completing_requests,
    documented_by,
    fluent,
    names_of_caller,
)
from devin_jupyter.models import wire
from devin_jupyter.models.enums import Phase
from devin_jupyter.models.fields import session_id as prefixed
from devin_jupyter.models.snapshot import (
    CellRef,
    Facts,
    Message,
    OutputVersion,
    PhaseChange,
    Policy,
    PullRequest,
    Record,
    Snapshot,
    Where,
    may_be_a_flicker,
    observe,
    parse_time,
    read_message,
    visible_tags,
    with_messages,
)
from devin_jupyter.models.steps import Approval, LiveView, PlanEntry, Step
from devin_jupyter.monitor.follow import LOOKS, Follower
from devin_jupyter.monitor.poll import Poller
from devin_jupyter.monitor.store import SECOND_LOOK, Change, Connection, SessionStore, Subscription, WatchedSession
from devin_jupyter.options import IN_PYTHON, in_keywords, in_python, not_filled_in, seconds
from devin_jupyter.recorded import LockFile, message_keys, record_of, schema_of
from devin_jupyter.request import SessionRequest, check_message, read_attachments
from devin_jupyter.schema import Schema
from devin_jupyter.text import format_acus, format_seconds, format_utc

if TYPE_CHECKING:
    import pandas as pd

    from devin_jupyter.api.transport import Transport
    from devin_jupyter.panel import Panel

S = TypeVar("S", bound="SessionView")
R = TypeVar("R")
P = ParamSpec("P")


class Running(Protocol):
    """A background task."""

    async def retire(self) -> None:
        """Stop it; its sessions keep running."""


class Core:
    """The parts of a client, shared by its handles. They belong to one event loop."""

    def __init__(
        self,
        settings: Settings,
        *,
        journal: Journal | None = None,
        transport: Transport | None = None,
        lock: LockFile | None = None,
    ) -> None:
        self.journal = journal if journal is not None else Journal(settings.home)
        self.lock = lock
        self.service = Service(transport, settings)
        self.account = Account(self.service)
        self.sessions, self.messages = Sessions(self.service), Messages(self.service)
        self.attachments, self.tags = Attachments(self.service), Tags(self.service)
        self.insights = Insights(self.service)
        self.members, self.enterprise = Members(self.service), Enterprise(self.service)
        version = settings.api_version
        self.store = SessionStore(self.journal, bare=self._bare_facts)
        self.store.service_time = self.service.service_time
        self.creator = Creator(
            Api(self.sessions, self.attachments, self.account, Playbooks(self.service)),
            self.journal,
            self.store,
            self.where,
            api_version=version,
            simulated=settings.simulated,
            lock=lock,
        )
        self.messenger = Messenger(self.messages, self.creator)
        self.reviewer = Reviewer(Reviews(self.service), self.creator)
        self.poller = Poller(self.store, self.sessions, self.messages, is_v1=version == "v1", pace=settings.pace)
        self.follower = Follower(self.store, self.service, is_headless=host().is_headless)
        self.running: dict[str, Running] = {}
        """Background tasks by name, such as batches; they end with the client."""

    @property
    def transport(self) -> Transport:
        """Sends the requests."""
        return self.service.transport

    @property
    def settings(self) -> Settings:
        """Key, organization and host; the organization once it has been resolved."""
        return self.service.settings

    @property
    def recordings(self) -> LockFile | None:
        """The lock file as far as its answers count: where there is a key, those of a simulator do not."""
        return self.creator.lock if self.settings.api_key else self.lock

    async def where(self) -> Where:
        """Return where requests go; asks the service for the organization if it is not known."""
        if not self.service.is_v1 and not self.settings.org_id:
            await self.service.org_id()
        settings = self.settings
        org_id = None if self.service.is_v1 else settings.org_id
        return Where(settings.known_as or settings.base_url, org_id, settings.api_version)

    async def aclose(self) -> None:
        """Stop background tasks and polling, and close the connections."""
        running, self.running = list(self.running.values()), {}
        await asyncio.gather(*(one.retire() for one in running))
        await self.follower.aclose()
        await self.poller.aclose()
        await self.service.aclose()

    def _bare_facts(self) -> Facts:
        settings = self.settings
        return Facts(where=Where("", settings.org_id, settings.api_version), simulated=settings.simulated)


@dataclass(eq=False, slots=True)
class _SharedState:
    """State shared by the two handles on a session."""

    watched: WatchedSession
    schema: Schema | None
    how: str
    notice: str | None
    take: str | None


class SessionView(SuggestsNames):
    """The attributes of a session as last seen. None of them sends a request."""

    _shared: _SharedState
    _OTHER_NAMES = {  # noqa: RUF012 a constant
        **dict.fromkeys(("cost", "costs", "spent", "usage", "acu", "credits"), "acus"),
        **dict.fromkeys(("prs", "pr", "pulls", "pull_request"), "pull_requests"),
        **dict.fromkeys(("state", "status_enum"), "phase"),
        **dict.fromkeys(("session_id", "devin_id"), "id"),
        **dict.fromkeys(("link", "href"), "url"),
        **dict.fromkeys(("value", "get", "structured_output", "response"), "result"),
        **dict.fromkeys(("conversation", "chat", "transcript", "history"), "messages"),
        **dict.fromkeys(("df", "dataframe", "to_pandas", "table"), "frame"),
        **dict.fromkeys(("cancel", "kill", "terminate", "close", "delete"), "stop"),
        **dict.fromkeys(("message", "reply", "tell", "say", "ask"), "send"),
        **dict.fromkeys(("files", "artifacts"), "attachments"),
        **dict.fromkeys(("update", "reload", "poll"), "refresh"),
        **dict.fromkeys(("show", "display", "watch"), "panel"),
        **dict.fromkeys(("join", "block", "sleep"), "wait"),
        **dict.fromkeys(("done", "is_done", "finished", "is_over", "turn_over"), "phase"),
    }

    @property
    def snapshot(self) -> Snapshot:
        """The session as last seen, as one immutable value."""
        return self._shared.watched.snapshot

    @property
    def id(self) -> str:
        """The session's id, `devin-…`."""
        return self._shared.watched.session_id

    @property
    def schema(self) -> Schema | None:
        """The schema that the output is read with, if any."""
        return self._shared.schema

    @property
    def how(self) -> str:
        """`created`, `attached`, `adopted`, `recorded` or `opened`."""
        return self._shared.how

    @property
    def take(self) -> str | None:
        """The label of the take; None for the first."""
        return self._shared.take

    @property
    def notice(self) -> str | None:
        """A line to show the user, such as which session was attached to, or that a message had already been sent."""
        return in_keywords(self._shared.notice) if self._shared.notice else None

    @property
    def _cell_notice(self) -> str | None:
        """The notice as a cell shows it: with flags."""
        return self._shared.notice

    def add_notice(self, line: str) -> None:
        """Add to `.notice`."""
        self._shared.notice = f"{self._cell_notice}; {line}" if self._cell_notice else line

    @property
    def url(self) -> str:
        """The session's page in the web app."""
        return self.snapshot.url

    @property
    def phase(self) -> Phase:
        """What the session is doing: see `Phase`."""
        return self.snapshot.phase

    @property
    def needs_you(self) -> bool:
        """Whether it waits for you: Devin's last words ask for something, or it needs an approval."""
        return self.snapshot.needs_you

    @property
    def status(self) -> str | None:
        """The `status` of the API."""
        return self.snapshot.status

    @property
    def status_detail(self) -> str | None:
        """The `status_detail` of the API; on v1 its `status_enum`."""
        return self.snapshot.status_detail

    @property
    def title(self) -> str | None:
        """Its title."""
        return self.snapshot.title

    @property
    def acus(self) -> float | None:
        """ACUs consumed so far; None where unknown."""
        return self.snapshot.acus

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags, without the `nb-…` tag of this package."""
        return self.snapshot.tags

    @property
    def pull_requests(self) -> tuple[PullRequest, ...]:
        """Its pull requests: `.url` and `.state`."""
        return self.snapshot.pull_requests

    @property
    def question(self) -> str | None:
        """Devin's last message, when the turn ended without a typed answer; `needs_you` says whether it asks."""
        return self.snapshot.question

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation as of the end of the last turn, oldest first."""
        return self.snapshot.messages

    @property
    def output(self) -> Any:
        """The structured output of the last turn, typed by the schema; None if there is none.

        `.snapshot.structured_output` is the raw value, including interim ones.

        Raises:
            TurnOpen: the turn is still open; `.result()` waits.
            OutputInvalid: it does not match the schema.
        """
        return output_of(self.snapshot, self.schema)

    @property
    def outputs(self) -> tuple[OutputVersion, ...]:
        """All structured outputs that this client has seen, oldest first, interim ones included.

        Each has `.at` (UTC), `.value` (raw) and `.is_final`.
        """
        return self._shared.watched.outputs

    @property
    def phases(self) -> tuple[PhaseChange, ...]:
        """The phases that this client has seen, oldest first: each has `.phase` and `.at` (UTC), when it began."""
        return self._shared.watched.phases

    @property
    def live_view(self) -> LiveView:
        """All that the live channel tells of the session, as one immutable value; empty without the channel."""
        return self._shared.watched.live

    @property
    def steps(self) -> tuple[Step, ...]:
        """What Devin did, oldest first, the newest few hundred: each has `.kind`, `.title`, `.status`, `.text`, `.at`.

        Empty without the live channel.
        """
        return self.live_view.steps

    @property
    def plan(self) -> tuple[PlanEntry, ...]:
        """Devin's plan: entries with `.text` and `.status`. Empty without the live channel."""
        return self.live_view.plan

    @property
    def activity(self) -> str | None:
        """What Devin does at this moment, in a few words; None when the turn is over, or without the live channel."""
        return None if self.snapshot.turn_over else self.live_view.activity

    @property
    def approval(self) -> Approval | None:
        """What waits for your approval: `.title`, `.text`; see `approve` and `reject`. Needs the live channel."""
        return self.live_view.approval_in(self.phase)

    @property
    def live(self) -> str:  # not a Literal, on which jedi gives up: Tab after a session would list nothing
        """Whether the live channel follows the session: `on`, `off`, `connecting` or `unavailable`."""
        return self.live_view.state

    @property
    def live_reason(self) -> str | None:
        """Why the live channel does not follow the session, in one line; None where it does."""
        is_off = self.live == "off" and self.live_view.reason is None
        return "the session is not at work" if is_off else self.live_view.reason

    def answer(self, *, waited: float | str | None = None) -> Any:
        """Return what `result` would return, from the latest snapshot, without a request and without waiting.

        Args:
            waited: seconds waited so far, for the error message.

        Raises:
            TurnError: there is no answer; see its subclasses.
        """
        if not self.snapshot.turn_over:
            raise turn_error(self.snapshot, waited=seconds(waited))
        return answer_of(self.snapshot, self.schema)

    def frame(self, *, explode: str | None = None, keep_empty: bool = False, prefix: str = "") -> pd.DataFrame:
        """Return the output as a DataFrame: the schema's fields as columns, then id, URL, phase and ACUs.

        If the schema is a list, there is a row for each of its items, each with the ACUs of the whole session. A
        session without a schema that has replied has one row; what it said is in `.result()` and `.messages_frame()`.

        Args:
            explode: the dotted path of another list to unnest, one row per item.
            keep_empty: keep a row even if there is no output, or an empty list.
            prefix: added to the names of the schema's fields, to avoid name clashes.
        """
        from devin_jupyter import frames

        seen = self.snapshot
        if seen.unsaved_answer is not None:
            raise _not_saved(seen)
        output = frames.Output(
            session_id=seen.session_id,
            url=seen.url,
            phase=seen.phase,
            acus=seen.acus,
            raw=seen.structured_output,
            provisional=not seen.output_is_final,
            schema=self.schema,
        )
        is_reply = self.schema is None and seen.schema is None and seen.turn_over
        return frames.outputs([output], explode=explode, keep_empty=keep_empty or is_reply, prefix=prefix)

    def messages_frame(self) -> pd.DataFrame:
        """Return `.messages` as a DataFrame, one row per message."""
        from devin_jupyter import frames

        return frames.messages([(self.id, self.messages)])

    # A handle pickles and copies as its id, so that it goes through %store, joblib and process pools without a key.
    def __reduce__(self) -> tuple[Callable[..., Session], tuple[str]]:
        return import_module(__package__).get, (self.id,)  # the public call; the package itself is above this row

    def __copy__(self: S) -> S:
        return self

    def __deepcopy__(self: S, _: Any) -> S:
        return self

    def __repr__(self) -> str:
        from devin_jupyter import render

        title = f' "{render.labels.title(self.snapshot)}"' if self.title else ""
        label = " simulated" if self.snapshot.simulated else ""
        return f"<{type(self).__name__} {self.id} {self.phase.value} {format_acus(self.acus)}{title}{label}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        from devin_jupyter import render

        return render.bundle(self.snapshot)

    def _mime_(self) -> tuple[str, str]:
        # marimo shows the parts of a bundle as tabs: https://docs.marimo.io/guides/integrating_with_marimo/displaying_objects/
        return "text/html", str(self._repr_mimebundle_()["text/html"])


def _on_service(
    act: Callable[Concatenate[S, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, R]]:
    """Have an act on a replayed session say so where the service does not know the session, or there is no key."""

    @wraps(act)
    async def on_service(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await act(self, *args, **kwargs)
        except (NotFound, NoKey) as problem:
            if self.snapshot.recorded is None:
                raise
            seen, has_key = self.snapshot, isinstance(problem, NotFound)
            why = "this key's service does not have it" if has_key else "there is no key to reach it with"
            with_key = "run its cell with --take 2 (take=2) to start a session"
            without = "connect to a simulator to run its cell anew" if seen.simulated else "set DEVIN_API_KEY"
            raise NotRecorded(
                f"{_named(seen)} is a recording of {seen.recorded}, and {why}",
                "nothing was sent",
                with_key if has_key else without,
            ) from problem

    return on_service


@checked
class AsyncSession(SessionView):
    """A handle on a Devin session, with coroutine methods; `AsyncDevin` returns it.

        audit = await devin.create("Find the flaky tests", repos=["acme/api"], schema="tests:[name:str, why:str]")
        await audit.result()
        await audit.send("Now fix the first one")
        await audit                      # waits for the end of the turn

    It has the attributes and methods of `Session`, and belongs to the event loop of its client. Methods raise an
    `ApiError` if the service refuses and `ConnectionTrouble` if it cannot be reached.
    """

    __module__ = "devin_jupyter"

    def __init__(
        self,
        core: Core,
        watched: WatchedSession,
        *,
        schema: Schema | None = None,
        how: str = "opened",
        notice: str | None = None,
        take: str | None = None,
        cell: CellRef | None = None,
    ) -> None:
        self._core, self._cell = core, cell
        self._shared = _SharedState(watched, schema, how, notice, take)

    def __await__(self) -> Generator[Any, None, AsyncSession]:
        return _awaited(self, self.wait).__await__()

    async def wait(self, timeout: float | str | None = None) -> AsyncSession:
        """Wait until the turn is over or the timeout has passed, and return the session in whatever phase it is.

        An interrupt returns at once and leaves the session running; the message says what it has cost and how to
        stop it.

        Args:
            timeout: seconds, or a text such as "30m"; None for no limit.

        Raises:
            Detached: a blocking wait was interrupted (a KeyboardInterrupt).
            DevinError: the session cannot be read: unknown, or not accessible with this key.
        """
        await self._core.store.turn_over(self._shared.watched, seconds(timeout))
        return self

    async def result(self, timeout: float | str | None = None) -> Any:
        """Wait for the end of the turn and return the answer: the typed output, else Devin's last message.

        Args:
            timeout: seconds, or a text such as "30m"; None for no limit.

        Raises:
            NeedsReply: Devin is waiting for a reply; see `.send()`.
            NeedsApproval: Devin is waiting for an approval; see `.approve()`.
            SessionAsleep, SessionBlocked, SessionStopped, SessionFailed: the turn ended without an answer.
            OutputInvalid: the output does not match the schema.
            WaitTimeout: the turn is still open; the session keeps running.
            Detached: the wait was interrupted; the session keeps running.
        """
        await self.wait(timeout)
        return self.answer(waited=timeout)

    async def send(
        self, text: str, attach: Any = None, again: bool = False, as_user: str | None = None
    ) -> AsyncSession:
        """Send a message and return the session. (`POST …/messages`)

        The same message is sent only once: a rerun sends nothing, and `.notice` says so. On v3 a message wakes a
        session that is asleep.

        Args:
            text: the message.
            attach: a path, URL, DataFrame, bytes or `(name, content)`, or a list of them.
            again: send it even if it was already sent.
            as_user: send it as this user; v3 only.

        Raises:
            Refused: the session is archived (see `unarchive`), or a halt or a budget prevented it; nothing was paid.
            CreateUncertain: it is not known whether the message arrived.
            DevinError: the service refused or could not be reached; nothing was sent.
        """
        if await self._deliver(text, attach, again=again, as_user=as_user) == "sent":
            notes = not_filled_in(text, {}, names_of_caller(), IN_PYTHON, fills=False)
            self._shared.notice = "; ".join(filter(None, [self._cell_notice, *notes])) or None
        return self

    @_on_service
    async def _deliver(self, text: str, attach: Any, *, again: bool = False, as_user: str | None = None) -> str:
        """Send a message as `send` does, without a look at its text; return `sent`, or `already`."""
        check_message(text)
        core, watched = self._core, self._shared.watched
        is_pair = isinstance(attach, tuple) and len(attach) == 2 and isinstance(attach[0], str)
        listed = list(attach) if isinstance(attach, (list, tuple)) and not is_pair else [attach]
        with in_python():
            files = await asyncio.to_thread(read_attachments, [item for item in listed if item is not None], {})
        if not core.settings.api_key or self.snapshot.recorded is not None:  # replayed from a lock file
            keys = message_keys(self.id, text, (item.sha256 for item in files))
            at = core.lock.was_sent(*keys) if core.lock is not None else None
            if at is not None:
                self._shared.notice = f"already sent on {format_utc(parse_time(at))} (recorded)"
                return "already"
            if not core.settings.api_key:
                raise NotRecorded(
                    f"this message to {self.id} is not recorded, and there is no key to send it with",
                    "nothing was sent",
                    "set DEVIN_API_KEY to send it",
                )
        cell = self._cell or CellRef(notebook=host().notebook)
        result = await core.messenger.send(self.id, text, files, again=again, as_user=as_user, cell=cell)
        if result.how == "sent" and result.sent is not None:
            await core.store.note(watched, sent=result.sent)
        self._shared.notice = result.notice
        return result.how

    @_on_service
    async def stop(self, archive: bool = False) -> AsyncSession:
        """Terminate the session; it cannot be resumed. A session that was done stays done. (`DELETE …`)

        Args:
            archive: also archive it; v3 only.
        """
        core, watched = self._core, self._shared.watched
        before = await core.poller.look(watched)
        stops = before.phase not in (Phase.DONE, Phase.FAILED)
        async with core.store.ending(watched) if stops else nullcontext():
            await core.sessions.terminate(self.id, archive=archive)
        await core.store.note(watched, terminated=stops)
        await core.poller.look(watched)
        return self

    async def approve(self) -> AsyncSession:
        """Approve what Devin asks to do, see `.approval`; its turn goes on. Needs the live channel.

        Raises:
            LiveUnavailable: the channel is not on; approve in the web app.
            OptionError: nothing waits for an approval.
        """
        return await self._answer_approval(approved=True)

    async def reject(self) -> AsyncSession:
        """Reject what Devin asks to do, see `.approval`; its turn goes on without it. Needs the live channel.

        Raises:
            LiveUnavailable: the channel is not on; reject in the web app.
            OptionError: nothing waits for an approval.
        """
        return await self._answer_approval(approved=False)

    @_on_service
    async def cancel_turn(self) -> AsyncSession:
        """Cancel what Devin is doing; the session stays usable, and a message continues it. Needs the live channel.

        Raises:
            LiveUnavailable: the channel is not on; `.stop()` terminates the session for good.
        """
        await self._core.follower.cancel(self._shared.watched)
        return await self._looked_at(lambda: self.snapshot.turn_over)

    @_on_service
    async def _answer_approval(self, *, approved: bool) -> AsyncSession:
        await self._core.follower.respond(self._shared.watched, approved=approved)
        return await self._looked_at(lambda: self.phase is not Phase.NEEDS_APPROVAL)

    async def _looked_at(self, is_done: Callable[[], bool]) -> AsyncSession:
        """Look until the session shows what was done to it, so that a wait right afterwards does not end at once."""
        passed = 0.0
        for moment in (0.0, *LOOKS):
            await self._core.store.clock.sleep(moment - passed)
            passed = moment
            with suppress(ConnectionTrouble, ServerError):  # it was done; the poll loop will see it
                await self._core.poller.look(self._shared.watched, retries=False)
            if is_done():
                break
        return self

    @_on_service
    async def archive(self) -> AsyncSession:
        """Archive the session, which puts it to sleep if it is running; see `unarchive`. v3 only. (`POST …/archive`)"""
        await self._core.sessions.archive(self.id)
        return await self.refresh()

    @_on_service
    async def unarchive(self) -> AsyncSession:
        """Take the session out of the archive: only then a message wakes it. v3 only. (`POST …/unarchive`)"""
        await self._core.sessions.unarchive(self.id)
        return await self.refresh()

    @_on_service
    async def tag(self, *tags: str, replace: bool = False) -> tuple[str, ...]:
        """Add tags, or with `replace` set them, and return all tags. (`POST`/`PUT …/tags`)

        Args:
            tags: at most 49.
            replace: remove the other tags, except the `nb-…` tag by which this package finds its sessions.
        """
        write = self._core.tags.replace if replace else self._core.tags.append
        visible = visible_tags(await write(self.id, tags))
        await self._core.store.note(self._shared.watched, tags=visible)
        return visible

    async def refresh(self) -> AsyncSession:
        """Read the session now, with its conversation if the turn is over. (`GET …/sessions/{id}`)"""
        if self.snapshot.recorded is None:
            await self._core.poller.look(self._shared.watched)
        return self

    @_on_service
    async def attachments(self) -> list[wire.SessionAttachment]:
        """List the session's files: `attachment_id`, `name`, `url`, `source` (`devin` or `user`). v3 only."""
        return await self._core.attachments.list(self.id)

    @_on_service
    async def download(self, folder: str | os.PathLike[str] | None = None) -> list[Path]:
        """Download the session's files and return their paths. v3 only.

        File names are sanitized. Existing files are never overwritten; those with the same content are kept.

        Args:
            folder: by default one named after the session in the working directory.
        """
        return await self._core.attachments.download(self.id, folder)

    @_on_service
    async def read(self, name: str) -> Any:
        """Read one file: a table as a DataFrame, JSON as its value, text as str, anything else as bytes. v3 only.

        Args:
            name: as in `attachments()`; the last of several with the same name.

        Raises:
            OptionError: there is no such file; the message lists the names.
        """
        from devin_jupyter.frames.storage import read_file

        listed = await self._core.attachments.list(self.id)
        found = [entry for entry in listed if entry.get("name") == name]
        if not found:
            names = ", ".join(sorted({str(entry.get("name")) for entry in listed})) or "none"
            raise OptionError(f"{self.id} has no file {name!r}", hint=f"its files: {names}")
        content = await self._core.attachments.fetch(found[-1])
        return await asyncio.to_thread(read_file, name, content)

    @_on_service
    async def insights(self, generate: bool = False) -> wire.Insights:
        """Return the service's insights: size, number of messages, `analysis`. v3 only.

        The answer is unchanged: the id is spelled as the service does, and the tags include our `nb-…` tag.

        Args:
            generate: generate the analysis first, which takes about a minute.
        """
        insights = self._core.insights
        return await (insights.generate(self.id) if generate else insights.get(self.id))

    def subscribe(
        self,
        callback: Callable[[Snapshot], None],
        *,
        on_trouble: Callable[[Connection], None] | None = None,
        on_live: Callable[[LiveView], None] | None = None,
        messages: bool = False,
        keep: bool = False,
        every: float = 0.0,
    ) -> Subscription:
        """Have a function called with every new snapshot, until the returned subscription is closed or called.

        Args:
            callback: called on the loop's thread; must not print, display or block.
            on_trouble: called when the connection fails and when it is restored.
            on_live: called with every new view of the live channel: steps, plan, activity, approval.
            messages: also read the conversation while the turn is open.
            keep: continue after the end of the turn, polling slowly.
            every: call at most once in this many seconds, with the newest snapshot, and at once at the end of a turn.
        """

        def on_change(change: Change) -> None:
            if isinstance(change, Snapshot):
                callback(change)
            elif isinstance(change, LiveView):
                if on_live is not None:
                    on_live(change)
            elif on_trouble is not None:
                on_trouble(change)

        return self._core.store.subscribe([self._shared.watched], on_change, messages=messages, keep=keep, every=every)

    def panel(self) -> Panel:
        """Return a live panel with a reply box; its buttons act on the running event loop."""
        from devin_jupyter.panel import Panel
        from devin_jupyter.panel.sync import downloaded

        here = asyncio.get_running_loop()

        def on_loop(act: Callable[..., Any]) -> Callable[..., Any]:
            return lambda **said: asyncio.run_coroutine_threadsafe(act(**said), here).result()

        async def send(text: str, files: list[tuple[str, bytes]]) -> AsyncSession:
            return await self.send(text, files or None, again=True)

        async def download() -> str:
            return downloaded(await self.download())

        acts: dict[str, Callable[..., Any]] = {
            "send": send,
            "stop": self.stop,
            "archive": self.archive,
            "approve": self.approve,
            "reject": self.reject,
            "cancel_turn": self.cancel_turn,
            "files": self.attachments,
            "download": download,
        }
        return Panel(self, actions={name: on_loop(act) for name, act in acts.items()})


def _shown_wait(session: SessionView) -> AbstractContextManager[None]:
    """What surrounds a wait: a moving line in a notebook that somebody sees, else what the front end set."""
    here, is_main = host(), threading.current_thread() is threading.main_thread()
    if not (here.in_kernel and here.can_click and is_main) or hooks.is_quiet or session.snapshot.turn_over:
        return hooks.waiting(session)
    from devin_jupyter.panel.waiting import waiting_line

    return waiting_line(session)


@contextmanager
def _waiting(session: SessionView) -> Iterator[None]:
    try:
        with _shown_wait(session):
            yield
    except KeyboardInterrupt:
        raise detached(session.snapshot) from None


def _sending(_: SessionView) -> AbstractContextManager[None]:
    return completing_requests()


class Session(SessionView, Blocking[AsyncSession]):
    """A Devin session.

        audit = dj.create("Find the flaky tests", repos=["acme/api"], schema="tests:[name:str, why:str]")
        audit.result()            # waits for the end of the turn; `await audit` waits without blocking
        audit.send("Now fix the first one").wait()
        audit.pull_requests, audit.acus

    Attributes show the session as last seen and send no requests. `.phase` is `queued`, `working`, `your_turn`,
    `needs_approval`, `done`, `asleep`, `blocked`, `stopped` or `failed`. While the turn is open, the session is polled
    every few seconds in the background. ACUs are agent compute units, times are UTC, timeouts are seconds.

    Methods raise an `ApiError` if the service refuses (`Unauthorized`, `Forbidden`, `NotFound`, `RateLimited`,
    `ServerError` and others), `ConnectionTrouble` if it cannot be reached, and `Unsupported`, before anything is sent,
    if v1 lacks the operation.
    """

    __module__ = "devin_jupyter"

    def __init__(self, asynchronous: AsyncSession) -> None:
        super().__init__(asynchronous)
        self._shared = asynchronous._shared

    def __await__(self) -> Generator[Any, None, Session]:
        return _awaited(self, lambda: asyncio.wrap_future(loop.submit(self._async.wait()))).__await__()

    @documented_by(AsyncSession.result)
    def result(self, timeout: float | str | None = None) -> Any:
        self.wait(timeout)
        return self.answer(waited=timeout)  # here, not on the loop: reading the output runs code of the schema

    wait = fluent(AsyncSession.wait, guard=_waiting)
    send = fluent(AsyncSession.send, guard=_sending)
    stop = fluent(AsyncSession.stop)
    approve = fluent(AsyncSession.approve)
    reject = fluent(AsyncSession.reject)
    cancel_turn = fluent(AsyncSession.cancel_turn)
    archive = fluent(AsyncSession.archive)
    unarchive = fluent(AsyncSession.unarchive)
    tag = blocking(AsyncSession.tag)
    refresh = fluent(AsyncSession.refresh)
    attachments = blocking(AsyncSession.attachments)
    download = blocking(AsyncSession.download)
    read = blocking(AsyncSession.read)
    insights = blocking(AsyncSession.insights)

    @documented_by(AsyncSession.subscribe)
    def subscribe(
        self,
        callback: Callable[[Snapshot], None],
        *,
        on_trouble: Callable[[Connection], None] | None = None,
        on_live: Callable[[LiveView], None] | None = None,
        messages: bool = False,
        keep: bool = False,
        every: float = 0.0,
    ) -> Subscription:
        def start() -> Subscription:
            return self._async.subscribe(
                callback, on_trouble=on_trouble, on_live=on_live, messages=messages, keep=keep, every=every
            )

        async def start_there() -> Subscription:
            return start()

        return start() if loop.is_here() else loop.run(start_there())

    def panel(self) -> Panel:
        """Return a live panel with a reply box."""
        from devin_jupyter.panel import Panel

        return Panel(self)


async def open_session(core: Core, id_or_url: str, schema: Schema | None = None) -> AsyncSession:
    """Read a session from the service or, if that cannot be reached, from the journal.

    Args:
        core: the client's parts.
        id_or_url: its id in any form, or its URL.
        schema: reads the output; by default the schema that the session was started with.

    Raises:
        NotFound: there is no such session, or this key cannot access it.
        ConnectionTrouble: the service cannot be reached, and the journal does not know the session.
    """
    identifier = prefixed(id_or_url)
    if core.lock is not None and not core.settings.api_key:
        recorded = core.lock.session(identifier)
        if recorded is not None:
            watched = core.store.track(record_of(recorded.snapshot))
            return AsyncSession(core, watched, schema=schema or schema_of(watched.record))
    watched = await core.store.load(identifier)
    asked = schema_of(watched.record)
    if asked is None and schema is not None:  # a schema to read it by does not change what was asked for
        watched.record = replace(watched.record, facts=replace(watched.record.facts, schema=schema))
    notice = None
    try:
        await core.poller.look(watched, retries=watched.seen is None)
    except ConnectionTrouble as problem:
        if watched.seen is None:
            raise
        notice = f"{identifier} as last seen: {problem.message}"
    return AsyncSession(core, core.store.track(watched.record), schema=schema or asked, notice=notice)


async def start_session(core: Core, request: SessionRequest, policy: Policy) -> AsyncSession:
    """Attach to the session of a request, or start it with one POST.

    Raises:
        Refused, CreateUncertain, DevinError: as for `create`.
    """
    if not core.settings.api_key and core.lock is not None:
        started = replay(request, core.lock)
    else:
        try:
            started = await core.creator.start(request, policy)
        except BaseException:
            if policy.replace:
                await refresh_ended(core)
            raise
    try:
        if policy.replace:
            await refresh_ended(core)
        record = await _looked_at(core, started)
    except asyncio.CancelledError:
        if policy.stop_if_left and started.is_new:
            await core.creator.end(started.session_id)
        raise
    watched = core.store.track(record)
    if started.how == "created":
        watched.turn_began = core.store.clock.monotonic()
    return AsyncSession(
        core,
        watched,
        schema=request.schema or schema_of(record),
        how=started.how,
        notice=started.notice,
        take=record.facts.take,
    )


async def _looked_at(core: Core, started: CreateResult) -> Record:
    """Return what is known of a session with its conversation, where it is over, and a second look at its state."""
    record, snapshot = started.record, started.snapshot
    if snapshot.turn_over and started.raw is not None and snapshot.last_word is None:
        snapshot = await _with_conversation(core, record)
        record = replace(record, snapshot=snapshot)
    if started.raw is not None and record.is_open and may_be_a_flicker(snapshot, None, core.store.service_now()):
        await core.store.clock.sleep(SECOND_LOOK)
        with suppress(DevinError):
            raw = await core.sessions.get(record.session_id, retries=False)
            again = observe({**raw, "session_id": record.session_id}, record, at=core.store.clock.now())
            record = record if again.turn_over else replace(record, snapshot=again)
    return record


async def _with_conversation(core: Core, record: Record) -> Snapshot:
    """Add the conversation, so that an attached session has its question and last message."""
    snapshot = record.snapshot
    assert snapshot is not None
    try:
        messages = tuple([read_message(raw) async for raw in core.messages.list(snapshot.session_id)])
    except DevinError:  # a key may see a session and not its conversation
        return snapshot
    snapshot = with_messages(snapshot, record.sent, messages)
    waits = snapshot.phase in (Phase.YOUR_TURN, Phase.NEEDS_APPROVAL)
    question = messages[-1].text if messages and waits and messages[-1] is snapshot.last_word else None
    return replace(snapshot, question=snapshot.question or question)


async def refresh_ended(core: Core) -> None:
    """Have the handles on sessions that an act on others, such as `--replace`, has ended show it at once."""
    ended = [watched for watched in core.store.sessions() if watched.record.terminated and not watched.is_over]
    await asyncio.gather(*(AsyncSession(core, watched).refresh() for watched in ended), return_exceptions=True)


async def _awaited(session: S, wait: Callable[[], Awaitable[Any]]) -> S:
    """Wait for the end of the turn; cancelling leaves the session running."""
    future = asyncio.ensure_future(wait())
    try:
        with _shown_wait(session), cancel_on_interrupt():
            while not (await asyncio.wait([future], timeout=SLICE_SECONDS))[0]:  # an interrupt is noticed in between
                pass
    except asyncio.CancelledError:
        raise DetachedAwait(*detached(session.snapshot).lines) from None
    finally:
        future.cancel()
    future.result()
    return session


# --- the end of a turn: the answer, or the error that says why there is none ---------------------------------------


_LONGEST_QUOTE = 300


def output_of(snapshot: Snapshot, schema: Schema | None) -> Any:
    """Return the typed structured output of the last turn; None where there is none.

    Raises:
        TurnOpen: Devin is still working on it.
        OutputInvalid: it does not match the schema.
        NotRecorded: it was too large for the saved notebook that is read.
    """
    if not snapshot.turn_over and snapshot.recorded is not None:
        raise _recorded_at_work(TurnOpen, snapshot)
    if snapshot.unsaved_answer is not None:
        raise _not_saved(snapshot)
    if not snapshot.turn_over:
        raise TurnOpen(
            f"{_named(snapshot)} is still running ({snapshot.phase.label}); its output is not final",
            _running_status(snapshot),
            ".result() waits for it; .snapshot.structured_output is the interim value",
            session_id=snapshot.session_id,
        )
    if not _has_output(snapshot):
        return None
    if schema is None:
        return snapshot.structured_output
    return schema.load(
        snapshot.structured_output,
        session_id=snapshot.session_id,
        named=_named(snapshot),
        status=_idle_status(snapshot),
    )


def answer_of(snapshot: Snapshot, schema: Schema | None) -> Any:
    """Return the answer of the last turn: the typed output, or without a schema Devin's last message.

    Raises:
        TurnError: there is no answer; see its subclasses.
        OutputInvalid: there is one that does not fit the schema.
    """
    if not snapshot.turn_over or snapshot.phase in _NO_ANSWER or snapshot.unanswered:
        raise turn_error(snapshot)
    if snapshot.unsaved_answer is not None:
        raise _not_saved(snapshot)
    if _has_output(snapshot):
        return output_of(snapshot, schema)
    word = snapshot.last_word
    if schema is None and snapshot.schema is None and (word is not None or snapshot.phase is Phase.DONE):
        return word.text if word is not None else None
    raise turn_error(snapshot)


def _has_output(snapshot: Snapshot) -> bool:
    """The answer itself may be None, where the schema says so and it came in an object."""
    return snapshot.structured_output is not None and snapshot.output_is_fresh


def turn_error(snapshot: Snapshot, *, waited: float | None = None) -> TurnError:
    """Return the exception for a session without an answer.

    Args:
        snapshot: the session as last seen.
        waited: seconds after which waiting was given up.
    """
    if not snapshot.turn_over:
        return _still_open(snapshot, waited)
    kind, what, do = _PROBLEMS[snapshot.phase]
    if snapshot.unanswered:
        what, do = _NOTHING_CAME
    if snapshot.phase is Phase.STOPPED and snapshot.stopped_after is not None:
        what = f"{{id}} was stopped: its turn took longer than {format_seconds(snapshot.stopped_after)} (--max-time)"
    do = _RAISE_CAP if _reached_cap(snapshot) else do
    do = _UNARCHIVE if snapshot.is_archived and snapshot.phase in (Phase.YOUR_TURN, Phase.ASLEEP) else do
    asked = f": {_quote(snapshot.question)}" if snapshot.question else ""
    filled = {"id": _named(snapshot), "url": snapshot.url, "why": _why(snapshot), "asked": asked}
    return kind(what.format(**filled), _idle_status(snapshot), do.format(**filled), session_id=snapshot.session_id)


_NOTHING_CAME = (
    "the message arrived at {id}, and nothing came of it: the session stayed as it was for 2 min",
    "see {url}; .send('…', again=True) sends it once more",
)
_NO_ANSWER = (Phase.NEEDS_APPROVAL, Phase.BLOCKED, Phase.STOPPED, Phase.FAILED)
_WAITING = (Phase.YOUR_TURN, Phase.NEEDS_APPROVAL, Phase.ASLEEP, Phase.BLOCKED)
_PROBLEMS: dict[Phase, tuple[type[TurnError], str, str]] = {
    Phase.YOUR_TURN: (
        NeedsReply,
        "{id} is waiting for your reply{asked}",
        "reply with .send('…') or a %%devin --to cell, then call .result() again",
    ),
    Phase.NEEDS_APPROVAL: (
        NeedsApproval,
        "{id} is waiting for an approval{asked}",
        "approve it in the web app, or with .approve() where the live channel is on: {url}",
    ),
    Phase.ASLEEP: (
        SessionAsleep,
        "{id} fell asleep without an answer{asked}",
        ".send('…') wakes it",
    ),
    Phase.BLOCKED: (
        SessionBlocked,
        "{id} was suspended: {why}",
        "raise the limit in the Devin settings, then .send('continue', again=True); or see {url}",
    ),
    Phase.STOPPED: (
        SessionStopped,
        "{id} was stopped, or exited, without an answer",
        "start another session, at additional cost, with the next --take on the cell (take= in Python)",
    ),
    Phase.FAILED: (
        SessionFailed,
        "{id} failed on the service's side{why}",
        "see {url}; start another session, at additional cost, with the next --take on the cell (take= in Python)",
    ),
    Phase.DONE: (
        OutputInvalid,
        "{id} finished without the requested structured output",
        "request it with .send('submit the structured output'), then call .result() again",
    ),
}
_REASONS = {
    "usage_limit_exceeded": "its ACU limit is reached",
    "out_of_credits": "the organization is out of credits",
    "out_of_quota": "the quota is used up",
    "no_quota_allocation": "no quota is allocated",
    "payment_declined": "the payment was declined",
    "org_usage_limit_exceeded": "the organization's usage limit is reached",
    "user_usage_limit_exceeded": "the user's usage limit is reached",
    "contract_expired": "the contract has expired",
    "total_session_limit_exceeded": "the organization has too many sessions",
}


_UNARCHIVE = "it is archived, and a message would wake nothing: call .unarchive() first, then .send('…')"
_RAISE_CAP = (
    "raise its cap in the web app, then .send('continue', again=True): {url}; "
    "or start another session, at additional cost, with the next --take and a higher --max-acu"
)


def _reached_cap(snapshot: Snapshot) -> bool:
    """The same detail means the session's own cap or a limit of the organization."""
    return snapshot.status_detail == "usage_limit_exceeded" and snapshot.max_acu_limit is not None


def _why(snapshot: Snapshot) -> str:
    detail = snapshot.status_detail or ""
    if snapshot.phase is Phase.FAILED:
        return f" ({detail})" if detail not in ("", "error") else ""
    reason = _REASONS.get(detail)
    if _reached_cap(snapshot):
        reason = f"its own cap, --max-acu {snapshot.max_acu_limit}, is reached"
    return f"{reason} ({detail})" if reason else detail or "the service gives no reason"


def _recorded_at_work(kind: type[TurnError], snapshot: Snapshot) -> TurnError:
    """A recorded session cannot be waited for or stopped."""
    return kind(
        f"{_named(snapshot)} was running ({snapshot.phase.label}) when it was recorded on {snapshot.recorded}",
        f"its answer is not recorded; {cost(snapshot)}",
        "set DEVIN_API_KEY and open it by its id, or ask its author to run %devin lock again",
        session_id=snapshot.session_id,
    )


def _not_saved(snapshot: Snapshot) -> NotRecorded:
    return NotRecorded(
        f"the answer of {_named(snapshot)} was too large for the notebook file",
        f"the session is over, {cost(snapshot)}",
        f"set DEVIN_API_KEY and read it from the service: dj.get('{snapshot.session_id}').result()",
    )


def _still_open(snapshot: Snapshot, waited: float | None) -> TurnError:
    if snapshot.recorded is not None:
        return _recorded_at_work(WaitTimeout, snapshot)
    after = f" after {waited:g} s of waiting" if waited is not None else ""
    return WaitTimeout(
        f"{_named(snapshot)} is still running ({snapshot.phase.label}){after}",
        _running_status(snapshot),
        "call .wait() or .result() to wait again; .stop() terminates it",
        session_id=snapshot.session_id,
    )


def detached(snapshot: Snapshot) -> Detached:
    """Return the error of an interrupted wait: the session keeps running, what it has cost, how to stop it."""
    named = f"{_named(snapshot)}, {cost(snapshot)}"
    if snapshot.turn_over:
        return Detached("Stopped waiting.", f"The session is unchanged: {snapshot.label} ({named}).")
    return Detached(
        "Stopped waiting.",
        f"The session keeps running ({named}).",
        "Run the cell again to wait. .stop() ends it.",
    )


def stopped(snapshot: Snapshot) -> Detached:
    """Return the error of an interrupted wait with `--on-interrupt stop`."""
    return Detached("Stopped waiting.", f"The session was stopped ({_named(snapshot)}, {cost(snapshot)}).")


def _named(snapshot: Snapshot) -> str:
    return f"{snapshot.session_id} (simulated)" if snapshot.simulated else snapshot.session_id


def cost(snapshot: Snapshot) -> str:
    """Return what a session has consumed, as text."""
    return "ACU unknown" if snapshot.acus is None else f"{snapshot.acus:.10g} ACU so far"


def _running_status(snapshot: Snapshot) -> str:
    return f"the session keeps running, {cost(snapshot)}"


def _idle_status(snapshot: Snapshot) -> str:
    state = "has ended"
    if snapshot.phase is Phase.DONE:
        state = "has finished its turn"
    elif snapshot.phase in _WAITING:
        state = "is idle"
    used = "ACU unknown" if snapshot.acus is None else f"{snapshot.acus:.10g} ACU used"
    return f"the session {state}; {used}"


def _quote(text: str) -> str:
    text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return f"“{text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + '…'}”"
