"""What every test stands on: no real network, no key of the person who runs it, and a simulator over real HTTP."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Generator, Iterator
from dataclasses import dataclass
from functools import cache, partialmethod
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import certifi
import httpx
import pytest
import sent_methods
from hypothesis import HealthCheck
from hypothesis import settings as profiles

from devin_jupyter import config, loop, redaction
from devin_jupyter.api.transport import Transport
from devin_jupyter.client import sync
from devin_jupyter.config import Pace
from devin_jupyter.live import socket as live_socket
from devin_jupyter.loop import paused_collector
from devin_jupyter.simulator import scenarios, server
from devin_jupyter.simulator.config import Config
from devin_jupyter.simulator.server import Running, start

# every run is repeatable; with FUZZ_ANEW=1 in the environment the long suites draw anew
profiles.register_profile(
    "repeatable",
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
profiles.register_profile(
    "long", profiles.get_profile("repeatable"), max_examples=100, derandomize="FUZZ_ANEW" not in os.environ
)
profiles.load_profile("repeatable")

# every transaction of a journal is synced, which takes most of a test's time on a disk and none in memory
MEMORY = "/dev/shm"
if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > 2**30:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", MEMORY)

# dozens of kernels and programs start below, and pytest compiles every test, much faster with cached modules
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Tests are collected to stay: looking for garbage among them takes an eighth of the time, then and later."""
    with paused_collector():
        try:
            return (yield)
        finally:
            gc.freeze()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_unconfigure() -> Generator[None, object, object]:
    """Look for garbage once at the end: pytest, IPython and Python look up to ten times, half a second each."""
    gc.collect()
    gc.freeze()
    return (yield)


LONG = {
    *("test_dataset", "test_charts", "test_follow", "test_session", "test_terminal", "test_endings", "test_kills"),
    *("test_changed_package", "test_typing", "test_round_trips", "test_frames", "test_without_threads"),
}
"""The modules without a browser or kernel that take longest, as `--durations=0` says."""


SUITES = ("faults", "schemathesis", "fuzz", "environments", "soak", "canaries")
"""What the default run leaves out, the longest tests first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest go first, so that no worker is left with them at the end: notebooks, browsers, kernels."""
    items.sort(
        key=lambda item: [
            next((place for place, suite in enumerate(SUITES) if item.get_closest_marker(suite)), len(SUITES)),
            item.path.suffix != ".ipynb",
            item.get_closest_marker("browser") is None,
            item.get_closest_marker("kernel") is None,
            item.path.stem not in LONG,
        ]
    )


FIRST_BROWSER = ("batch", "charts", "panel")
"""The modules of browser tests that the first of two workers runs; together they take as long as the others."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """As `--dist loadscope`, but two workers run all tests in browsers, half of them each.

    Each worker with one of them starts a JupyterLab, a chromium and a page, which takes it as long as most of them.
    """
    if config.getvalue("dist") != "loadscope":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class TwoWithBrowsers(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            scope: str = super()._split_scope(nodeid)
            _, is_browser, name = scope.partition("/test_browser_")
            return f"browser {Path(name).stem in FIRST_BROWSER}" if is_browser else scope

    return TwoWithBrowsers(config, log)


BEGAN = pytest.StashKey[float]()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    item.stash[BEGAN] = time.monotonic()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """A test that had to be ended by its timeout has failed, also where the code it ran caught what ended it."""
    result = yield
    marker = item.get_closest_marker("timeout")
    seconds = float(marker.args[0] if marker else item.config.getini("timeout"))
    assert time.monotonic() - item.stash[BEGAN] < seconds, f"it took more than {seconds:g} s"
    return result


KEPT = {"DEVIN_SPECS"}
"""Variables that speak to the tests, not to the package."""
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Everything here is plain http; loading trust anchors takes longer than most tests."""
_connect = socket.socket.connect


def _is_local(address: Any) -> bool:
    if not isinstance(address, tuple):
        return True
    try:
        return ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback
    except ValueError:
        return address[0] == "localhost"


@pytest.fixture(autouse=True, scope="session")
def loopback_only() -> Iterator[None]:
    def connect(self: socket.socket, address: Any) -> None:
        if self.family != getattr(socket, "AF_UNIX", None) and not _is_local(address):
            raise PermissionError(f"a test tried to reach {address}")
        _connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect)
        yield


