"""How fast a history becomes a frame, beside what one would write by hand and beside the official SDK.

    python tests/benchmarks/bench_frames.py [--sessions 20000] [--rounds 5] [--latency-ms 200]

The simulator runs in its own process, on loopback HTTP; each contender reads the same sessions in a fresh process,
several times. CPU is the contender's alone; memory is how far its peak rises above what it held once warm.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

KEY, ORG = "cog_simulator", "org-simulator"
BUDGETS = {"cpu_vs_plain": 0.7, "cpu_vs_sdk": 5.0, "peak_vs_plain": 1.3, "wall_vs_pages": 4.0}


def plain(url: str) -> Any:
    """httpx, json and a DataFrame with the same dtypes: what a careful person writes."""
    import httpx
    import pandas as pd

    from devin_jupyter.frames import SessionRows

    dtypes = SessionRows().frame().dtypes
    items, after = [], None
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {KEY}"}, timeout=60, trust_env=False) as client:
        while True:
            params = {"first": 200} | ({"after": after} if after else {})
            page = client.get(f"/v3/organizations/{ORG}/sessions", params=params).raise_for_status().json()
            items += page["items"]
            after = page["end_cursor"]
            if not page["has_next_page"]:
                break
    frame = pd.DataFrame(items).rename(columns={"acus_consumed": "acus", "devin_mode": "mode"})
    for name in ("created_at", "updated_at"):
        frame[name] = pd.to_datetime(frame[name], unit="s", utc=True).astype(dtypes[name])
    typed = {name: dtypes[name] for name in frame.columns if name in dtypes and name not in ("created_at", "updated_at")}
    return frame.astype(typed)


def sdk(url: str) -> Any:
    """The official Python SDK and `json_normalize`."""
    import httpx
    import pandas as pd
    from devin_sdk import DevinSDK

    items: list[Any] = []
    with httpx.Client(trust_env=False) as http:
        client = DevinSDK(api_key=KEY, base_url=url, http_client=http)
        after: dict[str, Any] = {}
        while True:
            page = client.organizations.sessions.list(ORG, first=200, **after)
            items += [item.to_dict() for item in page.items]
            after = {"after": page.end_cursor}
            if not page.has_next_page:
                return pd.json_normalize(items)


def ours(url: str) -> Any:
    """`dj.sessions_frame()`."""
    return _client(url).sessions_frame()


def in_order(url: str) -> Any:
    """Our own reader, page after page: what the time windows are worth."""
    from devin_jupyter import history, loop
    from devin_jupyter.frames import SessionRows
    from devin_jupyter.history import reading, windows

    core = _client(url).core
    rows = SessionRows()

    async def read() -> None:
        source = reading.Reading(core, rows, history.Filters(), reading.utc_now())
        await windows._Reader(source.fetch, source.take, 1).read_in_order(windows.Window())

    loop.run(read())
    return rows.frame(newest_first=True)


_clients: dict[str, Any] = {}


def _client(url: str) -> Any:
    import devin_jupyter as dj
    from devin_jupyter.journal import Journal

    if url not in _clients:
        _clients[url] = dj.Devin(KEY, org_id=ORG, base_url=url, journal=Journal(":memory:"))
    return _clients[url]


CONTENDERS: dict[str, Callable[[str], Any]] = {"plain": plain, "sdk": sdk, "ours": ours, "in_order": in_order}


def measure(name: str, url: str, small: str, rounds: int) -> dict[str, Any]:
    """Run one contender in this process: warm on a small history, then timed on the large one."""
    read = CONTENDERS[name]
    read(small)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times = []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        frame = read(url)
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
        count = len(frame)
        del frame
        if len(times) == 1:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    wall, cpu = (statistics.median(column) for column in zip(*times, strict=True))
    return {"rows": count, "wall": wall, "cpu": cpu, "peak_mb": peak / 1024}


@contextmanager
def simulator(sessions: int, latency_ms: float) -> Iterator[str]:
    command = [sys.executable, "-m", "devin_jupyter.simulator", "--preload", str(sessions), "--latency-ms", str(latency_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


def run(name: str, url: str, small: str, rounds: int) -> dict[str, Any]:
    """Measure one contender in a fresh process."""
    with tempfile.TemporaryDirectory() as home:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DEVIN_")}
        environment |= {"DEVIN_JUPYTER_HOME": home, "PYTHONPATH": str(Path(__file__).parents[2])}
        command = [sys.executable, __file__, "--one", name, "--url", url, "--small", small, "--rounds", str(rounds)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def compare(sessions: int, rounds: int, latency_ms: float) -> dict[str, float]:
    """Print the tables and return the ratios that have a budget."""
    with simulator(sessions, 0) as url, simulator(400, 0) as small:
        near = {name: run(name, url, small, rounds) for name in ("plain", "sdk", "ours")}
    _table(f"{sessions:,} sessions over loopback HTTP", near, "plain")
    with simulator(sessions, latency_ms) as url, simulator(400, 0) as small:
        far = {name: run(name, url, small, 1) for name in ("plain", "in_order", "ours")}
    _table(f"the same with {latency_ms:g} ms per page", far, "in_order")
    ratios = {
        "cpu_vs_plain": near["plain"]["cpu"] / near["ours"]["cpu"],
        "cpu_vs_sdk": near["sdk"]["cpu"] / near["ours"]["cpu"],
        "peak_vs_plain": near["ours"]["peak_mb"] / near["plain"]["peak_mb"],
        "wall_vs_pages": far["in_order"]["wall"] / far["ours"]["wall"],
    }
    print("\nbudget" + " " * 15 + "limit   measured")
    for name, ratio in ratios.items():
        sign = "≤" if name == "peak_vs_plain" else "≥"
        print(f"{name:20} {sign} {BUDGETS[name]:<4}  {ratio:.2f}")
    return ratios


def _table(title: str, results: dict[str, dict[str, Any]], base: str) -> None:
    print(f"\n{title}\n{'':10}{'rows':>8}{'wall s':>9}{'CPU s':>8}{'rows/wall s':>13}{'rows/CPU s':>12}{'peak MB':>9}{'× ' + base:>12}")
    for name, found in results.items():
        rows, wall, cpu = found["rows"], found["wall"], found["cpu"]
        ratio = results[base]["wall"] / wall if base == "in_order" else results[base]["cpu"] / cpu
        print(
            f"{name:10}{rows:>8,}{wall:>9.2f}{cpu:>8.2f}{rows / wall:>13,.0f}{rows / cpu:>12,.0f}"
            f"{found['peak_mb']:>9.1f}{ratio:>12.2f}"
        )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--sessions", type=int, default=20_000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--latency-ms", type=float, default=200)
    options.add_argument("--one", choices=CONTENDERS, help=argparse.SUPPRESS)
    options.add_argument("--url", help=argparse.SUPPRESS)
    options.add_argument("--small", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.one:
        print(json.dumps(measure(chosen.one, chosen.url, chosen.small, chosen.rounds)))
    else:
        compare(chosen.sessions, chosen.rounds, chosen.latency_ms)


if __name__ == "__main__":
    main()
