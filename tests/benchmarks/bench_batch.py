"""What a thousand live sessions cost to watch, beside one GET per session, and what a thousand rows cost to run.

    python tests/benchmarks/bench_batch.py [--sessions 1000] [--pace 5] [--seconds 30]

The simulator runs in its own process, on loopback HTTP; CPU and memory are this process's alone.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from harness import KEY, ORG, Row, requests, simulator

from devin_jupyter import loop
from devin_jupyter.batches.batch import Batch, request_of, runner_of, start
from devin_jupyter.config import Pace, simulator_settings
from devin_jupyter.journal import Journal
from devin_jupyter.session import Core

LIST = "GET /v3/organizations/{org_id}/sessions"


def cpu() -> float:
    """CPU seconds of this process, system time included."""
    used = os.times()
    return used.user + used.system


def peak_mb() -> float:
    """The highest memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def open_batch(url: str, count: int, pace: Pace, folder: Path, **options: Any) -> tuple[Core, Any]:
    """Start a batch of so many rows with a journal of its own."""
    place = replace(simulator_settings(url, folder=folder), pace=pace)
    core = Core(place, journal=Journal(folder / "journal.db"))
    asked = request_of("Upgrade {{ row.repo }}", [{"repo": f"acme/r{n}"} for n in range(count)], options)
    return core, Batch(loop.run(start(core, asked)))


class Looks:
    """Counts how often sessions are looked at, so that a measurement begins and ends between two sweeps."""

    def __init__(self, sessions: Any) -> None:
        self.rounds = self.sessions = 0
        self._read = sessions.by_ids
        sessions.by_ids = self.read

    async def read(self, session_ids: list[str], **options: Any) -> Any:
        found = await self._read(session_ids, **options)
        self.rounds, self.sessions = self.rounds + 1, self.sessions + len(session_ids)
        return found

    def wait_for_one(self) -> None:
        """Return when the next round has ended."""
        before = self.rounds
        while self.rounds == before:
            time.sleep(0.01)


def watching(count: int, pace_seconds: float, seconds: float) -> dict[str, float]:
    """Open all turns, let the starts settle, and measure nothing but the watching."""
    with simulator(speed=0.5) as url, tempfile.TemporaryDirectory() as folder:
        # the monitor asks at most one page in `fast` seconds, so this is a sweep every `pace_seconds`
        pace = Pace(fast=pace_seconds * 100 / max(count, 100), slow=pace_seconds)
        core, batch = open_batch(url, count, pace, Path(folder), max_acu=5, max_parallel=count)
        while batch.tally.open < count or batch.tally.waiting or runner_of(batch)._starting:
            time.sleep(0.2)
        time.sleep(2 * pace_seconds)
        looks = Looks(core.sessions)
        looks.wait_for_one()
        before, looked, used, began = requests(url).get(LIST, 0), looks.sessions, cpu(), time.perf_counter()
        time.sleep(seconds)
        looks.wait_for_one()
        passed = time.perf_counter() - began
        used = cpu() - used
        sweeps = (looks.sessions - looked) / count
        asked = requests(url).get(LIST, 0) - before
        rival = one_by_one(url, [session.id for session in batch.sessions], pace_seconds)
        widgets = boards(batch)
        loop.run(core.aclose())
    return {
        "widgets": widgets,
        "requests a sweep": asked / sweeps,
        "percent of a core": 100 * used / passed,
        "CPU ms a sweep": 1000 * used / sweeps,
        "one by one: CPU ms a sweep": 1000 * rival,
        "one by one: requests a sweep": count,
        "peak MB": peak_mb(),
    }


def boards(batch: Any) -> int:
    """How many widgets the board of a batch is made of, its layout not counted."""
    from ipywidgets import Layout
    from ipywidgets.widgets.widget import _instances

    before = set(_instances)
    board = batch.panel()
    assert board.model_id  # opens it, as a front end that shows it does
    made = [widget for key, widget in _instances.items() if key not in before and not isinstance(widget, Layout)]
    board.close()
    return len(made)


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
        opened: list[tuple[Core, Any]] = []

        def run() -> None:
            opened.append(open_batch(url, count, pace, Path(folder), **options))
            opened[0][1].wait()

        first = timed(run)
        loop.run(opened[0][0].aclose())  # as a kernel that ends: what its live channel still says asks nothing more
        total = sum(requests(url).values())
        again = timed(lambda: open_batch(url, count, pace, Path(folder), **options)[1].wait().frame())
        extra = sum(requests(url).values()) - total
    return {
        "first run: seconds": first[0],
        "first run: CPU ms a row": 1000 * first[1] / count,
        "first run: requests a row": total / count,
        "again: seconds": again[0],
        "again: requests": extra,
        "peak MB": peak_mb(),
    }


