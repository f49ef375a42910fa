"""`Devin`, the blocking client, and the namespaces of the API on it; both are derived from the async classes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Unpack

from devin_jupyter import loop
from devin_jupyter.api.analytics import Consumption as AsyncConsumption
from devin_jupyter.api.analytics import Events as AsyncEvents
from devin_jupyter.api.analytics import Metrics as AsyncMetrics
from devin_jupyter.api.files import Attachments as AsyncAttachments
from devin_jupyter.api.library import Knowledge as AsyncKnowledge
from devin_jupyter.api.library import Playbooks as AsyncPlaybooks
from devin_jupyter.api.library import Schedules as AsyncSchedules
from devin_jupyter.api.library import Secrets as AsyncSecrets
from devin_jupyter.api.sessions import Insights as AsyncInsights
from devin_jupyter.api.sessions import Messages as AsyncMessages
from devin_jupyter.api.sessions import Sessions as AsyncSessions
from devin_jupyter.api.sessions import Tags as AsyncTags
from devin_jupyter.client.aio import AsyncDevin
from devin_jupyter.config import Settings
from devin_jupyter.journal import Journal
from devin_jupyter.loop import Blocking, blocking, completing_requests, documented_by, iterating, same_arguments
from devin_jupyter.options import CellOptions, CreateOptions, MapOptions, from_keywords, seconds
from devin_jupyter.session import AsyncSession, Core, Session, stopped

if TYPE_CHECKING:
    from devin_jupyter.batches.batch import AsyncBatch, Batch


class Sessions(Blocking[AsyncSessions]):
    create = blocking(AsyncSessions.create)
    get = blocking(AsyncSessions.get)
    some = blocking(AsyncSessions.some)
    by_ids = blocking(AsyncSessions.by_ids)
    scan = iterating(AsyncSessions.scan, "pages")
    pages = iterating(AsyncSessions.pages, "pages")
    list = iterating(AsyncSessions.list, "sessions")
    terminate = blocking(AsyncSessions.terminate)
    archive = blocking(AsyncSessions.archive)
    unarchive = blocking(AsyncSessions.unarchive)


class Messages(Blocking[AsyncMessages]):
    pages = iterating(AsyncMessages.pages, "pages")
    tail = blocking(AsyncMessages.tail)
    list = iterating(AsyncMessages.list, "messages")
    send = blocking(AsyncMessages.send)


class Tags(Blocking[AsyncTags]):
    get = blocking(AsyncTags.get)
    append = blocking(AsyncTags.append)
    replace = blocking(AsyncTags.replace)


class Attachments(Blocking[AsyncAttachments]):
    upload = blocking(AsyncAttachments.upload)
    list = blocking(AsyncAttachments.list)
    fetch = blocking(AsyncAttachments.fetch)
    download = blocking(AsyncAttachments.download)


class Insights(Blocking[AsyncInsights]):
    pages = iterating(AsyncInsights.pages, "pages")
    list = iterating(AsyncInsights.list, "sessions")
    get = blocking(AsyncInsights.get)
    generate = blocking(AsyncInsights.generate)


class Events(Blocking[AsyncEvents]):
    list = iterating(AsyncEvents.list, "events")
    search = iterating(AsyncEvents.search, "events")
    details = blocking(AsyncEvents.details)


class Playbooks(Blocking[AsyncPlaybooks]):
    list = iterating(AsyncPlaybooks.list, "playbooks")
    get = blocking(AsyncPlaybooks.get)
    create = blocking(AsyncPlaybooks.create)
    update = blocking(AsyncPlaybooks.update)
    delete = blocking(AsyncPlaybooks.delete)
    ensure = blocking(AsyncPlaybooks.ensure)


class Knowledge(Blocking[AsyncKnowledge]):
    list = iterating(AsyncKnowledge.list, "notes")
    get = blocking(AsyncKnowledge.get)
    create = blocking(AsyncKnowledge.create)
    update = blocking(AsyncKnowledge.update)
    delete = blocking(AsyncKnowledge.delete)
    ensure = blocking(AsyncKnowledge.ensure)
    folders = blocking(AsyncKnowledge.folders)


class Secrets(Blocking[AsyncSecrets]):
    list = iterating(AsyncSecrets.list, "secrets")
    create = blocking(AsyncSecrets.create)
    delete = blocking(AsyncSecrets.delete)
    ensure = blocking(AsyncSecrets.ensure)


class Schedules(Blocking[AsyncSchedules]):
    list = iterating(AsyncSchedules.list, "schedules")
    get = blocking(AsyncSchedules.get)
    create = blocking(AsyncSchedules.create)
    update = blocking(AsyncSchedules.update)
    delete = blocking(AsyncSchedules.delete)
    ensure = blocking(AsyncSchedules.ensure)


class Consumption(Blocking[AsyncConsumption]):
    daily = blocking(AsyncConsumption.daily)
    user = blocking(AsyncConsumption.user)
    service_user = blocking(AsyncConsumption.service_user)
    session = blocking(AsyncConsumption.session)


class Metrics(Blocking[AsyncMetrics]):
    usage = blocking(AsyncMetrics.usage)
    sessions = blocking(AsyncMetrics.sessions)
    prs = blocking(AsyncMetrics.prs)
    searches = blocking(AsyncMetrics.searches)
    dau = blocking(AsyncMetrics.dau)
    wau = blocking(AsyncMetrics.wau)
    mau = blocking(AsyncMetrics.mau)
    active_users = blocking(AsyncMetrics.active_users)


def _blocking_batch(batch: AsyncBatch) -> Batch:
    from devin_jupyter.batches.batch import Batch

    return Batch(batch)


class Devin(Blocking[AsyncDevin]):
    """A blocking client for notebooks and scripts.

        devin = Devin()                                    # the key comes from DEVIN_API_KEY
        audit = devin.create("Find the flaky tests", repos=["acme/api"], schema="tests:[name:str]")
        audit.result()

    The operations of the API are in namespaces: `.sessions`, `.messages`, `.tags`, `.attachments`, `.insights`,
    `.events`, `.playbooks`, `.knowledge`, `.secrets`, `.schedules`, `.consumption`, `.metrics`. They are plain calls;
    only `create` and `send` guarantee that nothing is paid for twice. `AsyncDevin` is the async counterpart.

    Calls raise an `ApiError` if the service refuses, `ConnectionTrouble` if it cannot be reached, and `Unsupported`,
    before anything is sent, if v1 lacks the operation.
    """

    __module__ = "devin_jupyter"

    @same_arguments(AsyncDevin)
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        twin = AsyncDevin(*args, **kwargs)
        super().__init__(twin)
        loop.at_close(twin.aclose)
        self.sessions, self.messages = Sessions(twin.sessions), Messages(twin.messages)
        self.tags, self.attachments = Tags(twin.tags), Attachments(twin.attachments)
        self.insights, self.events = Insights(twin.insights), Events(twin.events)
        self.playbooks, self.knowledge = Playbooks(twin.playbooks), Knowledge(twin.knowledge)
        self.secrets, self.schedules = Secrets(twin.secrets), Schedules(twin.schedules)
        self.consumption, self.metrics = Consumption(twin.consumption), Metrics(twin.metrics)

    def __repr__(self) -> str:
        return f"<Devin {self.settings!r}>"

    def __enter__(self) -> Devin:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def asynchronous(self) -> AsyncDevin:
        """The async client behind this one; it runs on the loop's thread."""
        return self._async

    @property
    def core(self) -> Core:
        """The parts of the client; they belong to the loop's thread."""
        return self._async.core

    @property
    def settings(self) -> Settings:
        """Key (masked in reprs), organization, host and API version, and where they came from."""
        return self._async.settings

    @property
    def journal(self) -> Journal:
        """The local record of what was paid for."""
        return self._async.journal

    @documented_by(AsyncDevin.create)
    def create(self, /, prompt: str, **options: Unpack[CreateOptions]) -> Session:
        waiting, others = _split(options)
        stops = waiting.get("on_interrupt") == "stop"
        with completing_requests(stops=stops):
            session = Session(loop.run(self._async.create(prompt, **others)))
        try:
            return session.wait(seconds(waiting["wait"])) if "wait" in waiting else session
        except KeyboardInterrupt:
            if not stops:
                raise
            session.stop()
            raise stopped(session.snapshot) from None

    @documented_by(AsyncDevin.map)
    def map(self, /, prompt: str, rows: Any, **options: Unpack[MapOptions]) -> Batch:
        waiting, others = _split(options)
        batch = _blocking_batch(loop.run(self._async.map(prompt, rows, **others)))
        if "wait" not in waiting:
            return batch
        return batch.wait(seconds(waiting["wait"]), on_interrupt=waiting.get("on_interrupt") or "detach")

    @documented_by(AsyncDevin.wait)
    def wait(self, session: AsyncSession | Session | str, timeout: float | str | None = None) -> Session:
        if isinstance(session, AsyncSession):
            session = Session(session)
        return (self.get(session) if isinstance(session, str) else session).wait(timeout)

    @documented_by(AsyncDevin.result)
    def result(self, session: AsyncSession | Session | str, timeout: float | str | None = None) -> Any:
        return self.wait(session, timeout).answer(waited=timeout)

    get = blocking(AsyncDevin.get, Session)
    last = blocking(AsyncDevin.last, Session)
    send = blocking(AsyncDevin.send, Session, guard=lambda _: completing_requests())
    stop = blocking(AsyncDevin.stop, Session)
    stop_all = blocking(AsyncDevin.stop_all)
    still_live = blocking(AsyncDevin.still_live)
    batch = blocking(AsyncDevin.batch, _blocking_batch)
    start = blocking(AsyncDevin.start, Session, guard=nullcontext)  # its caller explains an interrupt
    plan = blocking(AsyncDevin.plan)
    budget = blocking(AsyncDevin.budget)
    lock = blocking(AsyncDevin.lock)
    self = blocking(AsyncDevin.self)
    permissions = blocking(AsyncDevin.permissions)
    close = blocking(AsyncDevin.close)
    sessions_frame = blocking(AsyncDevin.sessions_frame)
    outputs_frame = blocking(AsyncDevin.outputs_frame)
    messages_frame = blocking(AsyncDevin.messages_frame)
    pull_requests_frame = blocking(AsyncDevin.pull_requests_frame)
    insights_frame = blocking(AsyncDevin.insights_frame)
    consumption_frame = blocking(AsyncDevin.consumption_frame)
    sync = blocking(AsyncDevin.sync)


def _split(options: Mapping[str, Any]) -> tuple[CellOptions, dict[str, Any]]:
    """Return the options about waiting, which happens on the calling thread, and all options without `wait`."""
    waiting = {name: options[name] for name in ("wait", "on_interrupt") if name in options}
    return from_keywords(**waiting), {name: options[name] for name in options if name != "wait"}
