"""`AsyncDevin`: Devin for applications that run an event loop of their own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from devin_jupyter import settings as places
from devin_jupyter.api.consumption import Consumption
from devin_jupyter.api.events import Events
from devin_jupyter.api.knowledge import Knowledge
from devin_jupyter.api.metrics import Metrics
from devin_jupyter.api.playbooks import Playbooks
from devin_jupyter.api.schedules import Schedules
from devin_jupyter.api.secrets import Secrets
from devin_jupyter.client import acts, notebook, tables
from devin_jupyter.client.core import Core
from devin_jupyter.client.keywords import finite, policy_of, read_options
from devin_jupyter.creation import Plan, Policy
from devin_jupyter.errors import OptionError
from devin_jupyter.journal import Journal
from devin_jupyter.journal.lockfile import Lock
from devin_jupyter.journal.place import here
from devin_jupyter.options import Options
from devin_jupyter.request import SessionRequest, build
from devin_jupyter.settings import Settings

if TYPE_CHECKING:
    from devin_jupyter.api.transport import Transport
    from devin_jupyter.batches import Batch
    from devin_jupyter.session import Session
    from devin_jupyter.session.bridge import Bridge


class AsyncDevin:
    """A client for one key, as coroutines. `Devin` is the same for notebooks and scripts.

    The operations of the API are in namespaces: `.sessions`, `.messages`, `.tags`, `.attachments`, `.insights`,
    `.events`, `.playbooks`, `.knowledge`, `.secrets`, `.schedules`, `.consumption`, `.metrics`. They are bare calls;
    what is paid for exactly once is `create` and `send`.

        async with AsyncDevin() as devin:
            session = await devin.create("List the flaky tests", repos=["acme/api"], schema="tests:[name:str]")
            print(await devin.result(session))

    A client belongs to the event loop that uses it first. Its handles show sessions and can be awaited; all else is
    asked of the client: `await devin.send(session, …)`, `await devin.attachments.download(session.id)`.

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
        lock: Lock | None = None,
    ) -> None:
        """Find the key; send nothing yet.

        Args:
            api_key: `cog_…` (v3) or `apk_…` (v1); else `DEVIN_API_KEY` and the places after it.
            org_id: `org-…`; else `DEVIN_ORG_ID`, else asked for.
            base_url: scheme and host; else `DEVIN_API_URL`, else `https://api.devin.ai`.
            api_version: `"v3"` or `"v1"`, for keys whose prefix does not tell.
            profile: of `%devin connect --save`.
            settings: in place of all the above.
            journal: where paid acts are written down; else the one in `DEVIN_JUPYTER_HOME`.
            transport: what carries requests (for tests).
            lock: recorded sessions to replay.

        Raises:
            NoKey: no key was found.
            WrongKeyFamily: the key belongs to the other API version.
        """
        settings = settings or places.resolve(api_key, org_id, base_url, api_version, profile)
        self.core = core = Core(settings, journal=journal, transport=transport, lock=lock)
        self._bridge: Bridge | None = None
        self._last: Session | None = None
        self.journal = core.journal
        self.sessions, self.messages, self.tags = core.sessions, core.messages, core.tags
        self.attachments, self.insights = core.attachments, core.insights
        self.events, self.playbooks = Events(core.service), Playbooks(core.service)
        self.knowledge, self.secrets = Knowledge(core.service), Secrets(core.service)
        self.schedules, self.consumption = Schedules(core.service), Consumption(core.service)
        self.metrics = Metrics(core.service)

    sessions_frame, outputs_frame, messages_frame = tables.sessions_frame, tables.outputs_frame, tables.messages_frame
    pull_requests_frame, insights_frame = tables.pull_requests_frame, tables.insights_frame
    consumption_frame, sync = tables.consumption_frame, tables.sync
    send, wait, result, stop = acts.send, acts.wait, acts.result, acts.stop
    budget, lock, stop_all, still_live = notebook.budget, notebook.lock, notebook.stop_all, notebook.still_live

    def __repr__(self) -> str:
        """Show where it talks to, and the key masked."""
        return f"<{type(self).__name__} {self.settings!r}>"

    async def __aenter__(self) -> AsyncDevin:
        """Return the client itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await self.aclose()

    @property
    def settings(self) -> Settings:
        """Key (masked when shown), organization, host and version, and where they came from."""
        return self.core.settings

    async def close(self) -> None:
        """Stop watching and close the connections; sessions go on."""
        await self.core.aclose()

    aclose = close

    async def self(self) -> dict[str, Any]:
        """Return who the key is: `principal_type`, its id and name, `org_id`. v3 only. (`GET /v3/self`)"""
        return await self.core.account.self()

    async def permissions(self) -> dict[str, bool | None]:
        """Probe what the key may read: permission → yes, no, or None where the service did not tell."""
        return await self.core.account.permissions()

    async def create(self, prompt: str, **options: Any) -> Session:
        """Start a session, or attach to the one that this request has already; returns once its id is known.

        Never pays twice for the same request: see `%devin help`. (`POST …/sessions`)

        Args:
            prompt: what Devin shall do; sent byte for byte.
            options: those of `%%devin` with `_`: `repos`, `mode`, `schema`, `title`, `tags`, `max_acu` (ACU),
                `playbook`, `knowledge`, `secrets={"NAME": value}`, `attach`, `take`, `key`, `max_age`, `budget`
                (ACU), `wait` (seconds, or `"30m"`), and so on.

        Raises:
            UsageMistake: an option that cannot be meant, or that this API version lacks; nothing was sent.
            Refused: a budget, the halt flag or a colleague's session stopped it; nothing was paid.
            CreateUncertain: it could not be settled whether a session was started.
            DevinError: the service refused or could not be reached; no session was started.
        """
        wanted = read_options(options)
        session = await self.start(build(prompt, wanted), policy_of(wanted))
        if wanted.wait is not None:
            await self.wait(session, finite(wanted.wait))
        return session

    async def plan(self, wanted: str | SessionRequest, policy: Policy | None = None, **options: Any) -> Plan:
        """Tell what `create` would do: attach or create and why, the exact body, the costs. Nothing is started.

        Args:
            wanted: the prompt, or a resolved request.
            policy: how it would be started; by default as this notebook.
            options: as for `create`, with a prompt.

        Raises:
            UsageMistake: an option that cannot be meant, or that this API version lacks.
        """
        if isinstance(wanted, str):
            read = read_options({name: value for name, value in options.items() if name != "dry_run"})
            wanted, policy = build(wanted, read), policy or policy_of(read)
        return await self.core.plan(wanted, policy or policy_of(Options()))

    async def start(self, request: SessionRequest, policy: Policy | None = None) -> Session:
        """Start the session of a resolved request, or attach to it; what `create` and `%%devin` call.

        Args:
            request: from `devin_jupyter.request.build`.
            policy: how to start it; by default as this folder's notebook.

        Raises:
            Refused, CreateUncertain, DevinError: as for `create`.
        """
        started, state = await self.core.start(request, policy or policy_of(Options()))
        return self._handle(state, schema=started.schema, how=started.how, notice=started.notice, take=started.take)

    async def map(self, prompt: str, rows: Any, **options: Any) -> Batch:
        """Start one session a row, or attach to those there are; returns at once, work goes on in the background.

        Args:
            prompt: a template; `{{ row.column }}` is filled in for each row.
            rows: a DataFrame, or a list of dicts, values or names.
            options: those of `create`, templates allowed in them, and `name`, `max_parallel`, `limit`, `budget` (ACU).

        Raises:
            UsageMistake: a row or an option that cannot be meant; nothing was sent.
            Refused: a guard said no; nothing was paid.
        """
        from devin_jupyter.batches import calls

        return await calls.map_rows(self.core, prompt, rows, options, self._bridge)

    async def batch(self, name: str) -> Batch:
        """Return a batch by its name, from the journal; nothing is started before its `.resume()`.

        Args:
            name: as given with `name=`, or as the batch printed it.

        Raises:
            OptionError: the journal knows no such batch.
        """
        from devin_jupyter.batches import calls

        return await calls.find_batch(self.core, name, self._bridge)

    async def get(self, id_or_url: str, schema: Any = None) -> Session:
        """Look a session up and return a handle on it. (`GET …/sessions/{id}`)

        Args:
            id_or_url: its id, bare or prefixed, or its URL.
            schema: what its output is to be read as; else the schema it was started with, where known.

        Raises:
            NotFound: there is none, or this key may not see it.
        """
        typed = None
        if schema is not None:
            from devin_jupyter.schema import load_schema

            typed = load_schema(schema)
        opened = await self.core.open(id_or_url, typed)
        return self._handle(opened.state, schema=opened.schema, how="opened", notice=opened.notice)

    async def last(self) -> Session:
        """Return the session that was started or opened last: by this client, else in this notebook.

        Raises:
            OptionError: there is none yet.
        """
        if self._last is not None:
            return self._last
        entries = await asyncio.to_thread(self.core.journal.sessions, notebook=here())
        if not entries:
            do = "start one with %%devin or dj.create(…), or open one that exists: %devin sessions, then %devin open ID"
            raise OptionError("this notebook has started no session yet", hint=do)
        return await self.get(entries[-1].session_id)

    def _handle(self, state: Any, **facts: Any) -> Session:
        from devin_jupyter.session import Session

        self._last = Session(self.core, state, bridge=self._bridge, **facts)
        return self._last