def bare(count: int) -> dict[str, float]:
    """The floor of so many starts: for each one POST, and its row in a database of its own, written before."""
    with simulator(speed=2400) as url, tempfile.TemporaryDirectory() as folder:
        journal = sqlite3.connect(Path(folder, "journal.db"), isolation_level=None)
        journal.execute("PRAGMA synchronous=FULL")
        journal.execute("CREATE TABLE started (id INTEGER PRIMARY KEY, prompt TEXT)")
        headers = {"Authorization": f"Bearer {KEY}"}
        with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as client:

            def start_all() -> None:
                for number in range(count):
                    prompt = f"Upgrade acme/r{number}"
                    journal.execute("INSERT INTO started (prompt) VALUES (?)", (prompt,))
                    client.post(f"/v3/organizations/{ORG}/sessions", json={"prompt": prompt}).raise_for_status()

            seconds, used = timed(start_all)
        journal.close()
    return {"seconds": seconds, "CPU ms a row": 1000 * used / count}


def spread(figures: Iterable[float]) -> str:
    """Return the median with the smallest and the largest."""
    found = sorted(figures)
    return f"{median(found):.1f}" + (f" ({found[0]:.1f}–{found[-1]:.1f})" if len(found) > 1 else "")


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Wall and CPU seconds."""
    began, used = time.perf_counter(), cpu()
    work()
    return time.perf_counter() - began, cpu() - used


def show(title: str, figures: dict[str, float]) -> None:
    """Print a table."""
    print(f"\n{title}")
    for name, value in figures.items():
        print(f"  {name:<32}{value:>10,.1f}")


def rows(count: int = 1000, pace_seconds: float = 5.0, seconds: float = 30.0, passes: int = 5) -> list[Row]:
    """Measure the watching, and print all that was found."""
    found = watching(count, pace_seconds, seconds)
    show(f"{count:,} live sessions at a pace of {pace_seconds:g} s", found)
    asked, part, cpu_ms = found["requests a sweep"], found["percent of a core"], found["CPU ms a sweep"]
    rival_ms = found["one by one: CPU ms a sweep"]
    rival = f"one GET per session: {count:,} requests, CPU {rival_ms:,.0f} ms a sweep"
    ours = f"{asked:.1f} requests, CPU {cpu_ms:.0f} ms a sweep = {part:.1f} % of a core, {found['widgets']:.0f} widget"
    is_met = asked <= 10.01 * count / 1000 and part <= 1.5 and found["widgets"] == 1
    budget = f"≤ 10 requests a sweep, ≤ 1.5 % of a core at {pace_seconds:g} s, one widget"
    watched = Row(f"{count:,} live sessions", budget, ours, rival, f"{rival_ms / cpu_ms:.0f} × less CPU", is_met)
    runs = [(running(count), bare(count)) for _ in range(passes)]
    show(f"{count:,} rows, 50 at a time", runs[-1][0])
    mine = spread(whole["first run: CPU ms a row"] for whole, _ in runs)
    least = spread(floor["CPU ms a row"] for _, floor in runs)
    asked = median(whole["first run: requests a row"] for whole, _ in runs)
    ours = f"CPU {mine} ms and {asked:.2f} requests a row, started, watched and read"
    rival = f"one POST and one write to SQLite each: CPU {least} ms"
    again = max(whole["again: requests"] for whole, _ in runs)
    ratio = median(whole["first run: CPU ms a row"] / floor["CPU ms a row"] for whole, floor in runs)
    return [
        watched,
        Row(f"a batch of {count:,} rows", "none", ours, rival, f"{ratio:.1f} × the floor", None),
        Row(f"the same batch again, {count:,} rows", "0 requests", f"{again:.0f} requests", "–", "–", again == 0),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--pace", type=float, default=5.0)
    parser.add_argument("--seconds", type=float, default=30.0)
    said = parser.parse_args()
    print(f"importing everything: peak {peak_mb():.0f} MB")
    print("", *(row.line() for row in rows(said.sessions, said.pace, said.seconds)), sep="\n")


if __name__ == "__main__":
    main()
