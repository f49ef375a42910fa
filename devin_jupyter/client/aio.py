"""`AsyncDevin`: Devin for applications that run an event loop of their own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, cast

from devin_jupyter.api.analytics import Consumption, Events, Metrics
from devin_jupyter.api.library import Knowledge, Playbooks, Schedules, Secrets
from devin_jupyter.api.query import SessionFilters
from devin_jupyter.config import Settings, resolve_settings
from devin_jupyter.errors import OptionError
from devin_jupyter.host import host
from devin_jupyter.idempotency.dry_run import Plan, plan, plan_replay
from devin_jupyter.idempotency.stop import StopResult, live_line, stop_all, within
from devin_jupyter.idempotency.stop import still_live as find_live
from devin_jupyter.journal import Journal, lockfile
from devin_jupyter.journal.budgets import Account
from devin_jupyter.models import wire
from devin_jupyter.models.snapshot import CellRef, Policy, notebook_scope
from devin_jupyter.options import BY_NAME, CreateOptions, MapOptions, from_keywords, seconds
from devin_jupyter.recorded import LockFile
from devin_jupyter.request import SessionRequest, build, fill
from devin_jupyter.session import AsyncSession, Core, Session, open_session, refresh_ended, start_session

if TYPE_CHECKING:
    import pandas as pd

    from devin_jupyter.api.transport import Transport
    from devin_jupyter.batches import AsyncBatch


class AsyncDevin:
    """A client for one key, as coroutines. `Devin` is the same for notebooks and scripts.

    The operations of the API are in namespaces: `.sessions`, `.messages`, `.tags`, `.attachments`, `.insights`,
    `.events`, `.playbooks`, `.knowledge`, `.secrets`, `.schedules`, `.consumption`, `.metrics`. They are bare calls;
    what is paid for exactly once is `create` and `send`.

        async with AsyncDevin() as devin:
            session = await devin.create("List the flaky tests", repos=["acme/api"], schema="tests:[name:str]")
            print(await session.result())

    A client belongs to the event loop that uses it first, and so do its handles: `await session` waits for the end of
    the turn, `await session.send(…)`, `await session.stop()` and the others act on it.

    Where the service refuses, calls raise an `ApiError`; where it cannot be reached, `ConnectionTrouble`; what v1 has
    not, `Unsupported`, before anything is sent.
    """

    __module__ = "devin_jupyter"

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
        lock: LockFile | None = None,
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
        settings = settings or resolve_settings(api_key, org_id, base_url, api_version, profile)
        self.core = core = Core(settings, journal=journal, transport=transport, lock=lock)
        self._last: AsyncSession | None = None
        self.journal = core.journal
        self.sessions, self.messages, self.tags = core.sessions, core.messages, core.tags
        self.attachments, self.insights = core.attachments, core.insights
        self.events, self.playbooks = Events(core.service), Playbooks(core.service)
        self.knowledge, self.secrets = Knowledge(core.service), Secrets(core.service)
        self.schedules, self.consumption = Schedules(core.service), Consumption(core.service)
        self.metrics = Metrics(core.service)

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

    async def self(self) -> wire.Principal:
        """Return who the key is: `principal_type`, its id and name, `org_id`. v3 only. (`GET /v3/self`)"""
        return await self.core.account.self()

    async def permissions(self) -> dict[str, bool | None]:
        """Probe what the key may read: permission → yes, no, or None where the service did not tell."""
        return await self.core.account.permissions()

    async def create(self, /, prompt: str, **options: Unpack[CreateOptions]) -> AsyncSession:
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
        session = await self.start(build(*fill(prompt, wanted)), policy_of(wanted))
        if "wait" in wanted:
            await self.wait(session, seconds(wanted["wait"]))
        return session

    async def plan(
        self, /, wanted: str | SessionRequest, policy: Policy | None = None, **options: Unpack[CreateOptions]
    ) -> Plan:
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
            wanted, policy = build(*fill(wanted, read)), policy or policy_of(read)
        policy = policy or policy_of({})
        if self.core.lock is not None and not self.settings.api_key:
            return plan_replay(wanted, self.core.lock, self.settings.api_version)
        return await plan(self.core.creator, wanted, policy)

    async def start(self, request: SessionRequest, policy: Policy | None = None) -> AsyncSession:
        """Start the session of a resolved request, or attach to it; what `create` and `%%devin` call.

        Args:
            request: from `devin_jupyter.request.build`.
            policy: how to start it; by default as this folder's notebook.

        Raises:
            Refused, CreateUncertain, DevinError: as for `create`.
        """
        self._last = await start_session(self.core, request, policy or policy_of({}))
        return self._last

    async def map(self, /, prompt: str, rows: Any, **options: Unpack[MapOptions]) -> AsyncBatch:
        """Start one session a row, or attach to those there are; returns at once, work goes on in the background.

        Args:
            prompt: a template; `{{ row.column }}` is filled in for each row.
            rows: a DataFrame, or a list of dicts, values or names.
            options: those of `create`, templates allowed in them, and `name`, `max_parallel`, `limit`, `budget` (ACU).

        Raises:
            UsageMistake: a row or an option that cannot be meant; nothing was sent.
            Refused: a guard said no; nothing was paid.
        """
        from devin_jupyter.batches import batch

        asked = batch.request_of(prompt, rows, options)
        started = await batch.start(self.core, asked)
        return started if "wait" not in asked.options else await started.wait(seconds(asked.options["wait"]))

    async def batch(self, name: str) -> AsyncBatch:
        """Return a batch by its name, from the journal; nothing is started before its `.resume()`.

        Args:
            name: as given with `name=`, or as the batch printed it.

        Raises:
            OptionError: the journal knows no such batch.
        """
        from devin_jupyter.batches import batch

        return await batch.find(self.core, name)

    async def get(self, id_or_url: str, schema: Any = None) -> AsyncSession:
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
        self._last = await open_session(self.core, id_or_url, typed)
        return self._last

    async def last(self) -> AsyncSession:
        """Return the session that was started or opened last: by this client, else in this notebook.

        Raises:
            OptionError: there is none yet.
        """
        if self._last is not None:
            return self._last
        entries = await asyncio.to_thread(self.core.journal.sessions, notebook=host().notebook)
        if not entries:
            raise OptionError(
                "this notebook has started no session yet",
                hint="start one with %%devin or dj.create(…), or open one that exists: %devin sessions, "
                "then %devin open ID",
            )
        return await self.get(entries[-1].session_id)

    async def send(
        self,
        session: AsyncSession | Session | str,
        text: str,
        attach: Any = None,
        again: bool = False,
        as_user: str | None = None,
    ) -> AsyncSession:
        """Send a message, once: what was sent already is not sent again. (`POST …/messages`)

        On v3 it wakes a session that sleeps. The returned handle's `.notice` says when nothing was sent.

        Args:
            session: a handle, an id or a URL.
            text: what to say.
            attach: a path, URL, DataFrame, bytes or `(name, content)`, or a list of them.
            again: send it though it was sent before.
            as_user: in the name of this user; v3 only.

        Raises:
            CreateUncertain: it could not be settled whether the message arrived.
            DevinError: the service refused or could not be reached; nothing arrived.
        """
        handle = await self._resolved(session)
        self._last = await handle.send(text, attach, again, as_user)
        return handle

    async def wait(self, session: AsyncSession | Session | str, timeout: float | str | None = None) -> AsyncSession:
        """Wait for the end of the turn or the time-out, whatever the phase then is.

        Args:
            session: a handle, an id or a URL.
            timeout: seconds, or a text such as "30m".

        Raises:
            DevinError: it cannot be looked at: unknown, or refused to this key.
        """
        return await (await self._resolved(session)).wait(timeout)

    async def result(self, session: AsyncSession | Session | str, timeout: float | str | None = None) -> Any:
        """Wait for the end of the turn and return the answer: the typed output, or Devin's last message.

        Args:
            session: a handle, an id or a URL.
            timeout: seconds, or a text such as "30m".

        Raises:
            TurnError: there is no answer; the class says why.
        """
        return await (await self._resolved(session)).result(timeout)

    async def stop(self, session: AsyncSession | Session | str, archive: bool = False) -> AsyncSession:
        """Terminate a session for good; it cannot be resumed. (`DELETE …/sessions/{id}`)

        Args:
            session: a handle, an id or a URL.
            archive: also archive it; v3 only.

        Raises:
            NotFound: there is none, or this key may not see it.
        """
        return await (await self._resolved(session)).stop(archive)

    async def sessions_frame(
        self,
        /,
        sessions: Any = None,
        *,
        engine: str | None = None,
        limit: int | None = None,
        **filters: Unpack[SessionFilters],
    ) -> Any:
        """Return sessions as a DataFrame, the newest first, with the same columns and dtypes however many there are.

            devin.sessions_frame(since="30d", tags="team:payments")

        Long histories are read over many time windows at once. A value that is new to this package, such as an unknown
        `origin`, is kept as it came and adds a category. `write_parquet` and `write_csv` of `devin_jupyter.frames` keep
        any of our frames in a file without loss, `read_parquet` and `read_csv` give it back.

        Args:
            sessions: handles, ids or a frame with `session_id`, kept in their order; None for what the filters select.
            engine: `"dask"` for a Dask DataFrame whose partitions are time windows.
            limit: at most so many.
            filters: all must hold: `tags` (all of them), `repos`, `origin`, `category`, `user`, `service_user`, `phase`
                (any of them), `playbook`, `parent`, `schedule`, `archived` (both by default), `since` and `until`
                (half-open on `created_at`, UTC, absolute or such as `"7d"`), `updated_since`.

        Raises:
            OptionError: a filter that does not exist, or sessions and filters at once.
            Unsupported: v1 knows nothing of what is filtered by.
        """
        from devin_jupyter import history

        return await history.sessions(self.core, sessions, engine=engine, limit=limit, **filters)

    async def outputs_frame(
        self,
        /,
        sessions: Any = None,
        *,
        schema: Any = None,
        explode: str | None = None,
        keep_empty: bool = False,
        prefix: str = "",
        limit: int | None = None,
        **filters: Unpack[SessionFilters],
    ) -> pd.DataFrame:
        """Return structured outputs as a DataFrame: the schema's fields as columns, then which session they come from.

        Nested objects are dotted, enums are categories, dates are dates. An output that does not fit its schema keeps
        its row, with the reason in `error`, and a null where its value is none that the column can hold; one that is
        not final is `provisional`.

        A session without an output has no row, unless `keep_empty` is set; its `phase` then says why, and nothing is
        `provisional` or an `error`.

            devin.outputs_frame(tags="audit", schema=Report, explode="findings")

        Args:
            sessions: handles, ids or a sessions frame; None for what the filters select.
            schema: what to read them with; by default what each session was asked for, where that is known.
            explode: the dotted path of a list to take apart, a row per item. A schema that is a list is taken apart
                anyway.
            keep_empty: also keep sessions without an output, or with an empty list.
            prefix: put before the names of the schema's fields.
            limit: of at most so many sessions.
            filters: those of `sessions_frame`.

        Raises:
            OptionError: `explode` names no list, or a field has the name of one of the last columns.
        """
        from devin_jupyter import history

        chosen = {"schema": schema, "explode": explode, "keep_empty": keep_empty, "prefix": prefix, "limit": limit}
        return await history.outputs(self.core, sessions, **chosen, **filters)

    async def messages_frame(
        self, /, sessions: Any = None, *, limit: int | None = None, **filters: Unpack[SessionFilters]
    ) -> pd.DataFrame:
        """Return the messages of sessions as a DataFrame, a row a message, session by session, oldest first.

        The columns are `session_id`, `event_id`, `source` (`user` or `devin`), `text` and `created_at` (UTC).

        Args:
            sessions: handles, ids or a sessions frame; None for what the filters select.
            limit: of at most so many sessions.
            filters: those of `sessions_frame`.

        Raises:
            OptionError: a filter that does not exist, or sessions and filters at once.
            NotFound: no such session.
        """
        from devin_jupyter import history

        return await history.messages(self.core, sessions, limit=limit, **filters)

    async def pull_requests_frame(
        self, /, sessions: Any = None, *, limit: int | None = None, **filters: Unpack[SessionFilters]
    ) -> pd.DataFrame:
        """Return pull requests as a DataFrame, a row per distinct URL, with the session that had it first.

        The columns are `url`, `repo`, `number`, `state` and `session_id`.

        Args:
            sessions: handles, ids or a sessions frame; None for what the filters select.
            limit: of at most so many sessions.
            filters: those of `sessions_frame`.

        Raises:
            OptionError: a filter that does not exist, or sessions and filters at once.
        """
        from devin_jupyter import history

        return await history.pull_requests(self.core, sessions, limit=limit, **filters)

    async def insights_frame(
        self, /, sessions: Any = None, *, limit: int | None = None, **filters: Unpack[SessionFilters]
    ) -> pd.DataFrame:
        """Return how sessions went, as the service judges it, as a DataFrame, a row a session. v3 only.

        The columns are some of `sessions_frame`, then sizes, languages, tools and the counts of what was found;
        `analysis` holds the whole judgment, which sessions without one leave empty.

        Args:
            sessions: handles, ids or a sessions frame; None for what the filters select.
            limit: of at most so many sessions.
            filters: those of `sessions_frame`.

        Raises:
            NotFound: one of the named sessions is not there for this key.
            OptionError: a filter that does not exist, or sessions and filters at once.
            Unsupported: v1 has no insights.
        """
        from devin_jupyter import history

        return await history.insights(self.core, sessions, limit=limit, **filters)

    async def consumption_frame(
        self,
        *,
        since: Any = None,
        until: Any = None,
        user: str | None = None,
        service_user: str | None = None,
        session: Any = None,
    ) -> pd.DataFrame:
        """Return the ACUs of each day as a DataFrame. v3 only; most keys lack the permission.

        There is a row a day, which begins at 08:00 UTC: `date`, `acus`, and the part of each product: `devin`,
        `cascade`, `terminal`, `review`.

        Args:
            since: a moment, absolute or such as `"30d"`.
            until: a moment.
            user: of this user only.
            service_user: of this service user only.
            session: of this session only.

        Raises:
            OptionError: two subjects at once, or what is no moment.
            Forbidden: the key lacks the permission.
            Unsupported: v1 has no consumption figures.
        """
        from devin_jupyter import history

        chosen = {"since": since, "until": until, "user": user, "service_user": service_user, "session": session}
        return await history.consumption(self.core, **chosen)

    async def sync(self, /, folder: str | Path, **filters: Unpack[SessionFilters]) -> pd.DataFrame:
        """Bring a folder of Parquet files up to date and return all its sessions as a DataFrame, the newest first.

        Rows and columns are those of `sessions_frame`. Only what changed is read. A sync that is interrupted loses
        nothing: the next one does it over.

        Args:
            folder: made where it does not exist.
            filters: those of `sessions_frame`; the same every time.

        Raises:
            OptionError: the folder holds the sessions of somebody else, or of other filters.
        """
        from devin_jupyter import history

        return await history.sync(self.core, folder, **filters)

    async def budget(self, acus: float | str | None = None, *, notebook: str | None = None) -> Account:
        """Set or show the budget of a notebook; its repr is the arithmetic. What was spent stays spent.

        Args:
            acus: the limit in ACUs, `"off"` for none, None to show it.
            notebook: whose; by default this one's.

        Raises:
            OptionError: not a number above 0.
        """
        scope = notebook_scope(notebook or host().notebook)
        return await asyncio.to_thread(self.journal.budgets.set_or_show, scope, acus, now=time.time())

    async def lock(self, path: str | Path | None = None, *, notebook: str | None = None) -> str:
        """Write the lock file of a notebook, from which it can be replayed without a key; return a line about it.

        A file that is there is left as it is where the notebook has started no session.

        Args:
            path: by default `NAME.devin.json` in the working directory; where the notebook's name is not known, what
                that file holds of others is kept.
            notebook: whose sessions; by default this one's.

        Raises:
            OptionError: it has started no session, and there is no such file.
            JournalError: the file cannot be written.
        """
        target = None if path is None else Path(path)
        return str(await asyncio.to_thread(lockfile.record, self.journal, notebook or host().notebook, target))

    async def stop_all(self, notebook: str | None = None) -> list[StopResult]:
        """Halt every kernel on this journal, then end the sessions that are at work; `journal.resume()` lifts the halt.

        Args:
            notebook: only those of this notebook, script or folder; None means all of the journal, never those of
                others in the organization.

        Raises:
            JournalError: the halt cannot be written down.
        """
        stopped = await stop_all(self.core.creator, within(Path(notebook)) if notebook is not None else None)
        await refresh_ended(self.core)
        return stopped

    async def still_live(self, notebook: str | None = None) -> str | None:
        """Return one line about the sessions that went on while no kernel looked, with what they cost since; or None.

        Args:
            notebook: whose; by default this one's.
        """
        return live_line(await find_live(self.core.creator, notebook or host().notebook))

    async def _resolved(self, session: AsyncSession | Session | str) -> AsyncSession:
        if isinstance(session, str):
            return await self.get(session)
        return session._async if isinstance(session, Session) else session


def read_options(keywords: Mapping[str, Any]) -> CreateOptions:
    """Return the options of a `create` in Python; those of other calls are refused, with the call they belong to."""
    options = from_keywords(**keywords)
    for name in sorted(options):
        if BY_NAME[name].elsewhere:
            raise OptionError(f"create has no {name}", "nothing was sent", BY_NAME[name].elsewhere)
    return options


def policy_of(options: CreateOptions, *, guard: CellRef | None = None, interactive: bool = False) -> Policy:
    """Return how a request is to be started: from a cell, or by default from Python code in this notebook."""
    return Policy(
        take_new=options.get("new", False),
        max_age=seconds(options.get("max_age")),
        replace=options.get("replace", False),
        beside=options.get("beside", False),
        guard=guard or CellRef(notebook=host().notebook, out=options.get("out")),
        interactive=interactive,
        budget=cast("float | None", options.get("budget")),
        stop_if_left=options.get("on_interrupt") == "stop",
    )
