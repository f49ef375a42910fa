"""`Devin`, the blocking client, and the default one; with the namespaces of the API derived from the async classes.

The functions of the package are methods of the default client, which `%%devin` uses too. It is created at first use.
`connect` replaces it; existing handles keep their client. A key from the environment or from `.env` may be changed
there without a restart; a key given to `connect` stays.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from devin_jupyter import loop
from devin_jupyter.api import analytics, enterprise, files, library, organization, sessions
from devin_jupyter.client.aio import AsyncDevin, keyless, request_of
from devin_jupyter.client.on_done import OnDone, announce
from devin_jupyter.client.on_done import check as check_on_done
from devin_jupyter.config import (
    Settings,
    data_folder,
    no_key,
    read_dotenv,
    replay_settings,
    resolve_settings,
    simulator_settings,
    variable,
)
from devin_jupyter.errors import ArgumentError, JournalError, NoKey, OptionError
from devin_jupyter.host import hooks, working_directory
from devin_jupyter.journal import Journal
from devin_jupyter.loop import (
    Blocking,
    blocking,
    completing_requests,
    documented_by,
    on_default,
    same_arguments,
    understood,
    with_keywords,
)
from devin_jupyter.monitor.store import WatchedSession
from devin_jupyter.options import CellOptions, CreateOptions, MapOptions, from_keywords, in_python, number, seconds
from devin_jupyter.recorded import locks_beside
from devin_jupyter.session import AsyncSession, Core, Session, stopped
from devin_jupyter.text import kind_of, nearest
from devin_jupyter.values import path_of as as_path

if TYPE_CHECKING:
    import pandas as pd

    from devin_jupyter.batches.batch import AsyncBatch, Batch
    from devin_jupyter.request import SessionRequest
    from devin_jupyter.simulator.server import Running


class Sessions(Blocking[sessions.Sessions], sessions.Sessions): ...


class Messages(Blocking[sessions.Messages], sessions.Messages): ...


class Tags(Blocking[sessions.Tags], sessions.Tags): ...


class Attachments(Blocking[files.Attachments], files.Attachments): ...


class Insights(Blocking[sessions.Insights], sessions.Insights): ...


class Events(Blocking[analytics.Events], analytics.Events): ...


class Playbooks(Blocking[library.Playbooks], library.Playbooks): ...


class Knowledge(Blocking[library.Knowledge], library.Knowledge): ...


class Secrets(Blocking[library.Secrets], library.Secrets): ...


class Schedules(Blocking[library.Schedules], library.Schedules): ...


class Consumption(Blocking[analytics.Consumption], analytics.Consumption): ...


class Metrics(Blocking[analytics.Metrics], analytics.Metrics): ...


class Repositories(Blocking[organization.Repositories], organization.Repositories): ...


class Reviews(Blocking[organization.Reviews], organization.Reviews): ...


class Members(Blocking[organization.Members], organization.Members): ...


class OrgTags(Blocking[organization.OrgTags], organization.OrgTags): ...


class Automations(Blocking[organization.Automations], organization.Automations): ...


class Enterprise(Blocking[enterprise.Enterprise], enterprise.Enterprise):
    def __init__(self, asynchronous: enterprise.Enterprise) -> None:
        super().__init__(asynchronous)
        self.metrics: Metrics = Metrics(asynchronous.metrics)


def _blocking_batch(batch: AsyncBatch) -> Batch:
    from devin_jupyter.batches.batch import Batch

    return Batch(batch)


class Devin(Blocking[AsyncDevin]):
    """A blocking client for notebooks and scripts.

        devin = Devin()                                    # the key comes from DEVIN_API_KEY
        audit = devin.create("Find the flaky tests", repos=["acme/api"], schema="tests:[name:str]")
        audit.result()

    The operations of the API are in namespaces: `.sessions`, `.messages`, `.tags`, `.attachments`, `.insights`,
    `.events`, `.playbooks`, `.knowledge`, `.secrets`, `.schedules`, `.consumption`, `.metrics`, `.repositories`,
    `.reviews`, `.members`, `.org_tags`, `.automations`, `.enterprise`. They are plain calls; only `create`, `send` and
    `review` guarantee that nothing is paid for twice. `AsyncDevin` is the async counterpart.

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
        self.repositories, self.reviews = Repositories(twin.repositories), Reviews(twin.reviews)
        self.members, self.org_tags = Members(twin.members), OrgTags(twin.org_tags)
        self.automations, self.enterprise = Automations(twin.automations), Enterprise(twin.enterprise)

    def __repr__(self) -> str:
        return f"<Devin {self.settings.place}>"

    def __reduce__(self) -> Any:
        return keyless(Devin, self.settings), ()

    def __copy__(self) -> Devin:
        return self

    def __deepcopy__(self, _: object) -> Devin:
        return self

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
        return self.core.settings

    @property
    def journal(self) -> Journal:
        """The local record of what was paid for."""
        return self._async.journal

    @documented_by(AsyncDevin.create)
    @with_keywords(CreateOptions)
    def create(self, /, prompt: str, **options: Unpack[CreateOptions]) -> Session:
        waiting, others = _split(options)
        stops, told = waiting.get("on_interrupt") == "stop", _on_done(waiting)
        if self.core.service.seen.is_useful:  # else the request is not built twice
            with in_python():
                warn_unlisted(self, [request_of(prompt, others)])
        session = start_session(self, self._async.create(prompt, **others), stops=stops)
        try:
            announce(session, told)
            return session.wait(seconds(waiting["wait"])) if "wait" in waiting else session
        except KeyboardInterrupt:
            if not stops:
                raise
            session.stop()
            raise stopped(session.snapshot) from None

    @documented_by(AsyncDevin.map)
    @with_keywords(MapOptions)
    def map(self, /, prompt: str, rows: Any, **options: Unpack[MapOptions]) -> Batch:
        from devin_jupyter.batches import batch as batches

        waiting, others = _split(options)
        told = _on_done(waiting)
        with in_python():
            asked = batches.request_of(prompt, rows, others)
            plan = loop.run_request(batches.plan(self.core, asked))
            warn_unlisted(self, [item.request for item in plan.items])
            with completing_requests():
                batch = _blocking_batch(loop.run(batches.start(self.core, asked, plan)))
        announce(batch, told)
        if "wait" not in waiting:
            return batch
        return batch.wait(seconds(waiting["wait"]), on_interrupt=waiting.get("on_interrupt") or "detach")

    @documented_by(AsyncDevin.wait)
    def wait(self, session: AsyncSession | Session | str, timeout: float | str | None = None) -> Session:
        if isinstance(session, AsyncSession):
            session = Session(session)
        return (session if isinstance(session, Session) else self.get(session)).wait(timeout)

    @documented_by(AsyncDevin.result)
    def result(self, session: AsyncSession | Session | str, timeout: float | str | None = None) -> Any:
        return self.wait(session, timeout).answer(waited=timeout)

    fix = blocking(AsyncDevin.fix, Session, guard=lambda _: completing_requests())
    get = blocking(AsyncDevin.get, Session)
    last = blocking(AsyncDevin.last, Session)
    send = blocking(AsyncDevin.send, Session, guard=lambda _: completing_requests())
    stop = blocking(AsyncDevin.stop, Session)
    stop_all = blocking(AsyncDevin.stop_all)
    still_live = blocking(AsyncDevin.still_live)
    batch = blocking(AsyncDevin.batch, _blocking_batch)
    start = blocking(AsyncDevin.start, Session, guard=lambda _: completing_requests())
    plan = blocking(AsyncDevin.plan)
    unlisted = blocking(AsyncDevin.unlisted)
    budget = blocking(AsyncDevin.budget)
    lock = blocking(AsyncDevin.lock)
    self = blocking(AsyncDevin.self)
    permissions = blocking(AsyncDevin.permissions)
    close = blocking(AsyncDevin.close)
    sessions_frame = blocking(AsyncDevin.sessions_frame)
    outputs_frame = blocking(AsyncDevin.outputs_frame)
    messages_frame = blocking(AsyncDevin.messages_frame)
    steps_frame = blocking(AsyncDevin.steps_frame)
    pull_requests_frame = blocking(AsyncDevin.pull_requests_frame)
    insights_frame = blocking(AsyncDevin.insights_frame)
    consumption_frame = blocking(AsyncDevin.consumption_frame)
    review = blocking(AsyncDevin.review, guard=lambda _: completing_requests())
    repositories_frame = blocking(AsyncDevin.repositories_frame)
    reviews_frame = blocking(AsyncDevin.reviews_frame)
    members_frame = blocking(AsyncDevin.members_frame)
    automations_frame = blocking(AsyncDevin.automations_frame)
    organizations_frame = blocking(AsyncDevin.organizations_frame)
    enterprise_consumption_frame = blocking(AsyncDevin.enterprise_consumption_frame)
    audit_logs_frame = blocking(AsyncDevin.audit_logs_frame)
    guardrail_violations_frame = blocking(AsyncDevin.guardrail_violations_frame)
    metrics_frame = blocking(AsyncDevin.metrics_frame)
    sync = blocking(AsyncDevin.sync)


