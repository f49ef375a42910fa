"""`AsyncDevin`: Devin for applications that run an event loop of their own."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, cast

from devin_jupyter.api.analytics import Consumption, Events, Metrics
from devin_jupyter.api.library import Knowledge, Playbooks, Schedules, Secrets
from devin_jupyter.api.organization import Automations, OrgTags, Repositories, Reviews
from devin_jupyter.api.query import SessionFilters, When
from devin_jupyter.client.on_done import announce
from devin_jupyter.client.on_done import check as check_on_done
from devin_jupyter.config import Settings, resolve_settings
from devin_jupyter.errors import OptionError
from devin_jupyter.host import host
from devin_jupyter.idempotency.create import TAGGING_OFF
from devin_jupyter.idempotency.dry_run import Plan, plan, plan_replay
from devin_jupyter.idempotency.reviews import Review
from devin_jupyter.idempotency.stop import StopResult, live_line, stop_all, within
from devin_jupyter.idempotency.stop import still_live as find_live
from devin_jupyter.journal import Journal, lockfile
from devin_jupyter.journal.intents import IN_A_CELL, Account
from devin_jupyter.loop import checked, names_of_caller, with_keywords
from devin_jupyter.models import wire
from devin_jupyter.models.fields import session_id as prefixed
from devin_jupyter.models.snapshot import CellRef, Policy, notebook_scope
from devin_jupyter.options import (
    BY_NAME,
    IN_PYTHON,
    CreateOptions,
    MapOptions,
    from_keywords,
    in_keywords,
    in_python,
    not_filled_in,
    seconds,
)
from devin_jupyter.recorded import LockFile
from devin_jupyter.request import SessionRequest, build, fill
from devin_jupyter.session import AsyncSession, Core, Session, open_session, refresh_ended, start_session
from devin_jupyter.values import path_of as as_path

if TYPE_CHECKING:
    import pandas as pd

    from devin_jupyter.api.transport import Transport
    from devin_jupyter.batches.batch import AsyncBatch

T = TypeVar("T")


def keyless(kind: type[T], settings: Settings) -> Callable[[], T]:
    """Return what makes a client again from its pickle: one for the same place, which finds its key as a new one does.

    Args:
        kind: the class of the client.
        settings: of the client that is pickled.
    """
    names = ("org_id", "base_url", "api_version", "profile")
    return partial(kind, **{name: getattr(settings, name) for name in names})


@checked
class AsyncDevin:
    """An async client. `Devin` is its blocking counterpart for notebooks and scripts.

    The operations of the API are in namespaces: `.sessions`, `.messages`, `.tags`, `.attachments`, `.insights`,
    `.events`, `.playbooks`, `.knowledge`, `.secrets`, `.schedules`, `.consumption`, `.metrics`, `.repositories`,
    `.reviews`, `.members`, `.org_tags`, `.automations`, `.enterprise`. They are plain calls; only `create`, `send` and
    `review` guarantee that nothing is paid for twice.

        async with AsyncDevin() as devin:
            session = await devin.create("List the flaky tests", repos=["acme/api"], schema="tests:[name:str]")
            print(await session.result())

    A client and its handles belong to the event loop that first uses them.

    Calls raise an `ApiError` if the service refuses, `ConnectionTrouble` if it cannot be reached, and `Unsupported`,
    before anything is sent, if v1 lacks the operation.
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
        live: bool | None = None,
    ) -> None:
        """Find the key. Sends no request.

        Args:
            api_key: `cog_…` (v3) or `apk_…` (v1); by default `DEVIN_API_KEY`, `.env`, the keyring, Colab's user data.
            org_id: `org-…`; by default `DEVIN_ORG_ID`, else the key's own organization.
            base_url: scheme and host; by default `DEVIN_API_URL`, else `https://api.devin.ai`.
            api_version: `"v3"` or `"v1"`, for keys whose prefix does not say.
            profile: a name given to `%devin connect --save --profile`.
            settings: replaces all of the above.
            journal: records what is paid for; by default the one in `DEVIN_JUPYTER_HOME`.
            transport: sends the requests; for tests.
            lock: recorded sessions to replay.
            live: use the live channel: None where there is a personal access token (`DEVIN_PAT`), True or fail (when
                the client is entered), False never.

        Raises:
            NoKey: no key was found.
            WrongKeyFamily: the key belongs to the other API version.
        """
        settings = settings or resolve_settings(api_key, org_id, base_url, api_version, profile, live=live)
        settings = settings if live is None else replace(settings, live=live)
        self.core = core = Core(settings, journal=journal, transport=transport, lock=lock)
        self._last: AsyncSession | None = None
        self.journal = core.journal
        self.journal.mask_secrets()
        self.sessions, self.messages, self.tags = core.sessions, core.messages, core.tags
        self.attachments, self.insights = core.attachments, core.insights
        self.events, self.playbooks = Events(core.service), Playbooks(core.service)
        self.knowledge, self.secrets = Knowledge(core.service), Secrets(core.service)
        self.schedules, self.consumption = Schedules(core.service), Consumption(core.service)
        self.metrics, self.repositories = Metrics(core.service), Repositories(core.service)
        self.reviews, self.members = Reviews(core.service), core.members
        self.org_tags, self.automations = OrgTags(core.service), Automations(core.service)
        self.enterprise = core.enterprise

    def __repr__(self) -> str:
        """Show where it talks to, for whom, and the key masked."""
        return f"<{type(self).__name__} {self.settings.place}>"

    def __reduce__(self) -> tuple[Callable[[], Any], tuple[()]]:
        return keyless(type(self), self.settings), ()

    def __copy__(self) -> AsyncDevin:
        return self

    def __deepcopy__(self, _: object) -> AsyncDevin:
        return self

    async def __aenter__(self) -> AsyncDevin:
        """Return the client itself."""
        if self.settings.live:
            try:
                await self.core.follower.require()
            except BaseException:
                await self.aclose()  # nobody else does: it is not entered
                raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await self.aclose()

    @property
    def settings(self) -> Settings:
        """Key (masked in reprs), organization, host and API version, and where they came from."""
        return self.core.settings

    async def close(self) -> None:
        """Stop polling and close the connections. Sessions keep running."""
        await self.core.aclose()

    aclose = close

    async def self(self) -> wire.Principal:
        """Return the principal of the key: `principal_type`, its id and name, `org_id`. v3 only. (`GET /v3/self`)"""
        return await self.core.account.self()

    async def permissions(self) -> dict[str, bool | None]:
        """Test what the key may read: permission → True, False, or None if the service did not say."""
        return await self.core.account.permissions()

    @with_keywords(CreateOptions)
    async def create(self, /, prompt: str, **options: Unpack[CreateOptions]) -> AsyncSession:
        """Start a session, or attach to the existing session of the same request. (`POST …/sessions`)

        Returns as soon as the id is known. The same request is never paid for twice: the same call again returns the
        session that it started; `take=2` starts another.

        Args:
            prompt: what Devin should do; sent byte for byte.
            options: those of `%%devin`, with `_` for `-`; `%devin help %%devin` explains every one. The usual ones:

                repos (list of str): repositories to work on, `["acme/api"]`.
                schema (class, dict or str): the shape of the answer; without one it is free text.
                title, mode, playbook (str), tags, knowledge (lists of str): sent as they are.
                attach (list): files, DataFrames, text or bytes to upload; `":traceback"` is the last error.
                secrets (dict, or list of names in the environment): `{"NAME": value}`, for this session only.
                max_acu (int): the cap; the service suspends the session once it has used so many ACU.
                budget (float): refuse to start it where more ACU than this could be spent.
                max_time (seconds, or "2h"): stop the session once a turn takes longer.
                wait (seconds, or "30m"): wait that long for the end of the turn; by default not at all.
                on_done (function or https address): notified when the turn is over. `AsyncDevin` calls the function on
                    the event loop, `Devin` in a thread.
                take (int or str): a further session for the same request.
                key (str): attach by this name, whatever the prompt is.
                max_age (seconds, or "7d"): attach to no older session.

        Raises:
            UsageMistake: an option is invalid, or this API version lacks it; nothing was sent.
            Refused: a budget, a halt or a colleague's session prevented it; nothing was paid.
            CreateUncertain: it is not known whether a session was started.
            DevinError: the service refused or could not be reached; no session was started.
        """
        with in_python():
            wanted = read_options(options)
            told = check_on_done(wanted["on_done"]) if "on_done" in wanted else None
            session = await self.start(_built(prompt, wanted), policy_of(wanted))
        announce(session, told, on_loop=True)
        if "wait" in wanted:
            await self.wait(session, seconds(wanted["wait"]))
        return session

    @with_keywords(CreateOptions)
    async def fix(
        self, /, error: BaseException | None = None, hint: str = "", **options: Unpack[CreateOptions]
    ) -> AsyncSession:
        """Start a session that corrects the cell that failed, or attach to the session of the same error.

            fixed = dj.fix().result()    # after a cell has failed
            fixed.diff                   # what would change; nothing is run
            fixed.cell                   # the corrected text

        Args:
            error: the exception; by default the last one that a cell of this notebook has raised.
            hint: a sentence for Devin, such as what the cell should do.
            options: those of `create`; `max_acu` and `budget` are in ACUs.

        Raises:
            OptionError: no cell has failed.
            DevinError: as for `create`.
        """
        prompt, schema = asked_to_fix(error, hint)
        options["schema"], options["raw"] = schema, True
        return await self.create(prompt, **options)

    @with_keywords(CreateOptions)
    async def plan(
        self, /, wanted: str | SessionRequest, policy: Policy | None = None, **options: Unpack[CreateOptions]
    ) -> Plan:
        """Return what `create` would do: attach or create and why, the exact body, the costs. Nothing is started.

        Args:
            wanted: the prompt, or a resolved request.
            policy: how it would be started; by default as from this notebook.
            options: as for `create`, with a prompt; `max_acu` and `budget` are in ACUs.

        Raises:
            UsageMistake: an option is invalid, or this API version lacks it.
        """
        if not isinstance(wanted, SessionRequest):
            with in_python():
                read = read_options({name: value for name, value in options.items() if name != "dry_run"})
                wanted, policy = _built(wanted, read), policy or policy_of(read)
                return (await self.plan(wanted, policy)).reworded(in_keywords)
        policy = policy or policy_of({})
        if self.core.lock is not None and not self.settings.api_key:
            return plan_replay(wanted, self.core.lock, self.settings.api_version)
        return await plan(self.core.creator, wanted, policy)

    async def unlisted(self, requests: Sequence[SessionRequest]) -> list[str]:
        """Return a line for each repository and tag, of sessions not started yet, that the organization does not list.

        Nothing is sent: only lists that were read before count, such as by `repositories.list()`.

        Args:
            requests: resolved requests.
        """
        seen, found = self.core.service.seen, dict[str, None]()
        for request in requests if not self.core.service.is_v1 else ():
            lines = seen.warnings(request.repos, request.tags)
            creator = self.core.creator
            if seen.allowed_tags and creator.is_tagging and not creator.has_tagged:
                lines.append(f"the list of allowed tags lacks the one by which sessions are found again; {TAGGING_OFF}")
            if not set(lines) <= found.keys():
                identities = [one.text for one in request.fingerprints(await self.core.where())]
                if await asyncio.to_thread(self.journal.session_for, *identities) is None:
                    found |= dict.fromkeys(lines)
        return list(found)

    async def start(self, request: SessionRequest, policy: Policy | None = None) -> AsyncSession:
        """Start the session of a resolved request, or attach to it.

        Args:
            request: from `devin_jupyter.request.build`.
            policy: how to start it; by default as from this notebook.

        Raises:
            Refused, CreateUncertain, DevinError: as for `create`.
        """
        self._last = await start_session(self.core, request, policy or policy_of({}))
        return self._last

    @with_keywords(MapOptions)
    async def map(self, /, prompt: str, rows: Any, **options: Unpack[MapOptions]) -> AsyncBatch:
        """Start one session per row, or attach to existing ones. Returns at once; the batch runs in the background.

        Args:
            prompt: a template, filled in for each row: `{{ row.column }}`.
            rows: a DataFrame, or a list of dicts, values or names. Without rows the batch is empty: nothing is started
                or kept, and its frame has all columns.
            options: those of `create`, which may be templates, and `name`, `max_parallel`, `limit`, `budget` (ACU);
                `on_done` is notified once, when the batch is over.

        Raises:
            UsageMistake: a row or an option is invalid; nothing was sent.
            Refused: a guard prevented it; nothing was paid.
        """
        from devin_jupyter.batches import batch

        with in_python():
            asked = batch.request_of(prompt, rows, options)
            told = check_on_done(asked.options["on_done"]) if "on_done" in asked.options else None
            started = await batch.start(self.core, asked)
        announce(started, told, on_loop=True)
        return started if "wait" not in asked.options else await started.wait(seconds(asked.options["wait"]))

    async def batch(self, name: str) -> AsyncBatch:
        """Return a batch by its name, from the journal. Nothing is started until `.resume()`.

        Args:
            name: as given with `name=`, or as printed by the batch.

        Raises:
            OptionError: there is no such batch in the journal.
        """
        from devin_jupyter.batches import batch

        return await batch.find(self.core, name)

    async def get(self, id_or_url: str, schema: Any = None) -> AsyncSession:
        """Return a handle on an existing session. (`GET …/sessions/{id}`)

        Args:
            id_or_url: its id, with or without `devin-`, or its URL.
            schema: reads the output; by default the schema that the session was started with, if known.

        Raises:
            NotFound: there is no such session, or this key cannot access it.
        """
        typed = None
        if schema is not None:
            from devin_jupyter.schema import load_schema

            typed = load_schema(schema)
        self._last = await open_session(self.core, id_or_url, typed)
        return self._last

    async def last(self) -> AsyncSession:
        """Return the session that was last started or opened by this client, else in this notebook.

        Raises:
            OptionError: there is none.
        """
        if self._last is not None:
            return self._last
        entries = await asyncio.to_thread(self.core.journal.sessions, notebook=host().notebook)
        if not entries:
            raise OptionError(
                "this notebook has not started a session yet",
                hint="start one with %%devin or dj.create(…), or open an existing one with %devin open ID",
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
        """Send a message and return the session. (`POST …/messages`)

        The same message is sent only once: a rerun sends nothing, and the handle's `.notice` says so. On v3 a message
        wakes a session that is asleep.

        Args:
            session: a handle, an id or a URL.
            text: the message.
            attach: a path, URL, DataFrame, bytes or `(name, content)`, or a list of them.
            again: send it even if it was already sent.
            as_user: send it as this user; v3 only.

        Raises:
            CreateUncertain: it is not known whether the message arrived.
            DevinError: the service refused or could not be reached; nothing was sent.
        """
        handle = await self._resolved(session)
        self._last = await handle.send(text, attach, again, as_user)
        return handle

    async def wait(self, session: AsyncSession | Session | str, timeout: float | str | None = None) -> AsyncSession:
        """Wait until the turn is over or the timeout has passed, and return the session in whatever phase it is.

        Args:
            session: a handle, an id or a URL.
            timeout: seconds, or a text such as "30m".

        Raises:
            DevinError: the session cannot be read: unknown, or not accessible with this key.
        """
        return await (await self._resolved(session)).wait(timeout)

    async def result(self, session: AsyncSession | Session | str, timeout: float | str | None = None) -> Any:
        """Wait for the end of the turn and return the answer: the typed output, else Devin's last message.

        Args:
            session: a handle, an id or a URL.
            timeout: seconds, or a text such as "30m".

        Raises:
            TurnError: there is no answer; see its subclasses.
        """
        return await (await self._resolved(session)).result(timeout)

    async def stop(self, session: AsyncSession | Session | str, archive: bool = False) -> AsyncSession:
        """Terminate a session; it cannot be resumed. (`DELETE …/sessions/{id}`)

        Args:
            session: a handle, an id or a URL.
            archive: also archive it; v3 only.

        Raises:
            NotFound: there is no such session, or this key cannot access it.
        """
        return await (await self._resolved(session)).stop(archive)

    @with_keywords(SessionFilters)
    async def sessions_frame(
        self,
        /,
        sessions: Any = None,
        *,
        engine: str | None = None,
        limit: int | None = None,
        **filters: Unpack[SessionFilters],
    ) -> pd.DataFrame:
        """Return sessions as a DataFrame, newest first. Columns and dtypes are always the same.

            devin.sessions_frame(since="30d", tags="team:payments")

        Long histories are read in many time windows in parallel. A value that this package does not know, such as a new
        `origin`, is kept and becomes a category. `write_parquet` and `write_csv` of `devin_jupyter.frames` store our
        frames without loss; `read_parquet` and `read_csv` read them.

        Args:
            sessions: handles, ids or a frame with `session_id`, kept in order; None for those that the filters select.
            engine: `"dask"` for a Dask DataFrame whose partitions are time windows.
            limit: the maximum number of sessions.
            filters: all of them must match: `tags` (each of them), `repos`, `origin`, `category`, `user`,
                `service_user`, `phase` (any of them), `playbook`, `parent`, `schedule`, `archived` (by default both),
                `since` and `until` (half-open on `created_at`, UTC, absolute or relative, such as `"7d"`),
                `updated_since`, `automation`, and `org_ids`: with the key of an enterprise, the sessions of these
                organizations, or of `"all"`.

        Raises:
            OptionError: an unknown filter, or both sessions and filters.
            Unsupported: v1 does not have the filtered field.
        """
        from devin_jupyter.history import dataset, select

        _check_engine(engine)
        if engine != "dask":
            return (await select(self.core, sessions, filters, limit)).frame
        if sessions is not None or limit is not None:
            raise OptionError("engine='dask' reads whole time windows", hint="select with filters, without limit=")
        # A Dask DataFrame is read like one of pandas; a union would cost everybody else the completion of methods.
        return cast("pd.DataFrame", await dataset.dask_sessions(self.core, filters))

    @with_keywords(SessionFilters)
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

        Nested fields have dotted names, enums are categories, dates are dates. An output that does not match its schema
        keeps its row: `error` says why, and values that do not fit their column are null. `provisional` marks outputs
        that are not final. Sessions without an output are left out, unless `keep_empty` is set. `acus` is the cost of
        the whole session in each of its rows: for a sum, drop duplicates of `session_id` first.

            devin.outputs_frame(tags="audit", schema=Report, explode="findings")

        Args:
            sessions: handles, ids or a sessions frame; None for those that the filters select.
            schema: reads the outputs; by default the schema of each session, if known.
            explode: the dotted path of a list to unnest, one row per item. A schema that is a list is always unnested.
            keep_empty: keep sessions without an output, or with an empty list.
            prefix: added to the names of the schema's fields, to avoid name clashes.
            limit: the maximum number of sessions.
            filters: those of `sessions_frame`.

        Raises:
            OptionError: `explode` is not a list of the schema, or a field has the name of another column.
        """
        from devin_jupyter import history

        chosen = {"schema": schema, "explode": explode, "keep_empty": keep_empty, "prefix": prefix, "limit": limit}
        return await history.outputs(self.core, sessions, **chosen, **filters)

    @with_keywords(SessionFilters)
    async def messages_frame(
        self, /, sessions: Any = None, *, limit: int | None = None, **filters: Unpack[SessionFilters]
    ) -> pd.DataFrame:
        """Return the messages of sessions as a DataFrame, one row per message, by session, oldest first.

        The columns are `session_id`, `event_id`, `source` (`user` or `devin`), `text` and `created_at` (UTC).

        Args:
            sessions: handles, ids or a sessions frame; None for those that the filters select.
            limit: the maximum number of sessions.
            filters: those of `sessions_frame`.

        Raises:
            OptionError: an unknown filter, or both sessions and filters.
            NotFound: no such session.
        """
        from devin_jupyter import history

        return await history.messages(self.core, sessions, limit=limit, **filters)

    async def steps_frame(self, /, sessions: Any) -> pd.DataFrame:
        """Return the steps of sessions, as seen on the live channel, as a DataFrame, one row per step, oldest first.

        The columns are `session_id`, `at` (UTC), `kind` (`thought`, `tool`, `message`, `plan`, `status` or
        `pull_request`), `title`, `status` and `text`. They are known to this process only, the newest few hundred of
        each session; no request is sent.

        Args:
            sessions: a handle, an id, a batch, a sessions frame, or a list of handles and ids.
        """
        from devin_jupyter import frames

        named = getattr(sessions, "sessions", sessions)
        named = named["session_id"] if hasattr(named, "columns") else named
        listed = [named] if isinstance(named, (str, AsyncSession, Session)) or not hasattr(named, "__iter__") else named
        found = []
        for each in listed:
            if not isinstance(each, (AsyncSession, Session)):
                watched = self.core.store.find(prefixed(each))
                found.append((prefixed(each), watched.live.steps if watched is not None else ()))
            else:
                found.append((each.id, each.steps))
        return frames.steps(found)

    @with_keywords(SessionFilters)
    async def pull_requests_frame(
        self, /, sessions: Any = None, *, limit: int | None = None, **filters: Unpack[SessionFilters]
    ) -> pd.DataFrame:
        """Return pull requests as a DataFrame, one row per URL, with the first session that had it.

        The columns are `url`, `repo`, `number`, `state` and `session_id`.

        Args:
            sessions: handles, ids or a sessions frame; None for those that the filters select.
            limit: the maximum number of sessions.
            filters: those of `sessions_frame`.

        Raises:
            OptionError: an unknown filter, or both sessions and filters.
        """
        from devin_jupyter import history

        return await history.pull_requests(self.core, sessions, limit=limit, **filters)

    @with_keywords(SessionFilters)
    async def insights_frame(
        self, /, sessions: Any = None, *, limit: int | None = None, **filters: Unpack[SessionFilters]
    ) -> pd.DataFrame:
        """Return the service's insights as a DataFrame, one row per session. v3 only.

        The columns are some of `sessions_frame`, then sizes, languages, tools and counts of findings; `analysis` is the
        whole analysis, null for sessions without one.

        Args:
            sessions: handles, ids or a sessions frame; None for those that the filters select.
            limit: the maximum number of sessions.
            filters: those of `sessions_frame`.

        Raises:
            NotFound: one of the sessions does not exist, or this key cannot access it.
            OptionError: an unknown filter, or both sessions and filters.
            Unsupported: v1 has no insights.
        """
        from devin_jupyter import history

        return await history.insights(self.core, sessions, limit=limit, **filters)

    async def consumption_frame(
        self,
        *,
        since: When = None,
        until: When = None,
        user: str | None = None,
        service_user: str | None = None,
        session: Any = None,
    ) -> pd.DataFrame:
        """Return the ACUs of each day as a DataFrame. v3 only; most keys lack the permission.

        There is one row per day, which begins at 08:00 UTC: `date`, `acus`, and the ACUs of each product: `devin`,
        `cascade`, `terminal`, `review`.

        Args:
            since: a date or time, absolute or relative, such as `"30d"`.
            until: a date or time.
            user: only this user.
            service_user: only this service user.
            session: only this session.

        Raises:
            OptionError: more than one of user, service_user and session, or an invalid time.
            Forbidden: the key lacks the permission.
            Unsupported: v1 has no consumption figures.
        """
        from devin_jupyter import history

        chosen = {"since": since, "until": until, "user": user, "service_user": service_user, "session": session}
        return await history.consumption(self.core, **chosen)

    async def review(self, pr_url: str, *, take: str | int | None = None) -> Review:
        """Request Devin's review of a pull request, or attach to the one there is. v3 only. (`POST …/pr-reviews`)

        The same review is requested only once: a rerun shows its state. What it says stands in the comments of the
        pull request.

        Args:
            pr_url: the address of the pull or merge request.
            take: a further review, `"2"` for example, of a newer commit.

        Raises:
            OptionError: no such address; nothing was sent.
            Refused: a budget or a halt prevented it; nothing was paid.
            CreateUncertain: it is not known whether a review was requested.
            DevinError: the service refused or could not be reached; nothing was requested.
        """
        return await self.core.reviewer.review(pr_url, take=take, notebook=host().notebook)

    async def repositories_frame(
        self,
        *,
        indexing: bool = False,
        filter_name: str | None = None,
        only_repo_paths: Sequence[str] | None = None,
        exclude_repo_paths: Sequence[str] | None = None,
        limit: int | None = None,
    ) -> pd.DataFrame:
        """Return the repositories that the organization can see as a DataFrame, one row each. v3 only.

        The columns are `repo` (`owner/repo`), `host`, `language`, `description`, `last_updated_at`, `is_indexed`,
        `index_status`, `git_connection_id` and `extra`.

        Args:
            indexing: also read whether they are indexed.
            filter_name: only those with this text in their name.
            only_repo_paths: only these.
            exclude_repo_paths: without these.
            limit: the maximum number of repositories.

        Raises:
            Forbidden: the key lacks the permission.
            Unsupported: v1 has no repositories.
        """
        from devin_jupyter.history import organization

        return await organization.repositories(
            self.core,
            indexing=indexing,
            limit=limit,
            filter_name=filter_name,
            only_repo_paths=only_repo_paths,
            exclude_repo_paths=exclude_repo_paths,
        )

    async def reviews_frame(self, /, pull_requests: Any = None, *, org_ids: str | None = None) -> pd.DataFrame:
        """Return the reviews of pull requests as a DataFrame, one row per pull request. v3 only.

            devin.reviews_frame(devin.pull_requests_frame(since="30d"))

        The columns are `pr_url`, `repo`, `number`, `status` (null: the newest commit has no review), `commit_sha`,
        `created_at`, `error` and `extra`.

        Args:
            pull_requests: URLs, or a frame with a column `url` or `pr_url`; None for those whose review was requested
                from this machine, as the service has no list.
            org_ids: `"all"` for pull requests of any organization, with the key of an enterprise.

        Raises:
            OptionError: no pull requests.
            Forbidden: the key lacks the permission.
        """
        from devin_jupyter.history import organization

        return await organization.reviews(self.core, pull_requests, org_ids=org_ids)

    async def members_frame(self, *, emails: bool = False) -> pd.DataFrame:
        """Return the people of the organization as a DataFrame, one row each. v3 only.

        The columns are `user_id`, `name`, `kind` (`member`, or `group member` through an identity provider), `roles`,
        `groups` and `extra`.

        Args:
            emails: with a column `email`.

        Raises:
            Forbidden: the key lacks the permission.
            Unsupported: v1 has no members.
        """
        from devin_jupyter.history import organization

        return await organization.members(self.core, emails=emails)

    async def automations_frame(
        self, *, enabled: bool | None = None, search: str | None = None, limit: int | None = None
    ) -> pd.DataFrame:
        """Return the automations as a DataFrame, one row each. v3 only.

        The columns are `automation_id`, `name`, `enabled`, `triggers`, `next_run_at`, `last_run_at`, `last_status`,
        `max_acu` (ACUs per session), `max_runs` per `window_seconds`, `run_as`, `tags`, `prompt`, `created_by`,
        `created_at` and `updated_at`. Webhooks are left out.

        Args:
            enabled: only those that are on, or off.
            search: only those with this text.
            limit: the maximum number of automations.

        Raises:
            Forbidden: the key lacks the permission.
            Unsupported: v1 has no automations.
        """
        from devin_jupyter.history import organization

        return await organization.automations(self.core, enabled=enabled, search=search, limit=limit)

    async def organizations_frame(self) -> pd.DataFrame:
        """Return the organizations of an enterprise as a DataFrame, one row each. v3 only.

        The columns are `org_id`, `name`, `max_session_acu`, `max_cycle_acu` (ACUs; null: no limit), `created_at`,
        `updated_at` and `extra`.

        Raises:
            Forbidden: the key lacks the permission, which must be of the enterprise.
        """
        from devin_jupyter.history import organization

        return await organization.organizations(self.core)

    async def enterprise_consumption_frame(self, cycle: Any = None) -> pd.DataFrame:
        """Return the ACUs of a billing cycle as a DataFrame, one row per organization and day. v3 only.

        The columns are `org_id`, `name`, `date` (08:00 UTC, when a day begins), `acus`, and the ACUs of each product:
        `devin`, `cascade`, `terminal`, `review`; then `cycle_after`, `cycle_before` and `limit` (ACUs per cycle; null:
        no limit). An organization that consumed nothing has one row without a date.

        Args:
            cycle: a day in it, its number back from the newest (0, 1, …), or a pair of times; None for the newest.

        Raises:
            OptionError: no such cycle.
            Forbidden: the key lacks the permission, which must be of the enterprise.
        """
        from devin_jupyter.history import organization

        return await organization.enterprise_consumption(self.core, cycle)

    async def audit_logs_frame(
        self,
        since: When = None,
        until: When = None,
        action: str | Sequence[str] | None = None,
        *,
        org_id: str | None = None,
        emails: bool = False,
        limit: int | None = None,
    ) -> pd.DataFrame:
        """Return what was done in an enterprise as a DataFrame, one row per entry, the newest first. v3 only.

        The columns are `audit_log_id`, `action`, `created_at`, `org_id`, `user_id`, `user_name`, `service_user_id`,
        `service_user_name`, `data` and `extra`. Long spans are read 100 days at a time and joined.

        Args:
            since: a date or time, absolute or relative, such as `"30d"`; by default from the beginning.
            until: a date or time.
            action: only this one, or these, such as `"create_session"`.
            org_id: only of this organization.
            emails: with a column `email`, and addresses in `data`.
            limit: the maximum number of entries.

        Raises:
            OptionError: not a time.
            Forbidden: the key lacks the permission, which must be of the enterprise.
        """
        from devin_jupyter.history import organization

        return await organization.audit_logs(self.core, since, until, action, org_id=org_id, emails=emails, limit=limit)

    async def guardrail_violations_frame(
        self,
        since: When = None,
        until: When = None,
        *,
        org_id: str | None = None,
        texts: bool = False,
        limit: int | None = None,
    ) -> pd.DataFrame:
        """Return what guardrails logged, warned about or blocked as a DataFrame, one row each, newest first. v3 only.

        The columns are `violation_id`, `created_at`, `guardrail_id`, `guardrail_name`, `action_taken`,
        `confidence_score`, `session_id`, `event_id`, `org_id` and `extra`.

        Args:
            since: a date or time, absolute or relative, such as `"30d"`; by default from the beginning.
            until: a date or time.
            org_id: only of this organization.
            texts: with columns for what people wrote (`user_message`) and why that is a violation (`reasoning`).
            limit: the maximum number of violations.

        Raises:
            OptionError: not a time.
            Forbidden: the key lacks the permission, which must be of the enterprise.
        """
        from devin_jupyter.history import organization

        return await organization.guardrail_violations(self.core, since, until, org_id=org_id, texts=texts, limit=limit)

    async def metrics_frame(
        self, since: When = None, until: When = None, *, every: str = "week", org_ids: str | Iterable[str] | None = None
    ) -> pd.DataFrame:
        """Return the service's own figures on the use of Devin as a DataFrame. v3 only.

        There is one row per period and organization. The columns are `start`, `end` (UTC), `org_id` (null: all),
        `sessions`, `sessions_with_playbook`, `sessions_with_merged_prs`, `acus_per_session`, `prs_created`,
        `prs_opened`, `prs_closed`, `prs_merged`, `searches`, `active_users`, `by_origin`, `by_size` and `extra`.

        Args:
            since: a date or time, absolute or relative, such as `"90d"`; by default 30 days ago.
            until: a date or time; by default now.
            every: `"day"`, `"week"` or `"month"` (of the calendar).
            org_ids: with the key of an enterprise, one or several organizations, or `"all"` for the enterprise as one.

        Raises:
            OptionError: not a time, or too many periods.
            Forbidden: the key lacks the permission.
            Unsupported: v1 has no metrics.
        """
        from devin_jupyter.history import organization

        return await organization.metrics(self.core, since, until, every=every, org_ids=org_ids)

    @with_keywords(SessionFilters)
    async def sync(
        self, /, folder: str | Path, *, engine: str | None = None, **filters: Unpack[SessionFilters]
    ) -> pd.DataFrame:
        """Update a folder of Parquet files and return all its sessions as a DataFrame, newest first.

        Rows and columns are those of `sessions_frame`; no names of users are stored. Only changes are read: sessions
        that were updated, and of those whose pull requests are not all merged up to 500, the newest and in turn the
        others. An interrupted sync loses nothing: the next one repeats it.

        Args:
            folder: created if it does not exist.
            engine: `"dask"` for a Dask DataFrame with a partition per month, of which no more than one is in memory
                while the folder is updated; its `user_name` is null.
            filters: those of `sessions_frame`; always the same for one folder.

        Raises:
            OptionError: the folder holds sessions of another organization, or of other filters.
        """
        from devin_jupyter.history import dataset

        _check_engine(engine)
        return await dataset.sync(self.core, folder, engine=engine, **filters)

    async def budget(self, acus: float | str | None = None, *, notebook: str | None = None) -> Account:
        """Set or show the budget of a notebook; the repr shows the arithmetic. What was spent stays spent.

        Args:
            acus: the limit in ACUs, `"off"` to remove it, None to show it.
            notebook: its path; by default this notebook.

        Raises:
            OptionError: not a positive number.
        """
        scope = notebook_scope(_path_of(notebook))
        try:
            return await asyncio.to_thread(self.journal.budgets.set_or_show, scope, acus, now=time.time())
        except OptionError as problem:
            problem.reword(lambda line: line.replace(IN_A_CELL, "for example budget(20); budget('off') lifts it"))
            raise

    async def lock(self, path: str | Path | None = None, *, notebook: str | None = None) -> str:
        """Write the lock file of a notebook, which replays it without a key; return a summary line.

        An existing file is left unchanged if the notebook has started no session. Sessions in it that this run did not
        start, such as those that it replayed, are kept.

        Args:
            path: the suffix `.devin.json` is added where it is missing; by default `NAME.devin.json` in the working
                directory.
            notebook: its path; by default this notebook.

        Raises:
            OptionError: the notebook has started no session, and there is no such file.
            JournalError: the file cannot be written.
        """
        target = None if path is None else as_path(path)
        return str(await asyncio.to_thread(lockfile.record, self.journal, _path_of(notebook), target))

    async def stop_all(self, notebook: str | None = None) -> list[StopResult]:
        """Halt all kernels that use this journal and terminate its working sessions; `journal.resume()` lifts the halt.

        Args:
            notebook: only those of this notebook, script or folder; None for all in the journal. Sessions of other
                people in the organization are never touched.

        Raises:
            JournalError: the halt cannot be recorded.
        """
        stopped = await stop_all(
            self.core.creator, within(as_path(notebook, "notebook")) if notebook is not None else None
        )
        await refresh_ended(self.core)
        return stopped

    async def still_live(self, notebook: str | None = None) -> str | None:
        """Return a line about the sessions that ran while no kernel watched them, with their cost since; else None.

        Args:
            notebook: its path; by default this notebook.
        """
        lives = await find_live(self.core.creator, _path_of(notebook))
        for live in lives:
            if live.record.facts.max_time is not None:  # somebody has to watch the time
                self.core.store.track(live.record)
        return live_line(lives)

    async def _resolved(self, session: AsyncSession | Session | str) -> AsyncSession:
        if isinstance(session, AsyncSession):
            return session
        return session._async if isinstance(session, Session) else await self.get(session)


def _check_engine(engine: str | None) -> None:
    if engine not in (None, "pandas", "dask"):
        raise OptionError(f"engine={engine!r} is unknown", hint="leave it out for pandas, or give 'dask'")


def _path_of(notebook: str | None) -> str:
    """Return the one path by which a notebook is known, however it is named; by default that of this notebook."""
    return host().notebook if notebook is None else os.path.realpath(as_path(notebook, "notebook"))


def asked_to_fix(error: BaseException | None = None, hint: str = "") -> tuple[str, type]:
    """Return the prompt about an error, by default the last one of the notebook, and the class of its answer.

    Raises:
        OptionError: no cell has failed.
    """
    from devin_jupyter.notebook import failure_of, last_failure
    from devin_jupyter.repair import answer_to, prompt_for

    failure = last_failure() if error is None else failure_of(error)
    return prompt_for(failure, hint), answer_to(failure)


def read_options(keywords: Mapping[str, Any]) -> CreateOptions:
    """Return the options of `create`; those of other calls are refused with the name of that call."""
    options = from_keywords(**keywords)
    for name in sorted(options):
        if BY_NAME[name].elsewhere:
            raise OptionError(f"create has no {name}", hint=BY_NAME[name].elsewhere)
    return options


def request_of(prompt: str, options: Mapping[str, Any]) -> SessionRequest:
    """Return the request of a call of `create`."""
    return _built(prompt, read_options({name: value for name, value in options.items() if name != "on_done"}))


def _built(prompt: str, options: CreateOptions) -> SessionRequest:
    # nothing in Python is filled in from the names around a call
    notes: tuple[str, ...] = ()
    if isinstance(prompt, str):
        notes = not_filled_in(prompt, options, names_of_caller(), IN_PYTHON, fills=False)
    return build(*fill(prompt, options), notes=notes)


def policy_of(options: CreateOptions, *, guard: CellRef | None = None, interactive: bool = False) -> Policy:
    """Return how to start a request: from a cell, or by default from Python code in this notebook."""
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
