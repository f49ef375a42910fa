"""Prints what the client costs: a request beside plain httpx, and watching a thousand sessions.

    python tests/benchmarks/bench_client.py

Both figures are CPU time of this process; the simulator runs in another one. Nothing here asserts anything.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time

import httpx

from devin_jupyter import AsyncDevin
from devin_jupyter.config import Pace, resolve_settings
from devin_jupyter.models.fields import session_id
from devin_jupyter.models.snapshot import Snapshot

REQUESTS, SESSIONS, PACE_SECONDS, WATCH_SECONDS = 1000, 1000, 5.0, 30.0


async def plain(url: str, key: str) -> float:
    """CPU seconds a request of httpx with its JSON parsed."""
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=url, headers=headers) as client:
        (await client.get("/v3/self")).json()
        began = time.process_time()
        for _ in range(REQUESTS):
            (await client.get("/v3/self")).json()
        return (time.process_time() - began) / REQUESTS


async def ours(client: AsyncDevin) -> float:
    """CPU seconds a request of ours."""
    await client.self()
    began = time.process_time()
    for _ in range(REQUESTS):
        await client.self()
    return (time.process_time() - began) / REQUESTS


async def watching(client: AsyncDevin, url: str) -> tuple[float, float, float]:
    """Return the share of a core, the requests and the changed sessions a sweep."""
    gate = asyncio.Semaphore(16)

    async def start(number: int) -> str:
        async with gate:
            raw = await client.sessions.create({"prompt": f"work {number}", "tags": ["sim:slow"]})
            return session_id(raw["session_id"])

    names = await asyncio.gather(*(start(number) for number in range(SESSIONS)))
    changes: list[Snapshot] = []
    client.core.store.subscribe(names, lambda change: changes.append(change))  # type: ignore[arg-type]
    await asyncio.sleep(PACE_SECONDS * 2)
    changes.clear()
    before, began = await requests(url), time.process_time()
    await asyncio.sleep(WATCH_SECONDS)
    share, sweeps = (time.process_time() - began) / WATCH_SECONDS, WATCH_SECONDS / PACE_SECONDS
    return share, (await requests(url) - before) / sweeps, len(changes) / sweeps


async def requests(url: str) -> int:
    async with httpx.AsyncClient() as client:
        return sum((await client.get(f"{url}/_sim/stats")).json()["requests"].values())


async def measure(url: str) -> None:
    settings = resolve_settings("cog_simulator", "org-simulator", url)
    # at most one page in `fast` seconds is read, so this is a sweep every `slow`
    pace = Pace(fast=PACE_SECONDS * 100 / SESSIONS, slow=PACE_SECONDS)
    paced = type(settings)(**{**_fields(settings), "pace": pace})
    async with AsyncDevin(settings=paced) as client:
        both = [(await plain(url, settings.api_key), await ours(client)) for _ in range(3)]
        theirs, mine = min(pair[0] for pair in both), min(pair[1] for pair in both)
        print(f"a request: httpx {theirs * 1e6:.0f} µs, ours {mine * 1e6:.0f} µs, ratio {mine / theirs:.2f}")
        share, asked, changed = await watching(client, url)
        print(
            f"{SESSIONS} sessions at a pace of {PACE_SECONDS:g} s: {share:.1%} of a core, "
            f"{asked:.1f} requests and {changed:.0f} changed sessions a sweep"
        )


def _fields(settings: object) -> dict[str, object]:
    return {name: getattr(settings, name) for name in settings.__slots__}  # type: ignore[attr-defined]


def main() -> None:
    os.environ["DEVIN_JUPYTER_HOME"] = tempfile.mkdtemp()
    command = [sys.executable, "-m", "devin_jupyter.simulator", "--port", "0", "--speed", "4"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as simulator:
        assert simulator.stdout is not None
        url = simulator.stdout.readline().split()[-1]
        try:
            asyncio.run(measure(url))
        finally:
            simulator.terminate()


if __name__ == "__main__":
    main()
