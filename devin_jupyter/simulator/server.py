"""Runs simulators on loopback ports, each in a daemon thread, and reuses the one that runs with the same options."""

from __future__ import annotations

import asyncio
import atexit
import socket
import sys
import threading
from dataclasses import dataclass, field
from importlib.util import find_spec

import uvicorn

from devin_jupyter.simulator.app import Simulator, create_app
from devin_jupyter.simulator.config import Config
from devin_jupyter.simulator.engine import Simulation

START_SECONDS = 30.0
started: dict[Config, Running] = {}
"""The simulators of this process; one that is asked for again with the same options is the same."""
_lock = threading.Lock()


@dataclass(slots=True, eq=False)
class Running:
    """A simulator that serves."""

    config: Config
    url: str
    """`http://127.0.0.1:PORT`, without `/v3`."""
    app: Simulator = field(repr=False)
    _server: uvicorn.Server = field(repr=False)
    _thread: threading.Thread = field(repr=False)

    @property
    def api_key(self) -> str:
        """The v3 key it takes."""
        return self.config.api_key

    @property
    def v1_key(self) -> str:
        """The v1 key it takes."""
        return self.config.v1_key

    @property
    def pat(self) -> str:
        """The personal access token it takes."""
        return self.config.pat

    @property
    def org_id(self) -> str:
        """The one organization it has."""
        return self.config.org

    @property
    def simulation(self) -> Simulation:
        """Its state; belongs to the server's thread."""
        return self.app.simulation

    @property
    def is_alive(self) -> bool:
        """Whether it still serves."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Close every connection and end the thread; a second call does nothing."""
        with _lock:
            if started.get(self.config) is self:
                del started[self.config]
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(timeout=10)


def start(config: Config | None = None) -> Running:
    """Return a running simulator with these options: an existing one, or a new one on a bound port."""
    config = config or Config()
    with _lock:
        known = started.get(config)
        if known is not None and known.is_alive:
            return known
        started[config] = running = _start(config)
        return running


def _start(config: Config) -> Running:
    listener = _listen(config.host, config.port)
    try:
        app = create_app(config)
    except BaseException:
        listener.close()
        raise
    settings = uvicorn.Config(
        app,
        http="auto",
        ws="websockets-sansio" if find_spec("websockets") is not None else "none",
        ws_per_message_deflate=False,
        lifespan="off",
        loop="asyncio",
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=300,
        timeout_graceful_shutdown=1,
    )
    server = _Server(settings)
    thread = threading.Thread(target=_serve, args=(server, listener, app), name="devin-simulator", daemon=True)
    thread.start()
    if not server.ready.wait(START_SECONDS) or not server.started:
        raise RuntimeError("the simulator did not start")
    host, port = listener.getsockname()[:2]
    return Running(config, f"http://{f'[{host}]' if ':' in host else host}:{port}", app, server, thread)


def _listen(host: str, port: int) -> socket.socket:
    """Bind with the protocol spelled out: asyncio switches Nagle's algorithm off only where it sees TCP."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener


class _Server(uvicorn.Server):
    """Tells when it listens, or has failed to."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


def _serve(server: _Server, listener: socket.socket, app: Simulator) -> None:
    try:
        with asyncio.Runner() as runner:
            runner.run(server.serve(sockets=[listener]))
    finally:
        server.ready.set()
        listener.close()
        app.simulation.store.close()


@atexit.register
def stop_all() -> None:
    """Stop every simulator of this process."""
    for running in list(started.values()):
        running.stop()