def start_session(client: Devin, starting: Coroutine[Any, Any, AsyncSession], *, stops: bool) -> Session:
    """Start a session, and say what becomes of it where that is interrupted.

    Args:
        client: whose session it is.
        starting: returns its handle.
        stops: one that was started all the same is terminated.

    Raises:
        Detached: interrupted (a KeyboardInterrupt).
        DevinError: as for `create`.
    """

    async def end(session: AsyncSession) -> None:
        if session.how in ("created", "adopted"):
            await client.core.creator.end(session.id)

    return Session(loop.run_paid(starting, undo=end if stops else None))


def warn_unlisted(client: Devin, requests: Sequence[SessionRequest]) -> None:
    """Print which repositories and tags the organization does not list, where its lists were read before."""
    if client.core.service.seen.is_useful:
        for line in client.unlisted(requests):
            print(line)


def _split(options: Mapping[str, Any]) -> tuple[CellOptions, dict[str, Any]]:
    """Return the options about waiting, which happens here with the blocking handle, and the options for the loop."""
    waiting = {name: options[name] for name in ("wait", "on_interrupt", "on_done") if name in options}
    others = {name: options[name] for name in options if name not in ("wait", "on_done")}
    with in_python():
        return from_keywords(**waiting), others


def _on_done(options: CellOptions) -> OnDone | None:
    return check_on_done(options["on_done"]) if "on_done" in options else None


