"""What it takes to keep a history as a folder of Parquet files.

    python tests/benchmarks/bench_history.py [--sessions 200000]

The simulator runs in its own process, each step in a fresh one. CPU is that process's alone; memory is how far its peak
rises above what it held once warm.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import KEY, ORG, Row, fresh, requests, simulator

LIST = "GET /v3/organizations/{org_id}/sessions"
CHANGED = 0.01


STEPS: dict[str, Callable[[Any, str], Any]] = {
    "month": lambda devin, _: devin.sessions_frame(since="30d"),  # the most of all: the past thins out
    "sync": lambda devin, folder: devin.sync(folder),
    "sync by Dask": lambda devin, folder: devin.sync(folder, engine="dask"),
}


def measure(step: str, url: str, small: str, folder: str) -> dict[str, Any]:
    """Do one step in this process, warmed by the same on a small history."""
    import devin_jupyter as dj
    from devin_jupyter.journal import Journal

    def client(base_url: str) -> dj.Devin:
        return dj.Devin(KEY, org_id=ORG, base_url=base_url, journal=Journal(":memory:"))

    with tempfile.TemporaryDirectory() as other, client(small) as devin:
        STEPS[step](devin, other)
        STEPS[step](devin, other)
    before, asked = _peak(), requests(url).get(LIST, 0)
    with client(url) as devin:
        wall, cpu = time.perf_counter(), time.process_time()
        found = STEPS[step](devin, folder)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = _peak() - before
    return {"rows": len(found), "wall": wall, "cpu": cpu, "peak_mb": peak, "requests": requests(url)[LIST] - asked}


def _peak() -> float:
    """Return the most memory of this process in MB; `ru_maxrss` begins with that of the process that started it."""
    (line,) = [one for one in Path("/proc/self/status").read_text("ascii").splitlines() if one.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def touch(folder: str, count: int) -> None:
    """Set the folder back, as if `count` sessions had changed since."""
    from devin_jupyter.history.dataset import OVERLAP_SECONDS, read_dataset

    updated = read_dataset(folder)["updated_at"].sort_values(ascending=False)
    path = Path(folder, "_sync.json")
    known_until = updated.iloc[count].timestamp() + OVERLAP_SECONDS
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "known_until": known_until}), "utf-8")


def rows(sessions: int, passes: int) -> list[Row]:
    """Measure and return the budgets."""
    found: dict[str, list[dict[str, Any]]] = {}
    with simulator(preload=sessions) as url, simulator(preload=400) as small:

        def step(name: str, said: str, folder: str) -> None:
            one = fresh(__file__, name, "--url", url, "--small", small, "--folder", folder)
            found.setdefault(said, []).append(one)
            numbers = (
                f"{one['wall']:.2f} s, CPU {one['cpu']:.2f} s, {one['peak_mb']:.0f} MB, {one['requests']} requests"
            )
            print(f"{said:24}{one['rows']:>9,} rows, {numbers}", flush=True)

        for number in range(passes):
            step("month", "a month as a frame", "")
            for name in ("sync by Dask", "sync") if number == 0 else ("sync by Dask",):
                with tempfile.TemporaryDirectory() as folder:
                    step(name, f"{name}, first", folder)
                    touch(folder, int(sessions * CHANGED))
                    step(name, f"{name}, 1 % changed", folder)

    def median(said: str, key: str) -> float:
        return float(statistics.median(one[key] for one in found[said]))

    def shown(said: str) -> str:
        return f"CPU {median(said, 'cpu'):.2f} s, {median(said, 'requests'):.0f} requests"

    first, again = "sync by Dask, first", "sync by Dask, 1 % changed"
    ratio = median(again, "cpu") / median(first, "cpu")
    what = f"`dj.sync` of {sessions:,} sessions by Dask"
    found_rows = [
        Row(f"{what}, 1 % changed", "≤ 3 % of the first", shown(again), shown(first), f"{ratio:.3f}", ratio <= 0.03)
    ]
    memory, month = median(first, "peak_mb"), median("a month as a frame", "peak_mb")
    here, rival, ratio = f"{memory:.0f} MB", f"its largest month as a frame: {month:.0f} MB", memory / month
    return [*found_rows, Row(f"{what}, peak memory", "≤ 1.2 × a month", here, rival, f"{ratio:.2f}", ratio <= 1.2)]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--sessions", type=int, default=200_000)
    options.add_argument("--passes", type=int, default=1)
    options.add_argument("--one", choices=STEPS, help=argparse.SUPPRESS)
    options.add_argument("--url", help=argparse.SUPPRESS)
    options.add_argument("--small", help=argparse.SUPPRESS)
    options.add_argument("--folder", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.one:
        print(json.dumps(measure(chosen.one, chosen.url, chosen.small, chosen.folder)))
    else:
        print("", *(row.line() for row in rows(chosen.sessions, chosen.passes)), sep="\n")


if __name__ == "__main__":
    main()