@pytest.fixture(autouse=True, scope="session")
def certificates_read_once() -> Iterator[None]:
    """Clients share one context with certifi's certificates, which are read in 20 ms; nobody changes it."""
    read = ssl.create_default_context

    @cache
    def shared(file: str) -> ssl.SSLContext:
        return read(cafile=file)

    def create(*purpose: Any, **options: Any) -> ssl.SSLContext:
        is_plain = not purpose and options == {"cafile": certifi.where()} and "SSLKEYLOGFILE" not in os.environ
        return shared(options["cafile"]) if is_plain else read(*purpose, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", create)
        yield


async def _no_pause(seconds: float) -> None:
    """In place of the pauses between the tries of safe calls."""


@pytest.fixture(autouse=True, scope="session")
def short_pauses() -> Iterator[None]:
    """Pauses that nothing depends on are short."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Transport, "__init__", partialmethod(Transport.__init__, sleep=_no_pause))
        patch.setattr(config, "_SIMULATOR_PACE", Pace(fast=0.05))
        yield


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("DEVIN_") and name not in KEPT]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DEVIN_JUPYTER_HOME", str(tmp_path / "home"))


@pytest.fixture(autouse=True)
def ctrl_c_interrupts() -> None:
    """Ctrl-C is heard also where the run was started in the background, which ignores it, and after any test."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def own_ipython(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The history and the startup files of the person who runs the tests are not theirs, nor of the next worker."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("ipython")
        patch.setenv(sent_methods.NOTES, str(folder / "sent.txt"))
        patch.setenv("IPYTHONDIR", str(sent_methods.note_for(folder)))
        yield


@pytest.fixture(autouse=True, scope="session")
def edited_meanwhile() -> Iterator[None]:
    """A file that is edited while the tests run does not make them fail."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("devin_jupyter.host._LOOK_SECONDS", float("inf"))
        yield


@pytest.fixture(scope="session")
def _kept() -> set[Running]:
    """The simulators of `simulator_with`, which starts none twice."""
    return set()


@pytest.fixture(autouse=True)
def own_simulators(_kept: set[Running]) -> Iterator[None]:
    """What a test does in the simulator of the process is not there in the next test."""
    before = set(server.started.values())
    yield
    for running in set(server.started.values()) - before - _kept:
        running.stop()


@pytest.fixture(autouse=True)
def own_clients(own_simulators: None) -> Iterator[None]:
    """A connection that a test leaves open is closed after it, not found by the garbage collector in another test."""
    left: list[Callable[[], Coroutine[Any, Any, None]]] = []
    at_close = loop.at_close

    def noted(closer: Callable[[], Coroutine[Any, Any, None]]) -> None:
        left.append(closer)
        at_close(closer)

    async def close() -> None:
        await asyncio.gather(*(closer() for closer in left))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "at_close", noted)
        yield
    if left:
        loop.run(close())


@pytest.fixture(autouse=True)
def own_default_client() -> Iterator[None]:
    """What a test connects to is not the default of the next one, by which time its simulator may be gone."""
    registry = sync._registry
    before = dict(vars(registry))
    yield
    vars(registry).update(before)


@pytest.fixture(autouse=True)
def own_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test plants is not masked in the texts of the next."""
    monkeypatch.setattr(redaction, "masked", redaction.masked)


@pytest.fixture(autouse=True)
def watching_never_acts(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, own_ipython: None
) -> Iterator[None]:
    """Of all that any test sends over the live channel, here and in kernels, only tests of acts send what acts."""
    methods: list[str] = []
    write = live_socket.Socket._write

    async def noting(self: live_socket.Socket, message: dict[str, Any], allowed: frozenset[str]) -> None:
        await write(self, message, allowed)
        methods.append(str(message.get("method", "an error")))

    monkeypatch.setattr(live_socket.Socket, "_write", noting)
    _, before = sent_methods.noted(0)
    yield
    in_kernels, _ = sent_methods.noted(before)
    acts = live_socket.ACTS if request.node.get_closest_marker("acts") else frozenset()
    watches = {"initialize", "session/list", "session/load", "session/resume", "an error"}
    assert {*methods, *in_kernels} <= watches | acts


@dataclass(frozen=True)
class SimulatorHandle:
    """A running simulator and its control endpoints."""

    running: Running
    _control: httpx.Client

    @property
    def url(self) -> str:
        return self.running.url

    @property
    def api_key(self) -> str:
        return self.running.api_key

    @property
    def v1_key(self) -> str:
        return self.running.v1_key

    @property
    def org_id(self) -> str:
        return self.running.org_id

    @property
    def turn_seconds(self) -> float:
        return self.running.config.turn_seconds

    def stats(self) -> dict[str, Any]:
        """Requests by "METHOD template", and the number of sessions created."""
        return self._ask("GET", "stats")

    def requests(self, key: str) -> int:
        """How often one route was asked, such as "POST /v3/organizations/{org_id}/sessions"."""
        count: int = self.stats()["requests"].get(key, 0)
        return count

    def clock(self, seconds: float) -> None:
        """Add to the simulated time."""
        self._ask("POST", "clock", {"advance": seconds})

    def act(self, session_id: str, act: str) -> None:
        """Do to a session what somebody else or the service may do: `archive`, `archive_as_is` or `migrate`."""
        self._ask("POST", "sessions", {"session": session_id, "act": act})

    def faults(self, *rules: dict[str, Any]) -> None:
        """Replace all fault rules."""
        self._ask("POST", "faults", {"rules": list(rules)})

    def reset(self) -> None:
        """Forget sessions, faults, counts and added time."""
        self._ask("POST", "reset")

    def v3(self, **options: Any) -> httpx.Client:
        """A plain client with the v3 key; its base URL is the organization."""
        return self._client(self.api_key, f"/v3/organizations/{self.org_id}", options)

    def v1(self, **options: Any) -> httpx.Client:
        """A plain client with the v1 key; its base URL is /v1."""
        return self._client(self.v1_key, "/v1", options)

    def _client(self, key: str, path: str, options: dict[str, Any]) -> httpx.Client:
        headers = {"authorization": f"Bearer {key}"}
        return httpx.Client(
            base_url=self.url + path, headers=headers, trust_env=False, verify=PLAIN, timeout=30, **options
        )

    def _ask(self, method: str, name: str, body: Any = None) -> dict[str, Any]:
        answer = self._control.request(method, f"{self.url}/_sim/{name}", json=body)
        assert answer.status_code == 200, answer.text
        result: dict[str, Any] = answer.json()
        return result


@pytest.fixture(scope="session")
def _control() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, verify=PLAIN, timeout=60) as client:
        yield client