# --- the default client --------------------------------------------------------------------------------------

_CONNECT = ("api_key", "org_id", "base_url", "simulator", "api_version", "profile", "poll_seconds", "live", "tagging")
_SYNONYMS = {
    **dict.fromkeys(("url", "api_url", "host", "server", "endpoint"), "base_url"),
    **dict.fromkeys(("key", "token", "api_token"), "api_key"),
    **dict.fromkeys(("org", "organization", "organisation"), "org_id"),
    **dict.fromkeys(("version", "api"), "api_version"),
}
_VARIABLES = ("DEVIN_API_KEY", "DEVIN_PAT", "DEVIN_ORG_ID", "DEVIN_API_URL", "DEVIN_JUPYTER_HOME")


@dataclass
class _Registry:
    lock: threading.RLock = field(default_factory=threading.RLock)
    client: Devin | None = None
    make: Callable[[], Devin] | None = None
    """Creates the client again; None if its key was given, which stays."""
    environment: tuple[str | None, ...] | None = None
    """The environment when the client was created implicitly; None after `connect`."""
    folder: Path | None = None
    """The working directory at that time: its `.env` may change."""
    simulated: dict[Running, Journal] = field(default_factory=dict)
    """The journals of the simulators in this process, so that a second `connect` finds the sessions.

    Not by their addresses: a later simulator may get the port of one that has ended.
    """


_registry = _Registry()


def get_default() -> Devin:
    """Return the default client, created from the environment at first use and again when that changes.

    Raises:
        NoKey: there is no key, and no lock file to replay in the working directory.
    """
    with _registry.lock:
        if _registry.client is None:
            _use(_create_client(), _create_client, implicit=True)
        elif _registry.make is not None and _is_stale(_registry.client):
            _use(_registry.make(), _registry.make, implicit=_registry.environment is not None)
        assert _registry.client is not None
        return _registry.client


def default_for_call(sessions: Any = None, *_: Any, **__: Any) -> Devin:
    """Return the default client for a call from user code, which may print what ran without a kernel.

    Args:
        sessions: the first argument of the call. If all of them are recorded sessions, no key is needed.

    Raises:
        NoKey: as `get_default`.
    """
    try:
        client = get_default()
    except NoKey:
        handles = sessions if isinstance(sessions, (list, tuple)) else [sessions]
        if not handles or any(not isinstance(one, Session) or one.snapshot.recorded is None for one in handles):
            raise
        return Devin(settings=replay_settings("a saved notebook"), journal=Journal())
    may_print = threading.current_thread() is threading.main_thread()
    if may_print and hooks.before_use is not None and client is not hooks.told:
        hooks.before_use(client)
    return client


