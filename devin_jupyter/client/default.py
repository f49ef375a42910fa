"""The default client, used by `%%devin` and by the functions of the package, which are its methods.

It is created at first use. `connect` replaces it; existing handles keep their client. A key from the environment or
from `.env` may be changed there without a restart; a key given to `connect` stays.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devin_jupyter.client.sync import Devin
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
from devin_jupyter.errors import JournalError, NoKey, OptionError
from devin_jupyter.host import hooks
from devin_jupyter.journal import Journal
from devin_jupyter.loop import on_default
from devin_jupyter.monitor.store import WatchedSession
from devin_jupyter.options import number
from devin_jupyter.recorded import locks_beside
from devin_jupyter.session import AsyncSession, Core, Session
from devin_jupyter.text import nearest

if TYPE_CHECKING:
    import pandas as pd

    from devin_jupyter.batches.batch import Batch

_CONNECT = ("api_key", "org_id", "base_url", "simulator", "api_version", "profile", "poll_seconds")
_SYNONYMS = {
    **dict.fromkeys(("url", "api_url", "host", "server", "endpoint"), "base_url"),
    **dict.fromkeys(("key", "token", "api_token"), "api_key"),
    **dict.fromkeys(("org", "organization", "organisation"), "org_id"),
    **dict.fromkeys(("version", "api"), "api_version"),
}
_VARIABLES = ("DEVIN_API_KEY", "DEVIN_ORG_ID", "DEVIN_API_URL", "DEVIN_JUPYTER_HOME")


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
    simulated: dict[str, Journal] = field(default_factory=dict)
    """The journals of the simulators in this process, by address, so that a second `connect` finds the sessions."""


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
    hooks.client_used(client)
    return client


create = on_default(default_for_call, Devin.create)
get = on_default(default_for_call, Devin.get)
last = on_default(default_for_call, Devin.last)
map = on_default(default_for_call, Devin.map)
batch = on_default(default_for_call, Devin.batch)
budget = on_default(default_for_call, Devin.budget)
sessions_frame = on_default(default_for_call, Devin.sessions_frame)
outputs_frame = on_default(default_for_call, Devin.outputs_frame)
messages_frame = on_default(default_for_call, Devin.messages_frame)
pull_requests_frame = on_default(default_for_call, Devin.pull_requests_frame)
insights_frame = on_default(default_for_call, Devin.insights_frame)
consumption_frame = on_default(default_for_call, Devin.consumption_frame)
sync = on_default(default_for_call, Devin.sync)


def compare(one: Batch | str, other: Batch | str, on: str | list[str]) -> pd.DataFrame:
    """Return two batches side by side: one row per key, columns in pairs named after the batches.

    Args:
        one: a batch or its name.
        other: another batch with the same kind of rows.
        on: the input column or columns that identify a row.

    Raises:
        OptionError: a batch lacks the column, or does not exist.
    """
    from devin_jupyter.batches.batch import compare as compare_batches

    left, right = (batch(side) if isinstance(side, str) else side for side in (one, other))
    return compare_batches(left, right, on)


def from_notebook(path: str | Path) -> list[Session]:
    """Return the sessions in a notebook file, from its outputs alone: no key, journal or service is needed.

    Args:
        path: an `.ipynb` file saved with its outputs.

    Returns:
        A handle per session, in the order of the cells; `.result()`, `.output` and `.frame()` return what was recorded.
    """
    from devin_jupyter.recorded import read_notebook, record_of, schema_of

    path = Path(path)
    core = Core(replay_settings(path.name), journal=Journal())
    handles = []
    for saved in read_notebook(path):
        record = record_of(saved.snapshot)
        handles.append(Session(AsyncSession(core, WatchedSession(record), schema=schema_of(record), how="recorded")))
    return handles


def _use(client: Devin, make: Callable[[], Devin] | None, *, implicit: bool) -> None:
    with _registry.lock:
        _registry.client, _registry.make, _registry.folder = client, make, Path.cwd()
        _registry.environment = _environment() if implicit else None


def _environment() -> tuple[str | None, ...]:
    return tuple(os.environ.get(name) for name in _VARIABLES)


def _is_stale(client: Devin) -> bool:
    """Return whether the environment has changed, or there is another key where this one was found."""
    if _registry.environment not in (None, _environment()):
        return True
    key = variable("DEVIN_API_KEY")
    if not key and _registry.folder == Path.cwd():
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
    **simulator_options: Any,
) -> Devin:
    """Set the client that `%%devin` and the functions of this package use, and return it.

    Sends no request. Existing handles keep their client. If there is no key but a lock file in the working directory,
    the lock file is replayed; a printed line says so.

    Args:
        api_key: `cog_…` (v3) or `apk_…` (v1); by default `DEVIN_API_KEY`, `.env`, the keyring, Colab's user data.
        org_id: `org-…`; by default `DEVIN_ORG_ID`, else the key's own organization.
        base_url: scheme and host; by default `DEVIN_API_URL`, else `https://api.devin.ai`.
        simulator: use a simulator in this process, which costs nothing.
        api_version: `"v3"` or `"v1"`, for the simulator and for keys whose prefix does not say.
        profile: a name given to `%devin connect --save --profile`.
        poll_seconds: the longest interval between two polls of a working session.
        simulator_options: `speed`, `seed`, `preload` and other options of `python -m devin_jupyter.simulator`.

    Raises:
        NoKey: no key was found.
        WrongKeyFamily: the key belongs to the other API version.
        OptionError: an argument is invalid.
    """
    pause = None if poll_seconds is None else _interval(poll_seconds)
    if simulator:
        client = _with_pace(_simulator_client(api_version, simulator_options), pause)
        _use(client, None, implicit=False)
        return client
    if simulator_options:
        raise _no_option(min(simulator_options), _CONNECT)
    return connect_checked(None, api_key, org_id, base_url, api_version, profile, pause=pause)


def connect_checked(
    check: Callable[[Devin], None] | None,
    *chosen: str | None,
    pause: float | None = None,
    key_source: str = "argument",
) -> Devin:
    """Do what `connect` does, after `check` has accepted the client; if it raises, the current client stays.

    Args:
        check: called with the new client.
        chosen: key, organization, base URL, API version and profile, as in `resolve_settings`.
        pause: `poll_seconds` of `connect`.
        key_source: where the key came from, to show.
    """

    def make() -> Devin:
        return _with_pace(_create_client(chosen, key_source), pause)

    client = make()
    replays = client.core.lock if not client.settings.api_key else None
    if replays is not None:
        print(f"no key: replaying {replays.name}, recorded sessions: {len(replays.by_what)}; nothing is sent")
    if check is not None:
        check(client)
    is_given = chosen[0] is not None or client.settings.profile is not None
    # when a lock file is replayed no key has been chosen yet: one that is set later is used
    _use(client, None if is_given else make, implicit=replays is not None)
    return client


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


def _create_client(chosen: tuple[str | None, ...] = (), key_source: str = "argument") -> Devin:
    broken: list[JournalError] = []
    lock = locks_beside(Path.cwd(), broken.append)
    try:
        client = Devin(settings=resolve_settings(*chosen, key_source=key_source), lock=lock)
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


def _simulator_client(api_version: str | None, options: dict[str, Any]) -> Devin:
    try:
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
    chosen = _simulator_settings(running, api_version)
    with _registry.lock:
        journal = _registry.simulated.setdefault(running.url, Journal())
    broken: list[JournalError] = []
    client = Devin(settings=chosen, journal=journal, lock=locks_beside(Path.cwd(), broken.append))
    _warn(broken)
    return client


def _no_option(name: str, known: Iterable[str]) -> OptionError:
    canonical = _SYNONYMS.get(name)
    hint = f" (did you mean {canonical}?)" if canonical else nearest(name, known)
    return OptionError(
        f"connect has no option {name!r}{hint}",
        "nothing was sent",
        "help(dj.connect) lists them; speed, seed, preload and the like go with simulator=True",
    )


def _simulator_settings(running: Any, api_version: str | None) -> Settings:
    chosen = simulator_settings(
        running.url, api_version=api_version or "v3", org_id=running.org_id, folder=data_folder()
    )
    key = running.v1_key if chosen.api_version == "v1" else running.api_key
    return replace(chosen, api_key=key, known_as="simulator")
