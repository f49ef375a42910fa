"""What a thousand live sessions cost to watch, beside one GET per session, and what a thousand rows cost to run.

    python tests/benchmarks/bench_batch.py [--sessions 1000] [--pace 5] [--seconds 30]

The simulator runs in its own process, on loopback HTTP; CPU and memory are this process's alone.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from devin_jupyter import loop, settings
from devin_jupyter.batches.calls import order_of, start_batch
from devin_jupyter.client import Core
from devin_jupyter.journal import Journal
from devin_jupyter.settings import Pace

KEY, ORG = "cog_simulator", "org-simulator"
LIST = "GET /v3/organizations/{org_id}/sessions"
BUDGETS = {"requests a sweep": 10, "percent of a core": 5.0}


@contextmanager
def simulator(speed: float) -> Iterator[str]:
    """A simulator in a process of its own."""
    command = [sys.executable, "-m", "devin_jupyter.simulator", "--port", "0", "--speed", str(speed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


def requests(url: str) -> dict[str, int]:
    """How often each route was asked so far."""
    counts: dict[str, int] = httpx.get(f"{url}/_sim/stats", trust_env=False).json()["requests"]
    return counts


def cpu() -> float:
    """CPU seconds of this process, system time included."""
    used = os.times()
    return used.user + used.system


def peak_mb() -> float:
    """The highest memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def open_batch(url: str, count: int, pace: Pace, folder: Path, **options: Any) -> tuple[Core, Any]:
    """Start a batch of so many rows with a journal of its own."""
    place = replace(settings.simulator(url, folder=folder), pace=pace)
    core = Core(place, journal=Journal(folder / "journal.db"))
    order = order_of("Upgrade {{ row.repo }}", [{"repo": f"acme/r{n}"} for n in range(count)], options)
    return core, loop.run(start_batch(core, order, bridge=loop))


def watching(count: int, pace_seconds: float, seconds: float) -> dict[str, float]:
    """Open all turns, let the starts settle, and measure nothing but the watching."""
    with simulator(speed=0.5) as url, tempfile.TemporaryDirectory() as folder:
        pace = Pace(fast=pace_seconds, slow=pace_seconds)
        core, batch = open_batch(url, count, pace, Path(folder), max_acu=5, max_parallel=count)
        while batch.tally.open < count or batch.tally.waiting or batch._runner._starts:
            time.sleep(0.2)
        time.sleep(2 * pace_seconds)
        before, used, began = requests(url).get(LIST, 0), cpu(), time.perf_counter()
        time.sleep(seconds)
        passed = time.perf_counter() - began
        used = cpu() - used
        sweeps = passed / pace_seconds
        asked = requests(url).get(LIST, 0) - before
        rival = one_by_one(url, [session.id for session in batch.sessions], pace_seconds)
        loop.run(core.aclose())
    return {
        "requests a sweep": asked / sweeps,
        "percent of a core": 100 * used / passed,
        "CPU ms a sweep": 1000 * used / sweeps,
        "one by one: CPU ms a sweep": 1000 * rival,
        "one by one: requests a sweep": count,
        "peak MB": peak_mb(),
    }


def one_by_one(url: str, session_ids: list[str], pace_seconds: float) -> float:
    """CPU seconds of one sweep as it is usually written: a GET per session, sixteen at a time."""

    async def sweep() -> None:
        turns = asyncio.Semaphore(16)
        headers = {"Authorization": f"Bearer {KEY}"}
        base = f"{url}/v3/organizations/{ORG}/sessions/"
        async with httpx.AsyncClient(headers=headers, trust_env=False, timeout=60) as client:

            async def get(identifier: str) -> Any:
                async with turns:
                    return (await client.get(base + identifier)).json()

            await asyncio.gather(*map(get, session_ids))

    used = cpu()
    asyncio.run(sweep())
    return cpu() - used


def running(count: int) -> dict[str, float]:
    """Run so many rows from nothing to the frame, then again."""
    with simulator(speed=2400) as url, tempfile.TemporaryDirectory() as folder:
        options = {"max_acu": 5, "max_parallel": 50, "schema": "version:str", "tags": ["sim:finished"]}
        pace = Pace(fast=0.2)
        first = timed(lambda: open_batch(url, count, pace, Path(folder), **options)[1].wait())
        total = sum(requests(url).values())
        again = timed(lambda: open_batch(url, count, pace, Path(folder), **options)[1].wait().frame)
        extra = sum(requests(url).values()) - total
    return {
        "first run: seconds": first[0],
        "first run: CPU ms a row": 1000 * first[1] / count,
        "first run: requests a row": total / count,
        "again: seconds": again[0],
        "again: requests": extra,
        "peak MB": peak_mb(),
    }


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Wall and CPU seconds."""
    began, used = time.perf_counter(), cpu()
    work()
    return time.perf_counter() - began, cpu() - used


def show(title: str, figures: dict[str, float]) -> None:
    """Print a table, with what was promised beside what was measured."""
    print(f"\n{title}")
    for name, value in figures.items():
        budget = BUDGETS.get(name)
        promised = "" if budget is None else f"   budget {budget:g}: {'met' if value <= budget * 1.001 else 'MISSED'}"
        print(f"  {name:<32}{value:>10,.1f}{promised}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--pace", type=float, default=5.0)
    parser.add_argument("--seconds", type=float, default=30.0)
    said = parser.parse_args()
    print(f"importing everything: peak {peak_mb():.0f} MB")
    show(f"{said.sessions} live sessions at a pace of {said.pace:g} s", watching(said.sessions, said.pace, said.seconds))
    show(f"{said.sessions} rows, 50 at a time", running(said.sessions))


if __name__ == "__main__":
    main()