create = on_default(default_for_call, Devin.create)
fix = on_default(default_for_call, Devin.fix)
plan = on_default(default_for_call, Devin.plan)
get = on_default(default_for_call, Devin.get)
last = on_default(default_for_call, Devin.last)
map = on_default(default_for_call, Devin.map)
batch = on_default(default_for_call, Devin.batch)
budget = on_default(default_for_call, Devin.budget)
sessions_frame = on_default(default_for_call, Devin.sessions_frame)
outputs_frame = on_default(default_for_call, Devin.outputs_frame)
messages_frame = on_default(default_for_call, Devin.messages_frame)
steps_frame = on_default(default_for_call, Devin.steps_frame)
pull_requests_frame = on_default(default_for_call, Devin.pull_requests_frame)
insights_frame = on_default(default_for_call, Devin.insights_frame)
consumption_frame = on_default(default_for_call, Devin.consumption_frame)
review = on_default(default_for_call, Devin.review)
repositories_frame = on_default(default_for_call, Devin.repositories_frame)
reviews_frame = on_default(default_for_call, Devin.reviews_frame)
members_frame = on_default(default_for_call, Devin.members_frame)
automations_frame = on_default(default_for_call, Devin.automations_frame)
organizations_frame = on_default(default_for_call, Devin.organizations_frame)
enterprise_consumption_frame = on_default(default_for_call, Devin.enterprise_consumption_frame)
audit_logs_frame = on_default(default_for_call, Devin.audit_logs_frame)
guardrail_violations_frame = on_default(default_for_call, Devin.guardrail_violations_frame)
metrics_frame = on_default(default_for_call, Devin.metrics_frame)
sync = on_default(default_for_call, Devin.sync)


@understood
def compare(one: Batch | str, other: Batch | str, on: str | list[str]) -> pd.DataFrame:
    """Return two batches side by side: one row per key, columns in pairs named after the batches.

    Args:
        one: a batch or its name.
        other: another batch with the same kind of rows.
        on: the input column or columns that identify a row.

    Raises:
        OptionError: a batch lacks the column, or does not exist.
    """
    from devin_jupyter.batches.batch import BatchView
    from devin_jupyter.batches.batch import compare as compare_batches

    for side in (one, other):
        if not isinstance(side, (str, BatchView)):
            raise ArgumentError(f"compare takes two batches, not {kind_of(side)}", hint="give them, or their names")
    left, right = (batch(side) if isinstance(side, str) else side for side in (one, other))
    return compare_batches(left, right, on)


def from_notebook(path: str | Path) -> list[Session]:
    """Return the sessions in a notebook file, from its outputs alone: no key, journal or service is needed.

    Args:
        path: an `.ipynb` file saved with its outputs.

    Returns:
        A handle per session, in the order of the cells and in its last state; `.result()`, `.output` and `.frame()`
        return what was recorded. The list shows the sessions of a batch together.
    """
    from devin_jupyter.recorded import read_notebook, record_of, schema_of

    path = as_path(path)
    core, found = Core(replay_settings(path.name), journal=Journal()), RecordedSessions()
    found.name = path.name
    for each in read_notebook(path):
        record = record_of(each.snapshot)
        found.append(Session(AsyncSession(core, WatchedSession(record), schema=schema_of(record), how="recorded")))
        found.places[each.snapshot.session_id] = (each.cell, each.board)
    return found


class RecordedSessions(list[Session]):
    """The sessions of a notebook file, a line for each; those of a batch have one together."""

    name = ""

    def __init__(self, sessions: Iterable[Session] = ()) -> None:
        super().__init__(sessions)
        self.places: dict[str, tuple[int, str]] = {}
        """By session: its cell, and the title of the board that shows it."""

    def __repr__(self) -> str:
        from devin_jupyter.render import notebook_text

        return notebook_text(self.name, [(*self.places.get(one.id, (0, "")), one.snapshot) for one in self])


def _use(client: Devin, make: Callable[[], Devin] | None, *, implicit: bool) -> None:
    with _registry.lock:
        _registry.client, _registry.make, _registry.folder = client, make, working_directory()
        _registry.environment = _environment() if implicit else None


