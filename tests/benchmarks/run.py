"""Every budget of the design beside its rival, in one table.

    python tests/benchmarks/run.py [--quick] [--only load cell kernel frames tables history batch live] [--readme]

Wall clock beside CPU, medians of at least five with the smallest and the largest, ratios taken within one run on one
machine. Takes about twenty minutes on two idle cores;
`--readme` puts the table into the README.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable

import bench_batch
import bench_cell
import bench_frames
import bench_history
import bench_kernel
import bench_live
import bench_load
import bench_tables
from harness import ROOT, Row, machine

HEAD = "| what | budget | here | rival | ratio | |\n| --- | --- | --- | --- | --- | --- |"
FULL: dict[str, Callable[[], list[Row]]] = {
    "load": lambda: bench_load.rows(rounds=15),
    "cell": lambda: bench_cell.rows(rounds=9),
    "kernel": lambda: bench_kernel.rows(rounds=9),
    "frames": lambda: bench_frames.compare((20_000, 200_000), passes=5, rounds=3, latency_ms=200),
    "tables": lambda: bench_tables.rows(5000, passes=5),
    "history": lambda: bench_history.rows(200_000, passes=5),
    "batch": lambda: bench_batch.rows(1000, pace_seconds=5, seconds=300),
    "live": bench_live.rows,
}
QUICK: dict[str, Callable[[], list[Row]]] = {
    "load": lambda: bench_load.rows(rounds=3),
    "cell": lambda: bench_cell.rows(rounds=2),
    "kernel": lambda: bench_kernel.rows(rounds=2),
    "frames": lambda: bench_frames.compare((2000, 4000), passes=2, rounds=1, latency_ms=100),
    "tables": lambda: bench_tables.rows(1000, passes=1),
    "history": lambda: bench_history.rows(5000, passes=1),
    "batch": lambda: bench_batch.rows(200, pace_seconds=2, seconds=6, passes=1),
    "live": lambda: bench_live.rows(seconds=3.0),
}


def table(benches: dict[str, Callable[[], list[Row]]]) -> str:
    """Run the benches one after the other and return the table."""
    rows = []
    for name, bench in benches.items():
        print(f"\n== {name}", flush=True)
        rows += bench()
    return "\n".join([HEAD, *(row.line() for row in rows), "", f"Measured on {machine()}."])


def into_readme(text: str) -> None:
    """Replace the table in the README."""
    path = ROOT / "README.md"
    pattern = re.compile(r"(<!-- benchmarks -->\n).*?(<!-- end of benchmarks -->)", re.DOTALL)
    path.write_text(pattern.sub(lambda m: f"{m[1]}\n{text}\n\n{m[2]}", path.read_text("utf-8")), encoding="utf-8")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few rounds and small numbers: only shows that it works")
    parser.add_argument("--only", nargs="+", choices=FULL, default=list(FULL))
    parser.add_argument("--readme", action="store_true", help="write the table into the README")
    said = parser.parse_args()
    if said.readme and (said.quick or len(said.only) < len(FULL)):
        parser.error("--readme writes the whole table: leave out --quick and --only")
    benches = QUICK if said.quick else FULL
    text = table({name: benches[name] for name in said.only})
    print(f"\n{text}")
    if said.readme:
        into_readme(text)


if __name__ == "__main__":
    main()
