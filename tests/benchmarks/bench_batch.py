"""What a thousand live sessions cost to watch, beside one GET per session, and what a thousand rows cost to run.

    python tests/benchmarks/bench_batch.py [--sessions 1000] [--pace 5] [--seconds 30]

The simulator runs in its own process, on loopback HTTP; CPU and memory are this process's alone.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from harness import KEY, ORG, Row, requests, simulator

from devin_jupyter import loop
from devin_jupyter.batches.batch import Batch, request_of, runner_of, start
from devin_jupyter.config import Pace, simulator_settings
from devin_jupyter.journal import Journal
from devin_jupyter.monitor.poll import SAVED_EVERY
from devin_jupyter.session import Core

LIST = "GET /v3/organizations/{org_id}/sessions"


def cpu() -> float:
    """CPU seconds of this process, system time included."""
    return time.process_time()


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
        self.sessions = 0
        self._ended = threading.Event()
        self._read = sessions.by_ids
        sessions.by_ids = self.read

    async def read(self, session_ids: list[str], **options: Any) -> Any:
        found = await self._read(session_ids, **options)
        self.sessions += len(session_ids)
        self._ended.set()
        return found

    def wait_for_one(self) -> None:
        """Return when the next round has ended."""
        self._ended.clear()
        self._ended.wait()


@dataclass(frozen=True)
class Watched:
    """What the watching took, for each of the windows in which it was measured."""

    milliseconds: list[float]
    """CPU a sweep."""
    seconds: float
    """From one sweep to the next, in all windows together."""
    requests: float
    """A sweep, likewise."""
    one_by_one: float
    """CPU milliseconds of a sweep with one GET for each session."""
    widgets: int

    @property
    def cores(self) -> list[float]:
        """Percent of a core, for each window."""
        return [each / 10 / self.seconds for each in self.milliseconds]


def watching(count: int, pace_seconds: float, seconds: float) -> Watched:
    """Open all turns, let the starts settle, and measure nothing but the watching.

    Each of five windows is as long as from one write of what open turns show to the next, where time allows. A full
    garbage collection takes as long as a third of a sweep and comes once in many.
    """
    window = min(SAVED_EVERY, seconds / 5)
    with simulator(speed=0.5) as url, tempfile.TemporaryDirectory() as folder:
        # the monitor asks at most one page in `fast` seconds, so this is a sweep every `pace_seconds`
        pace = Pace(fast=pace_seconds * 100 / max(count, 100), slow=pace_seconds)
        core, batch = open_batch(url, count, pace, Path(folder), max_acu=5, max_parallel=count)
        while batch.tally.open < count or batch.tally.waiting or runner_of(batch)._starting:
            time.sleep(0.2)
        time.sleep(2 * pace_seconds)
        looks, milliseconds = Looks(core.sessions), list[float]()
        looks.wait_for_one()
        asked, first, began = requests(url).get(LIST, 0), looks.sessions, time.perf_counter()
        while len(milliseconds) * window < seconds:
            looked, used = looks.sessions, cpu()
            time.sleep(window - pace_seconds * 0.05)
            looks.wait_for_one()
            milliseconds.append(1000 * (cpu() - used) * count / (looks.sessions - looked))
        sweeps, passed = (looks.sessions - first) / count, time.perf_counter() - began
        asked = requests(url).get(LIST, 0) - asked
        rival = one_by_one(url, [session.id for session in batch.sessions], pace_seconds)
        widgets = boards(batch)
        loop.run(core.aclose())
    return Watched(milliseconds, passed / sweeps, asked / sweeps, 1000 * rival, widgets)


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


def spread(figures: Iterable[float], digits: int = 1) -> str:
    """Return the median with the smallest and the largest."""
    found = sorted(figures)
    beside = f" ({found[0]:.{digits}f}–{found[-1]:.{digits}f})" if len(found) > 1 else ""
    return f"{median(found):.{digits}f}{beside}"


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
    print(f"\n{count:,} live sessions at a pace of {pace_seconds:g} s, CPU ms a sweep:")
    print("  " + ", ".join(f"{each:.1f}" for each in found.milliseconds))
    rival = f"one GET per session: {count:,} requests, CPU {found.one_by_one:,.0f} ms a sweep"
    used = f"CPU {spread(found.milliseconds, 0)} ms a sweep = {spread(found.cores)} % of a core"
    ours = f"{found.requests:.1f} requests, {used}, {found.widgets} widget"
    is_met = found.requests <= 10.01 * count / 1000 and median(found.cores) <= 1.5 and found.widgets == 1
    budget = f"≤ 10 requests a sweep, ≤ 1.5 % of a core at {pace_seconds:g} s, one widget"
    less = f"{found.one_by_one / median(found.milliseconds):.0f} × less CPU"
    watched = Row(f"{count:,} live sessions", budget, ours, rival, less, is_met)
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