def _environment() -> tuple[str | None, ...]:
    return tuple(os.environ.get(name) for name in _VARIABLES)


def _is_stale(client: Devin) -> bool:
    """Return whether the environment has changed, or there is another key where this one was found."""
    if _registry.environment not in (None, _environment()):
        return True
    key = variable("DEVIN_API_KEY")
    if not key and _registry.folder == working_directory():
        with suppress(NoKey):  # the file cannot be read now: the key from before stays in use
            key = read_dotenv(_registry.folder).get("DEVIN_API_KEY", "")
    return key not in ("", client.settings.api_key)


def find_default() -> Devin | None:
    """Return the default client, or None if none has been created."""
    return _registry.client


def journal() -> Journal:
    """Return the journal in use, or the one in the data folder if there is no client. Needs no key."""
    client = find_default()
    return Journal(data_folder()) if client is None else client.journal


def connect(
    api_key: str | None = None,
    org_id: str | None = None,
    base_url: str | None = None,
    simulator: bool = False,
    *,
    api_version: str | None = None,
    profile: str | None = None,
    poll_seconds: float | None = None,
    live: bool | None = None,
    tagging: str = "on",
    **simulator_options: Any,
) -> Devin:
    """Set the client that `%%devin` and the functions of this package use, and return it.

    Sends no request, unless `live=True`. Existing handles keep their client. If there is no key but a lock file in the
    working directory, the lock file is replayed; a printed line says so.

    Args:
        api_key: `cog_…` (v3) or `apk_…` (v1); by default `DEVIN_API_KEY`, `.env`, the keyring, Colab's user data.
        org_id: `org-…`; by default `DEVIN_ORG_ID`, else the key's own organization.
        base_url: scheme and host; by default `DEVIN_API_URL`, else `https://api.devin.ai`.
        simulator: use a simulator in this process, which costs nothing.
        api_version: `"v3"` or `"v1"`, for the simulator and for keys whose prefix does not say.
        profile: a name given to `%devin connect --save --profile`.
        poll_seconds: the longest interval between two polls of a working session.
        live: show what Devin does while it does it, over the live channel: None where there is a personal access token
            (`DEVIN_PAT`), True or fail, False never.
        tagging: `"off"` puts no tag of this package on sessions, for organizations that allow only listed tags; then
            the journal alone knows which session a cell has.
        simulator_options: `speed`, `seed`, `preload` and other options of `python -m devin_jupyter.simulator`.

    Raises:
        NoKey: no key was found.
        WrongKeyFamily: the key belongs to the other API version.
        OptionError: an argument is invalid.
        LiveUnavailable: `live=True`, and the live channel cannot be used.
    """
    if live not in (None, True, False):
        raise OptionError(f"live is True, False or None, not {live!r}")
    if tagging not in ("on", "off"):
        raise OptionError(f"tagging is 'on' or 'off', not {tagging!r}")
    pause, is_tagging = None if poll_seconds is None else _interval(poll_seconds), tagging == "on"
    if simulator:
        client = _with_pace(_simulator_client(api_version, simulator_options, live), pause)
        client.core.creator.is_tagging = is_tagging
        with _closed_if_refused(client):
            _require_live(client)
        _use(client, None, implicit=False)
        return client
    if simulator_options:
        raise _no_option(min(simulator_options), _CONNECT)
    return connect_checked(
        None, api_key, org_id, base_url, api_version, profile, pause=pause, live=live, is_tagging=is_tagging
    )


def connect_checked(
    check: Callable[[Devin], None] | None,
    *chosen: str | None,
    pause: float | None = None,
    key_source: str = "argument",
    pat: str | None = None,
    live: bool | None = None,
    is_tagging: bool = True,
) -> Devin:
    """Do what `connect` does, after `check` has accepted the client; if it raises, the current client stays.

    Args:
        check: called with the new client.
        chosen: key, organization, base URL, API version and profile, as in `resolve_settings`.
        pause: `poll_seconds` of `connect`.
        key_source: where the key came from, to show.
        pat: a personal access token that was typed.
        live: as in `connect`.
        is_tagging: whether sessions get a tag of this package.
    """

    def make() -> Devin:
        client = _with_pace(_create_client(chosen, key_source, pat, live), pause)
        client.core.creator.is_tagging = is_tagging
        return client

    client = make()
    replays = client.core.lock if not client.settings.api_key else None
    if replays is not None:
        print(f"no key: replaying {replays.name}, recorded sessions: {len(replays.by_what)}; nothing is sent")
    with _closed_if_refused(client):
        if check is not None:
            check(client)
        _require_live(client)
    is_given = chosen[0] is not None or pat is not None or client.settings.profile is not None
    # when a lock file is replayed no key has been chosen yet: one that is set later is used
    _use(client, None if is_given else make, implicit=replays is not None)
    return client