@pytest.fixture
def simulator_with(_control: httpx.Client, _kept: set[Running]) -> Iterator[Callable[..., SimulatorHandle]]:
    """Return a fresh simulator with these options of `Config`; equal ones share a server, which is reset.

    One with past sessions is reset when it is taken again, not after each test too: that makes all of them anew.
    """
    made: list[SimulatorHandle] = []

    def make(**options: Any) -> SimulatorHandle:
        handle = SimulatorHandle(start(Config(**{"speed": 2400.0, **options})), _control)
        is_used = handle.running in _kept and handle.running.config.preload > 0
        _kept.add(handle.running)
        if is_used or handle.running.simulation.requests:  # of `dj.connect(simulator=True)`, which shares it
            handle.reset()
        made.append(handle)
        return handle

    yield make
    for handle in made:
        if handle.running.is_alive and handle.running.config.preload == 0:
            handle.reset()


@pytest.fixture
def simulator(simulator_with: Callable[..., SimulatorHandle]) -> SimulatorHandle:
    """A fresh simulator whose default turn takes 0.1 s."""
    return simulator_with()


@pytest.fixture
def slow_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session tagged `sim:slow` is at work until `.clock(5000)`, however slow the machine is."""
    monkeypatch.setattr(scenarios, "_SLOW", 1e4)


@dataclass
class HeldAnswers:
    """The pauses of answers that the simulator gives late."""

    lengths: list[float]
    """As the rules say; each lasts until `end` is set."""
    end: threading.Event


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[HeldAnswers]:
    """What the fault `slow` does is done at once, and answered when the test says so: `held.end.set()`."""
    pauses = HeldAnswers([], threading.Event())

    async def pause(seconds: float) -> None:
        pauses.lengths.append(seconds)
        while not pauses.end.is_set():  # noqa: ASYNC110 - of another thread
            await asyncio.sleep(0.005)

    monkeypatch.setattr("devin_jupyter.simulator.app.asyncio", SimpleNamespace(sleep=pause))
    yield pauses
    pauses.end.set()


@pytest.fixture
def slow_simulator(simulator_with: Callable[..., SimulatorHandle]) -> SimulatorHandle:
    """A fresh simulator at speed 1: a turn takes 240 s, passed by `.clock(240)`."""
    return simulator_with(speed=1.0)


@pytest.fixture
def run_python():
    """Return a function that runs code in a fresh interpreter and gives what it printed."""

    def run(code, *args):
        command = [sys.executable, "-c", code, *args]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
