"""`Devin`: the client of notebooks and scripts. Each method is one line into `AsyncDevin`, on the loop's thread."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from devin_jupyter import loop, namespaces, turns
from devin_jupyter.client import AsyncDevin, Core
from devin_jupyter.client.keywords import finite, read_options
from devin_jupyter.devin import tables
from devin_jupyter.journal import Journal, lockfile
from devin_jupyter.loop import completing_requests
from devin_jupyter.namespaces.documented import as_in
from devin_jupyter.options import from_keywords
from devin_jupyter.request import SessionRequest
from devin_jupyter.session import Session
from devin_jupyter.settings import Settings

if TYPE_CHECKING:
    from devin_jupyter.api.transport import Transport
    from devin_jupyter.batches import Batch
    from devin_jupyter.creation import Plan, Policy
    from devin_jupyter.journal.budgets import Account
    from devin_jupyter.stopping import Stopped


@as_in(AsyncDevin)
class Devin:
    """A client for one key, for notebooks and scripts: every call blocks until the service has answered.

        devin = Devin()                                    # the key comes from DEVIN_API_KEY
        audit = devin.create("Find the flaky tests", repos=["acme/api"], schema="tests:[name:str]")
        audit.result()

    The operations of the API are in namespaces: `.sessions`, `.messages`, `.tags`, `.attachments`, `.insights`,
    `.events`, `.playbooks`, `.knowledge`, `.secrets`, `.schedules`, `.consumption`, `.metrics`. They are bare calls;
    what is paid for exactly once is `create` and `send`. `AsyncDevin` is the same as coroutines.

    Where the service refuses, calls raise an `ApiError`; where it cannot be reached, `ConnectionTrouble`; what v1 has
    not, `Unsupported`, before anything is sent.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        org_id: str | None = None,
        base_url: str | None = None,
        api_version: str | None = None,
        profile: str | None = None,
        settings: Settings | None = None,
        journal: Journal | None = None,
        transport: Transport | None = None,
        lock: lockfile.Lock | None = None,
    ) -> None:
        twin = AsyncDevin(
            api_key,
            org_id=org_id,
            base_url=base_url,
            api_version=api_version,
            profile=profile,
            settings=settings,
            journal=journal,
            transport=transport,
            lock=lock,
        )
        self._async, twin._bridge = twin, loop
        loop.at_close(twin.aclose)
        self.sessions, self.messages = namespaces.Sessions(twin.sessions), namespaces.Messages(twin.messages)
        self.tags, self.attachments = namespaces.Tags(twin.tags), namespaces.Attachments(twin.attachments)
        self.insights, self.events = namespaces.Insights(twin.insights), namespaces.Events(twin.events)
        self.playbooks, self.knowledge = namespaces.Playbooks(twin.playbooks), namespaces.Knowledge(twin.knowledge)
        self.secrets, self.schedules = namespaces.Secrets(twin.secrets), namespaces.Schedules(twin.schedules)
        self.consumption, self.metrics = namespaces.Consumption(twin.consumption), namespaces.Metrics(twin.metrics)

    sessions_frame, outputs_frame, messages_frame = tables.sessions_frame, tables.outputs_frame, tables.messages_frame
    pull_requests_frame, insights_frame = tables.pull_requests_frame, tables.insights_frame
    consumption_frame, sync = tables.consumption_frame, tables.sync

    def __repr__(self) -> str:
        return f"<Devin {self.settings!r}>"

    def __enter__(self) -> Devin:
        """Return the client itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    @property
    def asynchronous(self) -> AsyncDevin:
        """The client behind this one; it lives on the loop's thread."""
        return self._async

    @property
    def core(self) -> Core:
        """What both are made of; everything in it belongs to the loop's thread."""
        return self._async.core

    @property
    def settings(self) -> Settings:
        """Key (masked when shown), organization, host and version, and where they came from."""
        return self._async.settings

    @property
    def journal(self) -> Journal:
        """What was paid for, what is about to be, and where to find it again."""
        return self._async.journal

    def close(self) -> None:
        loop.run(self._async.close())

    def self(self) -> dict[str, Any]:
        return loop.run(self._async.self())

    def permissions(self) -> dict[str, bool | None]:
        return loop.run(self._async.permissions())

    def create(self, prompt: str, **options: Any) -> Session:
        wanted = read_options(options)
        stops = wanted.on_interrupt == "stop"
        with completing_requests(stops=stops):
            session = loop.run(self._async.create(prompt, **{key: options[key] for key in options if key != "wait"}))
        try:
            return session if wanted.wait is None else session.wait(finite(wanted.wait))
        except KeyboardInterrupt:
            if not stops:
                raise
            session.stop()
            raise turns.stopped(session.snapshot) from None

    def plan(self, wanted: str | SessionRequest, policy: Policy | None = None, **options: Any) -> Plan:
        return loop.run(self._async.plan(wanted, policy, **options))

    def start(self, request: SessionRequest, policy: Policy | None = None) -> Session:
        return loop.run(self._async.start(request, policy))

    def map(self, prompt: str, rows: Any, **options: Any) -> Batch:
        said = from_keywords(**{name: options[name] for name in ("wait", "on_interrupt") if name in options})
        batch = loop.run(self._async.map(prompt, rows, **{name: options[name] for name in options if name != "wait"}))
        return batch if said.wait is None else batch.wait(finite(said.wait), on_interrupt=said.on_interrupt or "detach")

    def batch(self, name: str) -> Batch:
        return loop.run(self._async.batch(name))

    def get(self, id_or_url: str, schema: Any = None) -> Session:
        return loop.run(self._async.get(id_or_url, schema))

    def last(self) -> Session:
        return loop.run(self._async.last())

    def send(
        self,
        session: Session | str,
        text: str,
        attach: Any = None,
        again: bool = False,
        as_user: str | None = None,
    ) -> Session:
        with completing_requests():
            return loop.run(self._async.send(session, text, attach, again, as_user))

    def wait(self, session: Session | str, timeout: float | str | None = None) -> Session:
        return (self.get(session) if isinstance(session, str) else session).wait(timeout)

    def result(self, session: Session | str, timeout: float | str | None = None) -> Any:
        return self.wait(session, timeout).answer(waited=timeout)

    def stop(self, session: Session | str, archive: bool = False) -> Session:
        return loop.run(self._async.stop(session, archive))

    def stop_all(self, notebook: str | None = None) -> list[Stopped]:
        return loop.run(self._async.stop_all(notebook))

    def still_live(self, notebook: str | None = None) -> str | None:
        return loop.run(self._async.still_live(notebook))

    def budget(self, acus: float | str | None = None, *, notebook: str | None = None) -> Account:
        return loop.run(self._async.budget(acus, notebook=notebook))

    def lock(self, path: str | Path | None = None, *, notebook: str | None = None) -> str:
        return loop.run(self._async.lock(path, notebook=notebook))