@contextmanager
def _closed_if_refused(client: Devin) -> Iterator[None]:
    """Close the connections of a client that does not come into use."""
    try:
        yield
    except BaseException:
        client.close()
        raise


def _require_live(client: Devin) -> None:
    """Connect to the live channel where it was asked for with `live=True`."""
    if client.settings.live:
        loop.run(client.core.follower.require())


def _with_pace(client: Devin, pause: float | None) -> Devin:
    if pause is not None:
        client.core.poller.pace = replace(client.settings.pace, slow=pause)
    return client


def _interval(value: Any) -> float:
    try:
        return number(value)
    except (TypeError, ValueError) as problem:
        raise OptionError(
            f"poll_seconds={value!r} is {problem}", hint="give seconds, such as poll_seconds=10"
        ) from None


def disconnect() -> None:
    """Forget the default client; the next use creates one. Sessions keep running, handles keep their client."""
    with _registry.lock:
        _registry.client = None


def _create_client(
    chosen: tuple[str | None, ...] = (),
    key_source: str = "argument",
    pat: str | None = None,
    live: bool | None = None,
) -> Devin:
    broken: list[JournalError] = []
    lock = locks_beside(working_directory(), broken.append)
    try:
        client = Devin(settings=resolve_settings(*chosen, key_source=key_source, pat=pat, live=live), lock=lock)
        _warn(broken)
        return client
    except NoKey as problem:
        if any(chosen) or problem.message != no_key().message:  # a key that is none
            raise
        if broken:
            raise broken[0] from None
        if lock is None:
            raise
        return Devin(settings=replay_settings(lock.name, lock.api_version), journal=Journal(), lock=lock)


def _warn(broken: Iterable[JournalError]) -> None:
    for problem in broken:
        print(f"{problem.message}; it is not used: {problem.hint}")


def _simulator_client(api_version: str | None, options: dict[str, Any], live: bool | None) -> Devin:
    if not loop.HAS_THREADS:
        raise OptionError(
            "the simulator needs threads and sockets, which pyodide (JupyterLite) does not have",
            "nothing was started",
            "recorded notebooks work there: dj.from_notebook(path), or a lock file beside the notebook",
        )
    try:
        with loop.paused_collector():
            from devin_jupyter.simulator.config import Config
            from devin_jupyter.simulator.server import start
    except ImportError as missing:
        raise OptionError(
            f"the simulator needs {missing.name or 'more packages'}", hint="pip install 'devin-jupyter[simulator]'"
        ) from None
    known = [one.name for one in fields(Config)]
    for name in options:
        if name not in known:
            raise _no_option(name, [*_CONNECT, *known])
    try:
        running = start(Config(**options))
    except (TypeError, ValueError, OSError, sqlite3.Error) as mistake:
        raise OptionError(f"the simulator cannot start: {mistake}", "nothing was started") from None
    chosen = replace(_simulator_settings(running, api_version), live=live)
    with _registry.lock:
        journal = _registry.simulated.setdefault(running, Journal())
    return Devin(settings=chosen, journal=journal)  # no lock file: a new simulator has none of its sessions


def _no_option(name: str, known: Iterable[str]) -> OptionError:
    canonical = _SYNONYMS.get(name)
    hint = f" (did you mean {canonical}?)" if canonical else nearest(name, known)
    return OptionError(
        f"connect has no option {name!r}{hint}",
        hint="help(dj.connect) lists them; speed, seed, preload and the like go with simulator=True",
    )


def _simulator_settings(running: Running, api_version: str | None) -> Settings:
    chosen = simulator_settings(
        running.url, api_version=api_version or "v3", org_id=running.org_id, folder=data_folder()
    )
    key = running.v1_key if chosen.api_version == "v1" else running.api_key
    return replace(chosen, api_key=key, known_as="simulator", pat=running.pat)
