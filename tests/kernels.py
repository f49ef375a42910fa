"""What one kernel has of the package, over real HTTP; the ten seconds of settling take a fraction of one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from devin_jupyter.api.analytics import Account
from devin_jupyter.api.client import Service
from devin_jupyter.api.files import Attachments
from devin_jupyter.api.library import Playbooks
from devin_jupyter.api.sessions import Messages, Sessions
from devin_jupyter.api.transport import Transport
from devin_jupyter.config import Settings
from devin_jupyter.idempotency.create import Api, Creator
from devin_jupyter.idempotency.messages import Messenger
from devin_jupyter.idempotency.once import Timing
from devin_jupyter.idempotency.stop import StopResult, stop_all
from devin_jupyter.journal import Journal, lockfile
from devin_jupyter.models.enums import Phase
from devin_jupyter.models.snapshot import CellRef, Facts, Policy, Snapshot, Where, notebook_scope
from devin_jupyter.monitor.store import SessionStore
from devin_jupyter.request import SessionRequest
from devin_jupyter.schema import from_wire, load_schema

POST = "POST /v3/organizations/{org_id}/sessions"
SEND_ROUTE = "POST /v3/organizations/{org_id}/sessions/{devin_id}/messages"
CREATE = {"method": "POST", "route": "/v3/organizations/{org_id}/sessions"}
SEND = {"method": "POST", "route": "/v3/organizations/{org_id}/sessions/{devin_id}/messages"}
FAST = Timing(settle_at=(0.0, 0.02, 0.06, 0.2), poll_seconds=0.02)
SCHEMA = load_schema("severity:low|high, count:int")
CELL = CellRef(notebook="/work/audit.ipynb", cell_id="c1", out="audit")


def call_api(simulator: Any, method: str, path: str, **options: Any) -> Any:
    """Call the simulator without the package, as another program would."""
    with simulator.v3() as client:
        answer = client.request(method, path, **options)
        answer.raise_for_status()
        return answer.json()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another thread or process does."""
    while not condition():  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0.01)


async def no_pause(seconds: float) -> None:
    """In place of the pauses between tries of safe calls."""


@dataclass
class Kernel:
    """What one kernel has of the package: a key, a journal, and the acts that cost money."""

    url: str
    journal: Journal
    api_key: str = "cog_simulator"
    api_version: str = "v3"
    timing: Timing = FAST
    timeout: float = 60.0
    wire: httpx.AsyncBaseTransport | None = None
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.settings = Settings(
            api_key=self.api_key,
            org_id=None if self.api_version == "v1" else "org-simulator",
            base_url=self.url,
            api_version=self.api_version,
            home=Path("/nonexistent"),
            simulated=True,
            timeout_seconds=self.timeout,
        )
        self.transport = Transport(self.settings, wire=self.wire, sleep=no_pause)
        self.service = service = Service(self.transport, self.settings)
        self.api = Api(Sessions(service), Attachments(service), Account(service), Playbooks(service))
        self.messages = Messages(service)
        self.store = SessionStore(self.journal, bare=self._bare_facts)
        self.creator = self.new_creator()
        self.messenger = Messenger(self.messages, self.creator)

    def new_creator(self, where: Any = None, **changes: Any) -> Creator:
        """Return a creator of this kernel, with other parts."""
        parts = {"api_version": self.api_version, "timing": self.timing, "simulated": True, **changes}
        return Creator(self.api, self.journal, self.store, where or self.where, **parts)

    def _bare_facts(self) -> Facts:
        return Facts(where=Where(self.url, self.settings.org_id, self.api_version), simulated=True)

    async def where(self) -> Where:
        return Where(self.url, self.settings.org_id, self.api_version)

    async def start(self, prompt: str = "audit the API", *, policy: Policy | None = None, **fields: Any) -> Any:
        policy = policy or Policy(guard=CELL, interactive=True, say=self.said.append)
        return await self.creator.start(SessionRequest(prompt=prompt).but(**fields), policy)

    async def stop_all(self, is_meant: Callable[[str], bool] | None = None) -> list[StopResult]:
        return await stop_all(self.creator, is_meant)


def kill_after_post(kernel: Kernel) -> None:
    """Let a kernel look for its tag before the POST, and be gone when it looks for what the POST has made."""
    looks = 0

    async def find(*tags: str) -> list[Any]:
        nonlocal looks
        looks += 1
        if looks > 1:
            raise RuntimeError("the kernel is gone")
        return []

    kernel.creator.lookup.find = find  # type: ignore[method-assign]


@pytest.fixture
def simulator(simulator_with: Callable[..., Any]) -> Any:
    """A fresh simulator whose turns outlast every test; `.clock(500)` ends them."""
    return simulator_with(speed=1.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where journals are."""
    return tmp_path


@pytest.fixture
async def kernel(simulator: Any, folder: Path) -> AsyncIterator[Callable[..., Kernel]]:
    """Make kernels; without a journal of their own they share the one in `folder`."""
    made: list[Kernel] = []

    def make(journal: Journal | None = None, **options: Any) -> Kernel:
        made.append(Kernel(simulator.url, journal or Journal(folder / "home"), **options))
        return made[-1]

    yield make
    for one in made:
        await one.transport.aclose()
        one.journal.close()
    for _ in range(3):
        await asyncio.sleep(0)  # sockets close on a later turn of the loop


def budget(journal: Journal, notebook: str, acus: float | str | None = None, *, now: float) -> Any:
    return journal.budgets.set_or_show(notebook_scope(notebook), acus, now=now)


def facts_of(name: str, *, schema: Any = None, **fields: Any) -> Facts:
    """Return the facts of a session of this name."""
    typed = None if schema is None else from_wire(schema)
    return Facts(fingerprint=f"1:w:{name}", base=f"1:w:{name}", tag=f"nb-{name}", schema=typed, **fields)


def remember(journal: Journal, name: str, **fields: Any) -> str:
    """Keep a session of this name in the journal; return its id."""
    session_id = f"devin-{name:0>32}"
    journal.remember(session_id, facts_of(name, **fields), how="created", started_at=1.0, now=1.0)
    return session_id


def save_snapshot(journal: Journal, session_id: str, *, acus: float | None, over: bool, at: int = 2) -> None:
    """Keep what was seen of a session."""
    phase = Phase.DONE if over else Phase.WORKING
    moment = datetime.fromtimestamp(at, UTC)
    journal.save_snapshots([Snapshot(session_id=session_id, url="", phase=phase, acus=acus, observed_at=moment)])


def texts(simulator: Any, session_id: str) -> list[str]:
    """Return the messages of a user after the prompt."""
    page = call_api(simulator, "GET", f"/sessions/{session_id}/messages", params={"first": 200})
    return [item["message"] for item in page["items"] if item["source"] == "user"][1:]


async def write_lock(one: Any, simulator: Any, folder: Path, prompt: str = "audit the API") -> Path:
    """Pay for a session and a message, and write the lock file."""
    started = await one.start(prompt, policy=Policy(guard=CELL), schema=SCHEMA)
    await one.messenger.send(started.session_id, "and the tests")
    simulator.clock(1000)
    await one.start(prompt, policy=Policy(guard=CELL), schema=SCHEMA)
    path = folder / "audit.devin.json"
    entries = one.journal.sessions(notebook=CELL.notebook)
    lockfile.write(path, entries, one.journal.messages.sent([entry.session_id for entry in entries]))
    return path
